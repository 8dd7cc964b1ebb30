//! The options of a `files` source, checked.

use std::path::{PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::glob::{Excludes, Pattern};
use crate::event::Options;
use crate::frame::FrameConfig;
use crate::limits::{OPEN_FILES_MAX, ORPHAN_BYTES};

/// Most often that all files may be swept.
const SWEEP_MIN: Duration = Duration::from_millis(10);

/// What a source is told to do.
pub(super) struct Config {
    pub(super) name: String,
    pub(super) texts: Vec<String>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) excludes: Excludes,
    pub(super) start_at_end: bool,
    pub(super) sweep: Duration,
    pub(super) line_wait: Duration,
    pub(super) orphan_bytes: u64,
    pub(super) open_max: usize,
    pub(super) frame: Arc<FrameConfig>,
    /// What is read are records within the data folder.
    pub(super) own: bool,
}

impl Config {
    /// Checks the options; the error is a sentence for the one who wrote them.
    pub(super) fn new(name: &str, options: &Options) -> Result<Self, String> {
        if options.arguments.is_empty() {
            return Err("`files` needs at least one path, as in files \"/var/log/*.log\"".into());
        }
        // Events carry the whole path, wherever the process was started.
        let whole = |text: &String| {
            let path = absolute(PathBuf::from(text)).map_err(|error| format!("`{text}`: {error}"))?;
            Pattern::parse(path.to_str().unwrap_or(text))
        };
        let sweep = options.duration("sweep").unwrap_or(Duration::from_secs(1));
        if sweep < SWEEP_MIN {
            return Err(format!("sweep is at least {} ms", SWEEP_MIN.as_millis()));
        }
        Ok(Self {
            name: name.into(),
            texts: options.arguments.clone(),
            patterns: options.arguments.iter().map(whole).collect::<Result<_, _>>()?,
            excludes: Excludes::parse(options.texts("exclude"))?,
            start_at_end: options.text("start") == Some("end"),
            sweep,
            line_wait: options.duration("line_wait").unwrap_or(Duration::from_secs(5)),
            orphan_bytes: orphan_bytes(options)?,
            open_max: open_max(),
            frame: Arc::new(FrameConfig::from_options(options)?),
            own: false,
        })
    }
}

fn orphan_bytes(options: &Options) -> Result<u64, String> {
    let given = options.int("orphans").unwrap_or(ORPHAN_BYTES as i64);
    u64::try_from(given).map_err(|_| format!("orphans is a size, not {given}"))
}

/// Descriptors that one source may hold: half of what the process may, so that others have some too. The soft
/// limit is raised to the hard one first: it is low for programs that use `select`, which this one does not.
fn open_max() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit = raised;
    }
    let allowed = limit.current.map_or(OPEN_FILES_MAX as u64, |current| current / 2);
    OPEN_FILES_MAX.min(allowed as usize).max(8)
}
