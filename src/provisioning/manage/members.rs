//! What may be said of a person from outside, as types: the members of a user with their limits, read out of a JSON object.
//! Everything that is wrong with it is told, by path; nothing is cut and nothing unknown is let pass. Pure; refuses to know
//! whose profile it is about.

use crate::secret::Secret;
use serde_json::{Map, Value};
use std::fmt;

/// What `app_metadata` may not hold: applications of another vendor's would take it for the person's own attributes.
pub const RESERVED: [&str; 18] = [
    "__tenant",
    "_id",
    "blocked",
    "clientID",
    "created_at",
    "email_verified",
    "email",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "lastLogin",
    "loginsCount",
    "metadata",
    "multifactor_last_modified",
    "multifactor",
    "updated_at",
    "user_id",
];

const EMAIL_LOCAL_CHARS_MAX: usize = 64;
const EMAIL_CHARS_MAX: usize = 254;
const USER_ID_CHARS_MAX: usize = 255;
const PASSWORD_CHARS_MAX: usize = 256;
const CLIENT_ID_CHARS_MAX: usize = 256;
const PICTURE_BYTES_MAX: usize = 2_048;
const PHONE_DIGITS_MAX: usize = 15;

/// What a root attribute takes.
#[derive(Clone, Copy)]
enum Takes {
    Text { max: usize },
    Email,
    Username,
    Phone,
    Url,
    Flag,
}

/// The roots that may be said, in the order they are stored. `locale`, `zoneinfo` and `groups` are a source's alone.
const ROOTS: [(&str, Takes); 10] = [
    ("email", Takes::Email),
    ("email_verified", Takes::Flag),
    ("username", Takes::Username),
    ("phone_number", Takes::Phone),
    ("phone_verified", Takes::Flag),
    ("name", Takes::Text { max: 300 }),
    ("given_name", Takes::Text { max: 150 }),
    ("family_name", Takes::Text { max: 150 }),
    ("nickname", Takes::Text { max: 350 }),
    ("picture", Takes::Url),
];

/// Where the members come from: what may stand there besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `POST /users`.
    Create,
    /// `PATCH /users/{id}`. `deep`: metadata is merged at every level (RFC 7396), else at the first.
    Update { deep: bool },
    /// A row of an import: metadata replaces what is stored. What an import knows besides (password hashes) is taken out before.
    Row,
}

impl Form {
    /// May this member, which is no attribute, stand here?
    fn knows(self, name: &str) -> bool {
        match name {
            "blocked" | "user_metadata" | "app_metadata" => true,
            "user_id" => matches!(self, Self::Create | Self::Row),
            "connection" | "password" | "verify_email" => self != Self::Row,
            "verify_phone_number" | "client_id" => matches!(self, Self::Update { .. }),
            _ => false,
        }
    }
}

/// What is said of one of the two metadata objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Metadata {
    /// Each member replaces the one stored, null removes it; the others stay.
    Merge(Map<String, Value>),
    /// The same at every level.
    Deep(Map<String, Value>),
    /// This and nothing else.
    Replace(Map<String, Value>),
    /// All of it goes: `{}` or null.
    Clear,
}

/// What is said of a person. What is not mentioned is `None`, and stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members {
    /// Root attributes; without a value: removed.
    pub roots: Vec<(&'static str, Option<Value>)>,
    pub blocked: Option<bool>,
    pub user_metadata: Option<Metadata>,
    pub app_metadata: Option<Metadata>,
    pub user_id: Option<String>,
    /// By name.
    pub connection: Option<String>,
    pub password: Option<Secret<String>>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// `app_metadata.plan`; empty: the whole.
    pub path: String,
    pub rule: Rule,
}

/// What was broken; the words are what clients of such an API know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Unknown,
    Required,
    /// Nothing to be known by.
    AnyOf,
    TooFew,
    Type {
        wanted: &'static str,
        got: &'static str,
    },
    TooShort,
    TooLong {
        max: usize,
    },
    Format {
        of: &'static str,
    },
    Reserved,
    Key,
    Nul,
}

impl Rule {
    /// As the errors of an import name it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Reserved | Self::Key => "NOT_PASSED",
            Self::Required | Self::TooFew => "OBJECT_REQUIRED",
            Self::AnyOf => "ANY_OF_MISSING",
            Self::Type { .. } => "INVALID_TYPE",
            Self::TooShort => "MIN_LENGTH",
            Self::TooLong { .. } => "MAX_LENGTH",
            Self::Format { .. } => "FORMAT",
            Self::Nul => "PATTERN",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("Additional properties not allowed"),
            Self::Required => f.write_str("Missing required property"),
            Self::AnyOf => f.write_str("One of email, username and phone_number is required"),
            Self::TooFew => f.write_str("Too few properties defined (0), minimum 1"),
            Self::Type { wanted, got } => write!(f, "Expected type {wanted} but found type {got}"),
            Self::TooShort => f.write_str("String is too short (0 chars), minimum 1"),
            Self::TooLong { max } => write!(f, "String is too long, maximum {max}"),
            Self::Format { of } => write!(f, "Object didn't pass validation for format {of}"),
            Self::Reserved => f.write_str("This name is reserved and can't stand in app_metadata"),
            Self::Key => f.write_str("Names in metadata are not empty and hold neither . nor $"),
            Self::Nul => f.write_str("Text can't hold the character U+0000"),
        }
    }
}

impl Wrong {
    fn at(path: &str, rule: Rule) -> Self {
        Self { path: path.to_owned(), rule }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.rule)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, " on property {}", self.path) }
    }
}

impl Members {
    /// Reads them.
    ///
    /// # Errors
    /// All that is wrong, in the order it stands there. Nothing of it holds a value.
    pub fn read(object: &Map<String, Value>, form: Form) -> Result<Self, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut members = Self::default();
        for (name, value) in object {
            if holds_nul(value) || name.contains('\0') {
                wrong.push(Wrong::at(&name.replace('\0', ""), Rule::Nul));
                continue;
            }
            match members.take(name, value, form) {
                Ok(()) => {}
                Err(mut more) => wrong.append(&mut more),
            }
        }
        members.roots.sort_by_key(|(name, _)| ROOTS.iter().position(|(known, _)| known == name));
        members.whole(object, form, &mut wrong);
        if wrong.is_empty() { Ok(members) } else { Err(wrong) }
    }

    /// What has to be there.
    fn whole(&self, object: &Map<String, Value>, form: Form, wrong: &mut Vec<Wrong>) {
        match form {
            Form::Create if !object.contains_key("connection") => wrong.push(Wrong::at("connection", Rule::Required)),
            Form::Update { .. } if object.is_empty() => wrong.push(Wrong::at("", Rule::TooFew)),
            _ => {}
        }
        let known_by = ["email", "username", "phone_number"];
        if matches!(form, Form::Create | Form::Row)
            && !known_by.iter().any(|name| object.get(*name).is_some_and(|v| !v.is_null()))
        {
            wrong.push(Wrong::at("email", Rule::AnyOf));
        }
    }

    fn take(&mut self, name: &str, value: &Value, form: Form) -> Result<(), Vec<Wrong>> {
        let removes = matches!(form, Form::Update { .. });
        if let Some((name, takes)) = ROOTS.iter().find(|(known, _)| *known == name) {
            let value = match value {
                Value::Null if removes => None,
                // Not said: nothing is there yet that could go.
                Value::Null => return Ok(()),
                value => Some(root(*takes, value).map_err(|rule| vec![Wrong::at(name, rule)])?),
            };
            self.roots.push((name, value));
            return Ok(());
        }
        let wrong = |rule| vec![Wrong::at(name, rule)];
        if !form.knows(name) {
            return Err(wrong(Rule::Unknown));
        }
        if value.is_null() && !(removes && matches!(name, "blocked" | "user_metadata" | "app_metadata")) {
            // As if it were not there, which some clients can't say otherwise.
            return if name == "connection" { Err(wrong(kind_of("string", value))) } else { Ok(()) };
        }
        match name {
            "blocked" => self.blocked = Some(!value.is_null() && flag(value).map_err(wrong)?),
            "user_metadata" => self.user_metadata = Some(metadata(name, value, form)?),
            "app_metadata" => self.app_metadata = Some(metadata(name, value, form)?),
            "user_id" => {
                let id = text(value, USER_ID_CHARS_MAX).map_err(wrong)?;
                if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    return Err(wrong(Rule::Format { of: "user_id" }));
                }
                self.user_id = Some(id.to_owned());
            }
            "connection" => self.connection = Some(text(value, USER_ID_CHARS_MAX).map_err(wrong)?.to_owned()),
            "password" => self.password = Some(Secret::new(text(value, PASSWORD_CHARS_MAX).map_err(wrong)?.to_owned())),
            // No mail is sent yet, so there is nothing to choose.
            "verify_email" | "verify_phone_number" => drop(flag(value).map_err(wrong)?),
            _ => drop(text(value, CLIENT_ID_CHARS_MAX).map_err(wrong)?),
        }
        Ok(())
    }

    /// The value that is said of a root, if there is one.
    pub fn root(&self, name: &str) -> Option<&Value> {
        self.roots.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_ref())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.root(name)?.as_str()
    }

    /// Is anything said of this root, removing it included?
    pub fn mentions(&self, name: &str) -> bool {
        self.roots.iter().any(|(known, _)| *known == name)
    }
}

fn kind_of(wanted: &'static str, value: &Value) -> Rule {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Rule::Type { wanted, got }
}

fn flag(value: &Value) -> Result<bool, Rule> {
    value.as_bool().ok_or_else(|| kind_of("boolean", value))
}

fn text(value: &Value, max: usize) -> Result<&str, Rule> {
    let text = value.as_str().ok_or_else(|| kind_of("string", value))?;
    match text.chars().count() {
        0 => Err(Rule::TooShort),
        count if count > max => Err(Rule::TooLong { max }),
        _ => Ok(text),
    }
}

fn root(takes: Takes, value: &Value) -> Result<Value, Rule> {
    let checked = match takes {
        Takes::Flag => return flag(value).map(Value::from),
        Takes::Text { max } => text(value, max)?,
        Takes::Email => Some(text(value, EMAIL_CHARS_MAX)?).filter(|text| is_email(text)).ok_or(Rule::Format { of: "email" })?,
        // A name that looks like an address would be somebody else's at the next login.
        Takes::Username => {
            let plain = |name: &&str| !is_email(name) && !name.chars().any(|c| c.is_whitespace() || c.is_control());
            Some(text(value, 128)?).filter(plain).ok_or(Rule::Format { of: "username" })?
        }
        Takes::Phone => {
            Some(text(value, PHONE_DIGITS_MAX + 1)?).filter(|text| is_phone(text)).ok_or(Rule::Format { of: "phone_number" })?
        }
        Takes::Url => Some(text(value, PICTURE_BYTES_MAX)?).filter(|text| is_web(text)).ok_or(Rule::Format { of: "uri" })?,
    };
    Ok(checked.into())
}

/// One `@` between a local part and a domain, within the limits of RFC 5321.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '@' | ',' | ';');
    !local.is_empty()
        && local.chars().count() <= EMAIL_LOCAL_CHARS_MAX
        && !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text.replacen('@', "", 1).chars().any(odd)
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| (1..=PHONE_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_web(text: &str) -> bool {
    let parsed = url::Url::parse(text).ok();
    parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
}

fn metadata(name: &str, value: &Value, form: Form) -> Result<Metadata, Vec<Wrong>> {
    let object = match value {
        Value::Null => return Ok(Metadata::Clear),
        Value::Object(object) => object,
        other => return Err(vec![Wrong::at(name, kind_of("object", other))]),
    };
    let mut wrong = Vec::new();
    for key in object.keys().filter(|key| name == "app_metadata" && RESERVED.contains(&key.as_str())) {
        wrong.push(Wrong::at(&format!("{name}.{key}"), Rule::Reserved));
    }
    keys(name, value, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(match form {
        Form::Update { deep: true } => Metadata::Deep(object.clone()),
        Form::Update { deep: false } if object.is_empty() => Metadata::Clear,
        Form::Update { deep: false } => Metadata::Merge(object.clone()),
        Form::Create | Form::Row => Metadata::Replace(object.clone()),
    })
}

/// Names at every depth: search reads a dot as a step down.
fn keys(path: &str, value: &Value, wrong: &mut Vec<Wrong>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = format!("{path}.{key}");
                if key.is_empty() || key.contains(['.', '$']) {
                    wrong.push(Wrong::at(&path, Rule::Key));
                } else {
                    keys(&path, value, wrong);
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                keys(&format!("{path}[{at}]"), value, wrong);
            }
        }
        _ => {}
    }
}

/// No database takes it as text.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(holds_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}
