//! CSV (RFC 4180) as tables need it: comma, quotes, any line end. Borrows from the text wherever it can.

use std::borrow::Cow;

/// A field that is quoted wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: a quote is not closed, or stands inside a field that is not quoted")]
pub struct Malformed {
    pub line: usize,
}

/// The records of a text, one at a time; after an error there are no more. Empty lines are none.
pub fn records(text: &str) -> impl Iterator<Item = Result<Vec<Cow<'_, str>>, Malformed>> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    std::iter::from_fn(move || {
        while let Some(after) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            rest = after;
            line += 1;
        }
        if rest.is_empty() {
            return None;
        }
        let record = record(&mut rest, &mut line);
        if record.is_err() {
            rest = "";
        }
        Some(record)
    })
}

fn record<'t>(rest: &mut &'t str, line: &mut usize) -> Result<Vec<Cow<'t, str>>, Malformed> {
    let mut fields = Vec::new();
    let start = *line;
    loop {
        let (field, after) = if rest.starts_with('"') { quoted(rest, line) } else { Some(plain(rest)) }
            .filter(|(field, _)| rest.starts_with('"') || !field.contains('"'))
            .ok_or(Malformed { line: start })?;
        fields.push(field);
        if let Some(next) = after.strip_prefix(',') {
            *rest = next;
            continue;
        }
        let end = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'));
        match end {
            Some(next) => {
                *rest = next;
                *line += 1;
            }
            None if after.is_empty() => *rest = after,
            None => return Err(Malformed { line: start }),
        }
        return Ok(fields);
    }
}

fn plain(text: &str) -> (Cow<'_, str>, &str) {
    let end = text.find([',', '\n']).unwrap_or(text.len());
    let field = &text[..end];
    match field.strip_suffix('\r') {
        Some(field) if text[end..].starts_with('\n') => (field.into(), &text[end - 1..]),
        _ => (field.into(), &text[end..]),
    }
}

fn quoted<'t>(text: &'t str, line: &mut usize) -> Option<(Cow<'t, str>, &'t str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut field: Cow<'t, str> = Cow::Borrowed("");
    loop {
        let end = rest.find('"')?;
        *line += rest[..end].matches('\n').count();
        if field.is_empty() {
            field = Cow::Borrowed(&rest[..end]);
        } else {
            field.to_mut().push_str(&rest[..end]);
        }
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.to_mut().push('"');
                rest = after;
            }
            None => return Some((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        records(text).map(|record| record.unwrap().into_iter().map(Cow::into_owned).collect()).collect()
    }

    #[test]
    fn quotes_hold_commas_line_ends_and_quotes() {
        assert_eq!(read("a,b\r\n\"x,\"\"y\"\"\n\",2\n"), [["a", "b"], ["x,\"y\"\n", "2"]]);
    }

    #[test]
    fn a_mark_of_order_and_empty_lines_do_not_count() {
        assert_eq!(read("\u{feff}a\n\n\nb"), [["a"], ["b"]]);
    }

    #[test]
    fn empty_fields_are_fields() {
        assert_eq!(read(",\n\"\",x"), [["", ""], ["", "x"]]);
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_line_and_ends_the_reading() {
        let found: Vec<_> = records("a\n\"b").collect();
        assert_eq!(found[1], Err(Malformed { line: 2 }));
        assert_eq!(found.len(), 2);
    }
}
