//! Detectors that keep state: how often a key comes, how often it fails, with how many different values, how much of it
//! usually comes, and what a user usually does.
//!
//! In: observations, made on the workers by the step `detect` ([`Seen`]), with times, ids and keys. Out: alerts, each
//! once. An [`Engine`] owns the state of one pipeline; it sees no clock and no file, and the sink
//! [`alerts`](crate::sink::alerts) drives it. Begin with `machine.rs`; `rates.rs`, `windows.rs`, `flood.rs`
//! and `behaviour.rs` are what it counts with, `ends.rs` is how each says that something is over.

mod alert;
mod behaviour;
pub mod bytes;
mod ends;
mod engine;
mod flood;
pub mod gcra;
mod machine;
mod observation;
mod rates;
mod rule;
mod traits;
mod window;
mod windows;

pub use alert::{Alert, State};
pub use engine::{Counts, Engine};
pub use observation::{Observation, Seen, Sign, write_record};
pub use rule::{KINDS, Rule, keeps_profiles, kind, names_sources};
pub use traits::{Aspect, Traits};

#[cfg(test)]
mod tests;
