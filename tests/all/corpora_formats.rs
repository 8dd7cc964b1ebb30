//! Real logs with the events that others made of them (see `support/scores.rs`).

use aludel::event::{OptionValue, Options};
use aludel::format::Reference;
use aludel::grammar::{Found, Reader};

use super::scores::{self, corpus};

fn reader(name: &str, zone: &str) -> Reader {
    let options = Options::new(Vec::new(), vec![("zone", OptionValue::Text(zone.into()))]);
    // 2021-07-01, when the corpus was made.
    Reader::new(name, &options, Reference::at(1_625_097_600_000_000_000)).expect("a format")
}

/// Messages with their offset: a line that `starts` does not hold of continues the one before.
fn messages(text: &[u8], starts: fn(&[u8]) -> bool) -> Vec<(u64, Vec<u8>)> {
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        match found.last_mut() {
            Some((_, message)) if !starts(content) => {
                message.push(b'\n');
                message.extend_from_slice(content);
            }
            _ => found.push((at, content.to_vec())),
        }
        at += line.len() as u64;
    }
    found
}

/// Lines of unknown format: how many are told and get a time.
#[test]
fn unknown_logs_get_their_time() {
    let mut rows = Vec::new();
    if let Some(folder) = corpus("loghub") {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            if path.is_dir() {
                rows.push((path.join(format!("{name}_2k.log")), name));
            }
        }
    }
    if let Some(folder) = corpus("misc-formats") {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("logfile_") {
                rows.push((path, name));
            }
        }
    }
    rows.sort_by(|a, b| a.1.cmp(&b.1));
    let mut reader = reader("auto", "UTC");
    let (mut files, mut timed_files) = (0u64, 0u64);
    for (path, name) in rows {
        let Ok(text) = std::fs::read(&path) else { continue };
        let (mut total, mut told, mut timed) = (0, 0, 0);
        for (offset, text) in
            messages(&text, |line| line.first().is_some_and(|byte| !byte.is_ascii_whitespace()))
                .into_iter()
                .take(300)
        {
            let mut out = Vec::new();
            told += u32::from(reader.parse(&text, Found { offset, time_ns: None }, &mut out));
            timed += u32::from(out.starts_with(b"{\"@timestamp\":\""));
            total += 1;
        }
        println!("{name:<40} {total:>4} messages, {told:>4} told, {timed:>4} with a time");
        files += 1;
        timed_files += u64::from(timed * 2 >= total);
    }
    if files > 0 {
        scores::report(
            "misc-formats, loghub",
            "files with a time in half of the messages",
            timed_files,
            files,
            90.0,
        );
    }
}
