//! The identity log: which stream each known file is, so that it is the same one after a rename, a truncation or a
//! restart.
//!
//! In: facts as the source learns them. Out, at the next start: the newest record of every stream generation, and
//! the cuts that time made in it. Layout of a body (inside the frame of [`RecordLog`]), version 2, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version (2) |
//! | 1 | kind: 1 file, 2 cut, 3 forgotten, 4 swept, 5 copy, 6 copy gone, 7 departed |
//! | 8, 2 | stream, generation (not for 4) |
//! | 8, 1 | for 2: position of the cut, the lanes that it ended as bits |
//! | 8, 8, 8 | for 1, 5, 6 and 7: device, inode, birth; for 5 and 6 that is all |
//! | 8, 8, 8 | where reading began, how far it has come, size when last seen |
//! | 2 + 8, 2 + 8 | length and fingerprint of the head, and of what is before the position |
//! | 1 | bit 0: it is no longer found by its path; bits 1 to 3: its lines are known to be CRI's, Docker's, plain; bits 4 and 5: it is compressed, by gzip, by zstd; bit 6: and all of it was read |
//! | 8 | where framing begins anew |
//! | 8 | size on the disk, of a compressed file |
//! | rest | path; after a zero byte where it leads if it is a link; after another the path that events carry if it is another |
//!
//! Version 1 had no lanes (a cut ended all of them), no bit 3, and no place to frame from.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::packed::Packing;
use crate::event::Origin;
use crate::frame::Lanes;
use crate::limits::FILES_DEPARTED_MAX;
use crate::position::StreamId;
use crate::seam::{FRAME_HEAD_BYTES, File, FileId, Fs, HashMap, RecordLog, write_frame};

const VERSION: u8 = 2;

/// The oldest version that is read.
const VERSION_MIN: u8 = 1;

const KIND_FILE: u8 = 1;
const KIND_CUT: u8 = 2;
const KIND_FORGOTTEN: u8 = 3;
const KIND_SWEPT: u8 = 4;
const KIND_COPY: u8 = 5;
const KIND_COPY_GONE: u8 = 6;
const KIND_DEPARTED: u8 = 7;

/// Bytes at the start of a file that tell it from others.
pub(super) const HEAD_BYTES: u64 = 1024;

/// Bytes before a position that tell whether the file still is what was read.
pub(super) const TAIL_BYTES: u64 = 256;

/// Length and hash of a stretch of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Print {
    pub(super) len: u16,
    pub(super) hash: u64,
}

impl Print {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let hash = digest.iter().take(8).fold(0u64, |hash, byte| hash << 8 | u64::from(*byte));
        Self { len: bytes.len().min(u16::MAX as usize) as u16, hash }
    }

    /// The print of the stretch of `len` bytes that ends at `end`; shorter where the file is.
    pub(super) fn before(file: &dyn File, end: u64, len: u64) -> io::Result<Self> {
        let start = end.saturating_sub(len);
        let mut bytes = vec![0; (end - start) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(start + filled as u64, &mut bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(Self::of(&bytes))
    }

    /// Whether a file holds this stretch, ending at `end`.
    pub(super) fn fits(self, file: &dyn File, end: u64) -> io::Result<bool> {
        Ok(self.len == 0 || Self::before(file, end, u64::from(self.len))? == self)
    }
}

/// What is known of one stream generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) stream: StreamId,
    pub(super) generation: u16,
    pub(super) id: FileId,
    /// Where reading began when the file was first seen: 0, or further on with `start = end`.
    pub(super) from: u64,
    /// How far reading has come; `tail` is what is before it.
    pub(super) position: u64,
    /// Size when last seen.
    pub(super) size: u64,
    pub(super) head: Print,
    pub(super) tail: Print,
    /// It was rotated away or removed: only its own identity finds it.
    pub(super) leaving: bool,
    /// Where framing begins anew: at the low mark or before, where nothing was open. All cuts since are known.
    pub(super) clean: Option<u64>,
    /// How its lines are wrapped from there on, where the lines before have told.
    pub(super) told: Option<Origin>,
    /// How it is compressed; positions are those of the uncompressed bytes.
    pub(super) packed: Option<Packed>,
    pub(super) path: PathBuf,
    /// Where that leads to, if it is a link: there the file is sought.
    pub(super) real: Option<PathBuf>,
    /// The path that its events carry: the one by which it was found first, so that a row which is sent again after
    /// a rename and a restart goes where it went before.
    pub(super) known_as: Box<str>,
}

/// What is known of a compressed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) packing: Packing,
    /// All of it was read.
    pub(super) whole: bool,
    /// Size on the disk.
    pub(super) disk: u64,
}

impl Record {
    /// The names that the file has, or had.
    pub(super) fn names(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&*self.path).chain(self.real.as_deref())
    }

    /// Where framing begins anew, to give again what is at `low` and beyond, and how lines are wrapped from there on.
    /// A sink that is new has its low mark before all that is remembered: then it is the first byte of all.
    pub(super) fn frame_from(&self, low: u64) -> (u64, Option<Origin>) {
        match self.clean {
            None => (low, self.told),
            Some(clean) if clean <= low => (clean, self.told),
            Some(_) => (self.from, None),
        }
    }
}

/// A stream generation by its two parts.
pub(super) type StreamKey = (StreamId, u16);

/// A place where the stream is cut though its bytes do not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) at: u64,
    /// The lanes of which all that is open ends there; an unfinished line ends where it is all of them.
    pub(super) lanes: Lanes,
}

#[derive(Debug)]
struct Known {
    record: Record,
    cuts: Vec<Cut>,
    bytes: u64,
}

/// The log, open for writing.
pub(super) struct IdentityLog {
    log: RecordLog,
    known: BTreeMap<StreamKey, Known>,
    /// Compressed copies of known streams, which are not read, with the sweep that last saw them.
    copies: HashMap<FileId, (StreamKey, u64)>,
    /// The last streams that went: a compressed copy may come later.
    departed: VecDeque<Record>,
    pending: Vec<u8>,
    /// Something is pending that must be durable before the next event leaves.
    must: bool,
    swept: bool,
    live_bytes: u64,
}

impl IdentityLog {
    /// Reads the log of a source in its data folder, or starts one; says what was wrong with it.
    pub(super) fn open(fs: Arc<dyn Fs>, data_dir: &Path, source: &str) -> io::Result<(Self, Vec<String>)> {
        let (mut known, mut swept, mut live_bytes) = (BTreeMap::new(), false, 0);
        let (mut copies, mut departed) = (HashMap::default(), VecDeque::new());
        let mut each = |frame: &[u8]| match decode(frame.get(FRAME_HEAD_BYTES..).unwrap_or(&[])) {
            Some(Fact::File(record)) => note(&mut known, &mut live_bytes, record, frame.len() as u64),
            Some(Fact::Cut(key, cut)) => {
                if let Some(known) = known.get_mut(&key) {
                    known.cuts.push(cut);
                }
            }
            Some(Fact::Forgotten(key)) => {
                live_bytes -= known.remove(&key).map_or(0, |known: Known| known.bytes);
            }
            Some(Fact::Swept) => swept = true,
            Some(Fact::Copy(key, id)) => {
                copies.insert(id, (key, 0));
            }
            Some(Fact::CopyGone(id)) => {
                copies.remove(&id);
            }
            Some(Fact::Departed(record)) => {
                let key = (record.stream, record.generation);
                live_bytes -= known.remove(&key).map_or(0, |known: Known| known.bytes);
                depart(&mut departed, record);
            }
            None => {}
        };
        let path = data_dir.join(format!("files-{source}.log"));
        let (log, warnings) = RecordLog::open(fs, &path, &mut each)?;
        Ok((
            Self { log, known, copies, departed, pending: Vec::new(), must: false, swept, live_bytes },
            warnings,
        ))
    }

    /// All records, with the cuts in each stream.
    pub(super) fn records(&self) -> impl Iterator<Item = (&Record, &[Cut])> {
        self.known.values().map(|known| (&known.record, &*known.cuts))
    }

    /// The cuts in a stream after a position, in order.
    pub(super) fn cuts_after(&self, key: StreamKey, position: u64) -> VecDeque<Cut> {
        let cuts = self.known.get(&key).into_iter().flat_map(|known| &known.cuts);
        let mut cuts: Vec<_> = cuts.filter(|cut| cut.at > position).copied().collect();
        cuts.sort_by_key(|cut| cut.at);
        cuts.into()
    }

    /// Whether a stream id was given out before.
    pub(super) fn knows(&self, stream: StreamId) -> bool {
        self.known.range((stream, 0)..=(stream, u16::MAX)).next().is_some()
            || self.departed.iter().any(|record| record.stream == stream)
    }

    /// Whether something is known of a stream generation.
    pub(super) fn is_known(&self, key: StreamKey) -> bool {
        self.known.contains_key(&key)
    }

    /// Whether files were looked for before: what is found from now on is new, not old.
    pub(super) fn swept(&self) -> bool {
        self.swept
    }

    /// Notes that files were looked for.
    pub(super) fn set_swept(&mut self) {
        self.swept = true;
        write_frame(&[VERSION, KIND_SWEPT], &mut self.pending);
    }

    /// Notes a record. `must` where its events cannot leave before it is durable.
    pub(super) fn put(&mut self, record: Record, must: bool) {
        let key = (record.stream, record.generation);
        if self.known.get(&key).is_some_and(|known| known.record == record) {
            return;
        }
        self.must |= must;
        let start = self.pending.len();
        write_frame(&encode(KIND_FILE, &record), &mut self.pending);
        let bytes = (self.pending.len() - start) as u64;
        let clean = record.clean;
        note(&mut self.known, &mut self.live_bytes, record, bytes);
        // They stay in the file until it is rewritten: should cursors be lost, all is framed as it was.
        if let (Some(known), Some(clean)) = (self.known.get_mut(&key), clean) {
            known.cuts.retain(|cut| cut.at > clean);
        }
    }

    /// Notes a cut that time made; it must be durable before what was cut leaves.
    pub(super) fn cut(&mut self, key: StreamKey, cut: Cut) {
        self.must = true;
        write_frame(&encode_cut(key, cut), &mut self.pending);
        if let Some(known) = self.known.get_mut(&key) {
            known.cuts.push(cut);
        }
    }

    /// Forgets a stream that will never be read again.
    pub(super) fn forget(&mut self, key: StreamKey) {
        if let Some(known) = self.known.remove(&key) {
            self.live_bytes -= known.bytes;
            let mut body = vec![VERSION, KIND_FORGOTTEN];
            write_key(key, &mut body);
            write_frame(&body, &mut self.pending);
        }
    }

    /// Forgets a stream that will never be read again, but for what tells a copy of it.
    pub(super) fn depart(&mut self, record: Record) {
        let key = (record.stream, record.generation);
        if let Some(known) = self.known.remove(&key) {
            self.live_bytes -= known.bytes;
            write_frame(&encode(KIND_DEPARTED, &record), &mut self.pending);
            depart(&mut self.departed, record);
        }
    }

    /// Streams that went, of which a copy may come, the last one last.
    pub(super) fn departed(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.departed.iter()
    }

    /// A stream that went has come back in a copy.
    pub(super) fn returned(&mut self, key: StreamKey) {
        self.departed.retain(|record| (record.stream, record.generation) != key);
    }

    /// Notes a file that is a copy of a known stream.
    pub(super) fn put_copy(&mut self, id: FileId, key: StreamKey, sweep: u64) {
        self.copies.insert(id, (key, sweep));
        write_frame(&encode_copy(KIND_COPY, key, id), &mut self.pending);
    }

    /// Whether a file is known as a copy; it was seen by this sweep.
    pub(super) fn is_copy(&mut self, id: FileId, sweep: u64) -> bool {
        self.copies.get_mut(&id).map(|copy| copy.1 = sweep).is_some()
    }

    /// Forgets a copy: it is gone, or has become the stream itself.
    pub(super) fn forget_copy(&mut self, id: FileId) {
        if let Some((key, _)) = self.copies.remove(&id) {
            write_frame(&encode_copy(KIND_COPY_GONE, key, id), &mut self.pending);
        }
    }

    /// Forgets the copies that a sweep did not see.
    pub(super) fn swept_copies(&mut self, sweep: u64) {
        let gone = self.copies.iter().filter(|(_, (_, seen))| *seen != sweep);
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.forget_copy(id);
        }
    }

    /// Whether events must wait for [`IdentityLog::commit`].
    pub(super) fn must_commit(&self) -> bool {
        self.must
    }

    /// Hands what was noted to the kernel, so that it outlives the process, if not the power. What fails is still
    /// pending, and said by the next [`IdentityLog::commit`].
    pub(super) fn write(&mut self) {
        if self.log.append(&self.pending).is_ok() {
            self.pending.clear();
        }
    }

    /// Makes all that was noted durable. After an error it is all still pending.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        self.log.append(&self.pending)?;
        self.pending.clear();
        if self.log.wants_rewrite(self.live_bytes) {
            let swept = self.swept.then(|| vec![VERSION, KIND_SWEPT]);
            let bodies = self.known.iter().flat_map(|(key, known)| {
                let cuts = known.cuts.iter().map(|cut| encode_cut(*key, *cut));
                std::iter::once(encode(KIND_FILE, &known.record)).chain(cuts)
            });
            let copies = self.copies.iter().map(|(id, (key, _))| encode_copy(KIND_COPY, *key, *id));
            let departed = self.departed.iter().map(|record| encode(KIND_DEPARTED, record));
            let bodies = swept.into_iter().chain(bodies).chain(copies).chain(departed);
            self.log.rewrite(&mut bodies.map(|body| {
                let mut frame = Vec::new();
                write_frame(&body, &mut frame);
                frame
            }))?;
        } else {
            self.log.sync()?;
        }
        self.must = false;
        Ok(())
    }
}

fn note(known: &mut BTreeMap<StreamKey, Known>, live_bytes: &mut u64, record: Record, bytes: u64) {
    *live_bytes += bytes;
    match known.get_mut(&(record.stream, record.generation)) {
        Some(old) => {
            *live_bytes -= old.bytes;
            (old.record, old.bytes) = (record, bytes);
        }
        None => {
            known.insert((record.stream, record.generation), Known { record, cuts: Vec::new(), bytes });
        }
    }
}

fn write_key(key: StreamKey, out: &mut Vec<u8>) {
    out.extend_from_slice(&key.0.0.to_le_bytes());
    out.extend_from_slice(&key.1.to_le_bytes());
}

fn encode_cut(key: StreamKey, cut: Cut) -> Vec<u8> {
    let mut body = vec![VERSION, KIND_CUT];
    write_key(key, &mut body);
    body.extend_from_slice(&cut.at.to_le_bytes());
    body.push(cut.lanes.0);
    body
}

fn write_id(id: FileId, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.device.to_le_bytes());
    out.extend_from_slice(&id.inode.to_le_bytes());
    out.extend_from_slice(&id.birth_ns.to_le_bytes());
}

fn encode_copy(kind: u8, key: StreamKey, id: FileId) -> Vec<u8> {
    let mut body = vec![VERSION, kind];
    write_key(key, &mut body);
    write_id(id, &mut body);
    body
}

/// Remembers a stream that went, in the place of the one that went first.
fn depart(departed: &mut VecDeque<Record>, record: Record) {
    if departed.len() >= FILES_DEPARTED_MAX {
        departed.pop_front();
    }
    departed.push_back(record);
}

fn encode(kind: u8, record: &Record) -> Vec<u8> {
    let mut body = vec![VERSION, kind];
    write_key((record.stream, record.generation), &mut body);
    write_id(record.id, &mut body);
    for position in [record.from, record.position, record.size] {
        body.extend_from_slice(&position.to_le_bytes());
    }
    for print in [record.head, record.tail] {
        body.extend_from_slice(&print.len.to_le_bytes());
        body.extend_from_slice(&print.hash.to_le_bytes());
    }
    let told = match record.told {
        None => 0,
        Some(Origin::Cri) => 1 << 1,
        Some(Origin::Docker) => 1 << 2,
        // No file holds what only Kafka has.
        Some(Origin::Lines | Origin::Kafka) => 1 << 3,
    };
    let packed = match record.packed {
        None => 0,
        Some(Packed { packing, whole, .. }) => {
            u8::from(packing == Packing::Gzip) << 4
                | u8::from(packing == Packing::Zstd) << 5
                | u8::from(whole) << 6
        }
    };
    body.push(u8::from(record.leaving) | told | packed);
    body.extend_from_slice(&record.clean.unwrap_or(record.from).to_le_bytes());
    body.extend_from_slice(&record.packed.map_or(0, |packed| packed.disk).to_le_bytes());
    body.extend_from_slice(record.path.as_os_str().as_bytes());
    let known_as = (*record.known_as != *record.path.to_string_lossy()).then_some(&record.known_as);
    if record.real.is_some() || known_as.is_some() {
        body.push(0);
        body.extend_from_slice(record.real.iter().next().map_or(&[], |real| real.as_os_str().as_bytes()));
    }
    if let Some(known_as) = known_as {
        body.push(0);
        body.extend_from_slice(known_as.as_bytes());
    }
    body
}

enum Fact {
    File(Record),
    Cut(StreamKey, Cut),
    Forgotten(StreamKey),
    Swept,
    Copy(StreamKey, FileId),
    CopyGone(FileId),
    Departed(Record),
}

/// Takes little-endian numbers off the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn id(&mut self) -> Option<FileId> {
        let (device, inode) = (self.u64()?, self.u64()?);
        Some(FileId { device, inode, birth_ns: self.take().map(i64::from_le_bytes)? })
    }

    fn print(&mut self) -> Option<Print> {
        Some(Print { len: self.u16()?, hash: self.u64()? })
    }
}

fn decode_record(version: u8, key: StreamKey, mut reader: Reader<'_>) -> Option<Record> {
    let id = reader.id()?;
    let (from, position, size) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let (head, tail) = (reader.print()?, reader.print()?);
    let [flags] = reader.take()?;
    let old = version == VERSION_MIN;
    let clean = if old { None } else { Some(reader.u64()?) };
    let disk = if old { 0 } else { reader.u64()? };
    let packing = match flags >> 4 & 3 {
        1 => Some(Packing::Gzip),
        2 => Some(Packing::Zstd),
        _ => None,
    };
    let mut names = reader.0.splitn(3, |byte| *byte == 0);
    let path_of = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
    let path = names.next().map(path_of).unwrap_or_default();
    let real = names.next().filter(|real| !real.is_empty()).map(path_of);
    let known_as = names.next();
    Some(Record {
        stream: key.0,
        generation: key.1,
        id,
        from,
        position,
        size,
        head,
        tail,
        leaving: flags & 1 != 0,
        clean,
        told: match flags >> 1 & 7 {
            1 => Some(Origin::Cri),
            2 => Some(Origin::Docker),
            4 => Some(Origin::Lines),
            _ => None,
        },
        packed: packing.map(|packing| Packed { packing, whole: flags >> 6 & 1 == 1, disk }),
        known_as: known_as.map_or_else(|| path.to_string_lossy(), String::from_utf8_lossy).into(),
        path,
        real,
    })
}

fn decode(body: &[u8]) -> Option<Fact> {
    let mut reader = Reader(body);
    let [version, kind] = reader.take()?;
    if !(VERSION_MIN..=VERSION).contains(&version) {
        return None;
    }
    if kind == KIND_SWEPT {
        return Some(Fact::Swept);
    }
    let key = (StreamId(reader.u64()?), reader.u16()?);
    match kind {
        KIND_CUT => {
            let at = reader.u64()?;
            let lanes = if version == VERSION_MIN { Lanes::ALL } else { Lanes(reader.take::<1>()?[0]) };
            Some(Fact::Cut(key, Cut { at, lanes }))
        }
        KIND_FORGOTTEN => Some(Fact::Forgotten(key)),
        KIND_COPY => Some(Fact::Copy(key, reader.id()?)),
        KIND_COPY_GONE => Some(Fact::CopyGone(reader.id()?)),
        KIND_FILE => decode_record(version, key, reader).map(Fact::File),
        KIND_DEPARTED => decode_record(version, key, reader).map(Fact::Departed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::sim::{SimClock, SimFs};

    #[test]
    fn what_was_committed_is_known_at_the_next_start() {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        let open = || IdentityLog::open(Arc::new(fs.clone()), Path::new("/"), "pods").expect("a log").0;
        let mut record = Record {
            stream: StreamId(9),
            generation: 1,
            id: FileId { device: 1, inode: 2, birth_ns: 3 },
            from: 4,
            position: 5,
            size: 6,
            head: Print::of(b"head"),
            tail: Print::of(b"tail"),
            leaving: true,
            clean: Some(4),
            told: Some(Origin::Docker),
            packed: Some(Packed { packing: Packing::Zstd, whole: true, disk: 77 }),
            path: "/var/log/a.log.1".into(),
            real: Some("/pods/0.log".into()),
            known_as: "/var/log/a.log".into(),
        };
        let mut log = open();
        assert!(!log.swept());
        log.set_swept();
        log.put(record.clone(), true);
        let cut = Cut { at: 5, lanes: Lanes(2) };
        log.cut((StreamId(9), 1), cut);
        assert!(log.must_commit());
        log.commit().expect("space");
        record.position = 50;
        log.put(record.clone(), false);
        fs.crash(Path::new("/"));
        let mut log = open();
        record.position = 5;
        assert!(log.swept() && log.knows(StreamId(9)));
        assert_eq!(log.records().collect::<Vec<_>>(), [(&record, &[cut][..])]);
        record.clean = Some(5);
        log.put(record.clone(), false);
        assert_eq!(log.records().collect::<Vec<_>>(), [(&record, &[][..])]);
        log.forget((StreamId(9), 1));
        log.commit().expect("space");
        assert_eq!(open().records().count(), 0);
    }
}
