//! Getting at passwords and tokens: they are in no answer, no row, no file of the database and no line of the log.

use serde_json::{Value, json};

use super::{TABLES, World};
use crate::support::caller::{Caller, assert_refused, encoded, on_both_gateways, user};
use crate::support::gateway::Gateway;
use crate::support::rows::Database;

/// Recognisable wherever it turns up, and long enough not to be there by chance.
const PASSWORD: &str = "Swordfish-7f3a9c";

/// All that the database keeps: the bytes of the SQLite files, or every row of every table.
async fn everything_stored(gateway: &Gateway) -> Vec<u8> {
    if let Some(file) = gateway.database_url().strip_prefix("sqlite://") {
        let files = ["", "-wal", "-shm"].map(|end| std::fs::read(format!("{file}{end}")).unwrap_or_default());
        return files.concat();
    }
    let mut database = Database::open(gateway.database_url()).await;
    let mut all = vec![];
    for table in TABLES.into_iter().chain(["tokens", "counters", "leases", "run_items", "domains", "traffic"]) {
        for row in database.rows(&format!("SELECT * FROM {table}")).await {
            all.extend(Value::Object(row).to_string().into_bytes());
        }
    }
    all
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

/// All that the gateway printed: lines arrive a little after the answers, so up to the line of one last request.
async fn printed_to_the_end(world: &World) -> String {
    world.ours.send_with("GET", "/Users", &[("x-request-id", "the-last-one")], None).await;
    world.gateway.printed_with("the-last-one").await
}

/// Waits until all requests so far are in the recorded traffic, and gives it back as administrators see it: by the command
/// line, with bodies, and by the API.
async fn traffic_to_the_end(world: &World) -> Vec<String> {
    world.ours.send_with("GET", "/Users", &[("x-request-id", "last-of-the-traffic")], None).await;
    let began = std::time::Instant::now();
    loop {
        let printed = world.gateway.cli(&["connection", "traffic", "scim", "--json", "--limit", "1000"]);
        if printed.contains("last-of-the-traffic") {
            let table = world.gateway.cli(&["connection", "traffic", "scim", "--bodies", "--limit", "1000"]);
            let id = world.gateway.bootstrapped("connection_id");
            let url = format!("{}/api/v2/connections/{id}/traffic?take=100", world.gateway.base_url());
            let token = format!("Bearer {}", world.gateway.bootstrapped("admin_token"));
            let answer = world.gateway.send("GET", &url, &[("authorization".into(), token)], None).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text);
            return vec![printed, table, answer.text];
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "never recorded: {printed}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Writes a password in every way there is; each answer.
async fn passwords_sent(caller: &Caller) -> Vec<String> {
    let mut body = user("secretive");
    body["password"] = PASSWORD.into();
    let created = caller.send("POST", "/Users", Some(&body)).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
    let mut texts = vec![created.text];
    body["title"] = "changed".into();
    for (method, body) in [("PUT", &body), ("POST", &body)] {
        let to = if method == "PUT" { path.as_str() } else { "/Users" };
        texts.push(caller.send(method, to, Some(body)).await.text);
    }
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User:password";
    let twice = format!("{{\"userName\":\"a\",\"password\":\"{PASSWORD}\",\"PassWord\":\"{PASSWORD}\"}}");
    let broken = format!("{{\"userName\":\"a\",\"password\":\"{PASSWORD}");
    for operation in [
        json!({"op": "replace", "path": "password", "value": PASSWORD}),
        json!({"op": "add", "path": "PASSWORD", "value": PASSWORD}),
        json!({"op": "replace", "path": urn, "value": PASSWORD}),
        json!({"op": "replace", "value": {"password": PASSWORD, "title": "again"}}),
        json!({"op": "replace", "value": {urn: PASSWORD}}),
        json!({"op": "replace", "path": "password", "value": [PASSWORD]}),
        json!({"op": "replace", "path": "password", "value": {"value": PASSWORD}}),
        json!({"op": "replace", "path": "password", "value": PASSWORD.repeat(300)}),
        json!({"op": PASSWORD.to_lowercase(), "path": "password"}),
        json!({"op": "remove", "path": "password", "value": PASSWORD}),
    ] {
        // The last but one puts a secret where a word of the protocol belongs; a detail may quote that.
        let answer = caller.patch(&path, json!([operation])).await;
        if operation["op"] != PASSWORD.to_lowercase() {
            texts.push(answer.text);
        }
    }
    for (name, wrong) in
        [("password", json!([PASSWORD])), ("password", json!({"a": PASSWORD})), ("Password", json!(PASSWORD.repeat(300)))]
    {
        let mut body = user("refused");
        body[name] = wrong;
        texts.push(caller.send("POST", "/Users", Some(&body)).await.text);
    }
    for raw in [twice, broken] {
        let headers = [("content-type", "application/scim+json")];
        texts.push(caller.try_send("POST", "/Users", &headers, Some(raw.into_bytes())).await.expect("an answer").text);
    }
    for query in [
        "",
        "?attributes=password",
        "?attributes=userName,password",
        "?excludedAttributes=title",
        "?attributes=urn:ietf:params:scim:schemas:core:2.0:User:password",
    ] {
        texts.push(caller.get(&format!("{path}{query}")).await.text);
        texts.push(caller.get(&format!("/Users{query}")).await.text);
    }
    texts
}

on_both_gateways! {
    async fn looking_for_a_password_everywhere(store) {
        for format in ["text", "json"] {
            let world = World::with(store, &[("log.level", "trace"), ("log.format", format)]).await;
            for text in passwords_sent(&world.ours).await {
                assert!(!holds(text.as_bytes(), PASSWORD), "an answer: {text}");
                let shown = serde_json::from_str::<Value>(&text).unwrap_or_default();
                assert!(shown.get("password").is_none(), "an answer: {text}");
            }
            for filter in [format!("password eq \"{PASSWORD}\""), format!("userName eq \"a\" or PASSWORD sw {PASSWORD}")] {
                world.ours.get(&format!("/Users?filter={}", encoded(&filter))).await;
                world.ours.send("POST", "/Users/.search", Some(&json!({"filter": filter}))).await;
            }
            world.ours.get(&format!("/Users?access_token={PASSWORD}&{PASSWORD}")).await;
            for shown in traffic_to_the_end(&world).await {
                assert!(!holds(shown.as_bytes(), PASSWORD), "the traffic: {shown}");
            }
            assert!(!holds(&everything_stored(&world.gateway).await, PASSWORD), "the database");
            for command in [["users", "show", "secretive", "--json"], ["users", "why", "secretive", "--json"]] {
                let printed = world.gateway.run(&command);
                assert!(!holds(&printed.stdout, PASSWORD) && !holds(&printed.stderr, PASSWORD), "{command:?}");
            }
            let logged = printed_to_the_end(&world).await;
            assert!(!holds(logged.as_bytes(), PASSWORD), "the log");
        }
    }

    /// An attribute of a tenant's own that is never returned is a secret, whatever its name.
    async fn looking_for_what_an_extension_never_returns(store) {
        const URN: &str = "urn:example:hr:2.0:User";
        let world = World::with(store, &[("log.level", "trace")]).await;
        let schema = json!({"id": URN, "name": "Hr", "attributes": [
            {"name": "motto", "mutability": "writeOnly", "returned": "never"},
            {"name": "locker", "type": "complex", "subAttributes": [{"name": "door"}, {"name": "word", "returned": "never"}]},
            {"name": "boxes", "type": "complex", "multiValued": true, "returned": "never", "subAttributes": [{"name": "value"}]},
        ]});
        std::fs::write(world.gateway.folder().join("schema.json"), schema.to_string()).expect("a file");
        world.gateway.cli(&["schema", "create", "schema.json"]);
        let mut body = user("secretive");
        body[URN] = json!({"motto": PASSWORD, "locker": {"door": "7", "word": PASSWORD}, "boxes": [{"value": PASSWORD}]});
        let created = world.ours.send("POST", "/Users", Some(&body)).await;
        assert_eq!((created.status, &created.json()[URN]), (201, &json!({"locker": {"door": "7"}})), "{}", created.text);
        let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
        let mut texts = vec![created.text, world.ours.send("PUT", &path, Some(&body)).await.text];
        for operation in [
            json!({"op": "replace", "path": format!("{URN}:motto"), "value": PASSWORD}),
            json!({"op": "replace", "path": format!("{URN}:MOTTO"), "value": [PASSWORD]}),
            json!({"op": "replace", "path": URN, "value": {"motto": PASSWORD}}),
            json!({"op": "replace", "value": {format!("{URN}:motto"): PASSWORD}}),
            json!({"op": "add", "path": format!("{URN}:locker.word"), "value": PASSWORD}),
            json!({"op": "add", "path": format!("{URN}:locker"), "value": {"word": PASSWORD}}),
            json!({"op": "add", "path": format!("{URN}:boxes"), "value": [{"value": PASSWORD}]}),
            json!({"op": "remove", "path": format!("{URN}:boxes[value eq \"{PASSWORD}\"]")}),
        ] {
            texts.push(world.ours.patch(&path, json!([operation])).await.text);
        }
        for filter in [format!("{URN}:motto eq \"{PASSWORD}\""), format!("{URN}:boxes[value sw \"{PASSWORD}\"]")] {
            let refused = world.ours.get(&format!("/Users?filter={}", encoded(&filter))).await;
            assert_refused(&refused, 400, Some("invalidFilter"));
            texts.push(refused.text);
            texts.push(world.ours.send("POST", "/Users/.search", Some(&json!({"filter": filter}))).await.text);
        }
        texts.push(world.ours.get(&format!("{path}?attributes={URN}:motto,{URN}:boxes,{URN}:locker.word")).await.text);
        texts.extend(traffic_to_the_end(&world).await);
        texts.push(printed_to_the_end(&world).await);
        for text in texts {
            assert!(!holds(text.as_bytes(), PASSWORD), "{text}");
        }
        assert!(!holds(&everything_stored(&world.gateway).await, PASSWORD), "the database");
    }

    async fn looking_for_tokens_everywhere(store) {
        let world = World::with(store, &[("log.level", "trace")]).await;
        world.ours.create("Users", &user("anybody")).await;
        let tokens = [world.gateway.token(), world.gateway.bootstrapped("admin_token"), &world.theirs_token];
        let wrong = format!("{}x", world.gateway.token());
        let mut texts = vec![world.ours.get("/Users").await.text];
        texts.push(Caller::of(&world.gateway, "scim", &wrong).get("/Users").await.text);
        texts.push(Caller::of(&world.gateway, "scim", world.gateway.bootstrapped("admin_token")).get("/Users").await.text);
        texts.push(world.gateway.cli(&["token", "list", "--json"]));
        texts.push(world.gateway.cli(&["connection", "show", "scim", "--json"]));
        // Tokens where none belongs: in the query, the body, a client's name.
        let token = world.gateway.token().to_owned();
        world.ours.get(&format!("/Users?token={token}&{token}")).await;
        world.ours.send("POST", "/Users", Some(&json!({"userName": [token], "title": format!("Bearer {token}")}))).await;
        world.ours.send_with("GET", &format!("/Users?filter={}", encoded(&format!("userName eq \"{token}\""))), &[("user-agent", &token)], None).await;
        texts.extend(traffic_to_the_end(&world).await);
        texts.push(printed_to_the_end(&world).await);
        let stored = everything_stored(&world.gateway).await;
        for token in tokens {
            assert!(!holds(&stored, token), "the database");
            assert!(texts.iter().all(|text| !text.contains(token)), "an answer or the log");
        }
    }

    /// RFC 7643 §7 would allow it; it is an oracle for guessing.
    async fn guessing_a_password_by_filters(store) {
        let world = World::new(store).await;
        passwords_sent(&world.ours).await;
        for filter in [
            format!("password eq \"{PASSWORD}\""),
            "password sw \"S\"".to_owned(),
            "password pr".to_owned(),
            "PASSWORD pr".to_owned(),
            "urn:ietf:params:scim:schemas:core:2.0:User:password pr".to_owned(),
            format!("userName eq \"secretive\" and not (password eq \"{PASSWORD}\")"),
            "userName pr or password gt \"a\"".to_owned(),
        ] {
            for answer in [
                world.ours.get(&format!("/Users?filter={}", encoded(&filter))).await,
                world.ours.send("POST", "/Users/.search", Some(&json!({"filter": filter}))).await,
            ] {
                assert_refused(&answer, 400, Some("invalidFilter"));
                assert!(!holds(answer.text.as_bytes(), PASSWORD), "{}", answer.text);
            }
        }
        let sorted = world.ours.get("/Users?sortBy=password").await;
        assert!([200, 400].contains(&sorted.status));
        assert!(!holds(sorted.text.as_bytes(), PASSWORD));
    }
}
