//! Query strings: `a=1&b=x%20y` (the `application/x-www-form-urlencoded` form of the URL standard).

use super::members::{Derived, Members};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch};
use crate::event::{Slot, Span, Texts, Value, write_string};
use crate::limits::REST_KEYS_MAX;
use crate::signature::{Example, Signature};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "query",
        summary: "the pairs of a query string, percent-decoded",
        doc: "A key that is there more than once is a list. A key without a value is empty text. `+` is a blank.",
        form: "query",
        options: &[],
        examples: &[Example {
            title: "pairs become fields",
            source: "parse .url.query as query into .query",
            input: r#"{"url": {"query": "q=a%20b&tag=x&tag=y"}}"#,
            result: r#"{"url": {"query": "q=a%20b&tag=x&tag=y"}, "query": {"q": "a b", "tag": ["x", "y"]}}"#,
        }],
    },
    gives: |_| Ok(Gives { fields: Vec::new(), open: true }),
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Query { root: bind.root()? })),
};

struct Query {
    root: Slot,
}

impl Format for Query {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        Derived::within(texts, |texts, derived| {
            decode(texts.bytes(input)).and_then(|pairs| put(self.root, &pairs, derived, fields))
        })
    }
}

/// Keys in order with their values.
type Pairs = Vec<(Vec<u8>, Vec<Vec<u8>>)>;

fn decode(bytes: &[u8]) -> Result<Pairs, Mismatch> {
    let bytes = bytes.strip_prefix(b"?").unwrap_or(bytes);
    let mut pairs: Pairs = Vec::new();
    let mut places = std::collections::HashMap::new();
    for pair in bytes.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let sign = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let key = percent_decode(&pair[..sign]);
        let value = percent_decode(pair.get(sign + 1..).unwrap_or_default());
        let place = *places.entry(key.clone()).or_insert(pairs.len());
        if place == pairs.len() {
            if place >= REST_KEYS_MAX {
                return Err(Mismatch::at(0, "more keys than an event may have"));
            }
            pairs.push((key, vec![value]));
        } else if let Some((_, values)) = pairs.get_mut(place) {
            values.push(value);
        }
    }
    if pairs.is_empty() { Err(Mismatch::at(0, "an empty query")) } else { Ok(pairs) }
}

fn put(root: Slot, pairs: &Pairs, derived: &mut Derived, fields: &mut Fields) -> Result<(), Mismatch> {
    let mut members = Members::new(root, fields);
    for (key, values) in pairs {
        let from = derived.bytes.len();
        derived.bytes.extend_from_slice(key);
        let key_span = derived.span(from);
        let from = derived.bytes.len();
        let value = match &values[..] {
            [value] => {
                derived.bytes.extend_from_slice(value);
                Value::Text(derived.span(from))
            }
            values => {
                derived.bytes.push(b'[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        derived.bytes.push(b',');
                    }
                    write_string(&String::from_utf8_lossy(value), &mut derived.bytes);
                }
                derived.bytes.push(b']');
                Value::List(derived.span(from))
            }
        };
        members.put(fields, (key_span, key), value, |_| false)?;
    }
    Ok(())
}

/// `%41` and `+`; what is no escape stays as it is.
pub(super) fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    decoded
}
