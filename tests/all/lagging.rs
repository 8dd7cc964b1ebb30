//! A sink that is away for a while, as a user sees it: the others go on at full speed, memory stays within its bound,
//! and when it is back it gets what it missed, once.

use std::fs;
use std::path::Path;

use crate::elasticsearch::bulk_server::{self, Fault};
use crate::elasticsearch::real::{PASSWORD, Server};
use crate::program::{Running, numbers, wait_for};

/// Enough that the bodies of the first file alone are many times what a sink may hold.
const LINES: u64 = 60_000;

fn append(file: &Path, lines: std::ops::Range<u64>) {
    use std::io::Write;
    let filler = "x".repeat(300);
    let text: String = lines.map(|line| format!("{filler} {line}\n")).collect();
    let file = fs::OpenOptions::new().create(true).append(true).open(file);
    file.expect("opened").write_all(text.as_bytes()).expect("written");
}

fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib / 1024
}

#[test]
fn a_sink_that_is_away_costs_the_others_nothing_and_gets_all_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let (logs, out) = (folder.path().join("in"), folder.path().join("out.ndjson"));
    fs::create_dir_all(&logs).expect("a folder");
    let server = bulk_server::Server::start(&vec![Fault::Status(503, 0); 100_000]);
    let pipeline = folder.path().join("both.aludel");
    let text = format!(
        r#"source lines = files "in/*" {{ format = lines, start = beginning }}
sink es = elasticsearch "{}" {{ data_stream = "logs-lines-default" }}
sink out = file "out.ndjson"
pipeline both {{
  from lines
  | remove .log.file.path
  | to es, out
}}
"#,
        server.url()
    );
    fs::write(&pipeline, text).expect("written");
    append(&logs.join("a.log"), 0..LINES);
    let running = Running::start(&pipeline, &folder.path().join("data"), &["--admin", "off"]);
    let written = || fs::read_to_string(&out).unwrap_or_default().matches('\n').count() as u64;
    wait_for("the other sink", || written() == LINES);
    assert!(server.store().documents.is_empty());
    // What it misses is rotated away meanwhile, and what comes after is missed too.
    fs::rename(logs.join("a.log"), logs.join("a.log.1")).expect("renamed");
    append(&logs.join("a.log"), LINES..LINES + 2000);
    wait_for("the other sink", || written() == LINES + 2000);
    let resident = resident_mib(running.id());
    assert!(resident < 160, "{resident} MiB resident");
    server.store().script.clear();
    wait_for("the sink to catch up", || server.store().documents.len() as u64 == LINES + 2000);
    append(&logs.join("a.log"), LINES + 2000..LINES + 2100);
    wait_for("both sinks", || {
        server.store().documents.len() as u64 == LINES + 2100 && written() == LINES + 2100
    });
    running.signal("-TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("sink es does not keep up") && said.contains("sink es has caught up"), "{said}");
    assert!(!said.contains("delivered, "), "nothing is in flight: {said}");
    assert_eq!(server.store().conflicts, 0, "nothing was sent twice");
    eprintln!("{resident} MiB resident while it was away\n{said}");
    let mut all = numbers(&out);
    all.sort_unstable();
    assert!(all.into_iter().eq(0..LINES + 2100));
}

/// The same with a real Elasticsearch, which is killed under load and comes back: nothing is lost and nothing is there
/// twice, the other sink goes on meanwhile, and memory stays within its bound.
pub(crate) fn a_real_elasticsearch_is_away(server: &Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let (logs, out) = (folder.path().join("in"), folder.path().join("out.ndjson"));
    fs::create_dir_all(&logs).expect("a folder");
    let pipeline = folder.path().join("both.aludel");
    let text = format!(
        r#"source lines = files "in/*" {{ format = lines, start = beginning }}
sink es = elasticsearch "{}" {{
  data_stream = "logs-killed-away"
  username = "elastic"
  password = "{}"
}}
sink out = file "out.ndjson"
pipeline both {{ from lines | remove .log.file.path | to es, out }}
"#,
        server.url(),
        PASSWORD
    );
    fs::write(&pipeline, text).expect("written");
    append(&logs.join("a.log"), 0..1000);
    let running = Running::start(&pipeline, &folder.path().join("data"), &["--admin", "off"]);
    let written = || fs::read_to_string(&out).unwrap_or_default().matches('\n').count() as u64;
    wait_for("the first lines", || written() == 1000);
    server.kill();
    append(&logs.join("a.log"), 1000..LINES);
    wait_for("the other sink", || written() == LINES);
    let resident = resident_mib(running.id());
    assert!(resident < 160, "{resident} MiB resident");
    server.run().expect("it starts again");
    append(&logs.join("a.log"), LINES..LINES + 1000);
    wait_for("Elasticsearch to have all", || server.count("logs-killed-away") == LINES + 1000);
    running.signal("-TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
    for (sink, mut all) in [("es", server.numbers("logs-killed-away")), ("out", numbers(&out))] {
        all.sort_unstable();
        assert!(all.into_iter().eq(0..LINES + 1000), "{sink}: {said}");
    }
    eprintln!("Elasticsearch away: {resident} MiB resident, {} lines at both sinks once", LINES + 1000);
}
