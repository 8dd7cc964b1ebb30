//! `blackhole`: takes everything and keeps nothing, for measuring the rest of a pipeline.
//!
//! `format` says how much of the work is done before the bytes are dropped.

use std::time::Duration;

use super::lines::{Form, Lines};
use super::{Body, Encoder, Next, OpenError, Settled, Shape, Sink, SinkKind, SinkPlan, World};
use crate::event::Options;
use crate::position::CursorRecord;
use crate::signature::{OptionSpec, OptionType, Signature};

/// As the catalog lists it.
pub const KIND: SinkKind = SinkKind {
    signature: &Signature {
        name: "blackhole",
        summary: "takes everything and keeps nothing",
        doc: "Rows count as delivered as soon as they come. For measuring a pipeline without a destination, and \
              for sources that must be read and not kept. `format` says whether rows are encoded first.",
        form: "blackhole { format = none }",
        options: &[OptionSpec {
            name: "format",
            ty: OptionType::Word(&["none", "ndjson", "text"]),
            default: Some("none"),
            doc: "what is made of each row before it is dropped: nothing, a JSON object, or its message",
        }],
        examples: &[],
    },
    plan: |_, options| Ok(Box::new(Plan { form: form(options) })),
};

fn form(options: &Options) -> Option<Form> {
    match options.text("format") {
        Some("ndjson") => Some(Form::Ndjson),
        Some("text") => Some(Form::Text),
        _ => None,
    }
}

struct Plan {
    form: Option<Form>,
}

impl SinkPlan for Plan {
    fn encoder(&self, shape: &Shape) -> Result<Box<dyn Encoder>, String> {
        Ok(Box::new(Lines::new(self.form, shape)))
    }

    fn open(&self, _: World) -> Result<(Box<dyn Sink>, Vec<CursorRecord>), OpenError> {
        Ok((Box::<Blackhole>::default(), Vec::new()))
    }

    fn guarantee(&self) -> &'static str {
        "nothing is kept"
    }

    fn place(&self) -> String {
        "nowhere".to_owned()
    }
}

#[derive(Default)]
struct Blackhole {
    taken: Vec<Body>,
    closed: bool,
}

impl Sink for Blackhole {
    fn offer(&mut self, body: Body, _: Duration) {
        self.taken.push(body);
    }

    fn step(&mut self, _: Duration, settled: &mut Vec<Settled>) -> Next {
        settled.extend(self.taken.drain(..).map(Settled::whole));
        if self.closed { Next::Done } else { Next::Idle }
    }

    fn close(&mut self) {
        self.closed = true;
    }
}
