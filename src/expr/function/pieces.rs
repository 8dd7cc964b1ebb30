//! Texts in pieces: split, join, replace.

use memchr::memmem;

use super::{Body, Function, example, items, keep, lossy, may, needs, room, span};
use crate::event::{Texts, Value, write_plain, write_string};
use crate::signature::{Param, Signature, Type};

const TEXT: &[Type] = &[Type::Text];

/// `split(text, separator, limit)`
pub(super) static SPLIT: Function = Function {
    signature: &Signature {
        name: "split",
        summary: "the pieces of a text between separators",
        doc: "At most `limit` pieces, the last of which holds the rest. An empty separator splits nothing.",
        form: "split(text: text, separator: text, limit?: int) -> list",
        options: &[],
        examples: &[
            example("all", "split(\"a,b,,c\", \",\")", "[\"a\",\"b\",\"\",\"c\"]"),
            example("two", "split(\"k=v=w\", \"=\", 2)", "[\"k\",\"v=w\"]"),
        ],
    },
    params: &[needs("text", TEXT), needs("separator", TEXT), may("limit", &[Type::Int])],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let (text, separator) = (span(args, 0)?, span(args, 1)?);
        let limit = match args.get(2) {
            Some(Value::Int(limit)) => usize::try_from(*limit).unwrap_or(0),
            _ => usize::MAX,
        };
        list(texts, |texts, push| {
            let (text, separator) = (lossy(texts, text), lossy(texts, separator));
            if separator.is_empty() {
                push(&text);
            } else {
                text.splitn(limit, &*separator).for_each(push);
            }
        })
    }),
};

/// `lines(text)`
pub(super) static LINES: Function = Function {
    signature: &Signature {
        name: "lines",
        summary: "the lines of a text",
        doc: "Without their ends, `\\n` or `\\r\\n`.",
        form: "lines(text: text) -> list",
        options: &[],
        examples: &[example("two", "lines(\"a\\nb\\n\")", "[\"a\",\"b\"]")],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let text = span(args, 0)?;
        list(texts, |texts, push| lossy(texts, text).lines().for_each(push))
    }),
};

/// `words(text)`
pub(super) static WORDS: Function = Function {
    signature: &Signature {
        name: "words",
        summary: "the pieces of a text between blanks",
        doc: "Several blanks count as one.",
        form: "words(text: text) -> list",
        options: &[],
        examples: &[example("three", "words(\" a  b c\")", "[\"a\",\"b\",\"c\"]")],
    },
    params: &[needs("text", TEXT)],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let text = span(args, 0)?;
        list(texts, |texts, push| lossy(texts, text).split_whitespace().for_each(push))
    }),
};

/// A list of the texts that `pieces` pushes.
pub(super) fn list(texts: &mut Texts, pieces: impl FnOnce(&Texts, &mut dyn FnMut(&str))) -> Option<Value> {
    let mut out = texts.scratch();
    let room = room(texts);
    out.push(b'[');
    pieces(texts, &mut |piece| {
        if out.len() <= room {
            write_string(piece, &mut out);
            out.push(b',');
        }
    });
    crate::expr::close(&mut out, b']');
    keep(texts, out).map(Value::List)
}

/// `join(list, separator)`
pub(super) static JOIN: Function = Function {
    signature: &Signature {
        name: "join",
        summary: "the items of a list as one text",
        doc: "Items that are no texts are written as `text` writes them.",
        form: "join(list: list, separator: text) -> text",
        options: &[],
        examples: &[example("texts and a number", "join([\"a\", 1, \"b\"], \"-\")", "\"a-1-b\"")],
    },
    params: &[needs("list", &[Type::List]), needs("separator", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let separator = span(args, 1)?;
        let items = items(args, 0, texts)?;
        let mut out = texts.scratch();
        for (at, item) in items.into_iter().enumerate() {
            if out.len() > room(texts) {
                return None;
            }
            if at > 0 {
                out.extend_from_slice(texts.bytes(separator));
            }
            write_plain(texts, item, &mut out);
        }
        keep(texts, out).map(Value::Text)
    }),
};

const REPLACE_PARAMS: &[Param] = &[needs("text", TEXT), needs("from", TEXT), needs("to", TEXT)];

/// `replace(text, from, to)`
pub(super) static REPLACE: Function = Function {
    signature: &Signature {
        name: "replace",
        summary: "a text with every occurrence of another replaced",
        doc: "For patterns there is `regex_replace`.",
        form: "replace(text: text, from: text, to: text) -> text",
        options: &[],
        examples: &[example("every one", "replace(\"a.b.c\", \".\", \"::\")", "\"a::b::c\"")],
    },
    params: REPLACE_PARAMS,
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| replace(args, texts, usize::MAX)),
};

/// `replace_first(text, from, to)`
pub(super) static REPLACE_FIRST: Function = Function {
    signature: &Signature {
        name: "replace_first",
        summary: "a text with the first occurrence of another replaced",
        doc: "",
        form: "replace_first(text: text, from: text, to: text) -> text",
        options: &[],
        examples: &[example("one", "replace_first(\"a.b.c\", \".\", \"::\")", "\"a::b.c\"")],
    },
    params: REPLACE_PARAMS,
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| replace(args, texts, 1)),
};

fn replace(args: &[Value], texts: &mut Texts, most: usize) -> Option<Value> {
    let (text, from, to) = (span(args, 0)?, span(args, 1)?, span(args, 2)?);
    if from.len == 0 || memmem::find(texts.bytes(text), texts.bytes(from)).is_none() {
        return Some(Value::Text(text));
    }
    let room = room(texts);
    let mut out = texts.scratch();
    let bytes = texts.bytes(text);
    let mut done = 0;
    for at in memmem::find_iter(bytes, texts.bytes(from)).take(most) {
        out.extend_from_slice(bytes.get(done..at)?);
        out.extend_from_slice(texts.bytes(to));
        done = at + from.len as usize;
        if out.len() > room {
            return None;
        }
    }
    out.extend_from_slice(bytes.get(done..)?);
    keep(texts, out).map(Value::Text)
}
