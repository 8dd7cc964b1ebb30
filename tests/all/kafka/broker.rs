//! A real broker, started from its published artefacts, and what can be asked of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::patience::Patience;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/kafka.sh");
const CALL: Duration = Duration::from_secs(30);

/// A broker in a folder of its own; stopped when dropped.
pub(crate) struct Broker {
    folder: tempfile::TempDir,
    port: u16,
}

fn script(arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new(SCRIPT).args(arguments).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    match ran.status.code() {
        Some(0) => Ok(()),
        Some(77) => Err(said),
        code => panic!("{SCRIPT} {arguments:?} ended with {code:?}: {said}"),
    }
}

/// A record as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) partition: i32,
    pub(crate) key: Option<String>,
    pub(crate) id: String,
    pub(crate) value: String,
}

static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());

impl Broker {
    /// The broker that tests share as long as one of them runs.
    pub(crate) fn shared() -> Result<Arc<Self>, String> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(broker) = shared.upgrade() {
            return Ok(broker);
        }
        let broker = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&broker);
        Ok(broker)
    }

    /// A broker of the caller's own.
    pub(crate) fn start() -> Result<Self, String> {
        // Free when asked; two in a row, since the broker talks to itself on the next one.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = free.local_addr().expect("an address").port().min(65_000);
        drop(free);
        let broker = Self { folder: tempfile::tempdir().expect("a folder"), port };
        broker.run()?;
        Ok(broker)
    }

    fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    pub(crate) fn run(&self) -> Result<(), String> {
        let more = ["message.max.bytes=200000", "auto.create.topics.enable=false"];
        script(&[&["start", &self.folder(), &self.port.to_string()], &more[..]].concat())
    }

    pub(crate) fn kill(&self) {
        script(&["kill", &self.folder()]).expect("dies");
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        config
    }

    pub(crate) fn make_topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let options = AdminOptions::new().operation_timeout(Some(CALL));
        let made = runtime.block_on(admin.create_topics([&topic], &options)).expect("asked");
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// What a group has committed: offset and the text beside it.
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<(i64, String)> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let list = consumer.committed_offsets(list, CALL).expect("asked");
        let of = list.find_partition(topic, partition).expect("asked for");
        match of.offset() {
            Offset::Offset(offset) => Some((offset, of.metadata().to_owned())),
            _ => None,
        }
    }

    /// Sets what a group has committed, as a person does by hand.
    pub(crate) fn set_committed(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("a partition");
        consumer.commit(&list, rdkafka::consumer::CommitMode::Sync).expect("committed");
    }

    /// A producer of transactions.
    pub(crate) fn writer(&self, name: &str) -> BaseProducer {
        let mut config = self.client();
        config.set("transactional.id", name).set("linger.ms", "0");
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(CALL).expect("transactions");
        producer
    }

    /// Writes records: partition, key, value (none is a tombstone). `each` of them are a transaction, and each fourth comes
    /// after one that is aborted, with other records in it.
    pub(crate) fn write(
        producer: &BaseProducer,
        topic: &str,
        records: &[(i32, Option<&str>, Option<&str>)],
        each: usize,
    ) {
        let send = |(partition, key, value): &(i32, Option<&str>, Option<&str>)| {
            let headers = OwnedHeaders::new().insert(Header { key: "origin", value: Some("test") });
            let mut record: BaseRecord<'_, str, str> =
                BaseRecord::to(topic).partition(*partition).headers(headers);
            record.key = *key;
            record.payload = *value;
            producer.send(record).map_err(|(error, _)| error).expect("sent");
        };
        for (at, some) in records.chunks(each).enumerate() {
            if at % 4 == 3 {
                producer.begin_transaction().expect("begun");
                some.iter().for_each(|(partition, key, _)| send(&(*partition, *key, Some("aborted"))));
                producer.flush(CALL).expect("flushed");
                producer.abort_transaction(CALL).expect("aborted");
            }
            producer.begin_transaction().expect("begun");
            some.iter().for_each(send);
            producer.commit_transaction(CALL).expect("committed");
        }
    }

    /// All records of a topic, by partition and offset.
    pub(crate) fn read(&self, topic: &str, isolation: &str) -> Vec<Read> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "readers")
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .expect("a consumer");
        let metadata = consumer.fetch_metadata(Some(topic), CALL).expect("metadata");
        let mut assignment = TopicPartitionList::new();
        let partitions = metadata.topics()[0].partitions().len();
        for partition in 0..partitions {
            assignment.add_partition_offset(topic, partition as i32, Offset::Beginning).expect("a partition");
        }
        consumer.assign(&assignment).expect("assigned");
        let mut read: BTreeMap<(i32, i64), Read> = BTreeMap::new();
        let mut open = partitions;
        for _ in 0..1_000_000 {
            if open == 0 {
                return read.into_values().collect();
            }
            match consumer.poll(CALL) {
                None => panic!("{topic} is not read to its end"),
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => panic!("{topic}: {error}"),
                Some(Ok(message)) => {
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
                    };
                    let id = message.headers().and_then(|headers| {
                        headers
                            .iter()
                            .find(|header| header.key == "aludel-id")
                            .map(|header| text(header.value))
                    });
                    let one = Read {
                        partition: message.partition(),
                        key: message.key().map(|key| text(Some(key))),
                        id: id.unwrap_or_default(),
                        value: text(message.payload()),
                    };
                    read.insert((message.partition(), message.offset()), one);
                }
            }
        }
        panic!("{topic} has no end");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).args(["stop", &self.folder()]).status();
    }
}

/// The program, with a pipeline in a folder; killed when dropped.
pub(crate) struct Program(pub(crate) Child);

impl Program {
    pub(crate) fn start(pipeline: &Path, data: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
        command.env_remove("ALUDEL_DATA_DIR").env_remove("ALUDEL_ADMIN").stdin(Stdio::null());
        command.args(["run", "--admin", "off"]).arg(pipeline).arg("--data-dir").arg(data).args(more);
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// What it said, once it has ended by itself.
    pub(crate) fn end(mut self) -> String {
        let _patience = Patience::with(&self.0);
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.0.stderr.take().expect("piped"), &mut said).expect("text");
        let status = self.0.wait().expect("it ends");
        assert!(status.success(), "{status}: {said}");
        said
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().expect("it dies");
        self.0.wait().expect("it is dead");
    }

    pub(crate) fn terminate(&self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
