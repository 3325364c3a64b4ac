//! Schema extensions of a tenant, end to end on both stores: registered by the command line, pushed, found, changed and read
//! back over SCIM, mapped into profiles, removed again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::binary::Sandbox;
use crate::support::caller::{Caller, USER_URN, assert_refused, group, on_both_gateways, replicas, user};
use crate::support::gateway::Gateway;
use crate::support::rows::Database;

const URN: &str = "urn:example:hr:2.0:User";
/// How long a look-up of a token is believed, and with it the schemas of its tenant.
const BELIEVED: Duration = Duration::from_secs(2);

/// One extension with something of everything.
fn hr() -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": URN, "name": "Hr", "description": "What HR knows.",
    "attributes": [
        {"name": "badge", "type": "string", "caseExact": true, "description": "The number on the badge."},
        {"name": "level", "type": "integer"},
        {"name": "since", "type": "dateTime"},
        {"name": "remote", "type": "boolean"},
        {"name": "salary", "type": "decimal", "returned": "request"},
        {"name": "code", "mutability": "readOnly"},
        {"name": "tags", "multiValued": true},
        {"name": "desks", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value"}, {"name": "type"}, {"name": "floor", "type": "integer"}]},
        {"name": "contract", "type": "complex", "subAttributes": [{"name": "kind"}, {"name": "until", "type": "dateTime"}]},
    ]})
}

/// Registers a schema with these arguments besides; what the command printed.
fn register(gateway: &Gateway, schema: &Value, arguments: &[&str]) -> Value {
    std::fs::write(gateway.folder().join("schema.json"), schema.to_string()).expect("a file");
    let printed = gateway.cli(&[&["schema", "create", "schema.json", "--json"], arguments].concat());
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in: {printed}"))
}

fn person(name: &str, extension: Value) -> Value {
    let mut body = user(name);
    body["schemas"] = json!([USER_URN, URN]);
    body[URN] = extension;
    body
}

/// The user names that a list answers, in its order.
async fn names(caller: &Caller, query: &str) -> Vec<String> {
    let answer = caller.get(&format!("/Users?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let page = answer.json();
    let resources = page["Resources"].as_array().expect("a list");
    resources.iter().map(|user| user["userName"].as_str().expect("a name").to_owned()).collect()
}

async fn found(caller: &Caller, filter: &str) -> Vec<String> {
    names(caller, &format!("filter={}", crate::support::caller::encoded(filter))).await
}

/// The status of `/Schemas/{urn}`, asked until it is this one.
async fn until_schema_is(caller: &Caller, status: u16) -> Duration {
    let began = Instant::now();
    while caller.get(&format!("/Schemas/{URN}")).await.status != status {
        assert!(began.elapsed() < Duration::from_secs(10), "the schema never was {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

on_both_gateways! {
    async fn a_user_with_an_extension_is_created_read_replaced_and_deleted(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let sent = json!({"badge": "B-1", "level": 3, "since": "2026-01-31T12:00:00+01:00", "remote": true, "tags": ["x", "y"],
            "desks": [{"value": "d1", "type": "hot", "floor": 2}], "contract": {"kind": "open"}});
        let created = caller.send("POST", "/Users", Some(&person("ada", sent.clone()))).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let path = format!("/Users/{}", created.json()["id"].as_str().expect("an id"));
        for answer in [created, caller.get(&path).await] {
            assert_eq!(answer.json()[URN], sent, "values come back as they were sent");
            assert_eq!(answer.json()["schemas"], json!([USER_URN, URN]));
        }
        let replaced = caller.send("PUT", &path, Some(&person("ada", json!({"level": 4, "code": "not mine"})))).await;
        assert_eq!((replaced.status, &replaced.json()[URN]), (200, &json!({"level": 4})));
        let without = caller.send("PUT", &path, Some(&user("ada"))).await.json();
        assert_eq!((without.get(URN), &without["schemas"]), (None, &json!([USER_URN])), "no data, no URN");
        assert_eq!(caller.send("DELETE", &path, None).await.status, 204);
    }

    async fn filters_find_by_the_extension(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        for (name, extension) in [
            ("ada", json!({"badge": "B-1", "level": 9, "remote": true, "desks": [{"value": "d1", "type": "hot", "floor": 2}]})),
            ("bob", json!({"badge": "B-2", "level": 10, "since": "2026-03-01T00:00:00Z", "tags": ["Night"], "salary": 7.5})),
            ("eve", json!(null)),
        ] {
            caller.create("Users", &person(name, extension)).await;
        }
        for (filter, expected) in [
            (format!("{URN}:badge eq \"B-2\""), vec!["bob"]),
            (format!("{URN}:badge eq \"b-2\""), vec![]),
            (format!("{}:BADGE sw \"B-\"", URN.to_uppercase()), vec!["ada", "bob"]),
            (format!("{URN}:level gt 9"), vec!["bob"]),
            (format!("{URN}:remote eq true or {URN}:tags eq \"night\""), vec!["ada", "bob"]),
            (format!("{URN}:since gt \"2026-02-28T23:00:00-02:00\""), vec![]),
            (format!("{URN}:since ge \"2026-03-01T01:00:00+01:00\""), vec!["bob"]),
            (format!("{URN}:desks[type eq \"hot\" and floor lt 3]"), vec!["ada"]),
            (format!("{URN}:desks.floor gt 2"), vec![]),
            (format!("not ({URN}:badge pr)"), vec!["eve"]),
            (format!("{URN}:salary eq 7.5"), vec!["bob"]),
            (format!("schemas eq \"{URN}\""), vec!["ada", "bob"]),
            (format!("userName eq \"ada\" and {URN}:level eq 9"), vec!["ada"]),
        ] {
            assert_eq!(found(&caller, &filter).await, expected, "{filter}");
            let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
            let searched = caller.send("POST", "/Users/.search", Some(&search)).await;
            assert_eq!(searched.json()["totalResults"], expected.len(), "{filter}: {}", searched.text);
        }
        assert_refused(&caller.find("Users", &format!("{URN}:wibble eq 1")).await, 400, Some("invalidFilter"));
        assert_refused(&caller.find("Users", &format!("{URN}:level eq \"nine\"")).await, 400, Some("invalidFilter"));
        assert_refused(&caller.find("Users", "badge eq \"B-1\"").await, 400, Some("invalidFilter"));
    }

    async fn lists_are_sorted_and_projected_by_the_extension(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        for (name, extension) in [
            ("ada", json!({"level": 10, "badge": "B"})), ("bob", json!({"level": 9, "badge": "a"})), ("eve", json!(null)),
        ] {
            caller.create("Users", &person(name, extension)).await;
        }
        assert_eq!(names(&caller, &format!("sortBy={URN}:level")).await, ["bob", "ada", "eve"]);
        assert_eq!(names(&caller, &format!("sortBy={URN}:LEVEL&sortOrder=descending")).await, ["eve", "ada", "bob"]);
        assert_eq!(names(&caller, &format!("sortBy={URN}:badge")).await, ["ada", "bob", "eve"], "case-exact");
        let shown = async |query: &str| caller.get(&format!("/Users?count=1&{query}")).await.json()["Resources"][0].clone();
        let only = shown(&format!("attributes={URN}:level,userName")).await;
        assert_eq!((&only[URN], &only["userName"], only.get("displayName")), (&json!({"level": 10}), &json!("ada"), None));
        assert_eq!(shown(&format!("attributes={URN}")).await[URN], json!({"level": 10, "badge": "B"}));
        assert_eq!(shown(&format!("excludedAttributes={URN}:level")).await[URN], json!({"badge": "B"}));
        assert_eq!(shown(&format!("excludedAttributes={URN}")).await.get(URN), None);
        // The pages of a cursor, too: two users have a value, then the one who has none.
        let first = caller.get(&format!("/Users?cursor=&count=2&sortBy={URN}:level")).await.json();
        let next = first["nextCursor"].as_str().expect("a cursor").to_owned();
        let last = names(&caller, &format!("cursor={next}&count=2&sortBy={URN}:level")).await;
        assert_eq!(last, ["eve"]);
    }

    async fn patch_changes_the_extension_and_an_unchanged_one_keeps_its_version(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &user("ada")).await);
        let urn = |path: &str| format!("{URN}:{path}");
        for (operation, extension) in [
            (json!({"op": "add", "path": urn("badge"), "value": "B"}), json!({"badge": "B"})),
            (json!({"op": "Replace", "path": urn("Level"), "value": "3"}), json!({"badge": "B", "level": 3})),
            (json!({"op": "add", "path": urn("contract.kind"), "value": "open"}),
                json!({"badge": "B", "level": 3, "contract": {"kind": "open"}})),
            (json!({"op": "remove", "path": urn("contract.kind")}), json!({"badge": "B", "level": 3})),
            (json!({"op": "add", "path": urn("desks[type eq \"hot\"].value"), "value": "d1"}),
                json!({"badge": "B", "level": 3, "desks": [{"type": "hot", "value": "d1"}]})),
            (json!({"op": "replace", "value": {urn("desks[type eq \"hot\"].floor"): 4, urn("badge"): "C"}}),
                json!({"badge": "C", "level": 3, "desks": [{"type": "hot", "value": "d1", "floor": 4}]})),
            (json!({"op": "remove", "path": urn("desks")}), json!({"badge": "C", "level": 3})),
            (json!({"op": "remove", "path": urn("level")}), json!({"badge": "C"})),
        ] {
            let answer = caller.patch(&path, json!([operation])).await;
            assert_eq!((answer.status, &answer.json()[URN]), (200, &extension), "{operation}: {}", answer.text);
            assert_eq!(caller.get(&path).await.json()[URN], extension);
        }
        let before = caller.get(&path).await.text;
        let same = json!([{"op": "replace", "path": urn("badge"), "value": "C"}]);
        assert_eq!(caller.patch(&path, same).await.status, 200);
        for (operation, scim_type) in [
            (json!({"op": "replace", "path": urn("code"), "value": "x"}), "mutability"),
            (json!({"op": "replace", "path": urn("wibble"), "value": "x"}), "invalidPath"),
            (json!({"op": "replace", "path": urn("level"), "value": "x"}), "invalidValue"),
        ] {
            let both = json!([{"op": "remove", "path": urn("badge")}, operation]);
            assert_refused(&caller.patch(&path, both).await, 400, Some(scim_type));
        }
        assert_eq!(caller.get(&path).await.text, before, "nothing changed, nothing half done");
        let gone = caller.patch(&path, json!([{"op": "remove", "path": URN}])).await.json();
        assert_eq!((gone.get(URN), &gone["schemas"]), (None, &json!([USER_URN])));
    }

    async fn what_is_returned_on_request_is_shown_where_it_was_written_or_asked_for(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let all = json!({"badge": "B", "salary": 5});
        let created = caller.send("POST", "/Users", Some(&person("ada", all.clone()))).await.json();
        assert_eq!(created[URN], all, "the client wrote it");
        let path = format!("/Users/{}", created["id"].as_str().expect("an id"));
        assert_eq!(caller.get(&path).await.json()[URN], json!({"badge": "B"}));
        assert_eq!(caller.get("/Users").await.json()["Resources"][0][URN], json!({"badge": "B"}));
        assert_eq!(caller.get(&format!("{path}?attributes={URN}:salary")).await.json()[URN], json!({"salary": 5}));
        let patch = async |attribute: &str, value: Value| {
            caller.patch(&path, json!([{"op": "replace", "path": format!("{URN}:{attribute}"), "value": value}])).await.json()
        };
        assert_eq!(patch("badge", json!("C")).await[URN], json!({"badge": "C"}));
        assert_eq!(patch("salary", json!(6)).await[URN], json!({"badge": "C", "salary": 6}));
        assert_eq!(caller.send("PUT", &path, Some(&person("ada", all.clone()))).await.json()[URN], all);
    }

    async fn a_strict_connection_refuses_what_no_schema_knows(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let strict = Caller::of(&gateway, "strict", &gateway.connect("strict", &[("strict".into(), "true".into())]));
        let lenient = Caller::new(&gateway);
        for (extension, scim_type, taken) in [
            (json!({"badge": "B", "wibble": 1}), "invalidSyntax", json!({"badge": "B"})),
            (json!({"badge": "B", "level": "3"}), "invalidValue", json!({"badge": "B", "level": 3})),
        ] {
            let body = person("ada", extension);
            assert_refused(&strict.send("POST", "/Users", Some(&body)).await, 400, Some(scim_type));
            let created = lenient.send("POST", "/Users", Some(&body)).await.json();
            assert_eq!(created[URN], taken);
            lenient.send("DELETE", &format!("/Users/{}", created["id"].as_str().expect("an id")), None).await;
        }
        strict.create("Users", &person("ada", json!({"badge": "B", "code": "ignored"}))).await;
    }

    async fn groups_have_extensions_of_their_own(store) {
        let gateway = Gateway::start(store).await;
        let urn = "urn:example:team:2.0:Group";
        let schema = json!({"id": urn, "name": "Team", "attributes": [{"name": "costCenter"}]});
        register(&gateway, &schema, &["--resource-type", "group"]);
        let caller = Caller::new(&gateway);
        let member = caller.create("Users", &user("ada")).await;
        let mut body = group("Tours", &[&member]);
        body[urn] = json!({"costCenter": "C-1"});
        let path = format!("/Groups/{}", caller.create("Groups", &body).await);
        let read = caller.get(&path).await.json();
        assert_eq!((&read[urn], read["members"].as_array().map(Vec::len)), (&json!({"costCenter": "C-1"}), Some(1)));
        let patched = caller.patch(&path, json!([{"op": "replace", "path": format!("{urn}:costCenter"), "value": "C-2"}])).await;
        assert_eq!(patched.json()[urn], json!({"costCenter": "C-2"}), "{}", patched.text);
        let list = caller.find("Groups", &format!("{urn}:costCenter eq \"c-2\"")).await.json();
        assert_eq!((&list["totalResults"], list["Resources"][0]["members"].as_array().map(Vec::len)), (&json!(1), Some(1)));
        let types = caller.get("/ResourceTypes/Group").await.json();
        assert_eq!(types["schemaExtensions"], json!([{"schema": urn, "required": false}]));
        assert_refused(&caller.find("Users", &format!("{urn}:costCenter pr")).await, 400, Some("invalidFilter"));
        let refused = gateway.run(&["schema", "delete", urn, "--yes"]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("the group"), "{refused:?}");
    }

    async fn a_bulk_request_writes_extensions_too(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let path = format!("{URN}:badge");
        let message = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": person("ada", json!({"badge": "B"}))},
            {"method": "PATCH", "path": "/Users/bulkId:a", "data": crate::support::caller::patch(json!([{"op": "replace", "path": path, "value": "C"}]))},
        ]});
        let answer = caller.send("POST", "/Bulk", Some(&message)).await;
        let statuses: Vec<Value> = answer.json()["Operations"].as_array().expect("a list").iter().map(|one| one["status"].clone()).collect();
        assert_eq!(statuses, ["201", "200"], "{}", answer.text);
        assert_eq!(found(&caller, &format!("{URN}:badge eq \"C\"")).await, ["ada"]);
    }

    /// The same way it reads the enterprise extension: by URN, and declared, for the language can't know it.
    async fn a_mapping_reads_the_extension(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let folder = gateway.folder().join("mappings");
        std::fs::create_dir_all(&folder).expect("a folder");
        let mapping = format!(
            "mapping hr from scim to profile\nattrs {{ \"{URN}:badge\": string }}\n\
             username = $userName with required\n\
             app_metadata.badge = $\"{URN}:badge\"\n"
        );
        std::fs::write(folder.join("hr.mapping"), mapping).expect("a file");
        let caller = Caller::of(&gateway, "hr", &gateway.connect("hr", &[("mapping".into(), "hr".into())]));
        caller.create("Users", &person("ada", json!({"badge": "B-1", "level": 3}))).await;
        let shown = gateway.cli(&["users", "show", "scim|hr|x-ada", "--json"]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["app_metadata"], json!({"badge": "B-1"}), "{shown}");
    }

    async fn every_replica_sees_a_new_schema_and_its_end_within_the_time_a_token_is_believed(store) {
        let gateways = replicas(store).await;
        let callers: Vec<Caller> = gateways.iter().map(Caller::new).collect();
        for caller in &callers {
            assert_refused(&caller.get(&format!("/Schemas/{URN}")).await, 404, None);
            assert_eq!(caller.get("/Schemas").await.json()["totalResults"], 3);
        }
        register(&gateways[0], &hr(), &[]);
        for caller in &callers {
            let took = until_schema_is(caller, 200).await;
            assert!(took < BELIEVED + Duration::from_secs(1), "seen after {took:?}");
            let list = caller.get("/Schemas").await.json();
            let schema = &list["Resources"][3];
            assert_eq!((&list["totalResults"], &schema["id"], &schema["description"]), (&json!(4), &json!(URN), &json!("What HR knows.")));
            assert_eq!(schema["attributes"][4]["returned"], "request");
            let types = caller.get("/ResourceTypes/User").await.json();
            assert_eq!(types["schemaExtensions"][1], json!({"schema": URN, "required": false}));
        }
        gateways[0].cli(&["schema", "delete", URN, "--yes"]);
        for caller in &callers {
            let took = until_schema_is(caller, 404).await;
            assert!(took < BELIEVED + Duration::from_secs(1), "gone after {took:?}");
        }
    }

    async fn a_schema_in_use_grows_and_changes_nothing_that_is_stored(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &person("ada", json!({"badge": "B"}))).await);
        let update = |schema: &Value, arguments: &[&str]| {
            std::fs::write(gateway.folder().join("schema.json"), schema.to_string()).expect("a file");
            gateway.run(&[&["schema", "update", "schema.json"], arguments].concat())
        };
        let mut narrower = hr();
        narrower["attributes"][0]["type"] = "boolean".into();
        let refused = update(&narrower, &[]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("is in use") && said.contains("attributes[0].type: "), "{said}");
        let mut wider = hr();
        wider["attributes"].as_array_mut().expect("a list").push(json!({"name": "shift", "canonicalValues": ["day", "night"]}));
        assert!(update(&wider, &["--dry-run"]).status.success());
        assert!(!gateway.cli(&["schema", "show", URN]).contains("shift"), "a dry run changes nothing");
        assert!(update(&wider, &[]).status.success());
        let began = Instant::now();
        let operation = json!([{"op": "add", "path": format!("{URN}:shift"), "value": "night"}]);
        let mut answer = caller.patch(&path, operation.clone()).await;
        while answer.status == 400 && began.elapsed() < BELIEVED + Duration::from_secs(1) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = caller.patch(&path, operation.clone()).await;
        }
        assert_eq!((answer.status, &answer.json()[URN]), (200, &json!({"badge": "B", "shift": "night"})), "{}", answer.text);
        // Once nobody has data of it, it may become anything.
        caller.patch(&path, json!([{"op": "remove", "path": URN}])).await;
        assert!(update(&narrower, &[]).status.success());
    }

    /// A row that goes without the tenant's version moving, which nothing but a test does, is noticed by nobody.
    async fn no_request_reads_schemas_while_the_tenants_settings_stand_still(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        until_schema_is(&caller, 200).await;
        Database::change(gateway.database_url(), "DELETE FROM schema_extensions").await;
        let began = Instant::now();
        while began.elapsed() < BELIEVED + Duration::from_millis(500) {
            assert_eq!(caller.get(&format!("/Schemas/{URN}")).await.status, 200);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Database::change(gateway.database_url(), "UPDATE tenants SET version = version + 1").await;
        assert!(until_schema_is(&caller, 404).await < BELIEVED + Duration::from_secs(1));
    }

    /// As a request leaves it that was under way while the schema went.
    async fn data_of_a_schema_that_is_gone_goes_with_the_next_write(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &person("ada", json!({"badge": "B"}))).await);
        Database::change(gateway.database_url(), "DELETE FROM schema_extensions").await;
        Database::change(gateway.database_url(), "UPDATE tenants SET version = version + 1").await;
        until_schema_is(&caller, 404).await;
        assert_eq!(caller.get(&path).await.json()[URN], json!({"badge": "B"}), "nobody wrote it since");
        assert_refused(&caller.find("Users", &format!("{URN}:badge pr")).await, 400, Some("invalidFilter"));
        let patched = caller.patch(&path, json!([{"op": "add", "path": "title", "value": "Guide"}])).await;
        for answer in [patched, caller.get(&path).await] {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!((answer.json().get(URN), &answer.json()["schemas"]), (None, &json!([USER_URN])));
        }
    }

    async fn a_schema_in_use_stays_and_one_that_was_used_can_go(store) {
        let gateway = Gateway::start(store).await;
        register(&gateway, &hr(), &[]);
        let caller = Caller::new(&gateway);
        let mut beside = user("beside");
        beside["title"] = URN.into();
        caller.create("Users", &beside).await;
        let id = caller.create("Users", &person("ada", json!({"badge": "B"}))).await;
        for dry in [&["--dry-run"][..], &["--yes"][..]] {
            let refused = gateway.run(&[&["schema", "delete", URN], dry].concat());
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success() && said.contains("is in use") && said.contains(&id) && said.contains("connection scim"), "{said}");
        }
        caller.patch(&format!("/Users/{id}"), json!([{"op": "remove", "path": URN}])).await;
        assert!(gateway.cli(&["schema", "delete", URN, "--dry-run"]).contains("could be removed"));
        assert_eq!(gateway.cli(&["schema", "list", "--json"]).matches(URN).count(), 2, "it is still there");
        gateway.cli(&["schema", "delete", URN, "--yes"]);
        assert_eq!(gateway.cli(&["schema", "list", "--json"]).trim(), "[]");
        until_schema_is(&caller, 404).await;
        assert_refused(&caller.find("Users", &format!("{URN}:badge pr")).await, 400, Some("invalidFilter"));
        let created = caller.send("POST", "/Users", Some(&person("bob", json!({"badge": "B"})))).await.json();
        assert_eq!((created.get(URN), &created["schemas"]), (None, &json!([USER_URN])), "unknown again, and dropped");
    }
}

// --- the command line -------------------------------------------------------------------------------------------

#[test]
fn a_schema_is_registered_listed_shown_and_removed() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.write("hr.json", &hr().to_string());
    let dry = sandbox.run("schema create hr.json --dry-run --json").json();
    assert_eq!(sandbox.run("schema list --json").json(), json!([]), "a dry run registers nothing");
    assert!(sandbox.run("schema create hr.json --dry-run").out.contains("nothing was stored"));
    let made = sandbox.run("schema create hr.json --json").json();
    assert_eq!((&made["id"], &made["name"], &made["resource_type"]), (&json!(URN), &json!("Hr"), &json!("User")));
    assert_eq!(made["schema"], dry["schema"]);
    assert_eq!(made["schema"]["attributes"][0]["mutability"], "readWrite", "every characteristic is spelled out");
    assert_eq!(sandbox.run("schema list --json").json(), json!([made]));
    assert_eq!(sandbox.run(&format!("schema show {} --json", URN.to_uppercase())).json(), made);
    let shown = sandbox.run(&format!("schema show {URN}")).out;
    assert!(shown.contains("desks.floor") && shown.contains("returned request"), "{shown}");
    assert!(sandbox.run("schema list").out.contains(URN));
    assert!(sandbox.run(&format!("schema delete {URN}")).refusal().contains("not done without --yes"));
    sandbox.run(&format!("schema delete {URN} --yes")).succeeded();
    assert!(sandbox.run(&format!("schema show {URN}")).refusal().contains("no schema urn:example:hr:2.0:User is registered"));
}

#[test]
fn a_schema_comes_from_standard_input_and_what_is_shown_can_be_registered_elsewhere() {
    let (sandbox, _) = Sandbox::bootstrapped();
    sandbox.run("tenant create acme").succeeded();
    let made = sandbox.run_fed("schema create - --json", hr().to_string().as_bytes()).json();
    let there = sandbox.run_fed("schema create - --tenant acme --json", made["schema"].to_string().as_bytes()).json();
    assert_eq!(there["schema"], made["schema"]);
    sandbox.run(&format!("schema delete {URN} --tenant acme --yes")).succeeded();
    assert_eq!(sandbox.run("schema list --json").json()[0]["id"], URN, "the other tenant's is another");
}

#[test]
fn what_is_wrong_with_a_schema_is_told_by_field_and_nothing_is_stored() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let refusal = |schema: Value| {
        sandbox.write("bad.json", &schema.to_string());
        sandbox.run("schema create bad.json").refusal().to_owned()
    };
    let said = refusal(json!({"id": "urn:ietf:params:scim:schemas:core:2.0:Device", "attributes": [
        {"name": "a b"}, {"name": "badge", "type": "text", "uniqueness": "server"}]}));
    for line in [
        "the schema in bad.json can't be registered",
        "\n  id: URNs that begin with \"urn:ietf:params:scim:\" are the standard's",
        "\n  name: is required",
        "\n  attributes[0].name: must be a letter",
        "\n  attributes[1].type: is one of string, boolean",
        "\n  attributes[1].uniqueness: extension attributes are not kept unique",
    ] {
        assert!(said.contains(line), "{line} in: {said}");
    }
    assert!(sandbox.run_fed("schema create -", b"[]").refusal().contains("the schema in standard input can't be registered"));
    sandbox.write("bad.json", "{\"id\": ");
    assert!(sandbox.run("schema create bad.json").refusal().contains("the schema ends too early (line 1"));
    sandbox.write("bad.json", &" ".repeat(70_000));
    assert!(sandbox.run("schema create bad.json").refusal().contains("more than 65536 bytes"));
    assert!(sandbox.run("schema create missing.json").refusal().contains("missing.json can't be read"));
    assert_eq!(sandbox.run("schema create bad.json --resource-type Device").code, 2);
    assert!(sandbox.run("schema list --tenant nobody").refusal().contains("there is no tenant nobody"));
    assert_eq!(sandbox.run("schema list --json").json(), json!([]));
}

#[test]
fn what_clashes_with_a_registered_schema_is_refused() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let create = |urn: &str, name: &str| {
        sandbox.write("one.json", &json!({"id": urn, "name": name, "attributes": [{"name": "a"}]}).to_string());
        sandbox.run("schema create one.json")
    };
    create("urn:example:hr:2.0", "Hr").succeeded();
    assert!(create("URN:EXAMPLE:HR:2.0", "Other").refusal().contains("there is a schema urn:example:hr:2.0 already"));
    assert!(create("urn:example:hr:2.0:User", "Other").refusal().contains("can't be told from an attribute"));
    assert!(create("urn:example:other", "hr").refusal().contains("is called \"Hr\" already"));
    let near = sandbox.run("schema show urn:example:hr:2.1").refusal().to_owned();
    assert!(near.contains("did you mean urn:example:hr:2.0?"), "{near}");
}

#[test]
fn a_tenant_has_twenty_schemas_and_not_one_more() {
    let (sandbox, _) = Sandbox::bootstrapped();
    let create = |index: usize| {
        let schema = json!({"id": format!("urn:example:s{index}"), "name": format!("S{index}"), "attributes": [{"name": "a"}]});
        sandbox.run_fed("schema create -", schema.to_string().as_bytes())
    };
    for index in 0..20 {
        create(index).succeeded();
    }
    assert!(create(20).refusal().contains("a tenant has at most 20 schemas of its own"));
    sandbox.run("schema delete urn:example:s0 --yes").succeeded();
    create(20).succeeded();
}
