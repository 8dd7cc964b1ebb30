//! Pipeline steps, one per file, and how they are run over a row.
//!
//! In: a row, as parse and the steps before left it. Out: the row changed in place, or where it goes instead
//! ([`Flow`]). A step is shared by all workers and never sees a clock, a file or another row; what it counts and
//! where it works is in the worker's [`Context`]. A step that fails leaves the row as it was.
//! `drop.rs` is the smallest; begin there.

mod alarm;
mod block;
mod detect;
mod drop;
mod enrich;
mod keep;
mod r#match;
mod observe;
mod parse;
mod redact;
mod reject;
mod remove;
mod rename;
mod set;
mod threat;
mod to;
mod unroll;
mod when;

use crate::event::{Row, Value};
use crate::format::Fields;
use crate::signature::Signature;

pub use block::Block;
pub use detect::Detect;
pub use drop::Drop;
pub use enrich::{Enrich, Looked};
pub use keep::Keep;
pub use r#match::Match;
pub use observe::{Observe, Traits};
pub use parse::{Counts, FormatCounts, Parse};
pub use redact::Redact;
pub use reject::Reject;
pub use remove::Remove;
pub use rename::Rename;
pub use set::Set;
pub use threat::Threat;
pub use to::To;
pub use unroll::Unroll;
pub use when::When;

/// The steps of the language, in the order of the documentation.
pub static SIGNATURES: &[&Signature] = &[
    &parse::SIGNATURE,
    &enrich::SIGNATURE,
    &detect::SIGNATURE,
    &unroll::SIGNATURE,
    &redact::SIGNATURE,
    &set::SIGNATURE,
    &rename::SIGNATURE,
    &remove::SIGNATURE,
    &keep::SIGNATURE,
    &drop::SIGNATURE,
    &reject::SIGNATURE,
    &when::SIGNATURE,
    &r#match::SIGNATURE,
    &to::SIGNATURE,
];

/// The number of a reason in the plan's list; reasons are counted, shown and kept with dead letters.
pub type ReasonId = u16;

/// What becomes of a row after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Next,
    /// It is dropped and counted.
    Drop(ReasonId),
    /// It goes to the dead letters.
    Reject(ReasonId),
}

/// One step of a plan.
pub trait Step: Send + Sync {
    /// Changes the row, or says where it goes instead.
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow;
}

/// Takes rows as they are at a `to`: given by the runner.
pub trait Emit {
    /// Encodes the row for a sink, by its number in the plan.
    fn emit(&mut self, sink: usize, row: &mut Row);
    /// What a stateful detector would count of the event, for the sink that owns its state; nothing where the event
    /// does not count.
    fn observe(&mut self, _sink: usize, _row: &mut Row, _seen: Option<&[u8]>) {}
    /// The event is to become so many. False where ids have not as many numbers.
    fn unroll(&mut self, _items: usize) -> bool {
        true
    }
    /// What comes now is the item of this number, counted from 0.
    fn item(&mut self, _number: usize) {}
    /// What became of that item, and why a `parse` refused it, if one did.
    fn item_done(&mut self, _flow: Flow, _refused: Option<&'static str>) {}
}

/// What a step may use beside the row.
pub struct Context<'a> {
    /// Where `to` sends rows.
    pub outputs: &'a mut dyn Emit,
    /// The worker's buffers and counts.
    pub work: &'a mut Work,
}

/// Buffers and counts of one worker and plan, used again for every row.
#[derive(Debug, Default)]
pub struct Work {
    /// What formats took and refused, to be gathered by the runner.
    pub counts: Counts,
    /// What enrichers look things up in, as it is for this batch.
    pub held: crate::lookup::Held,
    /// What detectors work with.
    detect: detect::Desk,
    /// What values are looked up in lists with.
    threat: crate::detect::threat::Desk,
    /// What stateful detectors write their observations with.
    observe: observe::Desk,
    /// Fields of the parse that is going on.
    fields: Fields,
    /// Why the formats of that parse refused the text so far.
    reasons: Vec<&'static str>,
    /// What `auto` told the text of the last `parse` as.
    told: Option<&'static str>,
    /// Values that a step has read and not yet written.
    values: Vec<Option<Value>>,
}

impl Work {
    /// Forgets why an earlier `parse` refused its text.
    pub(crate) fn forget(&mut self) {
        self.reasons.clear();
    }

    /// What `auto` told the text of the last `parse` as, and forgets it.
    pub fn take_told(&mut self) -> Option<&'static str> {
        self.told.take()
    }

    /// Why the first format of the last `parse` refused the text, if none took it.
    pub fn refused(&self) -> Option<&'static str> {
        self.reasons.first().copied()
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
