//! Functions about whether and what a value is.

use super::{Body, Function, example, keep_with, may, needs};
use crate::event::{Facts, Value};
use crate::expr::Expr;
use crate::signature::{Signature, Type};

/// `has(field)`
pub(super) static HAS: Function = Function {
    signature: &Signature {
        name: "has",
        summary: "whether a field is there",
        doc: "A field that is `null` is there. An object is there if anything below it is.",
        form: "has(field) -> bool",
        options: &[],
        examples: &[example("a field that is not", "has(.no.such.field)", "false")],
    },
    params: &[needs("field", &[Type::Any])],
    returns: |_| Type::Bool,
    fallible: false,
    accepts_missing: true,
    body: Body::Rewrite(|args| match args.as_slice() {
        [Expr::Field(slot)] => Ok(Expr::Has(*slot)),
        _ => Err("`has` needs a field, such as `has(.user.name)`".into()),
    }),
};

const ANY: &[Type] = &[Type::Any];

/// `coalesce(a, b, …)`
pub(super) static COALESCE: Function = Function {
    signature: &Signature {
        name: "coalesce",
        summary: "the first of several values that is there",
        doc: "The same as `a ?? b ?? c`. Missing where all are.",
        form: "coalesce(a, b, …) -> any",
        options: &[],
        examples: &[
            example("the second", "coalesce(.no.such.field, 2, 3)", "2"),
            example("one that fails", "coalesce(int(\"x\"), 0)", "0"),
        ],
    },
    params: &[
        needs("a", ANY),
        needs("b", ANY),
        may("c", ANY),
        may("d", ANY),
        may("e", ANY),
        may("f", ANY),
        may("g", ANY),
        may("h", ANY),
    ],
    returns: |types| match types {
        [first, rest @ ..] if rest.iter().all(|ty| ty == first) => *first,
        _ => Type::Any,
    },
    fallible: false,
    accepts_missing: true,
    body: Body::Rewrite(|args| {
        let mut rest = args.into_iter().rev();
        let last = rest.next().ok_or("`coalesce` needs values")?;
        Ok(rest.fold(last, |after, before| Expr::Else(Box::new([before, after]))))
    }),
};

/// `type_of(value)`
pub(super) static TYPE_OF: Function = Function {
    signature: &Signature {
        name: "type_of",
        summary: "the name of a value's type",
        doc: "`null`, `bool`, `int`, `float`, `timestamp`, `duration`, `ip`, `text`, `list` or `object`. For a field \
              that may be missing: `type_of(.x) ?? \"missing\"`.",
        form: "type_of(value: any) -> text",
        options: &[],
        examples: &[
            example("a number", "type_of(1)", "\"int\""),
            example("an item of a list", "type_of(first([null]) ?? 0)", "\"null\""),
        ],
    },
    params: &[needs("value", ANY)],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let name = match args.first()? {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) | Value::Number(_) => "float",
            Value::Timestamp(_) => "timestamp",
            Value::Duration(_) => "duration",
            Value::Ip(_) => "ip",
            Value::Text(_) => "text",
            Value::Object(_) => "object",
            Value::List(_) => "list",
        };
        let mut out = texts.scratch();
        out.extend_from_slice(name.as_bytes());
        keep_with(texts, out, Facts::PLAIN).map(Value::Text)
    }),
};
