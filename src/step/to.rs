//! `to`: the event, as it is here, goes to sinks.

use super::{Context, Flow, Step};
use crate::event::Row;
use crate::signature::{Example, Signature};

/// What `to` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "to",
    summary: "sends the event, as it is here, to sinks",
    doc: "The event goes on after it: later steps change what later sinks get, never what earlier ones got. An event \
          that reaches no `to` is counted as dropped. What detectors raise are no events of the pipeline: `alerts to SINK`, its \
          last line, without `|`, sends those.",
    form: "to SINK, …",
    options: &[],
    examples: &[Example {
        title: "one sink gets more than the other",
        source: "to out | remove .secret | to out",
        input: r#"{"a":1,"secret":2}"#,
        result: r#"{"a":1}"#,
    }],
};

/// `to SINK, …`
#[derive(Debug)]
pub struct To {
    /// The numbers of the sinks in the plan.
    pub sinks: Box<[usize]>,
}

impl Step for To {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        for sink in &self.sinks {
            cx.outputs.emit(*sink, row);
        }
        Flow::Next
    }
}
