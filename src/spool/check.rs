//! Looks through the spools in a data folder, and repairs them.
//!
//! In: a folder that no process writes to, or one that some does (then its last record may look torn). Out: what is in
//! it, record by record, and what is wrong with it. A repair writes damaged segments anew without what is damaged, which
//! it sets aside.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reader::{Damage, Reader, Step};
use super::record::{Kind, Record, State};
use super::segment;
use crate::limits::READ_BLOCK_BYTES;
use crate::seam::{File, FileKind, Fs};

/// Name of the folder of all spools in a data folder.
const SPOOLS: &str = "spool";
/// Where bytes that are no records are set aside, in the folder of a spool.
const QUARANTINE: &str = "quarantine";

/// The folder of a source's spool.
pub fn spool_folder(data_dir: &Path, source: &str) -> PathBuf {
    data_dir.join(SPOOLS).join(source)
}

/// The sources that have a spool in a data folder, with its folder.
pub fn spools(fs: &dyn Fs, data_dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let listed = match fs.list(&data_dir.join(SPOOLS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let folders = listed.into_iter().filter(|(_, kind)| *kind == FileKind::Folder);
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut found: Vec<_> = folders.filter_map(|(path, _)| Some((name(&path)?, path))).collect();
    found.sort();
    Ok(found)
}

/// What is wrong with a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Bytes in the middle are no records.
    Damage(Damage),
    /// Positions have no record: a segment was removed, or damage was set aside before.
    Gone(Range<u64>),
    /// The newest segment ends inside a record, or one is being written.
    Torn {
        /// The segment.
        segment: u64,
        /// The bytes of its file.
        bytes: Range<u64>,
    },
}

/// What is in a spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    /// Segments.
    pub segments: usize,
    /// Bytes on disk.
    pub bytes: u64,
    /// Records of data.
    pub records: u64,
    /// Whether it is a stream of bytes; else it holds messages.
    pub is_stream: bool,
    /// Position of the oldest record.
    pub first: u64,
    /// One past the position of the newest.
    pub end: u64,
    /// When the oldest record of data was received, in nanoseconds since the epoch.
    pub oldest_ns: Option<i64>,
    /// When the newest was.
    pub newest_ns: Option<i64>,
    /// What its headers say.
    pub state: Option<State>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Reads a whole spool, record by record.
pub fn check(fs: &Arc<dyn Fs>, folder: &Path, each: &mut dyn FnMut(&Record<'_>)) -> io::Result<Checkup> {
    let segments = segment::list(&**fs, folder)?;
    let first = segments.first().map_or(0, |segment| segment.first);
    let mut checkup = Checkup {
        segments: segments.len(),
        bytes: segments.iter().map(|segment| segment.size).sum(),
        first,
        end: first,
        ..Checkup::default()
    };
    let mut reader = Reader::new(fs.clone(), folder.into(), first);
    loop {
        match reader.step(u64::MAX)? {
            Step::Chunk(mut chunk) => {
                while let Some(record) = chunk.peek() {
                    checkup.count(&record);
                    each(&record);
                    chunk.advance();
                }
            }
            Step::Damage(damage) => checkup.problems.push(Problem::Damage(damage)),
            Step::Gone(gone) => checkup.problems.push(Problem::Gone(gone)),
            Step::End => break,
        }
    }
    if let Some(last) = segments.last() {
        let size = fs.stat(&segment::path(folder, last.first))?.size;
        if size > reader.offset() && reader.offset() > 0 {
            let bytes = reader.offset()..size;
            checkup.problems.push(Problem::Torn { segment: last.first, bytes });
        }
    }
    Ok(checkup)
}

impl Checkup {
    fn count(&mut self, record: &Record<'_>) {
        self.end = self.end.max(record.end());
        match record.kind {
            Kind::Header | Kind::State => self.state = State::decode(record.payload).or(self.state),
            Kind::Cut => {}
            Kind::Bytes | Kind::Message => {
                self.records += 1;
                self.is_stream |= record.kind == Kind::Bytes;
                self.oldest_ns.get_or_insert(record.received_ns);
                self.newest_ns = Some(record.received_ns);
            }
        }
    }
}

/// Copies bytes that are no records aside; the path of the copy. The same damage has the same one.
pub fn quarantine(fs: &dyn Fs, folder: &Path, damage: &Damage) -> io::Result<PathBuf> {
    let aside = folder.join(QUARANTINE);
    fs.make_private_folder(&aside)?;
    let path = aside.join(format!("{:020}-{}.bad", damage.segment, damage.bytes.start));
    let from = fs.open(&segment::path(folder, damage.segment))?;
    let to = fs.open_private(&path)?;
    to.truncate(0)?;
    copy(&*from, damage.bytes.clone(), &*to)?;
    to.sync()?;
    fs.sync_folder(&aside)?;
    Ok(path)
}

fn copy(from: &dyn File, bytes: Range<u64>, to: &dyn File) -> io::Result<()> {
    let mut at = bytes.start;
    let mut block = vec![0; READ_BLOCK_BYTES];
    while at < bytes.end {
        let wanted = block.len().min((bytes.end - at) as usize);
        match from.read_at(at, &mut block[..wanted]) {
            Ok(0) => break,
            Ok(read) => {
                to.append(&block[..read])?;
                at += read as u64;
            }
            // What cannot be read cannot be kept.
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// Repairs a spool that no process has: damaged bytes are set aside, their segments written anew without them, a torn end
/// is cut off. Says what it did.
pub fn repair(fs: &Arc<dyn Fs>, folder: &Path) -> io::Result<Vec<String>> {
    let mut done = Vec::new();
    let mut damaged: Vec<Damage> = Vec::new();
    for problem in check(fs, folder, &mut |_| {})?.problems {
        match problem {
            Problem::Damage(damage) => {
                let path = quarantine(&**fs, folder, &damage)?;
                let cost = match damage.lost.end - damage.lost.start {
                    0 => "no data is lost".to_owned(),
                    lost => format!(
                        "{lost} bytes of data are lost, positions {} to {}",
                        damage.lost.start, damage.lost.end
                    ),
                };
                done.push(format!(
                    "set aside {} bytes at {} of segment {} as {}: {cost}",
                    damage.bytes.end - damage.bytes.start,
                    damage.bytes.start,
                    damage.segment,
                    path.display()
                ));
                damaged.push(damage);
            }
            Problem::Torn { segment, bytes } => {
                let file = fs.open_append(&segment::path(folder, segment))?;
                file.truncate(bytes.start)?;
                file.sync()?;
                done.push(format!(
                    "cut {} bytes off the torn end of segment {segment}",
                    bytes.end - bytes.start
                ));
            }
            Problem::Gone(_) => {}
        }
    }
    let mut segments: Vec<_> = damaged.iter().map(|damage| damage.segment).collect();
    segments.dedup();
    for first in segments {
        rewrite(&**fs, folder, first, damaged.iter().filter(|damage| damage.segment == first))?;
    }
    Ok(done)
}

/// Writes a segment anew without some of its bytes.
fn rewrite<'a>(
    fs: &dyn Fs,
    folder: &Path,
    first: u64,
    damaged: impl Iterator<Item = &'a Damage>,
) -> io::Result<()> {
    let path = segment::path(folder, first);
    let (from, aside) = (fs.open(&path)?, segment::new_path(folder));
    let to = fs.open_private(&aside)?;
    to.truncate(0)?;
    let mut at = 0;
    for damage in damaged {
        copy(&*from, at..damage.bytes.start, &*to)?;
        at = damage.bytes.end;
    }
    copy(&*from, at..from.stat()?.size, &*to)?;
    to.sync()?;
    fs.rename(&aside, &path)?;
    fs.sync_folder(folder)
}
