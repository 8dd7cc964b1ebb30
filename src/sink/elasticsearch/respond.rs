//! What answers mean: which rows are settled, which go again, and who is left alone for a while.

use std::time::Duration;

use bytes::Bytes;

use super::answer::{self, Answer, Fate, clip};
use super::doubt::Doubt;
use super::encode::event_id;
use super::parcel::Parcel;
use super::ship::{Errand, Flight, Shipper};
use crate::sink::wait::Wait;
use crate::sink::{Rejection, Response};

impl Shipper {
    /// No answer came: nothing is known of what the node did.
    pub(super) fn unanswered(&mut self, flight: Flight, reason: String, now: Duration) {
        if now.saturating_sub(flight.sent) >= self.options.timeout {
            self.slow_down(flight.sent, now);
        }
        self.leave_alone(flight.node, reason, None, now);
        self.put_back(in_doubt(flight.errand, flight.sent, now));
    }

    /// Decides by the status of a response; those of single rows are in [`Shipper::take`].
    pub(super) fn respond(&mut self, flight: Flight, response: &Response, now: Duration) {
        let Flight { node, errand, sent, .. } = flight;
        let status = response.status;
        if matches!(status, 408 | 429 | 500..) {
            if matches!(status, 408 | 429 | 503) {
                self.slow_down(sent, now);
            }
            let reason = format!("it answers {status}: {}", excerpt(&response.body));
            self.leave_alone(node, reason, response.retry_after, now);
            // A 429 was refused at the door. Behind any other, a proxy's among them, rows may have been taken.
            let errand = if status == 429 { errand } else { in_doubt(errand, sent, now) };
            self.put_back(errand);
            return;
        }
        // A good answer to a request from before the pause says nothing of the node since.
        let over = |wait: &mut Wait| wait.until <= now;
        if let Some(node) = self.nodes.get_mut(node) {
            node.wait.take_if(over);
        }
        let parcel = match errand {
            Errand::Rows(parcel) => parcel,
            errand if status == 401 => return self.hold_all(errand, response, now),
            errand => {
                self.hold.take_if(over);
                return self.answer_ask(errand, response, (sent, now));
            }
        };
        if matches!(status, 200..=299 | 400 | 413) {
            self.hold.take_if(over);
        }
        match status {
            200..=299 => match answer::read(&response.body, parcel.len()) {
                Some(answer) => self.take(parcel, answer, response.retry_after, (sent, now)),
                None => {
                    let reason = format!(
                        "an answer does not fit the request of {} rows: {}",
                        parcel.len(),
                        excerpt(&response.body)
                    );
                    let parcel = parcel.with_doubt(Some(Doubt { since: now, sent }));
                    self.wait(parcel, reason, None, now);
                }
            },
            // Too large for the node, or one row that makes the request unreadable: halves find it.
            400 | 413 => self.halve(parcel, status, &response.body, now),
            _ => self.hold_all(Errand::Rows(parcel), response, now),
        }
    }

    /// Stops sending until the cluster takes requests again: credentials, privileges, a path. Not for a row to pay for.
    pub(super) fn hold_all(&mut self, errand: Errand, response: &Response, now: Duration) {
        let reason = format!("status {}: {}", response.status, excerpt(&response.body));
        let before = self.hold.take();
        self.hold = Some(Wait::after(before, reason, response.retry_after, now, &mut self.random));
        self.put_back(errand);
    }

    /// Takes in what became of each row of a parcel.
    fn take(
        &mut self,
        mut parcel: Parcel,
        answer: Answer,
        asked: Option<Duration>,
        (sent, now): (Duration, Duration),
    ) {
        let (mut again, mut reason, mut busy, mut doubt) = (Vec::new(), String::new(), false, None);
        let (mut repeated, mut rejected) = (0, Vec::new());
        for (at, fate) in answer {
            match fate {
                Fate::Repeated => repeated += 1,
                Fate::Rejected(why) => rejected.push((at, why)),
                Fate::Retry(status, why) => {
                    busy |= matches!(status, 429 | 503);
                    if status != 429 {
                        doubt = Some(Doubt { since: now, sent });
                    }
                    again.push(at);
                    reason = format!("rows are put off with status {status}: {why}");
                }
                Fate::Forbidden(status, why) => {
                    again.push(at);
                    reason = format!("rows are refused with status {status}: {why}");
                }
            }
        }
        if busy {
            self.slow_down(sent, now);
        } else {
            self.speed_up();
        }
        if again.len() == parcel.len() {
            parcel.doubt = doubt;
            self.wait(parcel, reason, asked, now);
            return;
        }
        let (mut aside, mut gone) = (0, 0);
        if !again.is_empty() || !rejected.is_empty() {
            let Some(plain) = parcel.plain() else {
                // Nothing is lost by sending all of it again, under the same ids.
                self.wait(parcel, "a body cannot be read again".into(), asked, now);
                return;
            };
            if !again.is_empty() {
                let rest = parcel.select(&plain, &again, &self.buffers);
                self.add_parcel(parcel.body);
                self.wait(rest.with_doubt(doubt), reason, asked, now);
            }
            let refused = rejected.len();
            let rejected = self.set_aside_offenders(&parcel, &plain, rejected, now);
            (aside, gone) = (refused - rejected.len(), rejected.len());
            self.reject(&parcel, &plain, &rejected);
        }
        let delivered = parcel.len() - again.len() - aside - gone;
        self.done(parcel, delivered as u32, repeated);
    }

    /// Sends the halves of a parcel apart; a single row has no halves.
    fn halve(&mut self, parcel: Parcel, status: u16, body: &[u8], now: Duration) {
        let rows: Vec<u32> = (0..parcel.len() as u32).collect();
        if rows.len() < 2 {
            let reason = clip(format!("status {status}: {}", excerpt(body)));
            self.take(parcel, vec![(0, Fate::Rejected(reason))], None, (now, now));
            return;
        }
        let Some(plain) = parcel.plain() else {
            self.wait(parcel, "a body cannot be read again".into(), None, now);
            return;
        };
        let (first, second) = rows.split_at(rows.len() / 2);
        for half in [second, first] {
            self.add_parcel(parcel.body);
            self.ready.push_front(parcel.select(&plain, half, &self.buffers));
        }
        self.done(parcel, 0, 0);
    }

    fn reject(&mut self, parcel: &Parcel, plain: &Bytes, rejected: &[(u32, String)]) {
        let Some(open) = self.bodies.get_mut(&parcel.body) else { return };
        open.rejected.extend(rejected.iter().map(|(at, reason)| {
            let encoded = parcel.slice(plain, *at);
            let rejection = Rejection { row: parcel.row(*at), reason: reason.clone(), id: event_id(encoded) };
            (rejection, Some(Bytes::copy_from_slice(encoded)))
        }));
    }
}

/// The same errand; rows are now in doubt.
fn in_doubt(errand: Errand, sent: Duration, now: Duration) -> Errand {
    match errand {
        Errand::Rows(parcel) => Errand::Rows(parcel.with_doubt(Some(Doubt { since: now, sent }))),
        errand => errand,
    }
}

/// The start of a response, as one line for people.
pub(super) fn excerpt(body: &[u8]) -> String {
    const EXCERPT_BYTES: usize = 300;
    let text = String::from_utf8_lossy(body.get(..EXCERPT_BYTES).unwrap_or(body));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
