//! Cuts the bytes of a stream into messages: lines, container partials, multi-line.
//!
//! In: blocks of one stream with their position. Out: messages, and the ranges of the stream they account for.
//! Sees no file and no clock: the caller passes `now`, and a way to read bytes again.
//!
//! The way of one line: [`cri`] or [`docker`] takes the envelope off, [`class`] says what kind of line it is (a
//! look at the first byte, mostly), [`machine`] whether a line of that kind continues what is open, [`lane`] holds
//! what is open as positions, and [`emit`] makes the message. `machine.rs` is the file to read first; [`coding`] is what
//! streams need that are not written in UTF-8.

mod class;
mod coding;
mod config;
mod cri;
mod docker;
mod emit;
mod framer;
mod header;
mod lane;
mod machine;
mod options;

use std::io;
use std::ops::Range;
use std::time::Duration;

use crate::event::Message;

pub use class::{Language, Languages};
pub use coding::Written;
pub use config::{Attach, Format, FrameConfig, Multiline, Patterns};
pub use framer::{Framer, Lanes};
pub use header::{Header, HeaderLines};
pub use options::OPTIONS;

/// Reads bytes of a stream again: appends exactly the given range.
pub type Fetch<'a> = &'a mut dyn FnMut(Range<u64>, &mut Vec<u8>) -> io::Result<()>;

/// Bytes of a stream, ready to be cut. What was not consumed is offered again, with more behind it.
pub struct Block<'a> {
    /// Position of the first byte in the stream.
    pub position: u64,
    /// The bytes.
    pub bytes: &'a [u8],
    /// The number that spans into these bytes carry ([`crate::event::Span::buffer`]).
    pub buffer: u16,
    /// No more bytes will come (the file was rotated away and read to its end, the connection closed, or an
    /// unfinished line has waited long enough): a last line without separator is a line.
    pub last: bool,
    /// Monotonic time.
    pub now: Duration,
    /// Reads bytes of the stream that came before this block: appends exactly the given range.
    pub fetch: Fetch<'a>,
}

/// What comes of a block.
pub struct Framed<'a> {
    /// Messages, in the order of their last byte.
    pub messages: &'a mut Vec<Message>,
    /// Text of messages that are made of several pieces; spans into it carry buffer
    /// [`crate::event::Span::SEGMENTS`].
    pub joined: &'a mut Vec<u8>,
    /// Ranges of the stream that the messages account for, separators and blank lines included. Ranges that
    /// touch may be merged. Bytes of open messages are not in it yet.
    pub ranges: &'a mut Vec<Range<u64>>,
}
