//! Container lines of Docker's json-file driver: `{"log":"text\n","stream":"stdout","time":"…"}`.

use super::json::Json;
use super::time::rfc3339;
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{LayoutBuilder, Slot, Span, Texts, Value};
use crate::signature::{Example, Field, Signature, Type};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "docker",
        summary: "a container line as Docker's json-file driver writes it",
        doc: "For lines read as they stand; a `files` source takes these envelopes off by itself and joins the parts. \
              Labels and variables that the driver adds are `docker.attrs`.",
        form: "docker",
        options: &[],
        examples: &[Example {
            title: "the envelope comes off",
            source: "parse .message as docker",
            input: r#"{"message": "{\"log\":\"ready\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-06T07:08:09.5Z\"}"}"#,
            result: r#"{"@timestamp": "2024-05-06T07:08:09.500Z", "message": "ready", "stream": "stdout"}"#,
        }],
    },
    gives: |_| Ok(Gives { fields: fields(), open: false }),
    bind: |bind: &mut Bind<'_>| {
        let mut builder = LayoutBuilder::default();
        for key in KEYS {
            builder.add(key);
        }
        let layout = builder.build();
        Ok(Box::new(Docker {
            json: Json::apart(&layout),
            keys: KEYS.map(|key| layout.slot(key).unwrap_or_default()),
            message: bind.slot("message")?,
            stream: bind.slot("stream")?,
            time: bind.slot("@timestamp")?,
            attrs: bind.slot("docker.attrs")?,
        }))
    },
};

const KEYS: [&str; 4] = ["log", "stream", "time", "attrs"];

fn fields() -> Vec<Field> {
    [
        ("@timestamp", Type::Timestamp, false),
        ("stream", Type::Text, false),
        ("message", Type::Text, false),
        ("docker.attrs", Type::Object, true),
    ]
    .map(|(path, ty, maybe)| Field { path: path.into(), ty, maybe, doc: String::new() })
    .into()
}

struct Docker {
    json: Json,
    keys: [Slot; 4],
    message: Slot,
    stream: Slot,
    time: Slot,
    attrs: Slot,
}

impl Format for Docker {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let mut members = Fields::new();
        self.json.parse(input, texts, &mut members)?;
        let [log, stream, time, attrs] = self.keys;
        let mut found = 0;
        for (target, value) in members {
            let Target::Slot(slot) = target else { continue };
            match value {
                Value::Text(text) if slot == log => {
                    let bytes = texts.bytes(text);
                    let len = bytes.strip_suffix(b"\n").unwrap_or(bytes).len();
                    fields.push((Target::Slot(self.message), Value::Text(text.part(0, len))));
                    found += 1;
                }
                Value::Text(_) if slot == stream => {
                    fields.push((Target::Slot(self.stream), value));
                    found += 1;
                }
                Value::Text(text) if slot == time => {
                    let parts = rfc3339(texts.bytes(text));
                    let ns = parts.and_then(|(parts, _)| Calendar::default().unix_ns(&parts));
                    let ns = ns.ok_or(Mismatch::at(0, "no time of Docker"))?;
                    fields.push((Target::Slot(self.time), Value::Timestamp(ns)));
                    found += 1;
                }
                Value::Object(_) if slot == attrs => fields.push((Target::Slot(self.attrs), value)),
                _ => {}
            }
        }
        if found == 3 {
            Ok(())
        } else {
            Err(Mismatch::at(0, "not an envelope of Docker: log, stream and time"))
        }
    }
}
