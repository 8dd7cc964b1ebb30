//! Samples: a text, and the values that come of it.
//!
//! ```text
//! sample combined
//!   203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] "GET /x HTTP/1.1" 404 12
//!   => source.ip=203.0.113.7 http.response.status_code=404
//! ```

use super::{Fault, item};
use crate::grammar::written::Sample;

/// Reads a `sample` or `refuse` block that starts at an offset of the file. The text is indented by two blanks.
pub(super) fn sample(block: &str, start: usize) -> Result<Sample, Fault> {
    let mut lines = block.split_inclusive('\n');
    let head = lines.next().unwrap_or_default();
    let mut words = head.split_whitespace();
    let _ = words.next();
    let line = words.next().unwrap_or_default().to_owned();
    if let Some(extra) = words.next() {
        let at = head.find(extra).and_then(|at| block.get(at..)).unwrap_or(block);
        return Err(Fault::at(at, "the text of a sample stands on lines of its own, indented"));
    }
    let mut sample = Sample { line, place: start..start + head.trim_end().len(), ..Sample::default() };
    let mut text: Vec<&str> = Vec::new();
    let mut at = start + head.len();
    sample.values_place = at..at;
    for raw in lines {
        let content = raw.trim_end_matches(['\n', '\r']);
        let inner = content.strip_prefix("  ").unwrap_or(content.trim_start());
        if let Some(values) = inner.strip_prefix("=> ") {
            if sample.values_place.is_empty() {
                sample.values_place.start = at;
            }
            sample.values_place.end = at + raw.len();
            pairs(values, block, &mut sample.values)?;
        } else if !inner.is_empty() || !text.is_empty() && sample.values.is_empty() {
            text.push(inner);
        }
        at += raw.len();
        if sample.values.is_empty() && !content.trim().is_empty() {
            sample.values_place = at..at;
        }
    }
    while text.last().is_some_and(|line| line.is_empty()) {
        text.pop();
    }
    sample.text = text.join("\n");
    if sample.text.is_empty() {
        return Err(Fault::at(block, "a sample without text"));
    }
    Ok(sample)
}

/// `path=value` pairs; a value with blanks or quotes is in quotes.
fn pairs(mut rest: &str, block: &str, values: &mut Vec<(String, String)>) -> Result<(), Fault> {
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(());
        }
        let wrong = |message: &str| Err(Fault::at(block, message));
        let Some((path, after)) = rest.split_once('=') else {
            return wrong("a value of this sample is not of the form path=value");
        };
        let value;
        (rest, value) = if after.starts_with('"') {
            match item::text(after) {
                Ok((rest, value)) => (rest, value),
                Err(_) => return wrong("a quoted value of this sample is not closed"),
            }
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            let (value, rest) = after.split_at(end);
            (rest, value.to_owned())
        };
        values.push((path.trim().to_owned(), value));
    }
}
