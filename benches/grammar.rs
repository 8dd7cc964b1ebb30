//! What it costs to parse a message and put its fields into the row: the race's messages, the formats that carry
//! most other logs, and every grammar on its own samples, in bytes per second.

#[path = "support/course.rs"]
#[expect(dead_code, reason = "a bench takes a part")]
mod course;

use std::hint::black_box;
use std::sync::Arc;

use aludel::event::{Facts, LayoutBuilder, Mask, OptionValue, Options, Row, Segment, Span};
use aludel::format::{Bind, Fields, Reference, commit};
use aludel::grammar;
use course::{Course, W1, W2};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

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
        let (mut text, mut spans) = (String::new(), Vec::new());
        for line in lines.iter().cycle() {
            if text.len() >= INPUT_BYTES {
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
    let bytes: usize = messages.spans.iter().map(|span| span.len as usize).sum();
    let mut group = criterion.benchmark_group("grammar");
    group.throughput(Throughput::Bytes(bytes as u64));
    let mut row = Row::new(layout, constants.into());
    row.swap_segments(messages.segments.clone());
    let mut fields = Fields::new();
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            for span in &messages.spans {
                row.clear();
                fields.clear();
                let done = format.parse(*span, &mut row.texts, &mut fields);
                assert!(done.is_ok(), "every message parses");
                commit(&mut row, &mut fields);
            }
            black_box(&row);
        });
    });
    group.finish();
}

/// The combined access log as a regular expression, as one would write it by hand.
const COMBINED: &str = r#"^(?<source__address>\S+) (?<ident>\S+) (?<user__name>\S+) \[(?<timestamp>[^\]]+)\] "(?<http__request__method>\w+) (?<url__original>\S+) HTTP/(?<http__version>[\d.]+)" (?<http__response__status_code__int>\d+) (?<http__response__body__bytes__int>\d+) "(?<http__request__referrer>[^"]*)" "(?<user_agent__original>[^"]*)""#;

/// Grok and dissect on access logs, beside `regex`.
fn patterns(criterion: &mut Criterion) {
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
    let messages = Messages::repeated(&lines);
    let pattern =
        |text: &str| Options::new(Vec::new(), vec![("pattern", OptionValue::Text(text.to_owned()))]);
    let grok = pattern("%{COMBINEDAPACHELOG}");
    parse_with(criterion, "combined/grok", "grok", &grok, &[], &messages);
    parse_with(criterion, "combined/regex", "regex", &pattern(COMBINED), &[], &messages);
    let cut = "%{source.address} %{} %{user.name} [%{timestamp}] \"%{http.request.method} %{url.original} HTTP/%{http.version}\" \
               %{http.response.status_code|int} %{http.response.body.bytes|int} \"%{http.request.referrer}\" \"%{user_agent.original}\"";
    parse_with(criterion, "combined/dissect", "dissect", &pattern(cut), &[], &messages);
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

criterion_group!(benches, patterns, told, all);
criterion_main!(benches);
