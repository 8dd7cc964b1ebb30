//! The stateful detectors of one pipeline: observations of many streams, put in the order of their times, through the
//! machine of each rule.
//!
//! An observation waits until no stream that is active can bring an earlier one: until the watermark, the least of the
//! streams' newest times less [`OBSERVE_LATENESS`], has passed it. One that comes behind the watermark is applied at
//! once. Whoever runs this passes the time on; a stream that brings nothing for [`OBSERVE_IDLE`] is not waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alert::Alert;
use super::bytes::{Get, Put};
use super::machine::Machine;
use super::observation::{Observation, Sign};
use super::rule::Rule;
use crate::limits::{
    OBSERVE_AHEAD_MAX, OBSERVE_IDLE, OBSERVE_LATENESS, OBSERVE_PENDING_BYTES_MAX, OBSERVE_PENDING_MAX,
    OBSERVE_STREAMS_MAX,
};
use crate::position::{EVENT_ID_LEN, EventId};

/// What orders observations: time, then id; one event has one observation of a rule.
type Place = (i64, [u8; EVENT_ID_LEN], usize, Sign);

/// A stream that is active.
#[derive(Clone, Copy, Debug)]
struct Newest {
    time_ns: i64,
    seen: Duration,
}

/// What a rule has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts<'a> {
    /// The rule.
    pub rule: &'a str,
    /// Alerts that were raised since the start.
    pub alerts: u64,
    /// Observations that came too late to count, since the start.
    pub late: u64,
    /// Observations that came when later ones had been counted, and were counted at once, since the start.
    pub behind: u64,
    /// Observations that found no place.
    pub full: u64,
    /// Keys that were known and forgotten to make room.
    pub forgotten: u64,
    /// Bytes that its state takes, about.
    pub bytes: usize,
}

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    machines: Vec<Machine>,
    waiting: BTreeMap<Place, Observation>,
    waiting_bytes: usize,
    streams: BTreeMap<(u64, u16), Newest>,
    /// The stream that the watermark waits for.
    slowest: Option<(u64, u16)>,
    /// All before this is applied.
    watermark_ns: Option<i64>,
    alerts: Vec<Alert>,
    ahead: u64,
    /// What was said of late, full, ahead and forgotten.
    told: [u64; 4],
}

impl Engine {
    /// An engine without state.
    pub fn new(rules: &[Rule]) -> Self {
        Self { machines: rules.iter().cloned().map(Machine::new).collect(), ..Self::default() }
    }

    /// Takes in an observation at a monotonic time. `wall_ns` is the wall clock, where there is one: what lies far
    /// ahead of it does not count.
    pub fn take(&mut self, of: Observation, now: Duration, wall_ns: Option<i64>) {
        let ahead = OBSERVE_AHEAD_MAX.as_nanos() as i64;
        if wall_ns.is_some_and(|wall| of.time_ns > wall.saturating_add(ahead)) {
            self.ahead += 1;
            return;
        }
        if of.rule >= self.machines.len() {
            return;
        }
        let time_ns = of.time_ns;
        let stream = EventId::decode(&of.id).map_or((0, 0), |id| (id.stream.0, id.generation));
        if let Some(watermark_ns) = self.watermark_ns.filter(|watermark| time_ns < *watermark) {
            self.machines[of.rule].behind += 1;
            self.machines[of.rule].apply(&of, &mut self.alerts);
            self.end(watermark_ns);
        } else {
            self.waiting_bytes += of.bytes();
            let place = (time_ns, of.id, of.rule, of.sign);
            if let Some(twice) = self.waiting.insert(place, of) {
                self.waiting_bytes -= twice.bytes();
            }
        }
        self.advance(stream, time_ns, now);
        while self.waiting.len() > OBSERVE_PENDING_MAX || self.waiting_bytes > OBSERVE_PENDING_BYTES_MAX {
            let Some(((time_ns, ..), _)) = self.waiting.first_key_value() else { return };
            let next_ns = time_ns.saturating_add(1);
            self.pass(next_ns);
        }
    }

    fn advance(&mut self, stream: (u64, u16), time_ns: i64, now: Duration) {
        let fresh = !self.streams.contains_key(&stream);
        let newest = self.streams.entry(stream).or_insert(Newest { time_ns, seen: now });
        newest.seen = now;
        if !fresh && newest.time_ns >= time_ns {
            return;
        }
        newest.time_ns = newest.time_ns.max(time_ns);
        if self.streams.len() > OBSERVE_STREAMS_MAX {
            let stalest = self.streams.iter().min_by_key(|(_, of)| of.seen).map(|(stream, _)| *stream);
            if let Some(stalest) = stalest {
                self.streams.remove(&stalest);
            }
            self.slowest = None;
        }
        if fresh || self.slowest.is_none_or(|slowest| slowest == stream) {
            self.look();
        }
    }

    /// Finds the slowest stream, and applies what it has passed.
    fn look(&mut self) {
        let slowest = self.streams.iter().min_by_key(|(_, of)| of.time_ns);
        let Some((stream, of)) = slowest.map(|(stream, of)| (*stream, *of)) else { return };
        self.slowest = Some(stream);
        self.pass(of.time_ns.saturating_sub(OBSERVE_LATENESS.as_nanos() as i64));
    }

    /// The watermark comes to a time; it never goes back.
    fn pass(&mut self, time_ns: i64) {
        let watermark = self.watermark_ns.map_or(time_ns, |watermark| watermark.max(time_ns));
        self.watermark_ns = Some(watermark);
        while let Some(entry) = self.waiting.first_entry()
            && entry.key().0 < watermark
        {
            let of = entry.remove();
            self.waiting_bytes -= of.bytes();
            self.end(of.time_ns);
            self.machines[of.rule].apply(&of, &mut self.alerts);
        }
        self.end(watermark);
    }

    /// Says what is over by a time, what is so for longest first.
    fn end(&mut self, time_ns: i64) {
        if !self.machines.iter().any(|of| of.are_due(time_ns)) {
            return;
        }
        let mut over = Vec::new();
        self.machines.iter_mut().for_each(|of| of.end(time_ns, &mut over));
        over.sort_by_key(|(over_ns, _)| *over_ns);
        self.alerts.extend(over.into_iter().map(|(_, alert)| alert));
    }

    /// Time passes: streams that were quiet for long are not waited for. Returns when to call again.
    pub fn tick(&mut self, now: Duration) -> Option<Duration> {
        let before = self.streams.len();
        self.streams.retain(|_, of| now < of.seen + OBSERVE_IDLE);
        if self.streams.is_empty() {
            self.drain();
        } else if self.streams.len() < before {
            self.look();
        }
        let next = self.streams.values().map(|of| of.seen + OBSERVE_IDLE).min();
        next.filter(|_| !self.waiting.is_empty())
    }

    /// Nothing more is waited for: everything is applied.
    pub fn drain(&mut self) {
        if let Some(((last_ns, ..), _)) = self.waiting.last_key_value() {
            let next_ns = last_ns.saturating_add(1);
            self.pass(next_ns);
        }
    }

    /// Alerts since the last call.
    pub fn alerts(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.alerts)
    }

    /// Observations that wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes that state and waiting observations take, about.
    pub fn bytes(&self) -> usize {
        self.waiting_bytes + self.machines.iter().map(Machine::bytes).sum::<usize>()
    }

    /// What each rule has done.
    pub fn counts(&self) -> impl Iterator<Item = Counts<'_>> {
        self.machines.iter().map(|of| Counts {
            rule: &of.rule().name,
            alerts: of.raised,
            late: of.late,
            behind: of.behind,
            full: of.full,
            forgotten: of.forgotten(),
            bytes: of.bytes(),
        })
    }

    /// What people should know: what did not count, when it is first so, and each time that it is ten times as much.
    pub fn warnings(&mut self) -> Vec<String> {
        let sum = |of: fn(&Machine) -> u64| self.machines.iter().map(of).sum::<u64>();
        let counts = [
            (sum(|of| of.late), "observations came too late to count"),
            (sum(|of| of.full), "observations found no place: there are more keys than a rule can watch"),
            (self.ahead, "observations say that they happen in the future, and do not count"),
            (sum(Machine::forgotten), "keys were forgotten: there are more than a rule can know"),
        ];
        let mut said = Vec::new();
        for ((count, what), told) in counts.into_iter().zip(&mut self.told) {
            if count > 0 && count >= told.saturating_mul(10) {
                *told = count;
                said.push(format!("{count} {what}"));
            }
        }
        said
    }

    /// Appends all state, for [`Engine::load`].
    pub fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.watermark_ns.unwrap_or(i64::MIN));
        out.put_u64(self.streams.len() as u64);
        for ((stream, generation), of) in &self.streams {
            out.put_u64(*stream);
            out.put_u64(u64::from(*generation));
            out.put_i64(of.time_ns);
        }
        out.put_u64(self.machines.len() as u64);
        for machine in &self.machines {
            out.put_bytes(machine.rule().name.as_bytes());
            out.put_bytes(machine.rule().schema.as_bytes());
            let mut state = Vec::new();
            machine.save(&mut state);
            out.put_bytes(&state);
        }
        out.put_u64(self.waiting.len() as u64);
        self.waiting.values().for_each(|of| of.write(out));
    }

    /// Takes on a state that was saved, as of a monotonic time. A rule goes on where there is one of its name that
    /// counts the same; others begin anew, and their names come back. `None` where the bytes are damaged.
    pub fn load(&mut self, from: &mut Get<'_>, now: Duration) -> Option<Vec<String>> {
        let watermark_ns = from.i64()?;
        self.watermark_ns = (watermark_ns != i64::MIN).then_some(watermark_ns);
        for _ in 0..from.count()? {
            let stream = (from.u64()?, u16::try_from(from.u64()?).ok()?);
            self.streams.insert(stream, Newest { time_ns: from.i64()?, seen: now });
        }
        let (mut numbers, mut anew) = (Vec::new(), Vec::new());
        for _ in 0..from.count()? {
            let (name, schema) = (from.bytes()?, from.bytes()?);
            let mut state = Get(from.bytes()?);
            let at = self.machines.iter().position(|machine| machine.rule().name.as_bytes() == name);
            let same = at.filter(|at| self.machines[*at].rule().schema.as_bytes() == schema);
            match same {
                Some(at) => self.machines[at].load(&mut state)?,
                None if at.is_some() => anew.push(String::from_utf8_lossy(name).into_owned()),
                None => {}
            }
            numbers.push(same);
        }
        for _ in 0..from.count()? {
            let of = Observation::read(from)?;
            if let Some(Some(rule)) = numbers.get(of.rule) {
                self.waiting_bytes += of.bytes();
                let of = Observation { rule: *rule, ..of };
                self.waiting.insert((of.time_ns, of.id, of.rule, of.sign), of);
            }
        }
        Some(anew)
    }
}
