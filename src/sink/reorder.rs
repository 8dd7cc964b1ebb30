//! The reorder window of an ordered sink: bodies come from several workers, and leave in the order of their
//! batches.
//!
//! In: one body per batch, in any order. Out: the same bodies, ascending without a hole. Its memory is the
//! budget's: the runner offers no more than the budget for bodies holds.

use std::collections::VecDeque;

use super::Body;

/// Bodies that wait for an earlier one.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    next: u64,
    waiting: VecDeque<Option<Body>>,
}

impl Reorder {
    /// The batch that comes first.
    pub(super) fn begin(&mut self, first_batch: u64) {
        self.next = first_batch;
    }

    /// Takes a body. One from before the window (a runner's slip) goes first, rather than being lost.
    pub(super) fn push(&mut self, body: Body) {
        let Some(at) = body.provenance.batch.checked_sub(self.next) else {
            self.next = body.provenance.batch;
            self.waiting.push_front(Some(body));
            return;
        };
        let at = at as usize;
        if self.waiting.len() <= at {
            self.waiting.resize_with(at + 1, || None);
        }
        self.waiting[at] = Some(body);
    }

    /// The next body in order, if it is there. What was withheld is passed over.
    pub(super) fn pop(&mut self) -> Option<Body> {
        loop {
            let body = self.waiting.front_mut()?.take()?;
            self.waiting.pop_front();
            self.next = body.provenance.batch + 1;
            if !body.is_withheld() {
                return Some(body);
            }
        }
    }

    /// After the last offer: the next body in order, holes passed over.
    pub(super) fn pop_any(&mut self) -> Option<Body> {
        while let Some(slot) = self.waiting.pop_front() {
            self.next += 1;
            if slot.as_ref().is_some_and(|body| !body.is_withheld()) {
                return slot;
            }
        }
        None
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges that holds one is what is meant")]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::Provenance;
    use super::*;
    use crate::position::{Stream, StreamId};

    fn body(batch: u64) -> Body {
        let stream = Stream { id: StreamId(1), generation: 0, source: "pods".into(), path: "/a".into() };
        let ranges = vec![(Arc::new(stream), vec![batch..batch + 1])];
        Body::joined(&Arc::new(Provenance { batch, ranges }), Vec::new())
    }

    #[test]
    fn what_is_withheld_only_keeps_the_count() {
        let mut window = Reorder::default();
        window.push(Body::withheld(0));
        window.push(body(2));
        assert!(window.pop().is_none());
        window.push(Body::withheld(1));
        assert_eq!(window.pop().map(|body| body.provenance.batch), Some(2));
    }

    proptest! {
        /// However the workers race, bodies leave in order, each as soon as all before it have left.
        #[test]
        fn bodies_leave_in_order(order in Just((7u64..40).collect::<Vec<_>>()).prop_shuffle()) {
            let mut window = Reorder::default();
            window.begin(7);
            let (mut came, mut left) = (std::collections::BTreeSet::new(), Vec::new());
            for batch in order {
                came.insert(batch);
                window.push(body(batch));
                while let Some(body) = window.pop() {
                    left.push(body.provenance.batch);
                }
                let whole = (7..).take_while(|batch| came.contains(batch)).collect::<Vec<_>>();
                prop_assert_eq!(&left, &whole);
            }
        }
    }
}
