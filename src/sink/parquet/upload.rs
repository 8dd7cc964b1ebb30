//! One file of an epoch on its way into an object store: in parts, from the disk, as they are written.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::commit::UploadEntry;
use crate::limits::OBJECT_PART_BYTES;
use crate::seam::{Answer, Ask, Fs};

/// What an upload's ask is for. The attempt tells answers to an upload that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Begin { attempt: u32 },
    Part { attempt: u32, number: u32 },
}

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    aside: PathBuf,
    /// Bytes that are aside and stay as they are.
    written: u64,
    /// Whether those are all.
    whole: bool,
    attempt: u32,
    begun: bool,
    id: Option<String>,
    /// Tags by part; those that were started, answered or not.
    parts: Vec<Option<String>>,
    /// The object is there.
    pub(super) completed: bool,
    /// It was asked for.
    pub(super) completing: bool,
}

impl Upload {
    pub(super) fn new(key: String, aside: PathBuf) -> Self {
        Self {
            key,
            aside,
            written: 0,
            whole: false,
            attempt: 0,
            begun: false,
            id: None,
            parts: Vec::new(),
            completed: false,
            completing: false,
        }
    }

    pub(super) fn grown(&mut self, written: u64, whole: bool) {
        (self.written, self.whole) = (written, whole);
    }

    pub(super) fn aside(&self) -> &Path {
        &self.aside
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.written
    }

    /// The bytes of the next part, if they are all there.
    fn next_part(&self) -> Option<(u64, usize)> {
        let from = self.parts.len() as u64 * OBJECT_PART_BYTES as u64;
        let there = self.written.saturating_sub(from).min(OBJECT_PART_BYTES as u64) as usize;
        let ready = there == OBJECT_PART_BYTES || (self.whole && there > 0);
        ready.then_some((from, there))
    }

    /// The next ask that can be made, if there is one.
    pub(super) fn next(&mut self, fs: &dyn Fs) -> io::Result<Option<(Step, Ask)>> {
        let Some((from, length)) = self.next_part() else { return Ok(None) };
        let (key, attempt) = (self.key.clone(), self.attempt);
        let Some(upload) = self.id.clone() else {
            if std::mem::replace(&mut self.begun, true) {
                return Ok(None);
            }
            return Ok(Some((Step::Begin { attempt }, Ask::Begin { key })));
        };
        let bytes = read(fs, &self.aside, from, length)?;
        let number = self.parts.len() as u32;
        self.parts.push(None);
        Ok(Some((Step::Part { attempt, number }, Ask::Part { key, upload, number, bytes })))
    }

    pub(super) fn answered(&mut self, step: Step, answer: Answer) {
        match (step, answer) {
            (Step::Begin { attempt }, Answer::Upload(id)) if attempt == self.attempt => self.id = Some(id),
            (Step::Part { attempt, number }, Answer::Part(tag)) if attempt == self.attempt => {
                if let Some(part) = self.parts.get_mut(number as usize) {
                    *part = Some(tag);
                }
            }
            _ => {}
        }
    }

    /// Gives the upload up, if the refusal was meant for it, and begins another. Returns the id of the old one.
    pub(super) fn restart(&mut self, step: Option<Step>) -> Option<String> {
        if let Some(Step::Begin { attempt } | Step::Part { attempt, .. }) = step
            && attempt != self.attempt
        {
            return None;
        }
        self.attempt += 1;
        self.begun = false;
        self.completing = false;
        self.parts.clear();
        self.id.take()
    }

    /// What makes the object, once all parts are there.
    pub(super) fn entry(&self) -> Option<UploadEntry> {
        if !self.whole || self.next_part().is_some() {
            return None;
        }
        Some(UploadEntry { id: self.id.clone()?, parts: self.parts.iter().cloned().collect::<Option<_>>()? })
    }
}

fn read(fs: &dyn Fs, path: &Path, from: u64, length: usize) -> io::Result<Bytes> {
    let file = fs.open(path)?;
    let mut bytes = vec![0; length];
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match file.read_at(from + at as u64, rest)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => at += more,
        }
    }
    Ok(bytes.into())
}
