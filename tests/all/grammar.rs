//! Grammars: what their files claim, and how they tell each other's lines apart.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use aludel::grammar::{self, Grammar};

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
