//! Names of entries compared as names (RFC 4514): spelling, case and escapes aside. It answers one question, whether one
//! entry lies below another, and errs on the side of no where a value would need the server's schema to be compared.

/// Parts of a name that are looked at; deeper ones are not compared.
const PARTS_MAX: usize = 256;

/// Whether `dn` is `base` or lies below it.
pub fn is_within(dn: &str, base: &str) -> bool {
    match (parts(dn), parts(base)) {
        (Some(dn), Some(base)) => dn.ends_with(&base),
        _ => false,
    }
}

/// The parts of a name, folded, innermost first; `None`: it is no name.
fn parts(dn: &str) -> Option<Vec<String>> {
    if dn.trim().is_empty() {
        return Some(Vec::new());
    }
    let parts: Option<Vec<String>> = split(dn, &[',', ';']).into_iter().take(PARTS_MAX + 1).map(part).collect();
    parts.filter(|parts| parts.len() <= PARTS_MAX)
}

/// One part: `cn=a`, or several joined by `+`, in one order.
fn part(text: &str) -> Option<String> {
    let folded = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = unescaped(value.trim_start()).to_lowercase();
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(format!("{}={value}", name.trim().to_lowercase()))
    };
    let mut pairs = split(text, &['+']).into_iter().map(folded).collect::<Option<Vec<String>>>()?;
    pairs.sort_unstable();
    Some(pairs.join("+"))
}

/// Cut where one of `at` stands, unless it is escaped or in quotes (RFC 2253 had them).
fn split<'t>(text: &'t str, at: &[char]) -> Vec<&'t str> {
    let (mut parts, mut start, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if !quoted && at.contains(&character) => {
                parts.push(&text[start..place]);
                start = place + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The value itself: `\,` and `\2C` are a comma.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.trim_end_matches(' ').bytes().peekable();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            if byte != b'"' {
                bytes.push(byte);
            }
            continue;
        }
        let Some(next) = rest.next() else { break };
        let second = rest.peek().copied().and_then(digit);
        match (digit(next), second) {
            (Some(high), Some(low)) => {
                rest.next();
                bytes.push(high * 16 + low);
            }
            _ => bytes.push(next),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_lies_below_another_however_either_is_written() {
        for (dn, base) in [
            ("uid=ann,ou=people,dc=x", "ou=people,dc=x"),
            ("ou=People, DC=X", "OU=people,dc=x"),
            (r"cn=Lee\, Ann,ou=a\2Cb,dc=x", r"ou=a\,b,dc=x"),
            ("cn=a,ou=b+l=c,dc=x", "L=c+OU=b,dc=x"),
            ("cn=a,ou=\"b,c\",dc=x", r"ou=b\,c,dc=x"),
            ("cn=a,ou=J\u{f6}rg,dc=x", r"ou=j\C3\B6rg,dc=x"),
            ("dc=x", "dc=x"),
            ("dc=x", ""),
        ] {
            assert!(is_within(dn, base), "{dn} in {base}");
        }
        for (dn, base) in [
            ("dc=x", "ou=people,dc=x"),
            ("cn=a,ou=otherpeople,dc=x", "ou=people,dc=x"),
            (r"cn=a\,ou=people,dc=x", "ou=people,dc=x"),
            ("nonsense", "dc=x"),
            ("cn=a,dc=x", "nonsense"),
        ] {
            assert!(!is_within(dn, base), "{dn} in {base}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_compared_without_a_panic(dn in r#"([a-z=,+ "\\é0-9]){0,40}"#, base in r#"([a-z=,+ "\\é0-9]){0,20}"#) {
            let _ = is_within(&dn, &base);
        }
    }
}
