//! Redaction, by the program as a user runs it: secrets in lines of all kinds, and nothing of them in what comes out.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aludel::sensitive::{Class, Mac, Policy, Redactor};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::elasticsearch::bulk_server::{Server, Store};

/// A part of a secret that must not be seen.
const STRETCH: usize = 6;

/// Made up, and put together here so that nobody takes them for leaks.
fn secrets() -> Vec<String> {
    vec![
        ["AKIA", "Q3EXB7", "YW4ZRT2MNC"].concat(),
        ["sk_live", "_9aF3kQ7", "xT2mZ8wLc5VbN1rYpE4u"].concat(),
        "corr3ct-h0rse-b4ttery".to_owned(),
        "wh0-kn0ws!".to_owned(),
        "zoe.mueller@mail.example.org".to_owned(),
        "5105 1051 0510 5100".to_owned(),
    ]
}

fn pipeline(server: &Server) -> String {
    format!(
        r#"
source plain = files "in/plain.log" {{ start = beginning }}
source pods  = files "in/pod*.log" {{ start = beginning }}
sink lines   = file "out/lines.ndjson"
sink texts   = file "out/texts.log" {{ format = text }}
sink shown   = stdout {{ format = pretty }}
sink archive = parquet "out/archive" {{ compression = none }}
sink es      = elasticsearch "{}" {{ data_stream = "logs-shop-default" }}

pipeline shop {{
  from plain, pods
  | reject "early" when .message contains "early"
  | parse .message as json or logfmt else pass
  | set .event.original = .message
  | redact secrets, email, card
  | reject "odd" when .message contains "odd"
  | to lines, texts, shown, archive, es
}}
"#,
        server.url()
    )
}

/// One line in many forms around each secret.
fn forms(secret: &str) -> Vec<String> {
    let url = secret.replace(' ', "%20").replace('@', "%40").replace('!', "%21");
    let assigned = |word: &str| format!("{word} password='{secret}' user=7");
    vec![
        assigned("good"),
        assigned("early"),
        assigned("odd"),
        assigned("refuse"),
        format!("level=info password=\"{secret}\" session=1"),
        format!("GET /login?user=7&password={url}&next=1 200"),
        format!(
            r#"{{"level":"info","password":"{secret}","deep":{{"list":["x",{{"password":"{secret}"}}]}}}}"#
        ),
        format!(r#"{{"early":1,"log":"password=\"{secret}\"\n"}}"#),
        format!(r#"{{"refuse":1,"copy":"{secret}","text":"password: \"{secret}\" it was"}}"#),
        format!("odd postgres://shop:{}@db/shop", url.replace(':', "%3A")),
    ]
}

fn write_inputs(folder: &Path) {
    fs::create_dir_all(folder.join("in")).expect("a folder");
    let (mut plain, mut cri, mut docker) = (String::new(), String::new(), String::new());
    let time = |n: usize| format!("2026-11-26T10:{:02}:{:02}.000000001Z", n / 60 % 60, n % 60);
    for (n, line) in secrets().iter().flat_map(|secret| forms(secret)).enumerate() {
        plain += &format!("{line}\n");
        // A runtime cuts where it likes, in the middle of a secret too.
        let cut = line.char_indices().map(|(at, _)| at).nth(line.chars().count() / 2).unwrap_or(0);
        let (head, tail) = line.split_at(cut);
        cri += &format!("{} stdout P {head}\n{} stdout F {tail}\n", time(n), time(n));
        cri += &format!("{} stderr F {line}\n", time(n));
        let log = serde_json::json!({ "log": format!("{line}\n"), "stream": "stdout", "time": time(n) });
        docker += &format!("{log}\n");
    }
    fs::write(folder.join("in/plain.log"), plain).expect("written");
    fs::write(folder.join("in/pod-cri.log"), cri).expect("written");
    fs::write(folder.join("in/pod-docker.log"), docker).expect("written");
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Everything that came out, with its name.
fn outputs(folder: &Path, server: &Server, said: &[u8], shown: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("stderr".to_owned(), said.to_vec()), ("stdout".to_owned(), shown.to_vec())];
    let mut paths = Vec::new();
    files(&folder.join("out"), &mut paths);
    files(&folder.join("data"), &mut paths);
    for path in paths {
        let name = path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
        if name.ends_with(".parquet") {
            let file = fs::File::open(&path).expect("opens");
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet");
            // Few enough rows a batch that its debug form shows all.
            let reader = reader.with_batch_size(8).build().expect("a reader");
            let text: String = reader.map(|batch| format!("{:?}\n", batch.expect("a batch"))).collect();
            all.push((name.clone(), text.into_bytes()));
        }
        all.push((name, fs::read(&path).expect("readable")));
    }
    for document in server.store().documents.values() {
        all.push(("elasticsearch".to_owned(), document.clone().into_bytes()));
    }
    all
}

/// Rows that reach every sink, rows that a step refuses before and after they are redacted, rows that a destination
/// refuses; plain lines, lines that a container runtime cut in two, JSON in JSON: no stretch of a secret is in the
/// events, the dead letters, the archive, the books or the program's own log.
#[test]
fn nothing_of_a_secret_comes_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&[]);
    *server.store() = Store { refuses: Some("refuse".into()), ..Store::default() };
    write_inputs(folder.path());
    fs::write(folder.path().join("shop.aludel"), pipeline(&server)).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_aludel"));
    command.current_dir(folder.path()).env_remove("ALUDEL_DATA_DIR").env_remove("ALUDEL_ADMIN");
    command.args(["run", "shop.aludel", "--once", "--admin", "off", "--data-dir", "data"]);
    let run = command.stdin(Stdio::null()).output().expect("the program starts");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}");

    let outputs = outputs(folder.path(), &server, &run.stderr, &run.stdout);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut leaks = Vec::new();
    for (name, bytes) in &outputs {
        let kind = ["dead-letters", "archive", "lines", "texts", "elasticsearch", "stdout"];
        let kind = kind.into_iter().find(|kind| name.contains(kind)).unwrap_or("other");
        *seen.entry(kind).or_default() += memchr::memmem::find_iter(bytes, b"[redacted:").count();
        for secret in secrets() {
            for stretch in secret.as_bytes().windows(STRETCH) {
                if memchr::memmem::find(bytes, stretch).is_some() {
                    let at = memchr::memmem::find(bytes, stretch).unwrap_or(0);
                    let near = &bytes[at.saturating_sub(120)..bytes.len().min(at + 40)];
                    leaks.push(format!("{name}: {}", String::from_utf8_lossy(near)));
                    break;
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n"));
    // They were there.
    for kind in ["dead-letters", "archive", "lines", "texts", "elasticsearch", "stdout"] {
        assert!(seen.get(kind).is_some_and(|count| *count >= 20), "{kind}: {seen:?}\n{said}");
    }
}

/// The original bytes of a letter stay where they can be vouched for, and go where they cannot.
#[test]
fn original_bytes_that_cannot_be_vouched_for_go() {
    let classes = [Class::Secrets, Class::Email].into_iter().collect();
    let redactor = Redactor::new(classes, Policy::Mask).expect("a redactor");
    let original = |bytes: &[u8], row: &[u8]| {
        redactor.original(bytes, row).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let line = b"2026-11-26T10:00:00Z stdout F password=hunter2 x\n";
    let clean = "2026-11-26T10:00:00Z stdout F password=[redacted:secret] x\n";
    assert_eq!(original(line, b"password=hunter2 x").as_deref(), Some(clean));
    assert_eq!(original(b"no secret\n", b"no secret").as_deref(), Some("no secret\n"));
    let cut = b"2026-11-26T10:00:00Z stdout P password=hun\n2026-11-26T10:00:00Z stdout F ter2 x\n";
    assert_eq!(original(cut, b""), None);
    let wide: Vec<u8> = "password=hunter2".bytes().flat_map(|byte| [byte, 0]).collect();
    assert_eq!(original(&wide, b"password=hunter2"), None);
    let docker = br#"{"log":"password=\"a\\\"b2c3\" ann@example.org\n","stream":"stdout"}"#;
    let shown = original(docker, b"");
    assert!(shown.is_none_or(|text| !text.contains("b2c3") && !text.contains("ann@")));
    // A hash is the same in a letter and in an event.
    let hashed = Redactor::new(classes, Policy::Hash(Mac::new(b"a key of sixteen"))).expect("a redactor");
    let one = hashed.text(b"to ann@example.org").into_owned();
    assert_eq!(hashed.original(b"to ann@example.org", b""), Some(one));
}
