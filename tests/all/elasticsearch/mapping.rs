//! Fields that a mapping cannot take: only they are set aside, and the event lands.

use std::collections::BTreeSet;

use aludel::event::OptionValue;

use super::bulk_server::Server;
use super::rows::{bodies, plan};
use super::wire::ship;

/// The document without the field, and what was set aside.
fn aside(document: &str, field: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(document).expect("json");
    assert_eq!(document.get(field), None, "{document}");
    let [entry] = &document["_conflict"].as_array().expect("a list")[..] else {
        panic!("one entry: {document}")
    };
    assert_eq!(entry["field"], field);
    entry["value"].as_str().expect("a text").to_owned()
}

/// A text where the mapping has a number: seen by the first answer, and then before rows are sent.
#[test]
fn a_field_that_is_refused_is_set_aside() {
    for gzip in [false, true] {
        let server = Server::start(&[]);
        server.store().longs.push("message");
        let compression = OptionValue::Text(if gzip { "gzip" } else { "none" }.into());
        let plan =
            plan(&[server.url()], &[("compression", compression), ("concurrency", OptionValue::Int(1))]);
        let (total, said) = ship(&*plan, bodies(&*plan, 0, 20, 40));
        assert_eq!((total.delivered, total.rejected.len()), (800, 0));
        let store = server.store();
        let texts: BTreeSet<_> =
            store.once().into_iter().map(|document| aside(document, "message")).collect();
        assert_eq!(texts.len(), 800);
        assert!(texts.contains(&format!("line 7 {}", "x".repeat(7))), "the value is kept");
        let said: Vec<_> = said.iter().filter(|line| line.contains("`message` does not fit")).collect();
        assert_eq!(said.len(), 4, "once for each data stream: {said:?}");
        assert_eq!(store.requests, 21, "only the first request met a refusal");
        assert_eq!(total.set_aside.values().sum::<u64>(), 800, "{:?}", total.set_aside);
        let mappings = store.asked.iter().filter(|path| path.ends_with("/_mapping")).count();
        assert_eq!(mappings, 4, "the live mapping is asked for once for each data stream: {:?}", store.asked);
    }
}

/// A field of which no value can fit is set aside before anything is refused.
#[test]
fn a_conflict_of_types_is_predicted() {
    let server = Server::start(&[]);
    server.store().longs.push("@timestamp");
    let plan = plan(&[server.url()], &[]);
    // The compiler knows that it is a time; a number fits no time, and nothing lands without one.
    let (total, _) = ship(&*plan, bodies(&*plan, 0, 1, 8));
    assert_eq!((total.delivered, total.rejected.len()), (0, 8), "`@timestamp` is never set aside");

    let server = Server::start(&[]);
    server.store().longs.push("flag");
    let plan = super::rows::plan(&[server.url()], &[]);
    let (total, said) = ship(&*plan, super::rows::flagged(&*plan, 40));
    assert_eq!((total.delivered, total.rejected.len()), (40, 0));
    assert_eq!(server.store().requests, 1, "nothing was refused");
    for document in server.store().once() {
        assert_eq!(aside(document, "flag"), "true");
    }
    assert!(said.iter().any(|line| line.contains("`flag` does not fit")), "{said:?}");
}
