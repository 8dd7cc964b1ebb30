//! Reading JSON text that was validated before: members, items, and single values.
//!
//! The text is trusted to be well-formed ([`Value::Object`] says so); a slip would give a wrong span, never a
//! panic.

use std::ops::Range;

use super::{Facts, Row, Slot, Span, Texts, Value, work};

/// The members of a validated JSON object: byte ranges of key (without quotes) and value.
pub fn members(object: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    work::count(object.len());
    let mut found = Vec::new();
    let mut at = 1;
    loop {
        at = skip_blank(object, at);
        match object.get(at) {
            Some(b',') => at += 1,
            Some(b'"') => {
                let end = string_end(object, at);
                let key = at + 1..end.saturating_sub(1).max(at + 1);
                at = skip_blank(object, end);
                at = skip_blank(object, at + 1);
                let end = value_end(object, at);
                found.push((key, at..end));
                at = end;
            }
            _ => return found,
        }
    }
}

/// The items of a validated JSON array, as byte ranges.
pub fn items(list: &[u8]) -> Vec<Range<usize>> {
    work::count(list.len());
    let mut found = Vec::new();
    let mut at = 1;
    loop {
        at = skip_blank(list, at);
        match list.get(at) {
            Some(b',') => at += 1,
            Some(b']') | None => return found,
            Some(_) => {
                let end = value_end(list, at);
                if end <= at {
                    return found;
                }
                found.push(at..end);
                at = end;
            }
        }
    }
}

/// The value whose JSON text is `span`: strings are unescaped, numbers read.
pub fn value(texts: &mut Texts, span: Span) -> Value {
    let text = texts.bytes(span);
    match text.first() {
        Some(b'{') => Value::Object(span.with(Facts::UNKNOWN)),
        Some(b'[') => Value::List(span.with(Facts::UNKNOWN)),
        Some(b'"') => Value::Text(string(texts, span.part(1, text.len().saturating_sub(2)))),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') | None => Value::Null,
        Some(_) => number(text).unwrap_or(Value::Number(span.with(Facts::UNKNOWN))),
    }
}

/// The text of a validated JSON string, given without its quotes.
pub fn string(texts: &mut Texts, inner: Span) -> Span {
    let text = texts.bytes(inner);
    if memchr::memchr(b'\\', text).is_none() {
        return inner.with(Facts::PLAIN);
    }
    let quoted = [b"\"", text, b"\""].concat();
    let plain: String = serde_json::from_slice(&quoted).unwrap_or_default();
    texts.push(plain.as_bytes())
}

/// A JSON number that fits `i64`, or `f64` where it has a fraction or exponent.
pub fn number(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(int) = text.parse() {
        return Some(Value::Int(int));
    }
    if !text.contains(['.', 'e', 'E']) {
        return None;
    }
    text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float)
}

/// Spreads the members of a validated object over the named fields below `slot` and the remainder.
pub(super) fn take_apart(row: &mut Row, slot: Slot, object: Span) {
    for (key, range) in members(row.texts.bytes(object)) {
        let key = string(&mut row.texts, object.part(key.start, key.len()));
        let value = value(&mut row.texts, object.part(range.start, range.len()));
        put(row, slot, key, value);
    }
}

/// Puts a value at a key (with dots, a path) below a named object.
pub(super) fn put(row: &mut Row, parent: Slot, key: Span, value: Value) {
    let bytes = row.texts.bytes(key);
    let head = dot(bytes).unwrap_or(bytes.len());
    let more = head < bytes.len();
    match row.layout().child(parent, &bytes[..head]) {
        Some(child) if more => put(row, child, key.part(head + 1, usize::MAX), value),
        Some(child) => match value {
            Value::Object(span) if row.layout().has_children(child) => take_apart(row, child, span),
            _ => row.set(child, value),
        },
        None => row.add(parent, key, value),
    }
}

/// Where the first dot of a key is. Keys are short, and a search by vectors is a call.
#[inline]
pub(super) fn dot(key: &[u8]) -> Option<usize> {
    const SHORT: usize = 16;
    if key.len() <= SHORT { key.iter().position(|&byte| byte == b'.') } else { memchr::memchr(b'.', key) }
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// One past the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// One past the end of the value that starts at `at`.
fn value_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => string_end(bytes, at),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (at, 0usize);
            while let Some(&byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(bytes, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            at
        }
        _ => {
            let rest = bytes.get(at..).unwrap_or(&[]);
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
            at + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{LayoutBuilder, write_object};
    use super::*;

    fn row(paths: &[&str]) -> Row {
        let mut builder = LayoutBuilder::default();
        for path in paths {
            builder.add(path);
        }
        Row::new(Arc::new(builder.build()), Arc::default())
    }

    /// What is taken apart and written again is the same event, whichever paths are named.
    #[test]
    fn an_object_survives_being_taken_apart() {
        let text =
            r#"{"a":{"b":1,"c":{"d":[1,{"x":null}],"e":"q\"\n"}},"f":2.5,"g":true,"h":99999999999999999999}"#;
        for paths in [&[][..], &["a"], &["a.b"], &["a.c.d", "f"], &["a.c", "a.c.e", "h", "nope.nope"]] {
            let mut row = row(paths);
            let span = row.texts.push(text.as_bytes());
            row.write(0, Value::Object(span));
            let mut out = Vec::new();
            write_object(&row, &mut out);
            let (wrote, meant): (serde_json::Value, serde_json::Value) =
                (serde_json::from_slice(&out).expect("json"), serde_json::from_str(text).expect("json"));
            assert_eq!(wrote, meant, "{paths:?}");
        }
    }

    #[test]
    fn dotted_and_nested_spellings_are_one_path() {
        let text = r#"{"a.b":1,"x.y.z":2,"x":{"w":3},"x.v":4,"s":5,"s.t":6}"#;
        let expected = r#"{"a":{"b":1},"x":{"y":{"z":2},"w":3,"v":4},"s":{"_value":5,"t":6}}"#;
        for paths in [&[][..], &["a.b"], &["x.y"], &["s.t"]] {
            let mut row = row(paths);
            let span = row.texts.push(text.as_bytes());
            row.write(0, Value::Object(span));
            let mut out = Vec::new();
            write_object(&row, &mut out);
            let (wrote, meant): (serde_json::Value, serde_json::Value) =
                (serde_json::from_slice(&out).expect("json"), serde_json::from_str(expected).expect("json"));
            assert_eq!(wrote, meant, "{paths:?}");
        }
    }

    /// Dots go as deep as JSON does; a key of a million of them is no reason to run out of stack.
    #[test]
    fn dots_go_only_so_deep() {
        let key = vec!["a"; 1_000_000].join(".");
        let mut row = row(&[]);
        let span = row.texts.push(format!("{{\"{key}\":1}}").as_bytes());
        row.write(0, Value::Object(span));
        let mut out = Vec::new();
        write_object(&row, &mut out);
        let depth = out.iter().filter(|&&byte| byte == b'{').count();
        assert_eq!(depth, crate::limits::JSON_DEPTH_MAX + 1);
    }

    #[test]
    fn an_object_of_named_fields_is_read_as_json() {
        let mut row = row(&["http.status", "http.method", "n"]);
        row.set(row.layout().slot("http.status").expect("named"), Value::Int(200));
        let http = row.layout().slot("http").expect("named");
        let Some(Value::Object(span)) = row.read(http) else { panic!("an object") };
        assert_eq!(row.texts.bytes(span), br#"{"status":200}"#);
        assert!(row.remove(http));
        assert!(!row.has(http));
        assert_eq!(row.read(row.layout().slot("n").expect("named")), None);
    }
}
