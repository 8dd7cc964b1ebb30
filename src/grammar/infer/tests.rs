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
