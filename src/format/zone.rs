//! Zones, and the calendar that makes a point in time of what a log line says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::tz::{AmbiguousOffset, TimeZone};

use super::Reference;
use super::time::Parts;

/// A time zone: a fixed offset, or a named one with its daylight saving.
#[derive(Clone, Debug)]
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(Arc<Named>),
}

/// A zone of the IANA database, and what was found last: log lines come in order, and a look at the rules of a zone
/// costs more than all else of a time.
#[derive(Debug)]
pub struct Named {
    rules: TimeZone,
    /// An hour of the wall clock that has one offset only, and that offset ([`pack`]); 0 for none.
    last: AtomicU64,
}

/// Bits for an offset in seconds, which is at most a day and two hours to both sides.
const OFFSET_BITS: u32 = 18;

/// An hour of the wall clock as a number that is never 0.
fn hour_key(parts: &Parts, year: i64) -> Option<u64> {
    let year = u64::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
    Some(((year * 16 + u64::from(parts.month)) * 32 + u64::from(parts.day)) * 32 + u64::from(parts.hour))
}

fn pack(key: u64, offset: i32) -> u64 {
    key << OFFSET_BITS | (i64::from(offset) + (1 << (OFFSET_BITS - 1))) as u64
}

fn unpack(packed: u64) -> (u64, i32) {
    let offset = (packed & ((1 << OFFSET_BITS) - 1)) as i64 - (1 << (OFFSET_BITS - 1));
    (packed >> OFFSET_BITS, offset as i32)
}

impl Named {
    /// Offset in seconds at a wall-clock time. Where the clock is put back, a time that comes twice is the first of
    /// the two; where it is put forward, a time that there never was is read by the offset before the gap, and so is as
    /// far behind the gap as it pretends to be in it.
    fn offset_at(&self, parts: &Parts, year: i64) -> Option<i32> {
        let key = hour_key(parts, year)?;
        let (known, offset) = unpack(self.last.load(Ordering::Relaxed));
        if known == key {
            return Some(offset);
        }
        let at = |minute: u32, second: u32| {
            let civil = jiff::civil::DateTime::new(
                year.try_into().ok()?,
                parts.month as i8,
                parts.day as i8,
                parts.hour as i8,
                minute as i8,
                second as i8,
                0,
            );
            Some(self.rules.to_ambiguous_timestamp(civil.ok()?))
        };
        let only = |minute, second| match at(minute, second)?.offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(offset.seconds()),
            _ => None,
        };
        if let (Some(first), Some(last)) = (only(0, 0), only(59, 59))
            && first == last
        {
            self.last.store(pack(key, first), Ordering::Relaxed);
            return Some(first);
        }
        Some(match at(parts.minute, parts.second.min(59))?.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
            AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before.seconds(),
        })
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Fixed(0);

    /// Reads `Z`, `UTC`, `+02:00`, `-0530`, or a name of the IANA database (`Europe/Berlin`).
    pub fn named(name: &str) -> Result<Self, String> {
        if let Some((offset, len)) = super::time::offset(name.as_bytes())
            && len == name.len()
        {
            return Ok(Self::Fixed(offset));
        }
        let named = |rules| Self::Named(Arc::new(Named { rules, last: AtomicU64::new(0) }));
        TimeZone::get(name).map(named).map_err(|_| {
            format!("`{name}` is neither an offset such as `+02:00` nor a zone such as `Europe/Berlin`")
        })
    }

    /// Offset in seconds at a wall-clock time.
    fn offset_at(&self, parts: &Parts, year: i64) -> Option<i32> {
        match self {
            Self::Fixed(offset) => Some(*offset),
            Self::Named(named) => named.offset_at(parts, year),
        }
    }
}

/// Makes points in time.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// The zone of times that do not name theirs.
    pub zone: Zone,
    /// Decides years that are missing.
    pub reference: Reference,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: Zone::UTC, reference: Reference::default() }
    }
}

const DAY_NS: i64 = 86_400_000_000_000;

impl Calendar {
    /// Nanoseconds since the epoch. `None` for a date that does not exist or that `i64` cannot hold.
    #[inline]
    pub fn unix_ns(&self, parts: &Parts) -> Option<i64> {
        match parts.year {
            Some(year) => self.in_year(parts, year),
            None if parts.month == 0 => self.on_day(parts),
            None => self.nearest(parts),
        }
    }

    /// The day that puts a time of day nearest before the reference and half a day: clocks differ, and midnight comes
    /// between a line and its reading.
    fn on_day(&self, parts: &Parts) -> Option<i64> {
        let latest = self.reference.get().saturating_add(DAY_NS / 2);
        let on = |day: i64| {
            let (year, month, day) = super::time::civil(day);
            self.in_year(&Parts { month, day, ..*parts }, year)
        };
        let today = latest.div_euclid(DAY_NS);
        // Zones reach a day to both sides.
        (today - 2..=today + 1).rev().filter_map(on).find(|&ns| ns <= latest)
    }

    /// The year that puts the time nearest before the reference and a day: clocks differ, and a line may be
    /// from a zone that is ahead.
    fn nearest(&self, parts: &Parts) -> Option<i64> {
        let latest = self.reference.get().saturating_add(DAY_NS);
        let (year, _, _) = super::time::civil(latest.div_euclid(DAY_NS));
        // Only the first hours of a year can have begun in a zone that is ahead.
        let first = if parts.month == 1 && parts.day <= 2 { year + 1 } else { year };
        // 29 February exists in one year of four, and 1900 and 2100 have none: eight years back there is one.
        (year - 8..=first).rev().filter_map(|year| self.in_year(parts, year)).find(|&ns| ns <= latest)
    }

    #[inline]
    fn in_year(&self, parts: &Parts, year: i64) -> Option<i64> {
        let days = super::time::days(year, parts.month, parts.day)?;
        if parts.hour > 23 || parts.minute > 59 || parts.second > 60 {
            return None;
        }
        let offset = match parts.offset_s {
            Some(offset) => offset,
            None => self.zone.offset_at(parts, year)?,
        };
        let second = i64::from(parts.hour * 3600 + parts.minute * 60 + parts.second);
        (days * 86_400 + second - i64::from(offset))
            .checked_mul(1_000_000_000)?
            .checked_add(i64::from(parts.ns))
    }
}
