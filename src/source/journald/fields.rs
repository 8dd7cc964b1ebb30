//! An entry as a JSON object with the names of the Elastic Common Schema.
//!
//! In: fields as journald stores them, `NAME=value`. Out: one line of JSON. What has no name in the schema is kept
//! below `journald.`, under its own name in lower case, so that nothing is left out.

use super::LEVELS;
use crate::event::{write_string, write_timestamp};

/// What a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
}

use Kind::{Int, Text};

/// Fields of journald (systemd.journal-fields(7)) and their names in the schema.
const NAMES: &[(&str, &str, Kind)] = &[
    ("MESSAGE", "message", Text),
    ("MESSAGE_ID", "event.code", Text),
    ("PRIORITY", "log.syslog.severity.code", Int),
    ("SYSLOG_FACILITY", "log.syslog.facility.code", Int),
    ("SYSLOG_IDENTIFIER", "log.syslog.appname", Text),
    ("SYSLOG_PID", "log.syslog.procid", Text),
    ("CODE_FILE", "log.origin.file.name", Text),
    ("CODE_LINE", "log.origin.file.line", Int),
    ("CODE_FUNC", "log.origin.function", Text),
    ("TID", "process.thread.id", Int),
    ("_PID", "process.pid", Int),
    ("_COMM", "process.name", Text),
    ("_EXE", "process.executable", Text),
    ("_CMDLINE", "process.command_line", Text),
    ("_UID", "user.id", Text),
    ("_GID", "user.group.id", Text),
    ("_HOSTNAME", "host.hostname", Text),
    ("_MACHINE_ID", "host.id", Text),
    ("_SYSTEMD_UNIT", "systemd.unit", Text),
    ("_SYSTEMD_USER_UNIT", "systemd.user_unit", Text),
    ("_SYSTEMD_SLICE", "systemd.slice", Text),
    ("_SYSTEMD_USER_SLICE", "systemd.user_slice", Text),
    ("_SYSTEMD_SESSION", "systemd.session", Text),
    ("_SYSTEMD_OWNER_UID", "systemd.owner_uid", Text),
    ("_SYSTEMD_CGROUP", "systemd.cgroup", Text),
    ("_SYSTEMD_INVOCATION_ID", "systemd.invocation_id", Text),
    ("_TRANSPORT", "systemd.transport", Text),
    ("CONTAINER_ID", "container.id", Text),
    ("CONTAINER_ID_FULL", "container.id", Text),
    ("CONTAINER_NAME", "container.name", Text),
    ("IMAGE_NAME", "container.image.name", Text),
];

/// The members of an object, gathered so that a name comes once: a field may be there several times.
#[derive(Debug, Default)]
pub(super) struct Object {
    members: Vec<(String, Vec<Vec<u8>>)>,
    realtime_us: u64,
    source_us: Option<u64>,
    cut: Vec<String>,
}

impl Object {
    /// An entry that journald received at this time, in microseconds since the epoch, in this boot.
    pub(super) fn new(realtime_us: u64, boot_id: [u8; 16]) -> Self {
        let mut object = Self { realtime_us, ..Self::default() };
        object.push("host.boot.id", quoted(&data_encoding::HEXLOWER.encode(&boot_id)));
        object
    }

    fn push(&mut self, name: &str, value: Vec<u8>) {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => self.members.push((name.to_owned(), vec![value])),
        }
    }

    /// Takes a field. `whole` is false where its value was cut off.
    pub(super) fn field(&mut self, field: &[u8], whole: bool) {
        let Some(at) = memchr::memchr(b'=', field) else { return };
        let (name, value) = (String::from_utf8_lossy(&field[..at]), &field[at + 1..]);
        let value = String::from_utf8_lossy(value);
        if !whole {
            self.cut.push(name.to_ascii_lowercase());
        }
        let number = value.trim().parse::<i64>().ok();
        match &*name {
            // Said by the entry itself.
            "_BOOT_ID" => return,
            "_SOURCE_REALTIME_TIMESTAMP" => {
                self.source_us = value.parse().ok();
                return;
            }
            "PRIORITY" => {
                if let Some(level) = number.and_then(|number| LEVELS.get(usize::try_from(number).ok()?)) {
                    self.push("log.level", quoted(level));
                }
            }
            _ => {}
        }
        match (NAMES.iter().find(|(known, _, _)| *known == name), number) {
            (Some((_, name, Int)), Some(number)) => self.push(name, number.to_string().into_bytes()),
            (Some((_, name, Text)), _) => self.push(name, quoted(&value)),
            // A number that is none keeps its own name: the schema's is typed.
            (Some((_, _, Int)), None) | (None, _) => {
                self.push(&format!("journald.{}", name.to_ascii_lowercase()), quoted(&value));
            }
        }
    }

    /// Appends the object. `@timestamp` is when the program said it where journald knows that, `event.created` when
    /// journald received it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"@timestamp\":");
        write_timestamp_us(self.source_us.unwrap_or(self.realtime_us), out);
        out.extend_from_slice(b",\"event.created\":");
        write_timestamp_us(self.realtime_us, out);
        for (name, values) in &self.members {
            out.push(b',');
            write_string(name, out);
            out.push(b':');
            match values.as_slice() {
                [one] => out.extend_from_slice(one),
                several => {
                    out.push(b'[');
                    out.extend_from_slice(&several.join(&b','));
                    out.push(b']');
                }
            }
        }
        if !self.cut.is_empty() {
            out.extend_from_slice(b",\"journald.cut\":[");
            let cut: Vec<_> = self.cut.iter().map(|name| quoted(name)).collect();
            out.extend_from_slice(&cut.join(&b','));
            out.push(b']');
        }
        out.push(b'}');
    }
}

fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut out);
    out
}

fn write_timestamp_us(us: u64, out: &mut Vec<u8>) {
    let ns = i64::try_from(us).unwrap_or(i64::MAX).saturating_mul(1000);
    out.push(b'"');
    write_timestamp(ns, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_schema() {
        let mut object = Object::new(1_700_000_000_123_456, [0xab; 16]);
        for field in [
            &b"MESSAGE=say \"hi\"\nagain \xff"[..],
            b"PRIORITY=3",
            b"_PID=17",
            b"CODE_LINE=x",
            b"_SYSTEMD_UNIT=a.service",
            b"SHOP_ITEM=1",
            b"SHOP_ITEM=2",
            b"SHOP_ITEM=2",
            b"_SOURCE_REALTIME_TIMESTAMP=1700000000000001",
            b"_BOOT_ID=abababababababababababababababab",
            b"no field",
        ] {
            object.field(field, true);
        }
        object.field(b"COREDUMP=abc", false);
        let mut out = Vec::new();
        object.write(&mut out);
        let text = String::from_utf8(out).expect("text");
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        assert_eq!(
            text,
            concat!(
                r#"{"@timestamp":"2023-11-14T22:13:20.000001Z","event.created":"2023-11-14T22:13:20.123456Z","#,
                r#""host.boot.id":"abababababababababababababababab","message":"say \"hi\"\nagain "#,
                "\u{fffd}",
                r#"","log.level":"error","log.syslog.severity.code":3,"process.pid":17,"journald.code_line":"x","#,
                r#""systemd.unit":"a.service","journald.shop_item":["1","2"],"journald.coredump":"abc","#,
                r#""journald.cut":["coredump"]}"#,
            )
        );
    }
}
