//! `enrich`: facts that are not in the event, found by one of its fields.

use super::{Context, Flow, Step};
use crate::enrich::Enricher;
use crate::event::{Row, Slot, Span, Value};
use crate::format::commit;
use crate::limits::ROW_ARENA_BYTES_MAX;
use crate::signature::{Example, Signature};

/// What `enrich` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "enrich",
    summary: "adds facts that are found by a field: where an address is, what a User-Agent says, a table's columns",
    doc: "Each enricher looks at the field in its parentheses and adds fields beside it, or to the object named by `into`. \
          What it knows nothing of stays as it is. Databases and tables are read anew when they are changed, between two \
          batches; a replay keeps to what it read first. `aludel list enrichers` shows them all.",
    form: "enrich ENRICHER(.FIELD, OPTION = VALUE) into .FIELD, …",
    options: &[],
    examples: &[
        Example {
            title: "two at once",
            source: "enrich url(.url.original), domain(.source.domain)",
            input: r#"{"url":{"original":"/cart?id=7"},"source":{"domain":"web-1.example.org"}}"#,
            result: r#"{"source":{"domain":"web-1.example.org","registered_domain":"example.org","subdomain":"web-1","top_level_domain":"org"},"url":{"original":"/cart?id=7","path":"/cart","query":"id=7"}}"#,
        },
        Example {
            title: "below another object",
            source: "enrich domain(.client) into .network",
            input: r#"{"client":"example.org"}"#,
            result: r#"{"client":"example.org","network":{"registered_domain":"example.org","top_level_domain":"org"}}"#,
        },
        Example {
            title: "what is not known stays as it is",
            source: "enrich domain(.client)",
            input: r#"{"client":"203.0.113.7"}"#,
            result: r#"{"client":"203.0.113.7"}"#,
        },
    ],
};

/// One enricher and the field that it looks at; without a field it is for every event.
pub type Looked = (Option<Slot>, Box<dyn Enricher>);

/// `enrich NAME(.FIELD), …`
pub struct Enrich {
    /// In order.
    pub enrichers: Box<[Looked]>,
}

impl Step for Enrich {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let work = &mut *cx.work;
        for (input, enricher) in &self.enrichers {
            let input = match input.map(|input| row.read(input)) {
                None => Span { start: 0, len: 0, buffer: Span::CONSTANTS, facts: Default::default() },
                Some(Some(Value::Text(span) | Value::Ip(span))) => span,
                Some(_) => continue,
            };
            work.fields.clear();
            enricher.enrich(input, &mut row.texts, &mut work.fields, &mut work.held);
            if row.texts.derived_bytes() <= ROW_ARENA_BYTES_MAX {
                commit(row, &mut work.fields);
            }
        }
        Flow::Next
    }
}
