//! Container lines of the Kubernetes runtime interface: `2024-05-06T07:08:09.123456789Z stdout F text`.

use super::members::part;
use super::time::rfc3339;
use super::{Bind, Calendar, Fields, Format, FormatKind, Gives, Mismatch, Target};
use crate::event::{Slot, Span, Texts, Value};
use crate::signature::{Example, Field, Signature, Type};

/// The format as the list has it.
pub(super) const KIND: FormatKind = FormatKind {
    signature: &Signature {
        name: "cri",
        summary: "a container line as containerd and CRI-O write it",
        doc: "For lines read as they stand; a `files` source takes these envelopes off by itself and joins the parts. A \
              line that is only a part (`P`) has the flag `partial`.",
        form: "cri",
        options: &[],
        examples: &[Example {
            title: "the envelope comes off",
            source: "parse .message as cri",
            input: r#"{"message": "2024-05-06T07:08:09.5Z stderr F no cart"}"#,
            result: r#"{"@timestamp": "2024-05-06T07:08:09.500Z", "message": "no cart", "stream": "stderr"}"#,
        }],
    },
    gives: |_| Ok(Gives { fields: fields(), open: false }),
    bind: |bind: &mut Bind<'_>| {
        Ok(Box::new(Cri {
            time: bind.slot("@timestamp")?,
            stream: bind.slot("stream")?,
            flags: bind.slot("log.flags")?,
            message: bind.slot("message")?,
            partial: bind.constant(b"[\"partial\"]"),
        }))
    },
};

fn fields() -> Vec<Field> {
    [
        ("@timestamp", Type::Timestamp, false),
        ("stream", Type::Text, false),
        ("log.flags", Type::List, true),
        ("message", Type::Text, false),
    ]
    .map(|(path, ty, maybe)| Field { path: path.into(), ty, maybe, doc: String::new() })
    .into()
}

struct Cri {
    time: Slot,
    stream: Slot,
    flags: Slot,
    message: Slot,
    partial: Span,
}

impl Format for Cri {
    fn parse(&self, input: Span, texts: &mut Texts, fields: &mut Fields) -> Result<(), Mismatch> {
        let bytes = texts.bytes(input);
        let (parts, len) = rfc3339(bytes).ok_or(Mismatch::at(0, "no time of a container runtime"))?;
        let time =
            Calendar::default().unix_ns(&parts).ok_or(Mismatch::at(0, "no time of a container runtime"))?;
        let rest = bytes.get(len + 1..).unwrap_or_default();
        let stream = memchr::memchr(b' ', rest).unwrap_or_default();
        if bytes.get(len) != Some(&b' ') || !matches!(&rest[..stream], b"stdout" | b"stderr") {
            return Err(Mismatch::at(len, "no stdout or stderr"));
        }
        let tags = &rest[stream + 1..];
        // Tags are joined by colons; the first says whether the line is whole.
        let end = memchr::memchr(b' ', tags).unwrap_or(tags.len());
        let partial = match tags[..end].split(|&byte| byte == b':').next() {
            Some(b"F") => false,
            Some(b"P") => true,
            _ => return Err(Mismatch::at(len + stream + 2, "no tag P or F")),
        };
        let start = (len + stream + end + 3).min(bytes.len());
        fields.push((Target::Slot(self.time), Value::Timestamp(time)));
        fields.push((Target::Slot(self.stream), Value::Text(part(input, len + 1, stream))));
        if partial {
            fields.push((Target::Slot(self.flags), Value::List(self.partial)));
        }
        fields.push((Target::Slot(self.message), Value::Text(part(input, start, bytes.len() - start))));
        Ok(())
    }
}
