//! Ships bodies to the cluster: the sink's state machine.
//!
//! In: bodies in the order of their batches, answers of the [`Producer`]. Out: parcels, and what became of each body.
//! With transactions one parcel at a time is on its way: the rows of a few bodies and the cursors that say so. Rows that
//! the cursors read back show to be in the log already are not sent: that is how a parcel whose answer was lost, by a
//! crash or a connection, is found out about. Without transactions several parcels are on their way.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use super::encode::{Line, lines};
use super::shelf::{Key, Shelf};
use crate::limits::{KAFKA_PARCEL_BYTES, KAFKA_PARCELS_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN};
use crate::position::EventId;
use crate::seam::kafka::{Answer, Outcome, Parcel, Producer, Record};
use crate::sink::reorder::Reorder;
use crate::sink::{Body, Next, Rejection, Settled, Sink};

/// What is known of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// To be sent.
    Open,
    /// To be sent in a request of its own.
    Alone,
    /// The log has it.
    Delivered,
    /// The log had it before this process sent it.
    Repeated,
    /// The cluster will never take it.
    Rejected(String),
}

impl Fate {
    fn is_open(&self) -> bool {
        matches!(self, Self::Open | Self::Alone)
    }
}

/// Bodies that go together.
struct Unit {
    bodies: Vec<Body>,
    /// Rows of all bodies, in order.
    rows: Vec<(Line, Fate)>,
    /// What the bodies account for.
    ranges: BTreeMap<Key, Vec<Range<u64>>>,
    /// While it is on its way: its ticket, and the rows that were sent.
    sent: Option<(u32, Vec<u32>)>,
    /// Not to be sent before.
    wait: Duration,
    pause: Duration,
}

impl Unit {
    fn new(bodies: Vec<Body>) -> Self {
        let rows = bodies.iter().flat_map(lines).map(|line| (line, Fate::Open)).collect();
        let mut ranges: BTreeMap<Key, Vec<Range<u64>>> = BTreeMap::new();
        for (stream, of) in bodies.iter().flat_map(|body| &body.provenance.ranges) {
            ranges.entry((stream.id, stream.generation)).or_default().extend(of.iter().cloned());
        }
        Self { bodies, rows, ranges, sent: None, wait: Duration::ZERO, pause: RETRY_PAUSE_MIN }
    }

    /// Leaves out the rows that the log has.
    fn sift(&mut self, shelf: &Shelf) {
        for (line, fate) in &mut self.rows {
            if fate.is_open() && shelf.has(line.stream, line.start) {
                *fate = Fate::Repeated;
            }
        }
    }

    /// What the cursors are to say once the rows are in. Rows that were refused stay out: their dead letters may not be
    /// durable yet, so after a crash they are offered, and refused, once more.
    fn in_log(&self) -> BTreeMap<Key, Vec<Range<u64>>> {
        let mut ranges = self.ranges.clone();
        for (line, _) in self.rows.iter().filter(|(_, fate)| matches!(fate, Fate::Rejected(_))) {
            let of = ranges.entry(line.stream).or_default();
            if let Some(range) = of.iter_mut().find(|range| range.contains(&line.start)) {
                let rest = line.start + 1..range.end;
                range.end = line.start;
                of.push(rest);
            }
        }
        ranges
    }

    fn is_open(&self) -> bool {
        self.rows.iter().any(|(_, fate)| fate.is_open())
    }

    fn parcel(&mut self, ticket: u32, cursors: Vec<(String, Option<Vec<u8>>)>) -> Parcel {
        let mut sent = Vec::new();
        let mut records = Vec::new();
        for (row, (line, fate)) in self.rows.iter().enumerate().filter(|(_, (_, fate))| fate.is_open()) {
            sent.push(row as u32);
            records.push(Record {
                topic: line.topic.clone(),
                id: line.id.clone(),
                key: line.key.clone(),
                value: line.value.clone(),
                alone: *fate == Fate::Alone,
            });
        }
        self.sent = Some((ticket, sent));
        Parcel { ticket, records, cursors }
    }

    /// Takes in what became of the rows that were sent. False where some must go again.
    fn take(&mut self, outcome: Outcome, now: Duration) -> bool {
        let Some((_, sent)) = self.sent.take() else { return true };
        let mut fates = vec![Fate::Delivered; sent.len()];
        let mut set = |at: u32, fate: Fate| {
            if let Some(known) = fates.get_mut(at as usize) {
                *known = fate;
            }
        };
        let found = !outcome.suspects.is_empty() || !outcome.refused.is_empty();
        for at in outcome.again {
            let was = sent.get(at as usize).and_then(|row| self.rows.get(*row as usize));
            set(at, was.map_or(Fate::Open, |(_, fate)| fate.clone()));
        }
        outcome.suspects.into_iter().for_each(|at| set(at, Fate::Alone));
        outcome.refused.into_iter().for_each(|(at, reason)| set(at, Fate::Rejected(reason)));
        for (row, fate) in sent.into_iter().zip(fates) {
            if let Some((_, known)) = self.rows.get_mut(row as usize) {
                *known = fate;
            }
        }
        if !self.is_open() {
            return true;
        }
        if found {
            // What is left is another parcel.
            self.pause = RETRY_PAUSE_MIN;
            return false;
        }
        self.wait = now + self.pause;
        self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
        false
    }

    /// Everything is decided: what is said of each body.
    fn settle(self, settled: &mut Vec<Settled>) {
        let mut rows = self.rows.into_iter();
        for body in self.bodies {
            let mut done = Settled { rejected: Vec::new(), ..Settled::whole(body) };
            let count = done.delivered;
            for (row, (line, fate)) in rows.by_ref().take(count as usize).enumerate() {
                match fate {
                    Fate::Rejected(reason) => {
                        done.delivered -= 1;
                        let id = EventId::decode(&line.id);
                        done.rejected.push((Rejection { row: row as u32, id, reason }, Some(line.value)));
                    }
                    Fate::Repeated => done.repeated += 1,
                    _ => {}
                }
            }
            settled.push(done);
        }
    }
}

/// How far the connection is.
enum Link {
    /// Asked for, and not there yet.
    Connecting,
    /// There.
    Ready,
    /// Lost; to be asked for again at this time.
    Waiting(Duration),
}

/// The sink as it runs.
pub(super) struct Shipper {
    place: String,
    producer: Box<dyn Producer>,
    link: Link,
    pause: Duration,
    window: Reorder,
    /// Bodies that are not in a unit yet, in order.
    queue: VecDeque<Body>,
    queued_bytes: usize,
    /// When the first of them came.
    since: Duration,
    units: VecDeque<Unit>,
    /// Where there are transactions: what the log has.
    shelf: Option<Shelf>,
    interval: Duration,
    tickets: u32,
    /// What the client waits for, and why rows go again or the link was lost.
    waits: Option<String>,
    why: Option<String>,
    closed: bool,
}

impl Shipper {
    /// A sink over a producer that is not connected yet. With a transactional id parcels are transactions, at most
    /// one every `interval`.
    pub(super) fn new(
        place: String,
        producer: Box<dyn Producer>,
        transactional_id: Option<&str>,
        interval: Duration,
    ) -> Self {
        let mut shipper = Self {
            place,
            producer,
            link: Link::Connecting,
            pause: RETRY_PAUSE_MIN,
            window: Reorder::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            since: Duration::ZERO,
            units: VecDeque::new(),
            shelf: transactional_id.map(Shelf::new),
            interval,
            tickets: 0,
            waits: None,
            why: None,
            closed: false,
        };
        shipper.producer.connect();
        shipper
    }

    fn answer(&mut self, answer: Answer, now: Duration) {
        match answer {
            Answer::Trouble(why) => self.waits = why,
            Answer::Ready(entries) => {
                self.link = Link::Ready;
                self.waits = None;
                if let Some(shelf) = &mut self.shelf {
                    let unread = shelf.load(&entries);
                    self.why = (unread > 0).then(|| {
                        format!("{unread} cursors in the cursor topic were not written by this version: rows may come twice")
                    });
                    self.units.iter_mut().for_each(|unit| unit.sift(shelf));
                }
            }
            Answer::Lost { why, fenced } => {
                for unit in &mut self.units {
                    unit.sent = None;
                }
                self.why = Some(if fenced {
                    format!("another process has taken over the transactional id: {why}; rows wait")
                } else {
                    format!("{why}; rows wait")
                });
                self.link = Link::Waiting(now + self.pause);
                self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
            }
            Answer::Done(outcome) => self.done(outcome, now),
        }
    }

    fn done(&mut self, mut outcome: Outcome, now: Duration) {
        let ticket = outcome.ticket;
        let of = |unit: &&mut Unit| unit.sent.as_ref().is_some_and(|(sent, _)| *sent == ticket);
        let Some(unit) = self.units.iter_mut().find(of) else { return };
        let why = outcome.why.take();
        // In a transaction nothing is in the log where anything must go again.
        let committed = outcome.again.is_empty() && outcome.suspects.is_empty();
        if unit.take(outcome, now) {
            self.why = None;
            self.pause = RETRY_PAUSE_MIN;
        } else {
            self.why = why.map(|why| format!("{why}; rows wait and go again"));
        }
        if committed && let Some(shelf) = &mut self.shelf {
            shelf.committed(&unit.in_log());
        }
    }

    /// Makes a unit of what is queued, where it is time.
    fn gather(&mut self, now: Duration) {
        let most = if self.shelf.is_some() { 1 } else { KAFKA_PARCELS_MAX };
        while self.units.len() < most && !self.queue.is_empty() {
            let full = self.queued_bytes >= KAFKA_PARCEL_BYTES;
            if self.shelf.is_some() && !full && !self.closed && now < self.since + self.interval {
                return;
            }
            let mut bodies = Vec::new();
            let mut bytes = 0;
            while let Some(body) = self.queue.pop_front() {
                bytes += body.payload_bytes();
                bodies.push(body);
                if bytes >= KAFKA_PARCEL_BYTES {
                    break;
                }
            }
            self.queued_bytes -= bytes.min(self.queued_bytes);
            self.since = now;
            let mut unit = Unit::new(bodies);
            if let Some(shelf) = &self.shelf {
                unit.sift(shelf);
            }
            self.units.push_back(unit);
        }
    }

    /// Sends what may be sent; without rows to send a unit is decided.
    fn send(&mut self, now: Duration) {
        // One after the other where some must go again, so that the order is kept as far as it can be.
        let is_held = |unit: &Unit| unit.sent.is_none() && unit.is_open() && unit.wait > now;
        for at in 0..self.units.len() {
            let unit = &mut self.units[at];
            if is_held(unit) {
                return;
            }
            if unit.sent.is_some() || !unit.is_open() {
                continue;
            }
            self.tickets = self.tickets.wrapping_add(1);
            let cursors = self.shelf.as_ref().map(|shelf| shelf.cursors(&unit.in_log())).unwrap_or_default();
            let parcel = unit.parcel(self.tickets, cursors);
            self.producer.send(parcel);
        }
    }

    fn settle(&mut self, settled: &mut Vec<Settled>) {
        let mut at = 0;
        while let Some(unit) = self.units.get(at) {
            if unit.sent.is_some() || unit.is_open() {
                at += 1;
                continue;
            }
            if let Some(unit) = self.units.remove(at) {
                if let Some(shelf) = &mut self.shelf {
                    shelf.add(&unit.in_log());
                }
                unit.settle(settled);
            }
        }
    }

    fn next(&self, now: Duration) -> Next {
        if self.closed && self.queue.is_empty() && self.units.is_empty() {
            return Next::Done;
        }
        match self.link {
            Link::Waiting(at) => return Next::At(at),
            Link::Connecting => return Next::Idle,
            Link::Ready => {}
        }
        let waits = self.units.iter().filter(|unit| unit.sent.is_none()).map(|unit| unit.wait);
        let gather = (self.shelf.is_some() && !self.queue.is_empty() && self.units.is_empty())
            .then_some(self.since + self.interval);
        waits.chain(gather).min().map_or(Next::Idle, |at| if at <= now { Next::Again } else { Next::At(at) })
    }
}

impl Sink for Shipper {
    fn begin(&mut self, first_batch: u64) {
        self.window.begin(first_batch);
    }

    fn offer(&mut self, body: Body, _: Duration) {
        self.window.push(body);
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        while let Some(body) = if self.closed { self.window.pop_any() } else { self.window.pop() } {
            if self.queue.is_empty() {
                self.since = self.since.max(now.saturating_sub(self.interval));
            }
            self.queued_bytes += body.payload_bytes();
            self.queue.push_back(body);
        }
        while let Some(answer) = self.producer.poll() {
            self.answer(answer, now);
        }
        match self.link {
            Link::Waiting(at) if at <= now => {
                self.link = Link::Connecting;
                self.producer.connect();
            }
            Link::Ready => {
                // What is decided makes room for the next.
                self.settle(settled);
                self.gather(now);
                self.send(now);
                self.settle(settled);
            }
            _ => {}
        }
        self.next(now)
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn trouble(&self) -> Option<String> {
        let said = match (&self.why, &self.waits, &self.link) {
            (Some(why), Some(waits), _) => format!("{why} ({waits})"),
            (Some(why), None, _) => why.clone(),
            (None, Some(waits), Link::Connecting) => format!("not connected yet: {waits}; rows wait"),
            (None, Some(waits), _) => waits.clone(),
            (None, None, _) => return None,
        };
        Some(format!("kafka at {}: {said}", self.place))
    }
}
