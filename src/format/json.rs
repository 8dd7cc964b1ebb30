//! JSON objects (RFC 8259), checked while they are read, in one pass.
//!
//! Members that the pipeline names go to their slots, through named objects as deep as those go; all others keep
//! their text as it is. A string is copied only if it holds an escape, an object only if it holds a line feed or
//! a key twice; where the message itself has a key twice, it is written anew and read again. What `serde_json` refuses is refused.

mod compact;
mod scan;

use scan::Scanner;
pub(super) use scan::unescape;

use super::keys::{Keys, fingerprint};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Facts, Layout, Slot, Span, Texts, Value};
use crate::limits::{REST_KEYS_MAX, SLOTS_MAX};
use crate::signature::{Example, Signature};

/// The format as the list has it.
pub const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "json",
        summary: "a JSON object; its members become fields",
        doc: "Members that the pipeline names keep their types; others are carried along as they stand. A key with \
              dots is a path. The last of equal keys counts.",
        form: "json",
        options: &[],
        examples: EXAMPLES,
    },
    gives: |_| Ok(Gives { fields: Vec::new(), open: true }),
    bind: |bind| Ok(Box::new(Json::new(bind)?)),
};

const EXAMPLES: &[Example] = &[Example {
    title: "members become fields",
    source: "parse .message as json",
    input: r#"{"message": "{\"level\":\"info\",\"http.status\":200}"}"#,
    result: r#"{"message": "{\"level\":\"info\",\"http.status\":200}", "level": "info", "http": {"status": 200}}"#,
}];

/// The format, bound.
#[derive(Debug)]
pub struct Json {
    /// Named objects; 0 is the one that the format writes to.
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    slot: Slot,
    children: Vec<Child>,
    /// Where a child is, by bits of its fingerprint or in one of the next places: one more than its number.
    /// There are at least twice as many places as children.
    places: Box<[u16]>,
}

impl Node {
    fn new(slot: Slot, children: Vec<Child>) -> Self {
        let mut places = vec![0u16; (2 * children.len()).next_power_of_two()];
        let last = places.len() - 1;
        for (number, child) in (1..).zip(&children) {
            let mut at = place(child.fingerprint) & last;
            while places[at] != 0 {
                at = (at + 1) & last;
            }
            places[at] = number;
        }
        Self { slot, children, places: places.into() }
    }

    #[inline]
    fn child(&self, print: u64, key: &[u8]) -> Option<&Child> {
        let is_it = |child: &&Child| child.fingerprint == print && *child.key == *key;
        if self.children.len() <= FEW {
            return self.children.iter().find(is_it);
        }
        let last = self.places.len() - 1;
        let mut at = place(print) & last;
        loop {
            let child = self.children.get((*self.places.get(at)? as usize).wrapping_sub(1))?;
            if is_it(&child) {
                return Some(child);
            }
            at = (at + 1) & last;
        }
    }
}

/// Children that are sooner compared one by one than looked up.
const FEW: usize = 8;

/// Bits that differ where two fingerprints do, mostly.
#[inline]
fn place(print: u64) -> usize {
    (print.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

#[derive(Debug)]
struct Child {
    fingerprint: u64,
    key: Box<[u8]>,
    slot: Slot,
    /// Its node, where paths below it are named.
    node: Option<usize>,
}

impl Json {
    /// Binds to everything that the layout names below the prefix.
    pub fn new(bind: &Bind<'_>) -> Result<Self, String> {
        Ok(Self::below(bind.layout, bind.root()?))
    }

    /// For a layout of its own, whose fields are moved to the event afterwards.
    pub fn apart(layout: &Layout) -> Self {
        Self::below(layout, 0)
    }

    fn below(layout: &Layout, root: Slot) -> Self {
        let mut nodes = Vec::new();
        add(layout, root, &mut nodes);
        Self { nodes }
    }
}

fn add(layout: &Layout, slot: Slot, nodes: &mut Vec<Node>) -> usize {
    let at = nodes.len();
    nodes.push(Node::new(slot, Vec::new()));
    let mut children = Vec::new();
    let mut next = slot + 1;
    while next < layout.end(slot) {
        let key: Box<[u8]> = layout.key(next).as_bytes().into();
        let end = layout.end(next);
        let node = layout.has_children(next).then(|| add(layout, next, nodes));
        children.push(Child { fingerprint: fingerprint(&key), key, slot: next, node });
        next = end;
    }
    nodes[at] = Node::new(slot, children);
    at
}

impl Format for Json {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        if texts.text(input).is_none() {
            return Err(Mismatch::at(0, "not utf-8"));
        }
        let mark = fields.len();
        if self.read(input, texts, fields)? {
            return self.read_tidy(mark, input, texts, fields);
        }
        Ok(())
    }
}

impl Json {
    /// Reads an object; true where it may hold a key twice, and what was read means nothing.
    fn read(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<bool, Mismatch> {
        let derived = texts.derived_bytes();
        let mut scratch = texts.scratch();
        let mut reader = Reader {
            nodes: &self.nodes,
            scanner: Scanner::new(texts.bytes(input)),
            span: input.with(Facts::UNKNOWN),
            fields,
            scratch: &mut scratch,
            derived,
            twice: false,
        };
        let done = reader.whole().map(|()| reader.twice);
        texts.keep(scratch);
        done
    }

    /// The value of a member whose key ends at an offset of a text; nothing where none stands there.
    pub(crate) fn value_behind(key_end: usize, input: Span, texts: &mut Texts) -> Option<Value> {
        let mut fields = Fields::new();
        let derived = texts.derived_bytes();
        let mut scratch = texts.scratch();
        let mut scanner = Scanner::new(texts.bytes(input));
        scanner.at = key_end;
        let span = input.with(Facts::UNKNOWN);
        let mut reader = Reader {
            nodes: &[],
            scanner,
            span,
            fields: &mut fields,
            scratch: &mut scratch,
            derived,
            twice: false,
        };
        let value = reader.scanner.colon().and_then(|_| reader.value());
        texts.keep(scratch);
        value.ok()
    }

    /// Reads an object that may hold a key twice: first it is written so that it does not.
    #[cold]
    fn read_tidy(
        &self,
        mark: usize,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        fields.truncate(mark);
        let mut tidy = texts.scratch();
        compact::write(texts.bytes(input).trim_ascii(), &mut tidy);
        let tidy = texts.keep(tidy);
        // Two keys that only look alike are told so once more.
        self.read(tidy, texts, fields).map(drop)
    }
}

struct Reader<'a> {
    nodes: &'a [Node],
    scanner: Scanner<'a>,
    span: Span,
    fields: &'a mut Fields,
    /// Derived text; it will stand in the arena from `derived` on.
    scratch: &'a mut Vec<u8>,
    derived: usize,
    /// Whether two keys of an object may be equal.
    twice: bool,
}

impl Reader<'_> {
    fn whole(&mut self) -> Result<(), Mismatch> {
        self.scanner.blanks();
        if self.scanner.peek() != Some(b'{') {
            return Err(self.scanner.wrong("not a json object"));
        }
        self.object(0)?;
        self.scanner.blanks();
        match self.scanner.peek() {
            None => Ok(()),
            Some(_) => Err(self.scanner.wrong("text behind the json object")),
        }
    }

    /// An object whose members the layout may name.
    fn object(&mut self, node: usize) -> Result<(), Mismatch> {
        let node = &self.nodes[node];
        self.scanner.at += 1;
        self.scanner.blanks();
        if self.scanner.peek() == Some(b'}') {
            self.scanner.at += 1;
            return Ok(());
        }
        let mut keys = Keys::default();
        loop {
            let (start, end, escaped) = self.scanner.key()?;
            self.scanner.colon()?;
            if escaped {
                let key = self.unescape(start, end);
                let print = fingerprint(self.derived_bytes(key));
                self.member(node, key, print, &mut keys)?;
            } else {
                let key = self.span.part(start, end - start).with(Facts::PLAIN);
                let print = fingerprint(self.scanner.slice(start, end));
                self.member(node, key, print, &mut keys)?;
            }
            if !self.scanner.another(b'}')? {
                return Ok(());
            }
        }
    }

    #[inline]
    fn member(&mut self, node: &Node, key: Span, print: u64, keys: &mut Keys) -> Result<(), Mismatch> {
        let bytes = if key.buffer == Span::ARENA && key.facts == Facts::UNKNOWN && self.is_derived(key) {
            self.derived_bytes(key)
        } else {
            let from = (key.start - self.span.start) as usize;
            self.scanner.slice(from, from + key.len as usize)
        };
        let child = node.child(print, bytes);
        let is_path = child.is_none() && bytes.contains(&b'.');
        self.twice |= keys.seen(print);
        if keys.len() > REST_KEYS_MAX && (child.is_none() || keys.len() > REST_KEYS_MAX + SLOTS_MAX) {
            return Err(self.scanner.wrong("more keys than an event may have"));
        }
        match child {
            Some(Child { node: Some(below), .. }) if self.scanner.peek() == Some(b'{') => self.object(*below),
            Some(child) => {
                let value = self.value()?;
                self.fields.push((Target::Slot(child.slot), value));
                Ok(())
            }
            None => {
                let value = self.value()?;
                let to = if is_path { Target::Key(node.slot, key) } else { Target::Rest(node.slot, key) };
                self.fields.push((to, value));
                Ok(())
            }
        }
    }

    #[inline]
    fn value(&mut self) -> Result<Value, Mismatch> {
        let start = self.scanner.at;
        match self.scanner.peek() {
            Some(b'"') => {
                let (start, end, escaped) = self.scanner.string()?;
                Ok(Value::Text(if escaped {
                    self.unescape(start, end)
                } else {
                    self.span.part(start, end - start).with(Facts::PLAIN)
                }))
            }
            Some(open @ (b'{' | b'[')) => {
                let untidy = self.scanner.nested()?;
                let end = self.scanner.at;
                let span = if untidy { self.rewrite(start, end) } else { self.span.part(start, end - start) };
                Ok(if open == b'{' { Value::Object(span) } else { Value::List(span) })
            }
            Some(b't') => self.scanner.word(b"true").map(|()| Value::Bool(true)),
            Some(b'f') => self.scanner.word(b"false").map(|()| Value::Bool(false)),
            Some(b'n') => self.scanner.word(b"null").map(|()| Value::Null),
            _ => {
                let number = self.scanner.number()?;
                let end = self.scanner.at;
                Ok(number.unwrap_or_else(|| Value::Number(self.span.part(start, end - start))))
            }
        }
    }

    fn unescape(&mut self, start: usize, end: usize) -> Span {
        let from = self.scratch.len();
        scan::unescape(self.scanner.slice(start, end), self.scratch);
        self.derived_span(from)
    }

    fn rewrite(&mut self, start: usize, end: usize) -> Span {
        let from = self.scratch.len();
        compact::write(self.scanner.slice(start, end), self.scratch);
        self.derived_span(from)
    }

    fn derived_span(&self, from: usize) -> Span {
        Span {
            start: (self.derived + from) as u32,
            len: (self.scratch.len() - from) as u32,
            buffer: Span::ARENA,
            facts: Facts::UNKNOWN,
        }
    }

    fn is_derived(&self, span: Span) -> bool {
        span.buffer == Span::ARENA && span.start as usize >= self.derived
    }

    fn derived_bytes(&self, span: Span) -> &[u8] {
        let from = span.start as usize - self.derived;
        self.scratch.get(from..from + span.len as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
