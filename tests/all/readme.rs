//! The README is run: its pipelines compile and pass their tests, its commands exist, its links lead somewhere.

use std::fs;
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README")
}

/// Code blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    text.split(&open).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect()
}

#[test]
fn its_pipelines_pass_their_tests() {
    let pipelines = blocks(&readme(), "aludel");
    assert!(!pipelines.is_empty());
    for (number, pipeline) in pipelines.iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(format!("readme-{number}.aludel"));
        fs::write(&file, format!("{pipeline}\n")).expect("written");
        let out =
            Command::new(env!("CARGO_BIN_EXE_aludel")).arg("test").arg(&file).output().expect("started");
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.contains("1 passed, 0 failed"), "{said}");
    }
}

#[test]
fn it_has_two_commands_and_ci_runs_them() {
    let commands = blocks(&readme(), "sh");
    assert_eq!(commands, ["cargo run --release -- run pipelines/quickstart.aludel", "cargo test"]);
    let ci =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).expect("the CI script");
    assert!(ci.contains("\ncargo test\n"));
    assert!(ci.contains("-- run pipelines/quickstart.aludel --once"));
}

#[test]
fn its_subcommands_exist() {
    let text = readme();
    let named = text.split("`aludel ").skip(1).filter_map(|rest| rest.split([' ', '`']).next());
    let mut count = 0;
    for command in named {
        count += 1;
        let out =
            Command::new(env!("CARGO_BIN_EXE_aludel")).args([command, "--help"]).output().expect("started");
        assert!(out.status.success(), "aludel {command}");
    }
    assert!(count > 5);
}

#[test]
fn its_links_lead_somewhere() {
    let text = readme();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http")) {
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(link).try_exists();
        assert!(there.expect("it can be looked at"), "{link}");
    }
}

/// Every pipeline of the repository compiles, is formatted, and passes its tests.
#[test]
fn the_pipelines_are_checked_formatted_and_tested() {
    for verb in [&["check", "pipelines"][..], &["fmt", "--check", "pipelines"], &["test", "pipelines"]] {
        let out = Command::new(env!("CARGO_BIN_EXE_aludel"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(verb)
            .output()
            .expect("started");
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{verb:?}\n{said}");
    }
}
