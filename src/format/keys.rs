//! Keys of one object: is one there twice?

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
    if len > 16 {
        // Long keys that share both ends (`x_request_1_time`) differ in the middle.
        print ^= word(len / 2 - 4).rotate_left(41);
    }
    print
}

/// Keys that are held in place; most objects have fewer.
const INLINE: usize = 48;

/// Keys of an object, as prints.
#[derive(Debug)]
pub(super) struct Keys {
    inline: [u64; INLINE],
    len: usize,
    more: std::collections::HashSet<u64>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { inline: [0; INLINE], len: 0, more: Default::default() }
    }
}

impl Keys {
    /// Adds a key; true if one with the same print is there.
    #[inline]
    pub(super) fn seen(&mut self, print: u64) -> bool {
        // No early end: the compiler makes vector comparisons of it.
        let seen =
            self.inline[..self.len.min(INLINE)].iter().fold(false, |seen, &other| seen | (other == print));
        if self.len < INLINE {
            self.inline[self.len] = print;
            self.len += 1;
            return seen;
        }
        self.len += 1;
        !self.more.insert(print) || seen
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
