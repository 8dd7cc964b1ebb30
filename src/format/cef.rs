//! ArcSight's common event format: `CEF:0|vendor|product|version|class|name|severity|key=value …`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::extension::{self, Key, Table, key};
use super::members::{Derived, part};
use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target, scan, time};
use crate::event::{Slot, Span, Texts, Value, work};
use crate::limits::REST_KEYS_MAX;
use crate::signature::{Example, OptionSpec, OptionType, Signature, Type};

const ROOT: &str = "cef.extensions";

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "cef",
        summary: "ArcSight's common event format",
        doc: "What stands before `CEF:` is passed over but for its time. The extension's keys get their full names below \
              `cef.extensions`, with their types, and beside them the ECS fields that mean the same. An `=` that ought to \
              have a backslash and follows no key is part of a value.",
        form: "cef",
        options: &[
            OptionSpec {
                name: "labels",
                ty: OptionType::Bool,
                default: Some("false"),
                doc: "whether custom fields (`cs1` with `cs1Label`) are named by their labels",
            },
            OptionSpec {
                name: "zone",
                ty: OptionType::Text,
                default: Some("\"UTC\""),
                doc: "zone of times that do not name theirs",
            },
        ],
        examples: &[
            Example {
                title: "header and extension",
                source: "parse .message as cef",
                input: r#"{"message": "CEF:0|Example|wall|1.2|100|worm \\| stopped|7|src=203.0.113.7 spt=1232 msg=no\\=1 and more"}"#,
                result: r#"{"message": "no=1 and more", "cef": {"version": "0", "device": {"event_class_id": "100", "product": "wall", "vendor": "Example", "version": "1.2"}, "extensions": {"sourceAddress": "203.0.113.7", "sourcePort": 1232, "message": "no=1 and more"}, "name": "worm | stopped", "severity": "7"}, "event": {"code": "100", "severity": 7}, "observer": {"product": "wall", "vendor": "Example", "version": "1.2"}, "source": {"ip": "203.0.113.7", "port": 1232}}"#,
            },
            Example {
                title: "a value with `=` that have no backslash",
                source: "parse .message as cef",
                input: r#"{"message": "CEF:0|Example|wall|1|7|login|3|request=http://shop.example/?id=7&a==8 act=seen"}"#,
                result: r#"{"message": "CEF:0|Example|wall|1|7|login|3|request=http://shop.example/?id=7&a==8 act=seen", "cef": {"version": "0", "device": {"event_class_id": "7", "product": "wall", "vendor": "Example", "version": "1"}, "extensions": {"requestUrl": "http://shop.example/?id=7&a==8", "deviceAction": "seen"}, "name": "login", "severity": "3"}, "event": {"action": "seen", "code": "7", "severity": 3}, "observer": {"product": "wall", "vendor": "Example", "version": "1"}, "url": {"original": "http://shop.example/?id=7&a==8"}}"#,
            },
        ],
    },
    gives: |_| Ok(Gives { fields: extension::fields(ROOT, KEYS, FIXED), open: false }),
    bind: |bind: &mut Bind<'_>| {
        let mut header = [const { Vec::new() }; 7];
        for (slots, paths) in header.iter_mut().zip(HEADER) {
            for path in paths {
                slots.extend(bind.wanted_slot(path)?);
            }
        }
        Ok(Box::new(Cef {
            header,
            severity: bind.wanted_slot("event.severity")?,
            time: bind.wanted_slot("@timestamp")?,
            labels: bind.options.is("labels"),
            calendar: bind.calendar()?,
            table: Table::new(ROOT, KEYS, bind)?,
        }))
    },
};

/// Where the parts of the header go.
const HEADER: [&[&str]; 7] = [
    &["cef.version"],
    &["cef.device.vendor", "observer.vendor"],
    &["cef.device.product", "observer.product"],
    &["cef.device.version", "observer.version"],
    &["cef.device.event_class_id", "event.code"],
    &["cef.name"],
    &["cef.severity"],
];

const FIXED: &[(&str, Type)] = &[
    ("@timestamp", Type::Timestamp),
    ("cef.version", Type::Text),
    ("cef.device.vendor", Type::Text),
    ("cef.device.product", Type::Text),
    ("cef.device.version", Type::Text),
    ("cef.device.event_class_id", Type::Text),
    ("cef.name", Type::Text),
    ("cef.severity", Type::Text),
    ("event.code", Type::Text),
    ("event.severity", Type::Int),
    ("observer.vendor", Type::Text),
    ("observer.product", Type::Text),
    ("observer.version", Type::Text),
];

/// The dictionary of keys (Micro Focus, "ArcSight Common Event Format (CEF) Implementation Standard", version 26).
const KEYS: &[Key] = &[
    key("act", "deviceAction", Type::Text, "event.action"),
    key("agt", "agentAddress", Type::Ip, "agent.ip"),
    key("ahost", "agentHostName", Type::Text, "agent.name"),
    key("aid", "agentId", Type::Text, "agent.id"),
    key("app", "applicationProtocol", Type::Text, "network.protocol"),
    key("art", "agentReceiptTime", Type::Timestamp, ""),
    key("at", "agentType", Type::Text, ""),
    key("atz", "agentTimeZone", Type::Text, ""),
    key("av", "agentVersion", Type::Text, ""),
    key("c6a1", "deviceCustomIPv6Address1", Type::Ip, ""),
    key("c6a1Label", "deviceCustomIPv6Address1Label", Type::Text, ""),
    key("c6a2", "deviceCustomIPv6Address2", Type::Ip, ""),
    key("c6a2Label", "deviceCustomIPv6Address2Label", Type::Text, ""),
    key("c6a3", "deviceCustomIPv6Address3", Type::Ip, ""),
    key("c6a3Label", "deviceCustomIPv6Address3Label", Type::Text, ""),
    key("c6a4", "deviceCustomIPv6Address4", Type::Ip, ""),
    key("c6a4Label", "deviceCustomIPv6Address4Label", Type::Text, ""),
    key("cat", "deviceEventCategory", Type::Text, ""),
    key("cfp1", "deviceCustomFloatingPoint1", Type::Float, ""),
    key("cfp1Label", "deviceCustomFloatingPoint1Label", Type::Text, ""),
    key("cfp2", "deviceCustomFloatingPoint2", Type::Float, ""),
    key("cfp2Label", "deviceCustomFloatingPoint2Label", Type::Text, ""),
    key("cfp3", "deviceCustomFloatingPoint3", Type::Float, ""),
    key("cfp3Label", "deviceCustomFloatingPoint3Label", Type::Text, ""),
    key("cfp4", "deviceCustomFloatingPoint4", Type::Float, ""),
    key("cfp4Label", "deviceCustomFloatingPoint4Label", Type::Text, ""),
    key("cn1", "deviceCustomNumber1", Type::Int, ""),
    key("cn1Label", "deviceCustomNumber1Label", Type::Text, ""),
    key("cn2", "deviceCustomNumber2", Type::Int, ""),
    key("cn2Label", "deviceCustomNumber2Label", Type::Text, ""),
    key("cn3", "deviceCustomNumber3", Type::Int, ""),
    key("cn3Label", "deviceCustomNumber3Label", Type::Text, ""),
    key("cnt", "baseEventCount", Type::Int, ""),
    key("cs1", "deviceCustomString1", Type::Text, ""),
    key("cs1Label", "deviceCustomString1Label", Type::Text, ""),
    key("cs2", "deviceCustomString2", Type::Text, ""),
    key("cs2Label", "deviceCustomString2Label", Type::Text, ""),
    key("cs3", "deviceCustomString3", Type::Text, ""),
    key("cs3Label", "deviceCustomString3Label", Type::Text, ""),
    key("cs4", "deviceCustomString4", Type::Text, ""),
    key("cs4Label", "deviceCustomString4Label", Type::Text, ""),
    key("cs5", "deviceCustomString5", Type::Text, ""),
    key("cs5Label", "deviceCustomString5Label", Type::Text, ""),
    key("cs6", "deviceCustomString6", Type::Text, ""),
    key("cs6Label", "deviceCustomString6Label", Type::Text, ""),
    key("deviceCustomDate1", "", Type::Timestamp, ""),
    key("deviceCustomDate2", "", Type::Timestamp, ""),
    key("deviceDirection", "", Type::Int, ""),
    key("deviceExternalId", "", Type::Text, ""),
    key("deviceFacility", "", Type::Text, "log.syslog.facility.name"),
    key("deviceInboundInterface", "", Type::Text, "observer.ingress.interface.name"),
    key("deviceOutboundInterface", "", Type::Text, "observer.egress.interface.name"),
    key("deviceProcessName", "", Type::Text, "process.name"),
    key("dhost", "destinationHostName", Type::Text, "destination.domain"),
    key("dlat", "destinationGeoLatitude", Type::Float, ""),
    key("dlong", "destinationGeoLongitude", Type::Float, ""),
    key("dmac", "destinationMacAddress", Type::Text, "destination.mac"),
    key("dntdom", "destinationNtDomain", Type::Text, ""),
    key("dpid", "destinationProcessId", Type::Int, ""),
    key("dpriv", "destinationUserPrivileges", Type::Text, ""),
    key("dproc", "destinationProcessName", Type::Text, ""),
    key("dpt", "destinationPort", Type::Int, "destination.port"),
    key("dst", "destinationAddress", Type::Ip, "destination.ip"),
    key("dtz", "deviceTimeZone", Type::Text, "event.timezone"),
    key("duid", "destinationUserId", Type::Text, "destination.user.id"),
    key("duser", "destinationUserName", Type::Text, "destination.user.name"),
    key("dvc", "deviceAddress", Type::Ip, "observer.ip"),
    key("dvchost", "deviceHostName", Type::Text, "observer.hostname"),
    key("dvcmac", "deviceMacAddress", Type::Text, "observer.mac"),
    key("dvcpid", "deviceProcessId", Type::Int, "process.pid"),
    key("end", "endTime", Type::Timestamp, "event.end"),
    key("externalId", "", Type::Text, "event.id"),
    key("fileHash", "", Type::Text, ""),
    key("filePath", "", Type::Text, "file.path"),
    key("fileType", "", Type::Text, "file.type"),
    key("fname", "filename", Type::Text, "file.name"),
    key("fsize", "fileSize", Type::Int, "file.size"),
    key("in", "bytesIn", Type::Int, "source.bytes"),
    key("msg", "message", Type::Text, "message"),
    key("out", "bytesOut", Type::Int, "destination.bytes"),
    key("outcome", "eventOutcome", Type::Text, "event.outcome"),
    key("proto", "transportProtocol", Type::Text, "network.transport"),
    key("reason", "", Type::Text, "event.reason"),
    key("request", "requestUrl", Type::Text, "url.original"),
    key("requestClientApplication", "", Type::Text, "user_agent.original"),
    key("requestContext", "", Type::Text, "http.request.referrer"),
    key("requestMethod", "", Type::Text, "http.request.method"),
    key("rt", "deviceReceiptTime", Type::Timestamp, "@timestamp"),
    key("shost", "sourceHostName", Type::Text, "source.domain"),
    key("slat", "sourceGeoLatitude", Type::Float, ""),
    key("slong", "sourceGeoLongitude", Type::Float, ""),
    key("smac", "sourceMacAddress", Type::Text, "source.mac"),
    key("sntdom", "sourceNtDomain", Type::Text, ""),
    key("sourceServiceName", "", Type::Text, "source.service.name"),
    key("spid", "sourceProcessId", Type::Int, ""),
    key("spriv", "sourceUserPrivileges", Type::Text, ""),
    key("sproc", "sourceProcessName", Type::Text, ""),
    key("spt", "sourcePort", Type::Int, "source.port"),
    key("src", "sourceAddress", Type::Ip, "source.ip"),
    key("start", "startTime", Type::Timestamp, "event.start"),
    key("suid", "sourceUserId", Type::Text, "source.user.id"),
    key("suser", "sourceUserName", Type::Text, "source.user.name"),
];

struct Cef {
    header: [Vec<Slot>; 7],
    severity: Option<Slot>,
    time: Option<Slot>,
    labels: bool,
    calendar: super::Calendar,
    table: Table,
}

impl Format for Cef {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        Derived::within(texts, |texts, derived| self.event(input, texts, derived, fields))
    }
}

impl Cef {
    fn event(
        &self,
        input: Span,
        texts: &Texts,
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        let bytes = bytes.trim_ascii_end();
        let mut at = begin(bytes, b"CEF:").ok_or(Mismatch::at(0, "no `CEF:`"))?;
        if let (Some(slot), Some(ns)) = (self.time, envelope(&bytes[..at], &self.calendar)) {
            fields.push((Target::Slot(slot), Value::Timestamp(ns)));
        }
        at += 4;
        // Some put a blank there, and so do those who take `CEF` for the name of a program.
        at += usize::from(bytes.get(at) == Some(&b' '));
        for (number, slots) in self.header.iter().enumerate() {
            let len = pipe(&bytes[at..]);
            // The last part may be the end: an event without extension.
            if at + len == bytes.len() && number < 6 {
                return Err(Mismatch::at(at, "fewer than seven parts in the header"));
            }
            let text = &bytes[at..at + len];
            if number == 0 && !matches!(text, [b'0'..=b'9', ..]) {
                return Err(Mismatch::at(at, "no version behind `CEF:`"));
            }
            let span = plain(input, at, text, derived);
            fields.extend(
                slots.iter().filter(|_| len > 0).map(|slot| (Target::Slot(*slot), Value::Text(span))),
            );
            if let (6, Some(slot), Some(severity)) = (number, self.severity, severity(text)) {
                fields.push((Target::Slot(slot), Value::Int(severity)));
            }
            at = (at + len + 1).min(bytes.len());
        }
        self.extension(input, bytes, at, texts, derived, fields)
    }

    fn extension(
        &self,
        input: Span,
        bytes: &[u8],
        from: usize,
        texts: &Texts,
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let pairs = pairs(bytes, from);
        if pairs.is_empty() && !bytes[from..].trim_ascii().is_empty() {
            return Err(Mismatch::at(from, "no key in the extension"));
        }
        let labels = if self.labels { Labels::of(&pairs, bytes) } else { Labels::default() };
        let mut members = self.table.members(fields);
        for (key, value) in &pairs {
            let written = &bytes[key.clone()];
            let text = &bytes[value.clone()];
            let mark = derived.bytes.len();
            let span = plain(input, value.start, text, derived);
            let resolved = derived.bytes.get(mark..).filter(|resolved| !resolved.is_empty());
            let resolved = resolved.map_or(text, |resolved| resolved).to_vec();
            if labels.is_label(written) {
                continue;
            }
            if let Some(label) = labels.of.get(written) {
                let name = &bytes[label.clone()];
                let same = |other: Span| texts.bytes(other) == name;
                let name = (part(input, label.start, label.len()), name);
                members.put(fields, name, Value::Text(span), same)?;
                continue;
            }
            let key = (part(input, key.start, key.len()), written);
            self.table.put(key, (&resolved, span), texts, &mut members, fields)?;
        }
        Ok(())
    }
}

/// Where the event begins: at the front, or behind a blank (a syslog header).
pub(super) fn begin(bytes: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(bytes, word)
        .find(|&at| at == 0 || bytes[at - 1].is_ascii_whitespace() || bytes[at - 1] == b':')
}

/// The time of a syslog header that stands before the event.
pub(super) fn envelope(bytes: &[u8], calendar: &super::Calendar) -> Option<i64> {
    let bytes = match bytes.first()? {
        b'<' => bytes.get(memchr::memchr(b'>', bytes)? + 1..)?,
        _ => bytes,
    };
    let bytes = bytes.strip_prefix(b"1 ").unwrap_or(bytes);
    let forms = [time::TimeForm::Rfc3164, time::TimeForm::Iso];
    forms.iter().find_map(|form| form.scan(bytes, calendar)).map(|(ns, _)| ns)
}

/// Length up to a `|` that no backslash hides.
pub(super) fn pipe(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'|', b'\\', bytes.get(at..).unwrap_or_default()) {
        work::count(1 + next);
        if bytes[at + next] == b'|' {
            return at + next;
        }
        at += next + 2;
    }
    bytes.len()
}

/// A text without its backslashes: the input itself where it has none.
pub(super) fn plain(input: Span, at: usize, text: &[u8], derived: &mut Derived) -> Span {
    if memchr::memchr(b'\\', text).is_none() {
        return part(input, at, text.len());
    }
    let from = derived.bytes.len();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        derived.bytes.extend_from_slice(&rest[..at]);
        match rest.get(at + 1) {
            Some(b'n') => derived.bytes.push(b'\n'),
            Some(b'r') => derived.bytes.push(b'\r'),
            Some(&byte @ (b'\\' | b'|' | b'=')) => derived.bytes.push(byte),
            // No escape of the format: a path of Windows, most often.
            Some(&byte) => derived.bytes.extend_from_slice(&[b'\\', byte]),
            None => derived.bytes.push(b'\\'),
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    derived.bytes.extend_from_slice(rest);
    derived.span(from)
}

/// Number of a severity, which may be a word.
pub(super) fn severity(text: &[u8]) -> Option<i64> {
    const WORDS: [(&[u8], i64); 5] =
        [(b"low", 0), (b"medium", 4), (b"high", 7), (b"very-high", 9), (b"very high", 9)];
    scan::int(text)
        .filter(|(_, len)| *len == text.len())
        .map(|(int, _)| int)
        .or_else(|| WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, int)| *int))
}

type Pair = (Range<usize>, Range<usize>);

/// Keys and values: a key is a word before an `=`, and a value goes on until the blank before the next key.
fn pairs(bytes: &[u8], from: usize) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut at = from;
    // Where a key may begin: at the front or behind a blank, and no more once an `=` was there.
    let mut word = Some(from);
    while let Some(&byte) = bytes.get(at).filter(|_| pairs.len() <= REST_KEYS_MAX) {
        match byte {
            b'\\' => at += 1,
            b' ' | b'\t' | b'\n' => word = Some(at + 1),
            b'=' => {
                if let Some(word) = word.take().filter(|&word| is_key(&bytes[word..at])) {
                    if let Some((_, value)) = pairs.last_mut() {
                        let text = &bytes[value.start..word];
                        value.end = value.start + text.trim_ascii_end().len();
                    }
                    pairs.push((word..at, at + 1..bytes.len()));
                }
            }
            _ => {}
        }
        at += 1;
    }
    pairs
}

/// `ad.name[0]` is one, `https://host?id` is not.
fn is_key(word: &[u8]) -> bool {
    work::count(word.len());
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-[]:@".contains(byte);
    !word.is_empty() && word.iter().all(inside) && !word.windows(2).any(|pair| pair == b"//")
}

/// Labels of custom fields that are there.
#[derive(Default)]
struct Labels<'a> {
    /// Where the label of a key stands.
    of: BTreeMap<&'a [u8], Range<usize>>,
}

impl<'a> Labels<'a> {
    fn of(pairs: &[Pair], bytes: &'a [u8]) -> Self {
        let keys: BTreeSet<&[u8]> = pairs.iter().map(|(key, _)| &bytes[key.clone()]).collect();
        let label = |(key, value): &Pair| {
            let of = bytes[key.clone()].strip_suffix(b"Label")?;
            (keys.contains(of) && !value.is_empty()).then(|| (of, value.clone()))
        };
        Self { of: pairs.iter().filter_map(label).collect() }
    }

    fn is_label(&self, key: &[u8]) -> bool {
        key.strip_suffix(b"Label").is_some_and(|of| self.of.contains_key(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_begins_behind_a_blank() {
        for (text, expected) in [
            ("a=b c=d", &["a:b", "c:d"][..]),
            ("a=b=c d=e", &["a:b=c", "d:e"]),
            ("a=http://h/?b=c d e=f", &["a:http://h/?b=c d", "e:f"]),
            ("a=b\\=c=d", &["a:b\\=c=d"]),
            ("=a b=c", &["b:c"]),
        ] {
            let part = |range: &Range<usize>| text.get(range.clone()).expect("a part");
            let found = pairs(text.as_bytes(), 0);
            let found: Vec<_> =
                found.iter().map(|(key, value)| format!("{}:{}", part(key), part(value))).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
