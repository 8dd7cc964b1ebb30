//! Counts the lines of a file while somebody appends to it (W4), and compares them with the input at the end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::expect::{lines, logs};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// A file that grows.
pub(crate) struct Growing {
    file: Option<File>,
    buffer: Vec<u8>,
    /// Line feeds so far.
    pub(crate) lines: u64,
}

impl Default for Growing {
    fn default() -> Self {
        Self { file: None, buffer: vec![0; READ_BYTES], lines: 0 }
    }
}

impl Growing {
    /// Reads what was added since the last call; opens the file once it is there.
    pub(crate) fn read(&mut self, path: &Path) -> io::Result<u64> {
        if self.file.is_none() {
            self.file = match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                opened => Some(opened?),
            };
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        loop {
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                return Ok(self.lines);
            }
            self.lines += memchr::memchr_iter(b'\n', &self.buffer[..read]).count() as u64;
        }
    }
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Lines that are there.
    pub(crate) delivered: u64,
    /// Lines that are not.
    pub(crate) lost: u64,
    /// Lines that are there more often than in the input.
    pub(crate) duplicated: u64,
    /// Lines that the input does not have.
    pub(crate) strays: u64,
}

/// Compares the lines of all logs below `data` with those of the file `out`, in any order.
pub(crate) fn compare(data: &Path, out: &Path) -> io::Result<Compared> {
    let mut wanted = Vec::new();
    for path in logs(data)? {
        hashes(&std::fs::read(path)?, &mut wanted);
    }
    let mut found = Vec::new();
    hashes(&std::fs::read(out).unwrap_or_default(), &mut found);
    wanted.sort_unstable();
    found.sort_unstable();
    Ok(merge(&wanted, &found))
}

fn hashes(text: &[u8], out: &mut Vec<u64>) {
    use std::hash::Hasher;
    out.extend(lines(text).map(|line| {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(line);
        hasher.finish()
    }));
}

/// Walks two sorted lists.
pub(crate) fn merge(wanted: &[u64], found: &[u64]) -> Compared {
    let mut compared = Compared::default();
    let (mut at, mut last) = (0, None);
    for hash in found {
        while wanted.get(at).is_some_and(|wanted| wanted < hash) {
            compared.lost += 1;
            at += 1;
        }
        if wanted.get(at) == Some(hash) {
            compared.delivered += 1;
            last = Some(hash);
            at += 1;
        } else if last == Some(hash) {
            compared.duplicated += 1;
        } else {
            compared.strays += 1;
        }
    }
    compared.lost += (wanted.len() - at) as u64;
    compared
}
