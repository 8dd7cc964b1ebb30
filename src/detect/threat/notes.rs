//! What lists say of their entries: how sure they are, until when, what it is called. Few different notes are held once
//! each; where nearly every entry has its own, each is a row of columns in the order of the entries, so that no entry
//! needs a number.

use std::borrow::Borrow;
use std::cmp::{Ordering, Reverse};
use std::hash::{BuildHasher, Hash, RandomState};

use super::keys::Column;
use super::room::{self, grow, packed, with_room};
use crate::limits::{THREAT_ENTRIES_MAX, THREAT_NAME_BYTES_MAX};

/// Different notes up to which each is held once: their numbers have two bytes.
const DIFFERENT_MAX: usize = 1 << 16;
const SECOND_NS: i64 = 1_000_000_000;

/// What a list says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// How sure the list is, 0 to 100.
    pub confidence: u8,
    /// When the entry is no longer valid, in nanoseconds since the epoch; `i64::MAX` is never.
    pub expires_ns: i64,
    /// What it calls it: a family of malware, a campaign.
    pub name: Option<&'a str>,
}

/// What a note is told by while a file is read: when it expires, the number of its name (0 is none), how sure it is.
type Row = (i64, u32, u8);

/// Notes while a file is read.
#[derive(Debug, Default)]
pub(super) struct NotesBuilder {
    expires: Vec<i64>,
    confidence: Vec<u8>,
    /// Empty as long as no entry has a name.
    names: Vec<u32>,
    rows: Numbers,
    texts: Texts,
    text_numbers: Numbers,
    last: usize,
}

impl NotesBuilder {
    /// The number of a note.
    pub(super) fn number(&mut self, note: &Note<'_>) -> u32 {
        let name = note.name.map_or(0, |name| self.name(name));
        let row = (note.expires_ns, name, note.confidence);
        // Mostly the same as before.
        if self.row(self.last) == Some(row) {
            return self.last as u32;
        }
        let rows = self.expires.len();
        self.last = if rows > DIFFERENT_MAX {
            // Each entry has its own from here on.
            self.rows = Numbers::default();
            rows
        } else {
            let (expires, confidence, names) = (&self.expires, &self.confidence, &self.names);
            self.rows.number(&row, rows, |number| at(expires, confidence, names, number))
        };
        if self.last == rows {
            room::push(&mut self.expires, note.expires_ns);
            room::push(&mut self.confidence, note.confidence);
            if name > 0 || !self.names.is_empty() {
                let missing = rows - self.names.len();
                grow(&mut self.names, missing + 1);
                self.names.resize(rows, 0);
                self.names.push(name);
            }
        }
        self.last as u32
    }

    /// The number of a name.
    fn name(&mut self, name: &str) -> u32 {
        let number = self.text_numbers.number(name, self.texts.len(), |number| self.texts.get(number));
        if number == self.texts.len() {
            self.texts.push(name);
        }
        number as u32 + 1
    }

    fn row(&self, number: usize) -> Option<Row> {
        at(&self.expires, &self.confidence, &self.names, number)
    }

    /// Of two notes on one indicator the one that is valid longer comes first, then the surer one.
    pub(super) fn order(&self, one: u32, other: u32) -> Ordering {
        let key = |number: u32| {
            let row = self.row(number as usize);
            row.map(|(expires_ns, name, confidence)| Reverse((expires_ns, confidence, Reverse(name))))
        };
        key(one).cmp(&key(other))
    }

    /// The notes of these columns, which have so many entries each.
    pub(super) fn finish<'a>(self, columns: impl Iterator<Item = (&'a mut Column, usize)>) -> Notes {
        let Self { expires, confidence, names, texts, .. } = self;
        let mut order: Vec<u32> = Vec::new();
        if expires.len() > DIFFERENT_MAX {
            for (column, len) in columns {
                let first = order.len() as u32;
                grow(&mut order, len);
                order.extend((0..len).map(|at| column.get(at)));
                *column = Column::From(first);
            }
        } else {
            order.extend(0..expires.len() as u32);
        }
        let at = |number: &u32| *number as usize;
        let times = order.iter().map(|number| expires.get(at(number)).copied().unwrap_or(i64::MAX));
        let expires = Times::new(order.len(), times);
        let sure = order.iter().map(|number| confidence.get(at(number)).copied().unwrap_or(0));
        let confidence = Column::packed(order.len(), sure.map(u32::from));
        let named = order.iter().map(|number| names.get(at(number)).copied().unwrap_or(0));
        let names = Column::packed(order.len(), named);
        Notes { expires, confidence, names, texts: texts.packed(), len: order.len() }
    }
}

fn at(expires: &[i64], confidence: &[u8], names: &[u32], number: usize) -> Option<Row> {
    let name = names.get(number).copied().unwrap_or(0);
    Some((*expires.get(number)?, name, *confidence.get(number)?))
}

/// Numbers of different things in the order in which they come, found by hash. It holds numbers alone.
#[derive(Debug, Default)]
struct Numbers {
    /// As many as a power of two, at most half of them taken.
    slots: Vec<u32>,
    taken: usize,
    hasher: RandomState,
}

/// A slot that is free.
const FREE: u32 = u32::MAX;

impl Numbers {
    /// The number of a thing: `next` where it is new. `known` gives what has a number.
    fn number<T, K>(&mut self, of: &T, next: usize, known: impl Fn(usize) -> Option<K>) -> usize
    where
        T: Hash + PartialEq + ?Sized,
        K: Borrow<T>,
    {
        if self.taken * 2 >= self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            let len = (old.len() * 2).max(64);
            self.slots = with_room(len);
            self.slots.resize(len, FREE);
            for number in old.into_iter().filter(|number| *number != FREE) {
                if let Some(of) = known(number as usize) {
                    let slot = self.slot(of.borrow(), |_| false);
                    self.take(slot, number);
                }
            }
        }
        let slot = self.slot(of, |number| known(number).is_some_and(|known| known.borrow() == of));
        match self.slots.get(slot) {
            Some(number) if *number != FREE => *number as usize,
            _ => {
                self.taken += 1;
                self.take(slot, next as u32);
                next
            }
        }
    }

    fn take(&mut self, slot: usize, number: u32) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = number;
        }
    }

    /// Where a thing has its number, or would have it.
    fn slot<T: Hash + ?Sized>(&self, of: &T, is: impl Fn(usize) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(of) as usize & mask;
        while self.slots.get(slot).is_some_and(|number| *number != FREE && !is(*number as usize)) {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// Texts one behind the other.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Texts {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, at: usize) -> Option<&str> {
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        str::from_utf8(self.bytes.get(start as usize..*self.ends.get(at)? as usize)?).ok()
    }

    /// Adds a text. As many names as there may be entries have less than 4 GiB.
    fn push(&mut self, text: &str) {
        grow(&mut self.bytes, text.len());
        self.bytes.extend_from_slice(text.as_bytes());
        room::push(&mut self.ends, self.bytes.len() as u32);
    }

    /// The same without room for more.
    fn packed(mut self) -> Self {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self
    }
}

const _: () = assert!(THREAT_ENTRIES_MAX * THREAT_NAME_BYTES_MAX < u32::MAX as usize);

/// The notes of a list.
#[derive(Debug)]
pub(super) struct Notes {
    expires: Times,
    confidence: Column,
    names: Column,
    texts: Texts,
    len: usize,
}

impl Notes {
    /// The note of a number.
    pub(super) fn get(&self, number: u32) -> Option<Note<'_>> {
        let at = number as usize;
        (at < self.len).then(|| Note {
            confidence: self.confidence.get(at) as u8,
            expires_ns: self.expires.get(at),
            name: (self.names.get(at) as usize).checked_sub(1).and_then(|at| self.texts.get(at)),
        })
    }

    /// Whether the note of a number is valid at a time.
    #[inline]
    pub(super) fn is_valid(&self, number: u32, at_ns: i64) -> bool {
        self.expires.get(number as usize) > at_ns
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.texts.bytes.len() + size_of_val(&*self.texts.ends);
        self.expires.bytes() + self.confidence.bytes() + self.names.bytes() + texts
    }
}

/// Times of expiry, each exact.
#[derive(Debug)]
enum Times {
    /// None.
    Never,
    /// Whole seconds since the epoch; the highest is never.
    Seconds(Box<[u32]>),
    /// Nanoseconds.
    Ns(Box<[i64]>),
}

impl Times {
    fn new(len: usize, times: impl Iterator<Item = i64> + Clone) -> Self {
        if times.clone().all(|ns| ns == i64::MAX) {
            return Self::Never;
        }
        let second = |ns: i64| match ns {
            i64::MAX => Some(u32::MAX),
            ns if ns % SECOND_NS == 0 => u32::try_from(ns / SECOND_NS).ok().filter(|of| *of < u32::MAX),
            _ => None,
        };
        if times.clone().all(|ns| second(ns).is_some()) {
            Self::Seconds(packed(len, times.filter_map(second)))
        } else {
            Self::Ns(packed(len, times))
        }
    }

    #[inline]
    fn get(&self, at: usize) -> i64 {
        match self {
            Self::Never => i64::MAX,
            Self::Seconds(seconds) => match seconds.get(at) {
                None | Some(&u32::MAX) => i64::MAX,
                Some(second) => i64::from(*second) * SECOND_NS,
            },
            Self::Ns(times) => times.get(at).copied().unwrap_or(i64::MAX),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Never => 0,
            Self::Seconds(seconds) => size_of_val(&**seconds),
            Self::Ns(times) => size_of_val(&**times),
        }
    }
}
