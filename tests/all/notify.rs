//! Notifiers against a real Alertmanager, a real mail relay, and a webhook receiver in this process.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::inputs::certificate;
use crate::program::{Running, aludel, wait_for};

/// Answers each request with 200, but the first with 429; keeps bodies.
fn receiver() -> (u16, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A connection that is broken off is asked again.
            let _ = serve(stream, &kept);
        }
    });
    (port, bodies)
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Value>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut kept = kept.lock().expect("no panic");
    let status = if kept.is_empty() { "429 Too Many Requests\r\nretry-after: 1" } else { "200 OK" };
    kept.push(serde_json::from_slice(&body).unwrap_or(Value::Null));
    write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

struct Alertmanager {
    folder: PathBuf,
    port: u16,
}

impl Alertmanager {
    /// `None` where it cannot be had; in CI that is a failure.
    fn start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/alertmanager.sh");
        let folder = folder.join("alertmanager");
        let started = Command::new(script).arg("start").arg(&folder).arg(port.to_string()).output();
        let started = started.expect("the script starts");
        let said = String::from_utf8_lossy(&started.stderr).into_owned();
        if started.status.code() == Some(77) {
            assert!(std::env::var_os("CI").is_none(), "in CI it must run: {said}");
            eprintln!("SKIPPED: {said}");
            return None;
        }
        assert!(started.status.success(), "{said}");
        Some(Self { folder, port })
    }

    /// The alerts that it has, active or not.
    fn alerts(&self) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts", self.port);
        let answer = Command::new("curl").args(["-sf", &url]).output().expect("curl");
        serde_json::from_slice(&answer.stdout).expect("a list of alerts")
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/alertmanager.sh");
        let _ = Command::new(script).arg("stop").arg(&self.folder).status();
    }
}

fn alert(id: &str, host: &str, now: jiff::Timestamp) -> String {
    format!(
        "{{\"@timestamp\":\"{now}\",\"event\":{{\"id\":\"{id}\",\"kind\":\"alert\"}},\"rule\":{{\"name\":\"disk is full\"}},\
         \"severity\":\"critical\",\"message\":\"no space left\",\"labels\":{{\"host\":\"{host}\"}}}}\n"
    )
}

#[test]
fn alerts_reach_an_alertmanager_and_a_webhook_and_end_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(server) = Alertmanager::start(folder.path()) else { return };
    let (port, hooked) = receiver();
    fs::create_dir_all(folder.path().join("in")).expect("a folder");
    let pipeline = folder.path().join("notify.aludel");
    let text = format!(
        r#"
source alerts = files "in/*.ndjson" {{ format = lines, start = beginning }}
sink am = alertmanager "http://127.0.0.1:{}" {{ resolve_after = 4s }}
sink hook = webhook "http://127.0.0.1:{port}/hook" {{ group_wait = 0s, resolve_after = 4s }}
pipeline notify {{
  from alerts
  | parse .message as json
  | to am, hook
}}
"#,
        server.port
    );
    fs::write(&pipeline, text).expect("written");
    let now = jiff::Timestamp::now();
    let lines = alert("a", "web-1", now) + &alert("b", "web-2", now) + &alert("a", "web-1", now);
    fs::write(folder.path().join("in/alerts.ndjson"), lines).expect("written");
    let data = folder.path().join("data");
    let once = aludel()
        .args(["run", "--once", "--admin", "off", "--data-dir"])
        .args([&data, &pipeline])
        .output()
        .expect("the program starts");
    assert!(once.status.success(), "{}", String::from_utf8_lossy(&once.stderr));
    let mut hosts: Vec<String> = server
        .alerts()
        .iter()
        .map(|alert| {
            assert_eq!(alert["labels"]["alertname"], "disk is full");
            assert_eq!(alert["labels"]["severity"], "critical");
            assert_eq!(alert["annotations"]["summary"], "no space left");
            alert["labels"]["host"].to_string()
        })
        .collect();
    hosts.sort();
    assert_eq!(hosts, ["\"web-1\"", "\"web-2\""]);
    let bodies = hooked.lock().expect("no panic").clone();
    assert_eq!(bodies.len(), 2, "the first was answered with 429: {bodies:?}");
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[1]["status"], "firing");
    assert_eq!(bodies[1]["alerts"].as_array().map(Vec::len), Some(2));
    // The next run knows of what it has not ended.
    let running = Running::start(&pipeline, &data, &["--quiet", "--admin", "off"]);
    wait_for("the end of the alerts", || {
        let over = hooked.lock().expect("no panic").iter().any(|body| body["status"] == "resolved");
        over && server.alerts().is_empty()
    });
    running.signal("-TERM");
    let (code, said) = running.end_within(Duration::from_secs(30));
    assert_eq!(code, Some(0), "{said}");
}

/// What contradicts the documentation of the Events API v2 of PagerDuty
/// (<https://developer.pagerduty.com/docs/send-alert-event>).
fn faults_of_an_event(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut demand = |is: bool, what: &str| faults.extend((!is).then(|| what.to_owned()));
    let text = |of: &Value, longest: usize| {
        of.as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= longest)
    };
    let known = |of: &Value, names: &[&str]| {
        of.as_object().is_some_and(|of| of.keys().all(|name| names.contains(&name.as_str())))
    };
    let names =
        ["routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"];
    demand(known(event, &names), "a member that is not documented");
    demand(
        event["routing_key"].as_str().is_some_and(|key| key.len() == 32),
        "`routing_key` has 32 characters",
    );
    demand(text(&event["dedup_key"], 255), "`dedup_key` has up to 255 characters");
    demand(event.to_string().len() <= 512 * 1024, "an event has up to 512 KB");
    match event["event_action"].as_str() {
        Some("resolve" | "acknowledge") => {}
        Some("trigger") => {
            let payload = &event["payload"];
            let names = [
                "summary",
                "source",
                "severity",
                "timestamp",
                "component",
                "group",
                "class",
                "custom_details",
            ];
            demand(known(payload, &names), "a member of `payload` that is not documented");
            demand(text(&payload["summary"], 1024), "`summary` has up to 1024 characters");
            demand(text(&payload["source"], 1024), "`source` is demanded");
            let severity = payload["severity"].as_str().unwrap_or_default();
            demand(["critical", "error", "warning", "info"].contains(&severity), "`severity` is one of four");
            let time = payload["timestamp"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
            demand(time.is_some(), "`timestamp` is ISO 8601");
            demand(payload["custom_details"].is_object(), "`custom_details` is an object");
        }
        _ => demand(false, "`event_action` is one of three"),
    }
    faults
}

/// What a detector that keeps state says is over ends in a real Alertmanager, each alert of it, and in PagerDuty's API, at
/// once and not after an hour.
#[test]
fn what_a_rule_says_is_over_ends_everywhere_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(server) = Alertmanager::start(folder.path()) else { return };
    let (port, events) = receiver();
    let input = folder.path().join("in");
    fs::create_dir_all(&input).expect("a folder");
    let pipeline = folder.path().join("ends.aludel");
    let text = format!(
        r#"
source logs = files "in/*.ndjson" {{ format = lines, start = beginning }}
sink am = alertmanager "http://127.0.0.1:{}" {{ resolve_after = 1h }}
sink pager = pagerduty {{ routing_key = "0123456789abcdef0123456789abcdef", url = "http://127.0.0.1:{port}", group_wait = 1s, resolve_after = 1h }}
sink kept = blackhole
pipeline web {{
  from logs
  | parse .message as json
  | detect rate {{ name = "often", key = .client, limit = 1 per 1s, quiet = 5s }}
  | to kept
  alerts to am, pager
}}
"#,
        server.port
    );
    fs::write(&pipeline, text).expect("written");
    let now = jiff::Timestamp::now();
    let line = |client: &str, second: i64| {
        let time = now + jiff::SignedDuration::from_secs(second - 600);
        format!("{{\"@timestamp\":\"{time}\",\"client\":\"{client}\"}}\n")
    };
    // More than a notification shows.
    let clients: Vec<_> = (1..=8).map(|of| format!("203.0.113.{of}")).collect();
    let attack: String = clients.iter().map(|of| line(of, 0).repeat(3)).collect();
    fs::write(input.join("a.ndjson"), attack).expect("written");
    let data = folder.path().join("data");
    let running = Running::start(&pipeline, &data, &["--quiet", "--admin", "off"]);
    wait_for("the alerts", || server.alerts().len() == clients.len());
    wait_for("the trigger", || events.lock().expect("no panic").len() >= 2);
    // Time passes, as anybody's event tells.
    let mut log = fs::OpenOptions::new().append(true).open(input.join("a.ndjson")).expect("it is there");
    log.write_all(line("203.0.113.99", 60).as_bytes()).expect("written");
    wait_for("the end of all alerts", || server.alerts().is_empty());
    let last = || events.lock().expect("no panic").last().cloned().unwrap_or_default();
    wait_for("the end of the incident", || last()["event_action"] == "resolve");
    running.signal("-TERM");
    let (code, said) = running.end_within(Duration::from_secs(30));
    assert_eq!(code, Some(0), "{said}");
    let events = events.lock().expect("no panic").clone();
    for event in &events {
        assert_eq!(faults_of_an_event(event), Vec::<String>::new(), "{event}");
        assert_eq!(event["dedup_key"], events[0]["dedup_key"]);
    }
    assert_eq!(events[0]["event_action"], "trigger");
    assert_eq!(events[0]["payload"]["class"], "often");
}

/// A mail relay, and its port.
struct Relay(Child, String);

impl Relay {
    /// `None` where it cannot be had; in CI that is a failure.
    fn start(folder: &Path, password: &str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/smtp.py");
        let mut said = String::new();
        // The module is a package of the system, and `python3` may be another one.
        for python in ["/usr/bin/python3", "python3"] {
            let mut command = Command::new(python);
            command.arg(&script).arg(folder).args([folder.join("relay.pem"), folder.join("relay.key")]);
            command.arg(password).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let Ok(mut child) = command.spawn() else { continue };
            let mut port = String::new();
            BufReader::new(child.stdout.take().expect("piped")).read_line(&mut port).expect("text");
            if !port.is_empty() {
                return Some(Self(child, port.trim().to_owned()));
            }
            let output = child.wait_with_output().expect("it ends");
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        assert!(std::env::var_os("CI").is_none(), "in CI it must run: {said}");
        eprintln!("SKIPPED: {said}");
        None
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn mail_goes_to_a_relay_that_asks_for_tls_and_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path(), "ca", None);
    certificate(folder.path(), "relay", Some("ca"));
    let Some(relay) = Relay::start(folder.path(), "open sesame") else { return };
    fs::create_dir_all(folder.path().join("in")).expect("a folder");
    fs::write(folder.path().join("in/alerts.ndjson"), alert("a", "web-1", jiff::Timestamp::now()))
        .expect("written");
    let pipeline = |password: &str| {
        fs::write(folder.path().join("password"), password).expect("written");
        let pipeline = folder.path().join("mail.aludel");
        let text = format!(
            r#"
source alerts = files "in/*.ndjson" {{ format = lines, start = beginning }}
sink mail = email "127.0.0.1:{}" {{
  from = "Aludel <aludel@example.org>"
  to = ["oncall@example.org", "boss@example.org"]
  encryption = starttls
  username = "aludel"
  password = secret("file:{}")
  ca_file = "{}"
}}
pipeline notify {{ from alerts | parse .message as json | to mail }}
"#,
            relay.1,
            folder.path().join("password").display(),
            folder.path().join("ca.pem").display()
        );
        fs::write(&pipeline, text).expect("written");
        pipeline
    };
    // A wrong password is said, and nothing is lost by it.
    let (wrong, data) = (pipeline("open barley"), folder.path().join("data"));
    let running = Running::start(&wrong, &data, &["--admin", "off", "--drain-timeout", "1s"]);
    std::thread::sleep(Duration::from_secs(3));
    running.signal("-TERM");
    let (code, said) = running.end_within(Duration::from_secs(30));
    assert!(
        code == Some(1) && said.contains("status 401") && said.contains("credentials"),
        "{code:?} {said}"
    );
    let out = aludel()
        .args(["run", "--once", "--admin", "off", "--data-dir"])
        .args([&data, &pipeline("open sesame")])
        .output()
        .expect("the program starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mail =
        fs::read_to_string(folder.path().join("2.eml")).expect("the first was put off, the second taken");
    assert!(mail.starts_with("aludel@example.org oncall@example.org boss@example.org\n"), "{mail}");
    assert!(mail.contains("Subject: [CRITICAL] disk is full: no space left"), "{mail}");
    assert!(mail.contains("Auto-Submitted: auto-generated"), "{mail}");
}
