//! A set of byte positions, kept as disjoint ascending ranges: what is settled, what is still owed.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of positions; ranges that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range. What is already in stays in.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        if let Some((&s, &e)) = self.0.range(..=start).next_back()
            && e >= start
        {
            start = s;
            end = end.max(e);
        }
        while let Some((&s, &e)) = self.0.range(start..=end).next() {
            self.0.remove(&s);
            end = end.max(e);
        }
        self.0.insert(start, end);
    }

    /// Whether a position is in the set.
    pub fn contains(&self, position: u64) -> bool {
        self.0.range(..=position).next_back().is_some_and(|(_, &end)| position < end)
    }

    /// Whether the whole range is in the set.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.0.range(..=range.start).next_back().is_some_and(|(_, &end)| range.end <= end)
    }

    /// The first position at or after `from` that is not in the set.
    pub fn first_gap(&self, from: u64) -> u64 {
        match self.0.range(..=from).next_back() {
            Some((_, &end)) if end > from => end,
            _ => from,
        }
    }

    /// The start of the first range at or after `from`.
    pub fn next_start(&self, from: u64) -> Option<u64> {
        self.0.range(from..).next().map(|(&start, _)| start)
    }

    /// Forgets all below `position`.
    pub fn drop_below(&mut self, position: u64) {
        while let Some((&start, &end)) = self.0.first_key_value() {
            if start >= position {
                return;
            }
            self.0.remove(&start);
            if end > position {
                self.0.insert(position, end);
                return;
            }
        }
    }

    /// The parts of a range that are not in the set, ascending.
    pub fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut parts = Vec::new();
        let mut at = self.first_gap(range.start);
        while at < range.end {
            let end = self.next_start(at).unwrap_or(range.end).min(range.end);
            parts.push(at..end);
            at = self.first_gap(end);
        }
        parts
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().map(|(&start, &end)| start..end)
    }

    /// Number of separate ranges.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of positions in the set.
    pub fn total(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In whichever order ranges come, the set is the union, in the fewest ranges.
        #[test]
        fn it_is_the_union(parts in prop::collection::vec((0u64..60, 0u64..10), 0..30), cut in 0u64..70) {
            let mut set = Ranges::default();
            let mut bits = [false; 80];
            for (start, len) in parts {
                set.insert(start..start + len);
                bits[start as usize..(start + len) as usize].fill(true);
            }
            for (position, &bit) in bits.iter().enumerate() {
                prop_assert_eq!(set.contains(position as u64), bit);
            }
            let runs = bits.windows(2).filter(|w| !w[0] && w[1]).count() + usize::from(bits[0]);
            prop_assert_eq!(set.len(), runs);
            let gap = (cut as usize..80).find(|&at| !bits[at]).unwrap_or(80) as u64;
            prop_assert_eq!(set.first_gap(cut), gap);
            set.drop_below(cut);
            for (position, &bit) in bits.iter().enumerate() {
                prop_assert_eq!(set.contains(position as u64), bit && position as u64 >= cut);
            }
        }
    }
}
