//! Scores on small logs of many kinds (see `support/scores.rs`): nothing panics, every byte is in some message or in the
//! separators around them, and a time is found where a reader sees one.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::fs;
use std::sync::Arc;

use aludel::event::Options;
use aludel::format::Reference;
use aludel::frame::FrameConfig;
use aludel::grammar::{Found, Reader};
use regex::bytes::Regex;
use serde_json::Value;

use super::framing::texts;
use super::scores::{self, corpus};

/// What a reader takes for a time: of the day, or seconds of this century.
const TIME: &str = r"(^|[^0-9])([0-9]{1,2}:[0-9]{2}:[0-9]{2}([^0-9]|$)|1[0-9]{9}([0-9]{3}|[0-9]{6}|\.[0-9]+)?([^0-9]|$)|(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ]|(19|20)[0-9]{6}[.T ][0-9]{6})";

/// How far into a message one looks for its time.
const LOOK_BYTES: usize = 200;

#[test]
fn small_logs_of_many_kinds() {
    let Some(folder) = corpus("misc-formats") else { return };
    // 2026-07-21, when the collection was made.
    let reference = Reference::at(1_784_592_000_000_000_000);
    let mut reader = Reader::new("auto", &Options::default(), reference).expect("auto");
    let time = Regex::new(TIME).expect("a pattern");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("logfile_")))
        .collect();
    paths.sort();
    let (mut kept, mut bytes_total, mut found, mut wanted) = (0u64, 0u64, 0u64, 0u64);
    for path in paths {
        let bytes = fs::read(&path).expect("a file");
        let messages = texts(&bytes, &Arc::new(FrameConfig::default()));
        let (mut here, mut seen) = (0u64, 0u64);
        let mut inside = 0u64;
        for message in &messages {
            inside += message.bytes().filter(|byte| !byte.is_ascii_whitespace()).count() as u64;
            let mut out = Vec::new();
            reader.parse(message.as_bytes(), Found::default(), &mut out);
            let event: Value = serde_json::from_slice(&out).expect("an event is JSON");
            let original = event.pointer("/event/original").and_then(Value::as_str);
            assert_eq!(original, Some(message.as_str()), "{}", path.display());
            let head = message.as_bytes();
            if time.is_match(&head[..head.len().min(LOOK_BYTES)]) {
                seen += 1;
                here += u64::from(event.get("@timestamp").is_some());
            }
        }
        // What is no text was replaced by the test's own reading of it; both sides are counted alike.
        let all = String::from_utf8_lossy(&bytes);
        bytes_total += all.bytes().filter(|byte| !byte.is_ascii_whitespace()).count() as u64;
        kept += inside;
        if here < seen {
            println!(
                "{:<50} {here:>4} of {seen} times found",
                path.file_name().unwrap_or_default().to_string_lossy()
            );
        }
        found += here;
        wanted += seen;
    }
    scores::report("misc-formats", "bytes in messages", kept, bytes_total, 100.0);
    scores::report("misc-formats", "times found", found, wanted, 90.0);
}
