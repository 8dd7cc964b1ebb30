//! LZ4 blocks (<https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md>), as older journals hold them.

/// The first `bytes_max` bytes of what a block holds. `None` where it is none.
pub(super) fn decompress(block: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = block;
    while let Some((&token, after)) = rest.split_first() {
        rest = after;
        let literals = length(token >> 4, &mut rest)?;
        out.extend_from_slice(rest.get(..literals)?);
        rest = &rest[literals..];
        if out.len() >= bytes_max {
            break;
        }
        // The last sequence has no match.
        let Some((offset, after)) = rest.split_first_chunk::<2>() else {
            return rest.is_empty().then_some(out);
        };
        rest = after;
        let matched = length(token & 15, &mut rest)?.checked_add(4)?;
        let from = out.len().checked_sub(usize::from(u16::from_le_bytes(*offset)))?;
        if from == out.len() {
            return None;
        }
        // It may reach into what it makes itself.
        for at in from..from + matched.min(bytes_max - out.len()) {
            out.push(out[at]);
        }
    }
    out.truncate(bytes_max);
    Some(out)
}

/// A length: four bits, and bytes while they are 255.
fn length(nibble: u8, rest: &mut &[u8]) -> Option<usize> {
    let mut length = usize::from(nibble);
    if nibble == 15 {
        loop {
            let (&more, after) = rest.split_first()?;
            *rest = after;
            length = length.checked_add(usize::from(more))?;
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_are_decompressed() {
        assert_eq!(decompress(b"\x30abc", 10).as_deref(), Some(&b"abc"[..]));
        // `ab`, then eight bytes from two back, then `end`.
        assert_eq!(decompress(b"\x24ab\x02\x00\x30end", 99).as_deref(), Some(&b"ababababab\x65nd"[..]));
        assert_eq!(decompress(b"\x24ab\x02\x00\x30end", 5).as_deref(), Some(&b"ababa"[..]));
        let long = [&[0xf0, 255, 30][..], &[b'x'; 300]].concat();
        assert_eq!(decompress(&long, 1000), Some(vec![b'x'; 300]));
        for wrong in [&b"\x30ab"[..], b"\x24ab\x03\x00", b"\x24ab\x00\x00", b"\xf0", b"\x24ab\x02"] {
            assert_eq!(decompress(wrong, 99), None, "{wrong:?}");
        }
    }

    proptest! {
        /// No block makes it panic or give more than it may.
        #[test]
        fn no_block_panics(block in prop::collection::vec(any::<u8>(), 0..60), bytes_max in 0usize..2000) {
            prop_assert!(decompress(&block, bytes_max).is_none_or(|out| out.len() <= bytes_max));
        }
    }
}
