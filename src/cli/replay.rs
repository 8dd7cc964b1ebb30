//! `aludel replay`: recorded bytes through a pipeline, in virtual time. Nothing is sent: the events that the sinks
//! would get are printed.

use std::io::{BufWriter, IsTerminal, StdoutLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{WRONG_USAGE, complain, load, summary};
use crate::replay::{Audience, captured, replay};
use crate::run::Letter;

/// Width of the progress bar, in characters.
const BAR: usize = 40;

/// Run recorded bytes through a pipeline, in virtual time
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A pipeline file
    pipeline: PathBuf,
    /// Recorded files, read one after the other
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The source that they stand for, where the file has several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Print only what this sink would get
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// The path under which the pipeline sees the input, in place of its own
    #[arg(long = "as", value_name = "PATH")]
    path: Option<String>,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(loaded) = load::load(std::slice::from_ref(&self.pipeline))? else {
            return Ok(ExitCode::from(WRONG_USAGE));
        };
        let plan = Arc::new(captured(loaded));
        let names: Vec<_> = plan.sources.iter().map(|source| source.name.as_str()).collect();
        let source = load::choose("source", &names, self.source.as_deref())?;
        let names: Vec<_> = plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
        let sink = match &self.sink {
            Some(name) => Some(load::choose("sink", &names, Some(name))?),
            None => None,
        };
        let (recordings, newest) = load::recordings(&self.input, self.path.as_deref())?;
        let total = recordings.iter().map(|recording| recording.size).sum();
        let mut screen = Screen::new(sink, total);
        let stats = replay(&plan, source, recordings, newest, &mut screen).map_err(anyhow::Error::msg)?;
        screen.finish()?;
        let mut snapshot = stats.snapshot();
        // What a sink would get is all that a replay gives it.
        snapshot.sinks.iter_mut().for_each(|(_, sink)| sink.delivered = sink.offered);
        complain(summary::text(&plan, &snapshot).trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints events and, on a terminal, a bar.
pub(super) struct Screen {
    out: BufWriter<StdoutLock<'static>>,
    failed: Option<std::io::Error>,
    sink: Option<usize>,
    total: u64,
    bar: bool,
}

impl Screen {
    pub(super) fn new(sink: Option<usize>, total: u64) -> Self {
        // A bar among the events would be noise.
        let bar = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        Self { out: BufWriter::new(std::io::stdout().lock()), failed: None, sink, total, bar }
    }

    fn line(&mut self, line: &[u8]) {
        if self.failed.is_none() {
            let wrote = self.out.write_all(line).and_then(|()| self.out.write_all(b"\n"));
            self.failed = wrote.err();
        }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if self.bar {
            complain("\r\x1b[K");
        }
        match self.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(self.out.flush()?),
        }
    }
}

impl Audience for Screen {
    fn event(&mut self, sink: usize, json: &[u8]) {
        if self.sink.is_none_or(|wanted| wanted == sink) {
            self.line(json);
        }
    }

    fn letter(&mut self, _: &Letter) {}

    fn progress(&mut self, left: u64) {
        if self.bar && self.total > 0 {
            let done = (self.total - left) as usize * BAR / self.total as usize;
            let percent = (self.total - left) * 100 / self.total;
            let bar = format!("\r[{}{}] {percent:>3} %", "#".repeat(done), "-".repeat(BAR - done));
            let _ = std::io::stderr().write_all(bar.as_bytes());
        }
    }
}
