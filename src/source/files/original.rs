//! Bytes of a stream as they were read, for dead letters: from the tail's open file, or the file at its path.

use std::ops::Range;

use super::state::Files;
use super::tail::Life;
use super::turn::read_range;
use crate::position::Stream;

impl Files {
    /// Exactly this range. `None` where the file no longer holds what was read: it was cut, or is gone.
    pub(super) fn read_original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        let key = *self.table.by_stream.get(&(stream.id, stream.generation))?;
        let tail = self.table.get(key)?;
        if tail.life == Life::Lost {
            return None;
        }
        let (id, path, packing, record) = (tail.id, tail.path.clone(), tail.packing, tail.record());
        let file = match tail.file.clone() {
            Some(file) => file,
            None => match self.open_as(&path, packing) {
                Ok(opened) if opened.file.stat().is_ok_and(|stat| stat.id == id) => opened.file,
                _ => self.find_by_id(&record, packing).ok()??.0.file,
            },
        };
        let tail = self.table.get(key)?;
        if !tail.holds_what_was_read(&*file).ok()? {
            return None;
        }
        let length = usize::try_from(range.end - range.start).ok()?;
        let bytes = read_range(Some(&*file), range, vec![0; length]).ok()?;
        (bytes.len() == length).then_some(bytes)
    }
}
