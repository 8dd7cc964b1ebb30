//! Tables of times: text, form, and what it means.

use super::*;
use crate::event::write_timestamp;
use crate::format::{Reference, Zone};

fn shown(form: &TimeForm, text: &str, calendar: &Calendar) -> String {
    match form.scan(text.as_bytes(), calendar) {
        None => "none".into(),
        Some((ns, len)) => {
            let mut out = Vec::new();
            write_timestamp(ns, &mut out);
            format!("{} {}", String::from_utf8(out).expect("ascii"), text.len() - len)
        }
    }
}

/// Each line: form, text, result and number of bytes left over.
const TABLE: &[(&str, &str, &str)] = &[
    ("clf", "10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36.000Z 0"),
    ("clf", "10/Oct/2000:13:55:36.125 -0700]", "2000-10-10T20:55:36.125Z 1"),
    ("clf", "31/Feb/2000:13:55:36 -0700", "none"),
    ("rfc3339", "2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000Z 0"),
    ("rfc3339", "2024-05-06T07:08:09.123456789+02:00 x", "2024-05-06T05:08:09.123456789Z 2"),
    ("rfc3339", "2024-05-06T07:08:09", "none"),
    ("iso", "2024-05-06 07:08:09,123 - x", "2024-05-06T07:08:09.123Z 4"),
    ("iso", "2024-05-06 07:08:09.123 CEST [1]", "2024-05-06T05:08:09.123Z 4"),
    ("iso", "2016/10/25 14:49:34 [", "2016-10-25T14:49:34.000Z 2"),
    ("iso", "2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z 0"),
    ("iso", "2023-02-29T00:00:00Z", "none"),
    ("rfc3164", "Oct 11 22:14:15 host", "2023-10-11T22:14:15.000Z 5"),
    ("rfc3164", "Mar  2 00:00:01 host", "2024-03-02T00:00:01.000Z 5"),
    ("rfc3164", "Mar  1 2019 10:20:30.5: x", "2019-03-01T10:20:30.500Z 3"),
    ("rfc3164", "Mar 1 10:20:30 2019: x", "2019-03-01T10:20:30.000Z 3"),
    ("asctime", "Mon Dec 26 16:15:55.103786 2016]", "2016-12-26T16:15:55.103786Z 1"),
    ("asctime", "Thu Nov  9 08:00:00 CET 2023", "2023-11-09T07:00:00.000Z 0"),
    ("day_first", "26 Dec 2016 16:15:55.103 *", "2016-12-26T16:15:55.103Z 2"),
    ("day_first", "26 Dec 16:15:55.103 *", "2023-12-26T16:15:55.103Z 2"),
    ("klog", "0301 15:04:22.619632  1 x", "2024-03-01T15:04:22.619632Z 5"),
    ("klog", "20210131 15:04:22.619632 1 x", "2021-01-31T15:04:22.619632Z 4"),
    ("epoch", "1431280876.25 x", "2015-05-10T18:01:16.250Z 2"),
    ("epoch", "1745532517537,", "2025-04-24T22:08:37.537Z 1"),
    ("epoch", "12", "none"),
];

#[test]
fn times_mean_what_the_table_says() {
    // 2024-03-01T20:00:00Z: 2 March is within a day of it, 11 October is last year's.
    let calendar = Calendar { zone: Zone::UTC, reference: Reference::at(1_709_323_200_000_000_000) };
    for (form, text, expected) in TABLE {
        let form = TimeForm::named(form).expect("a form");
        assert_eq!(shown(&form, text, &calendar), *expected, "{text}");
    }
}

#[test]
fn patterns_of_strftime_fields() {
    let calendar = Calendar::default();
    for (pattern, text, expected) in [
        ("%y%m%d %H%M%S", "081109 203615 148", "2008-11-09T20:36:15.000Z 4"),
        ("%Y-%m-%d-%H.%M.%S.%f", "2005-06-03-15.42.50.675872", "2005-06-03T15:42:50.675872Z 0"),
        ("%d/%b/%Y %I:%M:%S %p %z", "01/Feb/2020 12:30:00 AM +0100", "2020-01-31T23:30:00.000Z 0"),
        ("%a, %d %B %Y %T %Z", "Mon, 1 January 2024 00:00:00 GMT", "2024-01-01T00:00:00.000Z 0"),
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
