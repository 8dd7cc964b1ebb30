//! Answers in Elasticsearch's form.

use crate::event::write_string;
use crate::source::listener::Answer;

use super::parse::{Item, Refused};

const JSON: &str = "application/json";

/// An answer with the header by which clients know Elasticsearch.
pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer::new(status, JSON, body).with("x-elastic-product", "Elasticsearch")
}

/// An error about a request as a whole.
pub(super) fn error(status: u16, kind: &str, reason: &str) -> Answer {
    let cause = cause(kind, reason);
    json(
        status,
        format!(
            "{{\"error\":{{\"root_cause\":[{cause}],{}}},\"status\":{status}}}",
            cause.trim_matches(['{', '}'])
        ),
    )
}

/// A type and a reason.
fn cause(kind: &str, reason: &str) -> String {
    let mut out = b"{\"type\":".to_vec();
    write_string(kind, &mut out);
    out.extend_from_slice(b",\"reason\":");
    write_string(reason, &mut out);
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

/// What a client wants of an answer: the parameter `filter_path`.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    only: Vec<Vec<String>>,
    without: Vec<Vec<String>>,
}

/// Patterns of one request that are looked at.
const PATTERNS_MAX: usize = 32;

impl Wanted {
    /// Reads the query of a request.
    pub(super) fn of_query(query: &str) -> Self {
        let mut wanted = Self::default();
        let value = query.split('&').filter_map(|pair| pair.strip_prefix("filter_path=")).next_back();
        let text = decoded(value.unwrap_or_default());
        for pattern in text.split(',').filter(|pattern| !pattern.is_empty()).take(PATTERNS_MAX) {
            let (list, pattern) = match pattern.strip_prefix('-') {
                Some(pattern) => (&mut wanted.without, pattern),
                None => (&mut wanted.only, pattern),
            };
            list.push(pattern.split('.').map(str::to_owned).collect());
        }
        wanted
    }

    fn has(&self, path: &[&str]) -> bool {
        let fits = |list: &[Vec<String>]| list.iter().any(|pattern| begins(path, pattern));
        (self.only.is_empty() || fits(&self.only)) && !fits(&self.without)
    }
}

/// Whether a pattern fits a path or one above it.
fn begins(path: &[&str], pattern: &[String]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if first == "**" {
        return (0..=path.len()).any(|at| begins(&path[at..], rest));
    }
    path.split_first().is_some_and(|(name, below)| is_like(name, first) && begins(below, rest))
}

/// Whether a name fits a pattern with at most one star, which is all that clients write.
fn is_like(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

/// Text of a URL.
pub(super) fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        rest = after;
        if byte == b'%'
            && let Some((&[high, low], after)) = after.split_first_chunk::<2>()
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            out.push(high * 16 + low);
            rest = after;
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The answer to a body: of each item what became of it, `ids` in the same order.
pub(super) fn items(items: &[Item<'_>], ids: &[String], wanted: &Wanted) -> Answer {
    let mut out = Members(b"{".to_vec());
    let errors = items.iter().any(|item| item.source.is_err());
    out.add(wanted.has(&["errors"]), "errors", if errors { "true" } else { "false" });
    // The time is that of the fsync, which is still to come.
    out.add(wanted.has(&["took"]), "took", "0");
    let mut list = Vec::new();
    for (item, id) in items.iter().zip(ids) {
        let object = one(item, id, wanted);
        if object.len() > 2 {
            list.push(format!("{{\"{}\":{object}}}", item.verb.word()));
        }
    }
    out.add(!list.is_empty(), "items", &format!("[{}]", list.join(",")));
    json(200, out.close())
}

fn one(item: &Item<'_>, id: &str, wanted: &Wanted) -> String {
    let has = |name: &str| wanted.has(&["items", item.verb.word(), name]);
    let has_below = |name: &str, below: &str| wanted.has(&["items", item.verb.word(), name, below]);
    let mut out = Members(b"{".to_vec());
    out.add(has("_index"), "_index", &quoted(&item.index));
    out.add(has("_id"), "_id", &quoted(id));
    let (status, kind, reason) = match &item.source {
        Ok(_) => {
            out.add(has("_version"), "_version", "1");
            out.add(has("result"), "result", "\"created\"");
            let shards = "{\"total\":1,\"successful\":1,\"failed\":0}";
            out.add(has("_shards"), "_shards", shards);
            out.add(has("_seq_no"), "_seq_no", "0");
            out.add(has("_primary_term"), "_primary_term", "1");
            out.add(has("status"), "status", "201");
            return out.text();
        }
        Err(Refused::Document(fault)) => {
            (400, "document_parsing_exception", format!("the request's {fault}"))
        }
        Err(Refused::Unsupported(verb)) => {
            let verb = verb.word();
            let reason = format!(
                "aludel hands documents on and keeps none, so that it takes create and index, not {verb}"
            );
            (400, "illegal_argument_exception", reason)
        }
    };
    out.add(has("status"), "status", &status.to_string());
    let mut error = Members(b"{".to_vec());
    error.add(has_below("error", "type"), "type", &quoted(kind));
    error.add(has_below("error", "reason"), "reason", &quoted(&reason));
    let error = error.text();
    out.add(error.len() > 2, "error", &error);
    out.text()
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// An object while it is written.
struct Members(Vec<u8>);

impl Members {
    fn add(&mut self, wanted: bool, name: &str, value: &str) {
        if wanted {
            let comma = if self.0.len() > 1 { "," } else { "" };
            self.0.extend_from_slice(format!("{comma}\"{name}\":{value}").as_bytes());
        }
    }

    fn close(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.close()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bulk::parse;

    fn answer(body: &str, query: &str) -> String {
        let items_of = parse::items(body.as_bytes(), Some("logs-a-b"), 10).expect("items");
        let ids: Vec<_> = (0..items_of.len()).map(|number| format!("id{number}")).collect();
        String::from_utf8(items(&items_of, &ids, &Wanted::of_query(query)).body).expect("text")
    }

    #[test]
    fn each_item_has_its_answer() {
        let body = "{\"create\":{}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"x\"}}\n{\"index\":{}}\n{\n";
        let whole = answer(body, "refresh=false");
        assert_eq!(
            whole,
            concat!(
                r#"{"errors":true,"took":0,"items":[{"create":{"_index":"logs-a-b","_id":"id0","_version":1,"#,
                r#""result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1,"status":201}},"#,
                r#"{"delete":{"_index":"logs-a-b","_id":"id1","status":400,"error":{"type":"illegal_argument_exception","#,
                r#""reason":"aludel hands documents on and keeps none, so that it takes create and index, not delete"}}},"#,
                r#"{"index":{"_index":"logs-a-b","_id":"id2","status":400,"error":{"type":"document_parsing_exception","#,
                r#""reason":"the request's line 5, byte 1: EOF while parsing an object"}}}]}"#,
            )
        );
        serde_json::from_str::<serde_json::Value>(&whole).expect("JSON");
        assert_eq!(
            answer(body, "timeout=1m&filter_path=errors,items.*.status"),
            r#"{"errors":true,"items":[{"create":{"status":201}},{"delete":{"status":400}},{"index":{"status":400}}]}"#
        );
        assert_eq!(
            answer(body, "filter_path=errors%2Citems.*.error.type"),
            concat!(
                r#"{"errors":true,"items":[{"delete":{"error":{"type":"illegal_argument_exception"}}},"#,
                r#"{"index":{"error":{"type":"document_parsing_exception"}}}]}"#,
            )
        );
        assert_eq!(
            answer("{\"create\":{}}\n{}\n", "filter_path=errors,items.*.error"),
            r#"{"errors":false}"#
        );
        assert_eq!(answer("{\"create\":{}}\n{}\n", "filter_path=-items,-took"), r#"{"errors":false}"#);
        assert_eq!(
            answer("{\"create\":{}}\n{}\n", "filter_path=**.sta*"),
            r#"{"items":[{"create":{"status":201}}]}"#
        );
    }

    #[test]
    fn an_error_is_as_elasticsearch_says_it() {
        let answer = error(400, "parse_exception", "a \"b\"");
        assert_eq!(
            String::from_utf8(answer.body).expect("text"),
            concat!(
                r#"{"error":{"root_cause":[{"type":"parse_exception","reason":"a \"b\""}],"#,
                r#""type":"parse_exception","reason":"a \"b\""},"status":400}"#,
            )
        );
        assert_eq!(decoded("a%2Cb%zz%4"), "a,b%zz%4");
    }
}
