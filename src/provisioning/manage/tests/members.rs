//! What may be said: types, limits, names.

use super::*;

fn wrong(form: Form, value: Value) -> Vec<(String, &'static str)> {
    let wrong = Members::read(&object(value), form).expect_err("wrong");
    wrong.into_iter().map(|wrong| (wrong.path, wrong.rule.code())).collect()
}

fn update(value: Value) -> Vec<(String, &'static str)> {
    wrong(Form::Update { deep: false }, value)
}

fn one(path: &str, code: &'static str) -> Vec<(String, &'static str)> {
    vec![(path.to_owned(), code)]
}

#[test]
fn every_member_has_a_type_and_a_limit() {
    for (name, value, code) in [
        ("email", json!(7), "INVALID_TYPE"),
        ("email", json!(""), "MIN_LENGTH"),
        ("email", json!("ana"), "FORMAT"),
        ("email", json!("ana@"), "FORMAT"),
        ("email", json!("a b@x.example"), "FORMAT"),
        ("email", json!("a@b@x.example"), "FORMAT"),
        ("email", json!(format!("{}@x.example", "a".repeat(65))), "FORMAT"),
        ("email", json!(format!("a@{}.example", "x".repeat(250))), "MAX_LENGTH"),
        ("email_verified", json!("true"), "INVALID_TYPE"),
        ("username", json!("a b"), "FORMAT"),
        ("username", json!("ana@x.example"), "FORMAT"),
        ("username", json!("a".repeat(129)), "MAX_LENGTH"),
        ("phone_number", json!("0171"), "FORMAT"),
        ("phone_number", json!("+1234567890123456"), "MAX_LENGTH"),
        ("phone_verified", json!(1), "INVALID_TYPE"),
        ("name", json!("a".repeat(301)), "MAX_LENGTH"),
        ("given_name", json!("a".repeat(151)), "MAX_LENGTH"),
        ("family_name", json!({}), "INVALID_TYPE"),
        ("nickname", json!("a".repeat(351)), "MAX_LENGTH"),
        ("picture", json!("javascript:alert(1)"), "FORMAT"),
        ("picture", json!("a picture"), "FORMAT"),
        ("blocked", json!("yes"), "INVALID_TYPE"),
        ("user_metadata", json!([]), "INVALID_TYPE"),
        ("app_metadata", json!("x"), "INVALID_TYPE"),
        ("password", json!(""), "MIN_LENGTH"),
        ("name", json!("a\u{0}b"), "PATTERN"),
        ("locale", json!("de"), "NOT_PASSED"),
        ("groups", json!([]), "NOT_PASSED"),
        ("user_id", json!("x"), "NOT_PASSED"),
        ("identities", json!([]), "NOT_PASSED"),
    ] {
        assert_eq!(update(json!({ name: value.clone() })), one(name, code), "{name}: {value}");
    }
    assert_eq!(update(json!({})), one("", "OBJECT_REQUIRED"));
}

#[test]
fn what_is_as_long_as_it_may_be_is_taken() {
    let whole = json!({
        "connection": "db", "email": format!("{}@x.example", "a".repeat(64)), "name": "ä".repeat(300), "nickname": "n".repeat(350),
        "given_name": "g".repeat(150), "phone_number": "+123456789012345", "username": "u".repeat(128), "user_id": "i".repeat(255),
        "picture": "https://x.example/p.png", "verify_email": false, "blocked": null,
    });
    assert!(Members::read(&object(whole), Form::Create).is_ok());
}

#[test]
fn somebody_new_has_a_connection_and_something_to_be_known_by() {
    assert_eq!(wrong(Form::Create, json!({"email": "a@x.example"})), one("connection", "OBJECT_REQUIRED"));
    assert_eq!(wrong(Form::Create, json!({"connection": "db", "name": "A"})), one("email", "ANY_OF_MISSING"));
    assert_eq!(wrong(Form::Create, json!({"connection": null, "email": "a@x.example"})), one("connection", "INVALID_TYPE"));
    let client = json!({"connection": "db", "email": "a@x.example", "client_id": "c"});
    assert_eq!(wrong(Form::Create, client), one("client_id", "NOT_PASSED"));
    assert_eq!(
        wrong(Form::Create, json!({"connection": "db", "email": "a@x.example", "user_id": "a b"})),
        one("user_id", "FORMAT")
    );
}

#[test]
fn everything_that_is_wrong_is_told_and_no_value_of_it() {
    let wrong = Members::read(&object(json!({"email": "geheim", "nonsense": 1, "name": 7})), Form::Update { deep: false });
    let told: Vec<String> = wrong.expect_err("wrong").iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "'Object didn't pass validation for format email' on property email",
            "'Additional properties not allowed' on property nonsense",
            "'Expected type string but found type number' on property name",
        ]
    );
}

#[test]
fn names_in_metadata_hold_no_dot_and_no_dollar_at_any_depth() {
    for (value, path) in [
        (json!({"a.b": 1}), "user_metadata.a.b"),
        (json!({"$set": 1}), "user_metadata.$set"),
        (json!({"": 1}), "user_metadata."),
        (json!({"a": {"b": [{"c.d": 1}]}}), "user_metadata.a.b[0].c.d"),
    ] {
        assert_eq!(update(json!({ "user_metadata": value })), one(path, "NOT_PASSED"));
    }
}

#[test]
fn app_metadata_holds_no_reserved_name_and_user_metadata_may() {
    for name in crate::provisioning::manage::members::RESERVED {
        assert_eq!(update(json!({ "app_metadata": { name: 1 } })), one(&format!("app_metadata.{name}"), "NOT_PASSED"));
        assert!(Members::read(&object(json!({ "user_metadata": { name: 1 } })), Form::Update { deep: false }).is_ok());
    }
    // Below the first level a name is anybody's.
    assert!(Members::read(&object(json!({"app_metadata": {"a": {"email": 1}}})), Form::Update { deep: false }).is_ok());
}
