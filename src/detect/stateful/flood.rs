//! Floods: far more events of a key than usual within a window, from far more sources, or from sources of another kind.
//!
//! In: observations, in order; what varies is the source, and its name stands where a profile has its traits. Out: alerts that
//! say how much came, what is usual and who sent most. A key has a [`Baseline`] once it is busy; what it brings in the
//! window that is open is counted exactly, its sources by a [`Sketch`](sketch::Sketch), the greatest of them by a
//! [`Top`](top::Top); how many sources so many events usually have is a [`Variety`](variety::Variety). Windows are those of the time of events; one is judged as soon as it is too full and learned from
//! when it is over.

mod baseline;
mod norms;
mod ongoing;
mod signature;
mod sketch;
mod top;
mod variety;
mod window;

use std::collections::BTreeMap;

pub(super) use self::norms::Norms;
pub(super) use self::signature::FLOOD;

use self::baseline::Baseline;
use self::ongoing::Ongoing;
use self::window::Window;
use super::alert::Alert;
use super::bytes::{Get, Put};
use super::ends::Ends;
use super::machine::Took;
use super::observation::Observation;
use super::rule::Rule;
use crate::limits::FLOOD_STATE_BYTES_MAX;

/// What the map takes for a key beside its state.
const ENTRY_BYTES: usize = 48;
/// A busy key that was not seen for so many half-lives is forgotten, another after one.
const HALF_LIVES_KEPT: i64 = 6;
/// How many keys make room at once, as a part of all: looking for the stalest costs a pass over them.
const ROOM_SHARE: usize = 16;
/// What one key brings.
#[derive(Debug)]
struct Track {
    first_ns: i64,
    window: Window,
    /// What is usual, of a key that was ever busy.
    baseline: Option<Box<Baseline>>,
    flood: Option<Ongoing>,
}

impl Track {
    fn bytes(&self) -> usize {
        let baseline = self.baseline.as_ref().map_or(0, |of| of.bytes());
        let flood = self.flood.as_ref().map_or(0, Ongoing::bytes);
        ENTRY_BYTES + size_of::<Self>() + self.window.bytes() + baseline + flood
    }

    /// Whether it is known well enough to say what is unusual.
    fn is_watched(&self, norms: &Norms) -> bool {
        self.window.start_ns >= self.first_ns.saturating_add(norms.learn_ns)
    }

    /// The window is over: it is learned from, and another begins.
    fn turn(&mut self, start_ns: i64, norms: &Norms) {
        let is_watched = self.is_watched(norms);
        let Window { start_ns: begun_ns, count, usual, .. } = self.window;
        if self.baseline.is_none() && count > norms.few() {
            self.baseline = Some(Box::new(Baseline::new(norms.season, begun_ns)));
        }
        let windows = start_ns.saturating_sub(begun_ns) / norms.window_ns;
        if let Some(baseline) = &mut self.baseline {
            if count > 0 {
                let (window, learned) = (&self.window, self.window.learned(is_watched, norms));
                baseline.learn(begun_ns, learned, &usual, norms);
                baseline.variety.learn(count as f64, window.sources.count(), learned[0], window.lasting());
            }
            baseline.variety.rest(windows - i64::from(count > 0));
        }
        self.count();
        self.window = Window::open(start_ns, self.baseline.as_deref(), norms);
    }

    /// The flood, if there is one, takes the window in where that was too full.
    fn count(&mut self) {
        if let Some(flood) = self.flood.as_mut().filter(|flood| flood.last_ns == self.window.start_ns) {
            flood.add(&self.window);
        }
    }
}

/// All keys of a rule.
#[derive(Debug)]
pub(super) struct Flood {
    norms: Norms,
    keys: BTreeMap<u64, Track>,
    /// What they take.
    bytes: usize,
    /// How long after a flood it is over.
    quiet_ns: i64,
    /// Floods that go on.
    ends: Ends,
    /// Keys that had to make room.
    pub(super) forgotten: u64,
}

impl Flood {
    pub(super) fn new(norms: Norms, quiet_ns: i64) -> Self {
        Self { norms, keys: BTreeMap::new(), bytes: 0, quiet_ns, ends: Ends::default(), forgotten: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in an observation. One of a window that is over came too late.
    pub(super) fn apply(&mut self, rule: &Rule, of: &Observation, alerts: &mut Vec<Alert>) -> Took {
        let norms = &self.norms;
        let start_ns = norms.start_of(of.time_ns);
        let bytes = &mut self.bytes;
        let track = self.keys.entry(of.key).or_insert_with(|| {
            let window = Window::open(start_ns, None, norms);
            let track = Track { first_ns: start_ns, window, baseline: None, flood: None };
            *bytes += track.bytes();
            track
        });
        if start_ns < track.window.start_ns {
            return Took::Late;
        }
        let before = track.bytes();
        if start_ns > track.window.start_ns {
            track.turn(start_ns, norms);
        }
        track.window.note(of);
        if track.window.is_over(norms) && track.is_watched(norms) {
            let is_new = track.flood.is_none();
            let flood = track.flood.get_or_insert_with(|| Ongoing::new(start_ns, &of.labels));
            alerts.extend(flood.goes_on(rule, of, &mut track.window, norms));
            if is_new {
                self.ends.begin(of.key, over_ns(flood, norms, self.quiet_ns));
            }
        }
        *bytes = *bytes + track.bytes() - before;
        if *bytes > FLOOD_STATE_BYTES_MAX { self.make_room() } else { Took::Counted }
    }

    pub(super) fn are_due(&self, time_ns: i64) -> bool {
        self.ends.are_due(time_ns)
    }

    /// Says which floods are over by a time, and since when.
    pub(super) fn end(&mut self, rule: &Rule, time_ns: i64, out: &mut Vec<(i64, Alert)>) {
        let (keys, norms, quiet_ns) = (&self.keys, &self.norms, self.quiet_ns);
        let until = |key| keys.get(&key)?.flood.as_ref().map(|flood| over_ns(flood, norms, quiet_ns));
        for (over_ns, key) in self.ends.by(time_ns, until) {
            let Some(track) = self.keys.get_mut(&key) else { continue };
            let before = track.bytes();
            if track.flood.as_ref().is_some_and(|flood| flood.last_ns == track.window.start_ns) {
                // What comes late for its last window does not begin it anew.
                track.turn(track.window.start_ns.saturating_add(self.norms.window_ns), &self.norms);
            }
            if let Some(flood) = track.flood.take() {
                out.push((over_ns, flood.ends(rule, over_ns, &self.norms)));
            }
            self.bytes = self.bytes + track.bytes() - before;
        }
    }

    /// Forgets keys that were not seen for longest; first those that never were busy, since keys of an attacker's choice are
    /// such. That is grave where one that was known well had to go.
    fn make_room(&mut self) -> Took {
        let stale =
            |(key, of): (&u64, &Track)| (of.flood.is_some(), of.baseline.is_some(), of.window.start_ns, *key);
        let mut order: Vec<_> = self.keys.iter().map(stale).collect();
        order.sort_unstable();
        order.truncate((order.len() / ROOM_SHARE).max(1));
        order.iter().for_each(|(.., key)| self.remove(*key));
        self.forgotten += order.len() as u64;
        if order.iter().any(|(_, was_busy, ..)| *was_busy) { Took::Full } else { Took::Counted }
    }

    fn remove(&mut self, key: u64) {
        if let Some(track) = self.keys.remove(&key) {
            self.bytes -= track.bytes();
        }
    }

    /// Closes windows that are over and forgets what has faded.
    pub(super) fn clear(&mut self, horizon_ns: i64) {
        let norms = &self.norms;
        let kept = |track: &Track| {
            let half_lives = if track.baseline.is_some() { HALF_LIVES_KEPT } else { 1 };
            norms.half_life_ns.saturating_mul(half_lives).max(norms.learn_ns)
        };
        let bytes = &mut self.bytes;
        self.keys.retain(|_, track| {
            let before = track.bytes();
            let next_ns = track.window.start_ns.saturating_add(norms.window_ns);
            if track.window.count > 0 && next_ns <= horizon_ns {
                track.turn(next_ns, norms);
            }
            let kept_ns = track.window.start_ns.saturating_add(kept(track));
            let stays = track.flood.is_some() || kept_ns > horizon_ns;
            *bytes = *bytes - before + if stays { track.bytes() } else { 0 };
            stays
        });
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.forgotten);
        out.put_u64(self.keys.len() as u64);
        for (key, track) in &self.keys {
            out.put_u64(*key);
            out.put_i64(track.first_ns);
            out.push(u8::from(track.baseline.is_some()));
            track.baseline.iter().for_each(|of| of.save(out));
            track.window.save(out);
            out.push(u8::from(track.flood.is_some()));
            track.flood.iter().for_each(|of| of.save(out));
        }
    }

    pub(super) fn load(&mut self, from: &mut Get<'_>) -> Option<()> {
        self.forgotten = from.u64()?;
        for _ in 0..from.count()? {
            let (key, first_ns) = (from.u64()?, from.i64()?);
            let baseline = if from.byte()? == 1 { Some(Box::new(Baseline::load(from)?)) } else { None };
            let window = Window::load(from, baseline.as_deref(), &self.norms)?;
            let flood = if from.byte()? == 1 { Some(Ongoing::load(from)?) } else { None };
            if let Some(flood) = &flood {
                self.ends.begin(key, over_ns(flood, &self.norms, self.quiet_ns));
            }
            let track = Track { first_ns, window, baseline, flood };
            self.bytes += track.bytes();
            self.keys.insert(key, track);
        }
        Some(())
    }
}

/// When a flood is over if it does not go on.
fn over_ns(flood: &Ongoing, norms: &Norms, quiet_ns: i64) -> i64 {
    flood.last_ns.saturating_add(norms.window_ns).saturating_add(quiet_ns)
}
