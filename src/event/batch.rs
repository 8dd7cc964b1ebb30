//! What a reader hands to a worker: segments of bytes as read, and the messages found in them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::Span;
use crate::limits::{BATCH_BYTES, BATCH_MESSAGES_MAX, BATCH_SEGMENTS_MAX};
use crate::position::{Ranges, Stream};

/// Bytes as a source read them, shared by the messages cut from them.
#[derive(Debug)]
pub struct Segment {
    bytes: Vec<u8>,
    /// Found out when first asked for: much is shipped without anyone asking.
    clean: OnceLock<bool>,
    utf8: OnceLock<bool>,
}

impl Segment {
    /// Takes the bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, clean: OnceLock::new(), utf8: OnceLock::new() }
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is UTF-8 and holds no backslash and no control character but the line feed.
    #[inline]
    pub fn is_clean(&self) -> bool {
        *self.clean.get_or_init(|| is_clean(&self.bytes) && self.is_utf8())
    }

    /// Whether it is UTF-8.
    #[inline]
    pub fn is_utf8(&self) -> bool {
        *self.utf8.get_or_init(|| simdutf8::basic::from_utf8(&self.bytes).is_ok())
    }

    /// The buffer, for another read.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn is_clean(bytes: &[u8]) -> bool {
    // Chunks without a branch inside, so that the compiler uses vector instructions of the baseline target.
    bytes.chunks(4096).all(|chunk| {
        chunk
            .iter()
            .fold(0u8, |bad, &byte| bad | u8::from((byte < 0x20) & (byte != b'\n')) | u8::from(byte == b'\\'))
            == 0
    })
}

/// One message: a line, or the lines and parts that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text, without envelope and separator.
    pub text: Span,
    /// The envelope's time stamp as text (CRI and docker); for plain lines the header lines above it; or empty.
    pub time: Span,
    /// Position of the message's first byte in the stream, envelope included.
    pub start: u64,
    /// One past the position of its last byte, separator included.
    pub end: u64,
    /// Lane: 0 for a plain stream or container `stdout`, 1 for `stderr`.
    pub lane: u8,
    /// 0 for a whole message; parts of one that went over a bound count 1, 2, 3 …
    pub part: u16,
}

/// How the lines of a stream are wrapped; decides what [`Message::lane`] and [`Message::time`] mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Plain lines.
    #[default]
    Lines,
    /// Kubernetes CRI log lines.
    Cri,
    /// Docker's json-file driver.
    Docker,
    /// Messages of Kafka: [`Message::time`] is the whole envelope of the record, which begins with its time.
    Kafka,
}

/// A stretch of messages of one stream.
#[derive(Clone, Debug)]
pub struct Run {
    /// The stream.
    pub stream: Arc<Stream>,
    /// How its lines are wrapped.
    pub origin: Origin,
    /// Where this process began to read the stream generation: all below was settled before, or skipped on
    /// purpose. The same in every run of the stream; an open message may be handed on later than its neighbours,
    /// so the lowest range seen so far does not tell.
    pub from: u64,
    /// Index range in [`Batch::messages`].
    pub messages: Range<u32>,
    /// The bytes of the stream that these messages (and separators, and blank lines) cover: disjoint, ascending.
    /// Nearly always one range; more where lanes interleave.
    pub ranges: Vec<Range<u64>>,
    /// After a restart: what each sink (by its number in the plan) had settled before, where that reaches into
    /// this run. A sink is not offered a message whose start is in its set.
    pub settled: Option<Arc<[Ranges]>>,
}

/// Messages on their way to a worker.
#[derive(Debug, Default)]
pub struct Batch {
    /// The bytes that messages point into: segment `n` is buffer [`Span::SEGMENTS`]` + n`. Segment 0 holds the
    /// messages that were joined from several pieces.
    pub segments: Vec<Arc<Segment>>,
    /// Which messages are of which stream, in order.
    pub runs: Vec<Run>,
    /// The messages.
    pub messages: Vec<Message>,
    /// Bytes of input that the batch accounts for.
    pub bytes: usize,
    /// When it was read, in nanoseconds since the epoch: the time of events that carry none.
    pub read_unix_ns: i64,
}

impl Batch {
    /// Whether it should be handed on: who fills a batch and who hands it on must agree, or both wait for ever.
    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES
            || self.messages.len() >= BATCH_MESSAGES_MAX
            || self.segments.len() >= BATCH_SEGMENTS_MAX
            || self.segments.first().is_some_and(|joined| joined.bytes().len() >= BATCH_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_knows_what_must_be_escaped() {
        assert!(Segment::new(b"a \"quoted\" line\n".to_vec()).is_clean());
        assert!(Segment::new("caf\u{e9}\n".into()).is_clean());
        for bytes in [&b"back\\slash"[..], b"tab\t", b"\xff\xfe", b"bell\x07"] {
            assert!(!Segment::new(bytes.to_vec()).is_clean(), "{bytes:?}");
        }
    }
}
