//! Secrets and personal data in text: what they look like, where they stand, and what is put in their place.
//!
//! In: bytes of a field, of a line or of a document. Out: [`Found`]s, each the rule, how sure it is and the range.
//! Pure and bounded: one pass of all anchors (literals that a rule cannot do without) over the bytes, and a checker
//! behind an anchor looks at so many bytes at most. The rules are a table ([`RULES`]); each has its examples and near
//! misses in `sensitive/examples.txt`, which a test runs. The step `redact`, the dead letters and the detector `secrets`
//! share this.

mod assign;
mod chars;
mod finder;
mod key;
mod original;
mod personal;
mod policy;
mod rules;
#[cfg(test)]
mod tests;
mod web;

use std::fmt;
use std::ops::Range;

pub use assign::is_secret_value;
pub use finder::{Finder, in_order};
pub use key::Mac;
pub use original::Redactor;
pub use policy::{Policy, Tokens};
pub use rules::RULES;

/// What kind of thing is found; the words of `redact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Keys, tokens, passwords: whoever has one gets in.
    Secrets,
    /// Numbers of payment cards.
    Card,
    /// International bank account numbers.
    Iban,
    /// Social security numbers of the United States.
    Ssn,
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// IP addresses.
    Ip,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Secrets, Self::Card, Self::Iban, Self::Ssn, Self::Email, Self::Phone, Self::Ip];

    /// Its word in a pipeline.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Ip => "ip",
        }
    }

    /// What stands for one of it in a text.
    pub(crate) const fn one(self) -> &'static str {
        match self {
            Self::Secrets => "secret",
            other => other.name(),
        }
    }

    /// The class of a word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Classes(u8);

impl Classes {
    /// Adds a class.
    pub fn insert(&mut self, class: Class) {
        self.0 |= 1 << class as u8;
    }

    /// Adds those of another set.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether it has a class.
    pub fn contains(self, class: Class) -> bool {
        self.0 & (1 << class as u8) != 0
    }

    /// Whether it has all of another set.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Its classes.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for Classes {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        let mut all = Self::default();
        classes.into_iter().for_each(|class| all.insert(class));
        all
    }
}

/// How a rule tells what it looks for from what only begins like it.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// What follows the anchor, part by part.
    Parts(&'static [Part]),
    /// The range, given the text and where the anchor stands in it.
    Check(fn(&[u8], Range<usize>) -> Option<Range<usize>>),
    /// No anchor: `finder.rs` finds it by its shape (an `@`, a run of digits).
    Shape,
}

/// One part of a token.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Exactly these bytes.
    Text(&'static [u8]),
    /// A run of such bytes, of a length between the two; a longer one is something else.
    Run(fn(u8) -> bool, usize, usize),
}

/// What something looks like.
pub struct Rule {
    /// Its name: `github.token`.
    pub name: &'static str,
    /// Its class.
    pub class: Class,
    /// How sure one can be of what it finds: 0 to 100.
    pub confidence: u8,
    /// What it finds, in one line.
    pub what: &'static str,
    /// Literals one of which is in all that it finds.
    pub(crate) anchors: &'static [&'static str],
    pub(crate) form: Form,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for &'static Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a rule found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The rule.
    pub rule: &'static Rule,
    /// Where.
    pub range: Range<usize>,
}
