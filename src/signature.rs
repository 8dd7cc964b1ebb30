//! What a component says of itself: names, types, options, documentation and examples that are run as tests.
//!
//! The language is given these and knows no component; the lists are in [`crate::catalog`].

use std::fmt;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Any of the others: open JSON.
    Any,
    /// A truth value.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// A point in time.
    Timestamp,
    /// A length of time.
    Duration,
    /// An IP address.
    Ip,
    /// Text.
    Text,
    /// A list.
    List,
    /// An object.
    Object,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Ip => "ip",
            Self::Text => "text",
            Self::List => "list",
            Self::Object => "object",
        })
    }
}

/// A field that a format gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Dotted path.
    pub path: String,
    /// Its type.
    pub ty: Type,
    /// Whether some events of the format lack it.
    pub maybe: bool,
    /// What it means, where that is not plain from ECS.
    pub doc: String,
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Name, for documentation and errors.
    pub name: &'static str,
    /// Types that are accepted; more than one where the function is generic.
    pub types: &'static [Type],
    /// Whether a call may leave it out (only last ones).
    pub optional: bool,
    /// Whether it must be known when the pipeline is compiled (a pattern, a file, a zone).
    pub constant: bool,
}

/// An example: `source` is an expression or a step, `result` what comes of it, both as text of the language.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// For a function an expression; for a step a pipeline body.
    pub source: &'static str,
    /// For a step: the event before, as JSON. Empty for a function.
    pub input: &'static str,
    /// The value as JSON, the event as JSON, or `missing`.
    pub result: &'static str,
}

/// What kind of value an option of a source, sink or format takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// Text.
    Text,
    /// Text with `{.field}` holes, filled per event.
    Template,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Int,
    /// A truth value.
    Bool,
    /// A length of time.
    Duration,
    /// A number of bytes.
    Size,
    /// A list of texts.
    Texts,
    /// The path of a file that is read while the pipeline runs.
    Path,
    /// Paths of files that are read while the pipeline runs.
    Paths,
    /// Files, or folders of files, that are read when the pipeline is compiled.
    Files,
    /// A list of field paths.
    Fields,
    /// A condition on the event.
    Condition,
    /// An expression over the event, or a list of them.
    Exprs,
    /// How many within a time: `5 per 1m`.
    Rate,
    /// Text that is never shown: `secret(…)` or `env(…)`.
    Secret,
    /// The name of a multi-line preset, or a list of patterns; see `aludel explain multiline`.
    Multiline,
}

/// One option in the braces of a source, sink or format.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Name.
    pub name: &'static str,
    /// What it takes.
    pub ty: OptionType,
    /// Its default as text of the language; `None` when it must be given, `Some("")` when it is simply absent.
    pub default: Option<&'static str>,
    /// What it does, with units.
    pub doc: &'static str,
}

/// The signature of a source, sink, step, function, format or grammar.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Name as written in a pipeline.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// More, in Markdown.
    pub doc: &'static str,
    /// For steps and functions: the form, as documentation shows it (`lower(text) -> text`).
    pub form: &'static str,
    /// Options in braces, for sources, sinks and formats.
    pub options: &'static [OptionSpec],
    /// Examples; each is run as a test.
    pub examples: &'static [Example],
}
