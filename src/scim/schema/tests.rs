use super::discovery::{self, AuthenticationScheme, BulkLimits, Features, Pagination};
use super::*;
use crate::scim::list::PageSizes;
use serde_json::{Map, Value, json};

const PAGES: PageSizes = PageSizes { default: 100, max: 200 };

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn all_attributes() -> Vec<&'static Attribute> {
    fn walk<'s>(attributes: &'s [Attribute], all: &mut Vec<&'s Attribute>) {
        for attribute in attributes {
            all.push(attribute);
            walk(&attribute.sub_attributes, all);
        }
    }
    let mut all = Vec::new();
    for schema in registry().schemas() {
        walk(&schema.attributes, &mut all);
    }
    all
}

#[test]
fn look_ups_ignore_case() {
    let user = &registry().user;
    assert_eq!(user.find("USERNAME").expect("core").name, "userName");
    assert_eq!(user.find("ExternalID").expect("common").name, "externalId");
    assert_eq!(user.find("emails").and_then(|emails| emails.sub("VALUE")).expect("sub").name, "value");
    assert_eq!(user.extension(&ENTERPRISE_URN.to_uppercase()).expect("extension").name, "EnterpriseUser");
    assert!(user.find("department").is_none(), "extension attributes are found in their schema");
}

#[test]
fn user_has_every_attribute_of_the_rfc() {
    let names: Vec<&str> = registry().user.core.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    let expected = [
        "userName",
        "name",
        "displayName",
        "nickName",
        "profileUrl",
        "title",
        "userType",
        "preferredLanguage",
        "locale",
        "timezone",
        "active",
        "password",
        "emails",
        "phoneNumbers",
        "ims",
        "photos",
        "addresses",
        "groups",
        "entitlements",
        "roles",
        "x509Certificates",
    ];
    assert_eq!(names, expected);
}

#[test]
fn lists_have_the_default_sub_attributes() {
    for name in ["emails", "phoneNumbers", "ims", "photos", "entitlements", "roles", "x509Certificates"] {
        let list = registry().user.find(name).expect(name);
        let subs: Vec<&str> = list.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
        assert!(list.multi_valued, "{name}");
        assert_eq!(subs, ["value", "display", "type", "primary"], "{name}");
    }
    assert!(registry().user.find("addresses").expect("addresses").default_sub().is_none());
}

#[test]
fn characteristics_that_deviate_from_the_defaults() {
    let user = &registry().user;
    let user_name = user.find("userName").expect("userName");
    assert!(user_name.required && !user_name.case_exact && user_name.uniqueness == Uniqueness::Server);
    let id = user.find("id").expect("id");
    assert!(id.case_exact && id.mutability == Mutability::ReadOnly && id.returned == Returned::Always);
    let password = user.find("password").expect("password");
    assert_eq!((password.mutability, password.returned), (Mutability::WriteOnly, Returned::Never));
    assert_eq!(user.find("groups").expect("groups").mutability, Mutability::ReadOnly);
    let manager = user.extension(ENTERPRISE_URN).and_then(|schema| schema.find("manager")).expect("manager");
    assert!(manager.sub("value").expect("value").case_exact);
    assert_eq!(manager.sub("displayName").expect("displayName").mutability, Mutability::ReadOnly);
    let members = registry().group.find("members").expect("members");
    for name in ["value", "$ref", "type"] {
        assert_eq!(members.sub(name).expect(name).mutability, Mutability::Immutable, "{name}");
    }
    assert!(registry().group.find("displayName").expect("displayName").required);
}

#[test]
fn complex_attributes_are_not_nested_and_have_sub_attributes() {
    for attribute in all_attributes() {
        assert_eq!(attribute.kind == Type::Complex, !attribute.sub_attributes.is_empty(), "{}", attribute.name);
        assert!(attribute.sub_attributes.iter().all(|sub| sub.kind != Type::Complex), "{}", attribute.name);
        assert!(!attribute.description.is_empty(), "{}", attribute.name);
        assert_eq!(attribute.kind == Type::Reference, !attribute.reference_types.is_empty(), "{}", attribute.name);
    }
}

#[test]
fn value_rows_are_kept_for_these_attributes_and_no_others() {
    let names: Vec<&str> = all_attributes()
        .into_iter()
        .filter_map(|attribute| match &attribute.index {
            Index::Values(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["name.familyName", "displayName", "emails.value", "phoneNumbers.value", "employeeNumber", "department"]);
}

#[test]
fn indexed_values_lists_each_searchable_value_once() {
    let user = object(json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "userName": "bjensen",
        "name": {"familyName": "Jensen", "givenName": "Barbara"},
        "displayName": "",
        "emails": [{"value": "B@example.com", "type": "work"}, {"value": "b@EXAMPLE.com", "type": "home"}, {"type": "other"}],
        "phoneNumbers": [{"value": "+1 555 0100"}],
        "title": "Tour Guide",
        ENTERPRISE_URN: {"employeeNumber": "701984", "manager": {"value": "26118915"}},
    }));
    let row = |name: &str, value: &str| (name.to_owned(), value.to_owned(), false);
    assert_eq!(
        indexed_values(&registry().user, &user),
        [
            row("name.familyName", "Jensen"),
            row("emails.value", "B@example.com"),
            row("phoneNumbers.value", "+1 555 0100"),
            row("employeeNumber", "701984"),
        ]
    );
}

#[test]
fn indexed_values_survive_documents_of_another_shape() {
    let odd = object(json!({"name": "x", "emails": "y", "phoneNumbers": [1, null, [{"value": "z"}]], ENTERPRISE_URN: []}));
    assert!(indexed_values(&registry().user, &odd).is_empty());
}

#[test]
fn published_schemas_spell_out_every_characteristic_and_hold_no_null() {
    let list = serde_json::to_value(discovery::schemas(registry(), "https://x.test/scim")).expect("json");
    assert_eq!(list["totalResults"], 3);
    assert_eq!(list["itemsPerPage"], 3);
    assert!(!list.to_string().contains("null"));
    fn check(attributes: &Value) {
        for attribute in attributes.as_array().expect("attributes") {
            for name in ["multiValued", "required", "caseExact"] {
                assert!(attribute[name].is_boolean(), "{name} of {attribute}");
            }
            for name in ["name", "type", "description", "mutability", "returned", "uniqueness"] {
                assert!(attribute[name].is_string(), "{name} of {attribute}");
            }
            if let Some(subs) = attribute.get("subAttributes") {
                check(subs);
            }
        }
    }
    for schema in list["Resources"].as_array().expect("resources") {
        assert_eq!(schema["schemas"], json!([SCHEMA_URN]));
        let id = schema["id"].as_str().expect("id");
        assert_eq!(schema["meta"]["location"], format!("https://x.test/scim/Schemas/{id}"));
        check(&schema["attributes"]);
        assert_eq!(discovery::schema(registry(), "https://x.test/scim", &id.to_uppercase()).as_ref(), Some(schema));
    }
    assert!(discovery::schema(registry(), "https://x.test/scim", "urn:none").is_none());
}

#[test]
fn resource_types_name_endpoint_schema_and_extensions() {
    let user = discovery::resource_type(registry(), "https://x.test/scim", "User").expect("User");
    assert_eq!(
        user,
        json!({
            "schemas": [RESOURCE_TYPE_URN],
            "id": "User",
            "name": "User",
            "description": "User Account",
            "endpoint": "/Users",
            "schema": USER_URN,
            "schemaExtensions": [{"schema": ENTERPRISE_URN, "required": false}],
            "meta": {"resourceType": "ResourceType", "location": "https://x.test/scim/ResourceTypes/User"},
        })
    );
    let list = serde_json::to_value(discovery::resource_types(registry(), "https://x.test/scim")).expect("json");
    assert_eq!((list["totalResults"].clone(), list["schemas"].clone()), (json!(2), json!([LIST_URN])));
    assert!(discovery::resource_type(registry(), "https://x.test/scim", "Device").is_none());
}

#[test]
fn configuration_says_what_this_release_does() {
    let config = discovery::service_provider_config("https://x.test/scim", &Features::current(PAGES, 600, None));
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["filter"], json!({"supported": true, "maxResults": 200}));
    assert_eq!(config["bulk"], json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0}));
    assert_eq!(config["sort"]["supported"], true);
    assert_eq!(config["changePassword"]["supported"], false);
    assert_eq!(config["etag"]["supported"], true);
    assert_eq!(config["pagination"]["cursor"], true);
    assert_eq!(config["pagination"]["cursorTimeout"], 600);
    assert_eq!(config["pagination"]["defaultPaginationMethod"], "index");
    assert_eq!(config["pagination"]["defaultPageSize"], 100);
    assert_eq!(config["pagination"]["maxPageSize"], 200);
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    assert!(!config.to_string().contains("null"));
}

#[test]
fn each_feature_shows_in_its_own_block_and_nowhere_else() {
    let print = |features: &Features| object(discovery::service_provider_config("", features));
    let now = Features::current(PAGES, 600, None);
    let paged = |pagination| Features { pagination, ..now.clone() };
    let both = json!({"index": true, "cursor": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
        "maxPageSize": 200, "cursorTimeout": 600});
    let with = |name: &str, value: Value| {
        let mut block = both.clone();
        block[name] = value;
        block
    };
    let mut index_alone = with("cursor", json!(false));
    index_alone.as_object_mut().expect("an object").remove("cursorTimeout");
    let mut cursors_alone = with("index", json!(false));
    cursors_alone["defaultPaginationMethod"] = json!("cursor");
    let basic = AuthenticationScheme { kind: "httpbasic", name: "Basic", description: "d", spec_uri: "u", primary: false };
    let basic_body = json!([{"type": "httpbasic", "name": "Basic", "description": "d", "specUri": "u", "primary": false}]);
    let flipped = [
        ("patch", Features { patch: false, ..now.clone() }, json!({"supported": false})),
        (
            "bulk",
            Features { bulk: Some(BulkLimits { operations_max: 9, payload_bytes_max: 99 }), ..now.clone() },
            json!({"supported": true, "maxOperations": 9, "maxPayloadSize": 99}),
        ),
        ("filter", Features { filter_results_max: None, ..now.clone() }, json!({"supported": false, "maxResults": 0})),
        ("filter", Features { filter_results_max: Some(7), ..now.clone() }, json!({"supported": true, "maxResults": 7})),
        ("changePassword", Features { change_password: true, ..now.clone() }, json!({"supported": true})),
        ("sort", Features { sort: false, ..now.clone() }, json!({"supported": false})),
        ("etag", Features { etag: false, ..now.clone() }, json!({"supported": false})),
        ("pagination", paged(Pagination { cursor_timeout_s: None, ..now.pagination }), index_alone),
        ("pagination", paged(Pagination { index: false, ..now.pagination }), cursors_alone),
        ("pagination", paged(Pagination { cursor_timeout_s: Some(7), ..now.pagination }), with("cursorTimeout", json!(7))),
        (
            "pagination",
            paged(Pagination { page_sizes: PageSizes { default: 5, ..PAGES }, ..now.pagination }),
            with("defaultPageSize", json!(5)),
        ),
        (
            "pagination",
            paged(Pagination { page_sizes: PageSizes { max: 500, ..PAGES }, ..now.pagination }),
            with("maxPageSize", json!(500)),
        ),
        ("authenticationSchemes", Features { authentication_schemes: vec![basic], ..now.clone() }, basic_body),
    ];
    let before = print(&now);
    assert_eq!(before["pagination"], both);
    for (block, features, expected) in flipped {
        let mut expected_document = before.clone();
        assert_ne!(expected_document.insert(block.to_owned(), expected.clone()), Some(expected), "{block} was flipped");
        assert_eq!(print(&features), expected_document, "{block}");
    }
}

#[test]
fn the_most_a_filter_returns_is_the_largest_page() {
    let pages = PageSizes { default: 7, max: 9 };
    let config = discovery::service_provider_config("", &Features::current(pages, 600, None));
    assert_eq!(config["filter"]["maxResults"], 9);
    assert_eq!((&config["pagination"]["defaultPageSize"], &config["pagination"]["maxPageSize"]), (&json!(7), &json!(9)));
}
