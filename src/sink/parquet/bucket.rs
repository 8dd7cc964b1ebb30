//! Epochs in an object store. A name cannot be changed there, so that nothing can be written aside and renamed; but
//! an upload in parts is not seen until it is completed. The files of an epoch are written on the disk, in the data
//! folder, and sent in parts as they grow, each to an upload of its final key. Then:
//!
//! 1. every file gets its footer, and its last part is sent;
//! 2. the commit record is put, only where there is none of its name: it names every upload, the tags of its parts,
//!    and the bytes of the streams that are in. From here on the epoch is whole, whatever happens;
//! 3. the uploads are completed: now readers see the files;
//! 4. a mark is put beside the record: nothing is left to do for this epoch;
//! 5. its batches are settled, and the files on the disk are removed.
//!
//! ```text
//! PREFIX/date=2026-11-23/part-EPOCH-FILE-WRITER-LIFE.parquet     what readers see
//! PREFIX/_aludel/WRITER/EPOCH.json                               commit records
//! PREFIX/_aludel/WRITER/EPOCH.done                               marks
//! PREFIX/_aludel/WRITER/base-EPOCH.json                          records merged into one
//! ```
//!
//! The writer is a number that the data folder keeps, so that a hundred nodes write to one prefix and none touches
//! what is another's.
//!
//! **The next start** ([`start`](super::start)) finds the newest record. With its mark, there is nothing to do. Without,
//! it completes the uploads that the record names; one that is no more was completed before, if the object is there
//! in its size. If neither is there (a bucket's rule that removes old uploads did its work while nobody ran), the
//! epoch is undone: uploads aborted, objects removed, then the record; nothing of it was settled, and its rows come
//! again. Older records need no look: a record is put only after the epoch before is marked. Then all other
//! uploads of this writer are aborted: they belong to epochs without a record, whose rows come again.
//!
//! **An ask whose answer is lost** may have been done: it is asked again. A part again is the same part. A record
//! that is there already is read: it is ours, or one from the life before, which a killed process had sent and the
//! store got to late; such a ghost names uploads that are aborted, and is undone. Of an upload that is no more the
//! object is looked at; where it is not there in its size, the file, which is still on the disk, is sent again.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::archive::Home;
use super::asks::{Asks, Verdict};
use super::commit::{FileEntry, Record, Sources, damaged};
use super::epoch::{Epoch, Fault};
use super::part::Names;
use super::upload::{Step, Upload};
use crate::limits::{PARQUET_COMMITS_MAX, PARQUET_RETRY};
use crate::seam::{Answer, Ask, Fs};
use crate::sink::Next;

/// A file: the number of its epoch, and its own in that.
type FileNumber = (u64, u64);

/// What an ask is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum For {
    Send(FileNumber, Step),
    Record,
    /// The record of this name that was there already.
    OtherRecord,
    /// Whether that one is marked.
    OtherMark,
    Complete(FileNumber),
    Size(FileNumber),
    Mark,
    Errand,
    MergeGet,
    MergePut,
}

/// How far the epoch is that is published.
#[derive(Debug)]
enum Stage {
    /// Files are on their way; also while it fills, and no other is published.
    Sending,
    /// The record is.
    Recording(Bytes),
    /// What is in the record's place is being removed, once it is known that it has no mark.
    Undoing {
        ours: Bytes,
        ghost: Option<Record>,
    },
    Completing,
    Marking,
    Published,
}

/// Records that become one.
struct Merge {
    names: VecDeque<String>,
    sources: Sources,
    epoch: u64,
}

/// Names of things in the store.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// `logs/web/`, or nothing.
    pub(super) prefix: String,
    pub(super) writer: String,
    /// Tells files of this run from those of any other.
    pub(super) life: String,
}

impl Keys {
    pub(super) fn records(&self) -> String {
        format!("{}_aludel/{}", self.prefix, self.writer)
    }

    pub(super) fn own(&self, name: &str) -> String {
        format!("{}/{name}", self.records())
    }

    pub(super) fn record(&self, epoch: u64) -> String {
        self.own(&format!("{epoch:012}.json"))
    }

    pub(super) fn mark(&self, epoch: u64) -> String {
        self.own(&format!("{epoch:012}.done"))
    }

    pub(super) fn base(&self, epoch: u64) -> String {
        self.own(&format!("base-{epoch:012}.json"))
    }

    /// Whether a file is of this writer.
    pub(super) fn is_own(&self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or(key);
        name.starts_with("part-") && name.contains(&format!("-{}-", self.writer))
    }
}

/// What makes an epoch as if it had never been, in this order: after a crash in between, the record is still there.
pub(super) fn undo(keys: &Keys, record: &Record) -> Vec<Ask> {
    let key = |file: &FileEntry| format!("{}{}", keys.prefix, file.published);
    let aborts = record.files.iter().filter_map(|file| {
        let upload = file.upload.as_ref()?.id.clone();
        Some(Ask::Abort { key: key(file), upload })
    });
    let removals = record.files.iter().map(|file| Ask::Remove { key: key(file) });
    aborts.chain(removals).chain([Ask::Remove { key: keys.record(record.epoch) }]).collect()
}

pub(super) struct Bucket {
    fs: Arc<dyn Fs>,
    place: String,
    keys: Keys,
    staging: PathBuf,
    asks: Asks<For>,
    first_epoch: u64,
    /// Epochs whose record is not merged yet, all but the current, ascending.
    epochs: Vec<u64>,
    base: Option<u64>,
    /// Of the epoch that is published, and of the next.
    uploads: BTreeMap<FileNumber, Upload>,
    /// Of the epoch that is published.
    epoch: u64,
    stage: Stage,
    merge: Option<Merge>,
    /// Asked one after the other; what is not there is done.
    errands: VecDeque<Ask>,
    on_errand: bool,
    /// Files on the disk that nobody needs.
    rubbish: Vec<PathBuf>,
}

impl Bucket {
    pub(super) fn new(
        fs: Arc<dyn Fs>,
        place: String,
        keys: Keys,
        staging: PathBuf,
        asks: Asks<For>,
        next: u64,
        merged: (Option<u64>, Vec<u64>),
    ) -> Self {
        Self {
            fs,
            place,
            keys,
            staging,
            asks,
            first_epoch: next,
            epochs: merged.1,
            base: merged.0,
            uploads: BTreeMap::new(),
            epoch: next,
            stage: Stage::Sending,
            merge: None,
            errands: VecDeque::new(),
            on_errand: false,
            rubbish: Vec::new(),
        }
    }

    /// Takes answers and makes the asks that can be made, whatever the stage.
    fn pump(&mut self, now: Duration) -> Result<(), Fault> {
        loop {
            let answered = self.asks.step(now);
            let idle = answered.is_empty();
            for (what_for, verdict) in answered {
                self.answered(what_for, verdict)?;
            }
            self.ask()?;
            if idle {
                // What was asked just now is started.
                for (what_for, verdict) in self.asks.step(now) {
                    self.answered(what_for, verdict)?;
                }
                return Ok(());
            }
        }
    }

    fn ask(&mut self) -> Result<(), Fault> {
        let completing = matches!(self.stage, Stage::Completing);
        for (number, upload) in self.uploads.iter_mut().filter(|(_, upload)| !upload.completed) {
            while self.asks.has_room()
                && let Some((step, ask)) = upload.next(&*self.fs)?
            {
                self.asks.ask(For::Send(*number, step), ask);
            }
            if completing
                && number.0 == self.epoch
                && !upload.completing
                && self.asks.has_room()
                && let Some(entry) = upload.entry()
            {
                upload.completing = true;
                let (key, upload, parts) = (upload.key.clone(), entry.id, entry.parts);
                self.asks.ask(For::Complete(*number), Ask::Complete { key, upload, parts });
            }
        }
        if !self.on_errand
            && let Some(errand) = self.errands.front()
        {
            self.on_errand = true;
            self.asks.ask(For::Errand, errand.clone());
        }
        Ok(())
    }

    fn answered(&mut self, what_for: For, verdict: Verdict) -> Result<(), Fault> {
        match (what_for, verdict) {
            (For::Send(number, step), Verdict::Done(answer)) => {
                if let Some(upload) = self.uploads.get_mut(&number) {
                    upload.answered(step, answer);
                }
            }
            (For::Send(number, step), _) => self.send_again(number, Some(step)),
            (For::Complete(number), Verdict::Done(_)) => self.completed(number),
            (For::Complete(number), verdict) => {
                if let Verdict::Unfit(why) = verdict {
                    tracing::warn!(why, "an upload cannot be completed; its file is sent again");
                }
                if let Some(upload) = self.uploads.get(&number) {
                    self.asks.ask(For::Size(number), Ask::Size { key: upload.key.clone() });
                }
            }
            (For::Size(number), Verdict::Done(Answer::Size(size)))
                if self.uploads.get(&number).is_some_and(|upload| upload.size_bytes() == size) =>
            {
                self.completed(number);
            }
            (For::Size(number), _) => self.send_again(number, None),
            (For::Record, Verdict::Done(_)) => self.recorded(),
            (For::Record, Verdict::Exists) => {
                self.asks.ask(For::OtherRecord, Ask::Get { key: self.keys.record(self.epoch) });
            }
            (For::OtherRecord, verdict) => self.found(verdict)?,
            (For::OtherMark, Verdict::Missing) => {
                if let Stage::Undoing { ghost, .. } = &mut self.stage
                    && let Some(ghost) = ghost.take()
                {
                    self.errands.extend(undo(&self.keys, &ghost));
                }
            }
            (For::OtherMark, _) => return Err(self.another()),
            (For::Mark, Verdict::Done(_)) => self.stage = Stage::Published,
            (For::Errand, _) => {
                self.errands.pop_front();
                self.on_errand = false;
                if self.errands.is_empty()
                    && let Stage::Undoing { ours, ghost: None } = &self.stage
                {
                    let ours = ours.clone();
                    self.put_record(ours);
                }
            }
            (For::MergeGet, verdict) => self.merge_more(verdict)?,
            (For::MergePut, _) => self.merged(),
            (For::Record | For::Mark, verdict) => {
                return Err(Fault::Writer(format!("the store's answer makes no sense: {verdict:?}")));
            }
        }
        Ok(())
    }

    fn completed(&mut self, number: FileNumber) {
        if let Some(upload) = self.uploads.get_mut(&number) {
            upload.completed = true;
        }
    }

    fn send_again(&mut self, number: FileNumber, step: Option<Step>) {
        let Some(upload) = self.uploads.get_mut(&number) else { return };
        if let Some(old) = upload.restart(step) {
            self.errands.push_back(Ask::Abort { key: upload.key.clone(), upload: old });
        }
    }

    fn put_record(&mut self, bytes: Bytes) {
        let key = self.keys.record(self.epoch);
        self.asks.ask(For::Record, Ask::Put { key, bytes: bytes.clone(), create: true });
        self.stage = Stage::Recording(bytes);
    }

    fn recorded(&mut self) {
        self.stage = Stage::Completing;
    }

    /// There is a record of this epoch already.
    fn found(&mut self, verdict: Verdict) -> Result<(), Fault> {
        let Stage::Recording(ours) = &self.stage else { return Ok(()) };
        let ours = ours.clone();
        match verdict {
            Verdict::Done(Answer::Object(bytes)) if bytes == ours => self.recorded(),
            // A killed process can only have left the one that comes next.
            Verdict::Done(Answer::Object(bytes)) if self.epoch == self.first_epoch => {
                let ghost = Some(Record::decode(&bytes).map_err(|_| self.another())?);
                self.asks.ask(For::OtherMark, Ask::Size { key: self.keys.mark(self.epoch) });
                self.stage = Stage::Undoing { ours, ghost };
            }
            Verdict::Missing => self.put_record(ours),
            _ => return Err(self.another()),
        }
        Ok(())
    }

    fn another(&self) -> Fault {
        Fault::Writer(format!(
            "there is a record of epoch {} that this process did not write: another one runs with a copy of its \
             data folder",
            self.epoch
        ))
    }

    /// Begins to merge the records, all of finished epochs, once there are many.
    fn begin_merge(&mut self) {
        let Some(&epoch) = self.epochs.last() else { return };
        if self.epochs.len() < PARQUET_COMMITS_MAX || self.merge.is_some() || !self.errands.is_empty() {
            return;
        }
        let base = self.base.map(|base| self.keys.base(base));
        let names =
            base.into_iter().chain(self.epochs.iter().map(|epoch| self.keys.record(*epoch))).collect();
        self.merge = Some(Merge { names, sources: Sources::new(), epoch });
        self.merge_next();
    }

    fn merge_next(&mut self) {
        let Some(merge) = &mut self.merge else { return };
        if let Some(key) = merge.names.front() {
            self.asks.ask(For::MergeGet, Ask::Get { key: key.clone() });
            return;
        }
        let record = Record::merged(merge.epoch, std::mem::take(&mut merge.sources));
        match record.encode() {
            Ok(bytes) => {
                let key = self.keys.base(merge.epoch);
                self.asks.ask(For::MergePut, Ask::Put { key, bytes: bytes.into(), create: false });
            }
            Err(_) => self.merge = None,
        }
    }

    fn merge_more(&mut self, verdict: Verdict) -> Result<(), Fault> {
        let Some(merge) = &mut self.merge else { return Ok(()) };
        let name = merge.names.pop_front().unwrap_or_default();
        match verdict {
            Verdict::Done(Answer::Object(bytes)) => Record::decode(&bytes)
                .and_then(|record| record.add_to(&mut merge.sources).map_err(|error| error.to_string()))
                .map_err(|why| Fault::Writer(damaged(&name, &why)))?,
            // Without it, the cursor log alone knows; better many records than one that says too little.
            _ => {
                self.merge = None;
                return Ok(());
            }
        }
        self.merge_next();
        Ok(())
    }

    fn merged(&mut self) {
        let Some(merge) = self.merge.take() else { return };
        let old = self.base.replace(merge.epoch).map(|base| self.keys.base(base));
        let gone: Vec<u64> = self.epochs.iter().copied().filter(|epoch| *epoch <= merge.epoch).collect();
        self.epochs.retain(|epoch| *epoch > merge.epoch);
        // The record of an epoch goes before its mark: one without is looked into.
        let keys = gone.iter().flat_map(|epoch| [self.keys.record(*epoch), self.keys.mark(*epoch)]);
        self.errands.extend(old.into_iter().chain(keys).map(|key| Ask::Remove { key }));
    }

    /// Takes note of what the epoch has written.
    fn look_at(&mut self, epoch: &Epoch) {
        for (names, written, whole) in epoch.written() {
            let key = || format!("{}{}", self.keys.prefix, names.published);
            let upload = self.uploads.entry((epoch.number, names.number));
            upload.or_insert_with(|| Upload::new(key(), names.aside.clone())).grown(written, whole);
        }
    }

    /// The record, once all parts of all files are there.
    fn record(&self, epoch: &Epoch) -> Option<Record> {
        let entry = |file: &super::part::ClosedFile| {
            let upload = self.uploads.get(&(epoch.number, file.names.number))?.entry()?;
            Some(FileEntry {
                aside: String::new(),
                published: file.names.published.clone(),
                rows: file.rows,
                bytes: file.bytes,
                upload: Some(upload),
            })
        };
        let files = epoch.shut.iter().map(entry).collect::<Option<_>>()?;
        Some(Record::new(epoch.number, files, epoch.provenances()))
    }

    /// Uploads of the epoch that is published.
    fn published(&self) -> impl Iterator<Item = &Upload> {
        self.uploads.range(..(self.epoch + 1, 0)).map(|(_, upload)| upload)
    }

    fn remove_rubbish(&mut self) -> io::Result<()> {
        while let Some(path) = self.rubbish.last() {
            match self.fs.remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.rubbish.pop(),
            };
        }
        Ok(())
    }
}

impl Home for Bucket {
    fn durably(&self) -> bool {
        false
    }

    fn first_epoch(&self) -> u64 {
        self.first_epoch
    }

    fn names(&self, epoch: u64, number: u64, partition: &str) -> Names {
        let slash = if partition.is_empty() { "" } else { "/" };
        let (writer, life) = (&self.keys.writer, &self.keys.life);
        Names {
            number,
            aside: self.staging.join(format!("{epoch:012}-{number:05}.part")),
            published: format!("{partition}{slash}part-{epoch:08}-{number:05}-{writer}-{life}.parquet"),
        }
    }

    fn fill(&mut self, epoch: &Epoch, now: Duration) -> Result<Next, Fault> {
        self.look_at(epoch);
        self.pump(now)?;
        Ok(self.asks.next())
    }

    fn publish(&mut self, epoch: &Epoch, now: Duration) -> Result<Option<Next>, Fault> {
        self.epoch = epoch.number;
        self.look_at(epoch);
        loop {
            self.pump(now)?;
            match &self.stage {
                Stage::Sending => match self.record(epoch) {
                    Some(record) => self.put_record(record.encode()?.into()),
                    None => break,
                },
                Stage::Completing if self.published().all(|upload| upload.completed) => {
                    let key = self.keys.mark(self.epoch);
                    self.asks.ask(For::Mark, Ask::Put { key, bytes: Bytes::new(), create: false });
                    self.stage = Stage::Marking;
                }
                Stage::Published => {
                    let rubbish: Vec<_> = self.published().map(|upload| upload.aside().to_owned()).collect();
                    self.rubbish.extend(rubbish);
                    self.uploads = self.uploads.split_off(&(self.epoch + 1, 0));
                    self.epochs.push(self.epoch);
                    self.stage = Stage::Sending;
                    self.begin_merge();
                    return Ok(None);
                }
                Stage::Recording(_) | Stage::Undoing { .. } | Stage::Completing | Stage::Marking => break,
            }
        }
        Ok(Some(match self.asks.next() {
            // An answer wakes the sink; this is for one that never comes.
            Next::Idle => Next::At(now + PARQUET_RETRY),
            next => next,
        }))
    }

    fn settled(&mut self) -> io::Result<()> {
        self.remove_rubbish()
    }

    fn trouble(&self) -> Option<String> {
        self.asks.trouble().map(|why| format!("{}: {why}; rows wait", self.place))
    }

    fn place(&self) -> String {
        self.place.clone()
    }
}
