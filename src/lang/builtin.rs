//! The fields that an event has before its first step; the runner fills them.
//!
//! The first ones are part of every event. The others cost bytes in every document, so an event has them only
//! where its pipeline names them; but what says that a message is not valid text comes whether it is named or not.

use crate::signature::Type;

/// The text of the message.
pub const MESSAGE: &str = "message";
/// Path of the stream's file; of what came over a network, protocol and address of the peer.
pub const PATH: &str = "log.file.path";
/// Address and port of the peer that sent the message over a network.
pub const SOURCE_ADDRESS: &str = "log.source.address";
/// The index that a `_bulk` request was for.
pub const TARGET_INDEX: &str = "elasticsearch.index.name";
/// Position of the message's first byte in its stream.
pub const OFFSET: &str = "log.offset";
/// The envelope's time, or else the time of reading; filled in at the first `to` where nothing else set it, unless a
/// step looks at it before.
pub const TIMESTAMP: &str = "@timestamp";
/// When the message was read. An event whose own time is much later comes from a clock that is wrong:
/// `when .@timestamp > .log.read_time + 10m { | set .labels.clock = "ahead" }`.
pub const READ_TIME: &str = "log.read_time";
/// `stdout` or `stderr` of a container.
pub const IOSTREAM: &str = "log.iostream";
/// The container's id, from the log's path.
pub const CONTAINER_ID: &str = "container.id";
/// The pod's name, from the log's path.
pub const POD: &str = "kubernetes.pod.name";
/// The pod's uid, from the log's path.
pub const POD_UID: &str = "kubernetes.pod.uid";
/// The pod's namespace, from the log's path.
pub const NAMESPACE: &str = "kubernetes.namespace";
/// The container's name in its pod, from the log's path.
pub const CONTAINER: &str = "kubernetes.container.name";
/// `invalid_encoding`, where a part of the message is not valid in the encoding of its stream and stands as U+FFFD; only
/// such events have it.
pub const FLAGS: &str = "log.flags";
/// The bytes of such a message as they are in the stream, if they are not too many.
pub const ORIGINAL: &str = "log.original_base64";
/// The topic of a message of Kafka.
pub const TOPIC: &str = "kafka.topic";
/// The number of its partition.
pub const PARTITION: &str = "kafka.partition";
/// Its offset in the partition.
pub const KAFKA_OFFSET: &str = "kafka.offset";
/// Its key.
pub const KEY: &str = "kafka.key";
/// Its headers, an object.
pub const HEADERS: &str = "kafka.headers";

/// What `detect` writes: the list of detections, and what ECS has for an alert.
pub const DETECTIONS: [(&str, Type); 7] = [
    ("detections", Type::List),
    ("event.kind", Type::Text),
    ("threat.framework", Type::Text),
    ("threat.tactic.id", Type::List),
    ("threat.tactic.name", Type::List),
    ("threat.technique.id", Type::List),
    ("threat.technique.name", Type::List),
];

/// What a detector that looks in lists writes beside them: the surest of the indicators that were found.
pub const INDICATOR: [(&str, Type); 12] = [
    ("threat.feed.name", Type::Text),
    ("threat.indicator.type", Type::Text),
    ("threat.indicator.name", Type::Text),
    ("threat.indicator.description", Type::Text),
    ("threat.indicator.confidence", Type::Text),
    ("threat.indicator.ip", Type::Ip),
    ("threat.indicator.url.domain", Type::Text),
    ("threat.indicator.url.full", Type::Text),
    ("threat.indicator.file.hash.md5", Type::Text),
    ("threat.indicator.file.hash.sha1", Type::Text),
    ("threat.indicator.file.hash.sha256", Type::Text),
    ("threat.indicator.file.hash.sha512", Type::Text),
];

/// What a detector writes, by whether it looks in lists.
pub fn detections(in_lists: bool) -> impl Iterator<Item = (&'static str, Type)> {
    let more: &[_] = if in_lists { &INDICATOR } else { &[] };
    DETECTIONS.iter().chain(more).copied()
}

/// A field that events start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Dotted path.
    pub path: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether some events lack it.
    pub maybe: bool,
    /// Whether every layout has it, named or not.
    pub always: bool,
}

/// All of them.
pub const BUILTINS: &[Builtin] = &[
    Builtin { path: MESSAGE, ty: Type::Text, maybe: false, always: true },
    Builtin { path: PATH, ty: Type::Text, maybe: false, always: true },
    Builtin { path: OFFSET, ty: Type::Int, maybe: false, always: true },
    Builtin { path: TIMESTAMP, ty: Type::Timestamp, maybe: true, always: true },
    Builtin { path: IOSTREAM, ty: Type::Text, maybe: true, always: true },
    Builtin { path: READ_TIME, ty: Type::Timestamp, maybe: false, always: false },
    Builtin { path: SOURCE_ADDRESS, ty: Type::Text, maybe: true, always: false },
    Builtin { path: TARGET_INDEX, ty: Type::Text, maybe: true, always: false },
    Builtin { path: FLAGS, ty: Type::Any, maybe: true, always: false },
    Builtin { path: ORIGINAL, ty: Type::Text, maybe: true, always: false },
    Builtin { path: CONTAINER_ID, ty: Type::Text, maybe: true, always: false },
    Builtin { path: POD, ty: Type::Text, maybe: true, always: false },
    Builtin { path: POD_UID, ty: Type::Text, maybe: true, always: false },
    Builtin { path: NAMESPACE, ty: Type::Text, maybe: true, always: false },
    Builtin { path: CONTAINER, ty: Type::Text, maybe: true, always: false },
    Builtin { path: TOPIC, ty: Type::Text, maybe: true, always: false },
    Builtin { path: PARTITION, ty: Type::Int, maybe: true, always: false },
    Builtin { path: KAFKA_OFFSET, ty: Type::Int, maybe: true, always: false },
    Builtin { path: KEY, ty: Type::Text, maybe: true, always: false },
    Builtin { path: HEADERS, ty: Type::Any, maybe: true, always: false },
];
