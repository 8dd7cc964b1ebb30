//! `aludel dlq replay`: the original bytes of letters through a pipeline again, under their old ids.
//!
//! Rounds of bounded size, each the letters of one pipeline: opened, run until all is settled, marked. What is
//! refused again is a new letter, and the old one is done with. A replay that is killed has marked what was settled;
//! the rest goes again under the same ids.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::super::{WRONG_USAGE, complain, load};
use super::{Kept, each, fs, remembered};
use crate::catalog::{NamedSource, Runnable};
use crate::event::Options;
use crate::frame::FrameConfig;
use crate::limits::DLQ_ROUND_BYTES;
use crate::position::{PipelineTag, Resume};
use crate::replay::{Audience, captured, through};
use crate::run::{Engine, Letter, Settings};
use crate::seam::{Clock, RealClock, RealFs};
use crate::shown::number;
use crate::sink::http::HttpNetwork;
use crate::source::replayed::{Done, Event, Replayed};
use crate::source::{Own, Source, SourcePlan, World};
use crate::spool::{DataDir, letter_folder, mark_done, segments};

/// How often a round is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Send the original bytes of letters through a pipeline again, under their old ids
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Letters, by event id or SEGMENT:LINE; all that wait if none is given
    letters: Vec<String>,
    /// Pipeline files, if not those that ran last on the data folder
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pipeline: Vec<PathBuf>,
    /// Print what the sinks would get, send nothing
    #[arg(long)]
    dry_run: bool,
    /// Only letters of this sink or pipeline
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Folder that `aludel run` keeps its cursors in
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
}

/// What became of the letters.
#[derive(Default)]
struct Outcome {
    replayed: u64,
    again: u64,
    open: u64,
}

/// Letters of one pipeline and source, as many as one round takes.
#[derive(Default)]
struct Round {
    events: BTreeMap<[u8; 36], Event>,
    /// Segment and line of each letter, by number.
    places: Vec<(PathBuf, u64)>,
}

/// Marks letters as they are done with.
struct Marks {
    done: Done,
    places: Vec<(PathBuf, u64)>,
    marked: BTreeSet<usize>,
}

impl Marks {
    fn write(&mut self) -> anyhow::Result<()> {
        let numbers = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        let mut segments: BTreeMap<&PathBuf, Vec<u64>> = BTreeMap::new();
        for number in numbers {
            if let Some((segment, line)) = self.places.get(number)
                && self.marked.insert(number)
            {
                segments.entry(segment).or_default().push(*line);
            }
        }
        for (segment, lines) in segments {
            mark_done(&fs(), segment, &lines)
                .with_context(|| format!("cannot mark letters of {}", segment.display()))?;
        }
        Ok(())
    }

    fn all(&mut self) -> anyhow::Result<()> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).extend(0..self.places.len());
        self.write()
    }
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let files =
            if self.pipeline.is_empty() { remembered(&self.data_dir)? } else { self.pipeline.clone() };
        // What does not compile is said before anything is locked or read.
        let Some(plan) = load::load(&files)? else { return Ok(ExitCode::from(WRONG_USAGE)) };
        drop(plan);
        let folder = letter_folder(&self.data_dir).join("replay");
        let _lock = if self.dry_run { None } else { Some(DataDir::lock(&folder)?) };
        let mut outcome = Outcome::default();
        // What is refused again is in a segment that is not among these.
        let segments = segments(&*fs(), &letter_folder(&self.data_dir))?;
        let segments: BTreeSet<_> = segments.into_iter().map(|(path, _)| path).collect();
        let (mut tried, mut gone) = (BTreeSet::new(), 0);
        loop {
            let (mut rounds, mut bytes) = (BTreeMap::<(String, String), Round>::new(), 0);
            each(&self.data_dir, &mut |kept| {
                let place = (kept.segment.clone(), kept.line);
                if bytes < DLQ_ROUND_BYTES
                    && segments.contains(&kept.segment)
                    && self.wants(&kept)
                    && tried.insert(place)
                {
                    match add(&mut rounds, &kept) {
                        Some(more) => bytes += more,
                        None => gone += 1,
                    }
                }
            })?;
            if rounds.is_empty() {
                break;
            }
            for ((pipeline, source), round) in rounds {
                let Some(plan) = load::load(&files)? else { return Ok(ExitCode::from(WRONG_USAGE)) };
                self.round(plan, &pipeline, &source, round, &folder, &mut outcome)?;
            }
        }
        if gone > 0 {
            complain(&format!("{} letters cannot be replayed: they have no original bytes", number(gone)));
        }
        if self.dry_run {
            complain(&format!("{} letters, nothing was sent", number(outcome.replayed)));
            return Ok(ExitCode::SUCCESS);
        }
        let (replayed, again) = (number(outcome.replayed), number(outcome.again));
        complain(&format!(
            "{replayed} letters replayed; {again} events were refused again and are letters anew"
        ));
        if outcome.open > 0 {
            complain(&format!("{} letters still wait", number(outcome.open)));
        }
        Ok(if outcome.open + outcome.again == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn wants(&self, kept: &Kept) -> bool {
        let named = self.letters.is_empty() || self.letters.iter().any(|name| kept.is(name));
        !kept.replayed && named && self.by.as_ref().is_none_or(|by| *by == kept.letter.by)
    }

    fn round(
        &self,
        plan: Runnable,
        pipeline: &str,
        source: &str,
        round: Round,
        folder: &Path,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        let count = round.places.len() as u64;
        let done = Done::default();
        let mut marks = Marks { done: done.clone(), places: round.places, marked: BTreeSet::new() };
        let plan = narrowed(plan, pipeline, source, round.events.into_values().collect(), done)?;
        if self.dry_run {
            outcome.replayed += count;
            return dry(plan);
        }
        outcome.again += self.settle(plan, folder, &mut marks)?;
        let marked = marks.marked.len() as u64;
        outcome.replayed += marked;
        outcome.open += count - marked;
        Ok(())
    }

    /// Runs a round until all of it is settled; gives the number of events that were refused again.
    fn settle(&self, mut plan: Runnable, folder: &Path, marks: &mut Marks) -> anyhow::Result<u64> {
        plan.letters_in = Some(self.data_dir.clone());
        // What an earlier round settled is about other letters, which may have the same place.
        match std::fs::remove_file(folder.join("cursors.log")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let settings = Settings {
            data_dir: folder.to_path_buf(),
            workers: 1,
            once: true,
            fs: fs(),
            clock: Arc::new(RealClock::start()),
            network: Arc::new(HttpNetwork::start()?),
        };
        let engine = Engine::start(Arc::new(plan), &settings).map_err(anyhow::Error::msg)?;
        let mut said: Option<String> = None;
        while !engine.is_finished() {
            std::thread::sleep(LOOK);
            engine.warnings().iter().for_each(|warning| complain(&format!("warning: {warning}")));
            let trouble = engine.stats().snapshot().sinks.into_iter().find_map(|(_, sink)| sink.trouble);
            if trouble != said {
                trouble.iter().for_each(|trouble| complain(&format!("warning: {trouble}")));
                said = trouble;
            }
            marks.write()?;
        }
        engine.warnings().iter().for_each(|warning| complain(&format!("warning: {warning}")));
        let stats = engine.stats();
        let ledger = engine.join().map_err(anyhow::Error::msg)?;
        let sum = |table: &BTreeMap<String, u64>| table.values().sum::<u64>();
        let snapshot = stats.snapshot();
        let by_steps: u64 = snapshot.pipelines.iter().map(|(_, stats)| sum(&stats.rejected)).sum();
        let by_sinks: u64 = snapshot.sinks.iter().map(|(_, stats)| sum(&stats.rejected)).sum();
        if ledger.balances() {
            // All is settled, also what no low mark has told of yet.
            marks.all()?;
        }
        Ok(by_steps + by_sinks)
    }
}

/// Adds a letter to the round of its pipeline and says how much it holds; `None` where it cannot be replayed.
fn add(rounds: &mut BTreeMap<(String, String), Round>, kept: &Kept) -> Option<u64> {
    let letter = &kept.letter;
    let key = (letter.pipeline.clone(), letter.source.clone());
    let number = rounds.get(&key).map_or(0, |round| round.places.len());
    let event = Event::of(letter, number)?;
    let round = rounds.entry(key).or_default();
    let bytes = event.bytes.len() as u64;
    round.places.push((kept.segment.clone(), kept.line));
    match round.events.entry(event.id.encode()) {
        Entry::Occupied(mut known) => known.get_mut().join(event),
        Entry::Vacant(place) => drop(place.insert(event)),
    }
    Some(bytes)
}

/// A plan with one pipeline that reads letters: that of their name, or the only one that reads their source.
fn narrowed(
    mut plan: Runnable,
    pipeline: &str,
    source: &str,
    events: Vec<Event>,
    done: Done,
) -> anyhow::Result<Runnable> {
    let by_source = plan.sources.iter().position(|named| named.name == source);
    let named = plan.pipelines.iter().position(|line| line.name == pipeline);
    let reads = |at: &usize| by_source.is_none_or(|source| plan.pipelines[*at].sources.contains(&source));
    let candidates: Vec<_> = (0..plan.pipelines.len()).filter(reads).collect();
    let at = match (named, candidates.as_slice()) {
        (Some(at), _) => at,
        (None, [only]) => *only,
        _ => bail!("the files have no pipeline `{pipeline}`, and not just one that could stand for it"),
    };
    let mut line = plan.pipelines.swap_remove(at);
    let framing = by_source.or(line.sources.first().copied()).and_then(|at| plan.sources.get(at));
    let options = framing.map_or(Options::default(), |named| named.options.clone());
    let config = FrameConfig::from_options(&options).map_err(anyhow::Error::msg)?;
    // The ids are those of the events that were refused, whatever the pipeline is called now.
    line.shape.tag = PipelineTag::new(pipeline);
    line.sources = vec![0];
    plan.pipelines = vec![line];
    let sinks = plan.sinks.iter().map(|sink| sink.name.clone()).collect();
    let replayed = Replayed::new(source, &config, sinks, events, done);
    let own = by_source.and_then(|at| plan.sources.get(at)).and_then(|named| named.plan.own());
    let opened = Letters { replayed: Mutex::new(Some(replayed)), own };
    plan.sources = vec![NamedSource { name: source.to_owned(), plan: Box::new(opened), options }];
    Ok(plan)
}

/// Letters as the one source of a plan.
struct Letters {
    replayed: Mutex<Option<Replayed>>,
    /// What their events were made of, where that is what aludel itself wrote.
    own: Option<Own>,
}

impl SourcePlan for Letters {
    fn open(&self, _: World, _: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Box::new(replayed.ok_or("letters are opened once")?))
    }

    fn place(&self) -> String {
        "dead letters".to_owned()
    }

    fn own(&self) -> Option<Own> {
        self.own
    }
}

/// Prints what the sinks would get, as lines of JSON.
fn dry(plan: Runnable) -> anyhow::Result<()> {
    let opened = plan.sources[0].plan.open(
        World {
            fs: Arc::new(RealFs),
            clock: Arc::new(RealClock::start()),
            data_dir: PathBuf::new(),
            host: Arc::from(&b""[..]),
        },
        Arc::new(Nothing),
    );
    let opened = opened.map_err(anyhow::Error::msg)?;
    let names = plan.sinks.iter().map(|sink| sink.name.clone()).collect();
    let mut screen = Screen { names, out: std::io::stdout().lock(), failed: None };
    let unix_ns = RealClock::start().now_unix_ns();
    through(&Arc::new(captured(plan)), 0, opened, unix_ns, &mut screen).map_err(anyhow::Error::msg)?;
    match screen.failed {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Nothing is known of any stream.
struct Nothing;

impl Resume for Nothing {
    fn position(&self, _: crate::position::StreamId, _: u16) -> Option<u64> {
        None
    }

    fn settled(&self, _: crate::position::StreamId, _: u16) -> Option<Arc<[crate::position::Ranges]>> {
        None
    }
}

struct Screen {
    names: Vec<String>,
    out: std::io::StdoutLock<'static>,
    failed: Option<std::io::Error>,
}

impl Audience for Screen {
    fn event(&mut self, sink: usize, json: &[u8]) {
        if self.failed.is_none() {
            let name = self.names.get(sink).map(String::as_str).unwrap_or_default();
            let wrote = write!(self.out, "{name} ")
                .and_then(|()| self.out.write_all(json))
                .and_then(|()| self.out.write_all(b"\n"));
            self.failed = wrote.err();
        }
    }

    fn letter(&mut self, letter: &Letter) {
        complain(&format!("refused again by {}: {} ({})", letter.by, letter.error, letter.id));
    }

    fn progress(&mut self, _: u64) {}
}
