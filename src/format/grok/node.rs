//! What a pattern says, as a tree: the same for every way to write it.

/// A set of bytes. Those from 0x80 on are in it all or not at all: a set is of characters, and which ones beyond ASCII
/// a class holds does not matter to any log format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Set(pub(super) [u64; 4]);

impl Set {
    /// Every character.
    pub(super) const ALL: Self = Self([u64::MAX; 4]);
    /// Characters beyond ASCII.
    pub(super) const WIDE: Self = Self([0, 0, u64::MAX, u64::MAX]);

    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        bytes.iter().for_each(|&byte| set.add(byte));
        set
    }

    pub(super) fn range(from: u8, to: u8) -> Self {
        let mut set = Self::default();
        (from..=to).for_each(|byte| set.add(byte));
        set
    }

    pub(super) fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }

    pub(super) fn not(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    /// The bytes, if there are at most three.
    pub(super) fn few(self) -> Option<Vec<u8>> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        (count <= 3).then(|| (0..=255).filter(|&byte| self.has(byte)).collect())
    }

    /// Letters in both cases where one is there.
    pub(super) fn any_case(mut self) -> Self {
        for letter in b'a'..=b'z' {
            let upper = letter.to_ascii_uppercase();
            if self.has(letter) || self.has(upper) {
                self.add(letter);
                self.add(upper);
            }
        }
        self
    }

    pub(super) fn digits() -> Self {
        Self::range(b'0', b'9')
    }

    pub(super) fn hex() -> Self {
        Self::digits().or(Self::range(b'a', b'f')).or(Self::range(b'A', b'F'))
    }

    pub(super) fn letters() -> Self {
        Self::range(b'a', b'z').or(Self::range(b'A', b'Z'))
    }

    pub(super) fn word() -> Self {
        Self::letters().or(Self::digits()).or(Self::of(b"_"))
    }

    pub(super) fn space() -> Self {
        Self::of(b" \t\n\r\x0b\x0c")
    }

    /// Characters whose JSON form is a plain copy.
    pub(super) fn plain() -> Self {
        Self::range(0x20, 0x7e).and(Self::of(b"\"\\").not())
    }
}

/// A condition at a place between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assert {
    /// `\A`
    TextStart,
    /// `\z`
    TextEnd,
    /// `\Z`: the end, or before a line feed there.
    LastLineEnd,
    /// `^`
    LineStart,
    /// `$`
    LineEnd,
    /// `\b`
    Word,
    /// `\B`
    NotWord,
}

/// A condition on the few characters before or behind a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) ahead: bool,
    pub(super) negate: bool,
    /// It holds where one of these stands there.
    pub(super) any: Vec<Vec<Set>>,
}

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    Bytes(Vec<u8>),
    /// One character.
    Set(Set),
    Cat(Vec<Node>),
    Alt(Vec<Node>),
    Repeat(Box<Repeat>),
    /// A part whose place is kept, by its number.
    Capture(usize, Box<Node>),
    /// A part that is never matched in another way once it matched.
    Atomic(Box<Node>),
    Assert(Assert),
    Look(Look),
    /// Captures all from here to the end of the text, and takes nothing: `(?=(?<name>.*))`.
    Rest(usize),
    /// The text of an IPv4 address, with no digit before or behind it.
    Ip4,
    /// The text of an IPv6 address (RFC 4291 §2.2), the longest first.
    Ip6,
}

/// A part that is there several times.
#[derive(Clone, Debug)]
pub(super) struct Repeat {
    pub(super) node: Node,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greedy: bool,
}

impl Node {
    /// Several in a row.
    pub(super) fn cat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self::Empty,
            1 => nodes.swap_remove(0),
            _ => Self::Cat(nodes),
        }
    }

    /// Whether it can match nothing.
    pub(super) fn nullable(&self) -> bool {
        match self {
            Self::Empty | Self::Assert(_) | Self::Look(_) | Self::Rest(_) => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Set(_) | Self::Ip4 | Self::Ip6 => false,
            Self::Cat(nodes) => nodes.iter().all(Self::nullable),
            Self::Alt(nodes) => nodes.iter().any(Self::nullable),
            Self::Repeat(repeat) => repeat.min == 0 || repeat.node.nullable(),
            Self::Capture(_, node) | Self::Atomic(node) => node.nullable(),
        }
    }

    /// Whether all that it can match is plain text.
    pub(super) fn plain(&self) -> bool {
        let plain = |set: Set| set.and(Set::plain().not()).is_empty();
        match self {
            Self::Empty | Self::Assert(_) | Self::Look(_) | Self::Ip4 | Self::Ip6 | Self::Rest(_) => true,
            Self::Bytes(bytes) => plain(Set::of(bytes)),
            Self::Set(set) => plain(*set),
            Self::Cat(nodes) | Self::Alt(nodes) => nodes.iter().all(Self::plain),
            Self::Repeat(repeat) => repeat.node.plain(),
            Self::Capture(_, node) | Self::Atomic(node) => node.plain(),
        }
    }

    /// The captures in it: number, whether it is there in every match, whether it is plain.
    pub(super) fn captures(&self, always: bool, found: &mut dyn FnMut(usize, bool, bool)) {
        match self {
            Self::Cat(nodes) => nodes.iter().for_each(|node| node.captures(always, found)),
            Self::Alt(nodes) => nodes.iter().for_each(|node| node.captures(false, found)),
            Self::Repeat(repeat) => repeat.node.captures(always && repeat.min > 0, found),
            Self::Atomic(node) => node.captures(always, found),
            Self::Rest(number) => found(*number, false, false),
            Self::Capture(number, node) => {
                found(*number, always && !node.nullable(), node.plain());
                node.captures(always, found);
            }
            _ => {}
        }
    }

    /// The texts of one length that it matches, as sequences of characters, where there are few.
    pub(super) fn sequences(&self) -> Option<Vec<Vec<Set>>> {
        /// Alternatives of a look-around; more are better said otherwise.
        const MOST: usize = 32;
        let joined = |parts: Vec<Vec<Vec<Set>>>| {
            let mut all: Vec<Vec<Set>> = vec![Vec::new()];
            for part in parts {
                let longer =
                    all.iter().flat_map(|begin| part.iter().map(|end| [&begin[..], &end[..]].concat()));
                all = longer.collect();
                if all.len() > MOST {
                    return None;
                }
            }
            Some(all)
        };
        match self {
            Self::Empty => Some(vec![Vec::new()]),
            Self::Bytes(bytes) => Some(vec![bytes.iter().map(|&byte| Set::of(&[byte])).collect()]),
            Self::Set(set) => Some(vec![vec![*set]]),
            Self::Cat(nodes) => joined(nodes.iter().map(Self::sequences).collect::<Option<_>>()?),
            Self::Alt(nodes) => {
                let all = nodes.iter().map(Self::sequences).collect::<Option<Vec<_>>>()?.concat();
                Some(all).filter(|all| all.len() <= MOST)
            }
            Self::Repeat(repeat) if repeat.max == Some(repeat.min) && repeat.min <= 16 => {
                joined(vec![repeat.node.sequences()?; repeat.min as usize])
            }
            Self::Atomic(node) => node.sequences(),
            _ => None,
        }
    }

    /// The longest text that is in every match.
    pub(super) fn required(&self) -> Vec<u8> {
        let longest = |texts: &mut dyn Iterator<Item = Vec<u8>>| {
            texts.fold(Vec::new(), |best, text| if text.len() > best.len() { text } else { best })
        };
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Cat(nodes) => longest(&mut nodes.iter().map(Self::required)),
            Self::Alt(nodes) if nodes.len() == 1 => nodes[0].required(),
            Self::Repeat(repeat) if repeat.min > 0 => repeat.node.required(),
            Self::Capture(_, node) | Self::Atomic(node) => node.required(),
            _ => Vec::new(),
        }
    }
}
