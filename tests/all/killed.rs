//! Killed at random moments: the sinks that can tell have each line once all the same.

use std::fs;

use crate::elasticsearch::real;
use crate::support_killed::{Writers, assert_each_once, kill_again_and_again, kills};

/// `ALUDEL_KILLS=200 cargo test --test all killed -- --nocapture`.
#[test]
fn elasticsearch_has_each_line_once() {
    let Some(server) = real::Server::start_or_skip() else { return };
    let template = r#"{"index_patterns":["logs-killed-*"],"priority":300,"data_stream":{},
        "template":{"settings":{"number_of_replicas":0}}}"#;
    server.ask("PUT", "/_index_template/killed", template);
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = folder.path().join("lines.aludel");
    let text = format!(
        r#"source lines = files "{}" {{ format = lines, start = beginning, line_wait = 20s }}
sink es = elasticsearch "{}" {{
  data_stream = "logs-killed-default"
  username = "elastic"
  password = "{}"
}}
pipeline lines {{
  from lines
  # A file that was renamed is read on under its new name.
  | remove .log.file.path
  | to es
}}
"#,
        Writers::GLOB,
        server.url(),
        real::PASSWORD,
    );
    fs::write(&pipeline, text).expect("written");
    let killed = kill_again_and_again(folder.path(), &pipeline, kills(), 4);
    let arrived = server.numbers("logs-killed-default");
    assert_each_once(arrived, &killed);
    println!("{} kills, {} lines: each in Elasticsearch once", killed.kills, killed.lines);
}
