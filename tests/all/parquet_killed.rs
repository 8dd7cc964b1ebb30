//! Killed at random moments while files rotate: the archive has each line once, on the disk and in S3; and a disk
//! that is full for a while.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aludel::seam::sim::Dice;

use crate::parquet_readers::{S3Server, script, skip};
use crate::patience::Patience;
use crate::program::{aludel, wait_for};
use crate::support_killed::{Killed, Writers, kills};

/// A pipeline into an archive that commits often: a kill is to meet every stage of a commit.
fn pipeline(folder: &Path, archive: &str, more: &str) -> PathBuf {
    let pipeline = folder.join("lines.aludel");
    let text = format!(
        r#"source lines = files "{}" {{ format = lines, start = beginning, line_wait = 20s }}
sink archive = parquet "{archive}" {{
  partition = [service.name], compression = none, roll_rows = 15, roll_age = 1s
  {more}
}}
pipeline lines {{
  from lines
  # The last digit: ten folders.
  | set .service.name = substring(reverse(.message), 0, 1)
  | to archive
}}
"#,
        Writers::GLOB,
    );
    fs::write(&pipeline, text).expect("written");
    pipeline
}

/// Kills the program (SIGKILL) again and again while files are written: half of the times at any moment of its life,
/// half of them `soon` after it began to write to one of these folders, since a commit is a small part of a life.
fn kill_in_commits(
    folder: &Path,
    pipeline: &Path,
    watched: &[PathBuf],
    soon: Duration,
    kills: usize,
    seed: u64,
) -> Killed {
    let writers = Writers::start(folder, seed);
    let mut dice = Dice::new(seed);
    let names =
        || watched.iter().map(|folder| fs::read_dir(folder).map_or(0, Iterator::count)).sum::<usize>();
    for _ in 0..kills {
        let mut child = start(folder, pipeline, &[], Stdio::null());
        if dice.one_in(2) {
            std::thread::sleep(Duration::from_millis(dice.below(1500)));
        } else {
            std::thread::sleep(Duration::from_millis(100));
            let before = names();
            for _ in 0..2000 {
                if names() != before {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_micros(dice.below(soon.as_micros() as u64)));
        }
        child.kill().expect("it runs");
        child.wait().expect("it is dead");
    }
    let lines = writers.stop();
    let last = start(folder, pipeline, &["--once"], Stdio::piped());
    let _patience = Patience::with(&last);
    let ended = last.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    Killed { lines, kills, said }
}

fn start(folder: &Path, pipeline: &Path, more: &[&str], stderr: Stdio) -> Child {
    let mut command = aludel();
    command.arg("run").arg(pipeline).arg("--data-dir").arg(folder.join("data")).args(["--admin", "off"]);
    command.args(more).stdout(Stdio::null()).stderr(stderr).spawn().expect("the program starts")
}

fn report(what: &str, killed: &Killed, read: &str, files: usize) {
    eprintln!(
        "{what}: {} kills, {} lines written; read back: {} in {files} files",
        killed.kills, killed.lines, read
    );
}

/// Files of an archive that readers see, below a folder.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                usize::from(path.extension().is_some_and(|e| e == "parquet"))
            }
        })
        .sum()
}

/// `ALUDEL_KILLS=200 cargo test --test all parquet_killed -- --nocapture`.
#[test]
fn an_archive_on_the_disk_has_each_line_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = pipeline(folder.path(), "archive", "");
    let archive = folder.path().join("archive");
    let watched = ["_aludel/tmp", "_aludel/commits"].map(|name| archive.join(name));
    let killed = kill_in_commits(folder.path(), &pipeline, &watched, Duration::from_millis(100), kills(), 7);
    match script("lines.py", &[&killed.lines.to_string(), &archive.to_string_lossy()]) {
        Ok(read) => report("on the disk", &killed, read.trim(), files(&archive)),
        Err(why) => skip(&why),
    }
    assert_eq!(fs::read_dir(archive.join("_aludel/tmp")).expect("a folder").count(), 0, "rubbish is removed");
}

#[test]
fn an_archive_in_s3_has_each_line_once() {
    let server = match S3Server::start() {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, "sesame-sesame").expect("written");
    let options = format!(
        "endpoint = \"http://{}\", region = \"us-east-1\", access_key_id = \"aludel\", \
         secret_access_key = secret(\"file:{}\")",
        server.address(),
        secret.display()
    );
    let pipeline = pipeline(folder.path(), "s3://logs/killed", &options);
    let watched = [folder.path().join("data/parquet/archive/staging")];
    // Some thirty requests make an epoch.
    let soon = Duration::from_millis(500);
    let killed = kill_in_commits(folder.path(), &pipeline, &watched, soon, kills().div_ceil(2), 8);
    match script("lines.py", &[&killed.lines.to_string(), "s3://logs/killed", &server.address()]) {
        Ok(read) => report("in S3", &killed, read.trim(), files(&server.bucket().join("killed"))),
        Err(why) => skip(&why),
    }
    // The last run aborted what those before it had begun.
    let uploads = server.bucket().join(".sgwtmp/multipart");
    let left = fs::read_dir(uploads).map_or(0, Iterator::count);
    assert_eq!(left, 0, "uploads of killed runs are aborted");
}

/// Kills what it holds when dropped.
struct Killer(Child);

impl Drop for Killer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file system of its own that is full at some point; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf, mib: u32) -> Option<Self> {
        fs::create_dir_all(&folder).expect("a folder");
        let size = format!("size={mib}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    fn grow(&self, mib: u32) {
        let size = format!("remount,size={mib}m");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.0).status().expect("mount").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The archive's disk is full for a while: it is said, nothing is lost or broken, another sink goes on, and when
/// there is space again the archive has every line once.
#[test]
fn a_full_disk_is_said_and_survived() {
    const LINES: u64 = 20_000;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(folder.path().join("disk"), 1) else {
        // Not loud in CI: who is not root has the same on a disk in memory (`a_full_disk_loses_nothing`).
        println!("SKIPPED: no small file system can be mounted here");
        return;
    };
    let archive = disk.0.join("archive");
    let pipeline = pipeline(folder.path(), &archive.to_string_lossy(), "");
    let text =
        fs::read_to_string(&pipeline).expect("a pipeline").replace("| to archive", "| to archive, out");
    fs::write(&pipeline, text + "sink out = file \"out.ndjson\"\n").expect("written");
    let logs = folder.path().join("in");
    fs::create_dir_all(&logs).expect("a folder");
    let filler = "0123456789abcdef".repeat(20);
    let text: String = (0..LINES).map(|line| format!("line {line} {filler}{line}\n")).collect();
    fs::write(logs.join("a.log"), text).expect("written");

    let said = folder.path().join("said");
    let stderr = Stdio::from(fs::File::create(&said).expect("a file"));
    let mut running = Killer(start(folder.path(), &pipeline, &[], stderr));
    let says = |what: &str| fs::read_to_string(&said).expect("text").contains(what);
    wait_for("it to be said", || says("disk/archive: No space left on device"));
    let others = folder.path().join("out.ndjson");
    wait_for("the other sink", || {
        fs::read_to_string(&others).unwrap_or_default().matches('\n').count() as u64 == LINES
    });
    disk.grow(64);
    wait_for("it to go on", || says("sink archive delivers again"));
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    // What it was not offered while it did not keep up is read again, by the next run if not by this one.
    let patience = Patience::with(&running.0);
    running.0.wait().expect("it ends");
    drop(patience);
    let mut last = start(folder.path(), &pipeline, &["--once"], Stdio::null());
    let _patience = Patience::with(&last);
    assert!(last.wait().expect("it ends").success());
    match script("lines.py", &[&LINES.to_string(), &archive.to_string_lossy()]) {
        Ok(read) => println!("a full disk: read back {}", read.trim()),
        Err(why) => skip(&why),
    }
}
