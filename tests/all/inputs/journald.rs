//! The `journald` source, on files that systemd wrote.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::rig::{Rig, wait_for};

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/source/journald");
    let packed = fs::read(folder.join(name)).expect("a fixture");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).expect("gzip");
    bytes
}

/// Writes as journald does: in place.
fn write_over(path: &Path, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.write_all_at(bytes, 0).expect("written");
    // What wakes those who watch: journald sets the length, to what it is.
    file.set_len(bytes.len() as u64).expect("set");
}

/// A file that grows, is rotated away and replaced, with kills between: each entry is there once.
#[test]
fn a_journal_is_followed_through_rotation_and_kill_9() {
    let mut rig = Rig::new("journald \"journal\"", "| parse .message as json else pass");
    let folder = rig.path("journal/0123456789abcdef0123456789abcdef");
    fs::create_dir_all(&folder).expect("a folder");
    let pipeline = fs::read_to_string(rig.path("p.aludel")).expect("text");
    let absolute = rig.path("journal").display().to_string();
    fs::write(rig.path("p.aludel"), pipeline.replace("\"journal\"", &format!("{absolute:?}")))
        .expect("written");
    let live = folder.join("system.journal");
    fs::File::create(&live)
        .and_then(|mut file| file.write_all(&fixture("compact.journal.gz")))
        .expect("written");
    rig.start();
    let events = rig.wait_for_events(66);
    assert_eq!(events[0]["log"]["level"], "error");
    assert!(events[0]["message"].as_str().is_some_and(|text| text.ends_with("\nValueError: no price")));
    assert_eq!(events[5]["@timestamp"], "2026-01-02T03:04:04.999995Z");
    // The cursor is written a little later than the event.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    rig.kill();
    write_over(&live, &fixture("grown.journal.gz"));
    // Rotated while nobody looked: the same file under another name, archived, and a fresh one.
    let mut archived = fixture("grown.journal.gz");
    archived[16] = 2;
    write_over(&live, &archived);
    fs::rename(&live, folder.join("system@5e9-1-2.journal")).expect("renamed");
    fs::write(&live, fixture("regular.journal.gz")).expect("written");
    rig.start();
    let events = rig.wait_for_events(366 + 66);
    let mut ids: Vec<_> =
        events.iter().map(|event| event["log"]["offset"].as_u64().expect("a position")).collect();
    ids.sort_unstable();
    ids.dedup();
    // Two files may have entries at the same place, and some have.
    assert!(ids.len() > 366, "{}", ids.len());
    let last = |name: &str| events.iter().filter(|event| event["message"] == name).count();
    assert_eq!((last("request 0"), last("request 59"), last("request 299")), (3, 3, 1));
    rig.stop();
    assert!(!rig.said().contains("warning"), "{}", rig.said());
}

#[test]
fn a_live_journal_is_followed_at_once() {
    let mut rig =
        Rig::new("journald \"journal\" { start = end, sweep = 50ms }", "| parse .message as json else pass");
    let folder = rig.path("journal");
    fs::create_dir_all(&folder).expect("a folder");
    let pipeline = fs::read_to_string(rig.path("p.aludel")).expect("text");
    let absolute = folder.display().to_string();
    fs::write(rig.path("p.aludel"), pipeline.replace("\"journal\"", &format!("{absolute:?}")))
        .expect("written");
    let live = folder.join("system.journal");
    fs::write(&live, fixture("compact.journal.gz")).expect("written");
    rig.start();
    wait_for("the start", || rig.path("data").join("lock").is_file() || rig.path("data").is_dir());
    std::thread::sleep(std::time::Duration::from_millis(500));
    write_over(&live, &fixture("grown.journal.gz"));
    let events = rig.wait_for_events(300);
    assert_eq!(events[0]["message"], "request 0");
    assert_eq!(events[299]["message"], "request 299");
}
