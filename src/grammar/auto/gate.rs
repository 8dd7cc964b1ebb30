//! Which candidates can take a line at all? Told by its first bytes and its last one.
//!
//! In: a line. Out: candidates, in their order, among which is every one that takes the line. The beginnings of all
//! candidates are followed at once, by an automaton whose nodes are made when a line first comes to them. So a
//! stream's first messages teach the gate, and what it has learnt changes how long an answer takes, never the answer:
//! that is a function of the line alone, however a stream was cut into batches and wherever a restart began.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::super::written::{Notation, Shape};
use super::super::{Line, Parser};
use super::lead::{Automaton, Bytes, State, last};
use super::needs::{AnyOf, Rarity};
use super::shortcut::Shortcut;
use crate::limits::{GATE_NODES_MAX, GATE_SHORTCUTS_MAX};

/// Bytes of a line that are looked at.
const LOOK_BYTES: usize = 96;

/// Bytes after which it is seen whether it is known what such lines are: where the last line that began so was of one
/// candidate, the next one mostly is. Many programs begin their lines with a time.
const LEVELS: [usize; 2] = [24, 56];

/// A step that has not been taken yet.
const UNKNOWN: u16 = 0;

/// A step that is not taken, for want of room: the node before it gives the answer.
const FULL: u16 = DECIDED - 1;

/// That more bytes would tell nothing new, beside the number of a node.
const DECIDED: u16 = 1 << 15;

/// Beginnings that are told apart for hints.
const HINTS: usize = 256;

/// Candidates that took lines of one beginning, for which it is known how to tell that they are the first that do.
const SHORTCUTS: usize = 3;

/// What a look at a byte costs, about, in nanoseconds.
const BYTE_NS: usize = 2;

/// What it may cost to see that a form's lines are of no other format before the beginning of each is looked at.
const FORM_NS_MAX: usize = 110;

/// The gate of a list of candidates.
pub(super) struct Gate {
    automaton: Automaton,
    /// Bytes that no state tells apart are of one class.
    classes: Box<[u8; 256]>,
    /// Bits that number the classes.
    class_bits: u32,
    nodes: Box<[OnceLock<Node>]>,
    /// By node and class: the next node.
    steps: Box<[AtomicU16]>,
    known: Mutex<BTreeMap<Box<[u32]>, u16>>,
    forms: Box<[Form]>,
    /// By candidate: its first form.
    first_forms: Box<[u16]>,
    /// By the first bytes of a line: the candidate that took the last line with them.
    hints: Box<[AtomicU16]>,
    /// By last byte: forms that cannot end in it, as bits.
    closed: Box<[Box<[u64]>]>,
    /// Shortcuts that were made, or for which there was no room.
    shortcuts: AtomicUsize,
}

/// A line form of a candidate.
struct Form {
    /// Whose it is.
    candidate: u16,
    /// Its number among those of the candidate.
    number: u16,
    /// Where its lines begin.
    starts: Vec<u32>,
    /// What its lines end in.
    end: Bytes,
    /// Texts of which its lines hold one each, the rarest first.
    needs: Vec<AnyOf>,
    /// For all its lines; nothing where the beginning of each must be seen.
    shortcut: OnceLock<Option<Shortcut>>,
}

/// A set of states, and what follows from it.
struct Node {
    states: Box<[u32]>,
    /// Forms that may take the line, ascending.
    live: Box<[u16]>,
    decided: bool,
    /// The candidate that took the last line that came here.
    last: AtomicU16,
    /// For candidates that took lines which came here; nothing where more of the line must be seen.
    shortcuts: [OnceLock<(u16, Option<Shortcut>)>; SHORTCUTS],
}

impl Node {
    fn shortcut(&self, candidate: u16) -> Option<&Option<Shortcut>> {
        let mut known = self.shortcuts.iter().map_while(OnceLock::get);
        known.find(|(of, _)| *of == candidate).map(|(_, shortcut)| shortcut)
    }

    fn has_room(&self) -> bool {
        self.shortcuts.iter().any(|place| place.get().is_none())
    }
}

/// Which candidate took the last line that began much like this one.
#[derive(Clone, Copy)]
pub(super) struct Hint<'a>(&'a AtomicU16);

impl Hint<'_> {
    #[inline]
    pub(super) fn candidate(self) -> Option<usize> {
        let candidate = self.0.load(Ordering::Relaxed);
        (candidate != u16::MAX).then_some(candidate as usize)
    }

    #[inline]
    pub(super) fn set(self, candidate: usize) {
        self.0.store(candidate as u16, Ordering::Relaxed);
    }
}

/// How a line begins, as far as it was looked at.
pub(super) struct Begin<'a> {
    gate: &'a Gate,
    walk: Walk,
    /// Where it was after the bytes of each level.
    nodes: [Option<&'a Node>; LEVELS.len()],
    level: usize,
}

/// A node, and the bytes of the line that led there; as many as are looked at where no more tell anything.
#[derive(Clone, Copy, Default)]
struct Walk {
    node: u16,
    seen: usize,
}

impl Gate {
    /// The gate of candidates, each by its place in the list.
    pub(super) fn new(candidates: impl Iterator<Item = Parser>) -> Self {
        let mut automaton = Automaton::default();
        let rarity = Rarity::new();
        let (mut forms, mut first_forms) = (Vec::new(), Vec::new());
        for (number, parser) in candidates.enumerate() {
            let candidate = number as u16;
            first_forms.push(forms.len() as u16);
            match parser {
                Parser::Grammar(grammar) => {
                    for (at, line) in grammar.lines.iter().enumerate() {
                        automaton.begin(forms.len() as u16);
                        forms.push(Form {
                            candidate,
                            number: at as u16,
                            starts: vec![start_of(line, &mut automaton)],
                            end: end_of(line),
                            needs: rarity.of_line(grammar, line),
                            shortcut: OnceLock::new(),
                        });
                    }
                }
                other => {
                    automaton.begin(forms.len() as u16);
                    let open = automaton.open();
                    let shapes = super::looks(other.name()).iter();
                    forms.push(Form {
                        candidate,
                        number: 0,
                        starts: shapes.map(|shape| automaton.shape(shape, open)).collect(),
                        end: Bytes::ANY,
                        needs: rarity.of_code(other.name()),
                        shortcut: OnceLock::new(),
                    });
                }
            }
        }
        let (classes, class_count) = classes(&automaton);
        let class_bits = class_count.next_power_of_two().ilog2();
        let words = forms.len().div_ceil(64);
        let closed = (0..=u8::MAX).map(|byte| {
            let mut bits = vec![0u64; words];
            for (number, _) in forms.iter().enumerate().filter(|(_, form)| !form.end.contains(byte)) {
                bits[number / 64] |= 1 << (number % 64);
            }
            bits.into()
        });
        let gate = Self {
            closed: closed.collect(),
            nodes: (0..GATE_NODES_MAX).map(|_| OnceLock::new()).collect(),
            steps: (0..GATE_NODES_MAX << class_bits).map(|_| AtomicU16::new(UNKNOWN)).collect(),
            known: Mutex::default(),
            first_forms: first_forms.into(),
            hints: (0..HINTS).map(|_| AtomicU16::new(u16::MAX)).collect(),
            shortcuts: AtomicUsize::new(0),
            forms: forms.into(),
            automaton,
            classes,
            class_bits,
        };
        gate.node(gate.forms.iter().flat_map(|form| &form.starts).copied().collect());
        gate
    }

    /// What a line may be, by two of its bytes.
    #[inline]
    pub(super) fn hint(&self, line: &[u8]) -> Hint<'_> {
        let byte = |at: usize| line.get(at).copied().unwrap_or_default();
        // The fifth tells most times from addresses.
        let at = byte(0).wrapping_mul(31) ^ byte(4);
        Hint(&self.hints[at as usize])
    }

    /// How to tell of the lines that a form of a candidate takes that the candidate is the first that does.
    #[inline]
    pub(super) fn of_form(&self, candidate: usize, form: usize) -> Option<&Shortcut> {
        let first = *self.first_forms.get(candidate)?;
        self.forms.get(first as usize + form)?.shortcut.get()?.as_ref()
    }

    /// A line of which nothing was looked at yet.
    #[inline]
    pub(super) fn begin(&self) -> Begin<'_> {
        Begin { gate: self, walk: Walk::default(), nodes: [None; LEVELS.len()], level: 0 }
    }

    /// Notes which form of which candidate took a line.
    pub(super) fn note(
        &self,
        hint: Hint<'_>,
        begin: &Begin<'_>,
        (candidate, form): (usize, usize),
        line: &[u8],
    ) {
        // One that comes alone is not worth it.
        let again = hint.candidate() == Some(candidate);
        hint.set(candidate);
        let number = self.first_forms.get(candidate).map_or(0, |first| *first as usize + form);
        let Some(form) = self.forms.get(number) else { return };
        if again && form.shortcut.get().is_none() {
            let shortcut = self.of_form_lines(form, line);
            let is_known = shortcut.is_some();
            let _ = form.shortcut.set(shortcut);
            if is_known {
                return;
            }
        }
        self.note_nodes(begin, candidate as u16, line);
    }

    /// How to tell that a candidate is the first for all lines of a form, unless it costs much.
    #[cold]
    fn of_form_lines(&self, form: &Form, line: &[u8]) -> Option<Shortcut> {
        let meets = |rival: &Form| {
            let starts =
                form.starts.iter().flat_map(|one| rival.starts.iter().map(move |other| (*one, *other)));
            rival.end.meets(&form.end)
                && starts.into_iter().any(|(one, other)| self.automaton.meet(one, other))
        };
        let before = self.forms.iter().take_while(|rival| rival.candidate < form.candidate);
        let rivals = (0..).zip(before).filter(|(_, rival)| meets(rival));
        let (shortcut, cost) = Shortcut::new(rivals.map(|(number, rival)| (number, &rival.needs[..])), line);
        (cost <= FORM_NS_MAX && self.has_room()).then_some(shortcut)
    }

    /// Whether one more shortcut may be kept. Where there is no room, all that may are tried as ever.
    fn has_room(&self) -> bool {
        self.shortcuts.fetch_add(1, Ordering::Relaxed) < GATE_SHORTCUTS_MAX
    }

    /// Notes which candidate took a line that came to some nodes.
    fn note_nodes(&self, begin: &Begin<'_>, candidate: u16, line: &[u8]) {
        let nodes = || begin.nodes.iter().copied().zip(LEVELS).filter_map(|(node, seen)| Some((node?, seen)));
        let again: Vec<_> =
            nodes().filter(|(node, _)| node.last.swap(candidate, Ordering::Relaxed) == candidate).collect();
        if nodes().any(|(node, _)| node.shortcut(candidate).is_some_and(Option::is_some)) {
            return;
        }
        let fit = again.into_iter().filter(|(node, _)| node.has_room() && node.shortcut(candidate).is_none());
        let mut made: Vec<_> = fit
            .map(|(node, seen)| {
                let (shortcut, cost) = self.of_node(node, candidate, line);
                (node, shortcut, cost + seen * BYTE_NS)
            })
            .collect();
        let best = made.iter().enumerate().min_by_key(|(_, (_, _, cost))| *cost).map(|(at, _)| at);
        let Some(best) = best.filter(|_| self.has_room()) else { return };
        made.truncate(best + 1);
        for (at, (node, shortcut, _)) in made.into_iter().enumerate() {
            let entry = (candidate, Some(shortcut).filter(|_| at == best));
            // Whoever was first keeps the place.
            let _ = node.shortcuts.iter().try_fold(entry, |entry, place| match place.set(entry) {
                Ok(()) => Err(()),
                Err(entry) => Ok(entry),
            });
        }
    }

    /// How to tell that a candidate is the first for lines that come to a node.
    #[cold]
    fn of_node(&self, node: &Node, candidate: u16, line: &[u8]) -> (Shortcut, usize) {
        let forms =
            || node.live.iter().filter_map(|&number| Some((number, self.forms.get(number as usize)?)));
        let ends = forms().filter(|(_, form)| form.candidate == candidate);
        let end = ends.fold(Bytes::default(), |all, (_, form)| all.or(form.end));
        let rivals = forms().filter(|(_, form)| form.candidate < candidate && form.end.meets(&end));
        Shortcut::new(rivals.map(|(number, rival)| (number, &rival.needs[..])), line)
    }

    /// Follows a line up to a byte. It takes one look a byte, each of which waits for the one before, so that the bytes
    /// are few.
    #[inline]
    fn walk(&self, walk: &mut Walk, line: &[u8], to: usize) {
        for &byte in line.get(walk.seen..to.min(line.len())).unwrap_or_default() {
            let class = self.classes[byte as usize] as usize;
            let Some(step) = self.steps.get((walk.node as usize) << self.class_bits | class) else { break };
            let mut next = step.load(Ordering::Acquire);
            if next == UNKNOWN || next >= FULL {
                if next == UNKNOWN {
                    next = self.step(walk.node, byte);
                    step.store(next, Ordering::Release);
                }
                if next == FULL {
                    walk.seen = LOOK_BYTES;
                    return;
                }
                if next & DECIDED != 0 {
                    *walk = Walk { node: next & !DECIDED, seen: LOOK_BYTES };
                    return;
                }
            }
            walk.node = next;
        }
        walk.seen = walk.seen.max(to);
    }

    /// Takes a step for the first time.
    #[cold]
    fn step(&self, number: u16, byte: u8) -> u16 {
        let Some(node) = self.nodes.get(number as usize).and_then(OnceLock::get) else { return FULL };
        // Nothing leads on from where all is decided.
        if node.decided {
            return FULL;
        }
        let next = node.states.iter().filter_map(|&state| match &self.automaton.states[state as usize] {
            State::Read(bytes, next) => bytes.contains(byte).then_some(*next),
            State::Open => Some(state),
            State::Either(_) => None,
        });
        let number = self.node(next.collect());
        let decided =
            self.nodes.get(number as usize).and_then(OnceLock::get).is_some_and(|node| node.decided);
        if decided { number | DECIDED } else { number }
    }

    /// The number of the node with these states and those that they lead to without reading.
    fn node(&self, mut open: Vec<u32>) -> u16 {
        let mut states = BTreeSet::new();
        let mut seen = BTreeSet::new();
        while let Some(state) = open.pop() {
            if !seen.insert(state) {
                continue;
            }
            match &self.automaton.states[state as usize] {
                State::Either(of) => open.extend(of),
                _ => {
                    states.insert(state);
                }
            }
        }
        // Of a form that takes any text from here on, nothing else matters.
        let is_open = |state: &&u32| matches!(self.automaton.states[**state as usize], State::Open);
        let owner = |state: &u32| self.automaton.owners[*state as usize];
        let opened: BTreeSet<u16> = states.iter().filter(is_open).map(owner).collect();
        let mut first_open = BTreeSet::new();
        let states: Box<[u32]> = states
            .iter()
            .filter(|state| {
                !opened.contains(&owner(state)) || (is_open(state) && first_open.insert(owner(state)))
            })
            .copied()
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.get(&states) {
            return *number;
        }
        let number = known.len();
        let Some(place) = self.nodes.get(number) else { return FULL };
        let live: BTreeSet<u16> = states.iter().map(owner).collect();
        // Where nothing but what takes any text is left, more bytes tell nothing.
        let decided = live.len() == opened.len();
        let node = Node {
            live: live.into_iter().collect(),
            decided,
            states: states.clone(),
            last: AtomicU16::new(u16::MAX),
            shortcuts: Default::default(),
        };
        // The start has number 0, and is only made once.
        if place.set(node).is_ok() {
            known.insert(states, number as u16);
        }
        number as u16
    }

    /// Those of some forms that may end as the line does.
    #[inline]
    fn open<'a>(&'a self, forms: &'a [u16], line: &[u8]) -> impl Iterator<Item = &'a Form> + use<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let closed = line.last().map_or(&[][..], |&byte| &self.closed[byte as usize]);
        let is_open = move |form: &&u16| {
            closed.get(**form as usize / 64).is_none_or(|bits| bits >> (**form % 64) & 1 == 0)
        };
        forms.iter().filter(is_open).filter_map(|&form| self.forms.get(form as usize))
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

    /// Nodes that were made so far.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<'a> Begin<'a> {
    /// Looks at more of the line; says whether that may tell more.
    #[inline]
    pub(super) fn look_on(&mut self, line: &[u8]) -> bool {
        let Some(&to) = LEVELS.get(self.level).filter(|&&to| self.walk.seen < to) else { return false };
        self.gate.walk(&mut self.walk, line.strip_suffix(b"\r").unwrap_or(line), to);
        let node = self.gate.nodes.get(self.walk.node as usize).and_then(OnceLock::get);
        self.nodes[self.level] = node;
        self.level += 1;
        node.is_some()
    }

    /// The candidate that took the last line that began so, and how to tell that it is the first that takes one.
    #[inline]
    pub(super) fn habit(&self) -> Option<(usize, &'a Shortcut)> {
        let node = self.nodes[..self.level].last().copied().flatten()?;
        let last = node.last.load(Ordering::Relaxed);
        Some((last as usize, node.shortcut(last)?.as_ref()?))
    }

    /// The candidates that may take the line, in their order.
    #[inline]
    pub(super) fn candidates(&self, line: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
        let gate = self.gate;
        let mut walk = self.walk;
        gate.walk(&mut walk, line.strip_suffix(b"\r").unwrap_or(line), LOOK_BYTES);
        let live =
            gate.nodes.get(walk.node as usize).and_then(OnceLock::get).map_or(&[][..], |node| &node.live);
        let mut last = None;
        let owners = gate.open(live, line).map(|form| form.candidate);
        owners.filter_map(move |owner| (last.replace(owner) != Some(owner)).then_some(owner as usize))
    }
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
        (None, Shape::Columns { columns, .. }) => match columns.first() {
            Some(first) => automaton.columns(first),
            None => automaton.open(),
        },
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

/// Splits the bytes into classes that the states tell apart, and counts them.
fn classes(automaton: &Automaton) -> (Box<[u8; 256]>, usize) {
    let sets: BTreeSet<Bytes> = automaton
        .states
        .iter()
        .filter_map(|state| if let State::Read(bytes, _) = state { Some(*bytes) } else { None })
        .collect();
    let mut known: BTreeMap<Vec<bool>, u8> = BTreeMap::new();
    let mut classes = Box::new([0; 256]);
    for byte in 0..=u8::MAX {
        let row: Vec<bool> = sets.iter().map(|set| set.contains(byte)).collect();
        let next = known.len() as u8;
        classes[byte as usize] = *known.entry(row).or_insert(next);
    }
    (classes, known.len())
}
