//! Values in which nothing was found, remembered: visitors send the same agents, referrers and paths again and again.
//!
//! A value is known by its own bytes and by who asked, so that what is answered does not depend on what came before;
//! what was found is never remembered. Two generations: a value that the older still knows moves to the younger, and
//! when that is full it becomes the older. So a flood of values that come once cannot push out those that come often.

use super::Kind;
use crate::limits::{
    DETECT_MEMORY_BYTES_MAX, DETECT_MEMORY_VALUE_BYTES_MAX, DETECT_MEMORY_VALUE_BYTES_MIN,
    DETECT_MEMORY_VALUES_MAX,
};

/// Places of a table, a power of two: a quarter stays free.
const PLACES: usize = (DETECT_MEMORY_VALUES_MAX * 4 / 3).next_power_of_two();
/// Places that are looked at for one value.
const PROBES: usize = 8;

/// What a worker remembers.
#[derive(Debug, Default)]
pub struct Memory {
    young: Generation,
    old: Generation,
}

/// Who asks: the number of a step in its plan, and that of the field among those of the step.
pub type Asker = (u32, u16);

/// A value that may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Key<'v> {
    asker: Asker,
    hash: u32,
    value: &'v [u8],
}

impl<'v> Key<'v> {
    /// A value as a step sees it in a field; `None` for what is not remembered: texts and bodies seldom come twice.
    #[inline]
    pub fn new(asker: Asker, value: &'v [u8], kind: Kind) -> Option<Self> {
        let comes_again = !matches!(kind, Kind::Text | Kind::Body | Kind::Document);
        let fits = (DETECT_MEMORY_VALUE_BYTES_MIN..=DETECT_MEMORY_VALUE_BYTES_MAX).contains(&value.len());
        (fits && comes_again).then(|| Self { asker, hash: hash(asker, value), value })
    }
}

impl Memory {
    /// Whether nothing was found in a value before.
    #[inline]
    pub fn knows(&mut self, key: &Key<'_>) -> bool {
        if self.young.has(key) {
            return true;
        }
        let known = self.old.has(key);
        if known {
            self.keep(key);
        }
        known
    }

    /// Remembers a value in which nothing was found.
    pub fn keep(&mut self, key: &Key<'_>) {
        if !self.young.add(key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.young.add(key);
        }
    }
}

#[derive(Debug, Default)]
struct Generation {
    /// Empty until the first value.
    places: Box<[Place]>,
    values: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: u32,
    start: u32,
    step: u32,
    field: u16,
    /// Bytes of the value; none where the place is free.
    len: u16,
}

impl Generation {
    #[inline]
    fn probes(key: &Key<'_>) -> impl Iterator<Item = usize> + use<> {
        let first = key.hash as usize;
        (0..PROBES).map(move |step| (first + step) & (PLACES - 1))
    }

    #[inline]
    fn has(&self, key: &Key<'_>) -> bool {
        for at in Self::probes(key) {
            let Some(place) = self.places.get(at).filter(|place| place.len > 0) else { return false };
            let asker = (place.step, place.field);
            if place.hash == key.hash && asker == key.asker && self.value(place) == key.value {
                return true;
            }
        }
        false
    }

    #[inline]
    fn value(&self, place: &Place) -> &[u8] {
        let start = place.start as usize;
        self.bytes.get(start..start + usize::from(place.len)).unwrap_or_default()
    }

    /// False where there is no room.
    fn add(&mut self, key: &Key<'_>) -> bool {
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES].into();
        }
        let full = self.values >= DETECT_MEMORY_VALUES_MAX
            || self.bytes.len() + key.value.len() > DETECT_MEMORY_BYTES_MAX;
        let free = Self::probes(key).find(|at| self.places[*at].len == 0).filter(|_| !full);
        let Some(at) = free else { return false };
        let (start, len) = (self.bytes.len() as u32, key.value.len() as u16);
        let (step, field) = key.asker;
        self.places[at] = Place { hash: key.hash, start, step, field, len };
        self.bytes.extend_from_slice(key.value);
        self.values += 1;
        true
    }

    fn clear(&mut self) {
        self.places.fill(Place::default());
        self.bytes.clear();
        self.values = 0;
    }
}

/// Odd numbers without a pattern: the fractions of the square roots of 2, 3 and 5.
const SEEDS: [u64; 3] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b];

/// Bytes of a step.
const BLOCK: usize = 16;

/// Spreads values over the places. Whoever makes values that share a place makes them forgotten, no more.
#[inline]
fn hash(asker: Asker, value: &[u8]) -> u32 {
    let mut state = SEEDS[0] ^ u64::from(asker.0) << 32 ^ u64::from(asker.1) << 16 ^ value.len() as u64;
    for block in value.as_chunks::<BLOCK>().0 {
        state = fold(state, block);
    }
    // The last bytes, some of them again: nothing is copied.
    let rest = match value.last_chunk::<BLOCK>() {
        Some(last) => *last,
        None => {
            let mut short = [0; BLOCK];
            short.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
            short
        }
    };
    state = fold(state, &rest);
    (state ^ state >> 32) as u32
}

#[inline]
fn fold(state: u64, block: &[u8; BLOCK]) -> u64 {
    let both = u128::from_le_bytes(*block);
    let product = u128::from(both as u64 ^ SEEDS[1] ^ state) * u128::from((both >> 64) as u64 ^ SEEDS[2]);
    state.rotate_left(23) ^ product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_to_who_asked_and_by_all_its_bytes() {
        let mut memory = Memory::default();
        let key = |field, value: &'static str| {
            Key::new((7, field), value.as_bytes(), Kind::Agent).expect("a value")
        };
        memory.keep(&key(0, "Mozilla/5.0 (X11) a/1"));
        assert!(memory.knows(&key(0, "Mozilla/5.0 (X11) a/1")));
        for other in
            [key(1, "Mozilla/5.0 (X11) a/1"), key(0, "Mozilla/5.0 (X11) a/2"), key(0, "Mozilla/5.0 (X11) a/")]
        {
            assert!(!memory.knows(&other), "{other:?}");
        }
        assert!(Key::new((7, 0), b"-", Kind::Agent).is_none());
        assert!(Key::new((7, 0), b"a message", Kind::Text).is_none());
        assert!(Key::new((7, 0), &[b'x'; DETECT_MEMORY_VALUE_BYTES_MAX + 1], Kind::Agent).is_none());
    }

    /// However many values come, what is remembered is bounded, and what comes often stays.
    #[test]
    fn a_flood_does_not_push_out_what_comes_often() {
        let mut memory = Memory::default();
        let often = Key::new((7, 0), b"Mozilla/5.0", Kind::Agent).expect("a value");
        memory.keep(&often);
        for number in 0..20 * DETECT_MEMORY_VALUES_MAX {
            let value = format!("/item/{number}/{}", "x".repeat(number % 300));
            let key = Key::new((7, 1), value.as_bytes(), Kind::Agent).expect("a value");
            assert!(!memory.knows(&key));
            memory.keep(&key);
            assert!(memory.knows(&key));
            if number % 100 == 0 {
                assert!(memory.knows(&often), "after {number}");
            }
            for generation in [&memory.young, &memory.old] {
                assert!(generation.values <= DETECT_MEMORY_VALUES_MAX);
                assert!(generation.bytes.len() <= DETECT_MEMORY_BYTES_MAX);
            }
        }
    }
}
