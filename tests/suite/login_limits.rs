//! How failed logins are counted, on both stores and with a clock that stands still: no span of a window holds more tries than
//! the limit, and every lock ends.

use crate::support::stores::on_both;
use rosterd::clock::SECOND;
use rosterd::model::ids::TenantId;
use rosterd::store::login_failures::{self, Counted, locked_until};
use rosterd::store::retention::{Kept, delete_some};
use rosterd::store::{Batch, Error, Store, Value};

const NOW: i64 = 1_764_000_000 * SECOND;
const WINDOW: i64 = 900 * SECOND;

fn tenant() -> TenantId {
    TenantId::new("t")
}

fn of(subject: &str, failures_max: u32) -> Counted {
    Counted { scope: "con_1".into(), subject: subject.into(), failures_max }
}

async fn with_tenant(store: &Store) {
    let mut batch = Batch::default();
    let sql = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $2, 0, 0)";
    batch.one(sql, vec![Value::from("t"), Value::from("t")]);
    store.apply(batch).await.expect("a tenant");
}

/// Is a try of all of these let through at `at`?
async fn passes(store: &Store, all: &[Counted], at: i64) -> bool {
    let mut batch = Batch::default();
    login_failures::count(&mut batch, &tenant(), all, at, WINDOW);
    match store.apply(batch).await {
        Ok(()) => true,
        Err(Error::Stale) => false,
        Err(error) => panic!("{error}"),
    }
}

on_both! {
    async fn no_window_holds_more_tries_than_the_limit_wherever_it_begins(test) {
        let store = &test.store;
        with_tenant(store).await;
        // Somebody tries every 100 seconds, for hours.
        let mut passed = Vec::new();
        for at in (0..200).map(|n| NOW + n * 100 * SECOND) {
            if passes(store, &[of("ann", 5)], at).await {
                passed.push(at);
            }
        }
        for first in &passed {
            let within = passed.iter().filter(|at| (*first..first + WINDOW).contains(at)).count();
            assert!(within <= 5, "{within} tries in one window: {passed:?}");
        }
        // A lock ends: what it refused was not counted.
        assert!(passed.len() > 40, "{}", passed.len());
    }

    async fn a_lock_says_until_when_and_ends_then(test) {
        let store = &test.store;
        with_tenant(store).await;
        let ann = of("ann", 2);
        assert!(passes(store, std::slice::from_ref(&ann), NOW).await && passes(store, std::slice::from_ref(&ann), NOW + SECOND).await);
        assert!(!passes(store, std::slice::from_ref(&ann), NOW + 2 * SECOND).await);
        let until = locked_until(store, &tenant(), &ann, NOW + 2 * SECOND, WINDOW).await.expect("read");
        assert_eq!(until, Some(NOW + SECOND + WINDOW));
        assert!(!passes(store, std::slice::from_ref(&ann), NOW + WINDOW).await);
        assert!(passes(store, std::slice::from_ref(&ann), NOW + SECOND + WINDOW).await);
        assert_eq!(locked_until(store, &tenant(), &ann, NOW + SECOND + WINDOW, WINDOW).await.expect("read"), None);
    }

    async fn a_try_counts_for_all_or_for_none(test) {
        let store = &test.store;
        with_tenant(store).await;
        let (ann, address) = (of("ann", 1), Counted { scope: String::new(), ..of("192.0.2.1", 3) });
        assert!(passes(store, &[address.clone(), ann.clone()], NOW).await);
        for _ in 0..10 {
            assert!(!passes(store, &[address.clone(), ann.clone()], NOW).await);
        }
        assert!(passes(store, &[address.clone(), of("bob", 1)], NOW).await);
        assert!(passes(store, &[address.clone(), of("cem", 1)], NOW).await);
        assert!(!passes(store, &[address, of("dan", 1)], NOW).await);
    }

    async fn an_address_that_many_sign_in_from_is_not_locked_by_failures_of_long_ago(test) {
        let store = &test.store;
        with_tenant(store).await;
        let address = Counted { scope: String::new(), ..of("192.0.2.1", 5) };
        // All day somebody signs in every ten seconds, and somebody fails every four minutes.
        for n in 0..2_000 {
            let at = NOW + n * 10 * SECOND;
            assert!(passes(store, std::slice::from_ref(&address), at).await, "the {n}th");
            if n % 24 != 0 {
                let mut batch = Batch::default();
                login_failures::take_back(&mut batch, &tenant(), &address);
                store.apply(batch).await.expect("taken back");
            }
        }
    }

    async fn an_address_has_no_more_tries_in_its_window_than_the_limit(test) {
        let store = &test.store;
        with_tenant(store).await;
        let address = Counted { scope: String::new(), ..of("192.0.2.1", 5) };
        for at in (0..5).map(|n| NOW + n * 100 * SECOND) {
            assert!(passes(store, std::slice::from_ref(&address), at).await);
        }
        assert!(!passes(store, std::slice::from_ref(&address), NOW + WINDOW - SECOND).await);
        assert_eq!(locked_until(store, &tenant(), &address, NOW + WINDOW - SECOND, WINDOW).await.expect("read"), Some(NOW + WINDOW));
        assert!(passes(store, std::slice::from_ref(&address), NOW + WINDOW).await);
    }

    async fn what_was_no_failure_is_taken_back_and_a_success_forgets(test) {
        let store = &test.store;
        with_tenant(store).await;
        let ann = of("ann", 2);
        for _ in 0..5 {
            assert!(passes(store, std::slice::from_ref(&ann), NOW).await);
            let mut batch = Batch::default();
            login_failures::take_back(&mut batch, &tenant(), &ann);
            store.apply(batch).await.expect("taken back");
        }
        assert!(passes(store, std::slice::from_ref(&ann), NOW).await && passes(store, std::slice::from_ref(&ann), NOW).await);
        assert!(!passes(store, std::slice::from_ref(&ann), NOW).await);
        let mut batch = Batch::default();
        login_failures::forget(&mut batch, &tenant(), &ann);
        store.apply(batch).await.expect("forgotten");
        assert!(passes(store, std::slice::from_ref(&ann), NOW).await);
    }

    async fn tries_at_once_are_no_more_than_the_limit(test) {
        let store = &test.store;
        with_tenant(store).await;
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let store = store.clone();
            waiting.spawn(async move { passes(&store, &[of("ann", 5)], NOW).await });
        }
        let passed = waiting.join_all().await.into_iter().filter(|passed| *passed).count();
        assert_eq!(passed, 5);
    }

    async fn rows_that_say_nothing_any_more_go(test) {
        let store = &test.store;
        with_tenant(store).await;
        assert!(passes(store, &[of("ann", 5), of("bob", 5)], NOW).await && passes(store, &[of("cem", 5)], NOW + SECOND).await);
        assert_eq!(delete_some(store, &tenant(), Kept::LoginFailures, NOW, 10).await.expect("asked"), 0);
        assert_eq!(delete_some(store, &tenant(), Kept::LoginFailures, NOW + 1, 10).await.expect("asked"), 2);
        assert_eq!(store.read("SELECT subject FROM login_failures", vec![]).await.expect("read").len(), 1);
    }
}
