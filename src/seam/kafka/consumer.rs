//! librdkafka as a [`Consumer`] of a group.
//!
//! It is polled on the thread of its owner and never waits for messages; what is asked of the group's coordinator (what
//! was committed, where partitions begin and end) is waited for, for [`CALL`] at most. A rebalance is answered by the
//! owner when it is ready, not by a callback: librdkafka waits for the answer.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as Native, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use rustix::event::{EventfdFlags, eventfd};

use super::{Consumer, Fetched, Given, Happened, Headers, Link};
use crate::limits::{KAFKA_FETCH_BYTES, KAFKA_PARTITION_BYTES};

/// Longest wait for an answer of a broker.
const CALL: Duration = Duration::from_secs(5);

/// How long a member may go without a poll before the group takes its partitions: the longest that there is. A sink that is
/// away holds the source back, and that must not look like a dead member; a dead process is noticed by its heartbeats.
const POLL_INTERVAL_MS: &str = "86400000";

/// After this long without a heartbeat, which a thread of the client's own sends, a member is dead.
const SESSION_MS: &str = "10000";

/// How a consumer reads.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// How the cluster is reached.
    pub link: Link,
    /// The group's name.
    pub group: String,
    /// Topics.
    pub topics: Vec<String>,
}

/// A member of a consumer group.
pub struct GroupConsumer {
    consumer: BaseConsumer<Callbacks>,
    noted: Arc<Mutex<Noted>>,
    closing: Arc<AtomicBool>,
    /// Reads single messages again; made when it is first asked for one.
    again: Option<BaseConsumer>,
    config: ConsumerConfig,
    wake: Arc<OwnedFd>,
    /// A rebalance whose partitions could not be looked at yet.
    given: Option<TopicPartitionList>,
    /// A rebalance was told of and is not answered yet.
    unanswered: bool,
    topics: Vec<Arc<str>>,
    /// Nothing was there at the last look.
    dry: bool,
}

#[derive(Default)]
struct Noted {
    rebalances: VecDeque<Rebalance>,
    trouble: Option<String>,
    not_committed: Option<String>,
}

enum Rebalance {
    Given(TopicPartitionList),
    Wanted { partitions: TopicPartitionList, lost: bool },
}

struct Callbacks {
    noted: Arc<Mutex<Noted>>,
    /// The member leaves: whatever is wanted back goes back at once.
    closing: Arc<AtomicBool>,
}

impl Callbacks {
    fn with(&self, note: impl FnOnce(&mut Noted)) {
        note(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        let text = if reason.is_empty() { error.to_string() } else { reason.to_owned() };
        self.with(|noted| noted.trouble = Some(text));
    }
}

impl ConsumerContext for Callbacks {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Acquire) {
            let _ = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
                _ => consumer.unassign(),
            };
            return;
        }
        let partitions = partitions.clone();
        let rebalance = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Given(partitions)
        } else {
            // They are not read any further; what is on its way is let go.
            let _ = consumer.pause(&partitions);
            Rebalance::Wanted { partitions, lost: consumer.assignment_lost() }
        };
        self.with(|noted| noted.rebalances.push_back(rebalance));
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        if let Err(error) = result {
            self.with(|noted| noted.not_committed = Some(error.to_string()));
        }
    }
}

fn said(error: KafkaError) -> String {
    error.to_string()
}

impl GroupConsumer {
    /// Joins the group; returns before it has.
    pub fn join(config: &ConsumerConfig) -> Result<Self, String> {
        let (noted, closing) = (Arc::<Mutex<Noted>>::default(), Arc::<AtomicBool>::default());
        let mut client = config.link.client();
        client
            .set("group.id", &config.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            // An offset that is not there is a gap to be told of, and not to be passed over.
            .set("auto.offset.reset", "error")
            .set("max.poll.interval.ms", POLL_INTERVAL_MS)
            .set("session.timeout.ms", SESSION_MS)
            .set("queued.max.messages.kbytes", (KAFKA_PARTITION_BYTES / 1024).to_string())
            .set("fetch.message.max.bytes", KAFKA_PARTITION_BYTES.to_string())
            .set("fetch.max.bytes", KAFKA_FETCH_BYTES.to_string());
        let callbacks = Callbacks { noted: noted.clone(), closing: closing.clone() };
        let mut consumer: BaseConsumer<Callbacks> =
            BaseConsumer::from_config_and_context(&client, callbacks).map_err(said)?;
        let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|error| format!("cannot make an event descriptor: {error}"))?;
        let wake = Arc::new(wake);
        let rings = wake.clone();
        consumer.set_nonempty_callback(move || {
            let _ = rustix::io::write(&*rings, &1u64.to_ne_bytes());
        });
        let topics: Vec<&str> = config.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(said)?;
        let topics = config.topics.iter().map(|topic| topic.as_str().into()).collect();
        let config = config.clone();
        Ok(Self {
            consumer,
            noted,
            closing,
            again: None,
            config,
            wake,
            given: None,
            unanswered: false,
            topics,
            dry: false,
        })
    }

    /// The shared name of a topic.
    fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.topics.iter().find(|known| ***known == *name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.topics.push(name.clone());
        name
    }

    fn rebalanced(&mut self) -> Option<Happened> {
        if let Some(partitions) = self.given.take() {
            return Some(self.look_at(partitions));
        }
        let rebalance = self.noted.lock().unwrap_or_else(PoisonError::into_inner).rebalances.pop_front();
        match rebalance? {
            Rebalance::Given(partitions) => Some(self.look_at(partitions)),
            Rebalance::Wanted { partitions, lost } => {
                self.unanswered = true;
                let partitions =
                    partitions.elements().iter().map(|of| (self.topic(of.topic()), of.partition())).collect();
                Some(Happened::Wanted { partitions, lost })
            }
        }
    }

    /// Finds out what is to be known of partitions; where that fails, it is tried again.
    fn look_at(&mut self, partitions: TopicPartitionList) -> Happened {
        match self.committed(&partitions) {
            Ok(given) => {
                self.unanswered = true;
                Happened::Given(given)
            }
            Err(why) => {
                self.given = Some(partitions);
                Happened::Trouble(format!("asking where to read from: {why}"))
            }
        }
    }

    fn committed(&mut self, partitions: &TopicPartitionList) -> Result<Vec<Given>, String> {
        if partitions.count() == 0 {
            return Ok(Vec::new());
        }
        let committed = self.consumer.committed_offsets(partitions.clone(), CALL).map_err(said)?;
        let mut given = Vec::new();
        for of in committed.elements() {
            of.error().map_err(said)?;
            let (low, high) = self.watermarks(of.topic(), of.partition())?;
            let committed = match of.offset() {
                Offset::Offset(offset) => Some((offset.max(0) as u64, of.metadata().to_owned())),
                _ => None,
            };
            given.push(Given {
                topic: self.topic(of.topic()),
                partition: of.partition(),
                committed,
                low,
                high,
            });
        }
        Ok(given)
    }

    /// Lets a consumer outside the group read from an offset.
    fn reread(&mut self, topic: &str, partition: i32, offset: u64) -> Result<&BaseConsumer, String> {
        if self.again.is_none() {
            let mut client = self.config.link.client();
            client
                // Only so that partitions can be assigned by hand: no group is joined and nothing is committed.
                .set("group.id", &self.config.group)
                .set("isolation.level", "read_committed")
                .set("enable.auto.commit", "false")
                .set("auto.offset.reset", "error")
                .set("enable.partition.eof", "true")
                // That nothing is there is worth an answer at once.
                .set("fetch.wait.max.ms", "10")
                .set("queued.max.messages.kbytes", "1024");
            self.again = Some(client.create().map_err(said)?);
        }
        let again = self.again.as_ref().ok_or("there is no client")?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset as i64)).map_err(said)?;
        again.assign(&list).map_err(said)?;
        Ok(again)
    }

    fn is_cooperative(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }
}

fn list(partitions: &[(Arc<str>, i32)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}

impl Consumer for GroupConsumer {
    fn poll(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>, headers: &mut Headers) -> Option<Happened> {
        if self.dry {
            // Before the look, so that what comes after it rings again.
            let mut rings = [0; 8];
            let _ = rustix::io::read(&*self.wake, &mut rings);
            self.dry = false;
        }
        if let Some(happened) = self.rebalanced() {
            return Some(happened);
        }
        // An event that is none for us (a commit was acknowledged) looks as if nothing were there.
        let polled = (0..3).find_map(|_| self.consumer.poll(Duration::ZERO));
        let fetched = match polled {
            None => None,
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(message)) => {
                key.clear();
                value.clear();
                headers.clear();
                let has_key = message.key().map(|bytes| key.extend_from_slice(bytes)).is_some();
                let has_value = message.payload().map(|bytes| value.extend_from_slice(bytes)).is_some();
                for header in message.headers().into_iter().flat_map(|all| all.iter()) {
                    headers.extend(header.value.map(|value| (header.key.to_owned(), value.to_vec())));
                }
                let time_ms = message.timestamp().to_millis();
                let (offset, partition) = (message.offset().max(0) as u64, message.partition());
                Some(Ok((message.topic().to_owned(), partition, offset, time_ms, has_key, has_value)))
            }
        };
        match fetched {
            Some(Ok((topic, partition, offset, time_ms, has_key, has_value))) => {
                let topic = self.topic(&topic);
                Some(Happened::Message(Fetched { topic, partition, offset, time_ms, has_key, has_value }))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => Some(Happened::End(partition)),
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                Some(Happened::OutOfRange)
            }
            Some(Err(error)) => Some(Happened::Trouble(said(error))),
            None => {
                if let Some(happened) = self.rebalanced() {
                    return Some(happened);
                }
                self.dry = true;
                let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
                let failed = noted.not_committed.take().map(Happened::NotCommitted);
                failed.or_else(|| noted.trouble.take().map(Happened::Trouble))
            }
        }
    }

    fn start(&mut self, from: &[(Arc<str>, i32, u64)]) -> Result<(), String> {
        let mut list = TopicPartitionList::with_capacity(from.len());
        for (topic, partition, offset) in from {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset as i64)).map_err(said)?;
        }
        let started = match self.is_cooperative() {
            true => self.consumer.incremental_assign(&list),
            false => self.consumer.assign(&list),
        };
        self.unanswered &= started.is_err();
        started.map_err(said)
    }

    fn give_back(&mut self, partitions: &[(Arc<str>, i32)]) -> Result<(), String> {
        let given_back = match self.is_cooperative() {
            true => self.consumer.incremental_unassign(&list(partitions)),
            false => self.consumer.unassign(),
        };
        self.unanswered &= given_back.is_err();
        given_back.map_err(said)
    }

    fn seek(&mut self, topic: &str, partition: i32, offset: u64) -> Result<(), String> {
        self.consumer.seek(topic, partition, Offset::Offset(offset as i64), CALL).map_err(said)
    }

    fn watermarks(&mut self, topic: &str, partition: i32) -> Result<(u64, u64), String> {
        let (low, high) = self.consumer.fetch_watermarks(topic, partition, CALL).map_err(said)?;
        Ok((low.max(0) as u64, high.max(0) as u64))
    }

    fn is_at_end(&mut self, topic: &str, partition: i32, offset: u64) -> Result<bool, String> {
        let again = self.reread(topic, partition, offset)?;
        let found = again.poll(CALL);
        let at_end = match found {
            None => Err(format!("{topic}/{partition}: no broker says whether there is more")),
            Some(Ok(_)) => Ok(false),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(true),
            Some(Err(error)) => Err(said(error)),
        };
        let _ = again.unassign();
        at_end
    }

    fn commit(&mut self, offsets: &[(Arc<str>, i32, u64, String)], wait: bool) -> Result<(), String> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (topic, partition, offset, text) in offsets {
            let mut of = list.add_partition(topic, *partition);
            of.set_offset(Offset::Offset(*offset as i64)).map_err(said)?;
            of.set_metadata(text);
        }
        let mode = if wait { CommitMode::Sync } else { CommitMode::Async };
        self.consumer.commit(&list, mode).map_err(said)
    }

    fn read_again(&mut self, topic: &str, partition: i32, offsets: Range<u64>) -> Option<Vec<u8>> {
        let again = self.reread(topic, partition, offsets.start).ok()?;
        let mut bytes = Vec::new();
        let mut next = offsets.start;
        while next < offsets.end {
            let message = again.poll(CALL)?.ok()?;
            let offset = message.offset().max(0) as u64;
            if offset >= offsets.end {
                break;
            }
            if let Some(value) = message.payload() {
                if !bytes.is_empty() {
                    bytes.push(b'\n');
                }
                bytes.extend_from_slice(value);
            }
            next = offset + 1;
        }
        let _ = again.unassign();
        Some(bytes)
    }

    fn cluster(&mut self) -> Result<String, String> {
        self.consumer.client().fetch_cluster_id(CALL).ok_or_else(|| "no broker answers".to_owned())
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.as_fd())
    }
}

impl Drop for GroupConsumer {
    /// The client leaves the group when it is dropped, and waits until all partitions are given back.
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        let open = self.unanswered
            || self.given.take().is_some()
            || !self.noted.lock().unwrap_or_else(PoisonError::into_inner).rebalances.is_empty();
        if open {
            // What was never answered.
            let _ = self.consumer.unassign();
        }
    }
}
