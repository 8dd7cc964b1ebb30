//! The keys of a rule with a window: what each did within it, and which did too much.

use std::collections::BTreeMap;

use super::alert::{Alert, Evidence, Raised};
use super::bytes::{Get, Put};
use super::ends::{Ends, Episode};
use super::machine::{ENTRY_BYTES, Took, fires};
use super::observation::{Observation, Sign};
use super::rule::Rule;
use super::window::{Span, Window};
use crate::limits::WINDOW_STATE_BYTES_MAX;

/// What one key did.
#[derive(Debug, Default)]
struct Track {
    window: Window,
    evidence: Evidence,
    /// When it last had as many as the limit says.
    over_ns: Option<i64>,
    /// When it last succeeded after that.
    success_ns: Option<i64>,
    /// Until it is said to be over.
    episode: Option<Episode>,
}

impl Track {
    fn bytes(&self) -> usize {
        let episode = self.episode.as_ref().map_or(0, Episode::bytes);
        ENTRY_BYTES + size_of::<Self>() + self.window.bytes() + self.evidence.bytes() + episode
    }

    /// Until when it says anything, but for what comes late.
    fn until(&self, span: Span, quiet_ns: i64) -> i64 {
        let window = self.window.newest().unwrap_or(i64::MIN).saturating_add(span.period_ns);
        window.max(self.goes_on_until(quiet_ns))
    }

    fn goes_on_until(&self, quiet_ns: i64) -> i64 {
        self.over_ns.map_or(i64::MIN, |over| over.saturating_add(quiet_ns))
    }
}

/// All keys of a rule.
#[derive(Debug)]
pub(super) struct Windows {
    span: Span,
    keys: BTreeMap<u64, Track>,
    /// What they take.
    bytes: usize,
    ends: Ends,
}

impl Windows {
    pub(super) fn new(span: Span) -> Self {
        Self { span, keys: BTreeMap::new(), bytes: 0, ends: Ends::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= WINDOW_STATE_BYTES_MAX
    }

    pub(super) fn apply(
        &mut self,
        rule: &Rule,
        of: &Observation,
        horizon_ns: i64,
        alerts: &mut Vec<Alert>,
    ) -> Took {
        if of.time_ns.saturating_add(self.span.period_ns) <= horizon_ns {
            return Took::Late;
        }
        if let Some(track) = self.keys.get(&of.key)
            && track.until(self.span, rule.quiet_ns) <= horizon_ns
        {
            self.bytes -= track.bytes();
            self.keys.remove(&of.key);
        }
        if of.sign == Sign::Success {
            self.succeeds(rule, of, alerts);
            return Took::Counted;
        }
        if !self.keys.contains_key(&of.key) && self.is_full() {
            return Took::Full;
        }
        let before = self.keys.get(&of.key).map_or(0, Track::bytes);
        let track = self.keys.entry(of.key).or_default();
        let reached = track.window.note(of.time_ns, of.value, self.span);
        track.evidence.note(of);
        track.evidence.keep_from(track.window.oldest().unwrap_or(i64::MIN));
        if let Some(episode) = &mut track.episode {
            episode.count += 1;
        }
        if reached {
            let fires = fires(track.over_ns, of.time_ns, rule.quiet_ns);
            track.over_ns = Some(track.over_ns.map_or(of.time_ns, |over| over.max(of.time_ns)));
            if fires {
                alerts.push(raised(rule, of, track));
                let start_ns = track.window.oldest().unwrap_or(of.time_ns);
                // Whether somebody who got in is gone, nothing here can tell.
                if track.success_ns.is_none() {
                    track.episode = Some(Episode::new(start_ns, track.window.len() as u64, of));
                    self.ends.begin(of.key, track.goes_on_until(rule.quiet_ns));
                }
            }
        }
        self.bytes = self.bytes + track.bytes() - before;
        Took::Counted
    }

    /// A success counts where the key has failed too often before.
    fn succeeds(&mut self, rule: &Rule, of: &Observation, alerts: &mut Vec<Alert>) {
        let quiet_ns = rule.quiet_ns;
        let Some(track) = self.keys.get_mut(&of.key) else { return };
        let failed = track.over_ns.is_some() && of.time_ns < track.goes_on_until(quiet_ns);
        let begun = track.window.oldest().is_none_or(|oldest| oldest <= of.time_ns);
        if !failed || !begun || !fires(track.success_ns, of.time_ns, quiet_ns) {
            return;
        }
        let before = track.bytes();
        track.success_ns = Some(of.time_ns);
        track.episode = None;
        track.evidence.note(of);
        self.bytes = self.bytes + track.bytes() - before;
        let start_ns = track.window.oldest().unwrap_or(of.time_ns);
        let (count, reason) = (track.window.len() as u64 + 1, format!("a success after {}", rule.words));
        let (severity, evidence) = (Some("critical"), &track.evidence);
        let raised = Raised { by: of, start_ns, count, reason, severity, score: None, stage: 1, evidence };
        // Two successes can follow the same failures.
        alerts.push(Alert::told_by(rule, &of.time_ns.to_be_bytes(), raised));
    }

    pub(super) fn are_due(&self, time_ns: i64) -> bool {
        self.ends.are_due(time_ns)
    }

    /// Says which keys do no longer too much by a time, and since when.
    pub(super) fn end(&mut self, rule: &Rule, time_ns: i64, out: &mut Vec<(i64, Alert)>) {
        let keys = &self.keys;
        let goes_on = |key| keys.get(&key).filter(|of: &&Track| of.episode.is_some());
        let until = |key| goes_on(key).map(|of| of.goes_on_until(rule.quiet_ns));
        for (over_ns, key) in self.ends.by(time_ns, until) {
            let Some(track) = self.keys.get_mut(&key) else { continue };
            let Some(episode) = track.episode.take() else { continue };
            self.bytes -= episode.bytes();
            let words = match rule.detector {
                "brute_force" => ["the failures are over", "failures"],
                _ => ["it is over", "events"],
            };
            let last_ns = track.over_ns.unwrap_or(over_ns);
            out.push((over_ns, episode.ends(rule, last_ns, over_ns, words)));
        }
    }

    /// Forgets what says nothing any more.
    pub(super) fn clear(&mut self, quiet_ns: i64, horizon_ns: i64) {
        let (span, bytes) = (self.span, &mut self.bytes);
        self.keys.retain(|_, track| {
            let stays = track.episode.is_some() || track.until(span, quiet_ns) > horizon_ns;
            *bytes -= if stays { 0 } else { track.bytes() };
            stays
        });
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.keys.len() as u64);
        for (key, track) in &self.keys {
            out.put_u64(*key);
            track.window.save(out);
            track.evidence.save(out);
            out.put_i64(track.over_ns.unwrap_or(i64::MIN));
            out.put_i64(track.success_ns.unwrap_or(i64::MIN));
            Episode::save(&track.episode, out);
        }
    }

    pub(super) fn load(&mut self, quiet_ns: i64, from: &mut Get<'_>) -> Option<()> {
        let time = |ns: i64| (ns != i64::MIN).then_some(ns);
        for _ in 0..from.count()? {
            let key = from.u64()?;
            let (window, evidence) = (Window::load(from)?, Evidence::load(from)?);
            let (over_ns, success_ns) = (time(from.i64()?), time(from.i64()?));
            let track = Track { window, evidence, over_ns, success_ns, episode: Episode::load(from)? };
            if track.episode.is_some() {
                self.ends.begin(key, track.goes_on_until(quiet_ns));
            }
            self.bytes += track.bytes();
            self.keys.insert(key, track);
        }
        Some(())
    }
}

/// The alert that a key did too much.
fn raised(rule: &Rule, of: &Observation, track: &Track) -> Alert {
    let start_ns = track.window.oldest().unwrap_or(of.time_ns);
    let (count, reason) = (track.window.len() as u64, rule.words.clone());
    let evidence = &track.evidence;
    let raised = Raised { by: of, start_ns, count, reason, severity: None, score: None, stage: 0, evidence };
    Alert::new(rule, raised)
}
