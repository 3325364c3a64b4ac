//! Reaching for what belongs to another tenant, or to another connection of the same one, through every position that
//! takes an id.

use std::time::Duration;

use axum::http::Method;
use rosterd::args;
use rosterd::store::{Batch, Error};
use serde_json::{Value, json};

use super::{World, told};
use crate::support::caller::{Caller, ENTERPRISE_URN, encoded, group, on_both_gateways, patch, user};
use crate::support::cost::{Cost, Counted};
use crate::support::stores::on_both;

/// An id in the form of ours that nobody has.
const MISSING: &str = "01900000-0000-7000-8000-00000000dead";

/// Requests that name `id` somewhere; `own_user` and `own_group` are the caller's. Each is refused or finds nothing.
fn reaches(id: &str, own_user: &str, own_group: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let member = json!([{"value": id}]);
    let change = |operation: Value| Some(patch(json!([operation])));
    let search =
        |filter: String| Some(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter}));
    let mut all = vec![];
    for resources in ["Users", "Groups"] {
        let path = format!("/{resources}/{id}");
        let body = if resources == "Users" { user("thief") } else { group("Thieves", &[]) };
        all.push(("GET", path.clone(), None));
        all.push(("PUT", path.clone(), Some(body)));
        all.push(("PATCH", path.clone(), change(json!({"op": "replace", "path": "displayName", "value": "Stolen"}))));
        all.push(("PATCH", path.clone(), change(json!({"op": "replace", "path": "active", "value": false}))));
        all.push(("DELETE", path, None));
    }
    let own = format!("/Groups/{own_group}");
    all.push(("POST", "/Groups".into(), Some(group("With a stranger", &[id]))));
    all.push(("PUT", own.clone(), Some(group("Own", &[own_user, id]))));
    all.push(("PATCH", own.clone(), change(json!({"op": "add", "path": "members", "value": member}))));
    all.push(("PATCH", own.clone(), change(json!({"op": "replace", "path": "members", "value": member}))));
    all.push(("PATCH", own.clone(), change(json!({"op": "add", "value": {"members": member}}))));
    // To remove somebody who is not there is no change, whoever it is.
    all.push(("PATCH", own.clone(), change(json!({"op": "remove", "path": "members", "value": member}))));
    all.push(("PATCH", own.clone(), change(json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}))));
    for (resources, attribute) in [
        ("Users", "id"),
        ("Users", "groups.value"),
        ("Users", "groups"),
        ("Users", "manager.value"),
        ("Groups", "id"),
        ("Groups", "members"),
        ("Groups", "members.value"),
    ] {
        let filter = format!("{attribute} eq \"{id}\"");
        all.push(("GET", format!("/{resources}?filter={}", encoded(&filter)), None));
        all.push(("POST", format!("/{resources}/.search"), search(filter)));
    }
    // Across types.
    let filter = format!("id eq \"{id}\"");
    all.push(("GET", format!("/?filter={}", encoded(&filter)), None));
    all.push(("POST", "/.search".into(), search(filter)));
    all
}

/// Asks everything for ids that are somebody else's and for one that nobody has: the answers are the same.
async fn assert_indistinguishable(thief: &Caller, victim: &Caller) {
    let (victim_user, own_user) = (victim.create("Users", &user("victim")).await, thief.create("Users", &user("own")).await);
    let victim_group = victim.create("Groups", &group("Victims", &[&victim_user])).await;
    let own_group = thief.create("Groups", &group("Own", &[&own_user])).await;
    for id in [&victim_user, &victim_group] {
        let foreign = reaches(id, &own_user, &own_group);
        for ((method, path, body), (_, missing_path, missing_body)) in
            foreign.into_iter().zip(reaches(MISSING, &own_user, &own_group))
        {
            let got = thief.send(method, &path, body.as_ref()).await;
            let missed = thief.send(method, &missing_path, missing_body.as_ref()).await;
            assert_eq!(told(&got, id), told(&missed, MISSING), "{method} {path}");
            let found = got.status == 200 && got.json()["totalResults"].as_u64().is_some_and(|total| total > 0);
            assert!(!found, "{method} {path} found {}", got.text);
            let is_change = got.status < 300 && method != "GET" && !path.ends_with(".search");
            assert!(!is_change || got.json()["members"].as_array().is_some_and(|members| members.len() == 1), "{method} {path}");
        }
    }
}

on_both_gateways! {
    async fn every_verb_with_every_id_of_another_tenant(store) {
        let world = World::new(store).await;
        let (victim, group_of_victim) = {
            let victim = world.theirs.create("Users", &user("target")).await;
            (victim.clone(), world.theirs.create("Groups", &group("Targets", &[&victim])).await)
        };
        let before = world.rows_of("rival").await;
        for id in [&victim, &group_of_victim] {
            let own_user = world.ours.create("Users", &user(&format!("own-{id}"))).await;
            let own_group = world.ours.create("Groups", &group(&format!("Own {id}"), &[&own_user])).await;
            for (method, path, body) in reaches(id, &own_user, &own_group) {
                world.ours.send(method, &path, body.as_ref()).await;
            }
        }
        assert_eq!(before, world.rows_of("rival").await, "no row of the other tenant moved");
    }

    async fn reading_the_recorded_traffic_of_another_tenant(store) {
        let world = World::new(store).await;
        world.theirs.create("Users", &user("rivals-secret")).await;
        world.ours.create("Users", &user("our-own")).await;
        let ask = async |connection: &str| {
            let url = format!("{}/api/v2/connections/{connection}/traffic", world.gateway.base_url());
            let token = format!("Bearer {}", world.gateway.bootstrapped("admin_token"));
            world.gateway.send("GET", &url, &[("authorization".into(), token)], None).await.expect("an answer")
        };
        // Until our own is there, and with it theirs.
        let began = std::time::Instant::now();
        while !ask(world.gateway.bootstrapped("connection_id")).await.text.contains("our-own") {
            assert!(began.elapsed() < Duration::from_secs(10), "never recorded");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let missing = "con_00000000000000000000000000000000";
        let (foreign, made_up) = (ask(&world.theirs_id).await, ask(missing).await);
        assert_eq!(foreign.status, 404, "{}", foreign.text);
        let without_time = |mut told: (u16, String, Vec<(String, String)>)| {
            told.2.retain(|(name, _)| !name.starts_with("x-ratelimit"));
            told
        };
        assert_eq!(without_time(told(&foreign, &world.theirs_id)), without_time(told(&made_up, missing)));
        let cli = world.gateway.run(&["connection", "traffic", &world.theirs_id, "--json"]);
        assert!(!cli.status.success() && !String::from_utf8_lossy(&cli.stdout).contains("rivals-secret"));
        let theirs = world.gateway.cli(&["connection", "traffic", "scim", "--tenant", "rival", "--json"]);
        assert!(theirs.contains("rivals-secret") && !theirs.contains("our-own"), "{theirs}");
    }

    async fn telling_foreign_ids_of_another_tenant_from_missing_ones(store) {
        let world = World::new(store).await;
        assert_indistinguishable(&world.ours, &world.theirs).await;
    }

    async fn telling_foreign_ids_of_another_connection_from_missing_ones(store) {
        let world = World::new(store).await;
        assert_indistinguishable(&world.ours, &world.sibling).await;
    }

    async fn naming_somebody_elses_user_as_manager_reads_nothing_of_them(store) {
        let world = World::new(store).await;
        let foreign = world.theirs.create("Users", &user("the-boss")).await;
        let before = world.rows_of("rival").await;
        let mut answers = vec![];
        for (name, manager) in [("of-foreign", foreign.as_str()), ("of-missing", MISSING)] {
            let mut body = user(name);
            body[ENTERPRISE_URN] = json!({"manager": {"value": manager}});
            let id = world.ours.create("Users", &body).await;
            let replaced = world.ours.send("PUT", &format!("/Users/{id}"), Some(&body)).await;
            let add = json!([{"op": "add", "path": format!("{ENTERPRISE_URN}:manager"), "value": {"value": manager}}]);
            let patched = world.ours.patch(&format!("/Users/{id}"), add).await;
            let read = world.ours.get(&format!("/Users/{id}")).await;
            for answer in [&replaced, &patched, &read] {
                assert_eq!(answer.json()[ENTERPRISE_URN]["manager"], json!({"value": manager}), "plain text, nothing looked up");
            }
            answers.push([replaced, patched, read].map(|answer| answer.status));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(before, world.rows_of("rival").await);
    }

    async fn taking_over_by_the_external_id_of_another_tenant(store) {
        let world = World::new(store).await;
        // The same externalId, userName and address.
        let mut body = user("shared-name");
        body["emails"] = json!([{"value": "shared@example.com", "primary": true}]);
        let theirs = world.theirs.create("Users", &body).await;
        let before = world.rows_of("rival").await;
        let inbox = |rows: &[(&str, String)]| rows.iter().filter(|(table, _)| *table == "conflicts").count();
        for (caller, address) in [(&world.ours, "shared@example.com"), (&world.sibling, "other@example.com")] {
            body["emails"] = json!([{"value": address, "primary": true}]);
            // A person of one's own, and no word of the other.
            let id = caller.create("Users", &body).await;
            assert_eq!(inbox(&world.rows_of("default").await), 0);
            assert_ne!(id, theirs);
            let off = caller.patch(&format!("/Users/{id}"), json!([{"op": "replace", "path": "active", "value": false}])).await;
            assert_eq!(off.status, 200);
            assert_eq!(caller.send("DELETE", &format!("/Users/{id}"), None).await.status, 204);
        }
        assert_eq!(before, world.rows_of("rival").await);
        assert_eq!(world.theirs.get(&format!("/Users/{theirs}")).await.json()["active"], true);
    }

    async fn a_path_through_another_tenants_connection(store) {
        let world = World::new(store).await;
        let victim = world.theirs.create("Users", &user("target")).await;
        let before = world.rows_of("rival").await;
        let missing = format!("con_{}", "0".repeat(32));
        for path in ["/Users", &format!("/Users/{victim}"), "/Groups", "/ServiceProviderConfig", "/Users/.search", "/nothing"] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let body = json!({});
                let body = (method != "GET").then_some(&body);
                let foreign = Caller::of(&world.gateway, &world.theirs_id, world.gateway.token()).send(method, path, body).await;
                let missed = Caller::of(&world.gateway, &missing, world.gateway.token()).send(method, path, body).await;
                assert_eq!(foreign.status, 404, "{method} {path}");
                assert_eq!(told(&foreign, &world.theirs_id), told(&missed, &missing), "{method} {path}");
            }
        }
        assert_eq!(before, world.rows_of("rival").await);
    }

    /// A connection is named by its id; by its name only in tenant `default` (design §4).
    async fn the_same_connection_name_in_another_tenant_opens_nothing(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("ours")).await;
        let by_name = Caller::of(&world.gateway, "scim", &world.theirs_token);
        assert_eq!(by_name.get("/Users").await.status, 404);
        assert_eq!(by_name.get(&format!("/Users/{id}")).await.status, 404);
    }

    async fn lists_of_one_tenant_hold_nothing_of_another(store) {
        let world = World::new(store).await;
        for (caller, name) in [(&world.ours, "ours"), (&world.sibling, "sibling"), (&world.theirs, "theirs")] {
            let id = caller.create("Users", &user(name)).await;
            caller.create("Groups", &group(name, &[&id])).await;
        }
        for (caller, name) in [(&world.ours, "ours"), (&world.sibling, "sibling"), (&world.theirs, "theirs")] {
            for list in ["/Users", "/Groups", "/Users?filter=displayName%20pr", "/Groups?filter=not%20(displayName%20eq%20%22x%22)"] {
                let page = caller.get(list).await.json();
                assert_eq!(page["totalResults"], 1, "{name} {list}");
                assert_eq!(page["Resources"][0]["displayName"], name, "{list}");
            }
            let everything = caller.get("/").await.json();
            assert_eq!(everything["totalResults"], 2, "{name}: {everything}");
            let searched = caller.send("POST", "/.search", Some(&json!({"filter": "displayName pr"}))).await.json();
            assert_eq!(searched["totalResults"], 2, "{name}: {searched}");
        }
    }

    /// Where unknown members are passed over, foreign ones are too: they never become members.
    async fn a_connection_that_ignores_unknown_members_takes_in_no_foreign_ones(store) {
        let world = World::new(store).await;
        let foreign = world.theirs.create("Users", &user("foreign")).await;
        let foreign_group = world.theirs.create("Groups", &group("Foreign", &[&foreign])).await;
        let token = world.gateway.connect("lenient", &[("unknown_members".to_owned(), "ignore".to_owned())]);
        let lenient = Caller::of(&world.gateway, "lenient", &token);
        let own = lenient.create("Users", &user("own")).await;
        let id = lenient.create("Groups", &group("Mixed", &[&own, &foreign, &foreign_group, MISSING])).await;
        let add = json!([{"op": "add", "path": "members", "value": [{"value": foreign}, {"value": MISSING}]}]);
        assert!(lenient.patch(&format!("/Groups/{id}"), add).await.status < 300);
        let members = lenient.get(&format!("/Groups/{id}")).await.json()["members"].clone();
        assert_eq!(members.as_array().map(Vec::len), Some(1), "{members}");
        assert_eq!(members[0]["value"], own.as_str());
        assert!(world.theirs.get(&format!("/Users/{foreign}")).await.json()["groups"][0]["value"] == foreign_group.as_str());
    }
}

/// What was asked of the database, with the id taken out.
fn without(id: &str, costs: &[Cost]) -> Vec<Cost> {
    costs
        .iter()
        .map(|cost| Cost {
            args: cost.args.iter().map(|arg| if *arg == id.into() { "the id".into() } else { arg.clone() }).collect(),
            ..cost.clone()
        })
        .collect()
}

on_both! {
    /// The same statements, run alike over as many rows: then one id takes as long as the other.
    async fn telling_foreign_ids_from_missing_ones_by_the_work_they_make(test) {
        const FOREIGN_GROUP: &str = "01900000-0000-7000-8000-00000000f00d";
        const FOREIGN_USER: &str = "01900000-0000-7000-8000-00000000beef";
        let counted = Counted::new(test).await;
        for (tenant, connection, user, group) in [
            ("rival", "con_9", FOREIGN_USER, FOREIGN_GROUP),
            ("default", "con_sibling", &MISSING.replace("dead", "0001"), &MISSING.replace("dead", "0002")),
        ] {
            if tenant == "rival" {
                counted.run("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('rival', 'rival', 0, 0)").await;
            }
            for sql in [
                format!("INSERT INTO connections (tenant_id, id, name, kind, created_at, updated_at) VALUES ('{tenant}', '{connection}', 'other', 'scim', 0, 0)"),
                format!("INSERT INTO identities (tenant_id, id, connection_id, user_name, user_name_key, label, state, listed, active, raw, last_source, \
                    first_seen, last_seen, created_at, updated_at) VALUES ('{tenant}', '{user}', '{connection}', 'x', 'x', 'x', 'active', TRUE, TRUE, \
                    '{{\"userName\":\"x\"}}', 'push', 1, 1, 1, 1)"),
                format!("INSERT INTO groups (tenant_id, id, connection_id, name, name_key, raw, raw_hash, created_at, updated_at) \
                    VALUES ('{tenant}', '{group}', '{connection}', 'x', 'x', '{{}}', '', 1, 1)"),
                format!("INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) VALUES ('{tenant}', '{group}', '{user}', 'User', 1)"),
            ] {
                counted.run(&sql).await;
            }
        }
        let own_user = counted.edge.ask(Method::POST, "/Users", Some(&user("own"))).await.1["id"].as_str().unwrap().to_owned();
        let own_group = counted.edge.ask(Method::POST, "/Groups", Some(&group("Own", &[&own_user]))).await.1["id"].as_str().unwrap().to_owned();
        let mut compared = 0;
        for id in [FOREIGN_USER, FOREIGN_GROUP] {
            for ((method, path, body), (_, missing_path, missing_body)) in
                reaches(id, &own_user, &own_group).into_iter().zip(reaches(MISSING, &own_user, &own_group))
            {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let (status, _, foreign) = counted.ask(method.clone(), &path, body.as_ref()).await;
                let (missed, _, missing) = counted.ask(method.clone(), &missing_path, missing_body.as_ref()).await;
                assert_eq!(status, missed, "{method} {path}");
                assert_eq!(without(id, &foreign), without(MISSING, &missing), "{method} {path}");
                compared += foreign.len();
            }
        }
        assert!(compared > 60, "{compared} statements");
        // What is there is another matter, and the count sees it.
        let (_, _, own) = counted.ask(Method::GET, &format!("/Users/{own_user}"), None).await;
        let (_, _, missing) = counted.ask(Method::GET, &format!("/Users/{MISSING}"), None).await;
        assert_ne!(without(&own_user, &own), without(MISSING, &missing));
    }

    /// Were a handler to mix two tenants up, the database would still refuse: every key begins with the tenant.
    async fn writing_a_row_that_points_into_another_tenant(test) {
        const TENANT: &str = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, 0, 0)";
        const CONNECTION: &str =
            "INSERT INTO connections (tenant_id, id, name, kind, created_at, updated_at) VALUES ($1, $2, $2, 'scim', 0, 0)";
        const USER: &str = "INSERT INTO users (tenant_id, id, user_id, doc, provenance, created_at, updated_at) VALUES ($1, $2, $2, '{}', '{}', 0, 0)";
        const IDENTITY: &str = "INSERT INTO identities (tenant_id, id, connection_id, profile_id, state, listed, last_source, first_seen, \
            last_seen, created_at, updated_at) VALUES ($1, $2, $3, $4, 'active', TRUE, 'push', 0, 0, 0, 0)";
        const VALUE: &str = "INSERT INTO identity_values (tenant_id, connection_id, attribute, value_key, identity_id) VALUES ($1, 'c', 'a', 'v', $2)";
        const GROUP: &str = "INSERT INTO groups (tenant_id, id, connection_id, name, name_key, raw, raw_hash, created_at, updated_at) \
            VALUES ($1, $2, $3, $2, $2, '{}', '', 0, 0)";
        const MEMBER: &str = "INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) VALUES ($1, $2, $3, 'User', 0)";
        const BLOCK: &str = "INSERT INTO blocks (tenant_id, profile_id, kind, origin, since, actor, reason) VALUES ($1, $2, 'admin', '', 0, 'a', 'r')";
        let none: Option<&str> = None;
        let mut batch = Batch::default();
        batch.each(TENANT, vec![args!["ours"], args!["theirs"]]);
        batch.each(CONNECTION, vec![args!["ours", "our-connection"], args!["theirs", "their-connection"]]);
        batch.each(USER, vec![args!["ours", "our-user"], args!["theirs", "their-user"]]);
        batch.each(IDENTITY, vec![args!["ours", "our-identity", "our-connection", "our-user"], args!["theirs", "their-identity", "their-connection", "their-user"]]);
        batch.each(GROUP, vec![args!["ours", "our-group", "our-connection"], args!["theirs", "their-group", "their-connection"]]);
        test.store.apply(batch).await.unwrap();
        for (sql, crossing, inside) in [
            (IDENTITY, args!["ours", "x", "their-connection", none], args!["ours", "x", "our-connection", none]),
            (IDENTITY, args!["ours", "y", "our-connection", "their-user"], args!["ours", "y", "our-connection", "our-user"]),
            (VALUE, args!["ours", "their-identity"], args!["ours", "our-identity"]),
            (GROUP, args!["ours", "z", "their-connection"], args!["ours", "z", "our-connection"]),
            (MEMBER, args!["ours", "their-group", "our-identity"], args!["ours", "our-group", "our-identity"]),
            (BLOCK, args!["ours", "their-user"], args!["ours", "our-user"]),
        ] {
            let write = |args| {
                let mut batch = Batch::default();
                batch.one(sql, args);
                test.store.apply(batch)
            };
            assert!(matches!(write(crossing).await, Err(Error::Stale)), "{sql}");
            assert!(write(inside).await.is_ok(), "{sql}");
        }
    }
}
