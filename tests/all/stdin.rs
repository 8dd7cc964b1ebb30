//! The `stdin` source over a pipe: what is written comes out as messages, in whatever pieces it is written, and what was
//! read comes out of the spool if nobody settled it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Batch, Span};
use aludel::frame::FrameConfig;
use aludel::limits::{MESSAGE_WAIT, SPOOL_LINGER};
use aludel::position::{Ranges, Resume, StreamId};
use aludel::seam::{RealClock, RealFs};
use aludel::source::spooled::{Framing, Spooled};
use aludel::source::stdin::Stdin;
use aludel::source::{Notice, Progress, Source, World};
use aludel::spool::{Limit, WhenFull};

/// The low mark of one sink.
struct Low(Option<u64>);

impl Resume for Low {
    fn position(&self, _: StreamId, _: u16) -> Option<u64> {
        self.0
    }

    fn settled(&self, _: StreamId, _: u16) -> Option<Arc<[Ranges]>> {
        None
    }
}

fn open(folder: &Path, low: Option<u64>) -> (File, Spooled<Stdin>) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let world = World {
        fs: Arc::new(RealFs),
        clock: Arc::new(RealClock::start()),
        data_dir: folder.into(),
        host: Arc::from(&b"host"[..]),
    };
    let input = File::from(std::os::fd::OwnedFd::from(reader));
    let framing = Framing::Lines(Arc::new(FrameConfig::default()));
    let limit = Limit { bytes: 64 << 20, when_full: WhenFull::Block };
    let source =
        Spooled::open("piped", framing, limit, Stdin::new(input), world, &Low(low)).expect("a source");
    (File::from(std::os::fd::OwnedFd::from(writer)), source)
}

/// Steps until nothing more is to be done now.
fn step(source: &mut Spooled<Stdin>, now: Duration, batch: &mut Batch) -> Progress {
    loop {
        match source.step(now, batch) {
            Progress::More => {}
            progress => return progress,
        }
    }
}

fn texts(batch: &Batch) -> Vec<String> {
    let text = |span: Span| {
        let segment = &batch.segments[usize::from(span.buffer - Span::SEGMENTS)];
        let start = span.start as usize;
        String::from_utf8_lossy(&segment.bytes()[start..start + span.len as usize]).into_owned()
    };
    batch.messages.iter().map(|message| text(message.text)).collect()
}

#[test]
fn pieces_of_a_pipe_are_joined() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut source) = open(folder.path(), None);
    let mut batch = Batch::default();
    let mut now = Duration::from_secs(5);
    for piece in ["one\n2024-05-01 ERROR fai", "led\njava.io.IOException: x\n", "\tat a.b.C.d(E.java:1)\n"] {
        writer.write_all(piece.as_bytes()).expect("the pipe takes it");
        assert_eq!(step(&mut source, now, &mut batch), Progress::Wait(now + SPOOL_LINGER));
        now += SPOOL_LINGER;
        assert_eq!(step(&mut source, now, &mut batch), Progress::Wait(now + MESSAGE_WAIT));
    }
    assert_eq!(texts(&batch), ["one"]);
    now += MESSAGE_WAIT;
    assert!(matches!(step(&mut source, now, &mut batch), Progress::Wait(_)));
    let trace = "2024-05-01 ERROR failed\njava.io.IOException: x\n\tat a.b.C.d(E.java:1)";
    assert_eq!(texts(&batch), ["one", trace]);
    writer.write_all(b"no line feed").expect("the pipe takes it");
    drop(writer);
    assert_eq!(step(&mut source, now, &mut batch), Progress::End);
    assert_eq!(texts(&batch), ["one", trace, "no line feed"]);
    let ranges = batch.runs.iter().flat_map(|run| run.ranges.clone()).map(|range| range.end - range.start);
    assert_eq!(ranges.sum::<u64>(), batch.bytes as u64);
    assert_eq!(batch.bytes, 4 + trace.len() + 1 + 12);
    assert!(batch.runs.iter().all(|run| &*run.stream.path == "<stdin>"));
    assert!(source.notices().is_empty());
}

/// More than a pipe holds, in a line longer than a block: nothing is lost.
#[test]
fn a_long_line_comes_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut source) = open(folder.path(), None);
    let long = "x".repeat(700_000);
    let written = format!("{long}\nend\n");
    let thread = std::thread::spawn(move || writer.write_all(written.as_bytes()));
    let mut got = Vec::new();
    let mut now = Duration::ZERO;
    loop {
        let mut batch = Batch::default();
        let progress = source.step(now, &mut batch);
        got.extend(texts(&batch));
        match progress {
            Progress::End => break,
            Progress::Wait(_) => std::thread::sleep(Duration::from_millis(1)),
            Progress::More => {}
        }
        now += Duration::from_millis(1);
    }
    thread.join().expect("the writer ends").expect("all is written");
    assert!(got == [long, "end".to_owned()], "{:?}", got.iter().map(String::len).collect::<Vec<_>>());
}

/// What one run has read and nobody settled, the next one hands on first, under the same positions; a line that it left
/// unfinished is not joined with what comes in next.
#[test]
fn what_a_run_leaves_is_handed_on_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut source) = open(folder.path(), None);
    writer.write_all(b"one\ntwo\nthr").expect("the pipe takes it");
    let mut first = Batch::default();
    step(&mut source, Duration::ZERO, &mut first);
    assert!(first.messages.is_empty(), "nothing is handed on before it is durable");
    step(&mut source, SPOOL_LINGER, &mut first);
    // The last line may be continued by the next one.
    assert_eq!(texts(&first), ["one"]);
    drop(source);

    let (mut writer, mut source) = open(folder.path(), Some(4));
    writer.write_all(b"ee\nfour\n").expect("the pipe takes it");
    drop(writer);
    let mut batch = Batch::default();
    assert_eq!(step(&mut source, Duration::ZERO, &mut batch), Progress::End);
    assert_eq!(texts(&batch), ["two", "thr", "ee", "four"]);
    let starts: Vec<_> = batch.messages.iter().map(|message| message.start).collect();
    assert_eq!(starts, [4, 8, 11, 14]);
    assert_eq!(first.runs[0].stream.id, batch.runs[0].stream.id);
    assert!(source.notices().is_empty());
    let stream = batch.runs[0].stream.clone();
    source.settled(&stream, 19);
    drop(source);

    let (writer, mut source) = open(folder.path(), Some(19));
    drop(writer);
    let mut batch = Batch::default();
    assert_eq!(step(&mut source, Duration::ZERO, &mut batch), Progress::End);
    assert!(batch.messages.is_empty(), "{:?}", texts(&batch));
}

/// A segment that every sink has settled goes; while nobody settles anything the source takes in no more than the limit.
#[test]
fn a_full_spool_makes_the_writer_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let world = World {
        fs: Arc::new(RealFs),
        clock: Arc::new(RealClock::start()),
        data_dir: folder.path().into(),
        host: Arc::from(&b"host"[..]),
    };
    let input = Stdin::new(File::from(std::os::fd::OwnedFd::from(reader)));
    let framing = Framing::Lines(Arc::new(FrameConfig::default()));
    let limit = Limit { bytes: 1 << 20, when_full: WhenFull::Block };
    let mut source = Spooled::open("piped", framing, limit, input, world, &Low(None)).expect("a source");
    let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
    let line = [b'y'; 1023];
    let thread = std::thread::spawn(move || {
        for _ in 0..3000 {
            writer.write_all(&line).and_then(|()| writer.write_all(b"\n")).expect("the pipe takes it");
        }
    });
    let (mut got, mut now, mut idle, mut stream) = (0, Duration::ZERO, 0, None);
    let mut stopped = false;
    loop {
        let mut batch = Batch::default();
        let progress = source.step(now, &mut batch);
        now += Duration::from_millis(5);
        got += batch.messages.len() as u64;
        idle = if batch.messages.is_empty() { idle + 1 } else { 0 };
        stream = batch.runs.first().map(|run| run.stream.clone()).or(stream);
        match progress {
            Progress::End => break,
            Progress::Wait(_) => std::thread::sleep(Duration::from_millis(1)),
            Progress::More => {}
        }
        if idle > 40 {
            stopped = true;
            assert!(got < 1100, "{got} lines of 1 KiB were taken in");
        }
        if stopped && let Some(stream) = &stream {
            source.settled(stream, got * 1024);
        }
    }
    thread.join().expect("the writer ends");
    assert!(stopped, "the limit was never felt");
    assert_eq!(got, 3000);
    let notices = source.notices();
    assert!(!notices.iter().any(|notice| matches!(notice, Notice::Gap { .. })), "{notices:?}");
}
