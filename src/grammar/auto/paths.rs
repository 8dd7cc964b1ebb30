//! The beginnings of many line forms, followed at once.
//!
//! In: the first bytes of a line. Out: the forms that it may be of. Nodes are made when a line first comes to them, so
//! that the first lines teach what the others use; what is known changes how long an answer takes, never the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::automaton::{Automaton, Bytes, HASH, State};

/// Bytes of a line that are looked at.
pub(super) const LOOK_BYTES: usize = 96;

/// A step that has not been taken yet. This and what is above it are no numbers of nodes.
const UNKNOWN: u16 = DECIDED - 2;

/// A step that is not taken, for want of room: the node before it gives the answer.
const FULL: u16 = DECIDED - 1;

/// That more bytes are not asked for, beside the number of a node.
const DECIDED: u16 = 1 << 15;

/// An automaton over sets of states.
pub(super) struct Paths {
    /// Bytes that no state tells apart are of one class.
    classes: Box<[u8; 256]>,
    /// The class that stands for the end of a line.
    end: usize,
    nodes: Box<[OnceLock<Box<Node>>]>,
    known: Mutex<BTreeMap<Arc<[u32]>, u16>>,
    /// Where whole chunks lead, by what the chunk and the node before it hash to; whoever is first keeps the place.
    leaps: Box<[OnceLock<Leap>]>,
}

/// Bytes that are looked at at once where it is known where they lead.
const CHUNK: usize = 8;

/// Where a chunk leads from a node.
struct Leap {
    /// With digits that are alike.
    chunk: u64,
    from: u16,
    /// `UNKNOWN` where its bytes must be looked at one by one, since it matters which digits they are or there was no room.
    to: u16,
}

/// A set of states, and what follows from it.
pub(super) struct Node {
    states: Arc<[u32]>,
    /// Forms that may take the line, ascending.
    pub(super) live: Box<[u16]>,
    /// Whether more bytes tell nothing.
    is_decided: bool,
    /// By class: the next node.
    steps: Box<[AtomicU16]>,
}

/// A node, and the bytes of the line that led there; as many as are looked at where no more are asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Walk {
    pub(super) node: u16,
    pub(super) seen: usize,
}

/// A line without the carriage return that may end it.
#[inline]
pub(super) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Paths {
    /// The paths that begin in some states, with room for so many nodes.
    pub(super) fn new(automaton: &Automaton, starts: Vec<u32>, room: usize) -> Self {
        let (classes, end) = classes(automaton, starts.clone());
        let paths = Self {
            classes,
            end,
            nodes: (0..room).map(|_| OnceLock::new()).collect(),
            known: Mutex::default(),
            leaps: (0..room.next_power_of_two()).map(|_| OnceLock::new()).collect(),
        };
        paths.make(automaton, starts);
        paths
    }

    /// A node by its number.
    #[inline]
    pub(super) fn node(&self, number: u16) -> Option<&Node> {
        self.nodes.get(number as usize)?.get().map(Box::as_ref)
    }

    /// Follows a line up to a byte, or to a node that is enough. It takes one look a byte, each of which waits for the
    /// one before, so that the bytes are few.
    #[inline]
    pub(super) fn walk(
        &self,
        automaton: &Automaton,
        walk: &mut Walk,
        line: &[u8],
        to: usize,
        is_enough: impl Fn(u16, &Node) -> bool,
    ) {
        if walk.seen >= to {
            return;
        }
        let far = to.min(line.len());
        while let Some((chunk, behind)) =
            line.get(walk.seen..far).and_then(<[u8]>::split_first_chunk::<CHUNK>)
        {
            let alike = alike(u64::from_le_bytes(*chunk));
            let hash = (alike ^ u64::from(walk.node)).wrapping_mul(HASH) >> 32;
            let place = hash as usize & (self.leaps.len() - 1);
            // Two places, beside each other.
            let places = [place, place ^ 1].map(|place| self.leaps.get(place));
            let of = |leap: &&Leap| leap.chunk == alike && leap.from == walk.node;
            let known = places.iter().flatten().filter_map(|place| place.get()).find(of);
            match known.map_or(UNKNOWN, |leap| leap.to) {
                UNKNOWN => {}
                decided if decided & DECIDED != 0 => {
                    *walk = Walk { node: decided & !DECIDED, seen: LOOK_BYTES };
                    return;
                }
                node => {
                    *walk = Walk { node, seen: far - behind.len() };
                    continue;
                }
            }
            if known.is_none()
                && let Some(place) = places.into_iter().flatten().find(|place| place.get().is_none())
            {
                let to = self.leap(automaton, walk.node, chunk, &is_enough);
                let _ = place.set(Leap { chunk: alike, from: walk.node, to });
            }
            if !chunk.iter().all(|byte| self.follow(automaton, walk, Some(*byte), &is_enough)) {
                return;
            }
            walk.seen = far - behind.len();
        }
        for &byte in line.get(walk.seen..far).unwrap_or_default() {
            if !self.follow(automaton, walk, Some(byte), &is_enough) {
                return;
            }
        }
        walk.seen = to;
        // Of a form that wants more, the line is not.
        if line.len() <= to {
            self.follow(automaton, walk, None, &is_enough);
            walk.seen = LOOK_BYTES;
        }
    }

    /// Follows one byte, or the end of the line; whether more are asked for.
    #[inline]
    fn follow(
        &self,
        automaton: &Automaton,
        walk: &mut Walk,
        byte: Option<u8>,
        is_enough: &impl Fn(u16, &Node) -> bool,
    ) -> bool {
        let next = self.next(automaton, walk.node, byte, is_enough);
        if next < FULL {
            walk.node = next;
            return true;
        }
        walk.seen = LOOK_BYTES;
        if next != FULL {
            walk.node = next & !DECIDED;
        }
        false
    }

    /// The step from a node.
    #[inline]
    fn next(
        &self,
        automaton: &Automaton,
        from: u16,
        byte: Option<u8>,
        is_enough: &impl Fn(u16, &Node) -> bool,
    ) -> u16 {
        let class = byte.map_or(self.end, |byte| self.classes[byte as usize] as usize);
        let Some(step) = self.node(from).and_then(|node| node.steps.get(class)) else { return FULL };
        let known = step.load(Ordering::Acquire);
        if known != UNKNOWN {
            return known;
        }
        let next = self.step(automaton, from, byte, is_enough);
        step.store(next, Ordering::Release);
        next
    }

    /// Where a chunk leads from a node, whichever digits it has where it has digits.
    #[cold]
    fn leap(
        &self,
        automaton: &Automaton,
        mut node: u16,
        chunk: &[u8],
        is_enough: &impl Fn(u16, &Node) -> bool,
    ) -> u16 {
        for &byte in chunk {
            let next = self.next(automaton, node, Some(byte), is_enough);
            let is_alike = !byte.is_ascii_digit()
                || (b'0'..=b'9').all(|digit| self.next(automaton, node, Some(digit), is_enough) == next);
            if !is_alike || next == FULL {
                return UNKNOWN;
            }
            node = next;
            if next & DECIDED != 0 {
                break;
            }
        }
        node
    }

    /// Takes a step for the first time.
    #[cold]
    fn step(
        &self,
        automaton: &Automaton,
        from: u16,
        byte: Option<u8>,
        is_enough: &dyn Fn(u16, &Node) -> bool,
    ) -> u16 {
        let Some(node) = self.node(from) else { return FULL };
        // Nothing leads on from where all is decided.
        if node.is_decided {
            return FULL;
        }
        let next = node.states.iter().filter_map(|&state| match &automaton.states[state as usize] {
            State::Read(bytes, next) => byte.is_some_and(|byte| bytes.contains(byte)).then_some(*next),
            State::Open => Some(state),
            State::End => byte.is_none().then_some(state),
            State::Either(_) => None,
        });
        let number = self.make(automaton, next.collect());
        let is_last = self.node(number).is_some_and(|node| node.is_decided || is_enough(number, node));
        if is_last { number | DECIDED } else { number }
    }

    /// The number of the node with these states and those that they lead to without reading.
    fn make(&self, automaton: &Automaton, open: Vec<u32>) -> u16 {
        let mut states = Vec::new();
        automaton.each(open, |number, state| match state {
            State::Either(of) => of,
            _ => {
                states.push(number);
                &[]
            }
        });
        states.sort_unstable();
        // Of a form that takes any text from here on, nothing else matters. The states of a form stand together.
        let owner = |state: &u32| automaton.owners[*state as usize];
        let is_open = |state: &&u32| matches!(automaton.states[**state as usize], State::Open);
        let (mut kept, mut live) = (Vec::with_capacity(states.len()), Vec::new());
        // Where nothing but what takes any text is left, more bytes tell nothing.
        let mut is_decided = true;
        for of in states.chunk_by(|one, other| owner(one) == owner(other)) {
            live.extend(of.first().map(owner));
            match of.iter().find(is_open) {
                Some(open) => kept.push(*open),
                None => {
                    is_decided = false;
                    kept.extend_from_slice(of);
                }
            }
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.get(&kept[..]) {
            return *number;
        }
        let number = known.len();
        let Some(place) = self.nodes.get(number) else { return FULL };
        let steps = if is_decided { 0 } else { self.end + 1 };
        let steps = (0..steps).map(|_| AtomicU16::new(UNKNOWN)).collect();
        let states: Arc<[u32]> = kept.into();
        let node = Node { live: live.into(), is_decided, states: states.clone(), steps };
        if place.set(Box::new(node)).is_ok() {
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

/// Eight bytes in which all digits are `0`.
#[inline]
pub(super) fn alike(bytes: u64) -> u64 {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let low = (bytes & !HIGH) + 0x0606_0606_0606_0606;
    // Not zero where a byte is no digit: by its high half, or by its low one, which then is more than nine.
    let other = ((bytes ^ 0x3030_3030_3030_3030) & HIGH) | low & 0x1010_1010_1010_1010;
    let any = other | other >> 1 | other >> 2 | other >> 3;
    let keep = (any >> 4 & 0x0101_0101_0101_0101) * 0xff;
    bytes & (keep | HIGH)
}

/// Splits the bytes into classes that the states which some lead to tell apart, and counts them.
fn classes(automaton: &Automaton, starts: Vec<u32>) -> (Box<[u8; 256]>, usize) {
    let mut sets = BTreeSet::<Bytes>::new();
    automaton.each(starts, |_, state| match state {
        State::Read(bytes, next) => {
            sets.insert(*bytes);
            std::slice::from_ref(next)
        }
        State::Either(of) => of,
        State::Open | State::End => &[],
    });
    let (mut classes, mut count) = (Box::new([0; 256]), 1);
    for set in sets {
        // Each class, without the set and within it.
        let mut split = [[None; 2]; 256];
        count = 0;
        for (byte, class) in (0..=u8::MAX).zip(classes.iter_mut()) {
            let place = &mut split[*class as usize][usize::from(set.contains(byte))];
            *class = *place.get_or_insert_with(|| {
                count += 1;
                (count - 1) as u8
            });
        }
    }
    (classes, count)
}
