//! What the gateway says of itself (RFC 7643 §5 to §7, RFC 7644 §4 and §3.13): complete, true, read-only.

use serde_json::{Value, json};

use super::support::caller::{Caller, ENTERPRISE_URN, GROUP_URN, USER_URN, assert_refused, encoded, on_both_gateways, user};
use super::support::gateway::Gateway;

const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

async fn read(caller: &Caller, path: &str) -> Value {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    assert!(!answer.text.contains("null"), "{path}: {}", answer.text);
    answer.json()
}

/// Every discovery document there is, by its path.
fn documents() -> Vec<String> {
    let fixed = ["/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/User", "/ResourceTypes/Group", "/Schemas"];
    let schemas = [USER_URN, GROUP_URN, ENTERPRISE_URN].map(|urn| format!("/Schemas/{urn}"));
    fixed.map(str::to_owned).into_iter().chain(schemas).collect()
}

on_both_gateways! {
    async fn the_configuration_says_what_the_gateway_does_and_nothing_else(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let config = read(&caller, "/ServiceProviderConfig").await;
        let blocks: Vec<&String> = config.as_object().expect("an object, no list").keys().collect();
        assert_eq!(blocks, [
            "schemas", "patch", "bulk", "filter", "changePassword", "sort", "etag", "pagination", "authenticationSchemes", "meta",
        ]);
        let is_on = |block: &str| config[block]["supported"].as_bool().expect("a boolean");
        let ids = |list: &Value| list["Resources"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
        let path = format!("/Users/{}", caller.create("Users", &user("aaa")).await);
        caller.create("Users", &user("bbb")).await;
        let patched = caller.patch(&path, json!([{"op": "add", "path": "title", "value": "T"}])).await;
        assert_eq!((is_on("patch"), patched.status), (true, 200));
        let found = caller.find("Users", "title eq \"T\"").await.json();
        assert_eq!((is_on("filter"), &found["totalResults"]), (true, &json!(1)));
        let up = ids(&caller.get("/Users?sortBy=userName").await.json());
        let mut down = ids(&caller.get("/Users?sortBy=userName&sortOrder=descending").await.json());
        down.reverse();
        assert_eq!((is_on("sort"), up.len(), up), (true, 2, down));
        let tag = caller.get(&path).await.header("etag").expect("an ETag").to_owned();
        let saved = caller.send_with("GET", &path, &[("if-none-match", &tag)], None).await;
        assert_eq!((is_on("etag"), saved.status), (true, 304));
        let bulk = caller.send("POST", "/Bulk", Some(&json!({"Operations": [{"method": "DELETE", "path": "/Users/nobody"}]}))).await;
        assert_eq!((is_on("bulk"), bulk.status), (true, 200));
        // A password is taken and forgotten: nothing is changed by it.
        let password = caller.patch(&path, json!([{"op": "replace", "path": "password", "value": "Another-1"}])).await;
        assert_eq!((is_on("changePassword"), password.header("etag")), (false, Some(tag.as_str())));
        let pages = &config["pagination"];
        assert_eq!((&pages["index"], &pages["cursor"], &pages["defaultPaginationMethod"]), (&json!(true), &json!(true), &json!("index")));
        assert_eq!(caller.get("/Users").await.json()["startIndex"], 1, "by index unless a cursor is asked for");
        assert!(caller.get("/Users?cursor=&count=1").await.json()["nextCursor"].is_string());
        // No events are announced (decision 0028), so nothing is done later.
        let at_once = caller.send_with("POST", "/Users", &[("prefer", "respond-async")], Some(&user("ccc"))).await;
        assert_eq!((at_once.status, at_once.header("preference-applied"), at_once.header("set-txn")), (201, None, None));
        let schemes = config["authenticationSchemes"].as_array().expect("a list");
        assert_eq!((schemes.len(), &schemes[0]["type"], &schemes[0]["primary"]), (1, &json!("oauthbearertoken"), &json!(true)));
        let basic = [("authorization".to_owned(), "Basic c2NpbTpzY2lt".to_owned())];
        assert_refused(&gateway.request("GET", "scim", "/Users", &basic, None).await, 401, None);
    }

    async fn resource_types_lead_to_endpoints_and_schemas_that_are_there(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let list = read(&caller, "/ResourceTypes").await;
        assert_eq!((&list["schemas"], &list["totalResults"], &list["itemsPerPage"]), (&json!([LIST_URN]), &json!(2), &json!(2)));
        for (resource_type, (id, endpoint, urn)) in
            list["Resources"].as_array().expect("a list").iter().zip([("User", "/Users", USER_URN), ("Group", "/Groups", GROUP_URN)])
        {
            assert_eq!((&resource_type["id"], &resource_type["name"]), (&json!(id), &json!(id)));
            assert_eq!((&resource_type["endpoint"], &resource_type["schema"]), (&json!(endpoint), &json!(urn)));
            assert_eq!(resource_type["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:ResourceType"]));
            let path = format!("/ResourceTypes/{id}");
            assert_eq!(resource_type["meta"]["location"], format!("{}{path}", gateway.scim_url("scim")).as_str());
            assert_eq!(&read(&caller, &path).await, resource_type);
            assert_eq!(caller.get(endpoint).await.status, 200);
            let extensions = resource_type["schemaExtensions"].as_array().cloned().unwrap_or_default();
            assert!(extensions.iter().all(|extension| extension["required"] == false), "plain users are users: {extensions:?}");
            for schema in extensions.iter().map(|extension| &extension["schema"]).chain([&resource_type["schema"]]) {
                read(&caller, &format!("/Schemas/{}", schema.as_str().expect("a URN"))).await;
            }
        }
        for unknown in ["/ResourceTypes/Device", "/ResourceTypes/%00", "/ResourceTypes/User/x"] {
            assert_refused(&caller.get(unknown).await, 404, None);
        }
    }

    async fn schemas_spell_out_every_characteristic_of_every_attribute(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let list = read(&caller, "/Schemas").await;
        assert_eq!((&list["schemas"], &list["totalResults"]), (&json!([LIST_URN]), &json!(3)));
        let schemas = list["Resources"].as_array().expect("a list");
        assert_eq!(schemas.iter().map(|schema| schema["id"].as_str().expect("a URN")).collect::<Vec<_>>(), [USER_URN, GROUP_URN, ENTERPRISE_URN]);
        for schema in schemas {
            let urn = schema["id"].as_str().expect("a URN");
            assert_eq!(schema["schemas"], json!(["urn:ietf:params:scim:schemas:core:2.0:Schema"]));
            assert_eq!(schema["meta"]["location"], format!("{}/Schemas/{urn}", gateway.scim_url("scim")).as_str());
            for spelled in [urn.to_owned(), encoded(urn), urn.to_uppercase()] {
                assert_eq!(&read(&caller, &format!("/Schemas/{spelled}")).await, schema);
            }
            spelled_out(&schema["attributes"]);
        }
        for unknown in ["/Schemas/urn:example:none", "/Schemas/User", &format!("/Schemas/{USER_URN}:userName")] {
            assert_refused(&caller.get(unknown).await, 404, None);
        }
    }

    async fn discovery_is_for_reading_alone_and_takes_no_filter(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for path in documents() {
            let document = read(&caller, &path).await;
            for ignored in ["sortBy=id&sortOrder=descending", "startIndex=2&count=1", "attributes=id", "excludedAttributes=meta", "x=y&"] {
                assert_eq!(read(&caller, &format!("{path}?{ignored}")).await, document, "{path}?{ignored}");
            }
            assert_eq!(read(&caller, &format!("{path}/")).await, document);
            for filter in ["filter=id%20pr", "filter=", "FILTER=x"] {
                assert_refused(&caller.get(&format!("{path}?{filter}")).await, 403, None);
            }
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                let answer = caller.send(method, &path, (method != "DELETE").then_some(&document)).await;
                assert_refused(&answer, 405, None);
                assert_eq!(answer.header("allow"), Some("GET"), "{method} {path}");
            }
            assert_refused(&Caller::of(&gateway, "scim", "nobody").get(&path).await, 401, None);
        }
    }

    async fn the_version_stands_in_the_path_and_no_other_is_served(store) {
        let gateway = Gateway::start(store).await;
        let token = [("authorization".to_owned(), format!("Bearer {}", gateway.token()))];
        let ask = async |path: &str| gateway.send("GET", &format!("{}{path}", gateway.base_url()), &token, None).await.expect("an answer");
        let served = ask("/scim/v2/connections/scim/Users").await;
        assert_eq!(served.status, 200);
        assert!(gateway.scim_url("scim").ends_with("/scim/v2/connections/scim"));
        for other in ["/scim/v1/connections/scim/Users", "/scim/v3/connections/scim/Users", "/scim/connections/scim/Users", "/scim/v2.0/connections/scim/Users"] {
            assert_eq!(ask(other).await.status, 404, "{other}");
        }
        assert_refused(&ask("/scim/v2/Users").await, 404, None);
    }
}

fn spelled_out(attributes: &Value) {
    let words = [
        ("type", vec!["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex"]),
        ("mutability", vec!["readOnly", "readWrite", "immutable", "writeOnly"]),
        ("returned", vec!["always", "never", "default", "request"]),
        ("uniqueness", vec!["none", "server", "global"]),
    ];
    for attribute in attributes.as_array().expect("a list") {
        for (name, known) in &words {
            assert!(attribute[*name].as_str().is_some_and(|word| known.contains(&word)), "{name} of {attribute}");
        }
        for name in ["multiValued", "required", "caseExact"] {
            assert!(attribute[name].is_boolean(), "{name} of {attribute}");
        }
        assert!(attribute["description"].as_str().is_some_and(|text| !text.is_empty()), "{attribute}");
        assert_eq!(attribute["type"] == "complex", attribute.get("subAttributes").is_some(), "{attribute}");
        assert_eq!(attribute["type"] == "reference", attribute.get("referenceTypes").is_some(), "{attribute}");
        if let Some(parts) = attribute.get("subAttributes") {
            spelled_out(parts);
        }
    }
}
