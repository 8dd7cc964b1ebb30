//! The Elasticsearch sink: on a virtual network from a seed, against a server that misbehaves, and against a real
//! Elasticsearch.

#[path = "support/bulk_server.rs"]
mod bulk_server;
#[path = "elasticsearch/rows.rs"]
mod rows;
#[path = "elasticsearch/sim.rs"]
mod sim;
#[path = "elasticsearch/wire.rs"]
mod wire;
