//! Counted work: how many bytes and entries parsers look at. Only builds with debug assertions count, which is what tests
//! run: there a worst case shows as a number, whatever the machine does beside it.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts work of this thread; nothing in a release build.
#[inline]
pub(crate) fn count(steps: usize) {
    if cfg!(debug_assertions) {
        STEPS.set(STEPS.get() + steps as u64);
    }
}

/// What this thread counted since it was asked last: 0 in a release build.
pub fn take() -> u64 {
    STEPS.take()
}
