//! Whether people who log in will be the people whom a push or a directory brought, as far as the settings tell: said while a
//! connection is set up, when nobody is in the roster twice yet. Pure.
//!
//! Owns what is known of ids by their names. Says nothing where it knows nothing: a custom attribute may hold anything.

use crate::model::connection::{Connection, ConnectionKind, JoinOn, ScimUserIdAttribute};
use crate::model::saml::{SamlOptions, UserIdFormat};

const OBJECT_ID: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";

/// What the connection alone does not say.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Somebody pushes to the connection: a token was made for it.
    pub has_scim_side: bool,
    /// The connection that `join` names.
    pub joined: Option<&'a Connection>,
    /// The organization has proven a domain.
    pub has_domain: bool,
    /// The mapping has a rule for `username`.
    pub gives_username: bool,
    /// The mapping has a rule that may say `email_verified = true`.
    pub gives_verified_email: bool,
}

/// By what somebody who logs in is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    /// Another one at each login.
    Transient,
    /// A login name or an address.
    Name,
    /// An id that stays and that nobody reads.
    Lasting,
    /// The NameID in the identity provider's own format, mostly a login name.
    Usual,
    /// Whatever the attribute holds.
    Unknown,
}

/// Why people who log in will not meet those who are there, each in a sentence or two with the way out. Empty: nothing is known
/// against it.
pub fn will_not_join(connection: &Connection, around: &Around<'_>) -> Vec<String> {
    let options = &connection.options;
    let (id, called) = (id_of(&options.saml), called(&options.saml));
    let mut reasons = Vec::new();
    if id == Id::Transient {
        reasons.push(String::from(
            "name_id_format asks for a transient NameID, which is another one at each login: nobody gets in until \
             user_id_attribute names an attribute that stays",
        ));
    }
    if around.has_scim_side {
        reasons.extend(with_the_push(id, &called, options.scim_user_id_attribute));
    }
    if let Some(join) = &options.join {
        reasons.extend(with_another(connection, join, (id, &called), around));
    }
    reasons
}

fn id_of(saml: &SamlOptions) -> Id {
    let Some(attribute) = &saml.user_id_attribute else {
        let format = saml.name_id_format.as_deref().unwrap_or_default();
        return match format.rsplit(':').next().unwrap_or_default() {
            "transient" => Id::Transient,
            "persistent" => Id::Lasting,
            "emailAddress" => Id::Name,
            _ => Id::Usual,
        };
    };
    // Under an OID, or as the last part of a claim's name, or as administrators type it.
    let oid = attribute.strip_prefix("urn:oid:");
    let last = oid.unwrap_or_else(|| attribute.rsplit(['/', ':', '.']).next().unwrap_or_default()).to_ascii_lowercase();
    match last.as_str() {
        "objectidentifier"
        | "objectid"
        | "objectguid"
        | "primarysid"
        | "subject-id"
        | "pairwise-id"
        | "edupersonuniqueid"
        | "edupersontargetedid"
        | "personimmutableid"
        | "immutableid"
        | "id"
        | "userid"
        | "entryuuid"
        | "1.3.6.1.4.1.5923.1.1.1.10"
        | "1.3.6.1.4.1.5923.1.1.1.13" => Id::Lasting,
        "name"
        | "upn"
        | "userprincipalname"
        | "windowsaccountname"
        | "emailaddress"
        | "email"
        | "mail"
        | "login"
        | "username"
        | "uid"
        | "edupersonprincipalname"
        | "0.9.2342.19200300.100.1.1"
        | "0.9.2342.19200300.100.1.3"
        | "1.2.840.113549.1.9.1"
        | "1.3.6.1.4.1.5923.1.1.1.6" => Id::Name,
        _ => Id::Unknown,
    }
}

fn called(saml: &SamlOptions) -> String {
    match (&saml.user_id_attribute, &saml.name_id_format) {
        (Some(attribute), _) => format!("the attribute {attribute}"),
        (None, Some(format)) => format!("a NameID of the format {format}"),
        (None, None) => String::from("the NameID"),
    }
}

/// The two sides of one connection: a push attaches to a login with the same id, and the other way round.
fn with_the_push(id: Id, called: &str, pushed: ScimUserIdAttribute) -> Option<String> {
    match (id, pushed) {
        (Id::Lasting, ScimUserIdAttribute::UserName) => Some(format!(
            "people who log in are known by {called}, people who are pushed by userName, which is another value: they will not \
             join. Set scim_user_id_attribute=externalId, and have the same id pushed as externalId{}",
            if called.ends_with(OBJECT_ID) { " (Entra ID: objectId)" } else { "" }
        )),
        (Id::Name | Id::Usual, ScimUserIdAttribute::ExternalId) => Some(format!(
            "people who log in are known by {called}, people who are pushed by externalId, which is hardly ever the same value: they \
             will not join. Set user_id_attribute to the attribute with the id that is pushed as externalId (Entra ID: {OBJECT_ID}, \
             with objectId pushed), or scim_user_id_attribute=userName"
        )),
        _ => None,
    }
}

/// The profiles of another connection.
fn with_another(connection: &Connection, join: &str, (id, called): (Id, &str), around: &Around<'_>) -> Vec<String> {
    let Some(joined) = around.joined else {
        return vec![format!("join names {join}, and there is no connection of that name")];
    };
    let mut reasons = Vec::new();
    if joined.organization_id != connection.organization_id {
        reasons.push(format!("{join} belongs to another organization: people never join across organizations"));
    }
    match connection.options.join_on {
        JoinOn::ExternalId => reasons.extend(by_external_id(joined, (id, called), connection.options.saml.user_id_format)),
        JoinOn::Username => {
            if joined.kind == ConnectionKind::Ldap {
                reasons
                    .push(format!("{join} is a directory, whose people have no user name to join on: set join_on=external_id"));
            }
            if !around.gives_username {
                reasons.push(format!(
                    "join_on is username, and the mapping {} has no rule for username",
                    connection.options.mapping
                ));
            }
        }
        JoinOn::Email => {
            if connection.organization_id.is_none() || !around.has_domain {
                reasons.push(String::from(
                    "join_on is email, which counts in domains that the organization has proven: the connection needs an \
                     organization (option organization), and that a domain (rosterd organization update NAME --domain D)",
                ));
            }
            if !around.gives_verified_email {
                reasons.push(format!(
                    "join_on is email, and an address counts only where the mapping {} says email_verified = true",
                    connection.options.mapping
                ));
            }
        }
    }
    reasons
}

fn by_external_id(joined: &Connection, (id, called): (Id, &str), format: UserIdFormat) -> Option<String> {
    let name = &joined.name;
    let theirs = match (joined.kind, joined.options.scim_user_id_attribute) {
        (ConnectionKind::Ldap, _) => joined.options.directory.id_attribute.as_deref().unwrap_or("its id attribute"),
        (ConnectionKind::Scim, ScimUserIdAttribute::UserName) => "userName",
        (ConnectionKind::Scim, ScimUserIdAttribute::ExternalId) => "externalId",
        _ => return None,
    };
    let is_other = match theirs {
        "userName" => id == Id::Lasting,
        _ => matches!(id, Id::Name | Id::Usual),
    };
    // A directory's id and the cloud's are two, also where one is made of the other.
    let is_other = is_other || (joined.kind == ConnectionKind::Ldap && called.ends_with(OBJECT_ID));
    if theirs.eq_ignore_ascii_case("objectGUID") || theirs.eq_ignore_ascii_case("mS-DS-ConsistencyGuid") {
        match format {
            // Anything else is refused at the login.
            UserIdFormat::Guid if !called.ends_with(OBJECT_ID) => return None,
            UserIdFormat::AsSent if is_guid_in_base64(called) => {
                return Some(format!(
                    "people of {name} are known by {theirs} as text, like 6f1c0c4e-0a5b-403f-8d2e-3b6f6f6f6f6f, and AD FS and Entra ID \
                     send {called} in base64: set user_id_format=guid, or they will not join"
                ));
            }
            _ => {}
        }
    }
    is_other.then(|| {
        format!(
            "people who log in are known by {called}, those of {name} by {theirs}, which is another value: they will not join. Set \
             user_id_attribute to an attribute with that value, or another join_on"
        )
    })
}

/// An Active Directory's own id, as the products around it send bytes.
fn is_guid_in_base64(called: &str) -> bool {
    let last = called.rsplit([' ', '/', ':', '.']).next().unwrap_or_default().to_ascii_lowercase();
    matches!(last.as_str(), "objectguid" | "immutableid" | "onpremisesimmutableid")
}

#[cfg(test)]
mod tests;
