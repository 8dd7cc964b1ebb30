//! Zones, and the calendar that makes a point in time of what a log line says.

use jiff::tz::TimeZone;

use super::Reference;
use super::time::Parts;

/// A time zone: a fixed offset, or a named one with its daylight saving.
#[derive(Clone, Debug)]
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// A zone of the IANA database.
    Named(TimeZone),
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
        TimeZone::get(name).map(Self::Named).map_err(|_| {
            format!("`{name}` is neither an offset such as `+02:00` nor a zone such as `Europe/Berlin`")
        })
    }

    /// Offset in seconds at a wall-clock time. Where the clock was put back, the first of the two; where it was
    /// put forward, the offset before the gap.
    fn offset_at(&self, parts: &Parts, year: i64) -> Option<i32> {
        match self {
            Self::Fixed(offset) => Some(*offset),
            Self::Named(zone) => {
                let civil = jiff::civil::DateTime::new(
                    year.try_into().ok()?,
                    parts.month as i8,
                    parts.day as i8,
                    parts.hour as i8,
                    parts.minute as i8,
                    parts.second.min(59) as i8,
                    0,
                )
                .ok()?;
                let at = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
                Some(zone.to_offset(at).seconds())
            }
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
        // 29 February exists in one year of four, and 1900 and 2100 have none: eight years back there is one.
        (year - 8..=year + 1).rev().filter_map(|year| self.in_year(parts, year)).find(|&ns| ns <= latest)
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
