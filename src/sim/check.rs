//! Measures what the sinks have by what was written.

use std::collections::{BTreeMap, BTreeSet};

use super::process::Gap;
use super::read_back::{Row, stream_of};
use super::subject::Destination;
use super::truth::{Content, Kind, Line, State, Truth};

/// What becomes of a kind of line at a sink when nothing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// It arrives.
    Always,
    /// The pipeline drops it, or makes something of it in which it cannot be recognised.
    Never,
    /// Both were seen.
    Either,
}

/// A kind of line: source, kind, and whether it was written in two parts with a pause between.
type LineKind = (usize, Kind, bool);

/// What was seen when nothing went wrong, for each sink.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectations {
    /// How often a kind of line arrived, and how often it did not.
    kinds: BTreeMap<LineKind, Vec<(u32, u32)>>,
    /// Sinks of which a row may hold the same mark twice: they keep the original beside what was made of it.
    repeats: BTreeSet<usize>,
}

impl Expectations {
    /// Takes in what became of the lines of a calm run.
    pub(super) fn learn(&mut self, evidence: &Evidence<'_>) {
        for (sink, arrived) in evidence.arrived.iter().enumerate() {
            let Some(rows) = &arrived.rows else { continue };
            if rows.iter().any(|row| repeated(&row.marks).is_some()) {
                self.repeats.insert(sink);
            }
            let marks: BTreeSet<u32> = rows.iter().flat_map(|row| row.marks.iter().copied()).collect();
            for content in &evidence.truth.contents {
                for line in content.lines.iter().filter(|line| line.whole) {
                    let there = marks.contains(&line.mark) || evidence.letters.contains_key(&line.mark);
                    let known = self.kinds.entry((content.source, line.kind, line.split)).or_default();
                    known.resize(evidence.arrived.len().max(known.len()), (0, 0));
                    known[sink].0 += u32::from(there);
                    known[sink].1 += u32::from(!there);
                }
            }
        }
    }

    fn of(&self, kind: LineKind, sink: usize) -> Expect {
        match self.kinds.get(&kind).and_then(|sinks| sinks.get(sink)) {
            Some((1.., 0)) => Expect::Always,
            // A line in two parts may arrive as two messages, of which neither is what the pipeline drops.
            Some((0, 1..)) if !kind.2 => Expect::Never,
            _ => Expect::Either,
        }
    }

    /// Whether any line ever arrives anywhere in a way that it is recognised.
    pub(super) fn are_useful(&self) -> bool {
        self.kinds.values().flatten().any(|(there, _)| *there > 0)
    }
}

/// A mark that is in a list twice.
fn repeated(marks: &[u32]) -> Option<u32> {
    let mut seen = BTreeSet::new();
    marks.iter().copied().find(|mark| !seen.insert(*mark))
}

/// What one sink has.
pub(super) struct Arrived {
    /// The sink's name.
    pub(super) sink: String,
    /// Where its rows are.
    pub(super) destination: Destination,
    /// The rows; `None` where they go nowhere.
    pub(super) rows: Option<Vec<Row>>,
    /// For an ordered sink: for each life but the last how many whole rows there were when it ended, and how many
    /// with the one that it had written a part of.
    pub(super) lives: Vec<(usize, usize)>,
}

impl Arrived {
    /// Whether a life ended within a row of standard output: what the next one writes stands behind that part on the
    /// same line, since nothing can be taken back from a pipe.
    fn was_torn(&self, row: usize) -> bool {
        self.destination == Destination::Output
            && self.lives.iter().any(|(whole, all)| whole < all && *whole == row)
    }
}

/// Everything there is to check.
pub(super) struct Evidence<'a> {
    /// What was written.
    pub(super) truth: &'a Truth,
    /// What arrived.
    pub(super) arrived: &'a [Arrived],
    /// Marks in the dead letters.
    pub(super) letters: &'a BTreeMap<u32, u32>,
    /// Gaps that were reported in any life.
    pub(super) gaps: &'a [Gap],
    /// What to expect; empty in a calm run, which finds out.
    pub(super) expect: &'a Expectations,
}

/// Everything that is wrong; empty where all is well. Also says how many contents nobody ever saw.
pub(super) fn check(evidence: &Evidence<'_>) -> (Vec<String>, u64) {
    let mut wrong = Vec::new();
    let known = Known::new(evidence);
    for (at, arrived) in evidence.arrived.iter().enumerate() {
        let Some(rows) = &arrived.rows else { continue };
        if !evidence.expect.repeats.contains(&at) {
            let whole = rows.iter().enumerate().filter(|(at, _)| !arrived.was_torn(*at));
            let twice = whole.filter_map(|(_, row)| Some((row, repeated(&row.marks)?)));
            wrong.extend(twice.map(|(row, mark)| {
                format!("{}: one row holds line {mark} twice: {:?} {:?}", arrived.sink, row.id, row.marks)
            }));
        }
        if arrived.destination.is_exact() {
            twice(arrived, rows, evidence.truth, &mut wrong);
        }
        if arrived.destination.is_ordered() {
            order(arrived, rows, evidence.truth, &mut wrong);
        }
        let marks: BTreeSet<u32> = rows.iter().flat_map(|row| row.marks.iter().copied()).collect();
        missing(at, &marks, evidence, &known, &mut wrong);
    }
    false_gaps(evidence, &known, &mut wrong);
    (wrong, known.unseen)
}

/// What is known of each content from what arrived.
struct Known {
    /// Whether anything of it arrived anywhere.
    seen: Vec<bool>,
    /// Streams that its rows are of.
    streams: Vec<BTreeSet<(u64, u16)>>,
    unseen: u64,
}

impl Known {
    fn new(evidence: &Evidence<'_>) -> Self {
        let count = evidence.truth.contents.len();
        let mut known = Self { seen: vec![false; count], streams: vec![BTreeSet::new(); count], unseen: 0 };
        let rows = evidence.arrived.iter().flat_map(|arrived| arrived.rows.iter().flatten());
        for row in rows {
            let stream = row.id.as_deref().and_then(stream_of);
            for (content, _) in row.marks.iter().filter_map(|mark| evidence.truth.line(*mark)) {
                known.seen[content] = true;
                known.streams[content].extend(stream.map(|(stream, generation, _)| (stream, generation)));
            }
        }
        for (content, _) in evidence.letters.keys().filter_map(|mark| evidence.truth.line(*mark)) {
            known.seen[content] = true;
        }
        known.unseen = known.seen.iter().filter(|seen| !**seen).count() as u64;
        known
    }
}

/// A line that is at a destination in two rows, or an id that is.
fn twice(arrived: &Arrived, rows: &[Row], truth: &Truth, wrong: &mut Vec<String>) {
    let mut ids: BTreeMap<&str, &Row> = BTreeMap::new();
    let mut marks: BTreeMap<u32, &Row> = BTreeMap::new();
    for row in rows {
        if let Some(id) = &row.id
            && let Some(first) = ids.insert(id, row)
        {
            wrong.push(format!(
                "{}: the id {id} is there twice: in {} with {:?} and in {} with {:?}",
                arrived.sink, first.place, first.marks, row.place, row.marks
            ));
        }
        for mark in &row.marks {
            if let Some(first) = marks.insert(*mark, row)
                && first != row
            {
                wrong.push(format!(
                    "{}: line {mark} ({}) is there twice: as {:?} {:?} and as {:?} {:?}",
                    arrived.sink,
                    place(truth, *mark),
                    first.id,
                    first.id.as_deref().and_then(stream_of),
                    row.id,
                    row.id.as_deref().and_then(stream_of)
                ));
            }
        }
    }
}

/// Lines of one content and lane that an ordered sink has in another order, within one life of the process.
fn order(arrived: &Arrived, rows: &[Row], truth: &Truth, wrong: &mut Vec<String>) {
    let mut last: BTreeMap<(usize, u8), u32> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        if arrived.lives.iter().any(|(whole, all)| *whole == at || *all == at) {
            // What was not synced is repeated by the next life.
            last.clear();
        }
        if arrived.was_torn(at) {
            continue;
        }
        for mark in &row.marks {
            let Some((content, line)) = truth.line(*mark) else { continue };
            let before = last.insert((content, line.lane), *mark);
            if let Some(before) = before.filter(|before| before > mark) {
                wrong.push(format!(
                    "{}: line {mark} ({}) comes after line {before}, in row {at}; lives end at {:?}",
                    arrived.sink,
                    place(truth, *mark),
                    arrived.lives
                ));
            }
        }
    }
}

fn place(truth: &Truth, mark: u32) -> String {
    let Some((content, line)) = truth.line(mark) else { return "never written".to_owned() };
    let of = &truth.contents[content];
    format!(
        "content {content} of {}, {:?}, {:?} at {}..{}{}",
        of.path.display(),
        of.state,
        line.kind,
        line.start,
        line.end,
        if line.split { ", written in two parts" } else { "" }
    )
}

/// Lines that should have arrived and did not, and are in no gap record and no dead letter.
fn missing(
    at: usize,
    marks: &BTreeSet<u32>,
    evidence: &Evidence<'_>,
    known: &Known,
    wrong: &mut Vec<String>,
) {
    for (number, content) in evidence.truth.contents.iter().enumerate() {
        for line in content.lines.iter().filter(|line| line.whole) {
            let expect = evidence.expect.of((content.source, line.kind, line.split), at);
            let there = marks.contains(&line.mark);
            let sink = &evidence.arrived[at].sink;
            if there && expect == Expect::Never {
                wrong.push(format!(
                    "{sink}: line {} ({}) arrived, which is dropped when all is well",
                    line.mark,
                    place(evidence.truth, line.mark)
                ));
            }
            let lost = !there && expect == Expect::Always && !evidence.letters.contains_key(&line.mark);
            if lost && !excused(at, number, content, line, evidence, known) {
                wrong.push(format!(
                    "{sink}: line {} ({}) is lost; streams {:?}, gaps {:?}",
                    line.mark,
                    place(evidence.truth, line.mark),
                    known.streams[number],
                    evidence.gaps
                ));
            }
        }
    }
}

/// Whether a lost line is one that nobody could read, and was reported where anything of its file was known.
fn excused(
    sink: usize,
    number: usize,
    content: &Content,
    line: &Line,
    evidence: &Evidence<'_>,
    known: &Known,
) -> bool {
    match content.state {
        State::Found => false,
        // What was moved away before anybody saw it is nobody's.
        State::Moved | State::Destroyed if !known.seen[number] => true,
        State::Moved => false,
        State::Destroyed => {
            let streams = &known.streams[number];
            evidence.gaps.iter().any(|gap| {
                let same = streams.is_empty() || streams.contains(&(gap.stream, gap.generation));
                let mine = gap.sink.is_none_or(|only| only == sink);
                same && mine && gap.start < line.end && gap.end.is_none_or(|end| end > line.start)
            })
        }
    }
}

/// Gaps in what is still there whole.
fn false_gaps(evidence: &Evidence<'_>, known: &Known, wrong: &mut Vec<String>) {
    for (content, streams) in evidence.truth.contents.iter().zip(&known.streams) {
        if content.state == State::Destroyed {
            continue;
        }
        for gap in evidence.gaps.iter().filter(|gap| streams.contains(&(gap.stream, gap.generation))) {
            wrong.push(format!(
                "a gap was reported in {}, which is whole ({:?}): {gap:?}",
                content.path.display(),
                content.state
            ));
        }
    }
}
