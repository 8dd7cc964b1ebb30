//! Dead letters: events that were refused for good, kept with the reason, durable before their bytes count as
//! settled.
//!
//! One NDJSON file in the data folder, mode 0600: `{"time", "pipeline" or "sink", "reason", "stream", "event"}`.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::event::write_timestamp;
use crate::seam::{File, Fs};

/// One event that was refused.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// When, as RFC 3339.
    pub time: String,
    /// The pipeline whose step refused it, or the sink that did.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Path or address of its stream.
    pub stream: String,
    /// Position of its first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// The original message, or the row as it was encoded for the sink.
    pub event: String,
}

impl Letter {
    /// The form of a time that letters carry.
    pub fn time(unix_ns: i64) -> String {
        let mut text = Vec::new();
        write_timestamp(unix_ns, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Where dead letters are written.
pub struct Letters {
    file: Option<Box<dyn File>>,
    fs: Arc<dyn Fs>,
    path: std::path::PathBuf,
}

impl Letters {
    /// Letters for a data folder; the file is made with the first one.
    pub fn new(fs: Arc<dyn Fs>, data_dir: &Path) -> Self {
        Self { file: None, fs, path: data_dir.join("dead-letters.ndjson") }
    }

    /// Writes letters and makes them durable.
    pub fn write(&mut self, letters: &[Letter]) -> std::io::Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for letter in letters {
            serde_json::to_writer(&mut bytes, letter)?;
            bytes.push(b'\n');
        }
        if self.file.is_none() {
            self.file = Some(self.fs.open_append(&self.path)?);
        }
        let Some(file) = &self.file else { return Ok(()) };
        file.append(&bytes)?;
        file.sync()
    }
}
