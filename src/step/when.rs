//! `when`: steps that run only where a condition holds.

use super::{Block, Context, Flow, Step};
use crate::event::Row;
use crate::expr::Expr;
use crate::signature::{Example, Signature};

/// What `when` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "when",
    summary: "runs steps where a condition holds, others where it does not",
    doc: "A condition over a missing field does not hold.",
    form: "when CONDITION { | STEP … } else { | STEP … }",
    options: &[],
    examples: &[
        Example {
            title: "a branch",
            source: "when .n > 9 { | set .size = \"big\" } else { | set .size = \"small\" }",
            input: r#"{"n":10}"#,
            result: r#"{"n":10,"size":"big"}"#,
        },
        Example {
            title: "the other branch",
            source: "when .n > 9 { | set .size = \"big\" } else { | set .size = \"small\" }",
            input: r#"{"n":9}"#,
            result: r#"{"n":9,"size":"small"}"#,
        },
    ],
};

/// `when CONDITION { … } else { … }`
pub struct When {
    /// The condition.
    pub condition: Expr,
    /// Steps where it holds.
    pub then: Block,
    /// Steps where it does not.
    pub otherwise: Block,
}

impl Step for When {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        if self.condition.test(row) { &self.then } else { &self.otherwise }.run(row, cx)
    }
}
