//! Who came most often: the counters of Space-Saving (Metwally and others, 2005).
//!
//! A newcomer takes over the counter with the least count, and what it may be too high by is kept. So whoever came more
//! often than one in so many times as there are counters has one, and [`Most::least`] is never more than is true.

use super::super::bytes::{Get, Put};
use crate::limits::FLOOD_TOP_MAX;

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Most {
    /// Hash of who it is.
    pub(super) key: u64,
    /// How often it came at most.
    pub(super) count: u64,
    /// By how much that may be too high.
    error: u64,
    /// What it is called.
    pub(super) name: Box<str>,
}

impl Most {
    /// How often it came at least.
    pub(super) fn least(&self) -> u64 {
        self.count - self.error
    }
}

/// The counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Top {
    counters: Vec<Most>,
    /// What the names take.
    bytes: usize,
}

impl Top {
    /// Takes in one more of a key. Its name is asked for where it has no counter.
    pub(super) fn add(&mut self, key: u64, name: impl FnOnce() -> Box<str>) {
        if let Some(known) = self.counters.iter_mut().find(|of| of.key == key) {
            known.count += 1;
            return;
        }
        let name = name();
        self.bytes += name.len();
        if self.counters.len() < FLOOD_TOP_MAX {
            self.counters.push(Most { key, count: 1, error: 0, name });
            return;
        }
        // The first of the least: which one it is must not depend on anything else.
        let Some(least) = self.counters.iter_mut().min_by_key(|of| of.count) else { return };
        self.bytes -= least.name.len();
        *least = Most { key, count: least.count + 1, error: least.count, name };
    }

    /// Those that came most often for certain, first.
    pub(super) fn most(&self) -> Vec<&Most> {
        let mut most: Vec<_> = self.counters.iter().collect();
        most.sort_by(|a, b| b.least().cmp(&a.least()).then_with(|| a.name.cmp(&b.name)));
        most
    }

    /// How often whoever came most often came at least.
    pub(super) fn first(&self) -> u64 {
        self.counters.iter().map(Most::least).max().unwrap_or_default()
    }

    /// Memory beside itself.
    pub(super) fn bytes(&self) -> usize {
        self.counters.capacity() * size_of::<Most>() + self.bytes
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.counters.len() as u64);
        for Most { key, count, error, name } in &self.counters {
            [*key, *count, *error].into_iter().for_each(|number| out.put_u64(number));
            out.put_bytes(name.as_bytes());
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let mut top = Self::default();
        for _ in 0..from.count()? {
            let (key, count, error) = (from.u64()?, from.u64()?, from.u64()?);
            let name: Box<str> = String::from_utf8_lossy(from.bytes()?).into();
            top.bytes += name.len();
            top.counters.push(Most { key, count, error: error.min(count), name });
        }
        Some(top)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::seam::sim::Dice;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against exact counts: nobody is told to have come more often than they did, nobody is missing who came more often
        /// than the counters can miss, and no counter is wrong by more than that.
        #[test]
        fn it_never_tells_more_than_is_true(seed in any::<u64>(), keys in 1_u64..3000, len in 1_u64..20_000) {
            let (mut dice, mut top, mut exact) = (Dice::new(seed), Top::default(), BTreeMap::new());
            for _ in 0..len {
                // Some far more often than others.
                let key = dice.below(keys).min(dice.below(keys)).min(dice.below(keys));
                *exact.entry(key).or_insert(0_u64) += 1;
                top.add(key, || key.to_string().into());
            }
            let missed = len / FLOOD_TOP_MAX as u64;
            for of in &top.counters {
                let count = exact[&of.key];
                prop_assert!(of.least() <= count && count <= of.count && of.count - count <= missed);
                prop_assert_eq!(&*of.name, of.key.to_string());
            }
            for (key, _) in exact.iter().filter(|(_, count)| **count > missed) {
                prop_assert!(top.counters.iter().any(|of| of.key == *key), "{key} is missing");
            }
            let mut saved = Vec::new();
            top.save(&mut saved);
            prop_assert_eq!(Top::load(&mut Get(&saved)), Some(top));
        }
    }
}
