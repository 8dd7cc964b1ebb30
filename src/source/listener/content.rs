//! Content encodings: what a client did to a body before it sent it, undone under a bound.

use std::io::{self, Read};

/// How a body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Encoding {
    /// Not at all.
    Identity,
    /// gzip, possibly of several members.
    Gzip,
    /// zlib (what HTTP calls deflate).
    Deflate,
    /// Zstandard, possibly of several frames.
    Zstd,
}

/// Why a body has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::source) enum Refusal {
    /// It is larger than it may be.
    #[error("the body has more than {0} bytes when it is decompressed")]
    TooLarge(usize),
    /// It is not what its encoding says.
    #[error("the body cannot be decompressed: {0}")]
    Damaged(String),
}

impl Encoding {
    /// The encoding of a header `Content-Encoding`; `None` for one that is not known.
    pub(in crate::source) fn of_header(value: &str) -> Option<Self> {
        Some(match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The body as it was before. What it takes of memory is bounded by `bytes_max`, whatever the body says.
    pub(in crate::source) fn decode(self, body: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let damaged = |error: io::Error| Refusal::Damaged(error.to_string());
        match self {
            Self::Identity if body.len() > bytes_max => Err(Refusal::TooLarge(bytes_max)),
            Self::Identity => Ok(body),
            Self::Gzip => read(flate2::bufread::MultiGzDecoder::new(&*body), bytes_max),
            Self::Deflate => read(flate2::bufread::ZlibDecoder::new(&*body), bytes_max),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(&*body).map_err(damaged)?;
                // A frame may ask for a window of gigabytes.
                decoder.window_log_max(WINDOW_LOG_MAX).map_err(damaged)?;
                read(decoder, bytes_max)
            }
        }
    }
}

/// The largest window of a zstd frame, as a power of two: what RFC 8878 asks every decoder to take.
const WINDOW_LOG_MAX: u32 = 23;

fn read(from: impl Read, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let read = from.take(bytes_max as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Refusal::Damaged(error.to_string()))?;
    if bytes.len() > bytes_max { Err(Refusal::TooLarge(bytes_max)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn a_body_is_decompressed_up_to_its_bound() {
        let text = b"abcdefgh".repeat(100);
        for (encoding, body) in [
            (Encoding::Identity, text.clone()),
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Zstd, zstd::encode_all(&*text, 1).expect("memory")),
        ] {
            assert_eq!(encoding.decode(body.clone(), 800), Ok(text.clone()));
            assert_eq!(encoding.decode(body, 799), Err(Refusal::TooLarge(799)));
        }
        let two = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(Encoding::Gzip.decode(two, 10), Ok(b"ab".to_vec()));
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_refused() {
        for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
            assert!(matches!(encoding.decode(b"plain text".to_vec(), 100), Err(Refusal::Damaged(_))));
        }
        let mut cut = gzip(&b"abcdefgh".repeat(100));
        cut.truncate(cut.len() - 9);
        assert!(matches!(Encoding::Gzip.decode(cut, 1000), Err(Refusal::Damaged(_))));
    }

    proptest! {
        /// No bytes make a decoder panic.
        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
                let _ = encoding.decode(body.clone(), 1000);
            }
        }
    }
}
