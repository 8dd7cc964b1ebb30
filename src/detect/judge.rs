//! A detector at its operating point: which hits are reported, and how a detection is written.

use std::ops::Range;
use std::sync::LazyLock;

use super::{Class, Detector, DetectorKind, Hit, Kind, Pool, SENSITIVITIES, Views, bytes::Bytes, kind};
use crate::event::{Options, write_string};
use crate::limits::{DETECT_EVIDENCE_BYTES_MAX, DETECT_VALUE_BYTES_MAX};
use crate::sensitive::{self, Finder, Policy, Tokens};

/// A detector with the options of its use.
pub struct Judge {
    kind: &'static DetectorKind,
    detector: Box<dyn Detector>,
    threshold: u8,
    /// Which classes are reported, by number.
    classes: Vec<bool>,
}

/// A hit that is reported.
#[derive(Clone, Debug)]
pub struct Found {
    /// The detector's name.
    pub detector: &'static str,
    /// The class.
    pub class: &'static Class,
    /// The hit.
    pub hit: Hit,
}

impl Judge {
    /// A detector by name; the error says what is wrong.
    pub fn new(name: &str, options: &Options) -> Result<Self, String> {
        let kind = kind(name).ok_or_else(|| {
            let values = super::DETECTORS.iter().map(|kind| kind.signature.name);
            let known: Vec<_> = values.chain([super::threat::NAME]).collect();
            format!("unknown detector `{name}`: there are {}", known.join(", "))
        })?;
        let point = options.text("sensitivity").unwrap_or("medium");
        let point = SENSITIVITIES.iter().find(|(name, _)| *name == point);
        let threshold = match options.int("threshold") {
            None => point.ok_or("`sensitivity` is `low`, `medium` or `high`")?.1,
            Some(score @ 1..=100) => score as u8,
            Some(_) => return Err("the option `threshold` takes a score from 1 to 100".to_owned()),
        };
        let wanted = options.texts("classes");
        if let Some(unknown) =
            wanted.iter().find(|name| kind.classes.iter().all(|class| class.name != **name))
        {
            let names: Vec<_> = kind.classes.iter().map(|class| class.name).collect();
            return Err(format!("`{name}` has no class `{unknown}`; there are: {}", names.join(", ")));
        }
        let is_wanted = |class: &Class| wanted.is_empty() || wanted.iter().any(|name| name == class.name);
        let classes = kind.classes.iter().map(is_wanted).collect();
        Ok(Self { kind, detector: (kind.make)(options)?, threshold, classes })
    }

    /// Appends the best hit of each class in a value, highest score first. Of a long value the first
    /// [`DETECT_VALUE_BYTES_MAX`] bytes are looked at.
    #[inline]
    pub fn find(&self, value: &[u8], kind: Kind, pool: &Pool, hits: &mut Vec<Hit>, found: &mut Vec<Found>) {
        let value = value.get(..DETECT_VALUE_BYTES_MAX).unwrap_or(value);
        let bytes = Bytes::of(value);
        if self.detector.may(value, bytes, kind) {
            self.look(value, bytes, kind, pool, hits, found);
        }
    }

    #[inline(never)]
    fn look(
        &self,
        value: &[u8],
        bytes: Bytes,
        kind: Kind,
        pool: &Pool,
        hits: &mut Vec<Hit>,
        found: &mut Vec<Found>,
    ) {
        hits.clear();
        self.detector.find(&Views::new(value, kind, bytes, pool), hits);
        let before = found.len();
        for hit in hits.drain(..) {
            let class = usize::from(hit.class);
            if hit.score < self.threshold || !self.classes.get(class).is_some_and(|wanted| *wanted) {
                continue;
            }
            let Some(class) = self.kind.classes.get(class) else { continue };
            match found[before..].iter_mut().find(|other| std::ptr::eq(other.class, class)) {
                Some(other) if other.hit.score >= hit.score => {}
                Some(other) => other.hit = hit,
                None => found.push(Found { detector: self.kind.signature.name, class, hit }),
            }
        }
        found[before..].sort_by_key(|found| (std::cmp::Reverse(found.hit.score), found.hit.class));
    }
}

/// Writes a detection as a JSON object. The evidence is the part of the value that shows it, bounded; a secret is
/// never shown, nor one that stands beside an attack.
pub fn write_detection(found: &Found, field: &str, value: &[u8], out: &mut Vec<u8>) {
    let secret = found.class.secret || found.hit.secret;
    let evidence = if secret { masked(&found.hit.range) } else { evidence(value, &found.hit.range) };
    let Hit { rule, score, .. } = found.hit;
    write_open(found.detector, found.class, rule, field, &evidence, score, out);
    out.push(b'}');
}

/// Writes what every detection has, without the closing brace.
pub(super) fn write_open(
    detector: &str,
    class: &Class,
    rule: &str,
    field: &str,
    evidence: &str,
    score: u8,
    out: &mut Vec<u8>,
) {
    let parts = [
        ("{\"detector\":", detector),
        (",\"class\":", class.name),
        (",\"rule\":", rule),
        (",\"field\":", field),
        (",\"evidence\":", evidence),
        (",\"technique\":", class.technique.id),
    ];
    for (key, text) in parts {
        out.extend_from_slice(key.as_bytes());
        write_string(text, out);
    }
    out.extend_from_slice(b",\"score\":");
    out.extend_from_slice(itoa::Buffer::new().format(score).as_bytes());
}

fn masked(range: &Range<usize>) -> String {
    format!("[{} bytes]", range.len())
}

/// What `redact` takes for secrets where nobody says otherwise.
const NOT_SHOWN: [sensitive::Class; 4] =
    [sensitive::Class::Secrets, sensitive::Class::Card, sensitive::Class::Iban, sensitive::Class::Ssn];

/// A part of a value. What is a secret is told from the whole: `password=` may stand before the part.
pub(super) fn evidence(value: &[u8], range: &Range<usize>) -> String {
    static FINDER: LazyLock<Option<Finder>> =
        LazyLock::new(|| Finder::new(NOT_SHOWN.into_iter().collect()).ok());
    let Some(finder) = FINDER.as_ref() else { return masked(range) };
    let value = value.get(..DETECT_VALUE_BYTES_MAX).unwrap_or(value);
    let mut secrets = Vec::new();
    finder.find(value, &mut secrets);
    let range = range.start.min(value.len())..range.end.min(value.len());
    let (mut out, mut at) = (Vec::new(), range.start);
    for secret in
        secrets.iter().filter(|secret| secret.range.start < range.end && secret.range.end > range.start)
    {
        out.extend_from_slice(value.get(at..secret.range.start).unwrap_or_default());
        Policy::Mask.text(secret.rule.class, b"", &mut Tokens::default(), &mut out);
        at = at.max(secret.range.end);
    }
    out.extend_from_slice(value.get(at..range.end).unwrap_or_default());
    let cut = out.get(..DETECT_EVIDENCE_BYTES_MAX).unwrap_or(&out);
    let mut text = String::from_utf8_lossy(cut).into_owned();
    if cut.len() < out.len() {
        text.push('\u{2026}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_shows_no_secret() {
        let shown = |value: &str, part: &str| {
            let start = value.find(part).expect("a part");
            evidence(value.as_bytes(), &(start..start + part.len()))
        };
        for (value, part, want) in [
            ("id=7' or 1=1", "' or 1=1", "' or 1=1"),
            ("user=ann&password=hunter2'--", "hunter2'--", "[redacted:secret]'--"),
            (
                "q=<script>f('ftp://ann:hunter2@a.example')",
                "<script>f('ftp://ann:hunter2@a",
                "<script>f('ftp://ann:[redacted:secret]@a",
            ),
            (
                "q=<script>&pin=4111111111111111&x=1",
                "<script>&pin=4111111111111111&x=1",
                "<script>&pin=[redacted:card]&x=1",
            ),
        ] {
            assert_eq!(shown(value, part), want, "{value}");
        }
    }
}
