//! Rows whose columns a header says: W3C extended logs (`#Fields:`) and Zeek's (`#fields`). The header is what the
//! source says that stands above the row in its stream (option `header`), so that a row means the same wherever a reader
//! begins.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::extension::{self, Key, Table, key};
use super::members::{Derived, part};
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target, time};
use crate::event::{Slot, Span, Texts, Value};
use crate::limits::REST_KEYS_MAX;
use crate::signature::{Example, OptionSpec, OptionType, Signature, Type};

const ZONE: &[OptionSpec] = &[OptionSpec {
    name: "zone",
    ty: OptionType::Text,
    default: Some("\"UTC\""),
    doc: "zone of times that do not name theirs",
}];

/// W3C extended logs, as the list of formats has it.
pub(super) const W3C: FormatKind = FormatKind {
    signature: &Signature {
        name: "w3c",
        summary: "rows of a W3C extended log (IIS and others), whose `#Fields:` line names the columns",
        doc: "The source must hand the header on: `header = hash`. Columns go below `w3c`, and those that are known to the \
              ECS fields that mean the same; `date` and `time` are `@timestamp`. `-` is no value.",
        form: "w3c",
        options: ZONE,
        examples: &[Example {
            title: "without its header a row means nothing",
            source: "parse .message as w3c else drop \"no header\"",
            input: r#"{"message": "2024-05-06 07:08:09 GET /cart 200"}"#,
            result: "dropped \"no header\"",
        }],
    },
    gives: |_| Ok(Gives { fields: extension::fields("w3c", W3C_KEYS, FIXED), open: false }),
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Rows::new("w3c", W3C_KEYS, bind)?)),
};

/// Zeek's logs, as the list of formats has it.
pub(super) const ZEEK: FormatKind = FormatKind {
    signature: &Signature {
        name: "zeek_tsv",
        summary: "rows of a Zeek log, whose `#fields` and `#types` lines name the columns and their types",
        doc: "The source must hand the header on: `header = hash`. Columns go below `zeek`, and those that are known to the \
              ECS fields that mean the same.",
        form: "zeek_tsv",
        options: ZONE,
        examples: &[Example {
            title: "without its header a row means nothing",
            source: "parse .message as zeek_tsv else drop \"no header\"",
            input: r#"{"message": "1714979289.1\tC7\t203.0.113.7"}"#,
            result: "dropped \"no header\"",
        }],
    },
    gives: |_| Ok(Gives { fields: extension::fields("zeek", ZEEK_KEYS, FIXED), open: false }),
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Rows::new("zeek", ZEEK_KEYS, bind)?)),
};

/// IIS's own logs, as the list of formats has it.
pub(super) const IIS: FormatKind = FormatKind {
    signature: &Signature {
        name: "iis.access",
        summary: "access logs of IIS in W3C form; without a header, in the order of columns that IIS has by default",
        doc: "As `w3c`, with the fields that Filebeat's module for IIS gives. Where the source hands a header on               (`header = hash`), its `#Fields:` line names the columns.",
        form: "iis.access",
        options: ZONE,
        examples: &[
            Example {
                title: "the columns of IIS by default",
                source: "parse .message as iis.access | remove .message",
                input: r#"{"message": "2024-05-06 07:08:09 192.0.2.10 GET /cart id=7 443 eve 203.0.113.7 curl/8+(x) - 404 0 2 15"}"#,
                result: r#"{"@timestamp":"2024-05-06T07:08:09.000Z","destination":{"address":"192.0.2.10","ip":"192.0.2.10","port":443},"event":{"category":["web"],"dataset":"iis.access","duration":15000000,"kind":"event","module":"iis","outcome":"failure","type":["access"]},"http":{"request":{"method":"GET"},"response":{"status_code":404}},"iis":{"access":{"c-ip":"203.0.113.7","cs(User-Agent)":"curl/8 (x)","cs-method":"GET","cs-uri-query":"id=7","cs-uri-stem":"/cart","cs-username":"eve","date":"2024-05-06","s-ip":"192.0.2.10","s-port":443,"sc-status":404,"sub_status":0,"time":"07:08:09","time-taken":15,"win32_status":2}},"source":{"address":"203.0.113.7","ip":"203.0.113.7"},"url":{"path":"/cart","query":"id=7"},"user":{"name":"eve"},"user_agent":{"original":"curl/8 (x)"}}"#,
            },
            Example {
                title: "any other order needs its header",
                source: "parse .message as iis.access else drop \"no header\"",
                input: r#"{"message": "2024-05-06 07:08:09 GET /cart 200"}"#,
                result: "dropped \"no header\"",
            },
        ],
    },
    gives: |_| Ok(Gives { fields: extension::fields("iis.access", IIS_KEYS, IIS_FIXED), open: false }),
    bind: |bind: &mut Bind<'_>| {
        let mut rows = Rows::new("iis.access", IIS_KEYS, bind)?;
        rows.defaults = IIS_DEFAULTS;
        for (name, path, extra) in IIS_EXTRAS {
            rows.extras.extend(bind.wanted_slot(path)?.map(|slot| (name.as_bytes(), slot, *extra)));
        }
        for (path, text) in IIS_TEXTS {
            let value = bind.constant(text.as_bytes());
            let value = if text.starts_with('[') { Value::List(value) } else { Value::Text(value) };
            rows.constants.extend(bind.wanted_slot(path)?.map(|slot| (Target::Slot(slot), value)));
        }
        Ok(Box::new(rows))
    },
};

/// What a column gives besides its own field.
#[derive(Clone, Copy, Debug)]
enum Extra {
    /// Its text.
    Text,
    /// A length of time in milliseconds.
    Millis,
    /// The version behind `HTTP/`.
    Version,
    /// Success below 400, else failure.
    Outcome,
}

const IIS_EXTRAS: &[(&str, &str, Extra)] = &[
    ("c-ip", "source.address", Extra::Text),
    ("s-ip", "destination.address", Extra::Text),
    ("time-taken", "event.duration", Extra::Millis),
    ("cs-version", "http.version", Extra::Version),
    ("sc-status", "event.outcome", Extra::Outcome),
];

const IIS_TEXTS: &[(&str, &str)] = &[
    ("event.kind", "event"),
    ("event.module", "iis"),
    ("event.dataset", "iis.access"),
    ("event.category", "[\"web\"]"),
    ("event.type", "[\"access\"]"),
];

const IIS_FIXED: &[(&str, Type)] = &[
    ("@timestamp", Type::Timestamp),
    ("source.address", Type::Text),
    ("destination.address", Type::Text),
    ("event.duration", Type::Duration),
    ("http.version", Type::Text),
    ("event.outcome", Type::Text),
    ("event.kind", Type::Text),
    ("event.module", Type::Text),
    ("event.dataset", Type::Text),
    ("event.category", Type::List),
    ("event.type", Type::List),
];

/// The columns that IIS writes where nobody chose others: since 8, and before it, without the referrer
/// (<https://learn.microsoft.com/en-us/windows/win32/http/w3c-logging>).
const IIS_DEFAULTS: &[&str] = &[
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken",
];

const IIS_KEYS: &[Key] = &[
    key("c-ip", "", Type::Ip, "source.ip"),
    key("c-port", "", Type::Int, "source.port"),
    key("s-ip", "", Type::Ip, "destination.ip"),
    key("s-port", "", Type::Int, "destination.port"),
    key("date", "", Type::Text, ""),
    key("time", "", Type::Text, ""),
    key("s-computername", "server_name", Type::Text, ""),
    key("s-sitename", "site_name", Type::Text, ""),
    key("cs-method", "", Type::Text, "http.request.method"),
    key("cs-uri-stem", "", Type::Text, "url.path"),
    key("cs-uri-query", "", Type::Text, "url.query"),
    key("cs-username", "", Type::Text, "user.name"),
    key("cs-host", "", Type::Text, "url.domain"),
    key("cs(Host)", "", Type::Text, "url.domain"),
    key("cs-version", "", Type::Text, ""),
    key("cs(Cookie)", "cookie", Type::Text, ""),
    key("cs(User-Agent)", "", Type::Text, "user_agent.original"),
    key("cs(Referer)", "", Type::Text, "http.request.referrer"),
    key("X-Forwarded-For", "", Type::Ip, "network.forwarded_ip"),
    key("sc-status", "", Type::Int, "http.response.status_code"),
    key("sc-substatus", "sub_status", Type::Int, ""),
    key("sc-win32-status", "win32_status", Type::Int, ""),
    key("sc-bytes", "", Type::Int, "http.response.body.bytes"),
    key("cs-bytes", "", Type::Int, "http.request.body.bytes"),
    key("time-taken", "", Type::Int, ""),
];

const FIXED: &[(&str, Type)] = &[("@timestamp", Type::Timestamp)];

/// Fields of the working draft WD-logfile-960323 and of IIS.
const W3C_KEYS: &[Key] = &[
    key("c-ip", "", Type::Ip, "source.ip"),
    key("c-port", "", Type::Int, "source.port"),
    key("s-ip", "", Type::Ip, "destination.ip"),
    key("s-port", "", Type::Int, "destination.port"),
    key("s-computername", "", Type::Text, "host.hostname"),
    key("s-sitename", "", Type::Text, ""),
    key("cs-method", "", Type::Text, "http.request.method"),
    key("cs-uri", "", Type::Text, "url.original"),
    key("cs-uri-stem", "", Type::Text, "url.path"),
    key("cs-uri-query", "", Type::Text, "url.query"),
    key("cs-username", "", Type::Text, "user.name"),
    key("cs-host", "", Type::Text, "url.domain"),
    key("cs(Host)", "", Type::Text, "url.domain"),
    key("cs-version", "", Type::Text, ""),
    key("cs(User-Agent)", "", Type::Text, "user_agent.original"),
    key("cs(Referer)", "", Type::Text, "http.request.referrer"),
    key("sc-status", "", Type::Int, "http.response.status_code"),
    key("sc-substatus", "", Type::Int, ""),
    key("sc-win32-status", "", Type::Int, ""),
    key("sc-bytes", "", Type::Int, "http.response.body.bytes"),
    key("cs-bytes", "", Type::Int, "http.request.body.bytes"),
    key("time-taken", "", Type::Float, ""),
];

const ZEEK_KEYS: &[Key] = &[
    key("ts", "", Type::Timestamp, "@timestamp"),
    key("uid", "session_id", Type::Text, ""),
    key("id.orig_h", "", Type::Ip, "source.ip"),
    key("id.orig_p", "", Type::Int, "source.port"),
    key("id.resp_h", "", Type::Ip, "destination.ip"),
    key("id.resp_p", "", Type::Int, "destination.port"),
    key("proto", "", Type::Text, "network.transport"),
    key("service", "", Type::Text, "network.protocol"),
    key("orig_ip_bytes", "", Type::Int, "source.bytes"),
    key("resp_ip_bytes", "", Type::Int, "destination.bytes"),
    key("orig_pkts", "", Type::Int, "source.packets"),
    key("resp_pkts", "", Type::Int, "destination.packets"),
    key("method", "", Type::Text, "http.request.method"),
    key("host", "", Type::Text, "url.domain"),
    key("uri", "", Type::Text, "url.original"),
    key("user_agent", "", Type::Text, "user_agent.original"),
    key("status_code", "", Type::Int, "http.response.status_code"),
    key("query", "", Type::Text, "dns.question.name"),
    key("qtype_name", "", Type::Text, "dns.question.type"),
    key("rcode_name", "", Type::Text, "dns.response_code"),
    key("server_name", "", Type::Text, "tls.client.server_name"),
];

struct Rows {
    table: Table,
    time: Option<Slot>,
    calendar: Calendar,
    /// What columns give besides their own field: name, slot, and what.
    extras: Vec<(&'static [u8], Slot, Extra)>,
    /// Fields that every row has.
    constants: Vec<(Target, Value)>,
    /// Headers of rows that have none, one for each count of columns.
    defaults: &'static [&'static str],
    success: Value,
    failure: Value,
    /// What the last header says: rows of one stream follow each other.
    last: Mutex<Option<Arc<Columns>>>,
}

/// What a header says.
#[derive(Debug, Default, PartialEq)]
struct Columns {
    header: Vec<u8>,
    /// Where the names stand in the header.
    names: Vec<Range<usize>>,
    types: Vec<Option<Type>>,
    separator: u8,
    unset: Vec<u8>,
    empty: Vec<u8>,
    /// The day of rows that tell only their time.
    day: Vec<u8>,
}

impl Columns {
    fn of(header: &[u8]) -> Result<Self, &'static str> {
        let mut columns =
            Self { header: header.to_vec(), separator: b' ', unset: b"-".to_vec(), ..Self::default() };
        let mut at = 0;
        let mut fields = None;
        for line in header.split(|&byte| byte == b'\n') {
            let start = at;
            at += line.len() + 1;
            if let Some(rest) = line.strip_prefix(b"#Fields:") {
                fields = Some(start + line.len() - rest.len()..start + line.len());
            } else if let Some(rest) = line.strip_prefix(b"#Date:") {
                let day = rest.trim_ascii().split(|&byte| byte == b' ').next();
                columns.day = day.unwrap_or_default().to_vec();
            } else if let Some(rest) = line.strip_prefix(b"#separator ") {
                let hex = rest.strip_prefix(b"\\x").and_then(|hex| std::str::from_utf8(hex).ok());
                columns.separator = match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(byte) => byte,
                    None => rest.first().copied().unwrap_or(b'\t'),
                };
            }
        }
        let separator = columns.separator;
        let (mut at, mut zeek) = (0, None);
        for line in header.split(|&byte| byte == b'\n') {
            let start = at;
            at += line.len() + 1;
            let separator = if separator == b' ' && line.contains(&b'\t') { b'\t' } else { separator };
            let Some(end) = memchr::memchr(separator, line) else { continue };
            let rest = &line[end + 1..];
            match &line[..end] {
                b"#fields" => zeek = Some((start + end + 1..start + line.len(), separator)),
                b"#types" => columns.types = rest.split(|&byte| byte == separator).map(zeek_type).collect(),
                b"#unset_field" => columns.unset = rest.to_vec(),
                b"#empty_field" => columns.empty = rest.to_vec(),
                _ => {}
            }
        }
        let range = match zeek {
            Some((range, separator)) => {
                columns.separator = separator;
                range
            }
            None => fields.ok_or("no header line above names the columns")?,
        };
        let mut at = range.start;
        for name in header[range].split(|&byte| byte == columns.separator || byte == b' ') {
            if !name.is_empty() {
                columns.names.push(at..at + name.len());
            }
            at += name.len() + 1;
        }
        if columns.names.len() > REST_KEYS_MAX {
            Err("more columns than an event may have")
        } else {
            Ok(columns)
        }
    }
}

fn zeek_type(name: &[u8]) -> Option<Type> {
    match name {
        b"time" => Some(Type::Timestamp),
        b"count" | b"int" | b"port" => Some(Type::Int),
        b"double" | b"interval" => Some(Type::Float),
        b"bool" => Some(Type::Bool),
        b"addr" => Some(Type::Ip),
        _ => None,
    }
}

impl Rows {
    fn new(root: &str, keys: &'static [Key], bind: &mut Bind<'_>) -> Result<Self, String> {
        Ok(Self {
            table: Table::new(root, keys, bind)?,
            time: bind.wanted_slot("@timestamp")?,
            calendar: bind.calendar()?,
            extras: Vec::new(),
            constants: Vec::new(),
            defaults: &[],
            success: Value::Text(bind.constant(b"success")),
            failure: Value::Text(bind.constant(b"failure")),
            last: Mutex::new(None),
        })
    }

    fn columns(&self, header: &[u8]) -> Result<Arc<Columns>, Mismatch> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(columns) = last.as_ref().filter(|columns| columns.header == header) {
            return Ok(Arc::clone(columns));
        }
        let columns = Arc::new(Columns::of(header).map_err(|reason| Mismatch::at(0, reason))?);
        *last = Some(Arc::clone(&columns));
        Ok(columns)
    }

    fn row(
        &self,
        input: Span,
        columns: &Columns,
        texts: &Texts,
        derived: &mut Derived,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let (bytes, header) = (texts.bytes(input), texts.header());
        // Columns of a header that is not in the stream are all known by their names.
        let name_at = |name: &Range<usize>| {
            if header.len > 0 { header.part(name.start, name.len()) } else { header }
        };
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.first() == Some(&b'#') {
            return Err(Mismatch::at(0, "a header line"));
        }
        let mut members = self.table.members(fields);
        let (mut day, mut clock) = (&columns.day[..], None);
        let (mut at, mut names, mut types) = (0, columns.names.iter(), columns.types.iter());
        while at <= bytes.len() {
            let (value, next) = value(bytes, at, columns.separator);
            let Some(name) = names.next() else { return Err(Mismatch::at(at, "more values than columns")) };
            let ty = types.next().copied().flatten();
            at = next;
            let text = &bytes[value.clone()];
            let written = columns.header.get(name.clone()).unwrap_or_default();
            if text == columns.unset || text.is_empty() || !columns.empty.is_empty() && text == columns.empty
            {
                continue;
            }
            match written {
                b"date" => day = text,
                b"time" => clock = Some(text),
                _ => {}
            }
            let mut span = part(input, value.start, value.len());
            let mut owned = None;
            if written == b"cs(User-Agent)" && text.contains(&b'+') && !text.contains(&b' ') {
                // IIS writes blanks so.
                let from = derived.bytes.len();
                derived.bytes.extend(text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }));
                owned = derived.bytes.get(from..).map(<[u8]>::to_vec);
                span = derived.span(from);
            }
            let text = owned.as_deref().unwrap_or(text);
            self.table.put_as((name_at(name), written), (text, span), ty, texts, &mut members, fields)?;
            for (of, slot, extra) in self.extras.iter().filter(|(of, ..)| *of == written) {
                let _ = of;
                fields.extend(self.extra(*extra, text, span).map(|value| (Target::Slot(*slot), value)));
            }
        }
        if names.next().is_some() {
            return Err(Mismatch::at(bytes.len(), "fewer values than columns"));
        }
        if let (Some(slot), Some(clock)) = (self.time, clock)
            && let Some(ns) = time::whole(&[day, b" ", clock].concat(), &self.calendar)
        {
            fields.push((Target::Slot(slot), Value::Timestamp(ns)));
        }
        fields.extend_from_slice(&self.constants);
        Ok(())
    }

    /// What a column gives besides its own field.
    fn extra(&self, extra: Extra, text: &[u8], span: Span) -> Option<Value> {
        let int = || super::scan::int(text).filter(|(_, len)| *len == text.len()).map(|(int, _)| int);
        Some(match extra {
            Extra::Text => Value::Text(span),
            Extra::Millis => Value::Duration(int()?.checked_mul(1_000_000)?),
            Extra::Version => {
                text.starts_with(b"HTTP/").then(|| Value::Text(span.part(5, text.len() - 5)))?
            }
            Extra::Outcome => {
                if int()? < 400 {
                    self.success
                } else {
                    self.failure
                }
            }
        })
    }

    /// The header of a row that has none, by its columns: a day, an address, a method and a port, or it is no such row.
    fn default_for(&self, bytes: &[u8]) -> Option<&'static str> {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let count = bytes.iter().filter(|&&byte| byte == b' ').count() + 1;
        let mut words = bytes.split(|&byte| byte == b' ').skip(2);
        let is_row = words.next().is_some_and(super::scan::is_ip)
            && words.next().is_some_and(|word| word.iter().all(u8::is_ascii_uppercase))
            && words.nth(2).is_some_and(|word| word.iter().all(u8::is_ascii_digit));
        let has = |header: &&&str| header.bytes().filter(|byte| *byte == b' ').count() == count;
        self.defaults.iter().find(has).filter(|_| is_row).copied()
    }
}

impl Format for Rows {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let header = match texts.bytes(texts.header()) {
            [] => self.default_for(texts.bytes(input)).map_or(&[][..], str::as_bytes),
            header => header,
        };
        let columns = self.columns(header)?;
        let mut derived = Derived::new(texts);
        let done = self.row(input, &columns, texts, &mut derived, fields);
        derived.finish(texts);
        done
    }
}

/// A value, in quotes where it holds separators, and where the next one begins (past the end behind the last).
fn value(bytes: &[u8], at: usize, separator: u8) -> (Range<usize>, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    if separator == b' '
        && rest.first() == Some(&b'"')
        && let Some(len) = memchr::memchr(b'"', &rest[1..])
        && matches!(rest.get(len + 2), None | Some(b' '))
    {
        return (
            at + 1..at + 1 + len,
            if rest.get(len + 2).is_none() { bytes.len() + 1 } else { at + len + 3 },
        );
    }
    match memchr::memchr(separator, rest) {
        Some(len) => (at..at + len, at + len + 1),
        None => (at..bytes.len(), bytes.len() + 1),
    }
}
