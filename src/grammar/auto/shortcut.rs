//! That a candidate which takes a line is the first that does, without trying those before it.
//!
//! In: the forms before it that might, and a line that it took. Out: texts of which none may be in such a line, and the
//! few forms that must be tried even so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::needs::{AnyOf, Lacking, NeedId, Search};

/// What a form costs that is tried in vain, about, in nanoseconds.
const TRIAL_NS: usize = 100;

/// What must be known of a line that a candidate takes, for it to be the first that does.
pub(super) struct Shortcut {
    /// Texts of which none may be in the line.
    rivals: Option<Arc<Search>>,
    /// Forms of candidates before it that may take the line even so.
    pub(super) before: Box<[u16]>,
}

/// The same before a search is made.
pub(super) struct Draft {
    texts: AnyOf,
    before: Vec<u16>,
    /// What it costs to see it, about, in nanoseconds.
    pub(super) cost: usize,
}

/// Searches, each made once.
#[derive(Default)]
pub(super) struct Searches(Mutex<BTreeMap<AnyOf, Arc<Search>>>);

impl Draft {
    /// How to tell, of lines much like one, that none of some forms takes them.
    pub(super) fn new<'a>(rivals: impl Iterator<Item = (u16, &'a [NeedId])>, line: &mut Lacking<'_>) -> Self {
        let (mut open, mut before) = (Vec::new(), Vec::new());
        for (number, needs) in rivals {
            let lacking: Vec<NeedId> = needs.iter().copied().filter(|&need| line.lacks(need)).collect();
            if lacking.is_empty() {
                before.push(number);
            } else {
                open.push(lacking);
            }
        }
        let texts = fewest(&open, line);
        let cost = Search::cost(texts.len(), line.len()) + before.len() * TRIAL_NS;
        Self { texts, before, cost }
    }

    /// With the search that it needs, for lines much like one.
    pub(super) fn finish(self, searches: &Searches, line: &[u8]) -> Shortcut {
        Shortcut { rivals: searches.get(self.texts, line), before: self.before.into() }
    }
}

impl Searches {
    fn get(&self, texts: AnyOf, line: &[u8]) -> Option<Arc<Search>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&texts) {
            return Some(known.clone());
        }
        let search = Arc::new(Search::new(&texts, line)?);
        all.insert(texts, search.clone());
        Some(search)
    }
}

impl Shortcut {
    /// Whether a line holds none of what those before would need.
    #[inline]
    pub(super) fn is_open(&self, line: &[u8]) -> bool {
        !self.rivals.as_ref().is_some_and(|rivals| rivals.is_in(line))
    }
}

/// Few texts, such that each of the given lists has one of its members among them.
fn fewest(open: &[Vec<NeedId>], line: &Lacking<'_>) -> AnyOf {
    // By need: the lists that have it and are not served yet, and how many of them there are.
    let mut of: BTreeMap<NeedId, (Vec<usize>, usize)> = BTreeMap::new();
    for (list, needs) in open.iter().enumerate() {
        for &need in needs {
            let (lists, count) = of.entry(need).or_default();
            lists.push(list);
            *count += 1;
        }
    }
    let mut served = vec![false; open.len()];
    let mut texts = AnyOf::new();
    // Of what serves as many for as little, the longest text is in the fewest lines.
    let worth = |need: NeedId, count: usize| {
        let any = line.texts(need);
        (count * 64 / any.len().max(1), any.iter().map(Vec::len).min().unwrap_or_default())
    };
    while let Some((&best, _)) =
        of.iter().filter(|(_, (_, count))| *count > 0).max_by_key(|(need, (_, count))| worth(**need, *count))
    {
        let lists = of.remove(&best).map_or(Vec::new(), |(lists, _)| lists);
        for list in lists {
            if !std::mem::replace(&mut served[list], true) {
                for need in &open[list] {
                    of.entry(*need).and_modify(|(_, count)| *count -= 1);
                }
            }
        }
        texts.extend_from_slice(line.texts(best));
    }
    texts.sort();
    texts.dedup();
    texts
}
