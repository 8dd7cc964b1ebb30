//! A resolved line: parts are in place, every text knows where it ends.

use super::kind::Kind;
use super::written::Set;

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
