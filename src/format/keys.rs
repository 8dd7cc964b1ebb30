//! Keys of one object: is one there twice?

use std::collections::HashSet;

/// What tells keys apart nearly always, without another look at their bytes: equal keys have equal prints.
#[inline]
pub(super) fn fingerprint(key: &[u8]) -> u64 {
    let len = key.len();
    let word = |from: usize| -> u64 {
        match key.get(from..from + 8) {
            Some(bytes) => bytes.try_into().map_or(0, u64::from_le_bytes),
            None => key.iter().skip(from).fold(0, |word, &byte| word << 8 | u64::from(byte)),
        }
    };
    if len < 8 {
        return word(0) ^ (len as u64) << 56;
    }
    let mut print = word(0) ^ word(len - 8).rotate_left(23) ^ (len as u64) << 56;
    // Long keys that share both ends (`x_request_1_time`) differ in the middle.
    let mut from = 8;
    while from + 8 < len {
        print = print.rotate_left(19).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word(from);
        from += 8;
    }
    print
}

/// Keys that are held in place; most objects have fewer.
const INLINE: usize = 48;

/// Keys of an object, as prints.
#[derive(Debug)]
pub(super) struct Keys {
    inline: [u64; INLINE],
    /// A bit for each of those in place: one whose bit is not set is new, which is told without a look at the others.
    bits: [u64; 4],
    len: usize,
    more: Option<HashSet<u64>>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { inline: [0; INLINE], bits: [0; 4], len: 0, more: None }
    }
}

impl Keys {
    /// Adds a key; true if one with the same print is there.
    #[inline]
    pub(super) fn seen(&mut self, print: u64) -> bool {
        let full = self.is_full();
        let seen = self.seen_in_place(print);
        if full { !self.more.get_or_insert_default().insert(print) || seen } else { seen }
    }

    /// Adds a key; true if one with the same print is among those that are held in place.
    #[inline]
    pub(super) fn seen_in_place(&mut self, print: u64) -> bool {
        let hash = print.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (word, bit) = ((hash >> 62) as usize, 1 << (hash >> 56 & 63));
        let seen = self.bits[word] & bit != 0 && self.inline[..self.len.min(INLINE)].contains(&print);
        if !self.is_full() {
            self.bits[word] |= bit;
            self.inline[self.len] = print;
        }
        self.len += 1;
        seen
    }

    /// Whether further keys are not held in place.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len >= INLINE
    }

    /// Number of keys.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
