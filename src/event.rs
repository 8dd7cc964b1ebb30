//! Events as they pass through a pipeline: values, the compile-time layout, one row, a batch of messages.
//!
//! # Memory layout
//!
//! A reader hands a worker a [`Batch`]: shared [`Segment`]s (the bytes as read), one [`Message`] (48 bytes) per
//! message and one [`Run`] per stretch of messages of the same stream. A worker takes the messages one by one
//! through a single [`Row`]: an array of 16-byte [`Value`]s, one per [`Layout`] slot, a bit mask of those that are
//! present, an ordered remainder for keys that only the data knows, and an arena for derived bytes. Text is a
//! [`Span`] into segment, constants or arena, so no value owns memory and the row is reset by clearing two masks.
//! The row is encoded for every sink while it is hot in the first-level cache, then reused.
//!
//! What one event costs: 48 bytes in its batch, no allocation, and one pass each of framing, parsing and encoding
//! (`cargo bench`, groups `frame`, `grammar`, `encode`).

mod ansi;
mod batch;
mod json;
mod layout;
mod options;
pub mod raw;
mod row;
mod stage;
mod value;
pub mod work;
mod writer;

pub use ansi::{ESCAPE, strip_ansi};
pub use batch::{Batch, Message, Origin, Run, Segment};
pub use json::{write_object, write_string, write_timestamp, write_value};
pub use layout::{Layout, LayoutBuilder, Mask, Slot};
pub use options::{BoundPart, BoundTemplate, OptionValue, Options, Template, write_plain};
pub use row::{Entry, Row, Saved, Texts};
pub use value::{Facts, Span, Value};
pub use writer::Writer;
