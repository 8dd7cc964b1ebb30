//! Tasks around sockets: accept, read, hand over.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, UdpSocket as StdSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use super::Came;
use super::address::{Address, Protocol};
use super::drops;
use super::http;
use super::real::{Hand, Setup, Speak};
use crate::limits::{DATAGRAM_BYTES_MAX, LISTENER_READ_BYTES};

/// How long a TLS handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(15);
/// Pause after a connection could not be accepted: the process has no descriptors left, mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Datagrams that are handed over together.
const DATAGRAMS_MAX: usize = 128;
/// Reads of a connection after the listener was closed.
const LAST_READS_MAX: u32 = 64;
/// How often the kernel is asked for what it dropped.
const DROPS_EVERY: Duration = Duration::from_secs(1);

/// A socket that is bound.
pub(super) enum Bound {
    Tcp(StdListener, Protocol),
    Udp(StdSocket),
}

impl Bound {
    pub(super) fn address(&self) -> SocketAddr {
        let found = match self {
            Self::Tcp(socket, _) => socket.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        };
        found.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
    }
}

pub(super) fn bind(address: &Address, receive_buffer: Option<usize>) -> Result<Bound, String> {
    let wrong = |error: io::Error| format!("cannot listen on {address}: {error}");
    if address.protocol != Protocol::Udp {
        let socket = StdListener::bind(address.socket).map_err(wrong)?;
        socket.set_nonblocking(true).map_err(wrong)?;
        return Ok(Bound::Tcp(socket, address.protocol));
    }
    let socket = StdSocket::bind(address.socket).map_err(wrong)?;
    socket.set_nonblocking(true).map_err(wrong)?;
    if let Some(bytes) = receive_buffer {
        let wrong = |error| format!("cannot set the receive buffer of {address}: {error}");
        // Beyond `net.core.rmem_max` only root may.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, bytes).is_err() {
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, bytes).map_err(wrong)?;
        }
        let given = rustix::net::sockopt::socket_recv_buffer_size(&socket).map_err(wrong)?;
        // The kernel doubles what it is asked for, for its own needs, and says so.
        if given < bytes {
            return Err(format!(
                "the receive buffer of {address} cannot have {bytes} bytes, only {given}: raise `net.core.rmem_max`"
            ));
        }
    }
    Ok(Bound::Udp(socket))
}

/// Runs all sockets until the listener is closed and what is open has ended.
pub(super) async fn run(sockets: Vec<Bound>, setup: Setup, hand: Hand) {
    let places = Arc::new(Semaphore::new(setup.connections_max.max(1)));
    let speak = setup.gate.map_or(Speak::Bytes, Speak::Http);
    let mut tasks = Vec::new();
    for (number, socket) in sockets.into_iter().enumerate() {
        let hand = hand.clone();
        tasks.push(match socket {
            Bound::Udp(socket) => spawn_local(datagrams(socket, number, hand)),
            Bound::Tcp(socket, protocol) => {
                let tls = setup.tls.clone().filter(|_| protocol == Protocol::Tls);
                spawn_local(accept(socket, tls, speak.clone(), places.clone(), hand))
            }
        });
    }
    drop(hand);
    for task in tasks {
        // A panic there was reported where it happened.
        let _ = task.await;
    }
    // Connections end by themselves now; each holds a place.
    let _ = places.acquire_many(setup.connections_max.max(1) as u32).await;
}

async fn accept(
    socket: StdListener,
    tls: Option<TlsAcceptor>,
    speak: Speak,
    places: Arc<Semaphore>,
    hand: Hand,
) {
    let Ok(listener) = TcpListener::from_std(socket) else { return };
    let mut stopped = hand.stopped();
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            () = &mut stopped => return,
            next = next => match next {
                Some(next) => next,
                None => return,
            },
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (tls, speak, hand) = (tls.clone(), speak.clone(), hand.clone());
        spawn_local(async move {
            connection(socket, peer, tls, speak, hand).await;
            drop(place);
        });
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, speak: Speak, hand: Hand) {
    let _ = socket.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(&socket, true);
    let scheme = match (&speak, &tls) {
        (Speak::Http(_), None) => "http",
        (Speak::Http(_), Some(_)) => "https",
        (Speak::Bytes, None) => "tcp",
        (Speak::Bytes, Some(_)) => "tls",
    };
    let name: Arc<str> = format!("{scheme}://{}", canonical(peer)).into();
    let Some(tls) = tls else { return speak_on(socket, name, speak, hand).await };
    match tokio::time::timeout(HANDSHAKE_WAIT, tls.accept(socket)).await {
        Ok(Ok(stream)) => speak_on(stream, name, speak, hand).await,
        Ok(Err(error)) => drop(hand.give(Came::Warning(format!("{name}: TLS: {error}"))).await),
        Err(_) => drop(hand.give(Came::Warning(format!("{name}: TLS: no handshake in time"))).await),
    }
}

async fn speak_on(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    peer: Arc<str>,
    speak: Speak,
    hand: Hand,
) {
    match speak {
        Speak::Http(gate) => http::serve(stream, peer, gate, hand).await,
        Speak::Bytes => bytes(stream, peer, hand).await,
    }
}

/// An address as people write it: IPv4 through an IPv6 socket is IPv4.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Hands over the bytes of a connection. Nothing more is read while what was read finds no room.
async fn bytes(mut stream: impl AsyncRead + Unpin, peer: Arc<str>, hand: Hand) {
    let connection = hand.number();
    if !hand.give(Came::Opened { connection, peer: peer.clone() }).await {
        return;
    }
    let mut stopped = hand.stopped();
    // Once it is closed, what the kernel has already is still taken, within reason.
    let mut reads_left = None;
    loop {
        let read = match reads_left {
            Some(0) => break,
            Some(left) => {
                reads_left = Some(left - 1);
                tokio::select! {
                    biased;
                    read = read(&mut stream) => read,
                    () = std::future::ready(()) => break,
                }
            }
            None => tokio::select! {
                biased;
                () = &mut stopped => {
                    reads_left = Some(LAST_READS_MAX);
                    continue;
                }
                read = read(&mut stream) => read,
            },
        };
        match read {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => {
                let weight = hand.weigh(bytes.len()).await;
                if !hand.give(Came::Bytes { connection, bytes, weight }).await {
                    return;
                }
            }
            Err(error) => {
                // TLS peers that just close are many; a reset is how some end.
                if !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) {
                    hand.give(Came::Warning(format!("{peer}: {error}"))).await;
                }
                break;
            }
        }
    }
    hand.give(Came::Closed { connection }).await;
}

/// Reads what is there. The space is on the stack while the socket is asked, so that an idle connection holds none.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    poll_fn(|context| {
        let mut space = [0; LISTENER_READ_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().to_vec()))
    })
    .await
}

async fn datagrams(socket: StdSocket, number: usize, hand: Hand) {
    let inode = rustix::fs::fstat(&socket).map(|stat| stat.st_ino);
    let table = if socket.local_addr().is_ok_and(|address| address.is_ipv6()) {
        "/proc/net/udp6"
    } else {
        "/proc/net/udp"
    };
    let Ok(socket) = UdpSocket::from_std(socket) else { return };
    let mut space = vec![0; DATAGRAM_BYTES_MAX];
    let mut stopped = hand.stopped();
    let mut look = tokio::time::interval(DROPS_EVERY);
    loop {
        let stopping = tokio::select! {
            biased;
            _ = look.tick() => {
                let count = inode.ok().and_then(|inode| drops::of_socket(&std::fs::read_to_string(table).ok()?, inode));
                match count {
                    Some(count) => hand.0.drops[number].store(count, Ordering::Relaxed),
                    None => hand.0.drops_known.store(false, Ordering::Relaxed),
                }
                continue;
            }
            ready = socket.readable() => {
                if ready.is_err() {
                    return;
                }
                false
            }
            () = &mut stopped => true,
        };
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        while ends.len() < DATAGRAMS_MAX && bytes.len() < DATAGRAM_BYTES_MAX {
            let Ok((length, peer)) = socket.try_recv_from(&mut space) else { break };
            bytes.extend_from_slice(&space[..length]);
            ends.push((canonical(peer), bytes.len()));
        }
        let empty = ends.is_empty();
        if !empty {
            let weight = hand.weigh(bytes.len()).await;
            if !hand.give(Came::Datagrams { ends, bytes, weight }).await {
                return;
            }
        }
        // What came before the end is taken.
        if stopping && empty {
            return;
        }
    }
}
