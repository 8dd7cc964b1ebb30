//! `secrets`: keys, tokens, passwords and personal data that a field should not hold.
//!
//! What it finds: what [`crate::sensitive`] knows. Why it matters: whoever reads the log has the key. What it misses: a
//! password that nothing in the text says to be one. The evidence is never shown; `redact` takes it out of the event.

use super::{Bytes, Class, Detector, DetectorKind, Hit, Kind, OPTIONS, Technique, Views};
use crate::sensitive::{self, Finder, Found};
use crate::signature::{Example, Signature};

const UNSECURED: Technique = Technique {
    id: "T1552",
    name: "Unsecured Credentials",
    tactic_id: "TA0006",
    tactic: "Credential Access",
};
const IDENTITY: Technique = Technique {
    id: "T1589",
    name: "Gather Victim Identity Information",
    tactic_id: "TA0043",
    tactic: "Reconnaissance",
};

const fn class(class: sensitive::Class, doc: &'static str, technique: &'static Technique) -> Class {
    Class { name: class.name(), doc, technique, secret: true }
}

/// The classes, in the order of [`sensitive::Class::ALL`].
const CLASSES: &[Class] = &[
    class(sensitive::Class::Secrets, "a key, token or password", &UNSECURED),
    class(sensitive::Class::Card, "the number of a payment card", &IDENTITY),
    class(sensitive::Class::Iban, "an international bank account number", &IDENTITY),
    class(sensitive::Class::Ssn, "a social security number of the United States", &IDENTITY),
    class(sensitive::Class::Email, "an e-mail address", &IDENTITY),
    class(sensitive::Class::Phone, "a telephone number", &IDENTITY),
    class(sensitive::Class::Ip, "an IP address", &IDENTITY),
];

/// The kind as the list has it.
pub(super) const KIND: DetectorKind = DetectorKind {
    signature: &Signature {
        name: "secrets",
        summary: "keys, tokens, passwords, cards, accounts, social security numbers",
        doc: "The classes are those of `redact`: `secrets`, `card`, `iban`, `ssn`, `email`, `phone`, `ip`; the last three are \
              reported only where `classes` names them, since most logs are full of them. The rule says what it is \
              (`github.token`, `jwt`, `url.password`), the evidence only how long. `redact secrets` takes it out.",
        form: "secrets",
        options: OPTIONS,
        examples: &[Example {
            title: "a password in a query",
            source: "detect secrets on .url.query | redact secrets",
            input: r#"{"url":{"query":"user=ann&password=hunter2"}}"#,
            result: r#"{"detections":[{"detector":"secrets","class":"secrets","rule":"assignment","field":"url.query","evidence":"[7 bytes]","technique":"T1552","score":80}],"event":{"kind":"alert"},"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0006"],"name":["Credential Access"]},"technique":{"id":["T1552"],"name":["Unsecured Credentials"]}},"url":{"query":"user=ann&password=[redacted:secret]"}}"#,
        }],
    },
    classes: CLASSES,
    make: |options| {
        let named = options.texts("classes");
        let usual = |class: &sensitive::Class| {
            use sensitive::Class::{Card, Iban, Secrets, Ssn};
            matches!(class, Secrets | Card | Iban | Ssn)
        };
        let wanted = |class: &sensitive::Class| match named.is_empty() {
            true => usual(class),
            false => named.iter().any(|name| *name == class.name()),
        };
        let classes = sensitive::Class::ALL.into_iter().filter(wanted).collect();
        Ok(Box::new(Secrets { finder: Finder::new(classes)? }))
    },
};

struct Secrets {
    finder: Finder,
}

impl Detector for Secrets {
    #[inline]
    fn may(&self, value: &[u8], _: Bytes, _: Kind) -> bool {
        // The shortest that any rule finds.
        value.len() >= 3
    }

    fn find(&self, views: &Views<'_>, hits: &mut Vec<Hit>) {
        let mut found = Vec::new();
        self.finder.find(views.raw, &mut found);
        for Found { rule, range } in found {
            let class = rule.class as u8;
            hits.push(Hit { class, rule: rule.name, score: rule.confidence, range, secret: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_numbers_of_those_they_stand_for() {
        for (number, class) in sensitive::Class::ALL.into_iter().enumerate() {
            assert_eq!((CLASSES[number].name, class as usize), (class.name(), number));
        }
    }
}
