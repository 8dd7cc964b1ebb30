//! Files of several formats that are written to and rotated by renaming while they are read: what is lost, comes
//! twice, or comes in pieces.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use crate::arguments::Rotation;
use crate::contestant::{Contestant, Places};
use crate::course::Course;
use crate::delay::{START, wait};
use crate::process::{Launch, Running};
use crate::sheet::Sheet;
use crate::sink::clock;
use crate::sink::expect::{Expected, lines, logs};
use crate::sink::marker::Markers;
use crate::sink::server::Server;
use crate::sink::tally::Tally;
use crate::track;

/// Pieces in which a file is written; between two of them it may be rotated.
const PIECES: usize = 12;
/// A file is renamed after so many pieces.
const ROTATE_EVERY: usize = 4;

/// Runs the measure with all contestants that have a configuration for mixed files.
pub(crate) fn run(rotation: &Rotation) -> io::Result<()> {
    let options = &rotation.options;
    let contestants = track::prepare(options)?;
    let mut sheet = Sheet {
        name: "rotation",
        title: format!("{} mixed files, each renamed twice, at {} MB/s", rotation.mixed_files, rotation.rate),
        columns: &["lost", "twice", "wrong", "MB/CPU-s", "peak MiB"],
        rows: Vec::new(),
    };
    let course = Course::named("mixed").ok_or_else(|| io::Error::other("mixed is always there"))?;
    for contestant in contestants.iter().filter(|one| one.tails()) {
        for _ in 0..options.runs {
            if let Some(figures) = once(contestant, course, rotation)? {
                sheet.add(course.name, contestant.name, figures)?;
            }
        }
    }
    sheet.finish(options, &contestants, 3)
}

fn once(contestant: &Contestant, course: &Course, rotation: &Rotation) -> io::Result<Option<Vec<f64>>> {
    let mut options = rotation.options.clone();
    options.files = rotation.mixed_files;
    let source = track::data(&options, course)?;
    let expected = Expected::scan(&source)?;
    let work = track::work(&options, &format!("{}-{}", contestant.name, course.name))?;
    fs::create_dir_all(work.join("containers"))?;
    let tally = Arc::new(Tally::new(&expected, course.watch()));
    let server = Server::start(tally.clone())?;
    let out = work.join("out");
    let places = Places { data: &work, work: &work, out: &out, port: server.port() };
    let Some(command) = contestant.command(course, &places)? else { return Ok(None) };
    let mut running =
        Running::start(Launch { command, cores: track::cores(&options) }, &work.join("output"))?;
    thread::sleep(START);
    replay(&source, &work.join("containers"), rotation.rate)?;
    wait(&tally, &options);
    let usage = running.usage();
    running.end()?;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed) as f64;
    Ok(Some(vec![
        tally.missing(usize::MAX).len() as f64,
        count(&tally.duplicated),
        count(&tally.strays) + count(&tally.joined) + count(&tally.torn),
        expected.bytes as f64 / 1e6 / (usage.cpu_ns as f64 / 1e9),
        usage.peak_bytes as f64 / 1_048_576.0,
    ]))
}

/// Writes all files again, piece by piece in turn, and renames each now and then.
fn replay(source: &Path, to: &Path, rate: f64) -> io::Result<()> {
    let mut files = Vec::new();
    for path in logs(source)? {
        let text = fs::read(&path)?;
        let ends = pieces(&text);
        files.push((to.join(path.file_name().unwrap_or_default()), text, ends));
    }
    let (start, mut written) = (clock::now(), 0);
    for piece in 0..PIECES {
        for (path, text, ends) in &files {
            let from = piece.checked_sub(1).map_or(0, |before| ends[before]);
            if piece > 0 && piece % ROTATE_EVERY == 0 {
                let mut rotated = path.clone().into_os_string();
                rotated.push(format!(".{}", piece / ROTATE_EVERY));
                fs::rename(path, rotated)?;
            }
            let piece = &text[from..ends[piece]];
            OpenOptions::new().create(true).append(true).open(path)?.write_all(piece)?;
            written += piece.len();
            let due = start + (written as f64 / rate * 1e3) as u64;
            thread::sleep(Duration::from_nanos(due.saturating_sub(clock::now())));
        }
    }
    Ok(())
}

/// Ends of about equal pieces, each where an event begins: a runtime does not rotate within a line, and a trace
/// that is cut by a rotation has no right to be whole.
fn pieces(text: &[u8]) -> [usize; PIECES] {
    let markers = Markers::default();
    let mut ends = [text.len(); PIECES];
    let (mut at, mut piece, mut partial) = (0, 0, false);
    for line in lines(text) {
        let starts = !partial && markers.read(line).number.is_some();
        if starts && piece + 1 < PIECES && at >= text.len() * (piece + 1) / PIECES {
            ends[piece] = at;
            piece += 1;
        }
        // The second line of a split event may be the one with its marker.
        partial = line.get(..64).unwrap_or(line).windows(3).any(|tag| tag == b" P ");
        at += line.len() + 1;
    }
    ends
}
