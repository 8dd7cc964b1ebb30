//! Values that are known when a pipeline is compiled, and the buffer that holds their text.

use std::collections::HashMap;
use std::sync::Arc;

use super::function::is_plain;
use crate::event::{Facts, Span, Value, write_string};

/// A value known when a pipeline is compiled.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `42`, `16KiB`
    Int(i64),
    /// `2.5`, `99.9%`; finite.
    Float(f64),
    /// `5m`, in nanoseconds.
    Duration(i64),
    /// A point in time, in nanoseconds since 1970.
    Timestamp(i64),
    /// `"text"`
    Text(String),
    /// `[a, b]`
    List(Vec<Constant>),
    /// `{ a = 1 }`; no key twice.
    Object(Vec<(String, Constant)>),
}

impl Constant {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list of texts; a single text counts as one.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::List(items) => items.iter().map(Self::text).collect(),
            _ => None,
        }
    }

    /// Its JSON text.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(bool) => out.extend_from_slice(if *bool { b"true" } else { b"false" }),
            Self::Int(int) | Self::Duration(int) => {
                out.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes());
            }
            Self::Float(float) => out.extend_from_slice(zmij::Buffer::new().format_finite(*float).as_bytes()),
            Self::Timestamp(ns) => {
                out.push(b'"');
                crate::event::write_timestamp(*ns, out);
                out.push(b'"');
            }
            Self::Text(text) => write_string(text, out),
            Self::List(items) => {
                out.push(b'[');
                for item in items {
                    item.write_json(out);
                    out.push(b',');
                }
                super::close(out, b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (key, member) in members {
                    write_string(key, out);
                    out.push(b':');
                    member.write_json(out);
                    out.push(b',');
                }
                super::close(out, b'}');
            }
        }
    }
}

/// The texts of a plan's constants, each held once: what [`Span::CONSTANTS`] points into.
#[derive(Debug, Default)]
pub struct Constants {
    bytes: Vec<u8>,
    known: HashMap<Box<[u8]>, Span>,
}

impl Constants {
    /// The span of a text.
    pub fn text(&mut self, text: &str) -> Span {
        self.span(text.as_bytes())
    }

    /// The value of a constant, its text held here.
    pub fn value(&mut self, constant: &Constant) -> Value {
        match constant {
            Constant::Null => Value::Null,
            Constant::Bool(bool) => Value::Bool(*bool),
            Constant::Int(int) => Value::Int(*int),
            Constant::Float(float) => Value::Float(*float),
            Constant::Duration(ns) => Value::Duration(*ns),
            Constant::Timestamp(ns) => Value::Timestamp(*ns),
            Constant::Text(text) => Value::Text(self.text(text)),
            Constant::List(_) => Value::List(self.json(constant)),
            Constant::Object(_) => Value::Object(self.json(constant)),
        }
    }

    /// All texts, for [`crate::event::Row::new`].
    pub fn finish(self) -> Arc<[u8]> {
        self.bytes.into()
    }

    fn json(&mut self, constant: &Constant) -> Span {
        let mut json = Vec::new();
        constant.write_json(&mut json);
        self.span(&json)
    }

    fn span(&mut self, bytes: &[u8]) -> Span {
        if let Some(span) = self.known.get(bytes) {
            return *span;
        }
        let span = Span {
            start: self.bytes.len() as u32,
            len: bytes.len() as u32,
            buffer: Span::CONSTANTS,
            facts: if is_plain(bytes) { Facts::PLAIN } else { Facts::UNKNOWN },
        };
        self.bytes.extend_from_slice(bytes);
        self.known.insert(bytes.into(), span);
        span
    }
}
