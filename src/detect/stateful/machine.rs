//! The state of one rule: what each key did of late, and which keys have raised an alert.
//!
//! In: observations in order. Out: alerts. A pure function of what came before: the same observations give the same
//! alerts, also over a snapshot. What is kept is bounded; what finds no place is counted, and raises an alert itself.

use std::collections::BTreeMap;

use super::alert::{Alert, Evidence, Raised};
use super::behaviour::Behaviour;
use super::bytes::{Get, Put};
use super::flood::Flood;
use super::gcra::{Gcra, Verdict};
use super::observation::{Observation, Sign};
use super::rule::{Measure, Rule};
use super::window::{Span, Window};
use crate::limits::{OBSERVE_SLACK, WINDOW_STATE_BYTES_MAX};

/// What the maps take for a key beside its state.
const ENTRY_BYTES: usize = 48;

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
    /// Alerts that were raised.
    pub(super) raised: u64,
}

#[derive(Debug)]
enum State {
    /// The table, and the keys over their limit with the last time at which they were.
    Rate(Gcra, BTreeMap<u64, i64>),
    /// What keys did, and the bytes that this takes.
    Window(Span, BTreeMap<u64, Track>, usize),
    /// How much keys usually bring.
    Flood(Box<Flood>),
    /// What users usually do.
    Behaviour(Box<Behaviour>),
}

/// What one key did.
#[derive(Debug, Default)]
struct Track {
    window: Window,
    evidence: Evidence,
    /// When it last had as many as the limit says.
    over_ns: Option<i64>,
    /// When it last succeeded after that.
    success_ns: Option<i64>,
}

impl Track {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + size_of::<Self>() + self.window.bytes() + self.evidence.bytes()
    }

    /// Until when it says anything, but for what comes late.
    fn until(&self, span: Span, quiet_ns: i64) -> i64 {
        let window = self.window.newest().unwrap_or(i64::MIN).saturating_add(span.period_ns);
        window.max(self.over_ns.map_or(i64::MIN, |over| over.saturating_add(quiet_ns)))
    }
}

impl Machine {
    pub(super) fn new(rule: Rule) -> Self {
        let state = match rule.measure {
            Measure::Rate(quota) => State::Rate(Gcra::new(quota), BTreeMap::new()),
            Measure::Window(span) => State::Window(span, BTreeMap::new(), 0),
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
        let (quiet_ns, before) = (self.rule.quiet_ns, alerts.len());
        let took = match &mut self.state {
            State::Rate(table, over) => match table.decide(of.key, of.time_ns) {
                Verdict::Within => Took::Counted,
                Verdict::Late => Took::Late,
                Verdict::Full => Took::Full,
                Verdict::Over => {
                    let fires = fires(over.get(&of.key).copied(), of.time_ns, quiet_ns);
                    if !over.contains_key(&of.key) && over.len() * ENTRY_BYTES >= WINDOW_STATE_BYTES_MAX {
                        Took::Full
                    } else {
                        let last = over.entry(of.key).or_insert(of.time_ns);
                        *last = (*last).max(of.time_ns);
                        if fires {
                            let mut evidence = Evidence::default();
                            evidence.note(of);
                            let (start_ns, reason) = (of.time_ns, self.rule.words.clone());
                            let evidence = &evidence;
                            let raised = Raised {
                                by: of,
                                start_ns,
                                count: 1,
                                reason,
                                severity: None,
                                score: None,
                                stage: 0,
                                evidence,
                            };
                            alerts.push(Alert::new(&self.rule, raised));
                        }
                        Took::Counted
                    }
                }
            },
            State::Window(span, keys, bytes) => {
                let window = Windows { rule: &self.rule, span: *span, keys, bytes, horizon };
                window.apply(of, alerts)
            }
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
            State::Rate(_, over) => over.len() * ENTRY_BYTES >= WINDOW_STATE_BYTES_MAX,
            State::Window(_, _, bytes) => *bytes >= WINDOW_STATE_BYTES_MAX,
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
            State::Rate(_, over) => over.retain(|_, last| last.saturating_add(quiet_ns) > horizon),
            State::Window(span, keys, bytes) => clear(keys, bytes, *span, quiet_ns, horizon),
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
            State::Rate(table, over) => table.bytes() + over.len() * ENTRY_BYTES,
            State::Window(_, _, bytes) => *bytes,
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
            State::Rate(table, over) => {
                table.save(out);
                out.put_u64(over.len() as u64);
                for (key, last) in over {
                    out.put_u64(*key);
                    out.put_i64(*last);
                }
            }
            State::Window(_, keys, _) => {
                out.put_u64(keys.len() as u64);
                for (key, track) in keys {
                    out.put_u64(*key);
                    track.window.save(out);
                    track.evidence.save(out);
                    out.put_i64(track.over_ns.unwrap_or(i64::MIN));
                    out.put_i64(track.success_ns.unwrap_or(i64::MIN));
                }
            }
            State::Flood(state) => state.save(out),
            State::Behaviour(state) => state.save(out),
        }
    }

    pub(super) fn load(&mut self, from: &mut Get<'_>) -> Option<()> {
        let time = |ns: i64| (ns != i64::MIN).then_some(ns);
        (self.newest_ns, self.cleared_ns) = (from.i64()?, from.i64()?);
        (self.full_ns, self.full) = (time(from.i64()?), from.u64()?);
        match &mut self.state {
            State::Rate(table, over) => {
                table.load(from)?;
                for _ in 0..from.count()? {
                    over.insert(from.u64()?, from.i64()?);
                }
            }
            State::Window(_, keys, bytes) => {
                for _ in 0..from.count()? {
                    let key = from.u64()?;
                    let (window, evidence) = (Window::load(from)?, Evidence::load(from)?);
                    let (over_ns, success_ns) = (time(from.i64()?), time(from.i64()?));
                    let track = Track { window, evidence, over_ns, success_ns };
                    *bytes += track.bytes();
                    keys.insert(key, track);
                }
            }
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

/// Whether a key that was over its limit at `last` raises an alert at `now`.
fn fires(last: Option<i64>, now: i64, quiet_ns: i64) -> bool {
    last.is_none_or(|last| now > last.saturating_add(quiet_ns))
}

fn clear(keys: &mut BTreeMap<u64, Track>, bytes: &mut usize, span: Span, quiet_ns: i64, horizon: i64) {
    keys.retain(|_, track| {
        let stays = track.until(span, quiet_ns) > horizon;
        *bytes -= if stays { 0 } else { track.bytes() };
        stays
    });
}

/// The windows of all keys of a rule.
struct Windows<'a> {
    rule: &'a Rule,
    span: Span,
    keys: &'a mut BTreeMap<u64, Track>,
    bytes: &'a mut usize,
    horizon: i64,
}

impl Windows<'_> {
    fn apply(self, of: &Observation, alerts: &mut Vec<Alert>) -> Took {
        let quiet_ns = self.rule.quiet_ns;
        if of.time_ns.saturating_add(self.span.period_ns) <= self.horizon {
            return Took::Late;
        }
        if let Some(track) = self.keys.get(&of.key)
            && track.until(self.span, quiet_ns) <= self.horizon
        {
            *self.bytes -= track.bytes();
            self.keys.remove(&of.key);
        }
        if of.sign == Sign::Success {
            self.succeeds(of, alerts);
            return Took::Counted;
        }
        if !self.keys.contains_key(&of.key) && *self.bytes >= WINDOW_STATE_BYTES_MAX {
            return Took::Full;
        }
        let before = self.keys.get(&of.key).map_or(0, Track::bytes);
        let track = self.keys.entry(of.key).or_default();
        let reached = track.window.note(of.time_ns, of.value, self.span);
        track.evidence.note(of);
        track.evidence.keep_from(track.window.oldest().unwrap_or(i64::MIN));
        *self.bytes = *self.bytes + track.bytes() - before;
        if !reached {
            return Took::Counted;
        }
        let fires = fires(track.over_ns, of.time_ns, quiet_ns);
        track.over_ns = Some(track.over_ns.map_or(of.time_ns, |over| over.max(of.time_ns)));
        if fires {
            let start_ns = track.window.oldest().unwrap_or(of.time_ns);
            let (count, reason) = (track.window.len() as u64, self.rule.words.clone());
            let evidence = &track.evidence;
            let raised =
                Raised { by: of, start_ns, count, reason, severity: None, score: None, stage: 0, evidence };
            alerts.push(Alert::new(self.rule, raised));
        }
        Took::Counted
    }

    /// A success counts where the key has failed too often before.
    fn succeeds(self, of: &Observation, alerts: &mut Vec<Alert>) {
        let quiet_ns = self.rule.quiet_ns;
        let Some(track) = self.keys.get_mut(&of.key) else { return };
        let failed = track.over_ns.is_some_and(|over| of.time_ns <= over.saturating_add(quiet_ns));
        let begun = track.window.oldest().is_none_or(|oldest| oldest <= of.time_ns);
        if !failed || !begun || !fires(track.success_ns, of.time_ns, quiet_ns) {
            return;
        }
        let before = track.bytes();
        track.success_ns = Some(of.time_ns);
        track.evidence.note(of);
        *self.bytes = *self.bytes + track.bytes() - before;
        let start_ns = track.window.oldest().unwrap_or(of.time_ns);
        let (count, reason) = (track.window.len() as u64 + 1, format!("a success after {}", self.rule.words));
        let evidence = &track.evidence;
        let severity = Some("critical");
        let raised = Raised { by: of, start_ns, count, reason, severity, score: None, stage: 1, evidence };
        alerts.push(Alert::new(self.rule, raised));
    }
}
