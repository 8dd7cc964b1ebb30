//! Requests from a connection: head, then a body by length or in chunks, packed or plain.
//!
//! Only what shippers send; anything else ends the connection.

use std::io::{self, Read, Write};

use memchr::memmem;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;
/// Largest head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Largest body, as it comes.
const BODY_BYTES_MAX: usize = 256 << 20;

/// A connection's bytes that are not used yet.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// The head of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    length: usize,
    chunked: bool,
    /// Whether the body is gzip.
    pub(crate) gzip: bool,
    /// Whether the client waits for «100 Continue» before it sends the body.
    continues: bool,
}

impl Inbox {
    fn held(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Reads more; false at the end of the connection.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() - self.end < READ_BYTES {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let wanted = (self.end + READ_BYTES).next_power_of_two();
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted, 0);
            }
        }
        let read = from.read(&mut self.bytes[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }

    /// Reads until `count` bytes are held.
    fn hold(&mut self, from: &mut impl Read, count: usize) -> io::Result<()> {
        while self.end - self.start < count {
            if !self.fill(from)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// The length of what stands before `mark`, which is used up with it.
    fn until(&mut self, from: &mut impl Read, mark: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = memmem::find(self.held(), mark) {
                let text = self.held()[..at].to_vec();
                self.start += at + mark.len();
                return Ok(Some(text));
            }
            if self.end - self.start > HEAD_BYTES_MAX {
                return Err(io::Error::other("a head that does not end"));
            }
            if !self.fill(from)? {
                return Ok(None);
            }
        }
    }

    /// The head of the next request; `None` where the client has closed.
    pub(crate) fn head(&mut self, from: &mut impl Read) -> io::Result<Option<Head>> {
        let text = self.until(from, b"\r\n\r\n")?;
        text.map(|text| head(&text).ok_or_else(|| io::Error::other("not an HTTP request"))).transpose()
    }

    /// The body of a request, as it came, put into `body`.
    pub(crate) fn body<S: Read + Write>(
        &mut self,
        head: &Head,
        on: &mut S,
        body: &mut Vec<u8>,
    ) -> io::Result<()> {
        body.clear();
        if head.continues {
            on.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if !head.chunked {
            return self.take(on, head.length, body);
        }
        loop {
            let line = self.until(on, b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let digits =
                line.split(|byte| *byte == b';').next().and_then(|size| std::str::from_utf8(size).ok());
            let size = digits.and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
            let size = size.ok_or_else(|| io::Error::other("a chunk without a size"))?;
            self.take(on, size, body)?;
            self.hold(on, 2)?;
            self.start += 2;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, from: &mut impl Read, count: usize, body: &mut Vec<u8>) -> io::Result<()> {
        if body.len() + count > BODY_BYTES_MAX {
            return Err(io::Error::other("a body larger than any shipper's"));
        }
        let held = count.min(self.end - self.start);
        body.extend_from_slice(&self.held()[..held]);
        self.start += held;
        let at = body.len();
        body.resize(at + count - held, 0);
        from.read_exact(&mut body[at..])
    }
}

fn head(text: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut head = Head { method: words.next()?.into(), target: words.next()?.into(), ..Head::default() };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.parse().ok()?,
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "content-encoding" => head.gzip = value.eq_ignore_ascii_case("gzip"),
            "expect" => head.continues = value.eq_ignore_ascii_case("100-continue"),
            _ => {}
        }
    }
    Some(head)
}

impl Head {
    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a parameter of the query, percent escapes of `*` and `,` resolved.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.replace("%2A", "*").replace("%2a", "*").replace("%2C", ",").replace("%2c", ","))
    }
}
