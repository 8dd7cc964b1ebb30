//! Points in time: read from text, written as text, cut to a raster, and their parts.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::instant::{self, Stamp};
use super::{Body, Files, Function, Prepared, example, keep_with, may_fixed, needs};
use crate::event::{Facts, Texts, Value, write_timestamp};
use crate::expr::Constant;
use crate::signature::{Param, Signature, Type};

/// How a time stamp is written.
#[derive(Clone, Debug)]
enum Format {
    Rfc3339,
    Rfc2822,
    Clf,
    /// Nanoseconds of one unit since 1970.
    Unix(i64),
    Strftime(String),
}

fn format(constants: &[Option<Constant>], at: usize) -> Result<Format, String> {
    let text = match constants.get(at).and_then(Option::as_ref) {
        None => return Ok(Format::Rfc3339),
        Some(constant) => constant.text().ok_or("`format` must be a text")?,
    };
    Ok(match text {
        "rfc3339" | "iso8601" => Format::Rfc3339,
        "rfc2822" => Format::Rfc2822,
        "clf" => Format::Clf,
        "unix" => Format::Unix(1_000_000_000),
        "unix_ms" => Format::Unix(1_000_000),
        "unix_us" => Format::Unix(1000),
        "unix_ns" => Format::Unix(1),
        other if other.contains('%') => {
            strtime::format(other, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC))
                .map_err(|error| format!("the format is wrong: {error}"))?;
            Format::Strftime(other.to_owned())
        }
        other => {
            return Err(format!(
                "`{other}` is no format; use rfc3339, rfc2822, clf, unix, unix_ms, unix_us, unix_ns, or one with \
                 `%` such as \"%Y-%m-%d %H:%M:%S\""
            ));
        }
    })
}

fn zone(constants: &[Option<Constant>], at: usize) -> Result<TimeZone, String> {
    match constants.get(at).and_then(Option::as_ref) {
        None => Ok(TimeZone::UTC),
        Some(constant) => {
            let name = constant.text().ok_or("`zone` must be a text")?;
            TimeZone::get(name)
                .map_err(|_| format!("`{name}` is no time zone; it has a name such as \"Europe/Berlin\""))
        }
    }
}

const FORMATS: &str = "Formats: `rfc3339` (the default), `rfc2822`, `clf` (`10/Oct/2000:13:55:36 -0700`), `unix`, \
    `unix_ms`, `unix_us`, `unix_ns`, or a text with `%` as in strftime. The zone is a name such as `Europe/Berlin`, \
    by default UTC.";

/// `timestamp(value, format, zone)`
pub(super) static TIMESTAMP: Function = Function {
    signature: &Signature {
        name: "timestamp",
        summary: "a point in time",
        doc: FORMATS,
        form: "timestamp(value: text | int | float, format?: text, zone?: text) -> timestamp",
        options: &[],
        examples: &[
            example(
                "RFC 3339",
                r#"timestamp("2024-05-01T10:00:00.25+02:00")"#,
                r#""2024-05-01T08:00:00.250Z""#,
            ),
            example(
                "without a zone, in one",
                r#"timestamp("2024-05-01 10:00:00", zone = "Europe/Berlin")"#,
                r#""2024-05-01T08:00:00.000Z""#,
            ),
            example(
                "milliseconds",
                r#"timestamp(1714550400123, "unix_ms")"#,
                r#""2024-05-01T08:00:00.123Z""#,
            ),
            example(
                "an access log",
                r#"timestamp("10/Oct/2000:13:55:36 -0700", "clf")"#,
                r#""2000-10-10T20:55:36.000Z""#,
            ),
            example(
                "a form of one's own",
                r#"timestamp("1.5.2024 8h", "%d.%m.%Y %Hh")"#,
                r#""2024-05-01T08:00:00.000Z""#,
            ),
            example("no time", r#"timestamp("today")"#, "missing"),
        ],
    },
    params: &[
        needs("value", &[Type::Text, Type::Int, Type::Float, Type::Timestamp]),
        may_fixed("format", &[Type::Text]),
        may_fixed("zone", &[Type::Text]),
    ],
    returns: |_| Type::Timestamp,
    fallible: true,
    accepts_missing: false,
    body: Body::Prepared(timestamp),
};

fn timestamp(constants: &[Option<Constant>], _: &dyn Files) -> Result<Prepared, String> {
    let (format, zone) = (format(constants, 1)?, zone(constants, 2)?);
    // A number without a format is seconds, as nearly everywhere.
    let unit = match format {
        Format::Unix(unit) => unit,
        _ => 1_000_000_000,
    };
    Ok(Box::new(move |args, texts| {
        let ns = match *args.first()? {
            Value::Timestamp(ns) => ns,
            Value::Int(int) => int.checked_mul(unit)?,
            Value::Float(float) => crate::expr::arithmetic::whole(float * unit as f64)?,
            Value::Text(span) => read(texts.text(span)?.trim(), &format, &zone)?,
            _ => return None,
        };
        Some(Value::Timestamp(ns))
    }))
}

fn read(text: &str, format: &Format, zone: &TimeZone) -> Option<i64> {
    let stamp = match format {
        Format::Rfc3339 => instant::rfc3339(text.as_bytes())?,
        Format::Clf => instant::clf(text.as_bytes())?,
        Format::Unix(unit) => return instant::unix(text, *unit),
        Format::Rfc2822 => return nanoseconds(jiff::fmt::rfc2822::parse(text).ok()?.timestamp()),
        Format::Strftime(format) => {
            let time = strtime::parse(format, text).ok()?;
            if time.offset().is_some() || time.timestamp().is_some() {
                return nanoseconds(time.to_timestamp().ok()?);
            }
            if time.iana_time_zone().is_some() {
                return nanoseconds(time.to_zoned().ok()?.timestamp());
            }
            return in_zone(time.to_datetime().ok()?, zone);
        }
    };
    match stamp {
        Stamp { offset: Some(_), .. } => stamp.nanoseconds(),
        _ if *zone == TimeZone::UTC => stamp.nanoseconds(),
        _ => {
            // The wall clock's reading, taken as if it were UTC, gives the date and time of day.
            let wall = Timestamp::from_nanosecond(i128::from(stamp.nanoseconds()?)).ok()?;
            in_zone(TimeZone::UTC.to_datetime(wall), zone)
        }
    }
}

/// The point in time at which clocks of a zone show this; where they do so twice, the first, and where they skip
/// it, as much later as they skip (RFC 5545 §3.3.5).
fn in_zone(wall: jiff::civil::DateTime, zone: &TimeZone) -> Option<i64> {
    nanoseconds(zone.to_ambiguous_timestamp(wall).compatible().ok()?)
}

fn nanoseconds(timestamp: Timestamp) -> Option<i64> {
    i64::try_from(timestamp.as_nanosecond()).ok()
}

fn zoned(value: &Value, zone: &TimeZone) -> Option<Zoned> {
    let Value::Timestamp(ns) = value else { return None };
    Some(Timestamp::from_nanosecond(i128::from(*ns)).ok()?.to_zoned(zone.clone()))
}

/// `format_timestamp(timestamp, format, zone)`
pub(super) static FORMAT_TIMESTAMP: Function = Function {
    signature: &Signature {
        name: "format_timestamp",
        summary: "a point in time as text",
        doc: FORMATS,
        form: "format_timestamp(timestamp: timestamp, format?: text, zone?: text) -> text",
        options: &[],
        examples: &[
            example(
                "a day, in a zone",
                r#"format_timestamp(timestamp("2024-05-01T23:00:00Z"), "%Y-%m-%d", "Europe/Berlin")"#,
                r#""2024-05-02""#,
            ),
            example("milliseconds", r#"format_timestamp(timestamp(1.5), "unix_ms")"#, r#""1500""#),
        ],
    },
    params: &[
        needs("timestamp", &[Type::Timestamp]),
        may_fixed("format", &[Type::Text]),
        may_fixed("zone", &[Type::Text]),
    ],
    returns: |_| Type::Text,
    fallible: false,
    accepts_missing: false,
    body: Body::Prepared(|constants, _| {
        let (format, zone) = (format(constants, 1)?, zone(constants, 2)?);
        Ok(Box::new(move |args, texts| write(args, texts, &format, &zone)))
    }),
};

fn write(args: &[Value], texts: &mut Texts, format: &Format, zone: &TimeZone) -> Option<Value> {
    let Value::Timestamp(ns) = *args.first()? else { return None };
    let mut out = texts.scratch();
    match format {
        Format::Rfc3339 if *zone == TimeZone::UTC => write_timestamp(ns, &mut out),
        Format::Unix(unit) => {
            out.extend_from_slice(itoa::Buffer::new().format(ns.div_euclid(*unit)).as_bytes());
        }
        _ => {
            let pattern = match format {
                Format::Rfc2822 => "%a, %d %b %Y %H:%M:%S %z",
                Format::Clf => "%d/%b/%Y:%H:%M:%S %z",
                Format::Strftime(pattern) => pattern,
                _ => "%Y-%m-%dT%H:%M:%S%.f%:z",
            };
            let text = strtime::format(pattern, &zoned(args.first()?, zone)?).ok()?;
            out.extend_from_slice(text.as_bytes());
        }
    }
    keep_with(texts, out, Facts::UNKNOWN).map(Value::Text)
}

/// `truncate_timestamp(timestamp, unit)`
pub(super) static TRUNCATE_TIMESTAMP: Function = Function {
    signature: &Signature {
        name: "truncate_timestamp",
        summary: "the last point of a raster before a point in time",
        doc: "The raster starts at 1970-01-01T00:00:00Z, so that hours and days are those of UTC.",
        form: "truncate_timestamp(timestamp: timestamp, unit: duration) -> timestamp",
        options: &[],
        examples: &[example(
            "quarters of an hour",
            r#"truncate_timestamp(timestamp("2024-05-01T10:44:59Z"), 15m)"#,
            r#""2024-05-01T10:30:00.000Z""#,
        )],
    },
    params: &[needs("timestamp", &[Type::Timestamp]), needs("unit", &[Type::Duration])],
    returns: |_| Type::Timestamp,
    fallible: false,
    accepts_missing: false,
    body: Body::Pure(|args, _| match (args.first()?, args.get(1)?) {
        (Value::Timestamp(ns), Value::Duration(unit)) if *unit > 0 => {
            Some(Value::Timestamp(ns.checked_sub(ns.rem_euclid(*unit))?))
        }
        _ => None,
    }),
};

const PART: &[Param] = &[needs("timestamp", &[Type::Timestamp]), may_fixed("zone", &[Type::Text])];

const fn part(signature: &'static Signature, prepare: super::Prepare) -> Function {
    Function {
        signature,
        params: PART,
        returns: |_| Type::Int,
        fallible: false,
        accepts_missing: false,
        body: Body::Prepared(prepare),
    }
}

/// Gives the number that `of` takes from a time stamp in the zone of the call.
fn number(constants: &[Option<Constant>], of: fn(&Zoned) -> i64) -> Result<Prepared, String> {
    let zone = zone(constants, 1)?;
    Ok(Box::new(move |args, _| Some(Value::Int(of(&zoned(args.first()?, &zone)?)))))
}

/// `year(timestamp, zone)`
pub(super) static YEAR: Function = part(
    &Signature {
        name: "year",
        summary: "the year of a point in time",
        doc: "In UTC, or in a zone such as `Europe/Berlin`.",
        form: "year(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[example("in UTC", r#"year(timestamp("2024-05-01T10:00:00Z"))"#, "2024")],
    },
    |constants, _| number(constants, |time| i64::from(time.year())),
);

/// `month(timestamp, zone)`
pub(super) static MONTH: Function = part(
    &Signature {
        name: "month",
        summary: "the month of a point in time, 1 to 12",
        doc: "In UTC, or in a zone such as `Europe/Berlin`.",
        form: "month(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[example("in UTC", r#"month(timestamp("2024-05-01T10:00:00Z"))"#, "5")],
    },
    |constants, _| number(constants, |time| i64::from(time.month())),
);

/// `day(timestamp, zone)`
pub(super) static DAY: Function = part(
    &Signature {
        name: "day",
        summary: "the day of the month of a point in time, 1 to 31",
        doc: "In UTC, or in a zone such as `Europe/Berlin`.",
        form: "day(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[example(
            "in a zone where it is tomorrow",
            r#"day(timestamp("2024-05-01T20:00:00Z"), "Asia/Tokyo")"#,
            "2",
        )],
    },
    |constants, _| number(constants, |time| i64::from(time.day())),
);

/// `weekday(timestamp, zone)`
pub(super) static WEEKDAY: Function = part(
    &Signature {
        name: "weekday",
        summary: "the day of the week of a point in time, 1 (Monday) to 7",
        doc: "ISO 8601; in UTC, or in a zone such as `Europe/Berlin`.",
        form: "weekday(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[example("a Wednesday", r#"weekday(timestamp("2024-05-01T10:00:00Z"))"#, "3")],
    },
    |constants, _| number(constants, |time| i64::from(time.weekday().to_monday_one_offset())),
);

/// `hour(timestamp, zone)`
pub(super) static HOUR: Function = part(
    &Signature {
        name: "hour",
        summary: "the hour of a point in time, 0 to 23",
        doc: "In UTC, or in a zone such as `Europe/Berlin`.",
        form: "hour(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[
            example("in UTC", r#"hour(timestamp("2024-05-01T10:20:30Z"))"#, "10"),
            example("in a zone", r#"hour(timestamp("2024-05-01T10:20:30Z"), "Europe/Berlin")"#, "12"),
        ],
    },
    |constants, _| number(constants, |time| i64::from(time.hour())),
);

/// `minute(timestamp, zone)`
pub(super) static MINUTE: Function = part(
    &Signature {
        name: "minute",
        summary: "the minute of a point in time, 0 to 59",
        doc: "In UTC, or in a zone such as `Asia/Kolkata`.",
        form: "minute(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[example("in UTC", r#"minute(timestamp("2024-05-01T10:20:30Z"))"#, "20")],
    },
    |constants, _| number(constants, |time| i64::from(time.minute())),
);

/// `second(timestamp, zone)`
pub(super) static SECOND: Function = part(
    &Signature {
        name: "second",
        summary: "the second of a point in time, 0 to 59",
        doc: "Without its fraction.",
        form: "second(timestamp: timestamp, zone?: text) -> int",
        options: &[],
        examples: &[example("in UTC", r#"second(timestamp("2024-05-01T10:20:30Z"))"#, "30")],
    },
    |constants, _| number(constants, |time| i64::from(time.second())),
);
