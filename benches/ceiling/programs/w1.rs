//! W1: CRI lines with nginx's combined format → `_bulk` documents.

use super::access::{self, Access};
use super::cri::{self, Joiner};
use super::input::Log;
use super::post::Bulk;
use super::time;

pub(super) fn run(files: &[Log], mut bulk: Bulk) -> Result<(), String> {
    for log in files {
        let mut joiner = Joiner::default();
        log.lines(|line| {
            let Some(line) = cri::split(line) else { return Err(format!("not a CRI line: {line}")) };
            joiner.message(&line, |message| {
                bulk.action(&log.id);
                document(message, &line, log, &mut bulk.body);
            });
            bulk.full()
        })?;
    }
    bulk.send()
}

fn document(message: &str, line: &cri::Line<'_>, log: &Log, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":");
    let start = out.len();
    json_escape_simd::escape_into(message, out);
    let added = out.len() - start - message.len();
    if let Some(access) = access::parse(message) {
        // Two for the string's own quotes, six for those around request, referrer and agent: what stands between
        // them then needs no escape and is copied.
        fields(&access, added == 8, out);
        out.extend_from_slice(b",\"event\":{\"created\":\"");
    } else {
        out.extend_from_slice(b",\"@timestamp\":\"");
        out.extend_from_slice(line.time.as_bytes());
        out.extend_from_slice(b"\",\"event\":{\"created\":\"");
    }
    out.extend_from_slice(line.time.as_bytes());
    out.extend_from_slice(b"\"},\"log\":{\"iostream\":\"");
    out.extend_from_slice(line.stream().as_bytes());
    out.extend_from_slice(b"\",\"file\":{\"path\":");
    out.extend_from_slice(log.json.as_bytes());
    out.extend_from_slice(b"}}}\n");
}

#[inline]
fn fields(access: &Access<'_>, plain: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"@timestamp\":\"");
    time::write_clf(access.time_text, access.time.month, out);
    out.extend_from_slice(b"\",\"source\":{\"ip\":\"");
    out.extend_from_slice(access.address.as_bytes());
    out.extend_from_slice(b"\"},\"http\":{\"version\":\"");
    out.extend_from_slice(access.version.as_bytes());
    out.extend_from_slice(b"\",\"request\":{\"method\":\"");
    out.extend_from_slice(access.method.as_bytes());
    if access.referrer == "-" {
        out.extend_from_slice(b"\"},\"response\":{\"status_code\":");
    } else {
        out.extend_from_slice(b"\",\"referrer\":");
        string(access.referrer, plain, out);
        out.extend_from_slice(b"},\"response\":{\"status_code\":");
    }
    out.extend_from_slice(access.status.as_bytes());
    out.extend_from_slice(b",\"body\":{\"bytes\":");
    out.extend_from_slice(access.body_bytes.as_bytes());
    out.extend_from_slice(b"}}},\"url\":{\"original\":");
    string(access.url, plain, out);
    if access.user != "-" {
        out.extend_from_slice(b"},\"user\":{\"name\":");
        string(access.user, plain, out);
    }
    out.extend_from_slice(b"},\"user_agent\":{\"original\":");
    string(access.agent, plain, out);
    out.push(b'}');
}

#[inline]
fn string(text: &str, plain: bool, out: &mut Vec<u8>) {
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        json_escape_simd::escape_into(text, out);
    }
}
