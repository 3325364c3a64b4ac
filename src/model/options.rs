//! The options of a connection as they are spelled outside: one table that the command line, the management API,
//! the stored JSON and the documentation all read. Here is what an option is, and those that every kind has; those of one kind
//! are below ([`directory`], [`saml`], [`oauth`], [`pushed`]). Adding an option is one entry there.

use super::connection::{
    Budget, ConnectionKind, Deprovision, GroupPatchResponse, JoinOn, OnEmailMatch, Options, Repost, ScimUserIdAttribute,
    SetUserRootAttributes, check_name,
};
use super::connection_secrets;
use super::directory::{DirectoryOptions, DirectoryServer};
use super::nearest::nearest;
use super::oidc::OidcOptions;
use super::saml::SamlOptions;
use serde_json::{Map, Value};

/// One option: how it is called, what it takes, what it means.
pub struct OptionSpec {
    pub name: &'static str,
    /// Only these kinds have it; empty: all.
    kinds: &'static [ConnectionKind],
    form: Form,
    /// What it takes, completing "wanted …".
    pub wanted: &'static str,
    pub meaning: &'static str,
    /// Puts a value in place; `None` if the text is no such value.
    read: fn(&mut Options, &str) -> Option<()>,
    write: fn(&Options) -> Option<String>,
}

/// The JSON type of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Integer,
    Boolean,
    /// Several values: a list in JSON, the same option several times on a command line.
    Texts,
}

/// Between the values of a [`Form::Texts`] where they are one text.
const NEXT: char = '\n';

/// What is wrong with one option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    #[error("{name}: unknown option of kind {kind}{}", hint(.nearest))]
    Unknown { name: String, kind: &'static str, nearest: Option<&'static str> },
    #[error("{name}: wanted {wanted}, got {got}")]
    Value { name: &'static str, wanted: &'static str, got: String },
    #[error("{name}: is a secret and never an argument, which every process can see: {}", secret_ways(.name))]
    Secret { name: &'static str },
    #[error("`{text}` is not OPTION=VALUE")]
    Assignment { text: String },
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// How a secret is handed over.
pub fn secret_ways(name: &str) -> String {
    format!("give --secret {name}=file:PATH, {name}=env:VARIABLE or {name}=stdin")
}

impl OptionSpec {
    pub fn applies_to(&self, kind: ConnectionKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// `text`, `integer`, `boolean` or `list`.
    pub fn form(&self) -> &'static str {
        match self.form {
            Form::Text => "text",
            Form::Integer => "integer",
            Form::Boolean => "boolean",
            Form::Texts => "list",
        }
    }

    /// The default for connections of `kind`; `None` where the option is unset at first.
    pub fn default(&self, kind: ConnectionKind) -> Option<String> {
        (self.write)(&Options::defaults(kind))
    }

    /// The text of a JSON value of the right type; a text stands for any type, as on a command line.
    fn text_of(&self, value: &Value) -> Option<String> {
        match (self.form, value) {
            (_, Value::String(text)) => Some(text.clone()),
            (Form::Integer, Value::Number(number)) => Some(number.to_string()),
            (Form::Boolean, Value::Bool(flag)) => Some(flag.to_string()),
            (Form::Texts, Value::Array(values)) => {
                let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
                texts.map(|texts| texts.join(&NEXT.to_string()))
            }
            _ => None,
        }
    }

    fn json_of(&self, text: String) -> Value {
        match self.form {
            Form::Text => Value::String(text),
            Form::Integer => text.parse::<i64>().map_or(Value::Null, Value::from),
            Form::Boolean => Value::Bool(text == "true"),
            Form::Texts => text.split(NEXT).map(Value::from).collect(),
        }
    }
}

/// Words and what they stand for: reading and writing of an enum option from one list.
macro_rules! words {
    ($($field:ident).+: $($word:literal => $value:expr),+) => {
        (
            |options: &mut Options, text: &str| {
                options.$($field).+ = match text { $($word => $value,)+ _ => return None };
                Some(())
            },
            |options: &Options| {
                [$(($word, $value)),+].into_iter().find(|(_, value)| *value == options.$($field).+).map(|(word, _)| word.to_owned())
            },
        )
    };
}

macro_rules! option {
    ($name:literal $kinds:expr, $form:ident, $wanted:literal, $meaning:literal, $codec:expr) => {{
        let (read, write): (fn(&mut Options, &str) -> Option<()>, fn(&Options) -> Option<String>) = $codec;
        OptionSpec { name: $name, kinds: $kinds, form: Form::$form, wanted: $wanted, meaning: $meaning, read, write }
    }};
}

mod directory;
mod oauth;
mod pushed;
mod saml;

const ALL: &[ConnectionKind] = &[];

/// These, and every kind by OAuth.
const fn with_oauth<const N: usize, const ALL: usize>(first: [ConnectionKind; N]) -> [ConnectionKind; ALL] {
    assert!(N + ConnectionKind::OAUTH.len() == ALL);
    let mut all = [ConnectionKind::Oidc; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < N { first[at] } else { ConnectionKind::OAUTH[at - N] };
        at += 1;
    }
    all
}

/// Kinds that people log in through; each may have a SCIM side.
const LOGINS: &[ConnectionKind] = &with_oauth::<2, 17>([ConnectionKind::Ldap, ConnectionKind::Samlp]);
/// Kinds that can be pushed to.
const WITH_SCIM: &[ConnectionKind] = &with_oauth::<3, 18>([ConnectionKind::Scim, ConnectionKind::Ldap, ConnectionKind::Samlp]);

/// Every option, in the order it is documented.
pub fn table() -> Vec<OptionSpec> {
    let mut table = shared();
    table.extend(directory::directory());
    table.extend(saml::saml());
    table.extend(oauth::oauth());
    table.extend(pushed::pushed());
    table
}

/// Options that every kind has.
fn shared() -> Vec<OptionSpec> {
    vec![
        option!("mapping" ALL, Text, "the name of a mapping", "The mapping that turns what the connection sends into a profile.",
            (|o, t| mapping_name(t).map(|name| o.mapping = name), |o| Some(o.mapping.clone()))),
        option!("group_mapping" ALL, Text, "the name of a mapping, or nothing",
            "The mapping for groups: whether one is taken, and under which name. Unset: all, under their own.",
            (|o, t| optional(t, mapping_name).map(|name| o.group_mapping = name), |o| o.group_mapping.clone())),
        option!("set_user_root_attributes" ALL, Text, "on_each_login, on_first_login or never_on_login",
            "Who owns the root attributes: the connection at every write, only at creation, or pushes and administrators.",
            words!(set_user_root_attributes: "on_each_login" => Some(SetUserRootAttributes::OnEachLogin),
                "on_first_login" => Some(SetUserRootAttributes::OnFirstLogin),
                "never_on_login" => Some(SetUserRootAttributes::NeverOnLogin))),
        option!("create_on_login" ALL, Boolean, "true or false", "Whether the first login of an unknown person makes a profile.",
            words!(create_on_login: "true" => true, "false" => false)),
        option!("join" ALL, Text, "the name of a connection, or nothing",
            "The connection whose profile a new identity joins, matched by join_on.",
            (|o, t| optional(t, connection_name).map(|name| o.join = name), |o| o.join.clone())),
        option!("join_on" ALL, Text, "external_id, username or email",
            "What has to be equal to join; email counts only verified, in a domain the organization owns.",
            words!(join_on: "external_id" => JoinOn::ExternalId, "username" => JoinOn::Username, "email" => JoinOn::Email)),
        option!("on_email_match" ALL, Text, "conflict or new",
            "What a push or sync does whose e-mail another profile of the organization has: refuse and tell, or make a new profile.",
            words!(on_email_match: "conflict" => OnEmailMatch::Conflict, "new" => OnEmailMatch::New)),
        option!("deprovision" ALL, Text, "deactivate, grace:DAYS (1 to 3650) or delete",
            "What happens to a user who leaves: blocked, blocked and deleted after some days, or deleted at once.",
            (|o, t| deprovision(t).map(|value| o.deprovision = value), |o| Some(deprovision_text(o.deprovision)))),
        option!("repost" ALL, Text, "reactivate or conflict",
            "What a POST of a user does who is inactive or deleted: brings the same identity back, or answers 409.",
            words!(repost: "reactivate" => Repost::Reactivate, "conflict" => Repost::Conflict)),
        option!("budget" ALL, Text, "off, or COUNT,PERCENT% like 20,10%",
            "How many destructive changes one sync run (or an hour of pushes) may make, the larger of the two; more are held.",
            (|o, t| budget(t).map(|value| o.budget = value), |o| Some(budget_text(o.budget)))),
        option!("missing_runs" ALL, Integer, "a whole number from 1 to 100",
            "How many complete reads in a row a user must be missing from before deprovision applies.",
            (|o, t| number(t, 1, 100).map(|value| o.missing_runs = value), |o| Some(o.missing_runs.to_string()))),
        option!("non_persistent_attrs" ALL, Texts, "names of root attributes as the source sends them, up to 64, without those that say who it is",
            "What is never stored of what the source sends, and reaches no mapping. Give it several times; all of it replaces what was set.",
            (|o, t| denied(t).map(|names| o.non_persistent_attrs = names), |o| some_text(o.non_persistent_attrs.join(&NEXT.to_string())))),
    ]
}

impl Options {
    /// What a connection of `kind` does when nothing was set.
    pub fn defaults(kind: ConnectionKind) -> Self {
        let mapping = match kind {
            ConnectionKind::Scim => "scim",
            ConnectionKind::Database => "database",
            ConnectionKind::Ldap => DirectoryServer::ActiveDirectory.mapping(),
            ConnectionKind::Samlp => "entra-saml",
            // Each has one that is called as it is.
            other => other.as_str(),
        };
        let scim_user_id_attribute = match kind {
            // A NameID is what such a provider pushes as userName.
            ConnectionKind::Samlp => ScimUserIdAttribute::UserName,
            _ => ScimUserIdAttribute::ExternalId,
        };
        let mut directory = DirectoryOptions::default();
        directory.settle();
        Self {
            mapping: String::from(mapping),
            scim_mapping: String::from("scim"),
            group_mapping: None,
            set_user_root_attributes: (!kind.logs_in()).then_some(SetUserRootAttributes::OnEachLogin),
            create_on_login: true,
            join: None,
            join_on: JoinOn::ExternalId,
            on_email_match: OnEmailMatch::Conflict,
            deprovision: Deprovision::Deactivate,
            repost: Repost::Reactivate,
            // A sync that would remove more waits for somebody's word; an identity provider decides for itself.
            budget: if kind == ConnectionKind::Ldap { Budget::Limit { count: 20, percent: 10 } } else { Budget::Off },
            missing_runs: 1,
            non_persistent_attrs: Vec::new(),
            strict: false,
            put_groups_without_members_keep: false,
            group_patch_response: GroupPatchResponse::Auto,
            ignore_unknown_members: false,
            require_if_match: false,
            scim_user_id_attribute,
            directory,
            saml: SamlOptions::default(),
            oidc: OidcOptions::default(),
        }
    }

    /// Who may write the roots where no rule has a word of its own. A login kind for which nothing was set writes them
    /// at each login, until it has a SCIM side: from then on the push owns them.
    pub fn root_attributes(&self, has_scim_side: bool) -> SetUserRootAttributes {
        self.set_user_root_attributes.unwrap_or(if has_scim_side {
            SetUserRootAttributes::NeverOnLogin
        } else {
            SetUserRootAttributes::OnEachLogin
        })
    }

    /// The options of a connection of `kind` that `set` sets; the rest has its default. All mistakes are told.
    pub fn parse(kind: ConnectionKind, set: &Map<String, Value>) -> Result<Self, Vec<OptionError>> {
        let table = table();
        let mut options = Self { directory: DirectoryOptions::default(), ..Self::defaults(kind) };
        let mut errors = Vec::new();
        for (name, value) in set {
            if let Some(secret) = connection_secrets::of_kind(kind).find(|secret| secret.name == name) {
                errors.push(OptionError::Secret { name: secret.name });
                continue;
            }
            let Some(spec) = table.iter().find(|spec| spec.name == name && spec.applies_to(kind)) else {
                let known = table.iter().filter(|spec| spec.applies_to(kind)).map(|spec| spec.name);
                errors.push(OptionError::Unknown { name: name.clone(), kind: kind.as_str(), nearest: nearest(name, known) });
                continue;
            };
            if value.is_null() {
                continue;
            }
            if spec.text_of(value).and_then(|text| (spec.read)(&mut options, &text)).is_none() {
                errors.push(OptionError::Value { name: spec.name, wanted: spec.wanted, got: shorten(value) });
            }
        }
        options.directory.settle();
        if kind == ConnectionKind::Ldap && set.get("mapping").is_none_or(Value::is_null) {
            options.mapping = String::from(options.directory.server.mapping());
        }
        if errors.is_empty() { Ok(options) } else { Err(errors) }
    }

    /// Every option of `kind` with its value, defaults included; unset ones are left out.
    pub fn to_json(&self, kind: ConnectionKind) -> Map<String, Value> {
        let of_kind = table().into_iter().filter(|spec| spec.applies_to(kind));
        of_kind.filter_map(|spec| Some((spec.name.to_owned(), spec.json_of((spec.write)(self)?)))).collect()
    }
}

/// `OPTION=VALUE` pairs of a command line as the map that [`Options::parse`] takes. An empty value sets back to the
/// default; an option given several times is the list of its values. What is set is checked there, not here.
pub fn assignments<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Map<String, Value>, OptionError> {
    let mut set = Map::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| OptionError::Assignment { text: pair.to_owned() })?;
        let value = if value.is_empty() { Value::Null } else { Value::String(value.to_owned()) };
        let value = match set.remove(name.trim()) {
            Some(Value::Array(mut values)) => {
                values.push(value);
                Value::Array(values)
            }
            Some(first) => Value::Array(vec![first, value]),
            None => value,
        };
        set.insert(name.trim().to_owned(), value);
    }
    Ok(set)
}

/// What an error repeats of a value.
fn shorten(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// A mapping is found by a name that is also a file name.
fn mapping_name(text: &str) -> Option<String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (plain && (1..=128).contains(&text.len())).then(|| text.to_owned())
}

fn connection_name(text: &str) -> Option<String> {
    check_name(text).is_ok().then(|| text.to_owned())
}

/// `Some(None)` for an empty text.
fn optional(text: &str, read: impl Fn(&str) -> Option<String>) -> Option<Option<String>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

/// Longest text of a DN, a filter or a path.
const LINE_BYTES_MAX: usize = 8_192;

/// One line without control characters; `Some(None)` for an empty one.
fn line(text: &str) -> Option<Option<String>> {
    optional(text, |text| (text.len() <= LINE_BYTES_MAX && !text.contains(char::is_control)).then(|| text.to_owned()))
}

/// Longest list of texts.
const LINES_MAX: usize = 16;

fn lines(text: &str) -> Option<Vec<String>> {
    let all: Option<Vec<String>> = text.split(NEXT).map(|text| line(text).flatten()).collect();
    all.filter(|all| all.len() <= LINES_MAX)
}

/// Most names that are never stored.
const DENIED_MAX: usize = 64;
/// What a resource or an entry is recognised by, and can't be without.
const NEEDED: [&str; 6] = ["schemas", "id", "externalId", "userName", "active", "dn"];

fn denied(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let all: Option<Vec<String>> = text.split(NEXT).map(|text| line(text).flatten()).collect();
    let is_needed = |name: &String| NEEDED.iter().any(|needed| needed.eq_ignore_ascii_case(name));
    all.filter(|all| all.len() <= DENIED_MAX && !all.iter().any(is_needed))
}

/// An address of the web, as far as an option can tell; what may be fetched is for whoever fetches it.
fn web_address(text: &str) -> Option<String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if is_web { line(text).flatten() } else { None }
}

/// Names of members, one inside the other.
fn claim_path(text: &str) -> Option<String> {
    let plain = text.split('.').all(|name| !name.is_empty());
    if plain { line(text).flatten() } else { None }
}

fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Servers tried one after the other.
const URLS_MAX: usize = 16;

/// Addresses of directories by their scheme; the rest of them is checked where they are used.
fn urls(text: &str) -> Option<Vec<String>> {
    let urls: Vec<String> = text.split(NEXT).map(str::to_owned).collect();
    let schemes = ["ldap://", "ldaps://"];
    let plain = |url: &String| schemes.iter().any(|scheme| url.starts_with(scheme)) && line(url).is_some();
    (urls.len() <= URLS_MAX && urls.iter().all(plain)).then_some(urls)
}

fn number(text: &str, min: u32, max: u32) -> Option<u32> {
    text.parse().ok().filter(|number| (min..=max).contains(number))
}

/// Units of a duration, in seconds, the largest first.
const UNITS: [(&str, u32); 3] = [("d", 86_400), ("h", 3_600), ("m", 60)];

/// `None`: no such text. `Some(None)`: off.
fn interval(text: &str) -> Option<Option<u32>> {
    if text == "off" {
        return Some(None);
    }
    let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let digits = text.strip_suffix(unit)?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u32 = digits.parse().ok().filter(|_| plain)?;
    let all = count.checked_mul(seconds)?;
    (60..=30 * 86_400).contains(&all).then_some(Some(all))
}

fn interval_text(seconds: Option<u32>) -> String {
    let Some(seconds) = seconds else { return String::from("off") };
    let (unit, of) = UNITS.into_iter().find(|(_, of)| seconds.is_multiple_of(*of)).unwrap_or(("m", 60));
    format!("{}{unit}", seconds / of)
}

fn deprovision(text: &str) -> Option<Deprovision> {
    match text {
        "deactivate" => Some(Deprovision::Deactivate),
        "delete" => Some(Deprovision::Delete),
        _ => number(text.strip_prefix("grace:")?, 1, 3_650).map(|days| Deprovision::Grace { days }),
    }
}

fn deprovision_text(value: Deprovision) -> String {
    match value {
        Deprovision::Deactivate => String::from("deactivate"),
        Deprovision::Delete => String::from("delete"),
        Deprovision::Grace { days } => format!("grace:{days}"),
    }
}

fn budget(text: &str) -> Option<Budget> {
    if text == "off" {
        return Some(Budget::Off);
    }
    let (count, percent) = text.split_once(',')?;
    let percent = number(percent.trim().strip_suffix('%')?, 0, 100)?;
    Some(Budget::Limit { count: number(count.trim(), 0, 10_000_000)?, percent })
}

fn budget_text(value: Budget) -> String {
    match value {
        Budget::Off => String::from("off"),
        Budget::Limit { count, percent } => format!("{count},{percent}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: Value) -> Result<Options, Vec<String>> {
        let set = value.as_object().expect("an object");
        Options::parse(ConnectionKind::Scim, set).map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_set_is_the_default_and_the_table_agrees_with_itself() {
        let defaults = Options::defaults(ConnectionKind::Scim);
        assert_eq!(parse(json!({})).expect("valid"), defaults);
        let again = Options::parse(ConnectionKind::Scim, &defaults.to_json(ConnectionKind::Scim));
        assert_eq!(again.expect("what is printed can be read"), defaults);
        for spec in table() {
            assert!(!spec.meaning.is_empty() && spec.meaning.ends_with('.'), "{}", spec.name);
        }
    }

    #[test]
    fn every_word_reads_back_as_it_was_written() {
        for (name, values) in [
            ("set_user_root_attributes", ["on_each_login", "on_first_login", "never_on_login"]),
            ("join_on", ["external_id", "username", "email"]),
            ("deprovision", ["deactivate", "grace:30", "delete"]),
            ("budget", ["off", "20,10%", "0,100%"]),
            ("group_patch_response", ["auto", "200", "204"]),
        ] {
            for value in values {
                let options = parse(json!({ name: value })).expect(value);
                assert_eq!(options.to_json(ConnectionKind::Scim)[name], value);
            }
        }
    }

    #[test]
    fn booleans_and_numbers_come_typed_or_as_the_text_of_a_command_line() {
        for set in [json!({"strict": true, "missing_runs": 3}), json!({"strict": "true", "missing_runs": "3"})] {
            let options = parse(set).expect("valid");
            assert!(options.strict);
            assert_eq!(options.missing_runs, 3);
        }
    }

    #[test]
    fn an_unknown_option_names_the_nearest_one() {
        assert_eq!(
            parse(json!({"deprovison": "delete"})).unwrap_err(),
            ["deprovison: unknown option of kind scim; did you mean deprovision?"]
        );
    }

    #[test]
    fn a_wrong_value_names_what_is_wanted_and_all_mistakes_are_told() {
        assert_eq!(
            parse(json!({"strict": "maybe", "budget": "20", "missing_runs": 0, "mapping": ["scim"]})).unwrap_err(),
            [
                "strict: wanted true or false, got \"maybe\"",
                "budget: wanted off, or COUNT,PERCENT% like 20,10%, got \"20\"",
                "missing_runs: wanted a whole number from 1 to 100, got 0",
                "mapping: wanted the name of a mapping, got [\"scim\"]",
            ]
        );
    }

    #[test]
    fn an_option_of_another_kind_is_unknown() {
        let set = json!({"strict": true});
        assert!(Options::parse(ConnectionKind::Database, set.as_object().expect("an object")).is_err());
    }

    #[test]
    fn an_empty_assignment_sets_back_to_the_default() {
        let set = assignments(["strict=", "mapping=acme"]).expect("pairs");
        assert_eq!(set, *json!({"strict": null, "mapping": "acme"}).as_object().expect("an object"));
        assert_eq!(assignments(["strict"]), Err(OptionError::Assignment { text: String::from("strict") }));
    }
}
