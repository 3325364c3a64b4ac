//! Points in time: reading and writing the forms directories use, and calculating with them. A datetime is an instant;
//! a zone only matters where it is read from or written as local time (names of the bundled IANA database, or `+02:00`).

use super::build::TextBuilder;
use super::date_pattern::{self, read_offset};
use super::short::Short;
use super::write::{BOOL, DATETIME, INT, PLAIN, STRING, example, optional, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::types::Type;
use crate::value::{Failure, Value};
use jiff::civil::{self, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, Unit};

/// Seconds from 1601-01-01, where FILETIME begins, to 1970-01-01.
const FILETIME_EPOCH: i64 = 11_644_473_600;
const TICKS_PER_SECOND: i64 = 10_000_000;

pub(super) static PARSE: Function = Function {
    name: "datetime",
    group: Group::Date,
    signature: "datetime(text: string, pattern?: string, zone?: string) -> datetime",
    parameters: &[required("text", Accepts::Text), optional("pattern", Accepts::Text), optional("zone", Accepts::Text)],
    result: DATETIME,
    fallible: true,
    summary: "A point in time from text: ISO 8601, or by a pattern (`yyyy-MM-dd HH:mm:ss`). Text without an offset is \
              local time of the zone, UTC unless given; text without a time is midnight.",
    examples: &[
        example(r#"datetime("2026-01-31T10:00:00+01:00")"#, r#""2026-01-31T09:00:00Z""#),
        example(r#"datetime("31.1.2026 9:05", "d.M.yyyy H:mm", "Europe/Berlin")"#, r#""2026-01-31T08:05:00Z""#),
        example(r#"datetime("2026-01-31")"#, r#""2026-01-31T00:00:00Z""#),
        example(r#"datetime("tomorrow")"#, "error"),
        example(r#"datetime?("tomorrow")"#, "absent"),
    ],
    body: Body::Native(parse),
    ..PLAIN
};

fn parse<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let text = call.string(arguments, 0)?.trim();
    let zone = zone(call, call.optional_string(arguments, 2)?)?;
    let Some(pattern) = call.optional_string(arguments, 1)? else {
        let instant = text.parse().ok().or_else(|| text.parse().ok().and_then(|civil| in_zone(civil, &zone)));
        return instant.map(Value::DateTime).ok_or_else(|| call.fail(format_args!("not a date of ISO 8601")));
    };
    let reading = date_pattern::read(call, text, pattern)?;
    let zone = reading.offset.map_or(zone, Offset::to_time_zone);
    let instant = reading.civil().and_then(|civil| in_zone(civil, &zone));
    instant.map(Value::DateTime).ok_or_else(|| call.fail(format_args!("no such day or time, or no year")))
}

/// Local time as an instant; one that a clock change skips or repeats is taken as the time zone's rules before it say.
fn in_zone(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_timestamp(civil).ok()
}

fn zone<'a>(call: &Call<'a>, name: Option<&str>) -> Result<TimeZone, Failure<'a>> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    let mut rest = name;
    if let Some(offset) = read_offset(&mut rest).filter(|_| rest.is_empty()) {
        return Ok(offset.to_time_zone());
    }
    TimeZone::get(name).map_err(|_| call.fail(format_args!("no such time zone: a name like `Europe/Berlin` is wanted")))
}

pub(super) static FORMAT_DATE: Function = Function {
    name: "format_date",
    group: Group::Date,
    signature: "format_date(date: datetime, pattern: string, zone?: string) -> string",
    parameters: &[required("date", Accepts::DateTime), required("pattern", Accepts::Text), optional("zone", Accepts::Text)],
    result: STRING,
    fallible: true,
    summary: "A point in time by a pattern of .NET or Java letters, in UTC or the zone, names in English. A letter that \
              is neither's fails.",
    examples: &[
        example(r#"format_date(@2026-01-31T22:05:09Z, "M/d/yyyy h:mm:ss tt")"#, r#""1/31/2026 10:05:09 PM""#),
        example(r#"format_date(@2026-01-31T23:30:00Z, "EEE dd MMM yyyy zzz", "Europe/Berlin")"#, r#""Sun 01 Feb 2026 +01:00""#),
        example(r#"format_date(@2026-01-31T00:00:00Z, "yyyy-QQ")"#, "error"),
    ],
    body: Body::Native(|call, arguments| {
        let (instant, pattern) = (call.instant(arguments, 0)?, call.string(arguments, 1)?);
        let offset = zone(call, call.optional_string(arguments, 2)?)?.to_offset(instant);
        let mut out = TextBuilder::new(call);
        date_pattern::write(call, &mut out, offset.to_datetime(instant), offset, pattern)?;
        out.finish()
    }),
    ..PLAIN
};

pub(super) static FILETIME: Function = Function {
    name: "filetime",
    group: Group::Date,
    signature: "filetime(ticks: filetime) -> datetime",
    parameters: &[required("ticks", Accepts::FileTime)],
    result: DATETIME,
    may_be_absent: true,
    fallible: true,
    summary: "A point in time from Windows ticks (100 ns since 1601); absent for 0 and 2^63-1, which mean never.",
    examples: &[
        example("filetime(134143236000000000)", r#""2026-01-31T09:00:00Z""#),
        example("filetime(9223372036854775807)", "absent"),
        example("filetime(0)", "absent"),
        example(r#"filetime("soon")"#, "error"),
    ],
    body: Body::Native(|call, arguments| match ticks(arguments.first()) {
        Some(0 | i64::MAX) => Ok(Value::Absent),
        Some(ticks) => {
            let instant = from_ticks(ticks).ok_or_else(|| call.fail(format_args!("past the year 9999")))?;
            Ok(Value::DateTime(instant))
        }
        None => Err(call.fail(format_args!("not a number of ticks"))),
    }),
    ..PLAIN
};

/// As a reader gives it: a number, or still the directory's text.
fn ticks(value: Option<&Value<'_>>) -> Option<i64> {
    match value {
        Some(Value::Int(ticks)) => Some(*ticks),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `None` outside of the years a datetime has.
pub(crate) fn from_ticks(ticks: i64) -> Option<Timestamp> {
    let (seconds, rest) = (ticks.div_euclid(TICKS_PER_SECOND), ticks.rem_euclid(TICKS_PER_SECOND));
    Timestamp::new(seconds - FILETIME_EPOCH, i32::try_from(rest * 100).ok()?).ok()
}

/// The number of up to 18 digits and nothing else, as directories write one; `None` = look closely.
#[inline]
pub(crate) fn plain_ticks(text: &str) -> Option<i64> {
    let fits = (1..=18).contains(&text.len());
    let (all, number) = text.bytes().take(18).fold((fits, 0_i64), |(all, number), byte| {
        (all & byte.is_ascii_digit(), number.wrapping_mul(10).wrapping_add(i64::from(byte.wrapping_sub(b'0'))))
    });
    all.then_some(number)
}

const TEXT_BYTES: usize = 20;

/// A datetime of whole seconds as RFC 3339 text.
pub(crate) struct Text(Short<32>);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        self.0.text(TEXT_BYTES)
    }
}

/// From Windows ticks; `None` for what is no whole second, no time at all or not before the year 9999.
pub(crate) fn text_of_ticks(ticks: i64) -> Option<Text> {
    let is_whole = ticks > 0 && ticks % TICKS_PER_SECOND == 0;
    text_of_seconds(ticks / TICKS_PER_SECOND - FILETIME_EPOCH).filter(|_| is_whole)
}

/// From seconds since 1970, between the years 1600 and 9998; `None` = ask the formatter.
pub(crate) fn text_of_seconds(seconds: i64) -> Option<Text> {
    const DAY: i64 = 86_400;
    /// Days from 1600-03-01 to 1970: a leap day is then the last of a year, and eras of 400 years begin here.
    const EPOCH_DAYS: i64 = 135_080;
    let days = u32::try_from(seconds.div_euclid(DAY) + EPOCH_DAYS).ok()?;
    let second = u32::try_from(seconds.rem_euclid(DAY)).ok()?;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = 1600 + era * 400 + year_of_era + u32::from(month <= 2);
    let mut short = Short::new();
    let text = short.bytes();
    text[..TEXT_BYTES].copy_from_slice(b"0000-00-00T00:00:00Z");
    let pairs = [year / 100, year % 100, month, day, second / 3600, second / 60 % 60, second % 60];
    for (at, pair) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(pairs) {
        text[at] += u8::try_from(pair / 10).ok()?;
        text[at + 1] += u8::try_from(pair % 10).ok()?;
    }
    (year < 9999).then_some(Text(short))
}

pub(super) static TO_FILETIME: Function = Function {
    name: "to_filetime",
    group: Group::Date,
    signature: "to_filetime(date: datetime) -> int",
    parameters: &[required("date", Accepts::DateTime)],
    result: INT,
    summary: "The Windows ticks (100 ns since 1601) of a point in time, rounded down.",
    examples: &[example("to_filetime(@2026-01-31T09:00:00Z)", "134143236000000000"), example("to_filetime(absent)", "absent")],
    body: Body::Native(|call, arguments| {
        let nanoseconds = call.instant(arguments, 0)?.as_nanosecond().div_euclid(100);
        let ticks = i64::try_from(nanoseconds + i128::from(FILETIME_EPOCH * TICKS_PER_SECOND));
        ticks.map(Value::Int).map_err(|_| call.over(format_args!("ticks beyond 64 bits")))
    }),
    ..PLAIN
};

const SCALES: &[&str] = &["s", "ms"];

pub(super) static UNIX: Function = Function {
    name: "unix",
    group: Group::Date,
    signature: "unix(number: int, unit?: s | ms) -> datetime",
    parameters: &[required("number", Accepts::Int), optional("unit", Accepts::Word(SCALES))],
    result: DATETIME,
    fallible: true,
    summary: "A point in time from seconds, or milliseconds, since 1970.",
    examples: &[
        example("unix(1769850000)", r#""2026-01-31T09:00:00Z""#),
        example("unix(1769850000123, ms)", r#""2026-01-31T09:00:00.123Z""#),
        example("unix(9223372036854775807)", "error"),
    ],
    body: Body::Native(|call, arguments| {
        let number = call.int(arguments, 0)?;
        let instant = match call.optional_string(arguments, 1)? {
            Some("ms") => Timestamp::from_millisecond(number),
            _ => Timestamp::from_second(number),
        };
        instant.map(Value::DateTime).map_err(|_| call.fail(format_args!("past the years -9999 to 9999")))
    }),
    ..PLAIN
};

pub(super) static TO_UNIX: Function = Function {
    name: "to_unix",
    group: Group::Date,
    signature: "to_unix(date: datetime, unit?: s | ms) -> int",
    parameters: &[required("date", Accepts::DateTime), optional("unit", Accepts::Word(SCALES))],
    result: INT,
    summary: "The seconds, or milliseconds, since 1970 of a point in time, rounded down.",
    examples: &[
        example("to_unix(@2026-01-31T09:00:00Z)", "1769850000"),
        example("to_unix(@2026-01-31T09:00:00.123Z, ms)", "1769850000123"),
    ],
    body: Body::Native(|call, arguments| {
        let nanoseconds = call.instant(arguments, 0)?.as_nanosecond();
        let unit = if call.optional_string(arguments, 1)? == Some("ms") { 1_000_000 } else { 1_000_000_000 };
        let number = i64::try_from(nanoseconds.div_euclid(unit));
        number.map(Value::Int).map_err(|_| call.over(format_args!("number beyond 64 bits")))
    }),
    ..PLAIN
};

pub(super) static GENTIME: Function = Function {
    name: "gentime",
    group: Group::Date,
    signature: "gentime(text: gentime) -> datetime",
    parameters: &[required("text", Accepts::GenTime)],
    result: DATETIME,
    fallible: true,
    summary: "A point in time from LDAP GeneralizedTime (RFC 4517 §3.3.13); the zone is part of it.",
    examples: &[
        example(r#"gentime("20260131090000Z")"#, r#""2026-01-31T09:00:00Z""#),
        example(r#"gentime("202601311000+0100")"#, r#""2026-01-31T09:00:00Z""#),
        example(r#"gentime("2026")"#, "error"),
        example(r#"gentime?("2026")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let instant = from_gentime(call.string(arguments, 0)?.trim());
        instant.map(Value::DateTime).ok_or_else(|| call.fail(format_args!("not GeneralizedTime")))
    }),
    ..PLAIN
};

/// `YYYYMMDDHH[MM[SS]][(.|,)fraction](Z|±HH[MM])`; the fraction is of the last unit written.
pub(crate) fn from_gentime(text: &str) -> Option<Timestamp> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, mut rest) = text.split_at(length);
    if !matches!(length, 10 | 12 | 14) {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2).map_or(Some(0), |pair| pair.parse::<i8>().ok());
    // A leap second is read as the one before it.
    let second = two(12).filter(|second| *second <= 60)?.min(59);
    let date = civil::Date::new(digits[..4].parse().ok()?, two(4)?, two(6)?).ok()?;
    let civil = date.to_datetime(civil::Time::new(two(8)?, two(10)?, second, 0).ok()?);
    let unit: i64 = [3_600_000_000_000, 60_000_000_000, 1_000_000_000][(length - 10) / 2];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix(['.', ',']) {
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        let mut scale = unit;
        for byte in after.bytes().take(count) {
            scale /= 10;
            fraction += i64::from(byte - b'0') * scale;
        }
        if count == 0 {
            return None;
        }
        rest = &after[count..];
    }
    let offset = read_offset(&mut rest).filter(|_| rest.is_empty())?;
    offset.to_timestamp(civil).ok()?.checked_add(SignedDuration::from_nanos(fraction)).ok()
}

pub(super) static TO_GENTIME: Function = Function {
    name: "to_gentime",
    group: Group::Date,
    signature: "to_gentime(date: datetime) -> string",
    parameters: &[required("date", Accepts::DateTime)],
    result: STRING,
    summary: "LDAP GeneralizedTime of a point in time, in UTC and whole seconds.",
    examples: &[example("to_gentime(@2026-01-31T09:00:00Z)", r#""20260131090000Z""#), example("to_gentime(absent)", "absent")],
    body: Body::Native(|call, arguments| {
        let instant = call.instant(arguments, 0)?;
        let mut out = TextBuilder::new(call);
        let civil = Offset::UTC.to_datetime(instant);
        date_pattern::write(call, &mut out, civil, Offset::UTC, "yyyyMMddHHmmss'Z'")?;
        out.finish()
    }),
    ..PLAIN
};

pub(super) static ADD: Function = Function {
    name: "add",
    group: Group::Date,
    signature: "add(date: datetime, duration: duration) -> datetime",
    parameters: &[required("date", Accepts::DateTime), required("duration", Accepts::Duration)],
    result: DATETIME,
    summary: "So much later, or earlier for a negative duration; a day is 24 hours.",
    examples: &[
        example("add(@2026-01-31T09:00:00Z, 7d)", r#""2026-02-07T09:00:00Z""#),
        example("add(@2026-01-31T09:00:00Z, -3h)", r#""2026-01-31T06:00:00Z""#),
        example("add(@9999-12-30T00:00:00Z, 30d)", "error"),
    ],
    body: Body::Native(|call, arguments| {
        let sum = call.instant(arguments, 0)?.checked_add(call.duration(arguments, 1)?);
        sum.map(Value::DateTime).map_err(|_| call.over(format_args!("past the years -9999 to 9999")))
    }),
    ..PLAIN
};

pub(super) static ADD_MONTHS: Function = Function {
    name: "add_months",
    group: Group::Date,
    signature: "add_months(date: datetime, months: int) -> datetime",
    parameters: &[required("date", Accepts::DateTime), required("months", Accepts::Int)],
    result: DATETIME,
    summary: "The same day and time (UTC) so many months later; the month's last day where it has no such day.",
    examples: &[
        example("add_months(@2026-01-31T09:00:00Z, 1)", r#""2026-02-28T09:00:00Z""#),
        example("add_months(@2026-01-31T09:00:00Z, -12)", r#""2025-01-31T09:00:00Z""#),
        example("add_months(@2026-01-31T09:00:00Z, 9999999)", "error"),
    ],
    body: Body::Native(|call, arguments| {
        let civil = Offset::UTC.to_datetime(call.instant(arguments, 0)?);
        let months = Span::new().try_months(call.int(arguments, 1)?);
        let sum = months.and_then(|months| civil.checked_add(months)).and_then(|sum| Offset::UTC.to_timestamp(sum));
        sum.map(Value::DateTime).map_err(|_| call.over(format_args!("past the years -9999 to 9999")))
    }),
    ..PLAIN
};

const UNITS: &[&str] = &["seconds", "minutes", "hours", "days", "weeks", "months", "years"];

pub(super) static DIFF: Function = Function {
    name: "diff",
    group: Group::Date,
    signature: "diff(from: datetime, to: datetime, unit: seconds | minutes | hours | days | weeks | months | years) -> int",
    parameters: &[required("from", Accepts::DateTime), required("to", Accepts::DateTime), required("unit", Accepts::Word(UNITS))],
    result: INT,
    summary: "How many whole units lie between two points in time, negative if the second is earlier. Months and years \
              are the calendar's, in UTC.",
    examples: &[
        example("diff(@2026-01-01T00:00:00Z, @2026-01-31T09:00:00Z, days)", "30"),
        example("diff(@2026-01-31T00:00:00Z, @2026-01-01T00:00:00Z, weeks)", "-4"),
        example("diff(@2024-02-29T00:00:00Z, @2026-02-28T00:00:00Z, years)", "1"),
    ],
    body: Body::Native(|call, arguments| {
        let (from, to) = (call.instant(arguments, 0)?, call.instant(arguments, 1)?);
        let seconds = from.duration_until(to).as_secs();
        let count = match call.string(arguments, 2)? {
            "seconds" => Some(seconds),
            "minutes" => Some(seconds / 60),
            "hours" => Some(seconds / 3_600),
            "days" => Some(seconds / 86_400),
            "weeks" => Some(seconds / 604_800),
            "months" => months_between(from, to),
            _ => months_between(from, to).map(|months| months / 12),
        };
        count.map(Value::Int).ok_or_else(|| call.over(format_args!("dates too far apart")))
    }),
    ..PLAIN
};

fn months_between(from: Timestamp, to: Timestamp) -> Option<i64> {
    let (from, to) = (Offset::UTC.to_datetime(from), Offset::UTC.to_datetime(to));
    let span = from.until((Unit::Month, to)).ok()?;
    Some(i64::from(span.get_months()))
}

pub(super) static DATE_ONLY: Function = Function {
    name: "date_only",
    group: Group::Date,
    signature: "date_only(date: datetime, zone?: string) -> string",
    parameters: &[required("date", Accepts::DateTime), optional("zone", Accepts::Text)],
    result: |_| Type::String,
    fallible: true,
    summary: "The day, `2026-01-31`, in UTC or the zone.",
    examples: &[
        example("date_only(@2026-01-31T23:30:00Z)", r#""2026-01-31""#),
        example(r#"date_only(@2026-01-31T23:30:00Z, "Europe/Berlin")"#, r#""2026-02-01""#),
        example(r#"date_only(@2026-01-31T23:30:00Z, "Berlin")"#, "error"),
    ],
    body: Body::Native(|call, arguments| {
        let instant = call.instant(arguments, 0)?;
        let offset = zone(call, call.optional_string(arguments, 1)?)?.to_offset(instant);
        let mut out = TextBuilder::new(call);
        date_pattern::write(call, &mut out, offset.to_datetime(instant), offset, "yyyy-MM-dd")?;
        out.finish()
    }),
    ..PLAIN
};

pub(super) static EXPIRED: Function = Function {
    name: "expired",
    group: Group::Date,
    signature: "expired(date: datetime | filetime | gentime) -> bool",
    parameters: &[required("date", Accepts::Any)],
    result: BOOL,
    fallible: true,
    summary: "Whether a point in time has passed. A number counts as Windows ticks, of which 0 and 2^63-1 mean never: \
              false. Text is ticks, GeneralizedTime or ISO 8601.",
    examples: &[
        example("expired(@2001-01-01T00:00:00Z)", "true"),
        example("expired(0)", "false"),
        example("expired(9223372036854775807)", "false"),
        example(r#"expired("soon")"#, "error"),
        example("expired(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let value = arguments.first();
        let instant = match (ticks(value), value) {
            (Some(0 | i64::MAX), _) => return Ok(Value::Bool(false)),
            (Some(ticks), _) => from_ticks(ticks),
            (None, Some(Value::DateTime(instant))) => Some(*instant),
            (None, Some(Value::String(text))) => from_gentime(text.trim()).or_else(|| text.trim().parse().ok()),
            (None, other) => return Err(call.wrong_kind("a date", other)),
        };
        let instant = instant.ok_or_else(|| call.fail(format_args!("not a date")))?;
        Ok(Value::Bool(instant <= call.now))
    }),
    ..PLAIN
};
