//! Fields that cost bytes at a sink though others say the same.

use super::{Advice, View, percent};
use crate::lang::ast::StepKind;
use crate::lang::outline::Part;
use crate::lang::plan::Step;
use crate::profile::measure::SinkCount;

/// Share of a sink's bytes, in percent, that is worth a word.
const BYTES_PERCENT_MIN: u64 = 5;

/// The original line beside the fields that were made of it.
pub(super) fn message(view: &View<'_>, at: usize) -> Option<Advice> {
    let (name, share) = most(view, at, |sink| sink.message_bytes)?;
    Some(Advice {
        line: view.outline[at].line,
        what: format!(
            "{share} % of the bytes for {name} are `.message` of events that a format took: `| remove .message` \
             before this, where the event was parsed"
        ),
        changes:
            "the events no longer have the original line: what the fields do not say of it is lost, and \
                  searches over the whole line find nothing"
                .into(),
    })
}

/// `url.original` beside its parts.
pub(super) fn url(view: &View<'_>, at: usize) -> Option<Advice> {
    let (name, share) = most(view, at, |sink| sink.url_bytes)?;
    Some(Advice {
        line: view.outline[at].line,
        what: format!(
            "{share} % of the bytes for {name} are `.url.original`, which `.url.path`, `.url.query` and their kin \
             say again: `| remove .url.original` before this"
        ),
        changes: "the events no longer have `.url.original`; queries for it must use `.url.path`".into(),
    })
}

/// The sink of a `to` with the largest share of such bytes, if it is large enough. Only the first `to` of a sink
/// says it.
fn most<'a>(view: &View<'a>, at: usize, bytes: impl Fn(&SinkCount) -> u64) -> Option<(&'a str, u64)> {
    let Part::Step(StepKind::To(_), Step::To(sinks)) = &view.outline[at].part else { return None };
    let told = |sink: &usize| {
        view.outline[..at]
            .iter()
            .any(|entry| matches!(&entry.part, Part::Step(_, Step::To(of)) if of.contains(sink)))
    };
    let shares = sinks.iter().filter(|sink| !told(sink)).filter_map(|number| {
        let sink = view.measured.sinks.get(*number)?;
        let (name, _) = view.measured.counts.sinks.get(*number)?;
        let enough = sink.raw_bytes > 0 && sink.rows_out >= super::ROWS_MIN;
        enough.then(|| (name.as_str(), percent(bytes(sink), sink.raw_bytes)))
    });
    shares.max_by_key(|(_, share)| *share).filter(|(_, share)| *share >= BYTES_PERCENT_MIN)
}
