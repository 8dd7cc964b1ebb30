//! What enrichers look things up in: files that may change, and names of hosts. Read and asked for at the rim only; a
//! worker takes the state of the moment at the start of a batch, so that a batch sees one.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dns::{Names, Resolver};
use crate::limits::{DNS_ASKS_MAX, ENRICH_FILE_BYTES_MAX};
use crate::seam::Fs;

/// Something that was read, of a type that its enricher knows.
pub(super) type Read = Arc<dyn Any + Send + Sync>;

/// Makes it of the bytes of a file.
type ReadFn = Box<dyn Fn(&[u8]) -> Result<Read, String> + Send + Sync>;

/// All of it at one moment.
type State = Arc<Vec<Read>>;

/// What one enricher declared.
enum Source {
    File { path: PathBuf, read: ReadFn },
    Names { server: Option<SocketAddr> },
}

/// What tells that a file was changed: size, time of the last change, inode.
type Mark = (u64, i64, u64);

/// Everything that the enrichers of a plan look things up in.
#[derive(Default)]
pub struct Data {
    sources: Vec<Source>,
    now: Mutex<Now>,
    /// Addresses whose names somebody asked for, with the number of the declaration.
    asked: Mutex<Vec<(usize, IpAddr)>>,
}

#[derive(Default)]
struct Now {
    state: State,
    marks: Vec<Mark>,
}

/// A state, as one worker holds it for a batch, and what it could not answer.
#[derive(Debug, Default)]
pub struct Held {
    state: State,
    asks: Vec<(usize, IpAddr)>,
}

impl Held {
    /// What an enricher declared under a number.
    pub(super) fn get<T: Any>(&self, number: usize) -> Option<&T> {
        self.state.get(number)?.downcast_ref()
    }

    /// Asks for the name of an address, for events that come later.
    pub(super) fn ask(&mut self, number: usize, address: IpAddr) {
        let ask = (number, address);
        if self.asks.len() < DNS_ASKS_MAX && self.asks.last() != Some(&ask) {
            self.asks.push(ask);
        }
    }
}

impl Data {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Vec<(usize, IpAddr)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&mut self, source: Source, read: Read, mark: Mark) -> usize {
        let now = self.now.get_mut().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut now.state).push(read);
        now.marks.push(mark);
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Declares a file and reads it; gives its number.
    pub(super) fn file(&mut self, fs: &dyn Fs, path: &str, read: ReadFn) -> Result<usize, String> {
        let path = PathBuf::from(path);
        let mark = mark(fs, &path)?;
        let first = read(&bytes(fs, &path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(self.add(Source::File { path, read }, first, mark))
    }

    /// Declares names that a server is asked for; without one nothing is ever known.
    pub(super) fn names(&mut self, server: Option<SocketAddr>) -> usize {
        self.add(Source::Names { server }, Arc::new(Names::default()), (0, 0, 0))
    }

    /// Whether there is anything in it.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Gives a worker the state of the moment, and takes what it could not answer.
    pub fn meet(&self, held: &mut Held) {
        if self.sources.is_empty() {
            return;
        }
        held.state = self.now().state.clone();
        if !held.asks.is_empty() {
            let mut asked = self.asked();
            let room = DNS_ASKS_MAX.saturating_sub(asked.len());
            asked.extend(held.asks.drain(..).take(room));
        }
    }

    /// Reads files that were changed. One that cannot be read leaves what was read before; gives what a person should
    /// know.
    pub fn refresh(&self, fs: &dyn Fs) -> Vec<String> {
        let mut said = Vec::new();
        for (number, source) in self.sources.iter().enumerate() {
            let Source::File { path, read } = source else { continue };
            // A file that is being replaced may be away for a moment.
            let Ok(mark) = mark(fs, path) else { continue };
            if mark == self.now().marks[number] {
                continue;
            }
            // Noted even where it cannot be read, so that it is said once.
            self.now().marks[number] = mark;
            let shown = path.display();
            match bytes(fs, path).and_then(|bytes| read(&bytes).map_err(|error| format!("{shown}: {error}")))
            {
                Ok(fresh) => {
                    Arc::make_mut(&mut self.now().state)[number] = fresh;
                    said.push(format!("{shown} was changed and is read anew"));
                }
                Err(error) => said.push(format!("{error}; what was read before is still used")),
            }
        }
        said
    }

    /// Those who ask servers for names, each with the number of its declaration.
    pub fn resolvers(&self) -> Vec<(usize, Resolver)> {
        let servers = self.sources.iter().enumerate().filter_map(|(number, source)| match source {
            Source::Names { server } => Some((number, (*server)?)),
            Source::File { .. } => None,
        });
        servers.filter_map(|(number, server)| Some((number, Resolver::open(server).ok()?))).collect()
    }

    /// Asks for names and takes answers in; waits for answers at most so long for each resolver.
    pub fn resolve(&self, resolvers: &mut [(usize, Resolver)], now: Duration, wait: Duration) {
        let asked = std::mem::take(&mut *self.asked());
        for (number, resolver) in resolvers {
            let mine = asked.iter().filter(|(of, _)| of == number).map(|(_, address)| *address);
            if let Some(names) = resolver.step(mine, now, wait) {
                Arc::make_mut(&mut self.now().state)[*number] = Arc::new(names);
            }
        }
    }
}

fn mark(fs: &dyn Fs, path: &Path) -> Result<Mark, String> {
    let stat = fs.stat(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok((stat.size, stat.modified_ns, stat.id.inode))
}

fn bytes(fs: &dyn Fs, path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let size = fs.stat(path).map_err(wrong)?.size;
    if size > ENRICH_FILE_BYTES_MAX {
        let shown = path.display();
        return Err(format!("{shown} has {size} bytes, at most {ENRICH_FILE_BYTES_MAX} are read"));
    }
    let file = fs.open(path).map_err(wrong)?;
    let mut bytes = vec![0; size as usize];
    let mut at = 0;
    while at < bytes.len() {
        match file.read_at(at as u64, &mut bytes[at..]).map_err(wrong)? {
            0 => break,
            len => at += len,
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}
