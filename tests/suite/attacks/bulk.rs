//! Bulk requests made to cost more than they are worth, or to reach through an operation what a request of its own can't.

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use crate::bulk::{bulk, operations, post, run, statuses};
use crate::support::caller::{Caller, ENTERPRISE_URN, assert_refused, group, on_both_gateways, patch, user};
use crate::support::gateway::Answer;

/// More than this for a refusal and it counts as work. Generous: tests share the machine.
const PROMPT: Duration = Duration::from_secs(3);
/// An id in the form of ours that nobody has.
const MISSING: &str = "01900000-0000-7000-8000-00000000dead";

async fn raw(caller: &Caller, body: String) -> Answer {
    let headers = [("content-type", "application/scim+json")];
    caller.try_send("POST", "/Bulk", &headers, Some(body.into_bytes())).await.expect("an answer")
}

async fn stored(caller: &Caller) -> Value {
    caller.get("/?count=0").await.json()["totalResults"].clone()
}

/// Every verb and position of a bulk operation that takes an id.
fn reaches(id: &str, own_group: &str) -> Vec<Value> {
    let change = |operation: Value| patch(json!([operation]));
    let member = json!([{"value": id}]);
    let own = format!("/Groups/{own_group}");
    let mut all = vec![];
    for resources in ["Users", "Groups"] {
        let path = format!("/{resources}/{id}");
        let body = if resources == "Users" { user("thief") } else { group("Thieves", &[]) };
        all.push(json!({"method": "PUT", "path": path, "data": body}));
        all.push(json!({"method": "PATCH", "path": path, "data": change(json!({"op": "replace", "path": "displayName", "value": "Stolen"}))}));
        all.push(json!({"method": "PATCH", "path": path, "version": "*", "data": change(json!({"op": "add", "path": "externalId", "value": "S"}))}));
        all.push(json!({"method": "DELETE", "path": path}));
        all.push(json!({"method": "DELETE", "path": path, "version": "W/\"1\""}));
    }
    all.push(post("/Groups", "stolen", group("With a stranger", &[id])));
    all.push(json!({"method": "PUT", "path": own, "data": group("Own", &[id])}));
    all.push(json!({"method": "PATCH", "path": own, "data": change(json!({"op": "add", "path": "members", "value": member}))}));
    all.push(json!({"method": "PATCH", "path": own, "data": change(json!({"op": "add", "value": {"members": member}}))}));
    all.push(json!({"method": "PATCH", "path": own, "data": change(json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}))}));
    // As a bulkId an id names nothing.
    all.push(json!({"method": "DELETE", "path": format!("/Users/bulkId:{id}")}));
    all.push(json!({"method": "PATCH", "path": own, "data": change(json!({"op": "add", "path": "members", "value": [{"value": format!("bulkId:{id}")}]}))}));
    all
}

on_both_gateways! {
    async fn other_tenants_ids_at_every_position_and_verb_of_a_bulk_request(store) {
        let world = World::new(store).await;
        let victim = world.theirs.create("Users", &user("target")).await;
        let team = world.theirs.create("Groups", &group("Targets", &[&victim])).await;
        let own_group = world.ours.create("Groups", &group("Own", &[])).await;
        let before = world.rows_of("rival").await;
        for id in [&victim, &team] {
            let told = run(&world.ours, reaches(id, &own_group).into()).await;
            let missed = run(&world.ours, reaches(MISSING, &own_group).into()).await;
            let alike = |done: Vec<Value>, id: &str| json!(done).to_string().replace(id, "ID");
            assert_eq!(alike(told.clone(), id), alike(missed, MISSING), "theirs and nobody's are told alike");
            // To remove somebody who is not there is no change, whoever it is.
            let taken: Vec<&Value> = told.iter().filter(|done| done["status"].as_str() < Some("400")).collect();
            assert_eq!(taken.len(), 1, "{taken:?}");
        }
        let mut with_manager = user("managed");
        with_manager[ENTERPRISE_URN] = json!({"manager": {"value": victim}});
        assert_eq!(statuses(&run(&world.ours, json!([post("/Users", "m", with_manager)])).await), ["201"], "plain text");
        for path in [format!("/scim/v2/connections/{}/Users/{victim}", world.theirs_id), format!("{}/Users/{victim}", world.gateway.scim_url(&world.theirs_id))] {
            let done = run(&world.ours, json!([{"method": "DELETE", "path": path}])).await;
            assert_eq!(statuses(&done), ["404"], "{path}");
        }
        assert_eq!(before, world.rows_of("rival").await, "no row of the other tenant moved");
    }

    async fn bulk_ids_of_another_request_or_tenant_name_nothing(store) {
        let world = World::new(store).await;
        run(&world.theirs, json!([post("/Users", "shared", user("theirs"))])).await;
        run(&world.ours, json!([post("/Users", "shared", user("ours"))])).await;
        let done = run(&world.ours, json!([post("/Groups", "g", group("G", &["bulkId:shared"])), {"method": "DELETE", "path": "/Users/bulkId:shared"}])).await;
        assert_eq!(statuses(&done), ["400", "400"], "{done:?}");
    }

    async fn a_thousand_and_one_operations(store) {
        let world = World::new(store).await;
        let many = |count: usize| bulk((0..count).map(|n| json!({"method": "DELETE", "path": format!("/Users/{n}")})).collect());
        let refused = world.ours.send("POST", "/Bulk", Some(&many(1001))).await;
        assert_refused(&refused, 413, None);
        assert!(refused.text.contains("at most 1000 operations") && refused.took < PROMPT, "{} {:?}", refused.text, refused.took);
        assert_eq!(operations(&world.ours.send("POST", "/Bulk", Some(&many(1000))).await).len(), 1000);
        // Hidden behind the shape: as many empty ones as fit.
        let refused = raw(&world.ours, format!("{{\"Operations\":[{}{{}}]}}", "{},".repeat(1_000_000))).await;
        assert_refused(&refused, 413, None);
        assert!(refused.took < PROMPT, "{:?}", refused.took);
    }

    async fn a_body_one_byte_past_the_limit(store) {
        let world = World::new(store).await;
        let padded = |bytes: usize| {
            let body = bulk(json!([post("/Users", "a", user("a"))])).to_string();
            format!("{body}{}", " ".repeat(bytes - body.len()))
        };
        let refused = raw(&world.ours, padded((4 << 20) + 1)).await;
        assert_refused(&refused, 413, None);
        assert!(refused.text.contains("4194304"), "{}", refused.text);
        assert_eq!(stored(&world.ours).await, 0);
        assert_eq!(statuses(&operations(&raw(&world.ours, padded(4 << 20)).await)), ["201"]);
    }

    async fn a_chain_of_a_thousand_bulk_ids_listed_backwards(store) {
        let world = World::new(store).await;
        let link = |n: usize| {
            let mut body = user(&format!("link-{n}"));
            if n < 999 {
                body[ENTERPRISE_URN] = json!({"manager": {"value": format!("bulkId:{}", n + 1)}});
            }
            post("/Users", &n.to_string(), body)
        };
        let done = run(&world.ours, (0..1000).map(link).collect()).await;
        assert!(done.iter().all(|operation| operation["status"] == "201"), "{:?}", done.first());
        assert_eq!(done[0]["version"], "W/\"1\"", "created in the order of the references, once each");
        assert_eq!(stored(&world.ours).await, 1000);
    }

    async fn a_circle_of_a_thousand_groups(store) {
        let world = World::new(store).await;
        let link = |n: usize| post("/Groups", &n.to_string(), group(&format!("Link {n}"), &[&format!("bulkId:{}", (n + 1) % 1000)]));
        let answer = world.ours.send("POST", "/Bulk", Some(&bulk((0..1000).map(link).collect()))).await;
        assert!(operations(&answer).iter().all(|operation| operation["status"] == "409"), "{}", &answer.text[..400]);
        assert!(answer.took < PROMPT, "{:?}", answer.took);
        assert_eq!(stored(&world.ours).await, 0);
    }

    async fn a_circle_of_a_thousand_users_is_made_in_two_writes_each_at_most(store) {
        let world = World::new(store).await;
        let link = |n: usize| {
            let mut body = user(&format!("link-{n}"));
            body[ENTERPRISE_URN] = json!({"manager": {"value": format!("bulkId:{}", (n + 1) % 1000)}});
            post("/Users", &n.to_string(), body)
        };
        let done = run(&world.ours, (0..1000).map(link).collect()).await;
        assert!(done.iter().all(|operation| operation["status"] == "201" && ["W/\"1\"", "W/\"2\""].contains(&operation["version"].as_str().unwrap_or_default())));
        let first = done[0]["location"].as_str().expect("a location").rsplit('/').next().expect("an id");
        let read = world.ours.get(&format!("/Users/{first}")).await.json();
        assert!(done[1]["location"].as_str().expect("a location").ends_with(read[ENTERPRISE_URN]["manager"]["value"].as_str().expect("an id")));
    }

    /// A hundred and fifty thousand references that all name the same few.
    async fn references_that_fan_out_to_everybody(store) {
        let world = World::new(store).await;
        let mut asked: Vec<Value> = (0..300).map(|n| post("/Users", &format!("u{n}"), user(&format!("u{n}")))).collect();
        let everybody: Vec<String> = (0..300).map(|n| format!("bulkId:u{n}")).collect();
        let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
        asked.extend((0..300).map(|n| json!({"method": "PATCH", "path": "/Groups/bulkId:g",
            "data": patch(json!([{"op": if n % 2 == 0 { "remove" } else { "add" }, "path": "members", "value": everybody}]))})));
        asked.push(post("/Groups", "g", group("Everybody", &everybody)));
        let answer = world.ours.send("POST", "/Bulk", Some(&bulk(asked.into()))).await;
        let refused: Vec<Value> = operations(&answer).into_iter().filter(|done| done["status"].as_str() >= Some("400")).collect();
        assert!(refused.is_empty(), "{:?}", refused.first());
        // Repeated without end inside one operation: each reference costs the same, and none is looked up twice over.
        let many = vec!["bulkId:nobody"; 150_000];
        let answer = world.ours.send("POST", "/Bulk", Some(&bulk(json!([post("/Groups", "h", group("Nobody", &many))])))).await;
        assert_eq!(statuses(&operations(&answer)), ["400"]);
        assert!(answer.took < PROMPT, "{:?}", answer.took);
    }

    async fn bodies_that_no_reader_should_follow(store) {
        let world = World::new(store).await;
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        let answer = raw(&world.ours, format!("{{\"Operations\":[{{\"method\":\"POST\",\"path\":\"/Users\",\"bulkId\":\"a\",\"data\":{deep}}}]}}")).await;
        assert_eq!(statuses(&operations(&answer)), ["400"]);
        for body in [deep.clone(), format!("{{\"Operations\":{deep}}}"), format!("{{\"schemas\":{deep},\"Operations\":[{{}}]}}"), "[".repeat(1_000_000)] {
            assert_refused(&raw(&world.ours, body).await, 400, Some("invalidSyntax"));
        }
        let names: String = (0..100_000).map(|n| format!("\"n{n}\":1,")).collect();
        assert_refused(&raw(&world.ours, format!("{{{names}\"Operations\":[{{}}]}}")).await, 400, Some("invalidSyntax"));
        assert_eq!(stored(&world.ours).await, 0);
    }

    async fn passwords_and_tokens_come_back_in_no_operation(store) {
        let world = World::new(store).await;
        let mut body = user("secretive");
        body["password"] = "hunter2-bulk".into();
        let mut bad = body.clone();
        bad["emails"] = json!("hunter2-bulk");
        let done = run(&world.ours, json!([
            post("/Users", "a", body), post("/Users", "b", bad), {"method": "PATCH", "path": "/Users/bulkId:a",
                "data": patch(json!([{"op": "replace", "path": "password", "value": {"x": "hunter2-bulk"}}]))},
        ])).await;
        assert!(!json!(done).to_string().contains("hunter2"), "{done:?}");
        assert!(!world.gateway.printed_with("/Bulk").await.contains("hunter2"));
        assert!(!world.rows_of("default").await.iter().any(|(_, row)| row.contains("hunter2")));
    }
}
