//! `/user-blocks…`: who may not try a password for a while, because too many tries failed. Counted per name and per person, from
//! anywhere and from each address (`login::limits`); a block ends by itself once nothing fails for a whole window. An administrator's
//! and a source's block are none of these, and are not lifted here.

mod lift;
mod list;

use super::call::Call;
use super::endpoint::{Endpoint, Kind, Parameter, handler};
use super::problem::Problem;
use crate::clock::Micros;
use crate::login::Watched;
use crate::model::connection::{Connection, ConnectionKind};
use crate::provisioning::manage::write::Asked;
use crate::store::users_read::{self, UserRecord};
use crate::store::{connections, login_failures};
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const READ: &str = "read:users";
const UPDATE: &str = "update:users";

/// Longest thing somebody is looked for by, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 1_024;
/// Connections with passwords that are looked at.
const CONNECTIONS_MAX: i64 = 200;

const IDENTIFIER: [Parameter; 2] = [
    Parameter::new("identifier", Kind::Text, "what is typed to sign in: an address, a user name, a telephone number").required(),
    Parameter::new("consider_brute_force_enablement", Kind::Flag, "accepted: it is always on"),
];

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/user-blocks", "/user-blocks/{id}");
    vec![
        Endpoint::new(Method::GET, all, "list_user_blocks_by_identifier", &[READ], handler!(list::by_identifier, nobody))
            .does("Where somebody may not sign in for now after too many failures, by what they type")
            .with(&IDENTIFIER)
            .answers(200, "what is blocked, and from where", schema),
        Endpoint::new(Method::DELETE, all, "lift_user_blocks_by_identifier", &[UPDATE], handler!(lift::by_identifier, nobody))
            .does("Forgets their failures; other blocks stay")
            .with(&IDENTIFIER)
            .answers_nothing(204, "also where nothing was blocked"),
        Endpoint::new(Method::GET, one, "list_user_blocks", &[READ], handler!(list::of_user, nobody))
            .does("The same of a user, under every name of theirs")
            .with(&IDENTIFIER[1..])
            .answers(200, "what is blocked, and from where", schema),
        Endpoint::new(Method::DELETE, one, "lift_user_blocks", &[UPDATE], handler!(lift::of_user, nobody))
            .does("Forgets a user's failures; other blocks stay")
            .answers_nothing(204, "also where nothing was blocked"),
    ]
}

fn schema() -> Value {
    let blocked = json!({
        "type": "object",
        "required": ["identifier", "connection"],
        "properties": {"identifier": {"type": "string"}, "ip": {"type": "string"}, "connection": {"type": "string"}},
    });
    json!({"type": "object", "required": ["blocked_for"], "properties": {"blocked_for": {"type": "array", "items": blocked}}})
}

/// What counts somebody's tries somewhere.
struct Looked {
    /// As it is shown.
    identifier: String,
    connection: Connection,
    watched: Watched,
}

/// By something that may be typed at any connection with passwords.
async fn by_identifier(call: &Call<'_>) -> Result<Vec<Looked>, Problem> {
    let identifier = call.parameter("identifier").unwrap_or_default();
    if identifier.is_empty() || identifier.len() > IDENTIFIER_BYTES_MAX {
        return Err(Problem::query("Query validation error: 'identifier' is required, at most 1024 bytes of it"));
    }
    let mut all = Vec::new();
    for stored in connections::with_passwords(&call.api.store, &call.tenant, CONNECTIONS_MAX).await? {
        all.extend(looked(call, &stored.connection, identifier, &[(identifier, false)]));
    }
    Ok(all)
}

/// By everything that a user is known by.
async fn of_user(call: &Call<'_>, user: &UserRecord) -> Result<Vec<Looked>, Problem> {
    let mut all = Vec::new();
    for identity in users_read::identities(&call.api.store, &call.tenant, &user.id).await? {
        let found = connections::find(&call.api.store, &call.tenant, &identity.connection_id).await?;
        let Some(connection) = found.map(|stored| stored.connection).filter(|one| asks_passwords(one.kind)) else { continue };
        let text = |document: &Value, name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let documents = [&user.doc, &identity.mapped, &identity.login_mapped];
        let names = ["email", "username", "phone_number"];
        let said = documents.iter().flat_map(|document| names.iter().filter_map(move |name| text(document, name)));
        let named: BTreeSet<String> = said.chain(identity.user_name.clone()).collect();
        let shown = named.iter().next().cloned().unwrap_or_else(|| user.user_id.clone());
        for name in &named {
            all.extend(looked(call, &connection, name, &[(name.as_str(), false)]));
        }
        if let Some(external_id) = &identity.external_id {
            all.extend(looked(call, &connection, &shown, &[(external_id.as_str(), true)]));
        }
    }
    Ok(all)
}

fn asks_passwords(kind: ConnectionKind) -> bool {
    matches!(kind, ConnectionKind::Ldap | ConnectionKind::Database)
}

fn looked(call: &Call<'_>, connection: &Connection, shown: &str, texts: &[(&str, bool)]) -> Vec<Looked> {
    let (limits, keys) = (call.api.limits, &call.api.keys);
    let watched = texts.iter().flat_map(|(text, is_person)| limits.watched(keys, &connection.id, text, *is_person));
    watched.map(|watched| Looked { identifier: shown.to_owned(), connection: connection.clone(), watched }).collect()
}

/// One row that stands, of what was looked at.
struct Found<'l> {
    looked: &'l Looked,
    subject: String,
    /// Of one address, or of all.
    ip: Option<String>,
    is_blocked: bool,
}

async fn found<'l>(call: &Call<'_>, looked: &'l Looked, now: Micros) -> Result<Vec<Found<'l>>, Problem> {
    let (scope, window) = (looked.connection.id.as_str(), call.api.limits.window);
    let mut all = Vec::new();
    for row in login_failures::of_somebody(&call.api.store, &call.tenant, scope, &looked.watched.subject).await? {
        let ip = row.subject.strip_prefix(&looked.watched.from).map(str::to_owned);
        let most = if ip.is_some() { looked.watched.failures_from_max } else { looked.watched.failures_max };
        let is_blocked = row.failures >= i64::from(most) && row.last_at > now - window;
        all.push(Found { looked, subject: row.subject, ip, is_blocked });
    }
    Ok(all)
}

/// The user that the path names.
async fn user(call: &Call<'_>) -> Result<UserRecord, Problem> {
    let id = call.id_after("user-blocks");
    users_read::find_by_user_id(&call.api.store, &call.tenant, id).await?.ok_or_else(Problem::no_user)
}

/// Who asks for a block to be lifted, for the log.
fn asked<'a>(call: &'a Call<'_>, audit: &'a crate::store::audit::Audit) -> Asked<'a> {
    super::users::asked(call, audit, crate::provisioning::manage::By::Api, false)
}
