//! Named groups of a regular expression. Linear in the message, as all of aludel's matching.

use regex::bytes::{Regex, RegexBuilder};

use super::members::part;
use super::typed::{convert, name_and_type};
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Options, Slot, Span, Texts};
use crate::limits::REGEX_BYTES_MAX;
use crate::signature::{Example, Field, OptionSpec, OptionType, Signature, Type};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "regex",
        summary: "named groups of a regular expression become fields",
        doc: "`(?<a__b>…)` is the field `.a.b`. A last `__int`, `__float`, `__bool`, `__ip` or `__timestamp` is its type. \
              The expression may match anywhere in the text; begin it with `^` where it must not.",
        form: "regex(pattern)",
        options: &[
            OptionSpec {
                name: "pattern",
                ty: OptionType::Text,
                default: Some(""),
                doc: "the regular expression",
            },
            OptionSpec {
                name: "zone",
                ty: OptionType::Text,
                default: Some("\"UTC\""),
                doc: "zone of times that do not name theirs",
            },
        ],
        examples: &[Example {
            title: "groups become fields",
            source: "parse .message as regex(\"user (?<user__name>[a-z]+) took (?<took__int>[0-9]+)\")",
            input: r#"{"message": "user ada took 12"}"#,
            result: r#"{"message": "user ada took 12", "user": {"name": "ada"}, "took": 12}"#,
        }],
    },
    gives: |options| {
        let fields = groups(&compile(options)?);
        let field = |(_, path, ty)| Field { path, ty, maybe: true, doc: String::new() };
        Ok(Gives { fields: fields.into_iter().map(field).collect(), open: false })
    },
    bind: |bind: &mut Bind<'_>| {
        let regex = compile(bind.options)?;
        let group = |(number, path, ty): (usize, String, Type)| Ok((number, bind.slot(&path)?, ty));
        let groups = groups(&regex).into_iter().map(group).collect::<Result<_, String>>()?;
        Ok(Box::new(Groups { regex, groups, calendar: bind.calendar()? }))
    },
};

fn compile(options: &Options) -> Result<Regex, String> {
    let pattern = options.text("pattern").filter(|pattern| !pattern.is_empty());
    let pattern = pattern.or(options.arguments.first().map(String::as_str)).ok_or("a pattern is missing")?;
    let regex =
        RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().map_err(|error| error.to_string())?;
    if regex.capture_names().flatten().next().is_none() {
        return Err("the pattern has no named group such as (?<user__name>…)".into());
    }
    Ok(regex)
}

/// Number, path and type of each named group.
fn groups(regex: &Regex) -> Vec<(usize, String, Type)> {
    let named = regex.capture_names().enumerate().filter_map(|(number, name)| Some((number, name?)));
    named
        .map(|(number, name)| {
            let (path, ty) = name_and_type(name, "__");
            (number, path.replace("__", "."), ty)
        })
        .collect()
}

struct Groups {
    regex: Regex,
    groups: Box<[(usize, Slot, Type)]>,
    calendar: Calendar,
}

impl Format for Groups {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        let mut places = self.regex.capture_locations();
        if self.regex.captures_read(&mut places, bytes).is_none() {
            return Err(Mismatch::at(0, "the regular expression does not match"));
        }
        for (number, slot, ty) in &self.groups {
            if let Some((start, end)) = places.get(*number) {
                let span = part(input, start, end - start);
                let value = convert(&bytes[start..end], span, *ty, &self.calendar)
                    .ok_or_else(|| Mismatch::at(start, "a group is not of its type"))?;
                fields.push((Target::Slot(*slot), value));
            }
        }
        Ok(())
    }
}
