//! Hints from the file system: which folder or file is behind each watch.
//!
//! In: folders and linked files to watch. Out: paths to look at before their turn. Where watches run out or the
//! file system gives none, everything is swept more often; that is said once.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::seam::{Fs, HashMap, HashSet, Hint, WatchId, Watcher};

/// All watches of one source.
#[derive(Default)]
pub(super) struct Watches {
    watcher: Option<Box<dyn Watcher>>,
    paths: HashMap<WatchId, Vec<PathBuf>>,
    watched: HashMap<PathBuf, WatchId>,
    hints: Vec<Hint>,
    /// Why some folder is not watched, until it was said.
    trouble: Option<String>,
    said: bool,
    incomplete: bool,
}

/// What hints ask for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Files whose content changed.
    pub(super) content: HashSet<PathBuf>,
    /// Names that came or went.
    pub(super) names: HashSet<PathBuf>,
    /// Hints were lost.
    pub(super) all: bool,
    /// A watched thing itself went: what comes in its place may come where nothing is watched.
    pub(super) gone: bool,
}

impl Watches {
    /// Watches of a file system, if it can.
    pub(super) fn new(fs: &dyn Fs) -> Self {
        match fs.watcher() {
            Ok(watcher) => Self { watcher, ..Self::default() },
            Err(error) => {
                let trouble = format!("inotify is not available ({error}); files are polled");
                Self { trouble: Some(trouble), ..Self::default() }
            }
        }
    }

    /// Watches a path, once.
    pub(super) fn add(&mut self, path: &Path) {
        if self.watched.contains_key(path) {
            return;
        }
        let Some(watcher) = &mut self.watcher else { return };
        match watcher.watch(path) {
            Ok(watch) => {
                self.watched.insert(path.into(), watch);
                self.paths.entry(watch).or_default().push(path.into());
            }
            Err(error) => self.failed(path, &error),
        }
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        // A file that is gone needs no watch.
        if error.kind() == io::ErrorKind::NotFound {
            return;
        }
        self.incomplete = true;
        if !self.said {
            self.said = true;
            let hint = match Errno::from_io_error(error) {
                Some(Errno::NOSPC) => "the limit fs.inotify.max_user_watches is reached".to_owned(),
                _ => error.to_string(),
            };
            self.trouble = Some(format!("cannot watch {}: {hint}; files are polled", path.display()));
        }
    }

    /// Whether every path that was asked for is watched, so that a quick sweep is not needed.
    pub(super) fn complete(&self) -> bool {
        self.watcher.is_some() && !self.incomplete
    }

    /// Before a whole sweep: what fails then is what is missing.
    pub(super) fn begin_sweep(&mut self) {
        self.incomplete = false;
    }

    /// A change was seen that no hint told of: this file system cannot be trusted to tell.
    pub(super) fn distrust(&mut self, path: &Path) {
        if self.watcher.take().is_some() {
            let path = path.display();
            self.trouble = Some(format!("{path} changed and inotify did not tell; files are polled"));
        }
    }

    /// Something to tell a person, once.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Takes the hints that have come.
    pub(super) fn poll(&mut self, asked: &mut Asked) {
        let Some(watcher) = &mut self.watcher else { return };
        watcher.poll(&mut self.hints);
        for hint in self.hints.drain(..) {
            let at = |watch: &WatchId| self.paths.get(watch).into_iter().flatten();
            match &hint {
                Hint::Content(watch, Some(name)) => {
                    asked.content.extend(at(watch).map(|path| path.join(name)))
                }
                Hint::Content(watch, None) => asked.content.extend(at(watch).cloned()),
                Hint::Name(watch, Some(name)) => asked.names.extend(at(watch).map(|path| path.join(name))),
                Hint::Overflow => asked.all = true,
                // The watched thing itself was moved or removed: its watch goes by another name from now on.
                Hint::Name(watch, None) | Hint::Ended(watch) => {
                    asked.names.extend(at(watch).cloned());
                    asked.gone = true;
                    if matches!(hint, Hint::Name(..)) {
                        watcher.unwatch(*watch);
                    }
                    for path in self.paths.remove(watch).into_iter().flatten() {
                        self.watched.remove(&path);
                    }
                }
            }
        }
    }

    /// Stops watching a path.
    pub(super) fn remove(&mut self, path: &Path) {
        let Some(watch) = self.watched.remove(path) else { return };
        let Some(paths) = self.paths.get_mut(&watch) else { return };
        paths.retain(|known| known != path);
        if paths.is_empty() {
            self.paths.remove(&watch);
            if let Some(watcher) = &mut self.watcher {
                watcher.unwatch(watch);
            }
        }
    }

    /// Readable when hints have come.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watcher.as_ref().map(|watcher| watcher.fd())
    }
}
