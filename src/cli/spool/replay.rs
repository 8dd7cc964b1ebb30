//! `aludel spool replay`: what is spooled, as events without a pipeline, as raw bytes, or through a pipeline.

use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::super::{WRONG_USAGE, complain, load, replay::Screen, summary};
use super::{fs, one};
use crate::event::{Batch, Options, Span, write_string};
use crate::frame::{FrameConfig, Multiline};
use crate::replay::{captured, through};
use crate::source::spooled::{Framing, Stored};
use crate::source::{Notice, Progress, Source};
use crate::spool::{Checkup, check};

/// How what is spooled is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object for each message or line: position, time of receipt, peer, text
    Ndjson,
    /// The bytes as they came; a line feed behind each message
    Raw,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The source, as the pipeline file names it
    source: String,
    /// Folder that `aludel run` keeps its cursors in
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
    /// Begin at this position
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
    /// End before this position
    #[arg(long, value_name = "POSITION")]
    to: Option<u64>,
    /// Only what was received at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Only what was received before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// How to print it
    #[arg(long, default_value = "ndjson", conflicts_with = "pipeline")]
    format: Format,
    /// Run it through this pipeline file and print what its sinks would get
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// With a pipeline: the source that it stands for, where that has another name now
    #[arg(long = "as", value_name = "NAME", requires = "pipeline")]
    source_in_file: Option<String>,
    /// With a pipeline: print only what this sink would get
    #[arg(long, value_name = "NAME", requires = "pipeline")]
    sink: Option<String>,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let folder = one(&self.data_dir, &self.source)?;
        let (checkup, positions) = self.choose(&folder)?;
        let Some(state) = checkup.state else {
            complain(&format!("nothing is spooled of {}", self.source));
            return Ok(ExitCode::SUCCESS);
        };
        if let Some(pipeline) = &self.pipeline {
            let Some(loaded) = load::load(std::slice::from_ref(pipeline))? else {
                return Ok(ExitCode::from(WRONG_USAGE));
            };
            let plan = Arc::new(captured(loaded));
            let names: Vec<_> = plan.sources.iter().map(|source| source.name.as_str()).collect();
            let name = self.source_in_file.as_deref().unwrap_or(&self.source);
            let number = load::choose("source", &names, Some(name))?;
            let names: Vec<_> = plan.sinks.iter().map(|sink| sink.name.as_str()).collect();
            let sink =
                self.sink.as_deref().map(|name| load::choose("sink", &names, Some(name))).transpose()?;
            let framing = framing(&checkup, &plan.sources[number].options)?;
            let stored = Stored::open(fs(), folder, name, framing, &state, positions.clone());
            let mut screen = Screen::new(sink, positions.end.saturating_sub(positions.start));
            let newest = checkup.newest_ns.unwrap_or(0);
            let stats =
                through(&plan, number, Box::new(stored), newest, &mut screen).map_err(anyhow::Error::msg)?;
            screen.finish()?;
            let mut snapshot = stats.snapshot();
            snapshot.sinks.iter_mut().for_each(|(_, sink)| sink.delivered = sink.offered);
            complain(summary::text(&plan, &snapshot).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        let lines = FrameConfig { multiline: Multiline::None, ..FrameConfig::default() };
        let framing = if checkup.is_stream { Framing::Lines(Arc::new(lines)) } else { Framing::Messages };
        match self.format {
            Format::Raw => raw(&folder, checkup.is_stream, &positions)?,
            Format::Ndjson => {
                let stored = Stored::open(fs(), folder, &self.source, framing, &state, positions);
                ndjson(stored)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is in the spool, and the positions that were asked for.
    fn choose(&self, folder: &std::path::Path) -> anyhow::Result<(Checkup, Range<u64>)> {
        let ns = |time: Option<jiff::Timestamp>| time.map(|time| time.as_nanosecond());
        let (since, until) = (ns(self.since), ns(self.until));
        let mut times: Option<Range<u64>> = None;
        let checkup = check(&fs(), folder, &mut |record| {
            let at = i128::from(record.received_ns);
            if record.kind.is_data()
                && since.is_none_or(|since| since <= at)
                && until.is_none_or(|until| at < until)
            {
                let start = times.as_ref().map_or(record.position, |times| times.start);
                times = Some(start..record.end());
            }
        })
        .with_context(|| format!("cannot read the spool in {}", folder.display()))?;
        let times = times.unwrap_or(checkup.end..checkup.end);
        let start = self.from.unwrap_or(0).max(times.start).min(checkup.end);
        let end = self.to.unwrap_or(u64::MAX).min(times.end).max(start);
        Ok((checkup, start..end))
    }
}

/// How the source of a pipeline file frames what is spooled.
fn framing(checkup: &Checkup, options: &Options) -> anyhow::Result<Framing> {
    if !checkup.is_stream {
        return Ok(Framing::Messages);
    }
    let config = FrameConfig::from_options(options).map_err(anyhow::Error::msg)?;
    Ok(Framing::Lines(Arc::new(config)))
}

fn raw(folder: &std::path::Path, is_stream: bool, positions: &Range<u64>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut failed = None;
    check(&fs(), folder, &mut |record| {
        if !record.kind.is_data() || record.position >= positions.end || record.end() <= positions.start {
            return;
        }
        let from = positions.start.saturating_sub(record.position).min(record.payload.len() as u64) as usize;
        let to = (positions.end - record.position).min(record.payload.len() as u64) as usize;
        let wrote = out.write_all(record.payload.get(from..to).unwrap_or_default());
        let wrote = wrote.and_then(|()| if is_stream { Ok(()) } else { out.write_all(b"\n") });
        failed = failed.take().or(wrote.err());
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(out.flush()?),
    }
}

fn ndjson(mut stored: Stored) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    loop {
        let mut batch = Batch::default();
        let progress = stored.step(Duration::ZERO, &mut batch);
        for run in &batch.runs {
            for message in
                batch.messages.get(run.messages.start as usize..run.messages.end as usize).unwrap_or_default()
            {
                line.clear();
                write!(line, "{{\"position\":{},\"end\":{}", message.start, message.end)?;
                for (name, text) in [
                    ("received", bytes(&batch, message.time)),
                    ("peer", run.stream.path.as_bytes()),
                    ("message", bytes(&batch, message.text)),
                ] {
                    write!(line, ",\"{name}\":")?;
                    write_string(&String::from_utf8_lossy(text), &mut line);
                }
                line.extend_from_slice(b"}\n");
                out.write_all(&line)?;
            }
        }
        for notice in stored.notices() {
            match notice {
                Notice::Warning(warning) => complain(&format!("warning: {warning}")),
                Notice::Gap { start, end, cause, .. } => {
                    let end = end.map_or_else(|| "?".to_owned(), |end| end.to_string());
                    complain(&format!("warning: positions {start} to {end} are lost: {cause}"));
                }
            }
        }
        match progress {
            Progress::End => return Ok(out.flush()?),
            Progress::Wait(_) => anyhow::bail!("the spool cannot be read"),
            Progress::More => {}
        }
    }
}

fn bytes(batch: &Batch, span: Span) -> &[u8] {
    let segment = batch.segments.get(usize::from(span.buffer.saturating_sub(Span::SEGMENTS)));
    let (start, end) = (span.start as usize, span.start as usize + span.len as usize);
    segment.and_then(|segment| segment.bytes().get(start..end)).unwrap_or_default()
}
