//! Names of data streams: what Elasticsearch takes, and what becomes of a field's value in a name.
//!
//! In: the template of the pipeline file and a row. Out: the start of the row's action line, up to its id.

use crate::event::{BoundPart, BoundTemplate, Layout, Row, Template, Value, write_plain, write_string};

/// Longest name, in bytes (Elasticsearch, "Create data stream").
const NAME_BYTES_MAX: usize = 255;

/// Longest value of one hole, in bytes: what the data stream naming scheme allows a dataset or a namespace.
const HOLE_BYTES_MAX: usize = 100;

/// Characters that no name may hold. A value in a hole may not hold `-` either, which separates the parts.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ' ' | ',' | '#' | ':')
        || c.is_control()
        || c.is_whitespace()
}

/// Whether Elasticsearch takes a data stream of this name; the error says why not.
pub(super) fn check(name: &str) -> Result<(), String> {
    let fault = if name.is_empty() {
        Some("is empty".to_owned())
    } else if name.len() > NAME_BYTES_MAX {
        Some(format!("is longer than {NAME_BYTES_MAX} bytes"))
    } else if name.to_lowercase() != name {
        Some("has upper case letters".to_owned())
    } else if name.starts_with(['-', '_', '+', '.']) {
        Some("starts with one of `-`, `_`, `+` and `.`".to_owned())
    } else {
        name.chars().find(|&c| is_forbidden(c)).map(|c| format!("holds {c:?}"))
    };
    fault.map_or(Ok(()), |fault| Err(format!("`{name}` cannot be the name of a data stream: it {fault}")))
}

/// Checks a template and its fallback before anything runs: the text around the holes must be usable, and a
/// template with holes needs somewhere to put the rows that cannot fill them.
pub(super) fn check_template(template: &Template, fallback: Option<&str>) -> Result<(), String> {
    if let Some(fallback) = fallback {
        check(fallback)?;
    }
    if let Some(name) = template.constant() {
        return check(name);
    }
    if fallback.is_none() {
        let hole = template.paths().next().unwrap_or_default();
        return Err(format!(
            "`data_stream` depends on `.{hole}`: say with `fallback` where rows go that lack it, \
             such as `fallback = \"logs-other-default\"`"
        ));
    }
    // A stand-in for every field: the text around it must make a name.
    let mut builder = crate::event::LayoutBuilder::default();
    template.paths().all(|path| builder.add(path));
    let bound = template.bind(&builder.build()).ok_or("`data_stream` names too many fields")?;
    let parts = bound.parts().iter().map(|part| match part {
        BoundPart::Text(text) => text.as_str(),
        BoundPart::Slot(_) => "x",
    });
    check(&parts.collect::<String>())
}

/// Appends a field's value as a part of a name: lower case, everything forbidden as `_`, cut to
/// [`HOLE_BYTES_MAX`]. False where nothing that tells it from others is left.
fn push_part(value: &[u8], name: &mut String) -> bool {
    let start = name.len();
    for c in String::from_utf8_lossy(value).chars().flat_map(char::to_lowercase) {
        let c = if is_forbidden(c) || c == '-' || c == char::REPLACEMENT_CHARACTER { '_' } else { c };
        if start == 0 && name.is_empty() && matches!(c, '_' | '+' | '.') {
            continue;
        }
        if name.len() - start + c.len_utf8() > HOLE_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    name.get(start..).is_some_and(|part| part.contains(char::is_alphanumeric))
}

/// Finds the data stream of each row, and remembers the last one.
pub(super) struct Router {
    parts: Vec<BoundPart>,
    /// The action line up to the id, for rows without a name of their own.
    fallback: Vec<u8>,
    /// Raw values of the holes that `action` was made from.
    key: Vec<u8>,
    seen: Vec<u8>,
    action: Vec<u8>,
}

impl Router {
    /// A router over a layout; the template and the fallback were checked.
    pub(super) fn new(template: &Template, fallback: Option<&str>, layout: &Layout) -> Result<Self, String> {
        let bound: BoundTemplate =
            template.bind(layout).ok_or("the layout lacks a field that `data_stream` names")?;
        let fallback = fallback.or(template.constant()).unwrap_or_default();
        let mut router = Self {
            parts: bound.parts().to_vec(),
            fallback: Vec::new(),
            key: Vec::new(),
            seen: Vec::new(),
            action: Vec::new(),
        };
        write_action(fallback, &mut router.fallback);
        router.action.clone_from(&router.fallback);
        if template.constant().is_some() {
            router.parts.clear();
        }
        Ok(router)
    }

    /// The row's action line up to its id.
    #[inline]
    pub(super) fn action(&mut self, row: &Row) -> &[u8] {
        if self.parts.is_empty() {
            return &self.action;
        }
        self.seen.clear();
        for part in &self.parts {
            if let BoundPart::Slot(slot) = part {
                if let Some(value) = row.get(*slot) {
                    self.seen.push(kind(value));
                    write_plain(&row.texts, value, &mut self.seen);
                }
                // No UTF-8 text holds this byte, so that two values cannot run into one.
                self.seen.push(0xff);
            }
        }
        if self.seen != self.key {
            std::mem::swap(&mut self.seen, &mut self.key);
            self.action.clear();
            match self.name(row) {
                Some(name) => write_action(&name, &mut self.action),
                None => self.action.extend_from_slice(&self.fallback),
            }
        }
        &self.action
    }

    fn name(&self, row: &Row) -> Option<String> {
        let mut name = String::new();
        let mut value = Vec::new();
        for part in &self.parts {
            match part {
                BoundPart::Text(text) => name.push_str(text),
                BoundPart::Slot(slot) => {
                    let of = row.get(*slot).filter(|of| kind(*of) == 1)?;
                    value.clear();
                    write_plain(&row.texts, of, &mut value);
                    if !push_part(&value, &mut name) {
                        return None;
                    }
                }
            }
        }
        check(&name).ok().map(|()| name)
    }
}

/// 1 for a value that can be a part of a name, 0 for one that cannot.
fn kind(value: Value) -> u8 {
    u8::from(!matches!(value, Value::Null | Value::Object(_) | Value::List(_)))
}

fn write_action(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"create\":{\"_index\":");
    write_string(name, out);
    out.extend_from_slice(b",\"_id\":\"");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::event::LayoutBuilder;

    fn routed(template: &str, value: &[u8]) -> String {
        let template = Template::parse(template).expect("a template");
        let mut builder = LayoutBuilder::default();
        template.paths().all(|path| builder.add(path));
        let mut row = Row::new(Arc::new(builder.build()), Arc::default());
        let span = row.texts.push(value);
        let mut router = Router::new(&template, Some("logs-other-prod"), row.layout()).expect("a router");
        let slot = row.layout().slot("service.name").expect("named");
        row.set(slot, Value::Text(span));
        let action = String::from_utf8(router.action(&row).to_vec()).expect("text");
        let action: serde_json::Value = serde_json::from_str(&(action + "x\"}}")).expect("json");
        action["create"]["_index"].as_str().expect("a name").to_owned()
    }

    #[test]
    fn a_value_becomes_a_part_of_the_name() {
        let long = "x".repeat(300);
        let cut = format!("logs-{}-prod", "x".repeat(HOLE_BYTES_MAX));
        for (value, expected) in [
            ("web", "logs-web-prod"),
            ("Web-API", "logs-web_api-prod"),
            ("a/b c:d\"e\\f", "logs-a_b_c_d_e_f-prod"),
            ("_ok", "logs-_ok-prod"),
            ("\u{dc}bung", "logs-\u{fc}bung-prod"),
            ("///", "logs-other-prod"),
            ("", "logs-other-prod"),
            (long.as_str(), cut.as_str()),
        ] {
            assert_eq!(routed("logs-{.service.name}-prod", value.as_bytes()), expected, "{value}");
        }
        assert_eq!(routed("{.service.name}-prod", b"._+Web"), "web-prod");
        assert_eq!(routed("logs-{.service.name}-prod", b"caf\xe9"), "logs-caf_-prod");
    }

    #[test]
    fn rows_without_the_field_go_to_the_fallback_and_come_back() {
        let template = Template::parse("logs-{.service.name}-prod").expect("a template");
        let mut builder = LayoutBuilder::default();
        builder.add("service.name");
        let mut row = Row::new(Arc::new(builder.build()), Arc::default());
        let mut router = Router::new(&template, Some("logs-other-prod"), row.layout()).expect("a router");
        let slot = row.layout().slot("service.name").expect("named");
        for (value, expected) in
            [(None, "logs-other-prod"), (Some(7), "logs-7-prod"), (None, "logs-other-prod")]
        {
            row.clear();
            if let Some(value) = value {
                row.set(slot, Value::Int(value));
            }
            let action = String::from_utf8(router.action(&row).to_vec()).expect("text");
            assert_eq!(action, format!("{{\"create\":{{\"_index\":\"{expected}\",\"_id\":\""));
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_said_before_anything_runs() {
        let check = |template: &str, fallback| {
            check_template(&Template::parse(template).expect("a template"), fallback)
                .err()
                .unwrap_or_default()
        };
        assert_eq!(check("logs-web-prod", None), "");
        assert_eq!(check("logs-{.a}-prod", Some("logs-other-prod")), "");
        assert!(check("logs-{.a.b}-prod", None).contains("depends on `.a.b`"));
        assert!(check("Logs-{.a}", Some("logs-other-prod")).contains("upper case"));
        assert!(check("logs-web prod", None).contains("holds ' '"));
        assert!(check("", None).contains("empty"));
        assert!(check("{.a}", Some("_bad")).contains("starts with"));
    }

    proptest! {
        /// Whatever a field holds, the name is one that Elasticsearch takes.
        #[test]
        fn every_value_makes_a_good_name(value in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,60}") {
            for value in [value.as_slice(), text.as_bytes()] {
                for template in ["logs-{.service.name}-prod", "{.service.name}"] {
                    prop_assert_eq!(check(&routed(template, value)), Ok(()));
                }
            }
        }
    }
}
