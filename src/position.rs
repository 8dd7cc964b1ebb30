//! Where bytes come from, and how far each sink is with them: streams, event ids, ranges, cursors.

mod cursor;
mod id;
mod ranges;

use std::sync::Arc;

pub use cursor::{CursorRecord, RecordError, decode_record, encode_record};
pub use id::{EVENT_ID_LEN, EventId, FIRST_ITEM, IdPrefix, PipelineTag, StreamId, own_bytes};
pub use ranges::Ranges;

/// One generation of one file, one connection, one partition: bytes with positions that never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Names the stream for good; durable before its first event leaves.
    pub id: StreamId,
    /// Counts up when the same stream starts over (a file truncated and written again).
    pub generation: u16,
    /// The source's name in the pipeline file.
    pub source: Box<str>,
    /// The path or address that people know it by (`log.file.path`).
    pub path: Box<str>,
}

/// What is known of a stream from before: per required sink (by its number in the plan), low mark and settled
/// ranges, merged so that everything below the lowest low mark is settled for all.
pub trait Resume: Send + Sync {
    /// The position to read from: the lowest low mark of any required sink; `None` for an unknown stream.
    fn position(&self, stream: StreamId, generation: u16) -> Option<u64>;
    /// What each sink has settled at or above that position; `None` where there is nothing.
    fn settled(&self, stream: StreamId, generation: u16) -> Option<Arc<[Ranges]>>;
}
