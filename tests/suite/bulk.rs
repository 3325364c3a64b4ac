//! `POST /Bulk` through the released binary, on both stores (RFC 7644 §3.7, scim.md §6.5): references in every place and
//! direction, what one operation's error does to the others, and that each is the same as a request of its own.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::caller::{Caller, ENTERPRISE_URN, assert_refused, group, on_both_gateways, patch, user, version};
use crate::support::gateway::{Answer, Gateway};
use crate::support::rows::Database;

const RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

pub fn bulk(operations: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations})
}

pub fn post(path: &str, bulk_id: &str, data: Value) -> Value {
    json!({"method": "POST", "path": path, "bulkId": bulk_id, "data": data})
}

/// The operations of an answer that took the request.
pub fn operations(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["schemas"], json!([RESPONSE_URN]));
    body["Operations"].as_array().expect("operations").clone()
}

pub async fn run(caller: &Caller, asked: Value) -> Vec<Value> {
    operations(&caller.send("POST", "/Bulk", Some(&bulk(asked))).await)
}

pub fn statuses(done: &[Value]) -> Vec<&str> {
    done.iter().map(|operation| operation["status"].as_str().expect("a text")).collect()
}

/// The last part of an operation's `location`.
fn id(operation: &Value) -> String {
    let location = operation["location"].as_str().unwrap_or_else(|| panic!("no location: {operation}"));
    location.rsplit('/').next().expect("an id").to_owned()
}

fn with_manager(name: &str, manager: &str) -> Value {
    let mut body = user(name);
    body[ENTERPRISE_URN] = json!({"manager": {"value": manager}, "department": "D"});
    body
}

async fn manager_of(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/Users/{id}")).await.json()[ENTERPRISE_URN]["manager"]["value"].clone()
}

async fn members_of(caller: &Caller, id: &str) -> Vec<String> {
    let members = caller.get(&format!("/Groups/{id}")).await.json()["members"].clone();
    let values = members.as_array().into_iter().flatten().map(|member| member["value"].as_str().expect("an id").to_owned());
    let mut values: Vec<String> = values.collect();
    values.sort();
    values
}

on_both_gateways! {
    async fn every_verb_on_users_and_groups_in_one_request_answers_like_requests_of_their_own(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (kept, gone) = (caller.create("Users", &user("kept")).await, caller.create("Users", &user("gone")).await);
        let team = caller.create("Groups", &group("Team", &[&gone])).await;
        let done = run(&caller, json!([
            post("/Users", "new", user("new")),
            {"method": "PUT", "path": format!("/Users/{kept}"), "data": user("kept-renamed")},
            {"method": "PATCH", "path": format!("/Users/{kept}"), "data": patch(json!([{"op": "add", "path": "title", "value": "T"}]))},
            {"method": "DELETE", "path": format!("/Users/{gone}")},
            post("/Groups", "group", group("New", &[])),
            {"method": "PATCH", "path": format!("/Groups/{team}"), "data": patch(json!([{"op": "add", "path": "members", "value": [{"value": kept}]}]))},
            {"method": "PUT", "path": format!("/Groups/{team}"), "bulkId": "mine", "data": group("Team 2", &[&kept])},
        ])).await;
        assert_eq!(statuses(&done), ["201", "200", "200", "204", "201", "200", "200"], "{done:?}");
        assert!(done.iter().all(|operation| operation.get("response").is_none()), "only refusals have a body: {done:?}");
        assert_eq!((&done[0]["method"], &done[0]["bulkId"], &done[6]["bulkId"]), (&json!("POST"), &json!("new"), &json!("mine")));
        for (operation, resources) in done.iter().zip(["Users", "Users", "Users", "Users", "Groups", "Groups", "Groups"]) {
            let expected = format!("{}/{resources}/{}", gateway.scim_url("scim"), id(operation));
            assert_eq!(operation["location"], expected.as_str());
            let now = caller.get(&format!("/{resources}/{}", id(operation))).await;
            assert_eq!(now.status, if operation["status"] == "204" { 404 } else { 200 });
        }
        let read = caller.get(&format!("/Users/{kept}")).await;
        assert_eq!((&read.json()["userName"], &read.json()["title"]), (&json!("kept-renamed"), &json!("T")));
        assert_eq!(done[2]["version"], read.json()["meta"]["version"], "the version after the operation");
        assert_eq!(members_of(&caller, &team).await, [kept]);
        let mut database = Database::open(gateway.database_url()).await;
        let logged = database.rows("SELECT kind FROM log WHERE kind LIKE 'scim.%' AND outcome = 'ok'").await;
        assert_eq!(logged.len(), 3 + 7, "each operation has its log row: {logged:?}");
    }

    async fn references_resolve_in_members_refs_paths_patch_values_and_filters(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let done = run(&caller, json!([
            // Listed before what it refers to.
            post("/Groups", "g", json!({"displayName": "G", "members": [
                {"value": "bulkId:a", "$ref": "../Users/bulkId:a"}, {"value": "bulkId:inner", "type": "Group"}]})),
            post("/Users", "a", with_manager("a", "bulkId:b")),
            post("/Users", "b", user("b")),
            post("/Users", "c", user("c")),
            post("/Groups", "inner", group("Inner", &["bulkId:b"])),
            {"method": "PATCH", "path": "/Groups/bulkId:g", "data": patch(json!([
                {"op": "add", "path": "members", "value": [{"value": "bulkId:c"}]},
                {"op": "remove", "path": "members[value eq \"bulkId:a\"]"}]))},
            {"method": "PATCH", "path": "Users/bulkId:c", "data": patch(json!([
                {"op": "add", "path": format!("{ENTERPRISE_URN}:manager"), "value": {"value": "bulkId:a"}}]))},
            {"method": "PUT", "path": format!("{}/Users/bulkId:b", gateway.scim_url("scim")), "data": with_manager("b", "bulkId:c")},
        ])).await;
        assert_eq!(statuses(&done), ["201", "201", "201", "201", "201", "200", "200", "200"], "{done:?}");
        let ids: Vec<String> = done.iter().map(id).collect();
        let [g, a, b, c, inner, ..] = ids.as_slice() else { panic!("eight operations") };
        assert_eq!((&ids[5], &ids[6], &ids[7]), (g, c, b), "an operation's location is that of what it worked on");
        let mut expected = [c.clone(), inner.clone()];
        expected.sort();
        assert_eq!(members_of(&caller, g).await, expected);
        assert_eq!(members_of(&caller, inner).await, std::slice::from_ref(b));
        assert_eq!((manager_of(&caller, a).await, manager_of(&caller, c).await), (json!(b), json!(a)));
        assert_eq!(manager_of(&caller, b).await, json!(c));
        let read = caller.get(&format!("/Groups/{g}")).await.json();
        assert_eq!(done[5]["version"], read["meta"]["version"], "{done:?}");
    }

    async fn users_who_manage_each_other_are_created_whole(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut own = with_manager("own", "bulkId:own");
        own[ENTERPRISE_URN] = json!({"manager": "bulkId:own"});
        let done = run(&caller, json!([
            post("/Users", "a", with_manager("a", "bulkId:b")),
            post("/Users", "b", with_manager("b", "bulkId:c")),
            post("/Users", "c", with_manager("c", "bulkId:a")),
            post("/Users", "own", own),
            post("/Groups", "g", group("Circle", &["bulkId:b"])),
        ])).await;
        assert_eq!(statuses(&done), ["201"; 5], "{done:?}");
        for (index, manager) in [(0, 1), (1, 2), (2, 0), (3, 3)] {
            let read = caller.get(&format!("/Users/{}", id(&done[index]))).await.json();
            let said = &read[ENTERPRISE_URN];
            assert_eq!(said["manager"]["value"], id(&done[manager]).as_str(), "{read}");
            assert!(index == 3 || said["department"] == "D", "what was sent beside it is kept: {read}");
            assert_eq!(done[index]["version"], read["meta"]["version"], "one visible result");
        }
    }

    async fn what_cannot_be_resolved_fails_alone_and_the_others_go_on(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let done = run(&caller, json!([
            post("/Groups", "g1", group("One", &["bulkId:g2"])),
            post("/Groups", "g2", group("Two", &["bulkId:g1"])),
            post("/Groups", "self", group("Self", &["bulkId:self"])),
            post("/Groups", "outside", group("Outside", &["bulkId:g1"])),
            post("/Users", "broken", json!({"displayName": "no userName"})),
            post("/Groups", "of-broken", group("Of broken", &["bulkId:broken"])),
            {"method": "DELETE", "path": "/Users/bulkId:broken"},
            post("/Users", "unknown", with_manager("unknown", "bulkId:nobody")),
            {"method": "PATCH", "path": "/Users/bulkId:nobody", "data": patch(json!([{"op": "remove", "path": "title"}]))},
            post("/Users", "fine", user("fine")),
        ])).await;
        assert_eq!(statuses(&done), ["409", "409", "409", "409", "400", "409", "409", "400", "400", "201"], "{done:#?}");
        for refused in &done[..9] {
            let status = &refused["status"];
            assert_eq!((&refused["response"]["status"], &refused["response"]["schemas"][0]),
                (status, &json!("urn:ietf:params:scim:api:messages:2.0:Error")), "{refused}");
            assert!(refused.get("location").is_none(), "nothing was made: {refused}");
        }
        for unknown in [&done[4], &done[7], &done[8]] {
            assert_eq!(unknown["response"]["scimType"], "invalidValue", "{unknown}");
        }
        let left = caller.get("/").await.json();
        assert_eq!((&left["totalResults"], &left["Resources"][0]["userName"]), (&json!(1), &json!("fine")));
    }

    async fn a_circle_with_a_member_that_fails_says_so_and_hides_nothing(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        caller.create("Users", &user("taken")).await;
        let done = run(&caller, json!([
            post("/Users", "a", with_manager("a", "bulkId:b")),
            post("/Users", "b", with_manager("taken", "bulkId:a")),
        ])).await;
        assert_eq!(statuses(&done), ["409", "409"], "{done:?}");
        assert_eq!(done[1]["response"]["scimType"], "uniqueness");
        assert!(done[0]["response"]["detail"].as_str().is_some_and(|detail| detail.starts_with("created, but without")), "{done:?}");
        let read = caller.get(&format!("/Users/{}", id(&done[0]))).await.json();
        assert_eq!((&read["userName"], &read["meta"]["version"]), (&json!("a"), &done[0]["version"]), "it is told where it is");
    }

    async fn fail_on_errors_stops_after_so_many_and_lists_only_what_ran(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let bad = |name: &str| post("/Users", name, json!({"displayName": name}));
        let asked = json!([post("/Users", "a", user("a")), bad("x"), post("/Users", "b", user("b")), bad("y"), post("/Users", "c", user("c"))]);
        for (accepted, expected) in [(1, vec!["201", "400"]), (2, vec!["409", "400"]), (3, vec!["409", "400", "201", "400"])] {
            let mut body = bulk(asked.clone());
            body["failOnErrors"] = accepted.into();
            let done = operations(&caller.send("POST", "/Bulk", Some(&body)).await);
            assert_eq!(statuses(&done), expected, "failOnErrors {accepted}: {done:?}");
        }
        assert_eq!(caller.get("/Users?count=0").await.json()["totalResults"], 2, "what was done stays");
        for wrong in [json!(0), json!(-1), json!("2")] {
            let mut body = bulk(asked.clone());
            body["failOnErrors"] = wrong;
            assert_refused(&caller.send("POST", "/Bulk", Some(&body)).await, 400, Some("invalidValue"));
        }
    }

    async fn a_version_acts_as_if_match(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let created = caller.create("Users", &user("versioned")).await;
        let path = format!("/Users/{created}");
        let title = |value: &str| patch(json!([{"op": "replace", "path": "title", "value": value}]));
        let tag = caller.get(&path).await.json()["meta"]["version"].clone();
        let done = run(&caller, json!([
            {"method": "PATCH", "path": path, "version": tag, "data": title("first")},
            {"method": "PATCH", "path": path, "version": tag, "data": title("second")},
            {"method": "PUT", "path": path, "version": "W/\"99\"", "data": user("versioned")},
            {"method": "DELETE", "path": path, "version": tag},
            {"method": "DELETE", "path": path, "version": "three"},
        ])).await;
        assert_eq!(statuses(&done), ["200", "412", "412", "412", "400"], "{done:?}");
        assert_eq!(done[1]["location"], done[0]["location"], "a refused change names its resource");
        assert_eq!(version(done[0]["version"].as_str().expect("a tag")), version(tag.as_str().expect("a tag")) + 1);
        let last = json!([{"method": "DELETE", "path": path, "version": done[0]["version"]}]);
        assert_eq!(statuses(&run(&caller, last).await), ["204"]);
    }

    async fn paths_that_are_no_user_or_group_are_refused_one_by_one(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let there = caller.create("Users", &user("there")).await;
        let delete = |path: &str| json!({"method": "DELETE", "path": path});
        let done = run(&caller, json!([
            delete("/Nothing/1"), delete("/Users"), delete("/Schemas/x"), delete("/Me"), delete("/Bulk"),
            delete(&format!("https://elsewhere.example/scim/v2/connections/scim/Users/{there}")),
            delete(&format!("{}/Users/{there}", gateway.scim_url("other"))),
            post(&format!("/Users/{there}"), "x", user("x")), post("/Users/.search", "y", user("y")),
            {"method": "GET", "path": format!("/Users/{there}")},
            delete(&format!("{}/Users/{there}", gateway.scim_url(gateway.bootstrapped("connection_id")))),
        ])).await;
        assert_eq!(statuses(&done), ["404", "405", "400", "400", "400", "404", "404", "405", "400", "400", "204"], "{done:#?}");
    }

    async fn scopes_are_asked_for_each_operation(store) {
        let gateway = Gateway::start(store).await;
        let all = Caller::new(&gateway);
        let (there, team) = (all.create("Users", &user("there")).await, all.create("Groups", &group("Team", &[])).await);
        let printed = gateway.cli(&["token", "create", "--connection", "scim", "--scopes", "post:users,delete:groups", "--json"]);
        let token = serde_json::from_str::<Value>(&printed).expect("JSON")["token"].as_str().expect("a token").to_owned();
        let some = Caller::of(&gateway, "scim", &token);
        let done = run(&some, json!([
            post("/Users", "a", with_manager("a", "bulkId:b")),
            post("/Users", "b", with_manager("b", "bulkId:a")),
            post("/Groups", "g", group("G", &["bulkId:a"])),
            {"method": "PUT", "path": "/Users/bulkId:a", "data": user("a")},
            {"method": "DELETE", "path": format!("/Users/{there}")},
            {"method": "DELETE", "path": format!("/Groups/{team}")},
        ])).await;
        assert_eq!(statuses(&done), ["201", "201", "403", "403", "403", "204"], "{done:?}");
        assert_eq!(manager_of(&all, &id(&done[0])).await, json!(id(&done[1])), "filling in is part of creating");
    }

    async fn the_connections_options_hold_for_each_operation(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("strict", &[("strict".into(), "true".into()), ("require_if_match".into(), "true".into()),
            ("budget".into(), "1,0%".into())]);
        let caller = Caller::of(&gateway, "strict", &token);
        let mut unknown = user("unknown");
        unknown["favouriteColour"] = "green".into();
        let done = run(&caller, json!([
            post("/Users", "a", user("a")), post("/Users", "b", user("b")), post("/Users", "c", unknown),
            {"method": "DELETE", "path": "/Users/bulkId:a"},
            {"method": "DELETE", "path": "/Users/bulkId:a", "version": "*"},
            {"method": "DELETE", "path": "/Users/bulkId:b", "version": "*"},
        ])).await;
        assert_eq!(statuses(&done), ["201", "201", "400", "428", "204", "429"], "{done:#?}");
        assert_eq!(done[2]["response"]["scimType"], "invalidSyntax");
        assert!(gateway.cli(&["runs", "list"]).contains("held"), "over the budget it is held as ever");
    }

    async fn each_operation_takes_from_the_rate(store) {
        let settings = [("limits.token_requests_per_second", "1"), ("limits.token_burst", "4")];
        let gateway = Gateway::start_with(store, &settings).await;
        let asked = (0..6).map(|n| post("/Users", &n.to_string(), user(&format!("u{n}")))).collect();
        let done = run(&Caller::new(&gateway), asked).await;
        // The request itself took one of four; while it runs a fraction comes back.
        let taken = done.iter().filter(|operation| operation["status"] == "201").count();
        assert!((3..=4).contains(&taken) && done.last().expect("six")["status"] == "429", "{done:?}");
    }

    async fn the_settings_are_what_discovery_says_and_what_holds(store) {
        let gateway = Gateway::start_with(store, &[("scim.bulk_operations_max", "2"), ("scim.bulk_bytes_max", "2000")]).await;
        let caller = Caller::new(&gateway);
        let told = caller.get("/ServiceProviderConfig").await.json()["bulk"].clone();
        assert_eq!(told, json!({"supported": true, "maxOperations": 2, "maxPayloadSize": 2000}));
        let asked = |count: usize| bulk((0..count).map(|n| post("/Users", &n.to_string(), user(&format!("u{n}")))).collect());
        let refused = caller.send("POST", "/Bulk", Some(&asked(3))).await;
        assert_refused(&refused, 413, None);
        assert!(refused.text.contains("at most 2 operations"), "{}", refused.text);
        let mut large = asked(2).to_string();
        large.push_str(&" ".repeat(2000 - large.len()));
        let headers = [("content-type", "application/scim+json")];
        let over = caller.try_send("POST", "/Bulk", &headers, Some(format!("{large} ").into_bytes())).await.expect("an answer");
        assert_refused(&over, 413, None);
        assert!(over.text.contains("2000 bytes"), "{}", over.text);
        assert_eq!(caller.get("/Users?count=0").await.json()["totalResults"], 0, "nothing ran");
        let taken = caller.try_send("POST", "/Bulk", &headers, Some(large.into_bytes())).await.expect("an answer");
        assert_eq!(statuses(&operations(&taken)), ["201", "201"]);
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let answer = caller.send(method, "/Bulk", None).await;
            assert_refused(&answer, 405, None);
            assert_eq!(answer.header("allow"), Some("POST"));
        }
        let plain = caller.try_send("POST", "/Bulk", &[("content-type", "text/plain")], Some(b"{}".to_vec())).await.expect("an answer");
        assert_refused(&plain, 415, None);
    }

    async fn switched_off_it_is_501_and_discovery_says_so(store) {
        let gateway = Gateway::start_with(store, &[("scim.bulk_operations_max", "0")]).await;
        let caller = Caller::new(&gateway);
        let told = caller.get("/ServiceProviderConfig").await.json()["bulk"].clone();
        assert_eq!(told, json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0}));
        for method in ["GET", "POST"] {
            let body = bulk(json!([post("/Users", "a", user("a"))]));
            assert_refused(&caller.send(method, "/Bulk", (method == "POST").then_some(&body)).await, 501, None);
        }
    }

    async fn a_body_is_at_most_what_bodies_may_be(store) {
        let gateway = Gateway::start_with(store, &[("server.body_bytes_max", "5000")]).await;
        assert_eq!(Caller::new(&gateway).get("/ServiceProviderConfig").await.json()["bulk"]["maxPayloadSize"], 5000);
    }

    async fn a_client_that_goes_away_ends_the_run(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let asked = bulk((0..1000).map(|n| post("/Users", &n.to_string(), user(&format!("u{n}")))).collect()).to_string();
        let address = gateway.base_url().strip_prefix("http://").expect("plain").to_owned();
        let mut stream = TcpStream::connect(&address).await.expect("connects");
        let head = format!(
            "POST /scim/v2/connections/scim/Bulk HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             content-type: application/scim+json\r\ncontent-length: {}\r\n\r\n", gateway.token(), asked.len());
        stream.write_all(format!("{head}{asked}").as_bytes()).await.expect("sent");
        let total = async || caller.get("/Users?count=0").await.json()["totalResults"].as_i64().expect("a number");
        let began = std::time::Instant::now();
        while total().await == 0 {
            assert!(began.elapsed().as_secs() < 10, "nothing runs");
        }
        drop(stream);
        // Stopped: the same for half a second, while a run makes one every few milliseconds.
        let (mut last, mut since) = (total().await, std::time::Instant::now());
        while since.elapsed().as_millis() < 500 {
            assert!(began.elapsed().as_secs() < 60, "it goes on");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            let now = total().await;
            if now != last {
                (last, since) = (now, std::time::Instant::now());
            }
        }
        assert!(last < 1000, "all {last} were made for nobody");
    }
}
