//! Everything at once: what was delivered of files that are there already, and what it cost.

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crate::arguments::Options;
use crate::contestant::{Contestant, Places};
use crate::course::{Course, Goal};
use crate::process::{Launch, Running, Usage};
use crate::report::{Report, Result as Outcome};
use crate::sink::clock;
use crate::sink::expect::Expected;
use crate::sink::lines::{Growing, compare};
use crate::sink::rows;
use crate::sink::server::Server;
use crate::sink::tally::{Tally, most};
use crate::track;

/// How often a run is looked at. The last event is told at once, not at the next look.
const LOOK: Duration = Duration::from_millis(10);
/// How long after the last event something may still come twice.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// Runs all workloads with all contestants.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let contestants = track::prepare(options)?;
    let mut report = Report::default();
    for name in &options.workloads {
        let course =
            Course::named(name).ok_or_else(|| io::Error::other(format!("there is no workload {name}")))?;
        let data = track::data(options, course)?;
        let expected = Expected::scan(&data)?;
        report.course(course, &expected);
        // Runs of all contestants alternate, so that a busy minute of the machine hits all of them.
        for run in 0..options.runs {
            for contestant in &contestants {
                match race(contestant, course, options, &data, &expected)? {
                    Some(outcome) => report.add(course, contestant, run, outcome)?,
                    None if run == 0 => {
                        writeln!(io::stderr(), "{name} {}: no configuration, not raced", contestant.name)?;
                    }
                    None => {}
                }
            }
        }
        report.table(course)?;
    }
    writeln!(io::stdout(), "\nsyslog over TCP: not raced, aludel has no TCP source yet")?;
    report.write(options, &contestants)
}

/// MB per second that a contestant takes, from one run; `None` where it has no configuration.
pub(crate) fn pace(contestant: &Contestant, course: &Course, options: &Options) -> io::Result<Option<f64>> {
    let data = track::data(options, course)?;
    let expected = Expected::scan(&data)?;
    let outcome = race(contestant, course, options, &data, &expected)?;
    Ok(outcome.map(|outcome| outcome.pace(expected.bytes)))
}

/// One run of one contestant; `None` where it has no configuration for the workload.
fn race(
    contestant: &Contestant,
    course: &Course,
    options: &Options,
    data: &Path,
    expected: &Expected,
) -> io::Result<Option<Outcome>> {
    let work = track::work(options, &format!("{}-{}", contestant.name, course.name))?;
    heat(course, options, data, expected, &work, |places| contestant.command(course, places))
}

/// One run of a command, from its start until all has arrived.
pub(crate) fn heat(
    course: &Course,
    options: &Options,
    data: &Path,
    expected: &Expected,
    work: &Path,
    command: impl FnOnce(&Places<'_>) -> io::Result<Option<Command>>,
) -> io::Result<Option<Outcome>> {
    let out = match course.goal {
        Goal::Parquet => work.join("out.parquet"),
        _ => work.join("out.log"),
    };
    let tally = Arc::new(Tally::new(expected, course.watch()));
    tally.tell_me();
    let server = Server::start(tally.clone())?;
    let places = Places { data, work, out: &out, port: server.port() };
    let Some(command) = command(&places)? else { return Ok(None) };
    let mut running = Running::start(Launch { command, cores: track::cores(options) }, &work.join("output"))?;
    let watched = watch(&mut running, course, &tally, expected, &out, options)?;
    thread::sleep(AFTERWARDS);
    let started = running.started;
    let (total, well) = running.end()?;
    drop(server);
    if course.goal == Goal::Parquet {
        rows::count(&out, &tally)?;
    }
    let pace = match course.goal {
        Goal::Bulk { .. } => tally.most.load(Relaxed),
        _ => watched.most,
    };
    let mut outcome = Outcome {
        cpu_ns: watched.usage.cpu_ns,
        wall_ns: watched.at - started,
        pace_ns: pace.saturating_sub(started),
        peak_bytes: total.peak_bytes,
        total_cpu_ns: total.cpu_ns,
        first_ns: tally.first.load(Relaxed).saturating_sub(started),
        delivered: tally.delivered.load(Relaxed),
        lost: expected.events() - tally.delivered.load(Relaxed),
        duplicated: tally.duplicated.load(Relaxed),
        repeated: tally.repeated.load(Relaxed),
        strays: tally.strays.load(Relaxed),
        joined: tally.joined.load(Relaxed),
        torn: tally.torn.load(Relaxed),
        sent_bytes: tally.wire_bytes.load(Relaxed),
        requests: tally.requests.load(Relaxed),
        well,
    };
    if !matches!(course.goal, Goal::Bulk { .. }) {
        outcome.first_ns = 0;
    }
    if course.goal == Goal::File {
        let lines = compare(data, &out)?;
        outcome.delivered = lines.delivered;
        outcome.lost = lines.lost;
        outcome.duplicated = lines.duplicated;
        outcome.strays = lines.strays;
    }
    Ok(Some(outcome))
}

/// What was seen when the newest event arrived.
struct Watched {
    at: u64,
    /// When most of what must come had come, where the tally does not know.
    most: u64,
    usage: Usage,
}

/// Waits for the last event, for the end, or until nothing has come for too long.
fn watch(
    running: &mut Running,
    course: &Course,
    tally: &Tally,
    expected: &Expected,
    out: &Path,
    options: &Options,
) -> io::Result<Watched> {
    let mut growing = Growing::default();
    let mut seen = Watched { at: clock::now(), most: 0, usage: running.usage() };
    let mut count = 0;
    loop {
        let (now, complete) = match course.goal {
            Goal::Bulk { .. } => (tally.delivered.load(Relaxed), tally.complete()),
            Goal::File => {
                let lines = growing.read(out)?;
                (lines, lines >= expected.lines)
            }
            Goal::Parquet => (running.usage().cpu_ns, false),
        };
        let ended = running.ended();
        if now > count || complete || (ended && course.goal == Goal::Parquet) {
            count = now;
            seen = Watched { at: clock::now(), usage: running.usage(), ..seen };
            // Parquet files are published at the end.
            if course.goal == Goal::Parquet || (seen.most == 0 && count >= most(expected.lines)) {
                seen.most = seen.at;
            }
        }
        let quiet = clock::now() - seen.at > options.patience * 1_000_000_000;
        if complete || ended || quiet {
            return Ok(seen);
        }
        thread::park_timeout(LOOK);
    }
}
