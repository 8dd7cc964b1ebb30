//! logfmt: `level=info msg="a text" flag`, as Go programs and Heroku write it. Values are text; a key alone is
//! true.

use std::ops::Range;

use super::members::{Derived, Members, part};
use super::scan::{at_most, before, equal};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, json};
use crate::event::{Slot, Span, Texts, Value, write_string};
use crate::signature::{Example, Signature};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "logfmt",
        summary: "key=value pairs between blanks, values in quotes where they hold blanks",
        doc: "Values are text. A key without a value is true. A key that is there more than once is a list.",
        form: "logfmt",
        options: &[],
        examples: &[Example {
            title: "pairs become fields",
            source: "parse .message as logfmt",
            input: r#"{"message": "level=info msg=\"cart open\" cached"}"#,
            result: r#"{"message": "level=info msg=\"cart open\" cached", "level": "info", "msg": "cart open", "cached": true}"#,
        }],
    },
    gives: |_| Ok(Gives { fields: Vec::new(), open: true }),
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Logfmt { root: bind.root()? })),
};

struct Logfmt {
    root: Slot,
}

impl Format for Logfmt {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        Derived::within(texts, |texts, derived| pairs(self.root, input, texts, derived, fields))
    }
}

fn pairs(
    root: Slot,
    input: Span,
    texts: &Texts,
    derived: &mut Derived,
    fields: &mut Fields,
) -> Result<(), Mismatch> {
    let bytes = texts.bytes(input);
    let mut members = Members::new(root, fields);
    each(bytes, |key, written| {
        let value = match written {
            Some(written) => Value::Text(text(input, bytes, written, derived)),
            None => Value::Bool(true),
        };
        let name = &bytes[key.clone()];
        let same = |other: Span| {
            bytes
                .get((other.start - input.start) as usize..)
                .is_some_and(|rest| rest.get(..other.len as usize) == Some(name))
        };
        members.add(fields, (part(input, key.start, key.len()), name), value, same)
    })?;
    members.lists(texts, derived, fields);
    Ok(())
}

/// Shows each key with its value; a word alone has none.
#[inline]
fn each(
    bytes: &[u8],
    mut see: impl FnMut(Range<usize>, Option<Written>) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let (mut at, mut valued, mut bare) = (0, 0usize, 0usize);
    loop {
        at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if at >= bytes.len() {
            break;
        }
        let key_len = key(&bytes[at..]);
        if key_len == 0 {
            return Err(Mismatch::at(at, "no key before `=`"));
        }
        let key = at..at + key_len;
        at += key_len;
        let mut written = None;
        if bytes.get(at) == Some(&b'=') {
            valued += 1;
            let (value, next) = value(bytes, at + 1)?;
            (written, at) = (Some(value), next);
        } else {
            bare += 1;
        }
        see(key, written)?;
    }
    // Prose with an `=` somewhere is not logfmt.
    if valued > 0 && valued >= bare {
        Ok(())
    } else {
        Err(Mismatch::at(0, "fewer key=value pairs than other words"))
    }
}

/// Appends pairs as an object of JSON, for a grammar: what begins with other words is no such form.
pub(crate) fn to_json(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let (mut text, mut valued, mut first) = (Vec::new(), false, true);
    each(bytes, |key, written| {
        out.push(if std::mem::take(&mut first) { b'{' } else { b',' });
        write_string(&String::from_utf8_lossy(&bytes[key.clone()]), out);
        out.push(b':');
        let Some(written) = written else {
            out.extend_from_slice(b"true");
            return if valued {
                Ok(())
            } else {
                Err(Mismatch::at(key.end, "the first word is no key=value pair"))
            };
        };
        valued = true;
        text.clear();
        match written {
            Written::Bare(range) => text.extend_from_slice(&bytes[range]),
            Written::Quoted(range) => json::unescape(&bytes[range], &mut text),
        }
        write_string(&String::from_utf8_lossy(&text), out);
        Ok(())
    })?;
    out.push(b'}');
    Ok(())
}

/// Where a value stands.
enum Written {
    Bare(Range<usize>),
    /// Between its quotes.
    Quoted(Range<usize>),
}

/// A value in quotes or bare, and one past its end.
fn value(bytes: &[u8], at: usize) -> Result<(Written, usize), Mismatch> {
    if bytes.get(at) != Some(&b'"') {
        let len = before(&bytes[at..], |word| at_most(word, b' '), |byte| byte.is_ascii_whitespace());
        return Ok((Written::Bare(at..at + len), at + len));
    }
    let len = super::scan::quoted(&bytes[at + 1..], b'"').ok_or(Mismatch::at(at, "no closing quote"))?;
    Ok((Written::Quoted(at + 1..at + 1 + len), at + len + 2))
}

/// Length of a key: neither blank, quote nor `=`.
#[inline]
fn key(bytes: &[u8]) -> usize {
    let marks = |word| at_most(word, b' ') | equal(word, b'=') | equal(word, b'"');
    before(bytes, marks, |byte| byte <= b' ' || byte == b'=' || byte == b'"')
}

/// A value as text, escapes resolved.
fn text(input: Span, bytes: &[u8], written: Written, derived: &mut Derived) -> Span {
    match written {
        Written::Quoted(range) if memchr::memchr(b'\\', &bytes[range.clone()]).is_some() => {
            let from = derived.bytes.len();
            json::unescape(&bytes[range], &mut derived.bytes);
            derived.span(from)
        }
        Written::Bare(range) | Written::Quoted(range) => part(input, range.start, range.len()),
    }
}
