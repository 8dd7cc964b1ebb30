//! Scores on collected logs: where the collections lie, and the table of what was reached (`tests/scores.md`).
//!
//! The collections are not part of the tree: `ALUDEL_CORPORA` names their folder, `../shared/corpora` beside the
//! checkout is tried; without them a test says so and passes. A score below its row of the table is a failure;
//! with `ALUDEL_BLESS=1` each test writes its own rows.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder of a collection, if it is here.
pub(super) fn corpus(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("ALUDEL_CORPORA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"), PathBuf::from);
    let path = folder.join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("SKIPPED: no corpus at {}", path.display());
    None
}

/// What stands above the rows.
const HEAD: &str = "\
# Scores

What the formats reach on collected logs that are not part of the tree. The tests write this table
(`ALUDEL_BLESS=1 cargo test --test all corpora`) and fail where a score falls below its row.

| set | measured | score | goal |
|---|---|---|---|
";

/// Tests run side by side, and each writes its rows of the one table.
static TABLE: Mutex<()> = Mutex::new(());

/// Set and measure → score and goal, as they are written.
type Rows = BTreeMap<(String, String), (String, String)>;

fn read(path: &Path) -> Rows {
    let text = fs::read_to_string(path).unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.split('|').map(|cell| cell.trim().to_owned()).skip(1);
        let mut cell = || cells.next();
        Some(((cell()?, cell()?), (cell()?, cell()?)))
    };
    text.lines().filter(|line| line.starts_with('|')).skip(2).filter_map(row).collect()
}

fn write(path: &Path, rows: &Rows) {
    let mut text = HEAD.to_owned();
    for ((set, measured), (score, goal)) in rows {
        text += &format!("| {set} | {measured} | {score} | {goal} |\n");
    }
    fs::write(path, text).expect("the table of scores is writable");
}

/// Hundredths of a percent, rounded down so that only all of them is 100 %.
fn hundredths(good: u64, total: u64) -> u64 {
    good * 10_000 / total.max(1)
}

/// The share at the front of a written score: `99.41 % (1234 of 1241)`.
fn written(score: &str) -> Option<u64> {
    let (whole, part) = score.split(' ').next()?.split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?)
}

/// `ALUDEL_SEEDS="101 116"`: the seeds from 101 to 116 are measured in place of those of the table, and only shown. What is
/// tuned is tuned on others than it is judged on.
fn other_seeds() -> Option<Vec<u64>> {
    let text = std::env::var("ALUDEL_SEEDS").ok()?;
    let (from, to) = text.split_once(' ')?;
    Some((from.parse().ok()?..=to.parse().ok()?).collect())
}

/// The seeds to measure, where those of the table are these.
pub(super) fn seeds(of_table: &[u64]) -> Vec<u64> {
    other_seeds().unwrap_or(of_table.to_vec())
}

/// Prints how many of all were good, beside the goal in percent, and fails where there were fewer than the table has.
#[track_caller]
pub(super) fn report(set: &str, measured: &str, good: u64, total: u64, goal: f64) {
    let share = hundredths(good, total);
    let score = format!("{}.{:02} % ({good} of {total})", share / 100, share % 100);
    println!("SCORE | {set} | {measured} | {score} | ≥ {goal} % |");
    assert!(total > 0, "{set}, {measured}: nothing was measured");
    if other_seeds().is_some() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scores.md");
    let guard = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rows = read(&path);
    let key = (set.to_owned(), measured.to_owned());
    if std::env::var_os("ALUDEL_BLESS").is_some() {
        rows.insert(key, (score, format!("≥ {goal} %")));
        return write(&path, &rows);
    }
    drop(guard);
    let row = rows.get(&key).map(|(score, _)| score.as_str());
    let before = row
        .and_then(written)
        .unwrap_or_else(|| panic!("{set}, {measured}: no row in tests/scores.md; ALUDEL_BLESS=1 writes it"));
    assert!(share >= before, "{set}, {measured}: {score}, where the table has {}", row.unwrap_or_default());
}

#[test]
fn scores_are_read_as_they_are_written() {
    assert_eq!(written("99.41 % (1234 of 1241)"), Some(9941));
    assert_eq!(hundredths(9_999_999, 10_000_000), 9_999);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scores.md");
    let rows = read(&path);
    assert!(!rows.is_empty() && rows.values().all(|(score, _)| written(score).is_some()));
}
