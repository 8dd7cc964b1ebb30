//! A `_bulk` server in this process that keeps what it is sent as Elasticsearch would, and misbehaves as told.
//!
//! [`Store`] is the logic: documents by data stream and id, created once, a conflict the second time. It knows no
//! socket, so that the simulation uses it too. [`Server`] puts it behind a real one on loopback.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// What a server does with one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing wrong.
    None,
    /// Takes nothing and answers this status, with `Retry-After` in seconds if not 0.
    Status(u16, u64),
    /// Takes all rows but each `n`th, which gets this status.
    Items(usize, u16),
    /// Takes nothing of a request with more rows than this, and answers 413.
    TooLarge(usize),
    /// Takes nothing and answers this status and text.
    Raw(u16, String),
    /// Closes the connection instead of an answer.
    Reset,
    /// Closes the connection in the middle of the request.
    Deaf,
    /// Takes all rows, then closes the connection in the middle of the answer.
    TakenThenReset,
    /// Takes all rows and never answers.
    TakenThenSilent,
    /// Takes all rows and answers with half of the JSON.
    HalfAnswer,
    /// Takes all rows and leaves the last one out of the answer.
    OneItemShort,
    /// Takes all rows and answers with a page of some proxy.
    Page,
    /// Closes the connection, and takes all rows later: see [`Store::late`].
    Late,
}

/// A row of a bulk request: data stream, id, document.
type Row = (String, String, String);

/// What was sent, as a cluster keeps it.
#[derive(Default)]
pub(crate) struct Store {
    /// Documents by backing index and id.
    pub(crate) documents: HashMap<(String, String), String>,
    /// How often each data stream has rolled over; one that is not in here does not exist yet.
    pub(crate) generations: HashMap<String, usize>,
    /// Rows that are still under way inside the cluster, with the backing index that they go to.
    pub(crate) late: Vec<Vec<(String, Row)>>,
    /// Their ids, as the client gave them.
    pub(crate) working: Vec<String>,
    /// Fields that every mapping has as `long`, at the top of a document.
    pub(crate) longs: Vec<&'static str>,
    /// Whether the script is also for requests other than `_bulk`.
    pub(crate) script_for_all: bool,
    /// The number of `_bulk` requests after which a data stream rolls over.
    pub(crate) rolls: Option<(usize, String)>,
    /// Requests other than `_bulk`, as method and path.
    pub(crate) asked: Vec<String>,
    /// What to do with the next requests; afterwards all is well.
    pub(crate) script: VecDeque<Fault>,
    /// Rows that were there already.
    pub(crate) conflicts: usize,
    /// Requests so far.
    pub(crate) requests: usize,
    /// Rows in the largest request.
    pub(crate) largest: usize,
    /// The `Authorization` header to ask for.
    pub(crate) authorization: Option<String>,
    /// Documents with this text are never taken.
    pub(crate) refuses: Option<String>,
}

/// What goes back to the client.
pub(crate) enum Reply {
    /// A response: status, `Retry-After` in seconds or 0, body.
    Response(u16, u64, String),
    /// Half of this response, then a closed connection.
    Half(String),
    /// A closed connection.
    Reset,
    /// Nothing, for ever.
    Silent,
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A backing index of a data stream, as Elasticsearch names them.
pub(crate) fn backing(stream: &str, generation: usize) -> String {
    format!(".ds-{stream}-{:06}", generation + 1)
}

impl Store {
    /// Rolls a data stream over, if there is one.
    pub(crate) fn roll_over(&mut self, stream: &str) {
        if let Some(generation) = self.generations.get_mut(stream) {
            *generation += 1;
        }
    }

    /// The documents of all backing indices. No id may be in two of them.
    pub(crate) fn once(&self) -> Vec<&String> {
        let mut ids: HashMap<(&str, &str), &str> = HashMap::new();
        for (index, id) in self.documents.keys() {
            let stream = index.get(..index.len() - 7).expect("letters");
            if let Some(other) = ids.insert((stream, id), index) {
                panic!("{id} is in {other} and in {index}");
            }
        }
        self.documents.values().collect()
    }

    /// Takes the rows of a request that was long thought lost.
    pub(crate) fn arrive(&mut self, at: usize) {
        self.working.swap_remove(at);
        for (index, (_, id, document)) in self.late.swap_remove(at) {
            self.documents.entry((index, id)).or_insert(document);
        }
    }

    fn write_index(&mut self, stream: &str) -> String {
        backing(stream, *self.generations.entry(stream.to_owned()).or_insert(0))
    }

    /// Answers a request other than `_bulk`.
    fn inform(&mut self, path: &str, body: &[u8]) -> Reply {
        let path = path.split('?').next().expect("a path");
        if path == "/_tasks" {
            let task = |id: &String| serde_json::json!({"headers": {"X-Opaque-Id": id}});
            let tasks: Vec<_> = self.working.iter().map(task).collect();
            return Reply::Response(200, 0, serde_json::json!({ "tasks": tasks }).to_string());
        }
        if let Some(stream) = path.strip_prefix("/_resolve/index/") {
            let Some(generation) = self.generations.get(stream) else {
                let error = "{\"error\":{\"type\":\"index_not_found_exception\"},\"status\":404}";
                return Reply::Response(404, 0, error.into());
            };
            let indices: Vec<_> = (0..=*generation).map(|number| backing(stream, number)).collect();
            let stream = serde_json::json!({"name": stream, "backing_indices": indices});
            let body = serde_json::json!({"indices": [], "aliases": [], "data_streams": [stream]});
            return Reply::Response(200, 0, body.to_string());
        }
        if let Some(index) = path.strip_suffix("/_mget") {
            let index = index.trim_start_matches('/');
            assert!(index.starts_with(".ds-"), "`_mget` takes one index: {index}");
            let body: serde_json::Value = serde_json::from_slice(body).expect("json");
            let ids =
                body["ids"].as_array().expect("ids").iter().map(|id| id.as_str().expect("an id").to_owned());
            let doc = |id: String| serde_json::json!({"found": self.documents.contains_key(&(index.to_owned(), id))});
            let docs: Vec<_> = ids.map(doc).collect();
            return Reply::Response(200, 0, serde_json::json!({ "docs": docs }).to_string());
        }
        let is_mapping = path.ends_with("/_mapping") || path.starts_with("/_index_template/_simulate_index/");
        assert!(is_mapping, "unknown request: {path}");
        let longs = self.longs.iter().map(|field| ((*field).to_owned(), serde_json::json!({"type": "long"})));
        let mappings = serde_json::json!({"properties": longs.collect::<serde_json::Map<_, _>>()});
        let key = path.strip_suffix("/_mapping").map_or("template", |index| index.trim_start_matches('/'));
        Reply::Response(200, 0, serde_json::json!({key: {"mappings": mappings}}).to_string())
    }

    /// Whether the next request is not even to be read.
    fn deaf(&mut self) -> bool {
        let deaf = self.script.front() == Some(&Fault::Deaf);
        if deaf {
            self.script.pop_front();
        }
        deaf
    }

    /// Answers one request.
    pub(crate) fn answer(
        &mut self,
        (method, path): (&str, &str),
        body: &[u8],
        gzip: bool,
        authorization: Option<&str>,
    ) -> Reply {
        let is_bulk = path.starts_with("/_bulk");
        if is_bulk {
            self.requests += 1;
        } else {
            if let Some((_, stream)) = self.rolls.take_if(|(after, _)| self.requests >= *after) {
                self.roll_over(&stream);
            }
            self.asked.push(format!("{method} {path}"));
        }
        if self.authorization.is_some() && self.authorization.as_deref() != authorization {
            return Reply::Response(
                401,
                0,
                "{\"error\":{\"type\":\"security_exception\"},\"status\":401}".into(),
            );
        }
        let fault = if is_bulk || self.script_for_all { self.script.pop_front() } else { None };
        let fault = fault.unwrap_or(Fault::None);
        if !is_bulk {
            return match (fault, self.inform(path, body)) {
                // These would say that looking up is not allowed, or that there is nothing.
                (Fault::Status(status, after), _) if !matches!(status, 403 | 404) => {
                    Reply::Response(status, after, "{\"error\":\"as told\"}".into())
                }
                (Fault::Reset | Fault::Deaf | Fault::TakenThenReset | Fault::Late, _) => Reply::Reset,
                (Fault::TakenThenSilent, _) => Reply::Silent,
                (Fault::HalfAnswer, Reply::Response(200, _, text)) => {
                    Reply::Response(200, 0, text.chars().take(text.len() / 2).collect())
                }
                (Fault::Page, _) => Reply::Response(200, 0, "<html>welcome</html>".into()),
                (_, reply) => reply,
            };
        }
        let mut plain = Vec::new();
        if gzip {
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain).expect("gzip");
        } else {
            plain.extend_from_slice(body);
        }
        let rows = rows(&plain);
        self.largest = self.largest.max(rows.len());
        match fault {
            Fault::Status(status, after) => Reply::Response(status, after, "{\"error\":\"as told\"}".into()),
            Fault::TooLarge(most) if rows.len() > most => Reply::Response(413, 0, String::new()),
            Fault::Raw(status, text) => Reply::Response(status, 0, text),
            Fault::Reset | Fault::Deaf => Reply::Reset,
            Fault::Late => {
                let row = |row: Row| (self.write_index(&row.0), row);
                let late = rows.into_iter().map(row).collect();
                self.late.push(late);
                Reply::Reset
            }
            Fault::Items(every, status) => Reply::Response(200, 0, self.take(&rows, every, status)),
            Fault::None | Fault::TooLarge(_) => Reply::Response(200, 0, self.take(&rows, 0, 0)),
            Fault::TakenThenReset => Reply::Half(self.take(&rows, 0, 0)),
            Fault::TakenThenSilent => {
                self.take(&rows, 0, 0);
                Reply::Silent
            }
            Fault::HalfAnswer => {
                let whole = self.take(&rows, 0, 0);
                Reply::Response(200, 0, whole.chars().take(whole.len() / 2).collect())
            }
            Fault::OneItemShort => {
                self.take(&rows, 0, 0);
                let conflicts = self.conflicts;
                let answer = self.take(rows.split_last().map_or(&[][..], |(_, rest)| rest), 0, 0);
                self.conflicts = conflicts;
                Reply::Response(200, 0, answer)
            }
            Fault::Page => {
                self.take(&rows, 0, 0);
                Reply::Response(200, 0, "<html>welcome</html>".into())
            }
        }
    }

    /// Creates documents; each `every`th is answered with `status` and not created.
    fn take(&mut self, rows: &[Row], every: usize, status: u16) -> String {
        let mut errors = false;
        let mut items = Vec::with_capacity(rows.len());
        for (at, (stream, id, document)) in rows.iter().enumerate() {
            let key = (self.write_index(stream), id.clone());
            let long = |field: &&&str| {
                let document: serde_json::Value = serde_json::from_str(document).expect("json");
                !matches!(document[**field], serde_json::Value::Null | serde_json::Value::Number(_))
            };
            let unfit = self.longs.iter().find(long);
            let (status, error) = if unfit.is_some() {
                (400, Some("document_parsing_exception"))
            } else if every > 0 && at % every == every - 1 {
                (status, Some("as_told_exception"))
            } else if self.refuses.as_ref().is_some_and(|text| document.contains(text)) {
                (400, Some("document_parsing_exception"))
            } else if let Some(before) = self.documents.get(&key) {
                assert_eq!(before, document, "the same id is the same document");
                self.conflicts += 1;
                (409, Some("version_conflict_engine_exception"))
            } else {
                self.documents.insert(key, document.clone());
                (201, None)
            };
            errors |= error.is_some();
            let reason = unfit.map_or_else(
                || format!("row {at}"),
                |field| {
                    format!(
                        "[1:42] failed to parse field [{field}] of type [long] in document with id '{id}'"
                    )
                },
            );
            let error = error.map_or_else(String::new, |kind| {
                format!(",\"error\":{{\"type\":\"{kind}\",\"reason\":\"{reason}\"}}")
            });
            items.push(format!("{{\"create\":{{\"status\":{status}{error}}}}}"));
        }
        format!("{{\"errors\":{errors},\"items\":[{}]}}", items.join(","))
    }
}

/// The rows of a bulk request: data stream, id, document. Anything but whole pairs of lines is a fault of the sink.
fn rows(body: &[u8]) -> Vec<Row> {
    let text = std::str::from_utf8(body).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is ended");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len() % 2, 0, "an action and a document each");
    let row = |pair: &[&str]| {
        let action: serde_json::Value = serde_json::from_str(pair[0]).expect("an action");
        let document: serde_json::Value = serde_json::from_str(pair[1]).expect("a document");
        assert!(document["@timestamp"].is_string(), "{document}");
        let part = |name: &str| action["create"][name].as_str().expect("a name").to_owned();
        (part("_index"), part("_id"), pair[1].to_owned())
    };
    lines.chunks(2).map(row).collect()
}

/// A [`Store`] behind a socket on loopback, on a thread of its own until it is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    store: Arc<Mutex<Store>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts a server that follows a script.
    pub(crate) fn start(script: &[Fault]) -> Self {
        let store =
            Arc::new(Mutex::new(Store { script: script.iter().cloned().collect(), ..Store::default() }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&store);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, shared) => {}
                }
            });
        });
        Self { address, store, stop: Some(stop), thread: Some(thread) }
    }

    /// The URL of the node.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Rolls a data stream over as soon as so many `_bulk` requests have come and anything else is asked.
    pub(crate) fn roll_over_after(&self, requests: usize, stream: &str) {
        self.store().rolls = Some((requests, stream.to_owned()));
    }

    /// What it holds.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, store: Arc<Mutex<Store>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&store), request));
            // A connection that a fault has closed ends with an error; that is the point.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

/// The body of a response; a broken one ends with an error, which closes the connection in the middle.
struct Sent {
    bytes: Option<Bytes>,
    broken: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let broken = self.broken.then(|| Err(std::io::Error::other("as told")));
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))).or(broken))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.bytes {
            Some(bytes) if !self.broken => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

async fn handle(
    store: Arc<Mutex<Store>>,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<Sent>, std::io::Error> {
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let path = path.strip_prefix("/prefix").unwrap_or(&path).to_owned();
    let method = request.method().to_string();
    let content = if path.starts_with("/_bulk") { "application/x-ndjson" } else { "application/json" };
    let header =
        |name: &str| request.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    assert_eq!(header("content-type").as_deref(), Some(content));
    let (gzip, authorization) =
        (header("content-encoding").as_deref() == Some("gzip"), header("authorization"));
    if path.starts_with("/_bulk") && lock(&store).deaf() {
        let _ = request.into_body().frame().await;
        return Err(std::io::Error::other("as told"));
    }
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let reply = lock(&store).answer((&method, &path), &body, gzip, authorization.as_deref());
    match reply {
        Reply::Response(status, after, text) => {
            let mut response = hyper::Response::builder().status(status);
            if after > 0 {
                response = response.header("retry-after", after);
            }
            response.body(Sent { bytes: Some(text.into()), broken: false }).map_err(std::io::Error::other)
        }
        Reply::Half(text) => {
            let half = Bytes::from(text).split_to(10);
            Ok(hyper::Response::new(Sent { bytes: Some(half), broken: true }))
        }
        Reply::Reset => Err(std::io::Error::other("as told")),
        Reply::Silent => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Err(std::io::Error::other("as told"))
        }
    }
}
