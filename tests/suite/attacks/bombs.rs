//! Requests made to be expensive: filters, bodies and pages out of all proportion. Each is refused within its limit, in
//! bounded time, and the gateway goes on answering others.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::World;
use crate::support::caller::{Caller, ENTERPRISE_URN, assert_refused, encoded, group, on_both_gateways, patch, user};
use crate::support::rows::Database;

/// More than this and a refusal counts as work. Generous: tests share the machine.
const PROMPT: Duration = Duration::from_secs(2);

/// Filters over a limit of scim.md §3.
fn filters() -> Vec<(&'static str, String)> {
    vec![
        ("length", format!("userName eq \"{}\"", "x".repeat(5_000))),
        ("depth", format!("{}userName pr{}", "(".repeat(21), ")".repeat(21))),
        ("depth that would overflow a stack", format!("{}userName pr{}", "(".repeat(2_000), ")".repeat(2_000))),
        ("depth of not", format!("{}userName pr{}", "not (".repeat(600), ")".repeat(600))),
        ("unclosed depth", "(".repeat(4_000)),
        ("comparisons", ["userName eq \"a\""; 51].join(" or ")),
        ("presence terms", ["title pr"; 51].join(" and ")),
        ("value paths", ["emails[type eq \"work\"]"; 11].join(" or ")),
        ("comparisons in a value path", format!("emails[{}]", ["type eq \"a\""; 51].join(" or "))),
    ]
}

/// An object inside an object, and so on.
fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

/// People `p{first}` to `p{last}` with an address each and one they share, past the gateway.
async fn people(world: &World, first: i64, last: i64) {
    let connection = world.gateway.bootstrapped("connection_id");
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})");
    let id = "'01900000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2)";
    let identities = format!(
        "{numbers} INSERT INTO identities (tenant_id, id, connection_id, user_name, user_name_key, label, state, listed, active, raw, \
         last_source, first_seen, last_seen, created_at, updated_at) SELECT 'default', {id}, '{connection}', 'p' || i, 'p' || i, 'p' || i, \
         'active', TRUE, TRUE, '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"p' || i || '\",\"active\":true,\
         \"emails\":[{{\"value\":\"p' || i || '@x\"}},{{\"value\":\"all@x\"}}]}}', 'push', 1, 1, 1, 1 FROM n"
    );
    let values = |value: &str| {
        format!(
            "{numbers} INSERT INTO identity_values (tenant_id, connection_id, attribute, value_key, identity_id) \
             SELECT 'default', '{connection}', 'emails.value', {value}, {id} FROM n"
        )
    };
    for sql in [identities, values("'p' || i || '@x'"), values("'all@x'")] {
        Database::change(world.gateway.database_url(), &sql).await;
    }
}

on_both_gateways! {
    async fn filters_over_every_limit(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("found")).await;
        for (limit, filter) in filters() {
            for resources in ["Users", "Groups"] {
                if resources == "Groups" && filter.contains("emails") {
                    continue;
                }
                let filter = if resources == "Groups" { filter.replace("userName", "displayName").replace("title", "externalId") } else { filter.clone() };
                let by_url = world.ours.get(&format!("/{resources}?filter={}", encoded(&filter))).await;
                let by_search = world.ours.send("POST", &format!("/{resources}/.search"), Some(&json!({"filter": filter}))).await;
                for answer in [by_url, by_search] {
                    assert_refused(&answer, 400, Some("invalidFilter"));
                    assert!(answer.took < PROMPT, "{limit}: {:?}", answer.took);
                    assert!(answer.text.len() < 1_000, "{limit}: the refusal does not send the filter back");
                }
            }
            let path = format!("emails[{filter}].value").replace("userName", "value").replace("title", "type");
            let patched = world.ours.patch(&format!("/Users/{id}"), json!([{"op": "replace", "path": path, "value": "x"}])).await;
            assert_eq!(patched.status, 400, "{limit}: {}", patched.text);
            assert!(patched.took < PROMPT, "{limit}: {:?}", patched.took);
        }
        let at_the_limit = vec!["userName eq \"found\""; 50].join(" or ");
        assert_eq!(world.ours.find("Users", &at_the_limit).await.json()["totalResults"], 1, "the limit itself is served");
    }

    async fn a_walk_over_everybody(store) {
        let world = World::with(store, &[("scim.filter_scan_max", "100")]).await;
        for number in 0..101 {
            world.ours.create("Users", &user(&format!("walked-{number}"))).await;
        }
        let answer = world.ours.find("Users", "title co \"e\" or nickName ew \"x\"").await;
        assert_refused(&answer, 400, Some("tooMany"));
        let narrowed = world.ours.find("Users", "userName eq \"walked-7\" and not (title co \"e\")").await;
        assert_eq!(narrowed.json()["totalResults"], 1, "what an index narrows is answered");
    }

    /// What the database decides by itself is bounded as what documents decide: at the bound it is answered, one past it not.
    async fn walks_that_the_database_would_make_by_itself(store) {
        let world = World::with(store, &[("scim.filter_scan_max", "100")]).await;
        let walks = [
            ("userName co \"7\"", 19), ("userName ew \"7\"", 10), ("emails co \"7@\"", 10), ("emails.value ew \"@x\"", 100),
            ("userName ne \"p1\"", 99), ("not (userName sw \"p1\")", 88), ("userName pr", 100), ("not (emails pr)", 0), ("active ne true", 0),
            ("userName gt \"p9\"", 10), ("emails.value le \"a\"", 0), ("meta.lastModified lt \"2020-01-01T00:00:00Z\"", 100), ("id co \"zz\"", 0),
            ("userName co \"7\" or title pr", 19), ("emails co \"7@\" and not (title pr)", 10), ("userName eq \"p1\" or emails co \"7@\"", 11),
        ];
        let served = [
            ("userName eq \"P7\"", 1), ("userName eq \"p7\" and emails co \"7\"", 1), ("emails.value eq \"p7@x\" and not (active eq false)", 1),
            ("userName eq \"p7\" or emails.value eq \"p8@x\"", 2), ("userName sw \"p7\" and userName ew \"7\"", 2), ("userName sw \"p99\"", 1),
            ("userName eq \"p7\" and (emails co \"8\" or title pr)", 0),
        ];
        people(&world, 1, 100).await;
        for (filter, total) in walks.into_iter().chain(served) {
            let answer = world.ours.find("Users", filter).await.json();
            assert_eq!(answer["totalResults"], total, "{filter}: {answer}");
        }
        people(&world, 101, 101).await;
        for (filter, _) in walks {
            for asked in ["", "&count=0", "&startIndex=90&count=2", "&sortBy=userName", "&sortBy=title"] {
                let answer = world.ours.get(&format!("/Users?filter={}{asked}", encoded(filter))).await;
                assert_refused(&answer, 400, Some("tooMany"));
            }
            let by_cursor = world.ours.get(&format!("/Users?filter={}&cursor", encoded(filter))).await;
            assert_eq!(by_cursor.status, 200, "page by page it goes on: {filter}: {}", by_cursor.text);
        }
        for (filter, total) in served {
            assert_eq!(world.ours.find("Users", filter).await.json()["totalResults"], total, "{filter}");
        }
    }

    /// Ten entries of an index are what one row is: so many may begin with a text, or have one value.
    async fn more_of_an_index_than_a_filter_may_collect(store) {
        let world = World::with(store, &[("scim.filter_scan_max", "100")]).await;
        let ranges = [
            "userName sw \"p\"", "emails.value eq \"all@x\"", "emails.value sw \"all\" and active eq true",
            "emails.value eq \"all@x\" or userName eq \"nobody\"",
        ];
        people(&world, 1, 1_000).await;
        for filter in ranges {
            let answer = world.ours.find("Users", filter).await.json();
            assert_eq!(answer["totalResults"], 1_000, "{filter}: {answer}");
        }
        people(&world, 1_001, 1_001).await;
        for filter in ranges {
            for asked in ["", "&count=0", "&cursor", "&sortBy=userName", "&sortBy=title", "&startIndex=1001"] {
                let answer = world.ours.get(&format!("/Users?filter={}{asked}", encoded(filter))).await;
                assert_refused(&answer, 400, Some("tooMany"));
            }
        }
        assert_eq!(world.ours.find("Users", "userName sw \"p1\"").await.json()["totalResults"], 113);
        assert_eq!(world.ours.find("Users", "emails.value eq \"all@x\" and userName eq \"p3\"").await.json()["totalResults"], 1);
    }

    async fn bodies_over_every_limit(store) {
        let world = World::with(store, &[("server.body_bytes_max", "1048576")]).await;
        let id = world.ours.create("Users", &user("kept")).await;
        let before = world.rows_of("default").await;
        let with = |name: &str, value: Value| {
            let mut body = user("bomb");
            body[name] = value;
            body.to_string()
        };
        let emails = |count: usize| (0..count).map(|n| json!({"value": format!("a{n}@b"), "type": format!("t{n}")})).collect::<Value>();
        let many_keys: String = (0..1_001).map(|n| format!("\"k{n}\":1,")).collect();
        let values = format!("{{\"schemas\":[{}1]}}", "1,".repeat(60_000));
        // Sent whole before anything is read, as most clients do: they find the answer all the same.
        let too_large = with("title", "x".repeat(5_000_000).into());
        let bodies = [
            ("size", too_large, 413, None),
            ("depth", nested(33), 400, Some("invalidSyntax")),
            ("depth that would overflow a stack", nested(150_000), 400, Some("invalidSyntax")),
            ("unclosed depth", "[".repeat(1_000_000), 400, Some("invalidSyntax")),
            ("keys", format!("{{{many_keys}\"k\":1}}"), 400, Some("invalidSyntax")),
            ("values", values, 400, Some("invalidSyntax")),
            ("string", with("title", "x".repeat(1_025).into()), 400, Some("invalidValue")),
            ("long string", with("title", "x".repeat(1_000_000).into()), 400, Some("invalidValue")),
            ("password", with("password", "x".repeat(4_097).into()), 400, Some("invalidValue")),
            ("extension", with(ENTERPRISE_URN, json!({"department": "x".repeat(1_025)})), 400, Some("invalidValue")),
            ("elements", with("emails", emails(1_001)), 400, Some("invalidValue")),
            ("digits of a number", format!("{{\"userName\":\"a\",\"active\":{}}}", "9".repeat(100_000)), 400, None),
        ];
        for (limit, body, status, scim_type) in bodies {
            for (method, path) in [("POST", "/Users".to_owned()), ("PUT", format!("/Users/{id}")), ("PATCH", format!("/Users/{id}"))] {
                let headers = [("content-type", "application/scim+json")];
                let answer = world.ours.try_send(method, &path, &headers, Some(body.clone().into_bytes())).await.expect("an answer");
                assert!(answer.took < PROMPT, "{method} {limit}: {:?}", answer.took);
                assert_eq!(answer.status, status, "{method} {limit}: {}", answer.text);
                if method != "PATCH" && (scim_type.is_some() || status == 413) {
                    assert_refused(&answer, status, scim_type);
                }
            }
        }
        assert_eq!(before, world.rows_of("default").await, "nothing was stored");
    }

    async fn patches_over_every_limit(store) {
        let world = World::new(store).await;
        let mut body = user("patched");
        body["emails"] = (0..1_000).map(|n| json!({"value": format!("a{n}@b"), "type": format!("t{n}")})).collect();
        let id = world.ours.create("Users", &body).await;
        let before = world.rows_of("default").await;
        let replace = |path: &str| json!({"op": "replace", "path": path, "value": "x"});
        let keys: serde_json::Map<String, Value> = (0..999).map(|n| (format!("unknown{n}"), json!(1))).collect();
        let one_more = json!([{"op": "add", "path": "emails", "value": [{"value": "one@more", "type": "more"}]}]);
        let filtered: Vec<Value> = (0..1_000).map(|n| replace(&format!("emails[value co \"b\" and type co \"t{}\"].display", n % 10))).collect();
        let cases = [
            ("operations", Value::from(vec![replace("title"); 1_001]), 400, Some("invalidValue")),
            ("keys of path-less values", json!([{"op": "add", "value": keys}, {"op": "add", "value": {"a1": 1, "a2": 2}}]), 400, Some("invalidValue")),
            ("elements", one_more, 400, Some("invalidValue")),
            ("operations times elements", Value::from(filtered), 400, Some("tooMany")),
            ("length of a path", json!([replace(&"x".repeat(100_000))]), 400, Some("invalidPath")),
        ];
        for (limit, operations, status, scim_type) in cases {
            let answer = world.ours.patch(&format!("/Users/{id}"), operations).await;
            assert_eq!(answer.status, status, "{limit}: {}", answer.text);
            assert_refused(&answer, status, scim_type);
            assert!(answer.took < PROMPT * 2, "{limit}: {:?}", answer.took);
            assert!(answer.text.len() < 1_000, "{limit}");
        }
        assert_eq!(before, world.rows_of("default").await, "nothing was stored");
    }

    /// A resource can't grow without end by one small request after the other.
    async fn growing_a_resource_step_by_step(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("growing")).await;
        let mut refused = None;
        for step in 0..40 {
            let elements: Vec<Value> = (0..20)
                .map(|n| json!({"value": format!("https://p.example/{step}-{n}/{}", "x".repeat(7_000)), "type": format!("{step}-{n}")}))
                .collect();
            let answer = world.ours.patch(&format!("/Users/{id}"), json!([{"op": "add", "path": "photos", "value": elements}])).await;
            if answer.status != 200 {
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.expect("5.6 MB in one user were taken");
        assert!([400, 413].contains(&refused.status), "{}", refused.text);
        let read = world.ours.get(&format!("/Users/{id}?excludedAttributes=groups")).await;
        assert_eq!(read.status, 200);
        assert!(read.text.len() < 2 << 20, "{} bytes", read.text.len());
    }

    async fn pages_out_of_all_proportion(store) {
        let world = World::new(store).await;
        for number in 0..3 {
            world.ours.create("Users", &user(&format!("paged-{number}"))).await;
        }
        for (query, shown, start) in [
            ("count=1000000000", 3, 1),
            ("count=999999999999999999999999999999", 3, 1),
            ("count=-1", 0, 1),
            ("count=-999999999999999999999999999999", 0, 1),
            ("count=0", 0, 1),
            ("count=2", 2, 1),
            ("startIndex=-5", 3, 1),
            ("startIndex=0", 3, 1),
            ("startIndex=3&count=1000000000", 1, 3),
            ("startIndex=1000000000000000000", 0, 1_000_000_000_000_000_000),
            ("startIndex=9223372036854775807&count=9223372036854775807", 0, i64::MAX),
            ("startIndex=999999999999999999999999999999", 0, i64::MAX),
        ] {
            for query in [query.to_owned(), format!("{query}&filter=userName%20sw%20%22paged%22"), format!("{query}&filter=title%20eq%20null")] {
                let answer = world.ours.get(&format!("/Users?{query}")).await;
                assert_eq!(answer.status, 200, "{query}: {}", answer.text);
                let page = answer.json();
                assert_eq!(page["totalResults"], 3, "{query}");
                assert_eq!(page["itemsPerPage"], shown, "{query}");
                assert_eq!(page["Resources"].as_array().map(Vec::len), Some(shown), "{query}");
                assert_eq!(page["startIndex"], start, "{query}");
                assert!(answer.took < PROMPT, "{query}");
            }
        }
        for query in ["count=ten", "count=1.5", "startIndex=%00", "count=1e9", "startIndex=--1", "count=0x10"] {
            assert_refused(&world.ours.get(&format!("/Users?{query}")).await, 400, Some("invalidValue"));
        }
        let names = vec!["title"; 600].join(",");
        assert_refused(&world.ours.get(&format!("/Users?attributes={names}")).await, 400, Some("invalidValue"));
    }

    async fn members_over_the_limit_of_a_body(store) {
        let world = World::with(store, &[("server.body_bytes_max", "1048576")]).await;
        let strangers: Vec<String> = (0..20_000).map(|n| format!("01900000-0000-7000-8000-{n:012}")).collect();
        let ids: Vec<&str> = strangers.iter().map(String::as_str).collect();
        let answer = world.ours.send("POST", "/Groups", Some(&group("Strangers", &ids))).await;
        assert!([400, 413].contains(&answer.status), "{}", answer.text);
        assert!(answer.text.len() < 2_000, "not every unknown id is sent back");
        let answer = world.ours.send("POST", "/Groups", Some(&group("Strangers", &ids[..15_000]))).await;
        assert_refused(&answer, 400, Some("invalidValue"));
        assert!(answer.took < PROMPT * 2, "{:?}", answer.took);
    }
}

/// Sends the head of a POST and then what `body` says, piece by piece, and reads until the gateway answers or closes.
async fn streamed(caller_url: &str, token: &str, framing: &str, piece: &[u8], pieces: usize) -> (String, usize) {
    let (authority, path) = caller_url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = TcpStream::connect(authority).await.expect("the gateway listens");
    let head = format!(
        "POST /{path}/Users HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\ncontent-type: application/scim+json\r\n{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let (mut reading, mut writing) = stream.split();
    let mut answer = vec![];
    let mut sent = 0;
    let write = async {
        for _ in 0..pieces {
            if writing.write_all(piece).await.is_err() {
                break;
            }
            sent += piece.len();
        }
        // Left open: only the gateway can end this.
        std::future::pending::<()>().await;
    };
    let read = async {
        let mut buffer = [0_u8; 4_096];
        while !answer.ends_with(b"}") {
            match reading.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&buffer[..count]),
            }
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("no answer to a body without end"),
    }
    (String::from_utf8_lossy(&answer).into_owned(), sent)
}

on_both_gateways! {
    async fn a_body_without_end_is_refused_while_it_arrives(store) {
        let world = World::with(store, &[("server.body_bytes_max", "1048576")]).await;
        let (url, token) = (world.gateway.scim_url("scim"), world.gateway.token());
        // A length announced is refused before a byte of it is sent.
        let (answer, _) = streamed(&url, token, "content-length: 1000000000000", b"", 0).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("\"status\":\"413\""), "{answer}");
        // One that is not announced, as soon as it is over the limit: 1 GiB is on offer.
        let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        let (answer, sent) = streamed(&url, token, "transfer-encoding: chunked", &piece, 16_384).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(sent < 64 << 20, "{sent} bytes were taken");
        assert_eq!(Caller::new(&world.gateway).get("/Users?count=0").await.status, 200);
    }

    async fn a_body_that_does_not_arrive_is_given_up(store) {
        let world = World::with(store, &[("server.body_timeout_seconds", "1")]).await;
        let (url, token) = (world.gateway.scim_url("scim"), world.gateway.token());
        let (answer, _) = streamed(&url, token, "content-length: 100", b"{", 1).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"status\":\"408\""), "{answer}");
    }

    async fn a_patch_of_many_operations_costs_others_nothing(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("busy")).await;
        let operations: Vec<Value> = (0..1_000).map(|n| json!({"op": "add", "path": "emails", "value": [{"value": format!("{n}@x"), "type": format!("{n}")}]})).collect();
        let (caller, path) = (world.ours.clone(), format!("/Users/{id}"));
        let heavy = tokio::spawn(async move {
            for _ in 0..3 {
                caller.send("PATCH", &path, Some(&patch(json!(operations)))).await;
            }
        });
        while !heavy.is_finished() {
            let answer = world.ours.find("Users", "userName eq \"busy\"").await;
            assert_eq!(answer.status, 200);
            assert!(answer.took < PROMPT, "{:?}", answer.took);
        }
        heavy.await.expect("answered");
    }
}
