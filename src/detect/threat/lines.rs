//! Lists of lines: one indicator each, netsets, hosts files, CSV with or without a header; what a record of CSV is
//! stands in `cells.rs`.

use std::borrow::Cow;
use std::net::IpAddr;

use super::cells::{Columns, cells, has_open_quote, header};
use super::indicator::{Indicator, Net};
use super::notes::Note;
use super::read::{Intake, confidence, name, time};
use crate::limits::THREAT_LINE_BYTES_MAX;

/// Names of hosts files that are no one's.
const LOCAL: &[&[u8]] = &[
    b"localhost",
    b"localhost.localdomain",
    b"local",
    b"broadcasthost",
    b"ip6-localhost",
    b"ip6-loopback",
    b"ip6-localnet",
    b"ip6-mcastprefix",
    b"ip6-allnodes",
    b"ip6-allrouters",
    b"ip6-allhosts",
    b"0.0.0.0",
];
/// Cells that say that there is nothing.
const NOTHING: &[&[u8]] = &[b"", b"-", b"n/a", b"none", b"null"];
/// What a text is to be.
pub(super) const WANTED: &str =
    "an indicator is an address, a network, a domain, a URL or a hash (MD5, SHA-1, SHA-256, SHA-512)";

pub(super) const NO_CONFIDENCE: &str = "a confidence is a number from 0 to 100, or low, medium, high";
pub(super) const NO_EXPIRY: &str = "when it expires is a time such as 2026-12-31T00:00:00Z";

/// What the lines of a file are.
#[derive(Debug, Default)]
enum Form {
    /// No line of data came yet.
    #[default]
    Unknown,
    /// An indicator each.
    Plain,
    /// Cells.
    Cells(Columns),
}

/// The lines of one file, taken in in order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    form: Form,
    number: u64,
    /// The last line that was a comment: a header may stand in one.
    comment: Vec<u8>,
    /// A record whose quote is still open, and the line where it began.
    open: Vec<u8>,
    opened: u64,
}

impl Lines {
    /// Takes a line.
    pub(super) fn line(&mut self, line: &[u8], intake: &mut Intake<'_>) -> Result<(), String> {
        self.number += 1;
        if line.len() > THREAT_LINE_BYTES_MAX {
            let why = format!("the line has more than {THREAT_LINE_BYTES_MAX} bytes");
            self.bad(line, &why, intake);
            return Ok(());
        }
        let mut text = line.trim_ascii();
        if self.open.is_empty() {
            if text.is_empty() {
                return Ok(());
            }
            if matches!(text.first(), Some(b'#' | b';' | b'!'))
                || text.starts_with(b"//")
                || text.starts_with(b"[Adblock")
            {
                self.comment.clear();
                self.comment.extend_from_slice(text.get(1..).unwrap_or_default().trim_ascii());
                return Ok(());
            }
        }
        if matches!(self.form, Form::Unknown) {
            match self.form_of(text, intake)? {
                (form, true) => {
                    self.form = form;
                    return Ok(());
                }
                (form, false) => self.form = form,
            }
        }
        let Form::Cells(Columns { delimiter, .. }) = self.form else { return self.plain(text, intake) };
        // A cell in quotes may have several lines.
        let record;
        if !self.open.is_empty() || has_open_quote(text, delimiter) {
            if self.open.is_empty() {
                self.opened = self.number;
            } else {
                self.open.push(b'\n');
            }
            self.open.extend_from_slice(text);
            if has_open_quote(&self.open, delimiter) {
                if self.open.len() <= THREAT_LINE_BYTES_MAX {
                    return Ok(());
                }
                let open = std::mem::take(&mut self.open);
                let why = format!("a quote that is opened in line {} is not closed", self.opened);
                self.bad(&open, &why, intake);
                return Ok(());
            }
            record = std::mem::take(&mut self.open);
            text = &record;
        }
        self.cells(text, intake)
    }

    /// Takes the end of the file.
    pub(super) fn finish(&mut self, intake: &mut Intake<'_>) -> Result<(), String> {
        if !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            self.number = self.opened;
            self.bad(&open, "a quote is not closed", intake);
        }
        if matches!(self.form, Form::Unknown) {
            self.needs_columns(intake)?;
        }
        Ok(())
    }

    fn bad(&self, text: &[u8], why: &str, intake: &mut Intake<'_>) {
        intake.bad(&format!("line {}", self.number), text, why);
    }

    /// What the lines are, told from the first of them; true where it is a header.
    fn form_of(&self, text: &[u8], intake: &Intake<'_>) -> Result<(Form, bool), String> {
        if let Some(columns) = header(text, intake) {
            return Ok((Form::Cells(columns), true));
        }
        if let Some(columns) = header(&self.comment, intake).filter(|of| text.contains(&of.delimiter)) {
            return Ok((Form::Cells(columns), false));
        }
        self.needs_columns(intake)?;
        // Without a header the first cell that is an indicator names its column.
        let mut buffer = Vec::new();
        let first = |cells: &[Cow<'_, [u8]>], buffer: &mut Vec<u8>| {
            cells.iter().position(|cell| super::indicator::read(cell, buffer).is_some())
        };
        for delimiter in *b",;" {
            let parts = cells(text, delimiter);
            if parts.len() > 1
                && let Some(at) = first(&parts, &mut buffer)
            {
                let columns = Columns {
                    delimiter,
                    values: vec![at],
                    confidence: None,
                    expires: None,
                    name: None,
                    meant: None,
                };
                // `192.0.2.0/24 ; SBL1` is an indicator with a comment.
                if delimiter == b',' || !text.contains(&b' ') {
                    return Ok((Form::Cells(columns), false));
                }
            }
        }
        Ok((Form::Plain, false))
    }

    /// A list whose columns are named has a header with them.
    fn needs_columns(&self, intake: &Intake<'_>) -> Result<(), String> {
        match intake.terms.columns.iter().flatten().next() {
            None => Ok(()),
            Some(column) => {
                Err(format!("line {}: there is no header with a column `{column}`", self.number.max(1)))
            }
        }
    }

    fn cells(&mut self, text: &[u8], intake: &mut Intake<'_>) -> Result<(), String> {
        let Form::Cells(columns) = &self.form else { return Ok(()) };
        let cells = cells(text, columns.delimiter);
        let cell = |at: Option<usize>| {
            let cell = str::from_utf8(cells.get(at?)?.trim_ascii()).ok()?;
            (!NOTHING.contains(&cell.to_ascii_lowercase().as_bytes())).then_some(cell)
        };
        if cell(columns.meant).is_some_and(|meant| meant == "0" || meant.eq_ignore_ascii_case("false")) {
            intake.unused();
            return Ok(());
        }
        let mut note = intake.note();
        // A word of its own, `none` is a confidence too.
        let sure = columns.confidence.and_then(|at| str::from_utf8(cells.get(at)?).ok());
        if let Some(sure) = sure.filter(|sure| !sure.trim().is_empty()) {
            let Some(sure) = confidence(sure) else {
                self.bad(text, NO_CONFIDENCE, intake);
                return Ok(());
            };
            note.confidence = sure;
        }
        if let Some(until) = cell(columns.expires) {
            let Some(until) = time(until) else {
                self.bad(text, NO_EXPIRY, intake);
                return Ok(());
            };
            note.expires_ns = until;
        }
        note.name = cell(columns.name).and_then(name);
        let (mut any, mut wrong) = (false, false);
        for at in &columns.values {
            let Some(value) = cells.get(*at).map(|value| value.trim_ascii()) else { continue };
            if NOTHING.contains(&value.to_ascii_lowercase().as_slice()) {
                continue;
            }
            any = true;
            wrong |= !entry(value, &note, intake)?;
        }
        if wrong || !any {
            let why = if any { WANTED } else { "there is no indicator in its column" };
            self.bad(text, why, intake);
        }
        Ok(())
    }

    /// A line of its own: an indicator and what is said of it, or a line of a hosts file.
    fn plain(&self, text: &[u8], intake: &mut Intake<'_>) -> Result<(), String> {
        let note = intake.note();
        let text = without_comment(text);
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return Ok(()) };
        if is_rule(text) {
            intake.other(&format!("line {}", self.number), text);
            return Ok(());
        }
        let address = str::from_utf8(first).ok().and_then(|of| of.split('%').next()?.parse::<IpAddr>().ok());
        if let Some(address) = address
            && let Some(second) = words.next()
        {
            if LOCAL.contains(&second.to_ascii_lowercase().as_slice()) {
                return Ok(());
            }
            if second == b"-"
                && let Some(end) = words.next()
            {
                return self.range(text, first, end, &note, intake);
            }
            let mut name = Vec::new();
            let is_host = address.is_unspecified() || address.is_loopback();
            if is_host && super::indicator::domain(second, &mut name) {
                for host in std::iter::once(second).chain(words) {
                    if !entry(host, &note, intake)? {
                        self.bad(text, "a hosts file names domains behind the address", intake);
                    }
                }
                return Ok(());
            }
        }
        if let Some(at) = memchr::memchr(b'-', first)
            && let (Some(from), Some(to)) = (first.get(..at), first.get(at + 1..))
            && ip(from).is_some()
            && ip(to).is_some()
        {
            return self.range(text, from, to, &note, intake);
        }
        if !entry(first, &note, intake)? {
            self.bad(text, WANTED, intake);
        }
        Ok(())
    }

    /// All addresses from one to another, as networks.
    fn range(
        &self,
        text: &[u8],
        from: &[u8],
        to: &[u8],
        note: &Note<'_>,
        intake: &mut Intake<'_>,
    ) -> Result<(), String> {
        let subnets = match (ip(from), ip(to)) {
            (Some(IpAddr::V4(from)), Some(IpAddr::V4(to))) if from <= to => {
                ipnet::IpSubnets::from(ipnet::Ipv4Subnets::new(from, to, 0))
            }
            (Some(IpAddr::V6(from)), Some(IpAddr::V6(to))) if from <= to => {
                ipnet::IpSubnets::from(ipnet::Ipv6Subnets::new(from, to, 0))
            }
            _ => {
                self.bad(text, "a range goes from an address to a higher one", intake);
                return Ok(());
            }
        };
        for net in subnets {
            if let Some(net) = Net::new(net.addr(), net.prefix_len()) {
                intake.put(&Indicator::Net(net), &[], note)?;
            }
        }
        Ok(())
    }
}

fn ip(text: &[u8]) -> Option<IpAddr> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Adds a text as lists write indicators: in quotes, for a whole domain (`*.`, `||…^`), or so that nobody clicks on it
/// (`hxxp`, `[.]`).
pub(super) fn entry(text: &[u8], note: &Note<'_>, intake: &mut Intake<'_>) -> Result<bool, String> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let text = match text.strip_prefix(b"||") {
        Some(rule) => rule.get(..memchr::memchr(b'^', rule).unwrap_or(rule.len())).unwrap_or_default(),
        None => text,
    };
    let text = text.strip_prefix(b"*.").or_else(|| text.strip_prefix(b".")).unwrap_or(text);
    let is_safe = memchr::memchr2(b'[', b'(', text).is_some()
        || text.get(..4).is_some_and(|of| of.eq_ignore_ascii_case(b"hxxp"));
    if is_safe && let Ok(text) = str::from_utf8(text) {
        let mut text =
            text.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":").replace("[://]", "://");
        if text.get(..4).is_some_and(|of| of.eq_ignore_ascii_case("hxxp")) {
            text.replace_range(1..3, "tt");
        }
        return intake.add(text.as_bytes(), note, |_| true);
    }
    intake.add(text, note, |_| true)
}

/// Whether a line is a rule of a blocker of advertisements that means less than a whole domain: an exception, a part of a
/// page, some requests.
fn is_rule(text: &[u8]) -> bool {
    let whole: &[&[u8]] = &[b"", b"$important", b"$all", b"$document", b"$doc"];
    let of_page: &[&[u8]] = &[b"##", b"#@#", b"#?#", b"#$#"];
    let has = |part: &[u8]| memchr::memmem::find(text, part).is_some();
    match text.strip_prefix(b"||") {
        Some(rule) => memchr::memchr(b'^', rule)
            .and_then(|end| rule.get(end + 1..))
            .is_some_and(|condition| !whole.contains(&condition)),
        None => text.starts_with(b"@@") || !has(b"://") && of_page.iter().any(|part| has(part)),
    }
}

/// A line without what stands behind a blank and a mark of a comment.
fn without_comment(text: &[u8]) -> &[u8] {
    let is_mark = |pair: &[u8]| matches!(pair, [b' ' | b'\t', b'#' | b';']);
    let end = text.windows(2).position(is_mark).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}
