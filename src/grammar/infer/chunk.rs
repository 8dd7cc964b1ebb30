//! Cuts a message into chunks between blanks, and says what each could be.

use crate::format::time::{Pattern, TimeForm};
use crate::format::{Calendar, scan};

/// Chunks of a message that are looked at.
const CHUNKS_MAX: usize = 40;

/// Chunks among which the time is looked for.
const TIME_WITHIN: usize = 5;

/// What a chunk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A time of this form, as a grammar names it.
    Time(String),
    /// A level.
    Level,
    /// A whole number.
    Int,
    /// A number with a point.
    Float,
    /// An IP address.
    Ip,
    /// A request line.
    Request,
    /// No letter and no digit.
    Marks,
    /// Anything else.
    Word,
}

/// A piece of a message between blanks; what is in brackets or quotes is one piece, whatever blanks it has.
#[derive(Clone, Debug)]
pub(super) struct Chunk<'a> {
    /// What stands before it: an opening bracket or quote, `key=`.
    pub(super) before: &'a str,
    /// The text itself.
    pub(super) text: &'a str,
    /// What stands behind it: a closing bracket, a colon.
    pub(super) behind: &'a str,
    /// The blanks behind that.
    pub(super) blanks: &'a str,
    /// The first letter of the next chunk.
    pub(super) next: Option<char>,
    /// What it is.
    pub(super) what: What,
}

/// Named forms, the narrow ones first.
const FORMS: &[&str] = &["clf", "iso", "asctime", "rfc3164", "klog", "day_first", "compact"];

/// Patterns that none of the named forms has.
const PATTERNS: &[&str] = &[
    "%y/%m/%d %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%y%m%d %H:%M:%S",
    "%y%m%d %H%M%S",
    "%Y-%m-%d-%H.%M.%S.%f",
];

/// The time at the front: how a grammar names its form, and its length.
pub(super) fn time(text: &str) -> Option<(String, usize)> {
    let calendar = Calendar::default();
    let whole = |len: usize| {
        let next = text.as_bytes().get(len);
        let goes_on = next == Some(&b':') && text.as_bytes().get(len + 1).is_some_and(u8::is_ascii_digit);
        (len >= 8 && !goes_on && !next.is_some_and(u8::is_ascii_alphanumeric)).then_some(len)
    };
    for name in FORMS {
        let form = TimeForm::named(name)?;
        if let Some((_, len)) = form.scan(text.as_bytes(), &calendar)
            && let Some(len) = whole(len)
        {
            return Some(((*name).to_owned(), len));
        }
    }
    for pattern in PATTERNS {
        let form = Pattern::parse(pattern).ok()?;
        if let Some((_, len)) = form.scan(text.as_bytes(), &calendar)
            && let Some(len) = whole(len)
        {
            return Some((format!("\"{pattern}\""), len));
        }
    }
    // Seconds or finer since the epoch, of this century.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (_, len) =
        TimeForm::Epoch.scan(text.as_bytes(), &calendar).filter(|_| digits >= 10 && text.starts_with('1'))?;
    whole(len).map(|len| ("epoch".to_owned(), len))
}

/// The chunks of a message's first line.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let mut rest = text.lines().next().unwrap_or_default();
    let mut chunks = Vec::new();
    let mut timed = false;
    while !rest.is_empty() && chunks.len() < CHUNKS_MAX {
        let look = !timed && chunks.len() < TIME_WITHIN;
        let (chunk, left) = next(rest, look);
        timed |= matches!(chunk.what, What::Time(_));
        chunks.push(chunk);
        rest = left;
    }
    chunks
}

/// The first chunk of a text, and what is left.
fn next(text: &str, look_for_time: bool) -> (Chunk<'_>, &str) {
    let (before, body) = text.split_at(opening(text));
    if look_for_time && let Some((form, len)) = time(body) {
        return cut(before, body, len, What::Time(form));
    }
    let len = match before.bytes().last() {
        Some(b'[') => body.find(']'),
        Some(b'"') => quoted(body),
        Some(b'(') => body.find(')'),
        Some(b'<') => body.find('>'),
        _ => None,
    };
    let len = len.unwrap_or_else(|| {
        let end = body.find([' ', '\t']).unwrap_or(body.len());
        // `name[123]:` and `name(3):` are two chunks.
        let bracket = body.get(..end).and_then(|word| word.find(['[', '('])).filter(|at| *at > 0);
        let word = bracket.unwrap_or(end);
        let trimmed =
            body.get(..word).unwrap_or_default().trim_end_matches([':', ',', ';', ']', ')', '>', '|']);
        if bracket.is_some() { word } else { trimmed.len() }
    });
    let what = what(before, body.get(..len).unwrap_or_default());
    cut(before, body, len, what)
}

fn cut<'a>(before: &'a str, body: &'a str, len: usize, what: What) -> (Chunk<'a>, &'a str) {
    let (text, rest) = body.split_at_checked(len).unwrap_or((body, ""));
    let mark = |letter: char| matches!(letter, ':' | ',' | ';' | ']' | ')' | '>' | '"' | '|');
    let end = rest.find(|letter| !mark(letter)).unwrap_or(rest.len());
    let (behind, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let end = rest.find(|letter| letter != ' ' && letter != '\t').unwrap_or(rest.len());
    let (blanks, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    (Chunk { before, text, behind, blanks, next: rest.chars().next(), what }, rest)
}

/// The length of what opens a chunk: `[`, `"`, `(`, `<`, and `key=` before them.
fn opening(text: &str) -> usize {
    let key = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        .count();
    let at = if key > 0 && text.as_bytes().get(key) == Some(&b'=') { key + 1 } else { 0 };
    at + usize::from(matches!(text.as_bytes().get(at), Some(b'[' | b'"' | b'(' | b'<')))
}

fn quoted(body: &str) -> Option<usize> {
    scan::quoted(body.as_bytes(), b'"')
}

/// What a chunk is by itself.
fn what(before: &str, text: &str) -> What {
    let bytes = text.as_bytes();
    let whole = |len: Option<usize>| len == Some(bytes.len()) && !bytes.is_empty();
    if whole(scan::int(bytes).map(|(_, len)| len)) {
        What::Int
    } else if whole(scan::float(bytes).map(|(_, len)| len)) {
        What::Float
    } else if scan::is_ip(bytes) {
        What::Ip
    } else if is_level(text) {
        What::Level
    } else if before.ends_with('"') && is_request(text) {
        What::Request
    } else if !text.contains(char::is_alphanumeric) {
        What::Marks
    } else {
        What::Word
    }
}

const LEVELS: &[&str] = &[
    "trace",
    "debug",
    "info",
    "information",
    "notice",
    "warn",
    "warning",
    "error",
    "err",
    "crit",
    "critical",
    "alert",
    "emerg",
    "fatal",
    "severe",
    "fine",
    "finer",
    "finest",
    "log",
    "panic",
];

pub(super) fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text))
}

fn is_request(text: &str) -> bool {
    let mut words = text.split(' ');
    words
        .next()
        .is_some_and(|method| method.len() > 2 && method.bytes().all(|byte| byte.is_ascii_uppercase()))
        && words.next().is_some()
        && words.next().is_some_and(|version| version.starts_with("HTTP/"))
}
