//! W3: CRI lines, Java stack traces joined → `_bulk` documents. A line that begins with a digit begins an event.

use super::cri;
use super::input::Log;
use super::post::Bulk;

pub(super) fn run(files: &[Log], mut bulk: Bulk) -> Result<(), String> {
    for log in files {
        let mut lanes = [Lane::new("stdout", log), Lane::new("stderr", log)];
        // The lane whose event is the end of the body; the other lane's is kept apart.
        let mut writing = 0;
        log.lines(|line| {
            let Some(line) = cri::split(line) else { return Err(format!("not a CRI line: {line}")) };
            let lane = usize::from(line.stderr);
            if lane != writing {
                lanes[writing].park(&mut bulk.body);
                lanes[lane].unpark(&mut bulk.body);
                writing = lane;
            }
            lanes[lane].line(&line, log, &mut bulk)
        })?;
        lanes[writing].finish(&mut bulk)?;
        lanes[1 - writing].unpark(&mut bulk.body);
        lanes[1 - writing].finish(&mut bulk)?;
    }
    bulk.send()
}

/// The open event of a container's stream.
struct Lane {
    /// What follows the message.
    end: Vec<u8>,
    /// Where the open event's action begins in the body.
    start: Option<usize>,
    /// The open event while the other lane writes.
    parked: Vec<u8>,
    /// The last line was cut by the runtime.
    partial: bool,
}

impl Lane {
    fn new(stream: &str, log: &Log) -> Self {
        let end = format!(",\"log\":{{\"iostream\":\"{stream}\",\"file\":{{\"path\":{}}}}}}}\n", log.json);
        Self { end: end.into_bytes(), start: None, parked: Vec::new(), partial: false }
    }

    #[inline]
    fn line(&mut self, line: &cri::Line<'_>, log: &Log, bulk: &mut Bulk) -> Result<(), String> {
        if self.start.is_some() && self.partial {
            let text = json_escape_simd::escape(line.text);
            bulk.body.pop();
            bulk.body.extend_from_slice(text.as_bytes().get(1..).unwrap_or_default());
        } else if self.start.is_some() && !line.text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            // Straight into the body: the last string's closing quote becomes the backslash and the next one's
            // opening quote the letter of an escaped line feed.
            let quote = bulk.body.len() - 1;
            bulk.body[quote] = b'\\';
            json_escape_simd::escape_into(line.text, &mut bulk.body);
            bulk.body[quote + 1] = b'n';
        } else {
            self.finish(bulk)?;
            self.start = Some(bulk.body.len());
            bulk.action(&log.id);
            bulk.body.extend_from_slice(b"{\"@timestamp\":\"");
            bulk.body.extend_from_slice(line.time.as_bytes());
            bulk.body.extend_from_slice(b"\",\"message\":");
            json_escape_simd::escape_into(line.text, &mut bulk.body);
        }
        self.partial = line.partial;
        Ok(())
    }

    #[inline]
    fn finish(&mut self, bulk: &mut Bulk) -> Result<(), String> {
        if self.start.take().is_none() {
            return Ok(());
        }
        bulk.body.extend_from_slice(&self.end);
        bulk.full()
    }

    fn park(&mut self, body: &mut Vec<u8>) {
        if let Some(start) = self.start {
            self.parked.clear();
            self.parked.extend_from_slice(&body[start..]);
            body.truncate(start);
        }
    }

    fn unpark(&mut self, body: &mut Vec<u8>) {
        if self.start.is_some() {
            self.start = Some(body.len());
            body.extend_from_slice(&self.parked);
        }
    }
}
