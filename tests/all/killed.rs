//! Killed at random moments: the sinks that can tell have each line once all the same.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aludel::seam::{Clock, RealClock};

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
  # So long is a request waited for that a kill cut off, where the data stream has rolled over.
  timeout = 10s
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
    let over = AtomicBool::new(false);
    let (killed, rolled) = std::thread::scope(|scope| {
        let over = Over(&over);
        let rolling = scope.spawn({
            let (over, server) = (over.0, &server);
            move || {
                let mut rolled = 0;
                // In a long proof so seldom that rows settle in between: after a rollover, what a kill cut off waits.
                let every = Duration::from_secs(if kills() > 20 { 20 } else { 2 });
                let mut next = every;
                let begun = RealClock::start();
                while !over.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(100));
                    if begun.monotonic() > next {
                        next += every;
                        rolled += usize::from(server.roll_over("logs-killed-default"));
                    }
                }
                rolled
            }
        });
        let killed = kill_again_and_again(folder.path(), &pipeline, kills(), 4);
        drop(over);
        (killed, rolling.join().expect("rolls over"))
    });
    let arrived = server.numbers("logs-killed-default");
    assert_each_once(arrived, &killed);
    eprintln!(
        "{} kills, {rolled} rollovers, {} lines: each in Elasticsearch once",
        killed.kills, killed.lines
    );
    crate::lagging::a_real_elasticsearch_is_away(&server);
}

/// Sets a flag when it goes away, by a panic too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
