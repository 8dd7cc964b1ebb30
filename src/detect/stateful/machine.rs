//! The state of one rule: what each key did of late, and which keys have raised an alert.
//!
//! In: observations in order. Out: alerts. A pure function of what came before: the same observations give the same
//! alerts, also over a snapshot. What is kept is bounded; what finds no place is counted, and raises an alert itself.

use super::alert::{Alert, Evidence, Raised};
use super::behaviour::Behaviour;
use super::bytes::{Get, Put};
use super::flood::Flood;
use super::observation::{Observation, Sign};
use super::rates::Rates;
use super::rule::{Measure, Rule};
use super::windows::Windows;
use crate::limits::OBSERVE_SLACK;

/// What the maps take for a key beside its state.
pub(super) const ENTRY_BYTES: usize = 48;

/// A rule and its state.
#[derive(Debug)]
pub(super) struct Machine {
    rule: Rule,
    state: State,
    /// Time of the newest observation.
    newest_ns: i64,
    /// When what was forgotten was last cleared away.
    cleared_ns: i64,
    /// When an alert last said that there is no place.
    full_ns: Option<i64>,
    /// Observations that found no place.
    pub(super) full: u64,
    /// Observations that came too late to count.
    pub(super) late: u64,
    /// Observations that came when later ones had been counted.
    pub(super) behind: u64,
    /// Alerts that were raised.
    pub(super) raised: u64,
}

#[derive(Debug)]
enum State {
    /// How often keys come.
    Rate(Box<Rates>),
    /// What keys did within a window.
    Window(Box<Windows>),
    /// How much keys usually bring.
    Flood(Box<Flood>),
    /// What users usually do.
    Behaviour(Box<Behaviour>),
}

impl Machine {
    pub(super) fn new(rule: Rule) -> Self {
        let state = match rule.measure {
            Measure::Rate(quota) => State::Rate(Box::new(Rates::new(quota))),
            Measure::Window(span) => State::Window(Box::new(Windows::new(span))),
            Measure::Flood(ref norms) => State::Flood(Box::new(Flood::new(norms.clone(), rule.quiet_ns))),
            Measure::Behaviour(ref norms) => State::Behaviour(Box::new(Behaviour::new(norms.clone()))),
        };
        Self {
            rule,
            state,
            newest_ns: i64::MIN,
            cleared_ns: i64::MIN,
            full_ns: None,
            full: 0,
            late: 0,
            behind: 0,
            raised: 0,
        }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What is over by then is forgotten.
    fn horizon(&self) -> i64 {
        self.newest_ns.saturating_sub(OBSERVE_SLACK.as_nanos() as i64)
    }

    /// Takes in an observation.
    pub(super) fn apply(&mut self, of: &Observation, alerts: &mut Vec<Alert>) {
        self.newest_ns = self.newest_ns.max(of.time_ns);
        let horizon = self.horizon();
        let before = alerts.len();
        let took = match &mut self.state {
            State::Rate(state) => state.apply(&self.rule, of, alerts),
            State::Window(state) => state.apply(&self.rule, of, horizon, alerts),
            State::Flood(state) => state.apply(&self.rule, of, alerts),
            State::Behaviour(state) => state.apply(&self.rule, of, horizon, alerts),
        };
        match took {
            Took::Counted => {}
            Took::Late => self.late += 1,
            Took::Full => self.is_full(of, alerts),
        }
        self.raised += (alerts.len() - before) as u64;
        self.clear();
    }

    /// Whether anything that it told of may be over by a time.
    #[inline]
    pub(super) fn are_due(&self, time_ns: i64) -> bool {
        match &self.state {
            State::Rate(state) => state.are_due(time_ns),
            State::Window(state) => state.are_due(time_ns),
            State::Flood(state) => state.are_due(time_ns),
            // What a user did is done: quiet does not undo it.
            State::Behaviour(_) => false,
        }
    }

    /// Says what is over by a time, and since when.
    pub(super) fn end(&mut self, time_ns: i64, out: &mut Vec<(i64, Alert)>) {
        let before = out.len();
        match &mut self.state {
            State::Rate(state) => state.end(&self.rule, time_ns, out),
            State::Window(state) => state.end(&self.rule, time_ns, out),
            State::Flood(state) => state.end(&self.rule, time_ns, out),
            State::Behaviour(_) => {}
        }
        self.raised += (out.len() - before) as u64;
    }

    /// Says that keys are not watched, for nothing is worse than to believe they are.
    fn is_full(&mut self, of: &Observation, alerts: &mut Vec<Alert>) {
        self.full += 1;
        if !fires(self.full_ns, of.time_ns, self.rule.quiet_ns) {
            return;
        }
        self.full_ns = Some(of.time_ns);
        let mut evidence = Evidence::default();
        evidence.note(of);
        let reason = match &self.state {
            State::Flood(_) => {
                "there are more busy keys than this rule can know; those not seen for longest are forgotten"
            }
            State::Behaviour(_) => {
                "there are more users than this rule can know; those not seen for longest are forgotten"
            }
            _ => "there are more keys than this rule can watch; those that are new are not",
        };
        let reason = reason.to_owned();
        let (start_ns, evidence) = (of.time_ns, &evidence);
        let severity = Some("high");
        let stage = u8::from(of.sign == Sign::Success);
        let raised =
            Raised { by: of, start_ns, count: self.full, reason, severity, score: None, stage, evidence };
        alerts.push(Alert::new(&self.rule, raised));
    }

    /// Clears away what is forgotten, once in a while: that it is there changes nothing but the room that is left. In
    /// the time of events, so that what it costs is in proportion, also while somebody brings new keys on purpose.
    fn clear(&mut self) {
        let is_full = match &self.state {
            State::Rate(state) => state.is_full(),
            State::Window(state) => state.is_full(),
            // They make room by themselves.
            State::Flood(_) | State::Behaviour(_) => false,
        };
        let every = OBSERVE_SLACK.as_nanos() as i64 / if is_full { 20 } else { 1 };
        if self.newest_ns.saturating_sub(every) < self.cleared_ns {
            return;
        }
        self.cleared_ns = self.newest_ns;
        let (horizon, quiet_ns) = (self.horizon(), self.rule.quiet_ns);
        match &mut self.state {
            State::Rate(state) => state.clear(quiet_ns, horizon),
            State::Window(state) => state.clear(quiet_ns, horizon),
            State::Flood(state) => state.clear(horizon),
            State::Behaviour(state) => state.clear(horizon),
        }
    }

    /// Keys that were known and forgotten to make room.
    pub(super) fn forgotten(&self) -> u64 {
        match &self.state {
            State::Flood(state) => state.forgotten,
            State::Behaviour(state) => state.forgotten,
            _ => 0,
        }
    }

    /// Bytes that the state takes.
    pub(super) fn bytes(&self) -> usize {
        match &self.state {
            State::Rate(state) => state.bytes(),
            State::Window(state) => state.bytes(),
            State::Flood(state) => state.bytes(),
            State::Behaviour(state) => state.bytes(),
        }
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.newest_ns);
        out.put_i64(self.cleared_ns);
        out.put_i64(self.full_ns.unwrap_or(i64::MIN));
        out.put_u64(self.full);
        match &self.state {
            State::Rate(state) => state.save(out),
            State::Window(state) => state.save(out),
            State::Flood(state) => state.save(out),
            State::Behaviour(state) => state.save(out),
        }
    }

    pub(super) fn load(&mut self, from: &mut Get<'_>) -> Option<()> {
        let time = |ns: i64| (ns != i64::MIN).then_some(ns);
        (self.newest_ns, self.cleared_ns) = (from.i64()?, from.i64()?);
        (self.full_ns, self.full) = (time(from.i64()?), from.u64()?);
        match &mut self.state {
            State::Rate(state) => state.load(self.rule.quiet_ns, from)?,
            State::Window(state) => state.load(self.rule.quiet_ns, from)?,
            State::Flood(state) => state.load(from)?,
            State::Behaviour(state) => state.load(from)?,
        }
        Some(())
    }
}

/// What became of an observation.
pub(super) enum Took {
    Counted,
    Late,
    Full,
}

/// Whether a key that was over its limit at `last` raises an alert at `now`: it kept quiet for as long as the rule says.
pub(super) fn fires(last: Option<i64>, now: i64, quiet_ns: i64) -> bool {
    last.is_none_or(|last| now >= last.saturating_add(quiet_ns))
}
