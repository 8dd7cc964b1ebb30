//! Which events arrived, how often, whole or not, and when. Shared by all connections, without locks.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::thread::Thread;

use memchr::memmem;

use super::expect::Expected;
use super::marker::Markers;

/// Counts of one run.
#[derive(Default)]
pub(crate) struct Tally {
    /// By event: 0, or what its first document was called; see [`name`].
    names: Box<[AtomicU64]>,
    /// By event: when it arrived first. Empty where nobody asks.
    arrivals: Box<[AtomicU64]>,
    /// By event: its lines. Empty where documents need not be whole.
    lines_of: Box<[u16]>,
    /// Of events that were split: what stands at both ends.
    ends_of: HashMap<u32, [Vec<u8>; 2]>,
    /// Who is told of the last event.
    waiter: OnceLock<Thread>,
    /// Whether the last event is in.
    told: AtomicU8,
    /// Events of which at least one document arrived.
    pub(crate) delivered: AtomicU64,
    /// Documents of an event that was there, under another name: it is in the index twice.
    pub(crate) duplicated: AtomicU64,
    /// Documents sent again under their own name: the index holds them once.
    pub(crate) repeated: AtomicU64,
    /// Documents with the markers of several events.
    pub(crate) joined: AtomicU64,
    /// Documents without a marker: pieces of events.
    pub(crate) strays: AtomicU64,
    /// Documents that lack lines of their event, or have lines of others.
    pub(crate) torn: AtomicU64,
    /// All documents that were taken.
    pub(crate) documents: AtomicU64,
    /// Bytes of bodies, unpacked.
    pub(crate) bytes: AtomicU64,
    /// Bytes of bodies as they came.
    pub(crate) wire_bytes: AtomicU64,
    /// Requests.
    pub(crate) requests: AtomicU64,
    /// When the first document came; 0 before.
    pub(crate) first: AtomicU64,
    /// When all but one in a hundred had come.
    pub(crate) most: AtomicU64,
}

/// What a tally should look at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// Whether documents hold all lines of their event.
    pub(crate) whole: bool,
    /// When each event came.
    pub(crate) arrivals: bool,
}

/// What to answer to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Created,
    /// There is one of that name: 409 to a `create`, 200 to an `index`.
    Present,
}

/// All but one in a hundred. What ends a run, a last line that is waited for, has no part in its pace.
pub(crate) fn most(events: u64) -> u64 {
    events - events / 100
}

fn zeros(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

impl Tally {
    pub(crate) fn new(expected: &Expected, watch: Watch) -> Self {
        let count = expected.lines_of.len();
        Self {
            names: zeros(count),
            arrivals: zeros(if watch.arrivals { count } else { 0 }),
            ends_of: expected.ends_of.clone(),
            lines_of: if watch.whole { expected.lines_of.clone().into() } else { Box::default() },
            ..Self::default()
        }
    }

    /// Number of events that must come.
    pub(crate) fn events(&self) -> u64 {
        self.names.len() as u64
    }

    /// The current thread is woken when the last event is in.
    pub(crate) fn tell_me(&self) {
        let _ = self.waiter.set(std::thread::current());
    }

    /// Whether every event is there.
    pub(crate) fn complete(&self) -> bool {
        self.delivered.load(Relaxed) >= self.events()
    }

    /// When an event came; 0 where it did not.
    pub(crate) fn arrival(&self, number: u32) -> u64 {
        self.arrivals.get(number as usize).map_or(0, |at| at.load(Relaxed))
    }

    /// The events that did not come, at most `most` of them.
    pub(crate) fn missing(&self, most: usize) -> Vec<u32> {
        let absent = self.names.iter().enumerate().filter(|(_, name)| name.load(Relaxed) == 0);
        absent.map(|(number, _)| number as u32).take(most).collect()
    }

    /// Counts a document. `id` is its `_id`, where the client gives one. `now` is when its request was read.
    pub(crate) fn document(&self, markers: &Markers, text: &[u8], id: Option<&[u8]>, now: u64) -> Fate {
        let marked = markers.read(text);
        let Some((number, slot)) =
            marked.number.and_then(|number| Some((number, self.names.get(number as usize)?)))
        else {
            self.strays.fetch_add(1, Relaxed);
            self.documents.fetch_add(1, Relaxed);
            return Fate::Created;
        };
        let name = name(id, text);
        let before = slot.compare_exchange(0, name, Relaxed, Relaxed).unwrap_or_else(|before| before);
        if id.is_some() && before == name {
            self.repeated.fetch_add(1, Relaxed);
            return Fate::Present;
        }
        self.documents.fetch_add(1, Relaxed);
        if marked.several {
            self.joined.fetch_add(1, Relaxed);
        }
        if !self.is_whole(number, marked.count, text) {
            self.torn.fetch_add(1, Relaxed);
        }
        if before != 0 {
            self.duplicated.fetch_add(1, Relaxed);
            return Fate::Created;
        }
        if let Some(at) = self.arrivals.get(number as usize) {
            at.store(now, Relaxed);
        }
        let _ = self.first.compare_exchange(0, now, Relaxed, Relaxed);
        if self.delivered.fetch_add(1, Relaxed) + 1 == most(self.events()) {
            self.most.store(now, Relaxed);
        }
        Fate::Created
    }

    /// Wakes the waiter once everything is there. Called after each request, not after each document.
    pub(crate) fn report(&self) {
        if self.complete()
            && self.told.swap(1, Relaxed) == 0
            && let Some(waiter) = self.waiter.get()
        {
            waiter.unpark();
        }
    }

    /// Whether a document has both ends of an event that was split, and as many line feeds as its event, for each
    /// time that it holds the text. A line feed at the end of a text counts for nothing.
    fn is_whole(&self, number: u32, copies: u32, text: &[u8]) -> bool {
        let has = |end: &Vec<u8>| memmem::find(text, end).is_some();
        if self.ends_of.get(&number).is_some_and(|ends| !ends.iter().all(has)) {
            return false;
        }
        let Some(lines) = self.lines_of.get(number as usize) else {
            return true;
        };
        let feeds = memmem::find_iter(text, b"\\n").filter(|at| text.get(at + 2) != Some(&b'"')).count();
        feeds == (usize::from(*lines) - 1) * copies as usize
    }
}

/// A number, never 0, that stands for an `_id`; a document without one gets an id of its own from the server,
/// so its number only has to differ from 0.
fn name(id: Option<&[u8]>, text: &[u8]) -> u64 {
    let Some(id) = id else {
        return text.len() as u64 | 1;
    };
    let mut hash = id.len() as u64;
    for chunk in id.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    hash | 1
}
