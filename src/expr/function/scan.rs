//! Reading durations and sizes as people and programs write them.

use crate::expr::arithmetic::whole;

const SECOND: f64 = 1e9;

/// Nanoseconds of `1.5s`, `1h30m`, `00:00:01.5`, `PT1.5S`; a leading `-` turns the sign.
pub(super) fn duration_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('-') {
        return duration_text_unsigned(rest)?.checked_neg();
    }
    duration_text_unsigned(text.strip_prefix('+').unwrap_or(text))
}

fn duration_text_unsigned(text: &str) -> Option<i64> {
    if text.contains(':') {
        return clock(text);
    }
    if text.starts_with(['P', 'p']) {
        let duration: jiff::SignedDuration = text.parse().ok()?;
        return i64::try_from(duration.as_nanos()).ok();
    }
    let mut rest = text;
    let mut total = 0i64;
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let unit_len = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_len)?;
        total = total.checked_add(scale(number, unit_ns(unit)?)?)?;
        rest = after.trim_start();
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number and what follows it, after blanks.
fn number(text: &str) -> Option<(&str, &str)> {
    let len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(len)?;
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| (number, rest.trim_start()))
}

/// A number of units as whole nanoseconds or bytes: exact where the number is whole.
fn scale(number: &str, unit: f64) -> Option<i64> {
    match number.parse::<i64>() {
        Ok(whole) => whole.checked_mul(unit as i64),
        Err(_) => whole(number.parse::<f64>().ok()? * unit),
    }
}

fn unit_ns(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" | "msec" | "millis" => 1e6,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0 * SECOND,
        "h" | "hour" | "hours" => 3600.0 * SECOND,
        "d" | "day" | "days" => 86_400.0 * SECOND,
        "w" | "week" | "weeks" => 604_800.0 * SECOND,
        _ => return None,
    })
}

/// `[[H:]MM:]SS[.fraction]`
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.rsplit(':');
    let (seconds, minutes) = (parts.next()?, parts.next()?);
    let hours = parts.next().unwrap_or("0");
    if parts.next().is_some() {
        return None;
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    if ![hours, minutes, whole, fraction].into_iter().all(digits) {
        return None;
    }
    let (hours, minutes, seconds): (i64, i64, i64) =
        (hours.parse().ok()?, minutes.parse().ok()?, whole.parse().ok()?);
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(nanoseconds(fraction)))
}

/// Digits after a decimal point as nanoseconds; what is below one is cut.
pub(super) fn nanoseconds(fraction: &str) -> u32 {
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).chain(std::iter::repeat(b'0'));
    digits.take(9).fold(0, |all, digit| all * 10 + u32::from(digit - b'0'))
}

/// Bytes of `10KiB`, `1.5 MB`, `2048`, `10K`.
pub(super) fn size_text(text: &str, all: Option<f64>) -> Option<i64> {
    let (number, unit) = number(text.trim())?;
    let lower = unit.to_ascii_lowercase();
    let (power, base) = match lower.as_str() {
        "" | "b" | "byte" | "bytes" => (0, 1000.0f64),
        "kb" => (1, 1000.0),
        "mb" => (2, 1000.0),
        "gb" => (3, 1000.0),
        "tb" => (4, 1000.0),
        "pb" => (5, 1000.0),
        "k" | "kib" => (1, 1024.0),
        "m" | "mib" => (2, 1024.0),
        "g" | "gib" => (3, 1024.0),
        "t" | "tib" => (4, 1024.0),
        "p" | "pib" => (5, 1024.0),
        _ => return None,
    };
    scale(number, all.unwrap_or(base).powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_programs_write_them() {
        let table = [
            ("1.5s", Some(1_500_000_000)),
            ("250 µs", Some(250_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("-2d", Some(-172_800_000_000_000)),
            ("1:02", Some(62_000_000_000)),
            ("00:00:00.123456789", Some(123_456_789)),
            ("PT1M", Some(60_000_000_000)),
            ("", None),
            ("-", None),
            ("s", None),
            ("1", None),
            ("1x", None),
            ("1.2.3s", None),
            ("99999999999w", None),
            ("1:99", None),
            ("1:2:3:4", None),
            ("::", None),
        ];
        for (text, ns) in table {
            assert_eq!(duration_text(text), ns, "{text}");
        }
    }

    #[test]
    fn sizes_as_programs_write_them() {
        let table = [
            ("0", Some(0)),
            ("2048 bytes", Some(2048)),
            ("1kB", Some(1000)),
            ("1K", Some(1024)),
            ("1.5GiB", Some(1_610_612_736)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775807K", None),
            ("", None),
            ("KiB", None),
            ("-1", None),
        ];
        for (text, bytes) in table {
            assert_eq!(size_text(text, None), bytes, "{text}");
        }
    }
}
