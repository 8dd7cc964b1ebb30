//! A sink that fails for a while under a steady rate: what is lost, what comes twice, and how long after its
//! return everything is there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use crate::arguments::Outage;
use crate::contestant::{Contestant, Places};
use crate::course::Course;
use crate::delay::{START, bulk_courses, wait};
use crate::process::{Launch, Running};
use crate::sheet::Sheet;
use crate::sink::clock;
use crate::sink::server::{Health, Server};
use crate::sink::tally::{Tally, Watch};
use crate::steady::{self, Templates};
use crate::track;

const NS: u64 = 1_000_000_000;

/// Runs the measure with all contestants that tail.
pub(crate) fn run(outage: &Outage) -> io::Result<()> {
    let options = &outage.options;
    let contestants = track::prepare(options)?;
    let how = format!("{:?}", outage.how).to_lowercase();
    let mut sheet = Sheet {
        name: "outage",
        title: format!("outage of the sink ({how}) for {} s at {} MB/s", outage.outage, outage.rate),
        columns: &["recovered after s", "lost", "twice", "resent", "peak MiB"],
        rows: Vec::new(),
    };
    for course in bulk_courses(options)? {
        for contestant in contestants.iter().filter(|one| one.tails()) {
            for _ in 0..options.runs {
                if let Some(figures) = once(contestant, course, outage)? {
                    sheet.add(course.name, contestant.name, figures)?;
                }
            }
        }
    }
    sheet.finish(options, &contestants, 0)
}

fn once(contestant: &Contestant, course: &Course, outage: &Outage) -> io::Result<Option<Vec<f64>>> {
    let options = &outage.options;
    let templates = Templates::new(course.kind, options);
    let rate = outage.rate * 1e6 / templates.event_bytes();
    let events = (rate * (outage.outage + 2 * outage.around) as f64) as usize;
    let work = track::work(options, &format!("{}-{}-outage", contestant.name, course.name))?;
    let mut files = steady::files(&options.spec(course.kind), &work)?;
    let tally = Arc::new(Tally::new(&steady::expected(events), Watch { whole: false, arrivals: true }));
    let server = Server::start(tally.clone())?;
    let out = work.join("out");
    let places = Places { data: &work, work: &work, out: &out, port: server.port() };
    let Some(command) = contestant.command(course, &places)? else { return Ok(None) };
    let running = Running::start(Launch { command, cores: track::cores(options) }, &work.join("output"))?;
    thread::sleep(START);
    let start = clock::now();
    let (down, up) = (start + outage.around * NS, start + (outage.around + outage.outage) * NS);
    let mut health = Health::Up;
    let sent = steady::write(&templates, &mut files, events, rate, |now| {
        let wanted = if (down..up).contains(&now) { outage.how } else { Health::Up };
        if wanted != health {
            health = wanted;
            server.set_health(health);
        }
    })?;
    server.set_health(Health::Up);
    wait(&tally, options);
    let (usage, _) = running.end()?;
    // Everything that was written before the sink was back.
    let held = sent.iter().take_while(|at| **at < up).count();
    let last = (0..held as u32)
        .map(|number| tally.arrival(number))
        .try_fold(up, |last, at| (at > 0).then(|| last.max(at)));
    let delivered = tally.delivered.load(Relaxed);
    Ok(Some(vec![
        last.map_or(f64::INFINITY, |last| (last - up) as f64 / 1e9),
        events as f64 - delivered as f64,
        tally.duplicated.load(Relaxed) as f64,
        tally.repeated.load(Relaxed) as f64,
        usage.peak_bytes as f64 / 1_048_576.0,
    ]))
}
