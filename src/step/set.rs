//! `set`: fields get values.

use super::{Context, Flow, Step};
use crate::event::{Row, Slot, Value};
use crate::expr::Expr;
use crate::signature::{Example, Signature};

/// What `set` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "set",
    summary: "gives fields values",
    doc: "All expressions see the event as it was before the step. `missing` removes the field. A value that may not \
          be there needs a `??`; with `?? missing` the field is left as it was, as it is after an overflow.",
    form: "set .FIELD = EXPR, …",
    options: &[],
    examples: &[
        Example {
            title: "a sum",
            source: "set .total = .a + .b ?? 0",
            input: r#"{"a":1,"b":2}"#,
            result: r#"{"a":1,"b":2,"total":3}"#,
        },
        Example {
            title: "a default, and a field that goes",
            source: "set .service.name = .service.name ?? \"unknown\", .tmp = missing",
            input: r#"{"tmp":1}"#,
            result: r#"{"service":{"name":"unknown"}}"#,
        },
        Example {
            title: "two fields change places",
            source: "set .a = .b ?? missing, .b = .a ?? missing",
            input: r#"{"a":1,"b":2}"#,
            result: r#"{"a":2,"b":1}"#,
        },
    ],
};

/// `set .FIELD = EXPR, …`
#[derive(Debug)]
pub struct Set {
    /// Fields and their values.
    pub fields: Box<[(Slot, Expr)]>,
}

impl Step for Set {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        if let [(slot, expr)] = &*self.fields {
            let value = expr.eval(row);
            assign(row, *slot, expr, value);
            return Flow::Next;
        }
        let values = &mut cx.work.values;
        values.clear();
        values.extend(self.fields.iter().map(|(_, expr)| expr.eval(row)));
        for ((slot, expr), value) in self.fields.iter().zip(values.iter()) {
            assign(row, *slot, expr, *value);
        }
        Flow::Next
    }
}

#[inline]
fn assign(row: &mut Row, slot: Slot, expr: &Expr, value: Option<Value>) {
    match value {
        // The event itself is an object and stays one.
        Some(value) if slot != 0 || matches!(value, Value::Object(_)) => row.write(slot, value),
        None if matches!(expr, Expr::Missing) => drop(row.remove(slot)),
        _ => {}
    }
}
