//! Agreement with `serde_json`, whichever paths are named.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Tree;

use super::*;
use crate::event::{LayoutBuilder, Options, Row, write_object};
use crate::format::{Reference, commit};

fn written(paths: &[&str], text: &[u8]) -> Result<Vec<u8>, Mismatch> {
    let mut builder = LayoutBuilder::default();
    for path in paths {
        builder.add(path);
    }
    let layout = Arc::new(builder.build());
    let options = Options::default();
    let bind = Bind {
        layout: &layout,
        prefix: "",
        options: &options,
        constants: &mut Vec::new(),
        reference: Reference::default(),
        wanted: crate::event::Mask::ALL,
    };
    let json = Json::new(&bind).expect("the root is there");
    let mut row = Row::new(layout, Arc::default());
    let span = row.texts.push(text);
    let mut fields = Fields::new();
    json.parse(span, &mut row.texts, &mut fields)?;
    commit(&mut row, &mut fields);
    let mut out = Vec::new();
    write_object(&row, &mut out);
    Ok(out)
}

fn parse(paths: &[&str], text: &[u8]) -> Result<Tree, Mismatch> {
    let out = written(paths, text)?;
    Ok(serde_json::from_slice(&out)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out))))
}

#[test]
fn equal_keys_count_once_and_the_last_one_does() {
    let text =
        br#"{"a":1,"b":{"c":1,"c":2,"\u0063":3},"a":{"x":1},"d":[{"e":1,"e":2}],"a":{"y":2},"b":{"z":0}}"#;
    let meant: Tree = serde_json::from_str(r#"{"a":{"y":2},"b":{"z":0},"d":[{"e":2}]}"#).expect("json");
    for paths in [&[][..], &["a"], &["a.x"], &["b.c", "a.x.q"], &["d"]] {
        assert_eq!(parse(paths, text).expect("json"), meant, "{paths:?}");
    }
}

#[test]
fn a_line_feed_never_stays_within_a_value() {
    let text = b"{\"a\": {\"b\":\n [1,\n 2 ]}, \"c\": [\n]}";
    assert_eq!(parse(&["a"], text).expect("json"), serde_json::json!({"a": {"b": [1, 2]}, "c": []}));
}

#[test]
fn numbers_beyond_i64_and_f64_keep_their_text() {
    let text =
        br#"{"a":99999999999999999999,"b":1e999,"c":-9223372036854775808,"d":-0,"e":9223372036854775807}"#;
    let out = written(&["a"], text).expect("json");
    let expected =
        br#"{"a":99999999999999999999,"b":1e999,"c":-9223372036854775808,"d":-0.0,"e":9223372036854775807}"#;
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected));
}

#[test]
fn depth_is_bounded() {
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&[], deep(crate::limits::JSON_DEPTH_MAX - 2).as_bytes()).is_ok());
    assert!(parse(&[], deep(crate::limits::JSON_DEPTH_MAX + 1).as_bytes()).is_err());
    assert!(parse(&[], deep(500_000).as_bytes()).is_err());
}

/// JSON trees whose keys hold no dot and are not empty, since those have a meaning of their own.
fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        // Eighths, since `serde_json` reads other fractions inexactly.
        any::<i32>().prop_map(|eighths| Tree::from(f64::from(eighths) / 8.0)),
        "[ -~\\n\\t\\u{e9}\\u{1f600}]{0,12}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::from),
            prop::collection::btree_map("[a-e]{1,2}|\"|\\\\|\\u{e9}", inner, 0..5)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whichever paths the pipeline names, the event is the value that the text has.
    #[test]
    fn the_event_is_the_value(members in prop::collection::btree_map("[a-e]{1,2}", trees(), 0..6), pretty: bool) {
        let tree = Tree::Object(members.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.expect("json");
        for paths in [&[][..], &["a", "b.c", "d.e.a"]] {
            let mut parsed = parse(paths, text.as_bytes()).expect("json");
            // A named object without members is no field; see `Row`.
            prune(&mut parsed);
            let mut meant = tree.clone();
            prune(&mut meant);
            prop_assert_eq!(parsed, meant);
        }
    }

    /// What `serde_json` refuses is refused, and what it takes is taken.
    #[test]
    fn refusals_agree(mut text in trees().prop_map(|tree| format!("{{\"k\":{tree}}}").into_bytes()), at: prop::sample::Index, byte: u8) {
        let at = at.index(text.len());
        text[at] = byte;
        let meant: Result<std::collections::BTreeMap<String, Tree>, _> = serde_json::from_slice(&text);
        // It refuses numbers beyond `f64` at once, which are kept here, whatever stands behind them.
        let too_large = meant.as_ref().is_err_and(|error| error.to_string().contains("number out of range"));
        prop_assume!(!too_large);
        prop_assert_eq!(written(&[], &text).is_ok(), meant.is_ok(), "{}", String::from_utf8_lossy(&text));
    }
}

/// Takes empty objects out, at the top and below named ones.
fn prune(tree: &mut Tree) {
    if let Tree::Object(members) = tree {
        members.values_mut().for_each(prune);
        members.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
    }
}
