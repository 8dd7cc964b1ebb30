//! What is asked of the cluster beside the rows: backing indices of data streams, and rows in doubt.
//!
//! # Rollover
//!
//! A row in doubt is looked up in every backing index from the oldest where it can be ([`Records`](super::records))
//! to the newest, and created only where it is in none of them. Backing indices are asked for *after* the doubt
//! began. A row that is not found can then only still come in by its old request, into the newest of these (where
//! creating it again is refused as itself), unless the data stream has rolled over since that request was sent. So
//! where the write index is one that was first seen after that, the look-up waits until the request is as old as
//! the time-out; the server is told to give up in half of that. And as long as the request is younger, what was
//! looked up counts for [`FRESH`] only.
//!
//! And the server is asked which requests it is at work on (`_tasks`, by the `X-Opaque-Id` of each: see
//! [`Tasks`](super::tasks)). As long as one is among them whose answer was lost, or that a process of before sent, nothing
//! in doubt is looked up. Before that was so, 30 kills with a time-out of five seconds, a rollover every second and
//! fifteen times the load that the machine can carry left some lines twice: the server was at work on old requests
//! for longer than their time-out.
//!
//! What is left, each only together with a rollover in between: a request that is with neither us nor the server's list
//! (in a socket, at a proxy) for longer than the time-out, or, where no rollover is known, when it comes
//! between the look-up and the row's being created again; one that is at work for longer than
//! [`OLD_REQUEST_TIMEOUTS`]; a cluster that does not say (the privilege `monitor` is needed), for which the time-out
//! should not be short; the default is a minute.

use std::sync::Arc;
use std::time::Duration;

use super::doubt::{self, Doubt, Look, encode};
use super::parcel::Parcel;
use super::respond::excerpt;
use super::ship::{Errand, Shipper};
use super::suspect::Suspects;
use crate::sink::Response;

/// How long the backing indices of a data stream count as known while an old request may still be at work.
const FRESH: Duration = Duration::from_secs(5);

/// How often it is asked whether old requests are still at work.
const TASKS_PAUSE: Duration = Duration::from_millis(500);

/// After so many time-outs an old request is taken for dead, whatever the server says of it: rows must not wait for ever
/// for a task that hangs.
const OLD_REQUEST_TIMEOUTS: u32 = 10;

/// What is known of a data stream.
#[derive(Default)]
pub(super) struct Target {
    /// Its backing indices.
    backing: Option<Backing>,
    /// A request for them is under way.
    asked: bool,
    /// All was asked about it that must be known before rows are sent there.
    pub(super) learned: bool,
    /// Its mapping was asked for.
    pub(super) asked_mapping: bool,
    /// When that was last done because a row was refused.
    pub(super) refused: Option<Duration>,
    /// Fields that perhaps do not fit its mapping.
    pub(super) suspects: Suspects,
}

impl Target {
    /// A data stream of which nothing is known; `learned` where nothing can be.
    pub(super) fn new(learned: bool) -> Self {
        Self { learned, ..Self::default() }
    }

    /// The backing index that rows go to, if there is one.
    pub(super) fn write_index(&self) -> Option<Arc<str>> {
        self.backing.as_ref()?.indices.last().cloned()
    }
}

/// The backing indices of a data stream at some time.
struct Backing {
    /// When they were asked for.
    at: Duration,
    /// Oldest first.
    indices: Vec<Arc<str>>,
    /// When the last of them was first seen; zero where it was known from the start.
    rolled: Duration,
}

/// Whether a 404 is Elasticsearch's word that there is no such data stream.
fn says_missing(response: &Response) -> bool {
    memchr::memmem::find(&response.body, b"\"index_not_found_exception\"").is_some()
}

/// Whether an answer is from Elasticsearch, or its kin, and not from something before it.
fn is_its_own(response: &Response) -> bool {
    let body: Result<serde_json::Value, _> = serde_json::from_slice(&response.body);
    body.is_ok_and(|body| body.get("error").is_some())
}

/// Asks for the backing indices of a data stream, or of an alias; of an index for itself.
pub(super) fn resolve_path(stream: &str) -> String {
    format!("/_resolve/index/{}?expand_wildcards=all", encode(stream))
}

impl Shipper {
    /// Takes a parcel whose rows may be there already.
    pub(super) fn look_up(&mut self, mut parcel: Parcel, doubt: Doubt) {
        if self.blind.is_some() {
            parcel.doubt = None;
            self.ready.push_front(parcel);
            return;
        }
        parcel.doubt = Some(doubt);
        match Look::new(parcel, doubt) {
            Ok(look) => self.doubtful.push_back(look),
            Err(mut parcel) => {
                // Nobody can say what is in it; under its ids it is refused where it is.
                parcel.doubt = None;
                self.ready.push_front(*parcel);
            }
        }
    }

    /// Asks for the backing indices of a data stream, unless that is under way.
    pub(super) fn resolve(&mut self, stream: &Arc<str>) {
        let target = self.targets.entry(Arc::clone(stream)).or_default();
        if !std::mem::replace(&mut target.asked, true) {
            self.asks.push_back(Errand::Resolve(Arc::clone(stream)));
        }
    }

    /// Begins to look up what is in doubt, as far as the backing indices are known.
    pub(super) fn look(&mut self, now: Duration) {
        for _ in 0..self.doubtful.len() {
            let Some(mut look) = self.doubtful.pop_front() else { return };
            let (doubt, dead) = (look.doubt, look.doubt.sent + self.options.timeout);
            let good = |at: Duration| at >= doubt.since && (at >= dead || now <= at + FRESH);
            let fresh = |target: &Target| target.backing.as_ref().is_some_and(|backing| good(backing.at));
            let stale = |stream: &&Arc<str>| !self.targets.get(*stream).is_some_and(fresh);
            let stale: Vec<_> = look.streams().iter().filter(stale).cloned().collect();
            if !stale.is_empty() {
                stale.iter().for_each(|stream| self.resolve(stream));
                self.doubtful.push_back(look);
                continue;
            }
            let backing =
                |stream: &Arc<str>| self.targets.get(stream).and_then(|target| target.backing.as_ref());
            let rolled =
                look.streams().iter().filter_map(backing).any(|backing| backing.rolled > look.doubt.sent);
            if rolled && now < dead {
                let reason = "rows were sent while their data stream rolled over, and not answered";
                self.put_off_because(reason.to_owned());
                self.put_off(Errand::Rows(look.parcel), dead);
                continue;
            }
            // What is at work still is not found, and comes in later.
            let quiet_since = if rolled { dead.max(doubt.since) } else { doubt.since };
            if now < doubt.sent + self.options.timeout * OLD_REQUEST_TIMEOUTS
                && self.tasks.must_ask(quiet_since)
            {
                if self.tasks.begin() {
                    self.asks.push_back(Errand::Tasks);
                }
                self.doubtful.push_back(look);
                continue;
            }
            // And what has come in meanwhile may have done so behind a rollover.
            let quiet = self.tasks.quiet();
            let early = |stream: &&Arc<str>| backing(stream).is_some_and(|backing| backing.at < quiet);
            let early: Vec<_> = look.streams().iter().filter(early).cloned().collect();
            if !early.is_empty() && quiet >= quiet_since {
                early.iter().for_each(|stream| self.resolve(stream));
                self.doubtful.push_back(look);
                continue;
            }
            look.at =
                look.streams().iter().filter_map(backing).map(|backing| backing.at).min().unwrap_or(now);
            for stream in look.streams().to_vec() {
                let indices = backing(&stream).map(|backing| backing.indices.as_slice()).unwrap_or_default();
                look.look_in(&stream, self.records.suspects(&stream, indices));
            }
            self.asks.push_back(Errand::Look(look));
        }
    }

    /// Whether a look-up from before says nothing any more: the old request may have been at work still, and there
    /// may have been a rollover since.
    pub(super) fn is_stale(&self, parcel: &Parcel, now: Duration) -> Option<Doubt> {
        let (at, doubt) = parcel.looked?;
        (at < doubt.sent + self.options.timeout && now > at + FRESH).then_some(Doubt { since: now, ..doubt })
    }

    /// Everything was asked about the rows in doubt: those that are there are settled, the others go again.
    pub(super) fn looked_up(&mut self, errand: Errand) {
        let Errand::Look(look) = errand else { return };
        let looked = Some((look.at, look.doubt));
        let (mut parcel, plain, missing) = look.end();
        (parcel.doubt, parcel.looked) = (None, looked);
        if missing.len() == parcel.len() {
            self.ready.push_front(parcel);
            return;
        }
        let found = (parcel.len() - missing.len()) as u32;
        if !missing.is_empty() {
            self.add_parcel(parcel.body);
            let rest = parcel.select(&plain, &missing, &self.buffers);
            self.ready.push_front(rest.with_looked(looked));
        }
        drop(plain);
        self.done(parcel, found, found);
    }

    /// Takes the answer to something other than rows; status 401, 408, 429 and 5xx are dealt with.
    pub(super) fn answer_ask(
        &mut self,
        errand: Errand,
        response: &Response,
        (sent, now): (Duration, Duration),
    ) {
        match (errand, response.status) {
            (Errand::Look(mut look), 200..=299) => {
                if look.read(&response.body) {
                    self.asks.push_front(Errand::Look(look));
                } else {
                    self.ask_later(Errand::Look(look), response, now);
                }
            }
            (Errand::Resolve(stream), 200..=299) => match doubt::backing(&response.body, &stream) {
                Some(indices) => self.resolved(&stream, indices, (sent, now)),
                None => self.ask_later(Errand::Resolve(stream), response, now),
            },
            // Not any 404: a proxy's says nothing of a data stream.
            (Errand::Resolve(stream), 404) if says_missing(response) => {
                self.resolved(&stream, Vec::new(), (sent, now))
            }
            (Errand::Mapping(stream, _), _) => self.mapped(&stream, response),
            (Errand::Tasks, 200..=299) => self.told_tasks(response, (sent, now)),
            (Errand::Tasks, status) => {
                if self.tasks.give_up() && status == 403 {
                    self.warnings.push(
                        "elasticsearch does not let us ask whether old requests are still at work (it takes the \
                         privilege `monitor` of the cluster): they are taken for dead after the time-out"
                            .to_owned(),
                    );
                }
            }
            (errand, 404) if !is_its_own(response) => self.hold_all(errand, response, now),
            (errand, status) => self.go_blind(errand, status, response),
        }
    }

    /// Takes in which requests are at work.
    fn told_tasks(&mut self, response: &Response, (sent, now): (Duration, Duration)) {
        if self.tasks.read(&response.body, sent) != Some(true) {
            let reason = "rows were sent and not answered, and the server is still at work on them";
            self.put_off_because(reason.to_owned());
            self.put_off(Errand::Tasks, now + TASKS_PAUSE);
        }
    }

    fn ask_later(&mut self, mut errand: Errand, response: &Response, now: Duration) {
        let tries = match &mut errand {
            Errand::Look(look) => &mut look.tries,
            _ => &mut 0,
        };
        let pause = self.random.pause_asked(*tries, response.retry_after);
        *tries += 1;
        self.put_off_because(format!(
            "an answer about rows in doubt is not usable: {}",
            excerpt(&response.body)
        ));
        self.put_off(errand, now + pause);
    }

    /// The backing indices of a data stream are known; none where it does not exist yet.
    fn resolved(&mut self, stream: &Arc<str>, indices: Vec<Arc<str>>, (sent, now): (Duration, Duration)) {
        let newest = indices.last().cloned();
        let unix_s = u64::try_from(self.clock.now_unix_ns() / 1_000_000_000).unwrap_or_default();
        let before = self.records.note_write_index(stream, newest.as_deref().unwrap_or_default(), unix_s);
        // That the first one was made is no rollover.
        let superseded = before.is_some_and(|before| !before.is_empty() || indices.len() > 1);
        // Noted by a life of the process so short ago that a request of the one before it may still be at work.
        let passed =
            self.records.rolled_unix_s(stream).map(|at| Duration::from_secs(unix_s.saturating_sub(at)));
        let just_before = indices.len() > 1 && passed.is_some_and(|passed| passed <= self.options.timeout);
        let target = self.targets.entry(Arc::clone(stream)).or_default();
        target.asked = false;
        let rolled = match &target.backing {
            _ if superseded => now,
            Some(known) => known.rolled,
            None if just_before => now,
            None => Duration::ZERO,
        };
        target.backing = Some(Backing { at: sent, indices, rolled });
        if !target.asked_mapping || superseded {
            self.ask_mapping(stream, false);
        }
        // Before the first row goes there. Where it fails nothing is sent until it succeeds.
        self.record(now);
    }

    /// Rows may be sent to a data stream.
    pub(super) fn learned(&mut self, stream: &Arc<str>) {
        if let Some(target) = self.targets.get_mut(stream)
            && !std::mem::replace(&mut target.learned, true)
        {
            self.unlearned = self.unlearned.saturating_sub(1);
        }
    }

    /// The cluster does not say where rows are: they are sent again without a look, as well as can be.
    fn go_blind(&mut self, errand: Errand, status: u16, response: &Response) {
        if self.blind.is_none() {
            let reason = format!("status {status}: {}", excerpt(&response.body));
            self.warnings.push(format!(
                "elasticsearch does not let us look rows up (it takes the privileges `read` and `view_index_metadata`): \
                 one that is sent again after its data stream has rolled over can appear twice; it says: {reason}"
            ));
            self.blind = Some(reason);
        }
        self.unlearned = 0;
        self.targets.values_mut().for_each(|target| target.learned = true);
        let mut looks: Vec<Box<Look>> = self.doubtful.drain(..).collect();
        for errand in self.asks.drain(..).chain([errand]) {
            if let Errand::Look(look) = errand {
                looks.push(look);
            }
        }
        for look in looks {
            let parcel = look.end().0.with_doubt(None);
            self.ready.push_front(parcel);
        }
    }
}
