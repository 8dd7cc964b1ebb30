//! The outside world as traits: files, clock and network, so that the whole product also runs on one thread from
//! a seed, on a virtual disk and a virtual clock.
//!
//! Everything below the rims takes time as an argument; only this module and the simulation know where it comes
//! from. Nothing here is asynchronous: the rims are state machines that are stepped.

mod inotify;
pub mod kafka;
mod objects;
mod real;
mod record_log;
pub mod sim;

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use objects::{Answer, Ask, Objects, Refusal};
pub use real::{RealClock, RealFs};
pub use record_log::{FRAME_BODY_BYTES_MAX, FRAME_HEAD_BYTES, Frames, RecordLog, is_mark, write_frame};

/// Writes a file of ours whole or not at all: aside (`NAME.new`, mode 0600), synced, then renamed over the old one.
/// Can be called again after an error.
pub fn replace_file(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let file = fs.open_private(Path::new(&aside))?;
    file.truncate(0)?;
    file.append(bytes)?;
    file.sync()?;
    fs.rename(Path::new(&aside), path)?;
    fs.sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Reads a file of ours whole, if it has at most `bytes_max`.
pub fn read_file(fs: &dyn Fs, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = fs.open(path)?;
    let size = file.stat()?.size;
    if size > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {bytes_max} bytes"),
        ));
    }
    let mut bytes = vec![0; size as usize];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(filled as u64, rest)? {
            0 => break,
            more => filled += more,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// A hash map whose order is the same in every process, so that a seed of the simulation does the same every time.
/// Not for keys that come over a network.
pub type HashMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A hash set like [`HashMap`].
pub type HashSet<K> = std::collections::HashSet<K, BuildHasherDefault<DefaultHasher>>;

/// Nanoseconds since 1970-01-01T00:00:00Z, and since an arbitrary start.
pub trait Clock: Send + Sync {
    /// Wall time, in nanoseconds since the epoch. May jump.
    fn now_unix_ns(&self) -> i64;
    /// Time since an arbitrary start. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// What tells one file from another while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// Device.
    pub device: u64,
    /// Inode number on the device.
    pub inode: u64,
    /// Birth time in nanoseconds since the epoch; 0 where the file system has none. Tells a reused inode.
    pub birth_ns: i64,
}

/// What a look at a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// Identity.
    pub id: FileId,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change, in nanoseconds since the epoch.
    pub modified_ns: i64,
    /// Names that the file still has in some folder; 0 when it was deleted and lives by a descriptor only.
    pub links: u64,
    /// What it is.
    pub kind: FileKind,
}

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// A file opened for reading or appending. Reads are at a position (`pread`), never through a map: a file that
/// is truncated under a map is a SIGBUS.
pub trait File: Send + Sync {
    /// Reads at `position` into `buffer` and returns the number of bytes; 0 at the end of the file.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Appends all bytes.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Makes all that was appended durable.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file to `size` bytes.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// What the descriptor shows now.
    fn stat(&self) -> io::Result<FileStat>;
}

/// A file system.
pub trait Fs: Send + Sync {
    /// Opens for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens for reading and appending; makes the file where it is missing.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// The same; a file that is made is for its owner alone.
    fn open_private(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open_append(path)
    }
    /// What a path shows, links followed.
    fn stat(&self, path: &Path) -> io::Result<FileStat>;
    /// Whether a path itself is a symbolic link; false where it cannot be said.
    fn is_link(&self, _path: &Path) -> bool {
        false
    }
    /// The path that a path leads to when all links are followed.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.into())
    }
    /// Names in a folder with what they are, links not followed.
    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, FileKind)>>;
    /// Makes a folder and those above it.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// The same; folders that are made are for their owner alone.
    fn make_private_folder(&self, folder: &Path) -> io::Result<()> {
        self.make_folder(folder)
    }
    /// Renames over whatever has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Standard output. Writes may take a part only.
    fn output(&self) -> Box<dyn io::Write + Send> {
        Box::new(io::stdout())
    }
    /// Hints about changes, where the file system gives them.
    fn watcher(&self) -> io::Result<Option<Box<dyn Watcher>>> {
        Ok(None)
    }
}

/// A folder or file that a [`Watcher`] watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(pub i32);

/// Something changed, perhaps. Hints may be late, doubled or missing: the sweep is the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The content of a watched file changed, or of the file of this name in a watched folder.
    Content(WatchId, Option<std::ffi::OsString>),
    /// A name in a watched folder came or went, or the watched thing itself did.
    Name(WatchId, Option<std::ffi::OsString>),
    /// The watch is no more.
    Ended(WatchId),
    /// Hints were lost: look at everything.
    Overflow,
}

/// Tells when to look at a file before its turn.
pub trait Watcher: Send {
    /// Watches a folder or a file, links followed. Watching the same thing again gives the same number.
    fn watch(&mut self, path: &Path) -> io::Result<WatchId>;
    /// Stops a watch.
    fn unwatch(&mut self, watch: WatchId);
    /// Appends the hints that have come.
    fn poll(&mut self, hints: &mut Vec<Hint>);
    /// A descriptor that is readable when there are hints.
    fn fd(&self) -> std::os::fd::BorrowedFd<'_>;
}
