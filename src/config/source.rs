//! Where values come from: a TOML file and environment variables, flattened to `section.key` with their places.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Variables that begin so are ours.
const PREFIX: &str = "ROSTERD__";

/// The place a value was set at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment { variable: String },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}

/// One thing that is wrong: where, which key, what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: Option<String>,
    /// `section.key`, where a key is at fault.
    pub key: Option<String>,
    pub message: String,
}

impl Problem {
    /// About a whole file.
    pub(super) fn file(path: &Path, message: String) -> Self {
        Self { place: Some(path.display().to_string()), key: None, message }
    }

    /// About the value of `key` that was set at `origin`.
    pub(super) fn key(origin: &Origin, key: &str, message: String) -> Self {
        let place = (*origin != Origin::Default).then(|| origin.to_string());
        Self { place, key: Some(key.to_owned()), message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.place, &self.key].into_iter().flatten() {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A value as it was written. Text of the environment may stand for any kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Variable(String),
    Integer(i64),
    Boolean(bool),
    /// A kind no setting has; the name is for the complaint.
    Other(&'static str),
}

impl Raw {
    /// How a complaint names the value.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Text(text) | Self::Variable(text) => format!("string {text:?}"),
            Self::Integer(number) => format!("integer {number}"),
            Self::Boolean(flag) => format!("boolean {flag}"),
            Self::Other(kind) => format!("a value of kind {kind}"),
        }
    }
}

/// Every value that was set, by `section.key`.
#[derive(Debug, Default)]
pub(super) struct Entries(pub(super) BTreeMap<String, (Raw, Origin)>);

impl Entries {
    /// Adds what the file `path` with content `text` sets; syntax mistakes go to `problems`.
    pub(super) fn add_file(&mut self, path: &Path, text: &str, problems: &mut Vec<Problem>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let origin = Origin::File { path: path.to_path_buf(), line: line_of(text, at) };
            problems.push(Problem::file(Path::new(&origin.to_string()), error.message().to_owned()));
        }
        if problems.is_empty() {
            self.flatten("", table.get_ref(), path, text);
        }
    }

    fn flatten(&mut self, prefix: &str, table: &DeTable<'_>, path: &Path, text: &str) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            if let (DeValue::Table(inner), true) = (value.get_ref(), prefix.is_empty()) {
                self.flatten(&name, inner, path, text);
                continue;
            }
            let origin = Origin::File { path: path.to_path_buf(), line: line_of(text, key.span().start) };
            self.0.insert(name, (raw(value.get_ref()), origin));
        }
    }

    /// Adds the variables that are ours; they beat the file.
    pub(super) fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (variable, value) in variables {
            let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
            let key = rest.replace("__", ".").to_lowercase();
            self.0.insert(key, (Raw::Variable(value), Origin::Environment { variable }));
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(flag) => Raw::Boolean(*flag),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other("integer out of range"), Raw::Integer)
        }
        other => Raw::Other(other.type_str()),
    }
}

/// The line (from 1) of the byte at `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
