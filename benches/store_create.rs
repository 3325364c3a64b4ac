//! Creates per second of the store alone: a user, an identity with 1.5 KB of document each, 6 values, history, log,
//! outbox and a counter slot in one batch, by 16 callers.
//!
//! `cargo bench --bench store_create -- sqlite:///path/of/a/new/file.db` or `-- postgres://…/an_empty_database`

#![expect(clippy::print_stdout, reason = "prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "ids for rows that are thrown away")]

use rosterd::args;
use rosterd::secret::Secret;
use rosterd::store::{Batch, Store, StoreOptions, Value};
use std::time::{Duration, Instant};

const CALLERS: usize = 16;
const FOR: Duration = Duration::from_secs(8);

const TENANT: &str = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, 0, 0)";
const CONNECTION: &str =
    "INSERT INTO connections (tenant_id, id, name, kind, created_at, updated_at) VALUES ($1, $2, $2, 'scim', 0, 0)";
const USER: &str = "INSERT INTO users (tenant_id, id, user_id, email, email_key, doc, provenance, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $4, $5, '{}', $6, $6)";
const IDENTITY: &str = "INSERT INTO identities (tenant_id, id, connection_id, profile_id, external_id, user_name, \
    user_name_key, state, listed, active, raw, raw_hash, last_source, first_seen, last_seen, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $6, 'active', TRUE, TRUE, $7, 'hash', 'push', $8, $8, $8, $8)";
const VALUE: &str =
    "INSERT INTO identity_values (tenant_id, connection_id, attribute, value_key, identity_id) VALUES ($1, $2, $3, $4, $5)";
const HISTORY: &str = "INSERT INTO history (tenant_id, profile_id, id, version, event, actor, changes, created_at) \
    VALUES ($1, $2, $3, 1, 'created', 'scim', '{}', $4)";
const LOG: &str = "INSERT INTO log (tenant_id, id, kind, outcome, actor, request_id, created_at) \
    VALUES ($1, $2, 'user.created', 'success', 'scim', $2, $3)";
const OUTBOX: &str = "INSERT INTO outbox (tenant_id, id, kind, profile_id, version, changed, log_id, created_at) \
    VALUES ($1, $2, 'user.created', $2, 1, '[]', $2, $3)";
const COUNT: &str = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, 'users', $3, 1) \
    ON CONFLICT (tenant_id, scope, kind, slot) DO UPDATE SET total = counters.total + excluded.total";

fn create(document: &str, number: i64) -> Batch {
    let id = uuid::Uuid::now_v7().to_string();
    let id = id.as_str();
    let name = format!("user-{id}@example.com");
    let mut batch = Batch::default();
    batch.one(USER, args!["t", id, format!("scim|c|{id}"), name.as_str(), document, number]);
    batch.one(IDENTITY, args!["t", id, "c", id, id, name.as_str(), document, number]);
    let values: Vec<Vec<Value>> = (0..6).map(|n| args!["t", "c", format!("attribute{n}"), format!("{n}-{name}"), id]).collect();
    batch.each(VALUE, values);
    batch.one(HISTORY, args!["t", id, id, number]);
    batch.one(LOG, args!["t", id, number]);
    batch.one(OUTBOX, args!["t", id, number]);
    batch.one(COUNT, args!["t", "c", number % 64]);
    batch
}

#[tokio::main]
async fn main() {
    let url = std::env::args().find(|arg| arg.contains("://"));
    let Some(url) = url else { return println!("give it the address of an empty database: sqlite://… or postgres://…") };
    let store = Store::open(&StoreOptions::new(Secret::new(url))).await.expect("the store opens");
    store.migrate().await.expect("the schema applies");
    let mut ground = Batch::default();
    ground.one(TENANT, args!["t"]);
    ground.one(CONNECTION, args!["t", "c"]);
    store.apply(ground).await.expect("an empty database");

    let document = "x".repeat(1_500);
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (store, document) = (store.clone(), document.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                while start.elapsed() < FOR {
                    let number = i64::try_from(took.len() * CALLERS + caller).expect("few");
                    let before = Instant::now();
                    store.apply(create(&document, number)).await.expect("stored");
                    took.push(before.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.await.expect("no panic"));
    }
    let rate = took.len() as f64 / start.elapsed().as_secs_f64();
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!("{rate:.0} creates/s, p50 {:.1?}, p99 {:.1?}", at(50), at(99));
    store.close().await;
}
