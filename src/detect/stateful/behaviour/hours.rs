//! At which hours of the week a user does something: a circular histogram, smoothed over the hours beside each and,
//! less, over the same hour of the other days.

use super::super::bytes::{Get, Put};
use super::rate::{get_f32, put_f32};

/// Hours of a week.
const WEEK: usize = 168;
/// What an hour lends to those beside it, by their distance: a bell of a bit more than an hour. Who comes from eight to five
/// is not odd at six, and is at three in the night.
const BESIDE: [f32; 4] = [1.0, 0.707, 0.249, 0.044];
/// What an hour lends to the same hour of each other day.
const OTHER_DAYS: f32 = 0.1;
/// What is there before anything was seen, as visits in the whole week, at the hours of all users.
const BEFORE: f64 = 2.0;
/// Visits of each hour of the week that are added to those of all users: what they do is not known at first.
const EVENLY: f32 = 200.0;
/// How odd an hour may be, in steps of [`STEP_BITS`].
pub(super) const ODDNESS: usize = 8;
/// Bits of a step.
const STEP_BITS: f64 = 1.5;
/// An hour is odd from so many bits on; below that it is the edge of a day's work.
pub(super) const ODD_MIN: f64 = 3.0;

/// The step of an hour that is odd.
pub(super) fn step(odd: f64) -> usize {
    (((odd - ODD_MIN) / STEP_BITS).max(0.0) as usize).min(ODDNESS - 1)
}

/// The histogram; weights as of the population's start.
#[derive(Clone, Debug)]
pub(super) struct Hours(Box<[f32; WEEK]>);

impl Default for Hours {
    fn default() -> Self {
        Self(Box::new([0.0; WEEK]))
    }
}

/// The hour of the week of an hour since the epoch, which was a Thursday; 0 begins with Monday.
pub(super) fn of_week(hour: i32) -> usize {
    hour.wrapping_add(72).rem_euclid(WEEK as i32) as usize
}

impl Hours {
    pub(super) const BYTES: usize = size_of::<[f32; WEEK]>();

    pub(super) fn note(&mut self, hour: usize, weight: f32) {
        self.0[hour % WEEK] += weight;
    }

    /// How many times rarer the user comes at this hour than at those at which they usually do, in bits.
    pub(super) fn oddness(&self, hour: usize, all: &Hours, weight: f64) -> f64 {
        let total: f32 = self.0.iter().sum();
        // As often as in any hour: there is nothing to ask.
        if self.0[hour % WEEK] * WEEK as f32 >= total && total > 0.0 {
            return 0.0;
        }
        let mut days = [0.0_f32; 24];
        self.0.iter().enumerate().for_each(|(at, count)| days[at % 24] += count);
        let floor = all.shares((BEFORE * weight) as f32, weight);
        let typical: f32 = (0..WEEK)
            .filter(|at| self.0[*at] > 0.0)
            .map(|at| self.0[at] * (floor[at] + self.smooth(&days, at)))
            .sum::<f32>()
            / total.max(f32::MIN_POSITIVE);
        let here = floor[hour % WEEK] + self.smooth(&days, hour % WEEK);
        if here >= typical { 0.0 } else { f64::from(typical / here).log2() }
    }

    /// A sum, spread over the hours of a week as users come at those of a day; evenly as long as those are few.
    fn shares(&self, sum: f32, weight: f64) -> [f32; WEEK] {
        let evenly = weight as f32 * EVENLY;
        let total: f32 = self.0.iter().sum::<f32>() + evenly * WEEK as f32;
        let mut days = [0.0_f32; 24];
        self.0.iter().enumerate().for_each(|(at, count)| days[at % 24] += count);
        std::array::from_fn(|at| sum * (days[at % 24] / 7.0 + evenly) / total)
    }

    fn smooth(&self, days: &[f32; 24], at: usize) -> f32 {
        let one = |at: usize| self.0[at % WEEK] * (1.0 - OTHER_DAYS) + days[at % 24] * OTHER_DAYS;
        let beside = BESIDE.iter().enumerate().skip(1);
        let beside = beside.map(|(by, share)| share * (one(at + by) + one(at + WEEK - by)));
        one(at) + beside.sum::<f32>()
    }

    pub(super) fn scale(&mut self, by: f32) {
        self.0.iter_mut().for_each(|count| *count *= by);
    }

    /// Only hours at which something was done.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        let seen = || self.0.iter().enumerate().filter(|(_, count)| **count > 0.0);
        out.put_u64(seen().count() as u64);
        for (at, count) in seen() {
            out.push(at as u8);
            put_f32(out, *count);
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let mut hours = Self::default();
        for _ in 0..from.count()? {
            let (at, count) = (from.byte()?, get_f32(from)?);
            *hours.0.get_mut(usize::from(at))? = count;
        }
        Some(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_are_odd_for_those_who_come_by_day_and_the_other_way_round() {
        let week = |from: usize, to: usize| {
            let mut hours = Hours::default();
            for at in 0..8 * 5 * (to - from) {
                let (day, hour) = (at / (to - from) % 5, from + at % (to - from));
                hours.note((day * 24 + hour) % WEEK, 1.0);
            }
            hours
        };
        let (day, night) = (week(8, 17), week(22, 30));
        let all = Hours::default();
        assert!(day.oddness(2 * 24 + 11, &all, 1.0) < 1.0);
        assert!(day.oddness(2 * 24 + 18, &all, 1.0) < 4.0, "overtime");
        assert!((1.0..5.0).contains(&day.oddness(5 * 24 + 11, &all, 1.0)), "a Saturday");
        assert!(day.oddness(2 * 24 + 3, &all, 1.0) > 8.0, "the night");
        assert!(night.oddness(2 * 24 + 3, &all, 1.0) < 1.0);
        assert!(night.oddness(2 * 24 + 13, &all, 1.0) > 8.0);
        // Where many others come until late, the night is odder than the evening.
        let mut others = week(7, 23);
        others.scale(100.0);
        let [evening, night] = [21, 3].map(|hour| day.oddness(2 * 24 + hour, &others, 1.0));
        assert!(night > evening + 1.5, "{night} {evening}");
        // 1970-01-01 was a Thursday.
        assert_eq!(of_week(10), 3 * 24 + 10);
        assert_eq!(of_week(-1), 2 * 24 + 23);
    }
}
