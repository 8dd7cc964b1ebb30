//! A resolved line: parts are in place, every text knows where it ends.

use super::kind::Kind;
use super::written::{Need, Notation, Set, Shape};

/// A resolved line form.
pub(super) type Form = Shape<Item>;

/// One piece of a resolved line.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// Exactly these bytes.
    Literal(Vec<u8>),
    /// Blanks.
    Blanks {
        /// Whether there must be one.
        required: bool,
    },
    /// The first alternative that fits; the last may be empty.
    Group(Vec<Vec<Item>>),
    /// As many of the alternatives as fit, one behind the other.
    Many(Vec<Vec<Item>>),
    /// What fits here, without going on behind it.
    Ahead(Vec<Item>),
    /// A capture. [`Kind::Text`] occurs no more.
    Capture {
        /// Dotted path; empty where the text is only checked.
        path: String,
        /// What is read.
        kind: Kind,
        /// Texts that mean that the field is absent.
        absent: Vec<Vec<u8>>,
    },
    /// A field that this alternative gives.
    Constant(Set),
}

/// A resolved JSON object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    /// Its members.
    pub(super) members: Vec<Member>,
    /// Path of the object that gets what no member says; empty for the event itself.
    pub(super) rest: String,
    /// How it is written.
    pub(super) notation: Notation,
}

/// A resolved member of a JSON object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Path of its keys.
    pub(super) path: String,
    /// Whether it must be there.
    pub(super) need: Need,
    /// What its text is made of; empty where it only has to be there.
    pub(super) items: Vec<Item>,
}
