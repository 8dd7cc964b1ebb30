//! Regular expressions: captures, all matches, replacement. Patterns are constants, compiled within a bound, and
//! matched in time linear in the text.

use regex::bytes::{Captures, Regex};

use super::pieces::list;
use super::{Body, Function, Prepared, example, fixed, keep, may_fixed, needs, room, span};
use crate::event::{Facts, Texts, Value, write_string};
use crate::expr::{Constant, checked_regex};
use crate::signature::{Param, Signature, Type};

const TEXT: &[Type] = &[Type::Text];
const PARAMS: &[Param] = &[needs("text", TEXT), fixed("pattern", TEXT)];

fn pattern(constants: &[Option<Constant>]) -> Result<Regex, String> {
    let pattern = constants.get(1).and_then(Option::as_ref).and_then(Constant::text);
    checked_regex(pattern.ok_or("`pattern` must be a constant text")?)
}

/// `capture(text, pattern, group)`
pub(super) static CAPTURE: Function = Function {
    signature: &Signature {
        name: "capture",
        summary: "the text that a group of a pattern captured",
        doc: "The group is named, or numbered from 0 (the whole match). Without one it is the first group, or the \
              whole match where the pattern has no group. Missing where the pattern does not match.",
        form: "capture(text: text, pattern: text, group?: text | int) -> text",
        options: &[],
        examples: &[
            example("the first group", r#"capture("took 12 ms", r"took (\d+)")"#, "\"12\""),
            example("a named group", r#"capture("a=1", r"(?<k>\w)=(?<v>\w)", "v")"#, "\"1\""),
            example("no match", r#"capture("a", r"\d")"#, "missing"),
        ],
    },
    params: &[needs("text", TEXT), fixed("pattern", TEXT), may_fixed("group", &[Type::Text, Type::Int])],
    returns: |_| Type::Text,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(capture),
};

fn capture(constants: &[Option<Constant>], _: &dyn super::Files) -> Result<Prepared, String> {
    let pattern = pattern(constants)?;
    let names: Vec<_> = pattern.capture_names().collect();
    let group = match constants.get(2).and_then(Option::as_ref) {
        None => usize::from(names.len() > 1),
        Some(Constant::Int(number)) => usize::try_from(*number)
            .ok()
            .filter(|number| *number < names.len())
            .ok_or_else(|| format!("the pattern has no group {number}"))?,
        Some(Constant::Text(name)) => names
            .iter()
            .position(|known| *known == Some(name.as_str()))
            .ok_or_else(|| format!("the pattern has no group `{name}`"))?,
        Some(_) => return Err("`group` must be a name or a number".into()),
    };
    Ok(Box::new(move |args, texts| {
        let span = span(args, 0)?;
        let bytes = texts.bytes(span);
        let range = if group == 0 {
            pattern.find(bytes)?.range()
        } else {
            pattern.captures(bytes)?.get(group)?.range()
        };
        let part = span.part(range.start, range.len());
        // A pattern may match bytes (`(?-u)`): a cut character is no longer what the facts say.
        let whole = part.facts.is_plain() && texts.text(part).is_some();
        Some(Value::Text(part.with(if whole { Facts::PLAIN } else { Facts::UNKNOWN })))
    }))
}

/// `captures(text, pattern)`
pub(super) static CAPTURES: Function = Function {
    signature: &Signature {
        name: "captures",
        summary: "what the named groups of a pattern captured, as an object",
        doc: "Groups that took no part in the match are left out; a dot in a name separates keys. Missing where the \
              pattern does not match.",
        form: "captures(text: text, pattern: text) -> object",
        options: &[],
        examples: &[example(
            "two groups",
            r#"captures("GET /x", r"(?<method>\w+) (?<path>\S+)")"#,
            r#"{"method":"GET","path":"/x"}"#,
        )],
    },
    params: PARAMS,
    returns: |_| Type::Object,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let pattern = grouped(constants)?;
        Ok(Box::new(move |args, texts| {
            let span = span(args, 0)?;
            let mut out = texts.scratch();
            let found = pattern.captures(texts.bytes(span))?;
            groups(&pattern, &found, &mut out);
            keep(texts, out).map(Value::Object)
        }))
    }),
};

/// A pattern that has named groups.
fn grouped(constants: &[Option<Constant>]) -> Result<Regex, String> {
    let pattern = pattern(constants)?;
    if pattern.capture_names().flatten().next().is_none() {
        return Err("the pattern has no named group, such as `(?<name>…)`".into());
    }
    Ok(pattern)
}

/// Appends the named groups of a match as an object.
fn groups(pattern: &Regex, found: &Captures<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    for name in pattern.capture_names().flatten() {
        if let Some(group) = found.name(name) {
            write_string(name, out);
            out.push(b':');
            write_string(&String::from_utf8_lossy(group.as_bytes()), out);
            out.push(b',');
        }
    }
    crate::expr::close(out, b'}');
}

/// `captures_all(text, pattern)`
pub(super) static CAPTURES_ALL: Function = Function {
    signature: &Signature {
        name: "captures_all",
        summary: "what the named groups captured in each match of a pattern, as a list of objects",
        doc: "As `captures`, for every match; matches do not overlap. An empty list where there is none.",
        form: "captures_all(text: text, pattern: text) -> list",
        options: &[],
        examples: &[example(
            "pairs",
            r#"captures_all("a=1 b=2", r"(?<key>\w)=(?<value>\d)")"#,
            r#"[{"key":"a","value":"1"},{"key":"b","value":"2"}]"#,
        )],
    },
    params: PARAMS,
    returns: |_| Type::List,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let pattern = grouped(constants)?;
        Ok(Box::new(move |args, texts| {
            let span = span(args, 0)?;
            let mut out = texts.scratch();
            let room = room(texts);
            out.push(b'[');
            for found in pattern.captures_iter(texts.bytes(span)) {
                if out.len() > room {
                    break;
                }
                groups(&pattern, &found, &mut out);
                out.push(b',');
            }
            crate::expr::close(&mut out, b']');
            keep(texts, out).map(Value::List)
        }))
    }),
};

/// `find_all(text, pattern)`
pub(super) static FIND_ALL: Function = Function {
    signature: &Signature {
        name: "find_all",
        summary: "all matches of a pattern, as a list",
        doc: "Matches do not overlap. An empty list where there is none.",
        form: "find_all(text: text, pattern: text) -> list",
        options: &[],
        examples: &[example("numbers", r#"find_all("a1b22", r"\d+")"#, r#"["1","22"]"#)],
    },
    params: PARAMS,
    returns: |_| Type::List,
    fallible: false,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let pattern = pattern(constants)?;
        Ok(Box::new(move |args, texts| {
            let span = span(args, 0)?;
            list(texts, |texts, push| {
                for found in pattern.find_iter(texts.bytes(span)) {
                    push(&String::from_utf8_lossy(found.as_bytes()));
                }
            })
        }))
    }),
};

/// `regex_replace(text, pattern, replacement)`
pub(super) static REGEX_REPLACE: Function = Function {
    signature: &Signature {
        name: "regex_replace",
        summary: "a text with every match of a pattern replaced",
        doc: "In the replacement `$1` and `${name}` stand for groups, `$$` for a dollar.",
        form: "regex_replace(text: text, pattern: text, replacement: text) -> text",
        options: &[],
        examples: &[
            example("digits", r#"regex_replace("id 4711", r"\d+", "N")"#, "\"id N\""),
            example("groups", r#"regex_replace("k=v", r"(\w)=(\w)", "$2=$1")"#, "\"v=k\""),
        ],
    },
    params: &[needs("text", TEXT), fixed("pattern", TEXT), fixed("replacement", TEXT)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let pattern = pattern(constants)?;
        let replacement = constants.get(2).and_then(Option::as_ref).and_then(Constant::text);
        let replacement = replacement.ok_or("`replacement` must be a constant text")?.as_bytes().to_vec();
        Ok(Box::new(move |args, texts| regex_replace(args, texts, &pattern, &replacement)))
    }),
};

fn regex_replace(args: &[Value], texts: &mut Texts, pattern: &Regex, replacement: &[u8]) -> Option<Value> {
    let span = span(args, 0)?;
    if !pattern.is_match(texts.bytes(span)) {
        return Some(Value::Text(span));
    }
    let room = room(texts);
    let mut out = texts.scratch();
    let bytes = texts.bytes(span);
    let mut done = 0;
    for found in pattern.captures_iter(bytes) {
        let range = found.get(0)?.range();
        out.extend_from_slice(bytes.get(done..range.start)?);
        found.expand(replacement, &mut out);
        done = range.end;
        if out.len() > room {
            return None;
        }
    }
    out.extend_from_slice(bytes.get(done..)?);
    keep(texts, out).map(Value::Text)
}
