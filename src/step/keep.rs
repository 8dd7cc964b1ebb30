//! `keep`: only these fields stay.

use super::{Context, Flow, Step};
use crate::event::{Layout, Mask, Row, Slot};
use crate::signature::{Example, Signature};

/// What `keep` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "keep",
    summary: "keeps only these fields, with all that is below them",
    doc: "Keys that no step names go too, unless they are below a field that is kept.",
    form: "keep .FIELD, …",
    options: &[],
    examples: &[Example {
        title: "a field and an object",
        source: "keep .message, .http",
        input: r#"{"http":{"version":"1.1","odd":1},"message":"x","other":2}"#,
        result: r#"{"http":{"odd":1,"version":"1.1"},"message":"x"}"#,
    }],
};

/// `keep .FIELD, …`
#[derive(Debug)]
pub struct Keep {
    wanted: Mask,
}

impl Keep {
    /// Keeps the fields and what the layout names below them.
    pub fn new(layout: &Layout, fields: &[Slot]) -> Self {
        let mut wanted = Mask::default();
        for field in fields {
            (*field..layout.end(*field)).for_each(|slot| wanted.insert(slot));
        }
        Self { wanted }
    }
}

impl Step for Keep {
    fn run(&self, row: &mut Row, _: &mut Context<'_>) -> Flow {
        row.retain(&self.wanted);
        Flow::Next
    }
}
