//! The parts of a URL, beside its text: [`crate::format::url`] as an enricher.

use super::{Enricher, EnricherKind, fields, slots};
use crate::event::{Slot, Span, Texts, Value};
use crate::format::{Fields, Target, url};
use crate::lookup::Held;
use crate::signature::{Example, Signature, Type};

const FIELDS: [(&str, Type); 8] = [
    ("scheme", Type::Text),
    ("username", Type::Text),
    ("domain", Type::Text),
    ("port", Type::Int),
    ("path", Type::Text),
    ("extension", Type::Text),
    ("query", Type::Text),
    ("fragment", Type::Text),
];

/// The kind as the list has it.
pub(super) const KIND: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "url",
        summary: "the parts of a URL, named as in ECS",
        doc: "Nothing is decoded; a password is left out. A text without `scheme://` is a path.",
        form: "url(.FIELD)",
        options: &[],
        examples: &[Example {
            title: "a request",
            source: "enrich url(.url.original)",
            input: r#"{"url":{"original":"https://ada:x@shop.example:8443/a/logo.png?id=7"}}"#,
            result: r#"{"url":{"domain":"shop.example","extension":"png","original":"https://ada:x@shop.example:8443/a/logo.png?id=7","path":"/a/logo.png","port":8443,"query":"id=7","scheme":"https","username":"ada"}}"#,
        }],
    },
    takes: true,
    gives: |_| Ok(fields(&FIELDS)),
    bind: |bind, _| Ok(Box::new(Url { slots: slots(bind, &FIELDS)? })),
};

struct Url {
    slots: [Slot; 8],
}

impl Enricher for Url {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, _: &mut Held) {
        let bytes = texts.bytes(input);
        let url = url::split(bytes);
        let user = url.userinfo.map(|user| {
            let len = memchr::memchr(b':', &bytes[user.clone()]).unwrap_or(user.len());
            user.start..user.start + len
        });
        let extension = url.path.clone().and_then(|path| {
            let name =
                memchr::memrchr(b'/', &bytes[path.clone()]).map_or(path.start, |at| path.start + at + 1);
            let dot = memchr::memrchr(b'.', &bytes[name..path.end]).filter(|dot| *dot > 0)?;
            let from = name + dot + 1;
            bytes[from..path.end].iter().all(u8::is_ascii_alphanumeric).then_some(from..path.end)
        });
        let [scheme, username, domain, port, path, ext, query, fragment] = self.slots;
        let parts = [
            (scheme, url.scheme),
            (username, user),
            (domain, url.host),
            (path, url.path),
            (ext, extension),
            (query, url.query),
            (fragment, url.fragment),
        ];
        for (slot, range) in parts {
            if let Some(range) = range.filter(|range| !range.is_empty()) {
                fields.push((Target::Slot(slot), Value::Text(input.part(range.start, range.len()))));
            }
        }
        if let Some(number) = url.port {
            fields.push((Target::Slot(port), Value::Int(i64::from(number))));
        }
    }
}
