use super::*;
use crate::scim::schema::{ENTERPRISE_URN, USER_URN, registry};
use proptest::prelude::*;
use serde_json::json;

const STRICT: Mode = Mode { strict: true };
const COMPAT: Mode = Mode { strict: false };

fn user() -> Map<String, Value> {
    let user = json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "1",
        "userName": "bjensen",
        "name": {"familyName": "Jensen", "givenName": "Barbara"},
        "emails": [{"value": "b@work", "type": "work"}, {"type": "home"}],
        "password": "t1meMa$heen",
        ENTERPRISE_URN: {"department": "Tours", "manager": {"value": "2", "displayName": "John"}},
        "meta": {"resourceType": "User", "version": "W/\"1\""},
    });
    user.as_object().expect("an object").clone()
}

fn only(attributes: &str) -> Value {
    show(Some(attributes), None)
}

fn without(excluded: &str) -> Value {
    show(None, Some(excluded))
}

fn show(attributes: Option<&str>, excluded: Option<&str>) -> Value {
    let mut document = user();
    projection(attributes, excluded).apply(&mut document);
    document.into()
}

fn projection(attributes: Option<&str>, excluded: Option<&str>) -> Projection {
    Projection::parse(attributes, excluded, &registry().user, COMPAT).expect("a projection")
}

/// What every answer holds, and `more`.
fn always_and(more: Value) -> Value {
    let mut document = json!({"schemas": [USER_URN, ENTERPRISE_URN], "id": "1"});
    document.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    document
}

#[test]
fn by_default_all_but_the_password_is_shown() {
    let mut expected = user();
    expected.shift_remove("password");
    for projection in [projection(None, None), projection(Some(" "), Some(" , "))] {
        assert!(projection.is_default());
        let mut document = user();
        projection.apply(&mut document);
        assert_eq!(document, expected);
    }
}

#[test]
fn attributes_shows_the_listed_and_what_is_always_returned() {
    assert_eq!(only("userName"), always_and(json!({"userName": "bjensen"})));
    assert_eq!(only(" USERNAME , id"), always_and(json!({"userName": "bjensen"})));
    assert_eq!(only("unknown"), always_and(json!({})));
    assert_eq!(only("password"), always_and(json!({})), "never returned");
}

#[test]
fn sub_attributes_are_shown_in_their_attribute() {
    assert_eq!(only("name.givenName"), always_and(json!({"name": {"givenName": "Barbara"}})));
    assert_eq!(only("emails.value"), always_and(json!({"emails": [{"value": "b@work"}]})));
    let whole = json!({"emails": user()["emails"]});
    assert_eq!(only("emails.value,emails"), always_and(whole.clone()));
    assert_eq!(only("nickName,emails.display"), always_and(json!({})));
    assert_eq!(only(r#"emails[type eq "a,b"].value,unknown"#), always_and(whole));
}

#[test]
fn urns_name_attributes_and_whole_extensions() {
    let department = json!({ENTERPRISE_URN: {"department": "Tours"}});
    assert_eq!(only(&format!("{ENTERPRISE_URN}:department")), always_and(department));
    let whole = json!({ENTERPRISE_URN: user()[ENTERPRISE_URN]});
    assert_eq!(only(&ENTERPRISE_URN.to_lowercase()), always_and(whole));
    assert_eq!(only(&format!("{USER_URN}:userName")), always_and(json!({"userName": "bjensen"})));
    let core = only(USER_URN);
    assert!(core.get("emails").is_some() && core.get("meta").is_none() && core.get("password").is_none());
}

#[test]
fn excluded_attributes_are_hidden_unless_always_returned() {
    let mut expected = user();
    expected.retain(|name, _| name != "emails" && name != "password");
    assert_eq!(without("emails,id,schemas,unknown"), Value::from(expected));
    assert_eq!(without("name.givenName")["name"], json!({"familyName": "Jensen"}));
    assert_eq!(without("emails.type")["emails"], json!([{"value": "b@work"}]));
    assert!(without("name.givenName,name.familyName").get("name").is_none());
    assert!(without(ENTERPRISE_URN).get(ENTERPRISE_URN).is_none());
    assert_eq!(without(&format!("{ENTERPRISE_URN}:manager.value"))[ENTERPRISE_URN]["manager"], json!({"displayName": "John"}));
}

#[test]
fn what_stays_keeps_its_order() {
    let names: Vec<String> = without("userName").as_object().expect("an object").keys().cloned().collect();
    assert_eq!(names, ["schemas", "id", "name", "emails", ENTERPRISE_URN, "meta"]);
}

#[test]
fn both_lists_together_are_refused() {
    let error = Projection::parse(Some("userName"), Some("emails"), &registry().user, COMPAT).expect_err("both");
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
    assert!(Projection::parse(Some(&"x,".repeat(ITEMS_MAX + 1)), None, &registry().user, COMPAT).is_err());
}

#[test]
fn strict_an_item_is_a_name_with_its_urn() {
    let department = format!("{ENTERPRISE_URN}:department");
    for (sent, standard, way_out) in [
        ("department", department.as_str(), format!("\"{department}\"")),
        (r#"emails[type eq "work"]"#, "emails", "write \"emails\"".to_owned()),
    ] {
        assert_eq!((only(sent), without(sent)), (only(standard), without(standard)), "{sent}");
        for lists in [(Some(sent), None), (None, Some(sent))] {
            let error = Projection::parse(lists.0, lists.1, &registry().user, STRICT).expect_err(sent);
            assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{sent}");
            assert!(error.detail.contains(&way_out), "{sent}: {}", error.detail);
        }
        assert!(Projection::parse(Some(standard), None, &registry().user, STRICT).is_ok(), "{standard}");
    }
    assert!(Projection::parse(Some("unknown,name.givenName"), None, &registry().user, STRICT).is_ok());
}

#[test]
fn wants_tells_what_need_not_be_read() {
    let group = |attributes, excluded| Projection::parse(attributes, excluded, &registry().group, COMPAT).expect("a projection");
    assert!(group(None, None).wants("members"));
    assert!(!group(None, Some("MEMBERS")).wants("members"));
    assert!(group(None, Some("members.display")).wants("members"));
    assert!(!group(Some("displayName"), None).wants("members"));
    assert!(group(Some("members.value"), None).wants("members"));
    assert!(group(Some("displayName"), None).wants("id"));
    assert!(!projection(Some("password"), None).wants("password"));
    assert!(projection(Some(&format!("{ENTERPRISE_URN}:department")), None).wants(ENTERPRISE_URN));
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "id",
        "schemas",
        "SCHEMAS",
        "userName",
        "name.givenName",
        "emails",
        "emails.value",
        "password",
        ENTERPRISE_URN,
        USER_URN,
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), any::<String>()]
}

proptest! {
    #[test]
    fn id_and_schemas_always_stay_and_the_password_never_does(names in prop::collection::vec(name(), 0..8), exclude in any::<bool>()) {
        let list = names.join(",");
        let lists = if exclude { (None, Some(list.as_str())) } else { (Some(list.as_str()), None) };
        let mut document = user();
        projection(lists.0, lists.1).apply(&mut document);
        prop_assert_eq!(document.get("id"), Some(&json!("1")));
        prop_assert_eq!(document.get("schemas"), Some(&json!([USER_URN, ENTERPRISE_URN])));
        prop_assert!(!document.contains_key("password"));
    }
}
