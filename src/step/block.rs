//! Steps one after the other.

use super::{Context, Flow, Step};
use crate::event::Row;

/// Steps that run in order until one ends the row.
#[derive(Default)]
pub struct Block(pub Vec<Box<dyn Step>>);

impl Step for Block {
    #[inline]
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        for step in &self.0 {
            let flow = step.run(row, cx);
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }
}
