//! Syslog: RFC 5424, RFC 3164, and what is found between them.
//!
//! The priority and the version tell which; without them (a file as rsyslog writes it) the form of the time and
//! what follows the host do.

mod bsd;
pub(crate) mod data;
mod ietf;
mod names;

use super::members::part;
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Slot, Span, Texts, Value};
use crate::signature::{Example, Field, OptionSpec, OptionType, Signature, Type};

/// The format as the list has it.
pub const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "syslog",
        summary: "syslog lines: RFC 5424, RFC 3164 and relatives",
        doc: "Structured data is `log.syslog.structured_data.<id>.<name>`. A year that is missing is the one that puts the \
              line nearest before the time at which it was read.",
        form: "syslog",
        options: &[OptionSpec {
            name: "zone",
            ty: OptionType::Text,
            default: Some("\"UTC\""),
            doc: "zone of times that do not name theirs",
        }],
        examples: &[Example {
            title: "a line of RFC 5424",
            source: "parse .message as syslog",
            input: r#"{"message": "<165>1 2024-05-06T07:08:09Z gate app 12 ID7 [x@1 k=\"v\"] ready"}"#,
            result: r#"{"@timestamp": "2024-05-06T07:08:09.000Z", "host": {"hostname": "gate"}, "log": {"level": "notice", "syslog": {"appname": "app", "facility": {"code": 20, "name": "local4"}, "msgid": "ID7", "priority": 165, "procid": "12", "severity": {"code": 5, "name": "Notice"}, "structured_data": {"x@1": {"k": "v"}}, "version": "1"}}, "message": "ready", "process": {"name": "app", "pid": 12}}"#,
        }],
    },
    gives: |_| {
        let field = |(path, ty): (&str, Type)| Field {
            path: path.into(),
            ty,
            maybe: path != "message",
            doc: String::new(),
        };
        Ok(Gives { fields: FIELDS.map(field).into(), open: false })
    },
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Syslog::new(bind)?)),
};

const FIELDS: [(&str, Type); 16] = [
    ("@timestamp", Type::Timestamp),
    ("host.hostname", Type::Text),
    ("log.level", Type::Text),
    ("log.syslog.appname", Type::Text),
    ("log.syslog.facility.code", Type::Int),
    ("log.syslog.facility.name", Type::Text),
    ("log.syslog.msgid", Type::Text),
    ("log.syslog.priority", Type::Int),
    ("log.syslog.procid", Type::Text),
    ("log.syslog.severity.code", Type::Int),
    ("log.syslog.severity.name", Type::Text),
    ("log.syslog.structured_data", Type::Object),
    ("log.syslog.version", Type::Text),
    ("message", Type::Text),
    ("process.name", Type::Text),
    ("process.pid", Type::Int),
];

struct Slots {
    time: Slot,
    host: Slot,
    level: Slot,
    appname: Slot,
    facility_code: Slot,
    facility_name: Slot,
    msgid: Slot,
    priority: Slot,
    procid: Slot,
    severity_code: Slot,
    severity_name: Slot,
    data: Slot,
    version: Slot,
    message: Slot,
    process: Slot,
    pid: Slot,
}

struct Syslog {
    slots: Slots,
    facilities: Vec<Span>,
    severities: Vec<(Span, Span)>,
    calendar: Calendar,
}

impl Syslog {
    fn new(bind: &mut Bind<'_>) -> Result<Self, String> {
        let slots = FIELDS.map(|(path, _)| bind.slot(path));
        let mut all = Vec::with_capacity(slots.len());
        for slot in slots {
            all.push(slot?);
        }
        let slot = |at: usize| all.get(at).copied().unwrap_or_default();
        Ok(Self {
            slots: Slots {
                time: slot(0),
                host: slot(1),
                level: slot(2),
                appname: slot(3),
                facility_code: slot(4),
                facility_name: slot(5),
                msgid: slot(6),
                priority: slot(7),
                procid: slot(8),
                severity_code: slot(9),
                severity_name: slot(10),
                data: slot(11),
                version: slot(12),
                message: slot(13),
                process: slot(14),
                pid: slot(15),
            },
            facilities: names::FACILITIES.iter().map(|name| bind.constant(name.as_bytes())).collect(),
            severities: names::SEVERITIES
                .iter()
                .map(|(name, level)| (bind.constant(name.as_bytes()), bind.constant(level.as_bytes())))
                .collect(),
            calendar: bind.calendar()?,
        })
    }

    /// `PRI = "<" PRIVAL ">"` (RFC 5424 §6.2.1), if there is one. 192 and up is refused, not wrapped: a forged priority
    /// must not come out as `kern.emerg`.
    fn priority(&self, bytes: &[u8], fields: &mut Fields) -> Result<usize, Mismatch> {
        if bytes.first() != Some(&b'<') {
            return Ok(0);
        }
        let wrong = Mismatch::at(1, "no priority between 0 and 191");
        let (value, len) = super::scan::int(&bytes[1..]).ok_or(wrong)?;
        if !bytes[1].is_ascii_digit()
            || !(0..=191).contains(&value)
            || len > 3
            || bytes.get(1 + len) != Some(&b'>')
        {
            return Err(wrong);
        }
        let (facility, severity) = (value / 8, value % 8);
        let slots = &self.slots;
        let mut put = |slot, value| fields.push((Target::Slot(slot), value));
        put(slots.priority, Value::Int(value));
        put(slots.facility_code, Value::Int(facility));
        put(slots.severity_code, Value::Int(severity));
        if let Some(name) = self.facilities.get(facility as usize) {
            put(slots.facility_name, Value::Text(*name));
        }
        if let Some((name, level)) = self.severities.get(severity as usize) {
            put(slots.severity_name, Value::Text(*name));
            put(slots.level, Value::Text(*level));
        }
        Ok(len + 2)
    }
}

impl Format for Syslog {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut line = Line { bytes, input, at: self.priority(bytes, fields)?, fields };
        if ietf::is_one(&line) {
            return ietf::parse(self, input, texts, fields);
        }
        bsd::parse(self, &mut line)
    }
}

/// A line while it is read.
struct Line<'a> {
    bytes: &'a [u8],
    input: Span,
    at: usize,
    fields: &'a mut Fields,
}

impl<'a> Line<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn text(&mut self, slot: Slot, from: usize, len: usize) {
        if len > 0 {
            let span = part(self.input, from, len);
            self.fields.push((Target::Slot(slot), Value::Text(span)));
        }
    }

    fn value(&mut self, slot: Slot, value: Value) {
        self.fields.push((Target::Slot(slot), value));
    }

    /// A word and the blank behind it; its start and length.
    fn word(&mut self) -> (usize, usize) {
        let start = self.at;
        let len = memchr::memchr(b' ', self.rest()).unwrap_or(self.rest().len());
        self.at = (start + len + 1).min(self.bytes.len());
        (start, len)
    }
}

#[cfg(test)]
mod tests;
