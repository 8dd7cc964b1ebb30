//! Lists that are JSON: bundles of STIX 2.1, events and attributes of MISP, warning lists of MISP.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::indicator::{Indicator, Net};
use super::lines::{WANTED, entry};
use super::notes::Note;
use super::read::{Intake, name, time};
use super::{pattern, rows};

/// Whether an indicator is of the kind that is meant.
type Fits = fn(&Indicator) -> bool;

/// How often an answer of MISP (`{"response": …}`) may be within another.
const WITHIN_MAX: usize = 2;

/// Whether a file that begins so is JSON. A list in lines may begin with a bracket too: `[Adblock Plus]`.
pub(super) fn is_one(front: &[u8]) -> bool {
    let front = front.trim_ascii_start();
    match front.strip_prefix(b"[") {
        Some(rest) => matches!(rest.trim_ascii_start().first(), Some(b'{' | b'"' | b']')),
        None => front.starts_with(b"{"),
    }
}

/// What is read.
const UNKNOWN: &str = "this is JSON of an unknown kind: a bundle of STIX, an event of MISP (of a feed the files beside its \
                       manifest), a warning list of MISP, or objects with a usual column such as `ip` are read";

/// A document of any kind that is known.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    objects: Option<Vec<&'a RawValue>>,
    #[serde(rename = "Event", borrow)]
    event: Option<&'a RawValue>,
    #[serde(rename = "Attribute", borrow)]
    attributes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    list: Option<Vec<Cow<'a, str>>>,
}

/// What STIX says of an indicator.
#[derive(Deserialize)]
struct Stix<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    id: Cow<'a, str>,
    #[serde(default, borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    pattern: Cow<'a, str>,
    #[serde(default, borrow)]
    pattern_type: Cow<'a, str>,
    #[serde(default, borrow)]
    valid_until: Option<Cow<'a, str>>,
    #[serde(default)]
    confidence: Option<u8>,
    #[serde(default)]
    revoked: bool,
}

/// An event of MISP.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    info: Cow<'a, str>,
    #[serde(rename = "Attribute", borrow)]
    attributes: Vec<&'a RawValue>,
    #[serde(rename = "Object", borrow)]
    objects: Vec<Object<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object<'a> {
    #[serde(rename = "Attribute", borrow)]
    attributes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(default = "yes")]
    to_ids: bool,
    #[serde(default)]
    deleted: bool,
}

fn yes() -> bool {
    true
}

/// Reads a document.
pub(super) fn read(bytes: &[u8], intake: &mut Intake<'_>) -> Result<(), String> {
    part(bytes, WITHIN_MAX, intake)
}

/// Says what is wrong with JSON.
pub(super) fn broken(error: &serde_json::Error) -> String {
    format!("the JSON is broken or cut off: {error}")
}

fn part(bytes: &[u8], within_max: usize, intake: &mut Intake<'_>) -> Result<(), String> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        let items: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|error| broken(&error))?;
        for (at, item) in items.into_iter().enumerate() {
            let place = format!("item {}", at + 1);
            match serde_json::from_str::<Cow<'_, str>>(item.get()) {
                Ok(text) => warned(&text, &place, intake)?,
                Err(_) => one(item.get(), &place, within_max, intake)?,
            }
        }
        return Ok(());
    }
    let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
    // One, or one a line.
    let all = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    for (at, document) in all.enumerate() {
        let document = document.map_err(|error| broken(&error))?;
        let place = if at == 0 { "the document".to_owned() } else { format!("document {}", at + 1) };
        one(document.get(), &place, within_max, intake)?;
    }
    Ok(())
}

fn one(text: &str, place: &str, within_max: usize, intake: &mut Intake<'_>) -> Result<(), String> {
    // An attribute alone is an item of a list of them.
    if let Ok(attribute) = serde_json::from_str::<Attribute<'_>>(text) {
        let note = intake.note();
        return misp(&attribute, place, &note, intake);
    }
    let document: Document<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // What a TAXII server answers has objects and no type (TAXII 2.1 §3.7).
    let is_envelope = document.kind.is_none() && document.objects.is_some();
    if is_envelope || document.kind.as_deref() == Some("bundle") {
        return document.objects.unwrap_or_default().iter().try_for_each(|object| stix(object, intake));
    }
    if document.kind.as_deref() == Some("indicator") {
        return stix(serde_json::from_str(text).map_err(|error| error.to_string())?, intake);
    }
    if let Some(event) = document.event {
        let event: Event<'_> = serde_json::from_str(event.get()).map_err(|error| error.to_string())?;
        let note = Note { name: name(&event.info), ..intake.note() };
        let inner = event.objects.into_iter().flat_map(|object| object.attributes);
        return attributes(event.attributes.into_iter().chain(inner), &note, intake);
    }
    if let Some(of) = document.attributes {
        let note = intake.note();
        return attributes(of.into_iter(), &note, intake);
    }
    if let Some(response) = document.response
        && let Some(left) = within_max.checked_sub(1)
    {
        return part(response.get().as_bytes(), left, intake);
    }
    let Some(list) = document.list else {
        if !rows::row(text, place, intake)? {
            intake.bad(place, text.as_bytes(), UNKNOWN);
        }
        return Ok(());
    };
    let kind = document.kind.as_deref().unwrap_or("string");
    for (at, text) in list.iter().enumerate() {
        let place = format!("item {}", at + 1);
        match kind {
            "regex" | "substring" => intake.other(&place, text.as_bytes()),
            _ => warned(text, &place, intake)?,
        }
    }
    Ok(())
}

fn warned(text: &str, place: &str, intake: &mut Intake<'_>) -> Result<(), String> {
    let note = intake.note();
    if !entry(text.as_bytes(), &note, intake)? {
        intake.bad(place, text.as_bytes(), WANTED);
    }
    Ok(())
}

/// An object of a bundle; other objects than indicators say nothing that could be looked for.
pub(super) fn stix(object: &RawValue, intake: &mut Intake<'_>) -> Result<(), String> {
    let of = match serde_json::from_str::<Stix<'_>>(object.get()) {
        Ok(of) if of.kind == "indicator" => of,
        Ok(_) => return Ok(()),
        Err(error) => {
            let is_indicator = serde_json::from_str::<Document<'_>>(object.get())
                .is_ok_and(|of| of.kind.as_deref() == Some("indicator"));
            if is_indicator {
                intake.bad("an indicator", object.get().as_bytes(), &error.to_string());
            }
            return Ok(());
        }
    };
    if of.revoked {
        intake.unused();
        return Ok(());
    }
    let id = if of.id.is_empty() { "an indicator without id" } else { &of.id };
    let mut note = Note { name: name(&of.name), ..intake.note() };
    note.confidence = of.confidence.map_or(note.confidence, |of| of.min(100));
    if let Some(until) = &of.valid_until {
        match time(until) {
            Some(until) => note.expires_ns = until,
            None => {
                intake.bad(id, until.as_bytes(), "`valid_until` is no time");
                return Ok(());
            }
        }
    }
    let is_stix = of.pattern_type.is_empty() || of.pattern_type == "stix";
    let Some((comparisons, others)) = pattern::read(&of.pattern).filter(|_| is_stix) else {
        intake.other(id, of.pattern.as_bytes());
        return Ok(());
    };
    for _ in 0..others {
        intake.other(id, of.pattern.as_bytes());
    }
    for pattern::Comparison { path, value } in comparisons {
        let fits: Fits = match path.as_str() {
            "ipv4-addr:value" | "ipv6-addr:value" => |of| matches!(of, Indicator::Net(_)),
            "domain-name:value" => |of| matches!(of, Indicator::Domain),
            "url:value" => |of| matches!(of, Indicator::Url { .. }),
            _ if is_hash(&path) => |of| matches!(of, Indicator::Hash),
            _ => {
                intake.other(id, path.as_bytes());
                continue;
            }
        };
        if !intake.add(value.as_bytes(), &note, fits)? {
            let why = format!("this is no value of `{path}`");
            intake.bad(id, value.as_bytes(), &why);
        }
    }
    Ok(())
}

/// `file:hashes.'SHA-256'` and its relatives (STIX 2.1 §10.6).
fn is_hash(path: &str) -> bool {
    let name = path.strip_prefix("file:hashes.").unwrap_or_default().to_ascii_uppercase().replace('-', "");
    matches!(name.as_str(), "MD5" | "SHA1" | "SHA256" | "SHA512")
}

fn attributes<'a>(
    of: impl Iterator<Item = &'a RawValue>,
    note: &Note<'_>,
    intake: &mut Intake<'_>,
) -> Result<(), String> {
    for (at, attribute) in of.enumerate() {
        let place = format!("attribute {}", at + 1);
        match serde_json::from_str::<Attribute<'_>>(attribute.get()) {
            Ok(attribute) => misp(&attribute, &place, note, intake)?,
            Err(error) => intake.bad(&place, attribute.get().as_bytes(), &error.to_string()),
        }
    }
    Ok(())
}

/// An attribute. Of `domain|ip` both are indicators; of `ip-dst|port` and `filename|sha256` one is.
fn misp(of: &Attribute<'_>, place: &str, note: &Note<'_>, intake: &mut Intake<'_>) -> Result<(), String> {
    let is_net: Fits = |of| matches!(of, Indicator::Net(_));
    let is_address: Fits = |of| matches!(of, Indicator::Net(net) if Net::is_address(*net));
    let is_domain: Fits = |of| matches!(of, Indicator::Domain);
    let is_url: Fits = |of| matches!(of, Indicator::Url { .. });
    let is_hash: Fits = |of| matches!(of, Indicator::Hash);
    let (first, last) = of.value.split_once('|').unwrap_or((&of.value, &of.value));
    let parts: &[(&str, Fits)] = match &*of.kind {
        "ip-src" | "ip-dst" => &[(&of.value, is_net)],
        "ip-src|port" | "ip-dst|port" => &[(first, is_address)],
        "domain" | "hostname" => &[(&of.value, is_domain)],
        "hostname|port" => &[(first, is_domain)],
        "domain|ip" => &[(first, is_domain), (last, is_address)],
        "url" => &[(&of.value, is_url)],
        "md5" | "sha1" | "sha256" | "sha512" => &[(&of.value, is_hash)],
        "filename|md5" | "filename|sha1" | "filename|sha256" | "filename|sha512" | "malware-sample" => {
            &[(last, is_hash)]
        }
        kind => {
            intake.other(place, kind.as_bytes());
            return Ok(());
        }
    };
    if !of.to_ids || of.deleted {
        intake.unused();
        return Ok(());
    }
    for (value, fits) in parts {
        if !intake.add(value.as_bytes(), note, fits)? {
            let why = format!("this is no value of `{}`", of.kind);
            intake.bad(place, value.as_bytes(), &why);
        }
    }
    Ok(())
}
