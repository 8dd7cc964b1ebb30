//! What each service is told: from a notice to a request. Pure, so that each is a golden fixture.

use serde_json::{Value, json};

use super::alert::{Alert, Severity};
use super::groups::Notice;
use crate::event::write_timestamp;
use crate::limits::{PAGERDUTY_DETAILS_BYTES_MAX, SLACK_LINES_MAX};

/// What all notices of a sink have in common.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// The name of the sink.
    pub(super) sink: String,
    /// Facts of this host and sink, so that no two share a group.
    pub(super) scope: String,
    /// PagerDuty's integration key.
    pub(super) routing_key: String,
}

impl Sender {
    /// What tells a group from all others, everywhere and over restarts.
    pub(super) fn key(&self, notice: &Notice) -> String {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(format!("{}\n{}\n{}", self.scope, self.sink, notice.key));
        data_encoding::HEXLOWER.encode(&digest)
    }
}

/// A time as RFC 3339 writes it.
pub(super) fn rfc3339(ns: i64) -> String {
    let mut text = Vec::new();
    write_timestamp(ns, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// `[HIGH:3] rule: a sentence`.
pub(super) fn title(notice: &Notice) -> String {
    let state = if notice.resolved { "resolved" } else { notice.severity.name() }.to_uppercase();
    let count = match notice.count() {
        1 => String::new(),
        count => format!(":{count}"),
    };
    let Some(first) = notice.alerts.first() else { return format!("[{state}{count}]") };
    match first.summary == first.rule {
        true => format!("[{state}{count}] {}", first.rule),
        false => format!("[{state}{count}] {}: {}", first.rule, first.summary),
    }
}

fn clip(text: &str, characters: usize) -> String {
    if text.chars().nth(characters).is_none() {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// Labels that all alerts of a notice share.
pub(super) fn common(notice: &Notice) -> super::alert::Labels {
    let mut alerts = notice.alerts.iter();
    let mut common = alerts.next().map(|alert| alert.labels.clone()).unwrap_or_default();
    for alert in alerts {
        common.retain(|name, value| alert.labels.get(name) == Some(value));
    }
    common
}

/// A message by an incoming webhook of Slack (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
/// <https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>).
pub(super) fn slack(_: &Sender, notice: &Notice) -> Value {
    /// Slack shows no more of a title, of a text.
    const TITLE: usize = 1024;
    const TEXT: usize = 3000;
    // Three characters have a meaning (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let colour = match (notice.resolved, notice.severity) {
        (true, _) => "good",
        (_, Severity::Low) => "#439fe0",
        (_, Severity::Medium) => "warning",
        (_, Severity::High | Severity::Critical) => "danger",
    };
    let title = escape(&clip(&title(notice), TITLE));
    let mut lines: Vec<String> = notice
        .alerts
        .iter()
        .take(SLACK_LINES_MAX)
        .map(|alert| format!("{} {}", rfc3339(alert.time_ns), escape(&alert.summary)))
        .collect();
    let beside = notice.count() - lines.len() as u64;
    if beside > 0 {
        lines.push(format!("… and {beside} more"));
    }
    let fields: Vec<Value> = common(notice)
        .iter()
        .take(SLACK_LINES_MAX)
        .map(|(name, value)| json!({"title": escape(name), "value": escape(&clip(value, 200)), "short": value.len() < 40}))
        .collect();
    json!({
        "text": title,
        "attachments": [{
            "color": colour,
            "fallback": title,
            "text": clip(&lines.join("\n"), TEXT),
            "fields": fields,
            "footer": "aludel",
            "ts": notice.last_ns.div_euclid(1_000_000_000),
        }],
    })
}

/// An event of PagerDuty's Events API v2 (<https://developer.pagerduty.com/docs/send-alert-event>).
pub(super) fn pagerduty(sender: &Sender, notice: &Notice) -> Value {
    const SUMMARY: usize = 1024;
    let severity = match notice.severity {
        Severity::Low => "info",
        Severity::Medium => "warning",
        Severity::High => "error",
        Severity::Critical => "critical",
    };
    let source = ["host.name", "source.ip", "service.name"];
    let source = source.iter().find_map(|path| notice.alerts.first()?.value(path));
    let events: Vec<&Value> = notice.alerts.iter().map(|alert| &alert.event).collect();
    let mut details = json!({
        "labels": common(notice),
        "alerts": notice.count(),
        "first": rfc3339(notice.first_ns),
        "events": events,
    });
    if details.to_string().len() > PAGERDUTY_DETAILS_BYTES_MAX {
        details["events"] = json!("left out: they are larger than PagerDuty takes");
    }
    let mut event = json!({
        "routing_key": sender.routing_key,
        "event_action": if notice.resolved { "resolve" } else { "trigger" },
        "dedup_key": sender.key(notice),
    });
    if !notice.resolved {
        event["client"] = json!("aludel");
        event["payload"] = json!({
            "summary": clip(&title(notice), SUMMARY),
            "source": source.unwrap_or_else(|| sender.sink.clone()),
            "severity": severity,
            "timestamp": rfc3339(notice.last_ns),
            "class": notice.alerts.first().map(|alert| alert.rule.as_str()).unwrap_or_default(),
            "custom_details": details,
        });
    }
    event
}

/// Alerts for Alertmanager's API v2 (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>). It
/// tells alerts apart by their labels, so nothing that changes is one.
pub(super) fn alertmanager(_: &Sender, notice: &Notice) -> Value {
    let labels = |alert: &Alert| {
        let mut labels: super::alert::Labels =
            alert.labels.iter().map(|(name, value)| (label(name), value.clone())).collect();
        for (path, value) in
            notice.labels.iter().filter(|(path, _)| !matches!(&***path, "rule.name" | "severity"))
        {
            labels
                .entry(label(path.strip_prefix("labels.").unwrap_or(path)))
                .or_insert_with(|| value.clone());
        }
        labels.insert("alertname".into(), alert.rule.clone());
        labels.insert("severity".into(), alert.severity.name().into());
        // An empty label is none.
        labels.retain(|_, value| !value.is_empty());
        labels
    };
    let alert = |alert: &Alert| {
        json!({
            "labels": labels(alert),
            "annotations": {"summary": alert.summary, "alert_id": alert.id},
            "startsAt": rfc3339(alert.time_ns.min(notice.until_ns)),
            "endsAt": rfc3339(notice.until_ns),
        })
    };
    Value::Array(notice.alerts.iter().map(alert).collect())
}

/// A label's name as Prometheus takes it (<https://prometheus.io/docs/concepts/data_model/>).
fn label(name: &str) -> String {
    let mut out: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

/// A webhook's body: that of Alertmanager's webhook receiver
/// (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>), with the whole event of each alert.
pub(super) fn webhook(sender: &Sender, notice: &Notice) -> Value {
    let status = if notice.resolved { "resolved" } else { "firing" };
    let alert = |alert: &Alert| {
        let mut labels = alert.labels.clone();
        labels.insert("alertname".into(), alert.rule.clone());
        labels.insert("severity".into(), alert.severity.name().into());
        json!({
            "status": status,
            "labels": labels,
            "annotations": {"summary": alert.summary},
            "startsAt": rfc3339(alert.time_ns),
            "endsAt": if notice.resolved { rfc3339(notice.until_ns) } else { "0001-01-01T00:00:00Z".into() },
            "generatorURL": "",
            "fingerprint": alert.id,
            "event": alert.event,
        })
    };
    json!({
        "version": "4",
        "groupKey": sender.key(notice),
        "truncatedAlerts": notice.more,
        "status": status,
        "receiver": sender.sink,
        "groupLabels": notice.labels,
        "commonLabels": common(notice),
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": notice.alerts.iter().map(alert).collect::<Vec<_>>(),
    })
}
