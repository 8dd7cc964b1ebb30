//! The command line: one file per subcommand.
//!
//! Exit codes: 0 all is well; 1 what was asked for did not succeed (a test failed, a file is not formatted, the run
//! could not go on); 2 wrong usage, or a pipeline file that does not compile. `audit` has one of its own: 3, nothing
//! is lost, but dead letters wait.

mod audit;
mod check;
mod detect;
mod dlq;
mod elasticsearch;
mod explain;
mod fmt;
mod grammar;
mod list;
mod load;
mod parse;
mod replay;
mod run;
mod sim;
mod spool;
mod summary;
mod test;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A lossless, typed log and event pipeline.
#[derive(Debug, Parser)]
#[command(name = "aludel", version, about, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    /// A folder with grammars of your own (`*.grammar`), beside those that come with aludel
    #[arg(long, global = true, env = "ALUDEL_GRAMMARS", value_name = "FOLDER")]
    grammars: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run pipelines: read, parse, ship, until stopped
    Run(run::Run),
    /// Check pipeline files and report every error
    Check(check::Check),
    /// Prepare an Elasticsearch cluster for what pipelines send
    Elasticsearch(elasticsearch::Elasticsearch),
    /// Format pipeline files
    Fmt(fmt::Fmt),
    /// Parse log lines into events, as NDJSON
    Parse(parse::Parse),
    /// Try a detector on lines: verdicts as NDJSON
    Detect(detect::Detect),
    /// Show the plan of a pipeline file, or what a step, function, source, sink, format or error code is
    Explain(explain::Explain),
    /// List, show, test and infer grammars
    Grammar(grammar::Grammar),
    /// List functions, steps, sources, sinks, formats, grammars or error codes
    List(list::List),
    /// Run the tests in pipeline files
    Test(test::Test),
    /// Run recorded bytes through a pipeline, in virtual time
    Replay(replay::Replay),
    /// Say whether anything was lost: exit code 0 if not, 1 if so, 3 if dead letters wait
    Audit(audit::AuditCommand),
    /// Look at dead letters, and send them through a pipeline again
    Dlq(dlq::Dlq),
    /// Look at what is spooled of inputs that cannot be read again, check and repair it
    Spool(spool::Spool),
    /// Run pipelines on a virtual disk, clock and network that fail, from seeds
    Sim(sim::Sim),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &arguments.grammars
        && !load::grammars(folder)?
    {
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    match arguments.command {
        Command::Run(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Elasticsearch(command) => command.run(),
        Command::Fmt(command) => command.run(),
        Command::Parse(command) => command.run(),
        Command::Detect(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Grammar(command) => command.run(),
        Command::List(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Dlq(command) => command.run(),
        Command::Spool(command) => command.run(),
        Command::Sim(command) => command.run(),
    }
}

/// The reader of our output went away (`aludel list functions | head`): nothing is wrong.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Usage was wrong, or a pipeline file does not compile.
const WRONG_USAGE: u8 = 2;

/// Writes a line for people to standard error.
fn complain(line: &str) {
    // There is nobody left to tell when this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes text to standard output.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Bytes as people write them: `4096`, `64KiB`, `1GiB`, `2MB`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err("a number of bytes is written like 4096, 64KiB or 1GiB".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a number of bytes begins with digits".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is more bytes than can be counted".to_owned())
}

/// A length of time as people write it: `90s`, `30m`, `24h`, `7d`.
fn span(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a length of time is written like 90s, 30m, 24h or 7d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a length of time begins with digits".to_owned())?;
    let seconds = number.checked_mul(seconds).ok_or("that is longer than can be counted")?;
    Ok(std::time::Duration::from_secs(seconds))
}

/// Whether to colour what goes to standard error.
fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
