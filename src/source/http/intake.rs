//! Requests, and what is said to them.

use std::sync::Arc;

use crate::limits::{REQUEST_BYTES_MAX, REQUEST_DECOMPRESSED_BYTES_MAX, REQUEST_MESSAGES_MAX};
use crate::source::listener::body::{self, Shape};
use crate::source::listener::content::{Encoding, Refusal};
use crate::source::listener::token::Token;
use crate::source::listener::{Answer, Asked, Gate, Head, Listener, Service, Taken, Verdict};
use crate::source::spooled::{Inlet, Peer};

const TEXT: &str = "text/plain; charset=utf-8";
/// Seconds after which a client that was turned away should come back.
const RETRY_AFTER: &str = "1";

/// The page that takes messages.
#[derive(Debug)]
pub struct Page {
    path: String,
    shape: Option<Shape>,
    token: Token,
}

impl Page {
    /// A page at a path; `body` is the option of that name.
    pub fn new(path: &str, body: &str, token: Token) -> Self {
        let shape = match body {
            "ndjson" => Some(Shape::Ndjson),
            "json" => Some(Shape::Json),
            "lines" => Some(Shape::Lines),
            _ => None,
        };
        Self { path: path.to_owned(), shape, token }
    }

    /// The messages of a body, or what is wrong with it.
    fn messages(&self, head: &Head, body: Vec<u8>) -> Result<(Vec<u8>, Vec<std::ops::Range<usize>>), Answer> {
        let Some(encoding) = Encoding::of_header(&head.content_encoding) else {
            return Err(Answer::new(415, TEXT, "Content-Encoding is gzip, deflate, zstd or identity\n"));
        };
        let bytes = encoding.decode(body, REQUEST_DECOMPRESSED_BYTES_MAX).map_err(|refusal| {
            let status = if matches!(refusal, Refusal::TooLarge(_)) { 413 } else { 400 };
            Answer::new(status, TEXT, format!("{refusal}\n"))
        })?;
        let told = || Shape::of_type(&head.content_type);
        let shape = self.shape.or_else(told).unwrap_or_else(|| Shape::of_bytes(&bytes));
        let found = body::messages(&bytes, shape, REQUEST_MESSAGES_MAX);
        let found = found.map_err(|fault| Answer::new(400, TEXT, format!("{fault}\n")))?;
        Ok((bytes, found))
    }
}

impl Gate for Page {
    fn judge(&self, head: &Head) -> Verdict {
        Verdict::Answer(if head.path != self.path {
            Answer::new(404, TEXT, "nothing is here\n")
        } else if !self.token.is_in(&head.authorization) {
            Answer::new(401, TEXT, "the token is missing or wrong\n").with("www-authenticate", "Bearer")
        } else if !matches!(head.method.as_str(), "POST" | "PUT") {
            Answer::new(405, TEXT, "messages are sent with POST\n").with("allow", "POST, PUT")
        } else {
            return Verdict::Read;
        })
    }

    fn body_bytes_max(&self) -> usize {
        REQUEST_BYTES_MAX
    }

    fn too_large(&self) -> Answer {
        Answer::new(413, TEXT, format!("a body has at most {REQUEST_BYTES_MAX} bytes\n"))
    }

    fn busy(&self) -> Answer {
        Answer::new(429, TEXT, "there is no room now\n").with("retry-after", RETRY_AFTER)
    }
}

impl Service for Arc<Page> {
    fn take(&mut self, asked: Asked, inlet: &mut Inlet<'_>) -> Taken {
        let (bytes, found) = match self.messages(&asked.head, asked.body) {
            Ok(found) => found,
            Err(answer) => return Taken::Refused(answer),
        };
        let peer = Peer::new(&asked.peer);
        let mut receipt = None;
        for range in &found {
            receipt = Some(inlet.push(&peer, &bytes[range.clone()]));
        }
        let answer = Answer::new(200, "application/json", format!("{{\"accepted\":{}}}\n", found.len()));
        receipt
            .map_or_else(|| Taken::Refused(answer.clone()), |receipt| Taken::Pushed(receipt, answer.clone()))
    }
}

/// The intake.
pub type Http = crate::source::listener::Requests<Arc<Page>>;

impl Http {
    /// An intake of what this listener hands over.
    pub fn new(page: Arc<Page>, listener: Box<dyn Listener>) -> Self {
        Self::serve(page.clone(), page, listener)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page::new("/logs", "auto", Token::new(Some("sesame")))
    }

    fn head(method: &str, path: &str, authorization: &str) -> Head {
        let (method, path, authorization) = (method.into(), path.into(), authorization.into());
        Head { method, path, authorization, ..Head::default() }
    }

    #[test]
    fn a_head_is_judged_before_its_body() {
        let status = |head: Head| match page().judge(&head) {
            Verdict::Answer(answer) => answer.status,
            Verdict::Read => 0,
        };
        assert_eq!(status(head("POST", "/logs", "Bearer sesame")), 0);
        assert_eq!(status(head("PUT", "/logs", "Bearer sesame")), 0);
        assert_eq!(status(head("GET", "/logs", "Bearer sesame")), 405);
        assert_eq!(status(head("POST", "/logs", "")), 401);
        assert_eq!(status(head("POST", "/", "Bearer sesame")), 404);
    }

    #[test]
    fn a_body_is_what_its_type_says() {
        let texts = |kind: &str, body: &str| {
            let head = Head { content_type: kind.into(), ..Head::default() };
            page().messages(&head, body.as_bytes().to_vec()).map(|(bytes, found)| {
                let text =
                    |range: std::ops::Range<usize>| String::from_utf8_lossy(&bytes[range]).into_owned();
                found.into_iter().map(text).collect::<Vec<_>>().join("|")
            })
        };
        assert_eq!(texts("application/x-ndjson", "{}\n[1]\n").as_deref(), Ok("{}|[1]"));
        assert_eq!(texts("application/json; charset=utf-8", "[1,2]").as_deref(), Ok("1|2"));
        assert_eq!(texts("text/plain", "[1,2]\nx").as_deref(), Ok("[1,2]|x"));
        assert_eq!(
            texts("application/x-www-form-urlencoded", "{\"a\":1}\n{\"b\":2}").as_deref(),
            Ok("{\"a\":1}|{\"b\":2}")
        );
        assert_eq!(texts("", "a\nb").as_deref(), Ok("a|b"));
        let refused = texts("application/x-ndjson", "{}\n{\n").expect_err("a fault");
        assert_eq!(
            (refused.status, &*refused.body),
            (400, &b"line 2, byte 1: EOF while parsing an object\n"[..])
        );
    }
}
