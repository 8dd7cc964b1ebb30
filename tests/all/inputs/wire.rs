//! Requests over a plain connection of their own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Status and body. Status 0 where the connection ended without an answer.
pub(super) fn ask(port: u16, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let (status, _, body) = send(port, &request(method, path, headers, body));
    (status, body)
}

/// Status and the head of the answer, in lower case.
pub(super) fn ask_for_headers(
    port: u16,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> (u16, String) {
    let (status, head, _) = send(port, &request(method, path, headers, body));
    (status, head.to_ascii_lowercase())
}

/// Sends bytes as they are.
pub(super) fn ask_raw(port: u16, bytes: &[u8]) -> (u16, String) {
    let (status, _, body) = send(port, bytes);
    (status, body)
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn send(port: u16, bytes: &[u8]) -> (u16, String, String) {
    let nothing = || (0, String::new(), String::new());
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return nothing() };
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // It may answer before it has read all, and not read the rest.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return nothing() };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}
