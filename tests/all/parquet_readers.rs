//! Archives as others read them: pyarrow, DuckDB and DataFusion, on the disk and in a real S3 server.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::limits::OBJECT_PART_BYTES;
use aludel::seam::sim::SimStore;
use aludel::seam::{Answer, Ask, Fs, Objects, RealClock, RealFs, Refusal};
use aludel::sink::http::HttpNetwork;
use aludel::sink::s3::{Place, S3};
use aludel::sink::{Next, World};

use super::parquet::{FIELDS, batch, fill, partitions, plan, texts};
use super::plain_sinks::shape;

/// Pinned together: DuckDB reads S3 by an extension, which PyPI has for some of its versions.
const PACKAGES: &[&str] =
    &["pyarrow==26.0.1", "duckdb==1.4.4", "duckdb-ext-httpfs==1.4.4.20260205", "datafusion==55.0.0"];

/// A Python that has the readers, made once per user.
fn python() -> Result<&'static Path, String> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(install).as_deref().map_err(Clone::clone)
}

fn install() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .ok_or("no home folder")?;
    let folder = cache.join("aludel/readers-1");
    let python = folder.join("bin/python");
    let works = || {
        let mut check = Command::new(&python);
        check.args(["-c", "import pyarrow, duckdb, duckdb_ext, datafusion"]);
        check.output().is_ok_and(|output| output.status.success())
    };
    if works() {
        return Ok(python);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let ran = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        if ran.status.success() { Ok(()) } else { Err(said) }
    };
    run(Path::new("python3"), &["-m", "venv", &folder.to_string_lossy()])?;
    let install: Vec<_> = ["-m", "pip", "install", "-q"].iter().chain(PACKAGES).copied().collect();
    run(&python, &install)?;
    works().then_some(python.clone()).ok_or_else(|| "they are installed and cannot be imported".to_owned())
}

/// Says loudly that something was not tried, which must not happen in CI.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI this must run: {why}");
    eprintln!("SKIPPED: {why}");
}

/// What a script of the fixtures prints.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Result<String, String> {
    let python = python().map_err(|why| format!("the readers cannot be installed: {why}"))?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sink/parquet").join(name);
    let output = Command::new(python).arg(&path).args(arguments).output().expect("python runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

/// An S3 server in a folder of its own; stopped when dropped.
pub(crate) struct S3Server {
    folder: tempfile::TempDir,
    port: u16,
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/s3.sh");

impl S3Server {
    /// With a bucket `logs`.
    pub(crate) fn start() -> Result<Self, String> {
        let server = Self::away();
        server.run().map(|()| server)
    }

    /// Does not run yet.
    pub(crate) fn away() -> Self {
        // Free when asked.
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        Self { folder: tempfile::tempdir().expect("a folder"), port }
    }

    pub(crate) fn run(&self) -> Result<(), String> {
        let folder = self.folder.path().display().to_string();
        let ran = Command::new(SCRIPT).args(["start", &folder, &self.port.to_string(), "logs"]).output();
        let ran = ran.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        match ran.status.code() {
            Some(0) => Ok(()),
            Some(77) => Err(said),
            code => panic!("{SCRIPT} ended with {code:?}: {said}"),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The bucket's files: its objects, and uploads that are not completed below a folder of the server's own.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.path().join("data/logs")
    }

    fn place(&self, bucket: &str, secret: &str) -> Place {
        Place {
            bucket: bucket.to_owned(),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(format!("http://{}", self.address())),
            access_key: Some(("aludel".to_owned(), secret.to_owned())),
            timeout: Duration::from_secs(60),
            ..Place::default()
        }
    }

    fn options(&self) -> Vec<(&'static str, OptionValue)> {
        let text = |text: &str| OptionValue::Text(text.to_owned());
        vec![
            ("endpoint", text(&format!("http://{}", self.address()))),
            ("region", text("us-east-1")),
            ("access_key_id", text("aludel")),
            ("secret_access_key", text("sesame-sesame")),
        ]
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = Command::new(SCRIPT).arg("stop").arg(self.folder.path()).status();
    }
}

fn ask(objects: &mut dyn Objects, ask: Ask) -> Result<Answer, Refusal> {
    objects.start(1, ask);
    for _ in 0..600 {
        if let Some((_, answer)) = objects.poll() {
            return answer;
        }
        objects.wait(Duration::from_millis(100));
    }
    panic!("no answer");
}

/// What a store answers to a conversation that has all of its corners, tags and reasons left out.
fn conversation(objects: &mut dyn Objects) -> Vec<String> {
    let mut said = Vec::new();
    let key = |name: &str| format!("talk/a=b%20c/{name}");
    let mut say = |objects: &mut dyn Objects, what: Ask| {
        let answer = ask(objects, what);
        let short = match &answer {
            Ok(Answer::Upload(_)) => "an upload".to_owned(),
            Ok(Answer::Part(_)) => "a part".to_owned(),
            Ok(Answer::Uploads(all)) => {
                format!("uploads of {:?}", all.iter().map(|(key, _)| key).collect::<Vec<_>>())
            }
            Err(Refusal::Unfit(_)) => "unfit".to_owned(),
            Err(Refusal::Denied(_)) => "denied".to_owned(),
            other => format!("{other:?}"),
        };
        said.push(short);
        answer
    };
    let begin = |name: &str| Ask::Begin { key: key(name) };
    let part = |name: &str, upload: &str, number, size| {
        let bytes = bytes::Bytes::from(vec![b'x'; size]);
        Ask::Part { key: key(name), upload: upload.to_owned(), number, bytes }
    };
    let complete = |name: &str, upload: &str, parts: &[String]| Ask::Complete {
        key: key(name),
        upload: upload.to_owned(),
        parts: parts.to_vec(),
    };
    let uploads = || Ask::Uploads { prefix: "talk/".to_owned() };
    let Ok(Answer::Upload(id)) = say(objects, begin("one")) else { panic!("{said:?}") };
    let mut tags = Vec::new();
    for (number, size) in [(0, OBJECT_PART_BYTES), (1, 7)] {
        let Ok(Answer::Part(tag)) = say(objects, part("one", &id, number, size)) else { panic!("{said:?}") };
        tags.push(tag);
    }
    let _ = say(objects, Ask::Size { key: key("one") });
    let _ = say(objects, uploads());
    let _ = say(
        objects,
        complete("one", &id, &[tags[0].clone(), "\"00000000000000000000000000000000\"".to_owned()]),
    );
    let _ = say(objects, complete("one", &id, &tags));
    // Some stores know what they did, some do not.
    let again = ask(objects, complete("one", &id, &tags));
    assert!(matches!(again, Ok(Answer::Done) | Err(Refusal::Missing)), "{again:?}");
    let _ = say(objects, part("one", &id, 0, 3));
    let _ = say(objects, Ask::Abort { key: key("one"), upload: id });
    let _ = say(objects, uploads());
    let _ = say(objects, Ask::Size { key: key("one") });
    let Ok(Answer::Upload(id)) = say(objects, begin("two")) else { panic!("{said:?}") };
    let _ = say(objects, Ask::Abort { key: key("two"), upload: id.clone() });
    let _ = say(objects, Ask::Abort { key: key("two"), upload: id.clone() });
    let _ = say(objects, complete("two", &id, &tags));
    for create in [true, true, false, true] {
        let bytes = bytes::Bytes::from_static(b"record");
        let _ = say(objects, Ask::Put { key: key("three.json"), bytes, create });
    }
    let _ = say(objects, Ask::Get { key: key("three.json") });
    let _ = say(objects, Ask::Get { key: key("four") });
    let _ = say(objects, Ask::List { folder: "talk/a=b%20c".to_owned() });
    let _ = say(objects, Ask::List { folder: "talk/none".to_owned() });
    for name in ["one", "one", "three.json"] {
        let _ = say(objects, Ask::Remove { key: key(name) });
    }
    let _ = say(objects, Ask::List { folder: "talk/a=b%20c".to_owned() });
    said
}

/// The store in memory, on which the proofs rest, answers as a real one does.
#[test]
fn the_store_in_memory_is_like_a_real_one() {
    let server = match S3Server::start() {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let place = |bucket: &str, secret: &str| server.place(bucket, secret);
    let connect = |place: Place| S3::connect(&place, Arc::new(|| {})).expect("a client");
    let real = conversation(&mut connect(place("logs", "sesame-sesame")));
    let memory = conversation(&mut *SimStore::new(1).connect(Arc::new(|| {})));
    assert_eq!(real, memory);
    for (bucket, secret, expected) in
        [("logs", "guess", "SignatureDoesNotMatch"), ("other", "sesame-sesame", "NoSuchBucket")]
    {
        let mut objects = connect(place(bucket, secret));
        for what in [
            Ask::List { folder: "talk".to_owned() },
            Ask::Uploads { prefix: "talk".to_owned() },
            Ask::Get { key: "talk".to_owned() },
        ] {
            let answer = ask(&mut objects, what);
            assert!(matches!(&answer, Err(Refusal::Denied(why)) if why.contains(expected)), "{answer:?}");
        }
    }
    let nobody = Place { endpoint: Some("http://127.0.0.1:9".to_owned()), ..place("logs", "x") };
    let answer = ask(&mut connect(nobody), Ask::Get { key: "talk".to_owned() });
    assert!(matches!(&answer, Err(Refusal::Later { why, .. }) if why.contains("refused")), "{answer:?}");
}

/// A certificate for 127.0.0.1 and its key.
fn certificate(folder: &Path) -> Result<(String, String), String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (path("s3.pem"), path("s3.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=test store", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out", &certificate])
        .output();
    let made = made.map_err(|error| format!("openssl: {error}"))?;
    let said = || format!("openssl: {}", String::from_utf8_lossy(&made.stderr));
    made.status.success().then_some((certificate, key)).ok_or_else(said)
}

#[test]
fn tls_needs_the_right_certificate() {
    let server = match S3Server::start() {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = match certificate(folder.path()) {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/tls_proxy.py");
    let mut proxy = Command::new("python3")
        .args([script, &certificate, &key, &server.port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut port = String::new();
    BufReader::new(proxy.stdout.take().expect("piped")).read_line(&mut port).expect("a port");
    let place = |ca_file: Option<String>| Place {
        endpoint: Some(format!("https://127.0.0.1:{}", port.trim())),
        ca_file,
        ..server.place("logs", "sesame-sesame")
    };
    let connect = |place: Place| S3::connect(&place, Arc::new(|| {})).expect("a client");
    let put = || Ask::Put { key: "tls".to_owned(), bytes: bytes::Bytes::from_static(b"x"), create: true };
    let answer = ask(&mut connect(place(None)), put());
    assert!(matches!(&answer, Err(Refusal::Later { why, .. }) if why.contains("certificate")), "{answer:?}");
    let mut trusting = connect(place(Some(certificate)));
    assert_eq!(ask(&mut trusting, put()), Ok(Answer::Done));
    let uploads = ask(&mut trusting, Ask::Uploads { prefix: String::new() });
    assert_eq!(uploads, Ok(Answer::Uploads(Vec::new())));
    drop(proxy.stdin.take());
    proxy.wait().expect("it ends");
}

/// Writes the archive that `read.txt` describes.
fn write(url: &str, more: Vec<(&'static str, OptionValue)>) {
    let data = tempfile::tempdir().expect("a folder");
    let shape = shape(FIELDS);
    let mut options = partitions();
    options.extend(more);
    options.push(("bloom", texts(&["source.ip", "event.id"])));
    options.push(("row_group_rows", OptionValue::Int(1024)));
    let plan = plan(options, url);
    let (wake, woken) = crossbeam::channel::bounded(1);
    let world = World {
        fs: Arc::new(RealFs) as Arc<dyn Fs>,
        clock: Arc::new(RealClock::start()),
        network: Arc::new(HttpNetwork::start().expect("a network")),
        data_dir: data.path().to_owned(),
        host: Arc::from(&b"host"[..]),
        // A full channel means that a wake-up is on its way already.
        wake: Arc::new(move || wake.try_send(()).unwrap_or_default()),
    };
    let (mut sink, _) = plan.open(world).expect("it opens");
    let mut encoder = plan.encoder(&shape).expect("an encoder");
    for n in 0..3 {
        sink.offer(batch(&mut *encoder, &shape, n, n * 3000..(n + 1) * 3000, &fill), Duration::ZERO);
    }
    sink.close();
    let mut settled = Vec::new();
    for seconds in 0..60 {
        if sink.step(Duration::from_secs(seconds), &mut settled) == Next::Done {
            break;
        }
        let _ = woken.recv_timeout(Duration::from_secs(1));
    }
    assert_eq!((settled.len(), sink.trouble()), (3, None));
}

fn check(text: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sink/parquet/read.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&golden, text).expect("written");
    }
    assert_eq!(text, std::fs::read_to_string(golden).unwrap_or_default(), "UPDATE_EXPECT=1 rewrites it");
}

/// What others read is what was written, partitions, filters and map included.
#[test]
fn others_read_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive").display().to_string();
    write(&archive, Vec::new());
    match script("read.py", &[&archive]) {
        Ok(text) => check(&text),
        Err(why) => skip(&why),
    }
}

/// In S3 it is the same archive.
#[test]
fn others_read_a_bucket() {
    let server = match S3Server::start() {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    write("s3://logs/web", server.options());
    match script("read.py", &["s3://logs/web", &server.address()]) {
        Ok(text) => check(&text),
        Err(why) => skip(&why),
    }
}
