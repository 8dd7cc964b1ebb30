//! Letters of a text: case, length, order.

use super::{Body, Function, example, keep, keep_with, lossy, needs, span};
use crate::event::{Texts, Value, raw};
use crate::signature::{Signature, Type};

const TEXT: &[Type] = &[Type::Text];

/// `lower(text)`
pub(super) static LOWER: Function = Function {
    signature: &Signature {
        name: "lower",
        summary: "a text in lower case",
        doc: "By the Unicode tables, so the length in bytes may change.",
        form: "lower(text: text) -> text",
        options: &[],
        examples: &[example("not only ASCII", "lower(\"ÄRGER\")", "\"ärger\"")],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        case(args, texts, u8::is_ascii_uppercase, <[u8]>::make_ascii_lowercase, str::to_lowercase)
    }),
};

/// `upper(text)`
pub(super) static UPPER: Function = Function {
    signature: &Signature {
        name: "upper",
        summary: "a text in upper case",
        doc: "By the Unicode tables, so the length in bytes may change.",
        form: "upper(text: text) -> text",
        options: &[],
        examples: &[example("one letter becomes two", "upper(\"straße\")", "\"STRASSE\"")],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        case(args, texts, u8::is_ascii_lowercase, <[u8]>::make_ascii_uppercase, str::to_uppercase)
    }),
};

/// Changes case: nothing is copied where nothing changes, and only ASCII is changed in place.
fn case(
    args: &[Value],
    texts: &mut Texts,
    changes: fn(&u8) -> bool,
    ascii: fn(&mut [u8]),
    unicode: fn(&str) -> String,
) -> Option<Value> {
    let span = span(args, 0)?;
    let bytes = texts.bytes(span);
    if bytes.is_ascii() {
        if !bytes.iter().any(changes) {
            return Some(Value::Text(span));
        }
        let mut out = texts.scratch();
        out.extend_from_slice(texts.bytes(span));
        ascii(&mut out);
        return keep_with(texts, out, span.facts).map(Value::Text);
    }
    let mut out = texts.scratch();
    out.extend_from_slice(unicode(&lossy(texts, span)).as_bytes());
    keep_with(texts, out, span.facts).map(Value::Text)
}

/// `length(value)`
pub(super) static LENGTH: Function = Function {
    signature: &Signature {
        name: "length",
        summary: "characters of a text, items of a list, members of an object",
        doc: "A character is a Unicode scalar value.",
        form: "length(value: text | list | object) -> int",
        options: &[],
        examples: &[
            example("characters, not bytes", "length(\"größe\")", "5"),
            example("items", "length([1, 2])", "2"),
        ],
    },
    params: &[needs("value", &[Type::Text, Type::List, Type::Object])],
    returns: |_| Type::Int,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let length = match *args.first()? {
            Value::Text(span) | Value::Ip(span) => lossy(texts, span).chars().count(),
            Value::List(span) => raw::items(texts.bytes(span)).len(),
            Value::Object(span) => raw::members(texts.bytes(span)).len(),
            _ => return None,
        };
        Some(Value::Int(length as i64))
    }),
};

/// `reverse(text)`
pub(super) static REVERSE: Function = Function {
    signature: &Signature {
        name: "reverse",
        summary: "a text from its last character to its first",
        doc: "Useful for prefixes of domain names. By Unicode scalar values.",
        form: "reverse(text: text) -> text",
        options: &[],
        examples: &[example("a word", "reverse(\"abc\")", "\"cba\"")],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        let mut out = texts.scratch();
        let mut buffer = [0; 4];
        for letter in lossy(texts, span).chars().rev() {
            out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
        }
        keep_with(texts, out, span.facts).map(Value::Text)
    }),
};

/// `pad_start(text, length, with)`
pub(super) static PAD_START: Function = Function {
    signature: &Signature {
        name: "pad_start",
        summary: "fills a text up to a length, at its start",
        doc: "With a blank, or the first character of what is given.",
        form: "pad_start(text: text, length: int, with?: text) -> text",
        options: &[],
        examples: &[
            example("digits", "pad_start(\"7\", 3, \"0\")", "\"007\""),
            example("long enough", "pad_start(\"1234\", 3)", "\"1234\""),
        ],
    },
    params: &[needs("text", TEXT), needs("length", &[Type::Int]), super::may("with", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        let Some(Value::Int(length)) = args.get(1) else { return None };
        let with = super::span(args, 2).and_then(|with| lossy(texts, with).chars().next()).unwrap_or(' ');
        let has = lossy(texts, span).chars().count();
        let lacks = usize::try_from(*length).unwrap_or(0).saturating_sub(has);
        if lacks == 0 {
            return Some(Value::Text(span));
        }
        if lacks.saturating_mul(with.len_utf8()) > super::room(texts) {
            return None;
        }
        let mut out = texts.scratch();
        let mut buffer = [0; 4];
        for _ in 0..lacks {
            out.extend_from_slice(with.encode_utf8(&mut buffer).as_bytes());
        }
        out.extend_from_slice(texts.bytes(span));
        keep(texts, out).map(Value::Text)
    }),
};
