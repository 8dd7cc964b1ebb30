//! Detectors that keep state: how often a key comes, how often it fails, with how many different values.
//!
//! In: observations, made on the workers by the step `detect` ([`Seen`]), with times, ids and keys. Out: alerts, each
//! once. An [`Engine`] owns the state of one pipeline; it sees no clock and no file, and the sink
//! [`alerts`](crate::sink::alerts) drives it. Begin with `machine.rs`; `gcra.rs` and `window.rs` are what it counts
//! with.

mod alert;
pub mod bytes;
mod engine;
pub mod gcra;
mod machine;
mod observation;
mod rule;
mod window;

pub use alert::Alert;
pub use engine::Engine;
pub use observation::{Observation, Seen, Sign, write_record};
pub use rule::{KINDS, Rule, kind};

#[cfg(test)]
mod tests;
