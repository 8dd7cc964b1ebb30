//! Rows for the sink under test.

use std::sync::Arc;

use aludel::event::{Facts, LayoutBuilder, Mask, Message, OptionValue, Options, Row, Span, Template, Value};
use aludel::position::{IdPrefix, PipelineTag, Stream, StreamId};
use aludel::signature::Type;
use aludel::sink::kafka::KIND;
use aludel::sink::{Body, EventRef, Provenance, Shape, SinkPlan};

pub(crate) const SERVICES: &[&str] = &["web", "db", "Worker 1", ""];

pub(crate) fn text(text: &str) -> OptionValue {
    OptionValue::Text(text.into())
}

pub(crate) fn template(text: &str) -> OptionValue {
    OptionValue::Template(Template::parse(text).expect("a template"))
}

/// A checked sink to a broker, with options beside a topic and those that must be there.
pub(crate) fn plan(address: &str, topic: &str, more: &[(&'static str, OptionValue)]) -> Box<dyn SinkPlan> {
    let mut values = more.to_vec();
    for (name, value) in [
        ("topic", template(topic)),
        ("fallback", text("other")),
        ("cursor_topic", text("aludel-cursors")),
        ("transactions", OptionValue::Bool(true)),
        ("commit_interval", OptionValue::Duration(std::time::Duration::from_millis(20))),
    ] {
        if !values.iter().any(|(known, _)| *known == name) {
            values.push((name, value));
        }
    }
    (KIND.plan)("bus", &Options::new(vec![address.to_owned()], values)).expect("a plan")
}

/// Bodies of `batches` batches of `rows` rows, from batch number `first` on, with `pad` giving the length of each
/// text. Row `n` of batch `b` has the number `b * rows + n`; the same numbers give the same rows.
pub(crate) fn bodies(
    plan: &dyn SinkPlan,
    first: u64,
    batches: u64,
    rows: u64,
    pad: &dyn Fn(u64) -> usize,
) -> Vec<Body> {
    let mut builder = LayoutBuilder::default();
    for path in ["message", "n", "service.name"] {
        builder.add(path);
    }
    let layout = Arc::new(builder.build());
    let shape = Shape {
        layout: Arc::clone(&layout),
        types: vec![Type::Any; layout.len()].into(),
        pipeline: "p".into(),
        tag: PipelineTag::new("p"),
        sent: Mask::ALL,
    };
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    let stream =
        Arc::new(Stream { id: StreamId(7), generation: 0, source: "test".into(), path: "test.log".into() });
    let ids = IdPrefix::new(stream.id, 0, 0, shape.tag);
    let empty = Span { start: 0, len: 0, buffer: 0, facts: Facts::UNKNOWN };
    let slot = |path: &str| layout.slot(path).expect("named");
    let mut row = Row::new(Arc::clone(&layout), Arc::default());
    let mut bodies = Vec::new();
    for batch in first..first + batches {
        for n in batch * rows..(batch + 1) * rows {
            row.clear();
            let message = row.texts.push("x".repeat(pad(n)).as_bytes());
            let service = row.texts.push(SERVICES[n as usize % SERVICES.len()].as_bytes());
            row.set(slot("message"), Value::Text(message));
            row.set(slot("n"), Value::Int(n as i64));
            row.set(slot("service.name"), Value::Text(service));
            let message =
                Message { text: empty, time: empty, start: n * 100, end: n * 100 + 100, lane: 0, part: 0 };
            // One that the encoder refuses is the worker's to account for.
            let _ = encoder.push(&mut row, EventRef { ids: &ids, message: &message, stream: &stream });
        }
        let range = batch * rows * 100..(batch + 1) * rows * 100;
        let provenance = Arc::new(Provenance { batch, ranges: vec![(stream.clone(), vec![range])] });
        bodies.push(Body::joined(&provenance, encoder.finish(&provenance)));
    }
    bodies
}

/// The number of a row, from its value.
pub(crate) fn number(value: &[u8]) -> u64 {
    let value: serde_json::Value = serde_json::from_slice(value).expect("json");
    value["n"].as_u64().expect("a number")
}
