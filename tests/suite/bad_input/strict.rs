//! What a connection with `strict = true` refuses and others read kindly (docs/scim.md, "What clients send, and `strict`").

use serde_json::{Value, json};

use super::{Case, SCIM_JSON, faults_of, filter, get, operations, with};
use crate::support::caller::{Caller, ENTERPRISE_URN, GROUP_URN, USER_URN, encoded, on_both_gateways, user};
use crate::support::gateway::Gateway;
use crate::support::rows::Database;

/// What only a connection with `strict = true` refuses; elsewhere it is dropped or read as what it means.
fn wrong_for_a_strict_connection() -> Vec<Case> {
    let syntax = |case: Case| Case { scim_type: Some("invalidSyntax"), ..case };
    vec![
        with("no schemas", "schemas", Value::Null),
        with("the schema of a group alone", "schemas", json!([GROUP_URN])),
        with("an unknown schema", "schemas", json!([USER_URN, "urn:example:none"])),
        with("a schema twice", "schemas", json!([USER_URN, USER_URN])),
        with("active a string", "active", json!("True")),
        with("addresses that are strings", "emails", json!(["a@b.example"])),
        syntax(with("an unknown attribute", "favouriteColour", json!("blue"))),
        syntax(with("an unknown sub-attribute", "name", json!({"nick": "x"}))),
        syntax(with("an unknown attribute of an extension", ENTERPRISE_URN, json!({"desk": "x"}))),
    ]
}

/// Filters, paths and lists of attributes that RFC 7644 does not have and clients send: a strict connection refuses
/// them, others answer 200. `one` is the path of a user.
fn kindly_read(one: &str) -> Vec<Case> {
    let replace = |name, path: &str, scim_type| {
        operations(name, one, json!([{"op": "replace", "path": path, "value": "x@work.example"}]), scim_type)
    };
    let mut cases = vec![
        replace("a path without URN", "department", "invalidPath"),
        replace("a bare word in a path's filter", "emails[type eq work].value", "invalidFilter"),
        replace("a quoted boolean in a path's filter", "emails[primary eq \"True\"].value", "invalidFilter"),
        replace("digits in a path's filter", "emails[type eq \"work\" or value eq 7].value", "invalidFilter"),
    ];
    for (name, text) in [
        ("a bare word", "userName eq somebody"),
        ("a bare time", "meta.created gt 2020-01-01T00:00:00Z"),
        ("a quoted boolean", "active eq \"True\""),
        ("digits without quotes", "userName eq 701984"),
        ("a condition behind the bracket", "emails[type eq \"work\"].value eq \"x@work.example\""),
        ("an attribute without URN", "department eq \"Tours\""),
    ] {
        cases.extend(filter(name, text));
    }
    for list in ["attributes", "excludedAttributes"] {
        for path in ["/Users", one] {
            cases.push(get("a name without URN", &format!("{path}?{list}=title,department"), "invalidValue"));
            cases.push(get(
                "a name with a filter",
                &format!("{path}?{list}={}", encoded("emails[type eq \"work\"]")),
                "invalidValue",
            ));
        }
    }
    cases
}

on_both_gateways! {
    async fn a_strict_connection_refuses_what_others_read_kindly(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        let mut database = Database::open(gateway.database_url()).await;
        let strict = Caller::of(&gateway, "strict", &token);
        let faults = faults_of(&strict, &mut database, wrong_for_a_strict_connection()).await;
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        let kind = Caller::new(&gateway);
        for case in wrong_for_a_strict_connection() {
            let headers = [("content-type", SCIM_JSON)];
            let answer = kind.try_send(case.method, &case.path, &headers, case.body).await.expect("an answer");
            assert_eq!(answer.status, 201, "{}: {}", case.name, answer.text);
            for unknown in ["favouriteColour", "nick", "desk", "urn:example:none"] {
                assert!(!answer.text.contains(unknown), "{}: {}", case.name, answer.text);
            }
            let id = answer.json()["id"].as_str().expect("an id").to_owned();
            assert_eq!(kind.send("DELETE", &format!("/Users/{id}"), None).await.status, 204);
        }
    }

    async fn a_strict_connection_reads_filters_and_paths_to_the_letter(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        let mut database = Database::open(gateway.database_url()).await;
        let (strict, kind) = (Caller::of(&gateway, "strict", &token), Caller::new(&gateway));
        // A work address, the primary one: what the paths look for is there.
        let mut body = user("somebody");
        body["emails"] = json!([{"value": "a@work.example", "type": "work", "primary": true}]);
        let theirs = format!("/Users/{}", kind.create("Users", &body).await);
        body["emails"][0]["value"] = json!("b@work.example");
        let ours = format!("/Users/{}", strict.create("Users", &body).await);
        let before = strict.get(&ours).await.text;
        let faults = faults_of(&strict, &mut database, kindly_read(&ours)).await;
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        assert_eq!(strict.get(&ours).await.text, before);
        for case in kindly_read(&theirs) {
            let headers = [("content-type", SCIM_JSON)];
            let answer = kind.try_send(case.method, &case.path, &headers, case.body).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text);
        }
        // What the refusals point to works.
        let department = format!("{ENTERPRISE_URN}:department");
        let patched = strict.patch(&ours, json!([{"op": "replace", "path": department, "value": "Tours"}])).await;
        assert_eq!(patched.status, 200, "{}", patched.text);
        let filter = format!("userName eq \"somebody\" and active eq true and {department} eq \"Tours\" and emails[type eq \"work\" and value co \"@work\"]");
        assert_eq!(strict.find("Users", &filter).await.json()["totalResults"], 1);
    }
}
