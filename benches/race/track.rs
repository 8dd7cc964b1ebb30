//! What every measure begins with: who races, on which cores, in which folders.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::arguments::Options;
use crate::contestant::{self, Contestant};
use crate::course::Course;
use crate::{machine, process, workload};

/// The core of sink and writer; contestants have the one before it.
const SINK_CORE: usize = 1;

/// Finds the contestants, puts this process onto its core, and lets all open as many files as they may.
pub(crate) fn prepare(options: &Options) -> io::Result<Vec<Contestant>> {
    let contestants = contestant::find(options)?;
    if options.cores == 1 {
        process::settle(SINK_CORE)?;
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    fs::create_dir_all(&options.out)?;
    Ok(contestants)
}

/// Puts what was measured into `race.json`, in place of what stood there under that name.
pub(crate) fn save(
    options: &Options,
    contestants: &[Contestant],
    measure: &str,
    figures: Value,
) -> io::Result<()> {
    let path = options.out.join("race.json");
    let mut all =
        fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_else(|| json!({}));
    let versions: serde_json::Map<_, _> =
        contestants.iter().map(|one| (one.name.to_owned(), Value::from(one.version.clone()))).collect();
    all[measure] = json!({
        "machine": machine::facts(),
        "contestants": versions,
        "options": {
            "mib": options.mib, "files": options.files, "seed": options.seed, "runs": options.runs,
            "cores": options.cores, "shape": format!("{:?}", options.shape).to_lowercase(), "data": options.data,
        },
        "figures": figures,
    });
    fs::write(&path, serde_json::to_string_pretty(&all)?)?;
    writeln!(io::stdout(), "\n{}", path.display())
}

/// The folder with the input, written if it is not there yet.
pub(crate) fn data(options: &Options, course: &Course) -> io::Result<PathBuf> {
    let folder = match &options.data {
        Some(folder) => folder.clone(),
        None => workload::generate(&options.spec(course.kind), &options.out.join("data"))?,
    };
    fs::canonicalize(folder)
}

/// An empty work folder.
pub(crate) fn work(options: &Options, name: &str) -> io::Result<PathBuf> {
    let work = options.out.join("work").join(name);
    match fs::remove_dir_all(&work) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(&work)?,
    }
    fs::canonicalize(work)
}

/// The cores of a contestant.
pub(crate) fn cores(options: &Options) -> String {
    (0..options.cores.max(1)).map(|core| core.to_string()).collect::<Vec<_>>().join(",")
}
