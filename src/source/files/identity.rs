//! The identity log: which stream each known file is, so that it is the same one after a rename, a truncation or a
//! restart.
//!
//! In: facts as the source learns them. Out, at the next start: the newest record of every stream generation, and
//! the cuts that time made in it. Most files are idle: of those only an index is in memory ([`Parked`]), and the record
//! is read from the log when its file changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::facts::{About, Fact, decode, encode, encode_about, encode_cut, encode_swept};
pub(super) use super::facts::{Cut, HEAD_BYTES, Packed, Print, Record, StreamKey, TAIL_BYTES};
use super::parked::{Loading, Parked};
use crate::limits::FILES_DEPARTED_MAX;
use crate::position::{Resume, StreamId};
use crate::seam::{FRAME_HEAD_BYTES, FileId, FileStat, Fs, HashMap, RecordLog, write_frame};

#[derive(Debug)]
struct Known {
    record: Record,
    cuts: Vec<Cut>,
    /// Place and length of the frame in the log.
    at: u64,
    bytes: u64,
}

/// A record with its cuts.
pub(super) type Recorded = (Record, Vec<Cut>);

/// The log, open for writing.
pub(super) struct IdentityLog {
    log: RecordLog,
    /// Streams that are read, or could not be found.
    known: BTreeMap<StreamKey, Known>,
    /// Streams whose files are idle.
    parked: Parked,
    /// Compressed copies of known streams, which are not read, with the sweep that last saw them.
    copies: HashMap<FileId, (StreamKey, u64)>,
    /// The last streams that went: a compressed copy may come later.
    departed: VecDeque<Record>,
    pending: Vec<u8>,
    /// Something is pending that must be durable before the next event leaves.
    must: bool,
    swept: bool,
    live_bytes: u64,
}

/// What a log holds at a start, besides what is idle.
#[derive(Default)]
pub(super) struct Found {
    /// The newest generation of each file.
    pub(super) newest: Vec<Recorded>,
    /// Generations that a later one of the same file has replaced.
    pub(super) replaced: Vec<Recorded>,
    pub(super) warnings: Vec<String>,
}

impl IdentityLog {
    /// Reads the log of a source in its data folder, or starts one; says what was wrong with it. Where more than
    /// `active_max` files are known, idle ones are left to the index.
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        data_dir: &Path,
        source: &str,
        resume: &dyn Resume,
        active_max: usize,
    ) -> io::Result<(Self, Found)> {
        let mut loading = Loading::default();
        let (mut copies, mut departed, mut swept) = (HashMap::default(), VecDeque::new(), false);
        let mut loose: BTreeMap<StreamKey, Vec<Cut>> = BTreeMap::new();
        let mut cut_since = BTreeSet::new();
        let mut each = |at: u64, frame: &[u8]| match decode(frame.get(FRAME_HEAD_BYTES..).unwrap_or(&[])) {
            Some(Fact::File(record, _)) => {
                cut_since.remove(&record.key());
                loading.record(&record, at, frame.len() as u32);
            }
            Some(Fact::Cut(key, cut)) => {
                cut_since.insert(key);
                loose.entry(key).or_default().push(cut);
            }
            Some(Fact::Swept) => swept = true,
            Some(Fact::About(About::Copy, key, Some(id))) => {
                copies.insert(id, (key, 0));
            }
            Some(Fact::About(About::CopyGone, _, Some(id))) => {
                copies.remove(&id);
            }
            Some(Fact::About(_, key, id)) => loading.gone(key, id),
            Some(Fact::Departed(record)) => {
                loading.gone(record.key(), Some(record.id));
                depart(&mut departed, record);
            }
            None => {}
        };
        let path = data_dir.join(format!("files-{source}.log"));
        let (log, warnings) = RecordLog::open_at(fs, &path, &mut each)?;
        let mut this = Self {
            log,
            known: BTreeMap::new(),
            parked: Parked::default(),
            copies,
            departed,
            pending: Vec::new(),
            must: false,
            swept,
            live_bytes: 0,
        };
        let mut found = Found { warnings, ..Found::default() };
        let (parked, newest, replaced) = loading.finish(resume, &cut_since, active_max);
        this.parked = parked;
        this.live_bytes = this.parked.bytes();
        for (places, list) in [(newest, &mut found.newest), (replaced, &mut found.replaced)] {
            for (at, len) in places {
                let (record, mut cuts) = this.read(at, len)?;
                // What the record has of them is in the log as well, unless that was rewritten since.
                for cut in loose.remove(&record.key()).unwrap_or_default() {
                    if !cuts.contains(&cut) {
                        cuts.push(cut);
                    }
                }
                cuts.sort_by_key(|cut| cut.at);
                this.note(record.clone(), cuts.clone(), at, u64::from(len));
                list.push((record, cuts));
            }
        }
        Ok((this, found))
    }

    /// Reads a record again.
    fn read(&self, at: u64, len: u32) -> io::Result<Recorded> {
        let frame = self.log.frame(at, len)?;
        match decode(frame.get(FRAME_HEAD_BYTES..).unwrap_or_default()) {
            Some(Fact::File(record, cuts)) => Ok((record, cuts)),
            _ => Err(io::Error::other("a record of the identity log is not where it was")),
        }
    }

    fn note(&mut self, record: Record, cuts: Vec<Cut>, at: u64, bytes: u64) {
        self.live_bytes += bytes;
        if let Some(old) = self.known.insert(record.key(), Known { record, cuts, at, bytes }) {
            self.live_bytes -= old.bytes;
        }
    }

    /// Files that are known, and idle.
    pub(super) fn parked(&mut self) -> &mut Parked {
        &mut self.parked
    }

    pub(super) fn parked_len(&self) -> usize {
        self.parked.len()
    }

    /// Forgets all of an idle stream but its place in the log. False where that is not known yet.
    pub(super) fn park(&mut self, key: StreamKey, stat: &FileStat, sweep: u64) -> bool {
        if !self.pending.is_empty() {
            return false;
        }
        let Some(known) = self.known.remove(&key) else { return false };
        self.parked.insert(&known.record, stat, (known.at, known.bytes as u32), sweep);
        true
    }

    /// Takes back an idle stream: its file has changed, or is gone.
    pub(super) fn unpark(&mut self, id: FileId) -> io::Result<Option<Recorded>> {
        let Some((at, len)) = self.parked.place(id) else { return Ok(None) };
        let (record, cuts) = self.read(at, len)?;
        self.parked.remove(id);
        self.known.insert(
            record.key(),
            Known { record: record.clone(), cuts: cuts.clone(), at, bytes: u64::from(len) },
        );
        Ok(Some((record, cuts)))
    }

    /// The cuts in a stream after a position, in order.
    pub(super) fn cuts_after(&self, key: StreamKey, position: u64) -> VecDeque<Cut> {
        let cuts = self.known.get(&key).into_iter().flat_map(|known| &known.cuts);
        let mut cuts: Vec<_> = cuts.filter(|cut| cut.at > position).copied().collect();
        cuts.sort_by_key(|cut| cut.at);
        cuts.into()
    }

    /// Whether a stream id was given out before.
    pub(super) fn knows(&self, stream: StreamId) -> bool {
        self.known.range((stream, 0)..=(stream, u16::MAX)).next().is_some()
            || self.departed.iter().any(|record| record.stream == stream)
            || self.parked.knows(stream)
    }

    /// Whether something is known of a stream generation.
    pub(super) fn is_known(&self, key: StreamKey) -> bool {
        self.known.contains_key(&key) || self.parked.knows(key.0)
    }

    /// Whether files were looked for before: what is found from now on is new, not old.
    pub(super) fn swept(&self) -> bool {
        self.swept
    }

    /// Notes that files were looked for.
    pub(super) fn set_swept(&mut self) {
        self.swept = true;
        write_frame(&encode_swept(), &mut self.pending);
    }

    /// Notes a record. `must` where its events cannot leave before it is durable.
    pub(super) fn put(&mut self, record: Record, must: bool) {
        let key = (record.stream, record.generation);
        if self.known.get(&key).is_some_and(|known| known.record == record) {
            return;
        }
        self.must |= must;
        let (mut cuts, mut left) = (Vec::new(), None);
        if let Some(known) = self.known.get_mut(&key) {
            cuts = std::mem::take(&mut known.cuts);
            left = (known.record.id != record.id).then_some(known.record.id);
        }
        // Those before stay in the file until it is rewritten: should cursors be lost, all is framed as it was.
        if let Some(clean) = record.clean {
            cuts.retain(|cut| cut.at > clean);
        }
        let start = self.pending.len();
        write_frame(&encode(false, &record, &cuts), &mut self.pending);
        let bytes = (self.pending.len() - start) as u64;
        // After it: a log that ends between the two knows the stream twice, and not never.
        if let Some(left) = left {
            write_frame(&encode_about(About::Left, key, left), &mut self.pending);
        }
        let at = self.log.size() + start as u64;
        self.note(record, cuts, at, bytes);
    }

    /// Notes a cut that time made; it must be durable before what was cut leaves.
    pub(super) fn cut(&mut self, key: StreamKey, cut: Cut) {
        self.must = true;
        write_frame(&encode_cut(key, cut), &mut self.pending);
        if let Some(known) = self.known.get_mut(&key) {
            known.cuts.push(cut);
        }
    }

    /// Forgets a stream that will never be read again.
    pub(super) fn forget(&mut self, key: StreamKey) {
        if let Some(known) = self.known.remove(&key) {
            self.live_bytes -= known.bytes;
            let body = encode_about(About::Forgotten, key, known.record.id);
            write_frame(&body, &mut self.pending);
        }
    }

    /// Forgets a stream that will never be read again, but for what tells a copy of it.
    pub(super) fn depart(&mut self, record: Record) {
        let key = (record.stream, record.generation);
        if let Some(known) = self.known.remove(&key) {
            self.live_bytes -= known.bytes;
            write_frame(&encode(true, &record, &[]), &mut self.pending);
            depart(&mut self.departed, record);
        }
    }

    /// Streams that went, of which a copy may come, the last one last.
    pub(super) fn departed(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.departed.iter()
    }

    /// A stream that went has come back in a copy.
    pub(super) fn returned(&mut self, key: StreamKey) {
        self.departed.retain(|record| (record.stream, record.generation) != key);
    }

    /// Notes a file that is a copy of a known stream.
    pub(super) fn put_copy(&mut self, id: FileId, key: StreamKey, sweep: u64) {
        self.copies.insert(id, (key, sweep));
        write_frame(&encode_about(About::Copy, key, id), &mut self.pending);
    }

    /// Whether a file is known as a copy; it was seen by this sweep.
    pub(super) fn is_copy(&mut self, id: FileId, sweep: u64) -> bool {
        self.copies.get_mut(&id).map(|copy| copy.1 = sweep).is_some()
    }

    /// Forgets a copy: it is gone, or has become the stream itself.
    pub(super) fn forget_copy(&mut self, id: FileId) {
        if let Some((key, _)) = self.copies.remove(&id) {
            write_frame(&encode_about(About::CopyGone, key, id), &mut self.pending);
        }
    }

    /// Forgets the copies that a sweep did not see.
    pub(super) fn swept_copies(&mut self, sweep: u64) {
        let gone = self.copies.iter().filter(|(_, (_, seen))| *seen != sweep);
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.forget_copy(id);
        }
    }

    /// Whether events must wait for [`IdentityLog::commit`].
    pub(super) fn must_commit(&self) -> bool {
        self.must
    }

    /// Hands what was noted to the kernel, so that it outlives the process, if not the power. What fails is still
    /// pending, and said by the next [`IdentityLog::commit`].
    pub(super) fn write(&mut self) {
        if self.log.append(&self.pending).is_ok() {
            self.pending.clear();
        }
    }

    /// Makes all that was noted durable. After an error it is all still pending.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        self.log.append(&self.pending)?;
        self.pending.clear();
        if self.log.wants_rewrite(self.live_bytes) {
            self.rewrite()?;
        } else {
            self.log.sync()?;
        }
        self.must = false;
        Ok(())
    }

    /// Writes the log anew with what is live; records are elsewhere in it then.
    fn rewrite(&mut self) -> io::Result<()> {
        let framed = |body: Vec<u8>| {
            let mut frame = Vec::new();
            write_frame(&body, &mut frame);
            frame
        };
        let about = self.copies.iter().map(|(id, (key, _))| encode_about(About::Copy, *key, *id));
        let swept = self.swept.then(encode_swept);
        let departed = self.departed.iter().map(|record| encode(true, record, &[]));
        let first: Vec<u8> = swept.into_iter().chain(about).chain(departed).flat_map(framed).collect();
        let mut end = first.len() as u64;
        let known = self.known.iter();
        let known: Vec<_> =
            known.map(|(key, known)| (*key, framed(encode(false, &known.record, &known.cuts)))).collect();
        let mut places = Vec::with_capacity(known.len());
        for (key, frame) in &known {
            places.push((*key, end, frame.len() as u64));
            end += frame.len() as u64;
        }
        let idle: Vec<_> = self.parked.places().collect();
        let frames = std::iter::once(Ok(first)).chain(known.into_iter().map(|(_, frame)| Ok(frame)));
        let old = self.log.frames()?;
        let idle_frames = idle.iter().map(|(_, at, len)| old.frame(*at, *len));
        self.log.rewrite_from(&mut frames.chain(idle_frames))?;
        for (key, at, bytes) in places {
            if let Some(known) = self.known.get_mut(&key) {
                self.live_bytes = self.live_bytes - known.bytes + bytes;
                (known.at, known.bytes) = (at, bytes);
            }
        }
        for (id, _, len) in idle {
            self.parked.moved(id, end);
            end += u64::from(len);
        }
        Ok(())
    }
}

/// Remembers a stream that went, in the place of the one that went first.
fn depart(departed: &mut VecDeque<Record>, record: Record) {
    if departed.len() >= FILES_DEPARTED_MAX {
        departed.pop_front();
    }
    departed.push_back(record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Origin;
    use crate::frame::Lanes;
    use crate::position::Ranges;
    use crate::seam::sim::{SimClock, SimFs};
    use crate::seam::{File, FileKind};
    use crate::source::files::packed::Packing;

    /// Every stream is settled below this position.
    struct Settled(u64);

    impl Resume for Settled {
        fn position(&self, _: StreamId, _: u16) -> Option<u64> {
            Some(self.0)
        }

        fn settled(&self, _: StreamId, _: u16) -> Option<Arc<[Ranges]>> {
            None
        }
    }

    fn open(fs: &SimFs, low: u64) -> (IdentityLog, Found) {
        IdentityLog::open(Arc::new(fs.clone()), Path::new("/"), "pods", &Settled(low), 0).expect("a log")
    }

    fn record(stream: u64, packed: bool) -> Record {
        Record {
            stream: StreamId(stream),
            generation: 1,
            id: FileId { device: 1, inode: stream, birth_ns: 3 },
            from: 4,
            position: 60,
            size: 60,
            modified_ns: 7,
            head: Print::of(b"head"),
            tail: Print::of(b"tail"),
            leaving: packed,
            clean: Some(4),
            told: Some(Origin::Docker),
            packed: packed.then_some(Packed { packing: Packing::Zstd, whole: true, disk: 77 }),
            path: "/var/log/a.log.1".into(),
            real: Some("/pods/0.log".into()),
            known_as: "/var/log/a.log".into(),
        }
    }

    #[test]
    fn what_was_committed_is_known_at_the_next_start() {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        let mut known = record(9, true);
        let (mut log, _) = open(&fs, 0);
        assert!(!log.swept());
        log.set_swept();
        log.put(known.clone(), true);
        let cut = Cut { at: 5, lanes: Lanes(2) };
        log.cut(known.key(), cut);
        assert!(log.must_commit());
        log.commit().expect("space");
        known.position = 61;
        log.put(known.clone(), false);
        fs.crash(Path::new("/"));
        let (mut log, found) = open(&fs, 0);
        known.position = 60;
        assert!(log.swept() && log.knows(StreamId(9)));
        assert_eq!(found.newest, [(known.clone(), vec![cut])]);
        known.clean = Some(5);
        log.put(known.clone(), false);
        assert_eq!(log.cuts_after(known.key(), 0), []);
        log.forget(known.key());
        log.commit().expect("space");
        assert!(open(&fs, 0).1.newest.is_empty());
    }

    /// An idle file costs an entry, and its record and cuts are there when it changes, also after a rewrite.
    #[test]
    fn idle_files_are_parked() {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        let (mut log, _) = open(&fs, 0);
        let cut = Cut { at: 60, lanes: Lanes::ALL };
        for stream in 0..200 {
            log.put(record(stream, false), true);
            log.cut(record(stream, false).key(), cut);
        }
        log.commit().expect("space");
        // The last cuts are not in the records yet: nothing says that what they ended was told.
        assert_eq!(open(&fs, 60).1.newest.len(), 200);
        for stream in 0..200 {
            log.put(Record { modified_ns: 8, ..record(stream, false) }, true);
        }
        log.commit().expect("space");
        assert_eq!(open(&fs, 59).1.newest.len(), 200);
        let (mut log, found) = open(&fs, 60);
        assert_eq!((found.newest.len(), log.parked_len()), (0, 200));
        log.put(record(500, true), true);
        for rewritten in [false, true] {
            let known = Record { modified_ns: 8, ..record(70 + u64::from(rewritten), false) };
            let stat = FileStat { id: known.id, size: 60, modified_ns: 8, links: 1, kind: FileKind::File };
            assert_eq!(log.parked().is_unchanged(&stat, 1), Some(true));
            let more = FileStat { size: 61, ..stat };
            assert_eq!(log.parked().is_unchanged(&more, 1), Some(false));
            assert_eq!(log.unpark(known.id).expect("reads"), Some((known.clone(), vec![cut])));
            assert_eq!(log.parked_len(), 199);
            log.commit().expect("space");
            assert!(log.park(known.key(), &stat, 1));
            assert_eq!(log.parked().unseen(1, 1000).len(), 199 - usize::from(rewritten));
            log.rewrite().expect("space");
        }
        let (log, found) = open(&fs, 60);
        assert_eq!((found.newest.len(), log.parked_len()), (1, 200));
    }

    /// A stream that another file stands for does not keep the first one.
    #[test]
    fn a_stream_has_one_file() {
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        let (mut log, _) = open(&fs, 0);
        log.put(record(9, false), true);
        let moved = Record { id: record(10, false).id, ..record(9, true) };
        log.put(moved.clone(), true);
        log.commit().expect("space");
        let found = open(&fs, 60).1;
        assert_eq!(found.newest, [(moved, vec![])]);
        assert!(found.replaced.is_empty());
    }

    /// Records of the first version are read: what they do not say is not assumed.
    #[test]
    fn the_first_version_is_read() {
        let hex = "0101090000000000000001000100000000000000020000000000000003000000000000000400000000000000050000\
                   00000000000600000000000000040001000000000000000400020000000000000004";
        let mut bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex");
        bytes.extend_from_slice(b"/a.log");
        let mut cut = vec![1, 2, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0];
        cut.extend_from_slice(&5u64.to_le_bytes());
        let fs = SimFs::new(1, Arc::new(SimClock::at(0)));
        let mut frames = Vec::new();
        write_frame(&bytes, &mut frames);
        write_frame(&cut, &mut frames);
        fs.open_append(Path::new("/files-pods.log"))
            .and_then(|file: Box<dyn File>| file.append(&frames))
            .expect("space");
        let found = open(&fs, 6).1;
        let (record, cuts) = &found.newest[0];
        assert_eq!((record.position, record.clean, record.told), (5, None, Some(Origin::Docker)));
        assert_eq!((record.path.to_str(), record.size), (Some("/a.log"), 6));
        assert_eq!(cuts, &[Cut { at: 5, lanes: Lanes::ALL }]);
    }
}
