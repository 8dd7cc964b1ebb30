//! That a candidate which takes a line is the first that does, without trying those before it.
//!
//! In: the forms before it that might, and a line that it took. Out: texts of which none may be in such a line, and the
//! few forms that must be tried even so.

use std::collections::BTreeMap;

use memchr::memmem;

use super::needs::{AnyOf, Search};

/// What a form costs that is tried in vain, about, in nanoseconds.
const TRIAL_NS: usize = 100;

/// What must be known of a line that a candidate takes, for it to be the first that does.
pub(super) struct Shortcut {
    /// Texts of which none may be in the line.
    rivals: Option<Search>,
    /// Forms of candidates before it that may take the line even so.
    pub(super) before: Box<[u16]>,
}

impl Shortcut {
    /// How to tell, of lines much like this one, that none of some forms takes them; and what it costs to see that, about,
    /// in nanoseconds.
    #[cold]
    pub(super) fn new<'a>(rivals: impl Iterator<Item = (u16, &'a [AnyOf])>, line: &[u8]) -> (Self, usize) {
        let lacks = |texts: &&AnyOf| texts.iter().all(|text| memmem::find(line, text).is_none());
        let (mut open, mut before) = (Vec::new(), Vec::new());
        for (number, needs) in rivals {
            let lacking: Vec<&AnyOf> = needs.iter().filter(lacks).collect();
            if lacking.is_empty() {
                before.push(number);
            } else {
                open.push(lacking);
            }
        }
        let rivals = Search::new(&fewest(open));
        let search = rivals.as_ref().map_or(0, |search| search.cost(line.len()));
        let cost = search + before.len() * TRIAL_NS;
        (Self { rivals, before: before.into() }, cost)
    }

    /// Whether a line holds none of what those before would need.
    #[inline]
    pub(super) fn is_open(&self, line: &[u8]) -> bool {
        !self.rivals.as_ref().is_some_and(|rivals| rivals.is_in(line))
    }
}

/// Few texts, such that each of the given lists has one of its members among them.
fn fewest(mut open: Vec<Vec<&AnyOf>>) -> AnyOf {
    let mut texts = AnyOf::new();
    while !open.is_empty() {
        let mut served: BTreeMap<&AnyOf, usize> = BTreeMap::new();
        open.iter().flatten().for_each(|any| *served.entry(any).or_default() += 1);
        // Of what serves as many for as little, the longest text is in the fewest lines.
        let Some((best, _)) = served.into_iter().max_by_key(|(any, count)| {
            let shortest = any.iter().map(Vec::len).min().unwrap_or_default();
            (count * 64 / any.len().max(1), shortest)
        }) else {
            break;
        };
        let best = best.clone();
        open.retain(|of| !of.contains(&&best));
        texts.extend(best);
    }
    texts.sort();
    texts.dedup();
    texts
}
