//! The program, killed at random moments while others append to files and rotate them.
//!
//! What a proof needs beside this is a pipeline over [`Writers::GLOB`] and a way to read back what arrived: the numbers
//! `0..` of [`Killed::lines`], each once. The moments come from a seed, so that a failure can be tried again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aludel::seam::sim::Dice;

use crate::patience::Patience;
use crate::program::aludel;

/// How often a proof kills the program: `ALUDEL_KILLS`, or few in a quick run.
pub(crate) fn kills() -> usize {
    std::env::var("ALUDEL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

/// Lines, kills and how long it took.
#[derive(Debug)]
pub(crate) struct Killed {
    /// Lines that were written: the last field of each is its number, from 0.
    pub(crate) lines: u64,
    /// Times that the program was killed.
    pub(crate) kills: usize,
    /// What the last run said, which was not killed.
    pub(crate) said: String,
}

/// Programs that append numbered lines to three files and rotate them by renaming.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writers {
    /// The pattern of the files, below the folder that they are given.
    pub(crate) const GLOB: &str = "in/*.log*";

    /// Starts writing.
    pub(crate) fn start(folder: &Path, seed: u64) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let logs = folder.join("in");
        fs::create_dir_all(&logs).expect("a folder");
        let thread = {
            let (stop, written) = (stop.clone(), written.clone());
            std::thread::spawn(move || write(&logs, seed, &stop, &written))
        };
        Self { stop, written, thread: Some(thread) }
    }

    /// Stops writing; says how many lines were written.
    pub(crate) fn stop(mut self) -> u64 {
        self.end();
        self.written.load(Ordering::Acquire)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the writers' disk is well");
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.end();
    }
}

fn write(logs: &Path, seed: u64, stop: &AtomicBool, written: &AtomicU64) {
    let mut dice = Dice::new(seed);
    let mut rotations = 0;
    while !stop.load(Ordering::Acquire) {
        let log = logs.join(format!("{}.log", dice.below(3)));
        if dice.one_in(20) {
            rotations += 1;
            // A file that was not written yet has nothing to rotate.
            let _ = fs::rename(&log, format!("{}.{rotations}", log.display()));
        }
        let first = written.load(Ordering::Acquire);
        let lines = 1 + dice.below(40);
        let text: String = (first..first + lines).map(|line| format!("line {line}\n")).collect();
        // In two writes, so that the program also meets half lines.
        let (head, tail) = text.as_bytes().split_at(dice.below(text.len() as u64) as usize);
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&log).expect("opened");
        file.write_all(head).expect("written");
        std::thread::sleep(Duration::from_millis(dice.below(5)));
        file.write_all(tail).expect("written");
        written.store(first + lines, Ordering::Release);
        std::thread::sleep(Duration::from_millis(dice.below(10)));
    }
}

/// Starts the program on a pipeline again and again and kills it (SIGKILL) at a moment of its life that the seed gives,
/// while files are written; then lets it end by itself with everything read and settled.
pub(crate) fn kill_again_and_again(folder: &Path, pipeline: &Path, kills: usize, seed: u64) -> Killed {
    let writers = Writers::start(folder, seed);
    let mut dice = Dice::new(seed ^ 0x6b69_6c6c);
    for _ in 0..kills {
        let mut child = spawn(folder, pipeline, &[], Stdio::null());
        // Most of what can go wrong is soon after the start, when what was in doubt is looked at.
        let life = if dice.one_in(3) { dice.below(1500) } else { 60 + dice.below(400) };
        std::thread::sleep(Duration::from_millis(life));
        child.kill().expect("it runs");
        child.wait().expect("it is dead");
    }
    let lines = writers.stop();
    let last = spawn(folder, pipeline, &["--once"], Stdio::piped());
    let _patience = Patience::with(&last);
    let ended = last.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    Killed { lines, kills, said }
}

fn spawn(folder: &Path, pipeline: &Path, more: &[&str], stderr: Stdio) -> Child {
    let mut command = aludel();
    let data: PathBuf = folder.join("data");
    command.arg("run").arg(pipeline).arg("--data-dir").arg(data).args(["--admin", "off"]).args(more);
    command.stdout(Stdio::null()).stderr(stderr).spawn().expect("the program starts")
}

/// That what arrived is what was written: each line, once.
pub(crate) fn assert_each_once(arrived: impl IntoIterator<Item = u64>, killed: &Killed) {
    let mut times = vec![0u32; killed.lines as usize];
    for line in arrived {
        let slot = times.get_mut(line as usize);
        *slot.unwrap_or_else(|| panic!("line {line} was never written")) += 1;
    }
    let of = |wanted: fn(u32) -> bool| -> Vec<usize> {
        (0..times.len()).filter(|line| wanted(times[*line])).take(20).collect()
    };
    let (lost, twice) = (of(|times| times == 0), of(|times| times > 1));
    assert!(lost.is_empty() && twice.is_empty(), "lost {lost:?}, twice {twice:?}, {}", killed.said);
}
