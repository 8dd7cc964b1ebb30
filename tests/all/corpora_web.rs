//! Attacks on web applications and benign traffic (see `support/scores.rs`): what `web_attack` finds at its operating
//! point `medium`, which is fixed in `src/detect.rs`. A value counts as found when any class is.
//! `ALUDEL_MISSES=1` prints what was missed and what was found where nothing is.

// Scores and misses are the point of these tests.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aludel::detect::{Found, Judge, Kind, Pool};
use aludel::event::Options;
use serde_json::Value;

use super::scores::{self, corpus};

struct Looker {
    judge: Judge,
    pool: Pool,
    found: Vec<Found>,
}

impl Looker {
    fn new() -> Self {
        let judge = Judge::new("web_attack", &Options::default()).expect("a detector");
        Self { judge, pool: Pool::default(), found: Vec::new() }
    }

    fn hits(&mut self, value: &[u8], kind: Kind) -> bool {
        self.found.clear();
        self.judge.find(value, kind, &self.pool, &mut Vec::new(), &mut self.found);
        !self.found.is_empty()
    }

    /// As a browser would send it: the value of one parameter.
    fn parameter(&mut self, value: &[u8]) -> bool {
        let mut query = b"p=".to_vec();
        for byte in value {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => query.push(*byte),
                _ => query.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            }
        }
        self.hits(&query, Kind::Query)
    }
}

/// Prints a value on which the detector is wrong, and what it saw in it.
fn tell(set: &str, wrong: bool, value: &str, found: &[Found]) {
    if wrong && std::env::var_os("ALUDEL_MISSES").is_some() {
        let saw: Vec<_> =
            found.iter().map(|found| (found.class.name, found.hit.rule, found.hit.score)).collect();
        println!("WRONG | {set} | {value:?} | {saw:?}");
    }
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read(path).expect("readable");
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.trim_ascii().is_empty()).map(<[u8]>::to_vec).collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn values_of_parameters() {
    let Some(folder) = corpus("web-attacks") else { return };
    let mut looker = Looker::new();
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for row in rows(&folder.join("httpparams.jsonl")) {
        let (payload, ty) = (row["payload"].as_str().expect("text"), row["type"].as_str().expect("text"));
        let sum = sums.entry(ty.to_owned()).or_default();
        let hit = looker.parameter(payload.as_bytes());
        tell(ty, hit == (ty == "norm"), payload, &looker.found);
        sum.0 += u64::from(hit != (ty == "norm"));
        sum.1 += 1;
    }
    for (ty, goal) in
        [("sqli", 99.7), ("xss", 99.0), ("path-traversal", 97.0), ("cmdi", 95.0), ("norm", 99.98)]
    {
        let (good, total) = sums[ty];
        let what = if ty == "norm" { "normal values, quiet".to_owned() } else { format!("{ty} found") };
        scores::report("web-attacks httpparams", &what, good, total, goal);
    }
}

#[test]
fn lists_of_payloads() {
    let Some(folder) = corpus("web-attacks") else { return };
    let mut looker = Looker::new();
    for class in files(&folder.join("payloadsallthethings")).iter().filter(|path| path.is_dir()) {
        let values: Vec<_> = files(class).iter().flat_map(|file| lines(file)).collect();
        let name = class.file_name().expect("a name").to_string_lossy();
        let mut good = 0;
        for value in &values {
            let hit = looker.parameter(value);
            tell(&name, !hit, &String::from_utf8_lossy(value), &looker.found);
            good += u64::from(hit);
        }
        scores::report(
            "web-attacks payload lists",
            &format!("{name} found"),
            good,
            values.len() as u64,
            97.0,
        );
    }
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for file in files(&folder.join("libinjection")) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let what = match &*name {
            "false_positives.txt" => "false positives, quiet",
            name if name.starts_with("sqli-") => "sqli found",
            name if name.starts_with("xss-") => "xss found",
            _ => continue,
        };
        for line in lines(&file).iter().filter(|line| !line.starts_with(b"#")) {
            let sum = sums.entry(what).or_default();
            let good = looker.parameter(line) == what.ends_with("found");
            tell(what, !good, &String::from_utf8_lossy(line), &looker.found);
            sum.0 += u64::from(good);
            sum.1 += 1;
        }
    }
    for (what, (good, total)) in sums {
        scores::report("web-attacks libinjection", what, good, total, 95.0);
    }
}

/// The parts of a request that a log may have.
fn request(row: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut parts = Vec::new();
    parts.extend(text(&row["uri"]).map(|uri| ("url.original".to_owned(), uri)));
    parts.extend(text(&row["data"]).map(|data| ("http.request.body.content".to_owned(), data)));
    for (name, value) in row["headers"].as_object().into_iter().flatten() {
        let name = name.to_ascii_lowercase();
        let value = text(value).unwrap_or_else(|| value.to_string());
        let field = match &*name {
            "host" | "accept" | "accept-encoding" | "accept-language" | "connection" | "content-length" => {
                continue;
            }
            "user-agent" => "user_agent.original".to_owned(),
            "referer" => "http.request.referrer".to_owned(),
            _ => format!("http.request.headers.{}", name.replace('.', "_")),
        };
        parts.push((field, value));
    }
    parts
}

/// Negative cases of one rule that are attacks after all, of the kind of another: rule and tests.
const ATTACKS_OF_OTHERS: &[(i64, &[i64])] = &[
    // Commands behind operators: the rule sees those without one.
    (932230, &[1, 2, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 26, 27, 39, 40, 41, 42, 43, 44, 46]),
    (932236, &[6, 9]),
    // Code of PHP and an opening tag, in another place or spelling than the rule's.
    (933100, &[24, 25, 81, 83, 86]),
    (933131, &[1, 2]),
    (933161, &[5, 13, 14]),
    // The metadata service of a cloud, endless loops, scripts, conditions and selects.
    // A file in an archive of Java, by its own scheme.
    (931130, &[24]),
    (934110, &[6, 7, 8]),
    (934160, &[19]),
    (941100, &[5]),
    (941110, &[10]),
    (941140, &[14]),
    // The end of a comment alone, which rule 941181 has among its attacks.
    (941180, &[4]),
    (942360, &[29, 30, 31]),
    (942520, &[17]),
    (942521, &[15, 16]),
];

#[test]
fn cases_of_a_rule_set() {
    let Some(folder) = corpus("web-attacks") else { return };
    let mut looker = Looker::new();
    let (mut attacks, mut others, mut benign) = ((0, 0), (0, 0), (0, 0));
    for row in rows(&folder.join("crs/cases.jsonl")) {
        if !(930_000..945_000).contains(&row["rule_id"].as_i64().expect("a number")) {
            continue;
        }
        let parts = request(&row);
        let hit = parts.iter().any(|(field, value)| looker.hits(value.as_bytes(), Kind::of_field(field)));
        let label = row["label"].as_str();
        let case = format!("{} {}", row["rule_id"], row["test_id"]);
        tell(&case, hit != (label == Some("attack")), &format!("{parts:?}"), &looker.found);
        match label {
            Some("attack") => attacks = (attacks.0 + u64::from(hit), attacks.1 + 1),
            Some("negative-for-rule") => {
                others = (others.0 + u64::from(!hit), others.1 + 1);
                let is = |(rule, tests): &&(i64, &[i64])| {
                    row["rule_id"] == *rule && tests.iter().any(|test| row["test_id"] == *test)
                };
                if !ATTACKS_OF_OTHERS.iter().any(|known| is(&known)) {
                    benign = (benign.0 + u64::from(!hit), benign.1 + 1);
                }
            }
            _ => {}
        }
    }
    scores::report("web-attacks crs", "attacks of rules 930 to 944 found", attacks.0, attacks.1, 92.0);
    scores::report("web-attacks crs", "negative cases, quiet", others.0, others.1, 99.0);
    let what = "negative cases that are no attack of another kind, quiet";
    scores::report("web-attacks crs", what, benign.0, benign.1, 99.0);
}

/// Lines of the benign logs that are no visitors': a robot that posts into forms and logs what came of it in the path.
const NOT_BENIGN: &[&str] = &["/presentations/vim/+++++++++++++++++++++++++++++++++++Result:"];

#[test]
fn benign_logs_stay_quiet() {
    let Some(folder) = corpus("web-attacks") else { return };
    let mut looker = Looker::new();
    let (mut quiet, mut total, mut wrong) = (0, 0, Vec::new());
    for name in ["semicomplete-apache-a.log", "nasa-jul95-xaa.log"] {
        for line in lines(&folder.join("benign").join(name)) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut quoted = line.split('"');
            let request = quoted.nth(1).unwrap_or_default();
            let referrer = quoted.nth(1).unwrap_or_default();
            let agent = quoted.nth(1).unwrap_or_default();
            let target = request.split_once(' ').map_or(request, |(_, rest)| rest);
            let target = target.rsplit_once(" HTTP/").map_or(target, |(target, _)| target);
            let parts = [(target, Kind::Url), (referrer, Kind::Referrer), (agent, Kind::Agent)];
            let hit = parts.iter().any(|(value, kind)| looker.hits(value.as_bytes(), *kind));
            total += 1;
            if hit && !NOT_BENIGN.iter().any(|known| line.contains(known)) {
                wrong.push(line);
            } else {
                quiet += 1;
            }
        }
    }
    assert!(wrong.len() < 20, "\n{}", wrong.join("\n"));
    scores::report("web-attacks benign", "access log lines, quiet", quiet, total, 100.0);
}
