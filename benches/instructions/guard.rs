//! Counts under valgrind and compares.

use std::process::Command;

use super::path::{PATHS, Path};
use super::stored::{Count, Stored, file};
use super::{input, machine};

/// A rise of more than this many percent fails.
const TOLERANCE_PERCENT: u64 = 5;
/// Events of a path's shorter run; the longer takes all, and what it counts more is the cost of the others: what
/// comes before the first event and after the last is in both.
const EVENTS: u64 = input::EVENTS / 2;
/// The command that stores figures.
const STORE: &str = "cargo run --release --bin instructions -- store";

/// Stores what is true now.
pub(super) fn store() -> Result<(), String> {
    let stored = Stored { machine: machine::describe()?, counts: count_all()? };
    let text = stored.print();
    std::fs::write(file(), &text).map_err(|error| format!("{}: {error}", file().display()))?;
    eprint!("{text}");
    Ok(())
}

/// Compares with what is stored.
pub(super) fn check() -> Result<(), String> {
    let text = std::fs::read_to_string(file()).map_err(|error| format!("{}: {error}", file().display()))?;
    let stored = Stored::parse(&text)?;
    let machine = match machine::describe() {
        Ok(machine) => machine,
        Err(error) => {
            eprintln!("SKIPPED: instructions are not compared: {error}");
            return Ok(());
        }
    };
    if machine != stored.machine {
        eprintln!(
            "SKIPPED: instructions are not compared: the stored ones were counted on\n  {}\nand this is\n  \
             {machine}\nTo store them anew, at a commit that is known to be as fast as it should be:\n  {STORE}",
            stored.machine
        );
        return Ok(());
    }
    let risen = compare(&stored.counts, &count_all()?);
    if risen.is_empty() { Ok(()) } else { Err(risen.join("\n")) }
}

/// Says of each path what it cost and costs; returns what is wrong.
fn compare(before: &[Count], now: &[Count]) -> Vec<String> {
    let mut wrong = Vec::new();
    for count in now {
        let Count { path, .. } = count;
        let new = count.per_event();
        let Some(old) = before.iter().find(|old| old.path == *path).map(Count::per_event) else {
            wrong.push(format!("{path}: no figure is stored; to store {new} instructions an event: {STORE}"));
            continue;
        };
        let change = (new as f64 / old.max(1) as f64 - 1.0) * 100.0;
        eprintln!("{path}: {old} -> {new} instructions an event ({change:+.1} %)");
        if new * 100 > old * (100 + TOLERANCE_PERCENT) {
            wrong.push(format!(
                "error: path {path} takes {new} instructions an event, {change:.1} % more than the stored {old} \
                 (at most {TOLERANCE_PERCENT} %). If it must: {STORE}"
            ));
        } else if new * (100 + TOLERANCE_PERCENT) < old * 100 {
            eprintln!("  this is worth keeping: {STORE}");
        }
    }
    wrong
}

fn count_all() -> Result<Vec<Count>, String> {
    PATHS.iter().map(count).collect()
}

fn count(path: &Path) -> Result<Count, String> {
    let of = |events: u64| instructions(&["run", path.name, &events.to_string()]);
    let (short, long) = (of(EVENTS)?, of(2 * EVENTS)?);
    let instructions = long.checked_sub(short).ok_or("a longer run took fewer instructions")?;
    Ok(Count { path: path.name.to_owned(), events: EVENTS, instructions })
}

/// Instructions of one run of this program, start and end of the process included.
pub(super) fn instructions(run: &[&str]) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(run)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    // ==1234== Collected : 5678
    let count = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match count {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("{run:?} under valgrind failed:\n{text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(per_event: u64) -> Vec<Count> {
        vec![Count { path: "w1".to_owned(), events: 10, instructions: per_event * 10 }]
    }

    #[test]
    fn a_rise_names_the_path_both_figures_and_the_command() {
        assert!(compare(&counts(1000), &counts(1050)).is_empty());
        assert!(compare(&counts(1000), &counts(700)).is_empty());
        let wrong = compare(&counts(1000), &counts(1051));
        assert!(["w1", "1000", "1051", STORE].iter().all(|part| wrong[0].contains(part)), "{wrong:?}");
        assert!(compare(&[], &counts(1))[0].contains("no figure"));
    }

    #[test]
    fn figures_are_read_as_they_were_written() {
        let stored = Stored { machine: "rustc 1, x86_64".to_owned(), counts: counts(7) };
        assert_eq!(Stored::parse(&stored.print()), Ok(stored));
        assert!(Stored::parse("w1 many").is_err());
    }

    #[test]
    fn every_path_brings_every_event() {
        for path in PATHS {
            super::super::path::run(path, 300).unwrap();
        }
    }
}
