//! Rows for the sink under test, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aludel::event::{Facts, LayoutBuilder, Mask, Message, OptionValue, Options, Row, Span, Template, Value};
use aludel::position::{IdPrefix, PipelineTag, Stream, StreamId};
use aludel::signature::Type;
use aludel::sink::elasticsearch::KIND;
use aludel::sink::{Body, EventRef, Provenance, Settled, Shape, SinkPlan};

pub(crate) const SERVICES: &[&str] = &["web", "db", "Worker-1", ""];

/// A checked sink over some nodes, with options beside the usual ones.
pub(crate) fn plan(urls: &[String], more: &[(&'static str, OptionValue)]) -> Box<dyn SinkPlan> {
    let template = Template::parse("logs-{.service.name}-prod").expect("a template");
    let mut values = more.to_vec();
    values.push(("data_stream", OptionValue::Template(template)));
    values.push(("fallback", OptionValue::Text("logs-other-prod".into())));
    (KIND.plan)("es", &Options::new(urls.to_vec(), values)).expect("a plan")
}

/// One batch of rows with a truth value `flag`, which the compiler knows.
pub(crate) fn flagged(plan: &dyn SinkPlan, rows: u64) -> Vec<Body> {
    encode(plan, 0, 1, rows, true)
}

/// Bodies of `batches` batches of `rows` rows, from batch number `first` on. Row `n` of batch `b` has the number
/// `b * rows + n`; the same numbers give the same rows.
pub(crate) fn bodies(plan: &dyn SinkPlan, first: u64, batches: u64, rows: u64) -> Vec<Body> {
    encode(plan, first, batches, rows, false)
}

fn encode(plan: &dyn SinkPlan, first: u64, batches: u64, rows: u64, flag: bool) -> Vec<Body> {
    let mut builder = LayoutBuilder::default();
    for path in ["@timestamp", "message", "n", "service.name"] {
        builder.add(path);
    }
    if flag {
        builder.add("flag");
    }
    let layout = Arc::new(builder.build());
    let shape = Shape {
        layout: Arc::clone(&layout),
        types: (0..layout.len() as u16)
            .map(|slot| match layout.path(slot) {
                "flag" => Type::Bool,
                "@timestamp" => Type::Timestamp,
                _ => Type::Any,
            })
            .collect(),
        pipeline: "p".into(),
        tag: PipelineTag::new("p"),
        sent: Mask::ALL,
    };
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let stream = Stream { id: StreamId(7), generation: 0, source: "test".into(), path: "test.log".into() };
    let stream = Arc::new(stream);
    let ids = IdPrefix::new(stream.id, 0, 0, shape.tag);
    let empty = Span { start: 0, len: 0, buffer: 0, facts: Facts::UNKNOWN };
    let slot = |path: &str| layout.slot(path).expect("named");
    let mut row = Row::new(Arc::clone(&layout), Arc::default());
    let mut bodies = Vec::new();
    for batch in first..first + batches {
        for n in batch * rows..(batch + 1) * rows {
            row.clear();
            let text = row.texts.push(format!("line {n} {}", "x".repeat(n as usize % 97)).as_bytes());
            let service = row.texts.push(SERVICES[n as usize % SERVICES.len()].as_bytes());
            row.set(slot("@timestamp"), Value::Timestamp(1_700_000_000_000_000_000 + n as i64));
            row.set(slot("message"), Value::Text(text));
            if flag {
                row.set(slot("flag"), Value::Bool(true));
            }
            row.set(slot("n"), Value::Int(n as i64));
            row.set(slot("service.name"), Value::Text(service));
            let message =
                Message { text: empty, time: empty, start: n * 100, end: n * 100 + 100, lane: 0, part: 0 };
            encoder
                .push(&mut row, EventRef { ids: &ids, message: &message, stream: &stream })
                .expect("a row that fits");
        }
        let range = batch * rows * 100..(batch + 1) * rows * 100;
        let ranges = vec![(Arc::clone(&stream), vec![range])];
        bodies.extend(encoder.finish(&Arc::new(Provenance { batch, ranges })));
    }
    bodies
}

/// The number of a row, from its document.
pub(crate) fn number(document: &str) -> u64 {
    let document: serde_json::Value = serde_json::from_str(document).expect("json");
    let aside = || document["_conflict"][0]["value"].as_str()?.parse().ok();
    document["n"].as_u64().or_else(aside).expect("a number")
}

/// What settled, added up, and what was given back.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) delivered: u32,
    pub(crate) repeated: u32,
    pub(crate) bytes: usize,
    pub(crate) batches: BTreeMap<u64, u32>,
    /// Rows without a field that was set aside, by data stream and field.
    pub(crate) set_aside: BTreeMap<String, u64>,
    /// Numbers of the rejected rows, with their reasons.
    pub(crate) rejected: BTreeMap<u64, String>,
}

impl Total {
    pub(crate) fn add(&mut self, settled: Vec<Settled>) {
        for settled in settled {
            let rejected = settled.rejected.len() as u32;
            *self.batches.entry(settled.provenance.batch).or_default() += settled.delivered + rejected;
            self.delivered += settled.delivered;
            self.repeated += settled.repeated;
            self.bytes += settled.bytes;
            let mut seen = BTreeSet::new();
            for (rejection, encoded) in settled.rejected {
                assert!(seen.insert(rejection.row), "a row is rejected once");
                let encoded = encoded.expect("the encoded row");
                let text = std::str::from_utf8(&encoded).expect("text");
                let document = text.lines().nth(1).expect("an action and a document");
                let before = self.rejected.insert(number(document), rejection.reason);
                assert_eq!(before, None, "a row is rejected once");
            }
        }
    }
}
