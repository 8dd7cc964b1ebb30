//! A disk in memory that loses power: only what was synced is still there afterwards.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use aludel::seam::{File, FileId, FileKind, FileStat, Fs};

#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    /// What a power cut leaves of it.
    durable: Vec<u8>,
    /// A sync failed: the pages count as clean, and later syncs do nothing, until they are written again.
    lies: bool,
}

/// Inode → content, and names as they are and as a power cut leaves them.
#[derive(Default)]
struct State {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    next: u64,
    /// Operations that may still change something; then every operation fails until [`Disk::reboot`].
    operations_left: Option<u64>,
    operations: u64,
    /// So many syncs of files fail.
    syncs_fail: u32,
    /// Bytes that may still be written; then writes are torn and fail.
    space_left: Option<usize>,
}

impl State {
    fn change(&mut self) -> io::Result<()> {
        self.operations += 1;
        match &mut self.operations_left {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes (writes, syncs, renames, removals) until now.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The power goes after so many further changes.
    pub(crate) fn power_goes_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    /// Room for so many bytes more, or without end.
    pub(crate) fn space(&self, bytes: Option<usize>) {
        self.state().space_left = bytes;
    }

    /// The next so many syncs of files fail.
    pub(crate) fn syncs_fail(&self, times: u32) {
        self.state().syncs_fail = times;
    }

    /// The power is back. What was not synced is gone; with `lucky`, all of it is there, as after a `kill -9`.
    pub(crate) fn reboot(&self, lucky: bool) {
        let mut state = self.state();
        state.operations_left = None;
        if !lucky {
            state.names = state.durable_names.clone();
            for content in state.files.values_mut() {
                content.bytes = content.durable.clone();
            }
        }
    }

    /// The file's bytes.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.files.get(state.names.get(path.as_ref())?)?.bytes.clone())
    }

    /// Puts a file there, durably.
    pub(crate) fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let mut state = self.state();
        let inode = state.next;
        state.next += 1;
        state.files.insert(inode, Content { bytes: bytes.to_vec(), durable: bytes.to_vec(), lies: false });
        state.names.insert(path.as_ref().to_owned(), inode);
        state.durable_names.insert(path.as_ref().to_owned(), inode);
    }

    /// All files, by path.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }
}

struct Handle {
    disk: Disk,
    inode: u64,
}

impl File for Handle {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = &state.files.get(&self.inode).ok_or(io::ErrorKind::NotFound)?.bytes;
        let rest = bytes.get(position as usize..).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        let room = state.space_left.unwrap_or(usize::MAX).min(bytes.len());
        if let Some(left) = &mut state.space_left {
            *left -= room;
        }
        let content = state.files.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        content.bytes.extend_from_slice(&bytes[..room]);
        // The kernel may write back any part early: half of it, so that torn tails are met.
        if content.bytes.starts_with(&content.durable) {
            let half = content.bytes.len() - bytes.len().min(content.bytes.len()) / 2;
            content.durable = content.bytes[..half].to_vec();
        }
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        let fails = state.syncs_fail > 0;
        state.syncs_fail = state.syncs_fail.saturating_sub(1);
        let content = state.files.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        content.lies |= fails;
        if fails {
            return Err(io::Error::other("input/output error"));
        }
        if !content.lies {
            content.durable = content.bytes.clone();
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.change()?;
        let content = state.files.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        content.bytes.truncate(size as usize);
        content.durable.truncate(size as usize);
        content.lies = false;
        Ok(())
    }

    fn stat(&self) -> io::Result<FileStat> {
        let state = self.disk.state();
        let content = state.files.get(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        Ok(FileStat {
            id: FileId { device: 1, inode: self.inode, birth_ns: 1 },
            size: content.bytes.len() as u64,
            modified_ns: 0,
            links: 1,
            kind: FileKind::File,
        })
    }
}

impl Fs for Disk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let inode = *self.state().names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Handle { disk: self.clone(), inode }))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        let inode = match state.names.get(path) {
            Some(inode) => *inode,
            None => {
                state.change()?;
                let inode = state.next;
                state.next += 1;
                state.files.insert(inode, Content::default());
                state.names.insert(path.to_owned(), inode);
                inode
            }
        };
        Ok(Box::new(Handle { disk: self.clone(), inode }))
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        self.open(path)?.stat()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let mut found = BTreeMap::new();
        for path in self.state().names.keys() {
            if let Ok(below) = path.strip_prefix(folder) {
                let mut parts = below.iter();
                let name = parts.next().map(|name| folder.join(name));
                let kind = if parts.next().is_some() { FileKind::Folder } else { FileKind::File };
                found.extend(name.map(|name| (name, kind)));
            }
        }
        Ok(found.into_iter().collect())
    }

    fn make_folder(&self, _: &Path) -> io::Result<()> {
        self.state().change()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        state.names.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.change()?;
        let folder = if folder == Path::new(".") { Path::new("") } else { folder };
        // Names below a folder are neighbours.
        let direct = |names: &BTreeMap<PathBuf, u64>| -> Vec<(PathBuf, u64)> {
            let below = names.range(folder.to_owned()..).take_while(|(path, _)| path.starts_with(folder));
            below.filter(|(path, _)| path.parent() == Some(folder)).map(|(p, i)| (p.clone(), *i)).collect()
        };
        for (path, _) in direct(&state.durable_names) {
            state.durable_names.remove(&path);
        }
        let named = direct(&state.names);
        state.durable_names.extend(named);
        Ok(())
    }
}
