//! No text makes a grammar, a format or a framer take time that grows faster than the text.
//!
//! Texts of two lengths are made by one rule, and the work that is counted for them ([`work`]) is compared: twice the
//! text may take twice the work. What is not counted (the `regex` crate, hashing, writing) is seen by a second look, at
//! the processor time of a text that is so much longer that a square would show on any machine.

use std::sync::Arc;
use std::time::Duration;

use aludel::event::{OptionValue, Options, work};
use aludel::format::Reference;
use aludel::frame::{FrameConfig, OPTIONS};
use aludel::grammar::{self, Found, Reader};
use rustix::time::{ClockId, clock_gettime};

use super::framing;
use super::grammar_properties::readers;

/// What is repeated between what; `{n}` is a number that is never the same.
#[derive(Clone, Debug)]
struct Rule {
    before: Vec<u8>,
    repeated: Vec<u8>,
    behind: Vec<u8>,
}

impl Rule {
    fn new(before: &[u8], repeated: &[u8], behind: &[u8]) -> Self {
        Self { before: before.to_vec(), repeated: repeated.to_vec(), behind: behind.to_vec() }
    }

    /// A text of about so many bytes.
    fn text(&self, bytes: usize) -> Vec<u8> {
        let mut text = self.before.clone();
        let marks: Vec<usize> = memchr::memmem::find_iter(&self.repeated, b"{n}").collect();
        let mut number = 0;
        while text.len() + self.behind.len() < bytes {
            let mut from = 0;
            for &mark in &marks {
                text.extend_from_slice(&self.repeated[from..mark]);
                text.extend_from_slice(format!("{number:05}").as_bytes());
                from = mark + 3;
            }
            text.extend_from_slice(&self.repeated[from..]);
            number += 1;
        }
        text.extend_from_slice(&self.behind);
        text
    }

    fn shown(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{:?} {:?} … {:?}", text(&self.before), text(&self.repeated), text(&self.behind))
    }
}

/// What may be too much for anyone.
fn rules() -> Vec<Rule> {
    let alone = [
        "a",
        " ",
        "\"",
        "\\\"",
        "\\",
        "'",
        "=",
        "a=",
        "=a",
        "a=b ",
        "a=\"b\" ",
        "a={n} ",
        "k{n}=v ",
        "k{n}.a=v ",
        "a.k{n}=v ",
        "a.b.c.",
        ".",
        ":",
        "a:",
        "1",
        "1.",
        "1:",
        "-",
        "- ",
        ",",
        ", ",
        "a, ",
        "10.0.0.1, ",
        "::1, ",
        "\t",
        "|",
        "[",
        "]",
        "[a] ",
        "(",
        "{",
        "<",
        "<a>",
        "<!--",
        "%",
        "%41",
        "&",
        "&a=b",
        "&k{n}=v",
        "é",
        "Z",
        "ff:",
        "/",
        "?",
        "@",
        "a@",
        "#",
        "\n",
        "\r",
        "\n\tat a.b.c(d.java:1)",
        "\nCaused by: a.B: c",
        "\n#0 /a.php:1",
        "\nx.rb:1:in 'f'",
        "\npanic: x",
        "\nTraceback (most recent call last):",
        "\n  File \"a\", line 1",
        "\n goroutine 1 [running]:",
        "2024-05-06T07:08:09Z ",
        "\"a\",",
        "\"a\"\"\",",
        "info ",
        "GET / HTTP/1.1 ",
    ];
    let between = [
        ("\"", "\\\"", ""),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/", "=", ""),
        ("{\"a\":[", "1,", "1]}"),
        ("{\"a\":", "[", ""),
        ("{", "\"a\":{", ""),
        ("{", "\"k{n}\":1,", "\"z\":1}"),
        ("{", "\"a\":1,", "\"z\":1}"),
        ("{", "\"level\":{\"a\":1},", "\"z\":1}"),
        ("{", "\"message\":\"a\",", "\"z\":1}"),
        ("{", "\"k{n}.a\":1,", "\"z\":1}"),
        ("{", "\"a.k{n}\":1,", "\"z\":1}"),
        ("{", "\"a.k{n}.b.c\":1,", "\"z\":1}"),
        ("{", "\"aaaaaaaaaaaa{n}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1,", "\"z\":1}"),
        ("{\"a", ".a", "\":1}"),
        ("{\"a\":\"", "\\u0041", "\"}"),
        ("{\"a\":\"", "\\n", "\"}"),
        ("{\"a\":{\"b\":1,\"b\":2,\"c\":[", "{\"d\":1,\"d\":2},", "1]}}"),
        ("{\"a\":1", " ", "}"),
        ("{\"a\":", "9", "}"),
        ("CEF:0|a|b|c|d|e|5|", "a=b ", ""),
        ("CEF:0|a|b|c|d|e|5|", "k{n}=v ", ""),
        ("CEF:0|a|b|c|d|e|5|a=b", "=b", ""),
        ("CEF:0|a|b|c|d|e|5|a=", "\\=", ""),
        ("CEF:0|", "\\|", ""),
        ("", "CEF:", ""),
        ("CEF:0|a|b|c|d|e|5|cs1Label=x ", "cs1=a ", ""),
        ("LEEF:1.0|a|b|c|d|", "k{n}=v\t", ""),
        ("LEEF:1.0|a|b|c|d|", "src=192.0.2.1\t", ""),
        ("<34>1 2024-05-06T07:08:09Z h a 1 - [x", " k{n}=\"v\"", "] m"),
        ("<34>1 2024-05-06T07:08:09Z h a 1 - [x", " a=\"\\\"\"", "] m"),
        ("<34>1 2024-05-06T07:08:09Z h a 1 - ", "[x{n} a=\"b\"]", " m"),
        ("<34>Oct 11 22:14:15 h p[1]: ", "a: ", ""),
        ("<34>", "Oct 11 22:14:15 ", ""),
        ("<a>", "<b/>", "</a>"),
        ("<a>", "<b c=\"d\">e</b>", "</a>"),
        ("<a>", "<b Name=\"k{n}\">e</b>", "</a>"),
        ("<a>", "<k{n}/>", "</a>"),
        ("<a", " k{n}=\"v\"", "/>"),
        ("<a>", "<!---->", "</a>"),
        ("<a>", "<![CDATA[x]]>", "</a>"),
        ("<a>", "&amp;", "</a>"),
        ("<a>", "&", "</a>"),
        ("<!DOCTYPE a ", "[<", ""),
        ("a", "%{a}", "b"),
        ("http://", "a@", "/"),
        ("http://[", "::", "]/"),
        ("http://a/?", "k{n}=v&", ""),
        ("203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] \"GET /", "a", " HTTP/1.1\" 404 12 \"-\" \"curl\""),
        ("203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] \"", "\\\"", "\" 404 12 \"-\" \"curl\""),
        ("203.0.113.7 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 404 12 \"-\" \"", "curl ", "\" x"),
    ];
    let alone = alone.iter().map(|unit| Rule::new(b"", unit.as_bytes(), b""));
    let between = between
        .iter()
        .map(|(before, unit, behind)| Rule::new(before.as_bytes(), unit.as_bytes(), behind.as_bytes()));
    alone.chain(between).chain([Rule::new(b"", b"\xff", b""), Rule::new(b"", b"\0", b"")]).collect()
}

/// Pieces of a sample over and over, in its place.
fn rules_of(sample: &[u8]) -> Vec<Rule> {
    const PIECES: usize = 3;
    let ends: Vec<usize> =
        (1..=sample.len()).filter(|&at| at == sample.len() || !sample[at].is_ascii_alphanumeric()).collect();
    let step = ends.len().div_ceil(PIECES).max(1);
    let mut rules = vec![Rule::new(b"", sample, b"")];
    for pair in ends.windows(2).step_by(step) {
        let (before, rest) = sample.split_at(pair[0]);
        let (piece, behind) = rest.split_at(pair[1] - pair[0]);
        rules.push(Rule::new(before, piece, behind));
    }
    rules
}

/// What is asked of a text.
trait Subject {
    fn take(&mut self, text: &[u8]);
}

impl Subject for Reader {
    fn take(&mut self, text: &[u8]) {
        let mut out = Vec::new();
        self.parse(text, Found::default(), &mut out);
        assert!(out.ends_with(b"\n"));
    }
}

impl Subject for Arc<FrameConfig> {
    fn take(&mut self, text: &[u8]) {
        framing::cuts(text, self, []);
    }
}

/// The shorter text, whose bounds on repetitions are reached already.
const SHORT: usize = 2 * 1024;
/// Work for each byte that a text at the bounds may take more than a shorter one, and any text at all.
const SLACK: u64 = 4096;

/// Twice the text, twice the work.
fn grows(name: &str, subject: &mut impl Subject, rule: &Rule, wrong: &mut Vec<String>) {
    let mut counted = |bytes: usize| {
        let text = rule.text(bytes);
        work::take();
        subject.take(&text);
        (text.len() as u64, work::take())
    };
    let (short, long) = (counted(SHORT), counted(2 * SHORT));
    // By the lengths that the texts have.
    let due = short.1 * long.0 / short.0;
    if long.1 > due + due / 5 + SLACK {
        wrong.push(format!(
            "{name}: {} bytes {} steps, {} bytes {} steps: {}",
            short.0,
            short.1,
            long.0,
            long.1,
            rule.shown()
        ));
    }
}

fn processor_time(subject: &mut impl Subject, text: &[u8]) -> Duration {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let start = now();
    subject.take(text);
    now() - start
}

/// How much longer the longer text is.
const LONGER: u32 = 8;

/// Eight times the text takes eight times the time; a square would take 64 times.
fn stays_fast(name: &str, subject: &mut impl Subject, rule: &Rule, wrong: &mut Vec<String>) {
    let (short, long) = (rule.text(SHORT), rule.text(SHORT * LONGER as usize));
    let (after, floor) = (processor_time(subject, &long), Duration::from_micros(1) * long.len() as u32);
    // Where the longer text takes less than a microsecond a byte, nothing in it is a square.
    if after < floor || after < processor_time(subject, &short) * LONGER * 3 {
        return;
    }
    let mut least = |text| (0..4).map(|_| processor_time(subject, text)).min().unwrap_or_default();
    let (before, after) = (least(&short), least(&long));
    if after > before * LONGER * 3 {
        wrong.push(format!("{name}: {before:?}, {LONGER} times as long {after:?}: {}", rule.shown()));
    }
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} grow too fast:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whatever is repeated, every grammar and format takes work as the text is long.
#[test]
fn twice_the_text_takes_twice_the_work() {
    let mut wrong = Vec::new();
    let rules = rules();
    for (number, (name, reader)) in readers().iter_mut().enumerate() {
        // Most grammars refuse most of them at the first byte, and `auto` asks all of them: each gets others.
        let step = if grammar::get(name).is_some() || *name == grammar::AUTO { 16 } else { 2 };
        rules.iter().skip(number % step).step_by(step).for_each(|rule| grows(name, reader, rule, &mut wrong));
    }
    none(&wrong);
}

/// Whatever part of a sample is repeated, its grammar takes work as the text is long.
#[test]
fn parts_of_samples_may_be_repeated() {
    let mut wrong = Vec::new();
    let mut readers = readers();
    for grammar in grammar::all() {
        let of = |(name, _): &&mut (&str, Reader)| *name == grammar.name();
        let (name, reader) = readers.iter_mut().find(of).expect("a reader for each grammar");
        for (_, sample) in grammar.samples().take(3) {
            rules_of(sample.as_bytes()).iter().for_each(|rule| grows(name, reader, rule, &mut wrong));
        }
    }
    none(&wrong);
}

/// Patterns that many engines take too long for.
#[test]
fn patterns_take_work_as_the_text_is_long() {
    const PATTERNS: &[(&str, &str)] = &[
        ("grok", r"\w*@x"),
        ("grok", r"\w+@(?<a>x)"),
        ("grok", r"(?<a>\w*)\s*@x"),
        ("grok", r"^.*\w*@x"),
        ("grok", r"^(?:\w+\s?)*$"),
        ("grok", r"(?:a|aa)*b"),
        ("grok", r"(?:a*)*b"),
        ("grok", r".*.*.*=x"),
        ("grok", r".*?.*?.*?=x"),
        ("grok", r"(?i)%{LOGLEVEL:a}.*%{LOGLEVEL:b}x"),
        ("grok", r"%{DATA:a} %{GREEDYDATA:b}=x"),
        ("grok", r"%{COMBINEDAPACHELOG}"),
        ("grok", r"%{URI:a}"),
        ("grok", r"%{HOSTNAME:a}:%{POSINT:b}x"),
        ("grok", r"%{IPV6:a}x"),
        ("grok", r"%{QUOTEDSTRING:a}x"),
        ("grok", r"%{PATH:a}\|x"),
        ("regex", r"^(?<a>(?:a|aa)*)b"),
        ("regex", r"(?<a>\w*)@x"),
        ("dissect", "%{a->} %{b->}=x"),
        ("dissect", "%{a}, %{b}, %{c}|%{d}"),
        ("dissect", "%{?k}=%{&k} %{+r/2} %{+r/1}"),
        ("csv", ""),
        ("key_value", ""),
        ("xml", ""),
    ];
    let more = [
        Rule::new(b"@x", b"a", b""),
        Rule::new(b"", b"a ", b"@x"),
        Rule::new(b"", b"a", b"!@x"),
        Rule::new(b"", b"a=", b"@x"),
        Rule::new(b"", b"error ", b"@x"),
        Rule::new(b"", b"a.", b":1=x"),
    ];
    let rules = rules();
    let mut wrong = Vec::new();
    for (number, &(name, pattern)) in PATTERNS.iter().enumerate() {
        let options = match pattern {
            "" => Vec::new(),
            _ => vec![("pattern", OptionValue::Text(pattern.into()))],
        };
        let mut reader =
            Reader::new(name, &Options::new(Vec::new(), options), Reference::at(1 << 60)).expect("a format");
        let name = format!("{name} {pattern}");
        for rule in rules.iter().skip(number % 4).step_by(4).chain(&more) {
            grows(&name, &mut reader, rule, &mut wrong);
        }
        more.iter().for_each(|rule| stays_fast(&name, &mut reader, rule, &mut wrong));
    }
    none(&wrong);
}

/// Within an atomic part of a grok pattern nothing can be remembered: there a bound for each byte ends what takes long.
#[test]
fn atomic_parts_are_bounded() {
    /// Four for each of the pattern's instructions, of which there are a dozen, and 64.
    const STEPS_PER_BYTE: u64 = 4 * 80;
    let options = Options::new(Vec::new(), vec![("pattern", OptionValue::Text(r"(?>\w+\s?)+x".into()))]);
    let mut reader = Reader::new("grok", &options, Reference::at(1 << 60)).expect("a format");
    for bytes in [8 * 1024, 16 * 1024] {
        let text = vec![b'a'; bytes];
        work::take();
        reader.take(&text);
        let steps = work::take();
        assert!(steps < (bytes as u64 + 64) * STEPS_PER_BYTE, "{bytes} bytes, {steps} steps");
    }
}

/// What is not counted takes time as the text is long, too.
#[test]
fn a_text_that_is_longer_takes_so_much_longer() {
    let mut wrong = Vec::new();
    let rules = rules();
    // Grammars are one machinery, whose work is counted; `auto` is all of them.
    let formats = |name: &str| grammar::get(name).is_none() && name != grammar::AUTO;
    let mut readers = readers();
    let some = readers.iter_mut().filter(|(name, _)| formats(name) || *name == "nginx.access");
    for (number, (name, reader)) in some.enumerate() {
        rules.iter().skip(number % 5).step_by(5).for_each(|rule| stays_fast(name, reader, rule, &mut wrong));
    }
    none(&wrong);
}

/// Lines of any kind, joined or not.
#[test]
fn framers_take_work_as_the_bytes_are_many() {
    let config = |values: &[(&str, &str)]| {
        let option = |(name, text): &(&str, &str)| {
            let spec = OPTIONS.iter().find(|spec| spec.name == *name).expect("an option of framing");
            (spec.name, OptionValue::Text((*text).to_owned()))
        };
        let options = Options::new(Vec::new(), values.iter().map(option).collect());
        Arc::new(FrameConfig::from_options(&options).expect("options of a case"))
    };
    let lines = [
        "a\n",
        "\n",
        "2024-05-06 ERROR x\n",
        "ERROR x\n\tat a.b(c:1)\n",
        "\tat a.b(c:1)\n",
        "Caused by: a.B: c\n",
        "a.BException: c\n",
        "  x\n",
        "Traceback (most recent call last):\n",
        "  File \"a\", line 1\n    x\n",
        "KeyError: 1\n",
        "During handling of the above exception, x\n\n",
        "panic: x\n\n",
        "goroutine 1 [running]:\n",
        "main.main()\n\t/a.go:1\n",
        "thread 'main' panicked at a.rs:1:1:\nx\n",
        "stack backtrace:\n",
        "PHP Fatal error:  Uncaught E: x in /a:1\n",
        "#0 a(1): b()\n",
        "x.rb:1:in 'f': m (E)\n",
        "\tfrom x.rb:1:in 'f'\n",
        "{\"a\":1}\n",
        "}\n",
        "a\\\n",
        "\0",
        "2024-05-06T07:08:09.1Z stdout F a\n",
        "2024-05-06T07:08:09.1Z stdout P a\n",
        "2024-05-06T07:08:09.1Z stderr F \tat a.b(c:1)\n",
        "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-05-06T07:08:09.1Z\"}\n",
        "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-06T07:08:09.1Z\"}\n",
    ];
    let heads = ["", "2024-05-06 ERROR x\n", "panic: x\n", "2024-05-06T07:08:09.1Z stdout F ERROR x\n"];
    let mut wrong = Vec::new();
    for (format, multiline, attach) in [
        ("lines", "auto", "previous"),
        ("lines", "auto", "none"),
        ("lines", "none", "none"),
        ("lines", "java", "previous"),
        ("lines", "python", "previous"),
        ("lines", "go", "none"),
        ("cri", "auto", "previous"),
        ("docker", "auto", "previous"),
    ] {
        let mut config = config(&[("format", format), ("multiline", multiline), ("attach", attach)]);
        let name = format!("{format} {multiline} {attach}");
        for (head, line) in heads.iter().flat_map(|head| lines.iter().map(move |line| (head, line))) {
            let rule = Rule::new(head.as_bytes(), line.as_bytes(), b"");
            grows(&name, &mut config, &rule, &mut wrong);
            if format == "docker" {
                stays_fast(&name, &mut config, &rule, &mut wrong);
            }
        }
    }
    none(&wrong);
}
