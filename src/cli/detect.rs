//! `aludel detect`: a detector on lines, verdicts as NDJSON; for whoever writes a rule or wonders about a line.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{WRONG_USAGE, complain};
use crate::detect::stateful;
use crate::detect::threat::{self, Desk, Threat};
use crate::detect::{Found, Hit, Judge, Kind, Pool, write_detection};
use crate::event::{OptionValue, Options};
use crate::limits::DETECT_VALUE_BYTES_MAX;
use crate::lookup::{Data, Held};
use crate::seam::{Clock, RealClock, RealFs};

/// Try a detector on lines: each line is one value of a field, each verdict one line of NDJSON
#[derive(Debug, Args)]
pub(super) struct Detect {
    /// The detector; `aludel list detectors` shows what there is
    name: String,
    /// The field that the lines are values of, by its ECS name: `url.query`, `user_agent.original`, `message` …
    #[arg(long, default_value = "value")]
    field: String,
    /// The operating point: low, medium or high
    #[arg(long, default_value = "medium")]
    sensitivity: String,
    /// The least score that is reported, in place of `--sensitivity`
    #[arg(long)]
    threshold: Option<i64>,
    /// Only these classes
    #[arg(long, value_delimiter = ',')]
    classes: Vec<String>,
    /// Only lines with a detection
    #[arg(long)]
    hits: bool,
    /// Of `threat`: a list that lines are looked up in; may be given more than once
    #[arg(long, value_name = "LIST")]
    lists: Vec<String>,
    /// Of `threat`: a list of what is never reported; may be given more than once
    #[arg(long, value_name = "LIST")]
    except: Vec<String>,
    /// Of `threat`: the time at which entries must be valid, such as 2026-12-31T00:00:00Z; now unless given
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// A file; standard input where none is named
    file: Option<PathBuf>,
}

/// What looks at a line: appends its detections as JSON, a comma between them; false where there is none.
type Look<'a> = dyn FnMut(&[u8], &mut Vec<u8>) -> bool + 'a;

impl Detect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let tried = if self.name == threat::NAME { self.in_lists()? } else { self.with_judge()? };
        Ok(match tried {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("error: {error}"));
                ExitCode::from(WRONG_USAGE)
            }
        })
    }

    /// A detector of values; the inner error is one of usage.
    fn with_judge(&self) -> anyhow::Result<Result<(), String>> {
        if !self.lists.is_empty() || !self.except.is_empty() || self.at.is_some() {
            return Ok(Err("`--lists`, `--except` and `--at` are for `aludel detect threat`".to_owned()));
        }
        if stateful::kind(&self.name).is_some() {
            return Ok(Err(format!(
                "`{}` looks at events and their times, not at lines: try it in a pipeline, by a test or `aludel replay`",
                self.name
            )));
        }
        let mut values = vec![("sensitivity", OptionValue::Text(self.sensitivity.clone()))];
        values.extend(self.threshold.map(|score| ("threshold", OptionValue::Int(score))));
        if !self.classes.is_empty() {
            values.push(("classes", OptionValue::Texts(self.classes.clone())));
        }
        let judge = match Judge::new(&self.name, &Options::new(Vec::new(), values)) {
            Ok(judge) => judge,
            Err(error) => return Ok(Err(error)),
        };
        let (pool, kind) = (Pool::default(), Kind::of_field(&self.field));
        let (mut hits, mut found): (Vec<Hit>, Vec<Found>) = Default::default();
        self.all(&mut |line, out| {
            found.clear();
            judge.find(line, kind, &pool, &mut hits, &mut found);
            for (at, found) in found.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_detection(found, &self.field, line, out);
            }
            !found.is_empty()
        })?;
        Ok(Ok(()))
    }

    /// Lists of threat intelligence.
    fn in_lists(&self) -> anyhow::Result<Result<(), String>> {
        if !self.classes.is_empty() {
            return Ok(Err("`threat` has no `--classes`: leave out lists instead".to_owned()));
        }
        let Some(at_ns) =
            self.at.as_deref().map_or_else(|| Some(RealClock::start().now_unix_ns()), threat::time)
        else {
            return Ok(Err("`--at` takes a time such as 2026-12-31T00:00:00Z".to_owned()));
        };
        let paths = |of: &[String]| OptionValue::Paths(of.to_vec());
        let mut values = vec![("lists", paths(&self.lists)), ("except", paths(&self.except))];
        values.push(("threshold", OptionValue::Int(self.threshold.unwrap_or(1))));
        let mut data = Data::default();
        let lists = match Threat::new(&Options::new(Vec::new(), values), &mut data, &RealFs) {
            Ok(lists) => lists,
            Err(error) => return Ok(Err(error)),
        };
        data.said().iter().for_each(|said| complain(&format!("warning: {said}")));
        let (mut held, mut desk) = (Held::default(), Desk::default());
        data.meet(&mut held);
        self.all(&mut |line, out| {
            desk.clear();
            lists.find(line, at_ns, &held, &mut desk);
            for (at, of) in desk.listed.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                lists.write(of, &self.field, line, &desk, &held, out);
            }
            !desk.listed.is_empty()
        })?;
        Ok(Ok(()))
    }

    fn all(&self, look: &mut Look<'_>) -> anyhow::Result<()> {
        let mut out = BufWriter::new(std::io::stdout().lock());
        match &self.file {
            Some(file) => {
                let place = || file.display().to_string();
                let input = File::open(file).with_context(place)?;
                self.lines(BufReader::new(input), look, &mut out).with_context(place)?;
            }
            None => {
                let input = BufReader::new(std::io::stdin().lock());
                self.lines(input, look, &mut out).context("standard input")?;
            }
        }
        Ok(out.flush()?)
    }

    fn lines(
        &self,
        mut input: BufReader<impl Read>,
        look: &mut Look<'_>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let (mut line, mut found, mut number) = (Vec::new(), Vec::new(), 0u64);
        loop {
            // Whoever types a line sees what becomes of it before the next.
            if input.buffer().is_empty() {
                out.flush()?;
            }
            if !read_line(&mut input, &mut line)? {
                return Ok(());
            }
            number += 1;
            found.clear();
            let hit = look(&line, &mut found);
            if self.hits && !hit {
                continue;
            }
            write!(out, "{{\"line\":{number},\"hit\":{hit},\"detections\":[")?;
            out.write_all(&found)?;
            out.write_all(b"]}\n")?;
        }
    }
}

/// The next line without its end; what is longer than a detector looks at is skipped, not held.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut part = input.take(DETECT_VALUE_BYTES_MAX as u64);
    if part.read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && part.limit() == 0 {
        input.skip_until(b'\n')?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(true)
}
