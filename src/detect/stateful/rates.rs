//! The keys of a rule with a rate, and those of them that are over it.

use std::collections::BTreeMap;

use super::alert::{Alert, Evidence, Raised};
use super::bytes::{Get, Put};
use super::ends::{Ends, Episode};
use super::gcra::{Gcra, Quota, Verdict};
use super::machine::{ENTRY_BYTES, Took, fires};
use super::observation::Observation;
use super::rule::Rule;
use crate::limits::WINDOW_STATE_BYTES_MAX;

/// A key that was over its rate.
#[derive(Debug)]
struct Over {
    /// When it last was.
    last_ns: i64,
    /// Until it is said to be over.
    episode: Option<Episode>,
}

impl Over {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.episode.as_ref().map_or(0, Episode::bytes)
    }
}

/// All keys of a rule.
#[derive(Debug)]
pub(super) struct Rates {
    table: Gcra,
    over: BTreeMap<u64, Over>,
    /// What those take.
    over_bytes: usize,
    ends: Ends,
}

impl Rates {
    pub(super) fn new(quota: Quota) -> Self {
        Self { table: Gcra::new(quota), over: BTreeMap::new(), over_bytes: 0, ends: Ends::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.bytes() + self.over_bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.over_bytes >= WINDOW_STATE_BYTES_MAX
    }

    pub(super) fn apply(&mut self, rule: &Rule, of: &Observation, alerts: &mut Vec<Alert>) -> Took {
        match self.table.decide(of.key, of.time_ns) {
            Verdict::Within => Took::Counted,
            Verdict::Late => Took::Late,
            Verdict::Full => Took::Full,
            Verdict::Over => self.is_over(rule, of, alerts),
        }
    }

    fn is_over(&mut self, rule: &Rule, of: &Observation, alerts: &mut Vec<Alert>) -> Took {
        let before = self.over.get(&of.key).map(Over::bytes);
        if before.is_none() && self.is_full() {
            return Took::Full;
        }
        let fires = fires(self.over.get(&of.key).map(|over| over.last_ns), of.time_ns, rule.quiet_ns);
        let over = self.over.entry(of.key).or_insert(Over { last_ns: of.time_ns, episode: None });
        over.last_ns = over.last_ns.max(of.time_ns);
        if fires {
            let mut evidence = Evidence::default();
            evidence.note(of);
            let (start_ns, reason, evidence) = (of.time_ns, rule.words.clone(), &evidence);
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
            alerts.push(Alert::new(rule, raised));
            over.episode = Some(Episode::new(start_ns, 1, of));
            self.ends.begin(of.key, start_ns.saturating_add(rule.quiet_ns));
        } else if let Some(episode) = &mut over.episode {
            episode.count += 1;
        }
        self.over_bytes = self.over_bytes + over.bytes() - before.unwrap_or_default();
        Took::Counted
    }

    pub(super) fn are_due(&self, time_ns: i64) -> bool {
        self.ends.are_due(time_ns)
    }

    /// Says which keys keep to their rate again by a time, and since when.
    pub(super) fn end(&mut self, rule: &Rule, time_ns: i64, out: &mut Vec<(i64, Alert)>) {
        let until = |of: &Over| of.last_ns.saturating_add(rule.quiet_ns);
        let goes_on = |key| self.over.get(&key).filter(|of| of.episode.is_some()).map(until);
        for (over_ns, key) in self.ends.by(time_ns, goes_on) {
            let Some(over) = self.over.get_mut(&key) else { continue };
            let Some(episode) = over.episode.take() else { continue };
            self.over_bytes -= episode.bytes();
            let words = ["it keeps to the limit again", "events too many"];
            out.push((over_ns, episode.ends(rule, over.last_ns, over_ns, words)));
        }
    }

    /// Forgets what is over since long.
    pub(super) fn clear(&mut self, quiet_ns: i64, horizon_ns: i64) {
        let bytes = &mut self.over_bytes;
        self.over.retain(|_, of| {
            let stays = of.episode.is_some() || of.last_ns.saturating_add(quiet_ns) > horizon_ns;
            *bytes -= if stays { 0 } else { of.bytes() };
            stays
        });
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        self.table.save(out);
        out.put_u64(self.over.len() as u64);
        for (key, Over { last_ns, episode }) in &self.over {
            out.put_u64(*key);
            out.put_i64(*last_ns);
            Episode::save(episode, out);
        }
    }

    pub(super) fn load(&mut self, quiet_ns: i64, from: &mut Get<'_>) -> Option<()> {
        self.table.load(from)?;
        for _ in 0..from.count()? {
            let (key, last_ns) = (from.u64()?, from.i64()?);
            let over = Over { last_ns, episode: Episode::load(from)? };
            if over.episode.is_some() {
                self.ends.begin(key, last_ns.saturating_add(quiet_ns));
            }
            self.over_bytes += over.bytes();
            self.over.insert(key, over);
        }
        Some(())
    }
}
