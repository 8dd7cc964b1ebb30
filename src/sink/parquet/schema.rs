//! From the compiled types of a pipeline to the columns of its files.
//!
//! | type | column |
//! |---|---|
//! | text, ip | `STRING` |
//! | int | `INT64` |
//! | float | `DOUBLE` |
//! | bool | `BOOLEAN` |
//! | timestamp | `TIMESTAMP(MICROS, UTC)`, or nanoseconds where asked for |
//! | duration | `INT64`, nanoseconds |
//! | list, object | `STRING`, JSON text |
//! | any | `STRING`: text as it is, everything else as JSON text |
//!
//! A column has the field's dotted path as its name. Two more stand at the end: `event.id`, and `rest`, a map of
//! text to text for all that has no column: keys that only the data knows, and values of another type than the
//! compiler was told. So nothing is lost, and one odd event does not change the type of a column. As Hive has it,
//! a field that names folders is not in the files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use sha2::{Digest, Sha256};

use super::partition::Key;
use super::settings::Settings;
use crate::event::{Layout, Slot};
use crate::signature::Type;
use crate::sink::Shape;

/// Column of the event's id.
pub(super) const ID: &str = "event.id";
/// Column of the map for all that has no column.
pub(super) const REST: &str = "rest";
/// Key of the schema's own metadata with a hash of names and types; files of one hash have the same columns.
pub(super) const SCHEMA_HASH: &str = "aludel.schema";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Whatever comes, as text.
    Any,
    Json,
    Int,
    Float,
    Bool,
    Timestamp {
        nanos: bool,
    },
    Duration,
}

/// What becomes of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The column of this number.
    Column(u16),
    /// It names a folder.
    Folder,
    /// It has no column.
    Rest,
}

/// How rows of a pipeline become columns.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) schema: SchemaRef,
    /// By column, without `event.id` and `rest`.
    pub(super) kinds: Vec<Kind>,
    /// By slot.
    pub(super) places: Vec<Place>,
    pub(super) keys: Vec<Key>,
}

/// The fields of the entries of `rest`.
pub(super) fn entry_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)])
}

/// The field of the entries of `rest`, as the Parquet specification names it (LogicalTypes.md, "Maps").
pub(super) fn entry_field() -> Arc<Field> {
    Arc::new(Field::new("key_value", DataType::Struct(entry_fields()), false))
}

/// Makes the plan for a pipeline.
pub(super) fn plan(shape: &Shape, settings: &Settings) -> Result<Plan, String> {
    let layout = &*shape.layout;
    let keys = Key::all(layout, &settings.partition)?;
    let (mut kinds, mut fields) = (Vec::new(), Vec::new());
    let mut places = vec![Place::Rest; layout.len()];
    for slot in 1..layout.len() as Slot {
        let path = layout.path(slot);
        if keys.iter().any(|key| key.slot() == Some(slot)) {
            places[slot as usize] = Place::Folder;
        } else if shape.sent.contains(slot) && is_column(layout, slot, &keys) {
            let ty = shape.types.get(slot as usize).copied().unwrap_or(Type::Any);
            let kind = kind(ty, settings.nanos);
            places[slot as usize] = Place::Column(kinds.len() as u16);
            kinds.push(kind);
            let meaning = HashMap::from([("aludel.type".to_owned(), ty.to_string())]);
            fields.push(Field::new(path, data_type(kind), true).with_metadata(meaning));
        }
    }
    fields.push(Field::new(ID, DataType::Utf8, false));
    fields.push(Field::new(REST, DataType::Map(entry_field(), false), true));
    let metadata = HashMap::from([(SCHEMA_HASH.to_owned(), hash(&fields))]);
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    Ok(Plan { schema, kinds, places, keys })
}

/// Leaves are columns, but not under a name that is taken.
fn is_column(layout: &Layout, slot: Slot, keys: &[Key]) -> bool {
    let path = layout.path(slot);
    !layout.has_children(slot)
        && path != ID
        && path != REST
        && keys.iter().all(|key| key.name(layout) != path)
}

fn kind(ty: Type, nanos: bool) -> Kind {
    match ty {
        Type::Text | Type::Ip => Kind::Text,
        Type::Any => Kind::Any,
        Type::List | Type::Object => Kind::Json,
        Type::Int => Kind::Int,
        Type::Float => Kind::Float,
        Type::Bool => Kind::Bool,
        Type::Timestamp => Kind::Timestamp { nanos },
        Type::Duration => Kind::Duration,
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Any | Kind::Json => DataType::Utf8,
        Kind::Int | Kind::Duration => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Bool => DataType::Boolean,
        Kind::Timestamp { nanos } => {
            let unit = if nanos { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
            DataType::Timestamp(unit, Some("UTC".into()))
        }
    }
}

/// The first eight bytes of SHA-256 over names and types, as hexadecimal text.
fn hash(fields: &[Field]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update(format!("{}\0{}\0", field.name(), field.data_type()));
    }
    let digest = hash.finalize();
    data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or(&digest))
}
