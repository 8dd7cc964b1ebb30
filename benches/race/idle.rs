//! What tailing files costs that nobody writes to: processor, and memory.

use std::fs;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::arguments::Idle;
use crate::contestant::{Contestant, Places};
use crate::course::Course;
use crate::delay::{bulk_courses, wait};
use crate::process::{Launch, Running};
use crate::sheet::Sheet;
use crate::sink::clock;
use crate::sink::expect::Expected;
use crate::sink::server::Server;
use crate::sink::tally::{Tally, Watch};
use crate::track;
use crate::workload::{Spec, generate};

/// What a contestant gets to settle in, after the last event.
const SETTLE: Duration = Duration::from_secs(5);

/// Runs the measure with all contestants that tail.
pub(crate) fn run(idle: &Idle) -> io::Result<()> {
    let options = &idle.options;
    let contestants = track::prepare(options)?;
    let mut sheet = Sheet {
        name: "idle",
        title: format!("files that nobody writes to, for {} s", idle.seconds),
        columns: &["CPU % of a core", "resident MiB", "first look s", "lost"],
        rows: Vec::new(),
    };
    for course in bulk_courses(options)?.into_iter().take(1) {
        for count in &idle.idle_files {
            for contestant in contestants.iter().filter(|one| one.tails()) {
                for _ in 0..options.runs {
                    if let Some(figures) = once(contestant, course, idle, *count)? {
                        sheet.add(&format!("{count} files"), contestant.name, figures)?;
                    }
                }
            }
        }
    }
    sheet.finish(options, &contestants, 0)
}

fn once(contestant: &Contestant, course: &Course, idle: &Idle, files: usize) -> io::Result<Option<Vec<f64>>> {
    let options = &idle.options;
    // A quarter of a KiB: a line or two in each file.
    let spec = Spec { kib: files.div_ceil(4), files, ..options.spec(course.kind) };
    let data = fs::canonicalize(generate(&spec, &options.out.join("data"))?)?;
    let expected = Expected::scan(&data)?;
    let work = track::work(options, &format!("{}-{}-idle", contestant.name, course.name))?;
    let tally = Arc::new(Tally::new(&expected, Watch::default()));
    let server = Server::start(tally.clone())?;
    let out = work.join("out");
    let places = Places { data: &data, work: &work, out: &out, port: server.port() };
    let Some(command) = contestant.command(course, &places)? else { return Ok(None) };
    let mut running = Running::start(Launch { command, cores: track::cores(options) }, &work.join("output"))?;
    wait(&tally, options);
    let looked = clock::now() - running.started;
    thread::sleep(SETTLE);
    let (before, start) = (running.usage(), clock::now());
    thread::sleep(Duration::from_secs(idle.seconds));
    let (after, end) = (running.usage(), clock::now());
    running.end()?;
    Ok(Some(vec![
        (after.cpu_ns - before.cpu_ns) as f64 / (end - start) as f64 * 100.0,
        after.resident_bytes as f64 / 1_048_576.0,
        looked as f64 / 1e9,
        tally.missing(usize::MAX).len() as f64,
    ]))
}
