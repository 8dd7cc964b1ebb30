//! What one core of this machine can do at most: W1 to W5 of the race as straight-line Rust, each for exactly
//! one job, with the socket or file write, and without any guarantee: no cursors, no retries, no books, no
//! back-pressure, no limits, no choice of format. The race quotes aludel as a share of these.
//!
//! In: a workload's container logs. Out: the documents or rows that the workload asks for, each event once.
//! They share no code with aludel, only the crates that any such program would take (`memchr`,
//! `json-escape-simd`, `flate2`, `parquet`), and are as safe as it is: no `unsafe`.
//!
//! `w4.rs` is the smallest; begin there.

#[path = "programs/access.rs"]
mod access;
#[path = "programs/cri.rs"]
mod cri;
#[path = "programs/input.rs"]
mod input;
#[path = "programs/json.rs"]
mod json;
#[path = "programs/post.rs"]
mod post;
#[path = "programs/time.rs"]
mod time;
#[path = "programs/w1.rs"]
mod w1;
#[path = "programs/w2.rs"]
mod w2;
#[path = "programs/w3.rs"]
mod w3;
#[path = "programs/w4.rs"]
mod w4;
#[path = "programs/w5.rs"]
mod w5;

use std::path::PathBuf;

/// How the programs are called.
pub(crate) const USAGE: &str = "\
The ceiling programs of the race: hand-written for one job each.
usage: WORKLOAD --data DIR (--port PORT | --out PATH)
  w1       CRI, nginx combined      → _bulk on 127.0.0.1:PORT
  w1-gzip  the same, bodies gzip 1  → _bulk
  w2       docker, application JSON → _bulk
  w3       CRI, Java stack traces   → _bulk
  w4       lines                    → the file PATH
  w5       CRI, nginx combined      → the Parquet file PATH, zstd 1
DIR/containers/*.log is the input.";

/// Runs one program to its end.
///
/// # Errors
/// Wrong arguments, a failed read or write, and a `_bulk` answer that is not a success.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (workload, options) = args.split_first().ok_or(USAGE)?;
    let (mut data, mut port, mut out) = (None, None, None);
    for option in options.chunks(2) {
        match option {
            [name, value] if name == "--data" => data = Some(PathBuf::from(value)),
            [name, value] if name == "--port" => port = value.parse::<u16>().ok(),
            [name, value] if name == "--out" => out = Some(PathBuf::from(value)),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let files = input::files(&data.ok_or("--data DIR is missing")?)?;
    let bulk = |gzip| post::Bulk::connect(port.ok_or("--port PORT is missing")?, gzip);
    let out = || out.ok_or("--out PATH is missing");
    match workload.as_str() {
        "w1" => w1::run(&files, bulk(false)?),
        "w1-gzip" => w1::run(&files, bulk(true)?),
        "w2" => w2::run(&files, bulk(false)?),
        "w3" => w3::run(&files, bulk(false)?),
        "w4" => w4::run(&files, &out()?),
        "w5" => w5::run(&files, &out()?),
        _ => Err(USAGE.to_owned()),
    }
}
