//! The cursor record: what one sink has settled of one stream, as it is written to the cursor log.
//!
//! Layout, version 1, little-endian; `u64`s of positions are plain, counts are `u16`:
//!
//! | bytes | field |
//! |---|---|
//! | 4 | length of what follows the checksum |
//! | 4 | CRC-32 (IEEE) of what follows |
//! | 1 | version (1) |
//! | 1 | kind (1: cursor) |
//! | 8 | stream |
//! | 2 | generation |
//! | 2 + n | sink's name |
//! | 8 | low mark: all below is settled |
//! | 2 + 16 n | settled ranges above it, ascending (start, end) |
//!
//! A later record for the same (stream, generation, sink) replaces an earlier one.

use super::{Ranges, StreamId};

const VERSION: u8 = 1;
const KIND_CURSOR: u8 = 1;

/// Settled ranges above the low mark that one record carries; more are not written, so that after a crash they
/// are sent again, under the same ids.
const RANGES_MAX: usize = 1024;

/// What one sink has settled of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorRecord {
    /// The stream.
    pub stream: StreamId,
    /// Its generation.
    pub generation: u16,
    /// The sink's name in the pipeline file.
    pub sink: Box<str>,
    /// Every byte below is settled.
    pub low: u64,
    /// What is settled above.
    pub settled: Ranges,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes end inside the record: a torn write.
    #[error("the record is cut off")]
    Torn,
    /// The bytes are not what was written.
    #[error("the checksum does not fit")]
    Checksum,
    /// The record is whole but was written by a later version.
    #[error("the record has version {0}, this program knows 1")]
    Version(u8),
}

/// Appends a record.
pub fn encode_record(record: &CursorRecord, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[VERSION, KIND_CURSOR]);
    out.extend_from_slice(&record.stream.0.to_le_bytes());
    out.extend_from_slice(&record.generation.to_le_bytes());
    let name = record.sink.as_bytes();
    let name = &name[..name.len().min(u16::MAX as usize)];
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(&record.low.to_le_bytes());
    let ranges: Vec<_> = record.settled.iter().take(RANGES_MAX).collect();
    out.extend_from_slice(&(ranges.len() as u16).to_le_bytes());
    for range in ranges {
        out.extend_from_slice(&range.start.to_le_bytes());
        out.extend_from_slice(&range.end.to_le_bytes());
    }
    let length = (out.len() - start - 8) as u32;
    let checksum = crc32fast::hash(&out[start + 8..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads the record at the start of `bytes` and says how many bytes it took.
pub fn decode_record(bytes: &[u8]) -> Result<(CursorRecord, usize), RecordError> {
    let (length, rest) = take::<4>(bytes)?;
    let (checksum, rest) = take::<4>(rest)?;
    let length = u32::from_le_bytes(length) as usize;
    let body = rest.get(..length).ok_or(RecordError::Torn)?;
    if crc32fast::hash(body) != u32::from_le_bytes(checksum) {
        return Err(RecordError::Checksum);
    }
    let ([version, kind], rest) = take::<2>(body)?;
    if version != VERSION || kind != KIND_CURSOR {
        return Err(RecordError::Version(version));
    }
    let (stream, rest) = take::<8>(rest)?;
    let (generation, rest) = take::<2>(rest)?;
    let (name_len, rest) = take::<2>(rest)?;
    let name_len = u16::from_le_bytes(name_len) as usize;
    let name = rest.get(..name_len).ok_or(RecordError::Torn)?;
    let rest = &rest[name_len..];
    let (low, rest) = take::<8>(rest)?;
    let (count, mut rest) = take::<2>(rest)?;
    let mut settled = Ranges::default();
    for _ in 0..u16::from_le_bytes(count) {
        let (start, after) = take::<8>(rest)?;
        let (end, after) = take::<8>(after)?;
        settled.insert(u64::from_le_bytes(start)..u64::from_le_bytes(end));
        rest = after;
    }
    let record = CursorRecord {
        stream: StreamId(u64::from_le_bytes(stream)),
        generation: u16::from_le_bytes(generation),
        sink: String::from_utf8_lossy(name).into(),
        low: u64::from_le_bytes(low),
        settled,
    };
    Ok((record, 8 + length))
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), RecordError> {
    bytes.split_first_chunk().map(|(head, rest)| (*head, rest)).ok_or(RecordError::Torn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CursorRecord {
        let mut settled = Ranges::default();
        settled.insert(300..400);
        settled.insert(500..600);
        CursorRecord {
            stream: StreamId(0x0123_4567_89ab_cdef),
            generation: 2,
            sink: "es".into(),
            low: 128,
            settled,
        }
    }

    /// Frozen: a log written by one version is read by the next.
    #[test]
    fn the_format_is_frozen() {
        let mut bytes = Vec::new();
        encode_record(&record(), &mut bytes);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&bytes),
            "3a00000084fa4dcb0101efcdab8967452301020002006573800000000000000002002c010000000000009001000000000000f4010000000000005802000000000000"
        );
        assert_eq!(decode_record(&bytes), Ok((record(), bytes.len())));
    }

    /// However a write is torn or a bit flipped, the record is refused and nothing panics.
    #[test]
    fn damage_is_noticed() {
        let mut bytes = Vec::new();
        encode_record(&record(), &mut bytes);
        for len in 0..bytes.len() {
            assert!(decode_record(&bytes[..len]).is_err(), "cut at {len}");
        }
        for bit in 32..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_record(&damaged).is_err(), "bit {bit}");
        }
    }
}
