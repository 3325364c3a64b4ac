//! A user as the management API shows them: the fields of the normalised profile, made of what is stored of the profile and of its
//! identities. Owns which members there are and what stands in them. Refuses everything else: what is not named here is never
//! shown, whatever a document holds, so no password, raw payload or token of a provider leaves by this way.

use crate::clock::rfc3339;
use crate::model::connection::ConnectionKind;
use crate::model::profile_names;
use crate::model::user_id;
use crate::profile::{ROOTS, is_root};
use crate::store::users_read::{IdentityRecord, UserRecord};
use serde_json::{Map, Value, json};

/// The object. `identities` in the order of their positions, the primary one first.
pub fn user(user: &UserRecord, identities: &[IdentityRecord]) -> Value {
    let empty = Map::new();
    let mut shown = profile(&user.user_id, user.doc.as_object().unwrap_or(&empty));
    let mut put = |name: &str, value: Value| {
        shown.insert(name.to_owned(), value);
    };
    if user.blocked {
        put("blocked", true.into());
    }
    if let Some(organization) = &user.organization_id {
        put("organization_id", organization.as_str().into());
    }
    put("created_at", rfc3339(user.created_at).into());
    put("updated_at", rfc3339(user.updated_at).into());
    if let Some(at) = user.last_login_at {
        put("last_login", rfc3339(at).into());
        put("logins_count", user.logins_count.into());
    }
    put("identities", identities.iter().map(|one| identity(user, one)).collect());
    Value::Object(shown)
}

/// What of the object is made of the document, now or as it was.
pub fn profile(user_id: &str, doc: &Map<String, Value>) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| {
        shown.insert(name.to_owned(), value);
    };
    put("user_id", user_id.into());
    // Blocks are rows; the rest of the roots stands in the document, if anywhere.
    for name in ROOTS.iter().filter(|name| **name != "blocked") {
        if let Some(value) = doc.get(*name).filter(|value| !value.is_null()) {
            put(name, value.clone());
        }
    }
    put("name", profile_names::name(doc, user_id).into());
    put("nickname", profile_names::nickname(doc, user_id).into());
    put("email_verified", doc.get("email_verified").and_then(Value::as_bool).unwrap_or(false).into());
    for name in ["user_metadata", "app_metadata"] {
        if let Some(metadata) = doc.get(name).filter(|value| value.is_object()) {
            put(name, metadata.clone());
        }
    }
    shown
}

/// One element of `identities`.
pub fn identity(user: &UserRecord, one: &IdentityRecord) -> Value {
    let kind = ConnectionKind::parse(&one.kind);
    let mut shown = json!({
        "connection": one.connection,
        "provider": kind.map_or(one.kind.as_str(), |kind| kind.strategy()),
        "user_id": own_id(user, one),
        "isSocial": kind.is_some_and(ConnectionKind::is_social),
    });
    if one.position > 0 {
        shown["profileData"] = profile_data(one);
    }
    shown
}

/// What stands behind the first `|` of the identity's own `user_id`. The primary one's is the profile's.
fn own_id(user: &UserRecord, one: &IdentityRecord) -> String {
    let whole = match (one.position, ConnectionKind::parse(&one.kind)) {
        (position, Some(kind)) if position > 0 => {
            user_id::wanted(kind, &one.connection, one.external_id.as_deref(), one.id.as_str())
        }
        _ => user.user_id.clone(),
    };
    whole.split_once('|').map_or(whole.as_str(), |(_, own)| own).to_owned()
}

/// The roots that a secondary identity's mapping gave, and what a script gave besides.
fn profile_data(one: &IdentityRecord) -> Value {
    let mapped = if one.mapped.is_null() { &one.login_mapped } else { &one.mapped };
    let Value::Object(members) = mapped else { return json!({}) };
    let shown = members.iter().filter(|(name, _)| *name != "blocked" && (is_root(name) || !is_ours(name)));
    Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Targets of a mapping that are no roots.
fn is_ours(name: &str) -> bool {
    matches!(name, "user_id" | "groups" | "blocked" | "external_id")
        || name.split_once('.').is_some_and(|(object, _)| matches!(object, "app_metadata" | "user_metadata" | "session"))
}

/// The schema of the object, for the description.
pub(in crate::api) fn schema() -> Value {
    let (text, flag, object) = (json!({"type": "string"}), json!({"type": "boolean"}), json!({"type": "object"}));
    let instant = json!({"type": "string", "format": "date-time"});
    let mut properties = Map::new();
    for (names, kind) in [
        (
            &["user_id", "email", "username", "phone_number", "name", "given_name", "family_name", "nickname", "picture"][..],
            &text,
        ),
        (&["locale", "zoneinfo", "organization_id"], &text),
        (&["email_verified", "phone_verified", "blocked"], &flag),
        (&["user_metadata", "app_metadata"], &object),
        (&["created_at", "updated_at", "last_login"], &instant),
    ] {
        properties.extend(names.iter().map(|name| ((*name).to_owned(), kind.clone())));
    }
    properties.insert("logins_count".into(), json!({"type": "integer", "minimum": 0}));
    properties.insert("identities".into(), json!({"type": "array", "items": identity_schema()}));
    json!({ "type": "object", "properties": properties })
}

/// The schema of one element of `identities`.
pub(in crate::api) fn identity_schema() -> Value {
    json!({
        "type": "object",
        "required": ["connection", "provider", "user_id", "isSocial"],
        "properties": {
            "connection": {"type": "string"},
            "provider": {"type": "string"},
            "user_id": {"type": "string"},
            "isSocial": {"type": "boolean"},
            "profileData": {"type": "object"},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{ConnectionId, IdentityId, ProfileId};

    fn stored(doc: Value) -> UserRecord {
        UserRecord {
            id: ProfileId::new("0198"),
            user_id: "scim|acme-okta|00u1".into(),
            organization_id: None,
            blocked: false,
            doc,
            provenance: json!({"email": "why"}),
            version: 3,
            created_at: 1_700_000_000_000_000,
            updated_at: 1_700_000_000_123_000,
            last_login_at: None,
            logins_count: 0,
        }
    }

    fn known(connection: &str, kind: &str, external_id: Option<&str>, position: i64) -> IdentityRecord {
        IdentityRecord {
            id: IdentityId::new("0199-identity"),
            connection_id: ConnectionId::new("con_1"),
            connection: connection.into(),
            kind: kind.into(),
            position,
            external_id: external_id.map(str::to_owned),
            user_name: None,
            state: "active".into(),
            active: None,
            raw: json!({"secret": "raw"}),
            mapped: json!({"email": "b@x.example", "app_metadata.title": "CTO", "blocked": true, "extra": 1, "groups": ["g"]}),
            mapping: None,
            mapping_version: None,
            login_mapped: Value::Null,
            login_mapping: None,
            login_mapping_version: None,
            last_source: "scim".into(),
            first_seen: 0,
            last_seen: 0,
        }
    }

    #[test]
    fn what_is_always_there_is_there_and_what_was_never_set_is_not() {
        let shown = user(&stored(json!({})), &[known("acme-okta", "scim", Some("00u1"), 0)]);
        assert_eq!(
            shown,
            json!({
                "user_id": "scim|acme-okta|00u1",
                "name": "scim|acme-okta|00u1",
                "nickname": "scim|acme-okta|00u1",
                "email_verified": false,
                "created_at": "2023-11-14T22:13:20.000Z",
                "updated_at": "2023-11-14T22:13:20.123Z",
                "identities": [
                    {"connection": "acme-okta", "provider": "scim", "user_id": "acme-okta|00u1", "isSocial": false}
                ],
            })
        );
    }

    #[test]
    fn only_named_members_leave_whatever_the_document_holds() {
        let doc = json!({
            "email": "a@x.example", "email_verified": true, "password": "p", "password_hash": "h", "blocked": true, "raw": {},
            "user_metadata": {}, "app_metadata": {"plan": "gold"}, "picture": null,
        });
        let record = UserRecord { blocked: true, last_login_at: Some(0), logins_count: 2, ..stored(doc) };
        let shown = user(&record, &[]);
        let names: Vec<&String> = shown.as_object().expect("an object").keys().collect();
        assert_eq!(
            names,
            [
                "user_id",
                "email",
                "email_verified",
                "name",
                "nickname",
                "user_metadata",
                "app_metadata",
                "blocked",
                "created_at",
                "updated_at",
                "last_login",
                "logins_count",
                "identities"
            ]
        );
        assert_eq!(
            (&shown["blocked"], &shown["email_verified"], &shown["name"]),
            (&json!(true), &json!(true), &json!("a@x.example"))
        );
    }

    #[test]
    fn each_identity_has_the_id_of_its_own_and_secondaries_what_they_say_of_the_person() {
        let own = |kind, connection, external_id| identity(&stored(json!({})), &known(connection, kind, external_id, 1));
        assert_eq!(own("google-oauth2", "google-oauth2", Some("108"))["user_id"], "108");
        assert_eq!(own("google-oauth2", "google-oauth2", Some("108"))["isSocial"], true);
        assert_eq!(own("database", "people", Some("5457"))["user_id"], "5457");
        assert_eq!(own("database", "people", Some("5457"))["provider"], "auth0");
        assert_eq!(own("samlp", "acme", Some("ana@x"))["user_id"], "acme|ana@x");
        assert_eq!(own("samlp", "acme", None)["user_id"], "acme|0199-identity");
        assert_eq!(own("samlp", "acme", None)["profileData"], json!({"email": "b@x.example", "extra": 1}));
    }
}
