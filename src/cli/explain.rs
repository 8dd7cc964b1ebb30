//! `aludel explain`: a pipeline file's plan, what its parts cost, or the documentation of one thing by its name.

mod profile;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::{WRONG_USAGE, load};
use crate::diag::nearest;
use crate::grammar::{self, AUTO, Grammar};
use crate::signature::{OptionSpec, OptionType, Signature};
use crate::{catalog, expr, format, lang, step};

/// Show what a pipeline does, or what a step, function, source, sink, format or error code is
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A pipeline file, or the name of a step, function, source, sink, format, grammar or error code
    #[arg(required = true, value_name = "FILE|NAME")]
    names: Vec<String>,
    #[command(flatten)]
    profile: profile::Profile,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.profile.is_asked() {
            return self.profile.run(&self.names);
        }
        let mut code = ExitCode::SUCCESS;
        for name in self.names {
            if Path::new(&name).is_dir() || name.ends_with(".aludel") {
                code = pipelines(PathBuf::from(name))?;
                continue;
            }
            match thing(&name) {
                Some(text) => super::print(&text)?,
                None => {
                    let names = known();
                    let hint = nearest(&name, names.iter().map(String::as_str));
                    let hint = hint.map_or(String::new(), |hint| format!("; did you mean `{hint}`?"));
                    bail!("nothing is named `{name}`{hint} (`aludel list` shows what there is)");
                }
            }
        }
        Ok(code)
    }
}

fn pipelines(path: PathBuf) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for text in load::texts(&[path])? {
        let checked = load::check(&text);
        load::show(&checked.report);
        let Some(plan) = checked.plan else {
            code = ExitCode::from(WRONG_USAGE);
            continue;
        };
        let mut out = lang::explain(&plan);
        let runnable = catalog::build(plan).map_err(anyhow::Error::msg)?;
        if runnable.pipelines.iter().flat_map(|line| &line.formats).any(|format| format.name == AUTO) {
            let _ = writeln!(out, "\nauto\n{}", indented(TELLS));
        }
        out.push_str("\nguarantees\n");
        for sink in &runnable.sinks {
            let _ = writeln!(out, "  {} → {}: {}", sink.name, sink.plan.place(), sink.plan.guarantee());
        }
        super::print(&out)?;
    }
    Ok(code)
}

/// Everything that has a signature.
fn signatures() -> impl Iterator<Item = &'static Signature> {
    let functions = expr::functions().iter().map(|function| function.signature);
    let sources = catalog::SOURCES.iter().map(|kind| kind.signature);
    let sinks = catalog::SINKS.iter().map(|kind| kind.signature);
    step::SIGNATURES
        .iter()
        .copied()
        .chain(functions)
        .chain(sources)
        .chain(sinks)
        .chain(format::formats().iter().map(|kind| kind.signature))
        .chain(crate::enrich::ENRICHERS.iter().map(|kind| kind.signature))
        .chain(crate::detect::signatures())
}

fn known() -> Vec<String> {
    let grammars = grammar::all().iter().map(|grammar| grammar.name().to_owned());
    let codes = lang::codes::ALL.iter().map(|(code, _)| code.0.to_owned()).chain([AUTO.to_owned()]);
    signatures().map(|signature| signature.name.to_owned()).chain(grammars).chain(codes).collect()
}

fn thing(name: &str) -> Option<String> {
    let found: Vec<_> = signatures().filter(|signature| signature.name == name).collect();
    if !found.is_empty() {
        return Some(found.into_iter().map(signature).collect::<Vec<_>>().join("\n"));
    }
    if let Some(grammar) = grammar::get(name) {
        return Some(of_grammar(grammar));
    }
    if name == AUTO {
        return Some(of_auto());
    }
    let (code, doc) = lang::codes::ALL.iter().find(|(code, _)| code.0.eq_ignore_ascii_case(name))?;
    Some(format!("{}: {doc}\n", code.0))
}

fn signature(of: &Signature) -> String {
    let form = if of.form.is_empty() { of.name } else { of.form };
    let mut out = format!("{form}\n  {}\n", of.summary);
    if !of.doc.is_empty() {
        let _ = writeln!(out, "\n{}", of.doc);
    }
    if !of.options.is_empty() {
        out.push_str("\noptions\n");
    }
    for option in of.options {
        let default = match option.default {
            None => ", required".to_owned(),
            Some("") => String::new(),
            Some(text) => format!(" = {text}"),
        };
        let _ = writeln!(out, "  {}: {}{default}\n      {}", option.name, option_type(option), option.doc);
    }
    if !of.examples.is_empty() {
        out.push_str("\nexamples\n");
    }
    for example in of.examples {
        let _ = writeln!(out, "  # {}\n  {}", example.title, example.source);
        if !example.input.is_empty() {
            let _ = writeln!(out, "    from {}", example.input);
        }
        let _ = writeln!(out, "    gives {}", example.result);
    }
    out
}

fn option_type(option: &OptionSpec) -> String {
    match option.ty {
        OptionType::Text => "text".to_owned(),
        OptionType::Template => "text with {.field} holes".to_owned(),
        OptionType::Word(words) => words.join("|"),
        OptionType::Int => "int".to_owned(),
        OptionType::Bool => "bool".to_owned(),
        OptionType::Duration => "duration".to_owned(),
        OptionType::Size => "size".to_owned(),
        OptionType::Texts => "list of texts".to_owned(),
        OptionType::Path => "path".to_owned(),
        OptionType::Paths => "list of paths".to_owned(),
        OptionType::Files => "list of files or folders".to_owned(),
        OptionType::Fields => "list of fields".to_owned(),
        OptionType::Condition => "condition".to_owned(),
        OptionType::Exprs => "expression, or list of expressions".to_owned(),
        OptionType::Rate => "rate".to_owned(),
        OptionType::Secret => "secret".to_owned(),
        OptionType::Multiline => "preset, or list of presets".to_owned(),
    }
}

/// What `parse … as auto` does.
const TELLS: &str = "\
Every message is tried against formats in one order, the narrow ones first, and the first that fits takes it. So the
answer depends on the message alone: a stream with two formats on it is told message by message, and neither batches
nor a restart change what comes out.
Most formats are not tried. The first messages teach, once for all streams, which formats cannot take a text with such
a beginning and end; what is learnt changes what an answer costs, never the answer.
A stream is watched all the while: its leading format has the share of the last 64 messages that it took, which is how
sure the answer is, and another takes the lead, which counts as a change, once it has more than half of them.
`aludel parse --told FILE` says so for a file; the report of `aludel run` and the metrics aludel_pipeline_told_events,
aludel_pipeline_told_changes and aludel_stream_told_percent say it of streams.";

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end().to_owned()
}

fn of_auto() -> String {
    let count = grammar::order().count();
    let mut out = format!("auto\n  whichever of {count} formats takes the message\n\n{TELLS}\n\norder\n");
    for name in grammar::order() {
        let told = grammar::get(name).map_or(&[][..], Grammar::told);
        let told: Vec<_> = told.iter().map(|text| format!("{text:?}")).collect();
        let by =
            if told.is_empty() { String::new() } else { format!(", where it holds {}", told.join(" or ")) };
        let _ = writeln!(out, "  {name}{by}");
    }
    out
}

fn of_grammar(grammar: &Grammar) -> String {
    let mut out = format!("{}\n  {}\n", grammar.name(), grammar.summary());
    if !grammar.see().is_empty() {
        let _ = writeln!(out, "  {}", grammar.see());
    }
    out.push_str("\nfields\n");
    for field in grammar.fields() {
        let maybe = if field.maybe { ", not in every event" } else { "" };
        let _ = writeln!(out, "  .{}: {}{maybe}", field.path, field.ty);
    }
    out.push_str("\nsamples\n");
    for (line, text) in grammar.samples() {
        let _ = writeln!(out, "  {line}: {text}");
    }
    out
}
