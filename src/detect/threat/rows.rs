//! Rows of JSON: objects with an indicator under the name of a usual column, such as `{"cidr":"192.0.2.0/24"}`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::cells::{CONFIDENCES, EXPIRIES, NAMES, VALUES, plain};
use super::lines::{NO_CONFIDENCE, NO_EXPIRY, WANTED, entry};
use super::read::{Intake, confidence, name, time};

/// Takes an object as a row; false where it has no indicator.
pub(super) fn row(object: &str, place: &str, intake: &mut Intake<'_>) -> Result<bool, String> {
    let Ok(members) = serde_json::from_str::<BTreeMap<String, Value>>(object) else { return Ok(false) };
    let named: Vec<_> = members.iter().map(|(name, value)| (plain(name), value)).collect();
    let is_one = |column: &Option<String>, usual: &[&str], name: &str| match column {
        Some(column) => plain(column) == name,
        None => usual.contains(&name),
    };
    let cell = |column: &Option<String>, usual: &[&str]| -> Option<Cow<'_, str>> {
        let (_, value) =
            named.iter().find(|(name, value)| is_one(column, usual, name) && !value.is_null())?;
        Some(value.as_str().map_or_else(|| value.to_string().into(), Cow::from))
    };
    let [indicator, sure, until] = &intake.terms.columns;
    let values = named.iter().filter(|(name, _)| is_one(indicator, VALUES, name));
    let values: Vec<_> =
        values.filter_map(|(_, value)| value.as_str()).filter(|text| !text.is_empty()).collect();
    if values.is_empty() {
        // What a list says of itself, as those of Spamhaus do at their end.
        return Ok(members.get("type").is_some_and(|kind| kind == "metadata"));
    }
    let mut note = intake.note();
    if let Some(sure) = cell(sure, CONFIDENCES) {
        let Some(sure) = confidence(&sure) else {
            intake.bad(place, object.as_bytes(), NO_CONFIDENCE);
            return Ok(true);
        };
        note.confidence = sure;
    }
    if let Some(until) = cell(until, EXPIRIES).filter(|until| !until.is_empty()) {
        let Some(until) = time(&until) else {
            intake.bad(place, object.as_bytes(), NO_EXPIRY);
            return Ok(true);
        };
        note.expires_ns = until;
    }
    let family = cell(&None, NAMES);
    note.name = family.as_deref().and_then(name);
    for value in values {
        if !entry(value.as_bytes(), &note, intake)? {
            intake.bad(place, value.as_bytes(), WANTED);
        }
    }
    Ok(true)
}
