//! Rows whose columns a header line names, from bytes to events; and the header that a reader finds wherever it begins.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aludel::catalog::{self, Machine};
use aludel::event::Span;
use aludel::frame::{Block, FrameConfig, Framed, Framer, HeaderLines};
use aludel::replay::{captured, replay};
use aludel::source::recorded::{Bytes, Recording};
use serde_json::Value;

use super::events::Events;

/// The events of bytes that a source with a header reads and a format parses.
fn events(header: &str, format: &str, text: &str) -> Vec<Value> {
    let file = format!(
        "source in = files \"none\" {{ header = {header} }}\nsink out = stdout\n\npipeline p {{\n  from in\n  \
         | parse .message as {format} else reject \"not of it\"\n  | to out\n}}\n"
    );
    let (file, errors) = aludel::lang::parse(&file);
    assert!(errors.is_empty(), "{errors:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
    let (plan, errors) = aludel::lang::check(&file, &catalog::signatures(), &Machine { folder });
    let plan = catalog::build(plan.unwrap_or_else(|| panic!("{errors:?}"))).expect("a plan");
    let bytes = text.as_bytes().to_vec();
    let recording =
        Recording { path: "x.log".into(), size: bytes.len() as u64, file: Box::new(Bytes(bytes)) };
    let mut events = Events::default();
    replay(&Arc::new(captured(plan)), 0, vec![recording], 0, &mut events).expect("a replay");
    events.0
}

fn at(event: &Value, path: &str) -> String {
    let value = path.split('/').try_fold(event, |value, key| value.get(key));
    value.map_or_else(|| "none".into(), |value| value.as_str().map_or(value.to_string(), str::to_owned))
}

#[test]
fn w3c_columns_are_those_of_the_header_above() {
    let text = "#Software: Example\r\n#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)\r\n\
                2024-05-06 07:08:09 203.0.113.7 GET /cart 200 Mozilla/5.0+(X11)\r\n\
                2024-05-06 07:08:10 203.0.113.8 POST /pay 502 -\r\n\
                #Date: 2024-05-07 00:00:00\r\n#Fields: time c-ip x-note\r\n\
                00:00:01 203.0.113.9 \"two words\"\r\n";
    let events = events("hash", "w3c", text);
    let paths = ["@timestamp", "source/ip", "http/response/status_code", "user_agent/original", "w3c/x-note"];
    let found: Vec<Vec<String>> =
        events.iter().map(|event| paths.iter().map(|path| at(event, path)).collect()).collect();
    assert_eq!(
        found,
        [
            ["2024-05-06T07:08:09.000Z", "203.0.113.7", "200", "Mozilla/5.0 (X11)", "none"],
            ["2024-05-06T07:08:10.000Z", "203.0.113.8", "502", "none", "none"],
            ["2024-05-07T00:00:01.000Z", "203.0.113.9", "none", "none", "two words"],
        ]
    );
}

#[test]
fn rows_of_iis_have_the_columns_of_their_header_or_those_of_iis() {
    let text = "#Software: Microsoft Internet Information Services 10.0\r\n\
                #Fields: date time s-sitename cs-method cs-uri-stem c-ip cs-version sc-status sc-bytes time-taken\r\n\
                2024-05-06 07:08:09 W3SVC1 POST /pay 203.0.113.7 HTTP/1.1 503 1200 2001\r\n";
    let bare = "2024-05-06 07:08:10 192.0.2.10 GET /cart - 80 - 203.0.113.8 curl/8 http://shop.example/ 200 0 0 15\r\n\
                2024-05-06 07:08:11 192.0.2.10 GET /cart - 80 - 203.0.113.9 curl/8 200 0 0 16\r\n";
    let paths = [
        "@timestamp",
        "source/address",
        "url/path",
        "http/response/status_code",
        "event/outcome",
        "event/duration",
        "http/version",
        "http/request/referrer",
        "iis/access/site_name",
    ];
    let found: Vec<Vec<String>> = [events("hash", "iis.access", text), events("hash", "iis.access", bare)]
        .iter()
        .flatten()
        .map(|event| paths.iter().map(|path| at(event, path)).collect())
        .collect();
    let rows = [
        "2024-05-06T07:08:09.000Z 203.0.113.7 /pay 503 failure 2001000000 1.1 none W3SVC1",
        "2024-05-06T07:08:10.000Z 203.0.113.8 /cart 200 success 15000000 none http://shop.example/ none",
        "2024-05-06T07:08:11.000Z 203.0.113.9 /cart 200 success 16000000 none none none",
    ];
    assert_eq!(found.iter().map(|row| row.join(" ")).collect::<Vec<_>>(), rows);
}

/// The time of reading is a field where it is asked for, so that a pipeline can tell what a clock that is wrong says.
#[test]
fn a_time_that_is_later_than_its_reading_is_told() {
    let text = "2024-05-06 07:08:09 WARN late\n1969-12-31 23:00:00 WARN early\n";
    let format = "plain into .line else pass\n  | when .line.@timestamp > .log.read_time + 10m {\n    | set .labels.clock = \"ahead\"\n  \
                  }\n  | parse .message as plain";
    let events = events("none", format, text);
    let found: Vec<_> = events.iter().map(|event| at(event, "labels/clock")).collect();
    assert_eq!(found, ["ahead", "none"]);
}

#[test]
fn zeek_columns_have_the_types_of_the_header() {
    let text = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
                #fields\tts\tuid\tid.orig_h\tid.orig_p\tproto\tduration\tlocal_orig\ttunnel_parents\n\
                #types\ttime\tstring\taddr\tport\tenum\tinterval\tbool\tset[string]\n\
                1714979289.123456\tC7\t203.0.113.7\t41342\ttcp\t0.5\tT\t(empty)\n\
                1714979290.0\tC8\t203.0.113.8\t41343\tudp\t-\tF\tCa,Cb\n#close\t2024-05-06-08-00-00\n";
    let events = events("hash", "zeek_tsv", text);
    let paths =
        ["@timestamp", "source/ip", "source/port", "zeek/duration", "zeek/local_orig", "zeek/tunnel_parents"];
    let found: Vec<Vec<String>> =
        events.iter().map(|event| paths.iter().map(|path| at(event, path)).collect()).collect();
    assert_eq!(
        found,
        [
            ["2024-05-06T07:08:09.123456Z", "203.0.113.7", "41342", "0.5", "true", "none"],
            ["2024-05-06T07:08:10.000Z", "203.0.113.8", "41343", "none", "false", "Ca,Cb"],
        ]
    );
}

#[test]
fn csv_columns_are_those_of_the_first_line() {
    let text = "\u{feff}user,\"a \"\"note\"\"\",n\neve,\"x, y\",7\nbob,,8\n";
    let events = events("first", "csv", text);
    let rows: Vec<_> =
        events.iter().map(|event| (at(event, "user"), at(event, "a \"note\""), at(event, "n"))).collect();
    let row = |user: &str, note: &str, n: &str| (user.to_owned(), note.to_owned(), n.to_owned());
    assert_eq!(rows, [row("eve", "x, y", "7"), row("bob", "none", "8")]);
    let tabs = self::events("first", "csv(delimiter = \"\\t\")", "a\tb\n1\t2\n");
    assert_eq!((at(&tabs[0], "a"), at(&tabs[0], "b")), ("1".into(), "2".into()));
}

/// Text and header of every message of the stream from a position on.
fn framed(bytes: &[u8], lines: HeaderLines, from: usize, block: usize) -> Vec<(u64, String, String)> {
    let config = FrameConfig { header: lines, ..FrameConfig::default() };
    let mut framer = Framer::new(Arc::new(config));
    let (mut position, mut end, mut found) = (from, from, Vec::new());
    let mut fetch = |range: Range<u64>, out: &mut Vec<u8>| {
        out.extend_from_slice(&bytes[range.start as usize..range.end as usize]);
        Ok(())
    };
    loop {
        end = (end + block).min(bytes.len());
        let last = end == bytes.len();
        let (mut messages, mut joined, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        let mut out = Framed { messages: &mut messages, joined: &mut joined, ranges: &mut ranges };
        let offered = Block {
            position: position as u64,
            bytes: &bytes[position..end],
            buffer: 9,
            last,
            now: Duration::ZERO,
            fetch: &mut fetch,
        };
        let used = framer.frame(offered, &mut out);
        if last {
            framer.finish(&mut fetch, &mut out);
        }
        let text = |span: Span| {
            let buffer = if span.buffer == 9 { &bytes[position..] } else { &joined[..] };
            let start = span.start as usize;
            String::from_utf8_lossy(&buffer[start..start + span.len as usize]).into_owned()
        };
        found.extend(messages.iter().map(|message| (message.start, text(message.text), text(message.time))));
        position += used;
        if last {
            return found;
        }
    }
}

/// However the bytes are cut, and wherever a reader begins, a message has the header that stands above it.
#[test]
fn a_message_has_the_header_above_it() {
    let text = b"#Version: 1\n#Fields: a b\n1 2\n3 4\n#Fields: c d\n5 6\n#Fields: e\n\n7\n8 9\n#Fields: f\n";
    for (lines, bytes) in [(HeaderLines::Hash, &text[..]), (HeaderLines::First, b"a,b\n1,2\n3,4\n5,6\n")] {
        let whole = framed(bytes, lines, 0, bytes.len());
        assert!(
            whole.len() >= 3 && whole.iter().all(|(_, text, header)| !text.is_empty() && !header.is_empty())
        );
        for block in 1..bytes.len() {
            assert_eq!(framed(bytes, lines, 0, block), whole, "cut every {block} bytes");
        }
        for (at, (start, ..)) in whole.iter().enumerate() {
            for block in [1, 7, bytes.len()] {
                let again = framed(bytes, lines, *start as usize, block);
                assert_eq!(again, whole[at..], "from {start} on, cut every {block} bytes");
            }
        }
    }
}
