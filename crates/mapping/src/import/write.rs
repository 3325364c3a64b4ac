//! Pieces of the language as text: names, strings, literals of a test.

use serde_json::Value;
use std::fmt::Write as _;

/// Words that mean something at the beginning of an item or in an expression.
const WORDS: &[&str] = &[
    "mapping",
    "use",
    "prefix",
    "const",
    "table",
    "let",
    "fn",
    "attrs",
    "default",
    "skip",
    "deny",
    "override",
    "remove",
    "test",
    "if",
    "then",
    "else",
    "match",
    "or",
    "and",
    "not",
    "in",
    "like",
    "for",
    "when",
    "with",
    "because",
    "true",
    "false",
    "absent",
    "keep",
    "it",
    "now",
    "inherited",
    "new",
    "old",
    "error",
    "name_id",
];

pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// `"…"`, every sign as itself.
pub fn string(text: &str) -> String {
    format!("\"{}\"", inside(text))
}

/// Text between the quotes of a string or template.
pub fn inside(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\\' | '{' => {
                out.push('\\');
                out.push(letter);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // Writing to a String can't fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(other));
            }
            other => out.push(other),
        }
    }
    out
}

/// `$name` or `$"any name"`; `None` for one that can't be written (quotes, backslashes, control signs, too long).
pub fn source(name: &str) -> Option<String> {
    if is_name(name) {
        return Some(format!("${name}"));
    }
    is_writable(name).then(|| format!("$\"{name}\""))
}

fn is_writable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 1_000
        && !name.chars().any(|letter| letter.is_control() || matches!(letter, '"' | '\\' | '{'))
}

/// `.member` or `["any member"]`
pub fn member(name: &str) -> String {
    if is_name(name) && !WORDS.contains(&name) { format!(".{name}") } else { format!("[{}]", string(name)) }
}

/// `app_metadata.title`, `app_metadata["a b"]`
pub fn target(path: &[String]) -> String {
    let Some((first, rest)) = path.split_first() else { return String::new() };
    rest.iter().fold(first.clone(), |written, segment| written + &member(segment))
}

/// A name for the header, from a file's.
pub fn mapping_name(file: &str) -> String {
    let base = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = base.split('.').next().unwrap_or_default();
    let words: Vec<String> = stem
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let name = words.join("-");
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name
    } else {
        format!("imported-{name}").trim_end_matches('-').to_owned()
    }
}

/// One line of a comment.
pub fn comment(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') { ' ' } else { letter })
        .collect()
}

/// A JSON value as a literal of a test. `None`: the language has no literal for it (fractions, null).
pub fn literal(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        Value::String(text) => Some(string(text)),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(literal).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Object(members) => record(members.iter().map(|(name, value)| (name.as_str(), literal(value)))),
    }
}

/// `{ name: value }` of literals; `None` if one has none.
pub fn record<'m>(members: impl Iterator<Item = (&'m str, Option<String>)>) -> Option<String> {
    let mut out = Vec::new();
    for (name, value) in members {
        let value = value?;
        out.push(if is_name(name) && !WORDS.contains(&name) {
            format!("{name}: {value}")
        } else {
            format!("{}: {value}", string(name))
        });
    }
    Some(if out.is_empty() { "{ }".to_owned() } else { format!("{{ {} }}", out.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_sign_survives_in_a_string() {
        for text in ["a\"b", "{x}", "c:\\d", "tab\tline\nend", "\u{0}\u{7f}\u{2028}", "größe 🙂"] {
            let parsed = crate::syntax::parse(&format!("x = {}", string(text)), crate::span::FileId(0));
            let crate::ast::Item::Rule(rule) = &parsed.file.items[0] else { panic!("a rule") };
            let crate::ast::RuleValue::Expr(value) = &rule.value else { panic!("a value") };
            assert_eq!(value.kind, crate::ast::ExprKind::String(text.into()));
        }
    }

    #[test]
    fn a_name_that_cannot_be_written_is_none() {
        assert_eq!(source("mail").unwrap(), "$mail");
        assert_eq!(source("urn:oid:2.5.4.3").unwrap(), "$\"urn:oid:2.5.4.3\"");
        for name in ["", "a\"b", "a\\b", "a\nb"] {
            assert_eq!(source(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_file_gives_its_mapping_a_name() {
        for (file, name) in [("dir/Profile Mapper.js", "profile-mapper"), ("1.json", "imported-1"), ("", "imported")] {
            assert_eq!(mapping_name(file), name);
        }
    }

    #[test]
    fn what_has_no_literal_is_told() {
        assert_eq!(literal(&json!({"a b": [1, true, "x"], "if": {}})).unwrap(), r#"{ "a b": [1, true, "x"], "if": { } }"#);
        assert_eq!(literal(&json!([1.5])), None);
        assert_eq!(literal(&json!({"a": null})), None);
    }
}
