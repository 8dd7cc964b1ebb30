//! The source as it runs: connections and their open messages, datagrams, what the kernel dropped.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::framing::{Framing, Mode, trimmed};
use crate::limits::SENDERS_MAX;
use crate::source::Progress;
use crate::source::listener::{Came, Listener};
use crate::source::spooled::{Inlet, Intake, Peer, Receipt};

/// How long the source may sleep while nothing is open: the listener wakes it.
const IDLE: Duration = Duration::from_secs(3600);
/// How often drops are looked at while datagrams come.
const DROPS_EVERY: Duration = Duration::from_secs(10);

/// What the source is told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the messages of a connection are told apart.
    pub mode: Mode,
    /// Longest message.
    pub message_bytes: usize,
    /// How long an unfinished message is held.
    pub wait: Duration,
}

/// A connection.
struct Connection {
    peer: Peer,
    framing: Framing,
    /// When it last said something.
    heard: Duration,
    /// Whether it was said that it counts wrong.
    said: bool,
}

/// The intake.
pub struct Syslog {
    config: Config,
    listener: Box<dyn Listener>,
    connections: BTreeMap<u64, Connection>,
    senders: HashMap<SocketAddr, Peer>,
    /// No open message is due before.
    next_due: Duration,
    next_drops: Duration,
    dropped: u64,
    stuck: bool,
    closing: bool,
    warnings: Vec<String>,
}

impl Syslog {
    /// An intake of what this listener hands over.
    pub fn new(config: Config, listener: Box<dyn Listener>) -> Self {
        Self {
            config,
            listener,
            connections: BTreeMap::new(),
            senders: HashMap::new(),
            next_due: Duration::MAX,
            next_drops: Duration::ZERO,
            dropped: 0,
            stuck: false,
            closing: false,
            warnings: Vec::new(),
        }
    }

    fn take(&mut self, came: Came, now: Duration, inlet: &mut Inlet<'_>) {
        match came {
            Came::Opened { connection, peer } => {
                let framing = Framing::new(self.config.mode, self.config.message_bytes);
                let connected = Connection { peer: Peer::new(&peer), framing, heard: now, said: false };
                self.connections.insert(connection, connected);
            }
            Came::Bytes { connection, bytes, .. } => {
                let Some(of) = self.connections.get_mut(&connection) else { return };
                let peer = &of.peer;
                of.framing.push(&bytes, &mut |message| {
                    inlet.push(peer, message);
                });
                of.heard = now;
                if of.framing.is_open() {
                    self.next_due = self.next_due.min(now + self.config.wait);
                }
                self.misframed(connection);
            }
            Came::Closed { connection } => {
                self.let_go(connection, inlet);
                self.connections.remove(&connection);
            }
            Came::Datagrams { ends, bytes, .. } => {
                let mut from = 0;
                for (sender, end) in ends {
                    let message = trimmed(&bytes[from..end]);
                    from = end;
                    if !message.is_empty() {
                        inlet.push(&self.sender(sender), message);
                    }
                }
            }
            // There are none without a gate.
            Came::Request { .. } => {}
            Came::Warning(warning) => self.warnings.push(warning),
        }
    }

    fn sender(&mut self, address: SocketAddr) -> Peer {
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&address) {
            self.senders.clear();
        }
        self.senders.entry(address).or_insert_with(|| Peer::new(&format!("udp://{address}"))).clone()
    }

    /// Hands on the open message of a connection as it is.
    fn let_go(&mut self, connection: u64, inlet: &mut Inlet<'_>) {
        let Some(of) = self.connections.get_mut(&connection) else { return };
        let peer = &of.peer;
        of.framing.finish(&mut |message| {
            inlet.push(peer, message);
        });
        self.misframed(connection);
    }

    fn misframed(&mut self, connection: u64) {
        let Some(of) = self.connections.get_mut(&connection) else { return };
        if of.framing.take_misframed() > 0 && !std::mem::replace(&mut of.said, true) {
            let name = of.peer.name();
            self.warnings.push(format!(
                "{name} counts the bytes of its messages wrong; what it sent is kept, up to the next line feed as one message"
            ));
        }
    }

    /// Hands on open messages of connections that have been silent for long enough.
    fn expire(&mut self, now: Duration, inlet: &mut Inlet<'_>) {
        if now < self.next_due {
            return;
        }
        let wait = self.config.wait;
        let open = |of: &Connection| of.framing.is_open();
        let due = self.connections.iter().filter(|(_, of)| open(of) && of.heard + wait <= now);
        for connection in due.map(|(connection, _)| *connection).collect::<Vec<_>>() {
            self.let_go(connection, inlet);
        }
        let heard = self.connections.values().filter(|of| open(of)).map(|of| of.heard + wait).min();
        self.next_due = heard.unwrap_or(Duration::MAX);
    }

    /// Says what the kernel dropped.
    fn drops(&mut self, now: Duration) {
        if now < self.next_drops && !self.closing {
            return;
        }
        self.next_drops = now + DROPS_EVERY;
        if let Some(dropped) = self.listener.dropped()
            && dropped > self.dropped
        {
            let more = dropped - self.dropped;
            self.dropped = dropped;
            self.warnings.push(format!(
                "the kernel dropped {more} datagrams that were not read in time, {dropped} since the start; a larger receive_buffer holds longer bursts"
            ));
        }
    }
}

impl Intake for Syslog {
    fn step(&mut self, now: Duration, _: i64, inlet: &mut Inlet<'_>) -> Progress {
        self.stuck = inlet.is_stuck();
        loop {
            if inlet.is_full() {
                return Progress::More;
            }
            match self.listener.next() {
                Some(came) => self.take(came, now, inlet),
                None => break,
            }
        }
        self.expire(now, inlet);
        self.drops(now);
        if self.closing && self.listener.is_drained() {
            let open: Vec<_> = self.connections.keys().copied().collect();
            open.into_iter().for_each(|connection| self.let_go(connection, inlet));
            self.connections.clear();
            return Progress::End;
        }
        let drops = self.listener.dropped().map(|_| self.next_drops);
        Progress::Wait((now + IDLE).min(self.next_due).min(drops.unwrap_or(Duration::MAX)))
    }

    fn durable(&mut self, _: Receipt) {}

    fn finish(&mut self) {
        self.closing = true;
        self.listener.close();
    }

    fn close(&mut self) -> bool {
        self.finish();
        true
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        if self.stuck { None } else { self.listener.wake_fd() }
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
