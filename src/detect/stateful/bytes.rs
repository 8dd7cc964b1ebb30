//! Plain bytes for snapshots and observations: little-endian numbers, and byte strings behind their length.

/// Appends.
pub trait Put {
    /// A number.
    fn put_u64(&mut self, number: u64);
    /// A number with a sign.
    fn put_i64(&mut self, number: i64) {
        self.put_u64(number as u64);
    }
    /// Bytes behind their length.
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn put_u64(&mut self, number: u64) {
        self.extend_from_slice(&number.to_le_bytes());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.extend_from_slice(bytes);
    }
}

/// Reads what [`Put`] wrote; `None` where the bytes end, or are not what was written.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a>(pub &'a [u8]);

impl<'a> Get<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// A number.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// A number with a sign.
    pub fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    /// A number of items; each takes at least a byte, so that a damaged one asks for no memory.
    pub fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.u64()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    /// An array of bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take()
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}
