//! Planted secrets, wherever they stand and however they are written.

use proptest::prelude::*;

use super::super::Work;
use super::super::testing::{json, row, run};
use super::*;
use crate::sensitive::{Classes, Mac};

fn redact(classes: &[Class], policy: Policy) -> Redact {
    let classes: Classes = classes.iter().copied().collect();
    Redact { redactor: Arc::new(Redactor::new(classes, policy).expect("a redactor")), fields: Box::default() }
}

fn after(step: &Redact, paths: &[&str], event: &str) -> String {
    let mut event = row(paths, event);
    assert_eq!(run(step, &mut event, &mut Work::default()).0, Flow::Next);
    json(&event)
}

#[test]
fn what_one_field_shows_goes_from_all() {
    let step = redact(&Class::ALL, Policy::Mask);
    let event = r#"{"message":"POST /login?user=ann&password=p%40ss-w0rd 401","pw":"p@ss-w0rd","note":["x p@ss-w0rd y",{"p%40ss-w0rd":1}]}"#;
    let clean = after(&step, &["message", "pw"], event);
    assert!(!clean.contains("w0rd"), "{clean}");
    let short =
        after(&step, &["message"], r#"{"message":"password=1234 port=51234","pin":1234,"n":"a 1234"}"#);
    assert_eq!(
        short,
        r#"{"message":"password=[redacted:secret] port=51234","pin":0,"n":"a [redacted:secret]"}"#
    );
}

#[test]
fn names_tell_of_values() {
    let step = redact(&[Class::Secrets], Policy::Mask);
    let event = r#"{"db":{"password":"letmein","port":5432},"authorization":"Bearer abcdefgh12345678","token_type":"bearer","a":{"passwd":"x y z"}}"#;
    assert_eq!(
        after(&step, &["db.password", "db.port"], event),
        r#"{"db":{"password":"[redacted:secret]","port":5432},"authorization":"[redacted:secret]","token_type":"bearer","a":{"passwd":"[redacted:secret]"}}"#
    );
}

#[test]
fn types_stay() {
    let step = redact(&[Class::Card, Class::Ip], Policy::Mask);
    let mut event = row(&["source.ip", "card"], r#"{"card":4111111111111111,"x":{"c":[4111111111111111]}}"#);
    let ip = event.texts.push(b"192.0.2.7");
    let slot = event.layout().slot("source.ip").expect("named");
    event.set(slot, Value::Ip(ip));
    run(&step, &mut event, &mut Work::default());
    assert_eq!(json(&event), r#"{"card":0,"source":{"ip":"::"},"x":{"c":[0]}}"#);
    assert!(matches!(event.get(slot), Some(Value::Ip(_))));
}

#[test]
fn policies() {
    let event = r#"{"a":"ann@example.org","b":"to bob@example.net or ann@example.org","c":{"d":["x","ann@example.org"]}}"#;
    let numbered = after(&redact(&[Class::Email], Policy::Tokenise), &["a"], event);
    assert_eq!(
        numbered,
        r#"{"a":"[redacted:email-1]","b":"to [redacted:email-2] or [redacted:email-1]","c":{"d":["x","[redacted:email-1]"]}}"#
    );
    assert_eq!(after(&redact(&[Class::Email], Policy::Drop), &["a"], event), r#"{"c":{"d":["x"]}}"#);
    let hash = |key: &[u8]| after(&redact(&[Class::Email], Policy::Hash(Mac::new(key))), &["a"], event);
    let (one, other) = (hash(b"one key of sixteen"), hash(b"another key of them"));
    assert_eq!(one, hash(b"one key of sixteen"));
    assert_ne!(one, other);
    assert!(one.starts_with(r#"{"a":"[redacted:email:"#) && !one.contains("ann@"));
}

#[test]
fn keys_stay_apart() {
    let step = redact(&[Class::Email], Policy::Mask);
    let clean = after(
        &step,
        &["z"],
        r#"{"ann@example.org":1,"bob@example.net":2,"x":{"ann@example.org":3,"bob@example.net":4}}"#,
    );
    let read: serde_json::Value = serde_json::from_str(&clean).expect("JSON");
    assert_eq!(read.as_object().map(serde_json::Map::len), Some(3), "{clean}");
    assert!(!clean.contains("ann") && !clean.contains("bob"), "{clean}");
}

#[test]
fn a_clean_event_is_not_touched() {
    let step = redact(&Class::ALL, Policy::Drop);
    for event in [r#"{"message":"GET /index.html 200 12","n":12345,"o":{"a":["b\n\"c\""],"d":null}}"#, "{}"] {
        assert_eq!(after(&step, &["message"], event), event);
    }
}

/// Texts as an event may hold them; each with the secret in it.
fn secrets() -> impl Strategy<Value = (String, String)> {
    let random = "[a-z][A-Z][0-9][a-zA-Z0-9]{17}[0-9]";
    prop_oneof![
        random.prop_map(|secret| (format!("api_key={secret}"), secret)),
        random.prop_map(|secret| (format!("Authorization: Bearer {secret}"), secret)),
        random.prop_map(|secret| (format!("https://ann:{secret}@example.org/x"), secret)),
        random.prop_map(|secret| (format!("password='{secret}'"), secret)),
        "[a-z]{9}[0-9]{3}"
            .prop_map(|name| format!("{name}@example.org"))
            .prop_map(|mail| (mail.clone(), mail)),
        "AKIA[A-Z2-7]{16}".prop_map(|key| (key.clone(), key)),
        Just(("4242 4242 4242 4242".to_owned(), "4242 4242 4242 4242".to_owned())),
        "[a-z]{4}[a-z0-9]{8}[0-9]".prop_map(|secret| (format!("password=\\\"{secret}\\\""), secret)),
    ]
}

proptest! {
    /// However a secret comes into an event, no stretch of it is left in what is sent.
    #[test]
    fn nothing_of_a_secret_survives(
        planted in prop::collection::vec((secrets(), 0..6usize, "[ -~]{0,10}"), 1..4),
        policy in 0..4usize,
    ) {
        let policy = match policy {
            0 => Policy::Mask,
            1 => Policy::Drop,
            2 => Policy::Tokenise,
            _ => Policy::Hash(Mac::new(b"a key of sixteen bytes")),
        };
        let step = redact(&Class::ALL, policy);
        let mut event = serde_json::Map::new();
        for (number, ((text, inner), place, around)) in planted.iter().enumerate() {
            let text = format!("{around} {text} {around}");
            let value = match place {
                0 => serde_json::json!(text),
                1 => serde_json::json!([1, { "deep": [text, inner] }]),
                2 => serde_json::json!({ text.replace('.', "-"): 1, "again": text }),
                3 => serde_json::json!({ "line": serde_json::json!({ "log": text }).to_string() }),
                4 => serde_json::json!(format!("first\n{text}\nlast {inner}")),
                _ => serde_json::json!({ "a": { "b": format!("{text}\t\\"), "copy": inner } }),
            };
            event.insert(format!("f{number}"), value);
        }
        let clean = after(&step, &["f0", "f1.a.b"], &serde_json::Value::Object(event).to_string());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&clean).is_ok(), "{clean}");
        for ((text, inner), place, _) in &planted {
            // A key is cut at its dots, and an address there is none.
            if *place == 2 && text.contains('.') {
                continue;
            }
            prop_assert!(!clean.contains(inner.as_str()), "{inner} of {text} in {clean}");
        }
    }
}
