//! An intake of requests: each is taken whole, and answered when it is durable.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, Answers, Came, Gate, Head, Listener};
use crate::source::Progress;
use crate::source::spooled::{Inlet, Intake, Receipt};

/// How long the source may sleep: the listener wakes it.
const IDLE: Duration = Duration::from_secs(3600);

/// A request as a service sees it.
#[derive(Debug)]
pub struct Asked {
    /// The peer: protocol, address and port.
    pub peer: Arc<str>,
    /// What it asks.
    pub head: Head,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Taken {
    /// Nothing was pushed; this is said at once.
    Refused(Answer),
    /// It was pushed; this is said when the receipt is durable.
    Pushed(Receipt, Answer),
}

/// What a source does with requests.
pub trait Service: Send {
    /// Takes a request apart and pushes what it holds.
    fn take(&mut self, asked: Asked, inlet: &mut Inlet<'_>) -> Taken;
    /// What a person should know, said since the last call.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// The intake.
pub struct Requests<S: Service> {
    service: S,
    gate: Arc<dyn Gate>,
    listener: Box<dyn Listener>,
    answers: Answers,
    closing: bool,
    full: bool,
    warnings: Vec<String>,
}

impl<S: Service> Requests<S> {
    /// Takes what this listener hands over.
    pub fn serve(service: S, gate: Arc<dyn Gate>, listener: Box<dyn Listener>) -> Self {
        let (answers, warnings) = (Answers::default(), Vec::new());
        Self { service, gate, listener, answers, closing: false, full: false, warnings }
    }

    fn take(&mut self, came: Came, stuck: bool, inlet: &mut Inlet<'_>) {
        match came {
            Came::Request { ticket, .. } if stuck => self.listener.answer(ticket, self.gate.busy()),
            Came::Request { ticket, peer, head, body, weight } => {
                match self.service.take(Asked { peer, head, body }, inlet) {
                    Taken::Refused(answer) => self.listener.answer(ticket, answer),
                    Taken::Pushed(receipt, answer) => {
                        inlet.hurry();
                        self.answers.wait(receipt, ticket, answer, weight);
                    }
                }
                self.warnings.extend(self.service.warnings());
            }
            Came::Warning(warning) => self.warnings.push(warning),
            // Not where requests are spoken.
            Came::Opened { .. } | Came::Bytes { .. } | Came::Closed { .. } | Came::Datagrams { .. } => {}
        }
    }
}

impl<S: Service> Intake for Requests<S> {
    fn step(&mut self, now: Duration, _: i64, inlet: &mut Inlet<'_>) -> Progress {
        loop {
            // Where it may stay full for long, who asks is told so.
            let stuck = inlet.is_stuck();
            self.full = inlet.is_full() && !stuck;
            if self.full {
                return Progress::More;
            }
            match self.listener.next() {
                Some(came) => self.take(came, stuck, inlet),
                None => break,
            }
        }
        if self.closing && self.listener.is_drained() {
            return Progress::End;
        }
        Progress::Wait(now + IDLE)
    }

    fn durable(&mut self, receipt: Receipt) {
        self.answers.durable(receipt, &mut *self.listener);
    }

    fn finish(&mut self) {
        self.closing = true;
        self.listener.close();
    }

    fn close(&mut self) -> bool {
        self.finish();
        true
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.listener.wake_fd()
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
