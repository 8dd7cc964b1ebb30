//! Cross-site scripting: the value is read as HTML by the states of the tokenizer (HTML Standard §13.2.5), in the places
//! it may be put in: as content, in an attribute's value, in a script's string.
//!
//! What counts is what would run: elements that run or load something, attributes that are event handlers, URLs whose
//! scheme is code, CSS that is code, and a string of a script that ends early and calls something.

mod markup;

use std::ops::Range;
use std::sync::LazyLock;

use super::forms::{Form, Forms};
use super::{Sign, words};
use crate::detect::Kind;
use markup::{attributes, tag};

/// Schemes whose URLs are code or documents.
const SCHEMES: &[&str] = &[
    "javascript:",
    "vbscript:",
    "livescript:",
    "mocha:",
    "data:text/html",
    "data:image/svg",
    "jar:",
    "view-source:",
    "data:application/x",
    "feed:javascript",
    "data:,",
    "data:;",
    "data:text/",
];

/// Names that scripts are made of, in the forms that matter in an injection.
const SINKS: &[Form] = &[
    ("document.cookie", 88),
    ("document.write", 88),
    ("document.domain", 82),
    ("document.location", 85),
    ("document.url", 75),
    ("document.body", 78),
    ("document.documentelement", 78),
    ("document.createelement", 88),
    ("document.getelement", 80),
    ("document.queryselector", 80),
    ("document.implementation", 75),
    ("document.vulnerable", 70),
    ("document[", 80),
    ("window.location", 82),
    ("window.open", 78),
    ("window.name", 75),
    ("window[", 82),
    ("self[", 78),
    ("this[", 70),
    ("top[", 78),
    ("parent[", 70),
    ("globalthis", 70),
    ("location.href", 78),
    ("location.hash", 78),
    ("location.assign", 82),
    ("location.replace", 80),
    ("location=", 75),
    (".innerhtml", 82),
    (".outerhtml", 82),
    (".insertadjacenthtml", 85),
    (".parentnode", 72),
    (".constructor", 66),
    (".fromcharcode", 88),
    ("fromcodepoint", 80),
    (".fromelement", 70),
    ("localstorage", 72),
    ("sessionstorage", 72),
    ("xmlhttprequest", 80),
    ("activexobject", 85),
    (".createobject", 72),
    ("importscripts", 80),
    ("dynamicimport", 70),
    ("unescape(", 66),
    ("decodeuricomponent(", 62),
    ("atob(", 70),
    ("eval(", 80),
    ("execscript(", 88),
    ("setattribute(", 70),
    ("settimeout(", 80),
    ("setinterval(", 80),
    ("setimmediate(", 80),
    ("msgbox(", 78),
    ("alert(", 82),
    ("alert`", 82),
    ("prompt(", 78),
    ("prompt`", 80),
    ("confirm(", 78),
    ("confirm`", 80),
    ("print(", 55),
    ("fetch(", 66),
    ("$.get", 62),
    ("$.getscript", 80),
    ("jquery.", 60),
    ("function(){", 66),
    ("new function", 76),
    ("function(", 50),
    ("reflect.", 62),
    (".onerror", 72),
    ("throw onerror", 80),
    ("fscommand", 75),
    ("seeksegmenttime", 75),
    ("@import ", 72),
    ("@import'", 76),
    ("@import\"", 76),
    ("expression(", 82),
    ("-moz-binding", 85),
    ("behavior:url", 80),
    ("behaviour:", 70),
    ("binding:url", 80),
    ("url(javascript", 82),
];

/// Names that only scripts use.
pub(super) const NAMES: [&str; 6] = [
    "document.cookie",
    "document.domain",
    "document.write",
    "document.location",
    "window.location",
    "window.name",
];

/// The best sign of a text in lower case, in which references and escapes are resolved.
pub(super) fn look(text: &[u8], kind: Kind) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut see = |rule: &'static str, score: u8, range: Range<usize>| {
        if best.as_ref().is_none_or(|best| best.score < score) {
            best = Some(Sign { rule, score, range });
        }
    };
    // A document of XML has elements of its own.
    let document = text.trim_ascii_start().starts_with(b"<?xml");
    for at in memchr::memchr_iter(b'<', text).take(TAGS_MAX) {
        tag(text, at, document, &mut see);
    }
    attributes(text, 0, text.len().min(ATTRIBUTES_BYTES_MAX), false, &mut see);
    scheme(text, 0..text.len(), &mut see);
    // The path of a page about scripts names what they use.
    if kind != Kind::Path
        || memchr::memchr2(b'(', b'<', text).is_some()
        || memchr::memchr2(b'\'', b'=', text).is_some()
    {
        script(text, &mut see);
    }
    broken(text, &mut see);
    symbols(text, &mut see);
    best
}

/// Tags that are read; those behind them say no more.
const TAGS_MAX: usize = 64;
/// Bytes in which attributes without a tag are looked for.
const ATTRIBUTES_BYTES_MAX: usize = 8192;
type See<'s> = dyn FnMut(&'static str, u8, Range<usize>) + 's;

/// An attribute's value that ends early: `">…</a>`, `" x="…" />`.
fn broken(text: &[u8], see: &mut See<'_>) {
    let ends = words::find(text, b"\">").or_else(|| words::find(text, b"'>"));
    if let Some(at) = ends
        && words::find(&text[at..], b"</").is_some()
    {
        see("attribute_end", 66, at..text.len());
    }
    if let Some(at) = words::find(text, b"=\"")
        && words::find(&text[at..], b"/>").is_some()
        && memchr::memchr(b'<', text).is_none()
    {
        see("attribute_end", 64, at..text.len());
    }
    if words::find(text, b"-->").is_some() {
        see("comment_end", 62, 0..text.len());
    }
}

/// A URL that is code. Browsers skip blanks and control bytes inside of a scheme.
fn scheme(text: &[u8], range: Range<usize>, see: &mut See<'_>) {
    let part = text.get(range.clone()).unwrap_or_default();
    for colon in memchr::memchr_iter(b':', part).take(TAGS_MAX) {
        // The letters before the colon, backwards, without blanks.
        let (mut letters, mut at) = ([0u8; 16], colon);
        let mut len = 0;
        while at > 0 && len < letters.len() && colon - at < 64 {
            let byte = part[at - 1];
            if byte.is_ascii_alphabetic() || byte == b'-' {
                len += 1;
                letters[16 - len] = byte;
            } else if byte > b' ' && byte != b'\\' || len == 0 && byte == b' ' {
                break;
            }
            at -= 1;
        }
        let word = &letters[16 - len..];
        let is = |scheme: &str| {
            let (name, rest) = scheme.split_once(':').unwrap_or((scheme, ""));
            word.ends_with(name.as_bytes()) && part[colon + 1..].starts_with(rest.as_bytes())
        };
        if let Some(found) = SCHEMES.iter().find(|scheme| is(scheme)) {
            let code = found.starts_with("data:,")
                || found.starts_with("data:;")
                || found.starts_with("jar")
                || *found == "data:text/";
            see("scheme", if code { 66 } else { 86 }, range.start + at..range.end);
        }
    }
}

/// Words of scripts, and a string that ends early.
fn script(text: &[u8], see: &mut See<'_>) {
    static FIND: LazyLock<Forms> = LazyLock::new(|| Forms::new(SINKS));
    let (mut best, mut seen, mut range) = (0u8, 0u32, 0..0);
    for (&(word, score), found) in FIND.apart(text).take(TAGS_MAX) {
        let start = found.start();
        let glued =
            start > 0 && text[start - 1].is_ascii_alphanumeric() && !word.starts_with(['.', '-', '@']);
        // Filters take brackets away and leave `scriptdocument.cookie`.
        let glued = glued && !text[..start].ends_with(b"script");
        if glued {
            continue;
        }
        // A call with something in it, `a.b` with something done to it.
        seen += 1;
        // Nothing is called with nothing.
        let score = if word.ends_with('(') && found.end() == text.len() { score - 30 } else { score };
        if score > best {
            (best, range) = (score, start..found.end());
        }
    }
    if best > 0 {
        let broken = text
            .iter()
            .take(range.start)
            .any(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'<' | b'>' | b';' | b'}' | b'(' | b'='));
        let score =
            best.saturating_add(if seen > 1 { 6 } else { 0 }).saturating_add(if broken { 6 } else { 0 });
        see("script", score.min(97), range);
    }
    // A call whose name is built: `[]['x']('…')`, `a=eval,a(…)`.
    if let Some(at) = words::find(text, b"](")
        && text[..at].contains(&b'[')
    {
        let strings = text[..at].iter().filter(|byte| matches!(byte, b'\'' | b'"' | b'`')).count();
        if strings >= 2 {
            see("built_call", 66, 0..at + 2);
        }
    }
}

/// Code that is written in brackets and signs alone.
fn symbols(text: &[u8], see: &mut See<'_>) {
    if text.len() < 24 {
        return;
    }
    let signs = text
        .iter()
        .filter(|byte| matches!(byte, b'[' | b']' | b'(' | b')' | b'!' | b'+' | b'{' | b'}' | b'$' | b'_'))
        .count();
    let calls = text.iter().filter(|byte| matches!(byte, b'(' | b'[')).count();
    if signs * 5 > text.len() * 4 && calls >= 4 {
        see("symbols", 82, 0..text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> u8 {
        look(text.to_ascii_lowercase().as_bytes(), Kind::Value).map_or(0, |sign| sign.score)
    }

    #[test]
    fn what_would_run_scores() {
        let attacks = [
            "<script>x()</script>",
            "<ScRiPt src=//a.example>",
            "\"><img src=x onerror=f(1)>",
            "' onfocus=f() autofocus x='",
            "java\tscript:f()",
            "<a href=\"jav&#x09;ascript:f()\">",
            "<svg/onload=f()>",
            "';alert(7)//",
            "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>",
            "<div style='width:expression(f())'>",
            "[][(![]+[])[+[]]+([![]]+[][[]])[+!+[]+[+[]]]]",
        ];
        attacks.iter().for_each(|text| assert!(of(text) >= 60, "{text}: {}", of(text)));
        let benign = [
            "a < b and c > d",
            "x<y",
            "I <3 you",
            "once=1 only=2",
            "condition=new",
            "one two: three",
            "price: 5 (alert me)",
            "script for a play",
            "description: text",
            "http://example.com/?a=b",
        ];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
