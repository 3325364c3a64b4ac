//! Two connections, one person: what `join` does and undoes, through the released binary on both stores.

use serde_json::{Value, json};

use crate::support::caller::{Caller, on_both_gateways, user};
use crate::support::gateway::Gateway;

/// `hr` feeds people; `idp` joins them by external id.
async fn two_connections(gateway: &Gateway, hr_options: &[(&str, &str)]) -> (Caller, Caller) {
    let connect = |name: &str, options: &[(&str, &str)]| {
        let options: Vec<(String, String)> =
            options.iter().map(|(option, value)| ((*option).to_owned(), (*value).to_owned())).collect();
        let token = gateway.connect(name, &options);
        Caller::of(gateway, name, &token)
    };
    (connect("hr", hr_options), connect("idp", &[("join", "hr"), ("join_on", "external_id")]))
}

fn person(name: &str, display: &str, title: &str) -> Value {
    let mut body = user(name);
    body["externalId"] = "e-1".into();
    body["displayName"] = display.into();
    body["title"] = title.into();
    body
}

fn shown(gateway: &Gateway, user: &str) -> Value {
    serde_json::from_str(&gateway.cli(&["users", "show", user, "--json"])).expect("JSON")
}

on_both_gateways! {
    async fn a_joining_identity_is_secondary_and_writes_no_roots(store) {
        let gateway = Gateway::start(store).await;
        let (hr, idp) = two_connections(&gateway, &[]).await;
        hr.create("Users", &person("ann@hr.example", "Ann of HR", "Clerk")).await;
        let second = idp.create("Users", &person("ann@idp.example", "Ann elsewhere", "Director")).await;
        let profile = shown(&gateway, "scim|hr|e-1");
        assert_eq!(profile["name"], "Ann of HR", "the primary identity owns the roots");
        assert_eq!(profile["identities"].as_array().map(Vec::len), Some(2), "{profile}");
        assert_eq!(idp.get(&format!("/Users/{second}")).await.json()["displayName"], "Ann elsewhere", "it reads what it wrote");
    }

    async fn either_connection_bars_the_person_and_lifts_only_its_own_block(store) {
        let gateway = Gateway::start(store).await;
        let (hr, idp) = two_connections(&gateway, &[]).await;
        let first = hr.create("Users", &person("ann@hr.example", "Ann", "Clerk")).await;
        let second = idp.create("Users", &person("ann@idp.example", "Ann", "Clerk")).await;
        let set = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
        hr.patch(&format!("/Users/{first}"), set(false)).await;
        idp.patch(&format!("/Users/{second}"), set(false)).await;
        idp.patch(&format!("/Users/{second}"), set(true)).await;
        assert_eq!(shown(&gateway, "scim|hr|e-1")["blocked"], true, "hr has not changed its mind");
        hr.patch(&format!("/Users/{first}"), set(true)).await;
        assert_ne!(shown(&gateway, "scim|hr|e-1")["blocked"], true);
    }

    async fn when_the_primary_is_deleted_for_good_the_next_identity_owns_the_roots(store) {
        let gateway = Gateway::start(store).await;
        let (hr, idp) = two_connections(&gateway, &[("deprovision", "delete")]).await;
        let first = hr.create("Users", &person("ann@hr.example", "Ann of HR", "Clerk")).await;
        let second = idp.create("Users", &person("ann@idp.example", "Ann", "Clerk")).await;
        assert_eq!(hr.send("DELETE", &format!("/Users/{first}"), None).await.status, 204);
        let renamed = json!([{"op": "replace", "path": "displayName", "value": "Ann alone"}]);
        assert_eq!(idp.patch(&format!("/Users/{second}"), renamed).await.status, 200);
        let profile = shown(&gateway, "scim|hr|e-1");
        assert_eq!(profile["name"], "Ann alone", "{profile}");
        assert_eq!(profile["identities"].as_array().map(Vec::len), Some(1));
    }
}
