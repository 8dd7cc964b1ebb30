//! What the tests of steps share: a row from JSON, a step run over it, and the JSON after it.

use std::sync::Arc;

use super::{Context, Emit, Flow, Step, Work};
use crate::event::{LayoutBuilder, Row, Value, write_object};

/// Keeps what was emitted, as text.
#[derive(Default)]
struct Outputs(Vec<(usize, String)>);

impl Emit for Outputs {
    fn emit(&mut self, sink: usize, row: &mut Row) {
        self.0.push((sink, json(row)));
    }
}

/// A row that names these paths and holds this event.
pub(super) fn row(paths: &[&str], event: &str) -> Row {
    let mut builder = LayoutBuilder::default();
    for path in paths {
        assert!(builder.add(path));
    }
    let mut row = Row::new(Arc::new(builder.build()), Arc::default());
    let span = row.texts.push(event.as_bytes());
    row.write(0, Value::Object(span));
    row
}

/// The event as JSON.
pub(super) fn json(row: &Row) -> String {
    let mut out = Vec::new();
    write_object(row, &mut out);
    String::from_utf8(out).expect("json is text")
}

/// Runs a step; gives its flow and what it emitted.
pub(super) fn run(step: &dyn Step, row: &mut Row, work: &mut Work) -> (Flow, Vec<(usize, String)>) {
    let mut outputs = Outputs::default();
    let flow = step.run(row, &mut Context { outputs: &mut outputs, work });
    (flow, outputs.0)
}
