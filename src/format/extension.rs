//! Keys of security formats (CEF, LEEF): their full name, their type, and the ECS field that means the same.

use std::collections::BTreeMap;

use super::members::Members;
use super::{Bind, Calendar, Fields, Mismatch, Target, scan, time};
use crate::event::{Slot, Span, Texts, Value};
use crate::signature::{Field, Type};

/// A known key.
pub(super) struct Key {
    /// As it is written.
    pub(super) short: &'static str,
    /// The name it gets; empty for the same.
    pub(super) full: &'static str,
    /// The type of its value.
    pub(super) ty: Type,
    /// The ECS field with the same meaning; empty where there is none.
    pub(super) ecs: &'static str,
}

/// One line of a table.
pub(super) const fn key(short: &'static str, full: &'static str, ty: Type, ecs: &'static str) -> Key {
    Key { short, full, ty, ecs }
}

/// The fields that a table gives, below `root` and in ECS.
pub(super) fn fields(root: &str, table: &[Key], fixed: &[(&str, Type)]) -> Vec<Field> {
    let mut all: BTreeMap<&str, Type> = fixed.iter().copied().collect();
    all.insert(root, Type::Object);
    all.extend(table.iter().filter(|key| !key.ecs.is_empty()).map(|key| (key.ecs, key.ty)));
    let field = |(path, ty): (&str, Type)| Field { path: path.into(), ty, maybe: true, doc: String::new() };
    all.into_iter().map(field).collect()
}

/// A table bound to a layout.
pub(super) struct Table {
    root: Slot,
    keys: BTreeMap<&'static [u8], (Span, Type, Option<Slot>)>,
    calendar: Calendar,
}

impl Table {
    pub(super) fn new(root: &str, table: &'static [Key], bind: &mut Bind<'_>) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for key in table {
            let full = if key.full.is_empty() { key.short } else { key.full };
            let slot = if key.ecs.is_empty() { None } else { bind.wanted_slot(key.ecs)? };
            let name = bind.constant(full.as_bytes());
            keys.insert(key.short.as_bytes(), (name, key.ty, slot));
            keys.insert(full.as_bytes(), (name, key.ty, slot));
        }
        Ok(Self { root: bind.slot(root)?, keys, calendar: bind.calendar()? })
    }

    /// The members of the open object.
    pub(super) fn members(&self, fields: &Fields) -> Members {
        Members::new(self.root, fields)
    }

    /// Puts a pair. `text` is the value's, which stands at `span`; an empty one is a key that tells nothing.
    pub(super) fn put(
        &self,
        key: (Span, &[u8]),
        value: (&[u8], Span),
        texts: &Texts,
        members: &mut Members,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        self.put_as(key, value, None, texts, members, fields)
    }

    /// The same where the data says the type of a value whose key is not known.
    pub(super) fn put_as(
        &self,
        (key, written): (Span, &[u8]),
        (text, span): (&[u8], Span),
        ty: Option<Type>,
        texts: &Texts,
        members: &mut Members,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let known = self.keys.get(written);
        let ty = known.map(|(_, ty, _)| *ty).or(ty);
        let value = ty.and_then(|ty| self.convert(text, span, ty));
        let name = known.map_or(key, |(name, ..)| *name);
        let name_bytes = if known.is_some() { texts.bytes(name) } else { written };
        let same = |other: Span| texts.bytes(other) == name_bytes;
        members.put(fields, (name, name_bytes), value.unwrap_or(Value::Text(span)), same)?;
        if let (Some((_, _, Some(slot))), Some(value)) = (known, value)
            && !text.is_empty()
        {
            fields.push((Target::Slot(*slot), value));
        }
        Ok(())
    }

    fn convert(&self, text: &[u8], span: Span, ty: Type) -> Option<Value> {
        match ty {
            Type::Int => {
                scan::int(text).filter(|(_, len)| *len == text.len()).map(|(int, _)| Value::Int(int))
            }
            Type::Float => {
                scan::float(text).filter(|(_, len)| *len == text.len()).map(|(float, _)| Value::Float(float))
            }
            Type::Bool => match text {
                b"T" | b"true" => Some(Value::Bool(true)),
                b"F" | b"false" => Some(Value::Bool(false)),
                _ => None,
            },
            Type::Ip => scan::is_ip(text).then_some(Value::Ip(span)),
            Type::Timestamp => time::whole(text, &self.calendar).map(Value::Timestamp),
            _ => Some(Value::Text(span)),
        }
    }
}
