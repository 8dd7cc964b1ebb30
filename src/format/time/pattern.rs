//! Times by a pattern of `strftime` fields, for formats that none of the named forms fits.

use super::{Calendar, Parts, month, numeric, offset, two};
use crate::format::scan;

/// What a piece of a pattern can be, for those who only look at the shape of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternPiece {
    /// This byte.
    Byte(u8),
    /// Blanks.
    Blanks,
    /// Digits: at least and at most so many.
    Digits(usize, usize),
    /// Letters.
    Letters,
    /// A zone, by its offset or its letters.
    Zone,
    /// Anything.
    Other,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Box<[Piece]>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece {
    Byte(u8),
    Blanks,
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Hour,
    Hour12,
    Half,
    Minute,
    Second,
    Fraction,
    Millis,
    Zone,
    DayName,
    DayOfYear,
    WeekYear,
    Week,
    WeekDay,
    Epoch,
}

impl Pattern {
    /// Reads a pattern such as `%y%m%d %H%M%S`. `%f` is a fraction of any length, `%L` a number of
    /// milliseconds, `%z` an offset or a name,
    /// `%s` seconds since the epoch; a blank stands for one or more.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                pieces.push(if byte == b' ' { Piece::Blanks } else { Piece::Byte(byte) });
                continue;
            }
            let code = bytes.next().ok_or("a `%` at the end of the time pattern")?;
            match code {
                b'F' => pieces.extend([
                    Piece::Year,
                    Piece::Byte(b'-'),
                    Piece::Month,
                    Piece::Byte(b'-'),
                    Piece::Day,
                ]),
                b'T' => {
                    let colon = Piece::Byte(b':');
                    pieces.extend([Piece::Hour, colon, Piece::Minute, colon, Piece::Second]);
                }
                _ => pieces.push(piece(code)?),
            }
        }
        Ok(Self(pieces.into()))
    }

    /// The shape of what it reads.
    pub fn pieces(&self) -> impl Iterator<Item = PatternPiece> {
        self.0.iter().map(|piece| match piece {
            Piece::Byte(byte) => PatternPiece::Byte(*byte),
            Piece::Blanks => PatternPiece::Blanks,
            Piece::Year | Piece::WeekYear => PatternPiece::Digits(4, 4),
            Piece::DayOfYear => PatternPiece::Digits(3, 3),
            Piece::ShortYear | Piece::Week => PatternPiece::Digits(2, 2),
            Piece::Month | Piece::Day | Piece::Hour | Piece::Hour12 | Piece::Minute | Piece::Second => {
                PatternPiece::Digits(1, 2)
            }
            Piece::WeekDay => PatternPiece::Digits(1, 1),
            Piece::Fraction => PatternPiece::Digits(1, usize::MAX),
            Piece::Millis => PatternPiece::Digits(1, 3),
            Piece::MonthName | Piece::DayName | Piece::Half => PatternPiece::Letters,
            Piece::Zone => PatternPiece::Zone,
            _ => PatternPiece::Other,
        })
    }

    /// Reads a time at the front of the input: nanoseconds since the epoch, and length.
    pub fn scan(&self, input: &[u8], calendar: &Calendar) -> Option<(i64, usize)> {
        let mut parts = Parts { month: 1, day: 1, ..Parts::default() };
        let mut at = 0;
        let mut afternoon = None;
        // Day of the year; year, week and day of the week.
        let (mut of_year, mut of_week) = (None, [None; 3]);
        for piece in &self.0 {
            let rest = input.get(at..)?;
            at += match piece {
                Piece::Epoch => {
                    let (seconds, len) = scan::int(rest)?;
                    let (year, month, day) = super::civil(seconds.div_euclid(86_400));
                    let second = seconds.rem_euclid(86_400) as u32;
                    parts = Parts {
                        year: Some(year),
                        month,
                        day,
                        hour: second / 3600,
                        minute: second / 60 % 60,
                        second: second % 60,
                        ns: parts.ns,
                        offset_s: Some(0),
                    };
                    len
                }
                Piece::Half => {
                    let half = rest.get(..2)?.to_ascii_lowercase();
                    afternoon = Some(half == b"pm");
                    (half == b"am" || half == b"pm").then_some(2)?
                }
                Piece::DayOfYear => number(rest, 3, &mut of_year)?,
                Piece::WeekYear => number(rest, 4, &mut of_week[0])?,
                Piece::Week => number(rest, 2, &mut of_week[1])?,
                Piece::WeekDay => number(rest, 1, &mut of_week[2])?,
                piece => step(*piece, rest, &mut parts)?,
            };
        }
        if let Some(day) = of_year {
            numeric::on_day_of_year(parts.year?, i64::from(day), &mut parts)?;
        }
        if let [Some(year), Some(week @ 1..=53), Some(day @ 1..=7)] = of_week {
            numeric::on_week_day(i64::from(year), week, day, &mut parts)?;
        }
        match afternoon {
            Some(true) if parts.hour < 12 => parts.hour += 12,
            Some(false) if parts.hour == 12 => parts.hour = 0,
            _ => {}
        }
        Some((calendar.unix_ns(&parts)?, at))
    }
}

fn piece(code: u8) -> Result<Piece, String> {
    Ok(match code {
        b'Y' => Piece::Year,
        b'y' => Piece::ShortYear,
        b'm' => Piece::Month,
        b'b' | b'B' => Piece::MonthName,
        b'd' | b'e' => Piece::Day,
        b'H' => Piece::Hour,
        b'I' => Piece::Hour12,
        b'p' => Piece::Half,
        b'M' => Piece::Minute,
        b'S' => Piece::Second,
        b'f' => Piece::Fraction,
        b'L' => Piece::Millis,
        b'z' | b'Z' => Piece::Zone,
        b'a' | b'A' => Piece::DayName,
        b'j' => Piece::DayOfYear,
        b'G' => Piece::WeekYear,
        b'V' => Piece::Week,
        b'u' => Piece::WeekDay,
        b's' => Piece::Epoch,
        b'%' => Piece::Byte(b'%'),
        _ => {
            let code = code.escape_ascii();
            return Err(format!(
                "`%{code}` is no field of a time pattern; there are %Y %y %m %b %d %e %H %I %p %M %S %f %L %z %a %j %G %V %u %s %F %T %%"
            ));
        }
    })
}

/// Reads one field and gives its length.
fn step(piece: Piece, rest: &[u8], parts: &mut Parts) -> Option<usize> {
    let short = |least: u32, most: u32| -> Option<(u32, usize)> {
        let (value, len) = match two(rest, 0) {
            Some(value) => (value, 2),
            None => (rest.first().map(|byte| u32::from(byte.wrapping_sub(b'0')))?, 1),
        };
        (least..=most).contains(&value).then_some((value, len))
    };
    let letters = || rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    Some(match piece {
        Piece::Byte(byte) => (*rest.first()? == byte).then_some(1)?,
        Piece::Blanks => Some(scan::blanks(rest)).filter(|&len| len > 0)?,
        Piece::Year => {
            parts.year = Some(super::four(rest, 0)?);
            4
        }
        Piece::ShortYear => {
            parts.year = Some(numeric::short_year(two(rest, 0)?));
            2
        }
        Piece::Month => keep(short(1, 12)?, &mut parts.month),
        Piece::Day => keep(short(1, 31)?, &mut parts.day),
        Piece::Hour => keep(short(0, 23)?, &mut parts.hour),
        Piece::Hour12 => keep(short(1, 12)?, &mut parts.hour),
        Piece::Minute => keep(short(0, 59)?, &mut parts.minute),
        Piece::Second => keep(short(0, 60)?, &mut parts.second),
        Piece::MonthName => {
            parts.month = month(rest, 0)?;
            letters()
        }
        Piece::DayName => Some(letters()).filter(|&len| len >= 3)?,
        Piece::Fraction => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let mut scale = 100_000_000;
            parts.ns = 0;
            for byte in rest.get(..digits.min(9))? {
                parts.ns += u32::from(byte - b'0') * scale;
                scale /= 10;
            }
            Some(digits).filter(|&len| len > 0)?
        }
        Piece::Millis => {
            let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit());
            let (count, millis) =
                digits.fold((0, 0), |(count, sum), digit| (count + 1, sum * 10 + u32::from(digit - b'0')));
            parts.ns = millis * 1_000_000;
            Some(count).filter(|&len| len > 0)?
        }
        Piece::Zone => {
            let (offset_s, len) = offset(rest)?;
            parts.offset_s = Some(offset_s);
            len
        }
        Piece::Half | Piece::Epoch => return None,
        Piece::DayOfYear | Piece::WeekYear | Piece::Week | Piece::WeekDay => return None,
    })
}

/// A number of so many digits.
fn number(rest: &[u8], digits: usize, to: &mut Option<u32>) -> Option<usize> {
    let text = rest.get(..digits).filter(|text| text.iter().all(u8::is_ascii_digit))?;
    *to = Some(text.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')));
    Some(digits)
}

fn keep((value, len): (u32, usize), to: &mut u32) -> usize {
    *to = value;
    len
}
