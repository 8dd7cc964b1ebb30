//! The `bulk` source: takes what clients of Elasticsearch send to `_bulk`.
//!
//! In: what a [`Listener`](super::listener::Listener) hands over. Out: documents into the spool, and answers in
//! Elasticsearch's own form when they are on the disk. [`parse`] takes a body apart, [`answer`] says what became of it,
//! [`probe`] says to clients what they ask before they send.

mod answer;
mod intake;
mod parse;
mod probe;

use std::sync::Arc;

use super::listener::address::{Address, Protocol, Schemes};
use super::listener::real::RealListener;
use super::listener::token::{TOKEN, Token};
use super::listener::{self, tls};
use super::spooled::{self, Framing, Spooled};
use super::{Source, SourceKind, SourcePlan, World};
use crate::event::Options;
use crate::position::Resume;
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::spool::Limit;
pub use intake::{Bulk, Node};

const SCHEMES: Schemes = &[("", Protocol::Tcp), ("http", Protocol::Tcp), ("https", Protocol::Tls)];

const OWN: &[OptionSpec] = &[
    TOKEN,
    OptionSpec {
        name: "version",
        ty: OptionType::Text,
        default: Some("\"9.1.0\""),
        doc: "The version of Elasticsearch that clients are told: some refuse one that is older than themselves.",
    },
    listener::CONNECTIONS,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::CLIENT_CA_FILE,
];

const OPTIONS: [OptionSpec; OWN.len() + spooled::OPTIONS.len()] = spooled::with_spool(OWN);

static SIGNATURE: Signature = Signature {
    name: "bulk",
    summary: "Receives what agents send to Elasticsearch.",
    doc: "`bulk \"127.0.0.1:9200\"`, and an agent that writes to Elasticsearch (Filebeat, Logstash, Fluent Bit, Vector, \
          rsyslog) is pointed at it. Each document is an event: write `parse .message as json`; \
          `.elasticsearch.index.name` is the index that it was for, `.log.source.address` who sent it.\n\n\
          `create` and `index` are taken, `update` and `delete` are refused item by item. An item's 201 means that its \
          document is on the disk here; its `_id` is the client's, or one made up, and not the id that a sink of \
          aludel gives. 429 means that there is no room now: clients send again later.\n\n\
          Questions before sending (version, licence, health) are answered. Templates, policies and pipelines that a \
          client wants to install are accepted and not kept: they are the business of the sink.",
    form: "bulk \"ADDRESS:PORT\", … { … }",
    options: &OPTIONS,
    examples: &[],
};

/// The `bulk` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan {
    name: String,
    addresses: Vec<Address>,
    tls: Option<tls::Files>,
    connections: usize,
    node: Arc<Node>,
    limit: Limit,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    let version = options.text("version").unwrap_or("9.1.0");
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if version.split('.').count() != 3 || !version.split('.').all(is_number) {
        return Err(format!("version is three numbers, such as `9.1.0`, not `{version}`"));
    }
    let (addresses, tls) = listener::served("bulk", SCHEMES, options)?;
    Ok(Box::new(Plan {
        name: name.into(),
        addresses,
        tls,
        connections: listener::connections(options)?,
        node: Arc::new(Node::new(version, Token::new(options.text("token")))),
        limit: spooled::limit(options)?,
    }))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let (addresses, gate) = (self.addresses.clone(), self.node.clone());
        let listener = RealListener::serve(&self.name, addresses, self.tls.as_ref(), gate, self.connections)?;
        let intake = Bulk::new(self.node.clone(), world.clock.now_unix_ns(), Box::new(listener));
        Ok(Box::new(Spooled::open(&self.name, Framing::Messages, self.limit, intake, world, &*resume)?))
    }

    fn place(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(|address| address.socket.to_string()).collect();
        addresses.join(", ")
    }
}
