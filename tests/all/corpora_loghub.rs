//! The headers of real system logs: what people took for time, level, component and message of each line.

#![allow(clippy::string_slice, reason = "what is cut here is ASCII, and a test may panic where it is not")]

use std::collections::BTreeMap;

use aludel::event::Options;
use aludel::format::Reference;
use aludel::grammar::{Found, Reader};
use serde_json::Value;

use super::scores::{corpus, report};

/// System, format, and of each field the columns that it must equal, joined by a blank.
type System = (&'static str, &'static str, &'static [(&'static str, &'static [&'static str])]);

/// A column that is called a level or a user holds the host where the line is syslog's.
const SYSTEMS: [System; 8] = [
    (
        "Apache",
        "apache.error",
        &[("@timestamp", &["Time"]), ("log.level", &["Level"]), ("message", &["Content"])],
    ),
    (
        "HDFS",
        "java",
        &[
            ("@timestamp", &["Date", "Time"]),
            ("process.thread.id", &["Pid"]),
            ("log.level", &["Level"]),
            ("log.logger", &["Component"]),
            ("message", &["Content"]),
        ],
    ),
    (
        "HPC",
        "hpc.log",
        &[
            ("@timestamp", &["Time"]),
            ("host.hostname", &["Node"]),
            ("log.logger", &["Component"]),
            ("event.action", &["State"]),
            ("message", &["Content"]),
        ],
    ),
    (
        "Linux",
        "syslog",
        &[
            ("@timestamp", &["Month", "Date", "Time"]),
            ("host.hostname", &["Level"]),
            ("process.name", &["Component"]),
            ("process.pid", &["PID"]),
            ("message", &["Content"]),
        ],
    ),
    (
        "Mac",
        "macos.system",
        &[
            ("@timestamp", &["Month", "Date", "Time"]),
            ("host.hostname", &["User"]),
            ("process.name", &["Component"]),
            ("process.pid", &["PID"]),
            ("macos.sender", &["Address"]),
            ("message", &["Content"]),
        ],
    ),
    (
        "OpenSSH",
        "system.auth",
        &[
            ("@timestamp", &["Date", "Day", "Time"]),
            ("host.hostname", &["Component"]),
            ("process.pid", &["Pid"]),
            ("message", &["Content"]),
        ],
    ),
    (
        "OpenStack",
        "python",
        &[
            ("@timestamp", &["Date", "Time"]),
            ("process.pid", &["Pid"]),
            ("log.level", &["Level"]),
            ("log.logger", &["Component"]),
            ("openstack.request", &["ADDR"]),
            ("message", &["Content"]),
        ],
    ),
    (
        "Spark",
        "java",
        &[
            ("@timestamp", &["Date", "Time"]),
            ("log.level", &["Level"]),
            ("log.logger", &["Component"]),
            ("message", &["Content"]),
        ],
    ),
];

/// The records of a CSV file, by the names in its first one.
fn records(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines();
    let names = cells(lines.next().unwrap_or_default());
    lines.map(|line| names.iter().cloned().zip(cells(line)).collect()).collect()
}

fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

/// The time that a text is, read by a form that takes any.
pub(super) fn instant(text: &str, reference: &Reference) -> Option<String> {
    let mut out = Vec::new();
    let epoch = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if epoch {
        let seconds: f64 = text.parse().ok()?;
        return jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).ok().map(millis);
    }
    let written = match text.split_once(' ') {
        // The dates of HDFS and Spark, as `plain` has them.
        Some((date, clock)) if date.len() == 6 => {
            format!(
                "20{}-{}-{} {}:{}:{}",
                &date[..2],
                &date[2..4],
                &date[4..],
                &clock[..2],
                &clock[2..4],
                &clock[4..]
            )
        }
        Some((date, clock)) if date.len() == 8 && date.as_bytes()[2] == b'/' => format!("20{date} {clock}"),
        _ => text.to_owned(),
    };
    let mut reader = Reader::new("plain", &Options::default(), reference.clone()).ok()?;
    reader.parse(format!("{written} -").as_bytes(), Found::default(), &mut out);
    let event: Value = serde_json::from_slice(&out).ok()?;
    event["@timestamp"].as_str()?.parse::<jiff::Timestamp>().ok().map(millis)
}

fn millis(time: jiff::Timestamp) -> String {
    time.as_millisecond().to_string()
}

/// The value at a dotted path, as text; empty where there is none.
pub(super) fn at(event: &Value, path: &str) -> String {
    let value = event.pointer(&format!("/{}", path.replace('.', "/"))).or_else(|| event.get(path));
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[test]
fn loghub_headers_are_read() {
    let Some(folder) = corpus("loghub") else { return };
    // 2018-01-01, after the youngest of them.
    let reference = Reference::at(1_514_764_800_000_000_000);
    let (mut good, mut total) = (0u64, 0u64);
    for (system, format, fields) in SYSTEMS {
        let folder = folder.join(system);
        let text = std::fs::read(folder.join(format!("{system}_2k.log"))).expect("a log");
        let text = String::from_utf8_lossy(&text);
        let csv = std::fs::read(folder.join(format!("{system}_2k.log_structured.csv"))).expect("a table");
        let mut reader = Reader::new(format, &Options::default(), reference.clone()).expect("a format");
        let (mut read, mut count, mut shown) = (0u64, 0u64, 0);
        for (line, record) in text.lines().zip(records(&String::from_utf8_lossy(&csv))) {
            let mut out = Vec::new();
            reader.parse(line.as_bytes(), Found::default(), &mut out);
            let event: Value = serde_json::from_slice(&out).expect("json");
            let wrong: Vec<_> = fields
                .iter()
                .filter(|(path, columns)| !equal(&event, path, columns, &record, &reference))
                .collect();
            count += 1;
            read += u64::from(wrong.is_empty());
            if !wrong.is_empty() && shown < 3 {
                shown += 1;
                let found: Vec<_> =
                    wrong.iter().map(|(path, _)| format!("{path}={:?}", at(&event, path))).collect();
                eprintln!("{system}: {} in {line}", found.join(" "));
            }
        }
        report("loghub", &format!("headers of {system}"), read, count, 99.0);
        (good, total) = (good + read, total + count);
    }
    report("loghub", "headers", good, total, 99.0);
}

fn equal(
    event: &Value,
    path: &str,
    columns: &[&str],
    record: &BTreeMap<String, String>,
    reference: &Reference,
) -> bool {
    let expected = columns.iter().filter_map(|column| record.get(*column)).map(|cell| cell.trim());
    let expected = expected.collect::<Vec<_>>().join(" ");
    let found = at(event, path);
    // What is written as `-` is absent here.
    let expected = if expected == "-" { String::new() } else { expected };
    match path {
        "@timestamp" => {
            let found = found.parse::<jiff::Timestamp>().ok().map(millis);
            found.is_some() && found == instant(&expected, reference)
        }
        "log.level" => found.eq_ignore_ascii_case(&expected),
        // The client is a field of its own here.
        "message" if expected.starts_with("[client ") => {
            expected.split_once("] ").is_some_and(|(_, text)| found.trim() == text)
        }
        _ => found.trim() == expected,
    }
}
