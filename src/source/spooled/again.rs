//! Reads a spool again for one sink that was away, beside the feed that goes on: from its low mark to where the feed is.
//!
//! The records are the same, cuts among them, so the messages are; what the feed still holds open at its end is held
//! open here too, and let go of by the feed alone.

use std::time::Duration;

use super::feed::Feed;
use super::output::Output;
use crate::event::Batch;
use crate::position::Stream;
use crate::source::{Backlog, Notice, Progress, Source};

/// A source over what a sink has not settled.
pub(super) struct Again {
    pub(super) feed: Feed,
    /// Where the other feed was.
    pub(super) until: u64,
    pub(super) notices: Vec<Notice>,
}

impl Source for Again {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let mut output = Output::new(batch);
        let full = self.feed.fill(now, self.until, &mut output, &mut self.notices);
        output.close();
        if full {
            return Progress::More;
        }
        match self.feed.retry() {
            Some(at) => Progress::Wait(at),
            None => Progress::End,
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
