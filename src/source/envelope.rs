//! What surrounds a message of Kafka, as bytes behind its text: the record's time, key and headers.
//!
//! | bytes | field |
//! |---|---|
//! | up to the first `Z` | the time, as a container's envelope has it; `Z` alone where there is none |
//! | 4 | length of the key, little-endian; all ones where there is none |
//! | n | key |
//! | the rest | headers as a JSON object; empty where there are none |

use std::ops::Range;

use crate::event::{write_string, write_timestamp};

const NO_KEY: u32 = u32::MAX;

/// Where the parts of an envelope are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The key.
    pub key: Option<Range<usize>>,
    /// The headers, as a JSON object.
    pub headers: Option<Range<usize>>,
}

/// Appends an envelope. Of several headers with one name the last one counts.
pub fn write(ns: Option<i64>, key: Option<&[u8]>, headers: &[(String, Vec<u8>)], out: &mut Vec<u8>) {
    match ns {
        Some(ns) => write_timestamp(ns, out),
        None => out.push(b'Z'),
    }
    let length = key.map_or(NO_KEY, |key| key.len() as u32);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(key.unwrap_or_default());
    let mut before = b'{';
    for (at, (name, value)) in headers.iter().enumerate() {
        if headers.iter().skip(at + 1).any(|(later, _)| later == name) {
            continue;
        }
        out.push(before);
        before = b',';
        write_string(name, out);
        out.push(b':');
        write_string(&String::from_utf8_lossy(value), out);
    }
    if before == b',' {
        out.push(b'}');
    }
}

/// Finds the parts of an envelope.
pub fn read(bytes: &[u8]) -> Envelope {
    let parts = || {
        let at = memchr::memchr(b'Z', bytes)? + 1;
        let length = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
        let start = at + 4;
        let end = if length == NO_KEY { start } else { start + length as usize };
        let headers = bytes.get(end..)?;
        Some(Envelope {
            key: (length != NO_KEY).then_some(start..end),
            headers: (!headers.is_empty()).then_some(end..bytes.len()),
        })
    };
    parts().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let headers = |of: &[(&str, &str)]| -> Vec<(String, Vec<u8>)> {
            of.iter().map(|(name, value)| ((*name).into(), value.as_bytes().to_vec())).collect()
        };
        for (ns, key, of, json) in [
            (
                Some(1_700_000_000_123_000_000),
                Some("kZy"),
                headers(&[("a", "1"), ("b", "\"")]),
                r#"{"a":"1","b":"\""}"#,
            ),
            (None, None, headers(&[]), ""),
            (Some(0), Some(""), headers(&[("a", "1"), ("a", "2")]), r#"{"a":"2"}"#),
        ] {
            let mut bytes = Vec::new();
            write(ns, key.map(str::as_bytes), &of, &mut bytes);
            let found = read(&bytes);
            assert_eq!(found.key.map(|range| &bytes[range]), key.map(str::as_bytes));
            assert_eq!(found.headers.map_or(&b""[..], |range| &bytes[range]), json.as_bytes());
        }
        assert_eq!(read(b""), Envelope::default());
    }
}
