//! Tells formats apart: tries them in an order that was found by testing each on the samples of all others.
//!
//! The narrow ones come first and the wide ones last (`grammars/order.golden`). The order is the same for every line,
//! whatever came before it, so that the result does not depend on how a stream was cut into batches. Most candidates
//! are never tried: [`gate`] rules them out by a line's first bytes, and learns how from the first lines it sees.

mod automaton;
mod candidate;
mod gate;
mod guard;
mod lead;
mod needs;
mod paths;
mod shortcut;
mod told;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem;

use super::{Grammar, Parser, parser};
use crate::event::{ESCAPE, Options, Span, Texts, Value, strip_ansi};
use crate::format::{Bind, Fields, Format, Gives, Mismatch};
use crate::limits::AUTO_FIELDS_MAX;
use crate::signature::{Field, Type};
use candidate::{Candidate, look};
use gate::Gate;
use shortcut::Shortcut;

pub use told::{Share, Told};

/// Formats that are code and can be told by their looks.
pub const TELLABLE: &[&str] = &["json", "logfmt", "cef", "leef", "syslog", "cri", "docker", EXCEPTION];

/// A trace without a log line.
const EXCEPTION: &str = "exception";

/// How texts begin that a format which is code may take ([`automaton::Automaton::shape`]); those that are not listed may
/// begin in any way.
const LOOKS: &[(&str, &[&[u8]])] = &[
    ("json", &[b"[ \t\r\n]*{"]),
    ("docker", &[b"[ \t\r\n]*{"]),
    ("logfmt", &[b"[\t-\r ]*[!#-<>-\xff]+="]),
    (
        "cri",
        &[
            b"9999-99-99[Tt]99:99:99[.,0-9]*[-+0-9:Zz]+ std[oe][ur][tr]r? [FP][ :]",
            b"9999-99-99[Tt]99:99:99[.,0-9]*[-+0-9:Zz]+ std[oe][ur][tr]r? [FP]$",
        ],
    ),
    // At the front, or behind what syslog puts there.
    ("cef", &[b"CEF:", b"<9+>", b"[A-Z][a-z][a-z] ", b"9999-99-99T"]),
    ("leef", &[b"LEEF:", b"<9+>", b"[A-Z][a-z][a-z] ", b"9999-99-99T"]),
    // A priority, the number of a message, or a time that syslog itself writes.
    ("syslog", &[b"<9+>", b"9+: ", b"[*.]?aaa[ 0-9]*:99", b"[*.]?9999-99-99[Tt]99:99"]),
    // Joined lines are seen to by themselves.
    (EXCEPTION, &[]),
];

fn looks(name: &str) -> &'static [&'static [u8]] {
    LOOKS.iter().find(|(known, _)| *known == name).map_or(&[b""], |(_, shapes)| shapes)
}

/// The order, as `cargo test` found it; the first word of each line is a name.
const ORDER: &str = include_str!("../../grammars/order.golden");

/// The name of the format that is any of them.
pub const AUTO: &str = "auto";

/// Names in the order in which they are tried.
pub fn order() -> impl Iterator<Item = &'static str> {
    ORDER.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next())
}

fn candidates() -> impl Iterator<Item = Parser> {
    order().filter_map(parser)
}

/// What the lines of all candidates look like, learnt once for all pipelines and streams.
static GATE: LazyLock<Gate> = LazyLock::new(|| Gate::new(candidates()));

/// The fields that most of them give, so that a pipeline knows their types; others are known from the data only. One
/// that has two types in two formats is of any.
pub(super) fn gives() -> Result<Gives, String> {
    let mut all: BTreeMap<String, (usize, Field)> = BTreeMap::new();
    for candidate in candidates() {
        let fixed = matches!(candidate, Parser::Format(_));
        for mut field in candidate.gives(&Options::default())?.fields {
            field.maybe = true;
            // Keys that only the data knows must have a place to go to; and a format that is code asks for its fields.
            let weight = if fixed || matches!(field.ty, Type::Object | Type::Any) { 1000 } else { 1 };
            all.entry(field.path.clone())
                .and_modify(|(count, known)| {
                    *count += weight;
                    if known.ty != field.ty {
                        known.ty = Type::Any;
                    }
                })
                .or_insert((weight, field));
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by(|(one, _), (other, _)| other.cmp(one));
    all.truncate(AUTO_FIELDS_MAX);
    let mut fields: Vec<_> = all.into_iter().map(|(_, field)| field).collect();
    fields.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Gives { fields, open: true })
}

/// Any of the formats.
pub(super) struct Auto {
    candidates: Vec<Candidate>,
    gate: &'static Gate,
    /// The one that takes joined lines only, by its number.
    joined: Option<usize>,
}

impl Auto {
    pub(super) fn new(bind: &mut Bind<'_>) -> Result<Self, String> {
        let candidates: Vec<_> =
            candidates().map(|parser| Candidate::new(parser, bind)).collect::<Result<_, String>>()?;
        let joined = candidates.iter().position(|candidate| candidate.name == EXCEPTION);
        Ok(Self { candidates, gate: &GATE, joined })
    }

    /// The same for a text without the codes that colour it; nothing where it has none of them.
    #[cold]
    fn find_coloured(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<&'static str> {
        let mut plain = texts.scratch();
        plain.extend_from_slice(texts.bytes(input));
        strip_ansi(&mut plain, 0);
        let plain = texts.keep(plain);
        if plain.len < input.len { self.find(plain, texts, fields) } else { None }
    }

    /// The name of the first format that takes the text; its fields are appended, and those of what another program
    /// wrote inside it.
    #[inline]
    fn find(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<&'static str> {
        let mark = fields.len();
        let found = self.first(input, texts, fields)?;
        if let Some(inner) = found.inner {
            let held = fields.iter().skip(mark).find(|(target, _)| *target == inner);
            if let Some((_, Value::Text(inside))) = held {
                // Once: what is inside of that is its own message.
                self.first(*inside, texts, fields);
            }
        }
        Some(found.name)
    }

    /// The first format that takes the text; its fields are appended.
    #[inline]
    fn first(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<&Candidate> {
        let mark = fields.len();
        let hint = self.gate.hint(texts.bytes(input));
        let hinted = hint.candidate();
        if let Some(number) = hinted
            && self.take_first(number, input, texts, fields)
        {
            return self.candidates.get(number);
        }
        let node = self.gate.node(texts.bytes(input));
        if let Some(number) = self.gate.habit(node).filter(|habit| hinted != Some(*habit)) {
            fields.truncate(mark);
            if self.take_first(number, input, texts, fields) {
                hint.set(number);
                return self.candidates.get(number);
            }
        }
        fields.truncate(mark);
        let found = self.any(node, input, texts, fields)?;
        self.gate.note(hint, node, found, texts.bytes(input));
        self.candidates.get(found.0)
    }

    /// Whether a candidate takes the text and is sure to be the first that does.
    #[inline]
    fn take_first(&self, number: usize, input: Span, texts: &mut Texts, fields: &mut Fields) -> bool {
        let Some(form) = self.take(number, input, texts, fields) else {
            return false;
        };
        let left = self.gate.left((number, form), texts.bytes(input));
        left.is_some_and(|left| self.is_first(number, left, input, texts, fields))
    }

    /// Whether a format that takes the text is sure to be the first that does.
    #[inline]
    fn is_first(
        &self,
        number: usize,
        shortcut: &Shortcut,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> bool {
        let bytes = texts.bytes(input);
        let after_joined = self.joined.is_some_and(|joined| joined < number);
        if after_joined && memchr::memchr(b'\n', bytes).is_some() {
            return false;
        }
        if shortcut.before.is_empty() {
            return true;
        }
        let mut before = self.gate.before(shortcut, bytes);
        !before.any(|(before, form)| {
            let rival = self.candidates.get(before);
            rival.is_some_and(|rival| rival.takes(form, input, texts, fields))
        })
    }

    /// The first format that takes the text, of all that may: its number and that of its line form.
    fn any(&self, node: u16, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<(usize, usize)> {
        let bytes = texts.bytes(input);
        let mut joined = self.joined.filter(|_| memchr::memchr(b'\n', bytes).is_some());
        for number in self.gate.candidates(node, bytes) {
            if let Some(first) = joined.take_if(|joined| *joined < number)
                && let Some(form) = self.take(first, input, texts, fields)
            {
                return Some((first, form));
            }
            if let Some(form) = self.take(number, input, texts, fields) {
                return Some((number, form));
            }
        }
        let joined = joined?;
        Some((joined, self.take(joined, input, texts, fields)?))
    }

    #[inline]
    fn take(&self, number: usize, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<usize> {
        self.candidates.get(number)?.take(input, texts, fields)
    }
}

impl Format for Auto {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        self.parse_as(input, texts, fields).map(drop)
    }

    fn parse_as(
        &self,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<Option<&'static str>, Mismatch> {
        // Whether a program writes to a terminal is not what its format is told by.
        let coloured = !texts.is_clean(input) && memchr::memchr(ESCAPE, texts.bytes(input)).is_some();
        let name = if coloured { self.find_coloured(input, texts, fields) } else { None };
        let name = name.or_else(|| self.find(input, texts, fields));
        name.map(Some).ok_or(Mismatch::at(0, "no format is like this"))
    }
}

/// What a format takes if it is asked for, and what it is told by, differ for those that take nearly anything: a
/// grammar says so with `told`.
pub fn may_be(name: &str, text: &[u8]) -> bool {
    let told = super::get(name).map_or(&[][..], Grammar::told);
    (told.is_empty() || told.iter().any(|mark| memmem::find(text, mark.as_bytes()).is_some()))
        && look(name).is_none_or(|look| look(text))
}

/// Tells lines apart one by one.
pub struct Detector(super::message::Bench);

impl Detector {
    /// A detector.
    pub fn new() -> Result<Self, String> {
        super::message::Bench::new(AUTO, &Options::default(), Default::default()).map(Self)
    }

    /// The name of the format that takes a message.
    pub fn name_of(&mut self, message: &[u8]) -> Option<&'static str> {
        self.0.name_of(message)
    }

    /// The format that takes most lines, if one takes half of them; of equals the one that was seen first. Blank and
    /// indented lines, which continue others, do not count.
    pub fn detect(&mut self, lines: &[&[u8]]) -> Option<Share> {
        let mut told = Told::default();
        let starts = |line: &&&[u8]| line.first().is_some_and(|byte| !byte.is_ascii_whitespace());
        for line in lines.iter().filter(starts).take(LINES_MAX) {
            told.note(self.name_of(line));
        }
        told.shares().into_iter().next().filter(|share| share.share >= SHARE_MIN)
    }
}

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// Share of lines below which nothing is told.
const SHARE_MIN: f64 = 0.5;

#[cfg(test)]
mod tests;
