//! An application as JSON, alike in the management API and in `--json`, and what a step would change of it. The names are those
//! management tools know; a secret stands there once, where it was just made.

use super::Planned;
use crate::clock::rfc3339;
use crate::model::client::{Client, ClientKeys, ClientKind, ClientOptions};
use crate::secret::Secret;
use crate::store::clients::StoredClient;
use serde_json::{Value, json};

/// What an application is, in the words of management tools.
pub const fn app_type(options: &ClientOptions) -> &'static str {
    match (options.kind, options.native) {
        (ClientKind::Confidential, _) => "regular_web",
        (ClientKind::Public, false) => "spa",
        (ClientKind::Public, true) => "native",
        (ClientKind::Machine, _) => "non_interactive",
    }
}

/// What it may come to the token endpoint with.
pub const fn grant_types(kind: ClientKind) -> &'static [&'static str] {
    match kind {
        ClientKind::Confidential | ClientKind::Public => &["authorization_code", "refresh_token"],
        ClientKind::Machine => &["client_credentials"],
    }
}

/// How it may prove there which one it is; of several the first is shown, and all count.
pub const fn auth_methods(kind: ClientKind, has_keys: bool) -> &'static [&'static str] {
    match (kind, has_keys) {
        (ClientKind::Public, _) => &["none"],
        (ClientKind::Confidential | ClientKind::Machine, true) => &["private_key_jwt"],
        (ClientKind::Confidential | ClientKind::Machine, false) => &["client_secret_post", "client_secret_basic"],
    }
}

/// The object.
pub fn client(stored: &StoredClient, secret: Option<&Secret<String>>) -> Value {
    let Client { id, name, options, created_at, updated_at, .. } = &stored.client;
    let (jwks, jwks_uri) = match &options.keys {
        None => (None, None),
        Some(ClientKeys::Set(set)) => (Some(set), None),
        Some(ClientKeys::At { uri, .. }) => (None, Some(uri)),
    };
    let mut shown = json!({ "client_id": id });
    if let Some(secret) = secret {
        shown["client_secret"] = secret.expose().as_str().into();
    }
    for (member, value) in [
        ("name", json!(name)),
        ("app_type", json!(app_type(options))),
        ("callbacks", json!(options.redirect_uris)),
        ("allowed_logout_urls", json!(options.post_logout_redirect_uris)),
        ("token_endpoint_auth_method", json!(auth_methods(options.kind, options.keys.is_some())[0])),
        ("jwks", json!(jwks)),
        ("jwks_uri", json!(jwks_uri)),
        ("pkce_required", json!(!options.without_pkce)),
        ("grant_types", json!(grant_types(options.kind))),
        ("jwt_configuration", json!({ "alg": options.alg.as_str() })),
        ("connections", json!(options.connections)),
        ("scopes", json!(options.scopes)),
        ("id_token_claims", json!(options.id_token_claims)),
        ("asks_consent", json!(options.asks_consent)),
        ("claims_mapping", json!(options.claims_mapping)),
        ("former_secret_until", json!(stored.former.as_ref().map(|(_, until)| rfc3339(*until)))),
        ("created_at", json!(rfc3339(*created_at))),
        ("updated_at", json!(rfc3339(*updated_at))),
    ] {
        shown[member] = value;
    }
    shown
}

/// What a step would do: `{dry_run, step, client, changes}`. Of something new there is neither id nor secret yet.
pub fn plan(planned: &Planned) -> Value {
    let object = |stored: Option<&StoredClient>| {
        let mut shown = stored.map_or_else(|| json!({}), |stored| client(stored, None));
        if let Some(members) = shown.as_object_mut() {
            let is_new = planned.before.is_none();
            members.retain(|name, _| name != "updated_at" && !(is_new && matches!(name.as_str(), "client_id" | "created_at")));
        }
        shown
    };
    let (before, after) = (object(planned.before.as_ref()), object(planned.after.as_ref()));
    let mut names: Vec<&String> =
        before.as_object().into_iter().chain(after.as_object()).flat_map(|object| object.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changes = names.into_iter().filter(|name| before[name.as_str()] != after[name.as_str()]);
    let changes = changes.map(|name| json!({ "attribute": name, "before": before[name], "after": after[name] }));
    json!({
        "dry_run": true,
        "step": planned.step.as_str(),
        "changes": changes.collect::<Vec<_>>(),
        "client": if planned.after.is_some() { after } else { before.clone() },
    })
}
