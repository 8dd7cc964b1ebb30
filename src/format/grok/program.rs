//! A pattern as a program for the machine.
//!
//! What makes it fast is decided here: for every choice, which of its ways can go on with which next byte, and for
//! every repetition of a class, whether what follows can begin within it. Where it cannot there is nothing to go back
//! to, and most log formats never go back at all.

use std::collections::HashMap;

use memchr::memmem::Finder;

use super::node::{Assert, Look, Node, Repeat, Set};
use crate::limits::GROK_PROGRAM_MAX;

/// Number of a point whose places are remembered, or none: within an atomic part nothing is.
pub(super) type Memo = u32;
pub(super) const NO_MEMO: Memo = u32::MAX;

/// One instruction. All but jumps go on with the next one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inst {
    Byte(u8),
    /// A text of the pool.
    Bytes {
        start: u32,
        len: u32,
    },
    /// One character of a set.
    Set(u16),
    /// A repeated set.
    Loop(u16),
    /// Ways by the next byte.
    Choose(u16),
    Jump(u32),
    /// Keeps the place in a slot.
    Save(u16),
    Assert(Assert),
    Look(u16),
    Ip4,
    Ip6,
    /// Keeps all from the place on in a slot and the next.
    Rest(u16),
    /// Begins a part that is left in one way only.
    Cut,
    /// Ends it.
    Uncut,
    /// Leaves a repetition whose last round began at this place, which a slot holds: another would be the same.
    Moved {
        slot: u16,
        exit: u32,
    },
    Match,
}

/// How a repeated set is gone over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// All there is; what follows cannot begin earlier.
    All,
    /// The longest first.
    Longest,
    /// The shortest first.
    Shortest,
}

/// A repeated set.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) set: u16,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) order: Order,
    /// Bytes that what follows can begin with.
    pub(super) follow: u16,
    /// Whether what follows can be nothing at the end of the text.
    pub(super) follow_end: bool,
    /// Being within; the next point, where there is one, is being behind.
    pub(super) memo: Memo,
}

/// No way of a choice fits.
pub(super) const NO_WAY: u32 = u32::MAX;

/// Several ways of a choice fit: the rest is the number of their list.
pub(super) const SEVERAL: u32 = 1 << 31;

/// Ways by the next byte.
#[derive(Clone, Debug)]
pub(super) struct Choose {
    /// For each byte, and for the end of the text, the one way there is, [`NO_WAY`], or [`SEVERAL`] and the number of
    /// a list.
    pub(super) by_byte: Box<[u32; 257]>,
    /// Lists of instructions, the first to be tried first.
    pub(super) ways: Vec<Box<[u32]>>,
    pub(super) memo: Memo,
}

/// How to find the end of a run of a set.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) has: Box<[bool; 256]>,
    /// The bytes that are not in it, if there are at most three.
    pub(super) stops: Option<Vec<u8>>,
    /// The bytes that are in it, if there are at most three.
    pub(super) few: Option<Vec<u8>>,
    pub(super) wide: bool,
}

/// A pattern that can be run.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub(super) code: Vec<Inst>,
    pub(super) pool: Vec<u8>,
    pub(super) classes: Vec<Class>,
    pub(super) loops: Vec<Loop>,
    pub(super) chooses: Vec<Choose>,
    pub(super) looks: Vec<CodedLook>,
    /// Places that are kept: two per capture, then those of [`Inst::Moved`].
    pub(super) slots: usize,
    /// Points whose places are remembered once there is much going back.
    pub(super) memos: u32,
    /// Whether a match begins only where the text does.
    pub(super) anchored: bool,
    /// Bytes that a match can begin with.
    pub(super) first: u16,
    /// Whether a match can be empty at the end.
    pub(super) first_end: bool,
    /// A text that is in every match, where there is one.
    pub(super) required: Option<Finder<'static>>,
}

/// A look-around with numbered classes.
#[derive(Clone, Debug)]
pub(super) struct CodedLook {
    pub(super) ahead: bool,
    pub(super) negate: bool,
    pub(super) any: Vec<Vec<u16>>,
}

/// What can come next.
#[derive(Clone, Copy, Debug)]
struct First {
    set: Set,
    /// The rest can be nothing.
    end: bool,
}

impl First {
    fn or(self, other: Self) -> Self {
        Self { set: self.set.or(other.set), end: self.end || other.end }
    }
}

/// The first bytes of a part and of what follows it.
fn first(node: &Node, follow: First) -> First {
    let only = |set| First { set, end: false };
    match node {
        Node::Empty | Node::Assert(_) | Node::Look(_) | Node::Rest(_) => follow,
        Node::Bytes(bytes) => bytes.first().map_or(follow, |&byte| only(Set::of(&[byte]))),
        Node::Set(set) => only(*set),
        Node::Ip4 => only(Set::digits()),
        Node::Ip6 => only(Set::hex().or(Set::of(b":"))),
        Node::Cat(nodes) => nodes.iter().rev().fold(follow, |follow, node| first(node, follow)),
        Node::Alt(nodes) => nodes.iter().fold(only(Set::default()), |all, node| all.or(first(node, follow))),
        Node::Repeat(repeat) if repeat.max == Some(0) => follow,
        Node::Repeat(repeat) if repeat.min == 0 => first(&repeat.node, follow).or(follow),
        Node::Repeat(repeat) => first(&repeat.node, follow),
        Node::Capture(_, node) | Node::Atomic(node) => first(node, follow),
    }
}

/// Compiles a tree with so many captures.
pub(super) fn compile(node: &Node, captures: usize) -> Result<Program, String> {
    let required = node.required();
    let required = (!required.is_empty()).then(|| Finder::new(&required).into_owned());
    let mut coder = Coder {
        program: Program { slots: captures * 2, required, ..Program::default() },
        sets: HashMap::new(),
        cuts: 0,
    };
    let end = First { set: Set::ALL, end: true };
    coder.node(node, end)?;
    coder.push(Inst::Match)?;
    let begin = first(node, end);
    coder.program.first = coder.class(begin.set);
    coder.program.first_end = begin.end;
    coder.program.anchored = anchored(node);
    Ok(coder.program)
}

/// Whether it matches at the start of the text or nowhere.
fn anchored(node: &Node) -> bool {
    match node {
        Node::Assert(Assert::TextStart) => true,
        Node::Cat(nodes) => nodes.first().is_some_and(anchored),
        Node::Alt(nodes) => nodes.iter().all(anchored),
        Node::Capture(_, node) | Node::Atomic(node) => anchored(node),
        // What begins with any text matches from the start if it does at all.
        Node::Repeat(repeat) => {
            repeat.min == 0 && repeat.max.is_none() && matches!(repeat.node, Node::Set(Set::ALL))
        }
        _ => false,
    }
}

struct Coder {
    program: Program,
    sets: HashMap<Set, u16>,
    /// Atomic parts that are open.
    cuts: usize,
}

impl Coder {
    fn push(&mut self, inst: Inst) -> Result<u32, String> {
        if self.program.code.len() >= GROK_PROGRAM_MAX {
            return Err("the pattern with all that it names is too large".into());
        }
        self.program.code.push(inst);
        Ok(self.program.code.len() as u32 - 1)
    }

    fn here(&self) -> u32 {
        self.program.code.len() as u32
    }

    fn class(&mut self, set: Set) -> u16 {
        let classes = &mut self.program.classes;
        *self.sets.entry(set).or_insert_with(|| {
            classes.push(Class {
                has: Box::new(std::array::from_fn(|byte| set.has(byte as u8))),
                stops: set.not().few(),
                few: set.few(),
                wide: set.has(0x80),
            });
            classes.len() as u16 - 1
        })
    }

    fn memo(&mut self, points: u32) -> Memo {
        if self.cuts > 0 {
            return NO_MEMO;
        }
        self.program.memos += points;
        self.program.memos - points
    }

    fn node(&mut self, node: &Node, follow: First) -> Result<(), String> {
        match node {
            Node::Empty => {}
            Node::Bytes(bytes) => match bytes[..] {
                [] => {}
                [byte] => {
                    self.push(Inst::Byte(byte))?;
                }
                _ => {
                    let start = self.program.pool.len() as u32;
                    self.program.pool.extend_from_slice(bytes);
                    self.push(Inst::Bytes { start, len: bytes.len() as u32 })?;
                }
            },
            Node::Set(set) => {
                let class = self.class(*set);
                self.push(Inst::Set(class))?;
            }
            Node::Cat(nodes) => {
                let mut follows = vec![follow; nodes.len()];
                for at in (1..nodes.len()).rev() {
                    follows[at - 1] = first(&nodes[at], follows[at]);
                }
                for (node, follow) in nodes.iter().zip(follows) {
                    self.node(node, follow)?;
                }
            }
            Node::Alt(nodes) if nodes.len() == 1 => self.node(&nodes[0], follow)?,
            Node::Alt(nodes) => self.alternatives(nodes, follow)?,
            Node::Repeat(repeat) => self.repeat(repeat, follow)?,
            Node::Capture(number, node) => {
                self.push(Inst::Save(*number as u16 * 2))?;
                self.node(node, follow)?;
                self.push(Inst::Save(*number as u16 * 2 + 1))?;
            }
            Node::Atomic(inner) => {
                self.push(Inst::Cut)?;
                self.cuts += 1;
                // What follows cannot make it go back.
                let done = self.node(inner, First { set: Set::ALL, end: true });
                self.cuts -= 1;
                done?;
                self.push(Inst::Uncut)?;
            }
            Node::Assert(assert) => {
                self.push(Inst::Assert(*assert))?;
            }
            Node::Look(look) => self.look(look)?,
            Node::Rest(number) => {
                self.push(Inst::Rest(*number as u16 * 2))?;
            }
            Node::Ip4 => {
                self.push(Inst::Ip4)?;
            }
            Node::Ip6 => {
                self.push(Inst::Ip6)?;
            }
        }
        Ok(())
    }

    fn look(&mut self, look: &Look) -> Result<(), String> {
        let Look { ahead, negate, any } = look;
        let any = any.iter().map(|sets| sets.iter().map(|&set| self.class(set)).collect()).collect();
        self.program.looks.push(CodedLook { ahead: *ahead, negate: *negate, any });
        self.push(Inst::Look(self.program.looks.len() as u16 - 1))?;
        Ok(())
    }

    fn alternatives(&mut self, nodes: &[Node], follow: First) -> Result<(), String> {
        let firsts: Vec<_> = nodes.iter().map(|node| first(node, follow)).collect();
        let choose = self.choose_later()?;
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for (at, node) in nodes.iter().enumerate() {
            starts.push(self.here());
            self.node(node, follow)?;
            if at + 1 < nodes.len() {
                ends.push(self.push(Inst::Jump(0))?);
            }
        }
        let here = self.here();
        ends.iter().for_each(|&end| self.program.code[end as usize] = Inst::Jump(here));
        let ways: Vec<_> = starts.into_iter().zip(firsts).collect();
        self.choose(choose, &ways)
    }

    /// The place of a choice whose ways are not known yet.
    fn choose_later(&mut self) -> Result<u16, String> {
        let memo = self.memo(1);
        let number = u16::try_from(self.program.chooses.len());
        let number = number.map_err(|_| "the pattern with all that it names is too large")?;
        self.program.chooses.push(Choose { by_byte: Box::new([NO_WAY; 257]), ways: Vec::new(), memo });
        self.push(Inst::Choose(number))?;
        Ok(number)
    }

    fn choose(&mut self, number: u16, ways: &[(u32, First)]) -> Result<(), String> {
        let choose = &mut self.program.chooses[usize::from(number)];
        for next in 0..=256 {
            let fits = |first: &First| if next == 256 { first.end } else { first.set.has(next as u8) };
            let list: Box<[u32]> =
                ways.iter().filter(|(_, first)| fits(first)).map(|(start, _)| *start).collect();
            choose.by_byte[next] = match list[..] {
                [] => NO_WAY,
                [only] => only,
                _ => {
                    let known = choose.ways.iter().position(|known| *known == list);
                    SEVERAL
                        | known.unwrap_or_else(|| {
                            choose.ways.push(list);
                            choose.ways.len() - 1
                        }) as u32
                }
            };
        }
        Ok(())
    }

    fn repeat(&mut self, repeat: &Repeat, follow: First) -> Result<(), String> {
        if let Node::Set(set) = &repeat.node {
            return self.set_loop(*set, repeat, follow);
        }
        let again = first(&repeat.node, follow).or(follow);
        for _ in 0..repeat.min {
            self.node(&repeat.node, again)?;
        }
        match repeat.max {
            None => self.star(repeat, follow),
            Some(max) => {
                // `(x(x)?)?`: leaving one leaves all.
                let mut exits = Vec::new();
                for _ in repeat.min..max {
                    let choose = self.choose_later()?;
                    let body = self.here();
                    self.node(&repeat.node, again)?;
                    exits.push((choose, body));
                }
                let exit = self.here();
                for (choose, body) in exits {
                    self.either(choose, (body, first(&repeat.node, follow)), (exit, follow), repeat.greedy)?;
                }
                Ok(())
            }
        }
    }

    fn either(
        &mut self,
        choose: u16,
        body: (u32, First),
        exit: (u32, First),
        greedy: bool,
    ) -> Result<(), String> {
        self.choose(choose, &if greedy { [body, exit] } else { [exit, body] })
    }

    fn star(&mut self, repeat: &Repeat, follow: First) -> Result<(), String> {
        let again = first(&repeat.node, follow).or(follow);
        let head = self.here();
        let choose = self.choose_later()?;
        let body = self.here();
        let slot = repeat.node.nullable().then(|| {
            self.program.slots += 1;
            self.program.slots as u16 - 1
        });
        if let Some(slot) = slot {
            self.push(Inst::Save(slot))?;
        }
        self.node(&repeat.node, again)?;
        let moved = slot.map(|slot| self.push(Inst::Moved { slot, exit: 0 })).transpose()?;
        self.push(Inst::Jump(head))?;
        let exit = self.here();
        if let (Some(moved), Some(slot)) = (moved, slot) {
            self.program.code[moved as usize] = Inst::Moved { slot, exit };
        }
        self.either(choose, (body, first(&repeat.node, follow)), (exit, follow), repeat.greedy)
    }

    fn set_loop(&mut self, set: Set, repeat: &Repeat, follow: First) -> Result<(), String> {
        let order = match (repeat.max, set.and(follow.set).is_empty()) {
            // Behind a bounded run there may be more of the set, which what follows does not begin with either.
            (_, true) if repeat.greedy && !(follow.end && repeat.max.is_some()) => Order::All,
            _ if repeat.max == Some(repeat.min) => Order::All,
            _ if repeat.greedy => Order::Longest,
            _ => Order::Shortest,
        };
        let looped = Loop {
            set: self.class(set),
            min: repeat.min,
            max: repeat.max.unwrap_or(u32::MAX),
            order,
            follow: self.class(follow.set),
            follow_end: follow.end,
            memo: match (order, repeat.max) {
                (Order::All, None) => self.memo(1),
                (Order::All, Some(_)) => NO_MEMO,
                _ => self.memo(2),
            },
        };
        self.program.loops.push(looped);
        let number = u16::try_from(self.program.loops.len() - 1);
        self.push(Inst::Loop(number.map_err(|_| "the pattern with all that it names is too large")?))?;
        Ok(())
    }
}
