//! One budget for what waits in queues, given out in bytes by pools; a full pool is the back-pressure.

use std::collections::BTreeSet;
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
        self.wait_within(bytes, patience, |_| false)
    }

    /// Says that items of a batch will come, which may overdraw the pool while no older batch has begun: a sink that
    /// keeps order holds what is newer until it has them, so making them wait would stop everything.
    pub fn begin(&self, batch: u64) {
        self.lock().begun.insert(batch);
    }

    /// The same as [`Pool::acquire_within`] for an item of a batch that has begun.
    pub fn acquire_for(&self, batch: u64, bytes: usize, patience: Duration) -> bool {
        self.wait_within(bytes, patience, |state| state.begun.first().is_none_or(|oldest| *oldest >= batch))
    }

    fn fits(&self, state: &State, bytes: usize) -> bool {
        state.held == 0 || state.held + bytes <= self.limit
    }

    fn wait_within(&self, bytes: usize, patience: Duration, may_overdraw: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !self.fits(&state, bytes) && !may_overdraw(&state) {
            let seen = state.releases;
            let waited = self.freed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.releases == seen && !self.fits(&state, bytes) {
                return false;
            }
        }
        state.held += bytes;
        true
    }

    /// The same without waiting: false where the item must wait.
    pub fn try_acquire_for(&self, batch: u64, bytes: usize) -> bool {
        let mut state = self.lock();
        let oldest = state.begun.first().is_none_or(|oldest| *oldest >= batch);
        let fits = oldest || state.held == 0 || state.held + bytes <= self.limit;
        if fits {
            state.held += bytes;
        }
        fits
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
            state.held = state.held.saturating_sub(bytes);
            state.releases += 1;
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
        std::thread::scope(|scope| {
            let newer = scope.spawn(|| pool.acquire_for(6, 3, patience));
            pool.end(5);
            assert!(newer.join().expect("no panic"));
        });
        assert_eq!(pool.held(), 20);
    }
}
