//! Logs, the same every time.

use std::fmt::Write;

use aludel::seam::sim::Dice;

/// Events of every log. A run that takes fewer makes as many, so that two runs differ in what they process alone.
pub(super) const EVENTS: u64 = 10_000;

/// A log, and where each event ends in it.
#[derive(Default)]
pub(super) struct Log {
    text: String,
    ends: Vec<usize>,
}

impl Log {
    /// The bytes of the first events.
    pub(super) fn first(self, events: u64) -> Vec<u8> {
        let end = events.checked_sub(1).and_then(|last| self.ends.get(last as usize).copied());
        let mut bytes = self.text.into_bytes();
        bytes.truncate(end.unwrap_or(0));
        bytes
    }

    fn end_event(&mut self) {
        self.ends.push(self.text.len());
    }
}

/// Lines of a log.
pub(super) fn count(log: &[u8]) -> u64 {
    log.split_inclusive(|byte| *byte == b'\n').count() as u64
}

/// The first lines of a log.
pub(super) fn first(log: &[u8], lines: u64) -> Vec<u8> {
    log.split_inclusive(|byte| *byte == b'\n').take(lines as usize).collect::<Vec<_>>().concat()
}

const METHODS: &[&str] = &["GET", "GET", "GET", "POST", "HEAD"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "curl/8.14.1",
    "kube-probe/1.33",
];
const REFERRERS: &[&str] = &["-", "https://shop.example/", "https://shop.example/garden/chairs?page=3"];
const FRAMES: &[&str] = &[
    "at org.example.shop.cart.CartService.checkOut(CartService.java:214)",
    "at org.example.shop.web.CartController.post(CartController.java:58)",
    "at java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
    "at java.base/java.lang.Thread.run(Thread.java:1583)",
];

fn pick<'a>(dice: &mut Dice, from: &[&'a str]) -> &'a str {
    from[dice.below(from.len() as u64) as usize]
}

/// Container time of an event: 10,000 a second.
fn time(event: u64) -> String {
    let (second, ns) = (event / 10_000, event % 10_000 * 100_000 + 7);
    format!("2026-11-23T10:{:02}:{:02}.{ns:09}Z", second / 60 % 60, second % 60)
}

/// CRI lines of nginx's combined format, one in a hundred cut by the runtime.
pub(super) fn access() -> Log {
    container(100)
}

/// The same, none of them cut.
pub(super) fn lines() -> Log {
    container(u64::MAX)
}

fn container(cut_one_in: u64) -> Log {
    let mut dice = Dice::new(1);
    let mut log = Log::default();
    for event in 0..EVENTS {
        let line = format!(
            "{}.{}.{}.9 - {} [23/Nov/2026:10:00:{:02} +0000] \"{} /api/v1/orders/{}?session={event:08} HTTP/1.1\" \
             {} {} \"{}\" \"{}\"",
            1 + dice.below(223),
            dice.below(256),
            dice.below(256),
            if dice.one_in(10) { "ada" } else { "-" },
            event / 10_000 % 60,
            pick(&mut dice, METHODS),
            dice.below(1_000_000),
            pick(&mut dice, &["200", "200", "200", "304", "404", "503"]),
            dice.below(50_000),
            pick(&mut dice, REFERRERS),
            pick(&mut dice, AGENTS),
        );
        let time = time(event);
        let _ = match line.split_at_checked(20 + dice.below(60) as usize) {
            Some((start, end)) if dice.one_in(cut_one_in) => {
                writeln!(log.text, "{time} stdout P {start}\n{time} stdout F {end}")
            }
            _ => writeln!(log.text, "{time} stdout F {line}"),
        };
        log.end_event();
    }
    log
}

/// docker's json-file lines of a program that logs nested JSON.
pub(super) fn json() -> Log {
    let mut dice = Dice::new(2);
    let mut log = Log::default();
    for event in 0..EVENTS {
        let _ = writeln!(
            log.text,
            r#"{{"log":"{{\"level\":\"{}\",\"msg\":\"order \\\"{event}\\\" was placed\",\"svc\":\"checkout\",\"hostname\":\"node-{}\",\"pid\":{},\"v\":1,\"trace\":{{\"id\":\"{:016x}{:016x}\",\"sampled\":{}}},\"http\":{{\"method\":\"{}\",\"path\":\"/orders/{event}\",\"status\":201,\"duration_ms\":{}.{},\"client\":{{\"ip\":\"10.1.{}.7\",\"port\":{}}}}},\"tags\":[\"blue\",\"canary\",\"eu-west-1\"]}}\n","stream":"stdout","time":"{}"}}"#,
            pick(&mut dice, &["info", "info", "warn", "error"]),
            dice.below(40),
            dice.below(40_000),
            dice.roll(),
            dice.roll(),
            dice.one_in(10),
            pick(&mut dice, METHODS),
            dice.below(900),
            1 + dice.below(9),
            dice.below(256),
            1024 + dice.below(60_000),
            time(event),
        );
        log.end_event();
    }
    log
}

/// CRI lines of a Java service, one event in ten with a stack trace.
pub(super) fn java() -> Log {
    let mut dice = Dice::new(3);
    let mut log = Log::default();
    for event in 0..EVENTS {
        let time = time(event);
        for line in java_lines(&mut dice, event) {
            let _ = writeln!(log.text, "{time} stdout F {line}");
        }
        log.end_event();
    }
    log
}

fn java_lines(dice: &mut Dice, event: u64) -> Vec<String> {
    let (ms, thread) = (event % 1000, dice.below(200));
    let head = |level, rest: &str| {
        format!(
            "2026-11-23 10:00:00,{ms:03} {level} [http-{thread}] o.e.shop.CartService - order {event} {rest}"
        )
    };
    if !dice.one_in(10) {
        return vec![head("INFO ", &format!("taken in {} ms", dice.below(900)))];
    }
    let mut lines = vec![
        head("ERROR", "failed"),
        "java.lang.IllegalStateException: the order \"7\" is closed".to_owned(),
    ];
    let calls = 12 + dice.below(7);
    lines.extend((0..calls).map(|_| format!("\t{}", pick(dice, FRAMES))));
    lines.push("Caused by: java.sql.SQLException: no connection within 30 s".to_owned());
    let calls = 4 + dice.below(7);
    lines.extend((0..calls).map(|_| format!("\t{}", pick(dice, FRAMES))));
    lines.push("\t... 42 common frames omitted".to_owned());
    lines
}
