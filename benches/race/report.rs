//! What was measured: a table as it comes, JSON at the end.

use std::fs;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::arguments::Options;
use crate::contestant::Contestant;
use crate::course::Course;
use crate::figures::Spread;
use crate::plot::{self, Panel};
use crate::sink::expect::Expected;
use crate::track;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Result {
    /// CPU until the newest event arrived.
    pub(crate) cpu_ns: u64,
    /// CPU until the end of the process.
    pub(crate) total_cpu_ns: u64,
    /// From the start of the process until the newest event arrived.
    pub(crate) wall_ns: u64,
    /// From the start of the process until all but one in a hundred had arrived; 0 where so many did not.
    pub(crate) pace_ns: u64,
    /// From the start of the process until the first event arrived; 0 where that is not seen.
    pub(crate) first_ns: u64,
    pub(crate) peak_bytes: u64,
    /// Events; lines for W4.
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) repeated: u64,
    pub(crate) strays: u64,
    pub(crate) joined: u64,
    pub(crate) torn: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) requests: u64,
    /// Whether it ended well.
    pub(crate) well: bool,
}

/// What one contestant did with one workload.
struct Entry {
    course: &'static str,
    contestant: &'static str,
    runs: Vec<Result>,
}

/// Size of a workload's input.
struct Size {
    course: &'static str,
    what: &'static str,
    bytes: u64,
    events: u64,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    sizes: Vec<Size>,
    entries: Vec<Entry>,
}

impl Report {
    pub(crate) fn course(&mut self, course: &Course, expected: &Expected) {
        let Course { name, what, .. } = *course;
        self.sizes.push(Size { course: name, what, bytes: expected.bytes, events: expected.events() });
    }

    /// Adds a run, and says so: a race takes minutes.
    pub(crate) fn add(
        &mut self,
        course: &Course,
        who: &Contestant,
        run: usize,
        result: Result,
    ) -> io::Result<()> {
        writeln!(
            io::stderr(),
            "{} {} run {}: {:.2} s of CPU, {:.2} s, {} delivered, {} lost, {} twice{}",
            course.name,
            who.name,
            run + 1,
            seconds(result.cpu_ns),
            seconds(result.wall_ns),
            result.delivered,
            result.lost,
            result.duplicated,
            if result.well { "" } else { "; it ended badly, see its output in the work folder" }
        )?;
        let found =
            self.entries.iter_mut().find(|one| (one.course, one.contestant) == (course.name, who.name));
        match found {
            Some(entry) => entry.runs.push(result),
            None => {
                self.entries.push(Entry { course: course.name, contestant: who.name, runs: vec![result] })
            }
        }
        Ok(())
    }

    fn size(&self, course: &str) -> Option<&Size> {
        self.sizes.iter().find(|size| size.course == course)
    }

    fn entries_of(&self, course: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.course == course)
    }

    /// MB of input per CPU-second of one contestant.
    fn rate(&self, course: &str, who: &str) -> Option<Spread> {
        let size = self.size(course)?;
        self.entries_of(course).find(|entry| entry.contestant == who).map(|entry| entry.rate(size))
    }

    /// The table of a workload.
    pub(crate) fn table(&self, course: &Course) -> io::Result<()> {
        let Some(size) = self.size(course.name) else { return Ok(()) };
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "\n{}: {}; {:.1} MB, {} events\n{:<11} {:>10} {:>15} {:>9} {:>9} {:>8} {:>9} {:>7} {:>6} {:>6} {:>7} {:>8} {:>8}",
            size.course,
            size.what,
            size.bytes as f64 / 1e6,
            size.events,
            "",
            "MB/CPU-s",
            "least-most",
            "kev/CPU-s",
            "wall MB/s",
            "peak MiB",
            "first ms",
            "lost",
            "twice",
            "wrong",
            "resent",
            "aludel x",
            "ceiling%"
        )?;
        let (aludel, ceiling) = (self.rate(size.course, "aludel"), self.rate(size.course, "ceiling"));
        for entry in self.entries_of(size.course) {
            let rate = entry.rate(size);
            let most = |figure: fn(&Result) -> u64| entry.runs.iter().map(figure).max().unwrap_or_default();
            writeln!(
                out,
                "{:<11} {:>10.1} {:>15} {:>9.0} {:>9.1} {:>8.1} {:>9.0} {:>7} {:>6} {:>6} {:>7} {:>8} {:>8}",
                entry.contestant,
                rate.median,
                format!("{:.1}-{:.1}", rate.least, rate.most),
                rate.median * size.events as f64 / size.bytes as f64 * 1e3,
                entry.wall(size).median,
                entry.spread(|run| run.peak_bytes as f64 / 1048576.0).median,
                entry.spread(|run| run.first_ns as f64 / 1e6).median,
                most(|run| run.lost),
                most(|run| run.duplicated),
                most(Result::wrong),
                most(|run| run.repeated),
                ratio(aludel, Some(rate), 1.0),
                ratio(Some(rate), ceiling, 100.0),
            )?;
        }
        out.flush()
    }

    /// Writes `race.json` and `throughput.svg`.
    pub(crate) fn write(&self, options: &Options, contestants: &[Contestant]) -> io::Result<()> {
        let mut courses = Vec::new();
        let mut panels = Vec::new();
        for size in &self.sizes {
            let entries: Vec<Value> =
                self.entries_of(size.course).map(|entry| self.entry(entry, size)).collect();
            courses.push(json!({
                "workload": size.course, "what": size.what, "input_bytes": size.bytes, "events": size.events,
                "contestants": entries,
            }));
            let bars =
                self.entries_of(size.course).map(|entry| (entry.contestant.to_owned(), entry.rate(size)));
            panels.push(Panel { title: format!("{}: {}", size.course, size.what), bars: bars.collect() });
        }
        let plot = plot::bars("MB of input per CPU-second", &panels);
        fs::write(options.out.join("throughput.svg"), plot)?;
        track::save(options, contestants, "throughput", courses.into())
    }

    fn entry(&self, entry: &Entry, size: &Size) -> Value {
        let rate = entry.rate(size);
        let of = |who: &str| self.rate(size.course, who).map(|other| other.median / rate.median);
        json!({
            "name": entry.contestant,
            "mb_per_cpu_second": rate.json(),
            "events_per_cpu_second": entry.spread(|run| size.events as f64 / seconds(run.cpu_ns)).json(),
            "wall_mb_per_second": entry.wall(size).json(),
            "peak_mib": entry.spread(|run| run.peak_bytes as f64 / 1048576.0).json(),
            "first_event_ms": entry.spread(|run| run.first_ns as f64 / 1e6).json(),
            "aludel_is_times_this": of("aludel"),
            "share_of_ceiling": of("ceiling").map(|times| 1.0 / times),
            "runs": entry.runs.iter().map(Result::json).collect::<Vec<_>>(),
        })
    }
}

impl Entry {
    fn spread(&self, figure: impl Fn(&Result) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }

    /// MB of input per CPU-second; of what was delivered, where something was lost.
    fn rate(&self, size: &Size) -> Spread {
        self.spread(|run| run.share() * size.bytes as f64 / 1e6 / seconds(run.cpu_ns).max(1e-9))
    }

    fn wall(&self, size: &Size) -> Spread {
        self.spread(|run| run.pace(size.bytes))
    }
}

impl Result {
    /// MB per second of an input of so many bytes, up to the point where all but one in a hundred had arrived.
    pub(crate) fn pace(&self, bytes: u64) -> f64 {
        if self.pace_ns == 0 { 0.0 } else { 0.99 * bytes as f64 / 1e6 / seconds(self.pace_ns) }
    }

    /// The part of all events that was delivered.
    fn share(&self) -> f64 {
        self.delivered as f64 / (self.delivered + self.lost).max(1) as f64
    }

    /// Documents that are not one whole event.
    fn wrong(&self) -> u64 {
        self.strays + self.joined + self.torn
    }

    fn json(&self) -> Value {
        json!({
            "cpu_seconds": seconds(self.cpu_ns), "cpu_seconds_to_end": seconds(self.total_cpu_ns),
            "wall_seconds": seconds(self.wall_ns), "wall_seconds_99": seconds(self.pace_ns), "first_event_ms": self.first_ns as f64 / 1e6,
            "peak_bytes": self.peak_bytes, "delivered": self.delivered, "lost": self.lost,
            "duplicated": self.duplicated, "repeated_under_own_id": self.repeated, "strays": self.strays,
            "wrongly_joined": self.joined, "torn": self.torn, "sent_bytes": self.sent_bytes,
            "requests": self.requests, "ended_well": self.well,
        })
    }
}

fn ratio(over: Option<Spread>, under: Option<Spread>, unit: f64) -> String {
    match (over, under) {
        (Some(over), Some(under)) if under.median > 0.0 => {
            format!("{:.1}", over.median / under.median * unit)
        }
        _ => "-".into(),
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
