//! `_bulk` requests over one kept connection on loopback, one at a time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A body is sent once it has this many bytes, before compression.
const BODY_BYTES: usize = 1024 * 1024;
/// Room past it, so that the document that fills a body does not move it.
const SLACK_BYTES: usize = 256 * 1024;
/// Bytes of an answer read at once.
const ANSWER_BYTES: usize = 256 * 1024;

/// The body being filled and where it goes.
pub(super) struct Bulk {
    /// Action and document lines. Append whole pairs only.
    pub(super) body: Vec<u8>,
    stream: TcpStream,
    compressed: Option<Vec<u8>>,
    answer: Vec<u8>,
    event: u64,
}

impl Bulk {
    /// Connects; `gzip` compresses bodies at level 1.
    pub(super) fn connect(port: u16, gzip: bool) -> Result<Self, String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self {
            body: Vec::with_capacity(BODY_BYTES + SLACK_BYTES),
            stream,
            compressed: gzip.then(Vec::new),
            answer: vec![0; ANSWER_BYTES],
            event: 0,
        })
    }

    /// Begins an event: its action, with an id that no other event has.
    #[inline]
    pub(super) fn action(&mut self, log: &str) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut number = *b"000000000000\"}}\n";
        for (place, digit) in number.iter_mut().take(12).enumerate() {
            *digit = DIGITS[(self.event >> (44 - 4 * place) & 15) as usize];
        }
        self.event += 1;
        self.body.extend_from_slice(b"{\"create\":{\"_index\":\"logs\",\"_id\":\"");
        self.body.extend_from_slice(log.as_bytes());
        self.body.extend_from_slice(&number);
    }

    /// Sends a full body.
    #[inline]
    pub(super) fn full(&mut self) -> Result<(), String> {
        if self.body.len() >= BODY_BYTES { self.send() } else { Ok(()) }
    }

    /// Sends what there is.
    pub(super) fn send(&mut self) -> Result<(), String> {
        if self.body.is_empty() {
            return Ok(());
        }
        let mut encoding = "";
        let mut bytes = &self.body;
        if let Some(compressed) = &mut self.compressed {
            compressed.clear();
            let mut gzip = GzEncoder::new(std::mem::take(compressed), Compression::new(1));
            gzip.write_all(&self.body).map_err(failed)?;
            *compressed = gzip.finish().map_err(failed)?;
            encoding = "Content-Encoding: gzip\r\n";
            bytes = compressed;
        }
        let head = format!(
            "POST /_bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n{encoding}Content-Length: {}\r\n\r\n",
            bytes.len()
        );
        self.stream.write_all(head.as_bytes()).map_err(failed)?;
        self.stream.write_all(bytes).map_err(failed)?;
        self.body.clear();
        self.answer()
    }

    /// Reads an answer to its end: a success, without a failed item.
    fn answer(&mut self) -> Result<(), String> {
        let mut held = 0;
        let head = loop {
            let read = self.stream.read(&mut self.answer[held..]).map_err(failed)?;
            if read == 0 {
                return Err("_bulk: the connection was closed within an answer".to_owned());
            }
            held += read;
            if let Some(at) = memchr::memmem::find(&self.answer[..held], b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = String::from_utf8_lossy(&self.answer[..head]).to_ascii_lowercase();
        let length: Option<usize> = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok());
        let length = length.ok_or_else(|| format!("_bulk: an answer without length: {text}"))?;
        let mut errors = memchr::memmem::find(&self.answer[head..held], b"\"errors\":true").is_some();
        let mut left = length.saturating_sub(held - head);
        while left > 0 {
            let read = self.stream.read(&mut self.answer).map_err(failed)?;
            if read == 0 {
                return Err("_bulk: the connection was closed within an answer".to_owned());
            }
            left = left.saturating_sub(read);
            errors |= memchr::memmem::find(&self.answer[..read], b"\"errors\":true").is_some();
        }
        match text.starts_with("http/1.1 200") && !errors {
            true => Ok(()),
            false => Err(format!("_bulk: {}, errors: {errors}", text.lines().next().unwrap_or_default())),
        }
    }
}

fn failed(error: std::io::Error) -> String {
    format!("_bulk: {error}")
}
