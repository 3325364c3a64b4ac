//! Resources as RFC 7643 §3 and §4 have them, through the wire on both stores: `schemas`, what the server owns, extensions
//! that come and go, groups that are derived, members that are rows, managers.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::caller::{
    Caller, ENTERPRISE_URN, GROUP_URN, USER_URN, assert_refused, encoded, group, on_both_gateways, user,
};
use super::support::gateway::Gateway;

const UNKNOWN_URN: &str = "urn:example:params:scim:schemas:none:1.0:User";

async fn read(caller: &Caller, path: &str) -> Value {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

/// The ids a list of complex values holds, sorted.
fn values(list: &Value) -> Vec<String> {
    let elements = list.as_array().into_iter().flatten();
    let mut values: Vec<String> = elements.map(|one| one["value"].as_str().expect("an id").to_owned()).collect();
    values.sort();
    values
}

on_both_gateways! {
    async fn schemas_name_what_is_there_and_strangers_are_refused_where_that_is_asked_for(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        let (kind, strict) = (Caller::new(&gateway), Caller::of(&gateway, "strict", &token));
        let sent = |schemas: Value| {
            let mut body = user("schemed");
            body["schemas"] = schemas;
            body
        };
        let person = strict.create("Users", &sent(json!([USER_URN, ENTERPRISE_URN]))).await;
        let team = strict.create("Groups", &group("Team", &[])).await;
        assert_eq!(read(&strict, &format!("/Users/{person}")).await["schemas"], json!([USER_URN]), "no data, no extension");
        assert_eq!(read(&strict, &format!("/Groups/{team}")).await["schemas"], json!([GROUP_URN]));
        for schemas in [Value::Null, json!([]), json!([GROUP_URN]), json!([ENTERPRISE_URN]), json!([USER_URN, USER_URN]), json!([USER_URN, UNKNOWN_URN])] {
            let path = format!("/Users/{person}");
            assert_refused(&strict.send("PUT", &path, Some(&sent(schemas.clone()))).await, 400, Some("invalidValue"));
            let mut other = sent(schemas.clone());
            other["userName"] = json!("other");
            other["externalId"] = json!("other");
            assert_refused(&strict.send("POST", "/Users", Some(&other)).await, 400, Some("invalidValue"));
            // By default the endpoint says what it is.
            let taken = kind.send("POST", "/Users", Some(&sent(schemas))).await;
            assert_eq!((taken.status, &taken.json()["schemas"]), (201, &json!([USER_URN])));
            let path = format!("/Users/{}", taken.json()["id"].as_str().expect("an id"));
            assert_eq!(kind.send("DELETE", &path, None).await.status, 204);
        }
        let mut stranger = user("stranger");
        stranger[UNKNOWN_URN] = json!({"desk": "4.1"});
        assert_refused(&strict.send("POST", "/Users", Some(&stranger)).await, 400, Some("invalidSyntax"));
        for wrong in [json!([7]), json!([USER_URN, null, {}])] {
            assert_refused(&kind.send("POST", "/Users", Some(&sent(wrong))).await, 400, Some("invalidValue"));
        }
    }

    async fn an_extension_comes_with_its_first_value_and_goes_with_its_last(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        let (caller, strict) = (Caller::new(&gateway), Caller::of(&gateway, "strict", &token));
        let path = format!("/Users/{}", caller.create("Users", &user("extended")).await);
        let department = format!("{ENTERPRISE_URN}:department");
        let one = |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
        let without = json!([USER_URN]);
        let with = json!([USER_URN, ENTERPRISE_URN]);
        for (operations, schemas) in [
            (one("add", &department, json!("D")), &with),
            (one("remove", &department, Value::Null), &without),
            (one("add", ENTERPRISE_URN, json!({"division": "V", "department": "D"})), &with),
            (one("remove", &format!("{ENTERPRISE_URN}:division"), Value::Null), &with),
            (one("remove", ENTERPRISE_URN, Value::Null), &without),
            (json!([{"op": "add", "value": {ENTERPRISE_URN: {"costCenter": "C"}}}]), &with),
            (json!([{"op": "replace", "value": {ENTERPRISE_URN: {"costCenter": null}}}]), &without),
        ] {
            let patched = caller.patch(&path, operations.clone()).await;
            assert_eq!((patched.status, &patched.json()["schemas"]), (200, schemas), "{operations}: {}", patched.text);
            let shown = read(&caller, &path).await;
            assert_eq!((shown.get(ENTERPRISE_URN).is_some(), &shown["schemas"]), (*schemas == with, schemas), "{operations}");
        }
        // By PUT: data brings the URN along, whether it is listed or not; left out, all of it goes.
        let mut body = user("extended");
        body[ENTERPRISE_URN] = json!({"department": "D"});
        assert_eq!(caller.send("PUT", &path, Some(&body)).await.json()["schemas"], with);
        assert_eq!(caller.send("PUT", &path, Some(&user("extended"))).await.json()["schemas"], without);
        assert_eq!(caller.find("Users", &format!("schemas eq \"{USER_URN}\"")).await.json()["totalResults"], 1);
        assert_eq!(caller.find("Users", &format!("schemas eq \"{ENTERPRISE_URN}\"")).await.json()["totalResults"], 0);
        // An extension nobody declared.
        let theirs = format!("/Users/{}", strict.create("Users", &user("extended")).await);
        let before = strict.get(&theirs).await.text;
        for (operations, scim_type) in [
            (one("add", &format!("{UNKNOWN_URN}:desk"), json!("4.1")), "invalidPath"),
            (one("add", &format!("{ENTERPRISE_URN}:desk"), json!("4.1")), "invalidPath"),
            (one("add", UNKNOWN_URN, json!({"desk": "4.1"})), "invalidPath"),
            (json!([{"op": "add", "value": {UNKNOWN_URN: {"desk": "4.1"}}}]), "invalidSyntax"),
            (json!([{"op": "add", "value": {ENTERPRISE_URN: {"desk": "4.1"}}}]), "invalidSyntax"),
        ] {
            assert_refused(&strict.patch(&theirs, operations).await, 400, Some(scim_type));
        }
        assert_eq!(strict.get(&theirs).await.text, before);
    }

    async fn ids_and_meta_are_the_servers_and_no_client_sets_them(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (resources, mut body) in [("Users", user("owned")), ("Groups", group("Owned", &[]))] {
            body["id"] = json!("bulkId");
            body["meta"] = json!({
                "resourceType": "Device", "created": "1999-01-01T00:00:00Z", "lastModified": "1999-01-01T00:00:00Z",
                "location": "https://elsewhere.example/1", "version": "W/\"77\"",
            });
            let created = caller.send("POST", &format!("/{resources}"), Some(&body)).await;
            let (first, id) = (created.json(), created.json()["id"].as_str().expect("an id").to_owned());
            let path = format!("/{resources}/{id}");
            assert_eq!((created.status, id.len()), (201, 36));
            let meta = first["meta"].as_object().expect("an object");
            assert_eq!(meta.keys().collect::<Vec<_>>(), ["resourceType", "created", "lastModified", "location", "version"]);
            assert_eq!(first["meta"]["resourceType"], resources.trim_end_matches('s'));
            assert_eq!(first["meta"]["location"], format!("{}{path}", gateway.scim_url("scim")).as_str());
            assert_eq!((&first["meta"]["created"], created.header("etag")), (&first["meta"]["lastModified"], first["meta"]["version"].as_str()));
            assert_ne!(first["meta"]["created"], "1999-01-01T00:00:00Z");
            tokio::time::sleep(Duration::from_millis(5)).await;
            body["externalId"] = json!("changed");
            let replaced = caller.send("PUT", &path, Some(&body)).await;
            assert_eq!(replaced.status, 200, "{}", replaced.text);
            let now = replaced.json();
            assert_eq!((&now["id"], &now["meta"]["created"], &now["meta"]["location"]), (&first["id"], &first["meta"]["created"], &first["meta"]["location"]));
            assert!(now["meta"]["lastModified"].as_str() > first["meta"]["lastModified"].as_str(), "{now}");
            assert_ne!(now["meta"]["version"], first["meta"]["version"]);
            for (to, value) in [("id", json!("x")), ("meta", json!({"version": "1"})), ("meta.lastModified", json!("1999-01-01T00:00:00Z"))] {
                for op in ["add", "replace", "remove"] {
                    let refused = caller.patch(&path, json!([{"op": op, "path": to, "value": value}])).await;
                    assert_refused(&refused, 400, Some("mutability"));
                }
            }
            assert_refused(&caller.patch(&path, json!([{"op": "replace", "value": {"id": "x"}}])).await, 400, Some("mutability"));
            assert_eq!(read(&caller, &path).await, now);
            // Nothing hides an id, and nobody gets it again.
            assert_eq!(read(&caller, &format!("{path}?excludedAttributes=id,meta")).await["id"], id.as_str());
            assert_eq!(read(&caller, &format!("{path}?attributes=externalId")).await["id"], id.as_str());
            assert_eq!(caller.send("DELETE", &path, None).await.status, 204);
            body["externalId"] = json!("somebody else");
            assert_ne!(caller.create(resources, &body).await, id);
        }
    }

    async fn external_ids_are_kept_exactly_and_borne_once(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let second = Caller::of(&gateway, "second", &gateway.connect("second", &[]));
        for (resources, name) in [("Users", "userName"), ("Groups", "displayName")] {
            let body = |label: &str, external_id: &str| {
                let mut body = if resources == "Users" { user(label) } else { group(label, &[]) };
                body["externalId"] = json!(external_id);
                body
            };
            let id = caller.create(resources, &body("one", "Ab-1")).await;
            let other = caller.create(resources, &body("other", "ab-1")).await;
            for (external_id, expected) in [("Ab-1", &id), ("ab-1", &other)] {
                let found = caller.find(resources, &format!("externalId eq \"{external_id}\"")).await.json();
                assert_eq!((&found["totalResults"], found["Resources"][0]["id"].as_str()), (&json!(1), Some(expected.as_str())));
                assert_eq!(found["Resources"][0]["externalId"], external_id);
            }
            assert_eq!(caller.find(resources, "externalId eq \"AB-1\"").await.json()["totalResults"], 0);
            let taken = caller.send("POST", &format!("/{resources}"), Some(&body("third", "Ab-1"))).await;
            assert_refused(&taken, 409, Some("uniqueness"));
            let path = format!("/{resources}/{other}");
            assert_refused(&caller.send("PUT", &path, Some(&body("other", "Ab-1"))).await, 409, Some("uniqueness"));
            let claim = json!([{"op": "replace", "path": "externalId", "value": "Ab-1"}]);
            assert_refused(&caller.patch(&path, claim).await, 409, Some("uniqueness"));
            assert_eq!(read(&caller, &path).await["externalId"], "ab-1");
            assert_ne!(second.create(resources, &body("one", "Ab-1")).await, id, "another client has its own ids");
            assert_eq!(read(&caller, &format!("/{resources}/{id}")).await[name], "one");
        }
    }

    async fn groups_of_a_user_are_what_its_memberships_say(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut body = user("member");
        body["groups"] = json!([{"value": "made-up", "type": "direct"}]);
        let id = caller.create("Users", &body).await;
        let path = format!("/Users/{id}");
        assert!(read(&caller, &path).await.get("groups").is_none());
        let inner = caller.create("Groups", &group("Inner", &[&id])).await;
        let outer = caller.create("Groups", &group("Outer", &[&inner])).await;
        let of = |group: &str, display: &str, kind: &str| {
            json!({"value": group, "$ref": format!("{}/Groups/{group}", gateway.scim_url("scim")), "display": display, "type": kind})
        };
        let mut expected = [of(&inner, "Inner", "direct"), of(&outer, "Outer", "indirect")];
        expected.sort_by_key(|group| group["value"].as_str().expect("an id").to_owned());
        assert_eq!(read(&caller, &path).await["groups"], json!(expected));
        for filter in [
            format!("groups.value eq \"{inner}\""), format!("groups eq \"{outer}\""), "groups.display eq \"outer\"".to_owned(),
            format!("groups[value eq \"{outer}\" and type eq \"indirect\"]"),
        ] {
            assert_eq!(caller.find("Users", &filter).await.json()["totalResults"], 1, "{filter}");
        }
        assert_eq!(caller.find("Users", &format!("groups[value eq \"{outer}\" and type eq \"direct\"]")).await.json()["totalResults"], 0);
        // What a client says of them is passed over in a whole resource and refused where it is aimed at.
        body["groups"] = json!([]);
        assert_eq!(caller.send("PUT", &path, Some(&body)).await.json()["groups"], json!(expected));
        for (op, to) in [("add", "groups"), ("replace", "groups"), ("remove", "groups"), ("replace", "groups[type eq \"direct\"].value")] {
            let refused = caller.patch(&path, json!([{"op": op, "path": to, "value": [{"value": outer}]}])).await;
            assert_refused(&refused, 400, Some("mutability"));
        }
        assert_refused(&caller.patch(&path, json!([{"op": "add", "value": {"groups": []}}])).await, 400, Some("mutability"));
        let rename = json!([{"op": "replace", "path": "displayName", "value": "Renamed"}]);
        assert!(caller.patch(&format!("/Groups/{outer}"), rename).await.status < 300);
        assert!(read(&caller, &path).await["groups"].to_string().contains("Renamed"));
        assert_eq!(caller.send("DELETE", &format!("/Groups/{inner}"), None).await.status, 204);
        assert!(read(&caller, &path).await.get("groups").is_none(), "the way to the outer one went with the inner");
    }

    async fn members_are_added_and_removed_and_never_edited(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (one, two) = (caller.create("Users", &user("one")).await, caller.create("Users", &user("two")).await);
        let inner = caller.create("Groups", &group("Inner", &[&two])).await;
        let path = format!("/Groups/{}", caller.create("Groups", &group("Outer", &[&one, &inner])).await);
        let shown = read(&caller, &path).await;
        for member in shown["members"].as_array().expect("members") {
            let (kind, segment) = if member["value"] == one.as_str() { ("User", "Users") } else { ("Group", "Groups") };
            let address = format!("{}/{segment}/{}", gateway.scim_url("scim"), member["value"].as_str().expect("an id"));
            assert_eq!(member, &json!({"value": member["value"], "$ref": address, "type": kind}));
        }
        let one_operation = |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
        let own = path.rsplit('/').next().expect("an id").to_owned();
        for (operations, scim_type) in [
            (one_operation("replace", &format!("members[value eq \"{one}\"].value"), json!(two)), "mutability"),
            (one_operation("replace", &format!("members[value eq \"{one}\"].type"), json!("Group")), "mutability"),
            (one_operation("replace", &format!("members[value eq \"{one}\"]"), json!({"value": two})), "mutability"),
            (one_operation("replace", "members.value", json!(two)), "mutability"),
            (one_operation("add", "members", json!([{"value": own}])), "invalidValue"),
            (one_operation("add", "members", json!([{"value": "nobody"}])), "invalidValue"),
            (one_operation("add", "members", json!([{"display": "nameless"}])), "invalidValue"),
        ] {
            assert_refused(&caller.patch(&path, operations).await, 400, Some(scim_type));
        }
        let back = one_operation("add", "members", json!([{"value": own}]));
        assert_refused(&caller.patch(&format!("/Groups/{inner}"), back).await, 400, Some("invalidValue"));
        assert_refused(&caller.send("PUT", &format!("/Groups/{inner}"), Some(&group("Inner", &[&own]))).await, 400, Some("invalidValue"));
        assert_eq!(read(&caller, &path).await, shown, "nothing of it was done");
        let again = one_operation("add", "members", json!([{"value": one, "type": "User"}]));
        assert_eq!(caller.patch(&path, again).await.json(), shown, "who is in already is in once");
        for filter in [format!("members.value eq \"{one}\""), format!("members eq \"{inner}\""), format!("id eq \"{own}\" and members eq \"{one}\"")] {
            let found = caller.get(&format!("/Groups?excludedAttributes=members&filter={}", encoded(&filter))).await.json();
            assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(own)), "{filter}");
        }
        let named = read(&caller, &format!("{path}?attributes=members.value,members.display")).await;
        assert!(named["members"].to_string().contains("Inner"), "a name is there for who asks: {named}");
        let left = caller.patch(&path, one_operation("remove", "members", json!([{"value": one}]))).await.json();
        assert_eq!(values(&left["members"]), [inner.as_str()]);
        let emptied = caller.patch(&path, json!([{"op": "remove", "path": "members"}])).await.json();
        assert!(emptied.get("members").is_none(), "{emptied}");
    }

    async fn a_manager_is_named_by_id_and_its_name_is_nobodys_to_write(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let boss = caller.create("Users", &user("boss")).await;
        let mut body = user("report");
        body[ENTERPRISE_URN] = json!({"manager": {"value": boss, "$ref": format!("../Users/{boss}"), "displayName": "Made up"}});
        let path = format!("/Users/{}", caller.create("Users", &body).await);
        let kept = json!({"value": boss, "$ref": format!("../Users/{boss}")});
        assert_eq!(read(&caller, &path).await[ENTERPRISE_URN]["manager"], kept);
        assert_eq!(caller.send("PUT", &path, Some(&body)).await.json()[ENTERPRISE_URN]["manager"], kept);
        let manager = format!("{ENTERPRISE_URN}:manager");
        let filter = format!("{manager}.value eq \"{boss}\"");
        assert_eq!(caller.find("Users", &filter).await.json()["totalResults"], 1);
        for op in ["add", "replace", "remove"] {
            let refused = caller.patch(&path, json!([{"op": op, "path": format!("{manager}.displayName"), "value": "Made up"}])).await;
            assert_refused(&refused, 400, Some("mutability"));
        }
        for wrong in [json!(7), json!([{"value": "x"}, {"value": "y"}]), json!({"value": {"value": "x"}})] {
            assert_refused(&caller.patch(&path, json!([{"op": "replace", "path": manager, "value": wrong}])).await, 400, Some("invalidValue"));
        }
        assert_eq!(read(&caller, &path).await[ENTERPRISE_URN]["manager"], kept);
        let other = caller.create("Users", &user("other-boss")).await;
        let moved = caller.patch(&path, json!([{"op": "replace", "path": manager, "value": {"value": other}}])).await.json();
        assert_eq!(moved[ENTERPRISE_URN]["manager"], json!({"value": other}), "no address of the one before is left");
        let gone = caller.patch(&path, json!([{"op": "remove", "path": manager}])).await.json();
        assert!(gone.get(ENTERPRISE_URN).is_none(), "{gone}");
    }
}
