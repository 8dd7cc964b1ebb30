//! `aludel spool`: what is kept of inputs that cannot be read again, as it lies in a data folder; looking at it is
//! possible while aludel runs.

mod replay;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::print;
use crate::event::write_timestamp;
use crate::position::CursorRecord;
use crate::seam::{Fs, RealFs};
use crate::shown::{number, size};
use crate::spool::{Checkup, CursorLog, DataDir, Problem, check, repair, spools};

/// Look at what is spooled, check it, repair it, read it again
#[derive(Debug, Args)]
pub(super) struct Spool {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List spools: how much they hold, since when, and how far each sink is
    Ls(Which),
    /// Read every record and say what is damaged; exits with 1 if something is
    Verify(Which),
    /// Set damaged bytes aside, and cut torn ends off; aludel must not be running
    Repair(Which),
    /// Print what is spooled, or run it through a pipeline without sending anything
    Replay(replay::Replay),
}

#[derive(Debug, Args)]
struct Which {
    /// The source, as the pipeline file names it; all if not given
    source: Option<String>,
    /// Folder that `aludel run` keeps its cursors in
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
}

impl Spool {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Ls(which) => which.ls(),
            Command::Verify(which) => which.verify(),
            Command::Repair(which) => which.repair(),
            Command::Replay(replay) => replay.run(),
        }
    }
}

/// The spool of one source.
fn one(data_dir: &Path, source: &str) -> anyhow::Result<PathBuf> {
    let all = all(data_dir)?;
    match all.iter().find(|(name, _)| name == source) {
        Some((_, folder)) => Ok(folder.clone()),
        None if all.is_empty() => bail!("there are no spools in {}", data_dir.display()),
        None => {
            let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
            bail!("there is no spool of a source `{source}`; there are: {}", names.join(", "))
        }
    }
}

fn all(data_dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    spools(&RealFs, data_dir).with_context(|| format!("cannot list the spools in {}", data_dir.display()))
}

fn fs() -> Arc<dyn Fs> {
    Arc::new(RealFs)
}

fn time(ns: Option<i64>) -> String {
    let mut text = Vec::new();
    if let Some(ns) = ns {
        write_timestamp(ns.div_euclid(1_000_000) * 1_000_000, &mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

impl Which {
    fn folders(&self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        match &self.source {
            Some(source) => Ok(vec![(source.clone(), one(&self.data_dir, source)?)]),
            None => all(&self.data_dir),
        }
    }

    fn ls(&self) -> anyhow::Result<ExitCode> {
        let mut out = String::new();
        let cursors = CursorLog::records(&RealFs, &self.data_dir)
            .with_context(|| format!("cannot read the cursor log in {}", self.data_dir.display()))?;
        for (source, folder) in self.folders()? {
            let checkup = look(&folder)?;
            let what = if checkup.is_stream { "pieces of a stream" } else { "messages" };
            let segments = match checkup.segments {
                1 => "1 segment".to_owned(),
                many => format!("{many} segments"),
            };
            writeln!(out, "{source}")?;
            writeln!(out, "  {} in {}, {} {what}", size(checkup.bytes), segments, number(checkup.records))?;
            writeln!(out, "  positions {} to {}", checkup.first, checkup.end)?;
            if checkup.records > 0 {
                writeln!(out, "  received {} to {}", time(checkup.oldest_ns), time(checkup.newest_ns))?;
            }
            let stream = checkup.state.map(|state| state.stream);
            let of_stream: Vec<_> = cursors.iter().filter(|record| Some(record.stream) == stream).collect();
            if of_stream.is_empty() {
                writeln!(out, "  no sink has settled anything yet")?;
            }
            for record in of_stream {
                let low = record.low;
                let open = size(backlog(&checkup, record));
                writeln!(out, "  sink {}: has all before {low}, {open} to go", record.sink)?;
            }
            if !checkup.problems.is_empty() {
                writeln!(out, "  damaged: see `aludel spool verify {source}`")?;
            }
        }
        if out.is_empty() {
            out = format!("nothing is spooled in {}\n", self.data_dir.display());
        }
        print(&out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn verify(&self) -> anyhow::Result<ExitCode> {
        let running = DataDir::lock(&self.data_dir).is_err();
        let (mut out, mut bad) = (String::new(), false);
        for (source, folder) in self.folders()? {
            let checkup = look(&folder)?;
            for problem in &checkup.problems {
                bad |= match problem {
                    Problem::Damage(_) => true,
                    // What was set aside is no damage any more.
                    Problem::Gone(_) => false,
                    // What a process writes at this moment looks torn.
                    Problem::Torn { .. } => !running,
                };
                writeln!(out, "{source}: {}", tell(problem, running))?;
            }
            if checkup.problems.is_empty() {
                writeln!(out, "{source}: all {} records are whole", number(checkup.records))?;
            }
        }
        print(&out)?;
        Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn repair(&self) -> anyhow::Result<ExitCode> {
        let _lock = DataDir::lock(&self.data_dir)?;
        let mut out = String::new();
        for (source, folder) in self.folders()? {
            let done = repair(&fs(), &folder)
                .with_context(|| format!("cannot repair the spool in {}", folder.display()))?;
            for done in &done {
                writeln!(out, "{source}: {done}")?;
            }
            if done.is_empty() {
                writeln!(out, "{source}: nothing to repair")?;
            }
        }
        print(&out)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn look(folder: &Path) -> anyhow::Result<Checkup> {
    check(&fs(), folder, &mut |_| {})
        .with_context(|| format!("cannot read the spool in {}", folder.display()))
}

/// Bytes that a sink has not settled.
fn backlog(checkup: &Checkup, record: &CursorRecord) -> u64 {
    let from = record.low.max(checkup.first);
    let mut above = record.settled.clone();
    above.drop_below(from);
    checkup.end.saturating_sub(from).saturating_sub(above.total())
}

fn tell(problem: &Problem, running: bool) -> String {
    match problem {
        Problem::Damage(damage) => {
            let (bytes, lost) = (&damage.bytes, &damage.lost);
            let cost = if lost.is_empty() {
                "no data is lost".to_owned()
            } else {
                format!("positions {} to {} are lost", lost.start, lost.end)
            };
            format!(
                "bytes {} to {} of segment {} are damaged: {cost}",
                bytes.start, bytes.end, damage.segment
            )
        }
        Problem::Gone(gone) => format!("positions {} to {} are not there", gone.start, gone.end),
        Problem::Torn { segment, bytes } => {
            let why = if running { "; aludel is running and may be writing it" } else { "" };
            format!("segment {segment} ends inside a record at byte {}{why}", bytes.start)
        }
    }
}
