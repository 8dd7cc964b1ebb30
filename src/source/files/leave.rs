//! Files that go: renamed, removed, cut off. Drained while their bytes are there; what is lost is reported.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copies::{Copy, Opened};
use super::identity::{Print, Record};
use super::packed::Packing;
use super::state::Files;
use super::table::Key;
use super::tail::{Life, Tail};
use crate::frame::Framer;
use crate::position::Stream;
use crate::seam::{FileKind, FileStat};

/// What can be told of a file: `None` where it is gone or may not be looked at. What failed otherwise may work a moment
/// later, and is not the end of what it holds.
pub(super) fn passing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Files {
    /// One name less shows a tail's file.
    pub(super) fn unnamed(&mut self, key: Key) {
        let now = self.now;
        let Some(tail) = self.table.get(key) else { return };
        tail.names = tail.names.saturating_sub(1);
        if tail.names > 0 {
            // Some other name still does; it need not be the one that the file is opened by.
            let other =
                self.table.by_path.iter().find(|(_, (known, _))| *known == key).map(|(path, _)| path.clone());
            if let (Some(tail), Some(other)) = (self.table.get(key), other) {
                tail.path = other;
            }
            return;
        }
        tail.leaving = Some(now);
        if tail.life == Life::Whole {
            return self.drained(key);
        }
        self.touch(key);
        self.table.queue(key);
    }

    /// Seeks a file in the folder where it was: renamed, it nearly always stays there. An error means that it
    /// cannot be said now.
    pub(super) fn find_by_id(
        &self,
        of: &Record,
        packing: Option<Packing>,
    ) -> io::Result<Option<(Opened, PathBuf)>> {
        for (path, kind) in passing(self.beside(of))?.unwrap_or_default() {
            if kind != FileKind::File
                || passing(self.world.fs.stat(&path))?.is_none_or(|stat| stat.id != of.id)
            {
                continue;
            }
            let Some(opened) = passing(self.open_as(&path, packing))? else { continue };
            return Ok((opened.file.stat()?.id == of.id).then_some((opened, path)));
        }
        Ok(None)
    }

    /// The file behind a tail no longer holds what was read: it was cut off, and perhaps written again.
    pub(super) fn truncated(&mut self, key: Key, stat: &FileStat) {
        let Some(old) = self.table.get(key).map(|old| old.record()) else { return };
        let copy = match self.find_copy(&old) {
            Ok(copy) => copy,
            Err(error) => return self.trouble(key, &error),
        };
        let (path, real, seen) = (old.path, old.real, old.size);
        let Some(old) = self.table.get(key) else { return };
        let old_key = old.key();
        let (names, leaving, packing) = (std::mem::take(&mut old.names), old.leaving, old.packing);
        let file = self.table.let_go(key);
        let stream = match old_key.1.checked_add(1) {
            Some(generation) => self.stream(old_key.0, generation, &path),
            None => self.new_stream(stat, Print::default(), &path),
        };
        let framer = Framer::new(self.config.frame.clone());
        let mut new = Tail::new(stream, framer, stat, path.clone(), 0);
        (new.names, new.leaving, new.grew, new.real) = (names, leaving, self.now, real);
        // What was decoded of it is not what is there now.
        new.packing = packing;
        if packing.is_none() {
            new.file = file.map(|opened| opened.file);
        }
        let record = new.record();
        new.goal = self.finishing.is_some().then(|| new.all_there(stat.size));
        let new = self.table.add(new);
        for (known, _) in self.table.by_path.values_mut().filter(|(known, _)| *known == key) {
            *known = new;
        }
        self.log.put(record, true);
        self.table.queue(new);
        match copy {
            Some(Copy::New(opened, copy, at)) => {
                let length = opened.length().map_or(copy.size, |(length, _)| length);
                self.stand_in(key, opened, &copy, at);
                if length < seen {
                    self.gap(key, length, Some(seen), "truncated; the copy beside it ends before");
                }
            }
            Some(Copy::Known(at)) => {
                self.warn(format!(
                    "{} was copied to {}, which is read as a file of its own: exclude such copies",
                    path.display(),
                    at.display()
                ));
                self.end(key);
            }
            None => self.lost(key, "truncated before it was read"),
        }
    }

    /// Reads on in a copy of the file.
    fn stand_in(&mut self, key: Key, opened: Opened, copy: &FileStat, at: PathBuf) {
        let now = self.now;
        self.table.moved(key, copy.id);
        self.log.forget_copy(copy.id);
        let Some(tail) = self.table.get(key) else { return };
        tail.packing = opened.packed.as_ref().map(|packed| packed.packing);
        (tail.path, tail.real) = (at, None);
        tail.size = copy.size;
        tail.sound = if tail.packing.is_some() { tail.scanned } else { copy.size };
        tail.modified_ns = copy.modified_ns;
        tail.leaving = Some(now);
        tail.goal = tail.goal.map(|_| tail.all_there(copy.size));
        let record = tail.record();
        self.log.put(record, true);
        self.table.hold(key, opened);
        self.table.count(key);
        self.table.queue(key);
    }

    /// A tail's file is not where it was, nor in its folder: it is read on in a copy, or lost.
    pub(super) fn gone(&mut self, key: Key) {
        let Some(record) = self.table.get(key).map(|tail| tail.record()) else { return };
        match self.find_copy(&record) {
            Ok(Some(Copy::New(opened, copy, at))) => self.stand_in(key, opened, &copy, at),
            Ok(_) => self.lost(key, "removed before it was read"),
            Err(error) => self.trouble(key, &error),
        }
    }

    /// A tail's bytes are gone: what was seen of them and not handed on is a gap of known size; whether there was
    /// more is not known, and that is said as well.
    pub(super) fn lost(&mut self, key: Key, cause: &'static str) {
        let Some(tail) = self.table.get(key) else { return };
        let end = tail.sound.max(tail.scanned);
        for part in tail.unhanded(end) {
            self.gap(key, part.start, Some(part.end), cause);
        }
        self.gap(key, end, None, cause);
        self.end(key);
    }

    /// A tail will not be read on, since its bytes are elsewhere or nowhere.
    fn end(&mut self, key: Key) {
        self.table.close(key);
        self.table.set_timer(key, None);
        let Some(tail) = self.table.get(key) else { return };
        tail.life = Life::Lost;
        tail.framer = Framer::new(Arc::clone(&self.config.frame));
        self.table.count(key);
        self.forget_if_done(key);
    }

    /// A tail was read to its end and nothing shows its file any more.
    pub(super) fn drained(&mut self, key: Key) {
        let Some(tail) = self.table.get(key) else { return };
        tail.life = Life::Drained;
        self.table.set_timer(key, None);
        self.forget_if_done(key);
    }

    /// Forgets a tail that is settled and will not be read again.
    pub(super) fn forget_if_done(&mut self, key: Key) {
        let Some(tail) = self.table.get(key) else { return };
        let settled = tail.low >= tail.handed && tail.handed_above.is_empty();
        if matches!(tail.life, Life::Reading | Life::Whole) || !settled {
            return;
        }
        if tail.names > 0 {
            self.table.by_path.retain(|_, (known, _)| *known != key);
        }
        if let Some(tail) = self.table.remove(key) {
            if let Some(bytes) = tail.saved.as_ref().map(|saved| saved.bytes()) {
                self.remove_orphan(tail.key(), bytes);
            } else if tail.is_orphan {
                self.remove_orphan(tail.key(), tail.size);
            }
            match tail.packing.is_none() && tail.head.len > 0 {
                true => self.log.depart(tail.record()),
                false => self.log.forget(tail.key()),
            }
            self.forgotten.push(tail.stream);
        }
    }

    /// A stream of this source.
    pub(super) fn stream(&self, id: crate::position::StreamId, generation: u16, path: &Path) -> Arc<Stream> {
        Arc::new(Stream {
            id,
            generation,
            source: self.config.name.as_str().into(),
            path: path.to_string_lossy().into(),
        })
    }
}
