//! One suite for both databases: whatever a caller may rely on.

use crate::support::postgres::{Cluster, Fsync};
use crate::support::stores::{TestStore, both_stores, on_both};
use rosterd::args;
use rosterd::model::connection::{Connection, ConnectionKind, Options};
use rosterd::model::ids::{ConnectionId, TenantId};
use rosterd::secret::Secret;
use rosterd::store::sync_state::{self, SyncState};
use rosterd::store::{Backend, Batch, Error, Keys, Row, SchemaState, Store, StoreOptions, Value, statements};
use std::time::Duration;

const TENANT: &str = "INSERT INTO tenants (tenant_id, name, host, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)";
const TENANT_ONCE: &str =
    "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING";
const NAMES: &str = "SELECT name FROM tenants ORDER BY name";
const VERSION: &str = "SELECT version FROM tenants WHERE tenant_id = $1";
const RENAME: &str = "UPDATE tenants SET name = $1, version = version + 1 WHERE tenant_id = $2 AND version = $3";
const RENAME_ANY: &str = "UPDATE tenants SET name = $1 WHERE tenant_id = $2";
const REMOVE: &str = "DELETE FROM tenants WHERE tenant_id = $1";
const ORGANIZATION: &str = "INSERT INTO organizations (tenant_id, id, name, created_at, updated_at) VALUES ($1, $2, $3, 0, 0)";
const ORGANIZATION_IF_TENANT: &str = "INSERT INTO organizations (tenant_id, id, name, created_at, updated_at) \
    SELECT $1, $2, $3, 0, 0 WHERE EXISTS (SELECT 1 FROM tenants WHERE tenant_id = $1)";
const ORGANIZATION_BY_HOST: &str = "INSERT INTO organizations (tenant_id, id, name, created_at, updated_at) \
    SELECT tenants.tenant_id, $1, $2, 0, 0 FROM tenants WHERE tenants.host = $3";
const ORGANIZATION_UPSERT: &str = "INSERT INTO organizations (tenant_id, id, name, created_at, updated_at) \
    VALUES ($1, $2, $3, 0, 0) ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name";
const ORGANIZATION_RENAME: &str = "UPDATE organizations SET name = $3, version = version + 1 \
    WHERE tenant_id = $1 AND id = $2 AND version = $4";
const ORGANIZATION_TOUCH: &str =
    "UPDATE organizations SET version = version + $4, updated_at = $3 WHERE tenant_id = $1 AND id = $2";
const COUNT: &str = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, 'k', $3, $4) \
    ON CONFLICT (tenant_id, scope, kind, slot) DO UPDATE SET total = counters.total + excluded.total";
const ORGANIZATIONS: &str = "SELECT name FROM organizations WHERE tenant_id = $1 ORDER BY name";
const CONNECTION: &str = "INSERT INTO connections (tenant_id, id, name, kind, organization_id, secrets, created_at, updated_at) \
    VALUES ($1, $2, $3, 'scim', $4, $5, 0, 0)";
const BLOCKED_USER: &str = "INSERT INTO users (tenant_id, id, user_id, blocked, doc, provenance, created_at, updated_at, \
    last_login_at) VALUES ($1, $2, $3, $4, '{}', '{}', 0, 0, $5)";

fn tenant(id: &str) -> Vec<Value> {
    args![id, id, Option::<&str>::None, 7]
}

fn batch(fill: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::default();
    fill(&mut batch);
    batch
}

async fn names(store: &Store) -> Vec<String> {
    texts(&store.read(NAMES, vec![]).await.unwrap())
}

async fn organizations(store: &Store, tenant: &str) -> Vec<String> {
    texts(&store.read(ORGANIZATIONS, args![tenant]).await.unwrap())
}

fn texts(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.text(0).unwrap()).collect()
}

async fn with_tenants(store: &Store, ids: &[&str]) {
    store.apply(batch(|b| b.each(TENANT, ids.iter().map(|id| tenant(id)).collect()))).await.unwrap();
}

/// The outcomes of so many batches, all handed over at the same time.
async fn at_once(store: &Store, count: usize, make: impl Fn(usize) -> Batch) -> Vec<Result<(), Error>> {
    let writers: Vec<_> = (0..count)
        .map(|n| {
            let (store, batch) = (store.clone(), make(n));
            tokio::spawn(async move { store.apply(batch).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.push(writer.await.unwrap());
    }
    outcomes
}

// --- look-ups that wait go together -----------------------------------------------------------------------------

const TOMBSTONE: &str =
    "INSERT INTO tombstones (tenant_id, kind, subject, reason, created_at) VALUES ($1, 'identity', $2, 'x', 0)";

fn tombstones() -> &'static str {
    statements::look_ups().into_iter().find(|(name, _)| name.ends_with("FIND_REMOVED")).expect("it is one").1
}

on_both! {
    async fn each_of_hundreds_of_look_ups_at_once_gets_its_own_tenants_row_and_no_others(test) {
        test.store.apply(batch(|b| b.each(TOMBSTONE, (0..100).map(|n| args!["a", format!("s{n}")]).collect()))).await.unwrap();
        let asked: Vec<_> = (0..400)
            .map(|n| {
                let (store, tenant) = (test.store.clone(), if n % 2 == 0 { "a" } else { "b" });
                let subject = format!("s{}", n / 2);
                tokio::spawn(async move { (tenant, subject.clone(), store.look_up(tombstones(), args![tenant, subject]).await.unwrap()) })
            })
            .collect();
        for one in asked {
            let (tenant, subject, rows) = one.await.unwrap();
            let is_there = tenant == "a" && subject[1..].parse::<u32>().unwrap() < 100;
            let wanted = if is_there { vec![Row(args![subject.as_str()])] } else { vec![] };
            assert_eq!(rows, wanted, "{subject} of {tenant}");
        }
    }

    async fn a_look_up_for_each_answers_in_the_order_it_was_asked(test) {
        test.store.apply(batch(|b| b.each(TOMBSTONE, vec![args!["a", "x"], args!["a", "z"]]))).await.unwrap();
        let asked = vec![args!["a", "z"], args!["a", "y"], args!["b", "x"], args!["a", "x"]];
        let rows = test.store.look_up_each(tombstones(), asked).await.unwrap();
        assert_eq!(rows, [vec![Row(args!["z"])], vec![], vec![], vec![Row(args!["x"])]]);
        assert!(test.store.look_up_each(tombstones(), vec![]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_look_up_that_is_refused_takes_nobody_with_it() {
    let test = TestStore::postgres().await;
    test.store.apply(batch(|b| b.each(TOMBSTONE, vec![args!["a", "x"]]))).await.unwrap();
    let asked: Vec<_> = (0..64)
        .map(|n| {
            let (store, args) = (test.store.clone(), if n % 8 == 0 { args!["a", 7] } else { args!["a", "x"] });
            tokio::spawn(async move { store.look_up(tombstones(), args).await })
        })
        .collect();
    for (n, one) in asked.into_iter().enumerate() {
        let outcome = one.await.unwrap();
        assert_eq!(outcome.is_err(), n % 8 == 0, "{n}: {outcome:?}");
    }
}

// --- all or nothing ---------------------------------------------------------------------------------------------

on_both! {
    async fn a_batch_is_stored_whole(test) {
        let stored = batch(|b| {
            b.one(TENANT, tenant("t"));
            b.each(ORGANIZATION, vec![args!["t", "o1", "one"], args!["t", "o2", "two"]]);
        });
        test.store.apply(stored).await.unwrap();
        assert_eq!(organizations(&test.store, "t").await, ["one", "two"]);
    }

    async fn a_taken_key_is_a_conflict_and_leaves_no_row(test) {
        with_tenants(&test.store, &["t"]).await;
        let refused = batch(|b| {
            b.one(TENANT, tenant("new"));
            b.one(ORGANIZATION, args!["t", "o1", "one"]);
            b.any(TENANT, tenant("t"));
        });
        assert!(matches!(test.store.apply(refused).await, Err(Error::Conflict)));
        assert_eq!(names(&test.store).await, ["t"]);
        assert!(organizations(&test.store, "t").await.is_empty());
    }

    async fn a_taken_unique_index_is_a_conflict_too(test) {
        with_tenants(&test.store, &["t"]).await;
        let twice = batch(|b| b.each(ORGANIZATION, vec![args!["t", "o1", "one"], args!["t", "o2", "one"]]));
        assert!(matches!(test.store.apply(twice).await, Err(Error::Conflict)));
        assert!(organizations(&test.store, "t").await.is_empty());
    }

    async fn a_row_that_is_not_there_makes_the_batch_stale(test) {
        let stale = batch(|b| {
            b.one(TENANT, tenant("new"));
            b.one(RENAME, args!["x", "nobody", 1]);
        });
        assert!(matches!(test.store.apply(stale).await, Err(Error::Stale)));
        assert!(names(&test.store).await.is_empty());
    }

    async fn a_version_can_be_used_once(test) {
        with_tenants(&test.store, &["t"]).await;
        let rename = |name: &str| batch(|b| b.one(RENAME, args![name, "t", 1]));
        test.store.apply(rename("first")).await.unwrap();
        assert!(matches!(test.store.apply(rename("second")).await, Err(Error::Stale)));
        assert_eq!(names(&test.store).await, ["first"]);
    }

    async fn a_parent_that_went_makes_the_batch_stale(test) {
        let orphan = batch(|b| b.any(ORGANIZATION, args!["nobody", "o1", "one"]));
        assert!(matches!(test.store.apply(orphan).await, Err(Error::Stale)));
    }

    async fn a_missing_value_is_a_mistake_of_ours(test) {
        let nameless = batch(|b| b.any(TENANT, args!["t", Option::<&str>::None, Option::<&str>::None, 7]));
        assert!(matches!(test.store.apply(nameless).await, Err(Error::Statement { .. })));
        assert!(matches!(test.store.read("SELECT nope FROM tenants", vec![]).await, Err(Error::Statement { .. })));
    }

    async fn a_statement_that_may_touch_nothing_touches_nothing(test) {
        test.store.apply(batch(|b| b.any(REMOVE, args!["nobody"]))).await.unwrap();
        with_tenants(&test.store, &["t"]).await;
        test.store.apply(batch(|b| b.any(TENANT_ONCE, args!["t", "other"]))).await.unwrap();
        assert_eq!(names(&test.store).await, ["t"]);
        // The same, where a duplicate has to be noticed.
        assert!(matches!(test.store.apply(batch(|b| b.one(TENANT_ONCE, args!["t", "other"]))).await, Err(Error::Stale)));
    }

    async fn an_empty_batch_is_done(test) {
        test.store.apply(Batch::default()).await.unwrap();
    }

    async fn removing_a_parent_removes_its_rows(test) {
        with_tenants(&test.store, &["t"]).await;
        test.store.apply(batch(|b| b.any(ORGANIZATION, args!["t", "o1", "one"]))).await.unwrap();
        test.store.apply(batch(|b| b.one(REMOVE, args!["t"]))).await.unwrap();
        assert!(organizations(&test.store, "t").await.is_empty());
    }
}

// --- for each row -----------------------------------------------------------------------------------------------

on_both! {
    async fn updates_and_deletes_run_for_each_row(test) {
        with_tenants(&test.store, &["a", "b", "c"]).await;
        let renamed = batch(|b| b.each_one(RENAME, vec![args!["a2", "a", 1], args!["b2", "b", 1]]));
        test.store.apply(renamed).await.unwrap();
        assert_eq!(names(&test.store).await, ["a2", "b2", "c"]);
        let removed = batch(|b| b.each_one(REMOVE, vec![args!["a"], args!["c"]]));
        test.store.apply(removed).await.unwrap();
        assert_eq!(names(&test.store).await, ["b2"]);
    }

    async fn one_stale_row_of_many_undoes_all(test) {
        with_tenants(&test.store, &["a", "b"]).await;
        let stale = batch(|b| b.each_one(RENAME, vec![args!["a2", "a", 1], args!["b2", "b", 99]]));
        assert!(matches!(test.store.apply(stale).await, Err(Error::Stale)));
        let missing = batch(|b| b.each_one(REMOVE, vec![args!["a"], args!["nobody"]]));
        assert!(matches!(test.store.apply(missing).await, Err(Error::Stale)));
        assert_eq!(names(&test.store).await, ["a", "b"]);
    }

    async fn inserts_keep_what_they_say_of_duplicates(test) {
        with_tenants(&test.store, &["t"]).await;
        test.store.apply(batch(|b| b.each(TENANT_ONCE, vec![args!["t", "no"], args!["u", "u"]]))).await.unwrap();
        assert_eq!(names(&test.store).await, ["t", "u"]);
        let upsert = |rows| batch(|b| b.each_one(ORGANIZATION_UPSERT, rows));
        test.store.apply(upsert(vec![args!["t", "o1", "one"], args!["t", "o2", "two"]])).await.unwrap();
        test.store.apply(upsert(vec![args!["t", "o2", "zwei"], args!["t", "o3", "three"]])).await.unwrap();
        assert_eq!(organizations(&test.store, "t").await, ["one", "three", "zwei"]);
    }

    async fn inserts_from_a_selection_run_for_each_row(test) {
        with_tenants(&test.store, &["t"]).await;
        let rows = vec![args!["t", "o1", "one"], args!["nobody", "o2", "two"]];
        test.store.apply(batch(|b| b.each(ORGANIZATION_IF_TENANT, rows.clone()))).await.unwrap();
        assert_eq!(organizations(&test.store, "t").await, ["one"]);
        assert!(matches!(test.store.apply(batch(|b| b.one(ORGANIZATION_IF_TENANT, rows[1].clone()))).await, Err(Error::Stale)));
        test.store.apply(batch(|b| b.any(TENANT, args!["h", "h", "h.example", 7]))).await.unwrap();
        let rows = vec![args!["o1", "one", "h.example"], args!["o2", "two", "h.example"], args!["o3", "x", "other.example"]];
        test.store.apply(batch(|b| b.each(ORGANIZATION_BY_HOST, rows))).await.unwrap();
        assert_eq!(organizations(&test.store, "h").await, ["one", "two"]);
    }

    async fn thousands_of_rows_go_in_one_batch(test) {
        with_tenants(&test.store, &["t"]).await;
        let rows = (0..5_000).map(|n| args!["t", format!("o{n}"), format!("n{n}")]).collect();
        test.store.apply(batch(|b| b.each_one(ORGANIZATION, rows))).await.unwrap();
        assert_eq!(organizations(&test.store, "t").await.len(), 5_000);
    }
}

// --- values -----------------------------------------------------------------------------------------------------

on_both! {
    async fn nulls_of_each_type_are_stored_and_read(test) {
        with_tenants(&test.store, &["t"]).await;
        let rows = vec![
            args!["t", "c1", "c1", Option::<&str>::None, Option::<Vec<u8>>::None],
            args!["t", "c2", "c2", Option::<&str>::None, vec![0_u8, 255]],
        ];
        test.store.apply(batch(|b| b.each(CONNECTION, rows))).await.unwrap();
        let users = vec![args!["t", "u1", "a|1", true, Option::<i64>::None], args!["t", "u2", "a|2", false, i64::MIN]];
        test.store.apply(batch(|b| b.each(BLOCKED_USER, users))).await.unwrap();

        let rows = test.store.read("SELECT organization_id, secrets FROM connections ORDER BY id", vec![]).await.unwrap();
        assert_eq!(rows[0].opt_text(0).unwrap(), None);
        assert_eq!((rows[0].opt_bytes(1).unwrap(), rows[1].opt_bytes(1).unwrap()), (None, Some(vec![0, 255])));
        assert!(rows[0].text(0).is_err());
        let rows = test.store.read("SELECT last_login_at FROM users ORDER BY id", vec![]).await.unwrap();
        assert_eq!((rows[0].opt_int(0).unwrap(), rows[1].opt_int(0).unwrap()), (None, Some(i64::MIN)));
        let sql = "SELECT CAST($1 AS BOOLEAN) IS NULL, CAST($2 AS BIGINT) IS NULL, CAST($3 AS TEXT) IS NULL";
        let nothing = args![Option::<bool>::None, Option::<i64>::None, Option::<&str>::None];
        let rows = test.store.read(sql, nothing).await.unwrap();
        assert!(rows[0].bool(0).unwrap() && rows[0].bool(1).unwrap() && rows[0].bool(2).unwrap());
    }

    async fn booleans_are_conditions_and_columns(test) {
        with_tenants(&test.store, &["t"]).await;
        let users = vec![args!["t", "u1", "a|1", true, 1], args!["t", "u2", "a|2", false, 2]];
        test.store.apply(batch(|b| b.each(BLOCKED_USER, users))).await.unwrap();
        let ids = |sql| { let store = test.store.clone(); async move { texts(&store.read(sql, vec![]).await.unwrap()) } };
        assert_eq!(ids("SELECT id FROM users WHERE blocked").await, ["u1"]);
        assert_eq!(ids("SELECT id FROM users WHERE NOT blocked").await, ["u2"]);
        let rows = test.store.read("SELECT blocked FROM users WHERE blocked = $1", args![false]).await.unwrap();
        assert!(!rows[0].bool(0).unwrap());
    }

    async fn text_is_ordered_by_bytes(test) {
        with_tenants(&test.store, &["b", "B", "a", "Z", "ä", "_", "zz", "É", "ab"]).await;
        assert_eq!(names(&test.store).await, ["B", "Z", "_", "a", "ab", "b", "zz", "É", "ä"]);
        let rows = test.store.read("SELECT name FROM tenants WHERE name >= $1 AND name < $2 ORDER BY name", args!["a", "b"]);
        assert_eq!(texts(&rows.await.unwrap()), ["a", "ab"]);
    }

    async fn text_comes_back_as_it_was(test) {
        let odd = "q'uote \"double\" $1 ?1 % _ \\ \u{1f600} e\u{301} \u{feff}\n\t";
        test.store.apply(batch(|b| b.any(TENANT, args!["t", odd, Option::<&str>::None, 7]))).await.unwrap();
        assert_eq!(names(&test.store).await, [odd]);
    }

    async fn text_with_nul_is_refused(test) {
        let refused = test.store.apply(batch(|b| b.any(TENANT, tenant("a\0b")))).await;
        assert!(matches!(refused, Err(Error::Statement { .. })));
        assert!(matches!(test.store.read(VERSION, args!["a\0b"]).await, Err(Error::Statement { .. })));
    }

    async fn a_column_of_another_kind_is_corrupt(test) {
        with_tenants(&test.store, &["t"]).await;
        let rows = test.store.read(VERSION, args!["t"]).await.unwrap();
        assert!(matches!(rows[0].text(0), Err(Error::Corrupt { .. })));
        assert!(matches!(rows[0].int(5), Err(Error::Corrupt { .. })));
    }

    async fn parameters_may_repeat_and_stand_in_any_order(test) {
        let rows = test.store.read("SELECT CAST($2 AS TEXT), CAST($1 AS BIGINT), CAST($2 AS TEXT)", args![7, "x"]).await.unwrap();
        assert_eq!((rows[0].text(0).unwrap(), rows[0].int(1).unwrap(), rows[0].text(2).unwrap()), ("x".into(), 7, "x".into()));
    }

    async fn a_wrong_number_of_arguments_is_refused(test) {
        assert!(matches!(test.store.read(VERSION, vec![]).await, Err(Error::Statement { .. })));
        assert!(matches!(test.store.apply(batch(|b| b.any(REMOVE, args!["t", "u"]))).await, Err(Error::Statement { .. })));
    }
}

// --- at once ----------------------------------------------------------------------------------------------------

on_both! {
    async fn what_was_answered_is_read(test) {
        for n in 0..100 {
            let id = format!("t{n:03}");
            test.store.apply(batch(|b| b.any(TENANT, tenant(&id)))).await.unwrap();
            assert_eq!(test.store.read(VERSION, args![id]).await.unwrap().len(), 1);
        }
    }

    async fn a_failing_batch_does_not_hurt_its_neighbours(test) {
        with_tenants(&test.store, &["taken"]).await;
        let writers: Vec<_> = (0..120).map(|n| {
            let store = test.store.clone();
            tokio::spawn(async move {
                let id = format!("t{n}");
                let good = tenant(&id);
                let outcome = store.apply(batch(|b| {
                    b.one(TENANT, good);
                    match n % 3 {
                        0 => b.any(TENANT, tenant("taken")),
                        1 => b.one(RENAME_ANY, args!["x", "nobody"]),
                        _ => {}
                    }
                })).await;
                match n % 3 {
                    0 => assert!(matches!(outcome, Err(Error::Conflict)), "{outcome:?}"),
                    1 => assert!(matches!(outcome, Err(Error::Stale)), "{outcome:?}"),
                    _ => outcome.unwrap(),
                }
            })
        }).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(names(&test.store).await.len(), 1 + 40);
    }

    async fn sixty_four_writers_of_one_row_lose_no_update(test) {
        with_tenants(&test.store, &["t"]).await;
        let writers: Vec<_> = (0..64).map(|n| {
            let store = test.store.clone();
            tokio::spawn(async move {
                loop {
                    let version = store.read(VERSION, args!["t"]).await.unwrap()[0].int(0).unwrap();
                    match store.apply(batch(|b| b.one(RENAME, args![format!("n{n}"), "t", version]))).await {
                        Ok(()) => return,
                        Err(Error::Stale) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        }).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(test.store.read(VERSION, args!["t"]).await.unwrap()[0].int(0).unwrap(), 65);
    }

    async fn of_many_alike_at_once_each_gets_its_own_outcome(test) {
        with_tenants(&test.store, &["t", "u"]).await;
        test.store.apply(batch(|b| b.one(ORGANIZATION, args!["t", "o", "taken"]))).await.unwrap();
        let of = |n: usize| if n.is_multiple_of(5) { "u" } else { "t" };
        let made = at_once(&test.store, 120, |n| batch(|b| {
            let name = if n % 4 == 1 { String::from("taken") } else { format!("n{n:03}") };
            b.one(ORGANIZATION, args![of(n), format!("o{n}"), name]);
        })).await;
        let mut firsts = 0;
        for (n, outcome) in made.iter().enumerate() {
            match outcome {
                Ok(()) if n % 4 == 1 => firsts += 1,
                Ok(()) => {}
                Err(Error::Conflict) => assert_eq!(n % 4, 1),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(firsts, 1, "the name is free once in the other tenant");
        let renamed = at_once(&test.store, 120, |n| batch(|b| {
            let expected = if n % 3 == 0 { 9 } else { 1 };
            b.one(ORGANIZATION_RENAME, args![of(n), format!("o{n}"), format!("m{n:03}"), expected]);
            b.one(ORGANIZATION, args![of(n), format!("with-o{n}"), format!("with {n:03}")]);
        })).await;
        for (n, outcome) in renamed.iter().enumerate() {
            let there = n % 4 != 1 || made[n].is_ok();
            assert_eq!(outcome.is_ok(), n % 3 != 0 && there, "{n}: {outcome:?}");
            assert!(matches!(outcome, Ok(()) | Err(Error::Stale)), "{n}: {outcome:?}");
        }
        let together = [organizations(&test.store, "t").await, organizations(&test.store, "u").await].concat();
        let (renamed_rows, came_with): (Vec<_>, Vec<_>) =
            together.iter().filter(|name| name.starts_with('m') || name.starts_with('w')).partition(|name| name.starts_with('m'));
        let stored = renamed.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!((renamed_rows.len(), came_with.len()), (stored, stored), "both or neither");
    }

    async fn amounts_that_are_added_at_once_all_count(test) {
        with_tenants(&test.store, &["t"]).await;
        test.store.apply(batch(|b| b.one(ORGANIZATION, args!["t", "o", "one"]))).await.unwrap();
        let added = at_once(&test.store, 120, |n| batch(|b| {
            b.add(ORGANIZATION_TOUCH, args!["t", "o", n as i64, 1], Keys::First(2));
            b.add(COUNT, args!["t", "s", (n % 8) as i64, 2], Keys::Drawn(3));
        })).await;
        assert!(added.iter().all(Result::is_ok), "{added:?}");
        let version = test.store.read("SELECT version FROM organizations", vec![]).await.unwrap()[0].int(0).unwrap();
        let total = test.store.read("SELECT CAST(sum(total) AS BIGINT) FROM counters", vec![]).await.unwrap()[0].int(0).unwrap();
        assert_eq!((version, total), (121, 240));
        let gone = at_once(&test.store, 2, |n| batch(|b| {
            b.add(ORGANIZATION_TOUCH, args!["t", if n == 0 { "o" } else { "nobody" }, 1, 1], Keys::First(2));
        })).await;
        assert!(gone[0].is_ok() && matches!(gone[1], Err(Error::Stale)), "{gone:?}");
    }

    async fn a_caller_that_goes_away_does_no_harm(test) {
        for n in 0..50 {
            let store = test.store.clone();
            let caller = tokio::spawn(async move { store.apply(batch(|b| b.any(TENANT, tenant(&format!("t{n}"))))).await });
            if n % 2 == 0 {
                tokio::task::yield_now().await;
            }
            caller.abort();
        }
        with_tenants(&test.store, &["last"]).await;
        assert!(names(&test.store).await.contains(&String::from("last")));
    }

    async fn a_closed_store_says_so(test) {
        with_tenants(&test.store, &["t"]).await;
        let clone = test.store.clone();
        test.store.close().await;
        assert!(!clone.is_ready());
        assert!(matches!(clone.read(NAMES, vec![]).await, Err(Error::Unavailable { .. })));
        assert!(matches!(clone.apply(batch(|b| b.any(TENANT, tenant("u")))).await, Err(Error::Unavailable { .. })));
        assert!(clone.ping().await.is_err());
        clone.close().await;
        let again = Store::open(&test.options).await.unwrap();
        assert_eq!(names(&again).await, ["t"]);
    }
}

// --- leases -----------------------------------------------------------------------------------------------------

on_both! {
    async fn a_lease_has_one_holder(test) {
        let claim = |owner: &'static str, now| {
            let store = test.store.clone();
            async move { store.claim_lease("", "relay", owner, now, 100).await.unwrap() }
        };
        assert_eq!(claim("a", 0).await, Some(1));
        assert_eq!(claim("b", 50).await, None);
        assert_eq!(claim("a", 60).await, Some(1), "renewed: the number stays");
        assert_eq!(claim("b", 159).await, None);
        assert_eq!(claim("b", 160).await, Some(2), "expired: taken");
        assert_eq!(claim("a", 170).await, None);
        test.store.release_lease("", "relay", "b").await.unwrap();
        assert_eq!(claim("a", 171).await, Some(3));
        // The one who slept through its lease writes nothing.
        let late = batch(|b| { b.guard_lease("", "relay", 2); b.any(TENANT, tenant("late")); });
        assert!(matches!(test.store.apply(late).await, Err(Error::Stale)));
        let held = batch(|b| { b.guard_lease("", "relay", 3); b.any(TENANT, tenant("held")); });
        test.store.apply(held).await.unwrap();
        assert_eq!(names(&test.store).await, ["held"]);
    }

    async fn a_failure_outside_a_run_touches_its_own_columns_and_nothing_once_a_run_ended(test) {
        with_tenants(&test.store, &["t"]).await;
        test.store.apply(batch(|b| b.one(CONNECTION, args!["t", "c", "corp", Option::<&str>::None, Value::Bytes(None)]))).await.unwrap();
        let connection = Connection {
            tenant_id: TenantId::new("t"),
            id: ConnectionId::new("c"),
            name: "corp".into(),
            kind: ConnectionKind::Ldap,
            organization_id: None,
            options: Options::defaults(ConnectionKind::Ldap),
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        let find = || sync_state::find(&test.store, &connection);
        let never = find().await.unwrap();
        let failed = |before: &SyncState, at: i64| SyncState {
            failures: before.failures + 1,
            failed_at: Some(at),
            last_error: Some("no password".into()),
            next_at: at + 300,
            ..SyncState::default()
        };
        let note = async |before: &SyncState, at: i64| {
            let after = failed(before, at);
            test.store.apply(batch(|b| sync_state::note_failure(b, &connection, (before, &after)))).await.unwrap();
        };
        note(&never, 7).await;
        let once = find().await.unwrap();
        assert_eq!((once.failures, once.failed_at, once.next_at, once.completed_at), (1, Some(7), 307, None));
        // What a run saved stays beside it.
        let done = SyncState { completed_at: Some(9), server: Some("ldaps://a".into()), paused_by: None, ..SyncState::default() };
        test.store.apply(batch(|b| sync_state::save(b, &connection, &done))).await.unwrap();
        // Read before that run ended: it says nothing any more.
        note(&once, 8).await;
        assert_eq!(find().await.unwrap(), done);
        note(&done, 10).await;
        let after = find().await.unwrap();
        assert_eq!((after.failures, after.server, after.completed_at), (1, done.server, Some(9)));
    }

    async fn of_many_that_claim_at_once_one_wins(test) {
        let claims: Vec<_> = (0..16).map(|n| {
            let store = test.store.clone();
            tokio::spawn(async move { store.claim_lease("t", "sync", &format!("owner{n}"), 5, 100).await.unwrap() })
        }).collect();
        let mut won = Vec::new();
        for claim in claims {
            won.extend(claim.await.unwrap());
        }
        assert_eq!(won, [1]);
    }
}

// --- the schema -------------------------------------------------------------------------------------------------

on_both! {
    async fn a_migrated_store_is_current_and_answers(test) {
        assert_eq!(test.store.schema_state().await.unwrap(), SchemaState::Current);
        test.store.ping().await.unwrap();
        assert!(test.store.is_ready());
        test.store.migrate().await.unwrap();
        assert_eq!(test.store.schema_state().await.unwrap(), SchemaState::Current);
    }

    async fn a_newer_schema_is_refused_in_words(test) {
        const NEWER: &str = "INSERT INTO schema_migrations (version, checksum, applied_at) VALUES ($1, 'x', 0)";
        test.store.apply(batch(|b| b.any(NEWER, args![999]))).await.unwrap();
        let error = test.store.migrate().await.unwrap_err().to_string();
        assert!(error.contains("newer than this binary"), "{error}");
        assert!(matches!(test.store.schema_state().await.unwrap(), SchemaState::Unusable(_)));
    }

    async fn a_changed_step_is_refused_in_words(test) {
        const CHANGE: &str = "UPDATE schema_migrations SET checksum = 'x' WHERE version = $1";
        test.store.apply(batch(|b| b.one(CHANGE, args![1]))).await.unwrap();
        let error = test.store.migrate().await.unwrap_err().to_string();
        assert!(error.contains("0001_roster.sql was applied with another text"), "{error}");
    }
}

#[tokio::test]
async fn an_empty_database_has_all_steps_before_it() {
    let (sqlite, _folder) = TestStore::sqlite_options();
    let (postgres, _other) = TestStore::postgres_options().await;
    for options in [sqlite, postgres] {
        let store = Store::open(&options).await.unwrap();
        assert!(matches!(store.schema_state().await.unwrap(), SchemaState::Pending(1..)), "{:?}", store.backend());
        store.close().await;
    }
}

async fn migrate_four_times_at_once(options: &StoreOptions) {
    let starters = (0..4).map(|_| {
        let options = options.clone();
        tokio::spawn(async move {
            let store = Store::open(&options).await.unwrap();
            store.migrate().await.unwrap();
            assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
            store.close().await;
        })
    });
    for starter in starters.collect::<Vec<_>>() {
        starter.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_starters_at_once_migrate_sqlite() {
    for _ in 0..5 {
        let (options, _folder) = TestStore::sqlite_options();
        migrate_four_times_at_once(&options).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_starters_at_once_migrate_postgres() {
    for _ in 0..5 {
        let (options, _folder) = TestStore::postgres_options().await;
        migrate_four_times_at_once(&options).await;
    }
}

#[tokio::test]
async fn both_databases_have_the_same_columns() {
    let [sqlite, postgres] = both_stores().await;
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let columns = "SELECT CAST(column_name AS TEXT) || ' ' || is_nullable FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position";
    for table in texts(&sqlite.store.read(tables, vec![]).await.unwrap()) {
        let pragma = format!(
            "SELECT name || CASE WHEN \"notnull\" THEN ' NO' ELSE ' YES' END FROM pragma_table_info('{table}') ORDER BY cid"
        );
        let there = texts(&sqlite.store.read_built(pragma, vec![]).await.unwrap());
        let here = postgres.store.read(columns, args![table.as_str()]);
        assert_eq!(there, texts(&here.await.unwrap()), "{table}");
    }
}

// --- too much, and away -----------------------------------------------------------------------------------------

/// Another process that holds the SQLite file for writing until it is dropped.
fn hold(test: &TestStore) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(test.folder.path().join("roster.db")).unwrap();
    other
        .execute_batch(
            "BEGIN IMMEDIATE; INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('other', 'other', 0, 0)",
        )
        .unwrap();
    other
}

async fn sqlite_with_queue(queue_max: usize) -> TestStore {
    let mut test = TestStore::sqlite().await;
    test.store.close().await;
    test.options.queue_max = queue_max;
    test.store = Store::open(&test.options).await.unwrap();
    test
}

fn write_later(store: &Store, id: &'static str) -> tokio::task::JoinHandle<Result<(), Error>> {
    let store = store.clone();
    tokio::spawn(async move { store.apply(batch(|b| b.any(TENANT, tenant(id)))).await })
}

/// Long enough for a spawned write to reach the writer.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_with_the_sqlite_file_is_waited_for_while_reads_go_on() {
    let test = TestStore::sqlite().await;
    let other = hold(&test);
    let waiting = write_later(&test.store, "mine");
    a_moment().await;
    assert!(!waiting.is_finished());
    assert!(names(&test.store).await.is_empty(), "reads see what is committed");
    other.execute_batch("COMMIT").unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(names(&test.store).await, ["mine", "other"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_write_queue_is_busy() {
    let test = sqlite_with_queue(1).await;
    let other = hold(&test);
    let at_work = write_later(&test.store, "first");
    a_moment().await;
    let queued = write_later(&test.store, "second");
    a_moment().await;
    let refused = test.store.apply(batch(|b| b.any(TENANT, tenant("third")))).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    at_work.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
    assert_eq!(names(&test.store).await, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_in_the_queue_writes_nothing() {
    let test = TestStore::sqlite().await;
    let other = hold(&test);
    let at_work = write_later(&test.store, "first");
    a_moment().await;
    let gone = write_later(&test.store, "gone");
    a_moment().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    other.execute_batch("ROLLBACK").unwrap();
    at_work.await.unwrap().unwrap();
    with_tenants(&test.store, &["last"]).await;
    assert_eq!(names(&test.store).await, ["first", "last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_accepted_before_the_close_are_stored() {
    let test = TestStore::sqlite().await;
    let other = hold(&test);
    let accepted = [write_later(&test.store, "a"), write_later(&test.store, "b")];
    a_moment().await;
    let closing = tokio::spawn({
        let store = test.store.clone();
        async move { store.close().await }
    });
    a_moment().await;
    other.execute_batch("ROLLBACK").unwrap();
    for write in accepted {
        write.await.unwrap().unwrap();
    }
    closing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_without_a_free_connection_is_busy() {
    let mut test = TestStore::postgres().await;
    test.store.close().await;
    (test.options.pool_size, test.options.pool_wait_ms) = (1, 300);
    test.store = Store::open(&test.options).await.unwrap();
    let slow = tokio::spawn({
        let store = test.store.clone();
        async move { store.read("SELECT TRUE FROM pg_sleep(2)", vec![]).await }
    });
    a_moment().await;
    let refused = test.store.read(NAMES, vec![]).await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    slow.await.unwrap().unwrap();
    assert!(names(&test.store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_unavailable_and_a_lost_connection_is_replaced() {
    let cluster = Cluster::start(Fsync::Off);
    let options = StoreOptions { pool_wait_ms: 500, ..StoreOptions::new(Secret::new(cluster.fresh_database().await)) };
    let store = Store::open(&options).await.unwrap();
    store.migrate().await.unwrap();

    let killer = Store::open(&options).await.unwrap();
    let others =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    killer.read(others, vec![]).await.unwrap();
    let mut lost = 0;
    while let Err(error) = store.ping().await {
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        lost += 1;
        assert!(lost < 20, "no recovery");
    }

    drop(cluster);
    let away = store.ping().await;
    assert!(matches!(away, Err(Error::Unavailable { .. })), "{away:?}");
    let away = store.apply(batch(|b| b.any(TENANT, tenant("t")))).await;
    assert!(matches!(away, Err(Error::Unavailable { .. })), "{away:?}");
    assert!(matches!(Store::open(&options).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn without_a_statement_cache_everything_still_works() {
    let mut test = TestStore::postgres().await;
    test.options.statement_cache = false;
    let store = Store::open(&test.options).await.unwrap();
    with_tenants(&store, &["a", "b"]).await;
    let refused = store
        .apply(batch(|b| {
            b.any(TENANT, tenant("c"));
            b.one(RENAME_ANY, args!["x", "nobody"]);
        }))
        .await;
    assert!(matches!(refused, Err(Error::Stale)));
    assert_eq!(names(&store).await, ["a", "b"]);
    let left = "SELECT count(*) FROM pg_prepared_statements";
    assert!(store.read(left, vec![]).await.unwrap()[0].int(0).unwrap() <= 1);
}

/// Plans made for empty tables would stay until autovacuum comes by.
#[tokio::test]
async fn statistics_of_young_tables_come_with_the_first_rows() {
    let test = TestStore::postgres().await;
    with_tenants(&test.store, &["t"]).await;
    let rows = (0..300).map(|n| args!["t", format!("o{n}"), format!("n{n}")]).collect();
    test.store.apply(batch(|b| b.each_one(ORGANIZATION, rows))).await.unwrap();
    let counted = "SELECT CAST(reltuples AS BIGINT) FROM pg_class WHERE relname = 'organizations'";
    for _ in 0..100 {
        if test.store.read(counted, vec![]).await.unwrap()[0].int(0).unwrap() == 300 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no statistics");
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_named() {
    let open = |url: &str| {
        let options = StoreOptions { pool_wait_ms: 300, ..StoreOptions::new(Secret::new(url.to_owned())) };
        async move { Store::open(&options).await.err().expect("refused") }
    };
    assert!(matches!(open("sqlite::memory:").await, Error::Setup { .. }));
    assert!(matches!(open("mysql://h/d").await, Error::Setup { .. }));
    assert!(matches!(open("sqlite:///nowhere/at/all.db").await, Error::Unavailable { .. }));
    let error = open("postgres://me:hunter2@127.0.0.1:1/x").await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let error = open("postgres://me:hunter2@127.0.0.1:notaport/x").await;
    assert!(matches!(error, Error::Setup { .. }) && !error.to_string().contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn each_store_knows_its_kind() {
    let [sqlite, postgres] = both_stores().await;
    assert_eq!((sqlite.store.backend(), postgres.store.backend()), (Backend::Sqlite, Backend::Postgres));
}
