//! The options of a connection as they are spelled outside: one table that the command line, the management API,
//! the stored JSON and the documentation all read. Adding an option is one entry here.

use super::connection::{
    Budget, ConnectionKind, Deprovision, GroupPatchResponse, JoinOn, OnEmailMatch, Options, Repost, ScimUserIdAttribute,
    SetUserRootAttributes, check_name,
};
use super::connection_secrets;
use super::directory::{BindMethod, Deltas, DirectoryOptions, DirectoryServer};
use super::nearest::nearest;
use super::oidc::{ClientAuthentication, OidcOptions, Pkce, ProfileMethod, TokenIn};
use super::saml::{CLOCK_SKEW_SECONDS_MAX, RequestBinding, SamlOptions, SignRequests, UserIdFormat};
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

const ALL: &[ConnectionKind] = &[];
const DIRECTORY: &[ConnectionKind] = &[ConnectionKind::Ldap];
const PUSHED: &[ConnectionKind] = &[ConnectionKind::Scim];
const SAML: &[ConnectionKind] = &[ConnectionKind::Samlp];

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
const OAUTH: &[ConnectionKind] = ConnectionKind::OAUTH;
/// Whose issuer is known or can be set.
const WITH_ISSUER: &[ConnectionKind] = &[
    ConnectionKind::GoogleOauth2,
    ConnectionKind::Waad,
    ConnectionKind::WindowsLive,
    ConnectionKind::Gitlab,
    ConnectionKind::Linkedin,
    ConnectionKind::Apple,
    ConnectionKind::Slack,
    ConnectionKind::Salesforce,
    ConnectionKind::Oidc,
];
const MICROSOFT: &[ConnectionKind] = &[ConnectionKind::Waad];
const GITHUB: &[ConnectionKind] = &[ConnectionKind::Github];
const GENERIC: &[ConnectionKind] = &[ConnectionKind::Oauth2];
const APPLE: &[ConnectionKind] = &[ConnectionKind::Apple];

/// Every option, in the order it is documented.
pub fn table() -> Vec<OptionSpec> {
    let mut table = shared();
    table.extend(directory());
    table.extend(saml());
    table.extend(oauth());
    table.extend(pushed());
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
    ]
}

/// Options of a directory. Defaults that differ by server are shown for Active Directory until one is set.
fn directory() -> Vec<OptionSpec> {
    let mut table = reaching();
    table.extend(searching());
    table
}

/// Where a directory is and how we get in.
fn reaching() -> Vec<OptionSpec> {
    vec![
        option!("server" DIRECTORY, Text, "ad, openldap, 389 or generic",
            "What the directory is: decides the defaults of mapping, of the two filters and of the two id attributes.",
            words!(directory.server: "ad" => DirectoryServer::ActiveDirectory, "openldap" => DirectoryServer::OpenLdap,
                "389" => DirectoryServer::Ds389, "generic" => DirectoryServer::Generic)),
        option!("url" DIRECTORY, Texts, "ldaps://HOST[:PORT] or ldap://HOST[:PORT], up to 16",
            "Where the directory is. Set it several times for several servers of one directory: they are tried in that order.",
            (|o, t| urls(t).map(|urls| o.directory.urls = urls), |o| some_text(o.directory.urls.join(&NEXT.to_string())))),
        option!("start_tls" DIRECTORY, Boolean, "true or false",
            "Whether connections to ldap:// are encrypted by StartTLS before anything else is said.",
            words!(directory.start_tls: "true" => true, "false" => false)),
        option!("ca_file" DIRECTORY, Text, "the path of a PEM file, or nothing",
            "The certificates that the directory's certificate must come from. Unset: those the system trusts.",
            (|o, t| line(t).map(|path| o.directory.ca_file = path), |o| o.directory.ca_file.clone())),
        option!("allow_plaintext" DIRECTORY, Boolean, "true or false",
            "Whether ldap:// may go without encryption, password included. Only for a directory on this machine (loopback).",
            words!(directory.allow_plaintext: "true" => true, "false" => false)),
        option!("bind_method" DIRECTORY, Text, "simple or external",
            "How the connection signs in: with bind_dn and the secret bind_password, or with a TLS certificate (SASL EXTERNAL).",
            words!(directory.bind_method: "simple" => BindMethod::Simple, "external" => BindMethod::External)),
        option!("bind_dn" DIRECTORY, Text, "the DN of an account, or nothing",
            "The account that reads the directory. Active Directory also takes user@domain and DOMAIN\\user.",
            (|o, t| line(t).map(|dn| o.directory.bind_dn = dn), |o| o.directory.bind_dn.clone())),
        option!("client_cert_file" DIRECTORY, Text, "the path of a PEM file, or nothing",
            "The certificate we show the directory, for bind_method=external.",
            (|o, t| line(t).map(|path| o.directory.client_cert_file = path), |o| o.directory.client_cert_file.clone())),
        option!("client_key_file" DIRECTORY, Text, "the path of a PEM file, or nothing",
            "The key of client_cert_file. It stays in its file.",
            (|o, t| line(t).map(|path| o.directory.client_key_file = path), |o| o.directory.client_key_file.clone())),
        option!("connect_timeout_seconds" DIRECTORY, Integer, "a whole number from 1 to 120",
            "How long one server may take to be reached and to agree on TLS before the next url is tried.",
            (|o, t| number(t, 1, 120).map(|value| o.directory.connect_timeout_seconds = value),
                |o| Some(o.directory.connect_timeout_seconds.to_string()))),
        option!("answer_timeout_seconds" DIRECTORY, Integer, "a whole number from 1 to 600",
            "How long the directory may be silent while it owes an answer or the next entry of one.",
            (|o, t| number(t, 1, 600).map(|value| o.directory.answer_timeout_seconds = value),
                |o| Some(o.directory.answer_timeout_seconds.to_string()))),
    ]
}

/// What is read of a directory.
fn searching() -> Vec<OptionSpec> {
    vec![
        option!("user_base" DIRECTORY, Text, "a DN", "The entry below which people are looked for, however deep.",
            (|o, t| line(t).map(|dn| o.directory.user_base = dn), |o| o.directory.user_base.clone())),
        option!("user_filter" DIRECTORY, Text, "a filter like (objectClass=inetOrgPerson)",
            "Which entries below user_base are people. Leave the disabled ones in: a mapping blocks them, a filter loses them.",
            (|o, t| line(t).map(|filter| o.directory.user_filter = filter), |o| o.directory.user_filter.clone())),
        option!("login_filter" DIRECTORY, Text, "a filter like (uid={}), {} being what was typed",
            "Whom of the people a login name means: it has to be exactly one. What was typed is escaped; user_filter holds besides.",
            (|o, t| line(t).map(|filter| o.directory.login_filter = filter), |o| o.directory.login_filter.clone())),
        option!("group_base" DIRECTORY, Text, "a DN, or nothing",
            "The entry below which groups are looked for. Unset: no groups are read.",
            (|o, t| line(t).map(|dn| o.directory.group_base = dn), |o| o.directory.group_base.clone())),
        option!("group_filter" DIRECTORY, Text, "a filter like (objectClass=groupOfNames)",
            "Which entries below group_base are groups.",
            (|o, t| line(t).map(|filter| o.directory.group_filter = filter), |o| o.directory.group_filter.clone())),
        option!("id_attribute" DIRECTORY, Text, "the name of an attribute",
            "The attribute that names an entry for good, whatever it is renamed to: a person is recognised by nothing else.",
            (|o, t| line(t).map(|name| o.directory.id_attribute = name), |o| o.directory.id_attribute.clone())),
        option!("group_id_attribute" DIRECTORY, Text, "the name of an attribute", "The same of a group.",
            (|o, t| line(t).map(|name| o.directory.group_id_attribute = name), |o| o.directory.group_id_attribute.clone())),
        option!("page_size" DIRECTORY, Integer, "a whole number from 1 to 1000",
            "How many entries are asked for at a time. Active Directory gives 1000 at most, others may give less.",
            (|o, t| number(t, 1, 1_000).map(|value| o.directory.page_size = value),
                |o| Some(o.directory.page_size.to_string()))),
        option!("entries_max" DIRECTORY, Integer, "a whole number from 1 to 10000000",
            "How many entries one search may bring; a directory with more is a mistake in base or filter and read no further.",
            (|o, t| number(t, 1, 10_000_000).map(|value| o.directory.entries_max = value),
                |o| Some(o.directory.entries_max.to_string()))),
        option!("expect_references" DIRECTORY, Boolean, "true or false",
            "Whether parts below the bases that lie on other servers are left out on purpose; false: such a read counts as cut.",
            words!(directory.expect_references: "true" => true, "false" => false)),
        option!("schedule" DIRECTORY, Text, "a duration from 1m to 30d, like 15m, 1h or 7d, or off",
            "How often a running gateway follows the directory by itself. `rosterd sync` does it at any time.",
            (|o, t| interval(t).map(|seconds| o.directory.schedule_seconds = seconds),
                |o| Some(interval_text(o.directory.schedule_seconds)))),
        option!("delta" DIRECTORY, Text, "auto, off, modifyTimestamp, uSNChanged, syncrepl or DirSync",
            "How a run reads what changed since the last one instead of everything; auto: by what the server has that shows the most.",
            words!(directory.deltas: "auto" => Deltas::Auto, "off" => Deltas::Off, "modifyTimestamp" => Deltas::Modified,
                "uSNChanged" => Deltas::Usn, "syncrepl" => Deltas::SyncRepl, "DirSync" => Deltas::DirSync)),
        option!("full_every" DIRECTORY, Text, "a duration from 1m to 30d, like 6h, 24h or 7d",
            "How old the last complete read may be before a run reads everything again, whatever changes told.",
            (|o, t| interval(t).flatten().map(|seconds| o.directory.full_every_seconds = seconds),
                |o| Some(interval_text(Some(o.directory.full_every_seconds))))),
    ]
}

/// Options of a SAML connection.
fn saml() -> Vec<OptionSpec> {
    let mut table = trusting();
    table.extend(asking());
    table
}

/// Whom it believes, and about whom.
fn trusting() -> Vec<OptionSpec> {
    vec![
        option!("metadata_url" SAML, Text, "an https:// address, or nothing",
            "Where the identity provider publishes its metadata. It is fetched again by itself: a new certificate is taken in time.",
            (|o, t| optional(t, web_address).map(|url| o.saml.metadata_url = url), |o| o.saml.metadata_url.clone())),
        option!("metadata_file" SAML, Text, "the path of a file, or nothing",
            "The identity provider's metadata as a file on the gateway's machine, read again when it changes.",
            (|o, t| line(t).map(|path| o.saml.metadata_file = path), |o| o.saml.metadata_file.clone())),
        option!("idp_entity_id" SAML, Text, "an entity id, or nothing",
            "Which identity provider of the metadata is meant, where it describes several.",
            (|o, t| line(t).map(|id| o.saml.idp_entity_id = id), |o| o.saml.idp_entity_id.clone())),
        option!("allow_plaintext" SAML, Boolean, "true or false",
            "Whether metadata_url may be http://. Only for a server on this machine (loopback).",
            words!(saml.allow_plaintext: "true" => true, "false" => false)),
        option!("certificate_grace_days" SAML, Integer, "a whole number from 0 to 90",
            "How many days a certificate still counts that the metadata no longer lists; 0: it is out at once.",
            (|o, t| number(t, 0, 90).map(|value| o.saml.certificate_grace_days = value),
                |o| Some(o.saml.certificate_grace_days.to_string()))),
        option!("user_id_attribute" SAML, Text, "the name of an attribute, or nothing",
            "The attribute that names a person for good. Unset: the NameID, which then must not be a transient one.",
            (|o, t| line(t).map(|name| o.saml.user_id_attribute = name), |o| o.saml.user_id_attribute.clone())),
        option!("user_id_format" SAML, Text, "as_sent or guid",
            "How that id is written. guid: as text in lower case, also where it comes in base64 of its bytes, as AD FS sends objectGUID; \
             so a directory's connection has it. Anything else than a GUID is refused then.",
            words!(saml.user_id_format: "as_sent" => UserIdFormat::AsSent, "guid" => UserIdFormat::Guid)),
        option!("decryption_key_file" SAML, Text, "the path of a PEM file, or nothing",
            "A key of your own that encrypted assertions are opened with, beside the connection's keys. It stays in its file.",
            (|o, t| line(t).map(|path| o.saml.decryption_key_file = path), |o| o.saml.decryption_key_file.clone())),
        option!("decryption_cert_file" SAML, Text, "the path of a PEM file, or nothing",
            "The certificate of decryption_key_file, which our metadata then publishes for encryption.",
            (|o, t| line(t).map(|path| o.saml.decryption_cert_file = path), |o| o.saml.decryption_cert_file.clone())),
        option!("encrypt_assertions" SAML, Boolean, "true or false",
            "Whether our metadata asks for encrypted assertions. What is encrypted to a key of ours is opened either way.",
            words!(saml.encrypt_assertions: "true" => true, "false" => false)),
        option!("allow_cbc" SAML, Boolean, "true or false",
            "Whether assertions encrypted with AES-CBC are opened, which AD FS and Entra ID send unless told otherwise.",
            words!(saml.allow_cbc: "true" => true, "false" => false)),
        option!("clock_skew_seconds" SAML, Integer, "a whole number from 0 to 300",
            "How far the identity provider's clock may be off ours.",
            (|o, t| number(t, 0, CLOCK_SKEW_SECONDS_MAX).map(|value| o.saml.clock_skew_seconds = value),
                |o| Some(o.saml.clock_skew_seconds.to_string()))),
    ]
}

/// How logins begin and end.
fn asking() -> Vec<OptionSpec> {
    vec![
        option!("idp_initiated" SAML, Boolean, "true or false",
            "Whether a login may begin at the identity provider. Whoever has an account there can then sign others in as themselves.",
            words!(saml.idp_initiated: "true" => true, "false" => false)),
        option!("idp_initiated_target" SAML, Text, "a path like /app, an address that login.return_to allows, or nothing",
            "Where the browser goes after such a login. Unset: /session.",
            (|o, t| line(t).map(|path| o.saml.idp_initiated_target = path), |o| o.saml.idp_initiated_target.clone())),
        option!("sign_requests" SAML, Text, "auto, true or false",
            "Whether our requests are signed; auto: where the identity provider's metadata wants it.",
            words!(saml.sign_requests: "auto" => SignRequests::Auto, "true" => SignRequests::Always, "false" => SignRequests::Never)),
        option!("request_binding" SAML, Text, "auto, redirect or post",
            "How our requests reach the identity provider; auto: by redirect where it takes that.",
            words!(saml.request_binding: "auto" => RequestBinding::Auto, "redirect" => RequestBinding::Redirect,
                "post" => RequestBinding::Post)),
        option!("force_authn" SAML, Boolean, "true or false",
            "Whether people have to show who they are each time, however lately they did; the answer is held to it.",
            words!(saml.force_authn: "true" => true, "false" => false)),
        option!("name_id_format" SAML, Text, "a format URI, or nothing",
            "The NameID format our requests ask for. Unset: the identity provider's choice.",
            (|o, t| line(t).map(|format| o.saml.name_id_format = format), |o| o.saml.name_id_format.clone())),
        option!("authn_contexts" SAML, Texts, "an authentication context class URI, up to 16",
            "How people have to sign in at the identity provider; any of these. The answer is held to it.",
            (|o, t| lines(t).map(|classes| o.saml.authn_contexts = classes),
                |o| some_text(o.saml.authn_contexts.join(&NEXT.to_string())))),
        option!("sp_entity_id" SAML, Text, "an entity id, or nothing",
            "Our name towards the identity provider. Unset: the address of our metadata.",
            (|o, t| line(t).map(|id| o.saml.sp_entity_id = id), |o| o.saml.sp_entity_id.clone())),
        option!("single_logout" SAML, Boolean, "true or false",
            "Whether signing out here signs out at the identity provider too, and the other way round, where it takes part.",
            words!(saml.single_logout: "true" => true, "false" => false)),
    ]
}

/// Options of a connection by OAuth 2.0 or OpenID Connect.
fn oauth() -> Vec<OptionSpec> {
    let mut table = providers();
    table.extend(clients());
    table
}

/// Who signs people in, and where.
fn providers() -> Vec<OptionSpec> {
    vec![
        option!("issuer" WITH_ISSUER, Text, "an https:// address, or nothing",
            "What the provider calls itself, letter by letter; its endpoints are read from there. Unset: the kind's.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.issuer = url), |o| o.oidc.issuer.clone())),
        option!("tenant" MICROSOFT, Text, "organizations, common, a domain or the id of a tenant",
            "Whose accounts sign in at Microsoft. Unset: organizations, and then allowed_tenants has to say which.",
            (|o, t| line(t).map(|text| o.oidc.tenant = text), |o| o.oidc.tenant.clone())),
        option!("allowed_tenants" MICROSOFT, Texts, "the id of a tenant, up to 16, or *",
            "Whose people are let in, by tenant; * is everybody's with a Microsoft account of any company.",
            (|o, t| lines(t).map(|all| o.oidc.allowed_tenants = all),
                |o| some_text(o.oidc.allowed_tenants.join(&NEXT.to_string())))),
        option!("authorization_url" OAUTH, Text, "an https:// address, or nothing",
            "Where browsers are sent to sign in. Unset: the kind's, or what the provider's metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.authorization_url = url), |o| o.oidc.authorization_url.clone())),
        option!("token_url" OAUTH, Text, "an https:// address, or nothing",
            "Where the gateway turns a code into tokens. Unset: the kind's, or what the provider's metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.token_url = url), |o| o.oidc.token_url.clone())),
        option!("profile_url" OAUTH, Text, "an https:// address, or nothing",
            "Where the gateway reads who signed in. Unset: the kind's, or what the provider's metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.profile_url = url), |o| o.oidc.profile_url.clone())),
        option!("more_profile_urls" GENERIC, Texts, "https:// addresses, up to 16",
            "Where more is read of whoever signed in, in this order; what an earlier one says stands.",
            (|o, t| lines(t).filter(|all| all.iter().all(|one| web_address(one).is_some())).map(|all| o.oidc.more_profile_urls = all),
                |o| some_text(o.oidc.more_profile_urls.join(&NEXT.to_string())))),
        option!("profile_method" GENERIC, Text, "get or post",
            "How profiles are asked for; post: with nothing in the body.",
            words!(oidc.profile_method: "get" => ProfileMethod::Get, "post" => ProfileMethod::Post)),
        option!("token_in" GENERIC, Text, "header or query",
            "Where the access token goes when a profile is read. In a query it stands in the logs of whatever lies between: \
             only for a service that takes it nowhere else.",
            words!(oidc.token_in: "header" => TokenIn::Header, "query" => TokenIn::Query)),
        option!("emails_url" GITHUB, Text, "an https:// address, or nothing",
            "Where a person's addresses are read. Unset: profile_url with /emails behind it.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.emails_url = url), |o| o.oidc.emails_url.clone())),
        option!("teams_url" GITHUB, Text, "an https:// address, or nothing",
            "Where a person's teams are read: https://api.github.com/user/teams, with read:org in scopes. Unset: they are not asked for.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.teams_url = url), |o| o.oidc.teams_url.clone())),
        option!("graph_url" MICROSOFT, Text, "an https:// address, or nothing",
            "Where Microsoft Graph says more of a person: https://graph.microsoft.com/v1.0/me, with User.Read in scopes. Unset: it is not asked.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.graph_url = url), |o| o.oidc.graph_url.clone())),
        option!("jwks_url" WITH_ISSUER, Text, "an https:// address, or nothing",
            "Where the provider publishes its keys. Unset: what its metadata says.",
            (|o, t| optional(t, web_address).map(|url| o.oidc.jwks_url = url), |o| o.oidc.jwks_url.clone())),
        option!("allow_plaintext" OAUTH, Boolean, "true or false",
            "Whether the provider's addresses may be http://. Only for a server on this machine (loopback).",
            words!(oidc.allow_plaintext: "true" => true, "false" => false)),
    ]
}

/// What we are there, and what we ask for.
fn clients() -> Vec<OptionSpec> {
    vec![
        option!("client_id" OAUTH, Text, "a text", "What the provider calls us: it is given when an application is registered there.",
            (|o, t| line(t).map(|id| o.oidc.client_id = id), |o| o.oidc.client_id.clone())),
        option!("scopes" OAUTH, Text, "scopes with blanks between them, or nothing",
            "What the gateway asks to be told. Unset: the kind's.",
            (|o, t| line(t).map(|text| o.oidc.scopes = text), |o| o.oidc.scopes.clone())),
        option!("required_scopes" OAUTH, Texts, "scopes, up to 16",
            "Which of the scopes a person has to grant: without one of them nobody is let in. Unset: what was not granted is told in the trace of the login.",
            (|o, t| lines(t).map(|all| o.oidc.required_scopes = all),
                |o| some_text(o.oidc.required_scopes.join(&NEXT.to_string())))),
        option!("user_id_path" OAUTH, Text, "a path like id or data.id, or nothing",
            "Which claim names a person for good. Unset: what the kind is known by; kind oauth2 has to be told.",
            (|o, t| optional(t, claim_path).map(|path| o.oidc.user_id_path = path), |o| o.oidc.user_id_path.clone())),
        option!("pkce" OAUTH, Text, "auto, always or never",
            "Whether a login carries a challenge that only its beginner can answer; auto: as the kind or the metadata says.",
            words!(oidc.pkce: "auto" => Pkce::Auto, "always" => Pkce::Always, "never" => Pkce::Never)),
        option!("client_authentication" OAUTH, Text, "auto, basic or post",
            "How the client secret is shown to the provider; auto: as the kind or the metadata says.",
            words!(oidc.client_authentication: "auto" => ClientAuthentication::Auto, "basic" => ClientAuthentication::Basic,
                "post" => ClientAuthentication::Post)),
        option!("authorize_params" OAUTH, Texts, "NAME=VALUE, up to 16",
            "What else is sent along when a login begins, like prompt=select_account. A visitor can leave it out: it restricts nobody.",
            (|o, t| lines(t).map(|all| o.oidc.authorize_params = all),
                |o| some_text(o.oidc.authorize_params.join(&NEXT.to_string())))),
        option!("algorithms" WITH_ISSUER, Texts, "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA",
            "What ID tokens may be signed with. Unset: any of these.",
            (|o, t| lines(t).map(|all| o.oidc.algorithms = all), |o| some_text(o.oidc.algorithms.join(&NEXT.to_string())))),
        option!("max_age_seconds" WITH_ISSUER, Integer, "a whole number from 1 to 2592000, or nothing",
            "How long ago people may have shown who they are; the ID token is held to it. Unset: however long.",
            (|o, t| if t.is_empty() { o.oidc.max_age_seconds = None; Some(()) } else {
                number(t, 1, 30 * 86_400).map(|value| o.oidc.max_age_seconds = Some(value)) },
                |o| o.oidc.max_age_seconds.map(|value| value.to_string()))),
        option!("team_id" APPLE, Text, "a text", "Who we are to Apple: the id of the developer team.",
            (|o, t| line(t).map(|id| o.oidc.team_id = id), |o| o.oidc.team_id.clone())),
        option!("key_id" APPLE, Text, "a text", "Which key of that team the secret client_key is.",
            (|o, t| line(t).map(|id| o.oidc.key_id = id), |o| o.oidc.key_id.clone())),
    ]
}

/// Options of the SCIM side.
fn pushed() -> Vec<OptionSpec> {
    vec![
        option!("scim_mapping" LOGINS, Text, "the name of a mapping", "The mapping of what is pushed to the connection over SCIM.",
            (|o, t| mapping_name(t).map(|name| o.scim_mapping = name), |o| Some(o.scim_mapping.clone()))),
        option!("scim_user_id_attribute" WITH_SCIM, Text, "externalId or userName",
            "Which SCIM attribute names a person for good: the last part of the user_id and what a re-post is recognised by.",
            words!(scim_user_id_attribute: "externalId" => ScimUserIdAttribute::ExternalId,
                "userName" => ScimUserIdAttribute::UserName)),
        option!("strict" PUSHED, Boolean, "true or false",
            "Hold the client to the letter of the RFCs; false accepts what real identity providers send.",
            words!(strict: "true" => true, "false" => false)),
        option!("put_groups_without_members" PUSHED, Text, "clear or keep",
            "What a PUT of a group without a members attribute does to its members.",
            words!(put_groups_without_members_keep: "clear" => false, "keep" => true)),
        option!("group_patch_response" PUSHED, Text, "auto, 200 or 204",
            "How a PATCH of a group is answered; auto: with the group up to 200 members, else 204.",
            words!(group_patch_response: "auto" => GroupPatchResponse::Auto, "200" => GroupPatchResponse::Ok,
                "204" => GroupPatchResponse::NoContent)),
        option!("unknown_members" PUSHED, Text, "refuse or ignore",
            "What happens to a member whose id is nobody's on this connection: refuse the request with 400, or leave it out.",
            words!(ignore_unknown_members: "refuse" => false, "ignore" => true)),
        option!("require_if_match" PUSHED, Boolean, "true or false",
            "Whether PUT, PATCH and DELETE of one resource need an If-Match header (428 without), so that nobody overwrites unseen.",
            words!(require_if_match: "true" => true, "false" => false)),
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
