//! Waits for a time, a call from another thread, or a descriptor of the source's own.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Longest single wait; a source that asks for more is stepped earlier, which costs nothing.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// An event descriptor.
#[derive(Debug)]
pub(super) struct Wake(OwnedFd);

impl Wake {
    /// A quiet one.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    /// Ends the present wait, or the next one.
    pub(super) fn ring(&self) {
        // It fails only when 2^64 - 2 rings were not heard.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Waits for at most `wait`, a ring, or `other` to become readable.
    pub(super) fn wait(&self, wait: Duration, other: Option<BorrowedFd<'_>>) {
        let wait = wait.min(WAIT_MAX);
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut fds = vec![PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        fds.extend(other.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // An interrupted wait is a short wait.
        let _ = poll(&mut fds, Some(&timeout));
        let mut rings = [0; 8];
        let _ = rustix::io::read(&self.0, &mut rings);
    }
}
