//! Nothing acknowledged is lost and nothing is half done when a process ends without warning: the gateway under SIGKILL
//! on both databases, and PostgreSQL itself. A restart needs no step (performance.md §8).
//!
//! Every write carries a request id of its own, so that its log row can be found whether or not its answer arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::support::caller::{Caller, patch, user};
use super::support::form;
use super::support::gateway::{Gateway, Store};
use super::support::postgres::{Cluster, Fsync};
use super::support::rows::Database;

/// Kills per store, in the short form and in the long one.
const ROUNDS: [u64; 2] = [10, 100];
/// Kills of PostgreSQL.
const POSTGRES_ROUNDS: [u64; 2] = [1, 20];
/// Clients that create, and as many that patch.
const WRITERS: usize = 16;
/// In flight at least when the kill comes.
const IN_FLIGHT_MIN: usize = 16;
/// How recent the last acknowledgement has to be when the kill comes.
const RECENT: Duration = Duration::from_millis(50);

/// One request of a round and what became of it.
#[derive(Clone, Debug)]
struct Write {
    request_id: String,
    external_id: String,
    /// The title a PATCH sets; None for a POST.
    title: Option<String>,
    /// Whether its success was read to the end.
    acknowledged: bool,
}

/// What the clients of one round share.
#[derive(Default)]
struct Round {
    writes: Mutex<Vec<Write>>,
    in_flight: AtomicUsize,
    last_acknowledged: Mutex<Option<Instant>>,
}

impl Round {
    /// Sends one write and notes what became of it. The id of the resource if it was acknowledged.
    async fn write(
        &self,
        caller: &Caller,
        external_id: &str,
        title: Option<&str>,
        id: Option<&str>,
        number: usize,
    ) -> Option<String> {
        let request_id = format!("{external_id}-q{number}");
        let headers = [("x-request-id", request_id.as_str()), ("content-type", "application/scim+json")];
        let (method, path, body) = match (title, id) {
            (Some(title), Some(id)) => {
                let operations = json!([{"op": "replace", "path": "title", "value": title}]);
                ("PATCH", format!("/Users/{id}"), patch(operations))
            }
            _ => {
                let mut body = user(external_id);
                body["externalId"] = external_id.into();
                ("POST", "/Users".to_owned(), body)
            }
        };
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let answer = caller.try_send(method, &path, &headers, Some(body.to_string().into_bytes())).await;
        if answer.is_ok() {
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
        let acknowledged = answer.as_ref().is_ok_and(|answer| answer.status < 300);
        if acknowledged {
            *self.last_acknowledged.lock().unwrap() = Some(Instant::now());
        }
        if let Ok(answer) = &answer {
            assert!(acknowledged || answer.status == 503, "{method} {path} was answered {} {}", answer.status, answer.text);
        }
        self.writes.lock().unwrap().push(Write {
            request_id,
            external_id: external_id.to_owned(),
            title: title.map(str::to_owned),
            acknowledged,
        });
        let answer = answer.ok().filter(|_| acknowledged)?;
        answer.json()["id"].as_str().map(str::to_owned)
    }

    /// Creates person after person until a request fails.
    async fn create_on(&self, caller: Caller, name: String) {
        for number in 0.. {
            let external_id = format!("{name}n{number}");
            if self.write(&caller, &external_id, None, None, 0).await.is_none() {
                return;
            }
        }
    }

    /// Creates one person and gives them title after title until a request fails.
    async fn patch_on(&self, caller: Caller, name: String) {
        let Some(id) = self.write(&caller, &name, None, None, 0).await else { return };
        for number in 1.. {
            let title = format!("{name} {number}");
            if self.write(&caller, &name, Some(&title), Some(&id), number).await.is_none() {
                return;
            }
        }
    }

    fn is_busy(&self) -> bool {
        let recent = self.last_acknowledged.lock().unwrap().is_some_and(|at| at.elapsed() < RECENT / 2);
        recent && self.in_flight.load(Ordering::SeqCst) >= IN_FLIGHT_MIN
    }
}

/// Runs 16 creating and 16 patching clients, ends something by `kill` in the middle of it, and returns every request.
async fn interrupted(caller: &Caller, name: &str, after: Duration, kill: impl FnOnce()) -> Vec<Write> {
    let round = Arc::new(Round::default());
    let clients: Vec<_> = (0..WRITERS)
        .flat_map(|writer| {
            let (creating, patching) = (Arc::clone(&round), Arc::clone(&round));
            let (create, patch) = (format!("{name}c{writer}"), format!("{name}p{writer}"));
            let (one, other) = (caller.clone(), caller.clone());
            [
                tokio::spawn(async move { creating.create_on(one, create).await }),
                tokio::spawn(async move { patching.patch_on(other, patch).await }),
            ]
        })
        .collect();
    let began = Instant::now();
    // Whatever the machine is doing, the kill comes when much is in flight and an answer has just arrived.
    while began.elapsed() < after || !round.is_busy() {
        assert!(began.elapsed() < Duration::from_secs(30), "the gateway acknowledged nothing");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (in_flight, last) = (round.in_flight.load(Ordering::SeqCst), round.last_acknowledged.lock().unwrap().expect("busy"));
    let at = Instant::now();
    kill();
    assert!(in_flight >= IN_FLIGHT_MIN, "{in_flight} requests were in flight");
    assert!(at.duration_since(last) <= RECENT, "the last acknowledgement was {:?} ago", at.duration_since(last));
    for client in clients {
        client.await.expect("a client ends by itself");
    }
    let writes = round.writes.lock().unwrap().clone();
    let acknowledged = writes.iter().filter(|write| write.acknowledged).count();
    eprintln!("{name}: {acknowledged} acknowledged, {} not, {in_flight} in flight", writes.len() - acknowledged);
    writes
}

/// The rows of the people whose external ids begin with a name.
struct Rows {
    identities: BTreeMap<String, Map<String, Value>>,
    users: BTreeMap<String, Map<String, Value>>,
    history: Vec<Map<String, Value>>,
    log: Vec<Map<String, Value>>,
    outbox: Vec<Map<String, Value>>,
}

impl Rows {
    async fn of(database: &mut Database, name: &str) -> Self {
        let profiles = format!("SELECT profile_id FROM identities WHERE external_id LIKE '{name}%'");
        let identities = format!("SELECT id, external_id, profile_id, raw FROM identities WHERE external_id LIKE '{name}%'");
        let users = format!("SELECT id, user_id, doc FROM users WHERE user_id LIKE 'scim|scim|{name}%'");
        let history = format!("SELECT id, profile_id FROM history WHERE profile_id IN ({profiles})");
        let log = format!(
            "SELECT id, request_id, profile_id, identity_id, history_id, outcome FROM log WHERE request_id LIKE '{name}%'"
        );
        let outbox = format!("SELECT log_id, profile_id FROM outbox WHERE profile_id IN ({profiles})");
        let by = |column: &str, rows: Vec<Map<String, Value>>| {
            rows.into_iter().map(|row| (row[column].as_str().expect("text").to_owned(), row)).collect::<BTreeMap<_, _>>()
        };
        Self {
            identities: by("external_id", database.rows(&identities).await),
            users: by("id", database.rows(&users).await),
            history: database.rows(&history).await,
            log: database.rows(&log).await,
            outbox: database.rows(&outbox).await,
        }
    }

    /// Every way in which these rows are not what the requests of a round may have left.
    fn faults(&self, writes: &[Write]) -> Vec<String> {
        let mut faults = vec![];
        let mut logged = count_by(&self.log, "request_id");
        let histories = count_by(&self.history, "id");
        let announced = count_by(&self.outbox, "log_id");
        for write in writes {
            let found = logged.remove(&write.request_id).unwrap_or_default();
            let [row] = found.as_slice() else {
                if !found.is_empty() || write.acknowledged {
                    faults.push(format!("{write:?} left {} log rows", found.len()));
                }
                continue;
            };
            let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            let history = histories.get(&text("history_id")).map_or(0, Vec::len);
            let outbox = announced.get(&text("id")).map_or(0, Vec::len);
            if (history, outbox) != (1, 1) || text("outcome") != "ok" {
                faults.push(format!("{write:?} left a log row, {history} history and {outbox} outbox rows"));
            }
            match self.identities.get(&write.external_id) {
                Some(identity) if identity["id"] == row["identity_id"] && identity["profile_id"] == row["profile_id"] => {}
                found => faults.push(format!("{write:?} left a log row beside the identity {found:?}")),
            }
        }
        faults.extend(logged.keys().map(|id| format!("a log row of {id}, which nobody sent")));
        // Each history and outbox row belongs to one log row, so that nothing is left of a write that left no log row.
        for (table, rows) in [("history", &self.history), ("outbox", &self.outbox)] {
            if rows.len() != self.log.len() {
                faults.push(format!("{} {table} rows for {} log rows", rows.len(), self.log.len()));
            }
        }
        faults.extend(self.people_faults(writes));
        faults
    }

    /// Identity and profile stand or fall together, and hold what the last stored write says.
    fn people_faults(&self, writes: &[Write]) -> Vec<String> {
        let mut faults = vec![];
        let logged: BTreeSet<&str> = self.log.iter().filter_map(|row| row["request_id"].as_str()).collect();
        let stored = |write: &&Write| logged.contains(write.request_id.as_str());
        let mut last: BTreeMap<&str, &Write> = BTreeMap::new();
        for write in writes.iter().filter(stored) {
            last.insert(&write.external_id, write);
        }
        for (external_id, identity) in &self.identities {
            let Some(user) = identity["profile_id"].as_str().and_then(|id| self.users.get(id)) else {
                faults.push(format!("{external_id} is an identity without its profile"));
                continue;
            };
            let title = last.get(external_id.as_str()).map(|write| json!(write.title));
            if title.as_ref() != Some(&identity["raw"]["title"]) || title.as_ref() != Some(&user["doc"]["app_metadata"]["title"])
            {
                faults.push(format!("{external_id} should have the title {title:?}: {identity:?} {user:?}"));
            }
        }
        if self.users.len() != self.identities.len() || last.len() != self.identities.len() {
            let (users, identities) = (self.users.len(), self.identities.len());
            faults.push(format!("{users} profiles, {identities} identities, {} people were stored", last.len()));
        }
        faults
    }
}

fn count_by(rows: &[Map<String, Value>], column: &str) -> BTreeMap<String, Vec<Map<String, Value>>> {
    let mut counted: BTreeMap<String, Vec<Map<String, Value>>> = BTreeMap::new();
    for row in rows {
        counted.entry(row[column].as_str().unwrap_or_default().to_owned()).or_default().push(row.clone());
    }
    counted
}

/// Checks the rows, and that the total the gateway tells is that of the rows: counters are part of the write.
async fn assert_whole(gateway: &Gateway, name: &str, writes: &[Write]) {
    let mut database = Database::open(gateway.database_url()).await;
    let faults = Rows::of(&mut database, name).await.faults(writes);
    assert!(faults.is_empty(), "{name}: {} faults\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
    let listed = database.rows("SELECT count(*) AS n FROM identities WHERE listed").await;
    let total = Caller::new(gateway).get("/Users?count=0").await.json();
    assert_eq!(total["totalResults"], listed[0]["n"], "{name}: the total is that of the rows");
}

async fn rounds(store: Store) {
    let mut random = StdRng::seed_from_u64(0x5143);
    let mut gateway = Gateway::start(store).await;
    let mut all = vec![];
    for round in 0..form::pick(ROUNDS[0], ROUNDS[1]) {
        let name = format!("r{round:03}");
        let after = Duration::from_millis(random.random_range(200..900));
        let caller = Caller::new(&gateway);
        let writes = interrupted(&caller, &name, after, || gateway.kill9()).await;
        gateway.restart();
        assert_whole(&gateway, &name, &writes).await;
        all.extend(writes);
    }
    // What one kill left whole, none of the later ones broke.
    assert_whole(&gateway, "r", &all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_during_creates_and_patches_lose_nothing_acknowledged_on_sqlite() {
    rounds(Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_during_creates_and_patches_lose_nothing_acknowledged_on_postgres() {
    rounds(Store::Postgres).await;
}

/// The gateway stays up: it answers 503 while its database is gone and needs no restart when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_of_postgres_loses_nothing_acknowledged_and_the_gateway_recovers() {
    let mut cluster = Cluster::start(Fsync::On);
    let gateway = Gateway::start_on(&cluster, &[]).await;
    let caller = Caller::new(&gateway);
    let mut all = vec![];
    for round in 0..form::pick(POSTGRES_ROUNDS[0], POSTGRES_ROUNDS[1]) {
        let name = format!("pg{round:03}");
        let writes = interrupted(&caller, &name, Duration::from_millis(500), || cluster.kill9()).await;
        cluster.start_again();
        let back = Instant::now();
        while caller.send("POST", "/Users", Some(&user(&format!("afterwards-{round}")))).await.status != 201 {
            assert!(back.elapsed() < Duration::from_secs(10), "the gateway does not recover:\n{}", gateway.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_whole(&gateway, &name, &writes).await;
        all.extend(writes);
    }
    assert_whole(&gateway, "pg", &all).await;
}

/// The check itself: whatever goes missing of an acknowledged write, or stays of another, is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_notices_every_row_that_is_missing_or_left() {
    for (tampering, sql) in [
        ("nothing", ""),
        ("a log row lost", "DELETE FROM log WHERE request_id = 'tp-q1'"),
        ("a history row lost", "DELETE FROM history WHERE id = (SELECT history_id FROM log WHERE request_id = 'tp-q1')"),
        ("an outbox row lost", "DELETE FROM outbox WHERE log_id = (SELECT id FROM log WHERE request_id = 'tp-q1')"),
        ("a profile behind", "UPDATE users SET doc = replace(doc, 'tp 2', 'tp 1')"),
        ("a resource behind", "UPDATE identities SET raw = replace(raw, 'tp 2', 'tp 1')"),
        ("an identity lost", "DELETE FROM identities"),
        ("a profile left alone", "UPDATE identities SET external_id = 'else'"),
        ("a write nobody sent", "UPDATE log SET request_id = 'tp-q9' WHERE request_id = 'tp-q2'"),
    ] {
        let gateway = Gateway::start(Store::Sqlite).await;
        let (round, caller) = (Round::default(), Caller::new(&gateway));
        let id = round.write(&caller, "tp", None, None, 0).await.expect("acknowledged");
        for number in 1..=2 {
            round.write(&caller, "tp", Some(&format!("tp {number}")), Some(&id), number).await.expect("acknowledged");
        }
        let file = gateway.database_url().strip_prefix("sqlite://").expect("a file");
        rusqlite::Connection::open(file).expect("opens").execute_batch(sql).expect("runs");
        let mut database = Database::open(gateway.database_url()).await;
        let faults = Rows::of(&mut database, "tp").await.faults(&round.writes.lock().unwrap());
        assert_eq!(faults.is_empty(), sql.is_empty(), "{tampering}: {faults:?}");
    }
}
