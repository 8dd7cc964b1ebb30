//! Redaction of bytes that are no event: original lines, what is kept of a row, messages of errors.

use std::borrow::Cow;

use super::{Classes, Finder, Found, Policy, Tokens};
use crate::limits::SENSITIVE_NEEDLES_MAX;

/// How often a text is looked at again after something in it was replaced.
const ROUNDS_MAX: usize = 3;

/// What is redacted, and how.
#[derive(Clone, Debug)]
pub struct Redactor {
    /// Finds it.
    pub finder: Finder,
    /// What stands in its place.
    pub policy: Policy,
}

impl Redactor {
    /// A redactor of these classes.
    pub fn new(classes: Classes, policy: Policy) -> Result<Self, String> {
        Ok(Self { finder: Finder::new(classes)?, policy })
    }

    /// A text without what is to be redacted; borrowed where there was nothing.
    pub fn text<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut found = Vec::new();
        self.finder.find_each(text, &mut found);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        // What is one secret here is the same there, where nothing says so.
        for at in 0..found.len().min(SENSITIVE_NEEDLES_MAX) {
            let Found { rule, range } = found[at].clone();
            occurrences(text, &text[range], &mut |range| found.push(Found { rule, range }));
        }
        super::in_order(text.len(), &mut found);
        Cow::Owned(self.replaced(text, &found, &mut Tokens::default()))
    }

    /// The text with all that was found replaced. Where that leaves a number or a word alone that was a part of another
    /// before, it is looked at again.
    pub fn replaced(&self, text: &[u8], found: &[Found], tokens: &mut Tokens) -> Vec<u8> {
        let mut out = self.replaced_once(text, found, tokens);
        for _ in 0..ROUNDS_MAX {
            let mut more = Vec::new();
            self.finder.find(&out, &mut more);
            if more.is_empty() {
                break;
            }
            out = self.replaced_once(&out, &more, tokens);
        }
        out
    }

    fn replaced_once(&self, text: &[u8], found: &[Found], tokens: &mut Tokens) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for Found { rule, range } in found {
            out.extend_from_slice(&text[at..range.start]);
            self.policy.text(rule.class, &text[range.clone()], tokens, &mut out);
            at = range.end;
        }
        out.extend_from_slice(&text[at..]);
        out
    }

    /// The original bytes of an event, redacted; `row` is what is known of it otherwise. `None` where the bytes cannot be
    /// vouched for: the secret is in the event, but not in one piece in the bytes (a container runtime cut its line, or
    /// they are in another encoding).
    pub fn original(&self, original: &[u8], row: &[u8]) -> Option<Vec<u8>> {
        if memchr::memchr(0, original).is_some() {
            return None;
        }
        let mut found = Vec::new();
        self.finder.find(original, &mut found);
        for text in [original, row, &unwrapped(original)[..]] {
            let mut inside = Vec::new();
            self.finder.find_each(text, &mut inside);
            for one in &inside {
                let secret = &text[one.range.clone()];
                let times = inside.iter().filter(|other| text[other.range.clone()] == *secret).count();
                let before = found.len();
                occurrences(original, secret, &mut |range| found.push(Found { rule: one.rule, range }));
                if found.len() - before < times || inside.len() > SENSITIVE_NEEDLES_MAX {
                    return None;
                }
            }
        }
        super::in_order(original.len(), &mut found);
        Some(self.replaced(original, &found, &mut Tokens::default()))
    }
}

/// Gives every place where a text stands, as it is or as JSON has it.
fn occurrences(text: &[u8], secret: &[u8], give: &mut dyn FnMut(std::ops::Range<usize>)) {
    let mut each = |needle: &[u8]| {
        memchr::memmem::find_iter(text, needle).for_each(|at| give(at..at + needle.len()));
    };
    each(secret);
    let escaped = serde_json::to_string(&String::from_utf8_lossy(secret)).unwrap_or_default();
    let escaped = escaped.as_bytes();
    if let Some(inner) = escaped.get(1..escaped.len().saturating_sub(1))
        && inner != secret
    {
        each(inner);
    }
}

/// The message in lines of a container runtime, joined: with what CRI writes before each line, or docker around it, taken
/// off. Empty for other lines.
fn unwrapped(original: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    for line in original.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        if line.starts_with(b"{\"log\":") {
            let read: Result<serde_json::Value, _> = serde_json::from_slice(line);
            let log = read.ok().and_then(|line| line.get("log")?.as_str().map(str::to_owned));
            joined.extend_from_slice(log.unwrap_or_default().as_bytes());
            continue;
        }
        // `TIME STREAM FLAG TEXT`
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (time, stream, flag) = (parts.next(), parts.next(), parts.next());
        let is_cri = time
            .is_some_and(|time| time.first().is_some_and(u8::is_ascii_digit) && time.contains(&b'T'))
            && matches!(stream, Some(b"stdout" | b"stderr"));
        if is_cri && let Some(flag) = flag {
            joined.extend_from_slice(parts.next().unwrap_or_default());
            if !flag.starts_with(b"P") {
                joined.push(b'\n');
            }
        }
    }
    joined
}
