//! `/api/v2/user-blocks` on both stores: who may not try a password for now, from where, and how that is lifted. Against a real
//! OpenLDAP.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::Answer;
use crate::support::login_site::LoginSite;
use crate::support::slapd::{PASSWORD, Slapd};
use serde_json::{Value, json};

const WRONG: &str = "not-the-password";
const SETTINGS: [(&str, &str); 2] = [("server.trusted_proxies", "127.0.0.1"), ("login.failures_per_user", "3")];

async fn call(site: &LoginSite, method: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {}", site.gateway.bootstrapped("admin_token"));
    site.send(method, &format!("/api/v2{path}"), &[("authorization", &bearer)], None).await
}

async fn blocked(site: &LoginSite, path: &str) -> Value {
    let answer = call(site, "GET", path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["blocked_for"].clone()
}

on_both_gateways! {
    async fn too_many_failures_are_shown_with_their_address_and_lifted(store) {
        let slapd = Slapd::start(2);
        let site = LoginSite::start_with(store, &slapd, &SETTINGS, &[]).await;
        let here = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(blocked(&site, "/user-blocks?identifier=u000000").await, json!([]));
        for _ in 0..3 {
            site.log_in_with(&here, "u000000", WRONG).await;
        }
        assert_eq!(site.log_in_with(&here, "u000000", PASSWORD).await.status, 429);
        let one = json!([{"identifier": "u000000", "connection": "corp", "ip": "192.0.2.1"}]);
        assert_eq!(blocked(&site, "/user-blocks?identifier=u000000&consider_brute_force_enablement=true").await, one);
        assert_eq!(blocked(&site, "/user-blocks?identifier=U000000").await, json!([{"identifier": "U000000", "connection": "corp", "ip": "192.0.2.1"}]), "as it is typed");
        assert_eq!(blocked(&site, "/user-blocks?identifier=u00000").await, json!([]), "nobody else's");
        assert_eq!(call(&site, "DELETE", "/user-blocks?identifier=u000001").await.status, 204);
        assert_eq!(site.log_in_with(&here, "u000000", PASSWORD).await.status, 429, "somebody else's are nothing to them");
        let lifted = call(&site, "DELETE", "/user-blocks?identifier=u000000").await;
        assert_eq!((lifted.status, lifted.text.as_str()), (204, ""));
        assert_eq!(blocked(&site, "/user-blocks?identifier=u000000").await, json!([]));
        // The person is counted beside the name: by their id that goes as well.
        let answer = site.log_in_with(&here, "u000000", PASSWORD).await;
        assert!(matches!(answer.status, 200 | 401), "{}", answer.text);
        let log = site.rows("SELECT outcome FROM log WHERE kind = 'block.lifted'").await;
        assert_eq!(log.len(), 1, "only what stood is told");
    }

    async fn by_the_user_every_name_of_theirs_is_lifted_and_no_other_block(store) {
        let slapd = Slapd::start(2);
        let site = LoginSite::start_with(store, &slapd, &SETTINGS, &["login_filter=(|(uid={})(mail={}))"]).await;
        let here = [("x-forwarded-for", "192.0.2.1")];
        let session = site.log_in_with(&here, "u000000", PASSWORD).await;
        let user_id = session.json()["user_id"].as_str().expect("an id").replace('|', "%7C");
        for _ in 0..3 {
            site.log_in_with(&here, "u000000@example.test", WRONG).await;
        }
        assert_eq!(site.log_in_with(&here, "u000000", PASSWORD).await.status, 401, "counted by person, and not told apart");
        assert_ne!(blocked(&site, &format!("/user-blocks/{user_id}")).await, json!([]));
        let lifted = call(&site, "DELETE", &format!("/user-blocks/{user_id}")).await;
        assert_eq!(lifted.status, 204, "{}", lifted.text);
        assert_eq!(blocked(&site, &format!("/user-blocks/{user_id}")).await, json!([]));
        assert_eq!(site.log_in_with(&here, "u000000", PASSWORD).await.status, 200);
        assert_eq!(call(&site, "GET", "/user-blocks/ldap%7Ccorp%7Cnobody").await.status, 404);
        assert_eq!(call(&site, "DELETE", "/user-blocks/ldap%7Ccorp%7Cnobody").await.status, 404);
        assert_eq!(call(&site, "GET", "/user-blocks").await.status, 400);
    }
}
