//! Reaching for another tenant's schema extension: to see it, to filter by it, to write data of it. The answers are those that
//! a URN gets that nobody has, and no row of the other tenant moves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{World, field, told};
use crate::support::caller::{Caller, USER_URN, encoded, on_both_gateways, patch, user};

const URN: &str = "urn:rivals:hr:2.0:User";
/// One like it that nobody has registered.
const MADE_UP: &str = "urn:nobody:hr:2.0:User";

fn hr(kind: &str) -> Value {
    json!({"id": URN, "name": "Hr", "attributes": [
        {"name": "badge", "type": kind}, {"name": "desks", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}]}]})
}

fn register(world: &World, schema: &Value, tenant: &str) {
    std::fs::write(world.gateway.folder().join("schema.json"), schema.to_string()).expect("a file");
    world.gateway.cli(&["schema", "create", "schema.json", "--tenant", tenant]);
}

/// Requests that name `urn` in every place that takes one; `id` is a user of the caller's.
fn reaches(urn: &str, id: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let one = format!("/Users/{id}");
    let mut all = vec![
        ("GET", "/Schemas".into(), None),
        ("GET", format!("/Schemas/{urn}"), None),
        ("GET", format!("/Schemas/{}", urn.to_uppercase()), None),
        ("GET", "/ResourceTypes".into(), None),
        ("GET", "/ResourceTypes/User".into(), None),
    ];
    let filters = [
        format!("{urn}:badge eq \"1\""),
        format!("{urn}:badge pr"),
        format!("{urn}:desks[value eq \"1\"]"),
        format!("{urn} pr"),
        format!("not ({urn}:badge eq \"1\")"),
        format!("schemas eq \"{urn}\""),
    ];
    for filter in filters {
        all.push(("GET", format!("/Users?filter={}", encoded(&filter)), None));
        all.push(("GET", format!("/?filter={}", encoded(&filter)), None));
        all.push(("POST", "/Users/.search".into(), Some(json!({"filter": filter}))));
    }
    for query in ["attributes", "excludedAttributes", "sortBy"] {
        for path in [urn.to_owned(), format!("{urn}:badge")] {
            all.push(("GET", format!("/Users?{query}={path}"), None));
            all.push(("GET", format!("{one}?{query}={path}"), None));
        }
    }
    for operation in [
        json!({"op": "add", "path": format!("{urn}:badge"), "value": "1"}),
        json!({"op": "add", "path": urn, "value": {"badge": "1"}}),
        json!({"op": "replace", "path": format!("{urn}:desks[value eq \"1\"].value"), "value": "2"}),
        json!({"op": "remove", "path": urn}),
        json!({"op": "add", "value": {urn: {"badge": "1"}}}),
        json!({"op": "add", "value": {format!("{urn}:badge"): "1"}}),
    ] {
        all.push(("PATCH", one.clone(), Some(patch(json!([operation])))));
    }
    let mut body = user("own");
    body["schemas"] = json!([USER_URN, urn]);
    body[urn] = json!({"badge": "1"});
    all.push(("PUT", one, Some(body.clone())));
    body["userName"] = "own".into();
    // The name is taken: what is told of the extension shows before that or not at all.
    all.push(("POST", "/Users".into(), Some(body)));
    all
}

on_both_gateways! {
    async fn seeing_filtering_by_and_writing_the_extension_of_another_tenant(store) {
        let world = World::new(store).await;
        let strict_token = world.gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        register(&world, &hr("string"), "rival");
        let mut theirs = user("theirs");
        theirs[URN] = json!({"badge": "1", "desks": [{"value": "1"}]});
        world.theirs.create("Users", &theirs).await;
        let before = world.rows_of("rival").await;
        for attacker in [&world.ours, &world.sibling, &Caller::of(&world.gateway, "strict", &strict_token)] {
            let id = attacker.create("Users", &user("own")).await;
            for ((method, path, body), (_, other_path, other_body)) in reaches(URN, &id).into_iter().zip(reaches(MADE_UP, &id)) {
                let got = attacker.send(method, &path, body.as_ref()).await;
                let missed = attacker.send(method, &other_path, other_body.as_ref()).await;
                let alike = |answer, urn: &str| {
                    let (status, text, mut headers) = told(answer, urn);
                    headers.retain(|(name, _)| name != "content-length");
                    (status, text.replace(&urn.to_uppercase(), "ID"), headers)
                };
                assert_eq!(alike(&got, URN), alike(&missed, MADE_UP), "{method} {path} {body:?}");
                let holds = got.status < 300 && got.text.contains(URN);
                assert!(!holds, "{method} {path} was answered {}", got.text);
            }
        }
        assert_eq!(before, world.rows_of("rival").await, "no row of the other tenant moved");
        let ours: Vec<_> = world.rows_of("default").await;
        assert!(ours.iter().all(|(_, row)| !row.contains(URN)), "nothing of it is stored");
    }

    async fn defining_a_schema_under_the_urn_of_another_tenant(store) {
        let world = World::new(store).await;
        register(&world, &hr("integer"), "rival");
        register(&world, &hr("string"), "default");
        let with = |badge: Value| {
            let mut body = user("somebody");
            body[URN] = json!({"badge": badge});
            body
        };
        // Each tenant's own definition holds in it, and only there.
        let id = world.ours.create("Users", &with(json!("one"))).await;
        world.theirs.create("Users", &with(json!(1))).await;
        assert_eq!(world.theirs.send("POST", "/Users", Some(&with(json!("one")))).await.status, 400);
        let kind = async |caller: &Caller| caller.get(&format!("/Schemas/{URN}")).await.json()["attributes"][0]["type"].clone();
        assert_eq!((kind(&world.ours).await, kind(&world.theirs).await), (json!("string"), json!("integer")));
        // To remove one asks nobody else, and takes nothing of anybody else's.
        world.ours.send("DELETE", &format!("/Users/{id}"), None).await;
        let before = world.rows_of("rival").await;
        world.gateway.cli(&["schema", "delete", URN, "--yes"]);
        assert_eq!(before, world.rows_of("rival").await);
        assert_eq!(kind(&world.theirs).await, "integer");
        let refused = world.gateway.run(&["schema", "show", URN]);
        assert!(!refused.status.success(), "{refused:?}");
    }

    /// Its version counts from 1 again, so a cache that goes by the number alone would serve the old one's schemas.
    async fn inheriting_the_schemas_of_a_removed_tenant_by_its_name(store) {
        let world = World::new(store).await;
        let connect = || {
            let printed = world.gateway.cli(&["connection", "create", "scim", "--kind", "scim", "--tenant", "reborn", "--json"]);
            let id = field(&printed, "id");
            let printed = world.gateway.cli(&["token", "create", "--connection", "scim", "--tenant", "reborn", "--json"]);
            (Caller::of(&world.gateway, &id, &field(&printed, "token")), id)
        };
        world.gateway.cli(&["tenant", "create", "reborn"]);
        let (before, _) = connect();
        for name in ["one", "two", "three", "four"] {
            world.gateway.cli(&["organization", "create", name, "--tenant", "reborn"]);
        }
        register(&world, &hr("string"), "reborn");
        assert_eq!(before.get("/Schemas").await.json()["totalResults"], 4);
        world.gateway.cli(&["connection", "delete", "scim", "--tenant", "reborn", "--yes"]);
        world.gateway.cli(&["tenant", "delete", "reborn", "--yes"]);
        world.gateway.cli(&["tenant", "create", "reborn"]);
        let (after, _) = connect();
        assert_eq!(after.get("/Schemas").await.json()["totalResults"], 3);
        assert_eq!(after.get(&format!("/Schemas/{URN}")).await.status, 404);
        // And what is registered now shows at once or within two seconds.
        register(&world, &hr("integer"), "reborn");
        let began = Instant::now();
        while after.get(&format!("/Schemas/{URN}")).await.status != 200 {
            assert!(began.elapsed() < Duration::from_secs(4), "never seen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
