//! What may go wrong around the gateway while it works: statements that fail to serialise, a database that goes in the
//! middle of a load, clients that are slow, leave, or never say what they want. What was acknowledged is there, what was
//! refused is not, and everybody else is served.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::caller::{Caller, group, on_both_gateways, user};
use super::support::form;
use super::support::gateway::Gateway;
use super::support::postgres::{self, Cluster, Fsync};
use super::support::rows::Database;
use super::support::serialization_faults::SerializationFaults;

const WRITERS: usize = 8;
/// Within this a healthy gateway answers whatever else goes on.
const SOON: Duration = Duration::from_secs(5);

/// Creates, reads, finds, changes and groups people; every request has to succeed.
async fn work(caller: Caller, group_id: String, writer: usize, turns: usize) {
    for turn in 0..turns {
        let name = format!("w{writer}-{turn}");
        let id = caller.create("Users", &user(&name)).await;
        let title = caller.patch(&format!("/Users/{id}"), json!([{"op": "replace", "path": "title", "value": name}])).await;
        assert_eq!(title.status, 200, "{}", title.text);
        let joins = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        let joined = caller.patch(&format!("/Groups/{group_id}"), joins).await;
        assert!(joined.status < 300, "{} {}", joined.status, joined.text);
        assert_eq!(caller.get(&format!("/Users/{id}")).await.json()["title"], name.as_str());
        assert_eq!(caller.find("Users", &format!("userName eq \"{name}\"")).await.json()["totalResults"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kth_statement_that_fails_to_serialise_goes_round_and_costs_no_request() {
    let port = postgres::cluster().port;
    let faults = SerializationFaults::before(port).await;
    let direct = postgres::cluster().fresh_database().await;
    let gateway = Gateway::start_at(faults.url(&direct, port), &[]);
    let caller = Caller::new(&gateway);
    let group_id = caller.create("Groups", &group("everybody", &[])).await;
    for (round, k) in [7, 3].into_iter().enumerate() {
        faults.fail_every(k);
        let before = faults.failed();
        let tasks: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(work(caller.clone(), group_id.clone(), round * WRITERS + writer, form::pick(5, 100))))
            .collect();
        for task in tasks {
            task.await.unwrap_or_else(|error| panic!("every {k}th: {error}\n{}", gateway.output()));
        }
        assert!(faults.failed() - before > WRITERS, "the faults were really there: {}", faults.failed() - before);
    }
    faults.fail_every(0);
    let people = i64::try_from(2 * WRITERS * form::pick(5, 100)).expect("few");
    assert_eq!(caller.get("/Users?count=0").await.json()["totalResults"], people, "nobody twice, nobody lost");
    let mut database = Database::open(&direct).await;
    for (what, query) in [
        ("members", "SELECT count(*) AS n FROM members"),
        ("histories of creations", "SELECT count(*) AS n FROM history WHERE event = 'scim.user.created'"),
        ("log rows of creations", "SELECT count(*) AS n FROM log WHERE kind = 'scim.user.created'"),
        ("events of creations", "SELECT count(*) AS n FROM outbox WHERE kind = 'user.created'"),
    ] {
        assert_eq!(database.rows(query).await[0]["n"], people, "{what}");
    }
}

/// Creates people until told to stop; the names that were acknowledged and those that were refused.
async fn create_until(stop: Arc<AtomicBool>, caller: Caller, writer: usize) -> (Vec<String>, Vec<String>) {
    let (mut acknowledged, mut refused) = (vec![], vec![]);
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("load-{writer}-{number}");
        let answer = caller.send("POST", "/Users", Some(&user(&name))).await;
        match answer.status {
            201 => acknowledged.push(name),
            503 => {
                assert!(answer.header("retry-after").is_some(), "{}", answer.text);
                refused.push(name);
                // As a client does that was told to come back, only sooner.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => panic!("{other} {}", answer.text),
        }
        assert!(answer.took < Duration::from_secs(10), "{:?}", answer.took);
    }
    (acknowledged, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_under_load_and_comes_back_loses_nothing_acknowledged() {
    let mut cluster = Cluster::start(Fsync::Off);
    let gateway = Gateway::start_on(&cluster, &[]).await;
    let caller = Caller::new(&gateway);
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(create_until(stop.clone(), caller.clone(), writer))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.stop();
    tokio::time::sleep(Duration::from_secs(form::pick(4, 30))).await;
    let lives = gateway.send("GET", &format!("{}/healthz", gateway.base_url()), &[], None).await.expect("it lives");
    assert_eq!(lives.status, 200);
    cluster.start_again();
    let back = Instant::now();
    while caller.get("/Users?count=0").await.status != 200 {
        assert!(back.elapsed() < Duration::from_secs(10), "it recovers by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::SeqCst);
    let (mut acknowledged, mut refused) = (HashSet::new(), HashSet::new());
    for task in load {
        let (yes, no) = task.await.expect("201 or 503 and nothing else");
        acknowledged.extend(yes);
        refused.extend(no);
    }
    assert!(acknowledged.len() > WRITERS && refused.len() > WRITERS, "{} and {}", acknowledged.len(), refused.len());
    let mut database = Database::open(gateway.database_url()).await;
    let rows = database.rows("SELECT user_name AS name FROM identities WHERE listed").await;
    let stored: HashSet<String> = rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(acknowledged.difference(&stored).collect::<Vec<_>>(), Vec::<&String>::new(), "acknowledged and gone");
    // A write whose answer was lost with the connection may be there; then all of it is.
    for query in [
        "SELECT count(*) AS n FROM users",
        "SELECT count(*) AS n FROM history",
        "SELECT count(*) AS n FROM log WHERE kind = 'scim.user.created'",
        "SELECT count(*) AS n FROM outbox WHERE kind = 'user.created'",
    ] {
        assert_eq!(database.rows(query).await[0]["n"], stored.len(), "{query}");
    }
}

fn authority(gateway: &Gateway) -> &str {
    gateway.base_url().strip_prefix("http://").expect("plain HTTP")
}

fn request(gateway: &Gateway, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    format!(
        "{method} /scim/v2/connections/scim{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-type: application/scim+json\r\ncontent-length: {}\r\n\r\n{body}",
        authority(gateway),
        gateway.token(),
        body.len()
    )
    .into_bytes()
}

/// How many requests the gateway works on; the one that asks is not counted.
async fn in_flight(gateway: &Gateway) -> i64 {
    let numbers = gateway.send("GET", &format!("{}/metrics", gateway.base_url()), &[], None).await.expect("numbers").text;
    let line = numbers.lines().find_map(|line| line.strip_prefix("rosterd_http_requests_in_flight "));
    line.and_then(|number| number.parse::<i64>().ok()).expect("a number of requests")
}

on_both_gateways! {
    async fn clients_that_vanish_leave_whole_writes_or_none_and_no_work_behind(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for number in 0..form::pick(100, 1_000) {
            let mut stream = TcpStream::connect(authority(&gateway)).await.expect("the gateway listens");
            let bytes = request(&gateway, "POST", "/Users", Some(&user(&format!("vanished-{number}"))));
            // Whole, or all but the last bytes of the body, or half of the head.
            let sent = [bytes.len(), bytes.len() - 3, 40][number % 3];
            stream.write_all(&bytes[..sent]).await.expect("taken");
            drop(stream);
        }
        let began = Instant::now();
        while in_flight(&gateway).await > 0 {
            assert!(began.elapsed() < SOON, "{} are still worked on", in_flight(&gateway).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        caller.create("Users", &user("here")).await;
        let mut database = Database::open(gateway.database_url()).await;
        let people = database.rows("SELECT count(*) AS n FROM identities").await[0]["n"].clone();
        for query in [
            "SELECT count(*) AS n FROM users",
            "SELECT count(*) AS n FROM history",
            "SELECT count(*) AS n FROM log WHERE kind = 'scim.user.created'",
        ] {
            assert_eq!(database.rows(query).await[0]["n"], people, "{query}");
        }
        assert_eq!(caller.get("/Users?count=0").await.json()["totalResults"], people);
    }

    async fn a_client_that_closes_its_half_is_answered_or_gone_and_never_half_served(store) {
        let gateway = Gateway::start(store).await;
        let mut answered = 0;
        for number in 0..20 {
            let name = format!("half-{number}");
            let mut stream = TcpStream::connect(authority(&gateway)).await.expect("the gateway listens");
            stream.write_all(&request(&gateway, "POST", "/Users", Some(&user(&name)))).await.expect("taken");
            stream.shutdown().await.expect("our half is closed");
            let mut answer = vec![];
            tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the other half closes too").expect("in order");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let found = Caller::new(&gateway).find("Users", &format!("userName eq \"{name}\"")).await.json()["totalResults"].clone();
            if !answer.is_empty() {
                assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
                assert_eq!(found, 1, "what was acknowledged is there");
                answered += 1;
            }
        }
        eprintln!("{store:?}: {answered} of 20 were answered");
    }

    async fn slow_heads_hold_up_nobody_and_are_let_go(store) {
        let gateway = Gateway::start_with(store, &[("server.header_timeout_seconds", "2")]).await;
        let mut slow = vec![];
        for _ in 0..form::pick(200, 2_000) {
            let mut stream = TcpStream::connect(authority(&gateway)).await.expect("the gateway listens");
            stream.write_all(b"GET /scim/v2/connections/scim/Users HTTP/1.1\r\nx-slow: ").await.expect("taken");
            slow.push(stream);
        }
        let caller = Caller::new(&gateway);
        for number in 0..20 {
            caller.create("Users", &user(&format!("served-{number}"))).await;
        }
        // One byte now and then does not keep a connection alive.
        let began = Instant::now();
        let mut ended = 0;
        while ended < slow.len() {
            assert!(began.elapsed() < Duration::from_secs(20), "{ended} of {} were let go", slow.len());
            ended = 0;
            for stream in &mut slow {
                let _ = stream.write_all(b"a").await;
                let mut rest = [0_u8; 512];
                let read = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut rest)).await;
                ended += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn clients_that_read_slowly_hold_up_nobody(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut long = user("long");
        long["title"] = "x".repeat(900).into();
        for number in 0..100 {
            long["userName"] = format!("long-{number}").into();
            long["externalId"] = format!("long-{number}").into();
            caller.create("Users", &long).await;
        }
        let mut slow = vec![];
        for _ in 0..50 {
            let mut stream = TcpStream::connect(authority(&gateway)).await.expect("the gateway listens");
            // Page after page asked for at once, and none read.
            let page = request(&gateway, "GET", "/Users?count=100", None);
            stream.write_all(&page.repeat(20)).await.expect("taken");
            slow.push(stream);
        }
        let began = Instant::now();
        for number in 0..20 {
            caller.create("Users", &user(&format!("quick-{number}"))).await;
        }
        assert!(began.elapsed() < SOON * 2, "{:?}", began.elapsed());
        drop(slow);
        caller.create("Users", &user("afterwards")).await;
    }
}
