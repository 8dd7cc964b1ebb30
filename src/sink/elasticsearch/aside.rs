//! Sets a field of a document aside: its value goes to `_conflict`, as text, and the rest of the event lands.
//!
//! In: a document and dotted paths. Out: the document without them, and with
//! `"_conflict":[{"field":"a.b","value":"…"}]`: a list with two fields however many there are, since a field for each
//! would meet the same conflicts there (`a` as text beside `a.b`), and would make mappings grow. The bytes of all other
//! fields are left as they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::write_string;

/// The field that holds what was set aside. Elasticsearch takes the name: of those with an underscore it reserves
/// only its own.
pub(super) const CONFLICT: &str = "_conflict";

/// A JSON object's members in their order, values unread.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key.0, value));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Each)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of a field, as JSON; of the first object or list on the way that cannot be gone into.
pub(super) fn value<'a>(document: &'a [u8], path: &str) -> Option<&'a str> {
    let Members(members) = serde_json::from_slice(document).ok()?;
    members.iter().find_map(|(key, value)| match path.strip_prefix(&**key)? {
        "" => Some(value.get()),
        rest => {
            let rest = rest.strip_prefix('.')?;
            if value.get().starts_with('{') {
                self::value(value.get().as_bytes(), rest)
            } else {
                Some(value.get())
            }
        }
    })
}

/// The document with some fields set aside; `None` where it has none of them.
pub(super) fn set_aside(document: &[u8], paths: &[&str]) -> Option<Vec<u8>> {
    let (mut out, mut taken) = (Vec::with_capacity(document.len() + 64), Vec::new());
    copy_without(std::str::from_utf8(document).ok()?, "", paths, &mut out, &mut taken)?;
    if taken.is_empty() {
        return None;
    }
    out.pop()?;
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.extend_from_slice(b"\"_conflict\":[");
    for taken in &taken {
        match taken {
            Taken::Before(entries) => out.extend_from_slice(entries.as_bytes()),
            Taken::Now(path, value) => {
                out.extend_from_slice(b"{\"field\":");
                write_string(path, &mut out);
                out.extend_from_slice(b",\"value\":");
                // A text as it is, anything else as JSON.
                let text: Option<String> = serde_json::from_str(value).ok();
                write_string(text.as_deref().unwrap_or(value), &mut out);
                out.push(b'}');
            }
        }
        out.push(b',');
    }
    out.pop();
    out.extend_from_slice(b"]}");
    Some(out)
}

enum Taken<'a> {
    /// What was set aside by an earlier try, as entries of a list.
    Before(&'a str),
    /// A field and its value.
    Now(String, &'a str),
}

/// Copies an object without the fields at some paths below `at`.
fn copy_without<'a>(
    object: &'a str,
    at: &str,
    paths: &[&str],
    out: &mut Vec<u8>,
    taken: &mut Vec<Taken<'a>>,
) -> Option<()> {
    let Members(members) = serde_json::from_str(object).ok()?;
    out.push(b'{');
    let first = out.len();
    for (key, value) in members {
        let value = value.get();
        if at.is_empty() && key == CONFLICT {
            taken.insert(0, Taken::Before(value.strip_prefix('[')?.strip_suffix(']')?));
            continue;
        }
        let path = if at.is_empty() { key.to_string() } else { format!("{at}.{key}") };
        let below =
            |whole: &&str| whole.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let goes_below = paths.iter().any(below);
        // A list on the way cannot be gone into: it is set aside as a whole.
        if paths.contains(&path.as_str()) || (goes_below && value.starts_with('[')) {
            taken.push(Taken::Now(path, value));
            continue;
        }
        write_string(&key, out);
        out.push(b':');
        if goes_below && value.starts_with('{') {
            copy_without(value, &path, paths, out, taken)?;
        } else {
            out.extend_from_slice(value.as_bytes());
        }
        out.push(b',');
    }
    if out.len() > first {
        out.pop();
    }
    out.push(b'}');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_field_goes_and_all_else_keeps_its_bytes() {
        for (document, paths, expected) in [
            (
                r#"{"@timestamp":"t","n":"abc","m":12345678901234567890123}"#,
                &["n"][..],
                r#"{"@timestamp":"t","m":12345678901234567890123,"_conflict":[{"field":"n","value":"abc"}]}"#,
            ),
            (
                r#"{"a":{"b":{"c":1.50},"d":"x"},"z":1}"#,
                &["a.b"],
                r#"{"a":{"d":"x"},"z":1,"_conflict":[{"field":"a.b","value":"{\"c\":1.50}"}]}"#,
            ),
            (r#"{"a":{"b":1}}"#, &["a.b"], r#"{"a":{},"_conflict":[{"field":"a.b","value":"1"}]}"#),
            (
                r#"{"a":[{"b":1}],"c":2}"#,
                &["a.b"],
                r#"{"c":2,"_conflict":[{"field":"a","value":"[{\"b\":1}]"}]}"#,
            ),
            (
                r#"{"a":"say \"hi\"","b":true,"_conflict":[{"field":"n","value":"1"}]}"#,
                &["a", "b"],
                r#"{"_conflict":[{"field":"n","value":"1"},{"field":"a","value":"say \"hi\""},{"field":"b","value":"true"}]}"#,
            ),
            (r#"{"a.b":{"c":1}}"#, &["a.b.c"], r#"{"a.b":{},"_conflict":[{"field":"a.b.c","value":"1"}]}"#),
        ] {
            let aside =
                set_aside(document.as_bytes(), paths).map(|out| String::from_utf8(out).expect("text"));
            assert_eq!(aside.as_deref(), Some(expected), "{document}");
        }
        assert_eq!(set_aside(b"{\"a\":1}", &["b", "a.b"]), None);
        assert_eq!(set_aside(b"not JSON", &["a"]), None);
    }

    #[test]
    fn a_value_is_found_by_its_path() {
        let document = br#"{"a":{"b":[1,2],"bc":3},"a.x":{"y":"t"},"l":[{"m":1}]}"#;
        for (path, expected) in [
            ("a.b", Some("[1,2]")),
            ("a.bc", Some("3")),
            ("a.x.y", Some("\"t\"")),
            ("l.m", Some("[{\"m\":1}]")),
            ("a.c", None),
            ("ab", None),
        ] {
            assert_eq!(value(document, path), expected, "{path}");
        }
    }
}
