//! `aludel grammar`: lists, shows, tests and infers grammars.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{WRONG_USAGE, colour, complain, print};
use crate::diag::render;
use crate::event::Span;
use crate::frame::{Block, FrameConfig, Framed, Framer};
use crate::grammar::{self, Detector, Grammar as Loaded, Told, Trial};
use crate::limits::{GRAMMAR_BYTES_MAX, INFER_BYTES_MAX};

/// List, show, test and infer grammars
#[derive(Debug, Args)]
pub(super) struct Grammar {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all grammars
    List,
    /// Show the file of a grammar
    Show {
        /// Its name
        name: String,
    },
    /// Check grammar files: their samples, and that each line form has one
    Test {
        /// Grammar files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Write a first grammar for the lines of a log, to standard output
    Infer {
        /// The name of the grammar; that of the file where it is left out
        #[arg(long, short)]
        name: Option<String>,
        /// A log
        file: PathBuf,
    },
}

impl Grammar {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List => list(),
            Command::Show { name } => show(&name),
            Command::Test { files } => test(&files),
            Command::Infer { name, file } => infer(name, &file),
        }
    }
}

fn list() -> anyhow::Result<ExitCode> {
    let width = grammar::all().iter().map(|grammar| grammar.name().len()).max().unwrap_or(0);
    let line = |grammar: &Loaded| {
        let samples = grammar.samples().count();
        format!("{:<width$}  {} ({samples} samples)\n", grammar.name(), grammar.summary())
    };
    print(&grammar::all().iter().map(line).collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str) -> anyhow::Result<ExitCode> {
    let found = grammar::files().iter().find(|(known, _)| *known == name);
    let Some((_, text)) = found else {
        let near = crate::diag::nearest(name, grammar::files().iter().map(|(name, _)| *name));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        bail!("there is no grammar `{name}`{hint} (`aludel grammar list` shows what there is)");
    };
    print(text)?;
    Ok(ExitCode::SUCCESS)
}

fn test(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for path in files {
        let shown = path.display().to_string();
        let size = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
        if size > GRAMMAR_BYTES_MAX as u64 {
            bail!("{shown} has {size} bytes; a grammar file may have {GRAMMAR_BYTES_MAX}");
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        match Loaded::load(&shown, &text) {
            Ok(grammar) => {
                print(&format!("{shown}: {} samples are as it says\n", grammar.samples().count()))?
            }
            Err(report) => {
                complain(&render(&report, colour()));
                code = ExitCode::from(WRONG_USAGE);
            }
        }
    }
    Ok(code)
}

fn infer(name: Option<String>, file: &std::path::Path) -> anyhow::Result<ExitCode> {
    let name = name.unwrap_or_else(|| name_of(file));
    let messages = messages(file)?;
    let mut told = Told::default();
    let mut detector = Detector::new().map_err(anyhow::Error::msg)?;
    messages.iter().for_each(|text| told.note(detector.name_of(text.as_bytes())));
    if let Some(share) = told.shares().first().filter(|share| share.share >= 0.9) {
        let percent = share.share * 100.0;
        complain(&format!("note: `{}` reads {percent:.0} % of these messages already", share.name));
    }
    let text = grammar::infer(&name, &messages).map_err(anyhow::Error::msg)?;
    let grammar = Loaded::load(&name, &text).map_err(|report| anyhow::anyhow!("{report:?}"))?;
    let mut trial = Trial::new(&grammar).map_err(anyhow::Error::msg)?;
    let taken = messages.iter().filter(|text| trial.takes(text)).count();
    complain(&format!("note: this grammar reads {taken} of {} messages", messages.len()));
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A name for a grammar, from that of a file.
fn name_of(file: &std::path::Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    let name = name.trim_matches('_');
    if name.is_empty() || name.starts_with(|letter: char| letter.is_ascii_digit()) {
        format!("log_{name}").trim_end_matches('_').to_owned()
    } else {
        name.to_owned()
    }
}

/// The messages of the first part of a log, envelopes taken off and traces joined.
fn messages(file: &std::path::Path) -> anyhow::Result<Vec<String>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    opened.take(INFER_BYTES_MAX).read_to_end(&mut bytes)?;
    let mut framer = Framer::new(Arc::new(FrameConfig::default()));
    let (mut cut, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    let mut framed = Framed { messages: &mut cut, joined: &mut joined, ranges: &mut ranges };
    let mut fetch = |range: std::ops::Range<u64>, out: &mut Vec<u8>| {
        let part = bytes.get(range.start as usize..range.end as usize);
        out.extend_from_slice(part.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    let buffer = Span::SEGMENTS + 1;
    let block =
        Block { position: 0, bytes: &bytes, buffer, last: true, now: Default::default(), fetch: &mut fetch };
    framer.frame(block, &mut framed);
    framer.finish(&mut fetch, &mut framed);
    let text = |span: Span| {
        let from = if span.buffer == buffer { &bytes } else { &joined };
        let text = from.get(span.start as usize..span.start as usize + span.len as usize);
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    };
    Ok(cut.iter().map(|message| text(message.text)).collect())
}
