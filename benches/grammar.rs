//! What it costs to parse a message and put its fields into the row: the race's messages, the formats that carry
//! most other logs, and every grammar on its own samples, in bytes per second.

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use aludel::event::{Facts, LayoutBuilder, Mask, OptionValue, Options, Row, Segment, Span, Value};
use aludel::format::{Bind, Fields, Format, Reference, commit};
use aludel::grammar;
use course::{Course, W1, W2};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regex::bytes::Regex;
use rustix::time::{ClockId, clock_gettime};

/// Bytes of input for one turn: larger than the first-level cache, as a batch is.
const INPUT_BYTES: usize = 128 * 1024;

/// Messages and the segments that hold them.
struct Messages {
    segments: Vec<Arc<Segment>>,
    spans: Vec<Span>,
}

impl Messages {
    /// The messages of the race.
    fn of(course: Course) -> Self {
        let batch = course.batch();
        let mut bytes = 0;
        let texts = batch.messages.iter().map(|message| message.text);
        let spans = texts.take_while(|span| {
            bytes += span.len as usize;
            bytes <= INPUT_BYTES
        });
        Self { spans: spans.collect(), segments: batch.segments }
    }

    /// The same lines over and over.
    fn repeated(lines: &[String]) -> Self {
        Self::of_lines(lines.iter().cycle(), INPUT_BYTES)
    }

    /// Lines, up to a number of bytes.
    fn of_lines<'a>(lines: impl IntoIterator<Item = &'a String>, most: usize) -> Self {
        let (mut text, mut spans) = (String::new(), Vec::new());
        for line in lines {
            if text.len() >= most {
                break;
            }
            let start = text.len() as u32;
            spans.push(Span { start, len: line.len() as u32, buffer: Span::SEGMENTS, facts: Facts::UNKNOWN });
            text.push_str(line);
            text.push('\n');
        }
        Self { segments: vec![Arc::new(Segment::new(text.into_bytes()))], spans }
    }
}

/// Parses messages by a format; `named` are paths that the pipeline names beside the format's own.
fn parse(criterion: &mut Criterion, id: &str, name: &str, named: &[&str], messages: &Messages) {
    parse_with(criterion, id, name, &Options::default(), named, messages);
}

/// The same with options.
fn parse_with(
    criterion: &mut Criterion,
    id: &str,
    name: &str,
    options: &Options,
    named: &[&str],
    messages: &Messages,
) {
    let mut turn = Turn::new(name, options, named, messages);
    let bytes: usize = messages.spans.iter().map(|span| span.len as usize).sum();
    let mut group = criterion.benchmark_group("grammar");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(id, |bencher| bencher.iter(|| turn.run()));
    group.finish();
}

/// A format bound as a pipeline would, and messages for it.
struct Turn<'a> {
    format: Box<dyn Format>,
    row: Row,
    fields: Fields,
    messages: &'a Messages,
}

impl<'a> Turn<'a> {
    fn new(name: &str, options: &Options, named: &[&str], messages: &'a Messages) -> Self {
        let parser = grammar::parser(name).expect("a format");
        let mut builder = LayoutBuilder::default();
        for field in parser.gives(options).expect("its fields").fields {
            builder.add(&field.path);
        }
        for path in named {
            builder.add(path);
        }
        let layout = Arc::new(builder.build());
        let mut constants = Vec::new();
        let mut bind = Bind {
            layout: &layout,
            prefix: "",
            options,
            constants: &mut constants,
            reference: Reference::at(1_719_792_000_000_000_000),
            wanted: Mask::ALL,
        };
        let format = parser.bind(&mut bind).expect("binds");
        let mut row = Row::new(layout, constants.into());
        row.swap_segments(messages.segments.clone());
        Self { format, row, fields: Fields::new(), messages }
    }

    /// What a message is told as.
    fn told(&mut self, span: Span) -> Option<&'static str> {
        self.row.clear();
        self.fields.clear();
        self.format.parse_as(span, &mut self.row.texts, &mut self.fields).ok()?
    }

    /// Whether a message is of the format.
    fn takes(&mut self, span: Span) -> bool {
        self.row.clear();
        self.fields.clear();
        self.format.parse(span, &mut self.row.texts, &mut self.fields).is_ok()
    }

    /// All messages, one after the other.
    fn run(&mut self) {
        for span in &self.messages.spans {
            self.row.clear();
            self.fields.clear();
            let done = self.format.parse(*span, &mut self.row.texts, &mut self.fields);
            assert!(done.is_ok(), "every message parses");
            commit(&mut self.row, &mut self.fields);
        }
        black_box(&self.row);
    }
}

/// What is measured beside the regular expression that one would write for it.
struct Race<'a> {
    id: &'a str,
    /// Megabytes (10⁶) a second that were asked for.
    goal: u32,
    name: &'a str,
    options: Options,
    /// Paths that the pipeline names beside the format's own.
    named: &'a [&'a str],
    messages: Messages,
    /// The same with the crate `regex`; what it captures stays text, but for whole numbers.
    regex: Plain<'a>,
}

/// How a regular expression does it.
enum Plain<'a> {
    /// Named groups, by the format `regex`: captures become fields.
    Format(&'a str),
    /// All matches of a pair of key and value, each a field of the remainder.
    Pairs(&'a str),
    /// One expression for each of these keys.
    Keys(&'a [&'a str]),
}

/// Megabytes a second of the fastest of many turns, by the time of this thread's processor: others on the machine do not
/// count.
fn rate(turns: usize, bytes: usize, mut turn: impl FnMut()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let turns = (0..turns).map(|_| {
        let start = now();
        turn();
        now() - start
    });
    let least = turns.fold(f64::MAX, f64::min);
    bytes as f64 / 1e6 / least
}

impl Race<'_> {
    /// Measures both in turn, and says how they stand to each other and to the goal.
    fn run(&self, criterion: &mut Criterion, said: &mut Vec<String>) {
        let bytes: usize = self.messages.spans.iter().map(|span| span.len as usize).sum();
        let mut ours = Turn::new(self.name, &self.options, self.named, &self.messages);
        let mut theirs: Box<dyn FnMut()> = match &self.regex {
            Plain::Format(pattern) => {
                let mut turn = Turn::new("regex", &pattern_option(pattern), &[], &self.messages);
                Box::new(move || turn.run())
            }
            Plain::Pairs(pattern) => by_pairs(pattern, &self.messages),
            Plain::Keys(keys) => by_keys(keys, &self.messages),
        };
        let mut asked = false;
        let mut group = criterion.benchmark_group("race");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(self.id, |bencher| {
            asked = true;
            bencher.iter(|| ours.run());
        });
        group.bench_function(format!("{}/regex", self.id), |bencher| bencher.iter(&mut theirs));
        group.finish();
        if !asked || std::env::args().any(|argument| argument == "--test") {
            return;
        }
        let (ours, theirs) = (rate(200, bytes, || ours.run()), rate(200, bytes, theirs));
        let met = if ours >= f64::from(self.goal) { "met" } else { "missed" };
        said.push(format!(
            "{:<24} {ours:>6.0} MB/s, goal {:>3} {met:<6}  regex {theirs:>5.0} MB/s, ratio {:.1}",
            self.id,
            self.goal,
            ours / theirs
        ));
    }
}

/// Pairs of key and value by one expression, put where those of an open format go.
fn by_pairs<'a>(pattern: &str, messages: &'a Messages) -> Box<dyn FnMut() + 'a> {
    let pairs = Regex::new(pattern).expect("a pattern");
    let mut row = Row::new(Arc::new(LayoutBuilder::default().build()), Vec::new().into());
    row.swap_segments(messages.segments.clone());
    let mut places = pairs.capture_locations();
    Box::new(move || {
        for span in &messages.spans {
            row.clear();
            let text = messages.segments[0].bytes();
            let text = &text[span.start as usize..(span.start + span.len) as usize];
            let mut at = 0;
            while pairs.captures_read_at(&mut places, text, at).is_some() {
                let (Some(all), Some(key)) = (places.get(0), places.get(1)) else { break };
                let value = places.get(2).or(places.get(3)).unwrap_or(key);
                let part = |(from, to): (usize, usize)| span.part(from, to - from);
                row.add(0, part(key), Value::Text(part(value)));
                at = all.1;
            }
        }
        black_box(&row);
    })
}

/// Members of a JSON object by one expression each; nothing is checked.
fn by_keys<'a>(keys: &[&str], messages: &'a Messages) -> Box<dyn FnMut() + 'a> {
    let member = |key: &&str| {
        Regex::new(&format!(r#""{key}":\s*(?:"((?:[^"\\]|\\.)*)"|([0-9.eE+-]+|true|false|null))"#))
            .expect("a pattern")
    };
    let members: Vec<_> = keys.iter().map(member).collect();
    let mut builder = LayoutBuilder::default();
    keys.iter().for_each(|key| {
        builder.add(key);
    });
    let layout = Arc::new(builder.build());
    let slots: Vec<_> = keys.iter().map(|key| layout.slot(key).expect("named")).collect();
    let mut row = Row::new(layout, Vec::new().into());
    row.swap_segments(messages.segments.clone());
    Box::new(move || {
        for span in &messages.spans {
            row.clear();
            let text = messages.segments[usize::from(span.buffer - Span::SEGMENTS)].bytes();
            let text = &text[span.start as usize..(span.start + span.len) as usize];
            for (member, slot) in members.iter().zip(&slots) {
                let mut places = member.capture_locations();
                if member.captures_read(&mut places, text).is_some()
                    && let Some((from, to)) = places.get(1).or(places.get(2))
                {
                    row.set(*slot, Value::Text(span.part(from, to - from)));
                }
            }
        }
        black_box(&row);
    })
}

fn pattern_option(text: &str) -> Options {
    Options::new(Vec::new(), vec![("pattern", OptionValue::Text(text.to_owned()))])
}

/// The combined access log as a regular expression, as one would write it by hand.
const COMBINED: &str = r#"^(?<source__address>\S+) (?<ident>\S+) (?<user__name>\S+) \[(?<timestamp>[^\]]+)\] "(?<http__request__method>\w+) (?<url__original>\S+) HTTP/(?<http__version>[\d.]+)" (?<http__response__status_code__int>\d+) (?<http__response__body__bytes__int>\d+) "(?<http__request__referrer>[^"]*)" "(?<user_agent__original>[^"]*)""#;
const BSD: &str = r"^<(?<priority__int>\d{1,3})>(?<timestamp>\w{3} [ \d]\d \d\d:\d\d:\d\d) (?<host__name>\S+) (?<process__name>[^:\[ ]+)(?:\[(?<process__pid__int>\d+)\])?: (?<message>.*)$";
const IETF: &str = r"^<(?<priority__int>\d{1,3})>(?<version__int>\d) (?<timestamp>\S+) (?<host__name>\S+) (?<appname>\S+) (?<procid>\S+) (?<msgid>\S+) (?<data>-|\[[^\]]*\]) (?<message>.*)$";
const LOGFMT: &str = r#"([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))"#;

/// Access log lines in the combined format.
fn combined() -> Messages {
    let lines: Vec<String> = [
        ("203.0.113.7", "-", "/products/4711?colour=red", "https://shop.example.com/", "Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0"),
        ("198.51.100.23", "ada", "/health", "-", "curl/8.5.0"),
        ("2001:db8::17", "-", "/static/app.4f2c.js", "https://shop.example.com/products", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"),
    ]
    .iter()
    .map(|(host, user, path, referrer, agent)| {
        format!("{host} - {user} [06/May/2024:07:08:09 +0000] \"GET {path} HTTP/1.1\" 200 5316 \"{referrer}\" \"{agent}\"")
    })
    .collect();
    Messages::repeated(&lines)
}

/// The goals of the formats that carry most logs, each beside `regex`.
fn goals(criterion: &mut Criterion) {
    let lines =
        |lines: &[&str]| Messages::repeated(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
    let race = |id, goal, name, messages, regex| Race {
        id,
        goal,
        name,
        options: Options::default(),
        named: &[],
        messages,
        regex,
    };
    let races = [
        race("nginx.access, W1", 700, "nginx.access", Messages::of(W1), Plain::Format(COMBINED)),
        race("nginx.access", 700, "nginx.access", combined(), Plain::Format(COMBINED)),
        race("apache.access", 700, "apache.access", combined(), Plain::Format(COMBINED)),
        race("syslog, 3164", 500, "syslog", lines(SYSLOG_BSD), Plain::Format(BSD)),
        race("syslog, 5424", 500, "syslog", lines(SYSLOG_IETF), Plain::Format(IETF)),
        Race {
            named: &["level", "msg", "svc", "pid"],
            ..race(
                "json, four named",
                400,
                "json",
                Messages::of(W2),
                Plain::Keys(&["level", "msg", "svc", "pid"]),
            )
        },
        race("logfmt", 400, "logfmt", lines(LOGFMT_LINES), Plain::Pairs(LOGFMT)),
        Race {
            options: pattern_option("%{COMBINEDAPACHELOG}"),
            ..race("grok, combined", 250, "grok", combined(), Plain::Format(COMBINED))
        },
    ];
    let mut said = Vec::new();
    races.iter().for_each(|race| race.run(criterion, &mut said));
    // A table for people, as Criterion prints what it measures.
    said.iter().for_each(|line| eprintln!("{line}"));
}

const SYSLOG_BSD: &[&str] = &[
    "<34>Oct 11 22:14:15 gate sshd[4711]: Accepted publickey for ada from 198.51.100.4 port 50123 ssh2: ED25519 SHA256:Jx3k7cQm0b1dY2s",
    "<78>Oct 11 22:15:01 gate CRON[4720]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)",
    "<30>Oct 11 22:15:02 gate systemd[1]: Started session-118.scope - Session 118 of User ada.",
    "<4>Oct 11 22:15:02 gate kernel: [UFW BLOCK] IN=eth0 OUT= SRC=198.51.100.9 DST=192.0.2.4 LEN=40 TTL=243 ID=54321 PROTO=TCP SPT=41223 DPT=23 WINDOW=1024 SYN",
];
const SYSLOG_IETF: &[&str] = &[
    "<165>1 2024-05-06T07:08:09.123456Z gate.example.com sshd 4711 ID47 - Accepted publickey for ada from 198.51.100.4 port 50123 ssh2",
    "<30>1 2024-05-06T07:08:10.000001+02:00 gate.example.com systemd 1 - - Started session-118.scope - Session 118 of User ada.",
    "<86>1 2024-05-06T07:08:11.5Z gate.example.com sudo 912 - - ada : TTY=pts/0 ; PWD=/home/ada ; USER=root ; COMMAND=/usr/bin/apt update",
];
const LOGFMT_LINES: &[&str] = &[
    "ts=2024-05-06T07:08:09Z level=info msg=\"order accepted\" order=7703 user=ada took=12ms",
    "ts=2024-05-06T07:08:10.125Z caller=http.go:121 level=warn component=api msg=\"request took long\" method=GET path=/api/v1/orders/7703 status=200 duration=1.204s remote=198.51.100.23:50122 trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
    "time=\"2024-05-06T07:08:11Z\" level=error msg=\"cannot pull image\" image=registry.example.com/shop/web:1.42 error=\"context deadline exceeded\" retries=3",
];

/// Grok and dissect on access logs, beside `regex`.
fn patterns(criterion: &mut Criterion) {
    let messages = combined();
    let grok = pattern_option("%{COMBINEDAPACHELOG}");
    parse_with(criterion, "combined/grok", "grok", &grok, &[], &messages);
    parse_with(criterion, "combined/regex", "regex", &pattern_option(COMBINED), &[], &messages);
    let cut = "%{source.address} %{} %{user.name} [%{timestamp}] \"%{http.request.method} %{url.original} HTTP/%{http.version}\" \
               %{http.response.status_code|int} %{http.response.body.bytes|int} \"%{http.request.referrer}\" \"%{user_agent.original}\"";
    parse_with(criterion, "combined/dissect", "dissect", &pattern_option(cut), &[], &messages);
}

/// `auto` on lines of one format, beside that format asked for by name: what it costs to tell it.
fn told(criterion: &mut Criterion) {
    let mut pair = |id: &str, name: &str, messages: &Messages| {
        parse(criterion, &format!("told/{id}"), "auto", &[], messages);
        parse(criterion, &format!("named/{id}"), name, &[], messages);
    };
    pair("W1", "nginx.access", &Messages::of(W1));
    pair("W2", "json", &Messages::of(W2));
    for name in ["java", "python", "system.auth", "postgresql.log", "nginx.error", "klog"] {
        let Some(grammar) = grammar::get(name) else { continue };
        let samples: Vec<String> = grammar.samples().map(|(_, text)| text.to_owned()).collect();
        pair(name, name, &Messages::repeated(&samples));
    }
}

/// Messages of one file that are measured, at most.
const FILE_LINES: usize = 2000;

/// Turns over a file, of which the fastest counts.
const FILE_TURNS: usize = 40;

/// `auto` beside the named format on collected logs, where they are at hand: for each file, the lines that are of the
/// format of most of its lines. `cargo bench --bench grammar -- files`
fn files(_: &mut Criterion) {
    let asked = std::env::args().any(|argument| argument == "files");
    // What is learnt of one file must not help with another, nor leave no room for it: each has a process.
    if let Some(file) = std::env::var_os(ONE_FILE) {
        if let Some(found) = told_beside_named(Path::new(&file)) {
            eprintln!("{found}");
        }
        return;
    }
    let folder = std::env::var("ALUDEL_CORPORA").unwrap_or_else(|_| "../shared/corpora".to_owned());
    if !asked || !Path::new(&folder).is_dir() {
        return;
    }
    let mut paths = Vec::new();
    ["filebeat-modules", "loghub", "misc-formats", "multiline"]
        .iter()
        .for_each(|set| logs(&Path::new(&folder).join(set), &mut paths));
    let (mut told, mut named, mut near, mut count) = (0.0, 0.0, 0, 0);
    let own = std::env::current_exe().expect("this program");
    for path in paths {
        let done =
            Command::new(&own).args(["--bench", "files"]).env(ONE_FILE, &path).output().expect("starts");
        let said = String::from_utf8_lossy(&done.stderr);
        let Some((name, [auto, own])) = said.lines().find_map(|line| {
            let mut words = line.split(' ');
            let name = words.next()?;
            Some((name, [words.next()?.parse::<f64>().ok()?, words.next()?.parse::<f64>().ok()?]))
        }) else {
            continue;
        };
        (told, named, count) = (told + auto, named + own, count + 1);
        near += usize::from(auto <= 1.3 * own);
        let file = path.strip_prefix(&folder).unwrap_or(&path).display();
        eprintln!("{:>5.2} {auto:>7.0} ns told, {own:>6.0} named {name}: {file}", auto / own);
    }
    eprintln!("{:.2} of all {count} files; {near} of them at most 1.3", told / named);
}

/// A file that this process measures, as a variable of its environment.
const ONE_FILE: &str = "ALUDEL_BENCH_FILE";

/// The format of a file's lines, and what a line costs by `auto` and by name, in nanoseconds.
fn told_beside_named(path: &Path) -> Option<String> {
    let (name, lines) = lines_of_one_format(path)?;
    // What another program wrote inside is told too, which by name is not read at all: no comparison.
    if grammar::get(name).is_some_and(|grammar| grammar.inner().is_some()) {
        return None;
    }
    let messages = Messages::repeated(&lines);
    let bytes: usize = messages.spans.iter().map(|span| span.len as usize).sum();
    let by = |name: &str| {
        let mut turn = Turn::new(name, &Options::default(), &[], &messages);
        // Megabytes a second are bytes a microsecond.
        1000.0 * bytes as f64 / rate(FILE_TURNS, bytes, || turn.run()) / messages.spans.len() as f64
    };
    Some(format!("{name} {} {}", by("auto"), by(name)))
}

/// The files below a folder that may be logs.
fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            logs(&path, found);
        } else if !["expected", ".md", ".yml", ".json", ".csv"].iter().any(|no| name.contains(no)) {
            found.push(path);
        }
    }
}

/// The format of most lines of a file, and those lines.
fn lines_of_one_format(path: &Path) -> Option<(&'static str, Vec<String>)> {
    let text = std::fs::read_to_string(path).ok()?;
    let lines: Vec<String> = text.lines().take(FILE_LINES).map(str::to_owned).collect();
    let messages = Messages::of_lines(&lines, usize::MAX);
    let mut turn = Turn::new("auto", &Options::default(), &[], &messages);
    let told: Vec<_> = messages.spans.iter().map(|span| turn.told(*span)).collect();
    let mut counts = BTreeMap::new();
    told.iter().flatten().for_each(|name| *counts.entry(*name).or_insert(0) += 1);
    let (name, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    // One that is in colours is told without them.
    let mut by_name = Turn::new(name, &Options::default(), &[], &messages);
    let taken: Vec<_> = messages.spans.iter().map(|span| by_name.takes(*span)).collect();
    let told = told.into_iter().zip(taken).map(|(told, taken)| told.filter(|_| taken));
    let lines: Vec<_> =
        lines.into_iter().zip(told).filter(|(_, told)| *told == Some(name)).map(|(line, _)| line).collect();
    (lines.len() >= 5).then_some((name, lines))
}

fn all(criterion: &mut Criterion) {
    parse(criterion, "W1/nginx.access", "nginx.access", &[], &Messages::of(W1));
    let json = Messages::of(W2);
    parse(criterion, "W2/json, four named", "json", &["level", "msg", "svc", "pid"], &json);
    parse(criterion, "W2/json, none named", "json", &[], &json);
    let syslog =
        ["<34>Oct 11 22:14:15 gate sshd[4711]: Accepted publickey for ada from 198.51.100.4 port 50123"
            .to_owned()];
    parse(criterion, "syslog/rfc3164", "syslog", &[], &Messages::repeated(&syslog));
    let logfmt =
        ["ts=2024-05-06T07:08:09Z level=info msg=\"order accepted\" order=7703 user=ada took=12ms"
            .to_owned()];
    parse(criterion, "logfmt", "logfmt", &[], &Messages::repeated(&logfmt));
    for grammar in grammar::all() {
        let samples: Vec<String> = grammar.samples().map(|(_, text)| text.to_owned()).collect();
        parse(criterion, grammar.name(), grammar.name(), &[], &Messages::repeated(&samples));
    }
}

criterion_group!(benches, goals, patterns, told, files, all);
criterion_main!(benches);
