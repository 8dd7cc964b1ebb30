//! Steps over events: what is in, what comes out. The examples of the signatures run through the language.

use super::testing::{json, row, run};
use super::*;
use crate::event::{Layout, Slot};
use crate::expr::{Constant, Expr, Operator};

const PATHS: &[&str] = &["a", "b", "c", "n.x", "n.y", "out"];

fn slot(layout: &Layout, path: &str) -> Slot {
    layout.slot(path).expect("named")
}

/// The event after a step made for its layout, and where it went.
fn after(event: &str, step: impl FnOnce(&Layout) -> Box<dyn Step>) -> (Flow, String) {
    let mut row = row(PATHS, event);
    let step = step(&row.layout().clone());
    let flow = run(&*step, &mut row, &mut Work::default()).0;
    (flow, json(&row))
}

fn set(event: &str, fields: impl FnOnce(&Layout) -> Vec<(Slot, Expr)>) -> String {
    after(event, |layout| Box::new(Set { fields: fields(layout).into() })).1
}

fn field(layout: &Layout, path: &str) -> Expr {
    Expr::Field(slot(layout, path))
}

fn is(layout: &Layout, path: &str, int: i64) -> Expr {
    Expr::Compare(Operator::Equal, Box::new([field(layout, path), Expr::Constant(Value::Int(int))]))
}

#[test]
fn set_reads_all_before_it_writes() {
    let swapped =
        set(r#"{"a":1,"b":2}"#, |of| vec![(slot(of, "a"), field(of, "b")), (slot(of, "b"), field(of, "a"))]);
    assert_eq!(swapped, r#"{"a":2,"b":1}"#);
}

#[test]
fn a_value_that_cannot_be_had_leaves_the_field_and_missing_removes_it() {
    let overflow = |of: &Layout| {
        let most = Expr::Constant(Value::Int(i64::MAX));
        Expr::Arithmetic(Operator::Add, Box::new([field(of, "a"), most]))
    };
    assert_eq!(set(r#"{"a":1,"b":2}"#, |of| vec![(slot(of, "b"), overflow(of))]), r#"{"a":1,"b":2}"#);
    assert_eq!(set(r#"{"a":1,"b":2}"#, |of| vec![(slot(of, "b"), Expr::Missing)]), r#"{"a":1}"#);
    assert_eq!(set(r#"{"a":1}"#, |of| vec![(slot(of, "b"), field(of, "c"))]), r#"{"a":1}"#);
}

#[test]
fn objects_are_taken_apart_and_the_event_stays_an_object() {
    let moved = set(r#"{"n":{"x":1,"z":2}}"#, |of| vec![(slot(of, "out"), field(of, "n"))]);
    assert_eq!(moved, r#"{"n":{"x":1,"z":2},"out":{"x":1,"z":2}}"#);
    let replaced = set(r#"{"n":{"x":1,"z":2},"b":3}"#, |of| vec![(0, field(of, "n"))]);
    assert_eq!(replaced, r#"{"x":1,"z":2}"#);
    assert_eq!(set(r#"{"b":3}"#, |of| vec![(0, field(of, "b"))]), r#"{"b":3}"#);
}

#[test]
fn rename_moves_whole_objects_also_into_themselves() {
    let rename = |event: &str, pairs: &[(&str, &str)]| {
        after(event, |of| {
            Box::new(Rename {
                fields: pairs.iter().map(|(from, to)| (slot(of, from), slot(of, to))).collect(),
            })
        })
        .1
    };
    assert_eq!(rename(r#"{"n":{"x":1,"z":2}}"#, &[("n", "b")]), r#"{"b":{"x":1,"z":2}}"#);
    assert_eq!(rename(r#"{"n":{"x":1,"z":2}}"#, &[("n", "n.y")]), r#"{"n":{"y":{"x":1,"z":2}}}"#);
    assert_eq!(rename(r#"{"n":{"x":1,"z":2}}"#, &[("n.x", "n")]), r#"{"n":1}"#);
    assert_eq!(rename(r#"{"a":1,"b":2}"#, &[("a", "b"), ("b", "a"), ("c", "n.x")]), r#"{"a":2,"b":1}"#);
}

#[test]
fn keep_and_remove_take_what_is_below() {
    let event = r#"{"a":1,"n":{"x":1,"z":2},"odd":3}"#;
    let keep = |paths: &[&str]| {
        after(event, |of| {
            Box::new(Keep::new(of, &paths.iter().map(|path| slot(of, path)).collect::<Vec<_>>()))
        })
        .1
    };
    assert_eq!(keep(&["n"]), r#"{"n":{"x":1,"z":2}}"#);
    assert_eq!(keep(&["n.x", "a"]), r#"{"a":1,"n":{"x":1}}"#);
    assert_eq!(keep(&["b"]), "{}");
    let remove = after(event, |of| Box::new(Remove { fields: [slot(of, "n"), slot(of, "c")].into() }));
    assert_eq!(remove.1, r#"{"a":1,"odd":3}"#);
}

#[test]
fn conditions_decide_where_an_event_goes() {
    let end = |event: &str| after(event, |of| Box::new(Drop { reason: 3, when: Some(is(of, "a", 1)) })).0;
    assert_eq!(end(r#"{"a":1}"#), Flow::Drop(3));
    assert_eq!(end(r#"{"a":1.0}"#), Flow::Drop(3));
    assert_eq!(end(r#"{"a":2}"#), Flow::Next);
    assert_eq!(end("{}"), Flow::Next);
    assert_eq!(after("{}", |_| Box::new(Reject { reason: 1, when: None })).0, Flow::Reject(1));
    let branch = |event: &str| {
        let ends = |reason| Block(vec![Box::new(Drop { reason, when: None }) as _]);
        after(event, |of| Box::new(When { condition: is(of, "a", 1), then: ends(1), otherwise: ends(2) })).0
    };
    assert_eq!((branch(r#"{"a":1}"#), branch("{}")), (Flow::Drop(1), Flow::Drop(2)));
}

#[test]
fn match_takes_the_first_arm_that_fits() {
    let end = |event: &str| {
        let ends = |reason| Block(vec![Box::new(Drop { reason, when: None }) as _]);
        let text = |text: &str| Constant::Text(text.into());
        let arms = vec![
            (vec![text("x"), Constant::Int(1)], ends(0)),
            (vec![Constant::Float(1.0), Constant::Null, Constant::Float(2.5)], ends(1)),
            (vec![text("x"), Constant::Bool(true)], ends(2)),
        ];
        after(event, |of| Box::new(Match::new(field(of, "a"), arms, ends(9)))).0
    };
    let table = [
        (r#"{"a":"x"}"#, 0),
        (r#"{"a":1}"#, 0),
        (r#"{"a":1.0}"#, 0),
        (r#"{"a":2.5}"#, 1),
        (r#"{"a":null}"#, 1),
        (r#"{"a":true}"#, 2),
        (r#"{"a":"y"}"#, 9),
        (r#"{"a":{"b":1}}"#, 9),
        ("{}", 9),
    ];
    for (event, arm) in table {
        assert_eq!(end(event), Flow::Drop(arm), "{event}");
    }
}

#[test]
fn to_sends_the_event_as_it_is_there() {
    let mut event = row(PATHS, r#"{"a":1,"b":2}"#);
    let removed = [slot(event.layout(), "b")].into();
    let steps = Block(vec![
        Box::new(To { sinks: [0, 2].into() }),
        Box::new(Remove { fields: removed }),
        Box::new(To { sinks: [1].into() }),
        Box::new(Drop { reason: 0, when: None }),
        Box::new(To { sinks: [0].into() }),
    ]);
    let (flow, sent) = run(&steps, &mut event, &mut Work::default());
    assert_eq!(flow, Flow::Drop(0));
    let sent: Vec<_> = sent.iter().map(|(sink, text)| (*sink, text.as_str())).collect();
    assert_eq!(sent, [(0, r#"{"a":1,"b":2}"#), (2, r#"{"a":1,"b":2}"#), (1, r#"{"a":1}"#)]);
}
