//! `drop`: an event that nobody needs ends here, and is counted under a reason.

use super::{Context, Flow, ReasonId, Step};
use crate::event::Row;
use crate::expr::Expr;
use crate::signature::{Example, Signature};

/// What `drop` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "drop",
    summary: "ends an event, counted under a reason",
    doc: "Without `when` every event is dropped. The ledger shows how many bytes each reason took.",
    form: "drop \"REASON\" when CONDITION",
    options: &[],
    examples: &[
        Example {
            title: "health checks",
            source: "drop \"health check\" when .url.path == \"/healthz\"",
            input: r#"{"url":{"path":"/healthz"}}"#,
            result: "dropped \"health check\"",
        },
        Example {
            title: "a missing field is not equal to anything",
            source: "drop \"health check\" when .url.path == \"/healthz\"",
            input: r#"{"message":"x"}"#,
            result: r#"{"message":"x"}"#,
        },
    ],
};

/// `drop "REASON" when CONDITION`
#[derive(Debug)]
pub struct Drop {
    /// The reason.
    pub reason: ReasonId,
    /// The condition; `None` drops every row.
    pub when: Option<Expr>,
}

impl Step for Drop {
    fn run(&self, row: &mut Row, _: &mut Context<'_>) -> Flow {
        match &self.when {
            Some(condition) if !condition.test(row) => Flow::Next,
            _ => Flow::Drop(self.reason),
        }
    }
}
