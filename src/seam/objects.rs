//! An object store as a trait: asks go out, answers are polled, so that who uses it is a state machine that is
//! stepped, and a test can end it between any two requests.
//!
//! What is promised is what S3 promises: an object is there whole or not at all; who asks after an answer sees it
//! (reads, lists and conditional puts are consistent); a multipart upload is not seen by readers until it is
//! completed. An ask whose answer is lost may have been done, or may be done later.

use std::time::Duration;

use bytes::Bytes;

/// What is asked of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Begins an upload in parts; answered by [`Answer::Upload`].
    Begin {
        /// The object that it becomes.
        key: String,
    },
    /// Uploads a part; the same part again replaces the one before. Answered by [`Answer::Part`].
    Part {
        /// The object.
        key: String,
        /// The upload.
        upload: String,
        /// Which part, from 0.
        number: u32,
        /// The bytes; only the last part may be small ([`crate::limits::OBJECT_PART_BYTES`]).
        bytes: Bytes,
    },
    /// Makes the object of its parts, so that readers see it. Of an upload that is no more: [`Refusal::Missing`].
    Complete {
        /// The object.
        key: String,
        /// The upload.
        upload: String,
        /// The tags of all parts, in order.
        parts: Vec<String>,
    },
    /// Forgets an upload and its parts.
    Abort {
        /// The object.
        key: String,
        /// The upload.
        upload: String,
    },
    /// Writes an object whole.
    Put {
        /// The object.
        key: String,
        /// The bytes.
        bytes: Bytes,
        /// Only where there is none of this name, else [`Refusal::Exists`].
        create: bool,
    },
    /// Reads an object whole; answered by [`Answer::Object`].
    Get {
        /// The object.
        key: String,
    },
    /// Asks for an object's size; answered by [`Answer::Size`].
    Size {
        /// The object.
        key: String,
    },
    /// Lists the objects right below a folder; answered by [`Answer::Keys`].
    List {
        /// The folder, without a slash at its end.
        folder: String,
    },
    /// Lists uploads that are neither completed nor aborted; answered by [`Answer::Uploads`].
    Uploads {
        /// What their keys begin with.
        prefix: String,
    },
    /// Removes an object. One that is not there is removed, too.
    Remove {
        /// The object.
        key: String,
    },
}

impl Ask {
    /// Bytes that it carries.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Part { bytes, .. } | Self::Put { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// What a store answers where it did what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// The upload's id.
    Upload(String),
    /// The part's tag.
    Part(String),
    /// The object.
    Object(Bytes),
    /// The object's size in bytes.
    Size(u64),
    /// Keys of objects.
    Keys(Vec<String>),
    /// Keys and ids of uploads.
    Uploads(Vec<(String, String)>),
}

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such object or upload.
    Missing,
    /// There is such an object already.
    Exists,
    /// The parts do not make an object.
    Unfit(String),
    /// It is not allowed, not known, or not configured; a person must see to it.
    Denied(String),
    /// It may go better later. Nothing is known of what was done: overload, the network.
    Later {
        /// What happened.
        why: String,
        /// When to come again, where the store says so.
        after: Option<Duration>,
    },
}

/// An object store. Asks are answered in any order.
pub trait Objects: Send {
    /// Starts an ask under a ticket of the caller's choice.
    fn start(&mut self, ticket: u64, ask: Ask);
    /// The next answer, if one has come.
    fn poll(&mut self) -> Option<(u64, Result<Answer, Refusal>)>;
    /// Waits until an answer has come, or for this long; only for the start of a run, where nothing else can be
    /// done meanwhile. Does nothing where time is not real.
    fn wait(&mut self, at_most: Duration);
}
