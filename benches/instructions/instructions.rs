//! The regression guard: how many instructions an event costs on each main path, against `instructions.txt`.
//!
//! `check` runs this program under valgrind, path by path, and fails where a path has grown by more than the
//! tolerance; `store` writes down what is true now. Counts do not depend on what else the machine does, so that a
//! small rise shows that no timing would. They do depend on the compiler and on which vector instructions there
//! are: both stand with the figures, and where they differ nothing is compared, loudly.
//!
//! A program and not a bench target: a bench is built with the features that development dependencies add, and so
//! with a second set of all release artefacts; this shares every one of them with the product.

mod guard;
mod input;
mod machine;
mod path;
mod share;
mod stored;

use std::process::ExitCode;

const USAGE: &str = "\
Instructions per event of the main paths, against benches/instructions.txt.
usage: check             compare, and fail on a rise of more than 5 %
       store             store what is true now
       run PATH EVENTS   run one path once (this is what is counted)
       detectors LOG…    access logs in nginx's format: a line without and with web_attack";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["check"] => guard::check(),
        ["store"] => guard::store(),
        ["run", name, events] => match (path::find(name), events.parse()) {
            (Some(path), Ok(events)) => path::run(path, events),
            _ => Err(USAGE.to_owned()),
        },
        ["detectors", logs @ ..] if !logs.is_empty() => share::print(logs),
        ["log", log, step, lines] => match (step.parse(), lines.parse()) {
            (Ok(step), Ok(lines)) => share::run(log, step, lines),
            _ => Err(USAGE.to_owned()),
        },
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
