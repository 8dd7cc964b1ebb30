//! The `files` source: tails log files through rotation, truncation, removal and restarts.
//!
//! In: path patterns. Out: messages of one stream per file generation, each byte in exactly one range or gap.
//! Finding files is [`sweep`] over [`glob`], with hints of [`watch`]; what a file is to us is decided in [`adopt`],
//! [`leave`] and [`copies`], and kept in [`identity`]; [`packed`] shows a compressed file as the file it was made of;
//! [`turn`] reads, [`restart`] knows where framing could begin anew; [`state`] puts them in order.

mod adopt;
mod catch_up;
mod config;
mod copies;
mod facts;
mod glob;
mod identity;
mod leave;
mod original;
mod orphan;
mod output;
mod packed;
mod parked;
pub(super) mod restart;
mod state;
mod sweep;
mod table;
mod tail;
mod turn;
mod watch;

use std::sync::Arc;

use super::{Source, SourceKind, SourcePlan, World};
use crate::event::Options;
use crate::frame::{self, FrameConfig};
use crate::position::Resume;
use crate::signature::{OptionSpec, OptionType, Signature};

const OWN: &[OptionSpec] = &[
    OptionSpec {
        name: "exclude",
        ty: OptionType::Texts,
        default: Some("[]"),
        doc: "Paths to leave out, with all below them. A pattern without a slash is about the last name: `*.gz`.",
    },
    OptionSpec {
        name: "start",
        ty: OptionType::Word(&["beginning", "end"]),
        default: Some("beginning"),
        doc: "Where to begin in files that are there when the source is started for the first time. Files that come later are read from their beginning, known files go on where they were left.",
    },
    OptionSpec {
        name: "sweep",
        ty: OptionType::Duration,
        default: Some("1s"),
        doc: "How often files are looked for and at. Where inotify tells of changes this is only needed every 10 seconds; a sweep never takes more than a hundredth of a core.",
    },
    OptionSpec {
        name: "orphans",
        ty: OptionType::Size,
        default: Some("1GiB"),
        doc: "Bytes of removed files that are copied to the data folder until they are settled, so that they outlive this process. Beyond that they are read as long as it runs, and would be a gap after its end.",
    },
    OptionSpec {
        name: "line_wait",
        ty: OptionType::Duration,
        default: Some("5s"),
        doc: "How long a last line without a line feed is held before it is a message. What is added later is a message of its own.",
    },
];

const OPTIONS: [OptionSpec; OWN.len() + frame::OPTIONS.len()] = {
    let mut all = [OWN[0]; OWN.len() + frame::OPTIONS.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OWN.len() { OWN[at] } else { frame::OPTIONS[at - OWN.len()] };
        at += 1;
    }
    all
};

static SIGNATURE: Signature = Signature {
    name: "files",
    summary: "Tails files: globs, rotation, truncation, restarts.",
    doc: "`files \"/var/log/*.log\", \"/srv/**/app.log\"`. `*` and `?` stay within a folder, `**` is any number \
          of folders, `{a,b}` is either. Symbolic links are followed.\n\n\
          A file is known by device, inode and birth time, and by its bytes where those are not enough, so that \
          it is read once under whatever name. A renamed or removed file is read to its end. Of a file that is \
          copied and truncated, the copy is read where it lies beside it; what cannot be read any more is \
          reported as a gap. Exclude such copies: `exclude = [\"*.1\"]`.\n\n\
          A file that rotation has compressed (`.gz`, `.zst`) is the same stream: reading goes on in it, at the \
          position in the uncompressed bytes, where the file itself was lost, and it is not read again where it \
          was not. A compressed file of no known stream is read as a stream of its own.",
    form: "files \"PATTERN\", … { … }",
    options: &OPTIONS,
    examples: &[],
};

/// The `files` source, for the catalog.
pub const KIND: SourceKind = SourceKind { signature: &SIGNATURE, plan };

struct Plan(Arc<config::Config>);

fn plan(name: &str, options: &Options) -> Result<Box<dyn SourcePlan>, String> {
    Ok(Box::new(Plan(Arc::new(config::Config::new(name, options)?))))
}

/// Reads the segments of a folder within the data folder, which a source of users never does.
pub(super) fn open_own(
    name: &str,
    pattern: &std::path::Path,
    (start_at_end, frame): (bool, FrameConfig),
    world: World,
    resume: Arc<dyn Resume>,
) -> Result<Box<dyn Source>, String> {
    let text = pattern.to_str().ok_or_else(|| format!("{} is not UTF-8", pattern.display()))?;
    let options = Options::new(vec![text.to_owned()], Vec::new());
    let config = config::Config {
        start_at_end,
        frame: Arc::new(frame),
        own: true,
        ..config::Config::new(name, &options)?
    };
    Ok(Box::new(state::Files::open(Arc::new(config), world, resume)?))
}

impl SourcePlan for Plan {
    fn open(&self, world: World, resume: Arc<dyn Resume>) -> Result<Box<dyn Source>, String> {
        Ok(Box::new(state::Files::open(self.0.clone(), world, resume)?))
    }

    fn place(&self) -> String {
        self.0.texts.join(", ")
    }
}
