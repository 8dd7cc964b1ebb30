//! A contestant's processes: started on their core, and what they used, read from `/proc`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::sink::clock;

/// How long a contestant may take to end when it is asked to; then it is killed.
const END_PATIENCE: Duration = Duration::from_secs(20);
const END_STEP: Duration = Duration::from_millis(10);
/// Ticks a second in `/proc`, on every Linux.
const USER_HZ: u64 = 100;
const NS: u64 = 1_000_000_000;

/// Puts this process, which is sink and writer, onto one core.
pub(crate) fn settle(core: usize) -> io::Result<()> {
    let id = std::process::id().to_string();
    let status = Command::new("taskset").args(["-pc", &core.to_string(), &id]).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(io::Error::other(format!("taskset ended with {status}"))),
        Err(error) => Err(io::Error::other(format!("taskset (of util-linux) cannot be started: {error}"))),
    }
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) command: Command,
    /// Cores, as `taskset -c` takes them.
    pub(crate) cores: String,
}

/// What a process and its children used up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// Resident memory now, in bytes.
    pub(crate) resident_bytes: u64,
    /// The most it was, in bytes.
    pub(crate) peak_bytes: u64,
}

/// A running contestant; killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    /// When it was started.
    pub(crate) started: u64,
    last: Usage,
}

impl Running {
    /// Starts a program on its cores, its output in `log`.
    pub(crate) fn start(launch: Launch, log: &Path) -> io::Result<Self> {
        // What was just generated or written by the one before goes to the disk now, not under this one's `fsync`.
        Command::new("sync").status()?;
        let log = fs::File::create(log)?;
        let Launch { command: inner, cores } = launch;
        let mut command = Command::new("taskset");
        command.args(["-c", &cores]).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = inner.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = clock::now();
        Ok(Self { child: command.spawn()?, started, last: Usage::default() })
    }

    /// What it used. Keeps the highest of what was seen: a process that has ended has no memory any more.
    pub(crate) fn usage(&mut self) -> Usage {
        let mut now = Usage::default();
        for pid in family(self.child.id()) {
            let one = usage(pid);
            now.cpu_ns += one.cpu_ns;
            now.resident_bytes += one.resident_bytes;
            now.peak_bytes += one.peak_bytes;
        }
        self.last = Usage {
            cpu_ns: now.cpu_ns.max(self.last.cpu_ns),
            resident_bytes: now.resident_bytes,
            peak_bytes: now.peak_bytes.max(self.last.peak_bytes),
        };
        self.last
    }

    /// Whether it has ended. It is not waited for yet: what it used can still be read.
    pub(crate) fn ended(&self) -> bool {
        stat(self.child.id()).is_none_or(|stat| matches!(stat.state, 'Z' | 'X'))
    }

    /// Asks it to end, and waits. Returns what it used in all, and whether it ended well and by itself.
    pub(crate) fn end(mut self) -> io::Result<(Usage, bool)> {
        let asked = !self.ended();
        if asked && let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            // It may end just now.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = clock::now() + END_PATIENCE.as_nanos() as u64;
        while !self.ended() {
            if clock::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Ok((self.last, false));
            }
            self.usage();
            std::thread::sleep(END_STEP);
        }
        let usage = self.usage();
        let status = self.child.wait()?;
        Ok((usage, status.success() || asked))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `/proc/PID/stat` says.
struct Stat {
    state: char,
    parent: u32,
    cpu_ns: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses; fields are counted from behind it.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = |range: std::ops::Range<usize>| -> u64 {
        fields.get(range).into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum()
    };
    // utime, stime, and those of children that were waited for.
    let cpu_ns = ticks(11..15) * (NS / USER_HZ);
    Some(Stat { state: fields.first()?.chars().next()?, parent: fields.get(1)?.parse().ok()?, cpu_ns })
}

/// A process and all below it.
fn family(root: u32) -> Vec<u32> {
    let mut members = vec![root];
    let Ok(entries) = fs::read_dir("/proc") else { return members };
    let mut all: Vec<(u32, u32)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid > root)
        .filter_map(|pid| Some((pid, stat(pid)?.parent)))
        .collect();
    all.sort_unstable();
    for (pid, parent) in all {
        if members.contains(&parent) {
            members.push(pid);
        }
    }
    members
}

fn usage(pid: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
            * 1024
    };
    // Ticks of 10 ms are coarse. What the scheduler knows of each thread is exact, but lacks threads that ended.
    // Neither says too much, so the larger one is the better.
    let ticks = stat(pid).map_or(0, |stat| stat.cpu_ns);
    Usage { cpu_ns: ticks.max(threads_ns(pid)), resident_bytes: kib("VmRSS:"), peak_bytes: kib("VmHWM:") }
}

fn threads_ns(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok())
        .sum()
}
