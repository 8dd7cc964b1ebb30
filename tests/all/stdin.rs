//! The `stdin` source over a pipe: what is written comes out as messages, in whatever pieces it is written.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{Batch, Span};
use aludel::frame::FrameConfig;
use aludel::limits::MESSAGE_WAIT;
use aludel::seam::{RealClock, RealFs};
use aludel::source::stdin::Stdin;
use aludel::source::{Progress, Source, World};

fn open() -> (File, Stdin) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let world = World {
        fs: Arc::new(RealFs),
        clock: Arc::new(RealClock::start()),
        data_dir: std::env::temp_dir(),
        host: Arc::from(&b"host"[..]),
    };
    let input = File::from(std::os::fd::OwnedFd::from(reader));
    let source = Stdin::new("piped", Arc::new(FrameConfig::default()), input, &world);
    (File::from(std::os::fd::OwnedFd::from(writer)), source)
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
    let (mut writer, mut source) = open();
    let mut batch = Batch::default();
    let now = Duration::from_secs(5);
    for piece in ["one\n2024-05-01 ERROR fai", "led\njava.io.IOException: x\n", "\tat a.b.C.d(E.java:1)\n"] {
        writer.write_all(piece.as_bytes()).expect("the pipe takes it");
        assert_eq!(source.step(now, &mut batch), Progress::Wait(now + MESSAGE_WAIT));
    }
    assert_eq!(texts(&batch), ["one"]);
    assert!(matches!(source.step(now + MESSAGE_WAIT, &mut batch), Progress::Wait(_)));
    let trace = "2024-05-01 ERROR failed\njava.io.IOException: x\n\tat a.b.C.d(E.java:1)";
    assert_eq!(texts(&batch), ["one", trace]);
    writer.write_all(b"no line feed").expect("the pipe takes it");
    drop(writer);
    assert_eq!(source.step(now, &mut batch), Progress::End);
    assert_eq!(texts(&batch), ["one", trace, "no line feed"]);
    let ranges = batch.runs.iter().flat_map(|run| run.ranges.clone()).map(|range| range.end - range.start);
    assert_eq!(ranges.sum::<u64>(), batch.bytes as u64);
    assert_eq!(batch.bytes, 4 + trace.len() + 1 + 12);
    assert!(source.notices().is_empty());
}

/// More than a pipe holds, in a line longer than a block: nothing is lost.
#[test]
fn a_long_line_comes_whole() {
    let (mut writer, mut source) = open();
    let long = "x".repeat(700_000);
    let written = format!("{long}\nend\n");
    let thread = std::thread::spawn(move || writer.write_all(written.as_bytes()));
    let mut got = Vec::new();
    loop {
        let mut batch = Batch::default();
        let progress = source.step(Duration::ZERO, &mut batch);
        got.extend(texts(&batch));
        match progress {
            Progress::End => break,
            Progress::Wait(_) => std::thread::sleep(Duration::from_millis(1)),
            Progress::More => {}
        }
    }
    thread.join().expect("the writer ends").expect("all is written");
    assert!(got == [long, "end".to_owned()], "{:?}", got.iter().map(String::len).collect::<Vec<_>>());
}
