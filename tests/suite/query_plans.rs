//! How the databases run what the store asks them, on tables that are filled: no statement goes through a whole table, and a
//! page, a look-up or a member costs what it shows, wherever in whatever order it is (performance.md §3, scim.md §11.4, §11.8).
//!
//! SQLite counts the steps of its machine, PostgreSQL the rows each node of the plan read; both are held to a bound that
//! a walk over the table is far beyond. Fixed statements are asked for their plan alone.

use std::collections::BTreeSet;

use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, TenantId};
use rosterd::model::user_search::UserQuery;
use rosterd::scim::filter;
use rosterd::scim::mode::Mode;
use rosterd::scim::schema::registry;
use rosterd::search;
use rosterd::store::lists::{self, FIRST_ARGUMENT, Position};
use rosterd::store::query_sql::{self, Compiled, Target};
use rosterd::store::statements::{self, Form};
use rosterd::store::user_search::{self, Begin, OrderBy, Wanted};
use rosterd::store::{Value, groups, identities, logs};
use rusqlite::StatementStatus;
use rusqlite::config::DbConfig;
use serde_json::Value as Json;
#[expect(clippy::disallowed_types, reason = "the statements under test")]
use sqlx::AssertSqlSafe;
use sqlx::{Connection as _, Either, Executor, PgConnection, SqlSafeStr, Statement, TypeInfo};

use super::support::cost::{nodes, numbered, postgres_plan, postgres_plan_of_several, rows_read, sqlite_bound};
use super::support::stores::TestStore;

/// Users of the connection that is asked, and groups. Other tenants have as many together.
const USERS: i64 = 20_000;
const GROUPS: i64 = 20_000;
/// Rows of a page, and where a page by offset begins.
const PAGE: i64 = 20;
const OFFSET: i64 = 1_500;
/// What one row may cost: steps of SQLite's machine, rows read by PostgreSQL (its own, and what hangs on it).
const STEPS_PER_ROW: i64 = 250;
const ROWS_PER_ROW: f64 = 12.0;
/// What stepping over one row on the way to an offset may cost.
const STEPS_PER_ROW_PASSED: i64 = 15;

/// Entries of an index that a filter may collect.
const ENTRIES_MAX: i64 = 1_000;

/// Tables that grow with the people of a tenant.
const LARGE: &[&str] = &[
    "handles",
    "linked_profiles",
    "linked_history",
    "unresolved_members",
    "users",
    "user_values",
    "identities",
    "identity_values",
    "groups",
    "members",
    "blocks",
    "conflicts",
    "history",
    "log",
    "outbox",
    "traffic",
    "sessions",
    "login_failures",
    "codes",
    "grants",
    "access_tokens",
    "refresh_tokens",
    "consents",
    "webhook_deliveries",
    "replayed",
];

/// Statements that go through an index or a table from its beginning, and why they may.
const WALKS: &[(&str, &str)] = &[
    ("positions::WAITING_LOG", "the index holds only rows that wait for their place, for a moment each"),
    ("positions::WAITING_OUTBOX", "the same"),
    ("connections::ANY_IDENTITY_OF_CONNECTION", "until the first, when an administrator removes a connection"),
    ("tenants::ANY_USER", "until the first, when an administrator removes a tenant"),
    ("tenants::DELETE_TENANT_LOG", "all of a tenant's rows are what goes"),
    ("tenants::DELETE_TENANT_OUTBOX", "the same"),
    ("tenants::DELETE_TENANT_CONFLICTS", "the same"),
];

fn connection() -> Connection {
    Connection {
        tenant_id: TenantId::new("t1"),
        id: ConnectionId::new("c1"),
        name: "scim".into(),
        kind: ConnectionKind::Scim,
        organization_id: None,
        options: Options::defaults(ConnectionKind::Scim),
        version: 1,
        created_at: 0,
        updated_at: 0,
    }
}

/// Rows that both databases make themselves. `k00042` is what row 42 is called by, `i00042` and `g00042` are ids. `bytes` is the
/// type in which a database takes a text for bytes.
fn filling(bytes: &str) -> Vec<String> {
    let name = |letter: &str| format!("'{letter}' || substr(CAST(100000 + i AS TEXT), 2)");
    let (key, id, group) = (name("k"), name("i"), name("g"));
    let numbers = |most: i64| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})");
    let mut all = vec![];
    for (tenant, users, count) in [("t1", USERS, GROUPS), ("t2", USERS / 2, GROUPS / 2), ("t3", USERS / 2, GROUPS / 2)] {
        let connection = tenant.replace('t', "c");
        all.extend([
            format!("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('{tenant}', '{tenant}', 0, 0)"),
            format!("INSERT INTO connections (tenant_id, id, name, kind, created_at, updated_at) VALUES ('{tenant}', '{connection}', 'scim', 'scim', 0, 0)"),
            format!("{} INSERT INTO users (tenant_id, id, user_id, email, email_key, username_key, doc, provenance, created_at, updated_at) \
                SELECT '{tenant}', {id}, {key}, {key}, {key}, {key}, '{{}}', '{{}}', i, i FROM n", numbers(users)),
            format!("{} INSERT INTO identities (tenant_id, id, connection_id, profile_id, external_id, user_name, user_name_key, label, state, \
                listed, active, raw, last_source, first_seen, last_seen, created_at, updated_at) SELECT '{tenant}', {id}, '{connection}', {id}, \
                CASE WHEN i % 3 = 0 THEN NULL ELSE {key} END, {key}, {key}, {key}, 'active', i % 10 <> 9, TRUE, '{{\"userName\":\"x\"}}', 'push', \
                i, i, i, i FROM n", numbers(users)),
            format!("{} INSERT INTO identity_values (tenant_id, connection_id, attribute, value_key, identity_id) \
                SELECT '{tenant}', '{connection}', 'emails.value', {key}, {id} FROM n", numbers(users)),
            format!("{} INSERT INTO user_values (tenant_id, attribute, value_key, profile_id) \
                SELECT '{tenant}', 'name', {key}, {id} FROM n UNION ALL SELECT '{tenant}', 'given_name', {key}, {id} FROM n UNION ALL \
                SELECT '{tenant}', 'family_name', '', {id} FROM n UNION ALL SELECT '{tenant}', 'nickname', {key}, {id} FROM n UNION ALL \
                SELECT '{tenant}', 'email.domain', 'corp.example', {id} FROM n UNION ALL \
                SELECT '{tenant}', 'app_metadata.number', 's' || {key}, {id} FROM n", numbers(users)),
            format!("{} INSERT INTO groups (tenant_id, id, connection_id, external_id, name, name_key, raw, raw_hash, created_at, updated_at) \
                SELECT '{tenant}', {group}, '{connection}', CASE WHEN i % 3 = 0 THEN NULL ELSE {key} END, {key}, {key}, '{{}}', '', i, i FROM n", numbers(count)),
            format!("INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ('{tenant}', '{connection}', 'user', 0, {}), \
                ('{tenant}', '{connection}', 'user', 1, {users} - {users} / 10), ('{tenant}', '{connection}', 'group', 0, {count})", 0),
            // Ten members each, and one group of everybody.
            format!("{} INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) SELECT '{tenant}', \
                'g' || substr(CAST(100002 + i % 2000 AS TEXT), 2), {id}, 'User', 0 FROM n", numbers(users)),
            format!("{} INSERT INTO members (tenant_id, group_id, member_id, kind, added_at) SELECT '{tenant}', 'g00001', {id}, 'User', 0 FROM n", numbers(users)),
            format!("{} INSERT INTO blocks (tenant_id, profile_id, kind, origin, since, actor, reason) \
                SELECT '{tenant}', {id}, 'source', {id}, i, 'x', 'x' FROM n", numbers(users)),
            format!("{} INSERT INTO sessions (tenant_id, id, hash, profile_id, identity_id, data, created_at, last_seen_at, expires_at, \
                auth_time) SELECT '{tenant}', {id}, CAST({id} || '{tenant}' AS {bytes}), {id}, {id}, '{{}}', i, i, i, i FROM n", numbers(users)),
            format!("INSERT INTO clients (tenant_id, id, name, options, created_at, updated_at) VALUES ('{tenant}', 'app', 'app', '{{}}', 0, 0)"),
            format!("{} INSERT INTO grants (tenant_id, id, client_id, session_id, profile_id, identity_id, offline, scope, asked, auth_time, \
                created_at, expires_at) SELECT '{tenant}', {id}, 'app', {id}, {id}, {id}, TRUE, 'openid', '{{}}', i, i, i FROM n", numbers(users)),
            format!("{} INSERT INTO codes (tenant_id, hash, client_id, grant_id, session_id, profile_id, identity_id, redirect_uri, challenge, \
                scope, asked, auth_time, expires_at) SELECT '{tenant}', CAST({id} AS {bytes}), 'app', {id}, {id}, {id}, {id}, 'x', 'x', 'openid', \
                '{{}}', i, i FROM n", numbers(users)),
            format!("{} INSERT INTO access_tokens (tenant_id, hash, id, grant_id, scope, created_at, expires_at) \
                SELECT '{tenant}', CAST({id} AS {bytes}), {id}, {id}, 'openid', i, i FROM n", numbers(users)),
            format!("{} INSERT INTO refresh_tokens (tenant_id, hash, grant_id, created_at, expires_at) \
                SELECT '{tenant}', CAST({id} AS {bytes}), {id}, i, i FROM n", numbers(users)),
            format!("{} INSERT INTO consents (tenant_id, profile_id, client_id, scope, given_at) \
                SELECT '{tenant}', {id}, 'app', 'openid', i FROM n", numbers(users)),
            format!("{} INSERT INTO login_failures (tenant_id, scope, subject, failures, last_at) \
                SELECT '{tenant}', '{connection}', {key}, 1, i FROM n", numbers(users)),
            format!("{} INSERT INTO handles (tenant_id, connection_id, kind, handle_key, identity_id) \
                SELECT '{tenant}', '{connection}', 'email', {key}, {id} FROM n", numbers(users)),
            format!("{} INSERT INTO linked_profiles (tenant_id, id, primary_id, user_id, email_trusted, blocked, doc, provenance, version, \
                created_at, updated_at, logins_count, identities, blocks, merged, history_id, linked_at) SELECT '{tenant}', 'l' || {id}, {id}, \
                'l' || {id}, FALSE, FALSE, '{{}}', '{{}}', 1, i, i, 0, '[]', '{{}}', '{{}}', 'x', i FROM n", numbers(users)),
            format!("{} INSERT INTO linked_history (tenant_id, profile_id, id, version, event, actor, changes, created_at) \
                SELECT '{tenant}', 'l' || {id}, {id}, 1, 'x', 'x', '{{}}', i FROM n", numbers(users)),
            format!("{} INSERT INTO conflicts (tenant_id, id, connection_id, kind, state, subject, detail, created_at, updated_at) \
                SELECT '{tenant}', {id}, '{connection}', 'email_match', 'open', {key}, '{{}}', i, i FROM n", numbers(users)),
            format!("{} INSERT INTO unresolved_members (tenant_id, group_id, dn_key, dn) \
                SELECT '{tenant}', {group}, {key}, {key} FROM n", numbers(count)),
            format!("{} INSERT INTO traffic (tenant_id, id, connection_id, refused, created_at, request_id, method, path, status, duration_us, \
                signs, request_bytes, response_bytes) SELECT '{tenant}', {id}, '{connection}', i % 2 = 0, i, 'x', 'GET', '/', 200, 1, '[]', 0, 0 FROM n", numbers(users)),
            format!("{} INSERT INTO history (tenant_id, profile_id, id, version, event, actor, changes, created_at) \
                SELECT '{tenant}', {id}, {id}, 1, 'x', 'x', '{{}}', i FROM n", numbers(users)),
            format!("{} INSERT INTO log (tenant_id, id, position, kind, outcome, type, rare, connection_id, profile_id, user_id, client_id, ip, \
                actor, request_id, created_at) SELECT '{tenant}', {id}, i, 'x', 'ok', {key}, TRUE, '{connection}', {id}, {key}, {key}, {key}, \
                'x', 'x', i FROM n", numbers(users)),
            format!("INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, created_at, updated_at) \
                VALUES ('{tenant}', 'r00001', '{connection}', 'replay', 'done', '{{}}', 0, 0)"),
            format!("{} INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, created_at, updated_at) \
                SELECT '{tenant}', 'r' || CAST(i % 50 AS TEXT), '{connection}', 'replay', 'done', '{{}}', 0, 0 FROM n WHERE i <= 50", numbers(users)),
            format!("INSERT INTO walks (tenant_id, run_id, request, progress) VALUES ('{tenant}', 'r00001', '{{}}', '{{}}')"),
            format!("{} INSERT INTO replayed (tenant_id, run_id, identity_id, side, history_id, before, created_at) \
                SELECT '{tenant}', 'r' || CAST(i % 50 AS TEXT), {id}, 'scim', {id}, '{{}}', i FROM n", numbers(users)),
            format!("{} INSERT INTO outbox (tenant_id, id, position, kind, profile_id, version, changed, log_id, created_at) \
                SELECT '{tenant}', {id}, i, 'x', {id}, 1, '[]', 'x', i FROM n", numbers(users)),
            format!("INSERT INTO webhooks (tenant_id, id, url, description, types, allow_plaintext, enabled, secret, position, created_at, updated_at) \
                VALUES ('{tenant}', 'hook', 'x', '', '', FALSE, TRUE, CAST('x' AS {bytes}), 0, 0, 0)"),
            format!("{} INSERT INTO webhook_deliveries (tenant_id, webhook_id, position, event_id, subject, attempts, first_at, next_at, dead_at) \
                SELECT '{tenant}', 'hook', i, {id}, {id}, 1, i, CASE WHEN i % 2 = 0 THEN i ELSE NULL END, \
                CASE WHEN i % 2 = 1 THEN i ELSE NULL END FROM n", numbers(users)),
        ]);
    }
    all
}

/// A database that was asked nothing yet but to be filled.
enum Filled {
    Sqlite(rusqlite::Connection, TestStore),
    Postgres(Box<PgConnection>, TestStore),
}

impl Filled {
    async fn sqlite(analyzed: bool) -> Self {
        let test = TestStore::sqlite().await;
        let connection = rusqlite::Connection::open(test.folder.path().join("roster.db")).expect("opens");
        // As the store opens it: a plan does not depend on the values that are bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("is set");
        connection.execute_batch(&format!("BEGIN; {}; COMMIT", filling("BLOB").join("; "))).expect("fills");
        if analyzed {
            connection.execute_batch("ANALYZE").expect("counts");
        }
        Self::Sqlite(connection, test)
    }

    async fn postgres(plans: &str) -> Self {
        let test = TestStore::postgres().await;
        let mut connection = Box::new(PgConnection::connect(test.options.url.expose()).await.expect("connects"));
        for sql in filling("BYTEA").into_iter().chain(["ANALYZE".to_owned(), format!("SET plan_cache_mode = {plans}")]) {
            sqlx::raw_sql(AssertSqlSafe(sql.clone()))
                .execute(&mut *connection)
                .await
                .unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
        Self::Postgres(connection, test)
    }

    /// The four ways a database may plan: without and with statistics, for any value and for this one.
    async fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("SQLite", Self::sqlite(false).await),
            ("SQLite with statistics", Self::sqlite(true).await),
            ("PostgreSQL, plans for any value", Self::postgres("force_generic_plan").await),
            ("PostgreSQL, plans for one value", Self::postgres("force_custom_plan").await),
        ]
    }

    /// What is wrong with how a form runs: more than `rows` shown and `passed` stepped over may cost.
    async fn run_faults(&mut self, form: &Form, rows: i64, passed: i64) -> Vec<String> {
        match self {
            Self::Sqlite(connection, _) => sqlite_run(connection, form, rows * STEPS_PER_ROW + passed * STEPS_PER_ROW_PASSED),
            Self::Postgres(connection, _) => {
                let plan = postgres_plan(connection, &form.sql, &form.args, true).await;
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let most = (rows as f64).mul_add(ROWS_PER_ROW, passed as f64);
                let (read, mut faults) = (rows_read(&plan), vec![]);
                if read > most {
                    faults.push(format!("{read} rows are read, at most {most} would do\n  {}\n  {plan}", form.sql));
                }
                faults
            }
        }
    }
}

fn sqlite_run(connection: &rusqlite::Connection, form: &Form, most: i64) -> Vec<String> {
    let mut statement = sqlite_bound(connection, &form.sql, &form.args);
    let mut rows = statement.raw_query();
    while rows.next().expect("a row").is_some() {}
    drop(rows);
    let spent = |status| i64::from(statement.get_status(status));
    let mut faults = vec![];
    for (status, what, most) in [
        (StatementStatus::FullscanStep, "steps through a whole table", 0),
        (StatementStatus::AutoIndex, "rows of an index made for this once", 0),
        (StatementStatus::VmStep, "steps", most),
    ] {
        if spent(status) > most {
            faults.push(format!("{} {what}, at most {most} would do\n  {}", spent(status), form.sql));
        }
    }
    faults
}

fn compiled(target: Target, text: &str) -> Compiled {
    let mode = Mode { strict: true };
    let resource_type = if target == Target::Users { &registry().user } else { &registry().group };
    let filter = filter::parse(text, mode).unwrap_or_else(|error| panic!("{text}: {error}"));
    let query = filter::compile(&filter, resource_type, mode).unwrap_or_else(|error| panic!("{text}: {error}"));
    query_sql::compile(&query, target, FIRST_ARGUMENT, ENTRIES_MAX)
}

async fn check(forms: &[(Form, i64, i64)]) {
    let mut faults = vec![];
    for (database, mut filled) in Filled::all().await {
        for (form, rows, passed) in forms {
            let found = filled.run_faults(form, *rows, *passed).await;
            faults.extend(found.into_iter().map(|fault| format!("{database}, {}: {fault}", form.name)));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_costs_its_own_rows_in_every_order_and_wherever_it_begins() {
    let mut forms = vec![];
    for (target, id) in [(Target::Users, "i02000"), (Target::Groups, "g02000")] {
        let position = Position { key: Some("k02000".to_owned()), id: id.to_owned() };
        for form in lists::page_forms(&connection(), target, None, (OFFSET, &position), PAGE) {
            // No position is there: nobody who was pushed has no user name.
            if form.name.starts_with("page by cursor") && form.name.contains("UserName") && form.name.ends_with("Keyless") {
                continue;
            }
            let passed = if form.name.starts_with("page by offset") { OFFSET + PAGE } else { 0 };
            forms.push((form, PAGE, passed));
        }
        // As far from the end: orders in which everybody is one stretch know where that is.
        let listed = if target == Target::Users { USERS - USERS / 10 } else { GROUPS };
        for form in lists::page_forms(&connection(), target, None, (listed - OFFSET, &position), PAGE) {
            if form.name.starts_with("page by offset") && (form.name.contains("column: Id") || form.name.contains("GroupName")) {
                forms.push((form, PAGE, OFFSET + PAGE));
            }
        }
    }
    assert!(forms.len() > 60, "{} forms", forms.len());
    check(&forms).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_looked_up_is_found_by_an_index() {
    let mut forms = vec![];
    let ids: Vec<String> = (100..110).map(|n| format!("i{n:05}")).collect();
    let group_ids: Vec<String> = (100..110).map(|n| format!("g{n:05}")).collect();
    for (target, filter, ids) in [
        (Target::Users, "userName eq \"K00100\"", &ids),
        (Target::Users, "userName sw \"k0010\"", &ids),
        (Target::Users, "externalId eq \"k00100\"", &ids),
        (Target::Users, "id eq \"i00100\"", &ids),
        (Target::Users, "emails.value eq \"k00100\"", &ids),
        (Target::Users, "emails[type eq \"work\" and value eq \"k00100\"]", &ids),
        (Target::Users, "userName eq \"k00100\" and active eq true", &ids),
        // One of two is enough of an index, wherever it stands, and either of two is both.
        (Target::Users, "emails co \"k\" and userName eq \"k00100\"", &ids),
        (Target::Users, "not (emails pr) and emails.value eq \"k00100\"", &ids),
        (Target::Users, "userName gt \"a\" and emails.value sw \"k0010\" and id pr", &ids),
        (Target::Users, "userName eq \"k00100\" or emails.value eq \"k00101\" or externalId eq \"k00103\"", &ids),
        (Target::Users, "userName sw \"k0010\" or (emails.value eq \"k00101\" and active eq true)", &ids),
        (Target::Users, "meta.created eq \"2026-01-01T00:00:00.0001Z\"", &ids),
        (Target::Groups, "displayName eq \"k00100\" or members.value eq \"i00101\"", &group_ids),
        (Target::Groups, "members.value eq \"i00100\" and displayName co \"k\"", &group_ids),
        (Target::Groups, "displayName eq \"k00100\"", &group_ids),
        (Target::Groups, "externalId eq \"k00100\"", &group_ids),
        (Target::Groups, "id eq \"g00100\"", &group_ids),
        (Target::Groups, "members.value eq \"i00100\"", &group_ids),
        (Target::Groups, "id eq \"g00100\" and members eq \"i00100\"", &group_ids),
    ] {
        for mut form in lists::look_up_forms(&connection(), target, &compiled(target, filter), ids) {
            form.name = format!("{}, {filter}", form.name);
            forms.push((form, PAGE, 0));
        }
    }
    let keys: Vec<String> = (100..110).map(|n| format!("k{n:05}")).collect();
    forms.extend(identities::forms(&connection(), &keys).into_iter().map(|form| (form, PAGE, 0)));
    forms.extend(logs::forms(&TenantId::new("t1"), "k00100", PAGE).into_iter().map(|form| (form, PAGE, 0)));
    for (group, name) in [("g00100", "a small group"), ("g00001", "a group of everybody")] {
        for mut form in groups::forms(&connection(), group, &ids) {
            form.name = format!("{} of {name}", form.name);
            forms.push((form, PAGE, 0));
        }
    }
    check(&forms).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_index_serves_is_looked_at_row_by_row_and_no_further_than_asked() {
    let mut forms = vec![];
    for (target, id, filters) in [
        (
            Target::Users,
            "i02000",
            [
                "userName co \"no\"",
                "userName ne \"k00100\"",
                "emails co \"no\" or emails.value ew \"no\"",
                "not (emails.value eq \"k00100\")",
                "not (userName pr) or emails.value gt \"z\"",
                "active eq false or not (externalId pr) or meta.lastModified gt \"2026-01-01T00:00:00Z\"",
            ],
        ),
        (
            Target::Groups,
            "g02000",
            [
                "displayName ew \"no\"",
                "displayName ne \"k00100\"",
                "not (members pr)",
                "members.value ne \"i00100\"",
                "not (members.value eq \"i00100\") or members.value gt \"z\"",
                "not (externalId sw \"k\") or meta.created gt \"2026-01-01T00:00:00Z\"",
            ],
        ),
    ] {
        let position = Position { key: Some("k02000".to_owned()), id: id.to_owned() };
        for filter in filters {
            let compiled = compiled(target, filter);
            assert!(compiled.walks, "{filter}");
            for mut form in lists::look_forms(&connection(), target, &compiled, &position, PAGE) {
                // No position is there: nobody who was pushed has no user name.
                if form.name.contains("UserName") && form.name.ends_with("Keyless, true") {
                    continue;
                }
                form.name = format!("{}, {filter}", form.name);
                forms.push((form, PAGE, 0));
            }
        }
    }
    assert!(forms.len() > 150, "{} forms", forms.len());
    check(&forms).await;
}

fn searched(text: &str) -> UserQuery {
    let node = search::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    node.map_or(UserQuery::All, |node| search::compile(&node).unwrap_or_else(|error| panic!("{text}: {error}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_users_costs_its_own_rows_in_every_order_and_so_does_one_look() {
    let tenant = TenantId::new("t1");
    let mut forms = vec![];
    for (q, rank) in [("", "everybody"), ("NOT name:*none*", "no index"), ("email.domain:corp.example", "of everybody one value")]
    {
        let query = searched(q);
        for order in user_search::orders() {
            let key = match order.by {
                OrderBy::Creation => None,
                OrderBy::CreatedAt | OrderBy::UpdatedAt => Some(Value::from(2_000_i64)),
                OrderBy::LastLogin | OrderBy::LoginsCount => Some(Value::from(0_i64)),
                OrderBy::Value("family_name") => Some(Value::from("")),
                _ => Some(Value::from("k02000")),
            };
            let middle = user_search::Position { key, id: "i02000".to_owned() };
            for begin in [Begin::Offset(0), Begin::After(Some(middle))] {
                let wanted = Wanted { query: &query, order, begin, take: PAGE, total: false, until: 0 };
                for mut form in user_search::forms(&tenant, &wanted, PAGE) {
                    if form.name == "looked at" || form.name == "everybody" || form.name == "users by id" {
                        form.name = format!("{} ({rank}), {order:?}, {:?}", form.name, wanted.begin);
                        forms.push((form, PAGE, 0));
                    }
                }
            }
        }
    }
    assert!(forms.len() > 150, "{} forms", forms.len());
    check(&forms).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_that_a_search_names_are_found_by_an_index() {
    let tenant = TenantId::new("t1");
    let mut forms = vec![];
    for q in [
        "name:K00100",
        "name:k0010*",
        "given_name:k00100 OR nickname:k00101",
        "email:k00100",
        "email:k0010*",
        "user_id:k00100",
        "user_id:k0010*",
        "app_metadata.number:\"k00100\"",
        "app_metadata.number:[k00100 TO k00105]",
        "created_at:\"1970-01-01T00:00:00.001Z\" name:k00100",
        "email.domain:corp.example name:k00100",
        "identities.connection:scim email:k00100",
        "name:k00100 AND NOT family_name:*none* AND logins_count:0",
        "k00100",
        "identities.user_id:\"scim|k00100\"",
        "last_login:[1970-01-01 TO *]",
        "blocked:true",
        "organization_id:org_1",
        "identities.connection:elsewhere",
    ] {
        let query = searched(q);
        // Which connection is meant is looked up in the statement, so that PostgreSQL can't know that hardly anybody came in by
        // it, and reads the identities once. Better: the name is looked up before.
        let passed = if q == "identities.connection:elsewhere" { 2 * USERS } else { 0 };
        for order in user_search::orders() {
            let wanted = Wanted { query: &query, order, begin: Begin::Offset(0), take: PAGE, total: false, until: 0 };
            for mut form in user_search::forms(&tenant, &wanted, PAGE) {
                if form.name != "looked at" {
                    form.name = format!("{}, {order:?}, {q}", form.name);
                    forms.push((form, PAGE, passed));
                }
            }
        }
    }
    check(&forms).await;
}

/// The names that stand for tables in a text, with the table of each.
fn aliases(sql: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let mut aliases = vec![];
    for (at, word) in words.iter().enumerate() {
        if ["FROM", "JOIN", "UPDATE", "INTO"].contains(word)
            && let Some(table) = words.get(at + 1).filter(|table| LARGE.contains(*table))
        {
            let named = words.get(at + 2).filter(|next| next.len() <= 6 && next.bytes().all(|byte| byte.is_ascii_lowercase()));
            aliases.push((named.unwrap_or(table).to_string(), (*table).to_owned()));
            aliases.push(((*table).to_owned(), (*table).to_owned()));
        }
    }
    aliases
}

fn short(name: &str) -> &str {
    name.strip_prefix("rosterd::store::").unwrap_or(name)
}

/// Whether a large table is walked: from its beginning, or all that a tenant has in it.
fn sqlite_walks(step: &str, aliases: &[(String, String)]) -> bool {
    let mut words = step.split(' ');
    let (what, named) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_large = aliases.iter().any(|(alias, _)| alias == named);
    is_large && (what == "SCAN" || step.ends_with("(tenant_id=?)"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fixed_statement_walks_over_a_large_table_on_sqlite() {
    let mut faults = vec![];
    for analyzed in [false, true] {
        let Filled::Sqlite(connection, _test) = Filled::sqlite(analyzed).await else { unreachable!("asked for") };
        for (name, sql) in statements::all() {
            let aliases = aliases(sql);
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", numbered(sql))).expect("prepared elsewhere");
            let steps =
                statement.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().expect("a plan");
            let walks = steps.iter().filter(|step| sqlite_walks(step, &aliases));
            faults.extend(walks.map(|step| (short(name), format!("{step}\n  {sql}"))));
        }
    }
    only_those_that_may(&faults);
    let walking: BTreeSet<&str> = faults.iter().map(|(name, _)| *name).collect();
    let stale: Vec<&str> = WALKS.iter().map(|(may, _)| *may).filter(|may| !walking.contains(may)).collect();
    assert_eq!(stale, Vec::<&str>::new(), "these walk no more");
}

/// Of a tenant that is there, so that nothing is known to be empty.
fn arguments(sql: &str, kinds: &[String]) -> Vec<Value> {
    kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| match kind.as_str() {
            "TEXT" if at == 0 => Value::from("t1"),
            "TEXT" if at == 1 && sql.contains("connection_id = $2") => Value::from("c1"),
            "TEXT" => Value::from("k00042"),
            "INT8" => Value::from(42_i64),
            "BOOL" => Value::from(true),
            _ => Value::Bytes(Some(vec![0])),
        })
        .collect()
}

/// Of both databases only PostgreSQL is asked for several at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_that_go_together_use_an_index_for_each() {
    for plans in ["force_generic_plan", "force_custom_plan"] {
        let Filled::Postgres(mut connection, _test) = Filled::postgres(plans).await else { unreachable!("asked for") };
        for (name, sql) in statements::look_ups() {
            let prepared = (&mut *connection).prepare(sql.into_sql_str()).await.expect("prepared elsewhere");
            let Some(Either::Left(types)) = prepared.parameters() else { panic!("{name}: no types") };
            let kinds: Vec<String> = types.iter().map(|kind| kind.name().to_owned()).collect();
            let asked = vec![arguments(sql, &kinds); 200];
            let text = statements::looked_up(sql, &asked[0]);
            let plan = postgres_plan_of_several(&mut connection, &text, &asked).await;
            for node in nodes(&plan) {
                let table = node["Relation Name"].as_str().unwrap_or_default();
                assert!(!(LARGE.contains(&table) && postgres_walks(node)), "{name} over {table} ({plans}): {node}\n  {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fixed_statement_walks_over_a_large_table_on_postgres() {
    let mut faults = vec![];
    for plans in ["force_generic_plan", "force_custom_plan"] {
        let Filled::Postgres(mut connection, _test) = Filled::postgres(plans).await else { unreachable!("asked for") };
        for (name, sql) in statements::all() {
            let prepared = (&mut *connection).prepare(sql.into_sql_str()).await.expect("prepared elsewhere");
            let kinds = match prepared.parameters() {
                Some(Either::Left(types)) => types.iter().map(|kind| kind.name().to_owned()).collect(),
                _ => vec![],
            };
            let args = arguments(sql, &kinds);
            let plan = postgres_plan(&mut connection, sql, &args, false).await;
            for node in nodes(&plan) {
                let table = node["Relation Name"].as_str().unwrap_or_default();
                if LARGE.contains(&table) && postgres_walks(node) {
                    faults.push((short(name), format!("{} over {table}: {node}\n  {sql}", node["Node Type"])));
                }
            }
        }
    }
    only_those_that_may(&faults);
}

/// Whether a node reads a table whole, or all that a tenant has in it.
fn postgres_walks(node: &Json) -> bool {
    let conditions = node["Index Cond"].as_str().or_else(|| node["Recheck Cond"].as_str()).unwrap_or_default();
    match node["Node Type"].as_str() {
        Some("Seq Scan") => true,
        // One row by the hash of a secret is what finds the tenant.
        Some("Index Scan" | "Index Only Scan" | "Bitmap Heap Scan") => {
            !conditions.contains(" AND ") && !conditions.starts_with("(hash = ")
        }
        _ => false,
    }
}

fn only_those_that_may(faults: &[(&str, String)]) {
    let strangers: Vec<&String> =
        faults.iter().filter(|(name, _)| !WALKS.iter().any(|(may, _)| may == name)).map(|(_, fault)| fault).collect();
    assert!(
        strangers.is_empty(),
        "{} walks\n{}",
        strangers.len(),
        strangers.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n")
    );
}
