//! `/Me` for a token that is nobody's, and conditional requests on every verb (RFC 7644 §3.11, §3.14; RFC 9110 §13), through
//! the released binary on both stores.

use serde_json::{Value, json};

use crate::support::caller::{Caller, assert_refused, group, on_both_gateways, patch, user, version};
use crate::support::gateway::{Answer, Gateway};

/// A resource of each kind and a body that replaces it.
async fn subjects(caller: &Caller) -> [(String, Value); 2] {
    let person = caller.create("Users", &user("subject")).await;
    let team = caller.create("Groups", &group("Subject", &[&person])).await;
    [(format!("/Users/{person}"), user("subject")), (format!("/Groups/{team}"), group("Subject", &[&person]))]
}

fn rename(name: &str) -> Value {
    patch(json!([{"op": "replace", "path": "displayName", "value": name}]))
}

async fn tag_of(caller: &Caller, path: &str) -> String {
    let read = caller.get(path).await;
    let tag = read.header("etag").expect("an ETag").to_owned();
    assert_eq!(read.json()["meta"]["version"], tag.as_str(), "ETag and meta.version are one");
    tag
}

async fn conditional(caller: &Caller, method: &str, path: &str, header: &str, value: &str, body: Option<&Value>) -> Answer {
    caller.send_with(method, path, &[(header, value)], body).await
}

on_both_gateways! {
    async fn me_is_404_to_every_method(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for path in ["/Me", "/Me/", "/Me?attributes=userName", "/Me/x/y"] {
                assert_refused(&caller.send(method, path, (method == "POST").then_some(&user("me"))).await, 404, None);
            }
        }
        assert_eq!(caller.send("HEAD", "/Me", None).await.status, 404);
        assert_refused(&Caller::of(&gateway, "scim", "nobody").get("/Me").await, 401, None);
    }

    async fn if_none_match_saves_a_get_and_a_head_the_body(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (path, _) in subjects(&caller).await {
            let tag = tag_of(&caller, &path).await;
            let strong = tag.strip_prefix("W/").expect("weak").to_owned();
            for method in ["GET", "HEAD"] {
                for hit in [tag.as_str(), &strong, "*", &format!("\"x\", {tag}"), &format!("\"99\",{strong} , \"98\"")] {
                    let answer = conditional(&caller, method, &path, "if-none-match", hit, None).await;
                    assert_eq!((answer.status, answer.text.as_str(), answer.header("etag")), (304, "", Some(tag.as_str())), "{hit}");
                    assert_eq!(answer.header("content-type"), None);
                }
                for miss in ["W/\"99\"", "\"abc\"", "\"98\", \"99\""] {
                    let answer = conditional(&caller, method, &path, "if-none-match", miss, None).await;
                    assert_eq!((answer.status, answer.text.is_empty()), (200, method == "HEAD"), "{miss}");
                }
            }
        }
    }

    async fn if_match_on_a_get_wants_that_version(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (path, _) in subjects(&caller).await {
            let tag = tag_of(&caller, &path).await;
            assert_eq!(conditional(&caller, "GET", &path, "if-match", &tag, None).await.status, 200);
            assert_eq!(conditional(&caller, "GET", &path, "if-match", "*", None).await.status, 200);
            assert_refused(&conditional(&caller, "GET", &path, "if-match", "\"99\"", None).await, 412, None);
        }
    }

    async fn a_change_under_the_wrong_version_is_412_and_changes_nothing(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for (path, body) in subjects(&caller).await {
            let tag = tag_of(&caller, &path).await;
            let before = caller.get(&path).await.text;
            let patched = rename("Renamed");
            for (method, sent) in [("PUT", Some(&body)), ("PATCH", Some(&patched)), ("DELETE", None)] {
                for (header, value) in [
                    ("if-match", "W/\"99\""), ("if-match", "\"98\", \"99\""), ("if-match", "\"not-ours\""),
                    ("if-none-match", "*"), ("if-none-match", tag.as_str()), ("if-none-match", &format!("\"99\", {tag}")),
                ] {
                    assert_refused(&conditional(&caller, method, &path, header, value, sent).await, 412, None);
                }
                for (header, value) in [("if-match", "3"), ("if-match", ""), ("if-match", "*, \"1\""), ("if-none-match", "W/\"1")] {
                    let refused = conditional(&caller, method, &path, header, value, sent).await;
                    assert_refused(&refused, 400, Some("invalidValue"));
                }
                let missing = format!("{path}x");
                assert_refused(&conditional(&caller, method, &missing, "if-match", "*", sent).await, 404, None);
                assert_refused(&conditional(&caller, method, &missing, "if-none-match", "*", sent).await, 404, None);
            }
            assert_refused(&conditional(&caller, "GET", &path, "if-none-match", "1", None).await, 400, Some("invalidValue"));
            assert_eq!(caller.get(&path).await.text, before);
        }
    }

    async fn a_change_under_the_right_version_is_done(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        // The group first: a replaced one names its member.
        for (path, mut body) in subjects(&caller).await.into_iter().rev() {
            body["displayName"] = "Replaced".into();
            let tag = tag_of(&caller, &path).await;
            let listed = format!("\"99\", {tag}");
            let replaced = conditional(&caller, "PUT", &path, "if-match", &listed, Some(&body)).await;
            assert_eq!((replaced.status, version(replaced.header("etag").expect("an ETag"))), (200, version(&tag) + 1));
            let patched = conditional(&caller, "PATCH", &path, "if-match", "*", Some(&rename("Patched"))).await;
            assert_eq!(patched.status, 200);
            let differing = conditional(&caller, "PATCH", &path, "if-none-match", &tag, Some(&rename("Differs"))).await;
            assert_eq!((differing.status, &differing.json()["displayName"]), (200, &json!("Differs")));
            let tag = tag_of(&caller, &path).await;
            assert_eq!(conditional(&caller, "DELETE", &path, "if-match", &tag, None).await.status, 204);
            assert_refused(&conditional(&caller, "DELETE", &path, "if-match", &tag, None).await, 404, None);
        }
    }

    async fn a_connection_that_requires_if_match_refuses_changes_without_it(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("careful", &[("require_if_match".into(), "true".into())]);
        let caller = Caller::of(&gateway, "careful", &token);
        for (path, body) in subjects(&caller).await {
            let patched = rename("Renamed");
            for (method, sent) in [("PUT", Some(&body)), ("PATCH", Some(&patched)), ("DELETE", None)] {
                let refused = caller.send(method, &path, sent).await;
                assert_refused(&refused, 428, None);
                assert!(refused.text.contains("If-Match"), "{}", refused.text);
                let other = conditional(&caller, method, &path, "if-none-match", "\"99\"", sent).await;
                assert_refused(&other, 428, None);
            }
            assert_eq!(caller.get(&path).await.status, 200, "reading needs none");
            let tag = tag_of(&caller, &path).await;
            assert_eq!(conditional(&caller, "PATCH", &path, "if-match", &tag, Some(&patched)).await.status, 200);
            assert_eq!(conditional(&caller, "DELETE", &path, "if-match", "*", None).await.status, 204);
        }
    }

    async fn the_version_of_a_group_moves_with_its_members_and_not_with_what_changes_nothing(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let (one, two) = (caller.create("Users", &user("one")).await, caller.create("Users", &user("two")).await);
        let path = format!("/Groups/{}", caller.create("Groups", &group("Moving", &[&one])).await);
        let mut tag = tag_of(&caller, &path).await;
        let members = |op: &str, id: &str| json!([{"op": op, "path": "members", "value": [{"value": id}]}]);
        let same = json!([{"op": "replace", "path": "displayName", "value": "Moving"}]);
        for (operations, moves) in [
            (members("add", &two), true), (members("add", &two), false), (members("remove", &two), true),
            (members("remove", &two), false), (members("replace", &one), false), (members("replace", &two), true), (same, false),
        ] {
            let answer = caller.patch(&path, operations.clone()).await;
            let now = tag_of(&caller, &path).await;
            assert_eq!(answer.header("etag"), Some(now.as_str()), "{operations}");
            assert_eq!(version(&now) - version(&tag), i64::from(moves), "{operations}");
            tag = now;
        }
        let put = caller.send("PUT", &path, Some(&group("Moving", &[&two]))).await;
        assert_eq!(put.header("etag"), Some(tag.as_str()), "a PUT of what is there changes nothing");
        // Who is deleted leaves.
        assert_eq!(caller.send("DELETE", &format!("/Users/{two}"), None).await.status, 204);
        assert!(version(&tag_of(&caller, &path).await) > version(&tag));
        let person = format!("/Users/{one}");
        let tag = tag_of(&caller, &person).await;
        let same = caller.send("PUT", &person, Some(&user("one"))).await;
        assert_eq!(same.header("etag"), Some(tag.as_str()));
    }
}
