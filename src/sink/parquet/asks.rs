//! Asks to an object store, each until it is answered for good: what may go better later is asked again, later and
//! later, and so is what a person must see to.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::limits::{OBJECT_ASKS_BYTES, OBJECT_ASKS_MAX, OBJECT_PAUSE_MAX, OBJECT_START_TRIES};
use crate::seam::{Answer, Ask, Objects, Refusal};
use crate::sink::{Next, OpenError};

/// Failures in a row before people are told: a busy store refuses one request now and then.
const QUIET_FAILURES: u32 = 3;

/// Longest wait for one answer at the start of a run; the store's own time-out comes long before.
const START_WAITS_MAX: u32 = 3600;

/// An answer for good.
#[derive(Debug)]
pub(super) enum Verdict {
    Done(Answer),
    Missing,
    Exists,
    Unfit(String),
}

/// Asks on their way, each with what it is for.
pub(super) struct Asks<T> {
    objects: Box<dyn Objects>,
    ticket: u64,
    flying: HashMap<u64, (T, Ask)>,
    waiting: VecDeque<(T, Ask)>,
    /// Held by `flying` and `waiting`.
    bytes: usize,
    failures: u32,
    paused_until: Option<Duration>,
    trouble: Option<String>,
}

impl<T> Asks<T> {
    pub(super) fn new(objects: Box<dyn Objects>) -> Self {
        Self {
            objects,
            ticket: 0,
            flying: HashMap::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            failures: 0,
            paused_until: None,
            trouble: None,
        }
    }

    /// Whether another ask may be made that is not needed at once.
    pub(super) fn has_room(&self) -> bool {
        self.flying.len() + self.waiting.len() < OBJECT_ASKS_MAX && self.bytes < OBJECT_ASKS_BYTES
    }

    pub(super) fn ask(&mut self, what_for: T, ask: Ask) {
        self.bytes += ask.bytes();
        self.waiting.push_back((what_for, ask));
    }

    /// Starts what waits, and returns what was answered for good.
    pub(super) fn step(&mut self, now: Duration) -> Vec<(T, Verdict)> {
        let mut answered = Vec::new();
        while let Some((ticket, result)) = self.objects.poll() {
            let Some((what_for, ask)) = self.flying.remove(&ticket) else { continue };
            let refusal = match result {
                Ok(answer) => Ok(Verdict::Done(answer)),
                Err(Refusal::Missing) => Ok(Verdict::Missing),
                Err(Refusal::Exists) => Ok(Verdict::Exists),
                Err(Refusal::Unfit(why)) => Ok(Verdict::Unfit(why)),
                Err(Refusal::Denied(why)) => Err((why, None, true)),
                Err(Refusal::Later { why, after }) => Err((why, after, false)),
            };
            match refusal {
                Ok(verdict) => {
                    (self.failures, self.paused_until, self.trouble) = (0, None, None);
                    self.bytes -= ask.bytes();
                    answered.push((what_for, verdict));
                }
                Err((why, after, tell)) => {
                    self.waiting.push_front((what_for, ask));
                    self.failed(now, why, after, tell);
                }
            }
        }
        if self.paused_until.is_none_or(|until| now >= until) {
            self.paused_until = None;
            while self.flying.len() < OBJECT_ASKS_MAX {
                let Some((what_for, ask)) = self.waiting.pop_front() else { break };
                self.ticket += 1;
                self.objects.start(self.ticket, ask.clone());
                self.flying.insert(self.ticket, (what_for, ask));
            }
        }
        answered
    }

    fn failed(&mut self, now: Duration, why: String, after: Option<Duration>, tell: bool) {
        // Several that were in flight together fail together, which is one failure.
        if self.paused_until.is_none_or(|until| now >= until) {
            self.failures += 1;
            self.paused_until = Some(now + after.unwrap_or(pause(self.failures)).min(OBJECT_PAUSE_MAX));
        }
        if tell || self.failures >= QUIET_FAILURES {
            self.trouble = Some(why);
        }
    }

    /// When it wants to be stepped again; in between, when an answer has come.
    pub(super) fn next(&self) -> Next {
        match self.paused_until {
            Some(until) if !self.waiting.is_empty() => Next::At(until),
            _ if !self.waiting.is_empty() && self.flying.is_empty() => Next::Again,
            _ => Next::Idle,
        }
    }

    /// What the store says, where it has refused for a while.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// 0.25, 0.5, 1 … seconds.
fn pause(failures: u32) -> Duration {
    let pause = Duration::from_millis(125) * 2u32.saturating_pow(failures.min(10));
    pause.min(OBJECT_PAUSE_MAX)
}

/// Asks, and waits a little for the answer; only at the start of a run, where nothing can begin without it.
pub(super) fn settle(objects: &mut dyn Objects, ask: &Ask) -> Result<Verdict, OpenError> {
    let mut last = String::new();
    for attempt in 0..OBJECT_START_TRIES {
        if attempt > 0 {
            objects.wait(pause(attempt + 2));
        }
        objects.start(u64::from(attempt), ask.clone());
        let mut answer = objects.poll();
        for _ in 0..START_WAITS_MAX {
            if answer.is_some() {
                break;
            }
            objects.wait(Duration::from_secs(1));
            answer = objects.poll();
        }
        match answer {
            Some((_, Ok(answer))) => return Ok(Verdict::Done(answer)),
            Some((_, Err(Refusal::Missing))) => return Ok(Verdict::Missing),
            Some((_, Err(Refusal::Exists))) => return Ok(Verdict::Exists),
            Some((_, Err(Refusal::Unfit(why)))) => return Ok(Verdict::Unfit(why)),
            Some((_, Err(Refusal::Denied(why)))) => return Err(OpenError::Wrong(why)),
            Some((_, Err(Refusal::Later { why, .. }))) => last = why,
            None => return Err(OpenError::NotYet("it does not answer".to_owned())),
        }
    }
    Err(OpenError::NotYet(last))
}
