//! One journal file, read from a position on.
//!
//! A file is a stream by its own id, which a rotation does not change. The range of an entry goes from the end of the
//! entry before it to its own end: entries are appended, so that this is the same at every reading, and every byte of
//! the file belongs to one entry.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Filter;
use super::fields::Object;
use super::format::{Array, Entry, Fault, Field, Header, State, header};
use crate::limits::{JOURNAL_CACHED_FIELDS_MAX, JOURNAL_FIELD_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::position::{Ranges, Stream};
use crate::seam::File;

/// Places of an array that are read at once.
const PLACES: u64 = 512;
/// Shared fields up to this size are remembered.
const CACHED_BYTES_MAX: usize = 256;

pub(super) struct Tail {
    pub(super) stream: Arc<Stream>,
    pub(super) file: Arc<dyn File>,
    pub(super) header: Header,
    /// Where this process began to read.
    pub(super) from: u64,
    /// End of the last entry that was read.
    pub(super) position: u64,
    /// The array that is being read, once there is one, and the place in it.
    array: Option<Array>,
    place: u64,
    /// Places that were read ahead.
    ahead: std::collections::VecDeque<u64>,
    fields: HashMap<u64, Field>,
    /// What is wrong with the file as a whole: it is not read any further.
    pub(super) broken: Option<Fault>,
    /// What each sink had settled before, and where that ends.
    pub(super) settled: Option<(Arc<[Ranges]>, u64)>,
    /// Where reading ends: not at all for those who follow.
    pub(super) goal: u64,
    /// Whether it was said that some fields cannot be read.
    pub(super) said: bool,
    ended: bool,
}

/// An entry, ready to be handed on.
pub(super) struct Read {
    /// The bytes of the file that it accounts for.
    pub(super) range: Range<u64>,
    /// Why it cannot be read.
    pub(super) lost: Option<Fault>,
    /// Why some of its fields cannot be read.
    pub(super) partly: Option<Fault>,
    /// Whether anything was appended: not where the filter leaves it out.
    pub(super) wanted: bool,
}

impl Tail {
    pub(super) fn new(stream: Arc<Stream>, file: Arc<dyn File>, header: Header, from: u64) -> Self {
        Self {
            stream,
            file,
            header,
            from,
            position: from,
            array: None,
            place: 0,
            ahead: std::collections::VecDeque::new(),
            fields: HashMap::new(),
            broken: None,
            settled: None,
            goal: u64::MAX,
            said: false,
            ended: false,
        }
    }

    /// Reads the same file again from the end of an entry on, up to where this one is.
    pub(super) fn again(&self, from: u64, settled: Option<Arc<[Ranges]>>) -> Self {
        let mut tail = Self::new(self.stream.clone(), self.file.clone(), self.header, from);
        tail.goal = self.position;
        tail.told(settled);
        tail
    }

    /// Takes what each sink had settled before.
    pub(super) fn told(&mut self, settled: Option<Arc<[Ranges]>>) {
        let end = settled.iter().flat_map(|sets| sets.iter()).flat_map(Ranges::iter).map(|set| set.end).max();
        self.settled = settled.zip(end);
    }

    /// Reads the header anew.
    pub(super) fn refresh(&mut self) {
        match header(&*self.file) {
            Ok(header) if header.file_id == self.header.file_id => self.header = header,
            Ok(_) => self.broken = Some(Fault::Damaged { what: "journal header as it was", at: 0 }),
            Err(fault) => self.broken = Some(fault),
        }
    }

    /// Whether all was read and nothing will be added.
    pub(super) fn is_ended(&self) -> bool {
        self.ended || self.broken.is_some()
    }

    /// Forgets what only helps while entries are read.
    pub(super) fn rest(&mut self) {
        self.fields = HashMap::new();
    }

    /// The position behind the last entry that is there now, for those who begin at the end.
    pub(super) fn skip_to_end(&mut self) {
        let mut last = None;
        while let Some(at) = self.next_place() {
            last = Some(at);
        }
        let end = last.and_then(|at| self.header.entry(&*self.file, at).ok()).map(|entry| entry.end);
        self.position = end.unwrap_or(self.position);
        self.from = self.position;
    }

    /// Reads the next entry and appends it, as one line of JSON. `None` where there is none.
    pub(super) fn next(&mut self, filter: &Filter, out: &mut Vec<u8>) -> Option<Read> {
        if self.position >= self.goal {
            return None;
        }
        let Some(at) = self.next_place() else {
            self.ended = self.header.state == State::Archived;
            return None;
        };
        let start = self.position;
        let entry = match self.header.entry(&*self.file, at) {
            Ok(entry) => entry,
            Err(fault) => {
                // The next entry's range will begin behind this place.
                self.position = at;
                let range = start..at;
                return Some(Read { range, lost: Some(fault), partly: None, wanted: false });
            }
        };
        self.position = entry.end;
        let range = start..entry.end;
        let (wanted, partly) = self.write(&entry, filter, out);
        Some(Read { range, lost: None, partly, wanted })
    }

    fn write(&mut self, entry: &Entry, filter: &Filter, out: &mut Vec<u8>) -> (bool, Option<Fault>) {
        let mut object = Object::new(entry.realtime_us, entry.boot_id);
        let mut partly = None;
        let mut looked = filter.look();
        for at in &entry.fields {
            match self.field(*at) {
                Ok(field) => {
                    looked.field(&field.text);
                    object.field(&field.text, field.whole);
                }
                Err(fault) => partly = Some(fault),
            }
        }
        if !looked.is_wanted() {
            return (false, None);
        }
        object.write(out);
        (true, partly)
    }

    fn field(&mut self, at: u64) -> Result<Field, Fault> {
        if let Some(field) = self.fields.get(&at) {
            return Ok(field.clone());
        }
        let mut field = self.header.field(&*self.file, at, JOURNAL_FIELD_BYTES_MAX)?;
        if !field.whole && field.text.starts_with(b"MESSAGE=") {
            field = self.header.field(&*self.file, at, MESSAGE_BYTES_MAX)?;
        }
        if field.shared && field.text.len() <= CACHED_BYTES_MAX {
            if self.fields.len() >= JOURNAL_CACHED_FIELDS_MAX {
                self.fields.clear();
            }
            self.fields.insert(at, field.clone());
        }
        Ok(field)
    }

    /// The position of the next entry that is not below where reading begins.
    fn next_place(&mut self) -> Option<u64> {
        if self.broken.is_some() {
            return None;
        }
        loop {
            if let Some(at) = self.ahead.pop_front() {
                self.place += 1;
                if at >= self.position {
                    return Some(at);
                }
                continue;
            }
            match self.read_ahead() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(fault) => {
                    self.broken = Some(fault);
                    return None;
                }
            }
        }
    }

    /// Reads more places. False where there are none yet.
    fn read_ahead(&mut self) -> Result<bool, Fault> {
        let array = match self.array {
            Some(array) => array,
            None if self.header.array == 0 => return Ok(false),
            None => self.header.entry_array(&*self.file, self.header.array)?,
        };
        if self.array.is_none() && self.is_below(&array)? {
            self.place = array.places;
        }
        self.array = Some(array);
        if self.place < array.places {
            let places = self.header.places(&*self.file, &array, self.place, PLACES)?;
            self.ahead = places.into();
            return Ok(!self.ahead.is_empty());
        }
        // A look at the file: the next array may have been added since.
        let next = match array.next {
            0 => self.header.entry_array(&*self.file, array.at)?.next,
            next => next,
        };
        if next == 0 {
            return Ok(false);
        }
        let next = self.header.entry_array(&*self.file, next)?;
        self.place = if self.is_below(&next)? { next.places } else { 0 };
        self.array = Some(next);
        Ok(true)
    }

    /// Whether an array is full and all its entries are below where reading begins.
    fn is_below(&self, array: &Array) -> Result<bool, Fault> {
        let last = self.header.places(&*self.file, array, array.places.saturating_sub(1), 1)?;
        Ok(last.first().is_some_and(|at| *at < self.position))
    }
}
