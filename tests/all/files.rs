//! The `files` source, one behaviour a test: what operators do to log files, and what must come of it.

use std::time::Duration;

use aludel::event::OptionValue;
use aludel::limits::OPEN_FILES_MAX;
use aludel::seam::Fs;

use super::files_rig::{Rig, path, plain};

const A_WHILE: Duration = Duration::from_secs(3);

fn rig() -> Rig {
    let mut rig = Rig::new(1, plain());
    rig.start();
    rig
}

#[test]
fn lines_come_as_they_are_written() {
    let mut rig = rig();
    rig.write("a.log", "one\ntwo\n\nthr");
    rig.write("b.txt", "not meant\n");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["one", "two"]);
    rig.write("a.log", "ee\n");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["one", "three", "two"]);
    assert_eq!(rig.backlog().unread_bytes, 0);
}

#[test]
fn a_last_line_without_line_feed_is_let_go_after_a_while_and_at_the_end() {
    let mut rig = rig();
    rig.write("a.log", "one\ntw");
    rig.run(Duration::from_secs(7));
    assert_eq!(rig.lines(), ["one", "tw"]);
    rig.write("a.log", "o\nthree");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["o", "one", "tw"]);
    rig.finish();
    assert_eq!(rig.lines(), ["o", "one", "three", "tw"]);
    // The cut was written down: reading again from before it gives the same events.
    rig.crash(true);
    rig.fs.remove(std::path::Path::new("/data/cursors.log")).expect("was there");
    rig.start();
    rig.finish();
    assert_eq!(rig.lines(), ["o", "one", "three", "tw"]);
}

#[test]
fn a_renamed_file_is_read_to_its_end() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    rig.write("a.log", "2\n");
    rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("was there");
    rig.write("a.log.1", "3\n");
    rig.write("a.log", "4\n");
    rig.run(A_WHILE);
    rig.write("a.log.1", "5\n");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["1", "2", "3", "4", "5"]);
    assert_eq!(rig.open_files(), 2);
    rig.run(Duration::from_secs(310));
    assert_eq!((rig.open_files(), rig.backlog().streams), (1, 1));
    assert_eq!(rig.gaps, []);
}

#[test]
fn a_name_that_fits_both_before_and_after_is_one_stream() {
    let mut rig = Rig::over(1, "/logs/a.log*", plain());
    rig.start();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("was there");
    rig.write("a.log", "2\n");
    rig.write("a.log.1", "3\n");
    rig.run(A_WHILE);
    rig.crash(true);
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(rig.events.len(), 3);
    assert_eq!(rig.backlog().streams, 2);
    assert_eq!(rig.gaps, []);
}

#[test]
fn a_removed_file_is_read_to_its_end_and_its_space_given_back() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    rig.write("a.log", "2\n");
    rig.fs.remove(&path("a.log")).expect("was there");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["1", "2"]);
    rig.run(Duration::from_secs(15));
    assert_eq!((rig.open_files(), rig.backlog().streams), (0, 0));
    assert_eq!(rig.gaps, []);
}

#[test]
fn copytruncate_is_read_on_in_the_copy() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    rig.write("a.log", "2\n");
    rig.write("a.log.1", "1\n2\n");
    rig.fs.open_append(&path("a.log")).and_then(|file| file.truncate(0)).expect("cut");
    rig.write("a.log", "3\n");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["1", "2", "3"]);
    assert_eq!(rig.gaps, []);
}

#[test]
fn a_truncation_without_a_copy_is_a_gap() {
    let mut rig = rig();
    rig.write("a.log", "first\nhel");
    rig.run(A_WHILE);
    rig.fs.open_append(&path("a.log")).and_then(|file| file.truncate(0)).expect("cut");
    // Written again beyond what was read: only the bytes tell.
    rig.write("a.log", "second, and longer than before\n");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["first", "second, and longer than before"]);
    let known: Vec<_> = rig.gaps.iter().map(|gap| (gap.1, gap.2, gap.3)).collect();
    assert_eq!(known, [(0, 6, Some(9)), (0, 9, None)]);
}

#[test]
fn two_files_with_the_same_head_are_two_streams() {
    let mut rig = rig();
    rig.write("a.log", "same\n");
    rig.write("b.log", "same\n");
    rig.run(A_WHILE);
    rig.crash(true);
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["same", "same"]);
}

#[test]
fn an_inode_that_is_used_again_is_another_stream() {
    let mut rig = rig();
    rig.write("a.log", "old\n");
    rig.run(A_WHILE);
    rig.crash(true);
    rig.fs.remove(&path("a.log")).expect("was there");
    rig.clock.advance(A_WHILE);
    rig.write("a.log", "new\n");
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["new", "old"]);
    let streams: std::collections::BTreeSet<_> = rig.events.keys().map(|id| id.0).collect();
    assert_eq!(streams.len(), 2);
}

#[test]
fn a_file_rotated_while_nobody_looked_is_read_on() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    rig.crash(true);
    rig.write("a.log", "2\n");
    rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("was there");
    rig.write("a.log", "3\n");
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["1", "2", "3"]);
    assert_eq!(rig.gaps, []);
}

#[test]
fn a_file_removed_while_nobody_looked_is_a_gap() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    // Read, but not settled when the process dies.
    rig.write("a.log", "2\n");
    rig.clock.advance(Duration::from_secs(20));
    while rig.step() == aludel::source::Progress::More {}
    rig.crash(true);
    rig.fs.remove(&path("a.log")).expect("was there");
    rig.start();
    rig.run(A_WHILE);
    let known: Vec<_> = rig.gaps.iter().map(|gap| (gap.2, gap.3)).collect();
    assert_eq!(known, [(2, Some(4)), (4, None)]);
    assert_eq!(rig.backlog().streams, 0);
}

#[test]
fn a_copied_file_is_known_by_its_bytes() {
    let mut rig = rig();
    rig.write("a.log", "some line\nanother\n");
    rig.run(A_WHILE);
    rig.crash(true);
    rig.write("b.log", "some line\nanother\n");
    rig.fs.remove(&path("a.log")).expect("was there");
    rig.write("b.log", "more\n");
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["another", "more", "some line"]);
    assert_eq!(rig.gaps, []);
}

#[test]
fn start_at_the_end_is_about_files_that_were_there_at_first() {
    let mut options = plain();
    options.push(("start", OptionValue::Text("end".into())));
    let mut rig = Rig::new(1, options);
    rig.write("old.log", "past\nhalf");
    rig.start();
    rig.run(A_WHILE);
    rig.write("old.log", " a line\nnews\n");
    rig.write("new.log", "from the start\n");
    rig.run(A_WHILE);
    rig.crash(true);
    rig.write("later.log", "from the start, too\n");
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["from the start", "from the start, too", "half a line", "news"]);
    assert_eq!(rig.gaps, []);
}

#[test]
fn more_files_than_descriptors() {
    let mut rig = rig();
    for file in 0..3000 {
        rig.write(&format!("{file}.log"), "x\n");
    }
    rig.run(A_WHILE);
    assert_eq!(rig.events.len(), 3000);
    assert!(rig.open_files() <= 1024, "{}", rig.open_files());
    rig.write("17.log", "y\n");
    rig.write("2999.log", "y\n");
    rig.fs.rename(&path("17.log"), &path("17.log.1")).expect("was there");
    rig.run(Duration::from_secs(12));
    assert_eq!(rig.events.len(), 3002);
    assert!(rig.fs.descriptors().1 <= 1024 + 8, "{:?}", rig.fs.descriptors());
    assert_eq!(rig.gaps, []);
}

#[test]
fn links_are_followed_and_read_once() {
    let mut rig = rig();
    rig.fs.make_folder(std::path::Path::new("/pods")).expect("made");
    rig.fs.write(std::path::Path::new("/pods/0.log"), b"1\n").expect("space");
    rig.fs.link(&path("a.log"), std::path::Path::new("/pods/0.log"));
    rig.fs.link(&path("b.log"), std::path::Path::new("/pods/0.log"));
    rig.fs.link(&path("c.log"), std::path::Path::new("/logs/c.log"));
    rig.run(A_WHILE);
    rig.fs.write(std::path::Path::new("/pods/0.log"), b"2\n").expect("space");
    rig.run(A_WHILE);
    rig.fs
        .rename(std::path::Path::new("/pods/0.log"), std::path::Path::new("/pods/0.log.1"))
        .expect("was there");
    rig.fs.write(std::path::Path::new("/pods/0.log"), b"3\n").expect("space");
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["1", "2", "3"]);
    assert_eq!(rig.gaps, []);
}

#[test]
fn a_full_disk_holds_reading_until_there_is_space() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.fs.set_full(true);
    rig.run(A_WHILE);
    assert!(rig.events.is_empty());
    assert_eq!(rig.warnings.len(), 1, "{:?}", rig.warnings);
    rig.fs.set_full(false);
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), ["1"]);
}

#[test]
fn a_read_error_is_said_and_tried_again() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    rig.write("a.log", "2\n");
    rig.fs.fail_reads(3);
    rig.run(Duration::from_secs(6));
    assert_eq!(rig.lines(), ["1", "2"]);
    assert!(!rig.warnings.is_empty());
    assert_eq!(rig.gaps, []);
}

#[test]
fn many_lines_and_long_lines_come_whole() {
    let mut rig = rig();
    let mut expected = Vec::new();
    let mut text = String::new();
    for line in 0..40_000 {
        let line = format!("{line:06} {}", "x".repeat(line % 200));
        text.push_str(&line);
        text.push('\n');
        expected.push(line);
    }
    let long = format!("y{}", "z".repeat(700_000));
    text.push_str(&long);
    text.push('\n');
    expected.push(long);
    rig.write("a.log", &text);
    rig.run(A_WHILE);
    assert_eq!(rig.lines(), expected);
}

/// What is waited for in more files than may be open is let go in time all the same.
#[test]
fn last_lines_of_more_files_than_may_be_open_are_let_go() {
    let mut rig = rig();
    let files = OPEN_FILES_MAX + 200;
    for number in 0..files {
        rig.write(&format!("{number}.log"), "a last line");
    }
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.lines().len(), files);
}
