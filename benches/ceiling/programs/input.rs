//! Files in blocks of whole lines.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes asked of one `read(2)`: fits the second-level cache beside the body being written.
const READ_BYTES: usize = 256 * 1024;

/// A log file and what its events say of it.
pub(super) struct Log {
    path: PathBuf,
    /// The path as a JSON string, with its quotes.
    pub(super) json: String,
    /// First part of the ids of its events: 16 hexadecimal digits.
    pub(super) id: String,
}

/// The logs of a workload, by name.
pub(super) fn files(data: &Path) -> Result<Vec<Log>, String> {
    let folder = data.join("containers");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().map(Log::new).collect())
}

impl Log {
    fn new(path: PathBuf) -> Self {
        let text = path.to_string_lossy().into_owned();
        // FNV-1a, 64 bits.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { json: json_escape_simd::escape(&text), id: format!("{hash:016x}"), path }
    }

    /// Hands on the file in blocks that end with a line feed; a last line without one is given one.
    pub(super) fn blocks(&self, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let mut file = File::open(&self.path).map_err(failed)?;
        let mut buffer = vec![0; READ_BYTES];
        let mut held = 0;
        loop {
            if buffer.len() - held < READ_BYTES / 2 {
                // A line of more than half a block.
                buffer.resize(buffer.len() * 2, 0);
            }
            let read = file.read(&mut buffer[held..]).map_err(failed)?;
            let mut end = held + read;
            if read == 0 {
                if held == 0 {
                    return Ok(());
                }
                buffer[held] = b'\n';
                end = held + 1;
            }
            let cut = memchr::memrchr(b'\n', &buffer[held..end]).map_or(0, |at| held + at + 1);
            if cut > 0 {
                each(&buffer[..cut])?;
                buffer.copy_within(cut..end, 0);
            }
            held = end - cut;
        }
    }

    /// Hands on each line without its line feed. Bytes that are not UTF-8 are replaced.
    pub(super) fn lines(&self, mut each: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
        self.blocks(|block| {
            let lossy;
            let text = match simdutf8::basic::from_utf8(block) {
                Ok(text) => text,
                Err(_) => {
                    lossy = String::from_utf8_lossy(block);
                    lossy.as_ref()
                }
            };
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
                each(text.get(start..end).unwrap_or_default())?;
                start = end + 1;
            }
            Ok(())
        })
    }
}
