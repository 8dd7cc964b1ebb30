//! The whole product on a virtual disk, clock and network, from a seed: programs write and rotate logs, the sources read,
//! workers parse, the sinks ship over a network and to a disk that misbehave, the process is killed between any two
//! operations, and starts again. In the end every line is where it belongs, once, or accounted for.
//!
//! In: a compiled pipeline file ([`Subject`]) and a seed. Out: what is wrong ([`Outcome`]), always the same for the
//! same seed, so that a failing seed is a test case. It steps the very parts that [`crate::run`] opens; only threads
//! and channels are its own ([`process`]). `token.rs` is the smallest part; begin there.
//!
//! A new sink is plugged in by a [`Destination`](subject::Destination) and how rows are read back from it
//! ([`read_back`]); one behind a protocol of its own also needs its other side, as [`cluster`] is. A new source needs
//! a [`Feed`](subject::Feed) and programs that write to it ([`writers`]).

mod alerts;
mod check;
mod cluster;
mod lines;
mod process;
mod read_back;
mod scenario;
mod story;
mod subject;
mod suite;
mod token;
mod trace;
mod truth;
mod writers;

pub use scenario::{Expected, Outcome, expectations, simulate};
pub use subject::{Subject, embedded};
pub use suite::{Failure, Suite, Tally, is_repeatable, one};
