//! The cursor log on a disk that loses what was not fsynced: what was committed is there at the next start, and
//! no damage stops one.

use std::path::Path;
use std::sync::Arc;

use aludel::position::{CursorRecord, Ranges, Resume, StreamId};
use aludel::seam::sim::{Dice, SimClock, SimFs};
use aludel::seam::{File, Fs, RealFs};
use aludel::spool::{CursorLog, DataDir, DataDirError, host_id};

const DATA: &str = "/data";

fn disk(seed: u64) -> SimFs {
    let fs = SimFs::new(seed, Arc::new(SimClock::at(0)));
    fs.make_folder(Path::new(DATA)).expect("a folder");
    fs
}

fn open(fs: &SimFs) -> (CursorLog, Vec<String>) {
    CursorLog::open(Arc::new(fs.clone()), Path::new(DATA)).expect("a log")
}

fn record(stream: u64, sink: &str, low: u64, above: &[std::ops::Range<u64>]) -> CursorRecord {
    let mut settled = Ranges::default();
    above.iter().for_each(|range| settled.insert(range.clone()));
    CursorRecord { stream: StreamId(stream), generation: 0, sink: sink.into(), low, settled }
}

#[test]
fn a_restart_reads_from_the_slowest_required_sink() {
    let fs = disk(1);
    let (mut log, _) = open(&fs);
    log.put(&record(7, "es", 300, std::slice::from_ref(&(400..500))));
    log.put(&record(7, "archive", 100, &[]));
    log.put(&record(7, "stdout", 0, &[]));
    log.commit().expect("space");
    let (log, warnings) = open(&fs);
    assert!(warnings.is_empty(), "{warnings:?}");
    let cursors = log.cursors(&[("es", true), ("archive", true), ("stdout", false)]);
    assert_eq!(cursors.position(StreamId(7), 0), Some(100));
    assert_eq!(cursors.position(StreamId(7), 1), None);
    let sets = cursors.settled(StreamId(7), 0).expect("es is ahead");
    let shown: Vec<Vec<_>> = sets.iter().map(|set| set.iter().collect()).collect();
    assert_eq!(shown, [vec![100..300, 400..500], vec![], vec![]]);
    // A sink that has no record yet has settled nothing.
    assert_eq!(log.cursors(&[("es", true), ("new", true)]).position(StreamId(7), 0), Some(0));
}

/// Whatever was committed before a crash is there after it, and nothing is there that was never put.
#[test]
fn a_crash_loses_nothing_that_was_committed() {
    for seed in 0..40 {
        let fs = disk(seed);
        let mut dice = Dice::new(seed);
        let mut log = open(&fs).0;
        let (mut put, mut committed) = ([0u64; 4], [0u64; 4]);
        for _ in 0..200 {
            match dice.below(8) {
                0..5 => {
                    let stream = dice.below(4) as usize;
                    put[stream] += dice.below(1000);
                    log.put(&record(stream as u64, "es", put[stream], &[]));
                }
                5 => {
                    fs.set_full(dice.one_in(3));
                    if log.commit().is_ok() {
                        committed = put;
                    }
                    fs.set_full(false);
                }
                6 if log.compact().is_ok() => committed = put,
                _ => {
                    fs.crash(Path::new(DATA));
                    log = open(&fs).0;
                    for stream in 0..4 {
                        let low = log.get(StreamId(stream), 0, "es").map_or(0, |record| record.low);
                        let known = committed[stream as usize]..=put[stream as usize];
                        assert!(known.contains(&low), "seed {seed}, stream {stream}: {low} not in {known:?}");
                        put[stream as usize] = low;
                    }
                    committed = put;
                }
            }
        }
    }
}

/// However bytes of the log are damaged, it opens, says so, and keeps the records around the damage.
#[test]
fn damage_costs_only_what_it_hits() {
    for seed in 0..100 {
        let fs = disk(seed);
        let mut log = open(&fs).0;
        for stream in 0..20 {
            log.put(&record(stream, "es", 5, &[]));
        }
        log.commit().expect("space");
        let path = Path::new(DATA).join("cursors.log");
        let mut bytes = fs.content(&path).expect("the log");
        let mut dice = Dice::new(seed);
        let at = dice.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << dice.below(8);
        fs.remove(&path).expect("was there");
        fs.write(&path, &bytes).expect("space");
        let (log, warnings) = open(&fs);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let known = (0..20).filter(|&stream| log.get(StreamId(stream), 0, "es").is_some()).count();
        // The last bytes are the log's own note that all before them is on the disk.
        let records = bytes.len() - 23;
        assert_eq!(known, 19 + usize::from(at >= records), "seed {seed}, byte {at}: {warnings:?}");
    }
}

#[test]
fn the_file_stays_in_proportion_to_what_is_live() {
    let fs = disk(1);
    let mut log = open(&fs).0;
    for round in 0..20_000 {
        log.put(&record(round % 100, "es", round, &[]));
        log.put(&record(round % 100, "archive", round, &[]));
        if round % 200 == 0 {
            log.commit().expect("space");
        }
    }
    log.commit().expect("space");
    assert!(log.size() <= 1024 * 1024 + 8192, "{}", log.size());
    let (mut log, _) = open(&fs);
    assert_eq!(log.get(StreamId(99), 0, "es").map(|record| record.low), Some(19_999));
    log.forget(StreamId(99), 0);
    log.compact().expect("space");
    assert!(log.size() < 10_000, "{}", log.size());
    assert_eq!(open(&fs).0.get(StreamId(99), 0, "es"), None);
}

#[test]
fn a_data_folder_has_one_owner_and_one_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    let first = DataDir::lock(&path).expect("free");
    assert!(matches!(DataDir::lock(&path), Err(DataDirError::InUse(_))));
    let id = host_id(&RealFs, first.path(), DataDir::random).expect("random bytes");
    drop(first);
    let again = DataDir::lock(&path).expect("free again");
    assert_eq!(host_id(&RealFs, again.path(), DataDir::random).expect("a file"), id);
    let file: Box<dyn File> = RealFs.open_append(&path.join("host-id")).expect("a file");
    file.truncate(3).expect("cut");
    assert_ne!(host_id(&RealFs, again.path(), DataDir::random).expect("a new one"), id);
}

/// What could not be written is not forgotten by the one who is to try again, even where nothing new comes.
#[test]
fn a_commit_that_failed_is_still_to_be_done() {
    let fs = disk(1);
    let (mut log, _) = open(&fs);
    log.put(&record(7, "es", 300, &[]));
    fs.set_full(true);
    assert!(log.commit().is_err() && log.is_dirty());
    fs.set_full(false);
    log.commit().expect("space");
    assert!(!log.is_dirty());
    fs.crash(Path::new(DATA));
    let (log, _) = open(&fs);
    assert_eq!(log.cursors(&[("es", true)]).position(StreamId(7), 0), Some(300));
}
