//! Tests over the whole list of functions, and properties of evaluation.

use std::collections::HashSet;

use super::testing::evaluate;
use super::{Body, functions};

fn same(found: &str, expected: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    found == expected || (read(found).is_some() && read(found) == read(expected))
}

/// Every example of every function gives what it says.
#[test]
fn examples_of_functions_hold() {
    let mut wrong = Vec::new();
    for function in functions() {
        for example in function.signature.examples {
            match evaluate(example.source) {
                Ok(found) if same(&found, example.result) => {}
                Ok(found) => wrong.push(format!("{} gives {found}, not {}", example.source, example.result)),
                Err(error) => wrong.push(format!("{}: {error}", example.source)),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A function without a summary, an example, or parameters that can be told apart is not finished.
#[test]
fn every_function_documents_itself() {
    let mut names = HashSet::new();
    for function in functions() {
        let signature = function.signature;
        assert!(names.insert(signature.name), "{} is listed twice", signature.name);
        assert!(signature.form.starts_with(signature.name), "{}", signature.form);
        assert!(!signature.summary.is_empty() && !signature.examples.is_empty(), "{}", signature.name);
        assert!(signature.summary.starts_with(|c: char| !c.is_lowercase() || c.is_alphabetic()));
        assert!(function.params.len() <= super::function::PARAMS_MAX, "{}", signature.name);
        let optional: Vec<_> = function.params.iter().map(|param| param.optional).collect();
        assert!(optional.is_sorted(), "{}: optional parameters come last", signature.name);
        let fails = signature.examples.iter().any(|example| example.result == "missing");
        let may = function.fallible || matches!(function.body, Body::Rewrite(_));
        assert!(may || !fails, "{} fails in an example but does not say that it may", signature.name);
    }
}
