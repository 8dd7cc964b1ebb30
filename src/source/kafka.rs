//! Kafka as a source: a member of a consumer group, one message of a topic an event.
//!
//! In: what happens to a [`Consumer`]. Out: batches, and offsets committed once all required sinks have settled what is
//! below. A partition is a stream, positions in it are offsets: a message is one position long, and offsets that hold
//! none (markers of transactions, what compaction took away) belong to the message behind them.
//!
//! The group knows how far it is by committed offsets; the text beside each holds the partition's *incarnation*, which is
//! part of the stream's id. A partition without one of ours is new: nobody read it before, its topic was made
//! anew, or somebody set the offsets by hand, who wants to have it read again.

mod fill;
mod partition;

use std::collections::HashMap;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use super::{Backlog, Notice, Progress, Source, SourceKind, SourcePlan, World};
use crate::event::{Batch, Options};
use crate::limits::{KAFKA_COMMIT_EVERY, KAFKA_DRAIN_WAIT, RETRY_PAUSE_MIN};
use crate::position::{Resume, Stream};
use crate::seam::kafka::{
    Consumer, ConsumerConfig, Given, GroupConsumer, Happened, Headers, LINK_OPTIONS, Link,
};
use crate::signature::{OptionSpec, OptionType, Signature};
use fill::Filler;
use partition::Partition;

const OWN_OPTIONS: [OptionSpec; 3] = [
    OptionSpec {
        name: "topics",
        ty: OptionType::Texts,
        default: None,
        doc: "Topics to read, all of them as one group.",
    },
    OptionSpec {
        name: "group",
        ty: OptionType::Text,
        default: None,
        doc: "Name of the consumer group. Members share the partitions; another group reads everything for itself.",
    },
    OptionSpec {
        name: "start",
        ty: OptionType::Word(&["beginning", "end"]),
        default: Some("beginning"),
        doc: "Where to begin in partitions for which the group has committed nothing yet.",
    },
];

const OPTIONS: [OptionSpec; 8] = {
    let mut all = [OWN_OPTIONS[0]; 8];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OWN_OPTIONS.len() { OWN_OPTIONS[at] } else { LINK_OPTIONS[at - OWN_OPTIONS.len()] };
        at += 1;
    }
    all
};

static SIGNATURE: Signature = Signature {
    name: "kafka",
    summary: "Reads topics of Kafka as a member of a consumer group.",
    doc: "\
    source bus = kafka \"kafka-0:9092\" { topics = [\"logs-web\", \"logs-db\"], group = \"aludel\" }

One event a message, of its value as it is; messages without a value, or with an empty one, are counted and give no event. Around it:
`kafka.topic`, `kafka.partition`, `kafka.offset`, `kafka.key` and `kafka.headers`, for pipelines that name them. An event
that has no time of its own has the record's.

Offsets are committed only when every required sink has settled what is below them. Members of the group come and go cooperatively: a partition
that moves is held for a moment until its rows have settled; rows that have not are read again by the next owner,
under the same ids. Only committed records of transactions are read. What the topic's retention removed before it was read is a gap.

Offsets that are set by hand make the partition a new stream: what is read again is delivered again, under new ids.",
    form: "kafka \"HOST:PORT\", … { … }",
    options: &OPTIONS,
    examples: &[],
};

/// The `kafka` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan {
    name: String,
    config: ConsumerConfig,
    from_end: bool,
}

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    let topics = options.texts("topics").to_vec();
    if topics.is_empty() || topics.iter().any(String::is_empty) {
        return Err("`topics` names no topic: write `topics = [\"logs\"]`".into());
    }
    let group = options.text("group").filter(|group| !group.is_empty()).ok_or("`group` is empty")?.to_owned();
    Ok(Box::new(Plan {
        name: name.into(),
        config: ConsumerConfig { link: Link::from_options(options)?, group, topics },
        from_end: options.text("start") == Some("end"),
    }))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        let consumer = Box::new(GroupConsumer::join(&self.config)?);
        Ok(Box::new(Kafka::new(&self.name, self.from_end, consumer, world, resume)))
    }

    fn place(&self) -> String {
        format!("{} at {}", self.config.topics.join(", "), self.config.link.servers())
    }
}

/// Topic and partition.
type Place = (Arc<str>, i32);

/// Partitions that the group wants back.
struct Wanted {
    partitions: Vec<Place>,
    until: Duration,
}

/// The source as it runs. Public so that it can be given another consumer.
pub struct Kafka {
    name: Box<str>,
    from_end: bool,
    consumer: Box<dyn Consumer>,
    world: World,
    resume: Arc<dyn Resume>,
    cluster: Option<String>,
    partitions: HashMap<Place, Partition>,
    /// A rebalance that could not be carried out yet, and when it is tried again.
    given: Option<(Vec<Given>, Duration)>,
    wanted: Option<Wanted>,
    commit_at: Duration,
    /// When it is next asked which partitions are read to their ends.
    ask_at: Duration,
    buffers: (Vec<u8>, Vec<u8>, Headers),
    notices: Vec<Notice>,
    /// The last trouble, which is said once.
    said: String,
    finishing: bool,
    /// Whether the group has given anything, be it nothing.
    joined: bool,
    /// Whether the last word was said.
    left: bool,
}

impl Kafka {
    /// A source over a consumer.
    pub fn new(
        name: &str,
        from_end: bool,
        consumer: Box<dyn Consumer>,
        world: World,
        resume: Arc<dyn Resume>,
    ) -> Self {
        Self {
            name: name.into(),
            from_end,
            consumer,
            world,
            resume,
            cluster: None,
            partitions: HashMap::new(),
            given: None,
            wanted: None,
            commit_at: Duration::ZERO,
            ask_at: Duration::ZERO,
            buffers: Default::default(),
            notices: Vec::new(),
            said: String::new(),
            finishing: false,
            joined: false,
            left: false,
        }
    }

    fn trouble(&mut self, why: String) {
        if self.said != why {
            self.notices.push(Notice::Warning(format!("{}: {why}", self.name)));
            self.said = why;
        }
    }

    /// Takes partitions over: finds where each is to be read from, and makes that durable before anything is.
    fn take_over(&mut self, given: &[Given]) -> Result<(), String> {
        if self.cluster.is_none() {
            self.cluster = Some(self.consumer.cluster()?);
        }
        let cluster = self.cluster.as_deref().unwrap_or_default();
        let mut taken = Vec::new();
        for of in given {
            let now_ns = self.world.clock.now_unix_ns();
            let part = Partition::begin(of, &self.name, cluster, now_ns, self.from_end, &*self.resume);
            taken.push(((of.topic.clone(), of.partition), part));
        }
        let new: Vec<_> = taken
            .iter()
            .filter(|(_, part)| part.is_new)
            .map(|((topic, number), part)| (topic.clone(), *number, part.from, part.text()))
            .collect();
        if !new.is_empty() {
            self.consumer.commit(&new, true)?;
        }
        let from: Vec<_> =
            taken.iter().map(|((topic, number), part)| (topic.clone(), *number, part.next)).collect();
        self.consumer.start(&from)?;
        for (place, mut part) in taken {
            self.notices.append(&mut part.notices);
            self.partitions.insert(place, part);
        }
        self.joined = true;
        Ok(())
    }

    fn wanted(&mut self, partitions: Vec<Place>, lost: bool, now: Duration) {
        // What could not be taken over yet goes back as it is.
        if let Some((given, _)) = &mut self.given {
            given.retain(|of| !partitions.contains(&(of.topic.clone(), of.partition)));
        }
        let until = if lost { now } else { now + KAFKA_DRAIN_WAIT };
        if lost {
            partitions.iter().for_each(|place| drop(self.partitions.remove(place)));
        }
        for place in &partitions {
            if let Some(part) = self.partitions.get_mut(place) {
                part.leaving = true;
            }
        }
        match &mut self.wanted {
            Some(wanted) => wanted.partitions.extend(partitions),
            None => self.wanted = Some(Wanted { partitions, until }),
        }
    }

    /// Gives partitions back once their rows have settled, or have had their time. False where that is still to come.
    fn give_back(&mut self, now: Duration) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        let is_drained = |place: &Place| self.partitions.get(place).is_none_or(Partition::is_drained);
        if now < wanted.until && !wanted.partitions.iter().all(is_drained) {
            return false;
        }
        let Some(wanted) = self.wanted.take() else { return true };
        let offsets = self.due(|place, _| wanted.partitions.contains(place));
        if !offsets.is_empty()
            && let Err(why) = self.consumer.commit(&offsets, true)
        {
            // Its next owner reads them again, under the same ids.
            self.trouble(format!("offsets were not committed before partitions moved: {why}"));
        }
        wanted.partitions.iter().for_each(|place| drop(self.partitions.remove(place)));
        if let Err(why) = self.consumer.give_back(&wanted.partitions) {
            self.trouble(format!("partitions were not given back: {why}"));
        }
        true
    }

    /// Offsets to commit.
    fn due(&self, of: impl Fn(&Place, &Partition) -> bool) -> Vec<(Arc<str>, i32, u64, String)> {
        let due = self.partitions.iter().filter(|(place, part)| of(place, part));
        due.map(|((topic, number), part)| (topic.clone(), *number, part.settled, part.text())).collect()
    }

    fn not_committed(&mut self, why: String) {
        // Which of them is not told: all are said again.
        self.partitions.values_mut().for_each(|part| part.committed = 0);
        self.trouble(format!("offsets were not committed, trying again: {why}"));
    }

    /// Says how far the group is; where that is waited for, whether it was heard.
    fn commit(&mut self, now: Duration, wait: bool) -> bool {
        if now < self.commit_at && !wait {
            return true;
        }
        // The last word is said whatever was said before, since nobody knows whether that was heard.
        let offsets = self.due(|_, part| wait || part.settled > part.committed);
        if offsets.is_empty() {
            return true;
        }
        self.commit_at = now + KAFKA_COMMIT_EVERY;
        match self.consumer.commit(&offsets, wait) {
            Ok(()) => {
                for (topic, number, offset, _) in offsets {
                    if let Some(part) = self.partitions.get_mut(&(topic, number)) {
                        part.committed = offset;
                    }
                }
                true
            }
            Err(why) => {
                self.not_committed(why);
                false
            }
        }
    }

    /// Some partition is asked for an offset that is not there: what lies between is lost.
    fn look_for_gaps(&mut self) {
        let places: Vec<Place> = self.partitions.keys().cloned().collect();
        for (topic, number) in places {
            let (low, high) = match self.consumer.watermarks(&topic, number) {
                Ok(marks) => marks,
                Err(why) => {
                    self.trouble(why);
                    continue;
                }
            };
            let Some(part) = self.partitions.get_mut(&(topic.clone(), number)) else { continue };
            if (low..=high).contains(&part.next) {
                continue;
            }
            if part.next < low {
                self.notices.push(part.gap(low));
            } else {
                let path = part.stream.path.clone();
                self.trouble(format!(
                    "{path}: the topic ends at {high}, before what was read; it was made anew"
                ));
                continue;
            }
            if let Err(why) = self.consumer.seek(&topic, number, low) {
                self.trouble(why);
            }
        }
    }

    /// A partition of this number was read to its end. Where topics share the number it is not told which one, and has to
    /// be asked for: a guess would end a run too early, or never.
    fn end(&mut self, number: i32) {
        let mut of = self.partitions.iter_mut().filter(|((_, known), _)| *known == number);
        if let (Some((_, part)), None) = (of.next(), of.next()) {
            part.at_end = true;
        }
    }

    /// Asks for partitions that share their number with another topic's whether they are read to their ends.
    fn ask_for_ends(&mut self, now: Duration) {
        if now < self.ask_at {
            return;
        }
        self.ask_at = now + RETRY_PAUSE_MIN;
        let open = self.partitions.iter().filter(|(_, part)| !part.at_end && !part.leaving);
        let shares = |place: &Place| self.partitions.keys().any(|of| of.1 == place.1 && of.0 != place.0);
        let open: Vec<_> =
            open.filter(|(place, _)| shares(place)).map(|(place, part)| (place.clone(), part.next)).collect();
        for (place, next) in open {
            match self.consumer.is_at_end(&place.0, place.1, next) {
                Ok(at_end) => {
                    if let Some(part) = self.partitions.get_mut(&place) {
                        part.at_end = at_end;
                    }
                }
                // The others are not waited for in vain as well.
                Err(why) => return self.trouble(why),
            }
        }
    }

    /// Whether all that the group gave is read to its end.
    fn is_read(&self) -> bool {
        self.joined && self.partitions.values().all(|part| part.at_end || part.leaving)
    }

    fn take(&mut self, happened: Happened, filler: &mut Filler<'_>, now: Duration) {
        match happened {
            Happened::Message(of) => {
                let (key, value, headers) = &self.buffers;
                if let Some(part) = self.partitions.get_mut(&(of.topic.clone(), of.partition)) {
                    filler.push(part, &of, key, value, headers);
                }
            }
            Happened::Given(given) => self.given = Some((given, now)),
            Happened::Wanted { partitions, lost } => self.wanted(partitions, lost, now),
            Happened::End(number) => self.end(number),
            Happened::OutOfRange => self.look_for_gaps(),
            Happened::NotCommitted(why) => self.not_committed(why),
            Happened::Trouble(why) => self.trouble(why),
        }
    }

    /// Looks after the group and reads while the batch has room. Says whether anything happened.
    fn work(&mut self, now: Duration, filler: &mut Filler<'_>) -> bool {
        let mut worked = false;
        while !filler.is_full() {
            if let Some((given, at)) = self.given.take() {
                if now < at {
                    self.given = Some((given, at));
                } else if let Err(why) = self.take_over(&given) {
                    self.trouble(why);
                    self.given = Some((given, now + 10 * RETRY_PAUSE_MIN));
                }
            }
            let (key, value, headers) = &mut self.buffers;
            let Some(happened) = self.consumer.poll(key, value, headers) else { break };
            worked |= matches!(happened, Happened::Message(_));
            // Asked for again at once it would be asked for for ever.
            let stop = matches!(happened, Happened::Trouble(_));
            self.take(happened, filler, now);
            if stop {
                break;
            }
        }
        worked
    }
}

impl Source for Kafka {
    fn step(&mut self, now: Duration, batch: &mut Batch) -> Progress {
        let mut filler = Filler::new(batch);
        let worked = self.work(now, &mut filler);
        let full = filler.is_full();
        filler.finish();
        self.give_back(now);
        self.commit(now, false);
        if full || worked {
            return Progress::More;
        }
        if self.given.is_some() || self.wanted.is_some() {
            return Progress::Wait(now + RETRY_PAUSE_MIN / 5);
        }
        if !self.finishing {
            return Progress::Wait(now + KAFKA_COMMIT_EVERY);
        }
        self.ask_for_ends(now);
        if self.is_read() { Progress::End } else { Progress::Wait(now + RETRY_PAUSE_MIN / 5) }
    }

    fn settled(&mut self, stream: &Stream, position: u64) {
        // A partition that is not ours any more is its owner's to commit.
        let part = self.partitions.values_mut().find(|part| part.stream.id == stream.id);
        if let Some(part) = part {
            part.settled = part.settled.max(position);
        }
    }

    fn original(&mut self, stream: &Stream, range: Range<u64>) -> Option<Vec<u8>> {
        let (topic, number) = stream.path.strip_prefix("kafka://")?.rsplit_once('/')?;
        self.consumer.read_again(topic, number.parse().ok()?, range)
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn leave(&mut self, now: Duration) {
        let (key, value, headers) = &mut self.buffers;
        // The group may want something, and would wait for the answer; messages are left for who comes after.
        while let Some(happened) = self.consumer.poll(key, value, headers) {
            match happened {
                Happened::Wanted { partitions, lost } => {
                    self.wanted(partitions, lost, now);
                    break;
                }
                // Not read any more: the answer is all that the group waits for. Without one it learns from our leaving.
                Happened::Given(_) => drop(self.consumer.start(&[])),
                Happened::NotCommitted(why) => {
                    self.not_committed(why);
                    break;
                }
                Happened::Trouble(why) => {
                    self.trouble(why);
                    break;
                }
                Happened::Message(_) => break,
                Happened::End(_) | Happened::OutOfRange => {}
            }
        }
        self.give_back(now);
        let last = !self.left && self.partitions.values().all(Partition::is_drained);
        self.left |= self.commit(now, last) && last;
    }

    fn backlog(&self) -> Backlog {
        let unread = self.partitions.values().map(|part| part.high.saturating_sub(part.next)).sum();
        Backlog {
            streams: self.partitions.len(),
            open: self.partitions.len(),
            unread_bytes: unread,
            padding_bytes: 0,
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.consumer.wake_fd()
    }
}

impl Drop for Kafka {
    /// What has settled by now is not read again by the next owner.
    fn drop(&mut self) {
        // While the group finds out that another member has died it takes no commits; that passes.
        for _ in 0..KAFKA_DRAIN_WAIT.as_millis() / RETRY_PAUSE_MIN.as_millis() {
            self.leave(self.world.clock.monotonic());
            if self.left || !self.partitions.values().all(Partition::is_drained) {
                break;
            }
            std::thread::sleep(RETRY_PAUSE_MIN);
        }
        if !self.left {
            self.commit(Duration::ZERO, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OptionValue;

    fn fault(values: &[(&'static str, OptionValue)]) -> String {
        let mut all = vec![
            ("topics", OptionValue::Texts(vec!["logs".into()])),
            ("group", OptionValue::Text("aludel".into())),
        ];
        all.retain(|(name, _)| !values.iter().any(|(known, _)| known == name));
        all.extend(values.iter().cloned());
        plan("bus", &Options::new(vec!["localhost:9092".into()], all)).err().unwrap_or_default()
    }

    #[test]
    fn what_cannot_work_is_said_at_once() {
        assert_eq!(fault(&[]), "");
        assert!(fault(&[("topics", OptionValue::Texts(Vec::new()))]).contains("names no topic"));
        assert!(fault(&[("group", OptionValue::Text(String::new()))]).contains("`group` is empty"));
        let tls = fault(&[("tls", OptionValue::Bool(true))]);
        assert_eq!(tls.contains("--features kafka-tls"), !cfg!(feature = "kafka-tls"), "{tls}");
    }
}
