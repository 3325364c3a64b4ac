//! The limits of `[scim]` that an operator sets, through the wire: each at its bound and one past it, and what discovery
//! says of them. `scim.filter_scan_max` is among the attacks.

use serde_json::{Value, json};

use super::support::caller::{Caller, assert_refused, on_both_gateways, user};
use super::support::gateway::Gateway;

fn shown(list: &Value) -> (usize, &Value) {
    let resources = list["Resources"].as_array().expect("Resources").len();
    assert_eq!(list["itemsPerPage"], resources);
    (resources, &list["totalResults"])
}

on_both_gateways! {
    async fn pages_are_of_the_sizes_that_are_set_and_discovery_says_so(store) {
        let gateway = Gateway::start_with(store, &[("scim.page_size_default", "2"), ("scim.page_size_max", "3")]).await;
        let caller = Caller::new(&gateway);
        for number in 0..4 {
            caller.create("Users", &user(&format!("paged-{number}"))).await;
        }
        for (query, expected) in [("", 2), ("?count=3", 3), ("?count=4", 3), ("?count=1", 1), ("?count=4&startIndex=3", 2)] {
            let list = caller.get(&format!("/Users{query}")).await.json();
            assert_eq!(shown(&list), (expected, &json!(4)), "{query}");
        }
        for (asked, expected) in [(json!({}), 2), (json!({"count": 3}), 3), (json!({"count": 4}), 3)] {
            for path in ["/Users/.search", "/.search"] {
                let list = caller.send("POST", path, Some(&asked)).await.json();
                assert_eq!(shown(&list), (expected, &json!(4)), "{path} {asked}");
            }
        }
        let config = caller.get("/ServiceProviderConfig").await.json();
        assert_eq!(config["filter"]["maxResults"], 3);
        assert_eq!((&config["pagination"]["defaultPageSize"], &config["pagination"]["maxPageSize"]), (&json!(2), &json!(3)));
    }

    async fn a_page_may_be_larger_than_the_default_maximum(store) {
        let gateway = Gateway::start_with(store, &[("scim.page_size_max", "201")]).await;
        let caller = Caller::new(&gateway);
        for number in 0..202 {
            caller.create("Users", &user(&format!("paged-{number}"))).await;
        }
        for (query, expected) in [("", 100), ("?count=201", 201), ("?count=202", 201)] {
            let list = caller.get(&format!("/Users{query}")).await.json();
            assert_eq!(shown(&list), (expected, &json!(202)), "{query}");
        }
    }

    async fn a_patch_has_as_many_operations_as_are_set_and_no_more(store) {
        let gateway = Gateway::start_with(store, &[("scim.patch_operations_max", "3")]).await;
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &user("patched")).await);
        let titles = |count: usize| (1..=count).map(|n| json!({"op": "replace", "path": "title", "value": format!("T{n}")})).collect();
        let answer = caller.patch(&path, titles(3)).await;
        assert_eq!((answer.status, &answer.json()["title"]), (200, &json!("T3")), "{}", answer.text);
        let refused = caller.patch(&path, titles(4)).await;
        assert_refused(&refused, 400, Some("invalidValue"));
        assert!(refused.text.contains("a PATCH has at most 3 operations, not 4"), "{}", refused.text);
        let keys = json!([{"op": "add", "value": {"title": "T5", "nickName": "N", "locale": "de", "timezone": "UTC"}}]);
        assert_refused(&caller.patch(&path, keys).await, 400, Some("invalidValue"));
        assert_eq!(caller.get(&path).await.json()["title"], "T3", "nothing of a refused request is done");
    }
}
