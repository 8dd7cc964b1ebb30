//! The `syslog` source.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};

use super::rig::{Rig, free_port, wait_for};

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
