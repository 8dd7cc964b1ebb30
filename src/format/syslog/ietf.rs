//! `SYSLOG-MSG = HEADER SP STRUCTURED-DATA [SP MSG]` (RFC 5424 §6).

use super::data::{elements, unescape};
use super::{Line, Syslog};
use crate::event::{Span, Texts, Value};
use crate::format::members::{Derived, part};
use crate::format::time::rfc3339;
use crate::format::{Fields, Mismatch, Target, scan};

/// Whether the line is of this form: a version behind the priority, or (in files, which have neither) a time with
/// zone, four words and structured data.
pub(super) fn is_one(line: &Line<'_>) -> bool {
    let rest = line.rest();
    if line.at > 0 {
        return version(rest).is_some();
    }
    let Some((_, len)) = rfc3339(rest) else { return false };
    let mut words = rest.get(len..).unwrap_or_default().split(|&byte| byte == b' ').skip(1);
    let (_, _, procid, _, data) = (words.next(), words.next(), words.next(), words.next(), words.next());
    let number = |word: &[u8]| word == b"-" || !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    procid.is_some_and(number) && data.is_some_and(|data| data == b"-" || data.first() == Some(&b'['))
}

/// `VERSION = NONZERO-DIGIT 0*2DIGIT`, then a blank: its length. Cisco's sequence numbers end in a colon.
fn version(rest: &[u8]) -> Option<usize> {
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let time = rest.get(len + 1..)?;
    let begins = time.first() == Some(&b'-') || time.first().is_some_and(u8::is_ascii_digit);
    ((1..=3).contains(&len) && rest.get(len) == Some(&b' ') && begins).then_some(len)
}

pub(super) fn parse(
    syslog: &Syslog,
    input: Span,
    texts: &mut Texts,
    fields: &mut Fields,
) -> Result<(), Mismatch> {
    let mut derived = Derived::new(texts);
    let bytes = texts.bytes(input);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let at = memchr::memchr(b'>', bytes).filter(|_| bytes.first() == Some(&b'<')).map_or(0, |at| at + 1);
    let mut line = Line { bytes, input, at, fields };
    let done = message(syslog, &mut line, &mut derived);
    derived.finish(texts);
    done
}

fn message(syslog: &Syslog, line: &mut Line<'_>, derived: &mut Derived) -> Result<(), Mismatch> {
    let slots = &syslog.slots;
    if let Some(len) = version(line.rest()).filter(|_| line.at > 0) {
        line.text(slots.version, line.at, len);
        line.at += len + 1;
    }
    let (start, len) = line.word();
    if let Some(time) = present(line, start, len) {
        let ns = rfc3339(time).and_then(|(parts, _)| syslog.calendar.unix_ns(&parts));
        line.value(slots.time, Value::Timestamp(ns.ok_or(Mismatch::at(start, "no time of RFC 5424"))?));
    }
    for slot in [slots.host, slots.appname, slots.procid, slots.msgid] {
        let (start, len) = line.word();
        let Some(word) = present(line, start, len) else { continue };
        line.text(slot, start, len);
        if slot == slots.appname {
            line.text(slots.process, start, len);
        } else if slot == slots.procid
            && let Some((pid, digits)) = scan::int(word)
            && digits == len
        {
            line.value(slots.pid, Value::Int(pid));
        }
    }
    structured_data(syslog, line, derived)?;
    if line.rest().first() == Some(&b' ') {
        line.at += 1;
    }
    // `BOM = %xEF.BB.BF` says that the message is UTF-8; it is no part of it.
    if line.rest().starts_with(b"\xEF\xBB\xBF") {
        line.at += 3;
    }
    let len = line.rest().len();
    line.text(slots.message, line.at, len);
    Ok(())
}

/// A word that is not the nil value `-`.
fn present<'a>(line: &Line<'a>, start: usize, len: usize) -> Option<&'a [u8]> {
    line.bytes.get(start..start + len).filter(|word| !word.is_empty() && *word != b"-")
}

/// `STRUCTURED-DATA = NILVALUE / 1*SD-ELEMENT` (RFC 5424 §6.3). Missing altogether is taken as nil.
fn structured_data(syslog: &Syslog, line: &mut Line<'_>, derived: &mut Derived) -> Result<(), Mismatch> {
    if line.rest().first() == Some(&b'-') && matches!(line.rest().get(1), None | Some(b' ')) {
        line.at += 1;
        return Ok(());
    }
    let (bytes, input, from, slot) = (line.bytes, line.input, line.at, syslog.slots.data);
    let fields = &mut *line.fields;
    line.at = elements(bytes, from, |id, name, value| {
        let start = derived.bytes.len();
        derived.bytes.extend_from_slice(id);
        derived.bytes.push(b'.');
        derived.bytes.extend_from_slice(name);
        let key = derived.span(start);
        let text = &bytes[value.clone()];
        let span = if memchr::memchr(b'\\', text).is_some() {
            let start = derived.bytes.len();
            unescape(text, &mut derived.bytes);
            derived.span(start)
        } else {
            part(input, value.start, value.len())
        };
        fields.push((Target::Key(slot, key), Value::Text(span)));
    })?;
    Ok(())
}
