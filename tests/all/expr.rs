//! The examples of functions and steps are text of the language: they parse, and stay the same when printed.

use aludel::expr::functions;
use aludel::lang::{parse, print};
use aludel::step::SIGNATURES;

/// Parses a pipeline with these steps; prints it; parses that. Returns what is wrong.
fn fault(steps: &str) -> Option<String> {
    let text = format!("pipeline p {{\n  from s\n  | {steps}\n}}\n");
    let (file, errors) = parse(&text);
    if let Some(error) = errors.first() {
        return Some(format!("{steps}: {}", error.message));
    }
    let printed = print(&file, &text);
    let (again, errors) = parse(&printed);
    let twice = print(&again, &printed);
    (!errors.is_empty() || twice != printed).then(|| format!("{steps}: printed as\n{printed}"))
}

#[test]
fn examples_are_text_of_the_language() {
    let functions = functions().iter().flat_map(|function| function.signature.examples);
    let of_functions = functions.map(|example| format!("set .x = {}", example.source));
    let of_steps = SIGNATURES.iter().flat_map(|signature| signature.examples);
    let of_steps = of_steps.map(|example| example.source.to_owned());
    let wrong: Vec<_> = of_functions.chain(of_steps).filter_map(|steps| fault(&steps)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn cases_of_operators_are_text_of_the_language() {
    let cases = include_str!("../../fixtures/expr/operators.case");
    let cases = cases.lines().filter_map(|line| line.rsplit_once(" => "));
    let wrong: Vec<_> = cases.filter_map(|(source, _)| fault(&format!("set .x = {source}"))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
