//! What counts: a server that answers `_bulk` as Elasticsearch does, and readers of the files that the other
//! workloads leave.
//!
//! In: what contestants send or write, and what was there to be sent ([`expect::Expected`]). Out: which events
//! arrived, how often, whole or not, and when. `marker.rs` is the smallest piece; begin there.

pub(crate) mod action;
pub(crate) mod answer;
pub(crate) mod clock;
pub(crate) mod expect;
pub(crate) mod http;
pub(crate) mod lines;
pub(crate) mod marker;
pub(crate) mod rows;
pub(crate) mod server;
pub(crate) mod tally;
