//! Sets of bytes, where tokens begin, and how random a text is.

pub(super) fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Letters, digits, `_` and `-`: base64url.
pub(super) fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

pub(super) fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

pub(super) fn lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// Small letters and digits.
pub(super) fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Capitals and digits.
pub(super) fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// The alphabet of base32 (RFC 4648 §6).
pub(super) fn base32(byte: u8) -> bool {
    byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)
}

/// The alphabet of base64 (RFC 4648 §4), without padding.
pub(super) fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// The same with padding, and that of base64url.
pub(super) fn padded(byte: u8) -> bool {
    base64(byte) || matches!(byte, b'=' | b'-' | b'_')
}

pub(super) fn digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

pub(super) fn letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}

/// What secrets of Azure's directory are made of.
pub(super) fn tilde(byte: u8) -> bool {
    word(byte) || byte == b'~' || byte == b'.'
}

/// The bytes at the start for which `set` holds, at most `most`.
pub(super) fn run(bytes: &[u8], set: impl Fn(u8) -> bool, most: usize) -> usize {
    bytes.iter().take(most).take_while(|byte| set(**byte)).count()
}

/// Whether a token may begin at `at`: what stands before it is no part of a longer word. The last letter of an escape
/// (`\n`, `%20`, `\u0022`, the `m` of a colour) is not.
pub(super) fn fresh(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let Some(&last) = before.last() else { return true };
    if !(word(last)) {
        return true;
    }
    if last == b'-' || last == b'_' {
        return false;
    }
    after_escape(before)
}

/// Whether these bytes end in an escape.
pub(super) fn after_escape(before: &[u8]) -> bool {
    let ends = |len: usize, lead: &[u8], set: fn(u8) -> bool| {
        let Some(from) = before.len().checked_sub(len + lead.len()) else { return false };
        before[from..].starts_with(lead) && before[from + lead.len()..].iter().all(|byte| set(*byte))
    };
    ends(1, b"\\", |byte| matches!(byte, b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0'))
        || ends(2, b"%", hex)
        || ends(2, b"\\x", hex)
        || ends(4, b"\\u", hex)
        || colour(before)
}

/// `ESC [ … m`
fn colour(before: &[u8]) -> bool {
    let Some((b'm', rest)) = before.split_last() else { return false };
    let digits = rest.iter().rev().take(12).take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count();
    let rest = &rest[..rest.len() - digits];
    rest.ends_with(b"\x1b[")
        || rest.ends_with(b"\\u001b[")
        || rest.ends_with(b"\\x1b[")
        || rest.ends_with(b"\\e[")
}

/// Bits per byte by the counts of bytes (Shannon): 0 for `aaaa`, up to 6 for long random base64.
pub(super) fn entropy(text: &[u8]) -> f32 {
    let mut counts = [0u16; 256];
    let text = &text[..text.len().min(1024)];
    text.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let len = text.len() as f32;
    let term = |count: &u16| {
        let share = f32::from(*count) / len;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(term).sum()
}

/// Whether the random part of a token looks random: `xxxxxxxx…`, `0123456789…` and `EXAMPLEEXAMPLE` stand for one.
pub(super) fn random(text: &[u8]) -> bool {
    let mut seen = [false; 256];
    text.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    let steps = text.windows(2).filter(|pair| pair[1].wrapping_sub(pair[0]) <= 1).count();
    // Of random text of this alphabet a few neighbours follow each other; of `abcdefgh` all do.
    distinct >= (text.len() / 5).clamp(4, 8) && steps * 2 < text.len()
}
