//! A field below a list of objects, such as `.detections.class`: it stands for that field of each of them. As a value
//! it is the list of all; a comparison holds where it holds of one. Elasticsearch reads a list of objects in the same way.

use super::{Expr, Operator, compare as values};
use crate::event::{Row, Slot, Span, Value, raw, write_value};

/// The list that a field is below, and the keys from there on.
fn holder(row: &Row, slot: Slot) -> Option<(Span, Vec<String>)> {
    let layout = row.layout();
    let mut above = slot;
    let mut keys = Vec::new();
    while above != 0 {
        keys.push(layout.key(above).to_owned());
        above = layout.parent(above);
        match row.get(above) {
            Some(Value::List(list)) => {
                keys.reverse();
                return Some((list, keys));
            }
            Some(_) => return None,
            None => {}
        }
    }
    None
}

/// The values that the objects of a list have at a path.
fn below(row: &mut Row, list: Span, keys: &[String]) -> Vec<Value> {
    let items = raw::items(row.texts.bytes(list));
    let at = |span: Span, keys: &[String]| {
        let mut span = span;
        for key in keys {
            let text = row.texts.bytes(span);
            if text.first() != Some(&b'{') {
                return None;
            }
            let members = raw::members(text);
            let (_, range) = members.into_iter().find(|(found, _)| &text[found.clone()] == key.as_bytes())?;
            span = span.part(range.start, range.len());
        }
        Some(span)
    };
    let spans: Vec<_> =
        items.into_iter().filter_map(|range| at(list.part(range.start, range.len()), keys)).collect();
    spans.into_iter().map(|span| raw::value(&mut row.texts, span)).collect()
}

/// The list of the values of a field below a list; `None` where there is no list above, or no such value in it.
#[cold]
pub(super) fn of_items(row: &mut Row, slot: Slot) -> Option<Value> {
    let (list, keys) = holder(row, slot)?;
    let found = below(row, list, &keys);
    if found.is_empty() {
        return None;
    }
    let mut out = row.texts.scratch();
    out.push(b'[');
    for (at, value) in found.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_value(&row.texts, value, &mut out);
    }
    out.push(b']');
    Some(Value::List(row.texts.keep(out)))
}

/// Whether a comparison of such a field with one value holds of any item; `None` where neither side is such a field.
/// `!=` is the negation of `==`, as ever.
#[inline]
pub(super) fn compare(operator: Operator, pair: &[Expr; 2], row: &mut Row) -> Option<bool> {
    let Expr::Field(slot) = &pair[0] else { return None };
    if row.has(*slot) {
        return None;
    }
    any(operator, *slot, &pair[1], row)
}

#[cold]
fn any(operator: Operator, slot: Slot, other: &Expr, row: &mut Row) -> Option<bool> {
    let (list, keys) = holder(row, slot)?;
    let right = other.eval(row);
    let found = below(row, list, &keys);
    let positive = if operator == Operator::NotEqual { Operator::Equal } else { operator };
    let holds = found.into_iter().any(|left| values::compare(positive, Some(left), right, &row.texts));
    Some(holds != (operator == Operator::NotEqual))
}
