//! `aludel elasticsearch setup`: the requests are kept beside the pipeline file they are made from, as
//! `fixtures/elasticsearch/setup.SINK.requests`. `UPDATE_EXPECT=1` writes them anew.

use std::path::Path;

use crate::program::aludel;

const PIPELINE: &str = "fixtures/elasticsearch/setup.aludel";

/// What the command prints, to either stream.
fn setup(file: &Path, more: &[&str]) -> (bool, String, String) {
    let ran =
        aludel().args(["elasticsearch", "setup"]).arg(file).args(more).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.success(), text(&ran.stdout), text(&ran.stderr))
}

#[test]
fn the_requests_come_from_the_compiled_types() {
    for sink in ["es", "old"] {
        let (good, requests, said) = setup(Path::new(PIPELINE), &["--print", "--sink", sink]);
        assert!(good, "{said}");
        let golden = format!("{}/fixtures/elasticsearch/setup.{sink}.requests", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&golden, &requests).expect("written");
        }
        assert_eq!(std::fs::read_to_string(&golden).expect("the golden file"), requests, "{golden}");
    }
    let (good, _, said) = setup(Path::new(PIPELINE), &["--print"]);
    assert!(!good && said.contains("several sinks, say which: es, old"), "{said}");
    let (good, _, said) = setup(Path::new(PIPELINE), &["--sink", "es"]);
    assert!(!good && said.contains("--print"), "{said}");
}

/// Against a real server: created, then unchanged, then updated for the piece that differs.
pub(crate) fn applies(url: &str, user: &str, password: &str, lifecycle: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.aludel");
    let write = |retention: &str, step: &str| {
        let credentials = if user.is_empty() {
            String::new()
        } else {
            format!("username = \"{user}\"\n  password = env(\"PASSWORD\")")
        };
        let text = format!(
            "source s = files \"x.log\"\nsink es = elasticsearch \"{url}\" {{\n  data_stream = \"logs-setup-test\"\n  \
             lifecycle = {lifecycle}\n  {retention}\n  {credentials}\n}}\n\
             pipeline p {{\n  from s\n  | parse .message as nginx.access else pass\n  {step}| to es\n}}\n"
        );
        std::fs::write(&file, text).expect("written");
    };
    let apply = || {
        let ran = aludel()
            .args(["elasticsearch", "setup", "--apply"])
            .arg(&file)
            .env("PASSWORD", password)
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{said}");
        let out = String::from_utf8_lossy(&ran.stdout).into_owned();
        out.lines().map(|line| line.split_whitespace().next().expect("a word").to_owned()).collect::<Vec<_>>()
    };
    let retention = |days| if lifecycle == "none" { String::new() } else { format!("retention = {days}d") };
    write(&retention(30), "");
    assert_eq!(apply(), ["created", "created", "created"]);
    assert_eq!(apply(), ["unchanged", "unchanged", "unchanged"]);
    write(&retention(30), "| set .slow = true\n  ");
    assert_eq!(apply(), ["unchanged", "updated", "unchanged"]);
    if lifecycle != "none" {
        write(&retention(60), "| set .slow = true\n  ");
        assert_eq!(apply(), ["unchanged", "unchanged", "updated"]);
    }
}
