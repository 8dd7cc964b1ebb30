//! Which candidates can take a line at all? Told by its first bytes and its last one.
//!
//! In: a line. Out: candidates, in their order, among which is every one that takes the line. The beginnings of all
//! candidates are followed at once, by an automaton whose nodes are made when a line first comes to them. So a
//! stream's first messages teach the gate, and what it has learnt changes how long an answer takes, never the answer:
//! that is a function of the line alone, however a stream was cut into batches and wherever a restart began.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::super::written::{Notation, Shape};
use super::super::{Grammar, Parser};
use super::lead::{Automaton, Bytes, State, last};
use crate::limits::GATE_NODES_MAX;

/// Bytes of a line that are looked at.
const LOOK_BYTES: usize = 96;

/// A step that has not been taken yet.
const UNKNOWN: u16 = 0;

/// A step that is not taken, for want of room: the node before it gives the answer.
const FULL: u16 = u16::MAX;

/// The gate of a list of candidates.
pub(super) struct Gate {
    automaton: Automaton,
    /// Bytes that no state tells apart are of one class.
    classes: Box<[u8; 256]>,
    class_count: usize,
    nodes: Box<[OnceLock<Node>]>,
    known: Mutex<BTreeMap<Box<[u32]>, u16>>,
    /// By last byte: candidates that cannot end in it, as bits.
    closed: Box<[Box<[u64]>]>,
}

/// A set of states, and what follows from it.
struct Node {
    states: Box<[u32]>,
    /// Candidates that may take the line, ascending.
    live: Box<[u16]>,
    /// More bytes would tell nothing new.
    decided: bool,
    next: Box<[AtomicU16]>,
}

impl Gate {
    /// The gate of candidates, each by its place in the list.
    pub(super) fn new(candidates: impl Iterator<Item = Parser>) -> Self {
        let mut automaton = Automaton::default();
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for (number, candidate) in candidates.enumerate() {
            automaton.begin(number as u16);
            match candidate {
                Parser::Grammar(grammar) => {
                    starts.extend(grammar.lines.iter().map(|line| match (&line.object, &line.shape) {
                        (Some(object), _) => {
                            let open = automaton.open();
                            let shape = match object.notation {
                                Notation::Pairs => super::looks("logfmt")[0],
                                Notation::Json | Notation::Xml => b"[ \t\r\n]*[{<]",
                            };
                            automaton.shape(shape, open)
                        }
                        (None, Shape::Text(items)) => automaton.line(items),
                        (None, Shape::Columns { .. }) => automaton.open(),
                    }));
                    ends.push(end_of(grammar));
                }
                other => {
                    let shape = super::looks(other.name());
                    let open = automaton.open();
                    starts.extend(shape.iter().map(|shape| automaton.shape(shape, open)));
                    ends.push(Bytes::ANY);
                }
            }
        }
        let (classes, class_count) = classes(&automaton);
        let words = ends.len().div_ceil(64);
        let closed = (0..=u8::MAX).map(|byte| {
            let mut bits = vec![0u64; words];
            for (number, _) in ends.iter().enumerate().filter(|(_, end)| !end.contains(byte)) {
                bits[number / 64] |= 1 << (number % 64);
            }
            bits.into()
        });
        let closed = closed.collect();
        let nodes = (0..GATE_NODES_MAX).map(|_| OnceLock::new()).collect();
        let gate = Self { automaton, classes, class_count, nodes, known: Mutex::default(), closed };
        gate.node(starts);
        gate
    }

    /// The candidates that may take a line, in their order.
    #[inline]
    pub(super) fn candidates<'a>(&'a self, line: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let closed = line.last().map_or(&[][..], |&byte| &self.closed[byte as usize]);
        let open =
            move |number: &usize| closed.get(number / 64).is_none_or(|bits| bits >> (number % 64) & 1 == 0);
        self.live(line).iter().map(|&number| number as usize).filter(open)
    }

    #[inline]
    fn live<'a>(&'a self, line: &[u8]) -> &'a [u16] {
        // The first node is the start, and no step leads back to it: 0 is free to say "unknown".
        let Some(mut node) = self.nodes.first().and_then(OnceLock::get) else { return &[] };
        for &byte in line.iter().take(LOOK_BYTES) {
            if node.decided {
                break;
            }
            let class = self.classes[byte as usize];
            let Some(next) = node.next.get(class as usize) else { break };
            let mut number = next.load(Ordering::Acquire);
            if number == UNKNOWN {
                number = self.step(node, byte);
                next.store(number, Ordering::Release);
            }
            match self.nodes.get(number as usize).and_then(OnceLock::get) {
                Some(found) => node = found,
                None => break,
            }
        }
        &node.live
    }

    /// Takes a step for the first time.
    #[cold]
    fn step(&self, node: &Node, byte: u8) -> u16 {
        let next = node.states.iter().filter_map(|&state| match &self.automaton.states[state as usize] {
            State::Read(bytes, next) => bytes.contains(byte).then_some(*next),
            State::Open => Some(state),
            State::Either(_) => None,
        });
        self.node(next.collect())
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
        // Of a candidate that takes any text from here on, nothing else matters.
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
        // Where the first of them takes any text from here on, it is tried first whatever more bytes tell.
        let decided = live.first().is_none_or(|first| live.len() == 1 || opened.contains(first));
        let count = if decided { 0 } else { self.class_count };
        let node = Node {
            live: live.into_iter().collect(),
            decided,
            next: (0..count).map(|_| AtomicU16::new(UNKNOWN)).collect(),
            states: states.clone(),
        };
        // The start has number 0, and is only made once.
        if place.set(node).is_ok() {
            known.insert(states, number as u16);
        }
        number as u16
    }

    /// Nodes that were made so far.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// What the lines of a grammar can end in.
fn end_of(grammar: &Grammar) -> Bytes {
    let mut all = Bytes::default();
    for line in &grammar.lines {
        let Shape::Text(items) = &line.shape else { return Bytes::ANY };
        if line.object.is_some() {
            // Blanks may stand behind its bracket.
            return Bytes::ANY;
        }
        match last(items) {
            Some(bytes) => all = all.or(bytes),
            None => return Bytes::ANY,
        }
    }
    all
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
