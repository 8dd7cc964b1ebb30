//! Takes an Elasticsearch `_bulk` body apart: actions, and the documents that they are about.
//!
//! In: the bytes of a body, decompressed. Out: one item for each action, in order. A body whose lines cannot be told
//! apart is refused as a whole, as Elasticsearch does; a document that is no JSON is that item's fault alone.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::source::listener::body::{Fault, document, is_space, trim};

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Index,
    Update,
    Delete,
}

impl Verb {
    /// The word that it is written as.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One action of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) verb: Verb,
    /// The index or data stream: of the action, or of the request.
    pub(super) index: Cow<'a, str>,
    /// The document's id, where the client gave one.
    pub(super) id: Option<Cow<'a, str>>,
    /// Where the document is in the body, or why there is none to be taken.
    pub(super) source: Result<Range<usize>, Refused>,
}

/// Why an item is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The document is no JSON object.
    Document(Fault),
    /// It would change what is no longer here.
    Unsupported(Verb),
}

/// Why a body is not taken at all, in Elasticsearch's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) kind: &'static str,
    pub(super) reason: String,
}

fn illegal(reason: impl Into<String>) -> Malformed {
    Malformed { kind: "illegal_argument_exception", reason: reason.into() }
}

/// `{"create":{…}}`: what an action line may hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action<'a> {
    #[serde(borrow)]
    create: Option<Meta<'a>>,
    #[serde(borrow)]
    index: Option<Meta<'a>>,
    #[serde(borrow)]
    update: Option<Meta<'a>>,
    #[serde(borrow)]
    delete: Option<Meta<'a>>,
}

/// What is known of a document beside its bytes. Routing, pipelines and versions have no meaning here.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "_index")]
    index: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "_id")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    op_type: Option<Cow<'a, str>>,
}

/// The items of a body. `index` is that of the request's path. More than `items_max` are refused.
pub(super) fn items<'a>(
    body: &'a [u8],
    index: Option<&'a str>,
    items_max: usize,
) -> Result<Vec<Item<'a>>, Malformed> {
    let mut lines = Lines { body, at: 0, number: 0 };
    let mut items = Vec::new();
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            continue;
        }
        if items.len() == items_max {
            return Err(illegal(format!("more than {items_max} actions in one request")));
        }
        let (verb, meta) = action(&body[line], lines.number)?;
        let source = match verb {
            Verb::Delete => Err(Refused::Unsupported(verb)),
            _ => {
                let document = lines.next()?.ok_or_else(|| {
                    illegal(format!(
                        "Malformed action/metadata line [{}], no document behind it",
                        lines.number
                    ))
                })?;
                if verb == Verb::Update { Err(Refused::Unsupported(verb)) } else { object(body, document) }
            }
        };
        let index = match (meta.index, index) {
            (Some(own), _) => own,
            (None, Some(index)) => Cow::Borrowed(index),
            (None, None) => {
                let reason = format!("Validation Failed: {}: index is missing;", items.len() + 1);
                return Err(Malformed { kind: "action_request_validation_exception", reason });
            }
        };
        items.push(Item { verb, index, id: meta.id.and_then(id), source });
    }
    if items.is_empty() {
        return Err(Malformed { kind: "parse_exception", reason: "request body is required".into() });
    }
    Ok(items)
}

fn action(line: &[u8], number: usize) -> Result<(Verb, Meta<'_>), Malformed> {
    let wrong =
        |what: &dyn std::fmt::Display| illegal(format!("Malformed action/metadata line [{number}], {what}"));
    let action: Action<'_> = serde_json::from_slice(line).map_err(|error| wrong(&error))?;
    let mut verbs = [
        (Verb::Create, action.create),
        (Verb::Index, action.index),
        (Verb::Update, action.update),
        (Verb::Delete, action.delete),
    ]
    .into_iter()
    .filter_map(|(verb, meta)| Some((verb, meta?)));
    match (verbs.next(), verbs.next()) {
        (Some((Verb::Index, meta)), None) if meta.op_type.as_deref() == Some("create") => {
            Ok((Verb::Create, meta))
        }
        (Some(one), None) => Ok(one),
        _ => Err(wrong(&"expected one of create, index, update, delete")),
    }
}

/// An id is text; some clients write a number.
fn id(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok().map(Cow::<str>::Owned),
        text => Some(Cow::Borrowed(text)),
    }
}

fn object(body: &[u8], range: Range<usize>) -> Result<Range<usize>, Refused> {
    document(body, range.clone()).map_err(Refused::Document)?;
    if body[range.start] != b'{' {
        let reason = "a document is an object, and this is none";
        return Err(Refused::Document(Fault::at(body, range.start, reason)));
    }
    Ok(range)
}

struct Lines<'a> {
    body: &'a [u8],
    at: usize,
    number: usize,
}

impl Lines<'_> {
    /// The next line, without the space around it.
    fn next(&mut self) -> Result<Option<Range<usize>>, Malformed> {
        if self.at >= self.body.len() {
            return Ok(None);
        }
        let Some(len) = memchr(b'\n', &self.body[self.at..]) else {
            return Err(illegal("The bulk request must be terminated by a newline [\\n]"));
        };
        let line = trim(self.body, self.at..self.at + len, is_space);
        self.at += len + 1;
        self.number += 1;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn actions_and_documents_belong_together() {
        let body = concat!(
            "{\"create\":{\"_index\":\"logs-a-b\",\"_id\":\"x1\",\"routing\":\"r\"}}\n{\"a\":1}\n\n",
            "{ \"index\" : {} }\r\n {\"b\": 2}\r\n",
            "{\"update\":{\"_id\":7}}\n{\"doc\":{}}\n",
            "{\"delete\":{\"_index\":\"k\",\"_id\":\"d\\u0031\"}}\n",
            "{\"index\":{\"op_type\":\"create\"}}\n[1]\n",
            "{\"index\":{\"_id\":null}}\n{\"c\"}\n",
        );
        let found = items(body.as_bytes(), Some("pages"), 10).expect("items");
        let brief: Vec<_> = found
            .iter()
            .map(|item| {
                let source = match &item.source {
                    Ok(range) => body.get(range.clone()).expect("text").to_owned(),
                    Err(Refused::Document(fault)) => fault.to_string(),
                    Err(Refused::Unsupported(verb)) => format!("no {}", verb.word()),
                };
                format!("{} {} {} {source}", item.verb.word(), item.index, item.id.as_deref().unwrap_or("-"))
            })
            .collect();
        assert_eq!(
            brief,
            [
                "create logs-a-b x1 {\"a\":1}",
                "index pages - {\"b\": 2}",
                "update pages 7 no update",
                "delete k d1 no delete",
                "create pages - line 10, byte 1: a document is an object, and this is none",
                "index pages - line 12, byte 5: expected `:`",
            ]
        );
    }

    #[test]
    fn a_body_that_cannot_be_told_apart_is_refused() {
        for (body, wanted) in [
            ("", "request body is required"),
            ("{\"index\":{\"_index\":\"a\"}}\n{}", "must be terminated by a newline"),
            ("{\"index\":{\"_index\":\"a\"}}\n", "line [1], no document behind it"),
            ("{\"index\":{}}\n{}\n", "1: index is missing"),
            ("{\"a\":1}\n", "Malformed action/metadata line [1], unknown field `a`"),
            ("{}\n{}\n", "line [1], expected one of"),
            ("\n{\"index\":{\"_index\":\"a\"},\"create\":{}}\n{}\n", "line [2], expected one of"),
            ("[]\n", "Malformed action/metadata line [1]"),
        ] {
            let said = items(body.as_bytes(), None, 10).expect_err("must be refused").reason;
            assert!(said.contains(wanted), "{body:?}: {said}");
        }
        let many = "{\"index\":{}}\n{}\n".repeat(3);
        assert!(
            items(many.as_bytes(), Some("a"), 2)
                .expect_err("too many")
                .reason
                .contains("more than 2 actions")
        );
    }

    proptest! {
        /// No body makes it panic, and every document is in the body.
        #[test]
        fn no_body_panics(
            lines in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec!["{\"index\":{}}", "{\"create\":{\"_id\":1}}", "{\"delete\":{}}", "{}", "", "[", "{\"a\":{}}"])
                        .prop_map(|line| line.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..10),
                ],
                0..12,
            ),
        ) {
            let body = lines.join(&b'\n');
            if let Ok(found) = items(&body, Some("a"), 5) {
                for range in found.into_iter().filter_map(|item| item.source.ok()) {
                    prop_assert_eq!(body.get(range.start), Some(&b'{'));
                }
            }
        }
    }
}
