//! Enrichment: facts that are not in the event, found by one of its fields.
//!
//! In: the text of a field. Out: fields beside it. What they are found in (a database, a table, names of hosts) is
//! [`Data`], read at the rim; an enricher sees one state of it for a whole batch, so that the pure path has neither
//! file nor lock. `domain.rs` is the smallest; begin there.

mod dns;
mod domain;
mod geo;
mod host;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod user_agent;

use crate::event::{Options, Slot, Span, Texts, Value};
use crate::format::{Bind, Fields, Target};
use crate::lookup::{Data, Held};
use crate::signature::{Field, Signature, Type};

/// An enricher bound to a layout. One per use; shared by workers.
pub trait Enricher: Send + Sync {
    /// Finds facts and appends the fields. An input about which nothing is known gives none.
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, held: &mut Held);
}

/// A kind of enricher.
#[derive(Clone, Copy)]
pub struct EnricherKind {
    /// What it says of itself.
    pub signature: &'static Signature,
    /// Whether it looks at a field.
    pub takes: bool,
    /// The fields it gives, beside the one it looks at; also checks options that the signature cannot.
    pub gives: fn(options: &Options) -> Result<Vec<Field>, String>,
    /// Binds it to a layout that names all these fields, and declares what it looks things up in.
    pub bind: fn(bind: &mut Bind<'_>, data: &mut Data) -> Bound,
}

/// An enricher that is bound, or why it is not.
pub type Bound = Result<Box<dyn Enricher>, String>;

/// Every enricher.
pub static ENRICHERS: &[EnricherKind] =
    &[geo::GEOIP, geo::ASN, user_agent::KIND, url::KIND, domain::KIND, table::KIND, dns::KIND, host::KIND];

/// The kind of a name.
pub fn kind(name: &str) -> Option<&'static EnricherKind> {
    ENRICHERS.iter().find(|kind| kind.signature.name == name)
}

/// Fields that may be missing.
fn fields(of: &[(&str, Type)]) -> Vec<Field> {
    let field = |(path, ty): &(&str, Type)| Field {
        path: (*path).to_owned(),
        ty: *ty,
        maybe: true,
        doc: String::new(),
    };
    of.iter().map(field).collect()
}

/// The slots of fields.
fn slots<const N: usize>(bind: &Bind<'_>, of: &[(&str, Type); N]) -> Result<[Slot; N], String> {
    let mut slots = [0; N];
    for (slot, (path, _)) in slots.iter_mut().zip(of) {
        *slot = bind.slot(path)?;
    }
    Ok(slots)
}

/// Adds a text of the enricher's own.
fn text(texts: &mut Texts, fields: &mut Fields, slot: Slot, text: &[u8]) {
    if !text.is_empty() {
        let span = texts.push(text);
        fields.push((Target::Slot(slot), Value::Text(span)));
    }
}
