//! One of the formats that a text may be of, bound so that its fields go where the pipeline has them.

use memchr::memmem::Finder;

use super::super::{Grammar, Parser};
use crate::event::{LayoutBuilder, Mask, Slot, Span, Texts};
use crate::format::{Bind, Fields, Format, Target};
use crate::limits::SLOTS_MAX;

/// A format and where its fields go.
pub(super) struct Candidate {
    pub(super) name: &'static str,
    format: Box<dyn Format>,
    /// Texts of which a line must hold one; none where any may be.
    marks: Box<[Finder<'static>]>,
    /// What else must be so of a line.
    look: Option<Look>,
    /// For a grammar, which is bound to a layout of its own: together they have more fields than a layout may name.
    targets: Option<Targets>,
    /// Where what another program wrote goes, if it holds such.
    pub(super) inner: Option<Target>,
}

/// A grammar that is bound to a layout of its own.
struct Own {
    format: Box<dyn Format>,
    targets: Targets,
    inner: Option<Target>,
}

/// Where fields go, by their slots: a slot of the pipeline's layout, or from [`SLOTS_MAX`] on one of the keys.
struct Targets {
    places: Box<[Slot]>,
    keys: Box<[(Slot, Span)]>,
}

impl Targets {
    #[inline]
    fn place(&self, target: &mut Target) {
        match target {
            Target::Slot(slot) => {
                let place = self.places.get(*slot as usize).copied().unwrap_or(*slot);
                match (place as usize).checked_sub(SLOTS_MAX).and_then(|key| self.keys.get(key)) {
                    Some((parent, key)) => *target = Target::Rest(*parent, *key),
                    None => *slot = place,
                }
            }
            Target::Key(parent, _) | Target::Rest(parent, _) => *parent = self.object(*parent),
        }
    }

    /// The slot of an object, or that of the nearest one above it which has one.
    fn object(&self, slot: Slot) -> Slot {
        let place = self.places.get(slot as usize).copied().unwrap_or(slot);
        let key = (place as usize).checked_sub(SLOTS_MAX).and_then(|key| self.keys.get(key));
        key.map_or(place, |(parent, _)| *parent)
    }
}

impl Candidate {
    pub(super) fn new(parser: Parser, bind: &mut Bind<'_>) -> Result<Self, String> {
        let (format, targets, told, inner) = match parser {
            Parser::Grammar(grammar) => {
                let Own { format, targets, inner } = own_layout(grammar, bind)?;
                (format, Some(targets), grammar.told(), inner)
            }
            other => (other.bind(bind)?, None, &[][..], None),
        };
        let marks = told.iter().map(|mark| Finder::new(mark).into_owned()).collect();
        Ok(Self { name: parser.name(), format, marks, look: look(parser.name()), targets, inner })
    }

    /// Whether a text has what the format is told by.
    #[inline]
    fn may_take(&self, text: &[u8]) -> bool {
        (self.marks.is_empty() || self.marks.iter().any(|mark| mark.find(text).is_some()))
            && self.look.is_none_or(|look| look(text))
    }

    /// Whether one of its line forms takes the text.
    pub(super) fn takes(&self, form: usize, input: Span, texts: &mut Texts, fields: &mut Fields) -> bool {
        let mark = fields.len();
        let takes = self.may_take(texts.bytes(input))
            && !self.format.refuses(form, input, texts, fields)
            && self.format.parse_by(form..form + 1, input, texts, fields).is_ok();
        fields.truncate(mark);
        takes
    }

    /// Takes the text, if it is of the format; the number of its line form.
    #[inline]
    pub(super) fn take(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Option<usize> {
        if !self.may_take(texts.bytes(input)) {
            return None;
        }
        let mark = fields.len();
        let Ok(form) = self.format.parse_by(0..usize::MAX, input, texts, fields) else {
            fields.truncate(mark);
            return None;
        };
        if let Some(targets) = &self.targets {
            fields.iter_mut().skip(mark).for_each(|(target, _)| targets.place(target));
        }
        Some(form)
    }
}

/// Binds a grammar to a layout of its fields only, and says where each of them goes in the pipeline's: a slot where
/// that names it, else a key.
fn own_layout(grammar: &Grammar, bind: &mut Bind<'_>) -> Result<Own, String> {
    let mut builder = LayoutBuilder::default();
    for field in grammar.fields() {
        builder.add(&field.path);
    }
    let layout = builder.build();
    let root = bind.root()?;
    let mut wanted = Mask::default();
    let mut inner = None;
    let (mut places, mut keys) = (Vec::new(), Vec::new());
    for slot in 0..layout.len() as Slot {
        let path = layout.path(slot);
        let target = match bind.slot(path) {
            _ if slot == 0 => Target::Slot(root),
            Ok(slot) => Target::Slot(slot),
            Err(_) => {
                // Below the last object on its way that is named.
                let mut ends = path.rmatch_indices('.').map(|(at, _)| at);
                let above = ends.find_map(|at| Some((bind.slot(path.get(..at)?).ok()?, path.get(at + 1..)?)));
                let (object, key) = above.unwrap_or((root, path));
                Target::Rest(object, bind.constant(key.as_bytes()))
            }
        };
        let place = match target {
            Target::Slot(place) => {
                places.push(place);
                place
            }
            Target::Rest(object, key) | Target::Key(object, key) => {
                places.push((SLOTS_MAX + keys.len()) as Slot);
                keys.push((object, key));
                object
            }
        };
        let is_inner = grammar.inner() == Some(path);
        if is_inner {
            inner = Some(target);
        }
        if is_inner || bind.wanted.contains(place) {
            wanted.insert(slot);
        }
    }
    let targets = Targets { places: places.into(), keys: keys.into() };
    let mut own = Bind {
        layout: &layout,
        prefix: "",
        options: bind.options,
        constants: bind.constants,
        reference: bind.reference.clone(),
        wanted,
    };
    Ok(Own { format: grammar.bind(&mut own)?, targets, inner })
}

/// Whether a text looks like a format.
pub(super) type Look = fn(&[u8]) -> bool;

/// The same for what no text tells.
pub(super) fn look(name: &str) -> Option<Look> {
    Some(match name {
        // Pairs from the first word on; prose with an `=` somewhere is not logfmt.
        "logfmt" => |text| {
            let mut words = text.split(|&byte| matches!(byte, b' ' | b'\t'));
            let pair = |word: &[u8]| {
                let key = memchr::memchr(b'=', word).and_then(|at| word.get(..at)).unwrap_or_default();
                !key.is_empty() && key.iter().all(|&byte| byte > b' ' && byte != b'"')
            };
            words.next().is_some_and(pair)
                && words.next().is_none_or(|word| pair(word) || word.is_empty() || text.contains(&b'"'))
        },
        // A time, a word, a word: the host of a syslog line, unless it is a level.
        "system.syslog" | "syslog" => |text| {
            let mut words = text.split(|&byte| byte == b' ');
            !words.next().is_some_and(|time| time.first().is_some_and(u8::is_ascii_digit))
                || !words.next().is_some_and(is_level)
        },
        "docker.compose" => |text| !text.split(|&byte| byte == b' ').next().is_some_and(is_level),
        // They take more, so that this and `LOOKS` must say the same.
        "cef" => |text| text.starts_with(b"CEF:") || is_envelope(text),
        "leef" => |text| text.starts_with(b"LEEF:") || is_envelope(text),
        "json" | "docker" => |text| text.trim_ascii_start().first() == Some(&b'{'),
        _ => return None,
    })
}

/// What syslog puts before a message: a priority, the name of a month, or a time with a `T`.
fn is_envelope(text: &[u8]) -> bool {
    match text {
        [b'<', behind @ ..] => {
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits > 0 && behind.get(digits) == Some(&b'>')
        }
        [b'A'..=b'Z', b'a'..=b'z', b'a'..=b'z', b' ', ..] => true,
        _ => text.get(..11).is_some_and(|time| {
            let like =
                |(byte, like): (&u8, &u8)| if *like == b'9' { byte.is_ascii_digit() } else { byte == like };
            time.iter().zip(b"9999-99-99T").all(like)
        }),
    }
}

/// A level, as programs write it behind a time or in front of a message.
fn is_level(word: &[u8]) -> bool {
    let word = word.strip_suffix(b":").unwrap_or(word);
    let word = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")).unwrap_or(word);
    let levels: &[&[u8]] = &[
        b"trace",
        b"debug",
        b"info",
        b"notice",
        b"warn",
        b"warning",
        b"error",
        b"critical",
        b"fatal",
        b"status",
    ];
    levels.iter().any(|level| level.eq_ignore_ascii_case(word))
}
