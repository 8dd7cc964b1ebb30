//! A local Elasticsearch, as far as shippers see one: a thread per connection, and outages on request.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use flate2::read::MultiGzDecoder;

use super::action::Actions;
use super::answer::{Answer, Wanted};
use super::clock;
use super::expect::lines;
use super::http::{Head, Inbox};
use super::marker::Markers;
use super::tally::Tally;
use std::sync::atomic::Ordering::Relaxed;

/// How often a server that refuses connections looks whether it may listen again.
pub(crate) const OUTAGE_STEP: Duration = Duration::from_millis(5);
const ROOT: &[u8] = br#"{"name":"race","cluster_name":"race","cluster_uuid":"race0race0race0race0ra","version":{"number":"8.17.0","build_flavor":"default","build_type":"docker","build_hash":"0","build_date":"2026-01-01T00:00:00Z","build_snapshot":false,"lucene_version":"9.12.0","minimum_wire_compatibility_version":"7.17.0","minimum_index_compatibility_version":"7.0.0"},"tagline":"You Know, for Search"}"#;
const LICENSE: &[u8] = br#"{"license":{"status":"active","uid":"0","type":"basic","mode":"basic"}}"#;
const BUSY: &[u8] =
    br#"{"error":{"type":"cluster_block_exception","reason":"the race plays an outage"},"status":503}"#;

/// How the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Health {
    /// Takes documents.
    #[value(skip)]
    Up = 0,
    /// Answers 503 to everything.
    Unavailable = 1,
    /// Closes its connections and does not listen.
    Refuse = 2,
}

/// A running server; it stops when this is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    tally: Arc<Tally>,
    health: AtomicU8,
    closed: AtomicU8,
    /// Open connections, by the number under which they came.
    connections: Mutex<HashMap<u64, TcpStream>>,
}

impl Shared {
    fn health(&self) -> Health {
        match self.health.load(SeqCst) {
            0 => Health::Up,
            1 => Health::Unavailable,
            _ => Health::Refuse,
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hang_up(&self) {
        for connection in self.open().values() {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Server {
    /// Listens on a free port of the loopback address.
    pub(crate) fn start(tally: Arc<Tally>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { tally, health: 0.into(), closed: 0.into(), connections: Mutex::default() });
        let theirs = shared.clone();
        thread::spawn(move || accept(listener, address, &theirs));
        Ok(Self { address, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Starts or ends an outage.
    pub(crate) fn set_health(&self, health: Health) {
        self.shared.health.store(health as u8, SeqCst);
        if health == Health::Refuse {
            // Wakes `accept`, which then stops to listen.
            drop(TcpStream::connect(self.address));
            self.shared.hang_up();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closed.store(1, SeqCst);
        drop(TcpStream::connect(self.address));
        self.shared.hang_up();
    }
}

fn accept(mut listener: TcpListener, address: SocketAddr, shared: &Arc<Shared>) {
    for number in 0.. {
        let Ok((connection, _)) = listener.accept() else { return };
        if shared.closed.load(SeqCst) != 0 {
            return;
        }
        if shared.health() == Health::Refuse {
            drop((connection, listener));
            shared.hang_up();
            while shared.health() == Health::Refuse {
                thread::sleep(OUTAGE_STEP);
            }
            let Ok(again) = TcpListener::bind(address) else { return };
            listener = again;
            continue;
        }
        let _ = connection.set_nodelay(true);
        if let Ok(handle) = connection.try_clone() {
            shared.open().insert(number, handle);
        }
        let shared = shared.clone();
        thread::spawn(move || {
            // An error on a connection is the client's to see.
            let _ = Connection::new(connection, &shared.tally).serve(&shared);
            if let Some(handle) = shared.open().remove(&number) {
                let _ = handle.shutdown(Shutdown::Both);
            }
        });
    }
}

/// One client's connection, with the buffers that its requests share.
struct Connection<'a> {
    stream: TcpStream,
    tally: &'a Tally,
    inbox: Inbox,
    body: Vec<u8>,
    plain: Vec<u8>,
    items: Vec<u8>,
    out: Vec<u8>,
    filter: (Option<String>, Wanted),
    markers: Markers,
    actions: Actions,
}

impl<'a> Connection<'a> {
    fn new(stream: TcpStream, tally: &'a Tally) -> Self {
        Self {
            stream,
            tally,
            inbox: Inbox::default(),
            body: Vec::new(),
            plain: Vec::new(),
            items: Vec::new(),
            out: Vec::new(),
            filter: (None, Wanted::new(None)),
            markers: Markers::default(),
            actions: Actions::default(),
        }
    }

    fn serve(mut self, shared: &Shared) -> io::Result<()> {
        while let Some(head) = self.inbox.head(&mut self.stream)? {
            self.inbox.body(&head, &mut self.stream, &mut self.body)?;
            self.out.clear();
            let status =
                if shared.health() == Health::Up { self.answer(&head)? } else { unavailable(&mut self.out) };
            let length = if head.method == "HEAD" { 0 } else { self.out.len() };
            let front = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-elastic-product: Elasticsearch\r\n\
                 content-length: {length}\r\n\r\n"
            );
            self.out.splice(0..0, front.bytes());
            self.out.truncate(front.len() + length);
            self.stream.write_all(&self.out)?;
        }
        Ok(())
    }

    /// Puts the answer to a request into `out`.
    fn answer(&mut self, head: &Head) -> io::Result<&'static str> {
        match head.path() {
            path if path.ends_with("/_bulk") || path.ends_with("/_bulk/") => {
                let index = path.trim_matches('/').trim_end_matches("_bulk").trim_end_matches('/').as_bytes();
                let index = index.split(|byte| *byte == b'/').next().unwrap_or_default();
                self.bulk(head, index)?;
            }
            "/" => self.out.extend_from_slice(ROOT),
            "/_license" => self.out.extend_from_slice(LICENSE),
            _ => self.out.extend_from_slice(b"{}"),
        }
        Ok("200 OK")
    }

    fn bulk(&mut self, head: &Head, index: &[u8]) -> io::Result<()> {
        let now = clock::now();
        let Self { tally, body, plain, items, out, filter, markers, actions, .. } = self;
        tally.requests.fetch_add(1, Relaxed);
        tally.wire_bytes.fetch_add(body.len() as u64, Relaxed);
        let text: &[u8] = if head.gzip {
            plain.clear();
            MultiGzDecoder::new(body.as_slice()).read_to_end(plain)?;
            plain
        } else {
            body
        };
        tally.bytes.fetch_add(text.len() as u64, Relaxed);
        let wanted = head.parameter("filter_path");
        if filter.0 != wanted {
            *filter = (wanted.clone(), Wanted::new(wanted.as_deref()));
        }
        let mut answer = Answer::new(&filter.1, index, items);
        let mut rest = lines(text);
        while let Some(line) = rest.next() {
            let Some(action) = actions.read(line) else {
                // An empty line at the end; anything else would be refused as a whole, and is an event lost.
                continue;
            };
            let Some(document) = rest.next() else { break };
            let fate = tally.document(markers, document, action.id, now);
            answer.item(&action, fate, tally.documents.load(Relaxed));
        }
        answer.finish(out);
        tally.report();
        Ok(())
    }
}

fn unavailable(out: &mut Vec<u8>) -> &'static str {
    out.extend_from_slice(BUSY);
    "503 Service Unavailable"
}
