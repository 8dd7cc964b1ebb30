//! The thread of a worker: bodies go to the sinks when they have room; who takes nothing is set apart.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};

use super::Shared;
use crate::catalog::Runnable;
use crate::limits::{SINK_PATIENCE, SINK_SLOW_WAIT, SINK_SLOW_WINDOW};
use crate::observe::Stats;
use crate::run::lag::{Phase, bit};
use crate::run::parts::Deliveries;
use crate::run::reader::Job;
use crate::run::settler::Message;
use crate::run::worker::Worker;
use crate::seam::Clock;
use crate::sink::Body;

/// The thread of a worker.
pub(super) struct Working {
    pub(super) sinks: Vec<Sender<Body>>,
    pub(super) settler: Sender<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) plan: Arc<Runnable>,
    pub(super) stats: Arc<Stats>,
    pub(super) clock: Arc<dyn Clock>,
}

/// How long a worker has waited for a sink of late.
#[derive(Clone, Copy, Default)]
struct Waited {
    since: Duration,
    waited: Duration,
}

impl Working {
    /// Works until there are no more jobs.
    pub(super) fn run(&self, mut worker: Worker, jobs: &Receiver<Job>) {
        let mut waited = vec![Waited::default(); self.sinks.len()];
        for job in jobs {
            let number = job.provenance.batch;
            let ordered = |sink: &usize| self.plan.sinks[*sink].plan.ordered() && job.sinks & bit(*sink) != 0;
            let ordered: Vec<_> = (0..self.sinks.len()).filter(ordered).collect();
            ordered.iter().for_each(|sink| self.shared.bodies[*sink].begin(number));
            let outcome = worker.process(job);
            self.shared.input.release(outcome.input_bytes);
            let (message, Deliveries { first, rest }) = outcome.divide(&self.plan);
            if self.settler.send(message).is_err() {
                return;
            }
            for (sink, body) in first {
                let sent = self.send(sink, body, Some(number), &mut waited[sink]);
                self.shared.bodies[sink].end(number);
                if !sent {
                    return;
                }
            }
            for (sink, body) in rest {
                if !self.send(sink, body, None, &mut waited[sink]) {
                    return;
                }
            }
        }
    }

    /// Hands a body to a sink when there is room, or sets the sink apart; false where the sink is gone.
    fn send(&self, sink: usize, body: Body, ordered: Option<u64>, waited: &mut Waited) -> bool {
        if body.bytes > 0 && !self.acquire(sink, body.bytes, ordered, waited) {
            return self.withhold(sink, &body, ordered.is_some());
        }
        self.sinks[sink].send(body).is_ok()
    }

    /// Waits for room. False: the sink is set apart.
    fn acquire(&self, sink: usize, bytes: usize, ordered: Option<u64>, waited: &mut Waited) -> bool {
        let pool = &self.shared.bodies[sink];
        let begun = self.clock.monotonic();
        let slow =
            |waited: &Waited| begun < waited.since + SINK_SLOW_WINDOW && waited.waited > SINK_SLOW_WAIT;
        loop {
            let has_room = match ordered {
                Some(number) => pool.acquire_for(number, bytes, SINK_PATIENCE),
                None => pool.acquire_within(bytes, SINK_PATIENCE),
            };
            let now = self.clock.monotonic();
            if begun >= waited.since + SINK_SLOW_WINDOW {
                *waited = Waited { since: begun, waited: Duration::ZERO };
            }
            waited.waited += now.saturating_sub(begun);
            let parted = (!has_room || slow(waited)) && self.part(sink);
            if !has_room && !parted {
                continue;
            }
            let goes = match ordered {
                Some(number) => self.shared.lags().goes(sink, number),
                None => !parted,
            };
            match (has_room, goes) {
                (true, false) => pool.release(bytes),
                (false, true) => pool.force(bytes),
                _ => {}
            }
            if parted {
                *waited = Waited::default();
            }
            return goes;
        }
    }

    fn part(&self, sink: usize) -> bool {
        let (before, apart) = {
            let mut lags = self.shared.lags();
            (lags.phase(sink), lags.part(sink))
        };
        if apart && before == Phase::With {
            let name = &self.plan.sinks[sink].name;
            let after = if self.plan.sinks[sink].required {
                "the others go on, and it will read again what it missed"
            } else {
                "the others go on; it is not required, and what it misses is not sent again"
            };
            self.shared.warn(format!("sink {name} does not keep up: {after}"));
        }
        apart
    }

    /// Tells the settler that a body is not handed over; a sink that keeps order hears so too.
    pub(super) fn withhold(&self, sink: usize, body: &Body, ordered: bool) -> bool {
        let batch = body.provenance.batch;
        self.stats.lock().sinks[sink].1.withheld(u64::from(body.rows));
        let told = self.settler.send(Message::Withheld { sink, batch }).is_ok();
        told && (!ordered || self.sinks[sink].send(Body::withheld(batch)).is_ok())
    }
}
