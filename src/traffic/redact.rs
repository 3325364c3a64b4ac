//! Takes secrets out of what is recorded, and cuts the rest.
//!
//! Masked: the value of every attribute whose name looks like a secret's, at every depth, whether it is a key, a PATCH path, a
//! key that is a path, or the `type` of an element, or is told to be one; every filter that names one; tokens of ours, JSON web tokens and
//! `Authorization` values wherever they stand. What was masked is then taken out of all other texts of the same exchange too,
//! because an error may quote it. Kept: ids, filters and attributes of people: they are what a report is about, and go with
//! retention. A body that is no JSON is never kept as text, only its shape.

use crate::model::secret_name::is_secret_name;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What stands for a secret.
pub const MASK: &str = "***";
/// Longest body kept.
pub const BODY_BYTES_MAX: usize = 8 << 10;
/// Larger bodies are not even read: only their size is kept.
pub const READ_BYTES_MAX: usize = 256 << 10;
const QUERY_BYTES_MAX: usize = 2 << 10;
const PATH_BYTES_MAX: usize = 512;
const TEXT_BYTES_MAX: usize = 1 << 10;
/// Secrets shorter than this are not looked for in other texts: they would be found everywhere.
const TRACED_CHARS_MIN: usize = 4;
/// Errors quote a beginning: so much of a secret is enough to recognise it.
const TRACED_PREFIX: usize = 6;
const TRACED_MAX: usize = 64;
/// Characters of a broken body's shape, up to where it breaks.
const SHAPE_CHARS: usize = 120;

/// Query parameters whose values may be kept.
const PARAMETERS: [&str; 11] = [
    "filter",
    "attributes",
    "excludedattributes",
    "startindex",
    "count",
    "cursor",
    "sortby",
    "sortorder",
    "includefields",
    "fields",
    "schemas",
];
/// Query parameters that are flags.
const FLAGS: [&str; 2] = ["aadoptscim062020", "azureadscimpatch2017"];

/// Takes the secrets out of one exchange: what it masked once it masks everywhere.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Names of attributes that are secrets here besides those that look like it, in lower case.
    names: Arc<[String]>,
    /// Beginnings of what was masked, in lower case.
    traced: Vec<String>,
}

/// [`is_secret_name`], or one of `names` is a part of it.
fn is_secret(names: &[String], name: &str) -> bool {
    let is_one = |part: &str| names.iter().any(|secret| secret.eq_ignore_ascii_case(part));
    let separates = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'));
    is_secret_name(name) || !names.is_empty() && name.split(separates).any(is_one)
}

/// Whether a filter names such an attribute. What stands in quotes is a value: a group may be called "Password Admins".
fn filters_by_secret(names: &[String], filter: &str) -> bool {
    let parts: Vec<&str> = filter.split('"').collect();
    if parts.len().is_multiple_of(2) {
        return is_secret(names, filter);
    }
    let words = parts.iter().step_by(2).flat_map(|part| part.split([' ', '(', ')', '[', ']']));
    words.into_iter().any(|word| is_secret(names, word))
}

impl Redactor {
    /// One that takes attributes of these names for secrets too.
    pub fn of(names: Arc<[String]>) -> Self {
        Self { names, ..Self::default() }
    }

    /// A JSON body as it is kept; None for an empty one. `value` is the parsed body, if it could be parsed.
    pub fn body(&mut self, bytes: &[u8], value: Option<&mut Value>) -> Option<String> {
        if bytes.is_empty() {
            return None;
        }
        let Some(value) = value else { return Some(shape(bytes)) };
        self.mask_value(value);
        // Cut first: what is thrown away need not be searched.
        let mut text = cut(value.to_string(), BODY_BYTES_MAX);
        for secret in &self.traced {
            text = without(&text, secret);
        }
        Some(text)
    }

    /// The query string, decoded parameter by parameter only as far as masking needs it.
    pub fn query(&mut self, query: &str) -> String {
        let pairs = query.split('&').map(|pair| {
            let Some((name, value)) = pair.split_once('=') else {
                let known = FLAGS.contains(&pair.to_ascii_lowercase().as_str()) || pair.is_empty();
                return if known { pair.to_owned() } else { MASK.to_owned() };
            };
            let plain = name.to_ascii_lowercase();
            let decoded = decoded(value);
            if !PARAMETERS.contains(&plain.as_str()) {
                self.trace(&decoded);
                let named = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
                return format!("{}={MASK}", if named { name } else { MASK });
            }
            if plain == "filter" && filters_by_secret(&self.names, &decoded) {
                self.trace_filter(&decoded);
                return format!("{name}={MASK}");
            }
            // An encoded token shows only once it is decoded.
            if without_tokens(&decoded) != decoded {
                return format!("{name}={MASK}");
            }
            format!("{name}={value}")
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// A text that goes beside the bodies: everything masked before is masked here, and what looks like a token.
    pub fn text(&self, text: &str, bytes_max: usize) -> String {
        let mut text = without_tokens(&text.replace('\0', "\u{fffd}"));
        for secret in &self.traced {
            text = without(&text, secret);
        }
        cut(text, bytes_max)
    }

    /// A path, as it was sent but for segments that hold a token, encoded or not.
    pub fn path(&self, path: &str) -> String {
        let kept = path.split('/').map(|segment| {
            let decoded = decoded(segment);
            if without_tokens(&decoded) == decoded { segment } else { MASK }
        });
        self.text(&kept.collect::<Vec<_>>().join("/"), PATH_BYTES_MAX)
    }

    pub fn short(&self, text: &str) -> String {
        self.text(text, TEXT_BYTES_MAX)
    }

    pub fn long_query(&self, text: &str) -> String {
        self.text(text, QUERY_BYTES_MAX)
    }

    fn mask_value(&mut self, value: &mut Value) {
        match value {
            Value::Object(object) => self.mask_object(object),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::String(text) => self.mask_text(text),
            _ => {}
        }
    }

    fn mask_object(&mut self, object: &mut Map<String, Value>) {
        let names = Arc::clone(&self.names);
        let is_secret_name = |name: &str| is_secret(&names, name);
        // A PATCH operation on a secret, or an element that says of itself that it is one: only the value says what.
        let about = |name: &str| member(object, name).and_then(Value::as_str).is_some_and(is_secret_name);
        let keys_are_secret = |name: &str| member(object, name).is_some_and(|value| holds_secret_key(&names, value));
        let is_operation = member(object, "op").is_some();
        let is_word = |name: &str| member(object, name).and_then(Value::as_str).is_some_and(|text| !text.contains(' '));
        let is_secret = ["path", "type", "name", "key"].iter().any(|name| about(name) && (*name == "path" || is_word(name)));
        let op_is_odd = is_operation && (is_secret || keys_are_secret("value"));
        for (name, value) in object.iter_mut() {
            let plain = name.to_ascii_lowercase();
            match plain.as_str() {
                // A word of the protocol that is none, in an operation about a secret.
                "op" if op_is_odd && !value.as_str().is_some_and(is_operation_word) => self.mask(value),
                "path" if is_operation => self.mask_path(value),
                "filter" if value.as_str().is_some_and(|filter| filters_by_secret(&names, filter)) => {
                    self.trace_filter(value.as_str().unwrap_or_default());
                    *value = Value::String(MASK.to_owned());
                }
                "op" | "path" | "type" | "name" | "key" | "schemas" => self.mask_value(value),
                _ if is_secret || is_secret_name(name) => self.mask(value),
                _ => self.mask_value(value),
            }
        }
        // A key may be a path with values of its own: `credentials[value eq "…"]`.
        if object.keys().any(|key| key.contains('"') && is_secret_name(key)) {
            let old = std::mem::take(object);
            object.extend(
                old.into_iter()
                    .map(|(key, value)| if is_secret_name(&key) { (self.path_text(&key), value) } else { (key, value) }),
            );
        }
    }

    fn mask_path(&mut self, value: &mut Value) {
        match value {
            Value::String(path) if is_secret(&self.names, path) => *path = self.path_text(path),
            other => self.mask_value(other),
        }
    }

    /// A path about a secret keeps its names and loses its values.
    fn path_text(&mut self, path: &str) -> String {
        match path.split_once('[') {
            Some((name, filter)) => {
                self.trace_filter(filter);
                format!("{name}[{MASK}]")
            }
            None => path.to_owned(),
        }
    }

    fn mask(&mut self, value: &mut Value) {
        self.trace_value(value);
        *value = Value::String(MASK.to_owned());
    }

    /// Text that is JSON or a token of some kind by itself.
    fn mask_text(&mut self, text: &mut String) {
        let trimmed = text.trim_start();
        if trimmed.starts_with(['{', '[']) && is_secret(&self.names, trimmed) {
            self.trace(text);
            text.clear();
            text.push_str(MASK);
        } else if text.len() >= 20 {
            *text = without_tokens(text);
        }
    }

    fn trace_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.trace(text),
            Value::Array(items) => items.iter().for_each(|item| self.trace_value(item)),
            Value::Object(members) => members.values().for_each(|member| self.trace_value(member)),
            Value::Number(number) => self.trace(&number.to_string()),
            _ => {}
        }
    }

    /// The values of a filter: what stands in quotes, and bare words after an operator.
    fn trace_filter(&mut self, filter: &str) {
        filter.split('"').skip(1).step_by(2).for_each(|quoted| self.trace(quoted));
        let words: Vec<&str> = filter.split([' ', '(', ')', '[', ']']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            if ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"].contains(&pair[0].to_ascii_lowercase().as_str()) {
                self.trace(pair[1].trim_matches('"'));
            }
        }
    }

    fn trace(&mut self, secret: &str) {
        if secret.chars().count() < TRACED_CHARS_MIN || self.traced.len() >= TRACED_MAX {
            return;
        }
        let beginning: String = secret.chars().take(TRACED_PREFIX).collect();
        let beginning = beginning.to_lowercase();
        if !self.traced.contains(&beginning) {
            self.traced.push(beginning);
        }
    }
}

fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn holds_secret_key(names: &[String], value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.keys().any(|key| is_secret(names, key)))
}

fn is_operation_word(word: &str) -> bool {
    ["add", "remove", "replace"].iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn decoded(value: &str) -> String {
    percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// `text` without what begins like `secret` (lower case), up to the end of that word.
fn without(text: &str, secret: &str) -> String {
    let lower = text.to_lowercase();
    // Where lower case has another length, positions would not suit: then nothing of a text that holds it is kept.
    if lower.len() != text.len() {
        return if lower.contains(secret) { MASK.to_owned() } else { text.to_owned() };
    }
    let (mut out, mut from) = (String::new(), 0);
    while let Some(at) = lower[from..].find(secret).map(|at| at + from) {
        let end = lower[at + secret.len()..]
            .find(['"', '\'', ' ', '&', ',', ')', ']', '}', '<'])
            .map_or(text.len(), |end| at + secret.len() + end);
        out.push_str(&text[from..at]);
        out.push_str(MASK);
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

/// `text` with every word masked that looks like a token: ours, a JSON web token, what follows `Bearer` or `Basic`.
fn without_tokens(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let suspicious = ["rst_", "rma_", "rcc_", "eyj", "bearer", "basic"].iter().any(|word| lower.contains(word));
    if !suspicious {
        return text.to_owned();
    }
    let (mut out, mut rest, mut after_scheme) = (String::with_capacity(text.len()), text, false);
    while !rest.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.+=~".contains(c) || (after_scheme && c == '/');
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        if !word.is_empty() {
            out.push_str(if is_token(word) || (after_scheme && is_opaque(word)) { MASK } else { word });
            after_scheme = matches!(word.to_ascii_lowercase().as_str(), "bearer" | "basic");
        }
        let mut others = tail.chars();
        out.extend(others.next());
        rest = others.as_str();
    }
    out
}

fn is_token(word: &str) -> bool {
    word.len() >= 20 && (["rst_", "rma_", "rcc_"].iter().any(|prefix| word.contains(prefix)) || word.starts_with("eyJ"))
}

/// No word of a language: digits, padding or capitals in the middle of it.
fn is_opaque(word: &str) -> bool {
    word.len() >= 8
        && word.bytes().skip(1).any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"=+/_".contains(&byte))
}

/// Cuts at a character, with a sign that it did.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// What can be shown of a body that is no JSON: its brackets, quotes, colons and commas up to where it breaks, every run of
/// anything else as one `…`. Nobody's password consists of those alone.
pub fn shape(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("({} bytes that are no UTF-8)", bytes.len()) };
    let broken_at = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Err(error) => offset(text, error.line(), error.column()),
        Ok(_) => text.len(),
    };
    let mut shown = String::new();
    for c in text[..broken_at].chars() {
        match c {
            '{' | '}' | '[' | ']' | '"' | ':' | ',' => shown.push(c),
            _ if c.is_whitespace() || shown.ends_with('…') => {}
            _ => shown.push('…'),
        }
    }
    let from = shown.chars().count().saturating_sub(SHAPE_CHARS);
    let end: String = shown.chars().skip(from).collect();
    format!("(no JSON; its shape up to where it breaks: {end})")
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (before + column).min(text.len());
    (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
