//! What talks to peers, and where it puts what they send.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::SPOOL_RECORD_BYTES_MAX;
use crate::source::Progress;
use crate::spool::Spool;

/// Takes in what peers send. It never blocks, and never answers a peer before [`Intake::durable`] was called.
pub trait Intake: Send {
    /// Takes in what is there, until nothing more is, or the inlet is full; then peers must be made to wait (unread
    /// sockets, HTTP 429). `unix_ns` is the wall clock. [`Progress::End`] means that nothing will ever come again.
    fn step(&mut self, now: Duration, unix_ns: i64, inlet: &mut Inlet<'_>) -> Progress;
    /// Everything up to and with this receipt is on the disk: answer those who sent it. Answers need not wait for the
    /// next step.
    fn durable(&mut self, receipt: Receipt);
    /// From now on, end when all that is there has been taken in (`--once`).
    fn finish(&mut self) {}
    /// The process ends: take nothing more from peers. True where something may be left that was read from them: then the
    /// intake is stepped until it says [`Progress::End`], or for a moment at most.
    fn close(&mut self) -> bool {
        false
    }
    /// A descriptor that becomes readable when the intake should be stepped. `None` while the inlet is full and being
    /// stepped again would not help: the source goes on by itself when there is room.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// What a person should know, said since the last call.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Number of a push. What was pushed earlier has a lower one, and is durable no later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub u64);

/// Who sent something: an address or a path, as events carry it (`log.file.path`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer(Arc<str>);

impl Peer {
    /// A peer of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Where an intake puts what peers send.
pub struct Inlet<'a> {
    pub(super) spool: &'a mut Spool,
    pub(super) lines: bool,
    pub(super) closed: bool,
    pub(super) unix_ns: i64,
    pub(super) pushed: &'a mut u64,
    pub(super) hurry: &'a mut bool,
}

impl Inlet<'_> {
    /// Bytes that may be pushed now. A push of more is taken all the same: ask before a request is begun, not in its
    /// middle.
    pub fn room(&self) -> usize {
        if self.closed { 0 } else { self.spool.room() }
    }

    /// Whether nothing should be pushed now: the group is full (then it is made durable next, and the intake stepped
    /// again at once), the spool is full, or the disk is.
    pub fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Whether it is the spool or the disk that is full, so that it may stay so for long.
    pub fn is_stuck(&self) -> bool {
        self.closed || self.spool.is_full()
    }

    /// Puts in one whole message; or, in a source whose spool is a stream of bytes ([`super::Framing::Lines`]), the bytes that
    /// follow those of the last push. Nothing is stored of an empty one.
    pub fn push(&mut self, peer: &Peer, bytes: &[u8]) -> Receipt {
        if self.lines {
            self.spool.push_bytes(peer.name(), self.unix_ns, bytes);
        } else if bytes.len() <= SPOOL_RECORD_BYTES_MAX {
            if !bytes.is_empty() {
                self.spool.push_message(0, peer.name(), self.unix_ns, bytes);
            }
        } else {
            for (part, bytes) in (1u16..).zip(bytes.chunks(SPOOL_RECORD_BYTES_MAX)) {
                self.spool.push_message(part, peer.name(), self.unix_ns, bytes);
            }
        }
        *self.pushed += 1;
        Receipt(*self.pushed)
    }

    /// Somebody waits for what was pushed to be durable: do not collect more than what is there. Without this, up to
    /// [`SPOOL_LINGER`](crate::limits::SPOOL_LINGER) passes before the next fsync.
    pub fn hurry(&mut self) {
        *self.hurry = true;
    }
}
