//! The sink as a state machine: bodies in, requests out, answers back, settled bodies out.
//!
//! Holds what was offered and no more: rows that must go again are copied out of their body, and the body is let
//! go. Nothing is ever given up: a row leaves as delivered or as rejected by Elasticsearch itself. Sees no
//! socket and no clock.
//!
//! What is sent first is in this file, what an answer means in [`respond`](super::respond), what is asked beside the
//! rows (backing indices, mappings, rows in doubt) in [`ask`](super::ask).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::answer;
use super::ask::Target;
use super::buffer::Buffers;
use super::doubt::{Doubt, Look};
use super::fields::Fields;
use super::names::Names;
use super::node::{Node, pick};
use super::parcel::Parcel;
use super::records::Records;
use super::suspect::mapping_request;
use super::tasks::{self, Tasks};
use crate::seam::{Clock, HashMap};
use crate::sink::wait::{Random, Wait};
use crate::sink::{Body, Next, Payload, Provenance, Rejection, Request, Settled, Sink};

/// What the sink is told by its options.
#[derive(Clone, Debug)]
pub(super) struct Shipping {
    pub(super) gzip: bool,
    pub(super) concurrency: usize,
    pub(super) timeout: Duration,
}

/// A body of which not every row has settled.
pub(super) struct Open {
    provenance: Arc<Provenance>,
    bytes: usize,
    /// Parcels that its rows are in.
    pub(super) parcels: u32,
    pub(super) delivered: u32,
    pub(super) repeated: u32,
    pub(super) rejected: Vec<(Rejection, Option<Bytes>)>,
}

/// What a request is for.
pub(super) enum Errand {
    /// Rows to be created.
    Rows(Parcel),
    /// Rows in doubt.
    Look(Box<Look>),
    /// The backing indices of a data stream.
    Resolve(Arc<str>),
    /// The mapping of a data stream, by its write index if it has one.
    Mapping(Arc<str>, Option<Arc<str>>),
    /// Which requests are at work.
    Tasks,
}

/// A request that was not answered yet.
pub(super) struct Flight {
    ticket: u64,
    pub(super) node: usize,
    pub(super) errand: Errand,
    pub(super) sent: Duration,
    /// By which the server tells of it.
    number: u32,
}

/// The sink.
pub(super) struct Shipper {
    pub(super) options: Shipping,
    pub(super) buffers: Buffers,
    pub(super) nodes: Vec<Node>,
    turn: usize,
    pub(super) random: Random,
    pub(super) bodies: BTreeMap<u64, Open>,
    pub(super) ready: VecDeque<Parcel>,
    /// Rows in doubt that wait for the backing indices of their data streams.
    pub(super) doubtful: VecDeque<Box<Look>>,
    /// Requests that come before rows.
    pub(super) asks: VecDeque<Errand>,
    /// Errands that wait, by the time until which they do.
    later: BTreeMap<(Duration, u64), Errand>,
    /// Why the last of them waits.
    waits_for: String,
    pub(super) flights: Vec<Flight>,
    /// Set while the cluster refuses everything: then one request at a time asks whether it still does.
    pub(super) hold: Option<Wait>,
    /// Requests in flight at once, at present: halved when the cluster is too busy, slowly raised again.
    limit: usize,
    good: usize,
    /// When it was last halved: requests from before that say nothing new.
    slowed: Duration,
    /// Counts bodies, tickets and waits.
    count: u64,
    closed: bool,
    settled: Vec<Settled>,

    pub(super) clock: Arc<dyn Clock>,
    pub(super) records: Records,
    /// Bodies whose ranges are not reserved yet.
    unreserved: Vec<Arc<Provenance>>,
    /// Set while the records cannot be written: nothing is sent that is not in them.
    fault: Option<Wait>,
    names: Names,
    names_seen: usize,
    pub(super) targets: HashMap<Arc<str>, Target>,
    pub(super) tasks: Tasks,
    /// Fields that pipelines send, shared with what makes the encoders.
    shared_fields: Arc<Mutex<Fields>>,
    /// Whether any field of any data stream is suspected not to fit.
    pub(super) suspecting: bool,
    /// Rows in which a field was set aside, by data stream and field; taken by [`Sink::set_aside`].
    pub(super) set_aside: BTreeMap<String, u64>,
    /// Data streams of which nothing is known yet.
    pub(super) unlearned: usize,
    /// Set where the cluster does not let us look anything up: the reason.
    pub(super) blind: Option<String>,
    opened: Duration,
    pub(super) warnings: Vec<String>,
}

impl Shipper {
    pub(super) fn new(
        options: Shipping,
        buffers: Buffers,
        nodes: Vec<Node>,
        random: Random,
        (records, warnings): (Records, Vec<String>),
        (names, shared_fields): (Names, Arc<Mutex<Fields>>),
        (clock, tasks): (Arc<dyn Clock>, Tasks),
    ) -> Self {
        Self {
            limit: options.concurrency,
            options,
            buffers,
            nodes,
            turn: 0,
            random,
            bodies: BTreeMap::new(),
            ready: VecDeque::new(),
            doubtful: VecDeque::new(),
            asks: VecDeque::new(),
            later: BTreeMap::new(),
            waits_for: String::new(),
            flights: Vec::new(),
            hold: None,
            good: 0,
            slowed: Duration::ZERO,
            count: 0,
            closed: false,
            settled: Vec::new(),
            records,
            unreserved: Vec::new(),
            fault: None,
            names,
            names_seen: 0,
            targets: HashMap::default(),
            tasks,
            shared_fields,
            suspecting: false,
            set_aside: BTreeMap::new(),
            unlearned: 0,
            blind: None,
            opened: clock.monotonic(),
            clock,
            warnings,
        }
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn receive(&mut self, now: Duration) {
        for node in 0..self.nodes.len() {
            while let Some((ticket, result)) = self.nodes.get_mut(node).and_then(|node| node.transport.poll())
            {
                let Some(at) = self.flights.iter().position(|flight| flight.ticket == ticket) else {
                    continue;
                };
                let flight = self.flights.swap_remove(at);
                if let Some(node) = self.nodes.get_mut(flight.node) {
                    node.in_flight -= 1;
                }
                match result {
                    Ok(response) => {
                        match response.status {
                            408 | 500.. => self.tasks.lose(flight.number),
                            _ => self.tasks.give_back(flight.number),
                        }
                        self.respond(flight, &response, now);
                    }
                    Err(reason) => {
                        self.tasks.lose(flight.number);
                        self.unanswered(flight, reason, now);
                    }
                }
            }
        }
    }

    /// A parcel is in one part more.
    pub(super) fn add_parcel(&mut self, body: u64) {
        if let Some(open) = self.bodies.get_mut(&body) {
            open.parcels += 1;
        }
    }

    /// A parcel is through: its rows are settled or in other parcels.
    pub(super) fn done(&mut self, parcel: Parcel, delivered: u32, repeated: u32) {
        self.buffers.recover(parcel.payload);
        let Some(open) = self.bodies.get_mut(&parcel.body) else { return };
        open.delivered += delivered;
        open.repeated += repeated;
        open.parcels -= 1;
        if open.parcels == 0
            && let Some(open) = self.bodies.remove(&parcel.body)
        {
            self.settled.push(Settled {
                provenance: open.provenance,
                delivered: open.delivered,
                repeated: open.repeated,
                rejected: open.rejected,
                bytes: open.bytes,
            });
        }
    }

    /// Puts a parcel back after a failed try.
    pub(super) fn wait(
        &mut self,
        mut parcel: Parcel,
        reason: String,
        asked: Option<Duration>,
        now: Duration,
    ) {
        let pause = self.random.pause_asked(parcel.tries, asked);
        parcel.tries += 1;
        self.waits_for = reason;
        self.put_off(Errand::Rows(parcel), now + pause);
    }

    /// Puts an errand off until a time.
    pub(super) fn put_off(&mut self, errand: Errand, until: Duration) {
        let number = self.number();
        self.later.insert((until, number), errand);
    }

    /// Says why errands are put off.
    pub(super) fn put_off_because(&mut self, reason: String) {
        self.waits_for = reason;
    }

    /// Puts an errand back to where it is taken from next.
    pub(super) fn put_back(&mut self, errand: Errand) {
        match errand {
            Errand::Rows(parcel) => match parcel.doubt {
                Some(doubt) => self.look_up(parcel, doubt),
                None => self.ready.push_front(parcel),
            },
            errand => self.asks.push_front(errand),
        }
    }

    pub(super) fn leave_alone(
        &mut self,
        node: usize,
        reason: String,
        asked: Option<Duration>,
        now: Duration,
    ) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.wait = Some(Wait::after(node.wait.take(), reason, asked, now, &mut self.random));
        }
    }

    /// One request more at once, after as many good answers as there may be requests (AIMD).
    pub(super) fn speed_up(&mut self) {
        self.good += 1;
        if self.good >= self.limit && self.limit < self.options.concurrency {
            self.limit += 1;
            self.good = 0;
        }
    }

    /// Half as many requests at once, since the cluster was too busy for one that was sent at `sent`.
    pub(super) fn slow_down(&mut self, sent: Duration, now: Duration) {
        if sent >= self.slowed {
            self.limit = (self.limit / 2).max(1);
            self.slowed = now;
        }
        self.good = 0;
    }

    /// Makes durable what must be before anything is sent. False where that cannot be done now.
    pub(super) fn record(&mut self, now: Duration) -> bool {
        if self.fault.as_ref().is_some_and(|fault| now < fault.until) {
            return false;
        }
        for provenance in self.unreserved.drain(..) {
            self.records.reserve(&provenance, now);
        }
        match self.records.commit() {
            Ok(()) => self.fault = None,
            Err(error) => {
                let reason = error.to_string();
                self.fault = Some(Wait::after(self.fault.take(), reason, None, now, &mut self.random));
            }
        }
        self.fault.is_none()
    }

    /// Takes in the data streams that were named since the last call.
    fn learn(&mut self) {
        for name in self.names.since(self.names_seen) {
            self.names_seen += 1;
            let blind = self.blind.is_some();
            self.targets.insert(Arc::clone(&name), Target::new(blind));
            if !blind {
                self.unlearned += 1;
                self.resolve(&name);
            }
        }
    }

    /// The fields that pipelines send.
    pub(super) fn fields(&self) -> Fields {
        self.shared_fields.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&mut self, now: Duration) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            match entry.remove() {
                Errand::Rows(parcel) if parcel.doubt.is_none() => self.ready.push_back(parcel),
                errand => self.put_back(errand),
            }
        }
        if !self.record(now) {
            return;
        }
        self.learn();
        let limit = match &self.hold {
            Some(hold) if now < hold.until => 0,
            Some(_) => 1,
            None => self.limit,
        };
        while self.flights.len() < limit {
            let Some(mut errand) = self.next_errand(now) else { return };
            let Some(node) = pick(&self.nodes, &mut self.turn, now) else { return self.put_back(errand) };
            let Some(mut request) = self.request(&mut errand) else {
                self.looked_up(errand);
                continue;
            };
            let (ticket, number) = (self.number(), self.tasks.take());
            request.headers.push(("x-opaque-id", self.tasks.id(number)));
            if let Some(node) = self.nodes.get_mut(node) {
                node.in_flight += 1;
                node.transport.start(ticket, request);
            }
            self.flights.push(Flight { ticket, node, errand, sent: now, number });
        }
    }

    fn next_errand(&mut self, now: Duration) -> Option<Errand> {
        self.look(now);
        if let Some(errand) = self.asks.pop_front() {
            return Some(errand);
        }
        // What cannot be found again after a crash is not sent.
        if self.unlearned > 0 || self.fault.is_some() {
            return None;
        }
        while let Some(parcel) = self.ready.pop_front() {
            match self.is_stale(&parcel, now) {
                Some(doubt) if self.blind.is_none() => self.look_up(parcel, doubt),
                _ => return Some(Errand::Rows(self.fit(parcel))),
            }
        }
        self.look(now);
        self.asks.pop_front()
    }

    /// The request of an errand; `None` where nothing is left to ask.
    fn request(&self, errand: &mut Errand) -> Option<Request> {
        let json = |method, path, body: Vec<u8>| Request {
            method,
            path,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
            timeout: self.options.timeout,
        };
        match errand {
            Errand::Rows(parcel) => Some(self.bulk(parcel)),
            Errand::Look(look) => look.request().map(|(path, body)| json("POST", path, body)),
            Errand::Resolve(stream) => Some(json("GET", super::ask::resolve_path(stream), Vec::new())),
            Errand::Mapping(stream, index) => {
                let (method, path) = mapping_request(stream, index.as_deref());
                Some(json(method, path, Vec::new()))
            }
            Errand::Tasks => Some(json("GET", tasks::PATH.to_owned(), Vec::new())),
        }
    }

    fn bulk(&self, parcel: &Parcel) -> Request {
        let mut headers = vec![("content-type", "application/x-ndjson".to_owned())];
        if self.options.gzip {
            headers.push(("content-encoding", "gzip".to_owned()));
        }
        // The server gives up waiting (for a shard, for a mapping) well before we do: a request that we no longer
        // wait for should not be at work any more.
        let timeout = self.options.timeout;
        let path = format!("{}&timeout={}ms", answer::PATH, (timeout / 2).as_millis().max(1));
        Request { method: "POST", path, headers, body: parcel.payload.clone(), timeout }
    }

    /// When something can be done without an answer coming in.
    fn next(&self, now: Duration) -> Next {
        if self.closed && self.bodies.is_empty() {
            return Next::Done;
        }
        let mut times: Vec<Duration> = Vec::new();
        times.extend(self.later.keys().next().map(|(until, _)| *until));
        times.extend(self.fault.as_ref().map(|fault| fault.until));
        if !self.ready.is_empty() || !self.asks.is_empty() {
            times.extend(self.hold.as_ref().map(|hold| hold.until));
            times.extend(self.nodes.iter().filter_map(|node| node.wait.as_ref()).map(|wait| wait.until));
        }
        // What is due by now waits for an answer to a request in flight, which will wake the sink.
        times.into_iter().filter(|until| *until > now).min().map_or(Next::Idle, Next::At)
    }
}

impl Sink for Shipper {
    fn offer(&mut self, body: Body, _now: Duration) {
        let number = self.number();
        let open = Open {
            provenance: body.provenance,
            bytes: body.bytes,
            parcels: 1,
            delivered: 0,
            repeated: 0,
            rejected: Vec::new(),
        };
        let in_doubt = self.records.may_have_sent(&open.provenance);
        self.unreserved.push(Arc::clone(&open.provenance));
        self.bodies.insert(number, open);
        let payload = match body.payload {
            Payload::Bytes(payload) => payload,
            // Not made by this sink's encoder; every row is missing its bytes.
            Payload::Columns(_) => Bytes::new(),
        };
        let parcel = Parcel::whole(number, payload, body.row_ends, self.options.gzip);
        if parcel.len() == 0 {
            self.done(parcel, body.rows, 0);
        } else if in_doubt {
            self.look_up(parcel, Doubt { since: self.opened, sent: self.opened });
        } else {
            self.ready.push_back(parcel);
        }
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        self.receive(now);
        self.send(now);
        settled.append(&mut self.settled);
        self.next(now)
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn set_aside(&mut self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.set_aside).into_iter().collect()
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn trouble(&self) -> Option<String> {
        if let Some(fault) = &self.fault {
            return Some(format!(
                "nothing is sent while it cannot be noted in the data folder: {}",
                fault.reason
            ));
        }
        if let Some(hold) = &self.hold {
            return Some(format!(
                "elasticsearch refuses every request, and nothing is sent until it does not: {}",
                hold.reason
            ));
        }
        let mut waiting = self.nodes.iter().filter_map(|node| Some((node, node.wait.as_ref()?)));
        if let Some((node, wait)) = waiting.next() {
            return Some(format!("{} is left alone for a while: {}", node.url, wait.reason));
        }
        (!self.later.is_empty()).then(|| format!("{}; they are sent again", self.waits_for))
    }
}
