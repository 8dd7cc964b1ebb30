//! Dead letters and the ledger, by the program as a user runs it: rows that steps and sinks refuse, the letters
//! about them, and the books.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::elasticsearch::bulk_server::{Server, Store};
use crate::patience::Patience;

/// Runs the program in a folder.
fn aludel(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
    command.current_dir(folder).env_remove("ALUDEL_DATA_DIR").env_remove("ALUDEL_ADMIN").stdin(Stdio::null());
    command.args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A pipeline into a server that takes everything but what says `refuse`.
fn shop(folder: &Path, server: &Server) -> PathBuf {
    fs::create_dir_all(folder.join("in")).expect("a folder");
    let pipeline = format!(
        r#"
source pods = files "in/*.log" {{ start = beginning }}
sink es = elasticsearch "{}" {{ data_stream = "logs-shop-default" }}
pipeline web {{
  from pods
  | drop "noise" when .message contains "noise"
  | reject "odd" when .message contains "odd"
  | to es
}}
"#,
        server.url()
    );
    let file = folder.join("shop.aludel");
    fs::write(&file, pipeline).expect("written");
    file
}

/// The lines of one file of each kind: `(good, noise, odd, refused)` bytes in the end.
fn write_lines(path: &Path, lines: u64) -> [u64; 4] {
    let (mut text, mut bytes) = (String::new(), [0; 4]);
    for n in 0..lines {
        let kind = [0, 0, 1, 0, 2, 3, 0][n as usize % 7];
        let line = format!("{} line {n}\n", ["good", "noise", "odd", "refuse"][kind]);
        bytes[kind] += line.len() as u64;
        text.push_str(&line);
    }
    fs::write(path, text).expect("written");
    bytes
}

fn refusing() -> Server {
    let server = Server::start(&[]);
    *server.store() = Store { refuses: Some("refuse line".into()), ..Store::default() };
    server
}

/// What a sink refuses is not delivered: the books say so to the byte.
#[test]
fn refused_rows_are_in_the_books_as_dead_letters() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = refusing();
    shop(folder.path(), &server);
    let [good, noise, odd, refused] = write_lines(&folder.path().join("in/a.log"), 700);
    let run =
        aludel(folder.path(), &["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data"]);
    let said = text(&run.stderr);
    let (dead, read) = (odd + refused, good + noise + odd + refused);
    let books = format!(
        "ledger pods → es: read {read} = delivered {good} + dropped {noise} + dead-lettered {dead} + in flight 0 + gap 0 bytes"
    );
    assert!(said.contains(&books), "{books}\n{said}");
    assert!(run.status.success(), "{said}");
}

fn letters(folder: &Path) -> Vec<serde_json::Value> {
    let mut segments: Vec<_> = fs::read_dir(folder.join("data/dead-letters"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    segments.sort();
    let text: String = segments.iter().map(|path| fs::read_to_string(path).expect("text")).collect();
    text.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect()
}

/// A letter says who, where, why and which version, and holds the bytes as they were read, those that are no UTF-8
/// too. Only its owner may read it.
#[test]
fn letters_keep_the_original_bytes() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let server = refusing();
    let pipeline = shop(folder.path(), &server);
    let lines: [&[u8]; 4] = [
        b"good line\n",
        b"an odd line\n",
        b"2026-11-26T10:00:00.000000001Z stderr F so refuse line \xff\n",
        b"2026-11-26T10:00:00.000000002Z stderr F so refuse line of text\r\n",
    ];
    fs::write(folder.path().join("in/a.log"), lines[..2].concat()).expect("written");
    fs::write(folder.path().join("in/b.log"), lines[2..].concat()).expect("written");
    let run =
        aludel(folder.path(), &["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let mut letters = letters(folder.path());
    letters.sort_by_key(|letter| (letter["stream"].to_string(), letter["start"].as_u64()));
    assert_eq!(letters.len(), 3);
    let [odd, binary, plain] = &letters[..] else { panic!("three letters") };
    assert_eq!(odd["stage"], "step");
    assert_eq!(
        (&odd["by"], &odd["error"], &odd["original"]),
        (&"web".into(), &"odd".into(), &"an odd line\n".into())
    );
    assert_eq!((odd["start"].as_u64(), odd["end"].as_u64()), (Some(10), Some(22)));
    for letter in [binary, plain] {
        assert_eq!(
            (&letter["stage"], &letter["by"], &letter["pipeline"]),
            (&"sink".into(), &"es".into(), &"web".into())
        );
        assert_eq!(letter["lane"], 1);
        assert!(
            letter["error"].as_str().is_some_and(|error| error.starts_with("document_parsing_exception: "))
        );
        assert!(letter["stream"].as_str().is_some_and(|path| path.ends_with("/in/b.log")));
        assert_eq!(letter["version"].as_str().map(str::len), Some(12));
        assert_eq!(letter["id"].as_str().map(str::len), Some(36));
    }
    let base64 = binary["original_base64"].as_str().expect("base64");
    assert_eq!(data_encoding::BASE64.decode(base64.as_bytes()).expect("base64"), lines[2]);
    assert_eq!(plain["original"].as_str().map(str::as_bytes), Some(lines[3]));
    let segment = fs::read_dir(folder.path().join("data/dead-letters")).expect("a folder").next();
    let mode =
        segment.expect("a segment").expect("an entry").metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(pipeline);
}

/// Numbers of the lines that the server has.
fn delivered(server: &Server) -> Vec<u64> {
    let mut numbers: Vec<u64> = (server.store().documents.values())
        .map(|document| {
            let document: serde_json::Value = serde_json::from_str(document).expect("a document");
            let message = document["message"].as_str().expect("a message");
            message.trim_end().rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The whole life of a letter: listed, shown, tried with a new pipeline without a trace, replayed under the id that
/// the event had, marked, and not replayed twice. What is refused again is a letter again.
#[test]
fn letters_are_replayed_once_under_their_old_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = refusing();
    let pipeline = shop(folder.path(), &server);
    write_lines(&folder.path().join("in/a.log"), 70);
    let data = ["--data-dir", "data"];
    let dlq = |arguments: &[&str]| {
        let run = aludel(folder.path(), &[&["dlq"], arguments, &data].concat());
        (run.status.code(), text(&run.stdout), text(&run.stderr))
    };
    let run =
        aludel(folder.path(), &["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let kept = letters(folder.path());
    assert_eq!(kept.len(), 20);
    let (_, listed, _) = dlq(&["ls"]);
    assert!(listed.contains("        10  sink    es  document_parsing_exception\n"), "{listed}");
    assert!(listed.contains("        10  step    web  odd\n"), "{listed}");

    let refused = kept.iter().find(|letter| letter["stage"] == "sink").expect("one");
    let id = refused["id"].as_str().expect("an id");
    let (_, shown, _) = dlq(&["show", id]);
    assert!(
        shown.contains("original   refuse line 5\n") && shown.contains("state      waiting\n"),
        "{shown}"
    );

    // A pipeline that mends one kind, in a dry run.
    let mended = fs::read_to_string(&pipeline)
        .expect("text")
        .replace("  | reject \"odd\" when .message contains \"odd\"\n", "");
    fs::write(folder.path().join("mended.aludel"), mended).expect("written");
    let before = delivered(&server);
    let (code, out, said) = dlq(&["replay", "--pipeline", "mended.aludel", "--dry-run", "--by", "web"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        out.lines().filter(|line| line.starts_with("es {") && line.contains("odd line")).count(),
        10,
        "{out}"
    );
    assert_eq!((delivered(&server), letters(folder.path()).len()), (before.clone(), 20));

    // For good: the server still refuses the others.
    let (code, _, said) = dlq(&["replay", "--pipeline", "mended.aludel"]);
    assert!(said.contains("20 letters replayed; 10 events were refused again"), "{said}");
    assert_eq!(code, Some(1));
    assert_eq!(delivered(&server).len(), before.len() + 10);
    let (_, listed, _) = dlq(&["ls"]);
    assert!(listed.contains("        10  sink    es") && !listed.contains("odd"), "{listed}");
    let again = letters(folder.path());
    assert_eq!(again.len(), 30);
    assert_eq!(again.iter().filter(|letter| letter["id"] == id).count(), 2);

    // The server mends its ways; the files that ran last are the default.
    server.store().refuses = None;
    let (code, _, said) = dlq(&["replay"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("10 letters replayed; 0 events"), "{said}");
    assert!(server.store().documents.keys().any(|(_, stored)| stored == id), "the same id as at first");
    assert_eq!(delivered(&server).len(), before.len() + 20);
    let conflicts = server.store().conflicts;
    let (code, _, said) = dlq(&["replay"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "0 letters replayed; 0 events were refused again and are letters anew\n")
    );
    assert_eq!(server.store().conflicts, conflicts);
    let (_, listed, _) = dlq(&["ls"]);
    assert_eq!(listed, "no dead letters\n");
}

/// What `audit` says of a run that dropped, rejected and was refused: all of it to the byte, and still so after
/// another run added to it.
#[test]
fn an_audit_answers_from_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = refusing();
    shop(folder.path(), &server);
    let run = || {
        let arguments = ["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data"];
        let run = aludel(folder.path(), &arguments);
        assert!(run.status.success(), "{}", text(&run.stderr));
    };
    let audit = |more: &[&str]| {
        let run = aludel(folder.path(), &[&["audit", "--data-dir", "data"], more].concat());
        (run.status.code(), text(&run.stdout) + &text(&run.stderr))
    };
    let first = write_lines(&folder.path().join("in/a.log"), 70);
    run();
    let second = write_lines(&folder.path().join("in/b.log"), 700);
    run();
    let [good, noise, odd, refused] = [0, 1, 2, 3].map(|kind| first[kind] + second[kind]);
    let (code, page) = audit(&[]);
    let lines: Vec<_> = page.lines().collect();
    assert_eq!(code, Some(3), "{page}");
    assert_eq!(lines[0], "nothing lost; 220 dead letters wait (aludel dlq ls)");
    let all: u64 = [good, noise, odd, refused].iter().sum();
    let number = aludel::shown::number;
    let books = format!(
        "  → es: settled {} = delivered {} + dropped {} + dead-lettered {} + gap 0; in flight 0",
        number(all),
        number(good),
        number(noise),
        number(odd + refused)
    );
    assert!(
        lines.contains(&"source pods: 2 streams, all read") && lines.contains(&books.as_str()),
        "{books}\n{page}"
    );
    let reason = |word: &str, bytes: u64, reason: &str| {
        format!("      {word:<13} {:>14} bytes  {reason}", number(bytes))
    };
    for line in [
        reason("dropped", noise, "noise"),
        reason("dead-lettered", odd, "odd"),
        reason("dead-lettered", refused, "document_parsing_exception"),
    ] {
        assert!(lines.contains(&line.as_str()), "{line}\n{page}");
    }
    let (_, one) = audit(&["a.log"]);
    assert!(one.starts_with("nothing lost; 20 dead letters wait"), "{one}");
    assert!(
        one.contains(&format!("settled {}", number(first.iter().sum()))) && !one.contains("b.log"),
        "{one}"
    );
    let (_, json) = audit(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["nothing_lost"], &json["dead_letters_waiting"]), (&true.into(), &220.into()));
    assert_eq!(json["ledger"]["sources"]["pods"]["sinks"]["es"]["delivered"], good);

    // Somebody looks after the letters; then a file is cut before it was read on.
    server.store().refuses = None;
    fs::write(
        folder.path().join("mended.aludel"),
        fs::read_to_string(folder.path().join("shop.aludel"))
            .expect("text")
            .replace("  | reject \"odd\" when .message contains \"odd\"\n", ""),
    )
    .expect("written");
    let replay =
        aludel(folder.path(), &["dlq", "replay", "--pipeline", "mended.aludel", "--data-dir", "data"]);
    assert!(replay.status.success(), "{}", text(&replay.stderr));
    let (code, page) = audit(&[]);
    assert_eq!((code, page.lines().next()), (Some(0), Some("nothing lost")), "{page}");
}

/// A folder without room holds everything up, loses nothing, and goes on as soon as somebody makes room.
#[test]
fn full_dead_letters_block_and_room_lets_go() {
    use std::io::BufRead;

    let folder = tempfile::tempdir().expect("a folder");
    let server = refusing();
    shop(folder.path(), &server);
    let bytes = write_lines(&folder.path().join("in/a.log"), 7000);
    let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
    command.current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::piped());
    command.args(["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data", "--quiet"]);
    let mut running = command.args(["--dead-letters-limit", "200KiB"]).spawn().expect("the program starts");
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(running.stderr.take().expect("piped")).lines();
    let mut kept = 0;
    let count = |path: &Path| fs::read_to_string(path).expect("text").lines().count();
    for line in lines.by_ref().map(|line| line.expect("text")) {
        said.push_str(&line);
        said.push('\n');
        if line.contains("the dead letters have reached their bound") {
            break;
        }
    }
    // Each time there is hardly room, all segments but the one that may be open are taken away, until all is written.
    for _ in 0..1000 {
        if running.try_wait().expect("a process").is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let Ok(listed) = fs::read_dir(folder.path().join("data/dead-letters")) else { continue };
        let mut segments: Vec<_> = listed.map(|entry| entry.expect("an entry").path()).collect();
        segments.sort();
        let size: u64 = segments.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
        if size > 150 * 1024 {
            segments.pop();
            kept += segments.iter().map(|path| count(path)).sum::<usize>();
            segments.iter().for_each(|path| fs::remove_file(path).expect("removed"));
        }
    }
    let _patience = Patience::with(&running);
    for line in lines {
        said.push_str(&line.expect("text"));
        said.push('\n');
    }
    assert!(running.wait().expect("it ends").success(), "{said}");
    kept += letters(folder.path()).len();
    assert_eq!(kept, 2000, "{said}");
    let books = format!("dead-lettered {} + in flight 0", bytes[2] + bytes[3]);
    assert!(said.contains(&books), "{books}\n{said}");
}

/// Killed again and again while a file grows, rows are refused and letters written: the ledger on disk tells of every
/// byte, and each refused event has a letter.
#[test]
fn an_audit_stands_kill_9() {
    const LIVES: u32 = 4;
    let folder = tempfile::tempdir().expect("a folder");
    let server = refusing();
    shop(folder.path(), &server);
    let path = folder.path().join("in/a.log");
    let mut all = [0; 4];
    for life in 0..LIVES {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&path).expect("opened");
        let part = folder.path().join("part");
        let bytes = write_lines(&part, 7000);
        (0..4).for_each(|kind| all[kind] += bytes[kind]);
        std::io::Write::write_all(&mut file, &fs::read(&part).expect("read")).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
        command.current_dir(folder.path()).stdin(Stdio::null()).stderr(Stdio::null());
        command.args(["run", "shop.aludel", "--admin", "off", "--data-dir", "data", "--quiet"]);
        let mut running = command.spawn().expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(u64::from(life * life) * 120 + 80));
        running.kill().expect("killed");
        running.wait().expect("dead");
    }
    let run =
        aludel(folder.path(), &["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let audit = aludel(folder.path(), &["audit", "--data-dir", "data", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    assert_eq!((audit.status.code(), &json["nothing_lost"]), (Some(3), &true.into()), "{json}");
    let sums = &json["ledger"]["sources"]["pods"]["sinks"]["es"];
    let of = |name: &str| sums[name].as_u64().expect("a number");
    let by_reason = |name: &str| -> u64 {
        sums[name].as_object().expect("reasons").values().filter_map(serde_json::Value::as_u64).sum()
    };
    let settled = of("delivered") + by_reason("dropped") + by_reason("dead_lettered") - of("again");
    assert_eq!((settled, of("unknown"), of("in_flight")), (all.iter().sum(), 0, 0), "{json}");
    // A crash may write a letter twice; nobody is told of it twice.
    assert_eq!(json["dead_letters_waiting"], LIVES * 2000);
    assert_eq!(server.store().documents.len(), LIVES as usize * 4000);
}
