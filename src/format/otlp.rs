//! Log records of OpenTelemetry as JSON: an `ExportLogsServiceRequest` in one line, as the collector's file exporter
//! writes it (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
//!
//! One line holds many records below their resources and scopes. Out comes a list in which each record stands alone,
//! with what is said of its resource and scope, for `unroll` and the grammar `otlp.record`.

use serde_json::{Map, Value as Json};

use super::{Bind, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Slot, Span, Texts, Value};
use crate::limits::{JSON_DEPTH_MAX, ROW_ARENA_BYTES_MAX};
use crate::signature::{Example, Field, Signature, Type};

const RECORDS: &str = "otlp.records";
const TIME: &str = "timeUnixNano";

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "otlp",
        summary: "OpenTelemetry's log records as JSON, many in one line",
        doc: "Gives the list `otlp.records`. Each record has its time, severity, body and ids under their own names, its \
              attributes as an object, and beside them the attributes of its resource and its scope. `unroll` makes an \
              event of each, and the grammar `otlp.record` its fields. Lines of traces and metrics are not of the format.",
        form: "otlp",
        options: &[],
        examples: &[
            Example {
                title: "each record becomes an event",
                source: "parse .message as otlp else drop \"no logs\"\n  | remove .message\n  | unroll .otlp.records into .otlp.record\n  \
                         | parse .otlp.record as otlp.record\n  | remove .otlp",
                input: r#"{"message": "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"cart\"},\"logRecords\":[{\"timeUnixNano\":\"1714979289123456789\",\"severityNumber\":17,\"body\":{\"stringValue\":\"no cart\"},\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"7\"}}]}]}]}]}"}"#,
                result: r#"{"@timestamp":"2024-05-06T07:08:09.123456789Z","attributes":{"n":7},"event":{"kind":"event"},"log":{"level":"error"},"message":"no cart","scope":{"name":"cart"},"service":{"name":"shop"},"severity_number":17}"#,
            },
            Example {
                title: "what is no request for logs",
                source: "parse .message as otlp else drop \"no logs\"",
                input: r#"{"message": "{\"resourceSpans\":[]}"}"#,
                result: "dropped \"no logs\"",
            },
        ],
    },
    gives: |_| {
        let field = Field { path: RECORDS.into(), ty: Type::List, maybe: false, doc: String::new() };
        Ok(Gives { fields: vec![field], open: false })
    },
    bind: |bind: &mut Bind<'_>| Ok(Box::new(Otlp { records: bind.slot(RECORDS)? })),
};

struct Otlp {
    records: Slot,
}

impl Format for Otlp {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        if memchr::memmem::find(bytes, b"\"resourceLogs\"").is_none() {
            return Err(Mismatch::at(0, "no `resourceLogs`"));
        }
        if bytes.len() > ROW_ARENA_BYTES_MAX {
            return Err(Mismatch::at(ROW_ARENA_BYTES_MAX, "more bytes than one request may have"));
        }
        let request: Json = serde_json::from_slice(bytes)
            .map_err(|error| Mismatch::at(error.column(), "not a json object"))?;
        let Some(resources) = request.get("resourceLogs").and_then(Json::as_array) else {
            return Err(Mismatch::at(0, "no list `resourceLogs`"));
        };
        let mut out = texts.scratch();
        out.push(b'[');
        let done = records(resources, &mut out);
        if out.last() == Some(&b',') {
            out.pop();
        }
        out.push(b']');
        let span = texts.keep(out);
        done?;
        fields.push((Target::Slot(self.records), Value::List(span)));
        Ok(())
    }
}

/// Whether a value is no deeper than so many levels. The reader of JSON has bounded the depth of what is looked at here.
fn is_within(value: &Json, levels: usize) -> bool {
    match value {
        Json::Object(members) => levels > 0 && members.values().all(|value| is_within(value, levels - 1)),
        Json::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        _ => true,
    }
}

/// Appends every record with what is said of its resource and scope, a comma behind each.
fn records(resources: &[Json], out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let list = |value: &Json, key: &str| value.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    for of_resource in resources {
        let resource = attributes(of_resource.get("resource"));
        for of_scope in list(of_resource, "scopeLogs") {
            let scope = scope(of_scope.get("scope"));
            for record in list(&of_scope, "logRecords") {
                let Json::Object(record) = record else {
                    return Err(Mismatch::at(0, "a log record is no object"));
                };
                let record = Json::Object(one(record, &resource, &scope));
                if !is_within(&record, JSON_DEPTH_MAX - 1) {
                    return Err(Mismatch::at(0, "deeper than JSON may be"));
                }
                // A resource stands in each of its records: what that makes of a line is bounded too.
                if out.len() > ROW_ARENA_BYTES_MAX {
                    return Err(Mismatch::at(0, "more bytes than one request may have"));
                }
                serde_json::to_writer(&mut *out, &record)
                    .map_err(|_| Mismatch::at(0, "a value is no json"))?;
                out.push(b',');
            }
        }
    }
    Ok(())
}

/// One record: attributes as an object, the body as what it holds, and the time that is there.
fn one(
    mut record: Map<String, Json>,
    resource: &Map<String, Json>,
    scope: &Map<String, Json>,
) -> Map<String, Json> {
    let own = attributes_of(record.remove("attributes"));
    let body = record.remove("body").map(any_value);
    // 0 means that the time is not known; then that counts at which the record was collected.
    let known =
        |time: Option<&Json>| time.filter(|time| !(time.is_null() || **time == "0" || **time == 0)).cloned();
    let time = known(record.get(TIME)).or_else(|| known(record.get("observedTimeUnixNano")));
    record.insert(TIME.to_owned(), time.unwrap_or(Json::from("0")));
    let mut put = |key: &str, value: Map<String, Json>| {
        if !value.is_empty() {
            record.insert(key.to_owned(), Json::Object(value));
        }
    };
    put("attributes", own);
    put("resource", resource.clone());
    put("scope", scope.clone());
    if let Some(body) = body.filter(|body| !body.is_null()) {
        record.insert("body".into(), body);
    }
    record
}

fn attributes(of: Option<&Json>) -> Map<String, Json> {
    attributes_of(of.and_then(|of| of.get("attributes")).cloned())
}

/// `[{"key": …, "value": …}]` as an object.
fn attributes_of(list: Option<Json>) -> Map<String, Json> {
    let mut object = Map::new();
    if let Some(Json::Array(list)) = list {
        for mut pair in list {
            let value = pair.get_mut("value").map(Json::take).map_or(Json::Null, any_value);
            if let Some(key) = pair.get("key").and_then(Json::as_str) {
                object.insert(key.to_owned(), value);
            }
        }
    }
    object
}

/// Name and version of a scope with its attributes.
fn scope(of: Option<&Json>) -> Map<String, Json> {
    let mut object = Map::new();
    for key in ["name", "version"] {
        if let Some(value) = of.and_then(|of| of.get(key)).filter(|value| *value != "") {
            object.insert(key.to_owned(), value.clone());
        }
    }
    let attributes = attributes(of);
    if !attributes.is_empty() {
        object.insert("attributes".into(), Json::Object(attributes));
    }
    object
}

/// What an `AnyValue` holds: a whole number may be written as text, bytes stay base64. The depth is that of the JSON.
fn any_value(value: Json) -> Json {
    let Json::Object(value) = value else { return value };
    let Some((kind, held)) = value.into_iter().next() else { return Json::Null };
    match kind.as_str() {
        "intValue" => match held.as_str().and_then(|text| text.parse::<i64>().ok()) {
            Some(int) => Json::from(int),
            None => held,
        },
        "arrayValue" => match held.get("values").cloned() {
            Some(Json::Array(items)) => Json::Array(items.into_iter().map(any_value).collect()),
            _ => Json::Array(Vec::new()),
        },
        "kvlistValue" => Json::Object(attributes_of(held.get("values").cloned())),
        _ => held,
    }
}
