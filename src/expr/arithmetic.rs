//! Arithmetic on values: whatever has no result in its type is `None`, never a wrapped or infinite number.

use super::Operator;
use super::function::keep_with;
use crate::event::{Facts, Texts, Value};

/// `-value`
pub(super) fn negate(value: Value) -> Option<Value> {
    match value {
        Value::Int(int) => int.checked_neg().map(Value::Int),
        Value::Float(float) => Some(Value::Float(-float)),
        Value::Duration(ns) => ns.checked_neg().map(Value::Duration),
        _ => None,
    }
}

/// `left OP right`
#[inline]
pub(super) fn apply(operator: Operator, left: Value, right: Value, texts: &mut Texts) -> Option<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => ints(operator, a, b),
        (Value::Text(a) | Value::Ip(a), Value::Text(b) | Value::Ip(b)) if operator == Operator::Add => {
            let mut out = texts.scratch();
            out.extend_from_slice(texts.bytes(a));
            out.extend_from_slice(texts.bytes(b));
            let plain = a.facts.is_plain() && b.facts.is_plain();
            keep_with(texts, out, if plain { Facts::PLAIN } else { Facts::UNKNOWN }).map(Value::Text)
        }
        (Value::Timestamp(_) | Value::Duration(_), _) | (_, Value::Timestamp(_) | Value::Duration(_)) => {
            times(operator, left, right)
        }
        _ => floats(operator, number(left)?, number(right)?).map(Value::Float),
    }
}

fn number(value: Value) -> Option<f64> {
    match value {
        Value::Int(int) => Some(int as f64),
        Value::Float(float) => Some(float),
        _ => None,
    }
}

fn ints(operator: Operator, a: i64, b: i64) -> Option<Value> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Remainder => a.checked_rem(b),
        // A quotient is a float: `.hits / .requests` should not be 0.
        _ => return floats(operator, a as f64, b as f64).map(Value::Float),
    };
    result.map(Value::Int)
}

fn floats(operator: Operator, a: f64, b: f64) -> Option<f64> {
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Remainder => a % b,
        _ => return None,
    };
    result.is_finite().then_some(result)
}

fn times(operator: Operator, left: Value, right: Value) -> Option<Value> {
    use Operator::{Add, Divide, Multiply, Remainder, Subtract};
    use Value::{Duration, Float, Int, Timestamp};
    match (operator, left, right) {
        (Add, Duration(a), Duration(b)) => a.checked_add(b).map(Duration),
        (Subtract, Duration(a), Duration(b)) => a.checked_sub(b).map(Duration),
        (Remainder, Duration(a), Duration(b)) => a.checked_rem(b).map(Duration),
        (Divide, Duration(a), Duration(b)) => floats(Divide, a as f64, b as f64).map(Float),
        (Subtract, Timestamp(a), Timestamp(b)) => a.checked_sub(b).map(Duration),
        (Add, Timestamp(a), Duration(b)) | (Add, Duration(a), Timestamp(b)) => {
            a.checked_add(b).map(Timestamp)
        }
        (Subtract, Timestamp(a), Duration(b)) => a.checked_sub(b).map(Timestamp),
        (Multiply, Duration(a), Int(b)) | (Multiply, Int(b), Duration(a)) => a.checked_mul(b).map(Duration),
        (Multiply, Duration(a), Float(b)) | (Multiply, Float(b), Duration(a)) => nanoseconds(a as f64 * b),
        (Divide, Duration(a), Int(b)) => a.checked_div(b).map(Duration),
        (Divide, Duration(a), Float(b)) => nanoseconds(a as f64 / b),
        _ => None,
    }
}

/// A duration from a number of nanoseconds, rounded to the nearest.
pub(super) fn nanoseconds(ns: f64) -> Option<Value> {
    whole(ns).map(Value::Duration)
}

/// The nearest whole number, if an `i64` holds it.
pub(super) fn whole(float: f64) -> Option<i64> {
    let float = float.round();
    // 2^63 as a float is exact; `i64::MAX as f64` rounds up to it.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float).then_some(float as i64)
}
