//! Notifiers: alerts to people, by Slack, PagerDuty, Alertmanager, e-mail or a webhook.
//!
//! In: events, each an [`alert`]. Out: requests about groups of them ([`groups`] says when, [`payload`] what). A row is
//! settled when people were told of it, and what they were told of is kept over restarts ([`memory`]), so that they are
//! told when it is over, and not twice. [`notifier`] is the machine around these.

mod alert;
mod groups;
mod mail;
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
    Body, Encoder, Encryption, Endpoint, EventRef, OpenError, Payload, Provenance, Relay, Shape, Sink,
    SinkKind, SinkPlan, World,
};
use groups::Rules;
use mail::Letterhead;
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
    doc: "A group into which nothing came for so long is over: people are told, and it is forgotten; at once where all that it tells \
          of was said to be over (`aludel.state` `resolved`), as detectors that keep state do.",
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
             `event.id` is the same alert: it is told of once. A line with `detections` and without `rule.name` is told of as the \
             surest of them. Alerts go in groups; when nothing more comes to one, people are told that it is over. What they \
             were told of is kept over restarts. 429 and 5xx: tried again, later and later, and `Retry-After` is kept to. \
             401, 403 and 404: everything waits and is tried again. Other refusals go to the dead letters. After a kill \
             between an answer and its record people can be told twice."
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
             labels; an alert ends there when all of its group is said to be over, or at `resolve_after` unless more comes. With several members of a cluster, write one \
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
                doc: "Key of the signature; no signature without it. Behind `whsec_` it is written in base64, as \
                      Standard Webhooks have it; else it is the text as it stands.",
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

/// The `email` sink.
pub const EMAIL: SinkKind = SinkKind {
    signature: &Signature {
        name: "email",
        summary: "tells people of alerts by e-mail",
        doc: doc!(
            "Sends a message of plain text for each group of alerts to a relay by SMTP. Messages about one group are one \
             thread."
        ),
        form: "email \"smtp.example.org\" { from = \"aludel@example.org\", to = [\"oncall@example.org\"] }",
        options: &[
            OptionSpec {
                name: "from",
                ty: OptionType::Text,
                default: None,
                doc: "Who writes: `Alerts <alerts@example.org>`.",
            },
            OptionSpec {
                name: "to",
                ty: OptionType::Texts,
                default: None,
                doc: "To whom, each as an address.",
            },
            OptionSpec {
                name: "encryption",
                ty: OptionType::Word(&["tls", "starttls", "none"]),
                default: Some("tls"),
                doc: "`tls` from the start, on port 465; `starttls`, which the relay must offer, on port 587; `none` for a \
                      relay on this machine, on port 25. Another port stands behind the name: `mail.example.org:2525`.",
            },
            OptionSpec {
                name: "username",
                ty: OptionType::Text,
                default: Some(""),
                doc: "User name, together with `password`.",
            },
            OptionSpec {
                name: "password",
                ty: OptionType::Secret,
                default: Some(""),
                doc: "Password of `username`.",
            },
            GROUP_BY,
            GROUP_WAIT,
            GROUP_INTERVAL,
            RESOLVE_AFTER,
            PER_MINUTE,
            OptionSpec { default: Some("60s"), ..TIMEOUT },
            CA_FILE,
        ],
        examples: &[],
    },
    plan: plan_email,
};

/// Where a sink sends.
enum Place {
    Http(Endpoint),
    Mail(Relay),
}

/// A checked sink.
struct Plan {
    settings: Settings,
    place: Place,
}

fn settings(service: Service, name: &str, options: &Options, path: String) -> Result<Settings, String> {
    let duration = |name: &str| options.duration(name).unwrap_or_default();
    if duration("timeout").is_zero() || duration("resolve_after").is_zero() {
        return Err("`timeout` and `resolve_after` must be longer than nothing".into());
    }
    let per_minute = options.int("per_minute").unwrap_or(30);
    let per_minute = u32::try_from(per_minute)
        .ok()
        .filter(|per_minute| (1..=6000).contains(per_minute))
        .ok_or_else(|| format!("`per_minute` is {per_minute}, and goes from 1 to 6000"))?;
    let each = matches!(service, Service::Alertmanager);
    // PagerDuty refuses events with another one for good.
    let routing_key = options.given("routing_key").unwrap_or_default();
    let fits = routing_key.len() == 32 && routing_key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if matches!(service, Service::PagerDuty) && !fits {
        return Err("`routing_key` is not the integration key of a service, 32 letters and digits".into());
    }
    Ok(Settings {
        service,
        sender: Sender { sink: name.to_owned(), scope: String::new(), routing_key: routing_key.to_owned() },
        rules: Rules {
            group_by: options.texts("group_by").to_vec(),
            group_wait: duration("group_wait"),
            group_interval: duration("group_interval"),
            resolve_after: duration("resolve_after"),
            each,
        },
        path,
        signing_key: options.given("signing_key").map(signing_key).transpose()?,
        apart: Duration::from_secs(60) / per_minute,
        timeout: duration("timeout"),
    })
}

/// The bytes of a key for signatures.
fn signing_key(key: &str) -> Result<Vec<u8>, String> {
    let Some(text) = key.strip_prefix("whsec_") else { return Ok(key.as_bytes().to_vec()) };
    let bytes = data_encoding::BASE64.decode(text.as_bytes());
    bytes.map_err(|_| "what is behind `whsec_` in `signing_key` is not base64".into())
}

fn plan(service: Service, name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    let by_option = matches!(service, Service::Slack | Service::PagerDuty);
    let url = match options.arguments.as_slice() {
        [] if by_option => options.given("url").unwrap_or_default(),
        _ if by_option => return Err("the URL is the option `url`".into()),
        [url] => url,
        _ => return Err("it takes one URL: write one sink for each".into()),
    };
    let (node, path) = split(url).ok_or_else(|| match service {
        Service::Slack => "`url` is no URL that begins with `http://` or `https://`".to_owned(),
        _ => format!("`{url}` is no URL that begins with `http://` or `https://`, without a user in it"),
    })?;
    let path = match service {
        Service::PagerDuty => format!("{}/v2/enqueue", path.trim_end_matches('/')),
        Service::Alertmanager => format!("{}/api/v2/alerts", path.trim_end_matches('/')),
        _ => path.to_owned(),
    };
    let settings = settings(service, name, options, path)?;
    let endpoint = Endpoint {
        url: node.to_owned(),
        authorization: options.given("authorization").map(str::to_owned),
        ca_file: options.given("ca_file").map(str::to_owned),
    };
    Ok(Box::new(Plan { settings, place: Place::Http(endpoint) }))
}

fn plan_email(name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    let (encryption, port) = match options.text("encryption") {
        Some("none") => (Encryption::None, 25),
        Some("starttls") => (Encryption::StartTls, 587),
        _ => (Encryption::Tls, 465),
    };
    let [relay] = options.arguments.as_slice() else {
        return Err("it takes one relay: `email \"smtp.example.org\"`".into());
    };
    let (host, port) = match relay.rsplit_once(':') {
        None => (relay.as_str(), port),
        Some((host, port)) => {
            let port =
                port.parse().map_err(|_| format!("`{relay}` is no name with a port: `{port}` is no port"))?;
            (host, port)
        }
    };
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err(format!("`{relay}` is not the name of a relay, such as `smtp.example.org`"));
    }
    let login = match (options.given("username"), options.given("password")) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user.to_owned(), password.to_owned())),
        _ => return Err("`username` and `password` belong together".into()),
    };
    if login.is_some() && encryption == Encryption::None {
        return Err(
            "a password is not sent without encryption: write `encryption = starttls` or `tls`".into()
        );
    }
    let head = Letterhead::new(options.text("from").unwrap_or_default(), options.texts("to"))?;
    let settings = settings(Service::Email(head), name, options, String::new())?;
    let ca_file = options.given("ca_file").map(str::to_owned);
    let relay = Relay { host: host.to_owned(), port, encryption, login, ca_file };
    Ok(Box::new(Plan { settings, place: Place::Mail(relay) }))
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
        let transport = match &self.place {
            Place::Http(endpoint) => world.network.connect(endpoint, Arc::clone(&world.wake))?,
            Place::Mail(relay) => world.network.mail(relay, Arc::clone(&world.wake))?,
        };
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
        match &self.place {
            // The path can be a secret.
            Place::Http(endpoint) => endpoint.url.clone(),
            Place::Mail(relay) => format!("{}:{}", relay.host, relay.port),
        }
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
