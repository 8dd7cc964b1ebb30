//! Comparison of values, and the operators that relate text to text and items to lists.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::Operator;
use super::set::Networks;
use crate::event::{Span, Texts, Value, raw};

/// `left OP right`, where a missing side makes every comparison false and `!=` is the negation of `==`.
#[inline]
pub(super) fn compare(operator: Operator, left: Option<Value>, right: Option<Value>, texts: &Texts) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return operator == Operator::NotEqual;
    };
    match operator {
        Operator::Equal => equal(left, right, texts),
        Operator::NotEqual => !equal(left, right, texts),
        _ => {
            let Some(order) = order(left, right, texts) else { return false };
            match operator {
                Operator::Less => order.is_lt(),
                Operator::LessEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                _ => order.is_ge(),
            }
        }
    }
}

/// Whether two values are equal: numbers by value whatever their type, addresses as addresses, objects and lists
/// as JSON. Values of different kinds are not.
#[inline]
pub(super) fn equal(left: Value, right: Value, texts: &Texts) -> bool {
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => texts.bytes(a) == texts.bytes(b),
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (Value::Object(a), Value::Object(b)) | (Value::List(a), Value::List(b)) => {
            same_json(texts.bytes(a), texts.bytes(b))
        }
        _ => order(left, right, texts) == Some(Ordering::Equal),
    }
}

/// The order of two values of a kind that has one.
#[inline]
pub(super) fn order(left: Value, right: Value, texts: &Texts) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Int(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(&b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b),
        (Value::Int(a), Value::Float(b)) => int_with_float(a, b),
        (Value::Float(a), Value::Int(b)) => int_with_float(b, a).map(Ordering::reverse),
        (Value::Text(a), Value::Text(b)) => Some(texts.bytes(a).cmp(texts.bytes(b))),
        (Value::Ip(a), Value::Ip(b) | Value::Text(b)) | (Value::Text(a), Value::Ip(b)) => {
            addresses(texts.bytes(a), texts.bytes(b))
        }
        (Value::Number(a), Value::Number(b)) => float(texts.bytes(a))?.partial_cmp(&float(texts.bytes(b))?),
        (Value::Number(a), Value::Int(b)) => float(texts.bytes(a))?.partial_cmp(&(b as f64)),
        (Value::Number(a), Value::Float(b)) => float(texts.bytes(a))?.partial_cmp(&b),
        (Value::Int(a), Value::Number(b)) => (a as f64).partial_cmp(&float(texts.bytes(b))?),
        (Value::Float(a), Value::Number(b)) => a.partial_cmp(&float(texts.bytes(b))?),
        _ => None,
    }
}

/// By exact value: a float above 2^53 must not equal its neighbouring integers.
pub(super) fn int_with_float(int: i64, float: f64) -> Option<Ordering> {
    if float >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    let order = int.cmp(&(whole as i64));
    if order.is_eq() { whole.partial_cmp(&float) } else { Some(order) }
}

fn addresses(a: &[u8], b: &[u8]) -> Option<Ordering> {
    if a == b {
        return Some(Ordering::Equal);
    }
    Some(address(a)?.cmp(&address(b)?))
}

/// The address that a text is.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn float(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether two JSON texts mean the same, whatever their blanks, escapes and order of keys.
pub(super) fn same_json(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let read = |text| serde_json::from_slice::<serde_json::Value>(text).ok();
    read(a).is_some_and(|a| read(b) == Some(a))
}

/// `in`, `contains`, `starts_with`, `ends_with` for operands that are both there.
pub(super) fn relation(operator: Operator, left: Value, right: Value, texts: &mut Texts) -> bool {
    match (operator, left, right) {
        (Operator::In, item, Value::List(list)) | (Operator::Contains, Value::List(list), item) => {
            list_holds(list, item, texts)
        }
        (Operator::In, item, Value::Text(network)) => {
            let network = texts.text(network).and_then(|text| Networks::new(&[text]).ok());
            network.is_some_and(|network| network.contain(item, texts))
        }
        (_, Value::Text(a) | Value::Ip(a), Value::Text(b) | Value::Ip(b)) => {
            let (a, b) = (texts.bytes(a), texts.bytes(b));
            match operator {
                Operator::Contains => memchr::memmem::find(a, b).is_some(),
                Operator::StartsWith => a.starts_with(b),
                Operator::EndsWith => a.ends_with(b),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a JSON list holds a value.
pub(super) fn list_holds(list: Span, item: Value, texts: &mut Texts) -> bool {
    raw::items(texts.bytes(list)).into_iter().any(|range| {
        let found = raw::value(texts, list.part(range.start, range.len()));
        equal(found, item, texts)
    })
}

/// Whether a JSON list holds a text.
pub(super) fn list_holds_text(list: Span, text: &[u8], texts: &mut Texts) -> bool {
    raw::items(texts.bytes(list)).into_iter().any(|range| {
        let found = raw::value(texts, list.part(range.start, range.len()));
        matches!(found, Value::Text(span) if texts.bytes(span) == text)
    })
}
