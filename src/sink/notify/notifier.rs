//! The sink as it runs: takes alerts, tells of a group when it is due, and settles rows when people were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::alert::Alert;
use super::groups::{Groups, Handle, Notice, Rules};
use super::mail::{self, Letterhead};
use super::memory::Memory;
use super::payload::{self, Sender};
use crate::position::{EVENT_ID_LEN, EventId};
use crate::seam::Clock;
use crate::sink::wait::{Random, Wait};
use crate::sink::{Body, Next, Payload, Provenance, Rejection, Request, Response, Settled, Sink, Transport};

/// A service that tells people.
#[derive(Clone, Debug)]
pub(super) enum Service {
    Slack,
    PagerDuty,
    Alertmanager,
    Webhook,
    Email(Letterhead),
}

/// How a sink was told to work.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) service: Service,
    pub(super) sender: Sender,
    pub(super) rules: Rules,
    /// Path below the node, with what stands behind `?`.
    pub(super) path: String,
    pub(super) signing_key: Option<Vec<u8>>,
    /// The shortest time from one request to the next.
    pub(super) apart: Duration,
    pub(super) timeout: Duration,
}

impl Settings {
    fn request(&self, notice: &Notice, now_ns: i64) -> Result<Request, String> {
        let Self { service, sender, path, signing_key, timeout, .. } = self;
        let id = id(sender, notice);
        let payload = match service {
            Service::Slack => payload::slack(sender, notice),
            Service::PagerDuty => payload::pagerduty(sender, notice),
            Service::Alertmanager => payload::alertmanager(sender, notice),
            Service::Webhook => payload::webhook(sender, notice),
            Service::Email(head) => {
                let body = mail::message(head, sender, notice, &id, now_ns)?.into();
                let path = String::new();
                return Ok(Request {
                    method: "MAIL",
                    path,
                    headers: head.envelope(),
                    body,
                    timeout: *timeout,
                });
            }
        };
        let body = Bytes::from(payload.to_string());
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(key) = signing_key {
            headers.extend(signed(key, &id, now_ns.div_euclid(1_000_000_000), &body));
        }
        Ok(Request { method: "POST", path: path.clone(), headers, body, timeout: *timeout })
    }
}

/// A body of which some row is not settled.
struct Open {
    provenance: Arc<Provenance>,
    payload: Bytes,
    row_ends: Vec<u32>,
    left: u32,
    repeated: u32,
    rejected: Vec<(Rejection, Option<Bytes>)>,
    bytes: usize,
}

impl Open {
    /// The row, and its id before it.
    fn row(&self, number: u32) -> Bytes {
        let end = |at: u32| self.row_ends.get(at as usize).map_or(0, |end| *end as usize);
        let start = number.checked_sub(1).map_or(0, end);
        self.payload.slice(start..end(number).max(start))
    }
}

pub(super) struct Notifier {
    settings: Settings,
    transport: Box<dyn Transport>,
    clock: Arc<dyn Clock>,
    random: Random,
    memory: Memory,
    groups: Groups,
    bodies: BTreeMap<u64, Open>,
    next_body: u64,
    /// What was sent and not answered.
    flight: Option<Notice>,
    ticket: u64,
    wait: Option<Wait>,
    /// When the next request may go.
    free_at: Duration,
    /// What is remembered differs from the file.
    dirty: bool,
    unsaved: Option<String>,
    warnings: Vec<String>,
    closed: bool,
}

/// After a failure to save, when to try again.
const RETRY: Duration = Duration::from_secs(1);

impl Notifier {
    pub(super) fn new(
        settings: Settings,
        transport: Box<dyn Transport>,
        clock: Arc<dyn Clock>,
        (memory, groups, warning): (Memory, Groups, Option<String>),
    ) -> Self {
        let random = Random::of_sink(&settings.sender.sink, clock.now_unix_ns());
        Self {
            settings,
            transport,
            clock,
            random,
            memory,
            groups,
            bodies: BTreeMap::new(),
            next_body: 0,
            flight: None,
            ticket: 0,
            wait: None,
            free_at: Duration::ZERO,
            dirty: false,
            unsaved: None,
            warnings: warning.into_iter().collect(),
            closed: false,
        }
    }

    fn settle(&mut self, rows: Vec<Handle>, refused: Option<&str>) {
        for (body, row) in rows {
            let Some(open) = self.bodies.get_mut(&body) else { continue };
            open.left = open.left.saturating_sub(1);
            if let Some(reason) = refused {
                let bytes = open.row(row);
                let id = bytes.get(..EVENT_ID_LEN).and_then(EventId::decode);
                let event = bytes.slice(EVENT_ID_LEN.min(bytes.len())..);
                open.rejected.push((Rejection { row, id, reason: reason.to_owned() }, Some(event)));
            }
        }
    }

    fn answered(&mut self, answer: Result<Response, String>, now: Duration) {
        let Some(notice) = self.flight.take() else { return };
        let (reason, asked) = match answer {
            Ok(Response { status: 200..=299, .. }) => {
                self.wait = None;
                self.dirty = true;
                let now_ns = self.clock.now_unix_ns();
                let rows = self.groups.told(&self.settings.rules, &notice, now_ns);
                return self.settle(rows, None);
            }
            Ok(Response { status, body, retry_after }) => {
                let text = String::from_utf8_lossy(&body);
                let text = text.get(..text.floor_char_boundary(300)).unwrap_or_default();
                let reason = format!("status {status}: {text}");
                // 401, 403, 404: somebody must see to it, and nothing is lost until then. 408, 425, 429: later.
                if matches!(status, 400..=499) && !matches!(status, 401 | 403 | 404 | 408 | 425 | 429) {
                    self.wait = None;
                    self.dirty = true;
                    let rows = self.groups.refused(&notice);
                    return self.settle(rows, Some(&reason));
                }
                (reason, retry_after)
            }
            Err(error) => (error, None),
        };
        self.wait = Some(Wait::after(self.wait.take(), reason, asked, now, &mut self.random));
    }

    fn start(&mut self, notice: Notice, now: Duration) {
        let now_ns = self.clock.now_unix_ns();
        match self.settings.request(&notice, now_ns) {
            Ok(request) => {
                self.ticket += 1;
                self.free_at = now + self.settings.apart;
                self.transport.start(self.ticket, request);
                self.flight = Some(notice);
            }
            Err(reason) => {
                self.dirty = true;
                let rows = self.groups.refused(&notice);
                self.settle(rows, Some(&reason));
            }
        }
    }

    fn save(&mut self) -> bool {
        if self.dirty {
            match self.memory.save(&self.groups) {
                Ok(()) => (self.dirty, self.unsaved) = (false, None),
                Err(error) => {
                    self.unsaved = Some(format!("what people were told of cannot be kept: {error}"))
                }
            }
        }
        !self.dirty
    }
}

/// Names one message, the same however often it is sent.
fn id(sender: &Sender, notice: &Notice) -> String {
    let ids = notice.alerts.iter().map(|alert| alert.id.as_str()).collect::<Vec<_>>().join("\n");
    let what = format!("{}\n{}\n{ids}\n{}", sender.key(notice), notice.resolved, notice.more);
    format!("msg_{}", HEXLOWER.encode(&Sha256::digest(what)[..16]))
}

/// The headers of a signed message
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
fn signed(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    let signature = BASE64.encode(&mac.finalize().into_bytes());
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

impl Sink for Notifier {
    fn offer(&mut self, body: Body, _: Duration) {
        let Payload::Bytes(payload) = body.payload else { return };
        let (key, now_ns) = (self.next_body, self.clock.now_unix_ns());
        self.next_body += 1;
        let open = Open {
            provenance: body.provenance,
            payload,
            left: body.row_ends.len() as u32,
            row_ends: body.row_ends,
            repeated: 0,
            rejected: Vec::new(),
            bytes: body.bytes,
        };
        let rows: Vec<Bytes> = (0..open.left).map(|row| open.row(row)).collect();
        self.bodies.insert(key, open);
        for (number, row) in rows.iter().enumerate() {
            let handle = (key, number as u32);
            let (id, event) = row.split_at(EVENT_ID_LEN.min(row.len()));
            match serde_json::from_slice(event).map(|value| (value, event.len())) {
                Ok(event) => {
                    let id = String::from_utf8_lossy(id);
                    let alert = Alert::of(event, &id, &self.settings.sender.sink, now_ns);
                    if let Err(told) = self.groups.add(&self.settings.rules, alert, handle, now_ns) {
                        self.dirty = true;
                        if let Some(open) = self.bodies.get_mut(&key) {
                            open.repeated += 1;
                        }
                        self.settle(vec![told], None);
                    }
                }
                Err(error) => self.settle(vec![handle], Some(&format!("the event is no JSON: {error}"))),
            }
        }
    }

    fn step(&mut self, now: Duration, settled: &mut Vec<Settled>) -> Next {
        while let Some((ticket, answer)) = self.transport.poll() {
            if ticket == self.ticket {
                self.answered(answer, now);
            }
        }
        if !self.save() {
            return Next::At(now + RETRY);
        }
        let done: Vec<u64> =
            self.bodies.iter().filter(|(_, open)| open.left == 0).map(|(key, _)| *key).collect();
        for open in done.into_iter().filter_map(|key| self.bodies.remove(&key)) {
            settled.push(Settled {
                delivered: open.row_ends.len() as u32 - open.rejected.len() as u32,
                repeated: open.repeated,
                provenance: open.provenance,
                rejected: open.rejected,
                bytes: open.bytes,
            });
        }
        if self.flight.is_some() {
            return Next::Idle;
        }
        if self.closed && self.bodies.is_empty() {
            return Next::Done;
        }
        let ready = self.free_at.max(self.wait.as_ref().map_or(Duration::ZERO, |wait| wait.until));
        let now_ns = self.clock.now_unix_ns();
        let Some(due) = self.groups.next_due(&self.settings.rules, self.closed) else { return Next::Idle };
        let in_time = Duration::from_nanos(u64::try_from(due.saturating_sub(now_ns)).unwrap_or_default());
        let at = ready.max(now + in_time);
        if at > now {
            // The wall clock may be set meanwhile.
            return Next::At(at.min(now + Duration::from_secs(60)));
        }
        if let Some(notice) = self.groups.due(&self.settings.rules, self.closed, now_ns) {
            self.start(notice, now);
        }
        Next::Idle
    }

    fn close(&mut self) {
        self.closed = true;
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn trouble(&self) -> Option<String> {
        let waiting = self.wait.as_ref().map(|wait| format!("{}; alerts wait", wait.reason));
        self.unsaved.clone().or(waiting)
    }
}
