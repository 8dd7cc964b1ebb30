//! Tables of times: text, form, and what it means.

use super::*;
use crate::event::write_timestamp;
use crate::format::{Reference, Zone};

fn written(ns: i64) -> String {
    let mut out = Vec::new();
    write_timestamp(ns, &mut out);
    String::from_utf8(out).expect("ascii")
}

fn shown(form: &TimeForm, text: &str, calendar: &Calendar) -> String {
    match form.scan(text.as_bytes(), calendar) {
        None => "none".into(),
        Some((ns, len)) => format!("{} {}", written(ns), text.len() - len),
    }
}

/// `FORM | ZONE | TEXT => TIME REST`: what each text means, and the bytes that are left over. `whole` tells the form by
/// itself and `none` is no time. A line that begins with `now` sets the time of reading for those below it.
const TABLE: &str = include_str!("times.table");

#[test]
fn times_mean_what_the_table_says() {
    let mut reference = Reference::default();
    let mut wrong = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(now) = line.strip_prefix("now ") {
            let now: jiff::Timestamp = now.parse().expect("a time of reading");
            reference = Reference::at(i64::try_from(now.as_nanosecond()).expect("of this age"));
            continue;
        }
        let (left, expected) = line.rsplit_once(" => ").expect("a result");
        let mut cells = left.splitn(3, " | ");
        let mut cell = || cells.next().expect("three cells");
        let (form, zone, text) = (cell(), cell(), cell());
        let text = text.replace("\\u{202f}", "\u{202f}");
        let zone = Zone::named(zone).expect("a zone");
        let calendar = Calendar { zone, reference: reference.clone() };
        let found = match form {
            "whole" => whole(text.as_bytes(), &calendar).map_or_else(|| "none".to_owned(), written),
            form if form.starts_with('%') => {
                shown(&TimeForm::Pattern(Pattern::parse(form).expect("a pattern")), &text, &calendar)
            }
            form => shown(&TimeForm::named(form).expect("a form"), &text, &calendar),
        };
        if found != expected {
            wrong.push(format!("{line}, found {found}"));
        }
        // Whatever it is, and wherever it is cut, nothing panics.
        for (len, _) in text.char_indices() {
            let cut = text.get(..len).unwrap_or_default().as_bytes();
            for name in TimeForm::NAMES {
                if let Some((_, read)) = TimeForm::named(name).and_then(|form| form.scan(cut, &calendar)) {
                    assert!(read <= cut.len(), "{name} read {read} bytes of {cut:?}");
                }
            }
            whole(cut, &calendar);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn patterns_of_strftime_fields() {
    let calendar = Calendar::default();
    for (pattern, text, expected) in [
        ("%y%m%d %H%M%S", "081109 203615 148", "2008-11-09T20:36:15.000Z 4"),
        ("%Y-%m-%d-%H.%M.%S.%f", "2005-06-03-15.42.50.675872", "2005-06-03T15:42:50.675872Z 0"),
        ("%d/%b/%Y %I:%M:%S %p %z", "01/Feb/2020 12:30:00 AM +0100", "2020-01-31T23:30:00.000Z 0"),
        ("%a, %d %B %Y %T %Z", "Mon, 1 January 2024 00:00:00 GMT", "2024-01-01T00:00:00.000Z 0"),
        ("%Y%m%d-%H:%M:%S:%L", "20240506-7:8:9:44", "2024-05-06T07:08:09.044Z 0"),
        ("%s.%f", "1431280876.5", "2015-05-10T18:01:16.500Z 0"),
        ("%H:%M", "25:00", "none"),
    ] {
        let form = TimeForm::Pattern(Pattern::parse(pattern).expect("a pattern"));
        assert_eq!(shown(&form, text, &calendar), expected, "{text}");
    }
    assert!(Pattern::parse("%Q").is_err());
}

#[test]
fn a_zone_applies_where_the_text_has_none() {
    let zone = Zone::named("Europe/Berlin").expect("a zone");
    let calendar = Calendar { zone, reference: Reference::default() };
    assert_eq!(shown(&TimeForm::Iso, "2024-07-01 12:00:00", &calendar), "2024-07-01T10:00:00.000Z 0");
    assert_eq!(shown(&TimeForm::Iso, "2024-01-01 12:00:00", &calendar), "2024-01-01T11:00:00.000Z 0");
    assert_eq!(shown(&TimeForm::Iso, "2024-01-01 12:00:00Z", &calendar), "2024-01-01T12:00:00.000Z 0");
    assert!(Zone::named("Europe/Nowhere").is_err());
}

#[test]
fn a_time_of_day_is_of_the_day_that_is_nearest_before() {
    // 2024-05-06T07:08:09Z
    let calendar = |zone: &str| Calendar {
        zone: crate::format::Zone::named(zone).expect("a zone"),
        reference: crate::format::Reference::at(1_714_979_289_000_000_000),
    };
    for (text, zone, expected) in [
        ("07:08:09.5", "UTC", "2024-05-06T07:08:09.500Z"),
        ("19:08:09", "UTC", "2024-05-06T19:08:09.000Z"),
        ("23:59:59,999", "UTC", "2024-05-05T23:59:59.999Z"),
        ("00:00:01", "-08:00", "2024-05-06T08:00:01.000Z"),
    ] {
        let (ns, len) = TimeForm::Clock.scan(text.as_bytes(), &calendar(zone)).expect("a time");
        let mut out = Vec::new();
        crate::event::write_timestamp(ns, &mut out);
        assert_eq!((String::from_utf8_lossy(&out).as_ref(), len), (expected, text.len()), "{text}");
    }
}
