//! Files that come: new ones, and those that are known from before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::copies::{Copy, Opened};
use super::identity::{Cut, HEAD_BYTES, Print, Record, TAIL_BYTES};
use super::packed::Packing;
use super::restart::Restarts;
use super::state::Files;
use super::tail::{Life, Tail};
use crate::frame::Framer;
use crate::limits::LINE_BYTES_MAX;
use crate::position::{Ranges, Stream, StreamId};
use crate::seam::{File, FileKind, FileStat, HashMap, HashSet};
use crate::source::Notice;

impl Files {
    /// A path shows a file that no tail stands for.
    pub(super) fn found_new(&mut self, path: &Path, stat: &FileStat) {
        if let Some((record, cuts)) = self.missing.remove(&stat.id) {
            return self.found_again(path, &record, &cuts);
        }
        match self.log.unpark(stat.id) {
            Ok(Some((record, cuts))) => return self.found_again(path, &record, &cuts),
            Ok(None) => {}
            Err(error) => return self.warn(format!("{}: {error}", path.display())),
        }
        if Packing::of_name(path).is_some() {
            self.packed_found.push(path.into());
        } else if self.first_sweep {
            self.fresh.push(path.into());
        } else {
            self.adopt(path, false);
        }
    }

    /// Ends the first sweep: what was found and what is known are brought together.
    pub(super) fn end_first_sweep(&mut self) {
        self.first_sweep = false;
        let mut fresh = std::mem::take(&mut self.fresh);
        if !self.missing.is_empty() {
            fresh = self.match_by_content(fresh);
        }
        let at_end = self.start_at_end;
        for path in fresh {
            // Another name of a file that was taken in a moment ago shows it now.
            match self.world.fs.stat(&path) {
                Ok(stat) if self.table.by_id.contains_key(&stat.id) => self.look_at(&path),
                Ok(stat) if stat.kind == FileKind::File => self.adopt(&path, at_end),
                _ => {}
            }
        }
    }

    /// Brings what is known from before and was not found by a sweep to an end.
    pub(super) fn reconcile(&mut self) {
        for (id, (record, cuts)) in std::mem::take(&mut self.missing) {
            if let Err(error) = self.recover(&record, &cuts) {
                self.warn(format!("{}: {error}", record.path.display()));
                self.missing.insert(id, (record, cuts));
            }
        }
        for (record, cuts) in std::mem::take(&mut self.replaced) {
            // The later generation could not be looked at: until then its file is neither this one's nor a new one.
            if self.missing.contains_key(&record.id) {
                self.replaced.push((record, cuts));
            } else if let Err(error) = self.recover(&record, &cuts) {
                self.warn(format!("{}: {error}", record.path.display()));
                self.replaced.push((record, cuts));
            }
        }
    }

    /// Files that were copied or restored while nobody looked: known by their bytes, if only one can be meant.
    pub(super) fn match_by_content(&mut self, fresh: Vec<PathBuf>) -> Vec<PathBuf> {
        let mut by_head: HashMap<Print, Vec<_>> = HashMap::default();
        for (id, (record, _)) in self.missing.iter().filter(|(_, (record, _))| record.head.len > 0) {
            by_head.entry(record.head).or_default().push(*id);
        }
        let lengths: HashSet<u16> = by_head.keys().map(|head| head.len).collect();
        let mut rest = Vec::new();
        for path in fresh {
            let found = self.open_new(&path).ok().flatten().and_then(|opened| {
                let file = &*opened.file;
                let print = |len: &u16| Print::before(file, u64::from(*len), u64::from(*len)).ok();
                let ids = lengths.iter().filter_map(print).filter_map(|print| by_head.get(&print)).flatten();
                let mut fitting = ids.filter(|id| {
                    let known = self.missing.get(id);
                    known.is_some_and(|(record, _)| record.is_in(file, record.position).unwrap_or(false))
                });
                let first = *fitting.next()?;
                fitting.next().is_none().then_some(first)
            });
            match found.and_then(|id| self.missing.remove(&id)) {
                Some((record, cuts)) => self.found_again(&path, &record, &cuts),
                None => rest.push(path),
            }
        }
        rest
    }

    /// Takes in a file that was never seen.
    pub(super) fn adopt(&mut self, path: &Path, at_end: bool) {
        if !self.has_room() {
            return;
        }
        self.table.make_room(self.open_max);
        let taken = self.open_new(path).and_then(|opened| {
            // The first bytes of a compressed file are still being written: it is seen again.
            let Some(opened) = opened else { return Err(io::ErrorKind::NotFound.into()) };
            let stat = opened.file.stat()?;
            let len = stat.size.min(HEAD_BYTES);
            let head = Print::before(&*opened.file, len, len)?;
            let from = if at_end { line_start(&*opened.file, opened.length()?.0)? } else { 0 };
            let disk = self.world.fs.stat(path)?.size;
            Ok((opened, stat, head, from, disk))
        });
        match taken {
            Ok((opened, stat, head, from, disk)) => {
                let stream = self.new_stream(&stat, head, path);
                let mut tail =
                    Tail::new(stream, Framer::new(self.config.frame.clone()), &stat, path.into(), from);
                (tail.head, tail.disk) = (head, disk);
                tail.packing = opened.packed.as_ref().map(|packed| packed.packing);
                self.take_in(tail, Some(opened), path);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.warn(format!("{}: {error}", path.display())),
        }
    }

    /// A stream id that was never given out, made of the facts that tell the file from all others.
    pub(super) fn new_stream(&self, stat: &FileStat, head: Print, path: &Path) -> Arc<Stream> {
        let mut twin = 0u64;
        loop {
            let id = StreamId::from_facts(&[
                &self.world.host,
                &stat.id.device.to_le_bytes(),
                &stat.id.inode.to_le_bytes(),
                &stat.id.birth_ns.to_le_bytes(),
                &head.hash.to_le_bytes(),
                &twin.to_le_bytes(),
            ]);
            if !self.log.knows(id) {
                return self.stream(id, 0, path);
            }
            twin += 1;
        }
    }

    fn take_in(&mut self, mut tail: Tail, opened: Option<Opened>, path: &Path) {
        tail.grew = self.now;
        if self.finishing == Some(true) {
            // It came after the source was told to finish.
            tail.goal = Some(tail.position);
        }
        if tail.packing.is_some() {
            tail.sound = tail.scanned;
        }
        tail.real = self.real(path);
        tail.head_kept = tail.head.len;
        self.log.put(tail.record(), true);
        let key = self.table.add(tail);
        // A compressed file is decoded when it is its turn.
        if let Some(opened) = opened.filter(|opened| opened.packed.is_none() || self.may_unpack(key)) {
            self.table.hold(key, opened);
        }
        if let Some(old) = self.table.name(path, key, self.sweep) {
            self.unnamed(old);
        }
        self.table.queue(key);
    }

    /// Goes on with a file that is known from before.
    pub(super) fn found_again(&mut self, path: &Path, record: &Record, cuts: &[Cut]) {
        let opened = self.world.fs.stat(path).and_then(|disk| {
            // What it is by its record, where it is the same file.
            let packing = record.packed.map(|packed| packed.packing);
            let opened = match disk.id == record.id {
                true => Some(self.open_as(path, packing)?),
                false => self.open_new(path)?,
            };
            let opened = opened.ok_or(io::ErrorKind::NotFound)?;
            let stat = opened.file.stat()?;
            Ok((opened, stat, disk))
        });
        let (opened, stat, disk) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.missing.insert(record.id, (record.clone(), cuts.to_vec()));
                return self.warn(format!("{}: {error}", path.display()));
            }
        };
        let settled = self.resume.position(record.stream, record.generation);
        if record.is_whole(&disk) && settled.is_none_or(|settled| settled >= record.position) {
            let mut tail = self.tail_of(record, cuts, &stat, path, record.position);
            (tail.life, tail.disk, tail.modified_ns) = (Life::Whole, disk.size, disk.modified_ns);
            tail.tail = record.tail;
            return self.take_in(tail, None, path);
        }
        match self.go_on(&opened, &stat, path, record, cuts) {
            Ok(Some(mut tail)) => {
                tail.disk = disk.size;
                self.log.forget_copy(disk.id);
                self.take_in(tail, Some(opened), path);
            }
            Ok(None) => {
                // Without a birth time, the inode may simply be another file's now.
                if stat.id.birth_ns != 0 && stat.id == record.id && record.generation < u16::MAX {
                    let stream = self.stream(record.stream, record.generation + 1, path);
                    let framer = Framer::new(self.config.frame.clone());
                    let mut tail = Tail::new(stream, framer, &stat, path.into(), 0);
                    tail.packing = opened.packed.as_ref().map(|packed| packed.packing);
                    tail.disk = disk.size;
                    self.take_in(tail, Some(opened), path);
                } else {
                    self.adopt(path, false);
                }
                self.replaced.push((record.clone(), cuts.to_vec()));
            }
            Err(error) => {
                self.missing.insert(record.id, (record.clone(), cuts.to_vec()));
                self.warn(format!("{}: {error}", path.display()));
            }
        }
    }

    /// A tail that goes on where a record ends, if the file still holds what was read.
    fn go_on(
        &mut self,
        opened: &Opened,
        stat: &FileStat,
        path: &Path,
        record: &Record,
        cuts: &[Cut],
    ) -> io::Result<Option<Tail>> {
        let resumed = self.resume.position(record.stream, record.generation);
        let from = resumed.unwrap_or(record.from).max(record.from);
        if !record.is_in(&*opened.file, from)? {
            return Ok(None);
        }
        self.table.make_room(self.open_max);
        let mut tail = self.tail_of(record, cuts, stat, path, from);
        tail.packing = opened.packed.as_ref().map(|packed| packed.packing);
        tail.file = Some(opened.file.clone());
        tail.learn_head()?;
        tail.tail = Print::before(&*opened.file, tail.position, TAIL_BYTES)?;
        tail.file = None;
        Ok(Some(tail))
    }

    /// A tail that begins where the stream of a record is settled.
    pub(super) fn tail_of(
        &self,
        record: &Record,
        cuts: &[Cut],
        stat: &FileStat,
        path: &Path,
        from: u64,
    ) -> Tail {
        let stream = self.stream(record.stream, record.generation, Path::new(&*record.known_as));
        let (clean, told) = record.frame_from(from);
        let framer = match told {
            Some(origin) => Framer::with_origin(self.config.frame.clone(), origin),
            None => Framer::new(self.config.frame.clone()),
        };
        let mut tail = Tail::new(stream, framer, stat, path.into(), from);
        (tail.first, tail.head) = (record.from, record.head);
        (tail.position, tail.scanned, tail.restarts) = (clean, clean, Restarts::new(clean));
        let mut cuts: Vec<_> = cuts.iter().filter(|cut| cut.at > clean).copied().collect();
        cuts.sort_by_key(|cut| cut.at);
        tail.cuts = cuts.into();
        tail.settled_before = self.resume.settled(record.stream, record.generation).and_then(|sets| {
            let end = sets.iter().flat_map(Ranges::iter).map(|range| range.end).max()?;
            Some((sets, end))
        });
        tail.packing = record.packed.map(|packed| packed.packing);
        tail
    }

    /// A known stream that no path shows: renamed, copied and cut, or gone. An error means that it cannot be said
    /// now: a folder that is not there may be a disk that is not mounted yet.
    fn recover(&mut self, record: &Record, cuts: &[Cut]) -> io::Result<()> {
        if let Some(folder) = record.path.parent() {
            self.world.fs.list(folder)?;
        }
        if !self.table.by_id.contains_key(&record.id)
            && let packing = record.packed.map(|packed| packed.packing)
            && let Some((opened, path)) = self.find_by_id(record, packing)?
        {
            if path == record.path && !record.leaving {
                // It is where it was: a sweep could not look at it. It is not on its way out.
                self.found_again(&path, record, cuts);
                return Ok(());
            }
            if self.drain(opened.clone(), &path, record, cuts)? {
                return Ok(());
            }
            self.drain_anew(opened, &path, record)?;
        }
        if self.adopt_orphan(record, cuts)? {
            return Ok(());
        }
        // Not there, or there and cut off: then its bytes may be in a copy.
        if let Some(Copy::New(opened, _, path)) = self.find_copy(record)?
            && self.drain(opened, &path, record, cuts)?
        {
            return Ok(());
        }
        self.lost_before(record);
        Ok(())
    }

    /// Reads on in a file that no pattern finds, if it holds what was read.
    fn drain(&mut self, opened: Opened, path: &Path, record: &Record, cuts: &[Cut]) -> io::Result<bool> {
        let stat = opened.file.stat()?;
        let Some(mut tail) = self.go_on(&opened, &stat, path, record, cuts)? else { return Ok(false) };
        tail.leaving = Some(self.now);
        tail.grew = self.now;
        tail.goal = self.finishing.is_some().then(|| tail.all_there(stat.size));
        self.log.forget_copy(stat.id);
        tail.head_kept = tail.head.len;
        self.log.put(tail.record(), true);
        let key = self.table.add(tail);
        if opened.packed.is_none() || self.may_unpack(key) {
            self.table.hold(key, opened);
        }
        self.table.queue(key);
        Ok(true)
    }

    /// Reads a file that was cut off and written again, and then renamed, while nobody looked: by that name no pattern
    /// finds it. Without a birth time, the inode may simply be another file's now.
    fn drain_anew(&mut self, opened: Opened, path: &Path, record: &Record) -> io::Result<()> {
        let stat = opened.file.stat()?;
        let next = (record.stream, record.generation.saturating_add(1));
        // What is there now may itself have been read to its end.
        let known = self.log.is_known(next) || self.log.departed().any(|gone| gone.key() == next);
        if stat.id.birth_ns == 0 || opened.packed.is_some() || record.generation == u16::MAX || known {
            return Ok(());
        }
        let stream = self.stream(record.stream, record.generation + 1, path);
        let framer = Framer::new(self.config.frame.clone());
        let mut tail = Tail::new(stream, framer, &stat, path.into(), 0);
        (tail.leaving, tail.grew, tail.disk) = (Some(self.now), self.now, stat.size);
        tail.goal = self.finishing.is_some().then_some(stat.size);
        self.log.put(tail.record(), true);
        let key = self.table.add(tail);
        self.table.hold(key, opened);
        self.table.queue(key);
        Ok(())
    }

    /// A stream whose bytes went while nobody looked: what was not settled of them is a gap.
    fn lost_before(&mut self, record: &Record) {
        let stream = self.stream(record.stream, record.generation, Path::new(&*record.known_as));
        let resumed = self.resume.position(record.stream, record.generation);
        let from = resumed.unwrap_or(record.from).max(record.from);
        let mut end = record.size.max(record.position);
        let sets = self.resume.settled(record.stream, record.generation);
        let mut settled_by_all = Ranges::default();
        if let Some(sets) = &sets {
            end = end.max(sets.iter().flat_map(Ranges::iter).map(|range| range.end).max().unwrap_or(0));
            settled_by_all = intersection(sets);
        }
        let cause = "removed or truncated while it was not read";
        let (mut at, mut whole) = (from, true);
        while at < end {
            let stop = settled_by_all.next_start(at).unwrap_or(end).min(end);
            if at < stop {
                whole = false;
                let stream = stream.clone();
                self.notices.push(Notice::Gap { stream, start: at, end: Some(stop), cause });
            }
            let next = settled_by_all.first_gap(stop);
            at = if next > at { next } else { stop.max(at + 1) };
        }
        // A file that had been rotated away and read to its end is expected to go.
        if !(record.leaving && whole) {
            let stream = stream.clone();
            self.notices.push(Notice::Gap { stream, start: end.max(from), end: None, cause });
        }
        self.log.forget((record.stream, record.generation));
        self.forgotten.push(stream);
    }
}

/// What is in all of some sets.
fn intersection(sets: &[Ranges]) -> Ranges {
    let Some((first, rest)) = sets.split_first() else { return Ranges::default() };
    rest.iter().fold(first.clone(), |all, set| {
        let mut both = Ranges::default();
        for range in all.iter() {
            for other in set.iter() {
                both.insert(
                    range.start.max(other.start)..range.end.min(other.end).max(range.start.max(other.start)),
                );
            }
        }
        both
    })
}

/// Where the last line of a file begins, so that `start = end` does not begin inside of one.
fn line_start(file: &dyn File, size: u64) -> io::Result<u64> {
    let mut end = size;
    let mut block = vec![0; 4096];
    while end > size.saturating_sub(LINE_BYTES_MAX as u64) && end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = (end - start) as usize;
        let read = file.read_at(start, &mut block[..part])?;
        if let Some(at) = memchr::memrchr(b'\n', &block[..read]) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(if end == 0 { 0 } else { size })
}
