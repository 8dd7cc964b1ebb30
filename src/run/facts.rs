//! The fields that every event has before its first step: the message, where it is from, its envelope's time.
//!
//! What is the same for a run (path, pod, container) is written once per batch into a segment of its own; an
//! event gets spans into it.

use std::sync::Arc;

use data_encoding::BASE64;

use crate::event::{
    Batch, Facts as TextFacts, Layout, Mask, Message, Origin, Row, Run, Segment, Slot, Span, Value,
};
use crate::format::{Calendar, time};
use crate::lang::builtin;
use crate::limits::ORIGINAL_KEPT_BYTES_MAX;
use crate::source::container::Container;
use crate::source::envelope;

/// The facts of a batch's runs.
pub(super) struct Facts {
    runs: Vec<Vec<(&'static str, Span)>>,
    names: [Span; 2],
    read_unix_ns: i64,
    doubt: Doubt,
}

/// What is said of messages that are not valid in their encoding.
#[derive(Clone, Copy)]
struct Doubt {
    /// Some segment of the batch is not UTF-8.
    any: bool,
    /// The names of the two fields, and the value of the first one.
    flags: Span,
    original: Span,
    invalid: Span,
}

impl Facts {
    /// Gathers the facts and appends the segment that holds their text.
    pub(super) fn new(batch: &mut Batch) -> Self {
        let buffer = Span::SEGMENTS + batch.segments.len() as u16;
        let mut text = Vec::new();
        let mut put = |value: &str| {
            let start = text.len() as u32;
            text.extend_from_slice(value.as_bytes());
            let plain = !value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
            let facts = if plain { TextFacts::PLAIN } else { TextFacts::UNKNOWN };
            Span { start, len: value.len() as u32, buffer, facts }
        };
        let names = [put("stdout"), put("stderr")];
        let doubt = Doubt {
            // Whoever writes text asks this of every segment that is clean otherwise; here it is asked of all.
            any: batch.segments.iter().any(|segment| !segment.is_utf8()),
            flags: put(builtin::FLAGS),
            original: put(builtin::ORIGINAL),
            invalid: put(r#"["invalid_encoding"]"#),
        };
        let runs = batch
            .runs
            .iter()
            .map(|run| {
                let path = &*run.stream.path;
                let container = Container::from_path(path);
                let (address, index) = peer(path);
                let topic = partition_of(run.origin, path).map(|(topic, _)| topic);
                let of = [
                    (builtin::PATH, Some(path)),
                    (builtin::SOURCE_ADDRESS, address),
                    (builtin::TARGET_INDEX, index),
                    (builtin::TOPIC, topic),
                    (builtin::POD, container.pod),
                    (builtin::POD_UID, container.pod_uid),
                    (builtin::NAMESPACE, container.namespace),
                    (builtin::CONTAINER, container.container),
                    (builtin::CONTAINER_ID, container.id),
                ];
                of.into_iter().filter_map(|(name, value)| Some((name, put(value?)))).collect()
            })
            .collect();
        batch.segments.push(Arc::new(Segment::new(text)));
        Self { runs, names, doubt, read_unix_ns: batch.read_unix_ns }
    }

    /// Resolves the fields to the slots of a layout, those that anyone looks at.
    pub(super) fn bind(&self, layout: &Layout, wanted: &Mask) -> Bound {
        let slot = |path| layout.slot(path).filter(|slot| wanted.contains(*slot));
        let resolve = |facts: &Vec<(&'static str, Span)>| {
            facts.iter().filter_map(|(name, span)| Some((slot(name)?, *span))).collect()
        };
        Bound {
            runs: self.runs.iter().map(resolve).collect(),
            names: self.names,
            doubt: self.doubt,
            message: slot(builtin::MESSAGE),
            offset: slot(builtin::OFFSET),
            lane: slot(builtin::IOSTREAM),
            time: slot(builtin::TIMESTAMP),
            read: slot(builtin::READ_TIME).map(|slot| (slot, Value::Timestamp(self.read_unix_ns))),
            partition: slot(builtin::PARTITION),
            kafka_offset: slot(builtin::KAFKA_OFFSET),
            key: slot(builtin::KEY),
            // All of it, or one by its name.
            headers: layout.slot(builtin::HEADERS).filter(|slot| wanted.any(*slot, layout.end(*slot))),
        }
    }
}

/// Address and index of a peer's name, `PROTOCOL://ADDRESS:PORT/INDEX`; a path has neither.
fn peer(name: &str) -> (Option<&str>, Option<&str>) {
    let Some((scheme, rest)) = name.split_once("://") else { return (None, None) };
    if !matches!(scheme, "udp" | "tcp" | "tls" | "http" | "https") {
        return (None, None);
    }
    match rest.split_once('/') {
        Some((address, index)) => (Some(address), Some(index).filter(|index| !index.is_empty())),
        None => (Some(rest), None),
    }
}

/// Facts bound to a pipeline's layout.
pub(super) struct Bound {
    runs: Vec<Vec<(Slot, Span)>>,
    names: [Span; 2],
    doubt: Doubt,
    message: Option<Slot>,
    offset: Option<Slot>,
    lane: Option<Slot>,
    time: Option<Slot>,
    /// Where the time of reading goes, which is that of the batch.
    read: Option<(Slot, Value)>,
    partition: Option<Slot>,
    kafka_offset: Option<Slot>,
    key: Option<Slot>,
    headers: Option<Slot>,
}

impl Bound {
    /// Gives a fresh row the fields of its message.
    #[inline]
    pub(super) fn fill(&self, row: &mut Row, number: usize, run: &Run, message: &Message) {
        for (slot, span) in &self.runs[number] {
            row.set(*slot, Value::Text(*span));
        }
        if let Some(slot) = self.message {
            row.set(slot, Value::Text(message.text.with(TextFacts::UNKNOWN)));
        }
        if self.doubt.any || message.text.facts.is_replaced() {
            self.fill_invalid(row, message);
        }
        if let Some(slot) = self.offset {
            row.set(slot, Value::Int(message.start as i64));
        }
        if let Some((slot, time)) = self.read {
            row.set(slot, time);
        }
        if run.origin == Origin::Lines {
            row.texts.set_header(Some(message.time).filter(|header| header.len > 0));
            return;
        }
        row.texts.set_header(None);
        if run.origin == Origin::Kafka {
            self.fill_kafka(row, run, message);
        } else if let Some(slot) = self.lane {
            row.set(slot, Value::Text(self.names[usize::from(message.lane).min(1)]));
        }
        if let Some(slot) = self.time
            && let Some(ns) = envelope_time(row, message)
        {
            row.set(slot, Value::Timestamp(ns));
        }
    }
}

impl Bound {
    /// Says of a message that is not valid in its encoding what it is, and what it was.
    #[cold]
    fn fill_invalid(&self, row: &mut Row, message: &Message) {
        let text = message.text;
        let original = if text.facts.is_replaced() {
            let end = text.start + text.len;
            let bytes = |start, len| Span { start, len, buffer: text.buffer, facts: TextFacts::UNKNOWN };
            let len = row.texts.bytes(bytes(end, 4)).first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
            bytes(end + 4, len)
        } else if row.texts.text(text).is_none() {
            text
        } else {
            return;
        };
        row.put(0, self.doubt.flags, Value::List(self.doubt.invalid));
        if original.len as usize <= ORIGINAL_KEPT_BYTES_MAX {
            let mut out = row.texts.scratch();
            let bytes = row.texts.bytes(original);
            out.resize(BASE64.encode_len(bytes.len()), 0);
            BASE64.encode_mut(bytes, &mut out);
            let kept = row.texts.keep(out).with(TextFacts::PLAIN);
            row.put(0, self.doubt.original, Value::Text(kept));
        }
    }

    /// What surrounds a message of Kafka.
    fn fill_kafka(&self, row: &mut Row, run: &Run, message: &Message) {
        if let Some(slot) = self.kafka_offset {
            row.set(slot, Value::Int(message.start as i64));
        }
        if let (Some(slot), Some((_, partition))) =
            (self.partition, partition_of(run.origin, &run.stream.path))
        {
            row.set(slot, Value::Int(partition));
        }
        if self.key.is_none() && self.headers.is_none() {
            return;
        }
        let found = envelope::read(row.texts.bytes(message.time));
        let part = |range: std::ops::Range<usize>| {
            message.time.part(range.start, range.end - range.start).with(TextFacts::UNKNOWN)
        };
        if let (Some(slot), Some(range)) = (self.key, found.key) {
            row.set(slot, Value::Text(part(range)));
        }
        if let (Some(slot), Some(range)) = (self.headers, found.headers) {
            row.write(slot, Value::Object(part(range)));
        }
    }
}

/// Topic and number of a partition, from the path that its source gives it.
fn partition_of(origin: Origin, path: &str) -> Option<(&str, i64)> {
    let (topic, partition) = path.strip_prefix("kafka://")?.rsplit_once('/')?;
    (origin == Origin::Kafka).then_some((topic, partition.parse().ok()?))
}

/// The time that the envelope of a message says (CRI and docker), in nanoseconds since the epoch.
pub(super) fn envelope_time(row: &Row, message: &Message) -> Option<i64> {
    if message.time.len == 0 {
        return None;
    }
    let (parts, _) = time::rfc3339(row.texts.bytes(message.time))?;
    Calendar::default().unix_ns(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_an_address() {
        assert_eq!(peer("tcp://192.0.2.1:514"), (Some("192.0.2.1:514"), None));
        assert_eq!(peer("http://[::1]:9/logs-a-b"), (Some("[::1]:9"), Some("logs-a-b")));
        assert_eq!(peer("/var/log/x.log"), (None, None));
        assert_eq!(peer("kafka://a/b"), (None, None));
    }
}
