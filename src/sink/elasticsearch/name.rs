//! Names of data streams: what Elasticsearch takes, and what becomes of a field's value in a name.
//!
//! In: the name that `router.rs` put together. Out: the start of the row's action line, up to its id.

use std::collections::HashSet;

use super::names::Names;
use crate::event::{Layout, Template, write_string};
use crate::limits::DATA_STREAMS_MAX;
use crate::sink::router::{Router, Rules};

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

/// What Elasticsearch takes as the name of a data stream.
pub(super) const RULES: Rules =
    Rules { option: "data_stream", other: "logs-other-default", check, push_part };

/// Finds the start of the action line of each row.
pub(super) fn router(
    template: &Template,
    fallback: Option<&str>,
    layout: &Layout,
    names: Names,
) -> Result<Router, String> {
    let mut told = HashSet::new();
    let write = move |name: &str, out: &mut Vec<u8>| {
        if !told.contains(name) {
            names.add(name);
            if told.len() < DATA_STREAMS_MAX {
                told.insert(name.to_owned());
            }
        }
        write_action(name, out);
    };
    Router::new(RULES, template, fallback, layout, write)
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
    use crate::event::{LayoutBuilder, Row, Value};

    fn routed(template: &str, value: &[u8]) -> String {
        let template = Template::parse(template).expect("a template");
        let mut builder = LayoutBuilder::default();
        template.paths().all(|path| builder.add(path));
        let mut row = Row::new(Arc::new(builder.build()), Arc::default());
        let span = row.texts.push(value);
        let mut router =
            router(&template, Some("logs-other-prod"), row.layout(), Names::default()).expect("a router");
        let slot = row.layout().slot("service.name").expect("named");
        row.set(slot, Value::Text(span));
        let action = String::from_utf8(router.of(&row).to_vec()).expect("text");
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
        let mut router =
            router(&template, Some("logs-other-prod"), row.layout(), Names::default()).expect("a router");
        let slot = row.layout().slot("service.name").expect("named");
        for (value, expected) in
            [(None, "logs-other-prod"), (Some(7), "logs-7-prod"), (None, "logs-other-prod")]
        {
            row.clear();
            if let Some(value) = value {
                row.set(slot, Value::Int(value));
            }
            let action = String::from_utf8(router.of(&row).to_vec()).expect("text");
            assert_eq!(action, format!("{{\"create\":{{\"_index\":\"{expected}\",\"_id\":\""));
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_said_before_anything_runs() {
        let check = |template: &str, fallback| {
            RULES.check(&Template::parse(template).expect("a template"), fallback).err().unwrap_or_default()
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
