//! What an administrator reads of a login that went well, in the recorded traffic of its connection: whom it met, which line of which
//! mapping set which attribute, why others were left as they are, and what the provider had to do with it. Never a value.

use crate::support::caller::on_both_gateways;
use crate::support::oidc_site::OidcSite;
use serde_json::{Value, json};

impl OidcSite {
    /// The trace of the login after `logins` others, as `connection traffic --json` has it: its line, and the whole.
    async fn trace(&self, logins: usize) -> (String, Value) {
        for _ in 0..40 {
            let shown: Value =
                serde_json::from_str(&self.site.gateway.cli(&["connection", "traffic", "acme", "--json"])).expect("JSON");
            let mut rows: Vec<&Value> = shown.as_array().expect("rows").iter().filter(|row| row["status"] == 303).collect();
            rows.reverse();
            if let Some(row) = rows.get(logins) {
                let whole = serde_json::from_str(row["response_body"].as_str().expect("a trace")).expect("JSON");
                return (row["detail"].as_str().expect("a line").to_owned(), whole);
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
        panic!("no trace of login {logins}");
    }
}

fn fate(trace: &Value, attribute: &str) -> Value {
    let attributes = trace["login"]["attributes"].as_array().expect("attributes");
    attributes
        .iter()
        .find(|one| one["attribute"] == attribute)
        .unwrap_or_else(|| panic!("nothing of {attribute}: {trace}"))
        .clone()
}

on_both_gateways! {
    async fn each_attribute_is_told_with_its_line_or_why_it_was_left(store) {
        let site = OidcSite::start(store, &[]).await;
        let mapping = "mapping traced from oidc to profile\nemail = $email\nname = $name with create\nnickname = $nickname\n\
            given_name = $given_name\nphone_number = e164($phone)\n";
        std::fs::write(site.site.gateway.folder().join("mappings/traced.mapping"), mapping).expect("written");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "mapping=traced"]);
        let said = |email: &str, name: &str, phone: &str| {
            json!({"sub": "ann", "email": email, "name": name, "given_name": "Ann", "phone": phone})
        };
        site.provider.act(|act| act.profile = said("ann@corp.example", "Ann Lee", "+12125550123"));
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        let (line, trace) = site.trace(0).await;
        assert!(line.starts_with("somebody new: traced version 1; set email (line 2), name (line 3)"), "{line}");
        assert_eq!((&trace["login"]["whom"], &trace["login"]["set_user_root_attributes"]), (&json!("new"), &json!("on_each_login")));
        assert_eq!(fate(&trace, "email"), json!({"attribute": "email", "line": 2, "outcome": "set"}));
        assert_eq!(fate(&trace, "nickname"), json!({"attribute": "nickname", "line": 4, "outcome": "nothing"}));
        let provider = &trace["provider"];
        assert_eq!((&provider["issuer"], &provider["signed_with"]), (&json!(site.provider.url), &json!("RS256 by key first")), "{trace}");
        assert_eq!((&provider["profile_read"], &provider["not_granted"]), (&json!(true), &json!([])), "{trace}");

        site.provider.act(|act| act.profile = said("lee@corp.example", "A. Lee", "ask me"));
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        let (line, trace) = site.trace(1).await;
        assert!(line.starts_with("somebody known: traced version 1; set email (line 2); failed phone_number (line 6); kept name (line 3)"), "{line}");
        assert_eq!(fate(&trace, "name"), json!({"attribute": "name", "line": 3, "outcome": "kept", "because": "create"}));
        assert_eq!(fate(&trace, "given_name")["outcome"], "same");
        assert_eq!(fate(&trace, "phone_number")["outcome"], "failed");
        let whole = format!("{line}{trace}");
        for value in ["lee@corp", "A. Lee", "access-token"] {
            assert!(!whole.contains(value), "{value} of {whole}");
        }

        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        let (line, trace) = site.trace(2).await;
        assert_eq!((line.as_str(), &trace["login"]["said_the_same"]), ("somebody known: said what was said the last time", &json!(true)));
        let shown = site.site.gateway.cli(&["connection", "traffic", "acme"]);
        assert!(shown.contains("set email (line 2)") && shown.contains("/login/callback/acme"), "{shown}");
        // And from the value back to its login.
        let why = site.site.gateway.cli(&["users", "why", "oidc|acme|ann", "email"]);
        assert!(why.contains("email = $email") && why.contains("traced version 1, line 2"), "{why}");
    }

    async fn somebody_who_joins_and_a_connection_that_writes_nothing_are_told(store) {
        let site = OidcSite::start(store, &["set_user_root_attributes=never_on_login"]).await;
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        site.provider.act(|act| act.profile["name"] = json!("A. Lee"));
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        let (line, trace) = site.trace(1).await;
        assert!(line.contains("kept") && !line.contains("set "), "{line}");
        let because = json!({"attribute": "name", "line": fate(&trace, "name")["line"], "outcome": "kept", "because": "set_user_root_attributes"});
        assert_eq!(fate(&trace, "name"), because);
    }

    async fn somebody_who_is_kept_out_is_told_of_with_the_reasons_of_the_rules(store) {
        let site = OidcSite::start(store, &[]).await;
        let mapping = "mapping barred from oidc to profile\nemail = $email\ndeny when $employment == \"gone\" because \"left in {$year}\"\n";
        std::fs::write(site.site.gateway.folder().join("mappings/barred.mapping"), mapping).expect("written");
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "mapping=barred"]);
        site.provider.act(|act| act.profile = json!({"sub": "ann", "employment": "gone", "year": "2026"}));
        assert_eq!(site.log_in(&mut site.browser()).await.status, 403);
        site.site.recorded("left in 2026").await;
    }
}
