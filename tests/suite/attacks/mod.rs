//! What an attacker with a valid token, or none, may try against the SCIM endpoint (scim.md §11): each test is named after
//! the attack and shows that it gets nothing and leaves nothing.

mod adoption;
mod audit;
mod bombs;
mod bulk;
mod cursors;
mod groups;
mod injection;
mod schemas;
mod secrets;
mod tenancy;
mod tokens;

use serde_json::{Map, Value};

use super::support::caller::Caller;
use super::support::gateway::{Answer, Gateway, Store};
use super::support::rows::Database;

/// Tables that a SCIM request may write, and those it must never.
const TABLES: [&str; 18] = [
    "tenants",
    "organizations",
    "connections",
    "mapping_versions",
    "schema_extensions",
    "users",
    "user_values",
    "identities",
    "identity_values",
    "groups",
    "members",
    "blocks",
    "conflicts",
    "tombstones",
    "history",
    "log",
    "outbox",
    "runs",
];

/// Two tenants on one gateway. The attacker holds the token of `ours`.
struct World {
    gateway: Gateway,
    /// Connection `scim` of tenant `default`.
    ours: Caller,
    /// Connection `sibling` of the same tenant.
    sibling: Caller,
    /// Connection `scim` of tenant `rival`.
    theirs: Caller,
    theirs_id: String,
    theirs_token: String,
}

impl World {
    async fn new(store: Store) -> Self {
        Self::with(store, &[]).await
    }

    async fn with(store: Store, settings: &[(&str, &str)]) -> Self {
        let gateway = Gateway::start_with(store, settings).await;
        let sibling_token = gateway.connect("sibling", &[]);
        gateway.cli(&["tenant", "create", "rival"]);
        let printed = gateway.cli(&["connection", "create", "scim", "--kind", "scim", "--tenant", "rival", "--json"]);
        let theirs_id = field(&printed, "id");
        let theirs_token =
            field(&gateway.cli(&["token", "create", "--connection", "scim", "--tenant", "rival", "--json"]), "token");
        Self {
            ours: Caller::new(&gateway),
            sibling: Caller::of(&gateway, "sibling", &sibling_token),
            theirs: Caller::of(&gateway, &theirs_id, &theirs_token),
            theirs_id,
            theirs_token,
            gateway,
        }
    }

    /// A new token of connection `scim` with these arguments besides; its id and text.
    fn token(&self, arguments: &[&str]) -> (String, String) {
        let printed = self.gateway.cli(&[&["token", "create", "--connection", "scim", "--json"], arguments].concat());
        (field(&printed, "token_id"), field(&printed, "token"))
    }

    /// Every row of the roster of a tenant, as text: equal before and after means untouched.
    async fn rows_of(&self, tenant: &str) -> Vec<(&'static str, String)> {
        let mut database = Database::open(self.gateway.database_url()).await;
        let mut all = vec![];
        for table in TABLES {
            let rows = database.rows(&format!("SELECT * FROM {table} WHERE tenant_id = '{tenant}'")).await;
            let mut texts: Vec<String> = rows.into_iter().map(without_position).collect();
            texts.sort();
            all.extend(texts.into_iter().map(|text| (table, text)));
        }
        all
    }
}

/// `position` is given after the commit: not part of what a request wrote.
fn without_position(mut row: Map<String, Value>) -> String {
    row.remove("position");
    Value::Object(row).to_string()
}

/// A text member of printed JSON.
fn field(printed: &str, name: &str) -> String {
    let object: Value = serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error} in: {printed}"));
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in: {printed}")).to_owned()
}

/// All that a caller can tell two answers apart by, with what they asked for written alike.
fn told(answer: &Answer, asked: &str) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").replace(asked, "ID")))
        .collect();
    headers.sort();
    (answer.status, answer.text.replace(asked, "ID"), headers)
}
