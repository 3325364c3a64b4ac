//! `rosterd token rotate` beside a running gateway, on both stores: the new token works at once, the old one until its
//! overlap ends, and a client that changes over in between has no request refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::caller::{Caller, assert_refused, on_both_gateways, user};
use super::support::gateway::Gateway;

fn json(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error} in: {printed}"))
}

fn created(gateway: &Gateway, arguments: &[&str]) -> Value {
    json(&gateway.cli(&[&["token", "create", "--connection", "scim", "--json"], arguments].concat()))
}

fn text(token: &Value) -> &str {
    token["token"].as_str().expect("a token")
}

on_both_gateways! {
    async fn no_request_is_refused_while_a_token_is_rotated(store) {
        let gateway = Gateway::start(store).await;
        let old = created(&gateway, &["--name", "okta"]);
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let flow = |token: &str, name: &'static str| {
            let (caller, stop, sent) = (Caller::of(&gateway, "scim", token), Arc::clone(&stop), Arc::clone(&sent));
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    caller.create("Users", &user(&format!("{name}-{number}"))).await;
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let until_sent = async |count: usize| {
            let began = Instant::now();
            while sent.load(Ordering::SeqCst) < count {
                assert!(began.elapsed() < Duration::from_secs(20), "requests stopped flowing");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let before = [flow(text(&old), "a"), flow(text(&old), "b")];
        until_sent(10).await;
        let new = json(&gateway.cli(&["token", "rotate", "okta", "--overlap", "1h", "--json"]));
        // The client takes its time to learn of the new one, and for a while uses both.
        let after = [flow(text(&new), "c"), flow(text(&new), "d")];
        until_sent(sent.load(Ordering::SeqCst) + 40).await;
        stop.store(true, Ordering::SeqCst);
        for flowing in before.into_iter().chain(after) {
            flowing.await.expect("every request was taken");
        }
        assert_ne!(text(&old), text(&new));
        assert_eq!((&new["name"], &new["scopes"], &new["connection_id"]), (&old["name"], &old["scopes"], &old["connection_id"]));
        gateway.cli(&["token", "delete", old["token_id"].as_str().expect("an id"), "--yes"]);
        assert_eq!(Caller::of(&gateway, "scim", text(&new)).get("/Users?count=0").await.status, 200);
    }

    async fn the_old_token_ends_with_the_overlap(store) {
        let gateway = Gateway::start(store).await;
        let old = created(&gateway, &["--scopes", "get:users", "--name", "reader"]);
        let new = json(&gateway.cli(&["token", "rotate", old["token_id"].as_str().expect("an id"), "--overlap", "8s", "--json"]));
        let (old, new) = (Caller::of(&gateway, "scim", text(&old)), Caller::of(&gateway, "scim", text(&new)));
        assert_eq!((old.get("/Users").await.status, new.get("/Users").await.status), (200, 200));
        let began = Instant::now();
        while old.get("/Users?count=0").await.status != 401 {
            assert!(began.elapsed() < Duration::from_secs(12), "the old token outlives its overlap");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(new.get("/Users").await.status, 200);
        assert_refused(&new.send("POST", "/Users", Some(&user("written"))).await, 403, None);
    }

    async fn rotating_keeps_the_lifetime_and_never_lengthens_that_of_the_old(store) {
        let gateway = Gateway::start(store).await;
        created(&gateway, &["--name", "short", "--expires", "10m"]);
        let shown = |name: &str| json(&gateway.cli(&["token", "show", name, "--json"]));
        let until = shown("short")["valid_until"].clone();
        gateway.cli(&["token", "rotate", "short"]);
        let rotated = shown("short (rotated)");
        assert_eq!(rotated["valid_until"], until, "24 hours would be longer than it had");
        let lasts = |token: &Value| {
            let instant = |name: &str| token[name].as_str().expect("a time").parse::<jiff::Timestamp>().expect("an instant");
            instant("valid_until").duration_since(instant("created_at")).as_secs()
        };
        assert_eq!(lasts(&shown("short")), 600);
        gateway.cli(&["token", "delete", "short (rotated)", "--yes"]);
        let id = rotated["token_id"].as_str().expect("an id");
        let refused = gateway.run(&["token", "rotate", id]);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("opens nothing"));
        // Text for people: the token alone on stdout.
        let printed = gateway.run(&["token", "rotate", "short", "--overlap", "never", "--expires", "never"]);
        assert_eq!(String::from_utf8_lossy(&printed.stdout).trim().lines().count(), 1);
        assert!(String::from_utf8_lossy(&printed.stderr).contains("works until"));
        assert_eq!(shown("short")["valid_until"], Value::Null);
    }
}
