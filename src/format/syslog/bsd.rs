//! `<PRI>TIMESTAMP HOSTNAME TAG: CONTENT` (RFC 3164 §4.1), as tolerant as what is sent demands: times with year or
//! zone, a sequence number before and a colon behind the time (Cisco), no host, no tag.

use super::{Line, Syslog};
use crate::event::Value;
use crate::format::time::{TimeForm, iso, rfc3164, rfc3339};
use crate::format::{Mismatch, scan};

pub(super) fn parse(syslog: &Syslog, line: &mut Line<'_>) -> Result<(), Mismatch> {
    let slots = &syslog.slots;
    sequence_number(line);
    let start = line.at;
    // Cisco marks a clock that is not synchronised.
    let mark = usize::from(matches!(line.rest().first(), Some(b'*' | b'.')));
    let rest = line.rest().get(mark..).unwrap_or_default();
    // Behind a priority any time will do; without one, only those that syslog itself writes.
    let other = if start > 0 { iso } else { rfc3339 };
    let read = rfc3164(rest).or_else(|| other(rest));
    let Some((mut parts, mut len)) = read else {
        // A priority alone is enough to know it for syslog (RFC 3164 §4.3.3).
        if start == 0 {
            return Err(Mismatch::at(0, "neither a priority nor a time of syslog"));
        }
        let (at, len) = (line.at, line.rest().len());
        line.text(slots.message, at, len);
        return Ok(());
    };
    if parts.offset_s.is_none()
        && let Some((offset_s, zone)) = rest.get(len + 1..).and_then(crate::format::time::offset)
        && rest.get(len) == Some(&b' ')
        && matches!(rest.get(len + 1 + zone), Some(b' ' | b':'))
    {
        parts.offset_s = Some(offset_s);
        len += 1 + zone;
    }
    let ns = syslog.calendar.unix_ns(&parts).ok_or(Mismatch::at(start, "a time that does not exist"))?;
    line.value(slots.time, Value::Timestamp(ns));
    line.at += mark + len;
    let cisco = line.rest().first() == Some(&b':');
    line.at += usize::from(cisco);
    if !matches!(line.rest().first(), Some(b' ') | None) {
        return Err(Mismatch::at(line.at, "no blank behind the time"));
    }
    line.at += scan::blanks(line.rest());
    if !cisco {
        host(syslog, line);
    }
    tag(syslog, line);
    let (at, len) = (line.at, line.rest().len());
    line.text(slots.message, at, len);
    Ok(())
}

/// `29: `, as Cisco counts its messages.
fn sequence_number(line: &mut Line<'_>) {
    let digits = line.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 && line.rest().get(digits..digits + 2) == Some(b": ") {
        line.at += digits + 2;
    }
}

/// A host, unless the word is a tag already (`kernel: …`, `app[12]: …`).
fn host(syslog: &Syslog, line: &mut Line<'_>) {
    let rest = line.rest();
    let len = scan::host(rest);
    let word = rest.get(..len).unwrap_or_default();
    // A host that ends in a colon is a tag, but for an IPv6 address.
    let is_tag = word.last() == Some(&b':') && !scan::is_ip(word);
    if len == 0 || rest.get(len) != Some(&b' ') || is_tag {
        return;
    }
    line.text(syslog.slots.host, line.at, len);
    line.at += len;
    line.at += scan::blanks(line.rest());
    // Some relays repeat the time of the sender, with zone.
    let repeated = TimeForm::Rfc3339.scan(line.rest(), &syslog.calendar).map(|(_, len)| len);
    if let Some(len) = repeated.filter(|&len| line.rest().get(len) == Some(&b' ')) {
        line.at += len + 1;
    }
}

/// `TAG = name ["[" pid "]"] ":"`; what has no colon is text. Launchd adds a name in brackets behind the pid.
fn tag(syslog: &Syslog, line: &mut Line<'_>) {
    let rest = line.rest();
    let name = rest
        .iter()
        .take_while(|&&byte| byte > b' ' && !matches!(byte, b'[' | b':' | b'"' | b'=' | b','))
        .count();
    if name == 0 || name > 128 {
        return;
    }
    let mut at = name;
    let mut pid = None;
    if rest.get(at) == Some(&b'[') {
        let inner = rest.get(at + 1..).unwrap_or_default();
        let Some(len) = memchr::memchr(b']', inner).filter(|&len| len <= 32) else { return };
        pid = scan::int(inner).filter(|(_, digits)| *digits == len).map(|(pid, _)| pid);
        at += len + 2;
    }
    if rest.get(at..at + 2) == Some(b" (")
        && let Some(len) = memchr::memchr(b')', &rest[at..])
        && rest.get(at + len + 1) == Some(&b':')
    {
        at += len + 1;
    }
    if rest.get(at) != Some(&b':') || !matches!(rest.get(at + 1), Some(b' ' | b'\t') | None) {
        return;
    }
    line.text(syslog.slots.process, line.at, name);
    if let Some(pid) = pid {
        line.value(syslog.slots.pid, Value::Int(pid));
    }
    line.at += at + 1;
    line.at += usize::from(line.rest().first() == Some(&b' '));
}
