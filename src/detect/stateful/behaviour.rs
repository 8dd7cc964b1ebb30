//! How users behave: where they come from, with what, when, and what they get at. Whoever does something else than
//! usual raises an alert that says what, and how improbable it is.
//!
//! In: observations with [`Traits`], in order. Out: alerts with a score in bits: one more is half as likely. Each user has a
//! [`Profile`], all of them together are the [`Crowd`]; both fade with a half-life, in the time of events. Weights are
//! those of forward decay: they grow with time and only their ratios mean anything, so that nothing is touched to fade.
//! A probability is the user's own rate, with the crowd's for what is not known of the user yet.

mod crowd;
mod hours;
mod norms;
mod profile;
mod rate;
mod session;
mod stays;
mod travel;
mod visit;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(super) use self::norms::Norms;

use self::crowd::Crowd;
use self::profile::Profile;
use self::visit::{HOUR_NS, Visit};
use super::alert::{Alert, Raised};
use super::bytes::{Get, Put};
use super::machine::Took;
use super::observation::Observation;
use super::rule::Rule;
use super::traits::{Aspect, Traits};
use crate::limits::{BEHAVIOUR_LATENESS, BEHAVIOUR_STATE_BYTES_MAX};

/// Weights are made small again when they have grown by so many powers of two.
const GROWN_MAX: f64 = 64.0;
/// Who was not seen for so many half-lives is forgotten.
const HALF_LIVES_KEPT: i64 = 6;
/// How many profiles make room at once, as a part of all: looking for the stalest costs a pass over them.
const ROOM_SHARE: usize = 16;

/// All profiles of a rule.
#[derive(Debug)]
pub(super) struct Behaviour {
    norms: Norms,
    profiles: BTreeMap<u64, Profile>,
    crowd: Crowd,
    /// When weights were 1.
    since_ns: Option<i64>,
    /// What the profiles take.
    bytes: usize,
    /// Profiles that had to make room.
    pub(super) forgotten: u64,
}

impl Behaviour {
    pub(super) fn new(norms: Norms) -> Self {
        let (profiles, crowd) = (BTreeMap::new(), Crowd::default());
        Self { norms, profiles, crowd, since_ns: None, bytes: 0, forgotten: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.crowd.bytes()
    }

    /// Takes in an observation; one from more than a day before the horizon is too old.
    pub(super) fn apply(
        &mut self,
        rule: &Rule,
        of: &Observation,
        horizon_ns: i64,
        alerts: &mut Vec<Alert>,
    ) -> Took {
        let Some(traits) = Traits::read(&of.traits) else { return Took::Late };
        if of.time_ns.saturating_add(BEHAVIOUR_LATENESS.as_nanos() as i64) <= horizon_ns {
            return Took::Late;
        }
        let weight = self.weight(of.time_ns);
        if !self.profiles.contains_key(&of.key) {
            let profile = Profile::new(of.time_ns);
            self.bytes += profile.bytes();
            self.profiles.insert(of.key, profile);
        }
        let users = self.profiles.len();
        let Some(profile) = self.profiles.get_mut(&of.key) else { return Took::Full };
        let before = profile.bytes();
        let is_watched = is_watched(profile, &self.norms, of.time_ns);
        profile.last_ns = profile.last_ns.max(of.time_ns);
        profile.session.keep_from(of.time_ns.saturating_sub(self.norms.within_ns));
        let (norms, crowd) = (&self.norms, &mut self.crowd);
        let time_ns = of.time_ns;
        let (traits, kinds, offset) = (&traits, Default::default(), None);
        let visit = Visit {
            norms,
            crowd,
            profile,
            traits,
            time_ns,
            weight,
            users,
            is_watched,
            kinds,
            known: [false; 4],
            is_back: false,
            offset,
        };
        if visit.surprises() {
            profile.session.evidence.note(of);
            alerts.extend(raise(rule, of, profile, &self.norms));
        }
        self.bytes = self.bytes + profile.bytes() - before;
        self.crowd.make_room();
        if self.bytes > BEHAVIOUR_STATE_BYTES_MAX { self.make_room(of.time_ns) } else { Took::Counted }
    }

    /// What a visit weighs.
    fn weight(&mut self, time_ns: i64) -> f64 {
        let since_ns = *self.since_ns.get_or_insert(time_ns);
        let grown = self.norms.half_lives(since_ns, time_ns);
        if grown > GROWN_MAX {
            let by = (-grown).exp2() as f32;
            self.profiles.values_mut().for_each(|profile| profile.scale(by));
            self.crowd.scale(by);
            self.since_ns = Some(time_ns);
            return 1.0;
        }
        grown.exp2()
    }

    /// Forgets users who were not seen for longest; first those who are not known well yet, since names of an attacker's
    /// choice are such. That is grave where somebody who was known well had to go.
    fn make_room(&mut self, time_ns: i64) -> Took {
        let stale = |(key, of): (&u64, &Profile)| (is_watched(of, &self.norms, time_ns), of.last_ns, *key);
        let mut order: Vec<_> = self.profiles.iter().map(stale).collect();
        order.sort_unstable();
        order.truncate((order.len() / ROOM_SHARE).max(1));
        order.iter().for_each(|(.., key)| self.remove(*key));
        self.forgotten += order.len() as u64;
        if order.iter().any(|(was_watched, ..)| *was_watched) { Took::Full } else { Took::Counted }
    }

    fn remove(&mut self, key: u64) {
        let Some(profile) = self.profiles.remove(&key) else { return };
        self.bytes -= profile.bytes();
        for (aspect, known) in Aspect::ALL.into_iter().zip(&profile.known) {
            known.hashes().for_each(|hash| self.crowd.left((aspect, hash)));
        }
    }

    /// Forgets what has faded.
    pub(super) fn clear(&mut self, newest_ns: i64) {
        let kept_ns = self.norms.half_life_ns.saturating_mul(HALF_LIVES_KEPT).max(self.norms.learn_ns);
        let from_ns = newest_ns.saturating_sub(kept_ns);
        let gone = self.profiles.iter().filter(|(_, of)| of.last_ns < from_ns).map(|(key, _)| *key);
        let gone: Vec<_> = gone.collect();
        gone.into_iter().for_each(|key| self.remove(key));
        let over_ns = newest_ns.saturating_sub(self.norms.within_ns);
        for profile in self.profiles.values_mut().filter(|of| !of.session.points.is_empty()) {
            let before = profile.bytes();
            profile.session.keep_from(over_ns);
            self.bytes = self.bytes + profile.bytes() - before;
        }
        self.crowd.forget(i32::try_from(from_ns.div_euclid(HOUR_NS)).unwrap_or(i32::MIN));
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.since_ns.unwrap_or(i64::MIN));
        self.crowd.save(out);
        out.put_u64(self.profiles.len() as u64);
        for (key, profile) in &self.profiles {
            out.put_u64(*key);
            profile.save(out);
        }
    }

    pub(super) fn load(&mut self, from: &mut Get<'_>) -> Option<()> {
        let since_ns = from.i64()?;
        self.since_ns = (since_ns != i64::MIN).then_some(since_ns);
        self.crowd = Crowd::load(from)?;
        for _ in 0..from.count()? {
            let (key, profile) = (from.u64()?, Profile::load(from)?);
            self.bytes += profile.bytes();
            self.profiles.insert(key, profile);
        }
        Some(())
    }
}

/// Whether a user is known well enough to say what is unusual.
fn is_watched(of: &Profile, norms: &Norms, time_ns: i64) -> bool {
    of.active_hours >= norms.learn_hours && time_ns >= of.first_ns.saturating_add(norms.learn_ns)
}

/// An alert, where what was surprising of late is a step graver than the last alert said.
fn raise(rule: &Rule, of: &Observation, profile: &mut Profile, norms: &Norms) -> Option<Alert> {
    let session = &mut profile.session;
    let score = session.score;
    let step = norms.step(score);
    if step <= session.step {
        return None;
    }
    session.step = step;
    let severity = Some(norms.severity(score));
    let reason = format!("user {}: {}", who(&of.labels), session.words());
    let (start_ns, count) = (session.start_ns().unwrap_or(of.time_ns), session.points.len() as u64);
    let (stage, score, evidence) = (step, Some((score * 10.0).round() / 10.0), &session.evidence);
    // An event that comes late can begin where another session did, but nobody is surprised twice by the same.
    let told = [&of.time_ns.to_be_bytes()[..], &of.traits].concat();
    let raised = Raised { by: of, start_ns, count, reason, severity, score, stage, evidence };
    Some(Alert::told_by(rule, &told, raised))
}

/// The values of a key, as people say them.
fn who(labels: &[u8]) -> String {
    let of: BTreeMap<String, String> = serde_json::from_slice(labels).unwrap_or_default();
    of.into_values().collect::<Vec<_>>().join(", ")
}
