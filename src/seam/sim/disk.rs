//! A disk in memory, with POSIX's promises and no more: bytes are durable after `sync`, names after
//! `sync_folder`; a file lives while it has a name or a descriptor; inode numbers are used again.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::{Clock, File, FileId, FileKind, FileStat, Fs};
use super::{Dice, SimClock};

const DEVICE: u64 = 1;

/// Symbolic links followed before a path is refused, as Linux does (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// What a file holds.
#[derive(Debug, Default)]
struct Node {
    inode: u64,
    birth_ns: i64,
    modified_ns: i64,
    data: Vec<u8>,
    /// What is on the platter: after a crash the file is this, or a part of the way from this to `data`.
    durable: Vec<u8>,
    links: u64,
    descriptors: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Folder,
    File(u64),
    Link(PathBuf),
}

/// A change of names that a crash may undo, last one first.
#[derive(Debug)]
struct Undo {
    folder: PathBuf,
    before: Vec<(PathBuf, Option<Name>)>,
}

#[derive(Debug)]
struct Disk {
    dice: Dice,
    /// Files by a number that is never used again, unlike the inode.
    nodes: HashMap<u64, Node>,
    names: BTreeMap<PathBuf, Name>,
    undo: Vec<Undo>,
    next: u64,
    full: bool,
    read_errors: u64,
    open: u64,
    open_max: u64,
}

/// A file system in memory; clones share it.
#[derive(Clone, Debug)]
pub struct SimFs {
    disk: Arc<Mutex<Disk>>,
    clock: Arc<SimClock>,
}

struct SimFile {
    fs: SimFs,
    node: u64,
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("{}: no such file", path.display()))
}

impl Disk {
    /// Follows links in the last component; folders are never links here.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let mut path = path.to_path_buf();
        for _ in 0..LINKS_MAX {
            match self.names.get(&path) {
                Some(Name::Link(to)) => path = path.parent().map_or_else(|| to.clone(), |at| at.join(to)),
                _ => return Ok(path),
            }
        }
        Err(io::Error::other(format!("{}: too many links", path.display())))
    }

    fn node_at(&self, path: &Path) -> io::Result<u64> {
        match self.names.get(&self.resolve(path)?) {
            Some(Name::File(node)) => Ok(*node),
            Some(_) => Err(io::Error::new(ErrorKind::IsADirectory, "a folder")),
            None => Err(missing(path)),
        }
    }

    fn stat(&self, node: &Node) -> FileStat {
        FileStat {
            id: FileId { device: DEVICE, inode: node.inode, birth_ns: node.birth_ns },
            size: node.data.len() as u64,
            modified_ns: node.modified_ns,
            links: node.links,
            kind: FileKind::File,
        }
    }

    /// Sets names together, as one operation that a crash keeps or undoes as a whole.
    fn set(&mut self, changes: Vec<(PathBuf, Option<Name>)>) {
        let folder =
            changes.first().and_then(|(path, _)| path.parent()).unwrap_or(Path::new("/")).to_path_buf();
        let before = changes.iter().map(|(path, _)| (path.clone(), self.names.get(path).cloned())).collect();
        self.undo.push(Undo { folder, before });
        self.apply(changes);
    }

    fn apply(&mut self, changes: Vec<(PathBuf, Option<Name>)>) {
        for (path, name) in changes {
            if let Some(Name::File(node)) = &name
                && let Some(node) = self.nodes.get_mut(node)
            {
                node.links += 1;
            }
            let old = match name {
                Some(name) => self.names.insert(path, name),
                None => self.names.remove(&path),
            };
            if let Some(Name::File(old)) = old
                && let Some(node) = self.nodes.get_mut(&old)
            {
                node.links = node.links.saturating_sub(1);
            }
        }
    }

    fn inode(&self) -> u64 {
        let mut used: Vec<u64> = self
            .nodes
            .values()
            .filter(|node| node.links > 0 || node.descriptors > 0)
            .map(|node| node.inode)
            .collect();
        used.sort_unstable();
        (1..).find(|inode| used.binary_search(inode).is_err()).unwrap_or(0)
    }

    fn create(&mut self, path: PathBuf, now_ns: i64) -> io::Result<u64> {
        match path.parent().map(|folder| self.names.get(folder)) {
            Some(Some(Name::Folder)) => {}
            _ => return Err(missing(&path)),
        }
        if self.full {
            return Err(io::Error::new(ErrorKind::StorageFull, "no space left on device"));
        }
        self.next += 1;
        // No two files are born in the same nanosecond.
        let birth_ns = now_ns.saturating_add(self.next as i64);
        let node = Node { inode: self.inode(), birth_ns, modified_ns: now_ns, ..Node::default() };
        self.nodes.insert(self.next, node);
        self.set(vec![(path, Some(Name::File(self.next)))]);
        Ok(self.next)
    }
}

impl SimFs {
    /// An empty disk with one folder, `/`.
    pub fn new(seed: u64, clock: Arc<SimClock>) -> Self {
        let disk = Disk {
            dice: Dice::new(seed),
            nodes: HashMap::new(),
            names: BTreeMap::from([(PathBuf::from("/"), Name::Folder)]),
            undo: Vec::new(),
            next: 0,
            full: false,
            read_errors: 0,
            open: 0,
            open_max: 0,
        };
        Self { disk: Arc::new(Mutex::new(disk)), clock }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, disk: &mut Disk, node: u64) -> Box<dyn File> {
        if let Some(node) = disk.nodes.get_mut(&node) {
            node.descriptors += 1;
        }
        disk.open += 1;
        disk.open_max = disk.open_max.max(disk.open);
        Box::new(SimFile { fs: self.clone(), node })
    }

    /// The power fails: below `folder`, bytes that were not synced are torn at a place of the seed's choice, and
    /// the last changes of names that were not synced are undone.
    pub fn crash(&self, folder: &Path) {
        let disk = &mut *self.disk();
        let pending: Vec<usize> =
            (0..disk.undo.len()).filter(|&at| disk.undo[at].folder.starts_with(folder)).collect();
        let keep = disk.dice.below(pending.len() as u64 + 1) as usize;
        for &at in pending[keep..].iter().rev() {
            let undo = disk.undo.remove(at);
            disk.apply(undo.before);
        }
        disk.undo.retain(|undo| !undo.folder.starts_with(folder));
        let files = disk.names.iter().filter(|(path, _)| path.starts_with(folder));
        let mut files: Vec<u64> = files
            .filter_map(|(_, name)| if let Name::File(node) = name { Some(*node) } else { None })
            .collect();
        files.dedup();
        for file in files {
            let Disk { nodes, dice, .. } = disk;
            let Some(node) = nodes.get_mut(&file) else { continue };
            let durable = node.durable.len().min(node.data.len());
            if node.data.get(..durable) == Some(&node.durable) {
                let torn = dice.below((node.data.len() - durable) as u64 + 1) as usize;
                node.data.truncate(durable + torn);
            } else {
                // Cut and written again: either all of it reached the disk or none.
                let whole = dice.one_in(2);
                node.data = if whole { node.data.clone() } else { node.durable.clone() };
            }
            node.durable = node.data.clone();
        }
    }

    /// From now on, appends and new files fail with ENOSPC, or work again.
    pub fn set_full(&self, full: bool) {
        self.disk().full = full;
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

    /// Makes a symbolic link.
    pub fn link(&self, at: &Path, to: &Path) {
        self.disk().set(vec![(at.into(), Some(Name::Link(to.into())))]);
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut disk = self.fs.disk();
        disk.open -= 1;
        if let Some(node) = disk.nodes.get_mut(&self.node) {
            node.descriptors = node.descriptors.saturating_sub(1);
        }
    }
}

impl File for SimFile {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.fs.disk();
        if disk.read_errors > 0 {
            disk.read_errors -= 1;
            return Err(io::Error::other("simulated read error"));
        }
        let Some(node) = disk.nodes.get(&self.node) else { return Ok(0) };
        let rest = node.data.get(position.min(node.data.len() as u64) as usize..).unwrap_or(&[]);
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let now_ns = self.fs.clock.now_unix_ns();
        let disk = &mut *self.fs.disk();
        let written = if disk.full { disk.dice.below(bytes.len() as u64) as usize } else { bytes.len() };
        let full = disk.full;
        if let Some(node) = disk.nodes.get_mut(&self.node) {
            node.data.extend_from_slice(&bytes[..written]);
            node.modified_ns = now_ns;
        }
        if full { Err(io::Error::new(ErrorKind::StorageFull, "no space left on device")) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        if let Some(node) = self.fs.disk().nodes.get_mut(&self.node) {
            node.durable = node.data.clone();
        }
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        let now_ns = self.fs.clock.now_unix_ns();
        if let Some(node) = self.fs.disk().nodes.get_mut(&self.node) {
            node.data.resize(size as usize, 0);
            node.modified_ns = now_ns;
        }
        Ok(())
    }

    fn stat(&self) -> io::Result<FileStat> {
        let disk = self.fs.disk();
        disk.nodes.get(&self.node).map(|node| disk.stat(node)).ok_or_else(|| missing(Path::new("?")))
    }
}

impl Fs for SimFs {
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut disk = self.disk();
        let node = disk.node_at(path)?;
        Ok(self.handle(&mut disk, node))
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let now_ns = self.clock.now_unix_ns();
        let mut disk = self.disk();
        let path = disk.resolve(path)?;
        let node = match disk.node_at(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => disk.create(path, now_ns)?,
            found => found?,
        };
        Ok(self.handle(&mut disk, node))
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        let disk = self.disk();
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

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, FileKind)>> {
        let disk = self.disk();
        if disk.names.get(folder) != Some(&Name::Folder) {
            return Err(missing(folder));
        }
        let below = disk.names.iter().filter(|(path, _)| path.parent() == Some(folder));
        let kind = |name: &Name| match name {
            Name::Folder => FileKind::Folder,
            Name::File(_) => FileKind::File,
            Name::Link(_) => FileKind::Link,
        };
        Ok(below.map(|(path, name)| (path.clone(), kind(name))).collect())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        // Folders are durable at once: losing one is a case that no part of the product depends on.
        for folder in folder.ancestors() {
            disk.names.entry(folder.into()).or_insert(Name::Folder);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let name = disk.names.get(from).cloned().ok_or_else(|| missing(from))?;
        disk.set(vec![(to.into(), Some(name)), (from.into(), None)]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if !disk.names.contains_key(path) {
            return Err(missing(path));
        }
        disk.set(vec![(path.into(), None)]);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk().undo.retain(|undo| undo.folder != folder);
        Ok(())
    }
}
