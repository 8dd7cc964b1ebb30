//! The summary on standard error: what was read, what each format yielded, what failed and why, where it went.
//!
//! On a terminal it is drawn over itself while the run goes on; elsewhere it is printed once, at the end.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use crate::catalog::Runnable;
use crate::observe::{PipelineStats, SinkStats, Snapshot, SourceStats};
use crate::run::Ledger;
use crate::shown::{number, size};

/// Reasons listed per table; the rest is added up.
const REASONS_SHOWN: usize = 8;

/// Share of the last messages of a stream from which on its format is not worth a line.
const SURE: f64 = 0.9;

/// Where the summary is drawn.
pub(super) struct Screen {
    head: String,
    places: Vec<String>,
    terminal: bool,
    quiet: bool,
    drawn_lines: usize,
}

impl Screen {
    /// A screen for a plan.
    pub(super) fn new(plan: &Runnable, quiet: bool, admin: Option<SocketAddr>) -> Self {
        let names: Vec<_> = plan.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        let admin = admin.map_or(String::new(), |address| format!(" · http://{address}/metrics"));
        let head = format!("aludel {} · {}{admin}\n", env!("CARGO_PKG_VERSION"), names.join(", "));
        let terminal = std::io::stderr().is_terminal();
        Self { head, places: places(plan), terminal, quiet, drawn_lines: 0 }
    }

    /// Draws the summary over the last one.
    pub(super) fn draw(&mut self, snapshot: &Snapshot) {
        if self.quiet || !self.terminal {
            return;
        }
        let text = self.text(snapshot);
        let up =
            if self.drawn_lines > 0 { format!("\x1b[{}A\x1b[J", self.drawn_lines) } else { String::new() };
        self.drawn_lines = text.lines().count();
        put(&format!("{up}{text}"));
    }

    /// Says something above the summary.
    pub(super) fn say(&mut self, line: &str) {
        if self.drawn_lines > 0 {
            put(&format!("\x1b[{}A\x1b[J", self.drawn_lines));
            self.drawn_lines = 0;
        }
        put(&format!("{line}\n"));
    }

    /// Leaves what is drawn as it is.
    pub(super) fn leave(&mut self) {
        self.drawn_lines = 0;
    }

    /// The summary and the ledger at the end.
    pub(super) fn last(&mut self, snapshot: &Snapshot, ledger: &Ledger) {
        if !self.quiet {
            let text = self.text(snapshot);
            let up = if self.drawn_lines > 0 {
                format!("\x1b[{}A\x1b[J", self.drawn_lines)
            } else {
                String::new()
            };
            put(&format!("{up}{text}"));
        }
        self.drawn_lines = 0;
        put(&ledger_text(ledger));
    }

    fn text(&self, snapshot: &Snapshot) -> String {
        let mut out = self.head.clone() + &body(&self.places, snapshot);
        let nothing = snapshot.sources.iter().all(|(_, stats)| stats.bytes == 0 && stats.unread_bytes == 0);
        if nothing && snapshot.sources.iter().any(|(_, stats)| stats.streams > 0) {
            out.push_str("  nothing new since the last run (another --data-dir starts from the beginning)\n");
        }
        out
    }
}

/// The summary of a plan without its head.
pub(super) fn text(plan: &Runnable, snapshot: &Snapshot) -> String {
    body(&places(plan), snapshot)
}

fn places(plan: &Runnable) -> Vec<String> {
    plan.sinks.iter().map(|sink| sink.plan.place()).collect()
}

fn body(places: &[String], snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for (name, stats) in &snapshot.sources {
        source(name, stats, &mut out);
    }
    for (name, stats) in &snapshot.pipelines {
        pipeline(name, stats, &mut out);
    }
    for ((name, stats), place) in snapshot.sinks.iter().zip(places) {
        sink(name, stats, place, &mut out);
    }
    out
}

fn source(name: &str, stats: &SourceStats, out: &mut String) {
    let left = match stats.unread_bytes {
        0 => "all read".to_owned(),
        bytes => format!("{} to read", size(bytes)),
    };
    let _ = writeln!(
        out,
        "  source {name:<14} {:>10} messages  {:>9} from {} streams, {left}",
        number(stats.messages),
        size(stats.bytes),
        stats.streams
    );
    for (cause, bytes) in &stats.gap_bytes {
        let _ = writeln!(out, "    lost {} bytes: {cause}", number(*bytes));
    }
    if stats.gaps_of_unknown_size > 0 {
        let _ = writeln!(out, "    {} gaps of unknown size", stats.gaps_of_unknown_size);
    }
}

fn pipeline(name: &str, stats: &PipelineStats, out: &mut String) {
    let _ = writeln!(out, "  pipeline {name:<12} {:>10} events", number(stats.events));
    let mut parsed: Vec<_> =
        stats.parsed.iter().map(|(format, count)| (format.as_str(), count.parsed)).collect();
    parsed.sort_by_key(|(format, count)| (std::cmp::Reverse(*count), *format));
    for (format, count) in parsed {
        let _ = writeln!(out, "    {format:<19} {:>10} parsed", number(count));
    }
    let mut told: Vec<_> = stats.told.iter().collect();
    told.sort_by_key(|(format, count)| (std::cmp::Reverse(**count), **format));
    for (format, count) in told {
        let _ = writeln!(out, "      {format:<17} {:>10} told by auto", number(*count));
    }
    for (stream, told) in &stats.streams {
        let unsure = told.now().filter(|(_, share)| told.change_count() > 0 || *share < SURE);
        if let Some((format, share)) = unsure {
            let _ =
                writeln!(out, "      {stream}: {format} takes {:.0} % of the last messages", share * 100.0);
        }
        for (message, format) in told.changes() {
            let _ = writeln!(out, "      {stream}: {format} from message {} on", number(*message));
        }
    }
    for (word, table) in
        [("not parsed", &stats.unparsed), ("dropped", &stats.dropped), ("rejected", &stats.rejected)]
    {
        reasons(word, table.iter().map(|(reason, count)| (reason.as_str(), *count)), out);
    }
}

fn reasons<'a>(word: &str, table: impl Iterator<Item = (&'a str, u64)>, out: &mut String) {
    let mut table: Vec<_> = table.collect();
    table.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    for (reason, count) in table.iter().take(REASONS_SHOWN) {
        let _ = writeln!(out, "    {word:<19} {:>10} {reason}", number(*count));
    }
    if let Some(rest) = table.get(REASONS_SHOWN..)
        && !rest.is_empty()
    {
        let sum = rest.iter().map(|(_, count)| count).sum();
        let _ = writeln!(out, "    {word:<19} {:>10} for {} other reasons", number(sum), rest.len());
    }
}

fn sink(name: &str, stats: &SinkStats, place: &str, out: &mut String) {
    let waiting = stats.offered.saturating_sub(stats.delivered + stats.rejected.values().sum::<u64>());
    let mut more = String::new();
    if waiting > 0 {
        let _ = write!(more, ", {} in flight", number(waiting));
    }
    if stats.repeated > 0 {
        let _ = write!(more, ", {} were there already", number(stats.repeated));
    }
    let _ = writeln!(out, "  sink {name:<16} {:>10} delivered{more} → {place}", number(stats.delivered));
    reasons("refused", stats.rejected.iter().map(|(reason, count)| (reason.as_str(), *count)), out);
    if let Some(trouble) = &stats.trouble {
        let _ = writeln!(out, "    ! {trouble}");
    }
}

/// The books in source bytes, a line per source and sink.
fn ledger_text(ledger: &Ledger) -> String {
    let mut out = String::new();
    for (source, sink, account) in &ledger.accounts {
        let sum = |map: &std::collections::BTreeMap<std::sync::Arc<str>, u64>| map.values().sum::<u64>();
        let _ = write!(
            out,
            "ledger {source} → {sink}: read {} = delivered {} + dropped {} + dead-lettered {} + in flight {} + gap {}",
            account.head,
            account.delivered,
            sum(&account.dropped),
            sum(&account.rejected),
            account.in_flight,
            account.gap
        );
        if account.earlier > 0 {
            let _ = write!(out, " + settled before {}", account.earlier);
        }
        out.push_str(if account.balances() {
            " bytes\n"
        } else {
            " bytes: DOES NOT BALANCE, please report this\n"
        });
    }
    out
}

fn put(text: &str) {
    // There is nobody left to tell when this fails.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
