//! Reads a producer's cursors back from their topic; makes the topic where it is missing.
//!
//! What is read is final: the transactional id was taken before, so whatever an earlier process had begun is
//! committed or aborted, and all that was committed before the topic's end was looked at is waited for.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::{Link, Transactions};
use crate::limits::KAFKA_CURSOR_PARTITIONS;

const CALL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

/// The partition to write to, and what the topic holds: keys and values.
type Found = (i32, Vec<(String, Vec<u8>)>);

pub(super) struct Cursors {
    config: ClientConfig,
    topic: String,
    prefix: String,
}

fn said(error: KafkaError) -> String {
    error.to_string()
}

impl Cursors {
    pub(super) fn new(link: &Link, transactions: &Transactions) -> Self {
        Self {
            config: link.client(),
            topic: transactions.cursor_topic.clone(),
            prefix: format!("{}/", transactions.id),
        }
    }

    fn reader(&self, isolation: &str) -> Result<BaseConsumer, String> {
        let mut config = self.config.clone();
        config
            // Only so that partitions can be assigned by hand: no group is joined and nothing is committed.
            .set("group.id", format!("{}cursors", self.prefix))
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            // The end is told by an answer without messages, which a broker holds back for as long as it may.
            .set("fetch.wait.max.ms", "10")
            .set("queued.max.messages.kbytes", "1024");
        config.create().map_err(said)
    }

    /// All of it. `None` where the process is told to stop meanwhile.
    pub(super) fn read(&self, stop: &dyn Fn() -> bool) -> Result<Option<Found>, String> {
        let any = self.reader("read_uncommitted")?;
        let partitions = self.partitions(&any)?;
        let committed = self.reader("read_committed")?;
        let mut assignment = TopicPartitionList::new();
        let mut unread = 0;
        for partition in 0..partitions {
            let (low, high) = any.fetch_watermarks(&self.topic, partition, CALL).map_err(said)?;
            // A transaction of another producer may be open before our last one: readers wait for it, so do we.
            while committed.fetch_watermarks(&self.topic, partition, CALL).map_err(said)?.1 < high {
                if stop() {
                    return Ok(None);
                }
                std::thread::sleep(POLL);
            }
            if low < high {
                assignment.add_partition_offset(&self.topic, partition, Offset::Beginning).map_err(said)?;
                unread += 1;
            }
        }
        committed.assign(&assignment).map_err(said)?;
        let mut found: HashMap<(i32, Vec<u8>), Vec<u8>> = HashMap::new();
        while unread > 0 {
            if stop() {
                return Ok(None);
            }
            match committed.poll(POLL) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => unread -= 1,
                Some(Err(error)) => return Err(said(error)),
                Some(Ok(message)) => {
                    let Some(key) = message.key().filter(|key| key.starts_with(self.prefix.as_bytes()))
                    else {
                        continue;
                    };
                    let key = (message.partition(), key.to_vec());
                    match message.payload() {
                        Some(value) => found.insert(key, value.to_vec()),
                        None => found.remove(&key),
                    };
                }
            }
        }
        let entries =
            found.into_iter().filter_map(|((_, key), value)| Some((String::from_utf8(key).ok()?, value)));
        // One producer keeps to one partition, so that a transaction touches few.
        let own = crc32fast::hash(self.prefix.as_bytes()) % partitions.max(1) as u32;
        Ok(Some((own as i32, entries.collect())))
    }

    /// Number of partitions of the topic, which is made where it is missing.
    fn partitions(&self, client: &BaseConsumer) -> Result<i32, String> {
        for _ in 0..50 {
            let metadata = client.fetch_metadata(Some(&self.topic), CALL).map_err(said)?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
            let error = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
            match (topic.map_or(0, |topic| topic.partitions().len()), error) {
                (partitions, None) if partitions > 0 => return Ok(partitions as i32),
                (_, None | Some(RDKafkaErrorCode::UnknownTopicOrPartition)) => self.make()?,
                (_, Some(RDKafkaErrorCode::LeaderNotAvailable)) => {}
                (_, Some(error)) => return Err(format!("cursor topic {}: {error}", self.topic)),
            }
            std::thread::sleep(POLL);
        }
        Err(format!("cursor topic {}: it was made and is not there yet", self.topic))
    }

    fn make(&self) -> Result<(), String> {
        let admin: AdminClient<DefaultClientContext> = self.config.create().map_err(said)?;
        // As many copies as the cluster gives by default.
        let topic = NewTopic::new(&self.topic, KAFKA_CURSOR_PARTITIONS, TopicReplication::Fixed(-1))
            .set("cleanup.policy", "compact");
        let options = AdminOptions::new().request_timeout(Some(CALL));
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        let made = runtime.block_on(admin.create_topics([&topic], &options)).map_err(said)?;
        for result in made {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, error)) => return Err(format!("cannot make the cursor topic {name}: {error}")),
            }
        }
        Ok(())
    }
}
