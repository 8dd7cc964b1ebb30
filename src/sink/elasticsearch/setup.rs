//! What a cluster should be told before events come: component and index templates and a lifecycle, from the types
//! that the compiler knows.
//!
//! In: the sink's options and the pipelines that write to it. Out: requests, in the order in which they are to be
//! made, and whether what the cluster has is that already. Each carries a digest of itself, so that a field that was
//! taken away is seen too.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::aside::CONFLICT;
use super::fields::Fields;
use crate::event::{BoundPart, LayoutBuilder, Options, Template};
use crate::sink::{Endpoint, Shape};

/// Priority of the index template: above those that come with Elasticsearch (100 for `logs-*-*`).
const PRIORITY: u32 = 200;

/// One thing that the cluster should have.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Where it is: path below the node's URL, for `GET` and for `PUT`.
    pub path: String,
    /// What it should be.
    pub body: Value,
    /// Where the answer to a `GET` holds it.
    found: &'static [&'static str],
}

/// Everything for one sink.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The nodes.
    pub endpoints: Vec<Endpoint>,
    /// In the order in which they are to be made.
    pub pieces: Vec<Piece>,
    /// What people should know.
    pub notes: Vec<String>,
}

/// How the backing indices of data streams come and go, by the options of the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lifecycle {
    kind: Kind,
    retention: Option<String>,
    rollover_age: Option<String>,
    rollover_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DataStream,
    Ilm,
    None,
}

impl Lifecycle {
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let kind = match options.text("lifecycle") {
            Some("ilm") => Kind::Ilm,
            Some("none") => Kind::None,
            _ => Kind::DataStream,
        };
        let time = |name: &str| {
            let given = options.duration(name).filter(|given| !given.is_zero());
            given.map(|given| time(name, given)).transpose()
        };
        let (retention, rollover_age) = (time("retention")?, time("rollover_age")?);
        let rollover_bytes = options.int("rollover_bytes").and_then(|bytes| u64::try_from(bytes).ok());
        let rollover_bytes = rollover_bytes.filter(|bytes| *bytes > 0);
        if kind != Kind::Ilm && (rollover_age.is_some() || rollover_bytes.is_some()) {
            return Err(
                "`rollover_age` and `rollover_bytes` need `lifecycle = ilm`: otherwise the cluster's own \
                        setting says when data streams roll over"
                    .into(),
            );
        }
        if kind == Kind::None && retention.is_some() {
            return Err("`retention` has no effect with `lifecycle = none`".into());
        }
        Ok(Self { kind, retention, rollover_age, rollover_bytes })
    }

    /// The policy for index lifecycle management.
    fn policy(&self) -> Value {
        let mut rollover = Map::new();
        rollover.insert("max_age".into(), json!(self.rollover_age.as_deref().unwrap_or("30d")));
        let size = self.rollover_bytes.map_or_else(|| "50gb".to_owned(), |bytes| format!("{bytes}b"));
        rollover.insert("max_primary_shard_size".into(), json!(size));
        let mut phases = json!({"hot": {"actions": {"rollover": rollover}}});
        if let Some(retention) = &self.retention {
            phases["delete"] = json!({"min_age": retention, "actions": {"delete": {}}});
        }
        json!({ "phases": phases })
    }
}

/// A length of time as Elasticsearch writes it, in the largest unit that it is whole in.
fn time(name: &str, given: std::time::Duration) -> Result<String, String> {
    if given.subsec_nanos() != 0 {
        return Err(format!("`{name}` is in whole seconds at least"));
    }
    let seconds = given.as_secs();
    let whole = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]
        .into_iter()
        .find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, letter) = whole.unwrap_or((1, "s"));
    Ok(format!("{}{letter}", seconds / unit))
}

/// What the sink `name` with these options needs for the pipelines that write to it.
pub fn setup(name: &str, options: &Options, shapes: &[Shape]) -> Result<Setup, String> {
    super::plan(name, options)?;
    let lifecycle = Lifecycle::new(options)?;
    let mut fields = Fields::default();
    shapes.iter().for_each(|shape| fields.add(shape));
    let (mut properties, odd) = fields.properties();
    properties.insert(
        CONFLICT.to_owned(),
        json!({"properties": {
            "field": {"type": "keyword", "ignore_above": 1024},
            "value": {"type": "keyword", "ignore_above": 8191, "index": false},
        }}),
    );
    let own = format!("aludel-{}", name.to_lowercase());
    let mut pieces = Vec::new();
    let mut index = json!({"codec": "best_compression"});
    if lifecycle.kind == Kind::Ilm {
        let body = json!({ "policy": lifecycle.policy() });
        pieces.push(Piece::new(format!("/_ilm/policy/{own}"), body, &["policy"]));
        index["lifecycle"] = json!({ "name": own });
    }
    let component = &["component_templates", "0", "component_template"];
    let mappings = json!({
        // What only the data knows: text becomes a keyword, and is never taken for a date.
        "date_detection": false,
        "dynamic_templates": [{"texts": {
            "match_mapping_type": "string",
            "mapping": {"type": "keyword", "ignore_above": 1024},
        }}],
        "properties": properties,
    });
    let parts =
        [("settings", json!({"settings": {"index": index}})), ("mappings", json!({"mappings": mappings}))];
    for (part, template) in parts {
        let path = format!("/_component_template/{own}-{part}");
        pieces.push(Piece::new(path, json!({ "template": template }), component));
    }
    let mut template = json!({
        "index_patterns": patterns(options),
        "priority": PRIORITY,
        "data_stream": {},
        "composed_of": [format!("{own}-settings"), format!("{own}-mappings")],
    });
    if lifecycle.kind == Kind::DataStream {
        let mut own = Map::new();
        if let Some(retention) = &lifecycle.retention {
            own.insert("data_retention".into(), json!(retention));
        }
        template["template"] = json!({ "lifecycle": own });
    }
    pieces.push(Piece::new(
        format!("/_index_template/{own}"),
        template,
        &["index_templates", "0", "index_template"],
    ));
    let mut notes: Vec<_> = odd.into_iter().map(|odd| format!("{odd}: it is left to the cluster")).collect();
    notes.push(
        "a data stream that is there already takes mappings and settings at its next rollover".to_owned(),
    );
    Ok(Setup { endpoints: super::endpoints(options)?, pieces, notes })
}

/// Patterns of the names of all data streams that the sink writes to.
fn patterns(options: &Options) -> Vec<String> {
    let template = options.template("data_stream").cloned().unwrap_or_default();
    let mut patterns = vec![pattern(&template)];
    if let Some(fallback) = options.given("fallback") {
        let covered = globset::Glob::new(patterns.first().map_or("", String::as_str))
            .is_ok_and(|glob| glob.compile_matcher().is_match(fallback));
        if !covered && template.constant().is_none() {
            patterns.push(fallback.to_owned());
        }
    }
    patterns
}

fn pattern(template: &Template) -> String {
    let mut builder = LayoutBuilder::default();
    template.paths().all(|path| builder.add(path));
    let Some(bound) = template.bind(&builder.build()) else { return String::new() };
    let part = |part: &BoundPart| match part {
        BoundPart::Text(text) => text.clone(),
        BoundPart::Slot(_) => "*".to_owned(),
    };
    bound.parts().iter().map(part).collect()
}

impl Piece {
    fn new(path: String, mut body: Value, found: &'static [&'static str]) -> Self {
        let digest = Sha256::digest(body.to_string().as_bytes());
        let digest = data_encoding::HEXLOWER.encode(digest.get(..8).unwrap_or_default());
        let meta = json!({"managed_by": "aludel", "digest": digest});
        // A policy holds its `_meta` inside.
        match body.get_mut("policy") {
            Some(policy) => policy["_meta"] = meta,
            None => body["_meta"] = meta,
        }
        Self { path, body, found }
    }

    /// Whether the answer to a `GET` shows that the cluster has it as it should be. A digest that fits is not enough:
    /// somebody may have changed something by hand.
    pub fn is_in(&self, answer: &Value) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let answer = answer.get(name).unwrap_or(answer);
        let found = self.found.iter().try_fold(answer, |at, key| match key.parse::<usize>() {
            Ok(number) => at.get(number),
            Err(_) => at.get(*key),
        });
        let wanted = self.body.get("policy").unwrap_or(&self.body);
        found.is_some_and(|found| covers(found, wanted))
    }
}

/// Whether everything wanted is in what was found. Elasticsearch adds defaults, and gives settings as text.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| match found.get(key) {
                Some(found) => covers(found, wanted),
                // An object without anything in it is not given back by every version, nor is a default.
                None => {
                    wanted.as_object().is_some_and(Map::is_empty) || (key == "type" && wanted == "object")
                }
            })
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(found, wanted)| covers(found, wanted))
        }
        (found, wanted) => found == wanted || plain(found).is_some_and(|text| Some(text) == plain(wanted)),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_cluster_has_is_compared_as_it_gives_it() {
        let body = json!({"template": {"settings": {"index": {"number_of_shards": 1}}}});
        let piece = Piece::new(
            "/_component_template/x".into(),
            body,
            &["component_templates", "0", "component_template"],
        );
        let mut inner = piece.body.clone();
        inner["template"]["settings"]["index"]["number_of_shards"] = json!("1");
        inner["template"]["settings"]["index"]["codec"] = json!("default");
        let answer =
            |inner: &Value| json!({"component_templates": [{"name": "x", "component_template": inner}]});
        assert!(piece.is_in(&answer(&inner)));
        inner["template"]["settings"]["index"]["number_of_shards"] = json!("2");
        assert!(!piece.is_in(&answer(&inner)));
        assert!(!piece.is_in(&json!({"component_templates": []})));
    }

    #[test]
    fn times_are_in_whole_units() {
        let time = |seconds| super::time("retention", Duration::from_secs(seconds)).expect("whole");
        assert_eq!(
            (time(30 * 86_400), time(36 * 3600), time(90)),
            ("30d".into(), "36h".into(), "90s".into())
        );
        assert!(super::time("retention", Duration::from_millis(1500)).is_err());
    }
}
