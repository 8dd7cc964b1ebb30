//! Detectors: what is an attack, a leak or an anomaly in a field of an event. One per file.
//!
//! In: the bytes of one field and what kind of field it is. Out: [`Hit`]s: class, rule, score from 0 to 100, and the
//! range of raw bytes that shows it. A detector sees no other event, no clock and no file; it scores and does not
//! decide: a [`Judge`] keeps what reaches the operating point. One pass over the bytes ([`Bytes`]) turns most values
//! away before a detector runs, and views of a value ([`Views`]) are made when they are first asked for and shared.

mod bytes;
mod judge;
mod memory;
mod secrets;
pub mod stateful;
pub mod threat;
mod views;
mod web;

use std::ops::Range;

use crate::event::Options;
use crate::signature::{OptionSpec, OptionType, Signature};

pub use bytes::Bytes;
pub use judge::{Found, Judge, write_detection};
pub use memory::{Asker, Key, Memory};
pub use views::{Pool, View, Views};

/// A technique of MITRE ATT&CK and the tactic that it serves.
#[derive(Debug, PartialEq, Eq)]
pub struct Technique {
    /// Its id, such as `T1190`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The id of the tactic.
    pub tactic_id: &'static str,
    /// The name of the tactic.
    pub tactic: &'static str,
}

/// A class of what a detector finds.
#[derive(Debug)]
pub struct Class {
    /// Its name, as events carry it.
    pub name: &'static str,
    /// What it is, in one line.
    pub doc: &'static str,
    /// What an attacker does with it.
    pub technique: &'static Technique,
    /// Whether what is found must not be shown: a key, a card.
    pub secret: bool,
}

/// What a detector saw in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The class, by its number in the detector's list.
    pub class: u8,
    /// Which of its rules.
    pub rule: &'static str,
    /// How sure it is: 0 to 100.
    pub score: u8,
    /// The bytes of the raw value that show it.
    pub range: Range<usize>,
    /// Whether these bytes must not be shown.
    pub secret: bool,
}

/// What kind of field a value is in: the same bytes mean different things in a path and in prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A URL or request target: path and query.
    Url,
    /// The path of a URL.
    Path,
    /// The query of a URL: parameters.
    Query,
    /// One value: a parameter, a header, a form field.
    Value,
    /// The body of a request: a form, JSON, XML, parts of a form.
    Body,
    /// A whole document of JSON or XML, whose values are looked at by themselves.
    Document,
    /// The cookies of a request.
    Cookie,
    /// The name of a parameter.
    Name,
    /// A `User-Agent`.
    Agent,
    /// A `Referer`: a URL that the client chose.
    Referrer,
    /// The name of a file that is sent.
    File,
    /// Free text, which may speak of an attack without being one.
    Text,
}

impl Kind {
    /// The kind of a field, by its name in the Elastic Common Schema.
    pub fn of_field(path: &str) -> Self {
        match path {
            "url.path" => Self::Path,
            "url.query" => Self::Query,
            "http.request.body.content" => Self::Body,
            "url.original" | "url.full" => Self::Url,
            "user_agent.original" => Self::Agent,
            "http.request.referrer" => Self::Referrer,
            "message" | "event.original" | "error.message" | "log.original" => Self::Text,
            _ if is_file_name(path) => Self::File,
            _ if path.starts_with("http.request.") && path.ends_with(".cookie") => Self::Cookie,
            _ => Self::Value,
        }
    }
}

/// Whether a field holds the name of a file that is sent: `file.name`, and headers such as `X-File-Name`.
fn is_file_name(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    path == "file.name" || letters.to_ascii_lowercase().ends_with("filename")
}

/// Finds something in values. One per use; shared by workers.
pub trait Detector: Send + Sync {
    /// Whether a value can hold anything, told from its byte classes and little more: this is asked of every event.
    fn may(&self, value: &[u8], bytes: Bytes, kind: Kind) -> bool;
    /// Appends what is found, in any order. Time is linear in the value, whatever its bytes.
    fn find(&self, views: &Views<'_>, hits: &mut Vec<Hit>);
}

/// A kind of detector.
#[derive(Clone, Copy)]
pub struct DetectorKind {
    /// What it says of itself; the options are [`OPTIONS`] and its own.
    pub signature: &'static Signature,
    /// What it finds.
    pub classes: &'static [Class],
    /// Makes one; the error says what is wrong with an option.
    pub make: fn(options: &Options) -> Result<Box<dyn Detector>, String>,
}

/// Every detector.
pub static DETECTORS: &[DetectorKind] = &[web::KIND, secrets::KIND];

/// The kind of a name.
pub fn kind(name: &str) -> Option<&'static DetectorKind> {
    DETECTORS.iter().find(|kind| kind.signature.name == name)
}

/// What all detectors say of themselves: those of values, of lists, and those that keep state.
pub fn signatures() -> impl Iterator<Item = &'static Signature> {
    let values = DETECTORS.iter().map(|kind| kind.signature).chain([&threat::SIGNATURE]);
    values.chain(stateful::KINDS.iter().copied())
}

/// Operating points: the least score that is reported.
pub const SENSITIVITIES: [(&str, u8); 3] = [("low", 80), ("medium", 60), ("high", 40)];

/// Options that every detector of values has.
pub static OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "sensitivity",
        ty: OptionType::Word(&["low", "medium", "high"]),
        default: Some("medium"),
        doc: "the operating point: `low` reports scores from 80 on, `medium` from 60, `high` from 40",
    },
    OptionSpec {
        name: "threshold",
        ty: OptionType::Int,
        default: Some(""),
        doc: "the least score that is reported, 1 to 100, in place of `sensitivity`",
    },
    OptionSpec {
        name: "classes",
        ty: OptionType::Texts,
        default: Some(""),
        doc: "only these classes are reported",
    },
];
