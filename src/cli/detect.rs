//! `aludel detect`: a detector on lines, verdicts as NDJSON; for whoever writes a rule or wonders about a line.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{WRONG_USAGE, complain};
use crate::detect::{Found, Hit, Judge, Kind, Pool, write_detection};
use crate::event::{OptionValue, Options};
use crate::limits::DETECT_VALUE_BYTES_MAX;

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
    /// A file; standard input where none is named
    file: Option<PathBuf>,
}

impl Detect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut values = vec![("sensitivity", OptionValue::Text(self.sensitivity.clone()))];
        values.extend(self.threshold.map(|score| ("threshold", OptionValue::Int(score))));
        if !self.classes.is_empty() {
            values.push(("classes", OptionValue::Texts(self.classes.clone())));
        }
        let judge = match Judge::new(&self.name, &Options::new(Vec::new(), values)) {
            Ok(judge) => judge,
            Err(error) => {
                complain(&format!("error: {error}"));
                return Ok(ExitCode::from(WRONG_USAGE));
            }
        };
        let mut out = BufWriter::new(std::io::stdout().lock());
        match &self.file {
            Some(file) => {
                let place = || file.display().to_string();
                let input = File::open(file).with_context(place)?;
                self.lines(&mut BufReader::new(input), &judge, &mut out).with_context(place)?;
            }
            None => self.lines(&mut std::io::stdin().lock(), &judge, &mut out).context("standard input")?,
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    fn lines(&self, input: &mut dyn BufRead, judge: &Judge, out: &mut dyn Write) -> anyhow::Result<()> {
        let (pool, kind) = (Pool::default(), Kind::of_field(&self.field));
        let (mut hits, mut found): (Vec<Hit>, Vec<Found>) = Default::default();
        let (mut line, mut text) = (Vec::new(), Vec::new());
        let mut number = 0u64;
        while read_line(input, &mut line)? {
            number += 1;
            found.clear();
            judge.find(&line, kind, &pool, &mut hits, &mut found);
            if self.hits && found.is_empty() {
                continue;
            }
            text.clear();
            write!(text, "{{\"line\":{number},\"hit\":{},\"detections\":[", !found.is_empty())?;
            for (at, found) in found.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write_detection(found, &self.field, &line, &mut text);
            }
            text.extend_from_slice(b"]}\n");
            out.write_all(&text)?;
        }
        Ok(())
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
