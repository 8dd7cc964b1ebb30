//! `aludel explain --profile`: what each part of a pipeline costs on recorded bytes, and what to change.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;

use crate::cli::{WRONG_USAGE, load};
use crate::lang;
use crate::profile::{Subject, profile};
use crate::seam::RealClock;

#[derive(Debug, Args)]
pub(super) struct Profile {
    /// Run recorded files through the pipeline file, and show what each step takes and lets through, and what to
    /// change. Nothing is sent
    #[arg(long, requires = "input")]
    profile: bool,
    /// Recorded files to profile with, in the format of the source, read one after the other
    #[arg(long, requires = "profile", num_args = 1.., value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The source that they stand for, where the pipeline file has several
    #[arg(long, requires = "profile", value_name = "NAME")]
    source: Option<String>,
    /// The path under which the pipeline sees the input, in place of its own
    #[arg(long = "as", requires = "profile", value_name = "PATH")]
    path: Option<String>,
    /// Read the input so many times for the times shown; without it, until half a second was measured
    #[arg(long, requires = "profile", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
}

impl Profile {
    /// Whether there is something to profile.
    pub(super) fn is_asked(&self) -> bool {
        self.profile
    }

    pub(super) fn run(&self, names: &[String]) -> anyhow::Result<ExitCode> {
        let [name] = names else { bail!("one pipeline file is profiled at a time") };
        let texts = load::texts(&[PathBuf::from(name)])?;
        let [text] = &texts[..] else { bail!("{name} holds several pipeline files; name one") };
        let checked = load::check(text);
        load::show(&checked.report);
        // Building takes a plan, and the outline borrows one.
        let (Some(plan), Some(built)) = (checked.plan, load::check(text).plan) else {
            return Ok(ExitCode::from(WRONG_USAGE));
        };
        let sources: Vec<_> = plan.sources.iter().map(|source| source.name.as_str()).collect();
        let source = load::choose("source", &sources, self.source.as_deref())?;
        let (_, unix_ns) = load::recordings(&self.input, self.path.as_deref())?;
        let subject = Subject {
            outline: &lang::outline(&checked.file, &plan, &text.source.text),
            source,
            recordings: &|| {
                let opened = load::recordings(&self.input, self.path.as_deref());
                opened.map(|(recordings, _)| recordings).map_err(|error| format!("{error:#}"))
            },
            unix_ns,
            repeat: self.repeat,
        };
        let files: Vec<_> = self.input.iter().map(|file| file.display().to_string()).collect();
        let shown = profile(&subject, built, Arc::new(RealClock::start())).map_err(anyhow::Error::msg)?;
        crate::cli::print(&format!(
            "{name} over {}, as source {}\n{shown}",
            files.join(", "),
            sources[source]
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
