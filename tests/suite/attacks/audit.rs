//! Changing people without a trace (scim.md §11.15): each write says who, when, by which request and what was there before, and
//! each refusal is kept, too. No secret is in what is kept.

use serde_json::{Value, json};

use super::World;
use crate::support::caller::{group, on_both_gateways, patch, user};
use crate::support::rows::Database;

on_both_gateways! {
    async fn changing_people_without_leaving_a_trace(store) {
        let world = World::new(store).await;
        let (token_id, text) = world.token(&[]);
        let caller = crate::support::caller::Caller::of(&world.gateway, "scim", &text);
        let connection = world.gateway.bootstrapped("connection_id").to_owned();
        let send = async |request: &str, method: &str, path: &str, body: Option<&Value>| {
            caller.send_with(method, path, &[("x-request-id", request)], body).await
        };
        let mut person = user("traced");
        person["password"] = json!("Swordfish-99");
        let created = send("made-1", "POST", "/Users", Some(&person)).await;
        let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
        person["displayName"] = json!("Second name");
        send("made-2", "PUT", &path, Some(&person)).await;
        let third = patch(json!([{"op": "replace", "path": "displayName", "value": "Third name"}, {"op": "replace", "path": "password", "value": "Swordfish-99"}]));
        send("made-3", "PATCH", &path, Some(&third)).await;
        let id = path.rsplit('/').next().expect("an id").to_owned();
        let team = send("made-4", "POST", "/Groups", Some(&group("Traced", &[&id]))).await;
        let team = format!("/Groups/{}", team.json()["id"].as_str().expect("an id"));
        send("made-5", "PATCH", &team, Some(&patch(json!([{"op": "remove", "path": "members"}])))).await;
        send("made-6", "PATCH", &path, Some(&patch(json!([{"op": "replace", "path": "active", "value": false}])))).await;
        send("made-7", "DELETE", &path, None).await;
        let mut database = Database::open(world.gateway.database_url()).await;
        for (number, (kind, before)) in [
            ("scim.user.created", None), ("scim.user.replaced", Some("traced")), ("scim.user.patched", Some("Second name")), ("scim.group.created", None),
            ("scim.group.patched", None), ("scim.user.patched", None), ("scim.user.deleted", None),
        ].into_iter().enumerate() {
            let request = format!("made-{}", number + 1);
            let rows = database.rows(&format!("SELECT * FROM log WHERE request_id = '{request}'")).await;
            let row = rows.iter().find(|row| row["kind"] == kind).unwrap_or_else(|| panic!("{request}: no {kind} in {rows:?}"));
            assert_eq!((&row["actor"], &row["outcome"]), (&json!(format!("token:{token_id}")), &json!("ok")), "{request}");
            assert_eq!((&row["connection_id"], &row["tenant_id"]), (&json!(connection), &json!("default")), "{request}");
            assert!(row["created_at"].as_i64().is_some_and(|at| at > 0) && (row["identity_id"].is_string() || row["group_id"].is_string()), "{row:?}");
            if let Some(before) = before {
                let history = row["history_id"].as_str().unwrap_or_else(|| panic!("{request}: no history: {row:?}"));
                let kept = database.rows(&format!("SELECT actor, changes FROM history WHERE id = '{history}'")).await;
                assert!(kept[0]["changes"].to_string().contains(before) && kept[0]["actor"] == row["actor"], "{request}: {kept:?}");
            }
        }
        // What was refused left no row of the roster, and is there for who asks why the job went red.
        for (request, method, to, body, status) in [
            ("refused-1", "POST", "/Users", Some(json!({"displayName": "nameless", "password": "Swordfish-99"})), 400),
            ("refused-2", "GET", "/Users?filter=nosuch%20pr", None, 400), ("refused-3", "DELETE", path.as_str(), None, 404),
            ("refused-4", "POST", "/Groups", Some(group("Traced", &[])), 409),
        ] {
            assert_eq!(send(request, method, to, body.as_ref()).await.status, status, "{request}");
        }
        let began = std::time::Instant::now();
        let traffic = loop {
            let printed = world.gateway.cli(&["connection", "traffic", "scim", "--json", "--limit", "1000"]);
            if (1..=4).all(|n| printed.contains(&format!("refused-{n}"))) && (1..=7).all(|n| printed.contains(&format!("made-{n}"))) {
                break printed;
            }
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "never recorded: {printed}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        };
        let kept = database.rows("SELECT * FROM history").await.len() + database.rows("SELECT * FROM log").await.len();
        assert!(kept > 0 && !traffic.contains("Swordfish"), "{traffic}");
        for table in ["history", "log", "outbox", "traffic", "identities", "users"] {
            let rows = database.rows(&format!("SELECT * FROM {table}")).await;
            assert!(!rows.iter().any(|row| Value::Object(row.clone()).to_string().contains("Swordfish")), "{table}");
        }
        let refused: Value = serde_json::from_str(&world.gateway.cli(&["connection", "traffic", "scim", "--json", "--limit", "1000"])).expect("JSON");
        let requests = refused.as_array().expect("a list");
        let first = requests.iter().find(|one| one["request_id"] == "refused-1").expect("it is there");
        assert_eq!((&first["status"], &first["token_id"], first["cause"].is_string()), (&json!(400), &json!(token_id), true), "{first}");
    }
}
