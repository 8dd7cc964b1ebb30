//! Exceptions: the stack trace in a message gives `error.type`, `error.message` and `error.stack_trace`.
//!
//! In: the text of a message that was joined of several lines. Out: where in it the type, the message and the trace
//! stand. Grammars do this to their `message` without being told; as a format it takes any text apart. The error
//! told is the one that got out: the outermost in Java and .NET, the last one written in Python and PHP.

mod head;
mod mark;

use std::ops::Range;

use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Facts, Slot, Span, Texts, Value};
use crate::signature::{Example, Field, Signature, Type};
use mark::Mark;

/// The fields: type, message, trace.
pub const FIELDS: [&str; 3] = ["error.type", "error.message", "error.stack_trace"];

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "exception",
        summary: "a stack trace, alone or behind a log line: Java, Python, Go, Ruby, Node, .NET, Rust, PHP, Dart",
        doc: "Gives the type and message of the error that got out, and the trace from its first line on. Texts \
              without a trace are refused. Grammars give the same fields for a trace in their message.",
        form: "exception",
        options: &[],
        examples: &[Example {
            title: "an uncaught exception",
            source: "parse .message as exception",
            input: r#"{"message": "Exception in thread \"main\" java.lang.IllegalStateException: no cart\n\tat shop.Cart.open(Cart.java:7)"}"#,
            result: r#"{"message": "Exception in thread \"main\" java.lang.IllegalStateException: no cart\n\tat shop.Cart.open(Cart.java:7)", "error": {"message": "no cart", "stack_trace": "java.lang.IllegalStateException: no cart\n\tat shop.Cart.open(Cart.java:7)", "type": "java.lang.IllegalStateException"}}"#,
        }],
    },
    gives: |_| Ok(Gives { fields: fields().collect(), open: false }),
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Exception(Slots::new(bind)?))),
};

/// The fields, each of which a trace may lack.
pub fn fields() -> impl Iterator<Item = Field> {
    FIELDS.iter().map(|path| Field {
        path: (*path).to_owned(),
        ty: Type::Text,
        maybe: true,
        doc: String::new(),
    })
}

struct Exception(Slots);

impl Format for Exception {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        if self.0.put(input, texts, fields) { Ok(()) } else { Err(Mismatch::at(0, "no stack trace")) }
    }
}

/// Where the fields go.
#[derive(Clone, Copy, Debug)]
pub struct Slots([Option<Slot>; 3]);

impl Slots {
    /// The slots in a layout that names the fields; none for one that nobody looks at.
    pub fn new(bind: &Bind<'_>) -> Result<Self, String> {
        let [kind, message, trace] = FIELDS;
        Ok(Self([bind.wanted_slot(kind)?, bind.wanted_slot(message)?, bind.wanted_slot(trace)?]))
    }

    /// Whether anyone looks at any of them.
    pub fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// Appends the fields of a trace in a text, if there is one.
    pub fn put(&self, input: Span, texts: &Texts, fields: &mut Fields) -> bool {
        let Some(found) = find(texts.bytes(input)) else { return false };
        let parts = [found.kind, found.message, Some(found.trace)];
        for (slot, range) in self.0.iter().zip(parts) {
            if let (Some(slot), Some(range)) = (slot, range.filter(|range| !range.is_empty())) {
                let span = input.part(range.start, range.len()).with(Facts::UNKNOWN);
                fields.push((Target::Slot(*slot), Value::Text(span)));
            }
        }
        true
    }
}

/// Where the parts of an error stand in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its type: a class, or `panic`.
    pub kind: Option<Range<usize>>,
    /// Its message.
    pub message: Option<Range<usize>>,
    /// The trace, from the line that names the error.
    pub trace: Range<usize>,
}

/// A line of a text, and where it begins.
#[derive(Clone, Copy)]
struct Line<'a> {
    at: usize,
    text: &'a [u8],
}

impl Line<'_> {
    fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// Lines that are looked at before the first frame; a message is hardly longer.
const HEAD_LINES_MAX: usize = 200;

/// The error in a text of several lines. Looks at each line once or twice.
pub fn find(text: &[u8]) -> Option<Found> {
    memchr::memchr(b'\n', text)?;
    let lines = || {
        let mut at = 0;
        text.split(|&byte| byte == b'\n').map(move |line| {
            let start = at;
            at += line.len() + 1;
            Line { at: start, text: line.strip_suffix(b"\r").unwrap_or(line) }
        })
    };
    let (first, mark) =
        lines().take(HEAD_LINES_MAX).enumerate().find_map(|(at, line)| Some((at, mark::of(line.text)?)))?;
    let mut found = match mark {
        Mark::Traceback | Mark::Group => python(lines(), mark),
        Mark::Goroutine | Mark::GoFile => go(lines(), first),
        Mark::Panicked => rust(lines().skip(first)),
        Mark::Ruby => ruby(lines(), first),
        Mark::Php => php(text, lines()),
        Mark::Frame | Mark::Numbered => frames(lines(), first),
    }?;
    found.trace.end = text.trim_ascii_end().len().max(found.trace.start);
    if let Some(message) = &mut found.message {
        message.end = message.start + text.get(message.clone())?.trim_ascii_end().len();
    }
    Some(found)
}

/// Java, .NET, Node, Dart: the error is named before the first frame, at the start of a line or within the log line.
fn frames<'a>(lines: impl Iterator<Item = Line<'a>>, first: usize) -> Option<Found> {
    let before: Vec<Line<'a>> = lines.take(first).collect();
    let last = before.last()?;
    let starts = before.iter().find_map(|line| Some((line, 0, head::at_start(line.text)?)));
    let within = || {
        let mut lines = before.iter().rev();
        lines.find_map(|line| head::within(line.text).map(|(at, name)| (line, at, name)))
    };
    let Some((line, at, name)) = starts.or_else(within) else {
        // A trace whose error is not named, as `console.trace` and Dart write it.
        let unnamed = last.text.trim_ascii();
        let message = (last.end() - last.text.trim_ascii_start().len()..last.end()).start;
        let message = Some(message..message + unnamed.len()).filter(|_| !unnamed.ends_with(b":"));
        return Some(Found { kind: None, message, trace: last.at..last.end() });
    };
    let kind = line.at + at..line.at + at + name;
    let start = kind.end + head::separator(line.text.get(at + name..).unwrap_or_default());
    let mut end = last.end().max(start);
    if let Some(cause) = memchr::memmem::find(line.text, b" ---> ") {
        end = end.min(line.at + cause).max(start);
    }
    Some(Found { message: Some(start..end), trace: kind.start..end, kind: Some(kind) })
}

/// Python: the error that got out is named behind the frames of the last traceback.
fn python<'a>(lines: impl Iterator<Item = Line<'a>>, mark: Mark) -> Option<Found> {
    let (mut found, mut due): (Option<Found>, bool) = (None, false);
    for line in lines {
        let (indent, text) = match (mark, line.text.strip_prefix(b"  | ")) {
            (Mark::Group, Some(rest)) => (4, rest),
            _ => (0, line.text),
        };
        let outer = matches!(mark::of(line.text), Some(Mark::Traceback | Mark::Group))
            && !line.text.starts_with(b"    ");
        if outer {
            let start = found.as_ref().map_or(line.at, |found| found.trace.start);
            found = Some(Found { trace: start..line.end(), ..Found::default() });
            due = true;
            continue;
        }
        let Some(found) = &mut found else { continue };
        if text.starts_with(b"Stack (most recent call last):") {
            break;
        }
        if due && !text.is_empty() && !text.starts_with(b" ") && (indent > 0 || mark != Mark::Group) {
            due = false;
            let name = head::python(text);
            let start = line.at + indent;
            let behind = start + name + head::separator(text.get(name..).unwrap_or_default());
            found.kind = Some(start..start + name).filter(|kind| !kind.is_empty());
            found.message = Some(behind.min(line.end())..line.end());
        } else if !due
            && mark != Mark::Group
            && !text.is_empty()
            && let Some(message) = &mut found.message
        {
            message.end = line.end();
        }
    }
    found
}

/// Go: `panic: …` or `fatal error: …` before the first goroutine.
fn go<'a>(lines: impl Iterator<Item = Line<'a>>, first: usize) -> Option<Found> {
    let before: Vec<Line<'a>> = lines.take(first).collect();
    for (number, line) in before.iter().enumerate() {
        for (word, behind) in [
            (&b"panic"[..], &b": "[..]),
            (b"fatal error", b": "),
            (b"panic", b" serving "),
            (b"Observed a panic", b": "),
        ] {
            let Some(at) = memchr::memmem::find(line.text, word) else { continue };
            let Some(rest) = line.text.get(at + word.len()..).and_then(|rest| rest.strip_prefix(behind))
            else {
                continue;
            };
            let mut start = line.end() - rest.len();
            if behind == b" serving " {
                start += memchr::memmem::find(rest, b": ").map_or(0, |at| at + 2);
            }
            let more = before.get(number + 1..).unwrap_or_default().iter();
            let more = more.take_while(|line| !line.text.is_empty() && !line.text.starts_with(b"["));
            let end = more.last().unwrap_or(line).end();
            let kind = if word.starts_with(b"O") { at + 11..at + 16 } else { at..at + word.len() };
            let trace = line.at + kind.start..line.end();
            return Some(Found {
                kind: Some(line.at + kind.start..line.at + kind.end),
                message: Some(start..end),
                trace,
            });
        }
    }
    // A logger's trace, behind its message.
    let last = before.last()?;
    Some(Found { trace: last.end() + 1..last.end() + 1, ..Found::default() })
}

/// Rust: `thread 'main' panicked at src/main.rs:2:5:`, and the message in the next lines; before 1.73 in the same.
fn rust<'a>(mut lines: impl Iterator<Item = Line<'a>>) -> Option<Found> {
    let head = lines.next()?;
    let at = memchr::memmem::find(head.text, b"panicked at ")?;
    // "panic" of "panicked".
    let kind = head.at + at..head.at + at + 5;
    let rest = head.text.get(at + 12..)?;
    let message = if let Some(quoted) = rest.strip_prefix(b"'") {
        let len = memchr::memmem::rfind(quoted, b"', ")?;
        head.at + at + 13..head.at + at + 13 + len
    } else {
        let body = lines.take_while(|line| {
            !line.text.starts_with(b"stack backtrace:") && !line.text.starts_with(b"note: ")
        });
        let body: Vec<_> = body.filter(|line| !line.text.is_empty()).collect();
        body.first().map_or(head.end(), |line| line.at)..body.last().map_or(head.end(), Line::end)
    };
    Some(Found { kind: Some(kind), message: Some(message), trace: head.at..head.end() })
}

/// Ruby: `x.rb:6:in 'f': message (Type)`; loggers write `message (Type)` in the line before, Rails `Type (message):`.
fn ruby<'a>(lines: impl Iterator<Item = Line<'a>>, first: usize) -> Option<Found> {
    let lines: Vec<Line<'a>> = lines.take(first + 1).collect();
    let own = lines.last().filter(|line| line.text.ends_with(b")"));
    let line = own.or_else(|| lines.iter().rev().skip(1).find(|line| !line.text.trim_ascii().is_empty()))?;
    let text = line.text.trim_ascii_end();
    if let Some(inner) = text.strip_suffix(b"):")
        && let Some((at, name)) = head::within(text)
        && inner.get(at + name..).is_some_and(|behind| behind.starts_with(b" ("))
    {
        let kind = line.at + at..line.at + at + name;
        return Some(Found {
            message: Some(kind.end + 2..line.at + inner.len()),
            trace: kind.start..line.end(),
            kind: Some(kind),
        });
    }
    let open = memchr::memmem::rfind(text, b" (").filter(|_| text.ends_with(b")"));
    let Some(open) = open else {
        return Some(Found { trace: lines.last()?.at..line.end().max(lines.last()?.at), ..Found::default() });
    };
    let start = match memchr::memmem::find(text, b": ").filter(|_| mark::of(text) == Some(Mark::Ruby)) {
        Some(at) => at + 2,
        None => 0,
    };
    Some(Found {
        kind: Some(line.at + open + 2..line.at + text.len() - 1),
        message: Some(line.at + start.min(open)..line.at + open),
        trace: line.at..line.end(),
    })
}

/// PHP: `Uncaught Type: message in FILE:LINE` and `Next Type: …`, of which the last got out; Monolog writes
/// `[object] (Type(code: 0): message at FILE:LINE)`.
fn php<'a>(text: &[u8], lines: impl Iterator<Item = Line<'a>>) -> Option<Found> {
    let object = b"[object] (";
    if let Some(at) = memchr::memmem::find(text, object) {
        let start = at + object.len();
        let rest = text.get(start..)?;
        let name = memchr::memchr(b'(', rest)?;
        let behind = start + name + memchr::memmem::find(rest.get(name..)?, b"): ")? + 3;
        let end = behind
            + memchr::memmem::find(text.get(behind..)?, b" at /")
                .or(memchr::memchr(b'\n', text.get(behind..)?))?;
        return Some(Found {
            kind: Some(start..start + name),
            message: Some(behind..end),
            trace: start..end,
        });
    }
    let mut found: Option<Found> = None;
    let mut open = false;
    for line in lines {
        let begins = line
            .text
            .strip_prefix(b"Next ")
            .or_else(|| memchr::memmem::find(line.text, b"Uncaught ").and_then(|at| line.text.get(at + 9..)));
        if let Some(rest) = begins.filter(|rest| head::at_start(rest).is_some()) {
            let start = line.end() - rest.len();
            let name = head::at_start(rest)?;
            let behind = start + name + head::separator(rest.get(name..).unwrap_or_default());
            let trace = found.as_ref().map_or(start, |found| found.trace.start);
            found = Some(Found {
                kind: Some(start..start + name),
                message: Some(behind..head::before_place(line.text, line.at).max(behind)),
                trace: trace..line.end(),
            });
            open = true;
        } else if line.text == b"Stack trace:" {
            open = false;
        } else if open && let Some(Found { message: Some(message), .. }) = &mut found {
            message.end = head::before_place(line.text, line.at).max(message.start);
        }
    }
    found
}

#[cfg(test)]
mod tests;
