//! Scores on collected multi-line logs (see `support/scores.rs`).

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aludel::event::{OptionValue, Options};
use aludel::frame::FrameConfig;
use serde_json::Value;

use super::framing::texts;
use super::scores::{self, corpus};

fn folder() -> Option<PathBuf> {
    corpus("multiline")
}

fn config(values: &[(&'static str, &str)]) -> Arc<FrameConfig> {
    let text = |(name, text): &(&'static str, &str)| (*name, OptionValue::Text((*text).to_owned()));
    let options = Options::new(Vec::new(), values.iter().map(text).collect());
    Arc::new(FrameConfig::from_options(&options).expect("options of the test"))
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a corpus line is JSON")).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Texts without trailing line feeds; blank ones are no events.
fn tidy(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    texts
        .into_iter()
        .map(|text| text.trim_end_matches('\n').to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array).expect("a list of texts");
    list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}

/// How many of the expected messages came, whole, and how many messages came in all.
fn score(got: &[String], expected: &[String]) -> (usize, usize, usize) {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for text in got {
        *left.entry(text).or_default() += 1;
    }
    let hit = |text: &&String| match left.get_mut(text.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => {
            if std::env::var_os("ALUDEL_SHOW").is_some() {
                println!("MISSED {text:?}");
            }
            false
        }
    };
    (expected.iter().filter(hit).count(), expected.len(), got.len())
}

/// Every trace is one message.
#[test]
fn traces() {
    let Some(folder) = folder() else { return };
    let traces = json_lines(&folder.join("traces.jsonl"));
    for preset in ["auto", "own"] {
        let mut whole = 0;
        for trace in &traces {
            let language = match (preset, text(trace, "lang")) {
                ("auto", _) => "auto",
                (_, "js") => "node",
                (_, "csharp") => "dotnet",
                (_, language) => language,
            };
            let body =
                trace.get("text").or_else(|| trace.get("trace")).and_then(Value::as_str).expect("a trace");
            let got = texts(body.as_bytes(), &config(&[("multiline", language)]));
            if got.len() == 1 && got[0] == body.trim_end_matches('\n') {
                whole += 1;
            } else {
                println!("{preset} {}: {} messages", text(trace, "id"), got.len());
            }
        }
        scores::report("multiline", &format!("traces, {preset}"), whole, traces.len() as u64, 99.5);
    }
}

/// Traces among log lines, plain and wrapped. With `attach = none` the messages are those expected; with
/// `previous` a trace may have joined an error line before it.
#[test]
fn composed() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("composed");
    for (attach, goal) in [("none", 99.5), ("previous", 90.0)] {
        let (mut hits, mut wanted, mut given) = (0, 0, 0);
        for entry in json_lines(&folder.join("index.jsonl")) {
            let file = text(&entry, "file");
            let log = fs::read(folder.join(file)).expect("a composed log");
            let expected = json_lines(&folder.join(file.replace(".log", ".expected.jsonl")));
            let expected: Vec<_> = expected.iter().map(|line| text(line, "text").to_owned()).collect();
            let got = texts(&log, &config(&[("attach", attach)]));
            let (hit, want, give) = score(&got, &expected);
            if hit < want {
                println!("attach = {attach}, {file}: {hit} of {want}, {give} came");
            }
            (hits, wanted, given) = (hits + hit, wanted + want, given + give);
        }
        scores::report(
            "multiline",
            &format!("composed, attach = {attach}"),
            hits as u64,
            wanted as u64,
            goal,
        );
        assert!(attach != "none" || given == wanted, "{given} messages came of {wanted}");
    }
}

#[test]
fn scenarios() {
    let Some(folder) = folder() else { return };
    for scenario in json_lines(&folder.join("gcp_scenarios.jsonl")) {
        let config = config(&[("multiline", text(&scenario, "languages").replace("all", "auto").as_str())]);
        let got = tidy(texts(text(&scenario, "input").as_bytes(), &config));
        let expected = tidy(strings(&scenario, "expected"));
        println!("{}: {:?}", text(&scenario, "id"), score(&got, &expected));
        assert_eq!(got, expected);
    }
}

/// Records that upstream feeds one by one, with a line feed where they lack one. A line feed inside of a record
/// is written as its escape, as Docker does.
fn records(case: &Value) -> String {
    let line = |record: String| {
        let record = record.strip_suffix('\n').unwrap_or(&record).to_owned();
        format!("{}\n", if record.starts_with("{\"log") { record.replace('\n', "\\n") } else { record })
    };
    strings(case, "input").into_iter().map(line).collect()
}

/// Another agent's cases. Its order of flushing between streams is its own, so messages are counted, not lined up.
#[test]
fn agent_cases() {
    let Some(folder) = folder() else { return };
    let (mut hits, mut wanted) = (0, 0);
    for case in json_lines(&folder.join("fluent-bit_cases.jsonl")) {
        let options: &[_] = match text(&case, "parser") {
            "endswith" => &[("open_pattern", "\\\\$")],
            "issue_3817_1" => &[("start_pattern", "^\\[DEBUG\\]")],
            _ => &[],
        };
        let got = tidy(texts(records(&case).as_bytes(), &config(options)));
        let expected = case.get("output").map_or("expected", |_| "output");
        let (hit, want, give) = score(&got, &tidy(strings(&case, expected)));
        println!("{}: {hit} of {want}, {give} came", text(&case, "id"));
        (hits, wanted) = (hits + hit, wanted + want);
    }
    // Not those that end in a backslash, nor two formats that take turns in one lane of one file.
    scores::report("multiline", "messages of another agent's cases", hits as u64, wanted as u64, 99.5);
}

/// Container lines of the same agent: split ones joined, and a first-line pattern behind that.
#[test]
fn agent_files() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("fluent-bit_tail");
    for (name, options) in [
        ("dockermode", &[("multiline", "none")][..]),
        ("dockermode_splitted_line", &[]),
        ("dockermode_multiple_lines", &[("start_pattern", "^\\d{4}-")]),
        ("dockermode_firstline_detection", &[("start_pattern", "^(?:\\d{4}-|Single|Second|Third)")]),
    ] {
        let log = fs::read(folder.join(format!("log/{name}.log"))).expect("a log");
        let expected = json_lines(&folder.join(format!("out/{name}.out")));
        let expected = tidy(expected.iter().map(|line| text(line, "log").to_owned()));
        assert_eq!(tidy(texts(&log, &config(options))), expected, "{name}");
    }
}

/// Files of a third agent, with the number of events it asserts.
#[test]
fn shipper_files() {
    let Some(folder) = folder() else { return };
    let folder = folder.join("beats_files");
    for entry in json_lines(&folder.join("index.jsonl")) {
        let file = text(&entry, "file");
        let log = fs::read(folder.join(file)).expect("a log");
        let options: &[_] = match file {
            "elasticsearch-multiline-log.log" => &[("start_pattern", "^\\[")],
            "docker_multiline.log" => &[("start_pattern", "^\\[log\\]")],
            _ => &[],
        };
        let got = texts(&log, &config(options)).len();
        let lines = entry.get("physical_lines").and_then(Value::as_u64);
        let expected = entry.get("events").and_then(Value::as_u64).or(lines).unwrap_or_default() as usize;
        println!("{file}: {got} of {expected}");
        // Its last but one line lacks the line feed that ends a message in Docker's files: it is a partial, and
        // joins the next, which that agent was not told to do.
        let partial = usize::from(file == "docker_multiline.log");
        assert_eq!(got + partial, expected, "{file}");
        if file == "elasticsearch-multiline-log.log" {
            assert_eq!(texts(&log, &config(&[])).len(), expected, "{file} without a pattern");
        }
    }
}
