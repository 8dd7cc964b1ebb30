//! Runs a compiled plan: readers, workers, outlets and the settler, on threads or, in the simulation, on one.
//!
//! Each part is a state machine that is stepped and never waits: [`Reader`] fills batches, [`Worker`] turns a
//! batch into bodies, [`Outlet`] drives a sink, [`Settler`] keeps what is settled. [`engine`] gives each a thread
//! and joins them by channels whose weight is bounded by the [`budget`].

pub mod budget;
mod catch_up;
mod engine;
mod facts;
pub mod lag;
mod letters;
mod originals;
mod outlet;
mod parts;
mod reader;
mod settler;
mod wake;
mod watch;
mod worker;

pub use catch_up::{CatchUp, Caught};
pub use engine::{Engine, Settings};
pub use letters::{Ask, Draft, Letter, Letters};
pub use outlet::{Outlet, Stepped};
pub use parts::{Deliveries, Parts, Waker, gap};
pub use reader::{Job, Read, Reader};
pub use settler::{Ledger, Message, Opened, Settler};
pub use worker::{Outcome, Unsent, Worker};
