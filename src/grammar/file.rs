//! Reads grammar files.
//!
//! A file is a list of blocks: a word in the first column, then lines that are indented. A fault in one block
//! does not hide those of the next.

mod block;
mod item;
mod member;
mod sample;

use crate::diag::{Code, Diagnostic};
use crate::limits::{DIAGNOSTICS_MAX, GRAMMAR_BYTES_MAX};

use super::written::{Form, Gather, Notation, Shape, Written};

/// A grammar file that cannot be read.
pub(super) const SYNTAX: Code = Code("G101");
/// A name that is not known, or known twice.
pub(super) const NAME: Code = Code("G102");
/// A capture whose end the line does not say.
pub(super) const OPEN: Code = Code("G103");
/// A field with two types.
pub(super) const TYPES: Code = Code("G104");
/// Samples that are missing or do not give what they say.
pub(super) const SAMPLE: Code = Code("G105");

/// What is wrong, and where: as the number of bytes that were left, since that is what a parser knows.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    left: usize,
    message: String,
    help: Option<String>,
}

impl Fault {
    fn at(left: &str, message: impl Into<String>) -> Self {
        Self { left: left.len(), message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl nom::error::ParseError<&str> for Fault {
    fn from_error_kind(input: &str, kind: nom::error::ErrorKind) -> Self {
        let message = match kind {
            nom::error::ErrorKind::Eof => "something is left over here",
            _ => "this was not expected",
        };
        Self::at(input, message)
    }

    fn append(_: &str, _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = nom::IResult<&'a str, T, Fault>;

fn fail<T>(fault: Fault) -> Parsed<'static, T> {
    Err(nom::Err::Failure(fault))
}

/// Reads a whole file, or gives every fault in it.
pub(super) fn parse(text: &str) -> Result<Written, Vec<Diagnostic>> {
    if text.len() > GRAMMAR_BYTES_MAX {
        let message = format!("the file is larger than {GRAMMAR_BYTES_MAX} bytes");
        return Err(vec![Diagnostic::error(SYNTAX, 0..0, message)]);
    }
    let mut written = Written::default();
    let mut faults = Vec::new();
    for (start, block) in block::split(text) {
        if let Err(fault) = directive(block, start, &mut written) {
            let at = start + block.len().saturating_sub(fault.left);
            let end = text
                .get(at..)
                .and_then(|rest| rest.split_whitespace().next())
                .map_or(at, |word| at + word.len());
            let mut diagnostic = Diagnostic::error(SYNTAX, at.min(text.len())..end, fault.message);
            diagnostic.help = fault.help;
            faults.push(diagnostic);
            if faults.len() == DIAGNOSTICS_MAX {
                break;
            }
        }
    }
    if faults.is_empty() && written.name.is_empty() {
        let help = "the first line reads: grammar NAME \"what it reads\"";
        faults.push(Diagnostic::error(SYNTAX, 0..0, "the file names no grammar").help(help));
    }
    if faults.is_empty() { Ok(written) } else { Err(faults) }
}

fn directive(block: &str, start: usize, written: &mut Written) -> Result<(), Fault> {
    const WORDS: [&str; 15] = [
        "grammar",
        "see",
        "told",
        "inner",
        "set",
        "gather",
        "part",
        "line",
        "json",
        "xml",
        "pairs",
        "columns",
        "otherwise",
        "sample",
        "refuse",
    ];
    let word = block.split_whitespace().next().unwrap_or_default();
    let body = block.get(word.len()..).unwrap_or_default();
    let place = |rest: &str, len: usize| {
        let at = start + block.len() - rest.len();
        at..at + len
    };
    match word {
        "grammar" => {
            let body = body.trim_start();
            let (name, summary) = item::finish(block::grammar(body))?;
            written.name_place = place(body, name.len());
            (written.name, written.summary) = (name, summary);
        }
        "see" => written.see = body.trim().to_owned(),
        "told" => written.told.extend(item::finish(block::texts(body))?),
        "inner" => {
            let body = body.trim_start();
            let path = item::finish(block::path(body))?;
            let place = place(body, path.len());
            written.inner = Some((path, place));
        }
        "set" => written.sets.push(item::finish(block::set(body))?),
        "gather" => {
            let body = body.trim_start();
            let (path, from) = item::finish(block::gather(body))?;
            written.gathers.push(Gather { place: place(body, path.len()), path, from });
        }
        "part" | "line" | "otherwise" | "columns" => {
            let body = body.trim_start();
            let end = start + block.len();
            let (name, shape) = item::finish(match word {
                "columns" => block::columns(body, end),
                _ => block::form(body, end),
            })?;
            let fallback = word == "otherwise";
            let form = Form {
                place: place(body, name.len()),
                name,
                shape,
                fallback,
                members: None,
                notation: Notation::Json,
            };
            let forms = if word == "part" { &mut written.parts } else { &mut written.lines };
            forms.push(form);
        }
        "json" | "xml" | "pairs" => {
            let body = body.trim_start();
            let (name, members) = item::finish(member::form(body, start + block.len()))?;
            let place = place(body, name.len());
            let form = Form {
                place,
                name,
                shape: Shape::Text(Vec::new()),
                fallback: false,
                members: Some(members),
                notation: match word {
                    "xml" => Notation::Xml,
                    "pairs" => Notation::Pairs,
                    _ => Notation::Json,
                },
            };
            written.lines.push(form);
        }
        "sample" => written.samples.push(sample::sample(block, start)?),
        "refuse" => written.refused.push(sample::sample(block, start)?),
        _ => {
            let fault = Fault::at(block, format!("`{word}` is no word that a block can begin with"));
            let words = WORDS.join(", ");
            return Err(match crate::diag::nearest(word, WORDS) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("there are {words}")),
            });
        }
    }
    Ok(())
}
