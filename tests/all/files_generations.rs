//! What a path shows is not what it showed: files replaced, cut and written again, links that lead elsewhere, inodes
//! that are used again, while the source reads and while nobody looks. Each line comes once, or a gap says so.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aludel::limits::OPEN_FILES_MAX;
use aludel::seam::Fs;

use super::files_rig::{Rig, path, plain};

const A_WHILE: Duration = Duration::from_secs(3);

fn rig() -> Rig {
    let mut rig = Rig::new(1, plain());
    rig.start();
    rig
}

fn streams(rig: &Rig) -> usize {
    rig.events.keys().map(|id| (id.0, id.1)).collect::<BTreeSet<_>>().len()
}

/// Start and end of each gap.
fn gaps(rig: &Rig) -> Vec<(u64, Option<u64>)> {
    rig.gaps.iter().map(|gap| (gap.2, gap.3)).collect()
}

/// The end of a text, for people.
fn tail(text: &str) -> &str {
    text.lines().next_back().unwrap_or_default()
}

fn banner() -> String {
    (0..100).map(|line| format!("# {line:03} the same in every file\n")).collect()
}

/// Sees nothing of what happens in between: the process is killed.
fn while_nobody_looks(rig: &mut Rig, happens: impl FnOnce(&Rig)) {
    rig.crash(false);
    happens(rig);
    rig.clock.advance(Duration::from_secs(60));
    rig.start();
    rig.run(A_WHILE);
}

fn pods(rig: &Rig, name: &str, text: &str) {
    rig.fs.write(&Path::new("/pods").join(name), text.as_bytes()).expect("space");
}

/// Kubernetes: the link stays, and the file that it leads to is rotated in a folder that no pattern names.
#[test]
fn what_is_behind_a_link_is_rotated_while_nobody_looks() {
    let mut rig = rig();
    rig.fs.make_folder(Path::new("/pods")).expect("made");
    pods(&rig, "0.log", "1\n");
    rig.fs.link(&path("a.log"), Path::new("/pods/0.log"));
    rig.run(A_WHILE);
    while_nobody_looks(&mut rig, |rig| {
        pods(rig, "0.log", "2\n");
        rig.fs.rename(Path::new("/pods/0.log"), Path::new("/pods/0.log.1")).expect("there");
        pods(rig, "0.log", "3\n");
    });
    assert_eq!(rig.lines(), ["1", "2", "3"]);
    assert_eq!((gaps(&rig), streams(&rig)), (vec![], 2));
}

#[test]
fn a_link_leads_to_another_folder() {
    for looked in [false, true] {
        let mut rig = rig();
        for pod in ["/pods/x", "/pods/y"] {
            rig.fs.make_folder(Path::new(pod)).expect("made");
        }
        pods(&rig, "x/0.log", "1\n");
        rig.fs.link(&path("a.log"), Path::new("/pods/x/0.log"));
        rig.run(A_WHILE);
        let swap = |rig: &Rig| {
            pods(rig, "x/0.log", "2\n");
            pods(rig, "y/0.log", "3\n");
            rig.fs.remove(&path("a.log")).expect("there");
            rig.fs.link(&path("a.log"), Path::new("/pods/y/0.log"));
        };
        if looked {
            swap(&rig);
            rig.run(A_WHILE);
        } else {
            while_nobody_looks(&mut rig, swap);
        }
        assert_eq!(rig.lines(), ["1", "2", "3"], "looked: {looked}");
        assert_eq!((gaps(&rig), streams(&rig)), (vec![], 2), "looked: {looked}");
        // The old one is written to for a while.
        pods(&rig, "x/0.log", "4\n");
        rig.run(A_WHILE);
        assert_eq!(rig.lines(), ["1", "2", "3", "4"], "looked: {looked}");
    }
}

/// Where files have no time of birth, only their bytes tell one from the next at the same inode.
#[test]
fn an_inode_is_used_again_and_only_bytes_tell() {
    let banner = banner();
    for (old, new) in [
        ("old\n".to_owned(), "new\n".to_owned()),
        ("old\n".to_owned(), "new, and longer than before\n".to_owned()),
        ("old, and longer than the new one\n".to_owned(), "new\n".to_owned()),
        (format!("{banner}old\n"), format!("{banner}new\n")),
        (format!("{banner}old\n"), format!("{banner}new, and longer\n")),
    ] {
        for looked in [false, true] {
            let mut rig = Rig::new(1, plain());
            rig.fs.forget_births();
            rig.start();
            rig.write("a.log", &old);
            rig.run(A_WHILE);
            let replace = |rig: &Rig| {
                rig.fs.remove(&path("a.log")).expect("there");
                rig.write("a.log", &new);
            };
            if looked {
                replace(&rig);
                rig.run(A_WHILE);
            } else {
                while_nobody_looks(&mut rig, replace);
            }
            let mut expected: Vec<_> = old.lines().chain(new.lines()).collect();
            expected.sort_unstable();
            assert!(rig.lines() == expected, "{} {} {looked}", tail(&old), tail(&new));
            assert_eq!(streams(&rig), 2, "{} {} {looked}", tail(&old), tail(&new));
        }
    }
}

#[test]
fn a_file_is_replaced_while_nobody_looks() {
    let mut rig = rig();
    rig.write("a.log", "1\n");
    rig.run(A_WHILE);
    while_nobody_looks(&mut rig, |rig| {
        rig.write("a.log", "lost\n");
        rig.write("new", "2\n");
        rig.fs.rename(&path("new"), &path("a.log")).expect("there");
    });
    assert_eq!(rig.lines(), ["1", "2"]);
    // Nobody saw how long it was: from where it was settled, at least.
    assert_eq!((gaps(&rig), streams(&rig)), (vec![(2, None)], 2));
}

#[test]
fn a_file_is_cut_and_grows_beyond_what_was_read() {
    let banner = banner();
    for (old, new) in [
        ("old\n".to_owned(), "new, and longer\n".to_owned()),
        (format!("{banner}old\n"), format!("{banner}new, and longer\n")),
        (format!("{banner}old\n"), banner.clone()),
    ] {
        for looked in [false, true] {
            let mut rig = rig();
            rig.write("a.log", &old);
            rig.run(A_WHILE);
            let cut = |rig: &Rig| {
                rig.fs.open_append(&path("a.log")).and_then(|file| file.truncate(0)).expect("cut");
                rig.write("a.log", &new);
            };
            if looked {
                cut(&rig);
                rig.run(A_WHILE);
            } else {
                while_nobody_looks(&mut rig, cut);
            }
            let mut expected: Vec<_> = old.lines().chain(new.lines()).collect();
            expected.sort_unstable();
            assert!(rig.lines() == expected, "{} {} {looked}", tail(&old), tail(&new));
            let ids: Vec<_> =
                rig.events.keys().map(|id| (id.0, id.1)).collect::<BTreeSet<_>>().into_iter().collect();
            assert_eq!((ids[0].0, ids[0].1, ids[1].1), (ids[1].0, 0, 1), "one stream, two generations");
            assert_eq!(gaps(&rig), [(old.len() as u64, None)], "{} {} {looked}", tail(&old), tail(&new));
        }
    }
}

#[test]
fn files_with_the_same_head_change_names() {
    let mut rig = rig();
    let banner = banner();
    rig.write("a.log", &format!("{banner}a 1\n"));
    rig.write("b.log", &format!("{banner}b 1\n"));
    rig.run(A_WHILE);
    while_nobody_looks(&mut rig, |rig| {
        rig.write("a.log", "a 2\n");
        rig.write("b.log", "b 2\n");
        for (from, to) in [("a.log", "c.log"), ("b.log", "a.log"), ("c.log", "b.log")] {
            rig.fs.rename(&path(from), &path(to)).expect("there");
        }
        rig.write("b.log", "a 3\n");
    });
    let lines: Vec<_> = rig.lines().into_iter().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["a 1", "a 2", "a 3", "b 1", "b 2"]);
    assert_eq!((rig.events.len(), streams(&rig), gaps(&rig)), (205, 2, vec![]));
}

/// The descriptor of a file that is not settled is kept as long as others can be closed.
#[test]
fn a_removed_file_is_not_lost_for_want_of_descriptors() {
    let mut rig = rig();
    for number in 0..OPEN_FILES_MAX + 100 {
        rig.write(&format!("{number}.log"), "x\n");
    }
    rig.run(A_WHILE);
    // One is behind, and many others have their turn.
    rig.write("7.log", "y\n");
    rig.clock.advance(A_WHILE);
    while rig.step() == aludel::source::Progress::More {}
    for number in 100..OPEN_FILES_MAX + 100 {
        rig.write(&format!("{number}.log"), "z\n");
        if number % 100 == 0 {
            rig.clock.advance(A_WHILE);
            while rig.step() == aludel::source::Progress::More {}
            let sent = rig.process.as_ref().expect("up").sent.len();
            for _ in 1..sent {
                rig.settle(1);
            }
            rig.commit();
        }
    }
    rig.fs.remove(&path("7.log")).expect("there");
    rig.clock.advance(A_WHILE);
    while rig.step() == aludel::source::Progress::More {}
    rig.crash(true);
    rig.events.retain(|_, text| text != "y");
    rig.start();
    rig.run(A_WHILE);
    assert_eq!(gaps(&rig), []);
    assert_eq!(rig.lines().iter().filter(|line| **line == "y").count(), 1);
}
