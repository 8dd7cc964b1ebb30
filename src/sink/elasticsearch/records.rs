//! What must be known after a crash: how far each stream was sent, and where the rows can be.
//!
//! Elasticsearch checks ids within one backing index. A row whose answer was lost, by a kill of this process among
//! others, may stand in a backing index that is no longer written to, where creating it again would not be refused.
//! So two things are durable before a row is sent for the first time:
//!
//! - a **reach** per stream: no byte at or beyond it was ever sent. It is raised ahead of the rows by a lease of some
//!   megabytes, so that it costs one sync per lease and not per request. After a restart, rows below the reach found
//!   then are in doubt, all others are new; nothing is asked of the server for those.
//! - the **write index** of each data stream, as it was when the sink first wrote to it, and each one that was seen
//!   since. Rows in doubt are in one from the oldest kept to the present one. It need not be the newest: an older
//!   one only makes more to look through. One that is no longer written to is kept for [`SUPERSEDED_KEPT`], which is
//!   far beyond the time in which what was sent to it becomes settled, durably; and while the agent was not running
//!   none is forgotten, since that a newer one exists is only noted when it is seen.
//!
//! One file per sink in the data folder, `elasticsearch-NAME.log`; made anew when it grows.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{BULK_STREAMS_MAX, LEASE_BYTES_MAX, LEASE_BYTES_MIN, LOOK_INDICES_MAX};
use crate::position::StreamId;
use crate::seam::{FRAME_HEAD_BYTES, Fs, HashMap, RecordLog, write_frame};
use crate::sink::Provenance;

/// How long a backing index that is no longer written to still counts as one where rows in doubt may be.
const SUPERSEDED_KEPT: Duration = Duration::from_secs(24 * 3600);

/// A lease that is used up within this time is followed by one twice as large.
const LEASE_SHORT: Duration = Duration::from_secs(1);

const KIND_REACH: u8 = 1;
const KIND_INDEX: u8 = 2;

/// How far a stream was sent.
#[derive(Clone, Copy, Default)]
struct Reach {
    /// As found when the log was opened: what is below may have been sent by an earlier process.
    found: u64,
    /// Durable, or about to be.
    reach: u64,
    /// Size of the last lease, and when it was given.
    lease: u64,
    given: Duration,
    /// Counts uses, so that the longest unused is forgotten first.
    used: u64,
}

/// A backing index that was the write index of its data stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// Its name; empty for "there was no such data stream".
    index: Box<str>,
    /// When it was first seen, in seconds since the epoch.
    unix_s: u64,
}

/// The records of one sink.
pub(super) struct Records {
    log: RecordLog,
    streams: HashMap<(StreamId, u16), Reach>,
    indices: BTreeMap<Arc<str>, Vec<Seen>>,
    /// Frames that are not durable yet.
    pending: Vec<u8>,
    /// Something was noted that is perhaps not durable.
    dirty: bool,
    uses: u64,
}

impl Records {
    /// Reads the records of the sink `name`, or starts them. Damage is skipped and described: a row of which nothing
    /// is known counts as new.
    pub(super) fn open(fs: Arc<dyn Fs>, folder: &Path, name: &str) -> io::Result<(Self, Vec<String>)> {
        let (mut streams, mut indices) = (HashMap::default(), BTreeMap::new());
        let mut each = |frame: &[u8]| match decode(frame.get(FRAME_HEAD_BYTES..).unwrap_or_default()) {
            Some(Record::Reach(key, reach)) => {
                streams.insert(key, Reach { found: reach, reach, ..Reach::default() });
            }
            Some(Record::Index(stream, seen)) => note(&mut indices, stream, seen),
            None => {}
        };
        let path = folder.join(format!("elasticsearch-{name}.log"));
        let (log, warnings) = RecordLog::open(fs, &path, &mut each)?;
        Ok((Self { log, streams, indices, pending: Vec::new(), dirty: false, uses: 0 }, warnings))
    }

    /// Whether an earlier process may have sent rows of these ranges.
    pub(super) fn may_have_sent(&self, provenance: &Provenance) -> bool {
        provenance.ranges.iter().any(|(stream, ranges)| {
            let found = self.streams.get(&(stream.id, stream.generation)).map_or(0, |reach| reach.found);
            ranges.iter().any(|range| range.start < found)
        })
    }

    /// Raises the reach of the streams to beyond these ranges; durable after [`Records::commit`].
    pub(super) fn reserve(&mut self, provenance: &Provenance, now: Duration) {
        for (stream, ranges) in &provenance.ranges {
            let Some(end) = ranges.iter().map(|range| range.end).max() else { continue };
            let key = (stream.id, stream.generation);
            self.uses += 1;
            let of = self.streams.entry(key).or_default();
            of.used = self.uses;
            if end <= of.reach {
                continue;
            }
            let short = of.lease > 0 && now.saturating_sub(of.given) < LEASE_SHORT;
            of.lease =
                if short { 2 * of.lease } else { of.lease / 2 }.clamp(LEASE_BYTES_MIN, LEASE_BYTES_MAX);
            of.given = now;
            of.reach = end.saturating_add(of.lease);
            encode_reach(key, of.reach, &mut self.pending);
        }
    }

    /// Makes everything durable that was noted. Nothing is written when there is nothing new.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        self.dirty |= !self.pending.is_empty();
        if !self.dirty {
            return Ok(());
        }
        self.forget_streams();
        if self.log.wants_rewrite(self.live_bytes()) {
            let (streams, indices) = (&self.streams, &self.indices);
            let reaches = streams.iter().map(|(key, of)| {
                let mut frame = Vec::new();
                encode_reach(*key, of.reach, &mut frame);
                frame
            });
            let seen = indices.iter().flat_map(|(stream, all)| all.iter().map(move |seen| (stream, seen)));
            let seen = seen.map(|(stream, seen)| {
                let mut frame = Vec::new();
                encode_index(stream, seen, &mut frame);
                frame
            });
            self.log.rewrite(&mut reaches.chain(seen))?;
            self.pending.clear();
            self.dirty = false;
            return Ok(());
        }
        self.log.append(&self.pending)?;
        self.pending.clear();
        self.log.sync()?;
        self.dirty = false;
        Ok(())
    }

    /// Notes the present write index of a data stream, or that there is none; durable after [`Records::commit`].
    /// Gives the one that was noted before, if it was another.
    pub(super) fn note_write_index(
        &mut self,
        stream: &Arc<str>,
        index: &str,
        unix_s: u64,
    ) -> Option<Box<str>> {
        let before = self.indices.get(stream).and_then(|all| all.last());
        if before.is_some_and(|seen| *seen.index == *index) {
            return None;
        }
        let before = before.map(|seen| seen.index.clone());
        let seen = Seen { index: index.into(), unix_s };
        encode_index(stream, &seen, &mut self.pending);
        note(&mut self.indices, Arc::clone(stream), seen);
        before
    }

    /// When it was noted, in seconds since the epoch, that a data stream has another write index than before.
    pub(super) fn rolled_unix_s(&self, stream: &str) -> Option<u64> {
        self.indices.get(stream).filter(|all| all.len() > 1)?.last().map(|seen| seen.unix_s)
    }

    /// Of the backing indices of a data stream, oldest first, those that may hold rows in doubt: from the oldest
    /// noted write index on, however many there were since. All, as far as a bound allows, where nothing was noted or
    /// that one is gone.
    pub(super) fn suspects<'a>(&self, stream: &str, backing: &'a [Arc<str>]) -> &'a [Arc<str>] {
        let noted = self.indices.get(stream).into_iter().flatten();
        let oldest = noted.filter_map(|seen| backing.iter().position(|index| **index == *seen.index)).min();
        let none_before =
            self.indices.get(stream).is_some_and(|all| all.iter().any(|seen| seen.index.is_empty()));
        let oldest = if none_before { Some(0) } else { oldest };
        let oldest = oldest.unwrap_or(backing.len().saturating_sub(LOOK_INDICES_MAX));
        backing.get(oldest..).unwrap_or_default()
    }

    /// Forgets the streams that were not sent for longest, when there are too many.
    fn forget_streams(&mut self) {
        if self.streams.len() <= BULK_STREAMS_MAX {
            return;
        }
        let mut uses: Vec<u64> = self.streams.values().map(|of| of.used).collect();
        let (_, middle, _) = uses.select_nth_unstable(BULK_STREAMS_MAX / 4);
        let middle = *middle;
        self.streams.retain(|_, of| of.used > middle);
    }

    fn live_bytes(&self) -> u64 {
        const REACH_BYTES: usize = FRAME_HEAD_BYTES + 19;
        let seen = self
            .indices
            .iter()
            .flat_map(|(stream, all)| all.iter().map(|seen| stream.len() + seen.index.len()));
        (self.streams.len() * REACH_BYTES + seen.map(|len| len + FRAME_HEAD_BYTES + 13).sum::<usize>()) as u64
    }
}

/// Adds a write index and forgets those that were superseded long ago.
fn note(indices: &mut BTreeMap<Arc<str>, Vec<Seen>>, stream: Arc<str>, seen: Seen) {
    let all = indices.entry(stream).or_default();
    let now_s = seen.unix_s;
    all.retain(|before| before.index != seen.index);
    all.push(seen);
    // Each was superseded when the one behind it was seen.
    let recent = all.iter().skip(1).position(|next| next.unix_s + SUPERSEDED_KEPT.as_secs() > now_s);
    all.drain(..recent.unwrap_or(0));
}

/// A decoded record.
enum Record {
    Reach((StreamId, u16), u64),
    Index(Arc<str>, Seen),
}

fn encode_reach((stream, generation): (StreamId, u16), reach: u64, out: &mut Vec<u8>) {
    let mut body = vec![KIND_REACH];
    body.extend_from_slice(&stream.0.to_le_bytes());
    body.extend_from_slice(&generation.to_le_bytes());
    body.extend_from_slice(&reach.to_le_bytes());
    write_frame(&body, out);
}

fn encode_index(stream: &str, seen: &Seen, out: &mut Vec<u8>) {
    let mut body = vec![KIND_INDEX];
    body.extend_from_slice(&seen.unix_s.to_le_bytes());
    // Names of data streams and indices are at most 255 bytes.
    body.extend_from_slice(&(stream.len() as u16).to_le_bytes());
    body.extend_from_slice(stream.as_bytes());
    body.extend_from_slice(seen.index.as_bytes());
    write_frame(&body, out);
}

/// `None` for a record of a later version.
fn decode(body: &[u8]) -> Option<Record> {
    let u64_at = |at: usize| body.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let u16_at = |at: usize| body.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
    match *body.first()? {
        KIND_REACH => Some(Record::Reach((StreamId(u64_at(1)?), u16_at(9)?), u64_at(11)?)),
        KIND_INDEX => {
            let (unix_s, name) = (u64_at(1)?, usize::from(u16_at(9)?));
            let text = |bytes: Option<&[u8]>| std::str::from_utf8(bytes?).ok().map(str::to_owned);
            let stream = text(body.get(11..11 + name))?;
            let index = text(body.get(11 + name..))?;
            Some(Record::Index(stream.into(), Seen { index: index.into(), unix_s }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Stream;
    use crate::seam::sim::{SimClock, SimFs};

    fn disk() -> Arc<SimFs> {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        fs.make_folder(Path::new("/data")).expect("a folder");
        Arc::new(fs)
    }

    fn open(fs: &Arc<SimFs>) -> Records {
        let (records, warnings) = Records::open(fs.clone(), Path::new("/data"), "es").expect("opens");
        assert!(warnings.is_empty(), "{warnings:?}");
        records
    }

    fn provenance(stream: u64, range: std::ops::Range<u64>) -> Provenance {
        let stream = Stream { id: StreamId(stream), generation: 0, source: "s".into(), path: "p".into() };
        Provenance { batch: 0, ranges: vec![(Arc::new(stream), vec![range])] }
    }

    #[test]
    fn what_was_reserved_is_in_doubt_after_a_restart_and_no_more() {
        let fs = disk();
        let mut records = open(&fs);
        assert!(!records.may_have_sent(&provenance(1, 0..100)));
        records.reserve(&provenance(1, 0..100), Duration::ZERO);
        records.commit().expect("durable");
        assert!(!records.may_have_sent(&provenance(1, 0..100)), "not by an earlier process");
        drop(records);
        let records = open(&fs);
        let end = 100 + LEASE_BYTES_MIN;
        assert!(records.may_have_sent(&provenance(1, 0..100)));
        assert!(records.may_have_sent(&provenance(1, end - 1..end + 5)));
        assert!(!records.may_have_sent(&provenance(1, end..end + 5)));
        assert!(!records.may_have_sent(&provenance(2, 0..100)));
    }

    #[test]
    fn a_lease_grows_with_haste() {
        let fs = disk();
        let mut records = open(&fs);
        let mut leases = Vec::new();
        let mut at = 0;
        for step in 0..8 {
            records.reserve(&provenance(1, at..at + 1), Duration::from_millis(step));
            at = records.streams[&(StreamId(1), 0)].reach;
            leases.push(records.streams[&(StreamId(1), 0)].lease);
        }
        assert_eq!(leases.first(), Some(&LEASE_BYTES_MIN));
        assert_eq!(leases.last(), Some(&LEASE_BYTES_MAX));
        records.reserve(&provenance(1, at..at + 1), Duration::from_secs(60));
        assert_eq!(records.streams[&(StreamId(1), 0)].lease, LEASE_BYTES_MAX / 2);
    }

    #[test]
    fn rows_in_doubt_are_from_the_oldest_write_index_to_the_present_one() {
        let fs = disk();
        let mut records = open(&fs);
        let stream: Arc<str> = "logs-a-b".into();
        let backing: Vec<Arc<str>> = ["i1", "i2", "i3", "i4"].map(Arc::from).to_vec();
        let from = |records: &Records| records.suspects("logs-a-b", &backing)[0].to_string();
        assert_eq!(from(&records), "i1", "nothing is known");
        assert_eq!(records.note_write_index(&stream, "i2", 1000), None);
        assert_eq!(records.note_write_index(&stream, "i2", 2000), None);
        assert_eq!(records.note_write_index(&stream, "i3", 3000), Some("i2".into()));
        records.commit().expect("durable");
        let mut records = open(&fs);
        assert_eq!(from(&records), "i2");
        // The agent was down for a month: the one that was written to then still counts.
        let month = 30 * 24 * 3600;
        records.note_write_index(&stream, "i4", 3000 + month);
        assert_eq!(from(&records), "i3");
        records.note_write_index(&"new".into(), "", 5);
        records.note_write_index(&"new".into(), "i3", 6);
        assert_eq!(records.suspects("new", &backing).len(), 4, "from the first one on");
        // However many there were since: only where that is not known is there a bound.
        let many: Vec<Arc<str>> = (0..LOOK_INDICES_MAX * 2).map(|n| format!("i{n}").into()).collect();
        assert_eq!(records.suspects("logs-a-b", &many).len(), many.len() - 3);
        assert_eq!(records.suspects("unknown", &many).len(), LOOK_INDICES_MAX);
    }

    #[test]
    fn the_file_is_made_anew_and_says_the_same() {
        let fs = disk();
        let mut records = open(&fs);
        records.note_write_index(&"logs-a-b".into(), "i1", 7);
        for n in 0..60_000u64 {
            records.reserve(&provenance(n % 7, n << 32..(n << 32) + 1), Duration::from_secs(n));
            if n % 100 == 0 {
                records.commit().expect("durable");
            }
        }
        records.commit().expect("durable");
        assert!(records.log.size() < 1_100_000, "{}", records.log.size());
        let again = open(&fs);
        assert!(again.indices.contains_key("logs-a-b"));
        assert!(again.may_have_sent(&provenance(3, 59_000 << 32..(59_000 << 32) + 1)));
    }
}
