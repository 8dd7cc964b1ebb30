//! Detectors that keep state: what they were told in all lives, and whether they raised what the same events give when
//! nothing goes wrong.
//!
//! In: the bodies that their sink was offered ([`Observed`]), the bytes that it has settled in the end, the alerts that are
//! written. The measure is the same rules over all that is settled, in the order of its times, in one go
//! ([`Rehearsal`](crate::sink::Rehearsal)). Alerts are compared with it byte for byte, unless events were counted out of
//! their order, which is told and depends on when each log could be read. An id stands once, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::read_back::Row;
use super::token;
use crate::detect::stateful::bytes::Get;
use crate::detect::stateful::{Observation, Sign};
use crate::position::{CursorRecord, EVENT_ID_LEN, EventId};
use crate::seam::sim::SimFs;
use crate::sink::{Body, Payload, Provenance, RuleCounts, SinkPlan};

/// What a rule is told once: by an event, as a hit or a success.
type Told = ([u8; EVENT_ID_LEN], usize, Sign);

/// What one sink of detectors was told.
#[derive(Debug, Default)]
pub(super) struct Observed {
    told: BTreeMap<Told, Observation>,
    /// Whether anything was counted out of its order, or at a time that depends on when it was read.
    pub(super) is_loose: bool,
    /// Events of which it was told different things.
    pub(super) wrong: Vec<String>,
}

impl Observed {
    /// A body is offered.
    pub(super) fn note(&mut self, body: &Body) {
        let Payload::Bytes(bytes) = &body.payload else { return };
        let mut from = Get(bytes);
        while let Some(of) = Observation::read(&mut from) {
            let Some(before) = self.told.insert((of.id, of.rule, of.sign), of.clone()) else { continue };
            if before == of {
                continue;
            }
            self.is_loose = true;
            if (Observation { time_ns: of.time_ns, ..before.clone() }) != of {
                self.wrong.push(format!("an event was observed in two ways: {before:?} and {of:?}"));
            }
        }
    }

    /// What its rules say of themselves.
    pub(super) fn counts(&mut self, rules: &[(String, RuleCounts)]) {
        self.is_loose |= rules.iter().any(|(_, of)| of.behind > 0);
    }

    /// Takes in what another life was told.
    pub(super) fn add(&mut self, mut other: Self) {
        for (key, of) in other.told {
            if let Some(before) = self.told.insert(key, of.clone())
                && before != of
            {
                self.is_loose = true;
                if (Observation { time_ns: of.time_ns, ..before.clone() }) != of {
                    self.wrong.push(format!("an event was observed in two ways: {before:?} and {of:?}"));
                }
            }
        }
        self.is_loose |= other.is_loose;
        self.wrong.append(&mut other.wrong);
    }

    /// What the sink has settled of what it was told. What it was told and never settled has raised nothing.
    fn settled(&self, cursors: &[CursorRecord]) -> Vec<&Observation> {
        let mut ranges: BTreeMap<(u64, u16), Vec<&CursorRecord>> = BTreeMap::new();
        cursors.iter().for_each(|of| ranges.entry((of.stream.0, of.generation)).or_default().push(of));
        let is_settled = |of: &&Observation| {
            let Some(id) = EventId::decode(&of.id) else { return false };
            let of_stream = ranges.get(&(id.stream.0, id.generation)).into_iter().flatten();
            of_stream.into_iter().any(|of| id.end <= of.low || of.settled.covers(&(id.start..id.end)))
        };
        let mut settled: Vec<_> = self.told.values().filter(is_settled).collect();
        settled.sort_by_key(|of| (of.time_ns, of.id, of.rule, of.sign));
        settled
    }

    /// The events that it has settled, as rows.
    pub(super) fn rows(&self, cursors: &[CursorRecord]) -> Vec<Row> {
        let mut rows: BTreeMap<&[u8], Row> = BTreeMap::new();
        for of in self.settled(cursors) {
            let row = rows.entry(&of.id).or_insert_with(|| Row {
                id: Some(String::from_utf8_lossy(&of.id).into_owned()),
                ..Row::default()
            });
            for mark in token::all(&of.evidence).into_iter().chain(token::all(&of.labels)) {
                if !row.marks.contains(&mark) {
                    row.marks.push(mark);
                }
            }
        }
        rows.into_values().collect()
    }

    /// What is wrong with the alerts that are written. With what is settled they are compared with what that gives.
    pub(super) fn check(
        &self,
        plan: &dyn SinkPlan,
        cursors: Option<&Vec<CursorRecord>>,
        alerts: &[Vec<u8>],
    ) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        let ids: Vec<_> = alerts.iter().map(|line| id(line)).collect();
        let mut seen = BTreeSet::new();
        for (id, line) in ids.iter().zip(alerts) {
            if id.as_ref().is_none_or(|id| !seen.insert(id)) {
                wrong.push(format!("an alert is no alert, or is written twice: {}", shown(line)));
            }
        }
        let Some(cursors) = cursors else { return wrong };
        let expected = rehearse(plan, &self.settled(cursors));
        let (expected, written): (BTreeSet<_>, BTreeSet<_>) =
            (expected.iter().collect(), alerts.iter().collect());
        wrong.extend(
            expected.difference(&written).map(|line| format!("an alert is not written: {}", shown(line))),
        );
        wrong.extend(written.difference(&expected).map(|line| {
            format!("an alert is written that is not raised when nothing goes wrong: {}", shown(line))
        }));
        wrong
    }
}

/// What the rules raise of observations in order, when nothing goes wrong.
fn rehearse(plan: &dyn SinkPlan, of: &[&Observation]) -> Vec<Vec<u8>> {
    let Some(mut rehearsal) = plan.rehearse() else { return Vec::new() };
    let mut bytes = Vec::new();
    of.iter().for_each(|of| of.write(&mut bytes));
    rehearsal.offer(&Body {
        provenance: Arc::new(Provenance { batch: 0, ranges: Vec::new() }),
        row_ends: Vec::new(),
        rows: of.len() as u32,
        bytes: bytes.len(),
        payload: Payload::Bytes(Bytes::from(bytes)),
    });
    rehearsal.end()
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// The id of an alert as it is written.
fn id(line: &[u8]) -> Option<String> {
    let alert: Value = serde_json::from_slice(line).ok()?;
    Some(alert.get("id")?.as_str()?.to_owned())
}

/// The alerts in a folder, a line each. Half a line is left by a crash, and stands in another segment again.
pub(super) fn written(fs: &SimFs, folder: &Path) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for path in
        fs.files(folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "ndjson"))
    {
        let content = fs.content(&path).unwrap_or_default();
        let whole = content.split_inclusive(|byte| *byte == b'\n');
        lines.extend(whole.filter_map(|line| line.strip_suffix(b"\n")).map(<[u8]>::to_vec));
    }
    lines
}

/// The ids of alerts.
pub(super) fn ids(alerts: &[Vec<u8>]) -> BTreeSet<String> {
    alerts.iter().filter_map(|line| id(line)).collect()
}

/// The id of the alert that a document of a sink is, where it is one.
pub(super) fn of_document(document: &[u8]) -> Option<String> {
    memchr::memmem::find(document, b"\"aludel.alert\"")?;
    let document: Value = serde_json::from_slice(document).ok()?;
    let id = document.get("event.id").or_else(|| document.get("event")?.get("id"))?;
    Some(id.as_str()?.to_owned())
}
