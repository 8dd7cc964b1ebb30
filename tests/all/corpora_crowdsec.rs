//! Logs of services with the fields that CrowdSec's parsers take out of them. Names are mapped by
//! `corpora_crowdsec.names`, beside this file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aludel::event::Options;
use aludel::format::Reference;
use aludel::grammar::{AUTO, Found, Reader};
use serde_json::Value;

use super::corpora_loghub::{at, instant};
use super::scores::{corpus, report};

/// What the file of names says.
#[derive(Default)]
struct Names {
    /// Parser (or `*`) and key → fields, of which one must have the value; none where the key is not compared.
    fields: BTreeMap<(String, String), Vec<String>>,
    /// Parser → format, then field and format in turns, where a message is within a field.
    ways: BTreeMap<String, Vec<String>>,
}

impl Names {
    fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/corpora_crowdsec.names");
        let mut names = Self::default();
        for line in fs::read_to_string(path).expect("the names").lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                None | Some("#") => {}
                Some("way") => {
                    let parser = words.next().expect("a parser");
                    names.ways.insert(parser, words.collect());
                }
                Some(parser) => {
                    let key = words.next().expect("a key");
                    // `-` and the reason, or fields.
                    let fields = words.take_while(|word| word != "-").collect();
                    names.fields.insert((parser.to_owned(), key), fields);
                }
            }
        }
        names
    }

    fn fields(&self, parser: &str, key: &str) -> Option<&Vec<String>> {
        let of = |parser: &str| self.fields.get(&(parser.to_owned(), key.to_owned()));
        of(parser).or_else(|| of("*"))
    }
}

/// 2025-06-30: lines without a year are of the year before.
const REFERENCE_NS: i64 = 1_751_241_600_000_000_000;

/// Readers by format, made once.
struct Readers(BTreeMap<String, Reader>);

impl Readers {
    fn parse(&mut self, format: &str, text: &str) -> Option<Value> {
        let reader = self.0.entry(format.to_owned()).or_insert_with(|| {
            Reader::new(format, &Options::default(), Reference::at(REFERENCE_NS)).expect("a format")
        });
        let mut out = Vec::new();
        let fits = reader.parse(text.as_bytes(), Found::default(), &mut out);
        fits.then(|| serde_json::from_slice(&out).expect("json"))
    }

    /// The fields that a line gives on its way through formats.
    fn event(&mut self, way: &[String], line: &str) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        let mut text = line.to_owned();
        let mut steps = way.iter();
        while let Some(format) = steps.next() {
            let Some(event) = self.parse(format, &text) else { break };
            flat("", &event, &mut fields);
            match steps.next() {
                Some(field) => text = at(&event, field),
                None => break,
            }
        }
        // A program may write text where most write JSON.
        if fields.is_empty()
            && way.first().is_some_and(|format| format != AUTO)
            && let Some(event) = self.parse(AUTO, line)
        {
            flat("", &event, &mut fields);
        }
        fields
    }
}

fn flat(prefix: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flat(&path, value, out);
            }
        }
        Value::String(text) => drop(out.insert(prefix.to_owned(), text.clone())),
        Value::Null => {}
        other => drop(out.insert(prefix.to_owned(), other.to_string())),
    }
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a test");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.is_file() && !path.ends_with("expected.json"));
    files.sort();
    files
}

/// Numbers are compared as numbers, addresses with and without their IPv4 mapping as what they are.
fn same(key: &str, expected: &str, found: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let address = |text: &str| text.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_canonical());
    if key.contains("level") && expected.eq_ignore_ascii_case(found) {
        return true;
    }
    if key.contains("time") || key.contains("date") || key == "ts" {
        let found = found.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond().to_string());
        if found.is_some() && found == instant(expected, &Reference::at(REFERENCE_NS)) {
            return true;
        }
    }
    expected.trim() == found.trim()
        || number(expected).is_some_and(|number_| number(found) == Some(number_))
        || address(expected).is_some_and(|ip| address(found) == Some(ip))
}

#[test]
fn crowdsec_fields_are_found() {
    let Some(folder) = corpus("crowdsec-hub") else { return };
    let names = Names::load();
    let mut readers = Readers(BTreeMap::new());
    let (mut parsed, mut lines_total, mut equal, mut values) = (0u64, 0u64, 0u64, 0u64);
    let mut wrong: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut tests: Vec<_> =
        fs::read_dir(folder.join("tests")).expect("tests").map(|test| test.expect("a test").path()).collect();
    tests.sort();
    for test in tests {
        let mut lines = Vec::new();
        for log in logs(&test) {
            let text = fs::read(&log).expect("a log");
            lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
        }
        for line in lines.iter().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            lines_total += 1;
            match readers.parse(AUTO, line) {
                Some(_) => parsed += 1,
                None => note(
                    &mut wrong,
                    format!("{}: no format", test.file_name().expect("a name").to_string_lossy()),
                    line,
                ),
            }
        }
        let expected: Value =
            serde_json::from_slice(&fs::read(test.join("expected.json")).expect("events")).expect("json");
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        for entry in expected["expected_parsed"].as_array().into_iter().flatten() {
            let parser = entry["parser"].as_str().unwrap_or_default();
            let message = entry["parsed"]["message"].as_str().unwrap_or_default().to_owned();
            let nth = seen.entry((parser.to_owned(), message.clone())).or_default();
            // Syslog's header is cut off, and so may be what follows a line.
            let with = lines.iter().filter(|line| line.contains(message.trim_end()));
            let Some(line) = with.clone().nth(*nth).or_else(|| with.clone().next_back()) else { continue };
            *nth += 1;
            let way = names.ways.get(parser).cloned().unwrap_or_else(|| vec![AUTO.to_owned()]);
            let fields = readers.event(&way, line);
            for (key, value) in
                ["parsed", "meta"].iter().flat_map(|part| entry[part].as_object().into_iter().flatten())
            {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if value.is_empty() || value == "-" {
                    continue;
                }
                let Some(paths) = names.fields(parser, key) else {
                    values += 1;
                    note(&mut wrong, format!("{parser} {key}: no name"), &value);
                    continue;
                };
                if paths.is_empty() {
                    continue;
                }
                values += 1;
                let found = |path: &String| fields.get(path).is_some_and(|found| same(key, &value, found));
                if paths.iter().any(found) {
                    equal += 1;
                } else {
                    let found: Vec<_> = paths.iter().filter_map(|path| fields.get(path)).collect();
                    note(
                        &mut wrong,
                        format!("{parser} {key}"),
                        &format!("{value:?}, not {found:?}, in {line}"),
                    );
                }
            }
        }
    }
    for (what, (count, first)) in &wrong {
        eprintln!("{count:5} {what}: {}", first.chars().take(400).collect::<String>());
    }
    report("crowdsec-hub", "lines parsed", parsed, lines_total, 97.0);
    report("crowdsec-hub", "values equal", equal, values, 95.0);
}

fn note(wrong: &mut BTreeMap<String, (u64, String)>, what: String, first: &str) {
    wrong.entry(what).or_insert_with(|| (0, first.to_owned())).0 += 1;
}
