//! How much a key usually brings: for each hour of the day and of the week how much a window has, and the fullest of the
//! hour, for events and for different sources.
//!
//! Each hour is one sample; an hour without any event is none, since nobody knows whether it was quiet or unseen. What is
//! not known of an hour of the week is taken from that hour of all days, what is not known of that from all hours. Between
//! the middles of two hours it is in between, so that a morning is no step.

use super::super::bytes::{Get, Put};
use super::norms::{Norms, Season};
use super::variety::Variety;

/// Nanoseconds of an hour.
const HOUR_NS: i64 = 3_600_000_000_000;
const DAY: usize = 24;
const WEEK: usize = 168;
/// How many samples what is less specific stands for.
const PRIOR: f64 = 0.5;
/// So many days in a row say how others are: some of them are working days, and their hours are the fullest or the others'
/// are.
const DAYS_MIN: u32 = 5;
/// So many days in a row may all be days of rest.
const WEEKEND: i64 = 2;
/// And a working day may have so many times as much: rate alone says nothing below.
const CAUTION: f64 = 10.0;
/// Rate alone says less where more days are known, but not all.
const CAUTION_LESS: f64 = 2.0;
/// A fullest window with so many times the mean is no chance: something comes at that hour.
const STANDS_OUT: f64 = 4.0;
/// How much of what is known of deviations stays, from window to window.
const STEADY: f64 = 0.99;

/// What is counted: events, then different sources.
pub(super) const MEASURES: usize = 2;

/// What was learned of the same hour on several days: means of the windows, and of the fullest window of each hour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    mean: [f32; MEASURES],
    peak: [f32; MEASURES],
    samples: u32,
}

impl Bin {
    /// Takes in an hour; it counts at least for `gain`.
    fn learn(&mut self, mean: [f64; MEASURES], peak: [f64; MEASURES], gain: f64) {
        self.samples = self.samples.saturating_add(1);
        let gain = (1.0 / f64::from(self.samples)).max(gain) as f32;
        for at in 0..MEASURES {
            self.mean[at] += gain * (mean[at] as f32 - self.mean[at]);
            self.peak[at] += gain * (peak[at] as f32 - self.peak[at]);
        }
    }

    /// With what is less specific, for what is not known yet. `most` samples count.
    fn over(&self, prior: (f64, f64), at: usize, most: f64) -> (f64, f64) {
        let samples = f64::from(self.samples).min(most);
        let of = |known: f32, prior: f64| (samples * f64::from(known) + PRIOR * prior) / (samples + PRIOR);
        (of(self.mean[at], prior.0), of(self.peak[at], prior.1))
    }
}

/// What a window usually has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usual {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    /// The fullest window of the hour.
    pub(super) peak: f64,
    /// How many times as much rate alone must be: more than once where this hour of the week was never seen, and too few of
    /// other days to say how it is.
    pub(super) caution: f64,
    /// What windows of the last hours had, where nothing better is known of this one.
    pub(super) late: f64,
}

/// The hour that is going on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hour {
    number: i64,
    /// Nanoseconds of it that were seen.
    seen_ns: i64,
    sum: [f64; MEASURES],
    peak: [f64; MEASURES],
}

/// A baseline.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Baseline {
    /// The first hour, and all of them.
    since_hour: i64,
    all: Bin,
    /// Hours of the day, then of the week, as far as the rule has seasons.
    bins: Box<[Bin]>,
    /// Mean deviation, as a share of what is usual.
    deviation: [f32; MEASURES],
    /// What the last hours had, and what they usually have.
    late: [(f32, f32); MEASURES],
    /// Sources of so many events.
    pub(super) variety: Variety,
    hour: Hour,
}

impl Baseline {
    /// Learns from the window that begins then on.
    pub(super) fn new(season: Season, start_ns: i64) -> Self {
        let bins = match season {
            Season::None => 0,
            Season::Day => DAY,
            Season::Week => DAY + WEEK,
        };
        Self {
            since_hour: start_ns.div_euclid(HOUR_NS),
            all: Bin::default(),
            bins: vec![Bin::default(); bins].into(),
            deviation: [0.0; MEASURES],
            late: [(0.0, 0.0); MEASURES],
            variety: Variety::default(),
            hour: Self::begins(start_ns),
        }
    }

    /// An hour of which everything before a time was not seen.
    fn begins(start_ns: i64) -> Hour {
        let number = start_ns.div_euclid(HOUR_NS);
        let seen_ns = HOUR_NS - start_ns.rem_euclid(HOUR_NS);
        Hour { number, seen_ns, sum: [0.0; MEASURES], peak: [0.0; MEASURES] }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.bins)
    }

    fn bin(&self, at: usize) -> Option<&Bin> {
        self.bins.get(at)
    }

    /// What windows of an hour have, as mean and peak.
    fn hourly(&self, hour: i64, at: usize, norms: &Norms) -> (f64, f64) {
        let all = (f64::from(self.all.mean[at]), f64::from(self.all.peak[at]));
        let (of_day, of_week) = places(hour);
        let day = self.bin(of_day).map_or(all, |bin| bin.over(all, at, 1.0 / gain(norms, DAY)));
        self.bin(of_week).map_or(day, |bin| bin.over(day, at, 1.0 / gain(norms, WEEK)))
    }

    /// What a window that begins then usually has.
    pub(super) fn usual(&self, start_ns: i64, norms: &Norms) -> [Usual; MEASURES] {
        let middle_ns = start_ns.saturating_add(norms.window_ns / 2).saturating_sub(HOUR_NS / 2);
        let (before, part) = (middle_ns.div_euclid(HOUR_NS), middle_ns.rem_euclid(HOUR_NS));
        let part = part as f64 / HOUR_NS as f64;
        let (of_day, of_week) = places(start_ns.div_euclid(HOUR_NS));
        let samples = |place| self.bin(place).map(|bin| bin.samples);
        // Hours at which nothing ever comes are never seen: there it is days that count.
        let age = (before - self.since_hour) / DAY as i64;
        let caution = match (samples(of_day), samples(of_week)) {
            (Some(of_days), None | Some(0)) if i64::from(of_days).max(age) <= WEEKEND => CAUTION,
            (Some(of_days), Some(0)) if of_days < DAYS_MIN => CAUTION_LESS,
            (Some(0), None) => CAUTION_LESS,
            _ if self.all.samples == 0 => CAUTION,
            _ => 1.0,
        };
        let is_new = caution > 1.0;
        std::array::from_fn(|at| {
            let (first, second) = (self.hourly(before, at, norms), self.hourly(before + 1, at, norms));
            let like_today = if is_new { self.like_today(at) } else { 1.0 };
            let mean = first.0 + part * (second.0 - first.0);
            let peak = first.1.max(second.1);
            // A job comes on any day, however few people do.
            let peak = if peak > STANDS_OUT * mean { peak } else { peak * like_today };
            let mean = mean * like_today;
            // Of events that come by chance the square root deviates; a mean deviation is less than a standard one.
            let deviation = (1.25 * f64::from(self.deviation[at]) * mean).max(mean.sqrt());
            let late = if is_new { f64::from(self.late[at].0) / 2.0 } else { 0.0 };
            Usual { mean, deviation, peak, caution, late }
        })
    }

    /// How much less the last hours had than other days have: the first weekend is told by its morning. More says nothing: a
    /// flood may be why.
    fn like_today(&self, at: usize) -> f64 {
        let (had, have) = self.late[at];
        if have > 0.0 { (f64::from(had) / f64::from(have)).clamp(0.05, 1.0) } else { 1.0 }
    }

    /// Takes in a window that is over, of which so much was usual.
    pub(super) fn learn(
        &mut self,
        start_ns: i64,
        counts: [f64; MEASURES],
        usual: &[Usual; MEASURES],
        norms: &Norms,
    ) {
        if start_ns.div_euclid(HOUR_NS) != self.hour.number {
            self.turn(norms);
            self.hour = Self::begins(start_ns - start_ns.rem_euclid(HOUR_NS));
        }
        for at in 0..MEASURES {
            self.hour.sum[at] += counts[at];
            self.hour.peak[at] = self.hour.peak[at].max(counts[at]);
            if self.all.samples > 0 {
                let off = ((counts[at] - usual[at].mean).abs() / usual[at].mean.max(1.0)).min(1.0);
                self.deviation[at] = (STEADY * f64::from(self.deviation[at]) + (1.0 - STEADY) * off) as f32;
            }
        }
    }

    /// The hour is over. One that was seen for less than half says little.
    fn turn(&mut self, norms: &Norms) {
        let Hour { number, seen_ns, sum, peak } = self.hour;
        if seen_ns < HOUR_NS / 2 {
            return;
        }
        let windows = (seen_ns as f64 / norms.window_ns as f64).max(1.0);
        let mean = sum.map(|sum| sum / windows);
        let usual: [f64; MEASURES] = std::array::from_fn(|at| self.hourly(number, at, norms).0);
        for ((had, have), (mean, usual)) in self.late.iter_mut().zip(mean.into_iter().zip(usual)) {
            *had = *had / 2.0 + mean as f32;
            *have = *have / 2.0 + usual as f32;
        }
        self.all.learn(mean, peak, gain(norms, 1));
        let (of_day, of_week) = places(number);
        for (place, every) in [(of_day, DAY), (of_week, WEEK)] {
            if let Some(bin) = self.bins.get_mut(place) {
                bin.learn(mean, peak, gain(norms, every));
            }
        }
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.since_hour);
        out.put_u64(self.bins.len() as u64);
        for bin in [&self.all].into_iter().chain(&self.bins) {
            bin.mean.iter().chain(&bin.peak).for_each(|of| out.extend_from_slice(&of.to_le_bytes()));
            out.extend_from_slice(&bin.samples.to_le_bytes());
        }
        let late = self.late.iter().flat_map(|(had, have)| [had, have]);
        self.deviation.iter().chain(late).for_each(|of| out.extend_from_slice(&of.to_le_bytes()));
        self.variety.save(out);
        out.put_i64(self.hour.number);
        out.put_i64(self.hour.seen_ns);
        self.hour.sum.iter().chain(&self.hour.peak).for_each(|of| out.put_u64(of.to_bits()));
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let float = |from: &mut Get<'_>| from.array().map(f32::from_le_bytes);
        let double = |from: &mut Get<'_>| from.u64().map(f64::from_bits);
        let since_hour = from.i64()?;
        let count = from.count()?;
        let bin = |from: &mut Get<'_>| {
            let mean = [float(from)?, float(from)?];
            let peak = [float(from)?, float(from)?];
            Some(Bin { mean, peak, samples: u32::from_le_bytes(from.array()?) })
        };
        let all = bin(from)?;
        let bins = (0..count).map(|_| bin(from)).collect::<Option<_>>()?;
        let deviation = [float(from)?, float(from)?];
        let late = [(float(from)?, float(from)?), (float(from)?, float(from)?)];
        let variety = Variety::load(from)?;
        let (number, seen_ns) = (from.i64()?, from.i64()?);
        let sum = [double(from)?, double(from)?];
        let peak = [double(from)?, double(from)?];
        Some(Self {
            since_hour,
            all,
            bins,
            deviation,
            late,
            variety,
            hour: Hour { number, seen_ns, sum, peak },
        })
    }
}

/// Where an hour stands among the bins: as one of the day, and of the week.
fn places(hour: i64) -> (usize, usize) {
    (hour.rem_euclid(DAY as i64) as usize, DAY + hour.rem_euclid(WEEK as i64) as usize)
}

/// What one sample counts for at least where there is one in so many hours.
fn gain(norms: &Norms, every_hours: usize) -> f64 {
    let half_lives = every_hours as f64 * HOUR_NS as f64 / norms.half_life_ns as f64;
    1.0 - (-half_lives).exp2()
}
