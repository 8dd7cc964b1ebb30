//! The data folder: one process at a time, and a random name for this host that lasts as long as the folder.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::seam::Fs;

const LOCK_FILE: &str = "lock";
const HOST_FILE: &str = "host-id";

/// Length of a host id in bytes.
pub const HOST_ID_BYTES: usize = 16;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error("the data folder {0} is in use by another aludel; give each its own with --data-dir")]
    InUse(PathBuf),
    /// The system said no.
    #[error("data folder {path}: {error}")]
    Io {
        /// What was being opened.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A data folder that this process has to itself, until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // The lock lives as long as the descriptor, so that a killed process leaves none behind.
    _lock: fs::File,
}

impl DataDir {
    /// Makes the folder where it is missing (mode 0700) and locks it.
    pub fn lock(path: &Path) -> Result<Self, DataDirError> {
        let error = |at: &Path| {
            let path = at.to_path_buf();
            move |error| DataDirError::Io { path, error }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(error(path))?;
        let at = path.join(LOCK_FILE);
        let options = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&at);
        let file = options.map_err(error(&at))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.into(), _lock: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::InUse(path.into())),
            Err(errno) => Err(error(&at)(errno.into())),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Random bytes from the operating system, for a first host id.
    pub fn random() -> io::Result<[u8; HOST_ID_BYTES]> {
        let mut bytes = [0; HOST_ID_BYTES];
        fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// The host id of a data folder; `fresh` makes one where there is none, or where the file is not whole (known
/// streams keep their ids all the same: those are in the identity logs).
pub fn host_id(
    fs: &dyn Fs,
    folder: &Path,
    fresh: impl FnOnce() -> io::Result<[u8; HOST_ID_BYTES]>,
) -> io::Result<[u8; HOST_ID_BYTES]> {
    let path = folder.join(HOST_FILE);
    let mut bytes = [0; HOST_ID_BYTES + 1];
    let read = |bytes: &mut [u8]| -> io::Result<usize> {
        let file = fs.open(&path)?;
        let mut filled = 0;
        // To the end: a read may give less than there is, and half an id is not a reason for another one.
        while filled < bytes.len() {
            match file.read_at(filled as u64, &mut bytes[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        Ok(filled)
    };
    match read(&mut bytes) {
        Ok(HOST_ID_BYTES) => {
            let [id @ .., _] = bytes;
            return Ok(id);
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = fresh()?;
    let aside = folder.join("host-id.new");
    let file = fs.open_append(&aside)?;
    file.truncate(0)?;
    file.append(&id)?;
    file.sync()?;
    fs.rename(&aside, &path)?;
    fs.sync_folder(folder)?;
    Ok(id)
}
