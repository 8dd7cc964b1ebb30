//! Pairs with separators of one's own: `path:"/cart", host:shop.example`.

use memchr::memmem;

use super::members::{Derived, Members, part};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, json, scan};
use crate::event::{Options, Slot, Span, Texts, Value, work};
use crate::signature::{Example, OptionSpec, OptionType, Signature};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "key_value",
        summary: "pairs with separators of one's own",
        doc: "Blanks around keys and values do not count, nor do quotes around them; separators in quotes are text. \
              A key without a value is true. A key that is there more than once is a list.",
        form: "key_value",
        options: &[
            OptionSpec {
                name: "pair_separator",
                ty: OptionType::Text,
                default: Some("\" \""),
                doc: "what stands between pairs",
            },
            OptionSpec {
                name: "value_separator",
                ty: OptionType::Text,
                default: Some("\"=\""),
                doc: "what stands between a key and its value",
            },
        ],
        examples: &[
            Example {
                title: "separators of one's own",
                source: "parse .message as key_value(pair_separator = \",\", value_separator = \":\")",
                input: r#"{"message": "path:\"/a,b\", host: shop.example"}"#,
                result: r#"{"message": "path:\"/a,b\", host: shop.example", "path": "/a,b", "host": "shop.example"}"#,
            },
            Example {
                title: "a key that is there twice",
                source: "parse .message as key_value(pair_separator = \",\")",
                input: r#"{"message": "tag=a,tag=\"b\\\"c\",new,tag=d"}"#,
                result: r#"{"message": "tag=a,tag=\"b\\\"c\",new,tag=d", "tag": ["a", "b\"c", "d"], "new": true}"#,
            },
        ],
    },
    gives: |options| {
        separators(options)?;
        Ok(Gives { fields: Vec::new(), open: true })
    },
    bind: |bind: &mut Bind<'_>| {
        let (pair, value) = separators(bind.options)?;
        Ok(Box::new(KeyValue { root: bind.root()?, pair: pair.into(), value: value.into() }))
    },
};

fn separators(options: &Options) -> Result<(&str, &str), String> {
    let pair = options.text("pair_separator").unwrap_or(" ");
    let value = options.text("value_separator").unwrap_or("=");
    if pair.is_empty() || value.is_empty() || pair == value {
        return Err("the separators must differ, and neither may be empty".into());
    }
    Ok((pair, value))
}

struct KeyValue {
    root: Slot,
    pair: Box<str>,
    value: Box<str>,
}

impl Format for KeyValue {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        Derived::within(texts, |texts, derived| self.pairs(input, texts, derived, fields))
    }
}

impl KeyValue {
    fn pairs(
        &self,
        input: Span,
        texts: &Texts,
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        let (pair, sign) = (self.pair.as_bytes(), self.value.as_bytes());
        let mut members = Members::new(self.root, fields);
        let (mut at, mut found, mut quotes) = (0, false, true);
        while at < bytes.len() {
            let end = at + outside_quotes(&bytes[at..], pair, &mut quotes);
            let item = &bytes[at..end];
            let sign_at = memmem::find(item, sign);
            let key = trim(item, 0, sign_at.unwrap_or(item.len()));
            let start = at;
            at = end + pair.len();
            if key.is_empty() {
                if sign_at.is_some() {
                    return Err(Mismatch::at(start, "no key before the separator"));
                }
                continue;
            }
            found |= sign_at.is_some();
            let value = match sign_at {
                None => Value::Bool(true),
                Some(sign_at) => {
                    let range = trim(item, sign_at + sign.len(), item.len());
                    let text = &item[range.clone()];
                    Value::Text(match unquote(text) {
                        Some(inner) if memchr::memchr(b'\\', inner).is_some() => {
                            let from = derived.bytes.len();
                            json::unescape(inner, &mut derived.bytes);
                            derived.span(from)
                        }
                        Some(inner) => part(input, start + range.start + 1, inner.len()),
                        None => part(input, start + range.start, range.len()),
                    })
                }
            };
            let key = if unquote(&item[key.clone()]).is_some() { key.start + 1..key.end - 1 } else { key };
            let name = &item[key.clone()];
            let same = |other: Span| {
                let from = (other.start - input.start) as usize;
                bytes.get(from..from + other.len as usize) == Some(name)
            };
            members.add(fields, (part(input, start + key.start, key.len()), name), value, same)?;
        }
        members.lists(texts, derived, fields);
        if found { Ok(()) } else { Err(Mismatch::at(0, "no pair of key and value")) }
    }
}

/// Where the separator is that stands outside quotes; the end where there is none. Behind a quote that is not closed
/// none is, since each has a backslash: `quotes` says so from then on, and nobody looks for the end of another.
fn outside_quotes(bytes: &[u8], separator: &[u8], quotes: &mut bool) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(separator) {
            return at;
        }
        work::count(1);
        at += match bytes[at] {
            b'"' if *quotes => match scan::quoted(&bytes[at + 1..], b'"') {
                Some(len) => len + 2,
                None => {
                    *quotes = false;
                    1
                }
            },
            _ => 1,
        };
    }
    bytes.len()
}

fn trim(bytes: &[u8], from: usize, to: usize) -> std::ops::Range<usize> {
    let text = &bytes[from..to];
    let start = from + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

fn unquote(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}
