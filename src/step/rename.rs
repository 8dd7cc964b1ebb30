//! `rename`: fields move.

use super::{Context, Flow, Step};
use crate::event::{Row, Slot, Value};
use crate::signature::{Example, Signature};

/// What `rename` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "rename",
    summary: "moves fields, with all that is below them",
    doc: "What the new name held is replaced. A field that is missing moves nothing. All fields are read before the \
          first is written, so that two can change places.",
    form: "rename .FIELD to .FIELD, …",
    options: &[],
    examples: &[
        Example {
            title: "an object",
            source: "rename .req to .http.request",
            input: r#"{"req":{"method":"GET","id":1}}"#,
            result: r#"{"http":{"request":{"id":1,"method":"GET"}}}"#,
        },
        Example {
            title: "two fields change places; a missing one does nothing",
            source: "rename .a to .b, .b to .a, .c to .d",
            input: r#"{"a":1,"b":2,"d":3}"#,
            result: r#"{"a":2,"b":1,"d":3}"#,
        },
    ],
};

/// `rename .FIELD to .FIELD, …`
#[derive(Debug)]
pub struct Rename {
    /// From where to where.
    pub fields: Box<[(Slot, Slot)]>,
}

impl Step for Rename {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let values = &mut cx.work.values;
        values.clear();
        values.extend(self.fields.iter().map(|(from, _)| row.read(*from)));
        for ((from, _), value) in self.fields.iter().zip(values.iter()) {
            if value.is_some() {
                row.remove(*from);
            }
        }
        for ((_, to), value) in self.fields.iter().zip(values.iter()) {
            match value {
                // The event itself is an object and stays one.
                Some(value) if *to != 0 || matches!(value, Value::Object(_)) => row.write(*to, *value),
                _ => {}
            }
        }
        Flow::Next
    }
}
