//! The spool on a virtual disk: whatever was acked is handed on once, whatever happens to the disk and the power.

#[path = "spool/command.rs"]
mod command;
#[path = "spool/disk.rs"]
mod disk;
#[path = "spool/killed.rs"]
mod killed;
#[path = "spool/rig.rs"]
mod rig;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use aludel::event::Batch;
use aludel::position::Ranges;
use aludel::seam::Fs;
use aludel::seam::sim::Dice;
use aludel::source::{Progress, Source};
use aludel::spool::{Limit, WhenFull, list};
use rig::{Cursor, DATA, Rig};

/// More with `ALUDEL_SPOOL_SEEDS=10000`.
const SEEDS: u64 = 60;

fn seeds() -> u64 {
    std::env::var("ALUDEL_SPOOL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

fn large() -> Limit {
    Limit { bytes: 64 << 20, when_full: WhenFull::Block }
}

/// Segments of some KiB, so that they come and go.
fn small(when_full: WhenFull) -> Limit {
    Limit { bytes: 64 << 10, when_full }
}

fn folder() -> PathBuf {
    Path::new(DATA).join("spool/in")
}

/// The power goes at every single disk operation of a short run.
#[test]
fn the_power_may_go_at_any_operation() {
    for lines in [false, true] {
        let mut cut = 1;
        loop {
            let mut rig = Rig::new(7, lines, small(WhenFull::Block));
            let whole = run(&mut rig, Some(cut), 60);
            rig.check(&format!("lines {lines}, operation {cut}"));
            assert!(rig.sink.gaps.is_empty(), "operation {cut}: {:?}", rig.sink.gaps);
            if whole {
                break;
            }
            cut += 1;
        }
        assert!(cut > 100, "{cut} operations are too few to show anything");
    }
}

/// Runs for some steps with a power cut after some operations, then a second life to the end. True if the power did not
/// go.
fn run(rig: &mut Rig, cut: Option<u64>, steps: usize) -> bool {
    rig.disk.faults.left.store(cut.map_or(u64::MAX, |cut| cut + 1), Ordering::Relaxed);
    if let Ok(mut source) = rig.open() {
        for _ in 0..steps {
            rig.step(&mut source);
            if rig.disk.is_off() {
                break;
            }
        }
        std::mem::forget(source);
    }
    let whole = !rig.disk.is_off();
    rig.reboot();
    let mut source = rig.open().expect("the power is on");
    rig.finish(&mut source);
    whole
}

/// From a seed: power cuts, full disks, fsyncs that fail, short reads, in any order.
#[test]
fn what_was_acked_is_handed_on_once() {
    for seed in 0..seeds() {
        let mut rig =
            Rig::new(seed, seed % 2 == 1, if seed % 3 == 0 { large() } else { small(WhenFull::Block) });
        rig.disk.faults.short.store(seed % 5 == 0, Ordering::Relaxed);
        let mut dice = Dice::new(seed ^ 0xfa17);
        for _ in 0..6 {
            let Ok(mut source) = rig.open() else {
                rig.reboot();
                continue;
            };
            for _ in 0..dice.below(200) {
                match dice.below(60) {
                    0 => rig.disk.fs.set_full(true),
                    1..4 => rig.disk.fs.set_full(false),
                    4 => rig.disk.faults.syncs.store(1 + dice.below(3), Ordering::Relaxed),
                    6 => rig.disk.fs.fail_reads(1 + dice.below(3)),
                    5 => rig.disk.faults.left.store(2 + dice.below(12), Ordering::Relaxed),
                    _ => {}
                }
                rig.step(&mut source);
                if rig.disk.is_off() {
                    break;
                }
            }
            if dice.one_in(4) && !rig.disk.is_off() {
                // A stop in good order.
                rig.disk.fs.set_full(false);
                drop(source);
            } else {
                std::mem::forget(source);
            }
            rig.reboot();
        }
        let mut source = rig.open().expect("the power is on");
        rig.finish(&mut source);
        rig.check(&format!("seed {seed}"));
        assert!(rig.sink.gaps.is_empty(), "seed {seed}: {:?}", rig.sink.gaps);
        let acked = rig.sent.lock().expect("no panic").acked.len();
        assert!(acked > 20, "seed {seed}: {acked} are too few to show anything");
    }
}

/// A full disk is said once, nothing is acked while it lasts, and all goes on when there is space.
#[test]
fn a_full_disk_is_waited_for() {
    let mut rig = Rig::new(3, false, large());
    let mut source = rig.open().expect("space");
    (0..50).for_each(|_| {
        rig.step(&mut source);
    });
    rig.disk.fs.set_full(true);
    (0..20).for_each(|_| {
        rig.step(&mut source);
    });
    let acked = rig.sent.lock().expect("no panic").acked.len();
    (0..300).for_each(|_| {
        rig.step(&mut source);
    });
    assert_eq!(rig.sent.lock().expect("no panic").acked.len(), acked, "acked though the disk was full");
    let said = rig.warnings.iter().filter(|warning| warning.contains("nothing is taken in")).count();
    assert_eq!(said, 1, "{:?}", rig.warnings);
    let next = rig.sent.lock().expect("no panic").next;
    assert!(next < acked as u64 + 40, "peers were not made to wait: {next} sent, {acked} acked");
    rig.disk.fs.set_full(false);
    rig.clock.advance(Duration::from_secs(2));
    (0..50).for_each(|_| {
        rig.step(&mut source);
    });
    assert!(rig.sent.lock().expect("no panic").acked.len() > acked);
    assert!(rig.warnings.iter().any(|warning| warning.contains("written again")), "{:?}", rig.warnings);
    rig.finish(&mut source);
    rig.check("after the disk was full");
}

/// Damage in the middle costs what it hits, exactly; what is behind it is handed on.
#[test]
fn damage_costs_only_what_it_hits() {
    for seed in 0..40 {
        let lines = seed % 2 == 1;
        let mut rig = Rig::new(seed, lines, large());
        let mut source = rig.open().expect("space");
        while rig.sent.lock().expect("no panic").acked.len() < 40 {
            let mut batch = Batch::default();
            source.step(aludel::seam::Clock::monotonic(&*rig.clock), &mut batch);
            rig.clock.advance(Duration::from_millis(7));
        }
        drop(source);
        let segments = list(&rig.disk.fs, &folder()).expect("a folder");
        let path = folder().join(format!("{:020}.seg", segments[0].first));
        let mut bytes = rig.disk.fs.content(&path).expect("a segment");
        let mut dice = Dice::new(seed);
        // Not in the last records: those would be a torn tail.
        let at = dice.below(bytes.len() as u64 / 2) as usize;
        bytes[at] ^= 1 << dice.below(8);
        rig.disk.fs.remove(&path).expect("was there");
        rig.disk.fs.write(&path, &bytes).expect("space");
        let mut source = rig.open().expect("damage stops no start");
        rig.finish(&mut source);
        let (numbers, sent) = (rig.sink.numbers(), rig.sent.lock().expect("no panic"));
        let missing = sent.acked.iter().filter(|number| !numbers.contains_key(number)).count();
        assert!(missing <= if lines { 3 } else { 1 }, "seed {seed}: {missing} messages");
        assert!(missing == 0 || !rig.sink.gaps.is_empty(), "seed {seed}: lost in silence");
        assert!(
            rig.warnings.iter().any(|warning| warning.contains("damaged")),
            "seed {seed}: {:?}",
            rig.warnings
        );
        let (lost, kept) =
            (rig.sink.gaps.total(), rig.sink.has.keys().map(|(start, end, _)| end - start).sum::<u64>());
        let end = rig.sink.has.keys().map(|(_, end, _)| *end).max().expect("some");
        assert_eq!(lost + kept, end, "seed {seed}: a gap is exact");
    }
}

/// A read that fails is tried again; what fails for good is a gap, and does not stop what is behind it.
#[test]
fn reads_that_fail_are_tried_again() {
    for (errors, lost) in [(4, false), (2000, true)] {
        let mut rig = Rig::new(11, false, large());
        let mut source = rig.open().expect("space");
        while rig.sent.lock().expect("no panic").acked.len() < 40 {
            source.absorb(aludel::seam::Clock::monotonic(&*rig.clock));
            rig.clock.advance(Duration::from_millis(7));
        }
        drop(source);
        let mut source = rig.open().expect("the end is read");
        rig.disk.fs.fail_reads(errors);
        rig.finish(&mut source);
        let numbers = rig.sink.numbers();
        let missing = rig
            .sent
            .lock()
            .expect("no panic")
            .acked
            .iter()
            .filter(|number| !numbers.contains_key(number))
            .count();
        assert_eq!((missing > 0, rig.sink.gaps.is_empty()), (lost, !lost), "{missing}: {:?}", rig.warnings);
        let kept: u64 = rig.sink.has.keys().map(|(start, end, _)| end - start).sum();
        let end =
            rig.sink.has.keys().map(|(_, end, _)| *end).chain(rig.sink.gaps.iter().map(|gap| gap.end)).max();
        assert_eq!(Some(rig.sink.gaps.total() + kept), end, "every byte is at the sink or in a gap");
    }
}

/// The oldest go where that is asked for, and a gap says which.
#[test]
fn dropping_the_oldest_is_counted() {
    let mut rig = Rig::new(5, false, small(WhenFull::DropOldest));
    let mut source = rig.open().expect("space");
    // Nothing is handed on: each batch is refused before it is begun.
    for _ in 0..4000 {
        source.absorb(aludel::seam::Clock::monotonic(&*rig.clock));
        rig.clock.advance(Duration::from_millis(4));
    }
    let used: u64 = list(&rig.disk.fs, &folder()).expect("a folder").iter().map(|segment| segment.size).sum();
    assert!(used < 80 << 10, "{used} bytes in a spool of 64 KiB");
    // What is still in memory would be handed on all the same.
    std::mem::forget(source);
    let mut source = rig.open().expect("space");
    rig.finish(&mut source);
    let numbers = rig.sink.numbers();
    let sent = rig.sent.lock().expect("no panic");
    assert!(sent.acked.len() > 1000, "{}", sent.acked.len());
    let lost = sent.acked.iter().filter(|number| !numbers.contains_key(number)).count();
    assert!(lost > 100, "{lost}");
    let kept: u64 = rig.sink.has.keys().map(|(start, end, _)| end - start).sum();
    let end = rig.sink.has.keys().map(|(_, end, _)| *end).max().expect("some");
    assert_eq!(rig.sink.gaps.total() + kept, end, "every byte is at the sink or in a gap");
}

/// A sink that was away reads the same messages again, up to where the feed is, and no more.
#[test]
fn a_sink_that_was_away_reads_the_same_again() {
    for seed in 0..20 {
        let lines = seed % 2 == 1;
        let mut rig = Rig::new(seed, lines, large());
        let mut source = rig.open().expect("space");
        for _ in 0..120 {
            let mut batch = Batch::default();
            source.step(aludel::seam::Clock::monotonic(&*rig.clock), &mut batch);
            rig.sink.take(&batch);
            rig.clock.advance(Duration::from_millis(if seed % 3 == 0 { 400 } else { 9 }));
        }
        let mut away = rig::Sink::default();
        let from = rig.sink.has.keys().nth(rig.sink.has.len() / 3).map_or(0, |(start, ..)| *start);
        let mut settled = Ranges::default();
        if let Some((start, end, _)) = rig.sink.has.keys().nth(rig.sink.has.len() / 2) {
            settled.insert(*start..*end);
        }
        let cursor = Cursor { low: Some(from), settled: settled.clone() };
        let mut again = source.catch_up(0, &cursor).expect("something was missed");
        loop {
            let mut batch = Batch::default();
            let progress = again.step(Duration::ZERO, &mut batch);
            away.take(&batch);
            if progress == Progress::End {
                break;
            }
        }
        assert!(again.notices().is_empty());
        let expected: Vec<_> = rig
            .sink
            .has
            .iter()
            .filter(|((start, ..), _)| *start >= from && !settled.contains(*start))
            .collect();
        assert!(expected.len() > 20, "seed {seed}");
        assert_eq!(away.has.iter().collect::<Vec<_>>(), expected, "seed {seed}");
    }
}
