//! Reads a document into a tree of positions.

use std::collections::HashSet;
use std::ops::Range;

use crate::event::work;
use crate::format::Mismatch;
use crate::limits::{JSON_DEPTH_MAX, REST_KEYS_MAX};

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: Range<usize>,
    pub(super) attributes: Vec<(Range<usize>, Range<usize>)>,
    pub(super) elements: Vec<Element>,
    /// Stretches of text, and whether entities stand in them.
    pub(super) text: Vec<(Range<usize>, bool)>,
}

impl Element {
    /// Where its name stands.
    pub(super) fn name(&self) -> Range<usize> {
        self.name.clone()
    }
}

/// Depth of elements. One can be an object in a list.
const DEPTH_MAX: usize = JSON_DEPTH_MAX / 2 - 1;

/// `document ::= prolog element Misc*` (§2.1)
pub(super) fn document(bytes: &[u8]) -> Result<Element, Mismatch> {
    let mut reader = Reader { bytes, at: 0 };
    if bytes.starts_with("\u{feff}".as_bytes()) {
        reader.at = 3;
    }
    reader.misc()?;
    let root = reader.tree()?;
    reader.misc()?;
    if reader.at < bytes.len() { Err(reader.wrong("text behind the xml document")) } else { Ok(root) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, reason: &'static str) -> Mismatch {
        Mismatch::at(self.at, reason)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    /// Passes over what begins here and ends with `end`.
    fn past(&mut self, end: &[u8], reason: &'static str) -> Result<Range<usize>, Mismatch> {
        let found = memchr::memmem::find(self.rest(), end);
        work::count(found.unwrap_or(self.rest().len()) + 1);
        match found {
            Some(len) => {
                let range = self.at..self.at + len;
                self.at += len + end.len();
                Ok(range)
            }
            None => Err(self.wrong(reason)),
        }
    }

    /// `Misc ::= Comment | PI | S` (§2.8), and the document's type.
    fn misc(&mut self) -> Result<(), Mismatch> {
        loop {
            self.blanks();
            let rest = self.rest();
            if rest.starts_with(b"<?") {
                self.past(b"?>", "an xml instruction is not closed")?;
            } else if rest.starts_with(b"<!--") {
                self.past(b"-->", "an xml comment is not closed")?;
            } else if rest.starts_with(b"<!DOCTYPE") {
                self.doctype()?;
            } else {
                return Ok(());
            }
        }
    }

    fn doctype(&mut self) -> Result<(), Mismatch> {
        let mut depth = 0usize;
        for (at, byte) in self.rest().iter().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                b'>' if depth == 0 => {
                    self.at += at + 1;
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(self.wrong("an xml document type is not closed"))
    }

    /// The root with all that is in it.
    fn tree(&mut self) -> Result<Element, Mismatch> {
        if !matches!(self.rest(), [b'<', byte, ..] if is_name(*byte)) {
            return Err(self.wrong("no xml element"));
        }
        let mut open: Vec<Element> = Vec::new();
        let mut count = 0usize;
        loop {
            if let Some(top) = open.last_mut() {
                let start = self.at;
                let len = memchr::memchr(b'<', self.rest());
                let len = len.ok_or_else(|| self.wrong("an xml element is not closed"))?;
                if len > 0 {
                    top.text.push((start..start + len, true));
                }
                self.at += len;
            }
            let rest = self.rest();
            let closed = if rest.starts_with(b"</") {
                self.close(open.pop())?
            } else if rest.starts_with(b"<!--") {
                self.past(b"-->", "an xml comment is not closed")?;
                continue;
            } else if rest.starts_with(b"<![CDATA[") {
                self.at += 9;
                let range = self.past(b"]]>", "an xml character section is not closed")?;
                if let Some(top) = open.last_mut() {
                    top.text.push((range, false));
                }
                continue;
            } else if rest.starts_with(b"<?") {
                self.past(b"?>", "an xml instruction is not closed")?;
                continue;
            } else {
                count += 1;
                if count > REST_KEYS_MAX * 4 || open.len() >= DEPTH_MAX {
                    let deep = open.len() >= DEPTH_MAX;
                    return Err(self.wrong(if deep {
                        "xml is nested too deeply"
                    } else {
                        "more xml elements than an event may have"
                    }));
                }
                let (element, empty) = self.start()?;
                if !empty {
                    open.push(element);
                    continue;
                }
                element
            };
            match open.last_mut() {
                Some(parent) => parent.elements.push(closed),
                None => return Ok(closed),
            }
        }
    }

    fn name(&mut self) -> Range<usize> {
        let len = self.rest().iter().take_while(|byte| is_name(**byte)).count();
        work::count(1 + len);
        let range = self.at..self.at + len;
        self.at += len;
        range
    }

    /// `STag ::= '<' Name (S Attribute)* S? '>'` (§3.1), and whether it closes itself.
    fn start(&mut self) -> Result<(Element, bool), Mismatch> {
        self.at += 1;
        let name = self.name();
        if name.is_empty() {
            return Err(self.wrong("no name of an xml element"));
        }
        let mut element = Element { name, ..Element::default() };
        let mut seen = HashSet::new();
        loop {
            self.blanks();
            match self.rest() {
                [b'>', ..] => {
                    self.at += 1;
                    return Ok((element, false));
                }
                [b'/', b'>', ..] => {
                    self.at += 2;
                    return Ok((element, true));
                }
                [] => return Err(self.wrong("an xml element is not closed")),
                _ => {}
            }
            let start = self.at;
            let wrong = Mismatch::at(start, "not an xml attribute");
            let name = self.name();
            self.blanks();
            if name.is_empty() || self.rest().first() != Some(&b'=') {
                return Err(wrong);
            }
            self.at += 1;
            self.blanks();
            let quote = self.rest().first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
            let quote = quote.ok_or(wrong)?;
            self.at += 1;
            let value = self.past(&[quote], "an xml attribute is not closed")?;
            if !seen.insert(&self.bytes[name.clone()]) {
                return Err(Mismatch::at(start, "an xml attribute is there twice"));
            }
            element.attributes.push((name, value));
        }
    }

    fn close(&mut self, open: Option<Element>) -> Result<Element, Mismatch> {
        let start = self.at;
        self.at += 2;
        let name = self.name();
        self.blanks();
        let element = open.filter(|open| self.bytes[open.name.clone()] == self.bytes[name]);
        match (element, self.rest().first()) {
            (Some(element), Some(b'>')) => {
                self.at += 1;
                Ok(element)
            }
            (Some(_), _) => Err(self.wrong("an xml element is not closed")),
            (None, _) => Err(Mismatch::at(start, "an xml element is closed by another's name")),
        }
    }
}

/// Any byte that ends no name: this reader does not judge characters beyond ASCII (§2.3).
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.') || byte >= 0x80
}
