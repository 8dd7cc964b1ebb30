//! Percent-decoding as servers do it, and the forms that some of them take for ASCII.

use super::View;

/// Whether another round would change anything.
pub(super) fn more(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes).any(|at| escape(&bytes[at..]).is_some())
}

fn hex(byte: u8) -> Option<u32> {
    (byte as char).to_digit(16)
}

/// `%HH` or `%uHHHH` at the front: the character or byte, and the length.
fn escape(bytes: &[u8]) -> Option<(u32, usize, bool)> {
    match bytes {
        [b'%', b'u' | b'U', a, b, c, d, ..] => {
            let code = [a, b, c, d].into_iter().try_fold(0, |sum, digit| Some(sum * 16 + hex(*digit)?))?;
            Some((code, 6, true))
        }
        [b'%', a, b, ..] => Some((hex(*a)? * 16 + hex(*b)?, 3, false)),
        _ => None,
    }
}

/// One round: `from` is decoded into `to`; `view` says where `from` came from.
pub(super) fn round(from: &[u8], view: Option<&View>, plus: bool, to: &mut View) {
    let origin = |at: usize| view.map_or(at as u32, |view| view.origin(at));
    let mut at = 0;
    while let Some(&byte) = from.get(at) {
        match byte {
            b'%' => {
                let Some((code, len, unicode)) = escape(&from[at..]) else {
                    to.push(byte, origin(at));
                    at += 1;
                    continue;
                };
                match (unicode, fold(code)) {
                    (true, Some(ascii)) => to.push(ascii, origin(at)),
                    (true, None) => {
                        let mut utf8 = [0; 4];
                        let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                        letter.encode_utf8(&mut utf8).bytes().for_each(|byte| to.push(byte, origin(at)));
                    }
                    (false, _) => to.push(code as u8, origin(at)),
                }
                at += len;
            }
            b'+' if plus => {
                to.push(b' ', origin(at));
                at += 1;
            }
            _ => {
                to.push(byte, origin(at));
                at += 1;
            }
        }
    }
    if to.bytes.iter().any(|byte| *byte >= 0x80) {
        squeeze(to);
    }
}

/// Overlong UTF-8 (RFC 3629 §3 forbids it, decoders took it) and full-width forms become ASCII, in place.
fn squeeze(view: &mut View) {
    let (mut read, mut write) = (0, 0);
    while let Some(&byte) = view.bytes.get(read) {
        let (ascii, len) = ascii_of(&view.bytes[read..]).unwrap_or((byte, 1));
        view.bytes[write] = ascii;
        view.at[write] = view.at[read];
        (read, write) = (read + len, write + 1);
    }
    view.bytes.truncate(write);
    view.at.truncate(write);
}

/// The ASCII that a longer form at the front is taken for, and the length of the form.
fn ascii_of(bytes: &[u8]) -> Option<(u8, usize)> {
    match *bytes {
        // 110000xx 10xxxxxx: two bytes for what one can say. Some decoders do not look at the upper bits of the
        // second, so that `%c0%2e`, `%c0%ae` and `%c1%1c` are the same to them.
        [lead @ (0xc0 | 0xc1), second, ..]
            if second >= 0x80 || !second.is_ascii_control() || second < 0x20 =>
        {
            let code = (lead & 1) << 6 | second & 0x3f;
            (code.is_ascii_graphic() || code == 0).then_some((code, 2))
        }
        [0xe0, second @ 0x80..=0x9f, third @ 0x80..=0xbf, ..] => {
            let code = u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
            u8::try_from(code).ok().filter(u8::is_ascii_graphic).map(|code| (code, 3))
        }
        [0xf0, 0x80, second @ 0x80..=0x81, third @ 0x80..=0xbf, ..] => {
            Some((((second & 1) << 6) | third & 0x3f, 4))
        }
        [lead @ 0xe2..=0xef, second @ 0x80..=0xbf, third @ 0x80..=0xbf, ..] => {
            let code = u32::from(lead & 0xf) << 12 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
            fold(code).map(|code| (code, 3))
        }
        _ => None,
    }
}

/// The ASCII that a character is taken for: itself, its full-width form, slashes, dots and quotes that best-fit
/// tables map to ASCII.
fn fold(code: u32) -> Option<u8> {
    Some(match code {
        0..=0x7f => code as u8,
        0xff01..=0xff5e => (code - 0xfee0) as u8,
        0x2215 | 0x2044 => b'/',
        0x2216 => b'\\',
        // IDNA takes these for the dot of a name (UTS 46 §4).
        0x2024 | 0x3002 | 0xff61 => b'.',
        0x02b9 | 0x02bc | 0x2018 | 0x2019 | 0x2032 => b'\'',
        0x201c | 0x201d | 0x2033 => b'"',
        0x2329 | 0x3008 => b'<',
        0x232a | 0x3009 => b'>',
        _ => return None,
    })
}

/// The path that a file system sees.
pub(super) fn path(from: &View, to: &mut View) {
    let mut at = 0;
    while let Some(&byte) = from.bytes.get(at) {
        let byte = if byte == b'\\' { b'/' } else { byte };
        let next = from.bytes.get(at + 1).map(|next| if *next == b'\\' { b'/' } else { *next });
        let after = from.bytes.get(at + 2).map(|next| if *next == b'\\' { b'/' } else { *next });
        // `//` and `/./` are `/`.
        if byte == b'/' && (next == Some(b'/') || next == Some(b'.') && after == Some(b'/')) {
            at += if next == Some(b'/') { 1 } else { 2 };
            continue;
        }
        to.push(byte, from.origin(at));
        at += 1;
    }
}
