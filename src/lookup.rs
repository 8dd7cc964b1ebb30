//! What enrichers and detectors look things up in: files that may change, and names of hosts. Read and asked for at the
//! rim only; a worker takes the state of the moment at the start of a batch, so that a batch sees one.

mod dns;
mod files;

use std::any::Any;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use dns::{Names, Resolver};
use files::{Files, Seen};

use crate::limits::{DNS_ASKS_MAX, ENRICH_FILE_BYTES_MAX};
use crate::seam::{File, Fs};

/// Something that was read, of a type that its user knows.
pub type Read = Arc<dyn Any + Send + Sync>;

/// Makes it of the bytes of a file.
type WholeFn = Box<dyn Fn(&[u8]) -> Result<Read, String> + Send + Sync>;

/// Makes it of a file that is read from its start, and says what a person should know of it.
pub type ReadFn = Box<dyn Fn(&mut Reading) -> Result<(Read, Option<String>), String> + Send + Sync>;

/// All of it at one moment: of each declaration what was read, of a pattern of each of its files.
type State = Arc<Vec<Vec<Read>>>;

/// What one user declared.
enum Source {
    Files(Files),
    Names { server: Option<SocketAddr> },
}

/// Everything that the fields of a plan are looked up in.
#[derive(Default)]
pub struct Data {
    sources: Vec<Source>,
    now: Mutex<State>,
    /// Of each declaration what was read of its files.
    seen: Mutex<Vec<Seen>>,
    /// Addresses whose names somebody asked for, with the number of the declaration.
    asked: Mutex<Vec<(usize, IpAddr)>>,
    /// What a person should know of the files that were read at the start.
    said: Mutex<Vec<String>>,
}

/// A state, as one worker holds it for a batch, and what it could not answer.
#[derive(Debug, Default)]
pub struct Held {
    state: State,
    asks: Vec<(usize, IpAddr)>,
}

impl Held {
    /// What was declared under a number, where it is one thing.
    pub fn get<T: Any>(&self, number: usize) -> Option<&T> {
        self.all(number).next()
    }

    /// What was declared under a number: of each file that a pattern stands for, in the order of their names.
    pub fn all<T: Any>(&self, number: usize) -> impl Iterator<Item = &T> {
        self.state.get(number).into_iter().flatten().filter_map(|read| read.downcast_ref())
    }

    /// Asks for the name of an address, for events that come later.
    pub fn ask(&mut self, number: usize, address: IpAddr) {
        let ask = (number, address);
        if self.asks.len() < DNS_ASKS_MAX && self.asks.last() != Some(&ask) {
            self.asks.push(ask);
        }
    }
}

impl Data {
    fn now(&self) -> MutexGuard<'_, State> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, Vec<(usize, IpAddr)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&mut self, source: Source, read: Vec<Read>, seen: Seen) -> usize {
        Arc::make_mut(self.now.get_mut().unwrap_or_else(PoisonError::into_inner)).push(read);
        self.seen.get_mut().unwrap_or_else(PoisonError::into_inner).push(seen);
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Declares a file that is read whole, and reads it; gives its number.
    pub fn file(&mut self, fs: &dyn Fs, path: &str, read: WholeFn) -> Result<usize, String> {
        let whole = move |reading: &mut Reading| Ok((read(&reading.whole()?)?, None));
        self.files(fs, path, 1, ENRICH_FILE_BYTES_MAX, Box::new(whole))
    }

    /// Declares a file, or with `files_max` above one those that a pattern of names stands for, of at most so many bytes
    /// each, and reads them; gives their number.
    pub fn files(
        &mut self,
        fs: &dyn Fs,
        path: &str,
        files_max: usize,
        bytes_max: u64,
        read: ReadFn,
    ) -> Result<usize, String> {
        let files = Files::new(fs, path, files_max, bytes_max, read);
        let (seen, said) = files.first(fs)?;
        self.said.get_mut().unwrap_or_else(PoisonError::into_inner).extend(said);
        Ok(self.add(Source::Files(files), seen.state(), seen))
    }

    /// What a person should know of the files that were read at the start; told once.
    pub fn said(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Declares names that a server is asked for; without one nothing is ever known.
    pub fn names(&mut self, server: Option<SocketAddr>) -> usize {
        self.add(Source::Names { server }, vec![Arc::new(Names::default())], Seen::default())
    }

    /// Whether there is anything in it.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Gives a worker the state of the moment, for a batch.
    pub fn meet(&self, held: &mut Held) {
        if !self.sources.is_empty() {
            held.state = self.now().clone();
        }
    }

    /// Takes the state back, so that nobody who has nothing to do holds what was replaced, and what it could not answer.
    pub fn part(&self, held: &mut Held) {
        if self.sources.is_empty() {
            return;
        }
        held.state = State::default();
        if !held.asks.is_empty() {
            let mut asked = self.asked();
            let room = DNS_ASKS_MAX.saturating_sub(asked.len());
            asked.extend(held.asks.drain(..).take(room));
        }
    }

    /// Reads files that came or were changed, and drops those of a pattern that are gone. One that cannot be read leaves
    /// what was read before; gives what a person should know.
    pub fn refresh(&self, fs: &dyn Fs) -> Vec<String> {
        let mut said = Vec::new();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, (source, seen)) in self.sources.iter().zip(seen.iter_mut()).enumerate() {
            if let Source::Files(files) = source {
                files.look(fs, seen, &mut said, |read| self.put(number, read));
            }
        }
        said
    }

    fn put(&self, number: usize, read: Vec<Read>) {
        if let Some(held) = Arc::make_mut(&mut *self.now()).get_mut(number) {
            *held = read;
        }
    }

    /// Those who ask servers for names, each with the number of its declaration.
    pub fn resolvers(&self) -> Vec<(usize, Resolver)> {
        let servers = self.sources.iter().enumerate().filter_map(|(number, source)| match source {
            Source::Names { server } => Some((number, (*server)?)),
            Source::Files(_) => None,
        });
        servers.filter_map(|(number, server)| Some((number, Resolver::open(server).ok()?))).collect()
    }

    /// Asks for names and takes answers in; waits for answers at most so long for each resolver.
    pub fn resolve(&self, resolvers: &mut [(usize, Resolver)], now: Duration, wait: Duration) {
        let asked = std::mem::take(&mut *self.asked());
        for (number, resolver) in resolvers {
            let mine = asked.iter().filter(|(of, _)| of == number).map(|(_, address)| *address);
            if let Some(names) = resolver.step(mine, now, wait) {
                self.put(*number, vec![Arc::new(names)]);
            }
        }
    }
}

/// A file that is being read from its start.
pub struct Reading {
    name: Box<str>,
    file: Box<dyn File>,
    at: u64,
    size: u64,
}

impl Reading {
    /// Its name without the ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it.
    pub fn whole(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; self.size as usize];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match io::Read::read(self, rest).map_err(|error| format!("cannot be read: {error}"))? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

impl io::Read for Reading {
    /// Gives no more than the size that was looked at, so that a file that grows meanwhile keeps its bound.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.size - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let len = self.file.read_at(self.at, buffer.get_mut(..room).unwrap_or_default())?;
        self.at += len.min(room) as u64;
        Ok(len.min(room))
    }
}

fn load(fs: &dyn Fs, path: &Path, bytes_max: u64, read: &ReadFn) -> Result<(Read, Option<String>), String> {
    let shown = path.display();
    let wrong = |error: io::Error| format!("cannot read {shown}: {error}");
    let file = fs.open(path).map_err(wrong)?;
    let size = file.stat().map_err(wrong)?.size;
    if size > bytes_max {
        return Err(format!("{shown} has {size} bytes, at most {bytes_max} are read"));
    }
    let name = path.file_stem().map_or_else(|| path.to_string_lossy(), |stem| stem.to_string_lossy()).into();
    read(&mut Reading { name, file, at: 0, size }).map_err(|error| format!("{shown}: {error}"))
}
