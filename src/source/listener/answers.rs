//! Answers that wait until what they stand for is on the disk.

use std::collections::VecDeque;

use super::{Answer, Listener, Weight};
use crate::source::spooled::Receipt;

/// Answers in the order of their receipts.
#[derive(Debug, Default)]
pub(in crate::source) struct Answers {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    receipt: Receipt,
    ticket: u64,
    answer: Answer,
    /// Held until then, so that what is not durable weighs on the listener.
    _weight: Weight,
}

impl Answers {
    /// An answer that is due when everything up to the receipt is durable.
    pub(in crate::source) fn wait(&mut self, receipt: Receipt, ticket: u64, answer: Answer, weight: Weight) {
        self.waiting.push_back(Waiting { receipt, ticket, answer, _weight: weight });
    }

    /// Gives the answers that are due.
    pub(in crate::source) fn durable(&mut self, receipt: Receipt, listener: &mut dyn Listener) {
        while let Some(first) = self.waiting.pop_front_if(|first| first.receipt <= receipt) {
            listener.answer(first.ticket, first.answer);
        }
    }
}
