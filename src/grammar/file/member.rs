//! `json` forms: the members of the object that a message is.
//!
//! ```text
//! json record =
//!   .level  = {log.level: level}
//!   .time   = {@timestamp: time epoch}
//!   .v
//!   .err.type? = {error.type: rest}
//!   !.log
//!   .*      = {bunyan: object}
//! ```

use nom::Parser;
use nom::character::complete::{char, multispace0};
use nom::combinator::opt;

use super::{Fault, Parsed, block, fail, item};
use crate::grammar::written::{Member, Need};

/// `NAME = MEMBERS`. `end` is the offset in the file at which the block ends.
pub(super) fn form(input: &str, end: usize) -> Parsed<'_, (String, Vec<Member>)> {
    let (rest, name) = block::path(input)?;
    let (rest, ()) = block::equals(rest)?;
    let mut members = Vec::new();
    let (mut rest, _) = multispace0(rest)?;
    while !rest.is_empty() {
        let (after, member) = member(rest, end)?;
        members.push(member);
        rest = multispace0(after)?.0;
    }
    if members.is_empty() {
        return fail(
            Fault::at(input, "a json form has members").help("a member is written .key = {field: kind}"),
        );
    }
    Ok((rest, (name, members)))
}

fn member(input: &str, end: usize) -> Parsed<'_, Member> {
    let (rest, never) = opt(char::<_, Fault>('!')).parse(input)?;
    let Ok((rest, _)) = char::<_, Fault>('.').parse(rest) else {
        return fail(Fault::at(rest, "this is no member of a json object").help(
            "a member is written .key = {field: kind}, .key? where it may be missing, !.key where it must be",
        ));
    };
    let start = end - input.len();
    let (rest, path) = match rest.bytes().next() {
        Some(b'*') => char('*').map(|_| "*".to_owned()).parse(rest)?,
        Some(b'"') => item::text(rest)?,
        _ => block::path(rest)?,
    };
    let place = start..end - rest.len();
    let (rest, optional) = opt(char('?')).parse(rest)?;
    let need = match (never, optional) {
        (Some(_), _) => Need::Never,
        (None, Some(_)) => Need::May,
        (None, None) => Need::Must,
    };
    let (rest, _) = multispace0(rest)?;
    if never.is_some() || !rest.starts_with('=') {
        return Ok((rest, Member { path, place, need, items: Vec::new() }));
    }
    let (rest, ()) = block::equals(rest)?;
    let (rest, items) = item::sequence(rest, end, 0)?;
    if items.is_empty() {
        return fail(Fault::at(rest, "nothing says what this member is"));
    }
    Ok((rest, Member { path, place, need, items }))
}
