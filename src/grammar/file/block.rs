//! Blocks: `grammar`, `told`, `set`, `part` and `line`.

use nom::Parser;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::map;
use nom::multi::{separated_list0, separated_list1};
use nom::sequence::{delimited, preceded};

use super::{Fault, Parsed, fail, item};
use crate::grammar::written::{Constant, Item, Set, Shape};

/// Cuts a file into blocks: offset and text. Lines that begin with `#` and stand between blocks are comments.
pub(super) fn split(text: &str) -> Vec<(usize, &str)> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with([' ', '\t', '\n', '\r']) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let blocks = starts.iter().copied().zip(ends);
    blocks
        .filter_map(|(start, end)| Some((start, text.get(start..end)?)))
        .filter(|(_, block)| !block.starts_with('#'))
        .collect()
}

/// `NAME "summary"`.
pub(super) fn grammar(input: &str) -> Parsed<'_, (String, String)> {
    let (rest, name) = path(input)?;
    let (rest, summary) = preceded(multispace0, item::text).parse(rest)?;
    Ok((rest, (name, summary)))
}

/// `"text" | "text"`.
pub(super) fn texts(input: &str) -> Parsed<'_, Vec<String>> {
    let bar = delimited(multispace0, char('|'), multispace0);
    preceded(multispace0, separated_list1(bar, item::text)).parse(input)
}

/// `PATH = VALUE`.
pub(super) fn set(input: &str) -> Parsed<'_, Set> {
    let (rest, path) = preceded(multispace0, path).parse(input)?;
    let (rest, _) = equals(rest)?;
    let (rest, value) = constant(rest)?;
    Ok((rest, Set { path, value }))
}

/// `NAME = ITEMS`. `end` is the offset in the file at which the block ends.
pub(super) fn form(input: &str, end: usize) -> Parsed<'_, (String, Shape<Item>)> {
    let (rest, name) = path(input)?;
    let (rest, _) = equals(rest)?;
    let (rest, items) = item::sequence(rest, end, 0)?;
    Ok((rest, (name, Shape::Text(items))))
}

/// `NAME "SEPARATOR" = ITEMS, ITEMS`.
pub(super) fn columns(input: &str, end: usize) -> Parsed<'_, (String, Shape<Item>)> {
    let (rest, name) = path(input)?;
    let (rest, separator) = preceded(multispace0, item::text).parse(rest)?;
    if separator.len() != 1 {
        return fail(Fault::at(input, "columns have one byte between them"));
    }
    let (rest, _) = equals(rest)?;
    let sequence = |input| item::sequence(input, end, 0);
    let (rest, columns) = separated_list1(char(','), sequence).parse(rest)?;
    Ok((rest, (name, Shape::Columns { separator, columns })))
}

/// `PATH = PATH PATH`.
pub(super) fn gather(input: &str) -> Parsed<'_, (String, Vec<String>)> {
    let (rest, list) = path(input)?;
    let (mut rest, _) = equals(rest)?;
    let mut from = Vec::new();
    while !rest.trim_start().is_empty() {
        let (after, next) = path(rest.trim_start())?;
        from.push(next);
        rest = after;
    }
    Ok((rest, (list, from)))
}

/// A dotted path or name.
pub(super) fn path(input: &str) -> Parsed<'_, String> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
    match take_while1::<_, _, Fault>(inside).parse(input) {
        Ok((rest, name)) => Ok((rest, name.to_owned())),
        Err(_) => fail(Fault::at(input, "a name is missing here")),
    }
}

pub(super) fn equals(input: &str) -> Parsed<'_, ()> {
    match preceded(multispace0::<_, Fault>, char('=')).parse(input) {
        Ok((rest, _)) => Ok((rest, ())),
        Err(_) => fail(Fault::at(input.trim_start(), "an `=` is missing here")),
    }
}

/// A value: text in quotes, a whole number, `true`, `false`, or a list of texts.
pub(super) fn constant(input: &str) -> Parsed<'_, Constant> {
    let (input, _) = multispace0(input)?;
    match input.bytes().next() {
        Some(b'"') => map(item::text, Constant::Text).parse(input),
        Some(b'[') => {
            let comma = delimited(multispace0, char(','), multispace0);
            let texts = separated_list0(comma, item::text);
            let list = delimited((char('['), multispace0), texts, (multispace0, char(']')));
            map(list, Constant::Texts).parse(input)
        }
        Some(b't' | b'f') => nom::branch::alt((
            map(tag("true"), |_| Constant::Bool(true)),
            map(tag("false"), |_| Constant::Bool(false)),
        ))
        .parse(input),
        Some(b'-' | b'0'..=b'9') => map(nom::character::complete::i64, Constant::Int).parse(input),
        _ => fail(
            Fault::at(input, "a value is missing here")
                .help("write \"text\", a number, true, false or [\"a\", \"b\"]"),
        ),
    }
}
