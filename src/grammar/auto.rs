//! Tells formats apart: tries them in an order that was found by testing each on the samples of all others.
//!
//! The narrow ones come first and the wide ones last (`grammars/order.golden`). The order is the same for every line,
//! whatever came before it, so that the result does not depend on how a stream was cut into batches.

use std::collections::BTreeMap;

use super::{Parser, parser};
use crate::event::{Options, Span, Texts};
use crate::format::{Bind, Fields, Format, Gives, Mismatch};
use crate::signature::{Field, Type};

/// Formats that are code and can be told by their looks.
pub const TELLABLE: &[&str] = &["json", "logfmt", "syslog", "cri", "docker"];

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

/// The fields of all of them. One that has two types in two formats is of any.
pub(super) fn gives() -> Result<Gives, String> {
    let mut all: BTreeMap<String, Field> = BTreeMap::new();
    for candidate in candidates() {
        for mut field in candidate.gives(&Options::default())?.fields {
            field.maybe = true;
            all.entry(field.path.clone())
                .and_modify(|known| {
                    if known.ty != field.ty {
                        known.ty = Type::Any;
                    }
                })
                .or_insert(field);
        }
    }
    Ok(Gives { fields: all.into_values().collect(), open: true })
}

/// Any of the formats.
pub(super) struct Auto {
    candidates: Vec<(&'static str, Box<dyn Format>)>,
}

impl Auto {
    pub(super) fn new(bind: &mut Bind<'_>) -> Result<Self, String> {
        let bound = candidates().map(|candidate| Ok((candidate.name(), candidate.bind(bind)?)));
        Ok(Self { candidates: bound.collect::<Result<_, String>>()? })
    }

    /// The name of the first format that takes the text; its fields are appended.
    pub(super) fn find(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<&'static str> {
        let mark = fields.len();
        for (name, format) in &self.candidates {
            if may_be(name, texts.bytes(input)) && format.parse(input, texts, fields).is_ok() {
                return Some(name);
            }
            fields.truncate(mark);
        }
        None
    }
}

impl Format for Auto {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        self.find(input, texts, fields).map(drop).ok_or(Mismatch::at(0, "no format is like this"))
    }
}

/// What a format takes if it is asked for, and what it is told by, differ for those that take nearly anything.
fn may_be(name: &str, text: &[u8]) -> bool {
    match name {
        // Pairs from the first word on; prose with an `=` somewhere is not logfmt.
        "logfmt" => {
            let mut words = text.split(|&byte| byte == b' ');
            let pair = |word: &[u8]| memchr::memchr(b'=', word).is_some_and(|at| at > 0);
            words.next().is_some_and(pair)
                && words.next().is_none_or(|word| pair(word) || word.is_empty() || text.contains(&b'"'))
        }
        "json" | "docker" => text.trim_ascii_start().first() == Some(&b'{'),
        _ => true,
    }
}

/// A format that was told, and the share of lines that it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected {
    /// Its name.
    pub name: &'static str,
    /// From 0 to 1, of the lines that can begin a message.
    pub confidence: f64,
}

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// Share of lines below which nothing is told.
const CONFIDENCE_MIN: f64 = 0.5;

/// Tells the format of lines. Blank and indented ones, which continue others, do not count.
pub fn detect(lines: &[&[u8]]) -> Option<Detected> {
    let mut bench = super::message::Bench::new(AUTO, &Options::default(), Default::default()).ok()?;
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut total = 0usize;
    let starts = |line: &&&[u8]| line.first().is_some_and(|byte| !byte.is_ascii_whitespace());
    for line in lines.iter().filter(starts).take(LINES_MAX) {
        total += 1;
        if let Some(name) = bench.name_of(line) {
            *counts.entry(name).or_default() += 1;
        }
    }
    // Of equals the narrower one.
    let (name, count) = order().filter_map(|name| Some((name, *counts.get(name)?))).rev_max()?;
    let confidence = count as f64 / total as f64;
    (confidence >= CONFIDENCE_MIN).then_some(Detected { name, confidence })
}

/// The first of the greatest.
trait RevMax: Iterator<Item = (&'static str, usize)> + Sized {
    fn rev_max(self) -> Option<(&'static str, usize)> {
        self.fold(None, |best: Option<(&'static str, usize)>, next| match best {
            Some(best) if best.1 >= next.1 => Some(best),
            _ => Some(next),
        })
    }
}

impl<I: Iterator<Item = (&'static str, usize)>> RevMax for I {}
