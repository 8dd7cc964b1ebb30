//! A file becomes a list: which format it has is told from what is in it, and what of it is no indicator is counted.
//!
//! Feeds of others always hold a line that is none, so such lines are left out and told of: how many, and where the first
//! is. A file with more of them than entries is no list (a page of an error, the wrong column) and is refused.

use std::io::{BufRead, BufReader, Read};

use super::indicator::{self, Indicator};
use super::lines::Lines;
use super::list::{Builder, List};
use super::notes::Note;
use super::{bundle, documents};
use crate::limits::{THREAT_LINE_BYTES_MAX, THREAT_NAME_BYTES_MAX};

/// What the user says of lists.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How sure a list is that does not say so.
    pub confidence: u8,
    /// The least confidence with which an entry is used.
    pub threshold: u8,
    /// The columns of a CSV list, where their names are not usual ones: indicator, confidence, expiry.
    pub columns: [Option<String>; 3],
}

impl Default for Terms {
    fn default() -> Self {
        Self { confidence: 50, threshold: 1, columns: Default::default() }
    }
}

/// A list that is being read, and what was left out.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    pub(super) terms: &'a Terms,
    builder: Builder,
    added: u64,
    /// Lines or values that are no indicators.
    bad: u64,
    first_bad: Option<String>,
    /// Patterns and types that mean something else than an indicator of ours.
    other: u64,
    first_other: Option<String>,
    /// Entries that are revoked, not meant for detection, or below the threshold.
    unused: u64,
    text: Vec<u8>,
}

impl<'a> Intake<'a> {
    fn new(terms: &'a Terms) -> Self {
        Self {
            terms,
            builder: Builder::default(),
            added: 0,
            bad: 0,
            first_bad: None,
            other: 0,
            first_other: None,
            unused: 0,
            text: Vec::new(),
        }
    }

    /// A note of an entry that says no more than that it is in the list.
    pub(super) fn note(&self) -> Note<'static> {
        Note { confidence: self.terms.confidence, expires_ns: i64::MAX, name: None }
    }

    /// Adds a text that is to be an indicator, of a kind that `fits`; false where it is none. The error ends the reading.
    pub(super) fn add(
        &mut self,
        text: &[u8],
        note: &Note<'_>,
        fits: impl Fn(&Indicator) -> bool,
    ) -> Result<bool, String> {
        let mut buffer = std::mem::take(&mut self.text);
        let found = indicator::read(text, &mut buffer).filter(fits);
        if let Some(found) = &found {
            self.put(found, &buffer, note)?;
        }
        self.text = buffer;
        Ok(found.is_some())
    }

    /// Adds an indicator.
    pub(super) fn put(&mut self, found: &Indicator, text: &[u8], note: &Note<'_>) -> Result<(), String> {
        if note.confidence < self.terms.threshold {
            self.unused += 1;
            return Ok(());
        }
        self.added += 1;
        self.builder.add(found, text, note)
    }

    /// Notes a text that is no indicator: where it stands, and why it is none.
    pub(super) fn bad(&mut self, place: &str, text: &[u8], why: &str) {
        self.bad += 1;
        if self.first_bad.is_none() {
            self.first_bad = Some(format!("{place}, `{}`: {why}", excerpt(text)));
        }
    }

    /// Notes something that is more than an indicator.
    pub(super) fn other(&mut self, place: &str, text: &[u8]) {
        self.other += 1;
        if self.first_other.is_none() {
            self.first_other = Some(format!("{place}, `{}`", excerpt(text)));
        }
    }

    /// Notes an entry that is not to be used.
    pub(super) fn unused(&mut self) {
        self.unused += 1;
    }

    fn finish(self) -> Result<(List, Report), String> {
        if self.bad > self.added + self.unused + self.other {
            let all = self.bad + self.added + self.unused + self.other;
            let first = self.first_bad.unwrap_or_default();
            return Err(format!(
                "this is no list: {} of {all} entries are no indicators, the first is {first}",
                self.bad
            ));
        }
        let list = self.builder.finish();
        let report = Report {
            entries: list.len(),
            bad: self.bad,
            first_bad: self.first_bad,
            other: self.other,
            first_other: self.first_other,
            unused: self.unused,
            is_empty: false,
        };
        Ok((list, report))
    }
}

/// The front of a text, for a message.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let shown = |of: char| if of.is_control() { of.escape_default().to_string() } else { of.to_string() };
    text.chars().take(60).map(shown).collect()
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that are used, each once.
    pub entries: usize,
    /// Lines or values that are no indicators.
    pub bad: u64,
    /// Where the first of them is, and why it is none.
    pub first_bad: Option<String>,
    /// Patterns and types that are not understood.
    pub other: u64,
    /// Where the first of them is.
    pub first_other: Option<String>,
    /// Entries that are revoked, not meant for detection, or below the threshold.
    pub unused: u64,
    /// Whether the file has no byte.
    pub is_empty: bool,
}

impl Report {
    /// What a person should know, if there is anything.
    pub fn said(&self) -> Option<String> {
        let Self { entries, bad, other, unused, .. } = self;
        if self.is_empty {
            return Some("it is empty (a list without entries has a comment)".to_owned());
        }
        let bad = self
            .first_bad
            .as_ref()
            .map(|first| format!("{bad} left out that are no indicators, the first is {first}"));
        let other =
            self.first_other.as_ref().map(|first| format!("{other} not understood, the first is {first}"));
        let unused = (*entries == 0 && *unused > 0)
            .then(|| format!("all {unused} are revoked, not meant for detection, or below the threshold"));
        let all: Vec<_> = unused.into_iter().chain(bad).chain(other).collect();
        (!all.is_empty()).then(|| format!("{entries} entries; {}", all.join("; ")))
    }
}

/// First bytes of files that are no lists, and what to do with them.
const OTHERS: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "it is compressed by gzip, unpack it first"),
    (b"PK\x03\x04", "it is a ZIP archive, unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd, unpack it first"),
    (b"BZh", "it is compressed by bzip2, unpack it first"),
    (b"\xfd7zXZ", "it is compressed by xz, unpack it first"),
    (b"\xff\xfe", "it is UTF-16, and lists are UTF-8"),
    (b"\xfe\xff", "it is UTF-16, and lists are UTF-8"),
];

/// Reads a list.
pub fn read(input: &mut dyn Read, terms: &Terms) -> Result<(List, Report), String> {
    let wrong = |error: std::io::Error| format!("cannot be read: {error}");
    let mut input = BufReader::with_capacity(THREAT_LINE_BYTES_MAX, input);
    let front = input.fill_buf().map_err(wrong)?;
    if front.is_empty() {
        return Ok((Builder::default().finish(), Report { is_empty: true, ..Report::default() }));
    }
    if let Some((_, what)) = OTHERS.iter().find(|(first, _)| front.starts_with(first)) {
        return Err(format!("this is no list: {what}"));
    }
    let mark = if front.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let front = front.get(mark..).unwrap_or_default();
    let (is_document, is_bundle) = (documents::is_one(front), bundle::is_one(front));
    input.consume(mark);
    let mut intake = Intake::new(terms);
    if is_bundle {
        bundle::read(&mut input, &mut intake)?;
        return intake.finish();
    }
    if is_document {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(wrong)?;
        documents::read(&bytes, &mut intake)?;
        return intake.finish();
    }
    let (mut lines, mut line) = (Lines::default(), Vec::new());
    while next_line(&mut input, &mut line).map_err(wrong)? {
        lines.line(&line, &mut intake)?;
    }
    lines.finish(&mut intake)?;
    intake.finish()
}

/// The next line without its end. Of a line that is too long the first bytes are given, with one too many.
fn next_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut part = (&mut *input).take(THREAT_LINE_BYTES_MAX as u64 + 1);
    if part.read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && part.limit() == 0 {
        input.skip_until(b'\n')?;
        return Ok(true);
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(true)
}

/// The name of an entry, cut where it is too long.
pub(super) fn name(text: &str) -> Option<&str> {
    let text = text.trim();
    let end = text.floor_char_boundary(THREAT_NAME_BYTES_MAX);
    text.get(..end).filter(|text| !text.is_empty())
}

/// A confidence: 0 to 100, or a word (STIX 2.1, appendix A).
pub(super) fn confidence(text: &str) -> Option<u8> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "none" => Some(0),
        "low" => Some(15),
        "med" | "medium" => Some(50),
        "high" => Some(85),
        _ => text.trim_end_matches('%').parse().ok().filter(|of| *of <= 100),
    }
}

/// A point in time, in nanoseconds since the epoch; one beyond what can be counted is never.
pub fn time(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() <= 10
    {
        let start = date.to_zoned(jiff::tz::TimeZone::UTC).map(|start| start.timestamp().as_nanosecond());
        return Some(start.map_or(i64::MAX, |ns| ns.try_into().unwrap_or(i64::MAX)));
    }
    let read = || crate::format::time::whole(text.as_bytes(), &Default::default());
    read().or_else(|| {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(time.as_nanosecond().try_into().unwrap_or(i64::MAX))
    })
}
