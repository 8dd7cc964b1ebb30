//! What a format is told when it is bound to a pipeline: where its fields go, its options, and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{Calendar, Target, Zone};
use crate::event::{Facts, Layout, Mask, Options, Slot, Span};

/// The point in time that decides the year of time stamps without one (RFC 3164).
///
/// Never a clock: the runner moves it with the data (envelope times, modification time of the file), so that a
/// replay gives the same bytes. Clones share one value.
#[derive(Clone, Debug, Default)]
pub struct Reference(Arc<AtomicI64>);

impl Reference {
    /// A reference at nanoseconds since the epoch.
    pub fn at(unix_ns: i64) -> Self {
        Self(Arc::new(AtomicI64::new(unix_ns)))
    }

    /// Moves it.
    pub fn set(&self, unix_ns: i64) {
        self.0.store(unix_ns, Ordering::Relaxed);
    }

    /// Nanoseconds since the epoch.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that binding needs.
pub struct Bind<'a> {
    /// The fields that the pipeline names. Every field of the format must be among them, below `prefix`.
    pub layout: &'a Layout,
    /// Dotted path below which the fields go; empty for the event itself.
    pub prefix: &'a str,
    /// Options of the format, defaults filled in.
    pub options: &'a Options,
    /// The plan's constants; what is appended here must stand behind [`Span::CONSTANTS`] when rows are parsed.
    pub constants: &'a mut Vec<u8>,
    /// Decides years that the text does not have.
    pub reference: Reference,
    /// The fields that anyone looks at; see [`Bind::wanted_slot`].
    pub wanted: Mask,
}

impl Bind<'_> {
    /// The slot of one of the format's fields.
    pub fn slot(&self, path: &str) -> Result<Slot, String> {
        let full = if self.prefix.is_empty() { path.to_owned() } else { format!("{}.{path}", self.prefix) };
        self.layout.slot(&full).ok_or_else(|| format!("the layout has no field `{full}`"))
    }

    /// The slot of one of the format's fields, or `None` if nobody looks at it, so that it need not be made.
    pub fn wanted_slot(&self, path: &str) -> Result<Option<Slot>, String> {
        self.slot(path).map(|slot| Some(slot).filter(|slot| self.wanted.contains(*slot)))
    }

    /// The slot of the object that the fields go below; 0 for the event itself.
    pub fn root(&self) -> Result<Slot, String> {
        self.layout.slot(self.prefix).ok_or_else(|| format!("the layout has no field `{}`", self.prefix))
    }

    /// Where a field goes that only the options know: a slot where the layout names it, else a key.
    pub fn place(&mut self, path: &str) -> Result<Place, String> {
        if let Ok(slot) = self.slot(path) {
            return Ok(Place(Target::Slot(slot)));
        }
        let root = self.root()?;
        let key = self.constant(path.as_bytes());
        Ok(Place(Target::Key(root, key)))
    }

    /// Adds bytes to the plan's constants.
    pub fn constant(&mut self, bytes: &[u8]) -> Span {
        let plain = std::str::from_utf8(bytes).is_ok()
            && bytes.iter().all(|&byte| byte >= 0x20 && !matches!(byte, b'"' | b'\\' | 0x7f));
        let span = Span {
            start: self.constants.len() as u32,
            len: bytes.len() as u32,
            buffer: Span::CONSTANTS,
            facts: if plain { Facts::PLAIN } else { Facts::UNKNOWN },
        };
        self.constants.extend_from_slice(bytes);
        span
    }

    /// Time zone (option `zone`) and reference, for time stamps that lack one or the year.
    pub fn calendar(&self) -> Result<Calendar, String> {
        let zone = match self.options.text("zone") {
            None | Some("") => Zone::UTC,
            Some(name) => Zone::named(name)?,
        };
        Ok(Calendar { zone, reference: self.reference.clone() })
    }
}

/// Where one field goes, decided when the format is bound.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub Target);
