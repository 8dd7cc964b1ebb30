//! HTML character references (HTML Standard §13.5) and the escapes of string literals.

use super::View;

/// References by name that stand for ASCII.
const NAMES: &[(&[u8], u8)] = &[
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"amp", b'&'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"colon", b':'),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"tab", b'\t'),
    (b"newline", b'\n'),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"equals", b'='),
    (b"semi", b';'),
    (b"comma", b','),
    (b"period", b'.'),
    (b"grave", b'`'),
    (b"excl", b'!'),
    (b"num", b'#'),
    (b"dollar", b'$'),
    (b"percnt", b'%'),
    (b"lbrack", b'['),
    (b"rbrack", b']'),
    (b"lcub", b'{'),
    (b"rcub", b'}'),
    (b"nbsp", b' '),
    (b"lbrace", b'{'),
    (b"rbrace", b'}'),
    (b"lsqb", b'['),
    (b"rsqb", b']'),
    (b"verbar", b'|'),
    (b"vert", b'|'),
];

/// Digits that a reference may have; leading zeros are a known disguise.
const DIGITS_MAX: usize = 64;

pub(super) fn unescape(from: &View, to: &mut View) {
    let bytes = &from.bytes;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let found = match byte {
            b'&' => reference(&bytes[at + 1..]).map(|(code, len)| (code, len + 1)),
            b'\\' => literal(&bytes[at + 1..]).map(|(code, len)| (code, len + 1)),
            _ => None,
        };
        match found {
            Some((code, len)) => {
                let mut utf8 = [0; 4];
                let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                letter.encode_utf8(&mut utf8).bytes().for_each(|byte| to.push(byte, from.origin(at)));
                at += len;
            }
            None => {
                to.push(byte, from.origin(at));
                at += 1;
            }
        }
    }
}

fn number(bytes: &[u8], radix: u32) -> Option<(u32, usize)> {
    let len = bytes.iter().take(DIGITS_MAX).take_while(|byte| (**byte as char).is_digit(radix)).count();
    let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
    Some((u32::from_str_radix(text, radix).ok()?, len))
}

/// What stands behind `&`: code and length. The semicolon may be left out.
fn reference(bytes: &[u8]) -> Option<(u32, usize)> {
    let closed = |len: usize| len + usize::from(bytes.get(len) == Some(&b';'));
    match bytes {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16).map(|(code, len)| (code, closed(len + 2))),
        [b'#', digits @ ..] => number(digits, 10).map(|(code, len)| (code, closed(len + 1))),
        _ => NAMES.iter().find_map(|(name, code)| {
            let is = bytes.get(..name.len())?.eq_ignore_ascii_case(name);
            // Only the four old names may lack their semicolon.
            let whole = bytes.get(name.len()) == Some(&b';') || matches!(*name, b"lt" | b"gt" | b"quot");
            (is && whole).then(|| (u32::from(*code), closed(name.len())))
        }),
    }
}

/// What stands behind `\`: `xHH`, `uHHHH`, `u{H…}`, and the three octal digits of old.
fn literal(bytes: &[u8]) -> Option<(u32, usize)> {
    let exact = |digits: &[u8], len: usize| {
        let (code, found) = number(digits.get(..len)?, 16)?;
        (found == len).then_some(code)
    };
    match bytes {
        [b'x', digits @ ..] => exact(digits, 2).map(|code| (code, 3)),
        [b'u', b'{', digits @ ..] => {
            let (code, len) = number(digits, 16)?;
            (digits.get(len) == Some(&b'}')).then_some((code, len + 3))
        }
        [b'u', digits @ ..] => exact(digits, 4).map(|code| (code, 5)),
        [a @ b'0'..=b'1', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            let digit = |byte: u8| u32::from(byte - b'0');
            let code = digit(*a) * 64 + digit(*b) * 8 + digit(*c);
            (0x20..0x7f).contains(&code).then_some((code, 3))
        }
        _ => None,
    }
}
