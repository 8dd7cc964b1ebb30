//! Tells formats apart: tries them in an order that was found by testing each on the samples of all others.
//!
//! The narrow ones come first and the wide ones last (`grammars/order.golden`). The order is the same for every line,
//! whatever came before it, so that the result does not depend on how a stream was cut into batches. Most candidates
//! are never tried: [`gate`] rules them out by a line's first bytes, and learns how from the first lines it sees.

mod gate;
mod lead;
mod needs;
mod told;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use super::{Grammar, Parser, parser};
use crate::event::{ESCAPE, LayoutBuilder, Mask, Options, Slot, Span, Texts, Value, strip_ansi};
use crate::format::{Bind, Fields, Format, Gives, Mismatch, Target};
use crate::limits::AUTO_FIELDS_MAX;
use crate::signature::{Field, Type};
use gate::{Begin, Gate, Shortcut};

pub use told::{Share, Told};

/// Formats that are code and can be told by their looks.
pub const TELLABLE: &[&str] = &["json", "logfmt", "cef", "leef", "syslog", "cri", "docker", EXCEPTION];

/// A trace without a log line.
const EXCEPTION: &str = "exception";

/// How texts begin that a format which is code may take ([`lead::Automaton::shape`]); those that are not listed may
/// begin in any way.
const LOOKS: &[(&str, &[&[u8]])] = &[
    ("json", &[b"[ \t\r\n]*{"]),
    ("docker", &[b"[ \t\r\n]*{"]),
    ("logfmt", &[b"[\t-\r ]*[!#-<>-\xff]+="]),
    ("cri", &[b"9999-99-99T"]),
    // At the front, or behind what syslog puts there.
    ("cef", &[b"CEF:", b"<9+>", b"[A-Z][a-z][a-z] ", b"9999-99-99T"]),
    ("leef", &[b"LEEF:", b"<9+>", b"[A-Z][a-z][a-z] ", b"9999-99-99T"]),
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

/// A format and where its fields go.
struct Candidate {
    name: &'static str,
    format: Box<dyn Format>,
    /// Texts of which a line must hold one; none where any may be.
    marks: Box<[Finder<'static>]>,
    /// For a grammar, which is bound to a layout of its own: together they have more fields than a layout may name.
    targets: Option<Targets>,
    /// Where what another program wrote goes, if it holds such.
    inner: Option<Target>,
}

/// A grammar that is bound to a layout of its own.
struct Own {
    format: Box<dyn Format>,
    targets: Targets,
    inner: Option<Target>,
}

/// Where fields go, by their slots.
type Targets = Box<[Target]>;

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
        let begin = self.gate.begin(texts.bytes(input))?;
        if let Some((number, shortcut)) = begin.habit()
            && let found @ Some(_) = self.again(number, (begin, shortcut), input, texts, fields)
        {
            return found;
        }
        let (number, found) = self.any(begin, input, texts, fields)?;
        begin.note(number, texts.bytes(input));
        Some(found)
    }

    /// A format, if it takes the text and is sure to be the first that does.
    #[inline]
    fn again(
        &self,
        number: usize,
        (begin, shortcut): (Begin<'_>, &Shortcut),
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Option<&Candidate> {
        let bytes = texts.bytes(input);
        let after_joined = self.joined.is_some_and(|joined| joined < number);
        if !shortcut.is_open(bytes) || after_joined && memchr::memchr(b'\n', bytes).is_some() {
            return None;
        }
        let mark = fields.len();
        let found = self.take(number, input, texts, fields)?;
        let mut before = begin.before(shortcut, texts.bytes(input));
        if before
            .any(|before| Some(before) != self.joined && self.take(before, input, texts, fields).is_some())
        {
            // Then which is the first of all is found as ever.
            fields.truncate(mark);
            return None;
        }
        Some(found)
    }

    /// The first format that takes the text, of all that may, and its number.
    fn any(
        &self,
        begin: Begin<'_>,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Option<(usize, &Candidate)> {
        let bytes = texts.bytes(input);
        let mut joined = self.joined.filter(|_| memchr::memchr(b'\n', bytes).is_some());
        for number in begin.candidates(bytes) {
            if let Some(first) = joined.take_if(|joined| *joined < number)
                && let Some(found) = self.take(first, input, texts, fields)
            {
                return Some((first, found));
            }
            if let Some(found) = self.take(number, input, texts, fields) {
                return Some((number, found));
            }
        }
        let joined = joined?;
        Some((joined, self.take(joined, input, texts, fields)?))
    }

    #[inline]
    fn take(&self, number: usize, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<&Candidate> {
        self.candidates.get(number).filter(|candidate| candidate.take(input, texts, fields))
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

impl Candidate {
    fn new(parser: Parser, bind: &mut Bind<'_>) -> Result<Self, String> {
        let (format, targets, told, inner) = match parser {
            Parser::Grammar(grammar) => {
                let Own { format, targets, inner } = own_layout(grammar, bind)?;
                (format, Some(targets), grammar.told(), inner)
            }
            other => (other.bind(bind)?, None, &[][..], None),
        };
        let marks = told.iter().map(|mark| Finder::new(mark).into_owned()).collect();
        Ok(Self { name: parser.name(), format, marks, targets, inner })
    }

    /// Takes the text, if it is of the format.
    #[inline]
    fn take(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> bool {
        let bytes = texts.bytes(input);
        let is_marked = self.marks.is_empty() || self.marks.iter().any(|mark| mark.find(bytes).is_some());
        if !is_marked || !looks_like(self.name, bytes) {
            return false;
        }
        let mark = fields.len();
        if self.format.parse(input, texts, fields).is_err() {
            fields.truncate(mark);
            return false;
        }
        if let Some(targets) = &self.targets {
            let of = |slot: Slot| targets.get(slot as usize).copied();
            for (target, _) in fields.iter_mut().skip(mark) {
                *target = match *target {
                    Target::Slot(slot) => of(slot).unwrap_or(*target),
                    Target::Key(parent, key) => match of(parent) {
                        Some(Target::Slot(parent) | Target::Key(parent, _)) => Target::Key(parent, key),
                        None => *target,
                    },
                };
            }
        }
        true
    }
}

/// Binds a grammar to a layout of its fields only, and says where each of them goes in the pipeline's: a slot where
/// that names it, else a key.
fn own_layout(grammar: &Grammar, bind: &mut Bind<'_>) -> Result<Own, String> {
    let mut builder = LayoutBuilder::default();
    for field in grammar.fields() {
        builder.add(&field.path);
    }
    let layout = builder.build();
    let root = bind.root()?;
    let mut wanted = Mask::default();
    let mut inner = None;
    let targets = (0..layout.len() as Slot).map(|slot| {
        let path = layout.path(slot);
        let target = match bind.slot(path) {
            _ if slot == 0 => Target::Slot(root),
            Ok(slot) => Target::Slot(slot),
            Err(_) => Target::Key(root, bind.constant(path.as_bytes())),
        };
        let (Target::Slot(place) | Target::Key(place, _)) = target;
        let is_inner = grammar.inner() == Some(path);
        if is_inner {
            inner = Some(target);
        }
        if is_inner || bind.wanted.contains(place) {
            wanted.insert(slot);
        }
        target
    });
    let targets = targets.collect();
    let mut own = Bind {
        layout: &layout,
        prefix: "",
        options: bind.options,
        constants: bind.constants,
        reference: bind.reference.clone(),
        wanted,
    };
    Ok(Own { format: grammar.bind(&mut own)?, targets, inner })
}

/// What a format takes if it is asked for, and what it is told by, differ for those that take nearly anything: a
/// grammar says so with `told`.
pub fn may_be(name: &str, text: &[u8]) -> bool {
    let told = super::get(name).map_or(&[][..], Grammar::told);
    (told.is_empty() || told.iter().any(|mark| memmem::find(text, mark.as_bytes()).is_some()))
        && looks_like(name, text)
}

/// The same for what no text tells.
fn looks_like(name: &str, text: &[u8]) -> bool {
    match name {
        // Pairs from the first word on; prose with an `=` somewhere is not logfmt.
        "logfmt" => {
            let mut words = text.split(|&byte| byte == b' ');
            let pair = |word: &[u8]| memchr::memchr(b'=', word).is_some_and(|at| at > 0);
            words.next().is_some_and(pair)
                && words.next().is_none_or(|word| pair(word) || word.is_empty() || text.contains(&b'"'))
        }
        // A time, a word, a word: the host of a syslog line, unless it is a level.
        "system.syslog" | "syslog" => {
            let mut words = text.split(|&byte| byte == b' ');
            !words.next().is_some_and(|time| time.first().is_some_and(u8::is_ascii_digit))
                || !words.next().is_some_and(is_level)
        }
        "docker.compose" => !text.split(|&byte| byte == b' ').next().is_some_and(is_level),
        "json" | "docker" => text.trim_ascii_start().first() == Some(&b'{'),
        _ => true,
    }
}

/// A level, as programs write it behind a time or in front of a message.
fn is_level(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word);
    let levels: &[&[u8]] = &[
        b"trace",
        b"debug",
        b"info",
        b"notice",
        b"warn",
        b"warning",
        b"error",
        b"critical",
        b"fatal",
        b"status",
    ];
    levels.iter().any(|level| level.eq_ignore_ascii_case(word))
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
