//! Views of one value: decoded, unescaped, lower case, as a path, digits only; each is made when it is first asked
//! for, shared by all who ask, and knows where in the raw value each of its bytes came from.

use std::cell::{OnceCell, RefCell};
use std::ops::Range;

use super::{Bytes, Kind};
use crate::limits::{DETECT_DECODE_ROUNDS_MAX, DETECT_POOL_VIEWS_MAX};

mod decode;
mod unescape;

/// Bytes derived from a value.
#[derive(Debug, Default)]
pub struct View {
    bytes: Vec<u8>,
    /// Where in the raw value each byte begins; empty where the bytes are those of the raw value.
    at: Vec<u32>,
    /// Length of the raw value.
    raw_len: usize,
}

impl View {
    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The range of the raw value that a range of these bytes came from.
    pub fn raw(&self, range: Range<usize>) -> Range<usize> {
        if self.at.is_empty() {
            return range.start.min(self.raw_len)..range.end.min(self.raw_len);
        }
        let start = self.at.get(range.start).map_or(self.raw_len, |at| *at as usize);
        let end = self.at.get(range.end).map_or(self.raw_len, |at| *at as usize);
        start..end.max(start)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.at.clear();
    }

    /// Takes the bytes of another view as they are.
    fn copy(&mut self, of: &Self) {
        self.bytes.extend_from_slice(&of.bytes);
        self.at.extend_from_slice(&of.at);
        self.raw_len = of.raw_len;
    }

    #[inline]
    fn push(&mut self, byte: u8, at: u32) {
        self.bytes.push(byte);
        self.at.push(at);
    }

    /// Where in the raw value a byte of this view begins.
    #[inline]
    fn origin(&self, at: usize) -> u32 {
        if self.at.is_empty() { at as u32 } else { self.at.get(at).copied().unwrap_or(self.raw_len as u32) }
    }
}

/// Buffers of views that are done with, used again.
#[derive(Debug, Default)]
pub struct Pool(RefCell<Vec<View>>);

impl Pool {
    fn take(&self) -> View {
        let mut view = self.0.borrow_mut().pop().unwrap_or_default();
        view.clear();
        view
    }

    fn give(&self, view: Option<View>) {
        if let Some(view) = view
            && self.0.borrow().len() < DETECT_POOL_VIEWS_MAX
        {
            self.0.borrow_mut().push(view);
        }
    }
}

/// A value and what is derived from it.
#[derive(Debug)]
pub struct Views<'a> {
    /// The value as it was logged.
    pub raw: &'a [u8],
    /// What kind of field it is in.
    pub kind: Kind,
    /// Its byte classes.
    pub bytes: Bytes,
    pub(super) pool: &'a Pool,
    decoded: OnceCell<View>,
    unescaped: OnceCell<View>,
    lower: OnceCell<View>,
    path: OnceCell<View>,
    digits: OnceCell<View>,
}

impl<'a> Views<'a> {
    /// Views of a value; none is made yet.
    pub fn new(raw: &'a [u8], kind: Kind, bytes: Bytes, pool: &'a Pool) -> Self {
        let (decoded, unescaped, lower, path, digits) = Default::default();
        Self { raw, kind, bytes, pool, decoded, unescaped, lower, path, digits }
    }

    /// Views of a part of it.
    pub fn part(&self, range: Range<usize>, kind: Kind) -> Views<'a> {
        let raw = self.raw.get(range).unwrap_or_default();
        Views::new(raw, kind, Bytes::of(raw), self.pool)
    }

    fn start(&self) -> View {
        let mut view = self.pool.take();
        view.raw_len = self.raw.len();
        view
    }

    /// Percent-decoded, at most [`DETECT_DECODE_ROUNDS_MAX`] times, `+` as a blank where the field is a query; with
    /// overlong forms and full-width letters as the ASCII that servers take them for.
    pub fn decoded(&self) -> &View {
        self.decoded.get_or_init(|| {
            let mut view = self.start();
            let plus = matches!(self.kind, Kind::Query | Kind::Name) && self.bytes.any(Bytes::PLUS);
            if !plus && !self.bytes.any(Bytes::PERCENT.with(Bytes::OTHER)) {
                view.bytes.extend_from_slice(self.raw);
                return view;
            }
            decode::round(self.raw, None, plus, &mut view);
            for _ in 1..DETECT_DECODE_ROUNDS_MAX {
                if !decode::more(&view.bytes) {
                    break;
                }
                let mut next = self.start();
                decode::round(&view.bytes, Some(&view), false, &mut next);
                self.pool.give(Some(std::mem::replace(&mut view, next)));
            }
            view
        })
    }

    /// [`Views::lower`] with HTML character references and `\xHH`, `\uHHHH` resolved.
    pub fn unescaped(&self) -> &View {
        self.unescaped.get_or_init(|| {
            let from = self.lower();
            let mut view = self.start();
            if memchr::memchr2(b'&', b'\\', &from.bytes).is_none() {
                view.copy(from);
            } else {
                unescape::unescape(from, &mut view);
                view.bytes.make_ascii_lowercase();
            }
            view
        })
    }

    /// [`Views::decoded`] in lower case.
    pub fn lower(&self) -> &View {
        self.lower.get_or_init(|| {
            let mut view = self.start();
            view.copy(self.decoded());
            view.bytes.make_ascii_lowercase();
            view
        })
    }

    /// [`Views::lower`] as the path that a file system sees: `\` is `/`, and `//`, `/./` and `;…` are squeezed.
    pub fn path(&self) -> &View {
        self.path.get_or_init(|| {
            let mut view = self.start();
            decode::path(self.lower(), &mut view);
            view
        })
    }

    /// The digits alone, of the raw value.
    pub fn digits(&self) -> &View {
        self.digits.get_or_init(|| {
            let mut view = self.start();
            let digits = self.raw.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit());
            digits.for_each(|(at, byte)| view.push(*byte, at as u32));
            view
        })
    }
}

impl Drop for Views<'_> {
    fn drop(&mut self) {
        for cell in
            [&mut self.decoded, &mut self.unescaped, &mut self.lower, &mut self.path, &mut self.digits]
        {
            self.pool.give(cell.take());
        }
    }
}

#[cfg(test)]
mod tests;
