//! Finds stretches of a spool by their positions: the bytes that a dead letter is about.

use std::ops::Range;

use super::log::Spool;
use super::reader::{Reader, Step};
use super::segment::Chunk;

/// Finds bytes; what is asked for nearly always follows what was asked for before.
#[derive(Default)]
pub struct Lookup {
    reader: Option<Reader>,
    chunk: Option<Chunk>,
}

impl Lookup {
    /// Exactly these bytes of the stream; `None` where some of them are gone or not durable.
    pub fn bytes(&mut self, spool: &Spool, range: Range<u64>) -> Option<Vec<u8>> {
        let wanted = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        let known = self.chunk.as_ref().and_then(Chunk::peek).map(|record| record.position);
        if known.is_none_or(|first| first > range.start) {
            (self.reader, self.chunk) = (Some(spool.reader(range.start)), None);
        }
        let mut found = Vec::new();
        loop {
            if let Some(chunk) = &self.chunk {
                gather(chunk.clone(), &range, &mut found);
                if found.len() == wanted {
                    return Some(found);
                }
            }
            match self.reader.as_mut()?.step(spool.durable()) {
                Ok(Step::Chunk(chunk)) => self.chunk = Some(chunk),
                Ok(Step::End | Step::Damage(_) | Step::Gone(_)) | Err(_) => {
                    (self.reader, self.chunk) = (None, None);
                    return None;
                }
            }
        }
    }
}

/// Appends what a chunk has of a range, behind what was found of it before.
fn gather(mut chunk: Chunk, range: &Range<u64>, found: &mut Vec<u8>) {
    while let Some(record) = chunk.peek() {
        let at = range.start + found.len() as u64;
        if record.kind.is_data() && record.position <= at && at < record.end() && at < range.end {
            let from = (at - record.position) as usize;
            let to = record.payload.len().min((range.end - record.position) as usize);
            found.extend_from_slice(record.payload.get(from..to).unwrap_or_default());
        }
        chunk.advance();
    }
}
