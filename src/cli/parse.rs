//! `aludel parse`: log lines in, events as NDJSON out; no pipeline, no state.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::{WRONG_USAGE, complain};
use crate::event::{Message, OptionValue, Options, Span};
use crate::format::{Calendar, Reference, time};
use crate::frame::{Block, FrameConfig, Framed, Framer};
use crate::grammar::{AUTO, Found, Reader, Share, Told};
use crate::limits::READ_BLOCK_BYTES;
use crate::seam::{Clock, Fs, RealClock, RealFs};

/// Parse log lines into events, as NDJSON
#[derive(Debug, Args)]
pub(super) struct Parse {
    /// A grammar or format, or `auto`; `aludel list grammars` and `aludel list formats` show what there is
    #[arg(long, short, default_value = AUTO)]
    grammar: String,
    /// Which lines belong together: `none`, `auto`, or a language such as `java`
    #[arg(long, short, default_value = "auto")]
    multiline: Vec<String>,
    /// A regular expression for the first line of a message, in place of `--multiline`
    #[arg(long)]
    start_pattern: Option<String>,
    /// A regular expression for lines that continue a message, in place of `--multiline`
    #[arg(long)]
    continue_pattern: Option<String>,
    /// A regular expression for lines that the next line belongs to, in place of `--multiline`
    #[arg(long)]
    open_pattern: Option<String>,
    /// What the text is written in: `utf-16le`, `latin1` or another label of the WHATWG Encoding Standard, or `auto`
    #[arg(long, default_value = "auto")]
    encoding: String,
    /// What becomes of the codes that colour a terminal: `keep` or `strip`
    #[arg(long, default_value = "keep")]
    ansi: String,
    /// Zone of times that do not name theirs: `+02:00`, `Europe/Berlin`
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// An option of the format, such as `pattern=…` of `regex` or `columns=a,b:int` of `csv`
    #[arg(long = "option", short = 'o', value_name = "NAME=VALUE")]
    options: Vec<String>,
    /// Say at the end of each file, on standard error, which formats `auto` told
    #[arg(long)]
    told: bool,
    /// Files; standard input where none is named
    files: Vec<PathBuf>,
}

impl Parse {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let reference = Reference::at(RealClock::start().now_unix_ns());
        let (Ok(mut reader), Ok(config)) = (
            self.format_options()
                .and_then(|options| Reader::new(&self.grammar, &options, reference.clone()))
                .map_err(wrong),
            FrameConfig::from_options(&self.frame_options()).map_err(wrong),
        ) else {
            return Ok(ExitCode::from(WRONG_USAGE));
        };
        let config = Arc::new(config);
        let mut out = BufWriter::new(std::io::stdout().lock());
        if self.files.is_empty() {
            let mut told = Told::default();
            events(&mut std::io::stdin().lock(), &config, &mut reader, &mut told, &mut out)
                .context("standard input")?;
            self.tell("standard input", &told);
        }
        for file in &self.files {
            let mut told = Told::default();
            let opened = open(file, &reference)
                .and_then(|mut opened| events(&mut opened, &config, &mut reader, &mut told, &mut out));
            opened.with_context(|| file.display().to_string())?;
            self.tell(&file.display().to_string(), &told);
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    /// Which formats were told, how sure that is, and where it changed.
    fn tell(&self, name: &str, told: &Told) {
        if !self.told {
            return;
        }
        let shares = told.shares();
        let share =
            |share: &Share| format!("{} {:.1} % ({})", share.name, share.share * 100.0, share.messages);
        let all: Vec<_> = shares.iter().map(share).collect();
        let all = if all.is_empty() { "no format is like this".to_owned() } else { all.join(", ") };
        complain(&format!("{name}: {} messages: {all}", told.messages()));
        for (message, format) in told.changes() {
            complain(&format!("{name}: {format} from message {message} on"));
        }
        let more = told.change_count().saturating_sub(told.changes().len() as u64);
        if more > 0 {
            complain(&format!("{name}: and {more} changes more"));
        }
    }

    fn frame_options(&self) -> Options {
        let mut values = vec![("multiline", OptionValue::Texts(self.multiline.clone()))];
        values.push(("encoding", OptionValue::Text(self.encoding.clone())));
        values.push(("ansi", OptionValue::Text(self.ansi.clone())));
        // What is asked to be read as an envelope must keep it.
        if matches!(self.grammar.as_str(), "cri" | "docker") {
            values.push(("format", OptionValue::Text("lines".into())));
        }
        for (name, pattern) in [
            ("start_pattern", &self.start_pattern),
            ("continue_pattern", &self.continue_pattern),
            ("open_pattern", &self.open_pattern),
        ] {
            if let Some(pattern) = pattern {
                values.push((name, OptionValue::Text(pattern.clone())));
            }
        }
        Options::new(Vec::new(), values)
    }

    fn format_options(&self) -> Result<Options, String> {
        let known = crate::grammar::parser(&self.grammar).map_or(&[][..], |parser| parser.options());
        let mut values = vec![("zone", OptionValue::Text(self.zone.clone()))];
        for option in &self.options {
            let (name, value) =
                option.split_once('=').ok_or_else(|| format!("`{option}` is not NAME=VALUE"))?;
            let spec = known.iter().find(|spec| spec.name == name);
            let spec = spec.ok_or_else(|| format!("`{}` has no option `{name}`", self.grammar))?;
            let value = match spec.ty {
                // A list that holds commas is written as JSON.
                crate::signature::OptionType::Texts if value.starts_with('[') => {
                    let texts = serde_json::from_str(value);
                    OptionValue::Texts(texts.map_err(|error| format!("`{option}`: {error}"))?)
                }
                crate::signature::OptionType::Files => {
                    let paths: Vec<_> = value.split(',').collect();
                    let here = crate::catalog::Machine { folder: PathBuf::from(".") };
                    OptionValue::Files(crate::lang::read_files(&here, &paths)?)
                }
                crate::signature::OptionType::Texts => {
                    OptionValue::Texts(value.split(',').map(|text| text.trim().to_owned()).collect())
                }
                _ => OptionValue::Text(value.to_owned()),
            };
            values.push((spec.name, value));
        }
        Ok(Options::new(Vec::new(), values))
    }
}

fn wrong(message: String) {
    complain(&format!("error: {message}"));
}

/// Opens a file; years that its lines do not have come from its last change.
fn open(file: &Path, reference: &Reference) -> anyhow::Result<File> {
    let opened = File::open(file)?;
    reference.set(RealFs.stat(file)?.modified_ns);
    Ok(opened)
}

/// The number of the buffer that a block's own bytes have in spans.
const BLOCK: u16 = Span::SEGMENTS + 1;

/// Reads, frames and parses one stream to its end.
fn events(
    input: &mut dyn Read,
    config: &Arc<FrameConfig>,
    reader: &mut Reader,
    told: &mut Told,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut framer = Framer::new(config.clone());
    // Bytes from the first that is still needed; `next` of them are framed.
    let (mut held, mut base, mut next): (Vec<u8>, u64, usize) = (Vec::new(), 0, 0);
    let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    let mut line = Vec::new();
    loop {
        let before = held.len();
        input.take(READ_BLOCK_BYTES as u64).read_to_end(&mut held)?;
        let last = held.len() == before;
        let mut fetch = |range: std::ops::Range<u64>, to: &mut Vec<u8>| {
            let part = range.start.checked_sub(base).zip(range.end.checked_sub(base));
            let part = part.and_then(|(start, end)| held.get(start as usize..end as usize));
            to.extend_from_slice(part.ok_or(std::io::ErrorKind::UnexpectedEof)?);
            Ok(())
        };
        let bytes = held.get(next..).unwrap_or_default();
        let mut framed = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
        let block = Block {
            position: base + next as u64,
            bytes,
            buffer: BLOCK,
            last,
            now: Duration::ZERO,
            fetch: &mut fetch,
        };
        let consumed = framer.frame(block, &mut framed);
        if last {
            framer.finish(&mut fetch, &mut framed);
        }
        for message in &messages {
            event(message, bytes, &joined, reader, &mut line);
            told.note(reader.told());
            out.write_all(&line)?;
        }
        messages.clear();
        joined.clear();
        ranges.clear();
        if last {
            return Ok(());
        }
        next += consumed;
        let keep = framer.held_start().unwrap_or(u64::MAX).min(base + next as u64);
        let done = (keep - base) as usize;
        held.drain(..done.min(held.len()));
        (base, next) = (keep, next - done);
    }
}

fn event(message: &Message, block: &[u8], joined: &[u8], reader: &mut Reader, line: &mut Vec<u8>) {
    let bytes = |span: Span| {
        let buffer = if span.buffer == BLOCK { block } else { joined };
        buffer.get(span.start as usize..span.start as usize + span.len as usize).unwrap_or_default()
    };
    let time = time::rfc3339(bytes(message.time)).and_then(|(parts, _)| Calendar::default().unix_ns(&parts));
    line.clear();
    reader.parse(bytes(message.text), Found { offset: message.start, time_ns: time }, line);
}
