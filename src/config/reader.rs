//! Takes settings out of the entries by kind, remembers which keys exist, and gathers every complaint.

use super::source::{Entries, Origin, Problem, Raw};
use crate::model::nearest::nearest;
use crate::secret::Secret;

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub path: String,
    /// The value for people; `‹secret›` for secrets, `(unset)` where there is none.
    pub shown: String,
    pub origin: Origin,
}

pub(super) struct Reader {
    entries: Entries,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(entries: Entries, problems: Vec<Problem>) -> Self {
        Self { entries, settings: Vec::new(), problems }
    }

    /// Text in a form that `parse` accepts; `wanted` completes "wanted …".
    pub(super) fn parsed<T>(&mut self, path: &str, default: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        self.optional(path, wanted, &parse).unwrap_or_else(|| {
            self.show_default(path, default);
            parse(default).expect("a default is valid")
        })
    }

    /// The same without a default.
    pub(super) fn optional<T>(&mut self, path: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (raw, origin) = self.take(path)?;
        let parsed = match &raw {
            Raw::Text(text) | Raw::Variable(text) => parse(text).map(|value| (value, text.clone())),
            _ => None,
        };
        self.keep(path, parsed, wanted, &raw.describe(), origin)
    }

    /// Text that must not be seen. A complaint doesn't repeat it; `shown` says what may be printed of it.
    pub(super) fn secret<T>(
        &mut self,
        path: &str,
        wanted: &str,
        parse: impl Fn(&str) -> Option<T>,
        shown: impl Fn(&str) -> String,
    ) -> Option<Secret<T>> {
        let (raw, origin) = self.take(path)?;
        let parsed = match &raw {
            Raw::Text(text) | Raw::Variable(text) => parse(text.trim()).map(|value| (Secret::new(value), shown(text.trim()))),
            _ => None,
        };
        self.keep(path, parsed, wanted, "something else (not shown)", origin)
    }

    /// A whole number from `min` to `max`.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, path: &str, default: i64, min: i64, max: i64) -> T {
        let value = self.take(path).and_then(|(raw, origin)| {
            let number = match &raw {
                Raw::Integer(number) => Some(*number),
                Raw::Variable(text) => text.trim().parse().ok(),
                _ => None,
            };
            let parsed = number.filter(|number| (min..=max).contains(number)).map(|number| (number, number.to_string()));
            self.keep(path, parsed, &format!("a whole number from {min} to {max}"), &raw.describe(), origin)
        });
        let value = value.unwrap_or_else(|| {
            self.show_default(path, &default.to_string());
            default
        });
        T::try_from(value).ok().expect("the range of a setting fits its type")
    }

    pub(super) fn boolean(&mut self, path: &str, default: bool) -> bool {
        let value = self.take(path).and_then(|(raw, origin)| {
            let flag = match &raw {
                Raw::Boolean(flag) => Some(*flag),
                Raw::Variable(text) => text.trim().parse().ok(),
                _ => None,
            };
            self.keep(path, flag.map(|flag| (flag, flag.to_string())), "true or false", &raw.describe(), origin)
        });
        value.unwrap_or_else(|| {
            self.show_default(path, &default.to_string());
            default
        })
    }

    /// A complaint about a key whose value is fine by itself.
    pub(super) fn complain(&mut self, path: &str, message: &str) {
        let known = self.settings.iter().find(|setting| setting.path == path);
        let origin = known.map_or(Origin::Default, |setting| setting.origin.clone());
        self.problems.push(Problem::key(&origin, path, message.to_owned()));
    }

    /// Complains about every key nobody asked for. Problems come in the order of the file's lines.
    pub(super) fn finish(mut self) -> Result<Vec<Setting>, Vec<Problem>> {
        let known: Vec<&str> = self.settings.iter().map(|setting| setting.path.as_str()).collect();
        for (path, (_, origin)) in &self.entries.0 {
            let hint = nearest(path, known.iter().copied()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            self.problems.push(Problem::key(origin, path, format!("unknown key{hint}")));
        }
        if self.problems.is_empty() { Ok(self.settings) } else { Err(self.problems) }
    }

    /// Takes the entry out, so that what is left at the end is unknown, and lists the key as known.
    fn take(&mut self, path: &str) -> Option<(Raw, Origin)> {
        let shown = String::from("(unset)");
        self.settings.push(Setting { path: path.to_owned(), shown, origin: Origin::Default });
        self.entries.0.remove(path)
    }

    fn keep<T>(&mut self, path: &str, parsed: Option<(T, String)>, wanted: &str, got: &str, origin: Origin) -> Option<T> {
        let Some((value, shown)) = parsed else {
            self.problems.push(Problem::key(&origin, path, format!("wanted {wanted}, got {got}")));
            return None;
        };
        let setting = self.settings.last_mut().expect("take listed the key");
        setting.shown = shown;
        setting.origin = origin;
        Some(value)
    }

    pub(super) fn show_default(&mut self, path: &str, default: &str) {
        let setting = self.settings.last_mut().expect("take listed the key");
        debug_assert_eq!(setting.path, path);
        setting.shown = default.to_owned();
    }
}
