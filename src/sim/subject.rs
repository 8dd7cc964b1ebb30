//! What is simulated: a compiled pipeline file, and for each of its sources and sinks what stands on the other side.
//!
//! To plug in a new kind of sink, add where its rows end up to [`Destination`], and say in `check.rs` how rows are
//! read back from there. A new kind of source needs a [`Feed`], and in `writers.rs` programs that write to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::{self, Runnable};
use crate::event::Options;
use crate::lang::plan::ALERTS;
use crate::lang::{self, Plan};
use crate::spool::alert_folder;

/// Where relative paths start on the virtual disk.
const ROOT: &str = "/work";

/// The data folder on the virtual disk.
pub(super) const DATA: &str = "/var/lib/aludel";

/// The end of the names that the compiler gives to what carries a pipeline's alerts.
pub(super) const OF_ALERTS: &str = ".alerts";

/// Where rows of a sink end up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A simulated cluster with these nodes.
    Cluster(Vec<String>),
    /// An archive of Parquet files below this folder.
    Archive(PathBuf),
    /// Lines in a file.
    Lines(PathBuf),
    /// Standard output.
    Output,
    /// The state of detectors, whose alerts are in this folder.
    Detectors(PathBuf),
    /// Nowhere: only the books are checked.
    Nowhere,
}

impl Destination {
    /// Whether each row must be there once, whatever fails; else a crash may repeat rows.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Cluster(_) | Self::Archive(_) | Self::Detectors(_))
    }

    /// Whether rows come in the order in which they were read.
    pub fn is_ordered(&self) -> bool {
        matches!(self, Self::Lines(_) | Self::Output)
    }
}

/// How a program writes its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Plain,
    /// Kubernetes CRI.
    Cri,
    /// Docker's json-file driver.
    Docker,
}

/// What comes into a source.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Patterns of its files.
    pub globs: Vec<String>,
    /// How lines may be wrapped.
    pub forms: Vec<Form>,
}

/// A pipeline file with what stands around it.
pub struct Subject {
    /// What runs.
    pub plan: Arc<Runnable>,
    /// By the number of the source.
    pub feeds: Vec<Feed>,
    /// By the number of the sink.
    pub destinations: Vec<Destination>,
}

impl Subject {
    /// The parts of a checked plan. The error names what cannot be simulated.
    pub fn new(mut plan: Plan) -> Result<Self, String> {
        catalog::root_paths(&mut plan, Path::new(ROOT));
        let feeds = plan.sources.iter().map(|of| feed(&of.name, of.kind, &of.options));
        let feeds = feeds.collect::<Result<_, _>>()?;
        let destinations = plan.sinks.iter().map(|of| destination(&of.name, of.kind, &of.options));
        let destinations = destinations.collect::<Result<_, _>>()?;
        Ok(Self { plan: Arc::new(catalog::build(plan)?), feeds, destinations })
    }
}

fn feed(name: &str, kind: &str, options: &Options) -> Result<Feed, String> {
    if kind == ALERTS {
        // What detectors raise comes into it, and nothing from elsewhere.
        return Ok(Feed { globs: Vec::new(), forms: Vec::new() });
    }
    if kind != "files" {
        return Err(format!("source {name}: `{kind}` cannot be simulated, only `files` can"));
    }
    let forms = match options.text("format") {
        Some("lines") => vec![Form::Plain],
        Some("cri") => vec![Form::Cri],
        Some("docker") => vec![Form::Docker],
        _ => vec![Form::Plain, Form::Cri, Form::Docker],
    };
    Ok(Feed { globs: options.arguments.clone(), forms })
}

fn destination(name: &str, kind: &str, options: &Options) -> Result<Destination, String> {
    let path = || options.arguments.first().map_or_else(PathBuf::new, PathBuf::from);
    Ok(match kind {
        "elasticsearch" => {
            let urls = options.arguments.iter().flat_map(|urls| urls.split(','));
            Destination::Cluster(urls.map(|url| url.trim().trim_end_matches('/').to_owned()).collect())
        }
        "parquet" => Destination::Archive(path()),
        "file" => Destination::Lines(path()),
        "stdout" => Destination::Output,
        ALERTS => Destination::Detectors(alert_folder(Path::new(DATA), name.trim_end_matches(OF_ALERTS))),
        "blackhole" => Destination::Nowhere,
        _ => return Err(format!("sink {name}: `{kind}` cannot be simulated")),
    })
}

/// The pipeline files that come with the simulation.
const EMBEDDED: &[&str] = &[
    include_str!("subjects/elasticsearch.aludel"),
    include_str!("subjects/parquet.aludel"),
    include_str!("subjects/file.aludel"),
    include_str!("subjects/all.aludel"),
    include_str!("subjects/detectors.aludel"),
    include_str!("subjects/users.aludel"),
];

/// The subjects that come with the simulation.
pub fn embedded() -> Result<Vec<Subject>, String> {
    EMBEDDED.iter().map(|text| Subject::compile(text)).collect()
}

impl Subject {
    /// Compiles a pipeline file. The error is its first.
    pub fn compile(text: &str) -> Result<Self, String> {
        let machine = catalog::Machine { folder: ROOT.into() };
        let (_, plan, diagnostics) = lang::compile(text, &catalog::signatures(), &machine);
        match plan {
            Some(plan) => Self::new(plan),
            None => Err(diagnostics.first().map_or_else(String::new, |first| first.message.clone())),
        }
    }
}
