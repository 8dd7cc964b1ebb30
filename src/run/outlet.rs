//! Drives one sink: hands it bodies, steps it, passes on what has settled.

use std::time::Duration;

use crate::sink::{Body, Next, RuleCounts, Settled, Sink};

/// A sink and what it is owed.
pub struct Outlet {
    sink: Box<dyn Sink>,
    closing: bool,
    next: Next,
}

/// What a step of an outlet gives.
#[derive(Debug)]
pub struct Stepped {
    /// When to step again.
    pub next: Next,
    /// What has settled.
    pub settled: Vec<Settled>,
    /// Bytes of bodies that are no longer held.
    pub released: usize,
    /// What the sink waits for, if anything is wrong.
    pub trouble: Option<String>,
    /// Fields that were set aside, with the number of rows.
    pub set_aside: Vec<(String, u64)>,
    /// What rules of detectors have done by now.
    pub rules: Vec<(String, RuleCounts)>,
    /// What people should know once.
    pub warnings: Vec<String>,
}

impl Outlet {
    /// An outlet for an opened sink.
    pub fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, closing: false, next: Next::Idle }
    }

    /// Hands over a body.
    pub fn offer(&mut self, body: Body, now: Duration) {
        self.sink.offer(body, now);
        self.next = Next::Again;
    }

    /// No more bodies will come.
    pub fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.sink.close();
            self.next = Next::Again;
        }
    }

    /// All that came from elsewhere has settled; true when all that follows from it is written.
    pub fn conclude(&mut self) -> bool {
        self.sink.conclude()
    }

    /// Whether it was closed.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Lets the sink work once.
    pub fn step(&mut self, now: Duration) -> Stepped {
        let mut settled = Vec::new();
        self.next = self.sink.step(now, &mut settled);
        let released = self.sink.released() + settled.iter().map(|settled| settled.bytes).sum::<usize>();
        let (warnings, set_aside, rules) = (self.sink.warnings(), self.sink.set_aside(), self.sink.rules());
        let trouble = self.sink.trouble();
        Stepped { next: self.next, settled, released, trouble, set_aside, rules, warnings }
    }
}
