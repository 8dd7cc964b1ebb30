//! Docker json-file lines with an application's JSON object of about 407 bytes in `log`.

use std::fmt::Write;

use serde_json::Value;

use super::draw::{Draw, Pool};
use super::stamp::Stamp;
use super::{Shape, marker};

/// Different objects.
const OBJECTS: usize = 20_000;
const SERVICES: [&str; 6] = ["basket", "billing", "search", "login", "stock", "parcels"];
const MESSAGES: [&str; 6] = [
    "request done",
    "not in the cache, asking the origin",
    "upstream call is tried again",
    "customer wrote \"thanks\" \u{2014} noted",
    "slow query on the orders table",
    "event published on orders.v3",
];

/// The events of one file.
pub(crate) struct Json {
    /// Objects in two pieces, escaped as the text of `log`; the marker stands between.
    objects: Pool<(Vec<u8>, Vec<u8>)>,
    draw: Draw,
    stamp: Stamp,
    shape: Shape,
}

impl Json {
    pub(crate) fn new(draw: &mut Draw, stamp: Stamp, shape: Shape) -> Self {
        let objects = Pool::new(OBJECTS, draw);
        Self { objects, draw: Draw::new(draw.next()), stamp, shape }
    }

    pub(crate) fn write(&mut self, number: u32, out: &mut Vec<u8>) {
        self.stamp.tick(&mut self.draw);
        let (before, after) = self.objects.one(&mut self.draw, |draw| object(draw, self.shape));
        if self.shape == Shape::Reordered {
            out.extend_from_slice(b"{\"time\":\"");
            self.stamp.iso(out);
            out.extend_from_slice(b"\",\"stream\":\"stdout\",\"log\":\"");
        } else {
            out.extend_from_slice(b"{\"log\":\"");
        }
        out.extend_from_slice(before);
        marker(number, out);
        out.extend_from_slice(after);
        if self.shape == Shape::Reordered {
            out.extend_from_slice(b"\\n\"}\n");
        } else {
            out.extend_from_slice(b"\\n\",\"stream\":\"stdout\",\"time\":\"");
            self.stamp.iso(out);
            out.extend_from_slice(b"\"}\n");
        }
    }
}

fn object(draw: &mut Draw, shape: Shape) -> (Vec<u8>, Vec<u8>) {
    let mut members = members(draw, shape);
    if shape == Shape::Reordered {
        draw.shuffle(&mut members);
    }
    let text = format!("{{{}}}", members.join(","));
    let (before, after) = text.split_once('\u{1}').unwrap_or((&text, ""));
    (escape(before), escape(after))
}

/// `"name":value` for each member; the control character stands where the marker will be.
fn members(draw: &mut Draw, shape: Shape) -> Vec<String> {
    let level = draw.one(&["info", "info", "info", "info", "info", "info", "debug", "warn", "error"]);
    let mut message = draw.one(&MESSAGES).to_owned();
    let id = "\"event_id\":\"\u{1}\"".to_owned();
    if shape == Shape::Short {
        return vec![format!("\"level\":\"{level}\""), format!("\"msg\":{}", quote(&message)), id];
    }
    if shape == Shape::Long {
        for n in 0..40 {
            let _ = write!(message, "; step {n} took {} \u{b5}s", draw.below(100_000));
        }
    }
    let (a, b, c) = (draw.below(256), draw.below(256), draw.below(256));
    let (trace, span) = ((draw.next(), draw.next()), draw.next());
    let sampled = draw.once_in(10);
    let millis = draw.size() as f64 / 1000.0;
    let (method, path, status, port) = (draw.method(), draw.path(), draw.status(), draw.between(1024, 65535));
    let mut tags = ["\"blue\"", "\"canary\"", "\"eu-north-1\"", "\"eu-north-1b\"", "\"spot\"", "\"tier-1\""];
    draw.shuffle(&mut tags);
    vec![
        format!("\"level\":\"{level}\""),
        format!("\"msg\":{}", quote(&message)),
        format!("\"svc\":\"{}\"", draw.one(&SERVICES)),
        format!("\"hostname\":\"node-{a}-{b}-{c}\""),
        format!("\"pid\":{}", draw.between(1, 40_000)),
        "\"v\":0".to_owned(),
        id,
        format!(
            "\"trace\":{{\"trace_id\":\"{:016x}{:016x}\",\"span_id\":\"{span:016x}\",\"sampled\":{sampled}}}",
            trace.0, trace.1
        ),
        format!(
            "\"http\":{{\"method\":\"{method}\",\"path\":{},\"status\":{status},\"duration_ms\":{millis},\
             \"client\":{{\"ip\":\"10.{c}.{b}.{a}\",\"port\":{port}}}}}",
            quote(&path)
        ),
        format!("\"tags\":[{}]", tags.get(..3).unwrap_or_default().join(",")),
    ]
}

/// A text as a JSON string.
fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// A piece of a text as it stands within a JSON string, without the quotes.
fn escape(text: &str) -> Vec<u8> {
    let quoted = quote(text).into_bytes();
    quoted[1..quoted.len() - 1].to_vec()
}
