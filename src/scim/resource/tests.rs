use super::*;
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN, registry};
use proptest::prelude::*;
use serde_json::json;

const STRICT: Mode = Mode { strict: true };
const COMPAT: Mode = Mode { strict: false };

fn user(mut body: Value, mode: Mode) -> Result<Accepted, ScimError> {
    let object = body.as_object_mut().unwrap();
    object.entry("schemas").or_insert_with(|| json!([USER_URN]));
    object.entry("userName").or_insert_with(|| "bjensen".into());
    accept(&registry().user, body, mode)
}

/// The value at a JSON pointer of the accepted user.
fn taken(body: Value, mode: Mode, pointer: &str) -> Option<Value> {
    let accepted = user(body, mode).unwrap_or_else(|error| panic!("{pointer}: {error}"));
    Value::Object(accepted.document).pointer(pointer).cloned()
}

fn refused(body: Value, mode: Mode) -> (ScimType, String) {
    let shown = body.to_string();
    match user(body, mode) {
        Ok(accepted) => panic!("{shown} was accepted as {:?}", accepted.document),
        Err(error) => (error.scim_type.unwrap(), error.detail),
    }
}

fn group(body: Value, mode: Mode) -> Result<Accepted, ScimError> {
    accept(&registry().group, body, mode)
}

#[test]
fn a_document_has_the_schemas_spelling_schemas_first_and_nothing_derived_or_secret() {
    let body = json!({
        "USERNAME": "bjensen", "id": "x", "meta": {"resourceType": "User"}, "groups": [{"value": "g"}], "password": "hunter2",
        "Name": {"FAMILYNAME": "Jensen"}, "EMAILS": [{"Value": "b@x", "TYPE": "work"}], "ExternalID": "e1",
        "urn:IETF:params:scim:schemas:extension:enterprise:2.0:user": {"Department": "D", "manager": {"value": "m", "displayName": "M"}},
        "SCHEMAS": [USER_URN],
    });
    let accepted = accept(&registry().user, body, STRICT).unwrap();
    let expected = json!({
        "schemas": [USER_URN, ENTERPRISE_URN], "userName": "bjensen", "name": {"familyName": "Jensen"},
        "emails": [{"value": "b@x", "type": "work"}], "externalId": "e1",
        ENTERPRISE_URN: {"department": "D", "manager": {"value": "m"}}, "active": true,
    });
    assert_eq!(Value::Object(accepted.document.clone()), expected);
    assert_eq!(accepted.document.keys().next().unwrap(), "schemas");
    assert!(accepted.password_given);
    assert_eq!(accepted.members, None);
    assert!(accepted.ignored.is_empty());
}

#[test]
fn null_empty_and_absent_are_the_same() {
    for mode in [STRICT, COMPAT] {
        let body = json!({
            "userName": "b", "schemas": [USER_URN], "title": null, "emails": [], "name": {}, "nickName": [], "externalId": "",
            "phoneNumbers": [null, {}, {"value": null}], "addresses": null, ENTERPRISE_URN: {"manager": {"$ref": null}}, "password": null,
        });
        let accepted = accept(&registry().user, body, mode).unwrap();
        let expected = json!({"schemas": [USER_URN], "userName": "b", "active": true});
        assert_eq!(Value::Object(accepted.document), expected);
        assert!(!accepted.password_given);
    }
}

#[test]
fn values_come_out_exactly_as_they_were_sent() {
    for (body, pointer) in [
        (json!({"phoneNumbers": [{"value": " +1 (555) 0100 "}]}), "/phoneNumbers/0/value"),
        (json!({"emails": [{"value": "B.Jensen@EXAMPLE.com"}]}), "/emails/0/value"),
        (json!({"roles": [{"value": "{\"id\":\"a\"}"}]}), "/roles/0/value"),
        (json!({"emails": [{"value": "a@b", "type": "Büro"}]}), "/emails/0/type"),
        (json!({"x509Certificates": [{"value": "TWFu"}]}), "/x509Certificates/0/value"),
        (json!({"nickName": ""}), "/nickName"),
    ] {
        let sent = body.pointer(pointer).cloned();
        assert_eq!(taken(body, STRICT, pointer), sent, "{pointer}");
    }
}

#[test]
fn a_wrong_type_is_told_by_attribute_wanted_type_and_kind_never_by_value() {
    for (body, detail) in [
        (json!({"title": 5}), "title must be a string, not a number"),
        (json!({"title": ["x"]}), "title must be a string, not an array"),
        (json!({"active": 1}), "active must be true or false, not a number"),
        (json!({"active": "yes"}), "active must be true or false, not a string"),
        (json!({"name": ["x"]}), "name must be an object, not an array"),
        (json!({"name": "Barbara"}), "name must be an object, not a string"),
        (json!({"emails": [{"value": {}}]}), "emails.value must be a string, not an object"),
        (json!({"addresses": ["Berlin"]}), "addresses must be an object, not a string"),
        (json!({"password": {"hunter2": 1}}), "password must be a string, not an object"),
        (json!({"x509Certificates": [{"value": "not base64!"}]}), "x509Certificates.value must be Base64 text"),
        (
            json!({ENTERPRISE_URN: {"department": 7}}),
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department must be a string, not a number",
        ),
        (
            json!({ENTERPRISE_URN: "x"}),
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User must be an object, not a string",
        ),
    ] {
        assert_eq!(refused(body.clone(), COMPAT), (ScimType::InvalidValue, detail.to_owned()));
        assert_eq!(refused(body, STRICT), (ScimType::InvalidValue, detail.to_owned()));
    }
}

#[test]
fn what_real_clients_send_is_taken_unless_strict() {
    let manager = format!("/{ENTERPRISE_URN}/manager").replace("~", "~0");
    for (body, pointer, expected) in [
        (json!({"active": "True"}), "/active", json!(true)),
        (json!({"active": "false"}), "/active", json!(false)),
        (json!({"emails": [{"value": "a@b", "primary": "true"}]}), "/emails/0/primary", json!(true)),
        (json!({ENTERPRISE_URN: {"manager": "271"}}), &manager, json!({"value": "271"})),
        (json!({ENTERPRISE_URN: {"manager": {"managerId": "271"}}}), &manager, json!({"value": "271"})),
        (json!({"emails": ["a@b", "c@d"]}), "/emails", json!([{"value": "a@b"}, {"value": "c@d"}])),
        (json!({"emails": {"value": "a@b"}}), "/emails", json!([{"value": "a@b"}])),
        (json!({"roles": "admin"}), "/roles", json!([{"value": "admin"}])),
        (json!({"x509Certificates": [{"value": "TW\nFu-_8"}]}), "/x509Certificates/0/value", json!("TW\nFu-_8")),
        (json!({"profileUrl": "not a url"}), "/profileUrl", json!("not a url")),
    ] {
        refused(body.clone(), STRICT);
        assert_eq!(taken(body, COMPAT, pointer), Some(expected), "{pointer}");
    }
    assert_eq!(taken(json!({ENTERPRISE_URN: {"manager": ""}}), COMPAT, &manager), None, "an empty manager is none");
}

#[test]
fn an_unknown_attribute_is_refused_if_strict_and_dropped_by_name_if_not() {
    let body =
        json!({"favouriteColour": "red", "name": {"nick": "B"}, ENTERPRISE_URN: {"badge": 1}, "urn:acme:1.0:User": {"a": 1}});
    for (name, value) in body.as_object().unwrap() {
        let (kind, detail) = refused(json!({name: value}), STRICT);
        assert_eq!(kind, ScimType::InvalidSyntax, "{detail}");
    }
    let accepted = user(body, COMPAT).unwrap();
    let badge = format!("{ENTERPRISE_URN}:badge");
    assert_eq!(accepted.ignored, ["favouriteColour", "name.nick", &badge, "urn:acme:1.0:User"]);
    assert_eq!(accepted.document.len(), 3, "schemas, userName, active: {:?}", accepted.document);
}

#[test]
fn schemas_must_be_right_if_strict_and_are_understood_from_the_endpoint_if_not() {
    let microsoft = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    for (schemas, ignored) in [
        (json!(null), vec![]),
        (json!([]), vec![]),
        (json!(USER_URN), vec![]),
        (json!([ENTERPRISE_URN]), vec![]),
        (json!([USER_URN, USER_URN.to_uppercase()]), vec![]),
        (json!(["urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"]), vec![]),
        (json!([USER_URN, microsoft]), vec![]),
        (json!([USER_URN, "urn:acme:1.0:User"]), vec!["urn:acme:1.0:User"]),
    ] {
        let (kind, detail) = refused(json!({"schemas": schemas}), STRICT);
        assert!(kind == ScimType::InvalidValue && detail.contains("schemas"), "{schemas}: {detail}");
        let accepted = user(json!({"schemas": schemas}), COMPAT).unwrap();
        assert_eq!(accepted.ignored, ignored);
        assert_eq!(accepted.document["schemas"], json!([USER_URN]));
    }
    assert!(user(json!({"schemas": [USER_URN.to_uppercase(), ENTERPRISE_URN]}), STRICT).is_ok(), "URNs ignore case");
    assert_eq!(refused(json!({"schemas": [1]}), COMPAT).0, ScimType::InvalidValue);
}

#[test]
fn extension_data_without_its_urn_in_schemas_adds_it() {
    for mode in [STRICT, COMPAT] {
        let schemas = taken(json!({"schemas": [USER_URN], ENTERPRISE_URN: {"division": "D"}}), mode, "/schemas");
        assert_eq!(schemas, Some(json!([USER_URN, ENTERPRISE_URN])));
    }
}

#[test]
fn a_required_attribute_must_be_there_and_not_blank() {
    for name in [json!(null), json!(""), json!("  ")] {
        let error = accept(&registry().user, json!({"schemas": [USER_URN], "userName": name}), COMPAT).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        assert!(error.detail.starts_with("userName"), "{}", error.detail);
    }
    let error = group(json!({"schemas": [GROUP_URN]}), COMPAT).unwrap_err();
    assert_eq!((error.scim_type, error.detail.as_str()), (Some(ScimType::InvalidValue), "displayName is required"));
}

#[test]
fn one_primary_is_kept_and_two_are_refused() {
    let emails = |second: bool| json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": second}]});
    assert_eq!(taken(emails(false), STRICT, "/emails/1/primary"), Some(json!(false)));
    assert_eq!(refused(emails(true), COMPAT), (ScimType::InvalidValue, "emails has more than one primary element".into()));
}

#[test]
fn text_and_lists_are_bounded_and_the_limit_is_named() {
    let long = |bytes: usize| "x".repeat(bytes);
    for (at_limit, above, detail) in [
        (json!({"title": long(1024)}), json!({"title": long(1025)}), "title must be at most 1024 bytes, not 1025"),
        (
            json!({"roles": [{"value": long(8192)}]}),
            json!({"roles": [{"value": long(8193)}]}),
            "roles.value must be at most 8192 bytes, not 8193",
        ),
        (json!({"profileUrl": long(8192)}), json!({"profileUrl": long(8193)}), "profileUrl must be at most 8192 bytes, not 8193"),
        (json!({"password": long(4096)}), json!({"password": long(4097)}), "password must be at most 4096 bytes, not 4097"),
        (
            json!({"emails": vec![json!({"value": "a"}); 1000]}),
            json!({"emails": vec![json!({"value": "a"}); 1001]}),
            "emails must have at most 1000 elements",
        ),
    ] {
        assert!(user(at_limit, STRICT).is_ok(), "{detail}");
        assert_eq!(refused(above, COMPAT), (ScimType::InvalidValue, detail.to_owned()));
    }
}

#[test]
fn a_document_is_bounded_as_a_whole() {
    let roles = |n: usize| json!({"roles": vec![json!({"value": "x".repeat(8192)}); n]});
    assert!(user(roles(127), STRICT).is_ok());
    assert_eq!(refused(roles(129), STRICT), (ScimType::InvalidValue, "the resource must be at most 1048576 bytes".into()));
}

#[test]
fn a_body_of_another_shape_is_no_scim() {
    for (body, kind) in [(json!([]), "an array"), (json!("x"), "a string"), (json!(null), "null")] {
        let error = accept(&registry().user, body, COMPAT).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
        assert_eq!(error.detail, format!("the body must be an object, not {kind}"));
    }
}

#[test]
fn members_are_taken_out_of_the_document_each_once_with_their_kind() {
    let body = json!({"schemas": [GROUP_URN], "displayName": "G", "members": [
        {"value": "u1", "type": "User", "display": "ignored"}, {"value": "g1", "$ref": "https://x/scim/v2/Groups/g1"},
        {"value": "u2", "$ref": null}, {"value": "u1"},
    ]});
    let accepted = group(body, STRICT).unwrap();
    let member = |id: &str, kind| MemberRef { id: id.into(), kind };
    let expected = vec![member("u1", Some(MemberKind::User)), member("g1", Some(MemberKind::Group)), member("u2", None)];
    assert_eq!(accepted.members, Some(expected));
    assert_eq!(Value::Object(accepted.document), json!({"schemas": [GROUP_URN], "displayName": "G"}));
}

#[test]
fn members_not_sent_differ_from_members_sent_empty() {
    let members =
        |value: Value| group(json!({"schemas": [GROUP_URN], "displayName": "G", "members": value}), COMPAT).unwrap().members;
    assert_eq!(members(json!(null)), None);
    assert_eq!(members(json!([])), Some(vec![]));
    assert_eq!(members(json!("u1")).unwrap()[0].id, "u1");
    assert_eq!(members(json!(["u1", "u2"])).unwrap().len(), 2);
}

#[test]
fn a_member_without_id_and_too_many_members_are_refused() {
    let error = |value: Value| group(json!({"schemas": [GROUP_URN], "displayName": "G", "members": value}), COMPAT).unwrap_err();
    assert_eq!(error(json!([{"display": "x"}])).detail, "an element of members has no value, the id of a member");
    assert_eq!(error(json!([{"value": 7}])).detail, "members.value must be a string, not a number");
    assert_eq!(error(vec![json!("u"); MEMBERS_MAX + 1].into()).detail, "members must have at most 100000 elements");
}

#[test]
fn put_clears_what_it_leaves_out_but_active() {
    let current = user(json!({"title": "T", "active": false, "emails": [{"value": "a@b"}]}), STRICT).unwrap().document;
    let put = |body: Value| accept_put(&registry().user, body, &current, STRICT).unwrap().document;
    let expected = json!({"schemas": [USER_URN], "userName": "b", "active": false});
    assert_eq!(Value::Object(put(json!({"schemas": [USER_URN], "userName": "b"}))), expected);
    assert_eq!(put(json!({"schemas": [USER_URN], "userName": "b", "active": true}))["active"], true);
    let error = accept_put(&registry().user, json!({"schemas": [USER_URN]}), &current, STRICT).unwrap_err();
    assert_eq!(error.detail, "userName is required");
}

/// A user type whose `badge.number` and `hiredAt` may be set once, and whose `level` and `ratio` are numbers.
fn custom() -> ResourceType {
    let mut custom = ResourceType::user();
    let base = custom.core.find("title").unwrap().clone();
    let with = |name: &str, kind, mutability| Attribute { name: name.into(), kind, mutability, ..base.clone() };
    let badge = Attribute {
        sub_attributes: vec![
            with("number", Type::String, Mutability::Immutable),
            with("colour", Type::String, Mutability::ReadWrite),
        ],
        ..with("badge", Type::Complex, Mutability::ReadWrite)
    };
    custom.extensions[0].attributes.extend([
        badge,
        with("hiredAt", Type::DateTime, Mutability::Immutable),
        with("level", Type::Integer, Mutability::ReadWrite),
        with("ratio", Type::Decimal, Mutability::ReadWrite),
    ]);
    custom
}

#[test]
fn dates_and_numbers_keep_their_form_and_strings_of_them_are_read_unless_strict() {
    let custom = custom();
    let read = |attributes: Value, mode| {
        let body = json!({"schemas": [USER_URN], "userName": "b", ENTERPRISE_URN: attributes});
        accept(&custom, body, mode).map(|accepted| accepted.document[ENTERPRISE_URN].clone())
    };
    for same in [
        json!({"hiredAt": "2026-01-31T12:00:00Z"}),
        json!({"hiredAt": "2026-01-31T12:00:00.123+05:30"}),
        json!({"level": 5}),
        json!({"ratio": 1.5}),
    ] {
        assert_eq!(read(same.clone(), STRICT).unwrap(), same);
    }
    for (sent, kept) in [
        (json!({"hiredAt": "2026-01-31T12:00:00"}), json!({"hiredAt": "2026-01-31T12:00:00"})),
        (json!({"level": "5"}), json!({"level": 5})),
        (json!({"ratio": "1.5"}), json!({"ratio": 1.5})),
    ] {
        assert!(read(sent.clone(), STRICT).is_err(), "{sent}");
        assert_eq!(read(sent, COMPAT).unwrap(), kept);
    }
    for wrong in [
        json!({"hiredAt": "2026-01-31"}),
        json!({"hiredAt": "yesterday"}),
        json!({"level": 1.5}),
        json!({"level": "many"}),
        json!({"ratio": true}),
    ] {
        assert_eq!(read(wrong.clone(), COMPAT).unwrap_err().scim_type, Some(ScimType::InvalidValue), "{wrong}");
    }
}

#[test]
fn put_may_set_an_immutable_attribute_once_repeat_it_or_leave_it_out_but_not_change_it() {
    let custom = custom();
    let put = |current: &Map<String, Value>, attributes: Value| {
        let body = json!({"schemas": [USER_URN], "userName": "b", ENTERPRISE_URN: attributes});
        accept_put(&custom, body, current, STRICT).map(|accepted| accepted.document)
    };
    let unset = user(json!({}), STRICT).unwrap().document;
    let set = put(&unset, json!({"hiredAt": "2026-01-01T00:00:00Z", "badge": {"number": "A1", "colour": "red"}})).unwrap();
    let recoloured = put(&set, json!({"badge": {"number": "a1", "colour": "blue"}})).unwrap();
    let kept = json!({"badge": {"number": "A1", "colour": "blue"}, "hiredAt": "2026-01-01T00:00:00Z"});
    assert_eq!(recoloured[ENTERPRISE_URN], kept, "left out or spelled otherwise, it stays as it was");
    for (change, name) in
        [(json!({"hiredAt": "2026-02-01T00:00:00Z"}), "hiredAt"), (json!({"badge": {"number": "B2"}}), "badge.number")]
    {
        let error = put(&set, change).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::Mutability));
        assert!(error.detail.starts_with(&format!("{ENTERPRISE_URN}:{name} is immutable")), "{}", error.detail);
    }
}

/// Bodies of attributes that exist, in odd spellings, and values of any shape.
fn any_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zA-Z=:é ]{0,8}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 3, |inner| {
        let name =
            prop::sample::select(vec!["value", "Type", "primary", "$ref", "familyName", "department", "manager", "managerId"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    });
    let names =
        vec!["userName", "ACTIVE", "emails", "name", "password", "groups", "schemas", "externalId", "members", ENTERPRISE_URN];
    prop::collection::btree_map(prop::sample::select(names), value, 0..5)
        .prop_map(|map| Value::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

proptest! {
    #[test]
    fn any_body_is_answered_without_a_panic_and_what_is_accepted_is_accepted_again(body in any_body(), strict: bool) {
        for resource_type in registry().resource_types() {
            let Ok(accepted) = accept(resource_type, body.clone(), Mode { strict }) else { continue };
            let again = accept(resource_type, Value::Object(accepted.document.clone()), Mode { strict }).unwrap();
            prop_assert_eq!(&again.document, &accepted.document);
            for secret_or_derived in ["id", "meta", "groups", "password", "members"] {
                prop_assert!(!accepted.document.contains_key(secret_or_derived));
            }
        }
    }
}
