//! Benign logs: what of them is taken for a secret, a card, an account or a number of a person. What is found was looked at
//! line by line; what truly is one (a password that a log tells) is in the list of its set and no false hit.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};

use aludel::sensitive::{Class, Finder, Found};

use super::scores::{self, corpus};

/// Logs of servers and systems. Attacks, samples of secrets and configurations are in other sets.
const SETS: &[&str] =
    &["loghub", "filebeat-modules", "web-attacks/benign", "auth", "misc-formats", "windows-events"];

/// Whether a value is what it was taken for: tokens of Google in access logs, and the card of an invented customer.
fn is_true(before: &str, value: &str) -> bool {
    value.starts_with("ya29.") || before.contains("creditCardNumber")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_none_or(|ending| {
            !["md", "txt", "csv", "py", "yml", "yaml"].iter().any(|other| ending == *other)
        }) {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn benign_lines_hold_no_secrets() {
    let classes = [Class::Secrets, Class::Card, Class::Iban, Class::Ssn, Class::Phone];
    let finder = Finder::new(classes.into_iter().collect()).expect("a finder");
    let addresses = Finder::new([Class::Email].into_iter().collect()).expect("a finder");
    let (mut lines, mut falsely, mut mails) = (0u64, 0u64, 0u64);
    for set in SETS {
        let Some(folder) = corpus(set) else { return };
        let mut all = Vec::new();
        files(&folder, &mut all);
        for path in all {
            let Ok(text) = fs::read(&path) else { continue };
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                lines += 1;
                let mut found: Vec<Found> = Vec::new();
                finder.find(line, &mut found);
                for Found { rule, range } in found {
                    let value = String::from_utf8_lossy(&line[range.clone()]).into_owned();
                    let before = String::from_utf8_lossy(&line[range.start.saturating_sub(40)..range.start]);
                    if is_true(&before, &value) {
                        continue;
                    }
                    falsely += 1;
                    println!("{set} {:?} {rule:?}: {before}«{value}»", path.file_name().unwrap_or_default());
                }
                let mut found: Vec<Found> = Vec::new();
                addresses.find(line, &mut found);
                for Found { range, .. } in found {
                    mails += 1;
                    if std::env::var_os("ALUDEL_SHOW").is_some() {
                        println!("mail {}", String::from_utf8_lossy(&line[range]));
                    }
                }
            }
        }
    }
    println!("{lines} lines, {falsely} false hits, {mails} e-mail addresses");
    scores::report(
        "benign logs",
        "lines without a false secret, card, account or number",
        lines - falsely,
        lines,
        99.99,
    );
}
