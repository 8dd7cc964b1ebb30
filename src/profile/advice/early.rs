//! A `drop` or `reject` that could stand before a `parse` whose fields it does not read.

use super::{Advice, ROWS_MIN, View, percent};
use crate::catalog;
use crate::lang::ast::{Expr, ExprKind, Path, StepKind, each};
use crate::lang::outline::Part;
use crate::lang::plan::{FormatUse, Step};
use crate::shown::number;

/// Rows that the step ends, in percent, that are worth moving it.
const ENDED_PERCENT_MIN: u64 = 5;

pub(super) fn drop_first(view: &View<'_>, at: usize) -> Option<Advice> {
    let entry = &view.outline[at];
    let Part::Step(StepKind::Drop { when: Some(when), .. } | StepKind::Reject { when: Some(when), .. }, _) =
        &entry.part
    else {
        return None;
    };
    let (rows_in, rows_out) = view.rows(at);
    let ended = rows_in - rows_out;
    if rows_in < ROWS_MIN || percent(ended, rows_in) < ENDED_PERCENT_MIN {
        return None;
    }
    let reads = reads(when);
    let mut before = None;
    for number in earlier(view, at) {
        let after = View { outline: &view.outline[number..], ..*view };
        if fixed(&after) || writes_any(&after, &reads) {
            break;
        }
        if let Part::Step(StepKind::Parse { .. }, _) = &view.outline[number].part {
            before = Some(number);
        }
    }
    let before = before?;
    let between = earlier(view, at).into_iter().filter(|number| *number >= before);
    let row_ns: f64 = between.map(|number| view.measured.parts[number].row_ns).sum();
    let word = entry.text.split(' ').next().unwrap_or_default();
    Some(Advice {
        line: entry.line,
        what: format!(
            "put `{}` before line {}, whose fields it does not read: {} of {} events need not be parsed{}",
            entry.text,
            view.outline[before].line,
            number(ended),
            number(rows_in),
            view.saves(row_ns * ended as f64)
        ),
        changes: format!(
            "an event that both the `parse` and this `{word}` would end is then counted under the reason of this one"
        ),
    })
}

/// The steps before another in the same block, nearest first.
fn earlier(view: &View<'_>, at: usize) -> Vec<usize> {
    let depth = view.outline[at].depth;
    let before = view.outline[..at].iter().enumerate().rev();
    let block = before.take_while(|(_, entry)| entry.depth >= depth);
    block.filter(|(_, entry)| entry.depth == depth).map(|(number, _)| number).collect()
}

/// The entries of the step that a view begins with.
fn step<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Part<'a>> {
    let depth = view.outline[0].depth;
    let inner = view.outline[1..].iter().take_while(move |entry| entry.depth > depth);
    std::iter::once(&view.outline[0]).chain(inner).map(|entry| &entry.part)
}

/// Whether a step sends events away or ends them under a reason of its own: nothing moves across it.
fn fixed(view: &View<'_>) -> bool {
    step(view).any(|part| {
        matches!(part, Part::Step(StepKind::To(_) | StepKind::Drop { .. } | StepKind::Reject { .. }, _))
    })
}

/// Whether a step may write one of these fields, or something above or below it.
fn writes_any(view: &View<'_>, fields: &[String]) -> bool {
    step(view).any(|part| {
        let Part::Step(written, ready) = part else { return false };
        match (written, ready) {
            (StepKind::Parse { into, .. }, Step::Parse { formats, .. }) => {
                let into = into.as_ref().map_or(String::new(), Path::dotted);
                formats.iter().any(|format| gives_any(format, &into, fields))
            }
            (StepKind::Set(list), _) => touch(list.iter().map(|(path, _)| path), fields),
            (StepKind::Rename(list), _) => touch(list.iter().flat_map(|(from, to)| [from, to]), fields),
            (StepKind::Remove(paths), _) => touch(paths.iter(), fields),
            (StepKind::Keep(_) | StepKind::Redact { .. }, _) => true,
            _ => false,
        }
    })
}

fn gives_any(format: &FormatUse, into: &str, fields: &[String]) -> bool {
    let join = |path: &str| if into.is_empty() { path.to_owned() } else { format!("{into}.{path}") };
    let open =
        catalog::signatures().formats.gives(&format.name, &format.options).map_or(true, |gives| gives.open);
    let any = |path: &str| fields.iter().any(|field| overlap(path, field));
    (open && (into.is_empty() || any(into))) || format.fields.iter().any(|field| any(&join(&field.path)))
}

fn touch<'a>(mut paths: impl Iterator<Item = &'a Path>, fields: &[String]) -> bool {
    paths.any(|path| fields.iter().any(|field| overlap(&path.dotted(), field)))
}

/// Whether two paths are the same, or one lies inside of the other.
fn overlap(one: &str, other: &str) -> bool {
    let inside = |of: &str, outer: &str| {
        of.strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || outer.is_empty())
    };
    inside(one, other) || inside(other, one)
}

fn reads(expr: &Expr) -> Vec<String> {
    let mut paths = Vec::new();
    each(expr, &mut |inner| {
        if let ExprKind::Path(path) = &*inner.node {
            paths.push(path.dotted());
        }
    });
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_overlap_at_their_dots() {
        assert!(overlap("a.b", "a.b") && overlap("a", "a.b") && overlap("a.b", "a") && overlap("", "a"));
        assert!(!overlap("a.b", "a.c") && !overlap("a", "ab"));
    }
}
