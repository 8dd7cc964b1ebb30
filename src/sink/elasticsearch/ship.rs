//! The sink as a state machine: bodies in, requests out, answers back, settled bodies out.
//!
//! Holds what was offered and no more: rows that must go again are copied out of their body, and the body is let
//! go. Nothing is ever given up: a row leaves as delivered or as rejected by Elasticsearch itself. Sees no
//! socket and no clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::answer::{self, Answer, Fate, clip};
use super::buffer::Buffers;
use super::encode::event_id;
use super::node::{Node, Random, Wait, pick};
use super::parcel::Parcel;
use crate::sink::{Body, Next, Payload, Provenance, Rejection, Request, Response, Settled, Sink};

/// What the sink is told by its options.
#[derive(Clone, Debug)]
pub(super) struct Shipping {
    pub(super) gzip: bool,
    pub(super) concurrency: usize,
    pub(super) timeout: Duration,
}

/// A body of which not every row has settled.
struct Open {
    provenance: Arc<Provenance>,
    bytes: usize,
    /// Parcels that its rows are in.
    parcels: u32,
    delivered: u32,
    repeated: u32,
    rejected: Vec<(Rejection, Option<Bytes>)>,
}

/// A request that was not answered yet.
struct Flight {
    ticket: u64,
    node: usize,
    parcel: Parcel,
}

/// The sink.
pub(super) struct Shipper {
    options: Shipping,
    buffers: Buffers,
    nodes: Vec<Node>,
    turn: usize,
    random: Random,
    bodies: BTreeMap<u64, Open>,
    ready: VecDeque<Parcel>,
    /// Parcels that wait, by the time until which they do.
    later: BTreeMap<(Duration, u64), Parcel>,
    /// Why the last of them waits.
    waits_for: String,
    flights: Vec<Flight>,
    /// Set while the cluster refuses everything: then one request at a time asks whether it still does.
    hold: Option<Wait>,
    /// Requests in flight at once, at present: halved when the cluster is too busy, slowly raised again.
    limit: usize,
    good: usize,
    /// Counts bodies, tickets and waits.
    count: u64,
    closed: bool,
    settled: Vec<Settled>,
}

impl Shipper {
    pub(super) fn new(options: Shipping, buffers: Buffers, nodes: Vec<Node>, seed: u64) -> Self {
        Self {
            limit: options.concurrency,
            options,
            buffers,
            nodes,
            turn: 0,
            random: Random::new(seed),
            bodies: BTreeMap::new(),
            ready: VecDeque::new(),
            later: BTreeMap::new(),
            waits_for: String::new(),
            flights: Vec::new(),
            hold: None,
            good: 0,
            count: 0,
            closed: false,
            settled: Vec::new(),
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
                    Ok(response) => self.respond(flight, &response, now),
                    Err(reason) => {
                        self.leave_alone(flight.node, reason, None, now);
                        self.ready.push_front(flight.parcel);
                    }
                }
            }
        }
    }

    /// Decides by the status of a response; those of single rows are in [`Shipper::take`].
    fn respond(&mut self, flight: Flight, response: &Response, now: Duration) {
        let Flight { node, parcel, .. } = flight;
        let status = response.status;
        let busy = matches!(status, 408 | 429 | 500..);
        if busy {
            if status == 429 {
                self.limit = (self.limit / 2).max(1);
                self.good = 0;
            }
            let reason = format!("it answers {status}: {}", excerpt(&response.body));
            self.leave_alone(node, reason, response.retry_after, now);
            self.ready.push_front(parcel);
            return;
        }
        // A good answer to a request from before the pause says nothing of the node since.
        let over = |wait: &mut Wait| wait.until <= now;
        if let Some(node) = self.nodes.get_mut(node) {
            node.wait.take_if(over);
        }
        if matches!(status, 200..=299 | 400 | 413) {
            self.hold.take_if(over);
        }
        match status {
            200..=299 => match answer::read(&response.body, parcel.len()) {
                Some(answer) => self.take(parcel, answer, response.retry_after, now),
                None => {
                    let reason = format!(
                        "an answer does not fit the request of {} rows: {}",
                        parcel.len(),
                        excerpt(&response.body)
                    );
                    self.wait(parcel, reason, None, now);
                }
            },
            // Too large for the node, or one row that makes the request unreadable: halves find it.
            400 | 413 => self.halve(parcel, status, &response.body, now),
            _ => {
                let reason = format!("status {status}: {}", excerpt(&response.body));
                let before = self.hold.take();
                self.hold = Some(Wait::after(before, reason, response.retry_after, now, &mut self.random));
                self.ready.push_front(parcel);
            }
        }
    }

    /// Takes in what became of each row of a parcel.
    fn take(&mut self, parcel: Parcel, answer: Answer, asked: Option<Duration>, now: Duration) {
        self.speed_up();
        let (mut again, mut reason, mut busy) = (Vec::new(), String::new(), false);
        let (mut repeated, mut rejected) = (0, Vec::new());
        for (at, fate) in answer {
            match fate {
                Fate::Repeated => repeated += 1,
                Fate::Rejected(why) => rejected.push((at, why)),
                Fate::Retry(status, why) => {
                    busy |= status == 429;
                    again.push(at);
                    reason = format!("rows are put off with status {status}: {why}");
                }
                Fate::Forbidden(status, why) => {
                    again.push(at);
                    reason = format!("rows are refused with status {status}: {why}");
                }
            }
        }
        if busy {
            self.limit = (self.limit / 2).max(1);
        }
        if again.len() == parcel.len() {
            self.wait(parcel, reason, asked, now);
            return;
        }
        if !again.is_empty() || !rejected.is_empty() {
            let Some(plain) = parcel.plain() else {
                // Nothing is lost by sending all of it again, under the same ids.
                self.wait(parcel, "a body cannot be read again".into(), asked, now);
                return;
            };
            if !again.is_empty() {
                let rest = parcel.select(&plain, &again, &self.buffers);
                self.add_parcel(parcel.body);
                self.wait(rest, reason, asked, now);
            }
            self.reject(&parcel, &plain, &rejected);
        }
        let delivered = parcel.len() - again.len() - rejected.len();
        self.done(parcel, delivered as u32, repeated);
    }

    /// Sends the halves of a parcel apart; a single row has no halves.
    fn halve(&mut self, parcel: Parcel, status: u16, body: &[u8], now: Duration) {
        let rows: Vec<u32> = (0..parcel.len() as u32).collect();
        if rows.len() < 2 {
            let reason = clip(format!("status {status}: {}", excerpt(body)));
            self.take(parcel, vec![(0, Fate::Rejected(reason))], None, now);
            return;
        }
        let Some(plain) = parcel.plain() else {
            self.wait(parcel, "a body cannot be read again".into(), None, now);
            return;
        };
        let (first, second) = rows.split_at(rows.len() / 2);
        for half in [second, first] {
            self.add_parcel(parcel.body);
            self.ready.push_front(parcel.select(&plain, half, &self.buffers));
        }
        self.done(parcel, 0, 0);
    }

    fn reject(&mut self, parcel: &Parcel, plain: &[u8], rejected: &[(u32, String)]) {
        let Some(open) = self.bodies.get_mut(&parcel.body) else { return };
        open.rejected.extend(rejected.iter().map(|(at, reason)| {
            let row = parcel.slice(plain, *at);
            let rejection = Rejection { row: parcel.row(*at), id: event_id(row), reason: reason.clone() };
            (rejection, Some(Bytes::copy_from_slice(row)))
        }));
    }

    fn add_parcel(&mut self, body: u64) {
        if let Some(open) = self.bodies.get_mut(&body) {
            open.parcels += 1;
        }
    }

    /// A parcel is through: its rows are settled or in other parcels.
    fn done(&mut self, parcel: Parcel, delivered: u32, repeated: u32) {
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

    fn wait(&mut self, mut parcel: Parcel, reason: String, asked: Option<Duration>, now: Duration) {
        let pause = self.random.pause_asked(parcel.tries, asked);
        parcel.tries += 1;
        self.waits_for = reason;
        let number = self.number();
        self.later.insert((now + pause, number), parcel);
    }

    fn leave_alone(&mut self, node: usize, reason: String, asked: Option<Duration>, now: Duration) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.wait = Some(Wait::after(node.wait.take(), reason, asked, now, &mut self.random));
        }
    }

    fn speed_up(&mut self) {
        self.good += 1;
        if self.good >= self.limit && self.limit < self.options.concurrency {
            self.limit += 1;
            self.good = 0;
        }
    }

    fn send(&mut self, now: Duration) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            self.ready.push_back(entry.remove());
        }
        let limit = match &self.hold {
            Some(hold) if now < hold.until => 0,
            Some(_) => 1,
            None => self.limit,
        };
        while self.flights.len() < limit && !self.ready.is_empty() {
            let Some(node) = pick(&self.nodes, &mut self.turn, now) else { return };
            let Some(parcel) = self.ready.pop_front() else { return };
            let ticket = self.number();
            let request = self.request(&parcel);
            if let Some(node) = self.nodes.get_mut(node) {
                node.in_flight += 1;
                node.transport.start(ticket, request);
            }
            self.flights.push(Flight { ticket, node, parcel });
        }
    }

    fn request(&self, parcel: &Parcel) -> Request {
        let mut headers = vec![("content-type", "application/x-ndjson".to_owned())];
        if self.options.gzip {
            headers.push(("content-encoding", "gzip".to_owned()));
        }
        Request {
            method: "POST",
            path: answer::PATH.to_owned(),
            headers,
            body: parcel.payload.clone(),
            timeout: self.options.timeout,
        }
    }

    /// When something can be done without an answer coming in.
    fn next(&self, now: Duration) -> Next {
        if self.closed && self.bodies.is_empty() {
            return Next::Done;
        }
        let mut times: Vec<Duration> = Vec::new();
        times.extend(self.later.keys().next().map(|(until, _)| *until));
        if !self.ready.is_empty() {
            times.extend(self.hold.as_ref().map(|hold| hold.until));
            times.extend(self.nodes.iter().filter_map(|node| node.wait.as_ref()).map(|wait| wait.until));
        }
        // What is due by now waits for an answer to a request in flight, which will wake the sink.
        times.into_iter().filter(|until| *until > now).min().map_or(Next::Idle, Next::At)
    }
}

/// The start of a response, as one line for people.
fn excerpt(body: &[u8]) -> String {
    const EXCERPT_BYTES: usize = 300;
    let text = String::from_utf8_lossy(body.get(..EXCERPT_BYTES).unwrap_or(body));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
        self.bodies.insert(number, open);
        let payload = match body.payload {
            Payload::Bytes(payload) => payload,
            // Not made by this sink's encoder; every row is missing its bytes.
            Payload::Columns(_) => Bytes::new(),
        };
        let parcel = Parcel::whole(number, payload, body.row_ends, self.options.gzip);
        if parcel.len() == 0 {
            self.done(parcel, body.rows, 0);
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

    fn trouble(&self) -> Option<String> {
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
