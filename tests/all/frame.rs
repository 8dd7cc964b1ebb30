//! Framing: cases in `fixtures/frame/*.case`, and properties.
//!
//! A case is `--- options` (one `name = value` a line), `--- input`, and `--- messages`. In the input `⏎` at the
//! end of a line joins it with the next (for long lines), `␍` stands for a carriage return, `␛` for an escape, `␀` for
//! NUL, `␂` for a byte-order mark, and `�` for something that is not valid. `written = utf-16le` writes the input in that
//! encoding. Every message is shown as `[lane.part start..end time]` and its lines, indented; behind it, where some of it
//! was not valid, stand the bytes that it was. `UPDATE_EXPECT=1` rewrites the messages.

use std::fmt::Write;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::event::{OptionValue, Options};
use aludel::frame::{Block, Format, FrameConfig, Framed, Framer, OPTIONS};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use proptest::prelude::*;

use super::framing::{Cut, cuts, texts};

fn config(values: &[(&str, &str)]) -> Arc<FrameConfig> {
    let option = |(name, text): &(&str, &str)| {
        let spec = OPTIONS.iter().find(|spec| spec.name == *name).expect("an option of framing");
        let value = match text.parse() {
            Ok(number) => OptionValue::Int(number),
            Err(_) if text.contains(", ") => {
                OptionValue::Texts(text.split(", ").map(str::to_owned).collect())
            }
            Err(_) => OptionValue::Text((*text).to_owned()),
        };
        (spec.name, value)
    };
    let options = Options::new(Vec::new(), values.iter().map(option).collect());
    Arc::new(FrameConfig::from_options(&options).expect("options of a case"))
}

fn show(cuts: &[Cut]) -> String {
    let mut out = String::new();
    for cut in cuts {
        let time = if cut.time.is_empty() { String::new() } else { format!(" {}", cut.time) };
        let was = cut.was.as_ref().map_or_else(String::new, |was| format!(" was {}", was.escape_ascii()));
        let _ = writeln!(out, "[{}.{} {}..{}{time}]{was}", cut.lane, cut.part, cut.start, cut.end);
        for line in cut.text().replace('\r', "␍").split('\n') {
            let _ = writeln!(out, "{}", format!("  {line}").trim_end());
        }
    }
    out
}

/// Options, input, expected messages.
struct Case<'a>(Vec<(&'a str, &'a str)>, Vec<u8>, &'a str);

/// Text in an encoding; `�` is something that it cannot hold.
fn write(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, text) in text.split('\u{fffd}').enumerate() {
        let unit: fn(u16) -> [u8; 2] = if encoding == UTF_16BE { u16::to_be_bytes } else { u16::to_le_bytes };
        if encoding == UTF_16LE || encoding == UTF_16BE {
            out.extend((number > 0).then(|| unit(0xd800)).into_iter().flatten());
            out.extend(text.encode_utf16().flat_map(unit));
        } else {
            out.extend((number > 0).then_some(0xff));
            out.extend_from_slice(&encoding.encode(text).0);
        }
    }
    out
}

fn sections(text: &str) -> Option<Case<'_>> {
    let (_, rest) = text.split_once("--- options\n")?;
    let (options, rest) = rest.split_once("--- input\n")?;
    let (input, messages) = rest.split_once("--- messages\n")?;
    let mut options: Vec<_> = options.lines().filter_map(|line| line.split_once(" = ")).collect();
    let mut input = input.replace("⏎\n", "");
    for (sign, text) in [('␍', "\r"), ('␛', "\x1b"), ('␀', "\0"), ('␂', "\u{feff}")] {
        input = input.replace(sign, text);
    }
    let written = options.iter().position(|(name, _)| *name == "written").map(|at| options.remove(at).1);
    let encoding = written.map_or(UTF_8, |label| Encoding::for_label(label.as_bytes()).expect("an encoding"));
    Some(Case(options, write(&input, encoding), messages))
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/frame");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("fixtures/frame").flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "case"));
    paths.sort();
    assert!(!paths.is_empty());
    let mut wrong = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a case");
        let Case(options, input, expected) =
            sections(&text).unwrap_or_else(|| panic!("{}: sections", path.display()));
        let config = config(&options);
        let got = show(&cuts(&input, &config, []));
        for step in [1, 7, 64] {
            let stepped = show(&cuts(&input, &config, (step..).step_by(step).take(input.len() / step)));
            assert_eq!(got, stepped, "{}: in blocks of {step} bytes", path.display());
        }
        if got != expected {
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                let head = text.strip_suffix(expected).expect("the messages are last");
                fs::write(&path, format!("{head}{got}")).expect("a case is written");
            } else {
                let _ = writeln!(wrong, "{}: expected\n{expected}but got\n{got}", path.display());
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Logs that real programs wrote, in `fixtures/`: how many messages each is, as `fixtures/frame/captured.txt` says.
#[test]
fn captured() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let list = fixtures.join("frame/captured.txt");
    let expected = fs::read_to_string(&list).expect("the list");
    let config = config(&[]);
    let mut got = String::new();
    for path in expected.lines().filter_map(|line| line.split(' ').next()) {
        let log = fs::read(fixtures.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let messages = texts(&log, &config);
        let joined = messages.iter().filter(|text| text.contains('\n')).count();
        let _ = writeln!(got, "{path} {} messages, {joined} of several lines", messages.len());
    }
    if got != expected && std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(list, &got).expect("the list is written");
    } else {
        assert_eq!(got, expected);
    }
}

/// One of each kind of encoding: of one byte, of several, with states, and of code units.
const ENCODINGS: &[&str] = &[
    "auto",
    "utf-8",
    "utf-16le",
    "utf-16be",
    "latin1",
    "koi8-r",
    "shift_jis",
    "gb18030",
    "big5",
    "iso-2022-jp",
];

/// A hole larger than any line takes no message's bytes, and no memory.
#[test]
fn a_hole_is_no_message() {
    let mut input = b"before\n".to_vec();
    input.resize(input.len() + 3 * 1024 * 1024 + 5, 0);
    input.extend_from_slice(b"behind it\nafter\n");
    let config = config(&[("multiline", "none")]);
    let ends = (100_000..input.len()).step_by(300_000);
    let found = cuts(&input, &config, ends.clone());
    assert_eq!(found.iter().map(Cut::text).collect::<Vec<_>>(), ["before", "behind it", "after"]);
    let mut bench = super::framing::Bench::new(&input, &config);
    bench.offer(ends);
    assert_eq!(bench.framer.take_padding(), 3 * 1024 * 1024 + 5);
}

/// A character may be cut wherever a long line is taken in steps.
#[test]
fn a_long_line_is_decoded_whole() {
    for label in ["utf-16le", "utf-16be", "shift_jis", "gb18030"] {
        let encoding = Encoding::for_label(label.as_bytes()).expect("an encoding");
        let text = "x".to_owned() + &"\u{3042}\u{30a2}".repeat(80_000);
        let found = cuts(
            &write(&(text.clone() + "\n"), encoding),
            &config(&[("encoding", label)]),
            (0..2_000_000).step_by(130_001),
        );
        assert_eq!(found.len(), 1, "{label}");
        assert!(found[0].was.is_none() && found[0].text() == text, "{label}");
    }
}

/// A framer that begins in the middle finds the mark at the start of the stream.
#[test]
fn the_mark_is_found_from_the_middle() {
    let input = write("\u{feff}one\ntw\u{f6}\n", UTF_16BE);
    let mut framer = Framer::new(config(&[]));
    let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| -> io::Result<()> {
        out.extend_from_slice(&input[range.start as usize..range.end as usize]);
        Ok(())
    };
    let bytes = &input[10..];
    let block = Block { position: 10, bytes, buffer: 3, last: true, now: Duration::ZERO, fetch: &mut fetch };
    let mut out = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
    assert_eq!(framer.frame(block, &mut out), 8);
    framer.finish(&mut fetch, &mut out);
    assert_eq!(joined, "tw\u{f6}".as_bytes());
    assert!(ranges.len() == 1 && ranges[0] == (10..18), "{ranges:?}");
}

/// Lines that mean something to the framer, and some that do not.
const LINES: &[&str] = &[
    "",
    "plain words",
    "  indented",
    "2024-05-01 12:00:00 ERROR it failed",
    "2024-05-01 12:00:00 INFO fine",
    "Nov 23, 2026 1:11:39 PM com.x.Y main",
    "SEVERE: no",
    "Exception in thread Thread-1 (f):",
    "java.io.IOException: broken",
    "\tat a.b.C.d(E.java:1)",
    "Caused by: x.YException",
    "\t... 3 more",
    "Traceback (most recent call last):",
    "  File \"x.py\", line 1, in f",
    "    f()",
    "KeyError: 'x'",
    "During handling of the above exception, another exception occurred:",
    "panic: boom",
    "goroutine 1 [running]:",
    "main.main()",
    "\t/x.go:3 +0x1",
    "exit status 2",
    "thread 'main' panicked at src/main.rs:2:5:",
    "note: run with `RUST_BACKTRACE=1`",
    "stack backtrace:",
    "/x.rb:3:in 'f': bad (E)",
    "\tfrom /x.rb:9:in 'g'",
    "PHP Fatal error:  Uncaught Exception: x in /y.php:3",
    "Stack trace:",
    "#0 {main}",
    "  thrown in /y.php on line 3",
    "/app/x.js:3",
    "Error: x",
    "    at f (/app/x.js:3:1)",
    "Node.js v20",
    "Unhandled exception:",
    "<asynchronous suspension>",
    "{\"a\": 1}",
    "}",
    "caf\u{e9} \u{1f600}",
    "nul \0 byte",
    "quote \" and \\ slash",
];

#[derive(Clone, Copy, Debug)]
enum Wrap {
    Plain,
    Cri,
    Docker,
    Mixed,
}

fn wrap(how: Wrap, at: usize, line: &str, stderr: bool, split: usize) -> Vec<u8> {
    let stream = if stderr { "stderr" } else { "stdout" };
    let cut = (0..=split.min(line.len())).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    let (front, back) = line.split_at(cut);
    match how {
        Wrap::Plain => format!("{line}{}\n", if split == 3 { "\r" } else { "" }).into_bytes(),
        Wrap::Cri => {
            let time = format!("2024-05-01T12:00:00.{at:09}Z");
            let front =
                if split.is_multiple_of(3) { format!("{time} {stream} P {front}\n") } else { String::new() };
            let back = if split.is_multiple_of(3) { back } else { line };
            format!("{front}{time} {stream} F {back}\n").into_bytes()
        }
        Wrap::Docker => {
            let json = |text: &str| serde_json::to_string(text).expect("JSON");
            let tail = format!("\"stream\":\"{stream}\",\"time\":\"2024-05-01T12:00:00Z\"}}\n");
            let front = if split.is_multiple_of(3) {
                format!("{{\"log\":{},{tail}", json(front))
            } else {
                String::new()
            };
            let back = if split.is_multiple_of(3) { back } else { line };
            format!("{front}{{\"log\":{},{tail}", json(&format!("{back}\n"))).into_bytes()
        }
        Wrap::Mixed => wrap([Wrap::Plain, Wrap::Cri, Wrap::Docker][at % 3], at, line, stderr, split),
    }
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let how = prop::sample::select(vec![Wrap::Plain, Wrap::Cri, Wrap::Docker, Wrap::Mixed]);
    let line = (prop::sample::select(LINES), any::<bool>(), 0usize..12);
    (how, prop::collection::vec(line, 0..40), any::<bool>()).prop_map(|(how, lines, ended)| {
        let wrapped = lines.iter().enumerate();
        let mut bytes: Vec<u8> =
            wrapped.flat_map(|(at, (line, stderr, split))| wrap(how, at, line, *stderr, *split)).collect();
        if !ended {
            bytes.pop();
        }
        bytes
    })
}

fn any_config() -> impl Strategy<Value = Arc<FrameConfig>> {
    let multiline = prop::sample::select(vec![
        ("multiline", "auto"),
        ("multiline", "none"),
        ("multiline", "go, java"),
        ("start_pattern", "^[a-z2]"),
        ("continue_pattern", "^\\s"),
    ]);
    let attach = prop::sample::select(vec!["previous", "none"]);
    let bytes = prop::sample::select(vec!["1048576", "60", "7"]);
    let lines = prop::sample::select(vec!["4096", "3"]);
    (multiline, attach, bytes, lines).prop_map(|(multiline, attach, bytes, lines)| {
        config(&[multiline, ("attach", attach), ("message_bytes", bytes), ("message_lines", lines)])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the bytes are cut into blocks, the messages are the same, and every byte is in one range.
    #[test]
    fn blocks_do_not_matter(input in input(), config in any_config(), ends in prop::collection::vec(0usize..4000, 0..30)) {
        let mut ends = ends;
        ends.sort_unstable();
        let whole = cuts(&input, &config, []);
        let parted = cuts(&input, &config, ends);
        prop_assert_eq!(show(&whole), show(&parted));
    }

    /// No bytes make it panic, and none are lost.
    #[test]
    fn any_bytes(input in prop::collection::vec(prop::sample::select(b"\n\n\r \t{}\"\\:#[at2FP\0\xff".to_vec()), 0..300), config in any_config(), step in 1usize..50) {
        let whole = cuts(&input, &config, []);
        prop_assert_eq!(whole, cuts(&input, &config, (step..300).step_by(step)));
    }

    /// Whatever the encoding, the messages do not depend on blocks, every byte is in one range, and nothing panics.
    #[test]
    fn any_bytes_in_any_encoding(
        input in prop::collection::vec(prop::sample::select(b"\n\n\n\r \t\x1b[m:at2FP\0\0\0\0\xff\xfe\xd8\x83\xe3\x0a".to_vec()), 0..300),
        label in prop::sample::select(ENCODINGS), ansi in prop::sample::select(vec!["keep", "strip"]),
        multiline in prop::sample::select(vec!["auto", "none"]), bytes in prop::sample::select(vec!["1048576", "60", "7"]),
        step in 1usize..50,
    ) {
        let config = config(&[("encoding", label), ("ansi", ansi), ("multiline", multiline), ("message_bytes", bytes)]);
        let whole = cuts(&input, &config, []);
        prop_assert!(label == "auto" || label == "utf-8" || whole.iter().all(|cut| std::str::from_utf8(&cut.text).is_ok()));
        prop_assert_eq!(whole, cuts(&input, &config, (step..300).step_by(step)));
    }

    /// Text that is written in an encoding is framed as it is where it is written in UTF-8.
    #[test]
    fn the_encoding_does_not_matter(lines in prop::collection::vec(prop::sample::select(LINES), 0..40), label in prop::sample::select(ENCODINGS), step in 1usize..50) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>().replace('\u{1f600}', "");
        let encoding = Encoding::for_label(label.as_bytes()).unwrap_or(UTF_8);
        let text = if encoding.encode(&text).2 { text.replace('\u{e9}', "") } else { text };
        let expected = texts(text.as_bytes(), &config(&[("format", "lines")]));
        let bytes = write(&text, encoding);
        let config = config(&[("format", "lines"), ("encoding", label)]);
        let found = cuts(&bytes, &config, (step..2000).step_by(step));
        prop_assert_eq!(expected, found.iter().map(Cut::text).collect::<Vec<_>>());
        prop_assert!(found.iter().all(|cut| cut.was.is_none()));
    }

    /// Without joining, the messages are the lines.
    #[test]
    fn plain_lines_are_themselves(lines in prop::collection::vec("[a-z \\t#]{0,20}", 0..30)) {
        let config = config(&[("format", "lines"), ("multiline", "none")]);
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let expected: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(texts(text.as_bytes(), &config), expected);
    }

    /// Whatever the bounds, the text of the parts is the text of the whole, but for the line feeds between them.
    #[test]
    fn parts_hold_everything(input in input(), bytes in 5i64..200) {
        let bytes = bytes.to_string();
        let whole: String = texts(&input, &config(&[("multiline", "none")])).concat();
        let parts: String = texts(&input, &config(&[("multiline", "none"), ("message_bytes", &bytes)])).concat();
        prop_assert_eq!(whole, parts);
    }

    /// A framer that begins anew where the last one had something open gives the same messages from there on.
    #[test]
    fn a_restart_gives_the_same(lines in prop::collection::vec(prop::sample::select(LINES), 0..40), config in any_config(), stop in 0usize..2000) {
        let input = lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
        let config = Arc::new(FrameConfig { format: Format::Lines, ..(*config).clone() });
        let start = begin(&config, &input, stop.min(input.len()));
        let whole = cuts(&input, &config, []);
        let rest = cuts(&input[start as usize..], &config, []);
        let expected: Vec<_> = whole.iter().filter(|cut| cut.start >= start).map(|cut| (cut.start, cut.end, cut.part)).collect();
        let got: Vec<_> = rest.iter().map(|cut| (cut.start + start, cut.end + start, cut.part)).collect();
        prop_assert_eq!(expected, got);
    }
}

/// Frames up to `stop` and says where a restart would begin.
fn begin(config: &Arc<FrameConfig>, input: &[u8], stop: usize) -> u64 {
    let mut framer = Framer::new(config.clone());
    let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    let mut fetch = |_: Range<u64>, _: &mut Vec<u8>| -> io::Result<()> { panic!("all is in the block") };
    let block = Block {
        position: 0,
        bytes: &input[..stop],
        buffer: 3,
        last: false,
        now: Duration::ZERO,
        fetch: &mut fetch,
    };
    let mut out = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
    let consumed = framer.frame(block, &mut out) as u64;
    framer.open_start().unwrap_or(consumed)
}
