//! Buffers that go round between the encoders and the sink, and gzip.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use crossbeam::queue::ArrayQueue;

use crate::limits::BULK_BUFFERS_SPARE;

/// Room beyond the size of a body, so that the row that goes over it does not make the buffer grow.
const SLACK_BYTES: usize = 16 * 1024;

/// Empty buffers of the size of a body. A buffer that was used keeps its pages; a fresh one costs a page fault
/// per 4 KiB, which is as much as the copy that fills it.
#[derive(Clone)]
pub(super) struct Buffers {
    spare: Arc<ArrayQueue<Vec<u8>>>,
    /// Payloads that are done with, but that the connection had not let go when it gave the answer.
    held: Arc<ArrayQueue<Bytes>>,
    body_bytes: usize,
}

impl Buffers {
    pub(super) fn new(body_bytes: usize) -> Self {
        let (spare, held) = (ArrayQueue::new(BULK_BUFFERS_SPARE), ArrayQueue::new(BULK_BUFFERS_SPARE));
        Self { spare: Arc::new(spare), held: Arc::new(held), body_bytes }
    }

    /// Lets all of them go: a start depends on nothing that was before it.
    pub(super) fn begin(&self) {
        while self.spare.pop().is_some() {}
        while self.held.pop().is_some() {}
    }

    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        for _ in 0..self.held.len() {
            match self.held.pop() {
                Some(payload) => self.recover(payload),
                None => break,
            }
        }
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.body_bytes + SLACK_BYTES))
    }

    /// Gives a buffer back. One that grew out of proportion is let go.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        if (self.body_bytes..=2 * (self.body_bytes + SLACK_BYTES)).contains(&buffer.capacity()) {
            // A full store means that there are enough.
            let _ = self.spare.push(buffer);
        }
    }

    /// Gives back the buffer behind a payload, as soon as nobody else holds it.
    pub(super) fn recover(&self, mut payload: Bytes) {
        if payload.is_unique() {
            // Cut first: turning it into a vector moves the bytes that are in it, and emptied it would be let go.
            payload.truncate(1);
            self.give(payload.into());
        } else {
            // A full queue means that there are enough.
            let _ = self.held.push(payload);
        }
    }

    /// The bytes as a payload, with the memory it holds. Few bytes are copied out, so that a queue of small
    /// bodies does not hold a buffer each.
    pub(super) fn seal(&self, buffer: Vec<u8>) -> (Bytes, usize) {
        if buffer.len() < buffer.capacity() / 4 {
            let payload = Bytes::copy_from_slice(&buffer);
            self.give(buffer);
            let held = payload.len();
            return (payload, held);
        }
        let held = buffer.capacity();
        (Bytes::from(buffer), held)
    }

    /// The bytes compressed (RFC 1952, level 1: five times the speed of level 6 for a tenth more bytes).
    pub(super) fn gzip(&self, plain: Vec<u8>) -> (Bytes, usize) {
        let mut encoder = flate2::write::GzEncoder::new(self.take(), flate2::Compression::new(1));
        let written = encoder.write_all(&plain).and_then(|()| encoder.finish());
        self.give(plain);
        self.seal(written.expect("writing to memory does not fail"))
    }
}

/// The `len` bytes that were compressed. `None` where they are not what was written.
pub(super) fn gunzip(payload: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(len);
    let decoder = flate2::read::GzDecoder::new(payload);
    decoder.take(len as u64 + 1).read_to_end(&mut plain).ok()?;
    (plain.len() == len).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_goes_round() {
        let buffers = Buffers::new(1024);
        let mut buffer = buffers.take();
        buffer.resize(1000 + SLACK_BYTES, b'x');
        let at = buffer.as_ptr();
        let (payload, held) = buffers.seal(buffer);
        assert!(held >= payload.len());
        let second = payload.clone();
        buffers.recover(payload);
        let other = buffers.take();
        assert_ne!(other.as_ptr(), at, "somebody still holds it");
        drop(second);
        let again = buffers.take();
        // Not by its address alone: the allocator, too, gives out again what was let go.
        assert_eq!((again.as_ptr(), again.len(), buffers.held.len()), (at, 0, 0));
        assert!(again.capacity() >= 1000 + SLACK_BYTES);
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let plain = b"a line of text\n".repeat(1000);
        let (payload, held) = Buffers::new(64 * 1024).gzip(plain.clone());
        assert!(held < plain.len() / 10);
        assert_eq!(gunzip(&payload, plain.len()), Some(plain.clone()));
        assert_eq!(gunzip(&payload, plain.len() - 1), None);
        assert_eq!(gunzip(payload.get(..20).expect("longer"), plain.len()), None);
    }
}
