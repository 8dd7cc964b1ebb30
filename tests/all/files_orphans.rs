//! Files that are removed while they are behind: what is not settled of them outlives the process.

use std::path::Path;
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::{File, Fs};
use aludel::source::Progress;

use super::files_rig::{Rig, path, plain};

const FOLDER: &str = "/data/spool/logs/orphans";

fn numbers(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("{number:06} of a line\n")).collect()
}

fn orphans(rig: &Rig) -> usize {
    rig.fs.list(Path::new(FOLDER)).map_or(0, |names| names.len())
}

/// Time passes and the source looks, but its sink does not settle.
fn look(rig: &mut Rig, steps: usize) {
    rig.clock.advance(Duration::from_millis(1100));
    for _ in 0..steps {
        if rig.step() != Progress::More {
            return;
        }
    }
}

fn start(options: Vec<(&'static str, OptionValue)>) -> Rig {
    let mut rig = Rig::new(1, options);
    rig.start();
    rig
}

#[test]
fn a_file_removed_while_it_is_behind_outlives_the_process() {
    let mut rig = start(plain());
    let text = numbers(0..100_000);
    rig.write("a.log", &text);
    rig.step();
    let writer: Box<dyn File> = rig.fs.open_append(&path("a.log")).expect("there");
    rig.fs.remove(&path("a.log")).expect("there");
    look(&mut rig, 3);
    assert!(rig.events.len() < 60_000, "still behind: {}", rig.events.len());
    // The program that writes to it goes on for a while.
    writer.append(numbers(100_000..100_100).as_bytes()).expect("space");
    look(&mut rig, 2);
    assert_eq!(orphans(&rig), 1);
    drop(writer);
    for _ in 0..3 {
        rig.crash(true);
        rig.start();
        look(&mut rig, 2);
    }
    rig.run(Duration::from_secs(15));
    let expected: Vec<_> = numbers(0..100_100).lines().map(str::to_owned).collect();
    assert!(rig.lines() == expected, "{} lines", rig.events.len());
    assert_eq!(rig.gaps, []);
    assert_eq!((orphans(&rig), rig.backlog().streams), (0, 0));
    let streams: std::collections::BTreeSet<_> = rig.events.keys().map(|id| (id.0, id.1)).collect();
    assert_eq!(streams.len(), 1);
}

#[test]
fn nothing_is_copied_of_what_is_settled() {
    let mut rig = start(plain());
    rig.write("a.log", &numbers(0..1000));
    rig.run(Duration::from_secs(2));
    rig.fs.remove(&path("a.log")).expect("there");
    look(&mut rig, 100);
    assert_eq!(orphans(&rig), 0);
    rig.run(Duration::from_secs(15));
    assert_eq!((rig.events.len(), rig.backlog().streams), (1000, 0));
}

/// A message of which lines are settled is framed as it was.
#[test]
fn what_was_open_is_framed_the_same() {
    let mut rig = start(Vec::new());
    let line =
        |number: u32, name: &str, text: &str| format!("2024-05-01T12:00:00.{number:09}Z {name} F {text}\n");
    let text: String = (0..3000)
        .map(|number| match number % 3 {
            0 => line(number, "stdout", "java.lang.IllegalStateException: x"),
            1 => line(number, "stderr", "something else"),
            _ => line(number, "stdout", "\tat a.b.C.d(C.java:1)"),
        })
        .collect();
    rig.write("a.log", &text);
    look(&mut rig, 1);
    if !rig.process.as_ref().expect("up").sent.is_empty() {
        rig.settle(0);
    }
    rig.commit();
    rig.fs.remove(&path("a.log")).expect("there");
    look(&mut rig, 1);
    rig.crash(true);
    rig.start();
    rig.run(Duration::from_secs(15));
    assert_eq!(rig.events.len(), 2000);
    assert_eq!(rig.gaps, []);
}

#[test]
fn more_than_may_be_copied_is_a_gap_after_a_crash() {
    let mut options = plain();
    options.push(("orphans", OptionValue::Int(300_000)));
    let mut rig = start(options);
    let text = numbers(0..100_000);
    rig.write("a.log", &text);
    rig.step();
    rig.fs.remove(&path("a.log")).expect("there");
    look(&mut rig, 2);
    assert_eq!(rig.warnings.len(), 1, "{:?}", rig.warnings);
    rig.crash(true);
    rig.events.clear();
    rig.start();
    rig.run(Duration::from_secs(15));
    let known: Vec<_> = rig.gaps.iter().map(|gap| (gap.2, gap.3)).collect();
    assert_eq!(known, [(300_000, Some(text.len() as u64))]);
    // What was copied ends inside of a line.
    assert_eq!(rig.events.len(), 300_000 / 17 + 1);
    assert_eq!(orphans(&rig), 0);
}

#[test]
fn a_full_disk_does_not_stop_reading() {
    let mut rig = start(plain());
    rig.write("a.log", &numbers(0..100_000));
    rig.step();
    rig.run(Duration::from_millis(100));
    rig.fs.remove(&path("a.log")).expect("there");
    rig.fs.set_full(true);
    look(&mut rig, 2);
    rig.fs.set_full(false);
    rig.run(Duration::from_secs(15));
    assert_eq!(rig.events.len(), 100_000);
    assert_eq!(rig.gaps, []);
    assert_eq!(orphans(&rig), 0);
}
