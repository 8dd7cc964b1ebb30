//! Grok: patterns with names, as Logstash has them (<https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-grok>).
//!
//! A pattern is read to a tree ([`syntax`]), with the names in it looked up in the [`library`]; the tree becomes a
//! [`program`] that knows where there is nothing to go back to; the [`machine`] runs it in linear time.

pub(crate) mod library;
mod machine;
mod node;
mod program;
mod syntax;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::members::{Derived, part};
use super::typed::convert;
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target, scan};
use crate::event::{Facts, Options, Slot, Span, Texts, Value, work, write_value};
use crate::signature::{Example, Field, OptionSpec, OptionType, Signature, Type};
use library::{Library, Names};
use machine::{Fault, Machine, NOWHERE};
use node::Node;
use program::Program;
use syntax::{Capture, Reader};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "grok",
        summary: "named patterns, as Logstash has them: %{IP:source.ip} %{GREEDYDATA:message}",
        doc: "`%{NAME}` matches a pattern of the library, `%{NAME:field}` makes a field of it, `%{NAME:[a][b]:int}` a \
              typed one (`int`, `float`, `bool`, `ip`, `timestamp`); `(?<field>…)` names a part in place. Between them \
              stands a regular expression in Ruby's syntax. The pattern may match anywhere in the text; begin it with \
              `^` where it must not. Several patterns are tried in order. Empty captures are no fields; a field that \
              is there already gets the new value (Logstash's `overwrite`); a field captured twice becomes a list. \
              Matching is linear in the text: what needs back-references or an open look-around is refused.",
        form: "grok(pattern)",
        options: &[
            OptionSpec {
                name: "pattern",
                ty: OptionType::Texts,
                default: None,
                doc: "the pattern, or several that are tried in order",
            },
            OptionSpec {
                name: "set",
                ty: OptionType::Word(&["ecs", "legacy"]),
                default: Some("ecs"),
                doc: "names that the library's patterns give their fields: Elastic Common Schema, or those from before",
            },
            OptionSpec {
                name: "patterns",
                ty: OptionType::Texts,
                default: Some(""),
                doc: "definitions of your own, each a name, a blank and the pattern; they go before all others",
            },
            OptionSpec {
                name: "pattern_files",
                ty: OptionType::Files,
                default: Some(""),
                doc: "files with definitions of your own, one a line, or folders of such files; read when the pipeline is compiled",
            },
            OptionSpec {
                name: "zone",
                ty: OptionType::Text,
                default: Some("\"UTC\""),
                doc: "zone of captures of type `timestamp` that do not name theirs",
            },
        ],
        examples: &[
            Example {
                title: "captures become fields",
                source: "parse .message as grok(\"%{IP:source.ip} took %{NUMBER:[event][took]:float}\")",
                input: r#"{"message": "203.0.113.7 took 1.5"}"#,
                result: r#"{"message": "203.0.113.7 took 1.5", "source": {"ip": "203.0.113.7"}, "event": {"took": 1.5}}"#,
            },
            Example {
                title: "definitions of your own",
                source: "parse .message as grok(\"^%{ORDER:order.id}$\", patterns = [\"ORDER [A-Z]{2}-%{INT}\"])",
                input: r#"{"message": "DE-1234"}"#,
                result: r#"{"message": "DE-1234", "order": {"id": "DE-1234"}}"#,
            },
        ],
    },
    gives: |options| {
        let patterns = Pattern::all(options)?;
        let mut fields: BTreeMap<&str, (Type, bool, usize)> = BTreeMap::new();
        for field in patterns.iter().flat_map(|pattern| &pattern.fields) {
            let known = fields.entry(&field.path).or_insert((field.ty, true, 0));
            known.0 = if known.0 == field.ty { field.ty } else { Type::Any };
            known.1 &= field.always;
            known.2 += 1;
        }
        let field = |(path, (ty, always, count)): (&str, (Type, bool, usize))| Field {
            path: path.to_owned(),
            ty,
            maybe: !always || count < patterns.len(),
            doc: String::new(),
        };
        Ok(Gives { fields: fields.into_iter().map(field).collect(), open: false })
    },
    bind: |bind: &mut Bind<'_>| {
        let mut patterns = Vec::new();
        for pattern in Pattern::all(bind.options)? {
            let mut outs = Vec::new();
            for field in pattern.fields {
                if let Some(slot) = bind.wanted_slot(&field.path)? {
                    outs.push(Out { slot, captures: field.captures });
                }
            }
            patterns.push(Bound { program: pattern.program, outs });
        }
        Ok(Box::new(Grok { patterns, calendar: bind.calendar()? }))
    },
};

/// A compiled pattern with what it gives.
struct Pattern {
    program: Program,
    fields: Vec<Given>,
}

/// A field that a pattern gives.
struct Given {
    path: String,
    ty: Type,
    always: bool,
    captures: Vec<Place>,
}

/// A capture of a field.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: usize,
    ty: Type,
    facts: Facts,
}

impl Pattern {
    /// All patterns of the options.
    fn all(options: &Options) -> Result<Vec<Self>, String> {
        let legacy = options.text("set") == Some("legacy");
        let mut library = Library::new(if legacy { Names::Legacy } else { Names::Ecs });
        options.files("pattern_files").iter().for_each(|(_, text)| library.add(text));
        for definition in options.texts("patterns") {
            if !definition.contains([' ', '\t']) {
                return Err(format!("`{definition}` is no definition: write a name, a blank and a pattern"));
            }
            library.add(definition);
        }
        let patterns = options.texts("pattern");
        if patterns.iter().all(String::is_empty) {
            return Err("a pattern is missing".into());
        }
        patterns.iter().map(|pattern| Self::new(pattern, &library)).collect()
    }

    fn new(pattern: &str, library: &Library) -> Result<Self, String> {
        let mut reader = Reader::new(library);
        let node = reader.read(pattern)?;
        let captures = reader.captures;
        let program = program::compile(&node, captures.len())?;
        Ok(Self { program, fields: given(&node, &captures) })
    }
}

/// The fields that captures make, in the order of their first.
fn given(node: &Node, captures: &[Capture]) -> Vec<Given> {
    let mut fields: Vec<Given> = Vec::new();
    node.captures(true, &mut |number, always, plain| {
        let Capture { path, ty } = &captures[number];
        let facts = if plain { Facts::PLAIN } else { Facts::UNKNOWN };
        let place = Place { number, ty: *ty, facts };
        match fields.iter_mut().find(|field| field.path == *path) {
            Some(field) => {
                field.ty = if field.ty == *ty { *ty } else { Type::Any };
                field.always |= always;
                field.captures.push(place);
            }
            None => fields.push(Given { path: path.clone(), ty: *ty, always, captures: vec![place] }),
        }
    });
    // A field that two captures of one match can give may be a list.
    for (path, times) in together(node, captures) {
        if times > 1
            && let Some(field) = fields.iter_mut().find(|field| field.path == path)
        {
            field.ty = Type::Any;
        }
    }
    fields
}

/// How often each field can be captured in one match.
fn together<'c>(node: &Node, captures: &'c [Capture]) -> BTreeMap<&'c str, usize> {
    let mut all = BTreeMap::new();
    match node {
        Node::Cat(nodes) | Node::Alt(nodes) => {
            for (path, times) in nodes.iter().flat_map(|node| together(node, captures)) {
                let known: &mut usize = all.entry(path).or_default();
                *known = if matches!(node, Node::Cat(_)) { *known + times } else { times.max(*known) };
            }
        }
        Node::Repeat(repeat) => return together(&repeat.node, captures),
        Node::Atomic(node) => return together(node, captures),
        Node::Rest(number) => *all.entry(captures[*number].path.as_str()).or_default() += 1,
        Node::Capture(number, node) => {
            all = together(node, captures);
            *all.entry(captures[*number].path.as_str()).or_default() += 1;
        }
        _ => {}
    }
    all
}

struct Bound {
    program: Program,
    outs: Vec<Out>,
}

/// A field that somebody looks at.
struct Out {
    slot: Slot,
    captures: Vec<Place>,
}

struct Grok {
    patterns: Vec<Bound>,
    calendar: Calendar,
}

thread_local! {
    /// One machine per worker, whose memory grows to what its texts need.
    static MACHINE: RefCell<Machine> = RefCell::default();
}

impl Format for Grok {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        MACHINE.with_borrow_mut(|machine| {
            let mut why = "the text is not like the pattern";
            for pattern in &self.patterns {
                let found = machine.find(&pattern.program, texts.bytes(input));
                work::count(machine.steps as usize + input.len as usize);
                match found {
                    Ok(()) => return self.fields(pattern, &machine.slots, input, texts, fields),
                    Err(Fault::None) => {}
                    Err(Fault::TooLong) => why = "the pattern would take too long on this text",
                }
            }
            Err(Mismatch::at(0, why))
        })
    }
}

impl Grok {
    fn fields(
        &self,
        pattern: &Bound,
        slots: &[u32],
        input: Span,
        texts: &mut Texts,
        fields: &mut Fields,
    ) -> Result<(), Mismatch> {
        let place = |capture: &Place| {
            let (start, end) = (slots[capture.number * 2], slots[capture.number * 2 + 1]);
            // What did not take part or is empty is no field.
            (end != NOWHERE && start < end).then_some((start as usize, end as usize))
        };
        for out in &pattern.outs {
            let target = Target::Slot(out.slot);
            if let [capture] = &out.captures[..] {
                if let Some(at) = place(capture) {
                    fields.push((target, self.value(capture, at, input, texts)?));
                }
                continue;
            }
            let mut found = out.captures.iter().filter_map(|capture| Some((capture, place(capture)?)));
            let Some((capture, at)) = found.next() else { continue };
            let first = self.value(capture, at, input, texts)?;
            let more: Vec<_> = found.collect();
            if more.is_empty() {
                fields.push((target, first));
                continue;
            }
            let mut list = Derived::new(texts);
            list.bytes.push(b'[');
            write_value(texts, first, &mut list.bytes);
            for (capture, at) in more {
                list.bytes.push(b',');
                let value = self.value(capture, at, input, texts)?;
                write_value(texts, value, &mut list.bytes);
            }
            list.bytes.push(b']');
            let span = list.span(0);
            list.finish(texts);
            fields.push((target, Value::List(span)));
        }
        Ok(())
    }

    #[inline]
    /// A capture as a value of its type: numbers as Ruby converts them, the leading number or 0.
    fn value(
        &self,
        capture: &Place,
        (start, end): (usize, usize),
        input: Span,
        texts: &Texts,
    ) -> Result<Value, Mismatch> {
        let span = part(input, start, end - start).with(capture.facts);
        if capture.ty == Type::Text {
            return Ok(Value::Text(span));
        }
        let bytes = &texts.bytes(input)[start..end];
        Ok(match capture.ty {
            Type::Int => match scan::int(bytes) {
                Some((int, _)) => Value::Int(int),
                None => long(bytes, span),
            },
            Type::Float => Value::Float(scan::float(bytes).map_or(0.0, |(float, _)| float)),
            Type::Bool => Value::Bool(bytes == b"true"),
            ty => convert(bytes, span, ty, &self.calendar)
                .ok_or_else(|| Mismatch::at(start, "a capture is not of its type"))?,
        })
    }
}

/// A whole number that no `i64` holds keeps its text; what is no number is 0.
fn long(bytes: &[u8], span: Span) -> Value {
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let zeros = bytes[sign..].iter().take_while(|&&byte| byte == b'0').count();
    let digits = bytes[sign + zeros..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, zeros, bytes.first()) {
        // JSON has neither a plus nor leading zeros.
        (1.., 0, Some(b'-')) => Value::Number(span.part(0, sign + digits)),
        (1.., _, Some(b'-')) | (0, ..) => Value::Int(0),
        _ => Value::Number(span.part(sign + zeros, digits)),
    }
}
