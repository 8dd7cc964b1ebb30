//! What an event costs aludel when something grows: cores, files, bytes, fields, steps, rules, pipelines.
//!
//! One thing grows at a time, everything else is W1. `scaling/cases.rs` has the pipelines and the input of each case.

mod cases;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use cases::{Case, GROWING, Grows};

use crate::arguments::Options;
use crate::course::Course;
use crate::figures::Spread;
use crate::plot::{self, Series};
use crate::process::{Launch, Running};
use crate::sheet::Sheet;
use crate::sink::clock;
use crate::sink::expect::Expected;
use crate::{contestant, throughput, track};

/// Columns of the sheet; the plots draw the first two.
const COLUMNS: &[&str] = &["ns CPU/event", "ns CPU/KiB", "wall MB/s", "peak MiB", "lost"];
/// Cores that the model looks ahead to.
const AHEAD: [f64; 4] = [4.0, 8.0, 16.0, 32.0];

/// Runs all cases, or those of the dimensions named by `--only`.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let only = std::mem::take(&mut options.clone().only);
    let options = &Options { only: vec!["aludel".into()], ..options.clone() };
    let contestants = track::prepare(options)?;
    let mut sheet =
        Sheet { name: "scaling", title: "cost of an event".into(), columns: COLUMNS, rows: Vec::new() };
    for grows in GROWING.iter().filter(|grows| only.is_empty() || only.iter().any(|name| name == grows.name))
    {
        for at in grows.steps {
            let case = grows.case(*at, options)?;
            let name = format!("{} {at}", grows.name);
            for _ in 0..options.runs {
                let figures =
                    if grows.name == "cores" { alone(&case, options, *at)? } else { once(&case, options)? };
                sheet.add(&name, "aludel", figures)?;
            }
        }
        draw(&sheet, grows, options)?;
    }
    sheet.print()?;
    bends(&sheet)?;
    model(&sheet)?;
    sheet.save(options, &contestants)
}

/// One run into the server, which counts.
fn once(case: &Case, options: &Options) -> io::Result<Vec<f64>> {
    let course = Course::named("W1").ok_or_else(|| io::Error::other("W1 is always there"))?;
    let expected = Expected::scan(&case.data)?;
    let work = track::work(options, "scaling")?;
    let pipeline = work.join("case.aludel");
    fs::write(&pipeline, &case.pipeline)?;
    let program = contestant::program(options);
    let outcome = throughput::heat(course, options, &case.data, &expected, &work, |places| {
        Ok(Some(contestant::aludel(&program, &pipeline, places)))
    })?;
    let Some(outcome) = outcome else { return Ok(Vec::new()) };
    Ok(vec![
        outcome.cpu_ns as f64 / expected.events() as f64,
        outcome.cpu_ns as f64 / (expected.bytes as f64 / 1024.0),
        outcome.pace(expected.bytes),
        outcome.peak_bytes as f64 / 1_048_576.0,
        outcome.lost as f64,
    ])
}

/// One run on so many cores without any sink, which would need a core of its own.
fn alone(case: &Case, options: &Options, cores: usize) -> io::Result<Vec<f64>> {
    let expected = Expected::scan(&case.data)?;
    let work = track::work(options, "scaling")?;
    let pipeline = work.join("case.aludel");
    fs::write(&pipeline, &case.pipeline)?;
    let places = contestant::Places { data: &case.data, work: &work, out: &work, port: 0 };
    let mut command = contestant::aludel(&contestant::program(options), &pipeline, &places);
    command.arg("--once");
    let options = Options { cores, ..options.clone() };
    let output = work.join("output");
    let mut running = Running::start(Launch { command, cores: track::cores(&options) }, &output)?;
    let mut peak = 0;
    while !running.ended() {
        peak = running.usage().peak_bytes;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let wall = (clock::now() - running.started) as f64 / 1e9;
    let (usage, _) = running.end()?;
    let lost = expected.bytes.saturating_sub(delivered(&output)?);
    Ok(vec![
        usage.cpu_ns as f64 / expected.events() as f64,
        usage.cpu_ns as f64 / (expected.bytes as f64 / 1024.0),
        expected.bytes as f64 / 1e6 / wall,
        peak as f64 / 1_048_576.0,
        lost as f64,
    ])
}

/// Bytes that the ledger says were delivered.
fn delivered(output: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(output)?;
    let after = text.split("= delivered ").nth(1).and_then(|rest| rest.split(' ').next());
    Ok(after.and_then(|number| number.parse().ok()).unwrap_or_default())
}

/// A plot of the cost of an event, or of a KiB where events grow.
fn draw(sheet: &Sheet, grows: &Grows, options: &Options) -> io::Result<()> {
    let column = match grows.name {
        "bytes" => 1,
        "cores" => 2,
        _ => 0,
    };
    let spread = |at: &usize| {
        let case = format!("{} {at}", grows.name);
        let row = sheet.rows.iter().find(|row| row.case == case);
        row.map_or_else(Spread::default, |row| row.spread(column))
    };
    let points =
        |figure: fn(Spread) -> f64| grows.steps.iter().map(|at| (*at as f64, figure(spread(at)))).collect();
    let series = [
        Series { name: "median".into(), points: points(|spread| spread.median) },
        Series { name: "least".into(), points: points(|spread| spread.least) },
        Series { name: "most".into(), points: points(|spread| spread.most) },
    ];
    let title = format!("aludel: {}", grows.what);
    let plot = plot::lines(&title, grows.name, COLUMNS[column], &series);
    fs::write(options.out.join(format!("scaling-{}.svg", grows.name)), plot)
}

/// What one more of each thing costs an event, from step to step; a step that costs more than twice as much as the
/// one before is where it bends.
fn bends(sheet: &Sheet) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out)?;
    for grows in GROWING.iter().filter(|grows| !matches!(grows.name, "cores")) {
        let cost = |at: usize| {
            let case = format!("{} {at}", grows.name);
            sheet.rows.iter().find(|row| row.case == case).map(|row| row.spread(0).median)
        };
        let slopes: Vec<(usize, usize, f64)> = grows
            .steps
            .windows(2)
            .filter_map(|pair| {
                let (from, to) = (*pair.first()?, *pair.last()?);
                Some((from, to, (cost(to)? - cost(from)?) / (to - from) as f64))
            })
            .collect();
        if slopes.is_empty() {
            continue;
        }
        let told: Vec<String> =
            slopes.iter().map(|(from, to, slope)| format!("{from} to {to}: {slope:.2}")).collect();
        let bent = slopes.windows(2).find(|pair| match pair {
            [(.., before), (.., after)] => *before > 0.0 && *after > 2.0 * before,
            _ => false,
        });
        let bent = bent
            .and_then(|pair| pair.last())
            .map_or(String::new(), |(from, ..)| format!("; bends at {from}"));
        writeln!(out, "{}: ns of an event for one more, {}{bent}", grows.name, told.join(", "))?;
    }
    Ok(())
}

/// Amdahl's law through one and two cores: the part of the work that only one core can do at a time, and what
/// follows for more cores.
fn model(sheet: &Sheet) -> io::Result<()> {
    let wall = |case: &str| sheet.rows.iter().find(|row| row.case == case).map(|row| row.spread(2));
    let (Some(one), Some(two)) = (wall("cores 1"), wall("cores 2")) else { return Ok(()) };
    let gain = two.median / one.median;
    let serial = (2.0 / gain - 1.0).clamp(0.0, 1.0);
    let more: Vec<String> = AHEAD
        .iter()
        .map(|cores| format!("{cores}: {:.1}", 1.0 / (serial + (1.0 - serial) / cores)))
        .collect();
    writeln!(
        io::stdout(),
        "\ntwo cores are {gain:.2} ({:.2}-{:.2}) times one; by Amdahl's law {:.0} % is serial, which gives with more cores {}",
        two.least / one.most,
        two.most / one.least,
        serial * 100.0,
        more.join(", ")
    )
}
