//! What a rule takes for usual: the options of `user_behaviour`, checked.

use std::time::Duration;

use super::super::rule::SEVERITIES;
use crate::event::Options;
use crate::limits::BEHAVIOUR_HALF_LIFE_MIN;

/// What was said already is said again when it has become sixteen times as improbable.
const STEP_BITS: f64 = 4.0;

/// The options.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Norms {
    /// After so long a visit counts half.
    pub(super) half_life_ns: i64,
    /// A user is only watched for so long first …
    pub(super) learn_ns: i64,
    /// … and for so many hours in which something was done.
    pub(super) learn_hours: u32,
    /// Nobody travels faster.
    pub(super) speed_kmh: f64,
    /// A location may be wrong by so much.
    pub(super) radius_km: f64,
    /// What is done within this time is judged together.
    pub(super) within_ns: i64,
    /// The least score that raises an alert.
    pub(super) threshold: f64,
    /// Whether hours are looked at.
    pub(super) hours: bool,
}

impl Norms {
    /// Reads them; the error says what is wrong.
    pub(in super::super) fn new(options: &Options) -> Result<Self, String> {
        let ns = |name| {
            let duration: Duration = options.duration(name).unwrap_or_default();
            i64::try_from(duration.as_nanos()).map_err(|_| format!("`{name}` is too long"))
        };
        let number = |name, from, to| match options.int(name) {
            Some(int) if (from..=to).contains(&int) => Ok(int),
            _ => Err(format!("the option `{name}` takes {from} to {to}")),
        };
        let half_life_ns = ns("half_life")?;
        if half_life_ns < BEHAVIOUR_HALF_LIFE_MIN.as_nanos() as i64 {
            return Err("the option `half_life` takes an hour or more".to_owned());
        }
        let within_ns = ns("within")?;
        if within_ns == 0 {
            return Err("the option `within` takes a time that is not zero".to_owned());
        }
        Ok(Self {
            half_life_ns,
            learn_ns: ns("learn")?,
            learn_hours: number("learn_hours", 1, 10_000)? as u32,
            speed_kmh: number("speed", 1, 100_000)? as f64,
            radius_km: number("radius", 0, 10_000)? as f64,
            within_ns,
            threshold: number("threshold", 1, 1000)? as f64,
            hours: options.is("hours"),
        })
    }

    /// How many half-lives a time is after `since`.
    pub(super) fn half_lives(&self, since_ns: i64, time_ns: i64) -> f64 {
        time_ns.saturating_sub(since_ns) as f64 / self.half_life_ns as f64
    }

    /// How many steps a score is above what raises an alert; 0 is below. Each raises an alert of its own.
    pub(super) fn step(&self, score: f64) -> u8 {
        let above = score - self.threshold;
        if above < 0.0 { 0 } else { 1 + (above / STEP_BITS).min(100.0) as u8 }
    }

    /// How grave a score is: 6 bits are a factor of 64, from what happens once a day to what happens once in two months.
    pub(super) fn severity(&self, score: f64) -> &'static str {
        let above = [6.0, 12.0, 20.0].iter().filter(|more| score >= self.threshold + **more).count();
        SEVERITIES[above.min(SEVERITIES.len() - 1)]
    }
}
