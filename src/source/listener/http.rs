//! HTTP/1.1 on a connection: heads are judged before a body is read, bodies are read under a bound, and the source is
//! asked for the answer.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::real::Hand;

/// How long a client may take for a request line and headers.
const HEAD_WAIT: Duration = Duration::from_secs(15);
/// How long a client may be silent in the middle of a body.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// What is kept free of a header's value.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// What a request asks, without its body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `GET`, `POST` …
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// What is behind the question mark.
    pub query: String,
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`.
    pub content_encoding: String,
    /// `Authorization`.
    pub authorization: String,
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer with a body of this media type.
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.into() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a head leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This answer; the body is not read.
    Answer(Answer),
    /// The body is read, up to a bound, and handed to the source.
    Read,
}

/// How a source judges requests. Pure: it is called from the thread that reads the sockets.
pub trait Gate: Send + Sync {
    /// Judges a head.
    fn judge(&self, head: &Head) -> Verdict;
    /// Bytes of a body as it is sent.
    fn body_bytes_max(&self) -> usize;
    /// What to say to a body that is larger.
    fn too_large(&self) -> Answer;
    /// What to say while there is no room.
    fn busy(&self) -> Answer;
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    peer: Arc<str>,
    gate: Arc<dyn Gate>,
    hand: Hand,
) {
    let stopped = hand.stopped();
    let service = service_fn(move |request| {
        let (peer, gate, hand) = (peer.clone(), gate.clone(), hand.clone());
        async move { Ok::<_, Infallible>(response(respond(request, peer, &*gate, &hand).await)) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A client that goes away is its own affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn respond(request: Request<Incoming>, peer: Arc<str>, gate: &dyn Gate, hand: &Hand) -> Answer {
    let head = head(&request);
    if let Verdict::Answer(answer) = gate.judge(&head) {
        return answer;
    }
    let bytes_max = gate.body_bytes_max();
    let told = request.body().size_hint().exact();
    if told.is_some_and(|bytes| bytes > bytes_max as u64) {
        return gate.too_large();
    }
    // All that is told is asked for at once: a body that is half read and then refused was sent for nothing.
    let Some(mut weight) = hand.try_weigh(told.unwrap_or(0) as usize) else { return gate.busy() };
    let mut body = request.into_body();
    let mut bytes = Vec::with_capacity(told.unwrap_or(0) as usize);
    loop {
        let frame = match tokio::time::timeout(BODY_WAIT, body.frame()).await {
            Err(_) => return Answer::new(408, "text/plain", "the body did not come in time\n"),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Answer::new(400, "text/plain", "the body was cut off\n"),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return gate.too_large();
        }
        bytes.extend_from_slice(&data);
        if told.is_none() {
            match hand.try_weigh(data.len()) {
                Some(more) => weight.merge(more),
                None => return gate.busy(),
            }
        }
    }
    match hand.ask(peer, head, bytes, weight).await {
        Some(answer) => answer,
        None => gate.busy(),
    }
}

fn head(request: &Request<Incoming>) -> Head {
    let header = |name: HeaderName| {
        let value = request.headers().get(name).map(HeaderValue::as_bytes).unwrap_or_default();
        String::from_utf8_lossy(value.get(..HEADER_BYTES_MAX).unwrap_or(value)).into_owned()
    };
    Head {
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        content_type: header(hyper::header::CONTENT_TYPE),
        content_encoding: header(hyper::header::CONTENT_ENCODING),
        authorization: header(hyper::header::AUTHORIZATION),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A future that may be made again.
pub(super) type Stopped = std::pin::Pin<Box<dyn Future<Output = ()>>>;
