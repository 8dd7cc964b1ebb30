//! Takes the body of a request apart into messages, by their place in it: nothing is encoded anew.
//!
//! In: the bytes of a body, decompressed. Out: the ranges of its messages, or the place of the first fault: a body is
//! taken whole or not at all, so that its sender can send it again without doubling anything.

use std::fmt;
use std::ops::Range;

use memchr::{memchr, memchr_iter};
use serde::Deserializer;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How a body holds its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Shape {
    /// A JSON document on each line.
    Ndjson,
    /// One JSON document; of an array, each element is a message. Several documents may follow each other.
    Json,
    /// A line of text each.
    Lines,
}

impl Shape {
    /// The shape that a media type names; `None` for one that is not known.
    pub(in crate::source) fn of_type(kind: &str) -> Option<Self> {
        let name = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match name.as_str() {
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "application/x-json-stream" => Self::Ndjson,
            "application/json" | "text/json" => Self::Json,
            "text/plain" | "application/logplex-1" => Self::Lines,
            // What `curl --data-binary` says unless it is told.
            "" | "application/x-www-form-urlencoded" | "application/octet-stream" => return None,
            name if name.ends_with("+json") => Self::Json,
            _ => return None,
        })
    }

    /// The shape of a body that nobody named: documents if it begins like one.
    pub(in crate::source) fn of_bytes(body: &[u8]) -> Self {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Self::Json,
            _ => Self::Lines,
        }
    }
}

/// Where a body is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Fault {
    /// Line, counted from 1.
    pub(in crate::source) line: usize,
    /// Byte in the line, counted from 1.
    pub(in crate::source) column: usize,
    /// What is wrong.
    pub(in crate::source) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, byte {}: {}", self.line, self.column, self.reason)
    }
}

impl Fault {
    /// A fault at a byte of the body.
    pub(in crate::source) fn at(body: &[u8], at: usize, reason: impl Into<String>) -> Self {
        let before = &body[..at.min(body.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        Self {
            line: memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
            reason: reason.into(),
        }
    }

    /// What the JSON parser says of the part of the body from `from` on.
    fn of_json(body: &[u8], from: usize, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        let part = &body[from..];
        let start = memchr_iter(b'\n', part).nth(error.line().wrapping_sub(2)).map_or(0, |end| end + 1);
        Self::at(body, from + start + error.column().saturating_sub(1), reason)
    }
}

/// The messages of a body, none of them empty. More than `messages_max` are a fault.
pub(in crate::source) fn messages(
    body: &[u8],
    shape: Shape,
    messages_max: usize,
) -> Result<Vec<Range<usize>>, Fault> {
    let mut found = Found { body, messages_max, ranges: Vec::new() };
    match shape {
        Shape::Lines => found.lines(false)?,
        Shape::Ndjson => found.lines(true)?,
        Shape::Json => found.documents()?,
    }
    Ok(found.ranges)
}

struct Found<'a> {
    body: &'a [u8],
    messages_max: usize,
    ranges: Vec<Range<usize>>,
}

impl Found<'_> {
    fn add(&mut self, range: Range<usize>) -> Result<(), Fault> {
        if self.ranges.len() == self.messages_max {
            let reason = format!("more than {} messages in one body", self.messages_max);
            return Err(Fault::at(self.body, range.start, reason));
        }
        self.ranges.push(range);
        Ok(())
    }

    fn lines(&mut self, of_json: bool) -> Result<(), Fault> {
        let mut at = 0;
        while at < self.body.len() {
            let end = memchr(b'\n', &self.body[at..]).map_or(self.body.len(), |len| at + len);
            let line = trim(self.body, at..end, |byte| if of_json { is_space(byte) } else { byte == b'\r' });
            if !line.is_empty() {
                if of_json {
                    document(self.body, line.clone())?;
                }
                self.add(line)?;
            }
            at = end + 1;
        }
        Ok(())
    }

    /// Documents that follow each other; arrays are unrolled.
    fn documents(&mut self) -> Result<(), Fault> {
        let body = self.body;
        let mut at = 0;
        loop {
            at = trim(body, at..body.len(), is_space).start;
            if at >= body.len() {
                return Ok(());
            }
            let mut stream = serde_json::Deserializer::from_slice(&body[at..]).into_iter::<&RawValue>();
            let value = match stream.next() {
                Some(Ok(value)) => value,
                Some(Err(error)) => return Err(Fault::of_json(body, at, &error)),
                None => return Ok(()),
            };
            let next = at + stream.byte_offset();
            if value.get().starts_with('[') {
                let mut parser = serde_json::Deserializer::from_slice(&body[at..next]);
                let mut fault = None;
                let elements = Elements { found: self, from: at, fault: &mut fault };
                let result = parser.deserialize_seq(elements);
                if let Some(fault) = fault {
                    return Err(fault);
                }
                result.map_err(|error| Fault::of_json(body, at, &error))?;
            } else {
                let start = at;
                self.add(start..start + value.get().len())?;
            }
            at = next;
        }
    }
}

/// Whether a range of a body holds one JSON document.
pub(in crate::source) fn document(body: &[u8], range: Range<usize>) -> Result<(), Fault> {
    match serde_json::from_slice::<&RawValue>(&body[range.clone()]) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::of_json(body, range.start, &error)),
    }
}

/// Puts the elements of an array down by their place.
struct Elements<'a, 'b> {
    found: &'a mut Found<'b>,
    /// Where in the body the array begins.
    from: usize,
    fault: &'a mut Option<Fault>,
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let array = self.found.body[self.from..].as_ptr() as usize;
        while let Some(element) = list.next_element_seed(Raw)? {
            // The parser lends text of the array itself, so its address tells the place.
            let start = self.from + (element.as_ptr() as usize).saturating_sub(array);
            if let Err(fault) = self.found.add(start..start + element.len()) {
                *self.fault = Some(fault);
                return Err(serde::de::Error::custom("too many messages"));
            }
        }
        Ok(())
    }
}

struct Raw;

impl<'de> DeserializeSeed<'de> for Raw {
    type Value = &'de str;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<&'de str, D::Error> {
        use serde::Deserialize;
        <&RawValue>::deserialize(from).map(RawValue::get)
    }
}

/// White space of JSON.
pub(in crate::source) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A range without what it begins and ends with of these.
pub(in crate::source) fn trim(body: &[u8], range: Range<usize>, of: impl Fn(u8) -> bool) -> Range<usize> {
    let part = &body[range.clone()];
    let Some(first) = part.iter().position(|byte| !of(*byte)) else { return range.end..range.end };
    let last = part.iter().rposition(|byte| !of(*byte)).unwrap_or(first);
    range.start + first..range.start + last + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(body: &str, shape: Shape) -> Result<Vec<String>, String> {
        let found = messages(body.as_bytes(), shape, 100).map_err(|fault| fault.to_string())?;
        Ok(found
            .into_iter()
            .map(|range| String::from_utf8_lossy(&body.as_bytes()[range]).into_owned())
            .collect())
    }

    #[test]
    fn each_shape_gives_its_messages() {
        for (shape, body, wanted) in [
            (Shape::Lines, "a\r\n\n b \nc", "a| b |c"),
            (Shape::Ndjson, "{\"a\":1}\r\n\n {\"b\": 2} \n\"c\"", "{\"a\":1}|{\"b\": 2}|\"c\""),
            (Shape::Json, " [ {\"a\" : 1},\n[2] , \"x\" ,3] ", "{\"a\" : 1}|[2]|\"x\"|3"),
            (Shape::Json, "{\"a\":\n1}", "{\"a\":\n1}"),
            (Shape::Json, "{\"a\":1}{\"b\":2}\n[{\"c\":3}]", "{\"a\":1}|{\"b\":2}|{\"c\":3}"),
            (Shape::Json, "[]", ""),
            (Shape::Json, " \n", ""),
        ] {
            assert_eq!(texts(body, shape).expect("messages").join("|"), wanted, "{body}");
        }
    }

    #[test]
    fn a_fault_has_its_place() {
        for (shape, body, wanted) in [
            (Shape::Ndjson, "{}\n{\"a\":}\n", "line 2, byte 6: expected value"),
            (Shape::Ndjson, "{} {}\n", "line 1, byte 4: trailing characters"),
            (Shape::Json, "[{},\n {\"a\" 1}]", "line 2, byte 7: expected `:`"),
            (Shape::Json, "{}\n{} x", "line 2, byte 4: expected value"),
            (Shape::Json, "[1, 2", "line 1, byte 5: EOF while parsing a list"),
        ] {
            assert_eq!(texts(body, shape).expect_err("a fault"), wanted, "{body}");
        }
        let found = messages(b"[1,2,3]", Shape::Json, 2).expect_err("too many").to_string();
        assert_eq!(found, "line 1, byte 6: more than 2 messages in one body");
    }

    proptest! {
        /// Elements of an array are the bytes that were put in, whatever stands around them.
        #[test]
        fn an_array_is_unrolled_by_its_bytes(
            parts in prop::collection::vec(("[ \n]{0,2}", "[0-9]{1,3}|\"[a-z\\[\\],]{0,5}\"|\\{\"a\" ?: ?[1-9]\\}"), 0..9),
        ) {
            let inner: Vec<_> = parts.iter().map(|(space, text)| format!("{space}{}{space}", number(text))).collect();
            let wanted: Vec<_> = parts.iter().map(|(_, text)| number(text)).collect();
            prop_assert_eq!(texts(&format!("[{}]", inner.join(",")), Shape::Json), Ok(wanted));
        }

        /// No body makes it panic, and what it finds is in the body.
        #[test]
        fn no_body_panics(body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"[]{}\",:1 \n".to_vec())], 0..60)) {
            for shape in [Shape::Json, Shape::Ndjson, Shape::Lines] {
                if let Ok(found) = messages(&body, shape, 10) {
                    prop_assert!(found.iter().all(|range| body.get(range.clone()).is_some_and(|text| !text.is_empty())));
                }
            }
        }
    }

    /// A number without leading zeros.
    fn number(text: &str) -> String {
        text.parse::<u32>().map_or_else(|_| text.to_owned(), |number| number.to_string())
    }
}
