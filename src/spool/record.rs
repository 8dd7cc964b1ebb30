//! One record of a spool, as it is written to disk.
//!
//! A frame (length, CRC-32 of what follows, both little-endian `u32`) around a body, version 1, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version (1) |
//! | 1 | kind |
//! | 2 | part: 0 for a whole message, 1, 2, 3 … for the pieces of one that was too long; of a cut: 1 where an unfinished last line stays open |
//! | 8 | position: of the payload's first byte in the stream |
//! | 8 | when it was received, in nanoseconds since the epoch |
//! | 2 + n | the peer: an address or a path |
//! | … | payload |
//!
//! Positions count the payload of data only, so that a range of a spool is as long as what a peer sent. Every record
//! names its position, so that what damage has cost is known exactly.

use crate::event::Origin;
use crate::limits::SPOOL_RECORD_BYTES_MAX;
use crate::position::StreamId;

const VERSION: u8 = 1;

/// Length and checksum before a body.
pub(super) const FRAME_BYTES: usize = 8;
/// The fields of a body before the peer.
const HEAD_BYTES: usize = 22;
/// Longest peer that is written; the rest is cut off.
const PEER_BYTES_MAX: usize = 1024;
/// Longest body that is believed.
const BODY_BYTES_MAX: usize = HEAD_BYTES + PEER_BYTES_MAX + SPOOL_RECORD_BYTES_MAX;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first record of a segment: what a reader must know that comes from earlier ones.
    Header,
    /// A stretch of a stream of bytes, cut wherever it was read.
    Bytes,
    /// A whole message, or one part of it.
    Message,
    /// What is open here was let go: by time, by the end of an input, or by a restart.
    Cut,
    /// What is true of the spool as a whole has changed.
    State,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Header, Self::Bytes, Self::Message, Self::Cut, Self::State];

    fn code(self) -> u8 {
        Self::ALL.iter().position(|kind| *kind == self).map_or(0, |at| at as u8 + 1)
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// Whether its payload is part of the stream.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Bytes | Self::Message)
    }
}

/// A record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// Part of a message.
    pub part: u16,
    /// Position in the stream.
    pub position: u64,
    /// When it was received, in nanoseconds since the epoch.
    pub received_ns: i64,
    /// From whom.
    pub peer: &'a [u8],
    /// What was sent.
    pub payload: &'a [u8],
    /// Bytes of the frame, head included.
    pub frame_bytes: usize,
}

impl Record<'_> {
    /// One past the position of its last byte.
    pub fn end(&self) -> u64 {
        self.position + if self.kind.is_data() { self.payload.len() as u64 } else { 0 }
    }

    /// Where the payload begins, from the start of the frame.
    pub fn payload_at(&self) -> usize {
        self.frame_bytes - self.payload.len()
    }
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    pub(super) kind: Kind,
    pub(super) part: u16,
    pub(super) position: u64,
    pub(super) received_ns: i64,
    pub(super) peer: &'a str,
    pub(super) payload: &'a [u8],
}

/// Appends a record.
pub(super) fn encode(draft: &Draft<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let peer = draft.peer.as_bytes();
    let peer = peer.get(..PEER_BYTES_MAX).unwrap_or(peer);
    out.reserve(FRAME_BYTES + HEAD_BYTES + peer.len() + draft.payload.len());
    out.extend_from_slice(&[0; FRAME_BYTES]);
    out.extend_from_slice(&[VERSION, draft.kind.code()]);
    out.extend_from_slice(&draft.part.to_le_bytes());
    out.extend_from_slice(&draft.position.to_le_bytes());
    out.extend_from_slice(&draft.received_ns.to_le_bytes());
    out.extend_from_slice(&(peer.len() as u16).to_le_bytes());
    out.extend_from_slice(peer);
    out.extend_from_slice(draft.payload);
    let body = start + FRAME_BYTES;
    let length = (out.len() - body) as u32;
    let checksum = crc32fast::hash(&out[body..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..body].copy_from_slice(&checksum.to_le_bytes());
}

/// What the start of some bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record.
    Whole(Record<'a>),
    /// Perhaps the start of one: so many bytes are needed to say.
    Short(usize),
    /// No record starts here.
    Bad,
}

/// Looks at the start of some bytes. The checksum is the last thing looked at: most of what is not a record is told
/// by its first bytes, which keeps a search through damage cheap.
pub fn record_at(bytes: &[u8]) -> Found<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
        return Found::Short(FRAME_BYTES);
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if !(HEAD_BYTES..=BODY_BYTES_MAX).contains(&length) {
        return Found::Bad;
    }
    let known = |at: usize, is: &dyn Fn(u8) -> bool| rest.get(at).is_none_or(|byte| is(*byte));
    if !known(0, &|version| version == VERSION) || !known(1, &|kind| Kind::from_code(kind).is_some()) {
        return Found::Bad;
    }
    let Some(body) = rest.get(..length) else { return Found::Short(FRAME_BYTES + length) };
    if crc32fast::hash(body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Found::Bad;
    }
    decode(body).map_or(Found::Bad, Found::Whole)
}

/// Reads a record whose checksum was looked at before.
pub(super) fn trusted(bytes: &[u8]) -> Option<Record<'_>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    decode(rest.get(4..4 + u32::from_le_bytes(*length) as usize)?)
}

fn decode(body: &[u8]) -> Option<Record<'_>> {
    let ([_, kind], rest) = take::<2>(body)?;
    let (part, rest) = take::<2>(rest)?;
    let (position, rest) = take::<8>(rest)?;
    let (received, rest) = take::<8>(rest)?;
    let (peer_len, rest) = take::<2>(rest)?;
    let (peer, payload) = rest.split_at_checked(usize::from(u16::from_le_bytes(peer_len)))?;
    Some(Record {
        kind: Kind::from_code(kind)?,
        part: u16::from_le_bytes(part),
        position: u64::from_le_bytes(position),
        received_ns: i64::from_le_bytes(received),
        peer,
        payload,
        frame_bytes: FRAME_BYTES + body.len(),
    })
}

fn take<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (*head, rest))
}

/// What is true of a spool as a whole; each segment repeats it, since the ones before may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The stream that the spool is.
    pub stream: StreamId,
    /// How the lines of the stream are wrapped and the position at which that was known.
    pub framing: Option<(Origin, u64)>,
    /// What was not settled below was removed to make room.
    pub dropped_below: u64,
    /// A framer that begins here gives the same messages as one that began before; all below is settled. Only of a spool
    /// that is a stream of bytes.
    pub clean: u64,
}

const ORIGINS: [Origin; 3] = [Origin::Lines, Origin::Cri, Origin::Docker];

impl State {
    /// The payload of a header.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.stream.0.to_le_bytes().to_vec();
        let (origin, at) = self.framing.map_or((0, 0), |(origin, at)| {
            (ORIGINS.iter().position(|known| *known == origin).map_or(0, |at| at as u8 + 1), at)
        });
        out.push(origin);
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&self.dropped_below.to_le_bytes());
        out.extend_from_slice(&self.clean.to_le_bytes());
        out
    }

    /// Reads the payload of a header.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (stream, rest) = take::<8>(payload)?;
        let ([origin], rest) = take::<1>(rest)?;
        let (at, rest) = take::<8>(rest)?;
        let (dropped, rest) = take::<8>(rest)?;
        let (clean, _) = take::<8>(rest)?;
        let origin = usize::from(origin).checked_sub(1).and_then(|at| ORIGINS.get(at));
        Some(Self {
            stream: StreamId(u64::from_le_bytes(stream)),
            framing: origin.map(|origin| (*origin, u64::from_le_bytes(at))),
            dropped_below: u64::from_le_bytes(dropped),
            clean: u64::from_le_bytes(clean),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Vec<u8> {
        let mut out = Vec::new();
        let draft = Draft {
            kind: Kind::Message,
            part: 2,
            position: 77,
            received_ns: 1_700_000_000_000_000_000,
            peer: "192.0.2.1:514",
            payload: b"<34>1 - - - - - - hello",
        };
        encode(&draft, &mut out);
        out
    }

    /// Frozen: a spool written by one version is read by the next.
    #[test]
    fn the_format_is_frozen() {
        let bytes = draft();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&bytes),
            "3a000000ae15be0a010302004d0000000000000000002a36fe9c97170d003139322e302e322e313a3531343c33343e31202d202d202d202d202d202d2068656c6c6f"
        );
        let Found::Whole(record) = record_at(&bytes) else { panic!("whole") };
        assert_eq!((record.kind, record.part, record.position, record.end()), (Kind::Message, 2, 77, 100));
        assert_eq!((record.peer, record.payload), (&b"192.0.2.1:514"[..], &b"<34>1 - - - - - - hello"[..]));
        assert_eq!(record.frame_bytes, bytes.len());
        assert_eq!(bytes.get(record.payload_at()..), Some(record.payload));
        assert_eq!(trusted(&bytes), Some(record));
    }

    /// However a write is torn or a bit flipped, it is refused and nothing panics.
    #[test]
    fn damage_is_noticed() {
        let bytes = draft();
        for len in 0..bytes.len() {
            assert!(!matches!(record_at(&bytes[..len]), Found::Whole(_)), "cut at {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(record_at(&damaged), Found::Whole(_)), "bit {bit}");
        }
        assert_eq!(record_at(&[0; 64]), Found::Bad);
    }

    #[test]
    fn a_header_says_what_it_was_told() {
        for framing in [None, Some((Origin::Lines, 7)), Some((Origin::Docker, 0))] {
            let state = State { stream: StreamId(9), framing, dropped_below: 4096, clean: 77 };
            assert_eq!(State::decode(&state.encode()), Some(state));
        }
    }
}
