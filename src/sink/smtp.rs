//! The real mail: messages to a relay by SMTP (RFC 5321), over TLS from the start or by STARTTLS, or without.
//!
//! In: requests whose headers `from` and `to` (once for each) are the envelope, and whose body is the message. Out: an
//! answer with a status as HTTP has it, so that those who ask need to know one kind: 200 taken; 401 the relay does not
//! know us; 422 it will never take the message; 503 not now.

use std::future::ready;

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport, Tokio1Executor};

use super::http::{Outcome, Requests, chain};
use super::{Encryption, Relay, Request, Response, Transport};

/// A way to one relay; each message has a connection of its own.
pub(super) struct SmtpTransport {
    relay: Relay,
    tls: Tls,
    requests: Requests,
}

impl SmtpTransport {
    pub(super) fn connect(relay: &Relay, requests: Requests) -> Result<Self, String> {
        let tls = match relay.encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(parameters(relay)?),
            Encryption::Tls => Tls::Wrapper(parameters(relay)?),
        };
        Ok(Self { relay: relay.clone(), tls, requests })
    }
}

fn parameters(relay: &Relay) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(relay.host.clone());
    if let Some(path) = &relay.ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|error| format!("`{path}` holds no PEM certificate: {}", chain(&error)))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| format!("cannot set up TLS: {}", chain(&error)))
}

fn envelope(request: &Request) -> Result<Envelope, String> {
    let (mut from, mut to) = (None, Vec::new());
    for (name, value) in &request.headers {
        let address = value.parse().map_err(|error| format!("`{value}` is no mail address: {error}"))?;
        if *name == "from" { from = Some(address) } else { to.push(address) }
    }
    Envelope::new(from, to).map_err(|error| error.to_string())
}

impl Transport for SmtpTransport {
    fn start(&mut self, ticket: u64, request: Request) {
        let envelope = match envelope(&request) {
            Ok(envelope) => envelope,
            Err(error) => return self.requests.start(ticket, ready(Err(error))),
        };
        let Relay { host, port, login, .. } = &self.relay;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(*port)
            .tls(self.tls.clone())
            .timeout(Some(request.timeout));
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        let transport = builder.build();
        self.requests.start(ticket, async move {
            // The relay's own time-outs are per command.
            let sent = transport.send_raw(&envelope, &request.body);
            match tokio::time::timeout(request.timeout, sent).await {
                Ok(Ok(_)) => Ok(Response { status: 200, ..Response::default() }),
                Ok(Err(error)) => answer(&error),
                Err(_) => Err("no answer in time".to_owned()),
            }
        });
    }

    fn poll(&mut self) -> Option<Outcome> {
        self.requests.poll()
    }
}

/// What the relay said, as a status (RFC 5321 §4.2, RFC 4954 §6).
fn answer(error: &Error) -> Result<Response, String> {
    let said = chain(error);
    let status = match error.status().map(u16::from) {
        Some(530 | 534 | 535 | 538) => 401,
        Some(500..=599) => 422,
        Some(_) => 503,
        None => return Err(said),
    };
    Ok(Response { status, body: said.into(), retry_after: None })
}
