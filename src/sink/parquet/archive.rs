//! The sink: bodies in, epochs of files out.
//!
//! An epoch is all rows from one commit to the next, over all partitions. Its files are written aside, then:
//!
//! 1. every file gets its footer and is synced, and the folder aside is synced;
//! 2. the commit record is made durable: from here on the epoch is whole, whatever happens;
//! 3. the files are renamed to where readers look, and the folders are synced;
//! 4. its batches are settled.
//!
//! A crash before 2 leaves files aside, which the next start removes: their rows were not settled and come again.
//! A crash after 2 leaves renames to do, which the next start does; the record says which bytes of which streams
//! are in. Each step can be done again after an error, and until it succeeds no more rows are taken.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::commit::{Commits, FileEntry, Folders, Record};
use super::part::{ClosedFile, Names, PartFile};
use super::schema::SCHEMA_HASH;
use super::settings::Settings;
use crate::limits::{
    PARQUET_BUFFER_BYTES, PARQUET_EPOCH_BATCHES_MAX, PARQUET_EPOCH_FILES_MAX, PARQUET_FOLDERS_MAX,
    PARQUET_PARTITIONS_MAX,
};
use crate::position::CursorRecord;
use crate::seam::Fs;
use crate::sink::{Body, Columns, Next, Payload, Provenance, Settled, Sink, World};

/// How long to wait before another try after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Which file takes a row: those of one schema and partition.
type PartKey = (String, Arc<str>);

pub(super) struct Archive {
    fs: Arc<dyn Fs>,
    settings: Settings,
    folders: Folders,
    commits: Commits,
    /// Part of file names, so that an archive whose records were removed overwrites nothing.
    token: String,
    durable_folders: HashSet<PathBuf>,
    waiting: VecDeque<Body>,
    epoch: Epoch,
    committing: bool,
    released: usize,
    trouble: Option<String>,
    retry_at: Duration,
    broken: bool,
    closed: bool,
}

/// What was taken since the last commit.
#[derive(Default)]
struct Epoch {
    number: u64,
    open: HashMap<PartKey, PartFile>,
    memory: HashMap<PartKey, usize>,
    shut: Vec<ClosedFile>,
    batches: Vec<(Arc<Provenance>, u32)>,
    /// Of the body at the head of the queue, those that are taken.
    columns_taken: usize,
    since: Duration,
    files: u64,
    full: bool,
    /// Once recorded: the files, and how many are renamed.
    published: Option<(Record, usize)>,
}

/// What went wrong: the disk, which may get better, or the writer, which does not.
enum Fault {
    Disk(io::Error),
    Writer(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<parquet::errors::ParquetError> for Fault {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Writer(error.to_string())
    }
}

impl Archive {
    /// Opens an archive: finishes what is committed, removes what is not.
    pub(super) fn open(
        world: &World,
        settings: Settings,
        sink: &str,
    ) -> io::Result<(Self, Vec<CursorRecord>)> {
        let fs = Arc::clone(&world.fs);
        let folders = Folders::new(&settings.folder);
        fs.make_folder(&folders.aside)?;
        fs.make_folder(&folders.commits)?;
        let own = folders.archive.join("_aludel");
        for folder in [own.as_path(), &folders.archive].into_iter().chain(folders.archive.parent()) {
            fs.sync_folder(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
        }
        let (commits, unfinished, cursors) = Commits::open(&*fs, &folders, sink)?;
        let mut archive = Self {
            epoch: Epoch { number: commits.next_epoch(), ..Epoch::default() },
            token: format!("{:016x}", world.clock.now_unix_ns()),
            fs,
            settings,
            folders,
            commits,
            durable_folders: HashSet::new(),
            waiting: VecDeque::new(),
            committing: false,
            released: 0,
            trouble: None,
            retry_at: Duration::ZERO,
            broken: false,
            closed: false,
        };
        for record in unfinished {
            archive.publish(&record, &mut 0)?;
        }
        for (path, _) in archive.fs.list(&archive.folders.aside)? {
            archive.fs.remove(&path)?;
        }
        archive.fs.sync_folder(&archive.folders.aside)?;
        Ok((archive, cursors))
    }

    /// Renames the files of a recorded epoch to where readers look; `done` counts those that are.
    fn publish(&mut self, record: &Record, done: &mut usize) -> io::Result<()> {
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

    fn work(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Result<Next, Fault> {
        loop {
            self.epoch.open.values_mut().try_for_each(PartFile::drain)?;
            if self.committing {
                self.commit(settled)?;
            }
            if self.take(now, settled)? {
                continue;
            }
            if self.epoch.batches.is_empty() {
                return Ok(if self.closed { Next::Done } else { Next::Idle });
            }
            let due = self.epoch.since + self.settings.roll_age;
            if !self.closed && now < due {
                return Ok(Next::At(due));
            }
            self.committing = true;
        }
    }

    /// Takes the next body, if there is one, and sees whether the epoch is full.
    fn take(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Result<bool, Fault> {
        let Some(body) = self.waiting.pop_front() else { return Ok(false) };
        let taken = match &body.payload {
            Payload::Columns(columns) => columns
                .iter()
                .skip(self.epoch.columns_taken)
                .try_for_each(|columns| self.put(columns, now).map(|()| self.epoch.columns_taken += 1)),
            Payload::Bytes(_) => Ok(()),
        };
        if let Err(fault) = taken {
            self.waiting.push_front(body);
            return Err(fault);
        }
        self.epoch.columns_taken = 0;
        if self.epoch.batches.is_empty() {
            if body.rows == 0 {
                settled.push(Settled::whole(body));
                return Ok(true);
            }
            self.epoch.since = now;
        }
        self.released += body.bytes;
        self.epoch.batches.push((body.provenance, body.rows));
        self.committing = self.epoch.full
            || self.epoch.batches.len() >= PARQUET_EPOCH_BATCHES_MAX
            || self.epoch.shut.len() + self.epoch.open.len() >= PARQUET_EPOCH_FILES_MAX
            || now >= self.epoch.since + self.settings.roll_age;
        Ok(true)
    }

    /// Puts rows into the file of their partition, and keeps within the bounds.
    fn put(&mut self, columns: &Columns, now: Duration) -> Result<(), Fault> {
        let schema = columns.rows.schema();
        let hash = schema.metadata.get(SCHEMA_HASH).cloned().unwrap_or_default();
        let key = (hash, Arc::clone(&columns.partition));
        if !self.epoch.open.contains_key(&key) {
            while self.epoch.open.len() >= PARQUET_PARTITIONS_MAX {
                self.shut_least_used()?;
            }
            let names = self.names(&columns.partition);
            let file = self.fs.open_append(&names.aside)?;
            let part = PartFile::new(file, names, &columns.rows, &self.settings)?;
            self.epoch.files += 1;
            self.epoch.open.insert(key.clone(), part);
        }
        let Some(part) = self.epoch.open.get_mut(&key) else { return Ok(()) };
        part.write(&columns.rows)?;
        part.used = now;
        self.epoch.full |=
            part.size_bytes() >= self.settings.roll_bytes || part.rows() >= self.settings.roll_rows;
        self.epoch.memory.insert(key, part.memory_bytes());
        while self.epoch.memory_bytes() > PARQUET_BUFFER_BYTES {
            let Some((largest, _)) = self.epoch.memory.iter().max_by_key(|(_, bytes)| **bytes) else { break };
            let largest = largest.clone();
            let before = self.epoch.memory.get(&largest).copied();
            let Some(part) = self.epoch.open.get_mut(&largest) else { break };
            part.end_group()?;
            let after = part.memory_bytes();
            self.epoch.memory.insert(largest, after);
            if before.is_none_or(|before| after >= before) {
                break;
            }
        }
        Ok(())
    }

    /// Closes the file that was not used for longest.
    fn shut_least_used(&mut self) -> Result<(), Fault> {
        // Those shut before, which the disk would not take, come first.
        self.sync_shut()?;
        let least = self.epoch.open.iter().min_by_key(|(_, part)| part.used).map(|(key, _)| key.clone());
        if let Some(key) = least
            && let Some(part) = self.epoch.open.remove(&key)
        {
            self.epoch.memory.remove(&key);
            self.epoch.shut.push(part.close()?);
            self.sync_shut()?;
        }
        Ok(())
    }

    fn sync_shut(&mut self) -> io::Result<()> {
        let mut open = self.epoch.shut.iter_mut().filter(|file| !file.is_synced());
        open.try_for_each(|file| file.sync(&*self.fs))
    }

    fn names(&self, partition: &str) -> Names {
        let (epoch, file) = (self.epoch.number, self.epoch.files);
        let own = Path::new("_aludel/tmp").join(format!("{epoch:012}-{file:05}.part"));
        let name = format!("part-{epoch:08}-{file:05}-{}.parquet", self.token);
        Names {
            aside: self.folders.archive.join(own),
            published: self.folders.archive.join(partition).join(name),
        }
    }

    fn commit(&mut self, settled: &mut Vec<Settled>) -> Result<(), Fault> {
        if self.epoch.published.is_none() {
            let keys: Vec<PartKey> = self.epoch.open.keys().cloned().collect();
            for part in keys.iter().filter_map(|key| self.epoch.open.remove(key)) {
                self.epoch.shut.push(part.close()?);
            }
            self.epoch.memory.clear();
            self.sync_shut()?;
            self.fs.sync_folder(&self.folders.aside)?;
            let record = self.record();
            self.commits.write(&*self.fs, &record)?;
            self.epoch.published = Some((record, 0));
        }
        if let Some((record, mut done)) = self.epoch.published.take() {
            let result = self.publish(&record, &mut done);
            self.epoch.published = Some((record, done));
            result?;
        }
        // Bodies gave their memory back when they were taken.
        settled.extend(self.epoch.batches.drain(..).map(|(provenance, rows)| Settled {
            provenance,
            delivered: rows,
            repeated: 0,
            rejected: Vec::new(),
            bytes: 0,
        }));
        self.epoch = Epoch { number: self.epoch.number + 1, ..Epoch::default() };
        self.committing = false;
        Ok(self.commits.merge(&*self.fs)?)
    }

    fn record(&self) -> Record {
        let relative = |path: &Path| {
            path.strip_prefix(&self.folders.archive).unwrap_or(path).to_string_lossy().into_owned()
        };
        let mut files: Vec<FileEntry> = self
            .epoch
            .shut
            .iter()
            .map(|file| FileEntry {
                aside: relative(&file.names.aside),
                published: relative(&file.names.published),
                rows: file.rows,
                bytes: file.bytes,
            })
            .collect();
        files.sort_by(|a, b| a.published.cmp(&b.published));
        Record::new(self.epoch.number, files, self.epoch.batches.iter().map(|(provenance, _)| &**provenance))
    }
}

impl Epoch {
    fn memory_bytes(&self) -> usize {
        self.memory.values().sum::<usize>() + self.shut.iter().map(ClosedFile::memory_bytes).sum::<usize>()
    }
}

impl Sink for Archive {
    fn offer(&mut self, body: Body, _: Duration) {
        self.waiting.push_back(body);
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        if self.broken {
            return Next::At(now + RETRY);
        }
        if self.trouble.is_some() && now < self.retry_at {
            return Next::At(self.retry_at);
        }
        match self.work(now, settled) {
            Ok(next) => {
                self.trouble = None;
                next
            }
            Err(fault) => {
                let place = self.folders.archive.display();
                self.trouble = Some(match fault {
                    Fault::Disk(error) => format!("{place}: {error}; rows wait"),
                    Fault::Writer(why) => {
                        self.broken = true;
                        format!("{place}: {why}; nothing is settled until a restart")
                    }
                });
                self.retry_at = now + RETRY;
                Next::At(self.retry_at)
            }
        }
    }

    fn released(&mut self) -> usize {
        std::mem::take(&mut self.released)
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}
