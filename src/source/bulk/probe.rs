//! What clients ask before they send, and what is said to that.
//!
//! Read off what they do at their start: Beats ask `GET /`, `_license`, for ILM policies, templates and data streams;
//! Logstash `HEAD /`, `GET /`, `_license`, `_xpack`, templates; Vector `GET /` and `_cluster/health`; rsyslog
//! `HEAD /_cat/health`; Fluentd `GET /` and templates.

use super::answer::{decoded, error, json};
use crate::source::listener::{Answer, Head};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A `_bulk` request, with the index of its path.
    Bulk(Option<String>),
    /// A thing that a client wants to install.
    Install,
    /// Anything else.
    Answer(Answer),
}

/// Things that a client looks for and installs where they are missing.
const INSTALLED: &[&str] =
    &["_template", "_index_template", "_component_template", "_ilm", "_ingest", "_data_stream"];

/// Finds out what a request is.
pub(super) fn route(head: &Head, version: &str) -> Route {
    let parts: Vec<_> = head.path.split('/').filter(|part| !part.is_empty()).collect();
    let looks = matches!(head.method.as_str(), "GET" | "HEAD");
    let writes = matches!(head.method.as_str(), "POST" | "PUT");
    match (parts.as_slice(), looks) {
        (["_bulk"], false) if writes => Route::Bulk(None),
        // A type behind the index is what clients of old versions write.
        ([index, "_bulk"] | [index, _, "_bulk"], false) if writes && !index.starts_with('_') => {
            Route::Bulk(Some(decoded(index)))
        }
        ([], true) => Route::Answer(json(200, node(version))),
        (["_license"], true) => Route::Answer(json(200, LICENSE)),
        (["_xpack"], true) => Route::Answer(json(200, XPACK)),
        (["_cluster", "health", ..], true) => Route::Answer(json(200, HEALTH)),
        (["_cat", "health"], true) => Route::Answer(json(200, CAT_HEALTH)),
        ([what, .., name], _) if INSTALLED.contains(what) && looks => {
            Route::Answer(json(200, known(what, name)))
        }
        ([what, ..], _) if INSTALLED.contains(what) && writes => Route::Install,
        // An index that is asked for is there: whatever is written to it is taken.
        ([index], true) if !index.starts_with('_') => Route::Answer(json(200, "{}")),
        _ => {
            let reason =
                format!("{} {}: aludel takes _bulk requests and nothing else", head.method, head.path);
            Route::Answer(error(404, "illegal_argument_exception", &reason))
        }
    }
}

const LICENSE: &str = r#"{"license":{"status":"active","uid":"00000000-0000-0000-0000-000000000000","type":"basic","issued_to":"aludel","issuer":"aludel","max_nodes":1}}"#;
const XPACK: &str = r#"{"license":{"uid":"00000000-0000-0000-0000-000000000000","type":"basic","mode":"basic","status":"active"},"features":{}}"#;
const HEALTH: &str = r#"{"cluster_name":"aludel","status":"green","timed_out":false,"number_of_nodes":1,"number_of_data_nodes":1,"active_primary_shards":0,"active_shards":0,"relocating_shards":0,"initializing_shards":0,"unassigned_shards":0}"#;
const CAT_HEALTH: &str = r#"[{"cluster":"aludel","status":"green","node.total":"1","node.data":"1"}]"#;

/// What a node says of itself.
fn node(version: &str) -> String {
    format!(
        "{{\"name\":\"aludel\",\"cluster_name\":\"aludel\",\"cluster_uuid\":\"aludel\",\"version\":{{\"number\":\"{version}\",\
         \"build_flavor\":\"default\",\"build_type\":\"tar\",\"build_hash\":\"aludel-{}\",\
         \"build_date\":\"2026-01-01T00:00:00.000000000Z\",\"build_snapshot\":false,\"lucene_version\":\"10.2.2\",\
         \"minimum_wire_compatibility_version\":\"8.19.0\",\"minimum_index_compatibility_version\":\"8.0.0\"}},\
         \"tagline\":\"You Know, for Search\"}}",
        env!("CARGO_PKG_VERSION")
    )
}

/// A thing that is said to be installed, so that the client leaves it alone.
fn known(what: &str, name: &str) -> String {
    let mut quoted = Vec::new();
    crate::event::write_string(&decoded(name), &mut quoted);
    let name = String::from_utf8_lossy(&quoted);
    match what {
        "_index_template" => {
            format!(
                "{{\"index_templates\":[{{\"name\":{name},\"index_template\":{{\"index_patterns\":[],\"composed_of\":[]}}}}]}}"
            )
        }
        "_component_template" => {
            format!(
                "{{\"component_templates\":[{{\"name\":{name},\"component_template\":{{\"template\":{{}}}}}}]}}"
            )
        }
        "_data_stream" => {
            format!("{{\"data_streams\":[{{\"name\":{name},\"indices\":[],\"generation\":1}}]}}")
        }
        _ => format!("{{{name}:{{}}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(method: &str, path: &str) -> Route {
        route(&Head { method: method.into(), path: path.into(), ..Head::default() }, "9.1.0")
    }

    #[test]
    fn what_clients_ask_is_answered() {
        for path in [
            "/",
            "/_license",
            "/_xpack",
            "/_cluster/health",
            "/_cluster/health/logs-*",
            "/_cat/health",
            "/_index_template/filebeat",
            "/_template/logstash",
            "/_ilm/policy/filebeat",
            "/_data_stream/filebeat-9.1.0",
            "/_component_template/logs%40mappings",
            "/_ingest/pipeline/x",
            "/logs-a-b",
        ] {
            for method in ["GET", "HEAD"] {
                let Route::Answer(answer) = said(method, path) else { panic!("{path}") };
                assert_eq!(answer.status, 200, "{path}");
                assert!(answer.headers.contains(&("x-elastic-product", "Elasticsearch".to_owned())));
                serde_json::from_slice::<serde_json::Value>(&answer.body).expect(path);
            }
        }
        assert_eq!(said("PUT", "/_index_template/filebeat"), Route::Install);
        assert_eq!(said("PUT", "/_ilm/policy/filebeat"), Route::Install);
        for (method, path) in [
            ("GET", "/_search"),
            ("POST", "/logs/_search"),
            ("GET", "/_bulk"),
            ("DELETE", "/logs"),
            ("PUT", "/logs"),
        ] {
            let Route::Answer(answer) = said(method, path) else { panic!("{path}") };
            assert_eq!(answer.status, 404, "{path}");
        }
    }

    #[test]
    fn an_index_may_be_in_the_path() {
        assert_eq!(said("POST", "/_bulk"), Route::Bulk(None));
        assert_eq!(said("PUT", "/logs-a%2Db/_bulk"), Route::Bulk(Some("logs-a-b".into())));
        assert_eq!(said("POST", "/system/events/_bulk"), Route::Bulk(Some("system".into())));
    }
}
