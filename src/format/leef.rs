//! IBM's log event extended format: `LEEF:2.0|vendor|product|version|event|delimiter|key=value…`.

use super::cef::{begin, envelope, pipe, plain, severity};
use super::extension::{self, Key, Table, key};
use super::members::{Derived, part};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Slot, Span, Texts, Value};
use crate::signature::{Example, OptionSpec, OptionType, Signature, Type};

const ROOT: &str = "leef.attributes";

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "leef",
        summary: "IBM's log event extended format, 1.0 and 2.0",
        doc: "What stands before `LEEF:` is passed over but for its time. Attributes are divided by tabs, or by what the \
              header of 2.0 says; they go below `leef.attributes`, and beside them to the ECS fields that mean the same.",
        form: "leef",
        options: &[OptionSpec {
            name: "zone",
            ty: OptionType::Text,
            default: Some("\"UTC\""),
            doc: "zone of times that do not name theirs",
        }],
        examples: &[Example {
            title: "a delimiter of one's own",
            source: "parse .message as leef",
            input: r#"{"message": "LEEF:2.0|Example|wall|1.2|deny|^|src=203.0.113.7^dstPort=22^usrName=eve^sev=7"}"#,
            result: r#"{"message": "LEEF:2.0|Example|wall|1.2|deny|^|src=203.0.113.7^dstPort=22^usrName=eve^sev=7", "destination": {"port": 22}, "event": {"code": "deny", "severity": 7}, "leef": {"attributes": {"src": "203.0.113.7", "dstPort": 22, "usrName": "eve", "sev": "7"}, "version": "2.0"}, "observer": {"product": "wall", "vendor": "Example", "version": "1.2"}, "source": {"ip": "203.0.113.7"}, "user": {"name": "eve"}}"#,
        }],
    },
    gives: |_| Ok(Gives { fields: extension::fields(ROOT, KEYS, FIXED), open: false }),
    bind: |bind: &mut Bind<'_>| {
        let mut header = [None; 5];
        for (slot, (path, _)) in header.iter_mut().zip(FIXED) {
            *slot = bind.wanted_slot(path)?;
        }
        Ok(Box::new(Leef {
            header,
            severity: bind.wanted_slot("event.severity")?,
            time: bind.wanted_slot("@timestamp")?,
            calendar: bind.calendar()?,
            table: Table::new(ROOT, KEYS, bind)?,
        }))
    },
};

/// The parts of the header in their order, then what else is given.
const FIXED: &[(&str, Type)] = &[
    ("leef.version", Type::Text),
    ("observer.vendor", Type::Text),
    ("observer.product", Type::Text),
    ("observer.version", Type::Text),
    ("event.code", Type::Text),
    ("event.severity", Type::Int),
    ("@timestamp", Type::Timestamp),
];

/// Predefined attributes (IBM, "Log Event Extended Format (LEEF)", "Predefined LEEF event attributes").
const KEYS: &[Key] = &[
    key("cat", "", Type::Text, ""),
    key("calLanguage", "", Type::Text, ""),
    key("devTime", "", Type::Timestamp, "@timestamp"),
    key("domain", "", Type::Text, "user.domain"),
    key("dst", "", Type::Ip, "destination.ip"),
    key("dstBytes", "", Type::Int, "destination.bytes"),
    key("dstMAC", "", Type::Text, "destination.mac"),
    key("dstPackets", "", Type::Int, "destination.packets"),
    key("dstPort", "", Type::Int, "destination.port"),
    key("dstPostNAT", "", Type::Ip, "destination.nat.ip"),
    key("dstPostNATPort", "", Type::Int, "destination.nat.port"),
    key("groupID", "", Type::Text, "group.id"),
    key("identHostName", "", Type::Text, "host.hostname"),
    key("identSrc", "", Type::Ip, ""),
    key("policy", "", Type::Text, "rule.name"),
    key("proto", "", Type::Text, "network.transport"),
    key("resource", "", Type::Text, ""),
    key("src", "", Type::Ip, "source.ip"),
    key("srcBytes", "", Type::Int, "source.bytes"),
    key("srcMAC", "", Type::Text, "source.mac"),
    key("srcPackets", "", Type::Int, "source.packets"),
    key("srcPort", "", Type::Int, "source.port"),
    key("srcPostNAT", "", Type::Ip, "source.nat.ip"),
    key("srcPostNATPort", "", Type::Int, "source.nat.port"),
    key("totalPackets", "", Type::Int, "network.packets"),
    key("url", "", Type::Text, "url.original"),
    key("usrName", "", Type::Text, "user.name"),
    key("vSrc", "", Type::Ip, ""),
];

struct Leef {
    header: [Option<Slot>; 5],
    severity: Option<Slot>,
    time: Option<Slot>,
    calendar: super::Calendar,
    table: Table,
}

impl Format for Leef {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        Derived::within(texts, |texts, derived| self.event(input, texts, derived, fields))
    }
}

impl Leef {
    fn event(
        &self,
        input: Span,
        texts: &Texts,
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let mut at = begin(bytes, b"LEEF:").ok_or(Mismatch::at(0, "no `LEEF:`"))?;
        if let (Some(slot), Some(ns)) = (self.time, envelope(&bytes[..at], &self.calendar)) {
            fields.push((Target::Slot(slot), Value::Timestamp(ns)));
        }
        at += 5;
        let two = bytes.get(at) == Some(&b'2');
        for (number, slot) in self.header.iter().enumerate() {
            let len = pipe(&bytes[at..]);
            if at + len == bytes.len() && number < 4 {
                return Err(Mismatch::at(at, "fewer than five parts in the header"));
            }
            let span = plain(input, at, &bytes[at..at + len], derived);
            fields.extend(slot.filter(|_| len > 0).map(|slot| (Target::Slot(slot), Value::Text(span))));
            at = (at + len + 1).min(bytes.len());
        }
        let delimiter = match two.then(|| delimiter(&bytes[at..])).flatten() {
            Some((delimiter, len)) => {
                at += len;
                delimiter
            }
            None => b'\t',
        };
        let mut members = self.table.members(fields);
        for text in bytes[at..].split(|&byte| byte == delimiter) {
            let start = at;
            at += text.len() + 1;
            let text_end = text.trim_ascii_end().len();
            let blanks = text.len() - text.trim_ascii_start().len();
            let Some(pair) = text.get(blanks..text_end).filter(|pair| !pair.is_empty()) else { continue };
            let Some(equals) = memchr::memchr(b'=', pair).filter(|&equals| equals > 0) else {
                return Err(Mismatch::at(start, "an attribute without `=`"));
            };
            let (key, value) = (start + blanks, &pair[equals + 1..]);
            let span = part(input, key + equals + 1, value.len());
            let written = &pair[..equals];
            if let (b"sev", Some(slot), Some(number)) = (written, self.severity, severity(value)) {
                fields.push((Target::Slot(slot), Value::Int(number)));
            }
            self.table.put(
                (part(input, key, equals), written),
                (value, span),
                texts,
                &mut members,
                fields,
            )?;
        }
        Ok(())
    }
}

/// The delimiter that a header of 2.0 names, as a character or its number (`x09`, `0x5E`), and the length of that part.
fn delimiter(bytes: &[u8]) -> Option<(u8, usize)> {
    let len = memchr::memchr(b'|', bytes.get(..6.min(bytes.len()))?)?;
    let hex = |digits: &[u8]| {
        let text = std::str::from_utf8(digits).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    let byte = match &bytes[..len] {
        [] => b'\t',
        [byte] => *byte,
        [b'x' | b'X', digits @ ..] | [b'0', b'x' | b'X', digits @ ..] => hex(digits)?,
        _ => return None,
    };
    Some((byte, len + 1))
}
