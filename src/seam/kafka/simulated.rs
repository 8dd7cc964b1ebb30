//! A cluster in memory, for tests and the simulation: it keeps what is committed, fences, and misbehaves from a seed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Answer, Brokers, Outcome, Parcel, Producer, ProducerConfig, Record};
use crate::seam::Clock;
use crate::seam::sim::{Dice, SimClock};

/// A record that consumers of committed records see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The topic.
    pub topic: String,
    /// The header `aludel-id`.
    pub id: String,
    /// The key.
    pub key: Option<String>,
    /// The value.
    pub value: Vec<u8>,
}

impl Committed {
    fn of(record: &Record) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            topic: text(&record.topic),
            id: text(&record.id),
            key: record.key.as_deref().map(text),
            value: record.value.to_vec(),
        }
    }
}

/// What the cluster holds.
pub struct State {
    /// Committed records of all topics, in order.
    pub log: Vec<Committed>,
    /// The cursor topic.
    pub cursors: BTreeMap<String, Vec<u8>>,
    /// Faults that are still to come.
    pub faults: usize,
    /// Whether a record is one that the cluster never takes.
    pub refuses: fn(&Record) -> bool,
    epochs: HashMap<String, u64>,
    dice: Dice,
    clock: Arc<SimClock>,
}

/// The cluster; it outlives crashes of the process.
#[derive(Clone)]
pub struct Simulated(Arc<Mutex<State>>);

impl Simulated {
    /// An empty cluster that misbehaves so many times.
    pub fn new(seed: u64, clock: Arc<SimClock>, faults: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            log: Vec::new(),
            cursors: BTreeMap::new(),
            faults,
            refuses: |_| false,
            epochs: HashMap::new(),
            dice: Dice::new(seed),
            clock,
        })))
    }

    /// What it holds.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Brokers for Simulated {
    fn producer(
        &self,
        config: &ProducerConfig,
        _: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Producer>, String> {
        let id = config.transactions.as_ref().map(|of| of.id.clone());
        Ok(Box::new(Wire { cluster: self.clone(), id, epoch: None, answers: VecDeque::new() }))
    }
}

/// One process's connection.
struct Wire {
    cluster: Simulated,
    /// The transactional id.
    id: Option<String>,
    /// While it is connected.
    epoch: Option<u64>,
    answers: VecDeque<(Duration, Answer)>,
}

/// What goes wrong with one call.
enum Fault {
    None,
    /// The call is not carried out, and the connection is lost.
    LostBefore,
    /// The call is carried out, and the connection is lost before the answer.
    LostAfter,
    /// Some records are not taken.
    Some,
}

impl State {
    fn fault(&mut self) -> Fault {
        if self.faults == 0 || !self.dice.one_in(3) {
            return Fault::None;
        }
        self.faults -= 1;
        match self.dice.below(3) {
            0 => Fault::LostBefore,
            1 => Fault::LostAfter,
            _ => Fault::Some,
        }
    }

    /// Carries a parcel out as far as it goes.
    fn take(&mut self, parcel: &Parcel, transaction: bool, fault: &Fault) -> Outcome {
        let mut outcome = Outcome { ticket: parcel.ticket, ..Outcome::default() };
        let mut taken = Vec::new();
        // A few records share a request; one that is refused takes the others with it.
        let mut at = 0;
        while let Some(first) = parcel.records.get(at) {
            let rest = parcel.records.iter().skip(at);
            let length =
                if first.alone { 1 } else { rest.take_while(|record| !record.alone).take(4).count() };
            let rows = at..at + length;
            let refuses = self.refuses;
            let lost = matches!(fault, Fault::Some) && self.dice.one_in(3);
            for row in rows.clone() {
                match parcel.records.get(rows.clone()).is_some_and(|records| records.iter().any(refuses)) {
                    true if first.alone => outcome.refused.push((row as u32, "too large".into())),
                    true => outcome.suspects.push(row as u32),
                    false if lost => outcome.again.push(row as u32),
                    false => taken.push(row),
                }
            }
            at += length;
        }
        let whole = outcome.again.is_empty() && outcome.suspects.is_empty() && outcome.refused.is_empty();
        if transaction && !whole {
            outcome.again.append(&mut taken.iter().map(|row| *row as u32).collect());
        } else {
            self.log.extend(taken.iter().filter_map(|row| parcel.records.get(*row)).map(Committed::of));
            for (key, value) in &parcel.cursors {
                match value {
                    Some(value) => self.cursors.insert(key.clone(), value.clone()),
                    None => self.cursors.remove(key),
                };
            }
        }
        outcome.why = (!outcome.again.is_empty()).then(|| "as told".to_owned());
        outcome
    }
}

impl Producer for Wire {
    fn connect(&mut self) {
        self.answers.clear();
        let mut state = self.cluster.state();
        let at = state.clock.monotonic() + Duration::from_millis(1 + state.dice.below(300));
        let lost = matches!(state.fault(), Fault::LostBefore);
        self.epoch = None;
        let answer = if lost {
            Answer::Lost { why: "as told".into(), fenced: false }
        } else {
            let mut entries = Vec::new();
            self.epoch = Some(0);
            if let Some(id) = &self.id {
                let epoch = state.epochs.entry(id.clone()).or_default();
                *epoch += 1;
                self.epoch = Some(*epoch);
                let own = state.cursors.iter().filter(|(key, _)| key.starts_with(&format!("{id}/")));
                entries = own.map(|(key, value)| (key.clone(), value.clone())).collect();
            }
            Answer::Ready(entries)
        };
        self.answers.push_back((at, answer));
    }

    fn send(&mut self, parcel: Parcel) {
        let mut state = self.cluster.state();
        let at = state.clock.monotonic() + Duration::from_millis(1 + state.dice.below(50));
        let Some(epoch) = self.epoch else { return };
        let fenced = self.id.as_ref().is_some_and(|id| state.epochs.get(id) != Some(&epoch));
        if fenced {
            self.epoch = None;
            let why = "a newer epoch".to_owned();
            self.answers.push_back((at, Answer::Lost { why, fenced: true }));
            return;
        }
        let fault = state.fault();
        let lost = matches!(fault, Fault::LostBefore | Fault::LostAfter);
        let outcome = if matches!(fault, Fault::LostBefore) {
            Outcome::default()
        } else {
            state.take(&parcel, self.id.is_some(), &fault)
        };
        if lost {
            self.epoch = None;
            // What came before it was still answered.
            self.answers.push_back((at, Answer::Lost { why: "connection reset".into(), fenced: false }));
        } else {
            self.answers.push_back((at, Answer::Done(outcome)));
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        let now = self.cluster.state().clock.monotonic();
        let due = self.answers.front().is_some_and(|(at, _)| *at <= now);
        if due { self.answers.pop_front().map(|(_, answer)| answer) } else { None }
    }
}
