//! Checks what a grammar file claims: its samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Grammar;
use super::bound::Bound;
use super::file::SAMPLE;
use super::written::Sample;
use crate::diag::Diagnostic;
use crate::event::{LayoutBuilder, Options, Row, Texts, Value, write_plain};
use crate::format::{Bind, Fields, Mismatch, Reference, Target, exception};

/// The reference time of samples without a year: 2024-07-01T00:00:00Z.
const SAMPLE_REFERENCE_NS: i64 = 1_719_792_000_000_000_000;

/// Path and value, as text, of every field of a message.
pub type Parsed = BTreeMap<String, String>;

/// A grammar bound to a layout of its own fields only.
struct Bench {
    bound: Bound,
    row: Row,
}

impl Bench {
    fn new(grammar: &Grammar) -> Result<Self, String> {
        let mut builder = LayoutBuilder::default();
        for field in grammar.fields() {
            builder.add(&field.path);
        }
        let layout = Arc::new(builder.build());
        let mut constants = Vec::new();
        let mut bind = Bind {
            layout: &layout,
            prefix: "",
            options: &Options::default(),
            constants: &mut constants,
            reference: Reference::at(SAMPLE_REFERENCE_NS),
            wanted: crate::event::Mask::ALL,
        };
        let bound = Bound::new(grammar, &mut bind)?;
        Ok(Self { bound, row: Row::new(layout, constants.into()) })
    }

    /// The line form that fits from number `first` on, and the fields it gives.
    fn parse(&mut self, first: usize, text: &str) -> Result<(usize, Parsed), Mismatch> {
        self.row.clear();
        let span = self.row.texts.push(text.as_bytes());
        let mut fields = Fields::new();
        let line = self.bound.find(first..usize::MAX, span, &mut self.row.texts, &mut fields)?;
        let mut parsed = Parsed::new();
        for (target, value) in fields {
            let path = match target {
                Target::Slot(slot) => self.row.layout().path(slot).to_owned(),
                Target::Key(parent, key) | Target::Rest(parent, key) => {
                    let parent = self.row.layout().path(parent);
                    let key = String::from_utf8_lossy(self.row.texts.bytes(key)).into_owned();
                    if parent.is_empty() { key } else { format!("{parent}.{key}") }
                }
            };
            parsed.insert(path, plain(&self.row.texts, value));
        }
        Ok((line, parsed))
    }
}

fn plain(texts: &Texts, value: Value) -> String {
    let mut out = Vec::new();
    write_plain(texts, value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The fields that a grammar finds in a text, as text: for tests and for people.
pub fn parse_fields(grammar: &Grammar, text: &str) -> Result<Parsed, String> {
    let mut bench = Bench::new(grammar)?;
    bench.parse(0, text).map(|(_, parsed)| parsed).map_err(|mismatch| mismatch.to_string())
}

/// A grammar that is tried on texts.
pub struct Trial {
    bench: Bench,
    fallback: Vec<bool>,
}

impl Trial {
    /// For a grammar.
    pub fn new(grammar: &Grammar) -> Result<Self, String> {
        let fallback = grammar.lines.iter().map(|line| line.fallback).collect();
        Ok(Self { bench: Bench::new(grammar)?, fallback })
    }

    /// Whether it takes a text.
    pub fn takes(&mut self, text: &str) -> bool {
        self.bench.parse(0, text).is_ok()
    }

    /// The number of the form that takes a text, where no other of its rank does.
    pub(super) fn only_form(&mut self, text: &str) -> Option<usize> {
        let (form, _) = self.bench.parse(0, text).ok()?;
        match self.bench.parse(form + 1, text) {
            Ok((second, _)) if self.fallback.get(second) == self.fallback.get(form) => None,
            _ => Some(form),
        }
    }
}

/// Everything that a grammar claims and does not keep.
pub(super) fn check(grammar: &Grammar) -> Vec<Diagnostic> {
    let mut bench = match Bench::new(grammar) {
        Ok(bench) => bench,
        Err(message) => return vec![Diagnostic::error(SAMPLE, 0..0, message)],
    };
    let mut wrong: Vec<_> =
        grammar.samples.iter().flat_map(|sample| one(grammar, &mut bench, sample)).collect();
    for sample in &grammar.refused {
        if let Ok((line, _)) = bench.parse(0, &sample.text) {
            let message = format!("line `{}` matches what must be refused", grammar.lines[line].name);
            wrong.push(Diagnostic::error(SAMPLE, sample.place.clone(), message));
        }
    }
    wrong
}

fn one(grammar: &Grammar, bench: &mut Bench, sample: &Sample) -> Vec<Diagnostic> {
    let error = |message: String| Diagnostic::error(SAMPLE, sample.place.clone(), message);
    let (line, parsed) = match bench.parse(0, &sample.text) {
        Ok(found) => found,
        Err(mismatch) => {
            let at = mismatch.offset as usize;
            let rest: String = sample.text.get(at..).unwrap_or_default().chars().take(40).collect();
            return vec![error(format!("no line matches this sample: {mismatch} at byte {at}: `{rest}`"))];
        }
    };
    let name = &grammar.lines[line].name;
    if *name != sample.line {
        return vec![error(format!("this sample is of line `{}` but `{name}` matches it", sample.line))];
    }
    if let Ok((second, _)) = bench.parse(line + 1, &sample.text)
        && grammar.lines[second].fallback == grammar.lines[line].fallback
    {
        let second = &grammar.lines[second].name;
        return vec![error(format!("both `{name}` and `{second}` match this sample"))];
    }
    let found = captured(grammar, &parsed);
    let expected: Parsed = sample.values.iter().cloned().collect();
    if found == expected {
        return Vec::new();
    }
    let mut text = String::from("this sample gives other values");
    for (path, value) in &found {
        if expected.get(path) != Some(value) {
            text += &format!("; found {path}={value:?}");
        }
    }
    for path in expected.keys().filter(|path| !found.contains_key(*path)) {
        text += &format!("; missing {path}");
    }
    vec![error(text).help(format!("it gives: {}", written(&found)))]
}

/// The fields that the grammar finds in the text: those that every event gets say nothing of it, and those of a
/// trace are found in the message of any grammar.
fn captured(grammar: &Grammar, parsed: &Parsed) -> Parsed {
    let everywhere = |path: &String| {
        grammar.sets.iter().any(|set| set.path == *path)
            || (grammar.traces && exception::FIELDS.contains(&path.as_str()))
    };
    parsed
        .iter()
        .filter(|(path, _)| !everywhere(path))
        .map(|(path, value)| (path.clone(), value.clone()))
        .collect()
}

/// Values in the form in which a file holds them.
fn written(values: &Parsed) -> String {
    let mut words = Vec::new();
    for (path, value) in values {
        let quoted = value.is_empty() || value.contains([' ', '"', '\n', '\t']) || value.starts_with('"');
        words.push(if quoted {
            let value =
                value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
            format!("{path}=\"{value}\"")
        } else {
            format!("{path}={value}")
        });
    }
    words.join(" ")
}

/// A grammar file with the values of its samples as they are found now. For `UPDATE_EXPECT=1 cargo test`; the
/// author then reads what changed.
pub fn bless(text: &str) -> Result<String, String> {
    let shown = |wrong: Vec<Diagnostic>| {
        wrong
            .into_iter()
            .map(|wrong| format!("{} ({:?})", wrong.message, wrong.place))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let grammar = super::file::parse(text).and_then(super::resolve::resolve).map_err(shown)?;
    let mut bench = Bench::new(&grammar)?;
    let mut blessed = text.to_owned();
    for sample in grammar.samples.iter().rev() {
        let Ok((_, parsed)) = bench.parse(0, &sample.text) else { continue };
        let values = captured(&grammar, &parsed);
        let mut lines = String::new();
        let mut line = String::new();
        for (path, value) in &values {
            let word = written(&BTreeMap::from([(path.clone(), value.clone())]));
            if !line.is_empty() && line.len() + word.len() > 110 {
                lines += &format!("  => {line}\n");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += &word;
        }
        if !line.is_empty() {
            lines += &format!("  => {line}\n");
        }
        if blessed.get(sample.values_place.clone()).is_some() {
            blessed.replace_range(sample.values_place.clone(), &lines);
        }
    }
    Ok(blessed)
}
