//! What a grammar file says, before anything is looked up.

use super::kind::Kind;
use crate::diag::Place;

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Name, such as `nginx.access`.
    pub name: String,
    /// Where the name stands.
    pub name_place: Place,
    /// One line: what it reads.
    pub summary: String,
    /// Where the format is described.
    pub see: String,
    /// `told "a" | "b"`: texts of which a message holds one if `auto` is to tell it as this. Asked for by name, the
    /// grammar reads others too.
    pub told: Vec<String>,
    /// `inner message`: the field that holds what another program wrote, which `auto` tells too, and where that stands.
    pub inner: Option<(String, Place)>,
    /// Fields that every event gets.
    pub sets: Vec<Set>,
    /// Lists that are gathered from other fields of the event.
    pub gathers: Vec<Gather>,
    /// Named pieces that lines are made of.
    pub parts: Vec<Form>,
    /// Line forms.
    pub lines: Vec<Form>,
    /// Texts with the values they give.
    pub samples: Vec<Sample>,
    /// Texts that no form may match.
    pub refused: Vec<Sample>,
}

/// `set event.kind = "event"`.
#[derive(Clone, Debug)]
pub struct Set {
    /// Dotted path.
    pub path: String,
    /// Value.
    pub value: Constant,
}

/// `gather related.ip = source.ip destination.ip`: a list of what these fields have, each value once.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Dotted path of the list.
    pub path: String,
    /// Dotted paths of the fields.
    pub from: Vec<String>,
    /// Where the path stands.
    pub place: Place,
}

/// A value that is written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// `"text"`.
    Text(String),
    /// `42`.
    Int(i64),
    /// `true`.
    Bool(bool),
    /// `["web", "network"]`.
    Texts(Vec<String>),
}

/// A named sequence: a line, or a part of one.
#[derive(Clone, Debug)]
pub struct Form {
    /// Name.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// What it is made of.
    pub shape: Shape<Item>,
    /// `otherwise`: tried only where no line fits.
    pub fallback: bool,
    /// For `json`: the members of the object that the message is. There are no items then.
    pub members: Option<Vec<Member>>,
    /// How the object is written.
    pub notation: Notation,
}

/// How an object with named members is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// A JSON object.
    #[default]
    Json,
    /// An XML document.
    Xml,
    /// logfmt.
    Pairs,
}

/// What is said of one member of a JSON object.
#[derive(Clone, Debug)]
pub struct Member {
    /// Path of its keys; `*` for all that no other names.
    pub path: String,
    /// Where the path stands.
    pub place: Place,
    /// Whether it must be there.
    pub need: Need,
    /// What its text is made of; empty where it only has to be there.
    pub items: Vec<Item>,
}

/// Whether a member must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `.key`: without it the message is not of the form.
    Must,
    /// `.key?`: what is not of the form said stays under its own name.
    May,
    /// `!.key`: with it the message is not of the form.
    Never,
}

/// What a line form looks at: the message as it is, or the values that it is cut into first.
#[derive(Clone, Debug)]
pub enum Shape<I> {
    /// `line`: the message.
    Text(Vec<I>),
    /// `columns`: values with a separator between, which may be in quotes (RFC 4180).
    Columns {
        /// The separator.
        separator: String,
        /// What each is, in order. One that is missing is an empty text.
        columns: Vec<Vec<I>>,
    },
}

impl<I> Shape<I> {
    /// All of its sequences.
    pub fn sequences(&self) -> impl Iterator<Item = &[I]> {
        let all = match self {
            Self::Text(items) => std::slice::from_ref(items),
            Self::Columns { columns, .. } => columns.as_slice(),
        };
        all.iter().map(Vec::as_slice)
    }
}

/// One piece of a sequence.
#[derive(Clone, Debug)]
pub enum Item {
    /// `"text"`: exactly these bytes.
    Literal(Vec<u8>),
    /// `_` (one or more blanks) and `_?` (any number).
    Blanks {
        /// Whether there must be one.
        required: bool,
    },
    /// `(a | b)` and `(a)?`: the first alternative that fits.
    Group {
        /// Alternatives.
        alternatives: Vec<Vec<Item>>,
        /// Whether nothing fits as well.
        optional: bool,
    },
    /// `(a | b)*`: as many as fit, one behind the other, each the first alternative that fits.
    Many(Vec<Vec<Item>>),
    /// `&(a)`: what fits here, without going on behind it.
    Ahead(Vec<Item>),
    /// `{http.version: word | "-"}`.
    Capture {
        /// Dotted path; empty where the text is only checked.
        path: String,
        /// What is read.
        kind: Kind,
        /// Texts that mean that the field is absent.
        absent: Vec<Vec<u8>>,
        /// Where it stands.
        place: Place,
    },
    /// `{event.type = ["start"]}`: a field that this alternative gives.
    Constant(Set),
    /// The name of a part.
    Part {
        /// Name.
        name: String,
        /// Where it stands.
        place: Place,
    },
}

/// A text and what comes of it.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The line form that matches; empty for a refusal.
    pub line: String,
    /// The text, line feeds included.
    pub text: String,
    /// Path and value of every captured field, as text.
    pub values: Vec<(String, String)>,
    /// Where it stands.
    pub place: Place,
    /// The lines that hold the values, or the empty place where they would stand.
    pub values_place: Place,
}
