//! The formats of a `parse`: their order, those that take nothing, and messages that none takes.

use super::{Advice, ROWS_MIN, View, percent};
use crate::lang::ast::StepKind;
use crate::lang::outline::{Part, children};
use crate::shown::number;

/// Tries in vain, in percent of a step's rows, that are worth another order.
const VAIN_PERCENT_MIN: u64 = 10;
/// Events that no format takes, in percent, that are worth a word.
const UNPARSED_PERCENT_MIN: u64 = 5;

/// The formats of the `parse` with this number, if it is one that has seen enough.
fn formats(view: &View<'_>, at: usize) -> Option<Vec<usize>> {
    let Part::Step(StepKind::Parse { .. }, _) = &view.outline[at].part else { return None };
    let formats: Vec<_> = children(view.outline, at).collect();
    let tried = formats.first().map_or(0, |first| view.rows(*first).0);
    (tried >= ROWS_MIN).then_some(formats)
}

fn name(view: &View<'_>, format: usize) -> String {
    view.outline[format].text.trim_start_matches("as ").to_owned()
}

/// The most frequent first, where no message of the input fits two that change places.
pub(super) fn order(view: &View<'_>, at: usize) -> Option<Advice> {
    let formats = formats(view, at)?;
    let taken: Vec<u64> = formats.iter().map(|format| view.rows(*format).1).collect();
    // Of a format that took nothing it cannot be said which messages are its own: nothing moves across it.
    let bound = |first: usize, second: usize| {
        let (early, late) = (first.min(second), first.max(second));
        let shared = view.measured.parts[formats[early]].shared.get(late - early - 1);
        taken[first] == 0 || taken[second] == 0 || shared.is_none_or(|count| *count > 0)
    };
    // Places change between neighbours only, so that two that share a message keep their order.
    let mut order: Vec<usize> = (0..formats.len()).collect();
    for round in 0..order.len() {
        for place in 0..order.len() - 1 - round {
            let (first, second) = (order[place], order[place + 1]);
            if taken[second] > taken[first] && !bound(first, second) {
                order.swap(place, place + 1);
            }
        }
    }
    let vain = |order: &[usize]| -> u64 {
        order.iter().enumerate().map(|(place, format)| place as u64 * taken[*format]).sum()
    };
    let written: Vec<usize> = (0..formats.len()).collect();
    let (before, after) = (vain(&written), vain(&order));
    let rows = view.rows(formats[0]).0;
    if percent(before.saturating_sub(after), rows) < VAIN_PERCENT_MIN {
        return None;
    }
    let names: Vec<_> = order.iter().map(|format| name(view, formats[*format])).collect();
    Some(Advice {
        line: view.outline[at].line,
        what: format!(
            "put the more frequent formats first, `as {}`: for {} messages, {} tries in vain become {}",
            names.join(" or "),
            number(rows),
            number(before),
            number(after)
        ),
        changes:
            "for these events nothing: none fits two formats that change places; one that did would get the \
                  fields of the other"
                .into(),
    })
}

/// Formats that were tried and took nothing. Where none takes anything there is more to say.
pub(super) fn useless(view: &View<'_>, at: usize) -> Option<Advice> {
    let formats = formats(view, at)?;
    let idle = |format: &usize| {
        let (tried, taken) = view.rows(*format);
        tried >= ROWS_MIN && taken == 0
    };
    let idle: Vec<_> = formats.iter().copied().filter(idle).collect();
    if idle.is_empty() || idle.len() == formats.len() {
        return None;
    }
    let names: Vec<_> = idle.iter().map(|format| format!("`{}`", name(view, *format))).collect();
    let tried = idle.iter().map(|format| view.rows(*format).0).max().unwrap_or_default();
    let ns = idle.iter().map(|format| view.measured.part_ns(*format)).sum();
    Some(Advice {
        line: view.outline[at].line,
        what: format!("of {} messages none fits {}{}", number(tried), names.join(", "), view.saves(ns)),
        changes: "if no such message ever comes, take it out of the list; one that comes is then left to the others"
            .into(),
    })
}

/// Many messages that no format takes.
pub(super) fn unparsed(view: &View<'_>, at: usize) -> Option<Advice> {
    let formats = formats(view, at)?;
    let rows = view.rows(formats[0]).0;
    let last = *formats.last()?;
    let (tried, taken) = view.rows(last);
    let unparsed = tried - taken;
    if percent(unparsed, rows) < UNPARSED_PERCENT_MIN {
        return None;
    }
    let first = &view.measured.parts[formats[0]];
    let reason = first.reasons.first().map_or("", |(reason, _)| reason);
    let these = if formats.len() == 1 { "the format" } else { "any format" };
    Some(Advice {
        line: view.outline[at].line,
        what: format!(
            "{} of {} messages do not fit {these}; what `{}` says most often: {reason}",
            number(unparsed),
            number(rows),
            name(view, formats[0])
        ),
        changes:
            "`aludel parse --grammar auto FILE` shows which grammar reads them; with it as a further format \
                  these events get its fields"
                .into(),
    })
}
