//! Linux inotify as a [`Watcher`]: one descriptor for all watches of a source.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use super::{Hint, WatchId, Watcher};

/// Bytes of events taken in one system call.
const EVENTS_BYTES: usize = 16 * 1024;

/// Reads per [`Watcher::poll`]; the rest waits for the next, so that a storm of events cannot hold up reading.
const READS_MAX: usize = 64;

pub(super) struct Inotify {
    fd: OwnedFd,
}

impl Inotify {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { fd: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }
}

impl Watcher for Inotify {
    fn watch(&mut self, path: &Path) -> io::Result<WatchId> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        Ok(WatchId(inotify::add_watch(&self.fd, path, flags)?))
    }

    fn unwatch(&mut self, watch: WatchId) {
        // It may have ended by itself, with its file.
        let _ = inotify::remove_watch(&self.fd, watch.0);
    }

    fn poll(&mut self, hints: &mut Vec<Hint>) {
        let mut buffer = [MaybeUninit::<u8>::uninit(); EVENTS_BYTES];
        let mut reader = Reader::new(&self.fd, &mut buffer);
        let mut reads = 0;
        while reads < READS_MAX || !reader.is_buffer_empty() {
            reads += usize::from(reader.is_buffer_empty());
            // WOULDBLOCK ends it; any other error is the same to us, since the sweep sees everything.
            let Ok(event) = reader.next() else { return };
            let watch = WatchId(event.wd());
            let name = || event.file_name().map(|name| OsString::from_vec(name.to_bytes().to_vec()));
            let flags = event.events();
            hints.push(if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                Hint::Overflow
            } else if flags.contains(ReadFlags::IGNORED) {
                Hint::Ended(watch)
            } else if flags.contains(ReadFlags::MODIFY) {
                Hint::Content(watch, name())
            } else {
                Hint::Name(watch, name())
            });
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
