//! An epoch as it fills: rows in, one file aside per partition, within the bounds.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::part::{ClosedFile, Names, PartFile};
use super::schema::SCHEMA_HASH;
use super::settings::Settings;
use crate::limits::{
    PARQUET_BUFFER_BYTES, PARQUET_EPOCH_BATCHES_MAX, PARQUET_EPOCH_FILES_MAX, PARQUET_PARTITIONS_MAX,
};
use crate::seam::{Fs, HashMap};
use crate::sink::{Columns, Provenance};

/// What went wrong: the disk, which may get better, or the writer, which does not.
pub(super) enum Fault {
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

/// Which file takes a row: those of one schema and partition.
type PartKey = (String, Arc<str>);

/// What was taken since the last commit.
pub(super) struct Epoch {
    fs: Arc<dyn Fs>,
    settings: Settings,
    /// Files are synced when they are closed.
    durably: bool,
    pub(super) number: u64,
    open: HashMap<PartKey, PartFile>,
    memory: HashMap<PartKey, usize>,
    pub(super) shut: Vec<ClosedFile>,
    shut_bytes: u64,
    pub(super) batches: Vec<(Arc<Provenance>, u32)>,
    /// Of the body at the head of the queue, those that are taken.
    pub(super) columns_taken: usize,
    since: Duration,
    files: u64,
    full: bool,
}

impl Epoch {
    pub(super) fn new(fs: Arc<dyn Fs>, settings: Settings, durably: bool, number: u64) -> Self {
        Self {
            fs,
            settings,
            durably,
            number,
            open: HashMap::default(),
            memory: HashMap::default(),
            shut: Vec::new(),
            shut_bytes: 0,
            batches: Vec::new(),
            columns_taken: 0,
            since: Duration::ZERO,
            files: 0,
            full: false,
        }
    }

    /// The one after it, empty.
    pub(super) fn following(&self) -> Self {
        Self::new(Arc::clone(&self.fs), self.settings.clone(), self.durably, self.number + 1)
    }

    /// Puts bytes out that the disk would not take before.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        self.open.values_mut().try_for_each(PartFile::drain)
    }

    /// Notes that a batch is in, all of it.
    pub(super) fn took(&mut self, provenance: Arc<Provenance>, rows: u32, now: Duration) {
        if self.batches.is_empty() {
            self.since = now;
        }
        self.batches.push((provenance, rows));
    }

    /// When it is to be committed at the latest.
    pub(super) fn due(&self) -> Duration {
        self.since + self.settings.roll_age
    }

    /// Whether it is to take no more rows.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.full
            || self.batches.len() >= PARQUET_EPOCH_BATCHES_MAX
            || self.shut.len() + self.open.len() >= PARQUET_EPOCH_FILES_MAX
            || now >= self.due()
            || self.staged_bytes() >= self.settings.staging_bytes()
    }

    /// Bytes of all its files.
    fn staged_bytes(&self) -> u64 {
        self.shut_bytes + self.open.values().map(PartFile::size_bytes).sum::<u64>()
    }

    /// Puts rows into the file of their partition, and keeps within the bounds.
    pub(super) fn put(
        &mut self,
        columns: &Columns,
        now: Duration,
        names: impl FnOnce(u64, u64) -> Names,
    ) -> Result<(), Fault> {
        let schema = columns.rows.schema();
        let hash = schema.metadata.get(SCHEMA_HASH).cloned().unwrap_or_default();
        let key = (hash, Arc::clone(&columns.partition));
        if !self.open.contains_key(&key) {
            while self.open.len() >= PARQUET_PARTITIONS_MAX {
                self.shut_least_used()?;
            }
            let names = names(self.number, self.files);
            let file = self.fs.open_append(&names.aside)?;
            let part = PartFile::new(file, names, &columns.rows, &self.settings)?;
            self.files += 1;
            self.open.insert(key.clone(), part);
        }
        let Some(part) = self.open.get_mut(&key) else { return Ok(()) };
        part.write(&columns.rows)?;
        part.used = now;
        self.full |= part.size_bytes() >= self.settings.roll_bytes || part.rows() >= self.settings.roll_rows;
        self.memory.insert(key, part.memory_bytes());
        self.keep_within_memory()
    }

    fn keep_within_memory(&mut self) -> Result<(), Fault> {
        while self.memory_bytes() > PARQUET_BUFFER_BYTES {
            let Some((largest, _)) = self.memory.iter().max_by_key(|(_, bytes)| **bytes) else { break };
            let largest = largest.clone();
            let before = self.memory.get(&largest).copied();
            let Some(part) = self.open.get_mut(&largest) else { break };
            part.end_group()?;
            let after = part.memory_bytes();
            self.memory.insert(largest, after);
            if before.is_none_or(|before| after >= before) {
                break;
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.memory.values().sum::<usize>() + self.shut.iter().map(ClosedFile::memory_bytes).sum::<usize>()
    }

    /// Closes the file that was not used for longest.
    fn shut_least_used(&mut self) -> Result<(), Fault> {
        // Those shut before, which the disk would not take, come first.
        self.put_shut_out()?;
        let least = self.open.iter().min_by_key(|(_, part)| part.used).map(|(key, _)| key.clone());
        if let Some(key) = least
            && let Some(part) = self.open.remove(&key)
        {
            self.memory.remove(&key);
            self.shut_bytes += part.size_bytes();
            self.shut.push(part.close()?);
            self.put_shut_out()?;
        }
        Ok(())
    }

    /// Closes all files. Can be called again after an error.
    pub(super) fn shut_all(&mut self) -> Result<(), Fault> {
        let keys: Vec<PartKey> = self.open.keys().cloned().collect();
        for part in keys.iter().filter_map(|key| self.open.remove(key)) {
            self.shut.push(part.close()?);
        }
        self.memory.clear();
        Ok(self.put_shut_out()?)
    }

    fn put_shut_out(&mut self) -> io::Result<()> {
        let mut open = self.shut.iter_mut().filter(|file| !file.is_out());
        open.try_for_each(|file| file.put_out(&*self.fs, self.durably))
    }

    /// All files with the bytes that are aside for good, and whether that is all of the file.
    pub(super) fn written(&self) -> impl Iterator<Item = (&Names, u64, bool)> {
        let shut = self.shut.iter().map(|file| (&file.names, file.written_bytes(), file.is_out()));
        shut.chain(self.open.values().map(|part| (part.names(), part.written_bytes(), false)))
    }

    /// What it was made of.
    pub(super) fn provenances(&self) -> impl Iterator<Item = &Provenance> {
        self.batches.iter().map(|(provenance, _)| &**provenance)
    }
}
