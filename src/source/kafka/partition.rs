//! One partition while it is ours: where reading began, how far it is, and what of it is committed.

use std::sync::Arc;

use crate::position::{Ranges, Resume, Stream, StreamId};
use crate::seam::kafka::Given;
use crate::source::Notice;

/// What the text beside a committed offset begins with.
const TEXT: &str = "aludel ";

pub(super) struct Partition {
    pub(super) stream: Arc<Stream>,
    /// Names this time of the partition's being read from its first commit on.
    incarnation: String,
    /// Whether the incarnation is not durable yet.
    pub(super) is_new: bool,
    /// Where reading began; all below was settled before, or is skipped on purpose.
    pub(super) from: u64,
    /// The next offset.
    pub(super) next: u64,
    /// All required sinks have settled what is below.
    pub(super) settled: u64,
    /// The group knows that it is read up to here.
    pub(super) committed: u64,
    /// One past the last offset, when it was last looked at.
    pub(super) high: u64,
    /// What sinks had settled above `from`.
    pub(super) sets: Option<Arc<[Ranges]>>,
    /// Read to its end, for now.
    pub(super) at_end: bool,
    /// Wanted back: nothing more is read.
    pub(super) leaving: bool,
    /// What is to be said of it.
    pub(super) notices: Vec<Notice>,
}

impl Partition {
    /// Finds out where a partition is to be read from.
    pub(super) fn begin(
        given: &Given,
        source: &str,
        cluster: &str,
        now_ns: i64,
        from_end: bool,
        resume: &dyn Resume,
    ) -> Self {
        let path = format!("kafka://{}/{}", given.topic, given.partition);
        let mut notices = Vec::new();
        let ours = given.committed.as_ref().and_then(|(at, text)| Some((*at, text.strip_prefix(TEXT)?)));
        let shrunk = ours.is_some_and(|(at, _)| at > given.high);
        if shrunk {
            let high = given.high;
            notices.push(Notice::Warning(format!(
                "{path}: the topic ends at {high}, before what was read of it; it was made anew and is read from its beginning"
            )));
        }
        let (incarnation, from, is_new) = match (&given.committed, ours) {
            (_, Some((at, incarnation))) if !shrunk => (incarnation.to_owned(), at, false),
            // Set by hand.
            (Some((at, _)), None) => (format!("{now_ns:016x}"), *at, true),
            (None, _) if from_end => (format!("{now_ns:016x}"), given.high, true),
            _ => (format!("{now_ns:016x}"), given.low, true),
        };
        let number = given.partition.to_be_bytes();
        let id = StreamId::from_facts(&[
            b"kafka",
            cluster.as_bytes(),
            given.topic.as_bytes(),
            &number,
            incarnation.as_bytes(),
        ]);
        // This host may know of more than the group: it died, or lost the partition, before it could say so.
        let known = resume.position(id, 0).filter(|known| (from..=given.high).contains(known));
        let from = known.unwrap_or(from);
        let stream =
            Arc::new(Stream { id, generation: 0, source: source.into(), path: path.as_str().into() });
        let mut part = Self {
            sets: known.and_then(|_| resume.settled(id, 0)),
            stream,
            incarnation,
            is_new,
            from,
            next: from,
            settled: from,
            committed: if known.is_some() { 0 } else { from },
            high: given.high,
            at_end: from >= given.high,
            leaving: false,
            notices,
        };
        if part.next < given.low {
            let gap = part.gap(given.low);
            part.notices.push(gap);
        }
        part
    }

    /// Notes that what lies before `low` is lost.
    pub(super) fn gap(&mut self, low: u64) -> Notice {
        let start = std::mem::replace(&mut self.next, low);
        let cause = "the topic's retention removed it before it was read";
        Notice::Gap { stream: self.stream.clone(), start, end: Some(low), cause }
    }

    /// The text beside a committed offset.
    pub(super) fn text(&self) -> String {
        format!("{TEXT}{}", self.incarnation)
    }

    /// Whether all that was handed on has settled.
    pub(super) fn is_drained(&self) -> bool {
        self.settled >= self.next
    }
}
