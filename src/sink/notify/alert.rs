//! An alert, as a notifier reads it from an event.
//!
//! | field | what it is | where it is missing |
//! |---|---|---|
//! | `event.id` | what tells it from others: the same id is the same alert | the id of the row |
//! | `rule.name` | what was found | that of the surest of `detections`, `event.action`, else the name of the sink |
//! | `severity` | `low`, `medium`, `high`, `critical` | by the score of that detection, else `medium` |
//! | `message` | one sentence for people | the name of the rule |
//! | `labels` | what it is about, as an object of texts | those of that detection, else none |
//! | `@timestamp` | when | when it came |
//! | `aludel.state` | `resolved` where it says that what it tells of is over | it is there |
//!
//! A line in which a detector found something has no `rule.name`: its `message` is the line, and so the detection is told
//! of in its place.

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
        let name = text("rule.name");
        let found = if name.is_none() { Found::surest(&event) } else { None };
        let rule = name.or_else(|| Some(found.as_ref()?.rule.clone()));
        let rule = rule.or_else(|| text("event.action")).unwrap_or_else(|| sink.to_owned());
        let summary = found.as_ref().map(|found| found.summary.clone());
        let time = text("@timestamp").and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let mut labels = Labels::new();
        match at(&event, "labels") {
            Some(Value::Object(members)) => flatten("", members, &mut labels),
            _ => flatten_dotted(&event, &mut labels),
        }
        let severity = text("severity").as_deref().and_then(Severity::of);
        let severity = severity.or_else(|| Some(found.as_ref()?.severity)).unwrap_or_default();
        if let Some(found) = found.filter(|_| labels.is_empty()) {
            labels = found.labels;
        }
        Self {
            id: text("event.id").unwrap_or_else(|| id.to_owned()),
            severity,
            summary: summary.or_else(|| text("message")).unwrap_or_else(|| rule.clone()),
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

/// What a detector found in a line.
struct Found {
    rule: String,
    severity: Severity,
    summary: String,
    labels: Labels,
}

impl Found {
    /// The first of the detections with the highest score.
    fn surest(event: &Value) -> Option<Self> {
        let score = |of: &Value| of.get("score").and_then(Value::as_u64).unwrap_or(0);
        let detections = at(event, "detections")?.as_array()?;
        let of = detections.iter().rev().max_by_key(|of| score(of))?;
        let part = |name: &str| of.get(name).and_then(Value::as_str).map(clip);
        let rule = format!("{} {}", part("detector")?, part("class")?);
        let field = part("field").unwrap_or_default();
        let mut summary = format!("{rule} in {field}: {}", part("evidence").unwrap_or_default());
        // Of a list: whose word it is.
        if let (Some(feed), Some(indicator)) = (part("feed"), part("indicator")) {
            summary.push_str(&format!(" is listed by {feed} as {indicator}"));
        }
        let own = [("field", Some(field)), ("feed", part("feed")), ("indicator", part("indicator"))];
        let own = own.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned())));
        let source = text_at(event, "source.ip").map(|source| ("source.ip".to_owned(), source));
        // The scale of STIX 2.1, appendix A.
        let severity = match score(of) {
            ..=29 => Severity::Low,
            30..=69 => Severity::Medium,
            _ => Severity::High,
        };
        Some(Self { rule, severity, summary: clip(&summary).to_owned(), labels: own.chain(source).collect() })
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
