//! What is known of a file, and how the identity log keeps it.
//!
//! Layout of a body (inside the frame of [`RecordLog`](crate::seam::RecordLog)), version 2, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version (2) |
//! | 1 | kind: 1 file, 2 cut, 3 forgotten, 4 swept, 5 copy, 6 copy gone, 7 departed, 8 left (another file stands for it) |
//! | 8, 2 | stream, generation (not for 4) |
//! | 8, 1 | for 2: position of the cut, the lanes that it ended as bits |
//! | 8, 8, 8 | for all but 2 and 4: device, inode, birth; only 1 and 7 go on |
//! | 8, 8, 8 | where reading began, how far it has come, size when last seen |
//! | 2 + 8, 2 + 8 | length and fingerprint of the head, and of what is before the position |
//! | 1 | bit 0: it is no longer found by its path; bits 1 to 3: its lines are known to be CRI's, Docker's, plain; bits 4 and 5: it is compressed, by gzip, by zstd; bit 6: and all of it was read |
//! | 8 | where framing begins anew |
//! | 8, 8 | size on the disk, of a compressed file; time of the last change |
//! | 2 + 9 n | cuts after the place where framing begins (position, lanes) |
//! | rest | path; after a zero byte where it leads if it is a link; after another the path that events carry if it is another |
//!
//! Version 1 had no lanes (a cut ended all of them), no file in 3, no bits after 2, and nothing between them and the
//! path.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::packed::Packing;
use crate::event::Origin;
use crate::frame::Lanes;
use crate::position::StreamId;
use crate::seam::{File, FileId};

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
const KIND_LEFT: u8 = 8;

/// Cuts that one record carries; beyond them they are only in the log.
const CUTS_MAX: usize = 1024;

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
    /// Size and time of change when last seen.
    pub(super) size: u64,
    pub(super) modified_ns: i64,
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
    pub(super) fn key(&self) -> StreamKey {
        (self.stream, self.generation)
    }

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

fn write_key(key: StreamKey, out: &mut Vec<u8>) {
    out.extend_from_slice(&key.0.0.to_le_bytes());
    out.extend_from_slice(&key.1.to_le_bytes());
}

pub(super) fn encode_cut(key: StreamKey, cut: Cut) -> Vec<u8> {
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

/// A fact about a stream and a file.
pub(super) fn encode_about(kind: About, key: StreamKey, id: FileId) -> Vec<u8> {
    let kind = match kind {
        About::Forgotten => KIND_FORGOTTEN,
        About::Copy => KIND_COPY,
        About::CopyGone => KIND_COPY_GONE,
        About::Left => KIND_LEFT,
    };
    let mut body = vec![VERSION, kind];
    write_key(key, &mut body);
    write_id(id, &mut body);
    body
}

/// Files were looked for.
pub(super) fn encode_swept() -> Vec<u8> {
    vec![VERSION, KIND_SWEPT]
}

/// A record, with the cuts after the place where its framing begins; `departed` where only it is left of a stream.
pub(super) fn encode(departed: bool, record: &Record, cuts: &[Cut]) -> Vec<u8> {
    let mut body = vec![VERSION, if departed { KIND_DEPARTED } else { KIND_FILE }];
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
    body.extend_from_slice(&record.modified_ns.to_le_bytes());
    let cuts = cuts.get(..CUTS_MAX).unwrap_or(cuts);
    body.extend_from_slice(&(cuts.len() as u16).to_le_bytes());
    for cut in cuts {
        body.extend_from_slice(&cut.at.to_le_bytes());
        body.push(cut.lanes.0);
    }
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

/// What is said about a stream and a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The stream will never be read again.
    Forgotten,
    /// The file is a copy of it.
    Copy,
    /// It is no more.
    CopyGone,
    /// The stream is in another file now.
    Left,
}

/// What a body says.
pub(super) enum Fact {
    File(Record, Vec<Cut>),
    Cut(StreamKey, Cut),
    /// The file is not said by version 1.
    About(About, StreamKey, Option<FileId>),
    Swept,
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

fn decode_record(version: u8, key: StreamKey, mut reader: Reader<'_>) -> Option<(Record, Vec<Cut>)> {
    let id = reader.id()?;
    let (from, position, size) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let (head, tail) = (reader.print()?, reader.print()?);
    let [flags] = reader.take()?;
    let old = version == VERSION_MIN;
    let clean = if old { None } else { Some(reader.u64()?) };
    let disk = if old { 0 } else { reader.u64()? };
    let modified_ns = if old { 0 } else { reader.take().map(i64::from_le_bytes)? };
    let mut cuts = Vec::new();
    for _ in 0..if old { 0 } else { reader.u16()? } {
        cuts.push(Cut { at: reader.u64()?, lanes: Lanes(reader.take::<1>()?[0]) });
    }
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
    let record = Record {
        stream: key.0,
        generation: key.1,
        id,
        from,
        position,
        size,
        modified_ns,
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
    };
    Some((record, cuts))
}

/// Reads a body; `None` for one of a later version.
pub(super) fn decode(body: &[u8]) -> Option<Fact> {
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
        KIND_FORGOTTEN if version == VERSION_MIN => Some(Fact::About(About::Forgotten, key, None)),
        KIND_FORGOTTEN => Some(Fact::About(About::Forgotten, key, Some(reader.id()?))),
        KIND_LEFT => Some(Fact::About(About::Left, key, Some(reader.id()?))),
        KIND_COPY => Some(Fact::About(About::Copy, key, Some(reader.id()?))),
        KIND_COPY_GONE => Some(Fact::About(About::CopyGone, key, Some(reader.id()?))),
        KIND_FILE => decode_record(version, key, reader).map(|(record, cuts)| Fact::File(record, cuts)),
        KIND_DEPARTED => decode_record(version, key, reader).map(|(record, _)| Fact::Departed(record)),
        _ => None,
    }
}
