//! Numbers: size, rounding, the smaller and the larger.

use super::{Body, Function, example, may, needs};
use crate::event::{Texts, Value};
use crate::expr::arithmetic::whole;
use crate::expr::compare::order;
use crate::expr::unify;
use crate::signature::{Param, Signature, Type};

const NUMBER: &[Type] = &[Type::Int, Type::Float];
const ORDERED: &[Type] = &[Type::Int, Type::Float, Type::Timestamp, Type::Duration, Type::Text];

/// `abs(number)`
pub(super) static ABS: Function = Function {
    signature: &Signature {
        name: "abs",
        summary: "a number without its sign",
        doc: "Also for durations.",
        form: "abs(value: int | float | duration) -> the same",
        options: &[],
        examples: &[example("an int", "abs(-3)", "3"), example("a float", "abs(0.5 - 2)", "1.5")],
    },
    params: &[needs("value", &[Type::Int, Type::Float, Type::Duration])],
    returns: |types| types.first().copied().unwrap_or(Type::Any),
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, _| match *args.first()? {
        Value::Int(int) => int.checked_abs().map(Value::Int),
        Value::Float(float) => Some(Value::Float(float.abs())),
        Value::Duration(ns) => ns.checked_abs().map(Value::Duration),
        _ => None,
    }),
};

/// `floor(number)`
pub(super) static FLOOR: Function = Function {
    signature: &Signature {
        name: "floor",
        summary: "the nearest whole number below",
        doc: "Missing where an int cannot hold it.",
        form: "floor(value: int | float) -> int",
        options: &[],
        examples: &[example("below zero", "floor(-1.5)", "-2")],
    },
    params: &[needs("value", NUMBER)],
    returns: |_| Type::Int,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, _| to_whole(args, f64::floor)),
};

/// `ceil(number)`
pub(super) static CEIL: Function = Function {
    signature: &Signature {
        name: "ceil",
        summary: "the nearest whole number above",
        doc: "Missing where an int cannot hold it.",
        form: "ceil(value: int | float) -> int",
        options: &[],
        examples: &[example("above one", "ceil(1.2)", "2")],
    },
    params: &[needs("value", NUMBER)],
    returns: |_| Type::Int,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, _| to_whole(args, f64::ceil)),
};

/// `round(number, digits)`
pub(super) static ROUND: Function = Function {
    signature: &Signature {
        name: "round",
        summary: "the nearest whole number, or the nearest with so many digits after the point",
        doc: "Halves go away from zero. With digits (0 to 15) the result is a float.",
        form: "round(value: int | float, digits?: int) -> int | float",
        options: &[],
        examples: &[example("whole", "round(2.5)", "3"), example("two digits", "round(3.14159, 2)", "3.14")],
    },
    params: &[needs("value", NUMBER), may("digits", &[Type::Int])],
    returns: |types| if types.len() > 1 { Type::Float } else { Type::Int },
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, _| match (args.first()?, args.get(1)) {
        (_, None) => to_whole(args, f64::round),
        (Value::Int(int), Some(_)) => Some(Value::Float(*int as f64)),
        (Value::Float(float), Some(Value::Int(digits @ 0..=15))) => {
            let scale = 10f64.powi(*digits as i32);
            let rounded = (float * scale).round() / scale;
            // So large a number has no digits after the point.
            Some(Value::Float(if rounded.is_finite() { rounded } else { *float }))
        }
        _ => None,
    }),
};

fn to_whole(args: &[Value], round: fn(f64) -> f64) -> Option<Value> {
    match *args.first()? {
        Value::Int(int) => Some(Value::Int(int)),
        Value::Float(float) => whole(round(float)).map(Value::Int),
        _ => None,
    }
}

const PAIR: &[Param] = &[needs("a", ORDERED), needs("b", ORDERED)];

/// `min(a, b)`
pub(super) static MIN: Function = Function {
    signature: &Signature {
        name: "min",
        summary: "the smaller of two values",
        doc: "Of numbers, time stamps, durations or texts.",
        form: "min(a, b) -> the same",
        options: &[],
        examples: &[example("numbers", "min(3, 2)", "2"), example("mixed", "min(3, 2.5)", "2.5")],
    },
    params: PAIR,
    returns: either,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| pick(args, texts, false)),
};

/// `max(a, b)`
pub(super) static MAX: Function = Function {
    signature: &Signature {
        name: "max",
        summary: "the larger of two values",
        doc: "Of numbers, time stamps, durations or texts.",
        form: "max(a, b) -> the same",
        options: &[],
        examples: &[example("durations, in nanoseconds", "max(1s, 2ms)", "1000000000")],
    },
    params: PAIR,
    returns: either,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| pick(args, texts, true)),
};

fn either(types: &[Type]) -> Type {
    match types {
        [a, b] => unify(*a, *b),
        _ => Type::Any,
    }
}

fn pick(args: &[Value], texts: &mut Texts, larger: bool) -> Option<Value> {
    let (a, b) = (*args.first()?, *args.get(1)?);
    let second = if larger { order(a, b, texts)?.is_lt() } else { order(a, b, texts)?.is_gt() };
    let picked = if second { b } else { a };
    Some(match (picked, a, b) {
        // An int beside a float: the type of the whole is float.
        (Value::Int(int), Value::Float(_), _) | (Value::Int(int), _, Value::Float(_)) => {
            Value::Float(int as f64)
        }
        _ => picked,
    })
}
