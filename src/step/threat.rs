//! `detect threat`: what lists of threat intelligence name is written to `detections` and `threat.indicator.*`.

use std::borrow::Cow;

use super::alarm::Alarm;
use super::{Context, Flow, Step};
use crate::detect::threat::{self, By, Desk, Listed};
use crate::event::{Layout, Row, Slot, Texts, Value, raw};
use crate::format::Reference;
use crate::limits::{ROW_ARENA_BYTES_MAX, THREAT_ITEMS_MAX};
use crate::lookup::Held;

/// The fields of an indicator.
const FIELDS: usize = 12;

/// `detect threat on .FIELD, … { lists = […] }`
pub struct Threat {
    lists: threat::Threat,
    /// Slot and name of each field.
    inputs: Box<[(Slot, Box<str>)]>,
    alarm: Alarm,
    indicator: [Slot; FIELDS],
    /// The time of the event, and what is taken where it has none: that at which it was read.
    time: (Slot, Reference),
}

impl Threat {
    /// Lists and the fields that are looked up in them; `gives` are the slots of the fields that it writes, as the checker
    /// lists them, `time` that of the event's time.
    pub fn new(
        layout: &Layout,
        inputs: &[Slot],
        lists: threat::Threat,
        gives: &[Slot],
        time: (Slot, Reference),
    ) -> Result<Self, String> {
        let (alarm, more) = Alarm::new(gives)?;
        let indicator = more.try_into().map_err(|_| "an indicator has twelve fields".to_owned())?;
        let inputs = inputs.iter().map(|slot| (*slot, layout.path(*slot).into())).collect();
        Ok(Self { lists, inputs, alarm, indicator, time })
    }

    /// Looks up the items of a list that are text.
    fn items(&self, text: &[u8], at_ns: i64, held: &Held, desk: &mut Desk) {
        for item in raw::items(text).into_iter().take(THREAT_ITEMS_MAX) {
            let inner = text.get(item.clone()).unwrap_or_default();
            let Some(inner) = inner.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")) else {
                continue;
            };
            // An indicator has no character that JSON must escape, but some escape the slashes of a URL.
            let plain: Cow<'_, [u8]> = match memchr::memchr(b'\\', inner) {
                None => inner.into(),
                Some(_) => String::from_utf8_lossy(inner).replace("\\/", "/").into_bytes().into(),
            };
            let from = desk.listed.len();
            self.lists.find(&plain, at_ns, held, desk);
            let inside = item.start + 1..item.end - 1;
            desk.listed.iter_mut().skip(from).for_each(|listed| listed.value = inside.clone());
        }
    }

    /// Writes what was found into the event.
    fn report(&self, row: &mut Row, desk: &Desk, held: &Held) {
        let values: Vec<_> =
            self.inputs.iter().map(|(slot, _)| row.read(*slot).and_then(Value::span)).collect();
        let techniques = desk.listed.iter().map(|listed| listed.class.technique);
        let value = |of: &Listed, texts: &Texts| -> Vec<u8> {
            let span = values.get(of.field).copied().flatten();
            span.map_or(Vec::new(), |span| texts.bytes(span).to_vec())
        };
        self.alarm.raise(row, techniques, |number, texts, out| {
            if let Some(of) = desk.listed.get(number)
                && let Some((_, field)) = self.inputs.get(of.field)
            {
                self.lists.write(of, field, &value(of, texts), desk, held, out);
            }
        });
        // Of equally sure ones the first.
        let surest = desk.listed.iter().rev().max_by_key(|of| of.confidence);
        if let Some(of) = surest {
            let value = value(of, &row.texts);
            self.indicate(of, value.get(of.value.clone()).unwrap_or_default(), row, desk, held);
        }
    }

    /// Writes the fields of one indicator, in place of those of an earlier one.
    fn indicate(&self, of: &Listed, value: &[u8], row: &mut Row, desk: &Desk, held: &Held) {
        let indicator = desk.indicator(of);
        let mut fields: [Option<Cow<'_, [u8]>>; FIELDS] = Default::default();
        let [feed, kind, name, description, confidence, ip, domain, url, md5, sha1, sha256, sha512] =
            &mut fields;
        *feed = Some(self.lists.feed(of, held).as_bytes().into());
        *name = Some(indicator.into());
        let note = self.lists.note(of, held);
        *description = note.and_then(|note| note.name).map(|name| name.as_bytes().into());
        // The scale of STIX 2.1, appendix A, as ECS has it.
        let level: &[u8] = match of.confidence {
            0 => b"None",
            1..=29 => b"Low",
            30..=69 => b"Medium",
            _ => b"High",
        };
        *confidence = Some(level.into());
        let (of_kind, place): (&[u8], _) = match of.by {
            By::Net(_) if indicator.contains(&b':') => (b"ipv6-addr", ip),
            By::Net(_) => (b"ipv4-addr", ip),
            By::Domain(_) => (b"domain-name", domain),
            By::Url => (b"url", url),
            By::Hash => match indicator.len() {
                32 => (b"file", md5),
                40 => (b"file", sha1),
                64 => (b"file", sha256),
                _ => (b"file", sha512),
            },
        };
        *kind = Some(of_kind.into());
        // An address is that of the event, also where its network is listed.
        let address = threat::address(value).map(|address| address.to_string().into_bytes().into());
        *place = if matches!(of.by, By::Net(_)) { address } else { Some(indicator.into()) };
        for (at, (slot, field)) in self.indicator.iter().zip(fields).enumerate() {
            match field {
                Some(text) => {
                    let span = row.texts.push(&text);
                    row.write(*slot, if at == 5 { Value::Ip(span) } else { Value::Text(span) });
                }
                None => {
                    row.remove(*slot);
                }
            }
        }
    }
}

impl Step for Threat {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let work = &mut *cx.work;
        let (desk, held) = (&mut work.threat, &work.held);
        desk.clear();
        let at_ns = match row.get(self.time.0) {
            Some(Value::Timestamp(ns)) => ns,
            _ => self.time.1.get(),
        };
        for (number, (slot, _)) in self.inputs.iter().enumerate() {
            let from = desk.listed.len();
            match row.read(*slot) {
                Some(Value::Text(span) | Value::Ip(span)) => {
                    self.lists.find(row.texts.bytes(span), at_ns, held, desk);
                }
                Some(Value::List(span)) => self.items(row.texts.bytes(span), at_ns, held, desk),
                _ => {}
            }
            desk.listed.iter_mut().skip(from).for_each(|listed| listed.field = number);
        }
        if !desk.listed.is_empty() && row.texts.derived_bytes() <= ROW_ARENA_BYTES_MAX {
            self.report(row, &work.threat, &work.held);
        }
        Flow::Next
    }
}
