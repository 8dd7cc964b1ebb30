//! Kafka: records into topics, in order, and with transactions each of them once.
//!
//! In: rows, on the workers ([`encode`]). Out: parcels of records ([`ship`]) by the client at the rim
//! ([`crate::seam::kafka`]). With transactions the cursors of the streams are written to a topic in the same
//! transaction as the rows, and looked up there when it is not known what became of a parcel ([`shelf`]).
//!
//! `topic.rs` is the smallest part; begin there.

mod encode;
mod shelf;
mod ship;
mod topic;

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;

use crate::event::{Options, Template};
use crate::limits::KAFKA_RECORD_BYTES_MAX;
use crate::position::CursorRecord;
use crate::seam::kafka::{LINK_OPTIONS, Link, ProducerConfig, Transactions};
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::sink::lines::{Form, Writer};
use crate::sink::router::Router;
use crate::sink::{Encoder, OpenError, Shape, Sink, SinkKind, SinkPlan, World};
use encode::RecordEncoder;
use ship::Shipper;

/// What the catalog lists.
pub const KIND: SinkKind = SinkKind { signature: &SIGNATURE, plan };

const SIGNATURE: Signature = Signature {
    name: "kafka",
    summary: "records into Kafka topics, in order, each of them once",
    doc: "\
Sends each event as a record to the topic that `topic` names:

    sink bus = kafka \"kafka-0:9092\", \"kafka-1:9092\" {
      topic = \"logs-{.service.name}\"
      fallback = \"logs-other\"
      key = \"{.service.name}\"
    }

The record's header `aludel-id` holds the event's id: the same id is the same bytes of the same stream. Records of one `key` are in
one partition, in the order in which they were read. Without a key they are spread, and order holds within a partition only.

**Once.** With `transactions` (the default) rows and the cursors of their streams are committed together, the cursors to
`cursor_topic`, which is made, compacted, where it is missing. After a crash, or when an answer was lost, the cursors are read
back and rows that are in the log are not sent again. Consumers see each row once with `isolation.level=read_committed`; others also see what was
aborted. The user needs the rights to the transactional id, to write to the topics, and to read and make the cursor topic. Without
`transactions` rows are acknowledged by all replicas in sync, and those in flight at a crash come again, under the same id.

**What is refused.** A record that is larger than `message_bytes`, or than the topic allows, goes to the dead letters. A topic that
is not there, missing rights, brokers that are away: nothing is lost; everything waits, is tried again, and said. A process that takes over the
transactional id fences this one, which says so and holds its rows.",
    form: "kafka \"HOST:PORT\", … { … }",
    options: &OPTIONS,
    examples: &[],
};

const OWN_OPTIONS: [OptionSpec; 10] = [
    OptionSpec {
        name: "topic",
        ty: OptionType::Template,
        default: None,
        doc: "Name of the topic, with fields in braces: `logs-{.service.name}`. In a hole every character that a topic's name cannot hold, and `.`, becomes `_`.",
    },
    OptionSpec {
        name: "fallback",
        ty: OptionType::Text,
        default: Some(""),
        doc: "Topic for rows that cannot fill the holes of `topic`; needed where it has any.",
    },
    OptionSpec {
        name: "key",
        ty: OptionType::Template,
        default: Some(""),
        doc: "Key of the record, such as `{.service.name}`; rows that cannot fill it have none. Partitions are chosen as Java's producers do.",
    },
    OptionSpec {
        name: "format",
        ty: OptionType::Word(&["json", "text"]),
        default: Some("json"),
        doc: "The value: the event as a JSON object, or only its message.",
    },
    OptionSpec {
        name: "compression",
        ty: OptionType::Word(&["none", "gzip", "snappy", "lz4", "zstd"]),
        default: Some("lz4"),
        doc: "How requests are compressed.",
    },
    OptionSpec {
        name: "message_bytes",
        ty: OptionType::Size,
        default: Some("1000000"),
        doc: "Largest record in bytes; the brokers' `message.max.bytes` is 1048588 unless it was raised.",
    },
    OptionSpec {
        name: "transactions",
        ty: OptionType::Bool,
        default: Some("true"),
        doc: "Whether rows and cursors are committed together, which makes it exactly once.",
    },
    OptionSpec {
        name: "transactional_id",
        ty: OptionType::Text,
        default: Some(""),
        doc: "Transactional id; by default `aludel-`, this host's id and the sink's name. One running process may have it.",
    },
    OptionSpec {
        name: "cursor_topic",
        ty: OptionType::Text,
        default: Some("aludel-cursors"),
        doc: "Topic for cursors; many agents may share it.",
    },
    OptionSpec {
        name: "commit_interval",
        ty: OptionType::Duration,
        default: Some("100ms"),
        doc: "Least time between transactions; longer spares the brokers work and makes rows wait.",
    },
];

const OPTIONS: [OptionSpec; 15] = {
    let mut all = [OWN_OPTIONS[0]; 15];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OWN_OPTIONS.len() { OWN_OPTIONS[at] } else { LINK_OPTIONS[at - OWN_OPTIONS.len()] };
        at += 1;
    }
    all
};

/// A checked sink.
struct Plan {
    name: String,
    link: Link,
    topic: Template,
    fallback: Option<String>,
    key: Option<Template>,
    form: Form,
    compression: String,
    message_bytes: usize,
    transactions: bool,
    transactional_id: Option<String>,
    cursor_topic: String,
    interval: Duration,
}

/// The text of an option that was given and is not empty.
fn given(options: &Options, name: &str) -> Option<String> {
    options.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SinkPlan>, String> {
    let topic = options.template("topic").cloned().unwrap_or_default();
    let fallback = given(options, "fallback");
    topic::RULES.check(&topic, fallback.as_deref())?;
    let cursor_topic = given(options, "cursor_topic").ok_or("`cursor_topic` is empty")?;
    topic::check(&cursor_topic).map_err(|error| format!("`cursor_topic`: {error}"))?;
    if [topic.constant(), fallback.as_deref()].contains(&Some(&cursor_topic)) {
        return Err("`cursor_topic` must not be a topic for rows".into());
    }
    let message_bytes = options.int("message_bytes").unwrap_or(1_000_000);
    let bytes = usize::try_from(message_bytes).unwrap_or(0);
    if !(1024..=KAFKA_RECORD_BYTES_MAX).contains(&bytes) {
        return Err(format!(
            "`message_bytes` is {message_bytes}, and goes from 1024 to {KAFKA_RECORD_BYTES_MAX}"
        ));
    }
    let transactions = options.is("transactions");
    let transactional_id = given(options, "transactional_id");
    if transactional_id.is_some() && !transactions {
        return Err("`transactional_id` is used with `transactions = true` only".into());
    }
    Ok(Box::new(Plan {
        name: name.to_owned(),
        link: Link::from_options(options)?,
        topic,
        fallback,
        key: options.template("key").filter(|key| key.constant() != Some("")).cloned(),
        form: if options.text("format") == Some("text") { Form::Text } else { Form::Ndjson },
        compression: given(options, "compression").unwrap_or_else(|| "none".into()),
        message_bytes: bytes,
        transactions,
        transactional_id,
        cursor_topic,
        interval: options.duration("commit_interval").unwrap_or_default(),
    }))
}

impl SinkPlan for Plan {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        let router = Router::new(
            topic::RULES,
            &self.topic,
            self.fallback.as_deref(),
            &shape.layout,
            encode::write_topic,
        )?;
        let key = match &self.key {
            Some(key) => Some(key.bind(&shape.layout).ok_or("the layout lacks a field that `key` names")?),
            None => None,
        };
        let writer = Writer::new(Some(self.form), shape);
        let (open, ends, bytes_max) = (Vec::new(), Vec::new(), self.message_bytes);
        Ok(Box::new(RecordEncoder { router, key, writer, open, ends, bytes_max }))
    }

    /// Does not wait for the cluster, which may be away while other sinks have work. What the log has by the cursors in it is not told here
    /// but left out by the sink itself, row by row, as soon as it has read them.
    fn open(&self, world: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        let brokers = world.network.kafka().ok_or_else(|| "there is no Kafka on this network".to_owned())?;
        let own = || format!("aludel-{}-{}", HEXLOWER.encode(&world.host), self.name);
        let id = self.transactions.then(|| self.transactional_id.clone().unwrap_or_else(own));
        let config = ProducerConfig {
            link: self.link.clone(),
            compression: self.compression.clone(),
            message_bytes_max: self.message_bytes,
            transactions: id.clone().map(|id| Transactions { id, cursor_topic: self.cursor_topic.clone() }),
        };
        let producer = brokers.producer(&config, Arc::clone(&world.wake))?;
        let shipper = Shipper::new(self.link.servers().to_owned(), producer, id.as_deref(), self.interval);
        Ok((Box::new(shipper), Vec::new()))
    }

    fn ordered(&self) -> bool {
        true
    }

    fn guarantee(&self) -> &'static str {
        if self.transactions {
            "in order; exactly once for consumers that read committed records: rows and cursors are one transaction"
        } else {
            "in order as long as nothing fails; at least once: a crash repeats rows in flight, under the same id"
        }
    }

    fn place(&self) -> String {
        self.link.servers().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OptionValue;

    fn text(text: &str) -> OptionValue {
        OptionValue::Text(text.into())
    }

    fn fault(servers: &[&str], values: &[(&'static str, OptionValue)]) -> String {
        let template = |text| OptionValue::Template(Template::parse(text).expect("a template"));
        let mut all = vec![
            ("topic", template("logs")),
            ("cursor_topic", text("aludel-cursors")),
            ("transactions", OptionValue::Bool(true)),
        ];
        all.retain(|(name, _)| !values.iter().any(|(known, _)| known == name));
        all.extend(values.iter().cloned());
        let servers = servers.iter().map(|server| (*server).to_owned()).collect();
        plan("bus", &Options::new(servers, all)).err().unwrap_or_default()
    }

    #[test]
    fn what_cannot_work_is_said_at_once() {
        let here = &["a:9092, b:9092", "[::1]:9092"][..];
        let template = |text| OptionValue::Template(Template::parse(text).expect("a template"));
        assert_eq!(fault(here, &[]), "");
        assert!(fault(&[], &[]).contains("no broker is named"));
        for server in ["localhost", "http://a:9092", ":9092", "a:port"] {
            assert!(fault(&[server], &[]).contains("is not a broker"), "{server}");
        }
        assert!(fault(here, &[("topic", template("logs-{.a}"))]).contains("`fallback = \"logs-other\"`"));
        assert!(fault(here, &[("topic", template("a b"))]).contains("holds ' '"));
        assert!(fault(here, &[("cursor_topic", text("logs"))]).contains("must not be a topic for rows"));
        assert!(fault(here, &[("message_bytes", OptionValue::Int(10))]).contains("goes from 1024"));
        let both = [("transactions", OptionValue::Bool(false)), ("transactional_id", text("me"))];
        assert!(fault(here, &both).contains("`transactions = true` only"));
    }

    #[test]
    fn secrets_and_certificates_belong_to_something() {
        let here = &["a:9092"][..];
        let plain = [("sasl", text("plain")), ("username", text("u")), ("password", text("p"))];
        assert_eq!(fault(here, &plain), "");
        assert!(fault(here, &plain[..2]).contains("wants `username` and `password`"));
        assert!(fault(here, &plain[1..]).contains("with `sasl` only"));
        assert!(fault(here, &[("ca_file", text("ca.pem"))]).contains("with `tls = true` only"));
        let scram = [("sasl", text("scram_sha_512")), plain[1].clone(), plain[2].clone()];
        for needy in [&scram[..], &[("tls", OptionValue::Bool(true))]] {
            let said = fault(here, needy);
            assert_eq!(
                said.contains("cargo build --release --features kafka-tls"),
                !cfg!(feature = "kafka-tls"),
                "{said}"
            );
        }
    }
}
