//! A dead letter: what was refused for good, by whom and why, and the original bytes with their place.
//!
//! One JSON object a line. Bytes that are UTF-8 are text in `original`, others base64 in `original_base64`. Where
//! the source no longer has them there is neither, and `event` holds what was left of the row.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::Gap;
use crate::event::write_timestamp;
use crate::position::{EventId, Stream, StreamId};
use crate::sensitive::Redactor;

/// Where on its way an event was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// No format of a `parse` took it, and `else reject` said what then.
    Parse,
    /// A step rejected it.
    #[default]
    Step,
    /// A sink's encoder could not write it.
    Encode,
    /// The destination refused it.
    Sink,
}

impl Stage {
    /// Its name in letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Step => "step",
            Self::Encode => "encode",
            Self::Sink => "sink",
        }
    }
}

/// One event that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// When, as RFC 3339.
    pub time: String,
    /// Where on its way.
    pub stage: Stage,
    /// Who refused it: the pipeline, or the sink.
    pub by: String,
    /// Why.
    pub error: String,
    /// The pipeline that it went through.
    pub pipeline: String,
    /// The version of the pipeline files: the start of a hash over their text.
    pub version: String,
    /// The source's name.
    pub source: String,
    /// Path or address of the stream.
    pub stream: String,
    /// Its id.
    pub stream_id: String,
    /// Its generation.
    pub generation: u16,
    /// The lane.
    pub lane: u8,
    /// Position of the first byte.
    pub start: u64,
    /// One past the position of the last byte.
    pub end: u64,
    /// Part of a message that was cut; 0 for a whole one.
    pub part: u16,
    /// The event's id; empty where the sink could not say which event it refused.
    pub id: String,
    /// The original bytes, where they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// The original bytes in base64, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_base64: Option<String>,
    /// The message, or the row as it was encoded: there only where the source no longer has the original bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The event was itself made of what aludel wrote down, a letter or a gap record. No source hands this one on, or
    /// a destination that refuses all would be sent letters about letters for ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_own: bool,
}

/// A gap record for people and pipelines; the ledger has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRecord {
    /// When it was noticed, as RFC 3339.
    pub time: String,
    /// The source's name.
    pub source: String,
    /// Path or address of the stream.
    pub stream: String,
    /// Its id.
    pub stream_id: String,
    /// Its generation.
    pub generation: u16,
    /// Position of the first byte.
    pub start: u64,
    /// One past the position of the last byte, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// How many bytes, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The one sink that lost them; absent where all did that had not settled them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Why.
    pub cause: String,
    /// What was lost are records of aludel itself: no source hands this one on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_own: bool,
}

impl GapRecord {
    /// What the ledger has, in the words of a pipeline.
    pub fn new(gap: &Gap) -> Self {
        Self {
            time: Letter::time(gap.time),
            source: gap.source.to_string(),
            stream: gap.path.to_string(),
            stream_id: StreamId(gap.stream).to_string(),
            generation: gap.generation,
            start: gap.start,
            end: gap.end,
            bytes: gap.end.map(|end| end.saturating_sub(gap.start)),
            sink: gap.sink.as_deref().map(str::to_owned),
            cause: gap.cause.to_string(),
            of_own: false,
        }
    }
}

/// A line of a [`LetterBox`](super::LetterBox).
pub trait Entry: Serialize {
    /// When it was made, as RFC 3339: the name of a segment that begins with it.
    fn time(&self) -> &str;
}

impl Entry for Letter {
    fn time(&self) -> &str {
        &self.time
    }
}

impl Entry for GapRecord {
    fn time(&self) -> &str {
        &self.time
    }
}

/// What a line holds that no source hands on: a quote that is not escaped stands in no text, so it is a member.
pub const OF_OWN: &[u8] = b"\"of_own\":true";

impl Letter {
    /// The form of a time that letters carry.
    pub fn time(unix_ns: i64) -> String {
        let mut text = Vec::new();
        write_timestamp(unix_ns, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Notes which event it is about.
    pub fn place(&mut self, stream: &Stream, id: &EventId) {
        self.source = stream.source.to_string();
        self.stream = stream.path.to_string();
        self.stream_id = id.stream.to_string();
        (self.generation, self.lane, self.part) = (id.generation, id.lane, id.part);
        (self.start, self.end) = (id.start, id.end);
        self.id = id.to_string();
    }

    /// Takes in what is kept of the event: its original bytes, or what was left of the row where the source no
    /// longer has them. The one way by which bytes of events get into letters, and so the place where redaction
    /// comes in front of it: what the pipeline redacts is in no letter either, nor in what a destination said of it.
    pub fn keep(&mut self, original: Option<Vec<u8>>, row: &[u8], redactor: Option<&Redactor>) {
        let Some(redactor) = redactor else { return self.keep_as_is(original, row) };
        self.error = String::from_utf8_lossy(&redactor.text(self.error.as_bytes())).into_owned();
        let original = original.and_then(|original| redactor.original(&original, row));
        self.keep_as_is(original, &redactor.text(row));
    }

    fn keep_as_is(&mut self, original: Option<Vec<u8>>, row: &[u8]) {
        match original.map(String::from_utf8) {
            Some(Ok(text)) => self.original = Some(text),
            Some(Err(other)) => self.original_base64 = Some(BASE64.encode(other.as_bytes())),
            None => self.event = Some(String::from_utf8_lossy(row).into_owned()),
        }
    }

    /// The original bytes. `None` where they were gone already, or where the letter was damaged.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.original, &self.original_base64) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(text)) => BASE64.decode(text.as_bytes()).ok(),
            (None, None) => None,
        }
    }

    /// What the event is, if the letter says so.
    pub fn event_id(&self) -> Option<EventId> {
        EventId::decode(self.id.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the bytes are, a letter gives them back.
        #[test]
        fn bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut letter = Letter::default();
            letter.keep(Some(bytes.clone()), b"", None);
            let line = serde_json::to_vec(&letter).expect("JSON");
            prop_assert!(!line.contains(&b'\n'));
            let read: Letter = serde_json::from_slice(&line).expect("a letter");
            prop_assert_eq!(read.bytes(), Some(bytes));
            prop_assert_eq!(read, letter);
        }
    }
}
