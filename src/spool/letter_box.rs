//! The folder of dead letters: segments of NDJSON, mode 0600, within a bound in bytes. Gap records are kept in the same
//! way, in a folder of theirs.
//!
//! In: letters. Out: lines that are durable, in a segment that this process began (`TIME.ndjson`), so that no other
//! process writes to it. At the bound either nothing more is taken, or the oldest segment goes and its letters are
//! counted. Files that people remove make room at once: the folder is looked at again before it is called full.
//!
//! Beside a segment, `TIME.done` names the lines that were replayed.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::letter::Entry;
use super::{Letter, WhenFull};
use crate::limits::{
    ALERTS_BYTES_MAX, DEAD_LETTERS_BYTES_MAX, GAP_RECORDS_BYTES_MAX, LETTER_LINE_BYTES_MAX,
    LETTER_SEGMENT_BYTES,
};
use crate::seam::{File, FileKind, Fs, RecordLog, write_frame};

/// Name of the folder in the data folder.
const FOLDER: &str = "dead-letters";
/// Name of the folder of gap records.
const GAPS: &str = "gaps";
/// Name of the folder of alerts.
const ALERTS: &str = "alerts";

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterRules {
    /// Bytes in the folder.
    pub bytes_max: u64,
    /// What happens then.
    pub when_full: WhenFull,
}

impl Default for LetterRules {
    fn default() -> Self {
        Self { bytes_max: DEAD_LETTERS_BYTES_MAX, when_full: WhenFull::default() }
    }
}

/// Where the letters of a data folder are.
pub fn letter_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

/// Where the gap records of a data folder are.
pub fn gap_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(GAPS)
}

/// Where the alerts of a data folder are: a folder for each pipeline.
pub fn alerts_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(ALERTS)
}

/// Where the alerts of a pipeline are.
pub fn alert_folder(data_dir: &Path, pipeline: &str) -> PathBuf {
    alerts_folder(data_dir).join(pipeline)
}

/// The folder, open for more letters.
pub struct LetterBox {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    rules: LetterRules,
    segment_bytes: u64,
    open: Option<Segment>,
    /// Bytes in all segments, as of the last look and what was written since.
    used: Option<u64>,
    dropped: u64,
}

struct Segment {
    path: PathBuf,
    file: Box<dyn File>,
    size: u64,
    /// Whether lines may stand behind the size that are not durable, and will be written again.
    torn: bool,
}

impl LetterBox {
    /// The box of a data folder; the folder is made with the first letter.
    pub fn new(fs: Arc<dyn Fs>, data_dir: &Path, rules: LetterRules) -> Self {
        Self::over(fs, letter_folder(data_dir), rules)
    }

    /// The gap records of a data folder. The ledger has them too, so the oldest go.
    pub fn gaps(fs: Arc<dyn Fs>, data_dir: &Path) -> Self {
        let rules = LetterRules { bytes_max: GAP_RECORDS_BYTES_MAX, when_full: WhenFull::DropOldest };
        Self::over(fs, gap_folder(data_dir), rules)
    }

    /// The alerts of a pipeline. Of more than are kept, the oldest go.
    pub fn alerts(fs: Arc<dyn Fs>, data_dir: &Path, pipeline: &str) -> Self {
        let rules = LetterRules { bytes_max: ALERTS_BYTES_MAX, when_full: WhenFull::DropOldest };
        Self::over(fs, alert_folder(data_dir, pipeline), rules)
    }

    fn over(fs: Arc<dyn Fs>, folder: PathBuf, rules: LetterRules) -> Self {
        // Small enough that dropping the oldest leaves most of the rest.
        let segment_bytes = LETTER_SEGMENT_BYTES.min(rules.bytes_max / 8).max(1);
        Self { fs, folder, rules, segment_bytes, open: None, used: None, dropped: 0 }
    }

    /// Writes letters and makes them durable; how many from the front, which is fewer than were given when the
    /// folder is full.
    pub fn write(&mut self, letters: &[impl Entry]) -> io::Result<usize> {
        let (mut written, mut lines) = (0, Vec::new());
        for letter in letters {
            let before = lines.len();
            serde_json::to_writer(&mut lines, letter)?;
            lines.push(b'\n');
            if !self.has_room(lines.len() as u64, written == 0)? {
                lines.truncate(before);
                break;
            }
            written += 1;
        }
        match letters.first() {
            Some(first) if written > 0 => self.append(&lines, first.time()).map(|()| written),
            _ => Ok(written),
        }
    }

    /// Letters that went to make room, since the last call.
    pub fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Bytes in the folder, as far as this box knows.
    pub fn used(&self) -> u64 {
        self.used.unwrap_or_default()
    }

    /// Whether so many bytes more keep within the bound. One letter that is larger than the bound fits an empty
    /// folder.
    fn has_room(&mut self, more: u64, one: bool) -> io::Result<bool> {
        let bytes_max = self.rules.bytes_max;
        let fits = |used: u64| (used == 0 && one) || used + more <= bytes_max;
        if self.used.is_some_and(fits) {
            return Ok(true);
        }
        loop {
            let segments = segments(&*self.fs, &self.folder)?;
            let used = segments.iter().map(|(_, size)| size).sum();
            self.used = Some(used);
            if fits(used) {
                return Ok(true);
            }
            let Some((oldest, _)) = segments.first() else { return Ok(false) };
            if self.rules.when_full == WhenFull::Block {
                return Ok(false);
            }
            if self.open.as_ref().is_some_and(|open| open.path == *oldest) {
                self.open = None;
            }
            self.dropped += remove_segment(&*self.fs, oldest)?;
        }
    }

    fn append(&mut self, lines: &[u8], time: &str) -> io::Result<()> {
        if let Some(open) = &mut self.open
            && open.torn
            && open.file.stat()?.links > 0
        {
            // In another segment they would stand a second time.
            open.file.truncate(open.size)?;
            open.torn = false;
        }
        if let Some(open) = &self.open
            && (open.size >= self.segment_bytes || open.file.stat()?.links == 0)
        {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(self.begin(time)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Err(error) = open.file.append(lines).and_then(|()| open.file.sync()) {
            // Half a line must not stand before the next one.
            open.torn = open.file.truncate(open.size).is_err();
            return Err(error);
        }
        open.size += lines.len() as u64;
        if let Some(used) = &mut self.used {
            *used += lines.len() as u64;
        }
        Ok(())
    }

    fn begin(&self, time: &str) -> io::Result<Segment> {
        self.fs.make_folder(&self.folder)?;
        // Of fixed width, so that the order of names is that of times.
        let whole = time.trim_end_matches('Z').replace(':', "-");
        let (whole, fraction) = whole.split_once('.').unwrap_or((&whole, ""));
        let name = |more: u32| format!("{whole}.{fraction:0<9}Z.{more:04}.ndjson");
        let mut path = self.folder.join(name(0));
        let mut more = 0;
        while self.fs.stat(&path).is_ok() {
            more += 1;
            path = self.folder.join(name(more));
        }
        let file = self.fs.open_private(&path)?;
        self.fs.sync_folder(&self.folder)?;
        Ok(Segment { path, file, size: 0, torn: false })
    }
}

/// The segments of a folder with their sizes, oldest first; none where there is no folder.
pub fn segments(fs: &dyn Fs, folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let listed = match fs.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut found = Vec::new();
    for (path, kind) in listed {
        if kind == FileKind::File && path.extension().is_some_and(|extension| extension == "ndjson") {
            match fs.stat(&path) {
                Ok(stat) => found.push((path, stat.size)),
                // Somebody removed it just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the letters of a segment, each with the number of its line from 0. A torn last line is no letter; how many
/// others could not be read comes back.
pub fn read_segment(fs: &dyn Fs, path: &Path, each: &mut dyn FnMut(u64, Letter)) -> io::Result<u64> {
    let mut unreadable = 0;
    lines(fs, path, &mut |number, line| match serde_json::from_slice(line) {
        Ok(letter) => each(number, letter),
        Err(_) => unreadable += 1,
    })?;
    Ok(unreadable)
}

/// The whole lines of a segment, with their numbers.
fn lines(fs: &dyn Fs, path: &Path, each: &mut dyn FnMut(u64, &[u8])) -> io::Result<()> {
    const READ_BYTES: usize = 256 * 1024;
    let file = fs.open(path)?;
    let (mut held, mut position, mut number) = (Vec::new(), 0, 0);
    loop {
        let filled = held.len();
        held.resize(filled + READ_BYTES, 0);
        let read = file.read_at(position, &mut held[filled..])?;
        held.truncate(filled + read);
        position += read as u64;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &held[filled..]).map(|at| filled + at) {
            each(number, &held[start..end]);
            (start, number) = (end + 1, number + 1);
        }
        held.drain(..start);
        if read == 0 || held.len() > LETTER_LINE_BYTES_MAX {
            return Ok(());
        }
    }
}

/// Reads the whole lines of a segment.
pub fn each_line(fs: &dyn Fs, path: &Path, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    lines(fs, path, &mut |_, line| each(line))
}

/// Removes a segment and its marks; says how many of its letters were still waiting.
pub fn remove_segment(fs: &dyn Fs, path: &Path) -> io::Result<u64> {
    let done = done(fs, path)?;
    let mut waiting = 0;
    lines(fs, path, &mut |number, _| waiting += u64::from(!done.contains(&number)))?;
    fs.remove(path)?;
    match fs.remove(&path.with_extension("done")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(waiting),
    }
}

/// The lines of a segment that were replayed.
pub fn done(fs: &dyn Fs, segment: &Path) -> io::Result<BTreeSet<u64>> {
    let mut lines = BTreeSet::new();
    let mut each = |frame: &[u8]| {
        let numbers = frame.get(crate::seam::FRAME_HEAD_BYTES..).unwrap_or_default().chunks_exact(8);
        lines.extend(numbers.filter_map(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes));
    };
    match RecordLog::read(fs, &segment.with_extension("done"), &mut each) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(lines),
    }
}

/// Marks lines of a segment as replayed, durably.
pub fn mark_done(fs: &Arc<dyn Fs>, segment: &Path, lines: &[u64]) -> io::Result<()> {
    /// Numbers in one record.
    const CHUNK: usize = 4096;
    let (mut log, _) = RecordLog::open(fs.clone(), &segment.with_extension("done"), &mut |_| {})?;
    let mut frames = Vec::new();
    for chunk in lines.chunks(CHUNK) {
        let body: Vec<u8> = chunk.iter().flat_map(|line| line.to_le_bytes()).collect();
        write_frame(&body, &mut frames);
    }
    log.append(&frames)?;
    log.sync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::sim::{SimClock, SimFs};

    fn letter(n: u64) -> Letter {
        let mut letter =
            Letter { time: format!("2026-11-26T10:00:{:02}Z", n % 60), start: n, ..Letter::default() };
        letter.keep(Some(vec![b'x'; 100]), b"", None);
        letter
    }

    fn all(fs: &SimFs) -> Vec<u64> {
        let mut starts = Vec::new();
        for (path, _) in segments(fs, Path::new("/data/dead-letters")).expect("listed") {
            read_segment(fs, &path, &mut |_, letter| starts.push(letter.start)).expect("read");
        }
        starts
    }

    fn fresh(rules: LetterRules) -> (SimFs, LetterBox) {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        fs.make_folder(Path::new("/data")).expect("a folder");
        let letters = LetterBox::new(Arc::new(fs.clone()), Path::new("/data"), rules);
        (fs, letters)
    }

    #[test]
    fn a_full_box_takes_nothing_until_somebody_makes_room() {
        let (fs, mut letters) = fresh(LetterRules { bytes_max: 4000, when_full: WhenFull::Block });
        let mut taken = 0;
        for n in 0..40 {
            taken += letters.write(&[letter(n)]).expect("written");
        }
        assert!((4..40).contains(&taken), "{taken}");
        assert_eq!(all(&fs), (0..taken as u64).collect::<Vec<_>>());
        assert_eq!(letters.write(&[letter(99)]).expect("no fault"), 0);
        let (oldest, _) = segments(&fs, Path::new("/data/dead-letters")).expect("listed").remove(0);
        fs.remove(&oldest).expect("removed");
        assert_eq!(letters.write(&[letter(99)]).expect("no fault"), 1);
        assert_eq!(letters.dropped(), 0);
    }

    #[test]
    fn the_oldest_letters_go_and_are_counted() {
        let rules = LetterRules { bytes_max: 4000, when_full: WhenFull::DropOldest };
        let (fs, mut letters) = fresh(rules);
        for n in 0..40 {
            assert_eq!(letters.write(&[letter(n)]).expect("written"), 1);
        }
        let left = all(&fs);
        assert_eq!(left.last(), Some(&39));
        assert_eq!(letters.dropped() as usize + left.len(), 40);
        assert_eq!(left, (40 - left.len() as u64..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_disk_leaves_no_half_line() {
        let (fs, mut letters) = fresh(LetterRules::default());
        assert_eq!(letters.write(&[letter(1)]).expect("written"), 1);
        fs.set_full(true);
        assert!(letters.write(&[letter(2), letter(3)]).is_err());
        fs.set_full(false);
        assert_eq!(letters.write(&[letter(2), letter(3)]).expect("written"), 2);
        assert_eq!(all(&fs), [1, 2, 3]);
    }

    #[test]
    fn marks_are_kept_beside_the_segment() {
        let (fs, mut letters) = fresh(LetterRules::default());
        letters.write(&[letter(1), letter(2), letter(3)]).expect("written");
        let (path, _) = segments(&fs, Path::new("/data/dead-letters")).expect("listed").remove(0);
        let shared: Arc<dyn Fs> = Arc::new(fs.clone());
        mark_done(&shared, &path, &[0, 2]).expect("marked");
        mark_done(&shared, &path, &[2]).expect("marked");
        assert_eq!(done(&fs, &path).expect("read").into_iter().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(remove_segment(&fs, &path).expect("removed"), 1);
        assert!(fs.list(Path::new("/data/dead-letters")).expect("listed").is_empty());
    }
}
