//! One budget for what waits in queues, given out in bytes by pools; a full pool is the back-pressure.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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
    closed: bool,
}

impl Pool {
    /// A pool of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits until `bytes` fit, then takes them. False when the pool was closed meanwhile: the bytes are taken
    /// all the same, since what is in flight at the end must still go through.
    pub fn acquire(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        while !state.closed && state.held > 0 && state.held + bytes > self.limit {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.held += bytes;
        !state.closed
    }

    /// Takes `bytes` if they fit now.
    pub fn try_acquire(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        let fits = state.held == 0 || state.held + bytes <= self.limit;
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
            self.freed.notify_all();
        }
    }

    /// Lets everyone in from now on: the process ends and what is in flight goes through.
    pub fn close(&self) {
        self.lock().closed = true;
        self.freed.notify_all();
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
        assert!(pool.acquire(10));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.acquire(5));
            pool.release(10);
            assert!(waiter.join().expect("no panic"));
        });
        assert_eq!(pool.held(), 5);
    }
}
