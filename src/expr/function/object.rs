//! Objects.

use std::collections::HashSet;

use super::{Body, Function, example, keep, lossy, may_fixed, needs, span};
use crate::event::{Facts, Span, Texts, Value, raw, write_string};
use crate::expr::Constant;
use crate::signature::{Signature, Type};

const OBJECT: &[Type] = &[Type::Object];

/// The members of an object: unescaped keys and the JSON text of their values.
fn members(texts: &mut Texts, object: Span) -> Vec<(Span, Span)> {
    let found = raw::members(texts.bytes(object));
    let mut members = Vec::with_capacity(found.len());
    for (key, value) in found {
        let key = raw::string(texts, object.part(key.start, key.len()));
        members.push((key, object.part(value.start, value.len()).with(Facts::UNKNOWN)));
    }
    members
}

fn object(args: &[Value], at: usize) -> Option<Span> {
    match args.get(at)? {
        Value::Object(span) => Some(*span),
        _ => None,
    }
}

/// `keys(object)`
pub(super) static KEYS: Function = Function {
    signature: &Signature {
        name: "keys",
        summary: "the keys of an object",
        doc: "In the order of the object.",
        form: "keys(object: object) -> list",
        options: &[],
        examples: &[example("two", "keys({ a = 1, b = 2 })", "[\"a\",\"b\"]")],
    },
    params: &[needs("object", OBJECT)],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let keys = members(texts, object(args, 0)?);
        super::pieces::list(texts, |texts, push| keys.iter().for_each(|(key, _)| push(&lossy(texts, *key))))
    }),
};

/// `values(object)`
pub(super) static VALUES: Function = Function {
    signature: &Signature {
        name: "values",
        summary: "the values of an object",
        doc: "In the order of the object.",
        form: "values(object: object) -> list",
        options: &[],
        examples: &[example("two", "values({ a = 1, b = \"x\" })", "[1,\"x\"]")],
    },
    params: &[needs("object", OBJECT)],
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let object = object(args, 0)?;
        let mut out = texts.scratch();
        let bytes = texts.bytes(object);
        out.push(b'[');
        for (_, value) in raw::members(bytes) {
            out.extend_from_slice(bytes.get(value)?);
            out.push(b',');
        }
        crate::expr::close(&mut out, b']');
        keep(texts, out).map(Value::List)
    }),
};

/// `get(value, path)`
pub(super) static GET: Function = Function {
    signature: &Signature {
        name: "get",
        summary: "what lies at a path below an object or list",
        doc: "Dots separate keys; a number is a position in a list. For paths that are known when the pipeline is \
              written a field path is faster. Missing where there is nothing.",
        form: "get(value: object | list, path: text) -> any",
        options: &[],
        examples: &[
            example("nested", "get({ a = { b = [1, 2] } }, \"a.b.1\")", "2"),
            example("nothing there", "get({ a = 1 }, \"b\")", "missing"),
        ],
    },
    params: &[needs("value", &[Type::Object, Type::List]), needs("path", &[Type::Text])],
    returns: |_| Type::Any,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let path = span(args, 1)?;
        let path = texts.bytes(path).to_vec();
        find(texts, *args.first()?, &path)
    }),
};

/// Follows a path, also through keys that hold dots themselves.
fn find(texts: &mut Texts, value: Value, path: &[u8]) -> Option<Value> {
    match value {
        Value::Object(object) => {
            for (key, value) in members(texts, object) {
                let key = texts.bytes(key);
                let rest = path.strip_prefix(key);
                match rest {
                    Some([]) => return Some(raw::value(texts, value)),
                    Some([b'.', rest @ ..]) => {
                        let value = raw::value(texts, value);
                        if let Some(found) = find(texts, value, rest) {
                            return Some(found);
                        }
                    }
                    _ => {}
                }
            }
            None
        }
        Value::List(list) => {
            let head = memchr::memchr(b'.', path).unwrap_or(path.len());
            let at: usize = std::str::from_utf8(path.get(..head)?).ok()?.parse().ok()?;
            let range = raw::items(texts.bytes(list)).into_iter().nth(at)?;
            let item = raw::value(texts, list.part(range.start, range.len()));
            match path.get(head + 1..) {
                None => Some(item),
                Some(rest) => find(texts, item, rest),
            }
        }
        _ => None,
    }
}

/// `merge(a, b)`
pub(super) static MERGE: Function = Function {
    signature: &Signature {
        name: "merge",
        summary: "the members of two objects in one",
        doc: "Where both have a key, the value of the second stays. Not deep.",
        form: "merge(a: object, b: object) -> object",
        options: &[],
        examples: &[example(
            "a key in both",
            "merge({ a = 1, b = 1 }, { b = 2, c = 3 })",
            r#"{"a":1,"b":2,"c":3}"#,
        )],
    },
    params: &[needs("a", OBJECT), needs("b", OBJECT)],
    returns: |_| Type::Object,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let (a, b) = (members(texts, object(args, 0)?), members(texts, object(args, 1)?));
        let second: HashSet<_> = b.iter().map(|(key, _)| texts.bytes(*key)).collect();
        let first = a.iter().filter(|(key, _)| !second.contains(texts.bytes(*key))).copied();
        let all: Vec<_> = first.collect();
        write(texts, all.into_iter().chain(b))
    }),
};

/// Writes members whose keys differ.
fn write(texts: &mut Texts, members: impl Iterator<Item = (Span, Span)>) -> Option<Value> {
    let mut out = texts.scratch();
    out.push(b'{');
    for (key, value) in members {
        write_string(&lossy(texts, key), &mut out);
        out.push(b':');
        out.extend_from_slice(texts.bytes(value));
        out.push(b',');
    }
    crate::expr::close(&mut out, b'}');
    keep(texts, out).map(Value::Object)
}

/// `flatten(object, separator)`
pub(super) static FLATTEN: Function = Function {
    signature: &Signature {
        name: "flatten",
        summary: "an object without objects in it: keys are joined",
        doc: "The separator is `_` unless another is given; a dot cannot be one, since it separates keys anyway. Where \
              two keys become the same, the first stays. Lists stay as they are.",
        form: "flatten(object: object, separator?: text) -> object",
        options: &[],
        examples: &[example(
            "two levels",
            "flatten({ a = { b = 1, c = { d = 2 } }, e = 3 })",
            r#"{"a_b":1,"a_c_d":2,"e":3}"#,
        )],
    },
    params: &[needs("object", OBJECT), may_fixed("separator", &[Type::Text])],
    returns: |_| Type::Object,
    fallible: false,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let separator = match constants.get(1).and_then(Option::as_ref) {
            None => "_".to_owned(),
            Some(Constant::Text(text)) if !text.is_empty() && !text.contains('.') => text.clone(),
            Some(_) => return Err("`separator` must be a text without a dot".into()),
        };
        Ok(Box::new(move |args, texts| {
            let mut found = Vec::new();
            let mut known = HashSet::new();
            let object = object(args, 0)?;
            let mut room = super::room(texts);
            flatten(texts, object, "", &separator, &mut room, &mut |key, value| {
                if known.insert(key.clone()) {
                    found.push((key, value));
                }
            })?;
            let mut out = texts.scratch();
            out.push(b'{');
            for (key, value) in found {
                write_string(&key, &mut out);
                out.push(b':');
                out.extend_from_slice(texts.bytes(value));
                out.push(b',');
            }
            crate::expr::close(&mut out, b'}');
            keep(texts, out).map(Value::Object)
        }))
    }),
};

/// Gives each leaf with its joined key. The depth is that of a validated object; `room` bounds the keys' bytes.
fn flatten(
    texts: &mut Texts,
    object: Span,
    prefix: &str,
    separator: &str,
    room: &mut usize,
    leaf: &mut dyn FnMut(String, Span),
) -> Option<()> {
    for (key, value) in members(texts, object) {
        let key = [prefix, &lossy(texts, key)].concat();
        *room = room.checked_sub(key.len())?;
        if texts.bytes(value).starts_with(b"{") && !raw::members(texts.bytes(value)).is_empty() {
            flatten(texts, value, &(key + separator), separator, room, leaf)?;
        } else {
            leaf(key, value);
        }
    }
    Some(())
}
