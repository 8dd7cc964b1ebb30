//! Formats: what turns the text of a message into fields.
//!
//! In: a span of text and the row that holds it. Out: fields, or the reason why the text is not of the format.
//! A format never touches the row's fields itself, so that a failed one leaves the event as it was.

use crate::event::{Row, Slot, Span, Texts, Value};

/// Where a parsed value belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A field that the layout names.
    Slot(Slot),
    /// A key (with dots, a path) below a named object, known from the data only.
    Key(Slot, Span),
}

/// Fields as a format finds them, committed together.
pub type Fields = Vec<(Target, Value)>;

/// A format bound to a layout: knows the slots that its fields go to. One per pipeline step; shared by workers.
pub trait Format: Send + Sync {
    /// Finds the fields of `input` and appends them to `fields`. Derived text goes to `texts`. On an error,
    /// what was appended is dropped by the caller.
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch>;
}

/// Why a text is not of a format: static, since failures are counted by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Mismatch {
    /// The reason, such as `no closing quote`.
    pub reason: &'static str,
    /// Byte offset in the input where it was noticed.
    pub offset: u32,
}

impl Mismatch {
    /// A mismatch at a byte offset of the input.
    pub fn at(offset: usize, reason: &'static str) -> Self {
        Self { reason, offset: offset.min(u32::MAX as usize) as u32 }
    }
}

/// Writes fields into the row.
#[inline]
pub fn commit(row: &mut Row, fields: &mut Fields) {
    for (target, value) in fields.drain(..) {
        match target {
            Target::Slot(slot) if matches!(value, Value::Object(_)) => row.write(slot, value),
            Target::Slot(slot) => row.set(slot, value),
            Target::Key(parent, key) => row.put(parent, key, value),
        }
    }
}
