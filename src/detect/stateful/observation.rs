//! What a worker saw of one event, on its way to the owner of a detector's state.
//!
//! Layout of one record: its length (`u32`), the event's time (`i64`), its id (36 letters), then what the step wrote
//! ([`Seen::write`]): rule (`u64`), sign (one byte), key (`u64`), value (`u64`), labels, evidence, and, for a profile,
//! traits, for a flood the name of the source. Little-endian.

use super::bytes::{Get, Put};
use crate::position::EVENT_ID_LEN;

/// What an event means for its detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// What is counted.
    Hit,
    /// It went well after all.
    Success,
}

/// What a step saw of an event, without its time and id.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Number of the rule within the pipeline.
    pub rule: usize,
    /// What it means.
    pub sign: Sign,
    /// Hash of the key.
    pub key: u64,
    /// Hash of the value whose variety counts; 0 where none does.
    pub value: u64,
    /// The key: a JSON object of its fields.
    pub labels: &'a [u8],
    /// A JSON object with what is shown of the event.
    pub evidence: &'a [u8],
    /// What a profile is held against ([`Traits`](super::Traits)), or the name of what varies; empty where there is neither.
    pub traits: &'a [u8],
}

impl Seen<'_> {
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u64(self.rule as u64);
        out.push(u8::from(self.sign == Sign::Success));
        out.put_u64(self.key);
        out.put_u64(self.value);
        out.put_bytes(self.labels);
        out.put_bytes(self.evidence);
        if !self.traits.is_empty() {
            out.put_bytes(self.traits);
        }
    }
}

/// Appends a record: what a step saw, with the event's time and id.
pub fn write_record(time_ns: i64, id: &[u8; EVENT_ID_LEN], seen: &[u8], out: &mut Vec<u8>) {
    let length = 8 + EVENT_ID_LEN + seen.len();
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.put_i64(time_ns);
    out.extend_from_slice(id);
    out.extend_from_slice(seen);
}

/// One event as its detector sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When it happened, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// The event's id.
    pub id: [u8; EVENT_ID_LEN],
    /// Number of the rule within the pipeline.
    pub rule: usize,
    /// What it means.
    pub sign: Sign,
    /// Hash of the key.
    pub key: u64,
    /// Hash of the value whose variety counts.
    pub value: u64,
    /// The key: a JSON object of its fields.
    pub labels: Box<[u8]>,
    /// A JSON object with what is shown of the event.
    pub evidence: Box<[u8]>,
    /// What a profile is held against, or the name of what varies.
    pub traits: Box<[u8]>,
}

impl Observation {
    /// That time has passed, for a key.
    pub(super) fn of_nobody(time_ns: i64, labels: &[u8]) -> Self {
        let (id, rule, sign, key, value) = ([0; EVENT_ID_LEN], 0, Sign::Hit, 0, 0);
        let (evidence, traits) = (Box::default(), Box::default());
        Self { time_ns, id, rule, sign, key, value, labels: labels.into(), evidence, traits }
    }

    /// Reads the next record.
    pub fn read(from: &mut Get<'_>) -> Option<Self> {
        let mut record = Get(from.bytes()?);
        let (time_ns, id) = (record.i64()?, record.array()?);
        let rule = usize::try_from(record.u64()?).ok()?;
        let sign = if record.byte()? == 1 { Sign::Success } else { Sign::Hit };
        let (key, value) = (record.u64()?, record.u64()?);
        let (labels, evidence) = (record.bytes()?.into(), record.bytes()?.into());
        let traits = if record.0.is_empty() { &[] } else { record.bytes()? }.into();
        Some(Self { time_ns, id, rule, sign, key, value, labels, evidence, traits })
    }

    /// Appends it as a record.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { time_ns, id, rule, sign, key, value, labels, evidence, traits } = self;
        let (rule, sign, key, value) = (*rule, *sign, *key, *value);
        let mut seen = Vec::new();
        Seen { rule, sign, key, value, labels, evidence, traits }.write(&mut seen);
        write_record(*time_ns, id, &seen, out);
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.labels.len() + self.evidence.len() + self.traits.len()
    }
}
