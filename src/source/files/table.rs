//! All tails of a source, found by number, file, path and stream; which are to be read, and when to look again.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::copies::Opened;
use super::identity::StreamKey;
use super::tail::{Life, Tail};
use crate::seam::{FileId, HashMap};

/// The number of a tail in its source.
pub(super) type Key = u32;

/// All tails.
#[derive(Default)]
pub(super) struct Table {
    tails: Vec<Option<Box<Tail>>>,
    free: Vec<Key>,
    pub(super) by_id: HashMap<FileId, Key>,
    /// With the number of the sweep that last saw the path.
    pub(super) by_path: HashMap<PathBuf, (Key, u64)>,
    pub(super) by_stream: HashMap<StreamKey, Key>,
    ready: VecDeque<Key>,
    timers: BTreeSet<(Duration, Key)>,
    /// Tails with an open descriptor, oldest first; some may be closed by now.
    opened: VecDeque<Key>,
    pub(super) open: usize,
    /// Compressed files that are being decoded, and those that wait for it.
    pub(super) unpacking: usize,
    waiting: VecDeque<Key>,
    pub(super) unread: u64,
}

impl Table {
    pub(super) fn get(&mut self, key: Key) -> Option<&mut Tail> {
        self.tails.get_mut(key as usize)?.as_deref_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.tails.len() - self.free.len()
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        let live = self.tails.iter().enumerate().filter(|(_, tail)| tail.is_some());
        live.map(|(key, _)| key as Key).collect()
    }

    /// Takes a tail in; it becomes the one for its file.
    pub(super) fn add(&mut self, tail: Tail) -> Key {
        let key = self.free.pop().unwrap_or(self.tails.len() as Key);
        self.by_id.insert(tail.id, key);
        self.by_stream.insert(tail.key(), key);
        if tail.file.is_some() {
            self.open += 1;
            self.unpacking += usize::from(tail.packed.is_some());
            self.opened.push_back(key);
        }
        let tail = Some(Box::new(tail));
        match self.tails.get_mut(key as usize) {
            Some(slot) => *slot = tail,
            None => self.tails.push(tail),
        }
        self.count(key);
        key
    }

    /// Takes a tail out, with its descriptor.
    pub(super) fn remove(&mut self, key: Key) -> Option<Tail> {
        self.close(key);
        self.set_timer(key, None);
        let tail = self.tails.get_mut(key as usize)?.take()?;
        self.free.push(key);
        self.ready.retain(|ready| *ready != key);
        self.opened.retain(|opened| *opened != key);
        self.waiting.retain(|waiting| *waiting != key);
        self.unread -= tail.counted;
        if self.by_id.get(&tail.id) == Some(&key) {
            self.by_id.remove(&tail.id);
        }
        self.by_stream.remove(&tail.key());
        Some(*tail)
    }

    /// Corrects the sum of unread bytes.
    pub(super) fn count(&mut self, key: Key) {
        let Some(tail) = self.tails.get_mut(key as usize).and_then(Option::as_deref_mut) else { return };
        let unread = if tail.life == Life::Reading { tail.size.saturating_sub(tail.position) } else { 0 };
        self.unread = self.unread - tail.counted + unread;
        tail.counted = unread;
    }

    /// Puts a tail at the end of the queue.
    pub(super) fn queue(&mut self, key: Key) {
        if let Some(tail) = self.get(key)
            && !tail.queued
            && tail.life == Life::Reading
        {
            tail.queued = true;
            self.ready.push_back(key);
        }
    }

    /// The tail whose turn it is.
    pub(super) fn next(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        if let Some(tail) = self.get(key) {
            tail.queued = false;
        }
        Some(key)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty()
    }

    /// Sets the time at which a tail is looked at again, or none.
    pub(super) fn set_timer(&mut self, key: Key, at: Option<Duration>) {
        let Some(tail) = self.tails.get_mut(key as usize).and_then(Option::as_deref_mut) else { return };
        if let Some(old) = std::mem::replace(&mut tail.timer, at) {
            self.timers.remove(&(old, key));
        }
        if let Some(at) = at {
            self.timers.insert((at, key));
        }
    }

    /// The next timer.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A tail whose time has come.
    pub(super) fn due(&mut self, now: Duration) -> Option<Key> {
        let key = self.timers.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)?;
        self.set_timer(key, None);
        Some(key)
    }

    /// Gives a tail its open file.
    pub(super) fn hold(&mut self, key: Key, opened: Opened) {
        self.close(key);
        let Some(tail) = self.get(key) else { return };
        let packed = opened.packed.is_some();
        (tail.file, tail.packed) = (Some(opened.file), opened.packed);
        self.open += 1;
        self.unpacking += usize::from(packed);
        self.opened.push_back(key);
    }

    /// Takes a tail's open file from it.
    pub(super) fn let_go(&mut self, key: Key) -> Option<Opened> {
        let tail = self.get(key)?;
        let opened = Opened { file: tail.file.take()?, packed: tail.packed.take() };
        self.open -= 1;
        if opened.packed.is_some() {
            self.unpacking -= 1;
            if let Some(next) = self.waiting.pop_front() {
                self.queue(next);
            }
        }
        Some(opened)
    }

    /// Closes a tail's descriptor.
    pub(super) fn close(&mut self, key: Key) {
        self.let_go(key);
    }

    /// Puts a compressed file in the queue when another one is closed.
    pub(super) fn wait_to_unpack(&mut self, key: Key) {
        if !self.waiting.contains(&key) {
            self.waiting.push_back(key);
        }
    }

    /// Whether some compressed file waits for another one to be closed.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A tail is read on in another file.
    pub(super) fn moved(&mut self, key: Key, id: FileId) {
        let Some(tail) = self.get(key) else { return };
        let old = std::mem::replace(&mut tail.id, id);
        if self.by_id.get(&old) == Some(&key) {
            self.by_id.remove(&old);
        }
        self.by_id.insert(id, key);
    }

    /// Closes descriptors of idle files, longest open first, until one more fits.
    pub(super) fn make_room(&mut self, open_max: usize) {
        // What is read and not settled could not be read again, should the file be removed now: that comes last.
        let mut tries = 2 * self.opened.len();
        let first = self.opened.len();
        while self.open >= open_max && tries > 0 {
            tries -= 1;
            let spare_unsettled = tries >= first;
            let Some(key) = self.opened.pop_front() else { return };
            let Some(tail) = self.get(key) else { continue };
            // One that is leaving could perhaps not be opened again.
            let unsettled = tail.low < tail.handed || !tail.handed_above.is_empty();
            let keep = tail.leaving.is_some() || tail.names == 0 || (spare_unsettled && unsettled);
            match (&tail.file, keep) {
                (None, _) => {}
                (Some(_), true) => self.opened.push_back(key),
                (Some(_), false) => self.close(key),
            }
        }
    }

    /// Notes that a path shows a tail's file. Returns the tail that it showed before.
    pub(super) fn name(&mut self, path: &Path, key: Key, sweep: u64) -> Option<Key> {
        match self.by_path.get_mut(path) {
            Some((known, seen)) if *known == key => {
                *seen = sweep;
                return None;
            }
            Some(known) => {
                let (old, _) = std::mem::replace(known, (key, sweep));
                self.get(key)?.names += 1;
                return Some(old);
            }
            None => {}
        }
        self.by_path.insert(path.into(), (key, sweep));
        if let Some(tail) = self.get(key) {
            tail.names += 1;
        }
        None
    }
}
