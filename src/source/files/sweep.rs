//! Finding files: the sweep is the truth, hints only say where to look first.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::glob::Visit;
use super::state::Files;
use super::table::Key;
use super::tail::Life;
use super::watch::Asked;
use crate::limits::{FILES_ACTIVE_MAX, FILES_MAX};
use crate::seam::{FileKind, FileStat, HashSet};
use crate::source::Notice;

/// How often all is swept where hints tell of changes.
const SWEEP_WATCHED: Duration = Duration::from_secs(10);

/// A sweep that took time waits this many times as long for the next: at most a hundredth of a core.
const SWEEP_REST: u32 = 100;

/// A change that no hint has told of for this long means that hints are not to be trusted, in nanoseconds.
const HINT_LATE_NS: i64 = 3_000_000_000;

/// Files that one sweep may find gone of those that were idle; the others are for the next. Each is sought in its folder.
const GONE_MAX: usize = 256;

/// A walk that looks at what it finds.
struct Walk<'a> {
    source: &'a mut Files,
    config: Arc<Config>,
    absent: bool,
}

impl<'a> Walk<'a> {
    fn new(source: &'a mut Files) -> Self {
        Self { config: source.config.clone(), source, absent: false }
    }
}

impl Visit for Walk<'_> {
    fn excludes(&self, path: &Path) -> bool {
        // What is written about a line must not be a line.
        self.config.excludes.matches(path) || (!self.config.own && path.starts_with(&self.source.data_dir))
    }

    fn folder(&mut self, path: &Path) {
        self.source.watches.add(path);
    }

    fn file(&mut self, path: &Path, linked: bool) {
        if linked && self.source.world.fs.is_link(path) {
            self.source.watches.add(path);
        }
        self.source.look_at(path);
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.absent = true;
        if error.kind() != io::ErrorKind::NotFound {
            self.source.warn(format!("{}: {error}", path.display()));
        }
    }
}

impl Files {
    /// Looks at every file.
    pub(super) fn sweep_all(&mut self) {
        let begun = self.world.clock.monotonic();
        self.sweep += 1;
        self.sweeping = true;
        self.watches.begin_sweep();
        let (config, fs) = (self.config.clone(), self.world.fs.clone());
        let mut walk = Walk::new(self);
        for pattern in &config.patterns {
            pattern.walk(&*fs, None, &mut walk);
        }
        let absent = walk.absent;
        if !absent {
            self.seek_parked();
        }
        let stale = self.table.by_path.iter().filter(|(_, (_, sweep))| *sweep != self.sweep);
        for path in stale.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            self.look_at(&path);
        }
        let first = self.first_sweep;
        self.start_at_end = first && self.config.start_at_end && !self.log.swept();
        if first {
            self.end_first_sweep();
        }
        self.decide_packed();
        if !(self.missing.is_empty() && self.replaced.is_empty()) {
            self.reconcile();
        }
        if self.missing.is_empty() && self.replaced.is_empty() && !self.orphans_found.is_empty() {
            self.remove_stale_orphans();
        }
        self.take_packed();
        self.start_at_end = false;
        let now = self.now;
        self.undecided.retain(|_, at| *at > now);
        if !absent {
            self.log.swept_copies(self.sweep);
        }
        if first && !self.log.swept() {
            self.log.set_swept();
        }
        self.park();
        if self.finishing == Some(false) {
            self.finishing = Some(true);
            self.set_goals();
        }
        // The first sweep is dear for what it finds, not for what it looks at.
        let cost = if first { Duration::ZERO } else { self.cost_since(begun) };
        // Where a folder is not there yet, nothing tells of its coming.
        let quick = absent || !self.watches.complete();
        let every = if quick { self.config.sweep } else { self.config.sweep.max(SWEEP_WATCHED) };
        self.next_sweep = self.now + every.max(cost * SWEEP_REST);
        self.soonest_sweep = self.now + self.config.sweep.max(cost * SWEEP_REST);
        self.sweeping = false;
    }

    fn cost_since(&self, begun: Duration) -> Duration {
        self.world.clock.monotonic().saturating_sub(begun)
    }

    /// Idle files that were not found where they were: they are sought.
    fn seek_parked(&mut self) {
        for id in self.log.parked().unseen(self.sweep, GONE_MAX) {
            match self.log.unpark(id) {
                Ok(Some(known)) => {
                    self.missing.insert(id, known);
                }
                Ok(None) => {}
                Err(error) => self.warn(format!("{}: {error}", self.data_dir.display())),
            }
        }
    }

    /// Where more files are known than are watched closely, idle ones are left to the index.
    fn park(&mut self) {
        if self.table.len() <= FILES_ACTIVE_MAX {
            return;
        }
        let (now, sweep) = (self.now, self.sweep);
        let mut keys = self.table.keys();
        keys.retain(|key| self.table.get(*key).is_some_and(|tail| tail.is_idle(now)));
        for key in &keys {
            if let Some(tail) = self.table.get(*key) {
                self.log.put(tail.record(), false);
            }
        }
        self.log.write();
        let mut parked = HashSet::default();
        for key in keys {
            let Some(tail) = self.table.get(key) else { continue };
            let (id, size, modified_ns) = (tail.id, tail.size, tail.modified_ns);
            let stat = FileStat { id, size, modified_ns, links: 1, kind: FileKind::File };
            if self.log.park(tail.key(), &stat, sweep) {
                self.table.remove(key);
                self.forget_touched(key);
                parked.insert(key);
            }
        }
        self.table.by_path.retain(|_, (key, _)| !parked.contains(key));
    }

    /// Does what hints ask for.
    pub(super) fn asked(&mut self, asked: Asked) {
        if asked.all || asked.gone {
            self.next_sweep = self.next_sweep.min(self.soonest_sweep);
        }
        for path in asked.names.into_iter().chain(asked.content) {
            if self.table.by_path.contains_key(&path) {
                self.look_at(&path);
            } else {
                self.look_at_unknown(&path);
            }
        }
        if !self.first_sweep {
            self.decide_packed();
            self.take_packed();
        }
    }

    /// A path that was told of and is not known: a file that is meant, or a folder that may hold some.
    fn look_at_unknown(&mut self, path: &Path) {
        let (config, fs) = (self.config.clone(), self.world.fs.clone());
        let mut walk = Walk::new(self);
        for pattern in &config.patterns {
            let (file, folder) = pattern.fits(path);
            if !(file || folder) || path.ancestors().any(|path| walk.excludes(path)) {
                continue;
            }
            match fs.stat(path).map(|stat| stat.kind) {
                Ok(FileKind::File) if file => walk.file(path, true),
                Ok(FileKind::Folder) if folder => pattern.walk(&*fs, Some(path), &mut walk),
                _ => {}
            }
        }
    }

    /// Looks at what a path shows.
    pub(super) fn look_at(&mut self, path: &Path) {
        let stat = match self.world.fs.stat(path) {
            Ok(stat) if stat.kind == FileKind::File => stat,
            Ok(_) => return self.name_gone(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.name_gone(path),
            Err(error) => {
                // It may come back: what is known of it stays.
                if let Some((_, sweep)) = self.table.by_path.get_mut(path) {
                    *sweep = self.sweep;
                }
                return self.warn(format!("{}: {error}", path.display()));
            }
        };
        match self.table.by_id.get(&stat.id) {
            Some(&key) => self.shows(path, key, &stat),
            None => {
                if self.table.by_path.contains_key(path) {
                    self.name_gone(path);
                }
                let idle = self.log.parked().is_unchanged(&stat, self.sweep) == Some(true);
                if !idle && !self.log.is_copy(stat.id, self.sweep) {
                    self.found_new(path, &stat);
                }
            }
        }
    }

    /// A path shows a file that is known.
    fn shows(&mut self, path: &Path, key: Key, stat: &FileStat) {
        let old = self.table.name(path, key, self.sweep);
        let Some(tail) = self.table.get(key) else { return };
        if tail.leaving.take().is_some() || (old.is_some() && tail.names == 1) {
            tail.path = path.into();
            let real = self.real(path);
            if let Some(tail) = self.table.get(key) {
                tail.real = real;
            }
            self.touch(key);
        }
        self.seen(key, stat);
        if let Some(old) = old {
            self.unnamed(old);
        }
    }

    /// Takes in what a look at a file showed.
    pub(super) fn seen(&mut self, key: Key, stat: &FileStat) {
        let Some(tail) = self.table.get(key) else { return };
        let size = if tail.packing.is_some() { tail.disk } else { tail.size };
        if (size, tail.modified_ns) == (stat.size, stat.modified_ns) {
            return;
        }
        let silent = stat.modified_ns > tail.modified_ns
            && self.world.clock.now_unix_ns().saturating_sub(stat.modified_ns) > HINT_LATE_NS;
        let (now, path) = (self.now, tail.path.clone());
        if stat.size > size {
            tail.grew = now;
        }
        (tail.disk, tail.modified_ns) = (stat.size, stat.modified_ns);
        match tail.packing {
            None => tail.size = stat.size,
            Some(_) if tail.life == Life::Whole => tail.life = Life::Reading,
            Some(_) => {}
        }
        self.table.count(key);
        self.table.queue(key);
        self.touch(key);
        if silent && !self.first_sweep && self.watches.complete() && self.sweeping {
            self.watches.distrust(&path);
        }
    }

    /// A path shows no file any more, or another one.
    fn name_gone(&mut self, path: &Path) {
        if let Some((key, _)) = self.table.by_path.remove(path) {
            self.watches.remove(path);
            self.unnamed(key);
        }
    }

    /// Whether one more file may be known.
    pub(super) fn has_room(&mut self) -> bool {
        let room = self.table.len() + self.log.parked_len() < FILES_MAX;
        if !room {
            self.warn(format!("more than {FILES_MAX} files; the others are not read"));
        }
        room
    }

    /// Reports bytes that can never be read.
    pub(super) fn gap(&mut self, key: Key, start: u64, end: Option<u64>, cause: &'static str) {
        if let Some(tail) = self.table.get(key) {
            let stream = tail.stream.clone();
            self.notices.push(Notice::Gap { stream, start, end, cause });
        }
    }
}
