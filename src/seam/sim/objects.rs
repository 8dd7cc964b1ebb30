//! An object store in memory that answers late, refuses, loses answers, and does things after it was given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::super::{Answer, Ask, Objects, Refusal};
use super::Dice;
use crate::limits::OBJECT_PART_BYTES;

/// An upload that is neither completed nor aborted.
#[derive(Debug)]
struct Upload {
    key: String,
    /// Bytes and tag by number.
    parts: BTreeMap<u32, (Bytes, String)>,
}

#[derive(Debug)]
struct Store {
    dice: Dice,
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, Upload>,
    /// Uploads that became objects.
    completed: BTreeSet<String>,
    numbers: u64,
    asks: u64,
    /// So many asks are done; all later ones are lost, as if the machine of who asks were dead.
    asks_left: Option<u64>,
    /// Whether the ask in which it dies is done nevertheless.
    last_is_done: bool,
    /// One in so many asks is refused or its answer lost; 0 for none.
    faults: u64,
    /// Asks that a dead process had sent, to be done later.
    late: Vec<Ask>,
}

/// A store in memory; clones share it.
#[derive(Clone, Debug)]
pub struct SimStore(Arc<Mutex<Store>>);

impl SimStore {
    /// An empty store whose faults are those of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Store {
            dice: Dice::new(seed),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            completed: BTreeSet::new(),
            numbers: 0,
            asks: 0,
            asks_left: None,
            last_is_done: false,
            faults: 0,
            late: Vec::new(),
        })))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection.
    pub fn connect(&self, wake: Arc<dyn Fn() + Send + Sync>) -> Box<dyn Objects> {
        Box::new(Connection { store: self.clone(), answers: VecDeque::new(), wake })
    }

    /// Asks until now.
    pub fn asks(&self) -> u64 {
        self.store().asks
    }

    /// Nothing gets through after so many further asks; the last may be `done`, without an answer.
    pub fn dies_after(&self, asks: u64, done: bool) {
        let mut store = self.store();
        (store.asks_left, store.last_is_done) = (Some(asks), done);
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.store().asks_left == Some(0)
    }

    /// It is reached again.
    pub fn lives(&self) {
        self.store().asks_left = None;
    }

    /// One in so many asks is refused, or done without an answer; 0 for none.
    pub fn faults(&self, one_in: u64) {
        self.store().faults = one_in;
    }

    /// Does an ask now, as if a process that is no more had sent it.
    pub fn late(&self, ask: Ask) -> Result<Answer, Refusal> {
        self.store().perform(ask)
    }

    /// Asks that were lost when it died and were not done: a network may deliver them later.
    pub fn lost(&self) -> Vec<Ask> {
        std::mem::take(&mut self.store().late)
    }

    /// What readers see, by key.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.store().objects.clone()
    }

    /// Removes an object, as its owner may.
    pub fn remove(&self, key: &str) {
        self.store().objects.remove(key);
    }

    /// Uploads that are neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        self.store().uploads.len()
    }

    /// Forgets all uploads, as a bucket's rule does with old ones.
    pub fn forget_uploads(&self) {
        self.store().uploads.clear();
    }
}

impl Store {
    fn number(&mut self) -> String {
        self.numbers += 1;
        format!("{:08}", self.numbers)
    }

    /// What becomes of an ask, and its answer; no answer where it is lost.
    fn ask(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        let later = |why: &str| Err(Refusal::Later { why: why.to_owned(), after: None });
        self.asks += 1;
        match &mut self.asks_left {
            Some(0) => return later("the network is gone"),
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    if self.last_is_done {
                        let _ = self.perform(ask);
                    } else {
                        self.late.push(ask);
                    }
                    return later("the network is gone");
                }
            }
            None => {}
        }
        if self.faults > 0 && self.dice.one_in(self.faults) {
            if self.dice.one_in(2) {
                return later("SlowDown: please reduce your request rate");
            }
            // Done, and nobody knows.
            let _ = self.perform(ask);
            return later("operation timed out");
        }
        self.perform(ask)
    }

    fn perform(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        match ask {
            Ask::Begin { key } => {
                let id = self.number();
                self.uploads.insert(id.clone(), Upload { key, parts: BTreeMap::new() });
                Ok(Answer::Upload(id))
            }
            Ask::Part { key, upload, number, bytes } => {
                // A tag says nothing of the bytes, as where they are stored encrypted.
                let tag = self.number();
                let upload = self.uploads.get_mut(&upload).filter(|upload| upload.key == key);
                upload.ok_or(Refusal::Missing)?.parts.insert(number, (bytes, tag.clone()));
                Ok(Answer::Part(tag))
            }
            // Some stores know what they did, some do not, and S3 for a while.
            Ask::Complete { upload, .. } if self.completed.contains(&upload) => {
                if self.dice.one_in(2) {
                    Ok(Answer::Done)
                } else {
                    Err(Refusal::Missing)
                }
            }
            Ask::Complete { key, upload, parts } => {
                let found = self.uploads.get(&upload).filter(|upload| upload.key == key);
                let object = assemble(&found.ok_or(Refusal::Missing)?.parts, &parts)?;
                self.uploads.remove(&upload);
                self.completed.insert(upload);
                self.objects.insert(key, object);
                Ok(Answer::Done)
            }
            Ask::Abort { upload, .. } => {
                self.uploads.remove(&upload).map(|_| Answer::Done).ok_or(Refusal::Missing)
            }
            Ask::Put { key, create: true, .. } if self.objects.contains_key(&key) => Err(Refusal::Exists),
            Ask::Put { key, bytes, .. } => {
                self.objects.insert(key, bytes);
                Ok(Answer::Done)
            }
            Ask::Get { key } => self.objects.get(&key).cloned().map(Answer::Object).ok_or(Refusal::Missing),
            Ask::Size { key } => {
                let size = self.objects.get(&key).map(|bytes| Answer::Size(bytes.len() as u64));
                size.ok_or(Refusal::Missing)
            }
            Ask::List { folder } => {
                let below = |key: &&String| {
                    key.strip_prefix(folder.as_str())
                        .and_then(|rest| rest.strip_prefix('/'))
                        .is_some_and(|rest| !rest.contains('/'))
                };
                Ok(Answer::Keys(self.objects.keys().filter(below).cloned().collect()))
            }
            Ask::Uploads { prefix } => {
                let found = self.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix));
                Ok(Answer::Uploads(found.map(|(id, upload)| (upload.key.clone(), id.clone())).collect()))
            }
            Ask::Remove { key } => {
                self.objects.remove(&key);
                Ok(Answer::Done)
            }
        }
    }
}

fn assemble(parts: &BTreeMap<u32, (Bytes, String)>, tags: &[String]) -> Result<Bytes, Refusal> {
    let mut object = Vec::new();
    for (number, tag) in tags.iter().enumerate() {
        let part = parts.get(&(number as u32)).filter(|(_, known)| known == tag);
        let (bytes, _) =
            part.ok_or_else(|| Refusal::Unfit("InvalidPart: not the part of this tag".into()))?;
        if number + 1 < tags.len() && bytes.len() < OBJECT_PART_BYTES {
            return Err(Refusal::Unfit("EntityTooSmall: only the last part may be small".into()));
        }
        object.extend_from_slice(bytes);
    }
    Ok(object.into())
}

struct Connection {
    store: SimStore,
    answers: VecDeque<(u64, Result<Answer, Refusal>)>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Objects for Connection {
    fn start(&mut self, ticket: u64, ask: Ask) {
        let mut store = self.store.store();
        let answer = store.ask(ask);
        // In any order.
        if store.dice.one_in(4) {
            self.answers.push_front((ticket, answer));
        } else {
            self.answers.push_back((ticket, answer));
        }
        drop(store);
        (self.wake)();
    }

    fn poll(&mut self) -> Option<(u64, Result<Answer, Refusal>)> {
        self.answers.pop_front()
    }

    fn wait(&mut self, _: Duration) {}
}
