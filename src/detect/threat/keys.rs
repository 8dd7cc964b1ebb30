//! A set of keys of one length, each with a note: sorted, with an index over their first bits. Nothing but the keys, the
//! numbers of their notes and the index is held.

/// Keys that one slot of an index leads to, on average.
const KEYS_PER_SLOT: usize = 8;
/// Bits that an index is over at most.
const INDEX_BITS_MAX: u32 = 22;

/// Numbers in the order of keys, as narrow as they can be: of each key the number of its note.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// All are the same: most lists say of no entry more than that it is in them.
    Same(u32),
    /// They count up from this one.
    From(u32),
    /// None has more than eight bits.
    Byte(Box<[u8]>),
    /// None has more than sixteen.
    Narrow(Box<[u16]>),
    /// Others.
    Wide(Box<[u32]>),
}

impl Column {
    /// Packs numbers.
    pub(super) fn new(notes: Vec<u32>) -> Self {
        let first = notes.first().copied().unwrap_or(0);
        if notes.iter().all(|note| *note == first) {
            return Self::Same(first);
        }
        if let Some(bytes) = notes.iter().map(|note| u8::try_from(*note).ok()).collect() {
            return Self::Byte(bytes);
        }
        match notes.iter().map(|note| u16::try_from(*note).ok()).collect() {
            Some(narrow) => Self::Narrow(narrow),
            None => Self::Wide(notes.into()),
        }
    }

    /// The number at a place.
    #[inline]
    pub(super) fn get(&self, at: usize) -> u32 {
        match self {
            Self::Same(note) => *note,
            Self::From(first) => *first + at as u32,
            Self::Byte(notes) => notes.get(at).copied().unwrap_or(0).into(),
            Self::Narrow(notes) => notes.get(at).copied().unwrap_or(0).into(),
            Self::Wide(notes) => notes.get(at).copied().unwrap_or(0),
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Same(_) | Self::From(_) => 0,
            Self::Byte(notes) => notes.len(),
            Self::Narrow(notes) => size_of_val(&**notes),
            Self::Wide(notes) => size_of_val(&**notes),
        }
    }
}

/// Numbers of notes while keys are added: one number for all, as long as it is one.
#[derive(Debug, Default)]
pub(super) struct Notes {
    same: u32,
    many: Vec<u32>,
    len: usize,
}

impl Notes {
    /// Adds the note of the next key.
    pub(super) fn push(&mut self, note: u32) {
        match self.len {
            0 => self.same = note,
            len if self.many.is_empty() && note != self.same => self.many = vec![self.same; len],
            _ => {}
        }
        if !self.many.is_empty() {
            self.many.push(note);
        }
        self.len += 1;
    }

    /// The note of the key that was added in this place.
    pub(super) fn get(&self, at: usize) -> u32 {
        self.many.get(at).copied().unwrap_or(self.same)
    }

    /// The notes of keys that were added in these places.
    pub(super) fn column(&self, order: &[u32]) -> Column {
        if self.many.is_empty() {
            return Column::Same(self.same);
        }
        Column::new(order.iter().map(|at| self.get(*at as usize)).collect())
    }

    /// Pairs keys with their notes and sorts them; of equal keys the one whose note `rank` puts first stays.
    fn sort<K: Ord>(
        self,
        mut keys: Vec<K>,
        rank: &dyn Fn(u32, u32) -> std::cmp::Ordering,
    ) -> (Vec<K>, Column) {
        if self.many.is_empty() {
            keys.sort_unstable();
            keys.dedup();
            keys.shrink_to_fit();
            return (keys, Column::Same(self.same));
        }
        let mut pairs: Vec<(K, u32)> = keys.into_iter().zip(self.many).collect();
        pairs.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| rank(one.1, other.1)));
        pairs.dedup_by(|later, first| later.0 == first.0);
        pairs.shrink_to_fit();
        let notes = pairs.iter().map(|(_, note)| *note).collect();
        let mut keys: Vec<K> = pairs.into_iter().map(|(key, _)| key).collect();
        keys.shrink_to_fit();
        (keys, Column::new(notes))
    }
}

/// A set of keys of `N` bytes.
#[derive(Debug)]
pub(super) struct Keys<const N: usize> {
    keys: Box<[[u8; N]]>,
    notes: Column,
    /// Where the keys begin whose first bits are this number; one more at the end.
    index: Box<[u32]>,
    bits: u32,
}

impl<const N: usize> Keys<N> {
    fn new((keys, notes): (Vec<[u8; N]>, Column)) -> Self {
        let bits = (keys.len() / KEYS_PER_SLOT).checked_ilog2().unwrap_or(0).min(INDEX_BITS_MAX);
        let mut index = Vec::with_capacity((1 << bits) + 1);
        for (at, key) in keys.iter().enumerate() {
            while index.len() <= first(key, bits) {
                index.push(at as u32);
            }
        }
        index.resize((1 << bits) + 1, keys.len() as u32);
        Self { keys: keys.into(), notes, index: index.into(), bits }
    }

    /// The note of a key that is in the set.
    #[inline]
    pub(super) fn find(&self, key: &[u8; N]) -> Option<u32> {
        let slot = first(key, self.bits);
        let (from, to) = (*self.index.get(slot)? as usize, *self.index.get(slot + 1)? as usize);
        let at = self.keys.get(from..to)?.binary_search(key).ok()?;
        Some(self.notes.get(from + at))
    }

    /// The notes of the keys, and how many there are.
    pub(super) fn column(&mut self) -> (&mut Column, usize) {
        (&mut self.notes, self.keys.len())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.keys) + size_of_val(&*self.index) + self.notes.bytes()
    }
}

/// The first bits of a key as a number.
#[inline]
fn first<const N: usize>(key: &[u8; N], bits: u32) -> usize {
    let front = key.first_chunk::<4>().map_or(0, |front| u32::from_be_bytes(*front));
    (u64::from(front) >> (32 - bits)) as usize
}

/// Keys while they are added.
#[derive(Debug)]
pub(super) struct KeysBuilder<const N: usize> {
    keys: Vec<[u8; N]>,
    notes: Notes,
}

impl<const N: usize> Default for KeysBuilder<N> {
    fn default() -> Self {
        Self { keys: Vec::new(), notes: Notes::default() }
    }
}

impl<const N: usize> KeysBuilder<N> {
    /// Makes room for so many.
    pub(super) fn reserve(&mut self, keys: usize) {
        self.keys.reserve_exact(keys);
    }

    /// Adds a key.
    pub(super) fn push(&mut self, key: [u8; N], note: u32) {
        self.keys.push(key);
        self.notes.push(note);
    }

    /// The set.
    pub(super) fn finish(self, rank: &dyn Fn(u32, u32) -> std::cmp::Ordering) -> Keys<N> {
        Keys::new(self.notes.sort(self.keys, rank))
    }
}
