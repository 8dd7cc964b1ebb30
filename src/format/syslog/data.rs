//! `STRUCTURED-DATA = NILVALUE / 1*SD-ELEMENT` (RFC 5424 §6.3), without the nil value.

use std::ops::Range;

use crate::format::{Mismatch, scan};

/// Reads elements from `at` on, and tells of each parameter: the element's id, its name, and where its value stands
/// between its quotes. Gives one past the last element.
pub(crate) fn elements<'a>(
    bytes: &'a [u8],
    mut at: usize,
    mut param: impl FnMut(&'a [u8], &'a [u8], Range<usize>),
) -> Result<usize, Mismatch> {
    while bytes.get(at) == Some(&b'[') {
        at += 1;
        let id = &bytes[at..at + name(&bytes[at..])];
        at += id.len();
        loop {
            match bytes.get(at) {
                Some(b' ') => at += 1,
                Some(b']') => {
                    at += 1;
                    break;
                }
                _ => return Err(Mismatch::at(at, "structured data is not closed")),
            }
            if bytes.get(at) == Some(&b']') {
                continue;
            }
            // `SD-PARAM = PARAM-NAME "=" %d34 PARAM-VALUE %d34`; blanks around the `=` are passed over.
            let rest = &bytes[at..];
            let len = name(rest);
            let sign = len + scan::blanks(rest.get(len..).unwrap_or_default());
            let quote = sign + 1 + scan::blanks(rest.get(sign + 1..).unwrap_or_default());
            let is_param = rest.get(sign) == Some(&b'=') && rest.get(quote) == Some(&b'"');
            let inner = rest.get(quote + 1..).filter(|_| is_param);
            let end = inner.and_then(|inner| scan::quoted(inner, b'"'));
            let (Some(end), true) = (end, len > 0) else {
                return Err(Mismatch::at(at, "no name=\"value\" in structured data"));
            };
            let start = at + quote + 1;
            param(id, &rest[..len], start..start + end);
            at = start + end + 1;
        }
    }
    Ok(at)
}

/// `SD-NAME`: no `=`, blank, `]` or quote.
fn name(rest: &[u8]) -> usize {
    rest.iter().take_while(|&&byte| byte > b' ' && !matches!(byte, b'=' | b']' | b'"' | 0x7f)).count()
}

/// `\"`, `\\` and `\]`; a backslash before anything else is itself.
pub(crate) fn unescape(value: &[u8], out: &mut Vec<u8>) {
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = bytes.next_if(|next| byte == b'\\' && matches!(next, b'"' | b'\\' | b']'));
        out.push(escaped.unwrap_or(byte));
    }
}
