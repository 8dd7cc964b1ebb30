//! At which longitudes a user was of late: whose hours they keep.

use super::super::bytes::{Get, Put};
use super::rate::{get_f32, put_f32};

/// After so many hours a stay counts half: who is elsewhere for a day is there.
const HALF_LIFE_HOURS: f32 = 24.0;
/// Stays that are kept.
const STAYS_MAX: usize = 4;

/// Hours in which something was done at one longitude.
#[derive(Clone, Copy, Debug)]
struct Stay {
    /// Hours between UTC and the sun.
    offset: i8,
    /// What they weigh, as of the last of them.
    weight: f32,
    hour: i32,
}

impl Stay {
    fn weighs(&self, hour: i32) -> f32 {
        self.weight * (-(hour.saturating_sub(self.hour).max(0) as f32) / HALF_LIFE_HOURS).exp2()
    }
}

/// Where a user was. An address may be far from who uses it (a VPN, a phone abroad), so that where most was done counts, not
/// where something was done last.
#[derive(Clone, Debug, Default)]
pub(super) struct Stays(Vec<Stay>);

/// Hours between UTC and the sun at a longitude.
pub(super) fn offset(longitude: f64) -> i8 {
    (longitude / 15.0).round() as i8
}

impl Stays {
    /// Takes in an hour; the same once.
    pub(super) fn note(&mut self, hour: i32, offset: i8) {
        if let Some(stay) = self.0.iter_mut().find(|stay| stay.offset == offset) {
            if stay.hour < hour {
                *stay = Stay { offset, weight: stay.weighs(hour) + 1.0, hour };
            }
            return;
        }
        if self.0.len() >= STAYS_MAX {
            let lightest =
                (0..STAYS_MAX).min_by(|a, b| self.0[*a].weighs(hour).total_cmp(&self.0[*b].weighs(hour)));
            lightest.map(|at| self.0.swap_remove(at));
        }
        self.0.push(Stay { offset, weight: 1.0, hour });
    }

    /// The offset at which most was done of late; UTC where no place is known.
    pub(super) fn most(&self, hour: i32) -> i8 {
        let most = self.0.iter().max_by(|a, b| a.weighs(hour).total_cmp(&b.weighs(hour)));
        most.map_or(0, |stay| stay.offset)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<Stay>()
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_u64(self.0.len() as u64);
        for stay in &self.0 {
            out.extend_from_slice(&stay.offset.to_le_bytes());
            put_f32(out, stay.weight);
            out.extend_from_slice(&stay.hour.to_le_bytes());
        }
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let count = from.count()?;
        let mut read = || {
            let (offset, weight) = (i8::from_le_bytes(from.array()?), get_f32(from)?);
            Some(Stay { offset, weight, hour: i32::from_le_bytes(from.array()?) })
        };
        (0..count).map(|_| read()).collect::<Option<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_hours_are_kept_follows_who_travels_and_not_who_seems_to() {
        let mut stays = Stays::default();
        assert_eq!(stays.most(0), 0);
        for hour in 0..9 {
            stays.note(hour, 1);
            // A VPN, now and then.
            if hour % 3 == 0 {
                stays.note(hour, -5);
            }
        }
        assert_eq!(stays.most(9), 1);
        // Two days on another continent.
        for hour in 36..45 {
            stays.note(hour, 8);
        }
        assert_eq!(stays.most(45), 8);
    }
}
