//! The sink over real sockets, against a server that misbehaves.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use aludel::event::OptionValue;
use aludel::seam::{Clock, RealClock, RealFs};
use aludel::sink::http::HttpNetwork;
use aludel::sink::{Body, Endpoint, Next, Request, Response, SinkPlan, World};

use super::bulk_server::{Fault, Server};
use super::rows::{Total, bodies, number, plan};

/// Long, since a real server on a loaded machine takes minutes to come back.
const DEADLINE: Duration = Duration::from_secs(400);

/// Sends bodies through a sink on the machine's network until all have settled; gives the totals and everything
/// that the sink said meanwhile.
pub(crate) fn ship(plan: &dyn SinkPlan, bodies: Vec<Body>) -> (Total, BTreeSet<String>) {
    let rows: u32 = bodies.iter().map(|body| body.rows).sum();
    let (total, said) = ship_until(plan, bodies, DEADLINE);
    let settled = total.delivered + total.rejected.len() as u32;
    assert_eq!(settled, rows, "it takes too long; said {said:?}");
    (total, said)
}

/// The same with a data folder of before.
pub(crate) fn ship_in(folder: &Path, plan: &dyn SinkPlan, bodies: Vec<Body>) -> (Total, BTreeSet<String>) {
    ship_in_until(folder, plan, bodies, DEADLINE)
}

/// The same, and gives up at a deadline.
pub(crate) fn ship_until(
    plan: &dyn SinkPlan,
    bodies: Vec<Body>,
    deadline: Duration,
) -> (Total, BTreeSet<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    ship_in_until(folder.path(), plan, bodies, deadline)
}

fn ship_in_until(
    folder: &Path,
    plan: &dyn SinkPlan,
    bodies: Vec<Body>,
    deadline: Duration,
) -> (Total, BTreeSet<String>) {
    let woken = Arc::new((Mutex::new(false), Condvar::new()));
    let clock = RealClock::start();
    let signal = Arc::clone(&woken);
    let wake = move || {
        *signal.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        signal.1.notify_all();
    };
    let network = HttpNetwork::start().expect("a network");
    let world = World {
        fs: Arc::new(RealFs),
        clock: Arc::new(clock),
        network: Arc::new(network),
        data_dir: folder.into(),
        host: Arc::from(&b"host"[..]),
        wake: Arc::new(wake),
    };
    let (mut sink, _) = plan.open(world).expect("opens");
    for body in bodies {
        sink.offer(body, clock.monotonic());
    }
    sink.close();
    let (mut total, mut said, mut settled) = (Total::default(), BTreeSet::new(), Vec::new());
    loop {
        let now = clock.monotonic();
        if now > deadline {
            return (total, said);
        }
        let next = sink.step(now, &mut settled);
        said.extend(sink.trouble());
        said.extend(sink.warnings());
        total.add(std::mem::take(&mut settled));
        for (field, rows) in sink.set_aside() {
            *total.set_aside.entry(field).or_default() += rows;
        }
        let wait = match next {
            Next::Done => return (total, said),
            Next::Again => continue,
            Next::At(at) => at.saturating_sub(now),
            Next::Idle => Duration::from_secs(5),
        };
        let wait = wait.min(deadline.saturating_sub(now));
        let mut flag = woken.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*flag {
            flag = woken.1.wait_timeout(flag, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        *flag = false;
    }
}

fn assert_once(servers: &[&Server], total: &Total, rows: u64) {
    let mut seen = BTreeSet::new();
    for server in servers {
        for document in server.store().once() {
            assert!(seen.insert(number(document)), "twice: {document}");
        }
    }
    assert_eq!(seen, (0..rows).collect());
    assert_eq!((u64::from(total.delivered), total.rejected.len()), (rows, 0));
}

/// Each fault alone, on a real socket: every row arrives once.
#[test]
fn every_fault_on_a_real_socket() {
    let short = OptionValue::Duration(Duration::from_millis(300));
    for fault in [
        Fault::None,
        Fault::Status(429, 1),
        Fault::Status(503, 0),
        Fault::Status(401, 0),
        Fault::Items(3, 429),
        Fault::TooLarge(40),
        Fault::Reset,
        Fault::Deaf,
        Fault::TakenThenReset,
        Fault::TakenThenSilent,
        Fault::HalfAnswer,
        Fault::OneItemShort,
        Fault::Page,
    ] {
        let server = Server::start(&[fault.clone(), Fault::None, fault.clone()]);
        let plan = plan(&[server.url()], &[("timeout", short.clone())]);
        let (total, said) = ship(&*plan, bodies(&*plan, 0, 5, 100));
        assert_once(&[&server], &total, 500);
        let quiet = matches!(fault, Fault::None | Fault::TooLarge(_));
        assert_eq!(said.is_empty(), quiet, "{fault:?}: {said:?}");
        // What was taken and not answered is found before it is sent again.
        let unanswered = [
            Fault::TakenThenReset,
            Fault::TakenThenSilent,
            Fault::HalfAnswer,
            Fault::OneItemShort,
            Fault::Page,
        ];
        assert_eq!(total.repeated > 0, unanswered.contains(&fault), "{fault:?}");
        assert_eq!(server.store().conflicts, 0, "{fault:?}");
    }
}

#[test]
fn streams_are_named_after_the_rows() {
    let server = Server::start(&[]);
    let plan = plan(&[server.url() + "/prefix/"], &[]);
    let (total, _) = ship(&*plan, bodies(&*plan, 0, 1, 8));
    assert_once(&[&server], &total, 8);
    let names: BTreeSet<_> = server.store().generations.keys().cloned().collect();
    let expected = ["logs-db-prod", "logs-other-prod", "logs-web-prod", "logs-worker_1-prod"];
    assert_eq!(names, expected.into_iter().map(str::to_owned).collect());
}

#[test]
fn compressed_bodies_of_many_rows() {
    let server = Server::start(&[Fault::Items(7, 503), Fault::TooLarge(100)]);
    let plan = plan(&[server.url()], &[("compression", OptionValue::Text("gzip".into()))]);
    let (total, _) = ship(&*plan, bodies(&*plan, 0, 4, 1000));
    assert_once(&[&server], &total, 4000);
}

/// With one node gone the others carry everything; sent again to another node a row is still the same row.
#[test]
fn a_dead_node_is_circled_around() {
    let server = Server::start(&[]);
    let gone = Server::start(&[]).url();
    let plan = plan(&[gone.clone(), server.url()], &[]);
    let (total, said) = ship(&*plan, bodies(&*plan, 0, 40, 50));
    assert_once(&[&server], &total, 2000);
    assert!(said.iter().any(|line| line.contains(&gone) && line.contains("refused")), "{said:?}");
}

#[test]
fn credentials_reach_the_server_and_nobody_else() {
    for (options, header) in [
        (&[("api_key", "id:key")][..], "ApiKey aWQ6a2V5"),
        (&[("username", "elastic"), ("password", "sesame")], "Basic ZWxhc3RpYzpzZXNhbWU="),
    ] {
        let server = Server::start(&[]);
        server.store().authorization = Some(header.into());
        let options: Vec<_> =
            options.iter().map(|(name, value)| (*name, OptionValue::Text((*value).into()))).collect();
        let plan = plan(&[server.url()], &options);
        let (total, said) = ship(&*plan, bodies(&*plan, 0, 1, 10));
        assert_once(&[&server], &total, 10);
        assert!(said.is_empty(), "{said:?}");
        assert!(!plan.place().contains("sesame"));
    }
}

/// A certificate for 127.0.0.1 made with OpenSSL's command, or why there is none.
fn certificate(folder: &std::path::Path) -> Result<(String, String), String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (path("node.pem"), path("node.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=test node", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out", &certificate])
        .output()
        .map_err(|error| format!("openssl: {error}"))?;
    made.status
        .success()
        .then_some((certificate, key))
        .ok_or_else(|| format!("openssl: {}", String::from_utf8_lossy(&made.stderr)))
}

#[test]
fn tls_needs_the_right_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = match certificate(folder.path()) {
        Ok(made) => made,
        Err(why) => return super::skip(&why),
    };
    let server = Server::start(&[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/tls_proxy.py");
    let proxy = Command::new("python3")
        .args([script, &certificate, &key, &server.address.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut proxy = match proxy {
        Ok(proxy) => proxy,
        Err(error) => return super::skip(&format!("python3: {error}")),
    };
    let mut port = String::new();
    let output = proxy.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut port).expect("a port");
    let url = format!("https://127.0.0.1:{}", port.trim());

    let trusting = plan(std::slice::from_ref(&url), &[("ca_file", OptionValue::Text(certificate))]);
    let (total, said) = ship(&*trusting, bodies(&*trusting, 0, 3, 100));
    assert_once(&[&server], &total, 300);
    assert!(said.is_empty(), "{said:?}");

    // Without the file the certificate is nobody's, and nothing is sent.
    let requests = server.store().requests;
    let network = HttpNetwork::start().expect("a network");
    let endpoint = Endpoint { url, ..Endpoint::default() };
    let answer = ask(&network, &endpoint, "POST", "/_bulk", "application/x-ndjson", "");
    let error = answer.expect_err("not trusted");
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(server.store().requests, requests);

    drop(proxy.stdin.take());
    proxy.wait().expect("it ends");
}

/// One request and its answer.
pub(crate) fn ask(
    network: &HttpNetwork,
    endpoint: &Endpoint,
    method: &'static str,
    path: &str,
    content: &str,
    body: &str,
) -> Result<Response, String> {
    let request = Request {
        method,
        path: path.to_owned(),
        headers: vec![("content-type", content.to_owned())],
        body: body.to_owned().into(),
        timeout: Duration::from_secs(30),
    };
    aludel::sink::http::ask(network, endpoint, request)
}
