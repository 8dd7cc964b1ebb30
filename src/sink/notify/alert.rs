//! An alert, as a notifier reads it from an event.
//!
//! | field | what it is | where it is missing |
//! |---|---|---|
//! | `event.id` | what tells it from others: the same id is the same alert | the id of the row |
//! | `rule.name` | what was found | `event.action`, else the name of the sink |
//! | `severity` | `low`, `medium`, `high`, `critical` | `medium` |
//! | `message` | one sentence for people | the name of the rule |
//! | `labels` | what it is about, as an object of texts | none |
//! | `@timestamp` | when | when it came |
//! | `aludel.state` | `resolved` where it says that what it tells of is over | it is there |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{ALERT_EVENT_BYTES_MAX, ALERT_LABELS_MAX, ALERT_TEXT_BYTES_MAX};

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(text))
    }
}

/// Names and what they stand for.
pub(super) type Labels = BTreeMap<String, String>;

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Alert {
    pub(super) id: String,
    pub(super) rule: String,
    pub(super) severity: Severity,
    pub(super) summary: String,
    pub(super) labels: Labels,
    /// Nanoseconds since the epoch.
    pub(super) time_ns: i64,
    /// Whether it says that what it tells of is over.
    #[serde(default)]
    pub(super) is_end: bool,
    /// The whole event; nothing where it was too large to keep.
    pub(super) event: Value,
}

impl Alert {
    /// Reads an event. `id` and `now_ns` stand in for what it lacks; `bytes` is how long it was as JSON.
    pub(super) fn of((event, bytes): (Value, usize), id: &str, sink: &str, now_ns: i64) -> Self {
        let text = |path: &str| text_at(&event, path);
        let rule = text("rule.name").or_else(|| text("event.action")).unwrap_or_else(|| sink.to_owned());
        let time = text("@timestamp").and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let mut labels = Labels::new();
        match at(&event, "labels") {
            Some(Value::Object(members)) => flatten("", members, &mut labels),
            _ => flatten_dotted(&event, &mut labels),
        }
        Self {
            id: text("event.id").unwrap_or_else(|| id.to_owned()),
            severity: text("severity").as_deref().and_then(Severity::of).unwrap_or_default(),
            summary: text("message").unwrap_or_else(|| rule.clone()),
            labels,
            time_ns: time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()).unwrap_or(now_ns),
            is_end: text("aludel.state").as_deref() == Some("resolved"),
            rule,
            event: if bytes > ALERT_EVENT_BYTES_MAX { Value::Null } else { event },
        }
    }

    /// What it is about, whatever is said of it: the rule and the labels.
    pub(super) fn condition(&self) -> String {
        format!("{:?} {:?}", self.rule, self.labels)
    }

    /// The value of a dotted path, for grouping: of the alert's own parts first.
    pub(super) fn value(&self, path: &str) -> Option<String> {
        match path {
            "rule.name" => Some(self.rule.clone()),
            "severity" => Some(self.severity.name().to_owned()),
            _ => path
                .strip_prefix("labels.")
                .and_then(|name| self.labels.get(name).cloned())
                .or_else(|| text_at(&self.event, path)),
        }
    }
}

/// A member by its dotted path, whether the object is nested or its keys hold dots.
fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(value) = event.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| at(event.get(path.get(..dot)?)?, path.get(dot + 1..)?))
}

fn text_at(event: &Value, path: &str) -> Option<String> {
    match at(event, path)? {
        Value::String(text) => Some(clip(text).to_owned()),
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        other => Some(other.to_string()),
    }
}

fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ALERT_TEXT_BYTES_MAX)).unwrap_or(text)
}

fn flatten(prefix: &str, members: &serde_json::Map<String, Value>, out: &mut Labels) {
    for (name, value) in members {
        let name = format!("{prefix}{name}");
        match value {
            _ if out.len() >= ALERT_LABELS_MAX => return,
            Value::Object(members) => flatten(&format!("{name}."), members, out),
            Value::String(text) => drop(out.insert(name, clip(text).to_owned())),
            Value::Null | Value::Array(_) => {}
            other => drop(out.insert(name, other.to_string())),
        }
    }
}

/// Labels of an event whose keys hold dots: `labels.host`.
fn flatten_dotted(event: &Value, out: &mut Labels) {
    let members = event.as_object().into_iter().flatten();
    for (name, value) in members.filter_map(|(name, value)| Some((name.strip_prefix("labels.")?, value))) {
        if out.len() < ALERT_LABELS_MAX
            && let Some(text) = value.as_str()
        {
            out.insert(name.to_owned(), clip(text).to_owned());
        }
    }
}
