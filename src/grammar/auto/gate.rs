//! Which candidates can take a line at all? Told by its first bytes and its last one.
//!
//! In: a line. Out: candidates, in their order, among which is every one that takes the line. The beginnings of all
//! candidates are followed at once, by an automaton whose nodes are made when a line first comes to them. So a
//! stream's first messages teach the gate, and what it has learnt changes how long an answer takes, never the answer:
//! that is a function of the line alone, however a stream was cut into batches and wherever a restart began.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use super::super::written::{Notation, Shape};
use super::super::{Line, Parser};
use super::automaton::{Automaton, Bytes, HASH};
use super::guard::{Forms, Guard};
use super::lead::last;
use super::needs::{NeedId, Needs, Rarity};
use super::paths::{LOOK_BYTES, Paths, Walk, alike, without_return};
use super::shortcut::{Searches, Shortcut};
use crate::limits::{GATE_GUARDS_MAX, GATE_NODES_MAX};

/// Beginnings that are told apart for hints: by few bytes, and by more.
const HINTS: [usize; 2] = [256, 1024];

/// The gate of a list of candidates.
pub(super) struct Gate {
    forms: Forms,
    paths: Paths,
    /// By node: the candidate that took the last line that came there.
    habits: Box<[AtomicU16]>,
    /// By candidate: its first form.
    first_forms: Box<[u16]>,
    /// By the first bytes of a line: the candidate that took the last line with them.
    hints: [Box<[AtomicU16]>; HINTS.len()],
    /// By last byte: forms that cannot end in it, as bits.
    closed: Box<[Box<[u64]>]>,
    /// Guards that were made, or for which there was no room.
    guards: AtomicUsize,
}

/// A line form of a candidate.
pub(super) struct Form {
    /// Whose it is.
    candidate: u16,
    /// Its number among those of the candidate.
    number: u16,
    /// Where its lines begin.
    pub(super) starts: Vec<u32>,
    /// What its lines end in.
    end: Bytes,
    /// Texts of which its lines hold one each, the rarest first.
    pub(super) needs: Box<[NeedId]>,
    /// How to tell that a line of it is of no candidate before; nothing where there was no room.
    guard: OnceLock<Option<Guard>>,
}

/// No candidate.
const NONE: u16 = u16::MAX;

/// Which candidate took the last line that began much like this one.
#[derive(Clone, Copy)]
pub(super) struct Hint<'a>([Option<&'a AtomicU16>; HINTS.len()]);

impl Hint<'_> {
    /// By as many bytes as it is known.
    #[inline]
    pub(super) fn candidate(self) -> Option<usize> {
        let mut known = self.0.into_iter().rev().flatten().map(|hint| hint.load(Ordering::Relaxed));
        known.find(|candidate| *candidate != NONE).map(usize::from)
    }

    #[inline]
    pub(super) fn set(self, candidate: usize) {
        self.0.into_iter().flatten().for_each(|hint| hint.store(candidate as u16, Ordering::Relaxed));
    }
}

impl Gate {
    /// The gate of candidates, each by its place in the list.
    pub(super) fn new(candidates: impl Iterator<Item = Parser>) -> Self {
        let mut automaton = Automaton::default();
        let rarity = Rarity::new();
        let (mut forms, mut first_forms, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (number, parser) in candidates.enumerate() {
            let candidate = number as u16;
            first_forms.push(forms.len() as u16);
            match parser {
                Parser::Grammar(grammar) => {
                    for (at, line) in grammar.lines.iter().enumerate() {
                        automaton.begin(forms.len() as u16);
                        texts.push(rarity.of_line(grammar, line));
                        forms.push(Form {
                            candidate,
                            number: at as u16,
                            starts: vec![start_of(line, &mut automaton)],
                            end: end_of(line),
                            needs: Box::default(),
                            guard: OnceLock::new(),
                        });
                    }
                }
                other => {
                    automaton.begin(forms.len() as u16);
                    let open = automaton.open();
                    let shapes = super::looks(other.name()).iter();
                    texts.push(rarity.of_code(other.name()));
                    forms.push(Form {
                        candidate,
                        number: 0,
                        starts: shapes.map(|shape| automaton.shape(shape, open)).collect(),
                        end: Bytes::ANY,
                        needs: Box::default(),
                        guard: OnceLock::new(),
                    });
                }
            }
        }
        let (needs, numbers) = Needs::new(&texts);
        forms.iter_mut().zip(numbers).for_each(|(form, needs)| form.needs = needs);
        let words = forms.len().div_ceil(64);
        let closed = (0..=u8::MAX).map(|byte| {
            let mut bits = vec![0u64; words];
            for (number, _) in forms.iter().enumerate().filter(|(_, form)| !form.end.contains(byte)) {
                bits[number / 64] |= 1 << (number % 64);
            }
            bits.into()
        });
        let starts = forms.iter().flat_map(|form| &form.starts).copied().collect();
        Self {
            closed: closed.collect(),
            paths: Paths::new(&automaton, starts, GATE_NODES_MAX),
            habits: unknown(GATE_NODES_MAX),
            first_forms: first_forms.into(),
            hints: HINTS.map(unknown),
            guards: AtomicUsize::new(0),
            forms: Forms {
                automaton,
                all: forms.into(),
                needs,
                ways: AtomicUsize::new(0),
                searches: Searches::default(),
            },
        }
    }

    /// What a line may be, by a few of its bytes.
    #[inline]
    pub(super) fn hint(&self, line: &[u8]) -> Hint<'_> {
        let byte = |at: usize| line.get(at).copied().unwrap_or_default();
        // The fifth tells most times from addresses.
        let few = byte(0).wrapping_mul(31) ^ byte(4);
        let more = line
            .first_chunk()
            .map(|bytes| (alike(u64::from_le_bytes(*bytes)).wrapping_mul(HASH) >> 54) as usize);
        Hint([self.hints[0].get(few as usize), more.and_then(|more| self.hints[1].get(more))])
    }

    /// What is left to be seen of a line that a form of a candidate takes, for the candidate to be the first that
    /// does; nothing where that is not known.
    #[inline]
    pub(super) fn left(&self, (candidate, form): (usize, usize), line: &[u8]) -> Option<&Shortcut> {
        let guard = self.form(candidate, form)?.guard.get()?.as_ref()?;
        guard.left(&self.forms, line)
    }

    #[inline]
    fn form(&self, candidate: usize, form: usize) -> Option<&Form> {
        self.forms.all.get(*self.first_forms.get(candidate)? as usize + form)
    }

    /// The node that a line leads to.
    #[inline]
    pub(super) fn node(&self, line: &[u8]) -> u16 {
        let mut walk = Walk::default();
        self.paths.walk(&self.forms.automaton, &mut walk, without_return(line), LOOK_BYTES, |_, _| false);
        walk.node
    }

    /// The candidate that took the last line that came to a node.
    #[inline]
    pub(super) fn habit(&self, node: u16) -> Option<usize> {
        let last = self.habits.get(node as usize)?.load(Ordering::Relaxed);
        (last != NONE).then_some(last as usize)
    }

    /// Notes which form of which candidate took a line.
    pub(super) fn note(&self, hint: Hint<'_>, node: u16, (candidate, form): (usize, usize), line: &[u8]) {
        let habit = self.habits.get(node as usize);
        let last = habit.map_or(NONE, |habit| habit.swap(candidate as u16, Ordering::Relaxed));
        // One that comes alone is not worth it.
        let again = last as usize == candidate || hint.candidate() == Some(candidate);
        hint.set(candidate);
        if again && let Some(form) = self.form(candidate, form) {
            form.guard.get_or_init(|| self.has_room().then(|| self.guard(form, line)));
        }
    }

    /// How to tell that a candidate is the first for the lines of a form.
    #[cold]
    fn guard(&self, form: &Form, line: &[u8]) -> Guard {
        let meets = |rival: &Form| {
            let starts =
                form.starts.iter().flat_map(|one| rival.starts.iter().map(move |other| (*one, *other)));
            rival.end.meets(&form.end)
                && starts.into_iter().any(|(one, other)| self.forms.automaton.meet(one, other))
        };
        let before = self.forms.all.iter().take_while(|rival| rival.candidate < form.candidate);
        let rivals: Vec<u16> =
            (0..).zip(before).filter(|(_, rival)| meets(rival)).map(|(number, _)| number).collect();
        Guard::new(&self.forms, &rivals, line)
    }

    /// Whether one more guard may be kept. Where there is no room, all that may are tried as ever.
    fn has_room(&self) -> bool {
        self.guards.fetch_add(1, Ordering::Relaxed) < GATE_GUARDS_MAX
    }

    /// Those of some forms that may end as the line does.
    #[inline]
    fn open<'a>(&'a self, forms: &'a [u16], line: &[u8]) -> impl Iterator<Item = &'a Form> + use<'a> {
        let closed = without_return(line).last().map_or(&[][..], |&byte| &self.closed[byte as usize]);
        let is_open = move |form: &&u16| {
            closed.get(**form as usize / 64).is_none_or(|bits| bits >> (**form % 64) & 1 == 0)
        };
        forms.iter().filter(is_open).filter_map(|&form| self.forms.all.get(form as usize))
    }

    /// The forms for which a shortcut says nothing, if they may end as the line does: candidate and number of each.
    #[inline]
    pub(super) fn before<'a>(
        &'a self,
        shortcut: &'a Shortcut,
        line: &[u8],
    ) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        self.open(&shortcut.before, line).map(|form| (form.candidate as usize, form.number as usize))
    }

    /// The candidates that may take a line which leads to a node, in their order.
    #[inline]
    pub(super) fn candidates<'a>(&'a self, node: u16, line: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
        let live = self.paths.node(node).map_or(&[][..], |node| &node.live);
        let mut last = None;
        let owners = self.open(live, line).map(|form| form.candidate);
        owners.filter_map(move |owner| (last.replace(owner) != Some(owner)).then_some(owner as usize))
    }

    /// Nodes that were made so far.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }
}

/// So many places in which no candidate stands.
fn unknown(count: usize) -> Box<[AtomicU16]> {
    (0..count).map(|_| AtomicU16::new(NONE)).collect()
}

/// Where the lines of a form begin.
fn start_of(line: &Line, automaton: &mut Automaton) -> u32 {
    match (&line.object, &line.shape) {
        (Some(object), _) => {
            let open = automaton.open();
            let shape = match object.notation {
                Notation::Pairs => super::looks("logfmt")[0],
                Notation::Json | Notation::Xml => b"[ \t\r\n]*[{<]",
            };
            automaton.shape(shape, open)
        }
        (None, Shape::Text(items)) => automaton.line(items),
        (None, Shape::Columns { separator, columns }) => automaton.columns(separator, columns),
    }
}

/// What the lines of a form can end in.
fn end_of(line: &Line) -> Bytes {
    match (&line.object, &line.shape) {
        (None, Shape::Text(items)) => last(items).unwrap_or(Bytes::ANY),
        // Blanks may stand behind its bracket.
        _ => Bytes::ANY,
    }
}
