//! What aludel itself writes down, as events: dead letters, gap records and alerts, as the sources `dead_letters`, `gaps`
//! and `alerts` hand them on.
//!
//! A record is a flat JSON object. [`LETTER`], [`GAP`] and [`ALERT`] say which member becomes which field; others are ignored, so
//! that an older version reads what a newer one wrote.

use super::json::Json;
use super::time::rfc3339;
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{LayoutBuilder, Slot, Span, Texts, Value};
use crate::signature::{Example, Field, Signature, Type};

/// A member of a record and the field that it becomes.
struct Member {
    key: &'static str,
    path: &'static str,
    ty: Type,
    /// Whether some records lack it.
    maybe: bool,
    doc: &'static str,
}

const fn text(key: &'static str, path: &'static str, doc: &'static str) -> Member {
    Member { key, path, ty: Type::Text, maybe: false, doc }
}

const fn int(key: &'static str, path: &'static str, doc: &'static str) -> Member {
    Member { key, path, ty: Type::Int, maybe: false, doc }
}

const fn maybe(member: Member) -> Member {
    Member { maybe: true, ..member }
}

const TIME: Member = Member {
    key: "time",
    path: "@timestamp",
    ty: Type::Timestamp,
    maybe: false,
    doc: "when it was refused, or found lost",
};
const SOURCE: Member = text("source", "aludel.source", "name of the source that read it");
const STREAM: Member = text("stream", "aludel.stream.path", "path or address of its stream");
const STREAM_ID: Member = text("stream_id", "aludel.stream.id", "id of its stream");
const GENERATION: Member = int("generation", "aludel.stream.generation", "generation of its stream");
const START: Member = int("start", "aludel.stream.start", "position of the first byte");
const END: Member = int("end", "aludel.stream.end", "one past the position of the last byte");

const LETTER: &[Member] = &[
    TIME,
    text("stage", "aludel.stage", "where it was refused: `parse`, `step`, `encode` or `sink`"),
    text("by", "aludel.by", "who refused it: a pipeline or a sink"),
    text("error", "error.message", "why"),
    text("pipeline", "aludel.pipeline", "the pipeline that it went through"),
    text("version", "aludel.version", "version of the pipeline files"),
    SOURCE,
    STREAM,
    STREAM_ID,
    GENERATION,
    int("lane", "aludel.stream.lane", "lane of its stream"),
    START,
    END,
    int("part", "aludel.stream.part", "part of a message that was cut; 0 for a whole one"),
    text("id", "aludel.id", "the event's id; empty where the sink could not say which event it refused"),
    maybe(text("original", "event.original", "the original bytes, where they are UTF-8")),
    maybe(text("original_base64", "aludel.original_base64", "the original bytes, where they are not")),
    maybe(text("event", "aludel.row", "what was left of the row, where the original bytes were gone")),
];

const GAP: &[Member] = &[
    TIME,
    SOURCE,
    STREAM,
    STREAM_ID,
    GENERATION,
    START,
    maybe(END),
    maybe(int("bytes", "aludel.bytes", "how many bytes are lost, where that is known")),
    maybe(text("sink", "aludel.sink", "the one sink that lost them; else all that had not settled them")),
    text("cause", "event.reason", "why they can never be read"),
];

const ALERT: &[Member] = &[
    Member { doc: "when the event happened that raised it", ..TIME },
    text("id", "event.id", "its id: made of rule, key and start"),
    text("rule", "rule.name", "name of the rule"),
    text("detector", "aludel.detector", "its detector"),
    text("pipeline", "aludel.pipeline", "its pipeline"),
    text("severity", "severity", "`low`, `medium`, `high` or `critical`"),
    maybe(text(
        "state",
        "aludel.state",
        "`resolved` where what other alerts of its rule and key told of is over",
    )),
    text("reason", "message", "what was seen, in words"),
    Member {
        key: "score",
        path: "event.risk_score",
        ty: Type::Float,
        maybe: true,
        doc: "how improbable it is, in bits, where the detector says so",
    },
    text("technique", "threat.technique.id", "technique in MITRE ATT&CK"),
    Member { key: "start", path: "event.start", doc: "first of the events that it counts", ..TIME },
    Member { key: "end", path: "event.end", doc: "last of them", ..TIME },
    int("count", "aludel.count", "how many they are"),
    Member {
        key: "labels",
        path: "labels",
        ty: Type::Object,
        maybe: false,
        doc: "the key: its fields and their values",
    },
    Member {
        key: "evidence",
        path: "aludel.evidence",
        ty: Type::List,
        maybe: false,
        doc: "up to five of the events: `event.id`, `@timestamp` and the fields that the rule looks at",
    },
];

const KIND: &str = "event.kind";
/// `event.kind` of a failure of a pipeline (ECS).
const FAILURE: &str = "pipeline_error";

/// The format of dead letters, as the list has it.
pub(super) const LETTER_KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "aludel.letter",
        summary: "a dead letter, as the source `dead_letters` hands it on",
        doc: "`event.original` is what was read. `event.kind` is `pipeline_error`, `event.dataset` `aludel.letter`.",
        form: "aludel.letter",
        options: &[],
        examples: &[Example {
            title: "who refused what, and why",
            source: "parse .message as aludel.letter | keep .@timestamp, .error, .event.original, .aludel.by",
            input: r#"{"message": "{\"time\":\"2026-11-26T10:00:00.5Z\",\"stage\":\"sink\",\"by\":\"es\",\"error\":\"too old\",\"pipeline\":\"web\",\"version\":\"0123456789ab\",\"source\":\"pods\",\"stream\":\"/var/log/a.log\",\"stream_id\":\"00000000000000aa\",\"generation\":0,\"lane\":0,\"start\":10,\"end\":22,\"part\":0,\"id\":\"x\",\"original\":\"an odd line\\n\"}"}"#,
            result: r#"{"@timestamp": "2026-11-26T10:00:00.500Z", "error": {"message": "too old"}, "event": {"original": "an odd line\n"}, "aludel": {"by": "es"}}"#,
        }],
    },
    gives: |_| Ok(gives(LETTER)),
    bind: |bind| Ok(Box::new(Own::new(bind, LETTER, "aludel.letter", FAILURE)?)),
};

/// The format of gap records, as the list has it.
pub(super) const GAP_KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "aludel.gap",
        summary: "a gap record, as the source `gaps` hands it on",
        doc: "Bytes that can never be read, and why. `event.kind` is `pipeline_error`, `event.dataset` `aludel.gap`.",
        form: "aludel.gap",
        options: &[],
        examples: &[Example {
            title: "which bytes are lost",
            source: "parse .message as aludel.gap | keep .event.reason, .aludel.bytes, .aludel.stream.path",
            input: r#"{"message": "{\"time\":\"2026-11-26T10:00:00Z\",\"source\":\"pods\",\"stream\":\"/var/log/a.log\",\"stream_id\":\"00000000000000aa\",\"generation\":0,\"start\":10,\"end\":22,\"bytes\":12,\"cause\":\"truncated\"}"}"#,
            result: r#"{"event": {"reason": "truncated"}, "aludel": {"bytes": 12, "stream": {"path": "/var/log/a.log"}}}"#,
        }],
    },
    gives: |_| Ok(gives(GAP)),
    bind: |bind| Ok(Box::new(Own::new(bind, GAP, "aludel.gap", FAILURE)?)),
};

/// The format of alerts, as the list has it.
pub(super) const ALERT_KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "aludel.alert",
        summary: "an alert of a stateful detector, as the source `alerts` hands it on",
        doc: "`message` is one sentence, `event.kind` `alert`, `event.dataset` `aludel.alert`. `labels` holds the key: its \
              names have dots.",
        form: "aludel.alert",
        options: &[],
        examples: &[Example {
            title: "who did what",
            source: "parse .message as aludel.alert | keep .rule, .message, .event.kind, .labels, .severity",
            input: r#"{"message": "{\"time\":\"2026-11-26T10:00:04Z\",\"id\":\"0011\",\"rule\":\"ssh\",\"detector\":\"brute_force\",\"pipeline\":\"auth\",\"severity\":\"high\",\"reason\":\"5 failures within 1m\",\"technique\":\"T1110\",\"start\":\"2026-11-26T10:00:00Z\",\"end\":\"2026-11-26T10:00:04Z\",\"count\":5,\"labels\":{\"source.ip\":\"203.0.113.7\"},\"evidence\":[]}"}"#,
            result: r#"{"rule": {"name": "ssh"}, "message": "5 failures within 1m", "event": {"kind": "alert"}, "labels": {"source.ip": "203.0.113.7"}, "severity": "high"}"#,
        }],
    },
    gives: |_| Ok(gives(ALERT)),
    bind: |bind| Ok(Box::new(Own::new(bind, ALERT, "aludel.alert", "alert")?)),
};

fn gives(members: &[Member]) -> Gives {
    let field = |path: &str, ty, maybe, doc: &str| Field { path: path.into(), ty, maybe, doc: doc.into() };
    let mut fields: Vec<_> =
        members.iter().map(|member| field(member.path, member.ty, member.maybe, member.doc)).collect();
    fields.push(field(KIND, Type::Text, false, ""));
    fields.push(field("event.dataset", Type::Text, false, ""));
    Gives { fields, open: false }
}

/// One of these formats, bound.
struct Own {
    json: Json,
    /// Of each member its slot in the record, the field's, and what it must be.
    members: Vec<(Slot, Slot, &'static Member)>,
    constants: [(Slot, Span); 2],
}

impl Own {
    fn new(
        bind: &mut Bind<'_>,
        members: &'static [Member],
        dataset: &str,
        kind: &str,
    ) -> Result<Self, String> {
        let mut builder = LayoutBuilder::default();
        for member in members {
            builder.add(member.key);
        }
        let layout = builder.build();
        let json = Json::apart(&layout);
        let of = |member: &'static Member| {
            Ok((layout.slot(member.key).unwrap_or_default(), bind.slot(member.path)?, member))
        };
        let members = members.iter().map(of).collect::<Result<_, String>>()?;
        let mut constant = |path: &str, value: &str| -> Result<(Slot, Span), String> {
            Ok((bind.slot(path)?, bind.constant(value.as_bytes())))
        };
        let constants = [constant(KIND, kind)?, constant("event.dataset", dataset)?];
        Ok(Self { json, members, constants })
    }
}

impl Format for Own {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let mut found = Fields::new();
        self.json.parse(input, texts, &mut found)?;
        for &(key, slot, member) in &self.members {
            let value =
                found.iter().find(|(target, _)| *target == Target::Slot(key)).map(|(_, value)| *value);
            let value = match (value, member.ty) {
                (Some(Value::Text(text)), Type::Timestamp) => {
                    let parts = rfc3339(texts.bytes(text));
                    parts.and_then(|(parts, _)| Calendar::default().unix_ns(&parts)).map(Value::Timestamp)
                }
                (Some(Value::Int(int)), Type::Float) => Some(Value::Float(int as f64)),
                (Some(value @ Value::Float(_)), Type::Float)
                | (Some(value @ Value::Text(_)), Type::Text)
                | (Some(value @ Value::Int(_)), Type::Int)
                | (Some(value @ Value::Object(_)), Type::Object)
                | (Some(value @ Value::List(_)), Type::List) => Some(value),
                _ => None,
            };
            match value {
                Some(value) => fields.push((Target::Slot(slot), value)),
                None if member.maybe => {}
                None => return Err(Mismatch::at(0, "a member of the record is missing")),
            }
        }
        fields.extend(self.constants.map(|(slot, text)| (Target::Slot(slot), Value::Text(text))));
        Ok(())
    }
}
