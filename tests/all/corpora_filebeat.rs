//! Logs of Filebeat's modules with the events that Filebeat made of them: the same events, lines and values?
//!
//! Each log is framed with the module's multi-line settings (they are written in its `config/*.yml`), each message
//! read with the grammar of the module's fileset, and every value of the expected event looked up in ours.

#![allow(clippy::string_slice, reason = "what is cut here is ASCII, and a test may panic where it is not")]
// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use aludel::event::{OptionValue, Options};
use aludel::format::Reference;
use aludel::frame::FrameConfig;
use aludel::grammar::{Found, Grammar, Reader};
use regex::bytes::Regex;
use serde_json::Value;

use super::framing::Bench;
use super::scores::{self, corpus};

/// Keys that Filebeat's own tests or the README of the set leave out: they name the shipper, the moment, or come from
/// data bases.
fn is_left_out(key: &str) -> bool {
    const KEYS: &[&str] = &[
        "agent.",
        "host.name",
        "event.created",
        "event.ingested",
        "log.file.path",
        "ecs.version",
        "user_agent.name",
        "user_agent.version",
        "user_agent.os.",
        "user_agent.device.",
    ];
    KEYS.iter().any(|left| key.starts_with(left)) || key.contains(".geo.") || key.contains(".as.")
}

/// Formats whose lines have no year: Filebeat takes that of the day on which it runs.
const YEARLESS: &[&str] = &["haproxy/log", "redis/log", "system/auth", "system/syslog"];

/// Names and values that are otherwise on purpose. `*` ends a prefix.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("input.type", "it says how Filebeat read the line, not what the line says"),
    ("postgresql.log.timestamp", "a second copy of `@timestamp`, as text in the server's zone"),
];

fn is_on_purpose(key: &str) -> bool {
    ON_PURPOSE.iter().any(|(name, reason)| {
        assert!(!reason.is_empty());
        name.strip_suffix('*').map_or(key == *name, |prefix| key.starts_with(prefix))
    })
}

/// A pattern of Go's dialect in ours: a brace that repeats nothing is itself there.
fn pattern(written: &str) -> String {
    let mut out = String::new();
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' if chars.peek().is_none_or(|next| !next.is_ascii_digit()) => out.push_str("\\{"),
            '\\' if chars.peek() == Some(&'/') => {}
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            _ => out.push(c),
        }
    }
    out
}

/// The frame options that mean what the `multiline` block of a module's configuration means.
fn frame_options(config: &str) -> Vec<(&'static str, String)> {
    let value = |name: &str| {
        let line = config.lines().map(str::trim).find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().trim_matches(['\'', '"']).replace("\\\\", "\\"))
    };
    match value("pattern:") {
        None => vec![("multiline", "none".to_owned())],
        Some(pattern) if value("negate:").as_deref() == Some("true") => {
            vec![("start_pattern", self::pattern(&pattern))]
        }
        Some(pattern) => vec![("continue_pattern", pattern)],
    }
}

/// The patterns of lines that the module's configuration drops.
fn excluded(config: &str) -> Vec<Regex> {
    let Some(line) = config.lines().find_map(|line| line.trim().strip_prefix("exclude_lines: [")) else {
        return Vec::new();
    };
    let list = line.rsplit_once(']').expect("a list").0;
    let mut patterns = Vec::new();
    let mut rest = list;
    while let Some(at) = rest.find(['\'', '"']) {
        let quote = &rest[at..=at];
        let inner = &rest[at + 1..];
        let end = inner.find(quote).expect("a closing quote");
        let inner_text = &inner[..end];
        let text = if quote == "\"" { inner_text.replace("\\\\", "\\") } else { inner_text.to_owned() };
        let pattern = self::pattern(&text);
        patterns.push(Regex::new(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")));
        rest = &inner[end + 1..];
    }
    patterns
}

fn texts(values: &[(&'static str, String)]) -> Options {
    let text = |(name, text): &(&'static str, String)| (*name, OptionValue::Text(text.clone()));
    Options::new(Vec::new(), values.iter().map(text).collect())
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

type Event = BTreeMap<String, Value>;

/// Whether a value is the expected one. Lists compare without order, a list of one is its element, and numbers in text
/// are numbers: Elasticsearch maps them to one type.
fn same(key: &str, expected: &Value, event: &Event) -> bool {
    let found = event.get(key);
    // What is written as `-` or is empty is absent here.
    if expected == "-" || expected == "" || expected.as_array().is_some_and(Vec::is_empty) {
        return found.is_none_or(|found| found == expected);
    }
    let text = |value: &Value| value.to_string().trim_matches('"').to_owned();
    let instant = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let Some(found) = found else { return false };
    let list = |value: &Value| -> Vec<String> {
        let mut items: Vec<_> = match value {
            Value::Array(items) => items.iter().map(text).collect(),
            other => vec![text(other)],
        };
        items.sort();
        items.dedup();
        items
    };
    if let (Some(a), Some(b)) = (instant(expected), instant(found)) {
        // Filebeat keeps milliseconds.
        return a.as_millisecond() == b.as_millisecond();
    }
    match (number(expected), number(found)) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        // Levels are in lower case here, whatever the program writes.
        _ if key == "log.level" => text(expected).to_lowercase() == text(found).to_lowercase(),
        _ => list(expected) == list(found),
    }
}

/// The configuration of the fileset in a folder.
fn configuration(fileset: &Path) -> String {
    let config = fs::read_dir(fileset.join("config")).expect("a configuration");
    config.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("text")).collect()
}

/// How the messages of the fileset in a folder are framed.
pub(super) fn framing_of(fileset: &Path) -> Arc<FrameConfig> {
    let options = texts(&frame_options(&configuration(fileset)));
    Arc::new(FrameConfig::from_options(&options).expect("options"))
}

/// The lines that the fileset in a folder drops.
pub(super) fn excluded_of(fileset: &Path) -> Vec<Regex> {
    excluded(&configuration(fileset))
}

#[derive(Default)]
struct Score {
    framed: (u64, u64),
    parsed: (u64, u64),
    equal: (u64, u64),
    misses: BTreeMap<String, (u64, String)>,
}

/// One log of one fileset.
fn measure(fileset: &str, log: &Path, config: &str, score: &mut Score) {
    let Ok(expected) = fs::read(
        log.with_file_name(format!("{}-expected.json", log.file_name().expect("a name").to_string_lossy())),
    ) else {
        return;
    };
    let expected: Vec<Event> = serde_json::from_slice(&expected).expect("json");
    let text = fs::read(log).expect("a log");
    let frame = Arc::new(FrameConfig::from_options(&texts(&frame_options(config))).expect("options"));
    let mut bench = Bench::new(&text, &frame);
    bench.offer([]);
    let excluded = excluded(config);
    // 2021-07-01, when the set was made; the test ran in the zone -02:00.
    let reference = Reference::at(1_625_097_600_000_000_000);
    let zone = texts(&[("zone", "-02:00".to_owned())]);
    let name = format!("{}{}", prefix(), fileset.replace('/', "."));
    let mut reader = Reader::new(&name, &zone, reference).expect("a format");
    let mut events: BTreeMap<u64, (bool, Event)> = BTreeMap::new();
    for cut in bench.finish() {
        if excluded.iter().any(|pattern| pattern.is_match(&cut.text)) {
            continue;
        }
        let mut out = Vec::new();
        let parsed = reader.parse(&cut.text, Found { offset: cut.start, time_ns: None }, &mut out);
        let mut event = Event::new();
        flat("", &serde_json::from_slice(&out).expect("json"), &mut event);
        if !parsed {
            let line: String = String::from_utf8_lossy(&cut.text).chars().take(300).collect();
            let miss = score.misses.entry("NOT PARSED".into()).or_default();
            *miss = (miss.0 + 1, format!("{line} ({:?})", event.get("error.message")));
        }
        events.insert(cut.start, (parsed, event));
    }
    // The expected events are the first hundred of a log: what lies beyond the last of them is only parsed.
    score.parsed.0 += events.values().filter(|(parsed, _)| *parsed).count() as u64;
    score.parsed.1 += events.len() as u64;
    let offset = |event: &Event| event.get("log.offset").and_then(Value::as_u64).expect("an offset");
    let last =
        if expected.len() < 100 { u64::MAX } else { expected.iter().map(offset).max().expect("events") };
    score.framed.1 += expected.len().max(events.range(..=last).count()) as u64;
    for event in &expected {
        let found = events.get(&offset(event)).map(|(_, event)| event);
        score.framed.0 += u64::from(found.is_some());
        for (key, value) in event.iter().filter(|(key, _)| !is_left_out(key) && !is_on_purpose(key)) {
            if key == "@timestamp" && YEARLESS.contains(&fileset) {
                continue;
            }
            score.equal.1 += 1;
            // A message that is the whole text there is the part for people here.
            let whole =
                key == "message" && found.is_some_and(|found| found.get("event.original") == Some(value));
            if whole || found.is_some_and(|found| same(key, value, found)) {
                score.equal.0 += 1;
            } else {
                let got = found.and_then(|found| found.get(key));
                let miss = score.misses.entry(key.clone()).or_default();
                let example: String = format!("{value} found {got:?}").chars().take(220).collect();
                *miss = (miss.0 + 1, example);
            }
        }
    }
}

/// With `ALUDEL_GRAMMARS=1` the files are read as they lie on the disk, under another name, so that a grammar is tuned
/// without a build.
fn prefix() -> &'static str {
    static PREFIX: OnceLock<&str> = OnceLock::new();
    PREFIX.get_or_init(|| {
        if std::env::var_os("ALUDEL_GRAMMARS").is_none() {
            return "";
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammars");
        let mut grammars = Vec::new();
        for entry in fs::read_dir(folder).expect("grammars/") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "grammar") {
                let text = fs::read_to_string(&path).expect("text");
                let text = text.replacen("grammar ", "grammar disk.", 1);
                match Grammar::load(&path.to_string_lossy(), &text) {
                    Ok(grammar) => grammars.push(grammar),
                    Err(report) => println!("{}: {:?}", path.display(), report.diagnostics),
                }
            }
        }
        aludel::grammar::install(grammars).expect("no two of a name");
        "disk."
    })
}

#[test]
fn filebeat_modules_give_the_events_that_filebeat_gave() {
    let Some(folder) = corpus("filebeat-modules") else { return };
    let index = fs::read_to_string(folder.join("index.jsonl")).expect("an index");
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for line in index.lines() {
        let entry: Value = serde_json::from_str(line).expect("json");
        let text = |key: &str| entry.get(key).and_then(Value::as_str).expect("a text").to_owned();
        let fileset = text("fileset");
        let config = configuration(&folder.join(&fileset));
        measure(&fileset, &folder.join(text("file")), &config, scores.entry(fileset.clone()).or_default());
    }
    let mut all = Score::default();
    for (fileset, score) in scores {
        println!(
            "{fileset:<26} framed {} of {}, parsed {} of {}, {} of {} values, {} %",
            score.framed.0,
            score.framed.1,
            score.parsed.0,
            score.parsed.1,
            score.equal.0,
            score.equal.1,
            score.equal.0 * 100 / score.equal.1.max(1)
        );
        for (key, (count, example)) in &score.misses {
            println!("    {count:>5} {key}: {example}");
        }
        for (sum, part) in
            [(&mut all.framed, score.framed), (&mut all.parsed, score.parsed), (&mut all.equal, score.equal)]
        {
            *sum = (sum.0 + part.0, sum.1 + part.1);
        }
    }
    scores::report("filebeat-modules", "events framed", all.framed.0, all.framed.1, 99.0);
    scores::report("filebeat-modules", "messages parsed", all.parsed.0, all.parsed.1, 99.0);
    scores::report("filebeat-modules", "values equal", all.equal.0, all.equal.1, 97.0);
}
