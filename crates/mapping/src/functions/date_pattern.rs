//! Date patterns as Entra (.NET) and Okta (Java) write them, for reading and writing. Where a letter means the same in
//! both it is that; letters of one alone are taken too; any other letter is an error. English names (CLDR).
//!
//! | year `yyyy yy` | month `M MM MMM MMMM` | day `d dd` | weekday `ddd dddd E EEE EEEE` | day of year `D DDD` |
//! | hour `H HH` (0–23) `h hh` (1–12) | minute `m mm` | second `s ss` | fraction `f…` `S…` (1–9 digits) |
//! | half `t tt a` | offset `z zz zzz` (+2 +02 +02:00) `Z` (+0200) `ZZ` (+02:00) `X XX XXX` `K` (the same, `Z` for UTC) |
//! Text between `'…'` stands for itself (`''` is a quote), so does a character after `\`, and `T`.

use super::Call;
use super::build::TextBuilder;
use crate::value::Failure;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use std::fmt::Write as _;

const PATTERN_BYTES_MAX: usize = 256;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// One element of a pattern.
enum Piece<'p> {
    Literal(&'p str),
    /// A letter and how often it stands there.
    Field(u8, usize),
}

/// Takes the pattern apart; `None` for a quote without its end.
fn next_piece<'p>(pattern: &mut &'p str) -> Option<Option<Piece<'p>>> {
    let text = *pattern;
    let Some(first) = text.chars().next() else { return Some(None) };
    let (piece, length) = match first {
        '\'' if text[1..].starts_with('\'') => (Piece::Literal("'"), 2),
        '\'' => {
            let end = text[1..].find('\'')?;
            (Piece::Literal(&text[1..=end]), end + 2)
        }
        '\\' => {
            let escaped = text[1..].chars().next()?;
            (Piece::Literal(&text[1..1 + escaped.len_utf8()]), 1 + escaped.len_utf8())
        }
        // No letter of either, and in every ISO 8601 pattern: .NET takes it for itself without quotes.
        'T' => (Piece::Literal("T"), 1),
        letter if letter.is_ascii_alphabetic() => {
            let count = text.chars().take_while(|other| *other == letter).count();
            (Piece::Field(text.as_bytes()[0], count), count)
        }
        other => (Piece::Literal(&text[..other.len_utf8()]), other.len_utf8()),
    };
    *pattern = &text[length..];
    Some(Some(piece))
}

fn pieces<'p, 'a>(
    call: &Call<'a>,
    pattern: &'p str,
    mut each: impl FnMut(Piece<'p>) -> Result<(), Failure<'a>>,
) -> Result<(), Failure<'a>> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(call.over(format_args!("pattern longer than {PATTERN_BYTES_MAX} bytes")));
    }
    let mut rest = pattern;
    loop {
        match next_piece(&mut rest) {
            Some(Some(piece)) => each(piece)?,
            Some(None) => return Ok(()),
            None => return Err(call.fail(format_args!("quote or backslash without its end in the pattern"))),
        }
    }
}

fn unknown<'a>(call: &Call<'a>, letter: u8, count: usize) -> Failure<'a> {
    let letter = char::from(letter);
    call.fail(format_args!("pattern letter `{letter}` ({count} times) means nothing here: put plain text between quotes"))
}

pub(super) fn write<'a>(
    call: &Call<'a>,
    out: &mut TextBuilder<'_, 'a>,
    at: DateTime,
    offset: Offset,
    pattern: &str,
) -> Result<(), Failure<'a>> {
    pieces(call, pattern, |piece| {
        let (letter, count) = match piece {
            Piece::Literal(text) => {
                out.push_str(text);
                return Ok(());
            }
            Piece::Field(letter, count) => (letter, count),
        };
        write_field(out, at, offset, letter, count).ok_or_else(|| unknown(call, letter, count))
    })
}

fn write_field(out: &mut TextBuilder<'_, '_>, at: DateTime, offset: Offset, letter: u8, count: usize) -> Option<()> {
    let (hour, hour12) = (i32::from(at.hour()), (i32::from(at.hour()) + 11) % 12 + 1);
    let (number, width_max) = match letter {
        b'y' if count == 2 => (i32::from(at.year()).rem_euclid(100), 2),
        b'y' => (i32::from(at.year()), 4),
        b'M' if count <= 2 => (i32::from(at.month()), 2),
        b'd' if count <= 2 => (i32::from(at.day()), 2),
        b'D' => (i32::from(at.day_of_year()), 3),
        b'H' => (hour, 2),
        b'h' => (hour12, 2),
        b'm' => (i32::from(at.minute()), 2),
        b's' => (i32::from(at.second()), 2),
        _ => return write_word(out, at, offset, letter, count),
    };
    if count > width_max {
        return None;
    }
    // A breach of the bound is remembered by the builder, here and below.
    let _ = write!(out, "{number:0count$}");
    Some(())
}

fn write_word(out: &mut TextBuilder<'_, '_>, at: DateTime, offset: Offset, letter: u8, count: usize) -> Option<()> {
    let month = MONTHS.get(usize::try_from(at.month() - 1).ok()?)?;
    let weekday = WEEKDAYS.get(usize::try_from(at.weekday().to_monday_zero_offset()).ok()?)?;
    match (letter, count) {
        (b'M', 3) => out.push_str(&month[..3]),
        (b'M', 4) => out.push_str(month),
        (b'd', 3) | (b'E', 1..=3) => out.push_str(&weekday[..3]),
        (b'd' | b'E', 4) => out.push_str(weekday),
        (b't' | b'a', 1 | 2) => {
            let half = if at.hour() < 12 { "AM" } else { "PM" };
            out.push_str(if (letter, count) == (b't', 1) { &half[..1] } else { half });
        }
        (b'f' | b'S', 1..=9) => {
            let fraction = at.subsec_nanosecond() / 10_i32.pow(9 - u32::try_from(count).ok()?);
            let _ = write!(out, "{fraction:0count$}");
        }
        (b'z' | b'Z' | b'X' | b'K', _) => return write_offset(out, offset, letter, count),
        _ => return None,
    }
    Some(())
}

fn write_offset(out: &mut TextBuilder<'_, '_>, offset: Offset, letter: u8, count: usize) -> Option<()> {
    let sign = if offset.seconds() < 0 { '-' } else { '+' };
    let minutes = offset.seconds().abs() / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let _ = match (letter, count) {
        (b'X', 1..=3) | (b'K', 1) if offset.is_zero() => out.write_str("Z"),
        (b'z', 1) => write!(out, "{sign}{hours}"),
        (b'z', 2) | (b'X', 1) => write!(out, "{sign}{hours:02}"),
        (b'Z', 1) | (b'X', 2) => write!(out, "{sign}{hours:02}{minutes:02}"),
        (b'z' | b'X', 3) | (b'Z', 2) | (b'K', 1) => write!(out, "{sign}{hours:02}:{minutes:02}"),
        _ => return None,
    };
    Some(())
}

/// What a text said by its pattern; what it did not say is the start of the year, month or day.
#[derive(Default)]
pub(super) struct Reading {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    hour12: Option<i8>,
    afternoon: bool,
    minute: i8,
    second: i8,
    nanosecond: i32,
    pub(super) offset: Option<Offset>,
}

impl Reading {
    /// `None` for a day or time that the calendar does not have, or without a year.
    pub(super) fn civil(&self) -> Option<DateTime> {
        let date = Date::new(self.year?, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?;
        let date = match self.day_of_year {
            Some(day) => date.with().day_of_year(day).build().ok()?,
            None => date,
        };
        let hour = match self.hour12 {
            Some(hour @ 1..=12) => hour % 12 + if self.afternoon { 12 } else { 0 },
            Some(_) => return None,
            None => self.hour,
        };
        let time = Time::new(hour, self.minute, self.second.min(59), self.nanosecond).ok()?;
        (self.second <= 60).then(|| date.to_datetime(time))
    }
}

pub(super) fn read<'a>(call: &Call<'a>, text: &str, pattern: &str) -> Result<Reading, Failure<'a>> {
    let mut reading = Reading::default();
    let mut rest = text;
    pieces(call, pattern, |piece| {
        let mismatch = || call.fail(format_args!("text does not fit the pattern"));
        match piece {
            Piece::Literal(literal) => rest = rest.strip_prefix(literal).ok_or_else(mismatch)?,
            Piece::Field(letter, count) => {
                if !is_known(letter, count) {
                    return Err(unknown(call, letter, count));
                }
                read_field(&mut reading, &mut rest, letter, count).ok_or_else(mismatch)?;
            }
        }
        Ok(())
    })?;
    if rest.is_empty() { Ok(reading) } else { Err(call.fail(format_args!("text goes on after the pattern's end"))) }
}

const fn is_known(letter: u8, count: usize) -> bool {
    match letter {
        b'y' | b'M' | b'd' | b'E' => count <= 4,
        b'D' | b'z' | b'X' => count <= 3,
        b'H' | b'h' | b'm' | b's' | b't' | b'a' | b'Z' => count <= 2,
        b'K' => count == 1,
        b'f' | b'S' => count <= 9,
        _ => false,
    }
}

fn read_field(reading: &mut Reading, rest: &mut &str, letter: u8, count: usize) -> Option<()> {
    match letter {
        b'y' if count == 2 => {
            let year: i16 = digits(rest, 2, 2)?;
            reading.year = Some(if year < 50 { 2000 + year } else { 1900 + year });
        }
        b'y' => reading.year = Some(digits(rest, count, 4)?),
        b'M' if count >= 3 => reading.month = Some(i8::try_from(name(rest, &MONTHS, count == 3)?).ok()? + 1),
        b'M' => reading.month = Some(digits(rest, count, 2)?),
        b'd' | b'E' if letter == b'E' || count >= 3 => {
            name(rest, &WEEKDAYS, count <= 3)?;
        }
        b'd' => reading.day = Some(digits(rest, count, 2)?),
        b'D' => reading.day_of_year = Some(digits(rest, count, 3)?),
        b'H' => reading.hour = digits(rest, count, 2)?,
        b'h' => reading.hour12 = Some(digits(rest, count, 2)?),
        b'm' => reading.minute = digits(rest, count, 2)?,
        b's' => reading.second = digits(rest, count, 2)?,
        b't' | b'a' => {
            let length = if (letter, count) == (b't', 1) { 1 } else { 2 };
            let half = rest.get(..length)?;
            reading.afternoon = half.eq_ignore_ascii_case(&"PM"[..length]);
            if !reading.afternoon && !half.eq_ignore_ascii_case(&"AM"[..length]) {
                return None;
            }
            *rest = &rest[length..];
        }
        b'f' | b'S' => {
            let fraction: i32 = digits(rest, count, count)?;
            reading.nanosecond = fraction * 10_i32.pow(9 - u32::try_from(count).ok()?);
        }
        _ => reading.offset = Some(read_offset(rest)?),
    }
    Some(())
}

/// At least as many digits as the pattern has letters (one for a single letter), at most `most`.
fn digits<T: std::str::FromStr>(rest: &mut &str, least: usize, most: usize) -> Option<T> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, after) = rest.split_at(length);
    *rest = after;
    if length < least { None } else { number.parse().ok() }
}

/// The place of an English name in the list; case does not count.
fn name(rest: &mut &str, names: &[&str], short: bool) -> Option<usize> {
    names.iter().position(|name| {
        let name = if short { &name[..3] } else { name };
        let found = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if found {
            *rest = &rest[name.len()..];
        }
        found
    })
}

/// `Z`, `+2`, `+02`, `+0200`, `+02:00`.
pub(super) fn read_offset(rest: &mut &str) -> Option<Offset> {
    if let Some(after) = rest.strip_prefix(['Z', 'z']) {
        *rest = after;
        return Some(Offset::UTC);
    }
    let sign = match rest.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    *rest = &rest[1..];
    let hours: i32 = digits(rest, 1, 2)?;
    let after_colon = rest.strip_prefix(':').unwrap_or(rest);
    let has_minutes = after_colon.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let minutes: i32 = if has_minutes {
        *rest = after_colon;
        digits(rest, 2, 2)?
    } else {
        0
    };
    (minutes < 60).then(|| Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::call;
    use crate::value::Value;
    use bumpalo::Bump;

    #[test]
    fn t_stands_for_itself_when_read_and_when_written() {
        let arena = Bump::new();
        let pattern = Value::String("yyyy-MM-ddTHH:mm:ssK");
        let read = call(&arena, "datetime", &[Value::String("2026-01-31T10:00:00+01:00"), pattern]).unwrap();
        let written = call(&arena, "format_date", &[read, pattern]).unwrap();
        assert_eq!(written, Value::String("2026-01-31T09:00:00Z"));
    }
}
