//! `web_attack`: attacks on web applications, as requests and logs show them.

mod jndi;
mod split;

use std::ops::Range;

use super::{Bytes, Class, Detector, DetectorKind, Hit, Kind, OPTIONS, Technique, Views};
use crate::signature::{Example, Signature};

const EXPLOIT: Technique = Technique {
    id: "T1190",
    name: "Exploit Public-Facing Application",
    tactic_id: "TA0001",
    tactic: "Initial Access",
};

/// The classes, by number.
const CLASSES: &[Class] =
    &[Class { name: "jndi", doc: "a lookup that a logger would follow", technique: &EXPLOIT, secret: false }];

/// The kind as the list has it.
pub(super) const KIND: DetectorKind = DetectorKind {
    signature: &Signature {
        name: "web_attack",
        summary: "attacks on web applications in paths, queries, headers and values",
        doc: "",
        form: "web_attack",
        options: OPTIONS,
        examples: &[Example {
            title: "a lookup in a parameter",
            source: "detect web_attack on .url.query",
            input: r#"{"url":{"query":"q=%24%7Bjndi:dns:%2F%2Fa.example%7D"}}"#,
            result: r#"{"detections":[{"detector":"web_attack","class":"jndi","rule":"lookup","field":"url.query","evidence":"%24%7Bjndi:dns:%2F%2Fa.example%7D","technique":"T1190","score":100}],"event":{"kind":"alert"},"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0001"],"name":["Initial Access"]},"technique":{"id":["T1190"],"name":["Exploit Public-Facing Application"]}},"url":{"query":"q=%24%7Bjndi:dns:%2F%2Fa.example%7D"}}"#,
        }],
    },
    classes: CLASSES,
    make: |_| Ok(Box::new(WebAttack)),
};

struct WebAttack;

/// Bytes that plain values are made of.
const PLAIN: Bytes = Bytes::DIGIT.with(Bytes::LETTER).with(Bytes::WORD);

impl Detector for WebAttack {
    #[inline]
    fn may(&self, _: &[u8], bytes: Bytes, _: Kind) -> bool {
        !bytes.only(PLAIN)
    }

    fn find(&self, views: &Views<'_>, hits: &mut Vec<Hit>) {
        split::parts(views, &mut |part, start| {
            let mut see = |class: u8, rule: &'static str, score: u8, range: Range<usize>| {
                hits.push(Hit {
                    class,
                    rule,
                    score,
                    range: range.start + start..range.end + start,
                    secret: false,
                });
            };
            if let Some(range) = jndi::lookup(part.decoded().bytes()) {
                see(0, "lookup", 100, part.decoded().raw(range));
            }
        });
    }
}
