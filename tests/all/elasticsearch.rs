//! The Elasticsearch sink: on a virtual network from a seed, against a server that misbehaves, and against a real
//! Elasticsearch.

#[path = "support/bulk_server.rs"]
pub(crate) mod bulk_server;
#[path = "elasticsearch/mapping.rs"]
mod mapping;
#[path = "elasticsearch/opensearch.rs"]
mod opensearch;
#[path = "elasticsearch/real.rs"]
pub(crate) mod real;
#[path = "elasticsearch/rollover.rs"]
mod rollover;
#[path = "elasticsearch/rows.rs"]
mod rows;
#[path = "elasticsearch/setup.rs"]
mod setup;
#[path = "elasticsearch/sim.rs"]
mod sim;
#[path = "elasticsearch/wire.rs"]
mod wire;

/// Says loudly that a test could not run; where everything must run, fails.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "cannot run here: {why}");
    eprintln!("SKIPPED: {why}");
}
