//! The `http` source.

use std::io::Write;
use std::process::{Command, Stdio};

use super::rig::{Rig, certificate, free_port, has, kill_in_a_loop, wait_for};
use super::wire::{ask, ask_raw};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn bodies_are_taken_whole_or_not_at_all() {
    let port = free_port();
    let mut rig = Rig::new(
        &format!("http \"127.0.0.1:{port}\" {{ path = \"/logs\", token = secret(\"file:token\") }}"),
        "| set .peer = .log.source.address ?? \"\"",
    );
    std::fs::write(rig.path("token"), "sesame\n").expect("written");
    rig.start_on(port);
    let token = "Authorization: Bearer sesame\r\n";
    let post = |headers: &str, body: &[u8]| ask(port, "POST", "/logs", &format!("{token}{headers}"), body);
    let ndjson = "Content-Type: application/x-ndjson\r\n";
    let (status, said) = post(ndjson, b"{\"n\":1}\n\n{\"n\": 2}\n");
    assert_eq!((status, said.as_str()), (200, "{\"accepted\":2}\n"));
    let gzipped = gzip(b"{\"n\":3}\n");
    assert_eq!(post(&format!("{ndjson}Content-Encoding: gzip\r\n"), &gzipped).0, 200);
    let zstd = zstd::encode_all(&b"[{\"n\":4},\n {\"n\":5}]"[..], 1).expect("memory");
    assert_eq!(post("Content-Type: application/json\r\nContent-Encoding: zstd\r\n", &zstd).0, 200);
    assert_eq!(post("Content-Type: text/plain\r\n", b"line 6\nline 7").0, 200);
    assert_eq!(post(ndjson, b"").0, 200);

    let (status, said) = post(ndjson, b"{\"n\":8}\n{\"n\":\n");
    assert_eq!((status, said.as_str()), (400, "line 2, byte 5: EOF while parsing a value\n"));
    assert_eq!(post("Content-Encoding: br\r\n", b"x").0, 415);
    assert_eq!(post("Content-Encoding: gzip\r\n", b"x").0, 400);
    assert_eq!(ask(port, "POST", "/logs", "", b"x").0, 401);
    assert_eq!(ask(port, "POST", "/other", token, b"x").0, 404);
    assert_eq!(ask(port, "GET", "/logs", token, b"").0, 405);
    // It is refused by its length, before it is sent.
    let large = format!(
        "POST /logs HTTP/1.1\r\nHost: x\r\n{token}Content-Length: 99000000\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(ask_raw(port, large.as_bytes()).0, 413);
    let bomb = gzip(&vec![b'\n'; 40 << 20]);
    assert_eq!(post("Content-Encoding: gzip\r\n", &bomb).0, 413);

    let events = rig.wait_for_events(7);
    let texts: Vec<_> = events.iter().map(|event| event["message"].as_str().expect("text")).collect();
    assert_eq!(texts, ["{\"n\":1}", "{\"n\": 2}", "{\"n\":3}", "{\"n\":4}", "{\"n\":5}", "line 6", "line 7"]);
    assert!(
        events.iter().all(|event| event["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")))
    );
    assert_eq!(events[0]["log"]["file"]["path"].as_str().map(|path| path.starts_with("http://")), Some(true));
    rig.stop();
}

/// Whatever was acknowledged is at the sink though the process was killed, and no event is there twice.
#[test]
fn what_was_acknowledged_survives_kill_9() {
    kill_in_a_loop(
        &|port| format!("http \"127.0.0.1:{port}\" {{ body = lines }}"),
        "/",
        &|texts| texts.join("\n"),
        &|_| true,
    );
}

/// A full spool is said to the client, and what it sent before is not lost.
#[test]
fn a_full_spool_is_429() {
    let port = free_port();
    let mut rig = Rig::new(&format!("http \"127.0.0.1:{port}\" {{ spool = 1MiB }}"), "");
    // A sink that takes nothing: its folder is a file.
    let pipeline = std::fs::read_to_string(rig.path("p.aludel")).expect("text");
    let stalled = pipeline.replace(
        "file \"out.ndjson\"",
        "elasticsearch \"http://127.0.0.1:1\" { data_stream = \"logs-a-b\" }",
    );
    std::fs::write(rig.path("p.aludel"), stalled).expect("written");
    rig.start_on(port);
    let body = "x".repeat(200_000);
    let mut statuses = Vec::new();
    let mut accepted = 0;
    wait_for("429", || {
        let (status, headers) =
            super::wire::ask_for_headers(port, "POST", "/", "Content-Type: text/plain\r\n", body.as_bytes());
        accepted += u32::from(status == 200);
        if status == 429 {
            assert!(headers.contains("retry-after: 1"), "{headers}");
        }
        statuses.push(status);
        status != 200
    });
    assert_eq!(statuses.last(), Some(&429));
    assert!((1..20).contains(&accepted), "{accepted}");
    rig.kill();
    std::fs::write(rig.path("p.aludel"), pipeline).expect("written");
    rig.once();
    assert_eq!(rig.events().len(), accepted as usize);
}

#[test]
fn curl_speaks_tls_with_it() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let port = free_port();
    let mut rig = Rig::new(
        &format!(
            "http \"https://127.0.0.1:{port}\" {{ cert_file = \"CERT.pem\", key_file = \"CERT.key\", client_ca_file = \"CLIENT.pem\" }}"
        ),
        "",
    );
    let folder = rig.folder.path().to_owned();
    for (name, ca) in
        [("server", None), ("ca", None), ("client", Some("ca")), ("other", None), ("stranger", Some("other"))]
    {
        certificate(&folder, name, ca);
    }
    let file = rig.path("p.aludel");
    let pipeline = std::fs::read_to_string(&file).expect("text");
    let at = |name: &str| folder.join(name).display().to_string();
    let pipeline = pipeline.replace("CERT", &at("server")).replace("CLIENT", &at("ca"));
    std::fs::write(&file, pipeline).expect("written");
    rig.start_on(port);
    let curl = |more: &[&str]| {
        let url = format!("https://127.0.0.1:{port}/");
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "--cacert",
            &at("server.pem"),
            "--data-binary",
            "one\ntwo",
        ]);
        command
            .args(["-H", "Content-Type: text/plain", &url])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().expect("curl starts").success()
    };
    assert!(!curl(&[]), "without a certificate");
    assert!(
        !curl(&["--cert", &at("stranger.pem"), "--key", &at("stranger.key")]),
        "with a stranger's certificate"
    );
    assert!(curl(&["--cert", &at("client.pem"), "--key", &at("client.key")]));
    let texts: Vec<_> = rig.wait_for_events(2).iter().map(|event| event["message"].to_string()).collect();
    assert_eq!(texts, ["\"one\"", "\"two\""]);
}
