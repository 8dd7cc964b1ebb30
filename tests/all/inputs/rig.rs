//! The program with one source and a file as its sink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aludel::seam::{Clock, RealClock};
use serde_json::Value;

use super::wire::ask;
use crate::patience::Patience;

/// A folder with a pipeline file, the program's data and what comes out.
pub(super) struct Rig {
    pub(super) folder: tempfile::TempDir,
    running: Option<Child>,
}

/// A port that was free when it was asked for.
pub(super) fn free_port() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = socket.local_addr().expect("an address").port();
    // Free for datagrams too.
    UdpSocket::bind(("127.0.0.1", port)).map_or_else(|_| free_port(), |_| port)
}

impl Rig {
    /// `source` is what stands behind `source in =`, `steps` between `from` and `to`.
    pub(super) fn new(source: &str, steps: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pipeline = format!(
            "source net = {source}\nsink out = file \"out.ndjson\"\npipeline p {{ from net {steps} | to out }}\n"
        );
        fs::write(folder.path().join("p.aludel"), pipeline).expect("written");
        Self { folder, running: None }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
        command.env_remove("ALUDEL_DATA_DIR").env_remove("ALUDEL_ADMIN").stdin(Stdio::null());
        command.arg("run").arg(self.path("p.aludel")).arg("--data-dir").arg(self.path("data"));
        command.args(["--admin", "off", "--quiet"]).args(more);
        command.stderr(
            fs::OpenOptions::new().create(true).append(true).open(self.path("said")).expect("a file"),
        );
        command
    }

    pub(super) fn start(&mut self) {
        self.running = Some(self.command(&[]).spawn().expect("the program starts"));
    }

    /// Starts and waits until this port takes connections.
    pub(super) fn start_on(&mut self, port: u16) {
        self.start();
        wait_for("the port", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    pub(super) fn once(&self) {
        let status = self.command(&["--once"]).status().expect("the program starts");
        assert!(status.success(), "{}", self.said());
    }

    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.path("said")).unwrap_or_default()
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("it dies");
            child.wait().expect("it is dead");
        }
    }

    /// Ends it as an operator does.
    pub(super) fn stop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let _patience = Patience::with(&child);
        assert!(child.wait().expect("it ends").success(), "{}", self.said());
    }

    /// The events at the sink; a last line that is still being written is left out.
    pub(super) fn events(&self) -> Vec<Value> {
        let mut text = String::new();
        if let Ok(mut file) = fs::File::open(self.path("out.ndjson")) {
            file.read_to_string(&mut text).expect("text");
        }
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).expect("text"));
        whole.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    pub(super) fn messages(&self) -> Vec<String> {
        self.events().iter().map(|event| event["message"].as_str().expect("a message").to_owned()).collect()
    }

    pub(super) fn wait_for_events(&self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        wait_for("events", || {
            events = self.events();
            events.len() >= count
        });
        assert_eq!(events.len(), count);
        events
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the program said: {}", self.said());
        }
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(super) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let clock = RealClock::start();
    while !done() {
        assert!(clock.monotonic() < Duration::from_secs(60), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a program can be started; tests that need it say so and are skipped, but not where everything must run.
pub(super) fn has(program: &str) -> bool {
    let found =
        Command::new("sh").arg("-c").arg(format!("command -v {program}")).stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is not installed");
    eprintln!("SKIPPED: {program} is not installed");
    false
}

/// A certificate for 127.0.0.1 and its key, `NAME.pem` and `NAME.key`, signed by itself or by `ca`.
pub(crate) fn certificate(folder: &Path, name: &str, ca: Option<&str>) {
    let file = |name: &str, kind: &str| folder.join(format!("{name}.{kind}")).display().to_string();
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]);
    command.args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1"]);
    command.args(["-keyout", &file(name, "key"), "-out", &file(name, "pem")]);
    if let Some(ca) = ca {
        command.args([
            "-CA",
            &file(ca, "pem"),
            "-CAkey",
            &file(ca, "key"),
            "-addext",
            "basicConstraints=CA:FALSE",
        ]);
    }
    let made = command.output().expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Two clients send texts that are never the same while the program is killed over and over. At the end everything that
/// was acknowledged is at the sink, and at each position of the spool, which names an event, is one text.
pub(super) fn kill_in_a_loop(
    source: &dyn Fn(u16) -> String,
    path: &str,
    body: &(dyn Fn(&[String]) -> String + Sync),
    accepted: &(dyn Fn(&str) -> bool + Sync),
) -> Rig {
    const KILLS: u64 = 5;
    let port = free_port();
    let mut rig = Rig::new(&source(port), "");
    rig.start_on(port);
    let done = AtomicBool::new(false);
    let send = |sender: u32| {
        let (mut acknowledged, mut request) = (Vec::new(), 0u32);
        while !done.load(Ordering::Relaxed) {
            let texts: Vec<_> = (0..20).map(|line| format!("{sender}-{request}-{line};")).collect();
            let (status, said) = ask(port, "POST", path, "", body(&texts).as_bytes());
            if status == 200 && accepted(&said) {
                acknowledged.extend(texts);
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
            // What was not answered is not sent again here, so that each text is sent once.
            request += 1;
        }
        acknowledged
    };
    let acknowledged: Vec<_> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2).map(|sender| scope.spawn(move || send(sender))).collect();
        for kill in 0..KILLS {
            std::thread::sleep(Duration::from_millis(150 + kill * 37));
            rig.kill();
            rig.start_on(port);
        }
        std::thread::sleep(Duration::from_millis(150));
        done.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().expect("it sends")).collect()
    });
    rig.kill();
    rig.once();
    let mut of_position = BTreeMap::new();
    for event in rig.events() {
        let offset = event["log"]["offset"].as_u64().expect("a position");
        let text = event["message"].as_str().expect("text").to_owned();
        assert_eq!(of_position.entry(offset).or_insert_with(|| text.clone()), &text);
    }
    let texts: BTreeSet<_> = of_position.values().cloned().collect();
    assert_eq!(of_position.len(), texts.len(), "a text is there under two positions");
    let whole = of_position.into_values().collect::<Vec<_>>().join("\n");
    let lost: Vec<_> = acknowledged.iter().filter(|text| !whole.contains(text.as_str())).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged are lost: {:?}",
        lost.len(),
        acknowledged.len(),
        lost.first()
    );
    assert!(acknowledged.len() > 100, "only {} were acknowledged", acknowledged.len());
    rig
}
