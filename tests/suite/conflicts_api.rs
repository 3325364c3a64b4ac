//! The inbox by API and command line, on both stores: what comes into it, what a decision would come to, what it comes to, and that a
//! SCIM client meanwhile gets the same 409 each time.

use serde_json::{Value, json};

use crate::support::caller::{Caller, assert_refused as assert_scim_refused, encoded, on_both_gateways, user};
use crate::support::corp::{Corp, on_both};
use crate::support::gateway::{Answer, Gateway};
use crate::support::rows::Database;
use crate::support::slapd::{SUFFIX, Slapd};

async fn call_by(gateway: &Gateway, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let headers = [
        (String::from("authorization"), format!("Bearer {token}")),
        (String::from("content-type"), String::from("application/json")),
    ];
    let url = format!("{}/api/v2{path}", gateway.base_url());
    gateway.send(method, &url, &headers, body.map(|body| body.to_string())).await.expect("an answer")
}

async fn call(gateway: &Gateway, method: &str, path: &str, body: Option<Value>) -> Answer {
    call_by(gateway, gateway.bootstrapped("admin_token"), method, path, body).await
}

async fn inbox(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = call(gateway, "GET", &format!("/conflicts{query}"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["conflicts"].as_array().expect("a list").clone()
}

fn id(conflict: &Value) -> &str {
    conflict["conflict_id"].as_str().expect("an id")
}

async fn resolve(gateway: &Gateway, conflict: &Value, action: &str, query: &str) -> Answer {
    call(gateway, "POST", &format!("/conflicts/{}/resolve{query}", id(conflict)), Some(json!({"action": action}))).await
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
}

fn connected(gateway: &Gateway, name: &str) -> Caller {
    let token = gateway.connect(name, &[]);
    Caller::of(gateway, name, &token)
}

fn person(name: &str, address: &str) -> Value {
    let mut body = user(name);
    body["emails"] = json!([{"value": address, "primary": true}]);
    body
}

/// `hr` feeds Ann; `idp` may not bring somebody with her address.
async fn twins(gateway: &Gateway) -> (Caller, Caller, Value) {
    let (hr, idp) = (connected(gateway, "hr"), connected(gateway, "idp"));
    hr.create("Users", &person("ann", "ann@corp.example")).await;
    let refused = idp.send("POST", "/Users", Some(&person("ann.lee", "Ann@corp.example"))).await;
    assert_scim_refused(&refused, 409, Some("uniqueness"));
    let open = inbox(gateway, "?kind=email_match").await;
    assert_eq!(open.len(), 1, "{open:?}");
    (hr, idp, open[0].clone())
}

async fn logged(gateway: &Gateway) -> Vec<(String, String)> {
    let mut database = Database::open(gateway.database_url()).await;
    let rows = database.rows("SELECT kind, actor FROM log WHERE kind LIKE 'conflict.%' ORDER BY id").await;
    rows.iter()
        .map(|row| (row["kind"].as_str().expect("text").to_owned(), row["actor"].as_str().expect("text").to_owned()))
        .collect()
}

on_both_gateways! {
    async fn two_people_of_one_address_are_two_once_somebody_says_so(store) {
        let gateway = Gateway::start(store).await;
        let (_, idp, conflict) = twins(&gateway).await;
        let body = person("ann.lee", "Ann@corp.example");
        // The client tries again, and gets the same.
        for _ in 0..2 {
            assert_scim_refused(&idp.send("POST", "/Users", Some(&body)).await, 409, Some("uniqueness"));
        }
        let shown = call(&gateway, "GET", &format!("/conflicts/{}", id(&conflict)), None).await.json();
        assert_eq!((&shown["occurrences"], &shown["connection"], &shown["subject"]), (&json!(3), &json!("idp"), &json!("x-ann.lee")));
        assert_eq!((&shown["other_user_id"], &shown["actions"]), (&json!("scim|hr|x-ann"), &json!(["create_new", "link", "dismiss"])));
        let plans: Vec<&str> = shown["preview"].as_array().expect("plans").iter().map(|plan| plan["action"].as_str().expect("text")).collect();
        assert_eq!(plans, ["create_new", "link", "dismiss"]);
        assert!(shown["reason"].as_str().is_some_and(|text| text.contains("address")) && shown["proposal"].is_string(), "{shown}");

        let looked = resolve(&gateway, &conflict, "create_new", "?dry_run=true").await;
        assert_eq!((looked.status, &looked.json()["state"]), (200, &json!("open")), "{}", looked.text);
        assert_scim_refused(&idp.send("POST", "/Users", Some(&body)).await, 409, Some("uniqueness"));
        let decided = resolve(&gateway, &conflict, "create_new", "").await;
        assert_eq!((decided.status, &decided.json()["state"], &decided.json()["resolution"]), (200, &json!("resolved"), &json!("create_new")), "{}", decided.text);
        assert_eq!(decided.json()["plan"], looked.json()["plan"], "what was shown is what was done");
        idp.create("Users", &body).await;
        let own: Value = serde_json::from_str(&gateway.cli(&["users", "show", "scim|idp|x-ann.lee", "--json"])).expect("JSON");
        assert_eq!((&own["email"], own["identities"].as_array().map(Vec::len)), (&json!("Ann@corp.example"), Some(1)));
        assert!(inbox(&gateway, "").await.is_empty());
        assert_eq!(inbox(&gateway, "?state=resolved").await.len(), 1);
        assert_problem(&resolve(&gateway, &conflict, "link", "").await, 409, "already_exists");
        let told = logged(&gateway).await;
        assert_eq!(told.iter().filter(|(kind, _)| kind == "conflict.opened").count(), 4);
        let (_, actor) = told.iter().find(|(kind, _)| kind == "conflict.resolved").expect("a row");
        assert_eq!(decided.json()["resolved_by"], actor.as_str());
    }

    async fn one_person_of_one_address_joins_once_somebody_says_so(store) {
        let gateway = Gateway::start(store).await;
        let (_, idp, conflict) = twins(&gateway).await;
        let before: Value = serde_json::from_str(&gateway.cli(&["users", "show", "scim|hr|x-ann", "--json"])).expect("JSON");
        let id = id(&conflict);
        let looked: Value = serde_json::from_str(&gateway.cli(&["conflicts", "resolve", id, "--action", "link", "--dry-run", "--json"])).expect("JSON");
        assert!(looked["plan"]["effects"][0].as_str().is_some_and(|text| text.contains("scim|hr|x-ann")), "{looked}");
        let decided: Value = serde_json::from_str(&gateway.cli(&["conflicts", "resolve", id, "--action", "link", "--json"])).expect("JSON");
        assert_eq!((&decided["state"], &decided["resolved_by"], &decided["plan"]), (&json!("resolved"), &json!("cli"), &looked["plan"]));
        let second = idp.create("Users", &person("ann.lee", "Ann@corp.example")).await;
        let after: Value = serde_json::from_str(&gateway.cli(&["users", "show", "scim|hr|x-ann", "--json"])).expect("JSON");
        assert_eq!((&after["email"], &after["name"]), (&before["email"], &before["name"]), "a secondary writes no roots");
        assert_eq!(after["identities"].as_array().map(Vec::len), Some(2), "{after}");
        assert!(after["identities"].as_array().expect("a list").iter().any(|identity| identity["id"] == second.as_str()));
        let missing = gateway.run(&["users", "show", "scim|idp|x-ann.lee"]);
        assert!(!missing.status.success(), "nobody else was made");
        let again = gateway.run(&["conflicts", "resolve", id, "--action", "dismiss"]);
        assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("it is resolved already"), "{again:?}");
    }

    async fn what_was_dismissed_is_not_told_again_while_it_says_the_same(store) {
        let gateway = Gateway::start(store).await;
        let (hr, idp, conflict) = twins(&gateway).await;
        assert_eq!(resolve(&gateway, &conflict, "dismiss", "").await.status, 200);
        let body = person("ann.lee", "Ann@corp.example");
        assert_scim_refused(&idp.send("POST", "/Users", Some(&body)).await, 409, Some("uniqueness"));
        assert!(inbox(&gateway, "").await.is_empty());
        assert_eq!(inbox(&gateway, "?state=dismissed").await[0]["occurrences"], 2);
        // Another profile is in the way now: that is news.
        hr.create("Users", &person("bob", "bob@corp.example")).await;
        assert_scim_refused(&idp.send("POST", "/Users", Some(&person("ann.lee", "bob@corp.example"))).await, 409, Some("uniqueness"));
        assert_eq!(inbox(&gateway, "").await[0]["other_user_id"], "scim|hr|x-bob");
    }

    async fn a_user_name_that_two_are_to_have_is_told_and_the_client_gets_the_same_409(store) {
        let gateway = Gateway::start(store).await;
        let hr = connected(&gateway, "hr");
        let ann = hr.create("Users", &user("ann")).await;
        let bob = hr.create("Users", &user("bob")).await;
        let mut other = user("ANN");
        other["externalId"] = "x-other".into();
        for _ in 0..2 {
            assert_scim_refused(&hr.send("POST", "/Users", Some(&other)).await, 409, Some("uniqueness"));
            let renamed = json!([{"op": "replace", "path": "userName", "value": "ann"}]);
            assert_scim_refused(&hr.patch(&format!("/Users/{bob}"), renamed).await, 409, Some("uniqueness"));
        }
        let open = inbox(&gateway, "?kind=user_name_taken&connection=hr").await;
        let subjects: Vec<(&Value, &Value, &Value)> = open.iter().map(|one| (&one["subject"], &one["occurrences"], &one["detail"]["identity_id"])).collect();
        assert_eq!(subjects, [(&json!("x-other"), &json!(2), &json!(ann)), (&json!(bob), &json!(2), &json!(ann))]);
        // Somebody who is there already, posted again, is the client's own matter.
        assert_scim_refused(&hr.send("POST", "/Users", Some(&user("ann"))).await, 409, Some("uniqueness"));
        assert_eq!(inbox(&gateway, "").await.len(), 2);
        assert_problem(&resolve(&gateway, &open[0], "link", "").await, 400, "invalid_body");
        assert_eq!(resolve(&gateway, &open[0], "dismiss", "").await.status, 200);
    }

    async fn somebody_who_could_be_several_joins_nobody_and_is_told(store) {
        let gateway = Gateway::start(store).await;
        gateway.cli(&["organization", "create", "corp", "--domain", "corp.example"]);
        let connect = |name: &str, options: &[&str]| {
            let mut line = vec!["connection", "create", name, "--kind", "scim", "--set", "organization=corp"];
            options.iter().for_each(|option| line.extend(["--set", option]));
            gateway.cli(&line);
            let token: Value = serde_json::from_str(&gateway.cli(&["token", "create", "--connection", name, "--json"])).expect("JSON");
            Caller::of(&gateway, name, token["token"].as_str().expect("a token"))
        };
        let hr = connect("hr", &[]);
        let idp = connect("idp", &["join=hr", "join_on=email", "on_email_match=new"]);
        hr.create("Users", &person("ann", "shared@corp.example")).await;
        hr.create("Users", &person("bob", "shared@corp.example")).await;
        idp.create("Users", &person("who", "shared@corp.example")).await;
        let open = inbox(&gateway, "?kind=join_ambiguous").await;
        assert_eq!((open.len(), &open[0]["subject"], &open[0]["detail"]["profiles"]), (1, &json!("x-who"), &json!(2)), "{open:?}");
        assert_eq!(open[0]["user_id"], "scim|idp|x-who", "they have a profile of their own");
    }

    async fn the_inbox_is_read_in_parts_and_only_by_whom_it_concerns(store) {
        let gateway = Gateway::start(store).await;
        let (hr, idp) = (connected(&gateway, "hr"), connected(&gateway, "idp"));
        for n in 0..5 {
            hr.create("Users", &person(&format!("u{n}"), &format!("u{n}@corp.example"))).await;
            idp.send("POST", "/Users", Some(&person(&format!("v{n}"), &format!("u{n}@corp.example")))).await;
        }
        let whole = inbox(&gateway, "").await;
        assert_eq!(whole.len(), 5);
        for filter in ["", "&kind=email_match", "&connection=idp"] {
            let (mut seen, mut from) = (Vec::new(), String::new());
            loop {
                let part = call(&gateway, "GET", &format!("/conflicts?take=2{filter}{from}"), None).await.json();
                seen.extend(part["conflicts"].as_array().expect("a list").clone());
                let Some(next) = part["next"].as_str() else { break };
                from = format!("&from={}", encoded(next));
            }
            assert_eq!(seen, whole, "{filter}");
        }
        let by_cli: Value = serde_json::from_str(&gateway.cli(&["conflicts", "list", "--connection", "idp", "--json"])).expect("JSON");
        assert_eq!(by_cli.as_array(), Some(&whole));
        for empty in ["?connection=hr", "?connection=nowhere", "?kind=held_run", "?state=dismissed"] {
            assert!(inbox(&gateway, empty).await.is_empty(), "{empty}");
        }
        for wrong in ["?state=gone", "?kind=nothing", "?take=0", "?from=made-up"] {
            assert_problem(&call(&gateway, "GET", &format!("/conflicts{wrong}"), None).await, 400, "invalid_query_string");
        }
        let path = format!("/conflicts/{}/resolve", id(&whole[0]));
        for wrong in [json!({}), json!({"action": "adopt"}), json!({"action": 1}), json!({"action": "dismiss", "note": "x"}), json!({"action": "retry"})] {
            assert_problem(&call(&gateway, "POST", &path, Some(wrong)).await, 400, "invalid_body");
        }
        assert_problem(&call(&gateway, "GET", "/conflicts/nothing", None).await, 404, "inexistent_conflict");
        gateway.cli(&["tenant", "create", "other"]);
        let token = |arguments: &[&str]| {
            let made = gateway.cli(&[&["token", "create", "--json", "--admin"], arguments].concat());
            serde_json::from_str::<Value>(&made).expect("JSON")["token"].as_str().expect("a token").to_owned()
        };
        let other = token(&["--tenant", "other"]);
        assert_eq!(call_by(&gateway, &other, "GET", "/conflicts", None).await.json(), json!({"conflicts": []}));
        let dismiss = || Some(json!({"action": "dismiss"}));
        assert_problem(&call_by(&gateway, &other, "POST", &path, dismiss()).await, 404, "inexistent_conflict");
        let reads = token(&["--scopes", "read:conflicts"]);
        assert_problem(&call_by(&gateway, &reads, "POST", &path, dismiss()).await, 403, "insufficient_scope");
        assert_eq!(inbox(&gateway, "").await, whole, "nothing was decided");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_run_waits_in_the_inbox_until_it_is_let_through_or_another_takes_its_place() {
    on_both(async |postgres| {
        let slapd = Slapd::start(6);
        let corp = Corp::start(postgres, &slapd, "--set budget=1,0%").await;
        corp.sync();
        let gone: String = (0..3).map(|n| format!("dn: uid=u{n:06},ou=people,{SUFFIX}\nchangetype: delete\n\n")).collect();
        slapd.modify(&gone);
        let held = corp.sync_ends(3, "");
        let run = held["run_id"].as_str().expect("a run");
        let inbox = |state: &str| corp.run(&format!("conflicts list --kind held_run --state {state} --json")).json();
        let open = inbox("open");
        assert_eq!((open.as_array().map(Vec::len), &open[0]["subject"], &open[0]["actions"]), (Some(1), &json!(run), &json!([])));
        assert!(open[0]["proposal"].as_str().is_some_and(|text| text.contains(run)), "{open}");
        let refused =
            corp.run(&format!("conflicts resolve {} --action dismiss", open[0]["conflict_id"].as_str().expect("an id")));
        assert!(refused.refusal().contains("confirmed by its hash"), "{refused:?}");
        // The same list again is the same row.
        corp.sync_ends(3, "");
        assert_eq!(inbox("open"), open);
        let hash = held["list_hash"].as_str().expect("a hash");
        corp.run(&format!("runs confirm {run} --hash {hash}")).succeeded();
        assert_eq!(inbox("open"), json!([]));
        assert_eq!(inbox("resolved")[0]["resolved_by"], "cli");
        corp.sync();
        assert_eq!(inbox("open"), json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_entry_is_tried_again_on_request_and_told_no_more_once_it_is_dismissed() {
    on_both(async |postgres| {
        let slapd = Slapd::start(3);
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.mapping("mapping own from ldap to profile\nusername = $uid\nemail = $mail with required\n");
        corp.run("connection update corp --mapping own").succeeded();
        slapd.modify(&format!("dn: uid=u000001,ou=people,{SUFFIX}\nchangetype: modify\ndelete: mail\n\n"));
        assert_eq!(corp.sync(), json!({"created": 2}));
        let open = corp.run("conflicts list --json").json();
        assert_eq!((open.as_array().map(Vec::len), &open[0]["kind"]), (Some(1), &json!("sync_rejected")), "{open}");
        let id = open[0]["conflict_id"].as_str().expect("an id").to_owned();
        corp.run(&format!("conflicts resolve {id} --action retry")).succeeded();
        assert_eq!(corp.list("SELECT next_at FROM sync_state").await, [json!(0)], "the next run is due at once");
        // The reason is not mended: it is there again, and then somebody wants to hear no more of it.
        corp.sync();
        let again = corp.run("conflicts list --json").json();
        assert_eq!((&again[0]["conflict_id"], &again[0]["state"]), (&json!(id), &json!("open")), "{again}");
        corp.run(&format!("conflicts resolve {id} --action dismiss")).succeeded();
        let before = corp.footprint().await;
        corp.sync();
        assert_eq!((corp.footprint().await, corp.run("conflicts list --json").json()), (before, json!([])));
        // Mended, it is over.
        slapd.modify(&format!("dn: uid=u000001,ou=people,{SUFFIX}\nchangetype: modify\nadd: mail\nmail: one@example.test\n\n"));
        assert_eq!(corp.sync(), json!({"created": 1, "unchanged": 2}));
        assert_eq!(corp.run("conflicts list --state resolved --json").json().as_array().map(Vec::len), Some(1));
    })
    .await;
}
