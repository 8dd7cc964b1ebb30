//! How many different values there were: exactly while they are few, else from a sketch of fixed size.
//!
//! The sketch is HyperLogLog (Flajolet and others, 2007) with the estimator of Ertl ("New cardinality estimation
//! algorithms for HyperLogLog sketches", 2017), which needs no table of biases and is as good for few values as for many.
//! What goes in are hashes with a fixed seed, and a register only grows: the same values give the same bytes in any order,
//! and the sketch of two sets is made of the sketches of each.

use super::super::bytes::{Get, Put};
use crate::limits::{FLOOD_EXACT_MAX, FLOOD_SKETCH_BITS};

/// Registers.
const REGISTERS: usize = 1 << FLOOD_SKETCH_BITS;
/// Bits of a hash that are left to count zeros of.
const RANKED_BITS: usize = 64 - FLOOD_SKETCH_BITS as usize;

/// The values that were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sketch {
    /// Their hashes, in order.
    Few(Vec<u64>),
    /// For each register the most zeros that a hash had, and one.
    Many(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Sketch {
    /// Takes in the hash of a value. Returns whether the estimate may be another now.
    pub(super) fn add(&mut self, hash: u64) -> bool {
        match self {
            Self::Few(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else { return false };
                hashes.insert(at, hash);
                if hashes.len() > FLOOD_EXACT_MAX {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    hashes.iter().for_each(|hash| {
                        note(&mut registers, *hash);
                    });
                    *self = Self::Many(registers);
                }
                true
            }
            Self::Many(registers) => note(registers, hash),
        }
    }

    /// Takes in all that another has.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(hashes) => hashes.iter().for_each(|hash| {
                self.add(*hash);
            }),
            Self::Many(theirs) => match self {
                Self::Many(registers) => {
                    registers.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
                }
                Self::Few(hashes) => {
                    let mut registers = theirs.clone();
                    hashes.iter().for_each(|hash| {
                        note(&mut registers, *hash);
                    });
                    *self = Self::Many(registers);
                }
            },
        }
    }

    /// How many different values there were.
    pub(super) fn count(&self) -> f64 {
        match self {
            Self::Few(hashes) => hashes.len() as f64,
            Self::Many(registers) => estimate(registers),
        }
    }

    /// Memory beside itself.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Few(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Many(registers) => registers.len(),
        }
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        match self {
            Self::Few(hashes) => {
                out.push(0);
                out.put_u64(hashes.len() as u64);
                hashes.iter().for_each(|hash| out.put_u64(*hash));
            }
            Self::Many(registers) => {
                out.push(1);
                out.extend_from_slice(registers);
            }
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        if from.byte()? == 0 {
            let count = from.count()?;
            return (0..count).map(|_| from.u64()).collect::<Option<_>>().map(Self::Few);
        }
        from.array::<REGISTERS>().map(|registers| Self::Many(Box::new(registers)))
    }
}

/// The first bits of a hash choose a register, the zeros that follow are its rank.
fn note(registers: &mut [u8], hash: u64) -> bool {
    let at = (hash >> RANKED_BITS) as usize;
    let rank = ((hash << FLOOD_SKETCH_BITS).leading_zeros() as usize).min(RANKED_BITS) as u8 + 1;
    let Some(register) = registers.get_mut(at) else { return false };
    let is_more = rank > *register;
    *register = (*register).max(rank);
    is_more
}

fn estimate(registers: &[u8]) -> f64 {
    let mut counts = [0_u32; RANKED_BITS + 2];
    registers.iter().for_each(|rank| counts[usize::from(*rank).min(RANKED_BITS + 1)] += 1);
    let all = registers.len() as f64;
    let share = |at: usize| f64::from(counts[at]) / all;
    let full = share(RANKED_BITS + 1);
    let mut sum = all * tau(1.0 - full);
    for at in (1..=RANKED_BITS).rev() {
        sum = (sum + f64::from(counts[at])) / 2.0;
    }
    sum += all * sigma(share(0));
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

/// `x + Σ x^(2^k) 2^(k-1)`: what the empty registers say.
fn sigma(of: f64) -> f64 {
    if of >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut factor, mut sum) = (of, 1.0, of);
    loop {
        power *= power;
        let before = sum;
        sum += power * factor;
        factor *= 2.0;
        if sum <= before {
            return sum;
        }
    }
}

/// `(1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3`: what those say that can grow no more.
fn tau(of: f64) -> f64 {
    if of <= 0.0 || of >= 1.0 {
        return 0.0;
    }
    let (mut root, mut factor, mut sum) = (of, 1.0, 1.0 - of);
    loop {
        root = root.sqrt();
        let before = sum;
        factor /= 2.0;
        sum -= (1.0 - root) * (1.0 - root) * factor;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::seam::sim::Dice;

    /// Five times the standard error of so many registers, 1.04/√m: at a million tries it is not exceeded once.
    const ERROR_MAX: f64 = 5.0 * 1.04 / 64.0;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However many values there are and in whatever order they come, again and again: few are counted exactly, of many
        /// the estimate is within five standard errors; the sketch of two sets is that of their sketches.
        #[test]
        fn it_is_near_the_exact_count(seed in any::<u64>(), magnitude in 0_u32..17, more in 0_u64..100) {
            let count = (1 << magnitude) * (100 + more) / 100;
            let mut dice = Dice::new(seed);
            let hashes: Vec<u64> = (0..count).map(|_| dice.roll()).collect();
            let exact = hashes.iter().collect::<BTreeSet<_>>().len() as f64;
            let sketch = |hashes: &mut dyn Iterator<Item = &u64>| {
                let mut sketch = Sketch::default();
                hashes.for_each(|hash| {
                    sketch.add(*hash);
                });
                sketch
            };
            let forward = sketch(&mut hashes.iter());
            let back = sketch(&mut hashes.iter().rev().chain(&hashes));
            prop_assert_eq!(&forward, &back);
            let limit = if exact <= FLOOD_EXACT_MAX as f64 { 0.0 } else { ERROR_MAX * exact };
            prop_assert!((forward.count() - exact).abs() <= limit, "{} of {exact}", forward.count());
            let cut = dice.below(count + 1) as usize;
            let (mut first, second) = (sketch(&mut hashes[..cut].iter()), sketch(&mut hashes[cut / 2..].iter()));
            first.merge(&second);
            prop_assert_eq!(&forward, &first);
            let mut saved = Vec::new();
            first.save(&mut saved);
            prop_assert_eq!(Sketch::load(&mut Get(&saved)), Some(first));
            prop_assert_eq!(Sketch::load(&mut Get(&saved[..saved.len() - 1])), None);
        }
    }

    /// Over many sets the error is that of the theory, at every size: no size is told too high or too low.
    #[test]
    fn its_error_is_that_of_the_theory() {
        for count in [300_u64, 1_000, 3_000, 10_000, 20_000, 100_000] {
            let (mut sum, mut squares) = (0.0, 0.0);
            let sets = 40;
            for seed in 0..sets {
                let (mut sketch, mut dice) = (Sketch::default(), Dice::new(seed * 977 + count));
                (0..count).for_each(|_| {
                    sketch.add(dice.roll());
                });
                let error = sketch.count() / count as f64 - 1.0;
                sum += error;
                squares += error * error;
            }
            let (bias, spread) = (sum / sets as f64, (squares / sets as f64).sqrt());
            assert!(bias.abs() < 0.01 && spread < 0.024, "{count}: {bias:+.4} ± {spread:.4}");
        }
    }
}
