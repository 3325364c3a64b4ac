//! The write policy through the released binary, on both stores: a person who is pushed twice, with an administrator's
//! edit in between, under each word of a mapping and each default of the connection. What is stored, what history keeps
//! and what `users why` says have to agree.

use serde_json::{Value, json};

use crate::support::caller::{Caller, assert_refused, group, on_both_gateways, user};
use crate::support::gateway::Gateway;
use crate::support::rows::Database;

/// Line 1 is the header; each rule's line is named in the tests.
const WORDS: &str = r#"mapping words from scim to profile
username    = $userName with required
name        = $displayName with always
nickname    = $nickName with create
given_name  = $name.givenName with if_empty
family_name = $name.familyName with on_change
locale      = $locale
app_metadata.owned = $roles[*].value with merge owned
app_metadata.union = $roles[*].value with merge union
app_metadata.kept  = $title with absent keep
app_metadata.gone  = $userType with absent clear
skip when $userType == "Robot" because "{$userName} is a robot"
deny when $userType == "Intern" because "interns wait"
"#;

/// A connection whose mapping is the file `words.mapping` beside the gateway.
async fn with_mapping(gateway: &Gateway, text: &str, options: &[(&str, &str)]) -> Caller {
    let folder = gateway.folder().join("mappings");
    std::fs::create_dir_all(&folder).expect("a folder for mappings");
    std::fs::write(folder.join("words.mapping"), text).expect("a mapping file");
    let options = options.iter().chain(&[("mapping", "words")]);
    let options: Vec<(String, String)> = options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let token = gateway.connect("acme", &options);
    Caller::of(gateway, "acme", &token)
}

/// What the source says; `n` numbers every value.
fn person(n: u32, roles: &[&str]) -> Value {
    let mut body = user("ann@acme.example");
    let said = json!({
        "externalId": "e-1", "displayName": format!("Name {n}"), "nickName": format!("Nick {n}"), "locale": format!("xx-{n}"),
        "name": {"givenName": format!("Given {n}"), "familyName": format!("Family {n}")},
        "roles": roles.iter().map(|role| json!({"value": role})).collect::<Vec<_>>()
    });
    body.as_object_mut().expect("an object").extend(said.as_object().expect("an object").clone());
    body
}

async fn stored(gateway: &Gateway) -> Value {
    let mut database = Database::open(gateway.database_url()).await;
    let mut rows = database.rows("SELECT doc FROM users").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).remove("doc").expect("a document")
}

/// An administrator's edit: every attribute gets another value, and the lists one more.
async fn edited(gateway: &Gateway) {
    let mut doc = stored(gateway).await;
    for name in ["name", "nickname", "given_name", "family_name", "locale"] {
        doc[name] = "edited".into();
    }
    for name in ["owned", "union"] {
        doc["app_metadata"][name].as_array_mut().expect("a list").push("by hand".into());
    }
    store_doc(gateway, &doc).await;
}

async fn store_doc(gateway: &Gateway, doc: &Value) {
    let sql = format!("UPDATE users SET version = version + 1, doc = '{doc}'");
    Database::change(gateway.database_url(), &sql).await;
}

fn why(gateway: &Gateway, attribute: &str) -> Value {
    let printed = gateway.cli(&["users", "why", "scim|acme|e-1", attribute, "--json"]);
    let mut reasons: Value = serde_json::from_str(&printed).expect("JSON");
    reasons[0].take()
}

async fn history(gateway: &Gateway) -> Vec<Value> {
    let mut database = Database::open(gateway.database_url()).await;
    let rows = database.rows("SELECT changes FROM history ORDER BY id").await;
    rows.into_iter().map(|mut row| row.remove("changes").expect("changes")).collect()
}

on_both_gateways! {
    async fn each_word_treats_an_edit_and_a_second_push_as_the_table_says(store) {
        let gateway = Gateway::start(store).await;
        let caller = with_mapping(&gateway, WORDS, &[]).await;
        let id = caller.create("Users", &person(1, &["a", "b"])).await;
        edited(&gateway).await;

        // The source says the same of everything but one attribute that no policy is about: the mapping runs again.
        let mut again = person(1, &["a", "b"]);
        again["title"] = "Clerk".into();
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&again)).await.status, 200);
        let doc = stored(&gateway).await;
        let roots = |doc: &Value| ["name", "nickname", "given_name", "family_name", "locale"].map(|name| doc[name].as_str().unwrap_or("-").to_owned());
        assert_eq!(roots(&doc), ["Name 1", "edited", "edited", "edited", "xx-1"], "always, create, if_empty, on_change, the default");

        // Now it says something else.
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&person(2, &["b", "c"]))).await.status, 200);
        let doc = stored(&gateway).await;
        assert_eq!(roots(&doc), ["Name 2", "edited", "edited", "Family 2", "xx-2"]);
        assert_eq!(doc["app_metadata"]["owned"], json!(["b", "by hand", "c"]), "its own values are exchanged, the other's stay");
        assert_eq!(doc["app_metadata"]["union"], json!(["a", "b", "by hand", "c"]), "nothing goes");
        assert_eq!(doc["app_metadata"]["kept"], "Clerk", "left out by the source, kept");

        // History has what stood there before, and why names the line that wrote it.
        let last = history(&gateway).await.pop().expect("an event");
        assert_eq!(last["family_name"]["before"], "edited");
        assert_eq!(last["name"]["before"], "Name 1");
        assert!(last.get("nickname").is_none() && last.get("given_name").is_none(), "{last}");
        let reason = why(&gateway, "family_name");
        assert_eq!((&reason["value"], &reason["line"], &reason["event"]), (&json!("Family 2"), &json!(6), &json!("scim.user.replaced")));
        let reason = why(&gateway, "nickname");
        assert_eq!((&reason["line"], &reason["event"], &reason["mapping"]), (&json!(4), &json!("scim.user.created"), &json!("words")));
        assert_eq!(reason["mapped"], "Nick 2", "what the source says now, though the policy lets it not through");
    }

    async fn what_is_empty_is_filled_and_what_was_cleared_goes(store) {
        let gateway = Gateway::start(store).await;
        let caller = with_mapping(&gateway, WORDS, &[]).await;
        let mut first = person(1, &["a"]);
        first["userType"] = "Employee".into();
        let id = caller.create("Users", &first).await;
        let mut doc = stored(&gateway).await;
        doc.as_object_mut().expect("an object").remove("given_name");
        store_doc(&gateway, &doc).await;
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&person(2, &[]))).await.status, 200);
        let doc = stored(&gateway).await;
        assert_eq!(doc["given_name"], "Given 2", "if_empty");
        assert!(doc["app_metadata"].get("gone").is_none(), "absent clear: {doc}");
    }

    async fn on_first_login_leaves_an_edit_until_the_source_changes_its_mind(store) {
        let gateway = Gateway::start(store).await;
        let caller = with_mapping(&gateway, WORDS, &[("set_user_root_attributes", "on_first_login")]).await;
        let id = caller.create("Users", &person(1, &["a"])).await;
        edited(&gateway).await;
        let mut again = person(1, &["a"]);
        again["title"] = "Clerk".into();
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&again)).await.status, 200);
        let doc = stored(&gateway).await;
        assert_eq!((&doc["locale"], &doc["name"]), (&json!("edited"), &json!("Name 1")), "the rule's own word beats the option");
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&person(2, &["a"]))).await.status, 200);
        assert_eq!(stored(&gateway).await["locale"], "xx-2");
    }

    async fn skip_keeps_the_resource_without_a_profile_and_deny_bars_it_with_the_reason(store) {
        let gateway = Gateway::start(store).await;
        let caller = with_mapping(&gateway, WORDS, &[]).await;
        let mut robot = user("r2@acme.example");
        robot["userType"] = "Robot".into();
        let id = caller.create("Users", &robot).await;
        assert_eq!(caller.get(&format!("/Users/{id}")).await.status, 200, "it reads what it wrote");
        let mut database = Database::open(gateway.database_url()).await;
        assert_eq!(database.rows("SELECT id FROM users").await.len(), 0);
        let mut intern = person(1, &[]);
        intern["userType"] = "Intern".into();
        caller.create("Users", &intern).await;
        let blocks = database.rows("SELECT kind, reason FROM blocks").await;
        assert_eq!(json!(blocks), json!([{"kind": "policy", "reason": "interns wait"}]));
    }

    async fn a_push_that_is_skipped_blocks_its_person_if_it_says_so_and_takes_nothing_else(store) {
        let gateway = Gateway::start(store).await;
        let text = "mapping words from scim to profile\n\
            skip when $userType == \"Robot\" because \"no robots\"\nname = $displayName\nblocked = $active == false\n";
        let caller = with_mapping(&gateway, text, &[]).await;
        let mut body = user("ann@acme.example");
        body["displayName"] = "Ann".into();
        body["active"] = true.into();
        let id = caller.create("Users", &body).await;
        body["userType"] = "Robot".into();
        body["displayName"] = "Robot".into();
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&body)).await.status, 200);
        let mut database = Database::open(gateway.database_url()).await;
        let state = "SELECT u.blocked, u.doc FROM users u";
        let before = database.rows(state).await;
        assert_eq!(before[0]["blocked"], json!(false));
        body["active"] = false.into();
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&body)).await.status, 200);
        let blocked = database.rows(state).await;
        assert_eq!((&blocked[0]["blocked"], &blocked[0]["doc"]), (&json!(true), &before[0]["doc"]));
        // Active again, and still skipped: they stay as they are.
        body["active"] = true.into();
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&body)).await.status, 200);
        assert_eq!(database.rows(state).await[0]["blocked"], json!(true));
        body.as_object_mut().expect("an object").remove("userType");
        assert_eq!(caller.send("PUT", &format!("/Users/{id}"), Some(&body)).await.status, 200);
        assert_eq!(database.rows(state).await[0]["blocked"], json!(false));
    }

    async fn a_required_value_that_fails_refuses_the_record_with_every_reason(store) {
        let gateway = Gateway::start(store).await;
        let text = "mapping words from scim to profile\n\
            name  = $displayName with required\n\
            email = first($emails[*].value) with required, check email\n";
        let caller = with_mapping(&gateway, text, &[]).await;
        let mut body = user("ann@acme.example");
        body["emails"] = json!([{"value": "nobody"}]);
        body.as_object_mut().expect("an object").remove("displayName");
        let answer = caller.send("POST", "/Users", Some(&body)).await;
        assert_refused(&answer, 400, Some("invalidValue"));
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("`name` is required") && detail.contains("email: "), "{detail}");
        let mut database = Database::open(gateway.database_url()).await;
        assert_eq!(database.rows("SELECT id FROM identities").await.len(), 0, "nothing is stored");
    }

    async fn a_mapping_that_does_not_compile_answers_503_until_it_is_mended(store) {
        let gateway = Gateway::start(store).await;
        let caller = with_mapping(&gateway, "mapping words from scim to profile\nname = $displayNam\n", &[]).await;
        let answer = caller.send("POST", "/Users", Some(&person(1, &[]))).await;
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(!answer.text.contains("displayNam"), "the mapping is the administrator's business: {}", answer.text);
        gateway.printed_with("M003").await;
        std::fs::write(gateway.folder().join("mappings/words.mapping"), WORDS).expect("a mapping file");
        caller.create("Users", &person(1, &[])).await;
    }

    async fn a_group_mapping_says_whether_a_group_is_taken_and_under_which_name(store) {
        let gateway = Gateway::start(store).await;
        let text = "mapping words from scim to group\n\
            skip when not starts_with($displayName, \"app-\") because \"not ours\"\n\
            name = drop_prefix($displayName, \"app-\")\n";
        let folder = gateway.folder().join("mappings");
        std::fs::create_dir_all(&folder).expect("a folder for mappings");
        std::fs::write(folder.join("ours.mapping"), text).expect("a mapping file");
        let token = gateway.connect("acme", &[("group_mapping".to_owned(), "ours".to_owned())]);
        let caller = Caller::of(&gateway, "acme", &token);
        let taken = caller.create("Groups", &group("app-wiki", &[])).await;
        caller.create("Groups", &group("Everyone", &[])).await;
        assert_eq!(caller.get(&format!("/Groups/{taken}")).await.json()["displayName"], "app-wiki", "it reads what it wrote");
        let mut database = Database::open(gateway.database_url()).await;
        let rows = database.rows("SELECT name, mapped, mapping FROM groups ORDER BY name").await;
        assert_eq!(
            json!(rows),
            json!([
                {"name": "Everyone", "mapped": {"skipped": "not ours"}, "mapping": "ours"},
                {"name": "app-wiki", "mapped": {"name": "wiki"}, "mapping": "ours"}
            ])
        );
    }
}
