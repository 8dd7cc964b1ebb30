//! Standard input and kill -9, as a user sees it: what was read from the pipe and had not gone anywhere is sent by a
//! later run, once. The pipe outlives the process here, as a named one would.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::elasticsearch::bulk_server::{Fault, Server};
use crate::patience::Patience;
use crate::program::wait_for;

/// Of each life: three of them are more than the pipeline holds in memory, so that the last ones are taken in while it
/// takes nothing.
const LINES: u64 = 20_000;

fn start(pipeline: &Path, data: &Path, input: &File) -> Child {
    Command::new(env!("CARGO_BIN_EXE_aludel"))
        .args(["run", "--quiet", "--admin", "off", "--workers", "1", "--data-dir"])
        .arg(data)
        .arg(pipeline)
        .stdin(Stdio::from(OwnedFd::from(input.try_clone().expect("a descriptor"))))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn write(writer: &mut File, lines: std::ops::Range<u64>) {
    for line in lines {
        let filler = "y".repeat((line * 31 % 400) as usize);
        writeln!(writer, "2024-05-01 INFO <{line}> {filler}").expect("the pipe takes it");
    }
}

/// The number of a line in a document.
fn number(text: &str) -> Option<u64> {
    text.split_once("INFO <")?.1.split_once('>')?.0.parse().ok()
}

#[test]
fn what_was_read_from_a_pipe_outlives_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pipeline, data) = (folder.path().join("piped.aludel"), folder.path().join("data"));
    let server = Server::start(&vec![Fault::Status(503, 0); 100_000]);
    let text = format!(
        "source piped = stdin\nsink es = elasticsearch \"{}\" {{ data_stream = \"logs-piped-default\" }}\npipeline piped {{\n  from piped\n  | to es\n}}\n",
        server.url()
    );
    std::fs::write(&pipeline, text).expect("written");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let (input, mut writer) = (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)));
    for life in 0..3 {
        let mut child = start(&pipeline, &data, &input);
        write(&mut writer, life * LINES..(life + 1) * LINES);
        wait_for("the pipe to be read", || rustix::io::ioctl_fionread(&input).expect("a pipe") == 0);
        // What was read is written at once; nothing tells when, so this is long.
        std::thread::sleep(Duration::from_millis(200));
        child.kill().expect("it runs");
        child.wait().expect("it is gone");
    }
    assert!(server.store().documents.is_empty(), "nothing has gone anywhere yet");
    server.store().script.clear();
    let mut child = start(&pipeline, &data, &input);
    write(&mut writer, 3 * LINES..3 * LINES + 10);
    drop((writer, input));
    let _patience = Patience::with(&child);
    assert!(child.wait().expect("it ends").success());
    let store = server.store();
    let mut numbers: Vec<_> = store.once().into_iter().filter_map(|text| number(text)).collect();
    numbers.sort_unstable();
    assert!(
        numbers.iter().copied().eq(0..3 * LINES + 10),
        "{} lines arrived: {:?}",
        numbers.len(),
        store.once().first()
    );
}

/// A sink that is away reads again from the spool what the others got from memory.
#[test]
fn a_sink_that_is_away_reads_from_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pipeline, data) = (folder.path().join("both.aludel"), folder.path().join("data"));
    let out = folder.path().join("out.ndjson");
    let server = Server::start(&vec![Fault::Status(503, 0); 100_000]);
    let text = format!(
        "source piped = stdin\nsink es = elasticsearch \"{}\" {{ data_stream = \"logs-piped-default\" }}\nsink out = file \"out.ndjson\"\npipeline both {{\n  from piped\n  | to es, out\n}}\n",
        server.url()
    );
    std::fs::write(&pipeline, text).expect("written");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let (input, mut writer) = (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)));
    let mut child = start(&pipeline, &data, &input);
    drop(input);
    write(&mut writer, 0..2 * LINES);
    drop(writer);
    let lines = || std::fs::read_to_string(&out).unwrap_or_default().matches('\n').count() as u64;
    wait_for("the other sink", || lines() == 2 * LINES);
    assert!(server.store().documents.is_empty());
    server.store().script.clear();
    let _patience = Patience::with(&child);
    assert!(child.wait().expect("it ends").success());
    let store = server.store();
    let mut arrived: Vec<_> = store.once().into_iter().filter_map(|text| number(text)).collect();
    arrived.sort_unstable();
    assert!(arrived.iter().copied().eq(0..2 * LINES), "{} lines arrived", arrived.len());
    assert_eq!(lines(), 2 * LINES);
}
