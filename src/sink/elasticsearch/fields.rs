//! The fields that pipelines send to a sink, with what Elasticsearch calls their types.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::signature::Type;
use crate::sink::Shape;

/// Fields by path, with the types that pipelines know for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) BTreeMap<String, Vec<Type>>);

impl Fields {
    /// Adds the fields of a pipeline.
    pub(super) fn add(&mut self, shape: &Shape) {
        for slot in 1..shape.layout.len() as u16 {
            if !shape.sent.contains(slot) || shape.layout.has_children(slot) {
                continue;
            }
            let ty = shape.types.get(usize::from(slot)).copied().unwrap_or(Type::Any);
            let known = self.0.entry(shape.layout.path(slot).to_owned()).or_default();
            if !known.contains(&ty) {
                known.push(ty);
            }
        }
    }

    /// The mapping's `properties`; fields whose type only the data knows are left to the cluster. Also says which
    /// fields have types that do not go together.
    pub(super) fn properties(&self) -> (Map<String, Value>, Vec<String>) {
        let (mut root, mut odd) = (Map::new(), Vec::new());
        for (path, types) in &self.0 {
            match kind(path, types) {
                Ok(Some(kind)) => {
                    if !put(&mut root, path, kind) {
                        odd.push(format!("`.{path}` is a value in one pipeline and holds fields in another"));
                    }
                }
                Ok(None) => {}
                Err(said) => odd.push(said),
            }
        }
        (root, odd)
    }
}

/// The mapping of a field. `None` where only the data knows.
fn kind(path: &str, types: &[Type]) -> Result<Option<Value>, String> {
    let is = |all: &[Type]| types.iter().all(|ty| all.contains(ty));
    let text = || {
        Some(match path {
            "message" => json!({"type": "text"}),
            // Kept to be read, not to be searched (ECS, "event.original").
            "event.original" => json!({"type": "keyword", "index": false, "doc_values": false}),
            _ => json!({"type": "keyword", "ignore_above": 1024}),
        })
    };
    Ok(if types.contains(&Type::Any) || types.contains(&Type::List) {
        None
    } else if is(&[Type::Object]) {
        Some(json!({"type": "object"}))
    } else if types.contains(&Type::Object) {
        return Err(format!("`.{path}` is an object in one pipeline and a value in another"));
    } else if is(&[Type::Bool]) {
        Some(json!({"type": "boolean"}))
    } else if is(&[Type::Int, Type::Duration]) {
        Some(json!({"type": "long"}))
    } else if is(&[Type::Int, Type::Float, Type::Duration]) {
        Some(json!({"type": "double"}))
    } else if is(&[Type::Timestamp]) {
        Some(json!({"type": "date"}))
    } else if is(&[Type::Ip]) {
        Some(json!({"type": "ip"}))
    } else {
        text()
    })
}

/// Puts a field below its objects. False where one of them is a value already, or where it is one itself.
fn put(root: &mut Map<String, Value>, path: &str, kind: Value) -> bool {
    let mut keys = path.split('.').peekable();
    let mut at = root;
    while let Some(key) = keys.next() {
        if keys.peek().is_none() {
            return at.insert(key.to_owned(), kind).is_none();
        }
        let below = at.entry(key).or_insert_with(|| json!({"properties": {}}));
        match below.get_mut("properties").and_then(Value::as_object_mut) {
            Some(properties) => at = properties,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_go_together_share_a_mapping() {
        let mut fields = Fields::default();
        for (path, types) in [
            ("@timestamp", &[Type::Timestamp][..]),
            ("message", &[Type::Text]),
            ("http.response.bytes", &[Type::Int]),
            ("http.time", &[Type::Int, Type::Float]),
            ("http.user", &[Type::Text, Type::Int]),
            ("source.ip", &[Type::Ip]),
            ("labels", &[Type::Any]),
            ("odd", &[Type::Object, Type::Int]),
        ] {
            fields.0.insert(path.to_owned(), types.to_vec());
        }
        let (properties, odd) = fields.properties();
        let expected = json!({
            "@timestamp": {"type": "date"},
            "message": {"type": "text"},
            "http": {"properties": {
                "response": {"properties": {"bytes": {"type": "long"}}},
                "time": {"type": "double"},
                "user": {"type": "keyword", "ignore_above": 1024},
            }},
            "source": {"properties": {"ip": {"type": "ip"}}},
        });
        assert_eq!(Value::Object(properties), expected);
        assert_eq!(odd, ["`.odd` is an object in one pipeline and a value in another"]);
    }
}
