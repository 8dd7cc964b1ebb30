//! W4: lines, appended to one file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::input::Log;

pub(super) fn run(files: &[Log], out: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", out.display());
    let mut file = File::options().create(true).append(true).open(out).map_err(failed)?;
    for log in files {
        // A block is whole lines, so that it is written as it was read.
        log.blocks(|block| file.write_all(block).map_err(failed))?;
    }
    Ok(())
}
