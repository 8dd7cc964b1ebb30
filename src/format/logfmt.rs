//! logfmt: `level=info msg="a text" flag`, as Go programs and Heroku write it. Values are text; a key alone is
//! true.

use super::members::{Derived, Members, part};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, json};
use crate::event::{Slot, Span, Texts, Value};
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
        let mut value = Value::Bool(true);
        if bytes.get(at) == Some(&b'=') {
            valued += 1;
            (value, at) = read(input, bytes, at + 1, derived)?;
        } else {
            bare += 1;
        }
        let name = &bytes[key.clone()];
        let same = |other: Span| {
            bytes
                .get((other.start - input.start) as usize..)
                .is_some_and(|rest| rest.get(..other.len as usize) == Some(name))
        };
        members.add(fields, (part(input, key.start, key.len()), name), value, same)?;
    }
    members.lists(texts, derived, fields);
    // Prose with an `=` somewhere is not logfmt.
    if valued > 0 && valued >= bare {
        Ok(())
    } else {
        Err(Mismatch::at(0, "fewer key=value pairs than other words"))
    }
}

/// Length of a key: neither blank, quote nor `=`.
fn key(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| byte > b' ' && byte != b'=' && byte != b'"').count()
}

/// A value in quotes or bare, and one past its end.
fn read(input: Span, bytes: &[u8], at: usize, derived: &mut Derived) -> Result<(Value, usize), Mismatch> {
    if bytes.get(at) != Some(&b'"') {
        let len = bytes[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        return Ok((Value::Text(part(input, at, len)), at + len));
    }
    let inner = &bytes[at + 1..];
    let Some(len) = super::scan::quoted(inner, b'"') else {
        return Err(Mismatch::at(at, "no closing quote"));
    };
    let text = &inner[..len];
    let span = if memchr::memchr(b'\\', text).is_some() {
        let from = derived.bytes.len();
        json::unescape(text, &mut derived.bytes);
        derived.span(from)
    } else {
        part(input, at + 1, len)
    };
    Ok((Value::Text(span), at + len + 2))
}
