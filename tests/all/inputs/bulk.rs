//! The `bulk` source.

use std::io::Write;
use std::process::Command;

use super::rig::{Rig, free_port, kill_in_a_loop};
use super::wire::{ask, ask_for_headers};

#[test]
fn items_are_answered_as_elasticsearch_does() {
    let port = free_port();
    let mut rig = Rig::new(
        &format!("bulk \"127.0.0.1:{port}\""),
        "| parse .message as json else pass | set .index = .elasticsearch.index.name ?? \"\"",
    );
    rig.start_on(port);
    let (status, head) = ask_for_headers(port, "GET", "/", "", b"");
    assert_eq!((status, head.contains("x-elastic-product: elasticsearch")), (200, true), "{head}");
    let body = concat!(
        "{\"create\":{\"_index\":\"logs-a-b\",\"_id\":\"own\"}}\n{\"@timestamp\":\"2026-01-02T03:04:05Z\",\"message\":\"one\"}\n",
        "{\"update\":{\"_id\":\"x\"}}\n{\"doc\":{}}\n",
        "{\"index\":{}}\n{\"message\":\"two\",\"n\":2}\n",
    );
    let (status, said) = ask(
        port,
        "POST",
        "/pages/_bulk?refresh=true",
        "Content-Type: application/x-ndjson\r\n",
        body.as_bytes(),
    );
    assert_eq!(status, 200, "{said}");
    let answer: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(answer["errors"], true);
    assert_eq!(answer["items"][0]["create"]["_id"], "own");
    assert_eq!(answer["items"][0]["create"]["status"], 201);
    assert_eq!(answer["items"][1]["update"]["status"], 400);
    assert_eq!(answer["items"][2]["index"]["_index"], "pages");
    assert_eq!(answer["items"][2]["index"]["_id"].as_str().map(str::len), Some(22));
    let (status, said) = ask(port, "POST", "/_bulk", "", b"{\"index\":{}}\n{}\n");
    assert_eq!(status, 400);
    assert!(said.contains("index is missing"), "{said}");
    let events = rig.wait_for_events(2);
    assert_eq!((&events[0]["message"], &events[0]["index"]), (&"one".into(), &"logs-a-b".into()));
    assert_eq!(events[0]["@timestamp"], "2026-01-02T03:04:05.000Z");
    assert_eq!(
        (&events[1]["message"], &events[1]["index"], &events[1]["n"]),
        (&"two".into(), &"pages".into(), &2.into())
    );
    assert_eq!(ask(port, "PUT", "/_index_template/x", "", b"{}").0, 200);
    rig.stop();
}

/// rsyslog as it is, with its module for Elasticsearch. Nothing is killed here: rsyslog 8.2302 itself loses the first
/// message of a batch when its connection breaks (a proxy between the two saw that it never sends it).
#[test]
fn rsyslog_ships_to_it() {
    const LINES: usize = 4_000;
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/rsyslog.sh");
    let port = free_port();
    let mut rig = Rig::new(
        &format!("bulk \"127.0.0.1:{port}\""),
        "| parse .message as json else pass | set .message = .line ?? \"\", .index = .elasticsearch.index.name ?? \"\"",
    );
    let agent = Agent(rig.path("agent").display().to_string());
    std::fs::create_dir(&agent.0).expect("a folder");
    let log = rig.path("shop.log");
    let lines: Vec<_> = (0..LINES).map(|number| format!("order {number} \"quoted\"")).collect();
    let mut file = std::fs::File::create(&log).expect("a file");
    rig.start_on(port);
    let started = Command::new(SCRIPT).args(["start", &agent.0, &port.to_string()]).arg(&log).output();
    let started = started.expect("a shell");
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    if started.status.code() == Some(77) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{said}");
        eprintln!("SKIPPED: {said}");
        return;
    }
    assert!(started.status.success(), "{said}");
    for part in lines.chunks(LINES / 4) {
        file.write_all((part.join("\n") + "\n").as_bytes()).expect("written");
    }
    rig.wait_for_events(LINES);
    drop(agent);
    assert_eq!(rig.messages(), lines);
    assert!(rig.events().iter().all(|event| event["index"] == "shop"));
}

/// Stops the agent when dropped.
struct Agent(String);

impl Drop for Agent {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/rsyslog.sh");
        let _ = Command::new(script).args(["stop", &self.0]).status();
        if std::thread::panicking() {
            for name in ["log", "errors"] {
                let said = std::fs::read_to_string(format!("{}/{name}", self.0)).unwrap_or_default();
                eprintln!("{name}: {}", said.get(..4000).unwrap_or(&said));
            }
        }
    }
}

/// Whatever was acknowledged is at the sink though the process was killed, and no event is there twice.
#[test]
fn what_was_acknowledged_survives_kill_9() {
    let body = |texts: &[String]| {
        texts.iter().map(|text| format!("{{\"create\":{{}}}}\n{{\"n\":\"{text}\"}}\n")).collect::<String>()
    };
    let accepted = |said: &str| said.contains("\"errors\":false");
    let rig =
        kill_in_a_loop(&|port| format!("bulk \"127.0.0.1:{port}\""), "/logs-a-b/_bulk", &body, &accepted);
    assert!(rig.messages().iter().all(|message| message.starts_with("{\"n\":")));
}
