//! A part of a spool as a source, from the folder alone: for replays. No cursors, no intake, no waiting.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Framing;
use super::feed::Feed;
use super::output::Output;
use crate::event::Batch;
use crate::position::Stream;
use crate::seam::Fs;
use crate::source::{Backlog, Notice, Progress, Source};
use crate::spool::{Reader, State};

/// The source.
pub struct Stored {
    feed: Feed,
    until: u64,
    ended: bool,
    notices: Vec<Notice>,
}

impl Stored {
    /// Reads positions of the spool in a folder, as the source of this name would.
    pub fn open(
        fs: Arc<dyn Fs>,
        folder: PathBuf,
        source: &str,
        framing: Framing,
        state: &State,
        positions: Range<u64>,
    ) -> Self {
        let stream = Stream { id: state.stream, generation: 0, source: source.into(), path: source.into() };
        let reader = Reader::new(fs, folder, positions.start);
        let feed = Feed::over(Arc::new(stream), framing, state.framing, positions.start, reader);
        Self { feed, until: positions.end, ended: false, notices: Vec::new() }
    }
}

impl Source for Stored {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let mut output = Output::new(batch);
        let mut full = self.feed.fill(now, self.until, &mut output, &mut self.notices);
        if !full && !self.ended {
            self.ended = true;
            self.feed.end(now, &mut output, &mut self.notices);
            full = output.is_full();
        }
        output.close();
        match self.feed.retry() {
            Some(at) if !full => Progress::Wait(at),
            _ if full => Progress::More,
            _ => Progress::End,
        }
    }

    fn settled(&mut self, _: &Stream, _: u64) {}

    fn finish(&mut self) {}

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn backlog(&self) -> Backlog {
        Backlog {
            streams: 1,
            open: 1,
            unread_bytes: self.until.saturating_sub(self.feed.next()),
            padding_bytes: 0,
        }
    }
}
