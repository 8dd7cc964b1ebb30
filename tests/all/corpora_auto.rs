//! Scores on collected logs: is the right format told from a file's first messages, and does a grammar that was
//! inferred from a part of a file read the rest of it?

// Scores are the point of these tests.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aludel::grammar::{self, Detector, Grammar, Told, Trial};

use super::corpora_filebeat::{excluded_of, framing_of};
use super::framing::texts;
use super::scores::{self, corpus};

/// Messages within which a format must be told.
const FIRST: usize = 20;

/// A file of syslog holds lines of many programs: what reads those of one is right for its lines.
const SYSLOG: &str =
    "system.syslog syslog macos.system system.auth systemd.log kernel.log cron.log dhcpd.log postfix.log";

/// Where files lie below their set, and the formats any of which is right for them: where two write the same lines,
/// both are. A file whose formats are not there yet is not measured.
const RIGHT: &[(&str, &str, &str)] = &[
    ("filebeat-modules", "apache/access/", "apache.access nginx.access"),
    ("filebeat-modules", "apache/error/", "apache.error"),
    ("filebeat-modules", "elasticsearch/audit/", "elasticsearch.audit"),
    ("filebeat-modules", "elasticsearch/deprecation/", "elasticsearch.deprecation elasticsearch.server"),
    ("filebeat-modules", "elasticsearch/gc/", "elasticsearch.gc"),
    ("filebeat-modules", "elasticsearch/server/", "elasticsearch.server"),
    ("filebeat-modules", "elasticsearch/slowlog/", "elasticsearch.slowlog elasticsearch.server"),
    ("filebeat-modules", "haproxy/", "haproxy.log"),
    ("filebeat-modules", "kafka/", "kafka.log"),
    ("filebeat-modules", "logstash/log/", "logstash.log"),
    ("filebeat-modules", "logstash/slowlog/", "logstash.slowlog logstash.log"),
    ("filebeat-modules", "mongodb/", "mongodb.log"),
    ("filebeat-modules", "mysql/error/", "mysql.error"),
    ("filebeat-modules", "mysql/slowlog/", "mysql.slowlog"),
    ("filebeat-modules", "nginx/access/", "nginx.access"),
    ("filebeat-modules", "nginx/error/", "nginx.error"),
    ("filebeat-modules", "nginx/ingress_controller/", "nginx.ingress_controller"),
    ("filebeat-modules", "postgresql/", "postgresql.log"),
    ("filebeat-modules", "redis/", "redis.log"),
    ("filebeat-modules", "system/auth/", "system.auth"),
    ("filebeat-modules", "system/syslog/", SYSLOG),
    ("filebeat-modules", "traefik/", "traefik.access"),
    ("loghub", "Apache/", "apache.error"),
    ("loghub", "HDFS/", "java"),
    ("loghub", "HPC/", "hpc.log"),
    ("loghub", "Linux/", SYSLOG),
    ("loghub", "Mac/", "macos.system system.syslog syslog"),
    ("loghub", "OpenSSH/", "system.auth"),
    ("loghub", "OpenStack/", "python"),
    ("loghub", "Spark/", "java"),
    ("misc-formats", "logfile_access_log", "nginx.access apache.access"),
    ("misc-formats", "logfile_bad_syslog", "system.syslog syslog"),
    ("misc-formats", "logfile_blued", "system.syslog syslog macos.system"),
    ("misc-formats", "logfile_bunyan", "bunyan"),
    ("misc-formats", "logfile_caddy_log.0", "docker.compose"),
    ("misc-formats", "logfile_caddy_log.1", "caddy.access"),
    ("misc-formats", "logfile_docker_compose_with_noise", "docker.compose"),
    ("misc-formats", "logfile_dst", "system.syslog syslog macos.system"),
    ("misc-formats", "logfile_epoch.1", "plain"),
    ("misc-formats", "logfile_filter", "system.syslog syslog"),
    ("misc-formats", "logfile_generic.3", "plain"),
    ("misc-formats", "logfile_glog", "klog"),
    ("misc-formats", "logfile_journald", "journald.json"),
    ("misc-formats", "logfile_json2", "json"),
    ("misc-formats", "logfile_leveltest", "plain"),
    ("misc-formats", "logfile_logfmt", "logfmt"),
    ("misc-formats", "logfile_nextcloud", "json"),
    ("misc-formats", "logfile_pino", "pino"),
    ("misc-formats", "logfile_postgres", "postgresql.log"),
    ("misc-formats", "logfile_rust_tracing", "rust.json"),
    ("misc-formats", "logfile_rollover.1", SYSLOG),
    ("misc-formats", "logfile_rollover.2", SYSLOG),
    ("misc-formats", "logfile_strace", "strace"),
    ("misc-formats", "logfile_syslog", SYSLOG),
    ("misc-formats", "logfile_vmw", "plain"),
    ("misc-formats", "logfile_vpxd", "plain"),
    ("misc-formats", "logfile_zap_console", "plain zap zap.console"),
    ("multiline", "beats_files/elasticsearch-multiline", "elasticsearch.server java"),
];

/// All logs below a folder.
fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of a corpus") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            logs(&path, found);
        } else if !name.contains("expected") && !name.contains("csv") || name.ends_with(".csv.log") {
            found.push(path);
        }
    }
}

/// The messages of a file, at most `most` of them: as the configuration of its fileset says, if it is of one.
fn messages(path: &Path, most: usize) -> Vec<String> {
    let mut bytes = fs::read(path).expect("a log");
    bytes.truncate(256 * 1024);
    let fileset = path.parent().and_then(Path::parent).filter(|fileset| fileset.join("config").is_dir());
    let framing = fileset.map_or_else(Arc::default, framing_of);
    let excluded = fileset.map_or_else(Vec::new, excluded_of);
    let mut messages = texts(&bytes, &framing);
    messages.retain(|text| !excluded.iter().any(|pattern| pattern.is_match(text.as_bytes())));
    messages.truncate(most);
    messages
}

/// Files of a set that the table has, with the formats that are right for them.
fn files() -> Vec<(PathBuf, Vec<&'static str>)> {
    let mut files = Vec::new();
    let known = |name: &&str| grammar::parser(name).is_some();
    for set in ["filebeat-modules", "loghub", "misc-formats", "multiline"] {
        let Some(folder) = corpus(set) else { continue };
        let mut found = Vec::new();
        logs(&folder, &mut found);
        found.sort();
        for path in found {
            let below = path.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
            // Only the logs of a fileset: `test` of its folder.
            if set == "filebeat-modules" && !below.contains("/test/") {
                continue;
            }
            let row = RIGHT.iter().find(|(of, start, _)| *of == set && below.starts_with(start));
            let names: Vec<_> = row.map_or("", |(.., names)| names).split(' ').filter(known).collect();
            if !names.is_empty() {
                files.push((path, names));
            }
        }
    }
    files
}

/// The right format leads after the first messages of a file.
#[test]
fn formats_are_told_from_the_first_messages() {
    let files = files();
    if files.is_empty() {
        return;
    }
    let mut detector = Detector::new().expect("binds");
    let mut good = 0;
    for (path, names) in &files {
        let mut told = Told::default();
        for message in messages(path, FIRST) {
            told.note(detector.name_of(message.as_bytes()));
        }
        let first = told.shares().first().map(|share| (share.name, share.share));
        if first.is_some_and(|(name, _)| names.contains(&name)) {
            good += 1;
        } else {
            println!("{}: told as {first:?}, not {names:?}", path.display());
        }
    }
    scores::report("all", "files told within 20 messages", good, files.len() as u64, 98.0);
}

/// A stream that has two formats in turns: every message is told as what it is.
#[test]
fn mixed_streams_are_told_line_by_line() {
    let Some(folder) = corpus("filebeat-modules") else { return };
    let mut access = messages(&folder.join("nginx/access/test/test.log"), 50);
    let mut error = messages(&folder.join("nginx/error/test/error.log"), 50);
    // Lines that other programs wrote into them are left out.
    access.retain(|text| text.starts_with(|letter: char| letter.is_ascii_digit()));
    error.retain(|text| text.starts_with("20"));
    let mut detector = Detector::new().expect("binds");
    let mut told = Told::default();
    for (one, other) in access.iter().cycle().zip(error.iter().cycle()).take(100) {
        for (text, name) in [(one, "nginx.access"), (one, "nginx.access"), (other, "nginx.error")] {
            let found = detector.name_of(text.as_bytes());
            assert_eq!(found, Some(name), "{text}");
            told.note(found);
        }
    }
    assert_eq!((told.now().map(|(name, _)| name), told.change_count()), (Some("nginx.access"), 0));
    assert!(told.shares().iter().all(|share| share.share > 0.3));
}

/// A grammar inferred from the first half of a file, up to 400 messages, reads the rest of it, up to 2000.
#[test]
fn an_inferred_grammar_reads_the_rest_of_its_file() {
    let (mut good, mut all, mut count, mut total) = (0, 0, 0, 0);
    for (path, _) in files() {
        let messages = messages(&path, 2400);
        if messages.len() < 8 {
            continue;
        }
        let half = (messages.len() / 2).min(400);
        let (known, unknown) = messages.split_at(half);
        all += 1;
        let read = grammar::infer("inferred", known).and_then(|text| {
            let grammar = Grammar::load("inferred", &text).map_err(|report| format!("{report:?}"))?;
            let mut trial = Trial::new(&grammar)?;
            Ok(unknown.iter().filter(|text| trial.takes(text)).count())
        });
        let found = read.as_ref().map_or(0, |count| *count);
        let enough = found * 10 >= unknown.len() * 9;
        good += u64::from(enough);
        (count, total) = (count + found as u64, total + unknown.len() as u64);
        if !enough {
            println!("{}: {read:?} of {}", path.display(), unknown.len());
        }
    }
    if all == 0 {
        return;
    }
    scores::report("all", "files of which an inferred grammar reads 90 % of the rest", good, all, 90.0);
    scores::report("all", "messages read by inferred grammars", count, total, 90.0);
}
