//! Template injection: an expression in the marks of a template engine that the server would evaluate.

use std::ops::Range;

use super::{Sign, words};

/// Opening and closing marks, and how often prose has them.
const MARKS: &[(&str, &str, u8)] = &[
    ("{{", "}}", 6),
    ("{%", "%}", 12),
    ("<%", "%>", 14),
    ("${", "}", 0),
    ("#{", "}", 4),
    ("*{", "}", 2),
    ("@{", "}", 0),
    ("@(", ")", 0),
    ("[[", "]]", 0),
    ("{@", "}", 0),
    ("{#", "}", 0),
    ("{$", "}", 6),
    ("%{", "}", 4),
    ("~{", "}", 0),
    ("<#", ">", 8),
    ("[#", "]", 8),
    ("#set", ")", 12),
    ("=cmd|", "!", 24),
    ("{system", "}", 10),
    ("{if", "}", 6),
    ("{php", "}", 12),
];

/// Expressions that are looked at.
const EXPRESSIONS_MAX: usize = 32;
/// Bytes of one expression.
const EXPRESSION_BYTES_MAX: usize = 512;

/// The best sign of a text in lower case.
pub(super) fn look(text: &[u8]) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    for (open, close, lift) in MARKS {
        for at in words::find_iter(text, open.as_bytes()).take(EXPRESSIONS_MAX) {
            let from = at + open.len();
            let rest = &text[from..text.len().min(from + EXPRESSION_BYTES_MAX)];
            let Some(len) = words::find(rest, close.as_bytes()) else { continue };
            let score =
                expression(&rest[..len], open).saturating_add(if len > 0 { *lift } else { 0 }).min(96);
            if best.as_ref().is_none_or(|best| best.score < score) {
                let range: Range<usize> = at..from + len + close.len();
                best = Some(Sign { rule: "expression", score, range });
            }
        }
    }
    best.filter(|best| best.score > 0)
}

/// How sure it is that somebody wants this evaluated, not shown.
fn expression(inside: &[u8], open: &str) -> u8 {
    let inside = inside.trim_ascii();
    if inside.is_empty() || inside.first() == Some(&b'"') && inside.contains(&b':') {
        return 0;
    }
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let trimmed = |at: usize, step: isize| -> Option<&u8> {
        let mut at = at as isize + step;
        while inside.get(at as usize).is_some_and(|byte| matches!(byte, b' ' | b'\'' | b'"')) {
            at += step;
        }
        if at < 0 { None } else { inside.get(at as usize) }
    };
    let sum = inside.iter().enumerate().any(|(at, byte)| {
        matches!(byte, b'*' | b'+' | b'-' | b'/' | b'%')
            && at > 0
            && digit(trimmed(at, -1))
            && digit(trimmed(at, 1))
    });
    let call = memchr::memchr(b'(', inside).is_some_and(|at| {
        at > 0 && (inside[at - 1].is_ascii_alphanumeric() || matches!(inside[at - 1], b'_' | b'\'' | b']'))
    });
    let under = words::find(inside, b"__").is_some();
    let dotted = inside.windows(3).any(|three| {
        three[1] == b'.'
            && (three[0].is_ascii_alphabetic() || matches!(three[0], b'\'' | b'"' | b']' | b')'))
            && three[2].is_ascii_alphabetic()
    });
    let filter = memchr::memchr(b'|', inside).is_some() && inside.len() > 3;
    let string = inside.iter().filter(|byte| matches!(byte, b'\'' | b'"')).count() >= 2;
    let keyword = [
        &b"assign"[..],
        b"set ",
        b"for ",
        b"if ",
        b"import ",
        b"include",
        b"debug",
        b"config",
        b"self",
        b"request",
        b"php",
        b"include",
        b"raw",
        b"block",
        b"extends",
        b"#",
        b"load ",
        b"endif",
        b"else",
        b"end",
    ]
    .iter()
    .any(|word| inside.starts_with(word));
    let name = inside.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' '));
    match () {
        () if under => 84,
        () if sum => 74,
        () if call => 74,
        () if dotted => 66,
        () if keyword => 62,
        () if string => 58,
        () if filter => 56,
        () if name && matches!(open, "{{" | "${" | "#{" | "<%" | "{%") => 48,
        () => 30,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_evaluated_scores() {
        let of = |text: &str| look(text.as_bytes()).map_or(0, |sign| sign.score);
        let attacks = [
            "{{7*7}}",
            "${9*9}",
            "<%= 3 * 3 %>",
            "#{3+4}",
            "{{config.items()}}",
            "{% import os %}",
            "{{''.__class__}}",
            "${t(java.lang.x)}",
        ];
        attacks.iter().for_each(|text| assert!(of(text) >= 60, "{text}: {}", of(text)));
        let benign =
            ["{\"a\":{\"b\":1}}", "{}", "${name}", "[[1,2],[3,4]]", "50% {off}", "a {{name}} b", "${}"];
        benign.iter().for_each(|text| assert!(of(text) < 60, "{text}: {}", of(text)));
    }
}
