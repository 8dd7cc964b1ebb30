//! Checked options of a source, sink or format: what the catalog hands to a component when it is built.

use std::time::Duration;

use super::{Layout, Slot, Texts, Value, write_value};
use crate::signature::OptionSpec;

/// One checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// Text, a word, or a secret that was read.
    Text(String),
    /// Text with holes.
    Template(Template),
    /// A whole number, or bytes of a size.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// A length of time.
    Duration(Duration),
    /// Texts, or dotted field paths without their leading dot.
    Texts(Vec<String>),
    /// The path of a file, from where the program runs.
    Path(String),
    /// Paths of files, from where the program runs.
    Paths(Vec<String>),
    /// Names and texts of files that were read.
    Files(Vec<(String, String)>),
    /// So many within a time.
    Rate(i64, Duration),
}

/// All options of one component, defaults filled in, in the order of its [`OptionSpec`]s.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What stands before the braces (`"http://localhost:9200"`), as texts.
    pub arguments: Vec<String>,
    values: Vec<(&'static str, OptionValue)>,
}

impl Options {
    /// Options from checked values.
    pub fn new(arguments: Vec<String>, values: Vec<(&'static str, OptionValue)>) -> Self {
        Self { arguments, values }
    }

    /// The value of an option, or `None` where it was left out and has no default.
    pub fn get(&self, name: &str) -> Option<&OptionValue> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The text of an option.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            OptionValue::Text(text) | OptionValue::Path(text) => Some(text),
            _ => None,
        }
    }

    /// The text of an option that was given and is not empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// Changes every path that the options name.
    pub fn each_path(&mut self, change: impl Fn(&str) -> String) {
        for (_, value) in &mut self.values {
            match value {
                OptionValue::Path(path) => *path = change(path),
                OptionValue::Paths(paths) => paths.iter_mut().for_each(|path| *path = change(path)),
                _ => {}
            }
        }
    }

    /// The number of an option.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            OptionValue::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Whether an option is `true`.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.get(name), Some(OptionValue::Bool(true)))
    }

    /// The length of time of an option.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.get(name)? {
            OptionValue::Duration(duration) => Some(*duration),
            _ => None,
        }
    }

    /// The rate of an option: how many within which time.
    pub fn rate(&self, name: &str) -> Option<(i64, Duration)> {
        match self.get(name)? {
            OptionValue::Rate(count, period) => Some((*count, *period)),
            _ => None,
        }
    }

    /// The texts or paths of an option; a single text counts as one.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(OptionValue::Texts(texts) | OptionValue::Paths(texts)) => texts,
            Some(OptionValue::Text(text)) => std::slice::from_ref(text),
            _ => &[],
        }
    }

    /// Names and texts of the files of an option.
    pub fn files(&self, name: &str) -> &[(String, String)] {
        match self.get(name) {
            Some(OptionValue::Files(files)) => files,
            _ => &[],
        }
    }

    /// The template of an option.
    pub fn template(&self, name: &str) -> Option<&Template> {
        match self.get(name)? {
            OptionValue::Template(template) => Some(template),
            _ => None,
        }
    }

    /// Every field path that the options name, so that the layout has a slot for it.
    pub fn paths<'a>(&'a self, specs: &'a [OptionSpec]) -> impl Iterator<Item = &'a str> {
        use crate::signature::OptionType;
        let fields = specs.iter().filter(|spec| spec.ty == OptionType::Fields);
        let fields = fields.flat_map(|spec| self.texts(spec.name)).map(String::as_str);
        let templates = self.values.iter().filter_map(|(_, value)| match value {
            OptionValue::Template(template) => Some(template),
            _ => None,
        });
        fields.chain(templates.flat_map(Template::paths))
    }
}

/// Text with holes: `logs-{.service.name}-prod`. `{{` and `}}` are braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path(String),
}

impl Template {
    /// Reads a template. The error is the byte offset of the fault and what it is.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            let offset = text.len() - from.len();
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                literal.push(if from.starts_with('{') { '{' } else { '}' });
                rest = after;
                continue;
            }
            let inner =
                from.strip_prefix('{').ok_or((offset, "a `}` without its `{`; write `}}` for a brace"))?;
            let (path, after) = inner.split_once('}').ok_or((offset, "this `{` is not closed"))?;
            let path = path.trim().strip_prefix('.').filter(|path| !path.is_empty());
            let path = path.ok_or((offset, "a hole holds a field path, as in `{.service.name}`"))?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Path(path.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }

    /// The field paths of the holes.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Path(path) => Some(path.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text, if there are no holes.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Resolves the holes to slots. `None` where the layout lacks one of the paths.
    pub fn bind(&self, layout: &Layout) -> Option<BoundTemplate> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => Some(BoundPart::Text(text.clone())),
            Part::Path(path) => layout.slot(path).map(BoundPart::Slot),
        });
        Some(BoundTemplate { parts: parts.collect::<Option<_>>()? })
    }
}

/// A template whose holes are slots.
#[derive(Clone, Debug)]
pub struct BoundTemplate {
    parts: Vec<BoundPart>,
}

/// One part of a template.
#[derive(Clone, Debug)]
pub enum BoundPart {
    /// Text as it was written.
    Text(String),
    /// A hole: the field to fill in.
    Slot(Slot),
}

impl BoundTemplate {
    /// The parts, in order.
    pub fn parts(&self) -> &[BoundPart] {
        &self.parts
    }

    /// The slots of the holes, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.parts.iter().filter_map(|part| match part {
            BoundPart::Slot(slot) => Some(*slot),
            BoundPart::Text(_) => None,
        })
    }

    /// Appends the filled text. Returns false, with `out` as it was, where a field is missing, null, or empty.
    pub fn fill(&self, row: &super::Row, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        for part in &self.parts {
            match part {
                BoundPart::Text(text) => out.extend_from_slice(text.as_bytes()),
                BoundPart::Slot(slot) => {
                    let before = out.len();
                    if let Some(value) = row.get(*slot) {
                        write_plain(&row.texts, value, out);
                    }
                    if out.len() == before {
                        out.truncate(start);
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Appends a value as plain text: text as it is, everything else as its JSON form; `null` as nothing.
pub fn write_plain(texts: &Texts, value: Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(span) | Value::Ip(span) => out.extend_from_slice(texts.bytes(span)),
        Value::Timestamp(ns) => super::write_timestamp(ns, out),
        Value::Null => {}
        other => write_value(texts, other, out),
    }
}
