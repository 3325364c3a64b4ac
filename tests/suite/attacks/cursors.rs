//! Cursors that lead nowhere they were not made for (scim.md §11.13).

use std::time::Duration;

use serde_json::Value;

use super::World;
use crate::support::caller::{Caller, assert_refused, on_both_gateways, user};
use crate::support::gateway::Gateway;

async fn populated(gateway: &Gateway) -> Caller {
    let caller = Caller::new(gateway);
    for number in 0..6 {
        caller.create("Users", &user(&format!("c{number}"))).await;
    }
    caller
}

async fn cursor(caller: &Caller, question: &str) -> String {
    let page = caller.get(&format!("/Users?count=2&cursor={question}")).await.json();
    page["nextCursor"].as_str().unwrap_or_else(|| panic!("no cursor: {page}")).to_owned()
}

on_both_gateways! {
    async fn forging_a_cursor(store) {
        let gateway = Gateway::start(store).await;
        let caller = populated(&gateway).await;
        let real = cursor(&caller, "").await;
        for at in [0, real.len() / 2, real.len() - 1] {
            let mut forged = real.clone().into_bytes();
            forged[at] = if forged[at] == b'x' { b'y' } else { b'x' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_refused(&caller.get(&format!("/Users?count=2&cursor={forged}")).await, 400, Some("invalidCursor"));
        }
        for made_up in ["x", "MQ", "v1.AAAA", &"A".repeat(9_000), "%00", "..%2F"] {
            assert_refused(&caller.get(&format!("/Users?count=2&cursor={made_up}")).await, 400, Some("invalidCursor"));
        }
    }

    async fn taking_a_cursor_to_another_question_connection_token_or_tenant(store) {
        let gateway = Gateway::start(store).await;
        let caller = populated(&gateway).await;
        let real = cursor(&caller, "").await;
        for question in ["filter=userName%20pr&", "sortBy=userName&", "attributes=userName&", "sortOrder=descending&"] {
            let answer = caller.get(&format!("/Users?{question}count=2&cursor={real}")).await;
            assert_refused(&answer, 400, Some("invalidCursor"));
        }
        for place in ["/Groups", "/"] {
            assert_refused(&caller.get(&format!("{place}?count=2&cursor={real}")).await, 400, Some("invalidCursor"));
        }
        assert_refused(&caller.get(&format!("/Users?count=3&cursor={real}")).await, 400, Some("invalidCount"));
        assert_refused(&caller.get(&format!("/Users?startIndex=1&count=2&cursor={real}")).await, 400, Some("invalidCursor"));

        let second = Caller::of(&gateway, "other", &gateway.connect("other", &[]));
        assert_refused(&second.get(&format!("/Users?count=2&cursor={real}")).await, 400, Some("invalidCursor"));
        let token: Value = serde_json::from_str(&gateway.cli(&["token", "create", "--connection", "scim", "--json"])).expect("JSON");
        let colleague = Caller::of(&gateway, "scim", token["token"].as_str().expect("a token"));
        assert_refused(&colleague.get(&format!("/Users?count=2&cursor={real}")).await, 400, Some("invalidCursor"));
        let world = World::new(store).await;
        for name in ["c0", "c1", "c2"] {
            world.ours.create("Users", &user(name)).await;
            world.theirs.create("Users", &user(name)).await;
        }
        let foreign = cursor(&world.theirs, "").await;
        assert_refused(&world.ours.get(&format!("/Users?count=2&cursor={foreign}")).await, 400, Some("invalidCursor"));
        assert_eq!(world.theirs.get(&format!("/Users?count=2&cursor={foreign}")).await.json()["itemsPerPage"], 1);
        assert_eq!(caller.get(&format!("/Users?count=2&cursor={real}")).await.status, 200, "whose it is may follow it");
    }

    async fn keeping_a_cursor_for_later(store) {
        let gateway = Gateway::start_with(store, &[("scim.cursor_timeout_seconds", "1")]).await;
        let caller = populated(&gateway).await;
        let real = cursor(&caller, "").await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_refused(&caller.get(&format!("/Users?count=2&cursor={real}")).await, 400, Some("expiredCursor"));
        assert_eq!(caller.get("/ServiceProviderConfig").await.json()["pagination"]["cursorTimeout"], 1);
    }

    async fn asking_for_pages_out_of_all_proportion_by_cursor(store) {
        let gateway = Gateway::start(store).await;
        let caller = populated(&gateway).await;
        for count in ["1000000000", "201", "0", "-1", "many", "99999999999999999999999"] {
            assert_refused(&caller.get(&format!("/Users?cursor=&count={count}")).await, 400, Some("invalidCount"));
        }
    }
}
