//! Lines that are cut before they are read: values with a separator between.
//!
//! Each value is then read as a line is, so that a time, a level or an address in a column is written as anywhere.

use super::bound::{self, Bound, Op};
use super::plan;
use crate::event::{LayoutBuilder, Mask, OptionValue, Options, Slot, Span, Texts};
use crate::format::{self, Bind, Fields, Format, Mismatch, Target};

/// Values with a separator between.
pub(super) struct Columns {
    csv: Box<dyn Format>,
    columns: Box<[Box<[Op]>]>,
}

impl Columns {
    pub(super) fn new(
        separator: &str,
        columns: &[Vec<plan::Item>],
        bind: &mut Bind<'_>,
    ) -> Result<Self, String> {
        // Their order in the layout is that of their names.
        let names: Vec<_> = (0..columns.len()).map(|at| format!("{at:04}")).collect();
        let mut builder = LayoutBuilder::default();
        for name in &names {
            builder.add(name);
        }
        let options = Options::new(
            Vec::new(),
            vec![
                ("columns", OptionValue::Texts(names)),
                ("delimiter", OptionValue::Text(separator.to_owned())),
            ],
        );
        let kind = format::formats().iter().find(|format| format.signature.name == "csv");
        let kind = kind.ok_or("there is no format `csv`")?;
        let csv = (kind.bind)(&mut Bind {
            layout: &builder.build(),
            prefix: "",
            options: &options,
            constants: bind.constants,
            reference: bind.reference.clone(),
            wanted: Mask::ALL,
        })?;
        let columns = columns.iter().map(|items| bound::sequence(items, bind)).collect::<Result<_, _>>()?;
        Ok(Self { csv, columns })
    }

    /// Reads the values; on an error, what was appended is dropped by the caller.
    pub(super) fn parse(
        &self,
        plan: &Bound,
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let mark = fields.len();
        self.csv.parse(input, texts, fields)?;
        let end = fields.len();
        let mut next = mark;
        for (at, ops) in self.columns.iter().enumerate() {
            // Slot 0 is the event itself. A value that is missing is an empty text.
            let here = Target::Slot(at as Slot + 1);
            let text = match fields.get(next).filter(|(target, _)| next < end && *target == here) {
                Some((_, value)) => {
                    next += 1;
                    value.span().unwrap_or(input.part(0, 0))
                }
                None => input.part(0, 0),
            };
            plan.run(ops, (text, text.facts.is_plain()), texts, fields)?;
        }
        fields.drain(mark..end);
        Ok(())
    }
}
