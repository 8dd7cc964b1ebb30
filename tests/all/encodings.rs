//! Text that is not simply UTF-8, from bytes to events. How it is cut into messages is in `fixtures/frame`.

use std::path::Path;
use std::sync::Arc;

use aludel::catalog::{self, Machine};
use aludel::replay::{captured, replay};
use aludel::source::recorded::{Bytes, Recording};
use serde_json::{Value, json};

use super::events::Events;

/// The events of bytes that a source with these options reads.
fn events(options: &str, bytes: &[u8]) -> Vec<Value> {
    let file = format!(
        "source in = files \"none\" {{ {options} }}\nsink out = stdout\n\npipeline p {{\n  from in\n  \
         | set .flagged = has(.log.flags)\n  | remove .log.file, .log.offset, .@timestamp\n  | to out\n}}\n"
    );
    let (file, errors) = aludel::lang::parse(&file);
    assert!(errors.is_empty(), "{errors:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
    let (plan, errors) = aludel::lang::check(&file, &catalog::signatures(), &Machine { folder });
    let plan = catalog::build(plan.unwrap_or_else(|| panic!("{errors:?}"))).expect("a plan");
    let recording =
        Recording { path: "x.log".into(), size: bytes.len() as u64, file: Box::new(Bytes(bytes.to_vec())) };
    let mut events = Events::default();
    replay(&Arc::new(captured(plan)), 0, vec![recording], 0, &mut events).expect("a replay");
    for event in &mut events.0 {
        event.as_object_mut().expect("an event").remove("@timestamp");
    }
    events.0
}

/// An event whose text is valid.
fn valid(message: &str) -> Value {
    json!({ "message": message, "flagged": false })
}

/// One whose text is not, and what it was.
fn invalid(message: &str, original_base64: &str) -> Value {
    let log = json!({ "flags": ["invalid_encoding"], "original_base64": original_base64 });
    json!({ "message": message, "flagged": true, "log": log })
}

#[test]
fn text_is_decoded_and_what_is_not_valid_is_marked_and_kept() {
    for (options, bytes, expected) in [
        (
            "",
            &b"caf\xc3\xa9\ncaf\xe9\nplain\n"[..],
            vec![valid("café"), invalid("caf\u{fffd}", "Y2Fm6Q=="), valid("plain")],
        ),
        ("", b"\xef\xbb\xbffirst\n", vec![valid("first")]),
        ("encoding = \"latin1\"", b"caf\xe9 \x80\n", vec![valid("café €")]),
        ("encoding = \"koi8-r\"", b"\xf0\xd2\xc9\n", vec![valid("При")]),
        ("", b"\xff\xfea\0\r\0\n\0\n\x01b\0\n\0", vec![valid("a"), valid("Ċb")]),
        ("", b"\xfe\xff\0a\xd8\0\0b\0\n", vec![invalid("a\u{fffd}b", "AGHYAABi")]),
        ("encoding = \"utf-16le\"", b"a\0\n\0b", vec![valid("a"), invalid("\u{fffd}", "Yg==")]),
        ("ansi = strip", b"\x1b[31mERROR\x1b[0m it failed\n", vec![valid("ERROR it failed")]),
        ("ansi = keep", b"\x1b[31mred\n", vec![valid("\x1b[31mred")]),
        (
            "multiline = none",
            b"one\n\0\0\0\0two\n\0\0\nthr\0ee\n",
            vec![valid("one"), valid("two"), valid("thr\0ee")],
        ),
    ] {
        assert_eq!(events(options, bytes), expected, "{options}: {}", bytes.escape_ascii());
    }
}

#[test]
fn of_a_long_message_that_is_not_valid_only_the_mark_is_there() {
    let mut line = vec![0xff; aludel::limits::ORIGINAL_KEPT_BYTES_MAX + 1];
    line.push(b'\n');
    let events = events("", &line);
    assert_eq!(events[0]["log"], json!({ "flags": ["invalid_encoding"] }));
}

#[test]
fn what_cannot_be_is_refused() {
    for (options, why) in [
        ("encoding = \"martian\"", "WHATWG"),
        ("encoding = \"utf-16le\", format = cri", "never written in UTF-16"),
    ] {
        let file = format!(
            "source in = files \"none\" {{ {options} }}\nsink out = stdout\npipeline p {{ from in | to out }}\n"
        );
        let (file, _) = aludel::lang::parse(&file);
        let machine = Machine { folder: Path::new(".").to_owned() };
        let (plan, errors) = aludel::lang::check(&file, &catalog::signatures(), &machine);
        let said = match plan.map(catalog::build) {
            Some(Err(error)) => format!("{error:?}"),
            _ => format!("{errors:?}"),
        };
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_format_is_told_through_its_colours() {
    let mut detector = aludel::grammar::Detector::new().expect("a detector");
    for (line, name) in [
        ("\x1b[36mINFO\x1b[0m[0000] cart 7 is open                \x1b[36mcart\x1b[0m=7", "golog"),
        (
            "\x1b[2m2024-05-06T07:08:09.123456Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mshop::cart\x1b[0m\x1b[2m:\x1b[0m open",
            "rust",
        ),
        (
            "2024-05-06 07:08:09.123 \x1b[32m INFO\x1b[0;39m \x1b[35m1\x1b[0;39m --- [  main] \x1b[36mc.example.Shop  \x1b[0;39m : open",
            "java",
        ),
        (
            "2024-05-06T07:08:09.123Z\t\x1b[34mINFO\x1b[0m\tshop\tcart/cart.go:17\tcart is open\t{\"cart\": 7}",
            "zap",
        ),
        ("\x1b[40m\x1b[32minfo\x1b[39m\x1b[22m\x1b[49m: Shop.Cart[14]\n      cart 7 is open", "dotnet"),
        ("\x1b[0m\x1b[1m2024/05/06 07:08:09 cart.go:17: cart 7 is open\x1b[0m", "golog"),
    ] {
        assert_eq!(detector.name_of(line.as_bytes()), Some(name), "{}", line.escape_debug());
    }
}
