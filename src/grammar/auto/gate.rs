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
use super::needs::{AnyOf, Rarity, Search};
use crate::limits::{GATE_NODES_MAX, GATE_SHORTCUTS_MAX};

/// Bytes of a line that are looked at.
const LOOK_BYTES: usize = 96;

/// Bytes that are looked at first: where the last line that began so was of one candidate, the next one mostly is.
const FIRST_BYTES: usize = 24;

/// Bytes that are looked at where those leave a crowd: many programs begin their lines with a time.
const SECOND_BYTES: usize = 56;

/// More forms than these are a crowd.
const CROWD: usize = 16;

/// A step that has not been taken yet.
const UNKNOWN: u16 = 0;

/// A step that is not taken, for want of room: the node before it gives the answer.
const FULL: u16 = DECIDED - 1;

/// That more bytes would tell nothing new, beside the number of a node.
const DECIDED: u16 = 1 << 15;

/// Candidates that took lines of one beginning, for which it is known how to tell that they are the first that do.
const SHORTCUTS: usize = 3;

/// The gate of a list of candidates.
pub(super) struct Gate {
    automaton: Automaton,
    /// Bytes that no state tells apart are of one class.
    classes: Box<[u8; 256]>,
    class_count: usize,
    nodes: Box<[OnceLock<Node>]>,
    /// By node and class: the next node.
    steps: Box<[AtomicU16]>,
    known: Mutex<BTreeMap<Box<[u32]>, u16>>,
    forms: Box<[Form]>,
    /// By last byte: forms that cannot end in it, as bits.
    closed: Box<[Box<[u64]>]>,
    /// Shortcuts that were made, or for which there was no room.
    shortcuts: AtomicUsize,
}

/// A line form of a candidate.
struct Form {
    /// Whose it is.
    candidate: u16,
    /// What its lines end in.
    end: Bytes,
    /// Texts of which its lines hold one each, the rarest first.
    needs: Vec<AnyOf>,
}

/// A set of states, and what follows from it.
struct Node {
    states: Box<[u32]>,
    /// Forms that may take the line, ascending.
    live: Box<[u16]>,
    decided: bool,
    /// So many may that it is worth looking further before anything is tried.
    crowded: bool,
    /// The candidate that took the last line that came here.
    last: AtomicU16,
    shortcuts: [OnceLock<(u16, Shortcut)>; SHORTCUTS],
}

/// What must be known of a line that a candidate takes, for it to be the first that does.
pub(super) struct Shortcut {
    /// Texts of which none may be in the line.
    rivals: Option<Search>,
    /// Forms of candidates before it that may take the line even so.
    before: Box<[u16]>,
}

impl Shortcut {
    /// Whether a line holds none of what those before would need.
    #[inline]
    pub(super) fn is_open(&self, line: &[u8]) -> bool {
        !self.rivals.as_ref().is_some_and(|rivals| rivals.is_in(line))
    }
}

/// How a line begins.
#[derive(Clone, Copy)]
pub(super) struct Begin<'a> {
    gate: &'a Gate,
    node: &'a Node,
    walk: Walk,
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
        let (mut starts, mut forms) = (Vec::new(), Vec::new());
        for (number, parser) in candidates.enumerate() {
            let candidate = number as u16;
            match parser {
                Parser::Grammar(grammar) => {
                    for line in &grammar.lines {
                        automaton.begin(forms.len() as u16);
                        starts.push(start_of(line, &mut automaton));
                        forms.push(Form {
                            candidate,
                            end: end_of(line),
                            needs: rarity.of_line(grammar, line),
                        });
                    }
                }
                other => {
                    automaton.begin(forms.len() as u16);
                    let open = automaton.open();
                    starts
                        .extend(super::looks(other.name()).iter().map(|shape| automaton.shape(shape, open)));
                    forms.push(Form { candidate, end: Bytes::ANY, needs: rarity.of_code(other.name()) });
                }
            }
        }
        let (classes, class_count) = classes(&automaton);
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
            steps: (0..GATE_NODES_MAX * class_count).map(|_| AtomicU16::new(UNKNOWN)).collect(),
            known: Mutex::default(),
            shortcuts: AtomicUsize::new(0),
            forms: forms.into(),
            automaton,
            classes,
            class_count,
        };
        gate.node(starts);
        gate
    }

    /// How a line begins, by its first bytes.
    #[inline]
    pub(super) fn begin(&self, line: &[u8]) -> Option<Begin<'_>> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut walk = Walk::default();
        self.walk(&mut walk, line, FIRST_BYTES);
        let mut node = self.nodes.get(walk.node as usize)?.get()?;
        if node.crowded {
            self.walk(&mut walk, line, SECOND_BYTES);
            node = self.nodes.get(walk.node as usize)?.get()?;
        }
        Some(Begin { gate: self, node, walk })
    }

    /// Follows a line up to a byte. It takes one look a byte, so that the bytes are few.
    #[inline]
    fn walk(&self, walk: &mut Walk, line: &[u8], to: usize) {
        for &byte in line.get(walk.seen..to.min(line.len())).unwrap_or_default() {
            let class = self.classes[byte as usize] as usize;
            let Some(step) = self.steps.get(walk.node as usize * self.class_count + class) else { break };
            let mut next = step.load(Ordering::Acquire);
            if next == UNKNOWN {
                next = self.step(walk.node, byte);
                step.store(next, Ordering::Release);
            }
            if next == FULL {
                walk.seen = LOOK_BYTES;
                return;
            }
            walk.node = next & !DECIDED;
            if next & DECIDED != 0 {
                walk.seen = LOOK_BYTES;
                return;
            }
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
            crowded: live.len() > CROWD,
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

    /// The candidates of forms, if they may end as the line does.
    #[inline]
    fn owners<'a>(&'a self, forms: &'a [u16], line: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let closed = line.last().map_or(&[][..], |&byte| &self.closed[byte as usize]);
        let is_open = move |form: &&u16| {
            closed.get(**form as usize / 64).is_none_or(|bits| bits >> (**form % 64) & 1 == 0)
        };
        let open = forms.iter().filter(is_open).filter_map(|&form| self.forms.get(form as usize));
        let mut last = None;
        open.filter_map(move |form| {
            let again = last.replace(form.candidate) == Some(form.candidate);
            (!again).then_some(form.candidate as usize)
        })
    }

    /// Nodes that were made so far.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<'a> Begin<'a> {
    /// The candidate that took the last line that began so, and how to tell that it is the first that takes one.
    #[inline]
    pub(super) fn habit(self) -> Option<(usize, &'a Shortcut)> {
        let last = self.node.last.load(Ordering::Relaxed);
        let known = self.node.shortcuts.iter().map_while(OnceLock::get);
        let (candidate, shortcut) = known.into_iter().find(|(candidate, _)| *candidate == last)?;
        Some((*candidate as usize, shortcut))
    }

    /// Notes which candidate took a line that began so.
    pub(super) fn note(self, candidate: usize, line: &[u8]) {
        let candidate = candidate as u16;
        // One that comes alone is not worth it.
        if self.node.last.swap(candidate, Ordering::Relaxed) != candidate {
            return;
        }
        // Where there is no room, all that may are tried as ever.
        for place in &self.node.shortcuts {
            let is_new = place.get().is_none();
            if is_new && self.gate.shortcuts.fetch_add(1, Ordering::Relaxed) >= GATE_SHORTCUTS_MAX {
                return;
            }
            if place.get_or_init(|| (candidate, self.shortcut(candidate, line))).0 == candidate {
                return;
            }
        }
    }

    /// How to tell that a candidate is the first for lines like this one.
    #[cold]
    fn shortcut(self, candidate: u16, line: &[u8]) -> Shortcut {
        let forms = || {
            self.node.live.iter().filter_map(|&number| Some((number, self.gate.forms.get(number as usize)?)))
        };
        let ends = forms().filter(|(_, form)| form.candidate == candidate);
        let end = ends.fold(Bytes::default(), |all, (_, form)| all.or(form.end));
        let (mut texts, mut before) = (Vec::new(), Vec::new());
        let lacks = |texts: &&AnyOf| Search::new(texts).is_some_and(|search| !search.is_in(line));
        for (number, rival) in forms().filter(|(_, form)| form.candidate < candidate && form.end.meets(&end))
        {
            match rival.needs.iter().find(lacks) {
                Some(needs) => texts.extend_from_slice(needs),
                None => before.push(number),
            }
        }
        texts.sort();
        texts.dedup();
        Shortcut { rivals: Search::new(&texts), before: before.into() }
    }

    /// The candidates that may take the line, in their order.
    #[inline]
    pub(super) fn candidates(self, line: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
        let gate = self.gate;
        let mut walk = self.walk;
        gate.walk(&mut walk, line.strip_suffix(b"\r").unwrap_or(line), LOOK_BYTES);
        let node = gate.nodes.get(walk.node as usize).and_then(OnceLock::get).unwrap_or(self.node);
        gate.owners(&node.live, line)
    }

    /// The candidates of the forms for which a shortcut says nothing, if they may end as the line does.
    #[inline]
    pub(super) fn before(self, shortcut: &'a Shortcut, line: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
        self.gate.owners(&shortcut.before, line)
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
