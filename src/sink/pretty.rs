//! One event as a line for people: time, level, who, message, then everything else as `key=value`.
//!
//! Log text reaches a terminal here, so control characters are shown, never sent: a log line must not be able to
//! move the cursor, set the title or hide another line.

use std::io::Write as _;

use super::EventRef;
use crate::event::{Layout, Row, Slot, Value, write_plain, write_value};

const DIM: &[u8] = b"\x1b[2m";
const RESET: &[u8] = b"\x1b[0m";
const INDENT: &[u8] = b"    ";

/// Writes events for people.
pub(super) struct Pretty {
    colour: bool,
    time: Option<Slot>,
    level: Option<Slot>,
    service: Option<Slot>,
    pod: Option<Slot>,
    message: Option<Slot>,
    original: Option<Slot>,
    text: Vec<u8>,
}

impl Pretty {
    /// A writer for rows of a layout.
    pub(super) fn new(layout: &Layout, colour: bool) -> Self {
        let slot = |path| layout.slot(path);
        Self {
            colour,
            time: slot("@timestamp"),
            level: slot("log.level"),
            service: slot("service.name"),
            pod: slot("kubernetes.pod.name"),
            message: slot("message"),
            original: slot("event.original"),
            text: Vec::new(),
        }
    }

    /// Appends one event: a line, and an indented line for each further line of its message.
    pub(super) fn write(&mut self, row: &Row, event: EventRef<'_>, out: &mut Vec<u8>) {
        self.write_time(row, event, out);
        self.write_level(row, out);
        let who = [self.service, self.pod].map(|slot| slot.and_then(|slot| row.get(slot)));
        if who.iter().any(Option::is_some) {
            self.styled(b"\x1b[36m", out, |out| {
                for (at, value) in who.into_iter().flatten().enumerate() {
                    if at > 0 {
                        out.push(b'/');
                    }
                    plain(row, value, out);
                }
            });
            out.push(b' ');
        }
        self.text.clear();
        match self.message.or(self.original) {
            None => self.text.extend_from_slice(row.texts.bytes(event.message.text)),
            Some(_) => {
                let has = |slot: Option<Slot>| slot.and_then(|slot| row.get(slot));
                if let Some(value) = has(self.message).or_else(|| has(self.original)) {
                    write_plain(&row.texts, value, &mut self.text);
                }
            }
        }
        let text = std::mem::take(&mut self.text);
        let mut lines = text.split(|&byte| byte == b'\n');
        visible(lines.next().unwrap_or(&[]), out);
        self.write_fields(row, out);
        out.push(b'\n');
        for line in lines {
            out.extend_from_slice(INDENT);
            visible(line, out);
            out.push(b'\n');
        }
        self.text = text;
    }

    fn write_time(&self, row: &Row, event: EventRef<'_>, out: &mut Vec<u8>) {
        self.styled(DIM, out, |out| {
            let before = out.len();
            match self.time.and_then(|slot| row.get(slot)) {
                Some(value) => plain(row, value, out),
                None => visible(row.texts.bytes(event.message.time), out),
            }
            if out.len() == before {
                out.push(b'-');
            }
        });
        out.push(b' ');
    }

    fn write_level(&self, row: &Row, out: &mut Vec<u8>) {
        let Some(level) = self.level.and_then(|slot| row.get(slot)) else { return };
        let mut name = Vec::new();
        write_plain(&row.texts, level, &mut name);
        name.make_ascii_uppercase();
        let style: &[u8] = match name.first() {
            Some(b'E' | b'F' | b'C' | b'A') => b"\x1b[1;31m",
            Some(b'W') => b"\x1b[33m",
            Some(b'D' | b'T') => DIM,
            _ => b"\x1b[32m",
        };
        self.styled(style, out, |out| visible(&name, out));
        out.extend(std::iter::repeat_n(b' ', 5usize.saturating_sub(name.len()) + 1));
    }

    /// Appends all fields that have no place of their own before the message.
    fn write_fields(&self, row: &Row, out: &mut Vec<u8>) {
        let placed = [Some(0), self.time, self.level, self.service, self.pod, self.message, self.original];
        let layout = row.layout();
        let end = layout.len() as Slot;
        let mut from = 0;
        while let Some(slot) = row.present().next(from, end) {
            from = slot + 1;
            if !placed.contains(&Some(slot))
                && let Some(value) = row.get(slot)
            {
                self.write_field(row, &[layout.path(slot).as_bytes()], value, out);
            }
        }
        for entry in row.rest() {
            let parent = layout.path(entry.parent).as_bytes();
            let key = row.texts.bytes(entry.key);
            let path: &[&[u8]] = if parent.is_empty() { &[key] } else { &[parent, b".", key] };
            self.write_field(row, path, entry.value, out);
        }
    }

    fn write_field(&self, row: &Row, path: &[&[u8]], value: Value, out: &mut Vec<u8>) {
        out.push(b' ');
        self.styled(DIM, out, |out| {
            for part in path {
                visible(part, out);
            }
            out.push(b'=');
        });
        match value {
            Value::Text(span) if needs_quotes(row.texts.bytes(span)) => {
                let before = out.len();
                write_value(&row.texts, value, out);
                // Escaping leaves DEL and the C1 controls alone.
                let json = out.split_off(before);
                visible(&json, out);
            }
            value => plain(row, value, out),
        }
    }

    fn styled(&self, style: &[u8], out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.colour {
            out.extend_from_slice(style);
            write(out);
            out.extend_from_slice(RESET);
        } else {
            write(out);
        }
    }
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty() || text.iter().any(|byte| *byte <= b' ' || matches!(byte, b'"' | b'=' | b'\\' | 0x7f))
}

fn plain(row: &Row, value: Value, out: &mut Vec<u8>) {
    let before = out.len();
    write_plain(&row.texts, value, out);
    let text = out.split_off(before);
    visible(&text, out);
}

/// Appends text with its control characters (C0, DEL, C1) written as `\u{…}`; a tab stays.
fn visible(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        out.extend_from_slice(text);
        return;
    }
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    for char in String::from_utf8_lossy(text).chars() {
        if char.is_control() && char != '\t' {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", char as u32);
        } else {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
