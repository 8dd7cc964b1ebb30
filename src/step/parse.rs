//! `parse`: the text of a field becomes fields.

use super::{Context, Flow, Step};
use crate::event::{Row, Slot, Value};
use crate::format::{Fields, Format, Target, commit};
use crate::limits::{PARSE_REASONS_MAX, ROW_ARENA_BYTES_MAX};
use crate::signature::{Example, Signature};

/// What `parse` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "parse",
    summary: "takes the text of a field apart, by the first format that fits",
    doc: "The formats are tried in order; the fields of the first that takes the whole text are added to the event, or \
          to the object named by `into`. Where none does, nothing is added and `else` says what happens: `pass` (the \
          default) lets the event go on, `drop \"REASON\"` ends it, `reject \"REASON\"` sends it to the dead letters. \
          What each format refused is counted by reason.",
    form: "parse .FIELD as FORMAT or FORMAT … into .FIELD else OTHERWISE",
    options: &[],
    examples: &[
        Example {
            title: "json, below an object",
            source: "parse .message as json into .app else pass",
            input: r#"{"message":"{\"n\":1}"}"#,
            result: r#"{"app":{"n":1},"message":"{\"n\":1}"}"#,
        },
        Example {
            title: "what does not parse goes on as it was",
            source: "parse .message as json else pass",
            input: r#"{"message":"plain"}"#,
            result: r#"{"message":"plain"}"#,
        },
        Example {
            title: "what does not parse is dropped",
            source: "parse .message as json else drop \"no json\"",
            input: r#"{"message":"plain"}"#,
            result: "dropped \"no json\"",
        },
    ],
};

/// What the formats of all parse steps of a plan took and refused, by the number of the format in the plan.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By format.
    pub formats: Vec<FormatCounts>,
}

/// What one format of one parse step took and refused.
#[derive(Clone, Debug, Default)]
pub struct FormatCounts {
    /// Events that it took.
    pub taken: u64,
    /// Events that neither it nor any other format of its step took, by its reason; at most
    /// [`PARSE_REASONS_MAX`] reasons.
    pub refused: Vec<(&'static str, u64)>,
}

impl Counts {
    #[inline]
    fn of(&mut self, format: usize) -> &mut FormatCounts {
        if self.formats.len() <= format {
            self.formats.resize_with(format + 1, FormatCounts::default);
        }
        &mut self.formats[format]
    }
}

impl FormatCounts {
    fn refuse(&mut self, reason: &'static str) {
        if let Some((_, count)) = self.refused.iter_mut().find(|(known, _)| *known == reason) {
            *count += 1;
        } else if self.refused.len() < PARSE_REASONS_MAX {
            self.refused.push((reason, 1));
        }
    }
}

/// `parse .FIELD as FORMAT or … else …`
pub struct Parse {
    /// The field whose text is parsed.
    pub input: Slot,
    /// The formats, tried in order, bound to where their fields go.
    pub formats: Box<[Box<dyn Format>]>,
    /// The number of the first of them in the plan, for [`Counts`]; the others follow.
    pub first_count: usize,
    /// What becomes of a row that none takes.
    pub otherwise: Flow,
}

impl Step for Parse {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let work = &mut *cx.work;
        let input = match row.read(self.input) {
            Some(Value::Text(span) | Value::Object(span) | Value::List(span)) => span,
            found => {
                let reason = if found.is_some() { "the field is no text" } else { "the field is missing" };
                work.reasons.clear();
                work.reasons.push(reason);
                for at in 0..self.formats.len() {
                    work.counts.of(self.first_count + at).refuse(reason);
                }
                return self.otherwise;
            }
        };
        work.reasons.clear();
        for (at, format) in self.formats.iter().enumerate() {
            work.fields.clear();
            work.reasons.push(match format.parse_as(input, &mut row.texts, &mut work.fields) {
                Ok(told) if row.texts.derived_bytes() <= ROW_ARENA_BYTES_MAX => {
                    work.counts.of(self.first_count + at).taken += 1;
                    work.told = told;
                    replace(row, &work.fields);
                    commit(row, &mut work.fields);
                    return Flow::Next;
                }
                Ok(_) => "it derives more bytes than one event may hold",
                Err(mismatch) => mismatch.reason,
            });
        }
        for (at, reason) in work.reasons.iter().enumerate() {
            work.counts.of(self.first_count + at).refuse(reason);
        }
        self.otherwise
    }
}

/// Keys of an earlier parse go where this one has the same, so that no key is there twice.
fn replace(row: &mut Row, fields: &Fields) {
    if row.rest().is_empty() {
        return;
    }
    let keys = fields.iter().filter_map(|(target, _)| match target {
        Target::Key(parent, key) | Target::Rest(parent, key) => Some((*parent, *key)),
        Target::Slot(_) => None,
    });
    row.forget(keys);
}

#[cfg(test)]
mod tests {
    use super::super::Work;
    use super::super::testing::{json, row, run};
    use super::*;
    use crate::event::{Span, Texts};
    use crate::format::Mismatch;

    /// Takes texts of one letter.
    struct Letter(u8, Slot);

    impl Format for Letter {
        fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
            fields.push((Target::Slot(self.1), Value::Text(input)));
            if texts.bytes(input) == [self.0] { Ok(()) } else { Err(Mismatch::at(0, "another letter")) }
        }
    }

    #[test]
    fn the_first_format_that_fits_gives_the_fields() {
        let mut work = Work::default();
        let mut event = row(&["message", "a", "b"], r#"{"message":"b"}"#);
        let slot = |path| event.layout().slot(path).expect("named");
        let parse = Parse {
            input: slot("message"),
            formats: Box::new([
                Box::new(Letter(b'a', slot("a"))) as _,
                Box::new(Letter(b'b', slot("b"))) as _,
            ]),
            first_count: 3,
            otherwise: Flow::Drop(7),
        };
        assert_eq!(run(&parse, &mut event, &mut work).0, Flow::Next);
        assert_eq!(json(&event), r#"{"b":"b","message":"b"}"#);
        for text in [r#"{"message":"c"}"#, r#"{"message":1}"#, "{}"] {
            let mut event = row(&["message", "a", "b"], text);
            assert_eq!(run(&parse, &mut event, &mut work).0, Flow::Drop(7));
            assert_eq!(json(&event), text);
        }
        assert_eq!(work.counts.formats[4].taken, 1);
        let reasons = [("another letter", 1), ("the field is no text", 1), ("the field is missing", 1)];
        assert_eq!(work.counts.formats[3].refused, reasons);
    }

    /// Gives its input under a key that the layout does not name.
    struct Open;

    impl Format for Open {
        fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
            let key = texts.push(b"x");
            fields.push((Target::Key(0, key), Value::Text(input)));
            Ok(())
        }
    }

    #[test]
    fn a_second_parse_replaces_keys_of_the_first() {
        let mut event = row(&["message"], r#"{"message":"m","x.y":1,"xy":2}"#);
        let parse = Parse {
            input: event.layout().slot("message").expect("named"),
            formats: Box::new([Box::new(Open) as _]),
            first_count: 0,
            otherwise: Flow::Next,
        };
        for _ in 0..2 {
            assert_eq!(run(&parse, &mut event, &mut Work::default()).0, Flow::Next);
            assert_eq!(json(&event), r#"{"message":"m","xy":2,"x":"m"}"#);
        }
    }
}
