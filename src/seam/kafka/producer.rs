//! librdkafka as a [`Producer`], on a thread of its own, since much of it waits.
//!
//! A parcel is sent record by record; delivery reports say what became of each. In a transaction the parcel is
//! committed when all are in, and aborted when one is not: then all of it goes again. Errors are sorted as
//! librdkafka's introduction says: *retriable* calls are made again, *abortable* ones abort, after a *fatal* one the
//! client is made anew.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};

use super::cursors::Cursors;
use super::{Answer, Brokers, Outcome, Parcel, Producer, ProducerConfig, Record};
use crate::limits::{KAFKA_PARCELS_MAX, KAFKA_QUEUE_BYTES, REASON_BYTES_MAX, RETRY_PAUSE_MIN};

/// Name of the header that carries the event's id.
const ID_HEADER: &str = "aludel-id";
/// How long a look for delivery reports takes.
const TICK: Duration = Duration::from_millis(2);
/// How long a call may wait for the cluster before it says what it waits for and is made again.
const CALL: Duration = Duration::from_secs(5);
/// How long the thread sleeps when nothing is in flight; errors are looked for in between.
const IDLE: Duration = Duration::from_millis(200);
/// After this long without a word the coordinator aborts a transaction of a process that died, and readers get on.
const TRANSACTION_TIMEOUT_MS: &str = "60000";
/// In an opaque: a cursor, not a record.
const CURSOR: u32 = u32::MAX;

/// Makes producers of librdkafka.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client;

impl Brokers for Client {
    fn producer(
        &self,
        config: &ProducerConfig,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Box<dyn Producer>, String> {
        let (to_thread, commands) = bounded(KAFKA_PARCELS_MAX + 1);
        // Answers are never more than parcels and a connection; troubles are dropped where nobody looks.
        let (answered, answers) = bounded(2 * KAFKA_PARCELS_MAX + 8);
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            config: config.clone(),
            commands,
            answered,
            wake,
            stop: stop.clone(),
            reports: Arc::default(),
            flights: BTreeMap::new(),
            cursor_partition: 0,
            alone: None,
            told: None,
        };
        std::thread::Builder::new()
            .name("kafka-producer".into())
            .spawn(move || worker.run())
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Box::new(Handle { to_thread, answers, stop }))
    }
}

enum Command {
    Connect,
    Send(Parcel),
}

struct Handle {
    to_thread: Sender<Command>,
    answers: Receiver<Answer>,
    stop: Arc<AtomicBool>,
}

impl Producer for Handle {
    fn connect(&mut self) {
        // The thread is gone only when the process is going, too.
        let _ = self.to_thread.send(Command::Connect);
    }

    fn send(&mut self, parcel: Parcel) {
        let _ = self.to_thread.send(Command::Send(parcel));
    }

    fn poll(&mut self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// What callbacks note.
#[derive(Default)]
struct Reports {
    /// Opaques of records, and why those that are not in the log are not.
    delivered: Vec<(usize, Option<RDKafkaErrorCode>)>,
    /// The newest complaint of the client.
    trouble: Option<String>,
}

type Shared = Arc<Mutex<Reports>>;

struct Callbacks(Shared);

impl Callbacks {
    fn with(&self, note: impl FnOnce(&mut Reports)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        let text = if reason.is_empty() { error.to_string() } else { reason.to_owned() };
        self.with(|reports| reports.trouble = Some(text));
    }
}

impl ProducerContext for Callbacks {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let error = result
            .as_ref()
            .err()
            .map(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown));
        self.with(|reports| reports.delivered.push((opaque, error)));
    }
}

type Native = BaseProducer<Callbacks>;

/// A parcel whose records are not all accounted for.
#[derive(Default)]
struct Flight {
    left: u32,
    outcome: Outcome,
}

/// Why a call did not do what it should.
enum Fault {
    /// The transaction must be aborted; all of it goes again.
    Abort(String),
    /// The client cannot be used any more.
    Lost { why: String, fenced: bool },
    /// The process ends.
    Stopped,
}

struct Worker {
    config: ProducerConfig,
    commands: Receiver<Command>,
    answered: Sender<Answer>,
    wake: Arc<dyn Fn() + Send + Sync>,
    stop: Arc<AtomicBool>,
    reports: Shared,
    flights: BTreeMap<u32, Flight>,
    cursor_partition: i32,
    /// The record that is in flight with no other.
    alone: Option<u32>,
    told: Option<String>,
}

fn opaque(ticket: u32, row: u32) -> usize {
    ((u64::from(ticket) << 32) | u64::from(row)) as usize
}

/// Whether the cluster refuses a record for what it is, and always will.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
    )
}

fn is_fence(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::ProducerFenced | Code::InvalidProducerEpoch | Code::Fenced)
}

fn cut(mut text: String) -> String {
    let end = text.floor_char_boundary(REASON_BYTES_MAX);
    text.truncate(end);
    text
}

/// Sorts an error of a transaction's call. `None`: make the call again.
fn sort(error: &KafkaError) -> Option<Fault> {
    let KafkaError::Transaction(error) = error else { return None };
    let why = cut(format!("{} ({})", error.string(), error.name()));
    if error.txn_requires_abort() {
        Some(Fault::Abort(why))
    } else if error.is_retriable() && !error.is_fatal() {
        None
    } else {
        Some(Fault::Lost { why, fenced: is_fence(error.code()) })
    }
}

impl Worker {
    fn run(mut self) {
        let mut producer: Option<Native> = None;
        while !self.stopped() {
            let command = match self.next_command() {
                Ok(command) => command,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => None,
            };
            let done = match (command, producer.as_ref()) {
                (Some(Command::Connect), _) => {
                    self.flights.clear();
                    producer = None;
                    self.alone = None;
                    self.connect().map(|made| producer = Some(made))
                }
                (Some(Command::Send(parcel)), Some(native)) => self.ship(native, parcel),
                // Its sender hears of the loss and sends it again.
                (Some(Command::Send(_)), None) => Ok(()),
                (None, Some(native)) => self.look(native),
                (None, None) => Ok(()),
            };
            match done {
                Ok(()) => {}
                Err(Fault::Stopped) => return,
                Err(Fault::Abort(why)) => self.lost(&mut producer, why, false),
                Err(Fault::Lost { why, fenced }) => self.lost(&mut producer, why, fenced),
            }
        }
    }

    fn next_command(&mut self) -> Result<Option<Command>, TryRecvError> {
        if !self.flights.is_empty() {
            return match self.commands.try_recv() {
                Err(TryRecvError::Empty) => Ok(None),
                other => other.map(Some),
            };
        }
        match self.commands.recv_timeout(IDLE) {
            Ok(command) => Ok(Some(command)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(TryRecvError::Disconnected),
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn answer(&self, answer: Answer) {
        let _ = self.answered.send(answer);
        (self.wake)();
    }

    fn lost(&mut self, producer: &mut Option<Native>, why: String, fenced: bool) {
        *producer = None;
        self.flights.clear();
        self.answer(Answer::Lost { why, fenced });
    }

    /// Says what is being waited for, once.
    fn trouble(&mut self, why: Option<String>) {
        if self.told != why {
            self.told.clone_from(&why);
            // A sink that does not look keeps its old picture; the thread must not wait for it.
            let _ = self.answered.try_send(Answer::Trouble(why));
            (self.wake)();
        }
    }

    fn complaint(&self) -> Option<String> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).trouble.take()
    }

    fn client(&self) -> Result<Native, Fault> {
        let mut config = self.config.link.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", &self.config.compression)
            // As Java's producers choose it, so that one key is in one partition whoever writes it.
            .set("partitioner", "murmur2_random")
            // A topic that is not there is said soon.
            .set("topic.metadata.propagation.max.ms", "5000")
            .set("message.max.bytes", self.config.message_bytes_max.max(1000).to_string())
            .set("queue.buffering.max.kbytes", (KAFKA_QUEUE_BYTES / 1024).to_string());
        match &self.config.transactions {
            Some(transactions) => config
                .set("transactional.id", &transactions.id)
                .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS)
                .set("linger.ms", "1"),
            // Never given up by the client: rows are settled when they are in, and not because time has passed.
            None => config.set("message.timeout.ms", "0").set("linger.ms", "5"),
        };
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).delivered.clear();
        BaseProducer::from_config_and_context(&config, Callbacks(self.reports.clone()))
            .map_err(|error| Fault::Lost { why: cut(error.to_string()), fenced: false })
    }

    fn connect(&mut self) -> Result<Native, Fault> {
        let native = self.client()?;
        let mut entries = Vec::new();
        if let Some(transactions) = self.config.transactions.clone() {
            // First the name, which ends what an earlier process had begun; only then is what it committed final.
            self.call(&native, "the transaction coordinator", || native.init_transactions(CALL))?;
            let cursors = Cursors::new(&self.config.link, &transactions);
            loop {
                match cursors.read(&|| self.stopped()) {
                    Ok(Some((partition, read))) => {
                        self.cursor_partition = partition;
                        entries = read;
                        break;
                    }
                    Ok(None) => return Err(Fault::Stopped),
                    Err(why) => {
                        self.trouble(Some(format!("reading the cursors back: {why}")));
                        self.pause()?;
                    }
                }
            }
        } else {
            // The first word of a broker: a cluster that is not there is found out before rows are sent to it.
            loop {
                if native.client().fetch_cluster_id(CALL).is_some() {
                    break;
                }
                native.poll(TICK);
                let why = self.complaint().unwrap_or_else(|| "no broker answers".to_owned());
                self.trouble(Some(cut(why)));
                self.pause()?;
            }
        }
        self.trouble(None);
        self.answer(Answer::Ready(entries));
        Ok(native)
    }

    fn pause(&self) -> Result<(), Fault> {
        std::thread::sleep(RETRY_PAUSE_MIN);
        if self.stopped() { Err(Fault::Stopped) } else { Ok(()) }
    }

    /// Makes a call again until it is decided.
    fn call(
        &mut self,
        native: &Native,
        of: &str,
        call: impl Fn() -> Result<(), KafkaError>,
    ) -> Result<(), Fault> {
        loop {
            match call() {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if let Some(fault) = sort(&error) {
                        return Err(fault);
                    }
                    native.poll(TICK);
                    let why = self.complaint().unwrap_or_else(|| error.to_string());
                    self.trouble(Some(cut(format!("waiting for {of}: {why}"))));
                    self.pause()?;
                }
            }
        }
    }

    /// Sends a parcel; without transactions it is answered later.
    fn ship(&mut self, native: &Native, parcel: Parcel) -> Result<(), Fault> {
        let transaction = self.config.transactions.is_some();
        if transaction {
            self.call(native, "a transaction to begin", || native.begin_transaction())?;
        }
        let ticket = parcel.ticket;
        self.flights.insert(ticket, Flight { outcome: Outcome { ticket, ..Outcome::default() }, left: 0 });
        for (row, record) in parcel.records.iter().enumerate() {
            if record.alone {
                self.drain(native)?;
                self.alone = Some(row as u32);
            }
            self.produce(native, ticket, row as u32, record)?;
            if record.alone {
                let drained = self.drain(native);
                self.alone = None;
                drained?;
            }
        }
        if !transaction {
            return self.look(native);
        }
        let topic = self.config.transactions.as_ref().map(|of| of.cursor_topic.clone()).unwrap_or_default();
        for (key, value) in &parcel.cursors {
            self.produce_cursor(native, ticket, &topic, key, value.as_deref())?;
        }
        self.finish(native, ticket, parcel.records.len() as u32)
    }

    /// Commits the transaction, or aborts it where something of it is not in the log.
    fn finish(&mut self, native: &Native, ticket: u32, rows: u32) -> Result<(), Fault> {
        self.drain(native)?;
        let mut outcome = self.flights.remove(&ticket).unwrap_or_default().outcome;
        let mut fault = None;
        if outcome.again.is_empty() && outcome.suspects.is_empty() {
            match self.call(native, "a transaction to be committed", || native.commit_transaction(CALL)) {
                Ok(()) => {
                    self.trouble(None);
                    self.answer(Answer::Done(outcome));
                    return Ok(());
                }
                Err(Fault::Abort(why)) => fault = Some(why),
                Err(other) => return Err(other),
            }
        }
        self.call(native, "a transaction to be aborted", || native.abort_transaction(CALL))?;
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).delivered.clear();
        // Nothing of it is in the log: all goes again but what never can.
        let apart = |row: &u32| {
            !outcome.suspects.contains(row) && !outcome.refused.iter().any(|(refused, _)| refused == row)
        };
        outcome.again = (0..rows).filter(apart).collect();
        outcome.why = fault.or(outcome.why);
        self.answer(Answer::Done(outcome));
        Ok(())
    }

    fn produce(&mut self, native: &Native, ticket: u32, row: u32, record: &Record) -> Result<(), Fault> {
        // A topic's name and an id are text by the encoder that wrote them.
        let topic = std::str::from_utf8(&record.topic).unwrap_or_default();
        let headers =
            OwnedHeaders::new_with_capacity(1).insert(Header { key: ID_HEADER, value: Some(&record.id[..]) });
        let mut out: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(topic, opaque(ticket, row))
                .payload(&record.value[..])
                .headers(headers);
        out.key = record.key.as_deref();
        loop {
            match native.send(out) {
                Ok(()) => {
                    self.count(ticket);
                    return Ok(());
                }
                Err((error, back)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::QueueFull) => {
                        self.sift(native)?;
                        out = back;
                    }
                    Some(code) if is_refusal(code) => {
                        let reason = cut(format!("{code}: {} bytes of value", record.value.len()));
                        if let Some(flight) = self.flights.get_mut(&ticket) {
                            flight.outcome.refused.push((row, reason));
                        }
                        return Ok(());
                    }
                    code => {
                        self.note(ticket, row, code.unwrap_or(RDKafkaErrorCode::Unknown));
                        return self.check(native);
                    }
                },
            }
        }
    }

    fn produce_cursor(
        &mut self,
        native: &Native,
        ticket: u32,
        topic: &str,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let mut out: BaseRecord<'_, str, [u8], usize> =
            BaseRecord::with_opaque_to(topic, opaque(ticket, CURSOR))
                .key(key)
                .partition(self.cursor_partition);
        out.payload = value;
        loop {
            match native.send(out) {
                Ok(()) => {
                    self.count(ticket);
                    return Ok(());
                }
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    self.sift(native)?;
                    out = back;
                }
                Err((error, _)) => {
                    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                    self.note(ticket, CURSOR, code);
                    return self.check(native);
                }
            }
        }
    }

    fn count(&mut self, ticket: u32) {
        if let Some(flight) = self.flights.get_mut(&ticket) {
            flight.left += 1;
        }
    }

    /// Notes a record that is not in the log.
    fn note(&mut self, ticket: u32, row: u32, code: RDKafkaErrorCode) {
        let alone = self.alone == Some(row);
        let Some(flight) = self.flights.get_mut(&ticket) else { return };
        let outcome = &mut flight.outcome;
        match (row, is_refusal(code)) {
            (CURSOR, _) | (_, false) => {
                if row != CURSOR {
                    outcome.again.push(row);
                } else if outcome.again.is_empty() {
                    // Makes the transaction go again; the list is made anew when it is aborted.
                    outcome.again.push(0);
                }
                // What is purged by an abort has no reason of its own.
                if !matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) {
                    let of = if row == CURSOR { "the cursor topic: " } else { "" };
                    outcome.why.get_or_insert_with(|| cut(format!("{of}{code}")));
                }
            }
            (_, true) if alone => outcome.refused.push((row, cut(code.to_string()))),
            (_, true) => outcome.suspects.push(row),
        }
    }

    /// Takes delivery reports in.
    fn sift(&mut self, native: &Native) -> Result<(), Fault> {
        native.poll(TICK);
        let (delivered, trouble) = {
            let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut reports.delivered), reports.trouble.take())
        };
        for (opaque, error) in delivered {
            let (ticket, row) = ((opaque as u64 >> 32) as u32, opaque as u64 as u32);
            match error {
                Some(code) => self.note(ticket, row, code),
                None => self.trouble(None),
            }
            if let Some(flight) = self.flights.get_mut(&ticket) {
                flight.left = flight.left.saturating_sub(1);
            }
        }
        if trouble.is_some() {
            self.trouble(trouble.map(cut));
        }
        self.check(native)
    }

    fn check(&self, native: &Native) -> Result<(), Fault> {
        if self.stopped() {
            return Err(Fault::Stopped);
        }
        match native.client().fatal_error() {
            Some((code, why)) => {
                Err(Fault::Lost { why: cut(format!("{why} ({code})")), fenced: is_fence(code) })
            }
            None => Ok(()),
        }
    }

    /// Waits until nothing is in flight.
    fn drain(&mut self, native: &Native) -> Result<(), Fault> {
        while self.flights.values().any(|flight| flight.left > 0) {
            self.sift(native)?;
        }
        Ok(())
    }

    /// Without transactions: looks what has come in and answers parcels that are done with.
    fn look(&mut self, native: &Native) -> Result<(), Fault> {
        self.sift(native)?;
        if self.config.transactions.is_some() {
            return Ok(());
        }
        let done: Vec<u32> =
            self.flights.iter().filter(|(_, flight)| flight.left == 0).map(|(ticket, _)| *ticket).collect();
        for ticket in done {
            if let Some(mut flight) = self.flights.remove(&ticket) {
                flight.outcome.again.sort_unstable();
                self.answer(Answer::Done(flight.outcome));
            }
        }
        Ok(())
    }
}
