//! What a folder of container logs holds, read from the files themselves: the race believes no generator.
//!
//! In: `containers/*.log`. Out: the number of events, the lines of each, bytes and lines. Lines that a CRI
//! runtime split (`P` … `F`) are one line here. A line without a marker belongs to the event before it.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use memchr::{memchr, memchr_iter};

use super::marker::Markers;

/// Bytes at both ends of a split event that are looked for.
const END_BYTES: usize = 6;

/// What must arrive.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Lines of each event, by its number.
    pub(crate) lines_of: Vec<u16>,
    /// The first and last bytes of events that a runtime split: both must be in the document, or a piece is gone.
    pub(crate) ends_of: HashMap<u32, [Vec<u8>; 2]>,
    /// Size of the files.
    pub(crate) bytes: u64,
    /// Physical lines.
    pub(crate) lines: u64,
}

impl Expected {
    /// Number of events.
    pub(crate) fn events(&self) -> u64 {
        self.lines_of.len() as u64
    }

    /// Reads `folder/containers/*.log`. An error where numbers are missing or repeated in the input itself.
    pub(crate) fn scan(folder: &Path) -> io::Result<Self> {
        let mut expected = Self::default();
        for path in logs(folder)? {
            expected.file(&fs::read(&path)?);
        }
        match expected.lines_of.iter().position(|lines| *lines == 0) {
            _ if expected.lines_of.is_empty() => {
                Err(io::Error::other("no event in the data: no marker was found"))
            }
            Some(number) => {
                Err(io::Error::other(format!("the data lacks event {number}, but not later ones")))
            }
            None => Ok(expected),
        }
    }

    /// Adds one file.
    pub(crate) fn file(&mut self, text: &[u8]) {
        let markers = Markers::default();
        let (mut open, mut event, mut split) = (Vec::new(), None, false);
        self.bytes += text.len() as u64;
        for line in lines(text) {
            self.lines += 1;
            let (content, partial) = content(line);
            open.extend_from_slice(content);
            if partial {
                split = true;
                continue;
            }
            event = markers.read(&open).number.or(event);
            if let Some(number) = event {
                self.count(number as usize);
                if split {
                    self.ends_of.extend(ends(&open).map(|ends| (number, ends)));
                }
            }
            split = false;
            open.clear();
        }
    }

    fn count(&mut self, number: usize) {
        if number >= self.lines_of.len() {
            self.lines_of.resize(number + 1, 0);
        }
        self.lines_of[number] = self.lines_of[number].saturating_add(1);
    }
}

/// The first and last bytes of a line, without a quote at its end; none where JSON would write them otherwise.
fn ends(line: &[u8]) -> Option<[Vec<u8>; 2]> {
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    let ends = [line.first_chunk::<END_BYTES>()?, line.last_chunk::<END_BYTES>()?];
    let plain = |byte: &u8| (b' '..0x7f).contains(byte) && !b"\"\\/".contains(byte);
    ends.iter().all(|end| end.iter().all(plain)).then(|| ends.map(|end| end.to_vec()))
}

/// The log files of a data folder, by name.
pub(crate) fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder.join("containers"))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    Ok(paths)
}

/// The lines of a text, without their line feeds; a last line without one is a line.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let rest = (!text.is_empty() && !text.ends_with(b"\n")).then_some(text.len());
    memchr_iter(b'\n', text).chain(rest).map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

/// The content of a CRI line, and whether it goes on in the next; any other line is its own content.
fn content(line: &[u8]) -> (&[u8], bool) {
    let tagged = || {
        let rest = line.get(memchr(b' ', line)? + 1..)?;
        let rest = rest.strip_prefix(b"stdout ").or_else(|| rest.strip_prefix(b"stderr "))?;
        let content = rest.get(2..)?;
        match rest.first_chunk()? {
            b"P " => Some((content, true)),
            b"F " => Some((content, false)),
            _ => None,
        }
    };
    tagged().unwrap_or((line, false))
}
