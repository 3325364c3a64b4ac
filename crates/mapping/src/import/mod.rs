//! Importers: what another product's mapping says, written in this language. One file per format (here the ones of
//! Auth0; schemas of Entra, Okta and Keycloak would stand beside them); [`draft`] owns what they have in common: the
//! text under construction, what could not be translated, and what means something slightly different here.
//!
//! Pure: text in, text out. The result always compiles: a rule that does not is left as a comment and listed. Refuses
//! to guess: what is not understood is never half translated.

mod auth0_oauth;
mod auth0_saml;
mod auth0_scim;
mod connection;
mod draft;
mod entries;
mod javascript;
mod scim_path;
mod write;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use std::fmt;

/// Of the text to import: nobody writes more by hand.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Captured entries that become tests.
pub const ENTRIES_MAX: usize = 200;

/// What can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The `fieldsMap` of a SAML connection: profile attribute → claims.
    Auth0Saml,
    /// The inbound SCIM map: a list of `{auth0, scim}`.
    Auth0Scim,
    /// The `fieldsMap` of a custom OAuth2 connection, or the `attribute_map` of an OIDC connection.
    Auth0Oauth,
    /// The `profileMapper.js` of the AD/LDAP connector.
    ProfileMapper,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Auth0Saml, Self::Auth0Scim, Self::Auth0Oauth, Self::ProfileMapper];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth0Saml => "auth0-saml",
            Self::Auth0Scim => "auth0-scim",
            Self::Auth0Oauth => "auth0-oauth",
            Self::ProfileMapper => "profile-mapper",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// With its article, for messages.
    pub const fn described(self) -> &'static str {
        match self {
            Self::Auth0Saml => "the fieldsMap of an Auth0 SAML connection",
            Self::Auth0Scim => "an Auth0 inbound SCIM mapping",
            Self::Auth0Oauth => "the attribute map of an Auth0 OAuth2 or OIDC connection",
            Self::ProfileMapper => "an Auth0 AD/LDAP connector's profileMapper.js",
        }
    }
}

/// Where in the original.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// From 1.
    Line(u32),
    /// Member names and list positions, joined by `.`.
    Path(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            // A member's name may hold anything: a line end would leave the comment it is written in.
            Self::Path(path) => f.write_str(&write::comment(path)),
        }
    }
}

/// A part of the original that is not in the result, but for a comment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Untranslated {
    pub at: Place,
    /// The original's own words, shortened.
    pub what: String,
    pub why: String,
    pub suggestion: Option<String>,
}

/// What an import gave.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Imported {
    pub format: Format,
    /// Compiles, and is formatted.
    pub text: String,
    pub untranslated: Vec<Untranslated>,
    /// Where the translation means something else than the original, in words; each once.
    pub differences: Vec<String>,
    /// How many of the captured entries became test blocks.
    pub tests: usize,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the text has {found} bytes, at most {TEXT_BYTES_MAX} are read: give the map alone, not an export of the tenant")]
    TooLarge { found: usize },
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    #[error("line {line}, column {column}: not JavaScript: {message}")]
    Syntax { line: u32, column: u32, message: String },
    #[error("line {line}: more than {depth_max} expressions inside one another")]
    Depth { line: u32, depth_max: usize },
    /// Where, what stands there, what is wanted.
    #[error("{path}: {found}, where {wanted} is wanted")]
    Shape { path: String, found: String, wanted: String },
    #[error("nothing says what this is: {why}. Name it: --from auth0-saml, auth0-scim, auth0-oauth or profile-mapper")]
    Unknown { why: String },
    /// A fault of ours: what could not be mended is shown.
    #[error("the result does not compile, which should not happen: {0}")]
    Uncompilable(String),
}

/// What the text is, by its looks.
///
/// # Errors
/// [`ImportError::Unknown`], and what makes it unreadable.
pub fn detect(text: &str) -> Result<Format, ImportError> {
    bounded(text)?;
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        return Ok(Format::ProfileMapper);
    }
    connection::detect(&json(text)?)
}

/// Translates `text`, which came from `file` (a name, for the comment at the top and the header). Captured `entries` become
/// tests.
///
/// # Errors
/// Nothing could be made of it: see [`ImportError`].
pub fn import(file: &str, text: &str, format: Format, entries: &[Map<String, Value>]) -> Result<Imported, ImportError> {
    import_as(file, file, text, format, entries)
}

/// The same for a mapping that goes to the file `to`, after which it is called.
///
/// # Errors
/// As [`import`].
pub fn import_as(
    to: &str,
    file: &str,
    text: &str,
    format: Format,
    entries: &[Map<String, Value>],
) -> Result<Imported, ImportError> {
    bounded(text)?;
    let draft = match format {
        Format::Auth0Saml => auth0_saml::draft(&json(text)?)?,
        Format::Auth0Scim => auth0_scim::draft(&json(text)?)?,
        Format::Auth0Oauth => auth0_oauth::draft(&json(text)?)?,
        Format::ProfileMapper => javascript::draft(text)?,
    };
    draft.finish(&write::mapping_name(to), file, format, entries)
}

fn bounded(text: &str) -> Result<(), ImportError> {
    if text.len() > TEXT_BYTES_MAX { Err(ImportError::TooLarge { found: text.len() }) } else { Ok(()) }
}

fn json(text: &str) -> Result<Value, ImportError> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(ImportError::Json)
}

/// A JSON value's kind with its article.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
