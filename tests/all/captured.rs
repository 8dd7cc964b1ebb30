//! Grammars against the logs of real programs: how many lines of each captured file its grammar takes.
//!
//! `fixtures/captured/taken.txt` holds the figures. The test fails where fewer lines are taken *and* where more
//! are: a figure that nobody raised hides the next loss. `UPDATE_EXPECT=1` writes it anew.
//! Lines are physical here; those that belong to the message before (a trace, a statement) are taken by none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aludel::event::Options;
use aludel::format::Reference;
use aludel::frame::FrameConfig;
use aludel::grammar::{self, AUTO, Found, Reader};
use serde_json::Value;

use super::framing::texts;

/// Captured file and the grammar that is for it.
const FILES: &[(&str, &str)] = &[
    ("nginx/access.log", "nginx.access"),
    ("nginx/access-timed.log", "nginx.access"),
    ("nginx/error.log", "nginx.error"),
    ("nginx/outage-1-access.log", "nginx.access"),
    ("nginx/outage-1-error.log", "nginx.error"),
    ("nginx/outage-2-access.log", "nginx.access"),
    ("nginx/outage-2-error.log", "nginx.error"),
    ("apache/access-combined.log", "apache.access"),
    ("apache/access-common.log", "apache.access"),
    ("apache/error.log", "apache.error"),
    ("haproxy/haproxy.log", "haproxy.log"),
    ("squid/native.log", "squid.access"),
    ("squid/combined.log", "squid.access"),
    ("varnish/access.log", "varnish.access"),
    ("varnish/access-timed.log", "varnish.access"),
    ("postgres/postgresql.log", "postgresql.log"),
    ("redis/redis.log", "redis.log"),
    ("redis/replica.log", "redis.log"),
    ("sshd/auth.log", "system.auth"),
    ("sshd/auth-iso.log", "system.auth"),
    ("go/klog.log", "klog"),
    ("go/klog-fatal.log", "klog"),
    ("jvm/logback-default.log", "java"),
    ("jvm/logback.log", "java"),
    ("jvm/spring.log", "java"),
    ("jvm/log4j2-default.log", "java"),
    ("jvm/log4j2.log", "java"),
    ("jvm/log4j1-style.log", "java"),
    ("jvm/jul.log", "java"),
    ("python/basic.log", "python"),
    ("python/iso.log", "plain"),
    ("python/dashed.log", "python"),
    ("python/bracketed.log", "python"),
    ("ruby/app.log", "ruby"),
    ("php/error.log", "php.error"),
    ("php/stderr.log", "php.error"),
];

fn captured() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captured")
}

/// Taken and all lines; the first three that are not taken go to standard error with `SHOW_REST` set.
fn count(file: &str, grammar: &grammar::Grammar) -> (usize, usize) {
    let bytes = fs::read(captured().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let text = String::from_utf8_lossy(&bytes);
    let rest: Vec<&str> = text.lines().filter(|line| grammar::parse_fields(grammar, line).is_err()).collect();
    if std::env::var_os("SHOW_REST").is_some() {
        rest.iter().for_each(|line| eprintln!("{file}: {}", line.chars().take(160).collect::<String>()));
    }
    let all = text.lines().count();
    (all - rest.len(), all)
}

#[test]
fn each_grammar_takes_as_many_captured_lines_as_it_did() {
    let mut found = String::new();
    for (file, name) in FILES {
        let grammar = grammar::get(name).unwrap_or_else(|| panic!("no grammar {name}"));
        let (taken, all) = count(file, grammar);
        writeln!(found, "{file} {name} {taken} of {all}").expect("a String takes it");
    }
    let path = captured().join("taken.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &found).expect("taken.txt is written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differ: Vec<_> = found.lines().filter(|line| !expected.lines().any(|other| other == *line)).collect();
    assert!(differ.is_empty(), "now: {differ:#?}; better or right: UPDATE_EXPECT=1");
    assert_eq!(found, expected);
}

/// Logs with traces, by the language of the program that wrote them.
const TRACES: &[(&str, &[&str])] = &[
    (".NET", &["../written/dotnet.log"]),
    (
        "Go",
        &[
            "go/panic-deadlock.log",
            "go/panic-index.log",
            "go/panic-wrapped.log",
            "go/klog-fatal.log",
            "go/klog.log",
        ],
    ),
    (
        "Java",
        &[
            "jvm/jul.log",
            "jvm/log4j1-style.log",
            "jvm/log4j2-default.log",
            "jvm/log4j2.log",
            "jvm/logback-default.log",
            "jvm/logback.log",
            "jvm/spring.log",
        ],
    ),
    ("Node", &["node/null.log", "node/reject.log", "node/throw.log"]),
    ("PHP", &["php/error.log", "php/stderr.log"]),
    ("Python", &["python/basic.log", "python/bracketed.log", "python/dashed.log", "python/iso.log"]),
    ("Ruby", &["ruby/app.log"]),
    ("Rust", &["rust/full.log", "rust/index.log", "rust/thread.log", "rust/unwrap.log"]),
];

/// Every trace that a program wrote, framed and parsed as it comes, says what the error is, what it says, and where it
/// came from. `fixtures/captured/errors.txt` has the errors; `UPDATE_EXPECT=1` writes it anew.
#[test]
fn every_captured_trace_names_its_error() {
    let mut reader = Reader::new(AUTO, &Options::default(), Reference::default()).expect("auto");
    let mut found = String::new();
    for (language, files) in TRACES {
        let mut errors: BTreeMap<String, usize> = BTreeMap::new();
        for file in *files {
            let bytes = fs::read(captured().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            for message in texts(&bytes, &Arc::new(FrameConfig::default())) {
                let is_trace = message.lines().skip(1).any(is_frame);
                let mut out = Vec::new();
                reader.parse(message.as_bytes(), Found::default(), &mut out);
                let event: Value = serde_json::from_slice(&out).expect("an event is JSON");
                let text = |key: &str| event.pointer(key).and_then(Value::as_str);
                let kind = text("/error/type");
                assert_eq!(kind.is_some(), text("/error/stack_trace").is_some(), "{file}: {message}");
                assert!(kind.is_some() || !is_trace, "{file}: no error in\n{message}\n{event}");
                let Some(kind) = kind else { continue };
                let said: String = text("/error/message").unwrap_or("-").chars().take(90).collect();
                *errors.entry(format!("{kind}: {}", said.replace('\n', " / "))).or_default() += 1;
            }
        }
        assert!(!errors.is_empty(), "{language}: no traces");
        writeln!(found, "{language}").expect("a String takes it");
        for (error, count) in errors {
            writeln!(found, "  {count:>3} {error}").expect("a String takes it");
        }
    }
    let path = captured().join("errors.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &found).expect("errors.txt is written");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), found, "UPDATE_EXPECT=1 writes it");
}

/// A line that only a trace has.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let is_indented = text.len() < line.len();
    (is_indented && ["at ", "File \"", "from "].iter().any(|start| text.starts_with(start)))
        || ["goroutine ", "#0 ", "stack backtrace:", "Caused by: "]
            .iter()
            .any(|start| text.starts_with(start))
}
