//! The `bulk` source.

use super::rig::{Rig, free_port};
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
