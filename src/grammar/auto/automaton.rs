//! A little automaton over bytes: what many line forms have in common when their beginnings are followed.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    /// All of them.
    pub(super) const ANY: Self = Self([u64::MAX; 4]);

    /// Those for which something holds.
    pub(super) fn that(holds: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=u8::MAX).filter(|&byte| holds(byte)).for_each(|byte| set.insert(byte));
        set
    }

    pub(super) fn one(byte: u8) -> Self {
        Self::that(|other| other == byte)
    }

    fn insert(&mut self, byte: u8) {
        self.0[byte as usize / 64] |= 1 << (byte % 64);
    }

    /// Whether some byte is in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        (0..4).any(|at| self.0[at] & other.0[at] != 0)
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize / 64] >> (byte % 64) & 1 == 1
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }
}

/// A state: what it reads, or where it goes without reading.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// One byte of a set, then on.
    Read(Bytes, u32),
    /// Any of these.
    Either(Vec<u32>),
    /// Whatever follows, this candidate may take it.
    Open,
    /// Here the line ends.
    End,
}

/// States of many candidates.
#[derive(Clone, Debug, Default)]
pub(super) struct Automaton {
    pub(super) states: Vec<State>,
    /// Whose each state is.
    pub(super) owners: Vec<u16>,
    owner: u16,
}

/// Spreads what differs in few bits (the golden ratio, as a fraction of 2⁶⁴).
pub(super) const HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes numbers of our own, which nobody chooses so that they collide.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(HASH);
        self.0 = mixed ^ mixed >> 32;
    }
}

/// Pairs of states that are looked at, to see whether two beginnings can be one.
const PAIRS_MAX: usize = 4000;

impl Automaton {
    /// Begins the states of a candidate.
    pub(super) fn begin(&mut self, owner: u16) {
        self.owner = owner;
    }

    pub(super) fn add(&mut self, state: State) -> u32 {
        self.states.push(state);
        self.owners.push(self.owner);
        self.states.len() as u32 - 1
    }

    /// Any text.
    pub(super) fn open(&mut self) -> u32 {
        self.add(State::Open)
    }

    pub(super) fn read(&mut self, bytes: Bytes, next: u32) -> u32 {
        self.add(State::Read(bytes, next))
    }

    /// Any number of a set's bytes.
    pub(super) fn many(&mut self, bytes: Bytes, next: u32) -> u32 {
        let hub = self.add(State::Either(Vec::new()));
        let body = self.read(bytes, hub);
        self.states[hub as usize] = State::Either(vec![body, next]);
        hub
    }

    /// At least one.
    pub(super) fn some(&mut self, bytes: Bytes, next: u32) -> u32 {
        let more = self.many(bytes, next);
        self.read(bytes, more)
    }

    pub(super) fn text(&mut self, text: &[u8], next: u32) -> u32 {
        text.iter().rev().fold(next, |next, &byte| self.read(Bytes::one(byte), next))
    }

    /// A shape: `9` is a digit, `a` a letter, `[…]` a set; `?`, `*` and `+` may stand behind each. With `$` behind it the
    /// line ends.
    pub(super) fn shape(&mut self, shape: &[u8], mut next: u32) -> u32 {
        let shape = match shape.strip_suffix(b"$") {
            Some(shape) => {
                next = self.add(State::End);
                shape
            }
            None => shape,
        };
        let mut atoms: Vec<(Bytes, u8)> = Vec::new();
        let mut bytes = shape.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let set = match byte {
                b'9' => Bytes::that(|byte| byte.is_ascii_digit()),
                b'a' => Bytes::that(|byte| byte.is_ascii_alphabetic()),
                b'[' => {
                    let inside: Vec<u8> = bytes.by_ref().take_while(|&byte| byte != b']').collect();
                    set_of(&inside)
                }
                byte => Bytes::one(byte),
            };
            let suffix = bytes.next_if(|byte| matches!(byte, b'?' | b'*' | b'+')).unwrap_or(0);
            atoms.push((set, suffix));
        }
        atoms.into_iter().rev().fold(next, |next, (set, suffix)| match suffix {
            b'*' => self.many(set, next),
            b'+' => self.some(set, next),
            b'?' => {
                let some = self.read(set, next);
                self.add(State::Either(vec![some, next]))
            }
            _ => self.read(set, next),
        })
    }

    /// Sees each of some states and those that they lead to, as far as is said of each, once.
    pub(super) fn each<'a>(&'a self, mut open: Vec<u32>, mut on: impl FnMut(u32, &'a State) -> &'a [u32]) {
        let mut seen = vec![0u64; self.states.len().div_ceil(64)];
        while let Some(number) = open.pop() {
            let (word, bit) = (number as usize / 64, 1 << (number % 64));
            if seen[word] & bit == 0 {
                seen[word] |= bit;
                open.extend_from_slice(on(number, &self.states[number as usize]));
            }
        }
    }

    /// Whether a text can begin as it may from one state and from another.
    pub(super) fn meet(&self, one: u32, other: u32) -> bool {
        let mut seen = HashSet::<u64, BuildHasherDefault<Spread>>::default();
        let mut open = vec![(one, other)];
        while let Some(pair) = open.pop() {
            if !seen.insert(u64::from(pair.0) << 32 | u64::from(pair.1)) {
                continue;
            }
            // Then it is not known.
            if seen.len() > PAIRS_MAX {
                return true;
            }
            let state = |of: u32| &self.states[of as usize];
            match (state(pair.0), state(pair.1)) {
                (State::Open, _) | (_, State::Open) => return true,
                (State::Either(of), _) => open.extend(of.iter().map(|&one| (one, pair.1))),
                (_, State::Either(of)) => open.extend(of.iter().map(|&other| (pair.0, other))),
                (State::End, State::End) => return true,
                (State::End, _) | (_, State::End) => {}
                (State::Read(bytes, one), State::Read(others, other)) => {
                    if bytes.meets(others) {
                        open.push((*one, *other));
                    }
                }
            }
        }
        false
    }
}

/// The bytes between brackets, where `-` between two stands for all from one to the other.
pub(super) fn set_of(inside: &[u8]) -> Bytes {
    let mut set = Bytes::default();
    let mut at = 0;
    while let Some(&from) = inside.get(at) {
        match inside.get(at..at + 3) {
            Some([_, b'-', to]) => {
                (from..=*to).for_each(|byte| set.insert(byte));
                at += 3;
            }
            _ => {
                set.insert(from);
                at += 1;
            }
        }
    }
    set
}
