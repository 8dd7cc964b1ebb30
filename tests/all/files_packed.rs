//! The `files` source and compressed files: rotation that compresses, while it is read and while nobody looks.

use std::io::Write;
use std::time::Duration;

use aludel::seam::Fs;

use super::files_rig::{Rig, path, plain};

const A_WHILE: Duration = Duration::from_secs(3);

/// How a test compresses.
#[derive(Clone, Copy, Debug)]
enum Pack {
    Gzip,
    Zstd,
}

impl Pack {
    const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    fn name(self, name: &str) -> String {
        format!("{name}.{}", if matches!(self, Self::Gzip) { "gz" } else { "zst" })
    }

    fn bytes(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).expect("memory");
                encoder.finish().expect("memory")
            }
            Self::Zstd => zstd::encode_all(bytes, 1).expect("memory"),
        }
    }

    /// What `gzip` does: the compressed file is there before the other one goes.
    fn compress(self, rig: &Rig, name: &str) {
        let bytes = self.bytes(&rig.fs.content(&path(name)).expect("there"));
        rig.fs.write(&path(&self.name(name)), &bytes).expect("space");
        rig.fs.remove(&path(name)).expect("there");
    }
}

fn started(pattern: &str) -> Rig {
    let mut rig = Rig::over(1, pattern, plain());
    rig.start();
    rig
}

fn numbers(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("{number:05} of a line\n")).collect()
}

/// All lines came, once, under ids of so many streams, and nothing else was said.
fn check(rig: &Rig, lines: u32, streams: usize, what: &str) {
    let expected: Vec<_> = numbers(0..lines).lines().map(str::to_owned).collect();
    assert_eq!(rig.lines(), expected, "{what}");
    let known: std::collections::BTreeSet<_> = rig.events.keys().map(|id| (id.0, id.1)).collect();
    assert_eq!(known.len(), streams, "{what}");
    assert_eq!(rig.gaps, [], "{what}");
    // A power failure may tear the last record of a log, and that is said.
    let said: Vec<_> = rig.warnings.iter().filter(|warning| !warning.contains("torn")).collect();
    assert!(said.is_empty(), "{what}: {said:?}");
}

#[test]
fn a_compressed_copy_of_what_was_read_is_not_read() {
    for pack in Pack::ALL {
        let mut rig = started("/logs/a.log*");
        rig.write("a.log", &numbers(0..100));
        rig.run(A_WHILE);
        rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("there");
        rig.write("a.log", &numbers(100..150));
        rig.run(A_WHILE);
        pack.compress(&rig, "a.log.1");
        rig.run(Duration::from_secs(400));
        check(&rig, 150, 2, "while it is read");
        // Renamed, and after restarts, with what was read forgotten long ago.
        for number in 2..4 {
            let (from, to) =
                (pack.name(&format!("a.log.{}", number - 1)), pack.name(&format!("a.log.{number}")));
            rig.fs.rename(&path(&from), &path(&to)).expect("there");
            rig.run(Duration::from_secs(40));
            rig.crash(number % 2 == 1);
            rig.start();
            rig.run(Duration::from_secs(40));
            check(&rig, 150, 2, "after a restart");
        }
    }
}

#[test]
fn a_file_compressed_while_nobody_looked_is_read_on() {
    for pack in Pack::ALL {
        for (pattern, in_two) in [("/logs/a.log*", false), ("/logs/a.log", false), ("/logs/a.log*", true)] {
            let mut rig = started(pattern);
            rig.write("a.log", &numbers(0..5000));
            rig.run(A_WHILE);
            rig.crash(true);
            rig.write("a.log", &numbers(5000..9000));
            rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("there");
            if in_two {
                // As `pigz` or `cat` make it: more than one member.
                let bytes = rig.fs.content(&path("a.log.1")).expect("there");
                for part in bytes.chunks(30_000) {
                    rig.fs.write(&path(&pack.name("a.log.1")), &pack.bytes(part)).expect("space");
                }
                rig.fs.remove(&path("a.log.1")).expect("there");
            } else {
                pack.compress(&rig, "a.log.1");
            }
            rig.write("a.log", &numbers(9000..9010));
            rig.start();
            rig.run(A_WHILE);
            check(&rig, 9010, 2, pattern);
            rig.run(Duration::from_secs(400));
            rig.crash(true);
            rig.start();
            rig.run(Duration::from_secs(20));
            check(&rig, 9010, 2, pattern);
            assert_eq!(rig.open_files(), 1, "{pattern}");
        }
    }
}

#[test]
fn a_copy_that_was_cut_and_compressed_is_read_on() {
    for pack in Pack::ALL {
        let mut rig = started("/logs/a.log*");
        rig.write("a.log", &numbers(0..100));
        rig.run(A_WHILE);
        rig.crash(false);
        rig.write("a.log", &numbers(100..200));
        let bytes = rig.fs.content(&path("a.log")).expect("there");
        rig.fs.write(&path("a.log.1"), &bytes).expect("space");
        rig.fs.open_append(&path("a.log")).and_then(|file| file.truncate(0)).expect("cut");
        pack.compress(&rig, "a.log.1");
        rig.write("a.log", &numbers(200..210));
        rig.start();
        rig.run(A_WHILE);
        check(&rig, 210, 2, "cut");
        rig.run(Duration::from_secs(400));
        check(&rig, 210, 2, "cut");
    }
}

#[test]
fn a_compressed_file_of_its_own_is_a_stream() {
    for pack in Pack::ALL {
        let mut rig = started("/logs/*");
        let text = numbers(0..60_000);
        rig.fs.write(&path(&pack.name("old.log")), &pack.bytes(text.as_bytes())).expect("space");
        // It dies in the middle, with nothing settled, again and again.
        for _ in 0..4 {
            for _ in 0..4 {
                rig.step();
            }
            rig.settle_all();
            rig.step();
            rig.crash(true);
            rig.start();
        }
        rig.run(A_WHILE);
        check(&rig, 60_000, 1, "of its own");
        assert_eq!((rig.open_files(), rig.backlog().unread_bytes), (0, 0));
        rig.crash(true);
        rig.start();
        rig.run(A_WHILE);
        check(&rig, 60_000, 1, "after a restart");
        // More is added to it, as `gzip >>` does.
        let more = pack.bytes(numbers(60_000..60_010).as_bytes());
        rig.fs.write(&path(&pack.name("old.log")), &more).expect("space");
        rig.run(Duration::from_secs(12));
        check(&rig, 60_010, 1, "with more");
        rig.fs.remove(&path(&pack.name("old.log"))).expect("there");
        rig.run(Duration::from_secs(12));
        assert_eq!(rig.backlog().streams, 0);
        assert_eq!(rig.gaps, []);
    }
}

#[test]
fn a_file_that_is_being_compressed_waits_until_it_is_known() {
    for pack in Pack::ALL {
        let mut rig = started("/logs/a.log*");
        let text = numbers(0..20_000);
        rig.write("a.log", &text);
        rig.run(A_WHILE);
        rig.fs.rename(&path("a.log"), &path("a.log.1")).expect("there");
        let bytes = pack.bytes(text.as_bytes());
        for part in bytes.chunks(bytes.len() / 5) {
            rig.fs.write(&path(&pack.name("a.log.1")), part).expect("space");
            rig.run(A_WHILE);
        }
        rig.fs.remove(&path("a.log.1")).expect("there");
        rig.run(Duration::from_secs(60));
        check(&rig, 20_000, 1, "being compressed");
    }
}

#[test]
fn more_compressed_files_than_are_decoded_at_a_time() {
    let mut rig = started("/logs/*");
    for number in 0..30 {
        let name = Pack::ALL[number % 2].name(&format!("{number}.log"));
        let text = numbers(number as u32 * 3000..(number as u32 + 1) * 3000);
        rig.fs.write(&path(&name), &Pack::ALL[number % 2].bytes(text.as_bytes())).expect("space");
    }
    rig.finish();
    check(&rig, 90_000, 30, "many");
    assert!(rig.fs.descriptors().1 < 16, "{:?}", rig.fs.descriptors());
}

#[test]
fn a_damaged_compressed_file_is_a_gap() {
    let mut rig = started("/logs/*");
    let mut bytes = Pack::Gzip.bytes(numbers(0..20_000).as_bytes());
    let half = bytes.len() / 2;
    bytes[half..half + 100].fill(0xff);
    rig.fs.write(&path("a.log.gz"), &bytes).expect("space");
    rig.run(Duration::from_secs(12));
    assert!(rig.events.len() > 5000, "{}", rig.events.len());
    let known: Vec<_> = rig.gaps.iter().map(|gap| (gap.3.is_none(), gap.4)).collect();
    assert_eq!(known, [(true, "the compressed file is damaged")]);
    assert_eq!(rig.open_files(), 0);
}

/// Files that begin the same, with other names or longer content, are files of their own.
#[test]
fn what_only_begins_the_same_is_another_stream() {
    let mut rig = started("/logs/*");
    rig.write("a.log", "# banner\n");
    rig.run(A_WHILE);
    let text = format!("# banner\n{}", numbers(0..50));
    rig.fs.write(&path("a.log.3.gz"), &Pack::Gzip.bytes(text.as_bytes())).expect("space");
    rig.fs.write(&path("b.log.gz"), &Pack::Gzip.bytes(b"# banner\n")).expect("space");
    rig.run(A_WHILE);
    assert_eq!(rig.lines().iter().filter(|line| line.starts_with('#')).count(), 3, "{:?}", rig.lines());
    assert_eq!(rig.events.len(), 53);
}
