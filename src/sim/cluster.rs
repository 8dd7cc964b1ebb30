//! An Elasticsearch cluster as far as aludel's requests go, and the wires to it: nodes that die, answers that are
//! lost, refusals of all kinds. It outlives the process.
//!
//! Documents are kept by data stream and id with the marks of the lines in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::alerts;
use super::read_back::Row;
use super::token;
use super::trace::Trace;
use crate::seam::Clock;
use crate::seam::sim::{Dice, Life, SimClock};
use crate::sink::{Endpoint, Network, Request, Response, Transport};

/// How often requests go wrong: once in so many, 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClusterRates {
    /// A request meets a fault.
    pub(super) request: u64,
    /// A row is refused for good.
    pub(super) rejected: u64,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Marks of the lines in it, in order.
    pub(super) marks: Vec<u32>,
    /// Its id, where it is an alert.
    pub(super) alert: Option<String>,
}

/// An answer on its way.
struct Answer {
    at: Duration,
    wire: u64,
    ticket: u64,
    result: Result<Response, String>,
}

struct State {
    clock: Arc<SimClock>,
    dice: Dice,
    trace: Arc<Mutex<Trace>>,
    rates: ClusterRates,
    /// The number of each node's cluster.
    clusters: HashMap<String, usize>,
    /// Documents by cluster, data stream and id.
    documents: BTreeMap<(usize, String, String), Document>,
    /// What contradicts what Elasticsearch was promised.
    wrong: Vec<String>,
    /// Rows that are refused for good whenever they come.
    refused: BTreeSet<String>,
    /// Nodes that do not answer until then.
    dead: HashMap<String, Duration>,
    answers: Vec<Answer>,
    wires: u64,
    rows: u64,
    conflicts: u64,
}

/// The cluster; clones share it.
#[derive(Clone)]
pub(super) struct Cluster(Arc<Mutex<State>>);

/// What a fault does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Status(u16),
    Items(u16),
    TooLarge,
    ResetBefore,
    ResetAfter,
    Half,
    Silent,
    SilentAfter,
    NodeDies,
    Short,
}

impl Fault {
    fn roll(dice: &mut Dice) -> Self {
        match dice.below(12) {
            0 => Self::Status(429),
            1 => Self::Status(503),
            2 => Self::Items(429),
            3 => Self::Items(503),
            4 => Self::TooLarge,
            5 => Self::ResetBefore,
            6 => Self::ResetAfter,
            7 => Self::Half,
            8 => Self::Silent,
            9 => Self::SilentAfter,
            10 => Self::NodeDies,
            _ => Self::Short,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Status(429) => "429",
            Self::Status(_) => "5xx",
            Self::Items(429) => "429 for some rows",
            Self::Items(_) => "5xx for some rows",
            Self::TooLarge => "413",
            Self::ResetBefore => "reset before the request was taken",
            Self::ResetAfter => "reset after the request was taken",
            Self::Half => "half an answer",
            Self::Silent => "silent timeout, nothing taken",
            Self::SilentAfter => "silent timeout, all taken",
            Self::NodeDies => "dead node",
            Self::Short => "an answer one row short",
        }
    }
}

impl Cluster {
    /// Empty clusters. Each list of nodes is what one sink names; two that share a node are the same cluster.
    pub(super) fn new(
        seed: u64,
        clock: Arc<SimClock>,
        trace: Arc<Mutex<Trace>>,
        nodes: &[&[String]],
    ) -> Self {
        let mut clusters = HashMap::new();
        for (number, nodes) in nodes.iter().enumerate() {
            let number = nodes.iter().find_map(|node| clusters.get(node).copied()).unwrap_or(number);
            clusters.extend(nodes.iter().map(|node| (node.clone(), number)));
        }
        Self(Arc::new(Mutex::new(State {
            clock,
            dice: Dice::new(seed ^ 0xc105_7e12),
            trace,
            rates: ClusterRates::default(),
            clusters,
            documents: BTreeMap::new(),
            wrong: Vec::new(),
            refused: BTreeSet::new(),
            dead: HashMap::new(),
            answers: Vec::new(),
            wires: 0,
            rows: 0,
            conflicts: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often requests go wrong from now on. With no faults, dead nodes come back.
    pub(super) fn set_rates(&self, rates: ClusterRates) {
        let mut state = self.state();
        state.rates = rates;
        if rates == ClusterRates::default() {
            state.dead.clear();
        }
    }

    /// The network as one life of the process sees it.
    pub(super) fn network(&self, life: Arc<Life>) -> Arc<dyn Network> {
        Arc::new(Net(self.clone(), life))
    }

    /// All documents of the cluster with these nodes.
    pub(super) fn rows(&self, nodes: &[String]) -> Vec<Row> {
        let state = self.state();
        let number = nodes.first().and_then(|node| state.clusters.get(node)).copied();
        let of = state.documents.iter().filter(|((cluster, ..), _)| Some(*cluster) == number);
        of.map(|((_, index, id), document)| Row {
            id: Some(id.clone()),
            place: index.clone(),
            marks: document.marks.clone(),
            torn: false,
            alert: document.alert.clone(),
        })
        .collect()
    }

    /// What contradicts what Elasticsearch was promised.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    /// When the next answer comes.
    pub(super) fn next_answer(&self) -> Option<Duration> {
        self.state().answers.iter().map(|answer| answer.at).min()
    }

    /// Rows that came, and those that were there already.
    pub(super) fn counts(&self) -> (u64, u64) {
        let state = self.state();
        (state.rows, state.conflicts)
    }
}

struct Net(Cluster, Arc<Life>);

impl Network for Net {
    fn connect(
        &self,
        endpoint: &Endpoint,
        _: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Transport>, String> {
        let mut state = self.0.state();
        state.wires += 1;
        let number = state.wires;
        drop(state);
        Ok(Box::new(Wire {
            cluster: self.0.clone(),
            life: self.1.clone(),
            number,
            url: endpoint.url.clone(),
        }))
    }
}

struct Wire {
    cluster: Cluster,
    life: Arc<Life>,
    number: u64,
    url: String,
}

impl Drop for Wire {
    fn drop(&mut self) {
        let number = self.number;
        self.cluster.state().answers.retain(|answer| answer.wire != number);
    }
}

impl Transport for Wire {
    fn start(&mut self, ticket: u64, request: Request) {
        // A process that died in the middle of its step sends nothing.
        if self.life.is_over() {
            return;
        }
        let mut state = self.cluster.state();
        let now = state.clock.monotonic();
        let (delay, result) = state.serve(&self.url, &request, now);
        let answer = Answer { at: now + delay, wire: self.number, ticket, result };
        state.answers.push(answer);
    }

    fn poll(&mut self) -> Option<(u64, Result<Response, String>)> {
        let mut state = self.cluster.state();
        let now = state.clock.monotonic();
        let at = state.answers.iter().position(|answer| answer.wire == self.number && answer.at <= now)?;
        let answer = state.answers.swap_remove(at);
        Some((answer.ticket, answer.result))
    }
}

impl State {
    fn serve(&mut self, url: &str, request: &Request, now: Duration) -> (Duration, Result<Response, String>) {
        let soon = Duration::from_micros(500 + self.dice.below(40_000));
        if self.dead.get(url).is_some_and(|until| *until > now) {
            return (soon, Err("connection refused".to_owned()));
        }
        let fault = (self.rates.request > 0 && self.dice.one_in(self.rates.request))
            .then(|| Fault::roll(&mut self.dice));
        if let Some(fault) = fault {
            let (url, path) = (url.to_owned(), request.path.clone());
            self.trace().fault(now, fault.kind(), || format!("{} {path} at {url}", request.method));
        }
        match fault {
            Some(Fault::Status(status)) => {
                let retry_after = self.dice.one_in(3).then(|| Duration::from_secs(1 + self.dice.below(3)));
                let body = Bytes::from_static(b"{\"error\":{\"type\":\"es_rejected_execution_exception\"}}");
                return (soon, Ok(Response { status, retry_after, body }));
            }
            Some(Fault::ResetBefore) => return (soon, Err("connection reset".to_owned())),
            Some(Fault::Silent) => return (request.timeout, Err("timed out".to_owned())),
            Some(Fault::NodeDies) => {
                let until = now + Duration::from_millis(500 + self.dice.below(8000));
                self.dead.insert(url.to_owned(), until);
                return (soon, Err("connection reset".to_owned()));
            }
            _ => {}
        }
        let response = self.take(url, request, fault);
        match fault {
            Some(Fault::ResetAfter) => (soon, Err("connection reset".to_owned())),
            Some(Fault::SilentAfter) => (request.timeout, Err("timed out".to_owned())),
            Some(Fault::Half) => {
                let half = response.body.slice(..response.body.len() / 2);
                (soon, Ok(Response { body: half, ..response }))
            }
            _ => (soon, Ok(response)),
        }
    }

    fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the cluster does with a request that reaches it whole.
    fn take(&mut self, url: &str, request: &Request, fault: Option<Fault>) -> Response {
        let path = request.path.split('?').next().unwrap_or_default();
        let body = match plain(request) {
            Ok(body) => body,
            Err(error) => return self.refuse(format!("the body cannot be unpacked: {error}")),
        };
        match (request.method, path) {
            ("POST" | "PUT", "/_bulk") => {
                let cluster = self.clusters.get(url).copied().unwrap_or_default();
                self.bulk(cluster, &body, fault)
            }
            _ => answer(404, "{\"error\":{\"type\":\"resource_not_found_exception\"},\"status\":404}".into()),
        }
    }

    fn refuse(&mut self, why: String) -> Response {
        self.wrong.push(why);
        answer(400, "{\"error\":{\"type\":\"illegal_argument_exception\"},\"status\":400}".into())
    }

    fn bulk(&mut self, cluster: usize, body: &[u8], fault: Option<Fault>) -> Response {
        let rows = match rows(body) {
            Ok(rows) => rows,
            Err(error) => return self.refuse(format!("not a bulk request: {error}")),
        };
        if fault == Some(Fault::TooLarge) && rows.len() > 1 {
            return answer(413, String::new());
        }
        let every = 1 + self.dice.below(4) as usize;
        let (mut items, mut errors) = (Vec::with_capacity(rows.len()), false);
        for (at, row) in rows.into_iter().enumerate() {
            let item = match fault {
                Some(Fault::Items(status)) if at % every == 0 => (status, Some("as_told_exception")),
                _ => self.create(cluster, row),
            };
            errors |= item.1.is_some();
            items.push(item);
        }
        if fault == Some(Fault::Short) {
            items.pop();
        }
        let item = |(status, error): (u16, Option<&str>)| {
            let error = error.map_or_else(String::new, |kind| {
                format!(",\"error\":{{\"type\":\"{kind}\",\"reason\":\"as told\"}}")
            });
            format!("{{\"create\":{{\"status\":{status}{error}}}}}")
        };
        let items: Vec<_> = items.into_iter().map(item).collect();
        answer(200, format!("{{\"errors\":{errors},\"items\":[{}]}}", items.join(",")))
    }

    /// Creates a document, unless its id is taken.
    fn create(&mut self, cluster: usize, row: Created) -> (u16, Option<&'static str>) {
        self.rows += 1;
        let key = (cluster, row.index, row.id);
        if let Some(known) = self.documents.get(&key) {
            self.conflicts += 1;
            if known.marks != row.marks {
                let (_, index, id) = &key;
                let wrong = format!(
                    "{index}: the document {id} came again with other lines: first {:?}, then {:?}",
                    known.marks, row.marks
                );
                self.wrong.push(wrong);
            }
            return (409, Some("version_conflict_engine_exception"));
        }
        // What a mapping refuses it refuses whenever it comes.
        let is_refused = self.refused.contains(&key.2)
            || (self.rates.rejected > 0 && self.dice.one_in(self.rates.rejected));
        if is_refused {
            if self.refused.insert(key.2.clone()) {
                let now = self.clock.monotonic();
                self.trace().fault(now, "a row refused for good", || format!("{} {:?}", key.2, row.marks));
            }
            return (400, Some("document_parsing_exception"));
        }
        self.documents.insert(key, Document { marks: row.marks, alert: row.alert });
        (201, None)
    }
}

fn answer(status: u16, body: String) -> Response {
    Response { status, retry_after: None, body: Bytes::from(body) }
}

fn plain(request: &Request) -> std::io::Result<Bytes> {
    if !request.headers.iter().any(|(name, value)| *name == "content-encoding" && value == "gzip") {
        return Ok(request.body.clone());
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut plain)?;
    Ok(plain.into())
}

/// One row of a bulk request.
struct Created {
    index: String,
    id: String,
    marks: Vec<u32>,
    alert: Option<String>,
}

#[derive(serde::Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    create: Target<'a>,
}

#[derive(serde::Deserialize)]
struct Target<'a> {
    #[serde(rename = "_index", borrow)]
    index: std::borrow::Cow<'a, str>,
    #[serde(rename = "_id", borrow)]
    id: std::borrow::Cow<'a, str>,
}

/// The rows of a bulk request: nothing but whole pairs of an action and a document, each JSON on one line.
fn rows(body: &[u8]) -> Result<Vec<Created>, String> {
    if !body.is_empty() && !body.ends_with(b"\n") {
        return Err("the last line is not ended".to_owned());
    }
    let mut lines = body.split(|byte| *byte == b'\n');
    let mut rows = Vec::new();
    while let Some(action) = lines.next().filter(|line| !line.is_empty()) {
        let action: Action<'_> =
            serde_json::from_slice(action).map_err(|error| format!("an action is not one: {error}"))?;
        let document = lines.next().unwrap_or_default();
        let _: &RawValue =
            serde_json::from_slice(document).map_err(|error| format!("a document is not JSON: {error}"))?;
        let alert = alerts::of_document(document);
        rows.push(Created {
            index: action.create.index.into_owned(),
            id: action.create.id.into_owned(),
            marks: if alert.is_some() { Vec::new() } else { token::all(document) },
            alert,
        });
    }
    Ok(rows)
}
