//! One pass over a text for all rules of some classes.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::chars::{alnum, fresh, random, run};
use super::personal::{self, Number};
use super::{Class, Classes, Form, Found, Part, RULES, Rule};
use crate::limits::SENSITIVE_FOUND_MAX;

/// Finds what is of some classes.
#[derive(Clone, Debug)]
pub struct Finder {
    classes: Classes,
    anchors: AhoCorasick,
    /// The rule of each anchor.
    of: Box<[&'static Rule]>,
}

/// The rule whose evidence is a name.
const BY_NAME: &str = "assignment";

/// A rule that has no anchor, by its name.
fn shape(name: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.name == name).unwrap_or(&RULES[0])
}

impl Finder {
    /// A finder for these classes. The error says that the table of rules is wrong.
    pub fn new(classes: Classes) -> Result<Self, String> {
        let (mut texts, mut of): (Vec<&str>, Vec<&'static Rule>) = (Vec::new(), Vec::new());
        for rule in RULES.iter().filter(|rule| classes.contains(rule.class)) {
            texts.extend(rule.anchors);
            of.extend(rule.anchors.iter().map(|_| rule));
        }
        // A DFA: the table of all anchors is about 200 KiB, and each byte is one look into it.
        let anchors = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(texts)
            .map_err(|error| error.to_string())?;
        Ok(Self { classes, anchors, of: of.into() })
    }

    /// The classes.
    pub fn classes(&self) -> Classes {
        self.classes
    }

    /// Appends what is found, in order and apart from each other. Beyond [`SENSITIVE_FOUND_MAX`] finds the rest of the
    /// text is one more: nobody can say what it holds.
    pub fn find(&self, text: &[u8], found: &mut Vec<Found>) {
        let first = found.len();
        self.find_each(text, found);
        if found.len() > first {
            apart(text.len(), found, first);
        }
    }

    /// The same, but each as its rule finds it, in no order, where they overlap too: what is a password and the start of
    /// an address is two secrets.
    pub fn find_each(&self, text: &[u8], found: &mut Vec<Found>) {
        self.by_anchor(text, found);
        if self.classes.contains(Class::Email) {
            personal::emails(text, &mut |range| found.push(Found { rule: shape("email"), range }));
        }
        let numbers = [Class::Card, Class::Ssn, Class::Phone, Class::Ip, Class::Iban];
        if numbers.into_iter().any(|class| self.classes.contains(class)) {
            personal::numbers(text, self.classes, &mut |kind, range| {
                let rule = match kind {
                    Number::Card => shape("card"),
                    Number::Ssn => shape("ssn"),
                    Number::Phone => shape("phone"),
                    Number::Ip => shape("ip"),
                    Number::Iban => shape("iban"),
                };
                found.push(Found { rule, range });
            });
        }
    }

    /// Whether there is anything.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let mut found = Vec::new();
        self.find(text, &mut found);
        !found.is_empty()
    }

    fn by_anchor(&self, text: &[u8], found: &mut Vec<Found>) {
        // What lies in something that was found is not looked at again: a text of nothing but anchors stays linear.
        // A value behind a name may be a token of its own, which tells more.
        let mut done = [0; 2];
        for at in self.anchors.find_overlapping_iter(text) {
            let rule = self.of[at.pattern().as_usize()];
            let done = &mut done[usize::from(rule.name == BY_NAME)];
            if at.start() < *done {
                continue;
            }
            let range = match rule.form {
                Form::Parts(parts) => token(text, rule, at.range(), parts),
                Form::Check(check) => check(text, at.range()),
                Form::Shape => None,
            };
            if let Some(range) = range.filter(|range| !range.is_empty()) {
                *done = (*done).max(range.end);
                found.push(Found { rule, range });
                if found.len() > SENSITIVE_FOUND_MAX {
                    found.push(Found { rule, range: *done..text.len() });
                    return;
                }
            }
        }
    }
}

/// A token: an anchor where a word may begin, its parts, and the end of the word.
fn token(text: &[u8], rule: &Rule, at: Range<usize>, parts: &[Part]) -> Option<Range<usize>> {
    let anchor = &text[at.clone()];
    if !rule.anchors.iter().any(|known| known.as_bytes() == anchor) || !fresh(text, at.start) {
        return None;
    }
    let mut end = at.end;
    for part in parts {
        let rest = text.get(end..)?;
        match *part {
            Part::Text(text) => {
                rest.starts_with(text).then_some(())?;
                end += text.len();
            }
            Part::Run(set, least, most) => {
                let len = run(rest, set, most + 1);
                // Short parts are numbers and the like; the long ones are what makes the token.
                if len < least || len > most || (least >= 14 && !random(&rest[..len])) {
                    return None;
                }
                end += len;
            }
        }
    }
    let goes_on = text.get(end).is_some_and(|byte| alnum(*byte) || *byte == b'_');
    (!goes_on).then_some(at.start..end)
}

/// Puts finds in one text in order, and makes those one that overlap.
pub fn in_order(len: usize, found: &mut Vec<Found>) {
    apart(len, found, 0);
}

/// Puts the finds from `first` on in order, makes those one that overlap, and bounds their number.
fn apart(len: usize, found: &mut Vec<Found>, first: usize) {
    found[first..].sort_by(|a, b| (a.range.start, b.range.end).cmp(&(b.range.start, a.range.end)));
    if found.len() <= first {
        return;
    }
    let mut kept = first;
    for at in first + 1..found.len() {
        let next = found[at].range.clone();
        if next.start < found[kept].range.end {
            found[kept].range.end = found[kept].range.end.max(next.end);
            if found[at].rule.confidence > found[kept].rule.confidence {
                found[kept].rule = found[at].rule;
            }
        } else {
            kept += 1;
            found.swap(kept, at);
        }
    }
    found.truncate(kept + 1);
    if found.len() - first > SENSITIVE_FOUND_MAX {
        found.truncate(first + SENSITIVE_FOUND_MAX);
        if let Some(last) = found.last_mut() {
            last.range.end = len;
        }
    }
}
