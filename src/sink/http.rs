//! The real network: requests to nodes over HTTP and TLS, by the official Elasticsearch client.
//!
//! In: requests, from sinks on threads of their own. Out: answers, by polling. One thread runs all connections of
//! the process; it lives as long as the network or any of its transports.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use elasticsearch::Elasticsearch;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use elasticsearch::http::{Method, Url};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::s3::{Place, S3};
use super::smtp::SmtpTransport;
use super::{Endpoint, Network, Relay, Request, Response, Transport};
use crate::limits::{REQUESTS_MAX, RESPONSE_BYTES_MAX};
use crate::seam::Objects;
use crate::seam::kafka::{Brokers, Client};

type Wake = Arc<dyn Fn() + Send + Sync>;
pub(super) type Outcome = (u64, Result<Response, String>);

/// The machine's network.
pub struct HttpNetwork {
    runtime: Arc<Runtime>,
}

/// A thread that runs connections. It ends when this is dropped.
pub(super) struct Runtime {
    pub(super) handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpNetwork {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Self> {
        Ok(Self { runtime: Arc::new(Runtime::start("network")?) })
    }
}

impl Runtime {
    pub(super) fn start(name: &str) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            // An error is the sender's end, which is the same.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Network for HttpNetwork {
    fn connect(&self, endpoint: &Endpoint, wake: Wake) -> Result<Box<dyn Transport>, String> {
        Ok(Box::new(HttpTransport {
            client: client(endpoint)?,
            authorization: authorization(endpoint)?,
            requests: Requests::new(&self.runtime, wake),
        }))
    }

    fn mail(&self, relay: &Relay, wake: Wake) -> Result<Box<dyn Transport>, String> {
        Ok(Box::new(SmtpTransport::connect(relay, Requests::new(&self.runtime, wake))?))
    }

    fn kafka(&self) -> Option<&dyn Brokers> {
        Some(&Client)
    }

    fn objects(&self, place: &Place, wake: Wake) -> Result<Box<dyn Objects>, String> {
        Ok(Box::new(S3::connect(place, wake)?))
    }
}

/// One request and its answer, for a command that has nothing else to do meanwhile.
pub fn ask(network: &HttpNetwork, endpoint: &Endpoint, request: Request) -> Result<Response, String> {
    let (woken, wake) = bounded(1);
    let wake_up = move || {
        // A full channel means that the waker was called already.
        let _ = woken.try_send(());
    };
    let mut transport = network.connect(endpoint, Arc::new(wake_up))?;
    transport.start(1, request);
    wake.recv().map_err(|error| error.to_string())?;
    transport.poll().map_or_else(|| Err("there is no answer".to_owned()), |(_, answer)| answer)
}

fn client(endpoint: &Endpoint) -> Result<Elasticsearch, String> {
    let url =
        Url::parse(&endpoint.url).map_err(|error| format!("`{}` is not a URL: {error}", endpoint.url))?;
    let host = url.host_str().unwrap_or_default();
    let local = host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback);
    // A client of its own per node: the client's own choice of nodes never leaves a dead one alone.
    let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url)).enable_meta_header(false);
    if local {
        builder = builder.disable_proxy();
    }
    if let Some(path) = &endpoint.ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        let certificates = Certificate::from_pem(&pem)
            .map_err(|error| format!("`{path}` holds no PEM certificate: {error}"))?;
        builder = builder.cert_validation(CertificateValidation::Full(certificates));
    }
    let transport =
        builder.build().map_err(|error| format!("cannot reach `{}`: {}", endpoint.url, chain(&error)))?;
    Ok(Elasticsearch::new(transport))
}

fn is_loopback(address: std::net::IpAddr) -> bool {
    address.is_loopback()
}

fn authorization(endpoint: &Endpoint) -> Result<Option<HeaderValue>, String> {
    let Some(text) = &endpoint.authorization else { return Ok(None) };
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| "the credentials hold a character that no HTTP header can".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Requests on the thread of connections, and their answers.
pub(super) struct Requests {
    runtime: Arc<Runtime>,
    /// Requests whose answer was not polled yet, so that the channel never blocks the thread of connections.
    open: usize,
    /// Requests that were one too many.
    refused: VecDeque<u64>,
    answered: Sender<Outcome>,
    answers: Receiver<Outcome>,
    wake: Wake,
}

impl Requests {
    fn new(runtime: &Arc<Runtime>, wake: Wake) -> Self {
        let (answered, answers) = bounded(REQUESTS_MAX);
        Self { runtime: Arc::clone(runtime), open: 0, refused: VecDeque::new(), answered, answers, wake }
    }

    /// Runs a request under a ticket.
    pub(super) fn start(
        &mut self,
        ticket: u64,
        request: impl Future<Output = Result<Response, String>> + Send + 'static,
    ) {
        if self.open >= REQUESTS_MAX {
            self.refused.push_back(ticket);
            (self.wake)();
            return;
        }
        self.open += 1;
        let (answered, wake) = (self.answered.clone(), Arc::clone(&self.wake));
        self.runtime.handle.spawn(async move {
            // Nobody polls any more: the sink is gone.
            let _ = answered.try_send((ticket, request.await));
            wake();
        });
    }

    /// The next answer, if one has come.
    pub(super) fn poll(&mut self) -> Option<Outcome> {
        if let Some(ticket) = self.refused.pop_front() {
            return Some((ticket, Err(format!("more than {REQUESTS_MAX} requests in flight"))));
        }
        let outcome = self.answers.try_recv().ok()?;
        self.open -= 1;
        Some(outcome)
    }
}

/// A connection, or several, to one node.
struct HttpTransport {
    client: Elasticsearch,
    authorization: Option<HeaderValue>,
    requests: Requests,
}

impl Transport for HttpTransport {
    fn start(&mut self, ticket: u64, request: Request) {
        let headers = headers(&request, self.authorization.as_ref());
        let client = self.client.clone();
        self.requests.start(ticket, async move { send(&client, request, headers?).await });
    }

    fn poll(&mut self) -> Option<Outcome> {
        self.requests.poll()
    }
}

fn headers(request: &Request, authorization: Option<&HeaderValue>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 1);
    for (name, value) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|error| error.to_string())?);
    }
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value.clone());
    }
    Ok(headers)
}

async fn send(client: &Elasticsearch, request: Request, headers: HeaderMap) -> Result<Response, String> {
    let method = match request.method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        _ => Method::Post,
    };
    // `Bytes` goes to the socket as it is; any other type of body would be copied first.
    let body = (!request.body.is_empty()).then_some(request.body);
    let response = client
        .send(method, &request.path, headers, None::<&()>, body, Some(request.timeout))
        .await
        .map_err(|error| chain(&error))?;
    let status = response.status_code().as_u16();
    let retry_after = retry_after(response.headers());
    if response.content_length().is_some_and(|length| length > RESPONSE_BYTES_MAX as u64) {
        return Err(format!("a response of more than {RESPONSE_BYTES_MAX} bytes"));
    }
    let body = response.bytes().await.map_err(|error| chain(&error))?;
    Ok(Response { status, retry_after, body })
}

/// `Retry-After = HTTP-date / delay-seconds` (RFC 9110 §10.2.3). A date is taken against the `Date` of the same
/// response: the node's clock may be another than ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text.trim()).ok().map(|date| date.timestamp());
    let pause = date(asked)?.duration_since(date(text(DATE)?)?);
    Some(Duration::try_from(pause).unwrap_or_default())
}

/// The causes of an error: the outermost alone says `error sending request for url (…)`, the innermost
/// `connection refused`.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut cause = error.source();
    if cause.is_none() {
        return error.to_string();
    }
    let mut text = String::new();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) && !said.starts_with("error sending request") {
            let gap = if text.is_empty() { "" } else { ": " };
            text.push_str(gap);
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        const NOW: &str = "Thu, 26 Nov 2026 23:59:30 GMT";
        for (asked, date, expected) in [
            ("120", NOW, Some(120)),
            ("Fri, 27 Nov 2026 00:00:05 GMT", NOW, Some(35)),
            ("Thu, 26 Nov 2026 23:00:00 GMT", NOW, Some(0)),
            ("Fri, 27 Nov 2026 00:00:05 GMT", "", None),
            ("soon", NOW, None),
            ("-5", NOW, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(asked));
            headers.insert(DATE, HeaderValue::from_static(date));
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{asked}");
        }
    }
}
