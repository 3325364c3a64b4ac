//! The trace that a login by SAML and one at a directory leave in the recorded traffic of their connection, like those by OAuth: whom it
//! met, which line of which mapping set which attribute, why others were left. Never a value. On both stores.

use crate::support::caller::on_both_gateways;
use crate::support::login_site::LoginSite;
use crate::support::saml_site::SamlSite;
use crate::support::slapd::{PASSWORD, Slapd};
use serde_json::{Value, json};
use std::time::Duration;

/// The row of the recorded traffic with that status, as `connection traffic --json` has it.
async fn row(traffic: impl Fn() -> String, status: u16, number: usize) -> Value {
    for _ in 0..40 {
        let shown: Value = serde_json::from_str(&traffic()).expect("JSON");
        let mut rows: Vec<Value> =
            shown.as_array().expect("rows").iter().filter(|row| row["status"] == status).cloned().collect();
        rows.reverse();
        if rows.len() > number {
            return rows.swap_remove(number);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("no row {number} with {status}: {}", traffic());
}

/// Its line, and the whole of it.
fn told(row: &Value) -> (String, Value) {
    let whole = serde_json::from_str(row["response_body"].as_str().expect("a trace")).expect("JSON");
    (row["detail"].as_str().expect("a line").to_owned(), whole)
}

fn fate<'a>(trace: &'a Value, attribute: &str) -> &'a Value {
    let all = trace["login"]["attributes"].as_array().expect("attributes");
    all.iter().find(|one| one["attribute"] == attribute).unwrap_or_else(|| panic!("nothing of {attribute}: {trace}"))
}

on_both_gateways! {
    async fn a_login_by_saml_is_told_attribute_by_attribute(store) {
        let site = SamlSite::start(store, &[]).await;
        let traffic = || site.gateway.cli(&["connection", "traffic", "acme", "--json"]);
        assert_eq!(site.browser().log_in(|login| login).await.status, 303);
        let first = row(traffic, 303, 0).await;
        assert_eq!((&first["method"], &first["path"]), (&json!("POST"), &json!("/saml/acme/acs")));
        let (line, trace) = told(&first);
        assert!(line.starts_with("somebody new: minted version 1; set username (line 2), email (line 3)"), "{line}");
        assert_eq!(fate(&trace, "email"), &json!({"attribute": "email", "line": 3, "outcome": "set"}));
        assert_eq!(fate(&trace, "name")["outcome"], "nothing");
        let provider = &trace["provider"];
        assert_eq!((&provider["asked_for"], &provider["left_out"]), (&json!(true), &json!([])), "{trace}");
        assert!(provider["issuer"].is_string() && provider["authn_context"].is_string(), "{trace}");
        let other = |login: crate::support::minted::Login| login.with("alice@example.com", "lee@example.com");
        assert_eq!(site.browser().log_in(other).await.status, 303);
        let (line, trace) = told(&row(traffic, 303, 1).await);
        assert!(line.starts_with("somebody known: minted version 1; set email (line 3)"), "{line}");
        for value in ["lee@example.com", "staff"] {
            assert!(!format!("{line}{trace}").contains(value), "{value} of {line} {trace}");
        }
        assert_eq!(site.browser().log_in(other).await.status, 303);
        assert_eq!(told(&row(traffic, 303, 2).await).0, "somebody known: said what was said the last time");
        let shown = site.gateway.cli(&["connection", "traffic", "acme"]);
        assert!(shown.contains("set email (line 3)"), "{shown}");
    }

    async fn somebody_whom_the_roster_keeps_out_is_told_with_the_reason(store) {
        let site = SamlSite::start(store, &[]).await;
        assert_eq!(site.browser().log_in(|login| login).await.status, 303);
        site.change("UPDATE users SET blocked = TRUE").await;
        let refused = site.browser().log_in(|login| login).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        let row = row(|| site.gateway.cli(&["connection", "traffic", "acme", "--json"]), 403, 0).await;
        assert!(row["detail"].as_str().is_some_and(|detail| detail.contains("blocked")), "{row}");
    }

    async fn a_login_at_a_directory_is_told_attribute_by_attribute(store) {
        let slapd = Slapd::start(2);
        let site = LoginSite::start(store, &slapd, &[]).await;
        let traffic = || site.gateway.cli(&["connection", "traffic", "corp", "--json"]);
        let entered = site.log_in("u000001", PASSWORD).await;
        assert_eq!(entered.status, 200, "{}", entered.text);
        let first = row(traffic, 200, 0).await;
        assert_eq!((&first["method"], &first["path"]), (&json!("POST"), &json!("/login/corp")));
        let (line, trace) = told(&first);
        assert!(line.starts_with("somebody new: ") && line.contains("set "), "{line}");
        assert_eq!(fate(&trace, "email")["outcome"], "set");
        assert_eq!(trace["provider"]["server"], json!(slapd.ldaps()), "{trace}");
        assert!(!format!("{first}").contains(PASSWORD), "{first}");
        assert_eq!(site.log_in("u000001", PASSWORD).await.status, 200);
        assert_eq!(told(&row(traffic, 200, 1).await).0, "somebody known: said what was said the last time");
        assert_eq!(site.log_in("u000001", "wrong").await.status, 401);
        let shown: Value = serde_json::from_str(&traffic()).expect("JSON");
        assert_eq!(shown.as_array().map(Vec::len), Some(2), "whose password is wrong is the log's: anybody can try");
    }
}
