//! Cutting texts: the result is a part of the argument, so nothing is copied.

use super::{Body, Function, example, keep, lossy, may, needs, span};
use crate::event::{Span, Texts, Value};
use crate::signature::{Param, Signature, Type};

const TEXT: &[Type] = &[Type::Text];
const ONE: &[Param] = &[needs("text", TEXT)];

/// `trim(text)`
pub(super) static TRIM: Function = trimmer(
    &Signature {
        name: "trim",
        summary: "a text without the blanks at both ends",
        doc: "Blanks are all characters that Unicode calls white space.",
        form: "trim(text: text) -> text",
        options: &[],
        examples: &[example("blanks and a tab", "trim(\" a b\\t\")", "\"a b\"")],
    },
    |args, texts| cut(args, texts, str::trim),
);

/// `trim_start(text)`
pub(super) static TRIM_START: Function = trimmer(
    &Signature {
        name: "trim_start",
        summary: "a text without the blanks at its start",
        doc: "",
        form: "trim_start(text: text) -> text",
        options: &[],
        examples: &[example("only the start", "trim_start(\" a \")", "\"a \"")],
    },
    |args, texts| cut(args, texts, str::trim_start),
);

/// `trim_end(text)`
pub(super) static TRIM_END: Function = trimmer(
    &Signature {
        name: "trim_end",
        summary: "a text without the blanks at its end",
        doc: "",
        form: "trim_end(text: text) -> text",
        options: &[],
        examples: &[example("only the end", "trim_end(\" a \")", "\" a\"")],
    },
    |args, texts| cut(args, texts, str::trim_end),
);

const fn trimmer(signature: &'static Signature, eval: super::Eval) -> Function {
    Function {
        signature,
        params: ONE,
        returns: |_| Type::Text,
        fallible: false,
        accepts_missing: false,
        body: Body::Pure(eval),
    }
}

/// The part of the first argument that `of` chooses.
fn cut(args: &[Value], texts: &mut Texts, of: fn(&str) -> &str) -> Option<Value> {
    let span = utf8(texts, span(args, 0)?)?;
    let text = texts.text(span)?;
    let part = of(text);
    Some(Value::Text(part_of(span, text, part)))
}

/// The span of a part of the text of a span.
fn part_of(span: Span, text: &str, part: &str) -> Span {
    span.part((part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize), part.len())
}

/// The span itself if its bytes are UTF-8, else a repaired copy.
fn utf8(texts: &mut Texts, span: Span) -> Option<Span> {
    if texts.text(span).is_some() {
        return Some(span);
    }
    let mut out = texts.scratch();
    out.extend_from_slice(lossy(texts, span).as_bytes());
    keep(texts, out)
}

const AFFIX: &[Param] = &[needs("text", TEXT), needs("affix", TEXT)];

/// `strip_prefix(text, prefix)`
pub(super) static STRIP_PREFIX: Function = Function {
    signature: &Signature {
        name: "strip_prefix",
        summary: "a text without a prefix",
        doc: "A text that does not start with it stays as it is.",
        form: "strip_prefix(text: text, affix: text) -> text",
        options: &[],
        examples: &[
            example("a prefix", "strip_prefix(\"v1.2\", \"v\")", "\"1.2\""),
            example("none", "strip_prefix(\"1.2\", \"v\")", "\"1.2\""),
        ],
    },
    params: AFFIX,
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let (text, affix) = (span(args, 0)?, span(args, 1)?);
        let starts = texts.bytes(text).starts_with(texts.bytes(affix));
        Some(Value::Text(if starts { text.part(affix.len as usize, usize::MAX) } else { text }))
    }),
};

/// `strip_suffix(text, suffix)`
pub(super) static STRIP_SUFFIX: Function = Function {
    signature: &Signature {
        name: "strip_suffix",
        summary: "a text without a suffix",
        doc: "A text that does not end with it stays as it is.",
        form: "strip_suffix(text: text, affix: text) -> text",
        options: &[],
        examples: &[example("a suffix", "strip_suffix(\"a.log\", \".log\")", "\"a\"")],
    },
    params: AFFIX,
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let (text, affix) = (span(args, 0)?, span(args, 1)?);
        let ends = texts.bytes(text).ends_with(texts.bytes(affix));
        Some(Value::Text(if ends { text.part(0, (text.len - affix.len) as usize) } else { text }))
    }),
};

/// `substring(text, start, end)`
pub(super) static SUBSTRING: Function = Function {
    signature: &Signature {
        name: "substring",
        summary: "the characters of a text from a position up to another",
        doc: "Positions count characters from 0; negative ones count from the end. What lies outside is cut off.",
        form: "substring(text: text, start: int, end?: int) -> text",
        options: &[],
        examples: &[
            example("the middle", "substring(\"größer\", 1, 4)", "\"röß\""),
            example("the end", "substring(\"abcdef\", -2)", "\"ef\""),
        ],
    },
    params: &[needs("text", TEXT), needs("start", &[Type::Int]), may("end", &[Type::Int])],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = utf8(texts, span(args, 0)?)?;
        let text = texts.text(span)?;
        let Some(Value::Int(start)) = args.get(1) else { return None };
        let end = match args.get(2) {
            Some(Value::Int(end)) => *end,
            _ => i64::MAX,
        };
        let (start, end) = (byte_of(text, *start), byte_of(text, end));
        Some(Value::Text(span.part(start, end.saturating_sub(start))))
    }),
};

/// The byte offset of a character, counted from the end where it is negative, clamped to the text.
fn byte_of(text: &str, at: i64) -> usize {
    let found = match usize::try_from(at) {
        Ok(at) => text.char_indices().nth(at).map_or(text.len(), |(offset, _)| offset),
        Err(_) => {
            let back = at.unsigned_abs() as usize;
            text.char_indices().nth_back(back - 1).map_or(0, |(offset, _)| offset)
        }
    };
    found.min(text.len())
}

/// `truncate(text, length, mark)`
pub(super) static TRUNCATE: Function = Function {
    signature: &Signature {
        name: "truncate",
        summary: "a text of at most so many characters",
        doc: "Where something was cut off, the mark is put at the end; it does not count.",
        form: "truncate(text: text, length: int, mark?: text) -> text",
        options: &[],
        examples: &[
            example("with a mark", "truncate(\"abcdef\", 3, \"…\")", "\"abc…\""),
            example("short enough", "truncate(\"abc\", 3, \"…\")", "\"abc\""),
        ],
    },
    params: &[needs("text", TEXT), needs("length", &[Type::Int]), may("mark", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let text = utf8(texts, span(args, 0)?)?;
        let Some(Value::Int(length)) = args.get(1) else { return None };
        let end = byte_of(texts.text(text)?, (*length).max(0));
        let part = text.part(0, end);
        let Some(mark) = span(args, 2).filter(|_| part.len < text.len) else {
            return Some(Value::Text(part));
        };
        let mut out = texts.scratch();
        out.extend_from_slice(texts.bytes(part));
        out.extend_from_slice(texts.bytes(mark));
        keep(texts, out).map(Value::Text)
    }),
};

/// `index_of(text, part)`
pub(super) static INDEX_OF: Function = Function {
    signature: &Signature {
        name: "index_of",
        summary: "where a text first holds another, in characters from 0",
        doc: "Missing where it does not.",
        form: "index_of(text: text, part: text) -> int",
        options: &[],
        examples: &[
            example("found", "index_of(\"größer\", \"ß\")", "3"),
            example("not found", "index_of(\"abc\", \"x\")", "missing"),
        ],
    },
    params: &[needs("text", TEXT), needs("part", TEXT)],
    returns: |_| Type::Int,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let text = utf8(texts, span(args, 0)?)?;
        let at = memchr::memmem::find(texts.bytes(text), texts.bytes(span(args, 1)?))?;
        let before = texts.text(text.part(0, at))?;
        Some(Value::Int(before.chars().count() as i64))
    }),
};
