//! Writes a first grammar from messages: line forms of typed, named captures, with samples.
//!
//! In: messages of one program. Out: the text of a grammar file that loads, or why there is none. A message is cut
//! into chunks ([`chunk`]); messages whose chunks are alike, from the first on, make a form ([`form`]), until what
//! follows looks like prose, which is the message. It guesses names; its author puts better ones.

mod chunk;
mod form;

use std::fmt::Write;

use super::Grammar;
use super::sample::{self, Trial};
use chunk::Chunk;

/// Forms that a grammar gets at most.
const FORMS_MAX: usize = 8;

/// Samples of one form.
const SAMPLES_MAX: usize = 3;

/// Messages of a hundred below which what is left gets no form of its own.
const RARE_PERCENT: usize = 1;

/// The text of a grammar that reads messages like these.
pub fn infer(name: &str, messages: &[impl AsRef<str>]) -> Result<String, String> {
    let messages: Vec<&str> =
        messages.iter().map(AsRef::as_ref).filter(|text| !text.trim().is_empty()).collect();
    if messages.is_empty() {
        return Err("there are no messages to learn from".into());
    }
    let mut left: Vec<(&str, Vec<Chunk<'_>>)> =
        messages.iter().map(|text| (*text, chunk::chunks(text))).collect();
    let (mut forms, mut types) = (Vec::new(), form::Types::new());
    while forms.len() < FORMS_MAX && left.len() * 100 > messages.len() * RARE_PERCENT {
        let Some((form, rest)) = form::learn(name, left, &mut types) else { break };
        forms.push(form);
        left = rest;
    }
    // A form of which no message is surely its own cannot be shown, and is left out.
    loop {
        if forms.is_empty() {
            return Err("the messages have nothing in common that a grammar could name: no time, no level, no number in one place".into());
        }
        let bare = file(name, &forms, &[]);
        let grammar = draft(&bare)?;
        let shown = samples(&grammar, &messages, forms.len())?;
        if let Some(unshown) = shown.iter().position(Vec::is_empty) {
            forms.remove(unshown);
            continue;
        }
        let text = sample::bless(&file(name, &forms, &shown))?;
        return match Grammar::load(name, &text) {
            Ok(_) => Ok(text),
            Err(report) => {
                Err(report.diagnostics.first().map_or(String::new(), |first| first.message.clone()))
            }
        };
    }
}

/// A grammar whose samples are not there yet.
fn draft(text: &str) -> Result<Grammar, String> {
    let parsed = super::file::parse(text).and_then(super::resolve::resolve_unproven);
    parsed.map_err(|wrong| wrong.first().map_or(String::new(), |first| first.message.clone()))
}

/// For each form a few messages that it takes and no other does.
fn samples<'a>(grammar: &Grammar, messages: &[&'a str], forms: usize) -> Result<Vec<Vec<&'a str>>, String> {
    let mut trial = Trial::new(grammar)?;
    let mut shown: Vec<Vec<&str>> = vec![Vec::new(); forms];
    for text in messages.iter().filter(|text| may_be_shown(text)) {
        if let Some(number) = trial.only_form(text)
            && let Some(shown) = shown.get_mut(number).filter(|shown| shown.len() < SAMPLES_MAX)
        {
            shown.push(text);
        }
    }
    Ok(shown)
}

/// Whether a text stands in a file as it is.
fn may_be_shown(text: &str) -> bool {
    text.len() < 1000
        && text.lines().count() == 1
        && text.trim() == text
        && !text.starts_with("=> ")
        && !text.contains(|letter: char| letter.is_control() && letter != '\t')
}

/// The file: the first form may be the only one, so the others stand behind it in the order of their size.
fn file(name: &str, forms: &[form::Form], samples: &[Vec<&str>]) -> String {
    let mut out = format!(
        "grammar {name} \"lines like those that it was inferred from\"\n\nset event.kind = \"event\"\n"
    );
    for (number, form) in forms.iter().enumerate() {
        let _ = write!(
            out,
            "\n# {} of the messages.\nline form{} =\n  {}\n",
            form.messages,
            number + 1,
            form.text
        );
    }
    for (number, texts) in samples.iter().enumerate() {
        for text in texts {
            let _ = write!(out, "\nsample form{}\n  {text}\n", number + 1);
        }
    }
    out
}

#[cfg(test)]
mod tests;
