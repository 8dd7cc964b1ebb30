//! Sinks: encode rows on the worker, deliver bodies, and say what became of each.
//!
//! A sink has two halves. An [`Encoder`] lives on each worker and turns rows into a [`Body`] per batch; the
//! [`Sink`] itself is a state machine on a thread of its own: it takes bodies, is stepped, and settles batches.
//! Neither sees the pipeline that feeds it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::event::{Layout, Mask, Message, Options, Row};
use crate::limits::REASON_KIND_BYTES_MAX;
use crate::position::{CursorRecord, EVENT_ID_LEN, EventId, IdPrefix, PipelineTag, Stream};
use crate::seam::kafka::Brokers;
use crate::seam::{Clock, Fs, Objects};
use crate::signature::{Signature, Type};

pub mod alerts;
pub mod blackhole;
pub mod elasticsearch;
pub mod file;
pub mod http;
pub mod kafka;
mod lines;
pub mod notify;
pub mod parquet;
mod pretty;
mod reorder;
mod router;
pub mod s3;
mod smtp;
pub mod stdout;
mod wait;

/// Which batch a body is from, and the bytes of the streams it accounts for.
#[derive(Debug)]
pub struct Provenance {
    /// Number of the batch, counted by the process.
    pub batch: u64,
    /// The streams and ranges that the batch accounts for, filtered rows and separators included.
    pub ranges: Vec<(Arc<Stream>, Vec<Range<u64>>)>,
}

impl Provenance {
    /// The stream that an event of the batch is of.
    pub fn stream(&self, id: &EventId) -> Option<&Arc<Stream>> {
        let same = |stream: &Stream| stream.id == id.stream && stream.generation == id.generation;
        self.ranges.iter().map(|(stream, _)| stream).find(|stream| same(stream))
    }
}

/// What a body holds.
pub enum Payload {
    /// Encoded bytes: bulk lines, NDJSON, text.
    Bytes(Bytes),
    /// Columns for an archive, by partition.
    Columns(Vec<Columns>),
}

/// Rows of one partition of an archive.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The partition's folder (`date=2026-11-23/hour=06`); empty where there are no partitions.
    pub partition: Arc<str>,
    /// The rows.
    pub rows: arrow::record_batch::RecordBatch,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Columns(columns) => write!(f, "columns for {} partitions", columns.len()),
        }
    }
}

/// Encoded rows of one batch. A batch may give a sink several bodies; all of them must settle.
#[derive(Debug)]
pub struct Body {
    /// Where the rows are from.
    pub provenance: Arc<Provenance>,
    /// The rows, encoded.
    pub payload: Payload,
    /// End offset of each row in `Payload::Bytes` (before compression), so that a retry copies only some; empty
    /// where the sink does not need it.
    pub row_ends: Vec<u32>,
    /// Number of rows.
    pub rows: u32,
    /// Memory that the body holds, in bytes; given back to the budget when it settles.
    pub bytes: usize,
}

impl Body {
    /// The one body of a batch that an ordered sink is offered (see [`SinkPlan::ordered`]): what the encoders of
    /// all pipelines that write to the sink made of the batch, in this order. No rows is a body too. Nothing is
    /// copied unless there are several.
    pub fn joined(provenance: &Arc<Provenance>, mut bodies: Vec<Body>) -> Body {
        if bodies.len() == 1
            && let Some(body) = bodies.pop()
        {
            return body;
        }
        let mut joined = Body {
            provenance: Arc::clone(provenance),
            payload: Payload::Bytes(Bytes::new()),
            row_ends: Vec::new(),
            rows: 0,
            bytes: 0,
        };
        let (mut bytes, mut columns) = (Vec::new(), Vec::new());
        for body in bodies {
            joined.rows += body.rows;
            joined.bytes += body.bytes;
            let before = bytes.len() as u32;
            joined.row_ends.extend(body.row_ends.iter().map(|end| before + end));
            match body.payload {
                Payload::Bytes(more) => bytes.extend_from_slice(&more),
                Payload::Columns(more) => columns.extend(more),
            }
        }
        joined.payload =
            if columns.is_empty() { Payload::Bytes(bytes.into()) } else { Payload::Columns(columns) };
        joined
    }

    /// What an ordered sink is offered of a batch that is not for it (it is set apart, or another sink catches up):
    /// it accounts for nothing, and only keeps the count of batches without a hole.
    pub fn withheld(batch: u64) -> Body {
        Body::joined(&Arc::new(Provenance { batch, ranges: Vec::new() }), Vec::new())
    }

    /// Whether it is [`Body::withheld`]: there is nothing to deliver and nothing to settle.
    pub fn is_withheld(&self) -> bool {
        self.rows == 0 && self.provenance.ranges.is_empty()
    }

    /// Size of the payload in bytes.
    pub fn payload_bytes(&self) -> usize {
        match &self.payload {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Columns(_) => self.bytes,
        }
    }
}

/// A row that the destination will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Index of the row in its body.
    pub row: u32,
    /// The event's id, by which its original bytes are found; `None` where the sink cannot tell.
    pub id: Option<EventId>,
    /// Why, in the destination's words.
    pub reason: String,
}

impl Rejection {
    /// What the books count it under: the kind of the reason, without what belongs to one row.
    pub fn kind(&self) -> &str {
        refusal_kind(&self.reason)
    }
}

/// The kind of a refusal: its reason without what belongs to one row.
pub fn refusal_kind(reason: &str) -> &str {
    let kind = reason.split([':', '[']).next().unwrap_or_default().trim();
    let kind = if kind.is_empty() { "refused" } else { kind };
    kind.get(..kind.floor_char_boundary(REASON_KIND_BYTES_MAX)).unwrap_or(kind)
}

/// A body is done with: every row is delivered or rejected.
#[derive(Debug)]
pub struct Settled {
    /// Which batch.
    pub provenance: Arc<Provenance>,
    /// Rows that the destination has, durably.
    pub delivered: u32,
    /// Rows among the delivered that it had already, under the same id.
    pub repeated: u32,
    /// Rows that it refused for good, with the encoded row where the sink still has it.
    pub rejected: Vec<(Rejection, Option<Bytes>)>,
    /// Memory given back, in bytes.
    pub bytes: usize,
}

impl Settled {
    /// A body of which every row is delivered, for the first time.
    pub fn whole(body: Body) -> Self {
        Self {
            provenance: body.provenance,
            delivered: body.rows,
            repeated: 0,
            rejected: Vec::new(),
            bytes: body.bytes,
        }
    }
}

/// When a state machine wants to be stepped again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Again,
    /// At this monotonic time at the latest.
    At(Duration),
    /// When something comes in.
    Idle,
    /// Never: closed, and all is settled. Before [`Sink::close`]: the destination went away for good in a way that
    /// is no fault (`aludel … | head`); what is not settled stays so, and the run ends.
    Done,
}

/// The event that a row stands for, as an encoder sees it.
#[derive(Clone, Copy, Debug)]
pub struct EventRef<'a> {
    /// What its id begins with.
    pub ids: &'a IdPrefix,
    /// The message it was made of.
    pub message: &'a Message,
    /// Its stream.
    pub stream: &'a Stream,
}

impl EventRef<'_> {
    /// The event's id; made on demand, since lines of text have none.
    #[inline]
    pub fn id(&self) -> [u8; EVENT_ID_LEN] {
        self.ids.id(self.message.start, self.message.end, self.message.part)
    }
}

/// Turns rows into bodies, on one worker.
pub trait Encoder: Send {
    /// Encodes one row. An error is final: the row goes to the dead letters with this reason.
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String>;
    /// Takes what a stateful detector would count of an event, with the time of the event. Only [`alerts`] does.
    fn observe(&mut self, _time_ns: i64, _seen: &[u8], _event: EventRef<'_>) {}
    /// Ends the batch: hands over what was pushed since the last call, in order. Empty where nothing was.
    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body>;
}

/// What an encoder is told of the pipeline that feeds it.
#[derive(Clone)]
pub struct Shape {
    /// The fields.
    pub layout: Arc<Layout>,
    /// The type of each slot as far as the compiler knows it, by slot number.
    pub types: Arc<[Type]>,
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// The pipeline's tag in event ids.
    pub tag: PipelineTag,
    /// The fields that an event may have where it is sent.
    pub sent: Mask,
}

/// The outside world, for a sink.
#[derive(Clone)]
pub struct World {
    /// Files.
    pub fs: Arc<dyn Fs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Makes connections; the simulation gives its own.
    pub network: Arc<dyn Network>,
    /// Folder for the sink's own durable records.
    pub data_dir: std::path::PathBuf,
    /// Facts that tell this host from others (the data folder's own random id).
    pub host: Arc<[u8]>,
    /// Called, from any thread, when the sink should be stepped again because something came in.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// An HTTP request to one node.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `PUT`.
    pub method: &'static str,
    /// Path and query below the node's URL, such as `/_bulk?filter_path=…`.
    pub path: String,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// After this long without an answer the request counts as failed.
    pub timeout: Duration,
}

/// An HTTP response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// `Retry-After`, as seconds or as a date.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// A connection to one node. Requests are answered in any order; the sink polls for answers.
pub trait Transport: Send {
    /// Starts a request under a ticket of the caller's choice.
    fn start(&mut self, ticket: u64, request: Request);
    /// The next answer, if one has come. An error is the network's: nothing is known of what the node did.
    fn poll(&mut self) -> Option<(u64, Result<Response, String>)>;
}

/// How a sink reaches a node.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// `http://host:9200` or `https://…`, with an optional path prefix.
    pub url: String,
    /// The value of the `Authorization` header, if any. Never shown.
    pub authorization: Option<String>,
    /// PEM file with certificates to trust beside the public roots.
    pub ca_file: Option<String>,
}

/// How mail is protected on its way to a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: for a relay on this machine.
    None,
    /// By STARTTLS, which must be there (RFC 3207).
    StartTls,
    /// From the start (RFC 8314).
    Tls,
}

/// How a sink reaches a mail relay.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Its name, which its certificate must hold.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How messages are protected.
    pub encryption: Encryption,
    /// User name and password. Never shown.
    pub login: Option<(String, String)>,
    /// PEM file with certificates to trust beside the public ones.
    pub ca_file: Option<String>,
}

/// Makes transports.
pub trait Network: Send + Sync {
    /// A transport to one node. `wake` is called when an answer has come.
    fn connect(
        &self,
        endpoint: &Endpoint,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Transport>, String>;

    /// A way to a mail relay, whose requests are messages: `from` and `to` as headers, and the message as body. `wake` is
    /// called when an answer has come.
    fn mail(&self, relay: &Relay, _wake: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Err(format!("{} cannot be reached from here: there is no mail", relay.host))
    }

    /// How Kafka is reached; `None` where it is not.
    fn kafka(&self) -> Option<&dyn Brokers> {
        None
    }

    /// An object store. `wake` is called when an answer has come.
    fn objects(
        &self,
        place: &s3::Place,
        _wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Objects>, String> {
        Err(format!("{place} cannot be reached from here: there are no object stores"))
    }
}

/// A sink as it runs.
pub trait Sink: Send {
    /// For an ordered sink, once and before the first body: the number of the batch that comes first. 0 where it
    /// is not called.
    fn begin(&mut self, _first_batch: u64) {}
    /// Takes a body. The runner keeps within the budget; a sink never refuses.
    fn offer(&mut self, body: Body, now: Duration);
    /// Does what can be done now and appends what has settled.
    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next;
    /// Bytes of offered bodies that the sink no longer holds though they are not settled yet (an archive that
    /// has written rows out and waits for its epoch), since the last call. What is given back here must not be
    /// given back again by [`Settled::bytes`].
    fn released(&mut self) -> usize {
        0
    }
    /// No more bodies will come: finish what is open. Step until [`Next::Done`].
    fn close(&mut self);
    /// All that there is from elsewhere has come, and only what this run wrote down itself may: what waits for its turn
    /// need not. True when all that follows from it is written; else asked again after the next step. A sink that is
    /// closed without this word will go on in the next run.
    fn conclude(&mut self) -> bool {
        true
    }
    /// Fields that were set aside since the last call, since the destination could not take them, with the number of
    /// rows: as `DESTINATION FIELD`.
    fn set_aside(&mut self) -> Vec<(String, u64)> {
        Vec::new()
    }
    /// What the rules of detectors have done by now, each with its name; nothing where that is as it was at the last call.
    fn rules(&mut self) -> Vec<(String, RuleCounts)> {
        Vec::new()
    }
    /// What people should know once, since the last call: things that were done in another way than they may expect.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// One line for people: what it is doing or waiting for; `None` when all is well.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// What a rule that keeps state has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// Alerts raised.
    pub alerts: u64,
    /// Observations that came too late to count.
    pub late: u64,
    /// Observations that came when later ones had been counted.
    pub behind: u64,
    /// Observations that found no place: of keys beyond those that a rule can watch.
    pub overflowed: u64,
    /// Keys that were known and forgotten to make room.
    pub forgotten: u64,
    /// What its state takes.
    pub bytes: u64,
}

/// Why a sink, and so a run, cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Somebody must see to it.
    #[error("{0}")]
    Wrong(String),
    /// What must be asked before the first row cannot be reached; that may pass, so it is to be tried again.
    #[error("{0}")]
    NotYet(String),
}

impl OpenError {
    /// The same with words in front.
    pub fn of(self, what: &str) -> Self {
        match self {
            Self::Wrong(why) => Self::Wrong(format!("{what}: {why}")),
            Self::NotYet(why) => Self::NotYet(format!("{what}: {why}")),
        }
    }
}

impl From<String> for OpenError {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// What a sink would write, for replays: without a disk, a network and a clock.
pub trait Rehearsal {
    /// Takes the body of a batch, in order.
    fn offer(&mut self, body: &Body);
    /// Nothing more comes: the lines that it would have written.
    fn end(&mut self) -> Vec<Vec<u8>>;
}

/// A sink that was checked and can be opened.
pub trait SinkPlan: Send + Sync {
    /// An encoder for rows of a pipeline.
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String>;
    /// Opens the sink. Also says what it had settled by its own records (an archive's committed epochs).
    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError>;
    /// Whether rows must come out in the order in which they were read, although several workers encode. Then the
    /// runner keeps to this: batch numbers count up by one, from [`Sink::begin`]; every batch is offered as exactly
    /// one body ([`Body::joined`]), one without rows where there is nothing for this sink; and the budget always
    /// has room for the lowest batch that is still to come, since the sink holds all later ones until then.
    fn ordered(&self) -> bool {
        false
    }
    /// Whether all bodies of a batch must come as one ([`Body::joined`]), since the sink keeps its own record of
    /// what is settled: one that knows of a batch only by halves would take the first for the whole.
    fn joined(&self) -> bool {
        self.ordered()
    }
    /// For a sink that writes something else than the events that it gets: what that would be, in a replay.
    fn rehearse(&self) -> Option<Box<dyn Rehearsal>> {
        None
    }
    /// What is promised: `effectively once`, `at least once` …, and under which condition.
    fn guarantee(&self) -> &'static str;
    /// One line for people: where it writes.
    fn place(&self) -> String;
}

/// Makes a plan of a sink from its name in the file and its options.
pub type MakeSink = fn(name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String>;

/// A kind of sink, as the catalog lists it.
#[derive(Clone, Copy)]
pub struct SinkKind {
    /// What it says of itself.
    pub signature: &'static Signature,
    /// Checks options that the signature cannot (a URL, a folder). `name` is the sink's name in the file.
    pub plan: MakeSink,
}
