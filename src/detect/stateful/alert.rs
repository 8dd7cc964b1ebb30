//! An alert: what a stateful detector has to say, once.
//!
//! One flat JSON object a line; the format `aludel.alert` reads it back.

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::bytes::{Get, Put};
use super::observation::Observation;
use super::rule::Rule;
use crate::event::write_timestamp;
use crate::limits::ALERT_EVIDENCE_EVENTS_MAX;

/// What an alert says of what it tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there.
    #[default]
    Firing,
    /// It is over.
    Resolved,
}

impl State {
    fn is_firing(&self) -> bool {
        *self == Self::Firing
    }
}

/// An alert.
#[derive(Clone, Debug, Serialize)]
pub struct Alert {
    /// When the event happened that raised it, as RFC 3339.
    pub time: String,
    /// Made of rule, key and start, or what raised it, so that the same alert has the same id whoever raises it.
    pub id: String,
    /// The rule.
    pub rule: String,
    /// Its detector.
    pub detector: &'static str,
    /// Its pipeline.
    pub pipeline: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: &'static str,
    /// `resolved` where it says that what other alerts of its rule and key told of is over.
    #[serde(skip_serializing_if = "State::is_firing")]
    pub state: State,
    /// What was seen, in words.
    pub reason: String,
    /// How improbable it is, in bits, where the detector says so: one more is half as likely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The technique in MITRE ATT&CK.
    pub technique: String,
    /// First of the events that it counts.
    pub start: String,
    /// Last of them.
    pub end: String,
    /// How many they are.
    pub count: u64,
    /// The key.
    pub labels: Box<RawValue>,
    /// Some of the events: id, time and the fields that the rule looks at.
    pub evidence: Box<RawValue>,
}

/// What an alert says beside what its rule says.
#[derive(Debug)]
pub(super) struct Raised<'a> {
    /// The event that raised it.
    pub by: &'a Observation,
    /// Time of the first event that counts.
    pub start_ns: i64,
    /// How many count.
    pub count: u64,
    /// In words.
    pub reason: String,
    /// The severity, where it is not the rule's.
    pub severity: Option<&'static str>,
    /// How improbable it is, where that is known.
    pub score: Option<f64>,
    /// Which alert of the same start it is; 0 for the first.
    pub stage: u8,
    /// Events to show.
    pub evidence: &'a Evidence,
}

/// The stage of the alert that says that what others told of is over.
const OVER: u8 = u8::MAX;

/// What an alert says of something that is over.
#[derive(Debug)]
pub(super) struct Over<'a> {
    /// The key.
    pub labels: &'a [u8],
    /// When it began, as the alert has it that told of it.
    pub start_ns: i64,
    /// Since when it is over.
    pub over_ns: i64,
    /// Events in all.
    pub count: u64,
    /// In words.
    pub reason: String,
    /// The severity, where it is not the rule's.
    pub severity: Option<&'static str>,
}

impl Alert {
    /// The word that something is over.
    pub(super) fn over(rule: &Rule, over: Over<'_>) -> Self {
        let Over { labels, start_ns, over_ns, count, reason, severity } = over;
        let by = Observation::of_nobody(over_ns, labels);
        let (score, stage, evidence) = (None, OVER, &Evidence::default());
        let raised = Raised { by: &by, start_ns, count, reason, severity, score, stage, evidence };
        Self { state: State::Resolved, ..Self::new(rule, raised) }
    }

    pub(super) fn new(rule: &Rule, raised: Raised<'_>) -> Self {
        let start_ns = raised.start_ns;
        Self::told_by(rule, &start_ns.to_be_bytes(), raised)
    }

    /// An alert that its start does not tell from others of its key: what it is told by does.
    pub(super) fn told_by(rule: &Rule, told: &[u8], raised: Raised<'_>) -> Self {
        let Raised { by, start_ns, count, reason, severity, score, stage, evidence } = raised;
        let mut hash = Sha256::new();
        for part in [rule.pipeline.as_bytes(), rule.name.as_bytes(), rule.detector.as_bytes(), &by.labels] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(told);
        hash.update([stage]);
        let id: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self {
            time: time(by.time_ns),
            id,
            rule: rule.name.clone(),
            detector: rule.detector,
            pipeline: rule.pipeline.clone(),
            severity: severity.unwrap_or(rule.severity),
            state: State::Firing,
            reason,
            score,
            technique: rule.technique.clone(),
            start: time(start_ns.min(by.time_ns)),
            end: time(by.time_ns),
            count,
            labels: raw(&by.labels, "{}"),
            evidence: raw(&evidence.json(), "[]"),
        }
    }

    /// The line of the folder, without its end.
    pub fn line(&self) -> Vec<u8> {
        // Texts and numbers only, which always are JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// JSON text as it is. What a step wrote is JSON; should it not be, nothing is shown rather than anything else.
fn raw(json: &[u8], other: &str) -> Box<RawValue> {
    let text = String::from_utf8(json.to_vec()).ok().and_then(|text| RawValue::from_string(text).ok());
    text.or_else(|| RawValue::from_string(other.to_owned()).ok()).unwrap_or_default()
}

fn time(unix_ns: i64) -> String {
    let mut text = Vec::new();
    write_timestamp(unix_ns, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The last few events of a key, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence(Vec<(i64, Box<[u8]>)>);

impl Evidence {
    /// Takes in an event.
    pub(super) fn note(&mut self, of: &Observation) {
        let mut json = Vec::with_capacity(of.evidence.len() + 100);
        json.extend_from_slice(b"{\"event.id\":\"");
        json.extend_from_slice(&of.id);
        json.extend_from_slice(b"\",\"@timestamp\":\"");
        write_timestamp(of.time_ns, &mut json);
        json.push(b'"');
        match of.evidence.get(1..) {
            Some(members) if members.len() > 1 => {
                json.push(b',');
                json.extend_from_slice(members);
            }
            _ => json.push(b'}'),
        }
        let at = self.0.partition_point(|(time, _)| *time <= of.time_ns);
        self.0.insert(at, (of.time_ns, json.into()));
        if self.0.len() > ALERT_EVIDENCE_EVENTS_MAX {
            self.0.remove(0);
        }
    }

    /// Forgets events from before this time.
    pub(super) fn keep_from(&mut self, start_ns: i64) {
        self.0.retain(|(time, _)| *time >= start_ns);
    }

    fn json(&self) -> Vec<u8> {
        let mut out = vec![b'['];
        for (at, (_, json)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(json);
        }
        out.push(b']');
        out
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(_, json)| json.len() + 32).sum()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.0.len() as u64);
        for (time, json) in &self.0 {
            out.put_i64(*time);
            out.put_bytes(json);
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let count = from.count()?;
        let read = |_| Some((from.i64()?, from.bytes()?.into()));
        (0..count).map(read).collect::<Option<_>>().map(Self)
    }
}
