//! LDIF (RFC 2849) entries into slots: folded lines, base64 values, comments, several values per attribute. Refuses
//! change records and values by URL: an export has neither.

use super::{Builder, Entry, Names, ReadError, bounded};
use crate::decode;
use crate::limits::ATTRIBUTES_MAX;
use crate::value::Value;
use bumpalo::Bump;

/// One record of a file: where it starts, and its lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// From 1.
    pub line: usize,
    pub bytes: &'a [u8],
}

/// The records of a file, in order; the version line and records of comments alone are none.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = bytes;
    let mut next_line = 1;
    std::iter::from_fn(move || {
        loop {
            let mut record = Record { line: next_line, bytes: rest };
            let mut length = 0;
            let mut says = false;
            let mut any = false;
            while length < rest.len() {
                let line = line_at(&rest[length..]);
                next_line += 1;
                length += line.len();
                let text = trimmed(line);
                if text.is_empty() {
                    if any {
                        break;
                    }
                    (record.line, rest, length) = (next_line, &rest[length..], 0);
                    continue;
                }
                any = true;
                says |= !text.starts_with(b"#") && !text.starts_with(b"version:") && !text.starts_with(b" ");
            }
            record.bytes = &rest[..length];
            rest = &rest[length..];
            if says {
                return Some(record);
            }
            if rest.is_empty() {
                return None;
            }
        }
    })
}

/// Reads one record.
///
/// # Errors
/// With the line: no `name: value`, broken base64, a change record, a value by URL, two DNs or none; too large.
pub fn read<'a>(arena: &'a Bump, names: &Names, record: Record<'a>) -> Result<Entry<'a>, ReadError> {
    bounded(record.bytes.len())?;
    let mut builder = Builder::new(arena, names);
    let mut attributes: Vec<(&'a str, Vec<Value<'a>>)> = Vec::new();
    let mut has_dn = false;
    for (line, bytes) in logical_lines(arena, record) {
        let refuse = |message: String| ReadError::Line { line, message };
        let (name, value) = attribute(arena, bytes).map_err(refuse)?;
        match name.to_ascii_lowercase().as_str() {
            "version" if !has_dn => continue,
            "changetype" | "control" => {
                return Err(refuse("a change record; export the entries themselves (no `changetype`)".to_owned()));
            }
            "dn" if has_dn => return Err(refuse("a second `dn` in one entry; a blank line is missing".to_owned())),
            "dn" => {
                let dn = std::str::from_utf8(value).map_err(|_| refuse("the DN is no UTF-8".to_owned()))?;
                builder.put("$dn", arena.alloc_slice_copy(&[Value::String(dn)]))?;
                has_dn = true;
                continue;
            }
            _ if !has_dn => return Err(refuse("an entry starts with `dn: …`".to_owned())),
            _ => {}
        }
        if !builder.wants(name) {
            continue;
        }
        let value = builder.value(name, value);
        match attributes.iter().rposition(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(at) => attributes[at].1.push(value),
            None if attributes.len() >= ATTRIBUTES_MAX => return Err(ReadError::TooManyAttributes),
            None => attributes.push((name, vec![value])),
        }
    }
    if !has_dn {
        return Err(ReadError::Line { line: record.line, message: "an entry starts with `dn: …`".to_owned() });
    }
    for (name, values) in attributes {
        builder.put(name, arena.alloc_slice_copy(&values))?;
    }
    Ok(builder.finish())
}

/// `name: value`, `name:: base64`.
fn attribute<'a>(arena: &'a Bump, line: &'a [u8]) -> Result<(&'a str, &'a [u8]), String> {
    let colon = memchr::memchr(b':', line).ok_or("no `name: value`")?;
    let name = std::str::from_utf8(&line[..colon]).map_err(|_| "the name is no UTF-8")?;
    if name.is_empty() || name.contains(' ') {
        return Err(format!("`{}` is no attribute name", name.escape_debug()));
    }
    let value = &line[colon + 1..];
    match value.first() {
        Some(b':') => {
            let text = value[1..].trim_ascii();
            let decoded = std::str::from_utf8(text).ok().and_then(|text| decode::base64_bytes(arena, text));
            Ok((name, decoded.ok_or_else(|| format!("the value of `{name}` is no base64"))?))
        }
        Some(b'<') => Err(format!("`{name}` names a URL; values are not fetched, put the value itself")),
        _ => Ok((name, value.trim_ascii_start())),
    }
}

/// Lines with their continuations put back and comments gone, each with the number of its first line.
fn logical_lines<'a>(arena: &'a Bump, record: Record<'a>) -> Vec<(usize, &'a [u8])> {
    let mut out: Vec<(usize, &'a [u8])> = Vec::new();
    let mut folded: Option<bumpalo::collections::Vec<'a, u8>> = None;
    let mut rest = record.bytes;
    let mut number = record.line;
    while !rest.is_empty() {
        let line = line_at(rest);
        rest = &rest[line.len()..];
        let text = trimmed(line);
        match (text.first(), out.last()) {
            (Some(b' '), Some((_, before))) => {
                let whole = folded.get_or_insert_with(|| {
                    let mut whole = bumpalo::collections::Vec::new_in(arena);
                    whole.extend_from_slice(before);
                    whole
                });
                whole.extend_from_slice(&text[1..]);
            }
            (None, _) => {}
            _ => {
                unfold(&mut out, folded.take());
                out.push((number, text));
            }
        }
        number += 1;
    }
    unfold(&mut out, folded);
    out.retain(|(_, line)| !line.starts_with(b"#"));
    out
}

fn unfold<'a>(lines: &mut [(usize, &'a [u8])], folded: Option<bumpalo::collections::Vec<'a, u8>>) {
    if let (Some(last), Some(folded)) = (lines.last_mut(), folded) {
        last.1 = folded.into_bump_slice();
    }
}

/// The first line with its end.
fn line_at(bytes: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', bytes).map_or(bytes, |end| &bytes[..=end])
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::plan_reading;
    use crate::target::Kind;

    fn slots(text: &str) -> Vec<String> {
        let arena = Bump::new();
        let names = Names::new(&plan_reading(Kind::Ldap, &["$dn", "cn", "cn;lang-de", "photo"]));
        let read = |record| match read(&arena, &names, record) {
            Ok(entry) => format!("{:?}", entry.slots),
            Err(error) => error.to_string(),
        };
        records(text.as_bytes()).map(read).collect()
    }

    #[test]
    fn folded_lines_comments_base64_and_several_values_are_read() {
        let text = "version: 1\n# an export,\n  folded comment\ndn: cn=Ann,\n dc=x\nobjectClass: top\ncn: Ann\nCN: A. L\n ee\n\
                    cn;lang-de:: QW5uw6k=\nphoto:: /9g=\n\n\n# the end\n\ndn:: Y249Yg==\r\ncn:\r\n";
        assert_eq!(
            slots(text),
            [
                r#"[One(String("cn=Ann,dc=x")), Many([String("Ann"), String("A. Lee")]), One(String("Anné")), One(Binary([255, 216]))]"#,
                r#"[One(String("cn=b")), Empty, Missing, Missing]"#,
            ]
        );
    }

    #[test]
    fn what_is_no_entry_is_refused_with_its_line() {
        for (text, says) in [
            ("dn: a\nchangetype: modify\n", "line 2: a change record"),
            ("\ndn: a\njpegPhoto:< file:///etc/passwd\n", "line 3: `jpegPhoto` names a URL"),
            ("cn: a\n", "line 1: an entry starts with `dn"),
            ("dn: a\n\ndn: b\nnonsense\n", "line 4: no `name: value`"),
            ("dn: a\ncn:: *\n", "line 2: the value of `cn` is no base64"),
            ("dn: a\ndn: b\n", "line 2: a second `dn`"),
        ] {
            let found = slots(text);
            assert!(found.last().unwrap().starts_with(says), "{text:?} {found:?}");
        }
    }
}
