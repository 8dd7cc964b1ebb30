//! The sink against a real OpenSearch, started from its published artefacts: the same requests, the same promise.

use std::process::Command;
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::sink::Endpoint;
use aludel::sink::http::HttpNetwork;

use super::real;
use super::rows::{bodies, plan};
use super::wire::{ask, ship_in};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/opensearch.sh");

/// A real server in a folder of its own; stopped when dropped.
struct Server {
    folder: tempfile::TempDir,
    url: String,
    _alone: std::sync::MutexGuard<'static, ()>,
}

impl Server {
    fn start() -> Result<Self, String> {
        let alone = real::alone();
        // The server takes none above, and needs it free.
        let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = (9202..9300).find(free).ok_or("no port is free from 9202 to 9299")?;
        let folder = tempfile::tempdir().expect("a folder");
        let ran = Command::new(SCRIPT).arg("start").arg(folder.path()).arg(port.to_string()).output();
        let ran = ran.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        match ran.status.code() {
            Some(0) => Ok(Self { folder, url: format!("http://127.0.0.1:{port}"), _alone: alone }),
            Some(77) => Err(said),
            code => panic!("{SCRIPT} ended with {code:?}: {said}"),
        }
    }

    fn ask(&self, method: &'static str, path: &str, body: &str) -> serde_json::Value {
        let network = HttpNetwork::start().expect("a network");
        let endpoint = Endpoint { url: self.url.clone(), authorization: None, ca_file: None };
        let answer = ask(&network, &endpoint, method, path, "application/json", body).expect("an answer");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{method} {path}: {text}");
        serde_json::from_str(&text).expect("json")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).arg("stop").arg(self.folder.path()).status();
    }
}

#[test]
fn a_real_opensearch_has_every_row_once() {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => return super::skip(&why),
    };
    let template = |name: &str, pattern: &str, priority: u32, n: &str| {
        let body = format!(
            "{{\"index_patterns\":[\"{pattern}\"],\"priority\":{priority},\"data_stream\":{{}},\
             \"template\":{{\"settings\":{{\"number_of_replicas\":0}},\
             \"mappings\":{{\"properties\":{{\"n\":{{\"type\":\"{n}\"}}}}}}}}}}"
        );
        server.ask("PUT", &format!("/_index_template/{name}"), &body);
    };
    template("logs-test", "logs-*-prod", 200, "long");
    template("logs-conflict", "logs-db-prod", 300, "ip");

    let timeout = OptionValue::Duration(Duration::from_secs(15));
    let plan = plan(std::slice::from_ref(&server.url), &[("timeout", timeout)]);
    let folder = tempfile::tempdir().expect("a folder");
    let (total, _) = ship_in(folder.path(), &*plan, bodies(&*plan, 0, 4, 200));
    assert_eq!((total.delivered, total.rejected.len()), (800, 0));
    assert_eq!(total.set_aside["logs-db-prod n"], 200);

    server.ask("POST", "/logs-web-prod/_rollover", "");
    let (total, _) = ship_in(folder.path(), &*plan, bodies(&*plan, 0, 4, 200));
    assert_eq!((total.delivered, total.repeated, total.rejected.len()), (800, 800, 0));
    server.ask("POST", "/logs-*-prod/_refresh", "");
    assert_eq!(server.ask("GET", "/logs-*-prod/_count", "")["count"], 800);

    super::setup::applies(&server.url, "", "", "none");
}
