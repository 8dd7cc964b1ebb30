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
//! What is left, each only together with a rollover in between:
//!
//! - a request that we were cut off from and that the server still works on, whose row is therefore not found, when the
//!   rollover comes between the look-up and the row's being created again: at most [`FRESH`] for us, and as long as the
//!   server takes for it. (The answer could tell: it names the backing index of each row. One that was created in another
//!   than those looked in could be looked for once more when the old request is surely dead, and taken back.)
//! - a request that the server still works on when it is older than the time-out. Seen on Elasticsearch 8.19 with a
//!   time-out of five seconds on a machine with fifteen times the load that it can carry, and a rollover every second:
//!   30 kills left some first lines twice; the answers to them had come too late, or the process was dead, and the new
//!   request was carried out behind a rollover, the old one before it. Only the server could say that a request is at an
//!   end (`_tasks`, by the `X-Opaque-Id` of the request); it is not asked. So the time-out should not be short; the
//!   default is a minute.

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
            (errand, 404) if !is_its_own(response) => self.hold_all(errand, response, now),
            (errand, status) => self.go_blind(errand, status, response),
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
