//! `/connections/{id}/scim-configuration`: whether a SCIM client may push to a connection, by what it names people, and which of its
//! attributes go where. A connection of kind `scim` has one from birth; one that people log in through gets one by POST or by its first
//! token. The pairs are a view of the mapping that runs: what it copies as it is. To change what it does a mapping is published.

use super::{find, shown as shown_connection};
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::page::Page;
use crate::api::problem::Problem;
use crate::clock::rfc3339;
use crate::model::connection::{ConnectionKind, ScimUserIdAttribute};
use crate::provisioning::mappings;
use crate::registration::connections::{ConnectionError, ConnectionWanted};
use crate::registration::connections_shown;
use crate::store::connections::{self, StoredConnection};
use crate::store::{mapping_versions, tokens};
use axum::body::Body;
use serde_json::{Map, Value, json};

/// The URN before the attributes of the enterprise extension.
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.";
/// How often it is looked again when somebody else was quicker.
const ROUNDS: usize = 3;
/// Members of the object, in a list of all.
const LIST: &str = "scim_configurations";

/// Can a client push to this kind at all?
fn may_be_pushed_to(kind: ConnectionKind) -> bool {
    !matches!(kind, ConnectionKind::Database | ConnectionKind::Ldap) && !kind.is_social()
}

async fn is_configured(call: &Call<'_>, stored: &StoredConnection) -> Result<bool, Problem> {
    let connection = &stored.connection;
    Ok(connection.kind == ConnectionKind::Scim
        || may_be_pushed_to(connection.kind)
            && (stored.set.contains_key("scim_mapping")
                || tokens::has_any(&call.api.store, &call.tenant, &connection.id).await?))
}

/// The connection that the path names, if a client may push to it.
pub(super) async fn find_configured(call: &Call<'_>) -> Result<StoredConnection, Problem> {
    let stored = find(call).await?;
    if is_configured(call, &stored).await? { Ok(stored) } else { Err(Problem::no_scim_configuration()) }
}

pub(in crate::api) async fn show(call: &Call<'_>) -> Result<Answer, Problem> {
    let stored = find_configured(call).await?;
    shown(call, &stored).await.map(Answer::ok)
}

/// `GET …/default-mapping`: what a new configuration begins with.
pub(in crate::api) async fn default_mapping(call: &Call<'_>) -> Result<Answer, Problem> {
    find(call).await?;
    let draft = (call.api.registrar.drafts)("scim").ok().flatten();
    let text = draft.map(|draft| draft.text).unwrap_or_default();
    Ok(Answer::ok(json!({ "mapping": pairs(&text) })))
}

pub(in crate::api) async fn create(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let members = call.object(sent).await?;
    let user_id_attribute = user_id_attribute(&members)?;
    let stored = find(call).await?;
    if !may_be_pushed_to(stored.connection.kind) {
        return Err(Problem::not_supported("nothing is pushed to a connection of this strategy"));
    }
    if is_configured(call, &stored).await? {
        return Err(Problem::body("the connection has a SCIM configuration already"));
    }
    if members.get("mapping").is_some_and(|mapping| !mapping.is_null()) {
        return Err(mapping_stays());
    }
    let changes = [("scim_mapping", Some("scim".into())), ("scim_user_id_attribute", user_id_attribute)];
    changed(call, changes).await.map(|(value, made)| if made { Answer::created(value) } else { Answer::ok(value) })
}

pub(in crate::api) async fn update(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let members = call.object(sent).await?;
    let stored = find_configured(call).await?;
    for name in ["user_id_attribute", "mapping"] {
        if members.get(name).is_none_or(Value::is_null) {
            return Err(Problem::member(name, "Missing required property"));
        }
    }
    if members.get("mapping") != shown(call, &stored).await?.get("mapping") {
        return Err(mapping_stays());
    }
    changed(call, [("scim_user_id_attribute", user_id_attribute(&members)?)]).await.map(|(value, _)| Answer::ok(value))
}

pub(in crate::api) async fn delete(call: &Call<'_>) -> Result<Answer, Problem> {
    let stored = find_configured(call).await?;
    if stored.connection.kind == ConnectionKind::Scim {
        return Err(Problem::not_supported(
            "a connection of strategy scim has its SCIM configuration for good; delete the connection",
        ));
    }
    let now = call.api.clock.now();
    let all = tokens::list(&call.api.store, &call.tenant, Some(&stored.connection.id), "", 1).await?;
    if all.iter().any(|token| token.is_live(now)) {
        return Err(Problem::taken("tokens open its SCIM endpoint: revoke them first"));
    }
    changed(call, [("scim_mapping", None), ("scim_user_id_attribute", None)])
        .await
        .map(|(value, made)| if made { Answer::no_content() } else { Answer::ok(value) })
}

/// `GET /connections-scim-configurations`, by checkpoint.
pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call, LIST)?;
    // Those without one leave gaps; a page may be short and not the last.
    let mut found = connections::list_of(&call.api.store, &call.tenant, &[], &page.after, page.take + 1, 0).await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count > page.take);
    found.truncate(usize::try_from(page.take).unwrap_or_default());
    let mut entries = Vec::new();
    for stored in &found {
        if is_configured(call, stored).await? {
            entries.push(shown(call, stored).await?);
        }
    }
    let mut answer = json!({ LIST: entries });
    if let Some(last) = found.last().filter(|_| more) {
        answer["next"] = Page::next(call, LIST, &last.connection.name).into();
    }
    Ok(Answer::ok(answer))
}

fn mapping_stays() -> Problem {
    Problem::not_supported("the pairs are a view of the connection's mapping: publish another one, and name it in its options")
}

/// Sets or takes back options; `false`: only the plan is asked for, and is here.
async fn changed<const N: usize>(call: &Call<'_>, changes: [(&'static str, Option<Value>); N]) -> Result<(Value, bool), Problem> {
    let dry_run = call.is_dry_run()?;
    let registrar = &call.api.registrar;
    let mut round = 1;
    loop {
        let stored = find(call).await?;
        let mut set = stored.set.clone();
        for (name, value) in &changes {
            match value {
                Some(value) => _ = set.insert((*name).to_owned(), value.clone()),
                None => _ = set.shift_remove(*name),
            }
        }
        let secrets = registrar.secrets_of(&stored.connection).await?;
        let wanted = ConnectionWanted { set, organization: None, secrets };
        let mut planned = registrar.update_connection(stored, wanted, &call.audit()).await?;
        if dry_run {
            return Ok((connections_shown::plan(&planned, &call.api.public_url), false));
        }
        match registrar.carry_out_connection(&mut planned).await {
            Ok(()) => {
                let after = planned.after.as_ref().ok_or_else(Problem::no_connection)?;
                return Ok((shown(call, after).await?, true));
            }
            Err(ConnectionError::Stale) if round < ROUNDS => round += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn user_id_attribute(members: &Map<String, Value>) -> Result<Option<Value>, Problem> {
    if let Some(other) = members.keys().find(|name| !matches!(name.as_str(), "user_id_attribute" | "mapping")) {
        return Err(Problem::member(other, format!("Additional properties not allowed: {other}")));
    }
    match members.get("user_id_attribute") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if matches!(text.as_str(), "externalId" | "userName") => Ok(Some(text.as_str().into())),
        Some(_) => Err(Problem::member("user_id_attribute", "wanted externalId or userName")),
    }
}

/// The object. Mind `updated_on`: SDKs want it so.
async fn shown(call: &Call<'_>, stored: &StoredConnection) -> Result<Value, Problem> {
    let connection = &stored.connection;
    let options = &connection.options;
    let name = if connection.kind == ConnectionKind::Scim { &options.mapping } else { &options.scim_mapping };
    let (text, version) = match mapping_versions::latest(&call.api.store, &call.tenant, name).await? {
        Some(newest) => {
            let published = mappings::published(newest)?;
            (published.text, Some(published.version))
        }
        None => ((call.api.registrar.drafts)(name).ok().flatten().map(|draft| draft.text).unwrap_or_default(), None),
    };
    let user_id_attribute = match options.scim_user_id_attribute {
        ScimUserIdAttribute::ExternalId => "externalId",
        ScimUserIdAttribute::UserName => "userName",
    };
    let whole = shown_connection(call, stored).await?;
    Ok(json!({
        "connection_id": connection.id,
        "connection_name": connection.name,
        "strategy": connection.kind.strategy(),
        "tenant_name": call.tenant,
        "user_id_attribute": user_id_attribute,
        "mapping": pairs(&text),
        "mapping_name": name,
        "mapping_version": version,
        "scim_base_url": whole["scim_base_url"],
        "created_at": rfc3339(connection.created_at),
        "updated_on": rfc3339(connection.updated_at),
    }))
}

/// What a mapping copies as it is: lines `target = $path`, with or without words of its own behind them.
fn pairs(text: &str) -> Vec<Value> {
    let pair = |line: &str| {
        let (target, rest) = line.split_once('=')?;
        let (target, rest) = (target.trim(), rest.trim());
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte));
        let source = rest.split(" with ").next()?.trim().strip_prefix('$')?;
        if !plain(target) || !plain(source) {
            return None;
        }
        let scim = source.strip_prefix("enterprise:").map_or_else(|| source.to_owned(), |name| format!("{ENTERPRISE}{name}"));
        Some(json!({ "auth0": target, "scim": scim }))
    };
    // Tests stand behind the rules, and hold no such line.
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_as_it_is_is_a_pair_and_nothing_else_is() {
        let text = "mapping scim from scim to profile\n\
            let mail = first($emails[*].value)\n\
            username       = $userName with required, max 350b\n\
            given_name     = $name.givenName\n\
            nickname       = $nickName ?? before(mail, \"@\")\n\
            blocked = not $active when present($active)\n\
            app_metadata.department  = $enterprise:department with max 1kb\n";
        assert_eq!(
            Value::Array(pairs(text)),
            json!([
                {"auth0": "username", "scim": "userName"},
                {"auth0": "given_name", "scim": "name.givenName"},
                {"auth0": "app_metadata.department", "scim": format!("{ENTERPRISE}department")},
            ])
        );
    }
}
