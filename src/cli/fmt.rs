//! `aludel fmt`: the one way to lay out a pipeline file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::{WRONG_USAGE, complain, load};
use crate::diag::Report;
use crate::lang;

/// Format pipeline files
#[derive(Debug, Args)]
pub(super) struct Fmt {
    /// Pipeline files, or folders with `*.aludel` files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; fail when a file is not formatted
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for text in load::texts(&self.files)? {
            let (file, diagnostics) = lang::parse(&text.source.text);
            let report = Report { source: text.source.clone(), diagnostics };
            if report.has_errors() {
                load::show(&report);
                code = ExitCode::from(WRONG_USAGE);
                continue;
            }
            let formatted = lang::print(&file, &text.source.text);
            if formatted == text.source.text {
                continue;
            }
            if self.check {
                complain(&format!("{} is not formatted; `aludel fmt` does it", text.path.display()));
                code = ExitCode::FAILURE;
                continue;
            }
            // Beside the file, then over it: a full disk leaves the old text.
            let aside = text.path.with_extension("aludel.tmp");
            std::fs::write(&aside, formatted)
                .and_then(|()| std::fs::rename(&aside, &text.path))
                .with_context(|| format!("cannot write {}", text.path.display()))?;
        }
        Ok(code)
    }
}
