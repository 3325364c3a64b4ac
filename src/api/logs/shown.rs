//! An entry of the log as it is shown. What is not known is left out; our own words for it stand in `details`. Pure.

use crate::clock::rfc3339;
use crate::model::connection::ConnectionKind;
use crate::model::log_type;
use crate::store::logs::{LogRecord, Names};
use serde_json::{Map, Value};

pub(in crate::api) fn entry(row: &LogRecord, names: &Names) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), value.into());
        }
    };
    let reason = row.detail.get("reason").and_then(Value::as_str);
    let user = row.profile_id.as_ref().and_then(|id| names.users.get(id));
    let source = row.identity_id.as_ref().and_then(|id| names.identities.get(id)).map(String::as_str);
    let connection = row.connection_id.as_ref().and_then(|id| names.connections.get(id));
    let organization = connection.and_then(|connection| connection.organization_id.as_deref());
    put("log_id", Some(&row.id));
    put("date", Some(&rfc3339(row.created_at)));
    put("type", Some(log_type::type_of(&row.kind, &row.outcome, reason)));
    put("description", Some(&log_type::description(&row.kind, &row.outcome, reason)));
    put("user_id", user.map(|user| user.user_id.as_str()).or(row.user_id.as_deref()));
    put("user_name", user.and_then(|user| user.email.as_deref()).or(source));
    put("connection", connection.map(|connection| connection.name.as_str()));
    put("connection_id", row.connection_id.as_deref());
    put("strategy", connection.map(|connection| strategy(&connection.kind)));
    put("strategy_type", connection.map(|connection| strategy_type(&connection.kind)));
    put("client_id", row.client_id.as_deref());
    put("client_name", row.client_id.as_ref().and_then(|id| names.clients.get(id)).map(String::as_str));
    put("organization_id", organization.or_else(|| user?.organization_id.as_deref()));
    put("ip", row.ip.as_deref());
    put("user_agent", row.user_agent.as_deref());
    if let Some(agent) = &row.user_agent {
        shown.insert("isMobile".into(), agent.contains("Mobi").into());
    }
    shown.insert("details".into(), details(row));
    Value::Object(shown)
}

/// Our own words, and what the row says besides.
fn details(row: &LogRecord) -> Value {
    let mut details = Map::new();
    details.insert("kind".into(), row.kind.as_str().into());
    details.insert("outcome".into(), row.outcome.as_str().into());
    details.insert("actor".into(), row.actor.as_str().into());
    for (name, value) in [
        ("request_id", Some(&row.request_id)),
        ("identity_id", row.identity_id.as_ref()),
        ("group_id", row.group_id.as_ref()),
        ("event_id", row.history_id.as_ref()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            details.insert(name.into(), value.as_str().into());
        }
    }
    match &row.detail {
        Value::Null => {}
        Value::Object(more) => details.extend(more.iter().map(|(name, value)| (name.clone(), value.clone()))),
        other => drop(details.insert("detail".into(), other.clone())),
    }
    Value::Object(details)
}

/// A kind of connection as it is called on the wire.
fn strategy(kind: &str) -> &str {
    ConnectionKind::parse(kind).map_or(kind, |known| known.strategy())
}

fn strategy_type(kind: &str) -> &'static str {
    match kind {
        "database" => "database",
        kind if ConnectionKind::parse(kind).is_some_and(ConnectionKind::is_social) => "social",
        _ => "enterprise",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::logs::{NamedConnection, NamedUser};
    use serde_json::json;

    pub(in crate::api::logs) fn row() -> LogRecord {
        LogRecord {
            id: "01".into(),
            position: Some(1),
            kind: "login".into(),
            outcome: "refused".into(),
            kind_type: "fp".into(),
            connection_id: Some("con_1".into()),
            identity_id: Some("i".into()),
            group_id: None,
            profile_id: Some("p".into()),
            user_id: None,
            client_id: None,
            ip: Some("192.0.2.7".into()),
            user_agent: Some("Mozilla/5.0 (iPhone) Mobile".into()),
            actor: "login".into(),
            request_id: "r".into(),
            history_id: None,
            detail: json!({"reason": "wrong_password"}),
            created_at: 1_700_000_000_000_000,
        }
    }

    pub(in crate::api::logs) fn names() -> Names {
        let mut names = Names::default();
        let connection = NamedConnection { name: "corp".into(), kind: "ldap".into(), organization_id: Some("org_1".into()) };
        names.connections.insert("con_1".into(), connection);
        let user = NamedUser { user_id: "ad|corp|7".into(), email: Some("ana@corp.example".into()), organization_id: None };
        names.users.insert("p".into(), user);
        names
    }

    #[test]
    fn an_entry_has_the_names_that_readers_of_such_logs_know() {
        let shown = entry(&row(), &names());
        for (name, value) in [
            ("log_id", "01"),
            ("date", "2023-11-14T22:13:20.000Z"),
            ("type", "fp"),
            ("description", "Login, refused: wrong_password"),
            ("user_id", "ad|corp|7"),
            ("user_name", "ana@corp.example"),
            ("connection", "corp"),
            ("strategy", "ldap"),
            ("strategy_type", "enterprise"),
            ("organization_id", "org_1"),
            ("ip", "192.0.2.7"),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
        assert_eq!((&shown["isMobile"], &shown["details"]["reason"]), (&json!(true), &json!("wrong_password")));
        assert!(shown.get("client_id").is_none() && shown["details"].get("group_id").is_none(), "what is not known is left out");
    }

    #[test]
    fn somebody_who_is_gone_keeps_the_name_the_row_has() {
        let gone = LogRecord { user_id: Some("ad|corp|7".into()), ..row() };
        assert_eq!(entry(&gone, &Names::default())["user_id"], "ad|corp|7");
    }
}
