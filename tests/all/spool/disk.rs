//! The virtual disk with more faults: the power goes at a chosen operation, an fsync fails and what it was to save is
//! forgotten, reads come in pieces.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aludel::seam::sim::{Dice, SimFs};
use aludel::seam::{File, FileKind, FileStat, Fs};

/// What goes wrong. Shared by all handles of a disk.
pub(super) struct Faults {
    /// Operations that still work before the power goes.
    pub(super) left: AtomicU64,
    /// Operations that were done.
    pub(super) done: AtomicU64,
    /// Fsyncs that fail from now on.
    pub(super) syncs: AtomicU64,
    /// Reads may give fewer bytes than were asked for.
    pub(super) short: AtomicBool,
    dice: Mutex<Dice>,
}

#[derive(Clone)]
pub(super) struct Disk {
    pub(super) fs: SimFs,
    pub(super) faults: Arc<Faults>,
}

impl Disk {
    pub(super) fn new(fs: SimFs, seed: u64) -> Self {
        let faults = Faults {
            left: AtomicU64::new(u64::MAX),
            done: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            short: AtomicBool::new(false),
            dice: Mutex::new(Dice::new(seed)),
        };
        Self { fs, faults: Arc::new(faults) }
    }

    /// The power comes back: what was not durable is torn, and everything works.
    pub(super) fn reboot(&self, folder: &Path) {
        self.faults.left.store(u64::MAX, Ordering::Relaxed);
        self.faults.syncs.store(0, Ordering::Relaxed);
        self.fs.set_full(false);
        self.fs.fail_reads(0);
        self.fs.crash(folder);
    }

    pub(super) fn is_off(&self) -> bool {
        self.faults.left.load(Ordering::Relaxed) == 0
    }

    fn operate(&self) -> io::Result<()> {
        let faults = &self.faults;
        faults.done.fetch_add(1, Ordering::Relaxed);
        let take = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        match faults.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(left) if left > 1 => Ok(()),
            _ => {
                faults.left.store(0, Ordering::Relaxed);
                Err(io::Error::other("the power is off"))
            }
        }
    }

    fn handle(&self, file: io::Result<Box<dyn File>>) -> io::Result<Box<dyn File>> {
        let inner = file?;
        Ok(Box::new(Handle { disk: self.clone(), inner, forgot: AtomicBool::new(false) }))
    }
}

struct Handle {
    disk: Disk,
    inner: Box<dyn File>,
    /// An fsync failed: the kernel has dropped the pages, and says that all is well from now on.
    forgot: AtomicBool,
}

impl File for Handle {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.operate()?;
        let mut len = buffer.len();
        if self.disk.faults.short.load(Ordering::Relaxed) && len > 1 {
            len = 1 + self.disk.faults.dice.lock().expect("no panic").below(len as u64 - 1) as usize;
        }
        self.inner.read_at(position, &mut buffer[..len])
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.disk.operate() {
            // It is on its way to the disk, and may get there or not.
            let _ = self.inner.append(bytes);
            return Err(error);
        }
        self.inner.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.operate()?;
        let take = |left: u64| left.checked_sub(1);
        if self.disk.faults.syncs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            self.forgot.store(true, Ordering::Relaxed);
            return Err(io::Error::other("simulated write error"));
        }
        if self.forgot.load(Ordering::Relaxed) { Ok(()) } else { self.inner.sync() }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.disk.operate()?;
        self.inner.truncate(size)
    }

    fn stat(&self) -> io::Result<FileStat> {
        self.inner.stat()
    }
}

impl Fs for Disk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.operate()?;
        self.handle(self.fs.open(path))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.operate()?;
        self.handle(self.fs.open_append(path))
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        self.fs.stat(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        self.operate()?;
        self.fs.list(folder)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.fs.make_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate()?;
        self.fs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate()?;
        self.fs.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate()?;
        self.fs.sync_folder(folder)
    }
}
