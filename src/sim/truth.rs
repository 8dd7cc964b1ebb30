//! What was written, and what became of it on the disk: what the sinks are measured by.

use std::path::PathBuf;

/// What kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Plain text behind a time and a level.
    Text,
    /// Text that pipelines may drop.
    Noise,
    /// A JSON object.
    Json,
    /// The line that reports an error; a trace follows.
    Report,
    /// A line of a stack trace.
    Trace,
    /// A line that the container runtime split.
    Partial,
}

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its mark.
    pub(super) mark: u32,
    /// Its kind.
    pub(super) kind: Kind,
    /// 0 for stdout and plain files, 1 for stderr.
    pub(super) lane: u8,
    /// Where it starts in its content.
    pub(super) start: u64,
    /// Where it ends, its line feed included.
    pub(super) end: u64,
    /// Written in two parts, with other things in between.
    pub(super) split: bool,
    /// Whether its line feed was written.
    pub(super) whole: bool,
}

/// What became of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is where the source's patterns find it.
    Found,
    /// It is still there, beside the place where the patterns look.
    Moved,
    /// Its bytes are gone, or can go at any time.
    Destroyed,
}

/// The bytes of one file from when it was empty until it was cut or removed; a copy of it holds the same.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// Number of the source that should read it.
    pub(super) source: usize,
    /// Where it was written first.
    pub(super) path: PathBuf,
    /// Its lines.
    pub(super) lines: Vec<Line>,
    /// Bytes.
    pub(super) size: u64,
    /// What became of it.
    pub(super) state: State,
}

/// All that was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// Contents, in the order in which they were begun.
    pub(super) contents: Vec<Content>,
    /// For each mark the content and the line in it.
    pub(super) marks: Vec<(u32, u32)>,
}

impl Truth {
    /// A content is begun.
    pub(super) fn begin(&mut self, source: usize, path: PathBuf) -> usize {
        let state = State::Found;
        self.contents.push(Content { source, path, lines: Vec::new(), size: 0, state });
        self.contents.len() - 1
    }

    /// The number of the next mark.
    pub(super) fn next_mark(&self) -> u32 {
        self.marks.len() as u32
    }

    /// A line is begun at the end of a content. Returns its place.
    pub(super) fn add(&mut self, content: usize, kind: Kind, lane: u8) -> usize {
        let mark = self.next_mark();
        let of = &mut self.contents[content];
        let start = of.size;
        of.lines.push(Line { mark, kind, lane, start, end: start, split: false, whole: false });
        self.marks.push((content as u32, of.lines.len() as u32 - 1));
        of.lines.len() - 1
    }

    /// The content and the line of a mark.
    pub(super) fn line(&self, mark: u32) -> Option<(usize, &Line)> {
        let (content, line) = self.marks.get(mark as usize)?;
        let of = self.contents.get(*content as usize)?;
        Some((*content as usize, of.lines.get(*line as usize)?))
    }
}
