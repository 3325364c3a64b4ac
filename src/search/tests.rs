use super::*;
use crate::model::user_search::{Identity, Keys, Test, UserQuery, Whole, number_key};
use proptest::prelude::*;

fn printed(text: &str) -> String {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).map(|node| node.to_string()).unwrap_or_default()
}

fn query(text: &str) -> Result<UserQuery, Refused> {
    compile(&parse(text)?.expect("something is asked"))
}

fn asked(text: &str) -> UserQuery {
    query(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> Refused {
    query(text).err().unwrap_or_else(|| panic!("{text} is no search"))
}

fn value(attribute: &str, keys: Keys) -> UserQuery {
    UserQuery::Test(Test::Value { attribute: attribute.into(), keys })
}

#[test]
fn the_examples_of_the_reference_are_searches() {
    for text in [
        r#"email.domain:"example.com" AND NOT blocked:true"#,
        r#"name:("ana" OR "bob")"#,
        "_exists_:user_metadata.lang",
        r#"app_metadata.subscription.plan:"gold""#,
        r#"user_metadata.addresses.city:"Paris""#,
        "last_login:[2026-01-01 TO 2026-01-31]",
        "logins_count:{0 TO 10]",
        "NOT _exists_:logins_count OR logins_count:0",
        r#"identities.connection:"acme-okta""#,
        "created_at:{2026-01-01T10:00:00Z TO *}",
        "-blocked:true ana",
    ] {
        asked(text);
    }
    assert!(parse(" \t ").expect("nothing is wrong").is_none());
}

#[test]
fn operators_bind_as_they_do_everywhere() {
    for (text, tree) in [
        ("a b", "a AND b"),
        ("a OR b c", "a OR b AND c"),
        ("(a OR b) c", "(a OR b) AND c"),
        ("NOT a b", "NOT a AND b"),
        ("-(a b)", "NOT (a AND b)"),
        ("and or not", "and AND or AND not"),
        ("name:(a OR b NOT c)", "name:a OR name:b AND NOT name:c"),
        ("name: \"a \\\" b\"", "name:\"a \\\" b\""),
        ("a\\ b", "a\\ b"),
        ("\\AND", "\\AND"),
        ("logins_count:[1 TO *}", "logins_count:[1 TO *}"),
        ("a-b", "a-b"),
    ] {
        assert_eq!(printed(text), tree, "{text}");
    }
}

#[test]
fn what_is_no_search_is_refused_with_its_place() {
    for (text, column, says) in [
        ("(a", 1, "not closed"),
        ("a)", 2, "closes"),
        ("\"a", 1, "not closed"),
        ("a AND", 6, "ends where a term"),
        ("OR a", 1, "where a term"),
        ("name:", 6, "is wanted"),
        ("name:OR", 6, "in quotes"),
        ("[a TO b]", 1, "behind a field"),
        ("logins_count:[1 2]", 17, "TO"),
        ("logins_count:[1 TO 2", 14, "not closed"),
        ("name:a?c", 7, "no wildcard"),
        ("na*me:a", 1, "no wildcard"),
        ("a\\", 3, "nothing stands"),
    ] {
        let error = refused(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.says.contains(says), "{text}: {error}");
    }
}

#[test]
fn every_limit_is_a_refusal_and_not_a_surprise() {
    let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(query(&deep(DEPTH_MAX)).is_ok());
    assert!(refused(&deep(DEPTH_MAX + 1)).says.contains("deep"));
    assert!(refused(&deep(1_000)).says.contains("deep"));
    let many = |count: usize| vec!["a"; count].join(" ");
    assert!(query(&many(CLAUSES_MAX)).is_ok());
    assert!(refused(&many(CLAUSES_MAX + 1)).says.contains("comparisons"));
    assert!(refused(&"name:a* ".repeat(WILDCARDS_MAX + 1)).says.contains("wildcards"));
    assert!(query(&"x".repeat(BYTES_MAX)).is_ok());
    assert!(refused(&"x".repeat(BYTES_MAX + 1)).says.contains("bytes"));
    assert!(refused(&format!("name:{}*", "x".repeat(300))).says.contains("beside a wildcard"));
}

#[test]
fn a_field_that_is_not_there_is_an_error_that_names_the_nearest() {
    let error = refused("blocked:true AND emial:a");
    assert_eq!((error.column, error.says.as_str()), (18, "there is no field `emial`; is `email` meant?"));
    assert!(refused("title:a").says.contains("app_metadata"));
    for text in ["app_metadata..a:1", "app_metadata.:1", "user_metadatax:1", "identities:1", "_exists_:nobody"] {
        assert!(refused(text).says.contains("no "), "{text}");
    }
}

#[test]
fn each_field_has_its_type_case_wildcards_and_ranges() {
    for (text, says) in [
        ("blocked:yes", "true or false"),
        ("blocked:tr*", "no wildcard"),
        ("logins_count:abc", "a whole number"),
        ("logins_count:1.5", "a whole number"),
        ("logins_count:1*", "no wildcard"),
        ("last_login:yesterday", "a date"),
        ("last_login:[2026 TO *]", "a date"),
        ("created_at:2026-02-30", "a date"),
        ("name:[a TO b]", "no range"),
        ("name:*ab", "at least 3"),
        ("name:a*b", "at both ends"),
        ("username:*abc", "at the end alone"),
        ("identities.connection:ac*", "no wildcard"),
        ("user_metadata.a:b*", "no wildcard"),
        ("user_metadata.a:*", "no wildcard"),
        ("user_metadata.a:[1 TO 2]", "no range"),
        ("app_metadata.a:*bcd", "at the end alone"),
    ] {
        assert!(refused(text).says.contains(says), "{text}: {}", refused(text));
    }
    for (text, wanted) in [
        ("name:ANA", value("name", Keys::Equal("ana".into()))),
        ("name:\"A*\"", value("name", Keys::Equal("a*".into()))),
        ("name:An*", value("name", Keys::Prefix("an".into()))),
        ("name:*Straße*", value("name", Keys::Contains("strasse".into()))),
        ("email.domain:*.COM", value("email.domain", Keys::Suffix(".com".into()))),
        ("username:Ana*", value("username", Keys::Prefix("Ana".into()))),
        ("given_name:*", value("given_name", Keys::Any)),
        ("name:*", UserQuery::All),
        ("*", UserQuery::All),
        ("app_metadata.n:7", value("app_metadata.n", Keys::Equal(number_key(7.0)))),
        ("app_metadata.n:\"7\"", value("app_metadata.n", Keys::Equal("s7".into()))),
        ("app_metadata.b:true", value("app_metadata.b", Keys::Equal("btrue".into()))),
        ("app_metadata.b:\"true\"", value("app_metadata.b", Keys::Equal("strue".into()))),
        ("app_metadata.s:go*", value("app_metadata.s", Keys::Prefix("sgo".into()))),
        ("user_metadata.n:-1.5e3", value("user_metadata.n", Keys::Equal(number_key(-1_500.0)))),
        ("logins_count:{0 TO 10]", UserQuery::Test(Test::Logins(Whole { from: 1, until: 11 }))),
        ("logins_count:-5", UserQuery::Test(Test::Logins(Whole { from: -5, until: -4 }))),
        ("identities.connection:\"acme\"", UserQuery::Test(Test::Identity(Identity::Connection("acme".into())))),
        ("identities.provider:auth0", UserQuery::Test(Test::Identity(Identity::Kinds(vec!["database"])))),
        ("identities.provider:nobody", UserQuery::Test(Test::Nothing)),
        ("blocked:false", UserQuery::Not(Box::new(UserQuery::Test(Test::Blocked)))),
    ] {
        assert_eq!(asked(text), wanted, "{text}");
    }
}

#[test]
fn a_date_is_its_whole_day_and_a_time_the_millisecond_that_is_printed() {
    let when = |text: &str| match asked(text) {
        UserQuery::Test(Test::When(_, whole)) => (whole.from, whole.until),
        other => panic!("{other:?}"),
    };
    let (day, first) = (86_400_000_000, 1_767_225_600_000_000);
    assert_eq!(when("created_at:2026-01-01"), (first, first + day));
    assert_eq!(when("created_at:[2026-01-01 TO 2026-01-02]"), (first, first + 2 * day));
    assert_eq!(when("created_at:{2026-01-01 TO 2026-01-03}"), (first + day, first + 2 * day));
    assert_eq!(when("created_at:\"2026-01-01T00:00:00.5Z\""), (first + 500_000, first + 501_000));
    assert_eq!(when("created_at:[* TO 2026-01-01T00:00:00Z}"), (i64::MIN, first));
    // Who never came in is in no range.
    assert_eq!(when("last_login:[* TO 2026-01-01}"), (1, first));
}

#[test]
fn a_word_alone_is_looked_for_where_people_are_known_by_and_never_in_metadata() {
    let UserQuery::Or(parts) = asked("Ana") else { panic!("several") };
    assert_eq!(parts.len(), 8);
    assert!(parts.contains(&UserQuery::Test(Test::UserId(Keys::Equal("Ana".into())))));
    assert!(parts.contains(&UserQuery::Test(Test::Email(Keys::Equal("ana".into())))));
    assert!(!format!("{parts:?}").contains("metadata"));
    let UserQuery::Or(parts) = asked("*ana*") else { panic!("several") };
    assert_eq!(parts.len(), 5);
}

proptest! {
    #[test]
    fn any_text_is_a_search_or_an_error_with_a_place_in_it(text in "\\PC{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{error}");
        }
    }

    #[test]
    fn what_is_printed_reads_as_the_same_tree(text in "([ab*\\\\:\"()\\[\\]{} -]|AND|OR|NOT|TO|name:|_exists_:| ){0,24}") {
        if let Ok(Some(node)) = parse(&text) {
            let printed = node.to_string();
            let again = parse(&printed);
            prop_assert_eq!(again.map(|node| node.map(|node| node.to_string())), Ok(Some(printed)), "{}", text);
        }
    }

    #[test]
    fn a_quoted_value_is_that_value_whatever_is_in_it(text in "\\PC{1,40}") {
        let quoted = format!("app_metadata.a:\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        prop_assert_eq!(query(&quoted), Ok(value("app_metadata.a", Keys::Equal(format!("s{text}")))));
    }
}
