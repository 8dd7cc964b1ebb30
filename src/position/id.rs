//! Event ids: the exact bytes that an event was made of, as 36 letters.
//!
//! Layout, version 1, 27 bytes, big-endian, written as base64url without padding (RFC 4648 §5):
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version (1) |
//! | 8 | stream |
//! | 2 | generation |
//! | 1 | lane |
//! | 3 | pipeline: first bytes of SHA-256 of its name |
//! | 6 | start: position of the first byte |
//! | 4 | length: end − start |
//! | 2 | part |
//!
//! The first 15 bytes are the same for a whole run of events, and 15 is a multiple of 3, so their letters are
//! made once per run. Content hashes are not ids: they lose twins.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// Letters in an event id.
pub const EVENT_ID_LEN: usize = 36;

const VERSION: u8 = 1;
const PREFIX_LEN: usize = 20;
const ID_BYTES: usize = 27;

/// Names a stream among all streams of all hosts: the first 8 bytes of a SHA-256 over the facts it is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u64);

impl StreamId {
    /// The id made from facts that no two streams share, such as host, device, inode and birth time.
    pub fn from_facts(facts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for fact in facts {
            hash.update((fact.len() as u64).to_be_bytes());
            hash.update(fact);
        }
        Self(u64::from_be_bytes(first(&hash.finalize())))
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Three bytes that stand for a pipeline in an event id. The compiler refuses two pipelines with the same tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PipelineTag([u8; 3]);

impl PipelineTag {
    /// The tag of a pipeline's name.
    pub fn new(name: &str) -> Self {
        Self(first(&Sha256::digest(name.as_bytes())))
    }
}

/// What an event id names: where the bytes are that the event was made of, and the pipeline that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The stream.
    pub stream: StreamId,
    /// Its generation.
    pub generation: u16,
    /// The lane.
    pub lane: u8,
    /// The pipeline.
    pub pipeline: PipelineTag,
    /// Position of the first byte.
    pub start: u64,
    /// One past the position of the last byte.
    pub end: u64,
    /// Part of a message that was cut; 0 for a whole one.
    pub part: u16,
}

/// The part of the first event that a message was unrolled to; the others count on. Parts of a message that was cut are
/// numbered from 1 and never come near.
pub const FIRST_ITEM: u16 = 0x8000;

/// Source bytes that an event stands for in the books: those of its message, and nothing for further items of one.
pub fn own_bytes(start: u64, end: u64, part: u16) -> u64 {
    if part > FIRST_ITEM { 0 } else { end.saturating_sub(start) }
}

impl EventId {
    /// Source bytes that the event stands for in the books; see [`own_bytes`].
    pub fn own_bytes(&self) -> u64 {
        own_bytes(self.start, self.end, self.part)
    }

    /// Reads the letters of an id. `None` where they are not one of this version.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; ID_BYTES];
        if text.len() != EVENT_ID_LEN || BASE64URL_NOPAD.decode_mut(text, &mut bytes).ok()? != ID_BYTES {
            return None;
        }
        let (&version, rest) = bytes.split_first()?;
        let (stream, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (&lane, rest) = rest.split_first()?;
        let (&pipeline, rest) = rest.split_first_chunk()?;
        let (&[a, b, c, d, e, f], rest) = rest.split_first_chunk()?;
        let (&length, rest) = rest.split_first_chunk()?;
        let start = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        (version == VERSION).then_some(Self {
            stream: StreamId(u64::from_be_bytes(*stream)),
            generation: u16::from_be_bytes(*generation),
            lane,
            pipeline: PipelineTag(pipeline),
            start,
            end: start + u64::from(u32::from_be_bytes(length)),
            part: u16::from_be_bytes(*rest.first_chunk()?),
        })
    }

    /// The letters of the id.
    pub fn encode(&self) -> [u8; EVENT_ID_LEN] {
        let prefix = IdPrefix::new(self.stream, self.generation, self.lane, self.pipeline);
        prefix.id(self.start, self.end, self.part)
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.encode().iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut to = [0; N];
    for (to, from) in to.iter_mut().zip(bytes) {
        *to = *from;
    }
    to
}

/// The part of an id that a run of events shares.
#[derive(Clone, Copy, Debug)]
pub struct IdPrefix([u8; PREFIX_LEN]);

impl IdPrefix {
    /// The shared part for one stream generation, lane and pipeline.
    pub fn new(stream: StreamId, generation: u16, lane: u8, pipeline: PipelineTag) -> Self {
        let mut bytes = [0; 15];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&stream.0.to_be_bytes());
        bytes[9..11].copy_from_slice(&generation.to_be_bytes());
        bytes[11] = lane;
        bytes[12..15].copy_from_slice(&pipeline.0);
        let mut text = [0; PREFIX_LEN];
        BASE64URL_NOPAD.encode_mut(&bytes, &mut text);
        Self(text)
    }

    /// The id of the event made of the bytes `start..end`, `part` of a message that was cut (0 for a whole one).
    #[inline]
    pub fn id(&self, start: u64, end: u64, part: u16) -> [u8; EVENT_ID_LEN] {
        let mut bytes = [0; 12];
        bytes[..6].copy_from_slice(&start.to_be_bytes()[2..]);
        let length = u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX);
        bytes[6..10].copy_from_slice(&length.to_be_bytes());
        bytes[10..].copy_from_slice(&part.to_be_bytes());
        let mut id = [0; EVENT_ID_LEN];
        id[..PREFIX_LEN].copy_from_slice(&self.0);
        BASE64URL_NOPAD.encode_mut(&bytes, &mut id[PREFIX_LEN..]);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: a change of one letter duplicates every event that is sent again after an upgrade.
    #[test]
    fn the_layout_is_frozen() {
        let stream = StreamId::from_facts(&[b"host", b"inode", b"7"]);
        assert_eq!(stream.to_string(), "1a310bfdeb25fcf8");
        let prefix = IdPrefix::new(stream, 2, 1, PipelineTag::new("web"));
        assert_eq!(
            str::from_utf8(&prefix.id(1_000_000, 1_000_240, 3)),
            Ok("ARoxC_3rJfz4AAIBS15XAAAAD0JAAAAA8AAD")
        );
    }

    /// What is written is read back; anything else is no id.
    #[test]
    fn an_id_says_where_its_bytes_are() {
        let id = EventId {
            stream: StreamId(0x0123_4567_89ab_cdef),
            generation: 513,
            lane: 1,
            pipeline: PipelineTag::new("web"),
            start: 0xfe_dcba_9876,
            end: 0xfe_dcba_9876 + 70_000,
            part: 3,
        };
        assert_eq!(EventId::decode(&id.encode()), Some(id));
        assert_eq!(id.to_string().as_bytes(), id.encode());
        let letters = b"ARoxC_3rJfz4AAIBS15XAAAAD0JAAAAA8AAD";
        let decoded = EventId::decode(letters).expect("an id");
        assert_eq!((decoded.start, decoded.end, decoded.part), (1_000_000, 1_000_240, 3));
        for len in 0..letters.len() {
            assert_eq!(EventId::decode(&letters[..len]), None);
        }
        for other in ["BRoxC_3rJfz4AAIBS15XAAAAD0JAAAAA8AAD", "ARoxC+3rJfz4AAIBS15XAAAAD0JAAAAA8AAD"] {
            assert_eq!(EventId::decode(other.as_bytes()), None);
        }
    }

    #[test]
    fn every_part_of_the_name_counts() {
        let id = |stream, generation, lane, pipeline, start, end, part| {
            IdPrefix::new(StreamId(stream), generation, lane, PipelineTag::new(pipeline)).id(start, end, part)
        };
        let base = id(1, 1, 0, "a", 0, 10, 0);
        for other in [
            id(2, 1, 0, "a", 0, 10, 0),
            id(1, 2, 0, "a", 0, 10, 0),
            id(1, 1, 1, "a", 0, 10, 0),
            id(1, 1, 0, "b", 0, 10, 0),
            id(1, 1, 0, "a", 1, 10, 0),
            id(1, 1, 0, "a", 0, 11, 0),
            id(1, 1, 0, "a", 0, 10, 1),
        ] {
            assert_ne!(base, other);
        }
    }
}
