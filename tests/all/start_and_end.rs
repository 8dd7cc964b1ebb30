//! A run begins when what it needs can be reached, and ends in time whatever its sinks do.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::elasticsearch::bulk_server::Server;
use crate::parquet_readers::S3Server;
use crate::program::{Running, aludel, wait_for};

fn pipeline(folder: &Path, sink: &str) -> PathBuf {
    fs::create_dir_all(folder.join("in")).expect("a folder");
    let file = folder.join("lines.aludel");
    let text = format!(
        "source lines = files \"in/*.log\" {{ format = lines }}\nsink out = {sink}\npipeline p {{ from lines | to out }}\n"
    );
    fs::write(&file, text).expect("written");
    file
}

/// A sink that never answers does not hold the end up for longer than it may; what it did not take comes to it with the
/// next run, once.
#[test]
fn a_drain_ends_in_time_and_the_next_run_sends_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    // Takes connections and never says a word.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", deaf.local_addr().expect("an address"));
    let sink = |url: &str| format!("elasticsearch \"{url}\" {{ data_stream = \"logs-a-b\" }}");
    let file = pipeline(folder.path(), &sink(&url));
    let lines: Vec<String> = (0..500).map(|n| format!("line {n}")).collect();
    fs::write(folder.path().join("in/a.log"), lines.join("\n") + "\n").expect("written");
    let data = folder.path().join("data");
    let more = ["--admin", "off", "--quiet", "--drain-timeout", "1s"];
    let running = Running::start(&file, &data, &more);
    // The first request says that rows are on their way.
    let (_connection, _) = deaf.accept().expect("it connects");
    running.signal("-TERM");
    let (code, said) = running.end_within(Duration::from_secs(30));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--drain-timeout"), "{said}");

    let server = Server::start(&[]);
    pipeline(folder.path(), &sink(&server.url()));
    let (code, said) = Running::start(&file, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    let store = server.store();
    let arrived: Vec<&str> = store
        .once()
        .into_iter()
        .map(|document| {
            document
                .split("\"message\":\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .expect("a message")
        })
        .collect();
    assert_eq!((arrived.len(), arrived.into_iter().collect::<BTreeSet<_>>().len()), (500, 500));
}

/// An object store that is away when a run starts is waited for, loudly, and a signal ends the wait.
#[test]
fn a_bucket_that_cannot_be_reached_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = S3Server::away();
    let sink = format!(
        "parquet \"s3://logs/web\" {{ endpoint = \"http://{}\", region = \"us-east-1\", access_key_id = \"aludel\", \
         secret_access_key = \"sesame-sesame\" }}",
        server.address()
    );
    let file = pipeline(folder.path(), &sink);
    fs::write(folder.path().join("in/a.log"), "a line\n".repeat(10)).expect("written");
    let data = folder.path().join("data");
    let start = |more: &[&str]| {
        let mut command = aludel();
        command
            .arg("run")
            .arg(&file)
            .arg("--data-dir")
            .arg(&data)
            .args(["--admin", "off", "--quiet"])
            .args(more);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("text");
        assert!(line.contains("nothing is read until it can be reached"), "{line}");
        (child, said)
    };
    let (mut child, _said) = start(&[]);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    wait_for("an end", || child.try_wait().expect("a child").is_some());
    assert_eq!(child.wait().expect("an end").code(), Some(0));

    let (mut child, _said) = start(&["--once"]);
    if let Err(why) = server.run() {
        let _ = child.kill();
        let _ = child.wait();
        eprintln!("SKIPPED, no S3 server: {why}");
        return;
    }
    wait_for("an end", || child.try_wait().expect("a child").is_some());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    let objects = fs::read_dir(server.bucket().join("web")).expect("an archive").count();
    assert!(objects > 0, "the rows are there");
}
