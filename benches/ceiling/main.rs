//! The ceiling programs by hand: `cargo bench --bench ceiling -- w1 --data DIR --port PORT`.

mod programs;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds `--bench` to what the user wrote.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.is_empty() {
        eprintln!("{}", programs::USAGE);
        return ExitCode::SUCCESS;
    }
    match programs::run(&args) {
        Ok(()) => {
            report();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what the program cost: the first number of `schedstat` is its one thread's time on a core, user and
/// system together, in nanoseconds. Silent where the kernel does not keep it.
fn report() {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let ns: Option<f64> = read("/proc/self/schedstat").split(' ').next().and_then(|ns| ns.parse().ok());
    let input = read("/proc/self/io");
    let bytes: Option<f64> = input.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok());
    if let (Some(ns), Some(bytes)) = (ns, bytes) {
        eprintln!("{:.3} CPU-s, {:.1} MB read (answers included)", ns / 1e9, bytes / 1e6);
    }
}
