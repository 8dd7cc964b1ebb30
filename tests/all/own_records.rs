//! Dead letters and gap records as events: what was refused or lost comes to a sink, once, and never goes round.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::elasticsearch::bulk_server::{Server, Store};
use crate::program::aludel;

fn run(folder: &Path) -> String {
    let mut command = aludel();
    command.current_dir(folder).args([
        "run",
        "shop.aludel",
        "--once",
        "--admin",
        "off",
        "--data-dir",
        "data",
    ]);
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn events(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

fn records(folder: &Path, kind: &str) -> Vec<Value> {
    let listed = fs::read_dir(folder.join("data").join(kind)).into_iter().flatten();
    let mut segments: Vec<_> = listed.map(|entry| entry.expect("an entry").path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    segments.sort();
    segments.iter().flat_map(|path| events(path)).collect()
}

/// Values of a text column in all files of an archive.
fn column(folder: &Path, name: &str) -> Vec<String> {
    use arrow::array::AsArray;

    let mut values = Vec::new();
    for entry in fs::read_dir(folder).expect("an archive") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("_aludel") {
            values.extend(column(&path, name));
        }
        if path.extension().is_none_or(|extension| extension != "parquet") {
            continue;
        }
        let file = fs::File::open(&path).expect("there");
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet").build().expect("a reader");
        for batch in reader {
            let batch = batch.expect("rows");
            let texts = batch.column_by_name(name).expect("a column").as_string::<i32>().iter();
            values.extend(texts.map(|text| text.expect("a value").to_owned()));
        }
    }
    values
}

/// Each letter comes once to an archive, a file and a server; what the server refuses of them is a letter again, which
/// goes nowhere.
#[test]
fn letters_come_to_any_sink_once_and_do_not_go_round() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&[]);
    *server.store() = Store { refuses: Some("refuse line".into()), ..Store::default() };
    fs::create_dir_all(folder.path().join("in")).expect("a folder");
    let pipeline = format!(
        r#"
source pods = files "in/*.log" {{ format = lines }}
source letters = dead_letters {{}}
sink es = elasticsearch "{}" {{ data_stream = "logs-shop-default" }}
sink archive = parquet "archive" {{}}
sink lines = file "letters.ndjson"
pipeline web {{
  from pods
  | reject "odd" when .message contains "odd"
  | to es
}}
pipeline back {{
  from letters
  | parse .message as aludel.letter else reject "no letter"
  | remove .message
  | to es, archive, lines
}}
"#,
        server.url()
    );
    fs::write(folder.path().join("shop.aludel"), pipeline).expect("written");
    // One letter is longer, with its escapes, than any message of a log may be.
    let long = "\"".repeat(900_000);
    let line = |n: usize| match n % 4 {
        0 => format!("odd line {n}\n"),
        1 => format!("refuse line {n}\n"),
        2 if n == 2 => format!("odd line {n} {long}\n"),
        _ => format!("good line {n}\n"),
    };
    fs::write(folder.path().join("in/a.log"), (0..40).map(line).collect::<String>()).expect("written");
    for _ in 0..4 {
        run(folder.path());
    }
    let letters = records(folder.path(), "dead-letters");
    let (again, first): (Vec<_>, Vec<_>) = letters.iter().partition(|letter| letter["of_own"] == true);
    assert_eq!((first.len(), again.len()), (21, 10), "ten of the letters hold what the server refuses");
    assert!(again.iter().all(|letter| letter["source"] == "letters" && letter["stage"] == "sink"));
    let wanted: BTreeSet<_> = first.iter().map(|letter| letter["id"].as_str().expect("an id")).collect();
    let arrived = events(&folder.path().join("letters.ndjson"));
    let ids: Vec<_> = arrived.iter().map(|event| event["aludel"]["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 21);
    assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), wanted);
    let mut archived = column(&folder.path().join("archive"), "aludel.id");
    archived.sort();
    assert_eq!(archived, wanted.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    let odd = arrived.iter().find(|event| event["event"]["original"] == "odd line 4\n").expect("a letter");
    assert_eq!(
        (&odd["aludel"]["stage"], &odd["error"]["message"], &odd["event"]["kind"]),
        (&"step".into(), &"odd".into(), &"pipeline_error".into())
    );
    let store = server.store();
    let on_server = store.documents.values().filter(|document| document.contains("aludel.letter")).count();
    assert_eq!(on_server, 11, "those that say `odd` land");
}

/// Bytes that are lost come as an event; the books balance, which the exit code says.
#[test]
fn a_gap_is_an_event() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("in")).expect("a folder");
    let pipeline = r#"
source pods = files "in/*.log" { format = lines }
source holes = gaps {}
sink out = file "out.ndjson"
sink lost = file "lost.ndjson"
pipeline lines { from pods | to out }
pipeline lost {
  from holes
  | parse .message as aludel.gap else reject "no gap record"
  | to lost
}
"#;
    fs::write(folder.path().join("shop.aludel"), pipeline).expect("written");
    let log = folder.path().join("in/a.log");
    let lines = |from: usize, to: usize| (from..to).map(|n| format!("line {n}\n")).collect::<String>();
    fs::write(&log, lines(0, 1000)).expect("written");
    run(folder.path());
    // While nobody looks, lines are added, and the file is written anew.
    fs::write(&log, lines(0, 1200)).expect("written");
    fs::write(&log, lines(5000, 5010)).expect("written");
    for _ in 0..3 {
        run(folder.path());
    }
    let kept = records(folder.path(), "gaps");
    assert_eq!(kept.len(), 1, "{kept:?}");
    let lost = events(&folder.path().join("lost.ndjson"));
    assert_eq!(lost.len(), 1, "{lost:?}");
    let start = lines(0, 1000).len() as u64;
    assert_eq!(lost[0]["aludel"]["stream"]["start"].as_u64(), Some(start));
    assert_eq!(lost[0]["aludel"]["source"], "pods");
    assert!(lost[0]["event"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    assert_eq!(crate::program::numbers(&folder.path().join("out.ndjson")).len(), 1010);
}
