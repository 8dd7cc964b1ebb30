//! JSON text read and written.

use std::collections::HashMap;
use std::ops::Range;

use super::{Body, Function, example, json_depth, keep, needs, span};
use crate::event::{Span, Value, raw};
use crate::limits::JSON_DEPTH_MAX;
use crate::signature::{Signature, Type};

/// `parse_json(text)`
pub(super) static PARSE_JSON: Function = Function {
    signature: &Signature {
        name: "parse_json",
        summary: "the value that a JSON text stands for",
        doc: "RFC 8259. Of equal keys of an object the last counts. Missing where the text is no JSON, or is \
              nested too deep. To spread a whole message over the event, `parse … as json` is faster.",
        form: "parse_json(text: text) -> any",
        options: &[],
        examples: &[
            example("an object", r#"parse_json("{\"a\": [1, 2]}")"#, r#"{"a":[1,2]}"#),
            example("a number", "parse_json(\"1.5\")", "1.5"),
            example("no JSON", "parse_json(\"{a:1}\")", "missing"),
        ],
    },
    params: &[needs("text", &[Type::Text])],
    returns: |_| Type::Any,
    fallible: true,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let span = span(args, 0)?;
        let mut out = texts.scratch();
        compact(texts.bytes(span), &mut out)?;
        let span: Span = keep(texts, out)?;
        Some(raw::value(texts, span))
    }),
};

/// `to_json(value)`
pub(super) static TO_JSON: Function = Function {
    signature: &Signature {
        name: "to_json",
        summary: "the JSON text of a value",
        doc: "RFC 8259, without blanks and line feeds.",
        form: "to_json(value: any) -> text",
        options: &[],
        examples: &[
            example("a text", r#"to_json("a\"b")"#, r#""\"a\\\"b\"""#),
            example("a list", "to_json([1, true])", "\"[1,true]\""),
        ],
    },
    params: &[needs("value", &[Type::Any])],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, texts| {
        let mut out = texts.scratch();
        crate::event::write_value(texts, *args.first()?, &mut out);
        keep(texts, out).map(Value::Text)
    }),
};

/// Appends a JSON text without blanks and without repeated keys: what [`Value::Object`] asks for. Linear.
fn compact(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if json_depth(text) > JSON_DEPTH_MAX {
        return None;
    }
    // Well-formed from here on; only escapes are left to check, where they are met.
    let checked: &serde_json::value::RawValue = serde_json::from_slice(text).ok()?;
    Copy { text: checked.get().as_bytes(), at: 0, out }.value()
}

/// A walk over well-formed JSON text.
struct Copy<'a> {
    text: &'a [u8],
    at: usize,
    out: &'a mut Vec<u8>,
}

impl Copy<'_> {
    /// The next byte that is no blank.
    fn next(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn value(&mut self) -> Option<()> {
        match self.next()? {
            b'{' => self.object(),
            b'[' => self.list(),
            b'"' => self.string().map(drop),
            _ => {
                let rest = self.text.get(self.at..)?;
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
                let len = rest.iter().position(ends).unwrap_or(rest.len());
                self.out.extend_from_slice(rest.get(..len)?);
                self.at += len;
                Some(())
            }
        }
    }

    /// Copies a string. `None` where its escapes make no text (a lone surrogate, RFC 8259 §8.2).
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at)?;
        self.out.extend_from_slice(quoted);
        serde_json::from_slice(quoted).ok()
    }

    fn list(&mut self) -> Option<()> {
        self.at += 1;
        self.out.push(b'[');
        while self.next()? != b']' {
            if self.next()? == b',' {
                self.at += 1;
            }
            self.value()?;
            self.out.push(b',');
        }
        self.at += 1;
        crate::expr::close(self.out, b']');
        Some(())
    }

    /// Of equal keys the last value stands, in the place of the first, as `parse … as json` has it.
    fn object(&mut self) -> Option<()> {
        self.at += 1;
        self.out.push(b'{');
        let start = self.out.len();
        let mut members: Vec<Range<usize>> = Vec::new();
        let mut known = HashMap::new();
        let mut repeated = false;
        while self.next()? != b'}' {
            if self.next()? == b',' {
                self.at += 1;
                self.next()?;
            }
            let before = self.out.len();
            let key = self.string()?;
            self.next()?;
            self.at += 1;
            self.out.push(b':');
            self.value()?;
            self.out.push(b',');
            let first = *known.entry(key).or_insert(members.len());
            match members.get_mut(first) {
                Some(member) => {
                    *member = before..self.out.len();
                    repeated = true;
                }
                None => members.push(before..self.out.len()),
            }
        }
        if repeated {
            let kept: Vec<&[u8]> = members.into_iter().filter_map(|member| self.out.get(member)).collect();
            let kept = kept.concat();
            self.out.truncate(start);
            self.out.extend_from_slice(&kept);
        }
        self.at += 1;
        crate::expr::close(self.out, b'}');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_repeated_keys_go() {
        let table = [
            (r#" { "a" : 1 , "a" : {"b":2} , "c" : [ ] } "#, Some(r#"{"a":{"b":2},"c":[]}"#)),
            ("[1 ,\n2,{ }]", Some("[1,2,{}]")),
            (r#"{"a":1,"b":3,"\u0061":2}"#, Some(r#"{"\u0061":2,"b":3}"#)),
            (r#""\ud800""#, None),
            ("[1", None),
            ("", None),
            ("nul", None),
        ];
        for (text, expected) in table {
            let mut out = Vec::new();
            let found =
                compact(text.as_bytes(), &mut out).map(|()| String::from_utf8_lossy(&out).into_owned());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(compact(deep(JSON_DEPTH_MAX).as_bytes(), &mut Vec::new()).is_some());
        assert!(compact(deep(JSON_DEPTH_MAX + 1).as_bytes(), &mut Vec::new()).is_none());
        assert!(compact(deep(1_000_000).as_bytes(), &mut Vec::new()).is_none());
    }
}
