//! The command line of the race.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::sink::server::Health;
use crate::workload::{Kind, Shape, Spec};

/// The race: aludel, the ceiling and other shippers over the same logs into the same counting sink.
///
/// Start it with `benches/race/run`, which builds what it needs.
#[derive(Parser)]
#[command(name = "race", bin_name = "benches/race/run")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Everything at once: what was delivered, and what it cost
    Throughput(Options),
    /// From the write of a line to its arrival, at a steady rate
    Delay(Steady),
    /// How long it takes after an outage of the sink until everything is there
    Outage(Outage),
    /// What tailing files costs that nobody writes to
    Idle(Idle),
    /// Files of several formats, rotated while they are read
    Rotation(Rotation),
    /// What an event costs aludel with more cores, files, bytes, fields, steps, rules and pipelines
    Scaling(Options),
    /// Runs one of the ceiling programs; the race starts itself so
    Ceiling {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Writes a workload's files and says what they hold
    Generate(Generate),
}

/// What a race is run with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Workloads, with commas between; `mixed` is not among the usual ones
    #[arg(long, value_delimiter = ',', default_values = ["W1", "W1z", "W2", "W3", "W4", "W5"])]
    pub(crate) workloads: Vec<String>,
    /// Who races, with commas between: all that are found if not given
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// A peer's program, where it is not on the path: `vector=/opt/vector/bin/vector`
    #[arg(long = "peer", value_name = "NAME=PATH")]
    pub(crate) peers: Vec<String>,
    /// Another aludel than the one that was built with this
    #[arg(long, value_name = "PATH")]
    pub(crate) aludel: Option<PathBuf>,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// Cores of the contestant: 1 has the sink on another one, 2 shares both with it
    #[arg(long, default_value_t = 1)]
    pub(crate) cores: usize,
    /// Size of the input
    #[arg(long, default_value_t = 64)]
    pub(crate) mib: usize,
    /// Number of files
    #[arg(long, default_value_t = 4)]
    pub(crate) files: usize,
    /// Another seed gives other lines
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Shape of the lines
    #[arg(long, value_enum, default_value_t)]
    pub(crate) shape: Shape,
    /// A folder with `containers/*.log` made elsewhere, instead of a generated one
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Folder for data, work and reports
    #[arg(long, default_value = "target/race")]
    pub(crate) out: PathBuf,
    /// Seconds without a new event after which a run is over
    #[arg(long, default_value_t = 15)]
    pub(crate) patience: u64,
}

impl Options {
    /// What to generate of one kind.
    pub(crate) fn spec(&self, kind: Kind) -> Spec {
        Spec { kind, shape: self.shape, kib: self.mib * 1024, files: self.files, seed: self.seed }
    }
}

/// A steady writer.
#[derive(Args, Clone, Debug)]
pub(crate) struct Steady {
    #[command(flatten)]
    pub(crate) options: Options,
    /// MB per second that are written; half of what the contestant takes, measured before, if not given
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Seconds of writing
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
}

/// A steady writer, and a sink that fails for a while.
#[derive(Args, Clone, Debug)]
pub(crate) struct Outage {
    #[command(flatten)]
    pub(crate) options: Options,
    /// MB per second that are written
    #[arg(long, default_value_t = 2.0)]
    pub(crate) rate: f64,
    /// Seconds of writing before the outage, and after it
    #[arg(long, default_value_t = 5)]
    pub(crate) around: u64,
    /// Seconds of the outage
    #[arg(long, default_value_t = 10)]
    pub(crate) outage: u64,
    /// How the sink fails
    #[arg(long, value_enum, default_value = "refuse")]
    pub(crate) how: Health,
}

/// Files that nobody writes to.
#[derive(Args, Clone, Debug)]
pub(crate) struct Idle {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Numbers of files, with commas between
    #[arg(long, value_delimiter = ',', default_values_t = [1, 1_000, 10_000])]
    pub(crate) idle_files: Vec<usize>,
    /// Seconds of looking on
    #[arg(long, default_value_t = 20)]
    pub(crate) seconds: u64,
}

/// Files that are rotated.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rotation {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Number of files
    #[arg(long, default_value_t = 100)]
    pub(crate) mixed_files: usize,
    /// MB per second that are written
    #[arg(long, default_value_t = 20.0)]
    pub(crate) rate: f64,
}

/// What to generate.
#[derive(Args)]
pub(crate) struct Generate {
    /// What the lines are
    #[arg(value_enum)]
    kind: KindName,
    /// Size of all files together
    #[arg(long, default_value_t = 64)]
    mib: usize,
    /// Number of files
    #[arg(long, default_value_t = 4)]
    files: usize,
    /// Another seed gives other lines
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shape of the lines
    #[arg(long, value_enum, default_value_t)]
    shape: Shape,
    /// Folder in which the folder of this workload is made
    #[arg(long, default_value = "target/race/data")]
    pub(crate) out: PathBuf,
}

impl Generate {
    pub(crate) fn spec(&self) -> Spec {
        let kind = match self.kind {
            KindName::Nginx => Kind::Nginx,
            KindName::Json => Kind::Json,
            KindName::Java => Kind::Java,
            KindName::Syslog => Kind::Syslog,
            KindName::Mixed => Kind::Mixed,
        };
        Spec { kind, shape: self.shape, kib: self.mib * 1024, files: self.files, seed: self.seed }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum KindName {
    Nginx,
    Json,
    Java,
    Syslog,
    Mixed,
}
