//! The sink: bodies in, epochs of files out.
//!
//! An epoch is all rows from one commit to the next, over all partitions. It fills ([`Epoch`]), then its files are
//! published together, on the disk ([`folder`](super::folder)) or in an object store ([`bucket`](super::bucket)),
//! and then its batches are settled. Meanwhile the next one fills, and waits when it is full before its time.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::epoch::{Epoch, Fault};
use super::part::Names;
use super::settings::Settings;
use crate::limits::PARQUET_RETRY;
use crate::seam::Fs;
use crate::sink::{Body, Next, Payload, Settled, Sink};

/// Where epochs are published.
pub(super) trait Home: Send {
    /// Whether the files of an epoch must be durable on the disk before it is published.
    fn durably(&self) -> bool;
    /// The number of the first epoch.
    fn first_epoch(&self) -> u64;
    /// Names for a file of an epoch.
    fn names(&self, epoch: u64, file: u64, partition: &str) -> Names;
    /// Does what can be done while an epoch fills: sends bytes ahead, tidies up. Says when it wants to again.
    fn fill(&mut self, epoch: &Epoch, now: Duration) -> Result<Next, Fault>;
    /// Goes on with publishing an epoch whose files are all closed: `None` once it is published, durably, else when
    /// it wants to be called again. Each step can be done again after an error.
    fn publish(&mut self, epoch: &Epoch, now: Duration) -> Result<Option<Next>, Fault>;
    /// The epoch that was published last is settled: tidies up after it.
    fn settled(&mut self) -> io::Result<()>;
    /// For people: what it waits for.
    fn trouble(&self) -> Option<String> {
        None
    }
    /// For people: where it is.
    fn place(&self) -> String;
}

pub(super) struct Archive {
    home: Box<dyn Home>,
    waiting: VecDeque<Body>,
    /// The one that fills.
    epoch: Epoch,
    /// It takes no more rows.
    full: bool,
    /// The one before it, whose files are all closed.
    published: Option<Epoch>,
    released: usize,
    trouble: Option<String>,
    retry_at: Duration,
    broken: bool,
    closed: bool,
}

impl Archive {
    pub(super) fn new(home: Box<dyn Home>, fs: Arc<dyn Fs>, settings: Settings) -> Self {
        Self {
            epoch: Epoch::new(fs, settings, home.durably(), home.first_epoch()),
            home,
            waiting: VecDeque::new(),
            full: false,
            published: None,
            released: 0,
            trouble: None,
            retry_at: Duration::ZERO,
            broken: false,
            closed: false,
        }
    }

    fn work(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Result<Next, Fault> {
        loop {
            self.epoch.drain()?;
            let next = self.publish(now, settled)?;
            if self.full && self.published.is_none() {
                self.epoch.shut_all()?;
                let following = self.epoch.following();
                self.published = Some(std::mem::replace(&mut self.epoch, following));
                self.full = false;
                continue;
            }
            if !self.full && self.take(now, settled)? {
                continue;
            }
            let next = sooner(next, self.home.fill(&self.epoch, now)?);
            if self.epoch.batches.is_empty() {
                return Ok(if self.closed && self.published.is_none() { Next::Done } else { next });
            }
            let due = self.epoch.due();
            self.full |= self.closed || now >= due;
            if !self.full {
                return Ok(sooner(next, Next::At(due)));
            }
            if self.published.is_some() {
                return Ok(next);
            }
        }
    }

    /// Goes on with the epoch that is published, if there is one.
    fn publish(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Result<Next, Fault> {
        let Some(epoch) = &self.published else { return Ok(Next::Idle) };
        if let Some(next) = self.home.publish(epoch, now)? {
            return Ok(next);
        }
        // Bodies gave their memory back when they were taken.
        let batches = self.published.take().into_iter().flat_map(|epoch| epoch.batches);
        settled.extend(batches.map(|(provenance, rows)| Settled {
            provenance,
            delivered: rows,
            repeated: 0,
            rejected: Vec::new(),
            bytes: 0,
        }));
        self.home.settled()?;
        Ok(Next::Idle)
    }

    /// Takes the next body, if there is one, and sees whether the epoch is full.
    fn take(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Result<bool, Fault> {
        let Some(body) = self.waiting.pop_front() else { return Ok(false) };
        if let Err(fault) = self.put(&body, now) {
            self.waiting.push_front(body);
            return Err(fault);
        }
        self.epoch.columns_taken = 0;
        if self.epoch.batches.is_empty() && body.rows == 0 {
            settled.push(Settled::whole(body));
            return Ok(true);
        }
        self.released += body.bytes;
        self.epoch.took(body.provenance, body.rows, now);
        self.full = self.epoch.is_full(now);
        Ok(true)
    }

    fn put(&mut self, body: &Body, now: Duration) -> Result<(), Fault> {
        let Payload::Columns(columns) = &body.payload else { return Ok(()) };
        for columns in columns.iter().skip(self.epoch.columns_taken) {
            let home = &self.home;
            self.epoch.put(columns, now, |epoch, file| home.names(epoch, file, &columns.partition))?;
            self.epoch.columns_taken += 1;
        }
        Ok(())
    }
}

/// The one of two that comes first.
fn sooner(a: Next, b: Next) -> Next {
    match (a, b) {
        (Next::At(a), Next::At(b)) => Next::At(a.min(b)),
        (Next::Again, _) | (_, Next::Again) => Next::Again,
        (Next::At(at), _) | (_, Next::At(at)) => Next::At(at),
        (a, _) => a,
    }
}

impl Sink for Archive {
    fn offer(&mut self, body: Body, _: Duration) {
        self.waiting.push_back(body);
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        if self.broken {
            return Next::At(now + PARQUET_RETRY);
        }
        if self.trouble.is_some() && now < self.retry_at {
            return Next::At(self.retry_at);
        }
        match self.work(now, settled) {
            Ok(next) => {
                self.trouble = None;
                next
            }
            Err(fault) => {
                let place = self.home.place();
                self.trouble = Some(match fault {
                    Fault::Disk(error) => format!("{place}: {error}; rows wait"),
                    Fault::Writer(why) => {
                        self.broken = true;
                        format!("{place}: {why}; nothing is settled until a restart")
                    }
                });
                self.retry_at = now + PARQUET_RETRY;
                Next::At(self.retry_at)
            }
        }
    }

    fn released(&mut self) -> usize {
        std::mem::take(&mut self.released)
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone().or_else(|| self.home.trouble())
    }
}
