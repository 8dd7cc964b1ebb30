//! Writes a first grammar from messages: line forms of typed, named captures, with samples.
//!
//! In: messages of one program. Out: the text of a grammar file that loads, or why there is none. A message is cut
//! into chunks ([`chunk`]); messages whose chunks are alike, from the first on, make a form ([`form`]), until what
//! follows looks like prose, which is the message. A form has a header, with a time or something else that has a type,
//! and tails, since the next message may say something that none has said so far. Messages that are JSON objects make
//! a form of members ([`object`]). It guesses names; its author puts better ones.

mod chunk;
mod form;
mod object;

use std::fmt::Write;

use super::Grammar;
use super::sample::{self, Trial};
use chunk::Chunk;

/// Forms that a grammar gets at most.
const FORMS_MAX: usize = 16;

/// Samples of one form.
const SAMPLES_MAX: usize = 3;

/// Bytes of a sample.
const SAMPLE_BYTES_MAX: usize = 4000;

/// Messages of a hundred below which what is left gets no form of its own.
const RARE_PERCENT: usize = 1;

/// The text of a grammar that reads messages like these.
pub fn infer(name: &str, messages: &[impl AsRef<str>]) -> Result<String, String> {
    let messages: Vec<&str> =
        messages.iter().map(AsRef::as_ref).filter(|text| !text.trim().is_empty()).collect();
    if messages.is_empty() {
        return Err("there are no messages to learn from".into());
    }
    let (objects, texts): (Vec<&str>, Vec<&str>) = messages.iter().partition(|text| object::is_one(text));
    let mut forms: Vec<Form> = object::learn(name, &objects).into_iter().map(Form::Object).collect();
    forms.extend(of_texts(name, &texts).into_iter().map(Form::Text));
    // A form of which no message is surely its own cannot be shown, and is left out.
    loop {
        if forms.is_empty() {
            return Err("the messages have nothing in common that a grammar could name: no time, no level, no number in one place".into());
        }
        let bare = file(name, &forms, &[]);
        let grammar = draft(&bare)?;
        let shown = samples(&grammar, &messages, forms.len())?;
        // The smallest goes first: what it shared is another's own then.
        if let Some(unshown) = shown.iter().rposition(Vec::is_empty) {
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

/// One form of the file.
enum Form {
    Text(form::Form),
    Object(object::Form),
}

/// The forms of messages that are lines.
fn of_texts(name: &str, messages: &[&str]) -> Vec<form::Form> {
    let mut left: Vec<(&str, Vec<Chunk<'_>>)> =
        messages.iter().map(|text| (*text, chunk::chunks(text))).collect();
    let (mut forms, mut types) = (Vec::<form::Form>::new(), form::Types::new());
    for _ in 0..FORMS_MAX {
        if left.len() * 100 <= messages.len() * RARE_PERCENT {
            break;
        }
        let learnt =
            form::learn(name, &left, &mut types).or_else(|| form::learn_alike(name, &left, &mut types));
        let Some((form, rest)) = learnt else { break };
        match forms.iter_mut().find(|known| known.header == form.header) {
            Some(known) => known.join(form),
            None => forms.push(form),
        }
        left = rest;
    }
    forms
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
    text.len() < SAMPLE_BYTES_MAX
        && text.lines().count() == 1
        && text.trim() == text
        && !text.starts_with("=> ")
        && !text.contains(|letter: char| letter.is_control() && letter != '\t')
}

/// The file: the first form may be the only one, so the others stand behind it in the order of their size.
fn file(name: &str, forms: &[Form], samples: &[Vec<&str>]) -> String {
    let mut out = format!(
        "grammar {name} \"lines like those that it was inferred from\"\n\nset event.kind = \"event\"\n"
    );
    for (number, form) in forms.iter().enumerate() {
        let number = number + 1;
        let _ = match form {
            Form::Text(form) => {
                write!(
                    out,
                    "\n# {} of the messages.\nline form{number} =\n  {}\n",
                    form.messages,
                    form.text()
                )
            }
            Form::Object(form) => {
                write!(out, "\n# {} of the messages.\njson form{number} =\n{}", form.messages, form.text)
            }
        };
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
