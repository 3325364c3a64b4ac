//! Writing as RFC 7644 §3.3, §3.5 and §3.6 have it, through the wire on both stores: POST, PUT, every operation of a PATCH on
//! every kind of target, and what DELETE leaves.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::caller::{
    Caller, ENTERPRISE_URN, USER_URN, assert_refused, encoded, group, on_both_gateways, patch, user, version,
};
use super::support::gateway::Gateway;
use super::support::rows::{Database, Snapshot};

const NOBODY: &str = "01900000-0000-7000-8000-00000000dead";

async fn read(caller: &Caller, path: &str) -> Value {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn total(caller: &Caller, place: &str) -> Value {
    read(caller, &format!("{place}?count=0")).await["totalResults"].clone()
}

/// Whom the operations of a PATCH are tried on.
fn barbara() -> Value {
    json!({
        "schemas": [USER_URN, ENTERPRISE_URN], "externalId": "x-barbara", "userName": "barbara", "active": true, "title": "Guide",
        "name": {"givenName": "Barbara", "familyName": "Jensen"},
        "emails": [{"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}],
        ENTERPRISE_URN: {"department": "Tours"},
    })
}

/// What a PATCH does to the attribute at a JSON pointer.
enum Does {
    Becomes(Value),
    Goes,
    Stays,
    Refused(&'static str),
}
use Does::{Becomes, Goes, Refused, Stays};

/// An operation, the attribute to look at, what it does by default and what where the connection is strict.
struct Cell(Value, &'static str, Does, Option<Does>);

fn both(operation: Value, at: &'static str, does: Does) -> Cell {
    Cell(operation, at, does, None)
}

fn unless_strict(operation: Value, at: &'static str, does: Does, strict: Does) -> Cell {
    Cell(operation, at, does, Some(strict))
}

fn op(verb: &str, path: &str, value: Value) -> Value {
    json!({"op": verb, "path": path, "value": value})
}

fn other() -> Value {
    json!({"value": "o@x", "type": "other"})
}

/// Scim.md §6.3: operation by target, row by row; here what `add` and `replace` have in common.
fn cells_of_both_verbs() -> Vec<Cell> {
    let department = format!("{ENTERPRISE_URN}:department");
    let mut cells = vec![];
    for verb in ["add", "replace"] {
        cells.extend([
            // Without a path.
            both(json!({"op": verb, "value": {"title": "Boss", "nickName": "Babs"}}), "/title", Becomes(json!("Boss"))),
            both(
                json!({"op": verb, "value": {"name": {"givenName": "Babs"}}}),
                "/name",
                Becomes(json!({"givenName": "Babs", "familyName": "Jensen"})),
            ),
            both(
                json!({"op": verb, "value": {ENTERPRISE_URN: {"division": "V"}}}),
                "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                Becomes(json!({"department": "Tours", "division": "V"})),
            ),
            unless_strict(
                json!({"op": verb, "value": {"name.givenName": "Babs"}}),
                "/name/givenName",
                Becomes(json!("Babs")),
                Refused("invalidSyntax"),
            ),
            both(json!({"op": verb, "value": "x"}), "", Refused("invalidValue")),
            both(json!({"op": verb}), "", Refused("invalidValue")),
            // One value.
            both(op(verb, "title", json!("Boss")), "/title", Becomes(json!("Boss"))),
            both(op(verb, "nickName", json!("Babs")), "/nickName", Becomes(json!("Babs"))),
            both(op(verb, "title", json!("Guide")), "/title", Stays),
            both(op(verb, "title", json!(7)), "", Refused("invalidValue")),
            both(
                op(verb, "name", json!({"middleName": "J"})),
                "/name",
                Becomes(json!({"givenName": "Barbara", "familyName": "Jensen", "middleName": "J"})),
            ),
            both(op(verb, "name.givenName", json!("Babs")), "/name/givenName", Becomes(json!("Babs"))),
            both(
                op(verb, &department, json!("D")),
                "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
                Becomes(json!("D")),
            ),
            unless_strict(op(verb, "active", json!("False")), "/active", Becomes(json!(false)), Refused("invalidValue")),
            both(op(verb, "nosuch", json!("x")), "", Refused("invalidPath")),
            both(op(verb, "id", json!("x")), "", Refused("mutability")),
            // Elements that a filter finds, and part of them.
            both(op(verb, "emails[type eq \"work\"].value", json!("n@x")), "/emails/0/value", Becomes(json!("n@x"))),
            both(op(verb, "emails[value pr].display", json!("D")), "/emails/1/display", Becomes(json!("D"))),
            both(op(verb, "emails[type eq \"work\"].value", json!(7)), "", Refused("invalidValue")),
            both(op(verb, "emails[nosuch eq \"x\"].value", json!("x")), "", Refused("invalidFilter")),
            both(op(verb, "emails[type sw \"o\"].value", json!("o@x")), "", Refused("noTarget")),
            unless_strict(
                op(verb, "emails[type eq \"other\"]", json!({"value": "o@x"})),
                "/emails/2",
                Becomes(other()),
                Refused("noTarget"),
            ),
        ]);
    }
    cells
}

/// All of the table.
fn cells() -> Vec<Cell> {
    let remove = |path: &str| json!({"op": "remove", "path": path});
    let work = || json!({"value": "w@x", "type": "work", "primary": true});
    let home = || json!({"value": "h@x", "type": "home"});
    let mut cells = cells_of_both_verbs();
    cells.extend([
        both(op("add", "emails", json!([other()])), "/emails", Becomes(json!([work(), home(), other()]))),
        both(op("add", "emails", other()), "/emails", Becomes(json!([work(), home(), other()]))),
        both(op("add", "emails", json!([home()])), "/emails", Stays),
        both(op("replace", "emails", json!([other()])), "/emails", Becomes(json!([other()]))),
        both(op("replace", "emails", json!([])), "/emails", Goes),
        both(op("add", "emails[type eq \"work\"]", json!({"display": "D"})), "/emails/0/display", Becomes(json!("D"))),
        both(
            op("replace", "emails[type eq \"work\"]", json!({"value": "n@x", "type": "work"})),
            "/emails/0",
            Becomes(json!({"value": "n@x", "type": "work"})),
        ),
        both(op("add", "emails[type eq \"other\"].value", json!("o@x")), "/emails/2", Becomes(other())),
        unless_strict(
            op("replace", "emails[type eq \"other\"].value", json!("o@x")),
            "/emails/2",
            Becomes(other()),
            Refused("noTarget"),
        ),
        both(json!({"op": "remove"}), "", Refused("noTarget")),
        both(remove("title"), "/title", Goes),
        both(remove("nickName"), "/nickName", Stays),
        both(remove("name.givenName"), "/name", Becomes(json!({"familyName": "Jensen"}))),
        both(remove("emails"), "/emails", Goes),
        both(json!({"op": "remove", "path": "emails", "value": [{"value": "h@x"}]}), "/emails", Becomes(json!([work()]))),
        both(remove("emails[type eq \"work\"]"), "/emails", Becomes(json!([home()]))),
        both(remove("emails[type eq \"other\"]"), "/emails", Stays),
        both(remove("emails[type eq \"work\"].primary"), "/emails/0", Becomes(json!({"value": "w@x", "type": "work"}))),
        both(remove("emails[type eq \"home\"].value"), "/emails", Becomes(json!([work()]))),
        both(remove(ENTERPRISE_URN), "/schemas", Becomes(json!([USER_URN]))),
        both(remove("userName"), "", Refused("mutability")),
        both(remove("id"), "", Refused("mutability")),
        both(json!({"op": "move", "path": "title"}), "", Refused("invalidSyntax")),
    ]);
    cells
}

on_both_gateways! {
    async fn what_is_created_is_answered_whole_with_where_it_is(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (resources, body) in [("Users", barbara()), ("Groups", group("Created", &[]))] {
            let created = caller.send("POST", &format!("/{resources}"), Some(&body)).await;
            assert_eq!(created.status, 201, "{}", created.text);
            let location = created.header("location").expect("a Location").to_owned();
            assert_eq!(created.json()["meta"]["location"], location.as_str());
            assert_eq!(created.header("etag"), created.json()["meta"]["version"].as_str());
            let path = location.strip_prefix(&gateway.scim_url("scim")).expect("below the base address");
            assert_eq!(caller.get(path).await.text, created.text, "what was answered is what is there");
        }
        let before = total(&caller, "/").await;
        for (place, body, scim_type) in [
            ("/Users", json!({"displayName": "nameless"}), "invalidValue"), ("/Users", json!([]), "invalidSyntax"),
            ("/Groups", json!({"externalId": "nameless"}), "invalidValue"), ("/Groups", json!("x"), "invalidSyntax"),
        ] {
            let refused = caller.send("POST", place, Some(&body)).await;
            assert_refused(&refused, 400, Some(scim_type));
            assert_eq!(refused.header("location"), None);
        }
        assert_eq!(total(&caller, "/").await, before);
    }

    async fn a_name_that_is_borne_is_409_whichever_way_it_is_claimed(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (resources, attribute) in [("Users", "userName"), ("Groups", "displayName")] {
            let body = |name: &str| if resources == "Users" { user(name) } else { group(name, &[]) };
            caller.create(resources, &body("Straße")).await;
            let path = format!("/{resources}/{}", caller.create(resources, &body("free")).await);
            let before = caller.get(&path).await.text;
            for name in ["Straße", "STRASSE", "straße"] {
                let mut claim = body(name);
                claim["externalId"] = json!("another");
                assert_refused(&caller.send("POST", &format!("/{resources}"), Some(&claim)).await, 409, Some("uniqueness"));
                assert_refused(&caller.send("PUT", &path, Some(&claim)).await, 409, Some("uniqueness"));
                let operation = json!([{"op": "replace", "path": attribute, "value": name}]);
                let refused = caller.patch(&path, operation).await;
                assert_refused(&refused, 409, Some("uniqueness"));
                assert!(refused.text.contains(attribute), "{}", refused.text);
            }
            assert_eq!((caller.get(&path).await.text, total(&caller, &format!("/{resources}")).await), (before, json!(2)));
            // Its own name in other letters is nobody else's.
            let operation = json!([{"op": "replace", "path": attribute, "value": "FREE"}]);
            assert_eq!(caller.patch(&path, operation).await.json()[attribute], "FREE");
        }
    }

    async fn put_replaces_what_a_client_may_write_and_leaves_the_rest(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &barbara()).await);
        let team = caller.create("Groups", &group("Team", &[path.rsplit('/').next().expect("an id")])).await;
        let before = read(&caller, &path).await;
        // An echo of the whole answer changes nothing.
        let echoed = caller.send("PUT", &path, Some(&before)).await;
        assert_eq!((echoed.status, echoed.json()), (200, before.clone()));
        let mut less = user("barbara");
        less["groups"] = json!([]);
        less["id"] = json!("another");
        less["meta"] = json!({"version": "W/\"99\"", "created": "1999-01-01T00:00:00Z"});
        let replaced = caller.send("PUT", &path, Some(&less)).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let now = read(&caller, &path).await;
        assert_eq!(replaced.json(), now);
        for gone in ["title", "name", "emails", ENTERPRISE_URN] {
            assert!(now.get(gone).is_none(), "{gone}: {now}");
        }
        assert_eq!((&now["id"], &now["meta"]["created"], &now["schemas"]), (&before["id"], &before["meta"]["created"], &json!([USER_URN])));
        assert_eq!(now["groups"][0]["value"], team.as_str());
        // Who is out stays out unless the client says otherwise.
        assert_eq!(caller.patch(&path, json!([{"op": "replace", "path": "active", "value": false}])).await.json()["active"], false);
        assert_eq!(caller.send("PUT", &path, Some(&user("barbara"))).await.json()["active"], false);
        less["active"] = json!(true);
        assert_eq!(caller.send("PUT", &path, Some(&less)).await.json()["active"], true);
        for (body, scim_type) in [
            (json!({"schemas": [USER_URN], "title": "T"}), "invalidValue"), (json!({"userName": "  "}), "invalidValue"), (json!([]), "invalidSyntax"),
        ] {
            assert_refused(&caller.send("PUT", &path, Some(&body)).await, 400, Some(scim_type));
        }
        assert_eq!(read(&caller, &path).await["userName"], "barbara");
    }

    async fn put_creates_nothing(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let gone = caller.create("Users", &user("gone")).await;
        assert_eq!(caller.send("DELETE", &format!("/Users/{gone}"), None).await.status, 204);
        for id in [NOBODY, gone.as_str(), "gone", "bulkId:x"] {
            assert_refused(&caller.send("PUT", &format!("/Users/{id}"), Some(&user("gone"))).await, 404, None);
            assert_refused(&caller.send("PUT", &format!("/Groups/{id}"), Some(&group("Gone", &[]))).await, 404, None);
        }
        assert_refused(&caller.send("PUT", "/Users", Some(&user("gone"))).await, 405, None);
        assert_eq!(total(&caller, "/").await, 0);
    }

    async fn put_of_a_group_leaves_exactly_the_members_it_names(store) {
        let gateway = Gateway::start(store).await;
        let keeping = Caller::of(&gateway, "keeping", &gateway.connect("keeping", &[("put_groups_without_members".to_owned(), "keep".to_owned())]));
        for (caller, keeps) in [(Caller::new(&gateway), false), (keeping, true)] {
            let mut people = vec![];
            for name in ["one", "two", "three"] {
                people.push(caller.create("Users", &user(name)).await);
            }
            let path = format!("/Groups/{}", caller.create("Groups", &group("Team", &[&people[0], &people[1]])).await);
            let members = async || {
                let mut ids: Vec<String> = read(&caller, &path).await["members"].as_array().into_iter().flatten()
                    .map(|member| member["value"].as_str().expect("an id").to_owned()).collect();
                ids.sort();
                ids
            };
            let put = caller.send("PUT", &path, Some(&group("Team", &[&people[1], &people[2]]))).await;
            assert_eq!((put.status, members().await), (200, vec![people[1].clone(), people[2].clone()]));
            let before = caller.get(&path).await.text;
            assert_refused(&caller.send("PUT", &path, Some(&group("Team", &[&people[0], NOBODY]))).await, 400, Some("invalidValue"));
            assert_eq!(caller.get(&path).await.text, before, "no member of a refused list came or went");
            let mut without = group("Renamed", &[]);
            without.as_object_mut().expect("an object").remove("members");
            assert_eq!(caller.send("PUT", &path, Some(&without)).await.json()["displayName"], "Renamed");
            assert_eq!(members().await.len(), if keeps { 2 } else { 0 });
            assert_eq!(caller.send("PUT", &path, Some(&group("Renamed", &[]))).await.status, 200);
            assert!(members().await.is_empty(), "an empty list is a list");
        }
    }

    async fn every_operation_of_a_patch_on_every_kind_of_target(store) {
        let gateway = Gateway::start(store).await;
        // The same person on two connections: two people.
        let options = [("strict", "true"), ("on_email_match", "new")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let token = gateway.connect("strict", &options);
        for (caller, is_strict) in [(Caller::new(&gateway), false), (Caller::of(&gateway, "strict", &token), true)] {
            let path = format!("/Users/{}", caller.create("Users", &barbara()).await);
            for Cell(operation, at, does, strict) in cells() {
                assert_eq!(caller.send("PUT", &path, Some(&barbara())).await.status, 200);
                let before = read(&caller, &path).await;
                let answer = caller.patch(&path, json!([operation])).await;
                let after = read(&caller, &path).await;
                let moved = version(after["meta"]["version"].as_str().expect("a version")) - version(before["meta"]["version"].as_str().expect("a version"));
                let expected = match strict.filter(|_| is_strict).unwrap_or(does) {
                    Refused(scim_type) => {
                        assert_refused(&answer, 400, Some(scim_type));
                        assert_eq!(after, before, "strict {is_strict}, {operation}");
                        continue;
                    }
                    Becomes(value) => Some(value),
                    Goes => None,
                    Stays => before.pointer(at).cloned(),
                };
                assert_eq!((answer.status, answer.json()), (200, after.clone()), "strict {is_strict}, {operation}: {}", answer.text);
                assert_eq!(after.pointer(at), expected.as_ref(), "strict {is_strict}, {operation}");
                assert_eq!(moved, i64::from(before.pointer(at) != expected.as_ref()), "strict {is_strict}, {operation}: versions");
            }
        }
    }

    async fn a_patch_is_done_whole_or_not_at_all(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (one, two) = (caller.create("Users", &user("one")).await, caller.create("Users", &user("two")).await);
        let team = format!("/Groups/{}", caller.create("Groups", &group("Team", &[&one])).await);
        let person = format!("/Users/{one}");
        let mut database = Database::open(gateway.database_url()).await;
        let (before, user_before, team_before) = (Snapshot::of(&mut database).await, caller.get(&person).await.text, caller.get(&team).await.text);
        for (path, operations, status, scim_type) in [
            (&person, json!([{"op": "replace", "path": "title", "value": "T"}, {"op": "add", "path": "nickName", "value": "N"}, {"op": "replace", "path": "nosuch", "value": 1}]), 400, "invalidPath"),
            (&person, json!([{"op": "replace", "path": "active", "value": false}, {"op": "replace", "path": "userName", "value": "TWO"}]), 409, "uniqueness"),
            (&person, json!([{"op": "replace", "path": "title", "value": "T"}, {"op": "remove", "path": "userName"}]), 400, "mutability"),
            (&team, json!([{"op": "remove", "path": "members"}, {"op": "replace", "path": "displayName", "value": "Renamed"}, {"op": "add", "path": "members", "value": [{"value": NOBODY}]}]), 400, "invalidValue"),
            (&team, json!([{"op": "add", "path": "members", "value": [{"value": two}]}, {"op": "replace", "path": "members[value eq \"x\"].value", "value": "y"}]), 400, "mutability"),
        ] {
            assert_refused(&caller.patch(path, operations).await, status, Some(scim_type));
        }
        assert_eq!((caller.get(&person).await.text, caller.get(&team).await.text), (user_before, team_before));
        let after = Snapshot::of(&mut database).await;
        assert_eq!((after.first_change_since(&before), &before.members, &before.history), (None, &after.members, &after.history));
        assert_eq!(before.outbox, after.outbox, "nobody was told of anything");
        // The same operations without the last one are done, each on what the one before left.
        let done = caller.patch(&person, json!([
            {"op": "replace", "path": "emails", "value": [{"value": "a@x", "type": "work"}]}, {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x"},
            {"op": "add", "path": "emails", "value": [{"value": "c@x", "type": "home"}]}, {"op": "remove", "path": "emails[value eq \"b@x\"]"},
        ])).await;
        assert_eq!((done.status, &done.json()["emails"]), (200, &json!([{"value": "c@x", "type": "home"}])));
        assert_eq!(version(done.header("etag").expect("an ETag")), 2, "four operations are one change");
    }

    async fn what_changes_nothing_moves_no_version_and_leaves_no_row(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let person = caller.create("Users", &barbara()).await;
        let (one, team) = (format!("/Users/{person}"), format!("/Groups/{}", caller.create("Groups", &group("Team", &[&person])).await));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut database = Database::open(gateway.database_url()).await;
        let (before, texts) = (Snapshot::of(&mut database).await, (caller.get(&one).await.text, caller.get(&team).await.text));
        let same = |path: &str, value: Value| patch(json!([{"op": "replace", "path": path, "value": value}]));
        for (method, path, body) in [
            ("PUT", &one, barbara()), ("PATCH", &one, same("title", json!("Guide"))), ("PATCH", &one, patch(json!([{"op": "remove", "path": "nickName"}]))),
            ("PATCH", &one, patch(json!([{"op": "replace", "path": "title", "value": "X"}, {"op": "replace", "path": "title", "value": "Guide"}]))),
            ("PUT", &team, group("Team", &[&person])), ("PATCH", &team, same("members", json!([{"value": person}]))),
            ("PATCH", &team, patch(json!([{"op": "add", "path": "members", "value": [{"value": person}]}]))),
            ("PATCH", &team, patch(json!([{"op": "remove", "path": "members", "value": [{"value": NOBODY}]}]))),
        ] {
            let answer = caller.send(method, path, Some(&body)).await;
            assert_eq!(answer.status, 200, "{method} {body}: {}", answer.text);
        }
        assert_eq!((caller.get(&one).await.text, caller.get(&team).await.text), texts, "lastModified stands, too");
        let after = Snapshot::of(&mut database).await;
        assert_eq!((after.first_change_since(&before), &before.history), (None, &after.history));
        assert_eq!(before.outbox, after.outbox);
    }

    async fn who_is_deleted_is_gone_from_everywhere_and_the_name_is_free(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (leaver, stays) = (caller.create("Users", &user("leaver")).await, caller.create("Users", &user("stays")).await);
        let inner = caller.create("Groups", &group("Inner", &[&leaver, &stays])).await;
        let outer = caller.create("Groups", &group("Outer", &[&inner])).await;
        for (path, body) in [(format!("/Users/{leaver}"), user("leaver")), (format!("/Groups/{inner}"), group("Inner", &[]))] {
            let name = body["displayName"].as_str().expect("a name").to_owned();
            let resources = path.split('/').nth(1).expect("a segment").to_owned();
            let deleted = caller.send("DELETE", &path, None).await;
            assert_eq!((deleted.status, deleted.text.as_str(), deleted.header("content-type")), (204, "", None));
            for (method, sent) in [("GET", None), ("PUT", Some(body.clone())), ("PATCH", Some(patch(json!([{"op": "replace", "path": "displayName", "value": "Back"}])))), ("DELETE", None)] {
                assert_refused(&caller.send(method, &path, sent.as_ref()).await, 404, None);
            }
            let found = caller.get(&format!("/?filter={}", encoded(&format!("displayName eq \"{name}\"")))).await.json();
            assert_eq!(found["totalResults"], 0, "{found}");
            assert_eq!(caller.get(&format!("/{resources}")).await.json()["totalResults"], 1);
        }
        assert!(read(&caller, &format!("/Groups/{outer}")).await.get("members").is_none());
        assert!(read(&caller, &format!("/Users/{stays}")).await.get("groups").is_none());
        let add = json!([{"op": "add", "path": "members", "value": [{"value": leaver}]}]);
        assert_refused(&caller.patch(&format!("/Groups/{outer}"), add).await, 400, Some("invalidValue"));
        let mut next = user("leaver");
        next["externalId"] = json!("somebody else");
        assert_ne!(caller.create("Users", &next).await, leaver, "another person of that name");
        assert_ne!(caller.create("Groups", &group("Inner", &[])).await, inner);
        for nobody in [format!("/Users/{NOBODY}"), format!("/Groups/{NOBODY}"), format!("/Groups/{stays}")] {
            assert_refused(&caller.send("DELETE", &nobody, None).await, 404, None);
        }
        assert_refused(&caller.send("DELETE", "/Users", None).await, 405, None);
    }
}
