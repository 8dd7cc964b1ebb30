//! What steps that detect share: detections are added to those that there are, and the event becomes an alert.

use crate::detect::Technique;
use crate::event::{Row, Slot, Texts, Value, raw, write_string};
use crate::limits::DETECTIONS_MAX;

/// A part of a technique.
type Part = fn(&Technique) -> &'static str;

/// The fields of an event that has detections.
pub(super) struct Alarm {
    detections: Slot,
    event_kind: Slot,
    framework: Slot,
    /// The four lists of `threat.*`, and what they take of a technique.
    lists: [(Slot, Part); 4],
}

impl Alarm {
    /// `gives` are the slots of [`crate::lang`]'s `DETECTIONS`, and more behind them, which are given back.
    pub(super) fn new(gives: &[Slot]) -> Result<(Self, &[Slot]), String> {
        let Some(([detections, event_kind, framework, tactic_id, tactic, technique_id, technique], more)) =
            gives.split_first_chunk()
        else {
            return Err("a detector writes seven fields".to_owned());
        };
        let lists: [(Slot, Part); 4] = [
            (*tactic_id, |of| of.tactic_id),
            (*tactic, |of| of.tactic),
            (*technique_id, |of| of.id),
            (*technique, |of| of.name),
        ];
        let alarm = Self { detections: *detections, event_kind: *event_kind, framework: *framework, lists };
        Ok((alarm, more))
    }

    /// Adds detections to the event: each technique is one, which `write` writes by its number.
    pub(super) fn raise(
        &self,
        row: &mut Row,
        techniques: impl Iterator<Item = &'static Technique> + Clone,
        write: impl Fn(usize, &Texts, &mut Vec<u8>),
    ) {
        let mut out = row.texts.scratch();
        let before = list_of(row, self.detections, &mut out);
        let room = DETECTIONS_MAX.saturating_sub(before);
        for number in 0..techniques.clone().take(room).count() {
            if out.len() > 1 {
                out.push(b',');
            }
            write(number, &row.texts, &mut out);
        }
        out.push(b']');
        let list = row.texts.keep(out);
        row.write(self.detections, Value::List(list));
        let kind = row.texts.push(b"alert");
        row.write(self.event_kind, Value::Text(kind));
        let framework = row.texts.push(b"MITRE ATT&CK");
        row.write(self.framework, Value::Text(framework));
        for (slot, part) in &self.lists {
            let mut out = row.texts.scratch();
            list_of(row, *slot, &mut out);
            for technique in techniques.clone() {
                add_text(part(technique), &mut out);
            }
            out.push(b']');
            let list = row.texts.keep(out);
            row.write(*slot, Value::List(list));
        }
    }
}

/// Writes a list without its closing bracket: what the field holds, if it is a list. Gives the number of items.
fn list_of(row: &mut Row, slot: Slot, out: &mut Vec<u8>) -> usize {
    out.push(b'[');
    let Some(Value::List(list)) = row.read(slot) else { return 0 };
    let text = row.texts.bytes(list);
    let items = raw::items(text);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&text[item.clone()]);
    }
    items.len()
}

/// Adds a text to a list that is open, unless it is in it.
fn add_text(text: &str, out: &mut Vec<u8>) {
    let mut quoted = Vec::new();
    write_string(text, &mut quoted);
    if memchr::memmem::find(out, &quoted).is_some() {
        return;
    }
    if out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(&quoted);
}
