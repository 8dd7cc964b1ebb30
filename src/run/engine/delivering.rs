//! The thread of a sink.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, select};

use super::{REST, Shared};
use crate::limits::TROUBLE_EVERY;
use crate::observe::{Stats, count};
use crate::run::outlet::Outlet;
use crate::run::settler::Message;
use crate::seam::Clock;
use crate::sink::{Body, Next};

#[expect(clippy::too_many_arguments, reason = "what a thread is given, once")]
pub(super) fn deliver(
    index: usize,
    mut outlet: Outlet,
    bodies: &Receiver<Body>,
    wake: &Receiver<()>,
    settler: &Sender<Message>,
    shared: &Shared,
    stats: &Stats,
    clock: &dyn Clock,
) {
    let (mut open, mut concludes) = (true, shared.awaits_others);
    let mut next = Next::Idle;
    // The trouble that was told, until it is over, and when.
    let (mut told, mut told_at) = (false, None::<Duration>);
    loop {
        let wait = match next {
            Next::Again => Duration::ZERO,
            Next::At(at) => at.saturating_sub(clock.monotonic()),
            Next::Idle => Duration::from_secs(3600),
            Next::Done => {
                // Before it was closed: the reader of standard output has left, which ends the run.
                if open {
                    shared.stop.store(true, Ordering::Release);
                }
                return;
            }
        };
        let wait = if concludes { wait.min(REST) } else { wait };
        let offer = |outlet: &mut Outlet, body: Body| {
            stats.lock().sinks[index].1.bytes += body.payload_bytes() as u64;
            outlet.offer(body, clock.monotonic());
        };
        if open {
            select! {
                recv(bodies) -> body => match body {
                    Ok(body) => offer(&mut outlet, body),
                    Err(_) => {
                        open = false;
                        if !shared.is_stopped() {
                            outlet.conclude();
                        }
                        outlet.close();
                    }
                },
                recv(wake) -> _ => {}
                default(wait) => {}
            }
            while let Ok(body) = bodies.try_recv() {
                offer(&mut outlet, body);
            }
        } else if next != Next::Again {
            let _ = wake.recv_timeout(wait);
        }
        let stepped = outlet.step(clock.monotonic());
        next = stepped.next;
        if concludes && shared.others_settled.load(Ordering::Acquire) && outlet.conclude() {
            concludes = false;
            shared.concluded.fetch_add(1, Ordering::AcqRel);
        }
        shared.bodies[index].release(stepped.released);
        let now = clock.monotonic();
        match &stepped.trouble {
            Some(trouble) if !told && told_at.is_none_or(|at| now >= at + TROUBLE_EVERY) => {
                shared.warn(format!("sink {}: {trouble}", stats.lock().sinks[index].0));
                (told, told_at) = (true, Some(now));
            }
            None if std::mem::take(&mut told) => {
                shared.warn(format!("sink {} delivers again", stats.lock().sinks[index].0));
            }
            _ => {}
        }
        for warning in stepped.warnings {
            shared.warn(warning);
        }
        for (field, rows) in stepped.set_aside {
            count(&mut stats.lock().sinks[index].1.set_aside, &field, rows);
        }
        if !stepped.rules.is_empty() {
            stats.lock().sinks[index].1.rules = stepped.rules.into_iter().collect();
        }
        report(index, &stepped.settled, stepped.trouble, stats);
        for settled in stepped.settled {
            if settler.send(Message::Settled { sink: index, settled }).is_err() {
                return;
            }
        }
    }
}

fn report(index: usize, settled: &[crate::sink::Settled], trouble: Option<String>, stats: &Stats) {
    let mut stats = stats.lock();
    let (_, stats) = &mut stats.sinks[index];
    stats.trouble = trouble;
    for settled in settled {
        stats.delivered += u64::from(settled.delivered);
        stats.repeated += u64::from(settled.repeated);
        for (rejection, _) in &settled.rejected {
            count(&mut stats.rejected, rejection.kind(), 1);
        }
    }
}
