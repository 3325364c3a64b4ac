//! Instants and durations as SAML writes them.

use jiff::{SignedDuration, Timestamp};

use crate::rule::{Refusal, Rule, require_with};

/// `2026-11-27T12:00:00Z`, with a fraction or without. The standard wants UTC, so nothing else is read.
pub(crate) fn instant(text: &str) -> Result<Timestamp, Refusal> {
    let parsed = has_shape(text).then(|| text.parse::<Timestamp>().ok()).flatten();
    require_with(Rule::MalformedTime, parsed.is_some(), |refusal| refusal.received(text))?;
    Ok(parsed.unwrap_or(Timestamp::MIN))
}

fn has_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((head, rest)) = bytes.split_at_checked(19) else { return false };
    let is_head = head.iter().enumerate().all(|(index, byte)| match index {
        4 | 7 => *byte == b'-',
        10 => *byte == b'T',
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let fraction = rest.strip_suffix(b"Z").or_else(|| rest.strip_suffix(b"+00:00"));
    let is_tail = fraction.is_some_and(|fraction| match fraction.split_first() {
        None => true,
        Some((b'.', digits)) => (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    });
    is_head && is_tail
}

/// As SAML wants it.
pub(crate) fn written(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `PT6H`, `P1D`, `P1Y2M3DT4H5M6S`: a year counts 365 days, a month 30, since all that follows is when to look again.
pub(crate) fn duration(text: &str) -> Option<SignedDuration> {
    let rest = text.strip_prefix('P')?;
    let (days, clock) = rest.split_once('T').map_or((rest, None), |(days, clock)| (days, Some(clock)));
    if (days.is_empty() && clock.is_none()) || clock.is_some_and(str::is_empty) {
        return None;
    }
    let mut seconds = components(days, &[('Y', 365 * 86_400), ('M', 30 * 86_400), ('D', 86_400)])?;
    seconds = seconds.checked_add(components(clock.unwrap_or_default(), &[('H', 3600), ('M', 60), ('S', 1)])?)?;
    Some(SignedDuration::from_secs(seconds))
}

fn components(mut text: &str, mut units: &[(char, i64)]) -> Option<i64> {
    let mut seconds = 0_i64;
    while !text.is_empty() {
        let end = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let unit = text[end..].chars().next()?;
        let at = units.iter().position(|(name, _)| *name == unit)?;
        // Fractions are for seconds alone, and say nothing here.
        let number = if unit == 'S' { text[..end].split('.').next()? } else { &text[..end] };
        seconds = seconds.checked_add(number.parse::<i64>().ok()?.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        text = &text[end + 1..];
    }
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_utc_and_nothing_else() {
        for text in
            ["2026-11-27T12:00:00Z", "2026-11-27T12:00:00.123Z", "2026-11-27T12:00:00.1234567Z", "2026-11-27T12:00:00+00:00"]
        {
            assert!(instant(text).is_ok(), "{text}");
        }
        for text in [
            "2026-11-27 12:00:00Z",
            "2026-11-27T12:00:00",
            "2026-11-27T12:00:00+01:00",
            "2026-11-27T12:00:00Z[UTC]",
            "2026-13-27T12:00:00Z",
            "2026-11-27T12:00:00.Z",
            "99999-11-27T12:00:00Z",
            "",
        ] {
            assert_eq!(instant(text).map_err(|refusal| refusal.rule), Err(Rule::MalformedTime), "{text}");
        }
    }

    #[test]
    fn durations_are_read_in_the_order_of_their_units() {
        let seconds = |text: &str| duration(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("PT6H"), Some(21_600));
        assert_eq!(seconds("P1DT0.5S"), Some(86_400));
        assert_eq!(seconds("P1Y2M3DT4H5M6S"), Some(365 * 86_400 + 63 * 86_400 + 14_706));
        for text in ["", "P", "PT", "6H", "P1H", "PT1M1H", "P99999999999999999D"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
