//! What peers send over sockets, as a seam: a source is given what came and knows no socket.
//!
//! [`real`] reads sockets on a thread of its own and hands over through a channel that is bounded in bytes; a test or
//! a simulation gives a script. What was handed over weighs on the bound until it is dropped, so a source that keeps
//! it until it is durable makes its peers feel that: connections are not read, requests are told to come back.

pub mod address;
mod answers;
pub(in crate::source) mod body;
pub(in crate::source) mod content;
mod drops;
mod http;
pub mod real;
mod requests;
mod sockets;
pub mod tls;
pub mod token;

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use answers::Answers;
pub use http::{Answer, Gate, Head, Verdict};
pub use requests::{Asked, Requests, Service, Taken};

use crate::signature::{OptionSpec, OptionType};

/// How many peers at once.
pub const CONNECTIONS: OptionSpec = OptionSpec {
    name: "connections",
    ty: OptionType::Int,
    default: Some("512"),
    doc: "Connections that are served at once; more wait until one ends.",
};

/// Reads [`CONNECTIONS`].
pub(in crate::source) fn connections(options: &crate::event::Options) -> Result<usize, String> {
    let given = options.int("connections").unwrap_or(crate::limits::CONNECTIONS_DEFAULT);
    match usize::try_from(given) {
        Ok(given) if (1..=crate::limits::CONNECTIONS_MAX).contains(&given) => Ok(given),
        _ => Err(format!("connections is between 1 and {}, not {given}", crate::limits::CONNECTIONS_MAX)),
    }
}

/// The addresses of a source that speaks HTTP, and its TLS.
pub(in crate::source) fn served(
    source: &str,
    schemes: address::Schemes,
    options: &crate::event::Options,
) -> Result<(Vec<address::Address>, Option<tls::Files>), String> {
    let addresses = options.arguments.iter().map(|text| address::Address::parse(text, schemes, None));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        return Err(format!("`{source}` needs an address, such as \"127.0.0.1:8080\""));
    }
    let tls = tls::Files::from_options(options)?;
    match addresses.iter().find(|address| address.protocol == address::Protocol::Tls) {
        Some(address) if tls.is_none() => {
            Err(format!("https://{} needs cert_file and key_file", address.socket))
        }
        None if tls.is_some() => Err("cert_file is for addresses with `https://`, and there are none".into()),
        _ => Ok((addresses, tls)),
    }
}

/// Keeps room in the listener's bound until it is dropped; empty in scripts.
#[derive(Debug, Default)]
pub struct Weight(Option<tokio::sync::OwnedSemaphorePermit>);

/// Something that came.
#[derive(Debug)]
pub enum Came {
    /// A connection was made; its bytes follow.
    Opened {
        /// Names the connection; never used twice.
        connection: u64,
        /// The peer: protocol, address and port.
        peer: Arc<str>,
    },
    /// Bytes of a connection, cut anywhere.
    Bytes {
        /// Which connection.
        connection: u64,
        /// The bytes.
        bytes: Vec<u8>,
        /// What they weigh.
        weight: Weight,
    },
    /// A connection has ended, by whichever side.
    Closed {
        /// Which connection.
        connection: u64,
    },
    /// Datagrams, in order.
    Datagrams {
        /// Of each the sender, and where it ends in `bytes`.
        ends: Vec<(std::net::SocketAddr, usize)>,
        /// All of them.
        bytes: Vec<u8>,
        /// What they weigh.
        weight: Weight,
    },
    /// A request whose body was read; it is to be answered with [`Listener::answer`].
    Request {
        /// Names the request.
        ticket: u64,
        /// The peer: protocol, address and port.
        peer: Arc<str>,
        /// What it asks.
        head: Head,
        /// The body as it was sent.
        body: Vec<u8>,
        /// What it weighs.
        weight: Weight,
    },
    /// Something a person should know.
    Warning(String),
}

/// What reads the sockets.
pub trait Listener: Send {
    /// The next thing that came. `None` where nothing is there: [`Listener::wake_fd`] tells when there is.
    fn next(&mut self) -> Option<Came>;
    /// Answers a request. A ticket whose client has gone is let go silently.
    fn answer(&mut self, ticket: u64, answer: Answer);
    /// Readable when something came.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>>;
    /// Takes no more connections, requests and bytes. What came already is still handed over.
    fn close(&mut self);
    /// Whether it was closed and everything is handed over.
    fn is_drained(&self) -> bool;
    /// Datagrams that the kernel threw away since the start because they were not read in time; `None` where it does
    /// not say.
    fn dropped(&self) -> Option<u64> {
        None
    }
}
