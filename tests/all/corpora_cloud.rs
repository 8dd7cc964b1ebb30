//! Scores on audit records of clouds and on Windows events (see `support/scores.rs`): an event is whole if every value
//! that it holds is in the parsed event too, and its time is its own.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aludel::catalog::{self, Machine};
use aludel::event::Options;
use aludel::format::Reference;
use aludel::grammar::{Found, Reader};
use aludel::replay::{captured, replay};
use aludel::source::recorded::{Bytes, Recording};
use serde_json::Value;

use super::events::Events;
use super::scores::{self, corpus};

/// A value as it is compared: text that is a time as that time, other text without regard to case.
fn norm(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => {
            let zoned = if text.ends_with('Z') { text.clone() } else { format!("{text}Z") };
            let time = zoned.replacen(' ', "T", 1).parse::<jiff::Timestamp>().or_else(|_| text.parse());
            Some(time.map_or_else(|_| text.to_lowercase(), |time| time.as_nanosecond().to_string()))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

fn leaves(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| leaves(value, out)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        scalar => out.extend(norm(scalar)),
    }
}

/// Values of an event that its parsed form lacks. Lengths of time are in nanoseconds there.
fn lost(event: &Value, parsed: &Value) -> Vec<String> {
    let (mut wanted, mut found) = (BTreeSet::new(), BTreeSet::new());
    leaves(event, &mut wanted);
    if let Value::Object(members) = parsed {
        let made = ["event.original", "log.offset"];
        members.iter().filter(|(key, _)| !made.contains(&key.as_str())).for_each(
            |(key, value)| match value {
                Value::Object(inner) if key == "event" => {
                    inner
                        .iter()
                        .filter(|(key, _)| *key != "original")
                        .for_each(|(_, value)| leaves(value, &mut found));
                }
                value => leaves(value, &mut found),
            },
        );
    }
    let there = |value: &String| {
        let length = |unit: i128| value.parse::<i128>().ok().map(|int| (int * unit).to_string());
        let mut lengths = [1_000_000, 1_000_000_000].into_iter().filter_map(length);
        // An address and its port have fields of their own, and levels one name each.
        let parts = value.rsplit_once(':').map(|(address, port)| [address.to_owned(), port.to_owned()]);
        let level = ["information", "informational"].contains(&value.as_str());
        found.contains(value)
            || lengths.any(|length| found.contains(&length))
            || parts.is_some_and(|parts| parts.iter().all(|part| found.contains(part)))
            || level && found.contains("info")
    };
    wanted.into_iter().filter(|value| !there(value)).collect()
}

/// The time that an event says of itself, under the names that these logs have.
fn own_time(event: &Value) -> Option<String> {
    let names = ["eventTime", "requestReceivedTimestamp", "timestamp", "TimeCreated", "@timestamp"];
    names.iter().find_map(|name| event.get(name)).and_then(norm).filter(|time| time.len() >= 16)
}

#[derive(Default)]
struct Score {
    whole: u64,
    total: u64,
}

impl Score {
    fn add(&mut self, event: &Value, parsed: &Value, name: &str) {
        self.total += 1;
        let mut wrong = lost(event, parsed);
        if let Some(time) = own_time(event)
            && parsed.get("@timestamp").and_then(norm).as_ref() != Some(&time)
        {
            wrong.push(format!("the time {time}, found {:?}", parsed.get("@timestamp")));
        }
        if wrong.is_empty() {
            self.whole += 1;
        } else if std::env::var_os("ALUDEL_SHOW").is_some() {
            println!("LOST {name}: {wrong:?}");
        }
    }
}

fn parse(reader: &mut Reader, line: &str) -> Value {
    let mut out = Vec::new();
    reader.parse(line.as_bytes(), Found::default(), &mut out);
    serde_json::from_slice(&out).expect("an event is JSON")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn windows_events() {
    let Some(folder) = corpus("windows-events") else { return };
    let mut reader = Reader::new("auto", &Options::default(), Reference::default()).expect("auto");
    let mut score = Score::default();
    for path in files(&folder) {
        for line in fs::read_to_string(&path).expect("text").lines() {
            let event: Value = serde_json::from_str(line).expect("a line is JSON");
            let parsed = parse(&mut reader, line);
            let is_windows = parsed.pointer("/winlog/channel").is_some() || event.get("Channel").is_none();
            score.add(&event, if is_windows { &parsed } else { &Value::Null }, &path.display().to_string());
        }
    }
    scores::report("windows-events", "events whole, with their time", score.whole, score.total, 100.0);
}

#[test]
fn audit_records() {
    let Some(folder) = corpus("cloud-audit") else { return };
    let mut reader = Reader::new("auto", &Options::default(), Reference::default()).expect("auto");
    let mut score = Score::default();
    let text = fs::read_to_string(folder.join("panther_events.jsonl")).expect("text");
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).expect("a line is JSON");
        let event = entry.get("event").expect("an event");
        let parsed = parse(&mut reader, &event.to_string());
        score.add(event, &parsed, &entry["log_types"].to_string());
    }
    for path in files(&folder.join("otrf")) {
        for line in fs::read_to_string(&path).expect("text").lines() {
            let event: Value = serde_json::from_str(line).expect("a line is JSON");
            score.add(&event, &parse(&mut reader, line), "otrf");
        }
    }
    scores::report("cloud-audit", "events whole, with their time", score.whole, score.total, 100.0);
}

/// Files of records as they are delivered: `{"Records": […]}` in one line.
#[test]
fn deliveries_are_unrolled() {
    let Some(folder) = corpus("cloud-audit") else { return };
    let text = "source in = files \"none\"\nsink out = stdout\n\npipeline audit {\n  from in\n  \
                | parse .message as json else reject \"no json\"\n  | unroll .Records\n  \
                | parse .Records as aws.cloudtrail else reject \"no record\"\n  | to out\n}\n";
    let (file, errors) = aludel::lang::parse(text);
    assert!(errors.is_empty(), "{errors:?}");
    let (plan, errors) =
        aludel::lang::check(&file, &catalog::signatures(), &Machine { folder: folder.clone() });
    let plan = plan.unwrap_or_else(|| panic!("{errors:?}"));
    let plan = Arc::new(captured(catalog::build(plan).expect("a plan")));
    let mut score = Score::default();
    for path in files(&folder.join("invictus-cloudtrail")) {
        let bytes = fs::read(&path).expect("a file");
        let delivery: Value = serde_json::from_slice(&bytes).expect("JSON");
        let records = delivery["Records"].as_array().expect("records");
        let recording = Recording {
            path: path.display().to_string(),
            size: bytes.len() as u64,
            file: Box::new(Bytes(bytes)),
        };
        let mut events = Events::default();
        replay(&plan, 0, vec![recording], 0, &mut events).expect("a replay");
        assert_eq!(events.0.len(), records.len(), "{}", path.display());
        let ids: BTreeSet<String> = events.0.iter().filter_map(|event| norm(event.get("_id")?)).collect();
        assert!(ids.is_empty() || ids.len() == records.len(), "each event has an id of its own");
        for (record, event) in records.iter().zip(&events.0) {
            let mut event = event.clone();
            event["message"] = Value::Null;
            event["Records"] = Value::Null;
            score.add(record, &event, "delivery");
        }
    }
    scores::report("cloud-audit", "records of deliveries, unrolled", score.whole, score.total, 100.0);
}
