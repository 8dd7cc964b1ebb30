//! The state of a pipeline's detectors on disk, with the bytes of streams that it stands for: one file, written
//! aside, synced and renamed, so that it is there whole or not at all.
//!
//! `detectors/PIPELINE.state`: a version (`u64`), the CRC-32 of what follows (`u64`), then what is settled, by stream,
//! then the engine's state. Little-endian.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::detect::stateful::bytes::{Get, Put};
use crate::limits::SNAPSHOT_STREAMS_MAX;
use crate::position::{CursorRecord, Ranges, StreamId};
use crate::seam::{Fs, read_file, replace_file};
use crate::sink::Provenance;

const VERSION: u64 = 1;
const FOLDER: &str = "detectors";

/// Which bytes of which streams a state stands for, with the snapshot that last touched each stream.
#[derive(Debug, Default)]
pub(super) struct Settlement {
    number: u64,
    streams: BTreeMap<(u64, u16), (u64, Ranges)>,
}

impl Settlement {
    /// Adds what a batch accounts for.
    pub(super) fn add(&mut self, provenance: &Provenance) {
        for (stream, ranges) in &provenance.ranges {
            let (touched, settled) = self.streams.entry((stream.id.0, stream.generation)).or_default();
            *touched = self.number;
            ranges.iter().cloned().for_each(|range| settled.insert(range));
        }
    }

    /// The same as cursors of a sink.
    pub(super) fn cursors(&self, sink: &str) -> Vec<CursorRecord> {
        let cursor = |((stream, generation), (_, settled)): (&(u64, u16), &(u64, Ranges))| {
            let mut settled = settled.clone();
            let low = settled.first_gap(0);
            settled.drop_below(low);
            CursorRecord {
                stream: StreamId(*stream),
                generation: *generation,
                sink: sink.into(),
                low,
                settled,
            }
        };
        self.streams.iter().map(cursor).collect()
    }

    /// Forgets the streams that nothing was taken of for longest, where there are too many.
    fn bound(&mut self) {
        if self.streams.len() > SNAPSHOT_STREAMS_MAX {
            let mut ages: Vec<u64> = self.streams.values().map(|(touched, _)| *touched).collect();
            let at = ages.len() - SNAPSHOT_STREAMS_MAX;
            let oldest = *ages.select_nth_unstable(at).1;
            self.streams.retain(|_, (touched, _)| *touched >= oldest);
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.number);
        out.put_u64(self.streams.len() as u64);
        for ((stream, generation), (touched, settled)) in &self.streams {
            out.put_u64(*stream);
            out.put_u64(u64::from(*generation));
            out.put_u64(*touched);
            out.put_u64(settled.len() as u64);
            for range in settled.iter() {
                out.put_u64(range.start);
                out.put_u64(range.end);
            }
        }
    }

    fn load(from: &mut Get<'_>) -> Option<Self> {
        let number = from.u64()?;
        let mut streams = BTreeMap::new();
        for _ in 0..from.count()? {
            let stream = (from.u64()?, u16::try_from(from.u64()?).ok()?);
            let touched = from.u64()?;
            let mut settled = Ranges::default();
            for _ in 0..from.count()? {
                settled.insert(from.u64()?..from.u64()?);
            }
            streams.insert(stream, (touched, settled));
        }
        Some(Self { number, streams })
    }
}

/// What was kept.
pub(super) struct Kept {
    pub(super) settled: Settlement,
    /// For the engine.
    pub(super) state: Vec<u8>,
}

/// The file.
pub(super) struct Snapshots {
    fs: Arc<dyn Fs>,
    path: PathBuf,
}

impl Snapshots {
    /// Reads what was kept; nothing at the first start.
    pub(super) fn open(
        fs: &Arc<dyn Fs>,
        data_dir: &Path,
        pipeline: &str,
    ) -> io::Result<(Self, Option<Kept>)> {
        let folder = data_dir.join(FOLDER);
        fs.make_folder(&folder)?;
        let snapshots = Self { fs: fs.clone(), path: folder.join(format!("{pipeline}.state")) };
        let bytes = match read_file(&**fs, &snapshots.path, u64::MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((snapshots, None)),
            read => read?,
        };
        // A killed process may have left it without its name on the disk yet: what it says is settled is believed from now
        // on, and another one must not be there after the power has failed.
        fs.sync_folder(&folder)?;
        let kept = decode(&bytes).map_err(|why| io::Error::other(snapshots.damaged(why)))?;
        Ok((snapshots, Some(kept)))
    }

    /// Why a start is refused: to go on without the state would forget what keys did, and say nothing.
    pub(super) fn damaged(&self, why: &str) -> String {
        let path = self.path.display();
        format!("{path}: {why}; restore it, or move it away: then its detectors begin anew")
    }

    /// Makes a state durable. Can be called again after an error.
    pub(super) fn write(&mut self, settled: &mut Settlement, state: &[u8]) -> io::Result<()> {
        settled.number += 1;
        settled.bound();
        let mut body = Vec::with_capacity(state.len() + 1024);
        settled.save(&mut body);
        body.extend_from_slice(state);
        let mut bytes = Vec::with_capacity(body.len() + 16);
        bytes.put_u64(VERSION);
        bytes.put_u64(u64::from(crc32fast::hash(&body)));
        bytes.append(&mut body);
        replace_file(&*self.fs, &self.path, &bytes)
    }
}

fn decode(bytes: &[u8]) -> Result<Kept, &'static str> {
    let mut from = Get(bytes);
    if from.u64() != Some(VERSION) {
        return Err("it was written by another version");
    }
    if from.u64() != Some(u64::from(crc32fast::hash(from.0))) {
        return Err("its checksum does not fit");
    }
    let settled = Settlement::load(&mut from).ok_or("it is cut off")?;
    Ok(Kept { settled, state: from.0.to_vec() })
}
