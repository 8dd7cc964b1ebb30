//! Files that go: renamed, removed, cut off. Drained while their bytes are there; what is lost is reported.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity::{Print, Record};
use super::state::Files;
use super::table::Key;
use super::tail::{Life, Tail};
use crate::frame::Framer;
use crate::position::Stream;
use crate::seam::{File, FileId, FileKind, FileStat};

/// Names looked at when a file is sought in its folder.
const SEEK_NAMES_MAX: usize = 16 * 1024;

/// A file that holds what another one held.
pub(super) enum Copy {
    /// It is not read yet.
    New(Arc<dyn File>, FileStat, PathBuf),
    /// It is a stream of its own already.
    Known(PathBuf),
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
        self.touch(key);
        self.table.queue(key);
    }

    /// Seeks a file in the folder where it was: renamed, it nearly always stays there.
    pub(super) fn find_by_id(&self, path: &Path, id: FileId) -> Option<(Arc<dyn File>, PathBuf)> {
        let entries = self.world.fs.list(path.parent()?).ok()?;
        let found = entries.into_iter().take(SEEK_NAMES_MAX).find(|(path, kind)| {
            *kind == FileKind::File && self.world.fs.stat(path).is_ok_and(|stat| stat.id == id)
        });
        let (path, _) = found?;
        let file = self.open_file(&path).ok()?;
        (file.stat().ok()?.id == id).then_some((file, path))
    }

    /// Seeks a copy of a file in its folder, as `copytruncate` makes it: the same head, and the same bytes before
    /// the position that was reached.
    pub(super) fn find_copy(&self, of: &Record) -> io::Result<Option<Copy>> {
        let Some(folder) = of.path.parent().filter(|_| of.head.len > 0) else { return Ok(None) };
        let stem = |path: &Path| -> Vec<u8> {
            let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
            name.split(|byte| *byte == b'.').next().unwrap_or_default().to_vec()
        };
        let mine = stem(&of.path);
        for (path, kind) in self.world.fs.list(folder)?.into_iter().take(SEEK_NAMES_MAX) {
            if kind != FileKind::File || !stem(&path).starts_with(&mine) {
                continue;
            }
            let Ok(file) = self.open_file(&path) else { continue };
            let stat = file.stat()?;
            let fits = stat.id != of.id
                && stat.size >= of.position
                && of.head.fits(&*file, u64::from(of.head.len))?
                && of.tail.fits(&*file, of.position)?;
            if fits {
                let known = self.table.by_id.contains_key(&stat.id);
                return Ok(Some(if known { Copy::Known(path) } else { Copy::New(file, stat, path) }));
            }
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
        let (path, seen) = (old.path, old.size);
        let Some(old) = self.table.get(key) else { return };
        let file = old.file.take();
        let old_key = old.key();
        let (names, leaving) = (std::mem::take(&mut old.names), old.leaving);
        self.table.open -= usize::from(file.is_some());
        let stream = match old_key.1.checked_add(1) {
            Some(generation) => self.stream(old_key.0, generation, &path),
            None => self.new_stream(stat, Print::default(), &path),
        };
        let framer = Framer::new(self.config.frame.clone());
        let mut new = Tail::new(stream, framer, stat, path.clone(), 0);
        (new.file, new.names, new.leaving, new.grew) = (file, names, leaving, self.now);
        let record = new.record();
        let goal = self.finishing.is_some().then_some(stat.size);
        new.goal = goal;
        let new = self.table.add(new);
        for (known, _) in self.table.by_path.values_mut().filter(|(known, _)| *known == key) {
            *known = new;
        }
        self.log.put(record, true);
        self.table.queue(new);
        match copy {
            Some(Copy::New(file, copy, at)) => {
                self.stand_in(key, file, &copy, at);
                if copy.size < seen {
                    self.gap(key, copy.size, Some(seen), "truncated; the copy beside it ends before");
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
    fn stand_in(&mut self, key: Key, file: Arc<dyn File>, copy: &FileStat, at: PathBuf) {
        let now = self.now;
        self.table.by_id.insert(copy.id, key);
        let Some(tail) = self.table.get(key) else { return };
        tail.file = Some(file);
        tail.id = copy.id;
        tail.path = at;
        (tail.size, tail.sound) = (copy.size, copy.size);
        tail.modified_ns = copy.modified_ns;
        tail.leaving = Some(now);
        tail.goal = tail.goal.map(|_| copy.size);
        let record = tail.record();
        self.log.put(record, true);
        self.table.opened(key);
        self.table.count(key);
        self.table.queue(key);
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
        if tail.life == Life::Reading || !settled {
            return;
        }
        if tail.names > 0 {
            self.table.by_path.retain(|_, (known, _)| *known != key);
        }
        if let Some(tail) = self.table.remove(key) {
            self.log.forget(tail.key());
            self.forgotten.push(tail.stream);
        }
    }

    /// Opens a file of the source.
    pub(super) fn open_file(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::from(self.world.fs.open(path)?))
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
