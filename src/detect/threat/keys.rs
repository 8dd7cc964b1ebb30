//! A set of keys of one length, each with a note: sorted, with an index over their first bits. Nothing but the keys, the
//! numbers of their notes and the index is held.

use std::cmp::Ordering;

use super::room::{self, packed, with_room};

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
    /// Packs so many numbers.
    pub(super) fn packed(len: usize, numbers: impl Iterator<Item = u32> + Clone) -> Self {
        let first = numbers.clone().next().unwrap_or(0);
        match numbers.clone().max().unwrap_or(0) {
            _ if numbers.clone().all(|number| number == first) => Self::Same(first),
            ..=0xff => Self::Byte(packed(len, numbers.map(|number| number as u8))),
            0x100..=0xffff => Self::Narrow(packed(len, numbers.map(|number| number as u16))),
            _ => Self::Wide(packed(len, numbers)),
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

/// A set of keys of `N` bytes.
#[derive(Debug)]
pub(super) struct Keys<const N: usize> {
    /// The keys without those first bytes which the index tells.
    rests: Box<[u8]>,
    len: usize,
    notes: Column,
    /// Where the keys begin whose first bits are this number; one more at the end.
    index: Box<[u32]>,
    bits: u32,
}

impl<const N: usize> Keys<N> {
    /// The note of a key that is in the set.
    #[inline]
    pub(super) fn find(&self, key: &[u8; N]) -> Option<u32> {
        let slot = first(key, self.bits);
        let (mut from, mut to) = (*self.index.get(slot)? as usize, *self.index.get(slot + 1)? as usize);
        let told = told(self.bits);
        let rest = key.get(told..)?;
        while from < to {
            let middle = from.midpoint(to);
            match self.rests.get(middle * (N - told)..(middle + 1) * (N - told))?.cmp(rest) {
                Ordering::Less => from = middle + 1,
                Ordering::Greater => to = middle,
                Ordering::Equal => return Some(self.notes.get(middle)),
            }
        }
        None
    }

    /// The notes of the keys, and how many there are.
    pub(super) fn column(&mut self) -> (&mut Column, usize) {
        (&mut self.notes, self.len)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.rests.len() + size_of_val(&*self.index) + self.notes.bytes()
    }
}

/// The first bits of a key as a number.
#[inline]
fn first(key: &[u8], bits: u32) -> usize {
    let front = key.first_chunk::<4>().map_or(0, |front| u32::from_be_bytes(*front));
    (u64::from(front) >> (32 - bits)) as usize
}

/// Whole bytes in front of a key that an index over so many bits tells.
#[inline]
fn told(bits: u32) -> usize {
    bits as usize / 8
}

/// Keys while they are added: `M` bytes each, those of the key and four of the number of its note, so that they are sorted
/// and packed where they are.
#[derive(Debug)]
pub(super) struct KeysBuilder<const N: usize, const M: usize> {
    records: Vec<[u8; M]>,
}

impl<const N: usize, const M: usize> Default for KeysBuilder<N, M> {
    fn default() -> Self {
        Self { records: Vec::new() }
    }
}

impl<const N: usize, const M: usize> KeysBuilder<N, M> {
    /// Adds a key.
    pub(super) fn push(&mut self, key: &[u8; N], note: u32) {
        const { assert!(M == N + 4) }
        let mut record = [0; M];
        for (to, from) in record.iter_mut().zip(key.iter().chain(&note.to_le_bytes())) {
            *to = *from;
        }
        room::push(&mut self.records, record);
    }

    /// The set; of equal keys the one whose note `rank` puts first stays.
    pub(super) fn finish(self, rank: &dyn Fn(u32, u32) -> Ordering) -> Keys<N> {
        let mut records = self.records;
        let key = |record: &[u8; M]| record.first_chunk::<N>().copied();
        let note = |record: &[u8; M]| record.last_chunk().map_or(0, |note| u32::from_le_bytes(*note));
        records.sort_unstable_by(|one, other| {
            let keys = one.first_chunk::<N>().cmp(&other.first_chunk::<N>());
            keys.then_with(|| rank(note(one), note(other)))
        });
        records.dedup_by(|later, first| key(later) == key(first));
        let len = records.len();
        let bits = (len / KEYS_PER_SLOT).checked_ilog2().unwrap_or(0).min(INDEX_BITS_MAX);
        let mut index = with_room((1 << bits) + 1);
        for (at, record) in records.iter().enumerate() {
            while index.len() <= first(record, bits) {
                index.push(at as u32);
            }
        }
        index.resize((1 << bits) + 1, len as u32);
        let notes = Column::packed(len, records.iter().map(note));
        let mut rests = records.into_flattened();
        let told = told(bits);
        for at in 0..len {
            rests.copy_within(at * M + told..at * M + N, at * (N - told));
        }
        rests.truncate(len * (N - told));
        Keys { rests: rests.into(), len, notes, index: index.into(), bits }
    }
}
