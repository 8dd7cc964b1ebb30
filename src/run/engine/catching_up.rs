//! The thread of the catch-up reads of a sink.

use std::sync::{Arc, PoisonError};

use crossbeam::channel::{RecvTimeoutError, bounded};

use super::reading::note;
use super::working::Working;
use super::{Ask, REST, Shared};
use crate::event::Batch;
use crate::position::Resume;
use crate::run::catch_up::{CatchUp, Caught};
use crate::run::lag::Phase;
use crate::run::parts::{Deliveries, gap};
use crate::run::reader::Job;
use crate::run::settler::Message;
use crate::run::wake::Wake;
use crate::source::{Notice, Source};

/// The thread of the catch-up reads of a sink.
pub(super) struct CatchingUp {
    pub(super) sink: usize,
    pub(super) resume: Arc<dyn Resume>,
    pub(super) working: Working,
    pub(super) wakes: Vec<Arc<Wake>>,
}

impl CatchingUp {
    /// Catches up again and again, until nobody reads any more.
    pub(super) fn run(&self) {
        while self.wait_until_ready() {
            let read = CatchUp::new(&self.working.plan, self.sink, self.resume.clone());
            match read {
                Ok(read) => {
                    self.shared().lags().begin(self.sink);
                    self.catch_up(read);
                }
                // Its encoders were made before, from the same plan.
                Err(error) => return self.shared().warn(error),
            }
        }
    }

    fn shared(&self) -> &Shared {
        &self.working.shared
    }

    /// Whether there is something to catch up with; false when nobody reads any more.
    fn wait_until_ready(&self) -> bool {
        let shared = self.shared();
        let mut lags = shared.lags();
        while !shared.is_over() {
            if lags.phase(self.sink) == Phase::Ready {
                return true;
            }
            lags = shared.turned.wait_timeout(lags, REST).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    fn catch_up(&self, mut read: CatchUp) {
        let clock = &self.working.clock;
        let mut notices = Vec::new();
        let mut joining = false;
        while !self.shared().is_over() {
            let caught = read.step(clock.monotonic(), clock.now_unix_ns(), &mut notices);
            for notice in notices.drain(..) {
                for message in gap(&notice, Some(self.sink)) {
                    let _ = self.working.settler.send(message);
                }
                if let Notice::Gap { stream, .. } = &notice
                    && let Some(index) = self.source(&stream.source)
                {
                    note(notice, index, self.shared(), &self.working.stats);
                }
            }
            match caught {
                Caught::Ask(source) => match self.ask(source, &read) {
                    Some(opened) => read.give(source, opened),
                    None => return,
                },
                Caught::Batch(source, batch) => {
                    if !self.deliver(source, batch, &mut read) {
                        return;
                    }
                }
                Caught::More => {}
                Caught::Wait(until) => {
                    std::thread::sleep(until.saturating_sub(clock.monotonic()).min(REST));
                }
                Caught::Round(_) if joining => {
                    self.shared().lags().joined(self.sink);
                    self.ring();
                    let name = &self.working.plan.sinks[self.sink].name;
                    return self.shared().warn(format!("sink {name} has caught up"));
                }
                Caught::Round(close) if close => {
                    joining = true;
                    self.shared().lags().join(self.sink);
                    self.ring();
                }
                Caught::Round(_) => {}
            }
        }
    }

    fn source(&self, name: &str) -> Option<usize> {
        self.working.plan.sources.iter().position(|source| source.name == name)
    }

    fn ring(&self) {
        self.wakes.iter().for_each(|wake| wake.ring());
    }

    /// Asks the thread of a source; `None` when it is over.
    fn ask(&self, source: usize, read: &CatchUp) -> Option<Option<Box<dyn Source>>> {
        let (reply, answer) = bounded(1);
        self.shared().ask(source, Ask { sink: self.sink, resume: read.resume(), reply });
        self.wakes.get(source)?.ring();
        loop {
            match answer.recv_timeout(REST) {
                Ok(opened) => return Some(opened),
                Err(RecvTimeoutError::Timeout) if !self.shared().is_over() => {}
                Err(_) => return None,
            }
        }
    }

    /// Takes a batch through the steps and hands it to the sink; false when it is over.
    fn deliver(&self, source: usize, batch: Batch, read: &mut CatchUp) -> bool {
        let job = {
            let mut number = self.shared().batches.lock().unwrap_or_else(PoisonError::into_inner);
            let mut job = Job::new(*number, source, batch);
            job.sinks = self.shared().lags().hand_again(self.sink);
            *number += 1;
            let message = Message::Handed { provenance: job.provenance.clone(), opened: Vec::new() };
            if self.working.settler.send(message).is_err() {
                return false;
            }
            job
        };
        let (message, Deliveries { first, rest }) = read.process(job).divide(&self.working.plan);
        self.working.stats.lock().sinks[self.sink].1.offered += read.offered_rows();
        if self.working.settler.send(message).is_err() {
            return false;
        }
        let (mine, others): (Vec<_>, Vec<_>) =
            first.into_iter().chain(rest).partition(|(sink, _)| *sink == self.sink);
        let sinks = &self.working.sinks;
        if others.into_iter().any(|(sink, body)| sinks[sink].send(body).is_err()) {
            return false;
        }
        mine.into_iter().all(|(sink, body)| {
            while !self.shared().bodies[sink].acquire_within(body.bytes, REST) {
                if self.shared().is_over() {
                    let ordered = self.working.plan.sinks[sink].plan.ordered();
                    self.working.withhold(sink, &body, ordered);
                    return false;
                }
            }
            sinks[sink].send(body).is_ok()
        })
    }
}
