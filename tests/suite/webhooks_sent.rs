//! Webhooks and what receivers do to them, on both stores: at least once, of one person in order, and nobody who pushes notices.
//! Nothing here measures time: what has to come is waited for, what must not come is shown by what came after it.

use crate::support::caller::{Caller, on_both_gateways, user};
use crate::support::gateway::{Gateway, Store};
use crate::support::management::Management;
use crate::support::receiver::{Manner, PATIENCE, Receiver};
use crate::support::rows::Database;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Tries come soon and for long.
const EAGER: [(&str, &str); 4] = [
    ("webhooks.retry_first_milliseconds", "20"),
    ("webhooks.retry_max_seconds", "1"),
    ("webhooks.retry_for_seconds", "600"),
    ("webhooks.timeout_seconds", "1"),
];
/// The third try or so is the last.
const GIVES_UP: [(&str, &str); 4] = [
    ("webhooks.retry_first_milliseconds", "20"),
    ("webhooks.retry_max_seconds", "1"),
    ("webhooks.retry_for_seconds", "1"),
    ("webhooks.timeout_seconds", "1"),
];

fn hook(gateway: &Gateway, receiver: &Receiver, arguments: &[&str]) -> Value {
    let url = receiver.url();
    let made = gateway.cli(&[&["webhook", "create", "--url", &url, "--allow-plaintext", "--json"], arguments].concat());
    serde_json::from_str(&made).expect("JSON")
}

fn id(hook: &Value) -> &str {
    hook["id"].as_str().expect("an id")
}

async fn title(caller: &Caller, id: &str, text: &str) {
    let operations = json!([{"op": "replace", "path": "title", "value": text}]);
    assert_eq!(caller.patch(&format!("/Users/{id}"), operations).await.status, 200, "who pushes notices nothing");
}

/// So many people with so many changes each; the SCIM ids.
async fn push(caller: &Caller, people: usize, changes: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for name in 0..people {
        ids.push(caller.create("Users", &user(&format!("user-{name}"))).await);
    }
    for turn in 0..changes {
        for id in &ids {
            title(caller, id, &format!("title {turn}")).await;
        }
    }
    ids
}

/// Every first arrival of an event of one person comes in the order of their versions, and none is missing up to the last.
fn assert_in_order(taken: &[Value]) {
    let (mut known, mut versions) = (BTreeSet::new(), HashMap::<String, i64>::new());
    for event in taken.iter().filter(|event| event["type"] != "webhook.test") {
        if !known.insert(event["id"].to_string()) {
            continue;
        }
        let version = event["data"]["context"]["version"].as_i64().expect("a version");
        let before = versions.insert(event["subject"].to_string(), version).unwrap_or(0);
        assert_eq!(version, before + 1, "{event}");
    }
}

async fn shown(api: &Management<'_>, hook: &Value) -> Value {
    api.done("GET", &format!("/webhooks/{}", id(hook)), None).await
}

/// Waits until the webhook is shown so.
async fn becomes(api: &Management<'_>, hook: &Value, what: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = shown(api, hook).await;
        if what(&shown) {
            return shown;
        }
        assert!(Instant::now() < deadline, "it stays {shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn done(hook: &Value) -> bool {
    hook["unread"] == 0 && hook["waiting"] == 0
}

async fn metric(gateway: &Gateway, line: &str) -> i64 {
    let text = gateway.send("GET", &format!("{}/metrics", gateway.base_url()), &[], None).await.expect("an answer").text;
    let found = text.lines().find_map(|known| known.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in {text}"))
}

/// Whatever the receiver did at first, it has every event in the end, of each person in order, and nothing is left over.
async fn everything_comes(store: Store, at_first: Manner, people: usize) {
    let gateway = Gateway::start_with(store, &EAGER).await;
    let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(at_first));
    let hook = hook(&gateway, &receiver, &[]);
    push(&caller, people, 2).await;
    receiver.was_sent(1).await;
    receiver.does(|_| Manner::Take);
    let taken = receiver.has(people * 3).await;
    assert_in_order(&taken);
    becomes(&api, &hook, done).await;
    let rows = Database::open(gateway.database_url()).await.rows("SELECT event_id FROM webhook_deliveries").await;
    assert_eq!(rows.len(), 0, "of what was taken nothing is kept");
}

on_both_gateways! {
    async fn a_receiver_that_takes_everything_costs_no_rows(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Take));
        let hook = hook(&gateway, &receiver, &[]);
        push(&caller, 10, 3).await;
        let taken = receiver.has(40).await;
        assert_in_order(&taken);
        becomes(&api, &hook, done).await;
        assert_eq!(receiver.sent().len(), 40, "and each came once, since nothing went wrong");
        assert_eq!(Database::open(gateway.database_url()).await.rows("SELECT event_id FROM webhook_deliveries").await.len(), 0);
        assert_eq!(metric(&gateway, "rosterd_webhook_deliveries_total{kind=\"delivered\"}").await, 40);
        // What was sent is what the feed tells.
        let feed = api.done("GET", "/events?take=100", None).await;
        let told: BTreeMap<String, Value> = feed["events"].as_array().expect("events").iter().map(|event| (event["id"].to_string(), event.clone())).collect();
        for event in &taken {
            let same = &told[&event["id"].to_string()];
            assert_eq!((&same["type"], &same["time"], &same["subject"], &same["source"]), (&event["type"], &event["time"], &event["subject"], &event["source"]));
        }
    }

    async fn a_receiver_that_was_down_has_everything_in_the_end(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api, mut receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Take));
        let hook = hook(&gateway, &receiver, &[]);
        receiver.go_down().await;
        push(&caller, 12, 2).await;
        let away = becomes(&api, &hook, |hook| hook["failures"].as_i64() >= Some(5)).await;
        assert!(away["paused_until"].is_string() && away["last_error"].as_str().is_some_and(|error| error.contains("can't be reached")), "{away}");
        receiver.come_up();
        assert_in_order(&receiver.has(36).await);
        becomes(&api, &hook, done).await;
    }

    async fn a_receiver_that_answers_500_has_everything_in_the_end(store) {
        everything_comes(store, Manner::Answer(500, vec![]), 8).await;
    }

    async fn a_receiver_that_is_slow_has_everything_in_the_end(store) {
        everything_comes(store, Manner::TakeSlowly(Duration::from_millis(300)), 6).await;
    }

    async fn a_receiver_that_hangs_has_everything_in_the_end(store) {
        everything_comes(store, Manner::Hang, 3).await;
    }

    async fn a_receiver_that_floods_has_everything_in_the_end(store) {
        everything_comes(store, Manner::Flood, 3).await;
    }

    async fn a_receiver_that_closes_has_everything_in_the_end(store) {
        everything_comes(store, Manner::Close, 4).await;
    }

    async fn a_receiver_that_asks_for_a_rest_gets_it_and_everything_after_it(store) {
        everything_comes(store, Manner::Answer(429, vec![("retry-after", String::from("1"))]), 4).await;
    }

    /// Half of all tries fail, by chance: nothing is missing and nobody's events change places.
    async fn a_receiver_that_fails_now_and_then_has_everything_in_order(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Take));
        let hook = hook(&gateway, &receiver, &[]);
        let tries = Mutex::new(0_u32);
        receiver.does(move |_| {
            let mut tries = tries.lock().expect("no panic");
            *tries += 1;
            if (*tries).wrapping_mul(2_654_435_761) & 0x8000 == 0 { Manner::Take } else { Manner::Answer(502, vec![]) }
        });
        push(&caller, 10, 4).await;
        assert_in_order(&receiver.has(50).await);
        becomes(&api, &hook, done).await;
    }

    /// One person's event is never taken: that person's later ones wait behind it, and everybody else's come.
    async fn an_event_that_fails_holds_back_its_own_person_and_nobody_else(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Take));
        let hook = hook(&gateway, &receiver, &[]);
        receiver.does(|event| if event["data"]["object"]["user_id"].as_str().is_some_and(|id| id.ends_with("x-user-0")) { Manner::Answer(500, vec![]) } else { Manner::Take });
        push(&caller, 5, 3).await;
        let taken = receiver.has(16).await;
        assert_in_order(&taken);
        let held = becomes(&api, &hook, |hook| hook["unread"] == 0 && hook["waiting"] == 4).await;
        assert_eq!(held["dead"], 0);
        let rows = api.done("GET", &format!("/webhooks/{}/deliveries", id(&hook)), None).await;
        let states: Vec<&str> = rows["deliveries"].as_array().expect("rows").iter().filter_map(|row| row["state"].as_str()).collect();
        assert_eq!(states, ["waiting", "behind", "behind", "behind"]);
        let first = receiver.sent().iter().filter(|sent| !sent.taken).map(|sent| sent.id()).collect::<BTreeSet<_>>();
        assert_eq!(first.len(), 1, "only the first of them was ever tried");
        receiver.does(|_| Manner::Take);
        assert_in_order(&receiver.has(20).await);
        becomes(&api, &hook, done).await;
    }

    async fn a_redirect_is_not_followed(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api) = (Caller::new(&gateway), Management::admin(&gateway));
        let (elsewhere, receiver) = (Receiver::that(Manner::Take), Receiver::that(Manner::Take));
        let target = elsewhere.url();
        receiver.does(move |_| Manner::Answer(307, vec![("location", target.clone())]));
        let hook = hook(&gateway, &receiver, &[]);
        caller.create("Users", &user("ann")).await;
        receiver.was_sent(3).await;
        let shown = shown(&api, &hook).await;
        assert!(shown["last_error"].as_str().is_some_and(|error| error.contains("307")), "{shown}");
        assert_eq!(elsewhere.sent().len(), 0);
        receiver.does(|_| Manner::Take);
        receiver.has(1).await;
    }

    async fn a_receiver_that_is_gone_for_good_is_switched_off_and_somebody_is_told(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Answer(410, vec![])));
        let hook = hook(&gateway, &receiver, &[]);
        let ann = caller.create("Users", &user("ann")).await;
        let off = becomes(&api, &hook, |hook| hook["enabled"] == false).await;
        assert!(off["disabled_because"].as_str().is_some_and(|why| why.contains("410")), "{off}");
        title(&caller, &ann, "Boss").await;
        let mut database = Database::open(gateway.database_url()).await;
        let logged = database.rows("SELECT kind, outcome, detail FROM log WHERE kind = 'webhook.disabled'").await;
        assert!(logged.len() == 1 && logged[0]["detail"].to_string().contains(id(&hook)), "{logged:?}");
        let inbox = database.rows("SELECT kind, subject, state FROM conflicts WHERE kind = 'webhook.disabled'").await;
        assert_eq!((inbox.len(), &inbox[0]["subject"], &inbox[0]["state"]), (1, &hook["id"], &json!("open")));
        // Switched on again it gets what it did not take, and what came meanwhile.
        receiver.does(|_| Manner::Take);
        let on = api.done("PATCH", &format!("/webhooks/{}", id(&hook)), Some(&json!({"enabled": true}))).await;
        assert!(on["enabled"] == true && on.get("disabled_because").is_none(), "{on}");
        assert_in_order(&receiver.has(2).await);
    }

    async fn what_is_given_up_is_told_and_sent_again_when_somebody_says_so(store) {
        let gateway = Gateway::start_with(store, &GIVES_UP).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Answer(500, vec![])));
        let hook = hook(&gateway, &receiver, &[]);
        caller.create("Users", &user("ann")).await;
        caller.create("Users", &user("bob")).await;
        let dead = becomes(&api, &hook, |hook| hook["dead"] == 2 && hook["waiting"] == 0).await;
        assert_eq!(dead["unread"], 0);
        assert!(metric(&gateway, "rosterd_webhook_deliveries_total{kind=\"dead\"}").await >= 2);
        let mut database = Database::open(gateway.database_url()).await;
        assert!(!database.rows("SELECT kind FROM log WHERE kind = 'webhook.dead_letters'").await.is_empty());
        assert_eq!(database.rows("SELECT kind FROM conflicts WHERE kind = 'webhook.dead_letters'").await.len(), 1);
        receiver.does(|_| Manner::Take);
        let would: Value = serde_json::from_str(&gateway.cli(&["webhook", "redeliver", id(&hook), "--dead", "--dry-run", "--json"])).expect("JSON");
        assert_eq!(would, json!({"dry_run": true, "events": 2}));
        assert_eq!(receiver.taken().len(), 0);
        let again: Value = serde_json::from_str(&gateway.cli(&["webhook", "redeliver", id(&hook), "--dead", "--json"])).expect("JSON");
        assert_eq!(again, json!({"dry_run": false, "events": 2}));
        receiver.has(2).await;
        becomes(&api, &hook, |hook| done(hook) && hook["dead"] == 0).await;
    }

    async fn events_are_sent_again_by_one_from_a_place_and_from_a_time(store) {
        let gateway = Gateway::start_with(store, &EAGER).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Take));
        let hook = hook(&gateway, &receiver, &[]);
        let path = format!("/webhooks/{}/redeliver", id(&hook));
        for name in ["ann", "bob", "cid"] {
            caller.create("Users", &user(name)).await;
        }
        receiver.has(3).await;
        becomes(&api, &hook, done).await;
        let feed = api.done("GET", "/events?take=1", None).await;
        let (first, place) = (feed["events"][0].clone(), feed["next"].clone());
        let rest = api.done("GET", &format!("/events?from={}", place.as_str().expect("a place")), None).await;
        let rest: BTreeSet<String> = rest["events"].as_array().expect("events").iter().filter_map(|event| event["id"].as_str().map(str::to_owned)).collect();
        api.done("POST", &path, Some(&json!({"event_id": first["id"]}))).await;
        let sent = receiver.was_sent(4).await;
        assert_eq!(json!(sent[3].id()), first["id"], "under its id");
        becomes(&api, &hook, done).await;
        assert_eq!(api.done("POST", &format!("{path}?dry_run=true"), Some(&json!({"from": place}))).await["events"], 2);
        api.done("POST", &path, Some(&json!({"from": place}))).await;
        let sent = receiver.was_sent(6).await;
        assert_eq!(BTreeSet::from([sent[4].id(), sent[5].id()]), rest, "of different people in any order");
        becomes(&api, &hook, done).await;
        api.done("POST", &path, Some(&json!({"since": first["time"]}))).await;
        receiver.was_sent(9).await;
        becomes(&api, &hook, done).await;
        gateway.cli(&["webhook", "redeliver", id(&hook), "--from", first["id"].as_str().expect("an id")]);
        receiver.was_sent(12).await;
        let ids: BTreeSet<String> = receiver.sent().iter().map(|sent| sent.id()).collect();
        assert_eq!(ids.len(), 3, "never under another id");
    }

    /// SIGKILL while it sends: nothing is lost, and nothing comes under another id.
    async fn what_was_under_way_when_the_process_ended_is_sent_again(store) {
        let mut gateway = Gateway::start_with(store, &EAGER).await;
        let receiver = Receiver::that(Manner::TakeSlowly(Duration::from_millis(40)));
        let hook = hook(&gateway, &receiver, &[]);
        for round in 0..3 {
            let caller = Caller::new(&gateway);
            for name in 0..10 {
                caller.create("Users", &user(&format!("user-{round}-{name}"))).await;
            }
            receiver.has(round * 10 + 1).await;
            gateway.kill9();
            gateway.restart();
        }
        let taken = receiver.has(30).await;
        assert_in_order(&taken);
        let api = Management::admin(&gateway);
        becomes(&api, &hook, done).await;
        let feed = api.done("GET", "/events?take=100", None).await;
        let told: BTreeSet<String> = feed["events"].as_array().expect("events").iter().map(|event| event["id"].to_string()).collect();
        let came: BTreeSet<String> = receiver.taken().iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(came, told);
    }

    async fn two_replicas_send_no_event_under_another_id_and_each_once(store) {
        let first = Gateway::start_with(store, &EAGER).await;
        let second = Gateway::beside(&first);
        let receiver = Receiver::that(Manner::Take);
        let hook = hook(&first, &receiver, &[]);
        let callers = [Caller::new(&first), Caller::new(&second)];
        for name in 0..30_usize {
            callers[name % 2].create("Users", &user(&format!("user-{name}"))).await;
        }
        let taken = receiver.has(30).await;
        assert_in_order(&taken);
        let api = Management::admin(&second);
        becomes(&api, &hook, done).await;
        assert_eq!(receiver.sent().len(), 30, "one of them at a time has the lease");
    }
}
