//! Where a row goes: a name made of a template and the row's fields, such as a data stream or a topic.
//!
//! In: the template of the pipeline file, what the destination takes as a name, a row. Out: what a writer makes of
//! the row's name; the last one is remembered, since neighbours mostly share it.

use crate::event::{BoundPart, Layout, LayoutBuilder, Row, Template, Value, write_plain};

/// What a kind of destination takes as a name.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// The option that holds the template.
    pub(super) option: &'static str,
    /// An example of a fallback.
    pub(super) other: &'static str,
    /// Whether a whole name is taken; the error says why not.
    pub(super) check: fn(&str) -> Result<(), String>,
    /// Appends a field's value as a part of a name. False where nothing that tells it from others is left.
    pub(super) push_part: fn(&[u8], &mut String) -> bool,
}

impl Rules {
    /// Checks a template and its fallback before anything runs: the text around the holes must be usable, and a
    /// template with holes needs somewhere to put the rows that cannot fill them.
    pub(super) fn check(&self, template: &Template, fallback: Option<&str>) -> Result<(), String> {
        if let Some(fallback) = fallback {
            (self.check)(fallback)?;
        }
        if let Some(name) = template.constant() {
            return (self.check)(name);
        }
        let (option, other) = (self.option, self.other);
        if fallback.is_none() {
            let hole = template.paths().next().unwrap_or_default();
            return Err(format!(
                "`{option}` depends on `.{hole}`: say with `fallback` where rows go that lack it, such as \
                 `fallback = \"{other}\"`"
            ));
        }
        // A stand-in for every field: the text around it must make a name.
        let mut builder = LayoutBuilder::default();
        template.paths().all(|path| builder.add(path));
        let bound = template.bind(&builder.build()).ok_or(format!("`{option}` names too many fields"))?;
        let parts = bound.parts().iter().map(|part| match part {
            BoundPart::Text(text) => text.as_str(),
            BoundPart::Slot(_) => "x",
        });
        (self.check)(&parts.collect::<String>())
    }
}

/// Writes a name.
type Write = Box<dyn FnMut(&str, &mut Vec<u8>) + Send>;

/// Finds the destination of each row, and remembers the last one.
pub(super) struct Router {
    rules: Rules,
    parts: Vec<BoundPart>,
    /// Writes a name as the encoder needs it.
    write: Write,
    /// What is written for rows without a name of their own.
    fallback: Vec<u8>,
    /// Raw values of the holes that `written` was made from.
    key: Vec<u8>,
    seen: Vec<u8>,
    written: Vec<u8>,
}

impl Router {
    /// A router over a layout; the template and the fallback were checked.
    pub(super) fn new(
        rules: Rules,
        template: &Template,
        fallback: Option<&str>,
        layout: &Layout,
        write: impl FnMut(&str, &mut Vec<u8>) + Send + 'static,
    ) -> Result<Self, String> {
        let bound = template
            .bind(layout)
            .ok_or_else(|| format!("the layout lacks a field that `{}` names", rules.option))?;
        let constant = template.constant();
        let parts = if constant.is_some() { Vec::new() } else { bound.parts().to_vec() };
        let name = constant.or(fallback).unwrap_or_default();
        let mut router = Self {
            rules,
            parts,
            written: Vec::new(),
            fallback: Vec::new(),
            key: Vec::new(),
            seen: Vec::new(),
            write: Box::new(write),
        };
        (router.write)(name, &mut router.fallback);
        router.written.clone_from(&router.fallback);
        Ok(router)
    }

    /// What was written for the row's name.
    #[inline]
    pub(super) fn of(&mut self, row: &Row) -> &[u8] {
        if self.parts.is_empty() {
            return &self.written;
        }
        self.seen.clear();
        for part in &self.parts {
            if let BoundPart::Slot(slot) = part {
                if let Some(value) = row.get(*slot) {
                    self.seen.push(u8::from(is_part(value)));
                    write_plain(&row.texts, value, &mut self.seen);
                }
                // No UTF-8 text holds this byte, so that two values cannot run into one.
                self.seen.push(0xff);
            }
        }
        if self.seen != self.key {
            std::mem::swap(&mut self.seen, &mut self.key);
            self.written.clear();
            match self.name(row) {
                Some(name) => (self.write)(&name, &mut self.written),
                None => self.written.extend_from_slice(&self.fallback),
            }
        }
        &self.written
    }

    fn name(&self, row: &Row) -> Option<String> {
        let mut name = String::new();
        let mut value = Vec::new();
        for part in &self.parts {
            match part {
                BoundPart::Text(text) => name.push_str(text),
                BoundPart::Slot(slot) => {
                    let of = row.get(*slot).filter(|of| is_part(*of))?;
                    value.clear();
                    write_plain(&row.texts, of, &mut value);
                    if !(self.rules.push_part)(&value, &mut name) {
                        return None;
                    }
                }
            }
        }
        (self.rules.check)(&name).ok().map(|()| name)
    }
}

/// Whether a value can be a part of a name.
fn is_part(value: Value) -> bool {
    !matches!(value, Value::Null | Value::Object(_) | Value::List(_))
}
