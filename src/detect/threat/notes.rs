//! What lists say of their entries: how sure they are, until when, what it is called. Few different notes are held once
//! each; where nearly every entry has its own, each is a row of columns in the order of the entries, so that no entry
//! needs a number.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::keys::Column;

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

/// A note as it is held while a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    expires_ns: i64,
    /// The number of the name; 0 is none.
    name: u32,
    confidence: u8,
}

/// Notes while a file is read.
#[derive(Debug, Default)]
pub(super) struct NotesBuilder {
    rows: Vec<Row>,
    numbers: HashMap<Row, u32>,
    names: HashMap<Box<str>, u32>,
    last: usize,
}

impl NotesBuilder {
    /// The number of a note.
    pub(super) fn number(&mut self, note: &Note<'_>) -> u32 {
        let name = match note.name {
            None => 0,
            Some(name) => match self.names.get(name) {
                Some(number) => *number,
                None => {
                    let number = self.names.len() as u32 + 1;
                    self.names.insert(name.into(), number);
                    number
                }
            },
        };
        let row = Row { expires_ns: note.expires_ns, name, confidence: note.confidence };
        // Mostly the same as before.
        if self.rows.get(self.last) == Some(&row) {
            return self.last as u32;
        }
        let number = self.numbers.get(&row).copied().unwrap_or_else(|| {
            let number = self.rows.len() as u32;
            self.rows.push(row);
            if self.numbers.len() <= DIFFERENT_MAX {
                self.numbers.insert(row, number);
            }
            number
        });
        self.last = number as usize;
        number
    }

    /// Of two notes on one indicator the one that is valid longer comes first, then the surer one.
    pub(super) fn order(&self, one: u32, other: u32) -> Ordering {
        let key = |number: u32| {
            let row = self.rows.get(number as usize);
            row.map(|row| std::cmp::Reverse((row.expires_ns, row.confidence, std::cmp::Reverse(row.name))))
        };
        key(one).cmp(&key(other))
    }

    /// The notes of these columns, which have so many entries each.
    pub(super) fn finish<'a>(self, columns: impl Iterator<Item = (&'a mut Column, usize)>) -> Notes {
        let Self { mut rows, numbers, names, .. } = self;
        drop(numbers);
        if rows.len() > DIFFERENT_MAX {
            let mut ordered = Vec::with_capacity(rows.len());
            for (column, len) in columns {
                let first = ordered.len() as u32;
                ordered.extend((0..len).filter_map(|at| rows.get(column.get(at) as usize)));
                *column = Column::From(first);
            }
            rows = ordered;
        }
        let mut texts: Vec<(u32, Box<str>)> =
            names.into_iter().map(|(name, number)| (number, name)).collect();
        texts.sort_unstable();
        Notes {
            expires: Times::new(rows.iter().map(|row| row.expires_ns)),
            confidence: Column::new(rows.iter().map(|row| row.confidence.into()).collect()),
            names: Column::new(rows.iter().map(|row| row.name).collect()),
            texts: texts.into_iter().map(|(_, name)| name).collect(),
            len: rows.len(),
        }
    }
}

/// The notes of a list.
#[derive(Debug)]
pub(super) struct Notes {
    expires: Times,
    confidence: Column,
    names: Column,
    texts: Box<[Box<str>]>,
    len: usize,
}

impl Notes {
    /// The note of a number.
    pub(super) fn get(&self, number: u32) -> Option<Note<'_>> {
        let at = number as usize;
        (at < self.len).then(|| Note {
            confidence: self.confidence.get(at) as u8,
            expires_ns: self.expires.get(at),
            name: (self.names.get(at) as usize)
                .checked_sub(1)
                .and_then(|at| self.texts.get(at))
                .map(|name| &**name),
        })
    }

    /// Whether the note of a number is valid at a time.
    #[inline]
    pub(super) fn is_valid(&self, number: u32, at_ns: i64) -> bool {
        self.expires.get(number as usize) > at_ns
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.texts.iter().map(|text| text.len()).sum::<usize>() + size_of_val(&*self.texts);
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
    fn new(times: impl Iterator<Item = i64> + Clone) -> Self {
        if times.clone().all(|ns| ns == i64::MAX) {
            return Self::Never;
        }
        let second = |ns: i64| match ns {
            i64::MAX => Some(u32::MAX),
            ns if ns % SECOND_NS == 0 => u32::try_from(ns / SECOND_NS).ok().filter(|of| *of < u32::MAX),
            _ => None,
        };
        match times.clone().map(second).collect() {
            Some(seconds) => Self::Seconds(seconds),
            None => Self::Ns(times.collect()),
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
