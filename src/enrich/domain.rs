//! The registered domain of a host's name, by the public suffix list (<https://publicsuffix.org/list/>), which is
//! compiled in.

use super::{Enricher, EnricherKind, fields, slots};
use crate::event::{Slot, Span, Texts, Value};
use crate::format::{Fields, Target};
use crate::lookup::Held;
use crate::signature::{Example, Signature, Type};

const FIELDS: [(&str, Type); 3] =
    [("registered_domain", Type::Text), ("top_level_domain", Type::Text), ("subdomain", Type::Text)];

/// The kind as the list has it.
pub(super) const KIND: EnricherKind = EnricherKind {
    signature: &Signature {
        name: "domain",
        summary: "registered domain, top level domain and subdomain of a host's name",
        doc: "By the public suffix list: `www.shop.example.co.uk` is `www.shop` below `example.co.uk`. An address, and a \
              name that is a public suffix itself, give nothing.",
        form: "domain(.FIELD)",
        options: &[],
        examples: &[Example {
            title: "a name with subdomains",
            source: "enrich domain(.url.domain)",
            input: r#"{"url":{"domain":"www.shop.example.co.uk"}}"#,
            result: r#"{"url":{"domain":"www.shop.example.co.uk","registered_domain":"example.co.uk","subdomain":"www.shop","top_level_domain":"co.uk"}}"#,
        }],
    },
    takes: true,
    gives: |_| Ok(fields(&FIELDS)),
    bind: |bind, _| Ok(Box::new(Domain { slots: slots(bind, &FIELDS)? })),
};

struct Domain {
    slots: [Slot; 3],
}

impl Enricher for Domain {
    fn enrich(&self, input: Span, texts: &mut Texts, fields: &mut Fields, _: &mut Held) {
        let name = texts.bytes(input);
        let name = name.strip_suffix(b".").unwrap_or(name);
        // The last label of an address is a number, and that of an IPv6 address has a colon.
        if name.last().is_none_or(u8::is_ascii_digit) || memchr::memchr(b':', name).is_some() {
            return;
        }
        // The list is in lower case; lengths stay the same.
        let lower = name.to_ascii_lowercase();
        let Some(domain) = psl::domain(&lower) else { return };
        let (len, suffix) = (domain.as_bytes().len(), domain.suffix().as_bytes().len());
        let from = name.len() - len;
        let [registered, top, sub] = self.slots;
        let parts =
            [(registered, from, len), (top, name.len() - suffix, suffix), (sub, 0, from.saturating_sub(1))];
        for (slot, from, len) in parts.into_iter().filter(|(.., len)| *len > 0) {
            fields.push((Target::Slot(slot), Value::Text(input.part(from, len))));
        }
    }
}
