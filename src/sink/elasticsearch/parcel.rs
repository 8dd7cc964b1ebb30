//! A parcel: rows of one body on their way, as one request. A body begins as one parcel; what must go again goes
//! in smaller ones.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use super::buffer::{Buffers, gunzip};
use super::doubt::Doubt;

/// Rows that are sent together.
pub(super) struct Parcel {
    /// Number of the body that the rows are from.
    pub(super) body: u64,
    /// The encoded rows, compressed where the sink compresses.
    pub(super) payload: Bytes,
    /// End of each row, before compression.
    ends: Vec<u32>,
    /// Index of each row in its body; empty where that is the index here.
    rows: Vec<u32>,
    /// Tries so far.
    pub(super) tries: u32,
    /// Set where the rows may be there already.
    pub(super) doubt: Option<Doubt>,
    /// Set where the rows were in doubt and are nowhere: from when that is known, and what the doubt was.
    pub(super) looked: Option<(Duration, Doubt)>,
    /// How often a field was set aside in its rows after they were refused.
    pub(super) asides: u8,
    gzip: bool,
}

impl Parcel {
    /// A whole body.
    pub(super) fn whole(body: u64, payload: Bytes, ends: Vec<u32>, gzip: bool) -> Self {
        Self { body, payload, ends, rows: Vec::new(), tries: 0, doubt: None, looked: None, asides: 0, gzip }
    }

    /// The same rows, in doubt or not.
    pub(super) fn with_doubt(self, doubt: Option<Doubt>) -> Self {
        Self { doubt, ..self }
    }

    /// The same rows, known to be nowhere.
    pub(super) fn with_looked(self, looked: Option<(Duration, Doubt)>) -> Self {
        Self { looked, ..self }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Index of a row in its body.
    pub(super) fn row(&self, at: u32) -> u32 {
        self.rows.get(at as usize).copied().unwrap_or(at)
    }

    /// The rows as they were before compression. `None` where they cannot be read again, which only damaged
    /// memory explains.
    pub(super) fn plain(&self) -> Option<Bytes> {
        let len = self.ends.last().copied().unwrap_or_default() as usize;
        if self.gzip { gunzip(&self.payload, len).map(Bytes::from) } else { Some(self.payload.clone()) }
    }

    /// One row of [`Parcel::plain`].
    pub(super) fn slice<'a>(&self, plain: &'a [u8], at: u32) -> &'a [u8] {
        let at = at as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(at).copied().unwrap_or_default();
        plain.get(start as usize..end as usize).unwrap_or_default()
    }

    /// A field more was set aside in its rows.
    pub(super) fn set_aside_again(self) -> Self {
        Self { asides: self.asides + 1, ..self }
    }

    /// The same rows in other words.
    pub(super) fn with_rows(self, rows: &[Cow<'_, [u8]>], buffers: &Buffers) -> Self {
        let mut bytes = buffers.take();
        let mut ends = Vec::with_capacity(rows.len());
        for row in rows {
            bytes.extend_from_slice(row);
            ends.push(bytes.len() as u32);
        }
        let (payload, _) = if self.gzip { buffers.gzip(bytes) } else { buffers.seal(bytes) };
        Self { payload, ends, ..self }
    }

    /// A parcel of some of the rows, copied, so that the rest can be let go.
    pub(super) fn select(&self, plain: &[u8], rows: &[u32], buffers: &Buffers) -> Self {
        let mut bytes = buffers.take();
        let mut ends = Vec::with_capacity(rows.len());
        for &at in rows {
            bytes.extend_from_slice(self.slice(plain, at));
            ends.push(bytes.len() as u32);
        }
        let (payload, _) = if self.gzip { buffers.gzip(bytes) } else { buffers.seal(bytes) };
        let rows = rows.iter().map(|&at| self.row(at)).collect();
        Self {
            body: self.body,
            payload,
            ends,
            rows,
            tries: self.tries,
            doubt: None,
            looked: None,
            asides: self.asides,
            gzip: self.gzip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_index_in_the_body() {
        for gzip in [false, true] {
            let buffers = Buffers::new(64);
            let rows = ["a", "bb", "ccc", "dddd", "eeeee"];
            let ends = vec![1, 3, 6, 10, 15];
            let (payload, _) =
                if gzip { buffers.gzip(rows.concat().into()) } else { buffers.seal(rows.concat().into()) };
            let parcel = Parcel::whole(9, payload, ends, gzip);
            let plain = parcel.plain().expect("readable");
            let some = parcel.select(&plain, &[1, 3, 4], &buffers);
            let plain = some.plain().expect("readable");
            let last = some.select(&plain, &[2], &buffers);
            assert_eq!((some.len(), last.len(), last.body), (3, 1, 9));
            assert_eq!((0..3).map(|at| some.row(at)).collect::<Vec<_>>(), [1, 3, 4]);
            assert_eq!(last.row(0), 4);
            assert_eq!(last.slice(&last.plain().expect("readable"), 0), b"eeeee");
            assert_eq!(last.slice(b"", 7), b"");
        }
    }
}
