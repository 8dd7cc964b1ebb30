//! The commit records of an archive: what makes an epoch whole, and says which bytes of which streams it holds.
//!
//! A record is one JSON file, on the disk `_aludel/commits/<epoch>.json`:
//!
//! ```json
//! {"crc32":3735928559,"record":{"version":1,"epoch":7,"files":[…],"sources":[…]}}
//! ```
//!
//! with the CRC-32 (IEEE) of the text of `record`. On the disk ([`Commits`]) it is written aside, synced, and
//! renamed, so that it is there whole or not at all; from then on the epoch is committed, whatever else happens.
//! Records of finished epochs are merged into `base.json`, which names no files, so that their number stays
//! bounded. Where they are in an object store: [`bucket`](super::bucket).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::{PARQUET_COMMIT_STREAMS_MAX, PARQUET_COMMITS_MAX};
use crate::position::{CursorRecord, Ranges, StreamId};
use crate::seam::Fs;
use crate::sink::Provenance;

const VERSION: u32 = 1;
const BASE: &str = "base.json";

/// A file of an epoch; paths are relative to the archive's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    /// Name aside; none in an object store.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) aside: String,
    /// Name for readers.
    pub(super) published: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// In an object store: what becomes the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<UploadEntry>,
}

/// A multipart upload, all parts of which are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadEntry {
    pub(super) id: String,
    /// The tags of its parts, in order.
    pub(super) parts: Vec<String>,
}

/// What an epoch holds of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SourceEntry {
    /// As 16 hexadecimal digits, since JSON readers have no 64-bit integers.
    stream: String,
    generation: u16,
    /// The last epoch that touched it.
    epoch: u64,
    ranges: Vec<(u64, u64)>,
}

/// A commit record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    pub(super) epoch: u64,
    pub(super) files: Vec<FileEntry>,
    sources: Vec<SourceEntry>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    crc32: u32,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// What is settled, by stream and generation, with the last epoch that touched it.
pub(super) type Sources = BTreeMap<(u64, u16), (u64, Ranges)>;

impl Record {
    /// The record of an epoch.
    pub(super) fn new<'a>(
        epoch: u64,
        mut files: Vec<FileEntry>,
        provenances: impl Iterator<Item = &'a Provenance>,
    ) -> Self {
        files.sort_by(|a, b| a.published.cmp(&b.published));
        let mut sources = Sources::new();
        for (stream, ranges) in provenances.flat_map(|provenance| &provenance.ranges) {
            let (_, settled) = sources.entry((stream.id.0, stream.generation)).or_default();
            ranges.iter().cloned().for_each(|range| settled.insert(range));
        }
        sources.values_mut().for_each(|(touched, _)| *touched = epoch);
        Self { version: VERSION, epoch, files, sources: entries(sources) }
    }

    /// A record of all that is settled up to an epoch, which stands for the records of finished epochs. Streams
    /// that no epoch touched for longest are forgotten, where there are too many.
    pub(super) fn merged(epoch: u64, mut sources: Sources) -> Self {
        if sources.len() > PARQUET_COMMIT_STREAMS_MAX {
            let mut ages: Vec<u64> = sources.values().map(|(epoch, _)| *epoch).collect();
            let at = ages.len() - PARQUET_COMMIT_STREAMS_MAX;
            let (_, oldest, _) = ages.select_nth_unstable(at);
            let oldest = *oldest;
            sources.retain(|_, (epoch, _)| *epoch >= oldest);
        }
        Self { version: VERSION, epoch, files: Vec::new(), sources: entries(sources) }
    }

    /// Adds what it says is settled.
    pub(super) fn add_to(&self, sources: &mut Sources) -> io::Result<()> {
        for entry in &self.sources {
            let id = u64::from_str_radix(&entry.stream, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            let (touched, settled) = sources.entry((id, entry.generation)).or_default();
            *touched = entry.epoch.max(*touched);
            entry.ranges.iter().for_each(|(start, end)| settled.insert(*start..*end));
        }
        Ok(())
    }

    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let record = serde_json::value::to_raw_value(self)?;
        let crc32 = crc32fast::hash(record.get().as_bytes());
        Ok(serde_json::to_vec(&Envelope { crc32, record: &record })?)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if crc32fast::hash(envelope.record.get().as_bytes()) != envelope.crc32 {
            return Err("the checksum does not fit".to_owned());
        }
        let record: Self = serde_json::from_str(envelope.record.get()).map_err(|error| error.to_string())?;
        match record.version {
            VERSION => Ok(record),
            other => Err(format!("it has version {other}, this program knows {VERSION}")),
        }
    }
}

fn entries(sources: Sources) -> Vec<SourceEntry> {
    let entry = |((stream, generation), (epoch, ranges)): ((u64, u16), (u64, Ranges))| SourceEntry {
        stream: format!("{stream:016x}"),
        generation,
        epoch,
        ranges: ranges.iter().map(|range| (range.start, range.end)).collect(),
    };
    sources.into_iter().map(entry).collect()
}

/// What a sink had settled by its own records.
pub(super) fn cursors(sources: Sources, sink: &str) -> Vec<CursorRecord> {
    let cursor = |((stream, generation), (_, mut settled)): ((u64, u16), (u64, Ranges))| {
        let low = settled.first_gap(0);
        settled.drop_below(low);
        CursorRecord { stream: StreamId(stream), generation, sink: sink.into(), low, settled }
    };
    sources.into_iter().map(cursor).collect()
}

/// Why a start is refused: without the record, neither can the epoch's files be told from rubbish, nor its rows
/// from new ones.
pub(super) fn damaged(name: &str, why: &str) -> String {
    format!(
        "commit record {name} is damaged ({why}); restore it, or move it away to have its rows written again"
    )
}

/// The folders of an archive that readers do not look into.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// The archive.
    pub(super) archive: PathBuf,
    /// Files that are not published.
    pub(super) aside: PathBuf,
    /// Commit records.
    pub(super) commits: PathBuf,
}

impl Folders {
    pub(super) fn new(archive: &Path) -> Self {
        // Readers pass over names with an underscore: Hive, Spark, pyarrow.
        let own = archive.join("_aludel");
        Self { archive: archive.to_owned(), aside: own.join("tmp"), commits: own.join("commits") }
    }
}

/// The commit records on disk.
#[derive(Debug)]
pub(super) struct Commits {
    folders: Folders,
    /// Epochs whose record is not merged yet, ascending.
    epochs: Vec<u64>,
    /// All epochs up to here are merged.
    merged: Option<u64>,
}

impl Commits {
    /// Reads the records. Returns those of epochs that may not be finished, and what all of them say is settled.
    pub(super) fn open(
        fs: &dyn Fs,
        folders: &Folders,
        sink: &str,
    ) -> io::Result<(Self, Vec<Record>, Vec<CursorRecord>)> {
        let mut sources = Sources::new();
        let mut records = Vec::new();
        let mut merged = None;
        for (path, _) in fs.list(&folders.commits)? {
            let record = Record::decode(&read(fs, &path)?)
                .map_err(|why| io::Error::other(damaged(&path.display().to_string(), &why)))?;
            record.add_to(&mut sources)?;
            if path.file_name().is_some_and(|name| name == BASE) {
                merged = Some(record.epoch);
            } else {
                records.push(record);
            }
        }
        records.sort_by_key(|record| record.epoch);
        let commits = Self {
            folders: folders.clone(),
            epochs: records.iter().map(|record| record.epoch).collect(),
            merged,
        };
        // A crash may leave records that are merged: those were finished.
        records.retain(|record| merged.is_none_or(|merged| record.epoch > merged));
        Ok((commits, records, cursors(sources, sink)))
    }

    /// The number of the next epoch.
    pub(super) fn next_epoch(&self) -> u64 {
        self.epochs.last().copied().max(self.merged).map_or(0, |last| last + 1)
    }

    /// Makes a record durable. From here on the epoch is committed. Can be called again after an error.
    pub(super) fn write(&mut self, fs: &dyn Fs, record: &Record) -> io::Result<()> {
        self.put(fs, record, &name(record.epoch))?;
        if self.epochs.last() != Some(&record.epoch) {
            self.epochs.push(record.epoch);
        }
        Ok(())
    }

    fn put(&self, fs: &dyn Fs, record: &Record, name: &str) -> io::Result<()> {
        let aside = self.folders.aside.join(name);
        let file = fs.open_append(&aside)?;
        file.truncate(0)?;
        file.append(&record.encode()?)?;
        file.sync()?;
        fs.rename(&aside, &self.folders.commits.join(name))?;
        fs.sync_folder(&self.folders.commits)
    }

    /// Merges the records, all of finished epochs, once there are many. Can be called again after an error.
    pub(super) fn merge(&mut self, fs: &dyn Fs) -> io::Result<()> {
        if self.epochs.len() < PARQUET_COMMITS_MAX {
            return Ok(());
        }
        let mut sources = Sources::new();
        let names = self.merged.map(|_| BASE.to_owned()).into_iter();
        for name in names.chain(self.epochs.iter().map(|epoch| name(*epoch))) {
            let path = self.folders.commits.join(name);
            let bytes = match read(fs, &path) {
                // Removed by an earlier try.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            Record::decode(&bytes).map_err(io::Error::other)?.add_to(&mut sources)?;
        }
        let epoch = self.next_epoch().saturating_sub(1);
        let record = Record::merged(epoch, sources);
        self.put(fs, &record, BASE)?;
        self.merged = Some(epoch);
        while let Some(first) = self.epochs.first() {
            match fs.remove(&self.folders.commits.join(name(*first))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.epochs.remove(0),
            };
        }
        Ok(())
    }
}

fn name(epoch: u64) -> String {
    format!("{epoch:012}.json")
}

fn read(fs: &dyn Fs, path: &Path) -> io::Result<Vec<u8>> {
    let file = fs.open(path)?;
    let mut bytes = vec![0; file.stat()?.size as usize];
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match file.read_at(at as u64, rest)? {
            0 => break,
            more => at += more,
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}
