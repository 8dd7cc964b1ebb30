use super::*;

/// A grammar for these lines, and how many of the others it takes.
fn learnt(known: &[&str], others: &[&str]) -> (String, usize) {
    let text = infer("shop", known).unwrap_or_else(|error| panic!("{error}"));
    let grammar =
        Grammar::load("shop", &text).unwrap_or_else(|report| panic!("{:?}\n{text}", report.diagnostics));
    let mut trial = Trial::new(&grammar).expect("binds");
    let taken = others.iter().filter(|line| trial.takes(line)).count();
    (text, taken)
}

#[test]
fn a_log_of_times_levels_and_names() {
    let (text, taken) = learnt(
        &[
            "2024-05-06 07:08:09,123 INFO [main] cart: opened in 12 ms",
            "2024-05-06 07:08:10,456 WARN [worker-1] cart: empty, going on",
            "2024-05-06 07:08:11,789 INFO [worker-2] stock: 7 items left",
            "2024-05-06 07:08:12,001 ERROR [main] stock: no more",
        ],
        &["2025-01-01 00:00:00,000 DEBUG [x y] a.b: anything at all", "nothing of this"],
    );
    assert_eq!(taken, 1, "{text}");
    for part in ["{@timestamp: time iso}", "{log.level: level}", "{message: rest}", "\"[\" "] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn two_forms_and_a_dash() {
    let (text, taken) = learnt(
        &[
            "192.0.2.1 - - [06/May/2024:07:08:09 +0000] \"GET /a HTTP/1.1\" 200 12",
            "192.0.2.2 - bob [06/May/2024:07:08:10 +0000] \"GET /b HTTP/1.1\" 404 -",
            "192.0.2.3 - - [06/May/2024:07:08:11 +0000] \"POST /c HTTP/1.1\" 200 5",
            "[notice] 17 workers",
            "[error] 3 workers",
        ],
        &["198.51.100.7 - - [06/May/2024:07:09:11 +0000] \"PUT /d HTTP/2.0\" 500 77", "[info] 1 worker"],
    );
    assert_eq!(taken, 2, "{text}");
    assert!(text.contains("{request}") && text.contains("time clf") && text.contains("line form2"), "{text}");
}

#[test]
fn prose_has_no_grammar() {
    assert!(infer("shop", &["all is well", "so it is", "nothing here"]).is_err());
    assert!(infer("shop", &[""; 3]).is_err());
}

/// What no message said so far may follow a header, and a header whose first words vary is known by its bracket.
#[test]
fn a_header_takes_what_was_not_said_before() {
    let (text, taken) = learnt(
        &[
            "192.0.2.1, 192.0.2.2 - - [06/May/2024:07:08:09 +0000] \"GET /a HTTP/1.1\" 200 12",
            "192.0.2.2 - bob [06/May/2024:07:08:10 +0000] \"GET /b HTTP/1.1\" 404 7",
            "192.0.2.3 - - [06/May/2024:07:08:11 +0000] \"POST /c HTTP/1.1\" 200 5",
        ],
        &["unix: - - [06/May/2024:07:09:11 +0000] \"\" 400 0", "192.0.2.1 - - no time"],
    );
    assert_eq!(taken, 1, "{text}");
    let (text, taken) = learnt(
        &["2024-05-06 07:08:09 INFO [main] opened in 12 ms", "2024-05-06 07:08:10 WARN [pool] 3 are left"],
        &["2024-05-06 07:08:11 nothing like it\n\tat all", "07:08:11 INFO [main] opened"],
    );
    assert_eq!(taken, 1, "{text}");
}

/// Messages without a time are of one form if they begin with the same words, and of none if they are prose.
#[test]
fn words_that_all_begin_with_are_a_header() {
    let (text, taken) = learnt(
        &[
            "2024-05-06 07:08:09 ready",
            "Desired survivor size 8716288 bytes, new threshold 1 (max 6)",
            "Desired survivor size 4096 bytes, new threshold 15 (max 15)",
            "2024-05-06 07:08:10 done",
        ],
        &[
            "Desired survivor size 1 bytes, new threshold 2 (max 3)",
            "2024-05-06 07:08:11 x",
            "Undesired size 1 bytes",
        ],
    );
    assert_eq!(taken, 2, "{text}");
    assert!(text.contains("\"Desired\"") && text.contains(": int}"), "{text}");
}

/// Objects make forms of members: those with their time under the same key are of one.
#[test]
fn objects_are_known_by_their_members() {
    let (text, taken) = learnt(
        &[
            r#"{"time":"2024-05-06T07:08:09.123Z","level":"info","msg":"open","cart.id":7,"peer":"192.0.2.1"}"#,
            r#"{"time":"2024-05-06T07:08:10Z","level":"warn","msg":"empty","cart.id":8,"tags":["a"]}"#,
            r#"{"ts":1714979289.5,"cart.id":"seven","ok":true}"#,
        ],
        &[
            r#"{"time":"2025-01-01T00:00:00Z","other":{"a":1}}"#,
            r#"{"ts":1714979290}"#,
            r#"{"time":"soon","msg":"x"}"#,
            r#"{"msg":"x"}"#,
        ],
    );
    assert_eq!(taken, 2, "{text}");
    for part in [
        ".time = {@timestamp: time iso}",
        ".level? = {log.level: level}",
        ".msg? = {message: rest}",
        ".ts = {@timestamp: time epoch}",
        "shop.cart.id: int",
        ".* = {shop: object}",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
