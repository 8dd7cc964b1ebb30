//! `aludel check`: every error of pipeline files, and nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{WRONG_USAGE, load};
use crate::catalog;

/// Check pipeline files and report every error
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Pipeline files, or folders with `*.aludel` files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for text in load::texts(&self.files)? {
            let checked = load::check(&text);
            load::show(&checked.report);
            match checked.plan.map(catalog::build) {
                Some(Ok(plan)) => {
                    let path = text.path.display();
                    plan.data
                        .said()
                        .iter()
                        .for_each(|said| super::complain(&format!("warning: {path}: {said}")));
                    super::print(&format!(
                        "{path}: {} pipelines, {} sources, {} sinks\n",
                        plan.pipelines.len(),
                        plan.sources.len(),
                        plan.sinks.len()
                    ))?;
                }
                Some(Err(error)) => {
                    super::complain(&format!("error: {}: {error}", text.path.display()));
                    code = ExitCode::from(WRONG_USAGE);
                }
                None => code = ExitCode::from(WRONG_USAGE),
            }
        }
        Ok(code)
    }
}
