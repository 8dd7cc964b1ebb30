//! The first time that stands near the front of a text, whatever is before it: for messages of which nothing else is
//! known.

use super::{Calendar, TimeForm, time_of_day};
use crate::limits::{CLOCK_LOOK_BYTES, TIME_LOOK_BYTES};

/// Forms that begin with a digit, and those that begin with a letter.
const DIGIT: [TimeForm; 6] =
    [TimeForm::Iso, TimeForm::Clf, TimeForm::DayFirst, TimeForm::Compact, TimeForm::Us, TimeForm::European];
const LETTER: [TimeForm; 4] = [TimeForm::Asctime, TimeForm::Rfc2822, TimeForm::MonthFirst, TimeForm::Rfc3164];

/// Nanoseconds since the epoch of the first time with a date that begins within [`TIME_LOOK_BYTES`]; else those of
/// the first count of seconds, else of the first time of day within [`CLOCK_LOOK_BYTES`].
pub(super) fn anywhere(input: &[u8], calendar: &Calendar) -> Option<i64> {
    let (mut count, mut of_day) = (None, None);
    for at in 0..input.len().min(TIME_LOOK_BYTES) {
        let rest = &input[at..];
        let digit = rest[0].is_ascii_digit();
        if !(digit || rest[0].is_ascii_alphabetic()) || !begins(input, at) {
            continue;
        }
        let forms = if digit { &DIGIT[..] } else { &LETTER[..] };
        let date = forms.iter().find_map(|form| form.scan(rest, calendar));
        if let Some((ns, _)) = date.filter(|(ns, _)| *ns >= 0) {
            return Some(ns);
        }
        if digit && count.is_none() {
            count = seconds(rest);
        }
        if digit && of_day.is_none() && at < CLOCK_LOOK_BYTES && is_time_of_day(input, at) {
            of_day = TimeForm::Clock.scan(rest, calendar).map(|(ns, _)| ns);
        }
    }
    count.or(of_day)
}

/// Whether a word begins here: behind no letter or digit but those of a terminal's colour, and not within an address.
fn begins(input: &[u8], at: usize) -> bool {
    let Some((&before, front)) = input.get(..at).and_then(<[u8]>::split_last) else { return true };
    match before {
        b'm' | b'K' => {
            let code = front.iter().rev().take(8).take_while(|byte| **byte != 0x1b);
            let len = code.clone().count();
            len < front.len().min(8) && code.into_iter().all(|byte| b"[0123456789;".contains(byte))
        }
        b'.' | b'-' => false,
        _ => !before.is_ascii_alphanumeric(),
    }
}

/// A count of seconds (milli-, micro-, nanoseconds) of this century's first third.
fn seconds(rest: &[u8]) -> Option<i64> {
    let digits = rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let is_count = rest[0] == b'1' && matches!(digits, 10 | 13 | 16 | 19);
    let (ns, len) = super::epoch(rest).filter(|_| is_count)?;
    (!rest.get(len).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'-')).then_some(ns)
}

/// Six pairs with colons are an address of hardware.
fn is_time_of_day(input: &[u8], at: usize) -> bool {
    let (front, rest) = input.split_at(at);
    front.last() != Some(&b':')
        && time_of_day(rest).is_some_and(|(_, len)| {
            !rest.get(len).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b':')
        })
}
