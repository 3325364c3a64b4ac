//! FILETIME (100 ns since 1601) as RFC 3339 text.

use super::binary::Short;

/// When the account expires, to the second; absent when it never does (0 and 2^63-1) or the text is no number.
pub fn expiry(text: &str) -> Option<Short<20>> {
    if text == "0" || text == "9223372036854775807" {
        return None;
    }
    let seconds = text.parse::<i64>().ok()? / 10_000_000;
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    let (year, month, day) = civil(days)?;
    let mut out = *b"0000-00-00T00:00:00Z";
    two(&mut out[0..2], year / 100);
    two(&mut out[2..4], year % 100);
    two(&mut out[5..7], month);
    two(&mut out[8..10], day);
    two(&mut out[11..13], second / 3600);
    two(&mut out[14..16], second / 60 % 60);
    two(&mut out[17..19], second % 60);
    let mut short = Short::empty();
    short.push(&out);
    Some(short)
}

fn two(out: &mut [u8], number: u32) {
    out[0] = b'0' + (number / 10) as u8;
    out[1] = b'0' + (number % 10) as u8;
}

/// Year, month and day of a day since 1601-01-01; absent before that day and after 9999.
fn civil(days: i64) -> Option<(u32, u32, u32)> {
    // Counted from 1600-03-01, so that the leap day is the last of a year and eras begin at a multiple of 400.
    let days = u32::try_from(days + 306).ok()?;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = 1600 + era * 400 + year_of_era + u32::from(month <= 2);
    (year <= 9999).then_some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_time_is_a_date() {
        let text = |filetime| expiry(filetime).map(|short| String::from_utf8(short.as_bytes().to_vec()).unwrap());
        assert_eq!(text("116444736000000000").unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(text("133536743990000000").unwrap(), "2024-02-29T09:59:59Z");
        assert_eq!(text("10000000").unwrap(), "1601-01-01T00:00:01Z");
        assert_eq!(text("0"), None);
        assert_eq!(text("9223372036854775807"), None);
        assert_eq!(text("soon"), None);
    }
}
