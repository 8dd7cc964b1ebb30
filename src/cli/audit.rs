//! `aludel audit`: did we lose anything? From the ledger and the dead letters on disk, also while aludel runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::{dlq, print, span};
use crate::seam::{Clock, RealClock, RealFs};
use crate::shown::{number, size};
use crate::spool::{Audit, Gap, Letter, Reasons, StreamAudit, Sums};

/// Streams that are listed one by one unless one is asked for.
const STREAMS_SHOWN: usize = 20;
/// Gaps that are listed one by one.
const GAPS_SHOWN: usize = 50;
/// Nothing is lost, but dead letters wait for somebody to look at them.
const LETTERS_WAIT: u8 = 3;

/// Say whether anything was lost: exit code 0 if not, 1 if so, 3 if dead letters wait
#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// Only streams whose path holds this text, or with this id
    stream: Option<String>,
    /// Only the hours since then, such as 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = span)]
    since: Option<Duration>,
    /// Folder that `aludel run` keeps its ledger in
    #[arg(long, value_name = "DIR", default_value = ".aludel", env = "ALUDEL_DATA_DIR")]
    data_dir: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl AuditCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !self.data_dir.is_dir() {
            bail!("there is no data folder {}; say which with --data-dir", self.data_dir.display());
        }
        let now = RealClock::start().now_unix_ns();
        let since = self.since.map_or(i64::MIN, |since| now.saturating_sub(nanoseconds(since)));
        let wanted = |_: &str, path: &str, id: &str| self.wants(path, id);
        let audit = Audit::read(&RealFs, &self.data_dir, since, &wanted)
            .with_context(|| format!("cannot read the ledger in {}", self.data_dir.display()))?;
        let letters = self.letters(&self.data_dir)?;
        if self.json {
            print(&json(&audit, letters)?)?;
        } else {
            print(&page(&audit, letters, self.stream.is_some()))?;
        }
        Ok(match (audit.is_whole(), letters) {
            (false, _) => ExitCode::FAILURE,
            (true, 0) => ExitCode::SUCCESS,
            (true, _) => ExitCode::from(LETTERS_WAIT),
        })
    }

    fn wants(&self, path: &str, id: &str) -> bool {
        // Without a path it is the source that is asked for, which an audit of one stream leaves out.
        self.stream
            .as_ref()
            .is_none_or(|text| !path.is_empty() && (path.contains(text.as_str()) || id == text))
    }

    /// Dead letters that wait.
    fn letters(&self, data_dir: &Path) -> anyhow::Result<u64> {
        let mut waiting = 0;
        dlq::each(data_dir, &mut |kept| {
            let wanted = self.wants(&kept.letter.stream, &kept.letter.stream_id);
            waiting += u64::from(wanted && !kept.replayed);
        })?;
        Ok(waiting)
    }
}

fn nanoseconds(of: Duration) -> i64 {
    i64::try_from(of.as_nanos()).unwrap_or(i64::MAX)
}

fn json(audit: &Audit, letters: u64) -> anyhow::Result<String> {
    let (lost, more) = audit.lost();
    let mut answer = serde_json::Map::new();
    let mut put = |name: &str, value: serde_json::Value| drop(answer.insert(name.to_owned(), value));
    put("nothing_lost", audit.is_whole().into());
    put("lost_bytes", lost.into());
    put("lost_bytes_is_a_minimum", more.into());
    put("unknown_bytes", audit.unknown().into());
    put("dead_letters_waiting", letters.into());
    put("unread_bytes", audit.unread().into());
    put("in_flight_bytes", audit.in_flight().into());
    put("ledger", serde_json::to_value(audit)?);
    Ok(format!("{}\n", serde_json::Value::Object(answer)))
}

fn page(audit: &Audit, letters: u64, one: bool) -> String {
    let mut out = verdict(audit, letters);
    out.push('\n');
    match audit.hours {
        Some((first, last)) => {
            let hour = |at| Letter::time(at).get(..13).map(|text| text.replace('T', " ")).unwrap_or_default();
            let _ = writeln!(out, "ledger: from {}:00 to {}:59 UTC", hour(first), hour(last));
        }
        None => out.push_str("ledger: no hour of it is in the time asked for\n"),
    }
    for (source, of) in &audit.sources {
        let left =
            if of.unread == 0 { "all read".to_owned() } else { format!("{} to read", size(of.unread)) };
        let left = if one { String::new() } else { format!(", {left}") };
        let _ = writeln!(out, "\nsource {source}: {} streams{left}", number(of.streams));
        sinks(&of.sinks, "  ", true, &mut out);
    }
    streams(&audit.streams, one, &mut out);
    gaps(&audit.gaps, &mut out);
    for (of, bytes) in &audit.imbalances {
        let _ = writeln!(out, "\n{of}: the books did not balance by {bytes} bytes; please report this");
    }
    for damage in &audit.damage {
        let _ = writeln!(out, "\nthe ledger is damaged: {damage}");
    }
    out
}

/// The first line: what people came for.
fn verdict(audit: &Audit, letters: u64) -> String {
    let mut parts = Vec::new();
    let (lost, more) = audit.lost();
    if !audit.gaps.is_empty() {
        let least = if more { "at least " } else { "" };
        let gaps = if audit.gaps.len() == 1 { "gap" } else { "gaps" };
        parts.push(format!("{least}{} bytes lost in {} {gaps}", number(lost), audit.gaps.len()));
    }
    if audit.letters_dropped > 0 {
        parts.push(format!("{} dead letters were removed to make room", number(audit.letters_dropped)));
    }
    if audit.unknown() > 0 {
        parts.push(format!("{} bytes settled, and the ledger does not say how", number(audit.unknown())));
    }
    if !audit.imbalances.is_empty() || !audit.damage.is_empty() {
        parts.push("the ledger is not sound".to_owned());
    }
    if parts.is_empty() {
        parts.push("nothing lost".to_owned());
    }
    if letters > 0 {
        let wait = if letters == 1 { "dead letter waits" } else { "dead letters wait" };
        parts.push(format!("{} {wait} (aludel dlq ls)", number(letters)));
    }
    let (unread, in_flight) = (audit.unread(), audit.in_flight());
    if unread + in_flight > 0 {
        parts.push(format!(
            "behind by {} ({} not read, {} not settled)",
            size(unread + in_flight),
            size(unread),
            size(in_flight)
        ));
    }
    parts.join("; ")
}

fn sinks(sinks: &BTreeMap<Box<str>, Sums>, indent: &str, reasons: bool, out: &mut String) {
    let sum = |reasons: &Reasons| reasons.values().sum::<u64>();
    for (sink, sums) in sinks {
        let settled =
            sums.delivered + sum(&sums.dropped) + sum(&sums.dead_lettered) + sums.gap + sums.recovered;
        let _ = write!(
            out,
            "{indent}→ {sink}: settled {} = delivered {} + dropped {} + dead-lettered {} + gap {}; in flight {}",
            number(settled),
            number(sums.delivered),
            number(sum(&sums.dropped)),
            number(sum(&sums.dead_lettered)),
            number(sums.gap),
            number(sums.in_flight)
        );
        if sums.recovered > 0 {
            let _ =
                write!(out, "; {} of it by the sink's own records, before a crash", number(sums.recovered));
        }
        if sums.again > 0 {
            let _ =
                write!(out, "; {} of it sent again after a crash, under the same ids", number(sums.again));
        }
        if sums.unknown > 0 {
            let _ = write!(out, "; {} MORE, AND NOBODY KNOWS HOW", number(sums.unknown));
        }
        out.push('\n');
        if reasons {
            table("dropped", &sums.dropped, indent, out);
            table("dead-lettered", &sums.dead_lettered, indent, out);
        }
    }
}

fn table(word: &str, reasons: &Reasons, indent: &str, out: &mut String) {
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(reason, bytes)| (std::cmp::Reverse(**bytes), *reason));
    for (reason, bytes) in sorted {
        let _ = writeln!(out, "{indent}    {word:<13} {:>14} bytes  {reason}", number(*bytes));
    }
}

fn streams(streams: &[StreamAudit], one: bool, out: &mut String) {
    let wrong =
        |of: &&StreamAudit| of.sinks.values().any(|sums| sums.gap + sums.unknown + sums.in_flight > 0);
    let all = one || streams.len() <= STREAMS_SHOWN;
    let shown: Vec<_> = if all { streams.iter().collect() } else { streams.iter().filter(wrong).collect() };
    for of in shown.iter().take(if one { usize::MAX } else { STREAMS_SHOWN }) {
        let _ = writeln!(out, "\n{} ({}, generation {})", of.path, of.stream, of.generation);
        sinks(&of.sinks, "  ", one, out);
    }
    if !all {
        let words = "streams; `aludel audit PATH` shows those whose path holds PATH";
        let _ = writeln!(out, "\n{} {words}", number(streams.len() as u64));
    }
}

fn gaps(gaps: &[Gap], out: &mut String) {
    for gap in gaps.iter().take(GAPS_SHOWN) {
        let bytes = gap.end.map_or("an unknown number of".to_owned(), |end| number(end - gap.start));
        let sink = gap.sink.as_ref().map_or(String::new(), |sink| format!(" for {sink}"));
        let _ = writeln!(
            out,
            "\ngap{sink}: {bytes} bytes from {} on of {} ({:016x}, generation {}), {}: {}",
            gap.start,
            gap.path,
            gap.stream,
            gap.generation,
            Letter::time(gap.time),
            gap.cause
        );
    }
    if gaps.len() > GAPS_SHOWN {
        let _ = writeln!(out, "\n{} gaps more; --json has all", gaps.len() - GAPS_SHOWN);
    }
}
