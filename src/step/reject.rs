//! `reject`: an event that should not be goes to the dead letters, with a reason.

use super::{Context, Flow, ReasonId, Step};
use crate::event::Row;
use crate::expr::Expr;
use crate::signature::{Example, Signature};

/// What `reject` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "reject",
    summary: "sends an event to the dead letters, with a reason",
    doc: "Without `when` every event is rejected. A dead letter holds the event as it is at this step, the reason and \
          the pipeline's version.",
    form: "reject \"REASON\" when CONDITION",
    options: &[],
    examples: &[Example {
        title: "a status that cannot be",
        source: "reject \"impossible status\" when .http.response.status_code > 599",
        input: r#"{"http":{"response":{"status_code":942}}}"#,
        result: "rejected \"impossible status\"",
    }],
};

/// `reject "REASON" when CONDITION`
#[derive(Debug)]
pub struct Reject {
    /// The reason.
    pub reason: ReasonId,
    /// The condition; `None` rejects every row.
    pub when: Option<Expr>,
}

impl Step for Reject {
    fn run(&self, row: &mut Row, _: &mut Context<'_>) -> Flow {
        match &self.when {
            Some(condition) if !condition.test(row) => Flow::Next,
            _ => Flow::Reject(self.reason),
        }
    }
}
