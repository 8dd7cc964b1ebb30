//! W2: docker's json-file lines around an application's JSON → `_bulk` documents with the inner object's members:
//! `msg` and `svc` renamed, `hostname`, `pid` and `v` dropped, the others as they are.

use super::input::Log;
use super::json::{Member, Text};
use super::post::Bulk;
use super::time;

pub(super) fn run(files: &[Log], mut bulk: Bulk) -> Result<(), String> {
    let mut text = Text::default();
    for log in files {
        // What docker cut at 16 KiB, until the line that ends with a line feed.
        let mut held = [Vec::new(), Vec::new()];
        log.lines(|line| {
            text.clear();
            let (stderr, time) =
                docker(line.as_bytes(), &mut text).ok_or_else(|| format!("not a docker line: {line}"))?;
            let held = &mut held[usize::from(stderr)];
            if !text.strip_line_feed() {
                held.extend_from_slice(text.bytes());
                return Ok(());
            }
            if !held.is_empty() {
                text.prepend(held);
                held.clear();
            }
            bulk.action(&log.id);
            document(&text, stderr, time, log, &mut bulk.body);
            bulk.full()
        })?;
    }
    bulk.send()
}

/// Takes a line apart: its text unescaped, whether it came by stderr, and its time.
#[inline]
fn docker<'a>(line: &'a [u8], text: &mut Text) -> Option<(bool, &'a [u8])> {
    let rest = text.unescape(line.strip_prefix(b"{\"log\":\"")?)?;
    let (stream, rest) = rest.strip_prefix(b",\"stream\":\"std")?.split_first_chunk::<3>()?;
    let stderr = match stream {
        b"out" => false,
        b"err" => true,
        _ => return None,
    };
    let time = rest.strip_prefix(b"\",\"time\":\"")?.strip_suffix(b"\"}")?;
    time::rfc3339(time)?;
    Some((stderr, time))
}

fn document(text: &Text, stderr: bool, time: &[u8], log: &Log, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"@timestamp\":\"");
    out.extend_from_slice(time);
    out.extend_from_slice(if stderr {
        b"\",\"log\":{\"iostream\":\"stderr\",\"file\":{\"path\":"
    } else {
        b"\",\"log\":{\"iostream\":\"stdout\",\"file\":{\"path\":"
    });
    out.extend_from_slice(log.json.as_bytes());
    out.extend_from_slice(b"}}");
    let start = out.len();
    if members(text, out).is_none() {
        out.truncate(start);
        out.extend_from_slice(b",\"message\":");
        json_escape_simd::escape_into(String::from_utf8_lossy(text.bytes()), out);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the members, each after a comma. Neighbours that stay as they are are copied at once.
#[inline]
fn members(text: &Text, out: &mut Vec<u8>) -> Option<()> {
    let mut run: Option<Member> = None;
    let flush = |run: &mut Option<Member>, out: &mut Vec<u8>| {
        if let Some(run) = run.take() {
            out.push(b',');
            out.extend_from_slice(text.part(run.start, run.end));
        }
    };
    text.members(|key, member| {
        let (before, after): (&[u8], &[u8]) = match key {
            b"msg" => (b",\"message\":", b""),
            b"svc" => (b",\"service\":{\"name\":", b"}"),
            b"hostname" | b"pid" | b"v" => return flush(&mut run, out),
            _ => {
                match &mut run {
                    // Only the comma stands between.
                    Some(run) if run.end + 1 == member.start => run.end = member.end,
                    _ => {
                        flush(&mut run, out);
                        run = Some(member);
                    }
                }
                return;
            }
        };
        flush(&mut run, out);
        out.extend_from_slice(before);
        out.extend_from_slice(text.part(member.value, member.end));
        out.extend_from_slice(after);
    })?;
    flush(&mut run, out);
    Some(())
}
