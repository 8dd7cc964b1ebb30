//! The machine's sockets, read by one thread.
//!
//! What comes goes through a channel whose items are few and whose bytes are bounded by [`LISTENER_BYTES`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use super::address::{Address, Protocol};
use super::http::{Answer, Gate, Head, Stopped};
use super::{Came, Listener, Weight, sockets};
use crate::limits::{LISTENER_BYTES, LISTENER_QUEUE_ITEMS};

/// How long answers that were given may take to leave once the listener is dropped.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// What to do with a connection once it is made.
#[derive(Clone)]
pub(super) enum Speak {
    /// Its bytes are handed over.
    Bytes,
    /// It speaks HTTP.
    Http(Arc<dyn Gate>),
}

/// What to listen on.
pub struct Setup {
    /// The addresses.
    pub addresses: Vec<Address>,
    /// For those with TLS.
    pub tls: Option<TlsAcceptor>,
    /// Requests are judged by it; without it connections are streams of bytes.
    pub gate: Option<Arc<dyn Gate>>,
    /// Connections that are open at once; more wait.
    pub connections_max: usize,
    /// Receive buffer of a UDP socket, in bytes, where another than the system's is wanted.
    pub receive_buffer: Option<usize>,
    /// Name of the thread.
    pub name: String,
}

/// An item of the channel: what came, and who waits for an answer.
pub(super) type Item = (Came, Option<oneshot::Sender<Answer>>);

/// What the tasks share.
pub(super) struct Shared {
    room: Arc<Semaphore>,
    came: mpsc::Sender<Item>,
    wake: OwnedFd,
    numbers: AtomicU64,
    stop: watch::Receiver<bool>,
    /// By socket: what the kernel dropped.
    pub(super) drops: Vec<AtomicU64>,
    pub(super) drops_known: AtomicBool,
}

/// Hands over what came; every task has one.
#[derive(Clone)]
pub(super) struct Hand(pub(super) Arc<Shared>);

impl Hand {
    /// A number that no connection and no request had before.
    pub(super) fn number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for room for this many bytes.
    pub(super) async fn weigh(&self, bytes: usize) -> Weight {
        // More than there is at all enters when the pool is empty.
        let wanted = bytes.min(LISTENER_BYTES) as u32;
        Weight(self.0.room.clone().acquire_many_owned(wanted).await.ok())
    }

    /// Takes room for this many bytes if there is some.
    pub(super) fn try_weigh(&self, bytes: usize) -> Option<Weight> {
        let wanted = bytes.min(LISTENER_BYTES) as u32;
        self.0.room.clone().try_acquire_many_owned(wanted).ok().map(|permit| Weight(Some(permit)))
    }

    /// Hands something over; waits while the channel is full. False where nobody listens any more.
    pub(super) async fn give(&self, came: Came) -> bool {
        let given = self.0.came.send((came, None)).await.is_ok();
        self.ring();
        given
    }

    /// Hands a request over and waits for its answer. `None` where there will be none.
    pub(super) async fn ask(
        &self,
        peer: Arc<str>,
        head: Head,
        body: Vec<u8>,
        weight: Weight,
    ) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        let ticket = self.number();
        let came = Came::Request { ticket, peer, head, body, weight };
        self.0.came.send((came, Some(sender))).await.ok()?;
        self.ring();
        answer.await.ok()
    }

    /// Ends when the listener is closed.
    pub(super) fn stopped(&self) -> Stopped {
        let mut stop = self.0.stop.clone();
        Box::pin(async move {
            // An error is the sender's end, which is the same.
            let _ = stop.wait_for(|stop| *stop).await;
        })
    }

    fn ring(&self) {
        // It fails only when 2^64 - 2 rings were not heard.
        let _ = rustix::io::write(&self.0.wake, &1u64.to_ne_bytes());
    }
}

impl Weight {
    /// Adds another.
    pub(super) fn merge(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(own), Some(other)) => own.merge(other),
            (own @ None, other) => *own = other,
            (Some(_), None) => {}
        }
    }
}

/// The listener.
pub struct RealListener {
    addresses: Vec<SocketAddr>,
    came: mpsc::Receiver<Item>,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
    wake: OwnedFd,
    shared: std::sync::Weak<Shared>,
    stop: watch::Sender<bool>,
    drained: bool,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RealListener {
    /// Binds all addresses and starts the thread.
    pub fn start(setup: Setup) -> Result<Self, String> {
        let sockets = setup.addresses.iter().map(|address| sockets::bind(address, setup.receive_buffer));
        let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
        let addresses = sockets.iter().map(sockets::Bound::address).collect();
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|error| format!("cannot make an event descriptor: {error}"))?;
        let theirs = wake.try_clone().map_err(|error| format!("cannot copy a descriptor: {error}"))?;
        let (sender, came) = mpsc::channel(LISTENER_QUEUE_ITEMS);
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared {
            room: Arc::new(Semaphore::new(LISTENER_BYTES)),
            came: sender,
            wake: theirs,
            numbers: AtomicU64::new(0),
            stop: stopping,
            drops: sockets.iter().map(|_| AtomicU64::new(0)).collect(),
            drops_known: AtomicBool::new(setup.addresses.iter().any(|of| of.protocol == Protocol::Udp)),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start a runtime: {error}"))?;
        let (end, ended) = oneshot::channel();
        let weak = Arc::downgrade(&shared);
        let thread = std::thread::Builder::new().name(setup.name.clone()).spawn(move || {
            let tasks = tokio::task::LocalSet::new();
            let run = sockets::run(sockets, setup, Hand(shared));
            // What is still open a while after the listener was dropped is cut.
            let ended = async {
                let _ = ended.await;
                tokio::time::sleep(LAST_WORDS_WAIT).await;
            };
            tasks.block_on(&runtime, async {
                tokio::select! {
                    () = run => {}
                    () = ended => {}
                }
            });
        });
        let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self {
            addresses,
            came,
            waiting: HashMap::new(),
            wake,
            shared: weak,
            stop,
            drained: false,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Starts it for a source of this name that takes requests, and the addresses as people are told them.
    pub fn serve(
        name: &str,
        addresses: Vec<Address>,
        tls: Option<&super::tls::Files>,
        gate: Arc<dyn Gate>,
        connections_max: usize,
    ) -> Result<Self, String> {
        let tls = tls.map(super::tls::Files::acceptor).transpose()?;
        let gate = Some(gate);
        let name = name.to_owned();
        Self::start(Setup { addresses, tls, gate, connections_max, receive_buffer: None, name })
    }

    /// Where it listens: the addresses in their order, with the ports that the kernel gave.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Listener for RealListener {
    fn next(&mut self) -> Option<Came> {
        // Silenced before the look: what comes after it rings again.
        let mut item = self.came.try_recv();
        if matches!(item, Err(mpsc::error::TryRecvError::Empty)) {
            let mut rings = [0; 8];
            let _ = rustix::io::read(&self.wake, &mut rings);
            item = self.came.try_recv();
        }
        match item {
            Ok((came, answer)) => {
                if let (Came::Request { ticket, .. }, Some(answer)) = (&came, answer) {
                    self.waiting.insert(*ticket, answer);
                }
                Some(came)
            }
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                self.drained = true;
                None
            }
        }
    }

    fn answer(&mut self, ticket: u64, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            // The client may have gone.
            let _ = waiting.send(answer);
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.as_fd())
    }

    fn close(&mut self) {
        let _ = self.stop.send(true);
    }

    fn is_drained(&self) -> bool {
        self.drained
    }

    fn dropped(&self) -> Option<u64> {
        let shared = self.shared.upgrade()?;
        shared
            .drops_known
            .load(Ordering::Relaxed)
            .then(|| shared.drops.iter().map(|drops| drops.load(Ordering::Relaxed)).sum())
    }
}

impl Drop for RealListener {
    fn drop(&mut self) {
        // Whoever was not answered is told to come back.
        self.waiting.clear();
        self.came.close();
        self.close();
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported where it happened.
            let _ = thread.join();
        }
    }
}
