//! The form of messages that are JSON objects: which members they have, and what each is.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::chunk;
use crate::format::scan;

/// Members that get a field of their own; others stay below the grammar's name.
const MEMBERS_MAX: usize = 24;

/// Keys that every message has, of which a message is known where none of them is a time.
const MARKS_MAX: usize = 4;

/// Keys under which programs write the time, and the message.
const TIMES: &[&str] = &["@timestamp", "timestamp", "time", "ts", "datetime", "date", "eventTime", "t"];
const MESSAGES: &[&str] = &["message", "msg", "log", "text"];

type Object = serde_json::Map<String, Value>;

/// A form and what it was learnt from.
pub(super) struct Form {
    /// Its members, as a grammar writes them.
    pub(super) text: String,
    /// How many messages it is of.
    pub(super) messages: usize,
}

/// Whether a message is an object.
pub(super) fn is_one(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<Object>(text).is_ok()
}

/// Learns the forms of objects: those that have their time under the same key are of one.
pub(super) fn learn(name: &str, messages: &[&str]) -> Vec<Form> {
    let mut groups: Vec<(Option<&str>, Vec<Object>)> = Vec::new();
    for object in messages.iter().filter_map(|text| serde_json::from_str::<Object>(text).ok()) {
        let key = TIMES.iter().copied().find(|key| object.contains_key(*key));
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, objects)) => objects.push(object),
            None => groups.push((key, vec![object])),
        }
    }
    groups.sort_by_key(|(_, objects)| std::cmp::Reverse(objects.len()));
    let mut kinds = Kinds::new();
    groups.iter().filter_map(|(_, objects)| one(name, objects, &mut kinds)).collect()
}

/// Fields of the forms so far, with what each is.
type Kinds = BTreeMap<String, String>;

/// The form of objects; `None` where they share no key.
fn one(name: &str, objects: &[Object], kinds: &mut Kinds) -> Option<Form> {
    let mut members: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (key, value) in objects.iter().flatten() {
        members.entry(key).or_default().push(value);
    }
    let rank = |key: &str| {
        let place = |of: &[&str]| of.iter().position(|known| *known == key).unwrap_or(of.len());
        (place(TIMES), place(MESSAGES))
    };
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort_by_key(|(key, values)| (rank(key), std::cmp::Reverse(values.len())));
    let mut out = Writer { name, kinds, used: Vec::new(), text: String::new(), marked: false };
    for (key, values) in members.iter().take(MEMBERS_MAX) {
        out.member(key, values, values.len() == objects.len());
    }
    let common = members.iter().filter(|(_, values)| values.len() == objects.len());
    let common: Vec<_> = common.map(|(key, _)| *key).take(MARKS_MAX).collect();
    if !out.marked {
        if common.is_empty() {
            return None;
        }
        out.must(&common);
    }
    let _ = writeln!(out.text, "  .* = {{{name}: object}}");
    Some(Form { text: out.text, messages: objects.len() })
}

struct Writer<'n> {
    name: &'n str,
    kinds: &'n mut Kinds,
    used: Vec<String>,
    text: String,
    /// One member must be there, and be of a type.
    marked: bool,
}

impl Writer<'_> {
    fn member(&mut self, key: &str, values: &[&Value], always: bool) {
        let Some(kind) = kind(key, values) else { return };
        let known = match kind.as_str() {
            kind if kind.starts_with("time ") => Some("@timestamp"),
            "level" => Some("log.level"),
            "rest" if MESSAGES.contains(&key) => Some("message"),
            _ => None,
        };
        let path = match known {
            Some(known) if !self.used.iter().any(|used| used == known) => known.to_owned(),
            _ => format!("{}.{}", self.name, plain(key)),
        };
        let below = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let type_of = |kind: &str| kind.split(' ').next().unwrap_or_default().replace("level", "rest");
        let is_other = |known: &String| type_of(known) != type_of(&kind);
        if self.used.iter().any(|used| below(used, &path) || below(&path, used))
            || self.kinds.get(&path).is_some_and(is_other)
            || self.kinds.keys().any(|known| *known != path && (below(known, &path) || below(&path, known)))
        {
            return;
        }
        self.kinds.insert(path.clone(), kind.clone());
        let must = always && !self.marked && (path == "@timestamp" || path == "log.level");
        self.marked |= must;
        let optional = if must { "" } else { "?" };
        let _ = writeln!(self.text, "  .{}{optional} = {{{path}: {kind}}}", written(key));
        self.used.push(path);
    }

    /// Says of members that they must be there, whatever they are: none of them is a time or a level.
    fn must(&mut self, keys: &[&str]) {
        for key in keys {
            let written = format!("  .{}", written(key));
            match self.text.contains(&format!("{written}? =")) {
                true => self.text = self.text.replace(&format!("{written}? ="), &format!("{written} =")),
                false => self.text += &format!("{written}\n"),
            }
        }
    }
}

/// A key as a grammar writes it.
fn written(key: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '@' | '-');
    if !key.is_empty() && key.chars().all(plain) {
        key.to_owned()
    } else {
        format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// A key as a part of a field's name.
fn plain(key: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' };
    let name: String = key.chars().map(letter).collect();
    let parts: Vec<_> =
        name.split('.').map(|part| part.trim_matches('_')).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "field".to_owned() } else { parts.join(".").to_ascii_lowercase() }
}

/// What all values of a member are; `None` for lists and objects, and where they differ.
fn kind(key: &str, values: &[&Value]) -> Option<String> {
    let all = |is: &dyn Fn(&Value) -> bool| values.iter().all(|value| is(value));
    let text = |is: &dyn Fn(&str) -> bool| all(&|value| value.as_str().is_some_and(is));
    let since_1970 =
        TIMES.contains(&key) && all(&|value| value.as_f64().is_some_and(|seconds| seconds >= 1e9));
    Some(match values.first()? {
        _ if since_1970 => "time epoch".to_owned(),
        Value::String(first) => match chunk::time(first) {
            Some((form, _))
                if text(&|text| {
                    chunk::time(text).is_some_and(|(of, len)| of == form && len == text.len())
                }) =>
            {
                format!("time {form}")
            }
            _ if text(&chunk::is_level) => "level".to_owned(),
            _ if text(&|text| scan::is_ip(text.as_bytes())) => "ip".to_owned(),
            _ if text(&|_| true) => "rest".to_owned(),
            _ => return None,
        },
        Value::Bool(_) if all(&Value::is_boolean) => "bool".to_owned(),
        Value::Number(_) if all(&Value::is_i64) => "int".to_owned(),
        Value::Number(_) if all(&Value::is_number) => "float".to_owned(),
        _ => return None,
    })
}
