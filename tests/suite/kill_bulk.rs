//! SIGKILL in the middle of bulk requests: what was answered is stored whole, what was not is a beginning of its operations,
//! and no operation is half done (scim.md §6.5). A restart needs no step.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::bulk::{bulk, post};
use super::support::caller::{Caller, group, patch, user};
use super::support::form;
use super::support::gateway::{Gateway, Store};
use super::support::rows::Database;

/// Kills per store, in the short form and in the long one.
const ROUNDS: [u64; 2] = [4, 40];
const CLIENTS: usize = 8;
/// People one request creates, gives a title, and puts into a group.
const PEOPLE: usize = 10;
const OPERATIONS: usize = 2 * PEOPLE + 1;

fn request(name: &str) -> Value {
    let mut all: Vec<Value> = vec![];
    for n in 0..PEOPLE {
        let mut body = user(&format!("{name}u{n}"));
        body["externalId"] = format!("{name}u{n}").into();
        all.push(post("/Users", &format!("u{n}"), body));
    }
    for n in 0..PEOPLE {
        let title = patch(json!([{"op": "add", "path": "title", "value": name}]));
        all.push(json!({"method": "PATCH", "path": format!("/Users/bulkId:u{n}"), "data": title}));
    }
    let everybody: Vec<String> = (0..PEOPLE).map(|n| format!("bulkId:u{n}")).collect();
    all.push(post("/Groups", "g", group(name, &everybody.iter().map(String::as_str).collect::<Vec<_>>())));
    bulk(all.into())
}

/// What the clients of a round share: the names of requests and whether their answer was read to the end.
#[derive(Default)]
struct Round {
    sent: Mutex<Vec<(String, bool)>>,
    in_flight: AtomicUsize,
    answered: AtomicUsize,
}

impl Round {
    async fn send_on(&self, caller: Caller, name: String) {
        for number in 0.. {
            let name = format!("{name}n{number}");
            let headers = [("x-request-id", name.as_str()), ("content-type", "application/scim+json")];
            self.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = caller.try_send("POST", "/Bulk", &headers, Some(request(&name).to_string().into_bytes())).await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            let Ok(answer) = answer else {
                self.sent.lock().unwrap().push((name, false));
                return;
            };
            let done = answer.json()["Operations"].clone();
            let whole = done.as_array().is_some_and(|done| done.len() == OPERATIONS);
            assert!(whole && !answer.text.contains("\"response\""), "{}", answer.text);
            self.sent.lock().unwrap().push((name, true));
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn interrupted(caller: &Caller, name: &str, after: Duration, kill: impl FnOnce()) -> Vec<(String, bool)> {
    let round = Arc::new(Round::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (round, caller, name) = (Arc::clone(&round), caller.clone(), format!("{name}c{client}"));
            tokio::spawn(async move { round.send_on(caller, name).await })
        })
        .collect();
    let began = Instant::now();
    while began.elapsed() < after
        || round.answered.load(Ordering::SeqCst) == 0
        || round.in_flight.load(Ordering::SeqCst) < CLIENTS / 2
    {
        assert!(began.elapsed() < Duration::from_secs(30), "the gateway answered nothing");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    kill();
    for client in clients {
        client.await.expect("a client ends by itself");
    }
    let sent = round.sent.lock().unwrap().clone();
    eprintln!("{name}: {} answered, {} not", sent.iter().filter(|(_, answered)| *answered).count(), CLIENTS);
    sent
}

async fn count(database: &mut Database, sql: &str) -> usize {
    let rows = database.rows(&format!("SELECT count(*) AS n FROM {sql}")).await;
    rows[0]["n"].as_u64().and_then(|n| usize::try_from(n).ok()).expect("a number")
}

/// How many operations of a request are stored; panics if they are not its first ones, or one is half there.
async fn stored(database: &mut Database, name: &str) -> usize {
    let logged = count(database, &format!("log WHERE request_id = '{name}' AND outcome = 'ok'")).await;
    let people = format!("identities WHERE external_id LIKE '{name}u%'");
    let created = count(database, &people).await;
    let titled = count(database, &format!("{people} AND raw LIKE '%\"title\":\"{name}\"%'")).await;
    let profiles = format!("profile_id IN (SELECT profile_id FROM {people})");
    let users = count(database, &format!("users WHERE id IN (SELECT profile_id FROM {people})")).await;
    let (histories, announced) = (
        count(database, &format!("history WHERE {profiles}")).await,
        count(database, &format!("outbox WHERE {profiles} AND log_id IN (SELECT id FROM log WHERE request_id = '{name}')")).await,
    );
    let groups = count(database, &format!("groups WHERE name = '{name}'")).await;
    let members = count(database, &format!("members WHERE group_id IN (SELECT id FROM groups WHERE name = '{name}')")).await;
    let expected = (logged.min(PEOPLE), logged.saturating_sub(PEOPLE).min(PEOPLE), usize::from(logged == OPERATIONS));
    assert_eq!((created, titled, groups), expected, "{name}: {logged} operations are logged");
    assert_eq!((users, members), (created, groups * PEOPLE), "{name}");
    assert_eq!((histories, announced), (created + titled, created + titled), "{name}: each with its history and event");
    logged
}

async fn rounds(store: Store) {
    let mut random = StdRng::seed_from_u64(0xb01c);
    let mut gateway = Gateway::start(store).await;
    let mut broken_off = 0;
    for round in 0..form::pick(ROUNDS[0], ROUNDS[1]) {
        let after = Duration::from_millis(random.random_range(200..900));
        let caller = Caller::new(&gateway);
        let sent = interrupted(&caller, &format!("b{round}"), after, || gateway.kill9()).await;
        gateway.restart();
        let mut database = Database::open(gateway.database_url()).await;
        for (name, answered) in &sent {
            let stored = stored(&mut database, name).await;
            assert!(!answered || stored == OPERATIONS, "{name} was answered and has {stored} operations");
            broken_off += usize::from((1..OPERATIONS).contains(&stored));
        }
        let listed = database.rows("SELECT count(*) AS n FROM identities WHERE listed").await;
        let total = Caller::new(&gateway).get("/Users?count=0").await.json();
        assert_eq!(total["totalResults"], listed[0]["n"], "the total is that of the rows");
    }
    assert!(broken_off > 0, "no kill met a request in the middle");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_during_bulk_requests_lose_nothing_answered_and_halve_no_operation_on_sqlite() {
    rounds(Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_during_bulk_requests_lose_nothing_answered_and_halve_no_operation_on_postgres() {
    rounds(Store::Postgres).await;
}
