//! `rosterd users why USER [ATTRIBUTE] [--at TIME]`: for each value of a profile the connection, event and mapping line
//! it came from, what the identity itself says, and what was there before.
//!
//! Members that provenance or history lack are left out, never guessed.

use super::context::{Context, TenantArg};
use super::output;
use super::users::{find_user, plain};
use crate::clock::{Micros, rfc3339};
use crate::model::ids::TenantId;
use crate::model::nearest::nearest;
use crate::provisioning::decide::UserEvent;
use crate::provisioning::mappings;
use crate::provisioning::provenance::Provenance;
use crate::store::mapping_versions;
use crate::store::users_read::{self, HistoryRecord, IdentityRecord, UserRecord};
use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Events looked back at.
const HISTORY: i64 = 500;
/// Older values shown per attribute.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// user_id, e-mail address, user name, or SCIM id
    user: String,
    /// An attribute like email or app_metadata.department; without it all are explained
    attribute: Option<String>,
    /// Explain the values of that instant, for instance 2026-11-20T23:50:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Micros>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

fn instant(text: &str) -> Result<Micros, String> {
    let wanted = || format!("`{text}` is no instant like 2026-11-20T23:50:00Z");
    text.parse::<jiff::Timestamp>().map(|at| at.as_microsecond()).map_err(|_| wanted())
}

pub async fn run(context: &Context, args: &WhyArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let user = find_user(context, &tenant.id, &args.user).await?;
    let identities = users_read::identities(&context.store, &tenant.id, &user.id).await?;
    let history = users_read::history(&context.store, &tenant.id, &user.id, HISTORY).await?;
    let user = UserRecord { provenance: spelled_out(context, &tenant.id, &user.provenance).await?, ..user };
    let known = attributes(&user, &history);
    let asked: Vec<&String> = match &args.attribute {
        None => known.iter().collect(),
        Some(name) => known.iter().filter(|path| is_within(path, name)).collect(),
    };
    if let (Some(name), true) = (&args.attribute, asked.is_empty()) {
        let hint = nearest(name, known.iter().map(String::as_str)).map(|near| format!("; did you mean {near}?"));
        bail!("nothing ever gave {} a value for {name}{}", user.user_id, hint.unwrap_or_default());
    }
    let reasons: Vec<Reason> = asked.iter().map(|path| explain(path, &user, &identities, &history, args.at)).collect();
    if args.json {
        output::json(&reasons.iter().map(Reason::as_json).collect())?;
        return Ok(());
    }
    for (index, reason) in reasons.iter().enumerate() {
        if index > 0 {
            println!();
        }
        reason.print();
    }
    Ok(())
}

/// The stored provenance with each entry in full, and the text of its rule from the published mapping.
async fn spelled_out(context: &Context, tenant: &TenantId, stored: &Value) -> anyhow::Result<Value> {
    let Some(provenance) = Provenance::parse(&stored.to_string()) else { return Ok(stored.clone()) };
    let mut explained = provenance.explained();
    let mut texts: HashMap<(String, i64), Option<String>> = HashMap::new();
    for entry in explained.values_mut() {
        let (Some(name), Some(version)) = (entry["mapping"].as_str(), entry["mapping_version"].as_i64()) else { continue };
        let key = (name.to_owned(), version);
        if !texts.contains_key(&key) {
            let published = mapping_versions::find(&context.store, tenant, name, version).await?;
            texts.insert(key.clone(), published.map(mappings::published).transpose()?.map(|published| published.listing()));
        }
        let line = entry["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or_default();
        let rule = texts[&key].as_deref().and_then(|text| text.lines().nth(line.checked_sub(1)?));
        if let Some(rule) = rule {
            entry["rule"] = rule.into();
        }
    }
    Ok(Value::Object(explained))
}

/// Every attribute path that has or had a reason.
fn attributes(user: &UserRecord, history: &[HistoryRecord]) -> Vec<String> {
    let mut paths: Vec<String> = user.provenance.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
    for path in history.iter().flat_map(|event| changed(&event.changes)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// `app_metadata` means everything below it.
fn is_within(path: &str, asked: &str) -> bool {
    path.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Why one attribute has its value.
struct Reason {
    attribute: String,
    /// `None`: it has none.
    value: Option<Value>,
    provenance: Map<String, Value>,
    /// What the identity's mapping gave, before any write policy.
    mapped: Option<Value>,
    older: Vec<Older>,
}

/// A value that an event replaced; `None` where there was nothing before.
struct Older {
    value: Option<Value>,
    event: String,
    connection: Option<String>,
    actor: String,
    at: Micros,
    history_id: String,
}

/// The pure part: from the stored records to a reason, now or as it was at `at`.
fn explain(
    path: &str,
    user: &UserRecord,
    identities: &[IdentityRecord],
    history: &[HistoryRecord],
    at: Option<Micros>,
) -> Reason {
    // Blocked is no member of the document: it is any block there is.
    // Groups stand in what logins gave, and in rows that are nobody's value.
    let mut value = match path {
        "blocked" => Some(user.blocked.into()),
        "groups" => given_groups(identities),
        _ => walk(&user.doc, path).cloned(),
    };
    let mut provenance = user.provenance.get(path).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut older = Vec::new();
    // Newest first: each event newer than `at` is undone, the rest is what came before.
    for event in history.iter().filter(|event| changed(&event.changes).iter().any(|name| name == path)) {
        let (before, reason) = before(&event.changes, path);
        if at.is_some_and(|at| event.created_at > at) {
            value = before;
            provenance = reason.unwrap_or_default();
        } else {
            older.push(Older {
                value: before,
                event: event.event.clone(),
                connection: event.connection.clone(),
                actor: event.actor.clone(),
                at: event.created_at,
                history_id: event.id.clone(),
            });
        }
    }
    let identity = provenance.get("identity_id").and_then(Value::as_str);
    let identity = identities.iter().find(|candidate| Some(candidate.id.as_str()) == identity);
    let mapped = identity.and_then(|identity| own_value(identity, &provenance, path));
    Reason { attribute: path.to_owned(), value, provenance, mapped, older }
}

/// What the identity's mapping gave on the side that wrote the value.
fn own_value(identity: &IdentityRecord, provenance: &Map<String, Value>, path: &str) -> Option<Value> {
    let by_login = provenance.get("event").and_then(Value::as_str) == Some(UserEvent::LoggedIn.as_str());
    let (first, second) =
        if by_login { (&identity.login_mapped, &identity.mapped) } else { (&identity.mapped, &identity.login_mapped) };
    walk(first, path).or_else(|| walk(second, path)).cloned()
}

/// What logins gave as groups, over all identities.
fn given_groups(identities: &[IdentityRecord]) -> Option<Value> {
    let mut all: Vec<Value> = Vec::new();
    for group in identities.iter().filter_map(|identity| identity.login_mapped.get("groups")?.as_array()).flatten() {
        if !all.contains(group) {
            all.push(group.clone());
        }
    }
    (!all.is_empty()).then_some(Value::Array(all))
}

/// The value at a path, whose names may themselves hold dots.
fn walk<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = document.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(dot, _)| walk(document.get(&path[..dot])?, &path[dot + 1..]))
}

/// The attribute paths that an event changed: the members of the object, or the names of a creation.
fn changed(changes: &Value) -> Vec<String> {
    if let Some(names) = changes.get("created").and_then(Value::as_array) {
        return names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    changes.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

/// The value before an event and the provenance it had.
fn before(changes: &Value, path: &str) -> (Option<Value>, Option<Map<String, Value>>) {
    let Some(Value::Object(change)) = changes.get(path) else { return (None, None) };
    let value = change.get("before").filter(|value| !value.is_null()).cloned();
    (value, change.get("by").and_then(Value::as_object).cloned())
}

impl Reason {
    fn text(&self, member: &str) -> Option<String> {
        self.provenance.get(member).filter(|value| !value.is_null()).map(plain)
    }

    fn at(&self) -> Option<String> {
        self.provenance.get("at").and_then(Value::as_i64).map(rfc3339)
    }

    fn as_json(&self) -> Value {
        let mut object = Map::new();
        object.insert(String::from("attribute"), Value::String(self.attribute.clone()));
        object.insert(String::from("value"), self.value.clone().unwrap_or_default());
        for member in [
            "connection",
            "connection_id",
            "identity_id",
            "mapping",
            "mapping_version",
            "line",
            "rule",
            "event",
            "history_id",
            "actor",
        ] {
            object.insert(member.to_owned(), self.provenance.get(member).cloned().unwrap_or_default());
        }
        object.insert(String::from("at"), self.at().map(Value::String).unwrap_or_default());
        object.insert(String::from("mapped"), self.mapped.clone().unwrap_or_default());
        let older = self.older.iter().map(|older| {
            serde_json::json!({
                "before": older.value,
                "event": older.event,
                "connection": older.connection,
                "actor": older.actor,
                "at": rfc3339(older.at),
                "history_id": older.history_id,
            })
        });
        object.insert(String::from("history"), older.collect());
        Value::Object(object)
    }

    fn print(&self) {
        let value = self.value.as_ref().map_or_else(|| String::from("(no value)"), Value::to_string);
        println!("{} = {}", self.attribute, output::printable(&value));
        let line = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                println!("  {name:<11} {}", output::printable(&text));
            }
        };
        let with = |text: Option<String>, rest: Option<String>| match (text, rest) {
            (Some(text), Some(rest)) => Some(format!("{text} ({rest})")),
            (text, _) => text,
        };
        line("connection", with(self.text("connection"), self.text("connection_id")));
        line("event", with(self.text("event"), self.at()));
        let version = self.text("mapping_version").map(|version| format!(" version {version}")).unwrap_or_default();
        let number = self.text("line").map(|line| format!(", line {line}")).unwrap_or_default();
        line("mapping", self.text("mapping").map(|name| format!("{name}{version}{number}")));
        line("rule", self.text("rule"));
        line("actor", self.text("actor"));
        line("identity", self.text("identity_id"));
        line("it mapped", self.mapped.as_ref().map(Value::to_string));
        for older in self.older.iter().take(SHOWN) {
            let value = older.value.as_ref().map_or_else(|| String::from("(no value)"), Value::to_string);
            let connection = older.connection.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
            line(
                "before",
                Some(format!("{value}, until {} ({}{connection}, by {})", rfc3339(older.at), older.event, older.actor)),
            );
        }
        if self.older.len() > SHOWN {
            line("", Some(format!("… and {} older", self.older.len() - SHOWN)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{ConnectionId, IdentityId, ProfileId};
    use serde_json::json;

    fn user() -> UserRecord {
        UserRecord {
            id: ProfileId::new("p"),
            user_id: String::from("scim|scim|anna"),
            organization_id: None,
            blocked: false,
            doc: json!({"email": "anna@new.example", "app_metadata": {"department": "R&D", "a.b": 1}}),
            provenance: json!({
                "email": {"connection": "scim", "identity_id": "i", "mapping": "scim", "mapping_version": 2, "line": 7,
                          "rule": "email = lower($emails)", "event": "scim.user.replaced", "at": 2_000_000},
                "app_metadata.department": {"connection": "scim"},
            }),
            version: 2,
            created_at: 0,
            updated_at: 0,
            last_login_at: None,
            logins_count: 0,
        }
    }

    fn identity() -> IdentityRecord {
        IdentityRecord {
            id: IdentityId::new("i"),
            connection_id: ConnectionId::new("con_1"),
            connection: String::from("scim"),
            kind: String::from("scim"),
            position: 0,
            external_id: None,
            user_name: None,
            state: String::from("active"),
            active: Some(true),
            raw: Value::Null,
            mapped: json!({"email": "anna@mapped.example"}),
            mapping: Some(String::from("scim")),
            mapping_version: Some(2),
            login_mapped: Value::Null,
            login_mapping: None,
            login_mapping_version: None,
            last_source: String::from("scim"),
            first_seen: 0,
            last_seen: 0,
        }
    }

    fn event(name: &str, created_at: i64, changes: Value) -> HistoryRecord {
        HistoryRecord {
            id: format!("h{created_at}"),
            version: created_at,
            event: String::from(name),
            connection: Some(String::from("scim")),
            identity_id: None,
            mapping: None,
            mapping_version: None,
            actor: String::from("token t"),
            changes,
            created_at,
        }
    }

    fn history() -> Vec<HistoryRecord> {
        let old = json!({"event": "scim.user.created", "line": 7});
        vec![
            event("scim.user.replaced", 2_000_000, json!({"email": {"before": "anna@old.example", "by": old}})),
            event("scim.user.created", 1_000_000, json!({"created": ["email", "nickname"]})),
        ]
    }

    #[test]
    fn a_value_is_explained_with_what_the_identity_says_and_what_was_before() {
        let reason = explain("email", &user(), &[identity()], &history(), None).as_json();
        assert_eq!(reason["value"], "anna@new.example");
        assert_eq!(reason["mapped"], "anna@mapped.example");
        assert_eq!((&reason["line"], &reason["event"]), (&json!(7), &json!("scim.user.replaced")));
        assert_eq!(reason["history"][0]["before"], "anna@old.example");
        assert_eq!(reason["history"][1]["before"], Value::Null);
    }

    #[test]
    fn an_earlier_instant_shows_the_value_and_the_reason_of_then() {
        let reason = explain("email", &user(), &[identity()], &history(), Some(1_500_000));
        assert_eq!(reason.value, Some(json!("anna@old.example")));
        assert_eq!(reason.text("event").as_deref(), Some("scim.user.created"));
        let reason = explain("email", &user(), &[identity()], &history(), Some(500_000));
        assert_eq!(reason.value, None);
    }

    #[test]
    fn missing_members_are_left_out_and_dots_in_names_are_found() {
        let reason = explain("app_metadata.department", &user(), &[], &[], None);
        assert_eq!(reason.value, Some(json!("R&D")));
        assert_eq!(reason.text("mapping"), None);
        assert_eq!(walk(&user().doc, "app_metadata.a.b"), Some(&json!(1)));
    }

    #[test]
    fn a_name_means_itself_and_what_is_below() {
        assert!(is_within("app_metadata.department", "app_metadata"));
        assert!(!is_within("email_verified", "email"));
        assert_eq!(attributes(&user(), &history()), ["email", "app_metadata.department", "nickname"]);
    }
}
