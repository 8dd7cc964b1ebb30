//! What the process knows of itself: counters that workers add to once per batch, and the pages that show them.

mod admin;
mod metrics;
mod stats;

pub use admin::{Admin, Health};
pub use metrics::openmetrics;
pub(crate) use stats::count;
pub use stats::{
    AccountStats, FormatCount, LetterStats, PipelineStats, SinkStats, Snapshot, SourceStats, Stats,
};
