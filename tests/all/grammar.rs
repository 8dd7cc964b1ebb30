//! Grammars: what their files claim, and how they tell each other's lines apart.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use aludel::event::Options;
use aludel::format::Reference;
use aludel::grammar::{self, Found, Grammar, Reader};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grammars")
}

/// Every file in `grammars/` is in the list, and holds what it claims. `UPDATE_EXPECT=1` writes the values of the
/// samples into the files.
#[test]
fn every_grammar_keeps_its_claims() {
    let mut wrong = String::new();
    for entry in fs::read_dir(folder()).expect("grammars/") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "grammar") {
            continue;
        }
        let name = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        let mut text = fs::read_to_string(&path).expect("text");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            match grammar::bless(&text) {
                Ok(blessed) => {
                    fs::write(&path, &blessed).expect("writable");
                    text = blessed;
                }
                Err(message) => writeln!(wrong, "{name}: {message}").expect("a string"),
            }
        } else if !grammar::files().iter().any(|(known, embedded)| *known == name && *embedded == text) {
            writeln!(wrong, "{name}: not in src/grammar/list.rs").expect("a string");
        }
        match Grammar::load(&name, &text) {
            Ok(grammar) if grammar.name() == name => {}
            Ok(grammar) => writeln!(wrong, "{name}: names itself `{}`", grammar.name()).expect("a string"),
            Err(report) => {
                for diagnostic in report.diagnostics {
                    let before = text.get(..diagnostic.place.start).unwrap_or_default();
                    let line = before.lines().count();
                    writeln!(wrong, "{name}:{line}: {}", diagnostic.message).expect("a string");
                    if let Some(help) = diagnostic.help {
                        writeln!(wrong, "    {help}").expect("a string");
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What the documentation shows of every grammar is there.
#[test]
fn every_grammar_says_what_it_is() {
    assert_eq!(grammar::all().len(), grammar::files().len(), "a file does not load");
    for grammar in grammar::all() {
        assert!(!grammar.summary().is_empty(), "{}", grammar.name());
        assert!(grammar.see().starts_with("https://"), "{}: no `see`", grammar.name());
        assert!(grammar.samples().count() >= 2, "{}: show at least two samples", grammar.name());
    }
}

/// Samples of others that a format takes, its name, and whose.
type Taken<'a> = (usize, &'a str, Vec<(&'a str, usize)>);

/// Name, and samples, of everything that can be told by its looks.
fn tellable() -> Vec<(String, Vec<String>)> {
    let grammars = grammar::all().iter().map(|grammar| {
        (grammar.name().to_owned(), grammar.samples().map(|(_, text)| text.to_owned()).collect())
    });
    let formats = aludel::format::formats().iter().map(|format| format.signature);
    let formats = formats.filter(|signature| grammar::TELLABLE.contains(&signature.name)).map(|signature| {
        let message = |input: &str| -> Option<String> {
            let event: serde_json::Value = serde_json::from_str(input).ok()?;
            Some(event.get("message")?.as_str()?.to_owned())
        };
        let samples = signature.examples.iter().filter_map(|example| message(example.input)).collect();
        (signature.name.to_owned(), samples)
    });
    grammars.chain(formats).collect()
}

/// Those that take less go first, but nobody before another whose samples it takes and that takes none of its own.
fn narrow_first(mut rows: Vec<Taken<'_>>) -> Vec<Taken<'_>> {
    let takes = |one: &Taken<'_>, other: &str| one.2.iter().any(|(taken, _)| *taken == other);
    let mut ordered = Vec::new();
    while !rows.is_empty() {
        let swallows = |one: &Taken<'_>| rows.iter().any(|other| takes(one, other.1) && !takes(other, one.1));
        let next = rows.iter().position(|row| !swallows(row)).unwrap_or(0);
        ordered.push(rows.remove(next));
    }
    ordered
}

/// Whoever takes the samples of another, and not the other way round, is tried after it. `UPDATE_EXPECT=1` writes the
/// order.
#[test]
fn narrow_formats_are_tried_before_wide_ones() {
    let all = tellable();
    let takes = |reader: &mut Reader, name: &str, samples: &[String]| -> usize {
        let may_be =
            |text: &&String| grammar::may_be(name, text.lines().next().unwrap_or_default().as_bytes());
        let mut takes = |text: &&String| reader.parse(text.as_bytes(), Found::default(), &mut Vec::new());
        samples.iter().filter(|text| may_be(text) && takes(text)).count()
    };
    let mut rows: Vec<Taken<'_>> = Vec::new();
    for (name, _) in &all {
        let others = all.iter().filter(|(other, _)| other != name);
        let mut reader = Reader::new(name, &Options::default(), Reference::default()).expect("a format");
        let taken = others.map(|(other, samples)| (other.as_str(), takes(&mut reader, name, samples)));
        let taken: Vec<_> = taken.collect();
        let taken: Vec<_> = taken.into_iter().filter(|(_, count)| *count > 0).collect();
        rows.push((taken.iter().map(|(_, count)| count).sum(), name, taken));
    }
    rows.sort();
    let rows = narrow_first(rows);
    let mut text = String::from(
        "# The order in which formats are tried, and whose samples each takes besides its own.\n",
    );
    for (_, name, taken) in &rows {
        let taken: Vec<_> = taken.iter().map(|(other, count)| format!("{other} {count}")).collect();
        let line =
            if taken.is_empty() { (*name).to_owned() } else { format!("{name:<25} {}", taken.join(", ")) };
        writeln!(text, "{line}").expect("a string");
    }
    let path = folder().join("order.golden");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &text).expect("writable");
    }
    assert_eq!(fs::read_to_string(&path).expect("the golden file"), text, "UPDATE_EXPECT=1 writes it");
    let taken_by = |name: &str, other: &str| {
        rows.iter().any(|(_, known, taken)| *known == name && taken.iter().any(|(taken, _)| *taken == other))
    };
    for (at, (_, first, _)) in rows.iter().enumerate() {
        for (_, second, _) in &rows[at + 1..] {
            let swallowed = taken_by(first, second) && !taken_by(second, first);
            assert!(!swallowed, "{first} is tried before {second} and takes its lines");
        }
    }
}

/// What a grammar wrote is told as that grammar, but for those that are known to look the same.
#[test]
fn samples_are_told_by_their_looks() {
    let mut wrong = String::new();
    let mut detector = grammar::Detector::new().expect("binds");
    for (name, samples) in tellable() {
        for sample in samples {
            let first = sample.lines().next().unwrap_or_default();
            let told = detector.name_of(first.as_bytes());
            if told != Some(name.as_str()) {
                writeln!(wrong, "{name} is told as {told:?}: {first}").expect("a string");
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/grammar/told_otherwise.golden");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &wrong).expect("writable");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), wrong, "UPDATE_EXPECT=1 writes it");
}

/// What a container wrote is told inside of what Docker Compose shows of it; where nothing is, it stays as it was.
#[test]
fn what_another_program_wrote_is_told_too() {
    let mut reader = Reader::new("auto", &Options::default(), Reference::default()).expect("auto");
    for (text, wanted) in [
        (
            "shop-web-1  | 192.0.2.7 - - [06/May/2024:07:08:09 +0000] \"GET /cart HTTP/1.1\" 200 5 \"-\" \"curl/8.5.0\"",
            serde_json::json!({
                "@timestamp": "2024-05-06T07:08:09.000Z", "container": { "name": "shop-web-1" }, "url": { "path": "/cart" },
            }),
        ),
        (
            "\x1b[36mproxy    |\x1b[0m {\"level\":\"warn\",\"ts\":1714979289.5,\"logger\":\"tls\",\"msg\":\"renewing\"}",
            serde_json::json!({ "@timestamp": "2024-05-06T07:08:09.500Z", "container": { "name": "proxy" } }),
        ),
        (
            "web-1     |  * Debug mode: on",
            serde_json::json!({ "container": { "name": "web-1" }, "event": { "dataset": "docker.compose" } }),
        ),
    ] {
        let mut out = Vec::new();
        assert!(reader.parse(text.as_bytes(), Found::default(), &mut out), "{text}");
        let event: serde_json::Value = serde_json::from_slice(&out).expect("an event");
        assert!(holds(&event, &wanted), "{text}: {event:#}");
    }
}

/// Whether all of these values are there.
fn holds(value: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    match wanted.as_object() {
        Some(members) => members.iter().all(|(key, wanted)| holds(&value[key], wanted)),
        None => value == wanted,
    }
}
