//! Conversions between types. What a text does not say exactly is no value: `int("12 ms")` fails.

use super::scan::{duration_text, size_text};
use super::{Body, Function, example, keep_with, may_fixed, needs, span};
use crate::event::{Facts, Texts, Value, write_plain};
use crate::expr::Constant;
use crate::expr::arithmetic::whole;
use crate::signature::{Signature, Type};

/// `text(value)`
pub(super) static TEXT: Function = Function {
    signature: &Signature {
        name: "text",
        summary: "any value as text",
        doc: "Time stamps in RFC 3339, durations as nanoseconds, lists and objects as JSON, `null` as nothing.",
        form: "text(value: any) -> text",
        options: &[],
        examples: &[
            example("a number", "text(404)", "\"404\""),
            example("a list", "text([1, \"a\"])", "\"[1,\\\"a\\\"]\""),
        ],
    },
    params: &[needs("value", &[Type::Any])],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(text),
};

fn text(args: &[Value], texts: &mut Texts) -> Option<Value> {
    let value = *args.first()?;
    if let Value::Text(span) | Value::Ip(span) = value {
        return Some(Value::Text(span));
    }
    let mut out = texts.scratch();
    write_plain(texts, value, &mut out);
    let plain = !matches!(value, Value::Object(_) | Value::List(_));
    keep_with(texts, out, if plain { Facts::PLAIN } else { Facts::UNKNOWN }).map(Value::Text)
}

/// `int(value, base)`
pub(super) static INT: Function = Function {
    signature: &Signature {
        name: "int",
        summary: "a whole number",
        doc: "A text must be a decimal number and nothing else, or a number of the base that is given (2 to 36; with 0 \
              `0x`, `0o` and `0b` before it tell the base). A float loses its fraction, a bool is 1 or 0.",
        form: "int(value: text | int | float | bool, base?: int) -> int",
        options: &[],
        examples: &[
            example("a text", "int(\"-42\")", "-42"),
            example("hexadecimal", "int(\"ff\", 16)", "255"),
            example("the text tells the base", "int(\"-0x2a\", 0)", "-42"),
            example("a float", "int(2.9)", "2"),
            example("more than a number", "int(\"12 ms\")", "missing"),
        ],
    },
    params: &[
        needs("value", &[Type::Text, Type::Int, Type::Float, Type::Bool]),
        may_fixed("base", &[Type::Int]),
    ],
    returns: |_| Type::Int,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let base = match constants.get(1).and_then(Option::as_ref) {
            Some(Constant::Int(base @ (0 | 2..=36))) => *base as u32,
            Some(_) => return Err("`base` must be 0, or from 2 to 36".into()),
            None => 10,
        };
        Ok(Box::new(move |args, texts| int(args, texts, base).map(Value::Int)))
    }),
};

fn int(args: &[Value], texts: &Texts, base: u32) -> Option<i64> {
    match *args.first()? {
        Value::Int(int) => Some(int),
        Value::Bool(bool) => Some(i64::from(bool)),
        Value::Float(float) => whole(float.trunc()),
        Value::Text(span) => digits(std::str::from_utf8(texts.bytes(span)).ok()?, base),
        _ => None,
    }
}

/// A number of a base; of base 0 what stands before it tells which.
fn digits(text: &str, base: u32) -> Option<i64> {
    if base != 0 {
        return i64::from_str_radix(text, base).ok();
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let told = rest.get(..2).and_then(|start| match start {
        "0x" | "0X" => Some(16),
        "0o" | "0O" => Some(8),
        "0b" | "0B" => Some(2),
        _ => None,
    });
    match told {
        // The sign goes along, for the least number has no positive twin.
        Some(base) => i64::from_str_radix(&format!("{sign}{}", rest.get(2..)?), base).ok(),
        None => text.parse().ok(),
    }
}

/// `float(value)`
pub(super) static FLOAT: Function = Function {
    signature: &Signature {
        name: "float",
        summary: "a number with a fraction",
        doc: "A text must be a decimal number and nothing else; infinity and NaN are no numbers.",
        form: "float(value: text | int | float) -> float",
        options: &[],
        examples: &[
            example("a text", "float(\"0.125\")", "0.125"),
            example("an exponent", "float(\"1e3\")", "1000.0"),
            example("no number", "float(\"NaN\")", "missing"),
        ],
    },
    params: &[needs("value", &[Type::Text, Type::Int, Type::Float])],
    returns: |_| Type::Float,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let float = match *args.first()? {
            Value::Int(int) => int as f64,
            Value::Float(float) => float,
            Value::Text(span) | Value::Number(span) => {
                std::str::from_utf8(texts.bytes(span)).ok()?.parse().ok()?
            }
            _ => return None,
        };
        float.is_finite().then_some(Value::Float(float))
    }),
};

/// `bool(value)`
pub(super) static BOOL: Function = Function {
    signature: &Signature {
        name: "bool",
        summary: "a truth value",
        doc: "`true`, `yes`, `on` and 1 are true, `false`, `no`, `off` and 0 are false, in any case of letters.",
        form: "bool(value: text | int | bool) -> bool",
        options: &[],
        examples: &[
            example("a word", "bool(\"Yes\")", "true"),
            example("a number", "bool(0)", "false"),
            example("neither", "bool(\"maybe\")", "missing"),
        ],
    },
    params: &[needs("value", &[Type::Text, Type::Int, Type::Bool])],
    returns: |_| Type::Bool,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let bool = match *args.first()? {
            Value::Bool(bool) => bool,
            Value::Int(int @ 0..=1) => int == 1,
            Value::Text(span) => {
                let word = texts.bytes(span);
                let is =
                    |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
                if is(&["true", "yes", "on", "1"]) {
                    true
                } else if is(&["false", "no", "off", "0"]) {
                    false
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some(Value::Bool(bool))
    }),
};

/// `ip(text)`
pub(super) static IP: Function = Function {
    signature: &Signature {
        name: "ip",
        summary: "an IP address",
        doc: "Version 4 (RFC 791) or 6 (RFC 4291), without port, brackets or zone.",
        form: "ip(value: text | ip) -> ip",
        options: &[],
        examples: &[
            example("version 6", "ip(\"2001:db8::1\")", "\"2001:db8::1\""),
            example("with a port", "ip(\"10.0.0.1:80\")", "missing"),
        ],
    },
    params: &[needs("value", &[Type::Text, Type::Ip])],
    returns: |_| Type::Ip,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        crate::expr::compare::address(texts.bytes(span)).map(|_| Value::Ip(span.with(Facts::PLAIN)))
    }),
};

/// `duration(text)`
pub(super) static DURATION: Function = Function {
    signature: &Signature {
        name: "duration",
        summary: "a length of time",
        doc: "Numbers with units (`1.5s`, `12 ms`, `1h30m`; ns, us, ms, s, m, h, d, w), clock form (`00:00:01.5`), or \
              ISO 8601 (`PT1.5S`). A number alone has no unit: multiply it, as in `.took * 1ms`.",
        form: "duration(value: text) -> duration",
        options: &[],
        examples: &[
            example("with a unit, in nanoseconds", "duration(\"12ms\")", "12000000"),
            example("two units", "duration(\"1m 30s\")", "90000000000"),
            example("clock form", "duration(\"00:00:01.5\")", "1500000000"),
            example("without a unit", "duration(\"12\")", "missing"),
        ],
    },
    params: &[needs("value", &[Type::Text, Type::Duration])],
    returns: |_| Type::Duration,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| match *args.first()? {
        Value::Duration(ns) => Some(Value::Duration(ns)),
        Value::Text(span) => duration_text(texts.text(span)?).map(Value::Duration),
        _ => None,
    }),
};

/// `size(text)`
pub(super) static SIZE: Function = Function {
    signature: &Signature {
        name: "size",
        summary: "a number of bytes",
        doc: "`KiB`, `MiB` … count by 1024, `kB`, `MB` … by 1000; the bare letters `K`, `M`, `G`, `T` by 1024, as \
              programs print them. With `base`, 1000 or 1024, all of them count by that. A number alone is bytes.",
        form: "size(value: text | int, base?: int) -> int",
        options: &[],
        examples: &[
            example("binary", "size(\"10KiB\")", "10240"),
            example("decimal, with a fraction", "size(\"1.5 MB\")", "1500000"),
            example("by programs that write `kB` for 1024", "size(\"1 kB\", 1024)", "1024"),
            example("no size", "size(\"big\")", "missing"),
        ],
    },
    params: &[needs("value", &[Type::Text, Type::Int]), may_fixed("base", &[Type::Int])],
    returns: |_| Type::Int,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let base = match constants.get(1).and_then(Option::as_ref) {
            None => None,
            Some(Constant::Int(base @ (1000 | 1024))) => Some(*base as f64),
            Some(_) => return Err("`base` must be 1000 or 1024".into()),
        };
        Ok(Box::new(move |args, texts| match *args.first()? {
            Value::Int(int) => Some(Value::Int(int)),
            Value::Text(span) => size_text(texts.text(span)?, base).map(Value::Int),
            _ => None,
        }))
    }),
};
