//! The examples of every rule, and properties.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Texts of a rule: those it finds something in, with the range, and near misses.
#[derive(Default)]
struct Examples {
    positive: Vec<(Vec<u8>, Range<usize>)>,
    near: Vec<Vec<u8>>,
}

fn examples() -> BTreeMap<String, Examples> {
    let mut all: BTreeMap<String, Examples> = BTreeMap::new();
    let mut name = String::new();
    for line in include_str!("examples.txt").lines() {
        let Some((sign, rest)) = line.split_once(' ') else { continue };
        let text = rest.replace('^', "");
        let of = all.entry(name.clone()).or_default();
        match sign {
            "=" => name = rest.to_owned(),
            "-" => of.near.push(text.into_bytes()),
            "+" => {
                let (before, rest) = text.split_once('«').expect("a mark");
                let (inside, after) = rest.split_once('»').expect("a mark");
                let range = before.len()..before.len() + inside.len();
                of.positive.push((format!("{before}{inside}{after}").into_bytes(), range));
            }
            _ => {}
        }
    }
    all.remove("");
    all
}

fn finder(classes: &[Class]) -> Finder {
    Finder::new(classes.iter().copied().collect()).expect("a finder")
}

fn found(finder: &Finder, text: &[u8]) -> Vec<(&'static str, Range<usize>)> {
    let mut found = Vec::new();
    finder.find(text, &mut found);
    found.into_iter().map(|found| (found.rule.name, found.range)).collect()
}

#[test]
fn every_rule_finds_its_examples_and_no_near_miss() {
    let examples = examples();
    let mut wrong = Vec::new();
    for rule in RULES {
        let Some(of) = examples.get(rule.name) else {
            wrong.push(format!("{}: no examples", rule.name));
            continue;
        };
        let finder = finder(&[rule.class]);
        if of.positive.len() < 5 || of.near.len() < 5 {
            wrong.push(format!("{}: fewer than five examples or near misses", rule.name));
        }
        for (text, range) in &of.positive {
            let all = found(&finder, text);
            // A header is both.
            let header = |name: &str| name.starts_with("http.") || name == "assignment";
            let other = |name: &str| name != rule.name && !(header(rule.name) && header(name));
            if all.len() != 1 || all[0].1 != *range || other(all[0].0) {
                let shown: Vec<_> = all
                    .iter()
                    .map(|(name, range)| (name, String::from_utf8_lossy(&text[range.clone()])))
                    .collect();
                wrong.push(format!("{}: {}\n      {shown:?}", rule.name, String::from_utf8_lossy(text)));
            }
        }
        for text in &of.near {
            let all = found(&finder, text);
            if !all.is_empty() {
                wrong.push(format!("{}, near: {}\n      {all:?}", rule.name, String::from_utf8_lossy(text)));
            }
        }
    }
    assert_eq!(examples.len(), RULES.len(), "examples of a rule that there is not");
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_are_unique_and_say_what_they_find() {
    let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
    assert!(RULES.iter().all(|rule| !rule.what.is_empty() && (1..=100).contains(&rule.confidence)));
}

/// A text of nothing but what a rule begins with takes time in proportion to its length.
#[test]
fn hostile_texts_are_no_slower_than_others() {
    let finder = finder(&Class::ALL);
    for rule in RULES {
        for anchor in rule.anchors {
            let text = format!("{anchor}a1 ").repeat(20_000 / anchor.len());
            let _ = found(&finder, text.as_bytes());
        }
    }
    for unit in [
        "eyJ.",
        "a@b.de",
        "@",
        "%40",
        "password=",
        "password:\"",
        "1 ",
        "+1",
        "4111 ",
        "::",
        "DE44",
        "-----BEGIN RSA PRIVATE KEY-----",
    ] {
        let text = unit.repeat(60_000 / unit.len());
        let all = found(&finder, text.as_bytes());
        assert!(all.len() <= crate::limits::SENSITIVE_FOUND_MAX, "{unit}");
    }
}

proptest! {
    /// Whatever the text is, finds are in order, apart, and within it; and what was replaced holds nothing of the kind.
    #[test]
    fn finds_are_in_order(parts in prop::collection::vec(prop_oneof![
        "[ -~]{0,12}",
        Just("password=hunter2".to_owned()),
        Just("ann@example.org".to_owned()),
        Just("4111 1111 1111 1111".to_owned()),
        Just("https://a:b1c2@host/".to_owned()),
        Just("\\n".to_owned()),
        "[\\x00-\\x{ff}]{0,4}",
    ], 0..8)) {
        let text = parts.concat().into_bytes();
        let finder = finder(&Class::ALL);
        let all = found(&finder, &text);
        let mut at = 0;
        for (_, range) in &all {
            prop_assert!(range.start >= at && range.end > range.start && range.end <= text.len());
            at = range.end;
        }
        let redactor = Redactor { finder, policy: Policy::Mask };
        let once = redactor.text(&text).into_owned();
        let again = found(&redactor.finder, &once);
        prop_assert!(again.is_empty(), "{:?}: {again:?}", String::from_utf8_lossy(&once));
    }
}
