//! What a notifier remembers over restarts: of which alerts people were told, and of which groups they were not told
//! that they are over. One JSON file per sink in the data folder, `notify-NAME.json`, written aside and renamed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::groups::Groups;
use crate::limits::NOTIFY_MEMORY_BYTES_MAX;
use crate::seam::{Fs, read_file, replace_file};

pub(super) struct Memory {
    fs: Arc<dyn Fs>,
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
        let this = Self { path: folder.join(format!("notify-{name}.json")), fs };
        let understood = match read_file(&*this.fs, &this.path, NOTIFY_MEMORY_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((this, Groups::default(), None));
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(error.to_string()),
            read => serde_json::from_slice(&read?).map_err(|error| error.to_string()),
        };
        match understood {
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
        replace_file(&*self.fs, &self.path, &serde_json::to_vec(groups)?)
    }
}
