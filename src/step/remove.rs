//! `remove`: fields go.

use super::{Context, Flow, Step};
use crate::event::{Row, Slot};
use crate::signature::{Example, Signature};

/// What `remove` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "remove",
    summary: "removes fields, with all that is below them",
    doc: "A field that is missing is no error.",
    form: "remove .FIELD, …",
    options: &[],
    examples: &[Example {
        title: "an object and a field",
        source: "remove .http.request, .message",
        input: r#"{"http":{"request":{"method":"GET","id":1},"version":"1.1"},"message":"x"}"#,
        result: r#"{"http":{"version":"1.1"}}"#,
    }],
};

/// `remove .FIELD, …`
#[derive(Debug)]
pub struct Remove {
    /// The fields.
    pub fields: Box<[Slot]>,
}

impl Step for Remove {
    fn run(&self, row: &mut Row, _: &mut Context<'_>) -> Flow {
        for field in &self.fields {
            row.remove(*field);
        }
        Flow::Next
    }
}
