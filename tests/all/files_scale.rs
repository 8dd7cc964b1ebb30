//! Many known files on a real disk: what a start costs, in time and memory.
//!
//! `ALUDEL_KNOWN_FILES=500000` gives the figures that count; they are printed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Batch, Options};
use aludel::limits::FILES_ACTIVE_MAX;
use aludel::position::{CursorRecord, Ranges};
use aludel::seam::sim::SimClock;
use aludel::seam::{Clock, RealFs};
use aludel::source::files::KIND;
use aludel::source::{Notice, Progress, Source, World};
use aludel::spool::CursorLog;

use super::files_rig::plain;

const FILES_PER_FOLDER: usize = 1000;

struct Reading {
    source: Box<dyn Source>,
    log: CursorLog,
    lines: usize,
    gaps: usize,
}

impl Reading {
    fn start(folder: &Path, clock: &Arc<SimClock>) -> Self {
        let data_dir = folder.join("data");
        fs::create_dir_all(&data_dir).expect("a folder");
        let (log, _) = CursorLog::open(Arc::new(RealFs), &data_dir).expect("a log");
        let world =
            World { fs: Arc::new(RealFs), clock: clock.clone(), data_dir, host: Arc::from(&b"host"[..]) };
        let arguments = vec![folder.join("logs/**/*.log").display().to_string()];
        let plan = (KIND.plan)("logs", &Options::new(arguments, plain())).expect("good options");
        let source = plan.open(world, Arc::new(log.cursors(&[("es", true)]))).expect("opens");
        Self { source, log, lines: 0, gaps: 0 }
    }

    /// Steps until there is nothing to do; a sink settles all at once.
    fn settle(&mut self, clock: &SimClock) {
        loop {
            let mut batch = Batch::default();
            let progress = self.source.step(clock.monotonic(), &mut batch);
            self.lines += batch.messages.len();
            let gaps = self.source.notices();
            self.gaps += gaps.iter().filter(|notice| matches!(notice, Notice::Gap { .. })).count();
            let mut lows = Vec::new();
            for run in &batch.runs {
                let low = run.ranges.iter().map(|range| range.end).max().expect("a range");
                let (stream, generation) = (run.stream.id, run.stream.generation);
                let settled = Ranges::default();
                self.log.put(&CursorRecord { stream, generation, sink: "es".into(), low, settled });
                lows.push((run.stream.clone(), low));
            }
            self.log.commit().expect("space");
            for (stream, low) in lows {
                self.source.settled(&stream, low);
            }
            if progress != Progress::More {
                return;
            }
        }
    }
}

/// Time of a core that this thread took: other programs' does not count.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Bytes of memory that this process holds.
fn resident() -> i64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: i64 = text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Of files that nobody writes to, only an index is in memory, and a start reads no file.
#[test]
fn known_files_cost_little() {
    let asked = std::env::var("ALUDEL_KNOWN_FILES").ok().and_then(|text| text.parse::<usize>().ok());
    let files = asked.unwrap_or(FILES_ACTIVE_MAX + 1000);
    let folder = tempfile::tempdir().expect("a folder");
    let at =
        |file: usize| folder.path().join(format!("logs/{}/container-{file:06}.log", file / FILES_PER_FOLDER));
    for file in 0..files {
        if file % FILES_PER_FOLDER == 0 {
            fs::create_dir_all(at(file).parent().expect("a folder")).expect("made");
        }
        fs::write(at(file), format!("the only line of file {file}\n")).expect("space");
    }
    let clock = Arc::new(SimClock::at(1_700_000_000_000_000_000));
    let timed = |what: &str, since: Duration| {
        let took = cpu() - since;
        println!("{what}: {took:?} of one core, {} MiB resident", resident() / (1 << 20));
        took
    };
    let begun = cpu();
    let mut reading = Reading::start(folder.path(), &clock);
    reading.settle(&clock);
    assert_eq!(reading.lines, files);
    timed(&format!("{files} new files read"), begun);
    // Long after, they are idle.
    for _ in 0..2 {
        clock.advance(Duration::from_secs(100));
        reading.settle(&clock);
    }
    assert_eq!(reading.source.backlog().streams, files);
    assert_eq!(reading.source.backlog().open, 0);
    timed("parked", begun);
    drop(reading);

    let begun = cpu();
    let mut reading = Reading::start(folder.path(), &clock);
    let opened = timed("both logs opened", begun);
    reading.settle(&clock);
    let started = timed("and all files looked at", begun);
    assert_eq!((reading.lines, reading.gaps, reading.source.backlog().open), (0, 0, 0));
    assert_eq!(reading.source.backlog().streams, files);
    if asked.is_some() {
        assert!(started < Duration::from_secs(2), "{opened:?} {started:?}");
    }

    // They are known when they change, move, or go.
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).open(at(7)).expect("there");
    file.write_all(b"one more\n").expect("space");
    fs::rename(at(8), at(8).with_extension("log.1")).expect("there");
    fs::remove_file(at(9)).expect("there");
    clock.advance(Duration::from_secs(200));
    reading.settle(&clock);
    clock.advance(Duration::from_secs(400));
    reading.settle(&clock);
    assert_eq!((reading.lines, reading.gaps), (1, 1));
    assert_eq!(reading.source.backlog().streams, files - 2);
}
