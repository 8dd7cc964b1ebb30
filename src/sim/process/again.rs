//! The catch-up read of a sink that was set apart, as its thread in [`crate::run::Engine`] steps it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Process;
use super::seats::REST;
use crate::event::Batch;
use crate::position::Resume;
use crate::run::lag::Phase;
use crate::run::{CatchUp, Caught, Job, Message, gap};
use crate::seam::Clock;
use crate::sink::Body;
use crate::source::Source;

/// One sink's catch-up read, while there is one.
pub(super) struct AgainSeat {
    pub(super) sink: usize,
    settled: Arc<dyn Resume>,
    read: Option<CatchUp>,
    joining: bool,
    asked: bool,
    pub(super) due: Option<Duration>,
    pending: VecDeque<Body>,
}

impl AgainSeat {
    pub(super) fn new(sink: usize, settled: Arc<dyn Resume>) -> Self {
        let pending = VecDeque::new();
        Self { sink, settled, read: None, joining: false, asked: false, due: None, pending }
    }

    /// What the sink has or was offered.
    pub(super) fn resume(&self) -> Arc<dyn Resume> {
        self.read.as_ref().map_or_else(|| self.settled.clone(), CatchUp::resume)
    }

    /// Takes what a source gave.
    pub(super) fn give(&mut self, source: usize, opened: Option<Box<dyn Source>>) {
        self.asked = false;
        if let Some(read) = &mut self.read {
            read.give(source, opened);
        }
    }

    /// Whether it keeps the sinks open.
    pub(super) fn is_busy(&self) -> bool {
        !self.pending.is_empty()
    }
}

impl Process {
    /// Whether nothing will be read any more.
    fn is_over(&self) -> bool {
        self.stopping || self.readers.iter().all(|seat| seat.ended)
    }

    pub(super) fn again_is_ready(&self, at: usize, now: Duration) -> bool {
        let seat = &self.again[at];
        if !seat.pending.is_empty() {
            return self.again_has_room(at) || self.is_over();
        }
        if seat.asked {
            return self.is_over() && seat.read.is_some();
        }
        match &seat.read {
            Some(_) => self.has_room() && seat.due.is_none_or(|due| due <= now),
            None => !self.is_over() && self.lags.phase(seat.sink) == Phase::Ready,
        }
    }

    fn again_has_room(&self, at: usize) -> bool {
        let seat = &self.again[at];
        let outlet = &self.outlets[seat.sink];
        let held = outlet.pool.held();
        let bytes = seat.pending.front().map_or(0, |body| body.bytes);
        outlet.bodies.len() < self.bounds.items && (held == 0 || held + bytes <= self.bounds.bodies)
    }

    pub(super) fn read_again(&mut self, at: usize, clock: &dyn Clock) {
        let sink = self.again[at].sink;
        if let Some(body) = self.again[at].pending.front() {
            let (bytes, batch) = (body.bytes, body.provenance.batch);
            if !self.again_has_room(at) {
                // It is over: what is left is not sent, and is read again by the next run.
                self.again[at].pending.pop_front();
                return self.withhold(sink, batch);
            }
            self.largest.1 = self.largest.1.max(bytes);
            if bytes > 0 && !self.outlets[sink].pool.try_acquire(bytes) {
                return;
            }
            let body = self.again[at].pending.pop_front();
            self.outlets[sink].bodies.extend(body);
            return;
        }
        if self.is_over() {
            self.again[at].read = None;
            self.again[at].asked = false;
            return;
        }
        let Some(read) = &mut self.again[at].read else {
            match CatchUp::new(&self.plan, sink, self.again[at].settled.clone()) {
                Ok(read) => {
                    self.lags.begin(sink);
                    self.catch_ups += 1;
                    (self.again[at].read, self.again[at].joining) = (Some(read), false);
                }
                Err(error) => self.wrong.push(error),
            }
            return;
        };
        let mut notices = Vec::new();
        let caught = read.step(clock.monotonic(), clock.now_unix_ns(), &mut notices);
        self.again[at].due = None;
        for notice in notices {
            self.messages.extend(gap(&notice, Some(sink)));
            self.note(notice, Some(sink));
        }
        match caught {
            Caught::Ask(source) => {
                self.again[at].asked = true;
                self.readers[source].asks.push_back(at);
            }
            Caught::Batch(source, batch) => self.offer_again(at, source, batch),
            Caught::More => {}
            Caught::Wait(until) => self.again[at].due = Some(until.min(clock.monotonic() + REST)),
            Caught::Round(_) if self.again[at].joining => {
                self.lags.joined(sink);
                self.again[at].read = None;
            }
            Caught::Round(close) if close => {
                self.again[at].joining = true;
                self.lags.join(sink);
            }
            Caught::Round(_) => {}
        }
        if self.traced {
            self.said = Some(format!("sink {sink} reads again, {:?}", self.lags.phase(sink)));
        }
    }

    fn offer_again(&mut self, at: usize, source: usize, batch: Batch) {
        let mut job = Job::new(self.batches, source, batch);
        self.batches += 1;
        let sink = self.again[at].sink;
        job.sinks = self.lags.hand_again(sink);
        self.messages.push_back(Message::Handed { provenance: job.provenance.clone(), opened: Vec::new() });
        let Some(read) = &mut self.again[at].read else { return };
        let (message, bodies) = read.process(job).divide(&self.plan);
        self.messages.push_back(message);
        for (to, body) in bodies.first.into_iter().chain(bodies.rest) {
            if to == sink {
                self.again[at].pending.push_back(body);
            } else {
                self.outlets[to].bodies.push_back(body);
            }
        }
    }
}
