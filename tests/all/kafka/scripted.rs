//! The source over a consumer that says what it is told to.

use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::Batch;
use aludel::position::{Ranges, Resume, StreamId};
use aludel::seam::Clock;
use aludel::seam::kafka::{Consumer, Fetched, Given, Happened, Headers};
use aludel::seam::sim::{SimClock, SimFs};
use aludel::source::kafka::Kafka;
use aludel::source::{Progress, Source, World};

/// What happens, in order; `None` is a look at which nothing was there.
struct Script(VecDeque<Option<Happened>>);

impl Consumer for Script {
    fn poll(&mut self, _: &mut Vec<u8>, value: &mut Vec<u8>, _: &mut Headers) -> Option<Happened> {
        value.clear();
        value.extend_from_slice(b"text");
        self.0.pop_front().flatten()
    }

    fn start(&mut self, _: &[(Arc<str>, i32, u64)]) -> Result<(), String> {
        Ok(())
    }

    fn give_back(&mut self, _: &[(Arc<str>, i32)]) -> Result<(), String> {
        Ok(())
    }

    fn seek(&mut self, _: &str, _: i32, _: u64) -> Result<(), String> {
        Err("nothing is sought".to_owned())
    }

    fn watermarks(&mut self, _: &str, _: i32) -> Result<(u64, u64), String> {
        Err("nobody asks".to_owned())
    }

    fn is_at_end(&mut self, topic: &str, _: i32, _: u64) -> Result<bool, String> {
        let is_of = |of: &Option<Happened>| matches!(of, Some(Happened::Message(of)) if *of.topic == *topic);
        Ok(!self.0.iter().any(is_of))
    }

    fn commit(&mut self, _: &[(Arc<str>, i32, u64, String)], _: bool) -> Result<(), String> {
        Ok(())
    }

    fn read_again(&mut self, _: &str, _: i32, _: Range<u64>) -> Option<Vec<u8>> {
        None
    }

    fn cluster(&mut self) -> Result<String, String> {
        Ok("cluster".to_owned())
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

struct Nothing;

impl Resume for Nothing {
    fn position(&self, _: StreamId, _: u16) -> Option<u64> {
        None
    }

    fn settled(&self, _: StreamId, _: u16) -> Option<Arc<[Ranges]>> {
        None
    }
}

/// How many messages a run reads that ends when all is read.
fn read(happens: Vec<Option<Happened>>) -> Option<usize> {
    let clock = Arc::new(SimClock::at(0));
    let world = World {
        fs: Arc::new(SimFs::new(1, clock.clone())),
        clock: clock.clone(),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
    };
    let mut source = Kafka::new("bus", false, Box::new(Script(happens.into())), world, Arc::new(Nothing));
    source.finish();
    let mut messages = 0;
    for _ in 0..200 {
        let mut batch = Batch::default();
        let progress = source.step(clock.monotonic(), &mut batch);
        messages += batch.messages.len();
        match progress {
            Progress::End => return Some(messages),
            Progress::More => {}
            Progress::Wait(_) => clock.advance(Duration::from_millis(50)),
        }
    }
    None
}

fn given(topic: &str, partition: i32) -> Given {
    Given { topic: topic.into(), partition, committed: None, low: 0, high: 9 }
}

fn message(topic: &str, offset: u64) -> Option<Happened> {
    let (topic, partition) = (topic.into(), 0);
    Some(Happened::Message(Fetched {
        topic,
        partition,
        offset,
        time_ms: None,
        has_key: false,
        has_value: true,
    }))
}

/// Partitions of two topics share a number, and that one of them is at its end does not tell which: a run ends when both
/// are, neither before nor never, in whatever order they come to it.
#[test]
fn topics_that_share_numbers_are_read_to_their_ends() {
    let first = Some(Happened::Given(vec![given("a", 0), given("b", 0)]));
    let end = || Some(Happened::End(0));
    let (a, b) = (|n| message("a", n), |n| message("b", n));
    for (happens, messages) in [
        (vec![a(0), b(0), end(), end()], 2),
        // Of b; a goes on.
        (vec![b(0), end(), None, a(0), a(1), end()], 3),
        (vec![a(0), end(), None, b(0), b(1), end()], 3),
        // Of b twice, since it grew.
        (vec![b(0), end(), None, b(1), end(), None, None, a(0), end()], 3),
        (vec![a(0), end(), None, a(1), end(), None, None, b(0), end()], 3),
        // Nothing is in either.
        (vec![None, end(), end()], 0),
    ] {
        let happens: Vec<_> = std::iter::once(first.clone()).chain(happens).collect();
        assert_eq!(read(happens.clone()), Some(messages), "{happens:?}");
    }
    // Nobody else has the number: its end is told.
    let happens =
        vec![Some(Happened::Given(vec![given("a", 0), given("b", 1)])), a(0), end(), Some(Happened::End(1))];
    assert_eq!(read(happens), Some(1));
}
