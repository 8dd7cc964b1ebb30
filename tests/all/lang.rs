//! The errors of the language, as files: a broken pipeline file and all that is said of it.
//!
//! `UPDATE_EXPECT=1` rewrites what is expected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aludel::diag::{Report, SourceText, render};
use aludel::{catalog, lang};
use proptest::prelude::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(root().join("fixtures/lang/errors"))
        .expect("the folder of error cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "case"))
        .collect();
    cases.sort();
    cases
}

/// What reading and checking a text says.
fn report(name: &str, text: &str) -> Report {
    let source = Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() });
    let machine = catalog::Machine { folder: root().join("fixtures/lang") };
    let (_, _, diagnostics) = lang::compile(text, &catalog::signatures(), &machine);
    Report { source, diagnostics }
}

/// Every error reads as its case file says, and comes with its code.
#[test]
fn errors_read_as_their_cases_say() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for path in cases() {
        let case = fs::read_to_string(&path).expect("a case is text");
        let (head, expected) = case.split_once("--- error\n").expect("a case has an error");
        let text = head.strip_prefix("--- pipeline\n").expect("a case begins with a pipeline");
        let report = report("pipeline.aludel", text);
        let shown: String =
            render(&report, false).lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let shown = format!("{}\n", shown.trim_end());
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let code = name.split('-').next().unwrap_or_default();
        if !report.diagnostics.iter().any(|diagnostic| diagnostic.code.0 == code) {
            wrong.push(format!("{name} does not give {code}:\n{shown}"));
        } else if shown != expected {
            if update {
                fs::write(&path, format!("{head}--- error\n{shown}")).expect("the case is writable");
            } else {
                wrong.push(format!("{name}: expected\n{expected}\nbut it says\n{shown}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Codes that no file of a reasonable size gives.
const WITHOUT_CASE: [&str; 3] = [
    "E000", // follows dozens of other errors
    "E010", // a megabyte of text
    "E110", // two names whose SHA-256 begins alike
];

/// Every code has a case, so that nobody meets an error that nobody has read.
#[test]
fn every_code_has_a_case() {
    let named: BTreeSet<String> = cases()
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().split('-').next()?.to_owned()))
        .collect();
    let lacking: Vec<_> = lang::codes::ALL
        .iter()
        .map(|(code, _)| code.0)
        .filter(|code| !named.contains(*code) && !WITHOUT_CASE.contains(code))
        .collect();
    assert!(lacking.is_empty(), "no case in fixtures/lang/errors for {lacking:?}");
}

fn pipeline_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            pipeline_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "aludel") {
            found.push(path);
        }
    }
}

/// All pipeline files that come with aludel read without an error and stand as the formatter writes them.
#[test]
fn pipeline_files_are_formatted() {
    let mut files = Vec::new();
    for folder in ["pipelines", "fixtures", "docker"] {
        pipeline_files(&root().join(folder), &mut files);
    }
    assert!(!files.is_empty());
    for path in files {
        let text = fs::read_to_string(&path).expect("a pipeline file is text");
        let (file, errors) = lang::parse(&text);
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        assert_eq!(lang::print(&file, &text), text, "{} is not formatted", path.display());
    }
}

/// Sound and broken pipeline files to break further.
fn texts() -> Vec<String> {
    let mut files = Vec::new();
    pipeline_files(&root().join("pipelines"), &mut files);
    pipeline_files(&root().join("fixtures/lang"), &mut files);
    files.extend(cases());
    files.iter().map(|path| fs::read_to_string(path).expect("text")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// However a pipeline file is mangled, it is read, checked and reported on: nothing panics.
    #[test]
    fn no_mangled_file_panics(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, any::<prop::sample::Index>()), 1..4),
    ) {
        static TEXTS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(texts);
        let mut bytes = which.get(&TEXTS).clone().into_bytes();
        for (from, len, to) in cuts {
            if bytes.is_empty() {
                break;
            }
            // A stretch moves to another place, so that parts stand where they make no sense.
            let from = from.index(bytes.len());
            let end = (from + len).min(bytes.len());
            let stretch: Vec<u8> = bytes.drain(from..end).collect();
            let to = if bytes.is_empty() { 0 } else { to.index(bytes.len()) };
            bytes.splice(to..to, stretch);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        render(&report("mangled.aludel", &text), false);
    }
}
