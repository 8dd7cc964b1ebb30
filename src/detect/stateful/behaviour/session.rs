//! What was surprising of a user within some hours: each point with its bits, their sum, and the words for it.

use super::super::alert::Evidence;
use super::super::bytes::{Get, Put};
use super::super::traits::Aspect;
use super::rate::{get_f32, get_f64, put_f32, put_f64};
use crate::limits::BEHAVIOUR_POINTS_MAX;

/// How improbable several things are together, in bits, by the bits of each.
fn fisher(kinds: &[f64]) -> f64 {
    let sum: f64 = kinds.iter().sum();
    let (mut term, mut easier) = (1.0, 1.0);
    for kind in 1..kinds.len() {
        term *= sum * std::f64::consts::LN_2 / kind as f64;
        easier += term;
    }
    sum - f64::log2(easier)
}

/// How improbable two things are together: what adds nothing does not take anything away either.
fn together(kinds: &[f64; 2]) -> f64 {
    fisher(kinds).max(kinds[0]).max(kinds[1])
}

/// Who takes an account over comes over another network: over one that the user has, what else is new has so many bits less …
const KNOWN_NETWORK: f64 = 3.0;
/// … and mostly with another device: so many less where it is the user's own and nobody jumped.
const KNOWN_DEVICE: f64 = 3.0;
/// Who seems to jump over a new network has so many more: a journey explains either of them, but not both.
const JUMPED: f64 = 0.5;
/// Who is in a new country without a jump has travelled there: so many less, and fewer where a country of so many bits or less
/// is no great news.
const JOURNEY: f64 = 4.0;
const NEWS: f64 = 8.0;
/// A device that is new counts so much of its bits: people get new ones, and take them along to where they are.
const DEVICE: f64 = 0.85;
/// Who looks around gets at so many new resources; each that is missing says so many bits less.
const LOOKED_AROUND: usize = 4;
const FEW: f64 = 1.2;

/// How much speaks for somebody else at the account, in bits: where the event comes from and with which device, less what somebody
/// else would hardly have. Of country and network the greater counts: that a country is new says that the network is.
fn taken_over(kinds: [f64; GROUPS.len()], known: [bool; 4]) -> f64 {
    let [country, network, device, _, travel, _] = kinds;
    let [_, is_known_network, is_known_device, _] = known;
    let (place, device, jumped) = (country.max(network), device * DEVICE, travel > 0.0);
    // What is new in one event came together, and is not two things that happen to fall together; a new device that seems to
    // jump over a network of the user is.
    let all = match is_known_network && place == 0.0 {
        true => together(&[device, travel]),
        false => together(&[place, travel]) + device,
    };
    let less = [
        (is_known_network, KNOWN_NETWORK),
        (is_known_device && !jumped, KNOWN_DEVICE),
        (!jumped, JOURNEY * (country / NEWS).min(1.0)),
        (jumped && !is_known_network, -JUMPED),
    ];
    let less: f64 = less.into_iter().filter(|(is, _)| *is).map(|(_, bits)| bits).sum();
    (all - less).max(0.0)
}

/// Points of a group that an alert tells of.
const POINTS_TOLD: usize = 5;

/// What is judged as one: each point says how improbable it is together with those of its group before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// It cannot have been travelled.
    Travel,
    /// One of the aspects is new.
    Of(Aspect),
    /// The hour.
    Hour,
}

pub(super) const GROUPS: [Group; 6] = [
    Group::Of(Aspect::Country),
    Group::Of(Aspect::Network),
    Group::Of(Aspect::Device),
    Group::Of(Aspect::Resource),
    Group::Travel,
    Group::Hour,
];

impl Group {
    /// Its number in the list, where country and network come first.
    pub(super) fn number(self) -> usize {
        match self {
            Self::Of(aspect) => aspect as usize,
            Self::Travel => 4,
            Self::Hour => 5,
        }
    }
}

/// One thing that was surprising.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) time_ns: i64,
    pub(super) group: Group,
    /// What was surprising, so that what comes with it again is told: the hash of a value, of a place; 0 where nothing does.
    pub(super) of: u64,
    pub(super) bits: f32,
    pub(super) words: Box<str>,
}

/// What was surprising of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) points: Vec<Point>,
    pub(super) evidence: Evidence,
    /// How grave the last alert was, in steps.
    pub(super) step: u8,
    /// The score of the gravest event.
    pub(super) score: f64,
}

impl Session {
    /// Forgets what is over at that time.
    pub(super) fn keep_from(&mut self, time_ns: i64) {
        if self.points.is_empty() {
            return;
        }
        self.points.retain(|point| point.time_ns >= time_ns);
        if self.points.is_empty() {
            *self = Self::default();
        } else {
            self.evidence.keep_from(time_ns);
        }
    }

    pub(super) fn add(&mut self, point: Point) {
        // What is said already is not said again, but may have become graver.
        let same = |of: &&mut Point| of.group == point.group && of.words == point.words;
        if let Some(said) = self.points.iter_mut().find(same) {
            said.bits = said.bits.max(point.bits);
            return;
        }
        self.points.push(point);
        if self.points.len() > BEHAVIOUR_POINTS_MAX {
            let least =
                (0..self.points.len()).min_by(|a, b| self.points[*a].bits.total_cmp(&self.points[*b].bits));
            least.map(|at| self.points.remove(at));
        }
    }

    /// How many points of a group there are.
    pub(super) fn count(&self, group: Group) -> usize {
        self.points.iter().filter(|point| point.group == group).count()
    }

    /// Whether the user seems to be somewhere else than usual.
    pub(super) fn is_elsewhere(&self) -> bool {
        let place = [Group::Travel, Group::Of(Aspect::Country)];
        self.points.iter().any(|point| place.contains(&point.group))
    }

    /// The greatest of each group.
    fn greatest(&self) -> [f64; GROUPS.len()] {
        let mut greatest = [0.0_f64; GROUPS.len()];
        for point in &self.points {
            let most = &mut greatest[point.group.number()];
            *most = most.max(f64::from(point.bits));
        }
        greatest
    }

    /// What is surprising of a group in an event that comes with a value that was surprising.
    pub(super) fn bits_of(&self, group: Group, of: u64) -> f64 {
        let same = self.points.iter().filter(|point| point.group == group && point.of == of);
        same.map(|point| f64::from(point.bits)).fold(0.0, f64::max)
    }

    /// Takes in an event with the bits of each group in it, and which aspects it has that are known. Returns whether it is
    /// the gravest.
    pub(super) fn event(&mut self, kinds: [f64; GROUPS.len()], known: [bool; 4]) -> bool {
        let [.., resource, _, hour] = kinds;
        let hour = if self.is_elsewhere() { 0.0 } else { hour };
        let few = LOOKED_AROUND.saturating_sub(self.count(Group::Of(Aspect::Resource))) as f64 * FEW;
        let own = together(&[hour, (resource - few).max(0.0)]);
        let score = together(&[taken_over(kinds, known), own]);
        let is_graver = score > self.score;
        self.score = self.score.max(score);
        is_graver
    }

    pub(super) fn start_ns(&self) -> Option<i64> {
        self.points.iter().map(|point| point.time_ns).min()
    }

    /// The points in words, the gravest group first, with the bits of each.
    pub(super) fn words(&self) -> String {
        let mut order: Vec<_> =
            GROUPS.into_iter().zip(self.greatest()).filter(|(_, bits)| *bits > 0.0).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        let told = order.into_iter().map(|(group, bits)| {
            let points: Vec<_> = self.points.iter().filter(|point| point.group == group).collect();
            let last = points.iter().skip(points.len().saturating_sub(POINTS_TOLD));
            let more = points.len().saturating_sub(POINTS_TOLD);
            let more = if more > 0 { format!("{more} more and ") } else { String::new() };
            let words: Vec<&str> = last.map(|point| &*point.words).collect();
            format!("{more}{} ({bits:.1})", words.join(", "))
        });
        told.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn bytes(&self) -> usize {
        let words: usize = self.points.iter().map(|point| point.words.len()).sum();
        self.points.len() * size_of::<Point>() + words + self.evidence.bytes()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.push(self.step);
        put_f64(out, self.score);
        self.evidence.save(out);
        out.put_u64(self.points.len() as u64);
        for point in &self.points {
            out.put_i64(point.time_ns);
            out.push(point.group.number() as u8);
            out.put_u64(point.of);
            put_f32(out, point.bits);
            out.put_bytes(point.words.as_bytes());
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let (step, score, evidence) = (from.byte()?, get_f64(from)?, Evidence::load(from)?);
        let count = from.count()?;
        let mut read = || {
            let (time_ns, group) = (from.i64()?, *GROUPS.get(usize::from(from.byte()?))?);
            let (of, bits, words) =
                (from.u64()?, get_f32(from)?, String::from_utf8_lossy(from.bytes()?).into());
            Some(Point { time_ns, group, of, bits, words })
        };
        let points = (0..count).map(|_| read()).collect::<Option<_>>()?;
        Some(Self { points, evidence, step, score })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAS_NETWORK: [bool; 4] = [true, true, false, true];
    const HAS_NONE: [bool; 4] = [true, false, false, true];

    #[test]
    fn what_somebody_else_would_hardly_have_speaks_against_it() {
        let (device, network, travel) = (9.0, 7.0, 9.0);
        let own_network = taken_over([0.0, 0.0, device, 0.0, 0.0, 0.0], HAS_NETWORK);
        let other_network = taken_over([0.0, network, device, 0.0, 0.0, 0.0], HAS_NONE);
        assert!(
            own_network < device && other_network > own_network + network,
            "{own_network} {other_network}"
        );
        // A new country is a journey, unless one cannot have travelled there.
        let journey = taken_over([8.0, network, 0.0, 0.0, 0.0, 0.0], HAS_NONE);
        let jump = taken_over([8.0, network, 0.0, 0.0, travel, 0.0], HAS_NONE);
        assert!(journey < 8.0 && jump > travel + 2.0, "{journey} {jump}");
        // Nothing speaks for somebody else, however much is as ever.
        assert_eq!(taken_over([0.0; GROUPS.len()], [true; 4]), 0.0);
    }

    #[test]
    fn the_gravest_event_counts_and_not_what_happened_apart() {
        let mut apart = Session::default();
        assert!(apart.event([0.0, 0.0, 9.0, 0.0, 0.0, 0.0], HAS_NETWORK));
        let first = apart.score;
        assert!(apart.event([0.0, 7.0, 0.0, 0.0, 0.0, 0.0], HAS_NONE) == (apart.score > first));
        let mut together = Session::default();
        assert!(together.event([0.0, 7.0, 9.0, 0.0, 0.0, 0.0], HAS_NONE));
        assert!(together.score > apart.score + 5.0, "{} {}", together.score, apart.score);
        // As much again is not graver.
        assert!(!together.event([0.0, 7.0, 9.0, 0.0, 0.0, 0.0], HAS_NONE));
    }

    #[test]
    fn who_looks_around_gets_at_several_resources() {
        let group = Group::Of(Aspect::Resource);
        let point =
            |n: u64| Point { time_ns: n as i64, group, of: n, bits: 12.0, words: n.to_string().into() };
        let event = [0.0, 0.0, 0.0, 12.0, 0.0, 0.0];
        let score = |resources: u64| {
            let mut session = Session::default();
            (1..=resources).for_each(|n| session.add(point(n)));
            session.event(event, [true; 4]);
            session.score
        };
        assert!(score(1) < score(2) && score(3) < score(4));
        assert_eq!((score(4), score(9)), (12.0, 12.0));
    }
}
