//! Reads files again for one sink that was away, beside the tails that go on: from its low mark to where the tail is.
//!
//! The bytes and the cuts that time made in them are the same, so the messages are; what a tail still holds open at
//! its position is held open here too, and let go of by the tail alone.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::copies::Opened;
use super::identity::{Cut, Print};
use super::leave::passing;
use super::output::{Buffers, Output};
use super::restart::Restarts;
use super::state::Files;
use super::table::Key;
use super::tail::{Life, Tail};
use crate::event::Batch;
use crate::frame::Framer;
use crate::position::{Ranges, Resume, Stream};
use crate::seam::Fs;
use crate::source::{Backlog, Notice, Progress, Source};

/// A stretch of one file to be read again.
struct Part {
    /// A tail of its own, whose goal is the position of the one that goes on.
    tail: Tail,
    /// What is before the goal: as long as it is there, so is what was read before it.
    print: Print,
}

/// A source over the stretches that a sink has not settled.
struct CatchUp {
    fs: Arc<dyn Fs>,
    parts: VecDeque<Part>,
    buffers: Buffers,
    notices: Vec<Notice>,
}

impl Files {
    /// The stretches that a sink has not settled; `None` where there are none.
    pub(super) fn read_again(&mut self, sink: usize, resume: &dyn Resume) -> Option<Box<dyn Source>> {
        let mut parts = VecDeque::new();
        let mut notices = Vec::new();
        for key in self.table.keys() {
            let Some(tail) = self.table.get(key) else { continue };
            let Some(missed) = Missed::of(tail, sink, resume) else { continue };
            if tail.life != Life::Lost
                && let Some(Ok((stat, false))) = tail.file.is_some().then(|| tail.look())
            {
                // It was cut off a moment ago: a copy may stand in for it.
                self.truncated(key, &stat);
            }
            self.seek_closed(key);
            let Some(tail) = self.table.get(key) else { continue };
            if tail.life == Life::Lost {
                // Holes in it are everybody's gap.
                for handed in Missed::handed(tail) {
                    notices.extend(missed.gaps(&tail.stream, handed, "it was gone when the sink came back"));
                }
                continue;
            }
            let (clean, told) = tail.record().frame_from(missed.from);
            let frame = self.config.frame.clone();
            let framer = match told {
                Some(origin) => Framer::with_origin(frame, origin),
                None => Framer::new(frame),
            };
            // What a cut lets go that the tail has not come to, it hands on itself.
            let mut cuts = self.log.cuts_after(tail.key(), clean);
            cuts.retain(|cut| !tail.cuts.contains(cut));
            parts.push_back(Part::new(tail, framer, clean, missed, cuts));
        }
        (!parts.is_empty() || !notices.is_empty()).then(|| {
            let fs = self.world.fs.clone();
            Box::new(CatchUp { fs, parts, buffers: Buffers::default(), notices }) as Box<dyn Source>
        })
    }
}

impl Files {
    /// Finds out whether the file of a tail that is not open is still there. Compressed ones are not held open, and
    /// those that were read to their end are not looked at.
    fn seek_closed(&mut self, key: Key) {
        let Some(tail) = self.table.get(key).filter(|tail| tail.file.is_none() && tail.life != Life::Lost)
        else {
            return;
        };
        let (record, packing) = (tail.record(), tail.packing);
        let Ok(shown) = passing(self.world.fs.stat(&record.path)) else { return };
        if shown.is_some_and(|stat| stat.id == record.id) {
            return;
        }
        match self.find_by_id(&record, packing) {
            Ok(Some((_, path))) => {
                if let Some(tail) = self.table.get(key) {
                    tail.path = path;
                }
            }
            Ok(None) => self.gone(key),
            Err(error) => self.trouble(key, &error),
        }
    }
}

/// What a sink has not settled of a tail.
struct Missed {
    from: u64,
    sets: Option<Arc<[Ranges]>>,
    settled: Ranges,
}

impl Missed {
    fn of(tail: &Tail, sink: usize, resume: &dyn Resume) -> Option<Self> {
        let (stream, generation) = tail.key();
        let from = resume.position(stream, generation).unwrap_or(tail.first).max(tail.first);
        let sets = resume.settled(stream, generation);
        let settled = sets.as_ref().and_then(|sets| sets.get(sink)).cloned().unwrap_or_default();
        // What is still open is nobody's yet.
        let missing = |handed: Range<u64>| !settled.missing(from.max(handed.start)..handed.end).is_empty();
        Self::handed(tail).any(missing).then_some(Self { from, sets, settled })
    }

    /// What a tail has handed on. Lanes are interleaved: it may have holes.
    fn handed(tail: &Tail) -> impl Iterator<Item = Range<u64>> + '_ {
        std::iter::once(0..tail.handed).chain(tail.handed_above.iter())
    }

    /// The parts of what was handed on that the sink does not have.
    fn gaps(&self, stream: &Arc<Stream>, handed: Range<u64>, cause: &'static str) -> Vec<Notice> {
        let missing = self.settled.missing(self.from.max(handed.start)..handed.end);
        let gap = |part: Range<u64>| {
            let (start, end) = (part.start, Some(part.end));
            Notice::Gap { stream: stream.clone(), start, end, cause }
        };
        missing.into_iter().map(gap).collect()
    }
}

impl Part {
    fn new(live: &Tail, framer: Framer, clean: u64, missed: Missed, cuts: VecDeque<Cut>) -> Self {
        let mut tail = live.again(framer, missed.from);
        (tail.position, tail.scanned, tail.restarts) = (clean, clean, Restarts::new(clean));
        let sets = missed.sets.iter().flat_map(|sets| sets.iter());
        let end = sets.flat_map(Ranges::iter).map(|set| set.end).max();
        tail.settled_before = missed.sets.zip(end);
        tail.cuts = cuts;
        Self { tail, print: live.tail }
    }

    /// Reads a block. False: the goal is reached, or the bytes are not there any more.
    fn read(
        &mut self,
        fs: &dyn Fs,
        now: Duration,
        buffers: &mut Buffers,
        output: &mut Output<'_>,
    ) -> io::Result<bool> {
        let tail = &mut self.tail;
        let file = match tail.file.take() {
            Some(file) => file,
            None => Opened::new(Arc::from(fs.open(&tail.path)?), tail.packing).file,
        };
        // Before each block, so that nothing is read that was written over what was read before. A compressed file is
        // not written over; to look at its end would decode it once more.
        let same =
            file.stat()?.id == tail.id && (tail.packing.is_some() || self.print.fits(&*file, tail.size)?);
        tail.file = Some(file);
        let before = (tail.position, tail.scanned, tail.cuts.len());
        if !same {
            return Ok(false);
        }
        tail.read(now, buffers, output)?;
        Ok((tail.position, tail.scanned, tail.cuts.len()) != before)
    }
}

impl Source for CatchUp {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let mut output = Output::new(batch);
        while let Some(part) = self.parts.front_mut() {
            if output.is_full() {
                break;
            }
            // What cannot be read now is asked for again by the next round; the tail itself tells people.
            if !part.read(&*self.fs, now, &mut self.buffers, &mut output).unwrap_or(false) {
                self.parts.pop_front();
            }
        }
        output.finish();
        if self.parts.is_empty() { Progress::End } else { Progress::More }
    }

    fn settled(&mut self, _: &Stream, _: u64) {}

    fn finish(&mut self) {}

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn backlog(&self) -> Backlog {
        let unread = self.parts.iter().map(|part| part.tail.limit().saturating_sub(part.tail.position));
        Backlog {
            streams: self.parts.len(),
            open: self.parts.len(),
            unread_bytes: unread.sum(),
            padding_bytes: 0,
        }
    }
}
