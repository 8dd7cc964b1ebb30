//! One budget for what waits in queues, given out in bytes by pools; a full pool is the back-pressure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A part of the budget. An item over the limit enters only when the pool is empty.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    held: usize,
    /// Times that something was given back.
    releases: u64,
    /// Batches whose items are on their way in.
    begun: BTreeSet<u64>,
    /// Bytes held for batches of a sink that keeps order, which gives them back in order.
    ordered: BTreeMap<u64, usize>,
}

impl State {
    /// Whether an item may pass the limit: no older batch is on its way, and all that is held is of newer ones, which
    /// the sink keeps until it has this one. While it holds anything older it can give back that.
    fn may_overdraw(&self, batch: u64) -> bool {
        self.begun.first().is_none_or(|oldest| *oldest >= batch)
            && self.ordered.first_key_value().is_some_and(|(held, _)| *held > batch)
            && self.ordered.values().sum::<usize>() == self.held
    }

    fn take(&mut self, batch: Option<u64>, bytes: usize) {
        self.held += bytes;
        if let Some(batch) = batch {
            *self.ordered.entry(batch).or_default() += bytes;
        }
    }

    fn give_back(&mut self, mut bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
        self.releases += 1;
        while let Some(mut first) = self.ordered.first_entry() {
            let part = bytes.min(*first.get());
            bytes -= part;
            *first.get_mut() -= part;
            if *first.get() > 0 {
                break;
            }
            first.remove();
        }
    }
}

impl Pool {
    /// A pool of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits until `bytes` fit, then takes them.
    pub fn acquire(&self, bytes: usize) {
        let mut state = self.lock();
        while !self.fits(&state, bytes) {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.held += bytes;
    }

    /// The same, but gives up when for `patience` nothing at all was given back.
    pub fn acquire_within(&self, bytes: usize, patience: Duration) -> bool {
        self.wait_within(None, bytes, patience)
    }

    /// Says that items of a batch will come, which may overdraw the pool where all that is held is of newer batches: a
    /// sink that keeps order holds what is newer until it has them, so making them wait would stop everything.
    pub fn begin(&self, batch: u64) {
        self.lock().begun.insert(batch);
    }

    /// The same as [`Pool::acquire_within`] for an item of a batch that has begun.
    pub fn acquire_for(&self, batch: u64, bytes: usize, patience: Duration) -> bool {
        self.wait_within(Some(batch), bytes, patience)
    }

    fn fits(&self, state: &State, bytes: usize) -> bool {
        state.held == 0 || state.held + bytes <= self.limit
    }

    fn enters(&self, state: &State, batch: Option<u64>, bytes: usize) -> bool {
        self.fits(state, bytes) || batch.is_some_and(|batch| state.may_overdraw(batch))
    }

    fn wait_within(&self, batch: Option<u64>, bytes: usize, patience: Duration) -> bool {
        let mut state = self.lock();
        while !self.enters(&state, batch, bytes) {
            let seen = state.releases;
            let waited = self.freed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.releases == seen && !self.enters(&state, batch, bytes) {
                return false;
            }
        }
        state.take(batch, bytes);
        true
    }

    /// The same without waiting: false where the item must wait.
    pub fn try_acquire_for(&self, batch: u64, bytes: usize) -> bool {
        let mut state = self.lock();
        let enters = self.enters(&state, Some(batch), bytes);
        if enters {
            state.take(Some(batch), bytes);
        }
        enters
    }

    /// Whether an item could enter now; `batch` for one of a batch that has begun.
    pub fn has_room(&self, batch: Option<u64>, bytes: usize) -> bool {
        self.enters(&self.lock(), batch, bytes)
    }

    /// Takes `bytes` whether they fit or not.
    pub fn force(&self, bytes: usize) {
        self.lock().held += bytes;
    }

    /// All items of a batch are in.
    pub fn end(&self, batch: u64) {
        self.lock().begun.remove(&batch);
        self.freed.notify_all();
    }

    /// Takes `bytes` if they fit now.
    pub fn try_acquire(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        let fits = self.fits(&state, bytes);
        if fits {
            state.held += bytes;
        }
        fits
    }

    /// Gives bytes back.
    pub fn release(&self, bytes: usize) {
        if bytes > 0 {
            let mut state = self.lock();
            state.give_back(bytes);
            self.freed.notify_all();
        }
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.lock().held
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_item_enters_an_empty_pool_only() {
        let pool = Pool::new(10);
        assert!(pool.try_acquire(4));
        assert!(pool.try_acquire(6));
        assert!(!pool.try_acquire(1));
        pool.release(10);
        assert!(pool.try_acquire(100));
        assert!(!pool.try_acquire(1));
        pool.release(100);
        assert_eq!(pool.held(), 0);
    }

    #[test]
    fn a_waiter_is_let_in_when_bytes_come_back() {
        let pool = Pool::new(10);
        pool.acquire(10);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.acquire(5));
            pool.release(10);
            waiter.join().expect("no panic");
        });
        assert_eq!(pool.held(), 5);
    }

    #[test]
    fn who_waits_for_nothing_gives_up() {
        let pool = Pool::new(10);
        pool.acquire(10);
        assert!(!pool.acquire_within(1, Duration::from_millis(1)));
        pool.release(10);
        assert!(pool.acquire_within(1, Duration::from_millis(1)));
    }

    /// A sink that keeps order holds newer batches until it has the oldest, which must therefore never wait.
    #[test]
    fn the_oldest_batch_enters_a_full_pool() {
        let pool = Pool::new(10);
        pool.begin(5);
        pool.begin(6);
        let patience = Duration::from_secs(60);
        assert!(pool.acquire_for(6, 10, patience));
        assert!(pool.acquire_for(5, 7, patience));
        assert_eq!(pool.held(), 17);
    }

    /// A slow sink that keeps order is waited for like any other: what it holds of older batches it can give back.
    #[test]
    fn no_batch_enters_a_pool_that_older_ones_fill() {
        let pool = Pool::new(10);
        let patience = Duration::from_secs(60);
        for batch in [5, 6] {
            pool.begin(batch);
            assert!(pool.acquire_for(batch, 5, patience));
            pool.end(batch);
        }
        pool.begin(7);
        assert!(!pool.try_acquire_for(7, 1));
        std::thread::scope(|scope| {
            let newer = scope.spawn(|| pool.acquire_for(7, 3, patience));
            pool.release(5);
            assert!(newer.join().expect("no panic"));
        });
        assert_eq!(pool.held(), 8);
    }
}
