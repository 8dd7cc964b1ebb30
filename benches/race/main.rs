//! The race: aludel, the hand-written ceiling and other shippers over the same logs into the same counting sink.
//!
//! In: nothing but a seed. Out: what each delivered, lost and repeated, and what it cost. `README.md` beside this
//! file says how it is run and what the figures mean; `workload/` writes the logs, `sink/` counts what arrives,
//! `contestant.rs` starts who races.

mod arguments;
mod contestant;
mod course;
mod delay;
mod figures;
mod idle;
mod machine;
mod outage;
mod plot;
mod process;
#[path = "../ceiling/programs.rs"]
mod programs;
mod report;
mod rotation;
mod scaling;
mod sheet;
#[path = "sink/sink.rs"]
mod sink;
mod steady;
mod throughput;
mod track;
#[path = "workload/workload.rs"]
mod workload;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    // `cargo bench` runs every bench, with `--bench` behind what the user wrote for others; a race takes long and is
    // asked for by name.
    if std::env::args().len() == 1 || std::env::args().any(|argument| argument == "--bench") {
        let _ = io::stdout().write_all(Arguments::command().render_long_help().to_string().as_bytes());
        return ExitCode::SUCCESS;
    }
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    match arguments.command {
        Command::Throughput(options) => throughput::run(&options),
        Command::Delay(options) => delay::run(&options),
        Command::Outage(options) => outage::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::Rotation(options) => rotation::run(&options),
        Command::Scaling(options) => scaling::run(&options),
        Command::Ceiling { arguments } => programs::run(&arguments).map_err(io::Error::other),
        Command::Generate(options) => {
            let folder = workload::generate(&options.spec(), &options.out)?;
            let expected = sink::expect::Expected::scan(&folder)?;
            writeln!(
                io::stdout(),
                "{}: {} events, {} lines, {} bytes",
                folder.display(),
                expected.events(),
                expected.lines,
                expected.bytes
            )
        }
    }
}
