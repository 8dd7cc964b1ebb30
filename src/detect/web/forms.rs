//! Literals that say something by themselves, all looked for in one pass.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// A form and how sure it is.
pub(super) type Form = (&'static str, u8);

/// Forms of one language.
pub(super) struct Forms {
    rows: &'static [Form],
    find: Option<AhoCorasick>,
}

/// Places that are looked at; those behind them say no more.
const PLACES_MAX: usize = 256;

impl Forms {
    /// These, in lower case.
    pub(super) fn new(rows: &'static [Form]) -> Self {
        let dfa = Some(AhoCorasickKind::DFA);
        Self { rows, find: AhoCorasick::builder().kind(dfa).build(rows.iter().map(|(form, _)| form)).ok() }
    }

    /// Every place of a form, those that overlap too.
    pub(super) fn each(&self, text: &[u8], see: &mut dyn FnMut(u8, Range<usize>)) {
        let found = self.find.iter().flat_map(|find| find.find_overlapping_iter(text)).take(PLACES_MAX);
        found.for_each(|found| see(self.rows[found.pattern().as_usize()].1, found.range()));
    }
}
