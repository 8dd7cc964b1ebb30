//! What came in with a dependency is what `.deny.toml` lets in: licences, two versions at once, crates that are kept out.
//! The same as `cargo deny check licenses bans`, without a tool that takes as long to build as this project.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const RULES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/.deny.toml"));

/// Texts in quotes of a list of the rules.
fn list(name: &str) -> Vec<&'static str> {
    let (_, rest) = RULES.split_once(&format!("\n{name} = [\n")).expect("the list");
    let (list, _) = rest.split_once("\n]").expect("its end");
    let lines = list.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.filter_map(|line| line.split('"').nth(1)).collect()
}

/// Whether a licence (SPDX, or `A/B` as old manifests have it) can be kept to with those that are allowed.
fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    let text = licence.replace(['(', ')'], " ").replace('/', " OR ");
    // `A AND B OR C` does not occur without brackets; with them every part of an AND must be good by itself.
    text.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(&one.trim())))
}

#[test]
fn only_what_is_let_in_came_in() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "tree",
        "--offline",
        "--locked",
        "--prefix",
        "none",
    ]);
    let ran = command.args(["-e", "normal,build", "-f", "{p}|{l}"]).output().expect("cargo runs");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let (allowed, mut wrong) = (list("allow"), Vec::new());
    for line in text.lines() {
        let (package, licence) = line.split_once('|').expect("a package and its licence");
        let mut words = package.split(' ');
        let (name, version) = (words.next().expect("a name"), words.next().expect("a version"));
        versions.entry(name).or_default().insert(version.trim_start_matches('v'));
        if !is_allowed(licence.trim_end_matches(" (*)"), &allowed) {
            wrong.push(format!("{package}: {licence}"));
        }
    }
    assert!(versions.len() > 100, "{}", versions.len());
    wrong.extend(
        list("deny")
            .into_iter()
            .filter(|name| versions.contains_key(name))
            .map(|name| format!("{name} is kept out")),
    );
    let known = list("skip");
    for (name, of) in versions.iter().filter(|(_, of)| of.len() > 1) {
        let told = |version: &&&str| {
            let skipped = |skip: &&&str| {
                skip.split_once('@').is_some_and(|(of, start)| of == *name && version.starts_with(start))
            };
            known.iter().any(|skip| skipped(&skip))
        };
        if of.iter().filter(|version| !told(version)).count() > 1 {
            wrong.push(format!("{name} in several versions: {of:?}"));
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
