//! Which folder a row belongs to: Hive partitions (`date=2026-11-23/hour=06/service.name=web`).
//!
//! Values are percent-encoded as Hive does it, so that no value reaches the file system as more than one name. A
//! value that cannot be a folder's name (missing, empty, too long) goes to [`DEFAULT`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{Layout, Row, Slot, Value, write_plain, write_timestamp};

/// Hive's name for the partition of rows that lack the field.
const DEFAULT: &str = "__HIVE_DEFAULT_PARTITION__";

/// Longest value in a folder's name, in bytes and before encoding, which may triple it. File systems take 255
/// bytes for a name, the key included.
const VALUE_BYTES_MAX: usize = 64;

/// Longest key.
const KEY_BYTES_MAX: usize = 60;

const HOUR_NS: i64 = 3_600_000_000_000;

/// One level of folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Date of `@timestamp`, which is in this slot.
    Date(Slot),
    /// Hour of `@timestamp`.
    Hour(Slot),
    /// A field.
    Field(Slot),
}

impl Key {
    /// Resolves the names of the option.
    pub(super) fn all(layout: &Layout, names: &[String]) -> Result<Vec<Self>, String> {
        let mut keys: Vec<Self> = Vec::new();
        for name in names {
            let time = || {
                layout.slot("@timestamp").ok_or_else(|| {
                    format!("partition by `{name}` needs `.@timestamp`, and nothing in the pipeline sets it")
                })
            };
            let key = match name.as_str() {
                "date" => Self::Date(time()?),
                "hour" => Self::Hour(time()?),
                _ if name.len() > KEY_BYTES_MAX => {
                    return Err(format!("`.{name}` is too long for the name of a folder"));
                }
                _ => Self::Field(layout.slot(name).ok_or_else(|| {
                    format!("partition by `.{name}`: nothing in the pipeline sets this field")
                })?),
            };
            if keys.contains(&key) {
                return Err(format!("partition by `{name}` twice"));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// The slot of the field that the folder stands for, so that it is not in the files as well.
    pub(super) fn slot(&self) -> Option<Slot> {
        match self {
            Self::Field(slot) => Some(*slot),
            Self::Date(_) | Self::Hour(_) => None,
        }
    }

    /// The name left of the `=`.
    pub(super) fn name<'a>(&self, layout: &'a Layout) -> &'a str {
        match self {
            Self::Date(_) => "date",
            Self::Hour(_) => "hour",
            Self::Field(slot) => layout.path(*slot),
        }
    }
}

/// Whether a value can be read back from the name of a folder.
pub(super) fn fits(row: &Row, value: Value) -> bool {
    match value {
        Value::Text(span) | Value::Ip(span) => {
            let text = row.texts.bytes(span);
            (1..=VALUE_BYTES_MAX).contains(&text.len()) && std::str::from_utf8(text).is_ok()
        }
        Value::Int(_) | Value::Bool(_) => true,
        _ => false,
    }
}

/// The partitions of one batch, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    keys: Vec<Key>,
    /// What identifies the partition of a row, and that of the row before.
    identity: Vec<u8>,
    last: Vec<u8>,
    last_number: u32,
    known: HashMap<Vec<u8>, u32>,
    paths: Vec<Arc<str>>,
}

impl Partitions {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// The number of the row's partition.
    #[inline]
    pub(super) fn of(&mut self, row: &Row) -> u32 {
        self.identity.clear();
        for key in &self.keys {
            match key {
                Key::Date(slot) => hours(row, *slot, 24, &mut self.identity),
                Key::Hour(slot) => hours(row, *slot, 1, &mut self.identity),
                Key::Field(slot) => {
                    if let Some(value) = row.get(*slot)
                        && fits(row, value)
                    {
                        write_plain(&row.texts, value, &mut self.identity);
                    }
                    // No UTF-8 text holds this byte.
                    self.identity.push(0xff);
                }
            }
        }
        // Neighbours are nearly always of one partition.
        if !self.paths.is_empty() && self.identity == self.last {
            return self.last_number;
        }
        self.last_number = match self.known.get(&self.identity) {
            Some(number) => *number,
            None => {
                let number = self.paths.len() as u32;
                let path = self.path(row);
                self.paths.push(path);
                self.known.insert(self.identity.clone(), number);
                number
            }
        };
        self.last.clone_from(&self.identity);
        self.last_number
    }

    /// Ends the batch: the folders by number.
    pub(super) fn take(&mut self) -> Vec<Arc<str>> {
        self.known.clear();
        std::mem::take(&mut self.paths)
    }

    fn path(&self, row: &Row) -> Arc<str> {
        let mut path = String::new();
        for key in &self.keys {
            if !path.is_empty() {
                path.push('/');
            }
            encode(key.name(row.layout()).as_bytes(), &mut path);
            path.push('=');
            let mut value = Vec::new();
            match key {
                Key::Date(slot) | Key::Hour(slot) => {
                    if let Some(Value::Timestamp(ns)) = row.get(*slot) {
                        write_timestamp(ns, &mut value);
                        let part = if matches!(key, Key::Date(_)) { 0..10 } else { 11..13 };
                        value = value.get(part).unwrap_or_default().to_vec();
                    }
                }
                Key::Field(slot) => {
                    if let Some(found) = row.get(*slot)
                        && fits(row, found)
                    {
                        write_plain(&row.texts, found, &mut value);
                    }
                }
            }
            if value.is_empty() {
                path.push_str(DEFAULT);
            } else {
                encode(&value, &mut path);
            }
        }
        path.into()
    }
}

fn hours(row: &Row, slot: Slot, hours: i64, out: &mut Vec<u8>) {
    let bucket = match row.get(slot) {
        Some(Value::Timestamp(ns)) => ns.div_euclid(HOUR_NS * hours),
        _ => i64::MIN,
    };
    out.extend_from_slice(&bucket.to_le_bytes());
}

/// Appends text with everything but unreserved characters (RFC 3986 §2.3) as `%XX`. A
/// value of dots only would be another folder, so a leading dot is encoded too.
fn encode(text: &[u8], out: &mut String) {
    for (at, &byte) in text.iter().enumerate() {
        let harmless = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
        if harmless || (byte == b'.' && at > 0) {
            out.push(byte as char);
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[nibble as usize]));
            }
        }
    }
}
