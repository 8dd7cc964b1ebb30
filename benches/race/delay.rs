//! From the write of a line to its arrival at the sink, at a steady rate.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crate::arguments::{Options, Steady};
use crate::contestant::{Contestant, Places};
use crate::course::{Course, Goal};
use crate::process::{Launch, Running};
use crate::sheet::Sheet;
use crate::sink::clock;
use crate::sink::server::Server;
use crate::sink::tally::{Tally, Watch};
use crate::steady::{self, Templates};
use crate::{throughput, track};

/// What a contestant gets to start in, before the first line.
pub(crate) const START: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(10);

/// Runs the measure with all contestants; the ceiling tails nothing.
pub(crate) fn run(steady: &Steady) -> io::Result<()> {
    let options = &steady.options;
    let contestants = track::prepare(options)?;
    let mut sheet = Sheet {
        name: "delay",
        title: format!("delay from write to sink, {} s at a steady rate", steady.seconds),
        columns: &["p50 ms", "p99 ms", "most ms", "rate MB/s", "CPU % of a core", "lost", "twice"],
        rows: Vec::new(),
    };
    for course in bulk_courses(options)? {
        for contestant in contestants.iter().filter(|one| one.tails()) {
            let rate = match steady.rate {
                Some(rate) => Some(rate),
                None => throughput::pace(contestant, course, options)?.map(|pace| pace / 2.0),
            };
            let Some(rate) = rate.filter(|rate| *rate > 0.0) else { continue };
            for _ in 0..options.runs {
                let figures = once(contestant, course, steady, rate)?;
                sheet.add(course.name, contestant.name, figures)?;
            }
        }
    }
    sheet.finish(options, &contestants, 1)
}

/// The workloads that are asked for and go to the server, one line an event.
pub(crate) fn bulk_courses(options: &Options) -> io::Result<Vec<&'static Course>> {
    let named =
        |name: &String| Course::named(name).ok_or_else(|| io::Error::other(format!("no workload {name}")));
    let mut courses = options.workloads.iter().map(named).collect::<io::Result<Vec<_>>>()?;
    courses.retain(|course| course.goal == Goal::Bulk { whole: false });
    Ok(courses)
}

fn once(contestant: &Contestant, course: &Course, steady: &Steady, rate: f64) -> io::Result<Vec<f64>> {
    let options = &steady.options;
    let templates = Templates::new(course.kind, options);
    let events_per_second = rate * 1e6 / templates.event_bytes();
    let events = (events_per_second * steady.seconds as f64) as usize;
    let work = track::work(options, &format!("{}-{}-delay", contestant.name, course.name))?;
    let mut files = steady::files(&options.spec(course.kind), &work)?;
    let tally = Arc::new(Tally::new(&steady::expected(events), Watch { whole: false, arrivals: true }));
    let server = Server::start(tally.clone())?;
    let out = work.join("out");
    let places = Places { data: &work, work: &work, out: &out, port: server.port() };
    let Some(command) = contestant.command(course, &places)? else { return Ok(Vec::new()) };
    let mut running = Running::start(Launch { command, cores: track::cores(options) }, &work.join("output"))?;
    thread::sleep(START);
    let (before, start) = (running.usage(), clock::now());
    let sent = steady::write(&templates, &mut files, events, events_per_second, |_| {})?;
    let (after, end) = (running.usage(), clock::now());
    wait(&tally, options);
    running.end()?;
    let delays = delays(&tally, &sent);
    let at = |share: f64| delays.get(((delays.len() as f64 * share) as usize).min(delays.len().max(1) - 1));
    let ms = |share: f64| at(share).map_or(f64::NAN, |ns| *ns as f64 / 1e6);
    Ok(vec![
        ms(0.5),
        ms(0.99),
        ms(1.0),
        events as f64 * templates.event_bytes() / 1e6 / ((end - start) as f64 / 1e9),
        (after.cpu_ns - before.cpu_ns) as f64 / (end - start) as f64 * 100.0,
        (events - delays.len()) as f64,
        tally.duplicated.load(Relaxed) as f64,
    ])
}

/// Waits until all is there, or nothing has come for too long.
pub(crate) fn wait(tally: &Tally, options: &Options) {
    let (mut count, mut at) = (0, clock::now());
    while !tally.complete() && clock::now() - at < options.patience * 1_000_000_000 {
        let now = tally.delivered.load(Relaxed);
        if now > count {
            (count, at) = (now, clock::now());
        }
        thread::sleep(LOOK);
    }
}

/// The delays of what arrived, in nanoseconds, in order.
fn delays(tally: &Tally, sent: &[u64]) -> Vec<u64> {
    let arrived = sent.iter().enumerate().map(|(number, sent)| (tally.arrival(number as u32), *sent));
    let mut delays: Vec<u64> =
        arrived.filter(|(at, _)| *at > 0).map(|(at, sent)| at.saturating_sub(sent)).collect();
    delays.sort_unstable();
    delays
}
