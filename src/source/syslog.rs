//! The `syslog` source: RFC 6587 connections, TLS (RFC 5425) and datagrams (RFC 5426).
//!
//! In: what a [`Listener`](super::listener::Listener) hands over. Out: whole messages with their sender, into the
//! spool. What a message says is the business of the format `syslog`.

mod framing;
mod intake;

use std::sync::Arc;

use super::listener::address::{Address, Protocol, Schemes};
use super::listener::real::{RealListener, Setup};
use super::listener::{self, tls};
use super::spooled::{self, Framing as SpoolFraming, Spooled};
use super::{Source, SourceKind, SourcePlan, World};
use crate::event::Options;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::position::Resume;
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::spool::Limit;
pub use framing::Mode;
pub use intake::{Config, Syslog};

const SCHEMES: Schemes = &[("udp", Protocol::Udp), ("tcp", Protocol::Tcp), ("tls", Protocol::Tls)];

/// The port of syslog (RFC 5426 §3.3), and of syslog over TLS (RFC 5425 §4.1).
const PORT: u16 = 514;
const PORT_TLS: u16 = 6514;

const OWN: &[OptionSpec] = &[
    OptionSpec {
        name: "framing",
        ty: OptionType::Word(&["auto", "octet_counting", "lf", "nul"]),
        default: Some("auto"),
        doc: "How the messages of a connection are told apart (RFC 6587): `octet_counting` by their length in front, `lf` by a line feed, `nul` by a NUL behind them. `auto` tells from a connection's first bytes whether it counts; where it does not, a line feed and a NUL both end a message.",
    },
    OptionSpec {
        name: "message_bytes",
        ty: OptionType::Size,
        default: Some("64KiB"),
        doc: "Longest message; of a longer one the rest is a message of its own.",
    },
    OptionSpec {
        name: "wait",
        ty: OptionType::Duration,
        default: Some("5s"),
        doc: "How long an unfinished message of a silent connection is held before it is handed on as it is.",
    },
    OptionSpec {
        name: "receive_buffer",
        ty: OptionType::Size,
        default: Some(""),
        doc: "Receive buffer of UDP sockets in bytes; a burst that is longer is lost. Without it the system's (`net.core.rmem_default`), and never more than `net.core.rmem_max` unless the process may administer the network.",
    },
    listener::CONNECTIONS,
    tls::CERT_FILE,
    tls::KEY_FILE,
    tls::CLIENT_CA_FILE,
];

const OPTIONS: [OptionSpec; OWN.len() + spooled::OPTIONS.len()] = spooled::with_spool(OWN);

static SIGNATURE: Signature = Signature {
    name: "syslog",
    summary: "Receives syslog over UDP, TCP and TLS.",
    doc: "`syslog \"udp://0.0.0.0:514\", \"tcp://0.0.0.0:514\", \"tls://0.0.0.0:6514\" { cert_file = \"…\", key_file = \"…\" }`. \
          Each message is an event; write `parse .message as syslog` for what it says (RFC 3164 and RFC 5424). \
          `.log.source.address` is who sent it.\n\n\
          What comes in is made durable in a spool. Syslog has no acknowledgement: what a sender has sent and this \
          process has not yet read is lost with it. Where the spool is full, connections are not read, so that \
          senders have to wait. UDP senders never wait: what the kernel drops is counted and reported.",
    form: "syslog \"PROTOCOL://ADDRESS:PORT\", … { … }",
    options: &OPTIONS,
    examples: &[],
};

/// The `syslog` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan {
    name: String,
    addresses: Vec<Address>,
    tls: Option<tls::Files>,
    connections: usize,
    receive_buffer: Option<usize>,
    config: Config,
    limit: Limit,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    let default_port = |text: &str| Some(if text.starts_with("tls") { PORT_TLS } else { PORT });
    let addresses = options.arguments.iter().map(|text| Address::parse(text, SCHEMES, default_port(text)));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        return Err("`syslog` needs an address, such as \"udp://0.0.0.0:514\"".into());
    }
    let tls = tls::Files::from_options(options)?;
    match addresses.iter().find(|address| address.protocol == Protocol::Tls) {
        Some(address) if tls.is_none() => return Err(format!("{address} needs cert_file and key_file")),
        None if tls.is_some() => {
            return Err("cert_file is for addresses with `tls://`, and there are none".into());
        }
        _ => {}
    }
    let size = |name, max: usize| match options.int(name).map(usize::try_from) {
        None => Ok(None),
        Some(Ok(bytes)) if (1..=max).contains(&bytes) => Ok(Some(bytes)),
        Some(_) => Err(format!("{name} is between 1 and {max} bytes")),
    };
    Ok(Box::new(Plan {
        name: name.into(),
        addresses,
        tls,
        connections: listener::connections(options)?,
        receive_buffer: size("receive_buffer", 1 << 30)?,
        config: Config {
            mode: match options.text("framing") {
                Some("octet_counting") => Mode::Counted,
                Some("lf") => Mode::LineFeed,
                Some("nul") => Mode::Nul,
                _ => Mode::Auto,
            },
            message_bytes: size("message_bytes", MESSAGE_BYTES_MAX)?.unwrap_or(64 * 1024),
            wait: options.duration("wait").unwrap_or(std::time::Duration::from_secs(5)),
        },
        limit: spooled::limit(options)?,
    }))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let listener = RealListener::start(Setup {
            addresses: self.addresses.clone(),
            tls: self.tls.as_ref().map(tls::Files::acceptor).transpose()?,
            gate: None,
            connections_max: self.connections,
            receive_buffer: self.receive_buffer,
            name: self.name.clone(),
        })?;
        let intake = Syslog::new(self.config.clone(), Box::new(listener));
        let framing = SpoolFraming::Messages;
        Ok(Box::new(Spooled::open(&self.name, framing, self.limit, intake, world, &*resume)?))
    }

    fn place(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(Address::to_string).collect();
        addresses.join(", ")
    }
}
