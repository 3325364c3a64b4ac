//! Calling without a token, with the wrong one, with one that ended, and with one that may do less.

use std::time::{Duration, Instant};

use rosterd::clock::{Clock, SECOND, rfc3339};
use serde_json::json;

use super::{World, told};
use crate::support::caller::{Caller, assert_refused, group, on_both_gateways, user};

/// A token in the form of ours that nobody gave.
fn forged(genuine: &str) -> String {
    let (kept, _) = genuine.split_at(genuine.len() - 6);
    format!("{kept}AAAAAA")
}

on_both_gateways! {
    async fn probing_without_a_token_tells_nothing_of_what_exists(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("somebody")).await;
        let (known, token) = (format!("/Users/{id}"), forged(world.gateway.token()));
        let mut seen = vec![];
        for connection in ["scim", "sibling", "nothing", world.theirs_id.as_str()] {
            for path in ["/Users", &known, "/Users/nobody", "/Schemas", "/no/such/path", "/Users/%0d%0a", ""] {
                for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                    let answer = Caller::of(&world.gateway, connection, &token).send(method, path, None).await;
                    assert_refused(&answer, 401, None);
                    assert!(answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")));
                    seen.push(told(&answer, "nothing of it"));
                }
            }
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "one answer for all: {seen:#?}");
        let url = format!("{}/Users", world.gateway.scim_url("scim"));
        for header in [None, Some("Basic c2NpbTpzY2lt"), Some("Bearer"), Some("Bearer  "), Some(world.gateway.token())] {
            let headers: Vec<_> = header.map(|value| ("authorization".to_owned(), value.to_owned())).into_iter().collect();
            let answer = world.gateway.send("GET", &url, &headers, None).await.expect("an answer");
            assert_refused(&answer, 401, None);
        }
    }

    async fn a_token_of_one_connection_on_another_of_the_same_tenant(store) {
        let world = World::new(store).await;
        let id = world.sibling.create("Users", &user("of-sibling")).await;
        let intruder = Caller::of(&world.gateway, "sibling", world.gateway.token());
        let nowhere = Caller::of(&world.gateway, "nowhere", world.gateway.token());
        for path in ["/Users", &format!("/Users/{id}"), "/Schemas"] {
            let answer = intruder.get(path).await;
            assert_refused(&answer, 404, None);
            assert_eq!(told(&answer, "sibling"), told(&nowhere.get(path).await, "nowhere"), "{path}");
        }
        assert_refused(&intruder.send("DELETE", &format!("/Users/{id}"), None).await, 404, None);
        assert_eq!(world.sibling.get(&format!("/Users/{id}")).await.status, 200);
    }

    async fn a_management_token_on_the_scim_endpoint(store) {
        let world = World::new(store).await;
        let admin = Caller::of(&world.gateway, "scim", world.gateway.bootstrapped("admin_token"));
        assert_refused(&admin.get("/Users").await, 401, None);
        assert_refused(&admin.send("POST", "/Users", Some(&user("by-admin"))).await, 401, None);
        assert_eq!(world.ours.get("/Users?count=0").await.json()["totalResults"], 0);
    }

    /// Who is signed in to a page is no client of a connection, whatever their browser sends along.
    async fn a_session_on_the_scim_endpoint(store) {
        let world = World::new(store).await;
        let code = world.gateway.bootstrapped("console_code");
        let url = format!("{}/Users", world.gateway.scim_url("scim"));
        for cookie in ["rosterd_session", "__Host-rosterd_session", "__Host-rosterd_console", "token", "authorization"] {
            for value in [world.gateway.token(), world.gateway.bootstrapped("admin_token"), code] {
                let headers = [("cookie".to_owned(), format!("{cookie}={value}"))];
                assert_refused(&world.gateway.send("GET", &url, &headers, None).await.expect("an answer"), 401, None);
            }
        }
        assert_refused(&Caller::of(&world.gateway, "scim", code).get("/Users").await, 401, None);
        assert_refused(&Caller::of(&world.gateway, "scim", code).send("POST", "/Users", Some(&user("signed-in"))).await, 401, None);
        assert_eq!(world.ours.get("/Users?count=0").await.json()["totalResults"], 0);
    }

    async fn a_scim_token_on_the_management_api(store) {
        let world = World::new(store).await;
        let headers = [("authorization".to_owned(), format!("Bearer {}", world.gateway.token()))];
        for path in ["/api/v2/users", "/api/v2/connections", "/api/v2/tokens", "/api/v2/events", "/api/v2/logs"] {
            let url = format!("{}{path}", world.gateway.base_url());
            let answer = world.gateway.send("GET", &url, &headers, None).await.expect("an answer");
            assert!([401, 403, 404].contains(&answer.status), "{path}: {}", answer.status);
        }
    }

    async fn a_revoked_token_ends_within_two_seconds(store) {
        let world = World::new(store).await;
        let (id, text) = world.token(&[]);
        let revoked = Caller::of(&world.gateway, "scim", &text);
        assert_eq!(revoked.get("/Users").await.status, 200);
        world.gateway.cli(&["token", "delete", &id, "--yes"]);
        let began = Instant::now();
        while revoked.get("/Users?count=0").await.status != 401 {
            assert!(began.elapsed() < Duration::from_millis(2_500), "the token still works");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_refused(&revoked.get("/Users").await, 401, None);
        assert_eq!(world.ours.get("/Users").await.status, 200, "the other token of the connection stays");
    }

    async fn an_expired_token_opens_nothing(store) {
        let world = World::new(store).await;
        let until = rfc3339(Clock::system().now() + 4 * SECOND);
        let (_, text) = world.token(&["--expires", &until]);
        let caller = Caller::of(&world.gateway, "scim", &text);
        assert_eq!(caller.get("/Users").await.status, 200, "until {until}");
        let began = Instant::now();
        while caller.get("/Users?count=0").await.status != 401 {
            assert!(began.elapsed() < Duration::from_secs(5), "the token outlives {until}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn doing_more_than_the_scopes_allow(store) {
        let world = World::new(store).await;
        let id = world.ours.create("Users", &user("read-only")).await;
        let own_group = world.ours.create("Groups", &group("Read only", &[])).await;
        let (_, text) = world.token(&["--scopes", "get:users,patch:groups"]);
        let reader = Caller::of(&world.gateway, "scim", &text);
        let before = world.rows_of("default").await;
        for path in [format!("/Users/{id}"), "/Users".to_owned(), "/Schemas".to_owned(), "/ServiceProviderConfig".to_owned()] {
            assert_eq!(reader.get(&path).await.status, 200, "{path}");
        }
        assert_eq!(reader.send("POST", "/Users/.search", Some(&json!({"count": 1}))).await.status, 200, "a search reads");
        let body = user("written");
        for (method, path) in [
            ("POST", "/Users".to_owned()),
            ("PUT", format!("/Users/{id}")),
            ("PATCH", format!("/Users/{id}")),
            ("DELETE", format!("/Users/{id}")),
            // Whether it exists is not told either.
            ("DELETE", "/Users/01900000-0000-7000-8000-00000000dead".to_owned()),
            ("GET", "/Groups".to_owned()),
            ("GET", format!("/Groups/{own_group}")),
            ("POST", "/Groups/.search".to_owned()),
            ("DELETE", format!("/Groups/{own_group}")),
            // Across types: groups would be in the answer.
            ("GET", "/".to_owned()),
            ("POST", "/.search".to_owned()),
        ] {
            assert_refused(&reader.send(method, &path, (method != "GET").then_some(&body)).await, 403, None);
        }
        assert_eq!(before, world.rows_of("default").await, "nothing was stored");
    }
}
