//! What a notifier remembers over restarts: of which alerts people were told, and of which groups they were not told
//! that they are over. One JSON file per sink in the data folder, `notify-NAME.json`, written aside and renamed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::groups::Groups;
use crate::limits::NOTIFY_MEMORY_BYTES_MAX;
use crate::seam::Fs;

pub(super) struct Memory {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    path: PathBuf,
}

impl Memory {
    /// Reads what the sink `name` remembers. What cannot be understood is put aside under another name and said: it
    /// would hold up all that comes.
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        folder: &Path,
        name: &str,
    ) -> io::Result<(Self, Groups, Option<String>)> {
        let this = Self { path: folder.join(format!("notify-{name}.json")), folder: folder.to_owned(), fs };
        let bytes = match this.fs.open(&this.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((this, Groups::default(), None));
            }
            opened => read(&*opened?)?,
        };
        match serde_json::from_slice(&bytes) {
            Ok(groups) => Ok((this, groups, None)),
            Err(error) => {
                let aside = this.path.with_extension("json.unreadable");
                this.fs.rename(&this.path, &aside)?;
                let said = format!(
                    "{}: {error}; it is now {}, and people may be told of the same alerts again",
                    this.path.display(),
                    aside.display()
                );
                Ok((this, Groups::default(), Some(said)))
            }
        }
    }

    pub(super) fn save(&self, groups: &Groups) -> io::Result<()> {
        let aside = self.path.with_extension("json.new");
        let file = self.fs.open_private(&aside)?;
        file.truncate(0)?;
        file.append(&serde_json::to_vec(groups)?)?;
        file.sync()?;
        self.fs.rename(&aside, &self.path)?;
        self.fs.sync_folder(&self.folder)
    }
}

fn read(file: &dyn crate::seam::File) -> io::Result<Vec<u8>> {
    let size = file.stat()?.size;
    if size > NOTIFY_MEMORY_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {NOTIFY_MEMORY_BYTES_MAX} bytes")));
    }
    let mut bytes = vec![0; size as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(filled as u64, &mut bytes[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
