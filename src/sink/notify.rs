//! Notifiers: alerts to people, by Slack, PagerDuty, Alertmanager or a webhook.
//!
//! In: events, each an [`alert`]. Out: requests about groups of them ([`groups`] says when, [`payload`] what). A row is
//! settled when people were told of it, and what they were told of is kept over restarts ([`memory`]), so that they are
//! told when it is over, and not twice. [`notifier`] is the machine around these.

mod alert;
mod groups;
mod memory;
mod notifier;
mod payload;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;

use crate::event::{Options, Row, Writer};
use crate::position::CursorRecord;
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::sink::{
    Body, Encoder, Endpoint, EventRef, OpenError, Payload, Provenance, Shape, Sink, SinkKind, SinkPlan, World,
};
use groups::Rules;
use memory::Memory;
use notifier::{Notifier, Service, Settings};
use payload::Sender;

const GROUP_BY: OptionSpec = OptionSpec {
    name: "group_by",
    ty: OptionType::Fields,
    default: Some("[.rule.name]"),
    doc: "Alerts with the same values of these fields are told of together.",
};
const GROUP_WAIT: OptionSpec = OptionSpec {
    name: "group_wait",
    ty: OptionType::Duration,
    default: Some("10s"),
    doc: "How long a new group waits for more alerts before people are told.",
};
const GROUP_INTERVAL: OptionSpec = OptionSpec {
    name: "group_interval",
    ty: OptionType::Duration,
    default: Some("5m"),
    doc: "How long what joins a group of which people were told waits for more.",
};
const RESOLVE_AFTER: OptionSpec = OptionSpec {
    name: "resolve_after",
    ty: OptionType::Duration,
    default: Some("15m"),
    doc: "A group into which nothing came for so long is over: people are told, and it is forgotten.",
};
const PER_MINUTE: OptionSpec = OptionSpec {
    name: "per_minute",
    ty: OptionType::Int,
    default: Some("30"),
    doc: "Requests in a minute at most, evenly spaced, 1 to 6000. What is beyond waits.",
};
const TIMEOUT: OptionSpec = OptionSpec {
    name: "timeout",
    ty: OptionType::Duration,
    default: Some("20s"),
    doc: "A request without an answer after this long is sent again.",
};
const CA_FILE: OptionSpec = OptionSpec {
    name: "ca_file",
    ty: OptionType::Text,
    default: Some(""),
    doc: "PEM file with certificates to trust beside the public ones.",
};
const AUTHORIZATION: OptionSpec = OptionSpec {
    name: "authorization",
    ty: OptionType::Secret,
    default: Some(""),
    doc: "Value of the `Authorization` header, such as `Bearer …`.",
};
const SECRET_URL: OptionSpec = OptionSpec {
    name: "url",
    ty: OptionType::Secret,
    default: None,
    doc: "URL of the incoming webhook, which is a secret.",
};

/// What holds for all of them; stands in each one's documentation.
macro_rules! doc {
    ($of:literal) => {
        concat!(
            $of,
            "\n\nAn event is an alert: `rule.name` says what was found, `message` is one sentence for people, `severity` \
             is `low`, `medium`, `high` or `critical`, `labels` an object that says what it is about, and the same \
             `event.id` is the same alert: it is told of once. Alerts go in groups; when nothing more comes to one, people are \
             told that it is over. What they were told of is kept over restarts. 429 and 5xx: tried again, later and \
             later, and `Retry-After` is kept to. 401, 403 and 404: everything waits and is tried again. Other refusals go \
             to the dead letters. After a kill between an answer and its record people can be told twice."
        )
    };
}

/// The `slack` sink.
pub const SLACK: SinkKind = SinkKind {
    signature: &Signature {
        name: "slack",
        summary: "tells a Slack channel of alerts",
        doc: doc!("Sends a message per group of alerts to an incoming webhook of Slack."),
        form: "slack { url = secret(\"file:/run/secrets/slack\") }",
        options: &[
            SECRET_URL,
            GROUP_BY,
            GROUP_WAIT,
            GROUP_INTERVAL,
            RESOLVE_AFTER,
            PER_MINUTE,
            TIMEOUT,
            CA_FILE,
        ],
        examples: &[],
    },
    plan: |name, options| plan(Service::Slack, name, options),
};

/// The `pagerduty` sink.
pub const PAGERDUTY: SinkKind = SinkKind {
    signature: &Signature {
        name: "pagerduty",
        summary: "triggers and resolves alerts of PagerDuty",
        doc: doc!(
            "Sends events of the Events API v2: `trigger` for a group of alerts, `resolve` when it is over, both with \
             the same `dedup_key`, so that what is sent twice is one alert there. Severities: low is `info`, medium \
             `warning`, high `error`, critical `critical`."
        ),
        form: "pagerduty { routing_key = secret(\"file:/run/secrets/pagerduty\") }",
        options: &[
            OptionSpec {
                name: "routing_key",
                ty: OptionType::Secret,
                default: None,
                doc: "Integration key of the service, 32 characters.",
            },
            OptionSpec {
                name: "url",
                ty: OptionType::Text,
                default: Some("\"https://events.pagerduty.com\""),
                doc: "Where the Events API is; another one for the EU.",
            },
            GROUP_BY,
            GROUP_WAIT,
            GROUP_INTERVAL,
            RESOLVE_AFTER,
            PER_MINUTE,
            TIMEOUT,
            CA_FILE,
        ],
        examples: &[],
    },
    plan: |name, options| plan(Service::PagerDuty, name, options),
};

/// The `alertmanager` sink.
pub const ALERTMANAGER: SinkKind = SinkKind {
    signature: &Signature {
        name: "alertmanager",
        summary: "alerts for an Alertmanager of Prometheus",
        doc: doc!(
            "Posts alerts to `/api/v2/alerts`. `alertname` is the rule's name, `severity` and the alert's labels are \
             labels; an alert ends there at `resolve_after` unless more comes. With several members of a cluster, write one \
             sink for each, since none of them passes alerts on."
        ),
        form: "alertmanager \"http://localhost:9093\"",
        options: &[
            GROUP_BY,
            OptionSpec { default: Some("0s"), ..GROUP_WAIT },
            OptionSpec { default: Some("10s"), ..GROUP_INTERVAL },
            RESOLVE_AFTER,
            OptionSpec { default: Some("600"), ..PER_MINUTE },
            AUTHORIZATION,
            TIMEOUT,
            CA_FILE,
        ],
        examples: &[],
    },
    plan: |name, options| plan(Service::Alertmanager, name, options),
};

/// The `webhook` sink.
pub const WEBHOOK: SinkKind = SinkKind {
    signature: &Signature {
        name: "webhook",
        summary: "alerts as JSON to any HTTP endpoint, signed",
        doc: doc!(
            "Posts the same JSON as Alertmanager's webhook receiver (version 4), with the whole event as `event` of each \
             alert. With `signing_key` the request carries `webhook-id`, `webhook-timestamp` and `webhook-signature` as \
             Standard Webhooks say: `v1,` and the base64 of an HMAC-SHA256 over `ID.TIMESTAMP.BODY`."
        ),
        form: "webhook \"https://example.org/alerts\" { signing_key = secret(\"file:/run/secrets/webhook\") }",
        options: &[
            OptionSpec {
                name: "signing_key",
                ty: OptionType::Secret,
                default: Some(""),
                doc: "Key of the signature; no signature without it.",
            },
            GROUP_BY,
            GROUP_WAIT,
            GROUP_INTERVAL,
            RESOLVE_AFTER,
            PER_MINUTE,
            AUTHORIZATION,
            TIMEOUT,
            CA_FILE,
        ],
        examples: &[],
    },
    plan: |name, options| plan(Service::Webhook, name, options),
};

/// A checked sink.
struct Plan {
    settings: Settings,
    endpoint: Endpoint,
}

fn plan(service: Service, name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    let given = |name: &str| options.text(name).filter(|text| !text.is_empty());
    let url = match (service, options.arguments.as_slice()) {
        (Service::Slack | Service::PagerDuty, []) => given("url").unwrap_or_default(),
        (Service::Slack | Service::PagerDuty, _) => return Err("the URL is the option `url`".into()),
        (_, [url]) => url,
        _ => return Err("it takes one URL: write one sink for each".into()),
    };
    let (node, path) = split(url).ok_or_else(|| match service {
        Service::Slack => "`url` is no URL that begins with `http://` or `https://`".to_owned(),
        _ => format!("`{url}` is no URL that begins with `http://` or `https://`, without a user in it"),
    })?;
    let below = match service {
        Service::PagerDuty => "/v2/enqueue",
        Service::Alertmanager => "/api/v2/alerts",
        Service::Slack | Service::Webhook => "",
    };
    let duration = |name: &str| options.duration(name).unwrap_or_default();
    if duration("timeout").is_zero() || duration("resolve_after").is_zero() {
        return Err("`timeout` and `resolve_after` must be longer than nothing".into());
    }
    let per_minute = options.int("per_minute").unwrap_or(30);
    let per_minute = u32::try_from(per_minute)
        .ok()
        .filter(|per_minute| (1..=6000).contains(per_minute))
        .ok_or_else(|| format!("`per_minute` is {per_minute}, and goes from 1 to 6000"))?;
    let settings = Settings {
        service,
        sender: Sender {
            sink: name.to_owned(),
            scope: String::new(),
            routing_key: given("routing_key").unwrap_or_default().to_owned(),
        },
        rules: Rules {
            group_by: options.texts("group_by").to_vec(),
            group_wait: duration("group_wait"),
            group_interval: duration("group_interval"),
            resolve_after: duration("resolve_after"),
        },
        path: if below.is_empty() {
            path.to_owned()
        } else {
            format!("{}{below}", path.trim_end_matches('/'))
        },
        signing_key: given("signing_key").map(|key| key.as_bytes().to_vec()),
        apart: Duration::from_secs(60) / per_minute,
        timeout: duration("timeout"),
    };
    let endpoint = Endpoint {
        url: node.to_owned(),
        authorization: given("authorization").map(str::to_owned),
        ca_file: given("ca_file").map(str::to_owned),
    };
    Ok(Box::new(Plan { settings, endpoint }))
}

/// The node of a URL, and the path below it.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let path = rest.len() - rest.find('/').unwrap_or(rest.len());
    let (node, path) = url.split_at_checked(url.len() - path)?;
    let named = !rest.is_empty() && !rest.starts_with('/') && !node.contains('@');
    named.then_some((node, if path.is_empty() { "/" } else { path }))
}

impl SinkPlan for Plan {
    fn encoder(&self, _: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::<Alerts>::default())
    }

    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        let transport = world.network.connect(&self.endpoint, Arc::clone(&world.wake))?;
        let mut settings = self.settings.clone();
        settings.sender.scope = HEXLOWER.encode(&world.host);
        let known = Memory::open(world.fs, &world.data_dir, &settings.sender.sink)
            .map_err(|error| format!("cannot read its records in {}: {error}", world.data_dir.display()))?;
        if !known.1.is_empty() {
            // Groups of an earlier run end without anything coming in.
            (world.wake)();
        }
        Ok((Box::new(Notifier::new(settings, transport, world.clock, known)), Vec::new()))
    }

    fn guarantee(&self) -> &'static str {
        "at least once; an alert that is told of again is known by its id"
    }

    fn place(&self) -> String {
        // The path can be a secret.
        self.endpoint.url.clone()
    }
}

/// Rows as the event's id and the event as JSON.
#[derive(Default)]
struct Alerts {
    writer: Writer,
    out: Vec<u8>,
    ends: Vec<u32>,
}

impl Encoder for Alerts {
    fn push(&mut self, row: &mut Row, event: EventRef<'_>) -> Result<(), String> {
        self.out.extend_from_slice(&event.id());
        self.writer.write(row, &mut self.out);
        self.ends.push(self.out.len() as u32);
        Ok(())
    }

    fn finish(&mut self, provenance: &Arc<Provenance>) -> Vec<Body> {
        if self.ends.is_empty() {
            return Vec::new();
        }
        let (out, row_ends) = (std::mem::take(&mut self.out), std::mem::take(&mut self.ends));
        vec![Body {
            provenance: Arc::clone(provenance),
            rows: row_ends.len() as u32,
            row_ends,
            bytes: out.capacity(),
            payload: Payload::Bytes(Bytes::from(out)),
        }]
    }
}
