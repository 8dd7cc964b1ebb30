//! What a rule takes for a flood: the options of `flood`, checked.

use std::time::Duration;

use crate::event::Options;
use crate::limits::{BEHAVIOUR_HALF_LIFE_MIN, FLOOD_WINDOW_MAX};

/// Which seasons a baseline knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Season {
    /// None: one level.
    None,
    /// The hours of a day.
    Day,
    /// The hours of a week.
    Week,
}

/// The options.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Norms {
    /// Events are counted over so long.
    pub(super) window_ns: i64,
    /// A window with fewer is no flood.
    pub(super) at_least: u64,
    /// A window with fewer than so many times the usual is none.
    pub(super) factor: f64,
    /// A key is only learned from for so long.
    pub(super) learn_ns: i64,
    /// After so long what was learned counts half.
    pub(super) half_life_ns: i64,
    pub(super) season: Season,
}

impl Norms {
    /// Reads them; the error says what is wrong.
    pub(in super::super) fn new(options: &Options) -> Result<Self, String> {
        let ns = |name, from: Duration, to: Duration| {
            let duration: Duration = options.duration(name).unwrap_or_default();
            let ns = i64::try_from(duration.as_nanos()).ok();
            ns.filter(|_| (from..=to).contains(&duration))
                .ok_or_else(|| format!("the option `{name}` takes {from:?} to {to:?}"))
        };
        let number = |name, from, to| match options.int(name) {
            Some(int) if (from..=to).contains(&int) => Ok(int),
            _ => Err(format!("the option `{name}` takes {from} to {to}")),
        };
        let years = Duration::from_secs(10 * 365 * 86_400);
        Ok(Self {
            window_ns: ns("window", Duration::from_secs(1), FLOOD_WINDOW_MAX)?,
            at_least: number("at_least", 1, 1_000_000_000)? as u64,
            factor: number("factor", 2, 1000)? as f64,
            learn_ns: ns("learn", Duration::ZERO, years)?,
            half_life_ns: ns("half_life", BEHAVIOUR_HALF_LIFE_MIN, years)?,
            season: match options.text("season") {
                Some("none") => Season::None,
                Some("day") => Season::Day,
                _ => Season::Week,
            },
        })
    }

    /// The window that a time is in: when it begins.
    pub(super) fn start_of(&self, time_ns: i64) -> i64 {
        time_ns.saturating_sub(time_ns.rem_euclid(self.window_ns))
    }

    /// A key whose windows all have fewer needs no baseline: `at_least` is more than twice what would be a flood of it.
    pub(super) fn few(&self) -> u64 {
        (self.at_least as f64 / (2.0 * self.factor)) as u64
    }

    /// What a window may have where so much is usual, with so many deviations.
    pub(super) fn limit(&self, usual: &super::baseline::Usual, deviations: f64) -> f64 {
        let of_mean = (self.factor * usual.mean).max(usual.mean + deviations * usual.deviation);
        let of_peak = usual.peak * (1.0 + self.factor) / 2.0;
        of_mean.max(of_peak)
    }
}
