//! One message to one event, without a pipeline: for `aludel parse`, for detection and for tests.

use std::sync::Arc;

use super::auto::AUTO;
use super::parser;
use crate::event::{Layout, LayoutBuilder, Mask, Options, Row, Slot, Value, write_object};
use crate::format::time;
use crate::format::{Bind, Calendar, Fields, Format, Reference, commit};

/// Where a message was found, beside its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Position of its first byte.
    pub offset: u64,
    /// The time of its envelope, in nanoseconds since the epoch.
    pub time_ns: Option<i64>,
}

/// Parses messages into ECS events, as JSON.
pub struct Reader {
    bench: Bench,
    slots: Slots,
    multiline: Value,
    told: Option<&'static str>,
}

/// Fields that every event has, whatever the format.
struct Slots {
    time: Slot,
    error: Slot,
    original: Slot,
    flags: Slot,
    offset: Slot,
    message: Slot,
    times: Vec<Slot>,
}

/// Where open formats keep the time of an event, best first.
const TIMES: [&str; 10] = [
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "date",
    "datetime",
    "fields.time",
    "eventTime",
    "requestReceivedTimestamp",
    "published",
];

const PATHS: [&str; 6] =
    ["@timestamp", "error.message", "event.original", "log.flags", "log.offset", "message"];

impl Reader {
    /// A reader for a grammar or format, or `auto`.
    pub fn new(name: &str, options: &Options, reference: Reference) -> Result<Self, String> {
        let mut bench = Bench::new(name, options, reference)?;
        let slot = |path: &str| bench.layout.slot(path).ok_or_else(|| format!("no field `{path}`"));
        let slots = Slots {
            time: slot("@timestamp")?,
            error: slot("error.message")?,
            original: slot("event.original")?,
            flags: slot("log.flags")?,
            offset: slot("log.offset")?,
            message: slot("message")?,
            times: TIMES.iter().filter_map(|path| bench.layout.slot(path)).collect(),
        };
        let multiline = Value::List(bench.multiline);
        bench.fields.reserve(64);
        Ok(Self { bench, slots, multiline, told: None })
    }

    /// The format that took the last message, where this is `auto`.
    pub fn told(&self) -> Option<&'static str> {
        self.told
    }

    /// Appends the event of a message as one line of JSON. A message that is not of the format is an event too, with
    /// the reason as `error.message`. Returns whether it was of the format.
    pub fn parse(&mut self, text: &[u8], found: Found, out: &mut Vec<u8>) -> bool {
        let slots = &self.slots;
        let Bench { row, format, fields, calendar, .. } = &mut self.bench;
        row.clear();
        fields.clear();
        let input = row.texts.push(text);
        row.set(slots.message, Value::Text(input));
        let result = format.parse_as(input, &mut row.texts, fields);
        self.told = result.unwrap_or_default();
        match result {
            Ok(_) => commit(row, fields),
            Err(mismatch) => {
                fields.clear();
                let reason = row.texts.push(mismatch.reason.as_bytes());
                row.set(slots.error, Value::Text(reason));
            }
        }
        row.set(slots.original, Value::Text(input));
        row.set(slots.offset, Value::Int(i64::try_from(found.offset).unwrap_or(i64::MAX)));
        if memchr::memchr(b'\n', text).is_some() {
            row.set(slots.flags, self.multiline);
        }
        if !matches!(row.get(slots.time), Some(Value::Timestamp(_))) {
            let written = slots.times.iter().find_map(|slot| time_of(row, *slot, calendar));
            if let Some(ns) = written.or(found.time_ns) {
                row.set(slots.time, Value::Timestamp(ns));
            }
        }
        write_object(row, out);
        out.push(b'\n');
        result.is_ok()
    }
}

/// The time that a field of an open format tells.
fn time_of(row: &Row, slot: Slot, calendar: &Calendar) -> Option<i64> {
    let mut text = Vec::new();
    crate::event::write_plain(&row.texts, row.get(slot)?, &mut text);
    time::whole(&text, calendar)
}

/// A format bound to a layout of its own.
pub(super) struct Bench {
    layout: Arc<Layout>,
    row: Row,
    format: Box<dyn Format>,
    fields: Fields,
    multiline: crate::event::Span,
    calendar: Calendar,
}

impl Bench {
    pub(super) fn new(name: &str, options: &Options, reference: Reference) -> Result<Self, String> {
        let parser = parser(name).ok_or_else(|| unknown(name))?;
        let mut builder = LayoutBuilder::default();
        for field in parser.gives(options)?.fields {
            builder.add(&field.path);
        }
        for path in PATHS.into_iter().chain(TIMES) {
            if !builder.add(path) {
                return Err("more fields than an event may name".into());
            }
        }
        let layout = Arc::new(builder.build());
        let mut constants = Vec::new();
        let mut bind = Bind {
            layout: &layout,
            prefix: "",
            options,
            constants: &mut constants,
            reference,
            wanted: Mask::ALL,
        };
        let format = parser.bind(&mut bind)?;
        let calendar = bind.calendar()?;
        let multiline = bind.constant(b"[\"multiline\"]");
        let row = Row::new(layout.clone(), constants.into());
        Ok(Self { layout, row, format, fields: Fields::new(), multiline, calendar })
    }

    /// The name of the format that takes a line, where this is `auto`.
    pub(super) fn name_of(&mut self, line: &[u8]) -> Option<&'static str> {
        self.row.clear();
        self.fields.clear();
        let input = self.row.texts.push(line);
        self.format.parse_as(input, &mut self.row.texts, &mut self.fields).ok()?
    }
}

fn unknown(name: &str) -> String {
    let near = crate::diag::nearest(name, super::names().chain([AUTO]));
    match near {
        Some(near) => format!("there is no grammar or format `{name}`; did you mean `{near}`?"),
        None => format!(
            "there is no grammar or format `{name}`; `aludel list grammars` and `aludel list formats` show what there is"
        ),
    }
}
