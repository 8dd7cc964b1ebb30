//! Kafka at the rim: what a sink and a source ask of a cluster, as two small traits, and the client that keeps them.
//!
//! [`Producer`] takes parcels of records and says what became of them; [`Consumer`] gives messages of the partitions
//! that its group gave it. Neither waits for anybody (a consumer only where its group's rebalance wants an answer), so
//! that both ends are state machines that also run on one thread, over a simulated cluster. [`Client`] is librdkafka.

mod consumer;
mod cursors;
mod link;
mod producer;
pub mod simulated;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use consumer::{ConsumerConfig, GroupConsumer};
pub use link::{LINK_OPTIONS, Link};
pub use producer::Client;

/// How a producer writes.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// How the cluster is reached.
    pub link: Link,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Largest record in bytes.
    pub message_bytes_max: usize,
    /// Whether parcels are transactions, and under which name.
    pub transactions: Option<Transactions>,
}

/// What a producer needs for transactions.
#[derive(Clone, Debug)]
pub struct Transactions {
    /// The transactional id: one process has it at a time, and whoever takes it fences who had it before.
    pub id: String,
    /// Topic for cursors. Made, compacted, where it is missing.
    pub cursor_topic: String,
}

/// A record on its way to a topic.
#[derive(Clone, Debug)]
pub struct Record {
    /// The topic's name.
    pub topic: Bytes,
    /// The event's id, for the header `aludel-id`.
    pub id: Bytes,
    /// The key, which chooses the partition.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Bytes,
    /// Whether it must share its request with no other record, so that it is known which of them is refused.
    pub alone: bool,
}

/// Records that go together: in a transaction all of them or none, the cursors among them.
#[derive(Clone, Debug, Default)]
pub struct Parcel {
    /// Chosen by the sender; comes back with the answer.
    pub ticket: u32,
    /// The records, in order.
    pub records: Vec<Record>,
    /// Keys and values for the cursor topic; `None` takes a key out.
    pub cursors: Vec<(String, Option<Vec<u8>>)>,
}

/// What became of a parcel. Records that are in none of the lists are in the log, durable on all replicas in sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The parcel.
    pub ticket: u32,
    /// Records that the cluster will never take, with the reason. The others of the parcel went without them.
    pub refused: Vec<(u32, String)>,
    /// Records of a request that was refused as a whole because of one in it: they must go alone.
    pub suspects: Vec<u32>,
    /// Records that are not in the log and may be sent again as they are.
    pub again: Vec<u32>,
    /// Why some must go again.
    pub why: Option<String>,
}

/// What a producer says.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Connected. Where it has transactions: whoever had the name before is fenced, and these are the keys (those that
    /// begin with the transactional id and a slash) and values that the cursor topic holds, committed ones only. A key
    /// may come twice.
    Ready(Vec<(String, Vec<u8>)>),
    /// A parcel is done with.
    Done(Outcome),
    /// Not connected any more: what was sent and not answered is in doubt. [`Producer::connect`] begins anew.
    Lost {
        /// What happened.
        why: String,
        /// Whether another process has taken the transactional id.
        fenced: bool,
    },
    /// What the client waits for, for people; nothing is decided yet. `None` when it is over.
    Trouble(Option<String>),
}

/// Writes to a cluster.
pub trait Producer: Send {
    /// Connects, or begins anew with nothing in flight. Answered by [`Answer::Ready`] or [`Answer::Lost`], after as
    /// long as it takes.
    fn connect(&mut self);
    /// Sends a parcel. With transactions one at a time.
    fn send(&mut self, parcel: Parcel);
    /// The next answer, if there is one.
    fn poll(&mut self) -> Option<Answer>;
}

/// Makes producers: [`Client`], or a simulated cluster.
pub trait Brokers: Send + Sync {
    /// A producer that is not connected yet. `wake` is called, from any thread, when there is an answer.
    fn producer(
        &self,
        config: &ProducerConfig,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Producer>, String>;
}

/// A partition that a consumer was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// What the group has committed: the next offset, and the text beside it.
    pub committed: Option<(u64, String)>,
    /// First offset that is still there.
    pub low: u64,
    /// One past the last offset.
    pub high: u64,
}

/// A message's place and what is around its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// The offset.
    pub offset: u64,
    /// The time that the record carries, in milliseconds since the epoch.
    pub time_ms: Option<i64>,
    /// Whether there is a key.
    pub has_key: bool,
    /// Whether there is a value, even an empty one; a tombstone has none.
    pub has_value: bool,
}

/// What happens to a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The group gave it partitions; they are read after [`Consumer::start`].
    Given(Vec<Given>),
    /// The group wants these back: no more messages of them come. Answer with [`Consumer::give_back`] when what may
    /// still be committed has been. Where they are lost already, nothing can be.
    Wanted {
        /// Topics and partitions.
        partitions: Vec<(Arc<str>, i32)>,
        /// Whether they have another owner already.
        lost: bool,
    },
    /// A message; key, value and headers are in the buffers that were given.
    Message(Fetched),
    /// All messages of a partition of this number have been given out, for now; of which topic is not known, for which
    /// [`Consumer::is_at_end`] can be asked.
    End(i32),
    /// The next offset of a partition is not there (any more): [`Consumer::watermarks`] tells of which.
    OutOfRange,
    /// Offsets that were not waited for may not be committed, and why.
    NotCommitted(String),
    /// Something is wrong, for people; it goes on by itself.
    Trouble(String),
}

/// Reads as a member of a consumer group.
pub trait Consumer: Send {
    /// What happened next, if anything did. Buffers of a message are overwritten.
    fn poll(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>, headers: &mut Headers) -> Option<Happened>;
    /// Answers [`Happened::Given`]: where each partition is to be read from.
    fn start(&mut self, from: &[(Arc<str>, i32, u64)]) -> Result<(), String>;
    /// Answers [`Happened::Wanted`].
    fn give_back(&mut self, partitions: &[(Arc<str>, i32)]) -> Result<(), String>;
    /// Reads a partition on from another offset.
    fn seek(&mut self, topic: &str, partition: i32, offset: u64) -> Result<(), String>;
    /// First offset of a partition that is still there, and one past the last.
    fn watermarks(&mut self, topic: &str, partition: i32) -> Result<(u64, u64), String>;
    /// Whether a partition holds no message at this offset and behind it, for now. Waits for the answer.
    fn is_at_end(&mut self, topic: &str, partition: i32, offset: u64) -> Result<bool, String>;
    /// Commits next offsets, with a text beside each. Where it need not be waited for, a failure is made good by the
    /// next commit.
    fn commit(&mut self, offsets: &[(Arc<str>, i32, u64, String)], wait: bool) -> Result<(), String>;
    /// The values of the messages at these offsets, each ended by a line feed but the last; `None` where they are not to
    /// be had.
    fn read_again(&mut self, topic: &str, partition: i32, offsets: Range<u64>) -> Option<Vec<u8>>;
    /// Names the cluster.
    fn cluster(&mut self) -> Result<String, String>;
    /// A descriptor that is readable when [`Consumer::poll`] may have something.
    fn wake_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>>;
}

/// Names and values of a message's headers.
pub type Headers = Vec<(String, Vec<u8>)>;
