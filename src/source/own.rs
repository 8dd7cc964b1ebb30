//! The sources `dead_letters`, `gaps` and `alerts`: what aludel itself wrote down, so that a pipeline can send it
//! anywhere.
//!
//! In: the segments of a folder in the data folder. Out: a message for each record, as its line of JSON. The segments
//! are files like others, so [`files`] reads them: across restarts, removal and sinks that lag. What is left out
//! here are records about the records of these sources: an event that was refused a second time is in the folder,
//! for people, and is not handed on again, so that nothing goes round.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem::Finder;

use super::{Backlog, Notice, Own, Progress, Source, SourceKind, SourcePlan, World, files};
use crate::event::{Batch, Message, Options, Span};
use crate::frame::{Format, FrameConfig, Multiline};
use crate::limits::LETTER_LINE_BYTES_MAX;
use crate::position::{Resume, Stream};
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::spool::{OF_OWN, alerts_folder, gap_folder, letter_folder};

const OPTIONS: &[OptionSpec] = &[START];

const START: OptionSpec = OptionSpec {
    name: "start",
    ty: OptionType::Word(&["beginning", "end"]),
    default: Some("beginning"),
    doc: "Where to begin when the source is started for the first time: with the oldest record that is still kept, or with what comes from now on.",
};

static LETTERS_SIGNATURE: Signature = Signature {
    name: "dead_letters",
    summary: "Hands on dead letters, to be sent to any sink.",
    doc: "`.message` is a letter as a JSON object, as it lies in the data folder: write `parse .message as aludel.letter`. \
          A letter is handed on whether or not it was replayed, and stays in the folder; see `aludel dlq`. \
          With `--once`, letters of events from elsewhere are handed on by the same run.\n\n\
          Where an event of this source is refused in turn, its letter is in the folder and is not handed on: a \
          destination that refuses everything gets each letter once. A crash at the moment at which a letter was \
          written may write it again: `aludel.id` tells.",
    form: "dead_letters { … }",
    options: OPTIONS,
    examples: &[],
};

static GAPS_SIGNATURE: Signature = Signature {
    name: "gaps",
    summary: "Hands on gap records: bytes that can never be read.",
    doc: "`.message` is a record as a JSON object: write `parse .message as aludel.gap`. Records are kept for this source \
          from the first run on that has it; what was lost before is in the ledger: see `aludel audit`. Gaps in the \
          records of aludel itself are in the ledger only. A crash at the moment at which a gap was found may write it \
          again, with the same stream and start.",
    form: "gaps { … }",
    options: OPTIONS,
    examples: &[],
};

static ALERTS_SIGNATURE: Signature = Signature {
    name: "alerts",
    summary: "Hands on the alerts of stateful detectors, to be sent to any sink.",
    doc: "`.message` is an alert as a JSON object, as it lies in the data folder: write `parse .message as aludel.alert`. \
          An alert is written once, with an id that is made of its rule, its key and its start. It stays in the folder, 64 MiB of each pipeline. With `--once`, alerts on events from elsewhere are handed on by the same run. \
          A source of another name hands on all that is kept once more: `start = end` leaves that out.\n\n\
          Where all that is wanted is to send the alerts of a pipeline, write `alerts to SINK` as its last line: that stands for \
          such a source and a pipeline that parses and sends them.",
    form: "alerts { … }",
    options: &[
        START,
        OptionSpec {
            name: "pipeline",
            ty: OptionType::Text,
            default: Some(""),
            doc: "The pipeline whose alerts are handed on; those of all where it is left out.",
        },
    ],
    examples: &[],
};

/// The `alerts` source, for the catalog.
pub const ALERTS: SourceKind =
    SourceKind { signature: &ALERTS_SIGNATURE, plan: |name, options| plan(Own::Alerts, name, options) };

/// The `dead_letters` source, for the catalog.
pub const LETTERS: SourceKind =
    SourceKind { signature: &LETTERS_SIGNATURE, plan: |name, options| plan(Own::Letters, name, options) };

/// The `gaps` source, for the catalog.
pub const GAPS: SourceKind =
    SourceKind { signature: &GAPS_SIGNATURE, plan: |name, options| plan(Own::Gaps, name, options) };

struct Plan {
    own: Own,
    name: String,
    start_at_end: bool,
    /// Whose alerts; those of all where there is none.
    pipeline: Option<String>,
}

fn plan(own: Own, name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    if !options.arguments.is_empty() {
        return Err("it takes no path: it reads the data folder of the run".into());
    }
    let start_at_end = options.text("start") == Some("end");
    let pipeline = options.given("pipeline").map(str::to_owned);
    let is_name = |of: &String| of.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter));
    if !pipeline.iter().all(is_name) {
        return Err("the option `pipeline` takes the name of a pipeline".into());
    }
    Ok(Box::new(Plan { own, name: name.into(), start_at_end, pipeline }))
}

/// A record is a line, however long.
pub fn own_frame() -> FrameConfig {
    FrameConfig {
        format: Format::Lines,
        multiline: Multiline::None,
        message_bytes: LETTER_LINE_BYTES_MAX,
        ..FrameConfig::default()
    }
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let folder = match self.own {
            Own::Letters => letter_folder(&world.data_dir),
            Own::Gaps => gap_folder(&world.data_dir),
            Own::Alerts => alerts_folder(&world.data_dir),
        };
        let absolute: PathBuf = std::path::absolute(&folder).unwrap_or(folder);
        let frame = own_frame();
        let pattern = match (self.own, &self.pipeline) {
            (Own::Alerts, Some(pipeline)) => absolute.join(pipeline).join("*.ndjson"),
            (Own::Alerts, None) => absolute.join("*/*.ndjson"),
            _ => absolute.join("*.ndjson"),
        };
        let files = files::open_own(&self.name, &pattern, (self.start_at_end, frame), world, resume)?;
        Ok(Box::new(Records::new(files)))
    }

    fn place(&self) -> String {
        match self.own {
            Own::Letters => "the dead letters".into(),
            Own::Gaps => "the gap records".into(),
            Own::Alerts => match &self.pipeline {
                Some(pipeline) => format!("the alerts of {pipeline}"),
                None => "the alerts".into(),
            },
        }
    }

    fn own(&self) -> Option<Own> {
        Some(self.own)
    }
}

/// The source as it runs.
struct Records {
    files: Box<dyn Source>,
    of_own: Finder<'static>,
}

impl Records {
    fn new(files: Box<dyn Source>) -> Self {
        Self { files, of_own: Finder::new(OF_OWN) }
    }

    /// A whole record that is to be handed on. Half a one is left by a crash, and stands in another segment again.
    fn is_wanted(&self, record: &[u8]) -> bool {
        record.first() == Some(&b'{') && record.last() == Some(&b'}') && self.of_own.find(record).is_none()
    }
}

/// The text of a message.
fn text<'a>(batch: &'a Batch, message: &Message) -> &'a [u8] {
    let Span { start, len, buffer, .. } = message.text;
    let segment = buffer.checked_sub(Span::SEGMENTS).and_then(|at| batch.segments.get(usize::from(at)));
    let bytes = segment.map_or(&[][..], |segment| segment.bytes());
    bytes.get(start as usize..start as usize + len as usize).unwrap_or_default()
}

/// Takes out messages from number `first` on; the bytes that their runs account for stay the same.
fn retain(batch: &mut Batch, first: usize, mut wanted: impl FnMut(&Batch, &Message) -> bool) {
    let mut kept = Vec::new();
    // Of each message the number that it, or the next one that stays, has then.
    let mut numbers = Vec::new();
    for message in batch.messages.get(first..).unwrap_or_default() {
        numbers.push((first + kept.len()) as u32);
        if wanted(batch, message) {
            kept.push(*message);
        }
    }
    numbers.push((first + kept.len()) as u32);
    batch.messages.truncate(first);
    batch.messages.append(&mut kept);
    let number = |old: u32| match (old as usize).checked_sub(first) {
        Some(at) => numbers.get(at).copied().unwrap_or(old),
        None => old,
    };
    for run in &mut batch.runs {
        run.messages = number(run.messages.start)..number(run.messages.end);
    }
}

impl Source for Records {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let first = batch.messages.len();
        let progress = self.files.step(now, batch);
        if batch.messages.len() > first {
            retain(batch, first, |batch, message| self.is_wanted(text(batch, message)));
        }
        progress
    }

    fn settled(&mut self, stream: &Stream, position: u64) {
        self.files.settled(stream, position);
    }

    fn finish(&mut self) {
        self.files.finish();
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.files.notices()
    }

    fn forgotten(&mut self) -> Vec<Arc<Stream>> {
        self.files.forgotten()
    }

    fn reads_again(&self) -> bool {
        self.files.reads_again()
    }

    fn catch_up(&mut self, sink: usize, resume: &dyn Resume) -> Option<Box<dyn Source>> {
        let again = self.files.catch_up(sink, resume)?;
        Some(Box::new(Self::new(again)))
    }

    fn original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        self.files.original(stream, range)
    }

    fn backlog(&self) -> Backlog {
        self.files.backlog()
    }

    fn wake_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.files.wake_fd()
    }
}
