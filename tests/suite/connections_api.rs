//! `/api/v2/connections` and what hangs on them, on both stores: made, read, changed and removed by API, with secrets that only go in;
//! groups, organizations and the tenant, read; and a 404 that says what there is not.

use crate::support::caller::{Caller, encoded, group, on_both_gateways, user};
use crate::support::gateway::{Answer, Gateway};
use crate::support::rows::Database;
use serde_json::{Value, json};

struct Api<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> Api<'a> {
    fn admin(gateway: &'a Gateway) -> Self {
        Self { gateway, token: gateway.bootstrapped("admin_token").to_owned() }
    }

    fn with(gateway: &'a Gateway, arguments: &[&str]) -> Self {
        let made = gateway.cli(&[&["token", "create", "--json", "--admin"], arguments].concat());
        let made: Value = serde_json::from_str(&made).expect("JSON");
        Self { gateway, token: made["token"].as_str().expect("a token").to_owned() }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}/api/v2{path}", self.gateway.base_url());
        let mut headers = vec![(String::from("authorization"), format!("Bearer {}", self.token))];
        if body.is_some() {
            headers.push((String::from("content-type"), String::from("application/json")));
        }
        self.gateway.send(method, &url, &headers, body.map(Value::to_string)).await.expect("an answer")
    }

    async fn ok(&self, path: &str) -> Value {
        let answer = self.send("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    async fn made(&self, body: &Value) -> String {
        let answer = self.send("POST", "/connections", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        format!("/connections/{}", answer.json()["id"].as_str().expect("an id"))
    }
}

fn assert_problem(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
    answer.json()["message"].as_str().expect("a message").to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("an array").iter().map(|one| one["name"].as_str().expect("a name")).collect()
}

fn oidc(name: &str) -> Value {
    json!({
        "name": name, "strategy": "oidc",
        "options": {"issuer": "https://id.example", "client_id": "gateway", "client_secret": "s3cret-of-theirs"},
    })
}

on_both_gateways! {
    async fn a_connection_is_made_read_changed_and_removed_and_its_secret_never_comes_out(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let plan = api.send("POST", "/connections?dry_run=true", Some(&oidc("acme"))).await;
        assert_eq!((plan.status, &plan.json()["step"]), (200, &json!("create")), "{}", plan.text);
        assert!(!plan.text.contains("s3cret-of-theirs"));
        let path = api.made(&oidc("acme")).await;
        let shown = api.ok(&path).await;
        assert_eq!((&shown["strategy"], &shown["options"]["client_secret"]), (&json!("oidc"), &json!("***")));
        let cli: Value = serde_json::from_str(&gateway.cli(&["connection", "show", "acme", "--json"])).expect("JSON");
        assert_eq!(cli["secrets"], json!(["client_secret"]));

        // Sent back as it was read, nothing changes; without the stars the secret is gone, and options that are not named too.
        let options = |options: &Value| json!({ "options": options });
        let same = json!({"issuer": "https://id.example", "client_id": "gateway", "client_secret": "***"});
        let before = api.ok(&path).await;
        assert_eq!(api.send("PATCH", &path, Some(&options(&same))).await.json(), before);
        let other = json!({"issuer": "https://id.example", "client_id": "another", "client_secret": "***"});
        let plan = api.send("PATCH", &format!("{path}?dry_run=true"), Some(&options(&other))).await.json();
        assert_eq!(plan["changes"], json!([{"attribute": "options.client_id", "before": "gateway", "after": "another"}]));
        assert_eq!(api.ok(&path).await, before, "a dry run writes nothing");
        let changed = api.send("PATCH", &path, Some(&options(&other))).await.json();
        assert_eq!((&changed["options"]["client_id"], &changed["options"]["client_secret"]), (&json!("another"), &json!("***")));
        let changed = api.send("PATCH", &path, Some(&options(&json!({"issuer": "https://id.example"})))).await.json();
        assert!(changed["options"].get("client_secret").is_none() && changed["options"]["client_id"].is_null(), "{changed}");
        let mut rows = Database::open(gateway.database_url()).await;
        let log = rows.rows("SELECT kind, detail FROM log WHERE kind LIKE 'connection.%' ORDER BY created_at, id").await;
        assert!(log.iter().any(|row| row["kind"] == "connection.updated"), "{log:?}");
        assert!(!format!("{log:?}").contains("s3cret-of-theirs"));

        assert_eq!(api.ok(&format!("{path}/status")).await["status"], "up");
        let gone = api.send("DELETE", &path, None).await;
        assert_eq!(gone.status, 202, "{}", gone.text);
        assert!(gone.json()["deleted_at"].is_string());
        assert_eq!(api.send("DELETE", &path, None).await.status, 204);
        assert_problem(&api.send("GET", &path, None).await, 404, "inexistent_connection");
    }

    async fn what_may_not_be_said_of_a_connection_is_refused_by_name_and_writes_nothing(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        for (body, code, says) in [
            (json!({"strategy": "scim"}), "invalid_body", "on property name"),
            (json!({"name": "a--b", "strategy": "scim"}), "invalid_body", "on property name"),
            (json!({"name": "a", "strategy": "nothing"}), "invalid_body", "on property strategy"),
            (json!({"name": "a", "strategy": "scim", "nmae": 1}), "invalid_body", "on property nmae"),
            (json!({"name": "a", "strategy": "scim", "options": {"strictt": true}}), "invalid_body", "did you mean strict?"),
            (json!({"name": "a", "strategy": "scim", "options": {"mapping": "none"}}), "invalid_body", "on property options.mapping"),
            (json!({"name": "a", "strategy": "scim", "options": {"join": "nobody"}}), "invalid_body", "on property options.join"),
            (json!({"name": "a", "strategy": "samlp", "options": {"metadata_file": "/etc/passwd"}}), "invalid_body", "names a file"),
            (json!({"name": "a", "strategy": "samlp", "options": {"metadata_url": "http://a.example"}}), "invalid_body", "https"),
            (json!({"name": "a", "strategy": "scim", "organization_id": "org_none"}), "invalid_body", "on property organization_id"),
        ] {
            let message = assert_problem(&api.send("POST", "/connections", Some(&body)).await, 400, code);
            assert!(message.contains(says), "{body}: {message}");
        }
        assert_problem(&api.send("POST", "/connections", Some(&json!({"name": "scim", "strategy": "scim"}))).await, 409, "already_exists");
        let id = gateway.bootstrapped("connection_id").to_owned();
        let body = json!({"name": "other"});
        assert_problem(&api.send("PATCH", &format!("/connections/{id}"), Some(&body)).await, 400, "invalid_body");
        Caller::new(&gateway).create("Users", &user("ana")).await;
        let message = assert_problem(&api.send("DELETE", &format!("/connections/{id}"), None).await, 409, "already_exists");
        assert!(message.contains("users came in"), "{message}");
        assert_eq!(names(&api.ok("/connections").await), ["scim"]);

        let poor = Api::with(&gateway, &["--name", "poor", "--scopes", "read:connections"]);
        assert_problem(&poor.send("POST", "/connections", Some(&json!({"name": "b", "strategy": "scim"}))).await, 403, "insufficient_scope");
        gateway.cli(&["tenant", "create", "other", "--host", "other.example"]);
        let other = Api::with(&gateway, &["--name", "theirs", "--tenant", "other"]);
        for path in [format!("/connections/{id}"), format!("/connections/{id}/status"), format!("/connections/{id}/scim-configuration")] {
            assert_problem(&other.send("GET", &path, None).await, 404, "inexistent_connection");
        }
        assert_eq!(other.ok("/connections?name=scim").await, json!([]));
        assert_eq!(other.ok("/groups").await, json!({"groups": []}));
    }

    async fn connections_are_listed_by_kind_and_name_in_three_shapes(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        for name in ["github", "acme"] {
            let strategy = if name == "github" { "github" } else { "samlp" };
            api.made(&json!({"name": name, "strategy": strategy})).await;
        }
        assert_eq!(names(&api.ok("/connections").await), ["acme", "github", "scim"]);
        assert_eq!(names(&api.ok("/connections?strategy=github&strategy=samlp").await), ["acme", "github"]);
        assert_eq!(api.ok("/connections?strategy=nothing").await, json!([]));
        assert_eq!(names(&api.ok("/connections?name=acme").await), ["acme"]);
        assert_eq!(api.ok("/connections?name=acme&strategy=github").await, json!([]));
        let page = api.ok("/connections?page=1&per_page=2&include_totals=true").await;
        assert_eq!((&page["total"], &page["length"], names(&page["connections"])), (&json!(3), &json!(1), vec!["scim"]));
        let first = api.ok("/connections?take=2").await;
        assert_eq!(names(&first["connections"]), ["acme", "github"]);
        let next = encoded(first["next"].as_str().expect("a checkpoint"));
        let last = api.ok(&format!("/connections?take=2&from={next}")).await;
        assert_eq!((names(&last["connections"]), last.get("next")), (vec!["scim"], None));
        assert_problem(&api.send("GET", &format!("/connections?take=2&strategy=scim&from={next}"), None).await, 400, "invalid_query_string");
    }

    async fn a_scim_side_is_configured_by_api_and_opened_by_two_tokens_at_most(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let scim = format!("/connections/{}/scim-configuration", gateway.bootstrapped("connection_id"));
        let shown = api.ok(&scim).await;
        for member in ["connection_id", "connection_name", "strategy", "tenant_name", "user_id_attribute", "created_at", "updated_on"] {
            assert!(shown[member].is_string(), "{member} in {shown}");
        }
        assert!(shown["mapping"].as_array().expect("pairs").contains(&json!({"auth0": "username", "scim": "userName"})));
        assert_problem(&api.send("POST", &scim, Some(&json!({}))).await, 400, "invalid_body");
        let made = api.made(&json!({"name": "acme", "strategy": "samlp"})).await;
        let path = format!("{made}/scim-configuration");
        assert_problem(&api.send("GET", &path, None).await, 404, "inexistent_scim_configuration");
        assert_problem(&api.send("POST", &format!("{path}/tokens"), Some(&json!({}))).await, 404, "inexistent_scim_configuration");
        let configured = api.send("POST", &path, Some(&json!({}))).await;
        assert_eq!((configured.status, &configured.json()["user_id_attribute"]), (201, &json!("userName")), "{}", configured.text);
        assert_eq!(api.ok(&path).await["connection_name"], "acme");
        assert_eq!(api.ok(&format!("{path}/default-mapping")).await["mapping"], shown["mapping"]);
        let both = json!({"user_id_attribute": "externalId", "mapping": shown["mapping"]});
        assert_eq!(api.send("PATCH", &path, Some(&both)).await.json()["user_id_attribute"], "externalId");
        let half = json!({"user_id_attribute": "externalId"});
        assert_problem(&api.send("PATCH", &path, Some(&half)).await, 400, "invalid_body");
        let other = json!({"user_id_attribute": "externalId", "mapping": [{"auth0": "email", "scim": "userName"}]});
        assert_problem(&api.send("PATCH", &path, Some(&other)).await, 400, "operation_not_supported");
        assert_eq!(names_of_configurations(&api.ok("/connections-scim-configurations").await), ["acme", "scim"]);

        let tokens = format!("{path}/tokens");
        assert_eq!(api.ok(&tokens).await, json!([]));
        let first = api.send("POST", &tokens, Some(&json!({"scopes": ["get:users"], "token_lifetime": 901}))).await;
        assert_eq!(first.status, 201, "{}", first.text);
        let first = first.json();
        assert!(first["valid_until"].is_string() && first["scopes"] == json!(["get:users"]), "{first}");
        assert_eq!(api.send("POST", &tokens, Some(&json!({}))).await.status, 201);
        assert_problem(&api.send("POST", &tokens, Some(&json!({}))).await, 409, "already_exists");
        for wrong in [json!({"scopes": []}), json!({"scopes": ["read:users"]}), json!({"token_lifetime": 10}), json!({"name": "a"})] {
            assert_problem(&api.send("POST", &tokens, Some(&wrong)).await, 400, "invalid_body");
        }
        let listed = api.ok(&tokens).await;
        assert!(listed.as_array().expect("two").iter().all(|token| token.get("token").is_none()), "{listed}");
        // It opens the endpoint with what it was given, and nothing of the API.
        let text = first["token"].as_str().expect("shown once");
        let client = Caller::of(&gateway, "acme", text);
        assert_eq!(client.get("/Users").await.status, 200);
        assert_eq!(client.send("POST", "/Users", Some(&user("ana"))).await.status, 403);
        let stranger = Api { gateway: &gateway, token: text.to_owned() };
        assert_eq!(stranger.send("GET", "/users", None).await.status, 401);
        assert_problem(&api.send("DELETE", &path, None).await, 409, "already_exists");
        for token in listed.as_array().expect("two") {
            let one = format!("{tokens}/{}", token["token_id"].as_str().expect("an id"));
            assert_eq!(api.send("DELETE", &one, None).await.status, 204);
            assert_problem(&api.send("DELETE", &one, None).await, 404, "inexistent_token");
        }
        // What was found out of a token is remembered for two seconds.
        tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
        assert_eq!(client.get("/Users").await.status, 401);
        assert_problem(&api.send("DELETE", &scim, None).await, 400, "operation_not_supported");
    }

    async fn groups_and_who_is_in_them_are_read_nested_ones_included(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let scim = Caller::new(&gateway);
        let mut ana = user("ana");
        ana["externalId"] = "e1".into();
        let ana = scim.create("Users", &ana).await;
        let inner = scim.create("Groups", &group("Engineers", &[&ana])).await;
        let outer = scim.create("Groups", &group("Everybody", &[&inner])).await;
        let all = api.ok("/groups").await;
        assert_eq!(names(&all["groups"]), ["Engineers", "Everybody"]);
        for member in ["id", "name", "tenant_name", "created_at", "updated_at", "connection_id"] {
            assert!(all["groups"][0][member].is_string(), "{member} in {all}");
        }
        for (query, found) in [
            ("name=engineers", vec!["Engineers"]),
            ("search=E", vec!["Engineers", "Everybody"]),
            ("search=every", vec!["Everybody"]),
            ("name=every", vec![]),
            ("external_id=none", vec![]),
            ("connection_id=con_none", vec![]),
            ("take=1", vec!["Engineers"]),
        ] {
            assert_eq!(names(&api.ok(&format!("/groups?{query}")).await["groups"]), found, "{query}");
        }
        assert_problem(&api.send("GET", "/groups?name=a&search=b", None).await, 400, "invalid_query_string");
        assert_eq!(api.ok(&format!("/groups/{inner}")).await["name"], "Engineers");
        assert_problem(&api.send("GET", "/groups/none", None).await, 404, "inexistent_group");
        let members = api.ok(&format!("/groups/{inner}/members")).await;
        assert_eq!((&members["members"][0]["id"], &members["members"][0]["member_type"]), (&json!("scim|scim|e1"), &json!("user")));
        let members = api.ok(&format!("/groups/{outer}/members")).await;
        assert_eq!((&members["members"][0]["id"], &members["members"][0]["member_type"]), (&json!(inner), &json!("group")));
        let first = api.ok("/users/scim%7Cscim%7Ce1/groups?take=1").await;
        let next = encoded(first["next"].as_str().expect("a checkpoint"));
        let last = api.ok(&format!("/users/scim%7Cscim%7Ce1/groups?take=1&from={next}")).await;
        assert_eq!((names(&first["groups"]), names(&last["groups"])), (vec!["Engineers"], vec!["Everybody"]));
        scim.patch(&format!("/Users/{ana}"), json!([{"op": "replace", "path": "active", "value": false}])).await;
        assert_eq!(api.ok("/users/scim%7Cscim%7Ce1/groups").await, json!({"groups": []}), "who is blocked is in none");
    }

    async fn the_tenant_and_its_organizations_are_read_and_what_there_is_not_says_so(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        assert_eq!(api.ok("/tenants/settings").await["friendly_name"], "default");
        gateway.cli(&["organization", "create", "acme", "--domain", "acme.example"]);
        let all = api.ok("/organizations").await;
        assert_eq!((names(&all["organizations"]), &all["organizations"][0]["domains"]), (vec!["acme"], &json!(["acme.example"])));
        let id = all["organizations"][0]["id"].as_str().expect("an id");
        assert_eq!(api.ok(&format!("/organizations/{id}")).await, api.ok("/organizations/name/acme").await);
        assert_problem(&api.send("GET", "/organizations/org_none", None).await, 404, "inexistent_organization");
        for path in ["/actions/actions", "/roles", "/branding", "/users/a/authentication-methods", "/connections/a/keys", "/tickets/email-verification"] {
            let message = assert_problem(&api.send("GET", path, None).await, 404, "not_implemented");
            assert!(message.contains("does not"), "{message}");
        }
        assert_problem(&api.send("GET", "/nothing", None).await, 404, "not_found");
    }
}

fn names_of_configurations(list: &Value) -> Vec<&str> {
    let all = list["scim_configurations"].as_array().expect("an array");
    all.iter().map(|one| one["connection_name"].as_str().expect("a name")).collect()
}
