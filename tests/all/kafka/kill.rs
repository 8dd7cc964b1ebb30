//! `kill -9` at random moments, while files that are rotated are tailed into Kafka: every line is there once.
//!
//! `ALUDEL_KILLS=200 cargo test --test all kafka::kill -- --nocapture` kills as often as wanted.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aludel::seam::sim::Dice;

use super::broker::{Broker, Program};

const KILLS: u64 = 5;
/// Lines of one file before it is rotated.
const LINES_PER_FILE: u64 = 3000;

/// Writes numbered lines, in bursts, to a file that is renamed now and then, until told to stop.
fn write(folder: &Path, stop: &AtomicBool, seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let live = folder.join("app.log");
    let (mut number, mut in_file, mut files) = (0, 0, 0);
    let mut file = File::create(&live).expect("a file");
    while !stop.load(Ordering::Relaxed) {
        let mut burst = String::new();
        for _ in 0..1 + dice.below(40) {
            let padding = "x".repeat(dice.below(120) as usize);
            burst.push_str(&format!("line {number} {padding}\n"));
            number += 1;
            in_file += 1;
        }
        file.write_all(burst.as_bytes()).expect("written");
        if in_file >= LINES_PER_FILE {
            files += 1;
            in_file = 0;
            fs::rename(&live, folder.join(format!("app.log.{files}"))).expect("rotated");
            file = File::create(&live).expect("a file");
        }
        std::thread::sleep(Duration::from_millis(dice.below(8)));
    }
    number
}

#[test]
fn every_line_is_in_kafka_once_however_often_the_process_is_killed() {
    let broker = match Broker::shared() {
        Ok(broker) => broker,
        Err(why) => return super::skip(&why),
    };
    let kills = std::env::var("ALUDEL_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let seed = std::env::var("ALUDEL_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("in");
    fs::create_dir_all(&logs).expect("a folder");
    let topic = format!("killed-{seed}");
    broker.make_topic(&topic, 3);
    let pipeline = folder.path().join("kill.aludel");
    let text = format!(
        r#"
source logs = files "in/app.log*" {{ format = lines, start = beginning }}
sink bus = kafka "{}" {{ topic = "{topic}", format = text, commit_interval = 20ms }}
pipeline kill {{ from logs | to bus }}
"#,
        broker.address()
    );
    fs::write(&pipeline, text).expect("written");
    let data = folder.path().join("data");

    // The first one makes topics, which takes a broker some time.
    Program::start(&pipeline, &data, &["--once"]).end();
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&logs, &stop, seed));
        let mut dice = Dice::new(seed ^ 0xdead);
        for _ in 0..kills {
            let program = Program::start(&pipeline, &data, &["--quiet"]);
            // A start takes some time; half of the kills come within it, or soon after.
            let most = if dice.one_in(2) { 300 } else { 2000 };
            std::thread::sleep(Duration::from_millis(dice.below(most)));
            program.kill();
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("written")
    });
    let said = Program::start(&pipeline, &data, &["--once"]).end();

    let read = broker.read(&topic, "read_committed");
    let mut times: HashMap<u64, u32> = HashMap::new();
    for record in &read {
        let number = record.value.split(' ').nth(1).and_then(|number| number.parse().ok());
        *times.entry(number.expect("a numbered line")).or_default() += 1;
    }
    let missing = (0..written).filter(|number| !times.contains_key(number)).count();
    let twice = times.values().filter(|times| **times > 1).count();
    let all = broker.read(&topic, "read_uncommitted").len();
    let ids: std::collections::HashSet<_> = read.iter().map(|record| &record.id).collect();
    eprintln!(
        "kafka: {kills} kills, {written} lines written, {} read back committed ({} ids), {missing} missing, {twice} twice; {} \
         records were of aborted transactions\n{said}",
        read.len(),
        ids.len(),
        all - read.len(),
    );
    assert_eq!((missing, twice, read.len() as u64), (0, 0, written));
    assert_eq!(ids.len() as u64, written, "each under its own id");
}
