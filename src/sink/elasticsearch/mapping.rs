//! The live mapping of a data stream: which fields of what pipelines send it cannot take.
//!
//! Two ways to find out. By types, before the first row is sent: a field whose type the compiler knows, and whose
//! mapping can take no value of that type. And by what Elasticsearch says of a row that it refused: a text where it
//! wants a number is only seen by its value. Either way the field is *suspected* from then on: rows that carry it are
//! looked at, and it is set aside where its value does not fit.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Fields;
use crate::signature::Type;

/// Types of mapped fields by path, as Elasticsearch calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mapping(BTreeMap<String, String>);

impl Mapping {
    /// From the answer to `GET INDEX/_mapping`, or to the simulation of an index template.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let mappings = match answer.get("template") {
            Some(template) => template.get("mappings")?,
            // The newest where there are several: they come in the order of their numbers.
            None => answer.as_object()?.values().next_back()?.get("mappings")?,
        };
        let mut types = BTreeMap::new();
        collect(mappings, "", &mut types);
        Some(Self(types))
    }

    /// The type of a field.
    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Fields of which no value that pipelines send can fit, with the type that they are mapped to.
    pub(super) fn conflicts(&self, fields: &Fields) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (path, types) in &fields.0 {
            // A value above it: then all that is below the value does not fit.
            let above = path.match_indices('.').filter_map(|(at, _)| path.get(..at));
            let blocked =
                above.filter_map(|above| Some((above, self.get(above)?))).find(|(_, ty)| !fits(ty, "{}"));
            if let Some((above, ty)) = blocked {
                found.insert(above.to_owned(), ty.to_owned());
            } else if let Some(ty) = self.get(path)
                && types.iter().any(|sent| never_fits(ty, *sent))
            {
                found.insert(path.clone(), ty.to_owned());
            }
        }
        found
    }
}

fn collect(mapping: &Value, at: &str, types: &mut BTreeMap<String, String>) {
    let Some(properties) = mapping.get("properties").and_then(Value::as_object) else { return };
    for (key, field) in properties {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        let ty = field.get("type").and_then(Value::as_str).unwrap_or("object");
        let lenient = field.get("ignore_malformed").is_some_and(|is| is == true || is == "true");
        let ty = match ty {
            _ if lenient => "lenient",
            "date" | "date_nanos" if field.get("format").is_some() => "date with a format of its own",
            ty => ty,
        };
        types.insert(path.clone(), ty.to_owned());
        // What is below a value are other ways to index the same one.
        if matches!(ty, "object" | "nested") {
            collect(field, &path, types);
        }
    }
}

/// Whether a mapped type takes no value of a type.
fn never_fits(ty: &str, sent: Type) -> bool {
    let sample = match sent {
        Type::Bool => "true",
        Type::Int | Type::Duration => "1",
        Type::Float => "1.5",
        Type::Timestamp => "\"2000-01-01T00:00:00.000Z\"",
        Type::Ip => "\"192.0.2.1\"",
        Type::Object => "{}",
        // Depends on the text; no text is an object.
        Type::Text => return matches!(ty, "object" | "nested" | "flattened" | "alias"),
        Type::List | Type::Any => return false,
    };
    !fits(ty, sample)
}

/// Whether a value, as JSON, fits a mapped type, as far as can be said; else it does.
pub(super) fn fits(ty: &str, value: &str) -> bool {
    let bytes = value.as_bytes();
    let Some(first) = bytes.first() else { return true };
    match first {
        b'n' => return true,
        b'[' => {
            let all: Result<Vec<&RawValue>, _> = serde_json::from_str(value);
            return all.is_ok_and(|all| all.iter().all(|one| fits(ty, one.get())));
        }
        _ => {}
    }
    let (is_text, is_object, is_bool) = (*first == b'"', *first == b'{', matches!(first, b't' | b'f'));
    let is_number = !is_text && !is_object && !is_bool;
    let text = || value.trim_matches('"').trim();
    match ty {
        "long" | "integer" | "short" | "byte" | "unsigned_long" | "double" | "float" | "half_float"
        | "scaled_float" => is_number || (is_text && (text().is_empty() || text().parse::<f64>().is_ok())),
        "boolean" => is_bool || (is_text && matches!(text(), "true" | "false" | "")),
        "ip" => is_text && text().parse::<std::net::IpAddr>().is_ok(),
        "date" | "date_nanos" => {
            is_number
                || (is_text && text().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')))
        }
        "date with a format of its own" => is_number || is_text,
        "object" | "nested" | "flattened" => is_object,
        "keyword" | "constant_keyword" | "wildcard" | "text" | "match_only_text" | "version"
        | "search_as_you_type" => !is_object,
        // Lucene, `IndexWriter.MAX_TERM_LENGTH`.
        IMMENSE => bytes.len() <= 32_766,
        "alias" | UNMAPPED => false,
        _ => true,
    }
}

/// Stands for the type of a field that a strict mapping does not have.
const UNMAPPED: &str = "a strict mapping without it";
/// Stands for the type of a field that takes no text as long as that.
const IMMENSE: &str = "keyword with a bound on its length";

/// The field that a refused row was refused for, and the type that it is mapped to, if the reason says so.
pub(super) fn offender(reason: &str) -> Option<(String, Option<String>)> {
    let between = |start: &str, end: &str| {
        let (_, rest) = reason.split_once(start)?;
        let (found, _) = rest.split_once(end)?;
        (!found.is_empty()).then(|| found.to_owned())
    };
    let field = |path: Option<String>, ty: Option<String>| path.map(|path| (path, ty));
    // Elasticsearch, `DocumentParserContext`, `FieldMapper`, `ObjectMapper`; OpenSearch says the same.
    field(between("failed to parse field [", "]"), between("of type [", "]"))
        .or_else(|| field(between("tried to parse field [", "] as object"), Some("object".to_owned())))
        .or_else(|| field(between("mapper [", "] cannot be changed from type"), between("from type [", "]")))
        .or_else(|| field(between("Cannot write to a field alias [", "]"), Some("alias".to_owned())))
        .or_else(|| field(between("immense term in field=\"", "\""), Some(IMMENSE.to_owned())))
        .or_else(|| {
            let name = between("dynamic introduction of [", "]")?;
            let parent = between("within [", "]").filter(|parent| parent != "_doc");
            Some((
                parent.map_or_else(|| name.clone(), |parent| format!("{parent}.{name}")),
                Some(UNMAPPED.to_owned()),
            ))
        })
        .or_else(|| field(between("can't merge a non object mapping [", "]"), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reasons as Elasticsearch 8.19 gives them.
    #[test]
    fn the_offending_field_is_in_the_reason() {
        for (reason, path, ty) in [
            (
                "document_parsing_exception: [1:42] failed to parse field [n] of type [long] in document with id 'x'. Preview of field's value: 'abc'",
                "n",
                Some("long"),
            ),
            (
                "document_parsing_exception: [1:42] object mapping for [o] tried to parse field [o] as object, but found a concrete value",
                "o",
                Some("object"),
            ),
            (
                "illegal_argument_exception: mapper [a.b] cannot be changed from type [long] to [keyword]",
                "a.b",
                Some("long"),
            ),
            (
                "illegal_argument_exception: can't merge a non object mapping [a] with an object mapping",
                "a",
                None,
            ),
            (
                "strict_dynamic_mapping_exception: [1:42] mapping set to strict, dynamic introduction of [a] within [_doc] is not allowed",
                "a",
                Some(UNMAPPED),
            ),
            (
                "strict_dynamic_mapping_exception: [1:42] mapping set to strict, dynamic introduction of [c] within [a.b] is not allowed",
                "a.b.c",
                Some(UNMAPPED),
            ),
        ] {
            assert_eq!(offender(reason), Some((path.to_owned(), ty.map(str::to_owned))), "{reason}");
        }
        assert_eq!(
            offender("illegal_argument_exception: Limit of total fields [1000] has been exceeded"),
            None
        );
    }

    #[test]
    fn values_fit_or_do_not() {
        for (ty, good, bad) in [
            (
                "long",
                &["1", "-2.5", "\"12\"", "null", "[1,null]"][..],
                &["\"abc\"", "true", "{}", "[1,\"x\"]"][..],
            ),
            ("boolean", &["true", "\"false\""], &["1", "\"yes\"", "{}"]),
            ("ip", &["\"192.0.2.1\"", "\"::1\""], &["1", "\"web-0\"", "{}"]),
            ("date", &["\"2026-11-26\"", "1700000000000"], &["\"yesterday\"", "true", "{}"]),
            ("object", &["{}", "[{},{}]"], &["1", "\"x\"", "[1]"]),
            ("keyword", &["1", "\"x\"", "true", "[1,2]"], &["{\"a\":1}"]),
            ("geo_point", &["1", "{}"], &[]),
            ("lenient", &["\"abc\"", "{}"], &[]),
        ] {
            good.iter().for_each(|value| assert!(fits(ty, value), "{ty}: {value}"));
            bad.iter().for_each(|value| assert!(!fits(ty, value), "{ty}: {value}"));
        }
    }

    #[test]
    fn conflicts_are_predicted_from_types() {
        let body = br#"{".ds-x-1":{"mappings":{"properties":{
            "@timestamp":{"type":"date"},"n":{"type":"ip"},"ok":{"type":"long"},"service":{"type":"keyword"},
            "o":{"properties":{"p":{"type":"boolean"}}},"soft":{"type":"long","ignore_malformed":true},
            "t":{"type":"long"}}}}}"#;
        let mapping = Mapping::read(body).expect("a mapping");
        assert_eq!(mapping.get("o.p"), Some("boolean"));
        let mut fields = Fields::default();
        for (path, ty) in [
            ("@timestamp", Type::Timestamp),
            ("n", Type::Int),
            ("ok", Type::Float),
            ("service.name", Type::Text),
            ("service.version", Type::Text),
            ("o.p", Type::Timestamp),
            ("soft", Type::Bool),
            ("t", Type::Text),
            ("new", Type::Object),
        ] {
            fields.0.insert(path.to_owned(), vec![ty]);
        }
        let found: Vec<_> = mapping.conflicts(&fields).into_iter().collect();
        let expected = [("n", "ip"), ("o.p", "boolean"), ("service", "keyword")];
        assert_eq!(found, expected.map(|(path, ty)| (path.to_owned(), ty.to_owned())));
    }
}
