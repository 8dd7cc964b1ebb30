//! Every bound of the product, in one place: a queue, cache, line or group that is not here must not grow.

use std::time::Duration;

/// Bytes that one read asks of a file. Large enough that the system call is noise (under 1 % of a core at
/// 1 GB/s), small enough that a block, its messages and the bulk body made of it stay in a shared L2 or L3.
pub const READ_BLOCK_BYTES: usize = 256 * 1024;

/// Longest line, in bytes, separator excluded. Past it the line leaves as linked parts, so that a process that
/// never prints a line feed cannot take the host's memory.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Longest message held while joining, in bytes. Past it the message is cut into linked parts and counted.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Most lines that one multi-line message joins; past it the message is cut into linked parts.
pub const MESSAGE_LINES_MAX: usize = 4096;

/// How long an open message waits for its next line before it is let go as it is.
pub const MESSAGE_WAIT: Duration = Duration::from_secs(2);

/// An open message of a slow stream waits so many times as long as its lines were seen to be apart …
pub const MESSAGE_WAIT_GAPS: u32 = 4;
/// … and at most so many times as long as one of a stream of which nothing is known.
pub const MESSAGE_WAIT_STRETCH_MAX: u32 = 8;

/// Lanes of one stream that are joined apart from each other (container `stdout` and `stderr`, and a spare).
pub const LANES_MAX: usize = 4;

/// Bytes of messages in one batch; a batch that reaches this is handed on.
pub const BATCH_BYTES: usize = 256 * 1024;

/// Messages in one batch, so that many tiny lines do not make its index larger than its text.
pub const BATCH_MESSAGES_MAX: usize = 8192;

/// How long a reader waits for a batch to fill before it hands on what it has.
pub const BATCH_LINGER: Duration = Duration::from_millis(50);

/// Shared byte segments that one batch refers to.
pub const BATCH_SEGMENTS_MAX: usize = 1024;

/// Bytes of one `/_bulk` request body before compression. Elasticsearch refuses 100 MiB by default; 1 MiB keeps
/// retries cheap and the memory of requests in flight small.
pub const BULK_BODY_BYTES: usize = 1024 * 1024;

/// Bytes of one row in a `/_bulk` body: `http.max_content_length` of Elasticsearch, which no request may pass.
pub const BULK_ROW_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Streams of which an Elasticsearch sink remembers how far they were sent; those that were not sent for longest are
/// forgotten first.
pub const BULK_STREAMS_MAX: usize = 65_536;
/// Bytes of a stream that an Elasticsearch sink may send ahead of its next durable record, at first and at least. After a
/// crash these rows are looked up before they are created again.
pub const LEASE_BYTES_MIN: u64 = 1024 * 1024;
/// The same at most, for a stream that is sent fast: ten syncs a second at 300 MB/s.
pub const LEASE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Requests to Elasticsearch whose answers were lost and that are told from others while it may be at work on them.
pub const LOST_REQUESTS_MAX: usize = 1024;
/// Backing indices of one data stream in which a row in doubt is looked up, the newest ones, where it is not known since
/// which of them it can be there.
pub const LOOK_INDICES_MAX: usize = 64;
/// Fields of one data stream that are suspected not to fit its mapping.
pub const SUSPECTS_MAX: usize = 256;
/// Tries of one row, each without one more field that its mapping refused.
pub const ASIDE_FIELDS_MAX: u8 = 8;
/// Data streams of one Elasticsearch sink of which something is known before rows are sent to them.
pub const DATA_STREAMS_MAX: usize = 16_384;
/// Requests that one sink may have in flight, whatever its `concurrency` says.
pub const REQUESTS_MAX: usize = 64;
/// Empty encoding buffers kept for the next body, per sink.
pub const BULK_BUFFERS_SPARE: usize = 8;
/// Bytes of a response that are read; an answer to a bulk request of 1 MiB is a tenth of it.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a reason that a destination gives for a rejected row; the rest is cut off.
pub const REASON_BYTES_MAX: usize = 1024;
/// Bytes of the kind of such a reason, under which the books count it.
pub const REASON_KIND_BYTES_MAX: usize = 80;
/// First pause before something that failed is tried again; each further one is twice as long.
pub const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two tries.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// All memory that the pipeline's queues may hold, in bytes (DESIGN §3).
pub const BUDGET_BYTES: usize = 48 * 1024 * 1024;
/// Part of the budget for input: segments and batches on their way to a worker.
pub const BUDGET_INPUT_BYTES: usize = 1024 * 1024;
/// Part of the budget for encoded bodies in flight, of all sinks together.
pub const BUDGET_BODIES_ALL_BYTES: usize = 16 * 1024 * 1024;
/// Encoded bodies in flight of one sink: as many as it sends at once by default, and one more. What is in
/// flight should also stay in a cache: with 8 MiB the buffers in use went beyond those kept spare, and each fresh one cost
/// a page fault for every 4 KiB.
pub const BUDGET_BODIES_BYTES: usize = 6 * 1024 * 1024;
/// How long a sink that shares a source with others may give nothing back before it is set apart and catches up by
/// itself: for so long, once, a dead one holds up the others.
pub const SINK_PATIENCE: Duration = Duration::from_secs(1);
/// Out of this time …
pub const SINK_SLOW_WINDOW: Duration = Duration::from_secs(8);
/// … a sink that is merely slow may make a worker wait so long before it is set apart too.
pub const SINK_SLOW_WAIT: Duration = Duration::from_secs(6);
/// A round of a catch-up read with fewer bytes than this is followed by the last one, for which the sources rest: well
/// under a second of work.
pub const CATCH_UP_JOIN_BYTES: usize = 8 * 1024 * 1024;
/// Times that the last round of a catch-up read is tried again, while the sources rest, since something of it could not be
/// read. What is still missing then is read by the next run.
pub const CATCH_UP_TRIES_MAX: u32 = 8;
/// Part of the budget for open messages of streams that cannot be read again.
pub const BUDGET_JOINS_BYTES: usize = 4 * 1024 * 1024;
/// Part of the budget for rows that wait for a retry.
pub const BUDGET_RETRIES_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a log that `aludel grammar infer` learns from.
pub const INFER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Nodes that the automaton which tells formats apart may have; past it more formats are tried on a line. Well under a
/// KiB each.
pub const GATE_NODES_MAX: usize = 4096;
/// Line forms for which it is kept how to tell that no other takes their lines; past it all that may are tried. Some tens
/// of KiB each, and some milliseconds to make.
pub const GATE_GUARDS_MAX: usize = 256;
/// Nodes that the automaton of one such line form may have; past it more other forms are tried on a line.
pub const GUARD_NODES_MAX: usize = 256;
/// Searches for what other forms need, of all such line forms together; past it all forms that may are tried. Some KiB
/// each.
pub const GATE_WAYS_MAX: usize = 2048;
/// Streams of one pipeline of which it is shown what `auto` tells their messages as.
pub const TOLD_STREAMS_MAX: usize = 256;
/// Field paths that `auto` names beforehand, those that most formats give; others come as keys.
pub const AUTO_FIELDS_MAX: usize = 160;

/// Field paths that one pipeline may name, its grammars' fields included.
pub const SLOTS_MAX: usize = 512;

/// Keys that one event may carry beyond the named paths; past it the event counts as not parsed.
pub const REST_KEYS_MAX: usize = 1024;

/// Bytes of a message that is not valid in its encoding that the event carries as they were. A longer one is some file
/// that is no log, and would be sent twice.
pub const ORIGINAL_KEPT_BYTES_MAX: usize = 64 * 1024;

/// Longest header line of a stream, and most that all of them together may have.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Depth of nesting accepted in JSON.
pub const JSON_DEPTH_MAX: usize = 64;

/// Bytes that functions and steps may derive for one event.
pub const ROW_ARENA_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Files kept open by one `files` source; past it the longest idle are closed and opened again on need.
pub const OPEN_FILES_MAX: usize = 1024;
/// Files that went and are remembered by one `files` source, in case a compressed copy of them comes.
pub const FILES_DEPARTED_MAX: usize = 1024;
/// Files that one `files` source watches closely; of those that are idle beyond it only an index is in memory.
pub const FILES_ACTIVE_MAX: usize = 4096;
/// Files known to one `files` source.
pub const FILES_MAX: usize = 1_000_000;

/// Bytes of removed files that one `files` source copies to the data folder, unless its option says otherwise: some
/// minutes of a busy host, and little of a disk.
pub const ORPHAN_BYTES: u64 = 1024 * 1024 * 1024;
/// Uncompressed bytes that are held of a compressed file that is read, so that a look back rarely decodes it again:
/// an open message and a block.
pub const UNPACK_WINDOW_BYTES: usize = 512 * 1024;
/// Window that a Zstandard file may ask for, as a power of two of bytes: what every decoder is asked to support
/// (RFC 8878 §3.1.1.1.2), and all that `zstd` asks for up to level 19.
pub const UNPACK_WINDOW_LOG_MAX: u32 = 23;
/// Compressed files that one `files` source decodes at a time; the others wait for their turn.
pub const UNPACK_FILES_MAX: usize = 4;

/// Bytes of one pipeline file.
pub const SOURCE_TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Depth of nesting of expressions and blocks in a pipeline file.
pub const LANG_DEPTH_MAX: usize = 64;
/// Height of one expression, chains of operators included, so that no walk over it runs out of stack.
pub const LANG_HEIGHT_MAX: usize = 256;
/// Steps of one pipeline, those of its fragments counted each time they are used.
pub const STEPS_MAX: usize = 4096;
/// Errors reported for one pipeline file before the rest is only counted.
pub const DIAGNOSTICS_MAX: usize = 64;
/// Bytes of one grammar file.
pub const GRAMMAR_BYTES_MAX: usize = 256 * 1024;
/// Pieces that a repeated group of a grammar reads in one message: what is behind them is for the rest of the line.
pub const GRAMMAR_REPEATS_MAX: usize = 128;
/// Bytes of one secret's file.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one lookup table file.
pub const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Compiled size of one regular expression, in bytes.
pub const REGEX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a file that an enricher looks things up in.
pub const ENRICH_FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// How often such files are looked at for changes.
pub const ENRICH_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Addresses whose names are asked for at a time; others are asked for by later events.
pub const DNS_ASKS_MAX: usize = 1024;
/// Names of addresses that are kept.
pub const DNS_NAMES_MAX: usize = 16 * 1024;
/// How long a name is kept, and that there is none.
pub const DNS_NAME_KEPT: Duration = Duration::from_secs(10 * 60);
/// How long an answer of a DNS server is waited for; no event waits with it.
pub const DNS_WAIT: Duration = Duration::from_secs(2);

/// Bytes of one file of patterns.
pub const PATTERN_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Files of patterns that one format reads.
pub const PATTERN_FILES_MAX: usize = 256;
/// Depth to which grok patterns and the groups in them are nested.
pub const GROK_DEPTH_MAX: usize = 64;
/// Parts of one grok pattern, those of all patterns that it names counted each time.
pub const GROK_NODES_MAX: usize = 200_000;
/// Instructions of one compiled grok pattern.
pub const GROK_PROGRAM_MAX: usize = 200_000;
/// The most that one part of a grok pattern is repeated by number.
pub const GROK_REPEAT_MAX: u32 = 1000;
/// Steps that a grok pattern may take before it begins to remember where it was: lines that match need fewer.
pub const GROK_STEPS_FREE: u64 = 4096;
/// Steps per byte of the text and instruction of the pattern after which a grok pattern gives up. Only within atomic
/// parts there can be so many: everything else is done at most once per byte and instruction.
pub const GROK_STEPS_PER_BYTE: u64 = 4;
/// Bytes in which a grok pattern remembers where it was. A text that would need more does not match.
pub const GROK_MEMO_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Partitions that a Parquet sink holds open at once.
pub const PARQUET_PARTITIONS_MAX: usize = 32;
/// Bytes that the open row groups of a Parquet sink may hold in memory.
pub const PARQUET_BUFFER_BYTES: usize = 24 * 1024 * 1024;

/// Bytes that a `file` sink writes before it syncs them. They stay in the budget until then, of which a sink among many has
/// little more: with a bound that it never reaches, each sync would wait for its time.
pub const FILE_SYNC_BYTES: usize = 1024 * 1024;
/// How long a `file` sink collects rows before it syncs them.
pub const FILE_SYNC_LINGER: Duration = Duration::from_millis(100);

/// Reasons by which one format's refusals are counted apart.
pub const PARSE_REASONS_MAX: usize = 64;
/// Text of one batch in a Parquet encoder, in bytes: a column of text has 32-bit offsets.
pub const PARQUET_BATCH_TEXT_BYTES_MAX: usize = 1 << 30;
/// Files of one epoch, those closed for lack of room among them; at this many the epoch is committed.
pub const PARQUET_EPOCH_FILES_MAX: usize = 4096;
/// Batches of one epoch; at this many it is committed, since each is remembered until then.
pub const PARQUET_EPOCH_BATCHES_MAX: usize = 16_384;
/// Commit records that are kept one by one before they are merged.
pub const PARQUET_COMMITS_MAX: usize = 64;
/// Streams in the merged commit record; those that no epoch touched for longest are forgotten first. The cursor
/// log has them, and has had them for many epochs.
pub const PARQUET_COMMIT_STREAMS_MAX: usize = 65_536;
/// Bytes of one write to a Parquet file.
pub const PARQUET_WRITE_BYTES: usize = 64 * 1024;
/// How often at most the trouble of one sink is told on standard error; the summary and the metrics always have it.
pub const TROUBLE_EVERY: Duration = Duration::from_secs(60);
/// How long a Parquet sink waits before it tries again after a failure of its disk.
pub const PARQUET_RETRY: Duration = Duration::from_secs(1);
/// Bytes of a part of a multipart upload; the least that S3 takes of any but the last (`EntityTooSmall`).
pub const OBJECT_PART_BYTES: usize = 5 * 1024 * 1024;
/// Parts of one multipart upload; S3 takes 10,000.
pub const OBJECT_PARTS_MAX: u64 = 10_000;
/// Asks to an object store in flight at once.
pub const OBJECT_ASKS_MAX: usize = 8;
/// Bytes that asks to an object store hold, in flight and waiting for another try: two whole parts.
pub const OBJECT_ASKS_BYTES: usize = 2 * OBJECT_PART_BYTES;
/// Longest pause between two tries of what an object store would not do.
pub const OBJECT_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Tries of an ask at the start of a run, where nothing can begin without the answer: seconds, since the process hears no
/// signal meanwhile. Then it says so, and begins anew.
pub const OBJECT_START_TRIES: u32 = 3;
/// How long a run waits at most before it tries again to begin, where a sink could not be reached.
pub const START_PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long what was read may take to go through after SIGTERM, unless told otherwise: the unit, the manifest and the
/// compose file that come with aludel give it 45 seconds before they kill it.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(40);
/// Folders of an archive that are remembered as durable, so that they are not synced again.
pub const PARQUET_FOLDERS_MAX: usize = 4096;

/// Time that the whole passes of a profile take together at least, unless their number is said: a small input is
/// read over and over until its figures mean something.
pub const PROFILE_TIME_MIN: Duration = Duration::from_millis(500);
/// Timed passes of a profile at least, so that what disturbs a batch in one does not in another.
pub const PROFILE_PASSES_MIN: u32 = 5;
/// Time after which there need not be so many: the input is large.
pub const PROFILE_TIME_ENOUGH: Duration = Duration::from_secs(4);
/// Timed passes of a profile at most, however small its input is.
pub const PROFILE_PASSES_MAX: u32 = 10_000;
/// Reasons by which a profile counts one format's refusals apart.
pub const PROFILE_REASONS_MAX: usize = 64;
/// Bytes that a row of a profile may have derived before its message is no longer tried on further formats.
pub const PROFILE_TRIAL_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one message in a spool; a longer one is stored in linked parts.
pub const SPOOL_RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of records that one fsync makes durable: enough that the fsync is not what a fast input waits for, few enough
/// to be held in memory until it is done.
pub const SPOOL_GROUP_BYTES: usize = 1024 * 1024;
/// How long a spool collects records before it syncs them, where nobody waits for the answer.
pub const SPOOL_LINGER: Duration = Duration::from_millis(10);
/// Bytes of a spool's segment; segments are what is removed.
pub const SPOOL_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// A spool's segments are at least this many when it is full, so that one that is removed makes little room at once.
pub const SPOOL_SEGMENTS_MIN: u64 = 8;
/// Smallest limit of a spool: room for some segments of one group each.
pub const SPOOL_BYTES_MIN: u64 = 1024 * 1024;
/// Bytes that were written to a spool, not yet handed on and still in memory; beyond, they are read back from the disk.
pub const SPOOL_RECENT_BYTES: usize = 4 * 1024 * 1024;
/// Peers of one spool whose names are shared by their messages; at this many they are made anew.
pub const SPOOL_PEERS_MAX: usize = 1024;
/// Times that a part of a spool is read before it counts as damaged.
pub const SPOOL_READS_MAX: u32 = 8;
/// Parcels that a Kafka sink without transactions has in flight at once.
pub const KAFKA_PARCELS_MAX: usize = 4;
/// Bytes of records in one parcel; in a transaction also the most that an abort sends again.
pub const KAFKA_PARCEL_BYTES: usize = 2 * 1024 * 1024;
/// Bytes that the Kafka client may hold of records that are not acknowledged.
pub const KAFKA_QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Streams whose cursors a Kafka sink keeps in its topic; those that no transaction touched for longest are taken out
/// first. The cursor log has them, and has had them for long.
pub const KAFKA_CURSOR_STREAMS_MAX: usize = 65_536;
/// Partitions of a cursor topic that is made. Each agent writes to one of them.
pub const KAFKA_CURSOR_PARTITIONS: i32 = 4;
/// Largest record that a Kafka sink may be told to send, in bytes.
pub const KAFKA_RECORD_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Bytes that the folder of dead letters holds, unless told otherwise.
pub const DEAD_LETTERS_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes that the folder of gap records holds; a record is some three hundred.
pub const GAP_RECORDS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of one segment of dead letters; the next letter begins another.
pub const LETTER_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Original bytes that a letter keeps; of a message that reaches further (lines of other lanes between its own) the
/// row is kept.
pub const LETTER_ORIGINAL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of one line of a segment that is read back: all original bytes escaped, and the rest.
pub const LETTER_LINE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of letters that wait to be written; past it the sources wait too.
pub const LETTERS_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Letters that wait to be written; past it the sources wait too.
pub const LETTERS_WAITING_MAX: usize = 16 * 1024;
/// Original bytes that the sources are asked for at once.
pub const ORIGINALS_ASKED_BYTES: u64 = 4 * 1024 * 1024;
/// Original bytes of the letters that one round of `aludel dlq replay` holds.
pub const DLQ_ROUND_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes that the listener of one source holds on their way to the spool; more is not read from the peers.
pub const LISTENER_BYTES: usize = 8 * 1024 * 1024;
/// Items on that way, so that many small ones do not hold more than their bytes.
pub const LISTENER_QUEUE_ITEMS: usize = 1024;
/// Bytes that one read asks of a connection. One read per connection may be under way beyond [`LISTENER_BYTES`].
pub const LISTENER_READ_BYTES: usize = 16 * 1024;
/// Connections that one source serves at once unless it is told otherwise.
pub const CONNECTIONS_DEFAULT: i64 = 512;
/// Connections that it may be told to serve at once.
pub const CONNECTIONS_MAX: usize = 16_384;
/// Senders of datagrams whose names one source remembers; at this many they are made anew.
pub const SENDERS_MAX: usize = 1024;
/// Bytes of one UDP datagram.
pub const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Bytes of one request's body as it is sent.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one request's body once it is decompressed.
pub const REQUEST_DECOMPRESSED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Messages of one request's body.
pub const REQUEST_MESSAGES_MAX: usize = 100_000;

/// Journal files known to one `journald` source; journald itself keeps a hundred.
pub const JOURNAL_FILES_MAX: usize = 65_536;
/// Bytes of a journal field other than the message, which may have [`MESSAGE_BYTES_MAX`]; the rest is cut off.
pub const JOURNAL_FIELD_BYTES_MAX: usize = 64 * 1024;
/// Short fields that many entries of a journal share and that are remembered while it is read.
pub const JOURNAL_CACHED_FIELDS_MAX: usize = 4096;
/// Lines that the trace of a failing seed keeps, the last ones.
pub const SIM_TRACE_LINES: usize = 400;
/// Rotated files that a simulated program keeps before it removes the oldest.
pub const SIM_ROTATED_FILES_MAX: usize = 3;
/// Lines that the programs of one seed write at most.
pub const SIM_LINES_MAX: u32 = 160;
/// Steps that a seed may take after its faults have ended before that counts as no progress.
pub const SIM_STEPS_MAX: u64 = 200_000;
/// Virtual time that a seed may take after its faults have ended before that counts as no progress.
pub const SIM_CALM_MAX: Duration = Duration::from_secs(1800);

/// Hours for which the ledger is kept, unless told otherwise.
pub const LEDGER_HOURS_MAX: u64 = 31 * 24;
/// Bytes of the ledger on disk; past it the oldest hours go.
pub const LEDGER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How often the ledger notes how much the sources have not read.
pub const LEDGER_UNREAD_EVERY: Duration = Duration::from_secs(10);
/// Bytes of one partition that a Kafka source's client asks for, and holds before they are wanted.
pub const KAFKA_PARTITION_BYTES: usize = 1024 * 1024;
/// Bytes of one answer of a broker to a Kafka source.
pub const KAFKA_FETCH_BYTES: usize = 8 * 1024 * 1024;
/// How long a partition that the group wants back is held for rows on their way to settle; what has not settled by then
/// is read again by its next owner, under the same ids.
pub const KAFKA_DRAIN_WAIT: Duration = Duration::from_secs(5);
/// How often a Kafka source commits what has settled.
pub const KAFKA_COMMIT_EVERY: Duration = Duration::from_secs(1);

/// Bytes of an alert's event that a notifier keeps, as JSON; a longer one is told of without it.
pub const ALERT_EVENT_BYTES_MAX: usize = 64 * 1024;
/// Labels of an alert that a notifier keeps.
pub const ALERT_LABELS_MAX: usize = 64;
/// Bytes of one text of an alert that a notifier shows.
pub const ALERT_TEXT_BYTES_MAX: usize = 4096;
/// Groups of alerts that a notifier tells apart; what comes beyond them is one more group.
pub const NOTIFY_GROUPS_MAX: usize = 10_000;
/// Alerts that one notification holds; those beyond are counted in it.
pub const NOTIFY_ALERTS_MAX: usize = 50;
/// Ids that a group remembers of alerts that people were told of.
pub const NOTIFY_IDS_MAX: usize = 1000;
/// Bytes of what a notifier remembers over restarts.
pub const NOTIFY_MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Alerts that a message to Slack shows a line for, and labels that it shows.
pub const SLACK_LINES_MAX: usize = 10;
/// Bytes of the details of an event for PagerDuty, which takes 512 kB in all
/// (<https://developer.pagerduty.com/docs/send-alert-event>).
pub const PAGERDUTY_DETAILS_BYTES_MAX: usize = 480 * 1024;
/// Bytes of a field that detectors look at; what stands behind them is not.
pub const DETECT_VALUE_BYTES_MAX: usize = 64 * 1024;
/// How often a value is percent-decoded: beyond it nothing that a server reads is left.
pub const DETECT_DECODE_ROUNDS_MAX: usize = 3;
/// Bytes of a value that a detection shows.
pub const DETECT_EVIDENCE_BYTES_MAX: usize = 200;
/// Buffers of views that a worker keeps for the next value.
pub const DETECT_POOL_VIEWS_MAX: usize = 16;
/// Values without a hit that each of the two generations of a worker's memory holds.
pub const DETECT_MEMORY_VALUES_MAX: usize = 3072;
/// Bytes of these values: agents, referrers and paths have some 85.
pub const DETECT_MEMORY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a value that is remembered: longer ones seldom come twice.
pub const DETECT_MEMORY_VALUE_BYTES_MAX: usize = 512;
/// Shorter values are told as fast anew.
pub const DETECT_MEMORY_VALUE_BYTES_MIN: usize = 3;
/// Names of lists of threat intelligence that one `detect threat` has, and files that one of them may stand for.
pub const THREAT_LISTS_MAX: usize = 256;
/// Bytes of such a file.
pub const THREAT_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Entries of such a file.
pub const THREAT_ENTRIES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a line of such a file, and of a record whose quotes hold line feeds; a longer one is left out.
pub const THREAT_LINE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a domain (RFC 1035 §2.3.4: 255 octets on the wire).
pub const THREAT_DOMAIN_BYTES_MAX: usize = 253;
/// Bytes of a URL that is compared; a longer one is in no list.
pub const THREAT_URL_BYTES_MAX: usize = 4096;
/// Bytes of what a list calls an entry.
pub const THREAT_NAME_BYTES_MAX: usize = 128;
/// Items of a field that is a list which are looked up.
pub const THREAT_ITEMS_MAX: usize = 64;
/// Detections that one event carries.
pub const DETECTIONS_MAX: usize = 64;

/// How far into a message of unknown form its time is looked for, in bytes from its front: a time further on is more
/// likely what the message speaks of than when it was written.
pub const TIME_LOOK_BYTES: usize = 200;

/// The same for a time of day without a date, which a length of time looks like.
pub const CLOCK_LOOK_BYTES: usize = 40;
/// Secrets and the like that are told apart in one text; past so many, all behind the last is taken for one.
pub const SENSITIVE_FOUND_MAX: usize = 1024;
/// Different secrets of one event that are looked for in its other fields; past so many, each field is only looked at in
/// its own right.
pub const SENSITIVE_NEEDLES_MAX: usize = 64;
/// Longest password, quoted text or signature of a token that is looked at.
pub const SENSITIVE_VALUE_BYTES_MAX: usize = 16 * 1024;
/// A secret shorter than this is replaced in other fields only where it is a word of its own: `1234` is in many numbers.
pub const SENSITIVE_NEEDLE_BYTES_MIN: usize = 6;
/// How far the time of observations may go back within one stream before they count as late: they wait so long for
/// each other, in the time of events.
pub const OBSERVE_LATENESS: Duration = Duration::from_secs(10);
/// A stream that brings nothing for so long is not waited for any more.
pub const OBSERVE_IDLE: Duration = Duration::from_secs(5);
/// How long the state of a key is kept beyond its use, for observations that come late.
pub const OBSERVE_SLACK: Duration = Duration::from_secs(600);
/// An event that says it happened so long after now is not counted: its clock is wrong, and taking it for the present
/// would make all others late.
pub const OBSERVE_AHEAD_MAX: Duration = Duration::from_secs(3600);
/// Observations that wait for their turn.
pub const OBSERVE_PENDING_MAX: usize = 65_536;
/// Bytes of those.
pub const OBSERVE_PENDING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Streams that are waited for; of more, those that were quiet for longest are not.
pub const OBSERVE_STREAMS_MAX: usize = 4096;
/// Bytes of one value of a key; of a longer one the start and a hash are kept.
pub const OBSERVE_KEY_BYTES_MAX: usize = 128;
/// Bytes of one value in the evidence of an alert.
pub const OBSERVE_EVIDENCE_BYTES_MAX: usize = 160;
/// Events in the evidence of an alert.
pub const ALERT_EVIDENCE_EVENTS_MAX: usize = 5;
/// Fields of one event in the evidence of an alert.
pub const ALERT_EVIDENCE_FIELDS_MAX: usize = 8;
/// Keys that the table of one `detect rate` holds.
pub const RATE_KEYS_MAX: usize = 1 << 20;
/// Slots of that table that are looked at for one key.
pub const RATE_PROBES_MAX: usize = 64;
/// Bytes that one detector of counts keeps for its keys, and one detector of rates for those over their limit.
pub const WINDOW_STATE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest count, or number of distinct values, that a detector looks for within a window.
pub const WINDOW_LIMIT_MAX: i64 = 1000;
/// Bytes of the profiles that one detector of user behaviour keeps: some 15,000 users. Of more, those are forgotten that were
/// not seen for longest.
pub const BEHAVIOUR_STATE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Values that a profile keeps of each of country, network, device and resource.
pub const BEHAVIOUR_VALUES_MAX: usize = 64;
/// Places that a profile keeps.
pub const BEHAVIOUR_PLACES_MAX: usize = 16;
/// Values of which one detector knows how many users have them.
pub const BEHAVIOUR_CROWD_VALUES_MAX: usize = 65_536;
/// Surprising things of one user that are judged together.
pub const BEHAVIOUR_POINTS_MAX: usize = 32;
/// Bytes of the name of a place.
pub const BEHAVIOUR_PLACE_BYTES_MAX: usize = 48;
/// How long an event may come after others before a profile does not learn from it any more.
pub const BEHAVIOUR_LATENESS: Duration = Duration::from_secs(86_400);
/// The shortest half-life of a profile.
pub const BEHAVIOUR_HALF_LIFE_MIN: Duration = Duration::from_secs(3600);
/// Bytes that one detector of floods keeps for its keys: some 4,000 that are busy, and many that are not.
pub const FLOOD_STATE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Different sources of a window that are counted exactly; of more there is a sketch.
pub const FLOOD_EXACT_MAX: usize = 256;
/// The registers of that sketch, as a power of two: 4 KiB, and a standard error of 1.6 %.
pub const FLOOD_SKETCH_BITS: u32 = 12;
/// Sources, and networks, of a window that have a counter: whoever sends more than one in so many events has one.
pub const FLOOD_TOP_MAX: usize = 64;
/// The longest window of a detector of floods: hours are what its baseline is made of.
pub const FLOOD_WINDOW_MAX: Duration = Duration::from_secs(3600);
/// Bytes of the alerts of one pipeline that are kept.
pub const ALERTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often the state of a pipeline's detectors is written down, where it is small.
pub const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// So much longer for each MiB that it has, up to a minute.
pub const SNAPSHOT_PER_MIB: Duration = Duration::from_secs(2);
/// The longest that state is not written down.
pub const SNAPSHOT_EVERY_MAX: Duration = Duration::from_secs(60);
/// Alerts wait for a snapshot: where there are some it is due after this part of the usual time.
pub const SNAPSHOT_ALERTS_PART: u32 = 8;
/// Streams of which a snapshot says what is settled; of more, those are forgotten that were quiet for longest.
pub const SNAPSHOT_STREAMS_MAX: usize = 100_000;
