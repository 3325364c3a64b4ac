//! What clients send and RFC 7644 §3.4.2.2 does not have, in both modes.

use super::*;

/// Sent, its spelling in the RFC, and what a strict refusal says of the way there. `URN` is the enterprise extension's.
const TABLE: [[&str; 3]; 16] = [
    ["userName eq bjensen", r#"userName eq "bjensen""#, "a string stands in quotes"],
    ["userName sw b", r#"userName sw "b""#, "a string stands in quotes"],
    ["meta.created gt 2009-05-13T04:42:34Z", r#"meta.created gt "2009-05-13T04:42:34Z""#, "a string stands in quotes"],
    ["emails[type eq work]", r#"emails[type eq "work"]"#, "a string stands in quotes"],
    ["active eq TRUE", "active eq true", "true, false and null are written small"],
    [r#"active eq "True""#, "active eq true", "active is a boolean: write true or false without quotes"],
    [r#"active ne "false""#, "active ne false", "active is a boolean: write true or false without quotes"],
    [r#"emails[primary eq "true"]"#, "emails[primary eq true]", "primary is a boolean"],
    ["userName eq 701984", r#"userName eq "701984""#, "userName is a string: write the digits in quotes"],
    ["emails[value eq 7]", r#"emails[value eq "7"]"#, "value is a string: write the digits in quotes"],
    [r#"emails[type eq "work"].value co "@work""#, r#"emails[type eq "work" and value co "@work"]"#, "write it inside"],
    [r#"emails[type eq "work"].value pr"#, r#"emails[type eq "work" and value pr]"#, "write it inside"],
    [r#"department eq "Tours""#, r#"URN:department eq "Tours""#, "\"URN:department\""],
    [r#"URN:manager eq "x""#, r#"URN:manager.value eq "x""#, "name a sub-attribute, as in manager.value"],
    ["manager.value pr", "URN:manager.value pr", "\"URN:manager.value\""],
    [r#"not (department sw "X")"#, r#"not (URN:department sw "X")"#, "\"URN:department\""],
];

fn table() -> impl Iterator<Item = [String; 3]> {
    TABLE.into_iter().map(|row| row.map(|text| text.replace("URN", ENTERPRISE_URN)))
}

#[test]
fn what_clients_send_means_what_the_rfc_spells_otherwise() {
    for [sent, standard, _] in table() {
        assert_eq!(user_in(COMPAT, &sent).expect(&sent), user_in(COMPAT, &standard).expect(&standard), "{sent}");
    }
}

#[test]
fn strict_it_is_an_invalid_filter_that_names_the_way_out() {
    for [sent, standard, way_out] in table() {
        let error = user_in(STRICT, &sent).expect_err(&sent);
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{sent}");
        assert!(error.detail.contains(&way_out), "{sent}: {}", error.detail);
        assert_eq!(user_in(STRICT, &standard), user_in(COMPAT, &standard), "{standard}");
        assert!(user_in(STRICT, &standard).is_ok(), "{standard}");
    }
}

#[test]
fn strict_takes_all_that_the_rfc_has() {
    for text in [
        r#"USERNAME Eq "bjensen" AND NOT (title PR)"#,
        "title eq null",
        r#"title eq """#,
        "active eq true or active eq false",
        r#"emails co "example.com" or emails.value co "example.org""#,
        r#"emails[type eq "work" and value co "@example.com"]"#,
        r#"meta.lastModified ge "2011-05-13T04:42:34Z""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "701984""#,
    ] {
        assert_eq!(user_in(STRICT, text), user_in(COMPAT, text), "{text}");
        assert!(user_in(STRICT, text).is_ok(), "{text}");
    }
}

#[test]
fn a_strict_refusal_does_not_tell_what_was_compared_with() {
    for text in ["userName eq s3cret", r#"emails[type eq "work"].value eq "s3cret""#, r#"department eq "s3cret""#] {
        let error = user_in(STRICT, text).expect_err(text);
        assert!(!error.detail.contains("s3cret"), "{}", error.detail);
    }
    let error = user_in(STRICT, "userName eq 31337").expect_err("digits");
    assert!(!error.detail.contains("31337"), "{}", error.detail);
}
