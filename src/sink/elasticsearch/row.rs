//! An encoded row, taken apart: its data stream, its id, its document. What `encode.rs` writes, read back.

/// The parts of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// Name of the data stream, as a JSON string with its quotes.
    pub(super) stream: &'a [u8],
    /// The event's id.
    pub(super) id: &'a [u8],
    /// The document, without its line feed.
    pub(super) document: &'a [u8],
}

/// Takes a row apart. `None` for bytes that the encoder does not write.
pub(super) fn parts(row: &[u8]) -> Option<Parts<'_>> {
    const ID: &[u8] = b",\"_id\":\"";
    let end = memchr::memchr(b'\n', row)?;
    let action = row.get(..end)?.strip_prefix(b"{\"create\":{\"_index\":")?.strip_suffix(b"\"}}")?;
    // Ids hold no quote, so the last such place is the one.
    let at = memchr::memmem::rfind(action, ID)?;
    let document = row.get(end + 1..)?;
    Some(Parts {
        stream: action.get(..at)?,
        id: action.get(at + ID.len()..)?,
        document: document.strip_suffix(b"\n").unwrap_or(document),
    })
}

/// The same row with another document.
pub(super) fn with_document(row: &[u8], parts: Parts<'_>, document: &[u8]) -> Vec<u8> {
    let action = row.len() - row.strip_suffix(b"\n").map_or(0, |_| 1) - parts.document.len();
    let mut out = row.get(..action).unwrap_or_default().to_vec();
    out.extend_from_slice(document);
    out.push(b'\n');
    out
}

/// The name that a JSON string stands for.
pub(super) fn name(stream: &[u8]) -> Option<String> {
    serde_json::from_slice(stream).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_taken_apart() {
        let row = b"{\"create\":{\"_index\":\"logs-a\\u00fc-b\",\"_id\":\"AbC-_9\"}}\n{\"n\":1}\n";
        let parts = parts(row).expect("a row");
        assert_eq!((parts.id, parts.document), (&b"AbC-_9"[..], &b"{\"n\":1}"[..]));
        assert_eq!(name(parts.stream).as_deref(), Some("logs-a\u{fc}-b"));
        let other = with_document(row, parts, b"{}");
        assert_eq!(other, b"{\"create\":{\"_index\":\"logs-a\\u00fc-b\",\"_id\":\"AbC-_9\"}}\n{}\n");
        for other in [&b""[..], b"{}\n{}\n", b"{\"create\":{\"_index\":\"a\"}}\n{}\n", b"{\"create\":"] {
            assert_eq!(super::parts(other), None);
        }
    }
}
