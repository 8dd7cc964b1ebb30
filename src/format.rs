//! Formats: what turns the text of a message into fields.
//!
//! In: a span of text and the row that holds it. Out: fields, or the reason why the text is not of the format.
//! A format never touches the row's fields itself, so that a failed one leaves the event as it was.

mod bind;
mod cef;
mod cri;
mod csv;
mod dissect;
mod docker;
pub mod exception;
mod extension;
mod grok;
pub mod json;
mod key_value;
mod keys;
mod leef;
pub(crate) mod logfmt;
mod members;
mod otlp;
mod own;
mod query;
mod regex;
pub mod scan;
pub mod syslog;
mod table;
pub mod time;
mod typed;
pub mod url;
pub mod xml;
mod zone;

pub use bind::{Bind, Place, Reference};
pub use zone::{Calendar, Zone};

use std::ops::Range;

use crate::event::{Options, Row, Slot, Span, Texts, Value};
use crate::signature::{Field, Signature};

/// Where a parsed value belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A field that the layout names.
    Slot(Slot),
    /// A key (with dots, a path) below a named object, known from the data only.
    Key(Slot, Span),
    /// The same, for a key of which it is known that the layout does not name it.
    Rest(Slot, Span),
}

/// Fields as a format finds them, committed together.
pub type Fields = Vec<(Target, Value)>;

/// A format bound to a layout: knows the slots that its fields go to. One per pipeline step; shared by workers.
pub trait Format: Send + Sync {
    /// Finds the fields of `input` and appends them to `fields`. Derived text goes to `texts`. On an error,
    /// what was appended is dropped by the caller.
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch>;

    /// The same, and which format took the text, where this one is several.
    fn parse_as(
        &self,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<Option<&'static str>, Mismatch> {
        self.parse(input, texts, fields).map(|()| None)
    }

    /// The same by some of its line forms only; the number of the one that took the text. A format without such is one
    /// form.
    fn parse_by(
        &self,
        _forms: Range<usize>,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<usize, Mismatch> {
        self.parse(input, texts, fields).map(|()| 0)
    }

    /// Whether a look at a part of the text shows already that a line form does not take it; false where only
    /// [`Self::parse_by`] tells. Not worth it where the form is likely to take it.
    /// What it appends to the fields means nothing.
    fn refuses(&self, _form: usize, _input: Span, _texts: &mut Texts, _fields: &mut Fields) -> bool {
        false
    }
}

/// What a format gives under given options.
#[derive(Clone, Debug, Default)]
pub struct Gives {
    /// Fields that are known before any data is seen.
    pub fields: Vec<Field>,
    /// Whether the data may bring others.
    pub open: bool,
}

/// A kind of format, as [`formats`] lists it.
#[derive(Clone, Copy)]
pub struct FormatKind {
    /// What it says of itself.
    pub signature: &'static Signature,
    /// The fields it gives; also checks options that the signature cannot (patterns).
    pub gives: fn(options: &Options) -> Result<Gives, String>,
    /// Binds it to a layout that names all these fields.
    pub bind: fn(bind: &mut Bind<'_>) -> Result<Box<dyn Format>, String>,
}

/// Every format that is code; those that are data are grammars.
pub fn formats() -> &'static [FormatKind] {
    &[
        json::KIND,
        logfmt::KIND,
        key_value::KIND,
        csv::KIND,
        regex::KIND,
        grok::KIND,
        dissect::KIND,
        syslog::KIND,
        url::KIND,
        query::KIND,
        cri::KIND,
        docker::KIND,
        cef::KIND,
        leef::KIND,
        xml::KIND,
        otlp::KIND,
        table::W3C,
        table::IIS,
        table::ZEEK,
        own::LETTER_KIND,
        own::GAP_KIND,
        own::ALERT_KIND,
        exception::KIND,
    ]
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
    for &(target, value) in fields.iter() {
        match target {
            Target::Slot(slot) if matches!(value, Value::Object(_)) => row.write(slot, value),
            Target::Slot(slot) => row.set(slot, value),
            Target::Key(parent, key) => row.put(parent, key, value),
            Target::Rest(parent, key) => row.add(parent, key, value),
        }
    }
    fields.clear();
}
