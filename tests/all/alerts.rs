//! Alerts from a log to a sink, through the program: the same whatever the workers, once over kills.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::aludel;
use crate::support_killed::{Writers, kill_again_and_again, kills};

const PIPELINE: &str = r#"
source auth = files "in/*.log" { format = lines, line_wait = 20s }
sink out = file "out.ndjson"
sink told = file "told.ndjson"
pipeline logins {
  from auth
  | parse .message as system.auth else pass
  | detect brute_force {
      name = "guessed"
      key = .source.ip
      when = .event.outcome == "failure"
      success = .event.outcome == "success"
      limit = 5 per 1m
    }
  | detect spread { key = .source.ip, distinct = .user.name, when = .event.outcome == "failure", limit = 6 per 5m }
  | detect rate { key = .source.ip, limit = 3 per 1m, burst = 5 }
  | detect flood {
      key = .host.hostname
      source = .source.ip
      when = .user.name == "root"
      learn = 1m
      at_least = 5
      quiet = 5m
    }
  | detect user_behaviour {
      key = .host.hostname
      network = .source.ip
      resource = .user.name
      learn = 1m
      learn_hours = 1
      threshold = 5
    }
  | to out
  alerts to told
}
"#;

fn run(folder: &Path, workers: usize) {
    let mut command = aludel();
    command.current_dir(folder).args([
        "run",
        "logins.aludel",
        "--once",
        "--admin",
        "off",
        "--data-dir",
        "data",
    ]);
    let output = command.args(["--workers", &workers.to_string()]).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The alerts of a pipeline, as they lie in the data folder.
fn alerts(folder: &Path, pipeline: &str) -> Vec<String> {
    let listed = fs::read_dir(folder.join("data/alerts").join(pipeline)).into_iter().flatten();
    let mut segments: Vec<_> = listed.map(|entry| entry.expect("an entry").path()).collect();
    segments.sort();
    segments.iter().flat_map(|path| lines(path)).collect()
}

/// An auth.log: a few addresses guess, many people mistype once.
fn log() -> Vec<String> {
    let mut out = Vec::new();
    for n in 0..3000_u32 {
        let (minute, second) = (n / 60 % 60, n % 60);
        let head = format!("Nov 23 {:02}:{minute:02}:{second:02} web-1 sshd[{}]:", 8 + n / 3600, 400 + n % 7);
        let (who, address) = match n % 10 {
            0 => ("root".to_owned(), format!("203.0.113.{}", n / 300)),
            3 => (format!("user{}", n / 10 % 9), format!("203.0.113.{}", 100 + n / 600)),
            _ => (format!("ada{n}"), format!("198.51.{}.{}", n / 200, n % 200)),
        };
        let how = if n % 290 == 0 && n > 0 { "Accepted" } else { "Failed" };
        out.push(format!("{head} {how} password for {who} from {address} port 4{n:04} ssh2\n"));
    }
    out
}

#[test]
fn workers_batches_and_restarts_change_nothing() {
    let log = log();
    let alerts_of = |workers, parts: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("logins.aludel"), PIPELINE).expect("written");
        fs::create_dir_all(folder.path().join("in")).expect("a folder");
        for part in log.chunks(log.len().div_ceil(parts)) {
            use std::io::Write;
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(folder.path().join("in/auth.log"))
                .expect("opened");
            file.write_all(part.concat().as_bytes()).expect("written");
            run(folder.path(), workers);
        }
        let (alerts, told) = (alerts(folder.path(), "logins"), lines(&folder.path().join("told.ndjson")));
        let id = |line: &String, path: &str| -> String {
            let event: Value = serde_json::from_str(line).expect("json");
            event.pointer(path).and_then(Value::as_str).expect("an id").to_owned()
        };
        let raised: Vec<_> = alerts.iter().map(|line| id(line, "/id")).collect();
        let told: Vec<_> = told.iter().map(|line| id(line, "/event/id")).collect();
        assert_eq!(told, raised, "each comes to its sink, once, in order");
        assert_eq!(lines(&folder.path().join("out.ndjson")).len(), log.len());
        alerts
    };
    let without_stream = |alerts: Vec<String>| -> Vec<Value> {
        let mut events: Vec<Value> =
            alerts.iter().map(|line| serde_json::from_str(line).expect("json")).collect();
        // The ids of events name the file, which is another in each folder.
        for evidence in events.iter_mut().flat_map(|of| of["evidence"].as_array_mut().expect("a list")) {
            evidence.as_object_mut().expect("an object").remove("event.id");
        }
        events
    };
    let wanted = without_stream(alerts_of(1, 1));
    assert!(wanted.len() > 15, "{}", wanted.len());
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for alert in &wanted {
        *rules.entry(alert["rule"].as_str().expect("a rule").to_owned()).or_default() += 1;
    }
    assert_eq!(rules.len(), 5, "{rules:?}");
    for (workers, parts) in [(2, 1), (8, 1), (2, 3)] {
        assert_eq!(without_stream(alerts_of(workers, parts)), wanted, "{workers} workers, {parts} parts");
    }
}

/// What the last lines of a log raise waits for nothing that comes after them.
#[test]
fn a_run_to_the_end_hands_on_the_alerts_that_it_raises() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("logins.aludel"), PIPELINE).expect("written");
    fs::create_dir_all(folder.path().join("in")).expect("a folder");
    let line = |second: usize| {
        format!(
            "Nov 23 08:00:{second:02} web-1 sshd[400]: Failed password for ada from 203.0.113.7 port 40001 ssh2\n"
        )
    };
    fs::write(folder.path().join("in/auth.log"), (0..8).map(line).collect::<String>()).expect("written");
    run(folder.path(), 2);
    let told = lines(&folder.path().join("told.ndjson"));
    assert!(told.iter().any(|line| line.contains("\"guessed\"")), "{told:?}");
    assert_eq!(told.len(), alerts(folder.path(), "logins").len());
}

/// Each line counts once: a rule that wants a hundred of a block of a hundred fires for each block, one that wants one
/// more never. Smaller blocks would be more keys than a rule has room for, after many kills. Lines have a time of their own:
/// that of reading is another when they are read again.
/// `ALUDEL_KILLS=200 cargo test --test all alerts -- --nocapture`.
#[test]
fn each_line_counts_once_over_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipeline = folder.path().join("lines.aludel");
    let text = format!(
        r#"source lines = files "{}" {{ format = lines, start = beginning, line_wait = 20s }}
sink out = blackhole {{}}
pipeline lines {{
  from lines
  | parse .message as regex("^line (?P<number>(?P<block>\\d*?)\\d{{1,2}})$") else reject "no line"
  | set .@timestamp = timestamp((float(.number ?? "0") ?? 0.0) / 1000.0) ?? missing
  | detect brute_force {{ name = "all", key = .block, when = has(.block), limit = 100 per 1h }}
  | detect brute_force {{ name = "twice", key = .block, when = has(.block), limit = 101 per 1h }}
  | to out
}}
"#,
        Writers::GLOB
    );
    fs::write(&pipeline, text).expect("written");
    let killed = kill_again_and_again(folder.path(), &pipeline, kills(), 6);
    let mut raised: BTreeMap<String, u32> = BTreeMap::new();
    for line in alerts(folder.path(), "lines") {
        let alert: Value = serde_json::from_str(&line).expect("json");
        assert_eq!(alert["rule"], "all", "a line that counted twice: {line}");
        *raised.entry(alert["labels"]["block"].as_str().expect("a block").to_owned()).or_default() += 1;
    }
    let blocks = killed.lines / 100;
    let block = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    let lost: Vec<_> = (0..blocks).filter(|n| !raised.contains_key(&block(*n))).take(10).collect();
    let twice: Vec<_> = raised.iter().filter(|(_, times)| **times > 1).take(10).collect();
    assert!(lost.is_empty() && twice.is_empty(), "lost {lost:?}, twice {twice:?}, {}", killed.said);
    eprintln!("{} kills, {} lines: each counted once, {blocks} alerts once", killed.kills, killed.lines);
}
