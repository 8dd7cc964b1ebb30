//! What one user usually does.

use super::super::bytes::{Get, Put};
use super::hours::{Hours, ODDNESS, step};
use super::rate::{Rate, get_f32, put_f32};
use super::session::Session;
use super::stays::Stays;
use super::travel::{Last, Places, WAYS};
use crate::limits::{BEHAVIOUR_POINTS_MAX, BEHAVIOUR_VALUES_MAX};

/// A value that a user had, with what it weighs and the last hour in which it was seen.
#[derive(Clone, Copy, Debug)]
struct Held {
    hash: u64,
    weight: f32,
    hour: i32,
}

/// The values of one aspect that a user had.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    held: Vec<Held>,
    /// How often one was new, out of the hours in which there was one.
    pub(super) rate: Rate,
    /// The last of those hours.
    pub(super) hour: i32,
}

/// What a value is to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// It was not had before, or so long ago that it is forgotten.
    pub(super) is_new: bool,
    /// It is in the profile since now.
    pub(super) came: bool,
    /// It is the first time in this hour.
    pub(super) in_hour: bool,
    /// What had to leave the profile.
    pub(super) left: Option<u64>,
    /// How many others are known.
    pub(super) others: usize,
}

impl Known {
    /// Takes in a value. One visit is remembered for three half-lives.
    pub(super) fn see(&mut self, hash: u64, hour: i32, weight: f32) -> Look {
        let others = self.held.iter().filter(|of| of.hash != hash && of.weight >= weight / 8.0).count();
        let look = Look { is_new: false, came: false, in_hour: true, left: None, others };
        if let Some(of) = self.held.iter_mut().find(|of| of.hash == hash) {
            let is_new = of.weight < weight / 8.0;
            let in_hour = of.hour < hour;
            if in_hour {
                of.weight += weight;
                of.hour = hour;
            }
            return Look { is_new, in_hour, ..look };
        }
        let mut left = None;
        if self.held.len() >= BEHAVIOUR_VALUES_MAX {
            let stalest = (0..self.held.len()).min_by_key(|at| (self.held[*at].hour, self.held[*at].hash));
            left = stalest.map(|at| self.held.swap_remove(at).hash);
        }
        self.held.push(Held { hash, weight, hour });
        Look { is_new: true, came: true, left, ..look }
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.held.iter().map(|of| of.hash)
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.rate.save(out);
        out.extend_from_slice(&self.hour.to_le_bytes());
        out.put_u64(self.held.len() as u64);
        for of in &self.held {
            out.put_u64(of.hash);
            put_f32(out, of.weight);
            out.extend_from_slice(&of.hour.to_le_bytes());
        }
    }

    fn load(from: &mut Get<'_>) -> Option<Self> {
        let (rate, hour) = (Rate::load(from)?, i32::from_le_bytes(from.array()?));
        let count = from.count()?;
        let mut read = || {
            let (hash, weight) = (from.u64()?, get_f32(from)?);
            Some(Held { hash, weight, hour: i32::from_le_bytes(from.array()?) })
        };
        let held = (0..count).map(|_| read()).collect::<Option<_>>()?;
        Some(Self { held, rate, hour })
    }
}

/// A look at an hour that was odd by so many bits comes into the profile with half its weight, and with more the more looks there
/// are: one makes nothing usual, a shift does.
const ODD_SETTLES: f32 = 4.0;

/// Who did nothing for so many hours begins afresh; until then a day's work goes on.
pub(super) const AWAY_HOURS: i32 = 2;

/// An hour of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    /// Since the epoch.
    pub(super) hour: i32,
    pub(super) of_week: u8,
    pub(super) weight: f32,
    /// How odd it was, in bits; 0 where it was not.
    pub(super) odd: f32,
    /// In which of its twelfths something was done, as bits: a look each.
    pub(super) looks: u16,
    /// Whether the user had been away for some hours, or else went on.
    pub(super) afresh: bool,
}

/// The odd hours of a session: whether they began afresh, the step of the oddest, and how many looks at them there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Oddness {
    pub(super) afresh: bool,
    pub(super) step: usize,
    pub(super) looks: usize,
}

/// One user.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    /// Hours in which something was done, and the last of them.
    pub(super) active_hours: u32,
    pub(super) hour: i32,
    pub(super) hours: Hours,
    /// Hours of late, which are not in the histogram yet: what is odd once does not make the next hour usual at once.
    recent: Vec<Recent>,
    /// In how many sessions an hour was at least so odd, and the hours of all.
    pub(super) odd: [[f32; ODDNESS]; 2],
    pub(super) judged_hours: f32,
    /// Whose hours the user keeps.
    pub(super) stays: Stays,
    pub(super) last: Option<Last>,
    pub(super) places: Places,
    /// How often the user seems to jump each way, hours with a place, and the last of those.
    pub(super) jumps: [f32; WAYS],
    pub(super) place_hours: f32,
    pub(super) place_hour: i32,
    pub(super) known: [Known; 4],
    pub(super) session: Session,
}

impl Profile {
    pub(super) fn new(time_ns: i64) -> Self {
        Self {
            first_ns: time_ns,
            last_ns: time_ns,
            active_hours: 0,
            hour: i32::MIN,
            hours: Hours::default(),
            recent: Vec::new(),
            odd: [[0.0; ODDNESS]; 2],
            judged_hours: 0.0,
            stays: Stays::default(),
            last: None,
            places: Places::default(),
            jumps: [0.0; WAYS],
            place_hours: 0.0,
            place_hour: i32::MIN,
            known: Default::default(),
            session: Session::default(),
        }
    }

    /// Takes in an hour in which the user was active; what is older than so many hours is usual from then on.
    pub(super) fn active(&mut self, mut of: Recent, within_hours: i32) {
        let hour = of.hour;
        // What begins afresh at an odd hour is so until it ends.
        let before = self
            .recent
            .last()
            .filter(|before| before.odd > 0.0 && before.hour >= hour.saturating_sub(AWAY_HOURS));
        of.afresh = before.map_or(of.afresh, |before| before.afresh);
        self.active_hours = self.active_hours.saturating_add(1);
        self.recent.push(of);
        let (hours, too_many) = (&mut self.hours, self.recent.len().saturating_sub(BEHAVIOUR_POINTS_MAX));
        let odd = self.recent.iter().filter(|of| of.odd > 0.0);
        let looks = odd.map(|of| of.looks.count_ones()).sum::<u32>().max(1) as f32;
        let mut at = 0;
        self.recent.retain(|of| {
            at += 1;
            let stays = at > too_many && of.hour >= hour.saturating_sub(within_hours);
            if !stays {
                hours.note(usize::from(of.of_week), of.weight * (-of.odd / (ODD_SETTLES * looks)).exp2());
            }
            stays
        });
    }

    /// How odd the hours since then were together; `None` where none was.
    pub(super) fn odd_since(&self, hour: i32) -> Option<Oddness> {
        let odd = || self.recent.iter().filter(|of| of.hour >= hour && of.odd > 0.0);
        let step = odd().map(|of| step(f64::from(of.odd))).max()?;
        let afresh = odd().any(|of| of.afresh);
        Some(Oddness { afresh, step, looks: odd().map(|of| of.looks.count_ones() as usize).sum() })
    }

    /// Whether something was done in an hour of late.
    pub(super) fn was_active(&self, hour: i32) -> bool {
        self.recent.iter().rev().any(|of| of.hour == hour)
    }

    /// Whether an hour of late was odd.
    pub(super) fn is_odd(&self, hour: i32) -> bool {
        self.recent.iter().rev().any(|of| of.hour == hour && of.odd > 0.0)
    }

    /// One more look at an hour. Returns the hour of the week where it is odd and the look is not one of those before.
    pub(super) fn odd_again(&mut self, hour: i32, look: u16) -> Option<usize> {
        let of = self.recent.iter_mut().rev().find(|of| of.hour == hour)?;
        let is_new = of.odd > 0.0 && of.looks & look == 0;
        of.looks |= look;
        is_new.then_some(usize::from(of.of_week))
    }

    pub(super) fn bytes(&self) -> usize {
        let held: usize = self.known.iter().map(|of| of.held.len() * size_of::<Held>()).sum();
        let name = self.last.as_ref().map_or(0, |last| last.name.len());
        size_of::<Self>()
            + 32
            + Hours::BYTES
            + self.recent.len() * size_of::<Recent>()
            + held
            + name
            + self.places.bytes()
            + self.stays.bytes()
            + self.session.bytes()
    }

    pub(super) fn scale(&mut self, by: f32) {
        self.hours.scale(by);
        self.recent.iter_mut().for_each(|of| of.weight *= by);
        self.odd.iter_mut().flatten().chain([&mut self.judged_hours]).for_each(|count| *count *= by);
        self.places.scale(by);
        self.jumps.iter_mut().chain([&mut self.place_hours]).for_each(|count| *count *= by);
        for known in &mut self.known {
            known.rate.scale(by);
            known.held.iter_mut().for_each(|of| of.weight *= by);
        }
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        out.put_i64(self.first_ns);
        out.put_i64(self.last_ns);
        out.extend_from_slice(&self.active_hours.to_le_bytes());
        out.extend_from_slice(&self.hour.to_le_bytes());
        self.hours.save(out);
        out.put_u64(self.recent.len() as u64);
        for of in &self.recent {
            out.extend_from_slice(&of.hour.to_le_bytes());
            out.push(of.of_week);
            put_f32(out, of.weight);
            put_f32(out, of.odd);
            out.extend_from_slice(&of.looks.to_le_bytes());
            out.push(u8::from(of.afresh));
        }
        self.odd.iter().flatten().chain([&self.judged_hours]).for_each(|count| put_f32(out, *count));
        self.stays.save(out);
        out.push(u8::from(self.last.is_some()));
        if let Some(last) = &self.last {
            last.save(out);
        }
        self.places.save(out);
        self.jumps.iter().chain([&self.place_hours]).for_each(|count| put_f32(out, *count));
        out.extend_from_slice(&self.place_hour.to_le_bytes());
        self.known.iter().for_each(|known| known.save(out));
        self.session.save(out);
    }

    pub(super) fn load(from: &mut Get<'_>) -> Option<Self> {
        let mut of = Self::new(from.i64()?);
        of.last_ns = from.i64()?;
        of.active_hours = u32::from_le_bytes(from.array()?);
        of.hour = i32::from_le_bytes(from.array()?);
        of.hours = Hours::load(from)?;
        for _ in 0..from.count()? {
            let (hour, of_week) = (i32::from_le_bytes(from.array()?), from.byte()?);
            let (weight, odd) = (get_f32(from)?, get_f32(from)?);
            let looks = u16::from_le_bytes(from.array()?);
            let afresh = from.byte()? == 1;
            of.recent.push(Recent { hour, of_week, weight, odd, looks, afresh });
        }
        for count in of.odd.iter_mut().flatten().chain([&mut of.judged_hours]) {
            *count = get_f32(from)?;
        }
        of.stays = Stays::load(from)?;
        of.last = if from.byte()? == 1 { Some(Last::load(from)?) } else { None };
        of.places = Places::load(from)?;
        for count in of.jumps.iter_mut().chain([&mut of.place_hours]) {
            *count = get_f32(from)?;
        }
        of.place_hour = i32::from_le_bytes(from.array()?);
        for known in &mut of.known {
            *known = Known::load(from)?;
        }
        of.session = Session::load(from)?;
        Some(of)
    }
}
