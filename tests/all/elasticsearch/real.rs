//! The sink against a real Elasticsearch, started from its published artefact.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::sink::Endpoint;
use aludel::sink::http::HttpNetwork;
use data_encoding::BASE64;

use super::rows::{bodies, plan};
use super::wire::{ask, ship, ship_in, ship_until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/elasticsearch.sh");

pub(crate) const PASSWORD: &str = "sesame-sesame";

/// A real server in a folder of its own; stopped when dropped.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

/// One server at a time: each takes a gigabyte.
static ALONE: Mutex<()> = Mutex::new(());

/// Waits until no other server runs.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn script(arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new(SCRIPT).args(arguments).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    match ran.status.code() {
        Some(0) => Ok(()),
        Some(77) => Err(said),
        code => panic!("{SCRIPT} {arguments:?} ended with {code:?}: {said}"),
    }
}

impl Server {
    /// A server of its own for a test; `None`, said loudly, where there can be none.
    pub(crate) fn start_or_skip() -> Option<Self> {
        Self::start().inspect_err(|why| super::skip(why)).ok()
    }

    fn start() -> Result<Self, String> {
        let alone = alone();
        // Free when asked; two in a row, since the node talks to itself on the next one.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = free.local_addr().expect("an address").port().min(65_000);
        drop(free);
        let folder = tempfile::tempdir().expect("a folder");
        open_to_all(folder.path());
        let server = Self { folder, port, _alone: alone };
        server.run()?;
        Ok(server)
    }

    pub(crate) fn run(&self) -> Result<(), String> {
        script(&["start", &self.folder(), &self.port.to_string(), PASSWORD])
    }

    pub(crate) fn kill(&self) {
        script(&["kill", &self.folder()]).expect("dies");
    }

    fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn ask(&self, method: &'static str, path: &str, body: &str) -> serde_json::Value {
        let network = HttpNetwork::start().expect("a network");
        let authorization = format!("Basic {}", BASE64.encode(format!("elastic:{PASSWORD}").as_bytes()));
        let endpoint = Endpoint { url: self.url(), authorization: Some(authorization), ca_file: None };
        let answer = ask(&network, &endpoint, method, path, "application/json", body).expect("an answer");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{method} {path}: {text}");
        serde_json::from_str(&text).expect("json")
    }

    /// Rolls a data stream over; false where it does not exist yet.
    pub(crate) fn roll_over(&self, stream: &str) -> bool {
        let network = HttpNetwork::start().expect("a network");
        let authorization = format!("Basic {}", BASE64.encode(format!("elastic:{PASSWORD}").as_bytes()));
        let endpoint = Endpoint { url: self.url(), authorization: Some(authorization), ca_file: None };
        let answer =
            ask(&network, &endpoint, "POST", &format!("/{stream}/_rollover"), "application/json", "");
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// The last word of each document's message, scrolled through: every document, not what an index counts.
    pub(crate) fn numbers(&self, streams: &str) -> Vec<u64> {
        self.ask("POST", &format!("/{streams}/_refresh"), "");
        let mut numbers = Vec::new();
        let mut page = self.ask(
            "POST",
            &format!("/{streams}/_search?scroll=1m"),
            "{\"size\":5000,\"_source\":[\"message\"],\"sort\":[\"_doc\"]}",
        );
        loop {
            let hits = page["hits"]["hits"].as_array().expect("hits");
            if hits.is_empty() {
                return numbers;
            }
            numbers.extend(hits.iter().map(|hit| {
                let message = hit["_source"]["message"].as_str().expect("a message");
                let number = message.rsplit(' ').next().expect("a word");
                number.parse::<u64>().expect("a number")
            }));
            let scroll = page["_scroll_id"].as_str().expect("a scroll");
            let body = format!("{{\"scroll\":\"1m\",\"scroll_id\":\"{scroll}\"}}");
            page = self.ask("POST", "/_search/scroll", &body);
        }
    }

    pub(crate) fn count(&self, streams: &str) -> u64 {
        self.ask("POST", &format!("/{streams}/_refresh"), "");
        self.ask("GET", &format!("/{streams}/_count"), "")["count"].as_u64().expect("a count")
    }
}

/// The server runs as another user, whom a temporary folder keeps out.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("permissions");
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).args(["stop", &self.folder()]).status();
    }
}

#[test]
fn a_real_elasticsearch_has_every_row_once() {
    let Some(server) = Server::start_or_skip() else { return };
    let template = |name: &str, pattern: &str, priority: u32, mappings: &str| {
        let body = format!(
            "{{\"index_patterns\":[\"{pattern}\"],\"priority\":{priority},\"data_stream\":{{}},\
             \"template\":{{\"settings\":{{\"number_of_replicas\":0}},\"mappings\":{mappings}}}}}"
        );
        server.ask("PUT", &format!("/_index_template/{name}"), &body);
    };
    template("logs-test", "logs-*-prod", 200, r#"{"properties":{"n":{"type":"long"}}}"#);
    // A quarter of the rows meets a mapping that one of its fields cannot fit, and lands without it.
    template("logs-conflict", "logs-db-prod", 300, r#"{"properties":{"n":{"type":"ip"}}}"#);
    // Another one meets a mapping that takes no field but its own, and cannot land.
    let strict = r#"{"dynamic":"strict","properties":{"message":{"type":"text"},"service":{"properties":{"name":{"type":"keyword"}}}}}"#;
    template("logs-strict", "logs-worker_1-prod", 300, strict);

    let text = |text: &str| OptionValue::Text(text.into());
    super::setup::applies(&server.url(), "elastic", PASSWORD, "data_stream");

    let within = |seconds, password| {
        let timeout = OptionValue::Duration(Duration::from_secs(seconds));
        let user = [("username", text("elastic")), ("password", text(password)), ("timeout", timeout)];
        plan(&[server.url()], &user)
    };
    let as_user = |password| within(60, password);
    let plan = as_user(PASSWORD);
    let folder = tempfile::tempdir().expect("a folder");
    let (total, said) = ship_in(folder.path(), &*plan, bodies(&*plan, 0, 4, 500));
    let aside: Vec<_> = said.iter().filter(|line| line.contains("`n` does not fit")).collect();
    assert!(aside.len() == 2 && said.len() == 2, "one warning for each data stream: {said:?}");
    assert_eq!((total.delivered, total.repeated, total.rejected.len()), (1500, 0, 500));
    assert_eq!(total.set_aside["logs-db-prod n"], 500);
    server.ask("POST", "/logs-db-prod/_refresh", "");
    let found = server.ask("GET", "/logs-db-prod/_search?size=1&q=_conflict.value:5", "");
    let entry = &found["hits"]["hits"][0]["_source"]["_conflict"][0];
    assert_eq!((entry["field"].as_str(), entry["value"].as_str()), (Some("n"), Some("5")), "{found}");
    for (number, reason) in &total.rejected {
        assert_eq!(number % 4, 2, "only rows of that service");
        assert!(reason.starts_with("strict_dynamic_mapping_exception: "), "{reason}");
    }
    for (stream, expected) in [("logs-web-prod", 500), ("logs-db-prod", 500), ("logs-other-prod", 500)] {
        assert_eq!(server.count(stream), expected, "{stream}");
    }

    // With a wrong password everything is held, and said; nothing is settled.
    let wrong = as_user("guess");
    let (total, said) = ship_until(&*wrong, bodies(&*wrong, 0, 4, 500), Duration::from_secs(2));
    assert_eq!((total.delivered, total.rejected.len()), (0, 0));
    assert!(
        said.iter().all(|line| line.contains("refuses every request") && line.contains("401")),
        "{said:?}"
    );
    assert!(!said.is_empty() && said.len() < 6, "once for each data stream that is asked for: {said:?}");

    // The same rows from another run are the same documents.
    let (total, _) = ship(&*plan, bodies(&*plan, 0, 4, 500));
    assert_eq!((total.delivered, total.repeated, total.rejected.len()), (1500, 1500, 500));
    assert_eq!(server.count("logs-*-prod"), 1500);

    // And so they are after a rollover, though Elasticsearch itself would take them a second time.
    assert!(server.roll_over("logs-web-prod"));
    let hasty = within(10, PASSWORD);
    let (total, _) = ship_in(folder.path(), &*hasty, bodies(&*hasty, 0, 4, 500));
    assert_eq!((total.delivered, total.repeated, total.rejected.len()), (1500, 1500, 500));
    assert_eq!(server.count("logs-*-prod"), 1500);

    // The node dies in the middle and comes back: what it had taken and not answered is sent again.
    let more = bodies(&*plan, 20, 60, 100);
    let (total, said) = std::thread::scope(|scope| {
        let shipping = scope.spawn(|| ship(&*plan, more));
        while server.count("logs-web-prod") < 700 && !shipping.is_finished() {}
        server.kill();
        server.run().expect("starts again");
        shipping.join().expect("ships")
    });
    assert_eq!((total.delivered, total.rejected.len()), (4500, 1500), "{said:?}");
    assert_eq!(server.count("logs-*-prod"), 6000);
    assert!(said.iter().any(|line| line.contains("left alone")), "it was noticed: {said:?}");
}
