//! The disk as a file system: for a process whose operations go wrong, and for the world around it, whose do not.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::{Clock, File, FileId, FileKind, FileStat, Fs};
use super::SimClock;
use super::disk::{DEVICE, Disk, Name, missing};
use super::faults::{FaultRates, Life, eio, strikes};

/// Who asks.
#[derive(Clone, Debug)]
enum View {
    /// Anybody: fails only while the disk is full, or as often as [`SimFs::fail_reads`] says.
    Plain,
    /// The simulated process.
    Process(Arc<Life>),
    /// Other programs, whose disk is always well.
    World,
}

/// A file system in memory; clones share it.
#[derive(Clone, Debug)]
pub struct SimFs {
    disk: Arc<Mutex<Disk>>,
    clock: Arc<SimClock>,
    view: View,
}

struct SimFile {
    fs: SimFs,
    node: u64,
    path: PathBuf,
}

/// The kinds of faults, as they are counted.
mod kind {
    pub(super) const READ: &str = "EIO on read";
    pub(super) const SHORT: &str = "short read";
    pub(super) const SHORT_WRITE: &str = "short write";
    pub(super) const WRITE: &str = "EIO after a part of a write";
    pub(super) const FULL: &str = "ENOSPC";
    pub(super) const SYNC: &str = "failed fsync";
    pub(super) const NAME: &str = "EIO on open, rename, remove or cut";
    pub(super) const FOLDER: &str = "failed fsync of a folder";
}

impl SimFs {
    /// The file that holds what was written to standard output.
    pub const OUTPUT: &str = "/standard-output";

    /// An empty disk with one folder, `/`.
    pub fn new(seed: u64, clock: Arc<SimClock>) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk::new(seed))), clock, view: View::Plain }
    }

    /// The same disk as a process sees it whose operations go wrong.
    pub fn process(&self, life: Arc<Life>) -> Self {
        Self { view: View::Process(life), ..self.clone() }
    }

    /// The same disk as other programs see it: nothing goes wrong.
    pub fn world(&self) -> Self {
        Self { view: View::World, ..self.clone() }
    }

    /// How often operations of the process go wrong from now on.
    pub fn set_rates(&self, rates: FaultRates) {
        self.disk().rates = rates;
    }

    /// What went wrong so far, by kind.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.disk().tally.counts()
    }

    /// What went wrong since the last call, for a trace.
    pub fn said(&self) -> Vec<String> {
        self.disk().tally.said()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an operation goes ahead: not when the process is dead, and not when a fault strikes.
    fn go(
        &self,
        disk: &mut Disk,
        kind: &'static str,
        rate: fn(&FaultRates) -> u64,
        path: &Path,
    ) -> io::Result<()> {
        let View::Process(life) = &self.view else { return Ok(()) };
        life.spend(kind != kind::READ)?;
        let rate = rate(&disk.rates);
        if strikes(&mut disk.dice, rate) {
            disk.tally.add(kind, path);
            return Err(eio(kind));
        }
        Ok(())
    }

    fn is_full(&self, disk: &Disk) -> bool {
        disk.full && !matches!(self.view, View::World)
    }

    fn handle(&self, disk: &mut Disk, node: u64, path: &Path) -> Box<dyn File> {
        if let Some(node) = disk.nodes.get_mut(&node) {
            node.descriptors += 1;
        }
        disk.open += 1;
        disk.open_max = disk.open_max.max(disk.open);
        Box::new(SimFile { fs: self.clone(), node, path: path.into() })
    }

    /// The power fails below `folder`: bytes that were not synced are torn at a place of the seed's choice, and
    /// the last changes of names that were not synced are undone.
    pub fn crash(&self, folder: &Path) {
        self.power_fails(&|path| path.starts_with(folder));
    }

    /// The same wherever `lost` says so.
    pub fn power_fails(&self, lost: &dyn Fn(&Path) -> bool) {
        self.disk().power_fails(lost);
    }

    /// From now on, appends and new files fail with ENOSPC, or work again.
    pub fn set_full(&self, full: bool) {
        self.disk().full = full;
    }

    /// From now on no file has a time of birth, as on some file systems.
    pub fn forget_births(&self) {
        self.disk().no_births = true;
    }

    /// The next so many reads fail.
    pub fn fail_reads(&self, count: u64) {
        self.disk().read_errors = count;
    }

    /// Descriptors open now, and the most there ever were.
    pub fn descriptors(&self) -> (u64, u64) {
        let disk = self.disk();
        (disk.open, disk.open_max)
    }

    /// Appends as another program would, making the file where it is missing.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.open_append(path)?.append(bytes)
    }

    /// The content of a file.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        let node = disk.node_at(path)?;
        Ok(disk.nodes.get(&node).map(|node| node.data.clone()).unwrap_or_default())
    }

    /// All files below a folder, however deep, in the order of their paths.
    pub fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let disk = self.disk();
        let files = disk
            .names
            .iter()
            .filter(|(path, name)| matches!(name, Name::File(_)) && path.starts_with(folder));
        files.map(|(path, _)| path.clone()).collect()
    }

    /// Makes a symbolic link.
    pub fn link(&self, at: &Path, to: &Path) {
        self.disk().set(vec![(at.into(), Some(Name::Link(to.into())))]);
    }
}

/// Standard output: a pipe whose reader takes what it likes.
struct Output(SimFs);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let path = Path::new(SimFs::OUTPUT);
        let mut part = bytes.len();
        {
            let disk = &mut *self.0.disk();
            self.0.go(disk, kind::WRITE, |rates| rates.write, path)?;
            if part > 1
                && matches!(self.0.view, View::Process(_))
                && strikes(&mut disk.dice, disk.rates.short_read)
            {
                part = 1 + disk.dice.below(part as u64 - 1) as usize;
                disk.tally.add(kind::SHORT_WRITE, path);
            }
        }
        self.0.world().write(path, bytes.get(..part).unwrap_or_default())?;
        Ok(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut disk = self.fs.disk();
        disk.open -= 1;
        if let Some(node) = disk.nodes.get_mut(&self.node) {
            node.descriptors = node.descriptors.saturating_sub(1);
            if node.descriptors == 0 && node.links == 0 {
                // A crash may give it its name back.
                let named = disk.is_undoable(self.node);
                if !named {
                    disk.nodes.remove(&self.node);
                }
            }
        }
    }
}

impl File for SimFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = &mut *self.fs.disk();
        if disk.read_errors > 0 && !matches!(self.fs.view, View::World) {
            disk.read_errors -= 1;
            return Err(eio("read"));
        }
        self.fs.go(disk, kind::READ, |rates| rates.read, &self.path)?;
        let Disk { nodes, dice, rates, tally, .. } = disk;
        let Some(node) = nodes.get(&self.node) else { return Ok(0) };
        let rest = node.data.get(position.min(node.data.len() as u64) as usize..).unwrap_or(&[]);
        let mut length = rest.len().min(buffer.len());
        if length > 1 && matches!(self.fs.view, View::Process(_)) && strikes(dice, rates.short_read) {
            length = 1 + dice.below(length as u64 - 1) as usize;
            tally.add(kind::SHORT, &self.path);
        }
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let now_ns = self.fs.clock.now_unix_ns();
        let disk = &mut *self.fs.disk();
        let failed = match self.fs.go(disk, kind::WRITE, |rates| rates.write, &self.path) {
            Err(error) if error.kind() == ErrorKind::NotConnected => return Err(error),
            Err(error) => Some(error),
            Ok(()) if self.fs.is_full(disk) => {
                disk.tally.add(kind::FULL, &self.path);
                Some(io::Error::new(ErrorKind::StorageFull, "no space left on device"))
            }
            Ok(()) => None,
        };
        let part = if failed.is_some() { disk.dice.below(bytes.len() as u64) as usize } else { bytes.len() };
        if let Some(node) = disk.nodes.get_mut(&self.node) {
            node.data.extend_from_slice(&bytes[..part]);
            node.modified_ns = now_ns;
        }
        failed.map_or(Ok(()), Err)
    }

    fn sync(&self) -> io::Result<()> {
        let disk = &mut *self.fs.disk();
        let result = self.fs.go(disk, kind::SYNC, |rates| rates.sync, &self.path);
        if let Some(node) = disk.nodes.get_mut(&self.node) {
            match &result {
                Ok(()) => node.sync(),
                Err(error) if error.kind() == ErrorKind::NotConnected => {}
                Err(_) => node.sync_fails(),
            }
        }
        result
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let now_ns = self.fs.clock.now_unix_ns();
        let disk = &mut *self.fs.disk();
        self.fs.go(disk, kind::NAME, |rates| rates.name, &self.path)?;
        if let Some(node) = disk.nodes.get_mut(&self.node) {
            node.cut(size as usize);
            node.modified_ns = now_ns;
        }
        Ok(())
    }

    fn stat(&self) -> io::Result<FileStat> {
        let disk = &mut *self.fs.disk();
        self.fs.go(disk, kind::READ, |rates| rates.read, &self.path)?;
        disk.nodes.get(&self.node).map(|node| disk.stat(node)).ok_or_else(|| missing(&self.path))
    }
}

impl Fs for SimFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::READ, |rates| rates.name, path)?;
        let node = disk.node_at(path)?;
        Ok(self.handle(&mut disk, node, path))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let now_ns = self.clock.now_unix_ns();
        let mut disk = self.disk();
        self.go(&mut disk, kind::NAME, |rates| rates.name, path)?;
        let path = disk.resolve(path)?;
        let full = self.is_full(&disk);
        let node = match disk.node_at(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => disk.create(path.clone(), now_ns, full)?,
            found => found?,
        };
        Ok(self.handle(&mut disk, node, &path))
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::READ, |rates| rates.read, path)?;
        let path = disk.resolve(path)?;
        if disk.names.get(&path) == Some(&Name::Folder) {
            let id = FileId { device: DEVICE, inode: 0, birth_ns: path.as_os_str().len() as i64 };
            return Ok(FileStat { id, size: 0, modified_ns: 0, links: 1, kind: FileKind::Folder });
        }
        let node = disk.node_at(&path)?;
        disk.nodes.get(&node).map(|node| disk.stat(node)).ok_or_else(|| missing(&path))
    }

    fn is_link(&self, path: &Path) -> bool {
        matches!(self.disk().names.get(path), Some(Name::Link(_)))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.disk().resolve(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::READ, |rates| rates.read, folder)?;
        if disk.names.get(folder) != Some(&Name::Folder) {
            return Err(missing(folder));
        }
        let kind = |name: &Name| match name {
            Name::Folder => FileKind::Folder,
            Name::File(_) => FileKind::File,
            Name::Link(_) => FileKind::Link,
        };
        Ok(disk.below(folder).map(|(path, name)| (path.clone(), kind(name))).collect())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::NAME, |rates| rates.name, folder)?;
        // Folders are durable at once: losing one is a case that no part of the product depends on.
        for folder in folder.ancestors() {
            disk.names.entry(folder.into()).or_insert(Name::Folder);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::NAME, |rates| rates.name, from)?;
        let name = disk.names.get(from).cloned().ok_or_else(|| missing(from))?;
        disk.set(vec![(to.into(), Some(name)), (from.into(), None)]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::NAME, |rates| rates.name, path)?;
        if !disk.names.contains_key(path) {
            return Err(missing(path));
        }
        disk.set(vec![(path.into(), None)]);
        Ok(())
    }

    fn output(&self) -> Box<dyn io::Write + Send> {
        Box::new(Output(self.clone()))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        self.go(&mut disk, kind::FOLDER, |rates| rates.sync_folder, folder)?;
        disk.synced_folder(folder);
        Ok(())
    }
}
