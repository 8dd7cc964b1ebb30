//! The one clock of the race: nanoseconds since the process started.

use std::sync::LazyLock;
use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "the race measures this machine's time; nothing here is replayed"
)]
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the first call; never 0, which means «not yet».
pub(crate) fn now() -> u64 {
    START.elapsed().as_nanos() as u64 + 1
}
