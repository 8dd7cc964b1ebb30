//! Requests, and what is said to them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::BASE64URL_NOPAD;

use super::answer::{self, Wanted};
use super::parse;
use super::probe::{Route, route};
use crate::limits::{REQUEST_BYTES_MAX, REQUEST_DECOMPRESSED_BYTES_MAX, REQUEST_MESSAGES_MAX};
use crate::source::listener::content::{Encoding, Refusal};
use crate::source::listener::token::Token;
use crate::source::listener::{Answer, Asked, Gate, Head, Listener, Requests, Service, Taken, Verdict};
use crate::source::spooled::{Inlet, Peer};

/// Seconds after which a client that was turned away should come back.
const RETRY_AFTER: &str = "1";

/// What clients take for a node of Elasticsearch.
#[derive(Debug)]
pub struct Node {
    version: String,
    token: Token,
    /// A client wanted to install something.
    installs: AtomicBool,
}

impl Node {
    /// A node that calls itself this version.
    pub fn new(version: &str, token: Token) -> Self {
        Self { version: version.to_owned(), token, installs: AtomicBool::new(false) }
    }
}

impl Gate for Node {
    fn judge(&self, head: &Head) -> Verdict {
        if !self.token.is_in(&head.authorization) {
            let answer = answer::error(401, "security_exception", "the token is missing or wrong");
            return Verdict::Answer(answer.with("www-authenticate", "Basic realm=\"security\", ApiKey"));
        }
        match route(head, &self.version) {
            Route::Bulk(_) => Verdict::Read,
            Route::Answer(answer) => Verdict::Answer(answer),
            Route::Install => {
                self.installs.store(true, Ordering::Relaxed);
                Verdict::Answer(answer::json(200, "{\"acknowledged\":true}"))
            }
        }
    }

    fn body_bytes_max(&self) -> usize {
        REQUEST_BYTES_MAX
    }

    fn too_large(&self) -> Answer {
        let reason = format!("a body has at most {REQUEST_BYTES_MAX} bytes");
        answer::error(413, "content_too_long_exception", &reason)
    }

    fn busy(&self) -> Answer {
        let reason = "there is no room now; send again later";
        answer::error(429, "es_rejected_execution_exception", reason).with("retry-after", RETRY_AFTER)
    }
}

/// Takes requests; makes ids for documents that have none.
pub struct Desk {
    node: Arc<Node>,
    /// When the process started: ids of two processes are never the same.
    start: i64,
    said: bool,
}

impl Desk {
    fn id(&self, number: u64) -> String {
        let mut bytes = self.start.to_be_bytes().to_vec();
        bytes.extend_from_slice(&number.to_be_bytes());
        BASE64URL_NOPAD.encode(&bytes)
    }

    fn body(head: &Head, body: Vec<u8>) -> Result<Vec<u8>, Answer> {
        let Some(encoding) = Encoding::of_header(&head.content_encoding) else {
            let reason = "Content-Encoding is gzip, deflate, zstd or identity";
            return Err(answer::error(415, "media_type_header_exception", reason));
        };
        encoding.decode(body, REQUEST_DECOMPRESSED_BYTES_MAX).map_err(|refusal| match refusal {
            Refusal::TooLarge(_) => answer::error(413, "content_too_long_exception", &refusal.to_string()),
            Refusal::Damaged(_) => answer::error(400, "parse_exception", &refusal.to_string()),
        })
    }
}

impl Service for Desk {
    fn take(&mut self, asked: Asked, inlet: &mut Inlet<'_>) -> Taken {
        let body = match Self::body(&asked.head, asked.body) {
            Ok(body) => body,
            Err(answer) => return Taken::Refused(answer),
        };
        let Route::Bulk(index) = route(&asked.head, &self.node.version) else {
            return Taken::Refused(self.node.busy());
        };
        let items = match parse::items(&body, index.as_deref(), REQUEST_MESSAGES_MAX) {
            Ok(items) => items,
            Err(fault) => return Taken::Refused(answer::error(400, fault.kind, &fault.reason)),
        };
        let mut last: Option<(&str, Peer)> = None;
        let mut receipt = None;
        let mut ids = Vec::with_capacity(items.len());
        for item in &items {
            let mut number = 0;
            if let Ok(range) = &item.source {
                let peer = match last.take() {
                    Some(last) if last.0 == item.index => last,
                    _ => (&*item.index, Peer::new(&format!("{}/{}", asked.peer, item.index))),
                };
                let pushed = inlet.push(&peer.1, &body[range.clone()]);
                (number, receipt, last) = (pushed.0, Some(pushed), Some(peer));
            }
            ids.push(match &item.id {
                Some(id) => Cow::into_owned(id.clone()),
                None => self.id(number),
            });
        }
        let answer = answer::items(&items, &ids, &Wanted::of_query(&asked.head.query));
        match receipt {
            Some(receipt) => Taken::Pushed(receipt, answer),
            None => Taken::Refused(answer),
        }
    }

    fn warnings(&mut self) -> Vec<String> {
        if self.said || !self.node.installs.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.said = true;
        vec!["a client installs templates, policies or pipelines: they are accepted and not kept".into()]
    }
}

/// The intake.
pub type Bulk = Requests<Desk>;

impl Bulk {
    /// An intake of what this listener hands over. `start` is the wall clock now.
    pub fn new(node: Arc<Node>, start: i64, listener: Box<dyn Listener>) -> Self {
        Self::serve(Desk { node: node.clone(), start, said: false }, node, listener)
    }
}
