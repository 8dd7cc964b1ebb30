//! `aludel dlq`: dead letters, as they lie in a data folder; also while aludel runs.

mod replay;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::print;
use crate::seam::{Fs, RealFs};
use crate::shown::{number, size};
use crate::sink::refusal_kind;
use crate::spool::{Letter, Stage, done, letter_folder, read_segment, segments};

/// Name of the file that says which pipeline files ran last on a data folder.
const PIPELINES: &str = "pipelines";

/// Look at dead letters, and send them through a pipeline again
#[derive(Debug, Args)]
pub(super) struct Dlq {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters by stage, who refused them, and why
    Ls(Ls),
    /// Show one letter fully
    Show(Show),
    /// Send the original bytes of letters through a pipeline again, under their old ids
    Replay(replay::Replay),
}

#[derive(Debug, Args)]
struct Ls {
    /// Folder that `aludel run` keeps its cursors in
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
    /// Also letters that were replayed
    #[arg(long)]
    all: bool,
    /// One line for each letter, with the name that `show` and `replay` take
    #[arg(long)]
    each: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// An event id, or SEGMENT:LINE as `ls --each` prints it
    letter: String,
    /// Folder that `aludel run` keeps its cursors in
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
}

impl Dlq {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Ls(ls) => ls.run(),
            Command::Show(show) => show.run(),
            Command::Replay(replay) => replay.run(),
        }
    }
}

/// A letter and where it is.
pub(super) struct Kept {
    pub(super) letter: Letter,
    segment: PathBuf,
    line: u64,
    pub(super) replayed: bool,
}

impl Kept {
    /// How `show` and `replay` are told of it.
    fn name(&self) -> String {
        let stem = self.segment.file_stem().unwrap_or_default().to_string_lossy();
        format!("{stem}:{}", self.line)
    }

    fn is(&self, name: &str) -> bool {
        self.letter.id == name || self.name() == name
    }
}

/// Reads all letters of a data folder, oldest first. A crash may have written one twice: it is given once.
pub(super) fn each(data_dir: &Path, visit: &mut dyn FnMut(Kept)) -> anyhow::Result<Damage> {
    if !data_dir.is_dir() {
        bail!("there is no data folder {}; say which with --data-dir", data_dir.display());
    }
    let fs = RealFs;
    let folder = letter_folder(data_dir);
    let mut seen = HashSet::new();
    let mut damage = Damage::default();
    for (segment, _) in segments(&fs, &folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let of_segment = || format!("cannot read {}", segment.display());
        let done = done(&fs, &segment).with_context(of_segment)?;
        let unreadable = read_segment(&fs, &segment, &mut |line, letter| {
            let replayed = done.contains(&line);
            // One that was replayed and refused again is another.
            if letter.id.is_empty() || seen.insert(fingerprint(&letter, replayed)) {
                visit(Kept { letter, segment: segment.clone(), line, replayed });
            }
        });
        damage.unreadable += unreadable.with_context(of_segment)?;
    }
    Ok(damage)
}

#[derive(Default)]
pub(super) struct Damage {
    unreadable: u64,
}

fn fingerprint(letter: &Letter, replayed: bool) -> u64 {
    let mut hash = DefaultHasher::new();
    (&letter.id, letter.stage, &letter.by, replayed).hash(&mut hash);
    hash.finish()
}

/// Letters of one kind.
#[derive(Default)]
struct Group {
    count: u64,
    bytes: u64,
    first: String,
    last: String,
    example: String,
    pipelines: BTreeSet<String>,
}

impl Ls {
    fn run(self) -> anyhow::Result<ExitCode> {
        let mut groups: BTreeMap<(bool, Stage, String, String), Group> = BTreeMap::new();
        let mut lines = String::new();
        let damage = each(&self.data_dir, &mut |kept| {
            if kept.replayed && !self.all {
                return;
            }
            if self.each {
                let Letter { time, stage, by, error, stream, start, .. } = &kept.letter;
                let (name, stage) = (kept.name(), stage.name());
                let _ =
                    writeln!(lines, "{name}  {time}  {stage}  {by}  {stream}:{start}  {}", one_line(error));
            }
            let kind = refusal_kind(&kept.letter.error).to_owned();
            let key = (kept.replayed, kept.letter.stage, kept.letter.by.clone(), kind);
            groups.entry(key).or_default().add(&kept);
        })?;
        let mut out = if self.each { lines } else { table(&groups) };
        if groups.is_empty() {
            out.push_str("no dead letters\n");
        }
        if damage.unreadable > 0 {
            let _ = writeln!(out, "{} lines cannot be read as letters", number(damage.unreadable));
        }
        print(&out)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Group {
    fn add(&mut self, kept: &Kept) {
        let letter = &kept.letter;
        self.count += 1;
        self.bytes += letter.end - letter.start;
        if self.first.is_empty() || letter.time < self.first {
            self.first.clone_from(&letter.time);
        }
        if letter.time >= self.last {
            self.last.clone_from(&letter.time);
            self.example = if letter.id.is_empty() { kept.name() } else { letter.id.clone() };
        }
        self.pipelines.insert(letter.pipeline.clone());
    }
}

fn table(groups: &BTreeMap<(bool, Stage, String, String), Group>) -> String {
    let mut out = String::new();
    for ((replayed, stage, by, reason), group) in groups {
        let state = if *replayed { "  replayed" } else { "" };
        let (count, of_source) = (number(group.count), size(group.bytes));
        let pipelines: Vec<_> = group.pipelines.iter().map(String::as_str).collect();
        let _ = writeln!(out, "{count:>10}  {:<6}  {by}  {reason}{state}", stage.name());
        let _ = writeln!(
            out,
            "            {of_source} of {}, {} to {}; aludel dlq show {}",
            pipelines.join(", "),
            group.first,
            group.last,
            group.example
        );
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Show {
    fn run(self) -> anyhow::Result<ExitCode> {
        let mut found: Option<Kept> = None;
        each(&self.data_dir, &mut |kept| {
            // Of several the one that still waits, or else the newest.
            if kept.is(&self.letter) && found.as_ref().is_none_or(|found| found.replayed || !kept.replayed) {
                found = Some(kept);
            }
        })?;
        let Some(kept) = found else {
            bail!("there is no letter `{}`; `aludel dlq ls` lists them", self.letter)
        };
        print(&page(&kept))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn page(kept: &Kept) -> String {
    let letter = &kept.letter;
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<10} {value}");
    };
    line("letter", &kept.name());
    line("time", &letter.time);
    line("stage", letter.stage.name());
    line("by", &letter.by);
    line("error", &letter.error);
    line("pipeline", &format!("{}, version {}", letter.pipeline, letter.version));
    line("source", &letter.source);
    let lane = if letter.lane == 0 { String::new() } else { format!(", lane {}", letter.lane) };
    line(
        "stream",
        &format!("{} ({}, generation {}{lane})", letter.stream, letter.stream_id, letter.generation),
    );
    let part = if letter.part == 0 { String::new() } else { format!(", part {}", letter.part) };
    line("bytes", &format!("{} to {}{part}", letter.start, letter.end));
    line("id", &letter.id);
    line("state", if kept.replayed { "replayed" } else { "waiting" });
    match (&letter.original, letter.bytes(), &letter.event) {
        (Some(text), ..) => line("original", text.trim_end_matches('\n')),
        (None, Some(bytes), _) => {
            line("original", &format!("{} bytes that are no UTF-8:", bytes.len()));
            let _ = writeln!(out, "{}", bytes.escape_ascii());
        }
        (None, None, Some(event)) => {
            line("original", "gone before it could be kept; this was left of the row:");
            let _ = writeln!(out, "{}", event.trim_end_matches('\n'));
        }
        (None, None, None) => line("original", "gone"),
    }
    out
}

/// Notes which pipeline files run on a data folder, so that letters can be replayed through them.
pub(super) fn remember(data_dir: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    let path = data_dir.join(PIPELINES);
    let mut text = String::new();
    for file in files {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let _ = writeln!(text, "{}", absolute.display());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The pipeline files that ran last on a data folder.
fn remembered(data_dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let path = data_dir.join(PIPELINES);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} does not say what ran here; say which with --pipeline", path.display())
    })?;
    Ok(text.lines().map(PathBuf::from).collect())
}

/// Where letters are read and marked.
fn fs() -> std::sync::Arc<dyn Fs> {
    std::sync::Arc::new(RealFs)
}
