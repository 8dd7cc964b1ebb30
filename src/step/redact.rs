//! `redact`: secrets and personal data go from an event, wherever they stand in it.

use std::ops::Range;
use std::sync::Arc;

use super::{Context, Flow, Step};
use crate::event::{Entry, Row, Slot, Span, Texts, Value, raw, write_string};
use crate::limits::{SENSITIVE_NEEDLE_BYTES_MIN, SENSITIVE_NEEDLES_MAX};
use crate::sensitive::{Class, Found, Policy, RULES, Redactor, Rule, Tokens, is_secret_value};
use crate::signature::{Example, OptionSpec, OptionType, Signature};

/// What `redact` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "redact",
    summary: "takes secrets and personal data out of all text of an event",
    doc: "The classes are `secrets` (keys and tokens of some sixty vendors, JSON web tokens, private keys, passwords in URLs \
          and headers, values of names like `password` and `api_key`), `card`, `iban`, `ssn`, `email`, `phone` and `ip`. \
          Checksums and ranges are checked where there are any. All fields are looked at, numbers and keys of open JSON \
          too, and what is found in one is replaced in all; the original line is looked at even where no field has it. \
          Dead letters of the pipeline and their error texts are redacted in the same way, also those of events that were \
          refused before this step. An event cannot be sent before it is redacted: `to` stands behind. With `on` only these \
          fields are redacted; that is an error where the text that they were taken from is sent along. A field of \
          addresses or numbers keeps its type: `::` and `0` stand for what was there.",
    form: "redact CLASS, … on .FIELD, … using { policy = POLICY }",
    options: &[OptionSpec {
        name: "policy",
        ty: OptionType::Text,
        default: Some("mask"),
        doc: "`mask` puts `[redacted:email]` in its place; `hash(secret(\"file:/…\"))` adds the start of a keyed hash \
              (HMAC-SHA-256), by which equal values stay equal; `tokenise` numbers the values of an event: `[redacted:email-1]`; \
              `drop` removes the whole value that holds it",
    }],
    examples: &[
        Example {
            title: "in the message and in what was parsed from it",
            source: "parse .message as logfmt | redact secrets, email",
            input: r#"{"message":"user=ann@example.org password=hunter2x ok=1"}"#,
            result: r#"{"message":"user=[redacted:email] password=[redacted:secret] ok=1","user":"[redacted:email]","password":"[redacted:secret]","ok":"1"}"#,
        },
        Example {
            title: "equal values stay equal",
            source: "redact email using { policy = tokenise }",
            input: r#"{"from":"ann@example.org","to":"bob@example.org, ann@example.org"}"#,
            result: r#"{"from":"[redacted:email-1]","to":"[redacted:email-2], [redacted:email-1]"}"#,
        },
        Example {
            title: "the value goes",
            source: "redact card using { policy = drop }",
            input: r#"{"order":{"card":"4111 1111 1111 1111","total":7}}"#,
            result: r#"{"order":{"total":7}}"#,
        },
        Example {
            title: "one field",
            source: "remove .message | redact ip on .client",
            input: r#"{"client":"10.1.2.3:99","server":"10.0.0.1"}"#,
            result: r#"{"client":"[redacted:ip]:99","server":"10.0.0.1"}"#,
        },
    ],
};

/// `redact CLASSES on .FIELD, …`
pub struct Redact {
    /// Finds and replaces.
    pub redactor: Arc<Redactor>,
    /// The fields; all where it is empty.
    pub fields: Box<[Slot]>,
}

impl Step for Redact {
    fn run(&self, row: &mut Row, _: &mut Context<'_>) -> Flow {
        let mut pass = Pass {
            redactor: &self.redactor,
            needles: Vec::new(),
            tokens: Tokens::default(),
            found: Vec::new(),
            looks: true,
        };
        if self.fields.is_empty() {
            let message = row.texts.message();
            pass.look(row.texts.bytes(message));
        }
        self.each(row, &mut pass);
        if !pass.needles.is_empty() {
            pass.close();
            self.each(row, &mut pass);
        }
        Flow::Next
    }
}

impl Redact {
    fn covers(&self, row: &Row, slot: Slot) -> bool {
        self.fields.is_empty()
            || self.fields.iter().any(|field| (*field..row.layout().end(*field)).contains(&slot))
    }

    /// Shows every value of the event to the pass, and takes what it gives back.
    fn each(&self, row: &mut Row, pass: &mut Pass<'_>) {
        let slots = *row.present();
        for slot in slots.iter() {
            let Some(value) = row.get(slot).filter(|_| self.covers(row, slot)) else { continue };
            let layout = row.layout().clone();
            match pass.value(&mut row.texts, layout.key(slot).as_bytes(), value) {
                Now::Same => {}
                Now::Changed(value) => row.set(slot, value),
                Now::Gone => drop(row.remove(slot)),
            }
        }
        if row.rest().is_empty() {
            return;
        }
        let mut rest = row.rest().to_vec();
        let mut changed = false;
        rest.retain_mut(|entry| {
            if !self.covers(row, entry.parent) {
                return true;
            }
            let name = last_key(row.texts.bytes(entry.key)).to_vec();
            let now = pass.value(&mut row.texts, &name, entry.value);
            if let Now::Changed(value) = now {
                entry.value = value;
                changed = true;
            }
            let gone = matches!(now, Now::Gone);
            if let Some(key) = pass.key(&mut row.texts, entry.key) {
                entry.key = key;
                changed = true;
            }
            changed |= gone;
            !gone
        });
        if changed {
            apart(&mut rest, &mut row.texts);
            row.set_rest(rest);
        }
    }
}

/// The last part of a key with dots.
fn last_key(key: &[u8]) -> &[u8] {
    &key[memchr::memrchr(b'.', key).map_or(0, |dot| dot + 1)..]
}

/// Keys that became the same get numbers: no key may stand twice.
fn apart(rest: &mut [Entry], texts: &mut Texts) {
    for at in 1..rest.len() {
        let key = texts.bytes(rest[at].key).to_vec();
        let same = |entry: &&Entry| entry.parent == rest[at].parent && texts.bytes(entry.key) == key;
        let twice = key.starts_with(b"[redacted:") && rest[..at].iter().any(|entry| same(&entry));
        if twice {
            rest[at].key = texts.push(&[&key[..], format!("#{at}").as_bytes()].concat());
        }
    }
}

/// What becomes of a value.
enum Now {
    Same,
    Changed(Value),
    Gone,
}

/// A secret that was found, to be looked for elsewhere.
struct Needle {
    text: Vec<u8>,
    rule: &'static Rule,
}

/// One pass over an event. The first only looks, and is the only one over most events; the second replaces.
struct Pass<'a> {
    redactor: &'a Redactor,
    needles: Vec<Needle>,
    tokens: Tokens,
    found: Vec<Found>,
    looks: bool,
}

/// The rule that a name alone is evidence for.
fn by_name() -> &'static Rule {
    RULES.iter().find(|rule| rule.name == "assignment").unwrap_or(&RULES[0])
}

impl Pass<'_> {
    /// The first pass is over.
    fn close(&mut self) {
        self.looks = false;
        // Longer ones first, so that one within another does not leave the rest of it.
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.text.len()));
        self.needles.dedup_by(|a, b| a.text == b.text);
    }

    /// Notes what is in a text.
    fn look(&mut self, text: &[u8]) -> bool {
        self.found.clear();
        self.redactor.finder.find_each(text, &mut self.found);
        for Found { rule, range } in &self.found {
            if self.needles.len() < SENSITIVE_NEEDLES_MAX {
                variants(rule, &text[range.clone()], &mut self.needles);
            }
        }
        !self.found.is_empty()
    }

    /// What becomes of a text, if it does not stay.
    fn text(&mut self, name: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let secrets = self.redactor.finder.classes().contains(Class::Secrets);
        let named = secrets && !text.is_empty() && is_secret_value(name, text);
        if self.looks {
            self.look(text);
            if named {
                variants(by_name(), text, &mut self.needles);
            }
            return None;
        }
        self.found.clear();
        if named {
            self.found.push(Found { rule: by_name(), range: 0..text.len() });
        } else {
            self.redactor.finder.find(text, &mut self.found);
            for Needle { text: needle, rule } in &self.needles {
                let word = needle.len() < SENSITIVE_NEEDLE_BYTES_MIN;
                for at in memchr::memmem::find_iter(text, needle) {
                    let range = at..at + needle.len();
                    if !word || is_word(text, &range) {
                        self.found.push(Found { rule, range });
                    }
                }
            }
            crate::sensitive::in_order(text.len(), &mut self.found);
        }
        if self.found.is_empty() {
            return None;
        }
        let found = std::mem::take(&mut self.found);
        let out = self.redactor.replaced(text, &found, &mut self.tokens);
        self.found = found;
        Some(out)
    }

    /// What becomes of a value.
    fn value(&mut self, texts: &mut Texts, name: &[u8], value: Value) -> Now {
        let drops = matches!(self.redactor.policy, Policy::Drop);
        let new = match value {
            Value::Text(span) => {
                let text = texts.bytes(span).to_vec();
                let Some(new) = self.text(name, &text) else { return Now::Same };
                if drops {
                    return Now::Gone;
                }
                Value::Text(texts.push(&new).with(span.facts))
            }
            Value::Ip(span) => {
                let text = texts.bytes(span).to_vec();
                if self.text(b"", &text).is_none() {
                    return Now::Same;
                }
                let address = self.redactor.policy.address(&text, &mut self.tokens);
                Value::Ip(texts.push(address.as_bytes()).with(span.facts))
            }
            Value::Int(_) | Value::Float(_) | Value::Number(_) => {
                let mut text = Vec::new();
                crate::event::write_value(texts, value, &mut text);
                if self.text(name, &text).is_none() {
                    return Now::Same;
                }
                Value::Int(self.redactor.policy.number(&text, &mut self.tokens))
            }
            Value::Object(span) | Value::List(span) => {
                let json = texts.bytes(span).to_vec();
                if self.looks && !self.is_worth_a_walk(&json) {
                    return Now::Same;
                }
                let mut out = Vec::with_capacity(json.len());
                let mut changed = false;
                self.json(name, &json, &mut out, &mut changed);
                if !changed {
                    return Now::Same;
                }
                let span = texts.push(&out);
                // Only what was in it went, whatever the policy is.
                return Now::Changed(if matches!(value, Value::List(_)) {
                    Value::List(span)
                } else {
                    Value::Object(span)
                });
            }
            Value::Null | Value::Bool(_) | Value::Timestamp(_) | Value::Duration(_) => return Now::Same,
        };
        if drops { Now::Gone } else { Now::Changed(new) }
    }

    /// Whether there may be anything in the text of an object: where no string has an escape, what is in a string is
    /// found in the whole, too.
    fn is_worth_a_walk(&mut self, json: &[u8]) -> bool {
        memchr::memchr(b'\\', json).is_some() || self.redactor.finder.is_in(json)
    }

    /// A key that becomes another.
    fn key(&mut self, texts: &mut Texts, key: Span) -> Option<Span> {
        let text = texts.bytes(key).to_vec();
        self.text(b"", &text).map(|new| texts.push(&new))
    }

    /// Writes JSON text anew. Returns false where the value goes.
    fn json(&mut self, name: &[u8], json: &[u8], out: &mut Vec<u8>, changed: &mut bool) -> bool {
        let drops = matches!(self.redactor.policy, Policy::Drop);
        match json.first() {
            Some(b'{') => self.object(json, out, changed),
            Some(b'[') => {
                out.push(b'[');
                for range in raw::items(json) {
                    let before = out.len();
                    if self.json(name, &json[range], out, changed) {
                        out.push(b',');
                    } else {
                        out.truncate(before);
                    }
                }
                close(out, b']');
            }
            Some(b'"') => {
                let text = plain(json);
                match self.text(name, &text) {
                    Some(_) if drops => {
                        *changed = true;
                        return false;
                    }
                    Some(new) => {
                        *changed = true;
                        write_string(&String::from_utf8_lossy(&new), out);
                    }
                    None => out.extend_from_slice(json),
                }
            }
            Some(b'0'..=b'9' | b'-') => match self.text(name, json) {
                Some(_) if drops => {
                    *changed = true;
                    return false;
                }
                Some(_) => {
                    *changed = true;
                    let number = self.redactor.policy.number(json, &mut self.tokens);
                    out.extend_from_slice(number.to_string().as_bytes());
                }
                None => out.extend_from_slice(json),
            },
            _ => out.extend_from_slice(json),
        }
        true
    }

    fn object(&mut self, json: &[u8], out: &mut Vec<u8>, changed: &mut bool) {
        out.push(b'{');
        for (number, (key, value)) in raw::members(json).into_iter().enumerate() {
            let before = out.len();
            let quoted = &json[key.start - 1..key.end + 1];
            let name = plain(quoted);
            match self.text(b"", &name) {
                Some(new) => {
                    *changed = true;
                    write_string(&format!("{}#{number}", String::from_utf8_lossy(&new)), out);
                }
                None => out.extend_from_slice(quoted),
            }
            out.push(b':');
            if self.json(&name, &json[value], out, changed) {
                out.push(b',');
            } else {
                out.truncate(before);
            }
        }
        close(out, b'}');
    }
}

/// Ends a list or object whose every part was followed by a comma.
fn close(out: &mut Vec<u8>, bracket: u8) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(bracket);
}

/// The text of a JSON string with its quotes.
fn plain(quoted: &[u8]) -> Vec<u8> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner).is_none() {
        return inner.to_vec();
    }
    serde_json::from_slice::<String>(quoted).unwrap_or_default().into_bytes()
}

/// Whether a range is a word of its own.
fn is_word(text: &[u8], range: &Range<usize>) -> bool {
    let of_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    !of_word(range.start.checked_sub(1).and_then(|before| text.get(before))) && !of_word(text.get(range.end))
}

/// A secret and the other forms in which a field may hold it: decoded, unescaped, or the password of a header.
fn variants(rule: &'static Rule, secret: &[u8], needles: &mut Vec<Needle>) {
    let mut add = |text: Vec<u8>| {
        if !text.is_empty() && !needles.iter().any(|needle| needle.text == text) {
            needles.push(Needle { text, rule });
        }
    };
    add(secret.to_vec());
    if memchr::memchr2(b'%', b'+', secret).is_some() {
        let decoded = percent_decoded(secret);
        add(decoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect());
        add(decoded);
    }
    if memchr::memchr(b'\\', secret).is_some() {
        let quoted = [b"\"", secret, b"\""].concat();
        add(plain(&quoted));
    }
    if memchr::memchr3(b'"', b'\\', b'\n', secret).is_some() {
        let escaped = serde_json::to_string(&String::from_utf8_lossy(secret)).unwrap_or_default();
        add(escaped.as_bytes().get(1..escaped.len().saturating_sub(1)).unwrap_or_default().to_vec());
    }
    if rule.name == "http.basic"
        && let Ok(pair) = data_encoding::BASE64.decode(secret)
        && let Some(colon) = memchr::memchr(b':', &pair)
    {
        add(pair[colon + 1..].to_vec());
        add(pair);
    }
    // `Bearer …` in a field of its own, and the value of it.
    if let Some(space) =
        memchr::memchr(b' ', secret).filter(|_| rule.name == "assignment" && secret.len() > 24)
    {
        add(secret[space + 1..].to_vec());
    }
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (text[at], digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
