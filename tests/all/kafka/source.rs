//! The source against a real broker.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::broker::{Broker, Program};

/// A pipeline in a folder of its own that reads a topic into a file.
fn pipeline(folder: &Path, broker: &Broker, topics: &str, more: &str, steps: &str) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder");
    let file = folder.join("read.aludel");
    let text = format!(
        "source bus = kafka \"{}\" {{ topics = [{topics}], group = \"g-{}\"{more} }}\n\
         sink out = file \"out.ndjson\"\npipeline p {{ from bus{steps} | to out }}\n",
        broker.address(),
        topics.trim_matches('"').replace("\", \"", "-"),
    );
    fs::write(&file, text).expect("written");
    file
}

fn events(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("out.ndjson")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

fn times(events: &[serde_json::Value]) -> BTreeMap<String, u32> {
    let mut times = BTreeMap::new();
    for event in events {
        *times.entry(event["message"].as_str().expect("text").to_owned()).or_default() += 1;
    }
    times
}

/// Messages of two topics with all that surrounds them; markers of transactions, aborted records, tombstones and empty
/// values are accounted for; a second run reads only what is new, and offsets set by hand are read again.
#[test]
fn a_topic_is_read_to_its_end_and_on() {
    let broker = match Broker::shared() {
        Ok(broker) => broker,
        Err(why) => return super::skip(&why),
    };
    broker.make_topic("read-a", 2);
    broker.make_topic("read-b", 1);
    let values: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    let records: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(n, value)| match n {
            50 => (0, Some("gone"), None),
            51 => (1, None, Some("")),
            n => ((n % 2) as i32, Some("key"), Some(value.as_str())),
        })
        .collect();
    let writer = broker.writer("read");
    Broker::write(&writer, "read-a", &records, 10);
    Broker::write(&writer, "read-b", &[(0, None, Some("other"))], 10);
    let folder = tempfile::tempdir().expect("a folder");
    let steps = " | set .at = .kafka.offset ?? missing, .of = .kafka.partition ?? missing, .from = .kafka.topic ?? missing \
                 | set .key = .kafka.key ?? missing, .origin = .kafka.headers.origin ?? missing";
    let file = pipeline(folder.path(), &broker, "\"read-a\", \"read-b\"", "", steps);
    let data = folder.path().join("data");
    let said = Program::start(&file, &data, &["--once"]).end();
    let read = events(folder.path());
    assert_eq!(read.len(), 199, "{said}");
    assert!(times(&read).values().all(|times| *times == 1));
    let of = |value: &str| read.iter().find(|event| event["message"] == value).expect("read");
    let event = of("line 7");
    assert_eq!((&event["from"], &event["of"], &event["key"]), (&"read-a".into(), &1.into(), &"key".into()));
    assert_eq!(event["origin"], "test");
    assert_eq!(event["log"]["file"]["path"], "kafka://read-a/1");
    assert!(event["at"].as_i64() == event["log"]["offset"].as_i64() && event["at"].is_i64());
    assert!(event["@timestamp"].as_str().is_some_and(|time| time.starts_with("20")));
    assert_eq!(of("other")["key"], serde_json::Value::Null);
    assert!(said.contains("in flight 0 + gap 0"), "{said}");

    // The group knows all of it, to the last record of each partition.
    let (last, text) = broker.committed("g-read-a-read-b", "read-a", 0).expect("committed");
    let end = read.iter().filter(|event| event["of"] == 0 && event["from"] == "read-a");
    assert_eq!(Some(last), end.map(|event| event["at"].as_i64().expect("an offset") + 1).max());
    assert!(text.starts_with("aludel "), "{text}");

    Broker::write(&writer, "read-a", &[(0, None, Some("new"))], 10);
    Program::start(&file, &data, &["--once"]).end();
    // Nor is it this host's knowledge alone.
    let elsewhere = folder.path().join("elsewhere");
    Program::start(&file, &elsewhere, &["--once"]).end();
    let all = times(&events(folder.path()));
    assert_eq!((all.len(), all.values().max()), (200, Some(&1)));

    broker.set_committed("g-read-a-read-b", "read-a", 0, 0);
    Program::start(&file, &data, &["--once"]).end();
    let all = times(&events(folder.path()));
    assert_eq!((all["line 0"], all["line 1"], all["new"]), (2, 1, 2), "asked to read again, it does");
}

/// Members come, go and are killed while records are written: nothing is lost, and what a member had that left in order
/// is not read twice.
#[test]
fn partitions_move_between_members() {
    let broker = match Broker::shared() {
        Ok(broker) => broker,
        Err(why) => return super::skip(&why),
    };
    for (topic, kill) in [("moved", false), ("moved-by-death", true)] {
        broker.make_topic(topic, 6);
        let folder = tempfile::tempdir().expect("a folder");
        let member = |name: &str| {
            let folder = folder.path().join(name);
            let file = pipeline(&folder, &broker, &format!("\"{topic}\""), "", "");
            (Program::start(&file, &folder.join("data"), &["--quiet"]), folder)
        };
        let writer = broker.writer(topic);
        let mut written = 0;
        let mut write = |parcels: usize| {
            for _ in 0..parcels {
                let values: Vec<String> = (written..written + 60).map(|n| format!("line {n}")).collect();
                let records: Vec<_> = values
                    .iter()
                    .enumerate()
                    .map(|(n, v)| ((n % 6) as i32, None, Some(v.as_str())))
                    .collect();
                Broker::write(&writer, topic, &records, 60);
                written += 60;
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        let (first, _) = member("a");
        write(6);
        let (second, _) = member("b");
        write(12);
        if kill {
            second.kill();
        } else {
            second.terminate();
            let said = second.end();
            assert!(said.contains("in flight 0"), "{said}");
        }
        write(5);
        let before_third = events(&folder.path().join("b")).len();
        let (third, _) = member("b");
        write(5);
        first.terminate();
        first.end();
        write(5);
        let mut all = BTreeMap::new();
        for _ in 0..600 {
            let read =
                ["a", "b"].iter().flat_map(|name| events(&folder.path().join(name))).collect::<Vec<_>>();
            all = times(&read);
            if all.len() == written {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        third.terminate();
        third.end();
        let twice = all.values().filter(|times| **times > 1).count();
        let by_b = events(&folder.path().join("b"));
        let (by_second, by_first) = (by_b.len(), times(&events(&folder.path().join("a"))));
        // The first one left in order, while the group perhaps was finding out about the second one's death: the third
        // one reads nothing again that the first one had.
        let again = by_b.iter().skip(before_third).filter_map(|event| event["message"].as_str());
        let again: Vec<_> = again.filter(|message| by_first.contains_key(*message)).collect();
        assert!(again.is_empty(), "{topic}: {} rows, {:?} …", again.len(), again.first());
        eprintln!(
            "kafka: {written} records to moving members, {} read, {twice} twice, {by_second} by the second",
            all.len()
        );
        assert_eq!(all.len(), written);
        assert!(by_second > 0 && by_second < written, "both had a part: {by_second}");
        assert!(kill || twice == 0, "{twice} were read twice though all members left in order");
    }
}
