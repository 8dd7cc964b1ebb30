//! `aludel spool` as a user runs it, over spools that were written with a clock that stands still.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aludel::position::{CursorRecord, Ranges, StreamId};
use aludel::seam::RealFs;
use aludel::spool::{CursorLog, DataDir, Limit, Spool, WhenFull, spool_folder};

const NOON: i64 = 1_767_268_800_000_000_000;
const STREAM: StreamId = StreamId(42);

fn spool(data: &Path, arguments: &[&str]) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_aludel"))
        .arg("spool")
        .args(arguments)
        .args(["--data-dir", data.to_str().expect("plain")])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.code().expect("it ends"), said.replace(data.to_str().expect("plain"), "DATA"))
}

/// A data folder with messages of two peers, and a stream of bytes.
fn written() -> tempfile::TempDir {
    let data = tempfile::tempdir().expect("a folder");
    let fs = Arc::new(RealFs);
    let limit = Limit { bytes: 1 << 20, when_full: WhenFull::Block };
    let open = |name: &str| {
        Spool::open(fs.clone(), &spool_folder(data.path(), name), limit, STREAM).expect("a spool").0
    };
    let mut inbox = open("inbox");
    for (number, peer) in ["192.0.2.1:514", "192.0.2.2:514", "192.0.2.1:514"].into_iter().enumerate() {
        let at = NOON + number as i64 * 1_000_000_000;
        inbox.push_message(0, peer, at, format!("message {number}").as_bytes());
        inbox.sync(at).expect("space");
    }
    let mut piped = open("piped");
    piped.push_bytes("<stdin>", NOON, b"one\ntwo\nthr");
    piped.push_bytes("<stdin>", NOON, b"ee\nfour");
    piped.push_cut(NOON, true);
    piped.sync(NOON).expect("space");
    let (mut log, _) = CursorLog::open(fs, data.path()).expect("a log");
    let mut settled = Ranges::default();
    settled.insert(18..27);
    log.put(&CursorRecord { stream: STREAM, generation: 0, sink: "es".into(), low: 9, settled });
    log.commit().expect("space");
    data
}

#[test]
fn a_spool_is_listed() {
    let data = written();
    assert_eq!(
        spool(data.path(), &["ls", "inbox"]),
        (
            0,
            "inbox\n  219 B in 1 segment, 3 messages\n  positions 0 to 27\n  received 2026-01-01T12:00:00.000Z to \
             2026-01-01T12:00:02.000Z\n  sink es: has all before 9, 9 B to go\n"
                .to_owned()
        )
    );
    let (code, said) = spool(data.path(), &["ls"]);
    assert_eq!(code, 0);
    assert!(said.contains("piped\n") && said.contains("2 pieces of a stream"), "{said}");
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(spool(empty.path(), &["ls"]), (0, "nothing is spooled in DATA\n".to_owned()));
    let (code, said) = spool(data.path(), &["ls", "nobody"]);
    assert_eq!((code, said.contains("there are: inbox, piped")), (1, true), "{said}");
}

#[test]
fn what_is_spooled_is_read_again() {
    let data = written();
    let lines = [
        r#"{"position":0,"end":9,"received":"2026-01-01T12:00:00.000Z","peer":"192.0.2.1:514","message":"message 0"}"#,
        r#"{"position":9,"end":18,"received":"2026-01-01T12:00:01.000Z","peer":"192.0.2.2:514","message":"message 1"}"#,
        r#"{"position":18,"end":27,"received":"2026-01-01T12:00:02.000Z","peer":"192.0.2.1:514","message":"message 2"}"#,
    ];
    let all = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(spool(data.path(), &["replay", "inbox"]), (0, all(&lines)));
    assert_eq!(spool(data.path(), &["replay", "inbox", "--from", "9", "--to", "18"]), (0, all(&lines[1..2])));
    let since = ["replay", "inbox", "--since", "2026-01-01T12:00:01Z", "--until", "2026-01-01T12:00:02Z"];
    assert_eq!(spool(data.path(), &since), (0, all(&lines[1..2])));
    let raw = |source| spool(data.path(), &["replay", source, "--format", "raw"]);
    assert_eq!(raw("inbox"), (0, "message 0\nmessage 1\nmessage 2\n".to_owned()));
    assert_eq!(raw("piped"), (0, "one\ntwo\nthree\nfour".to_owned()));
    let (code, said) = spool(data.path(), &["replay", "piped"]);
    assert_eq!((code, said.lines().count()), (0, 4), "{said}");
    assert!(said.contains(r#""position":8,"end":14,"received":"2026-01-01T12:00:00.000Z","peer":"<stdin>","message":"three""#), "{said}");
    let pipeline = data.path().join("site.aludel");
    let text = "source piped = stdin\nsink out = stdout\npipeline p {\n  from piped\n  | drop \"no\" when .message == \"two\"\n  | set .size = 1\n  to out\n}\n";
    fs::write(&pipeline, text.replace("  to out", "  | to out")).expect("written");
    let through = ["replay", "piped", "--pipeline", pipeline.to_str().expect("plain")];
    let (code, said) = spool(data.path(), &through);
    assert_eq!(code, 0, "{said}");
    assert_eq!(
        said.lines().filter(|line| line.starts_with('{') && line.contains(r#""size":1"#)).count(),
        3,
        "{said}"
    );
}

#[test]
fn damage_is_found_and_set_aside() {
    let data = written();
    assert_eq!(spool(data.path(), &["verify"]).0, 0);
    let path = spool_folder(data.path(), "inbox").join(format!("{:020}.seg", 0));
    let mut bytes = fs::read(&path).expect("a segment");
    let at = bytes.windows(9).position(|window| window == b"message 1").expect("it is there");
    bytes[at] = b'M';
    bytes.extend_from_slice(&[9, 0, 0]);
    fs::write(&path, &bytes).expect("written");
    let (code, said) = spool(data.path(), &["verify"]);
    assert_eq!(
        (code, said.as_str()),
        (
            1,
            "inbox: bytes 115 to 167 of segment 0 are damaged: positions 9 to 18 are lost\ninbox: segment 0 ends \
             inside a record at byte 219\npiped: all 2 records are whole\n"
        )
    );
    let (code, said) = spool(data.path(), &["repair"]);
    assert_eq!(
        (code, said.as_str()),
        (
            0,
            "inbox: set aside 52 bytes at 115 of segment 0 as DATA/spool/inbox/quarantine/00000000000000000000-115.bad: \
             9 bytes of data are lost, positions 9 to 18\ninbox: cut 3 bytes off the torn end of segment 0\npiped: \
             nothing to repair\n"
        )
    );
    let aside = spool_folder(data.path(), "inbox").join("quarantine").join(format!("{:020}-115.bad", 0));
    assert_eq!(fs::read(aside).expect("kept"), &bytes[115..167]);
    let (code, said) = spool(data.path(), &["verify", "inbox"]);
    assert_eq!((code, said.as_str()), (0, "inbox: positions 9 to 18 are not there\n"));
    let (_, said) = spool(data.path(), &["replay", "inbox", "--format", "raw"]);
    assert_eq!(said, "message 0\nmessage 2\n");

    let lock = DataDir::lock(data.path()).expect("free");
    let (code, said) = spool(data.path(), &["repair"]);
    assert_eq!((code, said.contains("is in use by another aludel")), (1, true), "{said}");
    drop(lock);
}
