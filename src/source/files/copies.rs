//! Files that hold what another one held: copies that `copytruncate` makes, and compressed ones.
//!
//! A copy is never a stream of its own where the stream that it was made of is known: where the open file was lost it
//! is read on in the copy, else the copy is passed over. What tells a copy is the chain of prints (the head, and what is
//! before the position), and a name beside the file's that begins as its does.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::identity::{HEAD_BYTES, Packed, Print, Record, StreamKey, TAIL_BYTES};
use super::leave::passing;
use super::packed::{End, Kind, Packing, Unpacked, reaches, same_before};
use super::state::Files;
use super::table::Key;
use super::tail::Life;
use crate::seam::{File, FileKind, FileStat};

/// Names looked at when a file is sought in its folder.
const SEEK_NAMES_MAX: usize = 16 * 1024;

/// A compressed file that is being written is looked at again after this time.
const LATER: Duration = Duration::from_secs(1);

/// A file, open, and how it is compressed.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) file: Arc<dyn File>,
    pub(super) packed: Option<Arc<Unpacked>>,
}

impl Opened {
    pub(super) fn new(file: Arc<dyn File>, packing: Option<Packing>) -> Self {
        let Some(packing) = packing else { return Self { file, packed: None } };
        let packed = Arc::new(Unpacked::new(file, packing));
        Self { file: packed.clone(), packed: Some(packed) }
    }

    /// How many bytes there are, and whether that is all: a compressed file must be decoded to say.
    pub(super) fn length(&self) -> io::Result<(u64, End)> {
        match &self.packed {
            Some(packed) => packed.measure(),
            None => self.file.stat().map(|stat| (stat.size, End::Whole(stat.size))),
        }
    }
}

/// A file that holds what another one held.
pub(super) enum Copy {
    /// It is not read yet.
    New(Opened, FileStat, PathBuf),
    /// It is a stream of its own already.
    Known(PathBuf),
}

/// What a new compressed file is.
enum Claim {
    /// Of no known stream.
    None,
    /// It holds what this stream holds, which is read elsewhere.
    Of(StreamKey),
    /// The stream that it holds went before it was read to its end.
    Rest(Box<Record>),
    /// It became a known stream while it was looked at.
    Taken,
    /// It is not written to its end yet.
    Later,
}

/// The first part of a name: rotation changes what is behind.
fn stem(path: &Path) -> &[u8] {
    let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    name.split(|byte| *byte == b'.').next().unwrap_or_default()
}

/// Whether a name may be one that rotation gave to a file: in the same folder, and it begins the same.
fn is_related(path: &Path, to: &Path) -> bool {
    path.parent() == to.parent() && stem(path).starts_with(stem(to))
}

impl Files {
    /// Opens a file that is not known yet; `None` where it cannot be said yet what it is.
    pub(super) fn open_new(&self, path: &Path) -> io::Result<Option<Opened>> {
        let file: Arc<dyn File> = Arc::from(self.world.fs.open(path)?);
        Ok(match Kind::of(path, &*file)? {
            Kind::Plain => Some(Opened::new(file, None)),
            Kind::Packed(packing) => Some(Opened::new(file, Some(packing))),
            Kind::Unclear => None,
        })
    }

    /// Opens a file of which it is known how it is compressed.
    pub(super) fn open_as(&self, path: &Path, packing: Option<Packing>) -> io::Result<Opened> {
        Ok(Opened::new(Arc::from(self.world.fs.open(path)?), packing))
    }

    /// What a link leads to, if a path is one.
    pub(super) fn real(&self, path: &Path) -> Option<PathBuf> {
        let linked = self.world.fs.is_link(path);
        linked.then(|| self.world.fs.resolve(path).ok()).flatten().filter(|real| real != path)
    }

    /// The names in the folders where a file was: that of its path, which must be there, and that behind a link.
    pub(super) fn beside(&self, of: &Record) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let mut names = Vec::new();
        for (number, folder) in of.names().filter_map(Path::parent).enumerate() {
            match self.world.fs.list(folder) {
                Ok(found) => names.extend(found.into_iter().take(SEEK_NAMES_MAX)),
                Err(error) if number == 0 => return Err(error),
                Err(error) => passing(Err(error)).map(|none: Option<()>| none.unwrap_or_default())?,
            }
        }
        Ok(names)
    }

    /// Seeks a copy of a file in its folder: the same head, and the same bytes before the position that was reached.
    pub(super) fn find_copy(&self, of: &Record) -> io::Result<Option<Copy>> {
        if of.head.len == 0 {
            return Ok(None);
        }
        let mut known = None;
        for (path, kind) in self.beside(of)? {
            if kind != FileKind::File || !of.names().any(|name| is_related(&path, name)) {
                continue;
            }
            let Some(opened) = passing(self.open_new(&path))?.flatten() else { continue };
            let stat = opened.file.stat()?;
            if stat.id == of.id || !of.is_in(&*opened.file, of.position)? {
                continue;
            }
            if !self.table.by_id.contains_key(&stat.id) {
                return Ok(Some(Copy::New(opened, stat, path)));
            }
            known = Some(path);
        }
        Ok(known.map(Copy::Known))
    }

    /// Decides about the compressed files that were found, once all others are known.
    pub(super) fn decide_packed(&mut self) {
        let mut found = std::mem::take(&mut self.packed_found);
        if !self.missing.is_empty() {
            found = self.match_by_content(found);
        }
        self.packed_found = found;
    }

    /// Takes in the compressed files that hold no known stream.
    pub(super) fn take_packed(&mut self) {
        let at_end = self.start_at_end;
        for path in std::mem::take(&mut self.packed_found) {
            if let Err(error) = self.decide(&path, at_end)
                && error.kind() != io::ErrorKind::NotFound
            {
                self.warn(format!("{}: {error}", path.display()));
            }
        }
    }

    fn decide(&mut self, path: &Path, at_end: bool) -> io::Result<()> {
        let stat = self.world.fs.stat(path)?;
        if self.table.by_id.contains_key(&stat.id) {
            self.look_at(path);
            return Ok(());
        }
        if self.undecided.get(&stat.id).is_some_and(|at| *at > self.now) {
            return Ok(());
        }
        let claim = match self.open_new(path)? {
            Some(opened) => self.claim(path, &opened)?,
            None => Claim::Later,
        };
        self.undecided.remove(&stat.id);
        match claim {
            Claim::None => self.adopt(path, at_end),
            Claim::Of(key) => self.log.put_copy(stat.id, key, self.sweep),
            Claim::Rest(record) => {
                self.log.returned((record.stream, record.generation));
                self.found_again(path, &record, &[]);
            }
            Claim::Taken => self.look_at(path),
            Claim::Later => {
                self.undecided.insert(stat.id, self.now + LATER);
                self.next_sweep = self.next_sweep.min(self.now + LATER);
            }
        }
        Ok(())
    }

    /// What a new compressed file is.
    fn claim(&mut self, path: &Path, opened: &Opened) -> io::Result<Claim> {
        let mut later = false;
        let departed: Vec<_> = self
            .log
            .departed()
            .rev()
            .filter(|record| record.names().any(|name| is_related(path, name)))
            .cloned()
            .collect();
        for record in departed {
            match self.is_packed(opened, record.head)? {
                None => later = true,
                Some(None) => {}
                Some(Some(length)) if record.is_in(&*opened.file, record.position)? => {
                    let key = (record.stream, record.generation);
                    return Ok(match length > record.position {
                        true => Claim::Rest(Box::new(Record { from: record.position, ..record })),
                        false => Claim::Of(key),
                    });
                }
                Some(Some(_)) => {}
            }
        }
        for key in self.table.keys() {
            let Some(tail) = self.table.get(key) else { continue };
            let head = tail.head;
            let mut names = std::iter::once(&tail.path).chain(&tail.real);
            if tail.packing.is_some() || head.len == 0 || !names.any(|name| is_related(path, name)) {
                continue;
            }
            match self.is_packed(opened, head)? {
                None => later = true,
                Some(None) => {}
                Some(Some(length)) => {
                    if let Some(claim) = self.is_copy_of(key, opened, length)? {
                        return Ok(claim);
                    }
                }
            }
        }
        Ok(if later { Claim::Later } else { Claim::None })
    }

    /// Whether a file has this head, and then its length; `None` where more of it must be there to say.
    fn is_packed(&self, opened: &Opened, head: Print) -> io::Result<Option<Option<u64>>> {
        if head.len == 0 {
            return Ok(Some(None));
        }
        let len = u64::from(head.len);
        let print = Print::before(&*opened.file, len, len)?;
        if print.len == head.len && print != head {
            return Ok(Some(None));
        }
        Ok(match opened.length()? {
            (_, End::Starved(_)) => None,
            (length, _) if length >= len => Some(Some(length)),
            _ => Some(None),
        })
    }

    /// Whether a compressed file holds what a tail's file holds: as much of it, or so much that it cannot be another.
    fn is_copy_of(&mut self, key: Key, opened: &Opened, length: u64) -> io::Result<Option<Claim>> {
        let id = opened.file.stat()?.id;
        let reading = self.table.get(key).is_some_and(|tail| tail.life == Life::Reading);
        if !reading || !self.ensure_open(key) {
            // Its bytes are gone, and this may have become the file that it is read on in.
            return Ok(self.table.by_id.contains_key(&id).then_some(Claim::Taken));
        }
        let Some(tail) = self.table.get(key) else { return Ok(None) };
        let (stat, same) = tail.look()?;
        if !same {
            self.truncated(key, &stat);
            return Ok(self.table.by_id.contains_key(&id).then_some(Claim::Taken));
        }
        let enough = length == stat.size || length >= HEAD_BYTES || tail.leaving.is_some();
        let Some(file) = tail.file.as_deref().filter(|_| length <= stat.size && enough) else {
            return Ok(None);
        };
        let same = same_before(file, &*opened.file, length, TAIL_BYTES)?;
        Ok(same.then(|| Claim::Of(tail.key())))
    }

    /// A compressed file was read to its end: nothing of it is kept open.
    pub(super) fn whole(&mut self, key: Key) {
        let Some(tail) = self.table.get(key) else { return };
        tail.life = Life::Whole;
        self.table.set_timer(key, None);
        self.table.close(key);
        self.table.count(key);
        self.touch(key);
    }

    /// Whether a compressed file may be decoded now, with as many as are already.
    pub(super) fn may_unpack(&mut self, key: Key) -> bool {
        if self.table.unpacking < crate::limits::UNPACK_FILES_MAX {
            return true;
        }
        self.table.wait_to_unpack(key);
        false
    }
}

impl Record {
    /// Whether a file holds what was read of it, and reaches as far.
    pub(super) fn is_in(&self, file: &dyn File, from: u64) -> io::Result<bool> {
        Ok(self.head.fits(file, u64::from(self.head.len))?
            && self.tail.fits(file, self.position)?
            && reaches(file, self.position.max(from))?)
    }

    /// Whether it is a compressed file that has not changed since all of it was read.
    pub(super) fn is_whole(&self, stat: &FileStat) -> bool {
        self.packed.is_some_and(|Packed { whole, disk, .. }| whole && disk == stat.size)
    }
}
