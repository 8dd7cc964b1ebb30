//! How far apart a stream writes the lines of one message, and so how long an open message waits for the next.
//!
//! It only moves the time at which a message is let go. Such a cut is written down by the source before its message
//! leaves, so that what is read again is framed the same whatever was learnt.

use std::time::Duration;

use crate::frame::class::Class;
use crate::frame::machine::{self, State, Verdict};
use crate::limits::{MESSAGE_WAIT_GAPS, MESSAGE_WAIT_STRETCH_MAX};

/// A longest gap is forgotten by this share with every line that comes sooner.
const FORGET: u32 = 64;

/// What is known of one lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Cadence {
    /// The longest gap of late between two lines of one message.
    longest: Duration,
    /// The gap before the present line.
    pub(super) gap: Duration,
    /// When the present line came.
    pub(super) now: Duration,
    /// What was open when the last message was let go for want of more, and when its last line came.
    pub(super) left: Option<(State, Duration)>,
}

impl Cadence {
    /// The present line belongs to the message before it.
    #[inline]
    pub(super) fn note_joined(&mut self) {
        self.longest = self.gap.max(self.longest.saturating_sub(self.longest / FORGET));
    }

    /// The present line begins a message. Where it would have continued one that was let go, that was too soon.
    #[inline]
    pub(super) fn note_first(&mut self, class: Class, indent: bool) {
        if let Some((state, touched)) = self.left.take()
            && matches!(machine::next(state, class, indent), Verdict::Join(_))
        {
            self.longest = self.longest.max(self.now.saturating_sub(touched));
        }
    }

    /// How long an open message waits, where it waits for `least` in a stream of which nothing is known.
    pub(super) fn wait(&self, least: Duration) -> Duration {
        let most = least.saturating_mul(MESSAGE_WAIT_STRETCH_MAX);
        self.longest.saturating_mul(MESSAGE_WAIT_GAPS).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_secs(2);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_slow_stream_is_given_more_time_and_a_fast_one_takes_it_back() {
        let mut cadence = Cadence { gap: seconds(1), ..Cadence::default() };
        assert_eq!(cadence.wait(LEAST), LEAST);
        cadence.note_joined();
        assert_eq!(cadence.wait(LEAST), seconds(4));
        cadence.gap = seconds(60);
        cadence.note_joined();
        assert_eq!(cadence.wait(LEAST), seconds(16));
        cadence.gap = Duration::ZERO;
        (0..1000).for_each(|_| cadence.note_joined());
        assert_eq!(cadence.wait(LEAST), LEAST);
    }

    #[test]
    fn a_frame_that_comes_too_late_is_a_lesson() {
        let mut cadence =
            Cadence { now: seconds(13), left: Some((State::Head, seconds(10))), ..Cadence::default() };
        cadence.note_first(Class::Frame, true);
        assert_eq!(cadence.wait(LEAST), seconds(12));
        let mut cadence =
            Cadence { now: seconds(13), left: Some((State::Head, seconds(10))), ..Cadence::default() };
        cadence.note_first(Class::Header, true);
        assert_eq!(cadence.wait(LEAST), LEAST);
    }
}
