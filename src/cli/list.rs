//! `aludel list`: what there is, a line each.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::{catalog, detect, enrich, expr, format, grammar, lang, step};

/// List functions, steps, sources, sinks, formats, grammars, enrichers, detectors or error codes
#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Functions,
    Steps,
    Sources,
    Sinks,
    Formats,
    Grammars,
    Enrichers,
    Detectors,
    Codes,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let lines: Vec<(String, String)> = match self.what {
            What::Functions => signatures(expr::functions().iter().map(|function| function.signature)),
            What::Steps => signatures(step::SIGNATURES.iter().copied()),
            What::Sources => signatures(catalog::SOURCES.iter().map(|kind| kind.signature)),
            What::Sinks => signatures(catalog::SINKS.iter().map(|kind| kind.signature)),
            What::Formats => signatures(format::formats().iter().map(|kind| kind.signature)),
            What::Grammars => grammar::all()
                .iter()
                .map(|grammar| (grammar.name().to_owned(), grammar.summary().to_owned()))
                .collect(),
            What::Enrichers => signatures(enrich::ENRICHERS.iter().map(|kind| kind.signature)),
            What::Detectors => signatures(detect::signatures()),
            What::Codes => {
                lang::codes::ALL.iter().map(|(code, doc)| (code.0.to_owned(), (*doc).to_owned())).collect()
            }
        };
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let text: String = lines.iter().map(|(name, doc)| format!("{name:<width$}  {doc}\n")).collect();
        super::print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn signatures(of: impl IntoIterator<Item = &'static crate::signature::Signature>) -> Vec<(String, String)> {
    of.into_iter()
        .map(|signature| {
            let form = if signature.form.is_empty() { signature.name } else { signature.form };
            (form.to_owned(), signature.summary.to_owned())
        })
        .collect()
}
