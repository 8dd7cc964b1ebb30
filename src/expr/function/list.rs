//! Lists.

use std::collections::HashSet;

use super::{Body, Function, example, keep, keep_json, may, needs};
use crate::event::{Span, Texts, Value, raw, write_value};
use crate::expr::compare::order;
use crate::signature::{Param, Signature, Type};

const LIST: &[Type] = &[Type::List];
const ONE: &[Param] = &[needs("list", LIST)];

/// `first(list)`
pub(super) static FIRST: Function = Function {
    signature: &Signature {
        name: "first",
        summary: "the first item of a list",
        doc: "Missing where the list is empty.",
        form: "first(list: list) -> any",
        options: &[],
        examples: &[example("of two", "first([1, 2])", "1"), example("of none", "first([])", "missing")],
    },
    params: ONE,
    returns: |_| Type::Any,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| item(args, texts, 0)),
};

/// `last(list)`
pub(super) static LAST: Function = Function {
    signature: &Signature {
        name: "last",
        summary: "the last item of a list",
        doc: "Missing where the list is empty.",
        form: "last(list: list) -> any",
        options: &[],
        examples: &[example("of two", "last([1, 2])", "2")],
    },
    params: ONE,
    returns: |_| Type::Any,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| item(args, texts, -1)),
};

/// `nth(list, index)`
pub(super) static NTH: Function = Function {
    signature: &Signature {
        name: "nth",
        summary: "an item of a list, counted from 0",
        doc: "Negative positions count from the end. Missing where the list is shorter.",
        form: "nth(list: list, index: int) -> any",
        options: &[],
        examples: &[
            example("the second", "nth([\"a\", \"b\"], 1)", "\"b\""),
            example("the second from the end", "nth([\"a\", \"b\"], -2)", "\"a\""),
            example("none there", "nth([\"a\", \"b\"], 2)", "missing"),
        ],
    },
    params: &[needs("list", LIST), needs("index", &[Type::Int])],
    returns: |_| Type::Any,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| match args.get(1)? {
        Value::Int(at) => item(args, texts, *at),
        _ => None,
    }),
};

fn spans(args: &[Value], texts: &Texts) -> Option<Vec<Span>> {
    let Some(Value::List(list)) = args.first() else { return None };
    let items = raw::items(texts.bytes(*list));
    Some(items.into_iter().map(|range| list.part(range.start, range.len())).collect())
}

fn item(args: &[Value], texts: &mut Texts, at: i64) -> Option<Value> {
    let spans = spans(args, texts)?;
    let at = if at < 0 { at.checked_add(spans.len() as i64)? } else { at };
    let span = *spans.get(usize::try_from(at).ok()?)?;
    Some(raw::value(texts, span))
}

/// A list of items given by their JSON text.
fn list_of(texts: &mut Texts, spans: &[Span]) -> Option<Value> {
    let mut out = texts.scratch();
    out.push(b'[');
    for span in spans {
        out.extend_from_slice(texts.bytes(*span));
        out.push(b',');
    }
    crate::expr::close(&mut out, b']');
    keep(texts, out).map(Value::List)
}

/// `slice(list, start, end)`
pub(super) static SLICE: Function = Function {
    signature: &Signature {
        name: "slice",
        summary: "the items of a list from a position up to another",
        doc: "Positions count from 0; negative ones count from the end. What lies outside is cut off.",
        form: "slice(list: list, start: int, end?: int) -> list",
        options: &[],
        examples: &[
            example("the middle", "slice([1, 2, 3, 4], 1, 3)", "[2,3]"),
            example("the end", "slice([1, 2, 3, 4], -2)", "[3,4]"),
        ],
    },
    params: &[needs("list", LIST), needs("start", &[Type::Int]), may("end", &[Type::Int])],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let spans = spans(args, texts)?;
        let at = |value: Option<&Value>, default: usize| match value {
            Some(Value::Int(at)) if *at < 0 => spans.len().saturating_sub(at.unsigned_abs() as usize),
            Some(Value::Int(at)) => (*at as usize).min(spans.len()),
            _ => default,
        };
        let (start, end) = (at(args.get(1), 0), at(args.get(2), spans.len()));
        list_of(texts, spans.get(start..end).unwrap_or(&[]))
    }),
};

/// `append(list, item)`
pub(super) static APPEND: Function = Function {
    signature: &Signature {
        name: "append",
        summary: "a list with one item more",
        doc: "For a field that may be missing: `append(.tags ?? [], \"new\")`.",
        form: "append(list: list, item: any) -> list",
        options: &[],
        examples: &[example("a text", "append([1], \"a\")", "[1,\"a\"]")],
    },
    params: &[needs("list", LIST), needs("item", &[Type::Any])],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let spans = spans(args, texts)?;
        let mut out = texts.scratch();
        out.push(b'[');
        for span in spans {
            out.extend_from_slice(texts.bytes(span));
            out.push(b',');
        }
        write_value(texts, *args.get(1)?, &mut out);
        out.push(b']');
        keep_json(texts, out).map(Value::List)
    }),
};

/// `unique(list)`
pub(super) static UNIQUE: Function = Function {
    signature: &Signature {
        name: "unique",
        summary: "a list without the items that came before",
        doc: "Items are compared as they are written in JSON.",
        form: "unique(list: list) -> list",
        options: &[],
        examples: &[example("the first stays", "unique([2, 1, 2])", "[2,1]")],
    },
    params: ONE,
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let mut spans = spans(args, texts)?;
        let mut known = HashSet::new();
        spans.retain(|span| known.insert(texts.bytes(*span)));
        drop(known);
        list_of(texts, &spans)
    }),
};

/// `sort(list)`
pub(super) static SORT: Function = Function {
    signature: &Signature {
        name: "sort",
        summary: "a list in ascending order",
        doc: "Numbers by value, then texts by their bytes, then all other items, in the order in which they came.",
        form: "sort(list: list) -> list",
        options: &[],
        examples: &[
            example("numbers", "sort([10, 9, 1.5])", "[1.5,9,10]"),
            example("mixed", "sort([\"b\", true, \"a\", 1])", "[1,\"a\",\"b\",true]"),
        ],
    },
    params: ONE,
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let spans = spans(args, texts)?;
        let mut items: Vec<_> = spans.into_iter().map(|span| (raw::value(texts, span), span)).collect();
        let rank = |value: &Value| match value {
            Value::Int(_) | Value::Float(_) => 0,
            Value::Text(_) => 1,
            _ => 2,
        };
        items.sort_by(|(a, _), (b, _)| {
            rank(a).cmp(&rank(b)).then_with(|| match rank(a) {
                2 => std::cmp::Ordering::Equal,
                _ => order(*a, *b, texts).unwrap_or(std::cmp::Ordering::Equal),
            })
        });
        let spans: Vec<_> = items.into_iter().map(|(_, span)| span).collect();
        list_of(texts, &spans)
    }),
};
