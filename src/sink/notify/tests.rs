//! Notifiers against a service that answers as told, on a virtual disk and clock.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::*;
use crate::event::OptionValue;
use crate::position::{IdPrefix, PipelineTag, Stream, StreamId};
use crate::seam::sim::{SimClock, SimFs};
use crate::seam::{Clock, Fs};
use crate::sink::{Network, Next, Request, Response, Settled, Transport};

/// Answers to requests, first come; afterwards all is well.
#[derive(Default)]
struct Script {
    answers: VecDeque<Result<(u16, Option<Duration>), String>>,
    requests: Vec<Request>,
}

#[derive(Clone, Default)]
struct Stub(Arc<Mutex<Script>>);

struct Wire(Stub, VecDeque<(u64, Result<Response, String>)>);

impl Transport for Wire {
    fn start(&mut self, ticket: u64, request: Request) {
        let mut script = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        script.requests.push(request);
        let answer = script.answers.pop_front().unwrap_or(Ok((202, None)));
        let answer =
            answer.map(|(status, retry_after)| Response { status, retry_after, body: "said so".into() });
        self.1.push_back((ticket, answer));
    }

    fn poll(&mut self) -> Option<(u64, Result<Response, String>)> {
        self.1.pop_front()
    }
}

impl Network for Stub {
    fn connect(&self, _: &Endpoint, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Ok(Box::new(Wire(self.clone(), VecDeque::new())))
    }

    fn mail(&self, _: &Relay, _: Arc<dyn Fn() + Send + Sync>) -> Result<Box<dyn Transport>, String> {
        Ok(Box::new(Wire(self.clone(), VecDeque::new())))
    }
}

/// 2026-11-27T06:00:00Z.
const START_NS: i64 = 1_795_759_200_000_000_000;

struct Rig {
    service: Stub,
    clock: Arc<SimClock>,
    fs: SimFs,
    plan: Box<dyn SinkPlan>,
    sink: Box<dyn Sink>,
    settled: Vec<Settled>,
    rows: u64,
}

fn options(kind: &SinkKind, given: &[(&'static str, OptionValue)]) -> Options {
    let arguments = match kind.signature.name {
        "slack" | "pagerduty" => Vec::new(),
        "email" => vec!["smtp.example.org".to_owned()],
        _ => vec!["http://127.0.0.1:9093/below".to_owned()],
    };
    let mut values = vec![
        ("group_by", OptionValue::Texts(vec!["rule.name".into()])),
        ("group_wait", OptionValue::Duration(Duration::from_secs(10))),
        ("group_interval", OptionValue::Duration(Duration::from_secs(300))),
        ("resolve_after", OptionValue::Duration(Duration::from_secs(900))),
        ("per_minute", OptionValue::Int(60)),
        ("timeout", OptionValue::Duration(Duration::from_secs(20))),
        ("url", OptionValue::Text("https://service.example/hooks/T1".into())),
        ("routing_key", OptionValue::Text("0123456789abcdef0123456789abcdef".into())),
    ];
    for (name, value) in given {
        values.retain(|(known, _)| known != name);
        values.push((name, value.clone()));
    }
    Options::new(arguments, values)
}

impl Rig {
    fn new(kind: &SinkKind, given: &[(&'static str, OptionValue)]) -> Self {
        let clock = Arc::new(SimClock::at(START_NS));
        let fs = SimFs::new(1, clock.clone());
        fs.make_folder(Path::new("/data")).expect("a folder");
        let service = Stub::default();
        let plan = (kind.plan)("oncall", &options(kind, given)).expect("a plan");
        let sink = open(&*plan, &fs, &clock, &service);
        Self { service, clock, fs, plan, sink, settled: Vec::new(), rows: 0 }
    }

    fn restart(&mut self) {
        self.sink = open(&*self.plan, &self.fs, &self.clock, &self.service);
    }

    fn offer(&mut self, events: &[Value]) {
        let stream = Stream { id: StreamId(1), generation: 0, source: "alerts".into(), path: "/a".into() };
        let ids = IdPrefix::new(stream.id, 0, 0, PipelineTag::new("notify"));
        let (mut out, mut row_ends) = (Vec::new(), Vec::new());
        for event in events {
            self.rows += 1;
            out.extend_from_slice(&ids.id(self.rows, self.rows + 1, 0));
            out.extend_from_slice(event.to_string().as_bytes());
            row_ends.push(out.len() as u32);
        }
        let provenance = Arc::new(Provenance { batch: self.rows, ranges: vec![(Arc::new(stream), vec![])] });
        let rows = row_ends.len() as u32;
        let body = Body { provenance, rows, row_ends, bytes: out.len(), payload: Payload::Bytes(out.into()) };
        self.sink.offer(body, self.clock.monotonic());
    }

    /// Lets so many seconds go by.
    fn run(&mut self, seconds: u64) {
        let end = self.clock.monotonic() + Duration::from_secs(seconds);
        for _ in 0..10_000 {
            let now = self.clock.monotonic();
            let next = self.sink.step(now, &mut self.settled);
            let at = match next {
                Next::Again => now,
                Next::At(at) => at,
                // An answer is there at once.
                Next::Idle => now + Duration::from_millis(100),
                Next::Done => return,
            };
            if at.max(now) >= end {
                self.clock.advance(end - now);
                return;
            }
            self.clock.advance(at.max(now + Duration::from_millis(1)) - now);
        }
        unreachable!("it never rests");
    }

    fn requests(&self) -> Vec<Value> {
        let mut script = self.service.0.lock().expect("no panic");
        script
            .requests
            .drain(..)
            .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
            .collect()
    }

    fn answer(&self, answers: impl IntoIterator<Item = Result<(u16, Option<Duration>), String>>) {
        self.service.0.lock().expect("no panic").answers.extend(answers);
    }

    /// Rows that were delivered, and that were refused, since the last call.
    fn settled(&mut self) -> (u32, usize) {
        let settled = std::mem::take(&mut self.settled);
        (settled.iter().map(|s| s.delivered).sum(), settled.iter().map(|s| s.rejected.len()).sum())
    }
}

fn open(plan: &dyn SinkPlan, fs: &SimFs, clock: &Arc<SimClock>, service: &Stub) -> Box<dyn Sink> {
    let world = World {
        fs: Arc::new(fs.clone()),
        clock: clock.clone(),
        network: Arc::new(service.clone()),
        data_dir: "/data".into(),
        host: Arc::from(&b"host"[..]),
        wake: Arc::new(|| {}),
    };
    plan.open(world).expect("opened").0
}

fn alert(id: &str, rule: &str, second: u32) -> Value {
    json!({
        "@timestamp": format!("2026-11-27T06:00:{second:02}Z"),
        "event": {"id": id, "kind": "alert"},
        "rule": {"name": rule},
        "severity": "high",
        "message": format!("5 failures <within> 1m from 203.0.113.{second}"),
        "labels": {"host": "web-1", "source.ip": format!("203.0.113.{second}")},
    })
}

/// Every payload of every service, when it fires, with what is beyond the bound, and when it is over: as files that
/// people can read.
#[test]
fn payloads_are_as_the_services_document_them() {
    for kind in [&SLACK, &PAGERDUTY, &ALERTMANAGER, &WEBHOOK] {
        let mut rig = Rig::new(kind, &[]);
        rig.offer(&[alert("a", "brute force", 1), alert("b", "brute force", 2)]);
        rig.run(30);
        rig.run(1000);
        let requests = rig.requests();
        assert_eq!(requests.len(), 2, "one that fires and one that is over: {requests:?}");
        assert_eq!(rig.settled(), (2, 0));
        let text = serde_json::to_string_pretty(&requests).expect("JSON") + "\n";
        golden(&format!("{}.json", kind.signature.name), &text);
    }
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/notify").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{}", path.display());
}

#[test]
fn a_message_is_one_thread_for_each_group() {
    let given = [
        ("from", OptionValue::Text("Wächter <aludel@example.org>".into())),
        ("to", OptionValue::Texts(vec!["oncall@example.org".into(), "Boss <boss@example.org>".into()])),
    ];
    let mut rig = Rig::new(&EMAIL, &given);
    rig.offer(&[alert("a", "brute force", 1), alert("b", "brute force", 2)]);
    rig.run(30);
    rig.run(1000);
    assert_eq!(rig.settled(), (2, 0));
    let script = rig.service.0.lock().expect("no panic");
    let mut text = String::new();
    for request in &script.requests {
        for (name, value) in &request.headers {
            text.push_str(&format!("{name} {value}\n"));
        }
        text.push_str(&String::from_utf8_lossy(&request.body).replace("\r\n", "\n"));
        text.push_str("-- end --\n");
    }
    golden("email.txt", &text);
}

#[test]
fn one_cause_is_one_notification_and_an_alert_is_told_of_once() {
    let mut rig = Rig::new(&WEBHOOK, &[]);
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(9);
    assert!(rig.requests().is_empty(), "the group waits for more");
    rig.offer(&[alert("b", "r", 2), alert("a", "r", 1), alert("x", "other", 3)]);
    rig.run(5);
    let requests = rig.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["alerts"].as_array().map(Vec::len), Some(2));
    assert_eq!(rig.settled(), (1, 0), "the second body waits for the other group");
    rig.run(10);
    assert_eq!((rig.requests().len(), rig.settled()), (1, (3, 0)));
    // Known: settled at once, and nobody is told. New: it waits for the interval.
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(1);
    assert_eq!((rig.requests().len(), rig.settled()), (0, (1, 0)));
    rig.offer(&[alert("c", "r", 4)]);
    rig.run(200);
    assert_eq!((rig.requests().len(), rig.settled()), (0, (0, 0)));
    rig.run(100);
    assert_eq!((rig.requests().len(), rig.settled()), (1, (1, 0)));
}

/// What says itself that it is over is resolved at once, when nothing else of its group is left; what else there is ends
/// by being quiet.
#[test]
fn an_end_is_told_at_once() {
    let end = |id: &str, rule: &str, second: u32| {
        let mut event = alert(id, rule, second);
        event["aludel"] = json!({"state": "resolved"});
        event
    };
    let mut rig = Rig::new(&PAGERDUTY, &[]);
    // Nobody was told that it began.
    rig.offer(&[end("z", "flood", 1)]);
    rig.run(1);
    assert_eq!((rig.requests().len(), rig.settled()), (0, (1, 0)));
    rig.offer(&[alert("a", "flood", 1), alert("b", "flood", 2)]);
    rig.run(30);
    assert_eq!((rig.requests()[0]["event_action"].clone(), rig.settled()), (json!("trigger"), (2, 0)));
    rig.offer(&[end("c", "flood", 1)]);
    rig.run(30);
    assert_eq!((rig.requests().len(), rig.settled()), (0, (1, 0)), "the other goes on");
    rig.restart();
    rig.offer(&[end("d", "flood", 2)]);
    rig.run(5);
    assert_eq!((rig.requests()[0]["event_action"].clone(), rig.settled()), (json!("resolve"), (1, 0)));
    rig.run(900);
    assert!(rig.requests().is_empty(), "once");
    // An end that comes before people are told of the beginning is told after it; one that comes again goes on.
    rig.offer(&[alert("e", "flood", 1), end("f", "flood", 1)]);
    rig.run(30);
    let actions: Vec<_> = rig.requests().iter().map(|of| of["event_action"].clone()).collect();
    assert_eq!((actions, rig.settled()), (vec![json!("trigger"), json!("resolve")], (2, 0)));
    rig.offer(&[alert("g", "flood", 1), end("h", "flood", 1), alert("i", "flood", 1)]);
    rig.run(60);
    let actions: Vec<_> = rig.requests().iter().map(|of| of["event_action"].clone()).collect();
    assert_eq!((actions, rig.settled()), (vec![json!("trigger")], (3, 0)));
}

#[test]
fn what_people_were_told_of_outlives_a_restart() {
    let mut rig = Rig::new(&PAGERDUTY, &[]);
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(30);
    let key = rig.requests()[0]["dedup_key"].clone();
    rig.restart();
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(60);
    assert!(rig.requests().is_empty(), "people know");
    rig.restart();
    rig.run(1000);
    let requests = rig.requests();
    assert_eq!((requests.len(), &requests[0]["event_action"]), (1, &json!("resolve")));
    assert_eq!(requests[0]["dedup_key"], key);
    // Over is forgotten: the same again is a new beginning.
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(30);
    assert_eq!(rig.requests()[0]["event_action"], "trigger");
}

#[test]
fn what_fails_is_tried_again_and_what_is_refused_is_a_dead_letter() {
    let mut rig = Rig::new(&SLACK, &[]);
    let later = Some(Duration::from_secs(40));
    rig.answer([Err("reset".into()), Ok((503, None)), Ok((404, None)), Ok((429, later))]);
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(30);
    assert_eq!(rig.requests().len(), 4);
    assert!(rig.sink.trouble().expect("it says what it waits for").contains("429"));
    assert_eq!(rig.settled(), (0, 0));
    rig.run(30);
    assert_eq!((rig.requests().len(), rig.settled()), (1, (1, 0)));
    assert_eq!(rig.sink.trouble(), None);
    rig.answer([Ok((400, None))]);
    rig.offer(&[alert("b", "bad", 1), alert("c", "bad", 2)]);
    rig.run(30);
    assert_eq!(rig.requests().len(), 1);
    let rejected: Vec<_> = rig.settled.iter().flat_map(|settled| &settled.rejected).collect();
    assert_eq!(rejected.len(), 2);
    assert!(rejected.iter().all(|(rejection, event)| {
        rejection.id.is_some() && rejection.reason.contains("400: said so") && event.is_some()
    }));
}

#[test]
fn requests_are_spaced_and_a_flood_is_one_notification() {
    let mut rig = Rig::new(&WEBHOOK, &[("per_minute", OptionValue::Int(2))]);
    let flood: Vec<_> = (0..500).map(|n| alert(&format!("{n}"), "flood", n % 60)).collect();
    rig.offer(&flood);
    rig.offer(&[alert("a", "r", 1), alert("b", "s", 1)]);
    rig.run(20);
    let requests = rig.requests();
    assert_eq!(requests.len(), 1);
    let shown = requests[0]["alerts"].as_array().map_or(0, Vec::len);
    assert_eq!(shown as u64 + requests[0]["truncatedAlerts"].as_u64().unwrap_or_default(), 500);
    assert_eq!(rig.settled(), (500, 0));
    rig.run(80);
    assert_eq!((rig.requests().len(), rig.settled()), (2, (2, 0)));
}

#[test]
fn a_full_disk_settles_nothing_and_the_end_waits_for_nobody() {
    let mut rig = Rig::new(&WEBHOOK, &[]);
    rig.fs.set_full(true);
    rig.offer(&[alert("a", "r", 1)]);
    rig.run(60);
    assert_eq!((rig.requests().len(), rig.settled()), (1, (0, 0)));
    assert!(rig.sink.trouble().expect("it says so").contains("kept"));
    rig.fs.set_full(false);
    rig.run(3);
    assert_eq!(rig.settled(), (1, 0));
    rig.offer(&[alert("b", "s", 1)]);
    rig.sink.close();
    rig.run(3);
    assert_eq!((rig.requests().len(), rig.settled()), (1, (1, 0)));
    assert_eq!(rig.sink.step(rig.clock.monotonic(), &mut Vec::new()), Next::Done);
}

#[test]
fn what_is_too_large_or_unreadable_holds_nothing_up() {
    let mut rig = Rig::new(&WEBHOOK, &[]);
    let mut large = alert("a", "r", 1);
    large["blob"] = json!("x".repeat(100_000));
    rig.offer(&[large, alert("b", "r", 2)]);
    rig.run(30);
    let requests = rig.requests();
    assert_eq!(requests[0]["alerts"][0]["event"], Value::Null);
    assert_eq!(requests[0]["alerts"][1]["event"]["event"]["id"], "b");
    assert_eq!(rig.settled(), (2, 0));
    let memory = Path::new("/data/notify-oncall.json");
    rig.fs.open_append(memory).expect("there").append(b"}").expect("written");
    rig.restart();
    assert!(rig.sink.warnings().iter().any(|said| said.contains("notify-oncall.json.unreadable")));
    rig.offer(&[alert("b", "r", 2)]);
    rig.run(30);
    assert_eq!((rig.requests().len(), rig.settled()), (1, (1, 0)));
}

#[test]
fn a_signature_is_that_of_standard_webhooks() {
    is_signed("a key of the user's", b"a key of the user's");
    // As its libraries write keys.
    is_signed("whsec_YSBrZXkgb2YgdGhlIHVzZXIncw==", b"a key of the user's");
}

fn is_signed(written: &str, key: &[u8]) {
    let written = OptionValue::Text(written.into());
    let mut rig = Rig::new(&WEBHOOK, &[("signing_key", written)]);
    rig.offer(&[alert("a", "r", 1)]);
    rig.answer([Ok((500, None))]);
    rig.run(30);
    let script = rig.service.0.lock().expect("no panic");
    let [first, second] = &script.requests[..] else { unreachable!("two tries") };
    let header = |request: &Request, name: &str| {
        let (_, value) = request.headers.iter().find(|(known, _)| *known == name).expect("a header");
        value.clone()
    };
    assert_eq!(header(first, "webhook-id"), header(second, "webhook-id"), "a try is the same message");
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length");
    let body = std::str::from_utf8(&first.body).expect("JSON");
    let said = format!("{}.{}.{body}", header(first, "webhook-id"), header(first, "webhook-timestamp"));
    mac.update(said.as_bytes());
    let signature = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
    assert_eq!(header(first, "webhook-signature"), format!("v1,{signature}"));
    assert_eq!(first.path, "/below");
}

#[test]
fn a_line_with_detections_is_told_of_as_the_surest_of_them() {
    let of = |event: serde_json::Value| super::alert::Alert::of((event, 0), "id", "oncall", 0);
    let detection = |score: u64, indicator: &str| {
        json!({"detector": "threat", "class": "ip", "rule": "network", "field": "source.ip", "evidence": "192.0.2.7",
            "score": score, "feed": "own", "indicator": indicator})
    };
    let detections =
        json!([detection(50, "192.0.2.0/24"), detection(80, "192.0.2.7"), detection(80, "192.0.2.6/31")]);
    let line = json!({"message": "a line", "source": {"ip": "192.0.2.7"}, "event": {"action": "get"}, "detections": detections});
    let alert = of(line.clone());
    let labels =
        [("feed", "own"), ("field", "source.ip"), ("indicator", "192.0.2.7"), ("source.ip", "192.0.2.7")];
    let labels: Vec<_> = labels.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert_eq!(alert.labels.into_iter().collect::<Vec<_>>(), labels);
    assert_eq!((alert.rule.as_str(), alert.severity.name()), ("threat ip", "high"));
    assert_eq!(alert.summary, "threat ip in source.ip: 192.0.2.7 is listed by own as 192.0.2.7");
    let mut named = line.clone();
    named["rule"] = json!({"name": "mine"});
    let alert = of(named);
    assert_eq!(
        (alert.rule.as_str(), alert.summary.as_str(), alert.severity.name()),
        ("mine", "a line", "medium")
    );
    let mut attack = line;
    attack["detections"] = json!([{"detector": "web_attack", "class": "sqli", "field": "url.query", "evidence": "1 or 1=1", "score": 20}]);
    let alert = of(attack);
    assert_eq!(
        (alert.summary.as_str(), alert.severity.name()),
        ("web_attack sqli in url.query: 1 or 1=1", "low")
    );
    assert_eq!((alert.rule.as_str(), alert.labels.get("feed")), ("web_attack sqli", None));
    assert_eq!(of(json!({"message": "a line", "detections": []})).summary, "a line");
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let fault = |kind: &SinkKind, arguments: &[&str], given: &[(&'static str, OptionValue)]| {
        let defaults = options(kind, given);
        let mut values: Vec<_> = given.to_vec();
        for name in ["timeout", "resolve_after", "url"] {
            if !values.iter().any(|(known, _)| *known == name)
                && let Some(value) = defaults.get(name)
            {
                values.push((name, value.clone()));
            }
        }
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        (kind.plan)("oncall", &Options::new(arguments, values)).err().expect("a fault")
    };
    assert!(fault(&ALERTMANAGER, &[], &[]).contains("one URL"));
    assert!(fault(&ALERTMANAGER, &["localhost:9093"], &[]).contains("http://"));
    assert!(fault(&WEBHOOK, &["https://u:p@a/b"], &[]).contains("without a user"));
    assert!(fault(&SLACK, &["https://a"], &[]).contains("`url`"));
    let secret = OptionValue::Text("hooks.example/T1".into());
    assert!(!fault(&SLACK, &[], &[("url", secret)]).contains("T1"), "a secret is never shown");
    let (from, to) = (OptionValue::Text("a@b.c".into()), OptionValue::Texts(vec!["nobody".into()]));
    let mail = [("from", from.clone()), ("to", to)];
    assert!(fault(&EMAIL, &["relay"], &mail).contains("no mail address"));
    assert!(fault(&EMAIL, &["relay:smtp"], &mail).contains("no port"));
    let password = ("password", OptionValue::Text("p".into()));
    assert!(fault(&EMAIL, &["relay"], &[("from", from), password]).contains("belong together"));
    let key = |key: &str| OptionValue::Text(key.into());
    assert!(fault(&PAGERDUTY, &[], &[("routing_key", key("short"))]).contains("32 letters"));
    assert!(fault(&WEBHOOK, &["https://a"], &[("signing_key", key("whsec_?"))]).contains("base64"));
    let never = OptionValue::Duration(Duration::ZERO);
    assert!(fault(&WEBHOOK, &["https://a"], &[("timeout", never)]).contains("longer"));
    assert!(fault(&WEBHOOK, &["https://a"], &[("per_minute", OptionValue::Int(0))]).contains("6000"));
}
