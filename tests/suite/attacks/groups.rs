//! Groups of a size that is meant to hurt (scim.md §11.8): to change one costs what is changed, to list them costs the page,
//! and nobody is lost because there are many.

use axum::http::Method;
use serde_json::{Value, json};

use super::World;
use crate::support::caller::{group, on_both_gateways, patch, user};
use crate::support::cost::{Cost, Counted};
use crate::support::rows::Database;
use crate::support::stores::on_both;

/// Members of the large group.
const MANY: usize = 100_000;
/// Members of the large group whose statements are counted.
const COUNTED: usize = 20_000;
/// What a request may cost more with it: the 200 rows that tell it is too large for an answer with a body, at some steps of
/// SQLite each. A walk over the members is many times that.
const MORE: i64 = 4_000;

/// The id of row `n`.
fn id(n: usize) -> String {
    format!("01900000-0000-7000-8000-{n:012}")
}

/// Statements that put many people into a group, past the gateway: they would be an hour of requests.
fn crowd(connection: &str, group: &str, many: usize) -> [String; 3] {
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})");
    let id = "'01900000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2)";
    let people = format!(
        "{numbers} INSERT INTO identities (tenant_id, id, connection_id, user_name, user_name_key, label, state, listed, active, raw, \
         last_source, first_seen, last_seen, created_at, updated_at) SELECT 'default', {id}, '{connection}', 'p' || i, 'p' || i, 'p' || i, \
         'active', TRUE, TRUE, '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"p' || i || '\"}}', 'push', \
         1, 1, 1, 1 FROM n"
    );
    let members = format!(
        "{numbers} INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) SELECT 'default', '{group}', {id}, 'User', 1 FROM n"
    );
    // Statistics as of a database that grew by requests.
    [people, members, "ANALYZE".to_owned()]
}

async fn crowded(world: &World, group: &str) {
    for sql in crowd(world.gateway.bootstrapped("connection_id"), group, MANY) {
        Database::change(world.gateway.database_url(), &sql).await;
    }
}

async fn members_of(world: &World, group: &str) -> i64 {
    let mut database = Database::open(world.gateway.database_url()).await;
    let rows = database.rows(&format!("SELECT count(*) AS n FROM members WHERE group_id = '{group}'")).await;
    rows[0]["n"].as_i64().expect("a number")
}

/// What of a list of statements is read in all.
fn read(costs: &[Cost]) -> i64 {
    costs.iter().map(|cost| cost.read).sum()
}

/// The dearest first.
fn told(costs: &[Cost]) -> String {
    let mut costs: Vec<_> = costs.iter().collect();
    costs.sort_by_key(|cost| -cost.read);
    costs.iter().take(3).map(|cost| format!("\n{} {}", cost.read, cost.sql)).collect()
}

async fn created(counted: &Counted, path: &str, body: &Value) -> String {
    let (status, body, _) = counted.ask(Method::POST, path, Some(body)).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

on_both! {
    async fn changes_of_a_large_group_read_what_they_change(test) {
        let counted = Counted::new(test).await;
        let person = created(&counted, "/Users", &user("one")).await;
        let small = created(&counted, "/Groups", &group("Small", &[])).await;
        let large = created(&counted, "/Groups", &group("Crowd", &[])).await;
        for sql in crowd("con_1", &large, COUNTED) {
            counted.run(&sql).await;
        }
        let value = json!([{"value": person}]);
        for operation in [
            json!({"op": "add", "path": "members", "value": value}),
            json!({"op": "remove", "path": format!("members[value eq \"{person}\"]")}),
            json!({"op": "add", "path": "members", "value": value}),
            json!({"op": "remove", "path": "members", "value": value}),
            json!({"op": "replace", "path": "externalId", "value": "another"}),
        ] {
            let mut costs = vec![];
            for id in [&small, &large] {
                let mut operation = operation.clone();
                if operation["path"] == "externalId" {
                    operation["value"] = format!("of {id}").into();
                }
                let (status, body, cost) = counted.ask(Method::PATCH, &format!("/Groups/{id}"), Some(&patch(json!([operation])))).await;
                assert!(status < 300, "{body}");
                assert!(read(&cost) > 0, "it is counted");
                costs.push(cost);
            }
            let (of_small, of_large) = (read(&costs[0]), read(&costs[1]));
            assert!(of_large <= of_small + MORE, "{operation}: {of_large} beside {of_small}{}", told(&costs[1]));
        }
    }

    async fn lists_and_look_ups_beside_a_large_group_read_what_they_show(test) {
        let counted = Counted::new(test).await;
        let person = created(&counted, "/Users", &user("one")).await;
        let large = created(&counted, "/Groups", &group("Crowd", &[&person])).await;
        let paths = [
            "/Groups?excludedAttributes=members".to_owned(), format!("/Groups/{large}?excludedAttributes=members"),
            "/Groups?attributes=displayName".to_owned(), format!("/Users/{person}"),
            format!("/Groups?excludedAttributes=members&filter=id%20eq%20%22{large}%22%20and%20members%20eq%20%22{person}%22"),
            format!("/Groups?excludedAttributes=members&filter=members%20eq%20%22{person}%22"),
        ];
        let mut before = vec![];
        for path in &paths {
            let (status, body, cost) = counted.ask(Method::GET, path, None).await;
            assert_eq!(status, 200, "{path}: {body}");
            before.push(read(&cost));
        }
        for sql in crowd("con_1", &large, COUNTED) {
            counted.run(&sql).await;
        }
        for (path, before) in paths.iter().zip(before) {
            let (status, body, cost) = counted.ask(Method::GET, path, None).await;
            assert!(status == 200 && body.to_string().contains("Crowd"), "{path}: {body}");
            assert!(read(&cost) <= before + MORE, "{path}: {} beside {before}{}", read(&cost), told(&cost));
        }
        // The count itself: what does read all members is seen to.
        let (status, _, whole) = counted.ask(Method::GET, &format!("/Groups/{large}"), None).await;
        assert!(status == 200 && read(&whole) >= i64::try_from(COUNTED).unwrap(), "{}", read(&whole));
    }
}

on_both_gateways! {
    async fn a_group_of_a_hundred_thousand_is_changed_by_one(store) {
        let world = World::new(store).await;
        let person = world.ours.create("Users", &user("one")).await;
        let id_of_crowd = world.ours.create("Groups", &group("Crowd", &[])).await;
        let large = format!("/Groups/{id_of_crowd}");
        crowded(&world, &id_of_crowd).await;
        for op in ["add", "remove", "add"] {
            let answer = world.ours.patch(&large, json!([{"op": op, "path": "members", "value": [{"value": person}]}])).await;
            assert_eq!(answer.status, 204, "{}", answer.text);
        }
        let renamed = world.ours.patch(&large, json!([{"op": "replace", "path": "displayName", "value": "Throng"}])).await;
        assert_eq!(renamed.status, 204, "too large for a body nobody asked for: {}", renamed.text.len());
        for filtered in [format!("members[value eq \"{}\"]", id(7)), format!("members[value eq \"{}\"]", id(8))] {
            assert_eq!(world.ours.patch(&large, json!([{"op": "remove", "path": filtered}])).await.status, 204);
        }
        assert_eq!(members_of(&world, &id_of_crowd).await, i64::try_from(MANY).unwrap() + 1 - 2);
    }

    async fn a_group_of_a_hundred_thousand_is_listed_without_its_members_and_read_with_all_of_them(store) {
        let world = World::new(store).await;
        let person = world.ours.create("Users", &user("one")).await;
        let crowd = world.ours.create("Groups", &group("Crowd", &[])).await;
        crowded(&world, &crowd).await;
        for path in [
            "/Groups?excludedAttributes=members".to_owned(), format!("/Groups/{crowd}?excludedAttributes=members"),
            "/Groups?attributes=displayName".to_owned(), format!("/Groups?excludedAttributes=members&filter=id%20eq%20%22{crowd}%22%20and%20members%20eq%20%22{}%22", id(5)),
        ] {
            let answer = world.ours.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            assert!(answer.text.len() < 1_000 && answer.text.contains("Crowd"), "{path}: {}", answer.text);
        }
        // Who is in it is found without reading it, and reading it cuts nobody off.
        let one = world.ours.get(&format!("/Users/{}", id(77))).await;
        assert_eq!(one.json()["groups"][0]["value"], crowd.as_str());
        let whole = world.ours.get(&format!("/Groups/{crowd}")).await.json();
        assert_eq!(whole["members"].as_array().map(Vec::len), Some(MANY));
        // A write of all of it leaves exactly what it names, and what it does not name is no row's reason to stay.
        let kept: Vec<String> = (1..=250).map(id).chain([person]).collect();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        let replaced = world.ours.send("PUT", &format!("/Groups/{crowd}"), Some(&group("Crowd", &kept))).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let listed: Value = replaced.json()["members"].clone();
        assert_eq!((listed.as_array().map(Vec::len), members_of(&world, &crowd).await), (Some(251), 251));
    }
}
