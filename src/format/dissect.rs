//! Dissect: a text cut at what stands between its fields, as Logstash and Beats have it
//! (<https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-dissect>). One search per delimiter, and
//! nothing is ever gone back to.

use memchr::memmem::Finder;

use super::members::{Derived, Members, part};
use super::typed::convert;
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Options, Slot, Span, Texts, Value, work};
use crate::signature::{Example, Field, OptionSpec, OptionType, Signature, Type};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "dissect",
        summary: "a text cut at its delimiters: %{source.ip} [%{+ts} %{+ts}] %{message}",
        doc: "`%{a.b}` or `%{[a][b]}` takes what stands before the next delimiter; the last takes the rest. `%{}` and \
              `%{?name}` are passed over; `%{+a}` is added to `a` behind the delimiter before it, `%{+a/2}` in the \
              order of the numbers; `%{*k}` (or `%{?k}`) and `%{&k}` are a key and its value that only the data know. \
              `->` at the end takes a delimiter that is there several times. `%{a|int}` converts (`int`, `float`, \
              `bool`, `ip`, `timestamp`). An empty value is no field.",
        form: "dissect(pattern)",
        options: &[
            OptionSpec {
                name: "pattern",
                ty: OptionType::Text,
                default: None,
                doc: "fields and the delimiters between them; the whole text must be like it",
            },
            OptionSpec {
                name: "zone",
                ty: OptionType::Text,
                default: Some("\"UTC\""),
                doc: "zone of times that do not name theirs",
            },
        ],
        examples: &[
            Example {
                title: "fields between delimiters",
                source: "parse .message as dissect(\"%{source.ip->} [%{at} %{+at}] %{http.response.status_code|int}\")",
                input: r#"{"message": "203.0.113.7   [06/May 07:08] 404"}"#,
                result: r#"{"message": "203.0.113.7   [06/May 07:08] 404", "source": {"ip": "203.0.113.7"}, "at": "06/May 07:08", "http": {"response": {"status_code": 404}}}"#,
            },
            Example {
                title: "keys from the data",
                source: "parse .message as dissect(\"%{?k}=%{&k};%{?}\")",
                input: r#"{"message": "user=ada;rest"}"#,
                result: r#"{"message": "user=ada;rest", "user": "ada"}"#,
            },
        ],
    },
    gives: |options| {
        let pattern = Pattern::read(options)?;
        let mut fields: Vec<Field> = Vec::new();
        for piece in &pattern.pieces {
            if let Kind::Field { path, ty, .. } = &piece.kind
                && !fields.iter().any(|field| field.path == *path)
            {
                fields.push(Field { path: path.clone(), ty: *ty, maybe: true, doc: String::new() });
            }
        }
        Ok(Gives { fields, open: pattern.pieces.iter().any(|piece| matches!(piece.kind, Kind::Value(_))) })
    },
    bind: |bind: &mut Bind<'_>| {
        let pattern = Pattern::read(bind.options)?;
        let mut outs: Vec<Out> = Vec::new();
        let mut fields: Vec<(&String, Vec<(u32, usize)>)> = Vec::new();
        for (at, piece) in pattern.pieces.iter().enumerate() {
            if let Kind::Field { path, order, .. } = &piece.kind {
                match fields.iter_mut().find(|(known, _)| *known == path) {
                    Some((_, parts)) => parts.push((*order, at)),
                    None => fields.push((path, vec![(*order, at)])),
                }
            }
        }
        for (path, mut parts) in fields {
            // Those without a number keep the order in which they stand.
            parts.sort_by_key(|(order, _)| *order);
            let ty = match &pattern.pieces[parts[0].1].kind {
                Kind::Field { ty, .. } if parts.len() == 1 => *ty,
                _ => Type::Text,
            };
            let parts = parts.into_iter().map(|(_, at)| at).collect();
            outs.push(Out { slot: bind.slot(path)?, ty, parts });
        }
        let mut pairs = Vec::new();
        for (value, piece) in pattern.pieces.iter().enumerate() {
            if let Kind::Value(name) = &piece.kind {
                let key = pattern.pieces.iter().position(|piece| piece.kind == Kind::Key(name.clone()));
                pairs.push((key.ok_or_else(|| format!("`%{{&{name}}}` has no `%{{*{name}}}`"))?, value));
            }
        }
        Ok(Box::new(Dissect { pattern, outs, pairs, root: bind.root()?, calendar: bind.calendar()? }))
    },
};

/// A pattern in pieces.
struct Pattern {
    /// What stands before the first field.
    lead: Vec<u8>,
    pieces: Vec<Piece>,
}

struct Piece {
    kind: Kind,
    /// What ends it; nothing for one that takes the rest.
    end: Finder<'static>,
    /// Whether more of the same end are taken.
    padded: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// A field, or one part of it; parts are put together by their order.
    Field {
        path: String,
        order: u32,
        ty: Type,
        more: bool,
    },
    Skipped,
    Key(String),
    Value(String),
}

impl Pattern {
    fn read(options: &Options) -> Result<Self, String> {
        let text = options.text("pattern").filter(|text| !text.is_empty()).ok_or("a pattern is missing")?;
        let (lead, mut rest) = text.split_once("%{").ok_or("the pattern has no field such as %{name}")?;
        let mut pieces: Vec<Piece> = Vec::new();
        loop {
            let (inner, after) = rest.split_once('}').ok_or("a `%{` of the pattern is not closed")?;
            let (end, more) = match after.split_once("%{") {
                Some((end, more)) => (end, Some(more)),
                None => (after, None),
            };
            if end.is_empty() && more.is_some() {
                return Err(format!("there must be a delimiter between %{{{inner}}} and the next field"));
            }
            let padded = inner.ends_with("->");
            let kind = kind(inner.trim_end_matches("->"))?;
            pieces.push(Piece { kind, end: Finder::new(end.as_bytes()).into_owned(), padded });
            match more {
                Some(more) => rest = more,
                None => break,
            }
        }
        for at in 0..pieces.len() {
            // `%{?k}` is a key only where there is a `%{&k}`.
            if let Kind::Key(name) = &pieces[at].kind
                && !pieces.iter().any(|piece| piece.kind == Kind::Value(name.clone()))
            {
                pieces[at].kind = Kind::Skipped;
            }
            if let Kind::Field { path, more: false, .. } = &pieces[at].kind
                && pieces[..at]
                    .iter()
                    .any(|piece| matches!(&piece.kind, Kind::Field { path: other, .. } if other == path))
            {
                return Err(format!("`{path}` is there twice; `%{{+{path}}}` adds to it"));
            }
        }
        Ok(Self { lead: lead.as_bytes().to_vec(), pieces })
    }
}

fn kind(inner: &str) -> Result<Kind, String> {
    let name = || inner.chars().skip(1).collect();
    Ok(match inner.as_bytes().first() {
        None => Kind::Skipped,
        Some(b'?' | b'*') if inner.len() == 1 => Kind::Skipped,
        Some(b'?' | b'*') => Kind::Key(name()),
        Some(b'&') => Kind::Value(name()),
        first => {
            let more = first == Some(&b'+');
            let inner = inner.trim_start_matches('+');
            let (inner, ty) = match inner.rsplit_once('|') {
                None => (inner, Type::Text),
                Some((inner, ty)) => (inner, type_named(ty)?),
            };
            let (inner, order) = match inner.rsplit_once('/') {
                Some((inner, order)) => {
                    (inner, order.parse().map_err(|_| format!("`{order}` is no number of a part"))?)
                }
                None => (inner, 0),
            };
            let path = match inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
                Some(keys) => keys.replace("][", "."),
                None => inner.to_owned(),
            };
            if path.is_empty() || path.split('.').any(str::is_empty) {
                return Err(format!("`%{{{inner}}}` is no field"));
            }
            Kind::Field { path, order, ty, more }
        }
    })
}

fn type_named(name: &str) -> Result<Type, String> {
    Ok(match name {
        "int" | "integer" | "long" => Type::Int,
        "float" | "double" => Type::Float,
        "bool" | "boolean" => Type::Bool,
        "ip" => Type::Ip,
        "timestamp" => Type::Timestamp,
        "text" | "string" => Type::Text,
        _ => return Err(format!("`{name}` is no type; int, float, bool, ip, timestamp and text are")),
    })
}

/// A field: its parts in the order in which they are put together.
struct Out {
    slot: Slot,
    ty: Type,
    parts: Vec<usize>,
}

struct Dissect {
    pattern: Pattern,
    outs: Vec<Out>,
    /// Pieces that are key and value.
    pairs: Vec<(usize, usize)>,
    root: Slot,
    calendar: Calendar,
}

impl Format for Dissect {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        Derived::within(texts, |texts, derived| self.fields(input, texts.bytes(input), derived, fields))
    }
}

impl Dissect {
    /// Start and end of each piece.
    fn cut(&self, bytes: &[u8]) -> Result<Vec<(usize, usize)>, Mismatch> {
        if !bytes.starts_with(&self.pattern.lead) {
            return Err(Mismatch::at(0, "the text does not begin like the pattern"));
        }
        let mut at = self.pattern.lead.len();
        let mut places = Vec::with_capacity(self.pattern.pieces.len());
        for piece in &self.pattern.pieces {
            let end = piece.end.needle();
            if end.is_empty() {
                places.push((at, bytes.len()));
                break;
            }
            let len = piece.end.find(&bytes[at..]);
            work::count(len.unwrap_or(bytes.len() - at) + 1);
            let len = len.ok_or_else(|| Mismatch::at(at, "a delimiter of the pattern is not there"))?;
            // Padding stands before the delimiter or repeats it.
            let pad = bytes[at..at + len].iter().rev().take_while(|byte| piece.padded && **byte == end[0]);
            places.push((at, at + len - pad.count()));
            at += len + end.len();
            while piece.padded && bytes[at..].starts_with(end) {
                at += end.len();
            }
        }
        Ok(places)
    }

    fn fields(
        &self,
        input: Span,
        bytes: &[u8],
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let places = self.cut(bytes)?;
        for out in &self.outs {
            let (start, end) = places[out.parts[0]];
            let span = if out.parts.len() == 1 {
                part(input, start, end - start)
            } else if out.parts.windows(2).all(|two| two[0] + 1 == two[1] && self.is_plain(two[0])) {
                // Parts that stand side by side are one stretch of the text.
                part(input, start, places[out.parts[out.parts.len() - 1]].1 - start)
            } else {
                let from = derived.bytes.len();
                for (number, &at) in out.parts.iter().enumerate() {
                    if number > 0 {
                        // What stands before the part in the text.
                        let before = at.checked_sub(1).map(|before| self.pattern.pieces[before].end.needle());
                        derived.bytes.extend_from_slice(before.unwrap_or(b" "));
                    }
                    derived.bytes.extend_from_slice(&bytes[places[at].0..places[at].1]);
                }
                derived.span(from)
            };
            if span.len > 0 {
                let text = &bytes[start..end];
                fields.push((Target::Slot(out.slot), self.value(text, span, out.ty, start)?));
            }
        }
        let mut members = Members::new(self.root, fields);
        for &(key, value) in &self.pairs {
            let (from, to) = places[key];
            let name = &bytes[from..to];
            if name.is_empty() {
                continue;
            }
            let (start, end) = places[value];
            let same = |other: Span| {
                let from = other.start.wrapping_sub(input.start) as usize;
                bytes.get(from..from + other.len as usize) == Some(name)
            };
            let text = Value::Text(part(input, start, end - start));
            members.put(fields, (part(input, from, to - from), name), text, same)?;
        }
        Ok(())
    }

    /// Whether a piece ends at the first delimiter, so that the next begins just behind it.
    fn is_plain(&self, at: usize) -> bool {
        !self.pattern.pieces[at].padded
    }

    fn value(&self, text: &[u8], span: Span, ty: Type, at: usize) -> Result<Value, Mismatch> {
        convert(text, span, ty, &self.calendar).ok_or_else(|| Mismatch::at(at, "a value is not of its type"))
    }
}
