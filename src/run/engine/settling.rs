//! The thread of the settler.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crossbeam::channel::Receiver;

use super::Shared;
use crate::observe::Stats;
use crate::run::originals::Asking;
use crate::run::settler::{Ledger, Message, Settler};
use crate::run::wake::Wake;
use crate::run::watch::Watch;
use crate::seam::Clock;

/// How long the settler waits for original bytes, or room for letters, when nothing else can come.
const LETTERS_WAIT: Duration = Duration::from_millis(50);
/// How often settled ranges are made durable.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

pub(super) fn settle(
    mut settler: Settler,
    messages: &Receiver<Message>,
    shared: &Shared,
    wakes: &[Arc<Wake>],
    stats: &Stats,
    clock: &dyn Clock,
) -> Result<Ledger, String> {
    let _asking = Asking(&shared.originals, wakes);
    let mut watch = Watch::default();
    let mut flushed = clock.monotonic();
    loop {
        // Before the look at the queue: who ended has said all.
        let others_ended = shared.reading_others.load(Ordering::Acquire) == 0;
        let wait = (flushed + FLUSH_EVERY).saturating_sub(clock.monotonic());
        let ended = match messages.recv_timeout(wait) {
            Ok(message) => {
                let done = if let Message::Processed { sinks, .. } = &message { *sinks } else { 0 };
                settler.take(message, clock.now_unix_ns());
                shared.lags().done(done);
                false
            }
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => {
                if others_ended && !settler.has_open_of_others() {
                    shared.others_settled.store(true, Ordering::Release);
                }
                false
            }
            Err(crossbeam::channel::RecvTimeoutError::Disconnected) => true,
        };
        shared.originals.exchange(&mut settler, wakes);
        let now = clock.monotonic();
        if ended || now >= flushed + FLUSH_EVERY {
            flushed = now;
            let flushing = settler.flush();
            watch.look(&mut settler, stats, now).into_iter().for_each(|warning| shared.warn(warning));
            match flushing {
                Ok(lows) => {
                    look_at_lags(&settler, shared, wakes);
                    let mut shared = shared.lows.lock().unwrap_or_else(PoisonError::into_inner);
                    for (source, stream, low) in lows {
                        shared.entry(source).or_default().push((stream, low));
                        if let Some(wake) = wakes.get(source) {
                            wake.ring();
                        }
                    }
                }
                // Nothing is lost: the ranges stay dirty and are written with the next flush.
                Err(error) if !ended => {
                    let mut warnings = shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
                    warnings.push(format!("cannot write the cursor log, trying again: {error}"));
                }
                Err(error) => return Err(format!("cannot write the cursor log: {error}")),
            }
        }
        settler.warnings().into_iter().for_each(|warning| shared.warn(warning));
        if ended && (!settler.letters().is_waiting() || (shared.is_stopped() && settler.letters().is_full()))
        {
            return Ok(settler.ledger());
        }
        if ended {
            shared.originals.rest(LETTERS_WAIT);
        }
    }
}

/// A sink that was set apart and is done with all that it was offered may catch up.
fn look_at_lags(settler: &Settler, shared: &Shared, wakes: &[Arc<Wake>]) {
    let mut lags = shared.lags();
    let quiet: Vec<_> = lags.apart().filter(|sink| !settler.owes(*sink)).collect();
    for sink in &quiet {
        lags.quiet(*sink);
    }
    if !quiet.is_empty() {
        shared.turned.notify_all();
        wakes.iter().for_each(|wake| wake.ring());
    }
}
