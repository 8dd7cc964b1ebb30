//! Reads a pattern: grok references in a regular expression as Oniguruma writes it (<https://github.com/kkos/oniguruma>,
//! doc/RE), in Ruby's syntax, which Logstash uses: `^` and `$` are those of a line, `.` is any character.

use super::library::Library;
use super::node::{Assert, Look, Node, Repeat, Set};
use crate::diag::nearest;
use crate::limits::{GROK_DEPTH_MAX, GROK_NODES_MAX, GROK_REPEAT_MAX};
use crate::signature::Type;

/// A part of a pattern that becomes a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capture {
    /// Dotted path.
    pub(super) path: String,
    /// What it is converted to.
    pub(super) ty: Type,
}

/// Reads patterns and counts what they need.
pub(super) struct Reader<'a> {
    library: &'a Library,
    /// Captures so far, by their number.
    pub(super) captures: Vec<Capture>,
    nodes: usize,
    /// Names that are being read, outermost first.
    inside: Vec<String>,
}

/// The place in one definition.
struct Text<'t> {
    text: &'t [u8],
    at: usize,
    any_case: bool,
    spaced: bool,
    depth: usize,
}

impl Text<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, what: &[u8]) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    fn until(&mut self, end: u8) -> Option<String> {
        let len = memchr::memchr(end, self.rest())?;
        let text = String::from_utf8_lossy(&self.rest()[..len]).into_owned();
        self.at += len + 1;
        Some(text)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(library: &'a Library) -> Self {
        Self { library, captures: Vec::new(), nodes: 0, inside: Vec::new() }
    }

    /// Reads a whole pattern. The error names the place.
    pub(super) fn read(&mut self, pattern: &str) -> Result<Node, String> {
        self.read_with(pattern, (false, false))
    }

    fn read_with(&mut self, pattern: &str, (any_case, spaced): (bool, bool)) -> Result<Node, String> {
        let text = pattern.as_bytes();
        let mut text = Text { text, at: 0, any_case, spaced, depth: self.inside.len() };
        let node = self.alternatives(&mut text)?;
        if text.at < text.text.len() {
            return Err(self.wrong(text.at, "a `)` without its `(`"));
        }
        Ok(node)
    }

    fn wrong(&self, at: usize, why: &str) -> String {
        match self.inside.last() {
            Some(name) => format!("in the pattern {name}, at byte {at}: {why}"),
            None => format!("at byte {at} of the pattern: {why}"),
        }
    }

    fn count(&mut self, at: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > GROK_NODES_MAX {
            return Err(self.wrong(at, "the pattern with all that it names is too large"));
        }
        Ok(())
    }

    fn alternatives(&mut self, text: &mut Text<'_>) -> Result<Node, String> {
        text.depth += 1;
        if text.depth > GROK_DEPTH_MAX {
            return Err(self.wrong(text.at, "parts are nested too deeply"));
        }
        let (any_case, spaced) = (text.any_case, text.spaced);
        let mut all = vec![self.sequence(text)?];
        while text.eat(b"|") {
            all.push(self.sequence(text)?);
        }
        (text.any_case, text.spaced) = (any_case, spaced);
        text.depth -= 1;
        Ok(if all.len() == 1 { all.swap_remove(0) } else { Node::Alt(all) })
    }

    fn sequence(&mut self, text: &mut Text<'_>) -> Result<Node, String> {
        let mut parts: Vec<Node> = Vec::new();
        while let Some(byte) = text.peek() {
            if matches!(byte, b'|' | b')') {
                break;
            }
            if text.spaced && (byte.is_ascii_whitespace() || byte == b'#') {
                let len = if byte == b'#' { memchr::memchr(b'\n', text.rest()) } else { Some(1) };
                text.at += len.unwrap_or(text.rest().len());
                continue;
            }
            let start = text.at;
            self.count(start)?;
            // `(?i)` and its like hold for the rest of the group.
            if self.flags(text)? {
                continue;
            }
            let part = self.part(text)?;
            let part = self.repeated(part, text, start)?;
            match (parts.last_mut(), part) {
                (Some(Node::Bytes(before)), Node::Bytes(more)) => before.extend(more),
                (_, Node::Empty) => {}
                (_, part) => parts.push(part),
            }
        }
        Ok(Node::cat(parts))
    }

    /// `(?imx-imx)` without a body.
    fn flags(&mut self, text: &mut Text<'_>) -> Result<bool, String> {
        let Some(flags) = text.rest().strip_prefix(b"(?") else { return Ok(false) };
        let len = flags.iter().take_while(|byte| matches!(byte, b'i' | b'm' | b'x' | b'-')).count();
        if len == 0 || flags.get(len) != Some(&b')') {
            return Ok(false);
        }
        set_flags(text, len);
        text.at += 1;
        Ok(true)
    }

    /// Behind a part: how often it is there.
    fn repeated(&mut self, mut node: Node, text: &mut Text<'_>, start: usize) -> Result<Node, String> {
        loop {
            let at = text.at;
            let (min, max, interval) = match text.peek() {
                Some(b'*') => (0, None, false),
                Some(b'+') => (1, None, false),
                Some(b'?') => (0, Some(1), false),
                Some(b'{') => match interval(text.rest()) {
                    Some((min, max, len)) => {
                        text.at += len - 1;
                        (min, max, true)
                    }
                    None => return Ok(node),
                },
                _ => return Ok(node),
            };
            text.at += 1;
            if min > GROK_REPEAT_MAX || max.is_some_and(|max| max > GROK_REPEAT_MAX) {
                return Err(self.wrong(at, &format!("a part is repeated more than {GROK_REPEAT_MAX} times")));
            }
            if max.is_some_and(|max| max < min) {
                return Err(self.wrong(at, "the least number of a repetition is above its most"));
            }
            let lazy = text.eat(b"?");
            // Behind `{n,m}` a `+` repeats that once more, as Ruby has it.
            let possessive = !lazy && !interval && text.eat(b"+");
            // One repetition of what is short is written out, so that it joins the literals around it.
            let bytes = if let Node::Bytes(bytes) = &node { bytes.len() } else { 0 };
            if bytes > 1 {
                return Err(self.wrong(start, "a repetition of a text needs a group around it"));
            }
            let repeat = Repeat { node, min, max, greedy: !lazy };
            node = Node::Repeat(Box::new(repeat));
            if possessive {
                node = Node::Atomic(Box::new(node));
            }
        }
    }

    fn part(&mut self, text: &mut Text<'_>) -> Result<Node, String> {
        let start = text.at;
        match text.text[start] {
            b'%' if text.rest().starts_with(b"%{") => {
                if let Some(node) = self.reference(text)? {
                    return Ok(node);
                }
                text.at = start + 1;
                Ok(Node::Bytes(b"%".to_vec()))
            }
            b'(' => self.group(text),
            b'[' => self.class(text),
            b'\\' => self.escape(text),
            b'.' => {
                text.at += 1;
                Ok(Node::Set(Set::ALL))
            }
            b'^' => {
                text.at += 1;
                Ok(Node::Assert(Assert::LineStart))
            }
            b'$' => {
                text.at += 1;
                Ok(Node::Assert(Assert::LineEnd))
            }
            b'*' | b'+' | b'?' => Err(self.wrong(start, "there is nothing to repeat")),
            byte if byte < 0x80 => {
                text.at += 1;
                Ok(literal(byte, text.any_case))
            }
            _ => {
                // One character of several bytes.
                text.at += 1;
                while text.peek().is_some_and(|byte| byte & 0xc0 == 0x80) {
                    text.at += 1;
                }
                Ok(character(&text.text[start..text.at]))
            }
        }
    }

    /// `%{NAME:field:type}`, or nothing where it is not of that form.
    fn reference(&mut self, text: &mut Text<'_>) -> Result<Option<Node>, String> {
        let start = text.at;
        text.at += 2;
        let Some(inner) = text.until(b'}') else { return Ok(None) };
        let (name, field) = match inner.split_once(':') {
            Some((name, field)) => (name, Some(field)),
            None => (inner.as_str(), None),
        };
        if name.is_empty() || !name.bytes().all(|byte| Set::word().has(byte) || byte == b'-') {
            return Ok(None);
        }
        let capture = field.map(|field| self.capture(field, start)).transpose()?.flatten();
        let node = self.named(name, start, (text.any_case, text.spaced))?;
        Ok(Some(match capture {
            Some(number) => Node::Capture(number, Box::new(node)),
            // What is named is one part: no repetition behind it is of its last byte only.
            None => grouped(node),
        }))
    }

    /// The pattern of a name. Flags hold within it, as if it were written in place.
    fn named(&mut self, name: &str, at: usize, flags: (bool, bool)) -> Result<Node, String> {
        if name == "IPV6_ADDRESS" {
            return Ok(Node::Ip6);
        }
        if name == "IPV4_ADDRESS" {
            return Ok(Node::Ip4);
        }
        let library = self.library;
        let Some(body) = library.get(name) else {
            let near = nearest(name, library.names());
            let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(self.wrong(at, &format!("there is no pattern {name}{near}")));
        };
        if self.inside.iter().any(|outer| outer == name) {
            return Err(self.wrong(at, &format!("the pattern {name} is made of itself")));
        }
        if self.inside.len() >= GROK_DEPTH_MAX {
            return Err(self.wrong(at, "patterns are nested too deeply"));
        }
        self.inside.push(name.to_owned());
        let node = self.read_with(body, flags);
        self.inside.pop();
        node
    }

    /// A field such as `[a][b]:int` or `a.b`.
    fn capture(&mut self, written: &str, at: usize) -> Result<Option<usize>, String> {
        let (field, ty) = match written.rsplit_once(':') {
            None => (written, Type::Text),
            Some((field, kind)) => match kind {
                "int" | "integer" | "long" => (field, Type::Int),
                "float" | "double" => (field, Type::Float),
                "bool" | "boolean" => (field, Type::Bool),
                "string" | "text" => (field, Type::Text),
                "ip" => (field, Type::Ip),
                "timestamp" => (field, Type::Timestamp),
                _ => {
                    let why = format!("`{kind}` is no type; int, float, bool, ip, timestamp and text are");
                    return Err(self.wrong(at, &why));
                }
            },
        };
        // A few pattern files that are around have a stray `?` in a name.
        let field: String = field.chars().filter(|letter| *letter != '?').collect();
        let path = match field.strip_prefix('[').and_then(|field| field.strip_suffix(']')) {
            Some(keys) => keys.replace("][", "."),
            None => field.trim_start_matches('.').to_owned(),
        };
        if path.is_empty() {
            return Ok(None);
        }
        if path.split('.').any(str::is_empty) || path.contains(['[', ']']) {
            return Err(self.wrong(at, &format!("`{written}` is no field; write [a][b] or a.b")));
        }
        self.captures.push(Capture { path, ty });
        Ok(Some(self.captures.len() - 1))
    }

    fn group(&mut self, text: &mut Text<'_>) -> Result<Node, String> {
        let start = text.at;
        let mut capture = None;
        let mut kind = Kind::Plain;
        if text.eat(b"(?#") {
            text.until(b')').ok_or_else(|| self.wrong(start, "this comment is not closed"))?;
            return Ok(Node::Empty);
        }
        let (any_case, spaced) = (text.any_case, text.spaced);
        if text.eat(b"(?:") {
        } else if text.eat(b"(?>") {
            kind = Kind::Atomic;
        } else if text.eat(b"(?=") {
            kind = Kind::Look { ahead: true, negate: false };
        } else if text.eat(b"(?!") {
            kind = Kind::Look { ahead: true, negate: true };
        } else if text.eat(b"(?<=") {
            kind = Kind::Look { ahead: false, negate: false };
        } else if text.eat(b"(?<!") {
            kind = Kind::Look { ahead: false, negate: true };
        } else if text.eat(b"(?<") || text.eat(b"(?P<") || text.eat(b"(?'") {
            let end = if text.text[text.at - 1] == b'\'' { b'\'' } else { b'>' };
            let name = text.until(end).ok_or_else(|| self.wrong(start, "this name is not closed"))?;
            capture = self.capture(&name, start)?;
        } else if text.rest().starts_with(b"(?(") || text.rest().starts_with(b"(?~") {
            let why = "conditions and absent parts are not matched in linear time; write the alternatives as two patterns, which are tried in order";
            return Err(self.wrong(start, why));
        } else if text.rest().starts_with(b"(?") {
            let len = text.text[start + 2..].iter().take_while(|byte| b"imx-".contains(byte)).count();
            if len == 0 || text.text.get(start + 2 + len) != Some(&b':') {
                return Err(self.wrong(start, "this kind of group is not known"));
            }
            set_flags(text, len);
            text.at += 1;
        } else {
            text.at += 1;
        }
        let node = self.alternatives(text)?;
        (text.any_case, text.spaced) = (any_case, spaced);
        if !text.eat(b")") {
            return Err(self.wrong(start, "this `(` is not closed"));
        }
        Ok(match (kind, capture) {
            (Kind::Plain, Some(number)) => Node::Capture(number, Box::new(node)),
            (Kind::Plain, None) => grouped(node),
            (Kind::Atomic, _) => Node::Atomic(Box::new(node)),
            (Kind::Look { ahead: true, negate: false }, _) if rest(&node).is_some() => {
                rest(&node).map_or(Node::Empty, Node::Rest)
            }
            (Kind::Look { ahead, negate }, _) => {
                let any = node.sequences().ok_or_else(|| self.wrong(start, LOOK))?;
                Node::Look(Look { ahead, negate, any })
            }
        })
    }

    fn escape(&mut self, text: &mut Text<'_>) -> Result<Node, String> {
        let start = text.at;
        let Some(&byte) = text.text.get(start + 1) else {
            return Err(self.wrong(start, "a `\\` at the end"));
        };
        text.at += 2;
        let assert = |assert| Ok(Node::Assert(assert));
        match byte {
            b'A' => assert(Assert::TextStart),
            b'z' => assert(Assert::TextEnd),
            b'Z' => assert(Assert::LastLineEnd),
            b'b' => assert(Assert::Word),
            b'B' => assert(Assert::NotWord),
            b'R' => Ok(Node::Alt(vec![Node::Bytes(b"\r\n".to_vec()), Node::Set(Set::range(b'\n', b'\r'))])),
            b'1'..=b'9' | b'k' => Err(self.wrong(start, BACK)),
            b'g' => {
                let why =
                    "calls of groups are not known; give the part a name with `patterns` and write %{NAME}";
                Err(self.wrong(start, why))
            }
            b'G' | b'K' | b'X' | b'p' | b'P' => {
                let why = format!("`\\{}` is not known", char::from(byte));
                Err(self.wrong(start, &why))
            }
            _ => {
                text.at = start;
                match self.class_escape(text)? {
                    Ok(set) => Ok(Node::Set(set)),
                    Err(code) => Ok(match u8::try_from(u32::from(code)).ok().filter(u8::is_ascii) {
                        Some(byte) => literal(byte, text.any_case),
                        None => character(code.encode_utf8(&mut [0; 4]).as_bytes()),
                    }),
                }
            }
        }
    }

    /// An escape as it may also stand in a class: a set, or one character.
    fn class_escape(&mut self, text: &mut Text<'_>) -> Result<Result<Set, char>, String> {
        let start = text.at;
        let Some(&byte) = text.text.get(start + 1) else {
            return Err(self.wrong(start, "a `\\` at the end"));
        };
        text.at += 2;
        let number = |reader: &Self, digits: &[u8], radix| {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
            code.ok_or_else(|| reader.wrong(start, "this is no character"))
        };
        Ok(match byte {
            b'd' => Ok(Set::digits()),
            b'D' => Ok(Set::digits().not()),
            b'w' => Ok(Set::word()),
            b'W' => Ok(Set::word().not()),
            b's' => Ok(Set::space()),
            b'S' => Ok(Set::space().not()),
            b'h' => Ok(Set::hex()),
            b'H' => Ok(Set::hex().not()),
            b'n' => Err('\n'),
            b't' => Err('\t'),
            b'r' => Err('\r'),
            b'f' => Err('\x0c'),
            b'v' => Err('\x0b'),
            b'a' => Err('\x07'),
            b'e' => Err('\x1b'),
            b'0' => Err('\0'),
            b'x' if text.peek() == Some(b'{') => {
                text.at += 1;
                let digits = text.until(b'}').ok_or_else(|| self.wrong(start, "this `{` is not closed"))?;
                Err(number(self, digits.as_bytes(), 16)?)
            }
            b'x' | b'u' => {
                let most = if byte == b'x' { 2 } else { 4 };
                let len = text.rest().iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
                let digits = text.rest()[..len].to_vec();
                text.at += len;
                Err(number(self, &digits, 16)?)
            }
            byte if byte < 0x80 => Err(char::from(byte)),
            _ => {
                text.at -= 1;
                Err(self.wide(text))
            }
        })
    }

    /// One character of any length.
    fn wide(&self, text: &mut Text<'_>) -> char {
        let len = match text.peek() {
            Some(byte) if byte >= 0xf0 => 4,
            Some(byte) if byte >= 0xe0 => 3,
            Some(byte) if byte >= 0xc0 => 2,
            _ => 1,
        };
        let bytes = text.rest().get(..len).unwrap_or_default();
        let found = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
        text.at += len;
        found.unwrap_or('\u{fffd}')
    }

    /// `[…]` as a part: a set, and the characters beyond ASCII that it names.
    fn class(&mut self, text: &mut Text<'_>) -> Result<Node, String> {
        let (set, wide) = self.class_items(text, 0)?;
        if wide.is_empty() || !set.and(Set::WIDE).is_empty() {
            return Ok(Node::Set(set));
        }
        let one = |letter: &char| Node::Bytes(letter.encode_utf8(&mut [0; 4]).as_bytes().to_vec());
        let mut all: Vec<Node> = wide.iter().map(one).collect();
        if !set.is_empty() {
            all.insert(0, Node::Set(set));
        }
        Ok(Node::Alt(all))
    }

    fn class_items(&mut self, text: &mut Text<'_>, depth: usize) -> Result<(Set, Vec<char>), String> {
        let start = text.at;
        if depth > 8 {
            return Err(self.wrong(start, "classes are nested too deeply"));
        }
        text.at += 1;
        let negate = text.eat(b"^");
        let (mut set, mut wide) = (Set::default(), Vec::new());
        let mut both: Option<Set> = None;
        let mut first = true;
        loop {
            let Some(byte) = text.peek() else {
                return Err(self.wrong(start, "this `[` is not closed"));
            };
            if byte == b']' && !first {
                text.at += 1;
                break;
            }
            first = false;
            if text.eat(b"&&") {
                both = Some(both.map_or(set, |both| both.and(set)));
                set = Set::default();
                continue;
            }
            if byte == b'[' {
                if text.rest().starts_with(b"[:") {
                    set = set.or(self.posix(text)?);
                } else {
                    let (inner, more) = self.class_items(text, depth + 1)?;
                    set = set.or(inner);
                    wide.extend(more);
                }
                continue;
            }
            let from = match self.class_item(text)? {
                Ok(more) => {
                    set = set.or(more);
                    continue;
                }
                Err(letter) => letter,
            };
            let is_range =
                text.peek() == Some(b'-') && !matches!(text.text.get(text.at + 1), None | Some(b']' | b'['));
            if !is_range {
                one(from, &mut set, &mut wide);
                continue;
            }
            let dash = text.at;
            text.at += 1;
            match self.class_item(text)? {
                Err(to) if from <= to => {
                    if let (Ok(from), to) = (u8::try_from(u32::from(from)), u32::from(to).min(0x7f) as u8)
                        && from < 0x80
                    {
                        set = set.or(Set::range(from, to));
                    }
                    if !to.is_ascii() {
                        set = set.or(Set::WIDE);
                    }
                }
                Err(_) => return Err(self.wrong(dash, "this range is empty")),
                // `[a-\d]`: the dash is one.
                Ok(more) => {
                    one(from, &mut set, &mut wide);
                    set.add(b'-');
                    set = set.or(more);
                }
            }
        }
        if let Some(both) = both {
            set = set.and(both);
        }
        if text.any_case {
            set = set.any_case();
        }
        if negate {
            return Ok((set.not(), Vec::new()));
        }
        Ok((set, wide))
    }

    fn class_item(&mut self, text: &mut Text<'_>) -> Result<Result<Set, char>, String> {
        match text.peek() {
            Some(b'\\') if text.text.get(text.at + 1) == Some(&b'b') => {
                text.at += 2;
                Ok(Err('\x08'))
            }
            Some(b'\\') => self.class_escape(text),
            Some(_) => Ok(Err(self.wide(text))),
            None => Err(self.wrong(text.at, "a class ends here")),
        }
    }

    /// `[:alpha:]` in a class.
    fn posix(&mut self, text: &mut Text<'_>) -> Result<Set, String> {
        let start = text.at;
        text.at += 2;
        let negate = text.eat(b"^");
        let name = text.until(b':').unwrap_or_default();
        if !text.eat(b"]") {
            return Err(self.wrong(start, "this class is not closed by `:]`"));
        }
        // Ruby's are those of Unicode.
        let set = match name.as_str() {
            "alnum" => Set::letters().or(Set::digits()).or(Set::WIDE),
            "alpha" => Set::letters().or(Set::WIDE),
            "upper" => Set::range(b'A', b'Z').or(Set::WIDE),
            "lower" => Set::range(b'a', b'z').or(Set::WIDE),
            "word" => Set::word().or(Set::WIDE),
            "digit" => Set::digits(),
            "xdigit" => Set::hex(),
            "space" => Set::space(),
            "blank" => Set::of(b" \t"),
            "cntrl" => Set::range(0, 0x1f).or(Set::of(&[0x7f])),
            "punct" => Set::range(0x21, 0x7e).and(Set::letters().or(Set::digits()).not()),
            "graph" => Set::range(0x21, 0x7e).or(Set::WIDE),
            "print" => Set::range(0x20, 0x7e).or(Set::WIDE),
            "ascii" => Set::range(0, 0x7f),
            _ => return Err(self.wrong(start, &format!("there is no class [:{name}:]"))),
        };
        Ok(if negate { set.not() } else { set })
    }
}

const BACK: &str =
    "back-references cannot be matched in linear time; capture both parts and compare the fields with `when`";
const LOOK: &str = "a look-around is known only for texts of a fixed length without captures; match the text itself and capture what is wanted of it, or write two patterns, which are tried in order";

enum Kind {
    Plain,
    Atomic,
    Look { ahead: bool, negate: bool },
}

/// The number of a capture of any text.
fn rest(node: &Node) -> Option<usize> {
    match node {
        Node::Capture(number, inner) => match &**inner {
            Node::Repeat(repeat) if repeat.min == 0 && repeat.max.is_none() && repeat.greedy => {
                matches!(repeat.node, Node::Set(Set::ALL)).then_some(*number)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Keeps a text of several bytes apart from a repetition behind it.
fn grouped(node: Node) -> Node {
    match node {
        Node::Bytes(bytes) if bytes.len() > 1 => Node::Alt(vec![Node::Bytes(bytes)]),
        node => node,
    }
}

fn literal(byte: u8, any_case: bool) -> Node {
    if any_case && byte.is_ascii_alphabetic() {
        return Node::Set(Set::of(&[byte]).any_case());
    }
    Node::Bytes(vec![byte])
}

fn character(bytes: &[u8]) -> Node {
    grouped(Node::Bytes(bytes.to_vec()))
}

fn one(letter: char, set: &mut Set, wide: &mut Vec<char>) {
    match u8::try_from(u32::from(letter)) {
        Ok(byte) if byte < 0x80 => set.add(byte),
        _ => wide.push(letter),
    }
}

/// Reads `(?imx-imx` of a known length.
fn set_flags(text: &mut Text<'_>, len: usize) {
    let mut on = true;
    for at in text.at + 2..text.at + 2 + len {
        match text.text[at] {
            b'-' => on = false,
            b'i' => text.any_case = on,
            b'x' => text.spaced = on,
            // `m`: `.` is a line feed too, as it is anyway.
            _ => {}
        }
    }
    text.at += 2 + len;
}

/// `{n}`, `{n,}`, `{,m}`, `{n,m}`: the numbers and the length.
fn interval(text: &[u8]) -> Option<(u32, Option<u32>, usize)> {
    let len = memchr::memchr(b'}', text)?;
    let inner = std::str::from_utf8(&text[1..len]).ok()?;
    let number = |text: &str| text.parse::<u32>().ok();
    let (min, max) = match inner.split_once(',') {
        None => (number(inner)?, Some(number(inner)?)),
        Some(("", "")) => return None,
        Some(("", max)) => (0, Some(number(max)?)),
        Some((min, "")) => (number(min)?, None),
        Some((min, max)) => (number(min)?, Some(number(max)?)),
    };
    Some((min, max, len + 1))
}
