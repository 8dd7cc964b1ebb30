//! The fixtures are what `fixtures/README.md` says of them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// `containers/` is a pure function of `captured/`: nobody edits one of the two alone.
#[test]
fn container_logs_are_the_captured_lines_wrapped() {
    let script = fixtures().join("containers/wrap.py");
    match Command::new("python3").arg(&script).arg("--check").output() {
        Ok(output) => assert!(
            output.status.success(),
            "run fixtures/containers/wrap.py: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("SKIPPED: python3 does not start: {error}"),
    }
}

/// Every captured program has its sources beside its logs, and a line in the README.
#[test]
fn every_captured_program_says_how_it_was_run() {
    let readme = std::fs::read_to_string(fixtures().join("README.md")).expect("fixtures/README.md");
    for entry in std::fs::read_dir(fixtures().join("captured")).expect("fixtures/captured") {
        let folder = entry.expect("an entry").path();
        if !folder.is_dir() {
            continue;
        }
        let program = folder.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(folder.join("src").is_dir(), "{program} has no src/");
        assert!(readme.contains(&format!("| `{program}/")), "{program} is not in fixtures/README.md");
    }
}
