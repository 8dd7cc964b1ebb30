//! What was surprising of a user within some hours: each point with its bits, their sum, and the words for it.

use super::super::alert::Evidence;
use super::super::bytes::{Get, Put};
use super::super::traits::Aspect;
use super::rate::{get_f32, put_f32};
use super::visit::HOUR_NS;
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

const GROUPS: [Group; 6] = [
    Group::Of(Aspect::Country),
    Group::Of(Aspect::Network),
    Group::Of(Aspect::Device),
    Group::Of(Aspect::Resource),
    Group::Travel,
    Group::Hour,
];

impl Group {
    /// Its number in the list, where country and network come first.
    fn number(self) -> usize {
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

    /// Hours between the first and the last of the greatest points of the groups.
    fn spread_hours(&self) -> f64 {
        let greatest = self.greatest();
        let is_greatest = |of: &&Point| f64::from(of.bits) >= greatest[of.group.number()];
        let times = || self.points.iter().filter(is_greatest).map(|of| of.time_ns);
        let (first, last) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
        last.saturating_sub(first) as f64 / HOUR_NS as f64
    }

    /// How improbable all of it is together, in bits. Of country, network and hour the greatest counts: that a country is new
    /// says that the network is, and who is on a journey keeps other hours. What is left is independent, and combined by
    /// Fisher's method: the product of several probabilities is small more easily than one of them. Each is that of an hour, so
    /// that two things fall together more easily the more hours are between them.
    pub(super) fn score(&self) -> f64 {
        let [country, network, device, resource, travel, hour] = self.greatest();
        let hour = if self.is_elsewhere() { 0.0 } else { hour };
        let mut kinds = [country.max(network).max(hour), device, resource, travel];
        kinds.sort_by(|a, b| b.total_cmp(a));
        let apart = (1.0 + self.spread_hours()).log2();
        // What adds nothing does not take anything away either.
        let best = (1..=kinds.len()).map(|most| fisher(&kinds[..most]) - (most - 1) as f64 * apart);
        best.fold(0.0, f64::max)
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
        self.evidence.save(out);
        out.put_u64(self.points.len() as u64);
        for point in &self.points {
            out.put_i64(point.time_ns);
            out.push(point.group.number() as u8);
            put_f32(out, point.bits);
            out.put_bytes(point.words.as_bytes());
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let (step, evidence) = (from.byte()?, Evidence::load(from)?);
        let count = from.count()?;
        let mut read = || {
            let (time_ns, group) = (from.i64()?, *GROUPS.get(usize::from(from.byte()?))?);
            let (bits, words) = (get_f32(from)?, String::from_utf8_lossy(from.bytes()?).into());
            Some(Point { time_ns, group, bits, words })
        };
        let points = (0..count).map(|_| read()).collect::<Option<_>>()?;
        Some(Self { points, evidence, step })
    }
}
