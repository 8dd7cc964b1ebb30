//! Rows of comma separated values (RFC 4180) whose columns are known.

use super::members::{Derived, Members, part};
use super::typed::{convert, name_and_type};
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Options, Slot, Span, Texts, Value, work};
use crate::signature::{Example, Field, OptionSpec, OptionType, Signature, Type};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "csv",
        summary: "a row of separated values whose columns are given, or named by the first line of the stream",
        doc: "A column is a field path, with `:int`, `:float`, `:bool`, `:ip` or `:timestamp` behind it where it is not \
              text; `_` is passed over. An empty value is no field. A row may have fewer values than columns. Without \
              `columns` they are those of the header, which the source must hand on (`header = first`); values are text then.",
        form: "csv",
        options: &[
            OptionSpec {
                name: "columns",
                ty: OptionType::Texts,
                default: Some("[]"),
                doc: "the columns, in order; without them the header says them",
            },
            OptionSpec {
                name: "delimiter",
                ty: OptionType::Text,
                default: Some("\",\""),
                doc: "the one byte between values",
            },
            OptionSpec {
                name: "quote",
                ty: OptionType::Text,
                default: Some("\"\\\"\""),
                doc: "the one byte around values that hold delimiters; doubled, it stands for itself",
            },
            OptionSpec {
                name: "zone",
                ty: OptionType::Text,
                default: Some("\"UTC\""),
                doc: "zone of times that do not name theirs",
            },
        ],
        examples: &[Example {
            title: "typed columns",
            source: "parse .message as csv(columns = [\"source.ip:ip\", \"http.response.status_code:int\", \"message\"])",
            input: r#"{"message": "203.0.113.7,404,\"no, \"\"x\"\"\""}"#,
            result: r#"{"message": "no, \"x\"", "source": {"ip": "203.0.113.7"}, "http": {"response": {"status_code": 404}}}"#,
        }],
    },
    gives: |options| {
        byte(options, "delimiter", b',')?;
        byte(options, "quote", b'"')?;
        let columns = options.texts("columns");
        if columns.is_empty() {
            return Ok(Gives { fields: Vec::new(), open: true });
        }
        let fields = columns.iter().map(|column| name_and_type(column, ":")).filter(|(name, _)| *name != "_");
        let field =
            |(path, ty): (&str, Type)| Field { path: path.to_owned(), ty, maybe: true, doc: String::new() };
        Ok(Gives { fields: fields.map(field).collect(), open: false })
    },
    bind: |bind: &mut Bind<'_>| {
        let column = |column: &String| {
            let (name, ty) = name_and_type(column, ":");
            let slot = if name == "_" { None } else { Some(bind.slot(name)?) };
            Ok((slot, ty))
        };
        Ok(Box::new(Csv {
            root: bind.root()?,
            columns: bind.options.texts("columns").iter().map(column).collect::<Result<_, String>>()?,
            delimiter: byte(bind.options, "delimiter", b',')?,
            quote: byte(bind.options, "quote", b'"')?,
            calendar: bind.calendar()?,
        }))
    },
};

fn byte(options: &Options, name: &str, default: u8) -> Result<u8, String> {
    match options.text(name).map(str::as_bytes) {
        None => Ok(default),
        Some([byte]) => Ok(*byte),
        Some(_) => Err(format!("`{name}` is one byte")),
    }
}

struct Csv {
    /// Where columns of the header go.
    root: Slot,
    columns: Box<[(Option<Slot>, Type)]>,
    delimiter: u8,
    quote: u8,
    calendar: Calendar,
}

impl Format for Csv {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let mut derived = Derived::new(texts);
        let done = if self.columns.is_empty() {
            self.named_row(input, texts, &mut derived, fields)
        } else {
            self.row(input, texts.bytes(input), &mut derived, fields)
        };
        derived.finish(texts);
        done
    }
}

impl Csv {
    fn row(
        &self,
        input: Span,
        bytes: &[u8],
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut columns = self.columns.iter();
        let mut at = 0;
        loop {
            let from = derived.bytes.len();
            let (start, end, next) = self.value(bytes, at, derived)?;
            let is_derived = derived.bytes.len() > from;
            let (text, span) = if is_derived {
                (&derived.bytes[from..], derived.span(from))
            } else {
                (&bytes[start..end], part(input, start, end - start))
            };
            let Some((slot, ty)) = columns.next() else {
                return Err(Mismatch::at(at, "more values than columns"));
            };
            if let Some(slot) = slot.filter(|_| !text.is_empty()) {
                let value = convert(text, span, *ty, &self.calendar)
                    .ok_or_else(|| Mismatch::at(at, "a value is not of the type of its column"))?;
                fields.push((Target::Slot(slot), value));
            }
            match next {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    /// A row whose columns are those of the header.
    fn named_row(
        &self,
        input: Span,
        texts: &Texts,
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let header = texts.header();
        let names = texts.bytes(header);
        if names.is_empty() {
            return Err(Mismatch::at(0, "no header line above names the columns"));
        }
        let bytes = texts.bytes(input);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut members = Members::new(self.root, fields);
        let (mut at, mut name_at) = (0, Some(0));
        loop {
            let Some(here) = name_at else { return Err(Mismatch::at(at, "more values than columns")) };
            let name = derived.bytes.len();
            let (name_start, name_end, name_next) = self.value(names, here, derived)?;
            name_at = name_next;
            let key = if derived.bytes.len() > name {
                (derived.span(name), derived.bytes[name..].to_vec())
            } else {
                (header.part(name_start, name_end - name_start), names[name_start..name_end].to_vec())
            };
            let from = derived.bytes.len();
            let (start, end, next) = self.value(bytes, at, derived)?;
            let span =
                if derived.bytes.len() > from { derived.span(from) } else { part(input, start, end - start) };
            if span.len > 0 && !key.1.is_empty() {
                let same = |other: Span| texts.bytes(other) == key.1;
                members.put(fields, (key.0, &key.1), Value::Text(span), same)?;
            }
            match next {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    /// One value: start, end, and where the next one begins. One with doubled quotes is derived.
    fn value(
        &self,
        bytes: &[u8],
        at: usize,
        derived: &mut Derived,
    ) -> Result<(usize, usize, Option<usize>), Mismatch> {
        let next = |end: usize| bytes.get(end).map(|_| end + 1);
        if bytes.get(at) != Some(&self.quote) {
            let len = memchr::memchr(self.delimiter, &bytes[at..]).unwrap_or(bytes.len() - at);
            work::count(1 + len);
            return Ok((at, at + len, next(at + len)));
        }
        let start = at + 1;
        let (mut from, mut doubled) = (start, false);
        loop {
            let Some(len) = memchr::memchr(self.quote, bytes.get(from..).unwrap_or_default()) else {
                return Err(Mismatch::at(at, "no closing quote"));
            };
            let end = from + len;
            work::count(1 + len);
            if bytes.get(end + 1) == Some(&self.quote) {
                derived.bytes.extend_from_slice(&bytes[from..=end]);
                (from, doubled) = (end + 2, true);
                continue;
            }
            if doubled {
                derived.bytes.extend_from_slice(&bytes[from..end]);
            }
            return match bytes.get(end + 1) {
                None => Ok((start, end, None)),
                Some(byte) if *byte == self.delimiter => Ok((start, end, Some(end + 2))),
                Some(_) => Err(Mismatch::at(end + 1, "text behind a closing quote")),
            };
        }
    }
}
