//! A set of texts, each with a note: sorted, in blocks whose entries leave out what they share with the one before. A
//! sieve of bits in front turns away nearly all that is not in it; what passes is compared whole, so that answers are
//! exact.

use std::cmp::Ordering;

use super::keys::Column;
use super::room::{self, grow, packed, with_room};

/// Texts of one block. The first is written whole.
const BLOCK: usize = 16;
/// Bits of the sieve for each text: with [`SIEVE_MARKS`] one in thirty others passes.
const SIEVE_BITS: usize = 10;
/// Bits that a text sets, in one word.
const SIEVE_MARKS: u32 = 4;
/// Bytes of a number at most.
const NUMBER_BYTES_MAX: usize = 5;

/// A hash that grows with the text, so that a name and the names above it cost one pass (FNV-1a).
#[derive(Clone, Copy, Debug)]
pub(super) struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// The hash with one more byte.
    #[inline]
    pub(super) fn with(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// The hash of a text.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        text.iter().fold(Self::default(), |hash, byte| hash.with(*byte))
    }

    /// Spreads it over all bits.
    #[inline]
    fn mixed(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }
}

/// A set of texts.
#[derive(Debug)]
pub(super) struct Names {
    /// Blocks: of each text how many bytes it shares with the one before (not of the first), how many follow, and these.
    blocks: Box<[u8]>,
    /// Where each block begins.
    heads: Box<[u32]>,
    sieve: Box<[u64]>,
    notes: Column,
    len: usize,
}

impl Names {
    /// Whether a text of this hash may be in the set.
    #[inline]
    pub(super) fn may(&self, hash: Hash) -> bool {
        let (word, mask) = place(hash, self.sieve.len());
        self.sieve.get(word).is_some_and(|bits| bits & mask == mask)
    }

    /// The note of a text that is in the set.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        let behind = self.heads.partition_point(|head| self.head(*head) <= text);
        let block = behind.checked_sub(1)?;
        let mut at = *self.heads.get(block)? as usize;
        let end = self.heads.get(behind).map_or(self.blocks.len(), |head| *head as usize);
        // How many bytes the text shares with the entry before, which is smaller.
        let mut shared = 0;
        for number in block * BLOCK.. {
            if at >= end {
                return None;
            }
            let from = if number % BLOCK == 0 { 0 } else { number_at(&self.blocks, &mut at) };
            let len = number_at(&self.blocks, &mut at);
            let rest = self.blocks.get(at..at + len)?;
            at += len;
            match from.cmp(&shared) {
                // It leaves the entry before where the text does not yet: it is smaller than the text too.
                Ordering::Greater => continue,
                Ordering::Less => return None,
                Ordering::Equal => {}
            }
            let left = text.get(shared..)?;
            let same = rest.iter().zip(left).take_while(|(one, other)| one == other).count();
            match (rest.get(same), left.get(same)) {
                (None, None) => return Some(self.notes.get(number)),
                (Some(one), Some(other)) if one > other => return None,
                (Some(_), None) => return None,
                _ => shared += same,
            }
        }
        None
    }

    /// The first text of a block.
    #[inline]
    fn head(&self, at: u32) -> &[u8] {
        let mut at = at as usize;
        let len = number_at(&self.blocks, &mut at);
        self.blocks.get(at..at + len).unwrap_or_default()
    }

    /// The notes of the texts, and how many there are.
    pub(super) fn column(&mut self) -> (&mut Column, usize) {
        (&mut self.notes, self.len)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() + size_of_val(&*self.heads) + size_of_val(&*self.sieve) + self.notes.bytes()
    }
}

/// The word of a sieve that a hash marks, and its bits there.
#[inline]
fn place(hash: Hash, words: usize) -> (usize, u64) {
    let mixed = hash.mixed();
    let word = ((u128::from(mixed) * words as u128) >> 64) as usize;
    let bits = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mask = (0..SIEVE_MARKS).fold(0, |mask, at| mask | 1 << (bits >> (40 + 6 * at) & 63));
    (word, mask)
}

/// A number in groups of seven bits, the lowest first.
#[inline]
fn number_at(bytes: &[u8], at: &mut usize) -> usize {
    let (mut number, mut shift) = (0, 0);
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        number |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte & 128 == 0 || shift > 28 {
            break;
        }
    }
    number
}

fn push_number(mut number: usize, out: &mut Vec<u8>) {
    while number > 127 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Texts while they are added.
#[derive(Debug, Default)]
pub(super) struct NamesBuilder {
    texts: Vec<u8>,
    /// Where each text ends.
    ends: Vec<u32>,
    notes: Vec<u32>,
}

impl NamesBuilder {
    /// Adds a text. False where there is no room: all together have less than 4 GiB.
    #[must_use]
    pub(super) fn push(&mut self, text: impl ExactSizeIterator<Item = u8>, note: u32) -> bool {
        grow(&mut self.texts, text.len());
        self.texts.extend(text);
        let Ok(end) = u32::try_from(self.texts.len()) else { return false };
        room::push(&mut self.ends, end);
        room::push(&mut self.notes, note);
        true
    }

    /// The set.
    pub(super) fn finish(self, rank: &dyn Fn(u32, u32) -> Ordering) -> Names {
        let Self { texts, ends, notes } = self;
        let text = |at: u32| {
            let end = ends.get(at as usize).map_or(0, |end| *end as usize);
            let start = at.checked_sub(1).and_then(|before| ends.get(before as usize));
            texts.get(start.map_or(0, |start| *start as usize)..end).unwrap_or_default()
        };
        // Numbers are sorted, not texts, which would be four times as much to hold.
        let mut order = with_room(ends.len());
        order.extend(0..ends.len() as u32);
        let note = |at: u32| notes.get(at as usize).copied().unwrap_or(0);
        order.sort_unstable_by(|one, other| {
            text(*one).cmp(text(*other)).then_with(|| rank(note(*one), note(*other)))
        });
        order.dedup_by(|later, first| text(*later) == text(*first));
        let len = order.len();
        let column = Column::packed(len, order.iter().map(|at| note(*at)));
        drop(notes);
        let words = (len * SIEVE_BITS).div_ceil(64);
        let mut sieve = packed(words, std::iter::repeat(0));
        let (mut blocks, mut heads) = (Vec::new(), with_room(len.div_ceil(BLOCK)));
        let mut before: &[u8] = &[];
        for (number, text) in order.iter().map(|at| text(*at)).enumerate() {
            let (word, mask) = place(Hash::of(text), words);
            if let Some(bits) = sieve.get_mut(word) {
                *bits |= mask;
            }
            grow(&mut blocks, text.len() + 2 * NUMBER_BYTES_MAX);
            let shared = if number % BLOCK == 0 {
                heads.push(blocks.len() as u32);
                0
            } else {
                let shared = before.iter().zip(text).take_while(|(one, other)| one == other).count();
                push_number(shared, &mut blocks);
                shared
            };
            push_number(text.len() - shared, &mut blocks);
            blocks.extend_from_slice(text.get(shared..).unwrap_or_default());
            before = text;
        }
        Names { blocks: blocks.into(), heads: heads.into(), sieve, notes: column, len }
    }
}
