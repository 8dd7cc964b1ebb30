//! What to change: rules that look at a profile and speak only where its figures bear them out.
//!
//! In: an outline and what was measured. Out: for each finding the line, what to do and what that changes; nothing
//! is advised that changes results without saying so.

mod bytes;
mod condition;
mod early;
mod formats;
mod regex;

use super::measure::Measured;
use crate::lang::outline::Entry;

/// Rows that a part must have seen before anything is concluded from them.
const ROWS_MIN: u64 = 100;

/// Something to change.
#[derive(Debug, PartialEq)]
pub(super) struct Advice {
    /// Line of the pipeline file.
    pub(super) line: usize,
    /// What to do, and why.
    pub(super) what: String,
    /// What is then different.
    pub(super) changes: String,
}

/// What a rule looks at.
struct View<'a> {
    outline: &'a [Entry<'a>],
    measured: &'a Measured,
}

/// A rule: looks at the part with this number.
type Rule = fn(&View<'_>, usize) -> Option<Advice>;

/// All rules, in the order in which their findings are shown for one part.
const RULES: &[Rule] = &[
    formats::order,
    formats::useless,
    formats::unparsed,
    early::drop_first,
    condition::constant,
    regex::heavy,
    regex::plain,
    bytes::message,
    bytes::url,
];

/// Everything that the rules find, by the place in the file.
pub(super) fn advice(outline: &[Entry<'_>], measured: &Measured) -> Vec<Advice> {
    let view = View { outline, measured };
    (0..outline.len())
        .flat_map(|at| RULES.iter().filter_map(|rule| rule(&view, at)).collect::<Vec<_>>())
        .collect()
}

impl View<'_> {
    /// Rows that came to a part and rows that went on.
    fn rows(&self, at: usize) -> (u64, u64) {
        self.measured.parts.get(at).map_or((0, 0), |part| (part.rows_in, part.rows_out))
    }

    /// What a part costs per event of the input, in words; empty where nothing was timed.
    fn saves(&self, ns: f64) -> String {
        let per_event = ns / self.measured.events().max(1) as f64;
        if per_event < 0.5 { String::new() } else { format!(", about {per_event:.0} ns an event") }
    }
}

/// A share in percent, without pretending.
fn percent(part: u64, whole: u64) -> u64 {
    part * 100 / whole.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::lang;
    use crate::profile::measure::PartCount;

    /// What is advised where the second part, a step, takes so many of 100 ns.
    fn with_share(steps: &str, percent: f64) -> Vec<Advice> {
        let text = format!(
            "source log = files \"/var/log/a.log\"\nsink out = blackhole\npipeline p {{\n  from log\n{steps}\n  \
             | to out\n}}\n"
        );
        let machine = catalog::Machine { folder: ".".into() };
        let (file, plan, errors) = lang::compile(&text, &catalog::signatures(), &machine);
        let plan = plan.unwrap_or_else(|| panic!("{errors:?}"));
        let outline = lang::outline(&file, &plan, &text);
        let part = |number| PartCount {
            rows_in: 1000,
            rows_out: 1000,
            row_ns: if number == 1 { percent / 1000.0 } else { 0.0 },
            ..PartCount::default()
        };
        let parts = (0..outline.len()).map(part).collect();
        advice(&outline, &Measured { work_ns: 100.0, parts, ..Measured::default() })
    }

    #[test]
    fn a_pattern_is_worth_a_word_where_it_takes_the_time() {
        let step = r#"  | set .labels.took = capture(.message, r"took (\d+) ms") ?? "none""#;
        assert_eq!(with_share(step, 20.0), []);
        let found = with_share(step, 40.0);
        assert_eq!((found.len(), found[0].line), (1, 5));
        assert!(found[0].what.starts_with("patterns take fields out here, in 40 % of the time"), "{found:?}");
    }
}
