//! From paths to a plan that runs: reads pipeline files, checks them, and shows everything that is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{colour, complain};
use crate::catalog::{self, Runnable};
use crate::diag::{Report, SourceText, render};
use crate::grammar;
use crate::lang::{self, Plan, ast};
use crate::limits::SOURCE_TEXT_BYTES_MAX;
use crate::seam::{Fs, RealFs};
use crate::source::recorded::Recording;

/// Bytes of the hash that names the version of pipeline files.
const VERSION_BYTES: usize = 6;

/// A pipeline file that was read.
pub(super) struct Text {
    /// Its path as given.
    pub(super) path: PathBuf,
    /// Its text, with the name for errors.
    pub(super) source: Arc<SourceText>,
}

/// The pipeline files that paths name: files as they are, folders by their `*.aludel` files, sorted.
pub(super) fn texts(paths: &[PathBuf]) -> anyhow::Result<Vec<Text>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<_> = std::fs::read_dir(path)
                .with_context(|| format!("cannot list {}", path.display()))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "aludel"))
                .collect();
            if inside.is_empty() {
                bail!("{} holds no *.aludel file", path.display());
            }
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    files.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> anyhow::Result<Text> {
    let shown = path.display();
    let size = std::fs::metadata(&path).with_context(|| format!("cannot read {shown}"))?.len();
    if size > SOURCE_TEXT_BYTES_MAX as u64 {
        bail!("{shown} has {size} bytes; a pipeline file may have {SOURCE_TEXT_BYTES_MAX}");
    }
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {shown}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        anyhow::anyhow!("{shown} is not UTF-8 (at byte {})", error.utf8_error().valid_up_to())
    })?;
    let source = Arc::new(SourceText { name: path.to_string_lossy().into_owned(), text });
    Ok(Text { path, source })
}

/// A checked file: its tree, its plan where it has no errors, and what is to say of it.
pub(super) struct Checked {
    /// The tree.
    pub(super) file: ast::File,
    /// The plan.
    pub(super) plan: Option<Plan>,
    /// Errors and warnings.
    pub(super) report: Report,
}

/// Checks one file.
pub(super) fn check(text: &Text) -> Checked {
    let folder = text.path.parent().unwrap_or(Path::new("")).to_path_buf();
    let machine = catalog::Machine { folder };
    let (file, mut plan, diagnostics) = lang::compile(&text.source.text, &catalog::signatures(), &machine);
    if let Some(plan) = &mut plan {
        catalog::root_paths(plan, &machine.folder);
    }
    let report = Report { source: text.source.clone(), diagnostics };
    Checked { file, plan, report }
}

/// Shows what is wrong with a file.
pub(super) fn show(report: &Report) {
    if !report.diagnostics.is_empty() {
        complain(render(report, colour()).trim_end());
    }
}

/// Reads and checks all files and makes one plan of them. `None` when any has errors, which have been shown.
pub(super) fn load(paths: &[PathBuf]) -> anyhow::Result<Option<Runnable>> {
    let mut all = Plan::default();
    let mut whole = true;
    let mut version = Sha256::new();
    for text in texts(paths)? {
        version.update((text.source.text.len() as u64).to_be_bytes());
        version.update(&text.source.text);
        let checked = check(&text);
        show(&checked.report);
        match checked.plan {
            Some(plan) => all.append(plan).map_err(anyhow::Error::msg)?,
            None => whole = false,
        }
    }
    if !whole {
        return Ok(None);
    }
    if all.pipelines.is_empty() {
        bail!("there is no pipeline to run");
    }
    let mut plan = catalog::build(all).map_err(anyhow::Error::msg)?;
    plan.version = HEXLOWER.encode(version.finalize().get(..VERSION_BYTES).unwrap_or_default());
    Ok(Some(plan))
}

/// The number of a name in a list; where none is given, of the only one that a person wrote: those of the compiler have a
/// dot.
pub(super) fn choose(what: &str, names: &[&str], name: Option<&str>) -> anyhow::Result<usize> {
    if let Some(name) = name {
        let at = names.iter().position(|known| *known == name);
        return at.with_context(|| format!("there is no {what} `{name}`; there are: {}", names.join(", ")));
    }
    let written: Vec<_> = names.iter().enumerate().filter(|(_, name)| !name.contains('.')).collect();
    match written[..] {
        [(at, _)] => Ok(at),
        _ => {
            let names: Vec<_> = written.into_iter().map(|(_, name)| *name).collect();
            bail!("there are several {what}s, say which: {}", names.join(", "))
        }
    }
}

/// Reads the grammars of a folder, beside those that come with aludel. False where one has errors, which are shown.
pub(super) fn grammars(folder: &Path) -> anyhow::Result<bool> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths: Vec<_> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "grammar"))
        .collect();
    paths.sort();
    let (mut loaded, mut good) = (Vec::new(), true);
    for path in paths {
        let text = read(path)?;
        match grammar::Grammar::load(&text.source.name, &text.source.text) {
            Ok(grammar) => loaded.push(grammar),
            Err(report) => {
                complain(render(&report, colour()).trim_end());
                good = false;
            }
        }
    }
    if good {
        grammar::install(loaded).map_err(anyhow::Error::msg)?;
    }
    Ok(good)
}

/// Files as recordings, and when the newest of them was last changed (nanoseconds since the epoch). `path` is the
/// path under which a pipeline sees them, in place of their own.
pub(super) fn recordings(files: &[PathBuf], path: Option<&str>) -> anyhow::Result<(Vec<Recording>, i64)> {
    let (mut recordings, mut newest) = (Vec::new(), 0);
    for file in files {
        let (recording, modified_ns) = recording(file, path)?;
        newest = newest.max(modified_ns);
        recordings.push(recording);
    }
    Ok((recordings, newest))
}

/// A file as a recording, and when it was last changed.
fn recording(file: &Path, path: Option<&str>) -> anyhow::Result<(Recording, i64)> {
    let shown = file.display();
    let stat = RealFs.stat(file).with_context(|| format!("cannot read {shown}"))?;
    if stat.kind != crate::seam::FileKind::File {
        bail!("{shown} is not a file");
    }
    let opened = RealFs.open(file).with_context(|| format!("cannot read {shown}"))?;
    let path = path.map_or_else(|| file.to_string_lossy().into_owned(), str::to_owned);
    Ok((Recording { path, file: opened, size: stat.size }, stat.modified_ns))
}
