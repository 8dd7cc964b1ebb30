//! How often a key may come: the generic cell rate algorithm (ITU-T I.371), one number per key, in a table of
//! fixed slots.
//!
//! In: a key's hash and the time of an event. Out: whether the event keeps to the limit. A key's number is the time at
//! which its bucket is empty again (TAT); once that is past there is nothing to remember, so a slot is free by itself
//! and nothing has to be swept. Times may come in any order: the number of a key decides, not the order of the table.

use super::bytes::{Get, Put};
use crate::limits::{OBSERVE_SLACK, RATE_KEYS_MAX, RATE_PROBES_MAX};

/// What `burst` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// As in nginx (`limit_req … burst=N nodelay`): `1 + burst` at once.
    #[default]
    Nginx,
    /// The size of a bucket: `burst` at once.
    Bucket,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Nanoseconds that one event takes.
    step_ns: i64,
    /// How far ahead of now a key may be and still come, in nanoseconds.
    tolerance_ns: i64,
}

impl Quota {
    /// So many events in a period. The error says what is wrong.
    pub fn new(limit: i64, period_ns: i64, burst: Option<i64>, semantics: Semantics) -> Result<Self, String> {
        let step_ns = period_ns.checked_div(limit).filter(|step| limit > 0 && *step > 0);
        let step_ns = step_ns.ok_or("a limit is at least 1 and at most one in a nanosecond")?;
        let at_once = match (semantics, burst) {
            (Semantics::Nginx, burst) => burst.unwrap_or(0),
            (Semantics::Bucket, Some(0)) => return Err("a bucket holds at least 1: `burst = 1`".to_owned()),
            (Semantics::Bucket, burst) => burst.unwrap_or(limit) - 1,
        };
        let tolerance_ns = (at_once >= 0).then(|| step_ns.checked_mul(at_once)).flatten();
        let tolerance_ns = tolerance_ns.ok_or("`burst` is a number that is not negative")?;
        Ok(Self { step_ns, tolerance_ns })
    }
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It keeps to the limit.
    Within,
    /// It is one too many.
    Over,
    /// It is so old that what came after it decided already: it does not count.
    Late,
    /// There is no slot for its key: it does not count.
    Full,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    tat_ns: i64,
}

/// The slot never held a key.
const EMPTY: i64 = i64::MIN;

/// Slots of a new table.
const SLOTS_MIN: usize = 64;

/// The table.
#[derive(Clone, Debug)]
pub struct Gcra {
    quota: Quota,
    slots: Vec<Slot>,
    /// Slots that are not empty.
    used: usize,
    slots_max: usize,
    newest_ns: i64,
}

impl Gcra {
    /// A table for up to [`RATE_KEYS_MAX`] keys.
    pub fn new(quota: Quota) -> Self {
        Self::with_slots(quota, 2 * RATE_KEYS_MAX)
    }

    /// A table that grows to so many slots at most.
    pub fn with_slots(quota: Quota, slots_max: usize) -> Self {
        let slots_max = slots_max.next_power_of_two().max(SLOTS_MIN);
        let slots = vec![Slot { key: 0, tat_ns: EMPTY }; SLOTS_MIN];
        Self { quota, slots, used: 0, slots_max, newest_ns: EMPTY }
    }

    /// What is at or before this is forgotten.
    #[inline]
    fn horizon(&self) -> i64 {
        self.newest_ns.saturating_sub(OBSERVE_SLACK.as_nanos() as i64)
    }

    /// Decides on one event. `key` is a hash of which all bits count.
    #[inline]
    pub fn decide(&mut self, key: u64, now_ns: i64) -> Verdict {
        self.newest_ns = self.newest_ns.max(now_ns);
        let horizon = self.horizon();
        let Quota { step_ns, tolerance_ns } = self.quota;
        let mask = self.slots.len() - 1;
        let mut free = None;
        for probe in 0..RATE_PROBES_MAX {
            let at = (key as usize).wrapping_add(probe) & mask;
            let slot = &mut self.slots[at];
            if slot.tat_ns == EMPTY {
                free = free.or(Some(at));
                break;
            }
            if slot.key != key {
                if free.is_none() && slot.tat_ns <= horizon {
                    free = Some(at);
                }
                continue;
            }
            if slot.tat_ns <= horizon {
                free = Some(at);
                break;
            }
            let ahead = slot.tat_ns.saturating_sub(now_ns);
            if ahead <= tolerance_ns {
                slot.tat_ns = slot.tat_ns.max(now_ns).saturating_add(step_ns);
                return Verdict::Within;
            }
            // An event in order is never further behind than this.
            return if ahead > tolerance_ns.saturating_add(step_ns) { Verdict::Late } else { Verdict::Over };
        }
        let tat_ns = now_ns.saturating_add(step_ns);
        if tat_ns <= horizon {
            return Verdict::Within;
        }
        let Some(at) = free else { return self.make_room(key, now_ns) };
        self.used += usize::from(self.slots[at].tat_ns == EMPTY);
        self.slots[at] = Slot { key, tat_ns };
        if self.used * 4 > self.slots.len() * 3 && self.slots.len() < self.slots_max {
            self.rebuild();
        }
        Verdict::Within
    }

    #[cold]
    fn make_room(&mut self, key: u64, now_ns: i64) -> Verdict {
        if self.slots.len() < self.slots_max && self.rebuild() {
            return self.decide(key, now_ns);
        }
        Verdict::Full
    }

    /// Leaves out what is forgotten, in a larger table where more than half of the slots would be taken. False where
    /// nothing was won.
    fn rebuild(&mut self) -> bool {
        let horizon = self.horizon();
        let live: Vec<Slot> = self.slots.iter().filter(|slot| slot.tat_ns > horizon).copied().collect();
        let before = self.slots.len();
        let mut size = if live.len() * 2 > before || self.used == live.len() { before * 2 } else { before };
        while size <= self.slots_max {
            let mut slots = vec![Slot { key: 0, tat_ns: EMPTY }; size];
            let placed = live.iter().all(|slot| place(&mut slots, *slot));
            if placed {
                (self.slots, self.used) = (slots, live.len());
                return true;
            }
            size *= 2;
        }
        false
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
    }

    /// Appends its state: every slot in its place, so that it goes on as it would have.
    pub fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.newest_ns);
        out.put_u64(self.slots.len() as u64);
        out.put_u64(self.used as u64);
        for (at, slot) in self.slots.iter().enumerate().filter(|(_, slot)| slot.tat_ns != EMPTY) {
            out.put_u64(at as u64);
            out.put_u64(slot.key);
            out.put_i64(slot.tat_ns);
        }
    }

    /// Takes on a state that was saved.
    pub fn load(&mut self, from: &mut Get<'_>) -> Option<()> {
        self.newest_ns = from.i64()?;
        let size = usize::try_from(from.u64()?).ok()?;
        if !size.is_power_of_two() || size < SLOTS_MIN || size > self.slots_max {
            return None;
        }
        self.slots = vec![Slot { key: 0, tat_ns: EMPTY }; size];
        self.used = from.count()?;
        for _ in 0..self.used {
            let at = usize::try_from(from.u64()?).ok()?;
            let (key, tat_ns) = (from.u64()?, from.i64()?);
            *self.slots.get_mut(at)? = Slot { key, tat_ns };
        }
        Some(())
    }
}

fn place(slots: &mut [Slot], slot: Slot) -> bool {
    let mask = slots.len() - 1;
    let free = (0..RATE_PROBES_MAX)
        .map(|probe| (slot.key as usize).wrapping_add(probe) & mask)
        .find(|at| slots[*at].tat_ns == EMPTY);
    free.map(|at| slots[at] = slot).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::seam::sim::Dice;

    const SECOND: i64 = 1_000_000_000;
    /// Traces that are tried where nobody asks for more: two million events, a second or two.
    const TRACES: u64 = 20_000;

    /// The same in the words of a leaky bucket: a level that drains, and when it was looked at last.
    #[derive(Default)]
    struct Model {
        levels: BTreeMap<u64, (i128, i128)>,
        newest: Option<i128>,
    }

    impl Model {
        fn decide(&mut self, quota: Quota, key: u64, now: i64) -> Verdict {
            let now = i128::from(now);
            let newest = self.newest.map_or(now, |newest| newest.max(now));
            self.newest = Some(newest);
            let horizon = newest - OBSERVE_SLACK.as_nanos() as i128;
            let (step, tolerance) = (i128::from(quota.step_ns), i128::from(quota.tolerance_ns));
            let known = self.levels.get(&key).copied().filter(|(level, at)| level + at > horizon);
            let Some((level, at)) = known else {
                self.levels.remove(&key);
                if now + step > horizon {
                    self.levels.insert(key, (step, now));
                }
                return Verdict::Within;
            };
            // What is in the bucket at this time; before the last look it is fuller than it was then.
            let (level, at) = if now > at { ((level - (now - at)).max(0), now) } else { (level, at) };
            let seen = level + (at - now);
            let verdict = if seen <= tolerance {
                Verdict::Within
            } else if seen <= tolerance + step {
                Verdict::Over
            } else {
                Verdict::Late
            };
            self.levels.insert(key, (level + if verdict == Verdict::Within { step } else { 0 }, at));
            verdict
        }
    }

    fn at_once(quota: Quota) -> usize {
        let mut table = Gcra::new(quota);
        (0..100).filter(|_| table.decide(7, 0) == Verdict::Within).count()
    }

    #[test]
    fn the_same_words_mean_what_they_mean_elsewhere() {
        let quota = |semantics, burst| Quota::new(5, 60 * SECOND, burst, semantics).expect("a quota");
        assert_eq!(at_once(quota(Semantics::Nginx, Some(2))), 3);
        assert_eq!(at_once(quota(Semantics::Nginx, None)), 1);
        assert_eq!(at_once(quota(Semantics::Bucket, Some(2))), 2);
        assert_eq!(at_once(quota(Semantics::Bucket, None)), 5);
        let mut table = Gcra::new(quota(Semantics::Nginx, Some(2)));
        let within: Vec<_> = (0..60).filter(|s| table.decide(1, s * SECOND) == Verdict::Within).collect();
        assert_eq!(within, [0, 1, 2, 12, 24, 36, 48], "three at once, then one in twelve seconds");
        for (limit, burst) in [(0, None), (-1, None), (5, Some(-1)), (i64::MAX, None)] {
            assert!(Quota::new(limit, 60 * SECOND, burst, Semantics::Nginx).is_err());
        }
        assert!(Quota::new(5, SECOND, Some(0), Semantics::Bucket).is_err());
    }

    /// A trace: mostly forward, some of it back, among few keys, with pauses in which everything is forgotten.
    fn trace(seed: u64) -> impl Iterator<Item = (u64, i64)> {
        let mut dice = Dice::new(seed);
        let mut clock = 0_i64;
        (0..40 + seed % 120).map(move |_| {
            clock += dice.below(3 * SECOND as u64) as i64;
            if dice.one_in(97) {
                clock += 1200 * SECOND;
            }
            let back = match dice.below(16) {
                0 => dice.below(30_000_000_000) as i64,
                1 => dice.below(900_000_000_000) as i64,
                _ => 0,
            };
            (dice.below(6), clock - back)
        })
    }

    /// The table decides as the bucket does, on many traces that also go back in time, across a snapshot.
    /// `ALUDEL_TRACES=10000000 cargo test --lib it_agrees_with_a_leaky_bucket -- --nocapture`.
    #[test]
    #[allow(clippy::print_stdout)]
    fn it_agrees_with_a_leaky_bucket() {
        let asked = std::env::var("ALUDEL_TRACES").ok().and_then(|text| text.parse().ok());
        let traces: u64 = asked.unwrap_or(TRACES);
        let mut seen = [0_u64; 4];
        for seed in 1..=traces {
            let burst = (seed % 9) as i64;
            let quota = Quota::new(1 + (seed % 7) as i64, 10 * SECOND, Some(burst), Semantics::Nginx);
            let quota = quota.expect("a quota");
            let (mut table, mut model) = (Gcra::new(quota), Model::default());
            for (at, (key, now)) in trace(seed).enumerate() {
                if at == 30 {
                    let mut saved = Vec::new();
                    table.save(&mut saved);
                    table = Gcra::new(quota);
                    table.load(&mut Get(&saved)).expect("what was saved");
                }
                let key = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let verdict = table.decide(key, now);
                assert_eq!(verdict, model.decide(quota, key, now), "trace {seed}, event {at}");
                seen[verdict as usize] += 1;
            }
        }
        let [within, over, late, full] = seen;
        println!("{traces} traces: {within} events within, {over} over, {late} late");
        assert!(over > traces && late > traces && full == 0, "{seen:?}");
    }

    proptest! {
        /// Times and keys from anywhere, limits of any size: the same as the bucket.
        #[test]
        fn it_agrees_everywhere(
            limit in 1..2000_i64,
            period in 1..4000_i64,
            burst in 0..50_i64,
            events in prop::collection::vec((0..6_u64, 0..2_000_000_000_000_i64), 1..200),
        ) {
            let quota = Quota::new(limit, period * SECOND, Some(burst), Semantics::Nginx).expect("a quota");
            let (mut table, mut model) = (Gcra::new(quota), Model::default());
            for (key, now) in events {
                prop_assert_eq!(table.decide(key, now), model.decide(quota, key, now));
            }
        }
    }

    /// More keys than there is room for are counted as such, those that have a slot go on, and slots are free again in
    /// time.
    #[test]
    fn memory_is_bounded() {
        let quota = Quota::new(1, 60 * SECOND, None, Semantics::Nginx).expect("a quota");
        let mut table = Gcra::with_slots(quota, 1024);
        let hash = |key: u64| key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        let full = (0..5000).filter(|key| table.decide(hash(*key), 0) == Verdict::Full).count();
        assert!((3900..4500).contains(&full), "{full}");
        assert_eq!(table.bytes(), 1024 * 16);
        assert_eq!(table.decide(hash(0), SECOND), Verdict::Over);
        let later = 60 * SECOND + OBSERVE_SLACK.as_nanos() as i64;
        let full = (10_000..10_500).filter(|key| table.decide(hash(*key), later) == Verdict::Full).count();
        assert_eq!(full, 0);
    }
}
