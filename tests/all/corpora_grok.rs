//! Logstash's own test lines, with the patterns that come with aludel; and Logstash's pattern files, loaded as a user
//! would.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::Path;

use aludel::event::{OptionValue, Options};
use aludel::format::Reference;
use aludel::grammar::{Found, Reader};
use serde_json::Value;

use super::scores;

/// Cases that are read otherwise on purpose, each with its reason.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "lspc-0012",
        "a line of the format of 2019 with columns behind the last that the pattern names; upstream lets an earlier \
         value take in several columns, so that all others are shifted; here columns stay what they are",
    ),
    (
        "lspc-0059",
        "a Zeek line with columns that Bro's did not have, read by the pattern for Bro; the same as above",
    ),
];

/// What every event has, and what Logstash keeps to itself.
const OURS: &[&str] = &["@timestamp", "@metadata", "error", "event", "log", "message"];

fn options(pattern: &str, mode: &str, files: Vec<(String, String)>) -> Options {
    let set = if mode == "legacy" { "legacy" } else { "ecs" };
    Options::new(
        Vec::new(),
        vec![
            ("pattern", OptionValue::Texts(vec![pattern.to_owned()])),
            ("set", OptionValue::Text(set.to_owned())),
            ("pattern_files", OptionValue::Files(files)),
        ],
    )
}

fn at<'v>(event: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(event, |value, key| value.get(key))
}

/// Whether every leaf of `expected` is in `found`.
fn differences(path: &str, expected: &Value, found: Option<&Value>, line: &str, out: &mut Vec<String>) {
    if let (Value::Object(members), Some(_)) = (expected, found) {
        for (key, value) in members {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            differences(&path, value, found.and_then(|found| found.get(key)), line, out);
        }
        return;
    }
    // Logstash adds what is captured as `message` to the line; here it takes its place.
    let expected = match expected {
        Value::Array(both) if path == "message" && both.len() == 2 && both[0] == line => &both[1],
        other => other,
    };
    // The event's original text stands below what was captured as `event`.
    let found = found.map(|found| found.get("_value").unwrap_or(found));
    if expected.is_null() {
        if let Some(found) = found.filter(|_| !path.is_empty()) {
            out.push(format!("{path}: expected nothing, found {found}"));
        }
        return;
    }
    let same = match (expected.as_f64(), found.and_then(Value::as_f64)) {
        (Some(one), Some(two)) => one == two,
        _ => found == Some(expected) || (found.is_none() && path == "message" && expected == line),
    };
    if !same {
        out.push(format!(
            "{path}: expected {expected}, found {}",
            found.map_or("nothing".into(), Value::to_string)
        ));
    }
}

/// What is wrong with a case.
fn wrong(case: &Value, files: &[(String, String)]) -> Vec<String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let (name, line) = (text("pattern"), text("line"));
    let pattern = if case["anchored"] == true { format!("^%{{{name}}}$") } else { format!("%{{{name}}}") };
    let mut reader =
        match Reader::new("grok", &options(&pattern, text("mode"), files.to_vec()), Reference::at(0)) {
            Ok(reader) => reader,
            Err(error) => return vec![error],
        };
    let mut out = Vec::new();
    let matches = reader.parse(line.as_bytes(), Found::default(), &mut out);
    let event: Value = serde_json::from_slice(&out).expect("an event");
    match (matches, &case["match"]) {
        (false, Value::Bool(false)) => return Vec::new(),
        (true, Value::Bool(false)) => return vec!["matches what it should not".to_owned()],
        (false, Value::Bool(true)) => return vec!["no match".to_owned()],
        // What does not match is an event too, with a reason.
        _ => {}
    }
    let mut out = Vec::new();
    differences("", &case["expected"], Some(&event), line, &mut out);
    let texts = |key: &str| -> Vec<String> {
        case[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    out.extend(
        texts("present")
            .into_iter()
            .filter(|path| path != "message" && at(&event, path).is_none())
            .map(|path| format!("{path} is missing")),
    );
    out.extend(
        texts("absent")
            .into_iter()
            .filter(|path| at(&event, path).is_some())
            .map(|path| format!("{path} should not be there")),
    );
    let allowed = texts("only_top_level");
    if !allowed.is_empty() {
        let keys = event.as_object().into_iter().flat_map(|event| event.keys());
        out.extend(
            keys.filter(|key| !allowed.contains(key) && !OURS.contains(&key.as_str()))
                .map(|key| format!("{key} is not among the fields")),
        );
    }
    out
}

/// Cases that are right, by mode and source; prints those that are not.
fn score(cases: &[Value], files: &dyn Fn(&str) -> Vec<(String, String)>) -> BTreeMap<String, (u64, u64)> {
    let mut scores = BTreeMap::new();
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let wrong = wrong(case, &files(text("mode")));
        let known = OTHERWISE.iter().find(|(id, _)| *id == text("id"));
        if !wrong.is_empty() {
            let reason = known.map_or(String::new(), |(_, reason)| format!(" (known: {reason})"));
            println!(
                "{} {} {}{reason}: {}\n    {}",
                text("id"),
                text("mode"),
                text("pattern"),
                wrong.join("; "),
                text("line")
            );
        }
        let score: &mut (u64, u64) = scores.entry(text("mode").to_owned()).or_default();
        score.0 += u64::from(wrong.is_empty());
        score.1 += 1;
    }
    scores
}

fn cases(corpus: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(corpus.join("cases.jsonl")).expect("cases");
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

#[test]
fn logstash_cases() {
    let Some(corpus) = scores::corpus("grok") else { return };
    for (mode, (good, total)) in score(&cases(&corpus), &|_| Vec::new()) {
        scores::report("grok", &format!("{mode} cases"), good, total, 97.0);
    }
}

/// The files of a folder, as `pattern_files` reads them.
fn files(folder: &Path) -> Vec<(String, String)> {
    let read = |path: std::path::PathBuf| {
        (path.display().to_string(), std::fs::read_to_string(path).expect("a file"))
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| read(entry.expect("an entry").path()))
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn logstash_pattern_files_load() {
    let Some(corpus) = scores::corpus("grok") else { return };
    let (mut good, mut total) = (0, 0);
    for mode in ["legacy", "ecs-v1"] {
        let files = files(&corpus.join("patterns").join(mode));
        let lines = files.iter().flat_map(|(_, text)| text.lines());
        let names = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        for (name, _) in names {
            let fault =
                Reader::new("grok", &options(&format!("%{{{name}}}"), mode, files.clone()), Reference::at(0))
                    .err();
            if let Some(fault) = &fault {
                println!("{mode} {name}: {fault}");
            }
            good += u64::from(fault.is_none());
            total += 1;
        }
    }
    scores::report("grok", "Logstash's pattern files, patterns that compile", good, total, 99.0);
    for (mode, (good, total)) in score(&cases(&corpus), &|mode| files(&corpus.join("patterns").join(mode))) {
        scores::report("grok", &format!("{mode} cases with Logstash's own pattern files"), good, total, 97.0);
    }
}
