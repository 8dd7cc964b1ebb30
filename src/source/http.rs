//! The `http` source: requests with messages, answered when they are durable.
//!
//! In: what a [`Listener`](super::listener::Listener) hands over. Out: the messages of each body into the spool, and an
//! answer when they are on the disk: never before, and never for a part of a body.

mod intake;

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
pub use intake::{Http, Page};

const SCHEMES: Schemes = &[("", Protocol::Tcp), ("http", Protocol::Tcp), ("https", Protocol::Tls)];

const OWN: &[OptionSpec] = &[
    OptionSpec {
        name: "path",
        ty: OptionType::Text,
        default: Some("\"/\""),
        doc: "The path that messages are sent to; any other is 404.",
    },
    OptionSpec {
        name: "body",
        ty: OptionType::Word(&["auto", "ndjson", "json", "lines"]),
        default: Some("auto"),
        doc: "How a body holds its messages: `ndjson` a JSON document on each line, `json` one document, of an array each element, `lines` a line of text each. `auto` goes by the `Content-Type`; where that says nothing, a body that begins with a bracket or brace is `json`, any other `lines`.",
    },
    TOKEN,
    listener::CONNECTIONS,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::CLIENT_CA_FILE,
];

const OPTIONS: [OptionSpec; OWN.len() + spooled::OPTIONS.len()] = spooled::with_spool(OWN);

static SIGNATURE: Signature = Signature {
    name: "http",
    summary: "Receives messages by HTTP.",
    doc: "`http \"127.0.0.1:8080\" { path = \"/logs\", token = secret(\"file:/etc/aludel/token\") }`, and then \
          `curl --data-binary @app.ndjson -H 'Content-Type: application/x-ndjson' http://127.0.0.1:8080/logs`. Bodies are \
          NDJSON, JSON or lines of text, plain or compressed with gzip or zstd. Documents are not encoded anew: \
          `.message` is each as it was sent. With `https://` and a certificate it speaks TLS.\n\n\
          200 means that every message of the body is on the disk here. 400 names line and byte of the first fault, and \
          nothing of the body was taken. 413 is a body that is too large, 401 a missing token. 429 with `Retry-After` \
          means that there is no room now: send the same body again later.",
    form: "http \"ADDRESS:PORT\", … { … }",
    options: &OPTIONS,
    examples: &[],
};

/// The `http` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan {
    name: String,
    addresses: Vec<Address>,
    tls: Option<tls::Files>,
    connections: usize,
    page: Arc<Page>,
    limit: Limit,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    let path = options.text("path").unwrap_or("/");
    if !path.starts_with('/') {
        return Err(format!("path begins with a slash, and `{path}` does not"));
    }
    let (addresses, tls) = listener::served("http", SCHEMES, options)?;
    Ok(Box::new(Plan {
        name: name.into(),
        addresses,
        tls,
        connections: listener::connections(options)?,
        page: Arc::new(Page::new(
            path,
            options.text("body").unwrap_or("auto"),
            Token::new(options.text("token")),
        )),
        limit: spooled::limit(options)?,
    }))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let (addresses, gate) = (self.addresses.clone(), self.page.clone());
        let listener = RealListener::serve(&self.name, addresses, self.tls.as_ref(), gate, self.connections)?;
        let intake = Http::new(self.page.clone(), Box::new(listener));
        Ok(Box::new(Spooled::open(&self.name, Framing::Messages, self.limit, intake, world, &*resume)?))
    }

    fn place(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(|address| address.socket.to_string()).collect();
        addresses.join(", ")
    }
}
