//! The `journald` source: reads systemd's journal files as they are, without asking journald or running a program.
//!
//! In: folders of journal files. Out: an entry each, as a line of JSON with names of the Elastic Common Schema. A file
//! is a stream and can be read again, so nothing is copied. [`format`](mod@format) is how bytes lie in a file, [`tail`]
//! reads one, [`state`] all of them.

mod fields;
mod format;
mod lz4;
mod state;
mod tail;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Source, SourceKind, SourcePlan, World};
use crate::event::Options;
use crate::position::Resume;
use crate::signature::{OptionSpec, OptionType, Signature};

/// Where journald keeps its files: on disk, and in memory where it keeps none there.
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

/// Shortest time between two sweeps.
const SWEEP_MIN: Duration = Duration::from_millis(10);

/// Severities by their code, with the words that the `syslog` format has for `log.level`.
const LEVELS: &[&str] = &["emerg", "alert", "critical", "error", "warning", "notice", "info", "debug"];

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "units",
        ty: OptionType::Texts,
        default: Some("[]"),
        doc: "Only entries of these units, or about them; `.service` is added to a name without a dot. All where the list is empty.",
    },
    OptionSpec {
        name: "identifiers",
        ty: OptionType::Texts,
        default: Some("[]"),
        doc: "Only entries with these syslog identifiers. With `units`, either is enough.",
    },
    OptionSpec {
        name: "priority",
        ty: OptionType::Word(LEVELS),
        default: Some("debug"),
        doc: "Only entries at least as severe. One without a priority counts as `info`.",
    },
    OptionSpec {
        name: "start",
        ty: OptionType::Word(&["beginning", "end"]),
        default: Some("beginning"),
        doc: "Where to begin in files that are there when the source is started for the first time.",
    },
    OptionSpec {
        name: "sweep",
        ty: OptionType::Duration,
        default: Some("1s"),
        doc: "How often files are looked for and at; where inotify tells of changes, they are read at once.",
    },
];

static SIGNATURE: Signature = Signature {
    name: "journald",
    summary: "Reads systemd's journal files.",
    doc: "`journald` reads `/var/log/journal` and `/run/log/journal`, `journald \"/mnt/journal\"` that folder; the process \
          needs leave to read it (the group `systemd-journal`). Files are read natively: all layouts up to compact, \
          fields compressed with zstd or LZ4, not XZ. Rotated files are read to their end.\n\n\
          `.message` is the entry as a JSON object with names of the Elastic Common Schema: write \
          `parse .message as json`, and `.message` is what the program said. `@timestamp` is when it said that, \
          `event.created` when journald received it. Fields without a name in the schema are below `.journald`, in \
          lower case. Longer fields than `MESSAGE` may be are cut off and named in `.journald.cut`.",
    form: "journald \"FOLDER\", … { … }",
    options: OPTIONS,
    examples: &[],
};

/// The `journald` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

/// What the source is told, checked.
#[derive(Debug)]
struct Config {
    name: String,
    folders: Vec<PathBuf>,
    filter: Filter,
    start_at_end: bool,
    sweep: Duration,
}

struct Plan(Arc<Config>);

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    let given = options.arguments.iter().map(PathBuf::from);
    let folders: Vec<_> = if options.arguments.is_empty() {
        FOLDERS.iter().map(PathBuf::from).collect()
    } else {
        given.collect()
    };
    let sweep = options.duration("sweep").unwrap_or(Duration::from_secs(1));
    if sweep < SWEEP_MIN {
        return Err(format!("sweep is at least {} ms", SWEEP_MIN.as_millis()));
    }
    Ok(Box::new(Plan(Arc::new(Config {
        name: name.into(),
        folders,
        filter: Filter::new(options),
        start_at_end: options.text("start") == Some("end"),
        sweep,
    }))))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        Ok(Box::new(state::Journald::open(self.0.clone(), world, resume)))
    }

    fn place(&self) -> String {
        let folders: Vec<_> = self.0.folders.iter().map(|folder| folder.display().to_string()).collect();
        folders.join(", ")
    }
}

/// Which entries are wanted.
#[derive(Debug)]
struct Filter {
    /// `NAME=value` of which one is enough.
    any: Vec<Vec<u8>>,
    priority_max: u8,
}

/// Fields that tell of which unit an entry is, or about which the manager, a coredump or somebody else wrote it.
const UNIT_FIELDS: [&str; 6] =
    ["_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "UNIT", "USER_UNIT", "COREDUMP_UNIT", "OBJECT_SYSTEMD_UNIT"];

impl Default for Filter {
    /// All of them.
    fn default() -> Self {
        Self { any: Vec::new(), priority_max: u8::MAX }
    }
}

impl Filter {
    fn new(options: &Options) -> Self {
        let unit = |unit: &String| if unit.contains('.') { unit.clone() } else { format!("{unit}.service") };
        let units = options.texts("units").iter().map(unit);
        let units = units.flat_map(|unit| UNIT_FIELDS.map(|field| format!("{field}={unit}")));
        let identifiers = options.texts("identifiers").iter().map(|name| format!("SYSLOG_IDENTIFIER={name}"));
        let priority = LEVELS.iter().position(|word| options.text("priority") == Some(word));
        Self {
            any: units.chain(identifiers).map(String::into_bytes).collect(),
            priority_max: priority.unwrap_or(LEVELS.len() - 1) as u8,
        }
    }

    /// Begins to look at an entry.
    fn look(&self) -> Look<'_> {
        Look { filter: self, named: self.any.is_empty(), priority: 6 }
    }
}

/// An entry as the filter sees it.
struct Look<'a> {
    filter: &'a Filter,
    named: bool,
    priority: u8,
}

impl Look<'_> {
    fn field(&mut self, field: &[u8]) {
        self.named = self.named || self.filter.any.iter().any(|wanted| wanted == field);
        if let Some([digit @ b'0'..=b'7']) = field.strip_prefix(b"PRIORITY=") {
            self.priority = digit - b'0';
        }
    }

    fn is_wanted(&self) -> bool {
        self.named && self.priority <= self.filter.priority_max
    }
}

#[cfg(test)]
mod tests;
