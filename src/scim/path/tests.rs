use super::*;
use crate::scim::schema::{ENTERPRISE_URN, USER_URN, registry};
use proptest::prelude::*;
use serde_json::json;

const STRICT: Mode = Mode { strict: true };
const COMPAT: Mode = Mode { strict: false };

fn spelled(text: &str) -> Option<String> {
    resolve(&registry().user, text, COMPAT).ok().map(|at| at.to_string())
}

fn patch_path(text: &str) -> Result<PatchPath<'static>, ScimError> {
    parse_patch_path(&registry().user, text, COMPAT)
}

fn refusal(text: &str) -> ScimType {
    patch_path(text).expect_err(text).scim_type.expect("a scimType")
}

#[test]
fn names_resolve_in_any_case_to_the_schemas_spelling() {
    assert_eq!(spelled("USERNAME").as_deref(), Some("userName"));
    assert_eq!(spelled("name.GIVENname").as_deref(), Some("name.givenName"));
    assert_eq!(spelled("meta.lastmodified").as_deref(), Some("meta.lastModified"));
    assert_eq!(spelled("schemas").as_deref(), Some("schemas"));
}

#[test]
fn core_attributes_may_carry_their_urn() {
    assert_eq!(spelled(&format!("{USER_URN}:name.familyName")).as_deref(), Some("name.familyName"));
    assert_eq!(spelled(&format!("{}:userName", USER_URN.to_uppercase())).as_deref(), Some("userName"));
    assert_eq!(spelled(&format!("{USER_URN}:department")), None);
}

#[test]
fn extension_urns_are_split_behind_the_urn_and_not_at_a_dot() {
    let at = resolve(&registry().user, &format!("{ENTERPRISE_URN}:manager.value"), STRICT).expect("manager.value");
    assert_eq!(at.document_path(), [ENTERPRISE_URN, "manager", "value"]);
    assert_eq!(at.extension.map(|schema| schema.id.as_str()), Some(ENTERPRISE_URN));
    assert_eq!(spelled(&format!("{ENTERPRISE_URN}:userName")), None);
}

#[test]
fn enterprise_attributes_are_found_without_their_urn() {
    assert_eq!(spelled("Department"), Some(format!("{ENTERPRISE_URN}:department")));
    assert_eq!(spelled("manager.displayName"), Some(format!("{ENTERPRISE_URN}:manager.displayName")));
}

#[test]
fn a_name_two_extensions_share_needs_its_urn() {
    let mut user = ResourceType::user();
    let mut other = user.extensions[0].clone();
    other.id = format!("{ENTERPRISE_URN}:v1.1");
    user.extensions.push(other.clone());
    assert!(matches!(resolve(&user, "department", COMPAT), Err(Unresolved::Unknown)));
    assert!(matches!(resolve(&user, "department", STRICT), Err(Unresolved::Unknown)), "which URN is for the client to say");
    // The longer URN wins although the shorter one fits as well.
    let at = resolve(&user, &format!("{}:department", other.id), STRICT).expect("department");
    assert_eq!(at.extension.map(|schema| schema.id.as_str()), Some(other.id.as_str()));
}

#[test]
fn what_names_nothing_does_not_resolve() {
    for text in
        ["", "x", "name.x", "name.givenName.x", "userName.x", "urn:x:userName", ENTERPRISE_URN, USER_URN, "emails[", ".", ":"]
    {
        assert_eq!(spelled(text), None, "{text}");
    }
}

#[test]
fn a_bare_extension_urn_is_the_whole_extension() {
    assert!(
        matches!(patch_path(&ENTERPRISE_URN.to_lowercase()), Ok(PatchPath::Extension(schema)) if schema.id == ENTERPRISE_URN)
    );
    assert_eq!(refusal(USER_URN), ScimType::InvalidPath);
}

#[test]
fn a_filtered_path_knows_list_filter_and_sub_attribute() {
    let Ok(PatchPath::Attribute { at, filter: Some(filter) }) = patch_path(r#"emails[type eq "work"].value"#) else {
        panic!("a filtered path");
    };
    assert_eq!(at.to_string(), "emails.value");
    assert_eq!(filter.creates, Some(vec![("type".to_owned(), json!("work"))]));
    let matches = |element: Value| filter.query.matches(element.as_object().expect("an object"));
    assert!(matches(json!({"type": "WORK", "value": "x"})));
    assert!(!matches(json!({"value": "work"})));
}

#[test]
fn a_bracket_inside_a_string_does_not_end_the_filter() {
    let Ok(PatchPath::Attribute { filter: Some(filter), .. }) = patch_path(r#"emails[value eq "a]\"b"].type"#) else {
        panic!("a filtered path");
    };
    assert_eq!(filter.creates, Some(vec![("value".to_owned(), json!("a]\"b"))]));
}

#[test]
fn only_a_conjunction_of_eq_can_create_an_element() {
    let creates = |path: &str| match patch_path(path) {
        Ok(PatchPath::Attribute { filter: Some(filter), .. }) => filter.creates,
        other => panic!("{path}: {other:?}"),
    };
    let both = Some(vec![("type".to_owned(), json!("work")), ("primary".to_owned(), json!(true))]);
    assert_eq!(creates(r#"emails[TYPE eq "work" and primary eq "True"]"#), both);
    for path in [
        r#"emails[type eq "work" or type eq "home"]"#,
        r#"emails[not (type eq "work")]"#,
        r#"emails[type sw "work"]"#,
        r#"emails[type pr]"#,
        r#"emails[type eq null]"#,
        r#"emails[type eq "work" and type eq "home"]"#,
    ] {
        assert_eq!(creates(path), None, "{path}");
    }
}

#[test]
fn members_and_extension_paths_parse() {
    let group = parse_patch_path(&registry().group, r#"members[value eq "u1"]"#, STRICT).expect("members");
    let PatchPath::Attribute { at, filter: Some(filter) } = group else { panic!("a filtered path") };
    assert_eq!((at.to_string().as_str(), filter.creates), ("members", Some(vec![("value".to_owned(), json!("u1"))])));
    let path = format!("{ENTERPRISE_URN}:manager.value");
    assert!(matches!(patch_path(&path), Ok(PatchPath::Attribute { at, filter: None }) if at.to_string() == path));
    assert!(patch_path(&format!(r#"{USER_URN}:addresses[type eq "work"].country"#)).is_ok());
}

#[test]
fn malformed_and_unknown_paths_are_invalid_paths() {
    for path in [
        "",
        " ",
        "x",
        "emails.x",
        "emails[type eq \"work\"].x",
        "emails[type eq \"work\"]value",
        "emails[type eq \"work\"].value x",
        "x[type eq \"work\"]",
        "name[familyName eq \"x\"]",
        "userName[value eq \"x\"]",
        "emails.value[type eq \"work\"]",
        "a b",
        "emails..value",
        "[type eq \"work\"]",
    ] {
        assert_eq!(refusal(path), ScimType::InvalidPath, "{path}");
    }
}

#[test]
fn strict_a_path_is_what_the_rfc_has_and_a_refusal_names_the_way_out() {
    let department = format!("{ENTERPRISE_URN}:department");
    let manager = format!("{ENTERPRISE_URN}:manager.value");
    let read = |text: &str, mode| parse_patch_path(&registry().user, text, mode).map(|path| format!("{path:?}"));
    for (sent, standard, scim_type, way_out) in [
        ("department", department.as_str(), ScimType::InvalidPath, format!("\"{department}\"")),
        ("Manager.value", &manager, ScimType::InvalidPath, format!("\"{ENTERPRISE_URN}:Manager.value\"")),
        ("emails[type eq work].value", r#"emails[type eq "work"].value"#, ScimType::InvalidFilter, "in quotes".into()),
        ("emails[value eq 7]", r#"emails[value eq "7"]"#, ScimType::InvalidFilter, "in quotes".into()),
        (r#"emails[primary eq "True"].value"#, "emails[primary eq true].value", ScimType::InvalidFilter, "without quotes".into()),
    ] {
        assert!(read(sent, COMPAT).is_ok(), "{sent}");
        let error = read(sent, STRICT).expect_err(sent);
        assert_eq!((error.status, error.scim_type), (400, Some(scim_type)), "{sent}");
        assert!(error.detail.contains(&way_out), "{sent}: {}", error.detail);
        assert_eq!(read(standard, STRICT).expect(standard), read(standard, COMPAT).expect(standard));
    }
}

#[test]
fn a_wrong_filter_inside_is_an_invalid_filter() {
    for path in [
        "emails[]",
        "emails[type]",
        "emails[type eq]",
        "emails[type eq \"work\"",
        "emails[type eq \"work\" and]",
        "emails[x eq \"y\"]",
        "emails[primary gt true]",
        "emails[emails.type eq \"work\"]",
        "emails[type[value eq \"x\"] pr]",
    ] {
        assert_eq!(refusal(path), ScimType::InvalidFilter, "{path}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), inside in any::<String>()) {
        for mode in [STRICT, COMPAT] {
            let _ = resolve(&registry().user, &text, mode);
            for path in [&text, &format!("emails[{inside}].value"), &format!("{USER_URN}{text}")] {
                let _ = parse_patch_path(&registry().user, path, mode);
            }
        }
    }
}
