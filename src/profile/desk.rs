//! What the probes share: whose turn it is, and a tally for each part.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::spans::{Spans, Times};
use crate::limits::PROFILE_REASONS_MAX;
use crate::seam::Clock;

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mode {
    /// Rows are counted, and formats tried against each other; nothing is timed.
    Count,
    /// Nothing is done: the pass as a whole is timed.
    Whole,
    /// One part is timed for each row.
    Sample,
}

/// It is nobody's turn to be timed.
const NOBODY: usize = usize::MAX;

/// The probes' desk. One worker alone runs, so that what is atomic is never fought for.
pub(super) struct Desk {
    clock: Arc<dyn Clock>,
    mode: AtomicU8,
    turn: AtomicUsize,
    /// Whether a format took the message of this row.
    pub(super) parsed: AtomicBool,
    /// By number: the parts of the outline, then the sinks.
    pub(super) tallies: Box<[Tally]>,
}

/// What a part has seen.
#[derive(Default)]
pub(super) struct Tally {
    /// Rows that came.
    pub(super) rows_in: AtomicU64,
    /// Rows that went on, or that a format or an encoder took.
    pub(super) rows_out: AtomicU64,
    /// Times of rows; for a format of those that it took.
    pub(super) times: Mutex<Times>,
    /// Of a format.
    pub(super) refusals: Mutex<Refusals>,
    /// Of an encoder.
    pub(super) encoded: Mutex<Encoded>,
}

/// What a format refused.
#[derive(Default)]
pub(super) struct Refusals {
    /// Times of texts that it refused.
    pub(super) times: Times,
    /// By reason; at most [`PROFILE_REASONS_MAX`].
    pub(super) reasons: Vec<(&'static str, u64)>,
    /// Texts it took that a later format of its step takes too, by the place of that one behind it.
    pub(super) shared: Vec<u64>,
}

/// What an encoder made.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// Bytes of bodies, as they are sent.
    pub(super) bytes: u64,
    /// The same before compression; 0 where bodies are columns.
    pub(super) raw_bytes: u64,
    /// Bytes of `message` where it is the whole line, though a format took it.
    pub(super) message_bytes: u64,
    /// Bytes of `url.original` beside `url.path`.
    pub(super) url_bytes: u64,
    /// Batches that were ended.
    pub(super) batches: u64,
    /// Times of their ends.
    pub(super) ends: Times,
}

impl Refusals {
    /// Counts a reason.
    pub(super) fn add(&mut self, reason: &'static str) {
        if let Some((_, count)) = self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            *count += 1;
        } else if self.reasons.len() < PROFILE_REASONS_MAX {
            self.reasons.push((reason, 1));
        }
    }
}

impl Desk {
    /// A desk with so many tallies.
    pub(super) fn new(clock: Arc<dyn Clock>, tallies: usize) -> Self {
        Self {
            clock,
            mode: AtomicU8::new(Mode::Whole as u8),
            turn: AtomicUsize::new(NOBODY),
            parsed: AtomicBool::new(false),
            tallies: (0..tallies).map(|_| Tally::default()).collect(),
        }
    }

    /// Says what the next pass is for.
    pub(super) fn begin(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
        self.turn.store(NOBODY, Ordering::Relaxed);
    }

    /// Whether the pass is for this.
    #[inline]
    pub(super) fn is(&self, mode: Mode) -> bool {
        self.mode.load(Ordering::Relaxed) == mode as u8
    }

    /// Says which part is timed for the next row.
    pub(super) fn give_turn(&self, number: usize) {
        self.turn.store(number, Ordering::Relaxed);
    }

    /// Counts a row of a part.
    pub(super) fn count(&self, number: usize, goes_on: bool) {
        if let Some(tally) = self.tallies.get(number) {
            tally.rows_in.fetch_add(1, Ordering::Relaxed);
            tally.rows_out.fetch_add(u64::from(goes_on), Ordering::Relaxed);
        }
    }

    /// Does a part's work, and times it where it is its turn; `spans` says where the time goes.
    #[inline]
    pub(super) fn timed<T>(
        &self,
        number: usize,
        work: impl FnOnce() -> T,
        keep: impl FnOnce(&Tally, &T, Duration),
    ) -> T {
        if self.turn.load(Ordering::Relaxed) != number {
            return work();
        }
        let start = self.clock.monotonic();
        let done = work();
        let span = self.clock.monotonic().saturating_sub(start);
        if let Some(tally) = self.tallies.get(number) {
            keep(tally, &done, span);
        }
        done
    }

    /// Does something whole, such as the end of a batch, and times it.
    pub(super) fn lap<T>(&self, work: impl FnOnce() -> T) -> (T, Duration) {
        let start = self.clock.monotonic();
        let done = work();
        (done, self.clock.monotonic().saturating_sub(start))
    }

    /// Ends a sampled batch; `quiet` says whether it ran undisturbed.
    pub(super) fn settle(&self, quiet: bool) {
        for tally in &self.tallies {
            open(&tally.times).settle(quiet);
            open(&tally.refusals).times.settle(quiet);
            open(&tally.encoded).ends.settle(quiet);
        }
    }

    /// What two looks at the clock cost, in nanoseconds, as a timed row sees it.
    pub(super) fn clock_ns(&self) -> f64 {
        /// Looks that the mean is taken of.
        const LOOKS: usize = 20_000;
        let mut spans = Spans::default();
        for _ in 0..LOOKS {
            let start = self.clock.monotonic();
            spans.add(self.clock.monotonic().saturating_sub(start));
        }
        spans.mean()
    }
}

/// A lock that nobody else holds.
pub(super) fn open<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
