//! A profile as text: a table of the parts, what became of the events, how precise it is, what to change.

use std::fmt::Write;

use super::Subject;
use super::advice::Advice;
use super::measure::{Measured, PartCount};
use crate::lang::outline::{Entry, Part, children};
use crate::lang::plan::Step;
use crate::shown::{number, size};

/// Reasons shown for one format, and for one fate of events.
const REASONS_SHOWN: usize = 3;
/// Share of the whole, all parts together, from which their times are too long.
const SUM_SHARE_MAX: f64 = 1.05;
/// Longest text of a part that is shown, in letters.
const SHOWN_MAX: usize = 100;

/// Everything but the advice.
pub(super) fn text(subject: &Subject<'_>, of: &Measured) -> String {
    let mut out = head(of);
    let mut table = Table { of, outline: subject.outline, out: String::new() };
    table.whole(subject);
    out.push_str(&table.out);
    fates(of, &mut out);
    precision(subject.outline, of, &mut out);
    out
}

fn head(of: &Measured) -> String {
    let (events, bytes) = (of.events(), of.input_bytes());
    let mut out = format!("{} events, {}", number(events), size(bytes));
    if of.whole_ns() > 0.0 {
        let per_second = 1e9 / of.whole_ns();
        let _ = write!(
            out,
            "; one core: {} ns an event, {} events/s, {:.1} MB/s of input",
            time(of.whole_ns() / events.max(1) as f64),
            number((events as f64 * per_second) as u64),
            bytes as f64 * per_second / 1e6
        );
    }
    out + "\n\n"
}

struct Table<'a> {
    of: &'a Measured,
    outline: &'a [Entry<'a>],
    out: String,
}

impl Table<'_> {
    fn whole(&mut self, subject: &Subject<'_>) {
        let _ = writeln!(
            self.out,
            "{:>12}{:>12}{:>10}{:>10}{:>9}",
            "rows in", "rows out", "ns/row", "ns/event", "share"
        );
        let of = self.of;
        let events = of.events();
        self.row(events, events, of.read_ns, "read and frame");
        let steps = depth_ns(self.outline, of, 1);
        // The rest of what the worker does: it is not watched by a probe of its own.
        let rest = (of.work_ns - steps - of.ends_ns()).max(0.0);
        self.row(events, events, rest, "begin and end events: id, fields of the source, accounts");
        let mut reads = false;
        for (at, entry) in self.outline.iter().enumerate() {
            if let Part::Pipeline(line) = &entry.part {
                reads = line.sources.contains(&subject.source);
            }
            if reads {
                self.part(at, entry);
            }
        }
        self.sinks();
    }

    /// One line: `ns` is the time of all rows together.
    fn row(&mut self, rows_in: u64, rows_out: u64, ns: f64, what: &str) {
        let of = self.of;
        let figures = |ns: f64, by: u64| match ns > 0.0 && by > 0 {
            true => time(ns / by as f64),
            false => "-".to_owned(),
        };
        let share = if ns > 0.0 { format!("{:.1} %", of.share(ns) * 100.0) } else { "-".to_owned() };
        let _ = writeln!(
            self.out,
            "{:>12}{:>12}{:>10}{:>10}{share:>9}  {what}",
            number(rows_in),
            number(rows_out),
            figures(ns, rows_in),
            figures(ns, of.events()),
        );
    }

    fn part(&mut self, at: usize, entry: &Entry<'_>) {
        let Some(part) = self.of.parts.get(at).cloned() else { return };
        let indent = "  ".repeat(entry.depth);
        let shown = short(&entry.text, SHOWN_MAX);
        match &entry.part {
            Part::Pipeline(_) => {
                let ns = self.inside_ns(at);
                self.row(part.rows_in, part.rows_out, ns, &shown);
            }
            Part::Step(_, step) => {
                let what = format!("{:>4} {indent}| {shown}", entry.line);
                self.row(part.rows_in, part.rows_out, self.of.part_ns(at), &what);
                if let Step::Parse { .. } = step {
                    self.unread(at, &part, &indent);
                }
            }
            Part::Format(_) => {
                let what = format!("{:>4} {indent}  {shown}", "");
                self.row(part.rows_in, part.rows_out, self.of.part_ns(at), &what);
                for (reason, count) in part.reasons.iter().take(REASONS_SHOWN) {
                    let _ = writeln!(self.out, "{:>60}{indent}    refused {}: {reason}", "", number(*count));
                }
            }
            Part::Branch => {
                let ns = self.inside_ns(at);
                self.row(part.rows_in, part.rows_out, ns, &format!("{:>4} {indent}  {shown}", ""));
            }
        }
    }

    /// Says how many events no format took, where the first did not even see them.
    fn unread(&mut self, at: usize, part: &PartCount, indent: &str) {
        let tried = self.of.parts.get(at + 1).map_or(0, |format| format.rows_in);
        if tried < part.rows_in {
            let missing = number(part.rows_in - tried);
            let _ = writeln!(
                self.out,
                "{:>60}{indent}  not tried {missing}: the field is missing or no text",
                ""
            );
        }
    }

    /// The time of the parts right inside of another.
    fn inside_ns(&self, at: usize) -> f64 {
        children(self.outline, at).map(|number| self.of.part_ns(number)).sum()
    }

    fn sinks(&mut self) {
        self.out.push('\n');
        for number in 0..self.of.sinks.len() {
            let sink = self.of.sinks[number].clone();
            let name = self.of.counts.sinks.get(number).map_or("", |(name, _)| name.as_str());
            let per = |bytes: u64| bytes / sink.rows_out.max(1);
            let bytes = match sink.raw_bytes {
                0 if sink.bytes == 0 => "nothing is kept".to_owned(),
                0 => format!("{} bytes a row in memory", per(sink.bytes)),
                raw if raw == sink.bytes => format!("{} bytes a row", per(raw)),
                raw => format!("{} bytes a row, compressed {}", per(raw), per(sink.bytes)),
            };
            let what = format!("encode for {name}, inside of `to` and at the end of a batch: {bytes}");
            self.row(sink.rows_in, sink.rows_out, sink.row_ns * sink.rows_in as f64, &what);
        }
    }
}

/// What became of the events that did not get through.
fn fates(of: &Measured, out: &mut String) {
    let mut lines = String::new();
    for (name, stats) in &of.counts.pipelines {
        for (fate, table) in
            [("not parsed", &stats.unparsed), ("dropped", &stats.dropped), ("rejected", &stats.rejected)]
        {
            let mut table: Vec<_> = table.iter().collect();
            table.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), *reason));
            for (reason, count) in table.iter().take(REASONS_SHOWN) {
                let _ = writeln!(lines, "{:>12}  {fate} in {name}: {reason}", number(**count));
            }
            if let Some(rest) = table.get(REASONS_SHOWN..).filter(|rest| !rest.is_empty()) {
                let sum = rest.iter().map(|(_, count)| **count).sum();
                let _ =
                    writeln!(lines, "{:>12}  {fate} in {name} for {} other reasons", number(sum), rest.len());
            }
        }
    }
    for (sink, (name, _)) in of.sinks.iter().zip(&of.counts.sinks) {
        if sink.rows_in > sink.rows_out {
            let _ = writeln!(
                lines,
                "{:>12}  refused by the encoder of {name}",
                number(sink.rows_in - sink.rows_out)
            );
        }
    }
    if !lines.is_empty() {
        let _ = write!(out, "\n{:>12}\n{lines}", "events");
    }
}

/// The time of all parts at a depth: 0 are pipelines in one go, 1 their steps one by one.
fn depth_ns(outline: &[Entry<'_>], of: &Measured, depth: usize) -> f64 {
    let parts = outline.iter().enumerate().filter(|(_, entry)| entry.depth == depth);
    parts.map(|(number, _)| of.part_ns(number)).sum()
}

fn precision(outline: &[Entry<'_>], of: &Measured, out: &mut String) {
    out.push_str("\nhow precise\n");
    if of.whole_ns() <= 0.0 {
        out.push_str("  nothing was timed\n");
        return;
    }
    let steps = || outline.iter().enumerate().filter(|(_, entry)| !matches!(entry.part, Part::Branch));
    let samples = steps().filter_map(|(at, _)| of.parts.get(at)).filter(|part| part.rows_in > 0);
    let least = samples.map(|part| part.samples).min().unwrap_or(0);
    let (alone, together) = (depth_ns(outline, of, 1), depth_ns(outline, of, 0));
    let _ = writeln!(
        out,
        "  totals are of {} passes, without batches that other work disturbed; steps are of sampled rows, at least {}\n  \
         each, one timed per row, the clock's own {} ns taken off",
        number(u64::from(of.passes)),
        number(least),
        time(of.clock_ns)
    );
    if together > 0.0 {
        let percent = alone / together * 100.0;
        let _ = writeln!(out, "  the steps one by one add up to {percent:.0} % of all of them in one go");
    }
    let sum = of.share(of.read_ns + alone + of.ends_ns());
    if sum > SUM_SHARE_MAX {
        let percent = sum * 100.0;
        let _ = writeln!(
            out,
            "  all parts add up to {percent:.0} % of the whole: other work disturbed the samples"
        );
    }
    out.push_str(
        "  not in it: what sinks do with encoded rows (sending, writing, waiting), and other threads\n",
    );
}

/// What to change.
pub(super) fn advice(advice: &[Advice]) -> String {
    let mut out = "\nwhat to change\n".to_owned();
    if advice.is_empty() {
        out.push_str("  nothing that these events show\n");
    }
    for of in advice {
        let _ = writeln!(out, "  line {}: {}\n      {}", of.line, of.what, of.changes);
    }
    out
}

/// Nanoseconds with as many digits as mean something.
fn time(ns: f64) -> String {
    if ns < 100.0 { format!("{ns:.1}") } else { number(ns.round() as u64) }
}

/// The beginning of a text.
pub(super) fn short(text: &str, letters_max: usize) -> String {
    if text.chars().count() <= letters_max {
        return text.to_owned();
    }
    text.chars().take(letters_max).chain(['…']).collect()
}
