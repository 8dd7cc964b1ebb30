//! Imports point down only: the module table of `src/lib.rs`, checked against every `use crate::` line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const WORDS: &[&str] = &["limits", "diag", "signature", "position", "event", "seam", "sensitive", "shown"];

/// What each module above the words may import besides them.
const TABLE: &[(&str, &[&str])] = &[
    ("frame", &[]),
    ("format", &[]),
    ("grammar", &["format"]),
    ("expr", &[]),
    ("lang", &["expr"]),
    ("lookup", &[]),
    ("enrich", &["format", "lookup"]),
    ("detect", &["expr", "format", "lookup"]),
    ("step", &["expr", "format", "grammar", "lookup", "enrich", "detect"]),
    ("spool", &[]),
    ("source", &["frame", "spool"]),
    ("sink", &["frame", "detect", "spool"]),
    (
        "catalog",
        &[
            "frame", "format", "grammar", "expr", "lang", "lookup", "enrich", "detect", "step", "source",
            "sink", "spool", "observe",
        ],
    ),
    (
        "run",
        &[
            "grammar", "catalog", "lookup", "lang", "expr", "step", "format", "frame", "source", "sink",
            "spool", "observe",
        ],
    ),
    ("replay", &["observe", "catalog", "lang", "expr", "step", "format", "frame", "source", "sink", "run"]),
    ("profile", &["observe", "catalog", "lang", "expr", "step", "format", "frame", "source", "sink", "run"]),
    (
        "sim",
        &[
            "observe", "catalog", "lang", "expr", "step", "detect", "format", "frame", "source", "sink",
            "spool", "run",
        ],
    ),
    ("observe", &["grammar", "sink"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Modules that a line names behind `crate::`.
fn imports(line: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    line.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group.split(',').map(word).collect(),
            None => vec![word(rest)],
        })
        .collect()
}

#[test]
fn imports_point_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table: BTreeMap<_, _> = TABLE.iter().copied().collect();
    let mut found = Vec::new();
    files(&src, &mut found);
    let mut wrong = Vec::new();
    for file in found {
        let inside = file.strip_prefix(&src).expect("below src");
        let module = inside.iter().next().expect("a name").to_string_lossy().replace(".rs", "");
        if ["lib", "main", "cli"].contains(&module.as_str()) {
            continue;
        }
        let allowed = table.get(module.as_str()).copied().unwrap_or(&[]);
        let text = fs::read_to_string(&file).expect("source text");
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            for import in imports(code) {
                let known = WORDS.contains(&import.as_str()) || table.contains_key(import.as_str());
                if known
                    && import != module
                    && !WORDS.contains(&import.as_str())
                    && !allowed.contains(&import.as_str())
                {
                    wrong.push(format!("src/{}:{}: {module} imports {import}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
