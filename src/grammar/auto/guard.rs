//! That a candidate which takes a line by one of its forms is the first that does.
//!
//! In: the forms before it that might take such lines, and the first such line. Out: for each line of the form, what is
//! left to be seen. The beginnings of those forms alone are followed, as far as that is cheaper than to look for
//! texts that they need: mostly a few bytes rule all of them out.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::automaton::Automaton;
use super::gate::Form;
use super::needs::{Lacking, Needs};
use super::paths::{LOOK_BYTES, Node, Paths, Walk, without_return};
use super::shortcut::{Draft, Searches, Shortcut};
use crate::limits::{GATE_WAYS_MAX, GUARD_NODES_MAX};

/// What a look at a byte costs, about, in nanoseconds.
const BYTE_NS: usize = 1;

/// Bytes that a line may be looked at further than the first one of its form, since the parts of its beginning may be
/// longer.
const FURTHER_BYTES: usize = 48;

/// What it may cost more to see what is left of a line than of the first one of its form, at the least, in nanoseconds.
const ENOUGH_NS: usize = 8;

/// How many more forms than of the first line it may be of, to be few.
const FEW_MORE: usize = 8;

/// Where it costs so much, in nanoseconds, the gate tells more.
const TOO_MUCH_NS: usize = 900;

/// One way to see what is left, and what it costs; nothing where it costs too much or there was no room for it.
type Way = OnceLock<Option<Box<(Shortcut, usize)>>>;

/// Ways to see what is left, for lines that come to one node.
const WAYS: usize = 3;

/// The rivals of a line form.
pub(super) struct Guard {
    paths: Paths,
    /// By node: what is left to be seen there, and what that costs; more than one way, since a line may hold a text that
    /// the lines before it did not.
    checks: Box<[OnceLock<Box<[Way; WAYS]>>]>,
    /// Bytes of a line that are looked at, at most.
    far: usize,
    /// Where it costs no more to see what is left, in nanoseconds, no more bytes are looked at.
    enough: usize,
    /// Where more forms than this may take the line, what it costs is not even asked.
    few: usize,
}

/// All line forms, and where they begin.
pub(super) struct Forms {
    pub(super) automaton: Automaton,
    pub(super) all: Box<[Form]>,
    /// What they need.
    pub(super) needs: Needs,
    /// What the ways look for.
    pub(super) searches: Searches,
    /// Ways that were made, or for which there was no room.
    pub(super) ways: AtomicUsize,
}

impl Guard {
    /// Of the rivals of a form, for lines much like this one.
    #[cold]
    pub(super) fn new(forms: &Forms, rivals: &[u16], line: &[u8]) -> Self {
        let starts = || {
            let of = rivals.iter().filter_map(|&number| forms.all.get(number as usize));
            of.flat_map(|form| &form.starts).copied().collect()
        };
        let empty = |room| Self {
            paths: Paths::new(&forms.automaton, starts(), room),
            checks: (0..room).map(|_| OnceLock::new()).collect(),
            far: 0,
            enough: 0,
            few: 0,
        };
        let line = without_return(line);
        let trial = empty(LOOK_BYTES + 2);
        let (mut walk, mut lacking) = (Walk::default(), forms.needs.lacking(line));
        let mut last: (&[u16], usize) = (&[], 0);
        let costs = (0..=LOOK_BYTES).step_by(2).map_while(|far| {
            // Nothing is left to be seen where it already was so.
            (walk.seen <= far).then(|| {
                trial.paths.walk(&forms.automaton, &mut walk, line, far, |_, _| false);
                let live = trial.paths.node(walk.node).map_or(&[][..], |node| &node.live);
                if live != last.0 {
                    last = (live, trial.draft(walk.node, forms, &mut lacking).cost);
                }
                let left = last.1;
                (left + far * BYTE_NS, left, far, live.len())
            })
        });
        let (_, enough, far, live) = costs.min().unwrap_or_default();
        let far = if far == 0 { 0 } else { (far + FURTHER_BYTES).min(LOOK_BYTES) };
        let enough = enough + enough / 2 + ENOUGH_NS;
        let few = 2 * live + FEW_MORE;
        Self { far, enough, few, ..empty(if far == 0 { 1 } else { GUARD_NODES_MAX }) }
    }

    /// What is left to be tried of a line, for its form to be the first; nothing where that is not known.
    #[inline]
    pub(super) fn left(&self, forms: &Forms, line: &[u8]) -> Option<&Shortcut> {
        let line = without_return(line);
        let mut walk = Walk::default();
        let is_enough = |number: u16, node: &Node| {
            node.live.len() <= self.few
                && self
                    .ways(number)
                    .and_then(|ways| self.made(ways.first()?, number, forms, line))
                    .is_some_and(|(_, cost)| *cost <= self.enough)
        };
        self.paths.walk(&forms.automaton, &mut walk, line, self.far, is_enough);
        // Each is made when those before it do not serve.
        for way in self.ways(walk.node)? {
            let (left, _) = self.made(way, walk.node, forms, line)?;
            if left.is_open(line) {
                return Some(left);
            }
        }
        None
    }

    #[inline]
    fn ways(&self, node: u16) -> Option<&[Way; WAYS]> {
        self.checks.get(node as usize).map(|ways| &**ways.get_or_init(Box::default))
    }

    #[inline]
    fn made<'a>(&self, way: &'a Way, node: u16, forms: &Forms, line: &[u8]) -> Option<&'a (Shortcut, usize)> {
        way.get_or_init(|| self.make(node, forms, line).map(Box::new)).as_deref()
    }

    /// A way to see what is left of a line that came to a node.
    #[cold]
    fn make(&self, node: u16, forms: &Forms, line: &[u8]) -> Option<(Shortcut, usize)> {
        let draft = self.draft(node, forms, &mut forms.needs.lacking(line));
        let cost = draft.cost;
        let has_room = || forms.ways.fetch_add(1, Ordering::Relaxed) < GATE_WAYS_MAX;
        (cost <= TOO_MUCH_NS && has_room()).then(|| (draft.finish(&forms.searches, line), cost))
    }

    /// The same before its search is made.
    fn draft(&self, node: u16, forms: &Forms, line: &mut Lacking<'_>) -> Draft {
        let live = self.paths.node(node).map_or(&[][..], |node| &node.live);
        let needs = live.iter().filter_map(|&live| Some((live, &forms.all.get(live as usize)?.needs[..])));
        Draft::new(needs, line)
    }
}
