//! Where the settler asks the readers' threads for original bytes, and they answer.
//!
//! Neither ever waits for the other here: a reader that is blocked by what follows it answers later, and the settler
//! takes what has come. The bound on what is asked for is [`Letters`](super::letters::Letters)'.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::letters::Ask;
use super::settler::Settler;
use super::wake::Wake;
use crate::source::Source;

/// Questions and answers.
#[derive(Default)]
pub(super) struct Originals {
    state: Mutex<State>,
    answered: Condvar,
    /// Letters wait for room: nothing more should be read.
    pressed: AtomicBool,
    /// The settler asks no more.
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    asked: HashMap<usize, Vec<Ask>>,
    answers: Vec<(u64, Option<Vec<u8>>)>,
    /// Sources whose thread has ended.
    closed: BTreeSet<usize>,
}

impl Originals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settler's side: takes answers, and asks.
    pub(super) fn exchange(&self, settler: &mut Settler, wakes: &[std::sync::Arc<Wake>]) {
        if !settler.letters().is_waiting() && !self.is_pressed() {
            return;
        }
        let mut state = self.lock();
        for (number, bytes) in state.answers.drain(..) {
            settler.letters().answer(number, bytes);
        }
        for ask in settler.letters().asks() {
            if state.closed.contains(&ask.source) {
                settler.letters().answer(ask.number, None);
                continue;
            }
            let asked = state.asked.entry(ask.source).or_default();
            if asked.is_empty()
                && let Some(wake) = wakes.get(ask.source)
            {
                wake.ring();
            }
            asked.push(ask);
        }
        self.pressed.store(settler.letters().is_pressed(), Ordering::Relaxed);
    }

    /// The settler's side, when nothing else can come: waits a little for answers.
    pub(super) fn rest(&self, wait: Duration) {
        let state = self.lock();
        if state.answers.is_empty() {
            drop(self.answered.wait_timeout(state, wait));
        }
    }

    /// The settler asks no more.
    pub(super) fn end(&self, wakes: &[std::sync::Arc<Wake>]) {
        self.over.store(true, Ordering::Release);
        wakes.iter().for_each(|wake| wake.ring());
    }

    /// Whether nothing more should be read for now.
    pub(super) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    /// A reader's side: answers what its source was asked.
    pub(super) fn serve(&self, index: usize, source: &mut dyn Source) {
        let asks = self.lock().asked.remove(&index).unwrap_or_default();
        if asks.is_empty() {
            return;
        }
        let answer = |ask: Ask| (ask.number, source.original(&ask.stream, ask.range));
        let answers: Vec<_> = asks.into_iter().map(answer).collect();
        self.lock().answers.extend(answers);
        self.answered.notify_all();
    }

    /// Whether the settler asks no more.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// A reader's thread ends: whatever it is asked, it does not know.
    pub(super) fn close(&self, index: usize) {
        let state = &mut *self.lock();
        state.closed.insert(index);
        let asks = state.asked.remove(&index).unwrap_or_default();
        state.answers.extend(asks.into_iter().map(|ask| (ask.number, None)));
        self.answered.notify_all();
    }
}

/// Ends the questions when it is dropped, so that no reader waits for a settler that is gone.
pub(super) struct Asking<'a>(pub(super) &'a Originals, pub(super) &'a [std::sync::Arc<Wake>]);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

/// Closes a source when it is dropped, so that the settler does not wait for a reader that is gone.
pub(super) struct Answering<'a>(pub(super) &'a Originals, pub(super) usize);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.close(self.1);
    }
}
