//! The state of a disk in memory, with POSIX's promises and no more: bytes are durable after `sync`, names after
//! `sync_folder`; a file lives while it has a name or a descriptor; inode numbers are used again.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::super::{FileId, FileKind, FileStat};
use super::Dice;
use super::faults::{FaultRates, Tally};

pub(super) const DEVICE: u64 = 1;

/// Symbolic links followed before a path is refused, as Linux does (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) inode: u64,
    pub(super) birth_ns: i64,
    pub(super) modified_ns: i64,
    pub(super) data: Vec<u8>,
    /// Bytes of `data` that are on the platter, as long as nothing below was cut.
    synced: usize,
    /// What is on the platter, where the file was cut below that since.
    before_cut: Option<Vec<u8>>,
    /// Bytes that a failed fsync dropped: in the cache as they were, never to be written.
    dropped: Vec<Range<usize>>,
    pub(super) links: u64,
    pub(super) descriptors: u64,
}

impl Node {
    pub(super) fn sync(&mut self) {
        for range in std::mem::take(&mut self.dropped) {
            let end = range.end.min(self.data.len());
            // What was never written reads as zeros once the cache has let go of it.
            self.data[range.start.min(end)..end].fill(0);
        }
        self.synced = self.data.len();
        self.before_cut = None;
    }

    /// An fsync fails: what was to be written is forgotten by the kernel, and the next fsync succeeds.
    pub(super) fn sync_fails(&mut self) {
        self.dropped.push(self.synced..self.data.len());
    }

    pub(super) fn cut(&mut self, size: usize) {
        if size < self.synced && self.before_cut.is_none() {
            self.before_cut = Some(self.data[..self.synced].to_vec());
        }
        self.synced = self.synced.min(size);
        self.dropped.retain_mut(|range| {
            range.end = range.end.min(size);
            range.start < range.end
        });
        self.data.resize(size, 0);
    }

    /// The power fails; true where bytes were torn.
    fn power_fails(&mut self, dice: &mut Dice) -> bool {
        let before = self.data.len();
        if let Some(old) = self.before_cut.take() {
            // Cut and written again: either all of it reached the disk or none.
            if dice.one_in(2) {
                self.data = old;
            }
        } else {
            let torn = dice.below((self.data.len() - self.synced) as u64 + 1) as usize;
            self.data.truncate(self.synced + torn);
        }
        let changed = self.data.len() != before;
        self.sync();
        changed
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
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
pub(super) struct Disk {
    pub(super) dice: Dice,
    /// Files by a number that is never used again, unlike the inode.
    pub(super) nodes: HashMap<u64, Node>,
    pub(super) names: BTreeMap<PathBuf, Name>,
    undo: Vec<Undo>,
    next: u64,
    pub(super) full: bool,
    /// Files have no time of birth, so that an inode that is used again looks like the one before.
    pub(super) no_births: bool,
    pub(super) read_errors: u64,
    pub(super) rates: FaultRates,
    pub(super) tally: Tally,
    pub(super) open: u64,
    pub(super) open_max: u64,
}

pub(super) fn missing(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("{}: no such file", path.display()))
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            nodes: HashMap::new(),
            names: BTreeMap::from([(PathBuf::from("/"), Name::Folder)]),
            undo: Vec::new(),
            next: 0,
            full: false,
            no_births: false,
            read_errors: 0,
            rates: FaultRates::default(),
            tally: Tally::default(),
            open: 0,
            open_max: 0,
        }
    }

    /// Follows links in the last component; folders are never links here.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let mut path = path.to_path_buf();
        for _ in 0..LINKS_MAX {
            match self.names.get(&path) {
                Some(Name::Link(to)) => path = path.parent().map_or_else(|| to.clone(), |at| at.join(to)),
                _ => return Ok(path),
            }
        }
        Err(io::Error::other(format!("{}: too many links", path.display())))
    }

    pub(super) fn node_at(&self, path: &Path) -> io::Result<u64> {
        match self.names.get(&self.resolve(path)?) {
            Some(Name::File(node)) => Ok(*node),
            Some(_) => Err(io::Error::new(ErrorKind::IsADirectory, "a folder")),
            None => Err(missing(path)),
        }
    }

    pub(super) fn stat(&self, node: &Node) -> FileStat {
        FileStat {
            id: FileId {
                device: DEVICE,
                inode: node.inode,
                birth_ns: if self.no_births { 0 } else { node.birth_ns },
            },
            size: node.data.len() as u64,
            modified_ns: node.modified_ns,
            links: node.links,
            kind: FileKind::File,
        }
    }

    /// Names in a folder.
    pub(super) fn below<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a Name)> {
        let from = self.names.range(folder.to_path_buf()..);
        let within = from.take_while(move |(path, _)| path.starts_with(folder));
        within.filter(move |(path, _)| path.parent() == Some(folder))
    }

    /// Sets names together, as one operation that a crash keeps or undoes as a whole.
    pub(super) fn set(&mut self, changes: Vec<(PathBuf, Option<Name>)>) {
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

    /// Whether a crash may give a file without a name its name back.
    pub(super) fn is_undoable(&self, node: u64) -> bool {
        let mut names = self.undo.iter().flat_map(|undo| &undo.before);
        names.any(|(_, name)| *name == Some(Name::File(node)))
    }

    pub(super) fn synced_folder(&mut self, folder: &Path) {
        self.undo.retain(|undo| undo.folder != folder);
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

    pub(super) fn create(&mut self, path: PathBuf, now_ns: i64, full: bool) -> io::Result<u64> {
        match path.parent().map(|folder| self.names.get(folder)) {
            Some(Some(Name::Folder)) => {}
            _ => return Err(missing(&path)),
        }
        if full {
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

    /// The power fails: where `lost` says so, bytes that were not synced are torn at a place of the seed's choice,
    /// and the last changes of names that were not synced are undone.
    pub(super) fn power_fails(&mut self, lost: &dyn Fn(&Path) -> bool) {
        let pending: Vec<usize> = (0..self.undo.len()).filter(|&at| lost(&self.undo[at].folder)).collect();
        let keep = self.dice.below(pending.len() as u64 + 1) as usize;
        for &at in pending[keep..].iter().rev() {
            let undo = self.undo.remove(at);
            self.tally.add("lost rename or new name", &undo.folder);
            self.apply(undo.before);
        }
        self.undo.retain(|undo| !lost(&undo.folder));
        let files = self.names.iter().filter(|(path, _)| lost(path));
        let files: BTreeMap<u64, PathBuf> = files
            .filter_map(
                |(path, name)| {
                    if let Name::File(node) = name { Some((*node, path.clone())) } else { None }
                },
            )
            .collect();
        for (file, path) in files {
            let Disk { nodes, dice, tally, .. } = self;
            let Some(node) = nodes.get_mut(&file) else { continue };
            if node.power_fails(dice) {
                tally.add("lost or torn write", &path);
            }
        }
    }
}
