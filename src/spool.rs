//! What is kept on disk so that nothing is lost: the data folder, the cursor log, what each sink has settled, the dead
//! letters, and what came in that cannot be read again.
//!
//! The last is the spool proper: [`record`] is its format, [`log`] writes it, [`recover`] finds its end when it is opened,
//! [`reader`] reads it around damage, [`check`](mod@check) looks through it and repairs it.
//!
//! Sees no network and no pipeline; all files go through [`crate::seam::Fs`], except the lock, which is the
//! kernel's.

mod audit;
mod check;
mod cursor_log;
mod data_dir;
mod ledger_log;
mod letter;
mod letter_box;
mod log;
mod lookup;
mod reader;
mod record;
mod recover;
mod segment;
mod settle;

pub use audit::{Audit, SourceAudit, StreamAudit, Sums};
pub use check::{Checkup, Problem, check, quarantine, repair, spool_folder, spools};
pub use cursor_log::{CursorLog, Cursors};
pub use data_dir::{DataDir, DataDirError, HOST_ID_BYTES, host_id};
pub use ledger_log::{Entry, Gap, LedgerLog, Line, Note, Reasons, What};
pub use letter::{Entry as LetterEntry, GapRecord, Letter, OF_OWN, Stage};
pub use letter_box::{
    LetterBox, LetterRules, alert_folder, alerts_folder, done, each_line, gap_folder, letter_folder,
    mark_done, read_segment, remove_segment, segments,
};
pub use log::{Limit, Spool, WhenFull};
pub use lookup::Lookup;
pub use reader::{Damage, Reader, Step};
pub use record::{Found, Kind, Record, State, record_at};
pub use segment::{Chunk, SegmentInfo, list};
pub use settle::{Account, Fate, Move, Tracker};
