//! `GET /api/v2/events` by parts, on both stores: what happened, once each, in order, under the same ids for everybody who asks.

use crate::support::caller::{Caller, encoded, group, on_both_gateways, replicas, user};
use crate::support::gateway::Gateway;
use crate::support::management::Management;
use crate::support::receiver::PATIENCE;
use crate::support::rows::Database;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Follows the feed from `from` until so many events came; they, and the place behind them.
async fn follow(api: &Management<'_>, from: Option<&str>, query: &str, count: usize) -> (Vec<Value>, String) {
    let (mut events, mut next) = (Vec::new(), from.map(str::to_owned));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let from = next.as_ref().map(|next| format!("from={next}&")).unwrap_or_default();
        let part = api.done("GET", &format!("/events?{from}{query}"), None).await;
        events.extend(part["events"].as_array().expect("events").iter().cloned());
        let place = part["next"].as_str().expect("a place, always").to_owned();
        if events.len() >= count && part["more"] == false {
            assert_eq!(events.len(), count, "{events:?}");
            return (events, place);
        }
        next = Some(place);
        assert!(Instant::now() < deadline, "{} of {count} events came: {events:?}", events.len());
        if part["more"] == false {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

fn title(text: &str) -> Value {
    json!([{"op": "replace", "path": "title", "value": text}])
}

on_both_gateways! {
    async fn what_happens_to_people_and_groups_is_told_once_in_order(store) {
        let gateway = Gateway::start(store).await;
        let (caller, api) = (Caller::new(&gateway), Management::admin(&gateway));
        let ann = caller.create("Users", &user("ann")).await;
        assert_eq!(caller.patch(&format!("/Users/{ann}"), title("Boss")).await.status, 200);
        let sales = caller.create("Groups", &group("Sales", &[&ann])).await;
        let renamed = json!([{"op": "replace", "path": "displayName", "value": "Selling"}]);
        assert!(caller.patch(&format!("/Groups/{sales}"), renamed).await.status < 300);
        let left = json!([{"op": "remove", "path": format!("members[value eq \"{ann}\"]")}]);
        assert!(caller.patch(&format!("/Groups/{sales}"), left).await.status < 300);
        assert_eq!(caller.send("DELETE", &format!("/Groups/{sales}"), None).await.status, 204);

        let (events, place) = follow(&api, None, "", 7).await;
        assert_eq!(types(&events), [
            "user.created", "user.updated", "group.created", "group.member.added", "group.updated", "group.member.deleted", "group.deleted",
        ]);
        for event in &events {
            assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("urn:rosterd:default")));
            assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')) && event["data"]["context"]["connection"]["name"] == "scim");
            assert!(event["data"]["context"]["request"]["id"].is_string(), "{event}");
        }
        let updated = &events[1]["data"];
        assert_eq!((&updated["changed"], &updated["context"]["version"]), (&json!(["app_metadata.title"]), &json!(2)));
        assert_eq!(updated["object"]["app_metadata"]["title"], "Boss");
        assert!(updated["object"]["user_id"].as_str().is_some_and(|id| id.contains("x-ann")), "{updated}");
        assert_eq!((&events[0]["subject"], &updated["object"]["id"]), (&events[1]["subject"], &events[1]["subject"]));
        let member = &events[3]["data"]["object"];
        assert_eq!((&member["group"]["id"], &member["members"][0]["id"]), (&json!(sales), &json!(ann)));
        assert_eq!(member["members"][0]["user_id"], updated["object"]["user_id"]);
        assert_eq!(events[6]["data"]["object"], json!({"id": sales, "name": "Selling"}), "what is known of what is gone");

        // Whoever keeps the place gets what comes after it, and whoever begins anew the same events under the same ids.
        assert_eq!(caller.patch(&format!("/Users/{ann}"), title("Chief")).await.status, 200);
        let (later, _) = follow(&api, Some(&place), "", 1).await;
        assert_eq!(later[0]["data"]["previous_object"], json!({"app_metadata": {"title": "Boss"}}), "{}", later[0]);
        let (again, _) = follow(&api, None, "take=3", 8).await;
        let ids = |events: &[Value]| events.iter().map(|event| event["id"].to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&again), [ids(&events), ids(&later)].concat());
    }

    async fn the_feed_is_narrowed_by_type_and_by_person(store) {
        let gateway = Gateway::start(store).await;
        let (caller, api) = (Caller::new(&gateway), Management::admin(&gateway));
        let ann = caller.create("Users", &user("ann")).await;
        let bob = caller.create("Users", &user("bob")).await;
        for (turn, id) in [&ann, &bob, &ann].into_iter().enumerate() {
            assert_eq!(caller.patch(&format!("/Users/{id}"), title(&turn.to_string())).await.status, 200);
        }
        caller.create("Groups", &group("Sales", &[&ann])).await;
        let (all, _) = follow(&api, None, "", 7).await;
        let (updates, _) = follow(&api, None, "types=user.updated,group.updated", 3).await;
        assert_eq!(types(&updates), ["user.updated"; 3]);
        let (repeated, _) = follow(&api, None, "event_type=user.created&event_type=group.created", 3).await;
        assert_eq!(types(&repeated), ["user.created", "user.created", "group.created"]);
        let user_id = all[0]["data"]["object"]["user_id"].as_str().expect("a user_id");
        let (hers, _) = follow(&api, None, &format!("user_id={}", encoded(user_id)), 3).await;
        assert!(hers.iter().all(|event| event["subject"] == all[0]["subject"]), "{hers:?}");
        let (by_subject, _) = follow(&api, None, &format!("user_id={}", all[0]["subject"].as_str().expect("a subject")), 3).await;
        assert_eq!(by_subject, hers);
        let since = all[2]["time"].as_str().expect("a time");
        let part = api.done("GET", &format!("/events?from_timestamp={}", encoded(since)), None).await;
        assert!(part["events"].as_array().is_some_and(|events| events.iter().any(|event| event["id"] == all[2]["id"])), "{part}");
    }

    async fn what_is_no_question_is_refused_by_name(store) {
        let gateway = Gateway::start(store).await;
        let api = Management::admin(&gateway);
        let place = api.done("GET", "/events", None).await["next"].as_str().expect("a place").to_owned();
        let mut altered = place.clone().into_bytes();
        altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("text");
        for query in ["take=0", "take=101", "take=x", "from=x", &format!("from={altered}"), "types=user.craeted", "event_type=x", "from_timestamp=soon"] {
            api.refused("GET", &format!("/events?{query}"), None, (400, "invalid_query_string")).await;
        }
        Management::with(&gateway, &["--scopes", "read:users"]).refused("GET", "/events", None, (403, "insufficient_scope")).await;
        // Another tenant's place is none, and another tenant's events are not there.
        Caller::new(&gateway).create("Users", &user("ann")).await;
        follow(&api, None, "", 1).await;
        gateway.cli(&["tenant", "create", "other", "--json"]);
        let other = Management::with(&gateway, &["--tenant", "other"]);
        other.refused("GET", &format!("/events?from={place}"), None, (400, "invalid_query_string")).await;
        assert_eq!(other.done("GET", "/events", None).await["events"], json!([]));
    }

    async fn a_place_whose_events_are_gone_says_so(store) {
        let gateway = Gateway::start(store).await;
        let (caller, api) = (Caller::new(&gateway), Management::admin(&gateway));
        let place = api.done("GET", "/events", None).await["next"].as_str().expect("a place").to_owned();
        caller.create("Users", &user("ann")).await;
        caller.create("Users", &user("bob")).await;
        follow(&api, Some(&place), "", 2).await;
        Database::change(gateway.database_url(), "DELETE FROM outbox WHERE position = 1").await;
        api.refused("GET", &format!("/events?from={place}"), None, (410, "cursor_expired")).await;
        let (left, _) = follow(&api, None, "", 1).await;
        assert_eq!(types(&left), ["user.created"]);
    }

    /// Readers at two replicas who follow while many write: each gets every event once, both the same ids in the same order.
    async fn two_readers_miss_nothing_and_get_the_same(store) {
        let gateways = replicas(store).await;
        let callers: Vec<Caller> = gateways.iter().map(Caller::new).collect();
        let mut writing = tokio::task::JoinSet::new();
        for name in 0..24_usize {
            let caller = callers[name % callers.len()].clone();
            writing.spawn(async move {
                let id = caller.create("Users", &user(&format!("user-{name}"))).await;
                for turn in 0..3 {
                    assert_eq!(caller.patch(&format!("/Users/{id}"), title(&format!("{turn}"))).await.status, 200);
                }
            });
        }
        let readers: Vec<Management<'_>> = gateways.iter().map(Management::admin).collect();
        let (first, second) = tokio::join!(follow(&readers[0], None, "take=7", 96), follow(&readers[readers.len() - 1], None, "take=100", 96));
        while let Some(written) = writing.join_next().await {
            written.expect("no writer failed");
        }
        let ids = |events: &[Value]| events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&first.0), ids(&second.0));
        assert_eq!(ids(&first.0).into_iter().collect::<BTreeSet<_>>().len(), 96, "each once");
        let mut versions: HashMap<String, i64> = HashMap::new();
        for event in &first.0 {
            let version = event["data"]["context"]["version"].as_i64().expect("a version");
            let before = versions.insert(event["subject"].to_string(), version).unwrap_or(0);
            assert_eq!(version, before + 1, "of one person in order, none missing: {event}");
        }
    }
}
