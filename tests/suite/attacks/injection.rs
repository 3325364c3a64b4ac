//! Values that are statements, markup or header lines elsewhere: to us they are values.

use serde_json::{Value, json};

use super::World;
use crate::support::caller::{assert_refused, encoded, group, on_both_gateways, user};

/// Texts that would do harm where a value is pasted into a statement.
const HOSTILE: [&str; 14] = [
    "'; DROP TABLE users; --",
    "' OR '1'='1",
    "\\'; DELETE FROM identities WHERE '1'='1",
    "x') UNION SELECT hash FROM tokens --",
    "$1",
    "%",
    "_",
    "a%b_c\\d",
    "\"; DROP TABLE users; \"",
    "${jndi:ldap://127.0.0.1/a}",
    "*)(uid=*))(|(uid=*",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "\u{202e}\u{feff}\u{1}\r\nSet-Cookie: a=b",
];

on_both_gateways! {
    async fn statements_as_values_are_found_as_values(store) {
        let world = World::new(store).await;
        let bystander = world.ours.create("Users", &user("bystander")).await;
        for (number, text) in HOSTILE.into_iter().enumerate() {
            let mut body = user(&format!("{text}{number}"));
            body["externalId"] = format!("{number}{text}").into();
            body["title"] = text.into();
            body["emails"] = json!([{"value": text, "type": text}]);
            let id = world.ours.create("Users", &body).await;
            let read = world.ours.get(&format!("/Users/{id}")).await.json();
            for attribute in ["userName", "externalId", "title", "emails"] {
                assert_eq!(read[attribute], body[attribute], "it comes back as it was sent");
            }
            let quoted = |value: &Value| value.to_string();
            for filter in [
                format!("userName eq {}", quoted(&body["userName"])),
                format!("externalId eq {}", quoted(&body["externalId"])),
                format!("emails.value eq {} and userName eq {}", json!(text), quoted(&body["userName"])),
                format!("userName sw {} and title eq {}", json!(text), json!(text)),
            ] {
                let found = world.ours.find("Users", &filter).await;
                assert_eq!(found.status, 200, "{filter}: {}", found.text);
                assert_eq!(found.json()["totalResults"], 1, "{filter}");
                assert_eq!(found.json()["Resources"][0]["id"], id.as_str(), "{filter}");
            }
            let name = world.ours.create("Groups", &group(text, &[&id])).await;
            let found = world.ours.find("Groups", &format!("displayName eq {}", json!(text))).await.json();
            assert_eq!(found["Resources"][0]["id"], name.as_str(), "{text}");
        }
        assert_eq!(world.ours.get(&format!("/Users/{bystander}")).await.status, 200);
        let total = world.ours.get("/Users?count=0").await.json();
        assert_eq!(total["totalResults"], HOSTILE.len() + 1);
    }

    async fn statements_as_names_of_attributes_and_parameters(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("bystander")).await;
        let before = world.rows_of("default").await;
        for text in HOSTILE {
            let text = encoded(text);
            for (query, statuses) in [
                (format!("sortBy={text}"), [200, 400]),
                (format!("sortBy=userName&sortOrder={text}"), [200, 400]),
                (format!("attributes={text}"), [200, 200]),
                (format!("excludedAttributes={text}"), [200, 200]),
                (format!("{text}={text}"), [200, 200]),
                (format!("count={text}"), [400, 400]),
                (format!("startIndex={text}"), [400, 400]),
                (format!("filter={text}"), [400, 400]),
                (format!("filter={text}%20eq%20%22x%22"), [400, 400]),
                (format!("filter=userName%20{text}%20%22x%22"), [400, 400]),
            ] {
                let answer = world.ours.get(&format!("/Users?{query}")).await;
                assert!(statuses.contains(&answer.status), "{query}: {} {}", answer.status, answer.text);
                assert!(answer.header("set-cookie").is_none(), "{query}");
            }
            let patched = world.ours.patch(&format!("/Users/{id}"), json!([{"op": "add", "path": text, "value": "x"}])).await;
            assert_eq!(patched.status, 400, "{}", patched.text);
        }
        assert_eq!(before, world.rows_of("default").await, "nothing was stored");
    }

    async fn header_lines_and_statements_as_ids(store) {
        let world = World::new(store).await;
        world.ours.create("Users", &user("bystander")).await;
        let before = world.rows_of("default").await;
        let ids = HOSTILE.iter().map(|text| encoded(text)).chain(
            ["%0d%0aSet-Cookie:%20a=b", "%0aLocation:%20http://evil.example/", "%00", "%ff%fe", "..%2f..%2fUsers", "..", "%2e%2e", ".", "bulkId:1", "null", "0", "-1", "Users"]
                .map(str::to_owned),
        );
        for id in ids.chain([encoded(&"x".repeat(4_000))]) {
            for resources in ["Users", "Groups"] {
                for method in ["GET", "PUT", "PATCH", "DELETE"] {
                    let body = match method {
                        "PUT" if resources == "Users" => Some(user("nobody")),
                        "PUT" => Some(group("Nobodies", &[])),
                        "PATCH" => Some(json!({"Operations": [{"op": "replace", "path": "displayName", "value": "x"}]})),
                        _ => None,
                    };
                    let answer = world.ours.send(method, &format!("/{resources}/{id}"), body.as_ref()).await;
                    if [".", "..", "%2e%2e"].contains(&id.as_str()) {
                        // A client that follows RFC 3986 asks for another path.
                        assert!(answer.status < 500, "{method} {id}");
                        continue;
                    }
                    assert_refused(&answer, 404, None);
                    for header in ["set-cookie", "location"] {
                        assert!(answer.header(header).is_none(), "{method} {id}: {header}");
                    }
                }
            }
        }
        assert_eq!(before, world.rows_of("default").await, "nothing was stored");
    }

    /// `Location` and `meta.location` begin with what is configured, whatever a request says of itself.
    async fn a_forged_host_does_not_show_in_locations(store) {
        let world = World::with(store, &[("server.public_url", "https://id.example.com")]).await;
        let forged = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "gopher"), ("forwarded", "host=evil.example")];
        let answer = world.ours.send_with("POST", "/Users", &forged, Some(&user("located"))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let wanted = format!("https://id.example.com/scim/v2/connections/scim/Users/{}", answer.json()["id"].as_str().unwrap());
        assert_eq!(answer.header("location"), Some(wanted.as_str()));
        assert_eq!(answer.json()["meta"]["location"], wanted.as_str());
        assert!(!answer.text.contains("evil.example"));
    }
}
