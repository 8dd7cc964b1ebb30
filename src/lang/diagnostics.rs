//! Collects diagnostics within a bound, so that a megabyte of noise does not make a gigabyte of errors.

use crate::diag::{Diagnostic, Place, Severity};
use crate::limits::DIAGNOSTICS_MAX;

use super::codes;

/// Diagnostics of one file as they are found.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    list: Vec<Diagnostic>,
    dropped: usize,
}

impl Diagnostics {
    /// Takes one; past [`DIAGNOSTICS_MAX`] it is only counted.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        // Two faults at one place are nearly always one fault and its echo.
        if self.list.iter().any(|known| known.place == diagnostic.place && known.code == diagnostic.code) {
            return;
        }
        if self.list.len() < DIAGNOSTICS_MAX {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Whether any error (and not only warnings) came.
    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether anything inside of this place has an error already.
    pub(super) fn has_error_in(&self, place: &Place) -> bool {
        let inside = |known: &Diagnostic| place.start <= known.place.start && known.place.end <= place.end;
        self.list.iter().any(inside)
    }

    /// Whether this place already has an error.
    pub(super) fn covers(&self, at: usize) -> bool {
        self.list.iter().any(|known| known.place.contains(&at))
    }

    /// All of them, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| (diagnostic.place.start, diagnostic.place.end));
        if self.dropped > 0 {
            let end = self.list.last().map_or(0..0, |last| last.place.clone());
            let more = format!("{} more errors are not shown", self.dropped);
            self.list.push(Diagnostic::error(codes::MORE, end, more));
        }
        self.list
    }
}
