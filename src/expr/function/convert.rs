//! Conversions between types.

use super::{Body, Function, keep_with};
use crate::event::{Facts, Texts, Value, write_plain};
use crate::signature::{Example, Param, Signature, Type};

/// `text(value)`
pub(super) static TEXT: Function = Function {
    signature: &Signature {
        name: "text",
        summary: "any value as text",
        doc: "Time stamps in RFC 3339, durations as nanoseconds, lists and objects as JSON, `null` as nothing.",
        form: "text(value: any) -> text",
        options: &[],
        examples: &[
            Example { title: "a number", source: "text(404)", input: "", result: "\"404\"" },
            Example { title: "a list", source: "text([1, \"a\"])", input: "", result: "\"[1,\\\"a\\\"]\"" },
        ],
    },
    params: &[Param { name: "value", types: &[Type::Any], optional: false, constant: false }],
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
