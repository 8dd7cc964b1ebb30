//! The program as a user runs it: from the command line, on real files.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use aludel::seam::{Clock, RealClock};

use crate::patience::Patience;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn aludel() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
    command.current_dir(root()).env_remove("ALUDEL_DATA_DIR").env_remove("ALUDEL_ADMIN").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(arguments: &[&str]) -> Output {
    aludel().args(arguments).output().expect("the program starts")
}

/// A pipeline file in a folder of its own, which ships lines of `in/*.log` to `out.ndjson`.
fn lines_pipeline(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder.join("in")).expect("a folder");
    let file = folder.join("lines.aludel");
    let pipeline = r#"
source lines = files "in/*.log" { format = lines, start = beginning }
sink out = file "out.ndjson"
pipeline lines { from lines | to out }
"#;
    fs::write(&file, pipeline).expect("written");
    file
}

pub(crate) fn numbers(out: &Path) -> Vec<u64> {
    let text = fs::read_to_string(out).unwrap_or_default();
    text.lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("an event");
            let message = event["message"].as_str().expect("a message");
            message.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
        })
        .collect()
}

pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(pipeline: &Path, data: &Path, more: &[&str]) -> Self {
        let mut command = aludel();
        command.arg("run").arg(pipeline).arg("--data-dir").arg(data).args(more);
        Self(command.stderr(Stdio::piped()).spawn().expect("the program starts"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
    }

    /// Ends by itself within a time (else it is killed and there is no code).
    pub(crate) fn end_within(mut self, time: Duration) -> (Option<i32>, String) {
        let clock = RealClock::start();
        while clock.monotonic() < time && self.0.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        self.end()
    }

    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let _patience = Patience::with(&self.0);
        let status = self.0.wait().expect("it ends");
        let mut said = String::new();
        self.0.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        (status.code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Dead for good, so that the next one finds the data folder free.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let clock = RealClock::start();
    while !done() {
        assert!(clock.monotonic() < Duration::from_secs(60), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A batch that is full of pieces is handed on like one that is full of bytes, and a sink that nothing wakes does
/// not take a core while it waits.
#[test]
fn more_files_than_a_batch_has_room_for_and_an_idle_sink_that_rests() {
    const FILES: u64 = 1500;
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = lines_pipeline(folder.path());
    for number in 0..FILES {
        fs::write(folder.path().join(format!("in/{number}.log")), format!("{number}\n")).expect("written");
    }
    let out = folder.path().join("out.ndjson");
    let running = Running::start(&pipeline, &folder.path().join("data"), &["--quiet", "--admin", "off"]);
    for _ in 0..600 {
        // A line may be seen half written here.
        if fs::read_to_string(&out).unwrap_or_default().matches('\n').count() as u64 == FILES {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut all = numbers(&out);
    all.sort_unstable();
    assert!(all.into_iter().eq(0..FILES));
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", running.0.id())).expect("it runs");
        let fields = stat.rsplit_once(')').expect("a name").1;
        fields
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("ticks"))
            .sum()
    };
    std::thread::sleep(Duration::from_secs(1));
    let before = ticks();
    std::thread::sleep(Duration::from_secs(2));
    // Of 200 ticks; one that spins takes nearly all of them.
    assert!(ticks() - before < 50, "{} of 200 ticks while idle", ticks() - before);
}

#[test]
fn the_quickstart_reads_parses_and_archives() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // Its own copy, so that the archive does not land among the fixtures of the checkout.
    let copied = Command::new("cp").arg("-r").arg(root().join("fixtures")).arg(folder.path()).status();
    assert!(copied.expect("cp").success());
    fs::create_dir(folder.path().join("pipelines")).expect("a folder");
    let pipeline = folder.path().join("pipelines/quickstart.aludel");
    fs::copy(root().join("pipelines/quickstart.aludel"), &pipeline).expect("copied");
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    for part in ["nginx.access", "java", "python", "json", "parsed", "delivered", "in flight 0 + gap 0"] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert!(folder.path().join("archive").is_dir(), "{said}");
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing new since the last run"), "{said}");
}

#[test]
fn wrong_usage_says_what_to_do() {
    for (arguments, code, parts) in [
        (&["run"][..], 2, &["<FILE>"][..]),
        (&["run", "--onse", "x"], 2, &["--once"]),
        (&["run", "no/such.aludel"], 1, &["cannot read no/such.aludel"]),
        (&["explain", "splt"], 1, &["split"]),
        (&["run", "--admin", "nowhere", "pipelines/quickstart.aludel"], 1, &["--admin nowhere"]),
    ] {
        let out = run(arguments);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{arguments:?}\n{said}");
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part} in\n{said}");
        }
    }
}

/// An access log and an error log on one stdout: every line is parsed as what it is, the stream's answer does not change
/// with every line, and how sure it is is said.
#[test]
fn two_formats_on_one_stream_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out.ndjson"));
    let logs = root().join("fixtures/captured/nginx");
    let read = |name: &str| text(&fs::read(logs.join(name)).expect("a captured log"));
    let (access, error) = (read("access.log"), read("error.log"));
    let (mut stdout, mut lines) = (String::new(), [0, 0]);
    for (number, one) in access.lines().take(120).enumerate() {
        let other = error.lines().nth(number / 2).filter(|_| number % 2 == 0);
        for (kind, line) in [(0, Some(one)), (1, other)] {
            let Some(line) = line else { continue };
            stdout += &format!("2024-05-06T07:08:09.{number:03}Z stdout F {line}\n");
            lines[kind] += 1;
        }
    }
    fs::create_dir_all(folder.path().join("in")).expect("a folder");
    fs::write(folder.path().join("in/web.log"), stdout).expect("written");
    let pipeline = folder.path().join("web.aludel");
    let text_of = r#"
source web = files "in/*.log" { format = cri, start = beginning }
sink out = file "out.ndjson"
pipeline web { from web | parse .message as auto else reject "no format is like this" | to out }
"#;
    fs::write(&pipeline, text_of).expect("written");
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    let events = fs::read_to_string(out).expect("events");
    let count = |part: &str| events.lines().filter(|line| line.contains(part)).count();
    assert_eq!([count("\"nginx.access\""), count("\"nginx.error\"")], lines, "{said}");
    for part in [format!("{} told by auto", lines[0]), "web.log: nginx.access takes ".to_owned()] {
        assert!(said.contains(&part), "{part} in\n{said}");
    }
    assert!(!said.contains("from message"), "the answer changed:\n{said}");
    let explained = text(&run(&["explain", &pipeline.to_string_lossy()]).stdout);
    let about = text(&run(&["explain", "auto"]).stdout);
    for part in ["last 64 messages", "one order, the narrow ones first"] {
        assert!(explained.contains(part) && about.contains(part), "{part} in\n{explained}\n{about}");
    }
    assert!(about.contains("  logstash.log, where it holds \"[logstash.\" or "), "{about}");
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = lines_pipeline(folder.path());
    let (data, out) = (folder.path().join("data"), folder.path().join("out.ndjson"));
    let log = folder.path().join("in/a.log");
    fs::write(&log, "1\n2\n3\n").expect("written");
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    let mut file = fs::OpenOptions::new().append(true).open(&log).expect("opened");
    file.write_all(b"4\n5\n").expect("written");
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(numbers(&out), [1, 2, 3, 4, 5], "{said}");
}

#[test]
fn a_killed_process_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = lines_pipeline(folder.path());
    let (data, out) = (folder.path().join("data"), folder.path().join("out.ndjson"));
    let log = folder.path().join("in/a.log");
    let mut next = 0u64;
    for _ in 0..3 {
        let running = Running::start(&pipeline, &data, &["--admin", "off", "--quiet"]);
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&log).expect("opened");
        for _ in 0..2000 {
            writeln!(file, "{next}").expect("written");
            next += 1;
        }
        wait_for("some lines", || numbers_seen(&out) > next - 1500);
        running.signal("-KILL");
    }
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(0), "{said}");
    let mut seen = numbers(&out);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..next).collect::<Vec<_>>());
}

fn numbers_seen(out: &Path) -> u64 {
    fs::read_to_string(out).map_or(0, |text| text.lines().count() as u64)
}

#[test]
fn signals_drain_reload_and_quit() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = lines_pipeline(folder.path());
    let (data, out) = (folder.path().join("data"), folder.path().join("out.ndjson"));
    fs::write(folder.path().join("in/a.log"), "1\n2\n").expect("written");
    let running = Running::start(&pipeline, &data, &["--admin", "off"]);
    wait_for("the first lines", || numbers_seen(&out) == 2);
    // A file that does not compile leaves the old one running.
    let good = fs::read_to_string(&pipeline).expect("read");
    fs::write(&pipeline, good.replace("to out", "to nowhere")).expect("written");
    running.signal("-HUP");
    std::thread::sleep(Duration::from_millis(300));
    let mut file = fs::OpenOptions::new().append(true).open(folder.path().join("in/a.log")).expect("opened");
    writeln!(file, "3").expect("written");
    wait_for("a line after the failed reload", || numbers_seen(&out) == 3);
    fs::write(&pipeline, good.replace("out.ndjson", "other.ndjson")).expect("written");
    running.signal("-HUP");
    std::thread::sleep(Duration::from_millis(300));
    writeln!(file, "4").expect("written");
    let other = folder.path().join("other.ndjson");
    wait_for("a line after the reload", || numbers_seen(&other) == 1);
    running.signal("-TERM");
    let (code, said) = running.end_checked();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nowhere") && said.contains("ledger lines → out"), "{said}");
    assert_eq!(numbers(&out), [1, 2, 3]);
    assert_eq!(numbers(&other), [4]);
}

impl Running {
    fn end_checked(mut self) -> (Option<i32>, String) {
        let clock = RealClock::start();
        while self.0.try_wait().expect("asked").is_none() {
            assert!(clock.monotonic() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.end()
    }
}

#[test]
fn two_processes_do_not_share_a_data_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = lines_pipeline(folder.path());
    let data = folder.path().join("data");
    fs::write(folder.path().join("in/a.log"), "1\n").expect("written");
    let first = Running::start(&pipeline, &data, &["--admin", "off"]);
    wait_for("the first to run", || numbers_seen(&folder.path().join("out.ndjson")) == 1);
    let (code, said) = Running::start(&pipeline, &data, &["--once", "--admin", "off"]).end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use by another aludel"), "{said}");
    drop(first);
}

/// Asks the admin address for a page.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).expect("connected");
    write!(socket, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned());
    (status, body)
}

#[test]
fn the_admin_pages_answer_and_pass_the_lint() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = lines_pipeline(folder.path());
    let out = folder.path().join("out.ndjson");
    fs::write(folder.path().join("in/a.log"), "1\n2\n").expect("written");
    let address = "127.0.0.1:19617";
    let running = Running::start(&pipeline, &folder.path().join("data"), &["--admin", address, "--quiet"]);
    let delivered = "aludel_sink_delivered_events_total{sink=\"out\"} 2";
    wait_for("the lines", || numbers_seen(&out) == 2 && get(address, "/metrics").1.contains(delivered));
    assert_eq!(get(address, "/livez").0, 200);
    assert_eq!(get(address, "/readyz").0, 200);
    assert_eq!(get(address, "/nothing").0, 404);
    let (status, page) = get(address, "/metrics");
    assert_eq!(status, 200);
    assert!(page.contains("aludel_source_messages_total{source=\"lines\"} 2"), "{page}");
    lint(&page);
    running.signal("-TERM");
    running.end_checked();
}

/// `promtool check metrics`, where there is one.
fn lint(page: &str) {
    let lint = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut lint) = lint else {
        assert!(std::env::var_os("CI").is_none(), "promtool is missing; tests/install.sh installs it");
        eprintln!("SKIPPED: promtool is not installed, /metrics was not linted");
        return;
    };
    // promtool reads the classic text format, which has no `# UNIT` and `# EOF`, and names counters in full.
    let counters: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let classic: String = page
        .lines()
        .filter(|line| !line.starts_with("# UNIT") && *line != "# EOF")
        .map(|line| {
            let name = line.split(' ').nth(2).unwrap_or_default();
            let full = line.starts_with("# ") && counters.contains(&name);
            if full {
                line.replacen(name, &format!("{name}_total"), 1) + "\n"
            } else {
                line.to_owned() + "\n"
            }
        })
        .collect();
    lint.stdin.take().expect("piped").write_all(classic.as_bytes()).expect("written");
    let out = lint.wait_with_output().expect("it ends");
    assert!(out.status.success(), "{}\n{classic}", text(&out.stderr));
}

#[test]
fn a_profile_shows_each_step_and_what_cannot_be_read_is_said() {
    let log = "fixtures/containers/db-0_data_postgres-fd3e512e2480f961d174b3a8d9473f2b88b13d4cc57b8f3137a454198cd8e020.log";
    let profile = |input: &[&str]| {
        let head = ["explain", "--profile", "pipelines/quickstart.aludel", "--repeat", "2", "--input"];
        let out = run(&[&head, input].concat());
        (out.status.code(), text(&out.stdout) + &text(&out.stderr))
    };
    let (code, said) = profile(&[log, log]);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "ns an event",
        "read and frame",
        "| parse .message as nginx.access or",
        "as postgresql.log",
        "encode for archive",
        "totals are of 2 passes",
        "what to change",
    ] {
        assert!(said.contains(part), "no {part}:\n{said}");
    }
    let (code, said) = profile(&[log, "fixtures/nothing.log"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "error: cannot read fixtures/nothing.log: No such file or directory (os error 2)\n")
    );
    let empty = tempfile::NamedTempFile::new().expect("a file");
    let (code, said) = profile(&[&empty.path().to_string_lossy()]);
    assert_eq!((code, said.as_str()), (Some(1), "error: there is no event in the input\n"));
    let (code, said) = profile(&["fixtures"]);
    assert_eq!((code, said.as_str()), (Some(1), "error: fixtures is not a file\n"));
    let (code, said) = {
        let out = run(&["explain", "--profile", "pipelines/quickstart.aludel"]);
        (out.status.code(), text(&out.stderr))
    };
    assert!(code == Some(2) && said.contains("--input"), "{said}");
}
