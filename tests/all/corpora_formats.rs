//! Real logs with the events that others made of them (see `support/scores.rs`).

use std::collections::BTreeMap;

use aludel::event::{OptionValue, Options};
use aludel::format::Reference;
use aludel::grammar::{Found, Reader};
use serde_json::Value;

use super::scores::{self, corpus};

fn reader(name: &str, zone: &str) -> Reader {
    let options = Options::new(Vec::new(), vec![("zone", OptionValue::Text(zone.into()))]);
    // 2021-07-01, when the corpus was made.
    Reader::new(name, &options, Reference::at(1_625_097_600_000_000_000)).expect("a format")
}

/// Messages with their offset: a line that `starts` does not hold of continues the one before.
fn messages(text: &[u8], starts: fn(&[u8]) -> bool) -> Vec<(u64, Vec<u8>)> {
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        match found.last_mut() {
            Some((_, message)) if !starts(content) => {
                message.push(b'\n');
                message.extend_from_slice(content);
            }
            _ => found.push((at, content.to_vec())),
        }
        at += line.len() as u64;
    }
    found
}

fn flat(prefix: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flat(&path, value, out);
            }
        }
        other => {
            out.insert(prefix.to_owned(), other.clone());
        }
    }
}

/// Keys that come from data bases, from the shipper's own settings, or that are lists of values found elsewhere.
const NOT_COMPARED: &[&str] = &[
    "user_agent.name",
    "user_agent.version",
    "user_agent.os",
    "user_agent.device",
    "event.timezone",
    "event.module",
    "event.type",
    "event.category",
    "fileset",
    "input",
    "service",
    "related",
    "log.flags",
    "url.extension",
    "url.domain",
    "postgresql.log.timestamp",
    "file.path",
];

fn compared(key: &str) -> bool {
    let list = key.contains("_list") || key.contains(".geo.") || key.contains(".as.");
    !list && !NOT_COMPARED.iter().any(|prefix| key.starts_with(prefix))
}

fn same(key: &str, expected: &Value, found: Option<&Value>) -> bool {
    // What is written as `-` is absent here.
    if expected == "-" || expected == "" {
        return found.is_none_or(|found| found == expected);
    }
    let Some(found) = found else { return false };
    let instant = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    match (key, expected.as_f64(), found.as_f64()) {
        // Upstream cuts to milliseconds.
        ("@timestamp", ..) => {
            instant(expected).map(|time| time.as_millisecond())
                == instant(found).map(|time| time.as_millisecond())
        }
        ("log.level", ..) => {
            expected.as_str().map(str::to_lowercase) == found.as_str().map(str::to_lowercase)
        }
        (_, Some(expected), Some(found)) => (expected - found).abs() < 1e-9,
        _ => {
            expected == found || expected.to_string().trim_matches('"') == found.to_string().trim_matches('"')
        }
    }
}

#[test]
fn filebeat_modules_give_the_events_that_filebeat_gave() {
    let Some(folder) = corpus("filebeat-modules") else { return };
    let always: fn(&[u8]) -> bool = |_| true;
    let digit: fn(&[u8]) -> bool = |line| line.first().is_some_and(u8::is_ascii_digit);
    // Fileset, grammar, what begins a message.
    let table = [
        ("nginx/access", "nginx.access", always),
        ("nginx/error", "nginx.error", digit),
        ("nginx/ingress_controller", "nginx.ingress_controller", always),
        ("apache/access", "apache.access", always),
        ("apache/error", "apache.error", always),
        ("postgresql/log", "postgresql.log", digit),
        ("redis/log", "redis.log", always),
        ("system/auth", "system.auth", always),
    ];
    let (mut all, mut all_equal) = (0, 0);
    for (fileset, grammar, starts) in table {
        let (mut total, mut equal, mut misses) = (0u64, 0u64, BTreeMap::<String, (u64, String)>::new());
        for entry in std::fs::read_dir(folder.join(fileset).join("test")).expect("a fileset") {
            let path = entry.expect("an entry").path();
            let expected = path.with_file_name(format!(
                "{}-expected.json",
                path.file_name().expect("a name").to_string_lossy()
            ));
            if path.to_string_lossy().contains(".csv.") || !expected.is_file() {
                continue;
            }
            let mut reader = reader(grammar, "-02:00");
            let mut events = BTreeMap::new();
            for (offset, text) in messages(&std::fs::read(&path).expect("a log"), starts) {
                let mut out = Vec::new();
                reader.parse(&text, Found { offset, time_ns: None }, &mut out);
                let mut event = BTreeMap::new();
                flat("", &serde_json::from_slice(&out).expect("json"), &mut event);
                events.insert(offset, event);
            }
            let expected: Vec<BTreeMap<String, Value>> =
                serde_json::from_slice(&std::fs::read(expected).expect("events")).expect("json");
            for event in expected {
                let found =
                    event.get("log.offset").and_then(Value::as_u64).and_then(|offset| events.get(&offset));
                for (key, value) in event.iter().filter(|(key, _)| compared(key)) {
                    total += 1;
                    let got = found.and_then(|found| found.get(key));
                    // Without a year upstream takes that of the day on which it ran.
                    let yearless = key == "@timestamp" && ["redis/log", "system/auth"].contains(&fileset);
                    // A message upstream is the whole text where ours is the part for people.
                    let whole = key == "message"
                        && found.and_then(|found| found.get("event.original")) == Some(value);
                    if yearless || whole || same(key, value, got) {
                        equal += 1;
                    } else {
                        let miss = misses.entry(key.clone()).or_default();
                        *miss = (miss.0 + 1, format!("{value} found {got:?}").chars().take(160).collect());
                    }
                }
            }
        }
        let percent = equal * 100 / total.max(1);
        println!("{fileset:<26} {equal} of {total} values, {percent} %");
        for (key, (count, example)) in misses.iter().take(12) {
            println!("    {count:>5} {key}: {example}");
        }
        (all, all_equal) = (all + total, all_equal + equal);
    }
    scores::report("filebeat-modules", "values equal", all_equal, all, 97.0);
}

/// Lines of unknown format: how many are told and get a time.
#[test]
fn unknown_logs_get_their_time() {
    let mut rows = Vec::new();
    if let Some(folder) = corpus("loghub") {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            if path.is_dir() {
                rows.push((path.join(format!("{name}_2k.log")), name));
            }
        }
    }
    if let Some(folder) = corpus("misc-formats") {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("logfile_") {
                rows.push((path, name));
            }
        }
    }
    rows.sort_by(|a, b| a.1.cmp(&b.1));
    let mut reader = reader("auto", "UTC");
    let (mut files, mut timed_files) = (0u64, 0u64);
    for (path, name) in rows {
        let Ok(text) = std::fs::read(&path) else { continue };
        let (mut total, mut told, mut timed) = (0, 0, 0);
        for (offset, text) in
            messages(&text, |line| line.first().is_some_and(|byte| !byte.is_ascii_whitespace()))
                .into_iter()
                .take(300)
        {
            let mut out = Vec::new();
            told += u32::from(reader.parse(&text, Found { offset, time_ns: None }, &mut out));
            timed += u32::from(out.starts_with(b"{\"@timestamp\":\""));
            total += 1;
        }
        println!("{name:<40} {total:>4} messages, {told:>4} told, {timed:>4} with a time");
        files += 1;
        timed_files += u64::from(timed * 2 >= total);
    }
    if files > 0 {
        scores::report(
            "misc-formats, loghub",
            "files with a time in half of the messages",
            timed_files,
            files,
            90.0,
        );
    }
}
