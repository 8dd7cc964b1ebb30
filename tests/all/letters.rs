//! Dead letters and the ledger, by the program as a user runs it: rows that steps and sinks refuse, the letters
//! about them, and the books.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::elasticsearch::bulk_server::{Server, Store};

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
