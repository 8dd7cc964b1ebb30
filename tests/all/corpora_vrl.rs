//! Examples of the parse functions of VRL: the same line is parsed here, by a format or a function, and the values are
//! compared. Names are mapped by `corpora_vrl.names`, beside this file.

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use super::expr::run;
use super::scores::{corpus, report};

/// What stands for a value that a step could not make.
const REFUSED: &str = "refused";

/// Function and key → where its value is, or nothing where it is not compared.
struct Names(BTreeMap<(String, String), Option<String>>);

impl Names {
    fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/corpora_vrl.names");
        let mut names = BTreeMap::new();
        for line in fs::read_to_string(path).expect("the names").lines() {
            let mut words = line.splitn(4, ' ');
            let (Some(function), Some(key), Some(sign)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if function != "#" {
                let place = words.next().filter(|_| sign == "=").map(str::to_owned);
                names.insert((function.to_owned(), key.to_owned()), place);
            }
        }
        Self(names)
    }

    /// Where the value of a key is; `None` where it is not compared.
    fn place(&self, function: &str, key: &str) -> Option<String> {
        let of = |key: &str| self.0.get(&(function.to_owned(), key.to_owned()));
        match (of(key), of("*")) {
            (Some(place), _) => place.clone(),
            (None, Some(Some(place))) => Some(place.replace('*', key)),
            _ => Some(key.to_owned()),
        }
    }
}

/// The text of a named argument.
fn named(source: &str, name: &str) -> Option<String> {
    let pattern = format!(r#"{name}:\s*"((?:[^"\\]|\\.)*)""#);
    let found = Regex::new(&pattern).expect("a pattern").captures(source)?;
    Some(found[1].replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// The last argument, where it is a text or number without a name.
fn last(source: &str) -> Option<String> {
    let pattern = Regex::new(r#"(?s),\s*"?([A-Za-z0-9%+ _:/-]+)"?,?\s*\)\s*$"#).expect("a pattern");
    Some(pattern.captures(source)?[1].to_owned())
}

/// The step that does what a call of VRL does.
fn steps(function: &str, source: &str) -> Option<String> {
    let raw = Regex::new(r"r'((?:[^'\\]|\\.)*)'").expect("a pattern");
    let pattern = raw.captures(source).map(|found| found[1].to_owned());
    let value = |expression: String| format!("set .x = ({expression}) ?? \"{REFUSED}\"");
    let parse = |format: String| format!("parse .message as {format} into .x else reject \"{REFUSED}\"");
    let option = |name: &str, text: Option<String>| text.map(|text| format!("{name} = {text:?}"));
    let with = |format: &str, options: Vec<Option<String>>| {
        let options: Vec<_> = options.into_iter().flatten().collect();
        if options.is_empty() { format.to_owned() } else { format!("{format}({})", options.join(", ")) }
    };
    Some(match function {
        "parse_apache_log" => match last(source).as_deref() {
            Some("error") => parse("apache.error".into()),
            _ => parse("apache.access".into()),
        },
        "parse_common_log" => parse("apache.access".into()),
        "parse_nginx_log" => match last(source).as_deref() {
            Some("error") => parse("nginx.error".into()),
            Some(name) if name.contains("ingress") => parse("nginx.ingress_controller".into()),
            _ => parse("nginx.access".into()),
        },
        "parse_aws_alb_log" => parse("aws.elb".into()),
        "parse_aws_vpc_flow_log" => parse("aws.vpcflow".into()),
        "parse_syslog" => parse("syslog".into()),
        "parse_klog" | "parse_glog" => parse("klog".into()),
        "parse_linux_authorization" => parse("system.auth or system.syslog".into()),
        "parse_logfmt" => parse("logfmt".into()),
        "parse_query_string" => parse("query".into()),
        "parse_cef" => {
            let labels = source.contains("translate_custom_fields: true");
            parse(with("cef", vec![labels.then(|| "labels = true".to_owned())]))
        }
        "parse_xml" => parse(with("xml", vec![option("text_key", named(source, "text_key"))])),
        "parse_key_value" => parse(with(
            "key_value",
            vec![
                option("pair_separator", named(source, "field_delimiter")),
                option("value_separator", named(source, "key_value_delimiter")),
            ],
        )),
        "parse_grok" | "parse_groks" => {
            let start = Regex::new(r#"(?s)patterns:\s*\[\s*"((?:[^"\\]|\\.)*)""#).expect("a pattern");
            let pattern = start.captures(source).map(|found| found[1].to_owned());
            let own = Regex::new(r#"#\s+"([A-Z_]+)":\s*"([^"]*)""#).expect("a pattern");
            let own: Vec<_> = own
                .captures_iter(source)
                .map(|found| format!("{:?}", format!("{} {}", &found[1], &found[2])))
                .collect();
            let own = (!own.is_empty()).then(|| format!("patterns = [{}]", own.join(", ")));
            parse(with("grok", vec![option("pattern", pattern), own]))
        }
        "parse_regex" if source.contains("numeric_groups: true") => {
            let pattern = pattern?;
            let groups = Regex::new(&pattern).expect("a pattern").captures_len();
            let group =
                |at: usize| format!("set .x.\"{at}\" = capture(.message, r\"{pattern}\", {at}) ?? null");
            let named = value(format!("captures(.message, r\"{pattern}\")"));
            let all: Vec<_> = std::iter::once(named).chain((0..groups).map(group)).collect();
            all.join("\n  | ")
        }
        "parse_regex" => value(format!("captures(.message, r\"{}\")", pattern?)),
        "parse_regex_all" => value(format!("captures_all(.message, r\"{}\")", pattern?)),
        // Block YAML is not a way to write log lines; what is JSON too is read.
        "parse_json" | "parse_yaml" => value("parse_json(.message)".into()),
        "parse_int" => value(format!(
            "int(.message, {})",
            last(source).filter(|_| source.contains(", ")).unwrap_or("0".into())
        )),
        "parse_float" => value("float(.message)".into()),
        "parse_bytes" => {
            let base = if named(source, "base").as_deref() == Some("10") { 1000 } else { 1024 };
            let unit = named(source, "unit")?;
            value(format!("float(size(.message, {base})) / float(size(\"1 {unit}\", {base}))"))
        }
        "parse_duration" => value(format!("duration(.message) / duration(\"1{}\")", named(source, "unit")?)),
        "parse_timestamp" => value("timestamp(.message)".into()),
        "parse_url" => value("parse_url(.message)".into()),
        "parse_etld" => "enrich domain(.message)".into(),
        "parse_user_agent" => "enrich useragent(.message)".into(),
        _ => return None,
    })
}

/// The value at a path of keys, of which one may hold dots.
fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(at, _)| find(value.get(path.get(..at)?)?, path.get(at + 1..)?))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Nothing, whichever way it is written.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn same(expected: &Value, found: &Value) -> bool {
    if let (Value::Array(one), Value::Array(other)) = (expected, found) {
        return one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other));
    }
    if let (Value::Object(one), Value::Object(other)) = (expected, found) {
        return one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)));
    }
    // One action is a list of one.
    if let Value::Array(items) = found {
        return items.len() == 1 && same(expected, &items[0]);
    }
    let (one, other) = (text(expected), text(found));
    let number = |text: &str| text.parse::<f64>().ok();
    let seconds = |text: &str| text.parse::<i128>().ok().map(|seconds| seconds * 1_000_000_000);
    let milliseconds = |text: &str| text.parse::<i128>().ok().map(|count| count * 1_000_000);
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_nanosecond);
    one == other
        || number(&one).is_some_and(|one| number(&other) == Some(one))
        || time(&other)
            .is_some_and(|found| [time(&one), seconds(&one), milliseconds(&one)].contains(&Some(found)))
}

/// Whether a value is at one of the places of its name.
fn is_there(expected: &Value, event: &Value, places: &str) -> bool {
    places.split(" | ").any(|place| {
        if place == "default" {
            return find(event, "port").is_none();
        }
        if let Some(path) = place.strip_prefix('^') {
            return find(event, path).is_some_and(|found| text(found).starts_with(&text(expected)));
        }
        if !place.contains('{') {
            let found = find(event, place);
            return found.map_or(is_empty(expected), |found| {
                same(expected, found) || is_empty(expected) && is_empty(found)
            });
        }
        let mut made = place.to_owned();
        while let Some((from, to)) = made.find('{').zip(made.find('}')) {
            match made.get(from + 1..to).and_then(|path| find(event, path)) {
                Some(found) => made.replace_range(from..=to, &text(found)),
                None => return is_empty(expected),
            }
        }
        text(expected) == made
    })
}

/// Every leaf of what is expected, by its path below an object.
fn leaves(prefix: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                leaves(&path, value, out);
            }
        }
        other => out.push((prefix.to_owned(), other.clone())),
    }
}

#[test]
fn examples_of_vrl_give_the_same_values() {
    let Some(folder) = corpus("parsers-vrl") else { return };
    let names = Names::load();
    let (mut good, mut total) = (0, 0);
    for line in fs::read_to_string(folder.join("examples.jsonl")).expect("examples").lines() {
        let example: Value = serde_json::from_str(line).expect("an example");
        let of = |key: &str| example[key].as_str().unwrap_or_default();
        let event = serde_json::json!({ "message": of("line") }).to_string();
        let event = match steps(of("function"), of("vrl_source")).map(|steps| run(&steps, &event)) {
            Some(Ok(text)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Some(Err(error)) => Value::String(error),
            None => Value::String("no way".into()),
        };
        let result = event.get("x").unwrap_or(&event);
        let refused = event.is_string() || result == REFUSED;
        let mut wrong = Vec::new();
        if !example["raises"].is_null() {
            total += 1;
            if !refused {
                wrong.push(("raises".to_owned(), Value::Null));
            }
        } else if example["expected"].is_object() {
            let mut expected = Vec::new();
            leaves("", &example["expected"], &mut expected);
            for (key, value) in expected {
                let Some(places) = names.place(of("function"), &key) else { continue };
                total += 1;
                if refused || !is_there(&value, result, &places) {
                    wrong.push((key, value));
                }
            }
        } else {
            total += 1;
            if refused || !same(&example["expected"], result) {
                wrong.push((String::new(), example["expected"].clone()));
            }
        }
        good -= wrong.len() as i64;
        if !wrong.is_empty() {
            println!("{}: {wrong:?} not in {event}", of("id"));
        }
    }
    good += total;
    report("parsers-vrl", "values equal, refusals refused", good as u64, total as u64, 95.0);
}
