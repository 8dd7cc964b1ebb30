//! What a node said of each row of a bulk request.
//!
//! In: the body of a 2xx response, and the number of rows that were sent. Out: the rows that were not simply
//! taken. Anything that does not fit the request is no answer: the caller sends the same rows again, under the
//! same ids. No bytes make it panic.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits::REASON_BYTES_MAX;

/// Asks for these parts of the response only. Items come in the order of the rows, so no id is needed.
pub(super) const PATH: &str = "/_bulk?filter_path=errors,items.*.status,items.*.failure_store,\
                               items.*.error.type,items.*.error.reason";

/// What became of a row that was not simply taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The node has it already, under the same id.
    Repeated,
    /// The node could not take it now (429, 5xx).
    Retry(u16, String),
    /// The node would take it if the cluster were set up otherwise: from somebody else (401, 403), or if it might make
    /// the data stream (404).
    Forbidden(u16, String),
    /// The node will never take it.
    Rejected(String),
}

/// The rows, by index, that were not simply taken; all others are delivered.
pub(super) type Answer = Vec<(u32, Fate)>;

/// Reads a response to `rows` rows. `None` where it is not an answer to that request.
pub(super) fn read(body: &[u8], rows: usize) -> Option<Answer> {
    if all_taken(body, rows) {
        return Some(Vec::new());
    }
    let mut parser = serde_json::Deserializer::from_slice(body);
    let answer = Response { rows }.deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    answer
}

/// The usual answer, recognised without reading it item by item: no errors, one status in the two hundreds per
/// row, nothing in the failure store. A quote inside a JSON string is escaped, so no text can look like a key.
fn all_taken(body: &[u8], rows: usize) -> bool {
    let front = body.get(..body.len().min(FRONT)).unwrap_or_default();
    memmem::find(front, b"\"errors\":false").is_some()
        && body.starts_with(b"{")
        && body.ends_with(b"]}")
        && memmem::find(body, b"\"failure_store\":").is_none()
        && memmem::find(body, b"\"error\":").is_none()
        && taken(body) == Some(rows)
}

/// Where `errors` stands if it comes before the items, as it does in every version.
const FRONT: usize = 64;

/// Number of items, if the status of each is in the two hundreds.
fn taken(body: &[u8]) -> Option<usize> {
    const STATUS: &[u8] = b"\"status\":";
    let mut statuses = memmem::find_iter(body, STATUS);
    statuses.try_fold(0, |count, at| (body.get(at + STATUS.len()) == Some(&b'2')).then_some(count + 1))
}

/// One item: `{"create":{"status":201}}`.
#[derive(Deserialize)]
struct Item<'a> {
    status: Option<u16>,
    #[serde(borrow)]
    error: Option<Fault<'a>>,
    #[serde(borrow)]
    failure_store: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

impl Item<'_> {
    fn reason(&self) -> String {
        let none = Cow::Borrowed("");
        let fault = self.error.as_ref();
        let kind = fault.and_then(|fault| fault.kind.as_ref()).unwrap_or(&none);
        let reason = fault.and_then(|fault| fault.reason.as_ref()).unwrap_or(&none);
        clip(match (kind.is_empty(), reason.is_empty()) {
            (true, true) => format!("status {}", self.status.unwrap_or_default()),
            (false, true) => kind.to_string(),
            (true, false) => reason.to_string(),
            (false, false) => format!("{kind}: {reason}"),
        })
    }

    /// `None` for a row that was simply taken.
    fn fate(&self) -> Option<Fate> {
        match self.status? {
            200..=299 => match self.failure_store.as_deref() {
                Some("used") => {
                    Some(Fate::Rejected("the document went to the data stream's failure store".into()))
                }
                _ => None,
            },
            409 => Some(Fate::Repeated),
            status @ (408 | 429 | 500..) => Some(Fate::Retry(status, self.reason())),
            status @ (401 | 403 | 404) => Some(Fate::Forbidden(status, self.reason())),
            _ => Some(Fate::Rejected(self.reason())),
        }
    }
}

/// The start of a text, cut at a character.
pub(super) fn clip(mut text: String) -> String {
    if text.len() > REASON_BYTES_MAX {
        text.truncate(text.floor_char_boundary(REASON_BYTES_MAX));
        text.push('…');
    }
    text
}

/// The whole response; gives `None` where its items do not fit the request.
struct Response {
    rows: usize,
}

impl<'de> DeserializeSeed<'de> for Response {
    type Value = Option<Answer>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Response {
    type Value = Option<Answer>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bulk response")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut answer = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "items" {
                answer = map.next_value_seed(Items { rows: self.rows })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(answer)
    }
}

struct Items {
    rows: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Option<Answer>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Option<Answer>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one item per row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut answer, mut count, mut whole) = (Vec::new(), 0, true);
        while let Some(action) = items.next_element_seed(Action)? {
            match action {
                Some(item) if item.status.is_some() && count < self.rows => {
                    answer.extend(item.fate().map(|fate| (count as u32, fate)));
                }
                _ => whole = false,
            }
            count += 1;
        }
        Ok((whole && count == self.rows).then_some(answer))
    }
}

/// An item within its action: `{"create":{…}}`.
struct Action;

impl<'de> DeserializeSeed<'de> for Action {
    type Value = Option<Item<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Action {
    type Value = Option<Item<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an item within its action")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let first = map.next_entry::<IgnoredAny, Item<'de>>()?;
        let more = map.next_entry::<IgnoredAny, IgnoredAny>()?;
        Ok(first.filter(|_| more.is_none()).map(|(_, item)| item))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_answer_is_recognised_whole() {
        let body = br#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":200}}]}"#;
        assert!(all_taken(body, 2));
        assert_eq!(read(body, 2), Some(Vec::new()));
        assert_eq!((read(body, 1), read(body, 3)), (None, None));
        // The same in another spelling goes the long way.
        let body = br#"{ "took":3, "items":[{"create":{"status":201}}], "errors":false }"#;
        assert!(!all_taken(body, 1));
        assert_eq!(read(body, 1), Some(Vec::new()));
    }

    #[test]
    fn each_row_has_its_fate() {
        let body = br#"{"errors":true,"items":[
            {"create":{"status":201}},
            {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[x]: version conflict"}}},
            {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"failed \"status\":201"}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":null}}},
            {"create":{"status":503}},
            {"create":{"status":403,"error":{"type":"security_exception"}}},
            {"create":{"status":201,"failure_store":"used"}},
            {"create":{"status":201,"failure_store":"not_enabled"}},
            {"create":{"status":404,"error":"a text"}}
        ]}"#;
        // An error that is no object is not an answer of Elasticsearch.
        assert_eq!(read(body, 9), None);
        let text =
            str::from_utf8(body).expect("text").replace("\"a text\"", "{\"reason\":\"no such index\"}");
        let rejected = |reason: &str| Fate::Rejected(reason.into());
        let expected = vec![
            (1, Fate::Repeated),
            (2, rejected("document_parsing_exception: failed \"status\":201")),
            (3, Fate::Retry(429, "es_rejected_execution_exception".into())),
            (4, Fate::Retry(503, "status 503".into())),
            (5, Fate::Forbidden(403, "security_exception".into())),
            (6, rejected("the document went to the data stream's failure store")),
            (8, Fate::Forbidden(404, "no such index".into())),
        ];
        assert_eq!(read(text.as_bytes(), 9), Some(expected));
    }

    #[test]
    fn what_does_not_fit_is_no_answer() {
        for body in [
            "",
            "{}",
            "[]",
            "null",
            "{\"errors\":false",
            "{\"errors\":false,\"items\":[]}",
            "{\"errors\":false,\"items\":[{\"create\":{}}]}",
            "{\"errors\":false,\"items\":[{}]}",
            "{\"errors\":false,\"items\":[{\"create\":{\"status\":201},\"index\":{\"status\":201}}]}",
            "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}}]} trailing",
            "{\"errors\":false,\"items\":[{\"create\":{\"status\":99999}}]}",
            "<html>proxy error</html>",
        ] {
            assert_eq!(read(body.as_bytes(), 1), None, "{body}");
        }
    }

    proptest! {
        /// No bytes make it panic, and what is cut off is no answer.
        #[test]
        fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..200) {
            read(&body, 3);
            let whole = br#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"a","reason":"b"}}}]}"#;
            let cut = cut.min(whole.len() - 1);
            prop_assert_eq!(read(&whole[..cut], 2), None);
            let mut damaged = whole.to_vec();
            damaged.splice(cut..cut, body);
            read(&damaged, 2);
        }
    }
}
