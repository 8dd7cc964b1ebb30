//! A condition that never holds, or always.

use super::{Advice, ROWS_MIN, View};
use crate::lang::ast::StepKind;
use crate::lang::outline::{Part, children};
use crate::profile::report::short;
use crate::shown::number;

/// Longest text of a step that is shown, in letters.
const STEP_SHOWN_MAX: usize = 60;

pub(super) fn constant(view: &View<'_>, at: usize) -> Option<Advice> {
    let entry = &view.outline[at];
    let Part::Step(kind, _) = &entry.part else { return None };
    let (rows_in, rows_out) = view.rows(at);
    if rows_in < ROWS_MIN {
        return None;
    }
    let (held, ends) = match kind {
        StepKind::Drop { when: Some(_), .. } | StepKind::Reject { when: Some(_), .. } => {
            (rows_in - rows_out, true)
        }
        StepKind::When { .. } => {
            (children(view.outline, at).next().map_or(0, |then| view.rows(then).0), false)
        }
        _ => return None,
    };
    let rows = number(rows_in);
    let step = short(&entry.text, STEP_SHOWN_MAX);
    Some(match (held, ends) {
        (0, _) => Advice {
            line: entry.line,
            what: format!("`{step}` held for none of {rows} events{}", view.saves(view.measured.part_ns(at))),
            changes: "if it should have held, look at the field's name and values; if it cannot hold, the step can \
                      go, and nothing changes"
                .into(),
        },
        (held, true) if held == rows_in => Advice {
            line: entry.line,
            what: format!("`{step}` ended all of {rows} events: no step behind it has anything to do"),
            changes: "if that is not meant, look at the condition; if it is, the steps behind it can go, and \
                      nothing changes"
                .into(),
        },
        (held, false) if held == rows_in => Advice {
            line: entry.line,
            what: format!("`{step}` held for all of {rows} events"),
            changes: "if it always holds, its steps can stand without it, and nothing changes; an `else` branch \
                      never runs"
                .into(),
        },
        _ => return None,
    })
}
