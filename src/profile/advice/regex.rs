//! Patterns where something cheaper says the same, or nearly.

use super::{Advice, ROWS_MIN, View};
use crate::expr::Operator;
use crate::lang::ast::{Expr, ExprKind, Literal, StepKind, each};
use crate::lang::outline::Part;
use crate::shown::number;

/// Share of the whole time from which a step is heavy.
const HEAVY_SHARE_MIN: f64 = 0.3;

/// Functions that take a pattern.
const FUNCTIONS: [&str; 5] = ["capture", "captures", "captures_all", "find_all", "regex_replace"];

/// A step that takes much of the time and works with patterns.
pub(super) fn heavy(view: &View<'_>, at: usize) -> Option<Advice> {
    let entry = &view.outline[at];
    let share = view.measured.share(view.measured.part_ns(at));
    let (rows_in, _) = view.rows(at);
    if share < HEAVY_SHARE_MIN || rows_in < ROWS_MIN {
        return None;
    }
    let what = match &entry.part {
        Part::Format(format) if format.name == "regex" => "a pattern parses",
        Part::Step(StepKind::Set(list), _) if list.iter().any(|(_, value)| has_pattern(value)) => {
            "patterns take fields out"
        }
        _ => return None,
    };
    Some(Advice {
        line: entry.line,
        what: format!(
            "{what} here, in {:.0} % of the time: a grammar (`parse … as`) finds the same parts in one walk",
            share * 100.0
        ),
        changes:
            "fields get the types and names of the grammar; `aludel parse --grammar auto FILE` shows whether \
                  there is one, and a `*.grammar` file describes another"
                .into(),
    })
}

fn has_pattern(expr: &Expr) -> bool {
    let mut found = false;
    each(expr, &mut |inner| match &*inner.node {
        ExprKind::Call { name, .. } => found |= FUNCTIONS.contains(&name.node.as_str()),
        ExprKind::Binary(Operator::Matches, ..) => found = true,
        _ => {}
    });
    found
}

/// A pattern that is a plain text.
pub(super) fn plain(view: &View<'_>, at: usize) -> Option<Advice> {
    let entry = &view.outline[at];
    let Part::Step(kind, _) = &entry.part else { return None };
    let (rows_in, _) = view.rows(at);
    if rows_in < ROWS_MIN {
        return None;
    }
    let mut found = None;
    for expr in exprs(kind) {
        each(expr, &mut |inner| {
            if let ExprKind::Binary(Operator::Matches, _, right) = &*inner.node
                && let ExprKind::Literal(Literal::Text(pattern)) = &*right.node
            {
                found = found.take().or_else(|| Some((pattern.clone(), simpler(pattern)?)));
            }
        });
    }
    let (pattern, simpler) = found?;
    Some(Advice {
        line: entry.line,
        what: format!(
            "write `{simpler}` for `matches {pattern:?}`, a plain text: {} events are searched",
            number(rows_in)
        ),
        changes: "nothing, as long as the field is text".into(),
    })
}

/// The conditions and values of a step.
fn exprs(kind: &StepKind) -> Vec<&Expr> {
    match kind {
        StepKind::Drop { when, .. } | StepKind::Reject { when, .. } => when.iter().collect(),
        StepKind::When { condition, .. } => vec![condition],
        StepKind::Match { subject, .. } => vec![subject],
        StepKind::Set(list) => list.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

/// The operator and text that do what a pattern does, where it is no more than a text and its ends.
fn simpler(pattern: &str) -> Option<String> {
    let (start, inner) = pattern.strip_prefix('^').map_or((false, pattern), |rest| (true, rest));
    let (end, inner) = inner.strip_suffix('$').map_or((false, inner), |rest| (true, rest));
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                // An escaped letter is a class, an escaped sign is itself.
                sign if sign.is_ascii_punctuation() => text.push(sign),
                _ => return None,
            },
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
            plain => text.push(plain),
        }
    }
    if text.is_empty() {
        return None;
    }
    let operator = match (start, end) {
        (false, false) => "contains",
        (true, false) => "starts_with",
        (false, true) => "ends_with",
        (true, true) => "==",
    };
    Some(format!("{operator} {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_text_has_a_simpler_form() {
        let cases = [
            ("abc", Some(r#"contains "abc""#)),
            (r"^/static/", Some(r#"starts_with "/static/""#)),
            (r"\.js$", Some(r#"ends_with ".js""#)),
            ("^GET$", Some(r#"== "GET""#)),
            (r"\d+", None),
            ("a|b", None),
            (r"a\", None),
            ("^", None),
            (r"a\\$", Some(r#"ends_with "a\\""#)),
            (r"a\$", None),
        ];
        for (pattern, expected) in cases {
            assert_eq!(simpler(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
