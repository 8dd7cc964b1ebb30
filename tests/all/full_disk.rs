//! A data folder without room, on a real file system of its own: it is said, nothing is damaged, and all goes on when
//! there is room again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::elasticsearch::bulk_server::Server;
use crate::program::{Running, wait_for};

/// A file system of half a megabyte; taken down when dropped.
struct Small(PathBuf);

impl Small {
    /// `None`, said loudly, where none can be mounted.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let arguments = ["-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs"];
        let mounted = Command::new("mount").args(arguments).arg(at).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at.into()));
        }
        crate::elasticsearch::skip("a small file system cannot be mounted (needs root)");
        None
    }

    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut filler = fs::File::create(&path).expect("a file");
        while filler.write_all(&[0; 512]).is_ok() {}
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn append(file: &Path, lines: std::ops::Range<u64>) {
    let text: String = lines.map(|line| format!("line {line}\n")).collect();
    let file = fs::OpenOptions::new().create(true).append(true).open(file);
    file.expect("opened").write_all(text.as_bytes()).expect("written");
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost_when_there_is_room_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(data) = Small::mount(&folder.path().join("data")) else { return };
    let logs = folder.path().join("in");
    fs::create_dir_all(&logs).expect("a folder");
    let server = Server::start(&[]);
    let pipeline = folder.path().join("lines.aludel");
    let text = format!(
        "source lines = files \"in/*.log\" {{ format = lines, start = beginning }}\n\
         sink es = elasticsearch \"{}\" {{ data_stream = \"logs-lines-default\" }}\n\
         pipeline lines {{ from lines | to es }}\n",
        server.url()
    );
    fs::write(&pipeline, text).expect("written");
    let documents = || server.store().documents.len() as u64;
    let start = || Running::start(&pipeline, &data.0, &["--admin", "off"]);

    append(&logs.join("a.log"), 0..100);
    let running = start();
    wait_for("the first lines", || documents() == 100);
    let filler = data.fill();
    // One file goes on; others are new, and what tells them apart finds no room (more of it than is left in the last
    // block of a log), so they are not read.
    append(&logs.join("a.log"), 100..5000);
    wait_for("what can be read", || documents() == 5000);
    for new in 0..100 {
        append(&logs.join(format!("{new}.log")), 5000 + new * 10..5010 + new * 10);
    }
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(documents() < 6000);
    // Killed while nothing could be written down, and once more on a disk that is full from the start.
    running.signal("-KILL");
    let (_, said) = running.end();
    assert!(said.contains("No space left on device"), "{said}");
    let (code, said) = start().end_within(std::time::Duration::from_secs(2));
    assert!(said.contains("No space left on device") || code.is_none(), "{code:?}: {said}");
    fs::remove_file(filler).expect("removed");

    let running = start();
    wait_for("all lines", || documents() == 6000);
    running.signal("-TERM");
    let (code, said) = running.end();
    assert_eq!(code, Some(0), "{said}");
}
