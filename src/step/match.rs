//! `match`: one of several branches, by a value.

use super::{Block, Context, Flow, Step};
use crate::event::Row;
use crate::expr::{Constant, Expr, Set};
use crate::signature::{Example, Signature};

/// What `match` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "match",
    summary: "runs the steps of the arm that a value fits",
    doc: "The patterns of an arm are constants, compared as `==` does. The first arm that fits is taken; `else` where \
          none does, or where the value is missing. The arms are looked up by hash, so that many cost no more than few.",
    form: "match EXPR { PATTERN, … => { | STEP … } … else => { | STEP … } }",
    options: &[],
    examples: &[
        Example {
            title: "by the name of a level",
            source: "match .log.level { \"warn\", \"warning\" => { | set .severity = 4 } \
                     \"error\" => { | set .severity = 3 } else => { | set .severity = 6 } }",
            input: r#"{"log":{"level":"warning"}}"#,
            result: r#"{"log":{"level":"warning"},"severity":4}"#,
        },
        Example {
            title: "a missing value takes the `else` arm",
            source: "match .kind { 1 => { | drop \"one\" } else => { | set .other = true } }",
            input: r#"{"x":1}"#,
            result: r#"{"other":true,"x":1}"#,
        },
    ],
};

/// `match SUBJECT { … }`
pub struct Match {
    subject: Expr,
    patterns: Set,
    arms: Box<[Block]>,
    otherwise: Block,
}

impl Match {
    /// A match with the patterns and steps of its arms, and the steps where none fits.
    pub fn new(subject: Expr, arms: Vec<(Vec<Constant>, Block)>, otherwise: Block) -> Self {
        let (patterns, arms): (Vec<_>, Vec<_>) = arms.into_iter().unzip();
        Self {
            subject,
            patterns: Set::of_groups(patterns.iter().map(Vec::as_slice)),
            arms: arms.into(),
            otherwise,
        }
    }
}

impl Step for Match {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let arm = self.subject.eval(row).and_then(|value| self.patterns.group(value, &row.texts));
        arm.and_then(|arm| self.arms.get(arm)).unwrap_or(&self.otherwise).run(row, cx)
    }
}
