//! Literals that say something by themselves, all looked for in one pass.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Match};

use super::words::Words;

/// A form and how sure it is.
pub(super) type Form = (&'static str, u8);

/// Forms of one language.
pub(super) struct Forms {
    rows: &'static [Form],
    /// What tells that there is none.
    words: Words,
    find: Option<AhoCorasick>,
}

/// Places that are looked at; those behind them say no more.
const PLACES_MAX: usize = 256;

impl Forms {
    /// These, in lower case.
    pub(super) fn new(rows: &'static [Form]) -> Self {
        let forms = || rows.iter().map(|(form, _)| form);
        let find = AhoCorasick::builder().ascii_case_insensitive(true).build(forms()).ok();
        Self { rows, words: Words::new(forms()), find }
    }

    /// The automaton, where there is something for it to find.
    fn find(&self, text: &[u8]) -> Option<&AhoCorasick> {
        self.find.as_ref().filter(|_| self.words.any(text))
    }

    /// Every place of a form, those that overlap too.
    pub(super) fn each(&self, text: &[u8], see: &mut dyn FnMut(u8, Range<usize>)) {
        let found = self.find(text).into_iter().flat_map(|find| find.find_overlapping_iter(text));
        found.take(PLACES_MAX).for_each(|found| see(self.rows[found.pattern().as_usize()].1, found.range()));
    }

    /// Places of forms that do not overlap, each with its row.
    pub(super) fn apart<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = (&'static Form, Match)> + 't {
        let found = self.find(text).into_iter().flat_map(move |find| find.find_iter(text));
        found.map(|found| (&self.rows[found.pattern().as_usize()], found))
    }
}
