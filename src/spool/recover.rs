//! Finds out where a spool ends when it is opened, after whatever ended the process before.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::reader::{Reader, Step};
use super::record::{Draft, Found, Kind, State, encode, record_at};
use super::segment::{self, SegmentInfo};
use crate::position::StreamId;
use crate::seam::{Fs, replace_file};

/// How a spool ends.
pub(super) struct Last {
    pub(super) state: State,
    pub(super) end: u64,
    pub(super) cut: bool,
}

/// Finds the end of a spool: that of the last segment in which anything is whole.
pub(super) fn recover(
    fs: &Arc<dyn Fs>,
    folder: &Path,
    fresh: StreamId,
    segments: &mut Vec<SegmentInfo>,
    warnings: &mut Vec<String>,
) -> io::Result<Last> {
    let mut state = State { stream: fresh, framing: None, dropped_below: 0, clean: 0 };
    if segments.is_empty() {
        write_state(&**fs, folder, &state)?;
    } else if let Some(known) = read_state(&**fs, folder)? {
        state = known;
    }
    let mut last = Last { state, end: 0, cut: true };
    while let Some(info) = segments.last().copied() {
        if let Some(found) = recover_segment(fs, folder, info, state, segments, warnings)? {
            return Ok(found);
        }
        last.end = info.first;
    }
    Ok(last)
}

/// Reads the last segment to its end, cuts a torn tail off, and makes what is left durable: a process that was killed
/// may not have come to that. `None` where there is nothing in it; then it is removed.
fn recover_segment(
    fs: &Arc<dyn Fs>,
    folder: &Path,
    info: SegmentInfo,
    mut state: State,
    segments: &mut Vec<SegmentInfo>,
    warnings: &mut Vec<String>,
) -> io::Result<Option<Last>> {
    let path = segment::path(folder, info.first);
    let mut reader = Reader::new(fs.clone(), folder.into(), info.first);
    let (mut end, mut cut, mut holds) = (info.first, true, false);
    let sound = loop {
        match reader.step(u64::MAX)? {
            Step::Chunk(mut chunk) => {
                while let Some(record) = chunk.peek() {
                    match record.kind {
                        Kind::Header | Kind::State => {
                            state = State::decode(record.payload).unwrap_or(state);
                        }
                        Kind::Bytes | Kind::Message => cut = false,
                        Kind::Cut => cut |= record.part == 0,
                    }
                    (end, holds) = (record.end(), true);
                    chunk.advance();
                }
            }
            Step::Damage(_) | Step::Gone(_) => {}
            Step::End => break reader.offset(),
        }
    };
    let file = fs.open_append(&path)?;
    if !holds {
        warnings.push(format!("{}: removed, nothing in it is whole", path.display()));
        fs.remove(&path)?;
        fs.sync_folder(folder)?;
        segments.pop();
        return Ok(None);
    }
    if info.size > sound {
        warnings.push(format!("{}: cut {} bytes of a torn last record", path.display(), info.size - sound));
        file.truncate(sound)?;
        if let Some(last) = segments.last_mut() {
            last.size = sound;
        }
    }
    file.sync()?;
    fs.sync_folder(folder)?;
    Ok(Some(Last { state, end, cut }))
}

/// The file that says which stream the spool is, should the first record of its only segment be damaged.
const STATE: &str = "stream";

fn write_state(fs: &dyn Fs, folder: &Path, state: &State) -> io::Result<()> {
    let (mut bytes, payload) = (Vec::new(), state.encode());
    let draft =
        Draft { kind: Kind::State, part: 0, position: 0, received_ns: 0, peer: "", payload: &payload };
    encode(&draft, &mut bytes);
    replace_file(fs, &folder.join(STATE), &bytes)
}

fn read_state(fs: &dyn Fs, folder: &Path) -> io::Result<Option<State>> {
    let file = match fs.open(&folder.join(STATE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = [0; 256];
    let read = file.read_at(0, &mut bytes)?;
    match record_at(bytes.get(..read).unwrap_or_default()) {
        Found::Whole(record) => Ok(State::decode(record.payload)),
        _ => Ok(None),
    }
}
