//! The options of a spool, for the signatures of sources that have one.

use crate::event::Options;
use crate::limits::SPOOL_BYTES_MIN;
use crate::signature::{OptionSpec, OptionType};
use crate::spool::{Limit, WhenFull};

/// Options that every spooled source takes, read by [`limit`].
pub const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "spool",
        ty: OptionType::Size,
        default: Some("1GiB"),
        doc: "How large the spool of this source may become on disk, at least 1 MiB. What comes in is made durable there before it is answered, and leaves it when every required sink has settled it.",
    },
    OptionSpec {
        name: "when_full",
        ty: OptionType::Word(&["block", "drop_oldest"]),
        default: Some("block"),
        doc: "What happens when the spool is full. `block` takes in nothing more, so that the peer has to wait. `drop_oldest` removes what has waited longest, which is counted and reported as a gap.",
    },
];

/// Reads the options of a spool. The error is a sentence that names the option.
pub fn limit(options: &Options) -> Result<Limit, String> {
    let bytes = options.int("spool").unwrap_or(1 << 30);
    let bytes = u64::try_from(bytes).unwrap_or(0);
    if bytes < SPOOL_BYTES_MIN {
        return Err(format!("spool is at least {SPOOL_BYTES_MIN} bytes (1MiB), not {bytes}"));
    }
    let when_full = match options.text("when_full") {
        None | Some("block") => WhenFull::Block,
        Some("drop_oldest") => WhenFull::DropOldest,
        Some(other) => return Err(format!("when_full is block or drop_oldest, not `{other}`")),
    };
    Ok(Limit { bytes, when_full })
}

/// A source's own options with those of its spool: `N` is the length of both together.
pub const fn with_spool<const N: usize>(own: &[OptionSpec]) -> [OptionSpec; N] {
    let mut all = [OPTIONS[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < own.len() { own[at] } else { OPTIONS[at - own.len()] };
        at += 1;
    }
    all
}
