//! The `files` source on a real disk, with inotify: what the simulation cannot show.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Batch, Options, Span};
use aludel::seam::{Clock, RealClock, RealFs};
use aludel::source::files::KIND;
use aludel::source::{Notice, Progress, Source, World};
use aludel::spool::CursorLog;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::files_rig::plain;

struct Reading {
    source: Box<dyn Source>,
    clock: RealClock,
    lines: BTreeSet<String>,
    warnings: Vec<String>,
    steps: u64,
}

impl Reading {
    fn start(folder: &Path, pattern: &str) -> Self {
        let data_dir = folder.join("data");
        fs::create_dir_all(&data_dir).expect("a folder");
        let (log, _) = CursorLog::open(Arc::new(RealFs), &data_dir).expect("a log");
        let clock = RealClock::start();
        let world =
            World { fs: Arc::new(RealFs), clock: Arc::new(clock), data_dir, host: Arc::from(&b"host"[..]) };
        let arguments = vec![folder.join(pattern).display().to_string()];
        let plan = (KIND.plan)("logs", &Options::new(arguments, plain())).expect("good options");
        let source = plan.open(world, Arc::new(log.cursors(&[("es", true)]))).expect("opens");
        Self { source, clock, lines: BTreeSet::new(), warnings: Vec::new(), steps: 0 }
    }

    /// Steps as the engine does, waiting on the source's own descriptor, until `done` or for `time`.
    fn run(&mut self, time: Duration, done: impl Fn(&BTreeSet<String>) -> bool) -> Duration {
        let begun = self.clock.monotonic();
        loop {
            let now = self.clock.monotonic();
            if now - begun >= time || done(&self.lines) {
                return now - begun;
            }
            let mut batch = Batch::default();
            self.steps += 1;
            let progress = self.source.step(now, &mut batch);
            for message in &batch.messages {
                let segment = batch.segments[(message.text.buffer - Span::SEGMENTS) as usize].bytes();
                let text = &segment[message.text.start as usize..][..message.text.len as usize];
                self.lines.insert(String::from_utf8_lossy(text).into_owned());
            }
            for notice in self.source.notices() {
                match notice {
                    Notice::Warning(warning) => self.warnings.push(warning),
                    Notice::Gap { .. } => self.warnings.push(format!("{notice:?}")),
                }
            }
            if let Progress::Wait(until) = progress {
                let wait = until.min(begun + time).saturating_sub(self.clock.monotonic());
                let wait =
                    Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
                let mut fds: Vec<_> = self
                    .source
                    .wake_fd()
                    .into_iter()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
                    .collect();
                let _ = poll(&mut fds, Some(&wait));
            }
        }
    }
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("opens");
    file.write_all(text.as_bytes()).expect("space");
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

const LONG: Duration = Duration::from_secs(20);

/// inotify tells of new lines, files, folders and links well before the next sweep.
#[test]
fn changes_are_seen_when_they_happen() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    append(&at.join("a.log"), "1\n");
    let mut reading = Reading::start(at, "**/*.log");
    reading.run(LONG, |lines| lines.contains("1"));
    append(&at.join("a.log"), "2\n");
    reading.run(LONG, |lines| lines.contains("2"));
    fs::create_dir_all(at.join("x/y")).expect("a folder");
    append(&at.join("x/y/b.log"), "3\n");
    reading.run(LONG, |lines| lines.contains("3"));
    append(&at.join("x/y/b.log"), "4\n");
    reading.run(LONG, |lines| lines.contains("4"));
    fs::create_dir_all(at.join("elsewhere")).expect("a folder");
    append(&at.join("elsewhere/0.txt"), "5\n");
    std::os::unix::fs::symlink(at.join("elsewhere/0.txt"), at.join("c.log")).expect("a link");
    reading.run(LONG, |lines| lines.contains("5"));
    append(&at.join("elsewhere/0.txt"), "6\n");
    reading.run(LONG, |lines| lines.contains("6"));
    append(&at.join("a.log"), "7\n");
    fs::rename(at.join("a.log"), at.join("a.log.1")).expect("renamed");
    append(&at.join("a.log.1"), "8\n");
    append(&at.join("a.log"), "9\n");
    reading.run(LONG, |lines| lines.len() == 9);
    // Behind a link, where only the file is watched and not its folder.
    fs::rename(at.join("elsewhere/0.txt"), at.join("elsewhere/0.txt.1")).expect("renamed");
    append(&at.join("elsewhere/0.txt.1"), "a\n");
    append(&at.join("elsewhere/0.txt"), "b\n");
    let took = reading.run(LONG, |lines| lines.len() == 11);
    assert_eq!(reading.lines.len(), 11, "{:?}", reading.lines);
    assert!(took < LONG / 4, "{took:?}");
    assert!(reading.warnings.is_empty(), "{:?}", reading.warnings);
}

/// Files that nobody writes to cost next to nothing.
#[test]
fn idle_files_are_cheap() {
    let files: usize =
        std::env::var("ALUDEL_IDLE_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(500);
    let seconds = if files > 500 { 60 } else { 2 };
    let folder = tempfile::tempdir().expect("a folder");
    for file in 0..files {
        append(&folder.path().join(format!("{file}.log")), "x\n");
    }
    let mut reading = Reading::start(folder.path(), "*.log");
    let begun = cpu();
    reading.run(Duration::from_secs(if files > 500 { 8 } else { 1 }), |_| false);
    println!("{files} files: {:?} to take in", cpu() - begun);
    let (begun, steps) = (cpu(), reading.steps);
    let took = reading.run(Duration::from_secs(seconds), |_| false);
    let (used, steps) = (cpu() - begun, reading.steps - steps);
    println!("{used:?} in {took:?}, {steps} steps, open {}", reading.source.backlog().open);
    assert!(used < took / 50, "{used:?} in {took:?}");
}
