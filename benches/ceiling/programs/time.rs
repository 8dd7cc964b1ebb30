//! The two times of an access line, checked digit by digit.

/// A point in time on the Gregorian calendar with an offset from UTC.
pub(super) struct Time {
    pub(super) year: u32,
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nanosecond: u32,
    /// East is positive.
    pub(super) offset_minutes: i32,
}

/// `01/May/2024:12:00:00 +0000`.
#[inline]
pub(super) fn clf(text: &[u8]) -> Option<Time> {
    let text: &[u8; 26] = text.try_into().ok()?;
    if [text[2], text[6], text[11], text[14], text[17], text[20]] != *b"//::: " {
        return None;
    }
    let month = match &[text[3], text[4], text[5]] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let offset = (two(text[22], text[23])? * 60 + two(text[24], text[25])?).cast_signed();
    checked(Time {
        year: two(text[7], text[8])? * 100 + two(text[9], text[10])?,
        month,
        day: two(text[0], text[1])?,
        hour: two(text[12], text[13])?,
        minute: two(text[15], text[16])?,
        second: two(text[18], text[19])?,
        nanosecond: 0,
        offset_minutes: match text[21] {
            b'+' => offset,
            b'-' => -offset,
            _ => return None,
        },
    })
}

/// `2024-05-01T12:00:00.000167355Z`, with any number of digits of a second up to nine, in UTC.
#[inline]
pub(super) fn rfc3339(text: &[u8]) -> Option<Time> {
    let (date, fraction) = text.split_first_chunk::<19>()?;
    if [date[4], date[7], date[10], date[13], date[16]] != *b"--T::" {
        return None;
    }
    let digits = match fraction {
        b"Z" => &[][..],
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut nanosecond = 0;
    for digit in digits {
        nanosecond = nanosecond * 10 + one(*digit)?;
    }
    for _ in digits.len()..9 {
        nanosecond *= 10;
    }
    checked(Time {
        year: two(date[0], date[1])? * 100 + two(date[2], date[3])?,
        month: two(date[5], date[6])?,
        day: two(date[8], date[9])?,
        hour: two(date[11], date[12])?,
        minute: two(date[14], date[15])?,
        second: two(date[17], date[18])?,
        nanosecond,
        offset_minutes: 0,
    })
}

fn checked(time: Time) -> Option<Time> {
    let possible = (1..=12).contains(&time.month)
        && (1..=31).contains(&time.day)
        && time.hour < 24
        && time.minute < 60
        && time.second <= 60;
    possible.then_some(time)
}

#[inline]
fn one(digit: u8) -> Option<u32> {
    let value = digit.wrapping_sub(b'0');
    (value < 10).then_some(u32::from(value))
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u32> {
    Some(one(tens)? * 10 + one(ones)?)
}

impl Time {
    /// Nanoseconds since 1970. Days are counted from 1 March of year 0, so that a leap day ends its year.
    pub(super) fn ns(&self) -> i64 {
        let shifted = i64::from((self.month + 9) % 12);
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
            + year.div_euclid(400)
            + (shifted * 306 + 5) / 10
            + i64::from(self.day)
            - 719_469;
        let minutes =
            days * 1440 + i64::from(self.hour) * 60 + i64::from(self.minute) - i64::from(self.offset_minutes);
        (minutes * 60 + i64::from(self.second)) * 1_000_000_000 + i64::from(self.nanosecond)
    }
}

/// The time of an access line, which `clf` took, as RFC 3339: its own digits, the offset kept.
#[inline]
pub(super) fn write_clf(text: &str, month: u32, out: &mut Vec<u8>) {
    let Ok(from) = <&[u8; 26]>::try_from(text.as_bytes()) else { return };
    let mut to = *b"0000-00-00T00:00:00+00:00";
    to[..4].copy_from_slice(&from[7..11]);
    to[5] += (month / 10) as u8;
    to[6] += (month % 10) as u8;
    to[8..10].copy_from_slice(&from[..2]);
    to[11..19].copy_from_slice(&from[12..20]);
    if from[22..] == *b"0000" {
        to[19] = b'Z';
        out.extend_from_slice(&to[..20]);
        return;
    }
    to[19..22].copy_from_slice(&from[21..24]);
    to[23..].copy_from_slice(&from[24..]);
    out.extend_from_slice(&to);
}
