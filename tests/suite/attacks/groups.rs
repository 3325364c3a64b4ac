//! Groups of a size that is meant to hurt (scim.md §11.8): to change one costs what is changed, to list them costs the page,
//! and nobody is lost because there are many.

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use crate::support::caller::{Caller, group, on_both_gateways, user};
use crate::support::rows::Database;

/// Members of the large group.
const MANY: usize = 100_000;
/// Requests whose middle one is compared.
const ROUNDS: usize = 21;
/// Tests share the machine: a difference below this says nothing.
const NOISE: Duration = Duration::from_millis(25);

/// Of one request the quickest of so many counts: another test may hold the machine just then.
const TRIES: [&str; 5] = ["One", "Two", "Three", "Four", "Five"];

/// The id of row `n`.
fn id(n: usize) -> String {
    format!("01900000-0000-7000-8000-{n:012}")
}

/// Puts many people into a group, past the gateway: they would be an hour of requests.
async fn crowd(world: &World, group: &str) {
    let connection = world.gateway.bootstrapped("connection_id");
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})");
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
    for sql in [people.as_str(), &members, "ANALYZE"] {
        Database::change(world.gateway.database_url(), sql).await;
    }
}

async fn members_of(world: &World, group: &str) -> i64 {
    let mut database = Database::open(world.gateway.database_url()).await;
    let rows = database.rows(&format!("SELECT count(*) AS n FROM members WHERE group_id = '{group}'")).await;
    rows[0]["n"].as_i64().expect("a number")
}

/// Adds somebody and removes them again; how long the middle request took.
async fn middle_of_changes(caller: &Caller, path: &str, person: &str) -> Duration {
    let mut took = vec![];
    for round in 0..ROUNDS * 2 {
        let op = if round % 2 == 0 { "add" } else { "remove" };
        let answer = caller.patch(path, json!([{"op": op, "path": "members", "value": [{"value": person}]}])).await;
        assert!(answer.status < 300, "{}", answer.text);
        took.push(answer.took);
    }
    took.sort();
    took[ROUNDS]
}

on_both_gateways! {
    async fn a_group_of_a_hundred_thousand_is_changed_at_the_price_of_one_member(store) {
        let world = World::new(store).await;
        let person = world.ours.create("Users", &user("one")).await;
        let small = format!("/Groups/{}", world.ours.create("Groups", &group("Small", &[])).await);
        let crowded = world.ours.create("Groups", &group("Crowd", &[])).await;
        let large = format!("/Groups/{crowded}");
        crowd(&world, &crowded).await;
        let of_small = middle_of_changes(&world.ours, &small, &person).await;
        let of_large = middle_of_changes(&world.ours, &large, &person).await;
        assert!(of_large < of_small * 3 + NOISE, "{of_large:?} beside {of_small:?}");
        let mut quickest = Duration::MAX;
        for name in TRIES {
            let renamed = world.ours.patch(&large, json!([{"op": "replace", "path": "displayName", "value": name}])).await;
            assert_eq!(renamed.status, 204, "too large for a body nobody asked for: {}", renamed.text.len());
            quickest = quickest.min(renamed.took);
        }
        assert!(quickest < of_small * 10 + NOISE * 4, "{quickest:?}");
        for filtered in [format!("members[value eq \"{}\"]", id(7)), format!("members[value eq \"{}\"]", id(8))] {
            assert_eq!(world.ours.patch(&large, json!([{"op": "remove", "path": filtered}])).await.status, 204);
        }
        assert_eq!(members_of(&world, &crowded).await, i64::try_from(MANY).unwrap() - 2);
    }

    async fn a_group_of_a_hundred_thousand_is_listed_without_its_members_and_read_with_all_of_them(store) {
        let world = World::new(store).await;
        let person = world.ours.create("Users", &user("one")).await;
        let crowded = world.ours.create("Groups", &group("Crowd", &[])).await;
        crowd(&world, &crowded).await;
        for path in [
            "/Groups?excludedAttributes=members".to_owned(), format!("/Groups/{crowded}?excludedAttributes=members"),
            "/Groups?attributes=displayName".to_owned(), format!("/Groups?excludedAttributes=members&filter=id%20eq%20%22{crowded}%22%20and%20members%20eq%20%22{}%22", id(5)),
        ] {
            let mut quickest = Duration::MAX;
            for _ in TRIES {
                let answer = world.ours.get(&path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text);
                assert!(answer.text.len() < 1_000 && answer.text.contains("Crowd"), "{path}: {}", answer.text);
                quickest = quickest.min(answer.took);
            }
            assert!(quickest < NOISE * 10, "{path}: {quickest:?}");
        }
        // Who is in it is found without reading it, and reading it cuts nobody off.
        let one = world.ours.get(&format!("/Users/{}", id(77))).await;
        assert_eq!(one.json()["groups"][0]["value"], crowded.as_str());
        let whole = world.ours.get(&format!("/Groups/{crowded}")).await.json();
        assert_eq!(whole["members"].as_array().map(Vec::len), Some(MANY));
        // A write of all of it leaves exactly what it names, and what it does not name is no row's reason to stay.
        let kept: Vec<String> = (1..=250).map(id).chain([person]).collect();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        let replaced = world.ours.send("PUT", &format!("/Groups/{crowded}"), Some(&group("Crowd", &kept))).await;
        assert_eq!(replaced.status, 200, "{}", replaced.text);
        let listed: Value = replaced.json()["members"].clone();
        assert_eq!((listed.as_array().map(Vec::len), members_of(&world, &crowded).await), (Some(251), 251));
    }
}
