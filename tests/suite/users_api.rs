//! `/api/v2/users`, read: on both stores, people that were pushed are shown, listed, sorted and searched.

use crate::support::caller::{Caller, ENTERPRISE_URN, USER_URN, encoded, on_both_gateways};
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

    async fn get(&self, path: &str) -> Answer {
        let url = format!("{}/api/v2{path}", self.gateway.base_url());
        let headers = [(String::from("authorization"), format!("Bearer {}", self.token))];
        self.gateway.send("GET", &url, &headers, None).await.expect("an answer")
    }

    async fn ok(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// The user names that a search finds, in order.
    async fn found(&self, q: &str) -> Vec<String> {
        names(&self.ok(&format!("/users?q={}", encoded(q))).await)
    }

    /// The same, sorted by name.
    async fn who(&self, q: &str) -> String {
        let mut found = self.found(q).await;
        found.sort();
        found.join(" ")
    }
}

fn names(users: &Value) -> Vec<String> {
    let users = users.as_array().unwrap_or_else(|| panic!("an array: {users}"));
    users.iter().map(|user| user["username"].as_str().expect("a user name").to_owned()).collect()
}

fn assert_problem(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
    assert_eq!(answer.json()["statusCode"], status);
    assert!(answer.header("x-ratelimit-reset").is_some_and(|value| value.parse::<u64>().is_ok()));
    answer.json()["message"].as_str().expect("a message").to_owned()
}

fn person(user_name: &str, external_id: &str, more: &Value) -> Value {
    let mut user = json!({"schemas": [USER_URN], "userName": user_name, "externalId": external_id});
    for (name, value) in more.as_object().expect("an object") {
        user[name] = value.clone();
    }
    user
}

/// Four people of a connection, and their SCIM ids.
async fn people(gateway: &Gateway) -> Vec<String> {
    let scim = Caller::new(gateway);
    let mail = |address: &str| json!([{"value": address, "primary": true}]);
    let mut ids = Vec::new();
    for user in [
        person(
            "ana",
            "e1",
            &json!({
                "displayName": "Ana Müller", "name": {"givenName": "Ana", "familyName": "Müller"}, "emails": mail("Ana@Acme.example"),
                "title": "gold_1", ENTERPRISE_URN: {"department": "Research"}, "roles": [{"value": "admin"}, {"value": "dev"}],
            }),
        ),
        person(
            "bob",
            "e2",
            &json!({
                "displayName": "Bob", "emails": mail("bob@acme.example"), "active": false, "phoneNumbers": [{"value": "+4930123"}],
            }),
        ),
        person("Cy", "e3", &json!({"displayName": "cyRIL", "emails": mail("cy@other.example"), "title": "goldX1"})),
        person("dee", "e4", &json!({"name": {"givenName": "Dee"}})),
    ] {
        ids.push(scim.create("Users", &user).await);
    }
    ids
}

/// A search, and the user names of those it finds among [`people`].
const SEARCHES: &[(&str, &str)] = &[
    // Text of a person: any case, wildcards anywhere, and only as a whole without one.
    ("name:\"ana müller\"", "ana"),
    ("name:ANA", ""),
    ("name:An*", "ana"),
    ("name:*ÜLL*", "ana"),
    ("name:*ril", "Cy"),
    ("name:cyril OR name:bob", "Cy bob"),
    ("name:(\"bob\" OR \"cyril\")", "Cy bob"),
    ("email:ANA@ACME.EXAMPLE", "ana"),
    ("email:*acme*", "ana bob"),
    ("email.domain:\"ACME.example\"", "ana bob"),
    ("email.domain:*.example NOT email.domain:other.example", "ana bob"),
    // Text as it is.
    ("username:Cy", "Cy"),
    ("username:cy", ""),
    ("username:C*", "Cy"),
    ("user_id:\"scim|scim|e4\"", "dee"),
    ("user_id:scim|scim|e*", "Cy ana bob dee"),
    ("phone_number:\"+4930123\"", "bob"),
    ("identities.connection:\"scim\"", "Cy ana bob dee"),
    ("identities.connection:SCIM", ""),
    ("identities.provider:scim", "Cy ana bob dee"),
    ("identities.user_id:\"scim|e2\"", "bob"),
    ("identities.isSocial:false", "Cy ana bob dee"),
    ("identities.isSocial:true", ""),
    ("organization_id:org_1", ""),
    ("last_ip:127.0.0.1", ""),
    // True and false, where absent is false.
    ("blocked:true", "bob"),
    ("blocked:false", "Cy ana dee"),
    ("NOT blocked:true", "Cy ana dee"),
    ("email_verified:false", "Cy ana bob dee"),
    ("NOT email_verified:true", "Cy ana bob dee"),
    ("phone_verified:true", ""),
    // Numbers and times.
    ("logins_count:0", "Cy ana bob dee"),
    ("logins_count:{0 TO 10]", ""),
    ("NOT _exists_:logins_count OR logins_count:7", "Cy ana bob dee"),
    ("last_login:[* TO *]", ""),
    ("created_at:[2020-01-01 TO *]", "Cy ana bob dee"),
    ("updated_at:[* TO 2020-01-01]", ""),
    // Metadata has types, and lists are opened.
    ("app_metadata.department:\"Research\"", "ana"),
    ("app_metadata.department:research", ""),
    ("app_metadata.department:Re*", "ana"),
    ("app_metadata.title:gold_*", "ana"),
    ("app_metadata.title:[gold TO goldY]", "Cy"),
    ("app_metadata.roles:admin app_metadata.roles:dev", "ana"),
    ("_exists_:app_metadata.title", "Cy ana"),
    ("_exists_:app_metadata", "Cy ana"),
    ("_exists_:user_metadata.lang", ""),
    ("user_metadata.lang:\"de\"", ""),
    // Existence.
    ("_exists_:given_name", "ana dee"),
    ("NOT _exists_:email", "dee"),
    ("given_name:*", "ana dee"),
    // A word alone, and how words bind.
    ("bob", "bob"),
    ("Ana", "ana"),
    ("Research", ""),
    ("-bob", "Cy ana dee"),
    ("blocked:true name:ana*", ""),
    ("name:bob OR name:ana* blocked:true", "bob"),
    ("(name:bob OR name:ana*) blocked:false", "ana"),
    ("*", "Cy ana bob dee"),
    ("", "Cy ana bob dee"),
];

on_both_gateways! {
    async fn a_user_is_shown_by_user_id_and_by_address_and_nobody_else_is(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        people(&gateway).await;
        // Encoded as SDKs of today do, and as older ones leave it.
        for path in ["/users/scim%7Cscim%7Ce1", "/users/scim%7cscim|e1"] {
            let shown = api.ok(path).await;
            assert_eq!(shown["user_id"], "scim|scim|e1");
            assert_eq!((&shown["name"], &shown["email"]), (&json!("Ana Müller"), &json!("Ana@Acme.example")));
            assert_eq!(shown["email_verified"], false);
            assert_eq!(shown["nickname"], "Ana");
            assert_eq!(shown["app_metadata"]["department"], "Research");
            assert!(shown.get("user_metadata").is_none() && shown.get("blocked").is_none(), "{shown}");
            assert_eq!(
                shown["identities"],
                json!([{"connection": "scim", "provider": "scim", "user_id": "scim|e1", "isSocial": false}])
            );
            let created = shown["created_at"].as_str().expect("a time");
            assert!(created.ends_with('Z') && created.len() == 24, "{created}");
        }
        assert_eq!(api.ok("/users/scim%7Cscim%7Ce2").await["blocked"], true);
        let shown = api.ok("/users/scim%7Cscim%7Ce1?fields=user_id,email,nobody&include_fields=true").await;
        assert_eq!(shown, json!({"user_id": "scim|scim|e1", "email": "Ana@Acme.example"}));
        assert!(api.ok("/users/scim%7Cscim%7Ce1?fields=email&include_fields=false").await.get("email").is_none());

        assert_problem(&api.get("/users/scim%7Cscim%7Cnobody").await, 404, "inexistent_user");
        assert_problem(&api.get("/users/%00").await, 400, "invalid_uri");

        assert_eq!(names(&api.ok("/users-by-email?email=ANA%40acme.EXAMPLE").await), ["ana"]);
        assert_eq!(api.ok("/users-by-email?email=nobody%40acme.example").await, json!([]));
        assert_problem(&api.get("/users-by-email").await, 400, "invalid_query_string");

        let poor = Api::with(&gateway, &["--name", "poor", "--scopes", "read:clients"]);
        for path in ["/users", "/users/scim%7Cscim%7Ce1", "/users-by-email?email=a"] {
            let message = assert_problem(&poor.get(path).await, 403, "insufficient_scope");
            assert!(message.starts_with("Insufficient scope, expected any of: read:users"), "{message}");
        }
    }

    async fn nobody_of_another_tenant_is_shown_listed_or_found(store) {
        let gateway = Gateway::start(store).await;
        people(&gateway).await;
        gateway.cli(&["tenant", "create", "other", "--host", "other.example"]);
        let other = Api::with(&gateway, &["--name", "theirs", "--tenant", "other"]);
        assert_problem(&other.get("/users/scim%7Cscim%7Ce1").await, 404, "inexistent_user");
        assert_eq!(other.ok("/users-by-email?email=ana%40acme.example").await, json!([]));
        let none = json!({"start": 0, "limit": 50, "length": 0, "total": 0, "users": []});
        assert_eq!(other.ok("/users?include_totals=true").await, none);
        for q in ["*", "name:ana*", "user_id:\"scim|scim|e1\"", "identities.connection:scim", "NOT blocked:true", "logins_count:0"] {
            assert_eq!(other.ok(&format!("/users?include_totals=true&q={}", encoded(q))).await, none, "{q}");
        }
        assert_eq!(other.ok("/users?connection=scim").await, json!([]));
    }

    async fn a_list_has_three_shapes_and_a_page_past_its_end_is_empty(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        people(&gateway).await;
        assert_eq!(names(&api.ok("/users").await), ["ana", "bob", "Cy", "dee"]);
        assert_eq!(names(&api.ok("/users?page=1&per_page=3").await), ["dee"]);
        let page = api.ok("/users?page=1&per_page=3&include_totals=true").await;
        assert_eq!((&page["start"], &page["limit"], &page["length"], &page["total"]), (&json!(3), &json!(3), &json!(1), &json!(4)));
        let past = api.ok("/users?page=7&per_page=50&include_totals=true").await;
        assert_eq!(past, json!({"start": 350, "limit": 50, "length": 0, "total": 4, "users": []}));
        let message = assert_problem(&api.get("/users?page=20&per_page=50").await, 400, "invalid_paging");
        assert!(message.contains("1000"), "{message}");
        for wrong in ["per_page=101", "per_page=0", "page=-1", "take=0", "take=x", "from=made-up", "include_totals=1", "sort=name:2"] {
            assert_problem(&api.get(&format!("/users?{wrong}")).await, 400, "invalid_query_string");
        }
        // By checkpoint, whatever else is asked: totals never stand there, and the last page has no next.
        for (sort, q) in [("", ""), ("&sort=name:-1", ""), ("&sort=last_login:1", ""), ("&sort=email:1", "NOT blocked:true"), ("", "email.domain:acme.example")] {
            let (mut seen, mut from, base) = (Vec::new(), String::new(), format!("/users?take=1&include_totals=true{sort}&q={}", encoded(q)));
            loop {
                let page = api.ok(&format!("{base}{from}")).await;
                assert!(page.get("total").is_none(), "{page}");
                seen.extend(names(&page["users"]));
                let Some(next) = page.get("next") else { break };
                // Somebody who comes meanwhile moves nobody.
                from = format!("&from={}", encoded(next.as_str().expect("text")));
            }
            let whole = names(&api.ok(&format!("/users?per_page=100{sort}&q={}", encoded(q))).await);
            assert_eq!(seen, whole, "{sort} {q}");
        }
        let next = api.ok("/users?take=1&sort=name:1").await["next"].as_str().expect("a checkpoint").to_owned();
        assert_problem(&api.get(&format!("/users?take=1&sort=name:-1&from={}", encoded(&next))).await, 400, "invalid_query_string");
        assert_eq!(api.ok("/users?per_page=1&fields=user_id").await, json!([{"user_id": "scim|scim|e1"}]));
    }

    async fn people_are_sorted_by_every_field_that_may_be_and_both_ways(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        people(&gateway).await;
        for (field, order) in [
            ("name", ["ana", "bob", "Cy", "dee"]),
            ("email", ["dee", "ana", "bob", "Cy"]),
            ("given_name", ["bob", "Cy", "ana", "dee"]),
            ("family_name", ["bob", "Cy", "dee", "ana"]),
            ("nickname", ["ana", "bob", "Cy", "dee"]),
            ("user_id", ["ana", "bob", "Cy", "dee"]),
            ("created_at", ["ana", "bob", "Cy", "dee"]),
            ("updated_at", ["ana", "bob", "Cy", "dee"]),
            ("last_login", ["ana", "bob", "Cy", "dee"]),
            ("logins_count", ["ana", "bob", "Cy", "dee"]),
        ] {
            for q in ["", "&q=logins_count:0", "&q=NOT%20name:nobody", "&connection=scim"] {
                assert_eq!(names(&api.ok(&format!("/users?sort={field}:1{q}")).await), order, "{field} {q}");
                let mut back = order;
                back.reverse();
                assert_eq!(names(&api.ok(&format!("/users?sort={field}:-1{q}")).await), back, "{field} {q}");
            }
        }
        assert_problem(&api.get("/users?sort=app_metadata.title:1").await, 400, "invalid_query_string");
    }

    async fn a_search_finds_who_matches_and_nobody_else(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let ids = people(&gateway).await;
        for (q, who) in SEARCHES {
            assert_eq!(api.who(q).await, *who, "{q}");
            let page = api.ok(&format!("/users?include_totals=true&q={}", encoded(q))).await;
            assert_eq!(page["total"], who.split_whitespace().count(), "{q}");
        }
        assert_eq!(names(&api.ok("/users?connection=scim&q=bob").await), ["bob"]);
        assert_eq!(api.ok("/users?connection=none").await, json!([]));

        for q in ["emial:a", "blocked:yes", "(a", "name:[a TO b]", "user_metadata.a:b*"] {
            let message = assert_problem(&api.get(&format!("/users?q={}", encoded(q))).await, 400, "invalid_query_string");
            assert!(message.contains("at column"), "{message}");
        }
        assert_problem(&api.get("/users?search_engine=v2&q=a").await, 400, "invalid_query_string");
        assert_eq!(names(&api.ok("/users?search_engine=v3&q=bob").await), ["bob"]);

        // Every write of a profile moves what it is searched by.
        let scim = Caller::new(&gateway);
        scim.patch(&format!("/Users/{}", ids[0]), json!([
            {"op": "replace", "path": "displayName", "value": "Anna"},
            {"op": "remove", "path": "title"},
            {"op": "replace", "path": "emails", "value": [{"value": "anna@new.example", "primary": true}]},
        ])).await;
        for (q, who) in [
            ("name:Anna", "ana"), ("name:\"ana müller\"", ""), ("app_metadata.title:gold_*", ""), ("email.domain:new.example", "ana"),
            ("email.domain:acme.example", "bob"), ("email:anna@new.example", "ana"),
        ] {
            assert_eq!(api.who(q).await, who, "{q}");
        }
        // So the rows are those a fresh profile of the same document would have, and none are left of what was.
        let mut rows = Database::open(gateway.database_url()).await;
        let kept = rows.rows("SELECT doc, user_id, id FROM users ORDER BY id").await;
        for user in &kept {
            let text = |name: &str| user[name].as_str().expect("text").to_owned();
            let document = user["doc"].as_str().map_or_else(|| user["doc"].to_string(), str::to_owned);
            let wanted = rosterd::model::user_search::values(&document, &text("user_id"));
            let id = text("id");
            let stored = rows.rows(&format!("SELECT attribute, value_key FROM user_values WHERE profile_id = '{id}'")).await;
            let mut stored: Vec<(String, String)> = stored.iter().map(|row| {
                (row["attribute"].as_str().expect("text").to_owned(), row["value_key"].as_str().expect("text").to_owned())
            }).collect();
            stored.sort();
            assert_eq!(stored, wanted);
        }
    }

    async fn who_is_deleted_is_neither_counted_nor_found(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let connection = "gone";
        gateway.cli(&["connection", "create", connection, "--kind", "scim", "--set", "deprovision=delete"]);
        let token: Value = serde_json::from_str(&gateway.cli(&["token", "create", "--connection", connection, "--json"])).expect("JSON");
        let scim = Caller::of(&gateway, connection, token["token"].as_str().expect("a token"));
        let id = scim.create("Users", &person("eve", "e9", &json!({"displayName": "Eve"}))).await;
        assert_eq!(api.ok("/users?include_totals=true").await["total"], 1);
        assert_eq!(api.who("name:eve").await, "eve");
        assert_eq!(scim.send("DELETE", &format!("/Users/{id}"), None).await.status, 204);
        assert_eq!(api.ok("/users?include_totals=true").await["total"], 0);
        assert_eq!(api.who("name:eve OR identities.connection:gone").await, "");
        let mut rows = Database::open(gateway.database_url()).await;
        assert!(rows.rows("SELECT attribute FROM user_values").await.is_empty());
    }
}
