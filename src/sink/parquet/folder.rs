//! Epochs on the disk. The files of an epoch are written aside, then:
//!
//! 1. every file gets its footer and is synced, and the folder aside is synced;
//! 2. the commit record is made durable: from here on the epoch is whole, whatever happens;
//! 3. the files are renamed to where readers look, and the folders are synced;
//! 4. its batches are settled.
//!
//! A crash before 2 leaves files aside, which the next start removes: their rows were not settled and come again.
//! A crash after 2 leaves renames to do, which the next start does; the record says which bytes of which streams
//! are in. Each step can be done again after an error.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::archive::Home;
use super::commit::{Commits, FileEntry, Folders, Record};
use super::epoch::{Epoch, Fault};
use super::part::Names;
use crate::limits::PARQUET_FOLDERS_MAX;
use crate::position::CursorRecord;
use crate::seam::{Fs, HashSet};
use crate::sink::{Next, World};

pub(super) struct Folder {
    fs: Arc<dyn Fs>,
    folders: Folders,
    commits: Commits,
    /// Part of file names, so that an archive whose records were removed overwrites nothing.
    token: String,
    durable_folders: HashSet<PathBuf>,
    /// Once recorded: the files, and how many are renamed.
    published: Option<(Record, usize)>,
}

impl Folder {
    /// Opens an archive: finishes what is committed, removes what is not.
    pub(super) fn open(world: &World, folder: &Path, sink: &str) -> io::Result<(Self, Vec<CursorRecord>)> {
        let fs = Arc::clone(&world.fs);
        let folders = Folders::new(folder);
        fs.make_folder(&folders.aside)?;
        fs.make_folder(&folders.commits)?;
        let own = folders.archive.join("_aludel");
        for folder in [own.as_path(), &folders.archive].into_iter().chain(folders.archive.parent()) {
            fs.sync_folder(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
        }
        let (commits, unfinished, cursors) = Commits::open(&*fs, &folders, sink)?;
        let mut home = Self {
            token: format!("{:016x}", world.clock.now_unix_ns()),
            fs,
            folders,
            commits,
            durable_folders: HashSet::default(),
            published: None,
        };
        // A record that is seen need not be durable: its name is, before anything that it tells of is seen as well.
        home.fs.sync_folder(&home.folders.commits)?;
        for record in unfinished {
            home.rename(&record, &mut 0)?;
        }
        for (path, _) in home.fs.list(&home.folders.aside)? {
            home.fs.remove(&path)?;
        }
        home.fs.sync_folder(&home.folders.aside)?;
        Ok((home, cursors))
    }

    /// Renames the files of a recorded epoch to where readers look; `done` counts those that are.
    fn rename(&mut self, record: &Record, done: &mut usize) -> io::Result<()> {
        let mut folders = Vec::new();
        for (at, file) in record.files.iter().enumerate() {
            let published = self.folders.archive.join(&file.published);
            let folder = published.parent().unwrap_or(&self.folders.archive).to_owned();
            if at >= *done {
                let aside = self.folders.archive.join(&file.aside);
                // After a crash, a file that is not aside was renamed before.
                if self.exists(&aside)? {
                    self.fs.make_folder(&folder)?;
                    self.fs.rename(&aside, &published)?;
                }
                *done = at + 1;
            }
            if folders.last() != Some(&folder) {
                folders.push(folder);
            }
        }
        folders.sort_unstable();
        folders.dedup();
        self.sync_folders(folders)?;
        self.fs.sync_folder(&self.folders.aside)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.fs.stat(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes names in these folders durable, and those of the folders themselves.
    fn sync_folders(&mut self, folders: Vec<PathBuf>) -> io::Result<()> {
        if self.durable_folders.len() + folders.len() > PARQUET_FOLDERS_MAX {
            self.durable_folders.clear();
        }
        let new = folders.iter().filter(|folder| !self.durable_folders.contains(*folder));
        let above = new.flat_map(|folder| folder.ancestors().skip(1));
        let above = above.filter(|above| above.starts_with(&self.folders.archive)).map(Path::to_owned);
        let all: BTreeSet<PathBuf> = above.chain(folders.iter().cloned()).collect();
        for folder in all {
            self.fs.sync_folder(&folder)?;
        }
        self.durable_folders.extend(folders);
        Ok(())
    }

    fn record(&self, epoch: &Epoch) -> Record {
        let relative = |path: &Path| {
            path.strip_prefix(&self.folders.archive).unwrap_or(path).to_string_lossy().into_owned()
        };
        let entry = |file: &super::part::ClosedFile| FileEntry {
            aside: relative(&file.names.aside),
            published: file.names.published.clone(),
            rows: file.rows,
            bytes: file.bytes,
            upload: None,
        };
        Record::new(epoch.number, epoch.shut.iter().map(entry).collect(), epoch.provenances())
    }
}

impl Home for Folder {
    fn durably(&self) -> bool {
        true
    }

    fn first_epoch(&self) -> u64 {
        self.commits.next_epoch()
    }

    fn names(&self, epoch: u64, number: u64, partition: &str) -> Names {
        let slash = if partition.is_empty() { "" } else { "/" };
        Names {
            number,
            aside: self.folders.aside.join(format!("{epoch:012}-{number:05}.part")),
            published: format!("{partition}{slash}part-{epoch:08}-{number:05}-{}.parquet", self.token),
        }
    }

    fn fill(&mut self, _: &Epoch, _: Duration) -> Result<Next, Fault> {
        Ok(Next::Idle)
    }

    fn publish(&mut self, epoch: &Epoch, _: Duration) -> Result<Option<Next>, Fault> {
        if self.published.is_none() {
            self.fs.sync_folder(&self.folders.aside)?;
            let record = self.record(epoch);
            self.commits.write(&*self.fs, &record)?;
            self.published = Some((record, 0));
        }
        if let Some((record, mut done)) = self.published.take() {
            let result = self.rename(&record, &mut done);
            self.published = Some((record, done));
            result?;
        }
        self.published = None;
        Ok(None)
    }

    fn settled(&mut self) -> io::Result<()> {
        self.commits.merge(&*self.fs)
    }

    fn place(&self) -> String {
        self.folders.archive.display().to_string()
    }
}
