//! The `syslog` source.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};

use super::rig::{Rig, certificate, free_port, has, wait_for};

#[test]
fn both_framings_come_over_tcp() {
    let port = free_port();
    let mut rig = Rig::new(
        &format!("syslog \"tcp://127.0.0.1:{port}\""),
        "| parse .message as syslog else pass | set .peer = .log.source.address ?? \"\"",
    );
    rig.start_on(port);
    let mut counted = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let message = "<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - two\nlines";
    counted.write_all(format!("{} {message}", message.len()).as_bytes()).expect("it reads");
    let mut lines = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    lines
        .write_all(b"<13>Oct 11 22:14:15 web sshd[17]: hello\n<13>Oct 11 22:14:16 web sshd[17]: ")
        .expect("it reads");
    lines.write_all(b"in pieces\n<13>Oct 11 22:14:17 web sshd[17]: the last").expect("it reads");
    let own = lines.local_addr().expect("an address").to_string();
    drop(lines);
    let events = rig.wait_for_events(4);
    let texts: Vec<_> = events.iter().map(|event| event["message"].as_str().expect("text")).collect();
    for wanted in ["two\nlines", "hello", "in pieces", "the last"] {
        assert!(texts.contains(&wanted), "{texts:?}");
    }
    assert_eq!(events.iter().filter(|event| event["peer"] == own.as_str()).count(), 3, "{events:?}");
    rig.stop();
}

/// What a stopped process has read is there after a restart, and nothing twice.
#[test]
fn nothing_that_was_read_is_lost_when_it_is_stopped() {
    let port = free_port();
    let mut rig = Rig::new(&format!("syslog \"tcp://127.0.0.1:{port}\""), "");
    rig.start_on(port);
    let mut peer = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    for number in 0..20_000 {
        peer.write_all(format!("<13>{number}\n").as_bytes()).expect("it reads");
    }
    wait_for("the first", || !rig.events().is_empty());
    drop(peer);
    rig.stop();
    rig.once();
    let messages = rig.messages();
    assert!(messages.iter().enumerate().all(|(number, message)| *message == format!("<13>{number}")));
    assert_eq!(messages.len(), 20_000);
}

#[test]
fn datagrams_are_messages() {
    let port = free_port();
    let mut rig = Rig::new(
        &format!(
            "syslog \"udp://127.0.0.1:{port}\", \"tcp://127.0.0.1:{port}\" {{ receive_buffer = 64KiB }}"
        ),
        "| set .peer = .log.source.address ?? \"\"",
    );
    rig.start_on(port);
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    for number in 0..50 {
        socket.send_to(format!("<13>{number}\nmore\n").as_bytes(), ("127.0.0.1", port)).expect("sent");
    }
    let events = rig.wait_for_events(50);
    let own = socket.local_addr().expect("an address").to_string();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["message"], format!("<13>{number}\nmore"));
        assert_eq!(event["peer"], own.as_str());
    }
}

/// `openssl s_client` as a peer: RFC 5425 counts, and clients show a certificate.
#[test]
fn syslog_comes_over_tls() {
    if !has("openssl") {
        return;
    }
    let port = free_port();
    let mut rig = Rig::new(
        &format!(
            "syslog \"tls://127.0.0.1:{port}\" {{ cert_file = \"AT/server.pem\", key_file = \"AT/server.key\", client_ca_file = \"AT/ca.pem\" }}"
        ),
        "",
    );
    let folder = rig.folder.path().to_owned();
    for (name, ca) in [("server", None), ("ca", None), ("client", Some("ca"))] {
        certificate(&folder, name, ca);
    }
    let pipeline = std::fs::read_to_string(rig.path("p.aludel")).expect("text");
    std::fs::write(rig.path("p.aludel"), pipeline.replace("AT", &folder.display().to_string()))
        .expect("written");
    rig.start_on(port);
    let send = |client: &[&str], text: &str| {
        let mut command = Command::new("openssl");
        command.current_dir(&folder).args(["s_client", "-quiet", "-no_ign_eof", "-CAfile", "server.pem"]);
        command.args(["-connect", &format!("127.0.0.1:{port}")]).args(client);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl starts");
        // Without a certificate the connection may end first.
        let _ = child.stdin.take().expect("piped").write_all(text.as_bytes());
        child.wait().expect("it ends");
    };
    send(&["-cert", "client.pem", "-key", "client.key"], "8 <13>a\nbc8 <13>defg");
    let messages: Vec<_> = rig.wait_for_events(2).iter().map(|event| event["message"].to_string()).collect();
    assert_eq!(messages, ["\"<13>a\\nbc\"", "\"<13>defg\""]);
    send(&[], "8 <13>no!!");
    wait_for("the warning", || rig.said().contains("TLS: "));
    assert_eq!(rig.events().len(), 2);
}

/// util-linux's `logger` as a peer, in all that it speaks.
#[test]
fn logger_is_understood() {
    if !has("logger") {
        return;
    }
    let port = free_port();
    let mut rig = Rig::new(
        &format!("syslog \"tcp://127.0.0.1:{port}\", \"udp://127.0.0.1:{port}\""),
        "| parse .message as syslog else reject \"no syslog\"",
    );
    rig.start_on(port);
    let mut wanted = Vec::new();
    for (number, more) in [
        &["--tcp"][..],
        &["--tcp", "--octet-count"],
        &["--tcp", "--rfc3164"],
        &["--udp"],
        &["--udp", "--rfc3164"],
    ]
    .iter()
    .enumerate()
    {
        let text = format!("number {number}");
        let mut command = Command::new("logger");
        command
            .args(["--server", "127.0.0.1", "--port", &port.to_string(), "--tag", "shop"])
            .args(*more)
            .arg(&text);
        assert!(command.status().expect("logger starts").success());
        wanted.push(text);
    }
    let events = rig.wait_for_events(wanted.len());
    let mut texts: Vec<_> =
        events.iter().map(|event| event["message"].as_str().expect("text").to_owned()).collect();
    texts.sort();
    assert_eq!(texts, wanted);
}

/// The kernel's count of datagrams that nobody read in time is seen.
#[test]
fn datagrams_that_the_kernel_dropped_are_counted() {
    use aludel::source::listener::Listener;
    use aludel::source::listener::address::{Address, Protocol};
    use aludel::source::listener::real::{RealListener, Setup};
    let setup = Setup {
        addresses: vec![Address {
            protocol: Protocol::Udp,
            socket: "127.0.0.1:0".parse().expect("an address"),
        }],
        tls: None,
        gate: None,
        connections_max: 1,
        receive_buffer: Some(4096),
        name: "drops".into(),
    };
    // Nobody takes what it hands over, so that it stops to read.
    let listener = RealListener::start(setup).expect("it listens");
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let datagram = vec![b'x'; 60_000];
    wait_for("drops", || {
        for _ in 0..50 {
            let _ = socket.send_to(&datagram, listener.addresses()[0]);
        }
        listener.dropped().expect("the kernel counts") > 0
    });
}
