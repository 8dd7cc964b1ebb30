//! `aludel explain --profile` as files: a pipeline, its input, and the profile under a clock that stands still, so
//! that times are `-` and the rest is the same every time.
//!
//! `--- input PATH x N` stands for the lines below it N times. `UPDATE_EXPECT=1` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aludel::catalog::{self, Around};
use aludel::format::Format;
use aludel::lang::outline::{Entry, Part};
use aludel::lang::{self, Plan, ast};
use aludel::profile::{Subject, profile};
use aludel::seam::sim::SimClock;
use aludel::source::recorded::{Bytes, Recording};
use aludel::step::{Block, Step};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn listed(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|of| of == extension));
    paths.sort();
    paths
}

fn compile(text: &str) -> (ast::File, Plan) {
    let machine = catalog::Machine { folder: root().join("fixtures/profile") };
    let (file, plan, diagnostics) = lang::compile(text, &catalog::signatures(), &machine);
    (file, plan.unwrap_or_else(|| panic!("it compiles: {diagnostics:?}")))
}

/// The profile of a case's pipeline over its input.
fn shown(pipeline: &str, inputs: &[(String, Vec<u8>)]) -> String {
    let (file, plan) = compile(pipeline);
    let subject = Subject {
        outline: &lang::outline(&file, &plan, pipeline),
        source: 0,
        recordings: &|| {
            let recording = |(path, bytes): &(String, Vec<u8>)| Recording {
                path: path.clone(),
                file: Box::new(Bytes(bytes.clone())),
                size: bytes.len() as u64,
            };
            Ok(inputs.iter().map(recording).collect())
        },
        unix_ns: 1_767_225_600_000_000_000,
        repeat: Some(1),
    };
    profile(&subject, compile(pipeline).1, Arc::new(SimClock::at(0))).expect("it runs")
}

/// `PATH` or `PATH x N`, and the lines below.
fn input(part: &str) -> (String, Vec<u8>) {
    let (head, lines) = part.split_once('\n').expect("an input has lines");
    let (path, times) = head.split_once(" x ").unwrap_or((head, "1"));
    (path.to_owned(), lines.repeat(times.parse().expect("a number")).into_bytes())
}

/// Counts, indents and advice are as the case files say.
#[test]
fn profiles_read_as_their_cases_say() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    let cases = listed("fixtures/profile", "case");
    assert!(!cases.is_empty());
    for path in cases {
        let case = fs::read_to_string(&path).expect("a case is text");
        let (head, expected) = case.split_once("--- profile\n").expect("a case has a profile");
        let mut parts = head.split("--- input ");
        let pipeline = parts.next().and_then(|part| part.strip_prefix("--- pipeline\n")).expect("a pipeline");
        let shown = shown(pipeline, &parts.map(input).collect::<Vec<_>>());
        let shown: String = shown.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if update {
            fs::write(&path, format!("{head}--- profile\n{shown}")).expect("the case is writable");
        } else if shown != expected {
            wrong.push(format!("{}: expected\n{expected}\nbut it says\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Holds what is built against the outline.
struct Numbers<'a>(&'a [Entry<'a>], Vec<usize>);

impl Around for Numbers<'_> {
    fn step(&mut self, number: usize, step: Box<dyn Step>) -> Box<dyn Step> {
        assert!(matches!(self.0[number].part, Part::Step(..)), "{number} is {}", self.0[number].text);
        self.1.push(number);
        step
    }

    fn block(&mut self, number: usize, block: Block) -> Block {
        assert!(matches!(self.0[number].part, Part::Pipeline(_) | Part::Branch));
        self.1.push(number);
        block
    }

    fn formats(&mut self, first: usize, formats: Vec<Box<dyn Format>>) -> Vec<Box<dyn Format>> {
        for number in first..first + formats.len() {
            assert!(matches!(self.0[number].part, Part::Format(_)));
            self.1.push(number);
        }
        formats
    }
}

/// The outline numbers parts as the catalog does that builds them, each once.
#[test]
fn an_outline_has_the_parts_that_are_built() {
    let mut texts: Vec<_> = [listed("pipelines", "aludel"), listed("docker", "aludel")].concat();
    texts.push(root().join("fixtures/lang/sample.aludel"));
    let mut texts: Vec<String> = texts.iter().map(|path| fs::read_to_string(path).expect("text")).collect();
    texts.extend(listed("fixtures/profile", "case").iter().map(|path| {
        let case = fs::read_to_string(path).expect("text");
        let pipeline = case.strip_prefix("--- pipeline\n").and_then(|case| case.split("--- input").next());
        pipeline.expect("a pipeline").to_owned()
    }));
    for text in texts {
        let machine = catalog::Machine { folder: root().join("pipelines") };
        let compile = || lang::compile(&text, &catalog::signatures(), &machine);
        let (file, Some(plan), _) = compile() else { continue };
        let outline = lang::outline(&file, &plan, &text);
        let mut numbers = Numbers(&outline, Vec::new());
        let Some(again) = compile().1 else { continue };
        if catalog::build_around(again, &mut numbers).is_err() {
            continue;
        }
        numbers.1.sort_unstable();
        assert_eq!(numbers.1, (0..outline.len()).collect::<Vec<_>>(), "{text}");
    }
}
