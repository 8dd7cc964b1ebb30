//! Text to a value of a wanted type: for columns and groups that say theirs.

use super::{Calendar, scan, time};
use crate::event::{Span, Value};
use crate::signature::Type;

/// The types that a name may end in: `status:int`.
const TYPES: [(&str, Type); 6] = [
    ("text", Type::Text),
    ("int", Type::Int),
    ("float", Type::Float),
    ("bool", Type::Bool),
    ("ip", Type::Ip),
    ("timestamp", Type::Timestamp),
];

/// Splits `name<separator>type`. A name without a type is text.
pub(super) fn name_and_type<'a>(written: &'a str, separator: &str) -> (&'a str, Type) {
    written
        .rsplit_once(separator)
        .and_then(|(name, ty)| Some((name, TYPES.iter().find(|(known, _)| *known == ty)?.1)))
        .unwrap_or((written, Type::Text))
}

/// The value of a text, if the whole of it is of the type.
pub(super) fn convert(bytes: &[u8], span: Span, ty: Type, calendar: &Calendar) -> Option<Value> {
    let whole = |len: usize| len == bytes.len();
    match ty {
        Type::Int => scan::int(bytes).filter(|(_, len)| whole(*len)).map(|(int, _)| Value::Int(int)),
        Type::Float => {
            scan::float(bytes).filter(|(_, len)| whole(*len)).map(|(float, _)| Value::Float(float))
        }
        Type::Bool => match bytes {
            b"true" => Some(Value::Bool(true)),
            b"false" => Some(Value::Bool(false)),
            _ => None,
        },
        Type::Ip => scan::is_ip(bytes).then_some(Value::Ip(span)),
        Type::Timestamp => time::whole(bytes, calendar).map(Value::Timestamp),
        _ => Some(Value::Text(span)),
    }
}
