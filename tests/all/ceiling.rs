//! The ceiling programs do the whole job: each event arrives once, with what it must have.

#[path = "../../benches/ceiling/programs.rs"]
mod programs;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

use flate2::read::GzDecoder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;

/// Enough for several bodies.
const EVENTS: usize = 6000;

/// Lays down one file and runs a program on it; returns the documents, with each event's id checked to be its own.
fn shipped(workload: &str, log: &str) -> Vec<Value> {
    let folder = data(log);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port().to_string();
    let server = std::thread::spawn(move || serve(&listener));
    let args = [workload, "--data", folder.path().to_str().expect("UTF-8"), "--port", &port];
    programs::run(&args.map(str::to_owned)).expect("it runs");
    let body = server.join().expect("served");
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: BTreeSet<&str> =
        lines.iter().step_by(2).map(|line| line["create"]["_id"].as_str().expect("a string")).collect();
    assert_eq!(ids.len() * 2, lines.len());
    lines.into_iter().skip(1).step_by(2).collect()
}

fn data(log: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("containers")).expect("a folder");
    std::fs::write(folder.path().join("containers/a.log"), log).expect("written");
    folder
}

/// Takes the bodies of one connection.
fn serve(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().expect("a connection");
    let (mut from, mut to) = (BufReader::new(stream.try_clone().expect("a second handle")), stream);
    let mut bodies = String::new();
    loop {
        let (mut length, mut gzip) = (None, false);
        let mut line = String::new();
        while from.read_line(&mut line).expect("a header") > 0 && line != "\r\n" {
            let header = line.to_ascii_lowercase();
            length = header.strip_prefix("content-length: ").map_or(length, |text| text.trim().parse().ok());
            gzip |= header.starts_with("content-encoding: gzip");
            line.clear();
        }
        let Some(length) = length else { return bodies };
        let mut body = vec![0; length];
        from.read_exact(&mut body).expect("a body");
        if gzip {
            GzDecoder::new(&body[..]).read_to_string(&mut bodies).expect("gzip");
        } else {
            bodies.push_str(std::str::from_utf8(&body).expect("UTF-8"));
        }
        to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"errors\":false}").expect("answered");
    }
}

fn access_lines() -> String {
    let mut log = String::new();
    for event in 0..EVENTS {
        let line = format!(
            "10.0.{}.7 - ada [23/Nov/2026:10:00:00 +0100] \"GET /{event} HTTP/1.1\" 200 12 \"-\" \"a\\x22 \u{e9}\"",
            event % 256
        );
        let time = "2026-11-23T09:00:00.000000001Z stdout";
        match event % 50 {
            0 => {
                let (start, end) = line.split_at(30 + event % 7);
                let _ = writeln!(log, "{time} P {start}\n{time} F {end}");
            }
            _ => {
                let _ = writeln!(log, "{time} F {line}");
            }
        }
    }
    log
}

#[test]
fn access_lines_become_documents() {
    for workload in ["w1", "w1-gzip"] {
        let documents = shipped(workload, &access_lines());
        assert_eq!(documents.len(), EVENTS);
        for (event, document) in documents.iter().enumerate() {
            assert_eq!(document["url"]["original"], format!("/{event}"));
            assert_eq!(document["@timestamp"], "2026-11-23T10:00:00+01:00");
            assert_eq!(document["event"]["created"], "2026-11-23T09:00:00.000000001Z");
            assert_eq!(document["http"]["response"]["status_code"], 200);
            assert_eq!(document["user"]["name"], "ada");
            assert_eq!(document["user_agent"]["original"], "a\\x22 \u{e9}");
            assert!(document["message"].as_str().expect("a string").ends_with("\"-\" \"a\\x22 \u{e9}\""));
        }
    }
}

#[test]
fn application_json_keeps_its_types() {
    let mut log = String::new();
    for event in 0..EVENTS {
        let inner = format!(
            r#"{{"pid":1,"msg":"a \"{event}\"\n\u00e9","svc":"x","n":{{"f":-1.5e3,"l":[true,null,{{}}]}},"v":0,"e":{event}}}"#
        );
        let text = serde_json::to_string(&format!("{inner}\n")).unwrap();
        let _ = writeln!(log, r#"{{"log":{text},"stream":"stderr","time":"2026-11-23T09:00:00.1Z"}}"#);
    }
    log.push_str("{\"log\":\"cut \",\"stream\":\"stdout\",\"time\":\"2026-11-23T09:00:00Z\"}\n");
    log.push_str("{\"log\":\"{1\\u00e9\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T09:00:00Z\"}\n");
    let mut documents = shipped("w2", &log);
    assert_eq!(documents.pop().unwrap()["message"], "cut {1\u{e9}");
    assert_eq!(documents.len(), EVENTS);
    for (event, document) in documents.iter().enumerate() {
        assert_eq!(document["message"], format!("a \"{event}\"\n\u{e9}"));
        assert_eq!(document["service"]["name"], "x");
        assert_eq!(document["n"], serde_json::json!({"f": -1500.0, "l": [true, null, {}]}));
        assert_eq!(document["e"], event);
        assert_eq!(document["log"]["iostream"], "stderr");
        assert!(document.get("pid").is_none() && document.get("v").is_none());
    }
}

#[test]
fn stack_traces_are_joined_per_stream() {
    let mut log = String::new();
    for event in 0..EVENTS {
        let time = "2026-11-23T09:00:00.000000001Z";
        let _ = write!(
            log,
            "{time} stdout F 2026 ERROR {event}\n{time} stdout F java.lang.E: \"x\"\n{time} stderr F 2026 {event}\n\
             {time} stdout P \tat a\n{time} stderr F more\n{time} stdout F (A.java:1)\n"
        );
    }
    let documents = shipped("w3", &log);
    assert_eq!(documents.len(), EVENTS * 2);
    let messages: BTreeSet<_> = documents
        .iter()
        .map(|document| (&document["log"]["iostream"], &document["message"]))
        .map(|(stream, message)| (stream.to_string(), message.to_string()))
        .collect();
    for event in 0..EVENTS {
        let out = Value::from(format!("2026 ERROR {event}\njava.lang.E: \"x\"\n\tat a(A.java:1)"));
        assert!(messages.contains(&("\"stdout\"".to_owned(), out.to_string())));
        let err = Value::from(format!("2026 {event}\nmore"));
        assert!(messages.contains(&("\"stderr\"".to_owned(), err.to_string())));
    }
}

fn written(workload: &str, log: &str, out: &Path) {
    let folder = data(log);
    let args =
        [workload, "--data", folder.path().to_str().expect("UTF-8"), "--out", out.to_str().expect("UTF-8")];
    programs::run(&args.map(str::to_owned)).expect("it runs");
}

#[test]
fn lines_are_appended() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let long = "x".repeat(700_000);
    written("w4", &format!("a\n{long}\nlast"), &out);
    written("w4", "b\n", &out);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), format!("a\n{long}\nlast\nb\n"));
}

#[test]
fn access_lines_become_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.parquet");
    written("w5", &access_lines(), &out);
    let reader = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
    let mut rows = 0;
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        assert_eq!(row.len(), 11);
        // 2026-11-23T09:00:00Z.
        assert_eq!(row.get_long(0).unwrap(), 1_795_424_400_000_000_000);
        assert_eq!(row.get_string(5).unwrap(), &format!("/{rows}"));
        assert_eq!(row.get_long(10).unwrap(), 12);
        rows += 1;
    }
    assert_eq!(rows, EVENTS);
}
