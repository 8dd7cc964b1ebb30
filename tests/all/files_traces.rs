//! Stack traces that something comes between: a restart, a rotation, a program that writes slowly.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::frame::{Block, FrameConfig, Framed, Framer};
use aludel::seam::Fs;

use super::files_rig::{Rig, path};

const A_WHILE: Duration = Duration::from_millis(300);

/// Longer than an open message waits.
const LONG: Duration = Duration::from_secs(20);

const HEAD: &str = "2024-05-06 07:08:09 ERROR no cart\njava.lang.IllegalStateException: no cart\n\tat shop.Cart.open(Cart.java:7)\n";
const TAIL: &str = "\tat shop.Shop.main(Shop.java:9)\nCaused by: java.io.IOException: gone\n\t... 2 more\n";
const NEXT: &str = "2024-05-06 07:08:10 INFO next\n";

fn rig() -> Rig {
    let mut rig = Rig::new(7, vec![("multiline", OptionValue::Texts(vec!["auto".into()]))]);
    rig.start();
    rig
}

fn whole() -> String {
    format!("{HEAD}{TAIL}").trim_end().to_owned()
}

/// A trace that is half written when the process dies is one message when it is read again.
#[test]
fn a_trace_that_a_restart_splits_is_one_message() {
    for power in [false, true] {
        let mut rig = rig();
        rig.write("a.log", NEXT);
        rig.write("a.log", HEAD);
        rig.run(A_WHILE);
        rig.settle_all();
        rig.crash(power);
        rig.write("a.log", TAIL);
        rig.write("a.log", NEXT);
        rig.start();
        rig.run(LONG);
        let (next, whole) = (NEXT.trim_end(), whole());
        assert_eq!(rig.lines(), [whole.as_str(), next, next]);
        assert_eq!(rig.gaps, []);
    }
}

/// A trace of which the end goes to the next file is two messages, for they are of two streams: all that is in each
/// file stays together, and no line is lost.
#[test]
fn a_trace_that_a_rotation_splits_is_one_message_in_each_file() {
    let mut rig = rig();
    rig.write("a.log", HEAD);
    rig.run(A_WHILE);
    rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("was there");
    rig.write("a.log", TAIL);
    rig.write("a.log", NEXT);
    rig.run(Duration::from_secs(320));
    assert_eq!(rig.lines(), [TAIL.trim_end(), HEAD.trim_end(), NEXT.trim_end()]);
    assert_eq!(rig.gaps, []);
}

/// A trace that the process writes to the renamed file, as one does until it opens its log again, is whole.
#[test]
fn a_trace_written_on_into_the_renamed_file_is_one_message() {
    let mut rig = rig();
    rig.write("a.log", HEAD);
    rig.run(A_WHILE);
    rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("was there");
    rig.write("a.log", NEXT);
    rig.write("a.log.1", TAIL);
    rig.run(Duration::from_secs(320));
    assert_eq!(rig.lines(), [whole().as_str(), NEXT.trim_end()]);
}

/// A framer that is offered lines as time goes by.
struct Slow {
    framer: Framer,
    input: Vec<u8>,
    taken: usize,
    now: Duration,
    messages: usize,
}

impl Slow {
    fn step(&mut self, pause: Duration, line: &str) {
        let mut end = self.now + pause;
        self.input.extend_from_slice(line.as_bytes());
        let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        let mut out = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
        let input = &self.input;
        let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| -> io::Result<()> {
            out.extend_from_slice(&input[range.start as usize..range.end as usize]);
            Ok(())
        };
        // What is due before the line comes is let go.
        while let Some(due) = self.framer.deadline().filter(|due| *due < end) {
            self.framer.expire(due, &mut fetch, &mut out);
        }
        std::mem::swap(&mut self.now, &mut end);
        let bytes = &input[self.taken..];
        let block = Block {
            position: self.taken as u64,
            bytes,
            buffer: 3,
            last: false,
            now: self.now,
            fetch: &mut fetch,
        };
        self.taken += self.framer.frame(block, &mut out);
        self.messages += messages.len();
    }
}

/// A program that takes its time between the lines of a trace has the first one cut, and the following ones not: how
/// long is waited goes by how it writes.
#[test]
fn how_long_a_trace_is_waited_for_is_learnt_from_its_stream() {
    let lines: Vec<&str> = HEAD.split_inclusive('\n').chain(TAIL.split_inclusive('\n')).collect();
    let run = |pause: Duration| {
        let framer = Framer::new(Arc::new(FrameConfig::default()));
        let mut slow = Slow { framer, input: Vec::new(), taken: 0, now: Duration::ZERO, messages: 0 };
        let mut counts = Vec::new();
        for _ in 0..3 {
            let before = slow.messages;
            for (at, line) in lines.iter().enumerate() {
                slow.step(if at == 0 { Duration::from_secs(60) } else { pause }, line);
            }
            slow.step(Duration::from_secs(60), NEXT);
            slow.step(Duration::from_secs(60), NEXT);
            counts.push(slow.messages - before);
        }
        counts
    };
    let fast = run(Duration::from_millis(10));
    assert!(fast.iter().skip(1).all(|count| *count == 3), "{fast:?}");
    let wait = aludel::limits::MESSAGE_WAIT;
    let slow = run(wait + wait / 2);
    assert!(slow[0] > 2, "{slow:?}: the first is cut");
    assert_eq!(slow[2], 3, "{slow:?}: the trace and two lines");
}
