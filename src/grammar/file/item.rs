//! What a line is made of: literals, blanks, groups, captures, parts.

use nom::Parser;
use nom::bytes::complete::tag;
use nom::character::complete::{char, multispace0, multispace1, one_of};
use nom::combinator::opt;
use nom::multi::{many1, separated_list0};
use nom::sequence::{preceded, separated_pair};

use super::{Fault, Parsed, block, fail};
use crate::format::time::{Pattern, TimeForm};
use crate::grammar::kind::{Kind, NAMES};
use crate::grammar::written::{Item, Set};
use crate::limits::LANG_DEPTH_MAX;

/// The value of a parser that must have read everything but blanks.
pub(super) fn finish<T>(parsed: Parsed<'_, T>) -> Result<T, Fault> {
    match parsed {
        Ok((rest, value)) if rest.trim().is_empty() => Ok(value),
        Ok((rest, _)) => Err(Fault::at(rest.trim_start(), "this was not expected")),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(fault),
        Err(nom::Err::Incomplete(_)) => Err(Fault::at("", "the file ends too early")),
    }
}

/// Items up to the end of the block, `|`, `)` or `,`, or the `.` or `!` that begins the next member of a JSON object.
pub(super) fn sequence(input: &str, end: usize, depth: usize) -> Parsed<'_, Vec<Item>> {
    let mut items = Vec::new();
    let (mut rest, _) = multispace0(input)?;
    while !rest.is_empty() && !rest.starts_with([')', '|', ',', '.', '!']) {
        let (after, item) = item(rest, end, depth)?;
        items.push(item);
        rest = multispace0(after)?.0;
    }
    Ok((rest, items))
}

fn item(input: &str, end: usize, depth: usize) -> Parsed<'_, Item> {
    match input.bytes().next() {
        Some(b'"') => text.map(|text| Item::Literal(text.into_bytes())).parse(input),
        Some(b'_') => {
            let (rest, optional) = preceded(char('_'), opt(char('?'))).parse(input)?;
            Ok((rest, Item::Blanks { required: optional.is_none() }))
        }
        Some(b'(') if depth >= LANG_DEPTH_MAX => fail(Fault::at(input, "groups are nested too deeply")),
        Some(b'(') => group(input, end, depth),
        Some(b'&') => {
            let (rest, _) = (char('&'), multispace0).parse(input)?;
            if !rest.starts_with('(') || depth >= LANG_DEPTH_MAX {
                return fail(Fault::at(input, "a look ahead is written &( … )"));
            }
            let (rest, inner) = group(rest, end, depth)?;
            Ok((rest, Item::Ahead(vec![inner])))
        }
        Some(b'{') => capture(input, end),
        Some(b'a'..=b'z' | b'A'..=b'Z') => {
            let (rest, name) = block::path(input)?;
            let start = end - input.len();
            Ok((rest, Item::Part { place: start..start + name.len(), name }))
        }
        _ => fail(Fault::at(input, "this is no piece of a line").help(
            "a line is made of \"literals\", {field: kind} captures, _ blanks, (groups | of | alternatives), (repeated | groups)* and names of parts",
        )),
    }
}

fn group(input: &str, end: usize, depth: usize) -> Parsed<'_, Item> {
    let (mut rest, _) = char('(').parse(input)?;
    let mut alternatives = Vec::new();
    loop {
        let (after, items) = sequence(rest, end, depth + 1)?;
        alternatives.push(items);
        match after.bytes().next() {
            Some(b'|') => rest = char('|').parse(after)?.0,
            Some(b')') => {
                let (rest, sign) = preceded(char(')'), opt(one_of("?*"))).parse(after)?;
                if sign == Some('*') {
                    return Ok((rest, Item::Many(alternatives)));
                }
                return Ok((rest, Item::Group { alternatives, optional: sign.is_some() }));
            }
            _ => return fail(Fault::at(input, "this group is not closed")),
        }
    }
}

/// `{path: kind | "absent"}`, `{kind}`, or `{path = value}`.
fn capture(input: &str, end: usize) -> Parsed<'_, Item> {
    let start = end - input.len();
    let (rest, _) = (char('{'), multispace0).parse(input)?;
    let (after, name) = block::path(rest)?;
    let (after, sign) = preceded(multispace0, opt(one_of(":="))).parse(after)?;
    if sign == Some('=') {
        let (rest, value) = block::constant(after)?;
        let (rest, ()) = close(rest, input)?;
        return Ok((rest, Item::Constant(Set { path: name, value })));
    }
    let (path, from) = if sign.is_some() { (name, after.trim_start()) } else { (String::new(), rest) };
    let (rest, kind) = kind(from)?;
    let bar = (multispace0, char('|'), multispace0);
    let (rest, absent) =
        opt(preceded(bar, separated_list0((multispace0, char('|'), multispace0), text))).parse(rest)?;
    let (rest, ()) = close(rest, input)?;
    let absent = absent.unwrap_or_default().into_iter().map(String::into_bytes).collect();
    Ok((rest, Item::Capture { path, kind, absent, place: start..end - rest.len() }))
}

fn close<'a>(input: &'a str, open: &'a str) -> Parsed<'a, ()> {
    match preceded(multispace0::<_, Fault>, char('}')).parse(input) {
        Ok((rest, _)) => Ok((rest, ())),
        Err(_) if input.trim().is_empty() => fail(Fault::at(open, "this capture is not closed")),
        Err(_) => fail(Fault::at(input.trim_start(), "a `}` is missing here")),
    }
}

fn kind(input: &str) -> Parsed<'_, Kind> {
    let (rest, name) = block::path(input)?;
    let int = nom::character::complete::i64::<_, Fault>;
    let kind = match name.as_str() {
        "text" => Kind::Text,
        "until" => {
            let (rest, last) = opt(preceded(multispace1, tag("last"))).parse(rest)?;
            let (rest, end) = preceded(multispace0, text).parse(rest)?;
            if end.is_empty() {
                return fail(Fault::at(input, "an empty text ends nothing"));
            }
            let end = end.into_bytes();
            if last.is_none() {
                return Ok((rest, Kind::Until(end)));
            }
            let before = preceded((multispace1, tag("before"), multispace0), text);
            let (rest, before) = opt(before).parse(rest)?;
            return Ok((rest, Kind::UntilLast(end, before.unwrap_or_default().into_bytes())));
        }
        "quoted" => Kind::Quoted,
        "rest" => Kind::Rest,
        "word" => Kind::Word,
        "label" => Kind::Label,
        "dotted" => Kind::Dotted,
        "name" => Kind::Name,
        "int" => {
            let bounds = preceded(multispace1, separated_pair(int, tag(".."), int));
            let (rest, bounds) = opt(bounds).parse(rest)?;
            let (least, most) = bounds.unwrap_or((i64::MIN, i64::MAX));
            return Ok((rest, Kind::Int(least, most)));
        }
        "float" => Kind::Float,
        "digits" => Kind::Digits,
        "hex" => Kind::Hex,
        "ip" => Kind::Ip,
        "host" => Kind::Host,
        "address" => Kind::Address,
        "addresses" => Kind::Addresses,
        "endpoint" => Kind::Endpoint,
        "time" => return time(rest),
        "bool" => Kind::Bool,
        "any" => Kind::Any,
        "object" => Kind::Object,
        "list" => Kind::List,
        "level" => Kind::Level,
        "series" => Kind::Series,
        "structured_data" => Kind::StructuredData,
        "split" => {
            let (rest, separators) = preceded(multispace0, text).parse(rest)?;
            let (rest, whole) = preceded(multispace1, kind).parse(rest)?;
            if !matches!(
                whole,
                Kind::Text | Kind::Until(_) | Kind::UntilLast(..) | Kind::Quoted | Kind::Rest | Kind::Word
            ) {
                return fail(Fault::at(
                    input,
                    "what is split is `text`, `until`, `quoted`, `rest` or `word`",
                ));
            }
            return Ok((rest, Kind::Split(separators.into_bytes(), Box::new(whole))));
        }
        "one" => {
            let (rest, _) = preceded(multispace0, tag("of")).parse(rest)?;
            let (rest, words) = many1(preceded(multispace0, text)).parse(rest)?;
            return Ok((rest, Kind::OneOf(words.into_iter().map(String::into_bytes).collect())));
        }
        "nanos" => Kind::Duration(1),
        "micros" => Kind::Duration(1000),
        "millis" => Kind::Duration(1_000_000),
        "seconds" => Kind::Duration(1_000_000_000),
        "status" => Kind::Status,
        "request" => Kind::Request,
        "url" => Kind::Url,
        _ => {
            let fault = Fault::at(input, format!("`{name}` is no kind of capture"));
            return fail(match crate::diag::nearest(&name, NAMES.iter().copied()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(format!("there are {}", NAMES.join(", "))),
            });
        }
    };
    Ok((rest, kind))
}

/// `time clf` or `time "%y%m%d"`.
fn time(input: &str) -> Parsed<'_, Kind> {
    let (input, _) = multispace0(input)?;
    if input.starts_with('"') {
        let (rest, pattern) = text(input)?;
        return match Pattern::parse(&pattern) {
            Ok(pattern) => Ok((rest, Kind::Time(TimeForm::Pattern(pattern)))),
            Err(message) => fail(Fault::at(input, message)),
        };
    }
    let (rest, name) = block::path(input)?;
    match TimeForm::named(&name) {
        Some(form) => Ok((rest, Kind::Time(form))),
        None => fail(
            Fault::at(input, format!("`{name}` is no form of time"))
                .help(format!("there are {}", TimeForm::NAMES.join(", "))),
        ),
    }
}

/// Text in quotes, with `\"`, `\\`, `\t` and `\n`.
pub(super) fn text(input: &str) -> Parsed<'_, String> {
    let Some(inner) = input.strip_prefix('"') else {
        return Err(nom::Err::Error(Fault::at(input, "a text in quotes is missing here")));
    };
    let mut value = String::new();
    let mut chars = inner.chars();
    loop {
        match chars.next() {
            Some('"') => return Ok((chars.as_str(), value)),
            Some('\\') => match chars.next() {
                Some('t') => value.push('\t'),
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                _ => return fail(Fault::at(inner, "a backslash stands before \", \\, t or n")),
            },
            Some('\n') | None => return fail(Fault::at(input, "this text is not closed")),
            Some(c) => value.push(c),
        }
    }
}
